"""From what was found to the picture of it: one function for each kind of question.

One variable shows its curve with the iterates and tangents on it, two show contours with the path, more show value
and gradient against the iteration. Nothing here evaluates anything: a function to sample comes in as `Values`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import hypot, isfinite, nan

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError, columns_of, harmless, shorten
from gdcli.kernel.number_format import amount, short
from gdcli.render.plot_data import (
    BLACK,
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    VERMILLION,
    Chart,
    Contours,
    Courses,
    Edge,
    Panel,
    Point,
    Series,
    Title,
    Values,
)
from gdcli.render.plot_geometry import (
    MOST_DRAWN,
    Scale,
    apart,
    common_scale,
    cut,
    finite,
    levels,
    padded,
    rounded,
    spaced,
    window,
)

TITLE = 62  # characters of a title
CURVE_POINTS = 601
MOST_TANGENTS = 4
MOST_STARTS = 500  # marks of starts in a picture
MARKED = 60  # a path of more points has no dots on it
NEAR = 0.015  # dots of a path are at least so far apart, as a part of the picture's width
_TANGENT = 0.15  # half the length of a tangent, as a part of the picture's width


class FoundMinimum(NamedTuple):
    place: tuple[float, ...]
    value: float
    starts: int


class Run(NamedTuple):
    """A path with its answer: the place (None: it runs off without end), the value, a word for it (``minimum``).

    ``gap`` is how much the value may still fall, ``bounds`` has (lower, upper) of each coordinate where there are any.
    ``followed`` tells that the points are its path, and not its ends alone. ``log`` has the letters of the axes that
    are asked to be logarithmic. ``starts`` and ``minima`` are the places of a search from many, with the values there
    and how many starts led to each minimum; the best one, which is the answer, aside.
    """

    title: Title
    names: tuple[str, ...]
    points: Sequence[Point]
    answer: tuple[float, ...] | None
    value: float
    word: str
    sign: int
    gap: float = 0.0
    bounds: tuple[tuple[float, float], ...] = ()
    followed: bool = True
    log: str = ""
    starts: Sequence[tuple[float, ...]] = ()
    minima: Sequence[FoundMinimum] = ()
    limits: PlaneConstraints | None = None


class PlaneConstraints(NamedTuple):
    """The constraints of a run in a plane: the text of each, whether it is an equation, whether the answer lies on it;
    ``slacks`` gives for each how far places are inside.
    """

    texts: Sequence[tuple[str, bool, bool]]
    slacks: Callable[[Sequence[Sequence[float]]], list[list[float]]]

    def edges(self, xs: Sequence[float], ys: Sequence[float]) -> list[Edge]:
        flat = self.slacks([(a, b) for b in ys for a in xs])
        n = len(xs)
        rows = ([each[j * n : (j + 1) * n] for j in range(len(ys))] for each in flat)
        return [
            Edge(text, slacks, equation, active)
            for (text, equation, active), slacks in zip(self.texts, rows, strict=True)
        ]


def title(expression: str, more: str = "") -> Title:
    """Return an expression as the title of a picture, its text on one line, not too long, no control characters."""
    formula, more = harmless(" ".join(expression.split())), harmless(more)
    room = max(20, TITLE - columns_of(more))
    text = shorten(formula, room)
    while columns_of(text) > room:
        text = shorten(text, len(text) - 2)
    return Title(text + more, formula, more)


# -- one variable ----------------------------------------------------------------------------------------------


def curve(run: Run, values: Values) -> Chart:
    """Return the curve around the path, the iterates on it, and tangents at some of them where they are straight."""
    end = None if run.answer is None else run.answer[0]
    (scale,) = _scales(run)
    others = _others(run)
    places = [scale.to(place[0]) for place in (*(p.place for p in run.points), *others)]
    ends = padded(*window(places, None if end is None else scale.to(end)))
    xs = [scale.back(x) for x in spaced(*ends, CURVE_POINTS)]
    low, high = xs[0], xs[-1]
    ys = finite(values([(x,) for x in xs]))
    on_path = [p for p in run.points if low <= p.place[0] <= high and abs(p.value) <= MOST_DRAWN]
    bottom, top = _heights([y for y in ys if isfinite(y)], [p.value for p in on_path])
    searched = _searched(run, others, list(map(float, values(others))) if others else [])
    name = run.names[0]
    series = [Series(xs, ys, ink=BLUE, width=2.0)]
    if run.bounds:
        walls = [w for w in run.bounds[0] if low <= w <= high]
        series.append(_bounds([(w, y) for w in walls for y in (bottom, top, nan)]))
    series += [] if run.log else _tangents(on_path, high - low, top - bottom)
    first, label = run.points[0], _iterations(run)
    places, values_on = [p.place[0] for p in on_path], [p.value for p in on_path]
    series.append(Series(places, values_on, label=label, ink=VERMILLION, shape="o", width=0.0))
    start, at_end = (first.place[0], first.value), None if end is None else (end, run.value)
    series += [*searched, *_ends(run, start, at_end, [high - low])]
    panel = Panel(series, name, "value", xlim=(low, high), ylim=(bottom, top))
    return Chart(run.title, (panel,), _course(run))


def _others(run: Run) -> list[tuple[float, ...]]:
    """The places of a search from many starts beside the path: the starts, some of very many, and the other minima."""
    stride = -(-len(run.starts) // MOST_STARTS) or 1
    return [*run.starts[::stride], *(found.place for found in run.minima)]


def _searched(run: Run, others: Sequence[tuple[float, ...]], heights: Sequence[float]) -> list[Series]:
    """The marks of starts and other minima: over one variable at their values, over two where they are."""
    axes = list(zip(*others, strict=True)) or [(), ()]
    xs, ys = axes[0], axes[1] if len(axes) > 1 else heights
    number = len(xs) - len(run.minima)
    shown = f"{number} of {amount(len(run.starts), 'start')}" if number < len(run.starts) else ""
    marks = [
        Series(xs[:number], ys[:number], shown or amount(number, "start"), GRAY, "o", 0.0, 4.5, hollow=True),
        Series(
            xs[number:],
            ys[number:],
            f"other {'minima' if run.sign > 0 else 'maxima'}",
            BLACK,
            "*",
            0.0,
            10.0,
            hollow=True,
        ),
    ]
    return [series for series in marks if series.xs]


def _scales(run: Run) -> list[Scale]:
    ends = [] if run.answer is None else [run.answer]
    return scales_of(run.log, run.names, [*(p.place for p in run.points), *ends, *_others(run)])


def scales_of(log: str, names: Sequence[str], places: Sequence[Sequence[float]]) -> list[Scale]:
    """Return a scale for each coordinate. Raises UsageError where these places have none on a logarithmic axis."""
    scales = [Scale(letter in log) for letter in "xy"[: len(names)]]
    for i, (letter, name, scale) in enumerate(zip("xy", names, scales, strict=False)):
        outside = [place[i] for place in places if not place[i] > 0.0]
        if scale.log and outside:
            raise UsageError(
                f"--log {letter} needs numbers above 0, and {name} = {short(outside[0], 4)} is on the path",
                f"leave {letter} out",
            )
    return scales


def _course(run: Run) -> Courses:
    return [("value", [p.value for p in run.points])]


def _heights(curve: list[float], path: list[float]) -> tuple[float, float]:
    """Return the range of values to show: the path in any case, and of the curve what is no pole."""
    ordered = sorted(curve)
    robust = [ordered[len(ordered) // 50], ordered[-1 - len(ordered) // 50]] if ordered else []
    shown = [*robust, *path] or [0.0]
    return padded(min(shown), max(shown))


def _tangents(points: Sequence[Point], wide: float, high: float) -> list[Series]:
    """Return pieces of tangents, all of one length in the picture, at points that are not too near to each other."""
    pieces: list[tuple[float, float]] = []
    taken: list[float] = []
    for p in points:
        x = p.place[0]
        if p.slope is None or not isfinite(p.slope) or any(abs(x - t) < 2.0 * _TANGENT * wide for t in taken):
            continue
        taken.append(x)
        half = _TANGENT * wide / hypot(1.0, p.slope * wide / high)
        pieces += [(x - half, p.value - half * p.slope), (x + half, p.value + half * p.slope), (nan, nan)]
        if len(taken) == MOST_TANGENTS:
            break
    label = "tangent" if len(taken) == 1 else "tangents"
    drawn = joined(pieces)._replace(label=label, ink=ORANGE, width=1.5, detail=True)
    return [drawn] if taken else []


def joined(pieces: Sequence[tuple[float, float]]) -> Series:
    return Series([x for x, _ in pieces], [y for _, y in pieces])


def _iterations(run: Run) -> str:
    return amount(run.points[-1].iteration, "iteration") if run.followed else ""


def _ends(
    run: Run, start: tuple[float, float], end: tuple[float, float] | None, spans: Sequence[float]
) -> list[Series]:
    """The marks of start and end; two signs of different shape and size, so that one shows under the other."""
    first = place_text(run.names, run.points[0].place)
    marks = [Series([start[0]], [start[1]], f"start {first}", BLACK, "o", 0.0, 9.0, hollow=True)]
    if end is not None and run.answer is not None:
        last = place_text(run.names, run.answer, spans)
        marks.append(Series([end[0]], [end[1]], f"{run.word} {last}", BLACK, "*", 0.0, 13.0))
    return marks


def place_text(names: Sequence[str], place: Sequence[float], spans: Sequence[float] | None = None) -> str:
    """Return a place as x = 1, or (1, -2); what is found, not typed, as exactly as ``spans`` of the picture show."""
    shown = (
        place if spans is None else [rounded(value, span) for value, span in zip(place, spans, strict=True)]
    )
    texts = [short(value, 4) for value in shown]
    return f"{names[0]} = {texts[0]}" if len(texts) == 1 else f"({', '.join(texts)})"


def _bounds(walls: Sequence[tuple[float, float]]) -> Series:
    label = "bounds" if walls else ""
    return joined(walls)._replace(label=label, ink=GRAY, width=1.4, dashed=True)


# -- two variables -----------------------------------------------------------------------------------------------


def contours(run: Run, values: Values, resolution: int) -> Contours:
    """Return the contours around the path; what runs off to infinity is cut at the edge of the picture."""
    scales = _scales(run)
    walked = zip(*(p.place for p in run.points), strict=True)
    axes = [list(map(scale.to, column)) for scale, column in zip(scales, walked, strict=True)]
    others = [(scales[0].to(a), scales[1].to(b)) for a, b in _others(run)]
    shown = [[*column, *(place[i] for place in others)] for i, column in enumerate(axes)]
    ends = [None, None] if run.answer is None else [s.to(v) for s, v in zip(scales, run.answer, strict=True)]
    x, y, equal = common_scale(*(window(c, end) for c, end in zip(shown, ends, strict=True)))
    path = cut(axes[0], axes[1], x, y)
    line = joined(path)._replace(
        label=_iterations(run), ink=VERMILLION, shape="o", size=4.0, width=1.5, marked=apart(path, x, y, NEAR)
    )
    bounds = [(scale.to(low), scale.to(high)) for scale, (low, high) in zip(scales, run.bounds, strict=False)]
    walls = [_bounds(_walls(bounds, x, y))] if bounds else []
    start = axes[0][0], axes[1][0]
    end = None if ends[0] is None or ends[1] is None else (ends[0], ends[1])
    spans = [scale.back(high) - scale.back(low) for scale, (low, high) in zip(scales, (x, y), strict=True)]
    marks = _ends(run, start, end, spans)
    series = [*walls, *_searched(run, others, ()), line, *marks]
    view = View(x, y, equal, scales)
    drawn = height_map(run.title, run.names, view, series, run.sign, values, resolution)
    edges = () if run.limits is None else run.limits.edges(drawn.xs, drawn.ys)
    return drawn._replace(courses=_course(run), edges=edges)


def _walls(
    bounds: Sequence[tuple[float, float]], x: tuple[float, float], y: tuple[float, float]
) -> list[tuple[float, float]]:
    """The bounds as far as they lie in the picture, each a line along the box that they make."""
    (left, right), (lower, upper) = (
        (max(low, view[0]), min(high, view[1])) for (low, high), view in zip(bounds, (x, y), strict=True)
    )
    pieces: list[tuple[float, float]] = []
    for wall in bounds[0]:
        if x[0] < wall < x[1]:
            pieces += [(wall, lower), (wall, upper), (nan, nan)]
    for wall in bounds[1]:
        if y[0] < wall < y[1]:
            pieces += [(left, wall), (right, wall), (nan, nan)]
    return pieces


class View(NamedTuple):
    """What a picture of two variables shows: ranges on ``scales``, one an axis; ``equal`` where both are as long."""

    x: tuple[float, float]
    y: tuple[float, float]
    equal: bool
    scales: Sequence[Scale]


def height_map(
    title: Title,
    names: Sequence[str],
    view: View,
    series: Sequence[Series],
    sign: int,
    values: Values,
    resolution: int,
) -> Contours:
    """Return the contours of a view; the series are given on its scales."""
    x, y, equal, scales = view
    xs, ys = (
        list(map(scale.back, spaced(*ends, resolution))) for scale, ends in zip(scales, (x, y), strict=True)
    )
    flat = finite(values([(a, b) for b in ys for a in xs]))
    rows = [flat[j * resolution : (j + 1) * resolution] for j in range(resolution)]
    logs = [scale.log for scale in scales]
    placed = [
        s._replace(xs=list(map(scales[0].back, s.xs)), ys=list(map(scales[1].back, s.ys))) for s in series
    ]
    heights = levels(flat, sign)
    return Contours(
        title,
        names[0],
        names[1],
        xs,
        ys,
        rows,
        heights,
        placed,
        (),
        sign,
        equal and not any(logs),
        logs[0],
        logs[1],
    )


# -- more variables ----------------------------------------------------------------------------------------------


def progress(run: Run) -> Chart:
    """Return the value above the best one and the gradient norm, against the iteration, on logarithmic scales."""
    steps = [p.iteration for p in run.points]
    shape = "o" if len(steps) <= MARKED else ""
    best = min(run.sign * v for v in [run.value, *(p.value for p in run.points)] if isfinite(v)) - run.gap
    left = gaps([p.value for p in run.points], run.sign, best)
    log = any(isfinite(gap) for gap in left)
    ys = left if log else finite([p.value for p in run.points])
    label = above(run.sign) if log else "value"
    series = [Series(steps, ys, ink=VERMILLION, shape=shape, size=3.5)]
    panels = [Panel(series, "iteration", label, ylog=log, whole=True)]
    norms = [positive(p.gradient_norm) for p in run.points]
    if any(map(isfinite, norms)):
        series = [Series(steps, norms, ink=BLUE, shape=shape, size=3.5)]
        panels.append(Panel(series, "iteration", "gradient norm", ylog=True, whole=True))
    courses = [(panel.ylabel, panel.series[0].ys) for panel in panels]
    if run.minima:
        panels.append(_waterfall(run))
    return Chart(run.title, tuple(panels), courses)


def _waterfall(run: Run) -> Panel:
    """The value that each start led to, the best first: steps are minima, and as wide as they are easily found."""
    values = [found.value for found in run.minima for _ in range(found.starts)]
    stride = -(-len(values) // MOST_STARTS)
    xs = list(range(1, len(values) + 1))[::stride]
    series = Series(xs, values[::stride], ink=GREEN, shape="o", width=1.0, size=3.5)
    return Panel((series,), "start, the best first", f"{run.word} reached", whole=True, own=True)


def above(sign: int) -> str:
    return "value above the best" if sign > 0 else "value below the best"


def positive(value: float | None) -> float:
    """The value where a logarithmic axis can show it, else nan."""
    return value if value is not None and 0.0 < value <= MOST_DRAWN else nan


def gaps(values: Sequence[float], sign: int, best: float) -> list[float]:
    return [positive(sign * v - best) for v in values]


# -- boxes of two variables --------------------------------------------------------------------------------------------

# A box from (low, high) of the one variable to (low, high) of the other.
Rectangle = tuple[tuple[float, float], tuple[float, float]]


def box_map(
    run: Run, cover: Sequence[Rectangle], left: Sequence[Rectangle], values: Values, resolution: int
) -> Contours:
    """Return the contours within the bounds, the boxes of the ``cover``, and those that may hold the best point."""
    x, y, equal = common_scale(*run.bounds)
    label = amount(len(cover), "box of the proof", "boxes of the proof")
    series = [joined(_outlines(cover))._replace(label=label, ink=BLACK, width=0.7, detail=True)]
    if left:
        centers = [tuple(0.5 * a + 0.5 * b for a, b in box) for box in left]
        told = amount(len(left), f"box that may hold a {run.word}", f"boxes that may hold a {run.word}")
        xs, ys = ([center[k] for center in centers] for k in (0, 1))
        series.append(Series(xs, ys, told, VERMILLION, "s", 0.0, 7.0, hollow=True))
    if run.answer is not None:
        spans = [x[1] - x[0], y[1] - y[0]]
        text = f"{run.word} {place_text(run.names, run.answer, spans)}"
        series.append(Series([run.answer[0]], [run.answer[1]], text, BLACK, "*", 0.0, 11.0))
    view = View(x, y, equal, [Scale(False), Scale(False)])
    return height_map(run.title, run.names, view, series, run.sign, values, resolution)


def _outlines(boxes: Sequence[Rectangle]) -> list[tuple[float, float]]:
    pieces: list[tuple[float, float]] = []
    for (a, b), (c, d) in boxes:
        pieces += [(a, c), (b, c), (b, d), (a, d), (a, c), (nan, nan)]
    return pieces
