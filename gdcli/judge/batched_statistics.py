"""The evidence about the ends of many small fits at once, and what they tell of their parameters.

The formulas are those of :mod:`gdcli.judge.certificate` and :mod:`gdcli.judge.statistics`, for the case without
any doubt: a safely positive Hessian, nothing left to gain beyond rounding, a Jacobian of full rank, and residuals that
are so much more than rounding that the sum of their squares could judge the last steps. What is not such a case is
told, and left to be examined alone.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, pi
from typing import Any

from gdcli.judge.distributions import chi_square_tail, student_t_quantile
from gdcli.judge.statistics import LEVEL
from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.numerics import LEAST_PIVOT, REDUNDANT
from gdcli.solve.algebra.batched_linear import eigen, einsum, inverse_upper, lengths, positive_solves
from gdcli.solve.algebra.rounding import residual_floor, rounding_of_squares
from gdcli.solve.methods.batched_steps import BatchedFits
from gdcli.solve.methods.fit_ends import CLOSE
from gdcli.solve.probe.line_probe import FLIGHT
from gdcli.solve.probe.null_curvature import DOUBTFUL_PART, REACHED_BY_ANY, UNSTEADY

# What is near the border of a case is doubtful too.
_MARGIN = 10.0
# The condition number of the Jacobian with columns of length 1 up to which the digits of the errors are all good.
_CONDITION = 1e6
# A look aside goes at least so far, relative to |x|.
_ASIDE = 1e-8


@dataclass(slots=True)
class Evidence:
    """What certificates say of g ends; ``certain`` tells which are minima beyond doubt, the others are not judged.

    ``gain`` and ``gradient_norm`` are those of the sums of squares, as are the eigenvalues ``low`` and ``high``.
    """

    certain: Any
    gradient_norm: Any
    low: Any
    high: Any
    gain: Any
    distance: Any


def examine(ends: BatchedFits, start: Any, measured: Any, hessians: Callable[[Any, Any], Any]) -> Evidence:
    """Return the evidence about ends whose runs began at ``start`` (p, g).

    ``measured`` is the (weighted) sum of squares of the measured values (g,); ``hessians(which, x)`` gives the Hessians
    of some of the problems at x.
    """
    import numpy as np

    with np.errstate(all="ignore"):
        H = ends.hessian
        gradient = 2.0 * einsum("kig,kg->ig", ends.R, ends.target)
        z, _, least = positive_solves(H, gradient)
        newton = -z
        gain = -0.5 * (gradient * newton).sum(axis=0)
        values, vectors = eigen(np.where(np.isfinite(H), H, 0.0))
        distance = lengths(newton)
        certain = ~ends.given_up & (least > _MARGIN * LEAST_PIVOT) & (values[0] > 0.0)
        certain &= (gain <= REACHED_BY_ANY * ends.value) & (ends.iterations > 0) & (ends.value > 0.0)
        floor = residual_floor(np.sqrt(measured), lengths(ends.R) * abs(ends.x))
        certain &= rounding_of_squares(ends.value, floor) <= CLOSE * ends.value
        way = ends.x - start
        certain &= lengths(way) <= FLIGHT * _or_one(lengths(start))
        small = values[0] * (way * way).sum(axis=0) < DOUBTFUL_PART * (ends.start_value - ends.value)
        doubtful = np.flatnonzero(certain & small)
        if len(doubtful):
            v, ahead = vectors[0][:, doubtful], newton[:, doubtful]
            certain[doubtful] = _is_steady(ends, doubtful, v, ahead, hessians)
    return Evidence(certain, lengths(gradient), values[0], values[-1], gain, distance)


def _or_one(size: Any) -> Any:
    """Return the sizes, and 1 where they are 0, for want of anything else."""
    import numpy as np

    return np.where(size > 0.0, size, 1.0)


def _is_steady(
    ends: BatchedFits, which: Any, v: Any, newton: Any, hessians: Callable[[Any, Any], Any]
) -> Any:
    """Tell where the smallest curvature is the same a little further on; see `gdcli.solve.probe.null_curvature`."""
    import numpy as np

    x, H = ends.x[:, which], ends.hessian[..., which]
    least = _ASIDE * _or_one(abs(x).max(axis=0))
    aside = (newton * v).sum(axis=0)
    aside = np.where(abs(aside) >= least, aside, np.where(aside >= 0.0, least, -least))

    def along(A: Any) -> Any:
        return einsum("ig,ijg,jg->g", v, A, v)

    here, beside = along(H), along(hessians(which, x + aside * v))
    return (abs(beside - here) <= UNSTEADY / 1.5 * abs(here)) & (lengths(newton) <= least)


@dataclass(slots=True)
class Statistics:
    """What g fits tell of their p parameters; see `gdcli.judge.statistics.FitStatistics`. ``sound`` tells where.

    ``low`` and ``high`` are the ends of the intervals. ``chi_square_p`` is None where the variance is not known.
    """

    sound: Any
    errors: Any
    t: Any
    low: Any
    high: Any
    correlation: Any
    residual_sd: Any
    r_squared: Any
    aic: Any
    bic: Any
    chi_square_p: Any


def statistics(ends: BatchedFits, rows: Any, about_mean: Any, log_weights: Any, known: bool) -> Statistics:
    """Return the statistics of fits with so many ``rows`` of positive weight (g,); ``known`` tells that of a sigma.

    ``about_mean`` is the (weighted) sum of squares of what was measured about its mean, ``log_weights`` the sum of the
    logarithms of the weights.
    """
    import numpy as np

    p = len(ends.x)
    with np.errstate(all="ignore"):
        columns = lengths(ends.R)
        inverse = inverse_upper(ends.R / columns)
        spread = (inverse**2).sum(axis=1)
        condition = np.sqrt(p * (inverse**2).sum(axis=(0, 1)))
        effect = columns * np.maximum(abs(ends.x), 1.0)
        effective = (effect > _MARGIN * REDUNDANT * (columns * abs(ends.x)).max(axis=0)).all(axis=0)
        dof = rows - p
        sound = ~ends.given_up & (condition <= _CONDITION) & (dof > 0) & effective & (about_mean > 0.0)
        rss = ends.value
        sd = np.sqrt(rss / dof)
        roots = np.sqrt(spread)
        errors = (1.0 if known else sd) * roots / columns
        reach = _quantiles(dof, known)
        r_squared = 1.0 - rss / about_mean
        logs = -0.5 * _minus_twice_log_likelihood(rss, rows, log_weights, known)
        k = p + (not known)
        return Statistics(
            sound=sound,
            errors=errors,
            t=ends.x / errors,
            low=ends.x - reach * errors,
            high=ends.x + reach * errors,
            correlation=einsum("ikg,jkg->ijg", inverse, inverse) / (roots[:, None] * roots[None]),
            residual_sd=sd,
            r_squared=r_squared,
            aic=2.0 * (k - logs),
            bic=k * np.log(rows) - 2.0 * logs,
            chi_square_p=_tails(rss, dof, sound) if known else None,
        )


def _quantiles(dof: Any, known: bool) -> Any:
    """The quantile of Student's t for each of the degrees of freedom."""
    import numpy as np

    if known:
        return student_t_quantile(LEVEL, inf)
    distinct, inverse = np.unique(dof, return_inverse=True)
    found = [student_t_quantile(LEVEL, float(d)) if d > 0 else np.nan for d in distinct]
    return np.array(found)[inverse.reshape(-1)]


def _tails(rss: Any, dof: Any, sound: Any) -> Any:
    import numpy as np

    found = np.full(len(rss), np.nan)
    for k in np.flatnonzero(sound).tolist():
        found[k] = chi_square_tail(float(rss[k]), float(dof[k]))
    return found


def _minus_twice_log_likelihood(rss: Any, rows: Any, log_weights: Any, known: bool) -> Any:
    """The normal log-likelihood at its maximum over s, or with the given sigmas, times -2."""
    import numpy as np

    if known:
        return rss + rows * log(2.0 * pi) - log_weights
    return rows * (log(2.0 * pi) + 1.0 + np.log(rss / rows)) - log_weights
