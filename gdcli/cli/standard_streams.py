"""The standard streams, whatever state the caller left them in."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

# Lines up to this many bytes are never torn; memory that is not written to costs nothing.
_WHOLE = 1 << 22


class ClosedOutput(io.RawIOBase):
    """Stands for a standard output that the caller closed (``gd ... >&-``): writing to it fails, once."""

    failed = False

    def writable(self) -> bool:
        """Tell that something can be written, so that a buffer tries it."""
        return True

    def write(self, data: Any) -> int:
        """Raise OSError; after that, in the clearing up at the end, do nothing."""
        if not self.failed:
            self.failed = True
            import errno

            raise OSError(errno.EBADF, "standard output is closed")
        return len(data)


def prepare() -> None:
    """Make standard streams that never raise for a character, and exist."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:
            _occupy_handles()
            setattr(sys, name, _closed() if name == "stdout" else open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def hold_lines() -> None:
    """Give standard output, where it is no terminal, a buffer that goes on where an interrupt cut it off.

    A signal ends a write to a full pipe in the midst of a line. Python's buffer keeps the rest of what it holds, but
    has 8 KB, and with PYTHONUNBUFFERED there is none; it asks for each line at once, and so it is here too.
    """
    stream: Any = sys.stdout
    buffer = getattr(stream, "buffer", None)
    if not isinstance(getattr(buffer, "raw", buffer), io.FileIO) or stream.isatty():
        return
    stream.flush()
    held = io.BufferedWriter(io.FileIO(stream.fileno(), "wb", closefd=False), _WHOLE)
    at_once = isinstance(buffer, io.FileIO)
    sys.stdout = io.TextIOWrapper(held, stream.encoding, stream.errors, line_buffering=at_once)


def _occupy_handles() -> None:
    """Open nothing in the places of closed streams, so that no file of ours comes to stand there."""
    handle = os.open(os.devnull, os.O_RDWR)
    while handle < 3:
        handle = os.open(os.devnull, os.O_RDWR)
    os.close(handle)


def _closed() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(ClosedOutput()), encoding="utf-8", errors="backslashreplace")


def drop_output() -> None:
    """Send what standard output still holds nowhere, so that the interpreter ends quietly."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass


def warn(text: str) -> None:
    """Write to standard error; one that is closed is no reason to fail."""
    try:
        sys.stdout.flush()
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def tell_warnings(warnings: tuple[str, ...], seen: bool) -> None:
    """Write the warnings to standard error, unless they were seen."""
    if warnings and not seen:
        from gdcli.kernel.error_text import harmless

        warn("".join(f"warning: {harmless(warning)}\n" for warning in warnings))
