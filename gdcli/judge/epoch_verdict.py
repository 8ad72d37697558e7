"""The verdict on a run by epochs.

Such a run ends where it was told to and claims no minimum: it is completed, and its report tells how much noise
there is in the answer. It has diverged when the loss left the finite numbers, and also when it ended higher than it
began with a rate above the stable ones: then every further epoch would make it worse.
"""

from __future__ import annotations

from gdcli.judge.verdict import Verdict, of_stopped
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.number_format import amount
from gdcli.kernel.numerics import EPS
from gdcli.kernel.status import Status, StopReason
from gdcli.solve.iteration import RunResult
from gdcli.solve.run import unbounded_below


class StableRate(NamedTuple):
    """Steps are stable below ``limit`` = ``factor`` / ``curvature``, for batches of ``size`` of ``rows`` rows.

    For all rows at once the limit is sharp near a minimum; for smaller batches it is the rate up to which no batch
    overshoots along its own gradient, and somewhat larger rates may still do.
    """

    limit: float
    factor: float
    curvature: float
    size: int
    rows: int

    @property
    def sentence(self) -> str:
        """The limit in words, without a full stop."""
        if self.size == self.rows:
            what = "the largest curvature of the mean loss"
        elif self.size == 1:
            what = "the largest curvature of a row's loss along its gradient"
        else:
            what = f"the curvature that batches of {self.size} rows can have"
        name = {1: "L_max", self.rows: "L"}.get(self.size, f"L_{self.size}")
        return (
            f"on these data steps are stable below {self.factor:.3g}/{name} = {self.limit:.4g}"
            f" ({name} = {self.curvature:.4g}, {what})"
        )


def judge_epochs(run: RunResult, stable: StableRate | None, lr: float) -> Verdict:
    """Return the verdict on a run by epochs that began with the rate ``lr``."""
    stopped = of_stopped(run)
    if stopped is not None:
        return stopped
    if run.reason is StopReason.UNBOUNDED or run.best.at.value < unbounded_below(run.start.at.value):
        return Verdict(
            Status.DIVERGED, "There is no minimum: the loss falls without end.",
            "check the sign of the loss, or add bounds",
        )  # fmt: skip
    if run.reason is StopReason.NON_FINITE:
        return _diverged(stable, lr, f"The loss left the finite numbers in epoch {run.iterations}")
    if stable is not None and lr >= stable.limit and not run.best.at.value <= run.start.at.value:
        rose = f"The loss rose from {run.start.at.value:.4g} to {run.best.at.value:.4g}"
        return _diverged(stable, lr, f"{rose} in {amount(run.iterations, 'epoch')}")
    if run.reason.status is Status.LIMIT:
        cap, remedy = run.reason.cap, run.reason.remedy
        if run.reason is StopReason.MAX_ITERATIONS:
            cap, remedy = "--epochs", "allow more with --epochs"
        return Verdict(Status.LIMIT, f"Stopped by {cap} after {amount(run.iterations, 'epoch')}.", remedy)
    return _of_completed(run)


def _of_completed(run: RunResult) -> Verdict:
    if run.iterations == 0:
        return Verdict(
            Status.COMPLETED, "No epoch was asked for: this is the start.", "allow some with --epochs"
        )
    if run.reason is StopReason.TARGET:
        return Verdict(
            Status.COMPLETED, f"The target value was reached after {amount(run.iterations, 'epoch')}.", ""
        )
    if run.reason is StopReason.PATIENCE:
        told = f"Completed after {amount(run.iterations, 'epoch')}: the best is of epoch {run.best.iteration}"
        return Verdict(Status.COMPLETED, f"{told}, and the epochs after it brought no improvement.", "")
    return Verdict(Status.COMPLETED, f"Completed {amount(run.iterations, 'epoch')}.", "")


class Above(NamedTuple):
    """How far above its minimum a run has ended, in words, and what to try."""

    told: str
    advice: str


def far_above(
    run: RunResult,
    stable: StableRate | None,
    lr: float,
    gap: float,
    settled: bool | None,
    share: float,
    rounding: float,
) -> Above | None:
    """Return what is to be said of a run whose mean loss is ``gap`` above its minimum; None where that is near enough.

    It is where the noise of the steps explains the gap (``settled``), or where it is below the ``share`` of the minimum
    that p parameters take of n rows, p/n: then the answer is within the errors of the parameters. A mean loss of
    ``rounding`` is none.
    """
    value = run.best.at.value
    lowest = value - gap
    if settled or not gap > max(share * abs(lowest), rounding):
        return None
    if lowest <= EPS * (value + gap):  # all of the loss, but for rounding
        told = f"about {gap:.3g} from the best one"
    elif gap >= lowest:
        times = value / lowest
        told = f"{times:.3g}" if times < 1000.0 else f"{times:.0f}"
        told += f" times the least one, {lowest:.4g}"
    else:
        told = f"{100.0 * gap / lowest:.2g} % above the least one, {lowest:.4g}"
    told = f"this is not the minimum yet: by a Newton step the mean loss is {told}"
    return Above(told, what_to_try(run, stable, lr, settled))


def what_to_try(run: RunResult, stable: StableRate | None, lr: float, settled: bool | None) -> str:
    """Return what makes the end of a run by epochs better; more epochs do not where noise has ``settled`` it."""
    tries = ["--polish, which goes on to the minimum"]
    if not settled:
        tries.append(f"more epochs (--epochs {10 * run.iterations})")
    if settled:
        tries.append("a rate that falls (--schedule decay)")
    elif stable is not None and lr < 0.25 * stable.limit:
        tries.append(
            f"a larger rate (--lr {0.5 * stable.limit:.2g}; steps are stable below {stable.limit:.2g})"
        )
    elif stable is not None and stable.size < stable.rows:
        tries.append("a rate that falls (--schedule decay)")
    else:
        tries.append("another rate (--lr)")
    return f"{', '.join(tries[:-1])}, or {tries[-1]}"


def _diverged(stable: StableRate | None, lr: float, told: str) -> Verdict:
    if stable is None:
        return Verdict(Status.DIVERGED, f"{told}: the rate {lr:g} is too large.", f"try --lr {0.1 * lr:.2g}")
    if lr >= stable.limit:
        why = f"the rate {lr:.4g} is too large: {stable.sentence}"
        return Verdict(Status.DIVERGED, f"{told}; {why}.", f"try --lr {0.5 * stable.limit:.2g}")
    why = f"{stable.sentence}, but where it ended the curvature is larger"
    return Verdict(
        Status.DIVERGED, f"{told}; {why}.", f"try --lr {0.1 * lr:.2g}, or a start nearer to the answer"
    )
