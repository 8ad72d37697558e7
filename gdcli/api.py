"""The public Python functions: typed mathematics in, the optimum and its evidence out. No printing, no exit.

>>> from gdcli import api
>>> outcome = api.minimize("(x-3)**2 + (y-2)**2", start={"x": 0, "y": 0})
>>> outcome.point
{'x': 3.0, 'y': 2.0}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gdcli.errors import DomainError, UsageError, did_you_mean
from gdcli.problem import Number, Problem, listed, make_problem, parsed, read_problem, sign_of

if TYPE_CHECKING:
    from gdcli.language.syntax import Tree
    from gdcli.objective.build import Exact
    from gdcli.objective.space import Space
    from gdcli.solvers.types import Certificate, Observer, RunResult, Status

__all__ = [
    "Number",
    "Outcome",
    "Problem",
    "Settings",
    "make_problem",
    "maximize",
    "minimize",
    "read_problem",
    "solve",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is to be solved. None means the method's own default; an option a method does not read is an error.

    ``h`` is the difference step of the numerical gradients. ``lr`` is the fixed step size (learning rate),
    ``step_sizes`` the list tried by the method ``batch`` or the step rule ``best``.
    """

    method: str = "auto"
    gradient: str = "autodiff"
    h: float | None = None
    lr: float | None = None
    step_rule: str | None = None
    step_sizes: tuple[float, ...] | None = None
    tol: float | None = None
    gradient_tol: float | None = None
    step_tol: float | None = None
    value_tol: float | None = None
    max_iter: int = 10_000
    max_evaluations: int | None = None
    max_time: float | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer and its evidence.

    ``run`` and ``certificate`` speak of the minimised function; ``value`` and ``sign`` (+1, or -1 for a
    maximisation) turn it back into the user's. ``method`` is the name of the method as ``--method`` takes it,
    ``used`` what it was in words, and ``why`` why it was chosen. ``message`` is one sentence on how it ended,
    ``advice`` what to try next (empty when converged). ``formulas`` has the gradient as text per variable when
    it was asked for.
    """

    problem: Problem
    settings: Settings
    space: Space
    run: RunResult
    certificate: Certificate
    status: Status
    message: str
    advice: str
    method: str
    used: str
    why: str
    sign: int
    engine: str
    warnings: tuple[str, ...] = ()
    formulas: Mapping[str, str] | None = None

    @property
    def point(self) -> dict[str, float | list[float]]:
        """The answer by name."""
        return self.space.unflatten(self.run.best.at.x)

    @property
    def value(self) -> float:
        """The value of the typed expression at the answer."""
        return self.sign * self.run.best.at.value


def solve(
    problem: Problem,
    settings: Settings | None = None,
    observers: Sequence[Observer] = (),
    formulas: bool = False,
) -> Outcome:
    """Solve ``problem`` and return the answer with its certificate.

    ``observers`` see every iterate; ``formulas`` asks for the gradient as text. Raises UsageError for a
    contradictory or unknown setting and DomainError when the start has no finite value.
    """
    from gdcli.analysis.verdict import judge
    from gdcli.objective.build import build_objective, with_gradient
    from gdcli.solvers.registry import choose
    from gdcli.solvers.run import run
    from gdcli.solvers.stopping import rules_from

    settings = settings or Settings()
    sign = sign_of(problem.sense)
    tree = parsed(problem.expression, problem.source)
    lengths = {
        name: len(value) if hasattr(value, "__len__") else None for name, value in problem.start.items()
    }
    exact = build_objective(tree, lengths, problem.constants, sign)
    objective = with_gradient(exact, settings.gradient, settings.h, problem.constants, sign)
    x0 = exact.vector(exact.space.flatten(problem.start))
    _check_start(problem, tree, exact, x0)
    choice = choose(
        settings.method,
        objective,
        lr=settings.lr,
        step_rule=settings.step_rule,
        step_sizes=settings.step_sizes,
        tol=settings.tol,
        value_tol=settings.value_tol,
    )
    rules = rules_from(
        tol=settings.tol,
        gradient_tol=settings.gradient_tol,
        step_tol=settings.step_tol,
        value_tol=settings.value_tol,
        max_iter=settings.max_iter,
        max_evaluations=settings.max_evaluations,
        max_time=settings.max_time,
        target=None if settings.target is None else sign * settings.target,
        own_rule=choice.entry.own_rule,
    )
    result = run(objective, choice.method, x0, rules, observers)
    tol = choice.entry.default_tol if settings.tol is None else settings.tol
    result, certificate = _certified(exact, result, tol)
    constant = exact.is_constant()
    verdict = judge(
        result,
        certificate,
        strict=choice.entry.strict,
        tol=tol,
        sign=sign,
        constant=constant,
        step_sizes="lr" in choice.entry.reads,
    )
    return Outcome(
        problem=problem,
        settings=settings,
        space=exact.space,
        run=result,
        certificate=certificate,
        status=verdict.status,
        message=verdict.message,
        advice=verdict.advice,
        method=choice.entry.name,
        used=choice.name,
        why=choice.why,
        sign=sign,
        engine=exact.engine,
        warnings=(*_warnings(exact, result, constant), *certificate.notes),
        formulas=_formulas(tree, lengths, problem.constants) if formulas else None,
    )


def _check_start(problem: Problem, tree: Tree, exact: Exact, x0: Any) -> None:
    """Raise DomainError, naming the sub-expression at fault, when the start has no finite value."""
    value = exact.evaluate(x0).value
    exact.counts.value -= 1  # a look before the run, which counts its own evaluations
    if abs(value) < float("inf"):
        return
    from gdcli.language.walk import find_culprit

    culprit = find_culprit(tree, {**problem.start, **problem.constants}, problem.constants)
    where = "the objective"
    if culprit is not None:
        parts = ", ".join(f"{text} = {number:.6g}" for text, number in culprit.parts)
        element = "" if culprit.index is None else f" at element {culprit.index}"
        where = (
            f"{tree.piece(culprit.node)}{element}: {parts}"
            if parts
            else f"{tree.piece(culprit.node)}{element}"
        )
    what = (
        "is too large to be a number"
        if value == -float("inf") or (culprit and culprit.value == float("inf"))
        else "has no finite value"
    )
    raise DomainError(
        f"the expression {what} at the start ({where})",
        "start inside the domain, for example with another --start",
        tree.span(culprit.node) if culprit else None,
    )


def _certified(exact: Exact, result: RunResult, tol: float) -> tuple[RunResult, Certificate]:
    """The certificate of the best point; an interrupt meanwhile keeps the point and leaves out the certificate."""
    from dataclasses import replace

    from gdcli.analysis.certificate import certify
    from gdcli.errors import Terminated
    from gdcli.solvers.types import Certificate, StopReason

    ended = StopReason.INTERRUPTED
    try:
        return result, certify(exact, result.best.at, result.start.at, tol)
    except KeyboardInterrupt:
        pass
    except Terminated:
        ended = StopReason.TERMINATED
    return replace(result, reason=ended), Certificate("unknown", result.best.gradient_norm)


def _warnings(exact: Exact, result: RunResult, constant: bool) -> list[str]:
    """What a user should know beside the answer."""
    found = []
    unused = [name for name in exact.space.names if name not in exact.form.variables_in_use()]
    if constant:
        found.append(f"the expression does not depend on {listed(exact.space.names)}")
    elif unused:
        found.append(f"the value does not depend on {listed(unused)}")
    if result.best.at.note:
        found.append(f"at the answer {result.best.at.note}")
    return found


def _formulas(tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> dict[str, str]:
    from gdcli.calculus.symbolic import Formula

    return Formula(tree, lengths, constants).texts()


def minimize(expression: str, start: Mapping[str, Number] | None = None, **options: Any) -> Outcome:
    """Minimise ``expression`` from ``start``; ``options`` are the fields of :class:`Settings`, ``constants``, ``seed``.

    Raises UsageError for an unknown option, and as :func:`read_problem` and :func:`solve` do.
    """
    return _extremum(expression, "minimize", start, options)


def maximize(expression: str, start: Mapping[str, Number] | None = None, **options: Any) -> Outcome:
    """Maximise ``expression``; as :func:`minimize`."""
    return _extremum(expression, "maximize", start, options)


def _extremum(
    expression: str, sense: str, start: Mapping[str, Number] | None, options: dict[str, Any]
) -> Outcome:
    constants = dict(options.pop("constants", {}))
    seed = options.pop("seed", 0)
    known = [f.name for f in fields(Settings)]
    for name in options:
        if name not in known:
            raise UsageError(f"unknown option {name}", did_you_mean(name, [*known, "constants", "seed"]))
    return solve(make_problem(expression, sense, start, constants, seed), Settings(**options))
