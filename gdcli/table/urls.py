"""Files at URLs, through fsspec and the packages that it needs for their kinds: s3fs for ``s3://``, gcsfs, ..."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from gdcli.kernel import installing
from gdcli.kernel.errors import DataError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from fsspec.spec import AbstractBufferedFile

_BLOCK = 1 << 20  # bytes that are read ahead


class UrlFile(io.RawIOBase):
    """The bytes at a URL, which has no other errors than OSError once it is open.

    ``size`` is None where the server tells none, or gives no part of a file: then it is read from its beginning on.
    Raises DataError where there is nothing that can be read, and for a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        with told(url, DataError):
            system, path = _found(url)
            self._file: AbstractBufferedFile = system.open(path, "rb", block_size=_BLOCK)
            if "http" in system.protocol and not _gives_parts(url):
                self._file = system.open(path, "rb", block_size=0)
        self.size: int | None = self._file.size
        self.name = url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.size is not None

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with told(self.name, OSError):
            return int(self._file.readinto(buffer))

    def seek(self, at: int, whence: int = 0) -> int:
        return int(self._file.seek(at, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed and hasattr(self, "_file"):
            self._file.close()
        super().close()


def matching(pattern: str) -> list[str]:
    """Return the URLs that a pattern names, sorted: itself where it names a file. Raises DataError."""
    with told(pattern, DataError):
        system, path = _found(pattern)
        if system.exists(path):
            return [pattern]
        return sorted(map(system.unstrip_protocol, system.glob(path)))


def _found(url: str) -> tuple[AbstractFileSystem, str]:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(url)
    return system, path


@lru_cache
def _gives_parts(url: str) -> bool:
    """Tell whether a server of HTTP answers with a part of a file, where that is asked for."""
    system, path = _found(url)
    with system.open(path, "rb", block_size=1, cache_type="none") as file, suppress(ValueError):
        file.seek(1)
        return len(file.read(1)) == 1
    return False


@contextmanager
def told(path: str, error: type[DataError] | type[OSError]) -> Iterator[None]:
    """Tell in one sentence what goes wrong, whatever package that comes from."""
    try:
        yield
    except ImportError as fault:
        missing = fault.__cause__ if isinstance(fault.__cause__, ImportError) else fault
        package = (missing.name or "").partition(".")[0]
        why = f"it needs the package {package}, which is not installed"
        raise DataError(f"cannot read {path}: {why}", f"install it: {installing.of(package)}") from None
    except Exception as fault:
        raise error(f"cannot read {path}: {_why(fault)}" if error is DataError else _why(fault)) from None


def _why(fault: BaseException) -> str:
    """Return what is wrong; a file may be said not to be there for all that a server answers."""
    if isinstance(fault, FileNotFoundError):
        if fault.__cause__ is None or getattr(fault.__cause__, "status", None) == 404:
            return "no such file or directory"
        fault = fault.__cause__
    return str(getattr(fault, "message", "") or fault or type(fault).__name__).partition("\n")[0]
