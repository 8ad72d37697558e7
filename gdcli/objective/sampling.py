"""A function sampled on a line or in a plane: what a picture of it needs.

All points share the components that do not vary. Few variables go through one pass of numpy for many points; long
vectors are evaluated one by one, in one array, so that the memory stays that of a single point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite, nan
from typing import Any

from gdcli.kernel.space import Space
from gdcli.kernel.vectors import Vector
from gdcli.objective.build import Exact
from gdcli.objective.expression import ScalarObjective
from gdcli.objective.many_points import PointBatch

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
