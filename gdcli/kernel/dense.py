"""Small dense linear algebra: what Newton's method and the certificate need to know about a symmetric matrix.

A matrix is a list of rows for few variables and a two-dimensional numpy array for more, like the vectors of
:mod:`gdcli.kernel.vectors`. Up to some twenty variables plain Python is faster than importing an array library (two
variables, the commonest case, are spelled out), and its Jacobi eigenvalues are more accurate: they keep their relative
accuracy in a badly scaled positive definite matrix (Demmel and Veselic, SIAM J. Matrix Anal. 13, 1992).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import copysign, frexp, hypot, inf, isfinite, ldexp, sqrt
from operator import mul
from typing import Any, TypeAlias

from gdcli.kernel.budget import make_room
from gdcli.kernel.dataclass import NamedTuple, stored
from gdcli.kernel.numerics import EPS, NEGLIGIBLE_ROTATION, TINY, UNIT_ROUNDOFF
from gdcli.kernel.vectors import Array, Vec, Vector, dot, is_finite, max_abs, np, times_vector

Matrix = Any
# An entry of a small matrix: a number, or an array (g,) of that entry of g matrices.
Entry = Any
# A diagonal, and a triangle with ones on its own: of lists, or of arrays.
Factors: TypeAlias = "tuple[Sequence[Entry] | Array, Sequence[Sequence[Entry]] | Array]"

# Above this size decompositions in plain Python take longer than importing numpy.
_JACOBI_LIMIT = 40
# From this size on numpy's decomposition is faster, where numpy is loaded already.
_EIGH_SIZE = 8
# Rotations converge quadratically: five to ten sweeps are usual, thirty are never needed.
MAX_SWEEPS = 30
# Eigenvalues with an error of rounding beside the largest one have ten digits down to this part of it.
_RELIABLE = 1e-5
# The matrices that an update of a large one takes at a time.
_MATRICES = 3


def chosen(condition: Entry, a: Entry, b: Entry) -> Entry:
    """Return ``a`` where a condition holds, else ``b``: of one problem, or of each of many."""
    if isinstance(condition, bool):
        return a if condition else b
    return np.where(condition, a, b)


def identity(like: Vector, factor: float = 1.0) -> Matrix:
    """Return ``factor`` times the n x n unit matrix, of the kind of the vector ``like``."""
    n = len(like)
    if isinstance(like, list):
        return [Vec([factor if i == j else 0.0 for j in range(n)]) for i in range(n)]
    make_room(_MATRICES * 8.0 * n * n)
    return factor * np.eye(n)


def outer(u: Vector, v: Vector) -> Matrix:
    return [Vec([a * b for b in v]) for a in u] if isinstance(u, list) else u[:, None] * v[None, :]


def plus(A: Matrix, B: Matrix, factor: float = 1.0) -> Matrix:
    if isinstance(A, list):
        return [Vec([a + factor * b for a, b in zip(r, s, strict=True)]) for r, s in zip(A, B, strict=True)]
    return A + factor * B


def matvec(A: Matrix, v: Vector) -> Vector:
    return Vec([sum(map(mul, row, v)) for row in A]) if isinstance(A, list) else times_vector(A, v)


def quadratic_form(A: Matrix, v: Vector) -> float:
    """Return ``v' A v``."""
    if isinstance(A, list):
        return float(sum([a * sum(map(mul, row, v)) for a, row in zip(v, A, strict=True)]))
    return dot(v, times_vector(A, v))


def diagonal(A: Matrix) -> Vector:
    return Vec([row[i] for i, row in enumerate(A)]) if isinstance(A, list) else A.diagonal().copy()


def largest_entry(A: Matrix) -> float:
    return max([max_abs(row) for row in A]) if isinstance(A, list) else float(abs(A).max())


def matrix_is_finite(A: Matrix) -> bool:
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


@stored("Solved")
class LinearSolution(NamedTuple):
    """``z = B b``, ``form = b'B b``, and the ``factors`` of B, the inverse of a positive definite matrix."""

    z: Vector
    form: float
    factors: Factors


def positive_solve(
    A: Matrix, b: Vector, shift: Entry = 0.0, least_pivot: float | None = 0.0
) -> LinearSolution | None:
    """Solve ``(A + shift I) z = b``; None unless that matrix is safely positive definite.

    Safely: of the Cholesky factor of the matrix scaled to a unit diagonal, every squared pivot (at most 1)
    exceeds ``least_pivot``. Elimination without square roots has the same pivots times the diagonal, so that
    nothing need be scaled (Golub and Van Loan, section 4.1).

    Without a ``least_pivot`` nothing is asked of the pivots, which are the first of the factors.
    """
    if _is_large(A):
        return _numpy_solve(A, b, shift, least_pivot or 0.0)
    # For so few numbers plain loops are faster than sums of products, and plain lists than vectors.
    lower: list[list[Entry]] = []
    pivots: list[Entry] = []
    half: list[Entry] = []  # the solution of the first triangle
    form: Entry = 0.0
    for i, row in enumerate(A):
        parts: list[Entry] = []
        products: list[Entry] = []
        entry = pivot = row[i] + shift
        y = b[i]
        for j in range(i):
            value, other = row[j], lower[j]
            for k in range(j):
                value = value - products[k] * other[k]
            products.append(value)
            part = value / pivots[j]
            parts.append(part)
            pivot = pivot - part * value
            y = y - part * half[j]
        if least_pivot is not None and not least_pivot * entry < pivot < inf:
            return None
        lower.append(parts)
        pivots.append(pivot)
        half.append(y)
        form = form + y / pivot * y
    z = [y / pivot for y, pivot in zip(half, pivots, strict=True)]
    for i in range(len(z) - 1, 0, -1):
        last, parts = z[i], lower[i]
        for j in range(i):
            z[j] = z[j] - parts[j] * last
    return LinearSolution(Vec(z), form, (pivots, lower))


def _is_large(A: Matrix) -> bool:
    """Tell whether numpy is for a matrix: an array, or more rows of numbers than plain loops are for."""
    return not isinstance(A, list) or (len(A) > _JACOBI_LIMIT and isinstance(A[0][0], float))


def inverse_form(factors: Factors, v: Vector) -> Entry:
    """Return ``v' B v`` with the inverse B whose ``factors`` :func:`positive_solve` returned."""
    s, L = factors
    if not isinstance(L, list):
        y = np.linalg.solve(L, np.asarray(v) / s)
        return dot(y, y)
    form: Entry = 0.0
    half: list[Entry] = []
    for y, pivot, parts in zip(v, *factors, strict=True):
        for part, known in zip(parts, half, strict=True):
            y = y - part * known
        half.append(y)
        form = form + y / pivot * y
    return form


def _numpy_solve(A: Matrix, b: Vector, shift: float, least_pivot: float) -> LinearSolution | None:
    A = np.asarray(A)
    if shift:
        A = A + shift * np.eye(len(A))
    d = A.diagonal()
    if not d.min() > 0.0:
        return None
    s = np.sqrt(d)
    try:
        L = np.linalg.cholesky(congruent(A, s))
    except np.linalg.LinAlgError:
        return None
    if not is_finite(L) or not L.diagonal().min() ** 2 > least_pivot:
        return None
    z = np.linalg.solve(L.T, np.linalg.solve(L, np.asarray(b) / s)) / s
    return LinearSolution(Vec(z.tolist()) if isinstance(b, list) else z, dot(b, z), (s, L))


def inverse(A: Sequence[Sequence[float]]) -> list[list[float]] | None:
    """Return about the inverse of a symmetric matrix, by elimination with pivots; None where it is singular."""
    n = len(A)
    units = [frexp(sqrt(abs(A[i][i])) or 1.0)[1] for i in range(n)]
    rows = [
        [ldexp(a, -units[i] - units[j]) for j, a in enumerate(row)] + [float(i == j) for j in range(n)]
        for i, row in enumerate(A)
    ]
    for k in range(n):
        best = max(range(k, n), key=lambda i: abs(rows[i][k]))
        pivot = rows[best][k]
        if not abs(pivot) > TINY or not isfinite(pivot):
            return None
        rows[k], rows[best] = rows[best], rows[k]
        rows[k] = [a / pivot for a in rows[k]]
        for i in range(n):
            if i != k and rows[i][k]:
                factor = rows[i][k]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    try:
        found = [[ldexp(rows[i][n + j], -units[i] - units[j]) for j in range(n)] for i in range(n)]
    except OverflowError:
        return None
    return found if all(isfinite(a) for row in found for a in row) else None


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


def eigenvalues(A: Matrix) -> list[float]:
    """Return the eigenvalues of a symmetric matrix in ascending order.

    Without the vectors they cost a third. The matrix is made tridiagonal by reflections, then diagonal by the QL
    iteration with implicit shifts (Golub and Van Loan, sections 8.3.1 and 8.3.5). Their error is rounding of the
    largest one; where that is too much for the smallest, those of :func:`eigen` are returned. The last answer is
    kept.
    """
    global _last_values
    if _last_values[0] is not A:
        _last_values = A, _eigenvalues(A)
    return _last_values[1]


_last_values: tuple[Matrix, list[float]] = None, []


def _eigenvalues(A: Matrix) -> list[float]:
    n = len(A)
    if _last[0] is A or not isinstance(A, list) or n < 3 or n > _JACOBI_LIMIT:
        return eigen(A)[0]
    values = _values_of_tridiagonal(*_tridiagonal(A))
    if values is None or not min(map(abs, values)) > _RELIABLE * max(-values[0], values[-1]):
        return eigen(A)[0]
    return values


def _tridiagonal(A: list[Vec]) -> tuple[list[float], list[float]]:
    """Return the diagonal and the one beside it of a tridiagonal matrix with the eigenvalues of A."""
    n = len(A)
    rows = [list(row) for row in A]
    for k in range(n - 2):
        x = rows[k][k + 1 :]
        size = hypot(*x)
        if size == 0.0:
            continue
        rows[k][k + 1] = -copysign(size, x[0])
        x = [a / size for a in x]
        x[0] += copysign(1.0, x[0])
        # The reflection I - v v'/h with v = x: A - v q' - q v', where q = p - (p'v / 2h) v and p = A v / h.
        h = abs(x[0])
        below = [row[k + 1 :] for row in rows[k + 1 :]]
        p = [sum(map(mul, row, x)) / h for row in below]
        part = sum(map(mul, p, x)) / (2.0 * h)
        q = [a - part * v for a, v in zip(p, x, strict=True)]
        for row, old, v, w in zip(rows[k + 1 :], below, x, q, strict=True):
            row[k + 1 :] = [a - v * b - w * c for a, b, c in zip(old, q, x, strict=True)]
    return [rows[i][i] for i in range(n)], [rows[i][i + 1] for i in range(n - 1)]


def _values_of_tridiagonal(d: list[float], e: list[float]) -> list[float] | None:
    """Return the ascending eigenvalues of the matrix with diagonal d and e beside it; None if they are not found."""
    e.append(0.0)
    last = len(d) - 1
    for first in range(last):
        for _ in range(MAX_SWEEPS):
            end = first
            while end < last and abs(e[end]) > UNIT_ROUNDOFF * (abs(d[end]) + abs(d[end + 1])):
                end += 1
            if end == first:
                break
            _ql_sweep(d, e, first, end)
        else:
            return None
    return sorted(d) if isfinite(sum(d)) else None


def _ql_sweep(d: list[float], e: list[float], first: int, end: int) -> None:
    """Chase the shift from the lower end of the block up to its top, which it makes an eigenvalue."""
    ratio = (d[first + 1] - d[first]) / (2.0 * e[first])
    g = d[end] - d[first] + e[first] / (ratio + copysign(hypot(1.0, ratio), ratio))
    s = c = 1.0
    moved = 0.0
    for i in range(end - 1, first - 1, -1):
        f, b = s * e[i], c * e[i]
        e[i + 1] = r = hypot(f, g)
        if r == 0.0:
            d[i + 1] -= moved
            e[end] = 0.0
            return
        s, c = f / r, g / r
        g = d[i + 1] - moved
        r = (d[i] - g) * s + 2.0 * c * b
        moved = s * r
        d[i + 1] = g + moved
        g = c * r - b
    d[first] -= moved
    e[first] = g
    e[end] = 0.0


def _eigen(A: Matrix) -> tuple[list[float], Sequence[Vector]]:
    n = len(A)
    if isinstance(A, list):
        if n == 1:
            return [A[0][0]], [Vec((1.0,))]
        if n == 2:
            return _eigen_of_two(A)
        if n < _EIGH_SIZE or (n <= _JACOBI_LIMIT and "numpy" not in sys.modules):
            return _jacobi(A)
    values, vectors = np.linalg.eigh(np.array(A))
    rows = list(_settled(values, vectors).T)
    return values.tolist(), [Vec(row.tolist()) for row in rows] if isinstance(A, list) else rows


def _settled(values: Array, vectors: Array) -> Array:
    """Return the eigenvectors, columns, in a basis that rounding has not chosen.

    Of equal eigenvalues any basis of their space will do, and of one eigenvalue either sign: which of them comes out is
    up to the last bits. Down from a symmetric saddle they lead to different minima. Here the first vector of a space is
    the projection of a fixed one, and so on.
    """
    n = len(values)
    equal = values[1:] - values[:-1] <= n * EPS * abs(values).max()
    borders = [0, *(np.flatnonzero(~equal) + 1).tolist(), n]
    fixed = np.random.default_rng(0).standard_normal((n, max(b - a for a, b in pairwise(borders))))
    settled = vectors * np.where((vectors * fixed[:, :1]).sum(axis=0) < 0.0, -1.0, 1.0)
    for a, b in pairwise(borders):
        if b - a > 1:
            space = vectors[:, a:b]
            basis, triangle = np.linalg.qr(space @ (space.T @ fixed[:, : b - a]))
            settled[:, a:b] = basis * np.where(triangle.diagonal() < 0.0, -1.0, 1.0)
    return settled


def _eigen_of_two(A: list[Vec]) -> tuple[list[float], list[Vec]]:
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


def _jacobi(A: list[Vec]) -> tuple[list[float], list[Vec]]:
    rows, vectors = diagonalised(A, _rotation)
    order = sorted(range(len(rows)), key=lambda i: rows[i][i])
    return [rows[i][i] for i in order], [Vec(vectors[i]) for i in order]


def diagonalised(
    A: Sequence[Sequence[Entry]], rotation: Callable[[Entry, Entry, Entry], tuple[Entry, Entry, Entry] | None]
) -> tuple[list[list[Entry]], list[list[Entry]]]:
    """Return a diagonal matrix with the eigenvalues of a symmetric one, in no order, and the eigenvectors, in rows.

    Cyclic Jacobi: one off-diagonal entry after the other is rotated to zero (Golub and Van Loan, section 8.5).
    See :func:`_rotation` for ``rotation``.
    """
    n = len(A)
    rows = [list(row) for row in A]
    vectors: list[list[Entry]] = [[1.0 if i == j else 0.0 for j in range(n)] for i in range(n)]
    for _ in range(MAX_SWEEPS):
        rotated = False
        for p in range(n - 1):
            for q in range(p + 1, n):
                turn = rotation(rows[p][q], rows[p][p], rows[q][q])
                if turn is None:
                    rows[p][q] = rows[q][p] = 0.0
                    continue
                rotated = True
                _rotate(rows, vectors, p, q, *turn)
        if not rotated:
            break
    return rows, vectors


def _rotation(a: float, c: float, d: float) -> tuple[float, float, float] | None:
    """Return tangent, cosine and sine of the angle that makes the matrix (c a; a d) diagonal; None where it is so."""
    if a == 0.0 or abs(a) <= NEGLIGIBLE_ROTATION * (abs(c) + abs(d)):  # c or d may be none of the numbers
        return None
    theta = (d - c) / (2.0 * a)
    t = (1.0 if theta >= 0 else -1.0) / (abs(theta) + sqrt(1.0 + theta * theta))
    co = 1.0 / sqrt(1.0 + t * t)
    return t, co, t * co


def _rotate(
    rows: list[list[Entry]], vectors: list[list[Entry]], p: int, q: int, t: Entry, co: Entry, si: Entry
) -> None:
    row_p, row_q = rows[p], rows[q]
    a, c, d = row_p[q], row_p[p], row_q[q]
    # The matrix is symmetric: its columns are its rows. Plain loops are faster than lists made anew.
    for k, row in enumerate(rows):
        x, y = row[p], row[q]
        row_p[k] = row[p] = co * x - si * y
        row_q[k] = row[q] = si * x + co * y
    row_p[p], row_q[q] = c - t * a, d + t * a
    row_p[q] = row_q[p] = 0.0
    vector_p, vector_q = vectors[p], vectors[q]
    for k, x in enumerate(vector_p):
        y = vector_q[k]
        vector_p[k] = co * x - si * y
        vector_q[k] = si * x + co * y
