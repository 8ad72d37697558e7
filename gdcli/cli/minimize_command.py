"""`gd minimize` and `gd maximize`: from the values of the command line to an answer on standard output.

First everything that can be wrong is found out (the numbers, the expression, the names to print, the file to
write), then the run begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from gdcli.cli.answer import caps_of, check_emit, emitter, typed_problem, writer_for
from gdcli.cli.options import settings as settings_of
from gdcli.kernel.budget import limited
from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from gdcli.api import Outcome, Problem, Settings
    from gdcli.cli.environment import Environment
    from gdcli.cli.trace_option import Tracing
    from gdcli.render.waiting import Waiting
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.iteration import Observer


def minimize(values: dict[str, Any], env: Environment) -> int:
    return _extremum(values, env, "minimize")


def maximize(values: dict[str, Any], env: Environment) -> int:
    return _extremum(values, env, "maximize")


def _extremum(values: dict[str, Any], env: Environment, sense: str) -> int:
    if values["print"] and values["format"]:
        raise UsageError(
            "--print and --format exclude each other", "--print alone gives one tab-separated line"
        )
    check_emit(values, is_fit=False)
    from gdcli import api
    from gdcli.cli.canvas import Canvas
    from gdcli.cli.checkpoint_option import job_of, session
    from gdcli.cli.output_file import Destination
    from gdcli.cli.plot_option import RunPlot, watched
    from gdcli.cli.provenance import stamped
    from gdcli.record.runs import run_record

    settings = api.Settings(**settings_of(values))
    with limited(settings):
        problem = job_of(values) or typed_problem(values, env, sense)
    plot = RunPlot(values, problem) if values["plot"] or values["plane"] else None
    with Canvas(values, env) as canvas:
        with Destination(values["output"], env.stdout) as stream, _traced(values, env) as tracing:
            emitted = emitter(values, stream)
            writer = emitted or writer_for(values, problem, stream, env.timing(values, stream))
            observers: list[Observer] = [writer]
            if tracing is not None:
                observers += tracing.observers(problem)
            if plot is not None:
                observers.append(plot.recorder)
            with (
                session(values, env, problem) as kept,
                watched(values, env, problem) as watch,
                _waiting(values, env, problem, settings, bool(watch)) as waiting,
            ):
                kept.watch(observers)
                with _kept_in_time(values, settings):
                    outcome = _solve(
                        values, problem, settings, [*observers, *watch], kept.checkpointer, waiting
                    )
                outcome = kept.finish(outcome)
            found = stamped(run_record(outcome), values)
            writer.finish(outcome if emitted else found)
        if plot is not None:
            canvas.draw(partial(plot.picture, found))
    env.tell_warnings(outcome.warnings, seen=env.warned(values, stream))
    return outcome.status.exit_code


def _traced(values: dict[str, Any], env: Environment) -> AbstractContextManager[Tracing | None]:
    if not values["trace"]:
        return nullcontext()
    from gdcli.cli.trace_option import Tracing

    return Tracing(values, env)


def _kept_in_time(values: dict[str, Any], settings: Settings) -> AbstractContextManager[object]:
    """What keeps the time where formulas are asked for, which come from algebra that may take long."""
    if not settings.max_time or not (values["show_gradient"] or settings.gradient == "symbolic"):
        return nullcontext()
    from gdcli.cli.time_limit import interrupted

    return interrupted(settings, late=True)


def _solve(
    values: dict[str, Any],
    problem: Problem,
    settings: Settings,
    observers: Sequence[Observer],
    checkpointer: Checkpointer,
    waiting: Waiting | None,
) -> Outcome:
    """One run, or one from each of many starts."""
    formulas, starts = values["show_gradient"], values["multi_start"]
    if starts is None:
        from gdcli.api import solve

        told = [] if waiting is None else [waiting]
        return solve(problem, settings, [*observers, *told], formulas, checkpointer=checkpointer)
    from gdcli.tasks.multi_start import solve_from_many

    return solve_from_many(problem, settings, starts, observers, formulas, checkpointer, waiting)


def _waiting(
    values: Mapping[str, Any], env: Environment, problem: Problem, settings: Settings, watched: bool
) -> AbstractContextManager[Waiting | None]:
    """What tells on a terminal how far a long run has come, where nothing else does."""
    stream = None if watched else env.free_terminal(values)
    if stream is None:
        return nullcontext()
    from gdcli.render.waiting import Waiting

    return Waiting(stream, problem.sign, caps_of(settings), env.clock)
