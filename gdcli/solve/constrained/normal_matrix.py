"""The linear systems of quadratic programs: positive definite matrices ``D + H + J' T J``, with D and T diagonal.

    (D + H) p + J't = r,    J p - t / T = q

become one system for p. Where D + H is diagonal, or there are no other bounds so that it stays the same, they become
one for t instead, which is smaller where there are fewer rows than variables. Rows with few entries are multiplied
entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from gdcli.kernel.vectors import Array, np

# Gives (p, t) for the right sides r and q.
Solve: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]

# Diagonal blocks of a triangular matrix are inverted up to this size.
_BLOCK = 64
# Products of rows are made entry by entry where these are this many times fewer than those of whole rows.
_SPARSE = 20.0


class Triangular:
    """A positive definite matrix A (n, n) as ``L L'``, to solve with; a LinAlgError where it is none."""

    def __init__(self, A: Array) -> None:
        self.L = np.linalg.cholesky(A)
        n = len(A)
        self.cuts = [(i, min(i + _BLOCK, n)) for i in range(0, n, _BLOCK)]
        self.blocks = [np.linalg.inv(self.L[i:j, i:j]) for i, j in self.cuts]

    def half(self, r: Array) -> Array:
        """Return ``inv(L) r``, of a vector or of columns."""
        found = r.copy()
        for (i, j), block in zip(self.cuts, self.blocks, strict=True):
            found[i:j] = block @ (found[i:j] - self.L[i:j, :i] @ found[:i])
        return found

    def solve(self, r: Array) -> Array:
        """Return ``inv(A) r``, of a vector or of columns."""
        found = self.half(r)
        for (i, j), block in zip(reversed(self.cuts), reversed(self.blocks), strict=True):
            found[i:j] = block.T @ (found[i:j] - self.L[j:, i:j].T @ found[j:])
        return found


class Gram:
    """Makes ``J' T J`` of the rows J (s, n) for many T (s,)."""

    def __init__(self, J: Array) -> None:
        self.J, n = J, J.shape[1]
        counts = np.count_nonzero(J, axis=1)
        self.pairs: tuple[Array, Array, Array] | None = None
        if _SPARSE * float(counts @ counts) <= float(n) * n * len(J):
            rows, columns = np.nonzero(J)
            ends = [(int(b - k), int(b)) for b, k in zip(np.cumsum(counts), counts, strict=True)]
            one = np.concatenate([np.repeat(np.arange(a, b), b - a) for a, b in ends] or [rows])
            two = np.concatenate([np.tile(np.arange(a, b), b - a) for a, b in ends] or [rows])
            entries = J[rows, columns]
            self.pairs = rows[one], columns[one] * n + columns[two], entries[one] * entries[two]

    def __call__(self, T: Array) -> Array:
        n = self.J.shape[1]
        if self.pairs is None:
            used = T > 0.0
            B = np.sqrt(T[used])[:, None] * self.J[used]
            found: Array = B.T @ B
            return found
        rows, places, products = self.pairs
        counted = np.bincount(places, weights=products * T[rows], minlength=n * n).reshape(n, n)
        return counted.astype(float, copy=False)  # of nothing it counts whole numbers


class NormalMatrix:
    """The systems of one program: Hessian H (n, n) and rows J (s, n); `at` gives what solves one of them.

    ``moving`` tells whether D changes with the variables; where H and D are constant H is factored once.
    """

    def __init__(self, H: Array, J: Array, moving: bool) -> None:
        self.H, self.J = H, J
        diagonal = H.diagonal()
        self.diagonal = diagonal if np.count_nonzero(H) == np.count_nonzero(diagonal) else None
        few = len(J) < H.shape[0]
        self.by_rows = few and (diagonal.min(initial=1.0) > 0.0 if self.diagonal is not None else not moving)
        self.gram = Gram(J.T if self.by_rows and self.diagonal is not None else J)
        self._kept: tuple[Array, Triangular, Array] | None = None

    def at(self, D: Array, T: Array, free: Array | None = None) -> Solve:
        """Return ``solve(r, q)``, which gives (p, t), where T (s,) is positive, 0 for rows left out (t is 0 there).

        ``free`` (n,) masks the variables that may move; None: all, as always where D does not change.
        """
        return (self._by_rows if self.by_rows else self._by_variables)(D, T, free)

    def _by_variables(self, D: Array, T: Array, free: Array | None) -> Solve:
        K = self.H + self.gram(T) if len(self.J) else self.H.copy()
        K[np.diag_indices_from(K)] += D
        i = np.arange(len(D)) if free is None else np.flatnonzero(free)
        factor = Triangular(K if free is None else K[np.ix_(i, i)])

        def solve(r: Array, q: Array) -> tuple[Array, Array]:
            p = np.zeros(len(r))
            p[i] = factor.solve((r + self.J.T @ (T * q))[i])
            return p, T * (self.J @ p - q)

        return solve

    def _by_rows(self, D: Array, T: Array, free: Array | None) -> Solve:
        rows = np.flatnonzero(T > 0.0)
        if self.diagonal is not None:
            inverse = (1.0 if free is None else free) / (self.diagonal + D)
            G = self.gram(inverse)[np.ix_(rows, rows)]
            back: Callable[[Array], Array] = inverse.__mul__
        else:
            G, back = self._constant(D, rows)
        G[np.diag_indices_from(G)] += 1.0 / T[rows]
        factor, J = Triangular(G), self.J[rows]

        def solve(r: Array, q: Array) -> tuple[Array, Array]:
            t = np.zeros(len(T))
            t[rows] = factor.solve(J @ back(r) - q[rows])
            return back(r - self.J.T @ t), t

        return solve

    def _constant(self, D: Array, rows: Array) -> tuple[Array, Callable[[Array], Array]]:
        """The matrix of the rows where neither H nor D changes: what is made of them is made once."""
        if self._kept is None or (self._kept[0] != D).any():
            H = self.H.copy()
            H[np.diag_indices_from(H)] += D
            factor = Triangular(H)
            B = factor.half(self.J.T)
            self._kept = D, factor, B.T @ B
        _, factor, G = self._kept
        return G[np.ix_(rows, rows)], factor.solve
