"""`gd fit`: a model and data in, the parameters and what speaks for them out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.budget import limited
from gdcli.cli.checkpoint import job_of, session
from gdcli.cli.emit import Emitted
from gdcli.cli.emit import check as check_emit
from gdcli.cli.minimize import caps_of, expression_text, free_terminal, tell_warnings
from gdcli.cli.options import settings as settings_of
from gdcli.dataclass import fields
from gdcli.errors import UsageError

if TYPE_CHECKING:
    from gdcli.cli.minimize import Writer
    from gdcli.fitting.outcome import FitOutcome
    from gdcli.fitting.prepare import Prepared
    from gdcli.fitting.request import FitRequest, FitSettings
    from gdcli.report.machine import Words


def run(values: dict[str, Any]) -> int:
    """Fit, and write the answer and the files that were asked for."""
    if values["print"] and values["format"]:
        raise UsageError(
            "--print and --format exclude each other", "--print alone gives one tab-separated line"
        )
    if values["by"]:
        from gdcli.cli.fit_groups import run as run_groups

        return run_groups(values)
    check_emit(values, is_fit=True)
    request, settings = read(values)
    from gdcli.cli.canvas import Canvas, text_stream
    from gdcli.cli.destination import Destination
    from gdcli.cli.fit_files import Files
    from gdcli.cli.fit_plot import FitPlot, epochs_of
    from gdcli.cli.minimize import warned
    from gdcli.cli.receipts import stamped
    from gdcli.cli.tracing import Tracing
    from gdcli.fitting.prepare import prepared
    from gdcli.fitting.solve import solve
    from gdcli.record.fits import fit_record
    from gdcli.report.progress import Progress

    with (
        session(values, request) as kept,
        Files(values, request.model) as files,
        Tracing(values) as tracing,
        Canvas(values, sys.stderr if files.takes_stdout else text_stream(values)) as canvas,
        Progress(
            free_terminal(values), sign=-1 if values["maximize"] else 1, caps=caps_of(settings)
        ) as progress,
        ExitStack() as data,
    ):
        with Destination(values["output"]) as stream:
            with limited(settings):
                ready = data.enter_context(
                    prepared(request, files.stdin, progress.reading, progress.searching, settings.validate)
                )
                plot = FitPlot(ready) if values["plot"] else None
                shown: TextIO = StringIO() if files.takes_stdout and not values["output"] else stream
                emitted = emitter(values, ready, shown)
                writer = emitted or writer_for(values, ready, settings, shown)
                traced = tracing.observers(ready.problem, partial(_words, settings))
                observers = [writer, *traced, *(plot.observers if plot else ())]
                kept.watch(observers)
                kept.check_data(ready)
                outcome = solve(ready, settings, [*observers, progress.iterate], progress.epoch, kept.keeper)
            progress.clear()
            outcome = kept.finish(outcome)
            found = stamped(fit_record(outcome), values)
            writer.finish(outcome if emitted else found)
        files.write(ready, outcome)
        if plot is not None:
            canvas.draw(partial(plot.picture, found, epochs_of(outcome)))
    tell_warnings(_told(outcome, shown is stream), seen=shown is stream and warned(values, stream))
    return outcome.status.exit_code


def _told(outcome: FitOutcome, answered: bool) -> tuple[str, ...]:
    """What must be known of a fit; where there is no answer to read, also that it failed."""
    failed = () if answered or not outcome.status.exit_code else (outcome.message,)
    return (*failed, *outcome.warnings)


def emitter(values: dict[str, Any], ready: Prepared, stream: TextIO) -> Writer | None:
    """Return what writes a program in the place of the answer, None where none is asked for."""
    if not values["emit"]:
        return None
    from gdcli import emission

    return Emitted(stream, partial(emission.fitted, ready, language=values["emit"]))


def writer_for(values: dict[str, Any], ready: Prepared, settings: FitSettings, stream: TextIO) -> Writer:
    """Return what shows the fit in the format that was asked for."""
    from gdcli.cli.minimize import writer_for as any_writer
    from gdcli.report import fit_page
    from gdcli.report.tables import Layout
    from gdcli.report.trail import row_of

    if values["format"] == "csv":
        from gdcli.report import fit_records

        return fit_records.Parameters(stream)
    row = partial(fit_page.epoch_row, ready.row.space) if settings.is_stochastic else row_of
    return any_writer(values, ready.problem, stream, Layout(fit_page.page, row), partial(_words, settings))


def _words(settings: FitSettings) -> Words:
    """What machine formats say of such a fit."""
    from gdcli.report import fit_records

    return fit_records.EPOCHS if settings.is_stochastic else fit_records.FIT


def read(values: dict[str, Any]) -> tuple[FitRequest, FitSettings]:
    """Return what is asked for, from the values of the command line."""
    request = job_of(values) or request_of(values)
    of_epochs = ("batch_size", "epochs", "schedule", "shuffle", "validate", "polish")
    chosen = settings_of(values) | {name: values[name] for name in of_epochs if values[name] is not None}
    from gdcli.fitting.request import FitSettings

    settings = FitSettings(**chosen)
    settings.check()
    return request, settings


def request_of(values: dict[str, Any]) -> FitRequest:
    """Return which model is to be fitted to which data."""
    text, source = expression_text(values["expression"])
    if source == "standard input" and (not values["files"] or "-" in values["files"]):
        raise UsageError("the model and the data cannot both come from standard input", "give one a file")
    if not values["files"] and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("there are no data", "name a file after the model, or - for standard input")
    from gdcli.fitting.request import FitRequest
    from gdcli.solvers.registry import find

    if values["method"] not in (None, "sgd"):
        find(values["method"])  # an unknown one is told before the data are read
    names = {field.name for field in fields(FitRequest)}
    asked: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in names and v is not None
    }
    asked |= {"model": text, "source": source, "constants": tuple(values["set"])}
    asked["files"] = tuple(values["files"]) or ("-",)
    return FitRequest(**asked)
