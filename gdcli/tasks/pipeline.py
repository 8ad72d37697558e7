"""The one way from what is asked to its answer: made ready, run, certified, judged, told as an outcome (first here).

An expression (`tasks.minimize`) and a fit (`tasks.fit`) go it whole; what they know beside it they do between two of
its steps. A run by epochs and fits that are solved together have verdicts of their own, and are told the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from gdcli.kernel.budget import Spent, if_in_time, lack
from gdcli.kernel.dataclass import NamedTuple, dataclass, field, replace
from gdcli.kernel.errors import Terminated
from gdcli.kernel.status import PointKind, StopReason
from gdcli.kernel.vectors import Space, Vector, max_abs, np
from gdcli.tasks.problem import Bounds, Problem, listed

if TYPE_CHECKING:
    from gdcli.judge.evidence import Certificate
    from gdcli.judge.kkt import ConstraintEvidence
    from gdcli.judge.learning_rates import Trend
    from gdcli.judge.level_set import Ranges
    from gdcli.judge.verdict import Verdict
    from gdcli.kernel.status import Status
    from gdcli.objective.build import ScalarTier
    from gdcli.objective.protocol import Box, Objective
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.iteration import Observer, RunResult
    from gdcli.solve.registry import Chosen
    from gdcli.solve.settings import Rule, Settings


class ActiveBound(NamedTuple):
    """A bound that holds the answer: the variable or element, the side (lower, upper or fixed), where, its multiplier.

    The multiplier is the slope that the bound holds back: by so much a unit the value would still improve.
    """

    name: str
    side: str
    bound: float
    multiplier: float


class Judged(NamedTuple):
    """The end of a run and what was found out about it; ``ranges`` see `Outcome.minimizers`."""

    run: RunResult
    certificate: Certificate
    verdict: Verdict
    active: tuple[ActiveBound, ...] = ()
    ranges: Ranges | None = None
    constraints: ConstraintEvidence | None = None


class Minimum(NamedTuple):
    """One of the minima (maxima) found from many starts: how many starts led to it, its flat vector ``x``."""

    value: float
    point: Mapping[str, float | list[float]]
    certificate: Certificate
    starts: int
    x: tuple[float, ...]


class FoundBox(NamedTuple):
    """A box (flat vectors) that may hold global minimisers, or roots; a ``proved`` one has exactly one."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    proved: bool

    @property
    def center(self) -> list[float]:
        return [0.5 * a + 0.5 * b for a, b in zip(self.low, self.high, strict=True)]


def found_boxes(low: Any, high: Any, proved: Any) -> tuple[FoundBox, ...]:
    """Return boxes with ends (n, m), arrays, and whether they are ``proved`` (m,)."""
    rows = zip(low.T.tolist(), high.T.tolist(), proved.tolist(), strict=True)
    return tuple(FoundBox(tuple(a), tuple(b), one) for a, b, one in rows)


def box_arrays(boxes: Sequence[FoundBox], n: int) -> tuple[Any, Any, Any]:
    """Return the ends of boxes, each (n, m), and whether they are proved, (m,)."""
    low, high = (np.array([box[end] for box in boxes], dtype=float).reshape(-1, n).T.copy() for end in (0, 1))
    return low, high, np.array([box.proved for box in boxes], bool)


class GlobalEvidence(NamedTuple):
    """Rigorous bounds of the global extremum within the bounds, in the user's sense of up and down.

    No point outside of ``boxes`` attains it; so many boxes were ``examined``. ``minima`` are all local minima (maxima),
    each a value and a box, where they were asked for; ``has_all`` tells that there are no others. The search ended
    within ``tol``; ``cover`` and ``minima_cover`` show both (see `gdcli.judge.cover_tree`), None where they are not
    kept.
    """

    lower: float
    upper: float
    boxes: tuple[FoundBox, ...]
    examined: int
    tol: float = 0.0
    cover: str | None = None
    minima: tuple[tuple[float, FoundBox], ...] = ()
    has_all: bool = False
    minima_cover: str | None = None

    def best(self, sign: int) -> float:
        """Return the best value that a point is known for, infinite where there is none; ``sign`` -1 of a maximum."""
        return self.upper if sign > 0 else self.lower


class Sensitivity(NamedTuple):
    """The derivatives by one constant, or by the limit of one constraint, ``by`` its name or text.

    ``point`` has those of the variables in flat order.
    """

    by: str
    value: float
    point: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer and its evidence.

    ``run`` and ``certificate`` speak of the minimised function; ``value`` and ``sign`` (+1, or -1 for a
    maximisation) turn it back into the user's. ``method`` is the name of the method as ``--method`` takes it,
    ``used`` what it was in words, and ``why`` why it was chosen. ``message`` is one sentence on how it ended,
    ``advice`` what to try next (empty when converged). ``formulas`` has the gradient as text per variable when
    it was asked for. ``active`` lists the bounds that hold the answer. From many ``starts``, ``minima``
    has every distinct minimum found, the best first. ``minimizers`` are the ranges (low, high) of the variables, in
    flat order, over which the value is as low as at the answer, where it is level around it. ``constraints`` is what
    is known of constraints that are no bounds, None where there are none. ``sensitivity`` tells how the answer moves,
    where that was asked for, ``globally`` what was proved of the global extremum. ``domain`` has the ends of the domain
    of the expression that the answer was found within, as bounds by name; see `gdcli.tasks.domain_ends`.
    """

    problem: Problem
    settings: Settings
    space: Space
    run: RunResult
    certificate: Certificate
    status: Status
    message: str
    advice: str
    method: str
    used: str
    why: str
    engine: str
    warnings: tuple[str, ...] = ()
    formulas: Mapping[str, str] | None = None
    active: tuple[ActiveBound, ...] = ()
    minima: tuple[Minimum, ...] = ()
    starts: int = 1
    minimizers: tuple[tuple[float, float], ...] | None = None
    constraints: ConstraintEvidence | None = None
    sensitivity: tuple[Sensitivity, ...] = ()
    globally: GlobalEvidence | None = None
    domain: Bounds = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, settings: Settings, space: Space, found: Judged, **told: Any) -> Self:
        """Return the outcome of what was found; ``told`` are the fields that it does not tell."""
        return cls(
            problem=problem,
            settings=settings,
            space=space,
            run=found.run,
            certificate=found.certificate,
            status=found.verdict.status,
            message=found.verdict.message,
            advice=found.verdict.advice,
            active=found.active,
            constraints=found.constraints,
            minimizers=None if found.ranges is None else tuple(found.ranges),
            **told,
        )

    @property
    def sign(self) -> int:
        return self.problem.sign

    @property
    def point(self) -> dict[str, float | list[float]]:
        return self.space.unflatten(self.run.best.at.x)

    @property
    def value(self) -> float:
        """The value of the typed expression at the answer."""
        return self.sign * self.run.best.at.value


# -- made ready --------------------------------------------------------------------------------------------------------


class NamedVectors(Protocol):
    """What names the components of the vectors that it works on."""

    @property
    def space(self) -> Space: ...

    def vector(self, flat: Sequence[float]) -> Any:
        """Return flat numbers as the kind of vector it works on."""


def bounds_of(problem: Problem, exact: NamedVectors) -> Box:
    """Return the bounds of all components of the flat vector; infinite where there is none."""
    from gdcli.objective.protocol import Box

    return Box(*map(exact.vector, flat_bounds(problem.bounds, exact.space)))


def flat_bounds(bounds: Bounds, space: Space) -> list[Any]:
    """Return the lower and the upper bounds of all components of the flat vector; infinite where there is none."""
    found = []
    for side, none in ((0, -math.inf), (1, math.inf)):
        values: dict[str, Any] = {
            name: none if length is None else [none] * length for name, length in space.lengths.items()
        }
        found.append(space.flatten(values | {name: pair[side] for name, pair in bounds.items()}))
    return found


def box_and_start(problem: Problem, exact: NamedVectors) -> tuple[Box | None, Any, list[str]]:
    """Return the bounds (None: there are none), the start moved within them, and a warning that names what moved."""
    x0 = exact.vector(exact.space.flatten(problem.start))
    if not problem.bounds:
        return None, x0, []
    box = bounds_of(problem, exact)
    inside = box.clip(x0)
    if inside is x0:
        return box, x0, []
    moved = [exact.space.label(i) for i, (a, b) in enumerate(zip(inside, x0, strict=True)) if a != b]
    return box, inside, [f"the start was outside the bounds and was moved inside: {listed(moved)}"]


def within(box: Box | None, objective: Objective) -> Objective:
    """Return the objective within the bounds, itself where there are none."""
    if box is None:
        return objective
    from gdcli.objective.bounded import Bounded

    return Bounded(objective, box)


def choose_by(
    settings: Settings, objective: Objective, method: str | None = None, tol: float | None = None
) -> Chosen:
    """Return the method that the settings ask for, or the one that takes its place, with a tolerance of its own."""
    from gdcli.solve.registry import choose

    return choose(
        method or settings.method,
        objective,
        lr=settings.lr,
        step_rule=settings.step_rule,
        step_sizes=settings.step_sizes,
        tol=settings.tol if tol is None else tol,
        value_tol=settings.value_tol,
    )


@dataclass(frozen=True, slots=True)
class Ready:
    """A problem made ready: a method that was chosen for the ``objective``, which is within the bounds as ``x0`` is.

    ``unit`` is what a value of 1 of the user's is in the objective, but for its sign. ``notes`` are warnings.
    ``bounding()`` is the program that bounds an expression on boxes, made once.
    """

    problem: Problem
    settings: Settings
    space: Space
    objective: Objective
    x0: Vector
    choice: Chosen
    notes: list[str]
    unit: float = 1.0
    bounding: Any = None

    @property
    def tol(self) -> float:
        """The tolerance that a claim is held to; 0 switches the stop rule off, and is none."""
        return self.settings.tol or self.choice.entry.default_tol

    def run(
        self,
        observers: Sequence[Observer],
        checkpointer: Checkpointer | None = None,
        tier: ScalarTier | None = None,
    ) -> RunResult:
        """Run the method; its end gets its last digits, unless the user says when to stop."""
        from gdcli.solve.run import RunOptions, run

        polishes = self.choice.entry.polishes and self.settings.gradient_tol is None
        return run(
            self.objective,
            self.choice.method,
            self.x0,
            stop_rules(self.settings, self.problem.sign * self.unit, self.choice, self.x0),
            observers,
            RunOptions(tier=tier, checkpointer=checkpointer, polishes=polishes),
        )


def stop_rules(settings: Settings, unit: float, choice: Chosen | None = None, x0: Vector = ()) -> list[Rule]:
    """Return the stop rules of a run by the chosen method from ``x0``; without one, of a run by epochs.

    ``unit`` is what a value of 1 of the user's is in the run: -1 for a maximisation.
    """
    from gdcli.solve.settings import rules_from

    target = None if settings.target is None else unit * settings.target
    return rules_from(
        replace(settings, target=target),
        own_rule=choice is None or choice.entry.own_rule,
        own_value_rule=choice is not None and choice.entry.name == "batch",
        size=max_abs(x0) if choice is not None and choice.in_units else None,
    )


def in_sums(observer: Observer, k: float) -> Observer:
    return lambda iterate: observer(iterate.times(k))


# -- certified and judged ----------------------------------------------------------------------------------------------


def certified(
    exact: Objective, result: RunResult, tol: float, is_exact: bool
) -> tuple[RunResult, Certificate]:
    """Return the certificate of the best point, by exact derivatives even where the run had none (not ``is_exact``).

    An interrupt meanwhile keeps the point and leaves out the certificate.
    """
    from gdcli.judge.certificate import certify
    from gdcli.judge.evidence import Certificate

    at = result.best.at if is_exact else result.best.at._replace(gradient=None, hessian=None)
    unknown = Certificate(PointKind.UNKNOWN, result.best.gradient_norm)
    try:
        return result, certify(exact, at, result.start.at, tol, result.reason)
    except (Spent, MemoryError) as stop:
        note = f"there is no certificate: {lack(stop)}"
        return result, replace(unknown, notes=(note,))
    except (KeyboardInterrupt, Terminated) as signal:
        return replace(result, reason=StopReason.of(signal)), unknown


def active_bounds(evidence: Objective, result: RunResult, space: Space) -> tuple[ActiveBound, ...]:
    """Return the bounds that hold the answer, with their multipliers; those of the user's sense of up and down."""
    x = result.best.at.x
    found = if_in_time(lambda: evidence.multipliers(result.best.at), [])
    return tuple(
        ActiveBound(space.label(h.variable), h.side, float(x[h.variable]), h.multiplier) for h in found
    )


def level_in_time(evidence: Objective, run: RunResult, certificate: Certificate) -> Ranges | None:
    """Return how far each variable may be moved with the value as low, for an answer on a level piece."""
    if certificate.kind not in (PointKind.DEGENERATE, PointKind.KINK, PointKind.FLAT):
        return None
    from gdcli.judge.level_set import level_ranges

    return if_in_time(lambda: level_ranges(evidence, run.best.at, run.start.at), None)


def in_a_valley(verdict: Verdict, evidence: Objective, run: RunResult, space: Space, sign: int) -> Verdict:
    """Return the verdict on a degenerate minimiser, which tells of the valley of such that it may lie in."""
    from gdcli.judge.level_set import valley_directions, with_valley

    ways = if_in_time(lambda: valley_directions(evidence, run.best.at, run.start.at), [])
    return with_valley(verdict, ways, space, "minimum" if sign > 0 else "maximum")


def trend_in_time(ready: Ready, run: RunResult, certificate: Certificate) -> Trend | None:
    """Return where the steps of a fixed size were leading when a cap ended the run; None without such a size."""
    fixed = ready.choice.fixed
    if fixed is None:
        return None
    from gdcli.judge.learning_rates import trend

    return if_in_time(lambda: trend(ready.objective, ready.choice.method, fixed, run, certificate), None)


def verdict_on(
    ready: Ready,
    run: RunResult,
    certificate: Certificate,
    trend: Trend | None,
    ranges: Ranges | None,
    value: str = "value",
    **more: Any,
) -> Verdict:
    """Return the verdict on a run and its certificate; ``value`` names what is minimised, ``more`` see `Terms`."""
    from gdcli.judge.verdict import Terms, judge

    entry, sign, fixed = ready.choice.entry, ready.problem.sign, ready.choice.fixed
    terms = Terms(
        entry.strict, ready.tol, sign, step_sizes="lr" in entry.reads, fixed=fixed, trend=trend, **more
    )
    verdict = judge(run, certificate, terms)
    if ranges is None:
        return verdict
    from gdcli.judge.level_set import with_ranges

    return with_ranges(verdict, ranges, ready.space, value, "minimum" if sign > 0 else "maximum")
