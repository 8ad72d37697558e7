"""Rows of delimited text, read with the csv module, and what is wrong with a cell, in words.

This is the reading that decides: the fast ways (`fast`) give the same or leave the block to it. A line without
a quote is split at the delimiter; from a line with one, the csv module reads a row, which may go over several
lines. Blank lines are no rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from gdcli.kernel.errors import DataError
from gdcli.table.blocks import SWAPPED, Kept, Label, Marks, TextRow, Wanted
from gdcli.table.cell_faults import (
    MISSING,
    SPACES,
    carriage_return,
    cell_fault,
    never_closed,
    piped,
    ragged_fault,
    where,
)
from gdcli.table.streams import LONGEST_LINE, too_long

# What begins a line that is no row; an empty text begins none.
COMMENTS = ("#", "%")
_UNDECODED = "[\udc80-\udcff]"
EXACT = 2.0**53  # from here on a double does not tell whole numbers apart
_LEADING_ZERO = r"[+-]?0\d"


class UnfinishedError(Exception):
    """A quote opened on this line (an index into the lines) is not closed in what is there."""

    def __init__(self, line: int) -> None:
        self.line = line


def number(text: str) -> float:
    """Return the finite number that a cell is, nan where it is none: Python's syntax without underscores."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in text else math.nan


def comma_number(text: str) -> float:
    """Return the finite number that a cell with a decimal comma is, nan where it is none."""
    return number(text.translate(SWAPPED))


def comma_label(text: str) -> Label | None:
    """Return what a cell says as `label` does, numbers with a decimal comma."""
    found = label(text.translate(SWAPPED))
    return found.translate(SWAPPED) if isinstance(found, str) else found


def label(text: str) -> Label | None:
    """Return what a cell says as the name of a group: a number, a text without the spaces around it, None if missing.

    Numbers are compared as numbers, so ``1`` and ``1.0`` are the same; ``007`` is a text, and so is a number with more
    digits than a double has.
    """
    cell = text.strip()
    if cell.lower() in MISSING:
        return None
    value = number(cell)
    is_text = value != value or abs(value) >= EXACT or re.match(_LEADING_ZERO, cell)
    return cell if is_text else value + 0.0


def shown(level: Label) -> str:
    """Return a level as it is written: a whole number without a point."""
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


def records(
    lines: Sequence[str], first: int, delimiter: str, name: str, passed: list[int] | None = None
) -> Iterator[TextRow]:
    """Yield the rows in lines of text (without their line feeds), the first of which has the number ``first``.

    Lines that begin with # or % are comments: the numbers of those ``passed`` over are added there.
    Raises DataError for what no csv file has (a carriage return within a line, bytes that are not UTF-8, NUL),
    and UnfinishedError where a quote is still open after the last line.
    """
    at = 0
    while at < len(lines):
        line = lines[at]
        if '"' in line:
            start = at
            cells, at = _quoted(lines, at, first, delimiter, name)
            text = "\n".join(lines[start:at]).removesuffix("\r")
            _check(text, first + start, name, quoted=True)
            yield TextRow(first + start, text, cells)
            continue
        at += 1
        if line.endswith("\r"):
            line = line.rstrip("\r")
        bare = line.strip(" \t" if delimiter == SPACES else " ")
        if bare[:1] in COMMENTS:
            if passed is not None:
                passed.append(first + at - 1)
            continue
        if bare:
            _check(line, first + at - 1, name)
            yield TextRow(
                first + at - 1, line, _words(bare) if delimiter == SPACES else line.split(delimiter)
            )


def _words(text: str) -> list[str]:
    return [word for word in text.replace("\t", SPACES).split(SPACES) if word]


def _quoted(lines: Sequence[str], at: int, first: int, delimiter: str, name: str) -> tuple[list[str], int]:
    """Return the cells of the row that begins at index ``at``, and the index of the line after it."""
    import csv

    ran_out = False

    def feed() -> Iterator[str]:
        nonlocal ran_out
        for i in range(at, len(lines)):
            line = lines[i].rstrip("\r")
            if delimiter == SPACES:
                line = line.replace("\t", " ").rstrip(" ")
            yield line + "\n"
        ran_out = True

    before = csv.field_size_limit(LONGEST_LINE)
    try:
        reader = csv.reader(feed(), delimiter=delimiter, skipinitialspace=True)
        cells = next(reader)
        used = reader.line_num
    except csv.Error as fault:
        if "field larger" in str(fault):
            raise never_closed(name, first + at, lines[at]) from None
        raise carriage_return(lines[at], first + at, max(0, lines[at].find("\r")), name) from None
    finally:
        csv.field_size_limit(before)
    if ran_out:
        raise UnfinishedError(at)
    return cells, at + used


def _check(text: str, line: int, name: str, quoted: bool = False) -> None:
    """Raise DataError for a row with characters that no text file has; ``line`` is its first line's number."""
    if len(text) > LONGEST_LINE // 4 and len(text.encode("utf-8", "surrogateescape")) > LONGEST_LINE:
        raise too_long(name, line)
    if text.isascii() and text.isprintable():
        return
    if not text.isascii() and (found := re.search(_UNDECODED, text)):
        byte = ord(found.group()) - 0xDC00
        raise DataError(
            f"{where(text, line, found.start(), name)}: not UTF-8 text (byte 0x{byte:02x})",
            f"if it is in another encoding, say Latin-2: {piped('iconv -f LATIN2 -t UTF-8', name)}",
        )
    if "\0" in text:
        raise DataError(
            f"{where(text, line, text.index(chr(0)), name)}: a NUL byte: this is binary data, not text"
        )
    if "\r" in text and not quoted:
        raise carriage_return(text, line, text.index("\r"), name)


class Numbers:
    """The numbers of the ``wanted`` columns of the rows given to it, or what is wrong with the first bad one.

    Rows of empty cells alone, which spreadsheets write below a table, are no rows where none but such follow: they are
    held back until another comes.
    """

    def __init__(
        self, name: str, titles: Sequence[str], delimiter: str, wanted: Wanted, decimal: str = "."
    ) -> None:
        self.name, self.titles, self.delimiter, self.wanted = name, titles, delimiter, wanted
        self.decimal = decimal
        self._number, self._label = (number, label) if decimal == "." else (comma_number, comma_label)
        self._held: list[TextRow] = []

    def of(self, record: TextRow) -> Kept | None:
        """Return what is wanted of a row; None for a row that is left out."""
        if len(record.cells) > 1 and not any(map(str.strip, record.cells)):
            self._held.append(record)
            return None
        self.another()
        return self._of(record)

    def another(self) -> None:
        """Take notice of a row that is not empty: those held back before it are left out as bad ones."""
        held, self._held = self._held, []
        for record in held:
            self._of(record)

    def _of(self, record: TextRow) -> Kept | None:
        values = [math.nan] * len(self.wanted.numbers)
        keys: list[Label | None] = [None] * len(self.wanted.labels)
        if len(record.cells) == len(self.titles):
            values = [self._number(record.cells[i]) for i in self.wanted.numbers]
            keys = [self._label(record.cells[i]) for i in self.wanted.labels]
        return self.wanted.kept(values, keys, record.line, lambda at: self._fault(record, at))

    def _fault(self, record: TextRow, at: int) -> DataError:
        if len(record.cells) != len(self.titles):
            return ragged_fault(record, self.name, len(self.titles), self.delimiter)
        return cell_fault(record, self.name, self.titles[at], at, Marks(self.delimiter, self.decimal))
