"""Starts for a fit that has none: many are drawn, the linear parameters solved for, the best followed to their ends.

A model function is often linear in some of its parameters, as ``a*exp(-b*x) + c`` is in a and c. For given values of
the others these are the answer of a linear problem, so they need no start (variable projection: Golub and Pereyra, SIAM
J. Numer. Anal. 10, 1973), and the sum of squares that is left comes with the triangle of one pass over the data.

The others are drawn at random, each from a scale that the data suggest: a place is within the range of a column, a rate
is one over its spread, a power is a number of the size of 1. Later draws come from the best so far, each parameter from
one of them, a little changed. The best few are ends of short runs, and the lowest end is the start.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import exp, inf, isfinite, log
from typing import Any, NamedTuple

from gdcli.budget import Spent
from gdcli.dataclass import dataclass
from gdcli.solvers.bounds import Bounded, Box
from gdcli.solvers.least_squares import LevenbergMarquardt
from gdcli.solvers.residual_model import ResidualModel, column_lengths
from gdcli.solvers.run import pass_on, run
from gdcli.solvers.stopping import MaxIterations
from gdcli.solvers.types import Evaluation, StopReason, Vector

# Draws of the first round for each parameter that is not linear, and of each later round.
FIRST, LATER = 120, 40
POOL = 20
FOLLOWED = 12
# Populations that know nothing of each other, one more for each two parameters: each may gather around another end.
PER_ISLAND = 2
STEPS = 60
# Two ends are one when their values agree to this part.
SAME = 1e-6
# Magnitudes are drawn evenly on a logarithmic scale up to this factor either way.
_SPREAD = 30.0
_ROUGHER = (0.5, 0.3, 0.15, 0.08)


class Range(NamedTuple):
    """What a column of the data suggests: its lowest and highest number, and their typical size."""

    low: float
    high: float
    size: float


@dataclass(frozen=True, slots=True)
class FoundStart:
    """The best start: how many were ``drawn``, how many ``followed``, how many of these ended here (``agreeing``).

    ``at`` is the end of a short run (None where no drawn point had a finite value).
    """

    at: Evaluation | None
    drawn: int
    followed: int
    agreeing: int


def range_of(column: Any) -> Range:
    """Return what a column (numpy) suggests."""
    import numpy as np

    finite = column[np.isfinite(column)]
    if not len(finite):
        return Range(0.0, 1.0, 1.0)
    sizes = abs(finite[finite != 0.0])
    return Range(float(finite.min()), float(finite.max()), float(np.median(sizes)) if len(sizes) else 1.0)


def search(
    objective: Any,
    linear: Sequence[int],
    columns: Sequence[Range],
    box: Box | None = None,
    seed: int = 0,
    known: Sequence[float | None] | None = None,
) -> FoundStart:
    """Return the best start found for a sum of squares.

    ``objective`` is a `LeastSquaresObjective` that makes vectors (``vector``), ``linear`` the numbers of the parameters
    that the residuals are jointly linear in, ``columns`` the ranges of the predictors. Points stay within ``box``.
    ``known`` has the parameters that do have a start, None for the others: each draw keeps them, but for linear ones.
    """
    return _Search(
        objective, list(linear), list(columns) or [Range(0.0, 1.0, 1.0)], box, seed, known
    ).result()


class _Point(NamedTuple):
    value: float
    x: tuple[float, ...]


class _Search:
    def __init__(
        self,
        objective: Any,
        linear: list[int],
        columns: list[Range],
        box: Box | None,
        seed: int,
        known: Sequence[float | None] | None,
    ) -> None:
        self.objective = objective
        self.linear = linear
        self.columns = columns
        self.box = box
        self.random = random.Random(seed)
        self.known = list(known) if known is not None else [None] * objective.size
        self.bent = [i for i in range(objective.size) if i not in set(linear)]
        self.open = [i for i in self.bent if self.known[i] is None]
        self.drawn = 0
        self.lowest: _Point | None = None  # what there is when the time is over

    def result(self) -> FoundStart:
        """Run the search."""
        import numpy

        with numpy.errstate(all="ignore"):
            try:
                return self._searched()
            except Spent:
                if self.lowest is None:
                    raise
                at = Evaluation(self._vector(self.lowest.x), self.lowest.value)
                return FoundStart(at, self.drawn, 0, 0)

    def _searched(self) -> FoundStart:
        if not self.open:
            return self._followed([p for p in (self._solve(self._draw()),) if p is not None])
        islands = 1 + len(self.open) // PER_ISLAND
        return self._followed([point for _ in range(islands) for point in self._island()[:FOLLOWED]])

    def _island(self) -> list[_Point]:
        """The best points of a first round and those that come from them."""
        size = len(self.open)
        pool = self._best([self._solve(self._draw()) for _ in range(FIRST * size)])
        for rough in _ROUGHER if pool else ():
            children = [self._child(pool, rough) for _ in range(LATER * size)]
            pool = self._best(pool + [self._solve(child) for child in children])
        return pool

    # -- drawing -------------------------------------------------------------------------------------------

    def _draw(self) -> list[float]:
        """A point: drawn where nothing is known, zero where a parameter is linear."""
        x = [0.0 if a is None else a for a in self.known]
        for i in self.open:
            x[i] = self._drawn(i)
        return x

    def _drawn(self, i: int) -> float:
        low, high = (-inf, inf) if self.box is None else (float(self.box.lower[i]), float(self.box.upper[i]))
        if isfinite(low) and isfinite(high):
            return self.random.uniform(low, high)
        column = self.random.choice(self.columns)
        kind = self.random.random()
        if kind < 0.25:
            return min(max(self.random.uniform(column.low, column.high), low), high)
        spread = (column.high - column.low) or column.size
        base = (1.0 / spread, 1.0, spread, 1.0 / column.size, 1.0 / column.size**2, 1.0 / column.size**3)
        weights = (6, 4, 3, 3, 2, 1)
        size = self.random.choices(base, weights)[0] * exp(self.random.uniform(-1.0, 1.0) * log(_SPREAD))
        sign = -1.0 if self.random.random() < 0.3 else 1.0
        return min(max(sign * size, low), high)

    def _child(self, pool: Sequence[_Point], rough: float) -> list[float]:
        """A point whose parameters come from two of the best, each a little changed."""
        one, other = self.random.choice(pool), self.random.choice(pool)
        x = list(one.x)
        for i in self.linear:
            x[i] = 0.0
        for i in self.open:
            if self.random.random() < 0.3:
                x[i] = other.x[i]
            x[i] *= exp(rough * self.random.gauss(0.0, 1.0))
            if self.random.random() < 0.05:
                x[i] = self._drawn(i)
        return x

    # -- linear parameters ---------------------------------------------------------------------------------

    def _solve(self, x: list[float]) -> _Point | None:
        """The point with the linear parameters solved for, and its sum of squares; None where it is not finite."""
        self.drawn += 1
        at = Evaluation(self._vector(x), 0.0)
        triangle = self.objective.linearise(at)
        if triangle is None:
            return None
        import numpy as np

        free = np.zeros(len(x), dtype=bool)
        free[self.linear] = True
        model = ResidualModel(triangle, column_lengths(triangle.factor), free)
        step = model.gauss_newton().step
        value = model.rest**2
        moved = [a + float(d) for a, d in zip(at.x, step, strict=True)]
        if self.box is not None:
            inside = self.box.clip(self._vector(moved))
            if list(map(float, inside)) != moved:
                value = self.objective.evaluate(inside, 0).value
                moved = list(map(float, inside))
        if not (isfinite(value) and all(map(isfinite, moved))):
            return None
        point = _Point(value, tuple(moved))
        if self.lowest is None or value < self.lowest.value:
            self.lowest = point
        return point

    def _vector(self, x: Sequence[float]) -> Vector:
        made = self.objective.vector(x)
        return made if self.box is None else self.box.clip(made)

    def _best(self, points: Sequence[_Point | None]) -> list[_Point]:
        """The best points, each a little apart in value from the one before."""
        kept: list[_Point] = []
        for point in sorted((p for p in points if p is not None), key=lambda p: p.value):
            if not kept or point.value > kept[-1].value * (1.0 + 1e-9):
                kept.append(point)
            if len(kept) == POOL:
                break
        return kept

    # -- following -----------------------------------------------------------------------------------------

    def _followed(self, points: Sequence[_Point]) -> FoundStart:
        target = self.objective if self.box is None else Bounded(self.objective, self.box)
        ends = []
        for point in points:
            start = self._vector(point.x)
            if not isfinite(self.objective.evaluate(start, 0).value):
                continue
            found = run(target, LevenbergMarquardt(), start, [MaxIterations(STEPS)])
            pass_on(found.reason)
            fled = found.reason in (StopReason.AT_INFINITY, StopReason.EDGE)
            ends.append((fled, found.best.at.value, found.best.at))
        if not ends:
            return FoundStart(None, self.drawn, 0, 0)
        _, value, at = min(ends, key=lambda end: end[:2])
        agreeing = sum(abs(v - value) <= SAME * abs(value) for _, v, _ in ends)
        return FoundStart(at, self.drawn, len(ends), agreeing)
