"""Constraints in interval arithmetic: that they hold next to a point, and lower bounds of a value subject to them.

Hardly a pair of doubles fulfils ``x**2 + y**2 == 3``; that some point next to one does can be proved. The equations,
and the inequalities that the point is at the side of, are a system of k equations. With all but k of the variables
fixed, Krawczyk's operator shows that it has a solution in a small box (Neumaier, Interval Methods for Systems of
Equations, 1990, chapter 5). On all of the box the other constraints hold (`feasible_box`).

Where c(x) <= u holds, f(x) >= f(x) + m*(c(x) - u) for every multiplier m >= 0 (`lagrangian_of`). With the multipliers
of the minimum the right-hand side is stationary there, so that its bounds on a box are off by the square of the box's
size; those of f alone are off by the size, and a cloud of boxes around the minimum would be left. Of an equation also
the square may be added (Hestenes, Journal of Optimization Theory and Applications 4, 1969).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gdcli.compile.interval_forms import BoundedFunction, krawczyk, widened
from gdcli.compile.interval_program import IntervalProgram
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import np

Array = Any
Sides = Sequence[tuple[float, float]]
# An inequality within this of its side, relative to that, is taken for an equation.
NEAR = 1e-6
# Pivots below this, in units in which the slopes of a row are 1, count as 0.
_PIVOT = 1e-7
_NEWTON_STEPS, _WIDENINGS = 4, 12
# Where inequalities depend on each other they are to hold by this of their sides, at least of 1.
_GAINS = (0.0, 1e-13, 1e-11, 1e-9)


class _Row(NamedTuple):
    """A constraint that is to be an equation: its place, its side, and the variable that it is solved for."""

    place: int
    side: float
    variable: int
    is_equation: bool


def feasible_box(
    point: Array, rows: Sequence[IntervalProgram], sides: Sides, low: Array, high: Array
) -> tuple[Array, Array] | None:
    """Return a box (n,) to (n,) that has a point at which all ``rows`` lie within ``sides``; None where none is found.

    The box is within the bounds ``low`` to ``high`` (n,), and ``point`` is inside of it or next to it.
    """
    if _hold(rows, sides, point, point):
        return point, point
    found = (_solved(point, rows, sides, (low, high), gain) for gain in _GAINS)
    return next((box for box in found if box is not None), None)


def _solved(
    point: Array, rows: Sequence[IntervalProgram], sides: Sides, bounds: tuple[Array, Array], gain: float
) -> tuple[Array, Array] | None:
    """Return the box; inequalities gain ``gain`` of their sides, at least of 1: some depend on others, but for that."""
    with np.errstate(all="ignore"):
        chosen = _system(point, rows, sides, bounds, gain)
        box = _proved(chosen, rows, _moved(chosen, rows, point)) if chosen else None
    if chosen is None or box is None or (box[0] < bounds[0]).any() or (box[1] > bounds[1]).any():
        return None
    solved = {row.place for row in chosen} if not gain else {row.place for row in chosen if row.is_equation}
    others = [k for k in range(len(rows)) if k not in solved]
    return box if _hold([rows[k] for k in others], [sides[k] for k in others], *box) else None


def _moved(chosen: Sequence[_Row], rows: Sequence[IntervalProgram], point: Array) -> Array:
    """Return a point at which the chosen constraints are as near to their sides as rounding lets them."""
    center, places = point.copy(), [row.variable for row in chosen]
    for _ in range(_NEWTON_STEPS):
        values, jacobian = _enclosed(chosen, rows, center, center)
        matrix = 0.5 * (jacobian[0] + jacobian[1])[places][:, places, 0]
        try:
            step = np.linalg.solve(matrix, -0.5 * (values[0] + values[1])[places, 0])
        except np.linalg.LinAlgError:
            break
        if not np.isfinite(step).all():
            break
        center[places] += step
    return center


def highest(function: BoundedFunction, low: Array, high: Array) -> float:
    """Return an upper bound of the value everywhere on a box (n,) to (n,), infinite where it may have none."""
    found = function.evaluate(low[:, None], high[:, None], 0)
    if not found.defined[0] or not found.value[1][0] < float("inf"):
        return float("inf")
    upper = float(found.value[1][0])
    return min(upper, function.value_at(low)[1]) if low is high else upper


def _hold(rows: Sequence[IntervalProgram], sides: Sides, low: Array, high: Array) -> bool:
    """Tell whether constraints hold for certain on a box (n,) to (n,)."""
    is_point = low is high
    for row, (least, most) in zip(rows, sides, strict=True):
        found = row.evaluate(low[:, None], high[:, None], 0)
        ends = row.value_at(low) if is_point else (found.value[0][0], found.value[1][0])
        if not (found.defined[0] and least <= ends[0] and ends[1] <= most):
            return False
    return True


def _system(
    point: Array, rows: Sequence[IntervalProgram], sides: Sides, bounds: tuple[Array, Array], gain: float
) -> list[_Row] | None:
    """Return the constraints to be solved, none of which depends on the others; None where equations do.

    Each has a variable of its own, of those that are not at a bound, by elimination with the largest pivots.
    """
    at, free = point[:, None], (point > bounds[0]) & (point < bounds[1])
    left: list[tuple[int, float, Array]] = []
    for place, (row, pair) in enumerate(zip(rows, sides, strict=True)):
        found = row.evaluate(at, at, 1)
        value = 0.5 * (found.value[0] + found.value[1])[0]
        slope = np.where(free, 0.5 * (found.gradient[0] + found.gradient[1])[:, 0], 0.0)
        side = min(pair, key=lambda end: abs(value - end))
        size = np.abs(slope).max()
        if abs(value - side) <= NEAR * max(1.0, abs(side)) and np.isfinite(size):
            inwards = (side == pair[0]) - (side == pair[1])  # 0 of an equation
            side += inwards * gain * max(1.0, abs(side))
            left.append((place, side, slope / size if size > 0.0 else slope))
    left.sort(key=lambda one: sides[one[0]][0] < sides[one[0]][1])  # equations first
    return _independent(left, sides)


def _independent(left: list[tuple[int, float, Array]], sides: Sides) -> list[_Row] | None:
    """Return rows (place, side, slope) with a variable for each; inequalities that depend on others are left out."""
    chosen: list[_Row] = []
    for k, (place, side, slope) in enumerate(left):
        variable = int(np.argmax(np.abs(slope)))
        is_equation = sides[place][0] == sides[place][1]
        if not abs(slope[variable]) > _PIVOT:
            if is_equation:
                return None
            continue
        chosen.append(_Row(place, side, variable, is_equation))
        for later in range(k + 1, len(left)):
            other = left[later][2]
            left[later] = (*left[later][:2], other - other[variable] / slope[variable] * slope)
            left[later][2][variable] = 0.0
    return chosen


def _enclosed(
    chosen: Sequence[_Row], rows: Sequence[IntervalProgram], low: Array, high: Array
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return what is left of the chosen constraints on a box, (n, 1), and their slopes, (n, n, 1), each at the place of
    its variable.
    """
    n = len(low)
    values, jacobian = np.zeros((2, n, 1)), np.zeros((2, n, n, 1))
    for row in chosen:
        found = rows[row.place].evaluate(low[:, None], high[:, None], 1)
        values[:, row.variable] = found.value
        values[:, row.variable] = (
            np.nextafter(values[0, row.variable] - row.side, -np.inf),
            np.nextafter(values[1, row.variable] - row.side, np.inf),
        )
        jacobian[:, row.variable] = found.gradient
    return (values[0], values[1]), (jacobian[0], jacobian[1])


def _proved(
    chosen: Sequence[_Row], rows: Sequence[IntervalProgram], center: Array
) -> tuple[Array, Array] | None:
    """Return a box around ``center``, flat in the variables of no row, with a solution; None: none is seen."""
    free = np.isin(np.arange(len(center)), [row.variable for row in chosen])
    at = center[:, None]
    low, high = at, at
    values = _enclosed(chosen, rows, center, center)[0]
    for _ in range(_WIDENINGS):
        wide = widened(low, high)
        low, high = np.where(free[:, None], wide[0], at), np.where(free[:, None], wide[1], at)
        found = krawczyk(low, high, at, values, _enclosed(chosen, rows, low[:, 0], high[:, 0])[1])
        if found.inside[0]:
            return np.maximum(low, found.low)[:, 0], np.minimum(high, found.high)[:, 0]
    return None


# A constraint is active at a point where it is as near to its side as this, relative to that.
_ACTIVE = 1e-6
# Sides as near to each other, relative to their size, are those of an equation; how much stronger than the curvature it
# is held to.
_EQUATION, _STRONG = 1e-6, 4.0


def lagrangian_of(
    function: IntervalProgram, constraints: Sequence[IntervalProgram], sides: Sides, low: Array, high: Array
) -> Callable[[Array], IntervalProgram | None]:
    """Return what gives the Lagrangian with the multipliers of a point (n,), None where no constraint is active.

    All programs are of one graph; ``low`` to ``high`` (n,) are the bounds of the variables.
    """

    @np.errstate(all="ignore")
    def lagrangian(point: Array) -> IntervalProgram | None:
        at = point[:, None]
        rows = []
        for program, (least, most) in zip(constraints, sides, strict=True):
            found = program.evaluate(at, at, 1)
            value, slope = (
                0.5 * (found.value[0] + found.value[1])[0],
                0.5 * (found.gradient[0] + found.gradient[1])[:, 0],
            )
            for side, sign in ((most, 1.0), (least, -1.0)):
                near = np.isfinite(side) and abs(value - side) <= _ACTIVE * max(1.0, abs(side))
                if near and np.isfinite(slope).all():
                    rows.append((program.root, side, sign, slope))
        found = function.evaluate(at, at, 1)
        slope = 0.5 * (found.gradient[0] + found.gradient[1])[:, 0]
        if not rows or not np.isfinite(slope).all():
            return None
        free = (point > low) & (point < high)
        weights = _multipliers(slope[free], np.array([sign * g[free] for *_, sign, g in rows]).T)
        terms = [(root, side, sign * m) for (root, side, sign, _), m in zip(rows, weights, strict=True)]
        plain = _plus(function, [_weighted(function, *term) for term in terms if term[2]])
        return _plus(plain, _squares(plain, at, constraints, sides))

    return lagrangian


def _multipliers(slope: Array, matrix: Array) -> Array:
    """Return multipliers, none negative, with which ``slope + matrix @ m`` is small; the least of all are taken out."""
    weights = np.zeros(matrix.shape[1])
    kept = np.arange(matrix.shape[1])
    while len(kept):
        found = np.linalg.lstsq(matrix[:, kept], -slope, rcond=None)[0]
        if (found >= 0).all():
            weights[kept] = found
            break
        kept = np.delete(kept, int(np.argmin(found)))
    return weights


def _weighted(function: IntervalProgram, root: int, side: float, weight: float) -> int:
    graph = function.graph
    return graph.mul(graph.number(float(weight)), graph.sub(root, graph.number(side)))


def _squares(
    function: IntervalProgram, at: Array, constraints: Sequence[IntervalProgram], sides: Sides
) -> list[int]:
    """Return for each equation r*((c - b)**2 - s**2), which is at most 0 where it holds within s.

    With r large the sum has a minimum at ``at`` also across the equations, and boxes around it are done early.
    """
    graph, found = function.graph, list[int]()
    hessian = function.evaluate(at, at, 2).hessian
    size = float(np.abs(0.5 * (hessian[0] + hessian[1])[:, :, 0]).sum(axis=1).max())
    for program, (least, most) in zip(constraints, sides, strict=True):
        if not np.isfinite(least) or not np.isfinite(most):
            continue
        middle = 0.5 * (least + most)
        half = float(np.nextafter(max(most - middle, middle - least), np.inf))
        slope = program.evaluate(at, at, 1).gradient[1][:, 0]
        steep = float(slope @ slope)
        if half > _EQUATION * max(1.0, abs(middle)) or not (np.isfinite(size) and 0.0 < steep < np.inf):
            continue
        off = graph.sub(program.root, graph.number(middle))
        spare = graph.number(float(np.nextafter(half * half, np.inf)))
        found.append(graph.mul(graph.number(_STRONG * size / steep), graph.sub(graph.mul(off, off), spare)))
    return found


def _plus(function: IntervalProgram, terms: Sequence[int]) -> IntervalProgram:
    graph, total = function.graph, function.root
    for term in terms:
        total = graph.add(total, term)
    return IntervalProgram(graph, total, function.keys, 2)
