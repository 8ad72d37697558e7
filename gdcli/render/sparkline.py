"""A row of small bars: the course of many numbers in the width of a word.

A sparkline is a graph without axes, read along with the text (Tufte, Beautiful Evidence, 2006). Numbers that span
more than two decades are drawn on a logarithmic scale, or everything but the first bars would lie flat on the ground.
Numbers of both signs have no logarithm; there it is the height above the lowest of them that counts. What is not a
finite number has a mark of its own and does not take part in the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log10
from typing import TextIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.render.page import carries


class Bars(NamedTuple):
    """The characters of the bars from low to high, and the mark of what is not finite."""

    levels: str
    lost: str


BLOCKS = Bars("▁▂▃▄▅▆▇█", "×")
LETTERS = Bars("_.-:=+*#", "x")
_DECADES = 2.0  # from here on the scale is logarithmic


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
    heights = _heights([v for v in shown if isfinite(v)])
    low, high = min(heights, default=0.0), max(heights, default=0.0)
    top = len(bars.levels) - 1
    # Of equal numbers none is low or high: they lie in the middle.
    levels = [round(top * (h - low) / (high - low)) if high > low else top // 2 for h in heights]
    drawn = iter([bars.levels[level] for level in levels])
    return "".join(next(drawn) if isfinite(v) else bars.lost for v in shown)


def _heights(values: list[float]) -> list[float]:
    """Return how high the bars are, on the scale that suits the numbers."""
    if not values:
        return []
    low, high = min(values), max(values)
    if low < 0.0 < high:
        # Halved, so that the difference of the largest numbers of both signs is a number.
        values = [v / 2.0 - low / 2.0 for v in values]
    sizes = [abs(v) for v in values if v != 0.0]
    least, most = min(sizes, default=1.0), max(sizes, default=1.0)
    if log10(most) - log10(least) <= _DECADES:
        return [v / most for v in values]
    # Zero lies a little below the smallest number, as it has no logarithm; of negative numbers -1 is above -10.
    down = -1.0 if high <= 0.0 else 1.0
    return [down * (log10(abs(v)) if v != 0.0 else log10(least) - 1.0) for v in values]
