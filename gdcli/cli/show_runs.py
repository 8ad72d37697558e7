"""What `gd show` shows of one run: a minimisation or a fit, with its path where that was stored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli import stored
from gdcli.cli.plotting import RunPlot
from gdcli.cli.show import Exhibit, Values
from gdcli.cli.stored import Stored
from gdcli.dataclass import replace
from gdcli.errors import DataError

if TYPE_CHECKING:
    from gdcli.api import Outcome, Problem
    from gdcli.fitting.outcome import FitOutcome
    from gdcli.fitting.request import FitRequest, FitSettings
    from gdcli.report.plot_data import Picture, Point
    from gdcli.report.tables import Layout


def extremum(values: Values, answer: Stored) -> Exhibit:
    """Return the exhibit of a minimisation or maximisation."""
    from gdcli.restored import runs

    with stored.whole(answer.name):
        problem = runs.problem(answer.result)
        path, outcome = list(runs.path(answer.path, problem)), runs.outcome(answer.result, problem)
    plot = _Drawn(values, problem, path) if values["plot"] or values["plane"] else None
    return _run(values, answer, problem, outcome, path)._replace(
        picture=None if plot is None or plot.missing else partial(plot.picture, outcome),
        missing="" if plot is None else plot.missing,
        planes=True,
    )


def _run(
    values: Values,
    answer: Stored,
    problem: Any,
    outcome: Outcome,
    path: Sequence[Any],
    layout: Layout | None = None,
) -> Exhibit:
    """The page of a run, which sees its path again."""
    from gdcli.cli.minimize import writer_for
    from gdcli.report.tables import is_terminal

    timed = "seconds" in answer.result

    def write(stream: TextIO) -> None:
        timing = timed and bool(values["timing"] or is_terminal(stream))
        writer = writer_for(values | {"print": None}, problem, stream, layout, timing=timing)
        for iterate in path:
            writer(iterate)
        writer.finish(outcome)

    return Exhibit(write, path=bool(path), timed=timed)


class _Drawn(RunPlot):
    """The picture of a stored run.

    Of gradients only the length was stored, so slopes are computed again; of a result without its path start and
    answer are drawn.
    """

    def __init__(self, values: Values, problem: Problem, path: Sequence[Any]) -> None:
        super().__init__(values, problem)
        self._problem, self._path = problem, path
        alone = not path and not self._which
        self.missing = (
            "more than two variables are drawn against the iteration, and this is a result without its path "
            "(store one: --format jsonl, or choose two with --plane)"
            if alone
            else ""
        )
        for iterate in path:
            # A length is no vector: of components it says nothing.
            at = iterate.at._replace(gradient=None) if self._which else iterate.at
            self.recorder(iterate._replace(at=at))

    def _points(self, outcome: Outcome) -> list[Point]:
        from gdcli import api

        sampler = api.sampler(self._problem)
        points = self.recorder.points()
        if not points:
            start = self.recorder.point(outcome.run.start)
            points = [start._replace(value=sampler.values((), [()])[0])]
        if sampler.space.size > 1:
            return points
        slopes = sampler.slopes(0, [point.place[0] for point in points])
        return [point._replace(slope=slope) for point, slope in zip(points, slopes, strict=True)]


# -- fits ------------------------------------------------------------------------------------------------------------


def fit(values: Values, answer: Stored) -> Exhibit:
    """Return the exhibit of a fit."""
    from gdcli.report import fit_page
    from gdcli.report.tables import Layout
    from gdcli.report.trail import row_of
    from gdcli.restored import fits

    with stored.whole(answer.name):
        problem, settings = fits.problem(answer.result), _settings(answer)
        path = list(fits.path(answer.path, problem))
        outcome = fits.outcome(answer.result, problem, settings, answer.path)
    layout = Layout(fit_page.page, fit_page.epoch_row if settings.is_stochastic else row_of)
    shown = _run(values, answer, problem, outcome, path, layout)
    if "~" not in problem.expression and not path:
        missing = "a loss that was typed has its path drawn, and this is a result without (--format jsonl)"
        return shown._replace(missing=missing)
    return shown._replace(picture=partial(_fit_picture, answer, outcome, path))


def _settings(answer: Stored) -> FitSettings:
    """The settings of a fit, from its receipt; without one, that it went by epochs."""
    from gdcli.fitting.request import FitSettings

    if answer.result.get("receipt") is None:
        return FitSettings(epochs=answer.result.get("epochs"))
    return _asked(answer)[1]


def _asked(answer: Stored) -> tuple[FitRequest, FitSettings]:
    """What was asked for, from a receipt."""
    from gdcli.cli import argv
    from gdcli.cli.commands import COMMANDS
    from gdcli.cli.fit import read
    from gdcli.cli.rerun import arguments

    command = COMMANDS["fit"]
    _, *words = arguments(answer)
    values = argv.convert(argv.read(argv.arrange(words, command), command), command)
    request, settings = read(values | {"files": values["files"] or ["-"]})
    return replace(request, files=tuple(values["files"])), settings


def _fit_picture(answer: Stored, outcome: FitOutcome, path: Sequence[Any]) -> Picture:
    """Rows are not stored with a fit: they are read again."""
    from gdcli.cli.fit_plot import FitPlot
    from gdcli.cli.rerun import arguments, changed_data
    from gdcli.fitting.prepare import prepared

    for _, told in changed_data(answer):
        raise DataError(f"--plot: {told}", "the picture would not be that of the stored fit")
    request = _asked(answer)[0]
    if not request.files:
        raise DataError("--plot: the data stood in the line of the problem, and are not stored")
    start = [word.partition("=")[2] for word in arguments(answer) if word.startswith("--start=")]
    if start == ["auto"]:  # it was found, and is in the record
        start = [",".join(f"{k}={v!r}".replace(" ", "") for k, v in outcome.problem.start.items())]
    with prepared(replace(request, start=tuple(start))) as ready:
        plot = FitPlot(ready)
        for iterate in path:
            for observer in plot.observers:
                observer(iterate)
        return plot.picture(outcome)
