"""A file or pipe of delimited text, read block by block.

The fast ways read what is plain; the rows they leave open, and every block that is not plain, are read by the
csv module, which alone decides what is a row and what is a number, and words what is wrong. So all ways give
the same on every input, as they are tested to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from gdcli.data import fast
from gdcli.data.cells import Numbers, UnfinishedError, never_closed, records
from gdcli.data.header import read_header
from gdcli.data.parts import Part, Skip
from gdcli.data.streams import LONGEST_LINE, Lines, Stream
from gdcli.errors import DataError

if TYPE_CHECKING:
    from numpy import ndarray

READERS = ("auto", "polars", "split", "csv")
# Bytes of the second block: the first is what came with the header, each next one is four times as long, up to the
# size of its reader.
_SECOND = 1 << 16
_SIZES = {"polars": 8 << 20, "split": 1 << 20, "csv": 1 << 20}
_MANY = 1 / 16  # more doubtful rows than this: the whole block goes to the csv module


class Text:
    """Delimited text with a header. ``stream`` is read once; a regular file is opened again for each reading."""

    kind = "csv"

    def __init__(self, path: str, stream: Stream, reader: str = "auto", tee: BinaryIO | None = None) -> None:
        self.path, self.name = path, stream.name
        self._lines: Lines | None = Lines(stream, tee)
        found = read_header(self._lines)
        self.titles, self.delimiter, self.header, self.header_line = found
        if reader == "auto":
            reader = "polars" if fast.has_polars() else "split"
        self.reader = reader
        if stream.again:
            self.close()

    def close(self) -> None:
        """Close the stream."""
        if self._lines is not None:
            self._lines.stream.close()
            self._lines = None

    def _start(self) -> Lines:
        """Return the lines from the first row on."""
        if self._lines is None:
            self._lines = Lines(Stream(self.path))
            titles = read_header(self._lines).titles
            if titles != self.titles:
                raise DataError(f"{self.name} has changed while it was read")
        return self._lines

    def parts(self, wanted: Sequence[int], skip: Skip | None, text: bool) -> Iterator[Part]:
        """Yield the rows in parts; the first is short, so that a fault near the beginning is told at once."""
        lines = self._start()
        numbers = Numbers(self.name, self.titles, wanted, self.delimiter, skip)
        size, largest = 1, _SIZES[self.reader]
        try:
            while block := lines.take(size):
                first = lines.line - block.count(b"\n")
                size = min(max(4 * size, _SECOND), largest)
                part = self._quick(block, first, numbers, lines.ended, text)
                if part is None:
                    part, rest = self._slow(block, first, numbers, lines.ended, text)
                    lines.give_back(rest)
                    size = max(size, 2 * len(rest))
                if part.rows or part.text:
                    yield part
        finally:
            self.close()

    def _quick(self, block: bytes, first: int, numbers: Numbers, last: bool, text: bool) -> Part | None:
        """Return the rows of a plain block, None where it is not plain."""
        if self.reader == "csv":
            return None
        if last:
            block = block.rstrip(b"\r\n") + b"\n"  # blank lines at the end
        plain = fast.plain(block, self.delimiter, len(self.titles))
        if plain is None:
            return None
        read = fast.with_polars if self.reader == "polars" else fast.with_split
        quick = read(plain, numbers.wanted)
        if quick is None or len(quick.doubtful) > max(10, _MANY * plain.rows):
            return None
        if not len(quick.doubtful):
            return Part(quick.columns, first, _texts(block) if text else None)
        return self._decided(block, first, numbers, quick, text)

    def _decided(self, block: bytes, first: int, numbers: Numbers, quick: fast.Quick, text: bool) -> Part:
        """Return the rows of a block of which the csv module decides the doubtful ones."""
        import numpy as np

        texts = _texts(block)
        used = np.ones(len(texts), dtype=bool)
        columns = [np.array(column) for column in quick.columns]
        for row in quick.doubtful.tolist():
            record = next(records([texts[row]], first + row, self.delimiter, self.name))
            values = numbers.of(record)
            used[row] = values is not None
            for column, value in zip(columns, values or (), strict=False):
                column[row] = value
        if used.all():
            return Part(columns, first, texts if text else None)
        lines = first + np.flatnonzero(used)
        return Part(
            [c[used] for c in columns], lines, texts if text else None, used.tolist() if text else None
        )

    def _slow(self, block: bytes, first: int, numbers: Numbers, last: bool, text: bool) -> tuple[Part, bytes]:
        """Return the rows of a block as the csv module reads them, and the lines of a row that goes on after it."""
        texts = block.decode("utf-8", "surrogateescape").split("\n")
        texts.pop()
        rows: list[list[float]] = []
        lines: list[int] = []
        shown: list[str] = []
        used: list[bool] = []
        rest = b""
        try:
            for record in records(texts, first, self.delimiter, self.name):
                values = numbers.of(record)
                if values is not None:
                    rows.append(values)
                    lines.append(record.line)
                if text:
                    shown.append(record.text)
                    used.append(values is not None)
        except UnfinishedError as place:
            rest = "".join(f"{line}\n" for line in texts[place.line :]).encode("utf-8", "surrogateescape")
            if last or len(rest) > LONGEST_LINE:
                raise never_closed(self.name, first + place.line, texts[place.line]) from None
        columns, numbered = _arrays(rows, lines, len(numbers.wanted))
        return Part(columns, numbered, shown if text else None, used if text else None), rest


def _texts(block: bytes) -> list[str]:
    """Return the lines of a plain block, without their line ends."""
    texts = block.decode("utf-8").replace("\r\n", "\n").split("\n")
    texts.pop()
    return texts


def _arrays(rows: list[list[float]], lines: list[int], columns: int) -> tuple[list[ndarray], ndarray]:
    import numpy as np

    table = np.array(rows, dtype=np.float64).reshape(len(rows), columns)
    return [np.ascontiguousarray(table[:, i]) for i in range(columns)], np.array(lines, dtype=np.int64)
