"""Kinks, corners, cusps and jumps: points that no derivative can certify, because it jumps or grows without end there.

At a kink that the function smoothed less and less tells of, Newton's method on the smoothed function tells what is left
(`at_a_kink`). Elsewhere the evidence is in the values around the point (`corner_at`), and a claim rests on all of
these: along every axis the value rises to both sides, ever less, the nearer; along random directions nothing is lower;
and the gradients met nearby do not agree on a way down: the shortest vector in their convex hull (Burke, Lewis and
Overton, SIAM J. Optim. 15, 2005), the steepest descent of a function with kinks, leads nowhere. The last finds the
narrow valley between two slopes that random directions miss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import exp, inf, isfinite, log
from random import Random

from gdcli.judge.evidence import LEVEL_NOTE, Certificate, allowed_gap
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.dense import eigen, largest_entry, matrix_is_finite, positive_solve
from gdcli.kernel.numerics import CLEARLY, EPS, FLOOR, GAP_TOL, TINY
from gdcli.kernel.status import CurvatureSource, PointKind
from gdcli.kernel.vectors import Vec, along, alternating, as_like, dot, max_abs, norm, ones_like, unit_like
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.quadratic_model import hessian_source, with_hessian
from gdcli.solve.iteration import Method, rounding
from gdcli.solve.probe.line_probe import rounding_of
from gdcli.solve.run import run
from gdcli.solve.scaling import inward, power_of_two, rescaled
from gdcli.solve.settings import MaxIterations

# The looks around cost the square of the number of variables.
_MOST = 200
# Lengths of the looks around, relative to max(1, |x|), where 1 is the unit of the certificate.
_LOOKS = (1e-4, 1e-6, 1e-9, 1e-12)
# The shape is judged by the first of these over which the rise is clear of rounding, and by a part of it, a thousandth
# or more. A value rises like the power p of the way: 0 beside a pole such as that of log(x**2), 1 at a corner, 2 at a
# smooth minimum; between these are the powers of the least and the most that count as a corner.
_SHAPES, _NEAREST, _FARTHEST = (1e-4, 1e-3, 1e-2, 1e-1), 1e-3, 1.0 / 16.0
_POLE_POWER, _CORNER_POWER = 0.2, 4.0 / 3.0
_BISECTIONS = 12
# Gradients are taken so far around the point; the ways down are tried over these lengths, relative to max(1, |x|).
_AROUND, _WAYS = 1e-7, (1e-6, 1e-4, 1e-2)
_HULL_STEPS = 50
_HULL_ACCURACY = 1e-10


class Corner(NamedTuple):
    """About how much lower the value can still get, and about how far the bottom is along each variable (0 where no
    corner tells).
    """

    gap: float
    errors: tuple[float, ...]


def corner_at(objective: Objective, at: Evaluation) -> Corner | None:
    """Return what is left to the bottom of the corner that ``at`` is at.

    The gap is 0 where no neighbouring number is lower; None where the point is no bottom, or too many variables forbid
    to tell.
    """
    if objective.size > _MOST:
        return None
    news = GAP_TOL * max(1.0, abs(at.value))
    noise = cache(lambda: max(FLOOR * abs(at.value), CLEARLY * rounding_of(objective, at)))
    shapes: list[bool] = []
    for i in range(len(at.x)):
        shape = _shape_along(objective, at, i, news, noise)
        if shape is None:
            return None
        shapes.append(shape)
    if True not in shapes:
        return None
    left = [_left_along(objective, at, i) if corner else (0.0, 0.0) for i, corner in enumerate(shapes)]
    if len(at.x) > 1:
        for seen, here in ((objective, at), _in_sizes_of_now(objective, at)):
            if not (none_lower(seen, here, news) and _no_way_down(seen, here, news)):
                return None
    return Corner(sum([rise for _, rise in left]), tuple(length for length, _ in left))


def _in_sizes_of_now(objective: Objective, at: Evaluation) -> tuple[Objective, Evaluation]:
    """Return the objective and the point in the sizes that the variables have now: one that has become small beside
    its unit is at 0, or has another unit.
    """
    units = as_like(at.x, [power_of_two(abs(float(a))) if 0.0 < abs(a) < 1.0 else 1.0 for a in at.x])
    return rescaled(objective, units), inward(at, units)


def _rises(objective: Objective, at: Evaluation, i: int, length: float) -> list[float]:
    return [
        objective.evaluate(at.x + unit_like(at.x, i, side), 0).value - at.value for side in (length, -length)
    ]


def _shape_along(
    objective: Objective, at: Evaluation, i: int, news: float, noise_of: Callable[[], float]
) -> bool | None:
    """Tell whether the value rises as from a corner along axis i (True), or as from a smooth minimum (False).

    None where it does not rise, rises as beside a pole, or ends at the edge of the domain.
    """
    for part in _SHAPES:
        far = part * max(1.0, abs(at.x[i]))
        over_all = _rises(objective, at, i, far)
        if min(over_all) < -news or not all(map(isfinite, over_all)):
            return None
        noise = noise_of()
        if _FARTHEST * min(over_all) > CLEARLY * noise:
            break
    else:
        return False
    part = max(_NEAREST, CLEARLY * noise / min(over_all))
    pole, corner = part**_POLE_POWER, part**_CORNER_POWER
    pairs = list(zip(over_all, _rises(objective, at, i, part * far), strict=True))
    if not all(-news <= near <= max(noise, pole * away) for away, near in pairs):
        return None
    return all(near > max(noise, corner * away) for away, near in pairs)


def _left_along(objective: Objective, at: Evaluation, i: int) -> tuple[float, float]:
    """Return the shortest length (by bisection) over which the value rises to both sides, and the larger rise over it.

    The bottom is within that length, and hardly deeper than the steeper side is high. (0, 0) where that is the next
    number.
    """
    least = max(EPS * abs(at.x[i]), TINY)
    if min(_rises(objective, at, i, least)) > 0.0:
        return 0.0, 0.0
    low, high = log(least), log(_SHAPES[-1] * max(1.0, abs(at.x[i])))
    found = exp(high), max(_rises(objective, at, i, exp(high)))
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        rises = _rises(objective, at, i, exp(middle))
        if min(rises) > 0.0:
            high, found = middle, (exp(middle), max(rises))
        else:
            low = middle
    return found


def none_lower(objective: Objective, at: Evaluation, news: float, looks: Sequence[float] = _LOOKS) -> bool:
    """Tell whether no value at random points around ``at`` is lower by more than ``news``; they are so far away as
    ``looks`` say, relative to max(1, |x|).
    """
    size, random = max(1.0, max_abs(at.x)), Random(0)
    for _ in range(4 * len(at.x) + 8):
        way = _random_way(at.x, random)
        for length in looks:
            for side in (length, -length):
                if objective.evaluate(along(at.x, side * size, way), 0).value < at.value - news:
                    return False
    return True


def _random_way(x: Vector, random: Random) -> Vector:
    way = as_like(x, [random.gauss(0.0, 1.0) for _ in x])
    return way / norm(way)


def _no_way_down(objective: Objective, at: Evaluation, news: float) -> bool:
    """Tell whether the steepest descent of the gradients nearby leads nowhere."""
    size, random = max(1.0, max_abs(at.x)), Random(1)
    places = [along(at.x, _AROUND * size, _random_way(at.x, random)) for _ in range(2 * len(at.x) + 4)]
    gradients = [g for g in (objective.evaluate(x, 1).gradient for x in places) if g is not None]
    if not gradients:
        return False
    way = shortest_in_hull(gradients)
    length = norm(way)
    if not length > 0.0:
        return True
    return not any(
        objective.evaluate(along(at.x, -part * size / length, way), 0).value < at.value - news
        for part in _WAYS
    )


def shortest_in_hull(points: Sequence[Vector]) -> Vector:
    """Return the shortest vector in the convex hull of ``points`` (Wolfe, Mathematical Programming 11, 1976)."""
    largest = max(norm(p) for p in points)
    if largest == 0.0:
        return points[0]
    unit = [p / largest for p in points]
    chosen = [min(range(len(unit)), key=lambda k: norm(unit[k]))]
    weights = [1.0]
    for _ in range(_HULL_STEPS):
        x = _mix(unit, chosen, weights)
        entering = min(range(len(unit)), key=lambda k: dot(x, unit[k]))
        if entering in chosen or dot(x, unit[entering]) > dot(x, x) - _HULL_ACCURACY:
            break
        found = _shortest_of(unit, [*chosen, entering], [*weights, 0.0])
        if found is None:
            break
        chosen, weights = found
    return largest * _mix(unit, chosen, weights)


def _shortest_of(
    points: Sequence[Vector], chosen: list[int], weights: list[float]
) -> tuple[list[int], list[float]] | None:
    """Return the points, and their positive weights, that make up the shortest vector of the plane through them.

    Of the ``chosen`` those that would get no weight are left out; all stay where they lie in a plane of fewer
    dimensions, up to rounding. None where rounding leaves nothing to gain.
    """
    while True:
        affine = _shortest_affine([points[k] for k in chosen])
        if affine is None or min(affine) > 0.0:
            return chosen, affine or weights
        steps = [w / (w - a) for w, a in zip(weights, affine, strict=True) if a <= 0.0 and w > a]
        step = min([1.0, *steps])
        moved = [w + step * (a - w) for w, a in zip(weights, affine, strict=True)]
        kept = [(k, w) for k, w in zip(chosen, moved, strict=True) if w > _HULL_ACCURACY]
        if len(kept) == len(chosen) or not kept:
            return None
        chosen, weights = [k for k, _ in kept], [w for _, w in kept]


def _mix(points: Sequence[Vector], chosen: Sequence[int], weights: Sequence[float]) -> Vector:
    total = points[0] * 0.0
    for k, weight in zip(chosen, weights, strict=True):
        total = total + weight * points[k]
    return total


def _shortest_affine(points: Sequence[Vector]) -> list[float] | None:
    """Return the weights, with sum 1, of the shortest vector in the affine hull of ``points``."""
    matrix = [Vec([1.0 + dot(p, q) for q in points]) for p in points]
    solved = positive_solve(matrix, Vec([1.0] * len(points)))
    if solved is None:
        return None
    total = sum(solved[0])
    return [w / total for w in solved[0]] if total > 0.0 else None


# Newton steps on the smoothed function to see whether a kink is the bottom: it starts there, or very near.
_KINK_LOOK = 50
# At a kink, curvature grows tenfold when the rounding shrinks tenfold; something smooth may add to both.
_SHARPER = 3.0

# Over the shorter of two lengths a kink rises as steeply as over the longer, by this part of it at least.
_LENGTHS, _AS_STEEP = (1e-6, 1e-3), 0.3

# The radius of the rounding that shows the directions of kinks; heights, as parts of the fall so far, and the nearest
# place, as a part of the size of the point, where one is looked for.
_COARSE, _HEIGHTS, _EVENLY, _NEAREST_HEIGHT = 1e-3, (1e-8, 1e-6, 1e-4), 0.65, 1e-9

AT_A_KINK = "is at a kink, where the"


def at_a_kink(
    objective: Objective,
    at: Evaluation,
    plain: Certificate,
    start: Evaluation | None,
    tol: float,
    smooth: Objective | None,
) -> Certificate:
    """Return what is to be said where ``at`` is at a kink, else ``plain``; ``smooth`` is the function smoothed most.

    At a kink gradient and Hessian of the function itself mean nothing. The curvature of the smoothed one is
    inversely proportional to the radius mu of the rounding there, and anywhere else does not depend on it. Newton's
    method on the smoothed function tells what is left: rounding raises the value by at most mu a kink.
    """
    if plain.kind == PointKind.FLAT and _is_bottom(objective, at, start):
        return replace(plain, kind=PointKind.DEGENERATE, estimated_gap=0.0, notes=(*plain.notes, LEVEL_NOTE))
    coarser = None if smooth is None else objective.smoothed(10.0 * rounding(-1, objective.size))
    if smooth is None or coarser is None:
        return _at_a_corner(objective, at, plain)
    here, sharp = _sharpness(smooth, at.x)
    if not sharp > max(0.0, _SHARPER * _sharpness(coarser, at.x)[1]):
        return _at_a_corner(objective, at, plain)
    from gdcli.solve.methods.newton import TrustRegionNewton

    method: Method = TrustRegionNewton(tol)
    if hessian_source(smooth) is CurvatureSource.NONE:
        from gdcli.solve.methods.hybrid_large import large_method

        method = large_method(tol, smooth.box is not None)
    found = run(smooth, method, at.x, [MaxIterations(_KINK_LOOK)])
    found.reason.pass_on()
    lowest = found.best.at
    gap = max(here.value - lowest.value, at.value - objective.evaluate(lowest.x, 0).value)
    # What is less than the error of the rounding cannot be seen that way: at a cusp that is much.
    if gap <= allowed_gap(at.value, tol) < gap + abs(here.value - at.value):
        return _at_a_corner(objective, at, replace(plain, kind=PointKind.NOT_STATIONARY))
    is_lowest = gap <= allowed_gap(at.value, tol)
    return _kink(objective, at, plain, PointKind.KINK if is_lowest else PointKind.NOT_STATIONARY, gap)


def _is_bottom(objective: Objective, at: Evaluation, start: Evaluation | None) -> bool:
    """Tell whether the level piece that ``at`` lies on is a bottom: one between kinks that the run came down to, or one
    whose ends, as far as they are seen, are where the value rises.
    """
    if objective.is_smooth:
        return False
    if (
        start is not None
        and at.value < start.value
        and objective.smoothed(rounding(-1, objective.size)) is not None
    ):
        return True
    from gdcli.judge.level_set import ends_rise

    return ends_rise(objective, at)


def _at_a_corner(objective: Objective, at: Evaluation, plain: Certificate) -> Certificate:
    """Return what the values around a point tell where its derivatives tell nothing, else ``plain``."""
    # Difference quotients across a jump of the gradient: their mean, and a huge curvature.
    doubtful = at.estimated and plain.kind in (PointKind.MINIMUM, PointKind.DEGENERATE)
    if not doubtful and plain.kind != PointKind.NOT_STATIONARY:
        return plain
    found = corner_at(objective, at)
    if found is None:
        return replace(plain, kind=PointKind.UNKNOWN, estimated_gap=None) if doubtful else plain
    kink = _kink(objective, at, plain, PointKind.KINK, found.gap)
    return replace(kink, errors=found.errors if any(found.errors) else None)


def _has_jump(objective: Objective, at: Evaluation) -> bool:
    """Tell whether the value rises as from a jump of the gradient, and not as ``abs(x)**1.5`` does."""
    way = alternating(max(1.0, max_abs(at.x)) * ones_like(at.x))
    near, far = (
        sum([objective.evaluate(at.x + side * way, 0).value - at.value for side in (length, -length)])
        / length
        for length in _LENGTHS
    )
    return near > _AS_STEEP * far


def _kink(
    objective: Objective, at: Evaluation, plain: Certificate, kind: PointKind, gap: float
) -> Certificate:
    # The words hold for a maximisation as well.
    what = "answer" if kind == PointKind.KINK else "point"
    why = "gradient jumps" if _has_jump(objective, at) else "curvature is infinite"
    return replace(
        plain,
        kind=kind,
        eigenvalue_min=None,
        eigenvalue_max=None,
        condition=None,
        estimated_gap=gap if isfinite(gap) else None,
        distance=None,
        known=True,
        rounded=False,
        errors=None,
        notes=(*plain.notes, f"the {what} {AT_A_KINK} {why}"),
    )


def _sharpness(smooth: Objective, x: Vector) -> tuple[Evaluation, float]:
    """Return the evaluation at ``x`` and about the largest curvature there, 0 where there is none to be had."""
    source = hessian_source(smooth)
    if source is CurvatureSource.NONE:
        at = smooth.evaluate(x, 1)
        from gdcli.solve.methods.newton_cg import ritz

        spectrum = None if at.gradient is None else ritz(smooth, at)
        return at, 0.0 if spectrum is None else spectrum.high
    at = with_hessian(smooth, smooth.evaluate(x, 0), source)
    return at, 0.0 if at.hessian is None else largest_entry(at.hessian)


def fades(objective: Objective, at: Evaluation, start: Evaluation) -> bool:
    """Tell whether the value falls without end along the direction in which it is bent least, as ``abs(x)+exp(-y)``.

    Back on the way it rises evenly with the logarithm of the height; up from a level piece that ends at a kink, and up
    from a minimum, each part of the height takes a smaller part of the way.
    """
    smooth, fall = objective.smoothed(_COARSE), start.value - at.value
    if smooth is None or not 0.0 < fall < inf or hessian_source(smooth) is CurvatureSource.NONE:
        return False
    bent = with_hessian(smooth, smooth.evaluate(at.x, 0), hessian_source(smooth))
    if bent.hessian is None or not matrix_is_finite(bent.hessian):
        return False
    way = eigen(bent.hessian)[1][0]
    return any(_falls_evenly(objective, at, side, fall) for side in (way, -way))


def _falls_evenly(objective: Objective, at: Evaluation, way: Vector, fall: float) -> bool:
    def is_high(length: float, part: float) -> bool:
        return objective.evaluate(along(at.x, length, way), 0).value - at.value >= part * fall

    far = max(1.0, max_abs(at.x))
    if is_high(far, _HEIGHTS[0]) or not is_high(-far, _HEIGHTS[-1]):
        return False
    lengths = []
    for part in _HEIGHTS:
        low, high = log(_NEAREST_HEIGHT * far), log(far)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if is_high(-exp(middle), part) else (middle, high)
        lengths.append(exp(high))
    least, less, most = lengths
    return less - least > _EVENLY * (most - less)


def beside_a_jump(objective: Objective, at: Evaluation, found: Certificate, tol: float) -> Certificate:
    """Return ``found``, unless the value jumps down right beside the point: no derivative tells of that."""
    if not found.kind.told or not objective.has_jumps:
        return found
    for i, a in enumerate(at.x):
        for h in (1e-9, 1e-6, 1e-3):
            for side in (h, -h):
                there = objective.evaluate(at.x + unit_like(at.x, i, side * max(1.0, abs(a))), 0).value
                if at.value - there > allowed_gap(at.value, tol):
                    note = "the value jumps down right beside the answer"
                    notes = (*found.notes, note)
                    return replace(
                        found,
                        kind=PointKind.NOT_STATIONARY,
                        estimated_gap=None,
                        distance=None,
                        errors=None,
                        notes=notes,
                    )
    return found
