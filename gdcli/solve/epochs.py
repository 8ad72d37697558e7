"""Descent by epochs: an epoch goes once through all rows of the data and takes a step after each batch of them.

A step by the mean gradient of a few rows costs little and points roughly downhill; near the minimum the roughness is
all that is left, and the point wanders about in a cloud whose size goes with the step size. What is done about that is
the *schedule*: keep the step size, shrink it, or the book's way, which shrinks it while nothing gets better.

The iterates here are the points after each epoch, and their values the mean loss over all rows, so a run looks like any
other to reports. The loop counts, times, stops and remembers; going through the rows is the business of `Passes`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.kernel.budget import Spent, check, searching
from gdcli.kernel.dataclass import NamedTuple, dataclass, field
from gdcli.kernel.errors import DomainError, Terminated, UsageError
from gdcli.kernel.status import Status, StopReason
from gdcli.kernel.stored import stored
from gdcli.kernel.vectors import as_like, distance, is_finite
from gdcli.objective.protocol import Counts, Evaluation, Vector
from gdcli.solve.iteration import Iterate, RunResult
from gdcli.solve.run import unbounded_below
from gdcli.solve.settings import BOOK_PATIENCE, EpochSettings
from gdcli.solve.stopping import Rule, RunProgress

if TYPE_CHECKING:
    from gdcli.solve.checkpointing import Checkpointer

# minimize_stochastic in the book: the factor for an epoch without improvement.
BOOK_FACTOR = 0.9
# Seconds between two calls of the progress hook.
TELL_EVERY = 0.1


class Passes(Protocol):
    """Data that can be descended on; see `objective.row_passes.RowPasses`."""

    rows: int
    steps: int

    @property
    def x(self) -> list[float]:
        """The newest point, within an epoch too."""
        ...

    def start(self, x: Sequence[float]) -> None:
        """Begin at ``x`` with a fresh state of the update rule."""
        ...

    def epoch(self, number: int, rate: float, told: Callable[[int], None], done: int = 0) -> None:
        """Go once through all rows in the order of epoch ``number`` (from 0), but for the first ``done``.

        ``told`` hears now and then how many rows are done; at those places an epoch can be gone on with.
        """
        ...

    def keep(self) -> Any:
        """Return the newest point and the state of the update rule, to be restored in another process."""
        ...

    def restore(self, kept: Any) -> None:
        """Go on from what was kept, in the place of `start`. Raises DataError where that is not possible."""
        ...

    def mean_loss(self, x: Sequence[float]) -> float:
        """Return the mean loss over the rows; inf where it is not a number."""
        ...

    def held_out_loss(self, x: Sequence[float]) -> float | None:
        """Return the mean loss over rows held out, None without such."""
        ...


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
        """The same as an iterate of any run."""
        return Iterate(self.iteration, self.at, self.step, self.moved, self.counts, self.seconds, self.kind)

    @property
    def total(self) -> float:
        """The sum of the loss over the rows."""
        return self.at.value * self.rows


class Schedule(Protocol):
    """The step size of each epoch."""

    def rate(self, epoch: int, improved: bool) -> float | None:
        """Return the rate of ``epoch`` (from 0), None to end the run; ``improved``: the loss was never lower."""
        ...


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


@stored()
class EpochSnapshot(NamedTuple):
    """A run by epochs as it stands: all that is needed to go on, bit for bit as if it had never stopped.

    ``epochs`` are the points so far and ``best`` which of them is the best; ``before`` is the point of the epoch before
    the last. Of the next epoch ``done`` rows are done, with steps of ``rate`` (None: it was not begun); ``improved``
    and ``vain`` tell how the last ones went. ``passes`` is the newest point with the state of the update rule.
    """

    epochs: list[Epoch]
    best: int
    before: Evaluation | None
    counts: Counts
    visits: int
    schedule: Any
    improved: bool
    vain: int
    done: int
    rate: float | None
    passes: Any
    seconds: float

    @property
    def iteration(self) -> int:
        return self.epochs[-1].iteration

    @property
    def at(self) -> Evaluation:
        """The point after the last whole epoch."""
        return self.epochs[-1].at


# What sees the point after each epoch.
EpochObserver = Callable[[Epoch], None]
# Called now and then within an epoch with its number (from 1), the rows done and the rows of an epoch.
ProgressHook = Callable[[int, int, int], None]


def run_epochs(
    passes: Passes,
    x0: Vector,
    settings: EpochSettings,
    rules: Sequence[Rule] = (),
    observers: Sequence[EpochObserver] = (),
    progress: ProgressHook | None = None,
    clock: Callable[[], float] = time.perf_counter,
    checkpointer: Checkpointer | None = None,
) -> tuple[RunResult, tuple[Epoch, ...]]:
    """Descend from ``x0`` by epochs, and return how it went and the points after each epoch, the start first.

    The run's ``best`` is its answer: with rows held out the point with the lowest loss there, with the schedule
    ``book`` the one with the lowest loss, else where the last epoch ended; of a run that was cut short or blew up the
    point with the lowest loss. A ``checkpointer`` may end the run, and what it kept of this run before takes the place
    of the start. Raises UsageError for bad settings, DomainError where the start has no finite loss.
    """
    _check(settings)
    loop = _Loop(passes, settings, rules, observers, progress, clock, checkpointer)
    loop.begin(x0)
    reason: StopReason | None = None
    try:
        with searching(loop.counts.total):
            reason = loop.run()
    except (Spent, MemoryError) as cap:
        reason = StopReason(cap.reason) if isinstance(cap, Spent) else StopReason.MAX_MEMORY
        loop.keep_what_is_there()
    except (KeyboardInterrupt, Terminated) as stop:
        reason = StopReason.of(stop)
        loop.keep_what_is_there()
    if checkpointer is not None:
        checkpointer.break_off()
    return loop.result(reason)


def _check(settings: EpochSettings) -> None:
    """Raise UsageError for what makes no sense."""
    lr, schedule = settings.lr, settings.schedule
    if lr is None or not (lr > 0.0 and isfinite(lr)):
        raise UsageError(f"--lr must be a positive number, not {lr}")
    if schedule is not None and schedule not in SCHEDULES:
        raise UsageError(f"there is no schedule {schedule!r}", f"the schedules are {', '.join(SCHEDULES)}")
    if settings.epochs is not None and settings.epochs < 0:
        raise UsageError(f"--epochs must not be negative, not {settings.epochs}")
    if settings.patience < 1:
        raise UsageError(f"the patience must be at least one epoch, not {settings.patience}")


class _Loop:
    def __init__(
        self,
        passes: Passes,
        settings: EpochSettings,
        rules: Sequence[Rule],
        observers: Sequence[EpochObserver],
        progress: ProgressHook | None,
        clock: Callable[[], float],
        checkpointer: Checkpointer | None,
    ) -> None:
        self.passes, self.settings, self.rules, self.observers = passes, settings, rules, observers
        self.hook, self.clock, self.checkpointer, self.began = progress, clock, checkpointer, clock()
        self.improved, self.vain, self.done = True, 0, 0
        self.rate: float | None = None

    def begin(self, x0: Vector) -> None:
        """Start at ``x0``, or where the checkpointer kept this run."""
        kept: EpochSnapshot | None = None if self.checkpointer is None else self.checkpointer.next(None)
        self.begins = kept is None
        if kept is None:
            self._start(x0)
        else:
            self._restore(kept)

    def _start(self, x0: Vector) -> None:
        settings = self.settings
        assert settings.lr is not None  # as was checked
        self.schedule: Schedule = SCHEDULES[settings.schedule or "constant"](settings.lr)
        self.counts = Counts()
        self.visits = 0
        at = self._evaluated(x0)
        if not at.value < inf:
            raise DomainError("the loss has no finite mean at the start")
        self.progress = RunProgress(at, self.counts, self.clock, self.began)
        self.passes.start(x0)
        self.epochs = [self._epoch(at, None, self.passes.held_out_loss(x0), "start")]
        self.best = self.epochs[0]

    def _restore(self, kept: EpochSnapshot) -> None:
        self.began -= kept.seconds
        self.schedule, self.counts, self.visits = kept.schedule, kept.counts.copy(), kept.visits
        self.epochs = list(kept.epochs)
        self.best = self.epochs[kept.best]
        self.progress = RunProgress(kept.at, self.counts, self.clock, self.began)
        self.progress.iteration, self.progress.before = kept.iteration, kept.before
        self.improved, self.vain, self.done, self.rate = kept.improved, kept.vain, kept.done, kept.rate
        self.passes.restore(kept.passes)

    def snapshot(self) -> EpochSnapshot:
        best = next(k for k, epoch in enumerate(self.epochs) if epoch is self.best)
        return EpochSnapshot(
            list(self.epochs),
            best,
            self.progress.before,
            self.counts.copy(),
            self.visits,
            self.schedule,
            self.improved,
            self.vain,
            self.done,
            self.rate,
            self.passes.keep(),
            self.clock() - self.began,
        )

    def run(self) -> StopReason:
        if self.begins:
            self._show(self.epochs[0])
        checkpointer, rules = self.checkpointer, self.rules
        if checkpointer is not None:
            checkpointer.begin(self.snapshot)
            rules = (*rules, checkpointer)
        reason = self._run(rules)
        if checkpointer is not None:
            checkpointer.end(None)
        return reason

    def _run(self, rules: Sequence[Rule]) -> StopReason:
        most = self.settings.most
        floor = unbounded_below(self.epochs[0].at.value)
        patient = self.best.held_out is not None and self.settings.schedule != "book"
        while True:
            at, number = self.progress.at, self.progress.iteration
            if at.value < floor:
                return StopReason.UNBOUNDED
            if not isfinite(at.value):
                return StopReason.NON_FINITE
            if patient and self.vain >= self.settings.patience:
                return StopReason.PATIENCE
            if self.rate is None:
                end = self._met(rules)
                if end is not None:
                    return end
                self.rate = self.schedule.rate(number, self.improved)
                if self.rate is None:
                    return StopReason.PATIENCE
            if number >= most:
                return self.settings.reason_at_end
            self.passes.epoch(number, self.rate, self._told(number + 1), self.done)
            self.improved = self._after_epoch(self.rate)
            self.vain = 0 if self.improved else self.vain + 1
            self.done, self.rate = 0, None

    def _met(self, rules: Sequence[Rule]) -> StopReason | None:
        for rule in rules:
            if rule(self.progress):
                return rule.reason
        return None

    def _after_epoch(self, rate: float) -> bool:
        """Write down the point after an epoch; tell whether none was better."""
        passes = self.passes
        self.visits += passes.rows
        self.counts.gradient += passes.steps
        self.progress.iteration += 1
        return self._arrive(passes.x, rate, "step")

    def _arrive(self, x: Sequence[float], rate: float | None, kind: str) -> bool:
        """Write down a new point; tell whether none was better."""
        before = self.progress.at
        at = self._evaluated(as_like(before.x, x))
        held_out = self.passes.held_out_loss(x) if isfinite(at.value) else None
        self.progress.before, self.progress.at = before, at
        epoch = self._epoch(at, rate, held_out, kind)
        self.epochs.append(epoch)
        self._show(epoch)
        better = _criterion(epoch) < _criterion(self.best)
        if better:
            self.best = epoch
        return better

    def keep_what_is_there(self) -> None:
        """After an interrupt: a point within an epoch counts too. A second interrupt gives it up."""
        x = self.passes.x
        try:
            if is_finite(as_like(self.progress.at.x, x)) and list(self.progress.at.x) != x:
                self._arrive(x, self.epochs[-1].step, "interrupted")
        except (KeyboardInterrupt, Terminated, Spent, MemoryError):
            return

    def _evaluated(self, x: Vector) -> Evaluation:
        self.counts.value += 1
        return Evaluation(x, self.passes.mean_loss(x) if is_finite(x) else inf)

    def _epoch(self, at: Evaluation, rate: float | None, held_out: float | None, kind: str) -> Epoch:
        p = self.progress if kind != "start" else None
        moved = None if p is None or p.before is None else distance(at.x, p.before.x)
        spent = self.clock() - self.began
        number = 0 if p is None else p.iteration
        counts = self.counts.copy()
        return Epoch(number, at, rate, moved, counts, spent, kind, self.passes.rows, self.visits, held_out)

    def _told(self, number: int) -> Callable[[int], None]:
        """What an epoch tells the number of rows done: the budget, the checkpointer and, not too often, the hook hear
        it."""
        hook, checkpointer, progress = self.hook, self.checkpointer, self.progress
        last = self.clock()

        def told(done: int) -> None:
            nonlocal last
            self.done = done
            if checkpointer is not None and checkpointer(progress):
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
                    hook(number, done, self.passes.rows)

        return told

    def _show(self, epoch: Epoch) -> None:
        for observer in self.observers:
            observer(epoch)

    def result(self, reason: StopReason) -> tuple[RunResult, tuple[Epoch, ...]]:
        last = self.epochs[-1]
        whole = reason.status is Status.COMPLETED
        by_best = last.held_out is not None or self.settings.schedule == "book" or not whole
        end = last.iterate
        run = RunResult(
            start=self.epochs[0].iterate,
            best=self.best.iterate if by_best and self.best is not last else end,
            last=end,
            reason=reason,
            iterations=self.progress.iteration,
            counts=self.counts.copy(),
            seconds=self.clock() - self.began,
        )
        return run, tuple(self.epochs)


def _criterion(epoch: Epoch) -> float:
    """What is to be low: the loss of rows held out, where there are such."""
    return epoch.at.value if epoch.held_out is None else epoch.held_out
