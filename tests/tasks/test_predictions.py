"""Predictions by a fit: bands against formulas, from a stored answer alone, and what cannot be predicted."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.cli.app import run
from gdcli.judge.distributions import student_t_quantile
from gdcli.kernel.errors import UsageError

# Ezekiel, Methods of Correlation Analysis, 1930 (R's data set cars): speed in miles an hour, stopping distance in feet.
SPEED = [4, 4, 7, 7, 8, 9, *[10] * 3, 11, 11, *[12] * 4, *[13] * 4, *[14] * 4, 15, 15, 15, 16, 16, 17, 17, 17]
SPEED += [*[18] * 4, 19, 19, 19, *[20] * 5, 22, 23, *[24] * 4, 25]
DIST = [
    2,
    10,
    4,
    22,
    16,
    10,
    18,
    26,
    34,
    17,
    28,
    14,
    20,
    24,
    28,
    26,
    34,
    34,
    46,
    26,
    36,
    60,
    80,
    20,
    26,
    54,
    32,
    40,
]
DIST += [32, 40, 50, 42, 56, 76, 84, 36, 46, 68, 32, 48, 52, 56, 64, 66, 54, 70, 92, 93, 120, 85]
CARS = {"speed": SPEED, "dist": DIST}
T48 = 2.0106347576242322  # the 97.5 % quantile of Student's t with 48 degrees of freedom, by mpmath


def by_formula(x: Any) -> tuple[Any, Any, Any]:
    """The line, its standard error and that of one more row (Draper and Smith, section 1.4)."""
    s, d = np.array(SPEED, float), np.array(DIST, float)
    about = ((s - s.mean()) ** 2).sum()
    b = ((s - s.mean()) * (d - d.mean())).sum() / about
    line = d.mean() + b * (x - s.mean())
    variance = ((d - d.mean() - b * (s - s.mean())) ** 2).sum() / 48
    part = 1 / 50 + (x - s.mean()) ** 2 / about
    return line, np.sqrt(variance * part), np.sqrt(variance * (1 + part))


@pytest.fixture(scope="module")
def line() -> Any:
    return api.fit("dist ~ a + b*speed", CARS)


def test_the_bands_of_cars(line: Any) -> None:
    new = {"speed": np.array([3.0, 5.0, 12.0, 21.0, 30.0])}
    fitted, error, wide = by_formula(new["speed"])
    for interval, reach in (("confidence", error), ("prediction", wide)):
        found = api.predict(line, new, interval)
        assert found["fitted"] == pytest.approx(fitted, rel=1e-11)
        assert found["standard_error"] == pytest.approx(error, rel=1e-11)
        assert found["low"] == pytest.approx(fitted - T48 * reach, rel=1e-9)
        assert found["high"] == pytest.approx(fitted + T48 * reach, rel=1e-9)
        assert found["extrapolated"].tolist() == [True, False, False, False, True]


def test_bands_of_an_ill_conditioned_polynomial_have_their_digits() -> None:
    """What the covariance cancels is nothing to its factor."""
    x = np.linspace(100.0, 110.0, 30)
    y = 1.0 + np.sin(x)
    found = api.fit("y ~ a + b*x + c*x**2 + d*x**3", {"x": x, "y": y})
    u = (x - 105.0) / 5.0
    same = api.fit("y ~ a + b*u + c*u**2 + d*u**3", {"u": u, "y": y})
    places = np.array([101.3, 104.0, 112.0])
    one, other = api.predict(found, {"x": places}), api.predict(same, {"u": (places - 105.0) / 5.0})
    assert one["standard_error"] == pytest.approx(other["standard_error"], rel=1e-5)


def test_a_stored_answer_is_enough(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{s},{d},{1 + s % 3}" for s, d in zip(SPEED, DIST, strict=True))
    Path("cars.csv").write_text(f"speed,dist,w\n{rows}\n")
    Path("new.csv").write_text("place,speed,w\nhere,5,2\nthere,40,1\n")
    words = [
        "fit",
        "dist ~ f + c*part",
        "cars.csv",
        "--let",
        "part=speed**k/10",
        "--set",
        "k=2",
        "--weights",
        "w",
    ]
    assert run([*words, "--format", "json", "--output", "fit.json"]) == 0
    Path("cars.csv").unlink()
    assert run(["predict", "fit.json", "new.csv", "--interval", "prediction", "--format", "csv"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head == "place,speed,w,fitted,standard_error,low,high,extrapolated"
    assert (first[:9], first[-1], second[-1]) == ("here,5,2,", "0", "1")
    assert run(["predict", "fit.json", "new.csv", "--format", "json", "--level", "0.5"]) == 0
    text = capsys.readouterr().out
    told = json.loads(text)
    outcome = api.fit(
        "dist ~ f + c*part",
        CARS | {"w": [1 + s % 3 for s in SPEED]},
        let=["part=speed**k/10"],
        constants={"k": 2},
        weights="w",
    )
    wanted = api.predict(outcome, {"speed": [5.0, 40.0]}, level=0.5)
    for name, values in wanted.items():
        assert [row[name] for row in told["rows"]] == pytest.approx(values.tolist())
    wide = api.predict(outcome, {"speed": [5.0], "w": [2.0]}, "prediction")
    sd = outcome.statistics.residual_sd  # type: ignore[union-attr]
    reach = T48 * sqrt(wide["standard_error"][0] ** 2 + sd**2 / 2)  # type: ignore[operator]
    assert float(first.split(",")[-2]) == pytest.approx(wide["fitted"][0] + reach, rel=1e-9)
    Path("told.json").write_text(text)
    assert run(["show", "told.json"]) == 0
    assert "1 row lies beyond the rows" in capsys.readouterr().out


def test_probabilities_stay_between_0_and_1() -> None:
    x = np.linspace(-3.0, 3.0, 40)
    label = (np.sin(7.0 * x) + x > 0.0) * 1.0
    found = api.fit("label ~ a + b*x", {"x": x, "label": label}, loss="logistic")
    band = api.predict(found, {"x": np.array([-9.0, 0.0, 9.0])})
    assert ((band["low"] > 0.0) & (band["low"] < band["fitted"])).all()
    assert ((band["fitted"] < band["high"]) & (band["high"] < 1.0)).all()
    with pytest.raises(
        UsageError, match="needs the standard deviation of a row, and the loss logistic tells none"
    ):
        api.predict(found, {"x": [1.0]}, "prediction")


def test_a_block_may_have_none_of_the_rows_that_are_kept(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("t,y\n" + "".join(f"{t},{t * 7 % 5}\n" for t in range(40)))
    asked = ["--rows", "t >= 1", "--format", "csv"]
    fit = ["fit", "y ~ a + b*t", "t.csv", "--format", "json", "--output", "fit.json"]
    assert run([*fit, "--rows", "t >= 1", "--predict", "copy.csv"]) == 0
    assert run(["predict", "fit.json", "t.csv", *asked, "--output", "new.csv"]) == 0
    copy, new = (Path(name).read_text().splitlines() for name in ("copy.csv", "new.csv"))
    assert (copy[1].split(",")[:3], len(copy), len(new)) == (["0", "0", ""], 41, 41)
    assert copy[2].split(",")[2] == new[2].split(",")[2] != ""


def test_each_row_is_predicted_by_its_group(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        f"{run_},{t},{10 - k - t + (7 * t + k) % 3 / 9}" for t in range(6) for k, run_ in enumerate("abc")
    ]
    Path("all.csv").write_text("\n".join(["run,t,y", *rows]))
    new = [("c", 2.5), ("a", 9.0), ("c", 0.5), ("b", 4.0)]
    Path("new.csv").write_text("t;run\n" + "".join(f"{t};{k}\n".replace(".", ",") for k, t in new))
    written_out = "y ~ a + C(run, own) + (b + {})*t"
    for share, model in (
        ([], written_out.format("C(run, slope)")),
        (["--share", "b"], written_out.format("0")),
    ):
        fit = [
            "fit",
            "y ~ a + b*t",
            "all.csv",
            "--by",
            "run",
            *share,
            "--format",
            "jsonl",
            "--output",
            "by.jsonl",
        ]
        assert run(fit) == run(["fit", model, "all.csv", "--format", "json", "--output", "one.json"]) == 0
        capsys.readouterr()
        found = []
        for file, interval in (
            ("by.jsonl", "confidence"),
            ("one.json", "confidence"),
            ("by.jsonl", "prediction"),
        ):
            words = ["new.csv", "--decimal", ",", "--interval", interval, "--format", "json"]
            assert run(["predict", file, *words]) == 0
            found.append(json.loads(capsys.readouterr().out)["rows"])
        assert [(row["run"], row["t"]) for row in found[0]] == new
        for by_group, by_one, wide in zip(*found, strict=True):
            assert by_group["fitted"] == pytest.approx(by_one["fitted"], rel=1e-9)
            assert wide["low"] < by_group["low"] < by_group["fitted"] < by_group["high"] < wide["high"]
            if share:  # one variance of a row, and one number of degrees of freedom
                assert by_group["standard_error"] == pytest.approx(by_one["standard_error"], rel=1e-9)
                assert by_group["high"] == pytest.approx(by_one["high"], rel=1e-9)
        assert [row["extrapolated"] for row in found[0]] == [False, True, False, False]
        assert (
            run(["predict", "by.jsonl", "new.csv", "--decimal", ",", "--rows", 't < 4 and run != "a"']) == 0
        )
        assert capsys.readouterr().out.count("\nc") == 2
    shared = api.fit("y ~ a + b*t", ["all.csv"], by=["run"], share=["b"])
    again = api.predict(shared, {"run": [k for k, _ in new], "t": [t for _, t in new]})
    assert again["high"] == pytest.approx([row["high"] for row in found[0]], rel=1e-12)


LINE = ["fit", "dist ~ a + b*speed", "cars.csv"]


@pytest.mark.parametrize("loss", ["poisson", "negative-binomial", "gamma"])
def test_bands_of_positive_means_are_those_of_their_logarithm(loss: str) -> None:
    """As the band of a + b*x is, brought to counts by exp."""
    x = np.linspace(0.0, 3.0, 30)
    data = {"x": x, "k": np.round(4.0 * np.exp(-x) + np.sin(9.0 * x) ** 2) + (loss == "gamma")}
    found = api.fit("k ~ exp(a + b*x)", data, {"a": 1.0, "b": -0.5}, loss=loss, derive=["at = a + 6*b"])
    band = api.predict(found, {"x": [6.0]})
    (line,) = found.derived
    assert line.interval is not None
    assert (band["low"][0], band["high"][0]) == pytest.approx(np.exp(line.interval[:2]), rel=1e-9)
    assert band["low"][0] > 0.0


def test_weights_of_new_rows_are_made_of_their_columns() -> None:
    """The variance of a new row is that of its own weight, also where this is an expression."""
    x = np.linspace(1.0, 4.0, 12)
    data = {"x": x, "y": 1.0 + 2.0 * x + 0.2 * x * np.cos(9.0 * x)}
    found = api.fit("y ~ a + b*x", data, weights="1/x**2")
    assert found.statistics is not None
    sd = found.statistics.residual_sd
    assert sd is not None
    new = np.array([1.5, 3.0])
    band, mean = (api.predict(found, {"x": new}, kind) for kind in ("prediction", "confidence"))
    quantile = student_t_quantile(0.95, 10.0)
    reach = quantile * np.sqrt(mean["standard_error"] ** 2 + (sd * new) ** 2)
    assert band["high"] - band["fitted"] == pytest.approx(reach, rel=1e-9)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fit.json", "other.csv"], "the new rows have no column speed"),
        (
            ["known.json", "new.csv", "--interval", "prediction"],
            "prediction needs --sigma 's/2' of each new row",
        ),
        (["fit.json", "new.csv", "--columns", "v=x*"], "--columns names columns here"),
        (["fit.json", "new.csv", "--sheet", "1"], "--sheet is for workbooks"),
        (["by.json", "new.csv"], "new.csv has no column run"),
        (["by.json", "runs.csv"], "runs.csv:3: run = thu: no such group was fitted"),
        (["by.json", "cars.csv", "--rows", "speeed > 1"], "there is no column speeed"),
        (["by.json", "bad.csv"], "bad.csv:2:5: column speed: 'x' is not a number"),
        (["fit.json", "new.csv", "--level", "95"], "--level is a probability between 0 and 1, not 95"),
        (["fit.json", "new.csv", "--level", "0"], "--level is a probability"),
        (["fit.json", "new.csv", "--interval", "confidense"], "confidence"),
        (["min.json", "new.csv"], "min.json is no answer of gd fit"),
        (["schema.json", "new.csv"], "its schema is gd.result/9, not gd.result/1"),
        (["new.csv", "new.csv"], "new.csv:1: not JSON"),
        (
            ["exact.json", "new.csv", "--interval", "confidence"],
            "exact.json has no covariance of the parameters",
        ),
    ],
)
def test_one_clear_error(words: list[str], told: str, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cars.csv").write_text("speed,dist,run,s\n1,2,mon,1\n2,3,mon,1\n3,5,mon,2\n")
    Path("runs.csv").write_text("run,speed\nmon,2\nthu,3\n")
    Path("bad.csv").write_text("run,speed\nmon,x\n")
    Path("two.csv").write_text("speed,dist\n1,2\n2,3\n")
    Path("new.csv").write_text("speed\n5\n")
    Path("other.csv").write_text("pace\n5\n")
    for data, file in (("cars.csv", "fit.json"), ("two.csv", "exact.json")):
        run(["fit", "dist ~ a + b*speed", data, "--format", "json", "--output", file])
    run([*LINE, "--by", "run", "--format", "json", "--output", "by.json"])
    run([*LINE, "--sigma", "s/2", "--format", "json", "--output", "known.json"])
    run(["minimize", "x**2", "--start", "x=1", "--format", "json", "--output", "min.json"])
    Path("schema.json").write_text(Path("fit.json").read_text().replace("gd.result/1", "gd.result/9"))
    capsys.readouterr()
    assert run(["predict", *words]) in (2, 8)
    seen = capsys.readouterr()
    assert told in seen.err
    assert seen.err.count("error:") == 1


def test_the_picture_of_a_fit_has_the_bands(tmp_path: Path, monkeypatch: Any) -> None:
    from gdcli.cli import plot_option

    pytest.importorskip("matplotlib")
    drawn: list[Any] = []
    seen = plot_option.FitPlot.picture
    monkeypatch.setattr(
        plot_option.FitPlot, "picture", lambda *given: drawn.append(seen(*given)) or drawn[-1]
    )
    monkeypatch.chdir(tmp_path)
    Path("cars.csv").write_text(
        "speed,dist\n" + "".join(f"{s},{d}\n" for s, d in zip(SPEED, DIST, strict=True))
    )
    assert run(["fit", "dist ~ a + b*speed", "cars.csv", "--plot", "cars.svg"]) == 0
    wide, narrow = (s for s in drawn[0].panels[0].series if s.below is not None)
    assert (wide.label, narrow.label) == ("95 % prediction", "95 % confidence")
    line, error, whole = by_formula(np.array(narrow.xs))
    assert narrow.below == pytest.approx(line - T48 * error)
    assert wide.ys == pytest.approx(line + T48 * whole)
    assert "95 % confidence" in Path("cars.svg").read_text()
