"""What the first rows of a table are: titles, a row of units, rows already; and names that stand behind a comment sign.

Each rule follows from the rows themselves and is told, so that nothing is taken for what it is not without a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from gdcli.kernel.dataclass import NamedTuple
from gdcli.table.blocks import UNNAMED, Layout, TextRow
from gdcli.table.cells import COMMENTS, SPACES, comma_number, is_missing, number

_COMMENT_SIGNS = "#%!; \t"
_CUTS = (r"\t+", r"\s*[,;]\s*", r"\s{2,}", r"\s+")
# No unit begins as a number does, or as a value below what could be measured.
_MEASURED = r"[<>≤≥~±+\-.\d]"
_PER = r"1/[^\W\d]"
# What stands in a row of units over texts, and in a comment below its names.
_NO_VALUE = r"[(\[].*[)\]]|-|"


class Told(NamedTuple):
    """The titles that a table has, the number of its rows above the data, and what was found out, in sentences."""

    titles: tuple[str, ...]
    above: int
    notes: tuple[str, ...]


def is_number(cell: str, layout: Layout) -> bool:
    return math.isfinite(comma_number(cell) if layout.decimal == "," else number(cell))


def has_no_header(cells: Sequence[str], comments: Sequence[str], delimiter: str, layout: Layout) -> bool:
    """Tell whether the first row is one of data: it has numbers where names would be, and nothing else.

    A number is enough where the names are known, or stand in the comment above.
    """
    if layout.header is False:
        return True
    numbers = [is_number(cell, layout) for cell in cells if cell.strip() and not is_missing(cell)]
    if not any(numbers):
        return False
    return all(numbers) or bool(layout.names or names_in_comment(comments, len(cells), delimiter, layout))


def names_in_comment(comments: Sequence[str], count: int, delimiter: str, layout: Layout) -> tuple[str, ...]:
    """Return the names that the comment above the first row tells, as many as it has cells; none where it does not.

    It is the last line of the comment that has so many words, or the one above it where that has units in brackets.
    """
    found: list[tuple[str, ...]] = []
    for line in reversed(comments):
        if not line.lstrip().startswith(COMMENTS):
            continue
        names = _words(line, count, delimiter)
        if names is None or any(is_number(name, layout) for name in names):
            break
        found.append(names)
        if not all(re.fullmatch(_NO_VALUE, name) for name in names):
            break
    return found[-1] if found else ()


def _words(line: str, count: int, delimiter: str) -> tuple[str, ...] | None:
    text = line.strip().lstrip(_COMMENT_SIGNS).strip()
    if text.startswith(delimiter) and delimiter != SPACES:  # the sign is a title: %,x,y
        text = line.strip()
    cuts = (*(() if delimiter == SPACES else (re.escape(delimiter),)), *_CUTS)
    for cut in cuts:
        words = [word.strip().strip('"') for word in re.split(cut, text)]
        if len(words) == count and all(words):
            return tuple(words)
    return None


def without_header(first: TextRow, comments: Sequence[str], delimiter: str, layout: Layout) -> Told:
    count = len(first.cells)
    if layout.names:
        return Told(layout.names, 0, ("no header: the first line is a row",) if layout.header is None else ())
    if layout.header is None and (names := names_in_comment(comments, count, delimiter, layout)):
        return Told(names, 0, (f"the header stands in a comment: {', '.join(names)}",))
    names = tuple(f"{UNNAMED}{k}" for k in range(1, count + 1))
    shown = ", ".join(names if count <= 4 else (names[0], names[1], "...", names[-1]))
    return Told(names, 0, (f"no header: the columns are {shown}",))


def with_header(rows: Sequence[TextRow], delimiter: str, layout: Layout) -> Told:
    """Return what a table is called whose first row has titles; ``rows`` are it and up to two more."""
    titles, notes = _titles(rows, delimiter, layout)
    below = [row.cells for row in rows[1:]]
    above = 1
    if len(below) == 2 and is_units(below[0], below[1], layout):
        above = 2
        notes.append(
            f"line {rows[1].line} has units: {', '.join(cell.strip() for cell in below[0] if cell.strip())}"
        )
    if layout.names:
        notes.append(
            f"the columns are named anew: {', '.join(titles[:6])}{', ...' if len(titles) > 6 else ''}"
        )
        titles = layout.names
    return Told(titles, above, tuple(notes))


def _titles(rows: Sequence[TextRow], delimiter: str, layout: Layout) -> tuple[tuple[str, ...], list[str]]:
    """The titles, as many as the row below has cells where that is clear, and what is to be told of them."""
    titles = tuple(cell.strip() for cell in rows[0].cells)
    first: Sequence[str] = rows[1].cells if len(rows) > 1 else ()
    if len(first) == len(titles) + 1:
        if delimiter != SPACES and not first[-1].strip():
            return (*titles, ""), []
        one = delimiter == "," and len(titles) == 1
        if _names_row(first[0], rows[1], layout, one):
            return ("", *titles), ["the first cell of each row is its name: the header has none for it"]
    elif len(first) == len(titles) - 1 and not titles[-1] and delimiter != SPACES:
        return titles[:-1], []
    return titles, []


def _names_row(cell: str, row: TextRow, layout: Layout, one: bool) -> bool:
    """Tell whether a cell is the name that R gives a row: a text, or a number that counts from 1 (or 0).

    Below ``one`` title 0,5 is a number with a decimal comma.
    """
    counts = cell.strip() in ("1", "0") and not one
    return row.text.lstrip().startswith('"') or not is_number(cell, layout) or counts


def is_units(cells: Sequence[str], below: Sequence[str], layout: Layout) -> bool:
    """Tell whether a row has the units of the numbers below it: a word where these are, and no number itself."""
    if len(cells) != len(below):
        return False
    over = [cell.strip() for cell, value in zip(cells, below, strict=True) if is_number(value, layout)]
    beside = [cell.strip() for cell, value in zip(cells, below, strict=True) if not is_number(value, layout)]
    words = [cell for cell in over if cell]
    if not words or any(map(is_missing, words)) or not all(re.fullmatch(_NO_VALUE, cell) for cell in beside):
        return False
    return not any(re.match(_MEASURED, word) and not re.match(_PER, word) for word in words)
