"""The curves of fits with shared parameters: some groups, or all responses, each with what the model says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.vectors import Array, np
from gdcli.objective.row_model import RowModel
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.row_sample import CURVE, RowsInPlace, over_of

if TYPE_CHECKING:
    from gdcli.tasks.fit.prepare_shared import SharedFit
    from gdcli.tasks.fit.responses import SeveralResponses

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
    chosen = sorted({round(k) for k in np.linspace(0, count - 1, min(count, SHOWN)).tolist()})
    found = {}
    for block in fit.groups.blocks:
        for at, number in enumerate(block.groups.tolist()):
            if number in chosen:
                own, rows = ends.own[:, [number]], fit.sizes[number]
                one, point = block.residuals.take(np.array([at])), fit.groups.layout.whole(own, x)
                fitted, measured = (v[:rows, 0].tolist() for v in one.values("fitted", point)[:2])
                places, curve = fitted, (list[float](), list[float]())
                if over is not None:
                    column = one.columns[fit.row.columns.index(over)][:rows, 0]
                    places = column.tolist()
                    along = np.linspace(column.min(), column.max(), CURVE)
                    held = [
                        along[:, None] if name == over else np.ones((CURVE, 1)) for name in fit.row.columns
                    ]
                    says = type(one)(one.programs, held).values("fitted", point)[0]
                    curve = along.tolist(), says[:, 0].tolist()
                name = ", ".join(str(v) for v in fit.labels[number].values())
                found[number] = GroupCurve(name, places, measured, fitted, curve)
    return GroupCurves(over, [found[k] for k in chosen], count)


def response_curves(fit: SeveralResponses, x: Sequence[float]) -> GroupCurves:
    """Return each response over the one column of all models, at the parameters ``x`` (flat)."""
    row, data = replace(fit.prepared.row, engine="numpy"), fit.prepared.data
    made = fit.made[0]
    over = over_of(row, (made,))
    arrays = dict(zip(data.names, data.take(0, data.rows), strict=True))
    found = []
    for k, side in enumerate(fit.sides):
        here = np.flatnonzero(fit.number == k)
        own = {name: array[here] for name, array in arrays.items()}
        fitted, measured = _said(row, own, x)
        places, curve = fitted, (list[float](), list[float]())
        if over is not None:
            places = own[over].tolist()
            along = np.linspace(own[over].min(), own[over].max(), CURVE)
            held = {name: np.full(CURVE, float(k) if name == made else 1.0) for name in row.columns}
            curve = along.tolist(), _said(row, held | {over: along}, x)[0]
        found.append(GroupCurve(side, places, measured, fitted, curve))
    return GroupCurves(over, found, len(found))


def _said(row: RowModel, arrays: Mapping[str, Array], x: Sequence[float]) -> tuple[list[float], list[float]]:
    held = RowsInPlace(row.columns)
    held.put([arrays[name] for name in row.columns])
    fitted, measured, *_ = RowObjective(row, held).all_rows("fitted", x).tolist()
    return fitted, measured
