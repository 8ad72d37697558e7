"""The record of models compared: each with its fit, the tests of those within another, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from gdcli import __version__
from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.errors import shorten
from gdcli.record.compared import MOST, evenly
from gdcli.record.fits import FitProblemRecord, Known, RowsRecord, fit_record, problem_record
from gdcli.record.runs import Receipt
from gdcli.record.schema import SCHEMA, Record, Values

if TYPE_CHECKING:
    from gdcli.tasks.fit.compare_models import ModelComparison, ModelFit, Nested
    from gdcli.tasks.fit.row_sample import RowSample

Pairs = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord(Record):
    """How one model fared; without a ``reason`` an error was in its way, and there are no numbers.

    ``parameters`` are those that the data tell. ``left_out`` is the root mean square of what rows that were not fitted
    are missed by, of other losses than the squared one their mean loss. ``curve`` has points of what the model says: by
    the column of the comparison, else by what was measured.
    """

    model: str
    status: str
    reason: str | None
    message: str
    problem: FitProblemRecord
    point: Values | None
    standard_errors: Known | None
    parameters: int | None
    value: float | None
    residual_sd: float | None
    r_squared: float | None
    aic: float | None
    aicc: float | None
    delta: float | None
    weight: float | None
    bic: float | None
    left_out: float | None
    runs_p: float | None
    durbin_watson: float | None
    normality_p: float | None
    curve: Pairs | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedRecord(Record):
    """The test of the model ``smaller`` within the model ``larger``, both by number from 1.

    See `gdcli.judge.fit_tests.GainTest`; it is no ``regular`` one where the larger model loses parameters there.
    """

    smaller: int
    larger: int
    test: str
    statistic: float
    dof: int
    left: int | None
    p: float
    regular: bool
    told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsRecord(Record):
    """Models compared on the same rows; ``best`` and ``rivals`` are numbers from 1, ``strength`` a word.

    ``folds`` were left out in turn (None: single rows, by their leverages). ``shown`` are some rows for a picture, by
    the column ``over``.
    """

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "compare-models"}

    rows: RowsRecord
    folds: int | None
    models: tuple[ModelRecord, ...]
    nested: tuple[NestedRecord, ...]
    best: int | None
    by: str
    strength: str
    ratio: float | None
    rivals: tuple[int, ...]
    over: str | None
    shown: Pairs
    seed: int
    warnings: tuple[str, ...]
    version: str
    receipt: Receipt | None = None

    @property
    def problem(self) -> FitProblemRecord:
        """What was asked of the first of them: data and loss are those of all."""
        return self.models[0].problem


def models_record(found: ModelComparison, samples: Sequence[RowSample | None]) -> ModelsRecord:
    """Return the record of a comparison; ``samples`` are rows of each model for a picture, None of one that failed."""
    first, verdict = found.fits[0].prepared, found.verdict
    seen = [sample for sample in samples if sample is not None]
    over = {sample.column for sample in seen if not _is_level(sample)}
    column = over.pop() if len(over) == 1 else None
    known = next((sample for sample in seen if sample.column == column), None)
    least = min((fit.aicc for fit in found.fits if fit.aicc is not None), default=None)
    return ModelsRecord(
        rows=RowsRecord.of(first.count, visited=None),
        folds=found.folds,
        models=tuple(
            _model(fit, least, _curve(sample, column, known))
            for fit, sample in zip(found.fits, samples, strict=True)
        ),
        nested=tuple(map(_nested, found.nested)),
        best=None if verdict.best is None else verdict.best + 1,
        by=verdict.by,
        strength=verdict.strength.value,
        ratio=verdict.ratio,
        rivals=tuple(k + 1 for k in verdict.rivals),
        over=column,
        shown=() if known is None or column is None else _thinned(known.places, known.measured),
        seed=first.problem.seed,
        warnings=found.warnings,
        version=__version__,
    )


def _model(fit: ModelFit, least: float | None, curve: Pairs | None) -> ModelRecord:
    asked = problem_record(fit.prepared.problem)
    text = " ".join(asked.expression.split())
    if fit.outcome is None:
        fault = fit.fault
        assert fault is not None
        told = {"status": fault.status, "message": shorten(fault.message)}
        return ModelRecord.blank(model=text, problem=asked, **told)
    checks, found = fit.checks, fit_record(fit.outcome)
    return ModelRecord.of(
        found,
        model=text,
        parameters=found.rank,
        aicc=fit.aicc,
        delta=None if fit.aicc is None or least is None else fit.aicc - least,
        weight=fit.weight,
        left_out=fit.left_out,
        runs_p=None if checks is None or checks.runs is None else checks.runs.p,
        durbin_watson=None if checks is None else checks.durbin_watson,
        normality_p=None if checks is None or checks.normality is None else checks.normality.p,
        curve=curve,
        warnings=fit.outcome.warnings,
    )


def _nested(one: Nested) -> NestedRecord:
    return NestedRecord.of(one, one.test, smaller=one.smaller + 1, larger=one.larger + 1, test=one.test.kind)


def _is_level(sample: RowSample) -> bool:
    """Whether a model says the same of all rows, and can be drawn over any column."""
    return sample.column is None and len(set(sample.fitted)) == 1


def _curve(sample: RowSample | None, over: str | None, known: RowSample | None) -> Pairs | None:
    if sample is None:
        return None
    if over is not None and known is not None:
        if sample.column is None:
            return tuple((float(x), sample.fitted[0]) for x in (min(known.places), max(known.places)))
        return _thinned(*sample.curve, most=2 * MOST)
    return _thinned(sample.fitted, sample.measured)


def _thinned(xs: Sequence[float], ys: Sequence[float], most: int = 4 * MOST) -> Pairs:
    """Some of the points, evenly; the first and the last among them."""
    return tuple((float(xs[k]), float(ys[k])) for k in evenly(len(xs), most))
