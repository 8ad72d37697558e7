"""The rows of a table as they came, with one more column: what `--predict` and `--residuals` write."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from gdcli.data.cells import SPACES
from gdcli.data.source import Table

if TYPE_CHECKING:
    from numpy import ndarray


def with_column(
    table: Table, columns: Sequence[str], title: str, values: Callable[[list[ndarray]], ndarray]
) -> Iterator[str]:
    """Read the table once more and yield its text in pieces, each row with its value in a last column ``title``.

    ``values`` is called for each block with the arrays (rows,) of ``columns`` and returns an array (rows,). A row
    that is left out gets an empty cell, null in JSON lines; so does a value that is not finite. Delimited text
    keeps its delimiter and its quotes, line ends are line feeds. Of a Parquet or Arrow file, the wanted columns
    are written as CSV. Raises what `Table.blocks` raises.
    """
    if table.kind == "jsonl":
        key = json.dumps(title, ensure_ascii=False)
        for row, value in _rows(table, columns, values):
            yield _with_key(row, key, "null" if value is None else repr(value))
        return
    delimiter = " " if table.delimiter == SPACES else table.delimiter
    header = table.header or delimiter.join(_cell(name, delimiter) for name in columns)
    yield f"{header}{delimiter}{_cell(title, delimiter)}\n"
    for row, value in _rows(table, columns, values):
        yield f"{row}{delimiter}{'' if value is None else repr(value)}\n"


def _rows(
    table: Table, columns: Sequence[str], values: Callable[[list[ndarray]], ndarray]
) -> Iterator[tuple[str, float | None]]:
    """Yield the text of each row and its value, None where there is none."""
    for block in table.blocks(columns, text=True):
        found = iter(values(block.columns).tolist() if len(block.columns[0]) else [])
        for row, used in zip(block.text or (), block.used or (), strict=True):
            value = next(found) if used else math.nan
            yield row, value if math.isfinite(value) else None


def _with_key(row: str, key: str, value: str) -> str:
    inside = row.rstrip()[:-1].rstrip()
    comma = "" if inside.endswith("{") else ", "
    return f"{inside}{comma}{key}: {value}}}\n"


def _cell(text: str, delimiter: str) -> str:
    """Return a text as a cell, in quotes where it needs them."""
    if any(character in text for character in (delimiter, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text
