"""Descent methods: a direction times a step size, again and again.

The direction says which way is down, the step rule (:mod:`gdcli.solve.step_rules`) how far to go. Gradient
descent takes the direction in which the value falls fastest at first, the negative gradient. `Batch` is the
book's ``minimize_batch``: steepest descent that tries a whole list of step sizes at every step.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from gdcli.compile.update_rules import STEEPEST
from gdcli.kernel.dataclass import dataclass, field
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import same
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.iteration import Step
from gdcli.solve.methods.elementwise import Elementwise, FixedStep, Rule
from gdcli.solve.step_rules import BestRule, StepRule

BATCH_TOL = 1e-6


class Direction(Protocol):
    """A way down; ``start`` gives the state before the first step.

    ``stable`` is the factor of the stable range ``stable / L`` of a fixed step, None where there is no such range.
    """

    @property
    def stable(self) -> float | None:
        """The factor of the stable range of a fixed step."""

    def start(self, at: Evaluation) -> Any: ...

    def direction(self, at: Evaluation, state: Any) -> tuple[Vector, Any]:
        """Return the direction at ``at`` (evaluated to order 1) and the new state."""


class Steepest(Rule):
    """The negative gradient (Cauchy 1847); along a curvature c its error is multiplied by ``1 - lr * c``."""

    stable = 2.0
    update: ClassVar = STEEPEST


@dataclass(frozen=True, slots=True)
class Descent:
    towards: Direction
    rule: StepRule
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> tuple[Any, Any]:
        return self.towards.start(at), self.rule.start()

    def step(self, objective: Objective, at: Evaluation, state: tuple[Any, Any]) -> Step:
        direction, of_direction = self.towards.direction(at, state[0])
        there, size, of_size, reason = self.rule.choose(objective, at, direction, self.order, state[1])
        new_state = (of_direction, of_size)
        if there is None:
            return Step(at, new_state, size, reason, moved=False)
        return Step(there, new_state, size, reason)

    def elementwise(self) -> Elementwise | None:
        """Return the method as an elementwise update, None where it is none."""
        towards, sizes = self.towards, self.rule
        if not isinstance(towards, Rule) or not isinstance(sizes, FixedStep):
            return None
        constants = towards.constants + sizes.constants
        return Elementwise(towards.update.joined(sizes.update), constants, towards, sizes)


@dataclass(frozen=True, slots=True)
class Batch:
    """The book's ``minimize_batch``: steepest descent with the best of a list of steps.

    It ends when the best trial changes the value by less than ``tol`` (0: never); that trial is not taken, as
    in the book, yet its pass is counted. The best trial is taken even when it is higher, also as in the book.
    Where the book's loop would never end, this one does: when no trial has a value, and when every trial is
    the point itself.
    """

    rule: BestRule = field(default_factory=BestRule)
    tol: float = BATCH_TOL
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> None:
        """There is nothing to remember."""

    def step(self, objective: Objective, at: Evaluation, state: None) -> Step:
        best, size = self.rule.trial(objective, at, -at.gradient)  # type: ignore[operator]
        reason = None
        if best is None:
            reason = StopReason.NO_DESCENT
        elif abs(at.value - best.value) < self.tol:
            reason = StopReason.VALUE
        elif same(best.x, at.x):
            reason = StopReason.FLOOR
        if best is None or reason is not None:
            return Step(at, None, size, reason, moved=False)
        return Step(objective.complete(best, self.order), None, size)
