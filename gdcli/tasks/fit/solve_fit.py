"""A fit solved: the method chosen and run, the answer certified, its errors estimated.

Solvers see the mean loss divided by its size at the start, so that a tolerance means the same whatever the units of the
data; where a learning rate is given they see the mean loss itself, so that the rate keeps its meaning. What is shown is
always the sum over rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import UsageError
from gdcli.objective.protocol import Objective
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.iteration import Observer
from gdcli.tasks.fit.conclusion import conclude
from gdcli.tasks.fit.fit_outcome import FitOutcome
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.pipeline import Ready, box_and_start, choose_by, within

if TYPE_CHECKING:
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.epochs import ProgressHook
    from gdcli.solve.registry import Chosen

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
) -> FitOutcome:
    """Solve a fit, by epochs or in one of the ways that look at all rows at a time.

    ``observers`` see every iterate, or the point after every epoch, with sums over rows as values.

    ``progress`` is told from time to time how far an epoch has come. A ``checkpointer`` may end the run, and lets it go
    on later. Raises UsageError for a contradictory or unknown setting.
    """
    settings = settings or FitSettings()
    prepared = with_engine(prepared, settings)
    if settings.is_stochastic:
        _refuse_epochs(prepared)
        from gdcli.tasks.fit.fit_epochs import solve_stochastic

        return solve_stochastic(prepared, settings, observers, progress, checkpointer, polisher=solve)
    problem, scale = prepared.problem, 1.0 if settings.lr is not None else _scale_at_start(prepared)
    objective = RowObjective(prepared.row, prepared.data, scale)
    box, x0, notes = box_and_start(problem, objective)
    rows = problem.rows()[0] if problem.subject_to else []
    if rows:
        from gdcli.tasks.constrained_problem import inner_start, within_constraints

        if problem.loss == "absolute":
            raise UsageError(
                "--loss absolute does not go with --subject-to: at its kinks no answer can be certified",
                "--loss huber --huber-delta 0.01 is nearly the same; limits of one parameter do go with it",
            )
        constrained = within_constraints(problem, rows, box, objective, prepared.row.space)
        x0 = inner_start(problem, rows, constrained, x0, notes)
        seen: Objective = constrained
        choice = choose_by(settings, constrained)
    else:
        seen = within(box, objective)
        objective.between_poles(x0)
        choice = choose_method(prepared, settings, seen)
    ready = Ready(problem, settings, prepared.row.space, seen, x0, choice, notes, objective.factor)
    result = ready.run([_in_sums(o, 1.0 / objective.factor) for o in observers], checkpointer)
    return conclude(prepared, ready, box, objective, result)


def _refuse_epochs(prepared: Prepared) -> None:
    """Raise UsageError for what no run by epochs can have."""
    for given, what, option in (
        (prepared.row.errors is not None, "errors in columns", "--sigma-x"),
        (prepared.problem.subject_to, "constraints", "--subject-to"),
    ):
        if given:
            raise UsageError(
                f"{what} are for fits that look at all rows at a time",
                f"leave out --batch-size, --epochs and what goes with them, or {option}",
            )


def _in_sums(observer: Observer, k: float) -> Observer:
    return lambda iterate: observer(iterate.times(k))


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
    sized = prepared.problem.loss and 0.0 < value < math.inf
    return 1.0 / value if sized and math.isfinite(1.0 / value) else 1.0


def choose_method(prepared: Prepared, settings: FitSettings, objective: Objective) -> Chosen:
    """Return the method; ``auto`` is the best known one for the loss where that is a special sum."""
    squares = prepared.row.residual is not None
    if settings.method == "lm" and not squares:
        raise UsageError("the method lm is for sums of squares", "use --method auto")
    if settings.method != "auto" or settings.lr is not None or settings.step_rule is not None:
        return choose_by(settings, objective)
    tol = LAST_DIGITS if settings.tol is None else None
    if squares:
        return choose_by(settings, objective, "lm", tol)._replace(name=BY_SQUARES[0], why=BY_SQUARES[1])
    choice = choose_by(settings, objective, tol=tol)
    if prepared.problem.bounds or prepared.row.deviation is None:
        return choice
    from gdcli.tasks.fit.l1_vertex import polyhedron_of

    polyhedron = polyhedron_of(prepared)
    if polyhedron is None:
        return choice
    from gdcli.solve.methods.least_absolute import EdgeDescent

    return choice._replace(method=EdgeDescent(polyhedron), name=BY_EDGES[0], why=BY_EDGES[1])
