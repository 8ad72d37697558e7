"""The rows of the data as they came, with what a fit says of each as columns more.

The data are read a second time, text and all, block by block; a pipe, which can be read but once, is kept in a
temporary file while it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from json import dumps
from math import isfinite
from typing import TYPE_CHECKING, Any, BinaryIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Vector, np, to_list
from gdcli.language.model_text import parse_model
from gdcli.objective.row_objective import RowObjective
from gdcli.table.cells import records
from gdcli.table.header import numbered
from gdcli.table.spooled import Folder
from gdcli.tasks.fit.input_errors import corrected
from gdcli.tasks.fit.row_sample import fitted_and_measured
from gdcli.tasks.fit.some_rows import RowsInPlace

if TYPE_CHECKING:
    from gdcli.table.blocks import RowBlock
    from gdcli.table.row_groups import Groups
    from gdcli.table.source import DataTable
    from gdcli.tasks.fit.prepare import Prepared

FITTED, RESIDUAL = "fitted", "residual"


def check_model(text: str) -> None:
    """Raise UsageError for a model without ~, which says nothing of what a row measures."""
    if parse_model(text).left is None:
        raise UsageError(
            "--predict and --residuals are for a model with ~", "the loss of a row has no fitted value"
        )


@contextmanager
def kept(stdin: BinaryIO, spool: str | None = None) -> Iterator[tuple[Any, str]]:
    """Give a stream that writes down what is read from it, and the file in which it does so, removed at the end.

    The file is in a folder within ``spool`` (None: the system's place). DataError where there is no room.
    """
    with Folder(spool) as folder:
        path = folder.path("rows")
        with open(path, "wb", buffering=0) as file:
            yield _Tee(stdin, file, folder), str(path)


class _Tee:
    """A stream of which all that is read is written to a file."""

    def __init__(self, stdin: BinaryIO, file: Any, folder: Folder) -> None:
        self._read, self._file, self._folder = getattr(stdin, "read1", stdin.read), file, folder

    def read(self, size: int) -> bytes:
        piece: bytes = self._read(size)
        try:
            self._file.write(piece)
        except OSError as fault:
            raise self._folder.full(fault) from None
        return piece


class Wanted(NamedTuple):
    """Columns that are added to rows: their ``names``, what is read for them (``columns``), and what makes of the
    arrays of these, (rows,) each, an array for each name; nan where there is no value, truth values as such. Where
    they differ by group, ``by`` collects the groups, whose numbers (rows,) follow the arrays.
    """

    names: Sequence[str]
    columns: Sequence[str]
    values: Callable[[list[Any]], Mapping[str, Any]]
    by: Groups | None = None

    def of(self, table: DataTable, text: bool = False) -> Iterator[tuple[RowBlock, Mapping[str, Any]]]:
        by = self.by
        for block in table.blocks(self.columns, text=text, by=by):
            if by is not None:
                by.check()
            arrays = [*block.columns, *([] if by is None else [block.groups])]
            # None of the rows of a block may be among those that --rows keeps.
            some = len(arrays[0]) > 0
            yield block, self.values(arrays) if some else dict.fromkeys(self.names, np.zeros(0))
        if by is not None:
            by.check()


def residuals(prepared: Prepared, x: Vector) -> Wanted:
    """Return what the fit says of each row, and what is left over, at the parameters ``x`` (flat)."""
    row = prepared.row
    held = RowsInPlace(row.plain.columns)

    def values(columns: list[Any]) -> Mapping[str, Any]:
        held.put([np.asarray(column, dtype=float) for column in columns])
        pieces = fitted_and_measured(prepared, RowObjective(row, corrected(held, row)), x)
        fitted, measured = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        return {FITTED: fitted, RESIDUAL: measured - fitted}

    return Wanted((FITTED, RESIDUAL), row.plain.columns, values)


def annotated(table: DataTable, wanted: Wanted, as_objects: bool | None = None) -> Iterator[str]:
    """Yield the text of a table, header and rows, with the columns that are ``wanted`` at the end.

    Cells of rows that are skipped are empty. Where the data have no text, or ``as_objects`` asks for another kind (JSON
    lines, or delimited text), the columns that are read stand for them.
    """
    objects = table.kind == "jsonl" if as_objects is None else as_objects
    form = (_JsonLines if objects else _Delimited)(table, wanted.names, wanted.columns)
    yield form.header()
    for block, found in wanted.of(table, text=True):
        columns = [found[name].tolist() for name in wanted.names]
        yield form.rows(block, list(zip(*columns, strict=True)))


def _cell(value: float | bool, nothing: str = "") -> str:
    """A number as it is written in delimited text; a truth value as 1 or 0, nan as nothing."""
    if value != value:
        return nothing
    return str(int(value)) if isinstance(value, bool) else repr(value)


def _free(name: str, taken: Sequence[str]) -> str:
    """Return the name, with a number where a column is called so already."""
    return numbered(name, taken) if name in taken else name


class _Delimited:
    """Delimited text; also for data without text, of which the columns in use are written."""

    def __init__(self, table: DataTable, wanted: Sequence[str], columns: Sequence[str]) -> None:
        self._decimal = table.decimal
        first = table.sources[0]
        self.columns, self.has_text = columns, table.kind == "csv"
        self.delimiter: str = first.delimiter if self.has_text else ","
        self.head = (
            (first.header.rstrip() or self.delimiter.join(first.titles))
            if self.has_text
            else ",".join(columns)
        )
        self.units = first.units
        self.cells = len(table.titles)
        free = [_free(name, table.titles) for name in wanted]
        self.names = [f'"{name}"' if self.delimiter in name else name for name in free]

    def _cell(self, value: float | bool, nothing: str = "") -> str:
        return _cell(value, nothing).replace(".", self._decimal)

    def header(self) -> str:
        units = f"{self.units.rstrip()}{self._empty(self.units)}\n" if self.units else ""
        return self.delimiter.join([self.head, *self.names]) + "\n" + units

    def rows(self, block: RowBlock, values: Sequence[Sequence[float]]) -> str:
        mark = self.delimiter
        if block.text is None or not self.has_text:
            own = zip(*map(to_list, block.columns), strict=True)
            rows = [[*map(repr, cells), *map(_cell, more)] for cells, more in zip(own, values, strict=True)]
            return "".join(mark.join(cells) + "\n" for cells in rows)
        lines, found = [], iter(values)
        for text, used in zip(block.text, block.used or (), strict=True):
            line = text.rstrip() if mark == " " else text
            if used:
                nothing = "nan" if mark == " " else ""
                more = mark.join(self._cell(value, nothing) for value in next(found))
                lines.append(f"{line}{mark}{more}\n")
            else:
                lines.append(f"{line}{self._empty(text)}\n")
        return "".join(lines)

    def _empty(self, text: str) -> str:
        """The delimiters that end a row without values where its header ends."""
        if self.delimiter == " ":  # no cell can be empty there
            return " nan" * len(self.names)
        found = len(next(records(text.split("\n"), 1, self.delimiter, "")).cells)
        return self.delimiter * max(0, self.cells + len(self.names) - found)


class _JsonLines:
    """An object a line, which gets keys more."""

    def __init__(self, table: DataTable, wanted: Sequence[str], columns: Sequence[str] = ()) -> None:
        self.columns, self.has_text = columns, table.kind == "jsonl"
        self.names = [_free(name, table.titles) for name in wanted]

    def header(self) -> str:
        return ""

    def rows(self, block: RowBlock, values: Sequence[Sequence[float]]) -> str:
        lines, found = [], iter(values)
        for text, used in self._texts(block):
            numbers: Sequence[float | None] = next(found) if used else [None] * len(self.names)
            more = ", ".join(
                f"{dumps(name)}: {'null' if v is None or not isfinite(v) else dumps(v)}"
                for name, v in zip(self.names, numbers, strict=True)
            )
            line = text.rstrip()
            if line.endswith("}"):
                inside = line[:-1].rstrip()
                line = f"{inside}{'' if inside.endswith('{') else ', '}{more}}}"
            lines.append(line + "\n")
        return "".join(lines)

    def _texts(self, block: RowBlock) -> Iterator[tuple[str, bool]]:
        """The text of each row, and whether it is used; where there is none, an object of the columns that are read."""
        if self.has_text:
            yield from zip(block.text or (), block.used or (), strict=True)
            return
        for cells in zip(*map(to_list, block.columns), strict=True):
            yield dumps(dict(zip(self.columns, cells, strict=True))), True
