"""A run of stabilised SQP between two passes: its state, its units, how it goes on from a point, and how it ends.

Units are made at the start, and made anew where they no longer tell what is steep: of a side that has become flat a
penalty takes no notice, nor of the value where the others are far steeper. Where no step helps and the constraints do
not hold, the run goes on from a point where they do, with a larger penalty.
"""

from __future__ import annotations

from gdcli.kernel.dataclass import dataclass, stored
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import Array, np
from gdcli.objective.protocol import Evaluation
from gdcli.solve.constrained.scaled_problem import (
    NO_BREACH,
    Scaled,
    ScaledPoint,
    Units,
    feasible_elsewhere,
    is_least_breach,
    units_at,
)
from gdcli.solve.constrained.sqp_end import MOST_DOUBLINGS, Probe, certified
from gdcli.solve.iteration import Step
from gdcli.solve.probe.line_probe import ProbeEnd

# The first radius (of a point of size 1) and penalty, and by what the penalty grows: so often at once for each time
# that the run has gone on from elsewhere.
_FIRST_RADIUS, _FIRST_RHO, GROW, _FIRMER = 0.3, 1.0, 10.0, 3
# Multipliers are kept within this.
MOST_MULTIPLIER = 1e6
# Passes of a run, and probes around that may lead on.
MOST_PASSES, MOST_PROBES = 500, 8
# Units are stale when a side, or the value, has that part of the slopes that it had. Where a slope is nothing beside
# what it was, no unit makes it one.
_STALE, _NO_SLOPE = 0.03, 1e-8


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
    escapes: int = 0
    rises: int = 0
    passes: int = 0
    W: Array | None = None
    of: Array | None = None
    last: Array | None = None


def first_sizes(here: ScaledPoint, breach: float) -> tuple[float, float]:
    costs = max(1.0, abs(here.f)) / max(1e-2, 0.5 * breach**2)
    return _FIRST_RHO * min(max(costs, 0.1), 100.0), _FIRST_RADIUS * max(1.0, float(np.linalg.norm(here.y)))


class Run:
    """What is done to the state of a run, and the steps that come of it."""

    def __init__(self, problem: Scaled, state: SqpState, came_from: Evaluation) -> None:
        self.problem = problem
        self.state = state
        self.came_from = came_from

    def moved(self, at: ScaledPoint, kind: str) -> Step:
        s = self.state
        s.at, s.W = at, None
        return Step(self.told(at, s.multipliers), s, s.radius * float(s.units.x.max()), kind=kind)

    def ended(self, at: ScaledPoint, reason: StopReason, multipliers: Array | None = None) -> Step:
        told = self.told(at, self.state.multipliers if multipliers is None else multipliers)
        same = list(told.x) == list(self.came_from.x)
        if same and reason is StopReason.GAP:
            reason = StopReason.FLOOR
        if reason is StopReason.INFEASIBLE and not is_least_breach(self.problem, at):
            reason = StopReason.NO_DESCENT
        return Step(told, self.state, self.state.radius, reason, not same, "polish")

    def told(self, at: ScaledPoint, multipliers: Array) -> Evaluation:
        """Return the point as the loop has it: its gradient is that of the Lagrangian, but for what bounds hold."""
        problem, units = self.problem.problem, self.state.units
        x = self.problem.typed(at.y)
        slope, full = None, self.problem.with_slopes(at)
        if full is not None:
            slope = (full.g + full.J.T @ multipliers) * units.value / units.x
            held = ((x <= problem.lower) & (slope > 0.0)) | ((x >= problem.upper) & (slope < 0.0))
            slope = problem.vector(np.where(held, 0.0, slope))
        violation = self.problem.violation(at)
        typed = problem.vector(x)
        return Evaluation(typed, problem.value_at(typed, at.f * units.value), slope, violation=violation)

    def go_on_from(self, at: ScaledPoint, multipliers: Array) -> Step:
        """Return the step to a lower point that a probe around has found."""
        s = self.state
        s.multipliers, s.best, s.reached = multipliers, float("inf"), float("inf")
        s.radius = max(s.radius, 1e-2)
        return self.moved(at, "escape")

    def go_on_within(self, y: Array) -> Step | None:
        """Return the step to y, where the constraints hold, with a larger penalty; None where it has no slopes."""
        s, problem = self.state, self.problem
        at = problem.with_slopes(problem.at(y))
        if at is None:
            return None
        at = self.in_new_units(at)
        s.escapes += 1
        s.multipliers, s.rho = 0.0 * s.multipliers, s.rho * GROW ** (_FIRMER * s.escapes)
        return self.moved(at, "escape")

    def are_stale(self, sides: Array) -> bool:
        """Tell whether the value, or one of these ``sides``, has become flat beside what it was: then nothing is left
        of it beside the others.
        """
        s, objective = self.state, self.problem.problem
        x = self.problem.typed(s.at.y)
        found = objective.slopes(x)
        fresh = s.units if found is None else units_at(objective, x, *found)
        flat = abs(s.at.J).max(axis=1, initial=0.0) <= _NO_SLOPE
        steeper = (fresh.sides < _STALE * s.units.sides) & ~flat
        return fresh.value < _STALE * s.units.value or bool(steeper[sides].any())

    def in_new_units(self, at: ScaledPoint) -> ScaledPoint:
        """Go on in the units of this point, which is far from what the start was."""
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
        s.rho, s.radius = first_sizes(here, s.breach)
        s.reached = s.best = float("inf")
        return here

    def give_up(self) -> Step:
        """Without a step that helps: the certificate of the restored point has the last word."""
        s, problem = self.state, self.problem
        at = problem.with_slopes(problem.restored(s.at.y, MOST_DOUBLINGS))
        if at is None or problem.violation(at) > HOLDS:
            found = self.look_elsewhere(s.at if at is None else at)
            if found is not None:
                return found
        if at is None:
            return self.ended(s.at, StopReason.NO_DESCENT)
        if s.passes < MOST_PASSES and self.are_stale(at.J.any(axis=1)):
            return self.moved(self.in_new_units(at), "escape")
        return self.ended_by_certificate(at)

    def ended_by_certificate(self, at: ScaledPoint) -> Step:
        s = self.state
        end = certified(self.problem, at, s.multipliers, s.last, False)
        if end.is_minimum:
            return self.ended(at, StopReason.GAP, end.multipliers)
        if end.probe is not None and end.probe.found in (ProbeEnd.LIMIT, ProbeEnd.UNBOUNDED):
            return self.without_end(end.probe)
        steep = len(s.multipliers) and abs(s.multipliers).max() >= MOST_MULTIPLIER
        return self.ended(at, StopReason.NO_MULTIPLIERS if steep else StopReason.NO_DESCENT)

    def look_elsewhere(self, at: ScaledPoint) -> Step | None:
        """Probe for a point where the constraints hold, and go on from it; or end, where none is found."""
        s, problem = self.state, self.problem
        y, left = feasible_elsewhere(problem, problem.least_violation(at.y), s.start)
        if left > NO_BREACH:
            return self.ended(problem.at(y), StopReason.INFEASIBLE)
        s.probes += 1
        return self.go_on_within(y) if s.probes <= MOST_PROBES and s.passes < MOST_PASSES else None

    def go_home(self) -> Step | None:
        """Go on near the start, where the constraints hold: far out the value falls faster than penalties rise. Or end,
        where there is no such point; None where that has been tried too often.
        """
        s, home = self.state, self.home()
        if home is None or s.probes >= MOST_PROBES:
            return None
        near, y, left = home
        if left > NO_BREACH:
            return self.infeasible(near, y)
        s.probes += 1
        return self.go_on_within(y * near.units.x / s.units.x)

    def home(self) -> tuple[Scaled, Array, float] | None:
        """Return the problem in the units of the start, a point found from there where the constraints hold, and half
        the square of what their breach is; None without slopes at the start.

        Far out they may seem to hold: beside terms that are large enough any number is 0.
        """
        objective, start = self.problem.problem, self.problem.typed(self.state.start)
        found = objective.slopes(start)
        if found is None:
            return None
        near = Scaled(objective, units_at(objective, start, *found))
        y = start / near.units.x
        return near, *feasible_elsewhere(near, near.least_violation(y), y)

    def infeasible(self, problem: Scaled, y: Array) -> Step:
        self.problem, self.state.units = problem, problem.units
        return self.ended(problem.at(y), StopReason.INFEASIBLE)

    def without_end(self, probe: Probe) -> Step:
        """End where the value falls without end, or to a limit, if there are feasible points at all."""
        home = self.home() if self.problem.problem.sides else None
        if home is not None and home[2] > NO_BREACH:
            return self.infeasible(*home[:2])
        reason = StopReason.UNBOUNDED if probe.found is ProbeEnd.UNBOUNDED else StopReason.AT_INFINITY
        return self.ended(probe.at, reason)
