"""`gd fit` with parameters that several groups (`--by --share`) or several responses (`--model`) share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

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
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.request import FitProblem, FitSettings

# What there is for one formula with its numbers alone, and why not here.
_REFUSED = {
    "predict": "a copy of the rows has what one formula says",
    "residuals": "a copy of the rows has what one formula says",
    "emit": "a program has the numbers of one formula",
    "checkpoint": "a checkpoint keeps a run of one fit alone",
    "checkpoint_every": "a checkpoint keeps a run of one fit alone",
}


class FitWriters(NamedTuple):
    """What writes the answers of fits: the writer, the layout of a page, the words of machine formats."""

    writer: Callable[[FitOptions, FitProblem, FitSettings, TextIO, bool], AnswerWriter]
    layout: Callable[[FitSettings], PageLayout]
    words: Callable[[FitSettings, FitProblem], Words]


def run(options: FitOptions, env: Environment, writers: FitWriters) -> int:
    """Fit all groups or responses at once, and write the answer as that of a fit."""
    asked = "--model" if options.model else "--share"
    for name, why in _REFUSED.items():
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} does not go with {asked}: {why}", "leave it out")
    from gdcli.cli.answer import Beside, caps_of, fit_asked, told_beside, traced, with_receipt
    from gdcli.cli.output_file import Destination
    from gdcli.kernel.budget import limited
    from gdcli.record.fits import fit_record
    from gdcli.render.progress import Progress

    way = _responses() if options.model else _groups()
    request, settings = fit_asked(options, env)
    terminal = env.free_terminal(options.written_as, options.output)
    with (
        traced(options.trace, options, env) as tracing,
        Beside(options, env, env.text_stream(options)) as beside,
        Progress(terminal, env.clock, 1, caps_of(settings)) as progress,
        Destination(options.output, env.stdout) as stream,
        limited(settings),
        way.prepared(
            request, settings, env.stdin_for(request.files), progress.reading, progress.searching
        ) as ready,
    ):
        writer = writers.writer(options, way.problem(ready), settings, stream, env.timing(options, stream))
        observers: list[Observer] = [writer, progress.iterate]
        if tracing is not None:
            words = partial(writers.words, settings, way.problem(ready))
            observers += tracing.observers(way.problem(ready), words)
        observers += beside.observers(way.problem(ready), partial(writers.layout, settings))
        outcome = way.solve(ready, settings, observers)
        progress.clear()
        found = with_receipt(fit_record(outcome), options)
        writer.finish(found)
        beside.finish(found, partial(_picture, way, ready, found))
    env.tell_warnings(told_beside(options, outcome), seen=env.warned(options, stream))
    return outcome.status.exit_code


class _Way(NamedTuple):
    prepared: Callable[..., Any]
    problem: Callable[[Any], FitProblem]
    solve: Callable[..., FitOutcome]
    curves: Callable[[Any, Sequence[float]], Any]


def _groups() -> _Way:
    from gdcli.tasks.fit.group_curves import group_curves
    from gdcli.tasks.fit.prepare_shared import prepared_shared
    from gdcli.tasks.fit.solve_shared import solve_shared

    return _Way(prepared_shared, lambda ready: ready.problem, solve_shared, group_curves)


def _responses() -> _Way:
    from gdcli.tasks.fit.group_curves import response_curves
    from gdcli.tasks.fit.responses import prepared_responses, solve_responses

    return _Way(prepared_responses, lambda ready: ready.prepared.problem, solve_responses, response_curves)


def _picture(way: _Way, ready: object, found: FitRecord) -> Chart:
    from gdcli.render.figures import title
    from gdcli.render.fit_figures import shared_picture

    sides = dict.fromkeys(" ".join(m.partition("~")[0].split()) for m in found.problem.models)
    what = ", ".join(sides) or " ".join(found.problem.expression.partition("~")[0].split())
    return shared_picture(
        title("; ".join(found.problem.models) or found.problem.expression), what, way.curves(ready, found.x)
    )
