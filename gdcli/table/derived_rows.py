"""The rows and columns that are asked for in place of those of a table: rows that are kept, columns that are computed.

    table.derived = Derived(recipes={"0.05*y": expression(...)}, conditions=[Condition(...)], ranges=[(10, 200)])

What is wrong with a row that is not kept is nobody's concern: faults wait until it is known which rows are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import np
from gdcli.table.blocks import BadRow, Labels, RowBlock, Skip, coded
from gdcli.table.cell_faults import SKIP
from gdcli.table.derived_columns import Cells, Condition, Recipe

if TYPE_CHECKING:
    from numpy import ndarray

    from gdcli.table.dates import Dated


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

    def _cells(self, numbers: Sequence[ndarray], labels: Sequence[Labels], rows: int) -> Cells:
        read = dict(zip(self.names.numbers, numbers, strict=True))
        cells = Cells(read, dict(zip(self.names.texts, labels, strict=True)), rows)
        if not self.names.dates:
            return cells
        return cells._replace(
            numbers=read | {name: self.derived.dates[name].of(cells) for name in self.names.dates}
        )

    def _judge(self, lines: ndarray) -> ndarray:
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

    def _tell(self, waiting: Sequence[BadRow], inside: ndarray) -> None:
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

    def _unclear(self, part: RowBlock, lines: ndarray, rows: ndarray) -> None:
        def fault(row: int) -> DataError:
            place = f"{self._place}:{int(lines[row])}"
            return DataError(f"{place}: what --rows asks has no value in this row", SKIP)

        self._at_fault(part, lines, rows, fault)

    def _not_finite(self, part: RowBlock, lines: ndarray, rows: ndarray, recipe: Recipe) -> None:
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

    def _at_fault(
        self, part: RowBlock, lines: ndarray, rows: ndarray, fault: Callable[[int], DataError]
    ) -> None:
        for row in rows.tolist():
            values = [float(column[row]) for column in part.columns]
            labels: list[Any] = [each.values[int(each.codes[row])] for each in part.labels]
            self.dropped -= 1  # it is skipped, and not for --rows
            self._leave_out(BadRow(int(lines[row]), values, labels, lambda row=row: fault(row)))  # type: ignore[misc]
