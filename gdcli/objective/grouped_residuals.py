"""The residuals of many groups of rows at once, for `gdcli.solve.methods.batched_fits`.

The programs are those of single rows: a column is an array (n, g), n rows of g groups, a parameter an array (g,), and
numpy stretches the one along the other. Groups of unequal sizes are filled up with copies of their last row, which
count nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gdcli.kernel.batched_linear import sums
from gdcli.kernel.vectors import Array, np
from gdcli.objective.row_programs import RowPrograms

# What a filled up row counts.
_NOTHING = 0.0


class GroupedResiduals:
    """``columns`` are arrays (n, g) in the order of the row model's; ``counts`` tells which rows count (None: all)."""

    def __init__(self, programs: RowPrograms, columns: Sequence[Array], counts: Array | None = None) -> None:
        self.programs, self.columns, self.counts = programs, list(columns), counts
        self.size = programs.row.space.size
        self.rows, self.groups = self.columns[0].shape

    def take(self, which: Array) -> GroupedResiduals:
        counts = None if self.counts is None else self.counts.take(which, axis=1)
        return GroupedResiduals(self.programs, [c.take(which, axis=1) for c in self.columns], counts)

    def linear(self, x: Array) -> tuple[Array, Array]:
        """Return the Jacobians (p, n, g) and the residuals (n, g) at x (p, g)."""
        found = self._values("jacobian", x)
        J = np.empty((self.size, self.rows, self.groups))
        for k, values in enumerate(found[:-1]):
            J[k] = values
        r = np.array(np.broadcast_to(found[-1], (self.rows, self.groups)))
        if self.counts is not None:
            J *= self.counts
            r *= self.counts
        return J, r

    def bends(self, x: Array, v: Array) -> Array:
        """Return the second derivatives of the residuals along the directions v (p, g), shape (n, g)."""
        (found,) = self._values("bend", [*x, *v])
        found = np.broadcast_to(found, (self.rows, self.groups))
        return found if self.counts is None else found * self.counts

    def crosses_pole(self, x: Array, y: Array) -> Array:
        """Tell for which groups a divisor has another sign at y than at x, both (p, g), in some row; shape (g,)."""
        crossed = np.zeros(self.groups, dtype=bool)
        if self.programs.nodes("divisors"):
            for here, there in zip(self.values("divisors", x), self.values("divisors", y), strict=True):
                crossed |= (np.sign(here) * np.sign(there) < 0.0).any(axis=0)
        return crossed

    def has_pole(self, x: Array) -> Array:
        """Tell which groups have a pole among their rows at x (p, g), shape (g,)."""
        found = np.zeros(self.groups, dtype=bool)
        if self.programs.nodes("divisors"):
            for values in self.values("divisors", x):
                found |= (values.min(axis=0) < 0.0) & (values.max(axis=0) > 0.0)
        return found

    def hessians(self, x: Array) -> Array:
        """Return the Hessians of the sums of the losses, (p, p, g)."""
        found = iter(self._values("hessian", x))
        H = np.empty((self.size, self.size, self.groups))
        for j in range(self.size):
            for i in range(j, self.size):
                H[i, j] = H[j, i] = self.total(next(found))
        return H

    def values(self, name: str, x: Array) -> list[Array]:
        """Return what is under ``name`` in the row's programs at x (p, g), shape (n, g) each."""
        return [np.broadcast_to(v, (self.rows, self.groups)) for v in self._values(name, x)]

    def total(self, values: Array) -> Array:
        """Return the sums over the rows that count, (g,)."""
        values = np.broadcast_to(values, (self.rows, self.groups))
        if self.counts is not None:
            values = np.where(self.counts > 0.0, values, _NOTHING)
        return sums(values)

    def _values(self, name: str, x: Iterable[Array]) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            return self.programs.by_row(name)([*x, *self.columns])
