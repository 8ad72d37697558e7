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
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.vectors import Array, np
from gdcli.language.category_calls import Levels
from gdcli.language.functions import CONSTANTS
from gdcli.language.losses import LOGITS, POSITIVE
from gdcli.language.model_text import Model, Names, columns_told, parse_model
from gdcli.language.relation import read_parts
from gdcli.objective.row_model import RowModel, Weighting, build_row_model
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.annotated_output import Wanted
from gdcli.tasks.fit.asked_columns import sigmas_of
from gdcli.tasks.fit.request import check_level
from gdcli.tasks.fit.row_sample import RowsInPlace

if TYPE_CHECKING:
    from gdcli.tasks.fit.asked_columns import AskedColumns
    from gdcli.tasks.fit.fit_outcome import FitOutcome, ResponsePart

CONFIDENCE, PREDICTION = "confidence", "prediction"
# The columns of what is predicted.
PREDICTED = ("fitted", "standard_error", "low", "high", "extrapolated")


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
    loss: str
    weights: str | None
    sigma: str | None
    scale: float | None
    matrices: Mapping[str, Sequence[str]]
    lengths: Mapping[str, int | None]
    x: Sequence[float]
    factor: Sequence[Sequence[float]] | None
    dof: float
    ranges: Mapping[str, Sequence[float]]
    categories: Mapping[str, tuple[str, Mapping[str, str]]]
    dates: Mapping[str, tuple[str, str, bool | None, str | None]]
    responses: Sequence[ResponsePart]

    @classmethod
    def of_problem(cls, problem: Any, residual_sd: float | None, *rest: Any) -> FittedAnswer:
        """Return the answer to a problem as it was asked, or as its record tells it; ``rest`` are the other fields."""
        texts = problem.expression, tuple(problem.let or ()), problem.constants, problem.loss or ""
        scale = 1.0 if problem.sigma and not problem.scale_sigma else residual_sd
        return cls(*texts, problem.weights, problem.sigma, scale, *rest)

    @classmethod
    def of(cls, outcome: FitOutcome) -> FittedAnswer:
        problem, found = outcome.problem, outcome.statistics
        return cls.of_problem(
            problem,
            None if found is None else found.residual_sd,
            problem.matrices,
            outcome.space.lengths,
            list(map(float, outcome.run.best.at.x)),
            None if found is None else found.errors.factor,
            float("inf") if found is None else found.errors.dof,
            outcome.ranges,
            {text: (levels.base, levels.parameters) for text, levels in problem.categories.items()},
            problem.dates,
            outcome.responses,
        )

    def by_response(self) -> dict[str, FittedAnswer]:
        """Return the answer of each of several ``responses``, by its left side; that of one alone is without name."""
        if not self.responses:
            return {"": self}
        sides, found = [part.response for part in self.responses], {}
        sigmas = sigmas_of(self.sigma, sides)
        for k, part in enumerate(self.responses):
            sigma = sigmas[k] if sigmas else None
            scale = self.scale if sigma or self.scale is None else self.scale * part.residual_sd
            found[part.response] = self._replace(model=part.model, sigma=sigma, scale=scale, responses=())
        return found

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


def said_of(
    answer: FittedAnswer,
    interval: str,
    level: float,
    columns: Sequence[str],
    asked: AskedColumns | None = None,
) -> Wanted:
    """Return what is said of rows with these ``columns``: of each of several responses, under its left side and _.

    Whether a row is extrapolated is said once, for all of them. Raises as `FittedAnswer.row`.
    """
    answers = answer.by_response()
    rows = {side: one.row(interval, columns, asked) for side, one in answers.items()}
    needed = tuple(dict.fromkeys(name for row in rows.values() for name in row.columns))
    if not needed:
        raise UsageError("the formula reads no column, and says the same of every row", "gd show has it")
    said = {
        f"{side}_" if side else "": bands(answers[side], replace(row, columns=needed), interval, level)
        for side, row in rows.items()
    }
    *told, beyond = PREDICTED

    def values(arrays: list[Any]) -> dict[str, Array]:
        found = ((before, says(arrays)) for before, says in said.items())
        return {n if n == beyond else before + n: each for before, one in found for n, each in one.items()}

    return Wanted([*(before + name for before in said for name in told), beyond], needed, values)


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
