"""The curve in the plane of two variables on which the least value of a function, the others free, has a given height.

It bounds the joint likelihood region of two parameters: Bates and Watts, Nonlinear Regression Analysis and Its
Applications, 1988, sections 2.2 and 6.1. It is followed by continuation. The gradient of the least value in the plane
is that of the function, its second derivatives are the Schur complement (:mod:`gdcli.judge.level_curve`), so that the
tangent and the curvature of the curve are exact; each point is foretold to second order and corrected by Newton's
method on tau, the root of the rise. The plane is seen in units in which the ellipse by standard errors is the circle of
radius 1 about the minimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, hypot, inf, isfinite, pi, sqrt

from gdcli.judge.level_curve import Curve, pair_slopes, settle
from gdcli.judge.profile import ACCURACY
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Vec
from gdcli.objective.protocol import Objective

# The tangent turns by so much from point to point: of an ellipse there are some sixty points.
_TURN = 0.1
# A step whose end was foretold worse than by this part of it is halved; one so short cannot be made.
_MISSED, _SHORTEST = 0.1, 1e-7
# Where a region is so much longer than the ellipse by standard errors it is taken for open.
_FAR = 1e3
_CORRECTIONS, _MOST = 8, 4000

FAR, STOPPED, LONG = "far", "stopped", "long"

Pair = tuple[float, float]


class Plane(NamedTuple):
    """The variables ``first`` and ``second`` of an objective whose ``least`` value is at x, all within their bounds.

    ``root`` is the lower triangle (l11, l21, l22) that maps the circle of radius 1 to the ellipse by standard errors.
    """

    objective: Objective
    first: int
    second: int
    lower: Sequence[float]
    upper: Sequence[float]
    x: Vec
    least: float
    root: tuple[float, float, float]


class Contour(NamedTuple):
    """``points`` of the curve in their order, and ``why`` it does not close (empty: it does, the last is the first)."""

    points: tuple[Pair, ...]
    why: str


class _Seen(NamedTuple):
    """A point of the curve: place in the plane, all variables, their ways, tangent, normal, curvature."""

    u: Pair
    x: Vec
    ways: tuple[Vec, Vec]
    normal: Pair
    curvature: float

    @property
    def tangent(self) -> Pair:
        return -self.normal[1], self.normal[0]


def contour(plane: Plane, start: Vec, quantile: float) -> Contour:
    """Return the curve on which the root of the rise is ``quantile``, from ``start`` on, a point of it."""
    walk = _Walk(plane, quantile)
    first = walk.corrected(walk.place_of(start), start, inf)
    if first is None:
        return Contour((), STOPPED)
    there, why = walk.follow(first, 1.0)
    if why:
        back, _ = walk.follow(first, -1.0)
        return Contour(tuple(map(walk.shown, [*reversed(back), first, *there])), why)
    return Contour(tuple(map(walk.shown, [first, *there, first])), "")


class _Walk:
    def __init__(self, plane: Plane, quantile: float) -> None:
        self.plane, self.quantile = plane, quantile

    def place_of(self, x: Vec) -> Pair:
        plane, (a, b, c) = self.plane, self.plane.root
        u = (x[plane.first] - plane.x[plane.first]) / a
        return u, (x[plane.second] - plane.x[plane.second] - b * u) / c

    def shown(self, seen: _Seen) -> Pair:
        return float(seen.x[self.plane.first]), float(seen.x[self.plane.second])

    def follow(self, first: _Seen, side: float) -> tuple[list[_Seen], str]:
        """Return the points after ``first`` on one of its sides, and why they do not come back to it."""
        found, at, angle, step = list[_Seen](), first, 0.0, _TURN
        while len(found) < _MOST:
            step = min(step, _TURN / max(abs(at.curvature), _TURN / _FAR))
            new = self._stepped(at, side * step)
            if new is None:
                step *= 0.5
                if step < _SHORTEST * hypot(*at.u):
                    return found, STOPPED
                continue
            angle += _angle(at.u, new.u)
            if abs(angle) > pi and _passes(first, new, side, step):
                return found, ""
            found.append(new)
            if hypot(*new.u) > _FAR:
                return found, FAR
            at, step = new, 2.0 * step
        return found, LONG

    def _stepped(self, at: _Seen, step: float) -> _Seen | None:
        bent = -0.5 * step * step * at.curvature
        ahead = (
            at.u[0] + step * at.tangent[0] + bent * at.normal[0],
            at.u[1] + step * at.tangent[1] + bent * at.normal[1],
        )
        new = self.corrected(ahead, self._moved(at.x, at.ways, ahead), _MISSED * abs(step))
        if new is None or new.normal[0] * at.normal[0] + new.normal[1] * at.normal[1] < 1.0 - 2.0 * _TURN**2:
            return None
        return new

    def _moved(self, x: Vec, ways: tuple[Vec, Vec], u: Pair) -> Vec:
        """Where the variables are expected at a place: the two at it, the others along their ways."""
        plane, (a, b, c) = self.plane, self.plane.root
        first = plane.x[plane.first] + a * u[0]
        second = plane.x[plane.second] + b * u[0] + c * u[1]
        moved = x + ways[0] * (first - x[plane.first]) + ways[1] * (second - x[plane.second])
        moved = Vec(
            [min(max(v, low), high) for v, low, high in zip(moved, plane.lower, plane.upper, strict=True)]
        )
        moved[plane.first], moved[plane.second] = first, second
        return moved

    def corrected(self, u: Pair, x: Vec, most: float) -> _Seen | None:
        """Return the point of the curve near a place, None where there is none within ``most``."""
        begun, plane = u, self.plane
        for _ in range(_CORRECTIONS):
            if not self._is_inside(x):
                return None
            lower, upper = list(plane.lower), list(plane.upper)
            lower[plane.second] = upper[plane.second] = float(x[plane.second])
            curve = Curve(plane.objective, plane.first, lower, upper)
            point = settle(curve, x)
            slopes = None if point is None else pair_slopes(curve, point.x, plane.second)
            if point is None or slopes is None or not point.value > plane.least:
                return None
            tau, (a, b, c) = sqrt(point.value - plane.least), plane.root
            (g, h), ((p, r), (_, s)) = slopes.gradient, slopes.hessian
            across = (a * g + b * h, c * h)
            size = hypot(*across)
            if not (isfinite(size) and size > 0.0):
                return None
            normal = (across[0] / size, across[1] / size)
            if abs(tau - self.quantile) <= ACCURACY * self.quantile:
                along = (-a * normal[1], -b * normal[1] + c * normal[0])
                bend = p * along[0] ** 2 + 2.0 * r * along[0] * along[1] + s * along[1] ** 2
                return _Seen(u, point.x, slopes.ways, normal, bend / size)
            move = (self.quantile - tau) * 2.0 * tau / size
            u = (u[0] + move * normal[0], u[1] + move * normal[1])
            if hypot(u[0] - begun[0], u[1] - begun[1]) > most:
                return None
            x = self._moved(point.x, slopes.ways, u)
        return None

    def _is_inside(self, x: Vec) -> bool:
        plane = self.plane
        return all(plane.lower[k] <= x[k] <= plane.upper[k] for k in (plane.first, plane.second))


def _angle(u: Pair, v: Pair) -> float:
    """The angle about the minimum from one place to another, with its sign."""
    return atan2(u[0] * v[1] - u[1] * v[0], u[0] * v[0] + u[1] * v[1])


def _passes(first: _Seen, new: _Seen, side: float, step: float) -> bool:
    """Tell whether a step ended at the point where the curve began, or went past it."""
    gone = (new.u[0] - first.u[0], new.u[1] - first.u[1])
    along = side * (gone[0] * first.tangent[0] + gone[1] * first.tangent[1])
    return along >= -0.1 * step and hypot(*gone) <= 1.5 * step
