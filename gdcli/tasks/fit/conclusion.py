"""The end of a fit: its answer certified and judged, the errors of the parameters estimated.

Is that end the one that was meant? A minimum can be one and yet no description of the data. Two things tell: a fit that
is worse than a constant, the mean of what was measured, and a pole among the rows, which splits them into rows before
and behind it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from gdcli.judge.evidence import Certificate
from gdcli.judge.verdict import Verdict
from gdcli.kernel.budget import if_in_time
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.dense import diagonal
from gdcli.kernel.numerics import EPS, FLOOR, SMALLEST_NORMAL
from gdcli.kernel.status import CurvatureSource, PointKind, Status, StopReason
from gdcli.kernel.vectors import Vec, Vector, as_like, dot
from gdcli.language.losses import POSITIVE
from gdcli.objective.divisors import pole_among
from gdcli.objective.protocol import Box, Evaluation, Objective
from gdcli.objective.row_objective import RowObjective, added
from gdcli.solve.algebra.quadratic_model import hessian_source, with_hessian
from gdcli.solve.iteration import RunResult
from gdcli.solve.methods.fit_ends import CLOSE
from gdcli.solve.run import quiet
from gdcli.solve.scaling import in_own_units
from gdcli.tasks.fit.fit_outcome import CorrectedPoints, FitOutcome, RowCount
from gdcli.tasks.fit.parameter_errors import Errors, errors_in_time, without_errors
from gdcli.tasks.pipeline import (
    Judged,
    Ready,
    active_bounds,
    certified,
    level_in_time,
    trend_in_time,
    verdict_on,
    within,
)
from gdcli.tasks.problem import listed

if TYPE_CHECKING:
    from gdcli.judge.level_set import Ranges
    from gdcli.judge.statistics import FitStatistics
    from gdcli.objective.row_model import RowModel
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitProblem

# Of a sum of squares below this part of the data's own, the digits are rounding.
_ROUNDING = 1e-20
# A combination of parameters is lost where its curvature, the square of its effect, is rounding beside the largest.
_WEAK = math.sqrt(EPS)
_NEARLY = (
    "the data hardly tell the parameters apart here: take a model with fewer, give one a value with --set"
)
# So many standard errors away the loss is looked at for a rise.
_LENGTHS = (1.0, 0.125, 0.25, 0.5, 2.0, 4.0, 8.0)
_NO_DIGITS = (
    "the second derivatives have no digits here, as far on the way of a parameter to infinity: whether this is a"
    " minimum is not known"
)
# What to do where the sum of a typed loss has no minimum: a model is taken for one.
_TILDE = "to fit a column, y say, write y ~ {}: without ~ it is the loss of a row, whose sum is minimized"


def conclude(
    prepared: Prepared, ready: Ready, box: Box | None, objective: RowObjective, run: RunResult
) -> FitOutcome:
    """Return the outcome of a run that looked at all rows, with its certificate, verdict and errors.

    ``objective`` is what it was on, without bounds.
    """
    judging = RowObjective(prepared.row, prepared.data, _scale(prepared, objective, run))
    if ready.objective.is_constrained:
        found, errors = _judged_on_face(prepared, ready, judging, box, run)
    else:
        found, errors = _judged(prepared, ready, judging, within(box, judging), run)
    ready.notes.extend(_unused(prepared.row))
    outcome = told(ready, (objective, judging), judging.factor, found, errors, prepared.count)
    x, verdict = found.run.best.at.x, found.verdict
    doubts = if_in_time(lambda: doubts_about(prepared, judging, x, outcome.statistics), NO_DOUBTS)
    return replace(
        outcome,
        advice=verdict.advice or doubts.advice,
        engine=_engine(prepared.problem, objective),
        warnings=(*outcome.warnings, *doubts.warnings),
        corrected=None if prepared.row.errors is None else _corrected(judging, x),
    )


def told(
    ready: Ready,
    objectives: tuple[Objective, Objective],
    unit: float,
    found: Judged,
    errors: Errors,
    rows: RowCount,
) -> FitOutcome:
    """Return the outcome of what was ``found`` about a run, in sums over rows; errors are told of a minimum alone.

    ``objectives`` are that of the run and that which judged it, where a value of 1 of the user's is ``unit``.
    """
    (taken, judging), sums, status = objectives, 1.0 / unit, found.verdict.status
    statistics, reason = errors.found, errors.reason
    if status not in (Status.CONVERGED, Status.WRONG_KIND):
        reason = "the fit did not end at a minimum"
        statistics = without_errors(statistics, reason)
    choice, settings, counts = ready.choice, ready.settings, taken.counts.copy()
    counts.add(judging.counts)
    run = _with_value(found.run.times(sums), errors, judging.has_wide)
    return FitOutcome.of(
        ready.problem,
        settings,
        ready.space,
        found._replace(
            run=replace(run, counts=counts),
            certificate=replace(found.certificate.times(sums), errors=_unknown_digits(errors)),
            active=tuple(held._replace(multiplier=held.multiplier * sums) for held in found.active),
        ),
        method=settings.method if settings.method == "auto" else choice.entry.name,
        used=choice.name,
        why=choice.why,
        engine="numpy",
        warnings=(*ready.notes, *((rows.told,) if rows.skipped else ()), *found.certificate.notes),
        rows=rows,
        statistics=statistics,
        unknown_errors=reason,
    )


def _corrected(judging: RowObjective, x: Vector) -> CorrectedPoints | None:
    from gdcli.tasks.fit.input_errors import corrected_points

    return if_in_time(lambda: corrected_points(judging, x), None)


def _judged(
    prepared: Prepared, ready: Ready, judging: RowObjective, seen: Objective, taken: RunResult
) -> tuple[Judged, Errors]:
    """Return what is found out about the run that was ``taken``, by an objective of another scale, and the errors."""
    problem = prepared.problem
    run, certificate = certified(seen, taken.times(judging.factor / ready.unit), ready.tol, True)
    active = active_bounds(seen, run, ready.space)
    errors = errors_in_time(prepared, run.best.at.x, active)
    certificate = by_residuals(certificate, errors, problem.linear, judging.factor)
    certificate = if_in_time(partial(_by_floor, certificate, errors, seen, run, ready.tol), certificate)
    certificate = if_in_time(partial(_by_reach, certificate, errors, seen, run), certificate)
    ranges = None
    if problem.loss in ("absolute", "quantile") and not active:
        from gdcli.tasks.fit.l1_vertex import prove

        slope = certificate.gradient_norm
        proof = if_in_time(lambda: prove(prepared, judging, run.best.at.x, slope, ready.tol), None)
        if proof is not None:
            certificate = proof.certificate
            ranges = proof.ranges if _are_inside(proof.ranges or (), seen) else None
    if ranges is None:
        ranges = level_in_time(seen, run, certificate)
    elsewhere = SEARCH if can_be_searched(prepared) else ""
    verdict = verdict_in_sums(ready, judging.factor, (taken, run), certificate, ranges, errors, elsewhere)
    if certificate.kind is PointKind.AT_INFINITY or run.reason is StopReason.AT_INFINITY:
        of_flight = partial(_of_flight, verdict, errors, judging, run.best.at, prepared.data.rows)
        verdict = if_in_time(of_flight, verdict)
    verdict = _by_loss(problem, judging, run.best.at.x, verdict)
    return Judged(run, certificate, verdict, active, ranges), errors


def _by_loss(problem: FitProblem, judging: RowObjective, x: Vector, verdict: Verdict) -> Verdict:
    """Return the verdict with what the loss says of an end that is no minimum."""
    if verdict.status is Status.DIVERGED and not problem.loss and problem.sign > 0:
        return verdict._replace(advice=_TILDE.format(problem.expression.strip()))
    if verdict.status is Status.STALLED and problem.loss in POSITIVE:
        return if_in_time(lambda: _at_no_mean(judging, x, verdict), verdict)
    return verdict


def _at_no_mean(judging: RowObjective, x: Vector, verdict: Verdict) -> Verdict:
    """Return the verdict, or that on a path that has ended where the mean of a row comes to 0."""
    ends = [(min(says), max(says)) for says, *_ in judging.vectors("fitted", x)]
    if min(low for low, _ in ends) > _NO_MEAN * max(high for _, high in ends):
        return verdict
    return verdict._replace(
        message="The path ran into the edge of the domain, where the mean of a row is 0, and the value falls on.",
        advice="a formula that is positive, as exp(...), or bounds that keep it so, as --bounds a=0:",
    )


def verdict_in_sums(
    ready: Ready,
    unit: float,
    runs: tuple[RunResult, RunResult],
    certificate: Certificate,
    ranges: Ranges | None,
    errors: Errors,
    elsewhere: str = "",
) -> Verdict:
    """Return the verdict on a run as it was taken and as it is judged, where a value of 1 of the user's is ``unit``.

    ``elsewhere`` says how to come to another start.
    """
    (taken, run), problem = runs, cast("FitProblem", ready.problem)
    largest, rate = certificate.eigenvalue_max, ready.unit / unit
    of_rate = replace(certificate, eigenvalue_max=None if largest is None else largest * rate)
    trend, searched = trend_in_time(ready, taken, of_rate), problem.searched is not None
    verdict = verdict_on(
        ready, run, of_rate, trend, ranges, "sum", unit=1.0 / unit, searched=searched, elsewhere=elsewhere
    )
    return _with_redundancy(verdict, errors, elsewhere)


def _judged_on_face(
    prepared: Prepared, ready: Ready, judging: RowObjective, box: Box | None, taken: RunResult
) -> tuple[Judged, Errors]:
    """Return the same of a run within constraints; the errors are those on the face of the active ones."""
    from gdcli.tasks.constrained_problem import judged_constrained, within_constraints
    from gdcli.tasks.fit.jacobian_errors import face_of, listed_of

    problem = prepared.problem
    rows = problem.rows()[0]
    seen = within_constraints(problem, rows, box, judging, ready.space)
    again = replace(ready, objective=seen, unit=judging.factor)
    found = judged_constrained(again, rows, taken.times(judging.factor / ready.unit), constant=False)
    evidence, x = found.constraints, found.run.best.at.x
    assert evidence is not None
    face = if_in_time(lambda: face_of(seen, x, evidence), None)
    errors = errors_in_time(prepared, x, found.active, face)
    is_end = found.verdict.status is Status.CONVERGED
    if is_end and face is not None and errors.found is not None and not errors.reason:
        held = [state.text for state in evidence.states if any(listed_of(state.active))]
        ready.notes.append(f"the standard errors are those of moves along what holds: {listed(held)}")
    sums = 1.0 / judging.factor
    states = tuple(state._replace(multiplier=_scaled(state.multiplier, sums)) for state in evidence.states)
    return found._replace(constraints=evidence._replace(states=states)), errors


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, list | tuple):
        return [_scaled(v, factor) for v in value]
    return None if value is None else value * factor


def _engine(problem: FitProblem, objective: RowObjective) -> str:
    """What computed the answer; a search for its start is made by arrays."""
    return "numpy" if problem.searched and objective.engine == "python" else objective.engine


def _unknown_digits(errors: Errors) -> tuple[float, ...] | None:
    """What rounding leaves open of the parameters of a model that says all that was measured; else errors tell more."""
    exact = errors.found is not None and errors.found.exact
    return errors.left.blur if exact and errors.left is not None else None


def _with_value(run: RunResult, errors: Errors, wide: bool) -> RunResult:
    """Return a run whose best value is the sum of squares with the digits that wide residuals give it."""
    exact = errors.found.rss if wide and errors.found is not None else None
    if exact is None:
        return run
    best = run.best._replace(at=run.best.at._replace(value=exact))
    return replace(run, best=best, last=best if run.last is run.best else run.last)


def _scale(prepared: Prepared, objective: RowObjective, result: RunResult) -> float:
    """The scale that makes the mean loss at the answer 1, so that a gain is judged as a part of it.

    What is left of a perfect fit is rounding, and no measure: a part of the sum of squares of the data is it then.
    """
    mean = result.best.at.value / (objective.factor * prepared.data.rows)
    if not prepared.problem.loss or not math.isfinite(mean):
        return 1.0
    if prepared.row.residual is not None:
        measured = if_in_time(lambda: _mean_square(prepared, result.best.at.x), 0.0)
        mean = max(mean, _ROUNDING * measured)
    return scale_of(mean)


def scale_of(size: float) -> float:
    """Return the scale that makes a size 1; 1 of what is none, or too small for it."""
    return 1.0 / size if 0.0 < size < math.inf and math.isfinite(1.0 / size) else 1.0


def _mean_square(prepared: Prepared, x: Vector) -> float:
    (total,) = RowObjective(prepared.row, prepared.data).over(_squares, added, tuple(x))
    return float(total) / prepared.data.rows


def _squares(objective: RowObjective, x: Sequence[float]) -> list[float]:
    total = 0.0
    for response, _ in objective.vectors("weighing", x):
        total += dot(response, response)
    return [total]


def by_residuals(found: Certificate, errors: Errors, linear: bool, unit: float) -> Certificate:
    """Return what the linear model of the residuals tells beyond the Hessian; ``unit`` is what a unit of the sum is.

    Where rounding blurs the Hessian, a Jacobian of full rank tells that a stationary point is a minimum: the Hessian
    squares the condition of the Jacobian, whose factor still tells its rank. What a step can still gain is then what
    the linear model promises, and nothing where that is no more than rounding.
    """
    left, kind, gap = errors.left, found.kind, found.estimated_gap
    if left is None or not errors.full_rank:
        return found
    if kind is PointKind.MINIMUM and gap is not None and gap <= EPS * left.total * unit:
        return found  # the value itself is blurred by more
    doubtful = kind in (PointKind.DEGENERATE, PointKind.UNKNOWN)
    told = replace(found, kind=PointKind.MINIMUM, estimated_gap=left.misfit * unit, known=True, notes=())
    if doubtful:
        told = replace(told, how=CurvatureSource.JACOBIAN)
    bowl = linear or (found.eigenvalue_min or 0.0) > 0.0
    stationary = doubtful or kind in (PointKind.MINIMUM, PointKind.NOT_STATIONARY)
    if left.is_rounding or (left.misfit <= left.floor and bowl and stationary):
        return replace(told, estimated_gap=0.0, distance=None)
    # Where a step of the linear model could still take much away the point is not stationary, whatever the rank.
    return told if doubtful and left.misfit <= CLOSE * left.total else found


def _by_floor(found: Certificate, errors: Errors, seen: Objective, run: RunResult, tol: float) -> Certificate:
    """Return what is to be said of a degenerate end, or a corner of a smooth sum, where the Jacobian has full rank: the
    kind is unknown where the floor of its valley does not rise both ways by more than ``tol`` of the value, as on a
    parameter's way to infinity, or where the residuals contradict it.
    """
    doubtful = found.kind is PointKind.DEGENERATE or (found.kind is PointKind.KINK and seen.is_smooth)
    source = hessian_source(seen)
    if not errors.full_rank or source is CurvatureSource.NONE:
        return found
    if _is_contradicted(found, errors, seen, run, source):
        return replace(found, kind=PointKind.UNKNOWN, estimated_gap=None, notes=(*found.notes, _NO_DIGITS))
    if not doubtful or (errors.left is None and not seen.is_smooth):
        return found
    from gdcli.solve.probe.valley import sides_of_floor

    at = with_hessian(seen, run.best.at, source)
    with quiet(at.x):
        sides = sides_of_floor(*in_own_units(seen, at, run.start.at), tol * abs(at.value), source)
    return found if sides.rises else replace(found, kind=PointKind.UNKNOWN, estimated_gap=None)


def _is_contradicted(
    found: Certificate, errors: Errors, seen: Objective, run: RunResult, source: str
) -> bool:
    """Tell whether a step of the linear model could still take much of a sum of squares away, while the second
    derivatives that tell the kind have no digits: they are below the normal numbers, or vanish beside the largest.
    """
    left = errors.left
    if left is None or errors.found is None or left.is_rounding or not seen.has_residuals:
        return False
    if left.misfit <= CLOSE * left.total:
        return False
    if found.kind is PointKind.MINIMUM:
        hessian = with_hessian(seen, run.best.at, source).hessian
        return hessian is not None and any(0.0 < abs(h) < SMALLEST_NORMAL for h in diagonal(hessian))
    return found.kind is PointKind.DEGENERATE and errors.found.errors.weakest < _WEAK


def _by_reach(found: Certificate, errors: Errors, seen: Objective, run: RunResult) -> Certificate:
    """Return what is to be said of a minimum where the loss never rises one way over several standard errors of a
    parameter, and rises the other way: it is at infinity.

    A standard error says that it rises both ways within its length. Where a group of rows has no counts, say, the loss
    falls for ever as the coefficient of that group goes to -infinity, and soon by less than rounding.
    """
    at, told = run.best.at, None if errors.found is None else errors.found.errors
    is_exact = errors.left is not None and errors.left.is_rounding
    if (
        found.kind not in (PointKind.MINIMUM, PointKind.DEGENERATE)
        or told is None
        or errors.redundant
        or is_exact
    ):
        return found

    def is_level(way: list[float], sign: float) -> bool:
        for length in _LENGTHS:
            goal = as_like(at.x, [x + sign * length * move for x, move in zip(at.x, way, strict=True)])
            there = seen.evaluate(goal, 0)
            is_held = seen.box is not None and there.x is not goal
            if is_held or not there.value <= at.value + FLOOR * abs(at.value):
                return False
        return True

    for i, error in enumerate(told.standard_errors):
        if error is None or not abs(at.x[i]) < error < math.inf:
            continue
        ways = [[error * (j == i) for j in range(len(at.x))]]
        if told.factor is not None:
            ways.append([dot(Vec(row), Vec(told.factor[i])) / error for row in told.factor])
        if any(is_level(way, 1.0) is not is_level(way, -1.0) for way in ways):
            return replace(found, kind=PointKind.AT_INFINITY, estimated_gap=None)
    return found


def _of_flight(verdict: Verdict, errors: Errors, judging: RowObjective, at: Evaluation, rows: int) -> Verdict:
    """Return the verdict on a run to infinity with the parameters that the data do not determine there.

    Their standard errors are larger than they are themselves, or unknown, and yet they are not 0: there the loss is
    larger by more than that of a row, or than 1.
    """
    if verdict.status is not Status.DIVERGED or errors.found is None:
        return verdict
    told, row = errors.found.errors, min(abs(at.value) / rows, judging.factor)
    free = []
    for i, error in enumerate(told.standard_errors):
        at_zero = as_like(at.x, [0.0 if j == i else x for j, x in enumerate(at.x)])
        is_wide = error is None or error > abs(at.x[i])
        if is_wide and not judging.evaluate(at_zero, 0).value <= at.value + row:
            free.append(f"{judging.row.space.label(i)} ({at.x[i]:.3g} here)")
    if not free:
        return verdict
    return verdict._replace(
        message=f"{verdict.message} The data do not determine {listed(free)}.",
        advice="a model with fewer parameters, a value for one of these with --set, or --bounds",
    )


def _with_redundancy(verdict: Verdict, errors: Errors, elsewhere: str) -> Verdict:
    """A minimum whose parameters cannot be told apart is no answer; where they nearly cannot, that is what to mend."""
    weakest = 1.0 if errors.found is None else errors.found.errors.weakest
    if not errors.redundant and verdict.status in (Status.LIMIT, Status.STALLED) and weakest < _WEAK:
        return verdict._replace(advice=_NEARLY)
    if not errors.redundant or verdict.status not in (Status.CONVERGED, Status.STALLED):
        return verdict
    message = f"The data do not tell all parameters ({errors.redundant})."
    or_else = f", or {elsewhere}" if elsewhere else ""
    return verdict._replace(
        status=Status.WRONG_KIND,
        message=message,
        advice=f"give one of them a value with --set, or change the model{or_else}",
    )


def _are_inside(ranges: Ranges, seen: Objective) -> bool:
    """Tell whether no bound cuts off a part of the ranges."""
    box = seen.box
    if box is None:
        return True
    ends = zip(ranges, box.lower, box.upper, strict=True)
    return all(lower <= low and high <= upper for (low, high), lower, upper in ends)


def _unused(row: RowModel) -> list[str]:
    used = {row.graph.keys[i] for i in row.graph.reach([row.loss])}
    unused = [row.space.label(i) for i, key in enumerate(row.parameter_leaves) if key not in used]
    return [f"the loss does not depend on {listed(unused)}"] if unused else []


# A mean that is this part of the largest one is 0.
_NO_MEAN = 1e-9
# A sum of squares that is larger than another one by no more than this part of it may be so by rounding.
_MORE = 1e-6
# How a fit that has ended badly comes to another start.
SEARCH = "--start auto, which searches for a better start"


class Doubts(NamedTuple):
    """What speaks against an end, and what to try next; empty where nothing does."""

    warnings: tuple[str, ...] = ()
    advice: str = ""


NO_DOUBTS = Doubts()


def doubts_about(
    prepared: Prepared, objective: RowObjective, x: Vector, statistics: FitStatistics | None
) -> Doubts:
    problem, found = prepared.problem, []
    squares = None if statistics is None else statistics.r_squared
    if squares is not None and squares < -_MORE and problem.loss == "squared":
        times = 1.0 - squares
        told = f"{times:.3g} times" if times > 1.1 else f"{-100.0 * squares:.2g} % more than"
        found.append(f"the fit is worse than a constant: its sum of squares is {told} that about the mean")
    pole = pole_among(objective, x)
    if pole:
        found.append(f"the model has a pole among the rows: its divisor {pole}")
    if not found:
        return NO_DOUBTS
    if problem.linear:
        return Doubts(tuple(found), "another model: add a constant to it, for example")
    if problem.searched:
        return Doubts(tuple(found), "another model, or a start of your own")
    return Doubts(tuple(found), SEARCH if can_be_searched(prepared) else "a start of your own")


def can_be_searched(prepared: Prepared) -> bool:
    problem = prepared.problem
    return prepared.row.response is not None and not problem.linear and not problem.searched
