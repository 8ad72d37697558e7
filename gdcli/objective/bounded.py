"""Bounds on the variables: an objective that knows its box.

At a bound a variable is *held* when the value would fall on the far side: then the bound, not a vanishing slope, keeps
it there. The others are free, and a point is a minimum when it is one in the free variables (Bertsekas, SIAM J. Control
and Optim. 20, 1982). `Bounded` makes any objective speak of nothing else: a point outside the box is moved to the
nearest inside before it is evaluated, the gradient is zero for held variables (the *projected* gradient), and so are
their rows and columns of the Hessian, but for a diagonal entry that keeps Newton's step at zero there. So the methods
for free variables, their stop rules and the certificate hold for bounded ones as they stand.

A slope may be infinite at a bound, as that of ``sqrt(x)`` at 0, and hold its variable there all the more. Then the
derivatives are taken right beside the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite, nextafter
from typing import Any

from gdcli.kernel.vectors import as_like, is_finite, main_part, same
from gdcli.objective.protocol import (
    Box,
    Evaluation,
    HeldVariable,
    Objective,
    Vector,
    Wrapper,
    free_part,
    of_the_free,
)

# Variables that moved less than this part of the others do not flee.
_FLEEING_PART = 1e-4
# So close to a bound at 0 slopes like that of a root, and their own slopes, are still numbers.
_BESIDE_ZERO = 1e-100

# A slope beside a bound that counts as infinite at it.
_INFINITE = 1e6

NOTE_INFINITE = "the slope is infinite at a bound; the derivatives are those right beside it"


class Bounded(Wrapper):
    """``inner`` within ``box``: clipped points, projected gradients, Hessians of the free variables."""

    box: Box

    def __init__(self, inner: Objective, box: Box) -> None:
        super().__init__(inner)
        self.box = box

    @property
    def unbounded(self) -> Objective:
        return self.inner

    def around(self, inner: Objective) -> Bounded:
        return Bounded(inner, self.box)

    def rewritten(self, make: Callable[[Objective], Objective], there: Callable[[Vector], Vector]) -> Bounded:
        return Bounded(make(self.inner), Box(there(self.box.lower), there(self.box.upper)))

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        """Return the value at the point of the box nearest to ``x``, with projected derivatives."""
        at = self.inner.evaluate(self.box.clip(x), order)
        return self.project(self.beside(at, lambda e: self.inner.complete(e, order)) if order else at)

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        return self.derived(at, lambda function, e: function.complete(e, order))

    def derived(self, at: Evaluation, derive: Callable[[Objective, Evaluation], Evaluation]) -> Evaluation:
        return self.project(self._derived(Evaluation(at.x, at.value, note=at.note), derive))

    def _derived(self, bare: Evaluation, derive: Callable[[Objective, Evaluation], Evaluation]) -> Evaluation:
        """Return ``bare`` with derivatives of the inner objective, beside the bounds where they are infinite."""
        return self.beside(derive(self.inner, bare), lambda e: derive(self.inner, e))

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
        return self.inner.pole_between(x, self.box.clip(y))

    def product(self, at: Evaluation, direction: Vector) -> Vector | None:
        result = self.inner.product(at, self.restricted(at, direction))
        return None if result is None else self.restricted(at, result)

    def restricted(self, at: Evaluation, v: Vector) -> Vector:
        return free_part(v, self._held_at(at))

    def all_held(self, at: Evaluation) -> bool:
        return all(self._held_at(at))

    def far_end(self, start: Vector, at: Evaluation, order: int) -> Evaluation | None:
        way = main_part(at.x - start, _FLEEING_PART)
        rows = zip(at.x, way, self.box.lower, self.box.upper, strict=True)
        ends = as_like(at.x, [a if d == 0.0 else hi if d > 0.0 else lo for a, d, lo, hi in rows])
        if not is_finite(ends) or same(ends, at.x):
            return None
        found = self.evaluate(ends, order)
        return found if isfinite(found.value) and found.value <= at.value else None

    def multipliers(self, at: Evaluation) -> list[HeldVariable]:
        bare = self._derived(Evaluation(at.x, at.value), lambda function, e: function.complete(e, 1))
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
