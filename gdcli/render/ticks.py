"""Round numbers on an axis in text: few enough to have room, and three at least, since two tell no scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, inf, log10

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
    labels = [f"1e{round(log10(m)):+03d}" if log and _is_power(m) else format(m + 0.0, ".6g") for m in best]
    return [log10(mark) if log else mark for mark in best], labels


def _is_power(value: float) -> bool:
    return value == 10.0 ** round(log10(value))


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
