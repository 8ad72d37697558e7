"""Residuals of many fits at once: of many groups of rows, or of one set of rows at many points.

The programs are those of single rows, and the last axis of every array counts the fits (see
:mod:`gdcli.kernel.batched_linear`). For groups (`GroupedResiduals`) a column is an array (n, g), n rows of g groups,
and a parameter an array (g,), which numpy stretches along the rows. Groups of unequal sizes are filled up with copies
of their last row, which count nothing.

A model function is often linear in some of its parameters, as ``a*exp(-b*x) + c`` is in a and c. For given values of
the others, the *bent* ones, these are the answer of a linear problem (`SeparableResiduals`; variable projection: Golub
and Pereyra, SIAM J. Numer. Anal. 10, 1973).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gdcli.compile.runners import batch_function
from gdcli.kernel.batched_linear import solve_upper, sums, triangles
from gdcli.kernel.vectors import Array, np
from gdcli.objective.row_model import RowModel
from gdcli.objective.row_programs import RowPrograms, programs_of

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
        if not self.programs.nodes("divisors"):
            return np.zeros(self.groups, dtype=bool)
        return _changes_sign(self.values("divisors", x), self.values("divisors", y), self.groups)

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


# A column that is, but for this part of its length, made up of those before it gets no part of the answer.
_DEPENDENT = 1e-9

Program = Callable[[Sequence[Array]], Sequence[Array]]


class SeparableResiduals:
    """``arrays`` are the columns of the row model, ``linear`` the parameters that the residual is jointly linear in.

    ``lower`` and ``upper`` (shape p, None: no bounds) hold all points.
    """

    def __init__(
        self,
        row: RowModel,
        arrays: Sequence[Array],
        linear: Sequence[int],
        lower: Array | None = None,
        upper: Array | None = None,
    ) -> None:
        self.row, self.arrays = row, list(arrays)
        self.linear = list(linear)
        self.size = row.space.size
        self.bent = [i for i in range(self.size) if i not in set(linear)]
        self.lower, self.upper = lower, upper
        self.rows = len(self.arrays[0])
        self._columns = [array[:, None] for array in self.arrays]
        programs, graph = programs_of(row), row.graph
        nodes = programs.nodes("jacobian")
        places = {key: k for k, key in enumerate([*row.parameter_leaves, *row.column_leaves])}

        def program(roots: list[int]) -> Program:
            return batch_function(graph, roots, places) if roots else lambda x: ()

        self._basis = program([*(nodes[i] for i in self.linear), nodes[-1]])
        self._slopes = program([nodes[i] for i in self.bent])
        self._divisors = program(programs.nodes("divisors"))
        bent = {row.parameters[i]: i for i in self.bent}
        self.needs = {i: {bent[n] for n in graph.reach((nodes[i],)) if n in bent} for i in self.linear}

    def some(self, rows: Array) -> SeparableResiduals:
        few = [array[rows] for array in self.arrays]
        return SeparableResiduals(self.row, few, self.linear, self.lower, self.upper)

    def _values(self, program: Program, x: Array) -> list[Array]:
        shape = (self.rows, x.shape[1])
        with np.errstate(all="ignore"):
            return [np.broadcast_to(v, shape) for v in program([*x, *self._columns])]

    def clipped(self, x: Array) -> Array:
        """Return points (p, g) within the bounds."""
        if self.lower is None or self.upper is None:
            return x
        inside: Array = np.clip(x, self.lower[:, None], self.upper[:, None])
        return inside

    def offset(self, x: Array) -> Array:
        """Return the residuals (n, g) at points whose linear parameters are 0."""
        bare = x.copy()
        bare[self.linear] = 0.0
        return self._values(self._basis, bare)[-1]

    def solved(self, x: Array, used: Sequence[int] | None = None) -> tuple[Array, Array]:
        """Return points (p, g) with the best linear parameters, and their sums of squares (g,), inf where not finite.

        Of the linear parameters only those ``used`` (None: all) may differ from 0.
        """
        x, r, _ = self._solved(x, used)
        with np.errstate(all="ignore"):
            value = np.einsum("ng,ng->g", r, r)
        return x, np.where(np.isfinite(value) & np.isfinite(x).all(axis=0), value, np.inf)

    def _solved(self, x: Array, used: Sequence[int] | None = None) -> tuple[Array, Array, list[Array]]:
        """Return points with the best linear parameters, the residuals there, and what these are multiplied by."""
        x = self.clipped(x.copy())
        x[self.linear] = 0.0
        *basis, r = self._values(self._basis, x)
        places = [k for k, i in enumerate(self.linear) if used is None or i in used]
        with np.errstate(all="ignore"):
            x = self._with_linear(x, r, basis, places)
            for k in places:
                r = r + basis[k] * x[self.linear[k]]
        return x, r, basis

    def _with_linear(self, x: Array, r: Array, basis: Sequence[Array], places: Sequence[int]) -> Array:
        """Points with the linear parameters that leave the least of r; once more where bounds hold some of them."""
        free = {k: np.ones(x.shape[1]) for k in places}
        for _ in range(1 if self.lower is None else 1 + len(places)):
            left = r.copy()
            for k in places:
                left += basis[k] * ((1.0 - free[k]) * x[self.linear[k]])
            columns = np.array([basis[k] * free[k] for k in places]).reshape(len(places), *left.shape)
            R, target, _ = triangles(columns, left, _DEPENDENT)
            for k, c in zip(places, solve_upper(R, -target), strict=True):
                x[self.linear[k]] = np.where(free[k] > 0.0, c, x[self.linear[k]])
            inside = self.clipped(x)
            same = (inside == x)[self.linear]
            x = inside
            if same[places].all():
                break
            free = {k: free[k] * same[k] for k in places}
        return x

    def linearised(self, x: Array) -> tuple[Array, Array, Array]:
        """Return points (p, g) with the best linear parameters, the Jacobian by the bent ones (q, n, g) without what
        the linear ones make up, and the residuals (n, g).

        That is Kaufman's Jacobian of the projected problem (BIT 15, 1975).
        """
        x, r, basis = self._solved(x)
        slopes = np.stack(self._values(self._slopes, x))
        with np.errstate(all="ignore"):
            made_up = np.array([c * self._is_free(x, i) for c, i in zip(basis, self.linear, strict=True)])
            made_up = made_up.reshape(len(self.linear), *r.shape)
            triangles(made_up, r.copy(), _DEPENDENT)
            for q in made_up:
                slopes -= q * np.einsum("ng,qng->qg", q, slopes)[:, None, :]
        return x, slopes, r

    def _is_free(self, x: Array, i: int) -> Array:
        free: Array = np.ones(x.shape[1])
        if self.lower is not None and self.upper is not None:
            free *= (x[i] > self.lower[i]) & (x[i] < self.upper[i])
        return free

    @property
    def measured(self) -> float:
        row = self.row
        places = {key: k for k, key in enumerate([*row.parameter_leaves, *row.column_leaves])}
        program = batch_function(row.graph, [i for i in (row.response,) if i is not None], places)
        (values,) = self._values(program, np.zeros((self.size, 1)))
        return float(np.nansum(values * values))

    def crosses_pole(self, x: Array, y: Array) -> Array:
        """Tell for which points a divisor has another sign at y than at x, both (p, g), in some row; shape (g,)."""
        return _changes_sign(self._values(self._divisors, x), self._values(self._divisors, y), x.shape[1])


def _changes_sign(here: Sequence[Array], there: Sequence[Array], count: int) -> Array:
    """Tell in which of ``count`` columns one of the arrays has another sign ``there`` than ``here`` in some row."""
    crossed: Array = np.zeros(count, dtype=bool)
    for one, other in zip(here, there, strict=True):
        crossed |= (np.sign(one) * np.sign(other) < 0.0).any(axis=0)
    return crossed
