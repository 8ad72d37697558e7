"""What is wrong with a row of delimited text, or with one of its cells, in words, and what to do about it."""

from __future__ import annotations

import math
import os
import re

from gdcli.kernel.errors import DataError, Span
from gdcli.table.blocks import Marks, TextRow

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
    cells = "1 cell" if found == 1 else f"{found} cells"
    return DataError(
        f"{where(record.text, record.line, start, name)}: the row has {cells}, the header {wanted}",
        hint,
        _span(record.text, record.line, start, max(end, start + 1), name),
    )
