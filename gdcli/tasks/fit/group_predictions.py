"""What a fit to groups says of new rows: of each row what the answer of its group says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import Array, Space, lengths_of, np
from gdcli.table.blocks import Label
from gdcli.table.cells import shown
from gdcli.table.row_groups import Groups
from gdcli.table.source import open_table, table_at_hand
from gdcli.tasks.fit.annotated_output import Wanted
from gdcli.tasks.fit.asked_columns import asked_again
from gdcli.tasks.fit.prediction import PREDICTED, FittedAnswer, bands, check, said_of
from gdcli.tasks.fit.prepare import columns_of
from gdcli.tasks.python_problem import columns_at_hand

if TYPE_CHECKING:
    from gdcli.table.source import DataTable
    from gdcli.tasks.fit.fit_outcome import FitOutcome, GroupPart

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
