"""What a fit shows: the table of parameters, epochs, records, pictures and the line of progress."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise
from math import floor, log10
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdcli import api
from gdcli.cli.plot_option import FitPlot, epochs_of
from gdcli.kernel.number_format import pointed, thousands
from gdcli.kernel.vectors import Space
from gdcli.record import fit_records
from gdcli.record.fits import EPOCH_HEAD, fit_record
from gdcli.record.path_rows import Trail
from gdcli.render import fit_figures, fit_page, machine_formats, plots, text_plots
from gdcli.render.page import PLAIN, UNICODE, plain_text
from gdcli.render.progress import Progress
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import Searched, request_from
from gdcli.tasks.fit.solve_fit import solve

MODEL = "y ~ a*exp(-b*x) + c"
SPACE = Space({"a": None, "b": None, "c": None})


def decay(rows: int = 200) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 4, rows)
    return {"x": x, "y": 2 * np.exp(-1.3 * x) + 0.5 + 0.05 * rng.normal(size=rows)}


def page_of(outcome: Any, width: int = 80, trail: Trail | None = None) -> str:
    return plain_text(
        fit_page.page(fit_record(outcome), trail or Trail(1, outcome.space.size), width, UNICODE, False)
    )


def by_epochs(rows: int = 2000, epochs: int = 30, **more: Any) -> tuple[Any, Trail, str, Any]:
    """A run by epochs: its outcome, trail, lines of JSON, and picture."""
    trail = Trail(1, 3, None, fit_page.epoch_row)
    stream = io.StringIO(newline="")
    lines = machine_formats.JsonLines(stream, 1, SPACE, 1, False, fit_records.EPOCHS)
    options = {"batch_size": 16, "lr": 0.1, "epochs": epochs} | more
    request, settings = request_from(MODEL, decay(rows), {"a": 1, "b": 1, "c": 0}, options)
    with prepared(request) as ready:
        outcome = solve(ready, settings, [trail, lines])
        picture = FitPlot(ready).picture(fit_record(outcome), epochs_of(outcome))
    return outcome, trail, stream.getvalue(), picture


# -- numbers ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["1.5", "-23.456", "", "7", "1.25e-05", "3e+10", "0.001"]), min_size=1))
def test_decimal_points_stand_under_each_other(cells: list[str]) -> None:
    shown = pointed(cells)
    assert [cell.strip() for cell in shown] == cells
    width = max(map(len, shown))
    aligned = [cell.rjust(width) for cell in shown if "." in cell]
    assert len({cell.index(".") for cell in aligned}) <= 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (950.4, "950"),
        (999.7, "1.00k"),
        (22123, "22.1k"),
        (999_600, "1.00M"),
        (1.234e6, "1.23M"),
        (5e9, "5.00G"),
    ],
)
def test_large_numbers_in_three_digits(value: float, text: str) -> None:
    assert thousands(value) == text


@given(st.floats(1e-6, 1e9) | st.floats(-1e9, -1e-6), st.floats(1e-10, 10.0))
def test_a_value_has_two_digits_more_than_its_error(value: float, relative: float) -> None:
    error = abs(value) * relative
    decimals = fit_page._decimals(value, error)
    shown, told = (float(fit_page._to(v, decimals, value)) for v in (value, error))
    unit = 10.0 ** floor(log10(error))
    limit = max(0.00501 * unit, 0.501 * 10.0 ** (floor(log10(abs(value))) - 11))
    assert abs(shown - value) <= limit
    assert abs(told - error) <= limit


# -- the page --------------------------------------------------------------------------------------------------------


def parameter_rows(page: str) -> list[list[str]]:
    lines = page.splitlines()
    (first,) = [i for i, line in enumerate(lines) if line.startswith("parameter")]
    return [line.split() for line in lines[first + 2 : lines.index("", first)]]


@pytest.mark.parametrize("width", [65, 80, 120])
def test_the_table_shows_what_the_record_says(width: int) -> None:
    outcome = api.fit(MODEL, decay(), {"a": 1, "b": 1, "c": 0})
    record = fit_record(outcome).to_json()
    page = page_of(outcome, width)
    assert all(len(line) <= width for line in page.splitlines())
    rows = parameter_rows(page)
    assert [row[0] for row in rows] == ["a", "b", "c"]
    for name, *cells in rows:
        value, error = record["point"][name], record["standard_errors"][name]
        wanted = [value, error, 100 * error / abs(value), record["t"][name], *record["confidence"][name]]
        assert [float(c) for c in cells] == pytest.approx(wanted, rel=5e-3)


def test_columns_give_way_on_a_narrow_page() -> None:
    outcome = api.fit("y ~ 1e6*longer_name_of_a*x + 1e-6*longer_name_of_c", decay())
    shown = []
    for width in (40, 60, 75, 85, 100):
        page = page_of(outcome, width)
        titles = next(line for line in page.splitlines() if line.startswith("parameter"))
        shown.append(
            [title for title in ("std. error", "95 % interval", " t ", "error %") if title in titles]
        )
    assert shown[0] == ["std. error"]
    assert shown[-1] == ["std. error", "95 % interval", " t ", "error %"]
    assert shown == sorted(shown, key=len)
    assert len({len(titles) for titles in shown}) >= 3


def test_many_parameters_are_thinned() -> None:
    rng = np.random.default_rng(0)
    columns = {f"x{i}": rng.normal(size=200) for i in range(40)} | {"y": rng.normal(size=200)}
    outcome = api.fit("y ~ X @ w + b", columns, columns={"X": "x*"})
    page = page_of(outcome)
    assert "21 of 41 parameters; --format csv has all" in page
    assert "columns       X = x0, x1, x2, x3, ..., x39 (40 columns)" in page
    names = [row[0] for row in parameter_rows(page)]
    assert [*names[:2], names[17], *names[-5:]] == ["w[0]", "w[1]", "w[17]", "⋮", "w[38]", "w[39]", "b", "21"]
    assert len(fit_record(outcome).to_json()["standard_errors"]["w"]) == 40


def test_tied_parameters_are_named() -> None:
    columns = decay()
    columns["x"] = columns["x"] + 1000
    page = " ".join(page_of(api.fit("y ~ a + b*x", columns)).split())
    assert "tied a and b (-0.999999" in page
    assert "one makes up for the other" in page


def test_a_maximised_log_likelihood_has_the_users_sign() -> None:
    columns = {"x": np.array([1.0, 2.0, 4.0])}
    outcome = api.fit("-(x - m)**2", columns, {"m": 0.0}, maximize=True)
    page = page_of(outcome)
    record = fit_record(outcome).to_json()
    assert record["value"] == pytest.approx(-14 / 3)
    assert record["mean_loss"] == pytest.approx(-14 / 9)
    assert "loss          maximized: the expression of a row" in page
    assert "value         -4.66666666667 (sum over the rows; mean -1.55556)" in page


def test_plain_pages_are_ascii() -> None:
    outcome = api.fit(MODEL, decay(), {"a": 1, "b": 1, "c": 0})
    assert plain_text(fit_page.page(fit_record(outcome), Trail(1, 3), 80, PLAIN, True)).isascii()


# -- epochs ----------------------------------------------------------------------------------------------------------


def test_a_run_by_epochs_has_a_row_per_epoch() -> None:
    outcome, trail, *_ = by_epochs(300, 75)
    page = page_of(outcome, trail=trail)
    lines = page.splitlines()
    (first,) = [i for i, line in enumerate(lines) if line.startswith("epoch")]
    assert lines[first].split() == ["epoch", "value", "mean", "loss", "rate"]
    cells = lines[first + 2].split()
    assert [float(c) for c in cells[:3]] == pytest.approx(
        [0, outcome.history[0].total, outcome.history[0].at.value], rel=1e-5
    )
    assert "first 6, last 6" in page
    timed = plain_text(fit_page.page(fit_record(outcome), trail, 80, UNICODE, True))
    assert "rows/s" in timed


def test_epochs_as_records() -> None:
    outcome, _, text, _ = by_epochs(epochs=3, validate=0.2)
    records = [json.loads(line) for line in text.splitlines()]
    assert [list(r) for r in records] == [["type", *EPOCH_HEAD, "point"]] * 4
    for record, epoch in zip(records, outcome.history, strict=True):
        assert record["value"] == epoch.at.value * 1600
        assert record["mean_loss"] == pytest.approx(epoch.at.value, rel=1e-15)
        assert record["validation"] == epoch.held_out
        assert record["rows"] == 1600 * record["epoch"]
    stream = io.StringIO(newline="")
    writer = machine_formats.PathRows(stream, 1, outcome.space, 1, False, fit_records.EPOCHS)
    for epoch in outcome.history:
        writer(epoch._replace(at=epoch.at._replace(value=epoch.total)))
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert list(rows[0]) == [*EPOCH_HEAD, "a", "b", "c"]
    means = [e.at.value for e in outcome.history]
    assert [float(row["mean_loss"]) for row in rows] == pytest.approx(means, rel=1e-15)
    result = fit_record(outcome).to_json()
    assert result["epochs"] == 3
    assert result["mean_loss"] in means


# -- pictures --------------------------------------------------------------------------------------------------------


def picture_of(model: str, columns: dict[str, Any], start: Any = None, **options: Any) -> Any:
    request, settings = request_from(model, columns, start, options)
    with prepared(request) as ready:
        plot = FitPlot(ready)
        outcome = solve(ready, settings, plot.observers)
        return plot.picture(fit_record(outcome), epochs_of(outcome)), outcome


def test_over_one_column_the_fit_is_a_curve() -> None:
    columns = decay()
    picture, outcome = picture_of(MODEL, columns, {"a": 1, "b": 1, "c": 0})
    top, bottom = picture.panels
    *bands, dots, curve = top.series
    assert [band.label for band in bands] == ["95 % prediction", "95 % confidence"]
    for band in bands:
        assert all(low < y < high for low, y, high in zip(band.below, curve.ys, band.ys, strict=True))
    a, b, c = outcome.point.values()
    assert (top.xlabel, top.ylabel, dots.label) == ("x", "y", "200 rows")
    assert list(dots.xs) == columns["x"].tolist()
    assert list(dots.ys) == columns["y"].tolist()
    assert curve.ys == pytest.approx(a * np.exp(-b * np.array(curve.xs)) + c, rel=1e-12)
    assert (min(curve.xs), max(curve.xs)) == (columns["x"].min(), columns["x"].max())
    assert bottom.signed
    assert bottom.series[0].ys == pytest.approx(columns["y"] - (a * np.exp(-b * columns["x"]) + c))


def test_errors_of_a_column_are_bars_across_and_residuals_have_them_in_theirs() -> None:
    x, y = np.arange(5.0), np.array([0.1, 2.2, 3.8, 6.1, 7.9])
    columns = {"x": x, "y": y, "s": np.full(5, 0.3), "sx": np.array([0.1, 0.2, 0.0, 0.1, 0.4])}
    picture, outcome = picture_of("y ~ a + b*x", columns, sigma="s", sigma_x="x=sx")
    above, below = (next(s for s in panel.series if s.shape) for panel in picture.panels)
    assert (above.across, above.spread) == (columns["sx"].tolist(), columns["s"].tolist())
    # What is left over is the distance that is seen, straight up to the line; its size has both errors in it.
    a, b = outcome.point.values()
    assert below.across is None
    assert below.spread == pytest.approx(np.hypot(columns["s"], b * columns["sx"]).tolist())
    assert below.ys == pytest.approx((y - a - b * x).tolist())
    assert picture.panels[0].xlim == picture.panels[1].xlim == pytest.approx((-0.325, 4.625))
    relative, _ = picture_of("y ~ a + b*x", columns, sigma_x="x=sx")
    above, below = (next(s for s in panel.series if s.shape) for panel in relative.panels)
    assert (above.across, above.spread, below.spread) == (columns["sx"].tolist(), None, None)
    pytest.importorskip("plotext")
    top = picture.panels[0]
    bare = top._replace(series=[s._replace(across=None) for s in top.series])
    with_bars, without = (
        text_plots.draw(picture._replace(panels=[panel]), 80, False) for panel in (top, bare)
    )
    dots = [sum("\u2800" < c < "\u2900" for c in text) for text in (with_bars, without)]
    assert dots[0] > dots[1] + 10


def test_known_deviations_are_bars() -> None:
    columns = decay() | {"s": np.linspace(0.01, 0.2, 200)}
    picture, _ = picture_of(MODEL, columns, {"a": 1, "b": 1, "c": 0}, sigma="s")
    for panel in picture.panels:
        (dots,) = [s for s in panel.series if s.shape]
        assert dots.spread == columns["s"].tolist()
    assert not any(s.spread for panel in picture_of("y ~ a*x + b", decay())[0].panels for s in panel.series)
    pytest.importorskip("plotext")
    text = text_plots.draw(picture, 80, False)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_the_curve_lies_over_many_rows_and_below_few() -> None:
    for rows, order in ((40, ["fitted", "40 rows"]), (200, ["200 rows", "fitted"])):
        picture, _ = picture_of("y ~ a*x + b", decay(rows))
        assert [s.label for s in picture.panels[0].series if not s.below] == order


def test_a_column_that_spans_decades_has_a_logarithmic_axis() -> None:
    wide = 10.0 ** np.linspace(-3, 4, 60)
    picture, _ = picture_of("y ~ a*x/(b + x)", {"x": wide, "y": 5 * wide / (3 + wide)}, {"a": 1, "b": 1})
    assert [panel.xlog for panel in picture.panels] == [True, True]
    curve = next(s for s in picture.panels[0].series if s.label == "fitted")
    assert (
        max(b / a for a, b in pairwise(curve.xs)) < 1.1
    )  # dense everywhere on that axis, and on a linear one
    assert max(b - a for a, b in pairwise(curve.xs)) < 1e4 / 500
    for even in (np.linspace(1, 1000, 60), np.append(wide, 0.0), -wide, 1.7e9 + wide):
        assert not fit_figures.spans_decades(even.tolist())


def test_over_several_columns_what_was_measured_stands_against_what_is_fitted() -> None:
    columns = decay() | {"z": np.linspace(0, 1, 200)}
    picture, outcome = picture_of("y ~ a*x + b*z + c", columns)
    dots, line = picture.panels[0].series
    a, b, c = outcome.point.values()
    assert list(line.xs) == list(line.ys)
    assert dots.xs == pytest.approx(a * columns["x"] + b * columns["z"] + c)
    assert picture.panels[0].xlabel == picture.panels[1].xlabel == "fitted"


def test_of_many_rows_some_are_drawn_and_counted() -> None:
    columns = decay(50_000)
    picture, _ = picture_of("log(y) ~ a + b*x", {**columns, "y": abs(columns["y"]) + 0.1})
    *_, dots, _ = picture.panels[0].series
    assert dots.label == "3000 of 50000 rows"
    assert len(dots.xs) == len(set(dots.xs)) == 3000
    assert picture.panels[0].ylabel == "log(y)"
    drawn = dict(zip(columns["x"], np.log(abs(columns["y"]) + 0.1), strict=True))
    assert all(drawn[x] == pytest.approx(y) for x, y in zip(dots.xs, dots.ys, strict=True))


def test_labels_are_drawn_at_zero_and_one() -> None:
    columns = decay() | {"t": np.where(np.arange(200) % 3 > 0, 1.0, -1.0)}
    picture, _ = picture_of("t ~ a*x + b", columns, loss="logistic")
    *_, dots, curve = picture.panels[0].series
    assert set(dots.ys) == {0.0, 1.0}
    assert all(0 < y < 1 for y in curve.ys)


def test_probabilities_of_several_columns_are_a_curve_over_their_logit() -> None:
    columns = decay() | {"z": np.linspace(0, 1, 200), "t": (np.arange(200) % 3 > 0) * 1.0}
    picture, outcome = picture_of("t ~ a*x + b*z + c", columns, loss="logistic")
    dots, curve = picture.panels[0].series
    a, b, c = outcome.point.values()
    assert picture.panels[0].xlabel == "a*x + b*z + c"
    assert dots.xs == pytest.approx(a * columns["x"] + b * columns["z"] + c)
    assert curve.ys == pytest.approx(1 / (1 + np.exp(-np.array(curve.xs))))


def test_epochs_have_a_panel_of_their_own() -> None:
    outcome, _, _, picture = by_epochs(500, 4, validate=0.2)
    fit, held_out = picture.panels[-1].series
    assert picture.panels[-1].own
    assert list(fit.xs) == [0, 1, 2, 3, 4]
    assert list(fit.ys) == [epoch.at.value for epoch in outcome.history]
    assert list(held_out.ys) == [epoch.held_out for epoch in outcome.history]


def test_a_typed_loss_shows_its_way() -> None:
    picture, _ = picture_of("(x - m)**2", decay(), {"m": 0.0})
    assert picture.panels[0].xlabel == "iteration"


def test_pictures_can_be_drawn() -> None:
    pytest.importorskip("matplotlib")
    for picture in (by_epochs(300, 3)[3], picture_of("y ~ a*x + b", decay())[0]):
        assert plots.draw(picture, "png").startswith(b"\x89PNG")
        assert plots.draw(picture, "svg") == plots.draw(picture, "svg")
        text = text_plots.draw(picture, 80, False)
        assert all(len(line) <= 80 for line in text.splitlines())


# -- progress --------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Read:
    state = ""

    def __init__(self, rows: int, progress: tuple[int, int]) -> None:
        self.rows, self.progress = rows, progress


def test_progress_is_told_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    for stream, speaks in ((Terminal(), True), (io.StringIO(), False), (None, False)):
        clock = Clock()
        with Progress(stream, clock) as progress:
            progress.reading(Read(10, (1, 100)))
            clock.now = 2.0
            progress.reading(Read(2_000_000, (50, 200)))
            progress.reading(Read(2_000_001, (51, 200)))  # too soon after the last
            progress.epoch(1, 0, 1000)
            clock.now = 4.0
            progress.epoch(1, 500, 1000)
            clock.now = 6.0
            progress.searching(0.25)
        if not speaks or stream is None:
            assert stream is None or stream.getvalue() == ""
            continue
        shown = stream.getvalue().split("\r\x1b[K")
        assert shown == [
            "",
            "reading  █████░░░░░░░░░░░░░░░  25 %  2.00M rows, 1.00M rows/s, 6 s left",
            "epoch 1  ██████████░░░░░░░░░░  50 %  250 rows/s, 2 s left",
            "searching for a start  █████░░░░░░░░░░░░░░░  25 %",
            "",
        ]


def test_reading_of_unknown_length_tells_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Terminal(), Clock()
    progress = Progress(stream, clock)
    clock.now = 1.0
    progress.reading(Read(1500, (0, 0)))
    assert stream.getvalue() == "\r\x1b[Kreading  1.50k rows, 1.50k rows/s"
    progress.clear()
    progress.clear()
    assert stream.getvalue().count("\r\x1b[K") == 2


NEXT = "; the next best end has a sum of squares "


@pytest.mark.parametrize(
    ("searched", "text"),
    [
        ((4000, 40, 7, 1.1234), "7 of 40 starts ended here (4000 points tried)" + NEXT + "12 % larger"),
        ((4000, 40, 1, 3.5239), "1 of 40 starts ended here (4000 points tried)" + NEXT + "3.52 times as large"),
        ((4000, 40, 40, None), "40 of 40 starts ended here (4000 points tried)"),
        ((1, 1, 1, None), "the linear parameters were solved for"),
        ((300, 0, 0, None), "the best of 300 points that were tried until the time was over"),
    ],
)  # fmt: skip
def test_what_a_search_did_is_told(searched: tuple[int, int, int, float | None], text: str) -> None:
    tried, starts, agreeing, ratio = searched
    search = Searched(tried=tried, starts=starts, agreeing=agreeing, next_best=ratio)
    assert fit_page.search_text(search) == text
