"""What all comparisons share on paper: the question at the top, the aligned cells, the formats of the answer.

A comparison is known when all of it is done, so that nothing is written before; each format is then one function of
the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import harmless, shorten
from gdcli.record.schema import Json, Record, told
from gdcli.render.formats import Format, Shape
from gdcli.render.page import Column, Glyphs, Line, fact
from gdcli.render.sparkline import LETTERS, Bars, bars_of
from gdcli.render.summary import point_text, start_option, typed_texts

if TYPE_CHECKING:
    from gdcli.record.runs import ProblemRecord
    from gdcli.render.plot_data import Chart

Page = Callable[[int, Glyphs, Bars], list[Line]]
# A sparkline is at least this wide, and at most that.
NARROW, WIDE = 8, 32


def question(problem: ProblemRecord, seed: int, width: int) -> list[Line]:
    expression = harmless(shorten(" ".join(problem.expression.split()), 5 * width))
    lines = fact(problem.sense, expression, width, "title")
    if problem.constants:
        lines += fact("with", point_text(problem.constants), width)
    lines += typed_texts("let", problem.let, width)
    if problem.drawn:
        told = f"drawn at random with seed {seed}; the same again: {start_option(problem.start)}"
        return lines + fact("start", told, width)
    return lines + fact("start", point_text(problem.start), width)


def aligned(texts: Iterable[str]) -> list[str]:
    """Return numbers with their decimal points under each other; as they are where one is in scientific form."""
    texts = list(texts)
    if any("e" in text for text in texts):
        return texts
    parts = [text.partition(".") for text in texts]
    after = max((len(point + fraction) for _, point, fraction in parts), default=0)
    return [head + (point + fraction).ljust(after) for head, point, fraction in parts]


def with_course(columns: list[Column], width: int, draw: Callable[[int], Sequence[str]]) -> list[Column]:
    """Return the columns and the courses of the runs, as ``draw`` draws them in the columns that are left."""
    room = width - sum(c.width + 2 for c in columns)
    cells = draw(max(NARROW, min(WIDE, room)))
    return [*columns, Column("course", cells, left=True, spare=9)]


class Kind(NamedTuple):
    """A kind of comparison: what lays it out, the key of its runs and what one is called, the cells of a row of csv,
    its picture (None: one that takes more than the record).
    """

    page: Callable[[Any, int, Glyphs, Bars, bool], list[Line]]
    parts: str
    one: str
    cells: Callable[[bool], Sequence[str]]
    picture: Callable[[Any], Chart] | None


def write(stream: TextIO, format: Format, found: Record, kind: Kind, timing: bool) -> None:
    """Write a comparison in one of the formats.

    As lines each run has one, then the whole; as rows each has one, in which ``evaluations_value`` is the entry
    ``value`` of ``evaluations``.
    """
    from gdcli.record import serialization

    if format.is_page:
        write_page(stream, format, lambda width, glyphs, bars: kind.page(found, width, glyphs, bars, timing))
        return
    record = told(found, timing, kind.parts)
    if format.shape is Shape.OBJECT:
        stream.write(serialization.json_block(record))
    elif format.shape is Shape.LINES:
        for part in record[kind.parts]:
            stream.write(serialization.json_text({"type": kind.one} | part) + "\n")
        stream.write(serialization.json_text(record) + "\n")
    else:
        cells = kind.cells(timing)
        rows = ([_cell(part, name) for name in cells] for part in record[kind.parts])
        stream.write(format.load().table(cells, rows))


def _cell(part: Json, name: str) -> Any:
    """Return the entry of a record, or an entry of one of its entries; booleans as JSON writes them."""
    outer, _, inner = name.partition("_")
    value = (part.get(outer) or {}).get(inner, 0) if inner and name not in part else part.get(name)
    return str(value).lower() if isinstance(value, bool) else value


def write_page(stream: TextIO, format: Format, page: Page) -> None:
    """Write a comparison as a page, with bars as rich as its glyphs."""
    from gdcli.render import tables
    from gdcli.render.page import PLAIN

    def lines(width: int, glyphs: Glyphs) -> list[Line]:
        return page(width, glyphs, LETTERS if glyphs is PLAIN else bars_of(stream))

    tables.write_page(stream, format, lines)
