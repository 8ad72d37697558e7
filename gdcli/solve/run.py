"""The one loop that every method runs in.

A method only knows how to get from one point to the next. This loop does the rest, once for all of them: it evaluates
the start, counts and times, remembers the best point, asks the stop rules, shows every iterate to the observers (a
table, a file, a progress bar) and turns an interrupt into a result that still has the best point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import inf
from typing import TYPE_CHECKING, Any

from gdcli.kernel.budget import Spent, searching
from gdcli.kernel.dataclass import NamedTuple, stored
from gdcli.kernel.errors import DomainError, Terminated
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.status import Status, StopReason
from gdcli.kernel.vectors import distance, is_finite, np
from gdcli.objective.protocol import Counts, Evaluation, Objective, Vector
from gdcli.solve.iteration import ANSWERS, BROKEN_OFF, Iterate, Method, Observer, RunResult
from gdcli.solve.settings import Rule, RunProgress

if TYPE_CHECKING:
    from gdcli.objective.build import ScalarTier
    from gdcli.objective.native_objective import Chunk, ChunkIterate
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.native_steps import Switch

# A value sixty orders of magnitude below anything met at the start is taken as evidence that it has no lower
# bound; a deep but bounded function such as x**4 - 1e6*x**2 never gets near it.
UNBOUNDED_FALL = 1e60
# Ends at a point that nothing but its last digits can make better, and caps that leave no room for one more step.
_ARRIVED = (StopReason.GRADIENT, StopReason.GAP, StopReason.FLOOR, StopReason.NO_DESCENT)


def unbounded_below(start_value: float) -> float:
    """Return the value below which a run from ``start_value`` is called unbounded."""
    return -UNBOUNDED_FALL * max(1.0, abs(start_value))


def quiet(x: Vector) -> AbstractContextManager[Any]:
    """Return a context in which numpy computes infinities and nans without warnings, as plain floats do."""
    if isinstance(x, list):
        return nullcontext()
    return np.errstate(all="ignore")


@stored()
class Snapshot(NamedTuple):
    """A run between two steps: all that is needed to go on, bit for bit as if it had never stopped.

    ``iteration``, ``at`` and ``before`` are its progress, ``start``, ``best`` and ``last`` iterates as a trace has
    them, ``lowest`` the value of the best, ``floor`` the value below which it is unbounded, ``state`` that of the
    method, ``seconds`` what the run took so far.
    """

    iteration: int
    at: Evaluation
    before: Evaluation | None
    counts: Counts
    start: _Mark
    best: _Mark
    last: _Mark
    lowest: float
    floor: float
    state: Any
    seconds: float


class RunOptions(NamedTuple):
    """What else a run may be told.

    With a ``tier`` a long run goes on in machine code, with the same result (:mod:`gdcli.solve.native_steps`). A
    ``checkpointer`` may end the run, and what it kept of this run before takes the place of the start. A run that
    ``polishes`` and has arrived ends with a few Newton steps, if they help (:mod:`gdcli.solve.probe.newton_decrement`).
    What ended by itself is kept as its result, or without ``keeps_result`` as it stands.
    """

    clock: Callable[[], float] = time.perf_counter
    tier: ScalarTier | None = None
    checkpointer: Checkpointer | None = None
    polishes: bool = False
    keeps_result: bool = True


NO_OPTIONS = RunOptions()


def run(
    objective: Objective,
    method: Method,
    x0: Vector,
    rules: Sequence[Rule] = (),
    observers: Sequence[Observer] = (),
    options: RunOptions = NO_OPTIONS,
) -> RunResult:
    """Run ``method`` on ``objective`` from ``x0`` (shape n) until a rule or the method itself ends it.

    Without rules only the method can end the run. What an observer raises is passed on, except an interrupt. Raises
    DomainError when the value at ``x0`` is not a number.
    """
    clock, tier, checkpointer, polishes, keeps_result = options
    began = clock()
    kept = None if checkpointer is None else checkpointer.next(objective)
    if isinstance(kept, RunResult):
        objective.counts.take_over(kept.counts.since(objective.counts))
        return kept
    with quiet(x0):
        trace = _begun(objective, method, x0, kept, clock, began)
        caps = [rule for rule in rules if rule.reason.status is Status.LIMIT]
        if checkpointer is not None:
            rules = (*rules, checkpointer)
        reason: StopReason | None = None
        clean = False  # between two steps, where a run can be gone on with
        capped = False  # before its last steps
        try:
            with searching(objective.counts.total, 0.0 if kept is None else kept.seconds):
                reason = _loop(objective, method, trace, rules, observers, tier, checkpointer)
                if polishes and reason in _ARRIVED:
                    capped = _polish(objective, trace, observers, caps)
            clean = trace.last[4] != BROKEN_OFF
        except (Spent, MemoryError, KeyboardInterrupt, Terminated) as stop:
            reason = StopReason.of(stop)
        result = trace.result(reason)
        if checkpointer is not None:
            clean = clean and trace.progress.state is not None
            _end(checkpointer, result, clean, capped, keeps_result)
        trace.progress.state = None  # whoever still has the progress need not keep the memory of a method
        return result


def _begun(
    objective: Objective,
    method: Method,
    x0: Vector,
    kept: Snapshot | None,
    clock: Callable[[], float],
    began: float,
) -> _Trace:
    if kept is not None:
        objective.counts.take_over(kept.counts.since(objective.counts))
        return _Trace.restored(kept, objective.counts, clock, began)
    at = objective.evaluate(x0, method.order)
    if not at.value < float("inf"):
        raise DomainError("the objective has no finite value at the start", at.note)
    return _Trace(RunProgress(at, objective.counts, clock, began))


def _end(checkpointer: Checkpointer, result: RunResult, clean: bool, capped: bool, keeps: bool) -> None:
    goes_on = capped and clean and result.reason is StopReason.GRADIENT
    if keeps and result.reason.status is None and not goes_on:
        checkpointer.end(result)
    elif clean:
        checkpointer.end(None)
    else:
        checkpointer.break_off()


def _loop(
    objective: Objective,
    method: Method,
    trace: _Trace,
    rules: Sequence[Rule],
    observers: Sequence[Observer],
    tier: ScalarTier | None,
    checkpointer: Checkpointer | None,
) -> StopReason:
    progress = trace.progress
    at = progress.at
    order = method.order
    begins = progress.state is None
    if begins and observers:
        trace.show(observers)
    reason = _fault(at, order, trace.floor) or _first_met(rules, progress)
    if reason is not None:
        return reason
    state = progress.state = method.start(objective, at) if begins else progress.state
    if checkpointer is not None:
        checkpointer.begin(trace.snapshot)
    look = inf if tier is None else tier.first_look
    switch: Switch | None = None
    while True:
        if trace.last[-1] >= look:
            switch = switch or _switch(tier, rules, observers, trace)
            method, look = switch.taken_up(method)
        there, state, size, reason, moved, kind, passed, chunk = method.step(objective, at, state)
        if passed:
            progress.iteration += 1
        if chunk is not None:
            at = there
            trace.take(chunk)
        if moved:
            at = there
            fault = _fault(at, order, trace.floor)
            trace.move(at, size, kind, fault is None)
            if observers:
                trace.show(observers)
            reason = reason or fault
        if reason is not None:
            if reason is not StopReason.UNBOUNDED or not trace.goes_to_far_bound(objective, order):
                return reason
            at = progress.at
            state = method.start(objective, at)
        progress.state = state
        for rule in rules:
            if rule(progress):
                return rule.reason


def _polish(objective: Objective, trace: _Trace, observers: Sequence[Observer], caps: Sequence[Rule]) -> bool:
    """Move on to where a few Newton steps lead, and tell whether a cap on iterations has left no room for them.

    A pass that ended the run without moving is the one in which they are taken. Without evaluations left for them the
    run has ended all the same.
    """
    from gdcli.solve.probe.newton_decrement import polished

    progress, best = trace.progress, trace.best[1]
    further = int(progress.iteration == trace.last[0])
    if further and _first_met(caps, progress):
        return True
    try:
        end = polished(objective, best, trace.start[1])
    except Spent:
        return False
    if end is not None:
        progress.iteration += further
        trace.move(end, distance(end.x, best.x), "polish", True)
        if observers:
            trace.show(observers)
    return False


def _switch(tier: ScalarTier | None, *context: Any) -> Switch:
    from gdcli.solve.native_steps import Switch

    assert tier is not None
    return Switch(tier, *context)


def _fault(at: Evaluation, order: int, floor: float) -> StopReason | None:
    """Return why a point cannot be gone on from, None where it can."""
    x, value, gradient = at[:3]
    if value < floor:
        return StopReason.UNBOUNDED
    if not value < inf or (order and gradient is None) or not is_finite(x):
        return StopReason.NON_FINITE
    return None


def _is_nearer(at: Evaluation, best: Evaluation) -> bool:
    """Tell whether a point is better where constraints count: by how much they are broken, then by its value."""
    worst, least = (max(found.violation, HOLDS) for found in (at, best))
    return worst < least or (worst == least and at.value <= best.value)


def _first_met(rules: Sequence[Rule], progress: RunProgress) -> StopReason | None:
    for rule in rules:
        if rule(progress):
            return rule.reason
    return None


# What is needed to write down an iterate later: iteration, evaluation, the one before, size, kind, the four
# counts, seconds. Most are never asked for, so the loop keeps no more than this.
_Mark = tuple[int, Evaluation, Evaluation | None, float | None, str, int, int, int, int, float]


def _mark(p: RunProgress, size: float | None, kind: str) -> _Mark:
    c = p.counts
    spent = p.clock() - p.began
    return p.iteration, p.at, p.before, size, kind, c.value, c.gradient, c.hessian, c.product, spent


def _iterate(mark: _Mark) -> Iterate:
    iteration, at, before, size, kind, values, gradients, hessians, products, seconds = mark
    moved = None if before is None else distance(at.x, before.x)
    return Iterate(iteration, at, size, moved, Counts(values, gradients, hessians, products), seconds, kind)


class _Trace:
    """The first, best and last iterate of a run as it goes on; below ``floor`` it is unbounded."""

    __slots__ = ("best", "floor", "last", "lowest", "progress", "start")

    def __init__(self, progress: RunProgress) -> None:
        self.progress = progress
        self.start = self.best = self.last = _mark(progress, None, "start")
        self.lowest = progress.at.value
        self.floor = unbounded_below(self.lowest)

    @classmethod
    def restored(cls, kept: Snapshot, counts: Counts, clock: Callable[[], float], now: float) -> _Trace:
        """Return the trace of a run that goes on; its time goes on too."""
        progress = RunProgress(kept.at, counts, clock, now - kept.seconds)
        progress.iteration, progress.before, progress.state = kept.iteration, kept.before, kept.state
        trace = cls(progress)
        trace.start, trace.best, trace.last = kept.start, kept.best, kept.last
        trace.lowest, trace.floor = kept.lowest, kept.floor
        return trace

    def snapshot(self) -> Snapshot:
        p = self.progress
        seconds = p.clock() - p.began
        marks = self.start, self.best, self.last
        counts = p.counts.copy()
        return Snapshot(
            p.iteration, p.at, p.before, counts, *marks, self.lowest, self.floor, p.state, seconds
        )

    def move(self, at: Evaluation, size: float | None, kind: str, finite: bool) -> None:
        progress = self.progress
        progress.before, progress.at = progress.at, at
        self.last = mark = _mark(progress, size, kind)
        # Of two equal values the later one: at the floor of rounding it has the smaller gradient.
        value = at.value
        better = (
            value <= self.lowest if at.violation == self.best[1].violation else _is_nearer(at, self.best[1])
        )
        if (better or kind in ANSWERS) and (finite or is_finite(at.x)):
            self.best, self.lowest = mark, value

    def goes_to_far_bound(self, objective: Objective, order: int) -> bool:
        """Move to the far bound where a way that seems to have no end does end; tell whether there is one."""
        at = self.progress.at
        end = objective.far_end(self.start[1].x, at, order)
        if end is None:
            return False
        self.move(end, distance(end.x, at.x), "step", True)
        self.floor = unbounded_below(end.value)
        return True

    def show(self, observers: Sequence[Observer]) -> None:
        iterate = _iterate(self.last)
        for observer in observers:
            observer(iterate)

    def take(self, chunk: Chunk) -> None:
        """Take notice of many steps at once, and show some of them to observers."""
        progress = self.progress
        iteration, _, _, _, kind, values, gradients, hessians, products, spent = _mark(progress, None, "step")

        def mark(iterate: ChunkIterate) -> _Mark:
            left = chunk.steps - iterate.number  # each of them costs a value and a gradient
            _, at, before, size = iterate
            number = iteration + iterate.number
            values_then, gradients_then = values - left, gradients - left
            return number, at, before, size, kind, values_then, gradients_then, hessians, products, spent

        if chunk.best is not None:
            self.best, self.lowest = mark(chunk.best), chunk.best.at.value
        (last,) = chunk.last(1)
        progress.before, progress.at = last.before, last.at
        progress.iteration += chunk.steps
        self.last = mark(last)
        for observer, iterate in chunk.shown:
            observer(_iterate(mark(iterate)))

    @property
    def spent(self) -> float:
        return self.last[-1]

    def result(self, reason: StopReason) -> RunResult:
        progress = self.progress
        best = _iterate(self.best)
        return RunResult(
            start=_iterate(self.start),
            best=best,
            last=best if self.last is self.best else _iterate(self.last),
            reason=reason,
            iterations=progress.iteration,
            counts=progress.counts.copy(),
            seconds=progress.clock() - progress.began,
        )
