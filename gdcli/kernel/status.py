"""How a run can end: why its loop stopped, what the verdict on it is, and the exit code of that; what its end is."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Self

from gdcli.kernel.budget import RESTART, Spent
from gdcli.kernel.dataclass import stored
from gdcli.kernel.errors import Terminated


class Status(Enum):
    """The verdict on a run: the word in machine output, the exit code of the process, how it is shown."""

    _value_: str
    exit_code: int
    role: str

    def __new__(cls, word: str, exit_code: int = 0, role: str = "bad") -> Status:
        self = object.__new__(cls)
        self._value_, self.exit_code, self.role = word, exit_code, role
        return self

    CONVERGED = "converged", 0, "good"
    COMPLETED = "completed", 0, "good"
    LIMIT = "limit", 3, "warn"
    DIVERGED = "diverged", 4
    STALLED = "stalled", 5, "warn"
    WRONG_KIND = "wrong-kind", 6
    INFEASIBLE = "infeasible", 10
    INTERRUPTED = "interrupted", 130
    TERMINATED = "terminated", 143

    @classmethod
    def of(cls, signal: BaseException) -> Status:
        return cls.TERMINATED if isinstance(signal, Terminated) else cls.INTERRUPTED

    @property
    def by_signal(self) -> bool:
        return self.exit_code > 128


def role_of(status: str) -> str:
    """Return how a status is shown; the words of errors are bad."""
    return next((one.role for one in Status if one.value == status), "bad")


@stored()
class StopReason(Enum):
    """Why a run ended: the word in machine output, and the ``sentence`` that a person reads.

    ``status`` is that of a run about whose last point nothing is known; where there is one, the run can go on: with
    another limit, or because nothing but a person ended it. ``option`` is the one that sets the cap.
    """

    _value_: str
    sentence: str
    status: Status | None
    option: str

    def __new__(
        cls, word: str, sentence: str = "", status: Status | None = None, option: str = ""
    ) -> StopReason:
        self = object.__new__(cls)
        self._value_, self.sentence, self.status, self.option = word, sentence, status, option
        return self

    GRADIENT = "gradient-tolerance", "the gradient norm fell below its tolerance"
    STEP = "step-tolerance", "the distance moved fell below its tolerance"
    VALUE = "value-tolerance", "the change of the value fell below its tolerance"
    GAP = "gain-tolerance", "no more than rounding is left to gain"
    LITTLE = "little-gain", "what is left to gain is below the tolerance"
    FLOOR = "rounding-floor", "no step changes the value by more than its rounding"
    GLOBAL = "global-gap", "the bounds of the global extremum met within the tolerance"
    TARGET = "target", "the target value was reached", Status.COMPLETED
    MAX_ITERATIONS = "max-iterations", "the cap on iterations was reached", Status.LIMIT, "--max-iter"
    MAX_EVALUATIONS = (
        "max-evaluations",
        "the cap on evaluations was reached",
        Status.LIMIT,
        "--max-evaluations",
    )
    MAX_TIME = "max-time", "the time allowed ran out", Status.LIMIT, "--max-time"
    MAX_MEMORY = "max-memory", "the memory allowed was used up", Status.LIMIT, "--max-memory"
    CLUSTER_LOST = "cluster-lost", "the cluster was lost: no worker is there", Status.LIMIT
    NO_DESCENT = "no-descent", "no step along the search direction lowers the value"
    SLOW = "slow-progress", "at its pace the value would take tens of thousands of iterations to change much"
    STATIONARY = "stationary", "the gradient is exactly zero"
    EPOCHS = "epochs-done", "the epochs asked for are done", Status.COMPLETED
    PATIENCE = "no-improvement", "too many epochs in a row brought no improvement", Status.COMPLETED
    UNBOUNDED = "unbounded", "the value falls without end"
    AT_INFINITY = (
        "minimum-at-infinity",
        "the value falls ever more slowly as the variables grow: the infimum is far out",
    )
    INFEASIBLE = "infeasible", "no point was found where all constraints hold"
    NO_MULTIPLIERS = (
        "no-multipliers",
        "the multipliers of the constraints grow without end: there are none here",
    )
    PENALTY = "penalty-tolerance", "what the constraints are broken by fell below the tolerance"
    PENALTY_SLOW = (
        "penalty-too-slow",
        "the valley along the constraints is too narrow for gradient descent at such a penalty",
    )
    PENALTY_FALLS = "penalty-unbounded", "the value falls faster than any penalty that was tried can hold"
    NON_FINITE = "non-finite", "the iterates left the finite numbers"
    EDGE = "edge-of-domain", "the path ran into the edge of the domain"
    INTERRUPTED = "interrupted", "interrupted", Status.INTERRUPTED
    TERMINATED = "terminated", "terminated", Status.TERMINATED

    @classmethod
    def of(cls, stop: BaseException) -> StopReason:
        """The reason of a run that a cap, KeyboardInterrupt or Terminated ended."""
        if isinstance(stop, MemoryError):
            return cls.MAX_MEMORY
        return cls(stop.reason if isinstance(stop, Spent) else Status.of(stop).value)

    @property
    def cap(self) -> str:
        """What ended a run at its limit: an option, or what was lost."""
        return self.option or "the loss of the cluster"

    @property
    def remedy(self) -> str:
        return f"allow more with {self.option}" if self.option else RESTART

    def pass_on(self) -> None:
        """Raise again the signal that ended a part of a task, if one did: it ends the whole."""
        if self is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        if self is StopReason.TERMINATED:
            raise Terminated


class _Told(StrEnum):
    """Words of machine output; ``told`` and ``by`` are what a person reads."""

    told: str
    by: str

    def __new__(cls, word: str, told: str = "", by: str = "") -> Self:
        self = str.__new__(cls, word)
        self._value_, self.told, self.by = word, told, by
        return self


class PointKind(_Told):
    """What the point is where a run ended: the word in machine output; ``told`` is that of an end, where there may be
    nothing more to gain, in a sentence about a minimum or a maximum. Degenerate is a singular Hessian, and no descent
    along its null vectors; flat: the value does not change at all nearby; at infinity: it falls to a limit along a
    direction without end.
    """

    MINIMUM = "minimum", "local {}"
    DEGENERATE = "degenerate", "degenerate local {} (the curvature vanishes in some direction)"
    KINK = "kink", "local {} at a kink"
    MAXIMUM = "maximum"
    SADDLE = "saddle"
    FLAT = "flat"
    UNBOUNDED = "unbounded"
    AT_INFINITY = "at-infinity"
    NOT_STATIONARY = "not-stationary"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"

    def times(self, sign: int) -> PointKind:
        turned = {PointKind.MINIMUM: PointKind.MAXIMUM, PointKind.MAXIMUM: PointKind.MINIMUM}
        return self if sign > 0 else turned.get(self, self)


class Claim(_Told):
    """What an answer to which a proof was looked for rests on: the word in machine output; ``told`` makes of the name
    of a minimum what is claimed in a sentence.

    Proved by intervals; the Hessian, or what stands in for it at a kink, is clearly that of a minimum; or the curvature
    vanishes, and intervals bound the value from below. Undecided: nothing is claimed.
    """

    PROVED = "proved", "proved {}"
    NUMERICAL = "numerical", "{} by numerical evidence"
    FLAT = "flat", "flat place, where no lower point was found,"
    UNDECIDED = "undecided"


class CurvatureSource(_Told):
    """What the evidence about a curvature rests on: the word in machine output; ``told`` is that of a Hessian at some
    points, ``by`` what stands behind numbers that follow from it, where that must be said.
    """

    EXACT = "exact", "exact Hessian"
    PRODUCTS = "products", "Hessian from products", "products"
    DIFFERENCES = "differences", "Hessian from differences", "differences"
    LANCZOS = "lanczos", "Lanczos estimates", "Lanczos"
    JACOBIAN = "jacobian", "", "jacobian"
    MULTIPLIERS = "multipliers", "", "multipliers"
    NONE = "none"


# What helps the next time, where a run was stopped that nobody kept.
KEEP_RUNS = "--checkpoint FILE keeps a run, and 'gd resume FILE' goes on with it"
