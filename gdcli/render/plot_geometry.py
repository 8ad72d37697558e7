"""What a picture shows: the part of the line or the plane, the heights of contours, how far a path is drawn, round
numbers on an axis: few enough to have room, and three at least, since two tell no scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, hypot, inf, isfinite, log10, nan

from gdcli.kernel.dataclass import NamedTuple

Range = tuple[float, float]
Place = tuple[float, float]

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


MOST_DRAWN = 1e250  # an axis has its room, and marks, beyond the largest number on it
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
    """Return the values with nan for all that cannot be drawn."""
    return [v if abs(v) <= MOST_DRAWN else nan for v in values]


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
            # As a text it is the float nearest to it, which prints with its few digits.
            if low < (rounded := float(f"{count * k}e{exponent}")) < high:
                return rounded
    return level


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


# -- round numbers on an axis in text --------------------------------------------------------------------------------

_DECADES = 30  # of an axis on which there is room for nothing but powers


def _marks(low: float, high: float, log: bool, enough: int, most: int) -> list[float]:
    best: list[float] = []
    for steps in (_ROUND, _LESS_ROUND):
        for marks in _rulers(low, high, log, steps):
            inside = [mark for mark in marks if low <= (log10(mark) if log else mark) <= high]
            if len(inside) > max(most, 3) or (len(best) >= 3 and len(inside) > enough):
                break
            best = inside if len(inside) > len(best) else best
        if len(best) >= 3:
            break
    return best


def ticks_of(low: float, high: float, log: bool, enough: int, most: int) -> tuple[list[float], list[str]]:
    """Return round numbers in a range, with their labels: three at least, more while there are not ``enough``.

    On a logarithmic axis the range and the places are powers of ten. There are never more than ``most``.
    """
    if not 0.0 < high - low < inf:
        return [low], [format(10.0**low if log else low, ".4g")]
    best = _marks(low, high, log, enough, most)
    powers = [round(log10(m)) if log else 0 for m in best]
    labels = [
        f"1e{k:+03d}" if log and m == 10.0**k else format(m + 0.0, ".6g")
        for m, k in zip(best, powers, strict=True)
    ]
    return [log10(mark) if log else mark for mark in best], labels


_ROUND, _LESS_ROUND = (5, 2, 1), (4, 3)


def _rulers(low: float, high: float, log: bool, steps: Sequence[int]) -> Iterator[list[float]]:
    """Yield round numbers around a range, from few to many: multiples of ``steps`` times a power of ten."""
    if log:
        first, last = max(floor(low), -300), min(ceil(high), 300)
        for stride in (factor * step for factor in (100, 10, 1) for step in steps):
            yield [10.0**k for k in range(first, last + 1) if k % stride == 0]
        if last - first > _DECADES:
            return
        for digits in ((1, 3), (1, 2, 5)):
            yield [digit * 10.0**k for k in range(first, last + 1) for digit in digits]
        low, high = 10.0**low, 10.0**high
    power = floor(log10(high - low))
    for exponent in (power, power - 1):
        for step in steps:
            unit = float(f"{step}e{exponent}")
            yield [unit * n for n in range(ceil(low / unit), floor(high / unit) + 1)]
