"""Many steps at once: a run that has lasted long enough goes on in machine code.

A run starts in CPython at once, since loading machine code takes longer than most runs last. When it has lasted about
as long as the loading takes, it is worth it: then `Switch` asks the objective for machine code and puts `ChunkedSteps`
in the place of the method, whose step is a *chunk* of many. A chunk contains only steps after which the loop would
simply go on; the step at which a stop rule might be met, or anything else might happen, is one of the method itself. So
iterates, counts, the best point and the end are those of CPython, to the last bit, and only the clock can tell. Between
chunks of at most 50 ms interrupts get their chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.iteration import Method, Observer, Step
from gdcli.solve.methods.descent import Descent
from gdcli.solve.methods.elementwise import Elementwise, States
from gdcli.solve.settings import Limits, Rule, RunProgress

if TYPE_CHECKING:
    from gdcli.objective.build import ScalarTier
    from gdcli.objective.native_objective import Chunk, ChunkIterate, Loop

# Seconds that a chunk should last: short for Ctrl-C, long beside the cost of beginning one.
LENGTH = 0.02
_FIRST = 1000
_MOST = 10**9


class StepTrace(Protocol):
    """The path of a run, as `gdcli.solve.run` keeps it; ``spent`` are its seconds at the last iterate."""

    progress: RunProgress
    lowest: float
    floor: float

    @property
    def spent(self) -> float: ...


class Switch:
    def __init__(
        self, tier: ScalarTier, rules: Sequence[Rule], observers: Sequence[Observer], trace: StepTrace
    ) -> None:
        self.tier, self.rules, self.observers, self.trace = tier, rules, observers, trace
        self.worth: float | None = None

    def taken_up(self, method: Method) -> tuple[Method, float]:
        """Return the method that the run goes on with, and the seconds at which to ask again."""
        limits = limits_of(self.rules, self.trace.floor)
        found = method.elementwise() if isinstance(method, Descent) and limits is not None else None
        update = None if found is None else found.update
        if self.worth is None:
            watched = limits is not None and limits.value is not None
            self.worth = self.tier.worth_after(update, watched)
        progress = self.trace.progress
        if progress.clock() - progress.began < self.worth:
            return method, self.worth
        code = self.tier.load(update)
        if code is None or found is None or limits is None:
            return method, inf
        return ChunkedSteps(method, found, code, limits, self), inf


class ChunkedSteps:
    """``method`` by chunks of machine code, and by single steps between them."""

    def __init__(
        self, method: Method, found: Elementwise, code: Loop, limits: Limits, switch: Switch
    ) -> None:
        self.method, self.found, self.code, self.limits = method, found, code, limits
        self.rules, self.observers, self.trace = switch.rules, switch.observers, switch.trace
        self.steps = _FIRST
        self.after = self.pause = 0.0
        self.is_short = False  # the last chunk ended where the method itself has to go on

    @property
    def order(self) -> int:
        return self.method.order

    def start(self, objective: Objective, at: Evaluation) -> Any:
        return self.method.start(objective, at)

    def step(self, objective: Objective, at: Evaluation, state: object) -> Step:
        """Return a chunk of steps, or a single one where none is due."""
        trace, found = self.trace, self.found
        wanted = 0 if self.is_short or trace.spent < self.after else self.allowed(trace.progress)
        self.is_short = False
        if wanted < 1:
            return self.method.step(objective, at, state)
        clock = trace.progress.clock
        began = clock()
        chunk = self.code(at, found.states(state), found.constants, self.limits, trace.lowest, wanted)
        ended = clock()
        self.pace(chunk.steps, wanted, ended - began)
        if not chunk.steps:
            self.after = ended - trace.progress.began + self.pause
            return self.method.step(objective, at, state)
        self.is_short = chunk.steps < wanted
        (last,) = chunk.last(1)
        state = found.state(States(chunk.scalars, chunk.vectors))
        chunk = chunk._replace(shown=self.shown(trace.progress.iteration, chunk))
        return Step(last.at, state, last.size, moved=False, passed=False, chunk=chunk)

    def pace(self, steps: int, wanted: int, spent: float) -> None:
        """Make chunks last about `LENGTH`; after one that took no step at all, CPython is left alone for a while."""
        self.pause = 0.0 if steps else max(1e-4, min(2.0 * self.pause, 0.1))
        if steps == wanted == self.steps:
            self.steps = max(1, min(int(steps * min(LENGTH / max(spent, 1e-9), 8.0)), _MOST))

    def allowed(self, progress: RunProgress) -> int:
        """Return the number of steps after which no cap is reached and no observer is kept waiting."""
        steps = int(min([self.steps, *(rule.steps_left(progress) for rule in self.rules)]))
        for observer in self.observers:
            stride, _ = thinning(observer)
            if 0 < stride <= self.code.rows:
                steps = min(steps, self.code.rows)
            elif stride:
                steps = min(steps, stride - progress.iteration % stride)
        return steps

    def shown(self, iteration: int, chunk: Chunk) -> Sequence[tuple[Observer, ChunkIterate]]:
        """Return which iterates of a chunk that began at ``iteration`` each observer sees."""
        wishes = [(observer, *thinning(observer)) for observer in self.observers]
        wishes = [wish for wish in wishes if wish[1] or wish[2]]
        if not wishes:
            return ()
        rows = self.code.rows
        count = max(rows if 0 < stride <= rows else max(tail, 1) for _, stride, tail in wishes)
        return [
            (observer, iterate)
            for iterate in chunk.last(count)
            for observer, stride, tail in wishes
            if iterate.number > chunk.steps - tail or (stride and (iteration + iterate.number) % stride == 0)
        ]


def thinning(observer: Observer) -> tuple[int, int]:
    """Return (stride, tail): an observer sees each iterate whose number ``stride`` divides, and the last ``tail``.

    An observer says so by an attribute ``thinning``; one without sees every iterate. A stride of 0 asks for none.
    """
    found: tuple[int, int] = getattr(observer, "thinning", (1, 1))
    return found


def limits_of(rules: Sequence[Rule], floor: float) -> Limits | None:
    """Return the limits that the rules mean; None where machine code cannot keep to one of them."""
    limits: Limits | None = Limits(floor)
    for rule in rules:
        limits = None if limits is None else rule.within(limits)
    return limits
