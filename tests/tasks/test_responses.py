"""Fits of several responses, ``--model``: against the likelihood, one response alone, refusals."""

from __future__ import annotations

import csv
import json
import random
from math import exp, log, pi
from pathlib import Path
from typing import Any

import pytest

from gdcli import api
from gdcli.cli.app import run
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.status import Status

ONE, OTHER = "y1 ~ A*exp(-k*t)", "y2 ~ B*(1 - exp(-k*t))"
START = {"A": 1.0, "k": 1.0, "B": 10.0}


def kinetics(rows: int = 20, seed: int = 0) -> dict[str, list[float]]:
    draw = random.Random(seed)
    t = [0.25 * (i + 1) for i in range(rows)]
    y1 = [3.0 * exp(-0.7 * a) + draw.gauss(0.0, 0.05) for a in t]
    y2 = [30.0 * (1.0 - exp(-0.7 * a)) + draw.gauss(0.0, 2.0) for a in t]
    return {"t": t, "y1": y1, "y2": y2}


@pytest.mark.numerical
def test_it_is_the_greatest_likelihood_with_a_variance_for_each() -> None:
    """The sum of n log RSS is minimised by `gd minimize`, too, and AIC counts both variances."""
    data = kinetics()
    found = api.fit(ONE, data, START, models=[OTHER])
    sums = [
        " + ".join(f"({y} - {f.replace('t', repr(t))})^2" for t, y in zip(data["t"], data[name], strict=True))
        for name, f in (("y1", "A*exp(-k*t)"), ("y2", "B*(1 - exp(-k*t))"))
    ]
    sums = [
        text.replace(f"exp(-k*{t!r})", f"exp(-k*{t!r})") for text, t in zip(sums, data["t"], strict=False)
    ]
    whole = api.minimize(f"10*log({sums[0]}) + 10*log({sums[1]})", {"A": 3.0, "k": 0.7, "B": 30.0})
    assert found.point == pytest.approx({n: whole.point[n] for n in found.point}, rel=1e-6)
    parts = found.responses
    minus_two_log = sum(p.rows * (log(2.0 * pi) + 1.0 + log(p.value / p.rows)) for p in parts)
    assert found.statistics.aic == pytest.approx(minus_two_log + 2 * 5, rel=1e-9)
    assert [p.response for p in parts] == ["y1", "y2"]


def test_known_standard_deviations_are_those_of_one_fit_to_all_residuals() -> None:
    """The same rows below each other, with a column that says which response each is of."""
    data = kinetics()
    found = api.fit(ONE, data, START, models=[OTHER], sigma="y1=0.05*(1 + max(t, 1)), y2=2")
    below = {"t": data["t"] * 2, "y": data["y1"] + data["y2"], "second": [0.0] * 20 + [1.0] * 20}
    sigma = "where(second > 0, 2, 0.05*(1 + max(t, 1)))"
    one = api.fit("y ~ where(second > 0, B*(1 - exp(-k*t)), A*exp(-k*t))", below, START, sigma=sigma)
    assert found.point == pytest.approx({name: one.point[name] for name in found.point}, rel=1e-9)
    assert found.statistics is not None
    assert one.statistics is not None
    for ours, theirs in (
        (
            found.statistics.errors.standard_errors[0],
            one.statistics.errors.standard_errors[one.space.names.index("A")],
        ),
        (found.statistics.chi_square_p, one.statistics.chi_square_p),
        (found.statistics.aic, one.statistics.aic),
        (found.value, one.value),
    ):
        assert ours == pytest.approx(theirs, rel=1e-8)
    alike = [api.fit(ONE, data, START, models=[OTHER], sigma=text) for text in ("0.5", "y1=0.5,y2=1/2")]
    assert alike[0].point == alike[1].point


def test_responses_that_share_nothing_are_fitted_as_alone() -> None:
    data = kinetics(seed=3)
    both = api.fit(ONE, data, START | {"j": 1.0}, models=[OTHER.replace("k", "j")])
    one = api.fit(ONE, data, {"A": 1.0, "k": 1.0})
    other = api.fit(OTHER, data, {"B": 10.0, "k": 1.0})
    assert both.status is Status.CONVERGED
    assert (both.point["A"], both.point["k"]) == pytest.approx((one.point["A"], one.point["k"]), rel=1e-7)
    assert (both.point["B"], both.point["j"]) == pytest.approx((other.point["B"], other.point["k"]), rel=1e-7)
    assert [p.value for p in both.responses] == pytest.approx([one.value, other.value], rel=1e-9)
    assert [p.r_squared for p in both.responses] == pytest.approx(
        [one.statistics.r_squared, other.statistics.r_squared], rel=1e-9
    )


def test_the_unit_of_a_response_does_not_matter() -> None:
    data = kinetics(seed=5)
    found = api.fit(ONE, data, START, models=[OTHER])
    larger = data | {"y2": [1e6 * y for y in data["y2"]]}
    other = api.fit(ONE, larger, START | {"B": 1e7}, models=[OTHER])
    assert other.point["k"] == pytest.approx(found.point["k"], rel=1e-8)
    assert other.point["B"] == pytest.approx(1e6 * found.point["B"], rel=1e-8)


@pytest.mark.parametrize(
    ("models", "more", "told"),
    [
        (["y1 ~ A*t"], {}, "y1 has two models"),
        (["A*t"], {}, "models with ~"),
        ([OTHER], {"sigma": "y1=0.1"}, "--sigma leaves out y2"),
        ([OTHER], {"sigma": "y1=0.1,y2=t,y3=1"}, "--sigma: y3 is no response"),
        ([OTHER], {"sigma": "y1=0.1,y2=q"}, "there is no column q"),
        ([OTHER], {"sigma": "y1=0.1,y2=t-9"}, "the data:1: sigma_ = -8.75"),
        ([OTHER], {"weights": "t"}, "--weights does not go with several models"),
        ([OTHER], {"by": "t"}, "--by does not go with several models"),
        ([OTHER], {"derive": ["h=log(2)/k"]}, "--derive does not go with several models"),
        ([OTHER], {"intervals": "profile"}, "--intervals profile does not go with several models"),
        ([OTHER], {"prior": ["k ~ normal(1, 1)"]}, "--prior does not go with --model"),
        ([OTHER], {"diagnostics": True}, "--diagnostics does not go with --model"),
    ],
)
def test_what_cannot_be_asked(models: list[str], more: dict[str, Any], told: str) -> None:
    options = {"start": START, "models": models} | more
    with pytest.raises((UsageError, DataError), match=told):
        api.fit(ONE, kinetics(), **options)


def test_a_response_that_is_always_the_same_is_an_error() -> None:
    with pytest.raises(DataError, match="y2 is the same in all rows"):
        api.fit(ONE, kinetics() | {"y2": [1.0] * 20}, START, models=[OTHER])


def test_the_file_may_stand_first(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file, data = tmp_path / "k.csv", kinetics()
    lines = (",".join(map(repr, row)) for row in zip(*data.values(), strict=True))
    file.write_text(",".join(data) + "\n" + "\n".join(lines) + "\n")
    told = []
    for words in ([str(file), "--model", ONE], [ONE, str(file)]):
        assert run(["fit", *words, "--model", OTHER, "--start", "A=1,k=1,B=10"]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert "20 rows, each with 2 responses" in " ".join(told[0].split())
    assert "each response weighted by its own residual variance" in told[0]


def stacked(data: dict[str, list[float]]) -> dict[str, list[float]]:
    """The rows of both responses below each other."""
    return {"t": data["t"] * 2, "y": data["y1"] + data["y2"], "second": [0.0] * 20 + [1.0] * 20}


@pytest.mark.parametrize("interval", ["confidence", "prediction"])
@pytest.mark.parametrize("sigma", [None, "y1=0.05*(1 + t), y2=2"])
def test_each_response_is_predicted_as_by_one_fit_to_all_rows(interval: str, sigma: str | None) -> None:
    data, new = kinetics(), {"t": [0.5, 2.0, 9.0]}
    found = api.fit(ONE, data, START, models=[OTHER], sigma=sigma)
    rows = stacked(data)
    told: dict[str, Any] = {"sigma": "where(second > 0, 2, 0.05*(1 + t))"}
    if sigma is None:
        rows["w"] = [1.0 / found.responses[int(k)].residual_sd ** 2 for k in rows["second"]]
        told = {"weights": "w"}
    one = api.fit("y ~ where(second > 0, B*(1 - exp(-k*t)), A*exp(-k*t))", rows, START, **told)
    seen = api.predict(found, new, interval, 0.9)
    assert seen["extrapolated"].tolist() == [False, False, True]
    for number, side in enumerate(("y1", "y2")):
        given = new | {"second": [float(number)] * 3}
        if sigma is None:
            given["w"] = [1.0 / found.responses[number].residual_sd ** 2] * 3
        alone = api.predict(one, given, interval, 0.9)
        for name in ("fitted", "standard_error", "low", "high"):
            assert seen[f"{side}_{name}"] == pytest.approx(alone[name], rel=1e-6), (side, name)


def test_new_rows_are_predicted_from_the_stored_answer(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = kinetics()
    lines = (",".join(map(repr, row)) for row in zip(*data.values(), strict=True))
    Path("k.csv").write_text(",".join(data) + "\n" + "\n".join(lines) + "\n")
    Path("new.csv").write_text("place,t\nhere,1\nthere,7\n")
    fit = ["fit", "max(y1, -9) ~ A*exp(-k*t)", "k.csv", "--model", "y2 ~ B", "--start", "A=1,k=1,B=10"]
    assert run([*fit, "--format", "json", "--output", "fit.json"]) == 0
    Path("k.csv").unlink()
    assert run(["predict", "fit.json", "new.csv", "--format", "csv", "--interval", "prediction"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    parts = ("fitted", "standard_error", "low", "high")
    names = [f"{side}_{part}" for side in ("max(y1, -9)", "y2") for part in parts]
    assert list(rows[0]) == ["place", "t", *names, "extrapolated"]
    assert [row["extrapolated"] for row in rows] == ["0", "1"]
    assert run(["predict", "fit.json", "new.csv", "--format", "json", "--interval", "prediction"]) == 0
    text = capsys.readouterr().out
    told = json.loads(text)
    assert [part["response"] for part in told["responses"]] == ["max(y1, -9)", "y2"]
    for row, same in zip(rows, told["rows"], strict=True):
        assert [float(row[name]) for name in names] == [same[name] for name in names]
    assert run(["predict", "fit.json", "new.csv", "--interval", "prediction"]) == 0
    page = capsys.readouterr().out
    assert "and           y2 ~ B" in page
    assert page.count("± error") == 2
    assert "not shown" not in page
    assert max(map(len, page.splitlines())) <= 80
    assert "1 row lies beyond the rows" in page
    Path("told.json").write_text(text)
    assert run(["show", "told.json"]) == 0
    assert capsys.readouterr().out == page


def test_a_formula_without_columns_predicts_nothing_of_rows() -> None:
    with pytest.raises(UsageError, match="the formula reads no column"):
        api.predict(api.fit("y ~ c", {"y": [1.0, 2.0, 4.0]}), {"t": [1.0]})
