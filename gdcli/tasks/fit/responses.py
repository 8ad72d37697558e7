"""Several responses fitted at once, each with a model of its own, by parameters that have the same names.

Each row is taken once for each response, with the number of the response as a column more: then there is one model, a
choice of the typed ones, and one sum of squares. How much a response counts is not known beforehand: its weight is one
over its own residual variance, ``n / RSS``, by which the sum is that of maximum likelihood with a variance for each
(Seber and Wild, Nonlinear Regression, 1989, section 11.2, with responses that are not correlated). Weights and
parameters are found in turns, until the variances no longer change. Where their standard deviations are known
(``--sigma``) it is one fit with these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Self

from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Array, np
from gdcli.language.model_text import parse_model
from gdcli.objective.row_model import RowModel, Rows
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.iteration import Observer
from gdcli.table.blocks import Columns
from gdcli.table.source import DataTable
from gdcli.tasks.fit.asked_columns import asked_of, sigmas_of
from gdcli.tasks.fit.data_checks import ranges_of
from gdcli.tasks.fit.fit_outcome import FitOutcome, ResponsePart, RowCount
from gdcli.tasks.fit.prepare import ParsedFit, Plan, Prepared, gathered, read_request, ready
from gdcli.tasks.fit.request import WALD, FitRequest, FitSettings
from gdcli.tasks.fit.solve_fit import solve

# The variances are settled when none changes by more than this part of it.
_SETTLED, _MOST_TURNS = 1e-10, 200
# Residuals below this part of what was measured are rounding, and tell no variance.
_ROUNDING = 1e-24


@dataclass(frozen=True, slots=True)
class SeveralResponses:
    """A fit that can be solved: ``models`` as typed, with the left side of each; ``weights`` (rows,) come in turns.

    The columns ``made`` here are the ``number`` of the response, and the weights, or the standard deviations, which
    ``sigma`` has as typed.
    """

    prepared: Prepared
    models: tuple[str, ...]
    sides: tuple[str, ...]
    number: Array
    weights: Array
    made: tuple[str, str]
    sigma: str | None


class _Stacked(NamedTuple):
    """What is read for a fit to rows that are taken once for each response: the columns but those made here."""

    request: FitRequest
    settings: FitSettings
    asked: ParsedFit
    made: tuple[str, str]
    sigmas: list[str]  # as typed; their columns once the table is known

    def wanted(self, columns: Sequence[str]) -> tuple[str, ...]:
        names = [*self.asked.wanted([*columns, *self.made]), *self.sigmas]
        return tuple(dict.fromkeys(n for n in names if n not in self.made))

    def derives(self, columns: Collection[str]) -> bool:
        return bool(self.request.rows or self.request.dates or self.sigmas)

    def of(self, table: DataTable) -> Self:
        """Tell the table which rows and dates are asked for. Raises UsageError for those, and for categories."""
        if self.asked.model.categories:
            raise UsageError("C(...) is for a model of one response", "leave out --model, or the category")
        if self.derives(table.names):
            asked = asked_of(table, self.asked.constants, self.request.rows, self.request.dates)
            self.sigmas[:] = [asked.column(text, "--sigma") for text in self.sigmas]
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
    settings = settings or FitSettings()
    models = tuple(dict.fromkeys((request.model, *request.models) if request.model else request.models))
    sides = _checked(request, settings, models)
    made = _free_names(models, request)
    sigmas = sigmas_of(request.sigma, sides)
    one = replace(request, model=_chosen(models, made[0]), models=(), source="", sigma=None)
    asked = read_request(replace(one, sigma=made[1]) if sigmas else replace(one, weights=made[1]), settings)
    stacked = _Stacked(request, settings, asked, made, sigmas)
    with gathered([stacked], stdin, watch) as rows:
        count, n = len(models), rows.data.rows
        names = stacked.wanted(rows.names)
        arrays = rows.data.take(0, n)
        columns = [np.tile(arrays[rows.data.names.index(name)], count) for name in names]
        number, weights = np.repeat(np.arange(float(count)), n), np.ones(count * n)
        data = Columns((*names, *made), [*columns, number, weights])
        counted = RowCount(count * n, rows.counted.skipped, rows.counted.lines)
        plan = _plan(asked, data.names)
        if sigmas:
            weights[:] = np.concatenate([arrays[rows.data.names.index(name)] for name in sigmas])
        else:
            _set_weights(weights, number, _spreads(plan.row, data, sides))
        prepared = ready(plan, data, counted, lambda row: rows.place(row % n), searching)
        yield SeveralResponses(prepared, models, sides, number, weights, made, request.sigma)


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
        (request.weights, "--weights"), (request.by, "--by"),
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
    while any(f"{name}{tail}" in texts for name in ("response", "weight", "sigma")):
        tail += "_"
    return f"response{tail}", f"{'sigma' if request.sigma else 'weight'}{tail}"


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
    (found,) = RowObjective(replace(row, engine="numpy"), data).all_rows("response", [0.0] * row.space.size)
    variances = [float(np.var(part)) for part in np.split(found, len(sides))]
    for side, variance in zip(sides, variances, strict=True):
        if not variance > 0.0:
            raise DataError(f"{side} is the same in all rows", "it tells no residual variance: leave it out")
    return variances


def _set_weights(weights: Array, number: Array, variances: Sequence[float]) -> None:
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
    while turns < _MOST_TURNS and fit.sigma is None:
        if outcome.status not in (Status.CONVERGED, Status.WRONG_KIND):
            break
        variances = [max(part.value / part.rows, floor) for part, floor in _parts(fit, outcome)]
        if all(abs(a - b) <= _SETTLED * b for a, b in zip(variances, before, strict=True)):
            break
        before = variances
        _set_weights(fit.weights, fit.number, variances)
        again = replace(prepared, problem=replace(prepared.problem, start=outcome.point))
        outcome, turns = solve(again, settings), turns + 1
    return _told(fit, outcome, turns)


def _parts(fit: SeveralResponses, outcome: FitOutcome) -> list[tuple[ResponsePart, float]]:
    """Return what is said of each response, and what the rounding of its values makes a variance at least."""
    objective = RowObjective(replace(fit.prepared.row, engine="numpy"), fit.prepared.data)
    fitted, measured, *_ = objective.all_rows("fitted", outcome.run.best.at.x)
    found = []
    for k, (model, side) in enumerate(zip(fit.models, fit.sides, strict=True)):
        y, f = measured[fit.number == k], fitted[fit.number == k]
        rss, about = float(((y - f) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
        sd = math.sqrt(rss / len(y))
        squares = 1.0 - rss / about if about > 0.0 else None
        floor = _ROUNDING * float((y * y).mean())
        found.append((ResponsePart(side, model, len(y), rss, sd, squares), floor))
    return found


def _told(fit: SeveralResponses, outcome: FitOutcome, turns: int) -> FitOutcome:
    """Return the outcome in terms of the typed models; each variance counts as a parameter of the likelihood."""
    found, problem = outcome.statistics, outcome.problem
    message, variances = outcome.message, 0
    if fit.sigma is None:
        variances = len(fit.models) - 1
        message = f"{message.rstrip('.')}, the last of {turns} turns of parameters and weights."
    if found is not None:
        found = replace(found, tss=None, tss_about_zero=None, estimated=found.estimated + variances)
    start = fit.prepared.problem.start
    ranges = ranges_of(fit.prepared.row, fit.prepared.data)
    typed = replace(problem, models=fit.models, weights=None, sigma=fit.sigma, start=start)
    return replace(
        outcome,
        problem=replace(typed, expression=fit.models[0]),
        message=message,
        statistics=found,
        responses=tuple(part for part, _ in _parts(fit, outcome)),
        ranges={name: ends for name, ends in ranges.items() if name not in fit.made},
    )
