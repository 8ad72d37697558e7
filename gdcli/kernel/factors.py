"""Factors of the small matrices of least squares: the triangle of a QR factorisation, and singular values.

A matrix is a list of its columns, for there are as many as parameters, and as a rule these are few. Up to
`PLAIN_COLUMNS` of them plain Python takes less time than importing an array library, its order of operations is the
same on every processor, and the singular values by rotations of columns are more accurate than those by a bidiagonal
matrix: small ones keep their digits whatever the scales of the columns (Demmel and Veselic, SIAM J. Matrix Anal. 13,
1992). Beyond that LAPACK does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, hypot, sqrt
from operator import mul

from gdcli.kernel.dense import MAX_SWEEPS, matvec
from gdcli.kernel.numerics import EPS, RANK_TOL
from gdcli.kernel.vectors import Vec, Vector, along, norm, np

# Decompositions of more columns are left to LAPACK, which is faster then even if it must be imported.
PLAIN_COLUMNS = 8


def triangle(columns: Sequence[Vector]) -> list[Vec]:
    """Return the k rows of the upper triangular R, shape (k, k), with ``R'R = A'A``, for A of k columns.

    By reflections, which never square the condition (Golub and Van Loan, Matrix Computations, 4th ed., section 5.2).
    """
    left = [list(column) for column in columns]
    size = len(left)
    rows = [Vec([0.0] * size) for _ in range(size)]
    for j, row in enumerate(rows):
        x = left[j]
        length = norm(x)
        if length > 0.0:
            v = [a / length for a in x]
            v[0] += copysign(1.0, v[0])
            h = abs(v[0])
            for k in range(j + 1, size):
                y = left[k]
                part = sum(map(mul, v, y)) / h
                left[k] = [b - part * a for a, b in zip(v, y, strict=True)]
            x[0] = -copysign(length, x[0])
        for k in range(j, size):
            if left[k]:
                row[k], left[k] = left[k][0], left[k][1:]
    return rows


def singular(columns: Sequence[Vector]) -> tuple[list[Vec], list[float], list[Vec]]:
    """Return (U, S, V) of a matrix A of k columns, not too far from length 1: ``A V[i] = S[i] U[i]``.

    S falls. The vectors U[i] have the length of a column, V[i] have k components; U[i] is zero where S[i] is.
    """
    size = len(columns)
    if size > PLAIN_COLUMNS:
        u, s, v = np.linalg.svd(np.array(columns).T, full_matrices=False)
        return [Vec(a) for a in u.T.tolist()], s.tolist(), [Vec(a) for a in v.tolist()]
    sides = [Vec(column) for column in columns]
    turned = [Vec([1.0 if i == j else 0.0 for j in range(size)]) for i in range(size)]
    nothing = EPS * max((norm(side) for side in sides), default=0.0)
    for _ in range(MAX_SWEEPS):
        turns = [_rotated(sides, turned, p, q, nothing) for p in range(size) for q in range(p + 1, size)]
        if not any(turns):
            break
    lengths = [norm(side) for side in sides]
    order = sorted(range(size), key=lambda i: -lengths[i])
    U = [sides[i] / lengths[i] if lengths[i] > 0.0 else sides[i] for i in order]
    return U, [lengths[i] for i in order], [turned[i] for i in order]


def independent(S: Sequence[float]) -> int:
    """Return how many of the singular values, in falling order, of a matrix with unit columns are not zero."""
    least = RANK_TOL * len(S) * S[0] if S else 0.0
    return sum(least < s for s in S)


def _rotated(sides: list[Vec], turned: list[Vec], p: int, q: int, nothing: float) -> bool:
    """Make two columns orthogonal by a rotation, and tell whether they were not; one of no length is so to all."""
    a, b = sides[p], sides[q]
    aa, bb, ab = a @ a, b @ b, a @ b
    if abs(ab) <= EPS * sqrt(aa) * sqrt(bb) or sqrt(min(aa, bb)) <= nothing:
        return False
    ratio = (bb - aa) / (2.0 * ab)
    t = copysign(1.0, ratio) / (abs(ratio) + hypot(1.0, ratio))
    c = 1.0 / sqrt(1.0 + t * t)
    s = c * t
    for vectors in (sides, turned):
        u, v = vectors[p], vectors[q]
        vectors[p] = Vec([c * x - s * y for x, y in zip(u, v, strict=True)])
        vectors[q] = Vec([s * x + c * y for x, y in zip(u, v, strict=True)])
    return True


def combined(weights: Sequence[float], rows: Sequence[Vec], size: int) -> Vec:
    """Return the sum of the rows, of ``size`` numbers each, with weights; zeros where there are none."""
    total = Vec([0.0] * size)
    for weight, row in zip(weights, rows, strict=True):
        total = along(total, weight, row)
    return total


def column_lengths(rows: Sequence[Vector]) -> Vec:
    """Return the Euclidean lengths of the columns of a matrix given by rows, without overflow."""
    return Vec([hypot(*column) for column in zip(*rows, strict=True)])


def congruence(rows: Sequence[Vector], A: Sequence[Vector]) -> list[Vec]:
    """Return ``B A B'``, shape (k, k), of k ``rows`` B and a symmetric matrix A."""
    if len(rows) > PLAIN_COLUMNS:
        B = np.array(rows)
        return [Vec(row) for row in (B @ np.array(A) @ B.T).tolist()]
    return [matvec(rows, matvec(A, row)) for row in rows]
