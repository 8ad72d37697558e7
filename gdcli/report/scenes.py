"""From what was found to the picture of it: one function for each kind of question.

One variable shows its curve with the iterates and tangents on it, two show contours with the path, more show value
and gradient against the iteration. Nothing here evaluates anything: a function to sample comes in as `Values`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, inf, isfinite, log10, nan
from typing import TYPE_CHECKING, NamedTuple

from gdcli.report.faults import columns, harmless, shorten
from gdcli.report.numbers import amount, short
from gdcli.report.plot_data import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    ORANGE,
    SHAPES,
    VERMILLION,
    Chart,
    Contours,
    Panel,
    Point,
    Series,
    Values,
    common_scale,
    cut,
    finite,
    levels,
    padded,
    spaced,
    window,
)

if TYPE_CHECKING:
    from gdcli.calculus.audit import Best, ErrorRow

TITLE = 62  # characters of a title
CURVE_POINTS = 601
MOST_TANGENTS = 4
_MARKED = 60  # a path of more points has no dots on it
_TANGENT = 0.11  # half the length of a tangent, as a part of the picture's width


class Run(NamedTuple):
    """A path with its answer: the place, the value and a word for it (``minimum``, ``end``)."""

    title: str
    names: tuple[str, ...]
    points: Sequence[Point]
    answer: tuple[float, ...]
    value: float
    word: str
    sign: int


class RatePath(NamedTuple):
    """One learning rate: its verdict, the values (user's sign) and, where there are two variables, the places."""

    lr: float
    verdict: str
    values: Sequence[float]
    places: Sequence[tuple[float, ...]] = ()


def title(expression: str) -> str:
    """Return an expression as the title of a picture: on one line, not too long, without control characters."""
    text = harmless(" ".join(expression.split()))
    text = shorten(text, TITLE)
    while columns(text) > TITLE:
        text = shorten(text, len(text) - 2)
    return text


# -- one variable ----------------------------------------------------------------------------------------------


def curve(run: Run, values: Values) -> Chart:
    """Return the curve around the path, the iterates on it, and tangents at some of them."""
    places = [p.place[0] for p in run.points]
    start, (end,) = places[0], run.answer
    low, high = padded(*window(places, start, end))
    xs = spaced(low, high, CURVE_POINTS)
    ys = finite(values([(x,) for x in xs]))
    on_path = [p for p in run.points if low <= p.place[0] <= high and isfinite(p.value)]
    bottom, top = _heights([y for y in ys if isfinite(y)], [p.value for p in on_path])
    name = run.names[0]
    series = [Series(xs, ys, ink=BLUE, width=2.0)]
    tangents = _tangents(on_path, high - low, top - bottom)
    if tangents:
        label = "tangent" if tangents.count(nan) == 1 else "tangents"
        series.append(_joined(tangents)._replace(label=label, ink=ORANGE, width=2.2))
    series.append(
        Series(
            [p.place[0] for p in on_path],
            [p.value for p in on_path],
            label=_iterations(run),
            ink=VERMILLION,
            shape="o",
            width=0.0,
        )
    )
    first = run.points[0]
    series += _ends(f"{name} = {short(start, 4)}", (start, first.value), run, f"{name} = {short(end, 4)}", (end, run.value))
    return Chart(run.title, (Panel(series, name, "value", xlim=(low, high), ylim=(bottom, top)),))


def _heights(curve: list[float], path: list[float]) -> tuple[float, float]:
    """Return the range of values to show: the path in any case, and of the curve what is no pole."""
    ordered = sorted(curve)
    robust = [ordered[len(ordered) // 50], ordered[-1 - len(ordered) // 50]] if ordered else []
    shown = [*robust, *path] or [0.0]
    return padded(min(shown), max(shown))


def _tangents(points: Sequence[Point], wide: float, high: float) -> list[tuple[float, float]]:
    """Return pieces of tangents, all of one length in the picture, at points that are not too near to each other."""
    pieces: list[tuple[float, float]] = []
    taken: list[float] = []
    for p in points:
        x = p.place[0]
        if p.slope is None or not isfinite(p.slope) or any(abs(x - t) < _TANGENT * wide for t in taken):
            continue
        taken.append(x)
        half = _TANGENT * wide / hypot(1.0, p.slope * wide / high)
        pieces += [(x - half, p.value - half * p.slope), (x + half, p.value + half * p.slope), (nan, nan)]
        if len(taken) == MOST_TANGENTS:
            break
    return pieces


def _joined(pieces: Sequence[tuple[float, float]]) -> Series:
    return Series([x for x, _ in pieces], [y for _, y in pieces])


def _iterations(run: Run) -> str:
    return amount(run.points[-1].iteration, "iteration")


def _ends(first: str, start: tuple[float, float], run: Run, last: str, end: tuple[float, float]) -> list[Series]:
    """The marks of start and end; two signs of different shape and size, so that one shows under the other."""
    return [
        Series([start[0]], [start[1]], f"start, {first}", BLACK, "o", 0.0, 9.0, hollow=True),
        Series([end[0]], [end[1]], f"{run.word}, {last}", BLACK, "*", 0.0, 13.0),
    ]


# -- two variables -----------------------------------------------------------------------------------------------


def contours(run: Run, values: Values, resolution: int) -> Contours:
    """Return the contours around the path; what runs off to infinity is cut at the edge of the picture."""
    columns_of = list(zip(*(p.place for p in run.points), strict=True))
    (x, y), equal = _box([list(c) for c in columns_of], run.points[0].place, run.answer)
    path = cut(*columns_of, x, y)
    marked = len(path) <= _MARKED
    line = _joined(path)._replace(
        label=_iterations(run), ink=VERMILLION, shape="o" if marked else "", size=4.0, width=1.5
    )
    start = run.points[0].place
    ends = _ends(_pair(start), (start[0], start[1]), run, _pair(run.answer), (run.answer[0], run.answer[1]))
    return _map(run.title, run.names, x, y, equal, [line, *ends], run.sign, values, resolution)


def _box(
    columns_of: Sequence[Sequence[float]], start: Sequence[float], end: Sequence[float]
) -> tuple[tuple[tuple[float, float], tuple[float, float]], bool]:
    x, y = (window(c, a, b) for c, a, b in zip(columns_of, start, end, strict=True))
    x, y, equal = common_scale(x, y)
    return (x, y), equal


def _pair(place: Sequence[float]) -> str:
    return f"({', '.join(short(v, 4) for v in place)})"


def _map(
    title: str,
    names: Sequence[str],
    x: tuple[float, float],
    y: tuple[float, float],
    equal: bool,
    series: Sequence[Series],
    sign: int,
    values: Values,
    resolution: int,
) -> Contours:
    xs, ys = spaced(*x, resolution), spaced(*y, resolution)
    flat = finite(values([(a, b) for b in ys for a in xs]))
    rows = [flat[j * resolution : (j + 1) * resolution] for j in range(resolution)]
    return Contours(title, names[0], names[1], xs, ys, rows, levels(flat, sign), series, sign, equal)


# -- more variables ----------------------------------------------------------------------------------------------


def progress(run: Run) -> Chart:
    """Return the value above the best one and the gradient norm, against the iteration, on logarithmic scales."""
    steps = [p.iteration for p in run.points]
    shape = "o" if len(steps) <= _MARKED else ""
    best = min(run.sign * v for v in [run.value, *(p.value for p in run.points)] if isfinite(v))
    gaps = _gaps([p.value for p in run.points], run.sign, best)
    log = any(isfinite(gap) for gap in gaps)
    ys = gaps if log else finite([p.value for p in run.points])
    label = _above(run.sign) if log else "value"
    panels = [Panel([Series(steps, ys, ink=VERMILLION, shape=shape, size=3.5)], "iteration", label, ylog=log, whole=True)]
    norms = [_positive(p.gradient_norm) for p in run.points]
    if any(map(isfinite, norms)):
        series = [Series(steps, norms, ink=BLUE, shape=shape, size=3.5)]
        panels.append(Panel(series, "iteration", "gradient norm", ylog=True, whole=True))
    return Chart(run.title, tuple(panels))


def _above(sign: int) -> str:
    return "value above the best" if sign > 0 else "value below the best"


def _positive(value: float | None) -> float:
    """The value where a logarithmic axis can show it, else nan."""
    return value if value is not None and 0.0 < value < inf else nan


def _gaps(values: Sequence[float], sign: int, best: float) -> list[float]:
    return [_positive(sign * v - best) for v in values]


# -- learning rates ----------------------------------------------------------------------------------------------


def rate_contours(
    title: str, names: tuple[str, ...], paths: Sequence[RatePath], sign: int, values: Values, resolution: int
) -> Contours:
    """Return the contours with the path of each rate; the ranges are those of the rates that do not diverge."""
    start = paths[0].places[0]
    calm = [p for p in paths if p.verdict != "diverges"] or list(paths)
    best = min(calm, key=lambda p: sign * p.values[len(p.places) - 1] if p.places else inf)
    end = best.places[-1] if best.verdict != "diverges" else start
    places = [place for p in calm for place in p.places]
    (x, y), equal = _box([list(c) for c in zip(*places, strict=True)], start, end)
    lines = []
    for number, p in enumerate(paths):
        shown = cut([a for a, _ in p.places], [b for _, b in p.places], x, y)
        lines.append(_styled(_joined(shown), number, p)._replace(shape=SHAPES[number % len(SHAPES)], size=4.5))
    lines.append(Series([start[0]], [start[1]], f"start, {_pair(start)}", BLACK, "o", 0.0, 9.0, hollow=True))
    return _map(title, names, x, y, equal, lines, sign, values, resolution)


def _styled(series: Series, number: int, path: RatePath) -> Series:
    label = f"{short(path.lr, 4)}: {path.verdict}"
    return series._replace(label=label, ink=CYCLE[number % len(CYCLE)], dashed=number >= len(CYCLE))


_GROWN, _GONE = 1e3, 1e-16  # a gap this many times that of the start is out of the picture


def rate_values(title: str, paths: Sequence[RatePath], sign: int, best: float) -> Chart:
    """Return the value above the best (of the minimised function) against the step, a curve for each rate."""
    best = min([best, *(sign * v for p in paths for v in p.values if isfinite(v))])
    lines = []
    for number, p in enumerate(paths):
        gaps = _gaps(p.values, sign, best)
        marks = SHAPES[number % len(SHAPES)] if len(gaps) <= _MARKED else ""
        lines.append(_styled(Series(range(len(gaps)), gaps, shape=marks, size=3.5), number, p))
    shown = [gap for line in lines for gap in line.ys if isfinite(gap)]
    first = _positive(sign * paths[0].values[0] - best)
    ylim = None
    if shown and isfinite(first):
        low, high = max(min(shown), _GONE * first), min(max(shown), _GROWN * first)
        ylim = (low / 3.0, high * 3.0)
    log = bool(shown)
    if not log:
        lines = [line._replace(ys=finite(p.values)) for line, p in zip(lines, paths, strict=True)]
    return Chart(title, (Panel(lines, "step", _above(sign) if log else "value", ylog=log, ylim=ylim, whole=True),))


# -- gradients ---------------------------------------------------------------------------------------------------

_QUOTIENTS = (
    ("forward", "forward", VERMILLION, "o"),
    ("central", "central", BLUE, "s"),
    ("complex_step", "complex step", GREEN, "^"),
)


def errors(title: str, rows: Sequence[ErrorRow], best: dict[str, Best]) -> Chart:
    """Return the error of each difference quotient against h, on logarithmic scales, the best h marked.

    An error of exactly 0 lies at the floor of the picture, which is marked so.
    """
    found = {name: [(row.h, abs(way.error)) for row in rows if (way := getattr(row, name)) and way.error is not None] for name, *_ in _QUOTIENTS}
    known = [error for pairs in found.values() for _, error in pairs if 0.0 < error < inf]
    floor = 10.0 ** (round(log10(min(known, default=1e-15))) - 1)
    series = []
    for name, label, ink, shape in _QUOTIENTS:
        pairs = [(h, max(error, floor)) for h, error in found[name] if isfinite(error)]
        if not pairs:
            continue
        told = f"{label}, best h = {short(best[name].h, 3)}" if name in best else label
        series.append(_joined(pairs)._replace(label=told, ink=ink, shape=shape))
        if name in best:
            at = (best[name].h, max(best[name].error, floor))
            series.append(Series([at[0]], [at[1]], ink=ink, shape="o", width=0.0, size=14.0, hollow=True))
    exact = any(error == 0.0 for pairs in found.values() for _, error in pairs)
    panel = Panel(series, "step h", "largest error", xlog=True, ylog=True, floor=floor if exact else None)
    return Chart(title, (panel,))


def estimate(title: str, name: str, xs: Sequence[float], actual: Sequence[float], guess: Sequence[float], h: float) -> Chart:
    """Return the picture of the book: the actual derivative as x, its estimate by a forward quotient as +."""
    quotient = f"estimate, (f({name}+h) - f({name}))/h with h = {short(h, 4)}"
    series = (
        Series(xs, finite(actual), "actual", VERMILLION, "x", 0.0, 7.0),
        Series(xs, finite(guess), quotient, BLUE, "+", 0.0, 9.0),
    )
    return Chart(title, (Panel(series, name, f"derivative by {name}"),))
