"""Methods that go downhill by a direction and a step rule, made from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.solve.iteration import Method
from gdcli.solve.methods.descent import Batch, Descent, Steepest
from gdcli.solve.methods.directions import Conjugate
from gdcli.solve.methods.elementwise import DecayRule, Fixed
from gdcli.solve.scaling import OneUnit
from gdcli.solve.settings import BOOK_STEP_SIZES
from gdcli.solve.step_rules import Armijo, BarzilaiBorwein, BestRule, Exact, Wolfe

if TYPE_CHECKING:
    from gdcli.solve.methods.elementwise import Rule

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


def make_penalty(
    lr: float | None = None,
    step_rule: str | None = None,
    step_sizes: tuple[float, ...] | None = None,
    tol: float = 1e-6,
) -> Method:
    from gdcli.solve.constrained.penalty import QuadraticPenalty

    return QuadraticPenalty(Descent(Steepest(), make_step_rule(lr, step_rule, step_sizes)), tol)


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
