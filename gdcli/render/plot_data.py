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
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, stored

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
