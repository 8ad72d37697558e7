"""Columns at hand in Python as a table: arrays and lists by name, of numbers, texts or times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import np
from gdcli.table.blocks import Kept, KeptRows, RowBlock, Source, Wanted
from gdcli.table.cell_faults import SKIP
from gdcli.table.json_lines import as_label, as_number
from gdcli.table.source import DataTable


class AtHand(Source):
    kind = "columns"
    name = "the data"

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = [_listed(name, column) for name, column in columns.items()]
        self.titles = tuple(columns)
        lengths = {len(column) for column in self._columns}
        if not columns:
            raise DataError("there are no columns", 'data are columns by name: {"x": [1, 2], "y": [3, 4]}')
        if len(lengths) > 1 or not self._columns[0]:
            told = ", ".join(
                f"{n} has {len(c)}" for n, c in zip(self.titles[:8], self._columns, strict=False)
            )
            raise DataError("the columns are not arrays of one length", told)
        self.first = tuple(column[0] if isinstance(column[0], str) else "" for column in self._columns)

    def parts(self, wanted: Wanted) -> Iterator[RowBlock]:
        """Yield the rows, all at once; the line of one is its number, from 1."""
        rows = KeptRows(wanted)
        for line, row in enumerate(zip(*self._columns, strict=True), 1):
            rows.add(self._kept(row, line, wanted), line, "")
        yield rows.block()

    def _kept(self, row: Sequence[Any], line: int, wanted: Wanted) -> Kept | None:
        values = [as_number(row[i]) for i in wanted.numbers]
        keys = [as_label(row[i]) for i in wanted.labels]

        def fault(at: int) -> DataError:
            return DataError(f"row {line} has {self.titles[at]} = {row[at]!r}", SKIP)

        return wanted.kept(values, keys, line, fault)


def _listed(name: str, column: object) -> list[Any]:
    try:
        array = np.asarray(column)
    except ValueError as fault:
        raise DataError(f"the column {name} is no list of numbers: {fault}") from None
    if array.ndim != 1:
        raise DataError(f"the column {name} has shape {array.shape}", "a column has one value for each row")
    if array.dtype.kind == "M":
        array = np.datetime_as_string(array)
    cells: list[Any] = array.tolist() if array.dtype.kind in "biufSU" else list(column)  # type: ignore[call-overload]
    return [
        cell.isoformat(sep=" ") if hasattr(cell, "hour") and hasattr(cell, "year") else _iso(cell)
        for cell in cells
    ]


def _iso(cell: object) -> object:
    return cell.isoformat() if hasattr(cell, "isoformat") else cell


def table_at_hand(columns: Mapping[str, Any], missing: str = "error") -> DataTable:
    """Return columns at hand as a table. Raises DataError for columns that are not of one length."""
    return DataTable([AtHand(columns)], tuple(columns), missing)
