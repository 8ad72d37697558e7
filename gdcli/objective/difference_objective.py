"""An objective whose gradient is a difference quotient, as one would estimate it from values alone; many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gdcli.calculus.finite_differences import FORWARD_STEP, central_quotients, forward_gradient, steps_of
from gdcli.compile.runners import batch_function
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Vector, as_like, np
from gdcli.objective.expression import NOTE_NONE, ScalarObjective
from gdcli.objective.protocol import Evaluation, Objective

if TYPE_CHECKING:
    from gdcli.objective.function_objective import FunctionObjective
    from gdcli.objective.vector_expression import VectorObjective

# n variables cost n evaluations for each gradient; beyond this the exact gradient is the only sensible one.
MAX_SIZE = 5000


class EstimatedGradient(Objective):
    """Wraps an objective: the same values, but a gradient that is made of values, and no Hessian."""

    def __init__(self, base: ScalarObjective | VectorObjective | FunctionObjective) -> None:
        self.base = base
        self.size = base.size
        self.counts = base.counts
        self.engine = base.engine

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        at = self.base.evaluate(x, 0)
        return self.complete(at, order) if order else at

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        if at.gradient is not None or not -float("inf") < at.value < float("inf"):
            return at
        self.counts.gradient += 1
        found = self.estimate(at)
        if found is None:
            return Evaluation(at.x, at.value, None, None, NOTE_NONE)
        return Evaluation(at.x, at.value, as_like(at.x, found))

    def estimate(self, at: Evaluation) -> Sequence[float] | None:
        """Return the gradient, None where there is none."""
        raise NotImplementedError

    def pole_between(self, x: Vector, y: Vector) -> Any:
        return self.base.pole_between(x, y)

    def vector(self, flat: Sequence[float]) -> Any:
        return self.base.vector(flat)


class DifferenceObjective(EstimatedGradient):
    """The gradient is one of difference quotients.

    Each perturbed point is counted as an evaluation of the value. ``h`` is the step of the quotients. None: 1e-5
    for the forward one and the cube root of eps for the central one, times the size of each variable, that at the start
    (``sizes``, shape n; None: 1 for all) or now, whichever is more.
    """

    def __init__(
        self,
        base: ScalarObjective | VectorObjective | FunctionObjective,
        kind: str,
        h: float | None = None,
        sizes: Sequence[float] | None = None,
    ) -> None:
        if base.size > MAX_SIZE:
            raise UsageError(
                f"--gradient {kind} takes {base.size} evaluations for each gradient of {base.size} variables",
                "--gradient autodiff is exact and costs no more than a few evaluations",
            )
        super().__init__(base)
        self.kind = kind
        self.h = h
        self.sizes = [1.0] * base.size if sizes is None else sizes
        self._batch = PointBatch(base)

    def estimate(self, at: Evaluation) -> Sequence[float] | None:
        if self.kind == "forward":
            steps = steps_of(FORWARD_STEP, at.x, self.sizes) if self.h is None else self.h
            return forward_gradient(self.values, at.x, at.value, steps)
        return central_quotients(self.values, at.x, self.h, self.sizes)

    def values(self, points: Sequence[Sequence[float]]) -> list[float]:
        """Return the values at many points, all together where that is faster."""
        return self._batch.values(points)


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
        with np.errstate(all="ignore"):
            (found,) = self._program(np.array(points).T)
        base.counts.value += len(points)
        values: list[float] = np.where(np.isnan(found), np.inf, np.broadcast_to(found, len(points))).tolist()
        return values
