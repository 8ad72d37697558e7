"""Records as text: JSON on one line or one line per key, and cells and rows of CSV.

Numbers have the shortest digits that give the same double back; what is not finite is null in JSON and ``inf``,
``-inf`` or ``nan`` in CSV.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import isfinite
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.record.schema import Json as Told


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value


def json_text(value: object) -> str:
    """Return ``value`` as JSON on one line, with null for what is not finite."""
    try:
        return _encoder()(value)
    except ValueError:  # rare, so the walk through all numbers is made only then
        return _encoder()(_finite(value))


@cache
def _encoder() -> Callable[[Any], str]:
    from json import JSONEncoder  # tables need none

    return JSONEncoder(allow_nan=False).encode


def json_block(record: Told) -> str:
    """Return a record as JSON with one line per key: readable, and quick for long vectors."""
    lines = (f"  {json_text(key)}: {json_text(value)}" for key, value in record.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


_QUOTED = '[,"\\r\\n]'


def csv_cell(value: object) -> str:
    if isinstance(value, float):
        return repr(value)
    text = plain_cell(value)
    if re.search(_QUOTED, text):
        text = '"' + text.replace('"', '""') + '"'
    return text


def csv_line(cells: Sequence[Any]) -> str:
    return ",".join(map(csv_cell, cells)) + "\r\n"


class RowText(NamedTuple):
    """A format of rows: the text of the head, and that of a row, of their cells."""

    head: Callable[[Sequence[Any]], str]
    row: Callable[[Sequence[Any]], str]

    def table(self, head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
        return self.head(head) + "".join(map(self.row, rows))


CSV = RowText(csv_line, csv_line)


def plain_cell(value: object) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
