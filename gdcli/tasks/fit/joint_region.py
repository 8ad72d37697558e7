"""The joint likelihood region of two parameters, the others re-optimised: its extents, and the curve around it.

It ends where the sum of squares, in units of the residual variance s**2, has risen by 2 F, F the quantile of the F
distribution with 2 and n - p degrees of freedom (Bates and Watts, Nonlinear Regression Analysis and Its Applications,
1988, sections 2.2 and 6.1); where the variance is known, and for other likelihoods, where twice the log-likelihood has
fallen by the quantile of chi-square with 2 degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import TYPE_CHECKING

from gdcli.judge.distributions import joint_quantile
from gdcli.judge.level_curve import Plane, contour
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.numerics import EPS
from gdcli.tasks.fit.fit_outcome import FitIntervals, FitOutcome, Interval, JointRegion
from gdcli.tasks.fit.profile_intervals import Profile, profile_of
from gdcli.tasks.fit.request import WALD

if TYPE_CHECKING:
    from gdcli.tasks.fit.prepare import Prepared

# Why a curve does not close, by the reasons of :mod:`gdcli.judge.level_curve`.
_WHY = {
    "": "",
    "far": "the curve goes on far beyond the ellipse by standard errors",
    "stopped": "the curve could not be followed further",
    "long": "the curve is too long to be followed to its end",
}


def numbers_of(prepared: Prepared) -> tuple[int, int]:
    """Return the numbers of the two parameters. Raises UsageError for names that are none."""
    space, problem = prepared.row.space, prepared.problem
    labels = [space.label(k) for k in range(space.size)]
    for name in problem.contour:
        if name in labels:
            continue
        if name in problem.constants:
            raise UsageError(
                f"--contour has {name}, which is fixed", "a region is of two parameters that are fitted"
            )
        if name in space.lengths:
            raise UsageError(
                f"--contour has {name}, which is a vector", f"name two of its parts: {name}[0],{name}[1]"
            )
        hint = did_you_mean(name, labels, f"the parameters are {', '.join(labels[:8])}")
        raise UsageError(f"--contour has {name}, which is not a parameter of the model", hint)
    first, second = (labels.index(name) for name in problem.contour)
    return first, second


def with_region(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    """Return the outcome with the region that was asked for; with the reason where there is none."""
    pair = numbers_of(prepared)
    errors = None if outcome.statistics is None else outcome.statistics.errors
    dof = inf if errors is None else errors.dof
    nothing = JointRegion(prepared.problem.contour, dof, (), ())
    profile = profile_of(prepared, outcome)
    if errors is None or profile is None:
        exact = outcome.statistics is not None and outcome.statistics.exact
        why = "the model goes through all points" if exact else "the fit has no standard errors"
        return replace(outcome, region=nothing._replace(why=why))
    for name, k in zip(prepared.problem.contour, pair, strict=True):
        if not errors.standard_errors[k]:
            return replace(outcome, region=nothing._replace(why=f"{name} has no standard error"))
    profile.quantile = joint_quantile(errors.level, dof)
    region = _region(profile, pair)._replace(names=prepared.problem.contour, dof=dof)
    found = replace(outcome, region=region)
    if profile.better() is None:
        return found
    told = outcome.intervals or FitIntervals(WALD)
    return replace(found, intervals=told._replace(better=profile.better()))


def _region(profile: Profile, pair: tuple[int, int]) -> JointRegion:
    """The region; the curve begins at an end of the parameter that comes first, however the two are asked for."""
    first, second = sorted(pair)
    ahead = profile.asymmetries()
    ends = {k: profile.ends(k, ahead[k]) for k in (first, second)}
    told = {k: profile.told(profile.prepared.row.space.label(k), of) for k, of in ends.items()}
    extents, names = tuple(told[k] for k in pair), profile.prepared.problem.contour
    start = next((end.x for k in (first, second) for end in reversed(ends[k]) if not end.why), None)
    if start is None:
        return JointRegion((), inf, extents, (), _open(names, extents) or "no end was found")
    plane = Plane(
        profile.objective,
        first,
        second,
        profile.lower,
        profile.upper,
        profile.x,
        profile.objective.evaluate(profile.x).value,
        _root(profile, first, second),
    )
    found = contour(plane, start, profile.quantile)
    points = found.points if pair == (first, second) else tuple((v, u) for u, v in found.points)
    return JointRegion((), inf, extents, points, _open(names, extents) or _WHY[found.why])


def _root(profile: Profile, first: int, second: int) -> tuple[float, float, float]:
    """The triangle that maps the circle of radius 1 to the region of a linear model with this covariance."""
    of, q = profile.covariance, profile.quantile
    a = sqrt(of[first][first])
    b = of[first][second] / a
    return q * a, q * b, q * sqrt(max(of[second][second] - b * b, 4.0 * EPS * of[second][second]))


def _open(names: Sequence[str], extents: Sequence[Interval]) -> str:
    """Why the region does not end on a side by the likelihood, empty where it does on all of them."""
    told = [
        f"{name} {side}: {why}"
        for name, one in zip(names, extents, strict=True)
        for side, why in (("below", one.why_low), ("above", one.why_high))
        if why
    ]
    return "; ".join(told)
