"""Partitions of files: a whole file, lines of a long text file, or rows of a Parquet or Arrow file.

Where a text file is cut is told in bytes, and a partition has the lines that begin between its two cuts; so each is
found, and read with all checks, without reading those before it. Only where something is wrong are the lines before a
partition counted, to tell in which line of the file that is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate, pairwise

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError, UsageError
from gdcli.table.blocks import PLAIN, Columns, Label, Layout
from gdcli.table.derived_columns import Derived
from gdcli.table.source import DataTable, found_out, open_part
from gdcli.table.spool import gather
from gdcli.table.streams import COLUMNAR, STDIN, Cut, Stream, is_url, opened, size_of

_SIZE = 32 << 20  # bytes in a partition, about


class NotSeenError(DataError):
    """A file is not where a partition of it is read, or is another one there."""


class Partition(NamedTuple):
    """A part of the file at ``path`` (absolute, or a URL), which is called ``name`` in messages and has ``size`` bytes.

    ``cut`` are the bytes (of a Parquet or Arrow file the groups) from and before which it has what begins there; None:
    the whole file.
    """

    path: str
    name: str
    size: int
    cut: tuple[int, int] | None = None


def partitions_of(files: Sequence[str], count: int | None = None) -> list[Partition]:
    """Return ``count`` partitions of files, None: as many as suit their sizes, at least one for each.

    They follow from the files alone, not from who reads them. Raises DataError for a file that is not there, UsageError
    for fewer partitions than files, and for a pipe.
    """
    sizes = [_sizes(path) for path in files]
    if count is None:
        numbers = [max(1, min(length, -(-size // _SIZE))) for size, length in sizes]
    else:
        numbers = _shared_out(count, [size if length > 1 else 0 for size, length in sizes])
    found: list[Partition] = []
    for path, (size, length), number in zip(files, sizes, numbers, strict=True):
        whole = Partition(path if is_url(path) else os.path.abspath(path), path, size)
        cuts = pairwise(length * k // number for k in range(number + 1))
        found += [whole] if number == 1 else [whole._replace(cut=cut) for cut in cuts]
    return found


def _sizes(path: str) -> tuple[int, int]:
    """Return the bytes of a file, and how many there are of what it is cut by, bytes or groups; 1: it cannot be cut."""
    if path == "-":
        raise UsageError(
            f"{STDIN} is read here, and partitions are read where the workers are",
            "write it to a file that they can see: ... > rows.csv",
        )
    stream = Stream(path)
    stream.close()
    if not stream.again:
        raise UsageError(
            f"{path} is no file that can be read again", "write it to a file: cat PIPE > rows.csv"
        )
    if stream.start.startswith(COLUMNAR) and not stream.packed:
        from gdcli.table.columnar import Columnar

        return stream.size, Columnar(path, stream.start).groups.count()
    return stream.size, 1 if stream.is_whole else stream.size


def _shared_out(count: int, sizes: Sequence[int]) -> list[int]:
    """Return how many of the partitions each file has: one, and of the others as many as its size is a part of all."""
    others, total = count - len(sizes), sum(sizes) or 1
    if others < 0:
        raise UsageError(
            f"--partitions {count} is less than the number of files, {len(sizes)}",
            "each file has a partition at least: leave it out, or give more",
        )
    ends = [end * others // total for end in accumulate(sizes, initial=0)]
    return [1 + end - begin for begin, end in pairwise(ends)]


class Asked(NamedTuple):
    """What is wanted of partitions: columns by name, and how they are read and kept; see `open_table` and `gather`."""

    columns: tuple[str, ...]
    missing: str = "error"
    spool: str | None = None
    use_cache: bool = True
    derived: Derived | None = None
    layout: Layout = PLAIN


class Read(NamedTuple):
    """What was read of a partition: how many rows are used and how many skipped, where the first of these stand, how
    many were dropped as nobody asked for them; what was found out of the file (`source.found_out`).
    """

    rows: int
    skipped: int
    places: tuple[str, ...]
    dropped: int
    notes: tuple[str, ...]
    comments: int
    first_comment: int


class Portion(NamedTuple):
    """The rows of a partition, of which there may be none."""

    columns: Columns
    read: Read


def read_partition(partition: Partition, asked: Asked, memory: int | None = None) -> Portion:
    """Read a partition and keep it, as `spool.gather` does.

    Errors as of `DataTable.blocks`; NotSeenError where the file is not there, or is another one.
    """
    with _found(partition):
        try:
            portion, table = _read(partition, asked, memory)
        except DataError:
            if partition.cut is None:
                raise
            _read(partition, asked, memory, numbered=True)[0].columns.close()
            raise
        if (
            table.skipped or portion.read.comments
        ) and partition.cut:  # read again, now with the numbers of lines
            portion.columns.close()
            portion, _ = _read(partition, asked, memory, numbered=True)
        return portion


def levels_in(partition: Partition, asked: Asked) -> dict[str, list[Label]]:
    """Return the levels of each category among the rows of a partition. Errors as of `read_partition`."""
    from gdcli.table.text_columns import Codes

    assert asked.derived is not None
    read_partition(partition, asked).columns.close()
    recipes = asked.derived.recipes.items()
    return {text: list(recipe.found) for text, recipe in recipes if isinstance(recipe, Codes)}


def place_in(partition: Partition, asked: Asked, row: int) -> str:
    """Return in words where the used row with this number (from 0) of a partition stands."""
    with _found(partition):
        portion, table = _read(partition, asked, None, numbered=True)
        portion.columns.close()
        return str(table.place(row)).replace(partition.path, partition.name)


@contextmanager
def _found(partition: Partition) -> Iterator[None]:
    """See to it that the file is there, and call it in messages as its user does."""
    path, name = partition.path, partition.name
    try:
        with opened(path) as file:
            size = size_of(file)
    except OSError as fault:
        raise NotSeenError(f"cannot read {name}: {(fault.strerror or str(fault)).lower()}") from None
    except DataError as fault:
        raise NotSeenError(fault.message, fault.hint) from None
    if size != partition.size:
        told = f"it has {size} bytes here, and {partition.size} where the fit was begun"
        raise NotSeenError(f"cannot read {name}: {told}")
    try:
        yield
    except DataError as fault:
        span = fault.span and fault.span._replace(source=fault.span.source.replace(path, name))
        raise DataError(fault.message.replace(path, name), fault.hint.replace(path, name), span) from None


def _read(
    partition: Partition, asked: Asked, memory: int | None, numbered: bool = False
) -> tuple[Portion, DataTable]:
    cut = None if partition.cut is None else Cut(*partition.cut, numbered)
    open_it = partial(open_part, missing=asked.missing, use_cache=asked.use_cache, layout=asked.layout)
    with open_it(partition.path, cut) as table:
        table.derived = asked.derived
        columns = gather(table, asked.columns, spool=asked.spool, memory=memory)
        places = [str(place).replace(partition.path, partition.name) for place in table.skipped_lines]
        found = found_out(table.sources[0])
        return Portion(columns, Read(table.rows, table.skipped, tuple(places), table.dropped, *found)), table
