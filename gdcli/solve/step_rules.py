"""How far to go along a direction: the step rules of the descent methods.

A step rule is given a point and a direction and chooses the step size. The simplest never looks at the
objective (fixed, decay), others try several sizes and compare (best, armijo). A trial outside the domain has
the value +inf and is never chosen by a rule that compares, so such a rule stays in the domain by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Protocol

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import along, dot, norm, same
from gdcli.objective.protocol import Evaluation, Objective, Vector, tried
from gdcli.solve.settings import BOOK_STEP_SIZES

# Length of the first step relative to max(1, |x|): before anything is known about curvature, stay close. A method that
# has no rate runs in a unit of its own, which is the 1 here.
FIRST_LENGTH = 0.1


def first_size(at: Evaluation, direction: Vector) -> float:
    """Return a size for the first trial along ``direction``, when nothing is known about curvature."""
    return min(1.0, FIRST_LENGTH * max(1.0, norm(at.x)) / norm(direction))


class Choice(NamedTuple):
    """What a step rule chose: the new point (None: it found none, for ``reason``), the step
    size, its state.
    """

    at: Evaluation | None
    size: float
    state: Any = None
    reason: StopReason | None = None


class StepRule(Protocol):
    """A choice of step sizes; ``start`` gives the state before the first step, ``words`` describes it."""

    @property
    def words(self) -> str: ...

    def start(self) -> Any: ...

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: Any
    ) -> Choice: ...


@dataclass(frozen=True, slots=True)
class BestRule:
    """Try every size of a list and take the one with the lowest value, the first of equals."""

    sizes: Sequence[float] = BOOK_STEP_SIZES

    @property
    def words(self) -> str:
        return f"best of {len(self.sizes)} steps" if len(self.sizes) > 1 else f"fixed step {self.sizes[0]:g}"

    def start(self) -> None:
        """There is nothing to remember."""

    def trial(
        self, objective: Objective, at: Evaluation, direction: Vector
    ) -> tuple[Evaluation | None, float]:
        """Return the best trial (value only) and its size, or None when no trial has a value at all."""
        best: Evaluation | None = None
        best_size, lowest = 0.0, inf
        for size in self.sizes:
            trial = tried(objective, at, along(at.x, size, direction))
            if trial.value < lowest:
                best, best_size, lowest = trial, size, trial.value
        return best, best_size

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: object
    ) -> Choice:
        best, size = self.trial(objective, at, direction)
        if best is None or not best.value < at.value:
            return Choice(None, size, None, StopReason.NO_DESCENT)
        return Choice(objective.complete(best, order), size)


@dataclass(frozen=True, slots=True)
class Armijo:
    """Halve the step until the value falls by at least ``slope`` times what the tangent promises.

    Armijo, Pacific Journal of Mathematics 16 (1966); Nocedal and Wright, Numerical Optimization, algorithm
    3.1. The first trial is ``first``, later ones twice the last accepted size, so the rule adapts to the
    scale of the problem in both directions.
    """

    first: float = 1.0
    slope: float = 1e-4
    shrink: float = 0.5

    @property
    def words(self) -> str:
        return f"Armijo backtracking, first step {self.first:g}"

    def start(self) -> float:
        return self.first

    def choose(
        self, objective: Objective, at: Evaluation, direction: Vector, order: int, state: Any
    ) -> Choice:
        slope = dot(at.gradient, direction)
        size: float = state
        if not slope < 0.0:
            return Choice(None, size, state, StopReason.STATIONARY if slope == 0.0 else StopReason.NO_DESCENT)
        if same(along(at.x, size, direction), at.x):
            size = first_size(
                at, direction
            )  # where slopes are far less than before, so are steps of the last size
        while True:
            x = along(at.x, size, direction)
            if same(x, at.x):
                return Choice(None, size, state, StopReason.NO_DESCENT)
            trial = tried(objective, at, x)
            if trial.value <= at.value + self.slope * size * slope and trial.value < at.value:
                complete = objective.complete(trial, order)
                if complete.gradient is not None or complete.value == -inf:
                    return Choice(complete, size, size / self.shrink)
            size *= self.shrink
