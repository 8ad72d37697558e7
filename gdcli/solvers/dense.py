"""Small dense linear algebra: what Newton's method and the certificate need to know about a symmetric matrix.

A matrix is a list of rows for few variables and a two-dimensional numpy array for more, like the vectors of
:mod:`gdcli.solvers.vectors`. Up to some twenty variables plain Python is faster than importing an array
library (two variables, the commonest case, are spelled out), and its Jacobi eigenvalues are more accurate:
they keep their relative accuracy in a badly scaled positive definite matrix (Demmel and Veselic, SIAM J.
Matrix Anal. 13, 1992).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import hypot, inf, sqrt
from operator import mul
from typing import Any, NamedTuple

from gdcli.solvers.vectors import Vec, Vector, is_finite, max_abs

Matrix = Any

# Above this size an eigen-decomposition in plain Python takes longer than importing numpy.
_JACOBI_LIMIT = 40
# From this size on numpy's decomposition is faster, where numpy is loaded already.
_EIGH_SIZE = 8
# Jacobi converges quadratically: six to ten sweeps are usual, thirty are never needed.
_MAX_SWEEPS = 30
# A rotation that changes the diagonal by less than this fraction is below rounding.
_NEGLIGIBLE = 1e-17


def identity(like: Vector, factor: float = 1.0) -> Matrix:
    """Return ``factor`` times the n x n unit matrix, of the kind of the vector ``like``."""
    n = len(like)
    if isinstance(like, list):
        return [Vec([factor if i == j else 0.0 for j in range(n)]) for i in range(n)]
    import numpy

    return factor * numpy.eye(n)


def outer(u: Vector, v: Vector) -> Matrix:
    """Return the matrix of all products ``u[i] * v[j]``."""
    return [Vec([a * b for b in v]) for a in u] if isinstance(u, list) else u[:, None] * v[None, :]


def plus(A: Matrix, B: Matrix, factor: float = 1.0) -> Matrix:
    """Return ``A + factor * B``."""
    if isinstance(A, list):
        return [Vec([a + factor * b for a, b in zip(r, s, strict=True)]) for r, s in zip(A, B, strict=True)]
    return A + factor * B


def matvec(A: Matrix, v: Vector) -> Vector:
    """Return the product of a matrix with a vector."""
    return Vec([sum(map(mul, row, v)) for row in A]) if isinstance(A, list) else A @ v


def quadratic_form(A: Matrix, v: Vector) -> float:
    """Return ``v' A v``."""
    if isinstance(A, list):
        return float(sum([a * sum(map(mul, row, v)) for a, row in zip(v, A, strict=True)]))
    return float(v @ (A @ v))


def diagonal(A: Matrix) -> Vector:
    """Return the diagonal."""
    return Vec([row[i] for i, row in enumerate(A)]) if isinstance(A, list) else A.diagonal().copy()


def largest_entry(A: Matrix) -> float:
    """Return the largest absolute entry."""
    return max([max_abs(row) for row in A]) if isinstance(A, list) else float(abs(A).max())


def matrix_is_finite(A: Matrix) -> bool:
    """Tell whether every entry is a finite number."""
    return all(map(is_finite, A)) if isinstance(A, list) else is_finite(A)


def congruent(A: Matrix, s: Vector) -> Matrix:
    """Return ``S^-1 A S^-1`` with ``S = diag(s)``: the same signs of eigenvalues
    (Sylvester), better scaled.
    """
    if isinstance(A, list):
        return [
            Vec([a / (si * sj) for a, sj in zip(row, s, strict=True)]) for row, si in zip(A, s, strict=True)
        ]
    return A / s[:, None] / s[None, :]


class Solved(NamedTuple):
    """``z = B b``, ``form = b'B b``, and the ``factors`` of B, the inverse of a positive definite matrix."""

    z: Vector
    form: float
    factors: Any


def positive_solve(A: Matrix, b: Vector, shift: float = 0.0, least_pivot: float = 0.0) -> Solved | None:
    """Solve ``(A + shift I) z = b``; None unless that matrix is safely positive definite.

    Safely: of the Cholesky factor of the matrix scaled to a unit diagonal, every squared pivot (at most 1)
    exceeds ``least_pivot``. Elimination without square roots has the same pivots times the diagonal, so that
    nothing need be scaled, and it carries b along (Golub and Van Loan, section 4.1).
    """
    if not isinstance(A, list):
        return _numpy_solve(A, b, shift, least_pivot)
    # The upper triangle, each row followed by its right side.
    rows = [[*row[i:], v] for i, (row, v) in enumerate(zip(A, b, strict=True))]
    form = 0.0
    factors: list[tuple[float, list[float]]] = []
    for k, row in enumerate(rows):
        row[0] = pivot = row[0] + shift
        if not least_pivot * (A[k][k] + shift) < pivot < inf:
            return None
        unit = [a / pivot for a in row[1:]]
        factors.append((pivot, unit))
        form += unit[-1] * row[-1]
        for j in range(1, len(unit)):
            part = unit[j - 1]
            rows[k + j] = [a - part * c for a, c in zip(rows[k + j], row[j:], strict=True)]
    z: list[float] = []
    for _, unit in reversed(factors):
        # map stops at the shorter list: only the known part of z takes part.
        z.insert(0, unit[-1] - sum(map(mul, unit, z)))
    return Solved(Vec(z), form, factors)


def inverse_form(factors: Any, v: Vector) -> float:
    """Return ``v' B v`` with the inverse B whose ``factors`` :func:`positive_solve` returned."""
    if not isinstance(v, list):
        import numpy

        s, L = factors
        y = numpy.linalg.solve(L, v / s)
        return float(y @ y)
    form, rest = 0.0, list(v)
    for pivot, unit in factors:
        first = rest[0]
        form += first / pivot * first
        rest = [a - first * part for a, part in zip(rest[1:], unit, strict=False)]
    return form


def _numpy_solve(A: Matrix, b: Vector, shift: float, least_pivot: float) -> Solved | None:
    import numpy

    if shift:
        A = A + shift * numpy.eye(len(A))
    d = A.diagonal()
    if not d.min() > 0.0:
        return None
    s = numpy.sqrt(d)
    try:
        L = numpy.linalg.cholesky(congruent(A, s))
    except numpy.linalg.LinAlgError:
        return None
    if not is_finite(L) or not L.diagonal().min() ** 2 > least_pivot:
        return None
    z = numpy.linalg.solve(L.T, numpy.linalg.solve(L, b / s)) / s
    return Solved(z, float(b @ z), (s, L))


def eigen(A: Matrix) -> tuple[list[float], Sequence[Vector]]:
    """Return the eigenvalues of a symmetric matrix in ascending order and the unit
    eigenvectors, one per row.

    The last answer is kept: the end of a run and its certificate ask about the same matrix.
    """
    global _last
    if _last[0] is not A:
        _last = A, _eigen(A)
    return _last[1]


_last: tuple[Matrix, tuple[list[float], Sequence[Vector]]] = None, ([], [])


def _eigen(A: Matrix) -> tuple[list[float], Sequence[Vector]]:
    n = len(A)
    if isinstance(A, list):
        if n == 1:
            return [A[0][0]], [Vec((1.0,))]
        if n == 2:
            return _eigen_of_two(A)
        if n < _EIGH_SIZE or (n <= _JACOBI_LIMIT and "numpy" not in sys.modules):
            return _jacobi(A)
    import numpy

    values, vectors = numpy.linalg.eigh(numpy.array(A))
    rows = list(vectors.T)
    return values.tolist(), [Vec(row.tolist()) for row in rows] if isinstance(A, list) else rows


def _eigen_of_two(A: list[Any]) -> tuple[list[float], list[Vec]]:
    """One rotation makes a matrix of two rows diagonal; the formulas are those of :func:`_rotate`."""
    (c, a), (_, d) = A
    if a == 0.0:
        return (
            ([c, d], [Vec((1.0, 0.0)), Vec((0.0, 1.0))])
            if c <= d
            else ([d, c], [Vec((0.0, 1.0)), Vec((1.0, 0.0))])
        )
    theta = (d - c) / (2.0 * a)
    t = 1.0 / (theta + hypot(1.0, theta)) if theta >= 0.0 else 1.0 / (theta - hypot(1.0, theta))
    co = 1.0 / sqrt(1.0 + t * t)
    si = t * co
    low, high = c - t * a, d + t * a
    if low <= high:
        return [low, high], [Vec((co, -si)), Vec((si, co))]
    return [high, low], [Vec((si, co)), Vec((co, -si))]


def _jacobi(A: list[Any]) -> tuple[list[float], list[Vec]]:
    """Cyclic Jacobi: rotate one off-diagonal entry after the other to zero (Golub and Van
    Loan, section 8.5).
    """
    n = len(A)
    # Each row of the matrix is followed by that of the rotations so far: both are turned alike.
    rows = [[*row, *(1.0 if i == j else 0.0 for j in range(n))] for i, row in enumerate(A)]
    for _ in range(_MAX_SWEEPS):
        rotated = False
        for p in range(n - 1):
            for q in range(p + 1, n):
                a, c, d = rows[p][q], rows[p][p], rows[q][q]
                if a == 0.0:
                    continue
                if abs(a) <= _NEGLIGIBLE * (abs(c) + abs(d)) or a * a <= _NEGLIGIBLE**2 * abs(c * d):
                    rows[p][q] = rows[q][p] = 0.0
                    continue
                rotated = True
                _rotate(rows, p, q, n)
        if not rotated:
            break
    order = sorted(range(n), key=lambda i: rows[i][i])
    return [rows[i][i] for i in order], [Vec(rows[i][n:]) for i in order]


def _rotate(rows: list[list[float]], p: int, q: int, n: int) -> None:
    old_p, old_q = rows[p], rows[q]
    a, c, d = old_p[q], old_p[p], old_q[q]
    theta = (d - c) / (2.0 * a)
    t = (1.0 if theta >= 0 else -1.0) / (abs(theta) + sqrt(1.0 + theta * theta))
    co = 1.0 / sqrt(1.0 + t * t)
    si = t * co
    new_p = [co * x - si * y for x, y in zip(old_p, old_q, strict=True)]
    new_q = [si * x + co * y for x, y in zip(old_p, old_q, strict=True)]
    # The matrix is symmetric: its columns are its rows.
    for k in range(n):
        row = rows[k]
        row[p] = new_p[k]
        row[q] = new_q[k]
    new_p[p], new_q[q] = c - t * a, d + t * a
    new_p[q] = new_q[p] = 0.0
    rows[p], rows[q] = new_p, new_q
