"""Pictures of comparisons: learning rates side by side, the ways to a gradient side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite, log10, nan
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.number_format import short
from gdcli.render.figures import (
    MARKED,
    NEAR,
    View,
    above,
    gaps,
    height_map,
    joined,
    place_text,
    scales_of,
)
from gdcli.render.plot_data import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    SHAPES,
    VERMILLION,
    Chart,
    Contours,
    Panel,
    Series,
    Title,
    Values,
)
from gdcli.render.plot_geometry import (
    Range,
    apart,
    common_scale,
    cut,
    decades,
    finite,
    padded,
    side_by_side,
    window,
)

if TYPE_CHECKING:
    from gdcli.record.analyses import BestStepRecord, StepErrorsRecord


class RatePath(NamedTuple):
    """One learning rate: its verdict, the values (user's sign) and, where there are two variables, the places."""

    lr: float
    verdict: str
    values: Sequence[float]
    places: Sequence[tuple[float, ...]] = ()


# -- learning rates ----------------------------------------------------------------------------------------------


def rate_contours(
    title: Title,
    names: tuple[str, ...],
    paths: Sequence[RatePath],
    sign: int,
    values: Values,
    resolution: int,
    log: str = "",
) -> Contours:
    """Return the contours with the path of each rate; the ranges are those of the rates that do not diverge.

    ``log`` has the letters of the axes that are asked to be logarithmic; a path ends where it leaves them.
    """
    first = paths[0].places[0]
    scales = scales_of(log, names, [first])
    places_of = [[(scales[0].to(a), scales[1].to(b)) for a, b in p.places] for p in paths]
    start = places_of[0][0]
    calm = [places for p, places in zip(paths, places_of, strict=True) if p.verdict != "diverges"]
    # Not the whole way of a rate that diverges: the others would be a dot.
    shown_places = [place for places in calm or places_of for place in places]
    ends = start if calm else (None, None)
    x, y, equal = common_scale(
        *(window(c, e) for c, e in zip(zip(*shown_places, strict=True), ends, strict=True))
    )
    ways = [cut([a for a, _ in places], [b for _, b in places], x, y) for places in places_of]
    lines = []
    shifts = side_by_side(ways, x, y)
    for number, (p, way, shift) in enumerate(zip(paths, ways, shifts, strict=True)):
        # Paths that lie on each other: the first is the broadest, so that all can be seen.
        width = 1.6 if any(map(any, shifts)) else 1.4 + 0.5 * min(4, len(paths) - 1 - number)
        shape = SHAPES[number % len(SHAPES)]
        line = _coloured(joined(way), number)._replace(label=_told(p), width=width, shape=shape)
        marked = apart(way, x, y, 2.0 * NEAR)
        lines.append(line._replace(size=4.0 + width, marked=marked, shift=shift))
    told = f"start {place_text(names, first)}"
    lines.append(Series([start[0]], [start[1]], told, BLACK, "o", 0.0, 11.0, hollow=True))
    drawn = height_map(title, names, View(x, y, equal, scales), lines, sign, values, resolution)
    return drawn._replace(courses=[(_told(p), p.values) for p in paths])


def _told(path: RatePath) -> str:
    return f"{short(path.lr, 4)}: {path.verdict}"


def _coloured(series: Series, number: int) -> Series:
    return series._replace(ink=CYCLE[number % len(CYCLE)], dashed=number >= len(CYCLE))


_GROWN, _GONE = 1e3, 1e-16  # a gap this many times that of the start is out of the picture


def _heights(curves: Sequence[Sequence[float]], wild: Sequence[bool], first: float) -> Range | None:
    """Return the range of a logarithmic axis for these gaps; None: there is no way to tell.

    The ``wild`` ones, which diverge, are shown as far as the others reach, and where there are no others for a while.
    """
    known = [[gap for gap in curve if isfinite(gap)] for curve in curves]
    calm = [gap for gaps, is_wild in zip(known, wild, strict=True) if not is_wild for gap in gaps]
    shown = calm or [gap for gaps in known for gap in gaps]
    if not shown or not isfinite(first):
        return None
    return decades(max(min(shown), _GONE * first), min(max(*shown, first), _GROWN * first))


class Course(NamedTuple):
    """The values (user's sign) on the way of a run, by the number of the step; a ``wild`` one diverges."""

    label: str
    wild: bool
    points: Sequence[tuple[int, float]]


def rate_values(title: Title, paths: Sequence[RatePath], sign: int, best: float) -> Chart:
    """Return the value above the best (of the minimised function) against the step, a curve for each rate."""
    found = [Course(_told(p), p.verdict == "diverges", list(enumerate(p.values))) for p in paths]
    return courses(title, found, sign, best, "step")


def courses(title: Title, runs: Sequence[Course], sign: int, best: float, xlabel: str) -> Chart:
    """Return the value above the best of all, and of ``best``, on a logarithmic axis; a curve for each run.

    ``best`` is a value of the minimised function. Where nothing is above it the values themselves are shown.
    """
    best = min([best, *(sign * v for run in runs for _, v in run.points if isfinite(v))])
    above_best = [gaps([v for _, v in run.points], sign, best) for run in runs]
    log = any(isfinite(gap) for curve in above_best for gap in curve)
    first = next((gap for curve in above_best for gap in curve[:1]), nan)
    ylim = _heights(above_best, [run.wild for run in runs], first)
    lines = _lines(runs, above_best if log else [finite([v for _, v in run.points]) for run in runs])
    note = "" if lines else "none of them made a step"
    panel = Panel(lines, xlabel, above(sign) if log else "value", ylog=log, ylim=ylim, whole=True, note=note)
    return Chart(title, (panel,), [(line.label, line.ys) for line in lines])


def _lines(runs: Sequence[Course], curves: Sequence[Sequence[float]]) -> list[Series]:
    lines = []
    for number, (run, ys) in enumerate(zip(runs, curves, strict=True)):
        marks = SHAPES[number % len(SHAPES)] if len(ys) <= MARKED else ""
        line = Series([step for step, _ in run.points], ys, run.label, shape=marks, size=3.5)
        lines.append(_coloured(line, number))
    return lines


# -- batch sizes -------------------------------------------------------------------------------------------------


def batch_losses(title: Title, runs: Sequence[Course], sign: int, lowest: float | None) -> Chart:
    """Return the mean loss against the rows visited, a curve for each batch size.

    Where the ``lowest`` is known it is how far the loss is above it, on a logarithmic scale.
    """
    wild, losses = [run.wild for run in runs], [[v for _, v in run.points] for run in runs]
    if lowest is not None:
        curves = [gaps(values, sign, sign * lowest) for values in losses]
        what = f"mean loss {'below its maximum' if sign < 0 else 'above its minimum'}"
        ylim = _heights(curves, wild, curves[0][0])
    else:
        curves, what = list(map(finite, losses)), "mean loss"
        calm = [y for ys, is_wild in zip(curves, wild, strict=True) if not is_wild for y in ys if y == y]
        ylim = padded(min(calm), max(calm)) if calm and any(wild) else None
    log = lowest is not None and any(isfinite(y) for ys in curves for y in ys)
    lines = _lines(runs, curves)
    panel = Panel(lines, "rows visited", what, ylog=log, ylim=ylim, whole=True)
    return Chart(title, (panel,), [(line.label, line.ys) for line in lines])


# -- gradients ---------------------------------------------------------------------------------------------------

_QUOTIENTS = (
    ("forward", "forward", VERMILLION, "o"),
    ("central", "central", BLUE, "s"),
    ("complex_step", "complex step", GREEN, "^"),
)


def errors(title: Title, rows: Sequence[StepErrorsRecord], best: Mapping[str, BestStepRecord]) -> Chart:
    """Return the error of each difference quotient against h, on logarithmic scales, the best h marked.

    A ring marks the one to be expected, a cross that of the least error seen.

    An error of exactly 0 lies at the floor of the picture, which is marked so.
    """
    found = {name: _errors(rows, name) for name, *_ in _QUOTIENTS}
    known = [error for pairs in found.values() for _, error in pairs if 0.0 < error < inf]
    floor = 10.0 ** (round(log10(min(known, default=1e-15))) - 1)
    series = []
    for name, label, ink, shape in _QUOTIENTS:
        pairs = [(h, max(error, floor)) for h, error in found[name] if isfinite(error)]
        if not pairs:
            continue
        told = f"{label}, best h = {short(best[name].h, 3)}" if name in best else label
        series.append(joined(pairs)._replace(label=told, ink=ink, shape=shape))
        if name in best:
            at = (best[name].h, max(best[name].error, floor))
            series.append(Series([at[0]], [at[1]], ink=ink, shape="o", width=0.0, size=14.0, hollow=True))
            seen = (best[name].least_h, max(best[name].least_error, floor))
            told = f"{label}, least error seen"
            series.append(Series([seen[0]], [seen[1]], told, ink, "X", width=0.0, size=9.0))
    exact = any(error == 0.0 for pairs in found.values() for _, error in pairs)
    panel = Panel(series, "step h", "largest error", xlog=True, ylog=True, floor=floor if exact else None)
    if not series:
        panel = Panel((), "step h", "largest error", note="there is no derivative here to compare with")
    return Chart(title, (panel,), [(s.label, s.ys) for s in series if s.label and s.width])


def _errors(rows: Sequence[StepErrorsRecord], name: str) -> list[tuple[float, float]]:
    """The pairs of h and the error of one kind of quotient, where there is one."""
    pairs = [(row.h, getattr(row, name)) for row in rows]
    return [(h, error) for h, error in pairs if error is not None]


def estimate(
    title: Title, name: str, xs: Sequence[float], actual: Sequence[float], guess: Sequence[float], h: float
) -> Chart:
    """Return the picture of the book: the actual derivative as x, its estimate by a forward quotient as +."""
    quotient = f"estimate, (f({name}+h) - f({name}))/h with h = {short(h, 4)}"
    series = (
        Series(xs, finite(actual), "actual", VERMILLION, "x", 0.0, 7.0),
        Series(xs, finite(guess), quotient, BLUE, "+", 0.0, 9.0),
    )
    return Chart(title, (Panel(series, name, f"derivative by {name}"),), [(s.label, s.ys) for s in series])
