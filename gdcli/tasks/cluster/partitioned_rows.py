"""The rows of a fit in partitions: files opened as such, read here or by the workers of a cluster, as data of a fit.

In a descent by epochs each partition goes its epoch where it lies, and the parameters are averaged. All begin an epoch
at the same point; after it the points that they came to are averaged with their rows as weights (Zinkevich, Weimer,
Smola and Li, Parallelized stochastic gradient descent, NIPS 2010, with an average after each epoch and not at the end
alone), and so is what the update rule remembers. The answer follows from the seed and the partitions, whoever holds
them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from typing import Any, Protocol

from gdcli.compile.per_sample import ParameterBox
from gdcli.compile.update_rules import UpdateRule
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.vectors import Vector
from gdcli.objective.row_model import Ask, Merge, RowModel, each_here, merged
from gdcli.objective.row_objective import RowObjective
from gdcli.objective.row_passes import By, RowPasses
from gdcli.table.blocks import Layout
from gdcli.table.partitions import Asked, Partition, Read, levels_in, partitions_of, place_in, read_partition
from gdcli.table.shuffle import Visited, all_rows
from gdcli.table.source import DataTable, expand, notes_of, open_table, with_comments
from gdcli.table.text_columns import Codes
from gdcli.tasks.fit.request import FitRequest

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

    each = staticmethod(each_here)

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

    def chunks(self, size: int) -> Iterator[tuple[int, list[Any]]]:
        """Go through all rows as they stand, in pieces of at most ``size`` rows, which are brought here."""
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


# What finds the levels of the categories that are asked for, in all partitions.
Leveling = Callable[[Asked], None]


@contextmanager
def partitioned(
    request: FitRequest,
    layout: Layout,
    ask: Callable[[DataTable, Leveling], Asked],
    watch: Callable[[Any], None] | None = None,
) -> Iterator[PartitionedRows]:
    """Give the rows of a fit in partitions.

    ``ask`` tells of the first file what must be read; ``watch`` is told how far the reading is. Raises UsageError for
    what cannot be read in partitions and for a cluster that cannot be used, DataError for the files.
    """
    if request.data is not None:
        raise UsageError("columns at hand have no partitions", "name files that the workers can see")
    files = expand(request.files)
    partitions = partitions_of(files, request.partitions)
    with open_table(files[:1], missing=request.missing, layout=layout) as table:
        if request.cluster is None:
            how = ask(table, partial(_find_levels, each_here, partitions))
            with PartitionedRows(how, Here(partitions, how), partitions) as rows:
                yield _checked(rows, files)
            return
        from gdcli.tasks.cluster.connection import connected
        from gdcli.tasks.cluster.worker_chunks import each_by
        from gdcli.tasks.cluster.worker_pool import WorkerPool

        with connected(request.cluster) as client:
            how = ask(table, partial(_find_levels, partial(each_by, client), partitions))
            pool = WorkerPool(client, partitions, how, watch)
            with PartitionedRows(how, pool, partitions) as rows:
                yield _checked(rows, files)


def _find_levels(each: Callable[..., Iterator[Any]], partitions: list[Partition], how: Asked) -> None:
    """Let the categories of what is asked know the levels in all partitions."""
    assert how.derived is not None
    for found in each(levels_in, partitions, how):
        for text, levels in found.items():
            codes = how.derived.recipes[text]
            assert isinstance(codes, Codes)
            for level in levels:
                codes.found.setdefault(level, len(codes.found))


def _checked(rows: PartitionedRows, files: list[str]) -> PartitionedRows:
    if not rows.rows:
        name = files[0] if len(files) == 1 else f"each of the {len(files)} files"
        if rows.dropped:
            raise DataError(
                f"no row is left: of {rows.dropped} rows --rows keeps none", "look at what the cells say"
            )
        raise DataError(
            f"{name} has no rows that can be used", "below the header each line is a row of numbers"
        )
    return rows


# What an update rule remembers: numbers, or vectors as lists of them.
State = float | Sequence["State"]


class How(NamedTuple):
    """How a partition is gone through: ``batch`` rows a step (None: all), each by a ``rule``."""

    batch: int | None
    rule: UpdateRule
    box: ParameterBox | None
    by: By
    shuffle: str
    seed: int


class _End(NamedTuple):
    """Where an epoch over so many ``rows`` ended: the point (flat), the state of the rule, and what computed it."""

    rows: int
    x: Sequence[State]
    state: Sequence[State]
    engine: str


class AveragedPasses:
    """Passes over partitions, averaged after each; fulfils `solve.epochs.Passes`."""

    def __init__(self, row: RowModel, data: PartitionedRows, how: How) -> None:
        self.data, self.how = data, how
        self.rows = data.rows
        sizes = [read.rows for read in data.parts.read]
        self.steps = sum(-(-size // min(how.batch or size, size)) for size in sizes if size)
        self.objective = RowObjective(row, data)
        self.engine = "numpy"
        self._x: list[float] = []
        self._state: Sequence[State] | None = None

    @property
    def x(self) -> list[float]:
        return list(self._x)

    def start(self, x: Sequence[float]) -> None:
        self._x, self._state = [float(a) for a in x], None

    def epoch(self, number: int, rate: float, told: Callable[[int], None], done: int = 0) -> None:
        if done < self.rows:
            end = self.objective.over(
                _epoch_here, _averaged, self.how, tuple(self._x), self._state, number, rate
            )
            _, self._x, self._state, self.engine = end
        told(self.rows)

    def keep(self) -> Any:
        return {"x": self.x, "state": self._state}

    def restore(self, kept: Mapping[str, Any]) -> None:
        self._x, self._state = list(kept["x"]), kept["state"]

    def mean_loss(self, x: Vector) -> float:
        return self.objective.evaluate(x).value

    def held_out_loss(self, x: Vector) -> float | None:
        return None


def _epoch_here(
    objective: RowObjective,
    how: How,
    x: Sequence[float],
    state: Sequence[State] | None,
    number: int,
    rate: float,
) -> _End:
    data = objective.data
    rows = Visited(data, all_rows(data.rows), how.shuffle, how.seed)  # type: ignore[arg-type]  # a partition's columns
    passes = RowPasses(objective.row, rows, how.batch, how.rule, how.box, None, how.by)
    if state is None:
        passes.start(x)
    else:
        passes.restore({"runner": "", "x": x, "state": state})
    passes.epoch(number, rate, lambda rows: None)
    return _End(data.rows, passes.x, passes.keep()["state"], passes.engine)


def _averaged(one: _End, other: _End) -> _End:
    rows = one.rows + other.rows
    shares = one.rows / rows, other.rows / rows
    return _End(rows, _mean(one.x, other.x, shares), _mean(one.state, other.state, shares), one.engine)


def _mean(a: Sequence[State], b: Sequence[State], shares: tuple[float, float]) -> list[State]:
    found: list[State] = []
    for one, other in zip(a, b, strict=True):
        if isinstance(one, Sequence) and isinstance(other, Sequence):
            found.append(_mean(one, other, shares))
        else:
            found.append(shares[0] * one + shares[1] * other)  # type: ignore[operator]  # both are numbers
    return found
