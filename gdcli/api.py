"""The public Python functions: typed mathematics in, the optimum and its evidence out. No printing, no exit.

>>> from gdcli import api
>>> outcome = api.minimize("(x-3)**2 + (y-2)**2", start={"x": 0, "y": 0})
>>> outcome.point
{'x': 3.0, 'y': 2.0}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import fields, replace
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.solve.settings import Settings
from gdcli.tasks.minimize import check_memory, check_start, sampler, shared_objectives, slack_sampler, solve
from gdcli.tasks.pipeline import Minimum, Outcome
from gdcli.tasks.problem import Number, Problem, TypedTexts, read_problem

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Array
    from gdcli.objective.function_objective import ArrayFunction, ValueFunction
    from gdcli.solve.iteration import Observer
    from gdcli.tasks.compare import MethodRun, RateComparison
    from gdcli.tasks.fit.compare_models import ModelComparison
    from gdcli.tasks.fit.fit_groups import GroupFit
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare_groups import Grouped
    from gdcli.tasks.fit.request import FitRequest, FitSettings
    from gdcli.tasks.gradient_check import Examination, Wanted
    from gdcli.tasks.python_problem import Bounds, Formula, Start, Table
    from gdcli.tasks.root_finding import Roots

__all__ = [
    "Minimum",
    "Number",
    "Outcome",
    "Problem",
    "Settings",
    "TypedTexts",
    "compare_learning_rates",
    "compare_methods",
    "compare_models",
    "fit",
    "fit_globally",
    "fit_groups",
    "make_problem",
    "maximize",
    "minimize",
    "predict",
    "read_problem",
    "roots",
    "sampler",
    "shared_objectives",
    "slack_sampler",
    "solve",
    "solve_fit",
    "solve_globally",
]


def make_problem(
    expression: str | Formula | ValueFunction,
    sense: str = "minimize",
    start: Start | None = None,
    constants: Mapping[Any, Number] | None = None,
    seed: int = 0,
    source: str = "",
    bounds: Bounds | None = (),
    **more: Any,
) -> Problem:
    """Return a problem from values at hand, checked as a typed one; without ``start`` a random one is drawn.

    ``expression`` is text, a sympy expression, or a function of one array, for which a start is needed and which may
    come with its ``gradient`` and ``hessian``; an expression with ``subject_to`` and ``let``, texts as on the command
    line. Names may be sympy's symbols. ``bounds`` are (lower, upper) by name or
    element (``"v[0]"``), None for no bound; or texts as after --bounds; or, for a function with a start without names,
    one pair for each element. Raises UsageError and DomainError as :func:`read_problem`.
    """
    from gdcli.tasks import python_problem
    from gdcli.tasks.python_problem import function_problem, named, text_of

    for name in more.keys() - {"gradient", "hessian", *TEXTS}:
        raise UsageError(f"unknown option {name}", did_you_mean(name, ["gradient", "hessian", *TEXTS]))
    texts = {name: _texts(more.pop(name, None) or ()) for name in TEXTS}
    limits = () if bounds is None else named(bounds)
    if callable(expression) and not hasattr(expression, "free_symbols"):
        if constants or texts["let"]:
            raise UsageError("a function has no constants to be given", "give them to the function itself")
        plain = function_problem(expression, sense, start, seed=seed, bounds=limits, **more)
        return python_problem.constrained(plain, texts["subject_to"])
    if any(derivative is not None for derivative in more.values()):
        raise UsageError(
            "only a function comes with derivatives", "those of an expression are exact: leave them out"
        )
    text = text_of(expression)
    if start is not None and not isinstance(start, Mapping):
        raise UsageError("a start gives each variable a value by name", 'for example start={"x": 1}')
    typed = TypedTexts(python_problem.typed_bounds(limits), texts["subject_to"], texts["let"])
    return python_problem.make_problem(text, sense, named(start), named(constants), seed, source, typed)


# What is given as texts, one or several.
TEXTS = ("subject_to", "let")
# What belongs to the problem, beside its expression and its start.
ASKED = ("constants", "seed", "bounds", *TEXTS)


def _texts(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def minimize(
    expression: str | Formula | ValueFunction,
    start: Start | None = None,
    *,
    gradient: str | ArrayFunction = "autodiff",
    hessian: ArrayFunction | None = None,
    **options: Any,
) -> Outcome:
    """Minimise ``expression`` from ``start``: text, a sympy expression, or a function of one array of numbers.

    ``start`` has values by name (or symbol), for a function also as a list or an array. ``options`` are the fields of
    :class:`Settings`, ``constants``, ``bounds``, ``subject_to`` and ``let`` (texts), ``seed``, ``multi_start`` (from so
    many starts, the others drawn), ``cluster`` (the address of one that runs them), and ``observers`` of every iterate.

    A function ``f(x)`` gets all variables as an array of shape (n,), never outside of the bounds, and returns a number;
    nan is outside of its domain, and what it raises goes through. It may come with its ``gradient``, which returns an
    array of shape (n,), and with its ``hessian``, shape (n, n); what did not come is estimated by difference quotients,
    and what came is compared with them at the start and at the end.

    Raises UsageError for an unknown option, and as :func:`make_problem` and :func:`solve` do.
    """
    return _extremum(expression, "minimize", start, gradient, hessian, options)


def maximize(
    expression: str | Formula | ValueFunction,
    start: Start | None = None,
    *,
    gradient: str | ArrayFunction = "autodiff",
    hessian: ArrayFunction | None = None,
    **options: Any,
) -> Outcome:
    """Maximise ``expression``; as :func:`minimize`."""
    return _extremum(expression, "maximize", start, gradient, hessian, options)


def gradient(
    expression: str | Formula,
    at: Mapping[Any, Number],
    constants: Mapping[Any, Number] | None = None,
    **wanted: Any,
) -> Examination:
    """Compute the gradient of ``expression`` at a point in every way, and audit it.

    ``wanted`` are the fields of `gdcli.tasks.gradient_check.Wanted`: h, hessian, errors, latex, trace. Raises
    UsageError as :func:`read_problem` does, and DomainError where the point has no finite value.
    """
    from gdcli.tasks.gradient_check import Wanted

    return examine(make_problem(expression, "minimize", at, constants), Wanted(**wanted))


def examine(problem: Problem, wanted: Wanted) -> Examination:
    """Examine the gradient at the start of ``problem``, which :func:`gradient` makes from values at hand."""
    from gdcli.objective.complex_objective import expanded
    from gdcli.tasks import gradient_check

    tree = problem.tree
    if tree is None:
        raise UsageError(
            "a gradient is examined by formulas, and a function has none",
            "api.minimize compares the gradient of a function with difference quotients",
        )
    objective = expanded(tree, problem.lengths, problem.constants)
    x = objective.vector(objective.space.flatten(problem.start))
    check_start(problem, tree, objective, x, "point")
    return gradient_check.examine(problem, objective, wanted)


def _extremum(
    expression: str | Formula | ValueFunction,
    sense: str,
    start: Start | None,
    gradient: str | ArrayFunction,
    hessian: ArrayFunction | None,
    options: dict[str, Any],
) -> Outcome:
    from gdcli.tasks.python_problem import checked_options

    known = [*(f.name for f in fields(Settings)), *ASKED, "multi_start", "cluster", "observers"]
    options = checked_options(options, known, ["start"])
    asked = {name: options.pop(name) for name in ASKED if name in options}
    observers, starts = options.pop("observers", ()), options.pop("multi_start", 1)
    cluster = options.pop("cluster", None)
    given = None if isinstance(gradient, str) else gradient
    problem = make_problem(expression, sense, start, gradient=given, hessian=hessian, **asked)
    settings = Settings(gradient=gradient if isinstance(gradient, str) else "autodiff", **options)
    if starts == 1 and cluster is None:
        return solve(problem, settings, observers)
    from gdcli.tasks.multi_start import solve_from_many, solve_from_many_on

    if cluster is not None:
        return solve_from_many_on(cluster, problem, settings, starts, observers)
    return solve_from_many(problem, settings, starts, observers)


def _problem(given: Problem) -> Problem:
    """Return what is given if it is a problem. Raises UsageError for what makes one."""
    if isinstance(given, Problem):
        return given
    raise UsageError(
        f"this takes a problem, and not one of the type {type(given).__name__}",
        'make it first: api.make_problem("x**2 + y**2", start={"x": 1, "y": 1})',
    )


def solve_globally(problem: Problem, settings: Settings | None = None, cluster: str | None = None) -> Outcome:
    """Enclose the global minimum (maximum) of ``problem`` within its bounds, with a proof; `Outcome.globally` has it.

    ``cluster`` is the address of one that examines the boxes. Raises as `gdcli.tasks.global_minimum.solve_globally`.
    """
    from gdcli.tasks.global_minimum import examining
    from gdcli.tasks.global_minimum import solve_globally as solved

    with examining(cluster, _problem(problem), settings or Settings()):
        return solved(problem, settings)


def roots(
    equations: Sequence[str],
    bounds: Mapping[str, tuple[float, float]] | Sequence[str],
    constants: Sequence[str] = (),
    settings: Settings | None = None,
) -> Roots:
    """Find all roots of ``equations``, texts as of `gd solve`, within ``bounds``, each enclosed and proved.

    ``bounds`` are (lower, upper) by name, ``all`` for every variable; ``constants`` texts as after --set. Raises
    UsageError.
    """
    from gdcli.tasks.python_problem import typed_bounds
    from gdcli.tasks.root_finding import read_system, solve_system

    return solve_system(read_system(equations, typed_bounds(bounds), constants), settings)


def fit(
    model: str | Formula,
    data: Table,
    start: Mapping[Any, Number] | str | None = None,
    **options: Any,
) -> FitOutcome:
    """Fit ``model`` to ``data``: columns by name (arrays of one length, a data frame), or one or several files.

    ``model`` is text, ``"y ~ a*x + b"``, or an equation of sympy, ``Eq(y, a*x + b)``; names may be its symbols.
    ``start`` has values of parameters, or is ``"auto"``. What it leaves out is searched for; a linear model needs none.
    A typed loss needs one, and so do epochs and a name that is nearly that of a column. ``options`` are the fields of
    `gdcli.tasks.fit.request.FitRequest` (loss, weights, sigma, missing, ...; ``constants``, ``bounds`` and ``columns``
    as mappings or as texts) and of `FitSettings` (method, lr, batch_size, epochs, ...). With ``by`` and ``share`` it is
    one fit to all groups, with parameters that they share and others of their own (``groups``). ``models`` are those
    of further responses, with parameters of the same names (``responses``).

    Raises UsageError for the model and the options, DataError for the data, DomainError where the start has no finite
    loss.
    """
    from gdcli.tasks.fit.request import request_from
    from gdcli.tasks.python_problem import text_of

    request, settings = request_from(text_of(model), data, start, options)
    return solve_fit(request, settings)


def solve_fit(request: FitRequest, settings: FitSettings, observers: Sequence[Observer] = ()) -> FitOutcome:
    """Return the answer to a fit that is asked for; it raises what `fit` does."""
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.solve_fit import solve as solved

    with budget.limited(settings):
        if request.models:
            from gdcli.tasks.fit.responses import prepared_responses, solve_responses

            with prepared_responses(request, settings) as several:
                return solve_responses(several, settings, observers)
        if request.share:
            from gdcli.tasks.fit.prepare_shared import prepared_shared
            from gdcli.tasks.fit.solve_shared import solve_shared

            with prepared_shared(request, settings) as shared:
                return solve_shared(shared, settings, observers)
        with prepared(request, settings) as ready:
            return solved(ready, settings, observers, whole=True)


def predict(
    found: FitOutcome, data: Table, interval: str = "confidence", level: float = 0.95
) -> dict[str, Array]:
    """Return what a fit says of the rows of ``data`` (as of `fit`), arrays of shape (rows,) by name.

    ``fitted``, its ``standard_error``, the band from ``low`` to ``high`` of an ``interval``, ``confidence`` (of the
    mean) or ``prediction`` (of one more row), and whether the row is ``extrapolated``, beyond those that were fitted.
    Of several responses the names begin with the left side, ``y1_fitted``. Raises UsageError for a column that is
    missing and for a band that there is not, DataError for the data.
    """
    from gdcli.tasks.fit.prediction import predictions

    return predictions(found, data, interval, level)


def fit_globally(
    model: str | Formula, data: Table, bounds: Mapping[Any, tuple[float, float]], **options: Any
) -> FitOutcome:
    """Enclose the least sum of squares of a fit of up to four parameters within ``bounds``, which each of them needs,
    with a proof; `FitOutcome.globally` has it.

    ``cluster`` is the address of one that examines the boxes. The rest is as for `fit`. Raises as it, and as
    `gdcli.tasks.fit.global_fit.check`.
    """
    from gdcli.tasks.fit.global_fit import solve_globally as solved
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import request_from
    from gdcli.tasks.python_problem import text_of

    request, settings = request_from(text_of(model), data, "auto", {"bounds": bounds, **options})
    with budget.limited(settings), prepared(replace(request, cluster=None), settings) as ready:
        return solved(ready, settings, cluster=request.cluster)


def fit_groups(
    model: str | Formula,
    data: Table,
    by: str | Sequence[str],
    start: Mapping[Any, Number] | str | None = None,
    **options: Any,
) -> Iterator[GroupFit]:
    """Fit ``model`` to each group of rows of ``data`` that have the same labels in the columns ``by``, as `fit` would.

    Yields the fits in the order in which the groups appear. Raises what is wrong with all of them; what is wrong with
    one is its ``fault``.
    """
    from gdcli.tasks.fit.prepare_groups import grouped
    from gdcli.tasks.fit.request import request_from
    from gdcli.tasks.python_problem import text_of

    request, settings = request_from(text_of(model), data, start, {**options, "by": by})
    with grouped(request, settings) as found:
        for some in fits_of_groups(found, settings, request.cluster):
            yield from some


def fits_of_groups(
    found: Grouped, settings: FitSettings, cluster: str | None = None
) -> Iterator[list[GroupFit]]:
    """Yield the fits of all groups in their order, made here, or by the workers of the ``cluster`` at this address."""
    if cluster is None:
        from gdcli.tasks.fit.fit_groups import fit_groups as fits_here

        return fits_here(found, settings)
    from gdcli.tasks.cluster.spread import fits_on

    return fits_on(cluster, found, settings)


def compare_models(
    models: Sequence[str | Formula],
    data: Table,
    start: Mapping[Any, Number] | None = None,
    folds: int | None = None,
    nested: Sequence[tuple[int, int]] = (),
    **options: Any,
) -> ModelComparison:
    """Fit several ``models`` to the same ``data``, as `fit` takes them, and tell which describes them best.

    ``start`` has values for the models with these names; what is left out is searched for. ``folds`` parts of the rows
    are left out in turn, on the ``cluster`` at an address where one is given. ``nested`` are pairs of numbers from 0:
    the first of the two models is within the second.
    Raises as `fit`, and UsageError for models of different left sides.
    """
    from gdcli.tasks.cluster.worker_chunks import each_on
    from gdcli.tasks.fit.compare_models import compare_models as compared
    from gdcli.tasks.fit.compare_models import prepared_models
    from gdcli.tasks.fit.request import FitSettings, request_from
    from gdcli.tasks.python_problem import text_of

    cluster = options.pop("cluster", None)
    asked = [request_from(text_of(model), data, start, options) for model in models]
    settings = asked[0][1] if asked else FitSettings()
    with (
        budget.limited(settings),
        prepared_models([one for one, _ in asked], settings) as ready,
        each_on(cluster) as each,
    ):
        return compared(ready, settings, folds, nested, each=each)


def compare_methods(
    problem: Problem, methods: Sequence[str] = (), settings: Settings | None = None
) -> tuple[MethodRun, ...]:
    """Solve ``problem`` by each of ``methods`` (none: those that suit its size), and return how each fared.

    Raises what `gdcli.tasks.compare.compare_methods` raises.
    """
    from gdcli.tasks.compare import compare_methods as compared

    return compared(_problem(problem), [method.lower() for method in methods], settings)


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

    Without ``rates`` some around the stable limit are chosen. See :mod:`gdcli.judge.learning_rates` for the rules,
    :class:`Settings` for the engine and the caps, which are on all the rates together.
    Raises UsageError for a rate that is not a positive number, DomainError when the start has no finite value.
    """
    from gdcli.objective.build import tier_of
    from gdcli.tasks.compare import learning_rates

    tree = _problem(problem).tree
    with budget.limited(Settings(max_time=max_time, max_memory=max_memory)):
        check_memory(problem)
        exact = problem.objective(problem.sign, engine, not no_cache)
        x0 = exact.vector(exact.space.flatten(problem.start))
        check_start(problem, tree, exact, x0)
        tier = tier_of(exact, engine, not no_cache)
        return learning_rates(problem, tree, exact, x0, rates, steps, tier)
