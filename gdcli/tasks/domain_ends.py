"""The ends of the domain of an expression that lie beside a point, as bounds that the expression itself implies.

Where the expression is proved to be defined nowhere beyond a number, whatever the other variables are, a minimum within
that end is one of the expression as it was typed: at ``sqrt(x)`` the domain holds x as a typed bound at 0 would.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.number_format import short
from gdcli.kernel.vectors import Space
from gdcli.language.interpreter import find_culprit
from gdcli.tasks.pipeline import flat_bounds

if TYPE_CHECKING:
    from gdcli.compile.interval_program import IntervalProgram
    from gdcli.language.interpreter import Culprit
    from gdcli.tasks.problem import Bounds, Problem

# An end is beside a point that is nearer to it than such a part of the size of the variable.
_BESIDE = 1e-6
# From the last number that is proved to lie outside of the domain to the first with a value are so many at most.
_MOST_BETWEEN = 4
# The value between the two may be so many units in its last place better: that is rounding.
_ROUNDED = 4.0


class DomainEnd(NamedTuple):
    """An end of the domain of the sub-expression ``piece``: of which variable in flat order, on which side, where."""

    variable: int
    is_upper: bool
    end: float
    piece: str


def with_domain(bounds: Bounds, domain: Bounds, space: Space) -> Bounds:
    """Return the bounds within the ends of a domain that lie within them."""
    if not domain:
        return bounds
    (low, high), (least, most) = flat_bounds(bounds, space), flat_bounds(domain, space)
    return _by_name([*map(max, low, least)], [*map(min, high, most)], space, {*bounds, *domain})


def _by_name(low: Sequence[float], high: Sequence[float], space: Space, names: Collection[str]) -> Bounds:
    lows, highs = map(space.unflatten, (low, high))
    return {name: (lows[name], highs[name]) for name in space.names if name in names}


class DomainEnds:
    """What is asked of the domain of a problem's expression; ``program()`` bounds the function to be minimised."""

    def __init__(self, problem: Problem, program: Callable[[], IntervalProgram]) -> None:
        self._problem, self._made = problem, program
        self._space = Space(problem.lengths)
        low, high = flat_bounds(problem.bounds, self._space)
        self._bounds = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]

    def beside(
        self, x: Sequence[float], sizes: Sequence[float], seen: Collection[DomainEnd]
    ) -> list[DomainEnd]:
        """Return the ends that are proved beside ``x``, a point of the domain whose variables have the ``sizes``, but
        for those ``seen``.
        """
        found = []
        for i, size in enumerate(sizes):
            for is_upper in (False, True):
                end = self._end(x, i, is_upper, _BESIDE * size)
                told = None if end is None else self.proved(x, i, is_upper, end)
                if told is not None and told not in seen:
                    found.append(told)
        return found

    def proved(self, x: Sequence[float], i: int, is_upper: bool, end: float) -> DomainEnd | None:
        """Return the end of variable i where it is proved to be one: no number beyond it has a value, nor is the value
        any lower between the two; None else, and where the value grows without end towards it.
        """
        if self._culprit(x, i, end) is not None:
            return None
        outside = end
        for _ in range(_MOST_BETWEEN):
            outside = math.nextafter(outside, math.inf if is_upper else -math.inf)
            if self._is_outside(i, is_upper, outside):
                break
        else:
            return None
        culprit = self._culprit(x, i, outside)
        if culprit is None or not math.isnan(culprit.value):
            return None
        at = [(v, v) for v in x]
        (here, top), (between, _) = (
            self._made().one_box([*at[:i], side, *at[i + 1 :]], 0).value
            for side in ((end, end), (min(end, outside), max(end, outside)))
        )
        if not between >= here - _ROUNDED * math.ulp(max(abs(here), abs(top))):
            return None
        return DomainEnd(i, is_upper, end, culprit.piece)

    def bounds(self, ends: Sequence[DomainEnd]) -> Bounds:
        """Return the ends as bounds by name, infinite where there is none."""
        low, high = sides = [[none] * self._space.size for none in (-math.inf, math.inf)]
        for one in ends:
            sides[one.is_upper][one.variable] = one.end
        names = {self._space.label(one.variable).partition("[")[0] for one in ends}
        return _by_name(low, high, self._space, names)

    def told(self, ends: Sequence[DomainEnd]) -> list[str]:
        """Say where the domain of what ends."""
        places = [(one.piece, f"{self._space.label(one.variable)} = {short(one.end, 10)}") for one in ends]
        return [f"the domain of {piece} ends at {place}" for piece, place in places]

    def faults_of(self, domain: Bounds, x: Sequence[float]) -> list[str]:
        """Return which ends of a domain that is told do not follow at the point ``x``."""
        faults = []
        for is_upper, side in enumerate(flat_bounds(domain, self._space)):
            for i, end in enumerate(map(float, side)):
                if math.isfinite(end) and self.proved(x, i, bool(is_upper), end) is None:
                    place = f"{self._space.label(i)} = {short(end, 10)}"
                    faults.append(f"it does not follow that the domain of the expression ends at {place}")
        return faults

    def _end(self, x: Sequence[float], i: int, is_upper: bool, reach: float) -> float | None:
        """Return the first number with a value, from where none is known to have one within ``reach`` of x."""
        outside, inside = _place(x[i] + reach if is_upper else x[i] - reach), _place(x[i])
        low, high = self._bounds[i]
        if not low < _number(outside) < high or not self._is_outside(i, is_upper, _number(outside)):
            return None
        while abs(inside - outside) > 1:
            middle = (outside + inside) // 2
            if self._is_outside(i, is_upper, _number(middle)):
                outside = middle
            else:
                inside = middle
        for _ in range(_MOST_BETWEEN):
            if self._culprit(x, i, _number(inside)) is None:
                return _number(inside)
            inside += -1 if is_upper else 1
        return None

    def _is_outside(self, i: int, is_upper: bool, end: float) -> bool:
        """Tell whether the expression is known to have no value with variable i at ``end`` or beyond it."""
        beyond = (end, math.inf) if is_upper else (-math.inf, end)
        return bool(self._made().one_box([*self._bounds[:i], beyond, *self._bounds[i + 1 :]], 0).empty)

    def _culprit(self, x: Sequence[float], i: int, value: float) -> Culprit | None:
        """Return the sub-expression that has no finite value at ``x`` with another ``value`` of variable i."""
        tree, constants = self._problem.tree, self._problem.constants
        assert tree is not None
        point = self._space.unflatten([*x[:i], value, *x[i + 1 :]])
        return find_culprit(tree, {**point, **constants}, constants)


def _place(value: float) -> int:
    """Return which number it is, counted from 0: the next one is the next number."""
    bits: int = struct.unpack("<q", struct.pack("<d", value + 0.0))[0]
    return bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF)


def _number(place: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<Q", abs(place)))[0]
    return -value if place < 0 else value
