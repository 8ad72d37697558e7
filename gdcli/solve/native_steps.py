"""Many steps at once: a run that has lasted long enough goes on in machine code.

A run starts in CPython at once, since loading machine code takes longer than most runs last. When it has lasted about
as long as the loading takes, it is worth it: then `Switch` asks the objective for machine code and lets it take
*bursts* of steps. A burst contains only steps after which the loop would simply go on; the step at which a stop rule
might be met, or anything else might happen, is left to the loop. So iterates, counts, the best point and the end are
those of CPython, to the last bit, and only the clock can tell. Between bursts of at most 50 ms interrupts get their
chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gdcli.compile.update_rules import Update
from gdcli.kernel.dataclass import NamedTuple
from gdcli.objective.protocol import Evaluation, NativeIterate, NativeSteps
from gdcli.solve.checkpointing import Checkpointer
from gdcli.solve.iteration import Method, Observer
from gdcli.solve.methods.descent import Descent
from gdcli.solve.methods.elementwise import States
from gdcli.solve.stopping import (
    DistanceMoved,
    GradientNorm,
    MaxEvaluations,
    MaxIterations,
    MaxTime,
    Rule,
    RunProgress,
    Target,
    ValueChange,
)

# Seconds that a burst should last: short for Ctrl-C, long beside the cost of beginning one.
LENGTH = 0.02
_FIRST = 1000
_MOST = 10**9


class Limits(NamedTuple):
    """What keeps a burst from going on, see `limits_of`. A gradient norm stops it at ``gradient`` (times
    sqrt(max(1, |f|)) when ``scaled``), a distance at ``step``; None: no such rule.
    """

    floor: float
    gradient: float | None = None
    scaled: bool = False
    step: float | None = None
    value: float | None = None
    target: float | None = None


class Bursts(Protocol):
    """Machine code that takes steps of one update; ``rows`` is how many iterates it keeps."""

    rows: int

    def __call__(
        self,
        at: Evaluation,
        states: States,
        constants: Sequence[float],
        limits: Limits,
        lowest: float,
        steps: int,
    ) -> NativeSteps:
        """Take up to ``steps`` steps from ``at``; ``lowest`` is the lowest value so far."""
        ...


class Tier(Protocol):
    """An objective's machine code, not yet loaded; ``first_look`` is the earliest time at which it may be worth it."""

    first_look: float

    def worth_after(self, update: Update | None, watched: bool = False) -> float:
        """Return the seconds that a run should have lasted before `load`: what that takes; inf: never."""
        ...

    def load(self, update: Update | None) -> Bursts | None:
        """From now on evaluate by machine code, or return what takes whole steps where there is an ``update``."""
        ...


class StepTrace(Protocol):
    """The path of a run, as `gdcli.solve.run` keeps it."""

    progress: RunProgress
    lowest: float

    def burst(self, burst: NativeSteps, shown: Sequence[tuple[Observer, NativeIterate]]) -> None:
        """Take notice of a burst, and show some of its iterates to observers."""
        ...


class Switch:
    """When a run goes on in machine code, and how; ``after`` are the seconds of its next look at a run."""

    def __init__(
        self, tier: Tier, method: Method, rules: Sequence[Rule], observers: Sequence[Observer], floor: float
    ) -> None:
        self.tier = tier
        self.rules = rules
        self.observers = observers
        self.after = tier.first_look
        self.worth: float | None = None
        self.bursts: Bursts | None = None
        self.steps = _FIRST
        self.pause = 0.0
        limits = limits_of(rules, floor)
        self.limits = limits or Limits(floor)
        self.found = None if limits is None or not isinstance(method, Descent) else method.elementwise()

    def __call__(self, trace: StepTrace, state: Any) -> Any:
        """Go on in machine code if that is worth it by now, and return the new state."""
        progress = trace.progress
        seconds = progress.clock() - progress.began
        if self.bursts is None and not self.begin(seconds):
            return state
        going = True
        while going:
            state, going = self.burst(trace, state)
        self.after = progress.clock() - progress.began + self.pause
        return state

    def begin(self, seconds: float) -> bool:
        """Load the machine code when the time has come; tell whether there are bursts to take."""
        update = None if self.found is None else self.found.update
        if self.worth is None:
            self.after = self.worth = self.tier.worth_after(update, self.limits.value is not None)
        if seconds < self.after:
            return False
        self.bursts = self.tier.load(update)
        self.after = float("inf")
        return self.bursts is not None

    def burst(self, trace: StepTrace, state: Any) -> tuple[Any, bool]:
        """Take one burst of steps; return the new state, and whether there may be another at once."""
        bursts, found = self.bursts, self.found
        assert bursts is not None
        assert found is not None
        progress = trace.progress
        progress.state = state
        wanted = self.allowed(progress)
        if wanted < 1:
            return state, False
        began = progress.clock()
        states = found.states(state)
        burst = bursts(progress.at, states, found.constants, self.limits, trace.lowest, wanted)
        self.pace(burst.steps, wanted, progress.clock() - began)
        if burst.steps:
            state = found.state(States(burst.scalars, burst.vectors))
            trace.burst(burst, self.shown(progress.iteration, burst))
        return state, burst.steps == wanted

    def pace(self, steps: int, wanted: int, spent: float) -> None:
        """Make bursts last about `LENGTH`; after one that took no step at all, CPython is left alone for a while."""
        self.pause = 0.0 if steps else max(1e-4, min(2.0 * self.pause, 0.1))
        if steps == wanted == self.steps:
            self.steps = max(1, min(int(steps * min(LENGTH / max(spent, 1e-9), 8.0)), _MOST))

    def allowed(self, progress: RunProgress) -> int:
        """The number of steps after which no cap is reached and no observer is kept waiting."""
        steps = self.steps
        counts = progress.counts
        for rule in self.rules:
            if isinstance(rule, MaxIterations):
                steps = min(steps, int(rule.limit) - progress.iteration - 1)
            elif isinstance(rule, MaxEvaluations):
                used = counts.value + counts.gradient + counts.hessian + counts.product
                steps = min(steps, (int(rule.limit) - used - 1) // 2)
            elif isinstance(rule, MaxTime | Checkpointer) and rule(progress):
                return 0
        assert self.bursts is not None
        for observer in self.observers:
            stride, _ = thinning(observer)
            if 0 < stride <= self.bursts.rows:
                steps = min(steps, self.bursts.rows)
            elif stride:
                steps = min(steps, stride - progress.iteration % stride)
        return steps

    def shown(self, iteration: int, burst: NativeSteps) -> list[tuple[Observer, NativeIterate]]:
        """Which iterates of a burst that began at ``iteration`` each observer sees."""
        wishes = [(observer, *thinning(observer)) for observer in self.observers]
        wishes = [wish for wish in wishes if wish[1] or wish[2]]
        if not wishes:
            return []
        rows = self.bursts.rows if self.bursts is not None else 0
        count = max(rows if 0 < stride <= rows else max(tail, 1) for _, stride, tail in wishes)
        return [
            (observer, arrival)
            for arrival in burst.last(count)
            for observer, stride, tail in wishes
            if arrival.number > burst.steps - tail or (stride and (iteration + arrival.number) % stride == 0)
        ]


def thinning(observer: Observer) -> tuple[int, int]:
    """Return (stride, tail): an observer sees each iterate whose number ``stride`` divides, and the last ``tail``.

    An observer says so by an attribute ``thinning``; one without sees every iterate. A stride of 0 asks for none.
    """
    found: tuple[int, int] = getattr(observer, "thinning", (1, 1))
    return found


def limits_of(rules: Sequence[Rule], floor: float) -> Limits | None:
    """Return the limits that the rules mean; None where a rule is not one of the known."""
    limits = Limits(floor)
    for rule in rules:
        if isinstance(rule, GradientNorm):
            limits = limits._replace(gradient=rule.limit, scaled=rule.scaled)
        elif isinstance(rule, DistanceMoved):
            limits = limits._replace(step=rule.limit)
        elif isinstance(rule, ValueChange):
            limits = limits._replace(value=rule.limit)
        elif isinstance(rule, Target):
            limits = limits._replace(target=rule.limit)
        elif not isinstance(rule, MaxIterations | MaxEvaluations | MaxTime | Checkpointer):
            return None
    return limits
