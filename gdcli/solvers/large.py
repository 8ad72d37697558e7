"""The default for many variables: L-BFGS on the way, Newton-CG at the end.

L-BFGS covers the way cheaply, a few vector operations an iteration, but near the end it takes many steps for
each further digit. Newton-CG finishes in a few outer iterations and tells how much there is left to gain.

Some large problems hardly move whatever the method: in a chain of a million variables the news travels a link
or so an iteration. A slow run is first handed to the other method; when that is no faster, and its model sees no
end either, the run is ended: who wants to wait can say how long.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from gdcli.solvers.newton_cg import CgState, NewtonCG
from gdcli.solvers.quasi_newton import LBFGS, Memory
from gdcli.solvers.stopping import DEFAULT_MAX_ITER
from gdcli.solvers.types import Evaluation, Objective, Step, StopReason

# The pairs promise less than this part of the value, and of the fall so far: time for Newton.
HANDOVER = 1e-6
# The pace is judged every so many gradients and products, the unit of work of both methods.
WINDOW = 200
# A run is slow when at its present pace as much work as the default cap on iterations allows would change the
# value by less than this part of itself, and of the fall so far, and would not exhaust what there is to gain.
PATIENCE = DEFAULT_MAX_ITER
SLOW_PART, SLOW_FALL_PART = 1e-2, 0.5


@dataclass(slots=True)
class LargeState:
    """The states of both methods (``polish`` is None before its turn), and the pace of the run.

    ``work`` and ``value`` are those at the beginning of the present window.
    """

    memory: Memory
    start_value: float
    work: int
    value: float
    polish: CgState | None = None

    def is_slow(self, objective: Objective, value: float) -> bool:
        """Tell whether a window is over and brought hardly anything; begin the next one."""
        spent = _work(objective) - self.work
        if spent < WINDOW:
            return False
        foreseen = (self.value - value) * PATIENCE / spent
        left = inf if self.polish is None else self.polish.gain
        slow = foreseen < min(SLOW_PART * abs(value), SLOW_FALL_PART * (self.start_value - value), left)
        self.begin_window(objective, value)
        return slow

    def begin_window(self, objective: Objective, value: float) -> None:
        """Measure the pace from here on."""
        self.work, self.value = _work(objective), value


def _work(objective: Objective) -> int:
    return objective.counts.gradient + objective.counts.product


@dataclass(frozen=True, slots=True)
class QuasiThenNewton:
    """L-BFGS until little is left to gain (or it is slow), then Newton-CG; ``tol`` as for `auto`."""

    tol: float = 1e-8
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> LargeState:
        """Begin with L-BFGS."""
        return LargeState(LBFGS().start(objective, at), at.value, _work(objective), at.value)

    def step(self, objective: Objective, at: Evaluation, state: LargeState) -> Step:
        """Return a step of the method whose turn it is."""
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
        slow = step.reason is None and state.is_slow(objective, step.at.value)
        return step._replace(state=state, reason=StopReason.SLOW if slow else step.reason)

    def _hand_over(self, newton: NewtonCG, objective: Objective, at: Evaluation, state: LargeState) -> None:
        state.polish = newton.start(objective, at)
        state.polish.start_value = state.start_value
        state.memory.pairs.clear()
        state.begin_window(objective, at.value)


def _is_near(value: float, state: LargeState) -> bool:
    fall = min(1.0, state.start_value - value)
    return len(state.memory.pairs) > 1 and state.memory.promise <= HANDOVER * max(abs(value), fall)
