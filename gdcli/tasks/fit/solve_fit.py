"""A fit solved: the method chosen and run, the answer certified, its errors estimated, its intervals looked at.

Solvers see the mean loss divided by its size at the start, so that a tolerance means the same whatever the units of the
data; where a learning rate is given they see the mean loss itself, so that the rate keeps its meaning. What is shown is
always the sum over rows.

Of a fit with Wald's intervals derivatives tell how lopsided they are; where that is much, and a look at the rows costs
little, the interval by the profile is told beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gdcli.kernel.budget import Spent, if_in_time, lack
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import Terminated, UsageError
from gdcli.kernel.status import Status
from gdcli.objective.protocol import Box, Objective
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.checkpointing import Checkpointer
from gdcli.solve.iteration import Observer, RunResult
from gdcli.solve.registry import Chosen
from gdcli.tasks.fit.conclusion import conclude, scale_of
from gdcli.tasks.fit.data_checks import ranges_of, read_by_formula
from gdcli.tasks.fit.fit_outcome import FitOutcome
from gdcli.tasks.fit.prepare import Prepared, learned
from gdcli.tasks.fit.request import BOOTSTRAP, PROFILE, WALD, FitSettings
from gdcli.tasks.pipeline import Ready, box_and_start, choose_by, in_sums, within

if TYPE_CHECKING:
    from gdcli.judge.statistics import FitStatistics
    from gdcli.solve.epochs import ProgressHook

# Parameters of a fit are numbers to be written down: Newton's method is given the one step more that doubles their
# digits.
LAST_DIGITS = 1e-14
# What ``auto`` takes for a sum of squares, in words, and why.
BY_SQUARES = "Levenberg-Marquardt", "the loss is a sum of squares"
# The same for a sum of absolute deviations of a linear model.
BY_EDGES = "simplex along edges", "the loss is a sum of absolute values of linear functions"


def solve(
    prepared: Prepared,
    settings: FitSettings | None = None,
    observers: Sequence[Observer] = (),
    progress: ProgressHook | None = None,
    checkpointer: Checkpointer | None = None,
    whole: bool = False,
) -> FitOutcome:
    """Solve a fit, by epochs or in one of the ways that look at all rows at a time.

    ``observers`` see every iterate, or the point after every epoch, with sums over rows as values.

    ``progress`` is told from time to time how far an epoch has come. A ``checkpointer`` may end the run, and lets it go
    on later. The ``whole`` answer has the intervals and the derived quantities that were asked for, and what is to be
    said of residuals. Raises UsageError for a contradictory or unknown setting, and for intervals that such a fit does
    not have.
    """
    settings = settings or FitSettings()
    prepared = with_engine(prepared, settings)
    if whole:
        _check(prepared, settings)
    if settings.is_stochastic:
        _refuse_epochs(prepared)
        from gdcli.tasks.fit.fit_epochs import solve_stochastic

        outcome = solve_stochastic(prepared, settings, observers, progress, checkpointer, polisher=solve)
    else:
        prepared = _with_numbers(prepared, settings)
        outcome = _solved(prepared, settings, observers, checkpointer)
    return _completed(prepared, settings, outcome) if whole else outcome


def _solved(
    prepared: Prepared,
    settings: FitSettings,
    observers: Sequence[Observer],
    checkpointer: Checkpointer | None,
) -> FitOutcome:
    """Return the outcome of a run that looks at all rows at a time."""
    return conclude(prepared, *_taken(prepared, settings, observers, checkpointer))


def _taken(
    prepared: Prepared,
    settings: FitSettings,
    observers: Sequence[Observer] = (),
    checkpointer: Checkpointer | None = None,
) -> tuple[Ready, Box | None, RowObjective, RunResult]:
    problem, scale = prepared.problem, 1.0 if settings.lr is not None else _scale_at_start(prepared)
    objective = RowObjective(prepared.row, prepared.data, scale)
    box, x0, notes = box_and_start(problem, objective)
    rows = problem.rows()[0] if problem.subject_to else []
    if rows:
        from gdcli.tasks.constrained_problem import inner_start, within_constraints

        if problem.loss in ("absolute", "quantile"):
            raise UsageError(
                f"--loss {problem.loss} does not go with --subject-to: at its kinks no answer can be certified",
                "--loss huber --huber-delta 0.01 is nearly the same; limits of one parameter do go with it",
            )
        constrained = within_constraints(problem, rows, box, objective, prepared.row.space)
        x0 = inner_start(rows, constrained, x0, notes)
        seen: Objective = constrained
        choice = choose_by(settings, constrained)
    else:
        seen = within(box, objective)
        objective.between_poles(x0)
        choice = choose_method(prepared, settings, seen)
    ready = Ready(problem, settings, prepared.row.space, seen, x0, choice, notes, objective.factor)
    result = ready.run([in_sums(o, 1.0 / objective.factor) for o in observers], checkpointer)
    return ready, box, objective, result


def _end_of(prepared: Prepared, settings: FitSettings) -> Mapping[str, Any]:
    """Return where a run ends, of which nothing else is asked: no certificate, no errors."""
    ready, _, _, result = _taken(with_engine(prepared, settings), settings)
    return ready.space.unflatten(result.best.at.x)


def _with_numbers(prepared: Prepared, asked: FitSettings) -> Prepared:
    """Return the fit with the numbers that are to be found from the data: a penalty's strength, one of the loss."""
    settings = FitSettings(engine=asked.engine, no_cache=asked.no_cache)
    if prepared.problem.folds is not None and prepared.problem.l2 is None:
        from gdcli.tasks.fit.hyperparameters import with_strength

        return with_strength(prepared, settings, solve)
    if prepared.problem.estimated and prepared.problem.found is None:
        from gdcli.tasks.fit.hyperparameters import settled

        return settled(prepared, settings, _end_of)
    return prepared


def _refuse_epochs(prepared: Prepared) -> None:
    """Raise UsageError for what no run by epochs can have."""
    for given, what, option in (
        (prepared.row.errors is not None, "errors in columns", "--sigma-x"),
        (prepared.problem.subject_to, "constraints", "--subject-to"),
        (
            prepared.problem.estimated,
            f"a {prepared.problem.estimated} that is to be found",
            "give it a number",
        ),
        (prepared.problem.folds, "strengths of --l2 that are to be found", "give it a number"),
    ):
        if given:
            raise UsageError(
                f"{what} are for fits that look at all rows at a time",
                f"leave out --batch-size, --epochs and what goes with them, or {option}",
            )


def with_engine(prepared: Prepared, settings: FitSettings) -> Prepared:
    """Return the fit with what computes it. Raises UsageError for an engine that cannot be had."""
    settings.check()
    engine = settings.engine
    if engine in ("python", "native") and settings.is_stochastic and settings.batch_size != 0:
        engine = "auto"  # it is for the steps, which have the same bits in both; sums over all rows are none of them
    row = replace(prepared.row, engine=engine, use_cache=not settings.no_cache)
    return replace(prepared, row=row)


def _scale_at_start(prepared: Prepared) -> float:
    """The scale that makes the mean loss at the start 1, where it is a size."""
    plain = RowObjective(prepared.row, prepared.data)
    value = plain.evaluate(plain.vector(plain.space.flatten(prepared.problem.start))).value
    return scale_of(value) if prepared.problem.loss else 1.0


def choose_method(prepared: Prepared, settings: FitSettings, objective: Objective) -> Chosen:
    """Return the method; ``auto`` is the best known one for the loss where that is a special sum."""
    squares = prepared.row.residual is not None
    if settings.method == "lm" and not squares:
        raise UsageError("the method lm is for sums of squares", "use --method auto")
    if squares or not _is_open(settings):
        return choose_for_squares(settings, objective)
    choice = choose_by(settings, objective, tol=_last_digits(settings))
    if prepared.problem.bounds or prepared.row.deviation is None:
        return choice
    from gdcli.tasks.fit.l1_vertex import polyhedron_of

    polyhedron = polyhedron_of(prepared)
    if polyhedron is None:
        return choice
    from gdcli.solve.methods.least_absolute import EdgeDescent

    return choice._replace(method=EdgeDescent(polyhedron), name=BY_EDGES[0], why=BY_EDGES[1])


def choose_for_squares(settings: FitSettings, objective: Objective) -> Chosen:
    """Return the method for a sum of squares: the one that is asked for, Levenberg-Marquardt for ``auto``."""
    if not _is_open(settings):
        return choose_by(settings, objective)
    choice = choose_by(settings, objective, "lm", _last_digits(settings))
    return choice._replace(name=BY_SQUARES[0], why=BY_SQUARES[1])


def _is_open(settings: FitSettings) -> bool:
    return settings.method == "auto" and settings.lr is None and settings.step_rule is None


def _last_digits(settings: FitSettings) -> float | None:
    return LAST_DIGITS if settings.tol is None else None


# -- the whole answer ----------------------------------------------------------------------------------------------


def _completed(prepared: Prepared, settings: FitSettings, outcome: FitOutcome) -> FitOutcome:
    rows: Any = learned(prepared.data, settings.validate, prepared.problem.seed)
    by = replace(prepared, data=rows)
    outcome = replace(outcome, ranges=if_in_time(lambda: ranges_of(prepared.row, prepared.data), {}))
    if by.problem.derive:
        from gdcli.tasks.fit.further_intervals import with_derived

        outcome = with_derived(by, outcome)
    by_kind = f"there is no interval by {by.problem.intervals}, only Wald's"
    further: tuple[tuple[Callable[[Prepared, FitOutcome], FitOutcome], str], ...] = (
        (_with_diagnostics, "there are no diagnostics"),
        (_with_intervals, "" if by.problem.intervals == WALD else by_kind),
        (_with_region, "there is no region"),
        (with_doubts, ""),
    )
    for add, lacking in further:
        if not outcome.status.by_signal:
            outcome = _added(outcome, add, by, lacking)
    return outcome


def _with_diagnostics(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    if not prepared.problem.diagnostics:
        return outcome
    from gdcli.tasks.fit.diagnostics import diagnose

    return replace(outcome, diagnostics=diagnose(prepared, outcome, solve))


def _with_region(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    if not prepared.problem.contour:
        return outcome
    from gdcli.tasks.fit.further_intervals import with_region

    return with_region(prepared, outcome)


def with_doubts(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    """Return the outcome with a warning where its residuals are clearly wrong."""
    if not _are_strange(prepared, outcome):
        return outcome
    from gdcli.tasks.fit.diagnostics import residual_doubts

    found = if_in_time(lambda: residual_doubts(prepared, outcome), ())
    return replace(outcome, warnings=(*outcome.warnings, *found))


# Of so many rows residuals are looked at, where so many degrees of freedom are left; strange at a glance are neighbours
# that are alike, and one that is large beside the median.
_FEW_ROWS, _LEAST_LEFT, _NEAR, _FAR, _ALONE = 4096, 3, 3.0, 5.0, 1e-6


def _are_strange(prepared: Prepared, outcome: FitOutcome) -> bool:
    """Tell at a glance whether residuals are worth a closer look, which decides what is said of them."""
    found, data = outcome.statistics, prepared.data
    is_plain = prepared.row.errors is None and prepared.plain is None and data.parts is None
    is_asked = prepared.problem.loss == "squared" and is_plain and data.rows <= _FEW_ROWS
    left = 0 if found is None or found.errors.factor is None else found.rows - found.errors.rank
    if found is None or left < _LEAST_LEFT or found.exact or not found.rss or not is_asked:
        return False
    objective, names = RowObjective(prepared.row, data), read_by_formula(prepared.row)
    if objective.few is None or data.lists is None:
        return True
    ((*slopes, r),) = objective.vectors("jacobian", outcome.run.best.at.x)
    cells = data.lists[data.names.index(names[0])] if len(names) == 1 else range(len(r))
    ordered = [r[i] for i in sorted(range(len(r)), key=cells.__getitem__)]
    near = min(sum((b - a) ** 2 for a, b in pairwise(one)) for one in (list(r), ordered)) / found.rss
    sizes = sorted(map(abs, ordered))
    if (2.0 - near) * math.sqrt(len(r)) > _NEAR or sizes[-1] > _FAR * sizes[len(r) // 2]:
        return True
    known = prepared.problem.sigma and not prepared.problem.scale_sigma
    return _may_move(list(zip(*slopes, strict=True)), r, found, 1.0 if known else found.rss / left)


def _may_move(
    slopes: Sequence[Sequence[float]], r: Sequence[float], found: FitStatistics, unit: float
) -> bool:
    """Tell whether a row is met whatever it says, or has a distance of Cook's above 1."""
    rank, sides = found.errors.rank, list(zip(*found.errors.factor or (), strict=True))
    by = (found.rss or 0.0) / (found.rows - rank)
    for a, row in zip(r, slopes, strict=True):
        h = sum(sum(u * g for u, g in zip(side, row, strict=True)) ** 2 for side in sides) / unit
        if h > 1.0 - _ALONE or a * a * h > rank * by * (1.0 - h) ** 2:
            return True
    return False


def _check(prepared: Prepared, settings: FitSettings) -> None:
    problem = prepared.problem
    if problem.contour:
        from gdcli.tasks.fit.further_intervals import numbers_of

        numbers_of(prepared)
        _check_minimum(settings, "--contour")
        _check_likelihood(prepared, "--contour")
    if problem.intervals == WALD:
        return
    asked = f"--intervals {problem.intervals}"
    _check_minimum(settings, asked)
    if problem.intervals == BOOTSTRAP:
        from gdcli.tasks.fit.bootstrap import check

        check(prepared)
        return
    _check_likelihood(prepared, asked)


def _check_minimum(settings: FitSettings, asked: str) -> None:
    if settings.is_stochastic and not settings.polish:
        raise UsageError(f"{asked} is for a fit that ends at its minimum", "add --polish, which does")


def _check_likelihood(prepared: Prepared, asked: str) -> None:
    from gdcli.tasks.fit.profile_intervals import has_likelihood, minimized

    if not has_likelihood(prepared):
        what = minimized(prepared.problem)
        raise UsageError(f"{asked} is for likelihoods, and {what} is none", "leave it out")


def _with_intervals(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    """Return the outcome with the intervals that were asked for, and with what is to be said of Wald's."""
    problem = prepared.problem
    by_steps = prepared.row.errors is not None  # of corrected rows there are no third derivatives
    if problem.intervals == WALD:
        from gdcli.tasks.fit.profile_intervals import may_be_lopsided

        looked = not (problem.subject_to or by_steps)
        if not (looked and if_in_time(lambda: may_be_lopsided(prepared, outcome), False)):
            return outcome
    from gdcli.tasks.fit.further_intervals import by_bootstrap, by_profile, lopsided

    if problem.intervals == WALD:
        return if_in_time(lambda: lopsided(prepared, outcome), outcome)
    make = by_profile if problem.intervals == PROFILE else by_bootstrap
    return make(prepared, outcome)


def _added(
    outcome: FitOutcome, add: Callable[[Prepared, FitOutcome], FitOutcome], prepared: Prepared, lacking: str
) -> FitOutcome:
    """Return what ``add`` makes of an outcome that is there; itself, warned of what is ``lacking``, where a cap or a
    signal ends that. A signal is its status then.
    """
    try:
        return add(prepared, outcome)
    except (Spent, MemoryError) as stop:
        warnings, ended = (f"{lacking}: {lack(stop)}",), outcome
    except (KeyboardInterrupt, Terminated) as signal:
        status = Status.of(signal)
        message = (
            f"{status.value.capitalize()} when the fit was done, and not all beside it. {outcome.message}"
        )
        warnings, ended = (f"{lacking}: {status.value}",), replace(outcome, status=status, message=message)
    return replace(ended, warnings=(*ended.warnings, *(warnings if lacking else ())))
