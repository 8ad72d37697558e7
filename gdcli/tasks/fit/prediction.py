"""What a fitted formula predicts for rows, old or new, and how well it is known there.

With g the derivatives of the formula f by the parameters and U U' their covariance, the standard error of f is the
length of U'g (the delta method; exact where the model is linear). The band of confidence, for the mean, is f plus and
minus that times the quantile of Student's t; that of prediction, for one more row, adds the variance of a row to the
square (Draper and Smith, Applied Regression Analysis, 3rd ed., 1998, section 3.1; R's ``predict``). Of labels f is the
logit: the band is that of the logit, brought to probabilities, and the error is that of the probability. Of a mean that
must be positive it is that of its logarithm. Of a fit to groups each row has
what the answer of its group predicts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from gdcli.judge.distributions import student_t_quantile
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import DataError, UsageError, did_you_mean
from gdcli.kernel.vectors import Array, Space, lengths_of, np
from gdcli.language.functions import CONSTANTS
from gdcli.language.losses import LOGITS, POSITIVE
from gdcli.language.model_text import Model, Names, columns_told, parse_model
from gdcli.language.relation import read_parts
from gdcli.language.row_condition import Levels
from gdcli.objective.row_model import RowModel, Weighting, build_row_model
from gdcli.objective.row_objective import RowObjective
from gdcli.table.blocks import Label, columns_of
from gdcli.table.cells import shown
from gdcli.table.row_groups import Groups
from gdcli.table.source import DataTable, open_table, table_at_hand
from gdcli.tasks.fit.annotated_output import Wanted
from gdcli.tasks.fit.asked_columns import AskedColumns, asked_again, sigmas_of
from gdcli.tasks.fit.fit_outcome import FitOutcome, GroupPart, ResponsePart
from gdcli.tasks.fit.request import check_level
from gdcli.tasks.fit.some_rows import RowsInPlace
from gdcli.tasks.python_problem import columns_at_hand

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


# So many groups are named to whoever has rows of another one.
_NAMED = 6


class FittedGroups(NamedTuple):
    """The answers of one model to groups, by their labels in the columns ``by``; for the others why there is none."""

    by: tuple[str, ...]
    answers: Mapping[tuple[Label, ...], FittedAnswer | str]

    @classmethod
    def of(cls, shared: FittedAnswer, parts: Sequence[GroupPart]) -> FittedGroups:
        """Return those of a fit with ``shared`` parameters, and of each group its own."""
        return cls(tuple(parts[0].group), {key_of(part.group): _with_own(shared, part) for part in parts})

    @property
    def first(self) -> FittedAnswer:
        found = [each for each in self.answers.values() if not isinstance(each, str)]
        if not found:
            raise DataError("no group of the fit has an answer", str(next(iter(self.answers.values()), "")))
        return found[0]


def key_of(group: Mapping[str, Any]) -> tuple[Label, ...]:
    return tuple(value if isinstance(value, str) else float(value) for value in group.values())


def _with_own(shared: FittedAnswer, part: GroupPart) -> FittedAnswer:
    """The answer of a group with its own parameters, which come first, and the shared ones."""
    own = Space(lengths_of(part.point))
    factor = None
    if shared.factor is not None and part.covariance_factor is not None:
        factor = [*part.covariance_factor, *([0.0] * own.size + list(row) for row in shared.factor)]
    return shared._replace(
        lengths={**own.lengths, **shared.lengths},
        x=[*own.flatten(part.point), *shared.x],
        factor=factor,
        ranges=part.ranges or {},
    )


def wanted_of(
    found: FittedAnswer | FittedGroups,
    table: DataTable,
    interval: str,
    level: float,
    rows: Sequence[str] = (),
) -> Wanted:
    """Return what is said of the ``rows`` of a table that are kept. Raises UsageError for a column it does not have."""
    answer = found.first if isinstance(found, FittedGroups) else found
    asked = asked_again(table, answer.levels, answer.dates, answer.constants, rows)
    said = said_of(answer, interval, level, asked.names, asked)
    if not isinstance(found, FittedGroups):
        return said
    row = answer.row(interval, asked.names, asked)
    groups = Groups(found.by, found.answers)
    answers = list(found.answers.values())

    @cache
    def said_by(number: int) -> Callable[[list[Any]], dict[str, Array]]:
        answer = answers[number] if number < len(answers) else "no such group was fitted"
        if isinstance(answer, str):
            source, line = groups.first(number)
            key = groups.keys[number]
            labels = ", ".join(f"{c} = {shown(v)}" for c, v in zip(found.by, key, strict=True))
            raise DataError(
                f"{table.sources[source].name}:{line}: {labels}: {answer}", _leave_out(found, key)
            )
        return bands(answer, row, interval, level)

    return Wanted(PREDICTED, row.columns, partial(_by_group, said_by), groups)


def predictions(outcome: FitOutcome, data: Any, interval: str, level: float) -> dict[str, Array]:
    """Return what a fit says of rows at hand or in files; see `gdcli.api.predict`."""
    answer, given = FittedAnswer.of(outcome), columns_at_hand(data)
    check(answer, interval, level)
    weighting = answer.sigma or answer.weights
    made = answer.categories or answer.dates or (weighting is not None and weighting not in given)
    if isinstance(given, Mapping) and not (made or outcome.groups):
        said = said_of(answer, interval, level, list(given))
        with columns_of({name: given[name] for name in said.columns}) as columns:
            return dict(said.values(columns.take(0, columns.rows)))
    whole = FittedGroups.of(answer, outcome.groups) if outcome.groups else answer
    with table_at_hand(given) if isinstance(given, Mapping) else open_table(tuple(given)) as table:
        wanted = wanted_of(whole, table, interval, level)
        found = [values for _, values in wanted.of(table)]
    return {name: np.concatenate([part[name] for part in found]) for name in wanted.names}


def _by_group(
    said_by: Callable[[int], Callable[[list[Any]], dict[str, Array]]], arrays: list[Any]
) -> dict[str, Array]:
    """Return what is said of rows, the last of whose ``arrays`` has the numbers of their groups."""
    *columns, numbers = (np.asarray(array) for array in arrays)
    order = np.argsort(numbers, kind="stable")
    cuts = np.flatnonzero(np.diff(numbers[order])) + 1
    parts = [(int(numbers[rows[0]]), rows) for rows in np.split(order, cuts) if len(rows)]
    told = [said_by(number)([column[rows] for column in columns]) for number, rows in parts]
    back = np.argsort(np.concatenate([rows for _, rows in parts])) if parts else order
    return {name: np.concatenate([part[name] for part in told])[back] for name in PREDICTED}


def _leave_out(found: FittedGroups, key: Sequence[Label]) -> str:
    known = ", ".join(" ".join(map(shown, each)) for each in list(found.answers)[:_NAMED])
    more = ", ..." if len(found.answers) > _NAMED else ""
    cell = f'"{key[0]}"' if isinstance(key[0], str) else shown(key[0])
    return f"the groups are {known}{more}; --rows '{found.by[0]} != {cell}' leaves out others"
