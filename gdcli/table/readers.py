"""Which quick way reads a block: machine code for what is plain to it, else polars or splitting.

All ways give the same, or leave a block, or some of its rows, to the csv module. One that has to be loaded is taken
for a table that is long enough to repay that. Machine code takes a block as it came, finds out by itself whether it is
plain, and has numbers in the bits that float() gives; what it leaves open (see `compile.delimited_rows`) is decided as
for the other quick ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from gdcli.table import polars_reader
from gdcli.table.blocks import SWAPPED, SWAPPED_BYTES, Labels, Room
from gdcli.table.streams import LONGEST_LINE

if TYPE_CHECKING:
    from gdcli.compile.delimited_rows import RowsReader

READERS = ("auto", "native", "polars", "split", "csv")
# Bytes of a block.
_SIZES = {"native": 1 << 22, "polars": 1 << 23, "split": 1 << 20, "csv": 1 << 20}
# Bytes of a table that repay loading a way, about: splitting, which has nothing to load, does some 60 MB/s.
_REPAID = {"native": 1 << 22, "polars": 1 << 23}
_MANY = 1 / 2  # more doubtful rows than this: the whole block goes to the csv module


class QuickWays:
    """Reads blocks of rows of so many ``cells`` by the way named ``reader`` (one of `READERS`), or the best for auto.

    A ``length`` below is that of the table in bytes, as far as it is known.
    """

    def __init__(
        self, reader: str, delimiter: str, cells: int, use_cache: bool = True, decimal: str = "."
    ) -> None:
        self._swap = decimal == ","
        self.reader, self.delimiter, self.cells = reader, delimiter, cells
        self._use_cache = use_cache

    def size(self, length: int) -> int:
        if self.reader == "csv":
            return _SIZES["csv"]
        return _SIZES[self._second(length) if self._machine_code(length) is None else "native"]

    def read(
        self,
        block: bytes | memoryview,
        wanted: Sequence[int],
        length: int,
        labels: Sequence[int] = (),
        room: Room | None = None,
    ) -> polars_reader.Quick | None:
        """Return the wanted columns and the labels of a block of whole lines, None where the csv module is to read it.

        They stand in what ``room`` gives where that spares a copy.
        """
        if self.reader == "csv":
            return None
        if self._swap:
            block = bytes(block).translate(SWAPPED_BYTES)
        machine_code = None if labels else self._machine_code(length)  # which reads numbers alone
        if machine_code is not None:
            found = _with_native(machine_code, block, self.delimiter, self.cells, wanted, room)
            if _is_clear(found):
                return found
        plain = polars_reader.plain(bytes(block), self.delimiter, self.cells)
        if plain is None:
            return None
        read = polars_reader.with_polars if self._second(length) == "polars" else polars_reader.with_split
        found = read(plain, wanted, labels)
        if found is not None and self._swap:
            found = found._replace(labels=[_as_typed(each) for each in found.labels])
        return found if _is_clear(found) else None

    def _machine_code(self, length: int) -> RowsReader | None:
        if self.reader == "native" or (self.reader == "auto" and length >= _REPAID["native"]):
            return rows_reader(self._use_cache)
        return None

    def _second(self, length: int) -> str:
        if self.reader in ("polars", "split"):
            return self.reader
        return "polars" if length >= _REPAID["polars"] and polars_reader.has_polars() else "split"


def _as_typed(labels: Labels) -> Labels:
    values = [each.translate(SWAPPED) if isinstance(each, str) else each for each in labels.values]
    return Labels(list(values), labels.codes)


def _is_clear(found: polars_reader.Quick | None) -> bool:
    return found is not None and len(found.doubtful) <= max(10, _MANY * found.rows)


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


def _with_native(
    reader: RowsReader,
    block: bytes | memoryview,
    delimiter: str,
    cells: int,
    wanted: Sequence[int],
    room: Room | None = None,
) -> polars_reader.Quick | None:
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
    return polars_reader.Quick([found.columns[unique.index(i)] for i in wanted], found.doubtful, [])
