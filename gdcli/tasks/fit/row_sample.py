"""Looks at a fit, row by row: what the model says, what was measured; some of the rows for a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.row_model import RowModel
from gdcli.objective.row_objective import PIECE, RowObjective

if TYPE_CHECKING:
    from gdcli.tasks.fit.prepare import Prepared

MOST = 3000  # points of a picture
CURVE = 601  # places along its curve
_DECADE = 10.0


class RowsInPlace:
    """Rows that are put in place piece by piece."""

    lists = parts = None

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.arrays: list[Any] = []
        self.rows = 1

    def put(self, arrays: list[Any]) -> None:
        self.arrays, self.rows = arrays, len(arrays[0])

    def chunks(self, size: int) -> Iterator[tuple[int, list[Any]]]:
        for lo in range(0, self.rows, size):
            yield lo, [array[lo : lo + size] for array in self.arrays]


def fitted_and_measured(prepared: Prepared, objective: RowObjective, x: Vector) -> Iterator[tuple[Any, Any]]:
    """Yield piece by piece what the model says of rows, and what was measured, shape (rows,) each.

    Both are on the scale of the left side; a label counts as 0 or 1, and what the model says of it is a probability.
    """
    for _, (fitted, measured, *_) in objective.pieces("fitted", x):
        yield fitted, (measured > 0.0) * 1.0 if prepared.problem.loss == "logistic" else measured


class RowSample(NamedTuple):
    """Some rows of a fit: measured and fitted, and the column (or logit) that a curve is drawn over, None for none.

    ``rows`` is how many rows there are. ``curve`` has the places along the column and what the model says there,
    ``sigma`` the standard deviation of each of the rows (empty: not known), ``numbers`` which it is, from 1. With
    errors in columns what the model says is that at the columns as measured; ``across`` are the standard deviations of
    the column, ``whole`` those of what is left over, with all errors in it (empty: they are those of ``sigma``).
    """

    measured: list[float]
    fitted: list[float]
    column: str | None
    places: list[float]
    rows: int
    curve: tuple[list[float], list[float]]
    sigma: list[float]
    numbers: list[int]
    across: list[float]
    whole: list[float]


def sample_rows(prepared: Prepared, x: Vector) -> RowSample:
    """Return some rows, drawn at random with the seed of the fit and in their order, and the curve over a column."""
    data, row = prepared.data, prepared.row
    chosen = np.arange(data.rows)
    if data.rows > MOST:
        random = np.random.default_rng(prepared.problem.seed)
        chosen = np.sort(random.choice(data.rows, MOST, replace=False, shuffle=False))
    over = over_of(row)
    objective = RowObjective(row.plain, data)
    measured, fitted, places, sigma = [], [], [], []
    ends = np.array([np.inf, -np.inf])
    pieces = zip(data.chunks(PIECE), fitted_and_measured(prepared, objective, x), strict=True)
    for (first, arrays), (says, seen) in pieces:
        here = chosen[np.searchsorted(chosen, first) : np.searchsorted(chosen, first + len(seen))] - first
        fitted += says[here].tolist()
        measured += seen[here].tolist()
        if prepared.problem.sigma is not None:
            sigma += arrays[tuple(data.names).index(prepared.problem.sigma)][here].tolist()
        if over is not None:
            column = arrays[tuple(data.names).index(over)]
            places += column[here].tolist()
            ends = np.array([min(ends[0], column.min()), max(ends[1], column.max())])
    if over is not None:
        curve = _curve(prepared, x, over, *map(float, ends))
    elif prepared.problem.loss == "logistic":
        over, places, curve = _over_logit(prepared.problem.expression, np.array(fitted))
    else:
        curve = [], []
    errors: tuple[list[float], list[float]] = [], sigma
    if row.errors is not None:
        errors = _of_errors(RowObjective(row, data), row.errors.columns, over, x, chosen)
    return RowSample(measured, fitted, over, places, data.rows, curve, sigma, (chosen + 1).tolist(), *errors)


def _of_errors(
    objective: RowObjective, columns: Sequence[str], over: str | None, x: Vector, chosen: Array
) -> tuple[list[float], list[float]]:
    """The standard deviations of a column of the ``chosen`` rows, and of what is left over with all errors in it."""
    across = objective.all_rows("input_sigma", x)[columns.index(over)] if over in columns else None
    whole = objective.all_rows("spread", x)[0] / np.sqrt(objective.all_rows("weighing", x)[1])
    return [] if across is None else across[chosen].tolist(), whole[chosen].tolist()


def row_values(prepared: Prepared, most: int) -> list[list[float]]:
    """Return the columns of the model, row by row. Raises UsageError for more than ``most`` rows."""
    data = prepared.data
    if data.rows > most:
        hint = f"draw some of them: shuf -n {most} keeps the page small"
        raise UsageError(f"a page shows up to {most} rows, and these are {data.rows}", hint)
    names, found = tuple(data.names), list[list[float]]()
    places = [names.index(name) for name in prepared.row.columns]
    for _, arrays in data.chunks(PIECE):
        found += [list(map(float, row)) for row in zip(*(arrays[k].tolist() for k in places), strict=True)]
    return found


def _over_logit(model: str, chances: Any) -> tuple[str, list[float], tuple[list[float], list[float]]]:
    """The logits of probabilities, called by the formula that they are, and the curve over them."""
    with np.errstate(divide="ignore"):
        logits = np.log(chances) - np.log1p(-chances)
    known = logits[np.isfinite(logits)]
    places = np.linspace(known.min(initial=0.0), known.max(initial=0.0), CURVE)
    curve = places.tolist(), (1.0 / (1.0 + np.exp(-places))).tolist()
    return " ".join(model.partition("~")[2].split()), logits.tolist(), curve


def over_of(row: RowModel, but: Sequence[str] = ()) -> str | None:
    """Return the one column on which what the model says depends, None for several or none; not those in ``but``."""
    assert row.plain.fitted is not None
    found = [name for name in row.plain.read_by(row.plain.fitted) if name not in but]
    return found[0] if len(found) == 1 else None


def _curve(
    prepared: Prepared, x: Vector, over: str, low: float, high: float
) -> tuple[list[float], list[float]]:
    """What the model says at places from end to end of a column, the other columns at 1."""
    places = np.linspace(low, high, CURVE)
    if low > 0.0 and high > _DECADE * low:  # dense enough on a logarithmic axis, too
        places = np.unique(np.concatenate([places, np.geomspace(low, high, CURVE)]).clip(low, high))
    row = prepared.row.plain
    held = RowsInPlace(row.columns)
    held.put([places if name == over else np.ones(len(places)) for name in held.names])
    return places.tolist(), RowObjective(row, held).all_rows("fitted", x)[0].tolist()
