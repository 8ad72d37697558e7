"""Small matrices of many problems at once: an operation on an entry is one on the array of that entry of all problems.

The last axis counts the problems: a vector has shape (p, g), a matrix (p, p, g). For the few parameters of a fit the
loops over entries are short, and each of their steps runs through all problems in compiled code, which a call of LAPACK
for each problem costs many times over.
"""

from __future__ import annotations

from typing import Any

# Up to this size eigenvalues come from Jacobi's rotations, above from LAPACK.
_ROTATED = 4
_SWEEPS = 12
# An entry off the diagonal below this part of its neighbours on it turns the eigenvectors no further, and changes the
# eigenvalues by its square.
_TURNED = 1e-13
_MAX_SECULAR = 80


def dots(a: Any, b: Any) -> Any:
    """Return the sums over the first axis of the products, shape (g,)."""
    import numpy as np

    return np.einsum("ng,ng->g", a, b)


def triangles(J: Any, r: Any) -> tuple[Any, Any, Any]:
    """Return ``R`` (p, p, g), ``target`` (p, g) and ``rest`` (g,) with ``|r + J d|**2 = |R d + target|**2 + rest**2``.

    ``J`` has shape (p, n, g) and ``r`` (n, g); both are overwritten, J by the orthogonal columns. Modified Gram-Schmidt
    with the residuals as one more column, which is as accurate as Householder's reflections (Bjorck, BIT 7, 1967).
    """
    import numpy as np

    p, _, g = J.shape
    R, target = np.zeros((p, p, g)), np.empty((p, g))
    for j in range(p):
        R[j, j] = np.sqrt(dots(J[j], J[j]))
        q = J[j]
        q /= np.where(R[j, j] > 0.0, R[j, j], 1.0)
        for k in range(j + 1, p):
            R[j, k] = dots(q, J[k])
            J[k] -= q * R[j, k]
        target[j] = dots(q, r)
        r -= q * target[j]
    return R, target, np.sqrt(dots(r, r))


def product(R: Any, d: Any) -> Any:
    """Return ``R d`` of upper triangles."""
    import numpy as np

    return np.stack([(R[i, i:] * d[i:]).sum(axis=0) for i in range(len(d))])


def transposed_product(R: Any, d: Any) -> Any:
    """Return ``R' d`` of upper triangles."""
    import numpy as np

    return np.stack([(R[: i + 1, i] * d[: i + 1]).sum(axis=0) for i in range(len(d))])


def solve_upper(R: Any, b: Any) -> Any:
    """Return the solution of ``R d = b``."""
    import numpy as np

    d = np.empty_like(b)
    for i in reversed(range(len(b))):
        left = b[i] - (R[i, i + 1 :] * d[i + 1 :]).sum(axis=0)
        d[i] = left / R[i, i]
    return d


def solve_transposed(R: Any, b: Any) -> Any:
    """Return the solution of ``R' d = b``."""
    import numpy as np

    d = np.empty_like(b)
    for i in range(len(b)):
        d[i] = (b[i] - (R[:i, i] * d[:i]).sum(axis=0)) / R[i, i]
    return d


def inverse_upper(R: Any) -> Any:
    """Return the inverse of upper triangles, (p, p, g)."""
    import numpy as np

    inverse = np.zeros_like(R)
    for j in range(len(R)):
        inverse[j, j] = 1.0 / R[j, j]
        for i in reversed(range(j)):
            inverse[i, j] = -(R[i, i + 1 : j + 1] * inverse[i + 1 : j + 1, j]).sum(axis=0) / R[i, i]
    return inverse


def cholesky(A: Any) -> tuple[Any, Any]:
    """Return ``U`` with ``A = U'U``, and the least pivot (g,), nan or not positive where there is none.

    Pivots are those of the matrix scaled to a unit diagonal, squared.
    """
    import numpy as np

    p, least = len(A), np.full(A.shape[-1], np.inf)
    U = np.zeros_like(A)
    for j in range(p):
        pivot = A[j, j] - (U[:j, j] ** 2).sum(axis=0)
        least = np.minimum(least, pivot / np.where(A[j, j] > 0.0, A[j, j], np.nan))
        U[j, j] = np.sqrt(pivot)
        for k in range(j + 1, p):
            U[j, k] = (A[j, k] - (U[:j, j] * U[:j, k]).sum(axis=0)) / U[j, j]
    return U, least


def eigen(A: Any) -> tuple[Any, Any]:
    """Return the eigenvalues (p, g), ascending, and the eigenvectors (p, p, g) as columns, of symmetric matrices."""
    import numpy as np

    if len(A) > _ROTATED:
        finite = np.isfinite(A).all(axis=(0, 1))
        values, vectors = np.linalg.eigh(np.moveaxis(np.where(finite, A, 0.0), -1, 0))
        values[~finite] = np.nan
        return np.ascontiguousarray(values.T), np.ascontiguousarray(np.moveaxis(vectors, 0, -1))
    values, vectors = _rotated(A)
    order = np.argsort(values, axis=0)
    return np.take_along_axis(values, order, axis=0), np.take_along_axis(vectors, order[None], axis=1)


def _rotated(A: Any) -> tuple[Any, Any]:
    """Jacobi's method, cyclic by rows (Golub and Van Loan, Matrix Computations, 4th ed., 2013, section 8.5)."""
    import numpy as np

    p, A = len(A), A.copy()
    V = np.zeros_like(A)
    V[range(p), range(p)] = 1.0
    for _ in range(_SWEEPS):
        turned = False
        for i in range(p):
            for j in range(i + 1, p):
                off = A[i, j].copy()
                tiny = abs(off) <= _TURNED * np.sqrt(abs(A[i, i] * A[j, j]))
                if tiny.all():
                    continue
                turned = True
                safe = np.where(tiny, 1.0, off)
                tau = (A[j, j] - A[i, i]) / (2.0 * safe)
                t = np.where(tau >= 0.0, 1.0, -1.0) / (abs(tau) + np.sqrt(1.0 + tau * tau))
                t = np.where(tiny, 0.0, t)
                c = 1.0 / np.sqrt(1.0 + t * t)
                s = t * c
                A[i, i] -= t * off
                A[j, j] += t * off
                A[i, j] = A[j, i] = np.where(tiny, off, 0.0)
                for k in range(p):
                    if k not in (i, j):
                        a, b = A[i, k].copy(), A[j, k].copy()
                        A[i, k] = A[k, i] = c * a - s * b
                        A[j, k] = A[k, j] = s * a + c * b
                    a, b = V[k, i].copy(), V[k, j].copy()
                    V[k, i], V[k, j] = c * a - s * b, s * a + c * b
        if not turned:
            break
    return np.stack([A[i, i] for i in range(p)]), V


def secular_shifts(w: Any, q: Any, radius: Any, accuracy: float) -> tuple[Any, Any]:
    """Return the steps (p, g) of length ``radius`` in the eigenbasis, and their shifts (g,).

    ``w`` are the eigenvalues, positive, and ``q`` the components of the gradient: the step is ``-q / (w + shift)``, met
    to ``accuracy``. It is the iteration of `gdcli.solve.algebra.trust_region.secular_step`, so it ends at the same
    steps.
    """
    import numpy as np

    slope = np.sqrt((q * q).sum(axis=0))
    mean = ((q / slope) ** 2 * w).sum(axis=0)
    below = np.maximum(np.maximum(0.0, slope / radius - mean), (abs(q) / radius - w).max(axis=0))
    above = slope / radius
    shift, going = below.copy(), np.ones(len(radius), dtype=bool)
    y = np.zeros_like(q)
    for _ in range(_MAX_SECULAR):
        shifted = w + shift
        y = np.where(going, -q / shifted, y)
        length = np.sqrt((y * y).sum(axis=0))
        going = going & ~(abs(length - radius) <= accuracy * radius)
        if not going.any():
            break
        below = np.where(going & (length > radius), shift, below)
        above = np.where(going & ~(length > radius), shift, above)
        bend = (y * y / shifted).sum(axis=0)
        new = shift + (length - radius) / radius * length * length / bend
        middle = np.where(
            (below > 0.0) & (above > 4.0 * below),
            np.sqrt(np.maximum(below * above, 0.0)),
            below + np.where(below == 0.0, 0.01, 0.5) * (above - below),
        )
        new = np.where((bend > 0.0) & (below < new) & (new < above), new, middle)
        shift = np.where(going, new, shift)
    return y, shift
