"""The path of a run, thinned while it goes: what a table needs, in constant memory.

A run can have ten thousand iterates of a million numbers each; a table shows twenty rows of a few. So a row
keeps only what a row can show, and rows are dropped as the run goes on: the first and the last few stay
(there the method shows its pace, and its order of convergence), in between every 2nd, 10th, 20th, 100th ...
such that each coarser choice is contained in the finer one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import dist
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, Reader, stored

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.record.runs import PathPoint
    from gdcli.solve.iteration import Iterate

ENDS = 6  # rows kept at the beginning, and at the end
MIDDLE = 10  # rows kept at most in between
COORDINATES = 10  # numbers of a point that the widest table could show


@stored()
class Row(NamedTuple):
    iteration: int
    value: float
    gradient_norm: float | None
    step: float | None
    moved: float | None
    evaluations: int
    coordinates: tuple[float, ...]
    kind: str
    violation: float = 0.0

    @classmethod
    def from_store(cls, content: Mapping[str, Any], read: Reader) -> Any:
        """Return what was kept; a row that was kept with its number in the order, beside that number."""
        parts = {name: read(part) for name, part in content.items()}
        return (parts.pop("order"), cls(**parts)) if "order" in parts else cls(**parts)


def row_of(it: Iterate, sign: int, shown: int) -> Row:
    counts, x = it.counts, it.at.x
    return Row(
        it.iteration,
        sign * it.at.value + 0.0,
        it.gradient_norm,
        it.step,
        it.moved,
        counts.value + counts.gradient + counts.hessian + counts.product,
        tuple(float(x[i]) for i in range(shown)),
        it.kind,
        it.at.violation,
    )


def stored_rows(points: Iterable[PathPoint], space: Space) -> Iterator[Row]:
    """Yield the rows of a path that was stored; how far a step moved is known where the point before it was too."""
    before: list[float] = []
    number = -2
    for point in points:
        x = space.flatten(point.point)
        moved = dist(x, before) if point.iteration == number + 1 else None
        yield Row(
            point.iteration,
            point.value,
            point.gradient_norm,
            point.step,
            moved,
            point.evaluations.total,
            tuple(x[:COORDINATES]),
            point.kind,
            point.violation,
        )
        before, number = x, point.iteration


class Trail:
    """An observer that keeps about twenty rows, or with ``every`` each row whose number it divides.

    ``make`` makes a row of an iterate; it has an ``iteration``, and else what a table needs. Rows are kept with their
    numbers in the order of the iterates.
    """

    def __init__(
        self, sign: int, size: int, every: int | None = None, make: Callable[..., Any] = row_of
    ) -> None:
        self._sign, self._make = sign, make
        self._shown = min(size, COORDINATES)
        self._every = every
        self._seen = 0
        self._iteration = 0
        self._first: list[tuple[int, Any]] = []
        self._middle: list[tuple[int, Any]] = []
        self._last: deque[tuple[int, Any]] = deque(maxlen=1 if every else ENDS)
        # Most iterates pass through the last ones and are never shown: a row of theirs would be in vain.
        # Of long vectors the row is built at once, so that the vectors can go.
        self._at_once = size > 1000
        self.stride = 1

    @property
    def thinning(self) -> tuple[int, int]:
        """It needs each iterate whose number the first divides, and the last ones: so many."""
        if self._every is not None:
            return self._every, 1
        return (1 if len(self._first) < ENDS else self.stride), ENDS

    def __call__(self, iterate: Iterate) -> None:
        # Iterates that were not shown count too.
        self._seen = order = self._seen + max(1, iterate.iteration - self._iteration)
        self._iteration = iterate.iteration
        if self._every is not None:
            if iterate.iteration % self._every == 0:
                self._middle.append((order, self._row(iterate)))
        elif len(self._first) < ENDS:
            self._first.append((order, self._row(iterate)))
            return
        elif len(self._last) == ENDS:
            oldest = self._last[0]
            if oldest[1].iteration % self.stride == 0:
                self._keep(oldest[0], self._shown_of(oldest[1]))
        self._last.append((order, self._row(iterate) if self._at_once else iterate))

    def _keep(self, order: int, row: object) -> None:
        """Take a row that is no longer among the last ones into the middle."""
        self._middle.append((order, row))
        while len(self._middle) > MIDDLE:
            self._coarsen()

    def _coarsen(self) -> None:
        self.stride *= 5 if str(self.stride)[0] == "2" else 2
        self._middle = [kept for kept in self._middle if kept[1].iteration % self.stride == 0]

    def _row(self, it: Iterate) -> Any:
        return self._make(it, self._sign, self._shown)

    def _shown_of(self, last: Any) -> Any:
        return last if self._at_once else self._row(last)

    def keep(self) -> Any:
        state = self._seen, self._iteration, self.stride
        return state, list(self._first), list(self._middle), list(self._last)

    def restore(self, kept: Any) -> None:
        (self._seen, self._iteration, self.stride), self._first, self._middle, last = kept
        # Rows that were kept with their numbers have these twice.
        self._last.extend(one[1] if type(one[1]) is tuple else one for one in last)

    def rows(self) -> list[Any]:
        """Return the rows in order, None where rows are left out between one row and the next."""
        last = [(order, self._shown_of(one)) for order, one in self._last]
        kept = sorted(dict([*self._first, *self._middle, *last]).items())
        bounds = (len(self._first), len(kept) - len(last)) if self._every is None else ()
        rows: list[Any] = []
        for index, (order, row) in enumerate(kept):
            if index and index in bounds and order > kept[index - 1][0] + 1:
                rows.append(None)
            rows.append(row)
        return rows
