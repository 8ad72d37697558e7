"""A fit with shared parameters solved: one problem of all groups, certified and judged as a fit is.

The run, its certificate and its verdict are those of the shared parameters, with each group at its own best parameters
(`eliminated_groups`): the point is a minimum in all of them where each group is at a minimum of its own, and the shared
ones at one of what is left.
"""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.judge.statistics import FitStatistics, Parameters, fit_statistics, spread_of
from gdcli.judge.verdict import Verdict
from gdcli.kernel.batched_linear import inverse_upper
from gdcli.kernel.dataclass import replace
from gdcli.kernel.numerics import EPS
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Array, dot, np
from gdcli.objective.protocol import Box, QRSystem
from gdcli.solve.algebra.residual_model import residual_floor
from gdcli.solve.iteration import Observer, RunResult
from gdcli.tasks.fit.conclusion import by_residuals, scale_of, told, verdict_in_sums
from gdcli.tasks.fit.data_checks import group_ranges
from gdcli.tasks.fit.eliminated_groups import Ends, SharedObjective
from gdcli.tasks.fit.fit_outcome import FitOutcome, GroupPart
from gdcli.tasks.fit.parameter_errors import Errors, Left, error_kind, without_errors
from gdcli.tasks.fit.prepare_shared import SharedFit
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.fit.solve_fit import choose_for_squares
from gdcli.tasks.pipeline import (
    ActiveBound,
    Judged,
    Ready,
    active_bounds,
    box_and_start,
    certified,
    in_sums,
    level_in_time,
    within,
)
from gdcli.tasks.problem import listed

# A group's own parameters are at rest where a step of them can take away no more than this part of its sum of squares.
_AT_REST = 1e-10
# So often it is looked whether groups end lower from elsewhere, and the run goes on from there.
_MOST_LOOKS = 5
# So many groups are named.
_NAMED = 3


def solve_shared(
    fit: SharedFit, settings: FitSettings | None = None, observers: Sequence[Observer] = ()
) -> FitOutcome:
    """Solve a fit with shared parameters; ``observers`` see the shared ones, with sums over all rows as values.

    Raises UsageError for a contradictory or unknown setting.
    """
    settings = settings or FitSettings()
    settings.check()
    rows = fit.count.used
    value = SharedObjective(fit.groups, rows)
    x0 = fit.groups.space.flatten(fit.problem.start)
    first = value.evaluate(value.vector(x0)).value
    scale = scale_of(first) if settings.lr is None else 1.0
    objective = SharedObjective(fit.groups, rows, scale)
    box, x0, notes = box_and_start(fit.problem, objective)
    seen = within(box, objective)
    choice = choose_for_squares(settings, seen)
    ready = Ready(fit.problem, settings, fit.groups.space, seen, x0, choice, notes, objective.factor)
    result = ready.run([in_sums(o, 1.0 / objective.factor) for o in observers])
    for _ in range(_MOST_LOOKS):
        if not fit.groups.look_around(result.best.at.x):
            break
        ready, before = replace(ready, x0=result.best.at.x), result
        result = ready.run([])
        result = replace(result, start=before.start, iterations=before.iterations + result.iterations)
    return _concluded(fit, ready, box, objective, result)


def _concluded(
    fit: SharedFit, ready: Ready, box: Box | None, objective: SharedObjective, taken: RunResult
) -> FitOutcome:
    mean = taken.best.at.value / (objective.factor * fit.count.used)
    judging = SharedObjective(fit.groups, fit.count.used, scale_of(mean))
    seen = within(box, judging)
    run, certificate = certified(seen, taken.times(judging.factor / ready.unit), ready.tol, True)
    active = active_bounds(seen, run, ready.space)
    ends = fit.groups.settle(run.best.at.x)
    errors = _errors(fit, ends, active)
    certificate = by_residuals(certificate, errors, False, judging.factor)
    ranges = level_in_time(seen, run, certificate)
    verdict = verdict_in_sums(ready, judging.factor, (taken, run), certificate, ranges, errors)
    verdict = _at_rest(fit, ends, verdict)
    found = Judged(run, certificate, verdict, active, ranges)
    outcome = told(ready, (objective, judging), judging.factor, found, errors, fit.count)
    tells_errors = not outcome.unknown_errors or bool(active)
    return replace(outcome, groups=_parts(fit, ends, outcome.statistics, tells_errors))


def _names(fit: SharedFit, groups: Sequence[int]) -> str:
    told = [", ".join(f"{c} = {v}" for c, v in fit.labels[k].items()) for k in groups[:_NAMED]]
    return listed([*told, f"{len(groups) - _NAMED} more"] if len(groups) > _NAMED else told)


def _at_rest(fit: SharedFit, ends: Ends, verdict: Verdict) -> Verdict:
    """Return the verdict, which is no good one where the own parameters of a group can still gain something."""
    floor = _AT_REST * np.maximum(ends.value, EPS * EPS * _sizes(ends))
    found = np.flatnonzero(~(ends.left_to_gain <= floor)).tolist()
    if not found or verdict.status is not Status.CONVERGED:
        return verdict
    return verdict._replace(
        status=Status.STALLED,
        message=f"The parameters of {_names(fit, found)} are not at rest: this is not a certified minimum.",
        advice="another start, or leave out these groups",
    )


def _sizes(ends: Ends) -> Array:
    q = len(ends.own)
    moved = (ends.R[:, :q] * ends.own).sum(axis=1)
    found: Array = (moved * moved).sum(axis=0)
    return found


def _errors(fit: SharedFit, ends: Ends, active: Sequence[ActiveBound]) -> Errors:
    """Return the errors of the shared parameters, those of the whole problem, and what is left of the rows."""
    space, kind = fit.groups.space, error_kind(fit.problem)
    names = space.labels
    held = {bound.name for bound in active}
    sums = SharedObjective(fit.groups, fit.count.used, float(fit.count.used))
    at = sums.evaluate(sums.vector(ends.x))
    triangle = sums.linearise(at)
    if triangle is None:
        return Errors(reason="the derivatives are not finite at the answer")
    response, weight = fit.groups.values("weighing", ends)
    rows, own = int((weight > 0.0).sum()), fit.own_space.size * fit.groups.count
    spread = replace(spread_of(rows, response, weight, lambda each: float(each.sum())), about_zero=None)
    constant = sum(bound.side == "fixed" for bound in active)
    parameters = Parameters(list(ends.x), names, [n not in held for n in names], constant, aside=own)
    found = fit_statistics(triangle, parameters, spread, kind, fit.problem.told_level)
    lost = _redundant(fit, ends)
    redundant = "; ".join((*found.errors.redundant, *lost))
    if lost:
        found = without_errors(found, redundant) or found
    full = found.errors.rank - own + constant >= len(names) and not lost
    return Errors(found, found.errors.reason, full, redundant, _left(ends, triangle))


def _redundant(fit: SharedFit, ends: Ends) -> list[str]:
    lost = ends.lost
    groups = np.flatnonzero(lost.any(axis=0)).tolist()
    if not groups:
        return []
    own = sorted({fit.own_space.label(i) for k in groups for i in np.flatnonzero(lost[:, k]).tolist()})
    return [f"the rows of {_names(fit, groups)} do not tell {listed(own)}"]


def _left(ends: Ends, triangle: QRSystem) -> Left:
    """What is left of the rows, and what of it may be rounding."""
    shared = np.repeat(np.abs(np.array(ends.x))[:, None], ends.own.shape[1], axis=1)
    moved = ends.R * np.vstack([abs(ends.own), shared])  # by each parameter as large as it is
    moves = np.sqrt((moved * moved).sum(axis=(0, 2)))
    floor = float(residual_floor(triangle.measured, moves.tolist()))
    misfit = dot(triangle.target, triangle.target) + float(ends.left_to_gain.sum())
    return Left(triangle.total, misfit, floor * floor)


def _parts(
    fit: SharedFit, ends: Ends, statistics: FitStatistics | None, tell_errors: bool
) -> tuple[GroupPart, ...]:
    """Return what is known of each group: its own parameters, with errors in which those of the shared ones are."""
    q, space = len(ends.own), fit.own_space
    errors: list[list[float | None]] = [[None] * q for _ in range(fit.groups.count)]
    reach, factors = 0.0, [None] * fit.groups.count
    known = None if statistics is None else statistics.errors
    if known is not None and statistics is not None and tell_errors and statistics.residual_sd is not None:
        scale = 1.0 if error_kind(fit.problem) == "sigma" else statistics.residual_sd
        with np.errstate(all="ignore"):
            inverse, slopes = inverse_upper(ends.R[:q, :q]), ends.slopes()
            shared = np.zeros((len(ends.x),) * 2) if known.factor is None else np.array(known.factor)
            both = np.concatenate([inverse * scale, np.einsum("qsg,st->qtg", slopes, shared)], axis=1)
            errors = np.sqrt((both * both).sum(axis=1)).T.tolist()
            factors = np.moveaxis(both, 2, 0).tolist()
        reach = known.reach
    values, points, ranges = ends.value.tolist(), ends.own.T.tolist(), _ranges(fit)
    found = []
    for k, (x, e) in enumerate(zip(points, errors, strict=True)):
        pairs = [None if b is None else [a - reach * b, a + reach * b] for a, b in zip(x, e, strict=True)]
        parts = (space.by_name(x), space.by_name(e), space.by_name(pairs))
        found.append(GroupPart(fit.labels[k], fit.sizes[k], values[k], *parts, factors[k], ranges[k]))
    return tuple(found)


def _ranges(fit: SharedFit) -> list[dict[str, tuple[float, float]]]:
    found: list[dict[str, tuple[float, float]]] = [{} for _ in range(fit.groups.count)]
    for block in fit.groups.blocks:
        for name, (low, high) in group_ranges(fit.row, block.residuals).items():
            for k, *ends in zip(block.groups.tolist(), low.tolist(), high.tolist(), strict=True):
                found[k][name] = (ends[0], ends[1])
    return found
