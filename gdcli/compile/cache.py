"""Machine code kept on disk between runs: private, whole or not at all, and never trusted blindly.

Compiling takes a tenth of a second, so its result is worth keeping. A file begins with the full key of what it was made
from and a checksum of what follows: a broken object could crash the loader, so it is read only when both agree. An
entry that is broken, or was made for something else, is as good as none and is written anew. Whatever goes wrong with
the disk (no room, no permission) means no cache, not an error.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

LIMIT = 64 * 1024 * 1024  # bytes of all entries together; the ones not used for the longest time go first
_MAGIC = b"gdcli object 1\n"
_DIGEST = 32
_SUFFIX = ".gdo"


def default_directory() -> Path | None:
    """Return ``GDCLI_CACHE_DIR``, or ``gdcli`` in the user's cache directory; None where it is set but empty."""
    named = os.environ.get("GDCLI_CACHE_DIR")
    if named is not None:
        return Path(named) if named else None
    try:
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "gdcli"
        variable, fallback = (
            ("LOCALAPPDATA", "AppData/Local") if os.name == "nt" else ("XDG_CACHE_HOME", ".cache")
        )
        base = os.environ.get(variable, "")
        return (Path(base) if os.path.isabs(base) else Path.home() / fallback) / "gdcli"
    except RuntimeError:  # no home directory
        return None


class Cache:
    """Entries in one directory. ``source`` is a text's digest, ``key`` that of everything the code depends on."""

    def __init__(self, directory: Path, limit: int = LIMIT) -> None:
        self.directory = directory
        self.limit = limit

    def _path(self, source: str, key: bytes) -> Path:
        return self.directory / f"{source[:32]}-{key.hex()[:32]}{_SUFFIX}"

    def likely(self, source: str) -> bool:
        """Tell whether there is code from a text, for whichever machine: a guess that costs no import."""
        try:
            return any(name.startswith(source[:32]) for name in os.listdir(self.directory))
        except OSError:
            return False

    def get(self, source: str, key: bytes) -> bytes | None:
        """Return the object code, None when there is none that can be trusted."""
        path = self._path(source, key)
        try:
            if not _is_private(self.directory):
                return None
            content = path.read_bytes()
        except OSError:
            return None
        head = len(_MAGIC) + 2 * _DIGEST
        code = content[head:]
        if content[:head] != _MAGIC + key + sha256(code).digest():
            return None
        with suppress(OSError):
            os.utime(path)  # used just now
        return code

    def put(self, source: str, key: bytes, code: bytes) -> None:
        """Keep object code; it appears whole, under its name, or not at all."""
        path = self._path(source, key)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_private(self.directory):
                return
            try:
                with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(_MAGIC + key + sha256(code).digest() + code)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            self._evict(path)
        except OSError:
            return

    def _evict(self, newest: Path) -> None:
        """Remove the entries not used for the longest time until the rest is within the limit."""
        entries = []
        for path in self.directory.iterdir():
            if path.name.endswith((_SUFFIX, ".tmp")):
                with suppress(OSError):
                    status = path.stat()
                    entries.append((path != newest, -status.st_mtime, status.st_size, path))
        room = self.limit
        for _, _, size, path in sorted(entries):
            room -= size
            if room < 0 and path != newest:
                with suppress(OSError):
                    path.unlink()


def _is_private(directory: Path) -> bool:
    """Tell whether a directory is the user's own and nobody else can write there."""
    if os.name == "nt":
        return directory.is_dir()
    status = os.stat(directory)
    return status.st_uid == os.getuid() and not status.st_mode & 0o022
