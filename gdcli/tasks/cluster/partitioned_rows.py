"""The rows of a fit in partitions, here or on a cluster, as the data of a fit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.objective.row_model import Ask, Merge, RowModel, each_here, merged
from gdcli.objective.row_objective import RowObjective
from gdcli.table.partitions import Asked, Partition, Read, place_in, read_partition
from gdcli.table.source import notes_of, with_comments

if TYPE_CHECKING:
    from gdcli.table.shuffle import Order


_PLACES = 10  # of skipped rows, which are told


class Holders(Protocol):
    """Who holds partitions that are read: `Here`, or the workers of a cluster."""

    @property
    def read(self) -> Sequence[Read]: ...
    def over(self, row: RowModel, ask: Ask, merge: Merge, args: tuple[object, ...]) -> Any: ...
    def each(self, function: Callable[..., Any], items: Iterable[Any], *args: object) -> Iterator[Any]: ...
    def take(self, number: int, start: int, stop: int) -> list[Any]:
        """Return some rows of a partition, an array for each column."""

    def place(self, number: int, row: int) -> str: ...
    def close(self) -> None: ...


class Here:
    """Partitions in this process, asked one after the other: what a cluster answers, to the last bit."""

    def __init__(self, partitions: Sequence[Partition], asked: Asked) -> None:
        self._partitions, self._asked = partitions, asked
        self._portions = [read_partition(partition, asked) for partition in partitions]
        self.read = [portion.read for portion in self._portions]

    def over(self, row: RowModel, ask: Ask, merge: Merge, args: tuple[object, ...]) -> Any:
        found = {
            (0, k): ask(RowObjective(row, portion.columns), *args) if portion.columns.rows else None
            for k, portion in enumerate(self._portions)
        }
        (answer,) = merged(found, len(self._portions), merge).values()
        return answer

    def each(self, function: Callable[..., Any], items: Iterable[Any], *args: object) -> Iterator[Any]:
        return each_here(function, items, *args)

    def take(self, number: int, start: int, stop: int) -> list[Any]:
        return self._portions[number].columns.take(start, stop)

    def place(self, number: int, row: int) -> str:
        return place_in(self._partitions[number], self._asked, row)

    def close(self) -> None:
        for portion in self._portions:
            portion.columns.close()


class PartitionedRows:
    """The rows of all partitions, in their order; as `objective.row_model.Rows`."""

    lists = None
    in_memory = False
    together = None  # see `objective.row_passes.Visits`; the order is that of each partition

    def __init__(self, asked: Asked, holders: Holders, partitions: Sequence[Partition]) -> None:
        self.names, self.parts = asked.columns, holders
        reads: dict[str, list[Read]] = {}
        for partition, read in zip(partitions, holders.read, strict=True):
            reads.setdefault(partition.name, []).append(read)
        dates = () if asked.derived is None else asked.derived.told_of(asked.columns)
        self.notes = (*notes_of((name, _notes(found)) for name, found in reads.items()), *dates)
        self._firsts = [0, *accumulate(read.rows for read in holders.read)]
        self.rows = self._firsts[-1]
        self.skipped = sum(read.skipped for read in holders.read)
        self.dropped = sum(read.dropped for read in holders.read)
        self.skipped_lines = [place for read in holders.read for place in read.places][:_PLACES]

    def __enter__(self) -> PartitionedRows:
        return self

    def __exit__(self, *ended: object) -> None:
        self.parts.close()

    def chunks(self, size: int, order: Order | None = None) -> Iterator[tuple[int, list[Any]]]:
        """Go through all rows as they stand, in pieces of at most ``size`` rows, which are brought here."""
        assert order is None, "the rows of partitions have no order of their own"
        for number, read in enumerate(self.parts.read):
            for start in range(0, read.rows, size):
                stop = min(start + size, read.rows)
                yield self._firsts[number] + start, self.parts.take(number, start, stop)

    def place(self, row: int) -> str:
        """Return in words where a row stands."""
        number = bisect_right(self._firsts, row) - 1
        return self.parts.place(number, row - self._firsts[number])


def _notes(reads: Sequence[Read]) -> tuple[str, ...]:
    """Return what was found out of a file; of a partition that is more where the text is not as it begins."""
    first = next((read.first_comment for read in reads if read.comments), 0)
    notes = max((read.notes for read in reads), key=len)
    return with_comments(notes, sum(read.comments for read in reads), first)
