"""What `gd show` shows of one run: a minimisation or a fit, with its path where that was stored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, cast

from gdcli.cli import record_file
from gdcli.cli.record_file import Stored, StoredPage
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError
from gdcli.record.runs import PathPoint, ProblemRecord, RunRecord
from gdcli.record.upgrade import upgraded

if TYPE_CHECKING:
    from gdcli.api import Problem
    from gdcli.cli.commands import FitOptions, ShowOptions
    from gdcli.cli.environment import Environment
    from gdcli.cli.plot_option import RunPlot
    from gdcli.record.fits import EpochPoint, FitRecord
    from gdcli.render.fit_figures import Epochs
    from gdcli.render.formats import Format
    from gdcli.render.plot_data import Picture
    from gdcli.render.tables import PageLayout
    from gdcli.tasks.fit.request import FitRequest, FitSettings


def extremum(options: ShowOptions, answer: Stored) -> StoredPage:
    from gdcli.record.path_rows import stored_rows
    from gdcli.render import summary
    from gdcli.render.tables import PageLayout

    with record_file.whole(answer.name):
        found = RunRecord.from_json(upgraded(answer.result))
        path = [PathPoint.from_json(point) for point in answer.path]
        rows = list(stored_rows(path, found.problem.space))
    shown = _run(options, found, rows, PageLayout(summary.page, _as_it_is))._replace(planes=True)
    if not options.plot and not options.plane and not options.report:
        return shown
    plot, missing = _plot(options, found, path), ""
    if not path and not plot.which:
        missing = (
            "more than two variables are drawn against the iteration, and this is a result without its path "
            "(store one: --format jsonl, or choose two with --plane)"
        )
    return shown._replace(picture=None if missing else partial(plot.picture, found), missing=missing)


def _as_it_is(row: object, *_: int) -> Any:
    return row


def _run(options: ShowOptions, found: RunRecord, rows: Sequence[Any], layout: PageLayout) -> StoredPage:
    from gdcli.render.tables import Table, is_terminal

    timed = found.seconds is not None

    def write(stream: TextIO, format: Format) -> None:
        timing = timed and bool(options.timing or is_terminal(stream))
        size = found.problem.space.size
        writer = Table(stream, 1, size, options.every, timing, format, layout)
        for row in rows:
            writer(row)
        writer.finish(found)

    return StoredPage(write, path=bool(rows), timed=timed)


def problem_of(asked: ProblemRecord, seed: int) -> Problem:
    from gdcli.tasks.problem import Problem
    from gdcli.tasks.verified_record import bounds_as_given

    return Problem(
        asked.expression,
        asked.sense,
        asked.start,
        asked.constants,
        seed,
        asked.drawn,
        bounds=bounds_as_given(asked.bounds),
        fixed=asked.fixed,
        subject_to=tuple((text, "") for text in asked.subject_to),
        let=asked.let,
    )


def _plot(options: ShowOptions, found: RunRecord, path: Sequence[PathPoint]) -> RunPlot:
    from gdcli.cli.plot_option import RunPlot
    from gdcli.render.plot_data import StoredRecorder

    plot = RunPlot(options, problem_of(found.problem, found.seed))
    plot.recorder = StoredRecorder(found.problem.space, plot.which)
    for point in path:
        plot.recorder(point)
    return plot


# -- fits ------------------------------------------------------------------------------------------------------------


def fit(options: ShowOptions, env: Environment, answer: Stored) -> StoredPage:
    from gdcli.record.fits import EpochPoint, FitRecord
    from gdcli.record.path_rows import stored_rows
    from gdcli.render import fit_page
    from gdcli.render.tables import PageLayout

    with record_file.whole(answer.name):
        found = FitRecord.from_json(upgraded(answer.result))
        space, is_epochs = found.problem.space, found.epochs is not None
        path: list[Any] = [
            (EpochPoint if "epoch" in point else PathPoint).from_json(point) for point in answer.path
        ]
        rows = path if is_epochs else list(stored_rows(path, space))
    layout = PageLayout(fit_page.page, fit_page.epoch_row if is_epochs else _as_it_is)
    shown = _run(options, found, rows, layout)
    if "~" not in found.problem.expression and not path:
        missing = "a loss that was typed has its path drawn, and this is a result without (--format jsonl)"
        return shown._replace(missing=missing)
    return shown._replace(picture=partial(_fit_picture, answer, env, found, path))


def _asked(answer: Stored, env: Environment) -> tuple[FitRequest, FitSettings]:
    from gdcli.cli import argv
    from gdcli.cli.answer import fit_asked
    from gdcli.cli.commands import COMMANDS
    from gdcli.cli.rerun_command import arguments

    command = COMMANDS["fit"]
    _, *words = arguments(answer)
    typed = argv.read(argv.arrange(words, command), command)
    request, settings = fit_asked(
        cast("FitOptions", argv.convert(typed | {"files": typed["files"] or ["-"]}, command)), env
    )
    return replace(request, files=tuple(typed["files"])), settings


def _fit_picture(answer: Stored, env: Environment, found: FitRecord, path: Sequence[Any]) -> Picture:
    """Rows are not stored with a fit: they are read again."""
    from gdcli.cli.fit_plot import FitPlot
    from gdcli.cli.rerun_command import arguments, changed_data
    from gdcli.render.plot_data import StoredRecorder
    from gdcli.tasks.fit.prepare import prepared

    for _, told in changed_data(answer):
        raise DataError(f"--plot: {told}", "the picture would not be that of the stored fit")
    request, settings = _asked(answer, env)
    if not request.files:
        raise DataError("--plot: the data stood in the line of the problem, and are not stored")
    start = [word.partition("=")[2] for word in arguments(answer) if word.startswith("--start=")]
    if start == ["auto"]:  # it was found, and is in the record
        start = [",".join(f"{k}={v!r}".replace(" ", "") for k, v in found.problem.start.items())]
    with prepared(replace(request, start=tuple(start)), settings) as ready:
        plot = FitPlot(ready)
        plot.recorder = StoredRecorder(found.problem.space, ())
        for point in path:
            if isinstance(point, PathPoint):
                plot.recorder(point)
        return plot.picture(found, _epochs(found, path))


def _epochs(found: FitRecord, path: Sequence[Any]) -> Epochs | None:
    """The epochs of a path; of a result alone what is known of the last."""
    if found.epochs is None:
        return None
    from gdcli.render.fit_figures import Epochs

    epochs: list[EpochPoint] = [point for point in path if not isinstance(point, PathPoint)]
    if not epochs:
        return Epochs([found.epochs], [found.mean], [None])
    return Epochs(
        [point.epoch for point in epochs],
        [point.mean for point in epochs],
        [point.validation for point in epochs],
    )
