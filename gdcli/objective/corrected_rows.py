"""Rows with corrections of their columns, each moved to the nearest point of the curve for the parameters asked about.

The nearest point of one row is a small problem, ``e(u)**2 + |u|**2``, of as many unknowns as columns have errors. All
rows of a piece are solved together by Newton's method with a shift of their own, from the point as measured; a curve
that bends away may have several such points, and where the one that was there before is lower, that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gdcli.kernel.batched_linear import dots, least_pivots, lengths, positive_solves
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array, np
from gdcli.objective.row_model import RowModel, Rows
from gdcli.objective.row_programs import programs_of

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

    ``program`` has the nodes under ``correction``; see `errors_in_columns`. A row without a finite value stays at 0.
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
