"""The answers to many groups of rows: of each the record of a fit, or an error, with the labels of its group. And what
stored fits, of one group or of many, say of new rows.

Fits that were solved together differ in numbers alone. So their records are written by one text with gaps, made from
the whole record of the first of them; a test holds the lines against the records, key by key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from json import dumps
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from gdcli import __version__
from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.errors import GdError
from gdcli.kernel.number_format import label
from gdcli.kernel.status import Status
from gdcli.record.faults import ErrorRecord, error_record
from gdcli.record.fits import FitRecord, RowsRecord, fit_record
from gdcli.record.schema import SCHEMA, Json, Record, told
from gdcli.record.serialization import Words, json_text, selected, upgraded
from gdcli.tasks.fit.fit_outcome import ResponsePart
from gdcli.tasks.fit.prediction import FittedAnswer, FittedGroups, key_of

if TYPE_CHECKING:
    from numpy import ndarray

    from gdcli.record.runs import Receipt
    from gdcli.tasks.fit.batched_outcomes import SolvedFits
    from gdcli.tasks.fit.fit_groups import GroupFit
    from gdcli.tasks.fit.fit_outcome import FitOutcome


class Group(NamedTuple):
    """A group with its ``labels`` by column: what was ``found``, or the ``fault`` in its way.

    A fit that was solved with many others is at place ``at`` of ``solved``; its record is made when it is asked for.
    ``rows`` counts those used and skipped, a `RowCount` or the record of one.
    """

    labels: Mapping[str, Any]
    rows: Any
    found: FitRecord | None = None
    fault: GdError | None = None
    solved: SolvedFits | None = None
    at: int = 0

    @property
    def status(self) -> str:
        if self.fault is not None:
            return self.fault.status
        return Status.CONVERGED.value if self.found is None else self.found.status

    @property
    def is_good(self) -> bool:
        """Whether there is an answer that its status does not object to."""
        return self.fault is None and Status(self.status).exit_code == 0

    @property
    def message(self) -> str:
        """How it ended; of fits that were solved together nothing is to be said."""
        if self.fault is not None:
            return self.fault.message
        return "" if self.found is None else self.found.message


class GroupRecorder(NamedTuple):
    """What makes records of groups: all have one receipt, and times where ``timing`` asks for them."""

    receipt: Receipt | None = None
    timing: bool = False

    def group(self, fit: GroupFit) -> Group:
        found = None if fit.alone is None else self.record(fit.alone)
        labels = {column: label(value) for column, value in fit.group.items()}
        return Group(labels, fit.rows, found, fit.fault, fit.solved, fit.at)

    def record(self, outcome: FitOutcome) -> FitRecord:
        return replace(fit_record(outcome), receipt=self.receipt)

    def to_json(self, group: Group) -> Json:
        found = group.found
        if group.solved is not None:
            found = self.record(group.solved.outcome(group.at, group.rows))
        if found is not None:
            plain = told(found, self.timing)
        else:
            assert group.fault is not None
            plain = error_record(group.fault).to_json()
            plain["rows"] = {"used": group.rows.used, "skipped": group.rows.skipped}
        head = {"schema": plain.pop("schema"), "type": plain.pop("type")}
        return head | {"group": dict(group.labels)} | plain


def stored_group(record: Json) -> Group:
    """Return the group that was written. Raises KeyError, TypeError or ValueError for what is no such record."""
    rows, labels = RowsRecord.from_json(record["rows"]), dict(record["group"])
    if record["type"] == "error":
        return Group(labels, rows, fault=ErrorRecord.from_json(record).fault)
    return Group(labels, rows, FitRecord.from_json(upgraded(record)))


# -- as lines, and as columns by name --------------------------------------------------------------------------------

_GAP = "\x00gap\x00"


def lines(fits: Sequence[Group], recorder: GroupRecorder) -> Iterator[str]:
    """Yield the record of each group as a line of JSON, without its end."""
    written: dict[int, Iterator[str]] = {}
    members: dict[int, list[Group]] = {}
    for fit in fits:
        if fit.solved is not None:
            members.setdefault(id(fit.solved), []).append(fit)
    for key, some in members.items():
        written[key] = _filled(some, recorder)
    for fit in fits:
        yield json_text(recorder.to_json(fit)) if fit.solved is None else next(written[id(fit.solved)])


def _filled(fits: Sequence[Group], recorder: GroupRecorder) -> Iterator[str]:
    sample, solved = fits[0], fits[0].solved
    assert solved is not None
    at = [fit.at for fit in fits]
    counts = [int(n) for n in solved.ends.products[at]]
    if min(counts) == 0:  # rare, and a key less
        yield from (json_text(recorder.to_json(fit)) for fit in fits)
        return
    whole = recorder.to_json(sample)
    gaps: list[list[str]] = []

    def leave(where: Json, key: str, texts: list[str]) -> None:
        if key in where:
            where[key] = f"{_GAP}{len(gaps)}."
            gaps.append(texts)

    for path, texts in _varying(fits, solved, at):
        where = whole
        for key in path[:-1]:
            where = where.get(key, {})
        leave(where, path[-1], texts)
    text = dumps(whole)
    marks = [dumps(f"{_GAP}{k}.") for k in range(len(gaps))]
    order = sorted(range(len(gaps)), key=lambda k: text.index(marks[k]))
    text = text.replace("%", "%%")
    for mark in marks:
        text = text.replace(mark, "%s")
    yield from (text % row for row in zip(*(gaps[k] for k in order), strict=True))


def _varying(
    fits: Sequence[Group], solved: SolvedFits, at: Sequence[int]
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield where the records differ, and the JSON of what stands there."""
    numbers, space = numbers_of(solved), solved.plan.row.space
    ends, evidence, errors = solved.ends, solved.evidence, solved.statistics.errors
    yield ("group",), [dumps(fit.labels) for fit in fits]
    yield ("message",), _messages(fits, ends.iterations[at])
    for key in (
        *(
            "reason",
            "value",
            "mean_loss",
            "gradient_norm",
            "residual_sd",
            "r_squared",
            "r_squared_about_zero",
        ),
        *("aic", "bic", "chi_square", "p_value", "iterations"),
    ):
        if key in numbers:
            yield (key,), _texts(numbers[key], at)
    for key in ("eigenvalue_min", "eigenvalue_max", "condition", "distance"):
        yield ("certificate", key), _texts(getattr(evidence, key), at)
    yield ("certificate", "estimated_gap"), _texts(evidence.estimated_gap, at)
    kinds = zip(("value", "gradient", "hessian", "product"), _counts(solved), strict=True)
    for key, counted in kinds:
        yield ("evaluations", key), _texts(counted, at)
    arrays: Any
    parts = (("point", ends.x), ("standard_errors", errors.standard_errors), ("t", errors.t_values))
    for key, arrays in (*parts, ("confidence", errors.intervals)):
        texts = _pairs(arrays, at) if key == "confidence" else [_texts(a, at) for a in arrays]
        for name, length in space.lengths.items():
            first = space.offsets[name]
            own = texts[first : first + (length or 1)]
            yield (
                (key, name),
                own[0] if length is None else ["[" + ", ".join(v) + "]" for v in zip(*own, strict=True)],
            )
    yield from _of_errors(solved, at)
    yield ("rows", "used"), [str(fit.rows.used) for fit in fits]
    yield ("rows", "skipped"), [str(fit.rows.skipped) for fit in fits]
    yield ("warnings",), [dumps([fit.rows.told] if fit.rows.skipped else []) for fit in fits]


def _of_errors(solved: SolvedFits, at: Sequence[int]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """What the records say of correlations, and what predictions need; as `_varying`."""
    errors, space = solved.statistics.errors, solved.plan.row.space
    for i in range(space.size):
        for j in range(i):
            both = _texts(errors.correlation[i][j], at)
            for a, b in ((i, j), (j, i)):
                yield ("correlation", space.label(a), space.label(b)), both
    if errors.factor is not None:
        yield ("covariance_factor",), _matrices(errors.factor, at)
    for name, ends_of_column in solved.ranges.items():
        yield ("ranges", name), _pairs([ends_of_column], at)[0]


def _messages(fits: Sequence[Group], iterations: ndarray) -> list[str]:
    """The messages, which differ with the number of iterations alone."""
    known: dict[int, str] = {}
    found = []
    for fit, count in zip(fits, iterations.tolist(), strict=True):
        if count not in known:
            assert fit.solved is not None
            known[count] = dumps(fit.solved.outcome(fit.at, fit.rows).message)
        found.append(known[count])
    return found


def _counts(solved: SolvedFits) -> list[Any]:
    ends = solved.ends
    return [ends.trials, ends.trials, ends.hessians, ends.products]


def _texts(values: Any, at: Sequence[int]) -> list[str]:
    """JSON of an array of numbers, or of a list of texts, at some places."""
    if isinstance(values, list):
        return [dumps(values[k]) for k in at]
    chosen = values[at].tolist()
    if isinstance(chosen[0], float) and not all(map(isfinite, chosen)):
        return [repr(v) if isfinite(v) else "null" for v in chosen]
    return list(map(repr, chosen))


def _matrices(entries: Any, at: Sequence[int]) -> list[str]:
    """JSON of arrays (rows, columns, fits), at some places."""
    rows = [[_texts(entry, at) for entry in row] for row in entries]
    lines = [["[" + ", ".join(cells) + "]" for cells in zip(*row, strict=True)] for row in rows]
    return ["[" + ", ".join(each) + "]" for each in zip(*lines, strict=True)]


def _pairs(intervals: Sequence[tuple[ndarray, ndarray]], at: Sequence[int]) -> list[list[str]]:
    return [
        [f"[{a}, {b}]" for a, b in zip(_texts(low, at), _texts(high, at), strict=True)]
        for low, high in intervals
    ]


# -- by name -----------------------------------------------------------------------------------------------------------


def numbers_of(solved: SolvedFits) -> dict[str, Any]:
    """Return what --print and csv know of fits that were solved together, by name: an array, or a list of texts."""
    ends, found, errors = solved.ends, solved.statistics, solved.statistics.errors
    numbers: dict[str, Any] = {
        "value": ends.value + 0.0,
        "mean_loss": ends.value / solved.sizes,
        "gradient_norm": solved.evidence.gradient_norm,
        "reason": ["gain-tolerance" if moved else "stationary" for moved in ends.misfit > 0.0],
        "residual_sd": found.residual_sd,
        "r_squared": found.r_squared,
        "aic": found.aic,
        "bic": found.bic,
        "iterations": ends.iterations,
        "estimated_gap": solved.evidence.estimated_gap,
        "evaluations": sum(_counts(solved)),
        "rows": solved.sizes,
        "seconds": [solved.seconds] * len(solved.sizes),
    }
    some = {"chi_square": found.chi_square, "p_value": found.chi_square_p}
    some["r_squared_about_zero"] = found.r_squared_about_zero
    numbers |= {name: value for name, value in some.items() if value is not None}
    t_values, intervals = errors.t_values, errors.intervals
    for i, name in enumerate(solved.plan.row.space.labels):
        numbers[name] = ends.x[i]
        interval: Any = intervals[i]
        own = {"se": errors.standard_errors[i], "t": t_values[i], "low": interval[0], "high": interval[1]}
        numbers |= {f"{name}.{part}": values for part, values in own.items()}
    return numbers


def cells(
    fits: Sequence[Group], names: Sequence[str], recorder: GroupRecorder, words: Words
) -> Iterator[list[Any]]:
    """Yield what is under ``names`` of each group; None for what a group does not have."""
    known: dict[int, list[list[Any]] | None] = {}
    for fit in fits:
        solved = fit.solved
        if solved is not None:
            if id(solved) not in known:
                known[id(solved)] = _by_place(solved, names)
            rows = known[id(solved)]
            if rows is not None:
                yield [_own(fit, n) if v is _OWN else v for n, v in zip(names, rows[fit.at], strict=True)]
                continue
        if fit.fault is not None:
            yield [_own(fit, name) for name in names]
            continue
        found = recorder.to_json(fit)
        own = [name for name in _OF_GROUP if name not in found["point"]]
        yield [_own(fit, n) if n in own else selected(n, found, words) for n in names]


_OWN = object()
_OF_GROUP = ("status", "skipped", "message", "seconds")


def _own(fit: Group, name: str) -> Any:
    if name == "message":
        return "" if fit.status == "converged" else fit.message
    if name == "seconds":
        return None if fit.found is None else fit.found.seconds
    return {"status": fit.status, "rows": fit.rows.used, "skipped": fit.rows.skipped}.get(name)


def _by_place(solved: SolvedFits, names: Sequence[str]) -> list[list[Any]] | None:
    """What is under the names of all fits that were solved together; None where a name needs the records."""
    numbers = numbers_of(solved)
    columns = []
    for name in names:
        if name in numbers:
            values = numbers[name]
            columns.append(values if isinstance(values, list) else values.tolist())
        elif name in _OF_GROUP:
            columns.append([_OWN] * len(solved.sizes))
        else:
            return None
    return [list(row) for row in zip(*columns, strict=True)]


# -- predictions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionsRecord(Record):
    """``rows`` have the columns that the formula reads, and under the names of `PREDICTED` what is said of each.

    Of several ``responses`` the names begin with the left side and _. ``notes`` tell what was found out of the files.
    """

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "predictions"}

    expression: str
    interval: str
    level: float
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    responses: tuple[ResponsePart, ...] = ()
    notes: tuple[str, ...] = ()
    version: str = __version__


def fitted_answer(found: FitRecord) -> FittedAnswer:
    problem = found.problem
    squares = found.residual_sd is not None and (not problem.sigma or problem.scale_sigma)
    return FittedAnswer.of_problem(
        problem,
        found.residual_sd,
        problem.columns or {},
        problem.space.lengths,
        found.x,
        found.covariance_factor,
        float(found.rows.learned - (found.rank or 0)) if squares else inf,
        found.ranges or {},
        {text: (c.base, c.parameters) for text, c in (problem.categories or {}).items()},
        {name: (d.unit, d.origin, d.day_first, d.form) for name, d in (problem.dates or {}).items()},
        found.responses,
    )


def fitted_groups(found: Sequence[Group]) -> FittedGroups:
    answers: dict[tuple[Any, ...], FittedAnswer | str] = {}
    for group in found:
        answers[key_of(group.labels)] = group.message if group.found is None else fitted_answer(group.found)
    return FittedGroups(tuple(found[0].labels), answers)
