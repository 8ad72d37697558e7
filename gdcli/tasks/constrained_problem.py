"""A problem with constraints: its objective within them, where it may start, and what is told of its end."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, cast

from gdcli.judge.kkt import certify_constrained, constrained_verdict
from gdcli.kernel.budget import if_in_time, size_text
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DomainError, UsageError
from gdcli.kernel.number_format import short
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import Space, Vector, np, to_list
from gdcli.language import constraints
from gdcli.language.form import size_when_expanded
from gdcli.objective.build import EXPAND_NODES
from gdcli.objective.constrained import Constrained
from gdcli.objective.constraint_rows import ConstraintRows, LongRows, linear_rows
from gdcli.objective.protocol import Box, Objective
from gdcli.solve.iteration import RunResult
from gdcli.tasks.pipeline import ActiveBound, Judged, Ready, verdict_on
from gdcli.tasks.problem import Problem

if TYPE_CHECKING:
    from gdcli.judge.kkt import ConstraintEvidence
    from gdcli.language.constraints import ConstraintRow
    from gdcli.objective.constraint_rows import LinearRows
    from gdcli.solve.constrained.kkt_point import KKTPoint

# A start on a bound where value or slopes are infinite is moved inside by this part of max(1, its size).
_INSIDE = 1e-3
# Constraints that are not linear are solved with dense matrices of all variables, their count cubed in time: beyond so
# many bytes of them an answer would take hours.
_MOST_BYTES = 2**31
# Of a direction so many parts are told, and none that is so small beside the largest.
_MOST_PARTS, _NO_PART = 6, 1e-3


def within_constraints(
    problem: Problem, rows: list[ConstraintRow], box: Box | None, objective: Objective, space: Space
) -> Constrained:
    """Return the objective within its bounds (None: there are none) and the constraints that are no bounds."""
    compact = constraints.build(rows, problem.lengths, problem.constants)
    expanded: list[constraints.Constraint] = []
    made: ConstraintRows | LinearRows | LongRows | None
    if sum(size_when_expanded(one.form) for one in compact) > EXPAND_NODES:
        made = linear_rows(compact, space)
        if made is None:
            made = LongRows(compact, space)
            _check_size(objective.size, made.count)
    else:
        expanded = constraints.build(rows, problem.lengths, problem.constants, expand=True)
        made = ConstraintRows(expanded, space)
    if box is None:
        n = objective.size
        box = Box(objective.vector([-inf] * n), objective.vector([inf] * n))
    return Constrained(objective, made, box, expanded)


def _check_size(variables: int, constraints: int) -> None:
    """Raise UsageError where the matrices of constraints that are not linear would be too large."""
    size = 8 * variables * (3 * variables + constraints)
    if size > _MOST_BYTES:
        raise UsageError(
            f"{variables} variables with {constraints} constraints that are not linear take dense matrices of "
            f"{size_text(size)}",
            f"gd goes up to {size_text(_MOST_BYTES)}; linear constraints and bounds may be more",
        )


def inner_start(rows: list[ConstraintRow], objective: Constrained, x0: Vector, notes: list[str]) -> Any:
    """Return the start, moved a little inside the bounds where value or slopes are not finite on them, which is noted.

    Raises DomainError where a constraint has no value there, or slopes none nearby.
    """
    x = objective.whole(x0)
    for part in (0.0, _INSIDE):
        room = np.minimum(objective.units(x), objective.upper - objective.lower)
        moved = np.clip(x, objective.lower + part * room, objective.upper - part * room)
        if np.isfinite(objective.values(moved)[0]) and objective.slopes(moved) is not None:
            if part:
                notes.append(
                    "value or slopes are not finite at the start, which was moved a little inside the bounds"
                )
            objective.measure(moved)
            return objective.vector(moved)
    values = objective.constraints.values(x)
    for row, first in zip(rows, objective.constraints.firsts, strict=True):
        if np.isnan(values[first]):
            raise DomainError(f"{row.text} has no value at the start", "start inside the domain", row.span)
    raise DomainError("the slopes are not finite at the start", "start elsewhere")


def judged_constrained(ready: Ready, rows: list[ConstraintRow], result: RunResult, constant: bool) -> Judged:
    """Return the end of a constrained run with its certificate, the constraints there, and the verdict."""
    objective: Any = ready.objective
    texts, sign = tuple(row.text for row in rows), ready.problem.sign
    certificate, evidence, point = certify_constrained(objective, result, texts, sign)
    if result.reason is StopReason.INFEASIBLE:
        evidence = if_in_time(lambda: _with_conflict(evidence, ready, texts, result), evidence)
    verdict = constrained_verdict(result, evidence)
    if verdict is None:
        verdict = verdict_on(ready, result, certificate, None, None, constant=constant and not rows)
    if result.reason is StopReason.UNBOUNDED:
        ray = _direction(result, ready.space)
        verdict = verdict._replace(message=f"{verdict.message[:-1]}; its direction is {ray}.")
    result = replace(result, counts=objective.counts.copy())
    active = if_in_time(lambda: _active_bounds(objective, point, ready.space), ())
    return Judged(result, certificate, verdict, active, constraints=evidence)


def _direction(result: RunResult, space: Space) -> str:
    """Return in which direction a run has gone, its largest part made 1, without what is nothing beside that."""
    steps = [b - a for a, b in zip(to_list(result.start.at.x), to_list(result.best.at.x), strict=True)]
    most = max(map(abs, steps))
    parts = [(space.label(i), step / most) for i, step in enumerate(steps) if abs(step) > _NO_PART * most]
    told = [f"{label} = {short(part, 3)}" for label, part in parts[:_MOST_PARTS]]
    more = len(parts) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _with_conflict(
    evidence: ConstraintEvidence, ready: Ready, texts: tuple[str, ...], result: RunResult
) -> ConstraintEvidence:
    from gdcli.judge.infeasible import conflict

    objective = cast("Constrained", ready.objective).typed
    x, start = (objective.whole(at.x) for at in (result.best.at, result.start.at))
    found = conflict(objective, x, start, texts, ready.space.labels)
    return evidence._replace(conflict=found.texts, proved=found.proved)


def _active_bounds(objective: Constrained, point: KKTPoint | None, space: Space) -> tuple[ActiveBound, ...]:
    """Return the bounds that hold the answer with a multiplier that is not 0."""
    if point is None:
        return ()
    found = []
    for i in np.flatnonzero(point.face.at_lower | point.face.at_upper):
        fixed = bool(objective.lower[i] == objective.upper[i])
        side = "fixed" if fixed else "lower" if point.face.at_lower[i] else "upper"
        multiplier = abs(float(point.below[i] if point.face.at_lower[i] else point.above[i]))
        bound = float(objective.upper[i] if side == "upper" else objective.lower[i])
        if multiplier:
            found.append(ActiveBound(space.label(int(i)), side, bound, multiplier))
    return tuple(found)
