"""A fit by epochs: single rows, batches, or all rows a step, in an order that the seed gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gdcli.compile.per_sample import ParameterBox
from gdcli.compile.update_rules import UpdateRule
from gdcli.judge.epoch_verdict import far_above, judge_epochs, what_to_try
from gdcli.judge.evidence import Certificate
from gdcli.judge.verdict import Verdict
from gdcli.kernel.budget import if_in_time
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import PointKind, Status, StopReason
from gdcli.kernel.vectors import Vector, norm
from gdcli.objective.row_objective import RowObjective
from gdcli.objective.row_passes import By
from gdcli.solve.checkpointing import Checkpointer
from gdcli.solve.epochs import ProgressHook
from gdcli.solve.iteration import Observer
from gdcli.table.shuffle import visited
from gdcli.tasks.fit.conclusion import NO_DOUBTS, doubts_about
from gdcli.tasks.fit.fit_outcome import AnswerNoise, FitOutcome
from gdcli.tasks.fit.parameter_errors import Errors, errors_in_time, without_errors
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.pipeline import Judged, box_and_start, in_sums, stop_rules
from gdcli.tasks.stochastic import Descent, StochasticRun, run_stochastic

# What leaves nothing for a batch solve.
_ENDED = (StopReason.INTERRUPTED, StopReason.TERMINATED, StopReason.MAX_TIME, StopReason.MAX_MEMORY)


def solve_stochastic(
    prepared: Prepared,
    settings: FitSettings,
    observers: Sequence[Observer] = (),
    progress: ProgressHook | None = None,
    checkpointer: Checkpointer | None = None,
    *,
    polisher: Callable[..., FitOutcome],
) -> FitOutcome:
    """Solve a fit by epochs, and with ``polish`` go on from there by a batch solve, which ``polisher`` does.

    Raises UsageError for a contradictory or unknown setting.
    """
    _check(settings)
    descent, notes = descent_on(prepared, settings)
    learned = descent.data
    made = run_stochastic(
        descent,
        settings,
        [in_sums(observer, learned.rows) for observer in observers],  # type: ignore[misc]  # an iterate, and more
        # An iteration is an epoch here: what caps those of other runs is no cap of epochs that were asked for.
        stop_rules(
            settings if settings.max_iter is not None else replace(settings, max_iter=settings.most + 1),
            prepared.problem.sign / learned.rows,
        ),
        progress,
        checkpointer,
    )
    # All that follows is about the rows learned from: nothing may rest on those held back.
    count = prepared.count._replace(held_back=prepared.data.rows - learned.rows)
    again = replace(prepared, data=learned, count=count)  # type: ignore[arg-type]  # of which sums are asked
    if settings.polish and made.run.reason not in _ENDED:
        found = _polished(again, settings, made, notes, checkpointer, polisher)
    else:
        found = _outcome(again, settings, made, notes)
    if descent.held_out is None:
        return found
    held_out, x = RowObjective(prepared.row, descent.held_out), found.run.best.at.x
    return replace(found, validation=if_in_time(lambda: found.sign * held_out.evaluate(x).value, None))


def _check(settings: FitSettings) -> None:
    for name in ("step_rule", "step_sizes", "gradient_tol", "step_tol", "value_tol", "tol"):
        if getattr(settings, name) is not None:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"a run by epochs does not read {option}", "it ends with --epochs, or by its schedule"
            )


def descent_on(prepared: Prepared, settings: FitSettings) -> tuple[Descent, list[str]]:
    """Return what a run by epochs descends on, its start moved within the bounds, and a warning of that."""
    box, start, notes = box_and_start(prepared.problem, RowObjective(prepared.row, prepared.data))
    shuffle = settings.shuffle or "blocks"
    ends = None if box is None else ParameterBox(list(box.lower), list(box.upper))
    if prepared.data.parts is not None:
        return _over_partitions(prepared, settings, start, ends), notes
    learned, held_out = visited(prepared.data, settings.validate, shuffle, prepared.problem.seed)
    return Descent(prepared.row, learned, start, ends, held_out), notes


def _over_partitions(
    prepared: Prepared, settings: FitSettings, start: Vector, ends: ParameterBox | None
) -> Descent:
    from gdcli.tasks.cluster.partitioned_rows import AveragedPasses, How

    if settings.validate is not None:
        raise UsageError(
            "--validate does not go with --cluster and --partitions", "hold files back, and fit without them"
        )
    data: Any = prepared.data  # `PartitionedRows`
    row, shuffle = prepared.row, settings.shuffle or "blocks"

    def averaged(batch: int | None, rule: UpdateRule, by: By) -> AveragedPasses:
        return AveragedPasses(row, data, How(batch, rule, ends, by, shuffle, prepared.problem.seed))

    return Descent(row, data, start, ends, averaged=averaged, partitions=len(data.parts.read))


def _noise(made: StochasticRun) -> AnswerNoise | None:
    if made.gap is None:
        return None
    found = made.noise
    if found is None:
        return AnswerNoise(made.gap, None, None, None, None)
    return AnswerNoise(made.gap, found.excess, found.deviation, found.error, found.explains(made.gap))


def _outcome(
    prepared: Prepared, settings: FitSettings, made: StochasticRun, notes: Sequence[str]
) -> FitOutcome:
    rows, x, noise = prepared.data.rows, made.run.best.at.x, _noise(made)
    errors = errors_in_time(prepared, x, ())
    whole = RowObjective(prepared.row, prepared.data, float(rows))
    verdict, warnings = _judged(prepared, made, noise, errors, whole)
    reason = "errors are those of a minimum; --polish ends with a batch solve"
    slope = if_in_time(lambda: whole.evaluate(whole.vector(x), 1).gradient, None)
    certificate = Certificate(PointKind.UNKNOWN, None if slope is None else norm(slope))
    rate = f", learning rate {made.lr:.4g}" + (f" ({made.chosen})" if made.chosen else "")
    return FitOutcome.of(
        prepared.problem,
        settings,
        prepared.row.space,
        Judged(made.run.times(float(rows)), certificate, verdict),
        method=made.settings.rule,
        used=_words(made) + rate,
        why="",
        engine=made.engine,
        warnings=(*notes, *warnings),
        rows=prepared.count,
        statistics=without_errors(errors.found, reason),
        unknown_errors=reason,
        epochs=made.run.iterations,
        noise=noise,
        history=made.epochs,
    )


def _judged(
    prepared: Prepared, made: StochasticRun, noise: AnswerNoise | None, errors: Errors, whole: RowObjective
) -> tuple[Verdict, list[str]]:
    """Return the verdict and what speaks against the end: that it is far above the minimum, or a minimum of no use."""
    verdict = judge_epochs(made.run, made.stable, made.lr, made.settings.most)
    warnings, rows = list[str](), prepared.data.rows
    settled = noise is not None and noise.settled
    above = None
    if noise is not None and noise.gap is not None and verdict.status in (Status.COMPLETED, Status.LIMIT):
        share = prepared.row.space.size / rows
        rounding = errors.left.floor / rows if errors.left is not None else 0.0
        above = far_above(made.run, made.stable, made.lr, noise.gap, settled, share, rounding)
    if above is not None:
        warnings.append(above.told)
        verdict = verdict._replace(advice=above.advice)
    if verdict.status is Status.DIVERGED:  # that alone says enough
        return verdict, warnings
    x = made.run.best.at.x
    doubts = if_in_time(lambda: doubts_about(prepared, whole, x, errors.found), NO_DOUBTS)
    if doubts.warnings and verdict.status is Status.COMPLETED and above is None:
        verdict = verdict._replace(advice=what_to_try(made.run, made.stable, made.lr, settled))
    return verdict, [*warnings, *doubts.warnings]


def _words(made: StochasticRun) -> str:
    name = {"sgd": "gradient descent"}.get(made.settings.rule, made.settings.rule)
    if made.settings.rows_a_step is None:
        steps = f"{name} on all rows"
    elif made.batch_size == 1:
        steps = f"stochastic {name}"
    else:
        steps = f"mini-batch {name}, {made.batch_size} rows a step"
    averaged = f", the averages of {made.partitions} partitions after each epoch" if made.partitions else ""
    return steps + averaged


def _polished(
    prepared: Prepared,
    settings: FitSettings,
    made: StochasticRun,
    notes: Sequence[str],
    checkpointer: Checkpointer | None,
    polisher: Callable[..., FitOutcome],
) -> FitOutcome:
    start = prepared.row.space.unflatten(made.run.best.at.x)
    again = replace(prepared, problem=replace(prepared.problem, start=start))
    asked = FitSettings(max_time=settings.max_time, max_memory=settings.max_memory)
    found = polisher(again, asked, checkpointer=checkpointer)
    return replace(
        found,
        problem=prepared.problem,
        settings=settings,
        method=made.settings.rule,
        used=f"{_words(made)}, then {found.used}",
        warnings=(*notes, *found.warnings),
        epochs=made.run.iterations,
        history=made.epochs,
    )
