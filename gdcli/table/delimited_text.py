"""A file or pipe of delimited text, read block by block.

The fast ways read what is plain; the rows they leave open, and every block that is not plain, are read by the
csv module, which alone decides what is a row and what is a number, and words what is wrong. So all ways give
the same on every input, as they are tested to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import np
from gdcli.table.blocks import PLAIN, KeptRows, Labels, Layout, RowBlock, Source, Wanted
from gdcli.table.cell_faults import never_closed
from gdcli.table.header import read_header
from gdcli.table.number_cells import COMMENTS, Numbers, UnfinishedError, records
from gdcli.table.readers import Quick, QuickWays
from gdcli.table.streams import LONGEST_LINE, LineStream, Supply

# Bytes of the second block: the first is what came with the header, each next one is four times as long, up to the
# size of its way.
_SECOND = 1 << 16


class Text(Source):
    """Delimited text with a header.

    ``progress`` is that of the stream at the last block, ``notes`` tell what was found out of the file, ``comments``
    which lines are such.
    """

    kind = "csv"

    def __init__(
        self, supply: Supply, reader: str = "auto", use_cache: bool = True, layout: Layout = PLAIN
    ) -> None:
        self.name = supply.name
        self._layout, self.decimal = layout, layout.decimal
        self._supply = supply
        lines, _ = supply.lines()
        self.progress = (0, lines.stream.progress[1])
        found = read_header(lines, layout)
        self.titles, self.delimiter, self.header, self.header_line = found[:4]
        self.units, self._found, self.first = found.units, found.notes, found.first
        self.comments: list[int] = []
        self._quickly = QuickWays(reader, self.delimiter, len(self.titles), use_cache, layout.decimal)
        supply.rest()

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self._supply.notes, *self._found)

    def close(self) -> None:
        self._supply.close()

    def parts(self, wanted: Wanted) -> Iterator[RowBlock]:
        """Yield the rows in parts; the first is short, so that a fault near the beginning is told at once."""
        lines, anew = self._supply.lines()
        self.comments.clear()
        if anew and read_header(lines, self._layout).titles != self.titles:
            raise DataError(f"{self.name} has changed while it was read")
        lines = self._supply.rows(lines)
        numbers = Numbers(self.name, self.titles, self.delimiter, wanted, self._layout.decimal)
        size, seen = 1, 0
        try:
            while block := lines.view(size):
                self.progress = lines.stream.progress
                seen += len(block)
                length = max(seen, self.progress[1])
                part = self._quick(block, lines, numbers, length)
                if part is None:
                    part, rest = self._slow(bytes(block), lines, numbers)
                    if rest:
                        lines.give_back(rest, more=True)
                if part.rows or part.text:
                    yield part
                size = min(max(4 * size, _SECOND), self._quickly.size(length))
        finally:
            self.close()

    def _quick(self, block: memoryview, lines: LineStream, numbers: Numbers, length: int) -> RowBlock | None:
        """Return the rows of a plain block, None where it is not plain."""
        if _has_comment(block):
            return None
        wanted = numbers.wanted
        rows: bytes | memoryview = block
        if lines.ended and bytes(block[-3:]).endswith((b"\n\n", b"\n\r\n")):  # blank lines at the end
            rows = bytes(block).rstrip(b"\r\n") + b"\n"
        quick = self._quickly.read(rows, wanted.numbers, length, wanted.labels, wanted.room)
        if quick is None:
            return None
        if rows is block:
            lines.counted(quick.rows)  # of a plain block each line is a row
        if not len(quick.doubtful):
            if quick.rows:
                numbers.another()
            texts = _texts(bytes(rows)) if wanted.text else None
            return RowBlock(quick.columns, lines.first, texts, None, quick.labels)
        return self._decided(bytes(rows), lines.first, numbers, quick)

    def _decided(self, block: bytes, first: int, numbers: Numbers, quick: Quick) -> RowBlock:
        """Return the rows of a block of which the csv module decides the doubtful ones."""
        texts, text = _texts(block), numbers.wanted.text
        used = np.ones(len(texts), dtype=bool)
        columns = [np.array(column) for column in quick.columns]
        before = -1
        for row in [int(row) for row in quick.doubtful]:
            if row > before + 1:
                numbers.another()
            before = row
            record = next(records([texts[row]], first + row, self.delimiter, self.name))
            kept = numbers.of(record)
            used[row] = kept is not None
            for column, value in zip(columns, kept.values if kept else (), strict=False):
                column[row] = value
        if before < len(texts) - 1:
            numbers.another()
        if used.all():
            return RowBlock(columns, first, texts if text else None, None, quick.labels)
        lines = first + np.flatnonzero(used)
        labels = [Labels(column.values, column.codes[used]) for column in quick.labels]
        shown = texts if text else None
        return RowBlock([c[used] for c in columns], lines, shown, used.tolist() if text else None, labels)

    def _slow(self, block: bytes, lines: LineStream, numbers: Numbers) -> tuple[RowBlock, bytes]:
        """Return the rows of a block as the csv module reads them, and the lines of a row that goes on after it."""
        texts = block.decode("utf-8", "surrogateescape").split("\n")
        texts.pop()
        first, last = lines.first, lines.ended
        rows, rest = KeptRows(numbers.wanted), b""
        try:
            for record in records(texts, first, self.delimiter, self.name, self.comments):
                rows.add(numbers.of(record), record.line, record.text)
        except UnfinishedError as place:
            rest = "".join(f"{line}\n" for line in texts[place.line :]).encode("utf-8", "surrogateescape")
            if last or len(rest) > LONGEST_LINE:
                fault = never_closed(self.name, first + place.line, texts[place.line])
                if lines.is_cut:
                    fault.hint = (
                        "a cell that goes on in the next line can be cut: make each file one partition"
                    )
                raise fault from None
        return rows.block(), rest


def _has_comment(block: memoryview) -> bool:
    """Tell whether a line of a block begins with the sign of a comment. (Few blocks have such a sign at all.)"""
    text, end = block.obj, len(block)
    assert isinstance(text, bytes | bytearray)
    if all(text.find(sign.encode(), 0, end) < 0 for sign in COMMENTS):
        return False
    return re.search(rb"(?:\A|\n)[ \t]*[#%]", block) is not None


def _texts(block: bytes) -> list[str]:
    texts = block.decode("utf-8").replace("\r\n", "\n").split("\n")
    texts.pop()
    return texts
