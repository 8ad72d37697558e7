"""What a fitted formula says of rows, of those that it was fitted to or of new ones, and how well it is known there.

With g the derivatives of the formula f by the parameters and U U' their covariance, the standard error of f is the
length of U'g (the delta method; exact where the model is linear). The band of confidence, for the mean, is f plus and
minus that times the quantile of Student's t; that of prediction, for one more row, adds the variance of a row to the
square (Draper and Smith, Applied Regression Analysis, 3rd ed., 1998, section 3.1; R's ``predict``). Of labels f is the
logit: the band is that of the logit, brought to probabilities, and the error is that of the probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.judge.distributions import student_t_quantile
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.vectors import Array
from gdcli.language.functions import CONSTANTS
from gdcli.language.losses import LOGITS
from gdcli.language.model_text import Model, Names, columns_told, parse_model
from gdcli.objective.row_model import RowModel, Weighting, build_row_model
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.annotated_output import Wanted
from gdcli.tasks.fit.request import check_level
from gdcli.tasks.fit.row_sample import RowsInPlace

if TYPE_CHECKING:
    from gdcli.language.category_calls import Levels
    from gdcli.table.source import DataTable
    from gdcli.tasks.fit.fit_outcome import FitOutcome

CONFIDENCE, PREDICTION = "confidence", "prediction"
# The columns of what is predicted.
PREDICTED = ("fitted", "standard_error", "low", "high", "extrapolated")


NOTHING: Mapping[str, Any] = {}


class CategoryTold(Protocol):
    """The levels of a category as an answer has them."""

    @property
    def base(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, str]: ...


class DateTold(Protocol):
    """How dates were read, as an answer has it; see `gdcli.table.dates.DateForm`, which is one."""

    @property
    def unit(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def day_first(self) -> bool | None: ...
    @property
    def form(self) -> str | None: ...


class FittedAnswer(NamedTuple):
    """An answer of a fit as far as it says something of other rows.

    The texts and names are those of the fit, ``x`` its parameters in flat order. ``factor`` is the upper triangle U of
    their covariance ``U U'``, None where it is not known. ``scale`` is the standard deviation of a row of weight 1,
    None where there is none; ``dof`` are its degrees of freedom, inf where it is known. ``ranges`` are those of the
    columns.
    """

    model: str
    let: tuple[str, ...]
    constants: Mapping[str, Any]
    matrices: Mapping[str, Sequence[str]]
    lengths: Mapping[str, int | None]
    x: Sequence[float]
    loss: str
    weights: str | None
    sigma: str | None
    factor: Sequence[Sequence[float]] | None
    scale: float | None
    dof: float
    ranges: Mapping[str, Sequence[float]]
    categories: Mapping[str, CategoryTold] = NOTHING
    dates: Mapping[str, DateTold] = NOTHING

    @classmethod
    def of(cls, outcome: FitOutcome) -> FittedAnswer:
        problem, found = outcome.problem, outcome.statistics
        scale = None if found is None else found.residual_sd
        return cls(
            problem.expression,
            problem.let,
            problem.constants,
            problem.matrices,
            outcome.space.lengths,
            list(map(float, outcome.run.best.at.x)),
            problem.loss,
            problem.weights,
            problem.sigma,
            None if found is None else found.errors.factor,
            1.0 if problem.sigma and not problem.scale_sigma else scale,
            float("inf") if found is None else found.errors.dof,
            outcome.ranges,
            problem.categories,
            problem.dates,
        )

    @property
    def levels(self) -> dict[str, Levels]:
        """The levels of the categories, by the texts of their calls in the model."""
        from gdcli.language.category_calls import Levels

        return {text: Levels.of(text, told.base, told.parameters) for text, told in self.categories.items()}

    def columns(self, table: DataTable) -> tuple[str, ...]:
        """Return the names of a table's columns, and of those that the fit made of others, which it is told."""
        if self.categories or self.dates:
            from gdcli.tasks.fit.asked_columns import derived_again

            table.derived = derived_again(table, self.levels, self.dates)
        return (*table.names, *(table.derived.recipes if table.derived else ()))

    def row(self, interval: str, columns: Sequence[str]) -> RowModel:
        """Return what is computed of new rows with these columns. Raises UsageError for one that is not there."""
        model = parse_model(self.model)
        if model.left is None:
            raise UsageError("the fit is of the loss of a row, without ~, and that predicts nothing")
        if self.let:
            from gdcli.language.parts import read_parts

            model = model.using(read_parts(self.let))
        model = model.with_levels(self.levels)
        needed = list(_columns(self, model.right.names))
        weighting = self._weighting(interval, columns)
        for name in (*needed, *([weighting.column] if weighting else [])):
            if name not in columns:
                hint = did_you_mean(name, list(filter(None, columns)), columns_told(columns))
                raise UsageError(f"the new rows have no column {name}, which the formula needs", hint)
        matrices = {name: tuple(self.matrices[name]) for name in model.right.names if name in self.matrices}
        names = Names(dict(self.lengths), tuple(needed), matrices)
        nothing = parse_model("0 ~ 0").left
        right = Model(model.text, nothing, model.right)
        loss = "logistic" if self.loss in LOGITS else "squared"
        known = {name: value for name, value in self.constants.items() if name in model.right.names}
        return build_row_model(right, names, known, loss, weighting)

    def _weighting(self, interval: str, columns: Sequence[str]) -> Weighting | None:
        """What weights a row: of predictions its standard deviation, which must be known, or its weight, else 1."""
        if interval == CONFIDENCE:
            return None
        if self.sigma:
            return Weighting(self.sigma, "sigma")
        return Weighting(self.weights, "weights") if self.weights and self.weights in columns else None


def _columns(answer: FittedAnswer, names: Sequence[str]) -> dict[str, None]:
    """The columns that a formula with these names reads, in order."""
    found: list[str] = []
    for name in names:
        if name in answer.matrices:
            found += answer.matrices[name]
        elif name not in answer.lengths and name not in answer.constants and name not in CONSTANTS:
            found.append(name)
    return dict.fromkeys(found)


def check(answer: FittedAnswer, interval: str, level: float) -> None:
    """Raise UsageError for a band that the answer has not."""
    check_level(level)
    if interval not in (CONFIDENCE, PREDICTION):
        hint = did_you_mean(interval, (CONFIDENCE, PREDICTION))
        raise UsageError(f"--interval is {CONFIDENCE} or {PREDICTION}, not {interval}", hint)
    if interval == PREDICTION and (answer.loss != "squared" or answer.scale is None):
        why = f"the loss {answer.loss} tells none" if answer.loss != "squared" else "it is not known"
        raise UsageError(
            f"--interval {PREDICTION} needs the standard deviation of a row, and {why}",
            f"--interval {CONFIDENCE} is that of the mean",
        )


def refuse_groups(groups: Sequence[object], responses: Sequence[object]) -> None:
    """Raise UsageError for an answer in which each group has parameters of its own, or that is of several responses."""
    if responses:
        raise UsageError(
            "the fit is of several responses, and new rows are predicted by one formula",
            "fit one of them, with the parameters in --set, and predict by that",
        )
    if groups:
        raise UsageError(
            "each group of the fit has its own parameters, and new rows are predicted by those of one formula",
            "fit the rows of one group, with the shared parameters in --set, and predict by that",
        )


def predicted(outcome: FitOutcome, row: RowModel) -> Wanted:
    """Return what a fit says of rows as those that it was fitted to, ``row``, with the band of confidence."""
    return bands(FittedAnswer.of(outcome), row, CONFIDENCE, outcome.problem.told_level)


def predictions(outcome: FitOutcome, data: Any, interval: str, level: float) -> dict[str, Array]:
    """Return what a fit says of rows at hand or in files; see `gdcli.api.predict`."""
    import numpy as np

    from gdcli.table.at_hand import table_at_hand
    from gdcli.table.source import open_table
    from gdcli.tasks.fit.prepare import columns_of
    from gdcli.tasks.python_problem import columns_at_hand

    refuse_groups(outcome.groups, outcome.responses)
    answer, given = FittedAnswer.of(outcome), columns_at_hand(data)
    check(answer, interval, level)
    if isinstance(given, Mapping) and not (answer.categories or answer.dates):
        wanted = bands(answer, answer.row(interval, list(given)), interval, level)
        with columns_of({name: given[name] for name in wanted.columns}) as columns:
            return dict(wanted.values(columns.take(0, columns.rows)))
    with table_at_hand(given) if isinstance(given, Mapping) else open_table(tuple(given)) as table:
        wanted = bands(answer, answer.row(interval, answer.columns(table)), interval, level)
        found = [wanted.values(list(block.columns)) for block in table.blocks(wanted.columns)]
    return {name: np.concatenate([part[name] for part in found]) for name in PREDICTED}


def bands(answer: FittedAnswer, row: RowModel, interval: str, level: float) -> Wanted:
    """Return what ``answer`` says of rows of the model ``row``, with the band of an ``interval`` at a ``level``.

    The values are arrays (rows,) under the names of `PREDICTED`; nan where nothing is known.
    """
    quantile = student_t_quantile(level, answer.dof) if answer.dof > 0.0 else 0.0
    variance = answer.scale**2 if interval == PREDICTION and answer.scale is not None else 0.0
    columns = row.columns
    held = RowsInPlace(columns)
    ranges = [(k, answer.ranges[name]) for k, name in enumerate(columns) if name in answer.ranges]

    def values(arrays: list[Any]) -> dict[str, Array]:
        import numpy as np

        arrays = [np.asarray(array, dtype=float) for array in arrays]
        held.put(arrays)
        pieces = [found for _, found in RowObjective(row, held).pieces("predicted", answer.x)]
        *slopes, fitted, weight = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        error = np.full(len(fitted), np.nan)
        if answer.factor is not None:
            error = np.sqrt(((np.array(answer.factor).T @ np.array(slopes)) ** 2).sum(axis=0))
        with np.errstate(all="ignore"):
            reach = quantile * np.sqrt(error**2 + variance / weight)
            low, high = fitted - reach, fitted + reach
            if answer.loss in LOGITS:
                fitted, low, high = (1.0 / (1.0 + np.exp(-v)) for v in (fitted, low, high))
                error = error * fitted * (1.0 - fitted)
        beyond = np.zeros(len(fitted), dtype=bool)
        for k, (least, most) in ranges:
            beyond |= (arrays[k] < least) | (arrays[k] > most)
        return dict(zip(PREDICTED, (fitted, error, low, high, beyond), strict=True))

    return Wanted(PREDICTED, columns, values)
