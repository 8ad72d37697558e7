"""`gd fit --by COLUMN --share NAME`: one fit to all groups, with parameters that they share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TextIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from gdcli.cli.answer import AnswerWriter
    from gdcli.cli.commands import FitOptions
    from gdcli.cli.environment import Environment
    from gdcli.record.fits import FitRecord
    from gdcli.record.selection import Words
    from gdcli.render.plot_data import Chart
    from gdcli.render.tables import PageLayout
    from gdcli.solve.iteration import Observer
    from gdcli.tasks.fit.prepare_shared import SharedFit
    from gdcli.tasks.fit.request import FitProblem, FitSettings

# What there is for one formula with its numbers alone, and why not here.
_REFUSED = {
    "predict": "the copy would need the parameters of each row's group",
    "residuals": "the copy would need the parameters of each row's group",
    "emit": "a program has the numbers of one formula",
    "checkpoint": "a checkpoint keeps a run of one fit alone",
    "checkpoint_every": "a checkpoint keeps a run of one fit alone",
}


class FitWriters(NamedTuple):
    """What writes the answers of fits: the writer, the layout of a page, the words of machine formats."""

    writer: Callable[[FitOptions, FitProblem, FitSettings, TextIO, bool], AnswerWriter]
    layout: Callable[[FitSettings], PageLayout]
    words: Callable[[FitSettings], Words]


def run(options: FitOptions, env: Environment, writers: FitWriters) -> int:
    """Fit all groups at once, and write the answer as that of a fit."""
    for name, why in _REFUSED.items():
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} does not go with --share: {why}", "leave it out")
    from gdcli.cli.answer import Beside, caps_of, fit_asked, told_beside, traced, with_receipt
    from gdcli.cli.output_file import Destination
    from gdcli.kernel.budget import limited
    from gdcli.record.fits import fit_record
    from gdcli.render.progress import Progress
    from gdcli.tasks.fit.prepare_shared import prepared_shared
    from gdcli.tasks.fit.solve_shared import solve_shared

    request, settings = fit_asked(options, env)
    terminal = env.free_terminal(options.written_as, options.output)
    with (
        traced(options.trace, options, env) as tracing,
        Beside(options, env, env.text_stream(options)) as beside,
        Progress(terminal, env.clock, 1, caps_of(settings)) as progress,
        Destination(options.output, env.stdout) as stream,
        limited(settings),
        prepared_shared(
            request, settings, env.stdin_for(request.files), progress.reading, progress.searching
        ) as ready,
    ):
        writer = writers.writer(options, ready.problem, settings, stream, env.timing(options, stream))
        observers: list[Observer] = [writer, progress.iterate]
        if tracing is not None:
            observers += tracing.observers(ready.problem, partial(writers.words, settings))
        observers += beside.observers(ready.problem, partial(writers.layout, settings))
        outcome = solve_shared(ready, settings, observers)
        progress.clear()
        found = with_receipt(fit_record(outcome), options)
        writer.finish(found)
        beside.finish(found, partial(_picture, ready, found))
    env.tell_warnings(told_beside(options, outcome), seen=env.warned(options, stream))
    return outcome.status.exit_code


def _picture(ready: SharedFit, found: FitRecord) -> Chart:
    from gdcli.render.figures import title
    from gdcli.render.shared_figures import picture
    from gdcli.tasks.fit.group_curves import group_curves

    what = " ".join(found.problem.expression.partition("~")[0].split())
    return picture(title(found.problem.expression), what, group_curves(ready, found.x))
