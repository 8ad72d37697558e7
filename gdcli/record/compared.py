"""The records of comparisons: learning rates, methods, batch sizes; of each run its row, and its course in some points.

Values and losses have the user's sign; the curvature is that of the function that is minimised, and gap and noise are
those of the mean loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from gdcli import __version__
from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.errors import GdError, shorten
from gdcli.record import fits, runs
from gdcli.record.fits import FitProblemRecord
from gdcli.record.runs import EvaluationsRecord, ProblemRecord, Receipt
from gdcli.record.schema import SCHEMA, Record, Values, signed

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.tasks.batch_sizes import BatchRun, Compared
    from gdcli.tasks.compare import MethodRun, RateComparison
    from gdcli.tasks.fit.request import FitProblem
    from gdcli.tasks.problem import Problem

MOST = 64  # points of a course: twice the widest sparkline

Course = tuple[tuple[int, float], ...]


# -- learning rates ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvatureRecord(Record):
    """The curvature along the way; see `judge.rate_trials.Curvature`. None where it is not known."""

    largest: float | None
    smallest: float | None
    at_end: float | None
    how: str | None
    points: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRecord(Record):
    lr: float
    verdict: str
    steps: int | None
    predicted: bool
    value: float
    gradient_norm: float | None
    lr_times_curvature: float | None
    note: str
    course: Course


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesRecord(Record):
    """Learning rates compared; ``best_lr`` is the best by the curvature, ``fastest_lr`` that of those compared.

    ``reference_lr`` is there where one was tried that arrives before that by the curvature.
    """

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "compare-lr"}

    problem: ProblemRecord
    max_steps: int
    curvature: CurvatureRecord
    limit: float | None
    best_lr: float | None
    best_steps: int | None
    best_predicted: bool | None
    best_verdict: str | None
    fastest_lr: float | None
    fastest_steps: int | None
    condition: float | None
    rates: tuple[RateRecord, ...]
    reference_lr: float | None = None
    reference_steps: int | None = None
    reference_predicted: bool | None = None
    ended: str | None = None
    seed: int
    warnings: tuple[str, ...]
    version: str
    receipt: Receipt | None = None

    @property
    def fastest(self) -> RateRecord | None:
        """The rate that arrives after the fewest steps, None where none does."""
        return next((rate for rate in self.rates if rate.lr == self.fastest_lr), None)

    @property
    def lowest(self) -> RateRecord | None:
        """The rate whose run ends with the best value, None where none ends with one."""
        ended, sign = [rate for rate in self.rates if isfinite(rate.value)], self.problem.sign
        return min(ended, key=lambda rate: sign * rate.value, default=None)


def rates_record(comparison: RateComparison) -> RatesRecord:
    found, c = comparison.found, comparison.found.curvature
    at = {name: getattr(found, name) for name in ("best", "fastest", "reference")}

    def of(which: str, name: str) -> Any:
        return getattr(at[which], name, None)

    return RatesRecord(
        problem=runs.problem_record(comparison.problem),
        max_steps=found.steps,
        curvature=CurvatureRecord.blank() if c is None else CurvatureRecord.of(c, how=str(c.how)),
        limit=getattr(c, "limit", None),
        best_lr=getattr(c, "best", None),
        best_steps=of("best", "steps"),
        best_predicted=of("best", "predicted"),
        best_verdict=of("best", "verdict"),
        fastest_lr=of("fastest", "lr"),
        fastest_steps=of("fastest", "steps"),
        condition=getattr(c, "condition", None),
        rates=tuple(
            RateRecord.of(rate, value=comparison.value(rate.value), course=course(comparison.values(rate)))
            for rate in found.rates
        ),
        reference_lr=of("reference", "lr"),
        reference_steps=of("reference", "steps"),
        reference_predicted=of("reference", "predicted"),
        ended=None if found.ended is None else found.ended.value,
        **_tail(comparison.problem, comparison.warnings),
    )


# -- methods -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRecord(Record):
    """How one method fared; without a ``reason`` an error was in its way, and there are no numbers."""

    method: str
    status: str
    message: str
    reason: str | None
    value: float | None
    gradient_norm: float | None
    iterations: int | None
    evaluations: EvaluationsRecord | None
    point: Values | None
    seconds: float | None = None
    course: Course

    @property
    def work(self) -> int:
        return 0 if self.evaluations is None else self.evaluations.total


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodsRecord(Record):
    """Methods compared on one problem; the warnings are those that every run gave, so they are about the problem."""

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "compare-methods"}

    problem: ProblemRecord
    methods: tuple[MethodRecord, ...]
    seed: int
    warnings: tuple[str, ...]
    version: str
    receipt: Receipt | None = None


def methods_record(problem: Problem, found: Sequence[MethodRun]) -> MethodsRecord:
    lists = [run.outcome.warnings for run in found if run.outcome is not None]
    shared = [w for w in lists[0] if all(w in other for other in lists)] if lists else []
    asked = runs.problem_record(problem)
    return MethodsRecord(problem=asked, methods=tuple(map(_method, found)), **_tail(problem, shared))


def _method(run: MethodRun) -> MethodRecord:
    own: dict[str, Any] = {"method": run.method, "course": course(run.values)}
    if run.outcome is not None:
        return MethodRecord.of(runs.run_record(run.outcome), **own)
    return MethodRecord.blank(**own, **_failed(run.fault))


# -- batch sizes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNoiseRecord(Record):
    """How far the noise of the steps keeps runs above the minimum: mean and standard deviation over seeds."""

    excess: float | None
    deviation: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord(Record):
    """How one batch size fared; without a ``reason`` an error was in its way, and there are no numbers."""

    batch_size: int | str
    status: str
    message: str
    reason: str | None
    value: float | None
    mean_loss: float | None
    epochs: int | None
    row_visits: int | None
    steps: int | None
    lr: float | None
    gap: float | None
    noise: BatchNoiseRecord | None
    point: Values | None
    seconds: float | None = None
    engine: str | None = None
    course: Course | None

    @property
    def mean(self) -> float | None:
        """The mean loss; one that is not finite is what the sum is."""
        return self.mean_loss if self.value is None or isfinite(self.value) else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchesRecord(Record):
    """Batch sizes compared on the ``rows`` that are learned from; ``lowest`` is the least mean loss, where known."""

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "compare-batch"}

    problem: FitProblemRecord
    rows: int
    held_back: int
    lowest: float | None
    batches: tuple[BatchRecord, ...]
    seed: int
    warnings: tuple[str, ...]
    version: str
    receipt: Receipt | None = None


def batches_record(problem: FitProblem, space: Space, compared: Compared) -> BatchesRecord:
    found, asked = compared.found, fits.problem_record(problem)
    return BatchesRecord(
        problem=asked,
        rows=found.rows,
        held_back=compared.rows - found.rows,
        lowest=signed(asked.sign, found.lowest),
        batches=tuple(_batch(run, asked.sign, space, found.rows) for run in found.runs),
        **_tail(problem, compared.warnings),
    )


def _batch(run: BatchRun, sign: int, space: Space, rows: int) -> BatchRecord:
    made, verdict, size = run.made, run.verdict, "all" if run.batch_size is None else run.batch_size
    if made is None or verdict is None:
        return BatchRecord.blank(batch_size=size, **_failed(run.fault))
    best = made.run.best
    return BatchRecord.of(
        made,
        made.run,
        verdict,
        batch_size=size,
        status=verdict.status.value,
        reason=made.run.reason.value,
        value=signed(sign, best.at.value * rows),
        mean_loss=signed(sign, best.at.value),
        epochs=made.run.iterations,
        row_visits=made.visits,
        steps=made.run.counts.gradient,
        noise=None if made.noise is None else BatchNoiseRecord.of(made.noise),
        point=space.unflatten(best.at.x),
        course=tuple((visits, sign * loss + 0.0) for visits, loss in run.course),
    )


# -- what they share ---------------------------------------------------------------------------------------------------


def _tail(problem: Problem, warnings: Sequence[str]) -> dict[str, Any]:
    return {"seed": problem.seed, "warnings": tuple(warnings), "version": __version__}


def _failed(fault: GdError | None) -> dict[str, str]:
    return (
        {"status": fault.status, "message": shorten(fault.message)}
        if fault
        else {"status": "error", "message": ""}
    )


def course(values: Sequence[float]) -> Course:
    """Return some of the values with their numbers from 0, at most `MOST`: the first, the last, and evenly between."""
    return tuple((number, values[number] + 0.0) for number in evenly(len(values), MOST))


def evenly(count: int, most: int) -> Sequence[int]:
    """Return at most so many of the numbers from 0 to before ``count``: the first, the last, and evenly between."""
    last = count - 1
    return range(count) if last < most else [round(k * last / (most - 1)) for k in range(most)]
