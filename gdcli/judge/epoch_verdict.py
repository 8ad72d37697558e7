"""The verdict on a run by epochs, and the noise in its answer.

Such a run ends where it was told to and claims no minimum: it is completed, and its report tells how much noise
there is in the answer. It has diverged when the loss left the finite numbers, and also when it ended higher than it
began with a rate above the stable ones: then every further epoch would make it worse.

The noise is how far above the minimum the answer is, on average and from run to run. Near a minimum with Hessian H a
step by the mean gradient of b rows is x <- x - lr (H (x - x*) + e), where e has the covariance S / b, S that of the
gradients of single rows. With every row drawn anew, the deviations x - x* would settle at the covariance C of the
Lyapunov equation H C + C H = lr S / b + lr H C H (Mandt, Hoffman and Blei, J. Machine Learning Res. 18, 2017), and the
loss at tr(H C)/2 above its minimum. An epoch, though, takes every row once, so that what one step adds by chance
another one takes away: the gradients of all n rows have no noise. If the row r has the weight u_r in the end point of
the epoch, then (sampling without replacement from a finite population) its variance is

    lr**2 S * n/(n-1) * (sum of u_r**2 - (sum of u_r)**2 / n),     u_r = (1 - lr h)**(m - k) / size of batch k,

for each eigenvalue h of H, with the row in batch k of m. That is far less than the equation has it where the run
remembers more than an epoch, lr h m < 1. Epochs are independent, so their covariances add up, each faded by the steps
that came after; no stationarity is assumed, and every epoch may have its own rate.

A rule with a velocity (momentum, Adam) takes two numbers for each eigenvalue in place of one, and the powers are those
of the two modes of their recursion. In the modes all this is a formula for each pair. What it leaves out: that row
gradients change with x (small below half the stable rate), and third derivatives of the loss. Over 200 seeds mean and
deviation were told within their statistical error, about 10 %, for all rules but rmsprop, and within a factor of 1.5
for that, whose scale is itself a matter of chance (tests/judge/test_noise.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import isfinite, sqrt

from gdcli.judge.verdict import Verdict, of_stopped
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.dense import Matrix
from gdcli.kernel.number_format import amount
from gdcli.kernel.numerics import EPS, NEGLIGIBLE_VARIANCE
from gdcli.kernel.status import Status, StopReason
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.solve.iteration import RunResult
from gdcli.solve.methods.elementwise import Response
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


def judge_epochs(run: RunResult, stable: StableRate | None, lr: float, most: int = 0) -> Verdict:
    """Return the verdict on a run by epochs that began with the rate ``lr``; ``most`` are the epochs it could have."""
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
        if run.reason is StopReason.MAX_ITERATIONS and run.iterations >= most:
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


# The answer is in the cloud of the noise when its gap is at most so many deviations above the mean of the cloud.
_SETTLED = 4.0
# What happened more epochs ago is taken as forgotten.
_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Noise:
    """How far the noise of the steps keeps the mean loss of an answer above its minimum.

    ``excess`` is the mean and ``deviation`` the standard deviation over runs with other seeds, both of the
    mean loss.
    """

    excess: float
    deviation: float

    @property
    def error(self) -> float:
        """The standard error of the loss: the root mean square of how far it is above the minimum."""
        return sqrt(self.excess**2 + self.deviation**2)

    def explains(self, gap: float) -> bool:
        """Tell whether an answer this far above the minimum is one of the cloud, so that the descent has ended."""
        return gap <= self.excess + _SETTLED * self.deviation


def noise_of_steps(
    hessian: Matrix,
    spread: object,
    rates: Sequence[float],
    batch: int,
    rows: int,
    response: Response,
    scale: object = None,
) -> Noise | None:
    """Return the noise after epochs over ``rows`` in batches of ``batch``, with the ``rates``, one per epoch.

    ``hessian`` and ``spread`` (S above), shape (p, p), are those of the mean loss and of single rows; ``scale`` are
    factors of the rate for each parameter, shape (p,), positive. None where the Hessian is not that of a minimum.
    """
    H, S = np.array(hessian), np.array(spread)
    root = np.ones(len(H)) if scale is None else np.sqrt(np.array(scale, dtype=float))
    if not (np.isfinite(H).all() and np.isfinite(S).all() and np.isfinite(root).all()):
        return None
    curvatures = _curvatures(root[:, None] * H * root)
    if curvatures is None:
        return None
    values, basis = curvatures
    per_row = basis.T @ (root[:, None] * S * root) @ basis
    C = _covariance(per_row, values, rates, batch, rows, response)
    excess = 0.5 * float(values @ np.diag(C))
    weighted = values[:, None] * C
    deviation = sqrt(max(0.0, 0.5 * float(np.sum(weighted * weighted.T))))
    if not (isfinite(excess) and isfinite(deviation)):
        return None
    return Noise(excess, deviation)


def gap_to_minimum(hessian: Matrix, gradient: Vector) -> float | None:
    """Return how far the loss is above its minimum by half the squared Newton decrement, g' H**-1 g / 2.

    None where the Hessian is not that of a minimum. Directions without curvature are left out, in units in which each
    parameter has the curvature 1: else one in large numbers, as years are, would hide the others.
    """
    H, g = np.array(hessian), np.array(gradient)
    if not (np.isfinite(H).all() and np.isfinite(g).all()):
        return None
    curved = np.diag(H) > 0.0
    unit = np.sqrt(np.where(curved, np.diag(H), 1.0))
    H, g = H / np.outer(unit, unit), g / unit
    curvatures = _curvatures(H)
    return None if curvatures is None else 0.5 * float(np.sum((curvatures[1].T @ g) ** 2 / curvatures[0]))


def _curvatures(H: Array) -> tuple[Array, Array] | None:
    """The eigenvalues and vectors of a Hessian that are not negligible; None where it is not that of a minimum."""
    values, basis = np.linalg.eigh(H)
    largest = float(np.abs(values).max(initial=0.0))
    if not largest > 0.0 or values.min() < -1e-6 * largest:
        return None
    kept = values > NEGLIGIBLE_VARIANCE * largest
    return values[kept], basis[:, kept]


def _covariance(
    per_row: Array, values: Array, rates: Sequence[float], batch: int, rows: int, response: Response
) -> Array:
    """The covariance of the deviations after the last epoch, in the eigenbasis, shape (p, p)."""
    size = len(values)
    C = np.zeros((2 * size, 2 * size))  # of the deviations and of the velocities
    if batch < rows:
        with np.errstate(all="ignore"):
            for rate, same in groupby(rates[-_REMEMBERED:]):
                modes = _Modes(values, rate, response)
                C = modes.after(C, per_row, sum(1 for _ in same), batch, rows)
    return C[:size, :size]


class _Modes:
    """The modes of the recursion of a rule at one rate: two for each eigenvalue of the Hessian."""

    def __init__(self, values: Array, rate: float, response: Response) -> None:
        keep, weight, ahead, direct = response
        now = rate * (ahead * weight + direct)
        matrices = np.empty((len(values), 2, 2), dtype=complex)
        matrices[:, 0, 0] = 1.0 - now * values
        matrices[:, 0, 1] = rate * ahead * keep
        matrices[:, 1, 0] = -weight * values
        matrices[:, 1, 1] = keep
        powers, vectors = np.linalg.eig(matrices)
        if np.any(
            np.abs(powers[:, 0] - powers[:, 1]) < 1e-6
        ):  # two equal modes: their neighbours tell as much
            powers, vectors = np.linalg.eig(matrices + np.array([[1e-6, 0.0], [0.0, 0.0]]))
        inverse = np.linalg.inv(vectors)
        self.powers = powers.T.reshape(-1)
        self.noise = (inverse @ np.array([-now, -weight])).T.reshape(-1)
        self.vectors, self.inverse = _spread_out(vectors), _spread_out(inverse)

    def after(self, C: Array, per_row: Array, epochs: int, batch: int, rows: int) -> Array:
        steps = -(-rows // batch)
        rest = rows - batch * (steps - 1)  # in the last batch, whose step is the last
        pairs = self.powers[:, None] * self.powers.conj()
        each = (_geometric(pairs, steps) - 1.0) / batch + 1.0 / rest
        sums = _geometric(self.powers, steps)
        weight = rows / (rows - 1) * (each - sums[:, None] * sums.conj() / rows)
        one = np.tile(per_row, (2, 2)) * self.noise[:, None] * self.noise.conj() * weight
        faded = pairs**steps
        new = one * _geometric(faded, epochs) + faded**epochs * (self.inverse @ C @ self.inverse.conj().T)
        found: Array = (self.vectors @ new @ self.vectors.conj().T).real
        return found


def _geometric(ratio: Array, count: int) -> Array:
    """1 + ratio + ... + ratio**(count - 1)."""
    return np.where(ratio == 1.0, float(count), (1.0 - ratio**count) / (1.0 - ratio))


def _spread_out(blocks: Array) -> Array:
    """The matrix over all first and then all second components, from 2 x 2 blocks."""
    return np.block([[np.diag(blocks[:, i, j]) for j in (0, 1)] for i in (0, 1)])
