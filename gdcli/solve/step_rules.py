"""How far to go along a direction: the step rules of the descent methods.

A step rule is given a point and a direction and chooses the step size. The simplest never looks at the objective (fixed
and decay, in `solve.methods.elementwise`), others try several sizes and compare (best, armijo). A trial outside the
domain has the value +inf and is never chosen by a rule that compares, so such a rule stays in the domain by itself.

A quasi-Newton method learns the curvature from the change of the gradient along a step. It can learn only if the step
goes far enough for the slope to flatten. So a search for the strong Wolfe conditions asks besides a sufficient fall of
the value (Armijo) that the slope shrinks, ``|slope(t)| <= c2 |slope(0)|`` (Nocedal and Wright, Numerical Optimization,
algorithms 3.5 and 3.6). Close to a minimum the fall drowns in the rounding of the value while the slope is still good
to many digits. There the approximate Wolfe conditions of Hager and Zhang (SIAM J. Optim. 16, 2005) judge by the slope
alone.

The size of Barzilai and Borwein takes the curvature from the last step alone, which changed the gradient by y: ``s's /
s'y`` is the best multiple of the unit matrix for an inverse Hessian with ``H s = y`` (IMA J. Numer. Anal. 8, 1988). The
value does not fall at every step, and must not be forced to: it only has to stay below the highest of the last ten
(Raydan, SIAM J. Optim. 7, 1997).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from math import inf, isfinite, sqrt
from typing import Any, Protocol

from gdcli.kernel.dataclass import NamedTuple, dataclass, stored
from gdcli.kernel.numerics import FLOOR
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import along, dot, norm, same
from gdcli.objective.protocol import Evaluation, Objective, Vector, tried
from gdcli.solve.settings import BOOK_STEP_SIZES

# Length of the first step relative to max(1, |x|): before anything is known about curvature, stay close. A method that
# has no rate runs in a unit of its own, which is the 1 here.
FIRST_LENGTH = 0.1
# The value is to fall by this part of what the tangent promises.
SUFFICIENT_FALL = 1e-4


def first_size(at: Evaluation, direction: Vector) -> float:
    """Return a size for the first trial along ``direction``, when nothing is known about curvature."""
    return min(1.0, FIRST_LENGTH * max(1.0, norm(at.x)) / norm(direction))


class Choice(NamedTuple):
    """What a step rule chose: the new point (None: it found none, for ``reason``), the step size, its state."""

    at: Evaluation | None
    size: float
    state: Any = None
    reason: StopReason | None = None


class StepRule(Protocol):
    """A choice of step sizes; ``start`` gives the state before the first step, ``words`` describes it."""

    @property
    def words(self) -> str: ...

    def start(self) -> Any: ...

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: Any
    ) -> Choice: ...


@dataclass(frozen=True, slots=True)
class BestRule:
    """Try every size of a list and take the one with the lowest value, the first of equals."""

    sizes: Sequence[float] = BOOK_STEP_SIZES

    @property
    def words(self) -> str:
        return f"best of {len(self.sizes)} steps" if len(self.sizes) > 1 else f"fixed step {self.sizes[0]:g}"

    def start(self) -> None:
        """There is nothing to remember."""

    def trial(
        self, objective: Objective, at: Evaluation, direction: Vector
    ) -> tuple[Evaluation | None, float]:
        """Return the best trial (value only) and its size, or None when no trial has a value at all."""
        best: Evaluation | None = None
        best_size, lowest = 0.0, inf
        for size in self.sizes:
            trial = tried(objective, at, along(at.x, size, direction))
            if trial.value < lowest:
                best, best_size, lowest = trial, size, trial.value
        return best, best_size

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: object
    ) -> Choice:
        best, size = self.trial(objective, at, direction)
        if best is None or not best.value < at.value:
            return Choice(None, size, None, StopReason.NO_DESCENT)
        return Choice(objective.complete(best, order), size)


@dataclass(frozen=True, slots=True)
class Armijo:
    """Halve the step until the value falls by a part of what the tangent promises.

    Armijo, Pacific Journal of Mathematics 16 (1966); Nocedal and Wright, Numerical Optimization, algorithm
    3.1. The first trial is ``first``, later ones twice the last accepted size, so the rule adapts to the
    scale of the problem in both directions.
    """

    first: float = 1.0

    @property
    def words(self) -> str:
        return f"Armijo backtracking, first step {self.first:g}"

    def start(self) -> float:
        return self.first

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: Any
    ) -> Choice:
        slope = dot(at.gradient, direction)
        size: float = state
        if not slope < 0.0:
            return Choice(None, size, state, StopReason.STATIONARY if slope == 0.0 else StopReason.NO_DESCENT)
        if same(along(at.x, size, direction), at.x):
            size = first_size(
                at, direction
            )  # where slopes are far less than before, so are steps of the last size
        found, size = halved(
            objective, at, direction, size, order,
            lambda trial, size: trial.value < at.value and trial.value <= at.value + SUFFICIENT_FALL * size * slope,
        )  # fmt: skip
        return (
            Choice(found, size, state, StopReason.NO_DESCENT)
            if found is None
            else Choice(found, size, 2.0 * size)
        )


def halved(
    objective: Objective,
    at: Evaluation,
    direction: Vector,
    size: float,
    order: int,
    is_low: Callable[[Evaluation, float], bool],
) -> tuple[Evaluation | None, float]:
    """Return the first point, of those at ``size`` and its halves, that ``is_low`` enough and has its derivatives, and
    its size; no point where steps are lost in the rounding of x.
    """
    while True:
        x = along(at.x, size, direction)
        if same(x, at.x) or size == 0.0:  # along a direction that is beyond the numbers it stays nan
            return None, size
        trial = tried(objective, at, x)
        if is_low(trial, size):
            complete = objective.complete(trial, order)
            if complete.gradient is not None or complete.value == -inf:
                return complete, size
        if trial.x is not x and same(trial.x, at.x):  # bounds leave nothing of it
            return None, size
        size *= 0.5


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
            falls = trial.value <= at.value + SUFFICIENT_FALL * size * slope0 and trial.value <= low.value
            falls = falls or (
                trial.value <= at.value + noise and slope <= (2.0 * SUFFICIENT_FALL - 1.0) * slope0
            )
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


_REMEMBERED = 10


@stored("barzilai_borwein._Last")
@dataclass(slots=True)
class _Last:
    """The point before, its direction, and the values of the last points."""

    at: Evaluation | None
    values: deque[float]


@dataclass(frozen=True, slots=True)
class BarzilaiBorwein:
    """The Barzilai-Borwein size, halved until the value is below the highest of the last ten."""

    words = "Barzilai-Borwein steps"

    def start(self) -> _Last:
        return _Last(None, deque(maxlen=_REMEMBERED))

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: Any
    ) -> Choice:
        slope = dot(at.gradient, direction)
        if not slope < 0.0:
            return Choice(None, 0.0, state, StopReason.STATIONARY)
        state.values.append(at.value)
        size = _size(at, direction, state.at)
        highest = max(state.values)
        found, size = halved(
            objective, at, direction, size, order,
            lambda trial, size: trial.value <= highest + SUFFICIENT_FALL * size * slope,
        )  # fmt: skip
        if found is None:
            return Choice(None, size, state, StopReason.FLOOR)
        state.at = at
        return Choice(found, size, state)


def _size(at: Evaluation, direction: Vector, before: Evaluation | None) -> float:
    """Return the first size to try: from the last step, or a short one where that tells nothing."""
    if before is not None:
        s, y = at.x - before.x, at.gradient - before.gradient  # type: ignore[operator]
        curvature = dot(s, y)
        if curvature > 0.0:
            return dot(s, s) / curvature
    return FIRST_LENGTH * max(1.0, norm(at.x)) / norm(direction)
