"""The picture of a fit with shared parameters: some of the groups, a colour each, with their curves and residuals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gdcli.kernel.errors import harmless
from gdcli.render.fit_figures import FITTED, spans_decades
from gdcli.render.plot_data import CYCLE, Chart, Panel, Series, Title
from gdcli.render.plot_geometry import finite


class DrawnGroup(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def places(self) -> list[float]: ...
    @property
    def measured(self) -> list[float]: ...
    @property
    def fitted(self) -> list[float]: ...
    @property
    def curve(self) -> tuple[list[float], list[float]]: ...


class DrawnGroups(Protocol):
    @property
    def column(self) -> str | None: ...
    @property
    def groups(self) -> Sequence[DrawnGroup]: ...
    @property
    def total(self) -> int: ...


def picture(title: Title, what: str, shown: DrawnGroups) -> Chart:
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
        residuals = [m - f for m, f in zip(group.measured, group.fitted, strict=True)]
        left.append(dots._replace(ys=finite(residuals), label=""))
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
