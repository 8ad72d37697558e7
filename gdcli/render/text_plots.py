"""Pictures in text: a row of small bars in the width of a word, and pictures in a terminal, laid out by plotext.

A sparkline is a graph without axes, read along with the text (Tufte, Beautiful Evidence, 2006). Numbers that span
more than two decades are drawn on a logarithmic scale, or everything but the first bars would lie flat on the ground.
Numbers of both signs have no logarithm; there it is the height above the lowest of them that counts. What is not a
finite number has a mark of its own and does not take part in the scale.

Pictures are the same descriptions as in files. A terminal cell holds eight dots of braille, fine enough for curves and
contours; paths and marks take a whole cell, so that they can be told apart without colours. plotext changed all its
names between versions 5 and 6; the little that is needed of it (dots in a frame with ticks) is asked of either. Without
plotext a sparkline has to do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, floor, inf, isfinite, isnan, log10, nan
from types import ModuleType
from typing import TextIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import columns_of, shorten
from gdcli.render.page import carries, wrap
from gdcli.render.plot_data import (
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
    Series,
)
from gdcli.render.plot_geometry import Place, padded, spaced, ticks_of


class Bars(NamedTuple):
    """The characters of the bars from low to high, and the mark of what is not finite."""

    levels: str
    lost: str


BLOCKS = Bars("▁▂▃▄▅▆▇█", "×")
LETTERS = Bars("_.-:=+*#", "x")
_LOGARITHMIC = 2.0  # from here on the scale is logarithmic


def bars_of(stream: TextIO) -> Bars:
    """Return blocks where the stream's encoding can carry them, else characters of ASCII."""
    return BLOCKS if carries(stream, BLOCKS) else LETTERS


def sparkline(values: Sequence[float], width: int, bars: Bars = BLOCKS) -> str:
    """Return the course of ``values`` in at most ``width`` characters; each stands for the last of its share.

    Fewer values than ``width`` take a character each.
    """
    count = min(width, len(values))
    if count < 1:
        return ""
    shown = [values[(index + 1) * len(values) // count - 1] for index in range(count)]
    shown[0] = values[0] if isfinite(values[0]) else shown[0]
    heights = _bar_heights([v for v in shown if isfinite(v)])
    low, high = min(heights, default=0.0), max(heights, default=0.0)
    top = len(bars.levels) - 1
    # Of equal numbers none is low or high: they lie in the middle.
    levels = [round(top * (h - low) / (high - low)) if high > low else top // 2 for h in heights]
    drawn = iter([bars.levels[level] for level in levels])
    return "".join(next(drawn) if isfinite(v) else bars.lost for v in shown)


def _bar_heights(values: list[float]) -> list[float]:
    """Return how high the bars are, on the scale that suits the numbers."""
    if not values:
        return []
    low, high = min(values), max(values)
    if low < 0.0 < high:
        # Halved, so that the difference of the largest numbers of both signs is a number.
        values = [v / 2.0 - low / 2.0 for v in values]
    sizes = [abs(v) for v in values if v != 0.0]
    least, most = min(sizes, default=1.0), max(sizes, default=1.0)
    if log10(most) - log10(least) <= _LOGARITHMIC:
        return [v / most for v in values]
    # Zero lies a little below the smallest number, as it has no logarithm; of negative numbers -1 is above -10.
    down = -1.0 if high <= 0.0 else 1.0
    return [down * (log10(abs(v)) if v != 0.0 else log10(least) - 1.0) for v in values]


# -- pictures ---------------------------------------------------------------------------------------------------------


LINES = 26  # of a picture where nobody said how high the terminal is
_LEAST, _MOST = 8, 32  # rows of a panel with its frame and numbers
_WIDEST = 120
_CELLS = 40  # along a path
_BAR = 25  # dots of a bar: the height of a whole panel has no more than some 70
# The nearest colours among the 256 of a terminal; black is whatever the terminal writes in.
_COLOURS = {VERMILLION: 166, BLUE: 33, GREEN: 36, ORANGE: 214, PURPLE: 175, SKY: 74, GRAY: 244, BLACK: None}
_MARKS = "•x+o*#@%"
_ASCII_MARKS = "ox+*#@%&"
_PLAIN = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|||+++")

Dots = list[Place]
Layers = Sequence[tuple[Dots, str, str]]
Limits = tuple[tuple[float, float], tuple[float, float]]
Ticks = tuple[tuple[list[float], list[str]], tuple[list[float], list[str]]]


def draw(picture: Picture, width: int, colour: bool, bars: Bars = BLOCKS, lines: int = LINES) -> str:
    """Return the picture as lines of at most ``width`` columns, in ``colour`` or without; some ``lines`` if possible.

    ``bars`` tells which characters the stream can carry. Without plotext: sparklines, and how to install it.
    """
    try:
        import plotext
    except ImportError:
        return _sparklines(picture, width, bars)
    width = min(width, _WIDEST)
    unicode = bars is BLOCKS
    outlines: Sequence[Place] = ()
    panels: Sequence[Panel] = ()
    if isinstance(picture, Contours):
        limits = (picture.xs[0], picture.xs[-1]), (picture.ys[0], picture.ys[-1])
        words = picture.xlabel, picture.ylabel, picture.xlog, picture.ylog
        panels = (Panel(picture.series, *words, *limits),)
        outlines = _outlines(picture)
    else:
        panels = picture.panels
    boxes = [_box(panel, width, unicode, outlines) for panel in panels]
    heights = _heights(panels, boxes, lines)
    upright = [
        ticks_of(*box.ylim, box.panel.ylog, rows // 4, rows - 3)
        for box, rows in zip(boxes, heights, strict=True)
    ]
    margin = max((len(label) for _, labels in upright for label in labels), default=0)
    parts = [_centred(shorten(picture.title.text, width), width)]
    for k, (box, rows, (places, labels)) in enumerate(zip(boxes, heights, upright, strict=True)):
        shared = k + 1 < len(boxes) and not panels[k + 1].own
        ticks = places, [label.rjust(margin) for label in labels]
        parts.append(_drawn(plotext, box, (width, rows), ticks, colour, unicode, shared))
    return "".join(parts)


def _heights(panels: Sequence[Panel], boxes: Sequence[_Box], lines: int) -> list[int]:
    """Return how many rows each panel has, frame and numbers included, such that all fill so many lines."""
    words = 1 + sum(2 + box.legend.count("\n") for box in boxes)
    room = max(lines - words, _LEAST * len(boxes))
    total = sum(panel.height for panel in panels)
    heights = [max(_LEAST, min(_MOST, int(room * panel.height / total))) for panel in panels]
    while sum(heights) > room and max(heights) > _LEAST:
        heights[heights.index(max(heights))] -= 1
    return heights


def _centred(text: str, width: int) -> str:
    return " " * max(0, (width - columns_of(text)) // 2) + text + "\n"


def _sparklines(picture: Picture, width: int, bars: Bars) -> str:
    label = max((columns_of(name) for name, _ in picture.courses), default=0)
    lines = [picture.title.text]
    for name, values in picture.courses:
        known = [v for v in values if not isnan(v)]
        lines.append(f"{name.ljust(label)}  {sparkline(known, max(8, min(60, width - label - 2)), bars)}")
    from gdcli.kernel import installing

    lines.append(f"a picture in the terminal needs plotext: {installing.command('plot')}")
    return "".join(line + "\n" for line in lines)


class _Box(NamedTuple):
    """A panel ready to be drawn: its dots layer by layer, the ranges on its axes, the names of its marks."""

    panel: Panel
    layers: Layers
    xlim: Place
    ylim: Place
    legend: str


def _box(panel: Panel, width: int, unicode: bool, outlines: Sequence[Place]) -> _Box:
    layers = list(_layers(panel, unicode))
    if outlines:
        layers.insert(0, (list(outlines), "braille" if unicode else ".", GRAY, ""))
    known = [dot for dots, *_ in layers for dot in dots]
    xlim = _limits([x for x, _ in known], panel.xlim, panel.xlog)
    ylim = _limits([y for _, y in known], panel.ylim, panel.ylog)
    if panel.signed:
        zero = [(x, 0.0) for x in spaced(*xlim, 2 * width)]
        layers.insert(0, (zero, "braille" if unicode else "-", GRAY, ""))
    inside = [
        ([(x, y) for x, y in dots if xlim[0] <= x <= xlim[1] and ylim[0] <= y <= ylim[1]], mark, ink)
        for dots, mark, ink, _ in layers
    ]
    legend = _legend([f"{mark} {label}" for _, mark, _, label in layers if label], width)
    return _Box(panel, [layer for layer in inside if layer[0]], xlim, ylim, legend)


def _drawn(
    plotext: ModuleType,
    box: _Box,
    size: tuple[int, int],
    upright: tuple[list[float], list[str]],
    colour: bool,
    unicode: bool,
    shared: bool,
) -> str:
    """Return the lines of one panel; where its horizontal axis is ``shared`` with the next, that one names it."""
    panel, width = box.panel, size[0]
    if panel.note:
        return "".join(line + "\n" for line in wrap(panel.note, width))
    ticks = ticks_of(*box.xlim, panel.xlog, width // 16, width // 10), upright
    frame = _version_6 if hasattr(plotext, "figure") else _version_5
    text = frame(plotext, box.layers, (box.xlim, box.ylim), ticks, size)
    if not colour:
        text = plotext.uncolorize(text)
    rows = text.splitlines()
    text = "".join(line.rstrip() + "\n" for line in (rows[:-1] if shared else rows))
    if not unicode:
        text = text.translate(_PLAIN)
    below = "" if shared else _centred(panel.xlabel, width)
    return f"{panel.ylabel}\n{text}{below}{box.legend}"


def _legend(entries: Sequence[str], width: int) -> str:
    lines: list[str] = []
    for entry in entries:
        if lines and columns_of(lines[-1]) + 3 + columns_of(entry) <= width:
            lines[-1] += "   " + entry
        else:
            lines += wrap(entry, width)
    return "".join(line + "\n" for line in lines)


def _mark(s: Series, unicode: bool, marks: Iterator[str]) -> str:
    if s.shape == "*":
        return "M" if s.hollow else "E"
    if s.hollow:
        return "S" if s.ink == BLACK else "O"
    if s.label:
        return s.shape if s.shape in ("x", "+") else next(marks)
    few = s.shape and not s.width and len(s.xs) <= _WIDEST
    return "x" if few else "braille" if unicode else "."


def _layers(panel: Panel, unicode: bool) -> Iterator[tuple[Dots, str, str, str]]:
    """The series as dots with a character each: braille for a curve without a name, a mark for what has one."""
    marks = iter((_MARKS if unicode else _ASCII_MARKS) * len(panel.series))
    width = panel.xlim, panel.ylim
    shifted = [s for s in panel.series if s.width and s.label and any(any(t.shift) for t in panel.series)]
    for s in _outlined(panel.series):
        if s.detail:
            continue
        dots = list(_dots(s, panel, width))
        if s in shifted:
            dots = _every_other(dots, len(shifted), shifted.index(s))
        if s.spread or s.across:
            yield list(_bars(s, panel)), "braille" if unicode else ":", s.ink, ""
        yield dots, _mark(s, unicode, marks), s.ink, s.label


def _outlined(series: Sequence[Series]) -> Iterator[Series]:
    """The series, and in place of a shaded area its two edges, without a name."""
    for s in series:
        if s.below is None:
            yield s
        else:
            yield from (s._replace(ys=edge, label="", below=None) for edge in (s.ys, s.below))


def _every_other(dots: Dots, count: int, number: int) -> Dots:
    """Return every so many cells of a path, such that ``count`` paths on one line take turns, and all are seen."""
    runs = (
        max(x for x, _ in dots) - min(x for x, _ in dots),
        max(y for _, y in dots) - min(y for _, y in dots),
    )
    axis = 0 if runs[0] >= runs[1] else 1
    cell = (max(runs) or 1.0) / _CELLS
    return [dot for dot in dots if floor(dot[axis] / cell) % count == number]


def _dots(s: Series, panel: Panel, limits: Sequence[Place | None]) -> Iterator[tuple[float, float]]:
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


def _bars(s: Series, panel: Panel) -> Iterator[Place]:
    for halves, is_up in ((s.spread, 1.0), (s.across, 0.0)):
        for x, y, half in zip(s.xs, s.ys, halves or (), strict=bool(halves)):
            for by in spaced(-half, half, _BAR):
                place = _scaled(x + by * (1.0 - is_up), panel.xlog), _scaled(y + by * is_up, panel.ylog)
                if isfinite(sum(place)):
                    yield place


def _pieces(a: tuple[float, float], b: tuple[float, float], limits: Sequence[Place | None]) -> int:
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


def _edges(picture: Contours) -> Dots:
    """The dots of what constraints do not allow, every second place of the grid, and of their edges."""
    dots: Dots = []
    for edge in picture.edges:
        for j, (row, above) in enumerate(pairwise(edge.slacks)):
            for i, (here, right) in enumerate(pairwise(row)):
                is_edge = (here < 0.0) != (right < 0.0) or (here < 0.0) != (above[i] < 0.0)
                shaded = not edge.equation and here < 0.0 and i % 8 == j % 8 == 0
                if is_edge or shaded:
                    x, y = picture.xs[i], picture.ys[j]
                    dots.append((_scaled(x, picture.xlog), _scaled(y, picture.ylog)))
    return dots


def _outlines(picture: Contours) -> Dots:
    """The dots of every second contour line: where neighbouring points lie on different sides of a level."""
    if picture.edges:
        return _edges(picture)
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


def _version_6(
    plotext: ModuleType, layers: Layers, limits: Limits, ticks: Ticks, size: tuple[int, int]
) -> str:
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


def _version_5(
    plotext: ModuleType, layers: Layers, limits: Limits, ticks: Ticks, size: tuple[int, int]
) -> str:
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
