"""The words in which solvers, reports and objectives speak to each other.

An *objective* can be evaluated; a *method* turns one evaluated point into the next; the one loop in
:mod:`gdcli.solve.run` turns steps into *iterates*, shows them to *observers* and ends with a *result*. Everything here
is about a minimisation; a maximisation is the minimisation of the negative, and only the report turns the signs back.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.kernel.dataclass import NamedTuple, dataclass, replace, stored
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import norm
from gdcli.objective.protocol import Counts, Evaluation, Objective

if TYPE_CHECKING:
    from gdcli.objective.native_objective import Chunk

BROKEN_OFF = "interrupted"
# Steps whose end is the answer so far, whatever the values before.
ANSWERS = ("polish", "penalty")
# The radii by which a run rounds off kinks, each starting where the last one ended: three orders of magnitude at first,
# two later, so that each run starts within the reach of Newton's method.
ROUNDINGS = (1e-1, 1e-3, 1e-5, 1e-7, 1e-9, 1e-11)
# With more variables than so many there may be as many kinks, and the last radius is lower in proportion.
FEW = 50
# A value that has become small asks for further radii, each by so much.
_FURTHER = 1e-2


def rounding(level: int, size: int) -> float:
    """Return the radius at a level of rounding for so many variables; -1 is the last of those that are for all."""
    if level >= len(ROUNDINGS):
        return rounding(-1, size) * _FURTHER ** (level - len(ROUNDINGS) + 1)
    return ROUNDINGS[level] * min(1.0, FEW / size) if level in (-1, len(ROUNDINGS) - 1) else ROUNDINGS[level]


class Step(NamedTuple):
    """One step of a method: the point it arrives at, its new state, the step size (or radius) it used.

    With a ``reason`` the method itself ends the run: at ``at`` when ``moved``, else where it stood (then
    ``at`` is the old point and no new iterate). ``kind`` is ``step``, ``escape`` off a saddle or maximum, or
    ``polish``: the last steps, which may change the value by no more than its rounding, to a point that is known to be
    better; ``penalty``, a descent with a penalty of the size told, whose end is the answer so far whatever the value;
    `BROKEN_OFF` is a step that a cap or a signal ended on the way. ``passed`` is False when the method ended
    the run by what it knew already: such a look is not counted as an iteration. A step that stands for many has their
    ``chunk``, which ends at ``at``.
    """

    at: Evaluation
    state: Any
    size: float | None
    reason: StopReason | None = None
    moved: bool = True
    kind: str = "step"
    passed: bool = True
    chunk: Chunk | None = None


class Method(Protocol):
    """A method: mathematics only, no loop, clock, counting or printing.

    ``order`` is the order of derivatives that it needs at each iterate (1 or 2).
    """

    @property
    def order(self) -> int: ...

    def start(self, objective: Objective, at: Evaluation) -> Any:
        """Return the state before the first step from ``at`` (evaluated to ``order``)."""

    def step(self, objective: Objective, at: Evaluation, state: Any) -> Step:
        """Return the next step from ``at``; its point is evaluated to ``order`` unless a
        reason ends the run.
        """


class FixedRate(NamedTuple):
    """A step size that never changes, and its stable range as a multiple ``factor`` of ``1/L``.

    L is the largest curvature. Near a minimum steps of size ``factor / L`` or more do not converge.
    """

    lr: float
    factor: float

    def stable_below(self, curvature: float | None) -> float:
        """Return ``factor / L``; 0 where L is not known, not positive, or too large or small to tell."""
        limit = self.factor / curvature if curvature is not None and curvature > 0.0 else 0.0
        return limit if limit < inf else 0.0


@stored()
class Iterate(NamedTuple):
    """One point of the path: number 0 is the start."""

    iteration: int
    at: Evaluation
    step: float | None
    moved: float | None
    counts: Counts
    seconds: float
    kind: str = "step"

    @property
    def gradient_norm(self) -> float | None:
        """The Euclidean norm of the gradient, None where there is no gradient."""
        return None if self.at.gradient is None else norm(self.at.gradient)

    def times(self, k: float) -> Iterate:
        at = self.at
        gradient = None if at.gradient is None else at.gradient * k
        return self._replace(at=at._replace(value=at.value * k, gradient=gradient, hessian=None))


class Observer(Protocol):
    """Something that watches a run: a table, a file of records, a progress bar."""

    def __call__(self, iterate: Iterate) -> None:
        """Take notice of one iterate, in order, the start included."""


@stored()
@dataclass(slots=True)
class RunResult:
    """How a run went: its first, best and last iterate, and why it ended.

    ``iterations`` counts the passes of the method, one that ended the run without moving included. Nobody changes
    a result or certificate; they are not frozen because that would make them cost several times as much.
    """

    start: Iterate
    best: Iterate
    last: Iterate
    reason: StopReason
    iterations: int
    counts: Counts
    seconds: float

    def times(self, k: float) -> RunResult:
        start, best, last = (one.times(k) for one in (self.start, self.best, self.last))
        return replace(self, start=start, best=best, last=last)

    def followed_by(self, iterate: Iterate) -> Iterate:
        """Return an iterate of a run from the best point of this one as one of this run gone on with."""
        passed = self.last.iteration if iterate.iteration else self.best.iteration
        return iterate._replace(iteration=passed + iterate.iteration, seconds=self.seconds + iterate.seconds)

    def continued(self, further: RunResult) -> RunResult:
        """Return this run and ``further``, which began at its best point and counts on, as one."""
        best, last = map(self.followed_by, (further.best, further.last))
        return replace(
            further,
            start=self.start,
            best=best,
            last=last,
            iterations=self.last.iteration + further.iterations,
            seconds=self.seconds + further.seconds,
        )
