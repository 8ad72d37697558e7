"""An objective at many points at once: its gradient as a difference quotient, and samples of it for a picture.

A picture shows a function and constraints on a line or in a plane, whose points share the components that do not vary.
Few variables go through one pass of numpy for many points; long vectors are evaluated one by one, in one array, so that
the memory stays that of a single point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Any

from gdcli.calculus.numerical_derivatives import FORWARD_STEP, central_quotients, forward_gradient, steps_of
from gdcli.compile.runners import batch_function
from gdcli.compile.scalar_text import leaves_of
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Space, Vector, as_like, np
from gdcli.objective.expression import NOTE_NONE, ScalarObjective
from gdcli.objective.protocol import Evaluation, Objective

if TYPE_CHECKING:
    from gdcli.language.constraints import Constraint
    from gdcli.objective.function_objective import FunctionObjective
    from gdcli.objective.vector_expression import VectorObjective

    Exact = ScalarObjective | VectorObjective | FunctionObjective

# n variables cost n evaluations for each gradient; beyond this the exact gradient is the only sensible one.
MAX_SIZE = 5000


class EstimatedGradient(Objective):
    """Wraps an objective: the same values, but a gradient that is made of values, and no Hessian."""

    def __init__(self, base: Exact) -> None:
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
        base: Exact,
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

    def __init__(self, base: Exact) -> None:
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
