"""``--plot``: from what a command found to a picture in a file, or in the terminal.

Everything that can be wrong with a picture is found out before the run: the suffix, the folder, the library, the
names of ``--plane``. The file is made before the run as well, and appears under its name only when it is whole.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli.destination import Destination
from gdcli.errors import Span, UsageError, did_you_mean

if TYPE_CHECKING:
    from gdcli.api import Outcome, Problem
    from gdcli.comparisons import RateComparison
    from gdcli.examination import Examination
    from gdcli.objective.space import Space
    from gdcli.report.plot_data import Picture, Recorder, Values
    from gdcli.report.scenes import RatePath

RESOLUTION = (48, 201)  # points along each side of a contour plot: at least, at most
EFFORT = 40_000_000  # numbers that the points of a contour plot may have together
ESTIMATES = 21  # points of the picture of an estimated derivative, as in the book
TERMINAL = "-"


class _File(Destination):
    """A picture's file: whole or not at all; what is wrong with it is said of its own option."""

    option = "--plot"

    def _unwritable(self, why: str) -> UsageError:
        span = Span(self._typed, 0, len(self._typed), self.option)
        return UsageError(f"cannot write the picture: {why}", _folder_hint(self._path), span)


def _folder_hint(path: str) -> str:
    folder = os.path.dirname(path)
    return "" if os.path.isdir(folder) else f"there is no folder {folder}"


class Canvas:
    """``with Canvas(path) as canvas:`` run, then ``canvas.draw(picture)``; without a path nothing is drawn.

    The path ``-`` draws in text on ``stream`` (None: standard output).
    """

    def __init__(
        self, path: str | None, stream: TextIO | None = None, option: str = "--plot", taken: str | None = None
    ) -> None:
        if path and taken and path != TERMINAL and os.path.realpath(path) == os.path.realpath(taken):
            raise UsageError(f"{option} and --output name the same file", "give each a name of its own")
        self._path = path
        self._stream = stream
        self._file: _File | None = None
        if path and path != TERMINAL:
            from gdcli.report import plots

            plots.check()
            self._file = _File(path)
            self._file.option = option
        self._handle: Any = None

    def __enter__(self) -> Canvas:
        if self._file is not None:
            self._handle = self._file.__enter__()
        return self

    def __exit__(self, *ended: Any) -> None:
        if self._file is not None:
            self._file.__exit__(*ended)

    def draw(self, make: Callable[[], Picture]) -> None:
        """Draw the picture that ``make`` returns, if one was asked for."""
        if not self._path:
            return
        if self._file is None:
            _in_text(make(), self._stream or sys.stdout)
            return
        from gdcli.report import plots

        self._handle.buffer.write(plots.draw(make(), self._path.rpartition(".")[2].lower()))


def _in_text(picture: Picture, stream: TextIO) -> None:
    from gdcli.report import text_plots
    from gdcli.report.sparkline import bars_of
    from gdcli.report.tables import is_terminal, width_of

    colour = is_terminal(stream) and not os.environ.get("NO_COLOR")
    stream.write("\n" + text_plots.draw(picture, width_of(stream), colour, bars_of(stream)))


def text_stream(values: dict[str, Any]) -> TextIO:
    """Return where a picture in text goes: below a table, and beside an answer that a program reads."""
    return sys.stdout if values.get("format") in (None, "table", "plain") and not values.get("print") else sys.stderr


# -- which components ------------------------------------------------------------------------------------------


def components(plane: Sequence[str] | None, plot: str | None, space: Space) -> tuple[int, ...]:
    """Return the components that a picture is drawn over: one, two, or none for curves against the iteration.

    ``plane`` are the names of ``--plane``. Raises UsageError for a name that is none, and for a single variable.
    """
    if plane is None:
        return tuple(range(space.size)) if space.size <= 2 else ()
    if not plot:
        raise UsageError("--plane chooses what --plot shows, and there is no --plot", "add --plot path.png")
    if space.size < 2:
        raise UsageError(
            f"--plane takes two variables, and there is only {space.label(0)}", "leave it out: the curve is drawn"
        )
    text = ",".join(plane)
    found = []
    for name in plane:
        index = _index(name, space)
        if index is None:
            at = text.index(name)
            hint = did_you_mean(name, _known(space), f"the names are {', '.join(_known(space)[:8])}")
            raise UsageError(f"--plane: there is no variable '{name[:40]}'", hint, Span(text, at, at + len(name), "--plane"))
        found.append(index)
    if found[0] == found[1]:
        raise UsageError(f"--plane needs two different variables, and both are {space.label(found[0])}")
    return tuple(found)


def _known(space: Space) -> list[str]:
    """The first names of components; of long vectors not all of them."""
    return [space.label(i) for i in range(min(space.size, 200))]


def _index(name: str, space: Space) -> int | None:
    """The place of ``x`` or ``v[3]`` (from the end too: ``v[-1]``) in the flat vector."""
    if space.lengths.get(name, 0) is None:
        return space.offsets[name]
    base, _, rest = name.replace(" ", "").partition("[")
    length = space.lengths.get(base)
    digits = rest.removesuffix("]")
    if length is None or not rest.endswith("]") or not digits.removeprefix("-").isdecimal() or len(digits) > 18:
        return None
    index = int(digits)
    return space.offsets[base] + index % length if -length <= index < length else None


def resolution(size: int) -> int:
    """Return how many points along each side are worth their evaluations."""
    least, most = RESOLUTION
    return max(least, min(most, int((EFFORT / size) ** 0.5)))


# -- pictures ------------------------------------------------------------------------------------------------------


class RunPlot:
    """The picture of one run: its `recorder` observes the run, `picture` is made of the outcome."""

    def __init__(self, values: dict[str, Any], problem: Problem) -> None:
        from gdcli.objective.space import Space
        from gdcli.report.plot_data import Recorder

        self._space = Space(problem.lengths)
        self._which = components(values["plane"], values["plot"], self._space)
        sign = -1 if problem.sense == "maximize" else 1
        self.recorder: Recorder = Recorder(sign, self._which)

    def picture(self, outcome: Outcome) -> Picture:
        """Return the picture."""
        from gdcli.report import records, scenes

        best = outcome.run.best.at.x
        kind = records.kind(outcome.certificate, outcome.sign)
        run = scenes.Run(
            title=scenes.title(outcome.problem.expression),
            names=tuple(self._space.label(i) for i in self._which),
            points=self.recorder.points(),
            answer=tuple(float(best[i]) for i in self._which),
            value=outcome.value,
            word=kind if outcome.status.value == "converged" and kind in ("minimum", "maximum") else "end",
            sign=outcome.sign,
        )
        if not self._which:
            return scenes.progress(run)
        sample = _sampled(outcome.problem, self._which, best)
        if len(self._which) == 1:
            return scenes.curve(run, sample)
        return scenes.contours(run, sample, resolution(self._space.size))


def _sampled(problem: Problem, which: Sequence[int], base: Any = None) -> Values:
    """Return what evaluates the expression where these components vary."""
    from gdcli import api

    sampler = api.sampler(problem)
    return lambda places: sampler.values(which, places, base)


def rates_picture(comparison: RateComparison) -> Picture:
    """Return the picture of compared rates: paths in the plane of two variables, else values against the step."""
    from gdcli.report import scenes

    problem, rates = comparison.problem, comparison.found.rates
    title = scenes.title(problem.expression)
    if comparison.size == 2 and len(problem.lengths) in (1, 2):
        from gdcli.objective.space import Space

        space = Space(problem.lengths)
        paths = [_path(comparison, rate) for rate in rates]
        names = (space.label(0), space.label(1))
        return scenes.rate_contours(title, names, paths, comparison.sign, _sampled(problem, (0, 1)), resolution(2))
    best = comparison.found.best
    lowest = min(best.values, default=float("inf")) if best is not None else float("inf")
    paths = [scenes.RatePath(rate.lr, rate.verdict, comparison.values(rate)) for rate in rates]
    return scenes.rate_values(title, paths, comparison.sign, lowest)


def _path(comparison: RateComparison, rate: Any) -> RatePath:
    """The places of one rate. A comparison keeps only values, so the same steps are taken once more."""
    from gdcli import api
    from gdcli.report.plot_data import Recorder
    from gdcli.report.scenes import RatePath

    recorder = Recorder(comparison.sign, (0, 1))
    steps = len(rate.values) - 1
    settings = api.Settings(method="gd", lr=rate.lr, max_iter=steps, tol=0.0)
    api.solve(comparison.problem, settings, [recorder])
    values = comparison.values(rate)
    return RatePath(rate.lr, rate.verdict, values, [p.place for p in recorder.points()])


def errors_picture(found: Examination) -> Picture:
    """Return the picture of ``gd gradient --errors``."""
    from gdcli.report import scenes

    return scenes.errors(scenes.title(found.problem.expression), found.rows, dict(found.best or {}))


def estimate_picture(problem: Problem, ends: tuple[float, float] | None, h: float | None) -> Picture:
    """Return the picture of the book: derivative and forward quotient over a range, for a step ``h``."""
    from gdcli import api
    from gdcli.report import plot_data, scenes

    sampler, step = api.sampler(problem), 1.0 if h is None else h
    xs = plot_data.spaced(*(ends or (-10.0, 10.0)), ESTIMATES)
    here, there = (sampler.values((0,), [(x + shift,) for x in xs]) for shift in (0.0, step))
    guess = [(b - a) / step for a, b in zip(here, there, strict=True)]
    title = scenes.title(problem.expression)
    return scenes.estimate(title, sampler.space.label(0), xs, sampler.slopes(0, xs), guess, step)
