"""The verdict on a run: its status, one sentence for a person, and what to try next.

`converged` is a claim about the point, never about the loop: whatever rule ended the run, the certificate
must find a minimum there, with no more left to gain than the method's tolerance allows. The other statuses
name what is there instead. The words are for the user's problem: of a maximisation they speak of a maximum.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from gdcli.judge.evidence import CLAIM_FACTOR, Certificate
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.number_format import amount
from gdcli.kernel.numerics import CLAIM_FLOOR
from gdcli.kernel.status import KEEP_RUNS, Claim, PointKind, Status, StopReason
from gdcli.kernel.vectors import distance
from gdcli.solve.iteration import FixedRate, RunResult
from gdcli.solve.scaling import value_scale
from gdcli.solve.settings import DEFAULT_TOL

if TYPE_CHECKING:
    from gdcli.judge.learning_rates import Trend

# What `auto` demands of its own claims, as part of the tolerance: 1e-10 for the default 1e-8.
STRICT_FACTOR = 1e-2

# A step size above this part of its stable limit overshoots by so much that each step is hardly shorter.
_NEAR_LIMIT = 0.9
# Steps whose lengths differ by no more than this part are as long as each other.
_CYCLE = 1e-6
# A fall slows down whose slope at the end is less than this part of the mean one; that of a line is all of it.
_SLOWER = 0.99

UNDECIDED = (
    "Stopped where the value is flat: no lower point was found, yet whether a minimum lies here, farther along or at"
    " infinity is not decided."
)
_NO_STEP_LEFT = (StopReason.FLOOR, StopReason.NO_DESCENT, StopReason.STEP, StopReason.GAP)


class Verdict(NamedTuple):
    """The status of a run, the sentence that tells it, and what to try next (empty when converged)."""

    status: Status
    message: str
    advice: str


class _Words(NamedTuple):
    """The words that differ between minimising and maximising."""

    minimum: str
    maximum: str
    lower: str
    falls: str
    falling: str
    infimum: str


_MINIMISE = _Words("minimum", "maximum", "lower", "falls", "falling", "infimum")
_MAXIMISE = _Words("maximum", "minimum", "higher", "rises", "rising", "supremum")


class Terms(NamedTuple):
    """What a run is judged by.

    ``strict``: it was by `auto`, whose claims are held to a hundredth of ``tol`` instead of a hundred times it.
    ``sign`` is -1 when the user maximises. ``constant``: the expression does not depend on any variable.
    ``step_sizes``: the method was given its step size (then advice speaks of it). ``fixed``: its step size never
    changed; then the verdict also tells which sizes are stable, and ``trend`` where its steps were leading. ``unit`` is
    what a value of 1 in the run is to the user, where the run was on a scaled function. ``searched``: the start is the
    end of a search. ``elsewhere`` says in words how another start is had.
    """

    strict: bool = True
    tol: float = DEFAULT_TOL
    sign: int = 1
    constant: bool = False
    step_sizes: bool = False
    fixed: FixedRate | None = None
    trend: Trend | None = None
    unit: float = 1.0
    searched: bool = False
    elsewhere: str = ""

    @property
    def words(self) -> _Words:
        return _MINIMISE if self.sign > 0 else _MAXIMISE

    @property
    def advice(self) -> str:
        """What to try where the start was bad."""
        return self.elsewhere or "start from another point"

    @property
    def or_auto(self) -> str:
        """The end of an advice to those who chose a method."""
        return "" if self.strict else ", or --method auto"


BY_DEFAULT = Terms()


def judge(run: RunResult, certificate: Certificate, terms: Terms = BY_DEFAULT) -> Verdict:
    """Return the verdict on a run and the certificate of its best point."""
    found = (
        of_stopped(run)
        or _of_steps_too_long(run, terms)
        or _of_no_minimum(run, certificate, terms)
        or _of_no_way_on(run, certificate, terms)
        or _of_the_point(run, certificate, terms)
        or _of_a_cap(run, certificate, terms)
        or _of_a_stall(run, certificate, terms)
    )
    fixed, trend = terms.fixed, terms.trend
    curvature = certificate.eigenvalue_max if trend is None else trend.curvature
    limit = 0.0 if fixed is None else fixed.stable_below(curvature)
    if fixed is None or not limit > 0.0:
        return found
    return _with_stable_rates(found, fixed, limit, run, trend)


def _of_steps_too_long(run: RunResult, terms: Terms) -> Verdict | None:
    """A fixed step size at or beyond its stable limit, where a cap ended the run."""
    fixed, trend = terms.fixed, terms.trend
    if fixed is None or trend is None:
        return None
    first, last = (terms.sign * at.value * terms.unit for at in (run.start.at, run.last.at))
    if trend.diverges:
        went = f"the value went from {first:.4g} to {last:.4g} in {amount(run.iterations, 'iteration')}"
        return Verdict(
            Status.DIVERGED,
            f"The steps of size {fixed.lr:g} diverge: {went}, and goes on away from the"
            f" {terms.words.minimum}.",
            "try a smaller step size, or --method auto",
        )
    if run.reason.status is not Status.LIMIT:
        return None
    shorter = 1.0 - trend.pace
    how = f"each is only {100 * shorter:.2g} % shorter" if shorter > _CYCLE else "none is shorter"
    return Verdict(
        Status.LIMIT,
        f"Stopped by {run.reason.option} after {amount(run.iterations, 'iteration')}: the steps go to and fro, and"
        f" {how} than the one before.",
        "try a smaller step size, or --method auto",
    )


def _with_stable_rates(
    found: Verdict, fixed: FixedRate, limit: float, run: RunResult, trend: Trend | None
) -> Verdict:
    """Return the verdict with the range of stable step sizes, and advice that names one where it can help.

    ``limit`` is that by the largest curvature along the way where the steps diverge, or else at the best point.
    """
    along = trend is not None and trend.is_told_along
    law = f"{fixed.factor:.3g}/L = {limit:.4g}"
    ends = {Status.CONVERGED: "here"}
    where = "along the way" if along else ends.get(found.status, "at the best point")
    unsettled = found.status in (Status.STALLED, Status.LIMIT)
    near = unsettled and trend is None and _NEAR_LIMIT * limit <= fixed.lr < limit
    close = f", and at {fixed.lr:g} they go to and fro" if near else ""
    message = f"{found.message[:-1]}; {where} steps are stable below {law}{close}."
    advice = ""
    if found.status is Status.DIVERGED and run.reason is StopReason.NON_FINITE:
        advice = _much_smaller(fixed.lr, limit)
    elif along or near:
        advice = _other_size("smaller", 0.5 * limit)
    elif unsettled:
        advice = _advice_on_size(fixed.lr, limit, trend)
    return Verdict(found.status, message, advice or found.advice)


def _advice_on_size(lr: float, limit: float, trend: Trend | None) -> str:
    """Return what to try after steps of size ``lr`` that came to no end; nothing where that is about right."""
    if lr >= limit:
        return _much_smaller(lr, limit) if trend is None else _other_size("smaller", 0.5 * limit)
    return _other_size("larger", 0.5 * limit) if lr < 0.25 * limit else ""


def _much_smaller(lr: float, limit: float) -> str:
    # Elsewhere on the way the curvature may be larger than at the best point.
    return _other_size("smaller", min(0.5 * limit, 0.1 * lr))


def _other_size(how: str, lr: float) -> str:
    return f"try a {how} step size, --lr {lr:.2g} say, or --method auto"


def of_stopped(run: RunResult) -> Verdict | None:
    """Return the verdict on a run that a person, or the system, has stopped; None where it was not."""
    status = run.reason.status
    if status is None or not status.by_signal:
        return None
    return Verdict(status, f"{status.value.capitalize()}: this is the best point so far.", KEEP_RUNS)


def _of_no_minimum(run: RunResult, certificate: Certificate, terms: Terms) -> Verdict | None:
    """Unbounded, or a limit at infinity."""
    w, sign = terms.words, terms.sign
    if run.reason is StopReason.UNBOUNDED or certificate.kind == PointKind.UNBOUNDED:
        slowly = run.reason is StopReason.UNBOUNDED and _slows_down(run, certificate.gradient_norm)
        return Verdict(
            Status.DIVERGED,
            f"There is no {w.minimum}: the value {w.falls} without end{', ever more slowly' if slowly else ''}.",
            f"check the sign of the expression, {'maximize' if sign > 0 else 'minimize'} it, or add bounds",
        )
    is_level = certificate.kind == PointKind.DEGENERATE
    if certificate.kind == PointKind.AT_INFINITY or (run.reason is StopReason.AT_INFINITY and not is_level):
        return Verdict(
            Status.DIVERGED,
            f"There is no {w.minimum} this way: the value keeps {w.falling} as the variables grow in size, with its"
            f" {w.infimum} at infinity.",
            "add bounds, or a term that holds the variables back; or start elsewhere",
        )
    return None


def _slows_down(run: RunResult, slope: float | None) -> bool:
    """Tell whether the value falls less steeply at the end, by its ``slope`` there, than on the whole way."""
    start, end = run.start.at, run.best.at
    fall = start.value - end.value
    return slope is not None and isfinite(fall) and slope * distance(end.x, start.x) < _SLOWER * fall


def _of_no_way_on(run: RunResult, certificate: Certificate, terms: Terms) -> Verdict | None:
    """A blow-up, or the edge of the domain."""
    if run.reason is StopReason.NON_FINITE:
        if run.iterations == 0:
            return Verdict(Status.STALLED, "The derivatives are not finite at the start.", terms.advice)
        smaller = "a smaller step size (--lr)" if terms.step_sizes else "another start"
        return Verdict(
            Status.DIVERGED,
            f"The iterates left the finite numbers after {amount(run.iterations, 'iteration')}.",
            f"try {smaller}{terms.or_auto}",
        )
    if run.reason is StopReason.EDGE:
        return Verdict(
            Status.STALLED,
            f"The path ran into the edge of the domain, and the value still {terms.words.falls} there.",
            f"add bounds that keep the variables inside the domain, or {terms.advice}",
        )
    return None


def _of_the_point(run: RunResult, certificate: Certificate, terms: Terms) -> Verdict | None:
    """Converged or of the wrong kind, where the certificate can tell."""
    w, kind = terms.words, certificate.kind
    if terms.constant:
        return Verdict(Status.CONVERGED, f"The value is constant: every point is a {w.minimum}.", "")
    if run.reason.status is Status.LIMIT and run.iterations > 0:
        return None
    if kind in (PointKind.SADDLE, PointKind.MAXIMUM):
        what = "a saddle" if kind == PointKind.SADDLE else f"a {w.maximum}"
        return Verdict(
            Status.WRONG_KIND,
            f"The point is stationary, but {what}: {w.lower} values are next to it.",
            terms.advice + ("" if terms.strict else ", or use --method auto, which leaves such points"),
        )
    return _of_claim(run, certificate, terms)


def _of_claim(run: RunResult, certificate: Certificate, terms: Terms) -> Verdict | None:
    """Converged, in the words that match what the claim rests on; stalled where that decides nothing."""
    claim, kind, gap = certificate.claim, certificate.kind, certificate.estimated_gap
    if claim is Claim.UNDECIDED:
        return Verdict(Status.STALLED, UNDECIDED, terms.advice)
    if not kind.told or gap is None:
        return None
    if claim is not Claim.PROVED and not _claimable(run, kind, gap, terms):
        return None
    told = kind.told.format(terms.words.minimum)
    what = told if claim is None else claim.told.format(told)
    return Verdict(Status.CONVERGED, _of_converged(run, what, terms), "")


def _of_converged(run: RunResult, what: str, terms: Terms) -> str:
    if run.iterations == 0:
        searched = f"Converged to a {what} in the search for a start."
        return searched if terms.searched else f"The start is a {what} already."
    return f"Converged to a {what} after {amount(run.iterations, 'iteration')}."


def _claimable(run: RunResult, kind: PointKind, gap: float, terms: Terms) -> bool:
    strict, tol = terms.strict, terms.tol
    value = run.best.at.value
    fall = run.start.at.value - value
    if strict and gap > STRICT_FACTOR * tol * value_scale(value, fall):
        return False
    if not strict and gap > CLAIM_FACTOR * tol * max(1.0, abs(value)):
        return False
    if (
        gap <= CLAIM_FLOOR * abs(value) or kind == PointKind.KINK
    ):  # there it is a bound, proved by a look around
        return True
    if run.best.iteration == 0:
        # A start that was never left is a minimum by proof only: a value of 1e-20 may be all that there is to
        # gap.
        return strict and run.reason in (StopReason.FLOOR, StopReason.NO_DESCENT)
    return not strict or gap <= STRICT_FACTOR * tol * fall or run.reason in _NO_STEP_LEFT


def _of_a_cap(run: RunResult, certificate: Certificate, terms: Terms) -> Verdict | None:
    if run.reason is StopReason.TARGET:
        return Verdict(
            Status.COMPLETED,
            f"The target value was reached after {amount(run.iterations, 'iteration')}.",
            "leave out --target",
        )
    if run.reason.status is not Status.LIMIT:
        return None
    cap, remedy = run.reason.cap, run.reason.remedy
    if run.iterations == 0:
        known = "" if certificate.kind == PointKind.UNKNOWN else f": the start is not a {terms.words.minimum}"
        return Verdict(Status.LIMIT, f"No step was taken ({cap}){known}.",
                       remedy)  # fmt: skip
    left = _left(certificate, terms, run.best.at.value)
    return Verdict(
        Status.LIMIT,
        f"Stopped by {cap} after {amount(run.iterations, 'iteration')}, not at a certified"
        f" {terms.words.minimum}{left}.",
        f"{remedy}{terms.or_auto if run.reason.option else ''}",
    )


def _of_a_stall(run: RunResult, certificate: Certificate, terms: Terms) -> Verdict:
    w, kind = terms.words, certificate.kind
    if kind == PointKind.FLAT:
        return Verdict(
            Status.STALLED,
            "The value does not change around this point: there is no slope to follow.",
            terms.advice,
        )
    why = {
        StopReason.NO_DESCENT: f"no step in the search direction gives a {w.lower} value",
        StopReason.SLOW: f"the value {w.falls} ever more slowly",
        StopReason.FLOOR: "the step is lost in rounding",
        StopReason.VALUE: "the value hardly changed in the last step",
        StopReason.STEP: "the last step was short",
        StopReason.GRADIENT: "the gradient is small",
    }.get(run.reason, "no progress is made")
    left = _left(certificate, terms, run.best.at.value)
    message = f"Stopped because {why}, but this is not a certified {w.minimum}{left}."
    if certificate.gradient_norm is None or kind == PointKind.UNKNOWN:
        message = f"Stopped because {why}; what kind of point this is could not be certified."
    if run.reason is StopReason.SLOW:
        go_on = "--method lbfgs --max-iter 1000000, from here (--output point.json, then --start @point.json)"
        return Verdict(Status.STALLED, message, f"go on with {go_on}, or start nearer to the {w.minimum}")
    if terms.strict:
        return Verdict(Status.STALLED, message, terms.advice)
    smaller = "other step sizes, " if terms.step_sizes else ""
    return Verdict(Status.STALLED, message, f"try {smaller}a smaller --tol, or --method auto")


def _left(certificate: Certificate, terms: Terms, value: float) -> str:
    gap, slope = certificate.gap, certificate.gradient_norm
    if gap is not None and gap > 0.0 and slope is not None:
        left = f"the value can still get about {gap * terms.unit:.2g} {terms.words.lower}"
        return f" (gradient norm {slope * terms.unit:.2g}, {left})"
    return "" if slope is None else f" (gradient norm {slope * terms.unit:.2g})"
