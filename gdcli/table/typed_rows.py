"""Rows of values that have types: JSON lines, and columns at hand in Python.

Of JSON there is one object per line, its keys the names of the columns. The keys of the first object are the columns; a
later object may leave keys out (its cell is then missing) or have more. A number is a number; null, and NaN where the
writer knew no better, are missing; true and false are 1 and 0; a text is no number, unless it says that the value is
missing.

Columns at hand are arrays and lists by name, of numbers, texts or times.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gdcli.kernel.errors import DataError, Span
from gdcli.kernel.vectors import np
from gdcli.table.blocks import Kept, KeptRows, Label, RowBlock, Source, Wanted
from gdcli.table.cells import EXACT, SKIP, is_missing
from gdcli.table.header import check_columns
from gdcli.table.streams import LONGEST_LINE, Supply

_SIZE = 1 << 20  # bytes of a block
_SECOND = 1 << 16
_ARRAY = "one object per line is read: jq -c '.[]' FILE | gd fit ... -"


class Objects(Source):
    kind = "jsonl"

    def __init__(self, supply: Supply) -> None:
        self.name = supply.name
        self._supply = supply
        lines, _ = supply.lines()
        block = b""
        while not block.strip() and not lines.ended:
            block = lines.take(1)
        lines.give_back(block, more=False)
        text = block.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
        at = next((i for i, line in enumerate(text) if line.strip()), 0)
        self.header_line = lines.line + at
        found = self._object(text[at], self.header_line)
        self._keys = tuple(found)
        self.first = tuple(cell if isinstance(cell, str) else "" for cell in found.values())
        check_columns(len(self._keys), f"{self.name}:{self.header_line}")
        self.titles = tuple(unicodedata.normalize("NFKC", key.strip()) for key in self._keys)
        supply.rest()

    @property
    def notes(self) -> tuple[str, ...]:
        return self._supply.notes

    def close(self) -> None:
        self._supply.close()

    def parts(self, wanted: Wanted) -> Iterator[RowBlock]:
        """Yield the rows in parts; the first is short, so that a fault near the beginning is told at once."""
        lines, _ = self._supply.lines()
        lines = self._supply.rows(lines)
        size = 1
        try:
            while block := lines.take(size):
                size = min(max(4 * size, _SECOND), _SIZE)
                if lines.first == 1:
                    block = block.removeprefix(b"\xef\xbb\xbf")
                part = self._part(block, lines.first, wanted)
                if part.rows or part.text:
                    yield part
        finally:
            self.close()

    def _part(self, block: bytes, first: int, wanted: Wanted) -> RowBlock:
        rows = KeptRows(wanted)
        for line, row in enumerate(block.decode("utf-8", "surrogateescape").split("\n"), first):
            if row.strip():
                rows.add(self._kept(self._object(row, line), row, line, wanted), line, row.strip())
        return rows.block()

    def _object(self, row: str, line: int) -> Mapping[str, Any]:
        where = f"{self.name}:{line}"
        if len(row) > LONGEST_LINE:
            raise DataError(f"{where}: a line of more than {LONGEST_LINE >> 20} MiB", _ARRAY)
        for place, character in () if row.isascii() else enumerate(row):
            if "\udc80" <= character <= "\udcff":
                raise DataError(f"{where}:{place + 1}: not UTF-8 text (byte 0x{ord(character) - 0xDC00:02x})")
        try:
            found = json.loads(row)
        except json.JSONDecodeError as fault:
            place = min(fault.pos, max(0, len(row.rstrip()) - 1))
            hint = (
                _ARRAY
                if row.strip() in ("[", "{")
                else 'each line must be one object, as in: {"x": 1, "y": 2}'
            )
            span = Span(row, place, place + 1, where)
            raise DataError(f"{where}:{fault.pos + 1}: no JSON: {fault.msg}", hint, span) from None
        except (RecursionError, ValueError) as fault:
            why = (
                "nested too deeply" if isinstance(fault, RecursionError) else "a number with too many digits"
            )
            raise DataError(f"{where}: {why}") from None
        if not isinstance(found, dict):
            kind = "an array" if isinstance(found, list) else "a value"
            raise DataError(
                f"{where}: {kind} where an object should be", _ARRAY, Span(row, 0, len(row), where)
            )
        return found

    def _kept(self, row: Mapping[str, Any], text: str, line: int, wanted: Wanted) -> Kept | None:
        values = [as_number(row.get(self._keys[i])) for i in wanted.numbers]
        keys = [as_label(row.get(self._keys[i])) for i in wanted.labels]
        return wanted.kept(
            values, keys, line, lambda at: self._fault(row, text, line, at, at not in wanted.numbers)
        )

    def _fault(self, row: Mapping[str, Any], text: str, line: int, at: int, is_label: bool) -> DataError:
        where, key = f"{self.name}:{line}", self._keys[at]
        if key not in row:
            return DataError(
                f"{where}:1: column {key}: the object has no such key", SKIP, Span(text, 0, len(text), where)
            )
        start, end = _place(text, key)
        found = row[key]
        shown = text[start:end] if end - start <= 40 else f"{text[start : start + 37]}..."
        if found is None or (isinstance(found, str) and is_missing(found)) or found != found:
            why = f"{shown}: the value is missing"
        elif is_label:
            why = f"{shown} is neither a text nor a number"
        elif isinstance(found, int | float):
            why = f"{shown} is too large for a double" if shown[-1:].isdigit() else f"{shown} is not finite"
        else:
            why = f"{shown} is not a number"
        return DataError(f"{where}:{start + 1}: column {key}: {why}", SKIP, Span(text, start, end, where))


def as_number(value: object) -> float:
    """Return the finite number that a JSON value is, nan where it is none."""
    if not isinstance(value, int | float):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def as_label(value: object) -> Label | None:
    """Return the name of a group that a JSON value is, None where it is missing or none."""
    if isinstance(value, str):
        return None if is_missing(value) else value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    number = as_number(value)
    if number != number:
        return None
    return str(value) if abs(number) >= EXACT else number + 0.0


def _place(text: str, key: str) -> tuple[int, int]:
    """Return where the value of the last such key of an object stands in its (valid) text."""
    decoder = json.JSONDecoder()
    found = (0, len(text))

    def space(at: int) -> int:
        while text[at] in " \t\r,:":
            at += 1
        return at

    at = space(text.index("{") + 1)
    while text[at] != "}":
        name, at = decoder.raw_decode(text, at)
        start = space(at)
        _, at = decoder.raw_decode(text, start)
        if name == key:
            found = (start, at)
        at = space(at)
    return found


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
