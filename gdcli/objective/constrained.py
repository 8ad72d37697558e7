"""An objective with constraints and bounds: what is to be small, where it may be looked for.

The user's constraints are rows ``lower <= c(x) <= upper``. A solver sees *sides*: equations ``h(x) = 0`` where both
ends are one number, inequalities ``h(x) <= 0`` else, and of a range both. Points outside of the bounds are moved to the
nearest inside before anything is evaluated, so that bounds always hold; constraints hold at the end only. How far from
holding they are is measured in the size of what they compare: the terms that a row adds up, and its end; sums of
numbers near 1e6 cannot be told closer than 1e-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp, inf, ldexp
from typing import Any

from gdcli.kernel.vectors import Array, np
from gdcli.language.constraints import Constraint
from gdcli.objective.constraint_rows import ConstraintRows, LinearRows, LongRows
from gdcli.objective.protocol import Box, Counts, Evaluation, Objective, Vector

# Below this a size is small, as slopes that are as many times larger than 1 are steep.
_SMALL = 0.1


class Constrained(Objective):
    """``objective`` within ``box``, subject to ``constraints.lower <= c(x) <= constraints.upper``.

    ``row``, ``sign`` and ``end`` (shape (s,)) say what the sides are: ``h = sign * (c[row] - end)``; ``equal`` tells
    which of them are equations. ``expanded`` are the constraints as Forms of scalars, where they are such.
    """

    is_constrained = True

    def __init__(
        self,
        objective: Objective,
        constraints: ConstraintRows | LinearRows | LongRows,
        box: Box,
        expanded: Sequence[Constraint] = (),
    ) -> None:
        self.inner = objective
        self.constraints = constraints
        self.box = self.bounds = box
        self.expanded = expanded
        self.size = objective.size
        self.counts: Counts = objective.counts
        self.has_hessian = objective.has_hessian
        self.lower, self.upper = np.array(box.lower, dtype=float), np.array(box.upper, dtype=float)
        above, below = np.array(constraints.upper, dtype=float), np.array(constraints.lower, dtype=float)
        equal = above == below
        kinds = (
            (equal, 1.0, above),
            (~equal & (above < inf), 1.0, above),
            (~equal & (below > -inf), -1.0, below),
        )
        self.row = np.concatenate([np.flatnonzero(kind) for kind, _, _ in kinds])
        self.sign = np.concatenate([np.full(kind.sum(), sign) for kind, sign, _ in kinds])
        self.end = np.concatenate([ends[kind] for kind, _, ends in kinds])
        self.equal = np.arange(len(self.row)) < equal.sum()
        self.sides = len(self.row)
        # The least sizes that changes of the value, the sides and the variables are compared with, at most 1.
        self.value_size, self.side_sizes, self.least_units = 1.0, np.ones(self.sides), np.ones(self.size)
        self._values: tuple[bytes, float, Any] | None = None
        self._slopes: tuple[bytes, Any, Any] | None = None
        # What was found out about the last point that was looked at, by its bytes: who asks again need not compute.
        self.evidence: tuple[bytes, Any] = b"", None

    # -- for the loop ----------------------------------------------------------------------------------------------

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        """Return the value at the point of the box nearest to ``x``, by how much constraints are broken there, and
        (order 1) the gradient of the value.
        """
        at = self.whole(self.bounds.clip(x))
        value, h = self.values(at)
        found = Evaluation(self.vector(at), value, violation=self.violation(at, h))
        return self.complete(found, order) if order else found

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        if at.gradient is not None:
            return at
        found = self.slopes(self.whole(at.x))
        return at if found is None else at._replace(gradient=self.vector(found[0]))

    @property
    def typed(self) -> Constrained:
        return self

    def is_at_a_kink(self, x: Array, active: Array) -> bool:
        """Tell whether the value, or an ``active`` side (mask), is known to have a kink at ``x``."""
        return False

    def whole(self, x: Vector) -> Any:
        """Return a point of the loop as the array that the solver has of it."""
        return np.array(x, dtype=float)

    def value_at(self, x: Vector, value: float) -> float:
        """Return the value of the user's objective at a point of the loop, where the solver has found ``value``."""
        return value

    @property
    def is_exact_model(self) -> bool:
        """Whether it is a quadratic program: its model of second order is the problem itself."""
        return self.inner.is_quadratic and all(self.constraints.linear)

    def vector(self, flat: Vector) -> Vector:
        return self.inner.vector(flat)

    # -- for the solver, in arrays -----------------------------------------------------------------------------------

    def values(self, x: Vector) -> tuple[float, Any]:
        """Return the value and the sides h, shape (s,); the value is inf outside of the domain of any of them.

        The last answers are kept, and those of :meth:`slopes`: the certificate asks about the point of the last step.
        """
        key = x.tobytes()
        if self._values is None or self._values[0] != key:
            value = self.inner.evaluate(self.inner.vector(x)).value
            c = self.constraints.values(x) if self.constraints.count else np.zeros(0)
            h = self.sign * (c[self.row] - self.end)
            self._values = key, inf if np.isnan(h).any() else value, h
        return self._values[1:]

    def measure(self, start: Array) -> None:
        """Measure value and sides at the ``start``: what is small in all it does there is no rounding of 1.

        A variable is small where its start and its bounds are; one of which all that is 0 is as large as the others.
        """
        found = self.slopes(start)
        typed = np.stack(
            [start, *(np.where(np.isfinite(ends), ends, 0.0) for ends in (self.lower, self.upper))]
        )
        sizes = abs(typed).max(axis=0)
        sizes = np.where(sizes == 0.0, sizes.max(), sizes)
        self.least_units = np.array([_least_size(float(size)) for size in sizes])
        unit = self.units(start)
        if found is None:
            return
        size = max(abs(self.values(start)[0]), float(abs(found[0] * unit).max()))
        if size < 1.0:
            H = self.curvature(start, np.zeros(self.sides))
            size = max(size, 1.0 if H is None else float(abs(H * np.outer(unit, unit)).max()))
        self.value_size = _least_size(size)
        sizes = self._sizes_at(start, unit)
        if (sizes < 1.0).any():  # what is flat at the start may be steep, or curved, a little further on
            sizes = np.maximum(sizes, self._sizes_at(np.clip(start + unit, self.lower, self.upper), unit))
        self.side_sizes = np.array([_least_size(float(size)) for size in sizes])

    def units(self, x: Array) -> Any:
        """Return the size (n,) of each variable at ``x``, the unit in which changes of it are measured."""
        return np.maximum(self.least_units, abs(x))

    def _sizes_at(self, x: Array, unit: Array) -> Any:
        """Return how large terms and slopes of the sides are, (s,), inf where they are not finite."""
        steep = abs(self.constraints.jacobian(x)[self.row] * unit).max(axis=1, initial=0.0)
        sizes = np.maximum(steep, self.terms(x))
        return np.where(np.isfinite(sizes), sizes, inf)

    def slopes(self, x: Vector) -> tuple[Any, Any] | None:
        """Return the gradient of the value, shape (n,), and the Jacobian of the sides, (s, n); None if not finite."""
        key = x.tobytes()
        if self._slopes is None or self._slopes[0] != key:
            value = self.values(x)[0]
            g = self.inner.complete(Evaluation(self.inner.vector(x), value), 1).gradient
            J = (
                self.constraints.jacobian(x)[self.row] * self.sign[:, None]
                if self.constraints.count
                else np.zeros((0, self.size))
            )
            finite = g is not None and np.isfinite(g).all() and np.isfinite(J).all()
            self._slopes = key, np.array(g, dtype=float) if finite else None, J
        _, g, J = self._slopes
        return None if g is None else (g, J)

    def curvature(self, x: Vector, weights: Vector, of_value: float = 1.0) -> Array | None:
        """Return the Hessian of ``of_value * value + weights @ h``, shape (n, n); None where it is not finite."""
        H = np.zeros((self.size, self.size))
        if of_value:
            known = self.slopes(x)
            gradient = None if known is None else self.inner.vector(known[0])
            hessian = self.inner.whole_hessian(Evaluation(self.inner.vector(x), self.values(x)[0], gradient))
            if hessian is None:
                return None
            H += of_value * np.array(hessian, dtype=float)
        if np.any(weights):
            H += self.constraints.curvature(x, self.per_row(weights))
        return H if np.isfinite(H).all() else None

    def per_row(self, weights: Vector) -> Any:
        """Return weights of the sides as weights of the rows, shape (m,)."""
        found = np.zeros(self.constraints.count)
        np.add.at(found, self.row, self.sign * weights)
        return found

    def terms(self, x: Vector) -> Any:
        """Return the size of what each side compares: the largest of its terms and its end, shape (s,)."""
        if not self.sides:
            return np.zeros(0)
        return np.maximum(self.constraints.terms(x)[self.row], abs(self.end))

    def pushed(self, t: Vector) -> Any:
        """Return what counts of a vector of the sides, shape (s,): that of an inequality only where it is positive."""
        return np.where(self.equal, t, np.maximum(t, 0.0))

    def broken(self, h: Vector) -> Any:
        """Return by how much each side does not hold, shape (s,): 0 where it holds."""
        return abs(self.pushed(h))

    def violation(self, x: Vector, h: Array) -> float:
        """Return by how much the worst side does not hold, as a part of what it compares."""
        broken = self.broken(h)
        if not broken.any():
            return 0.0
        with np.errstate(invalid="ignore"):
            parts = broken / np.maximum(self.side_sizes, self.terms(x))
        worst = float(parts.max())
        return worst if worst == worst else inf


def _least_size(size: float) -> float:
    """Return what changes of something of this size are compared with, at least: 1 unless it is small, or nothing."""
    return ldexp(1.0, frexp(size)[1] - 1) if 0.0 < size < _SMALL else 1.0
