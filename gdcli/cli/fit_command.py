"""`gd fit`: a model and data in, the parameters and what speaks for them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli.answer import (
    AnswerWriter,
    Beside,
    caps_of,
    check_output,
    fit_asked,
    refuse,
    session,
    told_beside,
    traced,
    with_receipt,
)
from gdcli.cli.answer import writer_for as any_writer
from gdcli.cli.output_file import Destination
from gdcli.kernel.budget import limited
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import DataError, UsageError
from gdcli.record.path_rows import row_of
from gdcli.render.formats import PageLayout, Shape

if TYPE_CHECKING:
    from gdcli.cli.commands import FitOptions
    from gdcli.cli.environment import Environment
    from gdcli.cli.plot_option import FitPlot, SharedPlot
    from gdcli.cli.predict_command import Files
    from gdcli.record.fits import FitRecord
    from gdcli.record.serialization import Words
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.iteration import Observer
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitProblem, FitSettings
    from gdcli.tasks.fit.row_sample import GroupCurves


def run(options: FitOptions, env: Environment) -> int:
    check_output(options, is_fit=True)
    if options.global_:
        from gdcli.cli import proof_commands

        proof_commands.check_fit(options)
    if options.covariance and (options.by or options.share or options.model):
        raise UsageError("--covariance is of one fit", "leave out --by, or have --format json, which has it")
    if options.share or options.model:
        refuse(options, _REFUSED, "--model" if options.model else "--share", "leave it out")
    elif options.by:
        from gdcli.cli.fit_groups_command import run as run_groups

        return run_groups(options, env)
    return _run(options, env, _way(options, env))


def _run(options: FitOptions, env: Environment, way: _Way) -> int:
    request, settings = fit_asked(options, env)
    if options.global_:  # the boxes are spread, and not the rows
        request = replace(request, cluster=None)
    from gdcli.record.fits import fit_record

    with (
        traced(options.trace, options, env) as tracing,
        session(options, env, request) as kept,
        _copies(options, env, request.model) as copies,
        _covariance(options, env) as covariance,
        Beside(options, env, env.text_stream(options)) as beside,
        env.progress(options, request.sign, caps_of(settings)) as progress,
        ExitStack() as data,
    ):
        stdin = env.stdin_for(request.files) if copies is None else copies.stdin
        with Destination(options.output, env.stdout) as stream:
            with limited(settings):
                ready = data.enter_context(
                    way.prepared(request, settings, stdin, progress.reading, progress.searching)
                )
                problem, plot = way.problem(ready), way.plot(ready) if beside.draws else None
                hidden = copies is not None and copies.hide_answer
                shown: TextIO = StringIO() if hidden else stream
                emitted = emitter(options, ready, shown)
                writer = emitted or writer_for(options, problem, settings, shown, env.timing(options, shown))
                observers: list[Observer] = [writer, *(plot.observers if plot else ())]
                if tracing is not None:
                    observers += tracing.observers(problem, partial(words_of, settings, problem))
                observers += beside.observers(problem, partial(layout_of, settings))
                kept.watch(observers)
                kept.check_data(ready)
                seeing = [*observers, progress]
                outcome = way.solve(ready, settings, seeing, progress.epoch, kept.checkpointer)
            progress.clear()
            outcome = kept.finish(outcome)
            found = with_receipt(fit_record(outcome), options)
            writer.finish(outcome if emitted else found)
        covariance(found)
        if copies is not None:
            copies.write(ready, outcome)
        beside.finish(found, None if plot is None else partial(plot.of_run, found, outcome))
    env.tell_warnings(told_beside(options, outcome), seen=env.warned(options, stream))
    return outcome.status.exit_code


@contextmanager
def _covariance(options: FitOptions, env: Environment) -> Iterator[Callable[[FitRecord], None]]:
    """Give what writes the covariance matrix into the file of ``--covariance``, if one is asked for."""
    if not options.covariance:
        yield lambda found: None
        return
    with Destination(options.covariance, env.stdout) as stream:
        yield partial(_write_covariance, stream)


def _write_covariance(stream: TextIO, found: FitRecord) -> None:
    from gdcli.record.serialization import CSV

    matrix = found.covariance
    if matrix is None:
        raise DataError("--covariance: there is none", found.unknown_errors or "the parameters are too many")
    names = found.problem.space.labels
    rows = ([name, *row] for name, row in zip(names, matrix, strict=True))
    stream.write(CSV.table(["parameter", *names], rows))


def _solve_globally(
    options: FitOptions,
    env: Environment,
    ready: Prepared,
    settings: FitSettings,
    observers: object,
    progress: object,
    checkpointer: Checkpointer,
) -> FitOutcome:
    """Solve as `solve_fit.solve` does, by boxes: there is no path to be seen."""
    from gdcli.cli import proof_commands

    with env.progress(options, 1, caps_of(settings)) as waiting:
        keep = options.written_as.is_record
        return proof_commands.solve_fit_by_boxes(
            ready, settings, waiting, keep, checkpointer, options.cluster
        )


def _copies(options: FitOptions, env: Environment, model: str) -> AbstractContextManager[Files | None]:
    """What writes copies of the rows with what the fit says of each; None where none are asked for."""
    if not options.predict and not options.residuals:
        return nullcontext()
    from gdcli.cli.predict_command import Files

    return Files(options, env, model)


def emitter(options: FitOptions, ready: Prepared, stream: TextIO) -> AnswerWriter | None:
    """Return what writes a program in the place of the answer, None where none is asked for."""
    if not options.emit:
        return None
    if ready.problem.categories or ready.problem.dates:
        raise UsageError(
            "--emit writes a formula of columns of numbers, and this has texts or dates",
            "gd predict says what it gives for other rows",
        )
    from gdcli.render.machine_formats import AtEnd
    from gdcli.tasks import export

    return AtEnd(stream, partial(export.fitted, ready, language=options.emit))


def writer_for(
    options: FitOptions, problem: FitProblem, settings: FitSettings, stream: TextIO, timing: bool
) -> AnswerWriter:
    format = options.written_as
    if format.shape is Shape.ROWS:
        from gdcli.record.fit_records import parameter_rows
        from gdcli.render.machine_formats import AtEnd

        return AtEnd(stream, partial(parameter_rows, format.load()))
    words = partial(words_of, settings, problem)
    return any_writer(options, problem, stream, timing, layout_of(settings), words)


def layout_of(settings: FitSettings) -> PageLayout:
    from gdcli.render import fit_page

    return PageLayout(fit_page.page, fit_page.epoch_row if settings.is_stochastic else row_of)


def words_of(settings: FitSettings, problem: FitProblem) -> Words:
    from gdcli.record import fit_records

    words = fit_records.EPOCHS if settings.is_stochastic else fit_records.FIT
    words = fit_records.with_region(words, problem.contour)
    return fit_records.with_derived(words, [text.partition("=")[0].strip() for text in problem.derive])


# -- one formula, parameters that several groups share (--by --share), several responses (--model) --------------------

# What there is for one formula with its numbers alone, and why not here.
_REFUSED = {
    "predict": "a copy of the rows has what one formula says; gd predict says it of a stored answer",
    "residuals": "a copy of the rows has what one formula says",
    "emit": "a program has the numbers of one formula",
    "checkpoint": "a checkpoint keeps a run of one fit alone",
    "checkpoint_every": "a checkpoint keeps a run of one fit alone",
}


class _Way(NamedTuple):
    """How fits of one kind are prepared and solved (as by `solve_fit.solve`), and what their pictures have for curves.

    ``problem`` gives that of what is prepared.
    """

    prepared: Callable[..., Any]
    problem: Callable[[Any], FitProblem]
    solve: Callable[..., FitOutcome]
    curves: Callable[[Any, Sequence[float]], GroupCurves] | None = None

    def plot(self, ready: Any) -> FitPlot | SharedPlot:
        from gdcli.cli.plot_option import FitPlot, SharedPlot

        return FitPlot(ready) if self.curves is None else SharedPlot(self.curves, ready)


def _way(options: FitOptions, env: Environment) -> _Way:
    if options.model:
        from gdcli.tasks.fit.responses import prepared_responses, solve_responses
        from gdcli.tasks.fit.row_sample import response_curves

        solve = _without_hooks(solve_responses)
        return _Way(prepared_responses, lambda ready: ready.prepared.problem, solve, response_curves)
    if options.share:
        from gdcli.tasks.fit.prepare_shared import prepared_shared
        from gdcli.tasks.fit.row_sample import group_curves
        from gdcli.tasks.fit.solve_shared import solve_shared

        return _Way(prepared_shared, lambda ready: ready.problem, _without_hooks(solve_shared), group_curves)
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.solve_fit import solve as solve_fit

    solve = partial(_solve_globally, options, env) if options.global_ else partial(solve_fit, whole=True)
    return _Way(prepared, lambda ready: ready.problem, solve)


def _without_hooks(solve: Callable[..., FitOutcome]) -> Callable[..., FitOutcome]:
    """Return a way to solve that has no epochs to tell of, and no checkpoint."""
    return lambda ready, settings, observers, *_: solve(ready, settings, observers)
