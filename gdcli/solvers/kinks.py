"""Getting to the bottom of a kink: smooth it, less and less.

At a kink such as that of ``abs(u)`` at ``u = 0`` the gradient jumps, and Newton's method, which believes in
smooth models, jams against it: ``abs(x) + y**2`` reaches x = 0 and then finds no step although y is still
wrong. The way out is to replace ``abs(u)`` by ``sqrt(u**2 + mu**2)`` (max and min likewise) and to minimise
that for a mu that shrinks from 0.1 to 1e-11, each run starting where the last one ended (Chen, Mathematical
Programming 134, 2012). The values shown are those of the function itself; it differs from the last smoothed
one by at most mu a kink.

The smoothed functions are made by the objective: one that has kinks has a method ``smoothed(mu)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from gdcli.solvers.newton import NewtonState, TrustRegionNewton
from gdcli.solvers.types import Counts, Evaluation, Objective, Step, StopReason

# Three orders of magnitude at first, two later: each run starts within the reach of Newton's method.
LEVELS = (1e-1, 1e-3, 1e-5, 1e-7, 1e-9, 1e-11)
_JAMMED = (StopReason.NO_DESCENT, StopReason.FLOOR)
_NO_MINIMUM = (StopReason.UNBOUNDED, StopReason.AT_INFINITY, StopReason.EDGE)
# A smooth function takes Newton's method a few dozen iterations; one that is still on its way after so many, and
# has kinks, is zig-zagging across one.
_PATIENCE = 50


class Smoothable(Protocol):
    """An objective with kinks that can be smoothed."""

    def smoothed(self, mu: float) -> Objective | None:
        """Return the objective with every kink rounded off to about ``mu``, None where there is none."""
        ...


def smoothed(objective: Any, mu: float) -> Objective | None:
    """Return ``objective`` with its kinks smoothed, None where it has none or does not know."""
    make = getattr(objective, "smoothed", None)
    made: Objective | None = make(mu) if make is not None else None
    return made


@dataclass(slots=True)
class _Phase:
    """One level of smoothing: the smoothed objective, its value here, and the state of
    Newton's method on it.
    """

    level: int
    objective: Objective
    at: Evaluation
    inner: NewtonState


@dataclass(slots=True)
class KinkState:
    """The state of Newton's method on the function itself, then the phase of smoothing (None before)."""

    plain: NewtonState
    phase: _Phase | None = None
    taken: int = 0


@dataclass(frozen=True, slots=True)
class SmoothingNewton:
    """Trust-region Newton that smooths the kinks once it is jammed against one; ``tol`` as for `auto`."""

    tol: float = 1e-8
    order: int = 2

    def start(self, objective: Objective, at: Evaluation) -> KinkState:
        """Begin with the function itself: many a kink is never met."""
        return KinkState(TrustRegionNewton(self.tol).start(objective, at))

    def step(self, objective: Objective, at: Evaluation, state: KinkState) -> Step:
        """Return a step on the function itself, or on a smoothed one."""
        if state.phase is None:
            step = TrustRegionNewton(self.tol).step(objective, at, state.plain)
            state.taken += 1
            patient = state.taken < _PATIENCE or step.reason is not None
            if patient and not self._is_jammed(step, at, state.plain):
                return step._replace(state=state)
            state.phase = self._enter(objective, at, 0)
            if state.phase is None:
                return step._replace(state=state)
        while True:
            phase = state.phase
            before = phase.objective.counts.copy()
            step = TrustRegionNewton(self.tol).step(phase.objective, phase.at, phase.inner)
            _add_counts(objective.counts, phase.objective.counts, before)
            if step.moved:
                phase.at = step.at
                # The end of a level is noticed at the next step, which will not move.
                reason = step.reason if step.reason in _NO_MINIMUM else None
                return Step(objective.evaluate(step.at.x, 1), state, step.size, reason, kind=step.kind)
            if step.reason in _NO_MINIMUM:
                return Step(at, state, step.size, step.reason, moved=False)
            following = self._enter(objective, phase.at, phase.level + 1)
            if following is None:
                return Step(at, state, step.size, step.reason, moved=False)
            state.phase = following

    def _is_jammed(self, step: Step, at: Evaluation, state: NewtonState) -> bool:
        if step.reason not in _JAMMED:
            return False
        return state.model is None or not TrustRegionNewton(self.tol).enough(
            state.model.gain, at.value, state
        )

    def _enter(self, objective: Objective, at: Evaluation, level: int) -> _Phase | None:
        """Return the phase at a level of smoothing, None after the last one."""
        if level >= len(LEVELS):
            return None
        smooth = smoothed(objective, LEVELS[level])
        if smooth is None:
            return None
        before = smooth.counts.copy()
        here = smooth.evaluate(at.x, 2)
        inner = TrustRegionNewton(self.tol).start(smooth, here)
        _add_counts(objective.counts, smooth.counts, before)
        return _Phase(level, smooth, here, inner)


def _add_counts(total: Counts, now: Counts, before: Counts) -> None:
    if total is now:
        return
    total.value += now.value - before.value
    total.gradient += now.gradient - before.gradient
    total.hessian += now.hessian - before.hessian
    total.product += now.product - before.product
