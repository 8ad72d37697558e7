"""Bounds on the variables: an objective that knows its box.

At a bound a variable is *held* when the value would fall on the far side: then the bound, not a vanishing
slope, keeps it there. The others are free, and a point is a minimum when it is one in the free variables
(Bertsekas, SIAM J. Control and Optim. 20, 1982). `Bounded` makes any objective speak of nothing else: a point
outside the box is moved to the nearest inside before it is evaluated, the gradient is zero for held variables
(the *projected* gradient), and so are their rows and columns of the Hessian, but for a diagonal entry that
keeps Newton's step at zero there. So the methods for free variables, their stop rules and the certificate
hold for bounded ones as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from gdcli.solvers.types import Counts, Evaluation, Matrix, Objective, Vector
from gdcli.solvers.vectors import Vec, clipped, same


class Held(NamedTuple):
    """A variable at its bound: its number, the side, and its multiplier, the slope that the
    bound holds back.
    """

    variable: int
    side: str
    multiplier: float


@dataclass(frozen=True, slots=True)
class Box:
    """``lower <= x <= upper``, vectors of the kind of x; infinite entries mean no bound, equal ones fix."""

    lower: Vector
    upper: Vector

    def clip(self, x: Vector) -> Vector:
        """Return the point of the box nearest to ``x``; ``x`` itself, not a copy, where it is inside."""
        inside = clipped(x, self.lower, self.upper)
        return x if same(inside, x) else inside

    def held(self, x: Vector, g: Vector) -> Any:
        """Return for each variable whether its bound holds it at ``x`` against the gradient ``g``."""
        if isinstance(x, list):
            rows = zip(x, g, self.lower, self.upper, strict=True)
            return [
                lo == hi or (a <= lo and slope > 0.0) or (a >= hi and slope < 0.0)
                for a, slope, lo, hi in rows
            ]
        low, high = (x <= self.lower) & (g > 0.0), (x >= self.upper) & (g < 0.0)
        return low | high | (self.lower == self.upper)


def free_part(v: Vector, held: Any) -> Vector:
    """Return ``v`` with the components of held variables made zero."""
    if isinstance(v, list):
        return Vec([0.0 if h else a for a, h in zip(v, held, strict=True)])
    import numpy

    return numpy.where(held, 0.0, v)


class Bounded:
    """``objective`` within ``box``: clipped points, projected gradients, Hessians of the free variables."""

    def __init__(self, objective: Objective, box: Box) -> None:
        self.inner = objective
        self.box = box
        self.size = objective.size
        self.counts: Counts = objective.counts
        self.has_hessian = objective.has_hessian
        self.has_product = objective.has_product
        # The variables held at the point evaluated last: a vanishing slope looks the same as a held variable.
        self._newest: tuple[Vector, Any] | None = None

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        """Return the value at the point of the box nearest to ``x``, with projected derivatives."""
        return self.project(self.inner.evaluate(self.box.clip(x), order))

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        """Return ``at`` with projected derivatives up to ``order`` added."""
        bare = Evaluation(at.x, at.value, note=at.note)
        return self.project(self.inner.complete(bare, order))

    def product(self, at: Evaluation, direction: Vector) -> Vector | None:
        """Return the Hessian of the free variables times ``direction``."""
        result = self.inner.product(at, self.restricted(at, direction))
        return None if result is None else self.restricted(at, result)

    def restricted(self, at: Evaluation, v: Vector) -> Vector:
        """Return ``v`` with the components of the variables held at ``at`` made zero."""
        return free_part(v, self._held_at(at))

    def all_held(self, at: Evaluation) -> bool:
        """Tell whether every variable is held by its bound at ``at``."""
        return all(self._held_at(at))

    def smoothed(self, mu: float) -> Bounded | None:
        """Return the smoothed objective within the same box, None where there is nothing to smooth."""
        make = getattr(self.inner, "smoothed", None)
        made = make(mu) if make is not None else None
        return None if made is None else Bounded(made, self.box)

    def multipliers(self, at: Evaluation) -> list[Held]:
        """Return the variables held at ``at``, with their multipliers; costs a gradient."""
        bare = self.inner.complete(Evaluation(at.x, at.value), 1)
        if bare.gradient is None:
            return []
        held = self.box.held(at.x, bare.gradient)
        found = []
        for i in (i for i, h in enumerate(held) if h):
            fixed = self.box.lower[i] == self.box.upper[i]
            side = "fixed" if fixed else "lower" if at.x[i] <= self.box.lower[i] else "upper"
            found.append(Held(i, side, abs(float(bare.gradient[i]))))
        return found

    def _held_at(self, at: Evaluation) -> Any:
        """The variables held at ``at``, whose projected gradient does not tell; costs a gradient for an older point."""
        if self._newest is None or self._newest[0] is not at.x:
            bare = self.inner.complete(Evaluation(at.x, at.value), 1)
            g = at.x * 0.0 if bare.gradient is None else bare.gradient
            self._newest = at.x, self.box.held(at.x, g)
        return self._newest[1]

    def project(self, at: Evaluation) -> Evaluation:
        """Return an evaluation of the inner objective as one of this."""
        if at.gradient is None:
            return at
        held = self.box.held(at.x, at.gradient)
        self._newest = at.x, held
        if not (any(held) if isinstance(held, list) else held.any()):
            return at
        hessian = None if at.hessian is None else _of_the_free(at.hessian, held)
        return at._replace(gradient=free_part(at.gradient, held), hessian=hessian)


def _of_the_free(H: Matrix, held: Any) -> Matrix:
    """Return H with held rows and columns made zero, and on their diagonal a curvature that free ones have.

    The largest diagonal entry of the free block lies between its extreme eigenvalues, so that these stay what they
    are. It is not taken where negative: the way down must not lead along a held variable.
    """
    n = len(held)
    free = [float(H[i][i]) for i in range(n) if not held[i]]
    filler = max(0.0, *free) if free else 1.0
    if isinstance(H, list):
        return [
            Vec([filler if i == j and held[i] else 0.0 if held[i] or held[j] else H[i][j] for j in range(n)])
            for i in range(n)
        ]
    reduced = H.copy()
    reduced[held, :] = 0.0
    reduced[:, held] = 0.0
    reduced[held, held] = filler
    return reduced
