"""Many points at once: the values of an objective at a whole batch of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gdcli.compile.runners import batch_function, numpy
from gdcli.objective.expression import ScalarObjective

if TYPE_CHECKING:
    from gdcli.objective.function_objective import FunctionObjective
    from gdcli.objective.vector_expression import VectorObjective

# From this many points on, numpy evaluates them faster all together than CPython one by one.
BATCH_POINTS = 40


class PointBatch:
    """Evaluates an objective at many points: in one pass of numpy where that is faster, else one by one.

    Each point is counted as an evaluation of the value.
    """

    def __init__(self, base: ScalarObjective | VectorObjective | FunctionObjective) -> None:
        self.base = base
        self._program: Any = None

    def values(self, points: Sequence[Sequence[float]]) -> list[float]:
        """Return the values at the points (flat vectors), +inf where one is not a number."""
        base = self.base
        if not isinstance(base, ScalarObjective):
            return [base.evaluate(base.vector(point)).value for point in points]
        if len(points) < BATCH_POINTS:
            return [base.value(point) for point in points]
        if self._program is None:
            rows = {key: i for i, key in enumerate(base.leaves)}
            self._program = batch_function(base.form.graph, [base.root], rows)
        np = numpy()
        with np.errstate(all="ignore"):
            (found,) = self._program(np.array(points).T)
        base.counts.value += len(points)
        values: list[float] = np.where(np.isnan(found), np.inf, np.broadcast_to(found, len(points))).tolist()
        return values
