"""The curves of a fit with shared parameters: some groups, each with its rows and what the model says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple
from gdcli.tasks.fit.row_sample import CURVE, over_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gdcli.tasks.fit.prepare_shared import SharedFit

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
    import numpy as np

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
