"""A constrained problem in units of its own, the subproblem in them, and whether it has a feasible point.

In ``y = x / unit`` with slopes of at most 10 at the start, radii and penalties of size 1 are a fair beginning. The
model of the augmented Lagrangian (Powell, Hestenes, Rockafellar)

    phi(y) = f + (|t|**2 - |lam|**2) / (2 rho),    t = max(0, lam + rho h)   (equations: without the max)

keeps its kinks: ``g'p + p'Wp/2 + |max(0, lam + rho (h + J p))|**2 / (2 rho)``, with W the Hessian of the Lagrangian at
t. To minimise it is the subproblem of stabilised SQP (Wright, Comput. Optim. Appl. 11, 1998; Gill and Robinson, SIAM J.
Optim. 23, 2013), and takes no evaluation of the problem.

A breach of the constraints that is least somewhere tells of that place only. So before it is said that there is no
point where they hold, the breach is minimised from other places too: from the start, and from some that are drawn
around it, wider each time (`feasible_elsewhere`).
"""

from __future__ import annotations

from random import Random
from typing import Any

from gdcli.kernel.dataclass import NamedTuple, stored
from gdcli.kernel.dense import Matrix
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.constrained import Constrained
from gdcli.solve.constrained.box_newton import box_newton
from gdcli.solve.constrained.convex_program import Model, convex_minimum

# From so many variables on a convex model is minimised by a method that does not go bound by bound.
_MANY = 40
# Slopes at the start are scaled down to this size.
_SLOPE = 10.0
# Steps of a subproblem, and the part of its fall so far that one must promise; those of a search for a feasible point.
_INNER, _INNER_PART, _LEAST_STEPS, _LEAST_PART = 60, 1e-12, 100, 1e-14
# A breach that has fallen to this part of its square was far away.
_AFAR = 1e-6
# Feasible points are found again down to this part of what a side compares: some roundings of it.
_RESTORED = 1e-14
# The model of a restoration asks for the least change, by so little, and the least violation, by so much.
_LEAST_CHANGE, _LEAST_VIOLATION = 1e-6, 1e4


@stored()
class ScaledPoint(NamedTuple):
    """A point of the scaled problem: value, sides, and where they were asked for gradient and Jacobian."""

    y: Array
    f: float
    h: Array
    g: Vector = None
    J: Matrix = None


@stored()
class Units(NamedTuple):
    """The sizes that are 1 in the scaled problem: of the variables (n,), the value, and the sides (s,)."""

    x: Array
    value: float
    sides: Array


def units_at(problem: Constrained, x: Array, g: Array, J: Array) -> Units:
    """Return units in which variables are at most 1, and slopes at most `_SLOPE`, at ``x``."""
    unit = problem.units(x)
    steep = np.abs(J * unit).max(axis=1, initial=0.0)
    value = max(problem.value_size, float(abs(g * unit).max()) / _SLOPE)
    return Units(unit, value, np.maximum(problem.side_sizes, steep / _SLOPE))


class Scaled:
    """The problem in ``units``; vectors are arrays, ``y`` has shape (n,).

    ``kept`` (shape (s,), None: all) are the sides that count.
    """

    def __init__(self, problem: Constrained, units: Units, kept: Array | None = None) -> None:
        self.kept = kept
        self.problem = problem
        self.units = units
        self.lower, self.upper = problem.lower / units.x, problem.upper / units.x
        self.equal = problem.equal

    def typed(self, y: Array) -> Any:
        """Return the point in the user's units, exactly on the bounds that it is on."""
        return np.clip(y * self.units.x, self.problem.lower, self.problem.upper)

    def clip(self, y: Array) -> Array:
        return np.clip(y, self.lower, self.upper)

    def at(self, y: Array) -> ScaledPoint:
        f, h = self.problem.values(self.typed(y))
        return ScaledPoint(y, f / self.units.value, h / self.units.sides)

    def with_slopes(self, at: ScaledPoint) -> ScaledPoint | None:
        if at.g is not None:
            return at
        found = (
            self.problem.slopes(self.typed(at.y)) if np.isfinite(at.f) and np.isfinite(at.h).all() else None
        )
        if found is None:
            return None
        g, J = found
        units = self.units
        return at._replace(g=g * units.x / units.value, J=J * units.x / units.sides[:, None])

    def curvature(self, y: Array, multipliers: Array, of_value: float = 1.0) -> Any:
        """Return the Hessian of ``of_value * f + multipliers @ h``, None where it is not finite."""
        units = self.units
        weights = multipliers * units.value / units.sides
        H = self.problem.curvature(self.typed(y), weights, of_value)
        return None if H is None else H * np.outer(units.x, units.x) / units.value

    def pushed(self, t: Array) -> Array:
        """Return what counts of a vector of the sides that are kept, as `Constrained.pushed`."""
        found: Array = self.problem.pushed(t)
        return found if self.kept is None else np.where(self.kept, found, 0.0)

    def pushing(self, t: Array) -> Any:
        """Return which sides count with what `pushed` has made of them."""
        found = self.equal | (t > 0.0)
        return found if self.kept is None else found & self.kept

    def broken(self, h: Array) -> float:
        return float(np.linalg.norm(self.pushed(h)))

    def violation(self, at: ScaledPoint) -> float:
        return self.problem.violation(self.typed(at.y), at.h * self.units.sides)

    def is_restored(self, at: ScaledPoint) -> bool:
        """Tell whether the sides hold to the rounding of what they compare, however small that is."""
        h = self.problem.broken(at.h * self.units.sides)
        return not h.any() or bool((h <= _RESTORED * self.problem.terms(self.typed(at.y))).all())

    def residual(self, at: ScaledPoint, multipliers: Array) -> float:
        """Return by how much the KKT conditions are missed: of the slope, and of the sides with their multipliers."""
        slope = at.g + at.J.T @ multipliers
        slope = at.y - self.clip(at.y - slope)
        sides = np.where(self.equal, at.h, np.maximum(at.h, -multipliers))
        return max(
            float(np.linalg.norm(slope)) / max(1.0, float(np.linalg.norm(at.g))), float(np.linalg.norm(sides))
        )

    def subproblem(
        self,
        at: ScaledPoint,
        W: Array,
        multipliers: Array,
        rho: float,
        radius: float,
        sides: Array | None = None,
        slope: Vector = None,
    ) -> tuple[Any, float, Any]:
        """Return the step that minimises the model in the box and within ``radius`` (of the largest component), by how
        much the model falls, and the multipliers there. ``sides`` and ``slope`` may stand in for those of the point.
        """
        h, g, J = at.h if sides is None else sides, at.g if slope is None else slope, at.J
        zero = np.zeros(len(at.y))
        lower, upper = np.maximum(self.lower - at.y, -radius), np.minimum(self.upper - at.y, radius)
        if len(zero) > _MANY:
            model = Model(g, W, h, J, self.equal, multipliers, rho, lower, upper)
            p = convex_minimum(model, zero)
            if p is not None:
                return p, model.value(zero) - model.value(p), model.pushed(model.pressures(p))

        def multipliers_at(p: Array) -> Array:
            return self.pushed(multipliers + rho * (h + J @ p))

        before = multipliers_at(zero)

        def value(p: Array) -> float:
            # What it has changed by: near the end that is below the rounding of the sum.
            t = multipliers_at(p)
            return float(g @ p + 0.5 * p @ W @ p + (t - before) @ (t + before) / (2.0 * rho))

        def derivatives(p: Array) -> tuple[Array, Array]:
            t = multipliers_at(p)
            A = J[self.pushing(t)]
            return g + W @ p + J.T @ t, W + rho * A.T @ A

        ball = radius * len(at.y) ** 0.5
        p, low = box_newton(value, derivatives, zero, (lower, upper), ball, _INNER, _INNER_PART)
        return p, -low, multipliers_at(p)

    def restored(self, y: Array, most: int) -> ScaledPoint:
        """Return the point that Gauss-Newton steps of least change lead to, where the sides hold; or the last one."""
        at, n = self.at(y), len(y)
        for _ in range(most):
            if not np.isfinite(at.f) or self.is_restored(at):
                break
            full = self.with_slopes(at)
            if full is None:
                break
            radius = 1e3 * max(1.0, float(np.linalg.norm(at.y)))
            no_multipliers = np.zeros(len(at.h))
            p, _, _ = self.subproblem(
                full, _LEAST_CHANGE * np.eye(n), no_multipliers, _LEAST_VIOLATION, radius, slope=np.zeros(n)
            )
            there = self.at(self.clip(at.y + p))
            if not self.broken(there.h) < self.broken(at.h):
                break
            at = there
        return at

    def least_violation(self, y: Array) -> tuple[Array, float]:
        """Return a local minimiser of the violation, and half the square of that."""
        nothing = np.zeros(len(self.equal))

        def value(y: Array) -> float:
            at = self.at(y)
            return 0.5 * self.broken(at.h) ** 2 if np.isfinite(at.h).all() else np.inf

        def derivatives(y: Array) -> tuple[Array, Array] | None:
            at = self.with_slopes(self.at(y))
            if at is None:
                return None
            t = self.pushed(at.h)
            A = at.J[self.pushing(t)]
            H = self.curvature(y, t if t.any() else nothing, 0.0)
            return None if H is None else (at.J.T @ t, H + A.T @ A)

        # From afar it ends early, for what a step promises is measured by the whole fall: so it is begun anew.
        began, box = value(y), (self.lower, self.upper)
        y, left = box_newton(value, derivatives, y, box, 1.0, _LEAST_STEPS, _LEAST_PART)
        if 0.0 < left < _AFAR * began:
            y, left = box_newton(value, derivatives, y, box, 1.0, _LEAST_STEPS, _LEAST_PART)
        return y, left


# How far around the start places are drawn, two each, in sizes of the point.
_WIDTHS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
# Half the square of a breach that counts as none: where the constraints hold.
NO_BREACH = 0.5 * HOLDS**2
# A breach is least where its slope over the size of the point would take off no more than this part of it.
_LEAST = 1e-3


def feasible_elsewhere(problem: Scaled, best: tuple[Array, float], start: Array) -> tuple[Array, float]:
    """Return the better of ``best``, a point and half the square of its breach, and what is found from other places.

    The places are the same each time; the search ends at the first with no breach.
    """
    draws = Random(0)
    places = [start] + [
        start + width * np.maximum(1.0, abs(start)) * np.array([draws.gauss(0.0, 1.0) for _ in start])
        for width in (*_WIDTHS, *_WIDTHS)
    ]
    for place in places:
        if best[1] <= NO_BREACH:
            break
        y = problem.clip(place)
        if np.isfinite(problem.at(y).h).all():
            found = problem.least_violation(y)
            best = found if found[1] < best[1] else best
    return best


def is_least_breach(problem: Scaled, at: ScaledPoint) -> bool:
    """Tell whether the breach falls nowhere near a point, so that it says something about the constraints."""
    full = problem.with_slopes(at)
    if full is None:
        return True
    pull = full.y - problem.clip(full.y - full.J.T @ problem.pushed(full.h))
    size = max(1.0, float(np.linalg.norm(full.y)))
    return float(np.linalg.norm(pull)) * size <= _LEAST * 0.5 * problem.broken(full.h) ** 2
