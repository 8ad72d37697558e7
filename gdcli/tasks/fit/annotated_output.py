"""The rows of the data as they came, with what a fit says of each as columns more.

The data are read a second time, text and all, block by block; a pipe, which can be read but once, is kept in a
temporary file while it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any, BinaryIO

from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Vector, to_list
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.input_errors import corrected
from gdcli.tasks.fit.row_sample import RowsInPlace, fitted_and_measured

if TYPE_CHECKING:
    from gdcli.table.source import Block, DataTable
    from gdcli.table.tempfiles import Folder
    from gdcli.tasks.fit.prepare import Prepared

FITTED, RESIDUAL = "fitted", "residual"


def check_model(text: str) -> None:
    """Raise UsageError for a model without ~, which says nothing of what a row measures."""
    from gdcli.language.model_text import parse_model

    if parse_model(text).left is None:
        raise UsageError(
            "--predict and --residuals are for a model with ~", "the loss of a row has no fitted value"
        )


def input_files(paths: Sequence[str]) -> list[str]:
    """Return the files that paths and patterns name; ``-`` stays. Raises DataError for a pattern without any."""
    from gdcli.table.source import expand

    return expand(paths)


@contextmanager
def kept(stdin: BinaryIO, spool: str | None = None) -> Iterator[tuple[Any, str]]:
    """Give a stream that writes down what is read from it, and the file in which it does so, removed at the end.

    The file is in a folder within ``spool`` (None: the system's place). DataError where there is no room.
    """
    from gdcli.table.tempfiles import Folder

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


def annotated(
    prepared: Prepared,
    x: Vector,
    wanted: Sequence[str],
    files: Sequence[str],
    missing: str,
    use_cache: bool = True,
) -> Iterator[str]:
    """Yield the text of the files, header and rows, with the columns ``wanted`` (`FITTED`, `RESIDUAL`) at the end.

    ``x`` is the flat vector of the parameters. Cells of rows that the fit has skipped are empty. Where the data have
    no text, the columns that the model uses stand for them. For ``use_cache`` see `open_table`.
    """
    from gdcli.table.source import open_table

    row = prepared.row
    with open_table(files, missing=missing, use_cache=use_cache) as table:
        columns = row.plain.columns
        held = RowsInPlace(columns)
        form = _JsonLines(table, wanted) if table.kind == "jsonl" else _Delimited(table, wanted, columns)
        yield form.header()
        for block in table.blocks(columns, text=True):
            held.put(block.columns)
            objective = RowObjective(row, corrected(held, row))
            found: list[list[float]] = [[] for _ in wanted]
            for fitted, measured in fitted_and_measured(prepared, objective, x):
                parts = {FITTED: fitted, RESIDUAL: measured - fitted}
                for values, name in zip(found, wanted, strict=True):
                    values += parts[name].tolist()
            yield form.rows(block, list(zip(*found, strict=True)))


def _free(name: str, taken: Sequence[str]) -> str:
    """Return the name, with a number where a column is called so already."""
    names = [name, *(f"{name}_{k}" for k in range(1, len(taken) + 2))]
    return next(n for n in names if n not in taken)


class _Delimited:
    """Delimited text; also for data without text, of which the columns in use are written."""

    def __init__(self, table: DataTable, wanted: Sequence[str], columns: Sequence[str]) -> None:
        first: Any = table.sources[0]
        self.columns, self.has_text = columns, table.kind == "csv"
        self.delimiter: str = first.delimiter if self.has_text else ","
        self.head = first.header.rstrip() if self.has_text else ",".join(columns)
        self.cells = len(table.titles)
        self.names = [_free(name, table.titles) for name in wanted]

    def header(self) -> str:
        return self.delimiter.join([self.head, *self.names]) + "\n"

    def rows(self, block: Block, values: Sequence[Sequence[float]]) -> str:
        mark = self.delimiter
        if block.text is None or not self.has_text:
            own = zip(*map(to_list, block.columns), strict=True)
            rows = [[*map(repr, cells), *map(repr, more)] for cells, more in zip(own, values, strict=True)]
            return "".join(mark.join(cells) + "\n" for cells in rows)
        lines, found = [], iter(values)
        for text, used in zip(block.text, block.used or (), strict=True):
            line = text.rstrip() if mark == " " else text
            if used:
                lines.append(f"{line}{mark}{mark.join(map(repr, next(found)))}\n")
            else:
                lines.append(f"{line}{self._empty(text)}\n")
        return "".join(lines)

    def _empty(self, text: str) -> str:
        """The delimiters that end a row without values where its header ends."""
        from gdcli.table.number_cells import records

        if self.delimiter == " ":  # no cell can be empty there
            return " nan" * len(self.names)
        found = len(next(records(text.split("\n"), 1, self.delimiter, "")).cells)
        return self.delimiter * max(0, self.cells + len(self.names) - found)


class _JsonLines:
    """An object a line, which gets keys more."""

    def __init__(self, table: DataTable, wanted: Sequence[str]) -> None:
        self.names = [_free(name, table.titles) for name in wanted]

    def header(self) -> str:
        return ""

    def rows(self, block: Block, values: Sequence[Sequence[float]]) -> str:
        from json import dumps

        lines, found = [], iter(values)
        for text, used in zip(block.text or (), block.used or (), strict=True):
            numbers: Sequence[float | None] = next(found) if used else [None] * len(self.names)
            more = ", ".join(
                f"{dumps(name)}: {'null' if v is None or not isfinite(v) else repr(v)}"
                for name, v in zip(self.names, numbers, strict=True)
            )
            line = text.rstrip()
            if line.endswith("}"):
                inside = line[:-1].rstrip()
                line = f"{inside}{'' if inside.endswith('{') else ', '}{more}}}"
            lines.append(line + "\n")
        return "".join(lines)
