"""What bounds a function on many boxes at once, by the rules of intervals alone; it knows nothing of any search.

Ends of boxes are arrays (n, m), n variables in m boxes; what holds a number is a pair (low, high) of arrays. Matrices
are taken as a middle and a radius, with a bound of the rounding of their products: Rump, Verification methods, Acta
Numerica 19 (2010) 287.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from gdcli.compile.interval_arithmetic import Array, array_rules
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import EPS, SMALLEST, TINY
from gdcli.kernel.vectors import np

if TYPE_CHECKING:
    from gdcli.compile.interval_program import Enclosed

# The ends (low, high) of intervals.
Pair = tuple[Array, Array]
# Steps towards the least of a convex function on a box.
_NEWTON_STEPS = 6
# The least side of a box that is made wider, as a part of the largest.
_LEAST_SIDE = 1e-6


class BoundedFunction(Protocol):
    """Enclosures on boxes (n, m) as `gdcli.compile.interval_program.IntervalProgram` has them."""

    def evaluate(self, low: Array, high: Array, order: int) -> Enclosed: ...
    def value_at(self, point: Array) -> tuple[float, float]: ...


def middle(low: Array, high: Array) -> Array:
    return np.clip(0.5 * low + 0.5 * high, low, high)


def outward(low: Array, high: Array, least: Array, most: Array) -> Pair:
    """Return the boxes with the next number on each side, within ``least`` to ``most`` (n,)."""
    return (
        np.maximum(np.nextafter(low, -np.inf), least[:, None]),
        np.minimum(np.nextafter(high, np.inf), most[:, None]),
    )


def widened(low: Array, high: Array) -> Pair:
    """Return the boxes about twice as wide, by a few of their last digits at least; no side is far below the others,
    with whose rounding it is mixed.
    """
    sides = high - low
    room = 0.5 * sides + 4.0 * EPS * np.maximum(np.abs(low), np.abs(high)) + TINY
    room = room + _LEAST_SIDE * sides.max(axis=0, initial=0.0)
    return low - room, high + room


def first_order(low: Array, high: Array, center: Array, value: Pair, slope: Pair) -> Pair:
    """Return what holds the values on boxes by the mean value theorem: value(center) + slope(box) * (box - center)."""
    rules = array_rules()
    total = value
    with np.errstate(all="ignore"):
        for i in range(len(low)):
            step = rules["sub"]((low[i], high[i]), (center[i], center[i]))
            total = rules["add"](total, rules["mul"]((slope[0][i], slope[1][i]), step))
    return _known(total)


def second_order(low: Array, high: Array, center: Array, value: Pair, slope: Pair, hessian: Pair) -> Pair:
    """Return what holds the values on boxes by Taylor's theorem, with ``slope`` at the centre, ``hessian`` on the
    box.
    """
    rules = array_rules()
    total = value
    half = np.array(0.5), np.array(0.5)
    with np.errstate(all="ignore"):
        steps = [rules["sub"]((low[i], high[i]), (center[i], center[i])) for i in range(len(low))]
        for i, step in enumerate(steps):
            total_slope = slope[0][i], slope[1][i]
            for j in range(i):
                total_slope = rules["add"](total_slope, rules["mul"](_entry(hessian, i, j), steps[j]))
            curved = rules["mul"](rules["mul"](half, _entry(hessian, i, i)), rules["square"](step))
            total = rules["add"](rules["add"](total, rules["mul"](step, total_slope)), curved)
    return _known(total)


def _entry(matrix: Pair, i: int, j: int) -> Pair:
    return matrix[0][i, j], matrix[1][i, j]


def _known(total: Pair) -> Pair:
    return np.where(np.isnan(total[0]), -np.inf, total[0]), np.where(np.isnan(total[1]), np.inf, total[1])


def rounding(n: int) -> float:
    """Return a bound of the relative error of a sum of n*n products of three numbers."""
    return 2.0 * (n * n + 2 * n + 8) * EPS


def middle_radius(pair: Pair) -> tuple[Array, Array, Array]:
    """Return middles and radii of intervals, rounding included, and of which boxes (the last axis) all are finite.

    Those of others are 0.
    """
    with np.errstate(all="ignore"):
        mid = 0.5 * pair[0] + 0.5 * pair[1]
        rad = np.maximum(pair[1] - mid, mid - pair[0]) * (1.0 + 2.0 * EPS) + SMALLEST
    finite = (np.isfinite(mid) & np.isfinite(rad)).all(axis=tuple(range(mid.ndim - 1)))
    return np.where(finite, mid, 0.0), np.where(finite, rad, 0.0), finite


def is_positive_definite(low: Array, high: Array, hessian: Pair) -> Array:
    """Return on which boxes (m,) every symmetric matrix of ``hessian`` is positive definite, in the axes that are not
    single numbers: the middle with the sums of the radii taken off its diagonal is (Gershgorin), seen in units in which
    its diagonal is 1.
    """
    n = len(low)
    mid, rad, finite = middle_radius(hessian)
    free = low < high
    both = free[:, None] & free[None, :]
    mid, rad = np.where(both, mid, 0.0), np.where(both, rad, 0.0)
    each = np.arange(n)
    diagonal = np.where(free, mid[each, each], 1.0)
    finite = finite & (diagonal > TINY).all(axis=0)
    mid[each, each] = np.where(finite, diagonal, 1.0)
    unit = 1.0 / np.sqrt(mid[each, each])
    scale = unit[:, None] * unit[None, :]
    mid, rad = mid * scale, rad * scale * (1.0 + 8.0 * EPS)
    size = np.abs(mid).sum(axis=(0, 1)) + rad.sum(axis=(0, 1))
    finite = finite & np.isfinite(size)
    mid[each, each] -= rad.sum(axis=0)
    stacked = np.where(finite, mid, 0.0).transpose(2, 0, 1)
    least = np.linalg.eigvalsh(stacked)[:, 0]
    return finite & (least > 8.0 * rounding(n) * np.where(finite, size, 0.0))


def is_negative_somewhere(hessian: Pair, inner: Array) -> Array:
    """Return on which boxes (m,) v'Hv < 0 for one vector v of the axes ``inner`` (n, m) and all matrices H."""
    both = inner[:, None] & inner[None, :]
    mid, rad, finite = middle_radius(hessian)
    mid, rad = (np.where(both, a, 0.0).transpose(2, 0, 1) for a in (mid, rad))
    v = np.linalg.eigh(mid)[1][:, :, 0]
    v = np.where(inner.T, v, 0.0)
    size = np.abs(v)
    most = np.einsum("mi,mij,mj->m", v, mid, v) + np.einsum("mi,mij,mj->m", size, rad, size)
    slack = 2.0 * rounding(len(inner)) * np.einsum("mi,mij,mj->m", size, np.abs(mid) + rad, size)
    return finite & (most + slack < 0.0)


def values_of(rows: Sequence[BoundedFunction], points: Array) -> Pair:
    """Return the values of functions at points (n, m); nan where one has none."""
    found = [row.evaluate(points, points, 0) for row in rows]
    values = [np.array([np.where(f.defined, f.value[end], np.nan) for f in found]) for end in (0, 1)]
    return values[0], values[1]


def jacobian_of(rows: Sequence[BoundedFunction], low: Array, high: Array) -> Pair:
    slopes = [row.evaluate(low, high, 1).gradient for row in rows]
    return np.array([slope[0] for slope in slopes]), np.array([slope[1] for slope in slopes])


class Krawczyk(NamedTuple):
    """Krawczyk's operator on boxes: where the roots of equations in them lie, ``low`` to ``high`` (n, m).

    ``regular`` tells of which boxes no two points have the same values, ``inside`` in which there is exactly one root.
    """

    low: Array
    high: Array
    regular: Array
    inside: Array


def krawczyk(low: Array, high: Array, center: Array, values: Pair, jacobian: Pair) -> Krawczyk:
    """Return Krawczyk's operator with the ``values`` of n functions at the centre (n, m), their Jacobian on the box.

    Axes that are single numbers are left out, with the functions of the same places. Krawczyk, Computing 4 (1969) 187;
    Neumaier, Interval Methods for Systems of Equations, 1990, chapter 5.
    """
    n = len(low)
    free = low < high
    both = free[:, None] & free[None, :]
    mid, rad, usable = middle_radius(jacobian)
    at, off, known = middle_radius((np.where(free, values[0], 0.0), np.where(free, values[1], 0.0)))
    usable = usable & known
    mid, rad = (np.where(both, a, 0.0).transpose(2, 0, 1) for a in (mid, rad))
    inverse, usable = inverses(mid, free.T, usable)
    size = np.abs(inverse)
    grown = 1.0 + 2.0 * rounding(n)
    with np.errstate(all="ignore"):
        spread = np.abs(np.eye(n) * free.T[:, :, None] - inverse @ mid) + size @ rad
        spread = (spread + rounding(n) * (1.0 + size @ (np.abs(mid) + rad))) * grown
        reach = np.maximum(high - center, center - low) * grown
        step = np.einsum("mij,jm->im", inverse, at)
        error = np.einsum("mij,jm->im", size, off + rounding(n) * np.abs(at)) * grown
        room = (error + np.einsum("mij,jm->im", spread, reach)) * grown + n * SMALLEST
        room = room + 4.0 * EPS * (np.abs(center) + np.abs(step))
        new_low, new_high = center - step - room, center - step + room
        moved = (np.abs(step) + room) * grown
        regular = (np.einsum("mij,jm->im", spread, reach) * grown < reach * (1.0 - 4.0 * EPS)) | ~free
        nearest = np.minimum(high - center, center - low) * (1.0 - 4.0 * EPS)
        inside = (moved < nearest) | ~free
    regular, inside = usable & regular.all(axis=0), usable & inside.all(axis=0)
    new_low = np.where(usable & free & ~np.isnan(new_low), new_low, low)
    new_high = np.where(usable & free & ~np.isnan(new_high), new_high, high)
    return Krawczyk(new_low, new_high, regular, inside)


def inverses(matrices: Array, free: Array, usable: Array) -> tuple[Array, Array]:
    """Return about the inverses (m, n, n) in the ``free`` axes (m, n), 0 in others, and where there is one."""
    n = matrices.shape[1]
    each = np.arange(n)
    found = matrices.copy()
    found[:, each, each] += np.where(free & usable[:, None], 0.0, 1.0)
    usable = usable & (np.abs(np.linalg.det(found)) > 0.0)
    found[~usable] = np.eye(n)
    found = np.linalg.inv(found)
    usable = usable & np.isfinite(found).all(axis=(1, 2))
    both = free[:, :, None] & free[:, None, :] & usable[:, None, None]
    return np.where(both, found, 0.0), usable


def lowest_of_quadratics(
    low: Array, high: Array, slope: Array, hessian: Array, start: Array | None = None
) -> Array:
    """Return points (n, m) near the least of quadratic functions on boxes, by Newton's steps in what is free."""
    n = len(low)
    center = middle(low, high) if start is None else start
    point = center.copy()
    each = np.arange(n)
    tiny = 1e-12 * np.maximum(np.abs(hessian).max(axis=(0, 1), initial=0.0), 1e-290)
    for _ in range(_NEWTON_STEPS):
        g = slope + np.einsum("ijm,jm->im", hessian, point - center)
        held = ((point <= low) & (g > 0.0)) | ((point >= high) & (g < 0.0)) | (low == high)
        both = ~held[:, None] & ~held[None, :]
        matrix = np.where(both, hessian, 0.0).transpose(2, 0, 1)
        matrix[:, each, each] += np.where(held, 1.0, tiny).T
        try:
            step = np.linalg.solve(matrix, np.where(held, 0.0, -g).T[:, :, None])[:, :, 0].T
        except np.linalg.LinAlgError:
            break
        new = np.clip(np.where(np.isfinite(step), point + step, point), low, high)
        if np.array_equal(new, point):
            break
        point = new
    return point
