"""The order of rows: which are for training and which for validation, and how an epoch goes through them.

Rows move in *units*. In a large table a unit is a block of 256 consecutive rows, since reading blocks in random
order costs little more than reading in order, and a true permutation three times as much; in a small one it is
a row, so that there too the order is random. An order is a function of the seed and the epoch alone: the same
seed gives the same rows in the same places, in whatever pieces they are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Array, np

if TYPE_CHECKING:
    from numpy.random import Generator

    from gdcli.table.blocks import Columns


SHUFFLES = ("blocks", "full", "none")
BLOCK = 256  # rows
_SMALL = 64 * BLOCK  # rows; in a table up to this size the unit is a row
_EXPAND = 1 << 16  # rows whose numbers are made at a time
_SPLIT, _EPOCH = 1, 2  # streams of random numbers that must not be the same


class RowChoice(NamedTuple):
    """Some of the rows of a table with ``total`` rows: all, or the ``units`` listed (sorted) of ``unit`` rows each.

    The last unit of a table may be shorter.
    """

    total: int
    unit: int
    units: Array | None = None

    @property
    def size(self) -> int:
        if self.units is None:
            return self.total
        last = (self.total - 1) // self.unit
        short = self.unit * (last + 1) - self.total if len(self.units) and int(self.units[-1]) == last else 0
        return len(self.units) * self.unit - short


def all_rows(total: int) -> RowChoice:
    return RowChoice(total, 1 if total <= _SMALL else BLOCK)


def split(total: int, fraction: float, seed: int) -> tuple[RowChoice, RowChoice]:
    """Return (training, validation): a share of about ``fraction`` of the rows, drawn at random, is for validation.

    Both have at least one row and none in common. Raises UsageError where ``fraction`` is not between 0 and 1,
    or the table has fewer than two rows.
    """
    if not 0 < fraction < 1:
        raise UsageError(f"the share of rows for validation must be between 0 and 1, not {fraction:g}")
    if total < 2:
        raise UsageError("one row cannot be split for validation")
    unit = all_rows(total).unit
    units = -(-total // unit)
    chosen = min(units - 1, max(1, round(fraction * units)))
    order = _generator(seed, _SPLIT, 0).permutation(units)
    return (
        RowChoice(total, unit, np.sort(order[chosen:])),
        RowChoice(total, unit, np.sort(order[:chosen])),
    )


class Order(NamedTuple):
    """The order in which an epoch, numbered from 0, goes through ``rows``.

    ``blocks``: units in random order; ``full``: a true permutation of the rows, which takes 4 bytes of memory
    per row, and much more time where the rows are not in memory; ``none``: as in the table.
    """

    rows: RowChoice
    shuffle: str = "blocks"
    seed: int = 0
    epoch: int = 0

    def chunks(self, data: Columns, size: int) -> Iterator[tuple[int, list[Array]]]:
        """Go through these rows of the ``data`` in this order; as `Columns.chunks`."""
        if self.shuffle == "none" and self.rows.units is None:
            yield from data.chunks(size)
            return
        done = 0
        for ahead in self.pieces(data.ahead(size) if self.scattered else size):
            budget.check()
            found = data.pick(ahead)
            for start in range(0, len(ahead), size):
                piece = [column[start : start + size] for column in found]
                yield done, piece
                done += len(piece[0])

    @property
    def scattered(self) -> bool:
        """Whether neighbours in the order are far apart in the table."""
        return self.shuffle == "full" or (self.shuffle == "blocks" and self.rows.unit == 1)

    def pieces(self, size: int) -> Iterator[Array]:
        """Yield the row numbers (int64) of the order in pieces of ``size``, the last one shorter."""
        held: list[Array] = []
        length = 0
        for found in self._numbers():
            held.append(found)
            length += len(found)
            if length >= size:
                joined = np.concatenate(held) if len(held) > 1 else held[0]
                whole = length - length % size
                for start in range(0, whole, size):
                    yield joined[start : start + size]
                held, length = ([joined[whole:]] if whole < length else []), length - whole
        if length:
            yield np.concatenate(held)

    def runs(self) -> tuple[Array, Array]:
        """Return the order as runs of neighbours: run k has the rows starts[k] to ends[k] - 1 (int64).

        A run is a unit, or the whole table where it is gone through as it stands; a true permutation (``full``) of a
        table in larger units has none and is a ValueError.
        """
        total, unit, units = self.rows
        if self.shuffle == "none" and units is None:
            return np.zeros(1, np.int64), np.full(1, total, np.int64)
        if self.shuffle == "full" and unit > 1:
            raise ValueError("a permutation of rows has no runs")
        starts = self._units(_generator(self.seed, _EPOCH, self.epoch)).astype(np.int64) * unit
        return starts, np.minimum(starts + unit, total)

    def _units(self, generator: Generator) -> Array:
        total, unit, units = self.rows
        order = np.arange(-(-total // unit)) if units is None else units
        return order if self.shuffle == "none" else generator.permutation(order)

    def _numbers(self) -> Iterator[Array]:
        total, unit, _ = self.rows
        generator = _generator(self.seed, _EPOCH, self.epoch)
        if self.shuffle == "full" and unit > 1:
            # 4 bytes per row where that is enough: the one thing here that grows with the rows.
            kind = np.uint32 if total <= 1 << 32 else np.int64
            every = np.empty(self.rows.size, dtype=kind)
            at = 0
            for found in self._replace(shuffle="none")._numbers():
                every[at : at + len(found)] = found
                at += len(found)
            generator.shuffle(every)
            for start in range(0, len(every), _EXPAND):
                yield every[start : start + _EXPAND].astype(np.int64)
            return
        order = self._units(generator)
        at_once = max(1, _EXPAND // unit)
        within = np.arange(unit)
        for start in range(0, len(order), at_once):
            found = (order[start : start + at_once, None] * unit + within).reshape(-1)
            yield found[found < total]


def _generator(seed: int, stream: int, epoch: int) -> Generator:
    return np.random.Generator(np.random.PCG64([seed, stream, epoch]))


class Visited:
    """Some rows of a data set: as they stand for sums, in the order of an epoch for steps."""

    lists = parts = None

    def __init__(self, columns: Columns, chosen: RowChoice, shuffle: str, seed: int) -> None:
        self.columns, self.chosen = columns, chosen
        self.shuffle, self.seed = shuffle, seed
        self.names = columns.names
        self.rows = chosen.size

    @property
    def together(self) -> int | None:
        """How many neighbouring rows stay together when the order is drawn, None where it is fixed."""
        return {"none": None, "full": 1}.get(self.shuffle, self.chosen.unit)

    def chunks(self, size: int) -> Iterator[tuple[int, list[Any]]]:
        """Yield the rows as they stand; see `objective.row_model.Rows`."""
        return Order(self.chosen, "none").chunks(self.columns, size)

    def visit(self, epoch: int, size: int) -> Iterator[list[Any]]:
        """Yield the rows in the order of an epoch; see `objective.row_passes.Visits`."""
        for _, arrays in self._order(epoch).chunks(self.columns, size):
            yield arrays

    def _order(self, epoch: int) -> Order:
        return Order(self.chosen, self.shuffle, self.seed, epoch)

    def runs(self, epoch: int) -> tuple[list[Any], Any, Any] | None:
        """Return the order of an epoch without moving a row; see `objective.row_passes.Visits`."""
        wanted = self._order(epoch)
        if wanted.scattered or not self.columns.in_memory:
            return None
        return self.columns.take(0, self.columns.rows), *wanted.runs()


def visited(data: Columns, validate: float | None, shuffle: str, seed: int) -> tuple[Visited, Visited | None]:
    """Return the rows to learn from, and the part ``validate`` of all that is held out."""
    if validate is None:
        return Visited(data, all_rows(data.rows), shuffle, seed), None
    learned, held = split(data.rows, validate, seed)
    return Visited(data, learned, shuffle, seed), Visited(data, held, "none", seed)
