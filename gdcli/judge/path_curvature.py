"""How strongly a function is curved along the way that gradient descent takes, and what follows for the rate.

Along a direction of curvature c one step of gradient descent multiplies the distance to the minimum by
``1 - lr*c``. So the largest curvature L limits the rate: above ``2/L`` that factor is below -1, and each step
lands farther away, on the other side. The smallest curvature m sets the pace: its factor is the closest to 1.
The rate that makes the worse of the two factors best is ``2/(L+m)``; both are then ``(L-m)/(L+m)``, which only
depends on the condition number L/m (Nesterov, Lectures on Convex Optimization, 2018, theorem 2.1.15; Nocedal
and Wright, Numerical Optimization, section 3.3). Where the curvature is not positive everywhere that rule does
not apply, and ``1/L`` stands in, the rate with the greatest fall that is certain (Nesterov, section 1.2.3).

A function that is not quadratic has another curvature everywhere, so that "along the way" needs a way: it is
the path of the best rate itself. That path depends on L and m, and these on the path. A first guess from the
start is corrected until both agree. Only points that are not higher than the start count: a path that flies off
must not be taken for the landscape that a good one sees.
"""

from __future__ import annotations

from gdcli.judge.rate_trials import Pace, RateTrial, advance
from gdcli.judge.ritz import ritz
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import eigen
from gdcli.kernel.status import CurvatureSource
from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.algebra.quadratic_model import NOISE, hessian_source, with_hessian

# Products in one Lanczos run: its error falls like exp(-4 * steps / sqrt(condition)).
LANCZOS_STEPS = 80
# Corrections of the path; a quadratic needs none, a valley like Rosenbrock's two or three.
_ROUNDS = 10
_SETTLED = 0.01
_BACK_OFF = 4.0


class Curvature(NamedTuple):
    """The extreme Hessian eigenvalues along the way, and the largest one at its end.

    ``how`` says where the Hessians came from, ``points`` how many there were.
    """

    largest: float
    smallest: float
    at_end: float
    how: CurvatureSource
    points: int

    @property
    def error(self) -> float:
        """What a curvature may differ from its true value by rounding or differences."""
        return NOISE.get(self.how, NOISE[CurvatureSource.EXACT]) * self.scale

    @property
    def singular(self) -> bool:
        """Whether the smallest curvature is not clearly above zero."""
        return self.smallest <= self.error

    @property
    def concave(self) -> bool:
        """Whether the smallest curvature is clearly below zero."""
        return self.smallest < -self.error

    @property
    def limit(self) -> float | None:
        """The stable limit 2/L; None where nothing is curved upwards."""
        return 2.0 / self.largest if self.largest > 0.0 else None

    @property
    def best(self) -> float | None:
        """The best fixed rate: 2/(L+m), or 1/L where m is not positive; None without any L > 0."""
        if self.largest <= 0.0:
            return None
        return 1.0 / self.largest if self.singular else 2.0 / (self.largest + self.smallest)

    @property
    def condition(self) -> float | None:
        """L/m; None where m is not clearly positive."""
        return None if self.largest <= 0.0 or self.singular else self.largest / self.smallest

    @property
    def scale(self) -> float:
        """The largest curvature of either sign."""
        return max(abs(self.largest), abs(self.smallest))


def at_point(objective: Objective, at: Evaluation) -> Curvature | None:
    """Return the curvature at one point; None where the Hessian is not finite."""
    source = hessian_source(objective)
    if source is CurvatureSource.NONE:
        spectrum = ritz(objective, at, LANCZOS_STEPS)
        if spectrum is None:
            return None
        return Curvature(spectrum.high, spectrum.low, spectrum.high, CurvatureSource.LANCZOS, 1)
    hessian = with_hessian(objective, at, source).hessian
    if hessian is None:
        return None
    values = eigen(hessian)[0]
    return Curvature(values[-1], values[0], values[-1], source, 1)


def _joined(one: Curvature, other: Curvature) -> Curvature:
    """Return the curvature of both; the end is that of the other."""
    return Curvature(
        max(one.largest, other.largest),
        min(one.smallest, other.smallest),
        other.at_end,
        other.how,
        one.points + other.points,
    )


def _along(objective: Objective, lane: RateTrial, found: Curvature) -> Curvature:
    """Return ``found``, the curvature at the start, joined with that along the path of ``lane``."""
    for at in lane.way():
        if at.value <= lane.values[0]:
            here = at_point(objective, at)
            if here is not None:
                found = _joined(found, here)
    return found


def survey(
    objective: Objective, at: Evaluation, steps: int, pace: Pace | None = None
) -> tuple[Curvature | None, RateTrial | None]:
    """Return the curvature along the way from ``at``, and the run at the best rate.

    ``steps`` is how long a path is followed. The run is None where there is no best rate: without any curvature
    at all, or with none that is positive. Both are None where the Hessian at the start is not finite.
    """
    start = at_point(objective, at)
    if start is None or start.scale == 0.0:
        return start, None
    found, rate = start, start.best or 1.0 / start.scale
    for _ in range(_ROUNDS):
        lane = RateTrial(rate, at, start.scale)
        advance(objective, [lane], steps, pace)
        if lane.astray:
            rate /= _BACK_OFF
            continue
        found = _along(objective, lane, start)
        wanted = found.best
        if wanted is None:
            return found, None
        if abs(wanted - rate) <= _SETTLED * rate:
            break
        rate = wanted
    best = found.best
    if best is None:
        return found, None
    if lane.lr != best:
        lane = RateTrial(best, at, start.scale)
        advance(objective, [lane], steps, pace)
    return found, lane
