"""The record of a fit: what every run has, and what the data tell of the parameters.

What belongs to a parameter is given by name, a list for a vector, None where it is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from operator import mul
from typing import TYPE_CHECKING, Any, ClassVar

from gdcli.judge.statistics import LEVEL, TIED, FitStatistics, Uncertainty
from gdcli.kernel.dataclass import NamedTuple, Reader, dataclass, stored
from gdcli.kernel.vectors import Space
from gdcli.record.runs import (
    CertificateRecord,
    PathPoint,
    ProblemRecord,
    RunRecord,
    answer,
    bounds_of,
    path_point,
    run_record,
    sources,
    texts_of,
)
from gdcli.record.schema import Record, Values, signed
from gdcli.tasks.fit.fit_outcome import (
    AnswerNoise,
    CorrectedPoints,
    FTest,
    GroupPart,
    LabelFigures,
    ResponsePart,
    RowInfluence,
)
from gdcli.tasks.fit.request import FitRequest, Searched

if TYPE_CHECKING:
    from gdcli.tasks.fit.fit_outcome import BootstrapFacts, Derived, Diagnostics, FitOutcome, JointRegion
    from gdcli.tasks.fit.request import FitProblem
    from gdcli.tasks.pipeline import Outcome

# Of more parameters only the strongly tied pairs are told: the whole table would be their square.
MOST_CORRELATED = 50

Known = Mapping[str, float | list[float | None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRecord(Record):
    """The levels of a category: the ``base``, and by parameter that whose difference to the base it is."""

    base: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRecord(Record):
    """How a column of dates was read; see `gdcli.table.text_columns.DateForm`."""

    unit: str
    origin: str
    day_first: bool | None = None
    form: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FitProblemRecord(ProblemRecord):
    """What was asked of a fit; ``loss`` is None where that of a row was typed, ``columns`` are those of matrices."""

    files: tuple[str, ...]
    loss: str | None
    linear: bool
    search: Searched | None = None
    huber_delta: float | None = None
    quantile: float | None = None
    scale: float | None = None
    dof: float | None = None
    theta: float | None = None
    estimated: str | None = None
    trials: str | None = None
    l2: float | None = None
    folds: int | None = None
    strengths: list[list[float | None]] | None = None
    prior: tuple[str, ...] = ()
    weights: str | None = None
    sigma: str | None = None
    sigma_x: Mapping[str, str] | None = None
    scale_sigma: bool | None = None
    rows: tuple[str, ...] = ()
    categories: Mapping[str, CategoryRecord] | None = None
    dates: Mapping[str, DateRecord] | None = None
    columns: Mapping[str, list[str]] | None = None
    by: tuple[str, ...] = ()
    own_start: Values | None = None
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsRecord(Record):
    """How many rows were used and skipped; of a run by epochs how many were ``visited`` in all, and ``held_back``.

    ``dropped`` are those, of the range asked for, of which the condition of the option rows does not hold.
    """

    used: int
    skipped: int
    visited: int | None = None
    held_back: int = 0
    dropped: int = 0
    notes: tuple[str, ...] = ()

    @property
    def learned(self) -> int:
        """The rows that the answer is fitted to."""
        return self.used - self.held_back


class Tied(NamedTuple):
    """Two parameters that one makes up for the other, and their correlation."""

    first: str
    second: str
    correlation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BetterFit(Record):
    value: float
    point: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedRecord(Record):
    """A quantity that follows from the parameters; an end of its interval that is infinite is None."""

    expression: str
    value: float | None
    standard_error: float | None
    confidence: list[float | None] | None

    @property
    def t(self) -> float | None:
        return self.value / self.standard_error if self.value is not None and self.standard_error else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapRecord(Record):
    """What was drawn, how many times, how many could not be solved; deviations and percentile intervals by name."""

    resample: str
    samples: int
    failed: int
    standard_errors: Mapping[str, float]
    percentile: Mapping[str, list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalsRecord(Record):
    """How intervals were made, where they are not Wald's alone.

    ``ends`` tells by ``a.low`` and ``a.high`` why an end is where it is although the likelihood falls no further.
    ``lopsided`` are the intervals by the profile of those whose Wald interval is so, None where it was not computed;
    ``better`` is a better fit that the profile came to.
    """

    kind: str
    ends: Mapping[str, str] | None = None
    lopsided: Mapping[str, list[float | None] | None] | None = None
    better: BetterFit | None = None
    bootstrap: BootstrapRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRecord(Record):
    """The joint region of two parameters; see `gdcli.tasks.fit.fit_outcome.JointRegion`.

    ``quantile`` names the distribution, ``extents`` are by name, an infinite end is None; ``closed`` tells whether the
    curve of ``points``, pairs in the order of ``parameters``, comes back to the first one, else there is a ``reason``.
    """

    parameters: list[str]
    quantile: str
    closed: bool
    reason: str | None = None
    extents: Mapping[str, list[float | None]]
    points: list[list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticsRecord(Record):
    """What the rows tell beside the parameters; see `gdcli.tasks.fit.diagnostics`. What a fit does not have is None."""

    p_values: Known
    model: FTest | None = None
    by: str | None = None
    against: str | None = None
    rough: bool = False
    over: str | None = None
    runs: int | None = None
    expected_runs: float | None = None
    runs_p: float | None = None
    durbin_watson: float | None = None
    anderson_darling: float | None = None
    normality_p: float | None = None
    lack_of_fit: FTest | None = None
    outliers: list[str] | None = None
    influence: tuple[RowInfluence, ...] = ()
    labels: LabelFigures | None = None
    points: tuple[tuple[float, float, float], ...] = ()
    profiles: Mapping[str, list[tuple[float, float]]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRecord(RunRecord):
    """The whole answer of a fit; the statistics have a ``rank`` where there are any.

    ``batch_size`` (0: all rows) and ``polish`` are those of a run by epochs. An end of ``confidence`` that is infinite
    is None. ``covariance_factor`` is the upper triangle U of the covariance ``U U'`` of the parameters in flat order,
    of few of them; ``ranges`` has the least and the largest value of each column that the formula reads.
    """

    problem: FitProblemRecord
    value: float
    mean_loss: float
    certificate: CertificateRecord
    standard_errors: Known
    t: Known
    confidence: Mapping[str, Any]
    correlation: Mapping[str, Mapping[str, float | None]]
    level: float = LEVEL
    intervals: IntervalsRecord | None = None
    derived: Mapping[str, DerivedRecord] | None = None
    region: RegionRecord | None = None
    covariance_factor: list[list[float]] | None = None
    ranges: Mapping[str, list[float]] | None = None
    rank: int | None
    residual_sd: float | None
    r_squared: float | None
    r_squared_about_zero: float | None = None
    aic: float | None
    bic: float | None
    deviance: float | None = None
    exact: bool = False
    chi_square: float | None = None
    p_value: float | None = None
    rows: RowsRecord
    epochs: int | None
    batch_size: int | None = None
    polish: bool = False
    validation: float | None = None
    noise: AnswerNoise | None
    corrected: CorrectedPoints | None = None
    groups: tuple[GroupPart, ...] = ()
    responses: tuple[ResponsePart, ...] = ()
    diagnostics: DiagnosticsRecord | None = None
    unknown_errors: str | None

    def always(self) -> Sequence[str]:
        """With known deviations the misfit has a test."""
        return ("chi_square", "p_value") if self.problem.sigma else ()

    @property
    def mean(self) -> float:
        """The mean loss of a row; one that is not finite is what the sum is."""
        return self.mean_loss if isfinite(self.value) else self.value

    def flat(self, known: Mapping[str, Any]) -> list[Any]:
        """Return what belongs to the parameters by name in the order of the flat vector."""
        lengths = self.problem.space.lengths
        return [v for name, n in lengths.items() for v in ([known[name]] if n is None else known[name])]

    @property
    def has_others(self) -> bool:
        """Whether other parameters are as good as the answer; see `FitOutcome.minimizers`."""
        return self.minimizers is not None and any(
            low is None or low != high for low, high in self.flat(self.minimizers)
        )

    @property
    def covariance(self) -> list[list[float]] | None:
        """The covariance of the parameters in flat order, p x p; None where it is not known, or they are many."""
        U = self.covariance_factor
        return None if U is None else [[sum(map(mul, a, b)) for b in U] for a in U]

    @property
    def tied(self) -> list[Tied]:
        """The pairs of parameters with a correlation above `TIED` in size, the strongest first."""
        space = self.problem.space
        place = {name: i for i, name in enumerate(space.labels)} if self.correlation else {}
        found = [
            Tied(b, a, c)
            for a, row in self.correlation.items()
            for b, c in row.items()
            if place[b] < place[a] and c is not None and abs(c) > TIED
        ]
        return sorted(found, key=lambda tie: (-abs(tie.correlation), place[tie.second], place[tie.first]))


@stored()
@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPoint(Record):
    """The point after an epoch: the sum and the mean of the losses, the rows visited so far."""

    HEAD: ClassVar[Mapping[str, str]] = PathPoint.HEAD

    epoch: int
    value: float
    mean_loss: float
    validation: float | None
    rate: float | None
    rows: int
    point: Values
    kind: str = ""
    seconds: float | None = None

    @property
    def iteration(self) -> int:
        return self.epoch

    @property
    def mean(self) -> float:
        """The mean loss of a row; one that is not finite is what the sum is."""
        return self.mean_loss if isfinite(self.value) else self.value


@stored("EpochRow")
class _KeptEpoch:
    """A point as earlier versions kept it in checkpoints: with its number in the order, and without its coordinates."""

    @staticmethod
    def from_store(content: Mapping[str, Any], read: Reader) -> tuple[int, EpochPoint]:
        it = {name: read(part) for name, part in content.items()}
        same = {name: it[name] for name in ("value", "validation", "rate", "kind", "seconds")}
        mean = it["value"] if it["mean"] is None else it["mean"]
        point = EpochPoint(epoch=it["iteration"], mean_loss=mean, rows=it["visits"] or 0, point={}, **same)
        return it["order"], point


# -- from what was computed --------------------------------------------------------------------------------------------


def record_of(outcome: Outcome) -> RunRecord:
    made: Any = fit_record if hasattr(outcome, "statistics") else run_record
    found: RunRecord = made(outcome)
    return found


def record_from(told: Mapping[str, Any]) -> RunRecord:
    """Return the record of an answer of any kind that was written; raises as `Record.from_json`."""
    from gdcli.record.serialization import upgraded

    kind = FitRecord if "standard_errors" in told else RunRecord
    return kind.from_json(upgraded(told))


def request_of(asked: FitProblemRecord, files: Sequence[str]) -> FitRequest:
    """Return the request of a fit as its record tells it, with its data in ``files``, from the start that it had."""

    def texts(values: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(f"{name}={v!r}".replace(" ", "") for name, v in values.items())

    def ends(pair: Sequence[Any]) -> str:
        return ":".join(
            ("-inf", "inf")[k] if end is None else repr(end).replace(" ", "") for k, end in enumerate(pair)
        )

    return FitRequest(
        asked.expression,
        tuple(files),
        start=texts(asked.start),
        constants=texts(asked.constants),
        let=asked.let,
        bounds=tuple(f"{name}={ends(pair)}" for name, pair in (asked.bounds or {}).items()),
        columns=tuple(f"{name}={'|'.join(columns)}" for name, columns in (asked.columns or {}).items()),
        loss=asked.loss,
        weights=asked.weights,
        sigma=asked.sigma,
        scale_sigma=bool(asked.scale_sigma),
    )


def fit_record(outcome: FitOutcome) -> FitRecord:
    history = outcome.history
    return FitRecord.of(
        *sources(outcome),
        problem=problem_record(outcome.problem),
        **answer(outcome),
        **_statistics(outcome.statistics, outcome.space),
        level=outcome.problem.told_level,
        intervals=_intervals(outcome),
        derived={one.name: _derived(one) for one in outcome.derived} or None,
        region=None if outcome.region is None else _region(outcome.region),
        ranges={name: list(ends) for name, ends in outcome.ranges.items()} or None,
        rows=RowsRecord.of(outcome.rows, visited=history[-1].visits if history else None),
        responses=outcome.responses,
        diagnostics=_diagnostics(outcome.diagnostics, outcome.space),
        unknown_errors=outcome.unknown_errors or None,
    )


def _diagnostics(found: Diagnostics | None, space: Space) -> DiagnosticsRecord | None:
    if found is None:
        return None
    checks = found.checks
    runs, normality = getattr(checks, "runs", None), getattr(checks, "normality", None)
    return DiagnosticsRecord.of(
        found,
        p_values=space.by_name(list(found.p_values)),
        over=getattr(checks, "over", None),
        runs=getattr(runs, "found", None),
        expected_runs=getattr(runs, "expected", None),
        runs_p=getattr(runs, "p", None),
        durbin_watson=getattr(checks, "durbin_watson", None),
        anderson_darling=getattr(normality, "statistic", None),
        normality_p=getattr(normality, "p", None),
        outliers=None if found.outliers is None else list(found.outliers),
    )


def problem_record(problem: FitProblem) -> FitProblemRecord:
    return FitProblemRecord.of(
        problem,
        bounds=bounds_of(problem),
        subject_to=texts_of(problem),
        loss=problem.loss or None,
        rows=tuple(problem.kept_rows),
        categories={
            name: CategoryRecord(base=found.base, parameters=dict(found.parameters))
            for name, found in problem.categories.items()
        }
        or None,
        dates={name: DateRecord.of(form) for name, form in problem.dates.items()} or None,
        search=problem.searched,
        strengths=[[a, b if isfinite(b) else None] for a, b in problem.strengths] or None,
        sigma_x=dict(problem.sigma_x) or None,
        scale_sigma=problem.scale_sigma if problem.sigma else None,
        own_start=dict(problem.own_start) or None,
        estimated=problem.estimated or None,
        prior=tuple(f"{p.name} ~ normal({p.mean!r}, {p.deviation!r})" for p in problem.priors),
        columns={name: list(columns) for name, columns in problem.matrices.items()} or None,
    )


def _statistics(found: FitStatistics | None, space: Space) -> dict[str, Any]:
    """What the data tell of the parameters, and how good the fit is."""
    numbers = (
        "residual_sd",
        "r_squared",
        "r_squared_about_zero",
        "aic",
        "bic",
        "exact",
        "deviance",
        "chi_square",
    )
    if found is None:
        nothing = space.by_name([None] * space.size)
        unknown = dict.fromkeys(("rank", *numbers[:5]))
        return {"standard_errors": nothing, "t": nothing, "confidence": nothing, "correlation": {}} | unknown
    errors = found.errors
    return {name: getattr(found, name) for name in numbers} | {
        "standard_errors": space.by_name(list(errors.standard_errors)),
        "t": space.by_name(list(errors.t_values)),
        "confidence": space.by_name([None if pair is None else _ends(*pair) for pair in errors.intervals]),
        "covariance_factor": _factor(errors),
        "correlation": _correlations(found, space),
        "rank": errors.rank,
        "p_value": found.chi_square_p,
    }


def _ends(low: float, high: float) -> list[float | None]:
    return [end if isfinite(end) else None for end in (low, high)]


def _factor(errors: Uncertainty) -> list[list[float]] | None:
    few = len(errors.standard_errors) <= MOST_CORRELATED
    return None if errors.factor is None or not few else [list(row) for row in errors.factor]


def _intervals(outcome: FitOutcome) -> IntervalsRecord | None:
    found = outcome.intervals
    if found is None:
        return None
    labels = [*outcome.space.labels, *(one.name for one in outcome.derived)]
    told = {labels[k]: one for k, one in (dict(enumerate(found.profile)) | dict(found.lopsided)).items()}
    told = {one.name: one.interval for one in outcome.derived} | told
    whys = {
        f"{name}.{side}": why
        for name, one in told.items()
        if one is not None
        for side, why in (("low", one.why_low), ("high", one.why_high))
        if why
    }
    lopsided = {
        labels[k]: None if one is None else _ends(one.low, one.high) for k, one in found.lopsided.items()
    }
    better = None if found.better is None else BetterFit(value=found.better[0], point=found.better[1])
    return IntervalsRecord(
        kind=found.kind,
        ends=whys or None,
        lopsided=lopsided or None,
        better=better,
        bootstrap=None if found.bootstrap is None else _bootstrap(found.bootstrap, outcome),
    )


def _region(found: JointRegion) -> RegionRecord:
    chi_square = found.dof == inf
    return RegionRecord(
        parameters=list(found.names),
        quantile="chi-square(2)" if chi_square else f"F(2, {found.dof:g})",
        closed=not found.why,
        reason=found.why or None,
        extents={n: _ends(one.low, one.high) for n, one in zip(found.names, found.extents, strict=False)},
        points=[list(point) for point in found.points],
    )


def _bootstrap(found: BootstrapFacts, outcome: FitOutcome) -> BootstrapRecord:
    names = outcome.space.labels + [one.name for one in outcome.derived if one.interval is not None]
    return BootstrapRecord(
        resample=found.kind,
        samples=found.samples,
        failed=found.failed,
        standard_errors=dict(zip(names, found.errors, strict=True)),
        percentile={name: list(pair) for name, pair in zip(names, found.percentile, strict=True)},
    )


def _derived(found: Derived) -> DerivedRecord:
    ends = None if found.interval is None else _ends(found.interval.low, found.interval.high)
    value = found.value if isfinite(found.value) else None
    return DerivedRecord(expression=found.text, value=value, standard_error=found.error, confidence=ends)


def _correlations(found: FitStatistics, space: Space) -> dict[str, dict[str, float | None]]:
    """The correlations of the parameters, by the names of both; of many parameters those of tied pairs."""
    errors, label, size = found.errors, space.label, space.size
    if size <= MOST_CORRELATED:
        names = space.labels
        return {
            a: dict(zip(names, row, strict=True)) for a, row in zip(names, errors.correlation, strict=True)
        }
    told: dict[str, dict[str, float | None]] = {}
    for tie in errors.tied:
        for a, b in ((tie.first, tie.second), (tie.second, tie.first)):
            told.setdefault(label(a), {})[label(b)] = tie.correlation
    return told


def epoch_point(it: Any, sign: int, space: Space) -> EpochPoint | PathPoint:
    """Return the record of the point after an epoch, whose value is the sum over the rows; or of an iterate of a batch
    solve, as --polish adds them.
    """
    if not hasattr(it, "visits"):
        return path_point(it, sign, space)
    return EpochPoint(
        epoch=it.iteration,
        value=sign * it.at.value + 0.0,
        mean_loss=sign * (it.at.value / it.rows) + 0.0,
        validation=signed(sign, it.held_out),
        rate=it.step,
        rows=it.visits,
        point=space.unflatten(it.at.x),
        kind="" if it.kind in ("start", "step") else it.kind,
        seconds=it.seconds,
    )


# The columns of a table of epochs, before those of the point.
EPOCH_HEAD = ("epoch", "value", "mean_loss", "validation", "rate", "rows")


def epoch_cells(point: EpochPoint | PathPoint) -> list[Any]:
    if isinstance(point, PathPoint):
        return [point.iteration, point.value, None, None, None, None]
    return [point.epoch, point.value, point.mean, point.validation, point.rate, point.rows]
