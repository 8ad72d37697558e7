"""Small matrices with proof: what is computed of them in doubles, with a bound of all rounding.

Sources: Rump, Verification of positive definiteness, BIT 46 (2006) 433: where Cholesky's factorisation of A - c I runs
to its end in doubles, with c above what its rounding can do, A is positive definite. Krawczyk, Computing 4 (1969) 187.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gdcli.kernel.numerics import EPS, SMALLEST, TINY

Rows = Sequence[Sequence[float]]
Ends = tuple[float, float]


def inverse(A: Rows) -> list[list[float]] | None:
    """Return about the inverse of a symmetric matrix, by elimination with pivots; None where it is singular."""
    n = len(A)
    units = [math.frexp(math.sqrt(abs(A[i][i])) or 1.0)[1] for i in range(n)]
    rows = [
        [math.ldexp(a, -units[i] - units[j]) for j, a in enumerate(row)] + [float(i == j) for j in range(n)]
        for i, row in enumerate(A)
    ]
    for k in range(n):
        best = max(range(k, n), key=lambda i: abs(rows[i][k]))
        pivot = rows[best][k]
        if not abs(pivot) > TINY or not math.isfinite(pivot):
            return None
        rows[k], rows[best] = rows[best], rows[k]
        rows[k] = [a / pivot for a in rows[k]]
        for i in range(n):
            if i != k and rows[i][k]:
                factor = rows[i][k]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    try:
        found = [[math.ldexp(rows[i][n + j], -units[i] - units[j]) for j in range(n)] for i in range(n)]
    except OverflowError:
        return None
    return found if all(math.isfinite(a) for row in found for a in row) else None


def is_positive_definite(A: Rows) -> bool:
    """Tell whether a symmetric matrix of doubles is proved to be positive definite; see the text of the module."""
    n = len(A)
    if not all(A[i][i] > TINY and A[i][i] < math.inf for i in range(n)):
        return False
    units = [math.frexp(math.sqrt(A[i][i]))[1] for i in range(n)]  # powers of two: scaling is exact
    L = [[math.ldexp(A[i][j], -units[i] - units[j]) for j in range(i + 1)] for i in range(n)]
    shift = 4.0 * (n + 3) * EPS * (sum(L[i][i] for i in range(n)) + 1.0)
    for i in range(n):
        for j in range(i + 1):
            left = L[i][j] - sum(L[i][k] * L[j][k] for k in range(j))
            if j < i:
                L[i][j] = left / L[j][j]
            elif not left - shift > shift:
                return False
            else:
                L[i][i] = math.sqrt(left - shift)
    return True


def middle_and_radius(ends: Ends) -> tuple[float, float]:
    """Return a number within an interval, and at least how far its ends are from that."""
    low, high = ends
    middle = 0.5 * low + 0.5 * high
    return middle, max(high - middle, middle - low) * (1.0 + 2.0 * EPS) + SMALLEST


def preconditioned(Y: Rows, H: Sequence[Sequence[Ends]]) -> list[list[float]]:
    """Return a bound of |I - Y H|, entry by entry, for every matrix within the intervals H."""
    n = len(Y)
    parts = [[middle_and_radius(ends) for ends in row] for row in H]
    found = []
    for i in range(n):
        row = []
        for j in range(n):
            products = [Y[i][k] * parts[k][j][0] for k in range(n)]
            size = sum(abs(Y[i][k]) * (abs(parts[k][j][0]) + parts[k][j][1]) for k in range(n))
            spread = sum(abs(Y[i][k]) * parts[k][j][1] for k in range(n))
            row.append(abs((i == j) - sum(products)) + spread + 2.0 * (n + 4) * EPS * (1.0 + size) + TINY)
        found.append(row)
    return found


def product_bound(A: Rows, v: Sequence[float]) -> list[float]:
    """Return a bound of A v for entries that are not negative, its rounding included."""
    grown = 1.0 + 2.0 * (len(v) + 2) * EPS
    return [sum(a * b for a, b in zip(row, v, strict=True)) * grown + SMALLEST * len(v) for row in A]
