"""Projected L-BFGS: many variables within bounds.

The direction is that of L-BFGS in the free variables, the path along it is bent at the bounds it meets, and
the step is halved until the value falls enough along that path (Bertsekas, SIAM J. Control and Optim. 20,
1982; the pairs as in Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16, 1995). The objective is a
:class:`gdcli.objective.bounded.Bounded`, which does the bending.
"""

from __future__ import annotations

from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import dot, norm, same
from gdcli.objective.protocol import Evaluation, Objective, Vector, free_part, tried
from gdcli.solve.iteration import Step
from gdcli.solve.methods.quasi_newton import LBFGS, Memory

_SLOPE = 1e-4


@dataclass(frozen=True, slots=True)
class ProjectedLBFGS(LBFGS):
    """L-BFGS in the free variables with a backtracking search along the bent path."""

    def step(self, objective: Objective, at: Evaluation, state: Memory) -> Step:
        if norm(at.gradient) == 0.0:
            return Step(at, state, 0.0, StopReason.STATIONARY, moved=False, passed=False)
        return LBFGS.step(self, objective, at, state)

    def found(self, objective: Objective, at: Evaluation, state: Memory) -> tuple[Evaluation, float] | None:
        # Where the projected gradient is zero the variable is held (or needs no move of its own).
        g: Vector = at.gradient
        direction = free_part(state.direction(g), _zeros(g))
        if not dot(direction, g) < 0.0:
            state.pairs.clear()
            direction = -g
        return _bent_search(objective, at, direction, state.first(at, direction))


def _zeros(g: Vector) -> object:
    return [a == 0.0 for a in g] if isinstance(g, list) else g == 0.0


def _bent_search(
    objective: Objective, at: Evaluation, direction: Vector, size: float
) -> tuple[Evaluation, float] | None:
    while True:
        trial = tried(objective, at, at.x + size * direction)
        way = trial.x - at.x
        if trial.value <= at.value + _SLOPE * dot(at.gradient, way) and trial.value < at.value:
            complete = objective.complete(trial, 1)
            if complete.gradient is not None:
                return complete, size
        if same(trial.x, at.x):
            return None
        size *= 0.5
