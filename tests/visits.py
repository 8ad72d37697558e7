"""Small data sets for tests of descent over rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gdcli.language.model_text import parse_model, sort_names
from gdcli.objective.row_model import RowModel, build_row_model


class Shuffled:
    """Columns in memory, gone through in blocks of ``block`` rows in random order (0: in order)."""

    lists = parts = None

    def __init__(self, columns: dict[str, Any], seed: int = 0, block: int = 256) -> None:
        self.columns = [np.asarray(c, dtype=float) for c in columns.values()]
        self.names = tuple(columns)
        self.rows = len(self.columns[0])
        self.seed = seed
        self.block = block
        self.together = block or None

    def chunks(self, size: int) -> Iterator[tuple[int, list[Any]]]:
        for lo in range(0, self.rows, size):
            yield lo, [column[lo : lo + size] for column in self.columns]

    def order(self, epoch: int) -> Iterator[Any]:
        """Yield the numbers of the rows in the order of an epoch, block by block."""
        block = self.block or self.rows
        blocks = np.arange(-(-self.rows // block))
        if self.block:
            blocks = np.random.default_rng([self.seed, epoch]).permutation(blocks)
        if block == 1:
            yield blocks
            return
        within = np.arange(block)
        for k in blocks.tolist():
            yield within[: self.rows - k * block] + k * block

    def visit(self, epoch: int, size: int) -> Iterator[list[Any]]:
        size = min(size, self.rows)
        buffers = [np.empty(size) for _ in self.columns]
        order = np.concatenate(list(self.order(epoch)))
        for lo in range(0, self.rows, size):
            yield self.taken(order[lo : lo + size], buffers)

    def runs(self, epoch: int) -> tuple[list[Any], Any, Any] | None:
        if self.block == 1:
            return None
        blocks = list(self.order(epoch))
        return self.columns, np.array([b[0] for b in blocks]), np.array([b[-1] + 1 for b in blocks])

    def taken(self, rows: Any, buffers: list[Any]) -> list[Any]:
        """Return some rows of every column, in buffers that the next call overwrites."""
        pairs = zip(self.columns, buffers, strict=True)
        return [np.take(column, rows, out=buffer[: len(rows)], mode="clip") for column, buffer in pairs]


def row_model(text: str, names: tuple[str, ...], matrix: tuple[str, ...] = (), **options: Any) -> RowModel:
    """Return the row model of a text over columns; ``matrix`` are the columns of X."""
    model = parse_model(text)
    found = sort_names(model, names, {"X": matrix} if matrix else {}, {}, {})
    return build_row_model(model, found, {}, **options)


def regression(
    rows: int = 2000, features: int = 3, seed: int = 0, noise: float = 0.1, logistic: bool = False
) -> dict[str, Any]:
    """Return columns x0, x1, ..., y of a linear (or logistic) model with the slopes -1 ... 1 and intercept 0.3."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(features, rows))
    eta = np.linspace(-1, 1, features) @ X + 0.3
    y = (
        (rng.random(rows) < 1 / (1 + np.exp(-eta))).astype(float)
        if logistic
        else eta + noise * rng.normal(size=rows)
    )
    return {**{f"x{i}": column for i, column in enumerate(X)}, "y": y}
