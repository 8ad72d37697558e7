"""Bytes, as a fuzzer makes them, to the inputs of `gd`: by words, so that most of them mean something."""

from __future__ import annotations

import struct
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gdcli.kernel.errors import GdError, fault_text

SECONDS = 1.0  # of processor time that one input may take


class SlowError(AssertionError):
    """An input took longer than `SECONDS`."""


@contextmanager
def in_time(what: object) -> Iterator[None]:
    """Raise SlowError where what happens inside takes more than `SECONDS` of this thread's processor time."""
    began = time.thread_time()
    yield
    spent = time.thread_time() - began
    if spent > SECONDS:
        raise SlowError(f"{spent:.2f} s of processor time: {what!r}"[:400])


class Bytes:
    """Bytes taken one after the other; zeros when there are no more."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def number(self) -> float:
        """A float: mostly a small one with few digits, sometimes any."""
        kind = self.byte()
        if kind < 200:
            return (self.byte() - 128) / 32.0
        bits = bytes(self.byte() for _ in range(8))
        value = float(struct.unpack("<d", bits)[0])
        return value if value - value == 0.0 else 0.5

    def rest(self) -> bytes:
        found = self.data[self.at :]
        self.at = len(self.data)
        return found


def words(data: bytes, table: Sequence[str], most: int = 400) -> str:
    """Return a text of which every byte is one word of the table."""
    return "".join(table[b % len(table)] for b in data[:most])


def as_typed(data: bytes) -> str:
    """Return bytes as the text that the command line makes of them: what is not UTF-8 is a surrogate."""
    return data.decode("utf-8", "surrogateescape")


def check_error(error: GdError) -> None:
    """Check that an error can be shown: a message, a place inside its text, no control characters."""
    assert error.exit_code in (2, 7, 8), error.message
    assert error.message
    if error.span is not None:
        text, start, end, _ = error.span
        assert 0 <= start <= end <= len(text) + 1, (error.message, start, end, len(text))
    shown = fault_text(error)
    assert all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") for c in shown), (
        ascii(shown)
    )
