"""The words in which solvers, reports and objectives speak to each other.

An *objective* can be evaluated; a *method* turns one evaluated point into the next; the one loop in
:mod:`gdcli.solvers.run` turns steps into *iterates*, shows them to *observers* and ends with a *result*.
Everything here is about a minimisation; a maximisation is the minimisation of the negative, and only the
report turns the signs back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, Protocol

from gdcli.budget import Budget, current
from gdcli.dataclass import NamedTuple, dataclass, field
from gdcli.solvers.vectors import norm
from gdcli.stored import stored

# A point or gradient: a `Vec` (a list with arithmetic) for few variables, a numpy array for many. Both have
# + - on each other, * and / with a float, @ for the dot product, len() and indexing; see solvers/vectors.py.
Vector = Any
# A symmetric matrix: a list of `Vec` rows for few variables, a numpy array for many.
Matrix = Any


@stored()
class Evaluation(NamedTuple):
    """What is known about the objective at ``x`` (a tuple: a run makes thousands, and they never change).

    ``value`` is +inf where the function is undefined or not a number, -inf where it is unbounded.
    ``gradient`` (shape n) and ``hessian`` (shape n x n) are None where they were not asked for, or where they
    are not finite; then ``note`` says why. ``estimated`` tells that the derivatives are difference quotients
    standing in for exact ones which do not exist at this point. ``held`` (shape n, bool) tells, where there are
    bounds and a gradient, which variables a bound holds: in the projected gradient a slope of 0 looks the same.
    """

    x: Vector
    value: float
    gradient: Vector | None = None
    hessian: Matrix | None = None
    note: str = ""
    estimated: bool = False
    held: Any = None


@stored()
@dataclass(slots=True)
class Counts:
    """How often the objective was evaluated, by kind; each gradient, Hessian or product counts as one."""

    value: int = 0
    gradient: int = 0
    hessian: int = 0
    product: int = 0

    def copy(self) -> Counts:
        """Return the counts as they are now."""
        return Counts(self.value, self.gradient, self.hessian, self.product)

    @property
    def total(self) -> int:
        """All of them together, as a cap on evaluations counts them."""
        return self.value + self.gradient + self.hessian + self.product

    def add(self, more: Counts) -> None:
        """Take notice of evaluations that were made and are not counted yet."""
        self.value += more.value
        self.gradient += more.gradient
        self.hessian += more.hessian
        self.product += more.product

    def take_over(self, more: Counts) -> None:
        """Take notice of evaluations that another objective of the same run has counted."""
        self.add(more)

    def since(self, before: Counts) -> Counts:
        """Return what was counted since these counts were copied."""
        return Counts(
            self.value - before.value,
            self.gradient - before.gradient,
            self.hessian - before.hessian,
            self.product - before.product,
        )


class CappedCounts(Counts):
    """Counts that ask a budget before each evaluation, which counts itself before it is made."""

    __slots__ = ("_budget",)
    _budget: Any

    def __init__(self, budget: Budget) -> None:
        object.__setattr__(self, "_budget", None)
        super().__init__()
        object.__setattr__(self, "_budget", budget)

    def __setattr__(self, name: str, number: int) -> None:
        budget = self._budget
        if budget is not None:
            more = number - getattr(self, name)
            if more > 0:
                budget.spend(more)
        object.__setattr__(self, name, number)

    def add(self, more: Counts) -> None:
        """Take notice of evaluations that were made: nobody can be asked any more."""
        self.take_over(more)
        self._budget.used += more.total

    def take_over(self, more: Counts) -> None:
        """Take notice of evaluations that the budget knows of."""
        budget = self._budget
        object.__setattr__(self, "_budget", None)
        super().add(more)
        object.__setattr__(self, "_budget", budget)


def new_counts() -> Counts:
    """Return the counts of a new objective; those of an open budget where there is one."""
    budget = current()
    return Counts() if budget is None else CappedCounts(budget)


class Objective(Protocol):
    """A function of n variables to be minimised, as the solvers see it."""

    size: int
    counts: Counts
    has_hessian: bool
    has_product: bool

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        """Return the value (order 0), with the gradient (order 1), with the Hessian (order 2) at ``x``."""
        ...

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        """Return ``at`` with the derivatives up to ``order`` added; its value is not computed again."""
        ...

    def product(self, at: Evaluation, direction: Vector) -> Vector | None:
        """Return the Hessian at ``at.x`` times ``direction``, or None where it is not finite."""
        ...


@stored()
class Triangle(NamedTuple):
    """A linear model of residuals, r(x + d) = r + J d, reduced by a QR factorisation.

    |r + J d|**2 = |factor d + target|**2 + rest**2 for every d. ``factor`` is upper triangular, a list of its p rows,
    ``target`` has shape (p,); all are `Vec`, however many rows the data have. ``measured`` is the length of what was
    measured, in the unit of the residuals: these are differences of such numbers, and have their rounding. ``slope``
    is ``J'r``, shape (p,), where it is known with more digits than ``factor' target`` has.
    """

    factor: Any
    target: Any
    rest: float
    measured: float = 0.0
    slope: Any = None


class LeastSquaresObjective(Objective, Protocol):
    """An objective whose value is the sum of the squares of residuals, one of each of so many ``rows``.

    ``has_wide`` tells that `linearise` can be asked for wide residuals; with ``spares_wide`` it should be only where
    the rounding of others would be seen.
    """

    has_wide: bool
    spares_wide: bool
    rows: int

    def linearise(self, at: Evaluation, wide: bool = False) -> Triangle | None:
        """Return the linear model of the residuals at ``at.x``, None where it is not finite.

        ``wide`` computes with more digits than doubles have, where the machine has longer floats: a residual is a
        difference of numbers that may be far larger, and their rounding is all that is left of it then.
        """
        ...

    def second(self, at: Evaluation, direction: Vector) -> Any:
        """Return J' r_vv, shape (p,), with r_vv the second derivative of the residuals along ``direction``.

        None where it is not finite.
        """
        ...


@stored()
class StopReason(Enum):
    """Why a run ended; the value is the word in machine output, ``sentence`` what a person reads."""

    GRADIENT = "gradient-tolerance"
    STEP = "step-tolerance"
    VALUE = "value-tolerance"
    GAIN = "gain-tolerance"
    LITTLE = "little-gain"
    FLOOR = "rounding-floor"
    TARGET = "target"
    MAX_ITERATIONS = "max-iterations"
    MAX_EVALUATIONS = "max-evaluations"
    MAX_TIME = "max-time"
    MAX_MEMORY = "max-memory"
    NO_DESCENT = "no-descent"
    SLOW = "slow-progress"
    STATIONARY = "stationary"
    EPOCHS = "epochs-done"
    PATIENCE = "no-improvement"
    UNBOUNDED = "unbounded"
    AT_INFINITY = "minimum-at-infinity"
    NON_FINITE = "non-finite"
    EDGE = "edge-of-domain"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"

    @property
    def sentence(self) -> str:
        """The reason in words."""
        return _SENTENCES[self]


_SENTENCES = {
    StopReason.GRADIENT: "the gradient norm fell below its tolerance",
    StopReason.STEP: "the distance moved fell below its tolerance",
    StopReason.VALUE: "the change of the value fell below its tolerance",
    StopReason.GAIN: "no more than rounding is left to gain",
    StopReason.LITTLE: "what is left to gain is below the tolerance",
    StopReason.FLOOR: "no step changes the value by more than its rounding",
    StopReason.TARGET: "the target value was reached",
    StopReason.MAX_ITERATIONS: "the cap on iterations was reached",
    StopReason.MAX_EVALUATIONS: "the cap on evaluations was reached",
    StopReason.MAX_TIME: "the time allowed ran out",
    StopReason.MAX_MEMORY: "the memory allowed was used up",
    StopReason.NO_DESCENT: "no step along the search direction lowers the value",
    StopReason.SLOW: "at its pace the value would take tens of thousands of iterations to change much",
    StopReason.STATIONARY: "the gradient is exactly zero",
    StopReason.EPOCHS: "the epochs asked for are done",
    StopReason.PATIENCE: "too many epochs in a row brought no improvement",
    StopReason.UNBOUNDED: "the value falls without end",
    StopReason.AT_INFINITY: "the value falls ever more slowly as the variables grow: the infimum is far out",
    StopReason.NON_FINITE: "the iterates left the finite numbers",
    StopReason.EDGE: "the path ran into the edge of the domain",
    StopReason.INTERRUPTED: "interrupted",
    StopReason.TERMINATED: "terminated",
}


# What helps the next time, where a run was stopped that nobody kept.
KEEP_RUNS = "--checkpoint FILE keeps a run, and 'gd resume FILE' goes on with it"


class Step(NamedTuple):
    """One step of a method: the point it arrives at, its new state, the step size (or radius) it used.

    With a ``reason`` the method itself ends the run: at ``at`` when ``moved``, else where it stood (then
    ``at`` is the old point and no new iterate). ``kind`` is ``step``, ``escape`` off a saddle or maximum, or
    ``polish``: the last steps, which may change the value by no more than its rounding, to a point that is known to be
    better. ``passed`` is False when the method ended the run by what it knew already: such a look is not counted as
    an iteration.
    """

    at: Evaluation
    state: Any
    size: float
    reason: StopReason | None = None
    moved: bool = True
    kind: str = "step"
    passed: bool = True


class Arrival(NamedTuple):
    """An iterate of a burst: the number of its step (from 1), the point, the one before, the step size."""

    number: int
    at: Evaluation
    before: Evaluation
    size: float


class Burst(NamedTuple):
    """What ``steps`` steps taken at once did.

    ``last`` gives the last iterates in order, at most as many as asked for, ``values`` their values. ``best`` is the
    iterate with the lowest value (the later of equals), None if the lowest before was lower. ``scalars`` and
    ``vectors`` are the states of the update after the last step.
    """

    steps: int
    last: Callable[[int], Iterator[Arrival]]
    values: Callable[[int], list[float]]
    best: Arrival | None
    scalars: Sequence[float]
    vectors: Sequence[Vector]


class Method(Protocol):
    """A method: mathematics only, no loop, clock, counting or printing.

    ``order`` is the order of derivatives that it needs at each iterate (1 or 2).
    """

    @property
    def order(self) -> int:
        """The order of derivatives needed at each iterate."""
        ...

    def start(self, objective: Objective, at: Evaluation) -> Any:
        """Return the state before the first step from ``at`` (evaluated to ``order``)."""
        ...

    def step(self, objective: Objective, at: Evaluation, state: Any) -> Step:
        """Return the next step from ``at``; its point is evaluated to ``order`` unless a
        reason ends the run.
        """
        ...


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


class Observer(Protocol):
    """Something that watches a run: a table, a file of records, a progress bar."""

    def __call__(self, iterate: Iterate) -> None:
        """Take notice of one iterate, in order, the start included."""
        ...


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


@dataclass(slots=True)
class Certificate:
    """The evidence about an end point, in terms of the minimised function.

    ``kind``: minimum, maximum, saddle, degenerate (a singular Hessian, and no descent along its null
    vectors), kink, flat (the value does not change at all nearby), unbounded, at-infinity (the value falls to
    a limit along a direction without end), not-stationary or unknown. ``gain`` is how much lower the model says
    that the value can still get (None: nothing), ``distance`` how far it says that the minimiser is; ``known`` tells
    that the model was seen to hold, ``rounded`` that the minimiser is within the rounding of x. ``errors`` is
    about how far each variable is from the minimiser, where that is known. Eigenvalues are those of the Hessian,
    None where it could not be had; ``how`` says where it came from: exact, products, differences, lanczos, or none.
    """

    kind: str
    gradient_norm: float | None
    eigenvalue_min: float | None = None
    eigenvalue_max: float | None = None
    condition: float | None = None
    gain: float | None = None
    distance: float | None = None
    how: str = "none"
    notes: tuple[str, ...] = field(default=())
    known: bool = True
    rounded: bool = False
    errors: tuple[float, ...] | None = None

    @property
    def gap(self) -> float | None:
        """How much lower the value can still get nearby, where that is known."""
        return self.gain if self.known else None


class Status(Enum):
    """The verdict on a run; the value is the word in machine output."""

    CONVERGED = "converged"
    COMPLETED = "completed"
    LIMIT = "limit"
    DIVERGED = "diverged"
    STALLED = "stalled"
    WRONG_KIND = "wrong-kind"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"

    @property
    def exit_code(self) -> int:
        """The process exit code that tells this status."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Status.CONVERGED: 0,
    Status.COMPLETED: 0,
    Status.LIMIT: 3,
    Status.DIVERGED: 4,
    Status.STALLED: 5,
    Status.WRONG_KIND: 6,
    Status.INTERRUPTED: 130,
    Status.TERMINATED: 143,
}
