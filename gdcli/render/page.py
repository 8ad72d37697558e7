"""A page: lines of text pieces that know what they are, not yet how they look.

One layout serves the terminal and the pipe: it decides columns, digits and line breaks once, for a width in
columns, and marks each piece of text with a role. :mod:`gdcli.render.formats` turns roles into colours on a
terminal and forgets them elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import columns_of, harmless
from gdcli.kernel.number_format import column, short
from gdcli.kernel.numerics import TINY
from gdcli.record.path_rows import COORDINATES, ENDS, Row, Trail

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.record.runs import RunRecord

Line = list[tuple[str, str]]  # pieces: (text, role)


class TableLine(list[tuple[str, str]]):
    """A line of a table that knows the ``columns`` and its ``row``; it has none (-1) where it is titles or a rule."""

    def __init__(self, pieces: Line, columns: Sequence[Column], row: int = -1) -> None:
        super().__init__(pieces)
        self.columns, self.row = columns, row


LABEL = 14  # columns of the label before a fact
_LONGEST_LABEL = 20  # of a group
MOST_NAMED = 8  # of columns that are not shown
_ROUNDING = 1e10 * TINY  # the sides of a box around 0 are as long only because of rounding


class Glyphs(NamedTuple):
    rule: str
    omitted: str
    plus_minus: str = "+-"


UNICODE = Glyphs("─", "⋮", "±")
ASCII = Glyphs("-", ":")
PLAIN = Glyphs("", ":")


def carries(stream: TextIO, characters: Sequence[str]) -> bool:
    """Tell whether the encoding of a stream has these characters."""
    try:
        "".join(characters).encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


class Column(NamedTuple):
    """A column of a table: its title and one cell per row; ``left`` aligns it left.

    Where the room is short columns are left out, those with the largest ``spare`` first; with 0 one stays.
    """

    title: str
    cells: Sequence[str]
    left: bool = False
    roles: Sequence[str] = ()
    spare: int = 0

    @property
    def width(self) -> int:
        return max(map(columns_of, [self.title, *self.cells]))


def pad(text: str, width: int, left: bool = False) -> str:
    fill = " " * max(0, width - columns_of(text))
    return text + fill if left else fill + text


def cut(text: str, width: int, from_end: bool = False) -> str:
    """Return a text, made harmless, in at most ``width`` columns: its beginning, or its end."""
    text = harmless(text)
    if columns_of(text) <= width:
        return text
    left = len(text)
    while left and columns_of(text[-left:] if from_end else text[:left]) > width - 3:
        left -= 1
    return "..." + text[-left:] if from_end else text[:left] + "..."


def fits(columns: Iterable[Column], width: int) -> bool:
    return sum(column.width + 2 for column in columns) - 2 <= width


def chosen(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """Return the columns that ``width`` has room for, and those left out; of equally spare ones the last goes first."""
    kept = list(enumerate(columns))
    left_out = []
    while not fits((c for _, c in kept), width):
        last = max(kept, key=lambda item: (item[1].spare, item[0]))
        if not last[1].spare:
            break
        kept.remove(last)
        left_out.append(last)
    return [c for _, c in kept], [c for _, c in sorted(left_out, key=lambda item: item[0])]


def named(titles: Sequence[str], total: int = 0) -> str:
    """Return titles with commas between them, the first of many; ``total`` counts also those not given."""
    total = max(total, len(titles))
    if total <= MOST_NAMED:
        return ", ".join(titles)
    return f"{', '.join(titles[: MOST_NAMED - 2])}, ... ({total} in all)"


def laid_out(
    columns: Sequence[Column],
    width: int,
    glyphs: Glyphs,
    omitted: Iterable[int] = (),
    all_in: str = "--format csv",
    unseen: tuple[Sequence[str], int] = ((), 0),
) -> list[Line]:
    """Return a table in ``width`` columns, and below it what is not shown.

    ``all_in`` says what shows all. Of columns that no width has room for ``unseen`` gives the first titles and how many
    there are.
    """
    kept, left_out = chosen(columns, width)
    names, more = unseen
    gone = list(dict.fromkeys(title for c in left_out if (title := c.title.strip())))
    lines = table(kept, glyphs, omitted)
    if gone or more:
        told = f"not shown: {named([*gone, *names], len(gone) + more)}; {all_in} has all"
        lines += [[(line, "rule")] for line in wrap(told, width)]
    return lines


def table(columns: Sequence[Column], glyphs: Glyphs, omitted: Iterable[int] = ()) -> list[Line]:
    """Return a table with a title line and a rule; before the rows in ``omitted`` stands a mark of
    omission.
    """
    widths = [column.width for column in columns]
    lines = heading(columns, widths, glyphs)
    gaps = set(omitted)
    for row in range(len(columns[0].cells)):
        if row in gaps:
            lines.append(TableLine([(pad(glyphs.omitted, widths[0]), "rule")], columns))
        line = TableLine([], columns, row)
        for index, (c, w) in enumerate(zip(columns, widths, strict=True)):
            line.append(("  " if index else "", ""))
            line.append((pad(c.cells[row], w, c.left), c.roles[row] if c.roles else ""))
        lines.append(line)
    return lines


def heading(columns: Sequence[Column], widths: Sequence[int], glyphs: Glyphs) -> list[Line]:
    """Return the line of titles of columns that are so wide, and the rule below it."""
    titles = "  ".join(pad(c.title, w, c.left) for c, w in zip(columns, widths, strict=True))
    lines: list[Line] = [TableLine([(titles, "title")], columns)]
    if glyphs.rule:
        lines.append(TableLine([(glyphs.rule * (sum(widths) + 2 * (len(widths) - 1)), "rule")], columns))
    return lines


def and_more(left: int, all_in: str = "--format json") -> list[Line]:
    """Return the line below a table that ``left`` out rows, nothing where it left out none."""
    return [[(f"and {left} more; {all_in} has them all", "rule")]] if left else []


def wrap(text: str, width: int) -> list[str]:
    """Return ``text`` broken at spaces into lines of at most ``width`` columns.

    A longer word is broken after operators and commas, and cut where there are none.
    """
    lines: list[str] = []
    line = ""
    for space, word in _pieces(text, width):
        joined = line + space + word if line else word
        if columns_of(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        while columns_of(word) > width:
            cut = len(word)
            # Halving is enough: the piece only has to fit, and such words are rare.
            while columns_of(word[:cut]) > width:
                cut = max(1, min(cut - 1, cut * width // columns_of(word[:cut])))
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    return [*lines, line] if line or not lines else lines


def _pieces(text: str, width: int) -> Iterator[tuple[str, str]]:
    """The words of a text, and the parts of those that are long, each with what stands before it in a line.

    A name and its value, ``x = 1``, are one word.
    """
    for tied in text.replace(" = ", "\0=\0").split(" "):
        word = tied.replace("\0", " ")
        if columns_of(word) <= width:
            yield " ", word
            continue
        import re

        first, *rest = re.split(r"(?<=[+\-*/,])(?![+\-*/,])(?<![\d.][eE][+-])", word)
        yield " ", first
        for part in rest:
            yield "", part


def fact(label: str, text: str, width: int, role: str = "", label_role: str = "label") -> list[Line]:
    """Return ``label  text``, wrapped with the text's lines under each other."""
    first, *more = wrap(text, max(20, width - LABEL))
    lines: list[Line] = [[(pad(label, LABEL, left=True), label_role), (first, role)]]
    return lines + [[(" " * LABEL, ""), (line, role)] for line in more]


def plain_text(lines: Iterable[Line]) -> str:
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


def warnings(texts: Iterable[str], width: int) -> list[Line]:
    found = (fact("warning", harmless(text), width, "warn", label_role="warn") for text in texts)
    return [line for lines in found for line in lines]


def beyond(space: Space) -> tuple[list[str], int]:
    """The first names of the variables that have no column, and how many of these there are."""
    first, size = COORDINATES, space.size
    return [space.label(i) for i in range(first, min(size, first + MOST_NAMED))], max(0, size - first)


def coordinates(space: Space, points: Iterable[Sequence[float]]) -> list[Column]:
    """A column for each of the first variables, the last of them the first to go."""
    columns = zip(*(point[:COORDINATES] for point in points), strict=True)
    return [Column(space.label(i), column(values, 8), spare=4) for i, values in enumerate(columns)]


def label_column(name: str, values: Sequence[float | str]) -> Column:
    """Return the column of what groups are called in one column of the data."""
    texts = [cut(v, _LONGEST_LABEL) if isinstance(v, str) else short(v, 12) for v in values]
    return Column(cut(name, _LONGEST_LABEL), texts, left=any(isinstance(v, str) for v in values))


def half_widths(ends: Iterable[tuple[Sequence[float], Sequence[float]]]) -> Column:
    """Return half the longest sides of boxes; those that are nothing but room for rounding are 0."""
    radii = [max(0.5 * (b - a) for a, b in zip(*pair, strict=True)) for pair in ends]
    return Column("half-width", ["0" if r < _ROUNDING else f"{r:.1e}" for r in radii], spare=1)


# -- the path of a run --------------------------------------------------------------------------------------------


def path(
    found: RunRecord, trail: Trail, width: int, glyphs: Glyphs, all_in: str = "--format csv"
) -> list[Line]:
    space = found.problem.space
    unseen = beyond(space)
    return thinned(trail, lambda rows: _path_columns(rows, space, width), width, glyphs, all_in, unseen)


def thinned(
    trail: Trail,
    columns: Callable[[list[Any]], list[Column]],
    width: int,
    glyphs: Glyphs,
    all_in: str = "--format jsonl",
    unseen: tuple[Sequence[str], int] = ((), 0),
) -> list[Line]:
    """Return the table of the rows that a trail has kept, and how they were thinned; the rest is as for `laid_out`."""
    marked = trail.rows()
    rows = [row for row in marked if row is not None]
    if not rows:
        return []
    gaps = [index - order for order, index in enumerate(i for i, row in enumerate(marked) if row is None)]
    lines = laid_out(columns(rows), width, glyphs, gaps, all_in, unseen)
    if gaps:
        stride = f"{trail.stride}nd" if trail.stride == 2 else f"{trail.stride}th"
        note = f"first {ENDS}, last {ENDS}, every {stride} of {rows[-1].iteration}; --every N shows each Nth"
        lines.append([(note, "rule")])
    return lines


def _path_columns(rows: list[Row], space: Space, width: int) -> list[Column]:
    """Return all columns: what every run has can be spared least, then coordinates, then the distance moved."""
    sizes = "penalty" if any(row.kind == "penalty" for row in rows) else "step"
    broken = [row.violation for row in rows]
    columns = [
        Column("iter", [str(row.iteration) for row in rows]),
        Column("value", column([row.value for row in rows], 10)),
        Column("|gradient|", [scientific(row.gradient_norm) for row in rows], spare=1),
        Column(sizes, column([row.step for row in rows], 3), spare=3),
    ]
    columns += [Column("violation", list(map(scientific, broken)), spare=1)] if any(broken) else []
    columns += [Column("moved", column([row.moved for row in rows], 3), spare=5)] if width >= 100 else []
    columns += [Column("evals", [str(row.evaluations) for row in rows], spare=2)]
    notes = [row.kind if row.kind not in ("start", "step", "penalty") else "" for row in rows]
    # That the last steps are those for the last digits is told where there is room.
    spare = 6 if {"", "polish"}.issuperset(notes) else 0
    tail = [Column("", notes, left=True, roles=["warn"] * len(rows), spare=spare)] if any(notes) else []
    return [*columns, *coordinates(space, [row.coordinates for row in rows]), *tail]


def scientific(value: float | None) -> str:
    return "" if value is None else f"{value:.2e}"
