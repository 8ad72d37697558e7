"""The first line of a table: which character parts the cells, and what the columns are called.

A column is used in a model by its name. A title that is no name, such as ``Body mass (g)``, is spelled with one
underscore for each run of other characters, ``Body_mass_g``, and with an x before a digit, ``x1st``. Titles that are
spelled alike are numbered, ``T (s)`` and ``T [s]`` as ``T_s_1`` and ``T_s_2``, and so are titles that stand twice. A
column without a title, or with one of marks alone, can be in the file but not in a model. What the first rows are is
found out by the rules of `first_rows`. A header that leaves any doubt is an error: numbers among names, one title above
a row of words.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Sequence
from itertools import count, islice, pairwise

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError, Span
from gdcli.table.blocks import PLAIN, Layout, TextRow
from gdcli.table.cells import (
    COMMENTS,
    DECIMAL_COMMA,
    SPACES,
    UnfinishedError,
    is_missing,
    named,
    never_closed,
    number,
    places,
    records,
)
from gdcli.table.streams import COLUMNAR, LineStream

_DELIMITERS = ("\t", ";", ",", "|")
_LONGEST = 1 << 18  # bytes looked at for the header, or the end of a quote in the first rows
_BLANK = " \t\r"
MAX_COLUMNS = 100_000
_CAPTION = 20  # lines above a header, at most, of which it is told that they are none
_EXCEL = r'"?(?i:sep)=[;,|\t]"?\s*'  # a line of Excel's that tells itself what parts the cells
_BINARY = r"[\0-\x08\x0e-\x1a\x1c-\x1f]"


class Header(NamedTuple):
    """The header of a file of delimited text: its titles, the delimiter, its text, the number of its line.

    The text is empty where the first line is a row; ``units`` is that of a row of units below. ``notes`` tell what was
    found out of the table, ``first`` are the cells of the first row.
    """

    titles: tuple[str, ...]
    delimiter: str
    text: str
    line: int
    units: str = ""
    notes: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


def read_header(lines: LineStream, layout: Layout = PLAIN) -> Header:
    """Read the header; ``lines`` then goes on with the first row.

    Lines that are blank or begin with ``#`` or ``%``, and Excel's ``sep=;``, may stand before it. Raises DataError for
    an empty or binary file.
    """
    text, after = _beginning(lines)
    skipped = _before(text)
    if skipped == len(text):
        what = "has comments but no rows" if any(line.strip() for line in text) else "is empty"
        raise DataError(f"{lines.name} {what}", "the first line names the columns, as in: x,y")
    delimiter = find_delimiter(text[skipped:], lines.name, layout.decimal)
    found = records(text[skipped:], 1 + skipped, delimiter, lines.name)
    rows: list[TextRow] = []
    try:
        rows += islice(found, 1)
        if not _is_row(rows[0], text[:skipped], delimiter, layout):
            if delimiter == SPACES or len(rows[0].cells) < 2:
                _check_captions([*text, *after], rows[0].line - 1, lines.name)
            rows += islice(found, 1)
            _check_below(rows[0], rows[1] if len(rows) > 1 else None, lines.name)
            rows += islice(found, 1)
    except UnfinishedError as place:
        if len(rows) < 2:
            at = skipped + place.line
            raise never_closed(lines.name, 1 + at, text[at]) from None
    check_columns(len(rows[0].cells), f"{lines.name}:{rows[0].line}")
    given, above, notes = _told(rows, text[:skipped], delimiter, layout, lines.name)
    used = rows[0].line - 1
    if above:
        used = rows[above - 1].line + rows[above - 1].text.count("\n")
    rest = "".join(f"{line}\n" for line in (*text[used:], *after))
    lines.give_back(rest.encode("utf-8", "surrogateescape"), more=False)
    titles = tuple(unicodedata.normalize("NFKC", title) for title in given)
    head, units = (rows[k].text if above > k else "" for k in (0, 1))
    first = tuple(rows[above].cells) if len(rows) > above else ()
    return Header(titles, delimiter, head, rows[0].line, units, notes, first)


def _is_row(first: TextRow, above: Sequence[str], delimiter: str, layout: Layout) -> bool:
    """Tell whether the first row is one of data; what is asked there is asked only of a row that has a number."""
    if layout == PLAIN and not any(math.isfinite(number(cell)) for cell in first.cells):
        return False
    from gdcli.table.first_rows import has_no_header

    return has_no_header(first.cells, above, delimiter, layout)


def _told(
    rows: Sequence[TextRow], above: Sequence[str], delimiter: str, layout: Layout, name: str
) -> tuple[Sequence[str], int, tuple[str, ...]]:
    """Return the titles, how many of the first rows are above the data, and what there is to tell of the table."""
    first, widths = rows[0], {len(row.cells) for row in rows[:2]}
    is_row = _is_row(first, above, delimiter, layout)
    if not is_row and layout == PLAIN and len(widths) == 1 and _has_number(rows[1:2]):
        titles = [cell.strip() for cell in first.cells]
        _check_numbers(titles, first, delimiter, name)
        return titles, 1, ()
    from gdcli.table.first_rows import with_header, without_header

    if is_row:
        told = without_header(first, above, delimiter, layout)
    else:
        told = with_header(rows, delimiter, layout)
        if not layout.names:
            _check_numbers(told.titles, first, delimiter, name)
    count = len(first.cells) if is_row else max(widths)
    if layout.names and len(layout.names) != count:
        raise DataError(
            f"{name}:{first.line}: {count} columns, and --columns names {len(layout.names)}",
            "give every column a name: --columns " + ",".join([*layout.names, *"uvwxyz"][:count]),
            Span(first.text, 0, len(first.text), f"{name}:{first.line}") if "\n" not in first.text else None,
        )
    return told


def _has_number(rows: Sequence[TextRow]) -> bool:
    return not rows or any(math.isfinite(number(cell)) for cell in rows[0].cells)


def _check_below(header: TextRow, row: TextRow | None, name: str) -> None:
    """Raise DataError where the first line is a caption of the table, and the row below has names of columns."""
    if (
        row is None
        or not row.text.strip()
        or sum(bool(cell.strip()) for cell in header.cells) > 1
        or "\n" in row.text
    ):
        return
    below = next(records([row.text], row.line, find_delimiter([row.text], name), name))
    words = [cell.strip() for cell in below.cells if cell.strip()]
    if (
        len(words) < 2
        or not all(map(spelling, words))
        or any(math.isfinite(number(word)) or is_missing(word) for word in words)
    ):
        return
    raise DataError(
        f"{name}:{header.line}: the first line has one title, and the row below it {len(words)} words",
        f"the header seems to stand in line {row.line}: tail -n +{row.line} {named(name)} | gd fit ... -",
    )


def _check_captions(text: Sequence[str], first: int, name: str) -> None:
    """Raise DataError where ``text[first:]`` begins with lines of a caption, and a table comes below.

    A table is a line of names and one with as many cells, numbers among them, cut by a character that none of the lines
    above has.
    """
    for i, (line, row) in enumerate(pairwise(text[first : first + _CAPTION])):
        for mark in _DELIMITERS if i else ():
            titles, cells = ([cell.strip() for cell in part.split(mark)] for part in (line, row))
            numbers = [math.isfinite(number(cell)) for cell in cells]
            names = all(spelling(title) and number(title) != number(title) for title in titles)
            if (
                len(titles) == len(cells) > 1
                and names
                and any(numbers)
                and mark not in "".join(text[first : first + i])
            ):
                what, line_number = "line is" if i == 1 else f"{i} lines are", first + i + 1
                raise DataError(
                    f"{name}:{first + 1}: the first {what} no header of the table below",
                    f"the header seems to stand in line {line_number}: "
                    f"tail -n +{line_number} {named(name)} | gd fit ... -",
                )


def check_columns(count: int, place: str) -> None:
    if count > MAX_COLUMNS:
        raise DataError(
            f"{place}: {count} columns, and at most {MAX_COLUMNS} are read",
            "is a row of this table a line? cut chooses columns: cut -d, -f1-100 FILE | gd fit ... -",
        )


def _beginning(lines: LineStream) -> tuple[list[str], list[str]]:
    """Return the first lines, those that decide what kind of table this is, and what else was read.

    Which lines decide follows from the text alone, so that a file and a slow pipe are taken for the same.
    """
    while True:
        block = lines.take(1)
        if block.startswith(COLUMNAR):
            raise DataError(
                f"{lines.name} is a Parquet or Arrow file",
                "give it by its name and unpacked, it cannot be read from a pipe",
            )
        text = block.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
        text.pop()
        before = _before(text)
        if sum(len(line) + 1 for line in text[:before]) > _LONGEST:
            raise DataError(f"{lines.name} has no header in its first {_LONGEST >> 10} KiB")
        rows = [i for i in range(before, len(text)) if text[i].strip(_BLANK)]
        _check_binary(text[: rows[1] + 1 if len(rows) > 1 else None], lines.name)
        enough = _deciding(text, before)
        if enough or lines.ended:
            enough = enough or len(text)
            return text[:enough], text[enough:]
        lines.give_back(block, more=True)


def _deciding(text: Sequence[str], before: int) -> int:
    """Return how many lines have the first rows and no quote open after them; 0 where there are too few.

    They are two, and three where the second has no number: it may have units.
    """
    rows = quotes = length = 0
    wanted = 2
    for i in range(before, len(text)):
        line = text[i]
        rows += bool(line.strip(_BLANK))
        quotes += line.count('"')
        length += len(line) + 1
        if rows == 2 and line.strip(_BLANK):
            wanted = 2 if any(number(word) == number(word) for word in re.split(r'[\s,;|"]+', line)) else 3
        if rows >= wanted and (quotes % 2 == 0 or length > _LONGEST):
            return i + 1
    return 0


def _check_binary(text: Sequence[str], name: str) -> None:
    for i, line in enumerate(text):
        if not line.isprintable() and (found := re.search(_BINARY, line)):
            raise DataError(
                f"{name} is binary, not text (line {i + 1} has the byte 0x{ord(found.group()):02x})",
                "save the data as csv",
            )


def _before(text: Sequence[str]) -> int:
    for i, line in enumerate(text):
        if (
            line.strip(_BLANK)
            and not line.startswith(COMMENTS)
            and not ("=" in line and re.fullmatch(_EXCEL, line))
        ):
            return i
    return len(text)


def _cells(text: Sequence[str], delimiter: str, name: str) -> list[int]:
    """Return how many cells the header and the first row have by a delimiter."""
    found: list[int] = []
    try:
        for record in islice(records(text, 1, delimiter, name), 2):
            found.append(len(record.cells))
    except (UnfinishedError, DataError):
        pass
    return found or [1]


def find_delimiter(text: Sequence[str], name: str, decimal: str = ".") -> str:
    """Return the delimiter of a table from its first lines: tab, semicolon, comma, bar, or SPACES.

    It is the one that cuts the header and the first row into equally many cells, the most where several do. The
    ``decimal`` mark of numbers is none.
    """
    marks = [mark for mark in _DELIMITERS if mark != decimal]
    counts = {delimiter: _cells(text, delimiter, name) for delimiter in (*marks, SPACES)}
    equal = {d: found[0] for d, found in counts.items() if len(found) == 2 and found[0] == found[1] > 1}
    marked = {d: n for d, n in equal.items() if d != SPACES}
    if marked or equal:
        best = marked or equal
        return max(best, key=lambda d: best[d])
    cut = {d: found[0] for d, found in counts.items() if found[0] > 1 and d != SPACES}
    if cut:
        return max(cut, key=lambda d: cut[d])
    return SPACES if min(counts[SPACES]) > 1 else marks[-2]


def _check_numbers(titles: Sequence[str], header: TextRow, delimiter: str, name: str) -> None:
    """Raise DataError where a number stands among the names, or numbers with a decimal comma do."""
    shift = len(titles) - len(header.cells)  # of rows that have names
    for i, title in enumerate(titles):
        is_comma = delimiter != "," and re.fullmatch(DECIMAL_COMMA, title) is not None
        if is_comma or (
            title and not title[0].isalpha() and math.isfinite(number(title))
        ):  # a finite number begins with no letter
            start, end = places(header.text, delimiter)[max(0, i - shift)]
            letters = ",".join("xyzuvw"[: len(titles)]) if len(titles) <= 6 else "x1,x2,..."
            hint = f"if this line is a row, name the columns: --columns {letters}, or --no-header"
            if is_comma:
                hint = "a decimal comma? --decimal , reads it"
            raise DataError(
                f"{name}:{header.line}:{start + 1}: a number where the name of a column should be: "
                "the first line must be a header",
                hint,
                Span(header.text, start, end, f"{name}:{header.line}") if "\n" not in header.text else None,
            )


def spelling(title: str) -> str:
    """Return the name that a column with this title has in a model; empty where there is none."""
    if title.isidentifier() and not title.startswith("_") and not keyword.iskeyword(title):
        return title
    name = re.sub(r"\W+", "_", title).strip("_")
    if name and not name.isidentifier():
        name = f"x{name}"
    if not name.isidentifier():
        return ""
    return f"{name}_" if keyword.iskeyword(name) else name


def numbered(name: str, *taken: Container[str]) -> str:
    """Return a name with the first number behind it by which it is in none of those ``taken``."""
    numbers = (f"{name}_{k}" for k in count(1))
    return next(free for free in numbers if not any(free in some for some in taken))


def names_of(titles: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the names of the columns in a model, empty for a column that has none there; those that stand twice are
    numbered.

    Raises DataError, located at ``place`` (file and line), where no column has a title.
    """
    if not any(titles):
        raise DataError(f"{place}: no column has a name", "the first line names the columns, as in: x,y")
    spelled, known = [spelling(title) for title in titles], set(titles)
    times = Counter(spelled)
    found: list[str] = []
    for name, title in zip(spelled, titles, strict=True):
        clear = (name == title and titles.count(title) == 1) or (times[name] == 1 and name not in known)
        if name and not clear:
            name = numbered(name, known, spelled)
            known.add(name)
        found.append(name)
    return tuple(found)
