"""Rows of delimited text, read with the csv module; what is wrong with a row or a cell, in words, and what to do.

This is the reading that decides: the quick ways (`delimited_text`) give the same or leave the block to it. A line
without a quote is split at the delimiter; from a line with one, the csv module reads a row, which may go over several
lines. Blank lines are no rows.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence

from gdcli.kernel.errors import DataError, Span
from gdcli.kernel.number_format import amount
from gdcli.table.blocks import SWAPPED, Kept, Label, Marks, TextRow, Wanted
from gdcli.table.streams import LONGEST_LINE, too_long

SPACES = " "  # the delimiter of a file whose cells stand apart by spaces or tabs, any number of them
SKIP = "--missing skip leaves out the rows with missing or bad cells, and counts them"
MISSING = frozenset(("", "na", "nan", "+nan", "-nan", "n/a", "null", "none"))
# Patterns are compiled when they are first needed: most tables need none of them.
DECIMAL_COMMA = r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?"
_DECIMAL_POINT = r"[+-]?\d+\.\d+(?:[eE][+-]?\d+)?"
_THOUSANDS_POINTS = r"[+-]?\d{1,3}(?:\.\d{3})+,\d+"
_UNIT = r"(?P<before>[^\w\s.+-]*)\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))\s*(?P<after>[^\d\s,.][^\d,;]*)?"
_THOUSANDS = r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"
_DATE = r"\d{4}-\d\d?-\d\d?\b.*|\d\d?([./])\d\d?\1\d{2,4}\b.*"
_READ_DATES = (
    "a date? --dates {name}=days reads it; the column must begin with one to be taken for one of dates"
)
_WORDS = r"[^\W\d_][^\W_]*(?:[\W_]+[^\W_]+)*"
MINUS = "\N{MINUS SIGN}"
_SHOWN = 40  # characters of a cell in a message


def is_missing(text: str) -> bool:
    """Tell whether a cell says that there is no value: empty, NA, nan, N/A, null or none."""
    return text.strip().lower() in MISSING


def why_not(text: str) -> str:
    """Return what is wrong with the text of a cell that is no finite number."""
    cell = text.strip()
    if not cell:
        return "the cell is empty"
    shown = f"'{cell}'" if len(cell) <= _SHOWN else f"'{cell[: _SHOWN - 3]}...'"
    if is_missing(cell):
        return f"{shown}: the value is missing"
    if "_" not in cell:
        try:
            infinite = math.isinf(float(cell))
        except ValueError:
            infinite = False
        if infinite:
            digits = any(character.isdigit() for character in cell)
            return f"{shown} is too large for a double" if digits else f"{shown} is not finite"
    return f"{shown} is not a number"


def named(name: str) -> str:
    """Return how a shell is told of a file; ``FILE`` for what is no plain file of text."""
    import shlex

    return shlex.quote(name) if os.path.isfile(name) and not name.endswith(".gz") else "FILE"


def piped(command: str, name: str) -> str:
    """Return the line that gives `gd fit` a file as a command writes it."""
    return f"{command} < {named(name)} | gd fit ... -"


def remedy(text: str, marks: Marks, name: str, title: str = "") -> str:
    """Return what to do about a cell of the file ``name``, of the column ``title``, that is no finite number."""
    cell = text.strip()
    points = piped("sed 's/[.]//g'", name).replace("gd fit ...", "gd fit --decimal , ...")
    parted = f"the points part thousands? take them away: {points}"
    commas: tuple[tuple[str, str], ...] = ()
    if marks.decimal == ",":
        commas = (
            (_THOUSANDS_POINTS, parted),
            (r"[+-]?\d{1,3}(?:\.\d{3})+", f"{parted}; if it is a decimal point, --decimal . reads it"),
            (_DECIMAL_POINT, "a decimal point, and --decimal , reads commas: leave out --decimal"),
        )
    elif marks.delimiter != ",":
        commas = (
            (DECIMAL_COMMA, "a decimal comma? --decimal , reads it"),
            (_THOUSANDS_POINTS, f"a decimal comma? {parted}"),
        )
    known: tuple[tuple[str, str], ...] = (
        *commas,
        (f"{MINUS}.*", f"a minus is written -: {piped(f'sed s/{MINUS}/-/g', name)}"),
        (_THOUSANDS, "write numbers without commas between the thousands"),
        (r".*\d\s*(?:±|\+/-)\s*\d.*", "write errors into a column of their own, s, and add --sigma s"),
        (r"[<>≤≥]\s*[\d.].*", f"a limit is no measured value: {SKIP}"),
        (_DATE, _READ_DATES.format(name=title or "t")),
    )
    for pattern, told in known:
        if re.fullmatch(pattern, cell):
            return told
    if (unit := re.fullmatch(_UNIT, cell)) and (unit["before"] or unit["after"]):
        return f"write the number alone, {unit['number']}, and the unit into the title; or {SKIP}"
    if title and re.fullmatch(_WORDS, cell) and why_not(cell).endswith("is not a number"):
        import shlex

        return f"{SKIP}; words are categories, C(...) in the model, or make groups: --by {shlex.quote(title)}"
    return SKIP


def never_closed(name: str, line: int, text: str) -> DataError:
    """Return the error for a quote without its partner; ``text`` is the line that has it."""
    place = text.find('"')
    return DataError(
        f"{name}:{line}:{place + 1}: a quote is opened here and never closed",
        'a quote within quotes is written twice: "a ""b"" c"',
        Span(text, place, place + 1, f"{name}:{line}"),
    )


def carriage_return(text: str, line: int, at: int, name: str) -> DataError:
    return DataError(
        f"{where(text, line, at, name)}: a carriage return within the line",
        "lines that end with a carriage return alone: " + piped(r"tr '\r' '\n'", name),
    )


def where(text: str, line: int, at: int, name: str) -> str:
    """Return file:line:column of a place in the text of a row that begins on ``line``."""
    return f"{name}:{line + text.count(chr(10), 0, at)}:{at - text.rfind(chr(10), 0, at)}"


def _span(text: str, line: int, start: int, end: int, name: str) -> Span:
    """Return the span of a piece of a row's text, within the line that it begins in."""
    begin = text.rfind("\n", 0, start) + 1
    shown = text[begin:].partition("\n")[0]
    end = min(end - begin, max(len(shown), start - begin + 1))  # a cell in quotes may go on in the next line
    return Span(shown, start - begin, end, f"{name}:{line + text.count(chr(10), 0, start)}")


def places(text: str, delimiter: str) -> list[tuple[int, int]]:
    """Return where in the text of a row its cells stand: (start, end) of each, quotes included."""
    if delimiter == SPACES:
        return [match.span() for match in re.finditer(r'"(?:[^"]|"")*"|[^ \t]+', text)]
    mark = re.escape(delimiter)
    cell = re.compile(rf' *"(?:[^"]|"")*"[^{mark}]*|[^{mark}]*')
    found, at = [], 0
    while True:
        match = cell.match(text, at)
        end = match.end() if match else len(text)
        found.append((at, end))
        if end >= len(text):
            return found
        at = end + 1


def cell_fault(record: TextRow, name: str, title: str, index: int, marks: Marks) -> DataError:
    """Return the error for a cell of a row (``index`` among its cells) that is no finite number."""
    start, end = places(record.text, marks.delimiter)[index]
    piece = record.text[start:end]
    if piece.strip():
        start, end = end - len(piece.lstrip()), start + len(piece.rstrip())
    return DataError(
        f"{where(record.text, record.line, start, name)}: column {title}: {why_not(record.cells[index])}",
        remedy(record.cells[index], marks, name, title),
        _span(record.text, record.line, start, max(end, start + 1), name),
    )


def ragged_fault(record: TextRow, name: str, wanted: int, delimiter: str) -> DataError:
    """Return the error for a row that has not as many cells as the header has names."""
    found = len(record.cells)
    start, end = len(record.text), len(record.text) + 1
    if found > wanted:
        start, end = places(record.text, delimiter)[wanted]
    hint = SKIP
    if delimiter == "," and found > wanted:
        hint = (
            "a cell with a comma stands in quotes; with decimal commas, part cells by ; and add --decimal ,"
        )
    return DataError(
        f"{where(record.text, record.line, start, name)}: the row has {amount(found, 'cell')}, the header {wanted}",
        hint,
        _span(record.text, record.line, start, max(end, start + 1), name),
    )


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
            spaced = delimiter == SPACES
            cells = list(filter(None, re.split("[ \t]", bare))) if spaced else line.split(delimiter)
            yield TextRow(first + at - 1, line, cells)


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
