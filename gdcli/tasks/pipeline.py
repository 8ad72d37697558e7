"""The evidence about the end of a run, and the bounds within which it took place.

What every solved problem has in common: its stop rules, its bounds as a box, the start moved into it, the certificate
of the best point, and the bounds that hold it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.kernel.budget import Spent, current, if_in_time
from gdcli.kernel.dataclass import replace
from gdcli.tasks.outcome import ActiveBound
from gdcli.tasks.problem import Problem, listed

if TYPE_CHECKING:
    from gdcli.judge.evidence import Certificate
    from gdcli.judge.stability import Trend
    from gdcli.kernel.space import Space
    from gdcli.objective.bounded import Box
    from gdcli.objective.protocol import Objective
    from gdcli.solve.iteration import RunResult
    from gdcli.solve.registry import Chosen, MethodEntry
    from gdcli.solve.stopping import Rule
    from gdcli.tasks.outcome import Settings


class NamedVectors(Protocol):
    @property
    def space(self) -> Space: ...

    def vector(self, flat: Sequence[float]) -> Any: ...


def bounds_of(problem: Problem, exact: NamedVectors) -> Box:
    """Return the bounds of all components of the flat vector; infinite where there is none."""
    from gdcli.objective.bounded import Box

    ends: list[list[float]] = []
    for side, none in ((0, -math.inf), (1, math.inf)):
        values: dict[str, Any] = {
            name: none if length is None else [none] * length for name, length in exact.space.lengths.items()
        }
        values.update({name: pair[side] for name, pair in problem.bounds.items()})
        ends.append(exact.space.flatten(values))
    return Box(exact.vector(ends[0]), exact.vector(ends[1]))


def stop_rules(settings: Settings, choice: Chosen, unit: float, x0: Any) -> list[Rule]:
    """Return the stop rules of a run by the chosen method from ``x0``.

    ``unit`` is what a value of 1 of the user's is in the run: -1 for a maximisation.
    """
    from gdcli.kernel.vectors import max_abs
    from gdcli.solve.stopping import rules_from

    entry = choice.entry
    return rules_from(
        tol=settings.tol,
        gradient_tol=settings.gradient_tol,
        step_tol=settings.step_tol,
        value_tol=settings.value_tol,
        max_iter=settings.max_iter,
        max_evaluations=settings.max_evaluations,
        max_time=time_left(settings.max_time),
        target=None if settings.target is None else unit * settings.target,
        own_rule=entry.own_rule,
        own_value_rule=entry.name == "batch",
        size=max_abs(x0) if choice.in_units else None,
    )


def ends_polished(settings: Settings, entry: MethodEntry) -> bool:
    """Tell whether a run by the method of ``entry`` gets its last digits; not where its user says when to stop."""
    return entry.polishes and settings.gradient_tol is None


def time_left(max_time: float | None) -> float | None:
    """Return the seconds that a run may last: what the open budget has left."""
    budget = current()
    return max_time if max_time is None or budget is None else max(1e-9, min(max_time, budget.left))


def moved_inside(box: Box, x0: Any, space: Space) -> tuple[Any, list[str]]:
    """Return the start, moved into the box, and a warning that names what was moved."""
    inside = box.clip(x0)
    if inside is x0:
        return x0, []
    moved = [space.label(i) for i, (a, b) in enumerate(zip(inside, x0, strict=True)) if a != b]
    note = f"the start was outside the bounds and was moved inside: {listed(moved)}"
    return inside, [note]


def active_bounds(evidence: Objective, result: RunResult, space: Space) -> tuple[ActiveBound, ...]:
    """Return the bounds that hold the answer, with their multipliers; those of the user's sense of up and down."""
    from gdcli.objective.bounded import Bounded

    if not isinstance(evidence, Bounded):
        return ()
    held = evidence.multipliers(result.best.at)
    x = result.best.at.x
    return tuple(
        ActiveBound(space.label(h.variable), h.side, float(x[h.variable]), h.multiplier) for h in held
    )


def certified(
    exact: Objective, result: RunResult, tol: float, is_exact: bool
) -> tuple[RunResult, Certificate]:
    """Return the certificate of the best point, by exact derivatives even where the run had none (not ``is_exact``).

    An interrupt meanwhile keeps the point and leaves out the certificate.
    """
    from gdcli.judge.certificate import certify
    from gdcli.judge.evidence import Certificate
    from gdcli.kernel.errors import Terminated
    from gdcli.kernel.status import PointKind, StopReason

    at = result.best.at if is_exact else result.best.at._replace(gradient=None, hessian=None)
    try:
        return result, certify(exact, at, result.start.at, tol, result.reason)
    except (Spent, MemoryError):
        note = "there is no certificate: the time or the memory allowed did not suffice for one"
        return result, Certificate(PointKind.UNKNOWN, result.best.gradient_norm, notes=(note,))
    except (KeyboardInterrupt, Terminated) as signal:
        return replace(result, reason=StopReason.of(signal)), Certificate(
            PointKind.UNKNOWN, result.best.gradient_norm
        )


def trend_in_time(
    objective: Objective, choice: Chosen, result: RunResult, certificate: Certificate
) -> Trend | None:
    """Return where the steps of a fixed size were leading when a cap ended the run; None without such a size."""
    fixed = choice.fixed
    if fixed is None:
        return None
    from gdcli.judge.stability import trend

    return if_in_time(lambda: trend(objective, choice.method, fixed, result, certificate), None)
