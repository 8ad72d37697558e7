"""The book's comparison: the same descent by single rows, by mini-batches and by all rows at once.

An epoch visits every row once, whatever the batch size, so row visits are the common measure of work. Small batches
take many rough steps for them and are soon near the minimum, where they wander; large ones take few good steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gdcli.judge.epoch_verdict import judge_epochs
from gdcli.judge.verdict import Verdict
from gdcli.kernel.budget import Spent, no_answer
from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.errors import GdError, LimitError, UsageError
from gdcli.kernel.status import Status, StopReason
from gdcli.solve.epochs import EpochObserver, ProgressHook
from gdcli.solve.settings import EpochSettings
from gdcli.tasks.fit.fit_epochs import descent_on
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.fit.solve_fit import with_engine
from gdcli.tasks.stochastic import Descent, StochasticRun, run_stochastic

# Without a list: single rows, a mini-batch, all rows.
DEFAULT_SIZES: tuple[int | None, ...] = (1, 32, None)


@dataclass(frozen=True, slots=True)
class BatchRun:
    """One batch size: ``made`` is the run, ``verdict`` what is to be said of it; or ``fault`` why there is none."""

    batch_size: int | None
    made: StochasticRun | None
    verdict: Verdict | None
    fault: GdError | None = None

    @property
    def name(self) -> str:
        return "all" if self.batch_size is None else str(self.batch_size)

    @property
    def course(self) -> list[tuple[int, float]]:
        """The row visits and the mean loss after each epoch, the start first."""
        return [] if self.made is None else [(e.visits, e.at.value) for e in self.made.epochs]


@dataclass(frozen=True, slots=True)
class BatchComparison:
    """Descent on ``rows`` rows with several batch sizes, in the order asked for."""

    rows: int
    runs: tuple[BatchRun, ...]

    @property
    def lowest(self) -> float | None:
        """The minimum of the mean loss as the run that came nearest to it tells; None where none tells."""
        found = [r.made for r in self.runs if r.made is not None and r.made.gap is not None]
        nearest = min(found, key=lambda made: made.gap or 0.0, default=None)
        return None if nearest is None or nearest.gap is None else nearest.run.best.at.value - nearest.gap

    @property
    def capped(self) -> bool:
        """Whether a cap on the time or the memory of the comparison ended one of the runs."""
        caps = (StopReason.MAX_TIME, StopReason.MAX_MEMORY)
        return any(
            isinstance(r.fault, LimitError) or (r.made and r.made.run.reason in caps) for r in self.runs
        )

    @property
    def stopped(self) -> Status | None:
        """The status of an interrupt that ended the comparison early, None if it came to its end."""
        verdict = self.runs[-1].verdict if self.runs else None
        return verdict.status if verdict is not None and verdict.status.by_signal else None


def compare_batch_sizes(
    of: Descent,
    sizes: Sequence[int | None] = DEFAULT_SIZES,
    settings: EpochSettings | None = None,
    *,
    progress: ProgressHook | None = None,
    observers: Callable[[int | None], Sequence[EpochObserver]] = lambda size: (),
) -> BatchComparison:
    """Run the same descent once with each of ``sizes`` (None: all rows), from the same start, in the same orders.

    A rate that is not given is chosen for each size; no batch has more rows than there are. A size with which there is
    no run is told with its fault; an interrupt ends the comparison with what there is. Raises UsageError for sizes that
    make no sense.
    """
    if not sizes:
        raise UsageError("no batch size to compare", "for example --batch-size 1,32,all")
    for size in sizes:
        if size is not None and size < 1:
            raise UsageError(f"a batch size must be at least 1, or all, not {size}")
    runs: list[BatchRun] = []
    for size in dict.fromkeys(size and min(size, of.data.rows) for size in sizes):
        told = replace(settings or EpochSettings(), batch_size=size or 0)
        runs.append(_run_of(of, size, told, observers(size), progress))
        verdict = runs[-1].verdict
        if verdict is not None and verdict.status.by_signal:
            break
    return BatchComparison(of.data.rows, tuple(runs))


def _run_of(
    of: Descent,
    size: int | None,
    settings: EpochSettings,
    watch: Sequence[EpochObserver],
    hook: ProgressHook | None,
) -> BatchRun:
    # Steps on all rows are sums over them, which have an engine of their own.
    summed = of._replace(row=replace(of.row, engine=settings.engine)) if size is None else of
    try:
        made = run_stochastic(summed, settings, watch, progress=hook)
    except UsageError:
        raise
    except GdError as fault:
        return BatchRun(size, None, None, fault)
    except Spent as spent:  # nothing of it is there; what came before is told
        return BatchRun(size, None, None, no_answer(spent.reason))
    return BatchRun(size, made, judge_epochs(made.run, made.stable, made.lr))


class Compared(NamedTuple):
    """What was compared and what is to be known of it; ``rows`` of the data, those held back included."""

    found: BatchComparison
    rows: int
    warnings: tuple[str, ...]


def compare_batches(
    prepared: Prepared,
    settings: FitSettings,
    sizes: Sequence[int | None],
    progress: ProgressHook | None = None,
) -> Compared:
    """Descend on the data of a fit with each of ``sizes`` (None: all rows). Raises UsageError for bad settings."""
    if settings.engine == "python" and None in sizes:
        raise UsageError(
            "the engine python is for steps by some of the rows, and 'all' is among the batch sizes",
            "leave it out: --batch-size 1,32",
        )
    # Each run is one by epochs, also where no option of the settings says so.
    prepared = with_engine(prepared, replace(settings, batch_size=1))
    descent, notes = descent_on(prepared, settings)
    found = compare_batch_sizes(descent, sizes, settings, progress=progress)
    if prepared.count.skipped:
        notes.append(prepared.count.told)
    return Compared(found, prepared.data.rows, tuple(notes))
