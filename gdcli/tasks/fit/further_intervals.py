"""Intervals and regions beside Wald's: asked for by the profile or the bootstrap, or told where Wald's are lopsided.

A derived quantity h changes by ``v'Hv/2`` more than its slopes say where the parameters move by v, to the end of its
interval, with H its second derivatives: so much is its middle moved beside what the third derivatives of the likelihood
do.

The joint likelihood region of two parameters, the others re-optimised, ends where the sum of squares, in units of the
residual variance s**2, has risen by 2 F, F the quantile of the F distribution with 2 and n - p degrees of freedom
(Bates and Watts, Nonlinear Regression Analysis and Its Applications, 1988, sections 2.2 and 6.1); where the variance is
known, and for other likelihoods, where twice the log-likelihood has fallen by the quantile of chi-square with 2 degrees
of freedom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import inf, isfinite, sqrt

from gdcli.judge.distributions import joint_quantile
from gdcli.judge.level_curve import Curve, Plane, contour
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.numerics import EPS
from gdcli.kernel.vectors import Vec, np
from gdcli.objective.row_objective import PIECE
from gdcli.tasks.fit.derived import Exchanged, Quantity, derived, quantities, read_derived
from gdcli.tasks.fit.fit_outcome import (
    BootstrapFacts,
    Derived,
    FitIntervals,
    FitOutcome,
    Interval,
    JointRegion,
)
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.profile_intervals import LOPSIDED, Profile, is_lopsided, is_symmetric, profile_of
from gdcli.tasks.fit.request import BOOTSTRAP, PROFILE, WALD


def _quantities(prepared: Prepared) -> list[Quantity]:
    problem = prepared.problem
    if not problem.derive:
        return []
    space, constants = prepared.row.space, problem.constants
    trees = read_derived(problem.derive, problem.let, space.lengths, constants, ())
    return quantities(trees, problem.derive, space, constants)


def with_derived(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    """Return the outcome with the quantities that are derived, their errors, and Wald's intervals."""
    errors = None if outcome.statistics is None else outcome.statistics.errors
    reach = 0.0 if errors is None or errors.factor is None else errors.reach
    x = outcome.run.best.at.x
    return replace(outcome, derived=tuple(derived(one, x, errors, reach) for one in _quantities(prepared)))


def by_profile(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    statistics, profile = outcome.statistics, profile_of(prepared, outcome)
    if statistics is None or profile is None:
        return outcome
    errors, symmetric = statistics.errors, is_symmetric(prepared)
    found = list[Interval | None]()
    for k, one in enumerate(_with_profiles(profile, prepared, outcome)):
        pair = errors.intervals[k] if symmetric and k < len(errors.intervals) else None
        found.append(Interval(*pair) if pair else None if one is None else one.interval())
    found, further = found[: len(profile.x)], found[len(profile.x) :]
    ends = tuple(None if one is None else (one.low, one.high) for one in found)
    return replace(
        outcome,
        statistics=replace(statistics, errors=replace(errors, instead=ends)),
        intervals=FitIntervals(PROFILE, tuple(found), better=profile.better()),
        derived=tuple(
            seen if one is None else seen._replace(interval=one)
            for seen, one in zip(outcome.derived, further, strict=True)
        ),
    )


def lopsided(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    """Return the outcome with those intervals by the profile whose middle is far from that of Wald's."""
    profile, found = profile_of(prepared, outcome), dict[int, Interval | None]()
    for k, one in enumerate([] if profile is None else _with_profiles(profile, prepared, outcome)):
        if one is not None and abs(one.ahead) > LOPSIDED:
            ends = one.interval() if prepared.data.rows <= PIECE else None
            if ends is None or is_lopsided(ends, one.value):
                found[k] = ends
    if profile is None or not found:
        return outcome
    return replace(outcome, intervals=FitIntervals(WALD, lopsided=found, better=profile.better()))


class _WithProfile(NamedTuple):
    """A parameter or derived quantity: its value, by what part of half its width Wald's interval is moved ``ahead``
    by the profile, and what gives that one.
    """

    value: float
    ahead: float
    interval: Callable[[], Interval]


def _with_profiles(profile: Profile, prepared: Prepared, outcome: FitOutcome) -> list[_WithProfile | None]:
    """All parameters, then the derived quantities; None for one whose error is zero or unknown."""
    errors, aheads = profile.errors.standard_errors, profile.asymmetries()
    found = [
        None if error is None else _WithProfile(x, ahead, partial(profile.interval, k, ahead))
        for k, (x, error, ahead) in enumerate(zip(profile.x, errors, aheads, strict=True))
    ]
    for quantity, seen in zip(_quantities(prepared), outcome.derived, strict=True):
        at, error = quantity.objective.evaluate(profile.x, 2), seen.error
        if not error or at.gradient is None or at.hessian is None:
            found.append(None)
            continue
        slopes = Vec(map(float, at.gradient))
        column = Vec([row @ slopes for row in profile.covariance])
        bend = column @ Vec([Vec(row) @ column for row in at.hessian]) / error**3
        ahead = profile.asymmetry(column, error) + 0.5 * profile.quantile * bend
        ahead = ahead if isfinite(ahead) else 0.0
        makes = partial(_exchanged, profile, quantity, seen, slopes, column / (error * error), ahead)
        found.append(_WithProfile(seen.value, ahead, makes))
    return found


def _exchanged(
    profile: Profile, quantity: Quantity, found: Derived, slopes: Vec, way: Vec, ahead: float
) -> Interval:
    """The interval of a quantity in the place of the parameter that changes it most within its error."""
    x, errors = profile.x, profile.errors.standard_errors
    parts = [abs(g) * (e or 0.0) for g, e in zip(slopes, errors, strict=True)]
    k = parts.index(max(parts))
    ends = profile.lower[k], profile.upper[k]
    exchanged = Exchanged(profile.objective, quantity.objective, k, x[k], ends)
    lower, upper = (
        [end if i != k else side * inf for i, end in enumerate(of)]
        for of, side in ((profile.lower, -1.0), (profile.upper, 1.0))
    )
    w, way = Vec(x), Vec(way)
    w[k], way[k] = found.value, 1.0
    reached = profile.along(Curve(exchanged, k, lower, upper), w, way, found.error or 0.0, ahead)
    return profile.told(found.name, reached, found.name)


def by_bootstrap(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    """Return the outcome with BCa intervals by the bootstrap, where it has errors at all."""
    from gdcli.tasks.fit.bootstrap import draw, interval

    statistics, problem = outcome.statistics, prepared.problem
    if statistics is None or statistics.exact or statistics.errors.factor is None:
        return outcome
    errors, x = statistics.errors, [float(a) for a in outcome.run.best.at.x]
    drawn = draw(prepared, x, statistics, problem.resample, problem.samples)
    found = [
        interval(a, of, influence, errors.level)
        for a, of, influence in zip(x, drawn.estimates, drawn.influence, strict=True)
    ]
    further = []
    for quantity, seen in zip(_quantities(prepared), outcome.derived, strict=True):
        made = quantity.objective
        values = np.array([made.evaluate(made.vector(point)).value for point in drawn.estimates.T.tolist()])
        gradient = made.evaluate(made.vector(x), 1).gradient
        if gradient is None or not np.isfinite(values).all():
            further.append(seen._replace(interval=None))
            continue
        found.append(interval(seen.value, values, np.array(list(gradient)) @ drawn.influence, errors.level))
        further.append(seen._replace(interval=Interval(*found[-1].bca)))
    facts = BootstrapFacts(
        problem.resample,
        problem.samples,
        drawn.failed,
        tuple(one.error for one in found),
        tuple(one.percentile for one in found),
    )
    told = replace(errors, instead=tuple(one.bca for one in found[: len(x)]))
    return replace(
        outcome,
        statistics=replace(statistics, errors=told),
        intervals=FitIntervals(BOOTSTRAP, bootstrap=facts),
        derived=tuple(further),
    )


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
