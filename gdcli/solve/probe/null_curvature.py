"""Is a small curvature that of the minimum, or only met in passing?

A step away from the minimum of ``x**4`` the Hessian is positive, as at the minimum of a flat parabola. What
tells them apart is a second look: the curvature of the parabola is the same a little further on.
"""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.kernel.dense import eigen, eigenvalues, quadratic_form
from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.vectors import along, distance, dot, max_abs, norm
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.hessian import with_hessian
from gdcli.solve.algebra.quadratic_model import LocalModel
from gdcli.solve.probe.newton_decrement import is_rounding
from gdcli.solve.scaling import value_scale

# The smallest curvature is doubted when it is this much less than the mean curvature on the way from the
# start.
DOUBTFUL_PART = 1e-4
# The gap, relative to the scale of the value, below which the minimum counts as reached by a run of Newton's method,
# which has seen the curvature settle; and by any run: above that the inflection of ``x**3`` may be ahead as well.
_REACHED, REACHED_BY_ANY = 1e-10, 1e-16
# A quadratic minimum is that near, as part of the way from the start, when its gap has become as small.
_NEAR = 1e-4
# Curvature that changes by this part within the distance to the minimiser is no property of the minimum.
UNSTEADY = 0.3
# Least length of the look aside, relative to max(1, |x|): far beyond the rounding of x, yet close.
_ASIDE = 1e-8
# Newton's steps shrink on the way to a minimum, to 18/19 each at that of ``x**20``. Those of a slope that flattens out
# without end do not; steps shorter than a part of the size of x are not asked.
_RECEDING, SHORT = 0.95, 1e-4
# Newton's method squares the error: where it is of use at all, one step takes most of the slope away.
CREST_SLOPE = 0.25


def passing_direction(
    objective: Objective,
    at: Evaluation,
    start: Evaluation | None,
    model: LocalModel,
    source: str,
    reached: float = _REACHED,
) -> Vector | None:
    """Return a direction in which the curvature of a positive definite Hessian is a passing one, or None.

    ``model`` is strict. Two directions are looked at, the one of the smallest curvature and that of the Newton
    step, if there is still some way to go. A look costs a Hessian, so none is taken where the end is reached and
    the curvature is not small beside the mean curvature on the way from ``start``; ``reached`` is the gap that
    counts as the end.
    """
    if source != CurvatureSource.EXACT:
        return None
    if start is not None and model.gap <= reached * value_scale(at.value, start.value - at.value):
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


def recedes(objective: Objective, at: Evaluation, step: Vector) -> bool:
    """Tell whether the minimum that Newton's ``step`` from ``at`` aims at recedes as it is approached.

    The slope along the step shrinks by a ratio from each step to the next: by less and less on the way to infinity, as
    down ``1/x``, by a constant one down ``exp(-x)``, and by more and more on the way to a minimum.
    """
    if not norm(step) > SHORT * max(1.0, norm(at.x)):
        return False
    slopes = [dot(at.gradient, step)]
    for steps in (1.0, 2.0):
        there = objective.evaluate(along(at.x, steps, step), 1)
        if there.gradient is None:
            return False
        slopes.append(dot(there.gradient, step))
    first, second, third = slopes
    if not (first < 0.0 and second < 0.0 and third < 0.0):
        return False
    return third / second >= _RECEDING * (second / first)
