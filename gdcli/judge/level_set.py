"""Where else the value is as low: the ends of the level piece that an answer lies on.

Between the kinks of ``abs(x-1)+abs(x-2)`` the value is level, and each x from 1 to 2 is a minimiser. Along each
variable the value is followed from the answer in steps that double for as long as it is no higher than there, but for
its rounding; the end of the level piece lies between the last two, and is found by halving.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from gdcli.kernel.numerics import CLEARLY, FLOOR, NEWS
from gdcli.kernel.status import CurvatureSource, Status
from gdcli.kernel.vectors import Vector, alternating, as_like, is_finite, ones_like, times, to_list, unit_like
from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.algebra.quadratic_model import hessian_source, with_hessian
from gdcli.solve.probe.line_probe import LIMIT_DOUBLINGS, PROBE_LENGTH, ProbeEnd, both_ways, rounding_of, walk
from gdcli.solve.probe.valley import level_directions
from gdcli.solve.run import quiet, unbounded_below
from gdcli.solve.scaling import inward, rescaled, units_at

if TYPE_CHECKING:
    from gdcli.judge.verdict import Verdict
    from gdcli.kernel.vectors import Space

# Up to so many variables are looked along.
_MOST = 50
# So many doublings are fifteen orders of magnitude: what is level up to there is level without end, and the rounding of
# a difference, as in ``abs(x)-abs(x-1)``, begins farther out.
_DOUBLINGS = 50
# Where rounding alone makes a corner level, the value rises over the width of that by two times as much as between.
_BY_FAR = 8.0
# A smaller part of a direction is not told.
_SEEN_PART = 1e-6
# Eight digits of the ends of a range are told, and of the way from the answer to one.
_WIDTH_TOLD = 1e-8
# So many halvings leave nothing between two numbers.
_HALVINGS = 60

# The lowest and the highest value of each parameter, in flat order, that are as good as the answer.
Ranges = Sequence[tuple[float, float]]


def level_ranges(objective: Objective, at: Evaluation, start: Evaluation) -> Ranges | None:
    """Return how far each variable may be moved from the minimiser ``at``, the others held, with the value as low.

    None where the function is smooth: its level sets are valleys, with no ends to name; and where no variable may be
    moved. A piece must be seen from a thousandth of the size of the variable, or of its way from ``start``.
    """
    if objective.size > _MOST or objective.is_smooth:
        return None
    allowed = at.value + max(FLOOR * abs(at.value), CLEARLY * rounding_of(objective, at))
    x, from_x = to_list(at.x), to_list(start.x)
    ranges = []
    for i, (a, b) in enumerate(zip(x, from_x, strict=True)):
        length = PROBE_LENGTH * max(abs(a), abs(a - b))
        steps = (-length, length) if length > 0.0 else ()
        seen = [_is_level(objective, at, i, step, allowed) for step in steps]
        if any(seen):
            low, high = (_end(objective, at, i, *side, allowed) for side in zip(steps, seen, strict=True))
            ranges.append((low, high) if _is_seen(objective, at, i, low, high, allowed) else (a, a))
        else:
            ranges.append((a, a))
    return ranges if any(low < high for low, high in ranges) else None


def ends_rise(objective: Objective, at: Evaluation) -> bool:
    """Tell whether the level piece around ``at`` ends where the value rises, and nowhere where it falls.

    It is followed along each variable, along all together and along them in turn.
    """
    n = objective.size
    if n > _MOST:
        return False
    axes = [unit_like(at.x, i) for i in range(n)]
    together = ones_like(at.x)
    ways = axes if n == 1 else [*axes, together, alternating(together)]
    floor = unbounded_below(at.value)
    ends = {
        walk(objective, at, step, NEWS * abs(at.value), floor, patience=LIMIT_DOUBLINGS).outcome
        for step in both_ways(ways, at.x)
    }
    return ends in ({ProbeEnd.RISES}, {ProbeEnd.RISES, ProbeEnd.LEVEL})


def _is_seen(
    objective: Objective, at: Evaluation, index: int, low: float, high: float, allowed: float
) -> bool:
    """Tell whether the value between two ends is level by itself, and not only because rounding hides how it rises.

    Beyond an end it rises: over as much as the whole width by far more than what is ``allowed`` for rounding.
    """
    width, here = high - low, float(at.x[index])
    if not width < inf:
        return True
    rises = [
        objective.evaluate(at.x + unit_like(at.x, index, goal - here), 0).value - at.value
        for goal in (low - width, high + width)
    ]
    return max(rises) > _BY_FAR * (allowed - at.value)


def _is_level(objective: Objective, at: Evaluation, index: int, step: float, allowed: float) -> bool:
    goal = at.x + unit_like(at.x, index, step)
    there = objective.evaluate(goal, 0)
    return is_finite(goal) and float(there.x[index]) == float(goal[index]) and there.value <= allowed


def _end(objective: Objective, at: Evaluation, index: int, step: float, level: bool, allowed: float) -> float:
    """Return how far the variable can go in steps of this sign until the value is above what is ``allowed``.

    ``level`` tells whether the value is still no higher after the first step.
    """
    here = float(at.x[index])
    inner, outer = 0.0, step
    for _ in range(_DOUBLINGS):
        if not level:
            break
        inner, outer = outer, 2.0 * outer
        level = _is_level(objective, at, index, outer, allowed)
    else:
        return inf if step > 0.0 else -inf
    for _ in range(_HALVINGS):
        middle = 0.5 * (inner + outer)
        if middle in (inner, outer) or here + inner == here + outer:
            break
        inner, outer = (
            (middle, outer) if _is_level(objective, at, index, middle, allowed) else (inner, middle)
        )
    end = here + inner
    return 0.0 if abs(end) <= _WIDTH_TOLD * abs(inner) else end


def valley_directions(objective: Objective, at: Evaluation, start: Evaluation) -> list[Vector]:
    """Return the directions in which a smooth function, bent or not, stays as low as at the minimiser ``at``.

    Parts that are next to nothing, in units in which variables can be compared, are 0, and the largest is 1.
    """
    source = hessian_source(objective)
    if not 1 < objective.size <= _MOST or not objective.is_smooth or source is CurvatureSource.NONE:
        return []
    full = with_hessian(objective, at, source)
    units = units_at(objective, full, start)
    with quiet(at.x):
        found = level_directions(rescaled(objective, units), inward(full, units), source)
    typed = []
    for way in found:
        seen = as_like(way, [a if abs(a) >= _SEEN_PART else 0.0 for a in way])
        most = max(range(len(seen)), key=lambda i: abs(seen[i]))
        as_typed = seen if isinstance(units, float) else times(seen, units)
        typed.append(as_typed / as_typed[most])
    return typed


def with_valley(verdict: Verdict, ways: Sequence[Vector], space: Space, extremum: str = "minimum") -> Verdict:
    """Return the ``verdict`` on an answer, which tells of the valley that it lies in, with one of its directions."""
    if not ways or verdict.status is not Status.CONVERGED:
        return verdict
    parts = [f"{space.label(i)} = {a:.3g}" for i, a in enumerate(to_list(ways[0])) if a]
    more = f", and {len(parts) - 4} variables more" if len(parts) > 4 else ""
    others = f" and in {len(ways) - 1} more" if len(ways) > 1 else ""
    word = "minimisers" if extremum == "minimum" else "maximisers"
    return verdict._replace(
        message=f"Converged to a valley of {word}: the value stays the same in the direction"
        f" {', '.join(parts[:4])}{more}{others}."
    )


def with_ranges(
    verdict: Verdict, ranges: Ranges | None, space: Space, value: str = "value", extremum: str = "minimum"
) -> Verdict:
    """Return the ``verdict`` on an answer, which tells of all that are as good where it is not the only one."""
    others = told(ranges, space, value) if verdict.status is Status.CONVERGED and ranges else ""
    return (
        verdict._replace(message=f"Converged to a {extremum} that is not unique: {others}.")
        if others
        else verdict
    )


def told(ranges: Ranges, space: Space, value: str = "value") -> str:
    """Return where variables may lie that the least ``value`` does not fix, in words; nothing where it fixes all."""
    wide = [(space.label(i), *ends) for i, ends in enumerate(ranges) if ends[0] < ends[1]]
    parts = [f"{name} {_between(low, high)}" for name, low, high in wide[:4]]
    if not parts:
        return ""
    more = f" and {len(wide) - 4} parameters more" if len(wide) > 4 else ""
    if len(wide) == 1:
        return f"{wide[0][0]} may lie anywhere {parts[0].partition(' ')[2]}, with the same {value}"
    return f"with the same {value} there are others, {', '.join(parts)}{more}, though not each with each"


def _between(low: float, high: float) -> str:
    if high - low < inf:  # what is less than the digits told of the width is 0
        low, high = (0.0 if abs(end) < _WIDTH_TOLD * (high - low) else end for end in (low, high))
    if low == -inf:
        return "at all" if high == inf else f"up to {high:.8g}"
    return f"from {low:.8g} on" if high == inf else f"from {low:.8g} to {high:.8g}"
