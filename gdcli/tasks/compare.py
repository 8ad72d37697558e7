"""Experiments in place of answers: one question put to several rates or methods, each run an answer of its own.

The results here are the user's: values have the sign of the typed expression, and points have names. What is
computed is in :mod:`gdcli.judge.learning_rates`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from gdcli.judge.learning_rates import DEFAULT_STEPS, Rate, Rates, compare
from gdcli.kernel.dataclass import dataclass, replace
from gdcli.kernel.errors import DomainError, GdError, Span, UsageError, internal
from gdcli.kernel.vectors import Vector
from gdcli.language.interpreter import find_culprit
from gdcli.language.syntax import Tree
from gdcli.objective.build import Exact, ScalarTier
from gdcli.solve.registry import find
from gdcli.solve.settings import Settings
from gdcli.tasks.minimize import solve
from gdcli.tasks.pipeline import Outcome
from gdcli.tasks.problem import Problem, sign_of

# Without a list: the methods that show how far one comes with a Hessian, with gradients and a memory, and with
# gradients alone. A method that keeps a matrix is none for many variables.
_FEW = ("auto", "newton", "bfgs", "lbfgs", "cg", "bb", "gd", "momentum", "adam")
_MANY = ("auto", "newton-cg", "lbfgs", "cg")
_MATRIX = 200

# Looking for the sub-expression that is not finite walks the tree in plain Python.
_EXPLAINED = 1000


@dataclass(frozen=True, slots=True)
class RateComparison:
    """Plain gradient descent at several rates; see :mod:`gdcli.judge.learning_rates` for the verdicts.

    ``found`` speaks of the minimised function, as its curvature does; ``value`` turns a value into the user's.
    """

    problem: Problem
    found: Rates
    sign: int
    engine: str
    warnings: tuple[str, ...] = ()

    def value(self, value: float) -> float:
        """Return a value of the typed expression from one of the minimised function."""
        return self.sign * value + 0.0

    def values(self, rate: Rate) -> list[float]:
        return [self.value(v) for v in rate.values]


def learning_rates(
    problem: Problem,
    tree: Tree | None,
    exact: Exact,
    x0: Vector,
    rates: Sequence[float],
    steps: int = DEFAULT_STEPS,
    tier: ScalarTier | None = None,
) -> RateComparison:
    """Compare ``rates`` (none: some around 2/L) from ``x0`` in at most ``steps`` steps each, with ``tier`` standing by.

    Raises UsageError for a rate or a number of steps that makes no sense.
    """
    for rate in rates:
        if not (rate > 0.0 and isfinite(rate)):
            raise UsageError(
                f"a learning rate must be a positive number, not {rate}",
                span=Span(str(rate), 0, len(str(rate)), "--lr"),
            )
    if steps < 1:
        raise UsageError(f"at least one step is needed, not {steps}", "for example --steps 100")
    if problem.bounds:
        raise UsageError("learning rates are compared without bounds", "leave out the bounds")
    found = compare(exact, x0, rates, steps, _explainer(problem, tree, exact), tier)
    warnings = []
    if exact.is_constant():
        names = ", ".join(exact.space.names)
        warnings.append(f"the expression does not depend on {names}: all rates are the same")
    elif found.curvature is None:
        warnings.append("the Hessian at the start is not finite: the curvature is not known")
    engine = exact.engine if tier is None else tier.engine
    return RateComparison(problem, found, sign_of(problem.sense), engine, tuple(warnings))


def _explainer(problem: Problem, tree: Tree | None, exact: Exact) -> Callable[[Any], str]:
    """Return what says in words why there is no finite value at a point; nothing for many variables."""

    def explain(x: Vector) -> str:
        if tree is None or exact.size > _EXPLAINED or not all(map(isfinite, x)):
            return ""
        point = exact.space.unflatten(x)
        culprit = find_culprit(tree, {**point, **problem.constants}, problem.constants)
        if culprit is None:
            return ""
        what = "is too large" if culprit.value == float("inf") else "is not defined"
        told = [(text, f"{number:.4g}") for text, number in culprit.parts[:2]]
        parts = ", ".join(f"{text} = {number}" for text, number in told if text != number)
        return f"{culprit.piece} {what}" + (f" at {parts}" if parts else "")

    return explain


@dataclass(frozen=True, slots=True)
class MethodRun:
    """How one method fared: its outcome, or the error in its way; ``values`` has the value at each iterate."""

    method: str
    outcome: Outcome | None
    fault: GdError | None
    values: tuple[float, ...]


def compare_methods(
    problem: Problem, methods: Sequence[str] = (), settings: Settings | None = None
) -> tuple[MethodRun, ...]:
    """Solve ``problem`` by each of ``methods`` (none: those that suit its size), and return how each fared.

    Of ``settings`` the method is left out; a learning rate goes to the methods that read one. What goes wrong in one
    method is part of the answer; an interrupt ends the comparison after the run that it met. Raises UsageError for an
    unknown method, before anything runs, and DomainError when the start has no finite value.
    """
    settings = settings or Settings()
    size = sum(1 if length is None else length for length in problem.lengths.values())
    suited = _FEW if size <= _MATRIX else _MANY
    chosen = [find(name) for name in dict.fromkeys(methods or suited)]
    if settings.lr is not None and not any("lr" in entry.reads for entry in chosen):
        raise UsageError("none of these methods reads --lr", "leave it out, or add gd to --method")
    runs: list[MethodRun] = []
    for entry in chosen:
        lr = settings.lr if "lr" in entry.reads else None
        runs.append(_run_of(problem, replace(settings, method=entry.name, lr=lr)))
        outcome = runs[-1].outcome
        if outcome is not None and outcome.status.by_signal:
            break
    return tuple(runs)


def _run_of(problem: Problem, settings: Settings) -> MethodRun:
    """Return one run; only an error of the start itself, which all would share, is passed on."""
    sign = sign_of(problem.sense)
    values: list[float] = []
    try:
        outcome = solve(problem, settings, [lambda iterate: values.append(sign * iterate.at.value)])
    except DomainError:
        raise
    except GdError as fault:
        return MethodRun(settings.method, None, fault, tuple(values))
    except Exception as fault:  # a fault of this method is no reason to keep the others back
        if problem.tree is None:  # it may be one of the function
            raise
        return MethodRun(settings.method, None, internal(fault), tuple(values))
    return MethodRun(settings.method, outcome, None, tuple(values))
