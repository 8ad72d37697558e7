"""What a fitted formula says of rows, of those that it was fitted to or of new ones, and how well it is known there.

With g the derivatives of the formula f by the parameters and U U' their covariance, the standard error of f is the
length of U'g (the delta method; exact where the model is linear). The band of confidence, for the mean, is f plus and
minus that times the quantile of Student's t; that of prediction, for one more row, adds the variance of a row to the
square (Draper and Smith, Applied Regression Analysis, 3rd ed., 1998, section 3.1; R's ``predict``). Of labels f is the
logit: the band is that of the logit, brought to probabilities, and the error is that of the probability. Of a mean that
must be positive it is that of its logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.judge.distributions import student_t_quantile
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.vectors import Array, np
from gdcli.language.category_calls import Levels
from gdcli.language.functions import CONSTANTS
from gdcli.language.losses import LOGITS, POSITIVE
from gdcli.language.model_text import Model, Names, columns_told, parse_model
from gdcli.language.parts import read_parts
from gdcli.objective.row_model import RowModel, Weighting, build_row_model
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.annotated_output import Wanted
from gdcli.tasks.fit.request import check_level
from gdcli.tasks.fit.row_sample import RowsInPlace

if TYPE_CHECKING:
    from gdcli.tasks.fit.asked_columns import AskedColumns
    from gdcli.tasks.fit.fit_outcome import FitOutcome

CONFIDENCE, PREDICTION = "confidence", "prediction"
# The columns of what is predicted.
PREDICTED = ("fitted", "standard_error", "low", "high", "extrapolated")


NOTHING: Mapping[str, Any] = {}


class FittedAnswer(NamedTuple):
    """An answer of a fit as far as it says something of other rows.

    The texts and names are those of the fit, ``x`` its parameters in flat order. ``factor`` is the upper triangle U of
    their covariance ``U U'``, None where it is not known. ``scale`` is the standard deviation of a row of weight 1,
    None where there is none; ``dof`` are its degrees of freedom, inf where it is known. ``ranges`` are those of the
    columns. ``categories`` has base and parameters by the calls in the model, ``dates`` a `DateForm` by column.
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
    categories: Mapping[str, tuple[str, Mapping[str, str]]] = NOTHING
    dates: Mapping[str, tuple[str, str, bool | None, str | None]] = NOTHING

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
            {text: (levels.base, levels.parameters) for text, levels in problem.categories.items()},
            problem.dates,
        )

    @property
    def levels(self) -> dict[str, Levels]:
        return {text: Levels.of(text, *told) for text, told in self.categories.items()}

    def row(self, interval: str, columns: Sequence[str], asked: AskedColumns | None = None) -> RowModel:
        """Return what is computed of new rows with these columns, and with those that can be ``asked`` for.

        Raises UsageError for a column that is not there.
        """
        model = parse_model(self.model)
        if model.left is None:
            raise UsageError("the fit is of the loss of a row, without ~, and that predicts nothing")
        if self.let:
            model = model.using(read_parts(self.let))
        model = model.with_levels(self.levels)
        needed = list(_columns(self, model.right.names))
        for name in needed:
            if name not in columns:
                hint = did_you_mean(name, list(filter(None, columns)), columns_told(columns))
                raise UsageError(f"the new rows have no column {name}, which the formula needs", hint)
        weighting = None if interval == CONFIDENCE else self._weighting(columns, asked)
        matrices = {name: tuple(self.matrices[name]) for name in model.right.names if name in self.matrices}
        names = Names(dict(self.lengths), tuple(needed), matrices)
        nothing = parse_model("0 ~ 0").left
        right = Model(model.text, nothing, model.right)
        loss = "logistic" if self.loss in LOGITS else "squared"
        known = {name: value for name, value in self.constants.items() if name in model.right.names}
        return build_row_model(right, names, known, loss, weighting)

    def _weighting(self, columns: Sequence[str], asked: AskedColumns | None) -> Weighting | None:
        text, option = self.sigma or self.weights, "sigma" if self.sigma else "weights"
        if text is None:
            return None
        try:
            if text not in columns and asked is not None:
                text = asked.column(text, f"--{option}")
            elif text not in columns:
                raise UsageError(f"the new rows have no column {text}", columns_told(columns))
        except UsageError as error:
            if not self.sigma:
                return None
            told = f"{error.message}, and the band of prediction needs --sigma '{self.sigma}' of each new row"
            raise UsageError(told, error.hint) from None
        return Weighting(text, option)


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


def refuse_responses(responses: Sequence[object]) -> None:
    if responses:
        raise UsageError(
            "the fit is of several responses, and new rows are predicted by one formula",
            "fit one of them, with the parameters in --set, and predict by that",
        )


def predicted(outcome: FitOutcome, row: RowModel) -> Wanted:
    """Return what a fit says of rows as those that it was fitted to, ``row``, with the band of confidence."""
    answer = FittedAnswer.of(outcome)
    return Wanted(PREDICTED, row.columns, bands(answer, row, CONFIDENCE, outcome.problem.told_level))


def bands(
    answer: FittedAnswer, row: RowModel, interval: str, level: float
) -> Callable[[list[Any]], dict[str, Array]]:
    """Return what makes of the columns of the model ``row``, (rows,) each, what ``answer`` says of the rows.

    The values, with the band of an ``interval`` at a ``level``, are arrays (rows,) under the names of `PREDICTED`; nan
    where nothing is known.
    """
    quantile = student_t_quantile(level, answer.dof) if answer.dof > 0.0 else 0.0
    variance = answer.scale**2 if interval == PREDICTION and answer.scale is not None else 0.0
    columns = row.columns
    held = RowsInPlace(columns)
    ranges = [(k, answer.ranges[name]) for k, name in enumerate(columns) if name in answer.ranges]

    def values(arrays: list[Any]) -> dict[str, Array]:
        arrays = [np.asarray(array, dtype=float) for array in arrays]
        held.put(arrays)
        *slopes, fitted, weight = RowObjective(row, held).all_rows("predicted", answer.x)
        error = np.full(len(fitted), np.nan)
        if answer.factor is not None:
            error = np.sqrt(((np.array(answer.factor).T @ np.array(slopes)) ** 2).sum(axis=0))
        with np.errstate(all="ignore"):
            reach = quantile * np.sqrt(error**2 + variance / weight)
            low, high = fitted - reach, fitted + reach
            if answer.loss in POSITIVE:
                times = np.exp(reach / np.where(fitted > 0.0, fitted, np.nan))
                low, high = fitted / times, fitted * times
            elif answer.loss in LOGITS:
                fitted, low, high = (1.0 / (1.0 + np.exp(-v)) for v in (fitted, low, high))
                error = error * fitted * (1.0 - fitted)
        beyond = np.zeros(len(fitted), dtype=bool)
        for k, (least, most) in ranges:
            beyond |= (arrays[k] < least) | (arrays[k] > most)
        return dict(zip(PREDICTED, (fitted, error, low, high, beyond), strict=True))

    return values
