"""The least value of a function along one of its variables, the others free: what a profile likelihood is made of.

With x_k held the others are brought to their minimum by Newton's method with exact second derivatives, damped where the
matrix is not positive or the value does not fall (Levenberg), within their bounds. The slope of the least value by x_k
is the partial derivative there, and the way of the others dz/dx_k = -H_zz^-1 H_zk (the implicit function theorem); so
one factorisation gives the next point of the curve, its value and its slope.

In the plane of two variables the curve on which the least value has a given height (`contour`) bounds the joint
likelihood region of two parameters: Bates and Watts, Nonlinear Regression Analysis and Its Applications, 1988, sections
2.2 and 6.1. It is followed by continuation. The gradient of the least value in the plane is that of the function, its
second derivatives are the Schur complement, so that the tangent and the curvature of the curve are exact; each point is
foretold to second order and corrected by Newton's method on tau, the root of the rise. The plane is seen in units in
which the ellipse by standard errors is the circle of radius 1 about the minimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, exp, hypot, inf, isfinite, pi, sqrt

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import positive_solve
from gdcli.kernel.numerics import EPS
from gdcli.kernel.vectors import Vec
from gdcli.objective.protocol import Objective

# A step of Newton's that gains no more than this, in the unit of the value, is the last one: what it gains is taken for
# gained, and is right to its square.
SETTLED = 1e-7
# The accuracy of tau, the root of the rise of the least value, as a part of what it is to be.
ACCURACY = 1e-9
# The least shift of Levenberg's method, in units of the diagonal, and what it is multiplied by.
_FIRST_SHIFT, _LESS, _MORE, _MOST_SHIFT = 1e-4, 0.1, 10.0, 1e12
_MOST_STEPS = 100
# A step that changes a variable by more than this part of it changes it by much.
_GROWS = 0.1


class Curve(NamedTuple):
    """A smooth ``objective`` and which of its variables is held; the others stay within ``lower`` and ``upper``."""

    objective: Objective
    held: int
    lower: Sequence[float]
    upper: Sequence[float]


class CurvePoint(NamedTuple):
    """A point x of the curve, the least ``value`` there, its ``slope`` by the held variable, and the way dx of x."""

    x: Vec
    value: float
    slope: float
    way: Vec


def settle(curve: Curve, x: Vec) -> CurvePoint | None:
    """Return the point of the curve at ``x[held]`` that a descent from ``x`` ends at, None where there is no value.

    That a minimum lies at infinity is no hindrance: the descent ends where it gains nothing any more.
    """
    shift, found = 0.0, _known(curve, x)
    if found is None:
        return None
    at = found
    scale = Vec([0.0] * len(x))
    for _ in range(_MOST_STEPS):
        free = _free(curve, at)
        scale = Vec(
            [max(a, sqrt(abs(row[i]))) for i, (a, row) in enumerate(zip(scale, at.hessian, strict=True))]
        )
        step = _newton(at, free, scale, shift)
        while step is None:
            shift = max(_FIRST_SHIFT, shift * _MORE)
            if shift > _MOST_SHIFT:
                return _point(curve, at, free, None)
            step = _newton(at, free, scale, shift)
        if step.gain <= max(SETTLED, 4.0 * EPS * abs(at.value)) and shift <= _FIRST_SHIFT:
            return _point(curve, at, free, step)
        new = _lower(curve, at, step)
        if new is not None:
            at, shift = new, shift * _LESS if shift > _FIRST_SHIFT else 0.0
        elif step.gain <= 64.0 * EPS * abs(at.value) or shift > _MOST_SHIFT:
            return _point(curve, at, free, None)  # what is left to gain is rounding
        else:
            shift = max(_FIRST_SHIFT, shift * _MORE)
    return _point(curve, at, _free(curve, at), None)


def _lower(curve: Curve, at: _Known, step: _Step) -> _Known | None:
    """Return what is known after a step, straight or else grown, that gains some of what it promises."""
    for move in (_moved, _grown):
        new = _known(curve, move(curve, at.x, step.way))
        if new is not None and new.value <= at.value - 0.01 * step.gain:
            return new
        if not any(abs(w) > _GROWS * abs(a) for a, w in zip(at.x, step.way, strict=True)):
            break
    return None


class _Known(NamedTuple):
    """An evaluation that has all: the point x, value, gradient and Hessian."""

    x: Vec
    value: float
    gradient: Vec
    hessian: Sequence[Vec]


def _known(curve: Curve, x: Vec) -> _Known | None:
    at = curve.objective.evaluate(x, 2)
    if at.gradient is None or at.hessian is None or not isfinite(at.value):
        return None
    return _Known(at.x, at.value, at.gradient, at.hessian)


class _Step(NamedTuple):
    """A step of all variables, and what the quadratic model gains by it."""

    way: Vec
    gain: float


def _free(curve: Curve, at: _Known) -> list[int]:
    """The variables that neither are held nor lie at a bound that they would cross."""
    sides = zip(at.x, at.gradient, curve.lower, curve.upper, strict=True)
    return [
        i
        for i, (a, g, low, high) in enumerate(sides)
        if i != curve.held and not (a <= low and g >= 0.0) and not (a >= high and g <= 0.0)
    ]


def _newton(at: _Known, free: Sequence[int], scale: Vec, shift: float) -> _Step | None:
    """Newton's step of the free variables; None where the shifted matrix is not positive."""
    way = Vec([0.0] * len(at.x))
    if not free:
        return _Step(way, 0.0)
    z = _solved(at, free, Vec([at.gradient[i] for i in free]), scale, shift)
    if z is None:
        return None
    for i, a in zip(free, z, strict=True):
        way[i] = -a
    return _Step(way, 0.5 * sum(a * at.gradient[i] for i, a in zip(free, z, strict=True)))


def _solved(at: _Known, free: Sequence[int], b: Vec, scale: Vec, shift: float) -> Vec | None:
    """Return z with ``(H + shift D**2) z = b`` over the free variables, D their scale; None where not positive."""
    sizes = [scale[i] or 1.0 for i in free]
    A = [
        Vec(
            [
                at.hessian[i][j] / (a * c) + (shift if i == j else 0.0)
                for j, c in zip(free, sizes, strict=True)
            ]
        )
        for i, a in zip(free, sizes, strict=True)
    ]
    found = positive_solve(A, Vec([v / a for v, a in zip(b, sizes, strict=True)]), 0.0, EPS)
    if found is None or not all(map(isfinite, found.z)):
        return None
    return Vec([z / a for z, a in zip(found.z, sizes, strict=True)])


def _moved(curve: Curve, x: Vec, way: Vec) -> Vec:
    ends = zip(x, way, curve.lower, curve.upper, strict=True)
    return Vec([min(max(a + step, low), high) if step else a for a, step, low, high in ends])


def _point(curve: Curve, at: _Known, free: Sequence[int], step: _Step | None) -> CurvePoint:
    """What is known at the end of a descent; without a last ``step`` the others keep their places."""
    k, way = curve.held, Vec([0.0] * len(at.x))
    way[k] = 1.0
    x, value, slope = at.x, at.value, at.gradient[k]
    ahead = _ways(at, free, k)
    if ahead is not None:
        way = ahead
        slope = sum(g * w for g, w in zip(at.gradient, way, strict=True))
    if step is not None:
        x, value = _moved(curve, at.x, step.way), at.value - step.gain
    return CurvePoint(x, value, slope, way)


def _ways(at: _Known, free: Sequence[int], k: int) -> Vec | None:
    """The way of all variables for a step of 1 of the held one k; None where the free ones know none."""
    if not free:
        return None
    scale = Vec([sqrt(abs(row[i])) for i, row in enumerate(at.hessian)])
    ahead = _solved(at, free, Vec([at.hessian[i][k] for i in free]), scale, 0.0)
    if ahead is None:
        return None
    way = Vec([0.0] * len(at.x))
    way[k] = 1.0
    for i, a in zip(free, ahead, strict=True):
        way[i] = -a
    return way


class PairSlopes(NamedTuple):
    """The derivatives of the least value by two held variables, first and second, and the ways of all for a step of
    each; the second ones are the Schur complement of the Hessian.
    """

    gradient: tuple[float, float]
    hessian: tuple[tuple[float, float], tuple[float, float]]
    ways: tuple[Vec, Vec]


def pair_slopes(curve: Curve, x: Vec, other: int) -> PairSlopes | None:
    """Return the derivatives at ``x``, a point of the curve, where a second variable, ``other``, is held between equal
    bounds; None where there is no value.
    """
    at = _known(curve, x)
    if at is None:
        return None
    free, held = _free(curve, at), (curve.held, other)
    ways = [_ways(at, free, k) or Vec([float(i == k) for i in range(len(x))]) for k in held]
    first, second = (at.hessian[held[0]], at.hessian[held[1]])
    mixed = first @ ways[1]
    return PairSlopes(
        (ways[0] @ at.gradient, ways[1] @ at.gradient),
        ((first @ ways[0], mixed), (mixed, second @ ways[1])),
        (ways[0], ways[1]),
    )


def start_of(curve: Curve, point: CurvePoint, place: float) -> Vec:
    """Return where to look for the point of the curve at another ``place`` of the held variable.

    Along the way of the others, or with these where they are if the value is less there; what changes
    by much may grow by the same power instead.
    """
    move = place - point.x[curve.held]
    if move == 0.0:
        return Vec(point.x)
    found, way = list[tuple[float, Vec]](), point.way * move
    for x in (_moved(curve, point.x, way), Vec(point.x), _grown(curve, point.x, way)):
        x[curve.held] = place
        value = curve.objective.evaluate(x).value if all(map(isfinite, x)) else inf
        if not found and value <= point.value + 2.0 * abs(point.slope * move):
            return x
        found.append((value if isfinite(value) else inf, x))
    return min(found, key=lambda one: one[0])[1]


def _grown(curve: Curve, x: Vec, way: Vec) -> Vec:
    """Return x after a step that multiplies what it changes by much, as of parameters that run away to infinity."""
    times = [
        exp(min(w / a, 700.0)) if abs(w) > _GROWS * abs(a) > 0.0 else 0.0 for a, w in zip(x, way, strict=True)
    ]
    return _moved(curve, x, Vec([a * t - a if t else w for a, w, t in zip(x, way, times, strict=True)]))


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
            if not all(plane.lower[k] <= x[k] <= plane.upper[k] for k in (plane.first, plane.second)):
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


def _angle(u: Pair, v: Pair) -> float:
    """The angle about the minimum from one place to another, with its sign."""
    return atan2(u[0] * v[1] - u[1] * v[0], u[0] * v[0] + u[1] * v[1])


def _passes(first: _Seen, new: _Seen, side: float, step: float) -> bool:
    """Tell whether a step ended at the point where the curve began, or went past it."""
    gone = (new.u[0] - first.u[0], new.u[1] - first.u[1])
    along = side * (gone[0] * first.tangent[0] + gone[1] * first.tangent[1])
    return along >= -0.1 * step and hypot(*gone) <= 1.5 * step
