"""Plain gradient descent at several rates, side by side.

Every rate is a *lane*: it starts at the same point and takes the step ``x - lr * gradient`` again and again. All
lanes advance together, one step each at a time, so that an interrupt finds all of them equally far. A lane ends
early when it has arrived (a step shorter than the tolerance of the book, 1e-7), when it has no finite value any
more, or when its value has fallen beyond all bounds.

A lane remembers the value at each step, the lengths of the gradient at the start and at the last steps, which is all
that a verdict needs, and a few points of its path: the first ones and then every one twice as far out as the last.

Lanes that take long go on in machine code, many steps at once, with the same bits; see :mod:`gdcli.solve.native_steps`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from gdcli.kernel.vectors import along, distance, dot, is_finite, norm
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.methods.descent import Descent, Steepest
from gdcli.solve.methods.elementwise import Elementwise, Fixed
from gdcli.solve.run import unbounded_below
from gdcli.solve.settings import Limits

if TYPE_CHECKING:
    from gdcli.objective.build import ScalarTier
    from gdcli.objective.native_objective import Loop

# The book's tolerance on the distance moved.
TOLERANCE = 1e-7
# With a tiny rate every step is shorter than the tolerance, the first one too. Then the gradient has to shrink to
# this part of its first length as well, before the lane may be said to have arrived.
_SHRUNK = 0.01
_MOST_POINTS = {True: 12, False: 5}  # of a short vector, of a long one
_LONG = 1000
# So many lengths and turns are kept of many steps taken at once; verdicts look at fewer.
_LAST = 16


class RateTrial:
    """One run of plain gradient descent.

    ``values`` has the value at each point, the start included; ``slopes`` the norm of the gradient at the start and at
    the last points; ``turns`` tells for each pair of the last steps whether the second goes against the first.
    ``arrived`` is the number of the first step that was short enough. ``lost`` is the point where the finite numbers
    ended, ``fallen`` tells that the value fell beyond all bounds.
    """

    __slots__ = (
        "_kept", "_most", "_next", "arrived", "at", "fallen", "floor", "lost", "lr", "short", "slopes", "turns",
        "values",
    )  # fmt: skip

    def __init__(self, lr: float, at: Evaluation, curvature: float, tolerance: float = TOLERANCE) -> None:
        self.lr = lr
        self.at = at
        self.values = [at.value]
        self.slopes = [norm(at.gradient)]
        self.turns: list[bool] = []
        self.arrived: int | None = None
        self.lost: Vector | None = None
        self.fallen = False
        self.floor = unbounded_below(at.value)
        first = lr * self.slopes[0]
        self.short = tolerance if first >= tolerance else max(_SHRUNK * first, lr * curvature * tolerance)
        self._kept: list[Evaluation] = []
        self._most = _MOST_POINTS[len(at.x) <= _LONG]
        self._next = 1

    @property
    def taken(self) -> int:
        return len(self.values) - 1

    @property
    def running(self) -> bool:
        return self.arrived is None and self.lost is None and not self.fallen

    @property
    def astray(self) -> bool:
        """Whether it ended higher than it began, or nowhere."""
        return self.lost is not None or not self.values[-1] <= self.values[0]

    def step(self, objective: Objective) -> None:
        at = self.at
        x = along(at.x, -self.lr, at.gradient)
        new = objective.evaluate(x, 1) if is_finite(x) else Evaluation(x, float("inf"))
        self.values.append(new.value)
        self.fallen = new.value < self.floor
        if not isfinite(new.value) or new.gradient is None:
            if not self.fallen:
                self.lost = x
            return
        self.slopes.append(norm(new.gradient))
        self.turns.append(dot(new.gradient, at.gradient) < 0.0)
        moved = distance(x, at.x)
        self.at = new
        if moved < self.short or self.slopes[-2] == 0.0:
            self.arrived = self.taken
        elif self.taken == self._next and len(self._kept) < self._most:
            self._kept.append(new)
            self._next *= 2

    def chunk(self, code: Loop, steps: int) -> None:
        """Take up to ``steps`` steps at once, as long as nothing happens but steps."""
        method = _steepest(self.lr)
        steps = min(steps, code.rows)
        if len(self._kept) < self._most:
            steps = min(steps, self._next - self.taken)
        states, limits = method.states((None, None)), Limits(self.floor, step=self.short)
        done = code(self.at, states, method.constants, limits, self.values[-1], steps)
        self.values += done.values(done.steps)
        for iterate in done.last(min(done.steps, _LAST)):
            at = iterate.at
            self.slopes.append(norm(at.gradient))
            self.turns.append(dot(at.gradient, iterate.before.gradient) < 0.0)
            self.at = at
        if done.steps and self.taken == self._next and len(self._kept) < self._most:
            self._kept.append(self.at)
            self._next *= 2

    def way(self) -> Iterator[Evaluation]:
        """Return some points of the path after the start, the last one always."""
        for at in self._kept:
            if at is not self.at:
                yield at
        if self.taken:
            yield self.at


class Pace:
    """Whether lanes go on in machine code by now: they do when they have lasted as long as its loading takes."""

    def __init__(self, tier: ScalarTier | None) -> None:
        self._tier = tier
        self._began = time.perf_counter()
        self._after = float("inf") if tier is None else tier.first_look
        self._looked = False

    def code(self) -> Loop | None:
        """Return what takes many steps at once, None as long as there is none."""
        seconds = time.perf_counter() - self._began
        if self._tier is None or seconds < self._after:
            return self._found
        update = _steepest(1.0).update
        if not self._looked:
            self._looked, self._after = True, self._tier.worth_after(update)
        if seconds >= self._after:
            self._found, self._after = self._tier.load(update), float("inf")
        return self._found

    _found: Loop | None = None


def _steepest(lr: float) -> Elementwise:
    found = Descent(Steepest(), Fixed(lr)).elementwise()
    assert found is not None
    return found


def advance(objective: Objective, lanes: Sequence[RateTrial], steps: int, pace: Pace | None = None) -> None:
    """Advance all ``lanes`` together, until each has taken ``steps`` steps or has ended.

    With machine code (``pace``) "together" means that none is many steps ahead.
    """
    running = [lane for lane in lanes if lane.running]
    code: Loop | None = None
    for turn in range(steps):
        if not running:
            break
        if pace is not None and turn % _LAST == 0:
            code = pace.code()
        for lane in running:
            if code is not None and lane.taken < steps - 1:
                lane.chunk(code, steps - 1 - lane.taken)
            lane.step(objective)
        running = [lane for lane in running if lane.running and lane.taken < steps]
