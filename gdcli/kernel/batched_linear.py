"""Small matrices of many problems at once: an operation on an entry is one on the array of that entry of all problems.

The last axis counts the problems: a vector has shape (p, g), a matrix (p, p, g). For the few parameters of a fit the
loops over entries are short, and each of their steps runs through all problems in compiled code, which a call of LAPACK
for each problem costs many times over.
"""

from __future__ import annotations

from typing import Any

from gdcli.kernel.dense import Factors, diagonalised, positive_solve
from gdcli.kernel.numerics import NEGLIGIBLE_ROTATION
from gdcli.kernel.vectors import Array, np

# Up to this size eigenvalues come from Jacobi's rotations, above from LAPACK.
_ROTATED = 4


def einsum(subscripts: str, *operands: Array) -> Array:
    """Return sums of products as :func:`numpy.einsum` does, of which no processor changes the order.

    Nor does the number of problems: of many numpy adds one term after the other, and so one alone is computed twice.
    """
    alone = all(each.ndim > 1 and each.shape[-1] == 1 for each in operands)
    found: Array = np.einsum(subscripts, *map(_twice if alone else np.ascontiguousarray, operands))
    return found[..., :1] if alone else found


def sums(values: Array) -> Array:
    """Return the sums over the first axis, in an order that is the same for any number of problems."""
    found: Array = (_twice(values) if values.shape[-1] == 1 else np.ascontiguousarray(values)).sum(axis=0)
    return found[..., : values.shape[-1]]


def _twice(values: Array) -> Array:
    return np.repeat(values, 2, axis=-1)


def dots(a: Array, b: Array) -> Array:
    """Return the sums over the first axis of the products."""
    return einsum("n...,n...->...", a, b)


def lengths(v: Array) -> Array:
    """Return the Euclidean lengths of vectors, or of the columns of matrices: over the first axis."""
    return dots(v, v) ** 0.5


def triangles(J: Array, r: Array, dependent: float = 0.0) -> tuple[Array, Array, Array]:
    """Return ``R`` (p, p, g), ``target`` (p, g), ``norm`` (g,) with ``|r + J d|**2 = |R d + target|**2 + norm**2``.

    ``J`` has shape (p, n, g) and ``r`` (n, g); both are overwritten, J by the orthogonal columns. Modified Gram-Schmidt
    with the residuals as one more column, which is as accurate as Householder's reflections (Bjorck, BIT 7, 1967). A
    column of which the ones before it leave no more than the part ``dependent`` counts as zero.
    """
    p, _, g = J.shape
    R, target = np.zeros((p, p, g)), np.empty((p, g))
    least = [dependent * lengths(column) for column in J] if dependent else [0.0] * p
    for j, q in enumerate(J):
        length = lengths(q)
        counts = length > least[j]
        R[j, j] = np.where(counts, length, 0.0)
        q *= np.where(counts, 1.0 / np.where(counts, length, 1.0), 0.0)
        for k in range(j + 1, p):
            R[j, k] = dots(q, J[k])
            J[k] -= q * R[j, k]
        target[j] = dots(q, r)
        r -= q * target[j]
    return R, target, lengths(r)


def transposed_product(R: Array, v: Array) -> Array:
    """Return ``R' v``, shape (p, g)."""
    return einsum("kig,kg->ig", R, v)


def solve_upper(R: Array, b: Array) -> Array:
    """Return the solution of ``R d = b``; 0 for what stands at a zero of the diagonal."""
    d = np.empty_like(b)
    for i in reversed(range(len(b))):
        left = b[i] - sums(R[i, i + 1 :] * d[i + 1 :])
        d[i] = np.where(R[i, i] == 0.0, 0.0, left / R[i, i])
    return d


def solve_transposed(R: Array, b: Array) -> Array:
    d = np.empty_like(b)
    for i in range(len(b)):
        d[i] = (b[i] - sums(R[:i, i] * d[:i])) / R[i, i]
    return d


def inverse_upper(R: Array) -> Array:
    """Return the inverse of upper triangles, (p, p, g) or of one (p, p), in their precision."""
    inverse = np.zeros_like(R)
    for j in range(len(R)):
        inverse[j, j] = 1.0 / R[j, j]
        for i in reversed(range(j)):
            inverse[i, j] = -(R[i, i + 1 : j + 1] * inverse[i + 1 : j + 1, j]).sum(axis=0) / R[i, i]
    return inverse


def positive_solves(A: Array, b: Array, shift: Array | float = 0.0) -> tuple[Array, Any]:
    """Return the solutions z (p, g) of ``(A + shift I) z = b``, and the factors."""
    solved = positive_solve(list(A), b, shift, None)
    assert solved is not None
    return np.array(solved.z), solved.factors


def least_pivots(A: Array, factors: Factors) -> Array:
    """Return the least of the pivots (g,) of matrices scaled to a unit diagonal, squared.

    It is nan or not positive where the matrix is not positive.
    """
    diagonal = A[range(len(A)), range(len(A))]
    least: Array = (np.array(factors[0]) / np.where(diagonal > 0.0, diagonal, np.nan)).min(axis=0)
    return least


def eigen(A: Array) -> tuple[Array, Array]:
    """Return the eigenvalues (p, g), ascending, and the eigenvectors (p, p, g) as rows, of symmetric matrices."""
    if len(A) > _ROTATED:
        finite = np.isfinite(A).all(axis=(0, 1))
        values, vectors = np.linalg.eigh(np.moveaxis(np.where(finite, A, 0.0), -1, 0))
        values[~finite] = np.nan
        return np.ascontiguousarray(values.T), np.ascontiguousarray(vectors.T)
    rows, turned = diagonalised(list(A), _rotation)
    values = np.stack([row[i] + np.zeros(A.shape[-1]) for i, row in enumerate(rows)])
    vectors = np.array([[a + np.zeros(A.shape[-1]) for a in vector] for vector in turned])
    order = np.argsort(values, axis=0)
    return np.take_along_axis(values, order, axis=0), np.take_along_axis(vectors, order[:, None], axis=0)


def _rotation(a: Array, c: Array, d: Array) -> tuple[Array, Array, Array] | None:
    """As for one matrix in :mod:`gdcli.kernel.dense`; None where all are diagonal."""
    still = abs(a) <= NEGLIGIBLE_ROTATION * (abs(c) + abs(d))
    if still.all():
        return None
    theta = (d - c) / (2.0 * np.where(still, 1.0, a))
    t = np.where(theta >= 0.0, 1.0, -1.0) / (abs(theta) + np.sqrt(1.0 + theta * theta))
    t = np.where(still, 0.0, t)
    co = 1.0 / np.sqrt(1.0 + t * t)
    return t, co, t * co
