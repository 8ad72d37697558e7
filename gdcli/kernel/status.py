"""How a run can end: why its loop stopped, what the verdict on it is, and the exit code of that."""

from __future__ import annotations

from enum import Enum

from gdcli.kernel.stored import stored


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
