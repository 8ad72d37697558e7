"""A fit from its data to all that is told of it: solved, and then asked for what its answer says of other things.

Of a fit with Wald's intervals the third derivatives tell how lopsided they are; where that is much, and a look at the
rows costs little, the interval by the profile is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.kernel.budget import if_in_time
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import UsageError
from gdcli.objective.row_objective import PIECE
from gdcli.tasks.fit.data_checks import ranges_of
from gdcli.tasks.fit.fit_outcome import FitIntervals, FitOutcome, Interval
from gdcli.tasks.fit.request import PROFILE, WALD, FitSettings
from gdcli.tasks.fit.solve_fit import solve, with_engine

if TYPE_CHECKING:
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.epochs import ProgressHook
    from gdcli.solve.iteration import Observer
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.profile_intervals import Profile


def answer(
    prepared: Prepared,
    settings: FitSettings | None = None,
    observers: Sequence[Observer] = (),
    progress: ProgressHook | None = None,
    checkpointer: Checkpointer | None = None,
) -> FitOutcome:
    """Solve a fit and return the whole answer; as `gdcli.tasks.fit.solve_fit.solve`.

    Raises UsageError for intervals that such a fit does not have.
    """
    settings = settings or FitSettings()
    prepared = with_engine(prepared, settings)
    _check(prepared, settings)
    outcome = solve(prepared, settings, observers, progress, checkpointer)
    return replace(_with_intervals(prepared, outcome), ranges=ranges_of(prepared.row, prepared.data))


def _check(prepared: Prepared, settings: FitSettings) -> None:
    problem = prepared.problem
    if problem.intervals == WALD:
        return
    asked = f"--intervals {problem.intervals}"
    if settings.is_stochastic and not settings.polish:
        raise UsageError(f"{asked} is for a fit that ends at its minimum", "add --polish, which does")
    from gdcli.tasks.fit.profile_intervals import has_likelihood

    if problem.intervals == PROFILE and not has_likelihood(prepared):
        what = f"--loss {problem.loss}" if problem.loss else "a typed loss that is minimized"
        raise UsageError(f"{asked} is for likelihoods, and {what} is none", "leave it out")


def _with_intervals(prepared: Prepared, outcome: FitOutcome) -> FitOutcome:
    """Return the outcome with the intervals that were asked for, and with what is to be said of Wald's."""
    from gdcli.tasks.fit.profile_intervals import profile_of

    problem = prepared.problem
    if problem.subject_to or (problem.intervals == WALD and _is_symmetric(prepared)):
        return outcome
    profile = profile_of(prepared, outcome)
    if profile is None:
        return outcome
    make = _by_profile if problem.intervals == PROFILE else _lopsided
    return if_in_time(lambda: make(profile, outcome), outcome)


def _is_symmetric(prepared: Prepared) -> bool:
    """Tell whether the profile is Wald's: of sums of squares of linear models."""
    return prepared.problem.linear and prepared.row.residual is not None and not prepared.problem.bounds


def _by_profile(profile: Profile, outcome: FitOutcome) -> FitOutcome:
    statistics = outcome.statistics
    assert statistics is not None
    errors = statistics.errors
    found: list[Interval | None]
    if _is_symmetric(profile.prepared):
        found = [None if pair is None else Interval(*pair) for pair in errors.intervals]
    else:
        ahead = profile.asymmetries()
        known = enumerate(errors.standard_errors)
        found = [None if error is None else profile.interval(k, ahead[k]) for k, error in known]
    ends = tuple(None if one is None else (one.low, one.high) for one in found)
    told = replace(statistics, errors=replace(errors, intervals=ends))
    return replace(
        outcome, statistics=told, intervals=FitIntervals(PROFILE, tuple(found), better=profile.better())
    )


def _lopsided(profile: Profile, outcome: FitOutcome) -> FitOutcome:
    from gdcli.tasks.fit.profile_intervals import LOPSIDED, is_lopsided

    moved = {k: part for k, part in enumerate(profile.asymmetries()) if abs(part) > LOPSIDED}
    if not moved:
        return outcome
    found: dict[int, Interval | None] = dict.fromkeys(moved)
    if profile.prepared.data.rows <= PIECE:
        intervals = {k: profile.interval(k, part) for k, part in moved.items()}
        found = {k: one for k, one in intervals.items() if is_lopsided(one, profile.x[k])}
    if not found:
        return outcome
    return replace(outcome, intervals=FitIntervals(WALD, lopsided=found, better=profile.better()))
