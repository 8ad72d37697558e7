"""Columns in files: one .npy file per column in a temporary folder, read into buffers that are used again and again."""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from typing import TYPE_CHECKING, BinaryIO

from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import Array, np
from gdcli.table.blocks import Columns

if TYPE_CHECKING:
    from pathlib import Path


_AHEAD = 32 << 20  # bytes read at a time where rows are scattered over the files
_HEADER = 128  # bytes of the header of a .npy file
_PREADV = hasattr(os, "preadv")
_RUN = 16  # rows that follow each other, on average, from which on reading run by run pays


class Spooled(Columns):
    """Columns in .npy files of a folder, one per column, read into buffers that are used again and again."""

    in_memory = False

    def __init__(self, names: Sequence[str], rows: int, folder: Folder) -> None:
        self.names = tuple(names)
        self.rows = rows
        self._folder = folder
        self._files: list[FileIO] = []
        self._buffers: list[Array] = []
        for i in range(len(names)):
            self._files.append(open(folder.path(_file(i)), "rb", buffering=0))  # noqa: SIM115

    def close(self) -> None:
        for file in self._files:
            file.close()
        self._files = []
        self._folder.remove()

    def take(self, start: int, stop: int) -> list[Array]:
        found = self._room(stop - start)
        for file, array in zip(self._files, found, strict=True):
            _read(file, start, array)
        return found

    def _room(self, rows: int) -> list[Array]:
        if not self._buffers or len(self._buffers[0]) < rows:
            self._buffers = [np.empty(rows) for _ in self.names]
        return [buffer[:rows] for buffer in self._buffers]

    def pick(self, rows: Array) -> list[Array]:
        """Return the rows with these numbers (int64), in this order, of every column."""
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

    def _scattered(self, rows: Array) -> list[Array]:
        """Read the files once from the first to the last of the rows, and take the rows out on the way."""
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

    def ahead(self, size: int) -> int:
        return max(size, _AHEAD // (8 * len(self.names)) // size * size)


def _file(column: int) -> str:
    return f"{column}.npy"


def _read(file: FileIO, row: int, array: Array) -> None:
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


class SpoolWriter:
    def __init__(self, columns: int, folder: Folder) -> None:
        self.folder = folder
        self.rows = 0
        self._files: list[BinaryIO] = []
        for i in range(columns):
            self._files.append(folder.create(_file(i)))
            self._files[-1].write(bytes(_HEADER))

    def add(self, arrays: Sequence[Array] | Sequence[list[float]]) -> None:
        try:
            for file, array in zip(self._files, arrays, strict=True):
                file.write(np.ascontiguousarray(array, dtype=np.float64).data)
        except OSError as fault:
            raise self.folder.full(fault) from None
        self.rows += len(arrays[0])

    def finish(self) -> None:
        """Write the headers (NumPy Enhancement Proposal 1, version 1.0), now that the length is known."""
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


PREFIX = "gd-spool-"


class Folder:
    """A temporary folder within ``where`` (None: the system's place), private to the user.

    It is made by the first call of `path`, and removed by `remove`, at the end of a ``with``, or when the
    interpreter ends. A signal must end the program by an exception for that, as Ctrl-C does, and SIGTERM
    where the command turns it into one.
    """

    def __init__(self, where: str | None = None) -> None:
        self._where = where
        self._path: Path | None = None
        self._files: list[BinaryIO] = []

    def path(self, name: str) -> Path:
        if self._path is None:
            import tempfile
            from pathlib import Path

            try:
                self._path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._where))
            except OSError as fault:
                place = self._where or "the folder for temporary files"
                raise DataError(
                    f"cannot make a folder for the spool in {place}: {fault.strerror}",
                    "--spool DIR names another place",
                ) from None
            self._owner = os.getpid()
            atexit.register(self.remove)
        return self._path / name

    def create(self, name: str) -> BinaryIO:
        """Return a new file of the folder, open for writing; it is closed with the folder at the latest."""
        try:
            self._files.append(open(self.path(name), "wb"))  # noqa: SIM115
        except OSError as fault:
            raise self.full(fault) from None
        return self._files[-1]

    def full(self, fault: OSError) -> DataError:
        return DataError(
            f"cannot write the spool in {self._path}: {(fault.strerror or str(fault)).lower()}",
            "--spool DIR names a place with room for 8 bytes per row and column",
        )

    def remove(self) -> None:
        """Remove the folder and what is in it; a child process leaves that to the one that made it."""
        if self._path is not None and self._owner == os.getpid():
            for file in self._files:
                with suppress(OSError):  # a disk that was full, told by the write that came first
                    file.close()
            self._files = []
            import shutil

            shutil.rmtree(self._path, ignore_errors=True)
            atexit.unregister(self.remove)
            self._path = None

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *ended: object) -> None:
        self.remove()
