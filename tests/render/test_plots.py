"""Pictures: what is in them is checked as numbers, how they look as boxes of text, how they are written as files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import exp, hypot, inf, isfinite, nan, sin
from pathlib import Path
from typing import Any

import pytest
from effort import examples

from gdcli import api
from gdcli.cli import option_types, plot_option
from gdcli.cli.app import run
from gdcli.cli.options import PlanePictureOptions
from gdcli.kernel import installing
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DomainError, UsageError, shorten
from gdcli.kernel.vectors import Space, Vec
from gdcli.objective.protocol import Counts, Evaluation
from gdcli.record.analyses import gradient_record
from gdcli.record.compared import methods_record
from gdcli.record.runs import run_record
from gdcli.render import comparison_figures, comparison_pages, figures, plot_geometry, plots, text_plots
from gdcli.render.comparison_figures import RatePath
from gdcli.render.plot_data import Appearance, Chart, Contours, Picture, Recorder, Series, Title, Wording
from gdcli.render.text_plots import BLOCKS, LETTERS
from gdcli.solve.iteration import Iterate
from gdcli.tasks.multi_start import solve_from_many

ROSENBROCK = "100*(y-x**2)**2 + (1-x)**2"


def picture_of(
    expression: str,
    *start: str,
    sense: str = "minimize",
    plane: Any = None,
    bounds: Any = (),
    log: str | None = None,
    **settings: Any,
) -> Any:
    problem = api.read_problem(expression, sense, start, typed=api.TypedTexts(bounds))
    plot = plot_option.RunPlot(PlanePictureOptions({"plot": "-", "plane": plane, "log": log}), problem)
    return plot.picture(run_record(api.solve(problem, api.Settings(**settings), [plot.recorder])))


def rates_of(
    expression: str, *start: str, rates: Sequence[float], sense: str = "minimize", log: str = ""
) -> Any:
    problem = api.read_problem(expression, sense, start)
    found = api.compare_learning_rates(problem, rates)
    paths = [RatePath(rate.lr, rate.verdict, found.values(rate)) for rate in found.found.rates]
    return plot_option.rates_picture(problem, paths, log)


def errors_of(expression: str, **at: float) -> Any:
    return plot_option.errors_picture(gradient_record(api.gradient(expression, at, errors=True)))


def estimate_of(expression: str, low: float, high: float, h: float | None = None) -> Any:
    return plot_option.estimate_picture(api.read_problem(expression, "minimize", [str(low)]), (low, high), h)


def named(picture: Picture, beginning: str) -> Series:
    series = (
        picture.series if isinstance(picture, Contours) else [s for p in picture.panels for s in p.series]
    )
    (found,) = [s for s in series if s.label.startswith(beginning)]
    return found


# -- the path ------------------------------------------------------------------------------------------------------


def iterate(number: int, x: float) -> Iterate:
    at = Evaluation(Vec([x, 7.0]), x * x, Vec([2 * x, 0.0]))
    return Iterate(number, at, 0.1, 0.1, Counts(), 0.0)


def test_a_path_is_kept_in_bounded_memory_and_keeps_its_zigzag() -> None:
    recorder = Recorder(1, (0,), first=20, most=90)
    for number in range(100_000):
        recorder(iterate(number, (-1.0) ** number))
    points = recorder.points()
    assert 20 + 30 <= len(points) <= 20 + 90 + 1
    assert [p.iteration for p in points[:20]] == list(range(20))
    assert points[-1].iteration == 99_999
    assert [p.iteration for p in points] == sorted({p.iteration for p in points})
    sides = [p.place[0] for p in points[:-1]]
    assert all(a == -b for a, b in pairwise(sides[20:]))


def test_points_have_the_sign_of_the_user() -> None:
    recorder = Recorder(-1, (0, 1))
    recorder(iterate(0, 3.0))
    (point,) = recorder.points()
    assert point == (0, -9.0, 6.0, (3.0, 7.0), -6.0)


def test_what_is_shown_of_a_path() -> None:
    settled = [3.0, -50.0, 1.0, 0.5]
    assert plot_geometry.window(settled, 0.5) == (-50.0, 3.0)
    growing = [(-2.0) ** k for k in range(60)]
    low, high = plot_geometry.window(growing, None)
    assert low <= -2.0
    assert 1.0 <= high < 100.0
    assert plot_geometry.window([1.0], 1.0) == (1.0, 1.0)


@pytest.mark.parametrize("unit", [1.0, 1e-8, 1e8])
def test_the_first_far_step_of_a_path_without_end_is_not_in_the_window(unit: float) -> None:
    # Rosenbrock by gradient descent with rate 0.01, and with rate 1: x of each iterate.
    rosenbrock = [unit * x for x in (-1.2, 0.956, 4.64848, -401.8, 2.5e8, -6.5e25, 1e78)]
    low, high = plot_geometry.window(rosenbrock, None)
    assert (low, high) == (-1.2 * unit, 4.64848 * unit)
    assert plot_geometry.window([unit * x for x in (-1.2, 214.4, -4e9, 1e30)], None) == (
        -1.2 * unit,
        -1.2 * unit,
    )
    # From 0 nothing is known of the size but the first step.
    assert plot_geometry.window([0.0, unit, -3.0 * unit, 500.0 * unit], None) == (-3.0 * unit, unit)
    low, high = plot_geometry.padded(unit, unit)
    assert (low, high) == (0.0, 2.0 * unit)
    assert plot_geometry.padded(1.0, 1.0) == (0.0, 2.0)
    assert plot_geometry.padded(1e20, 1e20)[0] < 1e20 < plot_geometry.padded(1e20, 1e20)[1]


def test_one_scale_unless_the_ranges_are_absurdly_different() -> None:
    x, y, equal = plot_geometry.common_scale((0.0, 10.0), (0.0, 1.0))
    assert equal
    assert 0.5 < (y[1] - y[0]) / (x[1] - x[0]) <= 1.0
    assert sum(y) == pytest.approx(1.0)
    x, y, equal = plot_geometry.common_scale((0.0, 1e6), (0.0, 1.0))
    assert not equal
    assert y[1] < 2.0
    assert plot_geometry.common_scale((0.0, 1e6), (2.0, 2.0))[2]


def test_a_path_is_cut_beyond_the_edge_in_its_own_direction() -> None:
    path = plot_geometry.cut([0.0, 0.9, 1e300, 0.0], [0.0, 0.3, 2e300, 0.0], (-1.0, 1.0), (-1.0, 1.0))
    assert path[:2] == [(0.0, 0.0), (0.9, 0.3)]
    (x, y) = path[2]
    assert len(path) == 3
    assert max(x, y) > 1.0
    assert (y - 0.3) / (x - 0.9) == pytest.approx(2.0)
    assert plot_geometry.cut([0.0, nan, 1.0], [0.0, 0.0, 1.0], (0.0, 1.0), (0.0, 1.0)) == [(0.0, 0.0)]
    assert plot_geometry.apart([(0.0, 0.0), (0.001, 0.0), (0.5, 0.0)], (0.0, 1.0), (0.0, 1.0), 0.01) == [0, 2]


def test_labels_have_the_digits_that_can_be_seen() -> None:
    assert plot_geometry.rounded(-8.97e-13, 10.0) == 0.0
    assert plot_geometry.rounded(0.98765432, 2.0) == 0.988
    assert plot_geometry.rounded(1e-9, 1e-8) == 1e-9
    assert plot_geometry.rounded(inf, 1.0) == inf


# -- contours ------------------------------------------------------------------------------------------------------


def test_levels_are_evenly_spread_around_a_round_minimum_and_outline_a_valley() -> None:
    axis = plot_geometry.spaced(-1.0, 1.0, 101)
    bowl = [x * x + y * y for x in axis for y in axis if hypot(x, y) <= 1.0]
    radii = [level**0.5 for level in plot_geometry.levels(bowl)]
    assert radii == pytest.approx([k / 12 for k in range(1, 12)], abs=0.5 / 12)
    valley = [100 * (y - x * x) ** 2 + (1 - x) ** 2 for x in axis for y in axis]
    low, *_, high = plot_geometry.levels(valley)
    assert low < 0.01 * high
    ridge = plot_geometry.levels([-v for v in bowl], sign=-1)
    assert ridge == sorted(-level for level in plot_geometry.levels(bowl))
    assert plot_geometry.levels([nan, inf]) == []
    assert plot_geometry.levels([2.0] * 9) == [2.0]
    assert plot_geometry.levels([nan, 1.0, inf, 1.0]) == [1.0]


@pytest.mark.parametrize("scale", [1e-300, 3.7e-5, 1.0, 42.0, 1e12, 1e300])
@pytest.mark.parametrize(("shift", "digits"), [(0.0, 2), (-1.0, 4), (1000.0, 8)])
def test_levels_are_round_numbers(scale: float, shift: float, digits: int) -> None:
    """The lowest of 11 levels is about the 5000th part of the range."""
    values = [scale * (shift + (k / 500) ** 2) for k in range(500)]
    levels = plot_geometry.levels(values)
    assert len(levels) == 11
    assert values[0] < levels[0] < levels[-1] < values[-1]
    assert max(len(digits_of(level)) for level in levels) <= digits


def digits_of(number: float) -> str:
    """The digits of a number as printed, without the zeros at their ends."""
    return repr(number).partition("e")[0].replace(".", "").strip("-0")


def test_the_bar_beside_contours_has_round_numbers_only() -> None:
    pytest.importorskip("matplotlib")
    picture = SCENES["path"]()
    with plots._plain_matplotlib():
        figure = plots._figure(picture)
        bar = next(axes for axes in figure.axes[0].child_axes if axes.get_ylabel() == "value")
        shown = [tick.get_text() for tick in bar.get_yticklabels()]
    assert 4 <= len(shown) <= 7
    assert {float(text) for text in shown} <= set(picture.levels)
    assert max(len(digits_of(float(text))) for text in shown) <= 2


def test_contours_show_the_path_over_the_function() -> None:
    picture = picture_of(ROSENBROCK, "x=-1.2,y=1")
    assert (picture.xlabel, picture.ylabel, picture.equal) == ("x", "y", True)
    for i, j in ((0, 0), (150, 20), (77, 200)):
        x, y = picture.xs[i], picture.ys[j]
        assert picture.values[j][i] == pytest.approx(100 * (y - x * x) ** 2 + (1 - x) ** 2, rel=1e-12)
    path = named(picture, "21 iterations")
    assert (path.xs[0], path.ys[0]) == (-1.2, 1.0)
    assert (path.xs[-1], path.ys[-1]) == pytest.approx((1.0, 1.0), abs=1e-6)
    assert named(picture, "start").label == "start (-1.2, 1)"
    assert named(picture, "minimum").label == "minimum (1, 1)"
    assert picture.xs[0] < -1.2 < 1.0 < picture.xs[-1]


def test_a_plane_holds_the_others_at_the_answer() -> None:
    picture = picture_of("(x-1)**2 + (y-2)**2 + (z-3)**2 + x*z", "0,0,5", plane=("z", "x"))
    y = 2.0
    assert (picture.xlabel, picture.ylabel) == ("z", "x")
    z, x = picture.xs[5], picture.ys[9]
    expected = (x - 1) ** 2 + (y - 2) ** 2 + (z - 3) ** 2 + x * z
    assert picture.values[9][5] == pytest.approx(expected, rel=1e-12)
    assert named(picture, "start").label == "start (5, 0)"


def test_outside_the_domain_nothing_is_drawn() -> None:
    picture = picture_of("x*log(x) + y**2", "x=0.01,y=1")
    assert any(not isfinite(v) for row in picture.values for v in row)
    assert all(
        isfinite(v) == (x > 0.0) for row in picture.values for x, v in zip(picture.xs, row, strict=True)
    )
    assert all(map(isfinite, picture.levels))


def test_what_runs_off_is_shown_where_it_begins_and_has_no_end() -> None:
    picture = picture_of("x**2 + y**2", "-1,1", method="gd", lr=1.1, max_iter=100)
    assert picture.xs[-1] < 50.0
    assert [s.label for s in picture.series] == ["100 iterations", "start (-1, 1)"]
    curve = picture_of("x**3", "x=1")
    assert curve.panels[0].xlim[1] < 10.0


def test_bounds_are_drawn_where_they_are_met() -> None:
    picture = picture_of(ROSENBROCK, "x=-1.2,y=1", bounds=["x=-1.5:0.5,y=:9"])
    assert set(named(picture, "bounds").xs) - {0.5} == {x for x in named(picture, "bounds").xs if x != x}
    assert named(picture, "minimum").label == "minimum (0.5, 0.25)"


# -- curves --------------------------------------------------------------------------------------------------------


def test_tangents_touch_the_curve() -> None:
    (panel,) = picture_of("x**4 - 3*x**3 + 2", "x=4", method="gd", lr=0.01).panels
    tangents = next(s for s in panel.series if s.label.startswith("tangent"))
    pieces = [
        tuple(zip(tangents.xs, tangents.ys, strict=True))[k : k + 2] for k in range(0, len(tangents.xs), 3)
    ]
    assert len(pieces) >= 2
    for (a, fa), (b, fb) in pieces:
        x = (a + b) / 2
        assert (fa + fb) / 2 == pytest.approx(x**4 - 3 * x**3 + 2, rel=1e-9)
        assert (fb - fa) / (b - a) == pytest.approx(4 * x**3 - 9 * x**2, rel=1e-9)
    curve = panel.series[0]
    assert all(
        y == pytest.approx(x**4 - 3 * x**3 + 2, rel=1e-9) for x, y in zip(curve.xs, curve.ys, strict=True)
    )


def test_a_pole_does_not_flatten_the_curve() -> None:
    (panel,) = picture_of("x + 1/x**2", "x=6").panels
    assert panel.ylim[1] < 1e3


def test_many_variables_show_value_and_gradient() -> None:
    picture = picture_of("sum((v-3)**2)", "v=zeros(5)", method="gd", lr=0.1)
    value, gradient = picture.panels
    assert (value.ylabel, gradient.ylabel) == ("value above the best", "gradient norm")
    assert value.ylog
    assert value.series[0].ys[0] == pytest.approx(45.0)
    assert value.series[0].ys[5] / value.series[0].ys[4] == pytest.approx(0.64, rel=1e-6)
    assert gradient.series[0].ys[0] == pytest.approx((5 * 36) ** 0.5)
    below = picture_of("-sum((v-3)**2)", "v=zeros(5)", sense="maximize", method="gd", lr=0.1)
    assert below.panels[0].ylabel == "value below the best"
    assert below.panels[0].series[0].ys[0] == pytest.approx(45.0)


def test_what_is_left_to_gain_is_part_of_the_height() -> None:
    """Else a run that was stopped early would seem to dive to the minimum with its last step."""
    picture = picture_of("sum((v-3)**2)", "v=zeros(5)", method="gd", lr=0.1, max_iter=10)
    *_, before, last = picture.panels[0].series[0].ys
    assert last / before == pytest.approx(0.64, rel=1e-3)


def test_a_run_that_does_not_move_has_a_picture_too() -> None:
    still = picture_of("sum(v**2)", "v=zeros(3)")
    assert still.panels[0].ylabel == "value"
    assert named(picture_of("x**2+y**2", "0,0"), "0 iterations").xs == [0.0]


def many_starts(expression: str, start: str, count: int, **more: Any) -> tuple[Any, Any]:
    problem = api.read_problem(expression, "minimize", [start])
    plot = plot_option.RunPlot(PlanePictureOptions({"plot": "-"}), problem, many=True)
    outcome = solve_from_many(problem, api.Settings(**more), count, [plot.recorder])
    return plot.picture(run_record(outcome)), outcome


def test_many_starts_and_the_minima_found_are_drawn() -> None:
    picture, outcome = many_starts("x**4+y**4-5*x**2-4*y**2+x*y+x", "1,1", 20)
    starts, others = named(picture, "20 starts"), named(picture, "other minima")
    assert (starts.xs[0], starts.ys[0]) == (1.0, 1.0)
    assert len(set(starts.xs)) == 20
    found = {tuple(m.x) for m in outcome.minima}
    best = named(picture, "minimum")
    assert set(zip(others.xs, others.ys, strict=True)) | {(best.xs[0], best.ys[0])} == found
    for series in (starts, others):
        assert all(picture.xs[0] < x < picture.xs[-1] for x in series.xs)
        assert all(picture.ys[0] < y < picture.ys[-1] for y in series.ys)


def test_starts_of_one_variable_lie_on_the_curve() -> None:
    picture, outcome = many_starts("sin(3*x)+0.1*x**2", "1", 12)
    starts, others = named(picture, "12 starts"), named(picture, "other minima")
    for series in (starts, others):
        assert series.ys == pytest.approx([sin(3 * x) + 0.1 * x**2 for x in series.xs])
    assert len(others.xs) == len(outcome.minima) - 1


def test_the_minima_of_more_variables_are_steps() -> None:
    picture, outcome = many_starts("sum(v**4-5*v**2+v)", "v=ones(3)", 30)
    steps = picture.panels[-1]
    assert (steps.ylabel, steps.own) == ("minimum reached", True)
    assert steps.series[0].ys == sorted(m.value for m in outcome.minima for _ in range(m.starts))


# -- comparisons ---------------------------------------------------------------------------------------------------


def test_rates_on_one_line_stand_side_by_side() -> None:
    lines = [s for s in rates_of("x**2 + y**2", "-1,1", rates=(10.0, 1.1, 1.0, 0.1, 0.01)).series if s.width]
    shifts = [s.shift for s in lines]
    assert len(set(shifts)) == 5
    assert all(x == pytest.approx(y) for x, y in shifts)  # across the diagonal
    assert sum(x for x, _ in shifts) == pytest.approx(0.0)
    crooked = rates_of("x**2 + 10*y**2", "-9,1.5", rates=(0.09, 0.03))
    assert not any(any(s.shift) for s in crooked.series)


def test_what_diverges_does_not_set_the_range() -> None:
    (panel,) = rates_of("x**4", "2", rates=(0.1, 0.3)).panels
    assert panel.ylim[1] < 100.0  # the start is at 16
    losses = lambda wild: comparison_figures.batch_losses(  # noqa: E731
        Title("t"),
        [
            comparison_figures.Course("1", wild, [(0, 5.0), (9, 1e9)]),
            comparison_figures.Course("all", False, [(0, 5.0), (9, 2.0)]),
        ],
        1,
        None,
    )
    assert losses(True).panels[0].ylim[1] < 6.0
    assert losses(False).panels[0].ylim is None


def test_each_rate_has_its_path_and_its_colour() -> None:
    rates = (10.0, 1.1, 1.0, 0.1, 0.01)
    picture = rates_of("x**2 + y**2", "-1,1", rates=rates)
    lines = [s for s in picture.series if s.width]
    words = ["diverges", "diverges", "oscillates", "good pace", "too slow"]
    assert [s.label for s in lines] == [f"{lr:g}: {word}" for lr, word in zip(rates, words, strict=True)]
    assert len({s.ink for s in lines}) == len({s.shape for s in lines}) == len(lines)
    assert [(x, y) for x, y in zip(lines[3].xs, lines[3].ys, strict=True)][1] == pytest.approx((-0.8, 0.8))
    assert len(lines[4].xs) == 101
    assert max(map(abs, lines[0].xs)) < 10.0
    assert picture.xs[-1] < 2.0


def test_rates_in_more_variables_are_curves_above_the_minimum() -> None:
    picture = rates_of("x**2 + y**2 + (z-1)**2 + 7", "-1,1,3", rates=(1.1, 0.1, 0.01))
    (panel,) = picture.panels
    assert panel.ylog
    slow = panel.series[2].ys
    assert [b / a for a, b in pairwise(slow)] == pytest.approx([0.98**2] * 100, rel=1e-6)
    assert panel.ylim[1] < 1e6


def test_methods_are_curves_above_the_best_value() -> None:
    problem = api.read_problem("x**2 + y**2 + 7", "minimize", ["1,2"])
    runs = api.compare_methods(problem, ["gd", "newton"], api.Settings(lr=0.25, max_iter=20))
    found = methods_record(problem, runs)
    (panel,) = comparison_pages.methods_picture(found).panels
    assert [line.label.partition(":")[0] for line in panel.series] == ["gd", "newton"]
    assert (panel.ylog, panel.xlabel) == (True, "iteration")
    slow = panel.series[0].ys
    assert slow[0] == pytest.approx(5.0)
    assert slow[5] / slow[4] == pytest.approx(0.25, rel=1e-6)
    assert comparison_pages.methods_picture(replace(found, methods=())).panels[0].note
    gd, newton = found.methods
    long = tuple((step, 9.0 - step / 1000) for step in range(1000))
    longer = replace(found, methods=(replace(gd, course=gd.course[:2]), replace(newton, course=long)))
    (panel,) = comparison_pages.methods_picture(longer).panels
    assert (panel.xlog, panel.xlabel) == (True, "iteration + 1")
    assert panel.series[1].xs[:3] == [1, 2, 3]


def test_small_pictures_have_small_letters() -> None:
    pytest.importorskip("matplotlib")
    for size in ((3.0, 2.5), (3.35, 2.8), (12.0, 9.0))[: examples(3)]:
        for name in ("path", "curve", "progress"):
            with plots._plain_matplotlib(plots._scale(size)):
                figure = plots._figure(SCENES[name](), size)
                texts = boxes(figure)
                width, height = figure.bbox.size
            for text, box in texts:
                assert -1 <= box.x0 < box.x1 <= width + 1, (name, text)
                assert -1 <= box.y0 < box.y1 <= height + 1, (name, text)


def test_errors_have_their_best_step_marked() -> None:
    found = api.gradient("exp(x)", {"x": 1.0}, errors=True)
    (panel,) = plot_option.errors_picture(gradient_record(found)).panels
    assert (panel.xlog, panel.ylog) == (True, True)
    forward = next(s for s in panel.series if s.label.startswith("forward"))
    pairs = dict(zip(forward.xs, forward.ys, strict=True))
    assert pairs[1e-2] == pytest.approx(exp(1.0) * 0.005, rel=0.01)
    ring = panel.series[panel.series.index(forward) + 1]
    assert ring.hollow
    assert found.best is not None
    assert (ring.xs[0], ring.ys[0]) == found.best["forward"][:2]
    assert pairs[ring.xs[0]] == ring.ys[0]
    assert forward.label == f"forward, best h = {ring.xs[0]:g}"
    cross = panel.series[panel.series.index(forward) + 2]
    assert cross.shape == "X"
    assert cross.ys[0] == pairs[cross.xs[0]] == min(forward.ys)


def test_an_error_of_nothing_lies_on_the_floor() -> None:
    (panel,) = errors_of("x**2", x=5.0).panels
    central = next(s for s in panel.series if s.label.startswith("central"))
    assert set(central.ys) == {panel.floor}
    assert panel.floor < 1e-7


def test_the_estimate_of_the_book() -> None:
    (panel,) = estimate_of("x**2", -10.0, 10.0).panels
    actual, estimate = panel.series
    assert (actual.shape, estimate.shape, actual.width, estimate.width) == ("x", "+", 0.0, 0.0)
    assert actual.xs == list(map(float, range(-10, 11)))
    assert actual.ys == [2 * x for x in actual.xs]
    assert estimate.ys == [2 * x + 1 for x in actual.xs]
    (panel,) = estimate_of("sqrt(x)", -1.0, 1.0, 1e-3).panels
    shown = [x for x, y in zip(panel.series[0].xs, panel.series[0].ys, strict=True) if isfinite(y)]
    assert shown == [x for x in panel.series[0].xs if x > 0.0]
    with pytest.raises(DomainError, match="no finite value from -5 to -1"):
        estimate_of("log(x)", -5.0, -1.0)


# -- names ---------------------------------------------------------------------------------------------------------


def test_titles_are_short_and_harmless() -> None:
    assert figures.title("x**2\n + \x1b[2Jy").text == "x**2 + \ufffd[2Jy"
    assert len(figures.title("+".join(["x"] * 500), " at x = 1").text) <= figures.TITLE
    assert figures.title("x", " at x = 1").text == "x at x = 1"


def test_titles_in_files_are_mathematics() -> None:
    pytest.importorskip("matplotlib")

    def shown(text: str, more: str = "") -> str:
        return plots.title(figures.title(text, more), 440.0)[0]

    assert shown("(1-x)**2 + 100*y**2") == "$(1 - x)^{2} + 100y^{2}$"
    assert shown("y ~ a*exp(-b*t)") == r"$y \sim a\,\exp(-b\,t)$"
    assert shown("exp(x)", " at x = -1e-07") == "$\\exp(x)$ at $x$ = $-10^{-7}$"
    # Broken between terms, then set smaller, then cut.
    terms = "x1**2 - 3*x2/x3 + " * 30 + "1"
    assert shown(" + ".join(f"x{k}**2" for k in range(18))).count("\n") == 1
    cut = shown(terms)
    assert cut.endswith(r"+ \ldots$")
    assert cut.count("\n") == 1
    # One term that is too long, a script without letters of mathematics: as typed.
    long = "sum((" + "+".join(f"alpha*v{k}" for k in range(40)) + ")**2)"
    assert shown(long).startswith("sum((alpha*v0+")
    assert shown("温度**2") == "温度**2"
    assert shown("+".join(["x"] * 5000)).startswith("x+x+x+")


def test_labels_are_mathematics_where_they_are_names() -> None:
    pytest.importorskip("matplotlib")
    assert [plots.label(text) for text in ("x", "alpha", "v[3]", "beta_1", "log(y)", "iteration")] == [
        "$x$",
        r"$\alpha$",
        "$v_{3}$",
        r"$\beta_{1}$",
        r"$\log(y)$",
        "iteration",
    ]
    assert plots.label("cost ($)") == r"cost (\$)"
    assert plots.legend("start alpha = -1.5e-07") == r"start $\alpha$ = $-1.5 \times 10^{-7}$"
    assert plots.legend("minimum (-1, x-2, 10)") == "minimum (\N{MINUS SIGN}1, x-2, 10)"


def test_words_that_were_given_may_have_mathematics_in_them() -> None:
    pytest.importorskip("matplotlib")
    assert plots.label(Wording(r"$T_0$ in K")) == r"$T_0$ in K"
    assert plots.label(Wording(r"$\nonsense{$")) == r"\$\nonsense{\$"
    assert plots.label(Wording("5 $ a piece")) == r"5 \$ a piece"
    text, _ = plots.title(Title(Wording("word " * 60)), 440.0)
    assert text.count("\n") == 1
    assert text.endswith(" …")
    assert plots.title(Title(Wording("")), 440.0)[0] == ""


def test_planes() -> None:
    space = Space({"y": None, "x": None, "v": 4})
    assert plot_option.components(("x", "y"), "a.png", space) == (1, 0)
    assert plot_option.components(("v[-1]", "v[0]"), "a.png", space) == (5, 2)
    assert plot_option.components(None, "a.png", space) == ()
    assert plot_option.components(None, "a.png", Space({"y": None, "x": None})) == (1, 0)


@pytest.mark.parametrize(
    ("plane", "space", "message", "hint"),
    [
        (("x", "alpa"), {"x": None, "alpha": None}, "no variable 'alpa'", "did you mean alpha?"),
        (("x", "v[4]"), {"x": None, "v": 4}, "no variable 'v[4]'", "did you mean v[3]?"),
        (("x", "v"), {"x": None, "v": 4}, "no variable 'v'", "the names are x, v[0]"),
        (("x", "x"), {"x": None, "y": None}, "both are x", ""),
        (("x", "y"), {"x": None}, "there is only x", "the curve is drawn"),
    ],
)
def test_planes_that_are_none(plane: Any, space: Any, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        plot_option.components(plane, "a.png", Space(space))
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_long_vectors_are_sampled_with_fewer_points() -> None:
    assert plot_option.resolution(2) == 201
    assert 48 <= plot_option.resolution(1_000_000) < 60
    picture = picture_of("sum((v-1)**2)", "v=zeros(3000)", plane=("v[0]", "v[2999]"), max_iter=3)
    x, y = picture.xs[3], picture.ys[9]
    assert picture.values[9][3] == pytest.approx((x - 1) ** 2 + (y - 1) ** 2, rel=1e-6)


# -- what was asked of the looks -----------------------------------------------------------------------------------


def test_words_of_a_picture_can_be_given() -> None:
    look = Appearance(title="The valley", xlabel="$x$ in m", ylabel="height")
    picture, warnings = look.of(picture_of(ROSENBROCK, "x=-1.2,y=1"))
    assert (picture.title.text, picture.xlabel, picture.ylabel) == ("The valley", "$x$ in m", "height")
    assert warnings == []
    many, _ = look.of(picture_of("sum((v-3)**2)", "v=zeros(5)", method="gd", lr=0.1))
    assert isinstance(many, Chart)
    assert [(p.xlabel, p.ylabel) for p in many.panels] == [
        ("$x$ in m", "height"),
        ("$x$ in m", "gradient norm"),
    ]


def test_axes_can_be_logarithmic_or_not() -> None:
    picture = picture_of("sum((v-3)**2)", "v=zeros(5)", method="gd", lr=0.1)
    linear, warnings = Appearance(log="").of(picture)
    assert isinstance(linear, Chart)
    assert [(p.xlog, p.ylog) for p in linear.panels] == [(False, False)] * 2
    assert warnings == []
    both, warnings = Appearance(log="xy").of(picture)
    assert isinstance(both, Chart)
    assert [(p.xlog, p.ylog) for p in both.panels] == [(True, True)] * 2
    steps = len(picture.panels[0].series[0].xs)
    assert warnings == [f"--log xy: 1 of {steps} points are not above 0, and are not drawn"]  # iteration 0
    with pytest.raises(UsageError, match="--log y: none of the 42 points is above 0"):
        Appearance(log="y").of(estimate_of("-exp(x)", 0.0, 1.0))


def test_a_logarithmic_plane_is_sampled_as_it_is_drawn() -> None:
    picture = picture_of("log(x)**2 + (log(y) - 5)**2", "x=1e-3,y=1", log="xy")
    assert (picture.xlog, picture.ylog, picture.equal) == (True, True, False)
    assert 0.0 < picture.xs[0] < 1e-3 < 1.0 < picture.xs[-1]
    ratios = [b / a for a, b in pairwise(picture.xs)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    assert (named(picture, "start").xs[0], named(picture, "start").ys[0]) == pytest.approx((1e-3, 1.0))
    curve = picture_of("log(x)**2", "x=1e-3", log="x")
    ratios = [b / a for a, b in pairwise(curve.panels[0].series[0].xs)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    with pytest.raises(UsageError, match="--log y needs numbers above 0, and y = -1 is on the path"):
        picture_of("x**2 + y**2", "x=1,y=-1", log="y")
    rates = rates_of("log(x)**2 + (log(y) - 1)**2", "x=2,y=1", rates=(0.1, 0.01), log="x")
    assert (rates.xlog, rates.ylog) == (True, False)


@pytest.mark.parametrize(
    ("typed", "size"),
    [
        ("6.4x4.8", (6.4, 4.8)),
        ("16x12cm", (16 / 2.54, 12 / 2.54)),
        ("85x60mm", (85 / 25.4, 60 / 25.4)),
        (" 7\N{MULTIPLICATION SIGN}5 in", (7.0, 5.0)),
    ],
)
def test_sizes_have_a_unit(typed: str, size: tuple[float, float]) -> None:
    assert option_types.plot_size(typed, "--plot-size") == pytest.approx(size)


def test_size_and_dots_of_a_file(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "a.png"
    look = ["--plot-size", "5x4", "--dpi", "50", "--title", "a $\\beta$", "--log", "none"]
    assert run(["minimize", "x**2", "--start", "3", "--plot", str(file), *look]) == 0
    data = file.read_bytes()
    assert [int.from_bytes(data[k : k + 4], "big") for k in (16, 20)] == [250, 200]


def test_points_that_are_left_out_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    command = ["gradient", "x**2", "--plot-estimate", str(tmp_path / "a.png"), "--log", "x"]
    assert run(command) == 0
    assert capsys.readouterr().err == "warning: --log x: 22 of 42 points are not above 0, and are not drawn\n"


# -- files ---------------------------------------------------------------------------------------------------------

MANY = (0.3, 0.2, 0.15, 0.1, 0.09, 0.05, 0.01, 0.001)
SCENES: dict[str, Callable[[], Picture]] = {
    "path": lambda: picture_of(ROSENBROCK, "x=-1.2,y=1"),
    "long": lambda: picture_of("(x-1e-7)**2 + (1234567*y)**2" + "+0*x" * 40, "x=123456.789,y=1", max_iter=5),
    "tall": lambda: picture_of("100*x**2 + y**2", "1,9", method="gd", lr=0.009),
    "domain": lambda: picture_of("x*log(x)+y*log(y)-log(1-x-y)", "x=0.1,y=0.7"),
    "long formula": lambda: picture_of(" + ".join(f"(x - {k})**2/{k + 1}" for k in range(30)), "x=3"),
    "long word": lambda: picture_of("exp(" + "+".join(["x**2/30"] * 60) + ")", "x=3"),
    "top": lambda: picture_of("exp(-(x-1)**2-2*(y+x)**2)", "0.2,0.1", sense="maximize"),
    "dollars": lambda: picture_of("x**2 + 0*x", "x=3")._replace(title=Title("$x_1$ and \\alpha $")),
    "curve": lambda: picture_of("x-log(x)", "x=5", method="gd", lr=0.3),
    "bounded": lambda: picture_of(ROSENBROCK, "x=-1.2,y=1", bounds=["x=-1.5:0.5"]),
    "progress": lambda: picture_of("sum((v-3)**2)", "v=zeros(5)", method="gd", lr=0.1),
    "constant": lambda: picture_of("0*x + 0*y + 3", "1,2"),
    "rates": lambda: rates_of("x**2 + 10*y**2", "-9,1", rates=MANY),
    "rate values": lambda: rates_of("x**2 + 10*y**2 + z**4", "-9,1,1", rates=MANY),
    "errors": lambda: errors_of("exp(x)*sin(x)", x=0.5),
    "no error": lambda: errors_of("x**2", x=5.0),
    "diverging": lambda: rates_of("x**2 + y**2", "1,2", rates=(10.0, 20.0)),
    "jump": lambda: errors_of("floor(x)", x=0.5),
    "nothing": lambda: errors_of("abs(x)", x=0.0),
    "estimate": lambda: estimate_of("x**2", -10.0, 10.0),
    "logarithmic": lambda: picture_of("log(x)**2 + (log(y) - 5)**2", "x=1e-3,y=1", log="xy"),
    "many starts": lambda: many_starts("x**4+y**4-5*x**2-4*y**2+x*y+x", "1,1", 20)[0],
    "steps": lambda: many_starts("sum(v**4-5*v**2+v)", "v=ones(3)", 30)[0],
    "linear rates": lambda: Appearance(log="").of(rates_of("x**2 + y**2 + z**4", "-9,1,1", rates=MANY))[0],
}


def boxes(figure: Any) -> list[tuple[str, Any]]:
    """The texts that can be seen, each with its box in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    shown = []
    for axes in figure.axes:
        # Ticks beyond the limits exist, and are not drawn.
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not min(low, high) <= tick.get_loc() <= max(low, high):
                    texts = [t for t in texts if t not in (tick.label1, tick.label2)]
    for text in texts:
        box = text.get_window_extent(canvas.get_renderer())
        if box.width > 1 and box.height > 1:
            shown.append((text.get_text(), box))
    return shown


@pytest.mark.every(3)
@pytest.mark.parametrize("name", SCENES)
def test_no_text_overlaps_and_none_is_cut_off(name: str) -> None:
    pytest.importorskip("matplotlib")
    with plots._plain_matplotlib():
        figure = plots._figure(SCENES[name]())
        texts = boxes(figure)
        assert len(texts) > (5 if name != "nothing" else 3)
        width, height = figure.bbox.size
    for text, box in texts:
        assert -1 <= box.x0 < box.x1 <= width + 1, text
        assert -1 <= box.y0 < box.y1 <= height + 1, text
    for k, (one, a) in enumerate(texts):
        for other, b in texts[k + 1 :]:
            apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
            assert apart, (one, other)


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_same_picture_is_the_same_bytes(suffix: str, magic: bytes) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    picture = picture_of("x**2 + y**2", "1,2")
    first = plots.draw(picture, suffix)
    assert first.startswith(magic)
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30.0}):
        assert plots.draw(picture, suffix) == first
        assert matplotlib.rcParams["font.size"] == 30.0
    for word in (b"Date", b"dc:date", matplotlib.__version__.encode()):
        assert word not in first


def test_text_in_files_is_text() -> None:
    """As letters of a font, which can be found, copied and edited, not as outlines (type 3 in PDF, paths in SVG)."""
    pytest.importorskip("matplotlib")
    picture = picture_of("x**2 + y**2", "1,2")
    pdf = plots.draw(picture, "pdf")
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf
    svg = plots.draw(picture, "svg").decode()
    assert ">minimum (" in svg


def test_pictures_are_of_a_sensible_size() -> None:
    pytest.importorskip("matplotlib")
    for name in ("path", "tall", "curve", "progress"):
        data = plots.draw(SCENES[name](), "png")
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        assert width == 768
        assert 400 <= height <= 800


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "PNG"])
def test_a_picture_comes_with_the_answer(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / f"path.{suffix}"
    assert run(["minimize", "x**2+y**2", "--start", "1,2"]) == 0
    plain = capsys.readouterr()
    assert run(["minimize", "x**2+y**2", "--start", "1,2", "--plot", str(file)]) == 0
    assert capsys.readouterr() == plain
    assert [f.name for f in tmp_path.iterdir()] == [file.name]
    assert file.stat().st_size > 5000


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare-lr", "x**2+y**2", "--start=-1,1", "--lr", "1.1,0.1"],
        ["compare-lr", "x**2+y**2+z**2", "--start=-1,1,1", "--steps", "5"],
        ["gradient", "exp(x)", "--at", "x=1", "--errors"],
        ["compare-methods", "x**2+y**4", "--start", "1,1", "--method", "bfgs,gd"],
        ["maximize", "-x**2", "--start", "x=3"],
        ["minimize", "x**2+y**2", "--start", "3,4", "--multi-start", "3"],
    ],
)
def test_other_commands_draw_too(arguments: list[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "a.png"
    assert run([*arguments, "--plot", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "arguments",
    [
        ["minimize", "1e308*x**4", "--start", "x=0.7"],
        ["compare-methods", "1e308*x**2", "--start", "x=0.7", "--method", "gd,auto"],
        ["minimize", "1e308*x**2 + y**2 + z**2", "--start", "x=0.7,y=1,z=2"],
    ],
)
def test_numbers_near_the_largest_do_not_end_a_picture(arguments: list[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "p.png"
    assert run([*arguments, "--plot", str(file)]) in (0, 4, 5)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_the_picture_of_the_book_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "a.svg"
    assert run(["gradient", "x**2", "--plot-estimate", str(file), "--range", "-5:5", "--h", "2"]) == 0
    assert capsys.readouterr() == ("", "")
    assert b"<svg" in file.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (
            ["minimize", "x**2", "--plot", "a.pgn"],
            "ends in .png, .svg or .pdf, not 'a.pgn'",
            "did you mean png?",
        ),
        (["minimize", "x**2", "--plot", "a"], "ends in .png, .svg or .pdf, not 'a'", "for example path.png"),
        (["minimize", "x**2", "--plot", ".png"], "not '.png'", ""),
        (["minimize", "x**2", "--plot", "x.png/y"], "not 'x.png/y'", "for example"),
        (["minimize", "x**2", "--plot", "nowhere/a.png"], "No such file or directory", "no folder"),
        (["minimize", "x**2", "--plot", "folder.png"], "it is a directory", ""),
        (["minimize", "x**2", "--plot", "shut.png"], "it is write-protected", ""),
        (["minimize", "x+y", "--start", "1,1", "--plane", "x,y"], "there is no --plot", "add --plot"),
        (["minimize", "x**2", "--plot", "a.png", "--plane", "x"], "two variables", "for example x,y"),
        (["minimize", "x**2", "--plot", "a.png", "--output", "./a.png"], "the same file", "name of its own"),
        (["gradient", "x", "--at", "x=1", "--plot", "a.png"], "what --errors finds", "add --errors"),
        (["gradient", "x", "--at", "x=1", "--range", "1:2"], "--range belongs to", ""),
        (
            ["gradient", "x", "--plot-estimate", "a.png", "--range", "2:1"],
            "--range takes two numbers",
            "-10:10",
        ),
        (["gradient", "x", "--plot-estimate", "a.png", "--range", "1"], "--range takes two numbers", ""),
        (["gradient", "x", "--plot-estimate", "a.png", "--at", "x=1"], "does not read --at", ""),
        (["gradient", "x*y", "--plot-estimate", "a.png"], "one variable", "--set"),
        (["gradient", "x", "--plot-estimate", "a.gif"], "--plot-estimate takes a file", ""),
        (["compare-lr", "x**2", "--start", "1", "--plot", "a.bmp"], "--plot takes a file", ""),
        (["minimize", "x**2", "--title", "t"], "--title is about the picture of --plot", "add --plot"),
        (["compare-lr", "x**2", "--start", "1", "--log", "x"], "there is none", "add --plot"),
        (["fit", "y ~ a", "d.csv", "--by", "g", "--dpi", "100"], "--dpi is about the picture", "add --plot"),
        (["compare-batch", "y ~ a", "d.csv", "--plot-size", "5x5"], "--plot-size is about", ""),
        (["gradient", "x", "--at", "x=1", "--xlabel", "x"], "--xlabel is about", ""),
        (["show", "a.json", "--ylabel", "x"], "--ylabel is about", ""),
        (
            ["minimize", "x**2", "--plot", "-", "--dpi", "100"],
            "--plot - draws in the terminal",
            "name a file",
        ),
        (["minimize", "x**2", "--plot", "a.pdf", "--dpi", "100"], "--dpi is for .png", "leave it out"),
        (["minimize", "x**2", "--plot", "a.png", "--dpi", "10"], "from 20 to 2400", ""),
        (["minimize", "x**2", "--plot", "a.png", "--plot-size", "5"], "a width and a height", "16x12cm"),
        (["minimize", "x**2", "--plot", "a.png", "--plot-size", "5x1cm"], "from 2 to 50 inches", ""),
        (
            ["minimize", "x**2", "--plot", "a.png", "--plot-size", "50x50", "--dpi", "2400"],
            "more than 200 million dots",
            "fewer",
        ),
        (["minimize", "x**2", "--plot", "a.png", "--log", "z"], "--log takes one of x, y, xy, none", ""),
    ],
)
def test_what_is_wrong_is_found_before_the_run(
    arguments: list[str],
    message: str,
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "shut.png").write_bytes(b"old")
    real = os.access
    monkeypatch.setattr("os.access", lambda path, mode: "shut" not in str(path) and real(path, mode))
    for name in ("solve", "examine", "compare_learning_rates"):
        monkeypatch.setattr(api, name, lambda *a, **k: pytest.fail("it ran"))
    before = sorted(tmp_path.iterdir())
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err
    assert hint in shown.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_picture_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "a.png"
    file.write_bytes(b"old")

    def broken(*arguments: object) -> bytes:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(plots, "draw", broken)
    assert (
        run(["minimize", "x**2", "--start", "1", "--plot", str(file), "--output", str(tmp_path / "answer")])
        == 1
    )
    assert "internal error: ZeroDivisionError" in capsys.readouterr().err
    assert file.read_bytes() == b"old"
    assert "converged" in (tmp_path / "answer").read_text(encoding="utf-8")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.png", "answer"]


def without(library: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command where a library is not installed."""
    code = f"import sys; sys.modules[{library!r}] = None; from gdcli.cli.app import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, encoding="utf-8", check=False
    )


def test_without_matplotlib_nothing_runs(tmp_path: Path) -> None:
    for arguments in (
        ["minimize", "x**2", "--start", "1", "--plot", str(tmp_path / "a.png")],
        ["gradient", "x**2", "--plot-estimate", str(tmp_path / "a.png")],
    ):
        done = without("matplotlib", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "needs matplotlib, which is not installed" in done.stderr
        assert installing.command("plot") in done.stderr
    assert list(tmp_path.iterdir()) == []


# -- in the terminal -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("width", [40, 80])
def test_pictures_in_text_fit(name: str, width: int) -> None:
    pytest.importorskip("plotext")
    picture = SCENES[name]()
    text = text_plots.draw(picture, width, colour=False)
    title, *lines = text.splitlines()
    assert title.strip() == shorten(picture.title.text, width)
    assert len(lines) > (18 if name != "nothing" else 0)
    assert all(len(line) <= width for line in lines)
    assert "\x1b" not in text
    assert text_plots.draw(picture, width, colour=False) == text
    letters = text_plots.draw(picture, width, False, LETTERS)
    assert letters.isascii()


@pytest.mark.every(3)
@pytest.mark.parametrize("width", [80, 60, 120])
def test_axes_in_text_have_three_ticks_at_least(width: int) -> None:
    pytest.importorskip("plotext")
    for name, make in SCENES.items():
        picture = make()
        if name == "nothing":
            continue
        text = text_plots.draw(picture, width, colour=False, lines=24)
        assert text.count("\n") <= 24 or len(getattr(picture, "panels", ())) > 1, name
        frames = [line for line in text.splitlines() if "└" in line]
        assert all(line.count("┬") >= 3 for line in frames), (name, text)
        for box in text.split("┌")[1:]:
            assert box.partition("└")[0].count("┤") >= 3, (name, text)


@pytest.mark.parametrize("log", [False, True])
def test_ticks_are_round_and_three_at_least(log: bool) -> None:
    for low, high in ((0.0, 5.0), (-3.1, 3.9), (2.0, 2.2), (1e5, 1.0001e5), (-300.0, 300.0), (0.1, 0.9)):
        if log and high > 400:
            continue
        places, labels = plot_geometry.ticks_of(low, high, log, 3, 8)
        assert 3 <= len(places) <= 8, (low, high, log)
        assert all(low <= place <= high for place in places)
        for place, label in zip(places, labels, strict=True):
            assert float(label) == pytest.approx(10.0**place if log else place, rel=1e-5, abs=1e-12)
    assert plot_geometry.ticks_of(1.0, 1.0, False, 3, 8) == ([1.0], ["1"])


def test_text_shows_start_end_and_path() -> None:
    pytest.importorskip("plotext")
    text = text_plots.draw(SCENES["path"](), 80, colour=False, bars=BLOCKS)
    canvas = [line for line in text.splitlines() if line.endswith("│")]
    (start,) = [line for line in canvas if "S" in line]
    (end,) = [line for line in canvas if "E" in line]
    assert start.index("S") < 20
    assert end.index("E") > 60
    assert sum(line.count("•") for line in canvas) > 40
    assert text.endswith("• 21 iterations   S start (-1.2, 1)   E minimum (1, 1)\n")
    assert "\x1b[38;5;166m" in text_plots.draw(SCENES["path"](), 80, colour=True)


def test_rates_on_one_line_take_turns_in_text() -> None:
    pytest.importorskip("plotext")
    rates = (10.0, 1.1, 1.0, 0.1, 0.01)
    text = text_plots.draw(rates_of("x**2 + y**2", "-1,1", rates=rates), 80, colour=False)
    canvas = "".join(line for line in text.splitlines() if line.endswith("│"))
    for mark in text_plots._MARKS[: len(rates)]:
        assert canvas.count(mark) >= 3, mark


def test_other_minima_are_told_from_starts_in_text() -> None:
    pytest.importorskip("plotext")
    text = text_plots.draw(SCENES["many starts"](), 80, colour=False)
    assert "O 20 starts   M other minima" in text
    assert text.count("S") == 2  # on the canvas, and its name


def test_a_picture_in_text_stands_beside_what_a_program_reads(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("plotext")
    assert run(["minimize", "x**2", "--start", "3", "--plot", "-"]) == 0
    shown = capsys.readouterr()
    assert "┌" in shown.out
    assert shown.err == ""
    assert run(["minimize", "x**2", "--start", "3", "--plot", "-", "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["status"] == "converged"
    assert "┌" in shown.err


def test_without_plotext_there_is_a_sparkline() -> None:
    done = without("plotext", "minimize", "x**2+y**2", "--start", "1,2", "--lr", "0.1", "--plot", "-")
    assert done.returncode == 0
    line, hint = done.stdout.splitlines()[-2:]
    assert line.startswith("value  █")
    assert line.endswith("▁")
    assert hint == f"a picture in the terminal needs plotext: {installing.command('plot')}"


def test_charts_and_contours_tell_their_courses() -> None:
    for name, make in SCENES.items():
        picture = make()
        assert picture.courses or name == "nothing", name
        assert all(len(values) for _, values in picture.courses), name
    assert isinstance(SCENES["errors"](), Chart)
    assert comparison_figures.errors("t", (), {}).panels[0].note


def test_numbers_of_a_scale_have_one_notation() -> None:
    from gdcli.render.plots import scale

    assert scale([0.02, 5.0, 200.0]) == ["0.02", "5", "200"]
    assert scale([2e5, 2e7, 1e9, -5e10]) == [
        r"$2 \times 10^{5}$", r"$2 \times 10^{7}$", r"$10^{9}$", r"$-5 \times 10^{10}$",
    ]  # fmt: skip
    assert scale([0.0, 10.0, 5e12]) == ["0", "10", r"$5 \times 10^{12}$"]
