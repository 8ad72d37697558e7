"""Descent methods: a direction times a step size, again and again; made from the settings by functions.

The direction says which way is down, the step rule (:mod:`gdcli.solve.step_rules`) how far to go. Gradient
descent takes the direction in which the value falls fastest at first, the negative gradient. `Batch` is the
book's ``minimize_batch``: steepest descent that tries a whole list of step sizes at every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from gdcli.compile.update_rules import STEEPEST
from gdcli.kernel.dataclass import dataclass, field
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import same
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.iteration import Method, Step
from gdcli.solve.methods.directions import Conjugate
from gdcli.solve.methods.elementwise import DecayRule, Elementwise, Fixed, FixedStep, Rule
from gdcli.solve.scaling import OneUnit
from gdcli.solve.settings import BOOK_STEP_SIZES
from gdcli.solve.step_rules import Armijo, BarzilaiBorwein, BestRule, Exact, StepRule, Wolfe

BATCH_TOL = 1e-6


class Direction(Protocol):
    """A way down; ``start`` gives the state before the first step.

    ``stable`` is the factor of the stable range ``stable / L`` of a fixed step, None where there is no such range.
    """

    @property
    def stable(self) -> float | None: ...

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


STEP_RULES: Mapping[str, str] = {
    "fixed": "the same step size --lr always",
    "decay": "a step size that shrinks with the number k of steps, lr / (1 + k/100)",
    "best": "the best of the list --step-sizes",
    "armijo": "halve the step until the value falls enough; the first trial is --lr",
    "wolfe": "strong Wolfe line search; the first trial is --lr",
    "exact": "minimise along the line; the first trial is --lr",
    "bb": "Barzilai and Borwein's size, from the last step",
}
DEFAULT_LR = 0.01


def make_gd(
    lr: float | None = None, step_rule: str | None = None, step_sizes: tuple[float, ...] | None = None
) -> Method:
    """Return gradient descent with the step rule asked for: fixed where ``lr`` is given
    alone, else armijo.
    """
    method = Descent(Steepest(), make_step_rule(lr, step_rule, step_sizes))
    return OneUnit(method, 2) if step_rule == "bb" else method


def make_step_rule(lr: float | None, step_rule: str | None, step_sizes: tuple[float, ...] | None) -> Any:
    """Return the step rule of the settings. Raises UsageError for one that does not read what was given."""
    if step_rule is None:
        step_rule = "best" if step_sizes is not None and lr is None else "armijo" if lr is None else "fixed"
    if step_rule not in STEP_RULES:
        hint = did_you_mean(step_rule, STEP_RULES, "known are " + ", ".join(STEP_RULES))
        raise UsageError(f"there is no step rule {step_rule!r}", hint)
    if step_rule != "best" and step_sizes is not None:
        raise UsageError(
            f"the step rule {step_rule} does not read --step-sizes", "it is for the step rule best"
        )
    if step_rule in _WITHOUT_LR and lr is not None:
        raise UsageError(f"the step rule {step_rule} does not read --lr", _WITHOUT_LR[step_rule])
    return _rule_of(step_rule, lr, step_sizes or BOOK_STEP_SIZES)


_WITHOUT_LR = {"best": "give its list with --step-sizes", "bb": "it finds its sizes itself"}


def _rule_of(step_rule: str, lr: float | None, step_sizes: tuple[float, ...]) -> Any:
    if step_rule == "best":
        return BestRule(step_sizes)
    if step_rule == "bb":
        return BarzilaiBorwein()
    if step_rule in ("fixed", "decay"):
        return (Fixed if step_rule == "fixed" else DecayRule)(lr or DEFAULT_LR)
    return {"armijo": Armijo, "wolfe": Wolfe, "exact": Exact}[step_rule](lr or 1.0)


def make_batch(step_sizes: tuple[float, ...] | None = None, tol: float = 1e-6) -> Method:
    return Batch(BestRule(step_sizes or BOOK_STEP_SIZES), tol)


def make_cg() -> Method:
    """Return conjugate gradients with a Wolfe search tight enough for them (Nocedal and
    Wright, section 5.2).
    """
    return OneUnit(Descent(Conjugate(), Wolfe(None, flatten=0.1)), 2)


def make_bb() -> Method:
    return make_gd(step_rule="bb")


def at_a_rate(name: str, rule: Rule, lr: float, step_rule: str | None) -> Method:
    """Return a direction that sets its own pace with a step size that does not look at the value."""
    if step_rule not in (None, "fixed", "decay"):
        raise UsageError(
            f"the method {name} does not go with the step rule {step_rule}",
            "it goes with fixed or decay",
        )
    return Descent(rule, make_step_rule(lr, step_rule, None))
