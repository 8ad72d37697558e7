"""A table: files, globs, a pipe, read as columns of numbers block by block.

    with open_table(["runs/*.csv"]) as table:
        for block in table.blocks(["y", "x"]):
            ...

Every cell that is wanted is checked: a missing or bad one is an error with its file, line and column, or, with
``missing="skip"``, the row is left out and counted. Memory does not grow with the number of rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError, UsageError, did_you_mean
from gdcli.kernel.vectors import np
from gdcli.table.blocks import PLAIN, UNNAMED, BadRow, Layout, RowBlock, Skip, Source, Wanted
from gdcli.table.header import names_of
from gdcli.table.streams import COLUMNAR, Cut, ForeignError, Supply, is_url

if TYPE_CHECKING:
    from gdcli.table.derived_columns import Derived, DerivedRows
    from gdcli.table.row_groups import Groups


MISSING = ("error", "skip")
_FILE = "file://"
_LONGEST_PATTERN = 1000  # characters
_LINES_TOLD = 10  # skipped rows whose place is remembered
_BREAKS = 1 << 18  # places where rows and lines lose step, remembered to find the line of a row


class Place(NamedTuple):
    """Where a row stands: the file as typed (``standard input`` for ``-``), and its line, from 1.

    In a Parquet or Arrow file the number of the row stands for the line. It is None where it was not kept: after
    a quarter of a million places with left out rows or blank lines.
    """

    file: str
    line: int | None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Asked(NamedTuple):
    """What is asked of a table at one reading: names of ``columns``, and of those that rows are grouped ``by``."""

    columns: Sequence[str]
    by: Sequence[str]
    text: bool


class DataTable:
    """A table over one or more sources with the same columns.

    ``names`` has the names of the columns in a model, in the order of the file, "" for a column that has none;
    ``titles`` what they are called in the file. What is ``derived`` of them has columns more, or some of the rows.
    ``rows``, ``skipped`` and ``skipped_lines`` (the first ten), and ``dropped``, the rows that nobody asked for, tell
    of the last reading, as far as it has come.
    """

    def __init__(
        self, sources: Sequence[Source], names: tuple[str, ...], missing: str, may_be_empty: bool = False
    ) -> None:
        self.sources = sources
        self.names = names
        self.titles = sources[0].titles
        self.kind = sources[0].kind
        self.header, self.delimiter = sources[0].header, sources[0].delimiter
        self.missing = missing
        self._may_be_empty = may_be_empty
        self.derived: Derived | None = None
        self.used_dates: tuple[str, ...] = ()
        self._reset()

    def _reset(self) -> None:
        self.rows = self.skipped = self.dropped = 0
        self.skipped_lines: list[Place] = []
        self._starts: list[int] = []  # rows from which on, until the next start, line = row + offset
        self._offsets: list[
            tuple[int, int | None]
        ] = []  # (source, offset; None where lines are no longer kept)

    def __enter__(self) -> DataTable:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def close(self) -> None:
        for source in self.sources:
            source.close()

    # What else is to be told while it is read.
    state = ""

    @property
    def progress(self) -> tuple[int, int]:
        """How many bytes of the files are read so far, and how many there are; zeros where that is not known."""
        found = [source.progress for source in self.sources]
        known = all(size for _, size in found)
        return (sum(done for done, _ in found), sum(size for _, size in found)) if known else (0, 0)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out of the files, in sentences; see `notes_of`."""
        return notes_of((source.name, with_comments(*found_out(source))) for source in self.sources)

    def first(self, name: str) -> str:
        """Return what the first row has in a column, where that is a text."""
        cells = self.sources[0].first
        at = self.index(name)
        return cells[at] if at < len(cells) else ""

    @property
    def decimal(self) -> str:
        return self.sources[0].decimal

    @property
    def is_unnamed(self) -> bool:
        return self.kind == "csv" and self.names[0] == f"{UNNAMED}1" and not self.header

    def index(self, name: str) -> int:
        """Return the index of a column; DataError for a name that no column has."""
        if name and name in self.names:
            return self.names.index(name)
        known = [n for n in self.names if n]
        raise DataError(
            f"{self.sources[0].name} has no column {name}",
            did_you_mean(name, known, f"it has {', '.join(known[:20])}"),
        )

    def label_index(self, name: str) -> int:
        """Return the index of a column by its name or its title; DataError for a name that no column has."""
        return self.titles.index(name) if name in self.titles else self.index(name)

    def blocks(
        self, columns: Sequence[str], text: bool = False, by: Groups | None = None
    ) -> Iterator[RowBlock]:
        """Read the columns of these names from the first row to the last; ``by`` collects the groups of rows.

        With ``text`` a block has every row as it stands in the file, without its line end, and which are used.
        Regular files can be read any number of times, a pipe once. Raises DataError for the first bad cell or
        row (unless rows are skipped, or it is known to which group the row belongs), for text that is none, and where
        no row is left.
        """
        if not columns:
            raise ValueError("no columns are wanted")
        self._reset()
        wanted = Asked(columns, by.columns if by else (), text)
        rows = self._derived_rows(wanted)
        for number in range(len(self.sources)):
            for part in self._parts(number, wanted, self._skipper(number, by), rows):
                budget.check()
                self._remember(number, part)
                self.rows += part.rows
                used = part.used
                if part.text is not None and used is None:
                    used = [True] * len(part.text)
                groups = None if by is None else by.of(part.labels, number, part.line)
                yield part._replace(used=used, groups=groups)
        if not self.rows and not (by and by.met) and not self._may_be_empty:
            raise self._no_rows()

    def _derived_rows(self, asked: Asked) -> DerivedRows | None:
        if self.derived is None:
            return None
        from gdcli.table.derived_columns import DerivedRows, Names

        rows = DerivedRows(self.derived, Names.of(self.derived, asked.columns, asked.by))
        self.used_dates = rows.names.dates
        return rows

    def _parts(
        self, number: int, asked: Asked, skip: Skip | None, rows: DerivedRows | None
    ) -> Iterator[RowBlock]:
        source = self.sources[number]
        if rows is None:
            numbers, labels = map(self.index, asked.columns), map(self.label_index, asked.by)
            yield from source.parts(Wanted([*numbers], skip, asked.text, [*labels]))
            return
        numbers, labels = map(self.index, rows.names.numbers), map(self.label_index, rows.names.texts)
        rows.source(source.name, skip)
        for part in source.parts(Wanted([*numbers], rows.hold, asked.text, [*labels])):
            if rows.ended and not asked.text:
                return
            found = rows.of(part)
            self.dropped = rows.dropped
            if found.rows or found.text:
                yield found
        rows.rest()
        self.dropped = rows.dropped

    def _skipper(self, number: int, by: Groups | None) -> Skip | None:
        if self.missing == "error" and by is None:
            return None
        source = self.sources[number]

        def skip(row: BadRow) -> None:
            line, fault = row.line, row.fault
            known = [label for label in row.labels if label is not None]
            key = tuple(known) if len(known) == len(row.labels) else None
            if self.missing == "error":
                if by is None or key is None:
                    raise fault()
                by.spoil(key, (number, line), fault)
                return
            self.skipped += 1
            place = Place(source.name, line)
            if len(self.skipped_lines) < _LINES_TOLD:
                self.skipped_lines.append(place)
            if by is not None and key is not None:
                by.skip(key, (number, line), str(place))

        return skip

    def _no_rows(self) -> DataError:
        name = self.sources[0].name if len(self.sources) == 1 else f"each of the {len(self.sources)} files"
        if self.derived is not None and not self.skipped and (self.dropped or self.derived.ranges):
            rows = (
                f"of {self.dropped} rows --rows keeps none"
                if self.dropped
                else "--rows asks for rows behind the last"
            )
            return DataError(
                f"no row is left: {rows}", "look at what the cells say, and count from 1: head FILE"
            )
        if not self.skipped:
            return DataError(
                f"{name} has a header but no rows", "below the header each line is a row of numbers"
            )
        places = ", ".join(map(str, self.skipped_lines[:3]))
        return DataError(
            f"no row is left: all {self.skipped} have a missing or bad cell ({places}, ...)",
            "without --missing skip the first of them is shown",
        )

    def _remember(self, source: int, part: RowBlock) -> None:
        if isinstance(part.lines, int):
            starts, offsets = [self.rows], [part.lines - self.rows]
        else:
            steps = part.lines - np.arange(self.rows, self.rows + part.rows)
            turns = np.flatnonzero(np.diff(steps, prepend=steps[:1] - 1))
            starts, offsets = (turns + self.rows).tolist(), steps[turns].tolist()
        for start, offset in zip(starts, offsets, strict=True):
            here = (source, offset if len(self._starts) < _BREAKS else None)
            if not self._offsets or self._offsets[-1] != here:
                self._starts.append(start)
                self._offsets.append(here)

    def place(self, row: int) -> Place:
        """Return where the used row with this number (from 0) of the last reading stands."""
        from bisect import bisect_right

        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} of {self.rows}")
        source, offset = self._offsets[bisect_right(self._starts, row) - 1]
        return Place(self.sources[source].name, None if offset is None else row + offset)


def found_out(source: Source) -> tuple[tuple[str, ...], int, int]:
    """Return what was found out of a source, how many of its lines are comments, and the first of them."""
    return source.notes, len(source.comments), source.comments[0] if source.comments else 0


def with_comments(notes: tuple[str, ...], count: int, first: int) -> tuple[str, ...]:
    """Return what was found out of a file, and that so many lines are comments, from a first one on."""
    if not count:
        return notes
    told = "1 line is a comment" if count == 1 else f"{count} lines are comments"
    return (*notes, f"{told}, the first of them line {first}")


def notes_of(files: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    """Return what was found out of files, which have names; it is told of which it is true, where not of all."""
    found = list(files)
    if all(notes == found[0][1] for _, notes in found):
        return found[0][1]
    return tuple(f"{name}: {note}" for name, notes in found for note in notes)


def expand(paths: Sequence[str]) -> list[str]:
    """Return the files that the paths name: a path that exists as it is, else those that match it, sorted.

    URLs of files on this machine become their paths. Raises DataError where nothing matches.
    """
    found: list[str] = []
    for path in paths:
        if path.startswith(_FILE):
            from urllib.parse import unquote

            path = unquote(path.removeprefix(_FILE))
        if path == "-" or os.path.lexists(path) or not any(mark in path for mark in "*?["):
            found.append(path)
            continue
        matches = _matching(path)
        if not matches:
            raise DataError(
                f"no file matches {path}",
                "a pattern is matched from the current folder; ** goes into all below",
            )
        found += matches
    if found.count("-") > 1:
        raise UsageError("standard input can be read only once", "give - once")
    return found


def _matching(pattern: str) -> list[str]:
    if is_url(pattern):
        from gdcli.table import urls

        return urls.matching(pattern)
    if len(pattern) > _LONGEST_PATTERN:  # the time that is taken to read it grows with its square
        raise DataError(f"a pattern of {len(pattern)} characters; at most {_LONGEST_PATTERN} are read")
    import glob

    return sorted(glob.glob(pattern, recursive=True))


def open_table(
    paths: Sequence[str],
    *,
    missing: str = "error",
    stdin: BinaryIO | None = None,
    reader: str = "auto",
    use_cache: bool = True,
    layout: Layout | None = None,
) -> DataTable:
    """Open files and patterns of files as one table; ``-`` is ``stdin``.

    All must have the same columns in the same order. For ``reader`` see `delimited_text.READERS`; machine code is kept
    on disk if ``use_cache``. What is known of the ``layout`` of text and workbooks is told. Raises DataError for what
    is no table; nothing is read beyond the headers.
    """
    layout = layout or PLAIN
    layout.check()
    files = expand(paths)
    if not files:
        raise UsageError("no data file is given")
    sources = (_open(_supply(path, stdin, layout.sheet), path, reader, use_cache, layout) for path in files)
    return _joined(sources, missing)


def table_at_hand(columns: Mapping[str, Any], missing: str = "error") -> DataTable:
    """Return columns at hand as a table. Raises DataError for columns that are not of one length."""
    from gdcli.table.typed_rows import AtHand

    return DataTable([AtHand(columns)], tuple(columns), missing)


def open_part(
    path: str, cut: Cut | None, *, missing: str = "error", use_cache: bool = True, layout: Layout = PLAIN
) -> DataTable:
    """Open a part of a file (None: all of it) as a table, which may have no rows. Errors as of `open_table`."""
    source = _open(Supply(path, None, cut), path, "auto", use_cache, layout, cut)
    return _joined([source], missing, may_be_empty=True)


def _joined(sources: Iterable[Source], missing: str, may_be_empty: bool = False) -> DataTable:
    """Return a table over sources that are opened one after the other."""
    found: list[Source] = []
    try:
        for source in sources:
            found.append(source)
            _check_same(found[0], source)
        first = found[0]
        names = names_of(first.titles, f"{first.name}:{first.header_line}")
    except BaseException:
        for source in found:
            source.close()
        raise
    return DataTable(found, names, missing, may_be_empty)


def _supply(path: str, stdin: BinaryIO | None, sheet: str | None) -> Supply:
    """Return the lines of a file, or of a sheet where it is a workbook."""
    try:
        found = Supply(path, stdin)
    except ForeignError as fault:
        from gdcli.table.workbook import open_sheet

        return open_sheet(path, sheet, fault)
    if sheet is not None:
        found.close()
        raise UsageError(f"--sheet is for workbooks, and {found.name} is none", "leave it out")
    return found


def _open(
    supply: Supply, path: str, reader: str, use_cache: bool, layout: Layout, cut: Cut | None = None
) -> Source:
    try:
        if supply.start.startswith(COLUMNAR) and supply.again and not supply.packed:
            from gdcli.table.columnar import Columnar

            supply.close()
            return Columnar(path, supply.start, cut)
        if supply.start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
            from gdcli.table.typed_rows import Objects

            return Objects(supply)
        from gdcli.table.delimited_text import Text

        return Text(supply, reader, use_cache, layout)
    except BaseException:
        supply.close()
        raise


def _check_same(first: Source, other: Source) -> None:
    if first.kind != other.kind:
        raise DataError(f"{other.name} is {other.kind}, {first.name} is {first.kind}: give files of one kind")
    if first.titles == other.titles:
        return
    for i, (a, b) in enumerate(zip(first.titles, other.titles, strict=False)):
        if a != b:
            raise DataError(
                f"{other.name}: column {i + 1} is called {b or 'nothing'}, in {first.name} {a or 'nothing'}",
                "several files must have the same columns in the same order",
            )
    raise DataError(
        f"{other.name} has {len(other.titles)} columns, {first.name} {len(first.titles)}",
        "several files must have the same columns in the same order",
    )


def digest(path: str) -> str | None:
    """Return the SHA-256 of a file, by which a later run can tell that it is the same, in hexadecimal digits.

    None for standard input, a pipe, or no file.
    """
    import hashlib

    if path == "-" or not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError:
        return None
