"""Stochastic and mini-batch descent on a model of data: what a run needs beyond the loop, chosen and told.

`run_stochastic` puts the row model, the data and the loop together. Without a rate it chooses one from the curvature of
the data, and whatever came of the run it can say up to which rate steps are stable, because it has computed it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from typing import Any

from gdcli.compile.per_sample import ParameterBox
from gdcli.compile.update_rules import UpdateRule, update_rule
from gdcli.judge.epoch_verdict import Noise, StableRate, gap_to_minimum, noise_of_steps
from gdcli.kernel.budget import if_in_time
from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.dense import Matrix
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.build import check_engine
from gdcli.objective.row_curvature import Curvatures, curvatures, spread_of_rows
from gdcli.objective.row_model import RowModel, Rows
from gdcli.objective.row_objective import RowObjective
from gdcli.objective.row_passes import By, RowPasses, Visits
from gdcli.solve.checkpointing import Checkpointer
from gdcli.solve.epochs import Epoch, EpochObserver, ProgressHook, run_epochs
from gdcli.solve.iteration import RunResult
from gdcli.solve.methods.descent import DEFAULT_LR
from gdcli.solve.registry import BY_EPOCHS, METHODS, direction
from gdcli.solve.run import RunOptions
from gdcli.solve.settings import EpochSettings, Rule

# The part of 1/L that steps by some of the rows take.
_QUIET = 0.1


class Descent(NamedTuple):
    """What is descended on: the mean loss of ``row`` over the rows to learn from.

    ``x0`` is a flat `Vec` or array within the bounds, ``held_out`` are the rows of ``--validate``. Where
    the rows lie in ``partitions`` ``averaged`` makes the passes, of the rows a step, the rule of a step, what computes.
    """

    row: RowModel
    data: Visits
    x0: Vector
    box: ParameterBox | None = None
    held_out: Rows | None = None
    averaged: Callable[[int | None, UpdateRule, By], Any] | None = None
    partitions: int = 0


@dataclass(frozen=True, slots=True)
class StochasticRun:
    """A run by epochs. ``run.best`` is its answer, see `solve.epochs.run_epochs`.

    ``lr`` is the rate it began with and ``chosen`` how that was chosen ('' where it was given). ``batch_size`` is in
    rows. ``stable`` is the rate below which steps are stable, None where the curvature does not tell. ``gap`` is how
    far the mean loss of the answer is above its minimum by a Newton step, ``noise`` how far the noise of the steps
    keeps it above; None where there is no minimum near, no Hessian, or no noise because the order is fixed. Over
    ``partitions`` (0: none) their ends were averaged after each epoch, and how large the noise is then is not told.
    """

    run: RunResult
    epochs: tuple[Epoch, ...]
    settings: EpochSettings
    batch_size: int
    lr: float
    chosen: str
    engine: str
    stable: StableRate | None
    gap: float | None = None
    noise: Noise | None = None
    partitions: int = 0

    @property
    def visits(self) -> int:
        return self.epochs[-1].visits


def run_stochastic(
    of: Descent,
    settings: EpochSettings,
    observers: Sequence[EpochObserver] = (),
    rules: Sequence[Rule] = (),
    progress: ProgressHook | None = None,
    checkpointer: Checkpointer | None = None,
) -> StochasticRun:
    """Descend by epochs; ``checkpointer`` see `run_epochs`.

    Raises UsageError for settings that make no sense, DomainError where the start has no finite loss.
    """
    check(settings)
    objective, rows = RowObjective(of.row, of.data), of.data.rows
    rule, size = settings.rule, min(settings.rows_a_step or rows, rows)
    found = curvatures(objective, of.x0)
    lr, chosen = (settings.lr, "") if settings.lr is not None else default_rate(rule, found, size, rows)
    settings = replace(settings, lr=lr)
    by, step = By(settings.likely, settings.engine, not settings.no_cache), rule_of(rule)
    passes = (
        RowPasses(of.row, of.data, settings.rows_a_step, step, of.box, of.held_out, by)
        if of.averaged is None
        else of.averaged(settings.rows_a_step, step, by)
    )
    run, epochs = run_epochs(
        passes, of.x0, settings, rules, observers, progress, RunOptions(checkpointer=checkpointer)
    )
    if run.best.iteration:
        found = _larger(found, if_in_time(lambda: curvatures(objective, run.best.at.x), found))
    stable = stable_rate(rule, found, size, rows)
    made = StochasticRun(
        run, epochs, settings, size, lr, chosen, passes.engine, stable, partitions=of.partitions
    )
    return if_in_time(lambda: _with_noise(made, objective, of.data.together, of.box), made)


def _with_noise(
    made: StochasticRun, objective: RowObjective, together: int | None, box: ParameterBox | None
) -> StochasticRun:
    """Return a run with its gap and its noise; ``together`` see `objective.row_passes.Visits`."""
    best = made.run.best
    if not best.iteration or not objective.has_hessian or not isfinite(best.at.value):
        return made
    x = list(best.at.x)
    free = [i for i in range(len(x)) if box is None or box.lower[i] < x[i] < box.upper[i]]
    with np.errstate(all="ignore"):  # far from a minimum numbers overflow, and nothing is told
        found = spread_of_rows(objective, x, together or 1)
        slope = objective.evaluate(objective.vector(x), 1).gradient
        if found is None or slope is None or not free:
            return made
        hessian, covariance = (matrix[free][:, free] for matrix in found[::-1])
        gap = gap_to_minimum(hessian, [slope[i] for i in free])
        noise = (
            None
            if together is None or gap is None
            else _noise(made, objective.data.rows, hessian, covariance)
        )
    return replace(made, gap=gap, noise=noise)


def _noise(made: StochasticRun, rows: int, hessian: Matrix, covariance: Matrix) -> Noise | None:
    best, rule = made.run.best, made.settings.rule
    rates = [e.step for e in made.epochs[1 : best.iteration + 1] if e.step is not None]
    scale = _scale(rule, covariance.diagonal() / made.batch_size, best.counts.gradient)
    response = direction(rule).response
    return noise_of_steps(hessian, covariance, rates, made.batch_size, rows, response, scale)


def _scale(method: str, squares: Array, steps: int) -> Any:
    """By how much a rule scales the rate of each parameter, with the mean squares that its batch gradients have."""
    rule = direction(method)
    if rule.batch_rate is None:
        return None
    if not (squares > 0.0).all():
        return [inf] * len(squares)  # not known
    return (squares * (steps if rule.sums_squares else 1)) ** -0.5


def rule_of(method: str) -> UpdateRule:
    """Return what a step of a method does to the parameters, as program text."""
    made = direction(method)
    return update_rule(made.update, dict(zip(made.update.constants, made.constants, strict=True)))


def check(settings: EpochSettings) -> None:
    """Raise UsageError for a method, a batch size or an engine that there is not."""
    check_engine(settings.engine)
    if settings.rule not in BY_EPOCHS:
        raise UsageError(
            f"{settings.rule} is no method for batches",
            did_you_mean(settings.rule, BY_EPOCHS, f"these are: {', '.join(BY_EPOCHS)}"),
        )
    if settings.batch_size is not None and settings.batch_size < 0:
        raise UsageError(f"--batch-size must be at least 1, or all, not {settings.batch_size}")


def default_rate(method: str, found: Curvatures, size: int, rows: int) -> tuple[float, str]:
    """Return a rate that is safe for these data, and where it comes from in words.

    On all rows plain descent takes 1/L, half the limit of stable steps, with L the curvature. Steps by some of the rows
    take a tenth of that, with L for batches of this size: what the noise of the steps adds to the loss is proportional
    to the rate. Momentum takes a tenth again, since a gradient acts ten times with momentum 0.9.
    """
    rule = direction(method)
    if rule.batch_rate is not None:
        of_all = METHODS[method].lr or DEFAULT_LR
        return of_all if size == rows else rule.batch_rate, f"the usual one of {method}"
    largest = found.of_batches(size, rows)
    if largest is None or not largest > 0.0 or not isfinite(1.0 / largest):
        return DEFAULT_LR, "the curvature at the start does not tell a better one"
    part = (1.0 - rule.response.keep) * (1.0 if size == rows else _QUIET)
    return part / largest, f"{part:.2g}/L for L = {largest:.4g}"


def stable_rate(method: str, found: Curvatures, size: int, rows: int) -> StableRate | None:
    """Return the rate below which steps are stable; None for rules with a scale of their own."""
    largest = found.of_batches(size, rows)
    rule = direction(method)
    if rule.stable is None or largest is None or not largest > 0.0:
        return None
    # Of all rows there is one matrix and one recursion: the limit is exact.
    factor = rule.stable if size == rows else 2.0 * (1.0 - rule.response.keep)
    limit = factor / largest
    return StableRate(limit, factor, largest, size, rows) if 0.0 < limit < inf else None


def _larger(a: Curvatures, b: Curvatures) -> Curvatures:
    return Curvatures(
        *(max((v for v in pair if v is not None), default=None) for pair in zip(a, b, strict=True))
    )
