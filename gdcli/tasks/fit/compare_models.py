"""Models compared on the same rows: each fitted as `gd fit` does, then held against the others.

The data are read once. A start, a bound, a constant or a named part belongs to the models that have the name; of a
model that is not linear what was not given of its start is searched for.

Models are compared by criteria of their likelihoods, by tests of those that are within another, and by how well they
predict rows that were left out. The formulas are those of :mod:`gdcli.judge.fit_tests`; whether one model is within
another one :mod:`gdcli.tasks.fit.nesting` finds out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import exp, fsum, sqrt
from typing import BinaryIO

from gdcli.judge.fit_tests import GainTest, Strength, aicc, akaike_weights, gain_test
from gdcli.judge.statistics import FitStatistics
from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.errors import GdError, UsageError, did_you_mean
from gdcli.kernel.status import Status
from gdcli.objective.row_model import each_here
from gdcli.table.source import DataTable
from gdcli.tasks.fit.diagnostics import residual_checks
from gdcli.tasks.fit.fit_outcome import FitOutcome, ResidualChecks
from gdcli.tasks.fit.hyperparameters import Each, left_out_error
from gdcli.tasks.fit.nesting import nesting
from gdcli.tasks.fit.prepare import Prepared, gathered, read_request, ready
from gdcli.tasks.fit.request import AUTO, FitRequest, FitSettings
from gdcli.tasks.fit.row_sample import RowSample, sample_rows
from gdcli.tasks.fit.solve_fit import solve, with_doubts
from gdcli.tasks.fit.some_rows import deleted_residuals


@contextmanager
def prepared_models(
    requests: Sequence[FitRequest],
    settings: FitSettings,
    stdin: BinaryIO | None = None,
    watch: Callable[[DataTable], None] | None = None,
    searching: Callable[[float], None] = lambda part: None,
) -> Iterator[list[Prepared]]:
    """Make fits of several models to the same data ready, and remove what they left in temporary files at the end.

    Raises as `gdcli.tasks.fit.prepare.prepared`, and UsageError for names that no model has, and for models of
    different left sides.
    """
    _check_sides([one.model for one in requests])
    texts = [_names_in(one) for one in requests]
    _check_used(requests, set().union(*texts))
    asked = [read_request(_own(one, names), settings) for one, names in zip(requests, texts, strict=True)]
    with gathered(asked, stdin, watch) as rows:
        made = []
        for one in rows.fits:
            made.append(ready(one.plan(rows.names), rows.data, rows.counted, rows.place, searching))
        yield made


def _check_sides(models: Sequence[str]) -> None:
    if len(models) < 2:
        raise UsageError(
            "a comparison takes two models or more", "for example 'y ~ a + b*x' and 'y ~ a + b*x + c*x**2'"
        )
    sides = ["".join(model.partition("~")[0].split()) for model in models]
    for model, side in zip(models, sides, strict=True):
        if "~" not in model:
            raise UsageError("models are compared as 'y ~ formula'", f"{model.strip()[:40]} has no ~")
        if side != sides[0]:
            raise UsageError(
                f"the models are not of the same thing: {sides[0]} and {side}",
                "likelihoods and errors can be compared only of descriptions of the same numbers",
            )


_NAME = re.compile(r"[^\W\d]\w*")
# An assignment in a list of such: `x=1` of `x=1,y=[2,3]`.
_ENTRY = re.compile(r"\s*([^\W\d]\w*)\s*=")


def _names_in(request: FitRequest) -> set[str]:
    """The names of a model's text, and of the named parts that it uses."""
    found = set(_NAME.findall(request.model))
    for text in reversed(request.let):
        name, _, formula = text.partition("=")
        if name.strip() in found:
            found |= set(_NAME.findall(formula))
    return found


def _entries(texts: Sequence[str]) -> list[tuple[str, str]]:
    """The names and assignments of texts such as ``a=1,b=[2,3]``; the name of what has none is empty."""
    found: list[tuple[str, str]] = []
    for text in texts:
        for part in re.split(r",(?![^\[\](]*[\])])", text):
            named = _ENTRY.match(part)
            if found and named is None and "=" in found[-1][1]:
                found[-1] = found[-1][0], f"{found[-1][1]},{part}"
            else:
                found.append((named[1] if named else "", part))
    return found


def _own(request: FitRequest, names: set[str]) -> FitRequest:
    """What is meant for one model: entries with its names, and those without one (files, ``all``)."""

    def some(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(text for name, text in _entries(texts) if not name or name == "all" or name in names)

    return replace(
        request,
        start=some(request.start),
        constants=some(request.constants),
        bounds=some(request.bounds),
        let=tuple(text for text in request.let if text.partition("=")[0].strip() in names),
    )


def _check_used(requests: Sequence[FitRequest], names: set[str]) -> None:
    first = requests[0]
    for option, texts in (("--start", first.start), ("--set", first.constants), ("--bounds", first.bounds)):
        for name, _ in _entries([text for text in texts if text != AUTO]):
            if name and name != "all" and name not in names:
                raise UsageError(
                    f"{option} has {name}, which is in none of the models",
                    did_you_mean(name, sorted(names), ""),
                )
            if not name and option == "--start" and not any(text.startswith("@") for text in texts):
                raise UsageError(
                    "--start needs names here: models may have different parameters", "--start a=1,b=2"
                )


# A sum of squares that is larger than that of a model within by more than this part: its fit ended too early.
_MORE = 1e-9


@dataclass(frozen=True, slots=True)
class ModelFit:
    """How one model fared: its ``outcome``, or the ``fault`` in its way.

    ``left_out`` is the root mean square of the residuals of rows that were not fitted, for other losses than the
    squared one their mean loss; None where it is not known.
    """

    prepared: Prepared
    outcome: FitOutcome | None
    fault: GdError | None = None
    aicc: float | None = None
    weight: float | None = None
    left_out: float | None = None
    checks: ResidualChecks | None = None

    @property
    def counts(self) -> bool:
        """Whether it is an answer that others can be held against."""
        found = self.outcome
        return found is not None and found.status is Status.CONVERGED and found.statistics is not None

    @property
    def answer(self) -> FitOutcome:
        assert self.outcome is not None
        return self.outcome

    @property
    def statistics(self) -> FitStatistics:
        assert self.answer.statistics is not None
        return self.answer.statistics

    @property
    def rank(self) -> int:
        return int(self.statistics.errors.rank)


class Nested(NamedTuple):
    """The model number ``smaller`` within the model number ``larger``, from 0, and the test of what that gains.

    ``told`` are those that somebody says are; ``regular`` of others whether the larger has all its parameters there.
    """

    smaller: int
    larger: int
    test: GainTest
    regular: bool
    told: bool


class Verdict(NamedTuple):
    """The ``best`` model by its number from 0 (None: there is none), and how strong the evidence for it is.

    ``by`` names what tells, ``rivals`` are those that the data do not tell from it, ``ratio`` is how many times as
    likely it is as the next one.
    """

    best: int | None
    strength: Strength
    by: str = ""
    rivals: tuple[int, ...] = ()
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class ModelComparison:
    fits: tuple[ModelFit, ...]
    nested: tuple[Nested, ...]
    verdict: Verdict
    folds: int | None
    warnings: tuple[str, ...] = ()


def compare_models(
    models: Sequence[Prepared],
    settings: FitSettings,
    number: int | None = None,
    told: Sequence[tuple[int, int]] = (),
    done: Callable[[float], None] = lambda part: None,
    each: Each = each_here,
) -> ModelComparison:
    """Fit each of the ``models``, which are of the same rows, and compare them.

    ``number`` of folds (as many as rows, or more: each row in turn) are left out and predicted; without, single rows of
    a squared loss are, by their leverages. ``told`` are pairs of numbers from 0: the first is within the second.
    ``done`` hears which part of all fits is done, ``each`` computes what folds left out cost. Raises UsageError for
    pairs that are none.
    """
    _check(models, told)
    fits: list[ModelFit] = []
    for k, one in enumerate(models):
        fits.append(_fitted(one, settings))
        done((k + 1) / len(models))
    nested, warnings = list[Nested](), list[str]()
    for small, large in _pairs(fits):
        found = _nested(fits, small, large, (small, large) in told, settings)
        if found is not None:
            nested.append(found)
    criteria = [aicc(fit.statistics) if fit.counts else None for fit in fits]
    weights = akaike_weights(criteria)
    number = None if number is None else min(number, models[0].data.rows)
    compared = tuple(
        replace(
            fit,
            aicc=criterion,
            weight=weight,
            left_out=_left_out(fit, settings, number, each),
            checks=_checks(fit),
        )
        for fit, criterion, weight in zip(fits, criteria, weights, strict=True)
    )
    for one in models:
        if one.count.skipped and one.count.told not in warnings:
            warnings.append(one.count.told)
    return ModelComparison(compared, tuple(nested), _verdict(compared), number, tuple(warnings))


def _check(models: Sequence[Prepared], told: Sequence[tuple[int, int]]) -> None:
    for pair in told:
        if not all(0 <= k < len(models) for k in pair) or pair[0] == pair[1]:
            raise UsageError(
                f"--nested {pair[0] + 1}:{pair[1] + 1} names no two of the {len(models)} models",
                "--nested 1:2 says that the first model is within the second",
            )


def samples_of(found: ModelComparison) -> list[RowSample | None]:
    """Return some rows of each model for a picture, the same of all; None of one without an answer."""
    return [
        None
        if fit.outcome is None
        else sample_rows(fit.prepared, fit.prepared.row.space.flatten(fit.outcome.point))
        for fit in found.fits
    ]


def _checks(fit: ModelFit) -> ResidualChecks | None:
    if not fit.counts or fit.statistics.exact:
        return None
    return residual_checks(fit.prepared, fit.prepared.row.space.flatten(fit.answer.point))


def _fitted(prepared: Prepared, settings: FitSettings) -> ModelFit:
    try:
        return ModelFit(prepared, with_doubts(prepared, solve(prepared, settings)))
    except UsageError:
        raise
    except GdError as fault:
        return ModelFit(prepared, None, fault)


def _pairs(fits: Sequence[ModelFit]) -> list[tuple[int, int]]:
    """The pairs of models, with fewer and with more parameters, whose gain has a known distribution.

    Where there are penalties, what is minimized is more than a likelihood, and it has none.
    """
    able = [
        k
        for k, fit in enumerate(fits)
        if fit.counts and not (fit.answer.problem.l2 or fit.answer.problem.priors)
    ]
    return [(a, b) for a in able for b in able if fits[a].rank < fits[b].rank]


def _nested(fits: list[ModelFit], small: int, large: int, told: bool, settings: FitSettings) -> Nested | None:
    """The test of one pair; a larger model that ended above the smaller one is fitted again, from where it is that."""
    a, b = fits[small], fits[large]
    found = nesting(a.prepared, a.answer.point, b.prepared, b.answer, solve)
    if found is None and not told:
        return None
    if found is not None and b.answer.value > (1.0 + _MORE) * a.answer.value:
        problem = replace(b.prepared.problem, start=dict(found.point))
        again = _fitted(replace(b.prepared, problem=problem), settings)
        if again.counts and again.answer.value < b.answer.value:
            fits[large] = b = again
    test = gain_test(a.statistics, b.statistics)
    return None if test is None else Nested(small, large, test, found is None or found.regular, told)


def _left_out(fit: ModelFit, settings: FitSettings, number: int | None, each: Each) -> float | None:
    if not fit.counts:
        return None
    prepared, squares = fit.prepared, fit.prepared.row.residual is not None
    if number is None:
        deleted = deleted_residuals(prepared, fit.answer) if squares else None
        return None if deleted is None else sqrt(fsum(r * r for r in deleted) / len(deleted))
    if number < 2:
        raise UsageError(
            "--folds takes 2 or more", "--folds 10, or --folds all to leave out each row in turn"
        )
    start = replace(prepared.problem, start=dict(fit.answer.point), searched=None)
    begun = replace(prepared, problem=start, place=str)
    return left_out_error(begun, settings, number, solve, each)


def _verdict(fits: Sequence[ModelFit]) -> Verdict:
    exact = [k for k, fit in enumerate(fits) if fit.counts and fit.statistics.exact]
    if exact:
        best = min(exact, key=lambda k: fits[k].rank)
        return Verdict(best, Strength.VERY_STRONG, "exact")
    for by in ("aicc", "left_out"):
        known = {k: float(v) for k, fit in enumerate(fits) if (v := getattr(fit, by)) is not None}
        if known:
            return _by_criterion(fits, known, by)
    return Verdict(None, Strength.NONE)


def _by_criterion(fits: Sequence[ModelFit], known: dict[int, float], by: str) -> Verdict:
    order = sorted(known, key=lambda k: known[k])
    best, others = order[0], order[1:]
    if not others:
        return Verdict(best, Strength.NONE, "alone")
    if by == "left_out":
        return Verdict(best, Strength.NONE, by)
    delta = known[others[0]] - known[best]
    strength = Strength.of(delta)
    ratio = exp(min(700.0, 0.5 * delta))
    if strength is not Strength.NONE:
        return Verdict(best, strength, by, (), ratio)
    near = [k for k in order if Strength.of(known[k] - known[best]) is Strength.NONE]
    simplest = min(near, key=lambda k: (fits[k].rank, known[k]))
    return Verdict(simplest, strength, by, tuple(k for k in near if k != simplest), ratio)
