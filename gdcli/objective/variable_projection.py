"""The residuals of one set of rows at many points, with the linear parameters solved for.

A model function is often linear in some of its parameters, as ``a*exp(-b*x) + c`` is in a and c. For given values of
the others, the *bent* ones, these are the answer of a linear problem (variable projection: Golub and Pereyra, SIAM J.
Numer. Anal. 10, 1973). The last axis of every array counts the points; see :mod:`gdcli.kernel.batched_linear`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gdcli.compile.runners import batch_function
from gdcli.kernel.batched_linear import solve_upper, triangles
from gdcli.kernel.vectors import Array, np
from gdcli.objective.row_model import RowModel
from gdcli.objective.row_programs import programs_of

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
        x = self.clipped(x.copy())
        x[self.linear] = 0.0
        *basis, r = self._values(self._basis, x)
        places = [k for k, i in enumerate(self.linear) if used is None or i in used]
        with np.errstate(all="ignore"):
            x = self._with_linear(x, r, basis, places)
            for k in places:
                r = r + basis[k] * x[self.linear[k]]
            value = np.einsum("ng,ng->g", r, r)
        return x, np.where(np.isfinite(value) & np.isfinite(x).all(axis=0), value, np.inf)

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

    def linearised(self, x: Array) -> tuple[Array, Array]:
        """Return the Jacobian by the bent parameters (q, n, g) without what the linear ones make up, and the residuals.

        That is Kaufman's Jacobian of the projected problem (BIT 15, 1975).
        """
        slopes = np.stack(self._values(self._slopes, x))
        bare = x.copy()
        bare[self.linear] = 0.0
        *basis, r = self._values(self._basis, bare)
        with np.errstate(all="ignore"):
            for k, i in enumerate(self.linear):
                r = r + basis[k] * x[i]
            made_up = np.array([c * self._is_free(x, i) for c, i in zip(basis, self.linear, strict=True)])
            made_up = made_up.reshape(len(self.linear), *r.shape)
            triangles(made_up, r.copy(), _DEPENDENT)
            for q in made_up:
                slopes -= q * np.einsum("ng,qng->qg", q, slopes)[:, None, :]
        return slopes, r

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
        crossed: Array = np.zeros(x.shape[1], dtype=bool)
        for here, there in zip(self._values(self._divisors, x), self._values(self._divisors, y), strict=True):
            crossed |= (np.sign(here) * np.sign(there) < 0.0).any(axis=0)
        return crossed
