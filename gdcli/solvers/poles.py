"""Is it a pole that the run has come to, or the edge of the domain?

At a pole the value falls like ``-1/d**p`` with the distance d: each halving of d brings more than the one before. That
of a logarithm brings as much, that of a root less; those are edges. The run itself cannot tell, for it ends where
the variables have no numbers left between it and the pole. But the way back can: seen from the end, away from the
pole, the value must rise ever more slowly as the distance doubles, over many doublings.
"""

from __future__ import annotations

from math import inf

from gdcli.solvers.types import Evaluation, Objective
from gdcli.solvers.vectors import along, norm

# The distance doubles so often; over the first doublings it is not the whole distance, and the numbers are coarse.
_DOUBLINGS, _COARSE = 26, 8
# Each rise is at most this part of the one before: 0.95 for a pole of the order 0.07.
_SLACKENING = 0.95


def is_beside_pole(objective: Objective, at: Evaluation) -> bool:
    """Tell whether the value at ``at`` (with its gradient) is that of a point beside a pole where it is -inf."""
    slope = norm(at.gradient) if at.gradient is not None else 0.0
    if not (at.value < 0.0 and 0.0 < slope < inf):
        return False
    distance, before, rise = -at.value / slope, at.value, inf
    for k in range(_DOUBLINGS):
        value = objective.evaluate(along(at.x, distance * 2.0**k / slope, at.gradient), 0).value
        latest = value - before
        if k > _COARSE and not 0.0 < latest <= _SLACKENING * rise:
            return False
        before, rise = value, latest
    return True
