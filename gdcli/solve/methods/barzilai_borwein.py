"""The step size of Barzilai and Borwein: curvature from the last step alone.

The last step s changed the gradient by y. The size ``s's / s'y`` is the best multiple of the unit matrix for
an inverse Hessian with ``H s = y`` (Barzilai and Borwein, IMA J. Numer. Anal. 8, 1988). The value does not
fall at every step, and must not be forced to: it only has to stay below the highest of the last ten (Raydan,
SIAM J. Optim. 7, 1997).
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Any

from gdcli.kernel.dataclass import dataclass, stored
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import along, dot, norm, same
from gdcli.objective.protocol import Evaluation, Objective, Vector, tried
from gdcli.solve.step_rules import FIRST_LENGTH, Choice

_REMEMBERED = 10
_SLOPE = 1e-4


@stored("barzilai_borwein._Last")
@dataclass(slots=True)
class _Last:
    """The point before, its direction, and the values of the last points."""

    at: Evaluation | None
    values: deque[float]


@dataclass(frozen=True, slots=True)
class BarzilaiBorwein:
    """The Barzilai-Borwein size, halved until the value is below the highest of the last ten."""

    words = "Barzilai-Borwein steps"

    def start(self) -> _Last:
        return _Last(None, deque(maxlen=_REMEMBERED))

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: Any
    ) -> Choice:
        slope = dot(at.gradient, direction)
        if not slope < 0.0:
            return Choice(None, 0.0, state, StopReason.STATIONARY)
        state.values.append(at.value)
        size = _size(at, direction, state.at)
        highest = max(state.values)
        while True:
            x = along(at.x, size, direction)
            if same(x, at.x):
                return Choice(None, size, state, StopReason.FLOOR)
            trial = tried(objective, at, x)
            if trial.value <= highest + _SLOPE * size * slope:
                complete = objective.complete(trial, order)
                if complete.gradient is not None or complete.value == -inf:
                    state.at = at
                    return Choice(complete, size, state)
            size *= 0.5


def _size(at: Evaluation, direction: Vector, before: Evaluation | None) -> float:
    """Return the first size to try: from the last step, or a short one where that tells nothing."""
    if before is not None:
        s, y = at.x - before.x, at.gradient - before.gradient  # type: ignore[operator]
        curvature = dot(s, y)
        if curvature > 0.0:
            return dot(s, s) / curvature
    return FIRST_LENGTH * max(1.0, norm(at.x)) / norm(direction)
