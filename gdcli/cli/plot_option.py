"""``--plot``: from what a command found to the picture of it, of a run or of a fit.

Everything that can be wrong with a picture is found out before the run: the suffix, the folder, the library, the
names of ``--plane``. The file is made before the run as well, and appears under its name only when it is whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from gdcli.cli.answer_files import Canvas
from gdcli.cli.options import OutputOptions, PlanePictureOptions
from gdcli.kernel.budget import if_in_time
from gdcli.kernel.errors import DomainError, Span, UsageError, did_you_mean, harmless
from gdcli.kernel.vectors import Space, np
from gdcli.record.runs import cover_boxes, evidence_of

if TYPE_CHECKING:
    from gdcli.api import Problem
    from gdcli.cli.commands import GradientOptions
    from gdcli.cli.environment import Environment
    from gdcli.record.analyses import GradientRecord
    from gdcli.record.fits import FitRecord
    from gdcli.record.runs import RunRecord
    from gdcli.render.comparison_figures import RatePath
    from gdcli.render.figures import PlaneConstraints, Run
    from gdcli.render.fit_figures import Epochs
    from gdcli.render.plot_data import Chart, Picture, Point, Recorder, Values
    from gdcli.solve.iteration import Observer
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.row_sample import GroupCurves

RESOLUTION = (48, 201)  # points along each side of a contour plot: at least, at most
EFFORT = 40_000_000  # numbers that the points of a contour plot may have together
ESTIMATES = 21  # points of the picture of an estimated derivative, as in the book


# -- which components ------------------------------------------------------------------------------------------


def components(plane: Sequence[str] | None, plot: str | None, space: Space) -> tuple[int, ...]:
    """Return the components that a picture is drawn over: one, two, or none for curves against the iteration.

    ``plane`` are the names of ``--plane``. Raises UsageError for a name that is none, and for a single variable.
    """
    if plane is None:
        # x to the right and y upwards, whichever comes first in the expression.
        return tuple(sorted(range(space.size), key=space.label)) if space.size <= 2 else ()
    if not plot:
        raise UsageError("--plane chooses what --plot shows, and there is no --plot", "add --plot path.png")
    if space.size < 2:
        raise UsageError(
            f"--plane takes two variables, and there is only {space.label(0)}",
            "leave it out: the curve is drawn",
        )
    text = ",".join(plane)
    found = []
    for name in plane:
        index = _index(name, space)
        if index is None:
            known, at = _known(space), text.index(name)
            hint = did_you_mean(name, known, f"the names are {', '.join(known[:8])}")
            span = Span(text, at, at + len(name), "--plane")
            raise UsageError(f"--plane: there is no variable '{name[:40]}'", hint, span)
        found.append(index)
    if found[0] == found[1]:
        both = space.label(found[0])
        raise UsageError(
            f"--plane needs two different variables, and both are {both}", "for example --plane x,y"
        )
    return tuple(found)


def _known(space: Space) -> list[str]:
    return [space.label(i) for i in range(min(space.size, 200))]


def _index(name: str, space: Space) -> int | None:
    """The place of ``x`` or ``v[3]`` (from the end too: ``v[-1]``) in the flat vector."""
    if space.lengths.get(name, 0) is None:
        return space.offsets[name]
    base, _, rest = name.replace(" ", "").partition("[")
    length = space.lengths.get(base)
    digits = rest.removesuffix("]")
    if (
        length is None
        or not rest.endswith("]")
        or not digits.removeprefix("-").isdecimal()
        or len(digits) > 18
    ):
        return None
    index = int(digits)
    return space.offsets[base] + index % length if -length <= index < length else None


def resolution(size: int) -> int:
    """Return how many points along each side are worth their evaluations."""
    least, most = RESOLUTION
    return max(least, min(most, int((EFFORT / size) ** 0.5)))


# -- pictures ------------------------------------------------------------------------------------------------------


class RunPlot:
    """The picture of one run: its `recorder` observes the run, `picture` is made of the answer.

    ``many`` tells that the run was one of many starts.
    """

    def __init__(self, options: PlanePictureOptions, problem: Problem, many: bool = False) -> None:
        from gdcli.render.plot_data import Recorder

        self._space = Space(problem.lengths)
        page = options.report if isinstance(options, OutputOptions) else None  # has the picture too
        self.which = components(options.plane, options.plot or page, self._space)
        sign = problem.sign
        self.recorder: Recorder = Recorder(sign, self.which)
        self._log = options.log_axes or ""
        self._problem, self._many = problem, many

    def picture(self, found: RunRecord) -> Picture:
        from gdcli.render import figures

        best = found.x
        points = self._points()
        # Without an end: the value fell below all bounds, or it was never better than at the start.
        diverged = found.status == "diverged" or found.best_iteration == 0
        run = figures.Run(
            title=figures.title(found.problem.expression),
            names=tuple(self._space.label(i) for i in self.which),
            points=points,
            answer=None if diverged else tuple(float(best[i]) for i in self.which),
            value=found.value,
            word=found.extremum if found.status == "converged" else "end",
            sign=found.problem.sign,
            gap=found.certificate.estimated_gap or 0.0,
            bounds=_bounds_of(self._problem, self._space, self.which),
            followed=bool(self.recorder.points()),
            log=self._log,
            **self._searched(found),
        )
        if found.global_ and self._space.size == 2:
            return self._boxes(run, found)
        if len(self.which) == 2:
            run = run._replace(limits=_limits_of(self._problem, self.which, found))
        if not self.which:
            return figures.progress(run)
        sample = _sampled(self._problem, self.which, best)
        if len(self.which) == 1:
            return figures.curve(run, sample)
        return figures.contours(run, sample, resolution(self._space.size))

    def _boxes(self, run: Run, found: RunRecord) -> Picture:
        from gdcli.render.figures import box_map

        one, other = self.which
        cover, left = (
            [((box.low[one], box.high[one]), (box.low[other], box.high[other])) for box in boxes]
            for boxes in (cover_boxes(found), evidence_of(found).boxes)
        )
        return box_map(run, cover, left, _sampled(self._problem, self.which), resolution(2))

    def _searched(self, found: RunRecord) -> dict[str, Any]:
        """The starts and the minima of a search from many, where the picture has a place for them.

        In a plane of more variables it has none: they lie in other planes.
        """
        from gdcli.render.figures import FoundMinimum

        if not found.minima or 0 < len(self.which) < self._space.size:
            return {}
        places = [self._space.flatten(m.point) for m in found.minima]
        minima = [
            FoundMinimum(tuple(x[i] for i in self.which), m.value, m.starts)
            for x, m in zip(places, found.minima, strict=True)
        ]
        if not self.which:
            return {"minima": minima}
        starts: list[tuple[float, ...]] = []
        if self._many:  # of a stored answer they are not known
            from gdcli.tasks.multi_start import starts_of

            flat = (self._space.flatten(start) for start in starts_of(self._problem, found.starts or 1))
            starts = [tuple(float(x[i]) for i in self.which) for x in flat]
        return {"minima": minima[1:], "starts": starts}

    def _points(self) -> list[Point]:
        """The path; of a run that was not observed its start. Slopes that it does not have are computed."""
        from gdcli import api
        from gdcli.render.plot_data import Point

        points = self.recorder.points()
        if points and (len(self.which) != 1 or any(point.slope is not None for point in points)):
            return points
        sampler = api.sampler(self._problem)
        if not points:
            start = self._space.flatten(self._problem.start)
            place = tuple(float(start[i]) for i in self.which)
            points = [Point(0, sampler.values((), [()])[0], None, place, None)]
        if len(self.which) != 1:
            return points
        slopes = sampler.slopes(0, [point.place[0] for point in points])
        return [point._replace(slope=slope) for point, slope in zip(points, slopes, strict=True)]


def _bounds_of(problem: Problem, space: Space, which: Sequence[int]) -> tuple[tuple[float, float], ...]:
    """The bounds of the components shown; nothing where none of them is bounded."""
    found = []
    for index in which:
        name, _, _ = space.label(index).partition("[")
        ends: Any = problem.bounds.get(name, (-math.inf, math.inf))
        place = index - space.offsets[name]
        found.append(tuple(float(end[place] if hasattr(end, "__len__") else end) for end in ends))
    return (
        tuple((a, b) for a, b in found) if any(math.isfinite(end) for pair in found for end in pair) else ()
    )


def _limits_of(problem: Problem, which: Sequence[int], found: RunRecord) -> PlaneConstraints | None:
    """The constraints in the plane of two components, None where there are none but bounds."""
    from gdcli import api
    from gdcli.render.figures import PlaneConstraints

    made = api.slack_sampler(problem)
    if made is None:
        return None
    texts, sampler = made
    held = [one.active if isinstance(one.active, bool) else any(one.active) for one in found.constraints]
    active = held if len(held) == len(texts) else [False] * len(texts)
    kinds = [(text, equation, on) for (text, equation), on in zip(texts, active, strict=True)]
    return PlaneConstraints(kinds, lambda places: sampler.slacks(which, places, found.x))


def _sampled(problem: Problem, which: Sequence[int], base: Sequence[float] | None = None) -> Values:
    from gdcli import api

    sampler = api.sampler(problem)
    return lambda places: sampler.values(which, places, base)


def rates_picture(problem: Problem, rates: Sequence[RatePath], log: str | None = None) -> Picture:
    """Return the picture of compared rates: paths in the plane of two variables, else values against the step.

    ``log`` has the letters of the axes that are asked to be logarithmic.
    """
    from gdcli.render import comparison_figures, figures

    title, space = figures.title(problem.expression), Space(problem.lengths)
    sign = problem.sign
    if space.size != 2:
        return comparison_figures.rate_values(title, rates, sign, _lowest(problem))
    which = components(None, None, space)
    names = tuple(space.label(i) for i in which)
    paths = [_path(problem, sign, rate, which) for rate in rates]
    sample = _sampled(problem, which)
    return comparison_figures.rate_contours(title, names, paths, sign, sample, resolution(2), log or "")


def _lowest(problem: Problem) -> float:
    """The minimum that all rates head for, as far as it can be found quickly: the zero of a logarithmic scale."""
    from gdcli import api

    outcome = api.solve(problem, api.Settings(max_iter=1000, max_time=5.0))
    value = outcome.sign * outcome.value
    return value - (outcome.certificate.gap or 0.0) if outcome.status.value == "converged" else math.inf


def _path(problem: Problem, sign: int, rate: RatePath, which: Sequence[int]) -> RatePath:
    """The places of one rate. A comparison keeps only values, so the same steps are taken once more."""
    from gdcli import api
    from gdcli.render.plot_data import Recorder

    recorder = Recorder(sign, which)
    api.solve(
        problem, api.Settings(method="gd", lr=rate.lr, max_iter=len(rate.values) - 1, tol=0.0), [recorder]
    )
    return rate._replace(places=[p.place for p in recorder.points()])


def errors_picture(found: GradientRecord) -> Picture:
    from gdcli.render import comparison_figures, figures, summary

    title = figures.title(found.problem.expression, f" at {summary.point_text(found.point, 4, 3)}")
    return comparison_figures.errors(title, found.errors or (), found.best or {})


def estimate_picture(problem: Problem, ends: tuple[float, float], h: float | None) -> Picture:
    """Return the picture of the book: derivative and forward quotient over a range, for a step ``h``."""
    from gdcli import api
    from gdcli.render import comparison_figures, figures, plot_geometry

    sampler, step = api.sampler(problem), 1.0 if h is None else h
    xs = plot_geometry.spaced(*ends, ESTIMATES)
    here, there = (sampler.values((0,), [(x + shift,) for x in xs]) for shift in (0.0, step))
    if not any(map(math.isfinite, here)):
        low, high = xs[0], xs[-1]
        raise DomainError(
            f"the expression has no finite value from {low:g} to {high:g}", "try another --range"
        )
    guess = [(b - a) / step for a, b in zip(here, there, strict=True)]
    title, name = figures.title(problem.expression), sampler.space.label(0)
    return comparison_figures.estimate(title, name, xs, sampler.slopes(0, xs), guess, step)


def estimate(path: str, options: GradientOptions, env: Environment, text: str, source: str) -> None:
    """Draw the picture of ``--plot-estimate``; the expression has one variable, which runs through the range."""
    from gdcli import api

    ends = options.range or (-10.0, 10.0)
    try:
        typed = api.TypedTexts(let=options.let)
        problem = api.read_problem(text, "minimize", [repr(ends[0])], options.set, 0, source, typed)
    except UsageError as error:
        if "--start" not in error.message:
            raise
        raise UsageError(
            "--plot-estimate draws a function of one variable, and this has more",
            "give the others a value: --set y=1",
        ) from None
    with Canvas(path, options, env, env.text_stream(options), "--plot-estimate") as canvas:
        canvas.draw(partial(estimate_picture, problem, ends, options.h))


# -- fits --------------------------------------------------------------------------------------------------------------


class FitPlot:
    """The picture of one fit: its ``observers`` see the run, `picture` is made of the answer."""

    def __init__(self, ready: Prepared) -> None:
        from gdcli.render.plot_data import Recorder

        self._ready = ready
        self.recorder: Recorder = Recorder(ready.problem.sign, ())
        self.observers: list[Observer] = [self.recorder]

    def of_run(self, found: FitRecord, outcome: FitOutcome) -> Picture:
        return self.picture(found, epochs_of(outcome))

    def picture(self, found: FitRecord, epochs: Epochs | None) -> Picture:
        """Return the points with the curve and the residuals; of a typed loss, or lost rows, the way of the value.

        Profiles, and the curve around a region of two parameters, are panels below.
        """
        made = self._of_rows(found, epochs)
        if found.region is None and found.diagnostics is None:
            return made
        from gdcli.render.fit_parts import profile_panel, region_panel

        below = [panel for panel in (profile_panel(found), region_panel(found)) if panel is not None]
        return made._replace(panels=(*made.panels, *below))

    def _of_rows(self, found: FitRecord, epochs: Epochs | None) -> Chart:
        from gdcli.render import figures, fit_figures

        title = figures.title(found.problem.expression)
        if found.diagnostics is not None and found.diagnostics.points:
            from gdcli.render.fit_parts import picture

            return picture(title, found)
        has_points = self._ready.row.fitted is not None
        rows = if_in_time(lambda: self._rows(found), None) if has_points else None
        if rows is not None or epochs is not None:
            return fit_figures.picture(title, rows, epochs)
        run = figures.Run(
            title,
            (),
            self.recorder.points(),
            None,
            found.value,
            "end",
            found.problem.sign,
            found.certificate.estimated_gap or 0.0,
        )
        return figures.progress(run)

    def _rows(self, found: FitRecord) -> Any:
        from gdcli.render.fit_figures import ShownRows
        from gdcli.tasks.fit.row_sample import sample_rows

        seen = sample_rows(self._ready, found.x)
        what = harmless(" ".join(found.problem.expression.partition("~")[0].split()))
        bands = () if seen.column is None else self._bands(found, seen.column, seen.curve[0])
        return ShownRows(seen, what, [self._ready.place(number - 1) for number in seen.numbers], bands)

    def _bands(
        self, found: FitRecord, column: str, places: Sequence[float]
    ) -> list[tuple[str, list[float], list[float]]]:
        """The bands of prediction and of confidence along a column, as far as they are known."""
        from gdcli.record.groups import fitted_answer
        from gdcli.tasks.fit.prediction import CONFIDENCE, PREDICTION, bands

        answer, row = fitted_answer(found), self._ready.row.plain
        if answer.factor is None or not any(map(any, answer.factor)) or column not in row.columns:
            return []
        alike = answer.loss == "squared" and answer.scale and not (answer.weights or answer.sigma)
        drawn = []
        for interval in ([PREDICTION] if alike else []) + [CONFIDENCE]:
            along = [np.array(places) if name == column else np.ones(len(places)) for name in row.columns]
            parts = bands(answer, row, interval, found.level)(along)
            name = f"{100.0 * found.level:g} % {interval}"
            drawn.append((name, parts["low"].tolist(), parts["high"].tolist()))
        return drawn


class SharedPlot:
    """The picture of a fit to several groups, or of several responses, whose ``curves`` are asked for; as `FitPlot`."""

    def __init__(self, curves: Callable[[Any, Sequence[float]], GroupCurves], ready: object) -> None:
        self._curves, self._ready = curves, ready
        self.observers: list[Observer] = []

    def of_run(self, found: FitRecord, outcome: FitOutcome) -> Chart:
        from gdcli.render import figures, fit_figures

        models, expression = found.problem.models, found.problem.expression
        sides = dict.fromkeys(" ".join(m.partition("~")[0].split()) for m in models or (expression,))
        title, curves = figures.title("; ".join(models) or expression), self._curves(self._ready, found.x)
        return fit_figures.shared_picture(title, ", ".join(sides), curves)


def epochs_of(outcome: FitOutcome) -> Epochs | None:
    if not outcome.settings.is_stochastic:
        return None
    from gdcli.render.fit_figures import Epochs

    sign, history = outcome.sign, outcome.history
    return Epochs(
        [epoch.iteration for epoch in history],
        [sign * epoch.at.value for epoch in history],
        [None if epoch.held_out is None else sign * epoch.held_out for epoch in history],
    )
