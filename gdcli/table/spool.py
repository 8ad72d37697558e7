"""The wanted columns of a table, kept for any number of passes: in memory while they are small, else on disk.

The first pass reads and checks; what it finds is kept as float64, a few columns of a few million rows in memory,
more as one .npy file per column in a temporary folder. Later passes read those files into the same few
buffers, so that memory does not grow with the rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from gdcli.kernel import budget
from gdcli.kernel.errors import DataError
from gdcli.table.blocks import LISTED

if TYPE_CHECKING:
    from numpy import ndarray

    from gdcli.table.row_groups import Groups
    from gdcli.table.shuffle import Order
    from gdcli.table.source import DataTable
    from gdcli.table.tempfiles import Folder

MEMORY = 96 << 20  # bytes of numbers that stay in memory
CHUNK = 1 << 14  # rows
_AHEAD = 32 << 20  # bytes read at a time where rows are scattered over the files
_HEADER = 128  # bytes of the header of a .npy file
_PREADV = hasattr(os, "preadv")
_RUN = 16  # rows that follow each other, on average, from which on reading run by run pays


class Columns:
    """Columns of numbers of one length: ``names``, ``rows``, ``in_memory``. Use it in a ``with``, or close it.

    What its methods give is valid until the next call; copy what must last.
    """

    in_memory = True
    lists: Sequence[list[float]] | None = None

    def __init__(self, names: Sequence[str], columns: Sequence[ndarray] | Sequence[list[float]]) -> None:
        """``columns`` are arrays, float64, or lists of floats, which are made arrays when somebody asks for these."""
        self.names = tuple(names)
        self.rows = len(columns[0])
        self._columns: Sequence[Any] = list(columns)
        if isinstance(columns[0], list):
            self.lists = self._columns

    def __enter__(self) -> Columns:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up the memory or the files."""
        self._columns, self.lists = [], None

    @property
    def _arrays(self) -> list[ndarray]:
        if self.lists is not None and self._columns is self.lists:
            import numpy as np

            self._columns = [np.array(column, dtype=np.float64) for column in self.lists]
        return list(self._columns)

    def take(self, start: int, stop: int) -> list[ndarray]:
        return [array[start:stop] for array in self._arrays]

    def pick(self, rows: ndarray) -> list[ndarray]:
        """Return the rows with these numbers (int64), in this order, of every column."""
        return [array[rows] for array in self._arrays]

    def chunks(self, size: int = CHUNK, order: Order | None = None) -> Iterator[tuple[int, list[ndarray]]]:
        """Go through all rows as they stand, or through those of ``order``, in pieces of ``size`` rows.

        Yields (how many rows came before, one array per column); the last piece may be shorter.
        """
        if order is None or (order.shuffle == "none" and order.rows.units is None):
            for start in range(0, self.rows, size):
                budget.check()
                yield start, self.take(start, min(start + size, self.rows))
            return
        done = 0
        for ahead in order.pieces(self._ahead(order, size)):
            budget.check()
            found = self.pick(ahead)
            for start in range(0, len(ahead), size):
                piece = [column[start : start + size] for column in found]
                yield done, piece
                done += len(piece[0])

    def _ahead(self, order: Order, size: int) -> int:
        """Return how many rows to pick at a time, a multiple of ``size``."""
        return size


class Spooled(Columns):
    """Columns in .npy files of a folder, one per column, read into buffers that are used again and again."""

    in_memory = False

    def __init__(self, names: Sequence[str], rows: int, folder: Folder) -> None:
        self.names = tuple(names)
        self.rows = rows
        self._folder = folder
        self._files: list[FileIO] = []
        self._buffers: list[ndarray] = []
        for i in range(len(names)):
            self._files.append(open(folder.path(_file(i)), "rb", buffering=0))  # noqa: SIM115

    def close(self) -> None:
        for file in self._files:
            file.close()
        self._files = []
        self._folder.remove()

    def take(self, start: int, stop: int) -> list[ndarray]:
        found = self._room(stop - start)
        for file, array in zip(self._files, found, strict=True):
            _read(file, start, array)
        return found

    def _room(self, rows: int) -> list[ndarray]:
        import numpy as np

        if not self._buffers or len(self._buffers[0]) < rows:
            self._buffers = [np.empty(rows) for _ in self.names]
        return [buffer[:rows] for buffer in self._buffers]

    def pick(self, rows: ndarray) -> list[ndarray]:
        """Return the rows with these numbers (int64), in this order, of every column."""
        import numpy as np

        starts = np.flatnonzero(np.diff(rows, prepend=rows[:1] - 2) != 1)
        if len(starts) * _RUN > len(rows):
            return self._scattered(rows)
        found = self._room(len(rows))
        runs = list(
            zip(
                (8 * starts).tolist(),
                [*(8 * starts[1:]).tolist(), 8 * len(rows)],
                (_HEADER + 8 * rows[starts]).tolist(),
                strict=True,
            )
        )
        for file, array in zip(self._files, found, strict=True):
            view = array.data.cast("B")
            for begin, end, place in runs:
                _fill(file, place, view[begin:end])
        return found

    def _scattered(self, rows: ndarray) -> list[ndarray]:
        """Read the files once from the first to the last of the rows, and take the rows out on the way."""
        import numpy as np

        found = self._room(len(rows))
        order = np.argsort(rows, kind="stable")
        wanted = rows[order]
        window = np.empty(_AHEAD // 32)
        at = 0
        while at < len(wanted):
            start = int(wanted[at])
            stop = min(self.rows, start + len(window))
            end = int(np.searchsorted(wanted, stop))
            inside = wanted[at:end] - start
            for file, array in zip(self._files, found, strict=True):
                _read(file, start, window[: stop - start])
                array[order[at:end]] = window[inside]
            at = end
        return found

    def _ahead(self, order: Order, size: int) -> int:
        if not order.scattered:
            return size
        return max(size, _AHEAD // (8 * len(self.names)) // size * size)


def _file(column: int) -> str:
    return f"{column}.npy"


def _read(file: FileIO, row: int, array: ndarray) -> None:
    """Fill a contiguous array with the numbers of a file from a row on."""
    _fill(file, _HEADER + 8 * row, array.data.cast("B"))


def _fill(file: FileIO, place: int, view: memoryview) -> None:
    """Fill a buffer with the bytes of a file from a place on."""
    if _PREADV:  # one call of the system in place of two
        got = os.preadv(file.fileno(), (view,), place)
    else:
        file.seek(place)
        got = file.readinto(view)
    if got < len(view):
        if not got:
            raise DataError("the spool was cut off while it was in use")
        _fill(file, place + got, view[got:])


class _Held:
    """Columns of unknown length in memory, few rows of text as lists.

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
            import numpy as np

            self._made = np.empty(self._shape)
            for column, numbers in zip(self._made, self._lists or (), strict=False):
                column[: self.rows] = numbers
            self._lists = None
        return self._made

    def room(self, rows: int) -> ndarray | None:
        """Return memory for so many rows more, or None."""
        end = self.rows + rows
        return self._arrays[:, self.rows : end] if end <= self._shape[1] else None

    def add(self, columns: Sequence[Any]) -> bool:
        """Add rows, which may stand in their room already; return False where there is none for them."""
        end = self.rows + len(columns[0])
        if end > self._shape[1]:
            return False
        if self._lists is not None and end <= LISTED and isinstance(columns[0], list):
            for numbers, more in zip(self._lists, columns, strict=True):
                numbers += more
        else:
            for column, array in zip(self._arrays, columns, strict=True):
                if getattr(array, "base", None) is not self._arrays:
                    column[self.rows : end] = array
        self.rows = end
        return True

    def close(self) -> None:
        self.rows = 0
        self._shape = self._shape[0], 0
        self._lists = self._made = None

    @property
    def columns(self) -> Sequence[ndarray] | Sequence[list[float]]:
        """The columns so far: lists, or contiguous arrays."""
        if self._lists is not None:
            return self._lists
        return [column[: self.rows] for column in self._arrays]


class _Writer:
    def __init__(self, columns: int, folder: Folder) -> None:
        self.folder = folder
        self.rows = 0
        self._files: list[BinaryIO] = []
        for i in range(columns):
            self._files.append(folder.create(_file(i)))
            self._files[-1].write(bytes(_HEADER))

    def add(self, arrays: Sequence[ndarray] | Sequence[list[float]]) -> None:
        import numpy as np

        try:
            for file, array in zip(self._files, arrays, strict=True):
                file.write(np.ascontiguousarray(array, dtype=np.float64).data)
        except OSError as fault:
            raise self.folder.full(fault) from None
        self.rows += len(arrays[0])

    def finish(self) -> None:
        """Write the headers (NumPy Enhancement Proposal 1, version 1.0), now that the length is known."""
        import numpy as np

        text = f"{{'descr': '{np.dtype(np.float64).str}', 'fortran_order': False, 'shape': ({self.rows},), }}"
        header = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
        header += text.ljust(_HEADER - 11).encode() + b"\n"
        try:
            for file in self._files:
                file.seek(0)
                file.write(header)
                file.flush()
        except OSError as fault:
            raise self.folder.full(fault) from None
        finally:
            self.close()

    def close(self) -> None:
        for file in self._files:
            try:
                file.close()
            except OSError:  # a full disk, told by the write that came first
                continue


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
    if memory is None:
        memory = int(min(MEMORY, budget.memory_left() / 4))
    names = (*columns, "") if by is not None else tuple(columns)
    rows = _Rows(len(names), memory, spool)
    try:
        for block in table.blocks(columns, by=by, room=None if by is not None else rows.held.room):
            more = [] if block.groups is None else [block.groups.astype("float64")]
            rows.add([*block.columns, *more])
            if watch is not None:
                watch(table)
        return rows.columns(names)
    except BaseException:
        rows.close()
        raise


class _Rows:
    """Rows that are kept: in memory while there is room for them, then all in files."""

    def __init__(self, columns: int, memory: int, spool: str | None) -> None:
        self.held = _Held(columns, memory)
        self._count, self._spool = columns, spool
        self._folder: Folder | None = None
        self._writer: _Writer | None = None

    def add(self, block: Sequence[ndarray]) -> None:
        if self._writer is None and not self.held.add(block):
            from gdcli.table.tempfiles import Folder

            self._folder = Folder(self._spool)
            self._writer = _Writer(self._count, self._folder)
            self._writer.add(self.held.columns)
            self.held.close()
        if self._writer is not None:
            self._writer.add(block)

    def columns(self, names: Sequence[str]) -> Columns:
        """Return all that was added; nothing more can be."""
        if self._writer is None or self._folder is None:
            return Columns(names, self.held.columns)
        self._writer.finish()
        return Spooled(names, self._writer.rows, self._folder)

    def close(self) -> None:
        """Leave no files."""
        if self._writer is not None:
            self._writer.close()
        if self._folder is not None:
            self._folder.remove()
