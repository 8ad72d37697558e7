"""Where was a fixed step size leading when a cap ended its run?

The value at the end does not tell: above the start it may be on its way back, below it on its way out. A few more
steps do, by the rules of :mod:`gdcli.judge.learning_rates`: a run *diverges* whose value rises with each while
they become longer, and it *overshoots* where each goes against the one before and is hardly shorter. Both come of a
step size near or beyond its stable limit, ``2/L`` for gradient descent, with L the largest curvature along the way.
"""

from __future__ import annotations

from itertools import pairwise
from math import isfinite

from gdcli.judge.evidence import Certificate
from gdcli.judge.gd_forecast import WINDOW, pace
from gdcli.judge.learning_rates import goes_to_and_fro, grows
from gdcli.judge.path_curvature import survey
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import dot, norm
from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.iteration import FixedRate, Method, RunResult
from gdcli.solve.run import quiet

# A step size is at its limit up to the error of the curvature there.
_SAME = 1e-6
_CAPS = (StopReason.MAX_ITERATIONS, StopReason.MAX_EVALUATIONS)
# So many steps of the best rate are followed to see the curvature along the way.
_WAY = 100


class Trend(NamedTuple):
    """How the steps went on: whether they ``diverges``, the factor ``pace`` from one to the next, L along the way.

    ``curvature`` is None where it is not known.
    """

    diverges: bool
    pace: float
    curvature: float | None

    @property
    def is_told_along(self) -> bool:
        """Whether ``curvature`` is the largest one along the way."""
        return self.diverges and self.curvature is not None


def trend(
    objective: Objective, method: Method, fixed: FixedRate, result: RunResult, certificate: Certificate
) -> Trend | None:
    """Return where the steps of size ``fixed`` of a run that a cap ended lead; None where they are quiet.

    A run is asked that ended above its best point, or whose step size is at the limit there.
    """
    last, sharpest = result.last.at, certificate.eigenvalue_max
    at_limit = sharpest is not None and fixed.lr * sharpest >= (1.0 - _SAME) * fixed.factor
    if result.reason not in _CAPS or not (at_limit or last.value > result.best.at.value):
        return None
    points = _further(objective, method, last)
    slopes = [norm(at.gradient) for at in points if at.gradient is not None]
    diverges = len(slopes) < len(points) or grows([at.value for at in points], slopes)
    moves = [b.x - a.x for a, b in pairwise(points)]
    turns = [dot(a, b) < 0.0 for a, b in pairwise(moves)]
    if not diverges and not goes_to_and_fro(turns, slopes):
        return None
    along = _sharpest_along(objective, result.start.at) if diverges else None
    return Trend(diverges, pace(slopes), sharpest if along is None else along)


def _sharpest_along(objective: Objective, start: Evaluation) -> float | None:
    """Return the largest curvature along the way from ``start``, None within bounds and where it is not known."""
    at = objective.evaluate(start.x, 1) if objective.box is None else start
    if objective.box is not None or at.gradient is None:
        return None
    found = survey(objective, at, _WAY)[0]
    return None if found is None else found.largest


def _further(objective: Objective, method: Method, at: Evaluation) -> list[Evaluation]:
    """Return the points of a few steps from ``at``; one without a gradient is the last."""
    points = [at]
    with quiet(at.x):
        state = method.start(objective, at)
        for _ in range(WINDOW):
            step = method.step(objective, points[-1], state)
            if not step.moved:
                break
            points.append(step.at)
            if not isfinite(step.at.value) or step.at.gradient is None:
                return [*points[:-1], step.at._replace(gradient=None)]
            state = step.state
    return points
