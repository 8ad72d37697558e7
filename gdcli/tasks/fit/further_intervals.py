"""Intervals beside Wald's: those that were asked for, by the profile or the bootstrap, and where Wald's are lopsided.

A derived quantity h changes by ``v'Hv/2`` more than its slopes say where the parameters move by v, to the end of its
interval, with H its second derivatives: so much is its middle moved beside what the third derivatives of the likelihood
do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf, isfinite
from typing import TYPE_CHECKING

from gdcli.judge.distributions import student_t_quantile
from gdcli.judge.level_curve import Curve
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.vectors import Vec, np
from gdcli.objective.row_objective import PIECE
from gdcli.tasks.fit.derived import Exchanged, derived, quantities, read_derived
from gdcli.tasks.fit.fit_outcome import BootstrapFacts, Derived, FitIntervals, FitOutcome, Interval
from gdcli.tasks.fit.profile_intervals import LOPSIDED, is_lopsided, is_symmetric, profile_of
from gdcli.tasks.fit.request import BOOTSTRAP, PROFILE, WALD

if TYPE_CHECKING:
    from gdcli.tasks.fit.derived import Quantity
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.profile_intervals import Profile


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
    reach = 0.0 if errors is None or errors.factor is None else student_t_quantile(errors.level, errors.dof)
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
        statistics=replace(statistics, errors=replace(errors, intervals=ends)),
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
    told = replace(errors, intervals=tuple(one.bca for one in found[: len(x)]))
    return replace(
        outcome,
        statistics=replace(statistics, errors=told),
        intervals=FitIntervals(BOOTSTRAP, bootstrap=facts),
        derived=tuple(further),
    )
