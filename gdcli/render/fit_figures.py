"""The picture of a fit, also with shared parameters: rows, what the model says, what is left over, the epochs.

Over one column of the data the model is a curve, and so are probabilities over the formula of their logit. Of several
columns there is no such picture; there what was measured is drawn against what the model says, and a good fit lies
along the diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import harmless, shorten
from gdcli.kernel.number_format import amount
from gdcli.render.figures import positive
from gdcli.render.plot_data import BLUE, CYCLE, GRAY, ORANGE, VERMILLION, Chart, Panel, Series, Title
from gdcli.render.plot_geometry import finite

if TYPE_CHECKING:
    from gdcli.tasks.fit.row_sample import GroupCurve, GroupCurves, RowSample

FITTED = "fitted"
_SHADE = 0.15  # how dark the widest band is; each within it is as much darker
FEW = 60  # dots that find room beside each other
_DECADES = 100.0  # two decades at least
_TOGETHER = 0.05  # of the axis; numbers that are even on a logarithmic axis stand so from 2.6 decades on
_DECADE = 10.0  # losses that differ by more are drawn on a logarithmic scale


class ShownRows(NamedTuple):
    """Rows of a fit: ``what`` is the left side of the model, ``names`` tell where each stands, file and line.

    ``bands`` around the curve have a name and their lower and upper edges at its places, the widest first.
    """

    seen: RowSample
    what: str
    names: Sequence[str]
    bands: Sequence[tuple[str, Sequence[float], Sequence[float]]]


class Epochs(NamedTuple):
    """The mean loss after each epoch, and that of the rows held back (empty: there are none)."""

    numbers: Sequence[int]
    losses: Sequence[float]
    held_out: Sequence[float | None]


def picture(title: Title, rows: ShownRows | None, epochs: Epochs | None) -> Chart:
    """Return the picture of what there is to show; one of the two there must be."""
    panels = [] if rows is None else [_points(rows), _residuals(rows)]
    if rows is not None and rows.seen.column is not None and spans_decades(rows.seen.places):
        panels = [panel._replace(xlog=True) for panel in panels]
    elif rows is not None and rows.seen.across:
        ends = [
            x + side * a for x, a in zip(rows.seen.places, rows.seen.across, strict=True) for side in (-1, 1)
        ]
        margin = 0.05 * (max(ends) - min(ends))
        panels = [panel._replace(xlim=(min(ends) - margin, max(ends) + margin)) for panel in panels]
    courses = [] if rows is None else [("residual", _left_over(rows.seen))]
    if epochs is not None:
        panels.append(_epochs(epochs)._replace(own=rows is not None))
        courses.append(("mean loss", finite(epochs.losses)))
    return Chart(title, tuple(panels), courses)


def _points(rows: ShownRows) -> Panel:
    seen = rows.seen
    dots = _dots(rows, finite(seen.measured))._replace(label=_shown(seen), across=seen.across or None)
    if seen.column is not None:
        places, says = seen.curve
        curve = Series(places, finite(says), FITTED, VERMILLION, width=2.0)
        shades = [
            Series(places, finite(high), name, ORANGE, alpha=_SHADE * (k + 1), below=finite(low))
            for k, (name, low, high) in enumerate(rows.bands)
        ]
        return Panel((*shades, *_stacked(dots, curve)), _over(seen), rows.what, height=2.0)
    known = [v for v in (*finite(seen.fitted), *finite(seen.measured)) if v == v]
    ends = (min(known, default=0.0), max(known, default=1.0))
    line = Series(ends, ends, "measured = fitted", VERMILLION, width=1.6)
    return Panel(_stacked(dots, line), FITTED, rows.what, height=2.0)


def _dots(rows: ShownRows, heights: Sequence[float]) -> Series:
    """The rows at these heights: the more there are, the smaller and paler."""
    seen, count = rows.seen, len(rows.seen.measured)
    size, alpha = (5.0, 1.0) if count <= 100 else (3.5, 1.0) if count <= 600 else (2.2, 0.5)
    places = finite(seen.fitted if seen.column is None else seen.places)
    dots = Series(places, heights, ink=BLUE, shape="o", width=0.0, size=size, alpha=alpha)
    return dots._replace(spread=seen.sigma or None, names=list(rows.names))


def spans_decades(places: Sequence[float]) -> bool:
    """Tell whether positive numbers span decades so that half of them would stand together on a linear axis."""
    known = sorted(filter(isfinite, places))
    if len(known) < 2 or not 0.0 < known[0] <= known[-1] / _DECADES:
        return False
    return known[len(known) // 2] - known[0] < _TOGETHER * (known[-1] - known[0])


def _stacked(dots: Series, line: Series) -> tuple[Series, Series]:
    """Few dots lie on the line, which would hide them; many lie below it, as they would hide the line."""
    return (line, dots) if len(dots.xs) <= FEW else (dots, line)


def _residuals(rows: ShownRows) -> Panel:
    dots = _dots(rows, _left_over(rows.seen))._replace(spread=(rows.seen.sigma and rows.seen.whole) or None)
    return Panel((dots,), _over(rows.seen), "residual", signed=True)


def _over(seen: RowSample) -> str:
    return FITTED if seen.column is None else harmless(shorten(seen.column, 60))


def _left_over(seen: RowSample | GroupCurve) -> list[float]:
    return finite([m - f for m, f in zip(seen.measured, seen.fitted, strict=True)])


def _shown(seen: RowSample) -> str:
    shown = len(seen.measured)
    return amount(shown, "row") if shown == seen.rows else f"{shown} of {seen.rows} rows"


def _epochs(epochs: Epochs) -> Panel:
    known = [v for v in (*epochs.losses, *epochs.held_out) if v is not None and isfinite(v)]
    log = bool(known) and min(known) > 0.0 and max(known) > _DECADE * min(known)

    def shown(values: Sequence[float | None]) -> list[float]:
        return [positive(v) for v in values] if log else finite([nan if v is None else v for v in values])

    dots = "o" if len(epochs.numbers) <= 60 else ""
    series = [Series(epochs.numbers, shown(epochs.losses), "", ORANGE, dots, size=3.5)]
    if any(v is not None for v in epochs.held_out):
        series[0] = series[0]._replace(label="rows of the fit")
        series.append(Series(epochs.numbers, shown(epochs.held_out), "rows held back", GRAY, dots, size=3.5))
    return Panel(series, "epoch", "mean loss", ylog=log, whole=True)


# -- groups that share parameters ------------------------------------------------------------------------------------


def shared_picture(title: Title, what: str, shown: GroupCurves) -> Chart:
    """Return the picture of groups over a column, or of what was measured over what is fitted."""
    over = FITTED if shown.column is None else harmless(shown.column)
    points: list[Series] = []
    left: list[Series] = []
    for k, group in enumerate(shown.groups):
        ink, name = CYCLE[k % len(CYCLE)], harmless(group.name)
        if group.curve[0]:
            points.append(Series(group.curve[0], finite(group.curve[1]), "", ink))
        dots = Series(finite(group.places), finite(group.measured), name, ink, shape="o", width=0.0, size=4.0)
        points.append(dots)
        left.append(dots._replace(ys=_left_over(group), label=""))
    if shown.column is None:
        ends = [
            v for group in shown.groups for v in (*finite(group.fitted), *finite(group.measured)) if v == v
        ]
        points.insert(0, Series([min(ends), max(ends)], [min(ends), max(ends)], "", width=1.0))
    few = len(shown.groups)
    ylabel = harmless(what) if few == shown.total else f"{harmless(what)} ({few} of {shown.total} groups)"
    panels = [Panel(points, over, ylabel, height=2.0), Panel(left, over, "residual", signed=True)]
    if shown.column is not None and spans_decades([v for group in shown.groups for v in group.places]):
        panels = [panel._replace(xlog=True) for panel in panels]
    return Chart(title, tuple(panels), [("residual", [v for series in left for v in series.ys])])
