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
from gdcli.kernel.dataclass import fields
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.tasks.compare_methods import compare_methods
from gdcli.tasks.minimize import check_memory, check_start, sampler, shared_objectives, solve
from gdcli.tasks.outcome import Minimum, Outcome, Settings
from gdcli.tasks.problem import Number, Problem, make_problem, parsed, read_problem, sign_of

if TYPE_CHECKING:
    from gdcli.tasks.compare import RateComparison
    from gdcli.tasks.fit.fit_groups import GroupFit
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.gradient_check import Examination, Wanted

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
    "sampler",
    "shared_objectives",
    "solve",
]


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

    ``wanted`` are the fields of `gdcli.tasks.gradient_check.Wanted`: h, hessian, errors, latex, trace. Raises
    UsageError as :func:`read_problem` does, and DomainError where the point has no finite value.
    """
    from gdcli.tasks.gradient_check import Wanted

    return examine(make_problem(expression, "minimize", at, constants), Wanted(**wanted))


def examine(problem: Problem, wanted: Wanted) -> Examination:
    """Examine the gradient at the start of ``problem``, which :func:`gradient` makes from values at hand."""
    from gdcli.objective.gradient_programs import expanded
    from gdcli.tasks import gradient_check

    tree = parsed(problem.expression, problem.source)
    objective = expanded(tree, problem.lengths, problem.constants)
    x = objective.vector(objective.space.flatten(problem.start))
    check_start(problem, tree, objective, x, "point")
    return gradient_check.examine(problem, objective, wanted)


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
    of `gdcli.tasks.fit.request.FitRequest` (loss, weights, sigma, missing, ...; ``constants``, ``bounds`` and
    ``columns`` as mappings or as texts) and of `FitSettings` (method, lr, batch_size, epochs, ...).

    Raises UsageError for the model and the options, DataError for the data, DomainError where the start has no finite
    loss.
    """
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import request_from
    from gdcli.tasks.fit.solve_fit import solve as solve_fit

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
    from gdcli.tasks.fit.fit_groups import fit_groups as fits_of
    from gdcli.tasks.fit.prepare_groups import grouped
    from gdcli.tasks.fit.request import request_from

    request, settings = request_from(model, data, start, {**options, "by": by})
    with grouped(request, validate=settings.validate) as found:
        for some in fits_of(found, settings):
            yield from some


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
    from gdcli.objective.build import build_objective, tier_of
    from gdcli.tasks.compare import learning_rates

    tree = parsed(problem.expression, problem.source)
    sign = sign_of(problem.sense)
    with budget.limited(Settings(max_time=max_time, max_memory=max_memory)):
        check_memory(problem)
        exact = build_objective(tree, problem.lengths, problem.constants, sign, engine, not no_cache)
        x0 = exact.vector(exact.space.flatten(problem.start))
        check_start(problem, tree, exact, x0)
        tier = tier_of(exact, engine, not no_cache)
        return learning_rates(problem, tree, exact, x0, rates, steps, tier)
