"""The evidence about the ends of many small fits at once, and what they tell of their parameters.

It is that of :mod:`gdcli.judge.certificate`, and the formulas of :mod:`gdcli.judge.statistics`, for the case without
any doubt: a safely positive Hessian, nothing left to gain beyond rounding, a Jacobian of full rank, and residuals that
are so much more than rounding that the sum of their squares could judge the last steps. What is not such a case is
told, and left to be examined alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gdcli.judge.evidence import Certificate
from gdcli.judge.statistics import FitStatistics, Spread, Uncertainty, of_squares
from gdcli.kernel.batched_linear import (
    eigen,
    einsum,
    least_pivots,
    lengths,
    positive_solves,
)
from gdcli.kernel.numerics import LEAST_PIVOT, REDUNDANT
from gdcli.kernel.status import CurvatureSource, PointKind
from gdcli.kernel.vectors import Array, np
from gdcli.solve.algebra.residual_model import moves_of, residual_floor, rounding_of_squares
from gdcli.solve.methods.batched_fits import BatchedFits
from gdcli.solve.methods.fit_ends import CLOSE
from gdcli.solve.probe.line_probe import FLIGHT
from gdcli.solve.probe.newton_decrement import DOUBTFUL_PART, REACHED, UNSTEADY

# What is near the border of a case is doubtful too.
_MARGIN = 10.0
# The condition number of the Jacobian with columns of length 1 up to which the digits of the errors are all good.
_CONDITION = 1e6
# A look aside goes at least so far, relative to |x|.
_ASIDE = 1e-8


def examine(
    ends: BatchedFits, start: Array, measured: Array, hessians: Callable[[Array, Array], Array]
) -> tuple[Certificate, Array]:
    """Return certificates of ends whose runs began at ``start`` (p, g), and which are minima beyond doubt (g,).

    The others are not judged. The numbers are those of the sums of squares, arrays (g,).
    ``measured`` is the (weighted) sum of squares of the measured values (g,); ``hessians(which, x)`` gives the Hessians
    of some of the problems at x.
    """
    with np.errstate(all="ignore"):
        H = ends.hessian
        gradient = 2.0 * einsum("kig,kg->ig", ends.R, ends.target)
        z, factors = positive_solves(H, gradient)
        newton = -z
        gap = -0.5 * (gradient * newton).sum(axis=0)
        values, vectors = eigen(np.where(np.isfinite(H), H, 0.0))
        certain = ~ends.given_up & (least_pivots(H, factors) > _MARGIN * LEAST_PIVOT) & (values[0] > 0.0)
        certain &= (gap <= REACHED * ends.value) & (ends.iterations > 0) & (ends.value > 0.0)
        floor = residual_floor(np.sqrt(measured), moves_of(ends, ends.x))
        certain &= rounding_of_squares(ends.value, floor) <= CLOSE * ends.value
        way = ends.x - start
        certain &= lengths(way) <= FLIGHT * _or_one(lengths(start))
        small = values[0] * (way * way).sum(axis=0) < DOUBTFUL_PART * (ends.start_value - ends.value)
        doubtful = np.flatnonzero(certain & small)
        if len(doubtful):
            v, ahead = vectors[0][:, doubtful], newton[:, doubtful]
            certain[doubtful] = _is_steady(ends, doubtful, v, ahead, hessians)
        numbers: dict[str, Any] = {
            "gradient_norm": lengths(gradient),
            "eigenvalue_min": values[0],
            "eigenvalue_max": values[-1],
            "condition": values[-1] / values[0],
            "estimated_gap": gap,
            "distance": lengths(newton),
        }
    return Certificate(PointKind.MINIMUM, how=CurvatureSource.EXACT, **numbers), certain


def _or_one(size: Array) -> Array:
    """Return the sizes, and 1 where they are 0, for want of anything else."""
    return np.where(size > 0.0, size, 1.0)


def _is_steady(
    ends: BatchedFits, which: Array, v: Array, newton: Array, hessians: Callable[[Array, Array], Array]
) -> Array:
    """Tell where the smallest curvature is the same a little further on; see `gdcli.solve.probe.newton_decrement`."""
    x, H = ends.x[:, which], ends.hessian[..., which]
    least = _ASIDE * _or_one(abs(x).max(axis=0))
    aside = (newton * v).sum(axis=0)
    aside = np.where(abs(aside) >= least, aside, np.where(aside >= 0.0, least, -least))

    def along(A: Array) -> Array:
        return einsum("ig,ijg,jg->g", v, A, v)

    here, beside = along(H), along(hessians(which, x + aside * v))
    return (abs(beside - here) <= UNSTEADY / 1.5 * abs(here)) & (lengths(newton) <= least)


def are_told(ends: BatchedFits, inverse: Array, spread: Spread) -> Array:
    """Tell which fits say beyond doubt what they say of their parameters (g,).

    ``inverse`` (p, p, g) is that of the triangles of the Jacobians with columns of length 1.
    """
    condition = np.sqrt(len(inverse) * (inverse**2).sum(axis=(0, 1)))
    effect = ends.columns * np.maximum(abs(ends.x), 1.0)
    effective = (effect > _MARGIN * REDUNDANT * (ends.columns * abs(ends.x)).max(axis=0)).all(axis=0)
    measured = (spread.rows > len(inverse)) & (spread.about_mean > 0.0)
    found: Array = ~ends.given_up & (condition <= _CONDITION) & measured & effective
    return found


def statistics(ends: BatchedFits, inverse: Array, spread: Spread, kind: str, level: float) -> FitStatistics:
    """Return the statistics of fits that tell them, see `are_told`; ``kind`` is one of ERROR_KINDS."""
    roots = lengths(inverse.swapaxes(0, 1))
    correlation = einsum("ikg,jkg->ijg", inverse, inverse) / (roots[:, None] * roots[None])
    correlation[range(len(roots)), range(len(roots))] = 1.0

    def uncertain(scale: Any, dof: Any) -> Uncertainty:
        factor: Any = scale * inverse / ends.columns[:, None]
        own: dict[str, Any] = {"estimates": ends.x, "standard_errors": lengths(factor.swapaxes(0, 1))}
        return Uncertainty(level, dof, len(roots), correlation=correlation, factor=factor, **own)

    return of_squares(ends.value, len(roots), spread, kind, uncertain)
