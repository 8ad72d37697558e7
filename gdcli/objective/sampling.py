"""A function and constraints sampled on a line or in a plane: what a picture of them needs.

All points share the components that do not vary. Few variables go through one pass of numpy for many points; long
vectors are evaluated one by one, in one array, so that the memory stays that of a single point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Any

from gdcli.compile.runners import batch_function
from gdcli.compile.scalar_text import leaves_of
from gdcli.kernel.vectors import Space, Vector, np
from gdcli.objective.build import Exact
from gdcli.objective.difference_objective import PointBatch
from gdcli.objective.expression import ScalarObjective

if TYPE_CHECKING:
    from gdcli.language.constraints import Constraint

# So many numbers are put together in one pass at most.
BLOCK = 1_000_000


class Sampler:
    """Values and derivatives of an objective at many places; ``space`` has the names of its variables."""

    def __init__(self, exact: Exact, start: Mapping[str, Any]) -> None:
        self._exact = exact
        self._batch = PointBatch(exact)
        self._start = start

    @property
    def space(self) -> Space:
        return self._exact.space

    def values(
        self, which: Sequence[int], places: Sequence[Sequence[float]], base: Sequence[float] | None = None
    ) -> list[float]:
        """Return the values at ``base`` (flat; None: the start) with its components ``which`` set to each place.

        Where there is no value the result is inf or nan.
        """
        flat = self._flat(base)
        if not isinstance(self._exact, ScalarObjective):
            return [self._exact.evaluate(self._moved(flat, which, place)).value for place in places]
        rows = max(1, BLOCK // len(flat))
        found: list[float] = []
        for begin in range(0, len(places), rows):
            points = [self._moved(flat, which, place) for place in places[begin : begin + rows]]
            found += self._batch.values(points)
        return found

    def slopes(self, index: int, places: Sequence[float]) -> list[float]:
        """Return the derivative by one component where it takes each place, nan where there is none."""
        flat = self._flat(None)
        found = []
        for place in places:
            at = self._exact.evaluate(self._exact.vector(self._moved(flat, (index,), (place,))), 1)
            exists = isfinite(at.value) and at.gradient is not None and not at.estimated
            found.append(float(at.gradient[index]) if exists and at.gradient is not None else nan)
        return found

    def _flat(self, base: Sequence[float] | None) -> Any:
        if base is None:
            base = self._exact.space.flatten(self._start)
        return (
            [float(v) for v in base] if isinstance(self._exact, ScalarObjective) else self._exact.vector(base)
        )

    def _moved(self, flat: Vector, which: Sequence[int], place: Sequence[float]) -> Any:
        point = flat.copy()
        for index, coordinate in zip(which, place, strict=True):
            point[index] = coordinate if abs(coordinate) < inf else nan
        return point


class SlackSampler:
    """How far each of ``constraints``, whose Forms are expanded in one graph, is from its nearest side."""

    def __init__(self, constraints: Sequence[Constraint], space: Space) -> None:
        rows = {key: i for i, key in enumerate(leaves_of(space))}
        roots = [row for constraint in constraints for row in constraint.form.rows]
        self._program = batch_function(constraints[0].form.graph, roots, rows)
        self._constraints = constraints

    def slacks(
        self, which: Sequence[int], places: Sequence[Sequence[float]], base: Sequence[float]
    ) -> list[list[float]]:
        """Return for each constraint its slack at ``base`` (flat) with its components ``which`` set to each place.

        Where the slack is negative the constraint is broken; that of an equation is its left side less its right one.
        A vector has that of its worst component.
        """
        points = np.repeat(np.array(base, dtype=float)[:, None], len(places), axis=1)
        points[list(which)] = np.array(places, dtype=float).T
        with np.errstate(all="ignore"):
            values = [np.broadcast_to(v, len(places)) for v in self._program(points)]
        found, at = list[list[float]](), 0
        for constraint in self._constraints:
            lower, upper = constraint.sides()
            worst: Any = np.full(len(places), inf)
            for low, high, value in zip(lower, upper, values[at:], strict=False):
                inside = value - low if low == high else np.minimum(value - low, high - value)
                worst = np.minimum(worst, inside)
            at += len(lower)
            found.append(worst.tolist())
        return found
