"""Standard input where a text asks for it (``--start @-``): that of the process, or what stands for it.

A command that is run within another, or by a test, has an environment of its own, which says here what it reads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import BinaryIO


def _of_process() -> BinaryIO | None:
    return None if sys.stdin is None else sys.stdin.buffer


SOURCE: ContextVar[Callable[[], BinaryIO | None]] = ContextVar("standard input", default=_of_process)


def read_text() -> str:
    """Return the text of standard input, nothing where it is closed. Raises ValueError where it is not UTF-8."""
    stream = SOURCE.get()()
    return "" if stream is None else stream.read().decode("utf-8-sig")
