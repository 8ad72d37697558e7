"""Several responses fitted at once, each with a model of its own, by parameters that have the same names.

Each row is taken once for each response, with the number of the response as a column more: then there is one model, a
choice of the typed ones, and one sum of squares. How much a response counts is not known beforehand: its weight is one
over its own residual variance, ``n / RSS``, by which the sum is that of maximum likelihood with a variance for each
(Seber and Wild, Nonlinear Regression, 1989, section 11.2, with responses that are not correlated). Weights and
parameters are found in turns, until the variances no longer change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Self

from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Array
from gdcli.language.model_text import parse_model
from gdcli.objective.row_model import RowModel, Rows
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.iteration import Observer
from gdcli.tasks.fit.fit_outcome import FitOutcome, ResponsePart, RowCount
from gdcli.tasks.fit.prepare import ParsedFit, Plan, Prepared, gathered, read_request, ready
from gdcli.tasks.fit.request import WALD, FitRequest, FitSettings
from gdcli.tasks.fit.solve_fit import solve

if TYPE_CHECKING:
    from gdcli.table.source import DataTable

# The variances are settled when none changes by more than this part of it.
_SETTLED, _MOST_TURNS = 1e-10, 200
# Residuals below this part of what was measured are rounding, and tell no variance.
_ROUNDING = 1e-24


@dataclass(frozen=True, slots=True)
class SeveralResponses:
    """A fit that can be solved: ``models`` as typed, with the left side of each; ``weights`` (rows,) come in turns.

    The columns ``made`` here are the ``number`` of the response, and the weights.
    """

    prepared: Prepared
    models: tuple[str, ...]
    sides: tuple[str, ...]
    number: Array
    weights: Array
    made: tuple[str, str]


class _Stacked(NamedTuple):
    """What is read for a fit to rows that are taken once for each response: the columns but those made here."""

    request: FitRequest
    settings: FitSettings
    asked: ParsedFit
    made: tuple[str, str]

    def wanted(self, columns: Sequence[str]) -> tuple[str, ...]:
        return tuple(n for n in self.asked.wanted([*columns, *self.made]) if n not in self.made)

    def derives(self, columns: Collection[str]) -> bool:
        return bool(self.request.rows or self.request.dates)

    def of(self, table: DataTable) -> Self:
        """Tell the table which rows and dates are asked for. Raises UsageError for those, and for categories."""
        if self.asked.model.categories:
            raise UsageError("C(...) is for a model of one response", "leave out --model, or the category")
        if self.derives(table.names):
            from gdcli.tasks.fit.asked_columns import asked_of

            asked_of(table, self.asked.constants, self.request.rows, self.request.dates)
        return self


@contextmanager
def prepared_responses(
    request: FitRequest,
    settings: FitSettings | None = None,
    stdin: BinaryIO | None = None,
    watch: Callable[[DataTable], None] | None = None,
    searching: Callable[[float], None] = lambda part: None,
) -> Iterator[SeveralResponses]:
    """Make a fit of several responses ready; raises as `prepare.prepared`, UsageError for what goes with one alone."""
    import numpy as np

    from gdcli.table.blocks import Columns

    settings = settings or FitSettings()
    models = tuple(dict.fromkeys((request.model, *request.models) if request.model else request.models))
    sides = _checked(request, settings, models)
    made = _free_names(models, request)
    asked = read_request(
        replace(request, model=_chosen(models, made[0]), models=(), weights=made[1], source=""), settings
    )
    stacked = _Stacked(request, settings, asked, made)
    with gathered([stacked], stdin, watch) as rows:
        count, n = len(models), rows.data.rows
        names = stacked.wanted(rows.names)
        arrays = rows.data.take(0, n)
        columns = [np.tile(arrays[rows.data.names.index(name)], count) for name in names]
        number, weights = np.repeat(np.arange(float(count)), n), np.ones(count * n)
        data = Columns((*names, *made), [*columns, number, weights])

        def place(row: int) -> str:
            return rows.place(row % n)

        counted = RowCount(count * n, rows.counted.skipped, rows.counted.lines)
        plan = _plan(asked, data.names)
        _set_weights(weights, number, _spreads(plan.row, data, sides))
        yield SeveralResponses(
            ready(plan, data, counted, place, searching), models, sides, number, weights, made
        )


def _plan(asked: ParsedFit, columns: Sequence[str]) -> Plan:
    """The plan; what is wrong is told without the text and the columns that were made here."""
    try:
        return asked.plan(columns)
    except UsageError as error:
        error.span, error.hint = None, error.hint.partition("; the columns are")[0]
        raise


def _checked(request: FitRequest, settings: FitSettings, models: Sequence[str]) -> tuple[str, ...]:
    if len(models) < 2:
        raise UsageError("--model is for several responses, and here is one", "add --model 'y2 ~ formula'")
    replace(request, models=tuple(models)).check()
    sides = []
    for text in models:
        model = parse_model(text, "--model" if text in request.models else request.source)
        if model.left is None:
            raise UsageError("several responses are models with ~", f"write y ~ {text.strip()[:40]}")
        sides.append(" ".join(_code(text).partition("~")[0].split()))
    double = next((side for k, side in enumerate(sides) if side in sides[:k]), None)
    if double is not None:
        raise UsageError(
            f"{double} has two models",
            "each response has one; gd compare-models compares models of the same one",
        )
    for given, option in (
        (request.sigma, "--sigma"), (request.weights, "--weights"), (request.by, "--by"),
        (request.sigma_x, "--sigma-x"), (request.loss not in (None, "squared"), f"--loss {request.loss}"),
        (request.is_partitioned, "--cluster"), (settings.is_stochastic, "--epochs"),
        (request.contour, "--contour"), (request.derive, "--derive"),
        (request.intervals != WALD, f"--intervals {request.intervals}"),
    ):  # fmt: skip
        if given:
            raise UsageError(
                f"{option} does not go with several models: each response is weighted by its own residuals",
                "leave it out, or fit one response",
            )
    return tuple(sides)


def _code(text: str) -> str:
    return "\n".join(line.partition("#")[0] for line in text.split("\n"))


def _free_names(models: Sequence[str], request: FitRequest) -> tuple[str, str]:
    """Names of the columns made here, that stand in none of the texts."""
    texts = " ".join((*models, *request.let, *request.start, *request.constants))
    tail = "_"
    while f"response{tail}" in texts or f"weight{tail}" in texts:
        tail += "_"
    return f"response{tail}", f"weight{tail}"


def _chosen(models: Sequence[str], number: str) -> str:
    """The model that is the typed ones, chosen among by the number of the response."""
    sides = []
    for part in (0, 2):
        *others, chosen = [f"({_code(text).partition('~')[part].strip()})" for text in models]
        for k in reversed(range(len(others))):
            chosen = f"where({number} == {k}, {others[k]}, {chosen})"
        sides.append(chosen)
    return " ~ ".join(sides)


def _spreads(row: RowModel, data: Rows, sides: Sequence[str]) -> list[float]:
    """The variance of each response, by which it counts at first. Raises DataError for one that is always the same."""
    import numpy as np

    (found,) = RowObjective(replace(row, engine="numpy"), data).all_rows("response", [0.0] * row.space.size)
    variances = [float(np.var(part)) for part in np.split(found, len(sides))]
    for side, variance in zip(sides, variances, strict=True):
        if not variance > 0.0:
            raise DataError(f"{side} is the same in all rows", "it tells no residual variance: leave it out")
    return variances


def _set_weights(weights: Array, number: Array, variances: Sequence[float]) -> None:
    import numpy as np

    weights[:] = 1.0 / np.array(variances)[number.astype(int)]


def solve_responses(
    fit: SeveralResponses, settings: FitSettings | None = None, observers: Sequence[Observer] = ()
) -> FitOutcome:
    """Solve a fit of several responses, weights and parameters in turns; ``observers`` see the first turn.

    Raises UsageError for a contradictory or unknown setting.
    """
    prepared, count = fit.prepared, len(fit.models)
    outcome = solve(prepared, settings, observers)
    before, turns = [0.0] * count, 1
    while turns < _MOST_TURNS:
        if outcome.status not in (Status.CONVERGED, Status.WRONG_KIND):
            break
        parts = _parts(fit, outcome)
        variances = [max(p.value / p.rows, _ROUNDING * p.measured) for p in parts]
        if all(abs(a - b) <= _SETTLED * b for a, b in zip(variances, before, strict=True)):
            break
        before = variances
        _set_weights(fit.weights, fit.number, variances)
        again = replace(prepared, problem=replace(prepared.problem, start=outcome.point))
        outcome, turns = solve(again, settings), turns + 1
    return _told(fit, outcome, turns)


def _parts(fit: SeveralResponses, outcome: FitOutcome) -> list[ResponsePart]:

    objective = RowObjective(replace(fit.prepared.row, engine="numpy"), fit.prepared.data)
    fitted, measured, *_ = objective.all_rows("fitted", outcome.run.best.at.x)
    found = []
    for k, (model, side) in enumerate(zip(fit.models, fit.sides, strict=True)):
        y, f = measured[fit.number == k], fitted[fit.number == k]
        rss, about = float(((y - f) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
        sd = math.sqrt(rss / len(y))
        squares = 1.0 - rss / about if about > 0.0 else None
        found.append(ResponsePart(side, model, len(y), rss, sd, squares, float((y * y).mean())))
    return found


def _told(fit: SeveralResponses, outcome: FitOutcome, turns: int) -> FitOutcome:
    """Return the outcome in terms of the typed models; each variance counts as a parameter of the likelihood."""
    found, problem = outcome.statistics, outcome.problem
    if found is not None:
        found = replace(found, tss=None, tss_about_zero=None, estimated=found.estimated + len(fit.models) - 1)
    start = fit.prepared.problem.start
    return replace(
        outcome,
        problem=replace(problem, expression=fit.models[0], models=fit.models, weights=None, start=start),
        message=f"{outcome.message.rstrip('.')}, the last of {turns} turns of parameters and weights.",
        statistics=found,
        responses=tuple(_parts(fit, outcome)),
    )
