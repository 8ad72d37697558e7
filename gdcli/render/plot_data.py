"""What a picture is made of: points and lines with a meaning, before anything is drawn; and how it is to look.

A picture is first a description (a `Chart` of curves, or `Contours` with paths over them), and only then ink: by
:mod:`gdcli.render.plots` in a file, by :mod:`gdcli.render.text_plots` in a terminal. So both show the same, and what
they show can be tested without looking.

The path of a run is taken down by a `Recorder` in bounded memory. It thins by an odd stride (every 3rd, 9th, 27th
iterate ...): a path that zigzags goes left and right in turn, and an even stride would keep one side only and show a
straight line. The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any kind of
colour vision can tell apart.

Other words and scales that are asked for are applied to the description. A logarithmic axis has no place for what is
not positive: such points are left out, and told; of pictures whose very range depends on the scale (a curve, contours)
the scenes take care.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import starmap
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, stored
from gdcli.kernel.errors import UsageError
from gdcli.render.plot_geometry import decades, padded

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.solve.iteration import Iterate


BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GRAY = "#7F7F7F"
# In the order in which several curves take them: neighbours differ in lightness too. Yellow is too pale for a line.
CYCLE = (VERMILLION, BLUE, GREEN, ORANGE, PURPLE, SKY, BLACK)
SHAPES = ("o", "s", "^", "D", "v", "p", "X")

# Values of the typed expression at places on a line (one coordinate) or in a plane (two).
Values = Callable[[Sequence[Sequence[float]]], list[float]]

FIRST = 100  # iterates that are kept in any case: there a run moves fastest
MOST = 1500  # points of a path at most


class Series(NamedTuple):
    """Points, joined by a line unless ``width`` is 0, each with a ``shape`` (a letter of matplotlib, or none).

    A point that is not finite is a gap. ``label`` names it in the legend, ``marked`` the points that have a shape
    (None: all). A ``detail`` is too fine for a picture in text. ``spread`` is half the length of a bar at each point,
    up and down, ``across`` of one to both sides. Between the points and those ``below`` them an area is shaded, of
    which a picture in text has the edges. In a file the whole is moved by ``shift``, to the right and up, in points. On
    a page ``names`` tell single points.
    """

    xs: Sequence[float]
    ys: Sequence[float]
    label: str = ""
    ink: str = BLUE
    shape: str = ""
    width: float = 1.6
    size: float = 5.0
    dashed: bool = False
    hollow: bool = False
    marked: Sequence[int] | None = None
    detail: bool = False
    alpha: float = 1.0
    spread: Sequence[float] | None = None
    across: Sequence[float] | None = None
    below: Sequence[float] | None = None
    shift: tuple[float, float] = (0.0, 0.0)
    names: Sequence[str] = ()


class Panel(NamedTuple):
    """One pair of axes; a limit of None is found from the data.

    ``whole`` numbers the axis with integers. ``floor`` is where a log axis shows what is 0. A ``note`` stands in for
    what there is nothing to show of. ``height`` is relative to the other panels; a panel of its ``own`` does not share
    its horizontal axis with those above it. ``signed`` values lie around 0, which is marked by a line.
    """

    series: Sequence[Series]
    xlabel: str
    ylabel: str
    xlog: bool = False
    ylog: bool = False
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    whole: bool = False
    floor: float | None = None
    note: str = ""
    height: float = 1.0
    own: bool = False
    signed: bool = False


# What a sparkline can show of a picture: numbers with a name.
Courses = Sequence[tuple[str, Sequence[float]]]


class Wording(str):
    """Words that were given for a picture: between two ``$`` they are mathematics."""

    __slots__ = ()


class Title(NamedTuple):
    """A title as one short line of ``text``; behind it the whole ``formula``, as far as it is one, and a ``remark``."""

    text: str
    formula: str = ""
    remark: str = ""


class Chart(NamedTuple):
    """Panels one above the other, which share the horizontal axis, those of their own aside."""

    title: Title
    panels: Sequence[Panel]
    courses: Courses = ()


class Edge(NamedTuple):
    """The edge of what a constraint allows: ``slacks[j][i]`` belongs to ``xs[i], ys[j]`` and is negative where it is
    broken, of an equation also above 0. ``active`` tells that the answer lies on it.
    """

    text: str
    slacks: Sequence[Sequence[float]]
    equation: bool
    active: bool


class Contours(NamedTuple):
    """Lines of equal height with paths on them: ``values[j][i]`` belongs to ``xs[i], ys[j]``, nan where there is none.

    ``sign`` is -1 where high values are the good ones. ``equal`` asks for the same scale on both axes. ``edges`` are
    those of constraints.
    """

    title: Title
    xlabel: str
    ylabel: str
    xs: Sequence[float]
    ys: Sequence[float]
    values: Sequence[Sequence[float]]
    levels: Sequence[float]
    series: Sequence[Series]
    courses: Courses = ()
    sign: int = 1
    equal: bool = True
    xlog: bool = False
    ylog: bool = False
    edges: Sequence[Edge] = ()


Picture = Chart | Contours


@stored()
class Point(NamedTuple):
    """What a picture may show of one iterate, in the user's sign.

    ``slope`` is the derivative by the first coordinate of ``place``.
    """

    iteration: int
    value: float
    gradient_norm: float | None
    place: tuple[float, ...]
    slope: float | None


class Recorder:
    """An observer that keeps the path: the first iterates, the last one, and in between as many as there is room for.

    ``which`` are the components of the flat vector that make the place of a point.
    """

    def __init__(self, sign: int, which: Sequence[int], first: int = FIRST, most: int = MOST) -> None:
        self._sign, self._which, self._early, self._most = sign, tuple(which), first, most
        self._first: list[Point] = []
        self._later: list[tuple[int, Point]] = []
        self._last: Iterate | None = None
        self._seen = 0
        self.stride = 1

    def __call__(self, iterate: Any) -> None:
        order = self._seen
        self._seen = order + 1
        if order < self._early:
            self._first.append(self.point(iterate))
            return
        self._last = iterate
        if order % self.stride == 0:
            self._later.append((order, self.point(iterate)))
            while len(self._later) > self._most:
                self.stride *= 3
                self._later = [entry for entry in self._later if entry[0] % self.stride == 0]

    def point(self, iterate: Iterate) -> Point:
        at, sign, which = iterate.at, self._sign, self._which
        return Point(
            iterate.iteration,
            sign * at.value + 0.0,
            iterate.gradient_norm,
            tuple(float(at.x[i]) for i in which),
            None if at.gradient is None or not which else sign * float(at.gradient[which[0]]),
        )

    def keep(self) -> Any:
        return self._seen, self.stride, list(self._first), list(self._later), self._last

    def restore(self, kept: Any) -> None:
        self._seen, self.stride, self._first, self._later, self._last = kept

    def points(self) -> list[Point]:
        path = [*self._first, *(point for _, point in self._later)]
        if self._last is not None and (not self._later or self._later[-1][0] != self._seen - 1):
            path.append(self.point(self._last))
        return path


class StoredRecorder(Recorder):
    """A recorder of a path that was stored: of its gradients only the length is known."""

    def __init__(self, space: Space, which: Sequence[int]) -> None:
        super().__init__(1, which)
        self._space = space

    def point(self, iterate: Any) -> Point:
        x = self._space.flatten(iterate.point) if self._which else ()
        place = tuple(float(x[i]) for i in self._which)
        return Point(iterate.iteration, iterate.value, iterate.gradient_norm, place, None)


# -- how a picture is to look -----------------------------------------------------------------------------------------


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
