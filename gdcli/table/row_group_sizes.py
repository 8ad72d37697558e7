"""How many rows the row groups of a Parquet file have, as its footer tells.

The footer is a struct in the compact protocol of Thrift: FileMetaData in parquet.thrift.
"""

from __future__ import annotations

import os
from typing import Any

from gdcli.kernel.errors import DataError


def row_group_sizes(path: str) -> list[int]:
    """Return the rows of each row group. Raises DataError for a footer that is broken."""
    try:
        with open(path, "rb") as file:
            file.seek(-8, os.SEEK_END)
            length = int.from_bytes(file.read(4), "little")
            file.seek(-8 - length, os.SEEK_END)
            return [group[3] for group in _Thrift(file.read(length)).struct()[4]]
    except (OSError, LookupError, TypeError, ValueError, RecursionError):
        raise DataError(f"cannot read {path}: its footer is broken") from None


class _Thrift:
    """Reads structs in the compact protocol of Thrift: their values by the numbers of the fields."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self) -> dict[int, Any]:
        found: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            found[field] = kind == 1 if kind in (1, 2) else self._value(kind)
        return found

    def _value(self, kind: int) -> Any:
        if kind in (8, 7):  # bytes, and a number of 8 of them
            count = self._whole() if kind == 8 else 8
            self._at += count
            return self._data[self._at - count : self._at]
        if kind in (9, 10):
            head = self._byte()
            count = self._whole() if head >> 4 == 15 else head >> 4
            return [self._value(head & 15) for _ in range(count)]
        if kind == 12:
            return self.struct()
        return self._byte() if kind in (1, 2, 3) else self._signed()

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _whole(self) -> int:
        found = shift = 0
        while (byte := self._byte()) > 127:
            found |= (byte & 127) << shift
            shift += 7
        return found | byte << shift

    def _signed(self) -> int:
        found = self._whole()
        return found >> 1 ^ -(found & 1)
