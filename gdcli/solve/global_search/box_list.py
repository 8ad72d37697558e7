"""Many boxes as arrays: ends of shape (n, m), n variables in m boxes, with a lower bound of the function on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gdcli.compile.interval_forms import middle
from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.vectors import np

# An array of numpy; in a pair (low, high), the ends of intervals.
Array = Any
Interval = tuple[Array, Array]


class Contracting(Protocol):
    """What cuts boxes to where demands can hold, as `gdcli.compile.propagation.Propagation` does."""

    def contract(
        self, low: Array, high: Array, demands: Sequence[Interval]
    ) -> tuple[Array, Array, Array, list[Interval]]: ...
    def values(self, low: Array, high: Array) -> list[Interval]: ...


@dataclass(slots=True)
class Boxes:
    """Boxes ``low`` to ``high``, (n, m), with lower ``bounds`` (m,) of the function on each."""

    low: Array
    high: Array
    bounds: Array

    def __len__(self) -> int:
        return len(self.bounds)

    def where(self, kept: Array) -> Boxes:
        return Boxes(self.low[:, kept], self.high[:, kept], self.bounds[kept])

    def beside(self, *others: Boxes) -> Boxes:
        all_of = [self, *others]
        low, high = (np.concatenate([getattr(b, end) for b in all_of], axis=1) for end in ("low", "high"))
        return Boxes(low, high, np.concatenate([b.bounds for b in all_of]))


def relaxed(sides: Sequence[tuple[float, float]], slack: float) -> list[tuple[float, float]]:
    """Return the sides of constraints farther apart by ``slack`` of the size of each, at least of 1."""
    return [(low - _room(low, slack), high + _room(high, slack)) for low, high in sides]


def _room(side: float, slack: float) -> float:
    return slack * max(1.0, abs(side)) if np.isfinite(side) else 0.0


def no_boxes(n: int) -> Boxes:
    return Boxes(np.zeros((n, 0)), np.zeros((n, 0)), np.zeros(0))


def smear_of(boxes: Boxes, slope: Interval) -> Array:
    """By how much the value may vary along each axis, (n, m); where that is not known, the width."""
    width = boxes.high - boxes.low
    with np.errstate(all="ignore"):
        found = width * np.maximum(np.abs(slope[0]), np.abs(slope[1]))
    known = np.isfinite(found).all(axis=0)
    return np.where(known, found + 1e-9 * width, width)


def halves(boxes: Boxes, smear: Array) -> tuple[Boxes, Array]:
    """Cut each box in two along the axis on which the value may vary most."""
    low, high = boxes.low, boxes.high
    each = np.arange(len(boxes))
    cuttable = np.nextafter(low, high) < high
    axis = np.argmax(np.where(cuttable, smear, -1.0), axis=0)
    place = middle(low[axis, each], high[axis, each])
    upper_low, lower_high = low.copy(), high.copy()
    upper_low[axis, each] = lower_high[axis, each] = place
    half = smear.copy()
    half[axis, each] *= 0.5
    found = Boxes(low, lower_high, boxes.bounds).beside(Boxes(upper_low, high, boxes.bounds))
    return found, np.concatenate([half, half], axis=1)
