"""Pictures in a terminal: the same descriptions in characters, laid out by plotext where it is installed.

A terminal cell holds eight dots of braille, fine enough for curves and contours; paths and marks take a whole cell,
so that they can be told apart without colours. plotext changed all its names between versions 5 and 6; the little that
is needed of it (dots in a frame with ticks) is asked of either. Without plotext a sparkline has to do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import ceil, floor, inf, isfinite, isnan, log10, nan
from typing import Any

from gdcli.report import plots
from gdcli.report.faults import columns as columns_of
from gdcli.report.page import wrap
from gdcli.report.plot_data import (
    BLACK,
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Contours,
    Panel,
    Picture,
    Place,
    Series,
    padded,
    spaced,
)
from gdcli.report.sparkline import BLOCKS, Bars, sparkline

ROWS = 20  # of a picture; each of two panels has fewer
_ROWS_OF_TWO = 12
_WIDEST = 120
# The nearest colours among the 256 of a terminal; black is whatever the terminal writes in.
_COLOURS = {VERMILLION: 166, BLUE: 33, GREEN: 36, ORANGE: 214, PURPLE: 175, SKY: 74, GRAY: 244, BLACK: None}
_MARKS = "•x+o*#@%"
_ASCII_MARKS = "ox+*#@%&"
_PLAIN = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|||+++")

Dots = list[Place]


def draw(picture: Picture, width: int, colour: bool, bars: Bars = BLOCKS) -> str:
    """Return the picture as lines of at most ``width`` columns, in ``colour`` or without.

    ``bars`` tells which characters the stream can carry. Without plotext: sparklines, and how to install it.
    """
    try:
        import plotext
    except ImportError:
        return _sparklines(picture, width, bars)
    width = min(width, _WIDEST)
    unicode = bars is BLOCKS
    parts = [_centred(picture.title.text, width)]
    if isinstance(picture, Contours):
        panel = Panel(
            picture.series,
            picture.xlabel,
            picture.ylabel,
            picture.xlog,
            picture.ylog,
            xlim=(picture.xs[0], picture.xs[-1]),
            ylim=(picture.ys[0], picture.ys[-1]),
        )
        parts.append(_panel(plotext, panel, width, ROWS, colour, unicode, _outlines(picture)))
    else:
        rows = ROWS if len(picture.panels) == 1 else _ROWS_OF_TWO
        parts += [_panel(plotext, panel, width, rows, colour, unicode) for panel in picture.panels]
    return "".join(parts)


def _centred(text: str, width: int) -> str:
    return " " * max(0, (width - columns_of(text)) // 2) + text + "\n"


def _sparklines(picture: Picture, width: int, bars: Bars) -> str:
    label = max((columns_of(name) for name, _ in picture.courses), default=0)
    lines = [picture.title.text]
    for name, values in picture.courses:
        known = [v for v in values if not isnan(v)]
        lines.append(f"{name.ljust(label)}  {sparkline(known, max(8, min(60, width - label - 2)), bars)}")
    lines.append(f"a picture in the terminal needs plotext: {plots.INSTALL}")
    return "".join(line + "\n" for line in lines)


def _panel(
    plotext: Any,
    panel: Panel,
    width: int,
    rows: int,
    colour: bool,
    unicode: bool,
    outlines: Sequence[Place] = (),
) -> str:
    if panel.note:
        return "".join(line + "\n" for line in wrap(panel.note, width))
    layers = list(_layers(panel, unicode))
    if outlines:
        layers.insert(0, (list(outlines), "braille" if unicode else ".", GRAY, ""))
    known = [dot for dots, *_ in layers for dot in dots]
    xlim = _limits([x for x, _ in known], panel.xlim, panel.xlog)
    ylim = _limits([y for _, y in known], panel.ylim, panel.ylog)
    if panel.signed:
        layers.insert(
            0, ([(x, 0.0) for x in spaced(*xlim, 2 * width)], "braille" if unicode else "-", GRAY, "")
        )
    inside = [
        ([(x, y) for x, y in dots if xlim[0] <= x <= xlim[1] and ylim[0] <= y <= ylim[1]], mark, ink)
        for dots, mark, ink, _ in layers
    ]
    ticks = _ticks(*xlim, panel.xlog, max(2, width // 16)), _ticks(*ylim, panel.ylog, max(2, rows // 4))
    frame = _version_6 if hasattr(plotext, "figure") else _version_5
    text = frame(plotext, [layer for layer in inside if layer[0]], (xlim, ylim), ticks, (width, rows))
    if not colour:
        text = plotext.uncolorize(text)
    text = "".join(line.rstrip() + "\n" for line in text.splitlines())
    if not unicode:
        text = text.translate(_PLAIN)
    legend = _legend([f"{mark} {label}" for _, mark, _, label in layers if label], width)
    return f"{panel.ylabel}\n{text}{_centred(panel.xlabel, width)}{legend}"


def _legend(entries: Sequence[str], width: int) -> str:
    """The names of the marks, each on one line."""
    lines: list[str] = []
    for entry in entries:
        if lines and columns_of(lines[-1]) + 3 + columns_of(entry) <= width:
            lines[-1] += "   " + entry
        else:
            lines += wrap(entry, width)
    return "".join(line + "\n" for line in lines)


def _layers(panel: Panel, unicode: bool) -> Iterator[tuple[Dots, str, str, str]]:
    """The series as dots with a character each: braille for a curve without a name, a mark for what has one."""
    marks = iter((_MARKS if unicode else _ASCII_MARKS) * len(panel.series))
    width = panel.xlim, panel.ylim
    for s in panel.series:
        if s.detail:
            continue
        dots = list(_dots(s, panel, width))
        if s.hollow and s.ink == BLACK:
            mark = "S"
        elif s.shape == "*":
            mark = "E"
        elif s.hollow:
            mark = "O"
        elif not s.label:
            mark = "braille" if unicode else "."
        else:
            mark = s.shape if s.shape in ("x", "+") else next(marks)
        yield dots, mark, s.ink, s.label


def _dots(s: Series, panel: Panel, limits: Any) -> Iterator[tuple[float, float]]:
    """The points of a series, with those of the lines between them."""
    before = (nan, nan)
    for x, y in zip(s.xs, s.ys, strict=True):
        here = _scaled(x, panel.xlog), _scaled(y, panel.ylog)
        if s.width and isfinite(sum(before)) and isfinite(sum(here)):
            pieces = _pieces(before, here, limits)
            yield from (
                (
                    before[0] + (here[0] - before[0]) * k / pieces,
                    before[1] + (here[1] - before[1]) * k / pieces,
                )
                for k in range(1, pieces)
            )
        if isfinite(sum(here)):
            yield here
        before = here


def _pieces(a: tuple[float, float], b: tuple[float, float], limits: Any) -> int:
    """Into how many pieces a line is cut, so that no cell on its way is left out."""
    parts = [
        abs(q - p) / (ends[1] - ends[0])
        for p, q, ends in zip(a, b, limits, strict=True)
        if ends and ends[1] > ends[0]
    ]
    return max(1, min(2000, ceil(400.0 * max(parts)))) if len(parts) == 2 else 24


def _scaled(value: float, log: bool) -> float:
    if not log:
        return value
    return log10(value) if 0.0 < value < inf else nan


def _limits(values: Sequence[float], given: tuple[float, float] | None, log: bool) -> tuple[float, float]:
    if given is not None:
        return _scaled(given[0], log), _scaled(given[1], log)
    return padded(min(values), max(values)) if values else (0.0, 1.0)


def _ticks(low: float, high: float, log: bool, most: int) -> tuple[list[float], list[str]]:
    """Return at most so many round numbers in a range, with their labels; powers of ten on a logarithmic axis."""
    raw = (high - low) / most
    if not 0.0 < raw < inf:
        return [low], [format(low, ".4g")]
    power = 10.0 ** floor(log10(raw))
    stride = next(power * k for k in (1.0, 2.0, 5.0, 10.0) if power * k >= raw * (1.0 - 1e-9))
    if log:
        stride = max(1.0, float(round(stride)))
    places = [stride * k for k in range(ceil(low / stride - 1e-9), floor(high / stride + 1e-9) + 1)]
    return places, [f"1e{round(p):+03d}" if log else format(p + 0.0, ".6g") for p in places]


def _outlines(picture: Contours) -> Dots:
    """The dots of every second contour line: where neighbouring points lie on different sides of a level."""
    heights = picture.levels[::2]
    bands = [[nan if isnan(v) else bisect_right(heights, v) for v in row] for row in picture.values]
    dots: Dots = []
    for j in range(len(bands) - 1):
        row, above = bands[j], bands[j + 1]
        for i in range(len(row) - 1):
            here = row[i]
            if not (isnan(here) or isnan(row[i + 1]) or isnan(above[i])) and (
                here != row[i + 1] or here != above[i]
            ):
                dots.append((_scaled(picture.xs[i], picture.xlog), _scaled(picture.ys[j], picture.ylog)))
    return dots


Layers = Sequence[tuple[Dots, str, str]]
Limits = tuple[tuple[float, float], tuple[float, float]]
Ticks = tuple[tuple[list[float], list[str]], tuple[list[float], list[str]]]


def _version_6(plotext: Any, layers: Layers, limits: Limits, ticks: Ticks, size: tuple[int, int]) -> str:
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(*size)
    for dots, mark, ink in layers:
        colour = _COLOURS.get(ink)
        marker = plotext.marker(mark) if colour is None else plotext.marker(mark, colour)
        figure.draw(figure.signal([x for x, _ in dots], [y for _, y in dots], marker=marker))
    for axis, ends, (places, labels) in zip("xy", limits, ticks, strict=True):
        ruler = figure.ruler(axis)
        ruler.lim(*ends)
        ruler.ticks(places, labels)
    return str(figure.build().string())


def _version_5(plotext: Any, layers: Layers, limits: Limits, ticks: Ticks, size: tuple[int, int]) -> str:
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)
    plotext.plotsize(*size)
    for dots, mark, ink in layers:
        colour = _COLOURS.get(ink)
        plotext.scatter(
            [x for x, _ in dots],
            [y for _, y in dots],
            marker=mark,
            color="default" if colour is None else colour,
        )
    plotext.xlim(*limits[0])
    plotext.ylim(*limits[1])
    plotext.xticks(*ticks[0])
    plotext.yticks(*ticks[1])
    return str(plotext.build())
