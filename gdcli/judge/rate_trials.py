"""Plain gradient descent at several rates, side by side, and how strongly a function is curved along its way.

Every rate is a *trial*: it starts at the same point and takes the step ``x - lr * gradient`` again and again. All
trials advance together, one step each at a time, so that an interrupt finds all of them equally far. A trial ends early
when it has arrived (a step shorter than the tolerance of the book, 1e-7), when it has no finite value any more, or when
its value has fallen beyond all bounds.

A trial remembers the value at each step, the lengths of the gradient at the start and at the last steps, which is all
that a verdict needs, and a few points of its path: the first ones and then every one twice as far out as the last.

Trials that take long go on in machine code, many steps at once, with the same bits; see
:mod:`gdcli.solve.native_steps`.

Along a direction of curvature c one step of gradient descent multiplies the distance to the minimum by ``1 - lr*c``. So
the largest curvature L limits the rate: above ``2/L`` that factor is below -1, and each step lands farther away, on the
other side. The smallest curvature m sets the pace: its factor is the closest to 1. The rate that makes the worse of the
two factors best is ``2/(L+m)``; both are then ``(L-m)/(L+m)``, which only depends on the condition number L/m
(Nesterov, Lectures on Convex Optimization, 2018, theorem 2.1.15; Nocedal and Wright, Numerical Optimization, section
3.3). Where the curvature is not positive everywhere that rule does not apply, and ``1/L`` stands in, the rate with the
greatest fall that is certain (Nesterov, section 1.2.3).

A function that is not quadratic has another curvature everywhere, so that "along the way" needs a way: it is the path
of the best rate itself. That path depends on L and m, and these on the path. A first guess from the start is corrected
until both agree. Only points that are not higher than the start count: a path that flies off must not be taken for the
landscape that a good one sees.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import eigen
from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.vectors import along, distance, dot, is_finite, norm
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.quadratic_model import NOISE, hessian_source, with_hessian
from gdcli.solve.methods.descent import Descent, Steepest
from gdcli.solve.methods.elementwise import Elementwise, Fixed
from gdcli.solve.methods.newton_cg import ritz
from gdcli.solve.run import unbounded_below
from gdcli.solve.settings import Limits

if TYPE_CHECKING:
    from gdcli.objective.build import ScalarTier
    from gdcli.objective.native_objective import Loop

# The book's tolerance on the distance moved.
TOLERANCE = 1e-7
# With a tiny rate every step is shorter than the tolerance, the first one too. Then the gradient has to shrink to
# this part of its first length as well, before the trial may be said to have arrived.
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
    """Whether trials go on in machine code by now: they do when they have lasted as long as its loading takes."""

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


def advance(objective: Objective, trials: Sequence[RateTrial], steps: int, pace: Pace | None = None) -> None:
    """Advance all ``trials`` together, until each has taken ``steps`` steps or has ended.

    With machine code (``pace``) "together" means that none is many steps ahead.
    """
    running = [trial for trial in trials if trial.running]
    code: Loop | None = None
    for turn in range(steps):
        if not running:
            break
        if pace is not None and turn % _LAST == 0:
            code = pace.code()
        for trial in running:
            if code is not None and trial.taken < steps - 1:
                trial.chunk(code, steps - 1 - trial.taken)
            trial.step(objective)
        running = [trial for trial in running if trial.running and trial.taken < steps]


# Products in one Lanczos run: its error falls like exp(-4 * steps / sqrt(condition)).
LANCZOS_STEPS = 80
# Corrections of the path; a quadratic needs none, a valley like Rosenbrock's two or three.
_ROUNDS = 10
_SETTLED = 0.01
_BACK_OFF = 4.0


class Curvature(NamedTuple):
    """The extreme Hessian eigenvalues along the way, and the largest one at its end.

    ``how`` says where the Hessians came from, ``points`` how many there were.
    """

    largest: float
    smallest: float
    at_end: float
    how: CurvatureSource
    points: int

    @property
    def error(self) -> float:
        """What a curvature may differ from its true value by rounding or differences."""
        return NOISE.get(self.how, NOISE[CurvatureSource.EXACT]) * self.scale

    @property
    def singular(self) -> bool:
        """Whether the smallest curvature is not clearly above zero."""
        return self.smallest <= self.error

    @property
    def concave(self) -> bool:
        """Whether the smallest curvature is clearly below zero."""
        return self.smallest < -self.error

    @property
    def limit(self) -> float | None:
        """The stable limit 2/L; None where nothing is curved upwards."""
        return 2.0 / self.largest if self.largest > 0.0 else None

    @property
    def best(self) -> float | None:
        """The best fixed rate: 2/(L+m), or 1/L where m is not positive; None without any L > 0."""
        if self.largest <= 0.0:
            return None
        return 1.0 / self.largest if self.singular else 2.0 / (self.largest + self.smallest)

    @property
    def condition(self) -> float | None:
        """L/m; None where m is not clearly positive."""
        return None if self.largest <= 0.0 or self.singular else self.largest / self.smallest

    @property
    def scale(self) -> float:
        """The largest curvature of either sign."""
        return max(abs(self.largest), abs(self.smallest))


def at_point(objective: Objective, at: Evaluation) -> Curvature | None:
    """Return the curvature at one point; None where the Hessian is not finite."""
    source = hessian_source(objective)
    if source is CurvatureSource.NONE:
        spectrum = ritz(objective, at, LANCZOS_STEPS)
        if spectrum is None:
            return None
        return Curvature(spectrum.high, spectrum.low, spectrum.high, CurvatureSource.LANCZOS, 1)
    hessian = with_hessian(objective, at, source).hessian
    if hessian is None:
        return None
    values = eigen(hessian)[0]
    return Curvature(values[-1], values[0], values[-1], source, 1)


def _joined(one: Curvature, other: Curvature) -> Curvature:
    """Return the curvature of both; the end is that of the other."""
    return Curvature(
        max(one.largest, other.largest),
        min(one.smallest, other.smallest),
        other.at_end,
        other.how,
        one.points + other.points,
    )


def _along(objective: Objective, trial: RateTrial, found: Curvature) -> Curvature:
    """Return ``found``, the curvature at the start, joined with that along the path of ``trial``."""
    for at in trial.way():
        if at.value <= trial.values[0]:
            here = at_point(objective, at)
            if here is not None:
                found = _joined(found, here)
    return found


def survey(
    objective: Objective, at: Evaluation, steps: int, pace: Pace | None = None
) -> tuple[Curvature | None, RateTrial | None]:
    """Return the curvature along the way from ``at``, and the run at the best rate.

    ``steps`` is how long a path is followed. The run is None where there is no best rate: without any curvature
    at all, or with none that is positive. Both are None where the Hessian at the start is not finite.
    """
    start = at_point(objective, at)
    if start is None or start.scale == 0.0:
        return start, None
    found, rate = start, start.best or 1.0 / start.scale
    for _ in range(_ROUNDS):
        trial = RateTrial(rate, at, start.scale)
        advance(objective, [trial], steps, pace)
        if trial.astray:
            rate /= _BACK_OFF
            continue
        found = _along(objective, trial, start)
        wanted = found.best
        if wanted is None:
            return found, None
        if abs(wanted - rate) <= _SETTLED * rate:
            break
        rate = wanted
    best = found.best
    if best is None:
        return found, None
    if trial.lr != best:
        trial = RateTrial(best, at, start.scale)
        advance(objective, [trial], steps, pace)
    return found, trial
