"""Some rows of a data set: as they stand for sums, in the order of an epoch for steps; and those held out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gdcli.table.shuffle import RowChoice, all_rows, order, split

if TYPE_CHECKING:
    from gdcli.table.blocks import Columns


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
        every = self.rows == self.columns.rows
        yield from self.columns.chunks(size, None if every else order(self.chosen, "none", self.seed, 0))

    def visit(self, epoch: int, size: int) -> Iterator[list[Any]]:
        """Yield the rows in the order of an epoch; see `objective.row_passes.Visits`."""
        every = self.shuffle == "none" and self.rows == self.columns.rows
        wanted = None if every else order(self.chosen, self.shuffle, self.seed, epoch)
        for _, arrays in self.columns.chunks(size, wanted):
            yield arrays

    def runs(self, epoch: int) -> tuple[list[Any], Any, Any] | None:
        """Return the order of an epoch without moving a row; see `objective.row_passes.Visits`."""
        wanted = order(self.chosen, self.shuffle, self.seed, epoch)
        if wanted.scattered or not self.columns.in_memory:
            return None
        return self.columns.take(0, self.columns.rows), *wanted.runs()


def visited(data: Columns, validate: float | None, shuffle: str, seed: int) -> tuple[Visited, Visited | None]:
    """Return the rows to learn from, and the part ``validate`` of all that is held out."""
    if validate is None:
        return Visited(data, all_rows(data.rows), shuffle, seed), None
    learned, held = split(data.rows, validate, seed)
    return Visited(data, learned, shuffle, seed), Visited(data, held, "none", seed)
