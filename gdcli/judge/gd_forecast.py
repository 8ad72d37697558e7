"""How many steps a run of gradient descent still needs, told from where it stands.

The last steps shrink by some factor, and a run that goes on so is easily continued. Yet what shrinks fast hides
what shrinks slowly: in a narrow valley the steps across it are long and soon gone, those along it are short and
stay, and only when they are left is the true pace seen. The curvature knows them apart. Where the function is
quadratic, with Hessian eigenvalues c_i, a step at rate lr multiplies the part of the gradient along each
eigenvector by ``1 - lr*c_i``. So the gradient at the last point, split into these parts, tells the length of every
step to come (Nocedal and Wright, Numerical Optimization, section 3.3). The larger of both predictions holds. Where no
quadratic model holds from here to the minimum the pace of the last steps will not last, and nothing is predicted.

For many variables the split comes from Lanczos' method started with the gradient itself: its eigenvalues and
weights are the Gauss quadrature of exactly this sum (Golub and Meurant, Matrices, Moments and Quadrature, 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, floor, inf, log, log1p, sqrt

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import eigen
from gdcli.kernel.numerics import CLEARLY
from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.vectors import Vec, dot, norm
from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.algebra.quadratic_model import NOISE, hessian_source, with_hessian
from gdcli.solve.methods.newton_cg import ritz, steihaug
from gdcli.solve.probe.line_probe import rounding_of
from gdcli.solve.probe.newton_decrement import AGREES, LEFT

# The last steps, from which the pace is told.
WINDOW = 10
_LANCZOS_STEPS = 60
# Where Newton's step leads need be known to this part of the slope only.
_CG_ACCURACY = 1e-2
# Nobody waits for more steps than this.
_NEVER = 2**60


class SpectralPart(NamedTuple):
    """The part of a gradient along the eigenvectors of one curvature: its length."""

    curvature: float
    length: float


def pace(slopes: Sequence[float]) -> float:
    """Return the factor by which the last gradients shrink, each beside the one before; 1 where there is one only.

    It is the geometric mean over the last ten. At a fixed rate a step is as long as the gradient times the rate.
    """
    last = slopes[-WINDOW - 1 :]
    if len(last) < 2 or last[0] == 0.0:
        return 1.0
    return float((last[-1] / last[0]) ** (1.0 / (len(last) - 1)))


def steps_at_pace(length: float, short: float, factor: float) -> float:
    """Return after how many more steps one is shorter than ``short``, when the next is ``length`` long."""
    if length < short:
        return 0
    if factor == 0.0:
        return 1
    # A factor this close to 1 is rounding.
    return 1 + floor(log(length / short) / -log(factor)) if factor < 1.0 - 1e-13 else inf


def steps_left(
    objective: Objective, at: Evaluation, lr: float, short: float, slopes: Sequence[float]
) -> float | None:
    """Return after how many more steps one is shorter than ``short``; inf: never, None: not known.

    ``slopes`` are the lengths of the gradients so far; the last is that at ``at``.
    """
    at_pace = steps_at_pace(lr * slopes[-1], short, pace(slopes))
    if at_pace in (0, inf):
        return at_pace
    goal = _goal(objective, at)
    if goal is None:
        return None
    # The curvature at the end of the way decides in the end; a gradient of the length here is split by it.
    split = (parts_of(objective, at), parts_of(objective, goal))
    told = [steps_by_parts(lr, parts, short) for parts in split]
    return max([at_pace, *(t for t in told if t is not None)])


def _goal(objective: Objective, at: Evaluation) -> Evaluation | None:
    """Return the minimiser to which Newton's step leads from ``at``, with the gradient of ``at``; None where no
    quadratic model holds up to there.
    """
    here = steihaug(objective, at, inf, _CG_ACCURACY, _LANCZOS_STEPS)
    if here is None or here.negative:
        return None
    there = objective.evaluate(at.x + here.step, 1)
    if there.gradient is None:
        return None
    # By the gap: the slope across a valley hides that along it.
    ahead = steihaug(objective, there, inf, _CG_ACCURACY, _LANCZOS_STEPS)
    if ahead is None or ahead.negative:
        return None
    noise = CLEARLY * rounding_of(objective, at)
    surprise = abs(at.value - there.value - here.predicted)
    holds = ahead.predicted <= LEFT * here.predicted + noise and surprise <= AGREES * here.predicted + noise
    return Evaluation(there.x, there.value, at.gradient) if holds else None


def parts_of(objective: Objective, at: Evaluation) -> list[SpectralPart]:
    """Return the gradient at ``at`` split by curvature; empty where the Hessian is not finite."""
    source = hessian_source(objective)
    if source is CurvatureSource.NONE:
        return _quadrature(objective, at)
    hessian = with_hessian(objective, at, source).hessian
    if hessian is None:
        return []
    values, vectors = eigen(hessian)
    # A curvature below its own error is none.
    error = NOISE[source] * max(abs(values[0]), abs(values[-1]))
    return [
        SpectralPart(
            c if abs(c) > error else 0.0, abs(dot(Vec(v) if isinstance(at.x, list) else v, at.gradient))
        )
        for c, v in zip(values, vectors, strict=True)
    ]


def _quadrature(objective: Objective, at: Evaluation) -> list[SpectralPart]:
    length = norm(at.gradient)
    found = ritz(objective, at, min(_LANCZOS_STEPS, len(at.x)), at.gradient) if length > 0.0 else None
    if found is None:
        return []
    parts = zip(found.values, found.vectors, strict=True)
    return [SpectralPart(float(c), length * abs(float(u[0]))) for c, u in parts]


def steps_by_parts(lr: float, parts: Sequence[SpectralPart], short: float) -> float | None:
    """Return after how many more steps one is shorter than ``short``; inf: never.

    None where the parts cannot tell: there are none, or one of them has no positive curvature.
    """
    told = [p for p in parts if lr * p.length > 0.0]
    if not told or any(p.curvature <= 0.0 and lr * p.length >= short for p in told):
        return None

    def length(step: int) -> float:
        return lr * sqrt(sum([(p.length * _power(1.0 - lr * p.curvature, step)) ** 2 for p in told]))

    if length(0) < short:
        return 0
    far = 1
    while not length(far) < short:
        far *= 2
        if far > _NEVER:
            return inf
    near = far // 2
    while far - near > 1:
        middle = (near + far) // 2
        near, far = (near, middle) if length(middle) < short else (middle, far)
    return far


def _power(factor: float, exponent: int) -> float:
    """Return ``abs(factor) ** exponent``, a large number where that would overflow."""
    if factor == 0.0:
        return 0.0 if exponent else 1.0
    size = log1p(abs(factor) - 1.0)
    return exp(max(-700.0, min(300.0, exponent * size)))
