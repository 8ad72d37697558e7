"""Minimisation subject to constraints: stabilised SQP on an augmented Lagrangian, within a trust region.

Each step minimises the model of :mod:`gdcli.solve.constrained.scaled_problem`, is accepted when the augmented
Lagrangian falls as foretold, and may not leave the constraints by more than a funnel allows (Gould and Toint, Math.
Prog. 122, 2010); where it fails because they curve, a correction of second order is tried (Fletcher 1982). At an inner
minimum of the augmented Lagrangian either the multipliers or the penalty change (Conn, Gould and Toint, SIAM J. Numer.
Anal. 28, 1991), and when the KKT conditions are nearer than ever before, the end game is tried from there (Birgin and
Martinez, Comput. Optim. Appl. 39, 2008). Where penalties do not bring the constraints to hold, their breach is
minimised alone: what is left of it tells that there is no feasible point near, and nothing left is a place to go on.

A quadratic program, whose model of second order is the problem itself, is solved at once where it is convex. What
satisfies the conditions of Karush, Kuhn and Tucker is then the minimum of all. A program without one has no feasible
point, which its least breach tells, itself a convex program; or it has a ray on which the value falls for ever, along
which the constraints keep holding and nothing curves: the lowest slope of such rays is a program too.
"""

from __future__ import annotations

from typing import cast

from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import Array, np
from gdcli.objective.constrained import Constrained
from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.algebra.trust_region import ACCEPTABLE, next_radius
from gdcli.solve.constrained.convex_program import QuadraticProgram, is_convex, optimum
from gdcli.solve.constrained.kkt_point import kkt_point
from gdcli.solve.constrained.scaled_problem import (
    NO_BREACH,
    Scaled,
    ScaledPoint,
    feasible_elsewhere,
    units_at,
)
from gdcli.solve.constrained.sqp_end import MOST_DOUBLINGS, End, Probe, newton_end, walk
from gdcli.solve.constrained.sqp_run import (
    GROW,
    MOST_MULTIPLIER,
    MOST_PASSES,
    MOST_PROBES,
    Run,
    SqpState,
    first_sizes,
)
from gdcli.solve.iteration import Step
from gdcli.solve.probe.line_probe import ProbeEnd

# On a ray the value falls by more than this part of its slope, and nothing rises by more than this part of its terms.
_FALLS, _KEEPS = 1e-7, 1e-9
# A ray is followed so far, in sizes of the point.
_FAR = 1e8


class Solved(NamedTuple):
    """How a program ends: the point, why, and the multipliers of the sides there."""

    at: ScaledPoint
    reason: StopReason
    multipliers: Array | None = None


def solved_at_once(problem: Scaled, at: ScaledPoint) -> Solved | None:
    """Return the end of a quadratic program from a point that has its slopes; None where that is not clear."""
    H = problem.curvature(at.y, np.zeros(problem.problem.sides))
    if H is None or not is_convex(H):
        return None
    program = QuadraticProgram(at.g, H, at.h, at.J, problem.equal, problem.lower - at.y, problem.upper - at.y)
    found = optimum(program)
    if found is not None:
        there = problem.with_slopes(problem.at(problem.clip(at.y + found.p)))
        return None if there is None else _certified(problem, there, found.t)
    nothing = np.zeros_like(at.g)
    nearest = optimum(program._replace(g=nothing, H=np.zeros_like(H), give=1.0))
    if nearest is None:
        return None
    there = problem.with_slopes(problem.at(problem.clip(at.y + nearest.p)))
    if there is None:
        return None
    if 0.5 * problem.broken(there.h) ** 2 > NO_BREACH:
        return Solved(there, StopReason.INFEASIBLE)
    return _along_a_ray(problem, there, program)


def _certified(problem: Scaled, at: ScaledPoint, multipliers: Array) -> Solved | None:
    point = kkt_point(problem.problem, problem.typed(at.y))
    if point is None or not (point.is_minimum or point.is_doubtful):
        return None
    return Solved(at, StopReason.GAP, multipliers)


def _along_a_ray(problem: Scaled, at: ScaledPoint, program: QuadraticProgram) -> Solved | None:
    """Return a far point of a ray from a feasible point on which the value falls for ever, None where none is found."""
    H, J, equal = program.H, program.J, program.equal
    size = max(1e-300, float(abs(program.g).max()))
    bends = np.flatnonzero(abs(H).max(axis=1) > 0.0)
    rows = np.vstack((J, H[bends] / np.maximum(abs(H[bends]).max(axis=1, initial=0.0), 1e-300)[:, None]))
    rays = QuadraticProgram(
        program.g / size,
        np.zeros_like(H),
        np.zeros(len(rows)),
        rows,
        np.concatenate((equal, np.ones(len(bends), bool))),
        np.where(np.isfinite(problem.lower), 0.0, -1.0),
        np.where(np.isfinite(problem.upper), 0.0, 1.0),
    )
    found = optimum(rays)
    if found is None or not rays.g @ found.p < -_FALLS:
        return None
    rise = rows @ found.p
    if (np.where(rays.equal, abs(rise), rise) > _KEEPS * (abs(rows) @ abs(found.p))).any():
        return None
    far = problem.at(problem.clip(at.y + _FAR * max(1.0, float(abs(at.y).max())) * found.p))
    falls = far.f < at.f and problem.violation(far) <= HOLDS
    return Solved(far, StopReason.UNBOUNDED) if falls else None


# The multipliers change when the breach has fallen to this part, else the penalty, which may go so far.
_DROP, _MOST_RHO = 0.25, 1e10
# An inner minimum is near enough when the model promises no more than this part of what the breach costs.
_INNER = 0.1
# How far a step may leave the constraints, times the worst so far; and when it need not be asked any more.
_FUNNEL, _FUNNEL_RHO = 2.0, 1e8
# The end game is tried when the KKT conditions are missed by this part of the least so far, or the breach is as small.
_POLISH, _POLISH_BREACH = 0.1, 1e-7
# The breach is minimised alone at these rises of the penalty.
_LOOKS_FOR_FEASIBLE = (4, 8)
# Passes between two probes along the way that was come.
_PERIOD = 50
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


class StabilisedSQP:
    """The method; its objective is a `Constrained`."""

    order = 1

    def start(self, objective: Objective, at: Evaluation) -> SqpState:
        objective = cast(Constrained, objective)
        x = objective.whole(at.x)
        found = objective.slopes(x)
        assert found is not None
        units = units_at(objective, x, *found)
        problem = Scaled(objective, units)
        here = problem.with_slopes(problem.at(x / units.x))
        assert here is not None
        breach = problem.broken(here.h)
        rho, radius = first_sizes(here, breach)
        if objective.is_exact_model:
            radius *= _EXACT
        nothing = np.zeros(objective.sides)
        return SqpState(units, here, nothing, rho, radius, breach, at.value, here.y, here.y, here.y)

    def step(self, objective: Objective, at: Evaluation, state: SqpState) -> Step:
        search = _Search(Scaled(cast(Constrained, objective), state.units), replace(state), at)
        with np.errstate(all="ignore"):  # the points of a run in plain floats do not say so to the loop
            found = search.at_once()
            while found is None:
                found = search.one_pass()
        return found


class _Search(Run):
    def phi(self, at: ScaledPoint) -> float:
        """Return the augmented Lagrangian, inf outside of the domain."""
        s = self.state
        if not np.isfinite(at.f):
            return float("inf")
        t = self.problem.pushed(s.multipliers + s.rho * at.h)
        found = at.f + float(t @ t - s.multipliers @ s.multipliers) / (2.0 * s.rho)
        return found if found == found else float("inf")

    def at_once(self) -> Step | None:
        """Before the first pass: the end of a run whose model is the problem itself, where that is found."""
        s = self.state
        if s.passes or not self.problem.problem.is_exact_model:
            return None
        found = solved_at_once(self.problem, s.at)
        return None if found is None else self.ended(found.at, found.reason, found.multipliers)

    def one_pass(self) -> Step | None:
        """Try one step, or change multipliers or penalty; None where the next pass is to come."""
        s, problem = self.state, self.problem
        if s.passes >= MOST_PASSES:
            far = self.fled_to()
            return self.give_up() if far is None else self.without_end(Probe(ProbeEnd.LIMIT, far))
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
        s, problem = self.state, self.problem
        error = problem.residual(s.at, new)
        if error <= _POLISH * s.best or breach <= _POLISH_BREACH:
            s.best = min(s.best, error)
            end = newton_end(problem, s.at, new, s.rho, max(s.radius, 1e-3), s.last)
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
        return True, self.raise_penalty(guess, breach)

    def raise_penalty(self, guess: Array, breach: float) -> Step | None:
        """Raise the penalty; or renew the units, which are why it does not help, look for a feasible point, or end."""
        s = self.state
        s.rises += 1
        if self.are_stale(guess != 0.0):
            s.at, s.W = self.in_new_units(s.at), None
            return None
        found = self.search_feasible() if s.rises in _LOOKS_FOR_FEASIBLE and breach > 1e-6 else None
        if found is not None:
            return found
        if s.rho > _MOST_RHO:
            return self.give_up()
        s.multipliers = np.clip(guess, -MOST_MULTIPLIER, MOST_MULTIPLIER)
        s.rho *= GROW
        s.reached = min(s.reached, breach)
        return None

    def after(self, end: End) -> tuple[bool, Step | None]:
        """What an end game leads to: the end of the run, a lower point to go on from, or nothing."""
        s = self.state
        if end.is_minimum:
            return True, self.ended(end.at, StopReason.GAP, end.multipliers)
        if end.probe is None or end.probe.found is ProbeEnd.RISES:
            return False, None
        if end.probe.found is not ProbeEnd.LOWER:
            return True, self.without_end(end.probe)
        s.probes += 1
        if s.probes > MOST_PROBES:
            s.at = end.probe.at
            far = self.fled_to()
            if far is not None:
                return True, self.without_end(Probe(ProbeEnd.LIMIT, far))
            return True, self.ended(s.at, StopReason.NO_DESCENT)
        low = self.problem.with_slopes(end.probe.at)
        if low is None:
            return False, None
        return True, self.go_on_from(low, end.multipliers)

    def search_feasible(self) -> Step | None:
        """Minimise the breach alone, and go on from where it is none; or end, where there is no such point."""
        s, problem = self.state, self.problem
        y, left = problem.least_violation(s.at.y)
        final = s.rises == _LOOKS_FOR_FEASIBLE[-1]
        if left > NO_BREACH and final:
            y, left = feasible_elsewhere(problem, (y, left), s.start)
        if left > NO_BREACH:
            return self.ended(problem.at(y), StopReason.INFEASIBLE) if final else None
        return self.go_on_within(y)

    def trial(self, W: Array, p: Array, fall: float, here: float) -> Step | None:
        """Try the step p, corrected where the constraints curve; None where it is refused."""
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
            s.rho *= GROW
            return None
        full = problem.with_slopes(there) if accepted else None
        if accepted and full is None:
            ratio, accepted = -1.0, False
        s.radius = next_radius(s.radius, float(abs(p).max()), ratio)
        if full is None:
            return self.give_up() if s.radius < _LEAST_RADIUS else None
        s.last = full.y - s.at.y
        return self.accepted(full)

    def fled_to(self) -> ScaledPoint | None:
        """Return where the constraints hold next to a point that is far out, on a way that goes on; None elsewhere."""
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
        s, problem = self.state, self.problem
        deep = _UNBOUNDED * max(problem.problem.value_size, abs(s.value)) / s.units.value
        if at.f < deep:
            far = problem.restored(at.y, MOST_DOUBLINGS)
            if far.f < deep and problem.violation(far) <= HOLDS:
                return self.without_end(Probe(ProbeEnd.UNBOUNDED, far))
            s.at = at
            return self.go_home() or self.give_up()
        if s.passes % _PERIOD == _PERIOD - 1:
            for bends in (False, True):
                found = walk(problem, at, at.y - s.mark, np.zeros(len(s.multipliers)), bends)
                if found.doublings >= _ENDLESS:
                    return self.without_end(Probe(found.endless, found.low))
            s.older, s.mark = s.mark, at.y
        if abs(at.y).max() > _OUTGROWN:
            return self.moved(self.in_new_units(at), "step")
        return self.moved(at, "step")
