"""How good is the Newton step from here? The last digits of an answer, and what can be said of what is left.

Near a minimum with a positive definite Hessian the Newton step leads to it, and the model tells how far the value
falls. Both hold only where Newton's method converges quadratically, and one step shows whether it does: the value
falls as the model foretold, and the gap that is left at its end is a small part of that here (Kantorovich; Dennis and
Schnabel, Numerical Methods for Unconstrained Optimization, section 5.3).

A value tells points apart down to the square root of its rounding only: around the minimum it does not change. The
gradient goes on to tell them apart, so that a few more Newton steps that it judges give nearly all digits of x.

A step away from the minimum of ``x**4`` the Hessian is positive, as at the minimum of a flat parabola. What tells them
apart is a second look (`passing_direction`): the curvature of the parabola is the same a little further on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import Matrix, diagonal, eigen, eigenvalues, positive_solve, quadratic_form
from gdcli.kernel.numerics import CLEARLY, EPS, FLOOR
from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.vectors import along, alternating, as_like, distance, dot, max_abs, norm, to_list
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.quadratic_model import (
    NOISE,
    PRODUCT_LIMIT,
    LocalModel,
    hessian_source,
    local_model,
    with_hessian,
)
from gdcli.solve.probe.line_probe import rounding_of
from gdcli.solve.scaling import inward, outward, rescaled, units_at, value_scale

# Newton's method converges quadratically: the gap of one step before is more than a hundred times this
# one's. Otherwise it is slow, as at a minimum like x**4.
SLOW_RATIO = 1e-2
# Where the model holds, this part of the gap is left after the step at most: down ``x**3``, which has no minimum, an
# eighth is left, and at that of ``x**4`` a fifth.
LEFT = 1.0 / 16.0
# The value falls by what the model promises, but for this part of it.
AGREES = 0.25
# The part of its way that a variable can be told from 0 by, where the value is flat to second order at least.
_NOTHING = sqrt(EPS)
# A step of a few units in the last place of x is none.
_LAST_PLACE = 4.0 * EPS
# Where terms cancel, the rounding of a value is up to this part of it, or of the fall so far.
_MAY_BE_ROUNDING = 1e-8
# Each step doubles the digits: four lead from one of them to all.
_MOST_STEPS = 4
# Up to so many variables a method without a Hessian gets one for its last digits: it costs little beside the run.
_MOST_VARIABLES = PRODUCT_LIMIT


class Polished(NamedTuple):
    """The point with the last digits, its model and the last step to it."""

    at: Evaluation
    model: LocalModel
    step: Vector


def is_exact(at: Evaluation, start: Evaluation, model: LocalModel) -> bool:
    """Tell whether the Newton step from ``at`` moves each variable by no more than a few units in its last place.

    The scale of a variable is its size, or the way that it has come from ``start``: a minimum at 0 is reached like any
    other. One that has neither, beside the others, is judged by its part of the gap, beside the fall so far.
    """
    scales = [max(abs(a), abs(a - b)) for a, b in zip(at.x, start.x, strict=True)]
    least = EPS * max(scales)
    enough = 2.0 * _LAST_PLACE * _LAST_PLACE * (start.value - at.value)
    rows = zip(model.newton, scales, diagonal(model.hessian), strict=True)
    return all(abs(p) <= _LAST_PLACE * s or (s <= least and h * p * p <= enough) for p, s, h in rows)


def is_rounding(at: Evaluation, start: Evaluation, model: LocalModel) -> bool:
    """Tell whether no more than rounding is left from ``at`` to the minimum of its strictly convex ``model``: the step
    is in the last places of x, or such as the rounding of the gradient makes.
    """
    if is_exact(at, start, model):
        return True
    noise = _of_rounding(at.x, model.hessian)
    return all(abs(p) <= 4.0 * r for p, r in zip(model.newton, noise, strict=True))


def polish(
    objective: Objective, at: Evaluation, start: Evaluation, model: LocalModel, source: str
) -> Polished | None:
    """Return the point that Newton steps from ``at`` lead to, None where they do not help.

    A step helps when the gap of its end is smaller and the value has not risen by more than its rounding. The next one
    is tried where this was a good one. ``model`` is that of ``at``, whose run began at ``start``.
    """
    best: Polished | None = None
    for _ in range(_MOST_STEPS):
        if not model.strict or is_exact(at, start, model):
            break
        there = objective.evaluate(at.x + model.newton, 0)
        rise = there.value - at.value
        if not rise <= FLOOR * abs(at.value) and not rise <= CLEARLY * rounding_of(objective, at):
            break
        arrival = with_hessian(objective, there, source)
        if arrival.hessian is None or arrival.estimated:
            break
        found = local_model(arrival.gradient, arrival.hessian, NOISE[source])
        if not (found.strict and found.gap < model.gap):
            break
        best = Polished(arrival, found, arrival.x - at.x)
        if not found.gap <= SLOW_RATIO * model.gap:
            break
        at, model = arrival, found
    return best


def polished(objective: Objective, at: Evaluation, start: Evaluation) -> Evaluation | None:
    """Return the point that Newton steps from ``at``, where a run without a Hessian ended, lead to.

    None where they do not help, where there is no exact Hessian, and where there are too many variables for one.
    """
    source = hessian_source(objective)
    if (
        objective.size > _MOST_VARIABLES
        or source not in (CurvatureSource.EXACT, CurvatureSource.PRODUCTS)
        or at.estimated
    ):
        return None
    full = with_hessian(objective, at, source)
    if full.hessian is None:
        return None
    units = units_at(objective, full, start)
    here = inward(full, units)
    model = local_model(here.gradient, here.hessian, NOISE[source])
    found = polish(rescaled(objective, units), here, inward(start, units), model, source)
    return None if found is None else outward(found.at, units)


def is_known(
    objective: Objective, at: Evaluation, start: Evaluation | None, model: LocalModel, source: str
) -> bool:
    """Tell whether the gap and the Newton step of ``model`` are good estimates of what is left from ``at``."""
    if not model.strict:
        return False
    if model.gap <= EPS * abs(at.value) or is_rounding(at, start or at, model):
        return True
    goal = at.x + model.newton
    there = objective.evaluate(goal, 0)
    if there.x is not goal:  # bounds have bent the step
        return False
    there = with_hessian(objective, there, source)
    if there.hessian is None:
        return False
    ahead = local_model(there.gradient, there.hessian, NOISE[source])
    if not ahead.strict:
        return False
    surprise = abs(at.value - there.value - model.gap)
    if ahead.gap <= LEFT * model.gap and surprise <= AGREES * model.gap:
        return True
    if not model.gap <= _MAY_BE_ROUNDING * max(abs(at.value), (start or at).value - at.value):
        return False
    noise = CLEARLY * rounding_of(objective, at)
    return ahead.gap <= max(LEFT * model.gap, noise) and surprise <= AGREES * model.gap + noise


def is_known_of_many(objective: Objective, at: Evaluation, gap: float, step: Vector) -> bool:
    """Tell the same without a matrix: by the value and the length of the gradient at the end of the Newton ``step``."""
    if gap <= EPS * abs(at.value):
        return True
    goal = at.x + step
    there = objective.evaluate(goal, 1)
    if there.x is not goal or there.gradient is None:
        return False
    left = norm(there.gradient) ** 2 <= LEFT * norm(at.gradient) ** 2
    return left and abs(at.value - there.value - gap) <= AGREES * gap


def errors_of(x: Vector, model: LocalModel) -> tuple[float, ...]:
    """Return about how far each variable is from the minimiser (shape n): by the Newton step, or by rounding."""
    return tuple(
        max(abs(p), r) for p, r in zip(to_list(model.newton), _of_rounding(x, model.hessian), strict=True)
    )


def errors_at_zero(
    are_zero: Sequence[bool], typed: Vector, known: tuple[float, ...] | None
) -> tuple[float, ...] | None:
    """Return the errors that are ``known``, with the sizes, as ``typed``, of the variables that may as well be 0."""
    if not any(are_zero):
        return known
    rows = zip(are_zero, to_list(typed), known or [0.0] * len(typed), strict=True)
    return tuple(max(abs(a), error) if zero else error for zero, a, error in rows)


def may_be_zero(x: Vector, start: Vector, is_as_good: Callable[[Vector], bool]) -> list[bool]:
    """Tell of each variable whether it is not 0, yet no more is known of it than that it is next to 0.

    What is next to nothing beside the way that the run has come from ``start``, in units in which variables can be
    compared, and may as well be 0 by what is known of the point, has no digits.
    """
    nothing = _NOTHING * max_abs(x - start)
    tiny = [0.0 < abs(a) <= nothing for a in to_list(x)]
    if any(tiny) and is_as_good(as_like(x, [0.0 if t else a for t, a in zip(tiny, to_list(x), strict=True)])):
        return tiny
    return [False] * len(tiny)


def _of_rounding(x: Vector, H: Matrix) -> list[float]:
    """Return the errors of a minimiser ``x`` (shape n) that come from the rounding of x alone.

    Because of it the gradient has errors of about ``eps |H| |x|``, which the curvature turns into errors of x (Higham,
    Accuracy and Stability of Numerical Algorithms, section 7.2). Two patterns of their signs stand for all.
    """
    size = [EPS * abs(a) for a in to_list(x)]
    slopes = as_like(x, [sum([abs(h) * a for h, a in zip(row, size, strict=True)]) for row in H])
    found = [size]
    for signs in (slopes, alternating(slopes)) if len(size) > 1 else ():
        solved = positive_solve(H, signs)
        if solved is not None:
            found.append([abs(p) for p in to_list(solved.z)])
    return [max(column) for column in zip(*found, strict=True)]


def rounding_of_variables(at: Evaluation) -> float:
    """Return how much the value may change, by slope and curvature, when the variables move by their rounding."""
    if at.gradient is None or at.hessian is None:
        return 0.0
    size = [EPS * abs(a) for a in to_list(at.x)]
    slopes, rows = to_list(at.gradient), at.hessian
    bends = [sum([abs(float(h)) * s for h, s in zip(row, size, strict=True)]) for row in rows]
    return float(sum([s * (abs(g) + 0.5 * b) for s, g, b in zip(size, slopes, bends, strict=True)]))


# The smallest curvature is doubted when it is this much less than the mean curvature on the way from the
# start.
DOUBTFUL_PART = 1e-4
# The gap, relative to the scale of the value, below which the minimum counts as reached: above that the inflection of
# ``x**3`` may be ahead as well.
REACHED = 1e-16
# A quadratic minimum is that near, as part of the way from the start, when its gap has become as small.
_NEAR = 1e-4
# Curvature that changes by this part within the distance to the minimiser is no property of the minimum.
UNSTEADY = 0.3
# Least length of the look aside, relative to max(1, |x|): far beyond the rounding of x, yet close.
_ASIDE = 1e-8
# Of steps shorter than this part of the size of x it is not asked whether they lead to a minimum.
SHORT = 1e-4
# Newton's method squares the error: where it is of use at all, one step takes most of the slope away.
CREST_SLOPE = 0.25


def passing_direction(
    objective: Objective,
    at: Evaluation,
    start: Evaluation | None,
    model: LocalModel,
    source: str,
) -> Vector | None:
    """Return a direction in which the curvature of a positive definite Hessian is a passing one, or None.

    ``model`` is strict. Two directions are looked at, the one of the smallest curvature and that of the Newton
    step, if there is still some way to go. A look costs a Hessian, so none is taken where the end is reached and
    the curvature is not small beside the mean curvature on the way from ``start``.
    """
    if source != CurvatureSource.EXACT:
        return None
    if start is not None and model.gap <= REACHED * value_scale(at.value, start.value - at.value):
        way = distance(start.x, at.x)
        steep = eigenvalues(model.hessian)[0] * way * way >= DOUBTFUL_PART * (start.value - at.value)
        if steep and model.newton_length <= _NEAR * way:
            return None
    vector = eigen(model.hessian)[1][0]
    least = _ASIDE * max(1.0, max_abs(at.x))
    aside = dot(model.newton, vector)
    if abs(aside) < least:
        aside = least if aside >= 0.0 else -least
    if _changes(objective, at, model, along(at.x, aside, vector), (vector,), source):
        return vector
    if not is_rounding(at, start or at, model):
        # Off the floor of a valley the slope across it makes a curvature along it, which is gone on the floor.
        ahead = model.newton / model.newton_length
        ways = (vector, ahead) if model.newton_length > least else (vector,)
        if _changes(objective, at, model, at.x + model.newton, ways, source):
            return ways[-1]
    return None


def _changes(
    objective: Objective,
    at: Evaluation,
    model: LocalModel,
    there: Vector,
    ways: Sequence[Vector],
    source: str,
) -> bool:
    """Tell whether the curvature along one of the unit vectors ``ways`` is another one at ``there``."""
    beside = with_hessian(objective, objective.evaluate(there, 0), source)
    if beside.hessian is None:
        return False
    for v in ways:
        here = quadratic_form(model.hessian, v)
        if abs(quadratic_form(beside.hessian, v) - here) > UNSTEADY * abs(here):
            return True
    return False
