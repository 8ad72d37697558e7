"""The public Python functions: typed mathematics in, the optimum and its evidence out. No printing, no exit.

>>> from gdcli import api
>>> outcome = api.minimize("(x-3)**2 + (y-2)**2", start={"x": 0, "y": 0})
>>> outcome.point
{'x': 3.0, 'y': 2.0}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli import budget
from gdcli.dataclass import dataclass, fields, replace
from gdcli.errors import DomainError, GdError, UsageError, did_you_mean, internal
from gdcli.evidence import (
    active_bounds,
    bounds_of,
    certified,
    ends_polished,
    moved_inside,
    stop_rules,
    trend_in_time,
)
from gdcli.outcome import Minimum, Outcome, Settings
from gdcli.problem import Number, Problem, listed, make_problem, parsed, read_problem, sign_of

if TYPE_CHECKING:
    from gdcli.comparisons import RateComparison
    from gdcli.examination import Examination, Wanted
    from gdcli.fitting.groups import GroupFit
    from gdcli.fitting.outcome import FitOutcome
    from gdcli.language.syntax import Tree
    from gdcli.objective.build import Build, Exact
    from gdcli.objective.sampling import Sampler
    from gdcli.solvers.keeping import Keeper
    from gdcli.solvers.types import Objective, Observer, RunResult

# Up to this many variables the sub-expression at the edge of the domain is looked for: that walks the tree, a second.
EDGE_SIZE = 200_000
# What every run takes beside its start, in vectors: eleven for points and gradients of a step and what is made of
# them, five for the answer as a list of numbers. This is what gradient descent needs.
VECTORS = 16
# The vectors that are made between two looks at the memory, and afterwards.
STEP = 6

__all__ = [
    "Minimum",
    "Number",
    "Outcome",
    "Problem",
    "Settings",
    "compare_learning_rates",
    "compare_methods",
    "fit",
    "fit_groups",
    "make_problem",
    "maximize",
    "minimize",
    "read_problem",
    "solve",
]


def solve(
    problem: Problem,
    settings: Settings | None = None,
    observers: Sequence[Observer] = (),
    formulas: bool = False,
    build: Build | None = None,
    keeper: Keeper | None = None,
) -> Outcome:
    """Solve ``problem`` and return the answer with its certificate.

    ``observers`` see every iterate; ``formulas`` asks for the gradient as text; ``build`` makes the objective, and may
    be a `gdcli.objective.shared.SharedObjectives` that serves many problems; a ``keeper`` may end the run, and lets it
    go on later. Raises UsageError for a contradictory or unknown setting and DomainError when the start has no finite
    value.
    """
    settings = settings or Settings()
    with budget.limited(settings):
        return _solve(problem, settings, observers, formulas, build, keeper)


def _solve(
    problem: Problem,
    settings: Settings,
    observers: Sequence[Observer],
    formulas: bool,
    build: Build | None,
    keeper: Keeper | None,
) -> Outcome:
    from gdcli.analysis.verdict import judge
    from gdcli.objective.build import build_objective, tier_of, with_gradient
    from gdcli.solvers.bounds import Bounded
    from gdcli.solvers.registry import choose
    from gdcli.solvers.run import run
    from gdcli.solvers.types import StopReason
    from gdcli.solvers.units import start_sizes

    sign = sign_of(problem.sense)
    _check_memory(problem)
    tree = parsed(problem.expression, problem.source)
    engine, use_cache = settings.engine, not settings.no_cache
    if build is not None and engine == "auto":
        exact = build(tree, problem.lengths, problem.constants, sign)
    else:
        exact = build_objective(tree, problem.lengths, problem.constants, sign, engine, use_cache)
    x0 = exact.vector(exact.space.flatten(problem.start))
    notes: list[str] = []
    box = bounds_of(problem, exact) if problem.bounds else None
    if box is not None:
        x0, notes = moved_inside(box, x0, exact.space)
    objective: Objective = with_gradient(
        exact, settings.gradient, settings.h, problem.constants, sign, lambda: start_sizes(x0, box)
    )
    evidence: Objective = exact
    if box is not None:
        objective, evidence = Bounded(objective, box), Bounded(exact, box)
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
    rules = stop_rules(settings, choice, sign, x0)
    tier = tier_of(exact, engine, use_cache, whole=objective is exact)
    result = run(
        objective,
        choice.method,
        x0,
        rules,
        observers,
        tier=tier,
        keeper=keeper,
        polishes=ends_polished(settings, choice.entry),
    )
    # 0 switches the stop rule off; what may be called converged is still held to the default.
    tol = settings.tol or choice.entry.default_tol
    result, certificate = certified(evidence, result, tol, settings.gradient == "autodiff")
    leads = trend_in_time(objective, choice, result, certificate)
    result = replace(result, counts=exact.counts.copy())  # the evidence is part of the work
    constant = exact.is_constant()
    active = budget.if_in_time(lambda: active_bounds(evidence, result, exact.space), ())
    if len(active) == exact.size:  # no variable is free: there is no curvature to speak of
        certificate = replace(certificate, eigenvalue_min=None, eigenvalue_max=None, condition=None)
    verdict = judge(
        result,
        certificate,
        strict=choice.entry.strict,
        tol=tol,
        sign=sign,
        constant=constant,
        step_sizes="lr" in choice.entry.reads,
        fixed=choice.fixed,
        trend=leads,
    )
    if result.reason is StopReason.GAIN and not certificate.rounded:
        result = replace(result, reason=StopReason.LITTLE)
    failed = verdict.status.exit_code != 0
    edge = budget.if_in_time(lambda: _edge(problem, tree, exact, result), []) if failed else []
    shown = _formulas_in_time(tree, problem, notes) if formulas else None
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
        engine=exact.engine if tier is None else tier.engine,
        warnings=(*notes, *_warnings(exact, result, constant), *edge, *certificate.notes),
        active=active,
        formulas=shown,
    )


def _formulas_in_time(tree: Tree, problem: Problem, notes: list[str]) -> Mapping[str, str] | None:
    """Return the formulas of the gradient, or note that there was no time for them."""
    found = budget.if_in_time(lambda: _formulas(tree, problem.lengths, problem.constants), None)
    if found is None:
        notes.append("there was no time for the formulas of the gradient")
    return found


def _check_memory(problem: Problem) -> None:
    """Raise LimitError where the vectors that every method keeps cannot fit."""
    size = sum(length or 1 for length in problem.lengths.values())
    budget.keep_free(8.0 * size * STEP)
    budget.require(8.0 * size * VECTORS, f"a run with {size} numbers")


def _check_start(problem: Problem, tree: Tree, exact: Exact, x0: Any, place: str = "start") -> None:
    """Raise DomainError, naming the sub-expression at fault, when the start (or point) has no finite value."""
    value = exact.evaluate(x0).value
    exact.counts.value -= 1  # a look before the run, which counts its own evaluations
    if abs(value) < float("inf"):
        return
    from gdcli.language.walk import find_culprit

    point = exact.space.unflatten(x0)
    culprit = find_culprit(tree, {**point, **problem.constants}, problem.constants)
    where = "the objective"
    if culprit is not None:
        parts = ", ".join(f"{text} = {number:.6g}" for text, number in culprit.parts)
        element = "" if culprit.index is None else f" at element {culprit.index}"
        where = (
            f"{tree.piece(culprit.node)}{element}: {parts}"
            if parts
            else f"{tree.piece(culprit.node)}{element}"
        )
    what = "has no finite value"
    if culprit and culprit.value == float("inf"):
        what = "is too large to be a number"
    elif value == -float("inf"):
        what = "is -inf, unbounded,"
    raise DomainError(
        f"the expression {what} at the {place} ({where})",
        "start inside the domain, for example with another --start"
        if place == "start"
        else "give a point inside the domain with --at",
        tree.span(culprit.node) if culprit else None,
    )


def _edge(problem: Problem, tree: Tree, exact: Exact, result: RunResult) -> list[str]:
    """The sub-expression whose domain ends downhill of the answer, where the run ended at such an edge."""
    from gdcli.language.walk import find_culprit
    from gdcli.solvers.types import StopReason
    from gdcli.solvers.vectors import along, norm

    at = result.best.at
    if result.reason not in (StopReason.EDGE, StopReason.NO_DESCENT, StopReason.FLOOR) or at.gradient is None:
        return []
    slope = norm(at.gradient)
    if exact.size > EDGE_SIZE or not 0.0 < slope < math.inf:
        return []
    for k in range(-16, 1):
        beyond = along(at.x, -(10.0**k) * max(1.0, norm(at.x)) / slope, at.gradient)
        if abs(exact.evaluate(beyond).value) < math.inf:
            continue
        point = {**exact.space.unflatten(beyond), **problem.constants}
        culprit = find_culprit(tree, point, problem.constants)
        if culprit is not None:
            parts = ", ".join(f"{text} = {number:.6g}" for text, number in culprit.parts)
            return [f"the edge of the domain is that of {tree.piece(culprit.node)}: beyond it {parts}"]
    return []


def _warnings(exact: Exact, result: RunResult, constant: bool) -> list[str]:
    """What a user should know beside the answer."""
    found = []
    unused = exact.unused
    if constant:
        found.append(f"the expression does not depend on {listed(exact.space.names)}")
    elif unused:
        found.append(f"the value does not depend on {listed(unused)}")
    if result.best.at.note:
        found.append(f"at the answer {result.best.at.note}")
    return found


def _formulas(tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> dict[str, str]:
    from gdcli.calculus.formula_gradient import gradient
    from gdcli.calculus.formula_text import text

    return {name: text(slope) for name, slope in gradient(tree, lengths, constants).items()}


def minimize(expression: str, start: Mapping[str, Number] | None = None, **options: Any) -> Outcome:
    """Minimise ``expression`` from ``start``.

    ``options`` are the fields of :class:`Settings`, ``constants``, ``bounds`` and ``seed``.

    Raises UsageError for an unknown option, and as :func:`read_problem` and :func:`solve` do.
    """
    return _extremum(expression, "minimize", start, options)


def maximize(expression: str, start: Mapping[str, Number] | None = None, **options: Any) -> Outcome:
    """Maximise ``expression``; as :func:`minimize`."""
    return _extremum(expression, "maximize", start, options)


def gradient(
    expression: str,
    at: Mapping[str, Number],
    constants: Mapping[str, Number] | None = None,
    **wanted: Any,
) -> Examination:
    """Compute the gradient of ``expression`` at a point in every way, and audit it.

    ``wanted`` are the fields of `gdcli.examination.Wanted`: h, hessian, errors, latex, trace. Raises UsageError as
    :func:`read_problem` does, and DomainError where the point has no finite value.
    """
    from gdcli.examination import Wanted

    return examine(make_problem(expression, "minimize", at, constants), Wanted(**wanted))


def examine(problem: Problem, wanted: Wanted) -> Examination:
    """Examine the gradient at the start of ``problem``, which :func:`gradient` makes from values at hand."""
    from gdcli import examination
    from gdcli.objective.audited import expanded

    tree = parsed(problem.expression, problem.source)
    objective = expanded(tree, problem.lengths, problem.constants)
    x = objective.vector(objective.space.flatten(problem.start))
    _check_start(problem, tree, objective, x, "point")
    return examination.examine(problem, objective, wanted)


def shared_objectives() -> Build:
    """Return what makes objectives for :func:`solve` and compiles an expression that many problems share once."""
    from gdcli.objective.shared import SharedObjectives

    return SharedObjectives()


def sampler(problem: Problem) -> Sampler:
    """Return what evaluates the typed expression at many places, as a picture of it needs."""
    from gdcli.objective.build import build_objective
    from gdcli.objective.sampling import Sampler

    tree = parsed(problem.expression, problem.source)
    return Sampler(build_objective(tree, problem.lengths, problem.constants, 1), problem.start)


def _extremum(
    expression: str, sense: str, start: Mapping[str, Number] | None, options: dict[str, Any]
) -> Outcome:
    constants = dict(options.pop("constants", {}))
    seed = options.pop("seed", 0)
    bounds = options.pop("bounds", ())
    known = [f.name for f in fields(Settings)]
    for name in options:
        if name not in known:
            raise UsageError(
                f"unknown option {name}", did_you_mean(name, [*known, "constants", "seed", "bounds"])
            )
    return solve(make_problem(expression, sense, start, constants, seed, bounds=bounds), Settings(**options))


def fit(
    model: str,
    data: Mapping[str, Any] | str | Sequence[str],
    start: Mapping[str, Number] | str | None = None,
    **options: Any,
) -> FitOutcome:
    """Fit ``model`` to ``data``: columns by name (arrays of one length), or one or several files.

    ``start`` has a value for every parameter, or is ``"auto"``; a linear model needs none. ``options`` are the fields
    of `gdcli.fitting.request.FitRequest` (loss, weights, sigma, missing, ...; ``constants``, ``bounds`` and ``columns``
    as mappings or as texts) and of `FitSettings` (method, lr, batch_size, epochs, ...).

    Raises UsageError for the model and the options, DataError for the data, DomainError where the start has no finite
    loss.
    """
    from gdcli.fitting.prepare import prepared
    from gdcli.fitting.request import request_from
    from gdcli.fitting.solve import solve as solve_fit

    request, settings = request_from(model, data, start, options)
    with budget.limited(settings), prepared(request, validate=settings.validate) as ready:
        return solve_fit(ready, settings)


def fit_groups(
    model: str,
    data: Mapping[str, Any] | str | Sequence[str],
    by: str | Sequence[str],
    start: Mapping[str, Number] | str | None = None,
    **options: Any,
) -> Iterator[GroupFit]:
    """Fit ``model`` to each group of rows of ``data`` that have the same labels in the columns ``by``, as `fit` would.

    Yields the fits in the order in which the groups appear. Raises what is wrong with all of them; what is wrong with
    one is its ``fault``.
    """
    from gdcli.fitting.grouping import grouped
    from gdcli.fitting.groups import fit_groups as fits_of
    from gdcli.fitting.request import request_from

    request, settings = request_from(model, data, start, {**options, "by": by})
    with grouped(request, validate=settings.validate) as found:
        for some in fits_of(found, settings):
            yield from some


@dataclass(frozen=True, slots=True)
class MethodRun:
    """How one method fared: its outcome, or the error in its way; ``values`` has the value at each iterate."""

    method: str
    outcome: Outcome | None
    fault: GdError | None
    values: tuple[float, ...]


def compare_learning_rates(
    problem: Problem,
    rates: Sequence[float] = (),
    steps: int = 100,
    engine: str = "auto",
    no_cache: bool = False,
    max_time: float | None = None,
    max_memory: int | None = None,
) -> RateComparison:
    """Run plain gradient descent once per learning rate, and give each a verdict with its reason.

    Without ``rates`` some around the stable limit are chosen. See :mod:`gdcli.analysis.learning_rates` for the rules,
    :class:`Settings` for the engine and the caps, which are on all the rates together.
    Raises UsageError for a rate that is not a positive number, DomainError when the start has no finite value.
    """
    from gdcli.comparisons import learning_rates
    from gdcli.objective.build import build_objective, tier_of

    tree = parsed(problem.expression, problem.source)
    sign = sign_of(problem.sense)
    with budget.limited(Settings(max_time=max_time, max_memory=max_memory)):
        _check_memory(problem)
        exact = build_objective(tree, problem.lengths, problem.constants, sign, engine, not no_cache)
        x0 = exact.vector(exact.space.flatten(problem.start))
        _check_start(problem, tree, exact, x0)
        tier = tier_of(exact, engine, not no_cache)
        return learning_rates(problem, tree, exact, x0, rates, steps, tier)


def compare_methods(
    problem: Problem, methods: Sequence[str] = (), settings: Settings | None = None
) -> tuple[MethodRun, ...]:
    """Solve ``problem`` by each of ``methods`` (none: those that suit its size), and return how each fared.

    Of ``settings`` the method is left out; a learning rate goes to the methods that read one. What goes wrong in one
    method is part of the answer; an interrupt ends the comparison after the run that it met. Raises UsageError for an
    unknown method, before anything runs, and DomainError when the start has no finite value.
    """
    from gdcli.comparisons import suited_to
    from gdcli.solvers.registry import find
    from gdcli.solvers.types import Status

    settings = settings or Settings()
    chosen = [find(name) for name in dict.fromkeys(methods or suited_to(problem))]
    if settings.lr is not None and not any("lr" in entry.reads for entry in chosen):
        raise UsageError("none of these methods reads --lr", "leave it out, or add gd to --method")
    runs: list[MethodRun] = []
    for entry in chosen:
        lr = settings.lr if "lr" in entry.reads else None
        runs.append(_run_of(problem, replace(settings, method=entry.name, lr=lr)))
        outcome = runs[-1].outcome
        if outcome is not None and outcome.status in (Status.INTERRUPTED, Status.TERMINATED):
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
        return MethodRun(settings.method, None, internal(fault), tuple(values))
    return MethodRun(settings.method, outcome, None, tuple(values))
