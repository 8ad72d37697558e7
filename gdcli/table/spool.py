"""The wanted columns of a table, kept for any number of passes: in memory while they are small, else on disk.

The first pass reads and checks; what it finds is kept as float64, a few columns of a few million rows in memory,
more as one .npy file per column in a temporary folder. Later passes read those files into the same few
buffers, so that memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.vectors import np, to_list
from gdcli.table.blocks import LISTED, Columns

if TYPE_CHECKING:
    from numpy import ndarray

    from gdcli.table.row_groups import Groups
    from gdcli.table.source import DataTable
    from gdcli.table.spooled import Folder, SpoolWriter

MEMORY = 96 << 20  # bytes of numbers that stay in memory


class _Held:
    """Columns of unknown length in memory, few rows as lists.

    The room of arrays is taken at once, so that they are never moved; the system gives real memory to what is used of
    it.
    """

    def __init__(self, columns: int, memory: int) -> None:
        self.rows = 0
        self._shape = columns, memory // (8 * columns)
        self._lists: list[list[float]] | None = [[] for _ in range(columns)]
        self._made: ndarray | None = None

    @property
    def _arrays(self) -> ndarray:
        if self._made is None:
            self._made = np.empty(self._shape)
            for column, numbers in zip(self._made, self._lists or (), strict=False):
                column[: self.rows] = numbers
            self._lists = None
        return self._made

    def add(self, columns: Sequence[Any]) -> bool:
        """Add rows; return False where there is no room for them."""
        end = self.rows + len(columns[0])
        if end > self._shape[1]:
            return False
        if (
            self._lists is not None and end <= LISTED
        ):  # whatever they came from: the same rows have the same bits
            for numbers, more in zip(self._lists, columns, strict=True):
                numbers += to_list(more)
        else:
            for column, array in zip(self._arrays, columns, strict=True):
                column[self.rows : end] = array
        self.rows = end
        return True

    def close(self) -> None:
        self.rows = 0
        self._shape = self._shape[0], 0
        self._lists = self._made = None

    @property
    def columns(self) -> Sequence[ndarray] | Sequence[list[float]]:
        if self._lists is not None:
            return self._lists
        return [column[: self.rows] for column in self._arrays]


def gather(
    table: DataTable,
    columns: Sequence[str],
    *,
    spool: str | None = None,
    memory: int | None = None,
    watch: Callable[[DataTable], None] | None = None,
    by: Groups | None = None,
) -> Columns:
    """Read the columns of these names to the end and keep them; ``by`` adds a column, with no name, of group numbers.

    More than ``memory`` bytes (None: `MEMORY`, or a quarter of what the open budget has left) go to files in a new
    folder within ``spool`` (None: the system's place for temporary files). ``watch`` is called with the table after
    each block. Errors as of `DataTable.blocks`; DataError where the files cannot be written. Whatever ends this early,
    an interrupt too, leaves no files.
    """
    names = (*columns, "") if by is not None else tuple(columns)
    with Rows(len(names), memory, spool) as rows:
        for block in table.blocks(columns, by=by):
            more = [] if block.groups is None else [block.groups.astype("float64")]
            rows.add([*block.columns, *more])
            if watch is not None:
                watch(table)
        return rows.columns(names)


class Rows:
    """Rows that are kept: in memory while there is room for them, then in files, removed where a ``with`` fails."""

    def __init__(self, columns: int, memory: int | None, spool: str | None) -> None:
        if memory is None:
            memory = int(min(MEMORY, budget.memory_left() / 4))
        self.held = _Held(columns, memory)
        self._count, self._spool = columns, spool
        self._folder: Folder | None = None
        self._writer: SpoolWriter | None = None

    def add(self, block: Sequence[ndarray]) -> None:
        if self._writer is None and not self.held.add(block):
            from gdcli.table.spooled import Folder, SpoolWriter

            self._folder = Folder(self._spool)
            self._writer = SpoolWriter(self._count, self._folder)
            self._writer.add(self.held.columns)
            self.held.close()
        if self._writer is not None:
            self._writer.add(block)

    def columns(self, names: Sequence[str]) -> Columns:
        if self._writer is None or self._folder is None:
            return Columns(names, self.held.columns)
        from gdcli.table.spooled import Spooled

        self._writer.finish()
        return Spooled(names, self._writer.rows, self._folder)

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, kind: object, *ended: object) -> None:
        if kind is not None and self._writer is not None and self._folder is not None:
            self._writer.close()
            self._folder.remove()
