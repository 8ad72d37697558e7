"""The formats of answers, in one table, and pages in those that have one: on a terminal in colour, in a pipe without.

A format has one of four shapes, and each kind of answer a writer for each shape that it can take: no writer knows a
format by its name. What is special to a format is its ``writer``, imported when it is asked for: of a page, what gives
the `Look` of a stream; of rows, the text of their head and of each (`gdcli.record.serialization.RowText`).

rich is imported only for a terminal; it decides how many colours there are and honours NO_COLOR. In a pipe,
and in a file, the page is plain text of the same layout.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.record.path_rows import Trail, row_of
from gdcli.render.page import ASCII, PLAIN, UNICODE, Glyphs, Line, carries, plain_text

if TYPE_CHECKING:
    from gdcli.record.runs import RunRecord
    from gdcli.record.schema import Record
    from gdcli.solve.iteration import Iterate


class Shape(Enum):
    """What a format makes of an answer: a ``PAGE`` for a person or one JSON ``OBJECT``, both at the end; JSON
    ``LINES`` or ``ROWS`` of cells under a head, each as its part of the answer comes.
    """

    PAGE, OBJECT, LINES, ROWS = "page", "object", "lines", "rows"


class Format(NamedTuple):
    """One format: ``writer`` is ``module:name``."""

    name: str
    shape: Shape
    writer: str = ""

    @property
    def is_page(self) -> bool:
        return self.shape is Shape.PAGE

    @property
    def is_record(self) -> bool:
        """Whether it can be stored, shown and repeated: then it has a receipt, and an error is a record too."""
        return self.shape in (Shape.OBJECT, Shape.LINES)

    @property
    def streams(self) -> bool:
        """Whether it is written as the answer comes."""
        return self.shape in (Shape.LINES, Shape.ROWS)

    def load(self) -> Any:
        from importlib import import_module

        module, _, name = self.writer.partition(":")
        return getattr(import_module(module), name)


FORMATS = {
    format.name: format
    for format in (
        Format("table", Shape.PAGE, "gdcli.render.formats:look"),
        Format("json", Shape.OBJECT),
        Format("jsonl", Shape.LINES),
        Format("csv", Shape.ROWS, "gdcli.record.serialization:CSV"),
        Format("plain", Shape.PAGE, "gdcli.render.formats:plain_look"),
    )
}

# -- pages on a stream ------------------------------------------------------------------------------------------------


WIDTH = 80
PATIENCE = (
    1.0  # seconds before it is told how far a run has come: what is quicker shows nothing but its answer
)
PERIOD = 0.1  # seconds between two pictures of what changes, at least
_STYLES = {
    "title": "bold",
    "label": "cyan",
    "rule": "bright_black",
    "good": "green",
    "warn": "yellow",
    "bad": "red",
}


def is_terminal(stream: TextIO) -> bool:
    """Return whether a person looks at ``stream``; a closed stream is no terminal."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def can_redraw(stream: TextIO) -> bool:
    return is_terminal(stream) and os.environ.get("TERM", "") not in ("", "dumb")


def width_of(stream: TextIO) -> int:
    """Return the columns of a terminal, of COLUMNS where it is set, else 80; never under 40."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit():
        return max(40, int(given[:6]))
    try:
        width = os.get_terminal_size(stream.fileno()).columns if is_terminal(stream) else 0
    except (OSError, ValueError):
        width = 0
    return max(40, width) if width else WIDTH


def lines_of(stream: TextIO) -> int:
    """Return the lines of a terminal, never under 24; 0 where there is none."""
    try:
        return max(24, os.get_terminal_size(stream.fileno()).lines) if is_terminal(stream) else 0
    except (OSError, ValueError):
        return 0


def glyphs_of(stream: TextIO) -> Glyphs:
    """Return the richest characters that the stream's encoding can carry."""
    return UNICODE if carries(stream, UNICODE) else ASCII


def show(lines: Sequence[Line], stream: TextIO) -> None:
    if not is_terminal(stream):
        stream.write(plain_text(lines))
        return
    from rich.console import Console
    from rich.text import Text

    console: Any = Console(file=stream, highlight=False, emoji=False, markup=False, soft_wrap=True)
    for line in lines:
        text = Text(no_wrap=True, overflow="ignore")
        for piece, role in line:
            text.append(piece, _STYLES.get(role))
        text.rstrip()
        console.print(text, soft_wrap=True)


class Look(NamedTuple):
    """How a page looks on a stream, and what shows some of its lines there."""

    width: int
    glyphs: Glyphs
    show: Callable[[Sequence[Line]], None]


def look(stream: TextIO) -> Look:
    """The look of ``table``: as wide, rich and colourful as the stream can be."""
    return Look(width_of(stream), glyphs_of(stream), lambda lines: show(lines, stream))


def plain_look(stream: TextIO) -> Look:
    """The look of ``plain``: the same ASCII everywhere, without rules."""

    def write(lines: Sequence[Line]) -> None:
        stream.write(plain_text(lines))
        stream.flush()

    return Look(WIDTH, PLAIN, write)


def write_page(stream: TextIO, format: Format, page: Callable[[int, Glyphs], Sequence[Line]]) -> None:
    seen: Look = format.load()(stream)
    seen.show(page(seen.width, seen.glyphs))


def write_answer(
    stream: TextIO,
    format: Format,
    found: Record,
    page: Callable[[int, Glyphs], Sequence[Line]],
    rows: Callable[[Any], tuple[Sequence[Any], list[list[Any]]]] | None = None,
    timing: bool = True,
) -> None:
    """Write an answer that is known when all of it is done: as its page, as one object, or as the ``rows`` of it."""
    if format.is_page:
        write_page(stream, format, page)
    elif format.shape is Shape.ROWS and rows is not None:
        stream.write(format.load().table(*rows(found)))
    else:
        from gdcli.record.schema import told
        from gdcli.record.serialization import json_block

        stream.write(json_block(told(found, timing)))


class PageLayout(NamedTuple):
    """How a kind of run is laid out: ``page(record, trail, width, glyphs, timing)``, what makes its trail's rows."""

    page: Callable[..., list[Line]]
    row: Callable[..., Any]


class Table:
    """The writer of pages: collects the path, lays the answer out at the end."""

    def __init__(
        self,
        stream: TextIO,
        sign: int,
        size: int,
        every: int | None,
        timing: bool,
        format: Format = FORMATS["table"],
        layout: PageLayout | None = None,
    ) -> None:
        self._stream, self._timing, self._format, self._layout = stream, timing, format, layout
        self._trail = Trail(sign, size, every, row_of if layout is None else layout.row)

    @property
    def thinning(self) -> tuple[int, int]:
        return self._trail.thinning

    def __call__(self, iterate: Iterate) -> None:
        self._trail(iterate)

    def keep(self) -> Any:
        return self._trail.keep()

    def restore(self, kept: object) -> None:
        self._trail.restore(kept)

    def finish(self, found: RunRecord) -> None:
        page: Any
        if self._layout is None:
            from gdcli.render.summary import page
        else:
            page = self._layout.page
        write_page(self._stream, self._format, lambda *look: page(found, self._trail, *look, self._timing))
