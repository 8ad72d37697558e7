"""Machine code of an objective as it is called: a program at a point, a chunk of steps and what these did."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from math import nextafter
from typing import TYPE_CHECKING, Any

from gdcli.compile.descent_loops import HISTORY, LIMITS, ROOM, LoopLayout
from gdcli.compile.update_rules import Update
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Vec
from gdcli.objective.expression import ScalarObjective
from gdcli.objective.protocol import Counts, Evaluation, Vector

if TYPE_CHECKING:
    from gdcli.compile.machine_code import Library


class ChunkIterate(NamedTuple):
    """An iterate of a chunk: the number of its step (from 1), the point, the one before, the step size."""

    number: int
    at: Evaluation
    before: Evaluation
    size: float


class Chunk(NamedTuple):
    """What ``steps`` steps taken at once did.

    ``last`` gives the last iterates in order, at most as many as asked for, ``values`` their values. ``best`` is the
    iterate with the lowest value (the later of equals), None if the lowest before was lower. ``scalars`` and
    ``vectors`` are the states of the update after the last step. ``shown`` are observers with an iterate that each is
    to see.
    """

    steps: int
    last: Callable[[int], Iterator[ChunkIterate]]
    values: Callable[[int], list[float]]
    best: ChunkIterate | None
    scalars: Sequence[float]
    vectors: Sequence[Vector]
    shown: Sequence[tuple[Callable[[Any], None], ChunkIterate]] = ()


INF = float("inf")

# The limits of a chunk are wider than the rules' by more than the rounding of a sum of squares.
_WIDER = 1.0 + 1e-9
_SMALLEST = 1e-290


class NativeProgram:
    """A program of ``n`` numbers and ``count`` results as machine code, with the calls of the CPython program.

    ``second`` gives the gradient and the lower triangle of the Hessian apart. Nothing of it ever raises.
    """

    __slots__ = ("bare", "safe")

    def __init__(self, library: Library, name: str, count: int, n: int) -> None:
        out = (ctypes.c_double * count)()
        arguments = ctypes.c_double * n
        call = library[name]

        def value(x: Sequence[float]) -> Any:
            call(arguments(*x), out)
            return out[0]

        def row(x: Sequence[float]) -> Any:
            call(arguments(*x), out)
            return out[:]

        def second(x: Sequence[float]) -> Any:
            call(arguments(*x), out)
            return out[:n], out[n:]

        self.bare = self.safe = {"value": value, "second": second}.get(name, row)

    def __call__(self, x: Sequence[float]) -> Any:
        return self.bare(x)


class Loop:
    """Chunks of steps of one update on one objective, in machine code, of which the last ``rows`` iterates are kept."""

    rows = ROOM

    def __init__(self, library: Library, objective: ScalarObjective, update: Update) -> None:
        self.objective = objective
        self.update = update
        self.n = n = objective.size
        self.layout = LoopLayout(n)
        self._advance = library["advance"]
        self._rows = (ctypes.c_double * (self.layout.row * (HISTORY + ROOM)))()
        self._best = (ctypes.c_double * self.layout.best)()
        self._state = (ctypes.c_double * (len(update.scalars) + n * len(update.vectors)))()
        self._limits = (ctypes.c_double * (len(LIMITS) + len(update.constants)))()
        self._marks = (ctypes.c_int64 * 2)()

    def __call__(
        self, at: Evaluation, states: Any, constants: Sequence[float], limits: Any, lowest: float, steps: int
    ) -> Chunk:
        """Take up to ``steps`` steps from ``at``; ``lowest`` is the lowest value so far."""
        n, row = self.n, self.layout.row
        begin = (HISTORY - 1) * row
        self._rows[begin : begin + row] = [*at.x, *at.gradient, at.value, 0.0]  # type: ignore[misc]
        self._state[:] = [*states.scalars, *(a for vector in states.vectors for a in vector)]
        self._limits[:] = [*_widened(limits), *constants]
        self._best[row + n] = lowest
        taken = self._advance(self._rows, self._best, self._state, self._limits, self._marks, steps)
        self.objective.counts.add(Counts(taken, taken))
        best = None
        if self._marks[1]:
            before = Evaluation(Vec(self._best[row : row + n]), INF)
            best = self._iterate(self._best[:row], self._marks[1], before)
        newest = self._marks[0] // row
        scalars = len(self.update.scalars)
        flat = self._state[:]
        vectors = [Vec(flat[k : k + n]) for k in range(scalars, len(flat), n)]

        def last(count: int) -> Iterator[ChunkIterate]:
            count = min(count, taken, newest)
            before = self._evaluation(self._row(newest - count))
            for back in range(count - 1, -1, -1):
                iterate = self._iterate(self._row(newest - back), taken - back, before)
                before = iterate.at
                yield iterate

        def values(count: int) -> list[float]:
            first = newest + 1 - min(count, taken, newest)
            return self._rows[row * first + 2 * n : row * (newest + 1) : row]

        return Chunk(taken, last, values, best, flat[:scalars], vectors)

    def _row(self, index: int) -> list[float]:
        row = self.layout.row
        return self._rows[row * index : row * (index + 1)]

    def _evaluation(self, row: Sequence[float]) -> Evaluation:
        n = self.n
        return Evaluation(Vec(row[:n]), row[2 * n], Vec(row[n : 2 * n]))

    def _iterate(self, row: Sequence[float], number: int, before: Evaluation) -> ChunkIterate:
        return ChunkIterate(number, self._evaluation(row), before, row[2 * self.n + 1])


def _widened(limits: Any) -> list[float]:
    """The limits of the text, in its order: squares where a norm is meant, never narrower than the rule."""
    gradient = -1.0 if limits.gradient is None else max(limits.gradient**2 * _WIDER, _SMALLEST)
    step = 0.0 if limits.step is None else max(limits.step**2 * _WIDER, _SMALLEST)
    low = nextafter(limits.floor, -INF)
    return [
        low if limits.target is None else max(low, limits.target),
        gradient if limits.scaled else 0.0,
        0.0 if limits.scaled else gradient,
        step,
        0.0 if limits.value is None else limits.value,
    ]
