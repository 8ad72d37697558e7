"""Bounds on the variables: an objective that knows its box.

At a bound a variable is *held* when the value would fall on the far side: then the bound, not a vanishing
slope, keeps it there. The others are free, and a point is a minimum when it is one in the free variables
(Bertsekas, SIAM J. Control and Optim. 20, 1982). `Bounded` makes any objective speak of nothing else: a point
outside the box is moved to the nearest inside before it is evaluated, the gradient is zero for held variables
(the *projected* gradient), and so are their rows and columns of the Hessian, but for a diagonal entry that
keeps Newton's step at zero there. So the methods for free variables, their stop rules and the certificate
hold for bounded ones as they stand.

A slope may be infinite at a bound, as that of ``sqrt(x)`` at 0, and hold its variable there all the more. Then the
derivatives are taken right beside the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite, nextafter
from typing import Any

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.vectors import Vec, as_like, clipped, is_finite, main_part, same
from gdcli.objective.protocol import Counts, Evaluation, Matrix, Objective, Vector, pole_between

# Variables that moved less than this part of the others do not flee.
_FLEEING_PART = 1e-4
# So close to a bound at 0 slopes like that of a root, and their own slopes, are still numbers.
_BESIDE_ZERO = 1e-100

# A slope beside a bound that counts as infinite at it.
_INFINITE = 1e6

NOTE_INFINITE = "the slope is infinite at a bound; the derivatives are those right beside it"


class HeldVariable(NamedTuple):
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

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        """Return the value at the point of the box nearest to ``x``, with projected derivatives."""
        at = self.inner.evaluate(self.box.clip(x), order)
        return self.project(self.beside(at, lambda e: self.inner.complete(e, order)) if order else at)

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        return self.project(self._complete(Evaluation(at.x, at.value, note=at.note), order))

    def _complete(self, bare: Evaluation, order: int) -> Evaluation:
        """Return ``bare`` with the derivatives of the inner objective, beside the bounds where they are infinite."""
        return self.beside(self.inner.complete(bare, order), lambda e: self.inner.complete(e, order))

    def beside(self, at: Evaluation, derive: Callable[[Evaluation], Evaluation]) -> Evaluation:
        """Return ``at``, an evaluation of the inner objective, with the derivatives that ``derive`` finds right beside
        the bounds that it lies on, where it has none of its own and the bounds hold all those variables.
        """
        if (at.gradient is not None and not at.estimated) or not isfinite(at.value):
            return at
        rows = zip(at.x, self.box.lower, self.box.upper, strict=True)
        inside = as_like(at.x, [_moved_inside(a, lo, hi) for a, lo, hi in rows])
        there = derive(Evaluation(inside, at.value))
        if same(inside, at.x) or there.gradient is None or there.estimated:
            return at
        held = self.box.held(at.x, there.gradient)
        if not all(h or a == b for h, a, b in zip(held, at.x, inside, strict=True)):
            return at
        return Evaluation(at.x, at.value, there.gradient, there.hessian, NOTE_INFINITE)

    def pole_between(self, x: Vector, y: Vector) -> Vector | None:
        """Return a point between x and y, within the bounds, where the value is infinite; None where there is none."""
        return pole_between(self.inner, x, self.box.clip(y))

    def product(self, at: Evaluation, direction: Vector) -> Vector | None:
        """Return the Hessian of the free variables times ``direction``."""
        result = self.inner.product(at, self.restricted(at, direction))
        return None if result is None else self.restricted(at, result)

    def restricted(self, at: Evaluation, v: Vector) -> Vector:
        """Return ``v`` with the components of the variables held at ``at`` made zero."""
        return free_part(v, self._held_at(at))

    def all_held(self, at: Evaluation) -> bool:
        return all(self._held_at(at))

    def far_end(self, start: Vector, at: Evaluation, order: int) -> Evaluation | None:
        """Return the point where the way from ``start`` to ``at``, which seems to have no end, meets the far bounds.

        None where a bound is missing that way, or the value there is no number or no lower.
        """
        way = main_part(at.x - start, _FLEEING_PART)
        rows = zip(at.x, way, self.box.lower, self.box.upper, strict=True)
        ends = as_like(at.x, [a if d == 0.0 else hi if d > 0.0 else lo for a, d, lo, hi in rows])
        if not is_finite(ends) or same(ends, at.x):
            return None
        found = self.evaluate(ends, order)
        return found if isfinite(found.value) and found.value <= at.value else None

    def smoothed(self, mu: float) -> Bounded | None:
        """Return the smoothed objective within the same box, None where there is nothing to smooth."""
        make = getattr(self.inner, "smoothed", None)
        made = make(mu) if make is not None else None
        return None if made is None else Bounded(made, self.box)

    def multipliers(self, at: Evaluation) -> list[HeldVariable]:
        """Return the variables held at ``at``, with their multipliers; costs a gradient."""
        bare = self._complete(Evaluation(at.x, at.value), 1)
        if bare.gradient is None:
            return []
        held = self.box.held(at.x, bare.gradient)
        found = []
        for i in (i for i, h in enumerate(held) if h):
            fixed = self.box.lower[i] == self.box.upper[i]
            side = "fixed" if fixed else "lower" if at.x[i] <= self.box.lower[i] else "upper"
            multiplier = abs(float(bare.gradient[i]))
            found.append(HeldVariable(i, side, inf if multiplier > _INFINITE and bare.note else multiplier))
        return found

    def _held_at(self, at: Evaluation) -> Any:
        """The variables held at ``at``; costs a gradient where ``at`` has none. Nothing is remembered here: a run that
        is gone on with must not have less to compute than one that was never stopped.
        """
        if at.held is None:
            at = self.complete(at, 1)
        return self.box.held(at.x, at.x * 0.0) if at.held is None else at.held

    def project(self, at: Evaluation) -> Evaluation:
        """Return an evaluation of the inner objective as one of this."""
        if at.gradient is None:
            return at
        held = self.box.held(at.x, at.gradient)
        if not (any(held) if isinstance(held, list) else held.any()):
            return at._replace(held=held)
        hessian = None if at.hessian is None else of_the_free(at.hessian, held)
        return at._replace(gradient=free_part(at.gradient, held), hessian=hessian, held=held)


def _moved_inside(a: float, lower: float, upper: float) -> float:
    """Return the number right beside a bound that ``a`` lies on, else ``a``."""
    if a == lower < upper:
        return _BESIDE_ZERO if a == 0.0 else nextafter(a, inf)
    if a == upper > lower:
        return -_BESIDE_ZERO if a == 0.0 else nextafter(a, -inf)
    return a


def of_the_free(H: Matrix, held: Any) -> Matrix:
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
