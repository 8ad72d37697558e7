"""The default for many variables: L-BFGS on the way, Newton-CG at the end.

L-BFGS covers the way cheaply, a few vector operations an iteration, but near the end it takes many steps for
each further digit. Newton-CG finishes in a few outer iterations and tells how much there is left to gain.

Some large problems hardly move whatever the method: in a chain of a million variables the news travels a link
or so an iteration. A slow run is first handed to the other method; when that is no faster, and its model sees no
end either, the run is ended: who wants to wait can say how long.
"""

from __future__ import annotations

from math import inf, sqrt

from gdcli.kernel.dataclass import dataclass, stored
from gdcli.kernel.numerics import GAP_TOL
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import along, distance, max_abs, norm
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.iteration import Step
from gdcli.solve.methods.newton_cg import CgState, NewtonCG, ritz, ritz_vector
from gdcli.solve.methods.quasi_newton import LBFGS, Memory, ProjectedLBFGS
from gdcli.solve.probe.line_probe import FLIGHT, ProbeEnd, follow
from gdcli.solve.probe.poles import is_beside_pole
from gdcli.solve.run import unbounded_below
from gdcli.solve.settings import DEFAULT_MAX_ITER

# The pairs promise less than this part of the value, and of the fall so far: time for Newton.
HANDOVER = 1e-6
# The pace is judged every so many gradients and products, the unit of work of both methods.
WINDOW = 200
# A run is slow when at its present pace as much work as the default cap on iterations allows would change the
# value by less than this part of itself, and of the fall so far, and would not exhaust what there is to gain.
PATIENCE = DEFAULT_MAX_ITER
SLOW_PART, SLOW_FALL_PART = 1e-2, 0.5
# Where a run would end, negative curvature is looked for, so often at most, of at least this part of the largest
# curvature; the first step off a saddle is this part of the largest variable.
MAX_ESCAPES, ESCAPE_CURVATURE, ESCAPE_STEP = 4, 1e-6, 1e-3
_STANDING = (StopReason.GAP, StopReason.STATIONARY, StopReason.FLOOR, StopReason.NO_DESCENT)


@stored()
@dataclass(slots=True)
class LargeState:
    """The states of both methods (``polish`` is None before its turn), and the pace of the run.

    ``work`` and ``value`` are those at the beginning of the present window.
    """

    memory: Memory
    start: Evaluation
    work: int
    value: float
    horizon: float
    polish: CgState | None = None
    escapes: int = 0

    @classmethod
    def at(cls, objective: Objective, at: Evaluation, memory: Memory) -> LargeState:
        return cls(memory, at, _work(objective), at.value, FLIGHT * max(1.0, max_abs(at.x)))

    def is_slow(self, objective: Objective, value: float) -> bool:
        """Tell whether a window is over and brought hardly anything; begin the next one."""
        spent = _work(objective) - self.work
        if spent < WINDOW:
            return False
        foreseen = (self.value - value) * PATIENCE / spent
        left = inf if self.polish is None else self.polish.gap
        fall = self.start.value - value
        slow = foreseen < max(min(SLOW_PART * abs(value), SLOW_FALL_PART * fall, left), GAP_TOL * fall)
        self.begin_window(objective, value)
        return slow

    def begin_window(self, objective: Objective, value: float) -> None:
        self.work, self.value = _work(objective), value


def _work(objective: Objective) -> int:
    return objective.counts.gradient + objective.counts.product


@dataclass(frozen=True, slots=True)
class QuasiThenNewton:
    """L-BFGS until little is left to gain (or it is slow), then Newton-CG; ``tol`` as for `auto`."""

    tol: float = 1e-8
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> LargeState:
        return LargeState.at(objective, at, LBFGS().start(objective, at))

    def step(self, objective: Objective, at: Evaluation, state: LargeState) -> Step:
        """Return a step of the method whose turn it is, or the end of a flight to infinity."""
        step = self._step(objective, at, state)
        if step.reason is None:
            return probe_ahead(objective, step, state)
        jammed = step.reason in (StopReason.NO_DESCENT, StopReason.FLOOR)
        return (
            step._replace(reason=StopReason.UNBOUNDED)
            if jammed and is_beside_pole(objective, step.at)
            else step
        )

    def _step(self, objective: Objective, at: Evaluation, state: LargeState) -> Step:
        newton = NewtonCG(self.tol)
        if state.polish is None:
            step = LBFGS().step(objective, at, state.memory)
            if step.reason is None:
                if _is_near(step.at.value, state) or state.is_slow(objective, step.at.value):
                    self._hand_over(newton, objective, step.at, state)
                return step._replace(state=state)
            self._hand_over(newton, objective, at, state)
        assert state.polish is not None
        step = newton.step(objective, at, state.polish)
        off = _off_saddle(objective, at, state) if step.reason in _STANDING and not step.moved else None
        if off is not None:
            self._hand_over(newton, objective, off.at, state)
            return off
        slow = step.reason is None and state.is_slow(objective, step.at.value)
        return step._replace(state=state, reason=StopReason.SLOW if slow else step.reason)

    def _hand_over(self, newton: NewtonCG, objective: Objective, at: Evaluation, state: LargeState) -> None:
        state.polish = newton.start(objective, at)
        state.polish.start_value = state.start.value
        state.memory.pairs.clear()
        state.begin_window(objective, at.value)


def _is_near(value: float, state: LargeState) -> bool:
    fall = min(1.0, state.start.value - value)
    return len(state.memory.pairs) > 1 and state.memory.promise <= HANDOVER * max(abs(value), fall)


def large_method(tol: float, bounded: bool) -> ProjectedThenEscape | QuasiThenNewton:
    return ProjectedThenEscape(tol) if bounded else QuasiThenNewton(tol)


def probe_ahead(objective: Objective, step: Step, state: LargeState) -> Step:
    """Return ``step``, or the end of a run that has fled: beyond the horizon the value is followed along the way."""
    size = max_abs(step.at.x)
    if not size > state.horizon:
        return step
    state.horizon = FLIGHT * size
    found = follow(objective, step.at, step.at.x - state.start.x, unbounded_below(state.start.value))
    if found.outcome is ProbeEnd.UNBOUNDED and found.lowest is not None:
        return Step(found.lowest, state, found.length, StopReason.UNBOUNDED, kind="escape")
    return step._replace(reason=StopReason.AT_INFINITY) if found.outcome is ProbeEnd.LIMIT else step


@dataclass(frozen=True, slots=True)
class ProjectedThenEscape:
    """Projected L-BFGS until the gradient is within ``tol`` as for lbfgs; saddles along the bounds are left."""

    tol: float = 1e-8
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> LargeState:
        return LargeState.at(objective, at, ProjectedLBFGS().start(objective, at))

    def step(self, objective: Objective, at: Evaluation, state: LargeState) -> Step:
        """Return a step of projected L-BFGS, or one off a saddle where that would end."""
        if norm(at.gradient) <= self.tol * sqrt(max(1.0, abs(at.value))):
            step = Step(at, state, 0.0, StopReason.GRADIENT, moved=False, passed=False)
        else:
            step = ProjectedLBFGS().step(objective, at, state.memory)._replace(state=state)
        if step.reason is None:
            return probe_ahead(objective, step, state)
        off = _off_saddle(objective, at, state)
        if off is None:
            return step
        state.memory = ProjectedLBFGS().start(objective, off.at)
        return off


def _off_saddle(objective: Objective, at: Evaluation, state: LargeState) -> Step | None:
    """Return a step off a saddle or maximum, None where no curvature is negative, or too many were left already.

    Both signs of the direction of the most negative curvature are tried, from a small step doubled while it pays.
    """
    direction = lowest_direction(objective, at) if state.escapes < MAX_ESCAPES else None
    if direction is None:
        return None
    best = at
    for side in (1.0, -1.0):
        length = side * ESCAPE_STEP * max(1.0, max_abs(at.x)) / max_abs(direction)
        there = objective.evaluate(along(at.x, length, direction), 0)
        while there.value < best.value:
            best, length = there, 2.0 * length
            there = objective.evaluate(along(at.x, length, direction), 0)
            if not -inf < there.value:
                break
    if best is at:
        return None
    away = objective.complete(best, 1)
    if away.gradient is None:
        return None
    state.escapes += 1
    return Step(away, state, distance(away.x, at.x), kind="escape")


def lowest_direction(objective: Objective, at: Evaluation) -> Vector | None:
    """Return the direction of the lowest curvature at ``at`` where that is negative; None where none was found."""
    found = ritz(objective, at)
    if found is None or not found.low < -ESCAPE_CURVATURE * max(-found.low, found.high):
        return None
    return ritz_vector(objective, at, found)
