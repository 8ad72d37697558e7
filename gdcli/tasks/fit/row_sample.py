"""Looks at a fit, row by row, for pictures: what was measured, what the model says; curves of groups and responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.row_model import RowModel
from gdcli.objective.row_objective import PIECE, RowObjective
from gdcli.tasks.fit.data_checks import over_of
from gdcli.tasks.fit.some_rows import RowsInPlace

if TYPE_CHECKING:
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.prepare_shared import SharedFit
    from gdcli.tasks.fit.responses import SeveralResponses


MOST = 3000  # points of a picture
CURVE = 601  # places along its curve
_DECADE = 10.0


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


def _curve(
    prepared: Prepared, x: Vector, over: str, low: float, high: float
) -> tuple[list[float], list[float]]:
    """What the model says at places from end to end of a column, the other columns at 1."""
    places = np.linspace(low, high, CURVE)
    if low > 0.0 and high > _DECADE * low:  # dense enough on a logarithmic axis, too
        places = np.unique(np.concatenate([places, np.geomspace(low, high, CURVE)]).clip(low, high))
    row = prepared.row.plain
    columns = {name: np.ones(len(places)) for name in row.columns} | {over: places}
    return places.tolist(), _said(row, columns, x)[0]


# More groups would hide each other.
SHOWN = 7


class GroupCurve(NamedTuple):
    """A group: the places of its rows along the column, what was measured and fitted there, and the curve."""

    name: str
    places: list[float]
    measured: list[float]
    fitted: list[float]
    curve: tuple[list[float], list[float]]


class GroupCurves(NamedTuple):
    """Curves over a ``column``, None where there is none: then groups have what was measured and fitted alone."""

    column: str | None
    groups: list[GroupCurve]
    total: int


def group_curves(fit: SharedFit, x: Sequence[float]) -> GroupCurves:
    """Return some groups, evenly taken, with their own parameters that are best for the shared ones ``x`` (flat)."""
    ends, count, over = fit.groups.settle(x), fit.groups.count, over_of(fit.row)
    row = replace(fit.row, engine="numpy")
    chosen = sorted({round(k) for k in np.linspace(0, count - 1, min(count, SHOWN)).tolist()})
    found = {}
    for block in fit.groups.blocks:
        for at, number in enumerate(block.groups.tolist()):
            if number in chosen:
                one = block.residuals.take(np.array([at]))
                columns = [column[: fit.sizes[number], 0] for column in one.columns]
                point = fit.groups.layout.whole(ends.own[:, [number]], x)[:, 0].tolist()
                name = ", ".join(str(v) for v in fit.labels[number].values())
                found[number] = _curve_of(
                    name, row, dict(zip(row.columns, columns, strict=True)), point, over
                )
    return GroupCurves(over, [found[k] for k in chosen], count)


def response_curves(fit: SeveralResponses, x: Sequence[float]) -> GroupCurves:
    """Return each response over the one column of all models, at the parameters ``x`` (flat)."""
    row, data = replace(fit.prepared.row, engine="numpy"), fit.prepared.data
    over = over_of(row, fit.made[:1])
    arrays = dict(zip(data.names, data.take(0, data.rows), strict=True))
    found = []
    for k, side in enumerate(fit.sides):
        here = np.flatnonzero(fit.number == k)
        own = {name: array[here] for name, array in arrays.items()}
        found.append(_curve_of(side, row, own, x, over, {fit.made[0]: float(k)}))
    return GroupCurves(over, found, len(found))


def _curve_of(
    name: str,
    row: RowModel,
    own: Mapping[str, Array],
    x: Sequence[float],
    over: str | None,
    held: Mapping[str, float] = {},
) -> GroupCurve:
    """What a model says of a group's ``own`` rows, and along a column, the others ``held`` at their values, or at 1."""
    fitted, measured = _said(row, own, x)
    if over is None:
        return GroupCurve(name, fitted, measured, fitted, ([], []))
    along = np.linspace(own[over].min(), own[over].max(), CURVE)
    columns = {name: np.full(CURVE, held.get(name, 1.0)) for name in row.columns} | {over: along}
    curve = along.tolist(), _said(row, columns, x)[0]
    return GroupCurve(name, own[over].tolist(), measured, fitted, curve)


def _said(row: RowModel, arrays: Mapping[str, Array], x: Sequence[float]) -> tuple[list[float], list[float]]:
    held = RowsInPlace(row.columns)
    held.put([arrays[name] for name in row.columns])
    fitted, measured, *_ = RowObjective(row, held).all_rows("fitted", x).tolist()
    return fitted, measured
