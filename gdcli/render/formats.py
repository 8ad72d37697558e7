"""The formats of answers, in one table.

A format has one of four shapes, and each kind of answer a writer for each shape that it can take: no writer knows a
format by its name. What is special to a format is its ``writer``, imported when it is asked for: of a page, what gives
the `Look` of a stream (:mod:`gdcli.render.tables`); of rows, the text of their head and of each
(`gdcli.record.serialization.RowText`).
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from gdcli.kernel.dataclass import NamedTuple


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
        Format("table", Shape.PAGE, "gdcli.render.tables:look"),
        Format("json", Shape.OBJECT),
        Format("jsonl", Shape.LINES),
        Format("csv", Shape.ROWS, "gdcli.record.serialization:CSV"),
        Format("plain", Shape.PAGE, "gdcli.render.tables:plain_look"),
    )
}
