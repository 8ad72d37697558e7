"""Getting to the bottom of a kink: smooth it, less and less.

At a kink such as that of ``abs(u)`` at ``u = 0`` the gradient jumps, and Newton's method, which believes in smooth
models, jams against it: ``abs(x) + y**2`` reaches x = 0 and then finds no step although y is still wrong. The way out
is to replace ``abs(u)`` by ``sqrt(u**2 + mu**2)`` (max and min likewise) and to minimise that for a mu that shrinks
from 0.1 to 1e-11, each run starting where the last one ended (Chen, Mathematical Programming 134, 2012). The values
shown are those of the function itself; it differs from the last smoothed one by at most mu a kink.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

from gdcli.kernel.dataclass import Reader, Writer, dataclass, stored
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import along, distance
from gdcli.objective.protocol import Counts, Evaluation, Objective, Vector
from gdcli.solve.iteration import FEW, ROUNDINGS, Method, Step, rounding

# A value that has become small asks for further levels while the rounding is more than this part of the value.
_PART, _MOST_LEVELS = 1e-8, 12
_JAMMED = (StopReason.NO_DESCENT, StopReason.FLOOR, StopReason.SLOW)
_STATIONARY = (StopReason.GAP, StopReason.STATIONARY)
_NO_MINIMUM = (StopReason.UNBOUNDED, StopReason.AT_INFINITY, StopReason.EDGE)
# Where the radius shrinks to a hundredth, a change in proportion does too, and one by its square to a ten-thousandth.
_IN_PROPORTION = 1e3
# A run that has kinks, and had to shorten so many of its steps or took so many for many variables, is zig-zagging
# across one.
_PATIENCE, _LARGE_PATIENCE = 8, 200


@stored()
@dataclass(slots=True)
class _Phase:
    """One level of smoothing: the smoothed objective, its value here, and the state of the method on it.

    ``path``: the radius of the rounding and the end of each level before.
    """

    level: int
    objective: Objective
    at: Evaluation
    inner: Any
    path: list[tuple[float, Vector]]

    def to_store(self, write: Writer) -> Any:
        """Return the parts as JSON values; of the smoothed function the counts alone."""
        counts = self.objective.counts
        parts = {name: write(getattr(self, name)) for name in ("level", "at", "inner", "path")}
        return parts | {"counts": None if counts is write.objective.counts else write(counts.copy())}

    @classmethod
    def from_store(cls, content: Any, read: Reader) -> _Phase:
        """Return the phase; the smoothed function is made again from what the run is on, and has its counts."""
        number = content["level"]
        smooth = read.objective.smoothed(rounding(number, read.objective.size))
        if smooth is None:
            raise ValueError("the function has no kinks")
        counts = read(content["counts"])
        if counts is not None:
            smooth.counts.take_over(counts.since(smooth.counts))
        return cls(number, smooth, *(read(content[name]) for name in ("at", "inner", "path")))


@stored()
@dataclass(slots=True)
class KinkState:
    """The state of the method on the function itself, then the phase of smoothing (None before)."""

    plain: Any
    phase: _Phase | None = None
    taken: int = 0
    shortened: int = 0


@dataclass(frozen=True, slots=True)
class Smoothing:
    """A method that smooths the kinks once it is jammed against one; ``tol`` as for `auto`.

    The method is trust-region Newton, or for many variables (``large``) one of :mod:`gdcli.solve.methods.hybrid_large`.
    """

    tol: float = 1e-8
    large: bool = False
    bounded: bool = False

    @property
    def order(self) -> int:
        return self.method.order

    @property
    def method(self) -> Method:
        return self._method(polishes=True)

    @property
    def smooth_method(self) -> Method:
        """The method on the smoothed functions, whose last digits are not those of the function."""
        return self._method(polishes=False)

    def _method(self, polishes: bool) -> Method:
        if not self.large:
            from gdcli.solve.methods.newton import TrustRegionNewton

            return TrustRegionNewton(self.tol, polishes)
        from gdcli.solve.methods.hybrid_large import large_method  # the common case does without

        return large_method(self.tol, self.bounded)

    def start(self, objective: Objective, at: Evaluation) -> KinkState:
        return KinkState(self.method.start(objective, at))

    def step(self, objective: Objective, at: Evaluation, state: KinkState) -> Step:
        if state.phase is None:
            values = objective.counts.value
            step = self.method.step(objective, at, state.plain)
            state.taken += 1
            state.shortened += objective.counts.value - values > 1
            if not self._is_jammed(objective, step, at, state):
                return step._replace(state=state)
            state.phase = self._enter(objective, at.x, 0, [])
            if state.phase is None:
                return step._replace(state=state)
        while True:
            phase = state.phase
            with _counted(objective.counts, phase.objective.counts):
                step = self.smooth_method.step(phase.objective, phase.at, phase.inner)
            if step.moved:
                phase.at = step.at
                # The end of a level is noticed at the next step, which will not move.
                reason = step.reason if step.reason in _NO_MINIMUM else None
                return Step(_exact(objective, step.at), state, step.size, reason, kind=step.kind)
            if step.reason in _NO_MINIMUM:
                return Step(at, state, step.size, step.reason, moved=False)
            path = [*phase.path, (rounding(phase.level, objective.size), phase.at.x)]
            following = None
            if phase.level + 1 < len(ROUNDINGS) or _is_coarse(path[-1][0], phase):
                following = self._enter(objective, phase.at.x, phase.level + 1, path)
            if following is None:
                return _last(objective, at, step._replace(state=state), path)
            state.phase = following
            if following.at.x is not phase.at.x:
                return Step(_exact(objective, following.at), state, distance(following.at.x, phase.at.x))

    def _is_jammed(self, objective: Objective, step: Step, at: Evaluation, state: KinkState) -> bool:
        if step.reason is None:
            return state.taken >= _LARGE_PATIENCE if self.large else state.shortened >= _PATIENCE
        if step.reason not in _JAMMED:
            return step.reason in _STATIONARY and _is_at_kink(objective, step.at)
        if self.large or state.plain.model is None:
            return True
        from gdcli.solve.methods.newton import TrustRegionNewton

        return not TrustRegionNewton(self.tol).enough(at, state.plain.model, state.plain)

    def _enter(
        self, objective: Objective, x: Vector, number: int, path: list[tuple[float, Vector]]
    ) -> _Phase | None:
        """Return the phase at a level of smoothing, None where the smoothed function has no value.

        The branch of a where that is not taken may have none.
        """
        mu = rounding(number, objective.size)
        smooth = objective.smoothed(mu)
        if smooth is None:
            return None
        with _counted(objective.counts, smooth.counts):
            at = smooth.evaluate(x, 0)
            if len(path) > 1:
                there = smooth.evaluate(_foreseen(path, mu), 0)
                at = there if there.value < at.value else at
            here = smooth.complete(at, self.order)
            if not isfinite(here.value) or here.gradient is None:
                return None
            inner = self.smooth_method.start(smooth, here)
        return _Phase(number, smooth, here, inner, path)


def _is_at_kink(objective: Objective, at: Evaluation) -> bool:
    """Tell whether a point without a slope is at a kink: there rounding changes the value in proportion to its radius,
    and by its square elsewhere.
    """
    changes = []
    for number in (1, 2):
        smooth = objective.smoothed(rounding(number, objective.size))
        if smooth is None:
            return False
        with _counted(objective.counts, smooth.counts):
            changes.append(abs(smooth.evaluate(at.x, 0).value - at.value))
    coarse, fine = changes
    return coarse < _IN_PROPORTION * fine


def _is_coarse(mu: float, phase: _Phase) -> bool:
    """Tell whether a rounding by ``mu`` is still to be seen in the value, and is not all that is left of it."""
    value = abs(phase.at.value)
    return phase.level + 1 < _MOST_LEVELS and _PART * value < mu < value / FEW


def _foreseen(path: list[tuple[float, Vector]], mu: float) -> Vector:
    """Return where the next level ends if the ends move in proportion to the radius, as they do at a kink."""
    (before, x), (last, y) = path[-2:]
    return along(y, (mu - last) / (last - before), y - x)


def _last(objective: Objective, at: Evaluation, step: Step, path: list[tuple[float, Vector]]) -> Step:
    """Return the end of the run: at ``at``, or where the path of the levels leads without any rounding, if lower."""
    if len(path) > 1:
        x = _foreseen(path, 0.0)
        if objective.evaluate(x, 0).value < at.value:
            end = _exact(objective, at._replace(x=x))
            return Step(end, step.state, distance(x, at.x), step.reason)
    return step._replace(at=at, moved=False)


def _exact(objective: Objective, at: Evaluation) -> Evaluation:
    """Return the function itself at the point of a smoothed one, whose gradient stands in where it has none."""
    found = objective.evaluate(at.x, 1)
    if found.gradient is None and isfinite(found.value):
        return found._replace(gradient=at.gradient, estimated=True, held=at.held)
    return found


@contextmanager
def _counted(total: Counts, phase: Counts) -> Iterator[None]:
    """What is evaluated in a phase counts in the run, also where it ends early."""
    before = phase.copy()
    try:
        yield
    finally:
        if total is not phase:
            total.take_over(phase.since(before))
