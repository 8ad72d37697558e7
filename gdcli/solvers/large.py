"""The default for many variables: L-BFGS on the way, Newton-CG at the end.

L-BFGS covers the way cheaply, a few vector operations an iteration, but near the end it takes many steps for
each further digit. Newton-CG finishes in a few outer iterations and tells how much there is left to gain.

Some large problems hardly move whatever the method: in a chain of a million variables the news travels a link
or so an iteration. Such a run is ended when its pace says that it would get nowhere within any reasonable
patience.
"""

from __future__ import annotations

from dataclasses import dataclass

from gdcli.solvers.newton_cg import CgState, NewtonCG
from gdcli.solvers.quasi_newton import LBFGS, Memory
from gdcli.solvers.types import Evaluation, Objective, Step, StopReason

# The pairs promise less than this part of the value, and of the fall so far: time for Newton.
HANDOVER = 1e-6
# Slow: over so many iterations (of L-BFGS, of Newton-CG) the value fell by less than a part of itself, and of
# the fall so far; another ten thousand iterations at that pace would change it by about a hundredth.
WINDOW, NEWTON_WINDOW = 200, 15
SLOW_PART, SLOW_FALL_PART = 2e-4, 1e-2


@dataclass(slots=True)
class LargeState:
    """The states of both methods (``polish`` is None before its turn), and the pace of the run."""

    memory: Memory
    start_value: float
    polish: CgState | None = None
    passes: int = 0
    window_value: float = 0.0

    def is_slow(self, value: float, window: int) -> bool:
        """Count a pass; tell whether a window of them is over and brought hardly anything."""
        self.passes += 1
        if self.passes < window:
            return False
        fall = self.window_value - value
        slow = fall < SLOW_PART * abs(value) and fall < SLOW_FALL_PART * (self.start_value - value)
        self.passes, self.window_value = 0, value
        return slow


@dataclass(frozen=True, slots=True)
class QuasiThenNewton:
    """L-BFGS until little is left to gain (or it is slow), then Newton-CG; ``tol`` as for `auto`."""

    tol: float = 1e-8
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> LargeState:
        """Begin with L-BFGS."""
        return LargeState(LBFGS().start(objective, at), at.value, window_value=at.value)

    def step(self, objective: Objective, at: Evaluation, state: LargeState) -> Step:
        """Return a step of the method whose turn it is."""
        newton = NewtonCG(self.tol)
        if state.polish is None:
            step = LBFGS().step(objective, at, state.memory)
            if step.reason is None:
                if _is_near(step.at.value, state) or state.is_slow(step.at.value, WINDOW):
                    self._hand_over(newton, objective, step.at, state)
                return step._replace(state=state)
            self._hand_over(newton, objective, at, state)
        assert state.polish is not None
        step = newton.step(objective, at, state.polish)
        slow = step.reason is None and state.is_slow(step.at.value, NEWTON_WINDOW)
        return step._replace(state=state, reason=StopReason.SLOW if slow else step.reason)

    def _hand_over(self, newton: NewtonCG, objective: Objective, at: Evaluation, state: LargeState) -> None:
        state.polish = newton.start(objective, at)
        state.polish.start_value = state.start_value
        state.memory.pairs.clear()
        state.passes, state.window_value = 0, at.value


def _is_near(value: float, state: LargeState) -> bool:
    fall = min(1.0, state.start_value - value)
    return len(state.memory.pairs) > 1 and state.memory.promise <= HANDOVER * max(abs(value), fall)
