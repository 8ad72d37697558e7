"""Intervals that were asked for: of derived quantities, by the profile, by the bootstrap."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from gdcli.judge.distributions import student_t_quantile
from gdcli.judge.level_curve import Curve
from gdcli.kernel.dataclass import replace
from gdcli.kernel.vectors import Vec, np
from gdcli.tasks.fit.derived import Exchanged, derived, quantities, read_derived
from gdcli.tasks.fit.fit_outcome import BootstrapFacts, Derived, FitIntervals, FitOutcome, Interval
from gdcli.tasks.fit.profile_intervals import is_symmetric, profile_of
from gdcli.tasks.fit.request import BOOTSTRAP, PROFILE

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
    errors = statistics.errors
    found: list[Interval | None]
    if is_symmetric(prepared):
        found = [None if pair is None else Interval(*pair) for pair in errors.intervals]
    else:
        ahead = [0.0] * len(profile.x) if prepared.row.errors else profile.asymmetries()
        known = enumerate(errors.standard_errors)
        found = [None if error is None else profile.interval(k, ahead[k]) for k, error in known]
    quantities = zip(_quantities(prepared), outcome.derived, strict=True)
    further = tuple(_profiled(profile, one, seen) for one, seen in quantities)
    ends = tuple(None if one is None else (one.low, one.high) for one in found)
    return replace(
        outcome,
        statistics=replace(statistics, errors=replace(errors, intervals=ends)),
        intervals=FitIntervals(PROFILE, tuple(found), better=profile.better()),
        derived=further,
    )


def _profiled(profile: Profile, quantity: Quantity, found: Derived) -> Derived:
    """The quantity with its interval by the profile; without one where its error is zero or unknown."""
    if not found.error:
        return found
    x = profile.x
    gradient = quantity.objective.evaluate(x, 1).gradient
    if gradient is None:
        return found
    slopes = Vec(map(float, gradient))
    errors = profile.errors.standard_errors
    parts = [abs(g) * (e or 0.0) for g, e in zip(slopes, errors, strict=True)]
    k = parts.index(max(parts))
    ends = profile.lower[k], profile.upper[k]
    exchanged = Exchanged(profile.objective, quantity.objective, k, x[k], ends)
    lower, upper = (
        [end if i != k else side * inf for i, end in enumerate(of)]
        for of, side in ((profile.lower, -1.0), (profile.upper, 1.0))
    )
    w = Vec(x)
    w[k] = found.value
    column = Vec([row @ slopes for row in profile.covariance]) / (found.error * found.error)
    column[k] = 1.0
    curve = Curve(exchanged, k, lower, upper)
    reached = profile.along(curve, w, column, found.error)
    return found._replace(interval=profile.told(quantity.name, reached))


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
