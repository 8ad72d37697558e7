"""Blocks of plain text to arrays by machine code, where llvmlite is installed: the quickest way.

It takes a block as it came, finds out by itself whether it is plain, and has numbers in the bits that float() gives.
What it leaves open (see `compile.delimited_rows`) is decided as for the other quick ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from gdcli.table.polars_reader import Quick
from gdcli.table.streams import LONGEST_LINE

if TYPE_CHECKING:
    from gdcli.compile.delimited_rows import RowsReader
    from gdcli.table.blocks import Room


@lru_cache
def rows_reader(use_cache: bool = True) -> RowsReader | None:
    """Return the machine code, loaded once; None where it cannot be had."""
    from gdcli.compile import machine_code

    if not machine_code.is_installed() or not machine_code.is_available():
        return None
    from gdcli.compile.delimited_rows import RowsReader

    try:
        return RowsReader(use_cache)
    except Exception:  # whatever is wrong with it, the other ways read the same
        return None


def with_native(
    reader: RowsReader,
    block: bytes | memoryview,
    delimiter: str,
    cells: int,
    wanted: Sequence[int],
    room: Room | None = None,
) -> Quick | None:
    """Return the wanted columns of a block of whole lines, None where it is not plain; for ``room`` see `parts`."""
    from gdcli.compile.machine_code import processors

    unique = list(dict.fromkeys(wanted))
    found = reader.read(
        block,
        delimiter,
        cells,
        unique,
        longest=LONGEST_LINE // 2,
        threads=processors(),
        room=room if len(unique) == len(wanted) else None,
    )
    if found is None:
        return None
    return Quick([found.columns[unique.index(i)] for i in wanted], found.doubtful, [])
