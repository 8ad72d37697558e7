"""Descent by epochs: an epoch goes once through all rows of the data and takes a step after each batch of them.

A step by the mean gradient of a few rows costs little and points roughly downhill; near the minimum the roughness is
all that is left, and the point wanders about in a cloud whose size goes with the step size. What is done about that is
the *schedule*: keep the step size, shrink it, or the book's way, which shrinks it while nothing gets better.

The iterates here are the points after each epoch, and their values the mean loss over all rows, so a run looks like any
other to reports: an epoch is a step of the one loop. Going through the rows is the business of `Passes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.kernel.budget import Spent, check, searched
from gdcli.kernel.dataclass import NamedTuple, Reader, Writer, dataclass, field, replace, stored
from gdcli.kernel.errors import DomainError, Terminated, UsageError
from gdcli.kernel.status import Status, StopReason
from gdcli.kernel.vectors import as_like, is_finite, same
from gdcli.objective.protocol import Counts, Evaluation, Objective, Vector
from gdcli.solve.iteration import BROKEN_OFF, Iterate, RunResult, Step
from gdcli.solve.run import NO_OPTIONS, RunOptions, Snapshot, run, unbounded_below
from gdcli.solve.settings import BOOK_PATIENCE, EpochSettings, Rule

if TYPE_CHECKING:
    from gdcli.solve.checkpointing import Checkpointer

# minimize_stochastic in the book: the factor for an epoch without improvement.
BOOK_FACTOR = 0.9


class Schedule(Protocol):
    def rate(self, epoch: int, improved: bool) -> float | None:
        """Return the rate of ``epoch`` (from 0), None to end the run; ``improved``: the loss was never lower."""


@stored()
@dataclass(frozen=True, slots=True)
class Constant:
    first: float

    def rate(self, epoch: int, improved: bool) -> float | None:
        return self.first


@stored("Decay")
@dataclass(frozen=True, slots=True)
class DecaySchedule:
    """``rate / (1 + epoch)``: it fulfils the conditions of Robbins and Monro (Annals of Math. Statistics 22, 1951)."""

    first: float

    def rate(self, epoch: int, improved: bool) -> float | None:
        return self.first / (1.0 + epoch)


@stored()
@dataclass(slots=True)
class Book:
    """The book's minimize_stochastic: back to the first rate after a better epoch, else 0.9 times the last one.

    The run ends after 100 epochs in a row that were no better than the best.
    """

    first: float
    now: float = field(init=False)
    vain: int = 0

    def __post_init__(self) -> None:
        self.now = self.first

    def rate(self, epoch: int, improved: bool) -> float | None:
        if improved:
            self.vain, self.now = 0, self.first
        else:
            self.vain, self.now = self.vain + 1, self.now * BOOK_FACTOR
        return None if self.vain >= BOOK_PATIENCE else self.now


SCHEDULES: Mapping[str, Callable[[float], Schedule]] = {
    "constant": Constant,
    "decay": DecaySchedule,
    "book": Book,
}


# Seconds between two calls of the progress hook.
TELL_EVERY = 0.1


class Passes(Protocol):
    """Data that can be descended on; see `objective.row_passes.RowPasses`."""

    rows: int
    steps: int

    @property
    def x(self) -> list[float]:
        """The newest point, within an epoch too."""

    def start(self, x: Sequence[float]) -> None:
        """Begin at ``x`` with a fresh state of the update rule."""

    def epoch(self, number: int, rate: float, told: Callable[[int], None], done: int = 0) -> None:
        """Go once through all rows in the order of epoch ``number`` (from 0), but for the first ``done``.

        ``told`` hears now and then how many rows are done; at those places an epoch can be gone on with.
        """

    def keep(self) -> Any:
        """Return the newest point and the state of the update rule, to be restored in another process."""

    def restore(self, kept: Any) -> None:
        """Go on from what was kept, in the place of `start`. Raises DataError where that is not possible."""

    def mean_loss(self, x: Sequence[float]) -> float:
        """Return the mean loss over the rows; inf where it is not a number."""

    def held_out_loss(self, x: Sequence[float]) -> float | None:
        """Return the mean loss over rows held out, None without such."""


@stored()
class Epoch(NamedTuple):
    """The point after an epoch: an `Iterate`, field by field, whose value is the mean loss and whose step is the rate.

    ``rows`` is the number of rows that the mean is over, ``visits`` how many row gradients were taken so far.
    ``held_out`` is the mean loss over the rows held out, None without such.
    """

    iteration: int
    at: Evaluation
    step: float | None
    moved: float | None
    counts: Counts
    seconds: float
    kind: str
    rows: int
    visits: int
    held_out: float | None

    @property
    def gradient_norm(self) -> None:
        """There is none: the gradient over all rows is not computed."""
        return None

    @property
    def iterate(self) -> Iterate:
        return Iterate(self.iteration, self.at, self.step, self.moved, self.counts, self.seconds, self.kind)

    @property
    def total(self) -> float:
        return self.at.value * self.rows

    def times(self, k: float) -> Epoch:
        return self._replace(at=self.at._replace(value=self.at.value * k))


# What sees the point after each epoch.
EpochObserver = Callable[[Epoch], None]
# Called now and then within an epoch with its number (from 1), the rows done and the rows of an epoch.
ProgressHook = Callable[[int, int, int], None]


_KEPT = ("schedule", "epochs", "best", "visits", "improved", "vain", "done", "rate")


@stored()
@dataclass(slots=True)
class EpochState:
    """A run by epochs as it stands.

    ``epochs`` are the points so far and ``best`` which of them is the best. Of the next epoch ``done`` rows are done,
    with steps of ``rate`` (None: it was not begun); ``improved`` and ``vain`` tell how the last ones went. The newest
    point and the state of the update rule are those of the ``passes``.
    """

    passes: Passes
    schedule: Schedule
    epochs: list[Epoch] = field(default_factory=list)
    best: int = 0
    visits: int = 0
    improved: bool = True
    vain: int = 0
    done: int = 0
    rate: float | None = None

    def record(self, iterate: Iterate) -> Epoch:
        at = iterate.at
        held_out = self.passes.held_out_loss(at.x) if isfinite(at.value) else None
        epoch = Epoch(*iterate, self.passes.rows, self.visits, held_out)
        self.epochs.append(epoch)
        self.improved = len(self.epochs) == 1 or _criterion(epoch) < _criterion(self.epochs[self.best])
        if self.improved:
            self.best = len(self.epochs) - 1
        self.vain = 0 if self.improved else self.vain + 1
        return epoch

    def to_store(self, write: Writer) -> Any:
        return {name: write(getattr(self, name)) for name in _KEPT} | {"passes": write(self.passes.keep())}

    @classmethod
    def from_store(cls, content: Any, read: Reader) -> EpochState:
        state: EpochState = read.objective.state
        for name in _KEPT:
            setattr(state, name, read(content[name]))
        state.passes.restore(read(content["passes"]))
        return state


@stored()
class EpochSnapshot:
    """A run by epochs as it was kept before they were steps of the one loop: it is read, and not written any more."""

    @classmethod
    def from_store(cls, content: Any, read: Reader) -> Snapshot:
        state = EpochState.from_store(content, read)
        before, counts, seconds = (read(content[name]) for name in ("before", "counts", "seconds"))
        start, best, end = (
            (e.iteration, e.at, None, e.step, e.kind, *_numbers(e.counts), e.seconds)
            for e in (state.epochs[0], state.epochs[state.best], state.epochs[-1])
        )
        first, last = state.epochs[0].at, state.epochs[-1]
        lowest = min(e.at.value for e in state.epochs)
        floor = unbounded_below(first.value)
        return Snapshot(
            last.iteration, last.at, before, counts, start, best, end, lowest, floor, state, seconds
        )


def _numbers(counts: Counts) -> tuple[int, int, int, int]:
    return counts.value, counts.gradient, counts.hessian, counts.product


class MeanLoss(Objective):
    """The mean loss over the rows that passes go through, and the ``state`` of the run on it."""

    def __init__(self, state: EpochState, size: int) -> None:
        self.state, self.size, self.counts = state, size, Counts()

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        self.counts.value += 1
        return Evaluation(x, self.state.passes.mean_loss(x) if is_finite(x) else inf)

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        return at


def run_epochs(
    passes: Passes,
    x0: Vector,
    settings: EpochSettings,
    rules: Sequence[Rule] = (),
    observers: Sequence[EpochObserver] = (),
    progress: ProgressHook | None = None,
    options: RunOptions = NO_OPTIONS,
) -> tuple[RunResult, tuple[Epoch, ...]]:
    """Descend from ``x0`` by epochs, and return how it went and the points after each epoch, the start first.

    The run's ``best`` is its answer: with rows held out the point with the lowest loss there, with the schedule
    ``book`` the one with the lowest loss, else where the last epoch ended; of a run that was cut short or blew up the
    point with the lowest loss. Raises UsageError for bad settings, DomainError where the start has no finite loss.
    """
    _check(settings)
    assert settings.lr is not None  # as was checked
    state = EpochState(passes, SCHEDULES[settings.schedule or "constant"](settings.lr))

    def seen(iterate: Iterate) -> None:
        epoch = state.record(iterate)
        for observer in observers:
            observer(epoch)

    method = EpochDescent(state, settings, progress, options.clock, options.checkpointer)
    objective = MeanLoss(state, len(x0))
    try:
        found = run(objective, method, x0, rules, [seen], options._replace(keeps_result=False))
    except DomainError:
        raise DomainError("the loss has no finite mean at the start", "give another --start") from None
    first, best, last = state.epochs[0], state.epochs[state.best], state.epochs[-1]
    whole = found.reason.status is Status.COMPLETED
    by_best = last.held_out is not None or settings.schedule == "book" or not whole
    end = last.iterate
    answer = best.iterate if by_best and best is not last else end
    return replace(found, start=first.iterate, best=answer, last=end), tuple(state.epochs)


def _check(settings: EpochSettings) -> None:
    lr, schedule = settings.lr, settings.schedule
    if lr is None or not (lr > 0.0 and isfinite(lr)):
        raise UsageError(f"--lr must be a positive number, not {lr}")
    if schedule is not None and schedule not in SCHEDULES:
        raise UsageError(f"there is no schedule {schedule!r}", f"the schedules are {', '.join(SCHEDULES)}")
    if settings.epochs is not None and settings.epochs < 0:
        raise UsageError(f"--epochs must not be negative, not {settings.epochs}")
    if settings.patience < 1:
        raise UsageError(f"the patience must be at least one epoch, not {settings.patience}")


@dataclass(frozen=True, slots=True)
class EpochDescent:
    """Descent whose step is an epoch, from a state just ``begun``. The ``hook`` is called now and then within one."""

    begun: EpochState
    settings: EpochSettings
    hook: ProgressHook | None
    clock: Callable[[], float]
    checkpointer: Checkpointer | None
    order: int = 0

    def start(self, objective: Objective, at: Evaluation) -> EpochState:
        self.begun.passes.start(at.x)
        return self.begun

    def step(self, objective: Objective, at: Evaluation, state: EpochState) -> Step:
        """Return the point after the next epoch, or within it, where it was broken off."""
        settings, number = self.settings, len(state.epochs) - 1
        patient = state.epochs[state.best].held_out is not None and settings.schedule != "book"
        if patient and state.vain >= settings.patience:
            return Step(at, state, 0.0, StopReason.PATIENCE, moved=False, passed=False)
        if state.rate is None:
            state.rate = state.schedule.rate(number, state.improved)
        if state.rate is None:
            return Step(at, state, 0.0, StopReason.PATIENCE, moved=False, passed=False)
        if number >= settings.most:
            return Step(at, state, 0.0, settings.reason_at_end, moved=False, passed=False)
        passes = state.passes
        try:
            passes.epoch(number, state.rate, self._told(number + 1, state), state.done)
            state.visits += passes.rows
            objective.counts.gradient += passes.steps
            there = objective.evaluate(as_like(at.x, passes.x))
        except (Spent, MemoryError, KeyboardInterrupt, Terminated) as stop:
            broken = _broken_off(objective, at, state, stop)
            if broken is None:
                raise
            return broken
        rate, state.done, state.rate = state.rate, 0, None
        return Step(there, state, rate)

    def _told(self, number: int, state: EpochState) -> Callable[[int], None]:
        """What an epoch tells the number of rows done: the budget, the checkpointer and, not too often, the hook hear
        it."""
        hook, checkpointer = self.hook, self.checkpointer
        last = self.clock()

        def told(done: int) -> None:
            nonlocal last
            state.done = done
            if checkpointer is not None and checkpointer.is_asked():
                checkpointer.save()
                checkpointer.reason.pass_on()
            try:
                check()
            except Spent:
                if checkpointer is not None:
                    checkpointer.save()
                raise
            if hook is not None:
                now = self.clock()
                if now - last >= TELL_EVERY:
                    last = now
                    hook(number, done, state.passes.rows)

        return told


def _broken_off(objective: Objective, at: Evaluation, state: EpochState, stop: BaseException) -> Step | None:
    """Return the point within an epoch that ``stop`` has ended, for it counts too; a second interrupt gives it up."""
    x = as_like(at.x, state.passes.x)
    if not is_finite(x) or same(x, at.x):
        return None
    try:
        with searched():
            there = objective.evaluate(x)
    except (KeyboardInterrupt, Terminated, Spent, MemoryError):
        return None
    reason = StopReason.of(stop)
    return Step(there, state, state.epochs[-1].step, reason, kind=BROKEN_OFF, passed=False)


def _criterion(epoch: Epoch) -> float:
    """What is to be low: the loss of rows held out, where there are such."""
    return epoch.at.value if epoch.held_out is None else epoch.held_out
