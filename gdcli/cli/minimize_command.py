"""`gd minimize` and `gd maximize`: from the values of the command line to an answer on standard output.

First everything that can be wrong is found out (the numbers, the expression, the names to print, the file to
write), then the run begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from gdcli import api
from gdcli.cli.answer import (
    Beside,
    begun_job,
    caps_of,
    check_output,
    emitter,
    session,
    told_beside,
    traced,
    typed_problem,
    with_receipt,
    writer_for,
)
from gdcli.cli.environment import interrupted
from gdcli.cli.options import SOLVER
from gdcli.cli.output_file import Destination
from gdcli.kernel.budget import limited
from gdcli.kernel.vectors import Space
from gdcli.record.runs import run_record
from gdcli.render.formats import can_redraw

if TYPE_CHECKING:
    from gdcli.api import Outcome, Problem, Settings
    from gdcli.cli.commands import MinimizeOptions
    from gdcli.cli.environment import Environment
    from gdcli.cli.plot_option import RunPlot
    from gdcli.render.live import Watch
    from gdcli.render.progress import Progress
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.iteration import Observer


def _check(options: MinimizeOptions) -> None:
    check_output(options, is_fit=False)
    if options.global_ or options.all or options.cluster:
        from gdcli.cli import proof_commands

        check = proof_commands.check if options.global_ or options.all else proof_commands.check_cluster
        check(options)


def run(options: MinimizeOptions, env: Environment) -> int:
    _check(options)
    settings = api.Settings(**options.given(*SOLVER))
    with limited(settings):
        problem = begun_job(options.resumed) or typed_problem(options, env)
    plot = _plot(options, problem)
    with (
        traced(options.trace, options, env) as tracing,
        Beside(options, env, env.text_stream(options)) as beside,
    ):
        with Destination(options.output, env.stdout) as stream:
            emitted = emitter(options, stream)
            writer = emitted or writer_for(options, problem, stream, env.timing(options, stream))
            observers: list[Observer] = [writer]
            if tracing is not None:
                observers += tracing.observers(problem)
            if plot is not None:
                observers.append(plot.recorder)
            observers += beside.observers(problem)
            with (
                session(options, env, problem) as kept,
                _watch(options, env, problem) as watch,
                _waiting(options, env, problem, settings, watch is not None) as waiting,
            ):
                kept.watch(observers)
                seeing = observers if watch is None else [*observers, watch]
                with _kept_in_time(options, settings):
                    outcome = _solve(options, problem, settings, seeing, kept.checkpointer, waiting)
                outcome = _moving(options, kept.finish(outcome))
            found = with_receipt(run_record(outcome), options)
            writer.finish(outcome if emitted else found)
        beside.finish(found, None if plot is None else partial(plot.picture, found))
    env.tell_warnings(told_beside(options, outcome), seen=env.warned(options, stream))
    return outcome.status.exit_code


def _moving(options: MinimizeOptions, outcome: Outcome) -> Outcome:
    if not options.sensitivity:
        return outcome
    from gdcli.tasks.sensitivity import with_sensitivities

    return with_sensitivities(outcome)


def _plot(options: MinimizeOptions, problem: Problem) -> RunPlot | None:
    if not (options.plot or options.plane or options.report):
        return None
    if options.global_:
        from gdcli.cli.proof_commands import check_plot

        check_plot(options, Space(problem.lengths).size)
    from gdcli.cli.plot_option import RunPlot

    return RunPlot(options, problem, bool(options.multi_start))


def _watch(
    options: MinimizeOptions, env: Environment, problem: Problem
) -> AbstractContextManager[Watch | None]:
    """The observer of ``--watch``; none without a terminal, and where rows of the answer run through it."""
    if not options.watch:
        return nullcontext()
    from gdcli.render.live import Watch

    stream = env.free_terminal(options.written_as, options.output)
    if stream is None or not can_redraw(stream):
        return nullcontext()
    return Watch(stream, problem.sense, problem.expression, problem.sign, clock=env.clock)


def _kept_in_time(options: MinimizeOptions, settings: Settings) -> AbstractContextManager[object]:
    """What keeps the time where formulas are asked for, which come from algebra that may take long."""
    if not settings.max_time or not (options.show_gradient or settings.gradient == "symbolic"):
        return nullcontext()
    return interrupted(settings, late=True)


def _solve(
    options: MinimizeOptions,
    problem: Problem,
    settings: Settings,
    observers: Sequence[Observer],
    checkpointer: Checkpointer,
    waiting: Progress | None,
) -> Outcome:
    if options.global_:
        from gdcli.cli import proof_commands

        keep = options.written_as.is_record or bool(options.plot or options.report)
        return proof_commands.solve_by_boxes(problem, settings, waiting, options, keep, checkpointer)
    if options.multi_start is None:
        told = [] if waiting is None else [waiting]
        return api.solve(
            problem, settings, [*observers, *told], options.show_gradient, checkpointer=checkpointer
        )
    from gdcli.cli import proof_commands

    return proof_commands.solve_many(options, problem, settings, observers, checkpointer, waiting)


def _waiting(
    options: MinimizeOptions, env: Environment, problem: Problem, settings: Settings, watched: bool
) -> AbstractContextManager[Progress | None]:
    """What tells on a terminal how far a long run has come, where nothing else does."""
    if watched or env.free_terminal(options.written_as, options.output) is None:
        return nullcontext()
    return env.progress(options, problem.sign, caps_of(settings))
