"""The residuals of many groups of rows at once, for `gdcli.solvers.many_fits`.

The programs are those of single rows: a column is an array (n, g), n rows of g groups, a parameter an array (g,), and
numpy stretches the one along the other. Groups of unequal sizes are filled up with copies of their last row, which
count nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gdcli.objective.row_programs import RowPrograms

# What a filled up row counts.
_NOTHING = 0.0


class GroupedResiduals:
    """``columns`` are arrays (n, g) in the order of the row model's; ``counts`` tells which rows count (None: all)."""

    def __init__(self, programs: RowPrograms, columns: Sequence[Any], counts: Any = None) -> None:
        self.programs, self.columns, self.counts = programs, list(columns), counts
        self.size = programs.row.space.size
        self.rows, self.groups = self.columns[0].shape

    def take(self, which: Any) -> GroupedResiduals:
        """Return some of the groups."""
        counts = None if self.counts is None else self.counts[:, which]
        return GroupedResiduals(self.programs, [column[:, which] for column in self.columns], counts)

    def linear(self, x: Any) -> tuple[Any, Any]:
        """Return the Jacobians (p, n, g) and the residuals (n, g) at x (p, g)."""
        import numpy as np

        found = self._values("jacobian", x)
        J = np.empty((self.size, self.rows, self.groups))
        for k, values in enumerate(found[:-1]):
            J[k] = values
        r = np.array(np.broadcast_to(found[-1], (self.rows, self.groups)))
        if self.counts is not None:
            J *= self.counts
            r *= self.counts
        return J, r

    def bends(self, x: Any, v: Any) -> Any:
        """Return the second derivatives of the residuals along the directions v (p, g), shape (n, g)."""
        import numpy as np

        (found,) = self._values("bend", [*x, *v])
        found = np.broadcast_to(found, (self.rows, self.groups))
        return found if self.counts is None else found * self.counts

    def hessians(self, x: Any) -> Any:
        """Return the Hessians of the sums of the losses, (p, p, g)."""
        import numpy as np

        found = iter(self._values("hessian", x))
        H = np.empty((self.size, self.size, self.groups))
        for j in range(self.size):
            for i in range(j, self.size):
                H[i, j] = H[j, i] = self.total(next(found))
        return H

    def values(self, name: str, x: Any) -> list[Any]:
        """Return what is under ``name`` in the row's programs at x (p, g), shape (n, g) each."""
        import numpy as np

        return [np.broadcast_to(v, (self.rows, self.groups)) for v in self._values(name, x)]

    def total(self, values: Any) -> Any:
        """Return the sums over the rows that count, (g,)."""
        import numpy as np

        values = np.broadcast_to(values, (self.rows, self.groups))
        if self.counts is not None:
            values = np.where(self.counts > 0.0, values, _NOTHING)
        return values.sum(axis=0)

    def _values(self, name: str, x: Any) -> tuple[Any, ...]:
        import numpy as np

        with np.errstate(all="ignore"):
            return self.programs.by_row(name)([*x, *self.columns])
