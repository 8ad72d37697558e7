"""What every kind of source gives: parts of a table, row after row, with the line that each row stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from numpy import ndarray

Skip = Callable[[int], None]  # called with the line of each row that is left out
# Called with a number of rows, gives memory for so many more, float64 of shape (columns, rows), or None.
Room = Callable[[int], "ndarray | None"]


class Part(NamedTuple):
    """Rows in a piece. ``columns`` has a float64 array (used rows,) per wanted column, in the order wanted.

    ``lines`` is the line of the first used row where the others follow line by line, else an int64 array with
    the line of each. Where the text was asked for, ``text`` has that of every row, used or not, and ``used`` a
    truth value for each; None says that all are used.
    """

    columns: list[ndarray]
    lines: int | ndarray
    text: list[str] | None = None
    used: list[bool] | None = None

    @property
    def rows(self) -> int:
        """The number of used rows."""
        return len(self.columns[0])


class Source(Protocol):
    """One file or pipe of a table: `text`, `objects` and `columnar` have one each."""

    name: str
    kind: str
    titles: tuple[str, ...]
    header: str  # the text that names the columns, empty where none does
    header_line: int
    delimiter: str  # of the cells in a row's text, empty where there are none

    def parts(
        self, wanted: Sequence[int], skip: Skip | None, text: bool, room: Room | None = None
    ) -> Iterator[Part]:
        """Read the columns with these indices from the first row on; ``room`` is asked where that spares a copy."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def arrays(rows: list[list[float]], lines: list[int], columns: int) -> tuple[list[ndarray], ndarray]:
    """Return rows of numbers as one array per column, and their lines as int64."""
    import numpy as np

    table = np.array(rows, dtype=np.float64).reshape(len(rows), columns)
    return [np.ascontiguousarray(table[:, i]) for i in range(columns)], np.array(lines, dtype=np.int64)
