"""The certificate of a constrained answer: the KKT conditions in the user's words, and the verdict that follows.

The multiplier of a constraint is the change of the value with its right-hand side: ``d value / d b`` of ``c(x) <= b``,
``c(x) >= b`` and ``c(x) == b``. So that of an upper side is not positive at a minimum, and not negative at a maximum; a
side that does not matter has 0.
"""

from __future__ import annotations

from typing import Any

from gdcli.judge.evidence import Certificate, ConstraintState
from gdcli.judge.point_kind import KINDS, WITHOUT_END
from gdcli.judge.verdict import Verdict
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.number_format import short
from gdcli.kernel.numerics import CLEARLY, EPS, HOLDS
from gdcli.kernel.status import CurvatureSource, PointKind, Status, StopReason
from gdcli.kernel.vectors import Vector, np
from gdcli.objective.constrained import Constrained
from gdcli.solve.constrained.kkt_point import KKTPoint, kkt_point
from gdcli.solve.constrained.sqp_end import examined
from gdcli.solve.iteration import RunResult
from gdcli.solve.probe.line_probe import ProbeEnd
from gdcli.solve.probe.newton_decrement import errors_at_zero, may_be_zero

_KINDS = {
    "minimum": PointKind.MINIMUM,
    "degenerate": PointKind.DEGENERATE,
    "saddle": PointKind.SADDLE,
    "infeasible": PointKind.INFEASIBLE,
    "not-stationary": PointKind.NOT_STATIONARY,
    "at-a-kink": PointKind.UNKNOWN,
}
_ENDS = WITHOUT_END | {StopReason.INFEASIBLE: PointKind.INFEASIBLE}

# Multipliers are those of a stationary point; anywhere else they are only the best that can be had.
_STATIONARY = (PointKind.MINIMUM, PointKind.DEGENERATE, PointKind.SADDLE)


class ConstraintEvidence(NamedTuple):
    """What the certificate of a constrained answer has beside that of any other.

    ``violation`` is by how much the worst constraint is broken, as a part of what it compares. ``licq`` tells
    whether the gradients of what is active are independent, ``rank`` how many of them are; None where nothing is known.
    ``complementarity`` is the sum of all multipliers times what their constraints are from holding with equality.
    ``conflict`` are constraints and bounds that cannot hold together, as far as was found, none of which can be left
    out; ``proved`` tells whether that is proved.
    """

    states: tuple[ConstraintState, ...]
    violation: float
    licq: bool | None = None
    strict_complementarity: bool | None = None
    rank: int | None = None
    tangent_dimension: int | None = None
    complementarity: float | None = None
    conflict: tuple[str, ...] = ()
    proved: bool = False


def certify_constrained(
    objective: Constrained, run: RunResult, texts: tuple[str, ...], sign: int
) -> tuple[Certificate, ConstraintEvidence, KKTPoint | None]:
    """Return the certificate of the best point of a run, and what is known of each constraint.

    An end that the method calls one has been looked around; any other point is looked around here.
    """
    x = objective.whole(run.best.at.x)
    ended = run.reason in (StopReason.GAP, StopReason.FLOOR)
    point = kkt_point(objective, x)
    kind = _ENDS.get(run.reason) or (PointKind.UNKNOWN if point is None else _KINDS[point.kind])
    if (
        ended and kind is PointKind.SADDLE
    ):  # its curvature falls by less than rounding can tell, and no value is lower
        kind = PointKind.DEGENERATE
    if kind.told and not ended:
        end = examined(objective, x)
        look = None if end is None else end.probe
        kind = kind if look is None or look.found is ProbeEnd.RISES else KINDS[look.found]
    if run.reason is StopReason.PENALTY and kind is PointKind.INFEASIBLE:
        kind = (
            PointKind.UNKNOWN
        )  # stationary but for its breach, with the multipliers of limits moved by that
    certificate = _certificate(kind, point, run)
    if kind.told and point is not None:
        certificate = replace(
            certificate, errors=_errors_at_zero(objective, x, point, objective.whole(run.start.at.x))
        )
    is_stationary = kind in _STATIONARY or run.reason is StopReason.PENALTY
    states = _states(objective, x, texts, point, sign if is_stationary else None)
    if point is None:
        return certificate, ConstraintEvidence(states, run.best.at.violation), None
    evidence = ConstraintEvidence(
        states,
        point.violation,
        point.independent,
        point.strict,
        point.bent.rank,
        objective.size - point.bent.rank,
        point.complementarity,
    )
    return certificate, evidence, point


def _certificate(kind: PointKind, point: KKTPoint | None, run: RunResult) -> Certificate:
    if point is None or kind is PointKind.INFEASIBLE:
        return Certificate(kind, None if kind is PointKind.INFEASIBLE else run.best.gradient_norm)
    w = point.eigenvalues
    low, high = (float(w[0]), float(w[-1])) if len(w) else (None, None)
    notes: tuple[str, ...] = ()
    if kind.told and not point.independent:
        notes = (
            "the gradients of the active constraints depend on each other: other multipliers are as good",
        )
    elif kind.told and not point.strict:
        notes = (
            "an active constraint has the multiplier 0: the value changes with its limit on one side only",
        )
    return Certificate(
        kind,
        point.gradient_norm,
        low,
        high,
        high / low if low is not None and high is not None and low > 0.0 else None,
        point.gap if kind.told else None,
        how=CurvatureSource.EXACT,
        notes=notes,
    )


def _errors_at_zero(
    objective: Constrained, x: Vector, point: KKTPoint, begun: Vector
) -> tuple[float, ...] | None:
    """Return the sizes of the variables that may as well be 0: so slope and violation are no larger, but for the
    rounding of the gradient that the slope is what is left of, and the value is no larger than by the gap at ``x``.
    """
    enough, found = objective.values(x)[0] + CLEARLY * point.gap, objective.slopes(x)
    level = point.gradient_norm + (0.0 if found is None else EPS * float(np.linalg.norm(found[0])))

    def is_as_good(zeroed: Vector) -> bool:
        other = kkt_point(objective, zeroed)
        if other is None or not objective.values(zeroed)[0] <= enough:
            return False
        return other.gradient_norm <= level and other.violation <= point.violation

    errors = errors_at_zero(may_be_zero(x, begun, is_as_good), x, None)
    return None if errors is None else errors[: len(objective.vector(x))]


def _states(
    objective: Constrained, x: Vector, texts: tuple[str, ...], point: KKTPoint | None, sign: int | None
) -> tuple[ConstraintState, ...]:
    """Return the constraints at ``x``; ``sign`` is that of the sense, None where multipliers say nothing."""
    rows = objective.constraints
    values, lower, upper = rows.values(x), np.array(rows.lower), np.array(rows.upper)
    slack = np.where(lower == upper, -abs(values - upper), np.minimum(upper - values, values - lower)) + 0.0
    multipliers, active = None, np.zeros(rows.count, bool)
    if point is not None:
        active[objective.row[point.face.active]] = True
        multipliers = None if sign is None else -sign * objective.per_row(point.multipliers) + 0.0
    found = []
    for text, first, end, many in zip(  # rows that nobody typed come after these
        texts, rows.firsts, [*rows.firsts[1:], rows.count], rows.vectors, strict=False
    ):
        parts: list[Any] = [
            None if p is None else p[first:end].tolist() for p in (values, slack, multipliers, active)
        ]
        found.append(ConstraintState(text, *(p if many or p is None else p[0] for p in parts)))
    return tuple(found)


def constrained_verdict(run: RunResult, evidence: ConstraintEvidence) -> Verdict | None:
    """Return the verdict on what only constrained runs end with, None where the usual one holds."""
    if run.reason is StopReason.INFEASIBLE:
        worst = short(evidence.violation, 3)
        jointly = " together" if len(evidence.conflict) > 1 else ""
        together = f": {_listed(evidence.conflict)} cannot hold{jointly}" if evidence.conflict else ""
        if evidence.proved:
            message = f"No point is feasible{together}; that is proved by their multipliers."
        else:
            message = f"No feasible point was found{together}, as far as was looked."
        return Verdict(
            Status.INFEASIBLE,
            f"{message[:-1]}; the least violation found is {worst}.",
            "change or leave out one of them" if evidence.conflict else "start from another point",
        )
    if run.reason in _OF_PENALTIES:
        return _of_a_penalty(run, evidence)
    if run.reason is StopReason.NO_MULTIPLIERS:
        return Verdict(
            Status.STALLED,
            "The constraints have no multipliers at this point: their gradients vanish or cancel where they hold, so"
            " that no certificate is possible.",
            "write the constraints so that their gradients are independent where they hold",
        )
    return None


_OF_PENALTIES = (StopReason.PENALTY, StopReason.PENALTY_SLOW, StopReason.PENALTY_FALLS)


def _of_a_penalty(run: RunResult, evidence: ConstraintEvidence) -> Verdict | None:
    if evidence.violation <= HOLDS and run.reason is not StopReason.PENALTY_FALLS:
        return None
    broken = f"; the constraints are broken by {short(evidence.violation, 2)}" if evidence.violation else ""
    worst, moved = short(evidence.violation, 2), evidence.complementarity
    if run.reason is StopReason.PENALTY:
        off = (
            "" if moved is None else f", which makes a value about {short(moved, 2)} better than there can be"
        )
        return Verdict(
            Status.COMPLETED,
            f"The penalty was raised until the constraints were broken by no more than {worst}{off}.",
            "--method auto finds where they hold, and certifies it",
        )
    return Verdict(
        Status.STALLED,
        f"The penalty method came no nearer: {run.reason.sentence}{broken}.",
        "try --method auto, or a larger --tol",
    )


def _listed(texts: tuple[str, ...]) -> str:
    shown = texts[:6]
    more = len(texts) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
