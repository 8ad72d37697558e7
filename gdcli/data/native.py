"""Blocks of plain text to arrays by machine code, where llvmlite is installed: the quickest way.

It takes a block as it came, finds out by itself whether it is plain, and has numbers in the bits that float() gives.
What it leaves open (see `codegen.delimited`) is decided as for the other quick ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from gdcli.data.fast import Quick
from gdcli.data.streams import LONGEST_LINE

if TYPE_CHECKING:
    from gdcli.codegen.delimited import RowsReader


@lru_cache
def rows_reader(use_cache: bool = True) -> RowsReader | None:
    """Return the machine code, loaded once; None where it cannot be had."""
    from gdcli.codegen import machine

    if not machine.is_installed() or not machine.is_available():
        return None
    from gdcli.codegen.delimited import RowsReader

    try:
        return RowsReader(use_cache)
    except Exception:  # whatever is wrong with it, the other ways read the same
        return None


def with_native(
    reader: RowsReader, block: bytes, delimiter: str, cells: int, wanted: Sequence[int]
) -> Quick | None:
    """Return the wanted columns of a block of whole lines, None where it is not plain."""
    from gdcli.codegen.machine import processors

    highest = 127
    if not block.isascii():
        highest = 255
        try:
            block.decode("utf-8")
        except UnicodeDecodeError:
            return None
    unique = sorted(set(wanted))
    found = reader.read(
        block,
        delimiter,
        cells,
        unique,
        highest=highest,
        longest=LONGEST_LINE // 2,
        threads=processors(),
    )
    if found is None:
        return None
    return Quick([found.columns[unique.index(i)] for i in wanted], found.doubtful)
