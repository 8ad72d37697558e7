"""The least sum of squares over a box of parameters, enclosed by branch and bound, and told as the outcome of a fit.

What is bounded are the residuals of the model as it was typed, for the data as they are: each number of a cell counts
as the double that it is read as.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.kernel import budget
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import GdError, UsageError
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import np, to_list
from gdcli.objective.row_model import Weighting, residual_in
from gdcli.solve.checkpointing import Checkpointer
from gdcli.tasks.fit.fit_outcome import FitOutcome
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.request import FitProblem, FitSettings
from gdcli.tasks.fit.solve_fit import solve
from gdcli.tasks.global_minimum import (
    DEFAULT_TOL,
    Teller,
    check_bounded,
    examined_by,
    run_search,
    told,
)
from gdcli.tasks.kept_cover import Bounded
from gdcli.tasks.pipeline import flat_bounds

if TYPE_CHECKING:
    from gdcli.solve.global_search.branch_and_bound import Search

# More parameters are more boxes than anybody can wait for; of more rows each box takes too long.
MOST_PARAMETERS, MOST_ROWS = 4, 10_000
# Steps of one local fit.
_LOCAL_STEPS = 100
# Rows times boxes that are examined together.
_AT_ONCE = 1 << 18


def check(prepared: Prepared, settings: FitSettings) -> None:
    """Raise UsageError for a fit whose least sum of squares cannot be enclosed."""
    problem, size = prepared.problem, prepared.row.space.size
    if prepared.row.residual is None:
        what = f"--loss {problem.loss}" if problem.loss else "a typed loss"
        raise UsageError(f"--global encloses sums of squares, not {what}", "leave out --global, or the loss")
    if problem.sigma_x:
        raise UsageError(
            "--global is for columns without errors but the one fitted", "leave out --sigma-x, or --global"
        )
    if settings.is_stochastic:
        hint = "leave out --batch-size, --epochs and what goes with them"
        raise UsageError("--global looks at all rows at a time", hint)
    if problem.subject_to and problem.rows()[0]:
        raise UsageError(
            "gd fit --global takes no constraints but bounds", "leave out --subject-to, or --global"
        )
    if size > MOST_PARAMETERS:
        hint = "--start auto fits from many starts, without a proof; --set gives parameters a value"
        raise UsageError(
            f"gd fit --global is for up to {MOST_PARAMETERS} parameters, and there are {size}", hint
        )
    if prepared.data.rows > MOST_ROWS:
        told = f"gd fit --global is for up to {MOST_ROWS} rows, and there are {prepared.data.rows}"
        raise UsageError(told, "--start auto fits from many starts, without a proof")


def bounded_fit(prepared: Prepared) -> Bounded:
    """Return the sum of squares as what bounds it on boxes of parameters."""
    from gdcli.calculus.exact_graph import ExactGraph
    from gdcli.compile.interval_program import IntervalProgram
    from gdcli.objective.squares_on_boxes import SquaresOnBoxes

    row = prepared.row
    graph = ExactGraph()
    root = residual_in(graph, row, weighting_of(prepared.problem))
    leaves = [*row.parameter_leaves, *row.column_leaves]
    program = IntervalProgram(graph, root, leaves, 2, len(row.columns))
    (_, arrays), *_ = prepared.data.chunks(max(1, prepared.data.rows))
    columns = dict(zip(prepared.data.names, arrays, strict=True))
    function = SquaresOnBoxes(program, [np.asarray(columns[name], dtype=float) for name in row.columns])
    low, high = (np.array(ends, dtype=float) for ends in flat_bounds(prepared.problem.bounds, row.space))
    return Bounded(function, low, high)


def weighting_of(problem: FitProblem) -> Weighting | None:
    if problem.sigma:
        return Weighting(problem.sigma, "sigma")
    return Weighting(problem.weights, "weights") if problem.weights else None


def solve_globally(
    prepared: Prepared,
    settings: FitSettings | None = None,
    tell: Teller | None = None,
    keep: bool = False,
    checkpointer: Checkpointer | None = None,
    cluster: str | None = None,
) -> FitOutcome:
    """Enclose the least sum of squares within the bounds of the parameters; ``tell`` is told how far it has come.

    ``cluster`` is the address of one that examines the boxes, to which the rows are sent.

    ``settings`` have the tolerance (1e-6 of the value, absolute below 1) and the caps; of ``max_evaluations`` each box
    is one. With ``keep`` the evidence has a cover that shows the proof. Raises UsageError where that cannot be done;
    see `check`.
    """
    settings = settings or FitSettings()
    check(prepared, settings)
    check_bounded(prepared.row.space.names, prepared.problem.bounds, "parameter")
    there = examined_by(cluster, _search_of, replace(prepared, place=str), settings)
    with budget.limited(replace(settings, max_evaluations=None)), there:
        within = bounded_fit(prepared)
        search = _search(within, prepared, settings)
        start = np.array(prepared.row.space.flatten(prepared.problem.start), dtype=float)
        reason = run_search(search, np.clip(start, within.low, within.high), settings, tell, checkpointer)
        if search.state.point is None:
            raise budget.no_answer((reason or StopReason.MAX_EVALUATIONS).value)
        found = solve(_from(prepared, search.state.point), FitSettings(), whole=True)
        search.offer(np.clip(np.array(found.run.best.at.x), within.low, within.high)[:, None])
        typed = replace(found, problem=prepared.problem, settings=settings)
        return told(typed, search, reason, within, keep, "least sum of squares")


def _search_of(prepared: Prepared, settings: FitSettings) -> Search:
    """Return the search before it begins; what a worker makes of a fit."""
    return _search(bounded_fit(prepared), prepared, settings)


def _search(within: Bounded, prepared: Prepared, settings: FitSettings) -> Search:
    from gdcli.objective.squares_on_boxes import Contracted
    from gdcli.solve.global_search.branch_and_bound import Search

    function, tol = within.function, DEFAULT_TOL if settings.tol is None else settings.tol

    def local(x: Sequence[float]) -> Sequence[float]:
        try:
            return to_list(solve(_from(prepared, x), FitSettings(max_iter=_LOCAL_STEPS)).run.best.at.x)
        except GdError:
            return x

    search = Search(function, Contracted(function), within.low, within.high, tol, local)
    search.batch = max(8, _AT_ONCE // function.rows)
    return search


def _from(prepared: Prepared, x: Sequence[float]) -> Prepared:
    start = prepared.row.space.unflatten([float(v) for v in x])
    return replace(prepared, problem=replace(prepared.problem, start=start))
