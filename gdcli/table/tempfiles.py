"""A folder for what does not fit in memory: made when it is needed, gone when its user is done or stopped."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from gdcli.kernel.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

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
