"""Minimisation subject to constraints: stabilised SQP on an augmented Lagrangian, within a trust region.

Each step minimises the model of :mod:`gdcli.solve.constrained.scaled_problem`, is accepted when the augmented
Lagrangian falls as foretold, and may not leave the constraints by more than a funnel allows (Gould and Toint, Math.
Prog. 122, 2010); where it fails because they curve, a correction of second order is tried (Fletcher 1982). At an inner
minimum of the augmented Lagrangian either the multipliers or the penalty change (Conn, Gould and Toint, SIAM J. Numer.
Anal. 28, 1991), and when the KKT conditions are nearer than ever before, the end game is tried from there (Birgin and
Martinez, Comput. Optim. Appl. 39, 2008). Where penalties do not bring the constraints to hold, their breach is
minimised alone: what is left of it tells that there is no feasible point near, and nothing left is a place to go on.
"""

from __future__ import annotations

from typing import cast

from gdcli.kernel.dataclass import dataclass, replace
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.status import StopReason
from gdcli.kernel.stored import stored
from gdcli.kernel.vectors import Array
from gdcli.objective.constrained import Constrained
from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.algebra.trust_region import ACCEPTABLE, GOOD, POOR
from gdcli.solve.constrained.end_game import End, certified, end_game
from gdcli.solve.constrained.feasibility import NO_BREACH, feasible_elsewhere
from gdcli.solve.constrained.scaled_problem import Scaled, ScaledPoint, Units, units_at
from gdcli.solve.constrained.walks import MOST_DOUBLINGS, Found, Probe, walk
from gdcli.solve.iteration import Step

# The first radius (of a point of size 1) and penalty, by what the penalty grows, and how far it may go.
_FIRST_RADIUS, _FIRST_RHO, _GROW, _MOST_RHO = 0.3, 1.0, 10.0, 1e10
# The multipliers change when the breach has fallen to this part, else the penalty; and they are kept within this.
_DROP, _MOST_MULTIPLIER = 0.25, 1e6
# An inner minimum is near enough when the model promises no more than this part of what the breach costs.
_INNER = 0.1
# How far a step may leave the constraints, times the worst so far; and when it need not be asked any more.
_FUNNEL, _FUNNEL_RHO = 2.0, 1e8
# The end game is tried when the KKT conditions are missed by this part of the least so far, or the breach is as small.
_POLISH, _POLISH_BREACH = 0.1, 1e-7
# The breach is minimised alone at these rises of the penalty.
_LOOKS_FOR_FEASIBLE = (4, 8)
# Passes of a run, between two probes along the way that was come, and probes around that may lead on.
_MOST_PASSES, _PERIOD, _MOST_PROBES = 500, 50, 8
# The value falls without end below this, and over so many doublings of the way.
_UNBOUNDED, _ENDLESS = -1e20, 40
# Where the model is the problem itself there is no need to begin with small steps.
_EXACT = 1e3
# At the end of its passes a run is fleeing that is so many times the size of its start away, and whose size has grown
# so much since the probe before the last.
_FAR_OUT, _FLEEING = 1e4, 1.2
# A variable so many times its unit calls for new units.
_OUTGROWN = 1e3
_CORRECTED, _LEAST_RADIUS = 0.1, 1e-15


@stored("SqpState", looks="probes")
@dataclass(slots=True)
class SqpState:
    """A run between two passes, in scaled units: the point, the multipliers and the penalty, the radius.

    ``breach`` and ``value`` are those of the start, ``mark`` and ``older`` are where the last probes along the way were
    taken, ``reached`` the least breach at a change of the multipliers, ``best`` the least residual at an end game;
    ``W`` is the Hessian at the point for the multipliers ``of`` (None: not made yet), ``last`` the last step.
    """

    units: Units
    at: ScaledPoint
    multipliers: Array
    rho: float
    radius: float
    breach: float
    value: float
    mark: Array
    older: Array
    start: Array
    reached: float = float("inf")
    best: float = float("inf")
    probes: int = 0
    rises: int = 0
    passes: int = 0
    W: Array | None = None
    of: Array | None = None
    last: Array | None = None


class StabilisedSQP:
    """The method; its objective is a `Constrained`."""

    order = 1

    def start(self, objective: Objective, at: Evaluation) -> SqpState:
        """Return the state at the start, whose value and slopes are finite."""
        import numpy as np

        objective = cast(Constrained, objective)
        x = np.array(at.x, dtype=float)
        found = objective.slopes(x)
        assert found is not None
        units = units_at(objective, x, *found)
        problem = Scaled(objective, units)
        here = problem.with_slopes(problem.at(x / units.x))
        assert here is not None
        breach = problem.broken(here.h)
        rho, radius = _first_sizes(here, breach)
        if objective.is_exact_model:
            radius *= _EXACT
        nothing = np.zeros(objective.sides)
        return SqpState(units, here, nothing, rho, radius, breach, at.value, here.y, here.y, here.y)

    def step(self, objective: Objective, at: Evaluation, state: SqpState) -> Step:
        """Return the next point that is accepted, or how the run ends."""
        import numpy as np

        search = _Search(Scaled(cast(Constrained, objective), state.units), replace(state), at)
        found = None
        with np.errstate(all="ignore"):  # the points of a run in plain floats do not say so to the loop
            while found is None:
                found = search.one_pass()
        return found


def _first_sizes(here: ScaledPoint, breach: float) -> tuple[float, float]:
    """Return the first penalty and radius."""
    import numpy as np

    costs = max(1.0, abs(here.f)) / max(1e-2, 0.5 * breach**2)
    return _FIRST_RHO * min(max(costs, 0.1), 100.0), _FIRST_RADIUS * max(1.0, float(np.linalg.norm(here.y)))


class _Search:
    """The passes up to the next step."""

    def __init__(self, problem: Scaled, state: SqpState, came_from: Evaluation) -> None:
        self.problem = problem
        self.state = state
        self.came_from = came_from

    # -- what a pass is made of ----------------------------------------------------------------------------------

    def phi(self, at: ScaledPoint) -> float:
        """Return the augmented Lagrangian, inf outside of the domain."""
        import numpy as np

        s = self.state
        if not np.isfinite(at.f):
            return float("inf")
        t = self.problem.pushed(s.multipliers + s.rho * at.h)
        found = at.f + float(t @ t - s.multipliers @ s.multipliers) / (2.0 * s.rho)
        return found if found == found else float("inf")

    def one_pass(self) -> Step | None:
        """Try one step, or change multipliers or penalty; None where the next pass is to come."""
        import numpy as np

        s, problem = self.state, self.problem
        if s.passes >= _MOST_PASSES:
            far = self.fled_to()
            return self.give_up() if far is None else self.without_end(Probe(Found.LIMIT, far))
        s.passes += 1
        guess = problem.pushed(s.multipliers + s.rho * s.at.h)
        W = self.hessian(guess)
        p, fall, new = problem.subproblem(s.at, W, s.multipliers, s.rho, s.radius)
        length = float(abs(p).max())
        here = self.phi(s.at)
        breach = float(
            np.linalg.norm(np.where(problem.equal, s.at.h, np.maximum(s.at.h, -s.multipliers / s.rho)))
        )
        inside = length < 0.99 * s.radius and fall <= _INNER * s.rho * breach * breach
        if inside or fall <= 1e-12 * max(1e-3, abs(here)):
            done, found = self.inner_minimum(guess, new, breach, fall, here)
            if done:
                return found
        return self.trial(W, p, fall, here)

    def hessian(self, guess: Array) -> Array:
        import numpy as np

        s = self.state
        if s.W is None or s.of is None or (s.of != guess).any():
            W = self.problem.curvature(s.at.y, guess)
            # Without curvature a step is one of steepest descent within the radius.
            s.W, s.of = np.zeros((len(s.at.y),) * 2) if W is None else W, guess
        return s.W

    def inner_minimum(
        self, guess: Array, new: Array, breach: float, fall: float, here: float
    ) -> tuple[bool, Step | None]:
        """At a minimum of the augmented Lagrangian: end, or change what it is; False where the step is to be tried."""
        import numpy as np

        s, problem = self.state, self.problem
        error = problem.residual(s.at, new)
        if error <= _POLISH * s.best or breach <= _POLISH_BREACH:
            s.best = min(s.best, error)
            end = end_game(problem, s.at, new, s.rho, max(s.radius, 1e-3), s.last)
            ended, found = self.after(end)
            if ended:
                return True, found
        if not len(s.multipliers) or breach <= 1e-10:
            if fall <= 1e-15 * max(1.0, abs(here)):
                return True, self.give_up()
            return False, None
        if breach <= _DROP * s.reached:
            s.multipliers, s.reached = guess, breach
            return True, None
        s.rises += 1
        if s.rises in _LOOKS_FOR_FEASIBLE and breach > 1e-6:
            found = self.search_feasible()
            if found is not None:
                return True, found
        if s.rho > _MOST_RHO:
            return True, self.give_up()
        s.multipliers = np.clip(guess, -_MOST_MULTIPLIER, _MOST_MULTIPLIER)
        s.rho *= _GROW
        s.reached = min(s.reached, breach)
        return True, None

    def after(self, end: End) -> tuple[bool, Step | None]:
        """What an end game leads to: the end of the run, a lower point to go on from, or nothing."""
        s = self.state
        if end.is_minimum:
            return True, self.ended(end.at, StopReason.GAP, end.multipliers)
        if end.probe is None or end.probe.found is Found.NOTHING:
            return False, None
        if end.probe.found is not Found.LOWER:
            return True, self.without_end(end.probe)
        s.probes += 1
        if s.probes > _MOST_PROBES:
            return True, self.without_end(Probe(Found.LIMIT, end.probe.at))
        low = self.problem.with_slopes(end.probe.at)
        if low is None:
            return False, None
        return True, self.go_on_from(low, end.multipliers)

    def go_on_from(self, at: ScaledPoint, multipliers: Array) -> Step:
        """Return the step to a lower point that a probe around has found."""
        s = self.state
        s.multipliers, s.best, s.reached = multipliers, float("inf"), float("inf")
        s.radius = max(s.radius, 1e-2)
        return self.moved(at, "escape")

    def search_feasible(self) -> Step | None:
        """Minimise the breach alone, and go on from where it is none; or end, where there is no such point."""
        s, problem = self.state, self.problem
        y, left = problem.least_violation(s.at.y)
        final = s.rises == _LOOKS_FOR_FEASIBLE[-1]
        if left > NO_BREACH and final:
            y, left = feasible_elsewhere(problem, (y, left), s.start)
        if left > NO_BREACH:
            return self.ended(problem.at(y), StopReason.INFEASIBLE) if final else None
        at = problem.with_slopes(problem.at(y))
        if at is None:
            return None
        s.multipliers, s.reached = 0.0 * s.multipliers, float("inf")
        s.rho *= _GROW
        return self.moved(at, "escape")

    def trial(self, W: Array, p: Array, fall: float, here: float) -> Step | None:
        """Try the step p, corrected where the constraints curve; None where it is refused."""
        import numpy as np

        s, problem = self.state, self.problem
        there = problem.at(problem.clip(s.at.y + p))
        if (there.y == s.at.y).all():
            return self.give_up()
        merit = self.phi(there)
        ratio = (here - merit) / fall
        if (
            not ratio > _CORRECTED
            and len(s.multipliers)
            and np.isfinite(there.f)
            and np.isfinite(there.h).all()
        ):
            sides = there.h - s.at.J @ p
            q, _, _ = problem.subproblem(s.at, W, s.multipliers, s.rho, 2.0 * s.radius, sides)
            other = problem.at(problem.clip(s.at.y + q))
            if self.phi(other) < merit:
                there, ratio = other, (here - self.phi(other)) / fall
        accepted = ratio > ACCEPTABLE
        worst = _FUNNEL * max(1.0, s.breach, problem.broken(s.at.h))
        if accepted and s.rho < _FUNNEL_RHO and problem.broken(there.h) > worst * self.growth():
            s.rho *= _GROW
            return None
        full = problem.with_slopes(there) if accepted else None
        if accepted and full is None:
            ratio, accepted = -1.0, False
        length = float(abs(p).max())
        if not ratio >= 0.1:
            s.radius = 0.25 * length
        elif ratio < POOR:
            s.radius = 0.5 * length
        elif ratio > GOOD:
            s.radius = max(s.radius, 2.0 * length)
        if full is None:
            return self.give_up() if s.radius < _LEAST_RADIUS else None
        s.last = full.y - s.at.y
        return self.accepted(full)

    def fled_to(self) -> ScaledPoint | None:
        """Return where the constraints hold next to a point that is far out, on a way that goes on; None elsewhere."""
        import numpy as np

        s = self.state
        size, before, first = (float(abs(y * s.units.x).max()) for y in (s.at.y, s.older, s.start))
        if size < max(_FLEEING * before, _FAR_OUT * max(1.0, first)):
            return None
        far = self.problem.restored(s.at.y, MOST_DOUBLINGS)
        return far if np.isfinite(far.f) and self.problem.violation(far) <= HOLDS else None

    def growth(self) -> float:
        """Return by how much what the sides compare has grown since the start, at least 1: breaches grow with it."""
        problem, s = self.problem, self.state
        if not problem.problem.sides:
            return 1.0
        now, then = (problem.problem.terms(problem.typed(y)) for y in (s.at.y, s.start))
        return max(1.0, float((now / (1.0 + then)).max()))

    def accepted(self, at: ScaledPoint) -> Step:
        import numpy as np

        s, problem = self.state, self.problem
        if at.f * s.units.value < _UNBOUNDED * max(1.0, abs(s.value)) and problem.violation(at) <= 1e-6:
            return self.ended(at, StopReason.UNBOUNDED)
        if s.passes % _PERIOD == _PERIOD - 1:
            found = walk(problem, at, at.y - s.mark, np.zeros(len(s.multipliers)))
            if min(found.doublings, MOST_DOUBLINGS) >= _ENDLESS:
                return self.without_end(Probe(found.endless, found.low))
            s.older, s.mark = s.mark, at.y
        if abs(at.y).max() > _OUTGROWN:
            return self.moved_in_new_units(at)
        return self.moved(at, "step")

    def moved_in_new_units(self, at: ScaledPoint) -> Step:
        """Go on in the units of a point that has become far larger than the start was."""
        s, objective = self.state, self.problem.problem
        x, old = self.problem.typed(at.y), s.units
        found = objective.slopes(x)
        assert found is not None
        s.units = units_at(objective, x, *found)
        ratio = old.x / s.units.x
        self.problem = Scaled(objective, s.units)
        here = self.problem.with_slopes(self.problem.at(x / s.units.x))
        assert here is not None
        s.multipliers = s.multipliers * (old.value / s.units.value) * (s.units.sides / old.sides)
        s.mark, s.older, s.start = s.mark * ratio, s.older * ratio, s.start * ratio
        s.last = None if s.last is None else s.last * ratio
        s.breach = self.problem.broken(here.h)
        s.rho, s.radius = _first_sizes(here, s.breach)
        s.reached = s.best = float("inf")
        return self.moved(here, "step")

    # -- ends --------------------------------------------------------------------------------------------------

    def give_up(self) -> Step:
        """Without a step that helps: the certificate of the restored point has the last word."""
        s, problem = self.state, self.problem
        at = problem.with_slopes(problem.restored(s.at.y, MOST_DOUBLINGS))
        if at is None:
            return self.ended(s.at, StopReason.NO_DESCENT)
        if problem.violation(at) > HOLDS:
            y, left = feasible_elsewhere(problem, problem.least_violation(at.y), s.start)
            if left > NO_BREACH:
                return self.ended(problem.at(y), StopReason.INFEASIBLE)
        end = certified(problem, at, s.multipliers, s.last, False)
        if end.is_minimum:
            return self.ended(at, StopReason.GAP, end.multipliers)
        if end.probe is not None and end.probe.found in (Found.LIMIT, Found.UNBOUNDED):
            return self.without_end(end.probe)
        steep = len(s.multipliers) and abs(s.multipliers).max() >= _MOST_MULTIPLIER
        reason = StopReason.NO_MULTIPLIERS if steep else StopReason.NO_DESCENT
        return self.ended(at, reason)

    def without_end(self, probe: Probe) -> Step:
        reason = StopReason.UNBOUNDED if probe.found is Found.UNBOUNDED else StopReason.AT_INFINITY
        return self.ended(probe.at, reason)

    def ended(self, at: ScaledPoint, reason: StopReason, multipliers: Array | None = None) -> Step:
        told = self.told(at, self.state.multipliers if multipliers is None else multipliers)
        same = list(told.x) == list(self.came_from.x)
        if same and reason is StopReason.GAP:
            reason = StopReason.FLOOR
        return Step(told, self.state, self.state.radius, reason, not same, "polish")

    def moved(self, at: ScaledPoint, kind: str) -> Step:
        s = self.state
        s.at, s.W = at, None
        return Step(self.told(at, s.multipliers), s, s.radius * float(s.units.x.max()), kind=kind)

    def told(self, at: ScaledPoint, multipliers: Array) -> Evaluation:
        """Return the point as the loop has it: its gradient is that of the Lagrangian, but for what bounds hold."""
        import numpy as np

        problem, units = self.problem.problem, self.state.units
        x = self.problem.typed(at.y)
        slope, full = None, self.problem.with_slopes(at)
        if full is not None:
            slope = (full.g + full.J.T @ multipliers) * units.value / units.x
            held = ((x <= problem.lower) & (slope > 0.0)) | ((x >= problem.upper) & (slope < 0.0))
            slope = problem.vector(np.where(held, 0.0, slope))
        violation = self.problem.violation(at)
        return Evaluation(problem.vector(x), at.f * units.value, slope, violation=violation)
