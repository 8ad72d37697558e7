"""Rows of data in memory, as objectives over rows read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


class Arrays:
    """Columns that are arrays."""

    lists = parts = None

    def __init__(self, **columns: Any) -> None:
        self.columns = [np.asarray(c, dtype=float) for c in columns.values()]
        self.names = tuple(columns)
        self.rows = len(self.columns[0])

    def chunks(self, size: int) -> Iterator[tuple[int, list[Any]]]:
        for lo in range(0, self.rows, size):
            yield lo, [column[lo : lo + size] for column in self.columns]
