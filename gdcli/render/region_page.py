"""The joint region of two parameters as a part of the page of a fit, and as a panel of its picture."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from gdcli.kernel.errors import harmless
from gdcli.kernel.number_format import short
from gdcli.render.page import Column, Glyphs, Line, fact, laid_out

if TYPE_CHECKING:
    from gdcli.record.fits import FitRecord
    from gdcli.render.plot_data import Panel

# Of the distance from the estimate to the end that there is: what is shown on an open side, and beyond that end.
_OPEN, _MARGIN = 6.0, 0.25


def region(found: FitRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the extents of the region, and why it does not close; nothing where it was not asked for."""
    seen = found.region
    if seen is None:
        return []
    first, second = map(harmless, seen.parameters)
    told = f"of {first} and {second}, both within it with {100.0 * found.level:g} % confidence, by {seen.quantile}"
    lines = fact("joint region", told, width)
    if seen.reason is not None:
        label = "not closed" if seen.extents else "no region"
        lines += fact(label, harmless(seen.reason), width, "warn", label_role="warn")
    if not seen.extents:
        return lines
    columns = [
        Column("parameter", [first, second], left=True),
        Column("from", [_end(pair[0], -inf) for pair in seen.extents.values()]),
        Column("to", [_end(pair[1], inf) for pair in seen.extents.values()]),
    ]
    return [*lines, [], *laid_out(columns, width, glyphs)]


def _end(end: float | None, far: float) -> str:
    return str(far) if end is None else short(end, 6)


def region_panel(found: FitRecord) -> Panel | None:
    """Return the curve around the region and the estimate within, None where there is no curve."""
    from gdcli.render.plot_data import BLUE, VERMILLION, Panel, Series

    seen = found.region
    if seen is None or not seen.points:
        return None
    xs, ys = zip(*seen.points, strict=True)
    space = found.problem.space
    values = {space.label(k): value for k, value in enumerate(found.x)}
    first, second = seen.parameters
    label = f"{100.0 * found.level:g} % region" + ("" if seen.closed else " (not closed)")
    curve = Series(xs, ys, label, BLUE, width=1.8)
    best = Series([values[first]], [values[second]], "estimate", VERMILLION, "o", width=0.0)
    xlim, ylim = (_limits(seen.extents[name], values[name]) for name in seen.parameters)
    return Panel((curve, best), harmless(first), harmless(second), xlim=xlim, ylim=ylim, height=2.0, own=True)


def _limits(ends: list[float | None], estimate: float) -> tuple[float, float] | None:
    """What is shown of an extent that is open on one side: there some times as much as on the other."""
    low, high = ends
    if low is not None and high is None:
        return low - _MARGIN * (estimate - low), estimate + _OPEN * (estimate - low)
    if high is not None and low is None:
        return estimate - _OPEN * (high - estimate), high + _MARGIN * (high - estimate)
    return None
