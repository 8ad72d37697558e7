"""Few rows: what a row's graph says of each, computed row by row in plain Python.

To import an array library takes longer than a fit of some hundred rows by plain floats. So where the data come as lists
and there are few of them, the program of one row (a function of floats, as `gd minimize` has it) is called for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.compile.runners import ARITHMETIC, total
from gdcli.kernel import budget
from gdcli.kernel.factors import PLAIN_COLUMNS
from gdcli.kernel.vectors import Vec
from gdcli.objective.row_programs import RowPrograms, programs_of

if TYPE_CHECKING:
    from gdcli.objective.row_model import RowModel, Rows

# A pass over rows with p parameters takes about 0.1 us for each of rows * (p + 1)**2 numbers, and a fit some fifty of
# them: up to here that is less than numpy's import.
MOST_NUMBERS = 10_000


class FewRows:
    """Rows at hand, each a tuple of the columns of the row model whose ``programs`` these are."""

    def __init__(self, programs: RowPrograms, rows: Sequence[tuple[float, ...]]) -> None:
        self.programs = programs
        self.rows = rows

    def values(self, names: tuple[str, ...], x: Sequence[float]) -> list[tuple[float, ...]]:
        """Return for each row the values of the nodes under ``names``; ``x`` has the parameters, then a direction."""
        budget.check()
        program, given = self.programs.of_a_row(names), tuple(x)
        bare = program.bare
        try:
            return [bare(given + row) for row in self.rows]
        except ARITHMETIC:
            return [program(given + row) for row in self.rows]

    def vectors(self, name: str, x: Sequence[float]) -> list[Vec]:
        """Return the values of each node under a name in all rows."""
        return [Vec(column) for column in zip(*self.values((name,), x), strict=True)]

    def sums(self, names: tuple[str, ...], x: Sequence[float]) -> list[float]:
        """Return the exactly rounded sums over all rows of the nodes under ``names``."""
        return [total(column) for column in zip(*self.values(names, x), strict=True)]


def few_rows(row: RowModel, data: Rows) -> FewRows | None:
    """Return the rows of data that are lists, where they are few; None of others, and for an engine of its own."""
    if data.lists is None or row.engine != "auto":
        return None
    size = row.space.size
    if size > PLAIN_COLUMNS or data.rows * (size + 1) ** 2 > MOST_NUMBERS:
        return None
    columns = [data.lists[tuple(data.names).index(name)] for name in row.columns]
    return FewRows(programs_of(row), list(zip(*columns, strict=True)))
