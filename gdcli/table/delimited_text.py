"""A file or pipe of delimited text, read block by block: by machine code, polars or splitting, else by the csv module.

The quick ways read what is plain; the rows they leave open, and every block that is not plain, are read by the csv
module, which alone decides what is a row and what is a number, and words what is wrong. So all ways give the same on
every input, as they are tested to. One that has to be loaded is taken for a table that is long enough to repay that.
Machine code takes a block as it came, finds out by itself whether it is plain, and has numbers in the bits that float()
gives; what it leaves open (see `compile.delimited_rows`) is decided as for the other quick ways.

A block is *plain* when its delimiters, quotes, line ends and NUL bytes, everything else taken away, are exactly
those of rows of k cells: one comparison of bytes proves that every line has k cells and that no cell is quoted.
Then a cell is what stands between two delimiters for any reader. Quotes around cells that need none are
dropped first.

Polars reads decimal numbers correctly rounded, as float() does (fast_float; tested on random and on half-way
numbers). It accepts no text that float() rejects, and gives null or a value that is not finite for whatever it
does not accept; the rows where it does so are *doubtful*, and the csv reading decides about them alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import Array, np
from gdcli.table.blocks import (
    LISTED,
    PLAIN,
    SWAPPED,
    SWAPPED_BYTES,
    KeptRows,
    Label,
    Labels,
    Layout,
    RowBlock,
    Source,
    Wanted,
    coded,
)
from gdcli.table.cells import COMMENTS, SPACES, Numbers, UnfinishedError, label, never_closed, records
from gdcli.table.header import read_header
from gdcli.table.streams import LONGEST_LINE, LineStream, Supply

if TYPE_CHECKING:
    from gdcli.compile.delimited_rows import RowsReader


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
            raise DataError(
                f"{self.name} has changed while it was read", "run the command again when it is whole"
            )
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
        quick = self._quickly.read(rows, wanted.numbers, length, wanted.labels)
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


READERS = ("auto", "native", "polars", "split", "csv")
# Bytes of a block.
_SIZES = {"native": 1 << 22, "polars": 1 << 23, "split": 1 << 20, "csv": 1 << 20}
# Bytes of a table that repay loading a way, about: splitting, which has nothing to load, does some 60 MB/s.
_REPAID = {"native": 1 << 22, "polars": 1 << 23}
_MANY = 1 / 2  # more doubtful rows than this: the whole block goes to the csv module


class QuickWays:
    """Reads blocks of rows of so many ``cells`` by the way named ``reader`` (one of `READERS`), or the best for auto.

    A ``length`` below is that of the table in bytes, as far as it is known.
    """

    def __init__(
        self, reader: str, delimiter: str, cells: int, use_cache: bool = True, decimal: str = "."
    ) -> None:
        self._swap = decimal == ","
        self.reader, self.delimiter, self.cells = reader, delimiter, cells
        self._use_cache = use_cache

    def size(self, length: int) -> int:
        if self.reader == "csv":
            return _SIZES["csv"]
        return _SIZES[self._second(length) if self._machine_code(length) is None else "native"]

    def read(
        self,
        block: bytes | memoryview,
        wanted: Sequence[int],
        length: int,
        labels: Sequence[int] = (),
    ) -> Quick | None:
        """Return the wanted columns and labels of a block of whole lines, None where the csv module is to read it."""
        if self.reader == "csv":
            return None
        if self._swap:
            block = bytes(block).translate(SWAPPED_BYTES)
        machine_code = None if labels else self._machine_code(length)  # which reads numbers alone
        if machine_code is not None:
            found = _with_native(machine_code, block, self.delimiter, self.cells, wanted)
            if _is_clear(found):
                return found
        rows = plain(bytes(block), self.delimiter, self.cells)
        if rows is None:
            return None
        read = with_polars if self._second(length) == "polars" else with_split
        found = read(rows, wanted, labels)
        if found is not None and self._swap:
            found = found._replace(labels=[_as_typed(each) for each in found.labels])
        return found if _is_clear(found) else None

    def _machine_code(self, length: int) -> RowsReader | None:
        if self.reader == "native" or (self.reader == "auto" and length >= _REPAID["native"]):
            return rows_reader(self._use_cache)
        return None

    def _second(self, length: int) -> str:
        if self.reader in ("polars", "split"):
            return self.reader
        return "polars" if length >= _REPAID["polars"] and has_polars() else "split"


def _as_typed(labels: Labels) -> Labels:
    values = [each.translate(SWAPPED) if isinstance(each, str) else each for each in labels.values]
    return Labels(list(values), labels.codes)


def _is_clear(found: Quick | None) -> bool:
    return found is not None and len(found.doubtful) <= max(10, _MANY * found.rows)


@lru_cache
def rows_reader(use_cache: bool = True) -> RowsReader | None:
    """Return the machine code, loaded once; None where it cannot be had."""
    from gdcli.compile import machine_code

    if not machine_code.is_installed() or not machine_code.is_available():
        return None
    from gdcli.compile.delimited_rows import RowsReader

    try:
        return RowsReader(use_cache)
    except Exception:  # whatever is wrong with it, the other ways read the same
        return None


def _with_native(
    reader: RowsReader,
    block: bytes | memoryview,
    delimiter: str,
    cells: int,
    wanted: Sequence[int],
) -> Quick | None:
    """Return the wanted columns of a block of whole lines, None where it is not plain."""
    from gdcli.compile.machine_code import processors

    unique = list(dict.fromkeys(wanted))
    found = reader.read(
        block,
        delimiter,
        cells,
        unique,
        longest=LONGEST_LINE // 2,
        threads=processors(),
    )
    if found is None:
        return None
    return Quick([found.columns[unique.index(i)] for i in wanted], found.doubtful, [])


_RUNS = rb"[ \t]+"
_EDGES = rb"(?:^|(?<=\n))\t+|\t+(?=\r?\n)"


class Plain(NamedTuple):
    """A block of which every line is a row of ``cells`` cells without quotes."""

    data: bytes
    rows: int
    cells: int
    delimiter: str


class Quick(NamedTuple):
    """The wanted columns (see `blocks.RowBlock`), the rows that the csv reading must decide (sorted), and labels."""

    columns: list[Array] | list[list[float]]
    doubtful: Sequence[int] | Array
    labels: list[Labels]

    @property
    def rows(self) -> int:
        return len(self.columns[0]) if self.columns else len(self.labels[0].codes)


def has_polars() -> bool:
    """Tell whether polars is installed, without importing it."""
    from importlib.util import find_spec

    return find_spec("polars") is not None


def _is_text(data: bytes) -> bool:
    """Whether bytes are UTF-8 that polars leaves whole: the mark of a file's beginning is a character within it."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not data.startswith(b"\xef\xbb\xbf")


def _rows_of(data: bytes, mark: bytes, cells: int) -> int | None:
    """Return the number of rows of so many cells, None where there is anything else."""
    skeleton = data.translate(None, _not_structural(mark))
    ending = b"\r\n" if skeleton[cells - 1 : cells] == b"\r" else b"\n"
    row = mark * (cells - 1) + ending
    rows = len(skeleton) // len(row)
    if len(ending) == 2 and data.count(ending) != rows:
        return None  # something stands between a carriage return and its line feed
    if skeleton != row * rows or _has_long_line(data):
        return None
    if cells == 1 and (data.startswith(ending) or ending * 2 in data or b" " in data):
        return None  # a blank line is no row
    return rows


def plain(block: bytes, delimiter: str, cells: int) -> Plain | None:
    """Return the block (whole lines) as plain rows, None where it is not plain."""
    data = block
    if not data.isascii() and not _is_text(data):
        return None
    if delimiter == SPACES:
        if b'"' in data:
            return None
        data, delimiter = re.sub(_EDGES, b"", re.sub(_RUNS, b"\t", data)), "\t"
    elif b'"' in data:
        data = _quoted_cell(delimiter).sub(rb"\1", data)
    rows = _rows_of(data, delimiter.encode(), cells)
    return None if rows is None else Plain(data, rows, cells, delimiter)


@lru_cache
def _not_structural(mark: bytes) -> bytes:
    return bytes(set(range(256)) - set(mark + b'"\r\n\0'))


@lru_cache
def _quoted_cell(delimiter: str) -> re.Pattern[bytes]:
    mark = re.escape(delimiter.encode())
    return re.compile(rb"(?:^|(?<=[\n" + mark + rb']))"([^"\r\n\0' + mark + rb']*)"(?=\r?\n|' + mark + rb")")


def _has_long_line(data: bytes) -> bool:
    """Tell whether a line may be longer than the longest allowed; a window without a line end tells."""
    half = LONGEST_LINE // 2
    return any(data.find(b"\n", at, at + half) < 0 for at in range(0, len(data) - half, half))


def relabelled(found: Labels, read: Callable[[Any], Label | None]) -> Labels:
    """Return the labels that values say, which ``read`` tells; a missing one is None."""
    said = coded(map(read, found.values))
    codes = said.codes[found.codes] if len(said.codes) else np.zeros(0, dtype=np.int64)
    return Labels(said.values, codes)


def _said(text: object) -> Label | None:
    return None if text is None else label(str(text))


def missing(labels: Sequence[Labels], rows: int) -> Array:
    found = np.zeros(rows, dtype=bool)
    for column in labels:
        if None in column.values:
            found |= column.codes == column.values.index(None)
    return found


def with_polars(block: Plain, wanted: Sequence[int], labels: Sequence[int] = ()) -> Quick | None:
    """Return the wanted columns as polars reads them, None where it refuses the block."""
    import polars as pl

    if set(wanted) & set(labels):  # a column has one type here
        return with_split(block, wanted, labels)
    indices = sorted(set(wanted))
    schema = {f"c{i}": pl.Float64 if i in indices else pl.String for i in range(block.cells)}
    try:
        frame = pl.read_csv(
            block.data,
            has_header=False,
            schema=schema,
            columns=sorted({*indices, *labels}),
            separator=block.delimiter,
            quote_char=None,
            ignore_errors=True,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    if frame.height != block.rows:
        return None
    found = {i: frame[f"c{i}"].to_numpy() for i in indices}
    sound = np.ones(block.rows, dtype=bool)
    for i in indices:
        sound &= np.isfinite(found[i])
    keys = [relabelled(runs(frame[f"c{i}"]), _said) for i in labels]
    sound &= ~missing(keys, block.rows)
    return Quick([found[i] for i in wanted], np.flatnonzero(~sound), keys)


def runs(column: Any) -> Labels:
    """Return a polars column of text; rows of a group often stand together, so it is looked at run by run."""
    runs = column.rle().struct
    found = coded(runs.field("value").to_list())
    return Labels(found.values, np.repeat(found.codes, runs.field("len").to_numpy()))


def with_split(block: Plain, wanted: Sequence[int], labels: Sequence[int] = ()) -> Quick | None:
    """Return the wanted columns read by float() itself, None where a cell is no finite number."""
    if b"_" in block.data and not labels:
        return None
    text = block.data.decode("utf-8").replace("\r\n", "\n").replace("\n", block.delimiter)
    cells = text.split(block.delimiter)
    cells.pop()
    read: dict[int, list[float]] = {}
    try:
        for i in set(wanted):
            if labels and any("_" in cell for cell in cells[i :: block.cells]):
                return None
            read[i] = list(map(float, cells[i :: block.cells]))
    except ValueError:
        return None
    if not labels and block.rows <= LISTED:
        finite = all(isfinite(a) for column in read.values() for a in column)
        return Quick([read[i] for i in wanted], (), []) if finite else None
    found = {i: np.array(column, dtype=np.float64) for i, column in read.items()}
    if not all(np.isfinite(column).all() for column in found.values()):
        return None
    keys = [relabelled(coded(cells[i :: block.cells]), _said) for i in labels]
    return Quick([found[i] for i in wanted], np.flatnonzero(missing(keys, block.rows)), keys)
