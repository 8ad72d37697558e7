"""What is asked for in place of the columns and rows of a table: columns that are computed, rows that are kept.

    table.derived = Derived(recipes={"0.05*y": expression(...)}, conditions=[Condition(...)], ranges=[(10, 200)])

A recipe tells which columns of numbers and of labels it reads, and makes a column of them. All ways to read a table
give the same numbers and labels, so that what is derived of them has the same bits as a column of the file would have.
What is wrong with a row that is not kept is nobody's concern: faults wait until it is known which rows are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.compile.runners import batch_function
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.vectors import Array, np
from gdcli.language import form
from gdcli.language.functions import CONSTANTS
from gdcli.language.graph import RELATIONS, Graph
from gdcli.language.model_text import no_column
from gdcli.language.row_condition import Compared, Joined, Said, Test, parts_of
from gdcli.language.syntax import parse
from gdcli.language.tree_names import check_calls, place_of_name
from gdcli.table.blocks import BadRow, Cells, Labels, RowBlock, Skip, coded
from gdcli.table.cells import SKIP, label

if TYPE_CHECKING:
    from gdcli.language.syntax import Tree
    from gdcli.table.text_columns import Dated


class Recipe(Protocol):
    """How a column is made: ``numbers`` and ``texts`` are the names of the columns that are read for it."""

    @property
    def numbers(self) -> tuple[str, ...]: ...
    @property
    def texts(self) -> tuple[str, ...]: ...
    def of(self, cells: Cells) -> Array:
        """Return the column, float64 (rows,); what is not finite is a fault of its row."""

    def fault(self, cells: Mapping[str, Any]) -> str:
        """Return what is wrong in a row whose number is not finite, by the names of the columns that were read."""


class Moments(Recipe, Protocol):
    def number(self, cell: str | float) -> float:
        """Return the number that a cell is, nan where it is no such date."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression of columns and ``constants``. ``program`` is of arrays in the order of ``numbers``."""

    text: str
    numbers: tuple[str, ...]
    constants: Mapping[str, Any]
    program: Callable[[Sequence[Any]], Sequence[Any]]
    texts: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _expression_of, (self.text, self.numbers, self.constants)

    def of(self, cells: Cells) -> Array:
        with np.errstate(all="ignore"):
            (found,) = self.program([cells.numbers[name] for name in self.numbers])
        whole: Array = np.broadcast_to(np.asarray(found, dtype=np.float64), cells.rows).copy()
        return whole

    def fault(self, cells: Mapping[str, Any]) -> str:
        given = ", ".join(f"{used} = {cells[used]:g}" for used in self.numbers[:4])
        return f"{self.text} is not finite{f', with {given}' if given else ''}"


def expression(tree: Tree, columns: Sequence[str], constants: Mapping[str, Any] | None = None) -> Expression:
    """Return how an expression of ``columns`` is computed. Raises UsageError, with the place, for other names."""
    given = {name: value for name, value in (constants or {}).items() if name in tree.names}
    check_calls(tree, (*columns, *given))
    for name in tree.names:
        if name not in columns and name not in given and name not in CONSTANTS:
            raise no_column(name, columns, "", place_of_name([tree], name))
    used = tuple(name for name in tree.names if name in columns)
    graph = Graph()
    root = form.build_row(tree, graph, dict.fromkeys(used), given, {})
    return Expression(
        tree.piece(tree.root),
        used,
        given,
        batch_function(graph, [root], {("scalar", name): i for i, name in enumerate(used)}),
    )


def _expression_of(text: str, columns: Sequence[str], constants: Mapping[str, Any]) -> Expression:
    return expression(parse(text), columns, constants)


# What a test says of each row, (rows,) each: it holds, it does not. Neither, where a cell is missing that decides.
Verdict = tuple["Array", "Array"]


class Condition:
    """A test of rows in the logic of three values (Kleene): what is missing need not be known where it does not matter.

    Its ``columns`` are the names of those that there are. Raises UsageError, with the place, for others.
    """

    def __init__(
        self, test: Test, columns: Sequence[str], dates: Mapping[str, Moments] | None = None
    ) -> None:
        self._test, self._dates = test, dates or {}
        self._sides: dict[int, tuple[Expression, Expression]] = {}
        numbers, texts = dict[str, None](), dict[str, None]()
        for part in parts_of(test):
            if isinstance(part, Compared):
                sides = expression(part.left, columns), expression(part.right, columns)
                self._sides[id(part)] = sides
                numbers.update(dict.fromkeys((*sides[0].numbers, *sides[1].numbers)))
            else:
                date = self._dates.get(part.column)
                _check_said(part, columns, date)
                (texts if date is None else numbers)[part.column] = None
        self.numbers, self.texts = tuple(numbers), tuple(texts)

    def __reduce__(self) -> tuple[Any, ...]:
        return Condition, (self._test, (*self.numbers, *self.texts), self._dates)

    def of(self, cells: Cells) -> Verdict:
        return self._of(self._test, cells)

    def _of(self, test: Test, cells: Cells) -> Verdict:
        if isinstance(test, Joined):
            found = [self._of(part, cells) for part in test.tests]
            if test.how == "not":
                return found[0][1], found[0][0]
            both = test.how == "and"
            holds, fails = found[0]
            for more, less in found[1:]:
                holds, fails = (holds & more, fails | less) if both else (holds | more, fails & less)
            return holds, fails
        if isinstance(test, Compared):
            left, right = (side.of(cells) for side in self._sides[id(test)])
            return _compared(test.symbol, left, right)
        date = self._dates.get(test.column)
        return (
            _said(test, cells)
            if date is None
            else _compared(test.symbol, cells.numbers[test.column], date.number(test.text))
        )


def _compared(symbol: str, left: Array, right: Array | float) -> Verdict:
    known = ~(np.isnan(left) | np.isnan(right))
    holds: Array = RELATIONS[symbol](left, right)
    return holds & known, ~holds & known


def _check_said(test: Said, columns: Sequence[str], date: Moments | None) -> None:
    if test.column not in columns:
        raise no_column(test.column, columns, "", test.span)
    if date is not None:
        if not math.isfinite(date.number(test.text)):
            raise UsageError(
                f'"{test.text}" is no date as {test.column} has them', "for example 2024-01-31", test.span
            )
        return
    if test.symbol not in ("==", "!="):
        hint = f'texts are alike or not: {test.column} == "{test.text}"; numbers stand without quotes'
        raise UsageError(f"{test.symbol} compares numbers, and here is a text", hint, test.span)


def _said(test: Said, cells: Cells) -> Verdict:
    labels, wanted = cells.texts[test.column], label(test.text)
    alike = np.array([value == wanted for value in labels.values], dtype=bool)
    # Whether a cell is missing can be told of every cell: group != "NA".
    known = np.array([value is not None or wanted is None for value in labels.values], dtype=bool)
    if test.symbol == "!=":
        alike = ~alike
    if not len(alike):
        nothing = np.zeros(cells.rows, dtype=bool)
        return nothing, nothing
    return (alike & known)[labels.codes], (~alike & known)[labels.codes]


NO_DATES: Mapping[str, Dated] = {}


@dataclass(frozen=True, slots=True)
class Derived:
    """What is computed of a table: columns by name, and which rows are kept; ``dates`` are numbers by their own names.

    Each of ``ranges`` has the first and the last of the rows, which count from 1 as they stand in the data, those that
    are left out for another reason too; the last is None where there is no end.
    """

    recipes: Mapping[str, Recipe]
    conditions: Sequence[Condition] = ()
    ranges: Sequence[tuple[int, int | None]] = ()
    dates: Mapping[str, Dated] = NO_DATES

    def told_of(self, columns: Sequence[str]) -> list[str]:
        """Return how the dates are read that these columns are made of."""
        return [self.dates[name].told for name in Names.of(self, columns, ()).dates]

    @property
    def last(self) -> int | None:
        """The last row that may be kept, None where there is no end."""
        return min((last for _, last in self.ranges if last is not None), default=None)


class Names(NamedTuple):
    """What is read for the ``columns`` wanted: of numbers and of labels, the ``groups`` first among these.

    Of the labels those that are ``dates`` are numbers afterwards.
    """

    columns: Sequence[str]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    dates: tuple[str, ...]
    groups: int

    @classmethod
    def of(cls, derived: Derived, columns: Sequence[str], by: Sequence[str]) -> Names:
        read: list[Recipe | Condition] = [
            derived.recipes[name] for name in columns if name in derived.recipes
        ]
        read += derived.conditions
        numbers = [name for name in columns if name not in derived.recipes]
        numbers += [name for each in read for name in each.numbers]
        texts = [name for each in read for name in each.texts]
        dates = tuple(dict.fromkeys(name for name in numbers if name in derived.dates))
        plain = tuple(dict.fromkeys(name for name in numbers if name not in derived.dates))
        return cls(columns, plain, (*by, *dict.fromkeys([*texts, *dates])), dates, len(by))


class DerivedRows:
    """Makes of the parts of one table, source by source, those that are wanted.

    ``rows`` counts those that came, ``dropped`` those within all ranges that a condition does not keep.
    """

    def __init__(self, derived: Derived, names: Names) -> None:
        self.derived, self.names = derived, names
        self.rows = self.dropped = 0
        self._waiting: list[BadRow] = []
        self._skip: Skip | None = None
        self._place = ""

    def source(self, name: str, skip: Skip | None) -> None:
        """Begin with a source; ``skip`` is for rows that are kept and cannot be used, None where that is an error."""
        self._place, self._skip = name, skip

    def hold(self, row: BadRow) -> None:
        self._waiting.append(row)

    @property
    def ended(self) -> bool:
        last = self.derived.last
        return last is not None and self.rows >= last

    def rest(self) -> None:
        """Tell of the rows that came after the last part of a source."""
        if self._waiting:
            self._judge(np.zeros(0, dtype=np.int64))

    def of(self, part: RowBlock) -> RowBlock:
        """Return the rows of a part that are kept, with the columns wanted."""
        lines = part.lines + np.arange(part.rows) if isinstance(part.lines, int) else part.lines
        numbers = [np.asarray(column, dtype=np.float64) for column in part.columns]
        cells = self._cells(numbers, part.labels, part.rows)
        kept = self._judge(lines)
        inside = int(kept.sum())
        for condition in self.derived.conditions:
            holds, fails = condition.of(cells)
            self._unclear(part, lines, np.flatnonzero(kept & ~holds & ~fails))
            kept &= holds
        self.dropped += inside - int(kept.sum())
        columns = []
        for name in self.names.columns:
            recipe = self.derived.recipes.get(name) or self.derived.dates.get(name)
            if recipe is None:
                columns.append(cells.numbers[name])
                continue
            column = np.full(part.rows, np.nan)
            column[kept] = recipe.of(cells.where(kept))
            sound = np.isfinite(column)
            self._not_finite(part, lines, np.flatnonzero(kept & ~sound), recipe)
            kept &= sound
            columns.append(column)
        labels = [Labels(each.values, each.codes[kept]) for each in part.labels[: self.names.groups]]
        used = None
        if part.text is not None:
            used = [True] * part.rows if part.used is None else list(part.used)
            for at, keep in zip([i for i, one in enumerate(used) if one], kept.tolist(), strict=True):
                used[at] = keep
        return RowBlock([column[kept] for column in columns], lines[kept], part.text, used, labels)

    def _cells(self, numbers: Sequence[Array], labels: Sequence[Labels], rows: int) -> Cells:
        read = dict(zip(self.names.numbers, numbers, strict=True))
        cells = Cells(read, dict(zip(self.names.texts, labels, strict=True)), rows)
        if not self.names.dates:
            return cells
        return cells._replace(
            numbers=read | {name: self.derived.dates[name].of(cells) for name in self.names.dates}
        )

    def _judge(self, lines: Array) -> Array:
        """Count the rows of these lines and those that wait, tell of the latter, and return which are in all ranges."""
        waiting, self._waiting = self._waiting, []
        held = np.array([each.line for each in waiting], dtype=np.int64)
        order = np.argsort(np.concatenate([lines, held]), kind="stable")
        number = np.empty(len(order), dtype=np.int64)
        number[order] = self.rows + 1 + np.arange(len(order))
        self.rows += len(order)
        inside = np.ones(len(order), dtype=bool)
        for first, last in self.derived.ranges:
            inside &= number >= first
            if last is not None:
                inside &= number <= last
        self._tell(waiting, inside[len(lines) :])
        return inside[: len(lines)]

    def _tell(self, waiting: Sequence[BadRow], inside: Array) -> None:
        """Skip, or raise what is wrong with, those rows that wait and are not told to be dropped."""
        if not waiting:
            return
        fails = ~inside
        if self.derived.conditions:
            numbers = np.array([row.values for row in waiting], dtype=np.float64).reshape(len(waiting), -1)
            numbers = np.where(np.isfinite(numbers), numbers, np.nan)
            labels = [coded(row.labels[k] for row in waiting) for k in range(len(self.names.texts))]
            cells = self._cells(list(numbers.T), labels, len(waiting))
            for condition in self.derived.conditions:
                fails |= condition.of(cells)[1]
        self.dropped += int((fails & inside).sum())
        for row, fail in zip(waiting, fails.tolist(), strict=True):
            if not fail:
                self._leave_out(row)

    def _leave_out(self, row: BadRow) -> None:
        if self._skip is None:
            raise row.fault()
        self._skip(row._replace(labels=row.labels[: self.names.groups]))

    def _unclear(self, part: RowBlock, lines: Array, rows: Array) -> None:
        def fault(row: int) -> DataError:
            place = f"{self._place}:{int(lines[row])}"
            return DataError(f"{place}: what --rows asks has no value in this row", SKIP)

        self._at_fault(part, lines, rows, fault)

    def _not_finite(self, part: RowBlock, lines: Array, rows: Array, recipe: Recipe) -> None:
        def fault(row: int) -> DataError:
            cells: dict[str, Any] = {
                name: each.values[int(each.codes[row])]
                for name, each in zip(self.names.texts, part.labels, strict=True)
            }
            columns: Sequence[Any] = part.columns
            numbers = zip(self.names.numbers, columns, strict=True)
            cells |= {name: float(column[row]) for name, column in numbers}
            cells |= {
                name: self.derived.dates[name].number(cells[name])
                for name in set(recipe.numbers) & {*self.names.dates}
            }
            return DataError(f"{self._place}:{int(lines[row])}: {recipe.fault(cells)}", SKIP)

        self._at_fault(part, lines, rows, fault)

    def _at_fault(self, part: RowBlock, lines: Array, rows: Array, fault: Callable[[int], DataError]) -> None:
        for row in rows.tolist():
            values = [float(column[row]) for column in part.columns]
            labels: list[Any] = [each.values[int(each.codes[row])] for each in part.labels]
            self.dropped -= 1  # it is skipped, and not for --rows
            self._leave_out(BadRow(int(lines[row]), values, labels, lambda row=row: fault(row)))  # type: ignore[misc]
