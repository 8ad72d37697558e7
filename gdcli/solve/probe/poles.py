"""Is it a pole that the run has come to, or the edge of the domain?

At a pole the value falls like ``-1/d**p`` with the distance d: each halving of d brings more than the one before. That
of a logarithm brings as much: a pole where the function goes on beyond it, as ``log(x**2)`` does at 0, and an edge
where it does not. That of a root brings less: an edge. The run itself cannot tell, for it ends where the variables have
no numbers left between it and the pole. But the way back can: seen from the end, away from the pole, the value must
rise ever more slowly, or by equal amounts, as the distance doubles, over many doublings.
"""

from __future__ import annotations

from math import inf

from gdcli.kernel.dense import quadratic_form
from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.vectors import along, norm
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.quadratic_model import hessian_source, with_hessian

# The distance doubles so often; over the first doublings it is not the whole distance, and the numbers are coarse.
_DOUBLINGS, _COARSE = 26, 8
# Each rise is at most this part of the one before: 0.95 for a pole of the order 0.07.
_SLACKENING = 0.95


# The rises beside a logarithm are equal to this part.
_EQUAL = 0.02


def is_beside_pole(objective: Objective, at: Evaluation) -> bool:
    """Tell whether the value at ``at`` (with its gradient) is that of a point beside a pole where it is -inf."""
    g: Vector = at.gradient
    slope = norm(g) if g is not None and not at.estimated else 0.0
    if not 0.0 < slope < inf:
        # So close to a pole at 0 that the slope is beyond the numbers: the distance is that from 0.
        return at.value < inf and any(at.x) and _is_logarithmic(objective, at, at.x)
    back = g / slope
    if at.value < 0.0 and _rises(objective, at, -at.value / slope * back, 0.0, _SLACKENING):
        return True
    return _is_logarithmic(objective, at, _distance_from_logarithm(objective, at, slope, back) * back)


def _distance_from_logarithm(objective: Objective, at: Evaluation, slope: float, back: Vector) -> float:
    """Return how far a pole of ``c*log`` is: its slope is c by the distance, its curvature c by the distance squared.

    Where the curvature cannot be had, c counts as 1.
    """
    source = hessian_source(objective)
    hessian = with_hessian(objective, at, source).hessian if source is CurvatureSource.EXACT else None
    bend = 0.0 if hessian is None else abs(quadratic_form(hessian, back))
    return slope / bend if 0.0 < bend < inf else 1.0 / slope


def _is_logarithmic(objective: Objective, at: Evaluation, back: Vector) -> bool:
    if not _rises(objective, at, back, 1.0 - _EQUAL, 1.0 + _EQUAL):
        return False
    far = 2.0**_DOUBLINGS
    here, beyond = (objective.evaluate(along(at.x, side, back), 0).value for side in (far, -far))
    return at.value < beyond < here + (here - at.value)


def _rises(objective: Objective, at: Evaluation, step: Vector, least: float, most: float) -> bool:
    """Tell whether the value rises over doublings of ``step``, by a part of the rise before that lies between
    ``least`` and ``most``.
    """
    before, rise = at.value, inf
    for k in range(_DOUBLINGS):
        value = objective.evaluate(along(at.x, 2.0**k, step), 0).value
        latest = value - before
        if k > _COARSE and not (0.0 < latest <= most * rise and latest >= least * rise):
            return False
        before, rise = value, latest
    return True
