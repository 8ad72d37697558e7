"""A line search for the strong Wolfe conditions.

A quasi-Newton method learns the curvature from the change of the gradient along a step. It can learn only if
the step goes far enough for the slope to flatten: besides a sufficient fall of the value (Armijo) the slope
must shrink, ``|slope(t)| <= c2 |slope(0)|`` (Nocedal and Wright, Numerical Optimization, algorithms 3.5 and
3.6).

Close to a minimum the fall drowns in the rounding of the value while the slope is still good to many digits.
There the approximate Wolfe conditions of Hager and Zhang (SIAM J. Optim. 16, 2005) judge by the slope alone.
"""

from __future__ import annotations

from math import inf, isfinite, sqrt
from typing import Any

from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.numerics import FLOOR
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import along, dot, norm
from gdcli.objective.protocol import Evaluation, Objective, Vector, tried
from gdcli.solve.step_rules import Choice, first_size

# Enough for an interval to shrink, or a step to grow, by any factor that floats can tell apart.
MAX_TRIALS = 50
# A new trial keeps this part of the interval away from either end.
_MARGIN = 0.1
_GROWTH = 4.0


@dataclass(slots=True)
class _End:
    """One end of the interval of step sizes: size, value, slope (None where the trial is
    outside the domain).
    """

    size: float
    value: float
    slope: float | None
    at: Evaluation | None = None


def strong_wolfe(
    objective: Objective,
    at: Evaluation,
    direction: Vector,
    first: float,
    *,
    order: int = 1,
    fall: float = 1e-4,
    flatten: float = 0.9,
) -> tuple[Evaluation, float] | None:
    """Return ``(point, size)`` that fulfils the conditions, or the lowest point met when rounding prevents
    that.

    ``at`` has a gradient, ``first`` is the first size tried. A trial outside the domain only shortens the
    interval. None when the direction does not descend, or no trial is lower.
    """
    slope0 = dot(at.gradient, direction)
    if not slope0 < 0.0:
        return None
    low, high = _End(0.0, at.value, slope0), None
    noise = FLOOR * abs(at.value)
    size = first
    for _ in range(MAX_TRIALS):
        trial = tried(objective, at, along(at.x, size, direction), order)
        if trial.value == -inf:
            return trial, size
        if not isfinite(trial.value) or trial.gradient is None:
            high = _End(size, inf, None)
        else:
            slope = dot(trial.gradient, direction)
            end = _End(size, trial.value, slope, trial)
            falls = trial.value <= at.value + fall * size * slope0 and trial.value <= low.value
            falls = falls or (trial.value <= at.value + noise and slope <= (2.0 * fall - 1.0) * slope0)
            if falls and abs(slope) <= -flatten * slope0:
                return trial, size
            if falls and slope < 0.0:
                low = end
            else:
                high = end
        if high is not None and high.size - low.size <= 1e-15 * high.size:
            break
        size = _next_size(low, high)
    return _lower_end(low, high, at.value)


def _lower_end(low: _End, high: _End | None, value: float) -> tuple[Evaluation, float] | None:
    """Return an end of the interval if it is lower: not even a sufficient fall, but rather that than nothing."""
    for end in (low, high):
        if end is not None and end.at is not None and end.value < value:
            return end.at, end.size
    return None


def _next_size(low: _End, high: _End | None) -> float:
    """Return the next size: grow while the value still falls, else the lowest point of a
    cubic, kept inside.
    """
    if high is None:
        return _GROWTH * low.size
    width = high.size - low.size
    if high.slope is None:
        return low.size + _MARGIN * width
    inside = _cubic_minimiser(low, high)
    return low.size + min(max(inside, _MARGIN), 1.0 - _MARGIN) * width


def _cubic_minimiser(low: _End, high: _End) -> float:
    """Return where between low (0) and high (1) the cubic through both values and slopes is lowest."""
    width = high.size - low.size
    assert low.slope is not None
    assert high.slope is not None
    s0, s1, change = low.slope * width, high.slope * width, high.value - low.value
    d1 = s0 + s1 - 3.0 * change
    square = d1 * d1 - s0 * s1
    if not 0.0 <= square < inf:
        return 0.5
    d2 = sqrt(square)
    divisor = s1 - s0 + 2.0 * d2
    return 0.5 if divisor == 0.0 else 1.0 - (s1 + d2 - d1) / divisor


@dataclass(frozen=True, slots=True)
class Wolfe:
    """The strong Wolfe search as a step rule of the descent methods; its first trial is twice the last size.

    The very first one is ``first``, or (None) one that stays close.
    """

    first: float | None = 1.0
    flatten: float = 0.9

    @property
    def words(self) -> str:
        return "strong Wolfe search" + self._first_step

    @property
    def _first_step(self) -> str:
        return "" if self.first is None else f", first step {self.first:g}"

    def start(self) -> float | None:
        return self.first

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: Any
    ) -> Choice:
        if state is None and norm(direction) > 0.0:
            state = first_size(at, direction)
        found = strong_wolfe(objective, at, direction, state, order=order, flatten=self.flatten)
        if found is None:
            return Choice(None, state or 0.0, state, StopReason.NO_DESCENT)
        return Choice(found[0], found[1], 2.0 * found[1])


@dataclass(frozen=True, slots=True)
class Exact(Wolfe):
    """Minimise along the line: the strong Wolfe search until hardly any slope is left (Cauchy's own step
    rule).
    """

    flatten: float = 1e-6

    @property
    def words(self) -> str:
        return "exact line search" + self._first_step
