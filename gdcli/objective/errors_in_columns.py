"""Columns that were measured with errors, too: orthogonal distance regression as an ordinary sum over rows.

Where a column x has a standard deviation s, its true value in a row is ``x + s u`` with an unknown u, the *correction*
in units of s, and what is least is the sum over rows of ``e**2 + |u|**2``, e the residual at the corrected columns
(weighted total least squares; Fuller, Measurement Error Models, 1987, section 3.2.2). Each row has corrections of its
own, so the Jacobian by these is one block a row, and they are eliminated row by row: for given parameters each row is
moved to its nearest point of the curve (`nearest`), and what is left is a sum of squares of as many numbers as there
are rows, in the parameters alone. At the nearest point ``u = -e e_u``, so that

- the residual of the row is ``sign(e) sqrt(e**2 + |u|**2)``, the distance to the curve,
- its derivative by a parameter is ``e_a / q`` with ``q = sqrt(1 + |e_u|**2)``: what remains of the row's block of the
  Jacobian, orthogonal to its derivatives by u (the factorisation of Boggs, Byrd and Schnabel, SIAM J. Sci. Stat.
  Comput. 8, 1987); q is the *effective standard deviation*, in units of that of the residual,
- the Hessian is the Schur complement ``L_aa - L_au L_uu^-1 L_ua``, exact.

All three are nodes of the row's graph, in which corrections are columns like those of the data. A standard deviation of
0 says that the column is exact in that row.

The nearest point of one row is a small problem, ``e(u)**2 + |u|**2``, of as many unknowns as columns have errors. All
rows of a piece are solved together by Newton's method with a shift of their own, from the point as measured; a curve
that bends away may have several such points, and where the one that was there before is lower, that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gdcli.calculus.autodiff import Derivatives
from gdcli.kernel.batched_linear import dots, least_pivots, lengths, positive_solves
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.vectors import Array, np
from gdcli.language.graph import Graph
from gdcli.objective.linear_predictor import copy_into, gradient_nodes
from gdcli.objective.row_model import RowModel, Rows
from gdcli.objective.row_programs import programs_of


class ErrorsInColumns(NamedTuple):
    """Which columns have errors, and what that makes of a row's graph.

    ``plain`` is the row without them, ``columns`` are those with errors, ``names`` what their corrections are called
    (no typed name has a space), ``sigmas`` the nodes of their standard deviations.
    """

    plain: RowModel
    columns: tuple[str, ...]
    names: tuple[str, ...]
    sigmas: tuple[int, ...]

    def nodes(self, row: RowModel, name: str) -> list[int] | None:
        """Return the nodes under a name, None for those that every row has; see `row_programs.RowPrograms`."""
        make: Callable[[_Blocks], list[int]] | None = _NODES.get(name)
        return None if make is None else make(_Blocks(row, self))


def with_errors(row: RowModel, sigmas: Mapping[str, int]) -> RowModel:
    """Return a row of squares some of whose columns have errors; ``sigmas`` are nodes of their standard deviations."""
    graph, names = row.graph, tuple(f"{column} correction" for column in sigmas)
    moved = {
        graph.scalar(column): graph.add(graph.scalar(column), graph.mul(sigma, graph.scalar(name)))
        for (column, sigma), name in zip(sigmas.items(), names, strict=True)
    }

    def at_corrected(node: int) -> int:
        return copy_into(graph, graph, node, moved)

    assert row.residual is not None
    assert row.fitted is not None
    residual = at_corrected(row.residual)
    loss = graph.mul(residual, residual)
    for name in names:
        loss = graph.add(loss, graph.mul(graph.scalar(name), graph.scalar(name)))
    return replace(
        row,
        loss=loss,
        residual=residual,
        predictor=at_corrected(row.predictor),
        fitted=at_corrected(row.fitted),
        columns=(*row.columns, *names),
        errors=ErrorsInColumns(row, tuple(sigmas), names, tuple(sigmas.values())),
    )


class _Blocks:
    """The derivatives of a row by its parameters (a) and its corrections (u), as nodes."""

    def __init__(self, row: RowModel, errors: ErrorsInColumns) -> None:
        assert row.residual is not None
        self.row, self.errors, self.graph = row, errors, row.graph
        self.u = [row.graph.scalar(name) for name in errors.names]
        fixed = frozenset(row.columns)
        self.by_parameters = Derivatives(self.graph, fixed)
        self.by_corrections = Derivatives(self.graph, fixed - set(errors.names))
        self.e = row.residual

    def of_corrections(self, root: int) -> list[int]:
        found, zero = self.by_corrections.gradient(root), self.graph.number(0.0)
        return [found.get(u, zero) for u in self.u]

    def of_parameters(self, root: int) -> list[int]:
        return gradient_nodes(self.by_parameters, root, self.row.parameters)

    def spread(self) -> int:
        graph = self.graph
        return graph.call("sqrt", _sum_of_squares(graph, self.of_corrections(self.e), graph.number(1.0)))

    def distance(self) -> int:
        return self.graph.mul(self.graph.call("sign", self.e), self.graph.call("sqrt", self.row.loss))

    def by_u(self, nodes: Sequence[int]) -> list[list[int]]:
        one = self.graph.number(1.0)
        return [self.by_corrections.forward(list(nodes), {u: one}) for u in self.u]

    def eliminated(self, whole: list[list[int]], sides: list[list[int]]) -> None:
        """Take from the lower triangle ``whole``, column by column, what the corrections take up, by elimination.

        ``sides`` are L_ua, a row for each correction; those of one column alone stand for a product.
        """
        graph, M = self.graph, self.by_u(self.of_corrections(self.row.loss))
        for k in range(len(M)):
            for i in range(k + 1, len(M)):
                part = graph.div(M[i][k], M[k][k])
                M[i] = [graph.sub(a, graph.mul(part, b)) for a, b in zip(M[i], M[k], strict=True)]
                sides[i] = [graph.sub(a, graph.mul(part, b)) for a, b in zip(sides[i], sides[k], strict=True)]
            for j, column in enumerate(whole):
                part = graph.div(sides[k][j], M[k][k])
                column[:] = [
                    graph.sub(h, graph.mul(part, c)) for h, c in zip(column, sides[k][j:], strict=True)
                ]


def _sum_of_squares(graph: Graph, nodes: Sequence[int], total: int) -> int:
    for node in nodes:
        total = graph.add(total, graph.mul(node, node))
    return total


def _correction(b: _Blocks) -> list[int]:
    """What the nearest point is found by: e, its first and second derivatives by corrections (lower triangle)."""
    first = b.of_corrections(b.e)
    second = b.by_corrections.hessian(first, b.u)
    return [b.e, *first, *(node for column in second for node in column)]


def _jacobian(b: _Blocks) -> list[int]:
    q = b.spread()
    return [*(b.graph.div(slope, q) for slope in b.of_parameters(b.e)), b.distance()]


def _gradient(b: _Blocks) -> list[int]:
    *slopes, distance = _jacobian(b)
    twice = b.graph.mul(b.graph.number(2.0), distance)
    return [b.graph.mul(twice, slope) for slope in slopes]


def _hessian(b: _Blocks) -> list[int]:
    gradient = b.of_parameters(b.row.loss)
    whole = [list(column) for column in b.by_parameters.hessian(gradient, b.row.parameters)]
    b.eliminated(whole, b.by_u(gradient))
    return [node for column in whole for node in column]


def _linear(b: _Blocks) -> list[int]:
    """The Jacobian, the residual, and what was measured in its unit: of the response and of the columns."""
    graph, row = b.graph, b.row
    assert row.response is not None
    weight = graph.number(1.0) if row.weight is None else graph.call("sqrt", row.weight)
    parts, zero = [graph.mul(weight, row.response)], graph.number(0.0)
    for column, sigma, slope in zip(b.errors.columns, b.errors.sigmas, b.of_corrections(b.e), strict=True):
        size = graph.where(">", sigma, zero, graph.div(graph.scalar(column), sigma), zero)
        parts.append(graph.mul(slope, size))
    measured = graph.call("sqrt", _sum_of_squares(graph, parts, zero))
    return [*_jacobian(b), graph.div(measured, b.spread())]


_NODES: dict[str, Callable[[_Blocks], list[int]]] = {
    "correction": _correction,
    "jacobian": _jacobian,
    "gradient": _gradient,
    "hessian": _hessian,
    "linear": _linear,
    "spread": lambda b: [b.spread()],
    "input_sigma": lambda b: list(b.errors.sigmas),
}


# Rows that are moved at a time.
PIECE = 16_384
MAX_STEPS = 100
# Where a step foretells a fall below this part of the value, rounding judges it no longer: it is a step of Newton's
# method near its end, and so many more double the digits to the last.
CLOSE, LAST_STEPS = 1e-10, 3
# Newton's matrix is taken where its least pivot is clearly positive beside its diagonal; else that of Gauss and Newton.
LEAST_PIVOT = 1e-3
# A step is bent where that moves its end by no more than this part of its length.
BEND = 0.5
# What a shift is raised by where a step fails, and lowered by where it does not, in units of the matrix.
RAISED, LOWERED, FIRST_SHIFT = 8.0, 0.1, 0.1
# A point that was there before is another one where it is lower by more than this part.
_LOWER = 1e-9


class CorrectedRows:
    """``data`` with the corrections of the ``row``'s columns with errors behind them, 0 at first."""

    lists = parts = None

    def __init__(self, data: Rows, row: RowModel) -> None:
        assert row.errors is not None
        self.data, self.errors, self.rows = data, row.errors, data.rows
        self.names = (*data.names, *row.errors.names)
        self._u = np.zeros((len(row.errors.names), data.rows))
        self._program = programs_of(row).by_row("correction")
        self._order = [tuple(data.names).index(name) for name in row.errors.plain.columns]
        self._at: tuple[float, ...] | None = None

    def chunks(self, size: int) -> Iterator[tuple[int, list[Any]]]:
        for first, arrays in self.data.chunks(size):
            yield first, [*arrays, *self._u[:, first : first + len(arrays[0])]]

    def settle(self, x: Sequence[float]) -> None:
        """Move every row to its nearest point of the curve that the parameters ``x`` (flat) make."""
        if self._at == tuple(x):
            return
        for first, arrays in self.data.chunks(PIECE):
            columns = [np.asarray(arrays[k], dtype=float) for k in self._order]
            here = slice(first, first + len(columns[0]))
            self._u[:, here] = nearest(self._program, x, columns, self._u[:, here])
        self._at = tuple(x)


def nearest(
    program: Callable[..., Sequence[Array]], x: Sequence[float], columns: Sequence[Array], before: Array
) -> Array:
    """Return the corrections (m, n) of n rows at their nearest points; ``before`` are those that were there.

    ``program`` has the nodes under ``correction``. A row without a finite value stays at 0.
    """
    problem = _Rows(program, [float(a) for a in x], list(columns))
    with np.errstate(all="ignore"):
        u, value = _solved(problem, np.zeros_like(before))
        old = problem.at(before).value
        again = np.flatnonzero((old < value * (1.0 - _LOWER)) | (np.isfinite(old) & ~np.isfinite(value)))
        if len(again):
            other, lower = _solved(problem.take(again), before[:, again])
            better = lower < value[again]
            u[:, again[better]] = other[:, better]
    return u


class _Local(NamedTuple):
    """At some corrections: the values (n,), half the gradients (m, n), half the Hessians (m, m, n) and the matrices of
    Gauss and Newton in their place; the first (m, n) and the second (m, m, n) derivatives of e.
    """

    value: Array
    slope: Array
    whole: Array
    safe: Array
    first: Array
    second: Array


class _Rows(NamedTuple):
    program: Callable[..., Sequence[Array]]
    x: list[float]
    columns: list[Array]

    def take(self, which: Array) -> _Rows:
        return self._replace(columns=[column[which] for column in self.columns])

    def at(self, u: Array) -> _Local:
        m, n = u.shape
        e, *found = (np.broadcast_to(v, n) for v in self.program([*self.x, *self.columns, *u]))
        first, second = np.array(found[:m]), iter(found[m:])
        safe = first[:, None] * first[None] + np.eye(m)[:, :, None]
        bend = np.empty_like(safe)
        for j in range(m):
            for i in range(j, m):
                bend[i, j] = bend[j, i] = next(second)
        value = e * e + dots(u, u)
        value = np.where(np.isnan(value), np.inf, value)
        return _Local(value, e * first + u, safe + e * bend, safe, first, bend)


def _solved(problem: _Rows, u: Array) -> tuple[Array, Array]:
    """Return the corrections at a least value, from ``u`` (m, n), and the values (n,)."""
    u, here = u.copy(), problem.at(u)
    value = here.value.copy()
    active = np.flatnonzero(np.isfinite(value))
    here = _Local(*(part[..., active] for part in here))
    shift, left = np.zeros(len(active)), np.full(len(active), LAST_STEPS)
    for _ in range(MAX_STEPS):
        if not len(active):
            break
        step, fall = _step(here, shift)
        there = problem.take(active).at(u[:, active] + step)
        is_last = (fall <= CLOSE * here.value) & np.isfinite(there.value) & (shift == 0.0)
        taken = (there.value <= here.value) | is_last
        u[:, active[taken]] += step[:, taken]
        value[active[taken]] = there.value[taken]
        here = _Local(*(np.where(taken, new, old) for new, old in zip(there, here, strict=True)))
        shift = np.where(
            taken,
            np.where(shift > FIRST_SHIFT, LOWERED * shift, 0.0),
            np.maximum(RAISED * shift, FIRST_SHIFT),
        )
        left = left - is_last
        on = left > 0
        active, shift, left = active[on], shift[on], left[on]
        here = _Local(*(part[..., on] for part in here))
    return u, value


def _step(here: _Local, shift: Array) -> tuple[Array, Array]:
    """The steps (m, n), by Newton's matrices where these are positive, shifted in units of their diagonals, and how far
    the values fall by them.

    Where e changes far faster than u, the way to the nearest point is a narrow valley: a step is bent along it by the
    second derivative of e, as in `gdcli.solve.methods.levenberg_marquardt`.
    """
    m = len(here.slope)
    safe = here.safe
    _, factors = positive_solves(here.whole, here.slope)
    positive = least_pivots(here.whole, factors) > LEAST_PIVOT
    matrix = np.where(positive, here.whole, safe).copy()
    for i in range(m):
        matrix[i, i] += shift * safe[i, i]
    step, _ = positive_solves(matrix, -here.slope)
    bend = dots(dots(step[:, None], here.second), step)
    aside, _ = positive_solves(matrix, -0.5 * bend * here.first)
    bent = lengths(aside) <= BEND * lengths(step)
    return np.where(bent, step + aside, step), -dots(step, here.slope)
