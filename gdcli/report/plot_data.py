"""What a picture is made of: points and lines with a meaning, before anything is drawn.

A picture is first a description (a `Chart` of curves, or `Contours` with paths over them), and only then ink: by
:mod:`gdcli.report.plots` in a file, by :mod:`gdcli.report.text_plots` in a terminal. So both show the same, and what
they show can be tested without looking.

The path of a run is taken down by a `Recorder` in bounded memory. It thins by an odd stride (every 3rd, 9th, 27th
iterate ...): a path that zigzags goes left and right in turn, and an even stride would keep one side only and show a
straight line. The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any kind of
colour vision can tell apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gdcli.solvers.types import Iterate

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GRAY = "#7F7F7F"
# In the order in which several curves take them: neighbours differ in lightness too. Yellow is too pale for a line.
CYCLE = (VERMILLION, BLUE, GREEN, ORANGE, PURPLE, SKY, BLACK)
SHAPES = ("o", "s", "^", "D", "v", "P", "X")

# Values of the typed expression at places on a line (one coordinate) or in a plane (two).
Values = Callable[[Sequence[Sequence[float]]], list[float]]

FIRST = 100  # iterates that are kept in any case: there a run moves fastest
MOST = 1500  # points of a path at most


class Series(NamedTuple):
    """Points, joined by a line unless ``width`` is 0, each with a ``shape`` (a letter of matplotlib) unless it is empty.

    A point that is not finite is a gap. ``label`` names it in the legend.
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


class Panel(NamedTuple):
    """One pair of axes; a limit of None is found from the data. ``floor`` is where a log axis shows what is 0."""

    series: Sequence[Series]
    xlabel: str
    ylabel: str
    xlog: bool = False
    ylog: bool = False
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    whole: bool = False
    floor: float | None = None


class Chart(NamedTuple):
    """Panels one above the other, which share the horizontal axis."""

    title: str
    panels: Sequence[Panel]


class Contours(NamedTuple):
    """Lines of equal height with paths on them: ``values[j][i]`` belongs to ``xs[i], ys[j]``, nan where there is none.

    ``sign`` is -1 where high values are the good ones. ``equal`` asks for the same scale on both axes.
    """

    title: str
    xlabel: str
    ylabel: str
    xs: Sequence[float]
    ys: Sequence[float]
    values: Sequence[Sequence[float]]
    levels: Sequence[float]
    series: Sequence[Series]
    sign: int = 1
    equal: bool = True


Picture = Chart | Contours


class Point(NamedTuple):
    """What a picture may show of one iterate, in the user's sign: ``slope`` is the derivative by the first of ``place``."""

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

    def __call__(self, iterate: Iterate) -> None:
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
        """Return what is kept of an iterate."""
        at, sign, which = iterate.at, self._sign, self._which
        return Point(
            iterate.iteration,
            sign * at.value + 0.0,
            iterate.gradient_norm,
            tuple(float(at.x[i]) for i in which),
            None if at.gradient is None or not which else sign * float(at.gradient[which[0]]),
        )

    def points(self) -> list[Point]:
        """Return the path in order, its end included."""
        path = [*self._first, *(point for _, point in self._later)]
        if self._last is not None and (not self._later or self._later[-1][0] != self._seen - 1):
            path.append(self.point(self._last))
        return path


# -- what to show: the part of the line or the plane, and the heights ------------------------------------------

_REACH = 4.0  # a path may leave start and end by so many times their distance before it is cut off
_PADDING = 0.12
_ABSURD = 12.0  # ranges that differ by more have no common scale
_SLIM = 0.62  # with a common scale no side is shorter than this part of the other


def window(places: Sequence[float], start: float, end: float) -> tuple[float, float]:
    """Return the range of one coordinate that shows start, end and the path between; not what runs off to infinity."""
    early = sorted(abs(p - end) for p in places[:7] if isfinite(p))
    scale = max([abs(start - end), *early[len(early) // 2 : len(early) // 2 + 1]])
    lowest, highest = min(start, end) - _REACH * scale, max(start, end) + _REACH * scale
    shown = [start, end, *(p for p in places if lowest <= p <= highest)]
    return min(shown), max(shown)


def padded(low: float, high: float) -> tuple[float, float]:
    """Return a range with room at both ends; of a single point a range around it."""
    room = _PADDING * (high - low)
    if high - low <= 1e-9 * max(abs(low), abs(high)) or not room:
        room = max(1.0, abs(low)) if high == low else max(room, 1e-6 * max(abs(low), abs(high)))
    return low - room, high + room


def common_scale(x: tuple[float, float], y: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float], bool]:
    """Return ranges of two coordinates for one scale, the shorter one widened, or as they are where that is absurd."""
    wide, high = x[1] - x[0], y[1] - y[0]
    longest = max(wide, high)
    if min(wide, high) * _ABSURD < longest and min(wide, high) > 0.0:
        return padded(*x), padded(*y), False
    least = _SLIM * longest
    return padded(*_widened(x, least)), padded(*_widened(y, least)), True


def _widened(ends: tuple[float, float], least: float) -> tuple[float, float]:
    more = max(0.0, least - (ends[1] - ends[0])) / 2.0
    return ends[0] - more, ends[1] + more


def spaced(low: float, high: float, count: int) -> list[float]:
    """Return ``count`` numbers at equal distances, both ends included."""
    return [low + (high - low) * i / (count - 1) for i in range(count - 1)] + [high]


def finite(values: Sequence[float]) -> list[float]:
    """Return the values with nan for all that is not finite."""
    return [v if isfinite(v) else nan for v in values]


def levels(values: Sequence[float], sign: int = 1, count: int = 12) -> list[float]:
    """Return heights in ascending order such that a valley shows (with ``sign`` -1 a ridge), whatever the scale.

    They are quantiles: below the k-th of n lies (k/n)**2 of the area. Around a round minimum that gives circles at
    equal distances; a narrow valley in steep walls is outlined by the lowest levels, where equal steps of the value
    would all lie on the walls.
    """
    heights = sorted(sign * v for v in values if isfinite(v))
    if not heights:
        return []
    last = len(heights) - 1
    chosen = {sign * heights[min(last, round(last * (k / count) ** 2))] for k in range(1, count)}
    return sorted(chosen)


def cut(xs: Sequence[float], ys: Sequence[float], x: tuple[float, float], y: tuple[float, float]) -> list[tuple[float, float]]:
    """Return a path as far as it can be drawn: up to the first point far outside the ranges, and towards that one."""
    kept: list[tuple[float, float]] = []
    reach = [3.0 * (x[1] - x[0]), 3.0 * (y[1] - y[0])]
    for a, b in zip(xs, ys, strict=True):
        if not (isfinite(a) and isfinite(b)):
            break
        if not kept or (x[0] - reach[0] <= a <= x[1] + reach[0] and y[0] - reach[1] <= b <= y[1] + reach[1]):
            kept.append((a, b))
            continue
        c, d = kept[-1]
        part = min([reach[i] / abs(t) for i, t in enumerate((a - c, b - d)) if abs(t) > reach[i]], default=1.0)
        kept.append((c + part * (a - c), d + part * (b - d)))
        break
    return kept
