"""How a column is made of others: what a recipe is, and the cells that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.kernel.dataclass import NamedTuple

if TYPE_CHECKING:
    from numpy import ndarray

    from gdcli.table.blocks import Labels


class Cells(NamedTuple):
    """Some rows: float64 arrays (rows,) of the columns of numbers, nan where missing, and `Labels` of the others."""

    numbers: Mapping[str, ndarray]
    texts: Mapping[str, Labels]
    rows: int

    def where(self, kept: ndarray) -> Cells:
        """Return those of the rows that are ``kept``, a truth value for each."""
        if kept.all():
            return self
        texts = {name: each._replace(codes=each.codes[kept]) for name, each in self.texts.items()}
        return Cells({name: each[kept] for name, each in self.numbers.items()}, texts, int(kept.sum()))


class Recipe(Protocol):
    """How a column is made: ``numbers`` and ``texts`` are the names of the columns that are read for it."""

    @property
    def numbers(self) -> tuple[str, ...]: ...
    @property
    def texts(self) -> tuple[str, ...]: ...
    def of(self, cells: Cells) -> ndarray:
        """Return the column, float64 (rows,); what is not finite is a fault of its row."""
        ...

    def fault(self, cells: Mapping[str, Any]) -> str:
        """Return what is wrong in a row whose number is not finite, by the names of the columns that were read."""
        ...


class Moments(Recipe, Protocol):
    def number(self, cell: str | float) -> float:
        """Return the number that a cell is, nan where it is no such date."""
        ...
