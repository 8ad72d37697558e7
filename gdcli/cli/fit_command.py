"""`gd fit`: a model and data in, the parameters and what speaks for them out."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli.answer import Emitted, caps_of, check_emit
from gdcli.cli.checkpoint_option import session
from gdcli.cli.fit_request import read
from gdcli.kernel.budget import limited
from gdcli.kernel.errors import UsageError
from gdcli.render.formats import Shape, format_of

if TYPE_CHECKING:
    from gdcli.cli.answer import AnswerWriter
    from gdcli.cli.environment import Environment
    from gdcli.record.selection import Words
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitSettings


def run(values: dict[str, Any], env: Environment) -> int:
    if values["print"] and values["format"]:
        raise UsageError(
            "--print and --format exclude each other", "--print alone gives one tab-separated line"
        )
    if values["by"]:
        from gdcli.cli.fit_groups_command import run as run_groups

        return run_groups(values, env)
    check_emit(values, is_fit=True)
    request, settings = read(values, env)
    from gdcli.cli.annotated_files import Files
    from gdcli.cli.canvas import Canvas
    from gdcli.cli.fit_plot import FitPlot, epochs_of
    from gdcli.cli.output_file import Destination
    from gdcli.cli.provenance import stamped
    from gdcli.cli.trace_option import Tracing
    from gdcli.record.fits import fit_record
    from gdcli.render.progress import Progress
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.solve_fit import solve

    with (
        session(values, env, request) as kept,
        Files(values, env, request.model) as files,
        Tracing(values, env) as tracing,
        Canvas(values, env, env.stderr if files.takes_stdout else None) as canvas,
        Progress(
            env.free_terminal(values),
            sign=-1 if values["maximize"] else 1,
            caps=caps_of(settings),
            clock=env.clock,
        ) as progress,
        ExitStack() as data,
    ):
        with Destination(values["output"], env.stdout) as stream:
            with limited(settings):
                ready = data.enter_context(
                    prepared(request, files.stdin, progress.reading, progress.searching, settings.validate)
                )
                plot = FitPlot(ready) if values["plot"] else None
                shown: TextIO = StringIO() if files.takes_stdout and not values["output"] else stream
                emitted = emitter(values, ready, shown)
                writer = emitted or writer_for(values, ready, settings, shown, env.timing(values, shown))
                traced = tracing.observers(ready.problem, partial(_words, settings))
                observers = [writer, *traced, *(plot.observers if plot else ())]
                kept.watch(observers)
                kept.check_data(ready)
                outcome = solve(
                    ready, settings, [*observers, progress.iterate], progress.epoch, kept.checkpointer
                )
            progress.clear()
            outcome = kept.finish(outcome)
            found = stamped(fit_record(outcome), values)
            writer.finish(outcome if emitted else found)
        files.write(ready, outcome)
        if plot is not None:
            canvas.draw(partial(plot.picture, found, epochs_of(outcome)))
    env.tell_warnings(_told(outcome, shown is stream), seen=shown is stream and env.warned(values, stream))
    return outcome.status.exit_code


def _told(outcome: FitOutcome, answered: bool) -> tuple[str, ...]:
    """What must be known of a fit; where there is no answer to read, also that it failed."""
    failed = () if answered or not outcome.status.exit_code else (outcome.message,)
    return (*failed, *outcome.warnings)


def emitter(values: dict[str, Any], ready: Prepared, stream: TextIO) -> AnswerWriter | None:
    """Return what writes a program in the place of the answer, None where none is asked for."""
    if not values["emit"]:
        return None
    from gdcli.tasks import export

    return Emitted(stream, partial(export.fitted, ready, language=values["emit"]))


def writer_for(
    values: dict[str, Any], ready: Prepared, settings: FitSettings, stream: TextIO, timing: bool
) -> AnswerWriter:
    from gdcli.cli.answer import writer_for as any_writer
    from gdcli.record.path_rows import row_of
    from gdcli.render import fit_page
    from gdcli.render.tables import PageLayout

    format = format_of(values)
    if format.shape is Shape.ROWS:
        from gdcli.record import fit_records

        return fit_records.Parameters(stream, format.load())
    row = fit_page.epoch_row if settings.is_stochastic else row_of
    layout = PageLayout(fit_page.page, row)
    return any_writer(values, ready.problem, stream, timing, layout, partial(_words, settings))


def _words(settings: FitSettings) -> Words:
    """What machine formats say of such a fit."""
    from gdcli.record import fit_records

    return fit_records.EPOCHS if settings.is_stochastic else fit_records.FIT
