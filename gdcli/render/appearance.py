"""How a picture is to look where that was asked for: other words, other scales.

What is asked is applied to the description of a picture, so a file and a terminal show the same. A logarithmic axis
has no place for what is not positive: such points are left out, and told; of pictures whose very range depends on the
scale (a curve, contours) the scenes take care.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from math import isfinite, nan

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.render.plot_data import Contours, Panel, Picture, Series, Title, Wording
from gdcli.render.plot_geometry import decades, padded


class Appearance(NamedTuple):
    """What was asked for; None: as it comes. ``size`` is in inches, ``log`` has the letters of logarithmic axes."""

    size: tuple[float, float] | None = None
    dpi: int | None = None
    title: str | None = None
    xlabel: str | None = None
    ylabel: str | None = None
    log: str | None = None

    def of(self, picture: Picture) -> tuple[Picture, list[str]]:
        """Return the picture with these words and scales, and what must be told about it.

        Raises UsageError where nothing is left on a logarithmic axis.
        """
        warnings: list[str] = []
        if self.title is not None:
            picture = picture._replace(title=Title(Wording(self.title)))
        if isinstance(picture, Contours):
            return (
                picture._replace(
                    xlabel=_word(self.xlabel, picture.xlabel), ylabel=_word(self.ylabel, picture.ylabel)
                ),
                warnings,
            )
        panels = list(picture.panels)
        if self.log is not None:
            panels = [panel if panel.own else _scaled(panel, self.log, warnings) for panel in panels]
        # The first panel is what the picture is about; those that share its horizontal axis share its label.
        panels[0] = panels[0]._replace(ylabel=_word(self.ylabel, panels[0].ylabel))
        panels = [p if p.own else p._replace(xlabel=_word(self.xlabel, p.xlabel)) for p in panels]
        return picture._replace(panels=tuple(panels)), warnings


def _word(asked: str | None, own: str) -> str:
    return own if asked is None else Wording(asked)


def _scaled(panel: Panel, log: str, warnings: list[str]) -> Panel:
    """Return a panel with these axes logarithmic, and no other; one of signed values keeps its vertical one."""
    xlog, ylog = "x" in log, "y" in log and not panel.signed
    series = _above_zero(panel.series, xlog, ylog, warnings)
    panel = panel._replace(series=series, xlim=_limits(panel.xlim, panel.xlog, xlog))
    panel = panel._replace(ylim=_limits(panel.ylim, panel.ylog, ylog), xlog=xlog, ylog=ylog)
    return panel if ylog else panel._replace(floor=None)


def _limits(ends: tuple[float, float] | None, before: bool, log: bool) -> tuple[float, float] | None:
    """Return limits for another scale, as far as they can be carried over."""
    if ends is None or before == log:
        return ends
    if log:
        return None
    return padded(*decades(*ends, -1))


def _above_zero(series: Sequence[Series], xlog: bool, ylog: bool, warnings: list[str]) -> list[Series]:
    def is_shown(x: float, y: float) -> bool:
        return (x > 0.0 or not xlog) and (y > 0.0 or not ylog)

    kept, known = [], list[tuple[float, float]]()
    # Points stand for data; a line beside them is drawn as far as it goes.
    pointed = [s for s in series if s.shape] or series
    for s in series:
        points = list(zip(s.xs, s.ys, strict=True))
        shown = [place if is_shown(*place) else (nan, nan) for place in points]
        xs, ys = ([place[k] for place in shown] for k in (0, 1))
        kept.append(s if all(starmap(is_shown, points)) else s._replace(xs=xs, ys=ys))
        known += [place for place in points if all(map(isfinite, place))] if s in pointed else []
    all_points, lost = len(known), sum(not is_shown(*place) for place in known)
    axes = "x" * xlog + "y" * ylog
    if lost and lost == all_points:
        raise UsageError(
            f"--log {axes}: none of the {lost} points is above 0",
            "a logarithmic axis shows positive numbers: leave --log out, or --log none",
        )
    if lost:
        told = f"--log {axes}: {lost} of {all_points} points are not above 0, and are not drawn"
        warnings += [told] if told not in warnings else []
    return kept
