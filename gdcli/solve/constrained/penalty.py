"""The quadratic penalty as books teach it: gradient descent on what is broken as a cost, which is raised ever again.

Each step of the method is a whole descent, to where the value and the penalty together are least; then the factor of
the penalty grows. The points come nearer to the constraints from outside, by the same part as the factor grows, while
the valley along them gets as much narrower: that is why nobody solves problems so (Nocedal and Wright, Numerical
Optimization, 2nd ed., framework 17.1 and what follows it). The penalty is the quadratic one, ``f(x) + factor/2 *
sum(broken(x)**2)`` (Courant 1943); where it is least, ``factor * broken`` are the multipliers of a problem whose limits
lie where the point does.
"""

from __future__ import annotations

from typing import Any, cast

from gdcli.kernel.dataclass import dataclass, stored
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import max_abs, norm, np
from gdcli.objective.bounded import Bounded
from gdcli.objective.constrained import Constrained
from gdcli.objective.protocol import Evaluation, Objective, Vector, free_part
from gdcli.solve.iteration import Method, Step
from gdcli.solve.methods.descent import Descent, Steepest, make_step_rule

# The first factor, by what it grows, and how far it may go.
_FIRST, _GROW, _MOST = 1.0, 10.0, 1e10
# A descent is near enough to its end where its slope is this part of that of the value alone, or one over the factor.
_NEAR = 1e-3
# The steps of one descent.
_MOST_STEPS = 10_000
# A point so far out, beside the start, or a value so low, is on a way without end.
_FAR_OUT = 1e10
# The breach itself is least where its slope is this part of what its terms could make.
_LEVEL = 1e-6


@stored("PenaltyState")
@dataclass(frozen=True, slots=True)
class PenaltyState:
    """The factor of the penalty for the next descent."""

    factor: float = _FIRST


@dataclass(frozen=True, slots=True)
class QuadraticPenalty:
    """The method; its objective is a `Constrained`. It ends where no constraint is broken by more than ``tol``."""

    descent: Descent
    tol: float
    order: int = 1

    @property
    def words(self) -> str:
        return f"raised {_GROW:g}-fold; gradient descent, {self.descent.rule.words}"

    def start(self, objective: Objective, at: Evaluation) -> PenaltyState:
        return PenaltyState()

    def step(self, objective: Objective, at: Evaluation, state: PenaltyState) -> Step:
        """Return where the value and the penalty are least; a descent without end is left for a larger factor."""
        problem, factor = cast(Constrained, objective), state.factor
        with np.errstate(all="ignore"):  # the points of a run in plain floats do not say so to the loop
            there, reason = self._descended(problem, at, factor)
        raised, is_last = PenaltyState(factor * _GROW), factor >= _MOST
        if reason is StopReason.PENALTY_FALLS:
            return Step(at, raised, None, reason if is_last else None, moved=False)
        if there is at:
            return Step(at, raised, factor, reason, moved=False)
        if reason is None and there.violation <= self.tol:
            reason = StopReason.PENALTY
        elif is_last:
            reason = StopReason.INFEASIBLE if _is_least_breach(problem, there) else StopReason.PENALTY_SLOW
        return Step(there, raised, factor, reason, kind="penalty")

    def _descended(
        self, problem: Constrained, at: Evaluation, factor: float
    ) -> tuple[Evaluation, StopReason | None]:
        """Return the end of a descent, with the value alone and the slope of both, and why it is none; ``at`` itself
        where none was lower.
        """
        function = Bounded(Penalised(problem, factor), problem.bounds)
        here = function.evaluate(at.x, 1)
        first = here.value
        floor, far = here.value - _FAR_OUT * max(1.0, abs(here.value)), _FAR_OUT * max(1.0, max_abs(at.x))
        state: Any = self.descent.start(function, here)
        reason = None
        for _ in range(_MOST_STEPS):
            if self._is_near(problem, here, factor):
                break
            step = self.descent.step(function, here, state)
            here, state = step.at, step.state
            if here.value < floor or max_abs(here.x) > far:
                reason = StopReason.PENALTY_FALLS if here.value < first else StopReason.PENALTY_SLOW
                break
            if step.reason is not None or here.gradient is None:
                break
        else:
            reason = StopReason.PENALTY_SLOW
        if not here.value <= first:  # steps that do not look at the value are too long
            return at, StopReason.PENALTY_SLOW
        there = problem.evaluate(here.x)
        return there._replace(gradient=here.gradient), reason

    def _is_near(self, problem: Constrained, here: Evaluation, factor: float) -> bool:
        slope = norm(here.gradient)
        x = np.array(here.x, dtype=float)
        slopes = problem.slopes(x)
        assert slopes is not None
        unit = max(1.0, float(np.linalg.norm(slopes[0])))
        if slope > max(self.tol, min(_NEAR, 1.0 / factor)) * unit:
            return False
        return slope <= self.tol * unit or problem.violation(x, problem.values(x)[1]) > self.tol


def make_penalty(
    lr: float | None = None,
    step_rule: str | None = None,
    step_sizes: tuple[float, ...] | None = None,
    tol: float = 1e-6,
) -> Method:
    return QuadraticPenalty(Descent(Steepest(), make_step_rule(lr, step_rule, step_sizes)), tol)


def _is_least_breach(problem: Constrained, at: Evaluation) -> bool:
    """Tell whether what is broken at a point cannot be made less by moves within the bounds."""
    x = np.array(at.x, dtype=float)
    slopes, (_, h) = problem.slopes(x), problem.values(x)
    if slopes is None:
        return False
    pull = problem.pushed(h)
    slope = problem.vector(pull @ slopes[1])
    left = norm(free_part(slope, problem.bounds.held(at.x, slope)))
    return left <= _LEVEL * float(np.linalg.norm(pull) * np.linalg.norm(slopes[1]))


class Penalised(Objective):
    """``problem`` with the penalty of ``factor`` in the place of its constraints, but not of its bounds."""

    def __init__(self, problem: Constrained, factor: float) -> None:
        self.problem, self.factor = problem, factor
        self.size, self.counts = problem.size, problem.counts

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        problem = self.problem
        value, h = problem.values(np.array(x, dtype=float))
        broken = problem.broken(h)
        found = Evaluation(x, value + 0.5 * self.factor * float(broken @ broken))
        return self.complete(found, order) if order else found

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        problem = self.problem
        x = np.array(at.x, dtype=float)
        slopes, (_, h) = problem.slopes(x), problem.values(x)
        if at.gradient is not None or slopes is None:
            return at
        pull = problem.pushed(h)
        return at._replace(gradient=self.vector(slopes[0] + self.factor * (pull @ slopes[1])))

    def vector(self, flat: Vector) -> Vector:
        return self.problem.vector(flat)
