"""What a picture is made of: points and lines with a meaning, before anything is drawn.

A picture is first a description (a `Chart` of curves, or `Contours` with paths over them), and only then ink: by
:mod:`gdcli.render.plots` in a file, by :mod:`gdcli.render.text_plots` in a terminal. So both show the same, and what
they show can be tested without looking.

The path of a run is taken down by a `Recorder` in bounded memory. It thins by an odd stride (every 3rd, 9th, 27th
iterate ...): a path that zigzags goes left and right in turn, and an even stride would keep one side only and show a
straight line. The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any kind of
colour vision can tell apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, hypot, inf, isfinite, log10, nan
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.stored import stored

if TYPE_CHECKING:
    from gdcli.kernel.space import Space
    from gdcli.solve.iteration import Iterate

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GRAY = "#7F7F7F"
# In the order in which several curves take them: neighbours differ in lightness too. Yellow is too pale for a line.
CYCLE = (VERMILLION, BLUE, GREEN, ORANGE, PURPLE, SKY, BLACK)
SHAPES = ("o", "s", "^", "D", "v", "p", "X")

# Values of the typed expression at places on a line (one coordinate) or in a plane (two).
Values = Callable[[Sequence[Sequence[float]]], list[float]]

Range = tuple[float, float]
Place = tuple[float, float]

FIRST = 100  # iterates that are kept in any case: there a run moves fastest
MOST = 1500  # points of a path at most


class Series(NamedTuple):
    """Points, joined by a line unless ``width`` is 0, each with a ``shape`` (a letter of matplotlib, or none).

    A point that is not finite is a gap. ``label`` names it in the legend, ``marked`` the points that have a shape
    (None: all). A ``detail`` is too fine for a picture in text. ``spread`` is half the length of a bar at each point.
    In a file the whole is moved by ``shift``, to the right and up, in points.
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
    shift: tuple[float, float] = (0.0, 0.0)


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
        """Return the path in order, its end included."""
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


# -- what to show: the part of the line or the plane, and the heights ------------------------------------------

_REACH = 4.0  # of a path without end so many times the length of its first steps is shown
_FAR = 10.0  # a step to a place so many times farther than all before, and than the start from 0, is far
_OUTSIDE = 0.5  # a path is cut where it leaves the picture by this part of its width
_PADDING = 0.12
_ABSURD = 12.0  # ranges that differ by more have no common scale
_SLIM = 0.62  # with a common scale no side is shorter than this part of the other


def window(places: Sequence[float], end: float | None) -> Range:
    """Return the range of one coordinate that shows the path; without an ``end``, the first part of one without end."""
    start = places[0]
    if end is not None:
        shown = [end, *filter(isfinite, places)]
    else:
        early = sorted(_near(places[:7]))
        scale = early[len(early) // 3] if early else 0.0
        shown = [start, *(p for p in places if abs(p - start) <= _REACH * scale)]
    return min(shown), max(shown)


def _near(places: Sequence[float]) -> list[float]:
    """Return how far from the start its next places are, up to the first far step."""
    start = places[0]
    found: list[float] = []
    size = abs(start)
    for far in (abs(p - start) for p in places[1:]):
        if not isfinite(far) or (size and far > _FAR * size):
            break
        found.append(far)
        size = max(size, far)
    return found


def padded(low: float, high: float) -> Range:
    """Return a range with room at both ends; of a single point a range around it."""
    room = _PADDING * (high - low)
    if high - low <= 1e-9 * max(abs(low), abs(high)) or not room:
        room = (abs(low) or 1.0) if high == low else max(room, 1e-6 * max(abs(low), abs(high)))
    return low - room, high + room


_ROOM = 3.0  # at the ends of a logarithmic axis, as a factor


def decades(low: float, high: float, way: int = 1) -> Range:
    """Return a range with room for a logarithmic axis; with ``way`` -1 without it."""
    return low / _ROOM**way, high * _ROOM**way


class Scale(NamedTuple):
    """From a coordinate to where it lies on an axis, and back: the logarithm of base 10, or the number itself."""

    log: bool

    def to(self, value: float) -> float:
        if not self.log:
            return value
        return log10(value) if 0.0 < value < inf else -inf if value <= 0.0 else value

    def back(self, value: float) -> float:
        return 10.0**value if self.log else value


def common_scale(x: Range, y: Range) -> tuple[Range, Range, bool]:
    """Return ranges of two coordinates for one scale, the shorter one widened, or as they are where that is absurd."""
    wide, high = x[1] - x[0], y[1] - y[0]
    longest = max(wide, high)
    if min(wide, high) * _ABSURD < longest and min(wide, high) > 0.0:
        return padded(*x), padded(*y), False
    least = _SLIM * longest
    return padded(*_widened(x, least)), padded(*_widened(y, least)), True


def _widened(ends: Range, least: float) -> Range:
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

    They are round numbers near quantiles: below the k-th of n lies (k/n)**2 of the area. Around a round minimum that
    gives circles at equal distances; a narrow valley in steep walls is outlined by the lowest levels, where equal steps
    of the value would all lie on the walls.
    """
    heights = sorted(sign * v for v in values if isfinite(v))
    if not heights:
        return []
    last = len(heights) - 1
    below = [heights[min(last, round(last * (k / count) ** 2))] for k in range(count + 1)]
    chosen = {_roundest(*below[k - 1 : k + 2]) for k in range(1, count)}
    return sorted(sign * level + 0.0 for level in chosen)


def _roundest(before: float, level: float, after: float) -> float:
    """Return the number of fewest digits (steps of 1, 2 or 5 times a power of ten) nearer to ``level`` than others."""
    low, high = (before + level) / 2.0, (level + after) / 2.0
    if not low < level < high:
        return level
    if low <= 0.0 <= high:
        return 0.0
    for exponent in range(floor(log10(high - low)) + 1, floor(log10(high - low)) - 2, -1):
        for k in (5, 2, 1):
            step = k * 10.0**exponent
            count = min(max(round(level / step), floor(low / step) + 1), ceil(high / step) - 1)
            if low < (rounded := _multiple(count * k, exponent)) < high:
                return rounded
    return level


def _multiple(count: int, exponent: int) -> float:
    """Return count * 10**exponent as the float nearest to it, which prints with its few digits."""
    return float(f"{count}e{exponent}")


def cut(xs: Sequence[float], ys: Sequence[float], x: Range, y: Range) -> list[Place]:
    """Return a path as far as it can be drawn: up to the first point far outside the ranges, and towards that one."""
    kept: list[Place] = []
    reach = [_OUTSIDE * (x[1] - x[0]), _OUTSIDE * (y[1] - y[0])]
    for a, b in zip(xs, ys, strict=True):
        if not (isfinite(a) and isfinite(b)):
            break
        if not kept or (x[0] - reach[0] <= a <= x[1] + reach[0] and y[0] - reach[1] <= b <= y[1] + reach[1]):
            kept.append((a, b))
            continue
        c, d = kept[-1]
        part = min(_part(c, a, x, reach[0]), _part(d, b, y, reach[1]))
        kept.append((c + part * (a - c), d + part * (b - d)))
        break
    return kept


def _part(begin: float, end: float, ends: Range, reach: float) -> float:
    """Return how much of the way from begin to end stays within the range and its reach."""
    edge = ends[1] + reach if end > begin else ends[0] - reach
    return 1.0 if end == begin else max(0.0, min(1.0, (edge - begin) / (end - begin)))


def apart(path: Sequence[Place], x: Range, y: Range, least: float) -> list[int]:
    """Return which points of a path to mark: ``least`` (a part of the width) from the marked one before."""
    marked: list[int] = []
    wide, high = (x[1] - x[0]) or 1.0, (y[1] - y[0]) or 1.0
    for i, (a, b) in enumerate(path):
        c, d = path[marked[-1]] if marked else (nan, nan)
        if not marked or hypot((a - c) / wide, (b - d) / high) >= least:
            marked.append(i)
    return marked


_ON = 0.01  # of the width of the picture: what is nearer to a line lies on it
_SHIFT = 2.6  # points between the middles of paths side by side


def side_by_side(paths: Sequence[Sequence[Place]], x: Range, y: Range) -> list[Place]:
    """Return how far to shift each path, in points, so that those on one straight line do not hide each other.

    All begin at the same place. Descent leaves a line only where the curvature varies, so on round valleys and along
    axes all rates go to and fro on the same one.
    """
    wide, high = (x[1] - x[0]) or 1.0, (y[1] - y[0]) or 1.0
    a, b = paths[0][0]
    ways = [[((p - a) / wide, (q - b) / high) for p, q in path] for path in paths]
    u, v = max((place for way in ways for place in way), key=lambda place: hypot(*place))
    length = hypot(u, v)
    if not length:
        return [(0.0, 0.0)] * len(paths)
    off = -v / length, u / length
    straight = [
        k
        for k, way in enumerate(ways)
        if all(abs(p * off[0] + q * off[1]) < _ON for p, q in way) and len(way) > 1
    ]
    shifts = [(0.0, 0.0)] * len(paths)
    for order, k in enumerate(straight):
        far = _SHIFT * (order - (len(straight) - 1) / 2.0)
        shifts[k] = far * off[0], far * off[1]
    return shifts


def rounded(value: float, span: float, digits: int = 4) -> float:
    """Return ``value`` to so many digits of ``span``: what lies below the width of a line is noise in a label."""
    if not (isfinite(value) and 0.0 < span < inf):
        return value
    return round(value, min(300, digits - 1 - floor(log10(span)))) + 0.0
