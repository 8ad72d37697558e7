"""Walking away from a point that might not be a minimum.

Where the curvature is zero, or convergence was slow, derivatives cannot tell a minimum (``x**4``) from an
inflection (``x**3``), a ridge (``x**2 - y**4``) or a slope that flattens out without end (``exp(-x)``).
Values can: walk along the doubtful direction in steps that double, and see whether the value rises.

Where terms cancel, as in ``sqrt(1+x**2) - x`` far out, the value goes up and down by rounding. So a rise counts only
if it exceeds what the value changes by when the variables move by no more than their own rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from math import inf

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import CLEARLY, EPS, VALUE_NOISE
from gdcli.kernel.vectors import along, alternating, as_like, is_bent, main_part, max_abs, norm, unit_like
from gdcli.objective.protocol import Evaluation, Objective, Vector

# Two hundred doublings are sixty orders of magnitude: no scale of any problem is as large.
_MAX_DOUBLINGS = 200
# A value that falls all that way ever more slowly has no lower bound if the falls of all doublings have an
# infinite sum, as those of -log(x) (equal), -log(log(x)) (like 1/k); those of 1/log(x) (like 1/k**2) have a
# finite one. Cauchy's condensation test: the sum is infinite when the falls of the doublings K to 2K do not
# shrink as K doubles. This much smaller they may be: the first doubling is not the first of the series.
_ENDLESS_PART = 0.9
# Beyond these doublings the value is looked at after so many more each time.
_FAR_ON = 2.0**16
# After sixty doublings (eighteen orders of magnitude) a last fall by no more than this part of the fall on the whole
# way is an approach to a limit; equal ones, as of a logarithm, are a sixtieth.
LIMIT_DOUBLINGS = 60
_LIMIT_FALL = 1e-3
# When a point is so many times the size of the start away from it, the run may be on its way to infinity.
FLIGHT = 1e8
_FLEEING_PART = 1e-4
# Without any change up to a length of the order of x itself the direction is taken to be level.
_LEVEL_POINTS = 11
# Variables moved so far, as part of themselves, all the same way or every second one the other way, show the rounding
# of the value (in steps, where terms cancel: so not by one unit alone).
_TOGETHER, _APART = (EPS, -3.0 * EPS, 2e3 * EPS), (EPS, -1e3 * EPS)
# On one side of a jump, and on the other.
_UP, _DOWN = (EPS, 2e3 * EPS), (-3.0 * EPS, -1e3 * EPS)
# First length of a walk along a null direction, relative to the size of x: beyond the rounding of the value
# for anything up to a fifth power, yet near.
PROBE_LENGTH = 1e-3
# So many halvings tell where a value begins to rise.
_HALVINGS = 40
# A value that rises over so many doublings on end rises; noise does not.
_RISES = 4


class ProbeEnd(Enum):
    """What a walk found."""

    RISES = "rises"
    LEVEL = "level"
    LOWER = "lower"
    LIMIT = "limit"
    UNBOUNDED = "unbounded"


class Walk(NamedTuple):
    """The outcome of a walk, the lowest point met (None when none was lower) and the length of the last step.

    ``endless``: no rise was met on the whole way.
    """

    outcome: ProbeEnd
    lowest: Evaluation | None = None
    length: float = 0.0
    endless: bool = False


def probe_length(x: Vector) -> float:
    """Return the length of the first step of a walk along a direction of no natural length."""
    return PROBE_LENGTH * max(1.0, max_abs(x))


def scaled_to(direction: Vector, length: float) -> Vector:
    """Return ``direction`` with its largest component made ``length``."""
    return direction * (length / max_abs(direction))


def is_rounding(objective: Objective, at: Evaluation, rise: float) -> bool:
    """Tell whether a ``rise`` of the value up to ``at`` is no more than the rounding of the variables makes there."""
    if not rise < inf:
        return False
    return not CLEARLY * rounding_of(objective, at) < rise


def rounding_of(objective: Objective, at: Evaluation) -> float:
    """Return what the value at ``at`` changes by when the variables move by some units of their rounding.

    Where the value has jumps, and the point is right beside one, it stands still but for rounding on one side.
    """

    def most(sizes: Sequence[float], way: Vector) -> float:
        return max([abs(objective.evaluate(along(at.x, size, way), 0).value - at.value) for size in sizes])

    ways = [at.x] if len(at.x) == 1 else [at.x, alternating(at.x)]
    if objective.has_jumps:
        return min([most(sizes, way) for sizes in (_UP, _DOWN) for way in ways])
    return max([most(sizes, way) for sizes, way in zip((_TOGETHER, _APART), ways, strict=False)])


class _BoundsMet:
    """What bounds do to a walk. ``bent_at`` is the value where one bent it: what falls no more was reached there."""

    def __init__(self, begun: Vector) -> None:
        self._begun = self._last = begun
        self.bent_at = inf

    def stop(self, asked: Vector, trial: Evaluation, length: float) -> bool:
        """Tell whether a bound holds what moves in a step of this ``length``, and the others hardly do."""
        if trial.x is not asked:
            if norm(trial.x - self._last) <= _FLEEING_PART * length:
                return True
            if self.bent_at == inf and is_bent(asked, trial.x, self._begun):
                self.bent_at = trial.value
        self._last = trial.x
        return False


def walk(
    objective: Objective,
    at: Evaluation,
    step: Vector,
    enough: float,
    floor: float,
    patience: int = _LEVEL_POINTS,
) -> Walk:
    """Walk from ``at`` along ``step`` times 1, 2, 4, ... for as long as the value does not rise.

    ``enough``: a fall by more than this is LOWER; a smaller one counts as none. ``floor``: a value below it
    is UNBOUNDED, and so is a fall that goes on through all doublings without slackening. A value that has not changed
    over ``patience`` doublings is LEVEL. The walk ends at a bound as it does at a rise.
    """
    lowest: Evaluation | None = None
    value, t, unit = at.value, 1.0, norm(step)
    noise = VALUE_NOISE * abs(value)
    limit, marks, bounds = False, [value], _BoundsMet(at.x)
    for k in range(_MAX_DOUBLINGS):
        if k in (_MAX_DOUBLINGS // 4, _MAX_DOUBLINGS // 2):
            marks.append(value)
        x = along(at.x, t, step)
        trial = objective.evaluate(x, 0)
        if bounds.stop(x, trial, 0.5 * t * unit):
            break
        if not trial.value <= value + noise:
            if lowest is None and k >= _LEVEL_POINTS and not trial.value < inf:
                return Walk(ProbeEnd.LEVEL)  # where numbers end, after a level way
            if not is_rounding(objective, trial, trial.value - value):
                break
        if lowest is None and trial.value < value - noise:
            noise = max(noise, CLEARLY * max(rounding_of(objective, e) for e in (at, trial)))
        if trial.value < value - noise:
            lowest = trial
        elif lowest is None and k >= patience - 1:
            return Walk(ProbeEnd.LEVEL)
        before, value = value, min(value, trial.value)
        t *= 2.0
        if value < floor:
            return Walk(ProbeEnd.UNBOUNDED, lowest, t * unit)
        limit = k >= LIMIT_DOUBLINGS and before - value <= _LIMIT_FALL * (at.value - value)
        if limit:
            break
    else:
        limit = True
        if _slackens_not(marks[1] - marks[2], marks[2] - value, noise):
            risen = _rises_further_on(objective, at, step, t, value)
            return Walk(ProbeEnd.LOWER if risen else ProbeEnd.UNBOUNDED, lowest, t * unit)
    return _ended(at, lowest, enough, t * unit, limit and value < bounds.bent_at - noise)


def _slackens_not(early: float, late: float, noise: float) -> bool:
    """Tell whether the falls over two stretches of as many doublings have an infinite sum, see `_ENDLESS_PART`."""
    return late > noise and late >= _ENDLESS_PART * early


def _ended(at: Evaluation, lowest: Evaluation | None, enough: float, length: float, limit: bool) -> Walk:
    """Return what a walk has found that met a rise, a bound, or (``limit``) none of both."""
    if lowest is None:
        return Walk(ProbeEnd.RISES)
    is_lower = lowest.value < at.value - enough
    outcome = ProbeEnd.LOWER if is_lower else ProbeEnd.LIMIT if limit else ProbeEnd.RISES
    return Walk(outcome, lowest, length, limit)


def _rises_further_on(objective: Objective, at: Evaluation, step: Vector, t: float, value: float) -> bool:
    """Tell whether the value, which fell up to ``t`` steps, is seen to rise before the numbers end: beside a start that
    is very near 0 sixty orders of magnitude are not far.
    """
    while t < inf and value > -inf:
        there = objective.evaluate(along(at.x, t, step), 0)
        if not there.value < inf:
            return False
        if there.value > value and not is_rounding(objective, there, there.value - value):
            return True
        t, value = _FAR_ON * t, there.value
    return False


def fades(objective: Objective, at: Evaluation, step: Vector) -> bool:
    """Tell whether the value, level at first along ``step``, is not seen to rise on the whole way to infinity."""
    found = walk(objective, at, step, inf, -inf, LIMIT_DOUBLINGS)
    return found.outcome in (ProbeEnd.LEVEL, ProbeEnd.LIMIT)


def follow(objective: Objective, at: Evaluation, way: Vector, floor: float) -> Walk:
    """Walk on from ``at``, a point far out, along the ``way`` that led there.

    UNBOUNDED and LIMIT tell that the value falls all the way to infinity. Variables that hardly moved beside the
    others do not flee; going on with them would end at some other wall.
    """
    return walk(objective, at, main_way(way), inf, floor)


def main_way(way: Vector) -> Vector:
    """Return ``way`` without the variables that hardly moved."""
    return main_part(way, _FLEEING_PART)


def walk_all(
    objective: Objective, at: Evaluation, steps: Sequence[Vector], enough: float, floor: float
) -> Walk:
    """Walk along each of ``steps`` until one finds a lower point; return that walk.

    Without one: a LIMIT if there was any, RISES if every walk rose, else LEVEL.
    """
    outcomes = set()
    for step in steps:
        found = walk(objective, at, step, enough, floor)
        if found.outcome in (ProbeEnd.LOWER, ProbeEnd.UNBOUNDED):
            return found
        outcomes.add(found.outcome)
    for outcome in (ProbeEnd.LIMIT, ProbeEnd.LEVEL):
        if outcome in outcomes:
            return Walk(outcome)
    return Walk(ProbeEnd.RISES)


def rises_on(objective: Objective, at: Evaluation, step: Vector) -> bool:
    """Tell whether the value rises along ``step``, and where it does first: one point alone may be noise, so that a
    rise goes on to the next doubling; and what is level and then higher may have been lower in between.
    """
    before = False
    for k in range(_MAX_DOUBLINGS):
        there = objective.evaluate(along(at.x, 2.0**k, step), 0)
        rises = _differs(objective, at, there, there.value - at.value)
        if before and rises:
            return _begins_with_a_rise(objective, at, step, 2.0 ** (k - 1))
        before = rises
    return False


def _begins_with_a_rise(objective: Objective, at: Evaluation, step: Vector, risen: float) -> bool:
    """Tell whether nothing is lower right before the value begins to be higher, between 0 and ``risen`` steps."""
    level = 0.5 * risen if risen > 1.0 else 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (level + risen)
        there = objective.evaluate(along(at.x, middle, step), 0)
        if _differs(objective, at, there, at.value - there.value):
            return False
        level, risen = (
            (level, middle) if _differs(objective, at, there, there.value - at.value) else (middle, risen)
        )
    return True


def _differs(objective: Objective, at: Evaluation, there: Evaluation, difference: float) -> bool:
    return not (difference <= VALUE_NOISE * abs(at.value) or is_rounding(objective, there, difference))


def rises_all_around(objective: Objective, at: Evaluation) -> bool:
    """Tell whether the value rises to either side along every axis, and goes on rising: noise goes up and down."""
    length = probe_length(at.x)
    sides = (unit_like(at.x, i, size) for i in range(len(at.x)) for size in (length, -length))
    return all(_goes_on_rising(objective, at, side) for side in sides)


def _goes_on_rising(objective: Objective, at: Evaluation, step: Vector) -> bool:
    value, rises = at.value, 0
    for k in range(_LEVEL_POINTS):
        there = objective.evaluate(along(at.x, 2.0**k, step), 0)
        if not there.value >= value:
            return False
        rises = rises + 1 if there.value > value else 0
        if rises == _RISES:
            return not is_rounding(objective, there, there.value - at.value)
        value = there.value
    return False


def both_ways(directions: Sequence[Vector], x: Vector) -> list[Vector]:
    """Return each direction and its opposite, at the length of a first probe around ``x``; none for a zero one."""
    steps: list[Vector] = []
    for direction in directions:
        if not any(direction):  # every variable is held by its bound
            continue
        step = scaled_to(as_like(x, direction), probe_length(x))
        steps += [step, -step]
    return steps
