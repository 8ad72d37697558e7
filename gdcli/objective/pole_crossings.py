"""Poles between two points: where what is divided by changes its sign on the way, and the value grows without bound.

A line search that tries a long step may land beyond a pole, as one from 3 does on ``1/x + x``, at a lower value that no
descent leads to. A change of sign alone is no pole: ``sin(x)/x`` goes on through 0 as if nothing were there. So the
place where the sign changes is found by halving, and the value is looked at on the way to it: towards a pole of the
order p each halving of the distance brings 2**p times as much as the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any

from gdcli.kernel.vectors import Vector, along
from gdcli.language.form import Form
from gdcli.objective.divisors import changing_divisors

# What is divided by, at a point: numbers, and arrays where there is one of each element of a long vector.
Divisors = Callable[[Vector], Sequence[Any]]

# So many halvings reach a pole right beside the start of a way that goes on to the end of the numbers.
_HALVINGS = 1100
# The value is looked at after so many halvings of the distance from the pole: near enough for the pole to be all that
# changes it, far enough for numerator and divisor of a quotient that has none to have half their digits.
_LOOKS = range(14, 22)
# A rise is at least so many times the one before, for a pole of the order a third.
_GROWTH = 1.2


class PoleCrossings:
    """Finds poles on the way from one point to another."""

    def __init__(self, value: Callable[[Vector], float], divisors: Divisors) -> None:
        self.value, self.divisors = value, divisors
        self._here: tuple[Any, Sequence[Any]] = None, ()

    def between(self, x: Vector, y: Vector) -> Vector | None:
        """Return the point on the way from x to y where the value is infinite; None where there is no such."""
        if self._here[0] is not x:
            self._here = x, self.divisors(x)
        here = self._here[1]
        for i, (a, b) in enumerate(zip(here, self.divisors(y), strict=True)):
            if not _differ(a, b):
                continue
            part = self._first_change(x, y - x, i, a)
            if self._grows(x, y - x, part):
                return along(x, part, y - x)
        return None

    def _first_change(self, x: Vector, way: Vector, index: int, sign: object) -> float:
        """Return the part of the ``way`` from x after which a divisor has not the same sign as at x."""
        same, other = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = 0.5 * (same + other)
            if middle in (same, other):
                break
            if _differ(sign, self.divisors(along(x, middle, way))[index]):
                other = middle
            else:
                same = middle
        return other

    def _grows(self, x: Vector, way: Vector, part: float) -> bool:
        """Tell whether the value goes to infinity towards the end of ``part`` of the ``way`` from x."""
        values = [self.value(along(x, part * (1.0 - 2.0**-k), way)) for k in _LOOKS]
        if not all(map(isfinite, values)):
            return True
        rises = [b - a for a, b in pairwise(values)]
        return all(a * b > 0.0 and abs(b) >= _GROWTH * abs(a) for a, b in pairwise(rises))


def _differ(a: Any, b: Any) -> bool:
    """Tell whether two numbers, or two elements of arrays, are on different sides of 0."""
    apart = (a > 0.0) & (b < 0.0) | (a < 0.0) & (b > 0.0)
    return apart if isinstance(apart, bool) else bool(apart.any())


def crossings_of(
    form: Form, value: Callable[[Vector], float], programs: Callable[[list[int]], Divisors]
) -> PoleCrossings | None:
    """Return what finds the poles of an expression; None where nothing is divided by that may change its sign.

    ``value`` and ``programs`` are those of its objective; the latter make a function of nodes of its graph.
    """
    graph = form.graph

    def changes(node: int) -> bool:
        keys = (graph.keys[i] for i in graph.reach((node,)))
        return any(key[0] in ("scalar", "element", "slice") and key[1] in form.lengths for key in keys)

    found = changing_divisors(graph, form.root, changes)
    return PoleCrossings(value, programs(found)) if found else None
