"""One problem solved: the objective made, a method chosen and run, the end certified and judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from gdcli.judge.evidence import LEVEL_NOTE, Certificate
from gdcli.kernel import budget
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DomainError, UsageError
from gdcli.kernel.number_format import short
from gdcli.kernel.status import PointKind, Status, StopReason
from gdcli.kernel.vectors import Space, Vector, along, max_abs, norm, to_list
from gdcli.solve.scaling import start_sizes
from gdcli.solve.settings import Settings
from gdcli.tasks.pipeline import (
    Judged,
    Outcome,
    Ready,
    active_bounds,
    box_and_start,
    certified,
    choose_by,
    in_a_valley,
    level_in_time,
    trend_in_time,
    verdict_on,
    within,
)
from gdcli.tasks.problem import Problem, listed
from gdcli.tasks.proved import at_limit, box_program, is_small, lost_within, sizes_of, with_claim

if TYPE_CHECKING:
    from gdcli.judge.verdict import Verdict
    from gdcli.language.constraints import ConstraintRow
    from gdcli.language.syntax import Tree
    from gdcli.objective.build import Build, Exact
    from gdcli.objective.difference_objective import Sampler, SlackSampler
    from gdcli.objective.protocol import Box
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.iteration import Iterate, Observer, RunResult
    from gdcli.tasks.domain_ends import DomainEnd
    from gdcli.tasks.problem import Bounds


# Up to this many variables the sub-expression at the edge of the domain is looked for: that walks the tree, a second.
EDGE_SIZE = 200_000
# What is so small a part of the way is 0.
_SAME_PLACE = 1e-12


# What every run takes beside its start, in vectors: eleven for points and gradients of a step and what is made of
# them, five for the answer as a list of numbers. This is what gradient descent needs.
VECTORS = 16


# So many constraints that say nothing are told.
MOST_NOTED = 5


# The vectors that are made between two looks at the memory, and afterwards.
STEP = 6


def solve(
    problem: Problem,
    settings: Settings | None = None,
    observers: Sequence[Observer] = (),
    formulas: bool = False,
    build: Build | None = None,
    checkpointer: Checkpointer | None = None,
) -> Outcome:
    """Solve ``problem`` and return the answer with its certificate.

    ``observers`` see every iterate; ``formulas`` asks for the gradient as text; ``build`` makes the objective, and may
    be a `gdcli.objective.shared_objectives.SharedObjectives` that serves many problems; a ``checkpointer`` may end the
    run, and lets it go on later. Raises UsageError for a contradictory or unknown setting and DomainError when the
    start has no finite value.
    """
    settings = settings or Settings()
    with budget.limited(settings):
        return _solve(problem, settings, observers, formulas, build, checkpointer)


def _solve(
    problem: Problem,
    settings: Settings,
    observers: Sequence[Observer],
    formulas: bool,
    build: Build | None,
    checkpointer: Checkpointer | None,
) -> Outcome:
    from gdcli.objective.build import tier_of

    check_memory(problem)
    _check_asked(problem, formulas, checkpointer is not None)
    tree, exact = problem.tree, _exact(problem, settings, build)
    rows = problem.rows()[0] if problem.subject_to else []
    ready, box = made_ready(problem, settings, exact, rows)
    tier = tier_of(exact, settings.engine, not settings.no_cache, whole=ready.objective is exact)
    result = ready.run(observers, checkpointer, tier)
    found, domain, edge = _concluded(ready, box, exact, rows, result, observers)
    if found.certificate.proof is None and found.verdict.status is not Status.DIVERGED:
        edge += budget.if_in_time(lambda: _rounding(ready, exact, found.run), [])
    shown = _formulas_in_time(tree, problem, ready.notes) if tree is not None and formulas else None
    if tree is None and settings.gradient == "autodiff":
        settings = replace(settings, gradient="central" if exact.is_estimated else "given")
    return Outcome.of(
        problem,
        settings,
        exact.space,
        found,
        method=ready.choice.entry.name,
        used=ready.choice.name,
        why=ready.choice.why,
        engine=exact.engine if tier is None else tier.engine,
        warnings=(*ready.notes, *_warnings(exact, found.run, rows), *edge, *found.certificate.notes),
        formulas=shown,
        domain=domain,
    )


def _concluded(
    ready: Ready,
    box: Box | None,
    exact: Exact,
    rows: list[ConstraintRow],
    result: RunResult,
    observers: Sequence[Observer],
) -> tuple[Judged, Bounds, list[str]]:
    """Return the judgement on the end of a run, the ends of the domain that it was found within, and what is told of
    the edge of the domain.
    """
    if rows:
        from gdcli.solve.run import quiet
        from gdcli.tasks.constrained_problem import judged_constrained

        with quiet(None):
            found = judged_constrained(ready, rows, result, exact.is_constant())
    else:
        found = _judged(ready, box, exact, result)
    if found.verdict.status is Status.STALLED and not rows and ready.settings.method == "auto":
        further = budget.if_in_time(lambda: _within_domain(ready, exact, found.run, observers), None)
        if further is not None:
            return further
    if found.verdict.status.exit_code == 0:
        return found, {}, []
    return found, {}, budget.if_in_time(lambda: _edge(ready.problem, exact, found.run), [])


def _within_domain(
    ready: Ready, exact: Exact, result: RunResult, observers: Sequence[Observer]
) -> tuple[Judged, Bounds, list[str]] | None:
    """Go on from the end of a run within the ends of the domain beside it; return the judgement, these ends, and what
    tells of them. None where none is proved, or where no minimum is found within them.
    """
    from gdcli.tasks.domain_ends import DomainEnds

    if ready.problem.tree is None or not is_small(exact):
        return None
    known, start = DomainEnds(ready.problem, ready.bounding), to_list(result.start.at.x)
    ends: list[DomainEnd] = []
    seen: list[Iterate] = []
    while result.reason.status is None:
        x = to_list(result.best.at.x)
        further = known.beside(x, sizes_of(x, start), ends)
        if not further:
            return None
        ends += further
        domain = known.bounds(ends)
        found = _gone_on(ready, exact, result, domain, seen)
        result = found.run
        is_found = found.verdict.status is Status.CONVERGED
        if is_found and not known.faults_of(domain, to_list(result.best.at.x)):
            for observer in observers:
                for iterate in seen:
                    observer(iterate)
            return found, domain, known.told(sorted(ends))
    return None


def _gone_on(ready: Ready, exact: Exact, run: RunResult, domain: Bounds, seen: list[Iterate]) -> Judged:
    """Return the judgement on a run gone on with within a ``domain``, whose further iterates are added to ``seen``."""
    from gdcli.tasks.domain_ends import with_domain

    problem, settings, space = ready.problem, ready.settings, exact.space
    start, bounds = space.unflatten(to_list(run.best.at.x)), with_domain(problem.bounds, domain, space)
    left = replace(settings, max_iter=settings.most_iterations - run.last.iteration)
    inner, box = made_ready(replace(problem, start=start, bounds=bounds), left, exact, [])
    iterates: list[Iterate] = []
    further = inner.run([lambda iterate: iterates.append(iterate)])
    seen += map(run.followed_by, iterates[1:])
    return _judged(replace(inner, bounding=ready.bounding), box, exact, run.continued(further))


def _check_asked(problem: Problem, formulas: bool, is_kept: bool) -> None:
    if problem.tree is None and (formulas or is_kept):
        what = "are no formulas" if formulas else "is no checkpoint"
        raise UsageError(f"there {what} of a function: it has no text", "write it as text, or with sympy")


def _exact(problem: Problem, settings: Settings, build: Build | None) -> Exact:
    tree = problem.tree
    if build is not None and tree is not None and settings.engine == "auto":
        return build(tree, problem.lengths, problem.constants, problem.sign)
    return problem.objective(problem.sign, settings.engine, not settings.no_cache)


def made_ready(
    problem: Problem, settings: Settings, exact: Exact, rows: list[ConstraintRow]
) -> tuple[Ready, Box | None]:
    """Return the problem with the gradient that was asked for and the method that goes with it, and its bounds.

    ``rows`` are the constraints that are no bounds.
    """
    from gdcli.objective.build import with_gradient

    box, x0, notes = box_and_start(problem, exact)
    if problem.subject_to:
        notes += [
            f"{text} has no variable, and always holds" for text in problem.idle_constraints()[:MOST_NOTED]
        ]
    sign, constants = problem.sign, problem.constants
    bounding = cache(partial(box_program, problem))
    sizes = lambda: start_sizes(x0, box)  # noqa: E731
    function = with_gradient(exact, settings.gradient, settings.h, constants, sign, sizes)
    if not rows:
        check_start(problem, problem.tree, exact, x0)
    else:
        from gdcli.objective.epigraph import in_epigraph
        from gdcli.tasks.constrained_problem import inner_start, within_constraints

        constrained = within_constraints(problem, rows, box, function, exact.space)
        choice = choose_by(settings, constrained)
        if choice.entry.name == "auto":
            constrained = in_epigraph(constrained)
        try:
            x0 = inner_start(rows, constrained, x0, notes)
        except DomainError:
            check_start(problem, problem.tree, exact, x0)  # tells what of the expression it is
            raise
        return Ready(problem, settings, exact.space, constrained, x0, choice, notes, bounding=bounding), box
    objective = within(box, function)
    choice = choose_by(settings, objective)
    return Ready(problem, settings, exact.space, objective, x0, choice, notes, bounding=bounding), box


def _judged(ready: Ready, box: Box | None, exact: Exact, result: RunResult) -> Judged:
    """Return the judgement on the end of a run, or on a point next to it where the text gives 0/0."""
    tree, found = ready.problem.tree, None
    if tree is not None and "/" in tree.text and is_small(exact):
        found = budget.if_in_time(lambda: at_limit(ready, box, exact, result), None)
    return found or _judged_end(ready, box, exact, result)


def _judged_end(ready: Ready, box: Box | None, exact: Exact, result: RunResult) -> Judged:
    trusted = _trusted(ready.problem, exact, result, ready.notes)
    evidence = within(box, trusted)
    is_exact = trusted is exact and ready.settings.gradient == "autodiff"
    if trusted is exact or _is_affordable(exact):
        result, certificate = certified(evidence, result, ready.tol, is_exact)
    else:
        note = "of so many variables the end is not certified by difference quotients"
        certificate = Certificate(PointKind.UNKNOWN, None, notes=(note,))
    certificate = _as_known(trusted, result, certificate, ready.notes)
    trend = trend_in_time(ready, result, certificate)
    ranges = level_in_time(evidence, result, certificate)
    if ranges is not None:  # they say it, and where
        certificate.notes = tuple(note for note in certificate.notes if note != LEVEL_NOTE)
    result = replace(result, counts=exact.counts.copy())  # the evidence is part of the work
    active = active_bounds(evidence, result, exact.space)
    if len(active) == exact.size:  # no variable is free: there is no curvature to speak of
        certificate = replace(certificate, eigenvalue_min=None, eigenvalue_max=None, condition=None)
    is_constant = exact.is_constant()

    def verdict_of(seen: Certificate) -> Verdict:
        return verdict_on(ready, result, seen, trend, ranges, constant=is_constant)

    certificate, verdict = with_claim(ready, result, certificate, box, exact, ranges is not None, verdict_of)
    if certificate.kind == PointKind.DEGENERATE and ranges is None and not is_constant:
        verdict = in_a_valley(verdict, evidence, result, exact.space, ready.problem.sign)
    if result.reason is StopReason.GAP and not certificate.rounded:
        result = replace(result, reason=StopReason.LITTLE)
    return Judged(result, certificate, verdict, active, ranges)


def _trusted(problem: Problem, exact: Exact, result: RunResult, notes: list[str]) -> Exact:
    """Return what certifies the end of a run: without derivatives that came and are not its own, which is noted."""
    if problem.tree is not None:
        return exact
    from gdcli.objective.function_objective import FunctionObjective

    assert isinstance(exact, FunctionObjective)
    places = (result.start.at.x, result.best.at.x)
    found = budget.if_in_time(lambda: next(filter(None, map(exact.doubts, places)), []), [])
    notes += found
    return exact.by_values() if found else exact


def _is_affordable(exact: Exact) -> bool:
    """Tell whether difference quotients of values can take the place of derivatives."""
    from gdcli.objective.difference_objective import MAX_SIZE

    return exact.size <= MAX_SIZE


def _as_known(trusted: Exact, result: RunResult, certificate: Certificate, notes: list[str]) -> Certificate:
    """Return the certificate without what difference quotients of values leave unknown, which is noted.

    By how much their slopes err is not known, nor what is left to gain by them; curvatures are where they are clear.
    """
    if not trusted.is_estimated:
        return certificate
    from gdcli.objective.function_objective import FunctionObjective

    assert isinstance(trusted, FunctionObjective)
    notes.append("the derivatives are difference quotients of values")
    found = replace(certificate, known=False, distance=None, errors=None)
    low = certificate.eigenvalue_min
    if low is None or abs(low) > budget.if_in_time(lambda: trusted.curvature_error(result.best.at), 0.0):
        return found
    notes.append("the smallest curvature is none that difference quotients can tell from 0")
    return replace(found, eigenvalue_min=None, eigenvalue_max=None, condition=None)


def _formulas_in_time(tree: Tree, problem: Problem, notes: list[str]) -> Mapping[str, str] | None:
    """Return the formulas of the gradient, or note that there was no time for them."""
    found = budget.if_in_time(lambda: _formulas(tree, problem.lengths, problem.constants), None)
    if found is None:
        notes.append("there was no time for the formulas of the gradient")
    return found


def check_memory(problem: Problem) -> None:
    """Raise LimitError where the vectors that every method keeps cannot fit."""
    size = sum(length or 1 for length in problem.lengths.values())
    budget.keep_free(8.0 * size * STEP)
    budget.require(8.0 * size * VECTORS, f"a run with {size} numbers")


def check_start(problem: Problem, tree: Tree | None, exact: Exact, x0: Vector, place: str = "start") -> None:
    """Raise DomainError, naming the sub-expression at fault, when the start (or point) has no finite value."""
    value = exact.evaluate(x0).value
    exact.counts.value -= 1  # a look before the run, which counts its own evaluations
    if abs(value) < float("inf"):
        return
    from gdcli.language.interpreter import find_culprit

    point = exact.space.unflatten(x0)
    culprit = find_culprit(tree, {**point, **problem.constants}, problem.constants) if tree else None
    where = "the objective" if tree else problem.expression
    if culprit is not None:
        element = "" if culprit.at is None else f" at element {culprit.at}"
        where = culprit.piece + element + (f": {culprit.told}" if culprit.told else "")
    what = "has no finite value"
    if culprit is not None and culprit.value == float("inf"):
        what = "is too large to be a number"
    elif value == -float("inf"):
        what = "is -inf, unbounded,"
    raise DomainError(
        f"the expression {what} at the {place} ({where})",
        "start inside the domain, for example with another --start"
        if place == "start"
        else "give a point inside the domain with --at",
        None if culprit is None else culprit.tree.span(culprit.node),
    )


def _edge(problem: Problem, exact: Exact, result: RunResult) -> list[str]:
    """The sub-expression whose domain ends downhill of the answer, where the run ended at such an edge."""
    from gdcli.language.interpreter import find_culprit

    at, tree = result.best.at, problem.tree
    if result.reason not in (StopReason.EDGE, StopReason.NO_DESCENT, StopReason.FLOOR) or at.gradient is None:
        return []
    slope = norm(at.gradient)
    if tree is None or exact.size > EDGE_SIZE or not 0.0 < slope < math.inf:
        return []
    for k in range(-16, 1):
        beyond = along(at.x, -(10.0**k) * max(1.0, norm(at.x)) / slope, at.gradient)
        if abs(exact.evaluate(beyond).value) < math.inf:
            continue
        point = {**exact.space.unflatten(beyond), **problem.constants}
        culprit = find_culprit(tree, point, problem.constants)
        if culprit is not None:
            return [f"the edge of the domain is that of {culprit.piece}: beyond it {culprit.told}"]
    return []


def _rounding(ready: Ready, exact: Exact, result: RunResult) -> list[str]:
    """Tell between which ends the value at the answer lies, where rounding may take digits that count."""
    if ready.problem.tree is None or not is_small(exact):
        return []
    ends = lost_within(ready, result)
    if ends is None:
        return []
    low, high = sorted(ready.problem.sign * end for end in ends)
    return [
        f"rounding leaves open where between {short(low, 6)} and {short(high, 6)} the value at the answer lies"
    ]


def _warnings(exact: Exact, result: RunResult, rows: list[ConstraintRow]) -> list[str]:
    """What a user should know beside the answer."""
    found = []
    unused = [name for name in exact.unused if not any(name in row.tree.names for row in rows)]
    if exact.is_constant() and not rows:
        found.append(f"the expression does not depend on {listed(exact.space.names)}")
    elif unused:
        found.append(f"the value does not depend on {listed(unused)}")
    if result.best.at.note:
        found.append(f"at the answer {result.best.at.note}")
    return found + budget.if_in_time(lambda: _crossed(exact, result), [])


def _crossed(exact: Exact, result: RunResult) -> list[str]:
    """Tell of a pole between the start and the answer: steps that do not look at the value may go across one."""
    pole = exact.pole_between(result.start.at.x, result.best.at.x)
    if pole is None:
        return []
    x, near = to_list(pole), _SAME_PLACE * max_abs(result.best.at.x - result.start.at.x)
    place = f", at {exact.space.label(0)} = {0.0 if abs(x[0]) < near else x[0]:.6g}" if len(x) == 1 else ""
    return [f"steps went across a pole: the value is infinite between the start and the answer{place}"]


def _formulas(tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> dict[str, str]:
    from gdcli.calculus.formula_text import gradient, text

    return {name: text(slope) for name, slope in gradient(tree, lengths, constants).items()}


def shared_objectives() -> Build:
    """Return what makes objectives for :func:`solve` and compiles an expression that many problems share once."""
    from gdcli.objective.shared_objectives import SharedObjectives

    return SharedObjectives()


def slack_sampler(problem: Problem) -> tuple[list[tuple[str, bool]], SlackSampler] | None:
    """Return the constraints that are no bounds, each with whether it is an equation, and what evaluates them.

    None where there are none.
    """
    rows = problem.rows()[0] if problem.subject_to else []
    if not rows:
        return None
    from gdcli.language import constraints
    from gdcli.objective.difference_objective import SlackSampler

    built = constraints.build(rows, problem.lengths, problem.constants, expand=True)
    return [(one.text, one.is_equation) for one in built], SlackSampler(built, Space(problem.lengths))


def sampler(problem: Problem) -> Sampler:
    """Return what evaluates the typed expression at many places, as a picture of it needs."""
    from gdcli.objective.difference_objective import Sampler

    return Sampler(problem.objective(1), problem.start)
