"""Is a small curvature that of the minimum, or only met in passing?

A step away from the minimum of ``x**4`` the Hessian is positive, as at the minimum of a flat parabola. What
tells them apart is a second look: the curvature of the parabola is the same a little further on.
"""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.kernel.dense import eigen, eigenvalues, quadratic_form
from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.vectors import along, distance, dot, max_abs
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.hessian import with_hessian
from gdcli.solve.algebra.quadratic_model import LocalModel
from gdcli.solve.probe.newton_decrement import is_rounding
from gdcli.solve.scaling import value_scale

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
