"""The wanted columns of a table, kept for any number of passes: in memory while they are small, else on disk.

The first pass reads and checks; what it finds is kept as float64, a few columns of a few million rows in memory,
more as one .npy file per column in a temporary folder. Later passes read those files into the same few
buffers, so that memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.vectors import Array, np, to_list
from gdcli.table.blocks import LISTED, Columns

if TYPE_CHECKING:
    from gdcli.table.row_groups import Groups
    from gdcli.table.source import DataTable
    from gdcli.table.spooled import SpoolWriter

MEMORY = 96 << 20  # bytes of numbers that stay in memory


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
    """Rows that are kept: few as lists, more in arrays, those beyond the ``memory`` in files, removed where a ``with``
    fails.

    The room of arrays is taken at once, so that they are never moved; the system gives real memory to what is used of
    it.
    """

    def __init__(self, columns: int, memory: int | None, spool: str | None) -> None:
        if memory is None:
            memory = int(min(MEMORY, budget.memory_left() / 4))
        self._count, self._spool, self._most = columns, spool, memory // (8 * columns)
        self._rows = 0
        self._lists: list[list[float]] = [[] for _ in range(columns)]
        self._arrays: Array | None = None
        self._writer: SpoolWriter | None = None

    def add(self, block: Sequence[Any]) -> None:
        """Add rows, an array or a list for each column."""
        end = self._rows + len(block[0])
        if self._writer is None and end > self._most:
            from gdcli.table.spooled import Folder, SpoolWriter

            self._writer = SpoolWriter(self._count, Folder(self._spool))
            self._writer.add(self._held)
            self._lists, self._arrays = [], None
        if self._writer is not None:
            self._writer.add(block)
        elif (
            self._arrays is None and end <= LISTED
        ):  # whatever they came from: the same rows have the same bits
            for numbers, more in zip(self._lists, block, strict=True):
                numbers += to_list(more)
        else:
            if self._arrays is None:
                self._arrays = np.empty((self._count, self._most))
                for array, numbers in zip(self._arrays, self._lists, strict=True):
                    array[: self._rows] = numbers
                self._lists = []
            for array, more in zip(self._arrays, block, strict=True):
                array[self._rows : end] = more
        self._rows = end

    @property
    def _held(self) -> Sequence[Array] | Sequence[list[float]]:
        return self._lists if self._arrays is None else [array[: self._rows] for array in self._arrays]

    def columns(self, names: Sequence[str]) -> Columns:
        if self._writer is None:
            return Columns(names, self._held)
        from gdcli.table.spooled import Spooled

        self._writer.finish()
        return Spooled(names, self._writer.rows, self._writer.folder)

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, kind: object, *ended: object) -> None:
        if kind is not None and self._writer is not None:
            self._writer.close()
            self._writer.folder.remove()
