"""The one loop that every method runs in.

A method only knows how to get from one point to the next. This loop does the rest, once for all of them: it
evaluates the start, counts and times, remembers the best point, asks the stop rules, shows every iterate to
the observers (a table, a file, a progress bar) and turns an interrupt into a result that still has the best
point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from gdcli.errors import DomainError, Terminated
from gdcli.solvers.stopping import Progress, Rule
from gdcli.solvers.types import (
    Arrival,
    Burst,
    Counts,
    Evaluation,
    Iterate,
    Method,
    Objective,
    Observer,
    RunResult,
    Step,
    StopReason,
    Vector,
)
from gdcli.solvers.vectors import distance, is_finite

if TYPE_CHECKING:
    from gdcli.solvers.bursts import Switch, Tier

# A value sixty orders of magnitude below anything met at the start is taken as evidence that it has no lower
# bound; a deep but bounded function such as x**4 - 1e6*x**2 never gets near it.
UNBOUNDED_FALL = 1e60


def unbounded_below(start_value: float) -> float:
    """Return the value below which a run from ``start_value`` is called unbounded."""
    return -UNBOUNDED_FALL * max(1.0, abs(start_value))


def quiet(x: Vector) -> AbstractContextManager[Any]:
    """Return a context in which numpy computes infinities and nans without warnings, as plain floats do."""
    if isinstance(x, list):
        return nullcontext()
    import numpy

    return numpy.errstate(all="ignore")


def run(
    objective: Objective,
    method: Method,
    x0: Vector,
    rules: Sequence[Rule] = (),
    observers: Sequence[Observer] = (),
    clock: Callable[[], float] = time.perf_counter,
    tier: Tier | None = None,
) -> RunResult:
    """Run ``method`` on ``objective`` from ``x0`` (shape n) until a rule or the method itself ends it.

    Without rules only the method can end the run. What an observer raises is passed on, except an interrupt.
    With a ``tier`` a long run goes on in machine code, with the same result (:mod:`gdcli.solvers.bursts`).
    Raises DomainError when the value at ``x0`` is not a number.
    """
    began = clock()
    with quiet(x0):
        at = objective.evaluate(x0, method.order)
        if not at.value < float("inf"):
            raise DomainError("the objective has no finite value at the start", at.note)
        trace = _Trace(Progress(at, objective.counts, clock, began))
        reason: StopReason | None = None
        try:
            reason = _loop(objective, method, trace, rules, observers, tier)
        except KeyboardInterrupt:
            reason = StopReason.INTERRUPTED
        except Terminated:
            reason = StopReason.TERMINATED
        return trace.result(reason)


def _loop(
    objective: Objective,
    method: Method,
    trace: _Trace,
    rules: Sequence[Rule],
    observers: Sequence[Observer],
    tier: Tier | None,
) -> StopReason:
    progress = trace.progress
    at = progress.at
    floor = unbounded_below(at.value)
    if observers:
        trace.show(observers)
    reason = _fault(at, method.order, floor) or _first_met(rules, progress)
    if reason is not None:
        return reason
    state, order = method.start(objective, at), method.order
    switch: Switch | None = None
    look = float("inf") if tier is None else tier.first_look
    while True:
        if trace.last.seconds >= look:
            switch = switch or _switch(tier, method, rules, observers, floor)
            state = switch(trace, state)
            at, look = progress.at, switch.after
        step = method.step(objective, at, state)
        if step.passed:
            progress.iteration += 1
        fault = None
        if step.moved:
            at = step.at
            fault = _fault(at, order, floor)
            trace.move(step, fault is None)
            if observers:
                trace.show(observers)
        state = step.state
        reason = step.reason or fault
        if reason is not None:
            return reason
        for rule in rules:
            if rule(progress):
                return rule.reason


def _switch(tier: Tier | None, *context: Any) -> Switch:
    from gdcli.solvers.bursts import Switch

    assert tier is not None
    return Switch(tier, *context)


def _fault(at: Evaluation, order: int, floor: float) -> StopReason | None:
    """Return why a point cannot be gone on from, None where it can."""
    value = at.value
    if value < floor:
        return StopReason.UNBOUNDED
    if not isfinite(value) or (order and at.gradient is None) or not is_finite(at.x):
        return StopReason.NON_FINITE
    return None


def _first_met(rules: Sequence[Rule], progress: Progress) -> StopReason | None:
    for rule in rules:
        if rule(progress):
            return rule.reason
    return None


class _Mark(NamedTuple):
    """What is needed to write down one iterate later: most are never asked for, so none is
    built in the loop.
    """

    iteration: int
    at: Evaluation
    before: Evaluation | None
    size: float | None
    kind: str
    values: int
    gradients: int
    hessians: int
    products: int
    seconds: float

    def iterate(self) -> Iterate:
        moved = None if self.before is None else distance(self.at.x, self.before.x)
        counts = Counts(self.values, self.gradients, self.hessians, self.products)
        return Iterate(self.iteration, self.at, self.size, moved, counts, self.seconds, self.kind)


def _mark(p: Progress, size: float | None, kind: str) -> _Mark:
    c = p.counts
    spent = p.clock() - p.began
    return _Mark(p.iteration, p.at, p.before, size, kind, c.value, c.gradient, c.hessian, c.product, spent)


class _Trace:
    """The first, best and last iterate of a run as it goes on."""

    __slots__ = ("best", "last", "lowest", "progress", "start")

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.start = self.best = self.last = _mark(progress, None, "start")
        self.lowest = progress.at.value

    def move(self, step: Step, finite: bool) -> None:
        progress = self.progress
        progress.before, progress.at = progress.at, step.at
        self.last = mark = _mark(progress, step.size, step.kind)
        # Of two equal values the later one: at the floor of rounding it has the smaller gradient.
        if step.at.value <= self.lowest and (finite or is_finite(step.at.x)):
            self.best, self.lowest = mark, step.at.value

    def show(self, observers: Sequence[Observer]) -> None:
        iterate = self.last.iterate()
        for observer in observers:
            observer(iterate)

    def burst(self, burst: Burst, shown: Sequence[tuple[Observer, Arrival]]) -> None:
        """Take notice of many steps at once, and show some of them to observers."""
        progress = self.progress
        now, iteration = _mark(progress, None, "step"), progress.iteration

        def mark(arrival: Arrival) -> _Mark:
            left = burst.steps - arrival.number  # each of them costs a value and a gradient
            return now._replace(
                iteration=iteration + arrival.number,
                at=arrival.at,
                before=arrival.before,
                size=arrival.size,
                values=now.values - left,
                gradients=now.gradients - left,
            )

        if burst.best is not None:
            self.best, self.lowest = mark(burst.best), burst.best.at.value
        (last,) = burst.last(1)
        progress.before, progress.at = last.before, last.at
        progress.iteration += burst.steps
        self.last = mark(last)
        for observer, arrival in shown:
            observer(mark(arrival).iterate())

    def result(self, reason: StopReason) -> RunResult:
        progress = self.progress
        return RunResult(
            start=self.start.iterate(),
            best=self.best.iterate(),
            last=self.last.iterate(),
            reason=reason,
            iterations=progress.iteration,
            counts=progress.counts.copy(),
            seconds=progress.clock() - progress.began,
        )
