"""Lower bounds with constraints: where c(x) <= u holds, f(x) >= f(x) + m*(c(x) - u) for every multiplier m >= 0.

With the multipliers of the minimum the right-hand side is stationary there, so that its bounds on a box are off by the
square of the box's size; those of f alone are off by the size, and a cloud of boxes around the minimum would be left.
Of an equation also the square may be added (Hestenes, Journal of Optimization Theory and Applications 4, 1969).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gdcli.compile.interval_program import IntervalProgram
from gdcli.kernel.vectors import np

# A constraint is active at a point where it is as near to its side as this, relative to that.
_ACTIVE = 1e-6
# Sides as near to each other, relative to their size, are those of an equation; how much stronger than the curvature it
# is held to.
_EQUATION, _STRONG = 1e-6, 4.0
Array = Any
Sides = Sequence[tuple[float, float]]


def lagrangian_of(
    function: IntervalProgram, constraints: Sequence[IntervalProgram], sides: Sides, low: Array, high: Array
) -> Callable[[Array], IntervalProgram | None]:
    """Return what gives the Lagrangian with the multipliers of a point (n,), None where no constraint is active.

    All programs are of one graph; ``low`` to ``high`` (n,) are the bounds of the variables.
    """

    def made(point: Array) -> IntervalProgram | None:
        with np.errstate(all="ignore"):
            return lagrangian(point)

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

    return made


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
