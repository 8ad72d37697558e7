"""Is a small curvature that of the minimum, or only met in passing?

A step away from the minimum of ``x**4`` the Hessian is positive, as at the minimum of a flat parabola. What
tells them apart is a second look: the curvature of the parabola is the same a little further on.
"""

from __future__ import annotations

from gdcli.solvers.dense import eigen, eigenvalues, quadratic_form
from gdcli.solvers.hessian import with_hessian
from gdcli.solvers.model import LocalModel
from gdcli.solvers.types import Evaluation, Objective, Vector
from gdcli.solvers.vectors import along, distance, dot, max_abs

# The smallest curvature is doubted when it is this much less than the mean curvature on the way from the
# start.
DOUBTFUL_PART = 1e-4
# The gain, relative to max(1, |value|), below which the minimum counts as reached by a run of Newton's method, which
# has seen the curvature settle; and by any run: above that the inflection of ``x**3`` may be ahead as well.
_REACHED, REACHED_BY_ANY = 1e-10, 1e-16
# Curvature that changes by this part within the distance to the minimiser is no property of the minimum.
UNSTEADY = 0.3
# Least length of the look aside, relative to max(1, |x|): far beyond the rounding of x, yet close.
_ASIDE = 1e-8
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
    the curvature is not small beside the mean curvature on the way from ``start``; ``reached`` is the gain that
    counts as the end.
    """
    if source != "exact":
        return None
    if start is not None and model.gain <= reached * max(1.0, abs(at.value)):
        way = distance(start.x, at.x)
        if eigenvalues(model.hessian)[0] * way * way >= DOUBTFUL_PART * (start.value - at.value):
            return None
    vector = eigen(model.hessian)[1][0]
    least = _ASIDE * max(1.0, max_abs(at.x))
    aside = dot(model.newton, vector)
    if abs(aside) < least:
        aside = least if aside >= 0.0 else -least
    if _changes(objective, at, model, aside, vector, source):
        return vector
    if model.newton_length > least:
        ahead = model.newton / model.newton_length
        if _changes(objective, at, model, model.newton_length, ahead, source):
            return ahead
    return None


def _changes(
    objective: Objective, at: Evaluation, model: LocalModel, aside: float, v: Vector, source: str
) -> bool:
    """Tell whether the curvature along the unit vector ``v`` is another one ``aside`` from here."""
    beside = with_hessian(objective, objective.evaluate(along(at.x, aside, v), 0), source)
    if beside.hessian is None:
        return False
    here = quadratic_form(model.hessian, v)
    return abs(quadratic_form(beside.hessian, v) - here) > UNSTEADY * abs(here)
