"""Diagnostics of fits: against refits, known values and what was put into the data."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.cli.app import run
from gdcli.judge.distributions import chi_square_tail, f_tail
from gdcli.tasks.fit.fit_outcome import Diagnostics


def told(model: str, data: Any, start: Any = None, **options: Any) -> Diagnostics:
    found = api.fit(model, data, start, diagnostics=True, **options).diagnostics
    assert found is not None
    return found


@pytest.mark.parametrize("model", ["y ~ a + b*x", "y ~ a*exp(-b*x)"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_influence_is_what_a_refit_says(model: str, weights: str | None) -> None:
    x = np.linspace(0.0, 3.0, 15)
    y = 2.0 * np.exp(-0.8 * x) + 0.1 * np.cos(11.0 * x)
    data = {"x": x, "y": y, "w": 1.0 + x}
    found = told(model, data, {"a": 1.0, "b": 1.0}, weights=weights)
    assert len(found.influence) == 5
    for one in found.influence[:2]:
        k, h = int(one.row.removeprefix("row ")) - 1, 1e-5
        ends = []
        for side in (h, -h):
            moved = y.copy()
            moved[k] += side
            fit = api.fit(model, {**data, "y": moved}, {"a": 1.0, "b": 1.0}, weights=weights)
            ends.append(list(fit.point.values()))
        by_difference = [(a - b) / (2.0 * h) for a, b in zip(*ends, strict=True)]  # type: ignore[operator]
        assert list(one.moves) == pytest.approx(by_difference, rel=1e-5, abs=1e-8)


def test_rows_that_are_far_off_are_outliers_and_no_others() -> None:
    rng = np.random.default_rng(3)
    x = np.linspace(0.0, 5.0, 40)
    y = 1.0 + 2.0 * x + 0.3 * rng.normal(size=40)
    assert told("y ~ a + b*x", {"x": x, "y": y}).outliers == ()
    y[[7, 20]] += (4.0, -3.0)
    assert told("y ~ a + b*x", {"x": x, "y": y}).outliers == ("row 8", "row 21")


def test_a_curve_that_is_missed_shows_in_runs_and_in_lack_of_fit() -> None:
    rng = np.random.default_rng(5)
    x = np.repeat(np.linspace(0.0, 3.0, 10), 3)
    data = {"x": x, "y": x**2 + 0.1 * rng.normal(size=30)}
    line, parabola = told("y ~ a + b*x", data), told("y ~ a + b*x + c*x**2", data)
    for found, is_missed in ((line, True), (parabola, False)):
        assert found.checks is not None
        assert found.checks.runs is not None
        assert found.lack_of_fit is not None
        assert (found.lack_of_fit.p < 1e-6) is is_missed
        assert (found.checks.runs.p < 1e-3) is is_missed
    assert line.lack_of_fit is not None
    assert (line.lack_of_fit.dof, line.lack_of_fit.left) == (8, 20)


def test_rows_without_weight_are_as_if_they_were_not_there() -> None:
    x = np.linspace(0.0, 5.0, 30)
    data = {"x": x, "y": x + np.sin(9.0 * x), "w": (np.arange(30) % 5 > 0) * 1.0}
    kept = {name: column[data["w"] > 0.0] for name, column in data.items()}
    with_them, without = (told("y ~ a + b*x", rows, weights="w") for rows in (data, kept))
    assert with_them.model == pytest.approx(without.model)
    assert with_them.checks is not None
    assert without.checks is not None
    assert with_them.checks.runs == without.checks.runs
    assert with_them.checks.durbin_watson == pytest.approx(without.checks.durbin_watson)
    assert with_them.checks.normality == pytest.approx(without.checks.normality)
    for one, other in zip(with_them.influence, without.influence, strict=True):
        assert (one.leverage, one.cook) == pytest.approx((other.leverage, other.cook))
        assert one.studentised == pytest.approx(other.studentised)


def test_rows_without_weight_are_no_outliers_and_hide_none() -> None:
    """Nor are they repeats of others, or rows that are left out in turn."""
    rng = np.random.default_rng(3)
    x = np.linspace(0.0, 5.0, 40)
    y = 1.0 + 2.0 * x + 0.3 * rng.normal(size=40)
    y[[7, 14]] += (6.0, 40.0)
    data = {"x": np.round(x), "y": y, "w": (np.arange(40) % 2) * 1.0}
    kept = {name: column[data["w"] > 0.0] for name, column in data.items()}
    with_them, without = (told("y ~ a + b*x", rows, weights="w") for rows in (data, kept))
    assert with_them.outliers == ("row 8",)
    assert without.outliers == ("row 4",)
    assert with_them.lack_of_fit == pytest.approx(without.lack_of_fit)
    compared = [api.compare_models(["y ~ a", "y ~ a + b*x"], rows, weights="w") for rows in (data, kept)]
    of_all, of_kept = ([fit.left_out for fit in one.fits] for one in compared)
    assert of_all == pytest.approx(of_kept)


T = np.linspace(0.1, 3.0, 25)
NOISE = 0.05 * np.cos(40.0 * T)
CURVE = 2.0 * np.exp(-1.3 * T) + NOISE


@pytest.mark.parametrize(
    ("model", "y", "start", "against", "rough"),
    [
        ("y ~ a*exp(-b*t)", CURVE, {"a": 1.0, "b": 1.0}, "constant", False),  # at b = 0
        (
            "y ~ a*exp(-b*t) + c",
            CURVE + 0.5,
            {"a": 1.0, "b": 1.0, "c": 0.0},
            "constant",
            True,
        ),  # a = 0, b is anything
        ("y ~ a*t/(k + t)", T / (0.4 + T) + NOISE, {"a": 1.0, "k": 1.0}, "constant", False),  # k = 0
        ("y ~ a*sin(b*t)", np.sin(2.0 * T) + NOISE, {"a": 1.0, "b": 2.1}, "zero", True),
        ("y ~ b*t", T + NOISE, None, "zero", False),
        ("y ~ a + b*t", T + NOISE, None, "constant", False),
    ],
)
def test_a_model_as_a_whole_is_held_against_the_least_that_is_within_it(
    model: str, y: Any, start: Any, against: str, rough: bool
) -> None:
    found = api.fit(model, {"t": T, "y": y}, start, diagnostics=True)
    one = found.diagnostics
    assert one is not None
    assert one.model is not None
    assert (one.by, one.against, one.rough) == ("F", against, rough)
    rank = len(found.point)
    whole, dof = (((y - y.mean()) ** 2).sum(), rank - 1) if against == "constant" else ((y**2).sum(), rank)
    left = len(T) - rank
    assert (one.model.dof, one.model.left) == (dof, left)
    assert one.model.statistic == pytest.approx((whole - found.value) / dof / (found.value / left), rel=1e-9)
    assert one.model.p == pytest.approx(f_tail(one.model.statistic, dof, left))


def test_other_likelihoods_are_held_against_a_constant_too() -> None:
    """Twice what the constant, the mean, loses; with known deviations the fall of chi-square."""
    y = np.array([0.0, 1.0, 1.0, 2.0, 4.0, 3.0, 7.0, 8.0])
    data = {"x": np.arange(8.0), "y": y}
    found = api.fit("y ~ exp(a + b*x)", data, {"a": 0.0, "b": 0.1}, loss="poisson", diagnostics=True)
    constant = api.fit("y ~ exp(a)", {"y": y}, {"a": 0.0}, loss="poisson")
    one = found.diagnostics
    assert one is not None
    assert one.model is not None
    assert (one.by, one.against, one.rough, one.model.left) == ("likelihood-ratio", "constant", False, None)
    assert one.model.statistic == pytest.approx(2.0 * (constant.value - found.value), rel=1e-9)
    assert one.model.p == pytest.approx(chi_square_tail(one.model.statistic, 1))
    known = told("y ~ a + b*x", data, sigma=1.5)
    assert known.model is not None
    assert known.by == "chi-square"
    line = np.polyval(np.polyfit(data["x"], y, 1), data["x"])
    assert known.model.statistic == pytest.approx(((line - y.mean()) ** 2).sum() / 1.5**2, rel=1e-9)
    assert told("y ~ a + b*x", data, loss="huber").model is None


def test_neighbours_are_rows_as_they_stand() -> None:
    """The statistic of Durbin and Watson is of their order, whatever the column has."""
    x = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 0.0])
    found = told("y ~ a + b*x", {"x": x, "y": x + np.cos(7.0 * x)})
    y = x + np.cos(7.0 * x)
    r = y - np.polyval(np.polyfit(x, y, 1), x)
    assert found.checks is not None
    assert found.checks.durbin_watson == pytest.approx((np.diff(r) ** 2).sum() / (r @ r))


@pytest.mark.parametrize("times", [1, 3])
def test_figures_of_labels(times: int) -> None:
    data = {"x": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "y": [0.0, 0.0, 1.0, 0.0, 1.0, 1.0], "w": [times] * 6}
    found = told("y ~ a + b*x", data, loss="logistic", weights="w")
    labels = found.labels
    assert labels is not None
    assert labels.confusion == tuple(times * count for count in (2, 1, 1, 2))
    assert labels.accuracy == pytest.approx(4 / 6)
    assert labels.auc == pytest.approx(8 / 9)
    assert labels.calibration == pytest.approx((0.0, 1.0), abs=1e-8)


def test_labels_that_are_counted_by_weights_count_as_often() -> None:
    data = {"x": [0.0, 0.0, 1.0, 1.0, 2.0, 2.0], "y": [0.0, 1.0] * 3, "w": [4.0, 1.0, 2.0, 3.0, 1.0, 5.0]}
    each = {name: np.repeat(data[name], [int(w) for w in data["w"]]) for name in ("x", "y")}
    counted = told("y ~ a + b*x", data, loss="logistic", weights="w").labels
    alone = told("y ~ a + b*x", each, loss="logistic").labels
    assert counted is not None
    assert alone is not None
    assert counted.confusion == alone.confusion
    for name in ("accuracy", "log_loss", "auc"):
        assert getattr(counted, name) == pytest.approx(getattr(alone, name), rel=1e-9)
    assert counted.calibration == pytest.approx((0.0, 1.0), abs=1e-8)


def test_page_json_and_covariance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "d.csv"
    file.write_text("x,y\n" + "".join(f"{i},{2 * i + (i * 7 % 5) * 0.1}\n" for i in range(12)))
    matrix, answer = tmp_path / "c.csv", tmp_path / "a.json"
    words = ["fit", "y ~ a + b*x", str(file), "--diagnostics", "--covariance", str(matrix)]
    assert run(words) == 0
    out = capsys.readouterr().out
    for label in ("p values", "model", "runs", "Durbin-Watson", "normality", "outliers", "leverage"):
        assert label in out
    assert run([*words, "--output", str(answer)]) == 0
    record = json.loads(answer.read_text())
    assert record["diagnostics"]["influence"][0]["row"].startswith(f"{file}:")
    rows = list(csv.reader(matrix.read_text().splitlines()))
    assert rows[0] == ["parameter", "a", "b"]
    assert float(rows[1][1]) == pytest.approx(record["standard_errors"]["a"] ** 2, rel=1e-9)
    capsys.readouterr()
    assert run(["show", str(answer)]) == 0
    assert "Durbin-Watson" in capsys.readouterr().out
    assert run(["rerun", str(answer)]) == 0
    assert run([*words, "--by", "x"]) == 2


BOD = {"day": [1, 2, 3, 4, 5, 7], "demand": [8.3, 10.3, 19.0, 16.0, 15.6, 19.8]}


def test_profiles_go_through_the_estimates_and_end_where_the_intervals_do() -> None:
    curve, start = "demand ~ A*(1 - exp(-k*day))", {"A": 20.0, "k": 0.5}
    found = api.fit(curve, BOD, start, diagnostics=True, intervals="profile")
    assert found.diagnostics is not None
    assert found.diagnostics.profiles is not None
    assert found.statistics is not None
    pairs = zip(found.diagnostics.profiles.values(), found.statistics.errors.intervals, strict=True)
    for (name, estimate), (profile, interval) in zip(found.point.items(), pairs, strict=True):
        assert interval is not None
        values, roots = zip(*profile, strict=True)
        assert list(values) == sorted(values)
        assert list(roots) == sorted(roots)
        assert (estimate, 0.0) in profile
        # A picture needs no more digits than these, as its last piece is straight.
        assert (values[0], values[-1]) == pytest.approx(interval, rel=2e-2)
        assert -roots[0] == pytest.approx(roots[-1])
        at = 2  # each point is a fit with the parameter held
        held = api.fit(
            curve, BOD, {k: v for k, v in start.items() if k != name}, constants={name: values[at]}
        )
        assert held.value == pytest.approx(found.value * (1.0 + roots[at] ** 2 / 4.0), rel=1e-6)


def test_a_profile_that_levels_off_ends_far_out() -> None:
    found = told("demand ~ A*(1 - exp(-k*day))", BOD, {"A": 20.0, "k": 0.5}, level=0.999)
    assert found.profiles is not None
    root = found.profiles["k"][-1][1]
    assert 3.0 < root < -found.profiles["k"][0][1]


def test_of_many_parameters_the_most_lopsided_have_a_profile() -> None:
    x = np.linspace(0.0, 4.0, 40)
    data = {"x": x, "y": 3.0 * np.exp(-1.1 * x) + 1.0 + 0.2 * x - 0.02 * x**2 + 0.05 * np.sin(37.0 * x)}
    found = told("y ~ a*exp(-b*x) + c + d*x + g*x^2", data, {"a": 3, "b": 1, "c": 1, "d": 0, "g": 0})
    assert found.profiles is not None
    assert len(found.profiles) == 4
    assert told("y ~ a + b*x", data).profiles is not None  # of a line each is Wald's
    assert told("y ~ a*exp(-b*x)", data, {"a": 3, "b": 1}, loss="huber").profiles is None


def test_the_picture_has_a_panel_of_the_profiles_beside_walds_line(tmp_path: Path) -> None:
    from gdcli.record.fits import FitRecord
    from gdcli.render.fit_parts import profile_panel

    rows = "".join(f"{a},{b}\n" for a, b in zip(BOD["day"], BOD["demand"], strict=True))
    (tmp_path / "bod.csv").write_text("day,demand\n" + rows)
    fit = ["fit", "demand ~ A*(1 - exp(-k*day))", str(tmp_path / "bod.csv"), "--start", "A=20,k=0.5"]
    out = tmp_path / "fit.json"
    assert run([*fit, "--diagnostics", "--format", "json", "--output", str(out)]) == 0
    found = FitRecord.from_json(json.loads(out.read_text()))
    panel = profile_panel(found)
    assert panel is not None
    assert [series.label for series in panel.series] == ["A", "k", "Wald"]
    *_, wald = panel.series
    assert wald.xs == wald.ys
    # Near the estimate a profile is Wald's line, and far above it lies below it, where the interval is longer.
    for series in panel.series[:2]:
        assert series.xs[-1] > 2.0 * series.ys[-1]
        near = min((abs(x), abs(x - y)) for x, y in zip(series.xs, series.ys, strict=True) if x)
        assert near[1] < 0.1
