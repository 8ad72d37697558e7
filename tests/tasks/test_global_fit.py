"""gd fit --global: the least sum of squares within the bounds of the parameters, enclosed, and checked by gd verify."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.cli.app import run
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Status
from gdcli.tasks.fit.global_fit import bounded_fit
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import FitRequest
from tests.effort import WHOLE, examples

X = np.linspace(0.0, 8.0, 24)
NOISE = 0.1 * np.cos(17.0 * np.arange(24.0) ** 2)
EVERYDAY: dict[str, tuple[str, Any, dict[str, tuple[float, float]]]] = {
    "line": ("y ~ a*x + b", 2 * X + 1, {"a": (-10, 10), "b": (-10, 10)}),
    "decay": ("y ~ a*exp(-b*x) + c", 3 * np.exp(-0.7 * X) + 1, {"a": (-10, 10), "b": (0, 5), "c": (-10, 10)}),
    "wave": ("y ~ a*sin(b*x + c)", 2 * np.sin(1.5 * X + 0.5), {"a": (0, 5), "b": (0, 4), "c": (-3.2, 3.2)}),
    "Michaelis and Menten": ("y ~ v*x/(k + x)", 3 * X / (1.2 + X), {"v": (0, 20), "k": (0.01, 20)}),
    "power": ("y ~ a*(x + 1)**b", 2 * (X + 1) ** 0.7, {"a": (0, 10), "b": (-3, 3)}),
    "logistic": (
        "y ~ m/(1 + exp(-k*(x - t)))",
        5 / (1 + np.exp(1.3 * (4 - X))),
        {"m": (0, 20), "k": (0, 5), "t": (0, 9)},
    ),
    "two exponentials": (
        "y ~ a*exp(-b*x) + c*exp(-d*x)",
        3 * np.exp(-0.3 * X) + 2 * np.exp(-2 * X),
        {"a": (0, 10), "b": (0, 1), "c": (0, 10), "d": (1, 5)},
    ),
}
QUICK = ("line", "decay", "wave", "Michaelis and Menten")


def rows(name: str) -> dict[str, Any]:
    return {"x": X, "y": EVERYDAY[name][1] + NOISE}


@pytest.mark.parametrize("name", EVERYDAY if WHOLE else QUICK)
def test_everyday_models_are_enclosed(name: str) -> None:
    model, _, bounds = EVERYDAY[name]
    found = api.fit_globally(model, rows(name), bounds)
    assert found.status is Status.CONVERGED
    proof = found.globally
    assert proof is not None
    assert proof.lower <= found.value <= proof.upper * (1 + 1e-12)
    assert proof.upper - proof.lower <= 1e-6
    local = api.fit(model, rows(name), "auto", bounds=bounds)
    assert local.value >= proof.lower
    assert found.statistics is not None
    assert any(
        all(a - 1e-7 <= x <= b + 1e-7 for a, x, b in zip(box.low, found.run.best.at.x, box.high, strict=True))
        for box in proof.boxes
    )


def test_a_lower_valley_than_that_of_the_start_is_found() -> None:
    """From b near 0.3 the fit of a wave ends far above the least sum of squares."""
    data = rows("wave")
    worse = api.fit("y ~ a*sin(b*x + c)", data, {"a": 1.0, "b": 3.4, "c": 0.0}, bounds=EVERYDAY["wave"][2])
    found = api.fit_globally("y ~ a*sin(b*x + c)", data, EVERYDAY["wave"][2])
    assert found.globally is not None
    assert worse.value > 10 * found.globally.upper


def test_weights_and_deviations_count() -> None:
    sigma = 1.0 + X
    data = rows("decay") | {"s": sigma, "w": 1.0 / sigma**2}
    model, _, bounds = EVERYDAY["decay"]
    known = api.fit_globally(model, data, bounds, sigma="s")
    weighted = api.fit_globally(model, data, bounds, weights="w")
    assert known.globally is not None
    assert weighted.globally is not None
    assert known.globally.upper == pytest.approx(weighted.globally.upper, rel=1e-12)
    assert known.value == pytest.approx(api.fit(model, data, "auto", sigma="s").value, rel=1e-9)


@cache
def _decay_on_boxes() -> Any:
    request = FitRequest(
        "y ~ a*exp(-b*x)", data={"x": X[::6], "y": EVERYDAY["decay"][1][::6]}, start=("1,1",)
    )
    with prepared(request) as ready:
        return bounded_fit(ready).function


@given(
    low=st.tuples(*[st.floats(-3, 3)] * 2),
    sides=st.tuples(*[st.floats(0, 4)] * 2),
    part=st.tuples(*[st.floats(0, 1)] * 2),
)
@settings(max_examples=examples(150), deadline=None)
def test_bounds_hold_every_sum_of_squares(low: Any, sides: Any, part: Any) -> None:
    request = FitRequest(
        "y ~ a*exp(-b*x)", data={"x": X[::6], "y": EVERYDAY["decay"][1][::6]}, start=("1,1",)
    )
    with prepared(request) as ready:
        function = bounded_fit(ready).function
    a, b = np.array(low)[:, None], (np.array(low) + sides)[:, None]
    at = np.clip(a + np.array(part)[:, None] * (b - a), a, b)
    truth = math.fsum(
        (y - at[0, 0] * math.exp(-at[1, 0] * x)) ** 2
        for x, y in zip(X[::6], EVERYDAY["decay"][1][::6], strict=True)
    )
    slack = 1e-13 * truth
    for order in (0, 1, 2):
        value = function.evaluate(a, b, order).value
        assert value[0][0] - slack <= truth <= value[1][0] + slack


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"loss": "huber"}, "encloses sums of squares, not --loss huber"),
        ({"subject_to": ["a*b <= 1"]}, "no constraints but bounds"),
        ({"batch_size": 4, "max_iter": 3}, "all rows at a time"),
        ({"bounds": {"a": (0, 1)}}, "needs bounds on every parameter: b, c have none"),
    ],
)
def test_what_cannot_be_enclosed_is_refused(more: dict[str, Any], told: str) -> None:
    model, _, bounds = EVERYDAY["decay"]
    with pytest.raises(UsageError, match=told):
        api.fit_globally(model, rows("decay"), **{"bounds": bounds, **more})
    with pytest.raises(UsageError, match="up to 4 parameters, and there are 5"):
        api.fit_globally("y ~ a + b*x + c*x**2 + d*x**3 + e1*x**4", rows("decay"), {"all": (-1, 1)})


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    lines = [
        "x,y",
        *(f"{x!r},{y!r}" for x, y in zip(X.tolist(), (EVERYDAY["decay"][1] + NOISE).tolist(), strict=True)),
    ]
    (folder / "d.csv").write_text("\n".join(lines) + "\n")
    words = [
        "--global",
        "--bounds",
        "a=0:10,b=0:5,c=-5:5",
        "--format",
        "json",
        "--output",
        str(folder / "a.json"),
    ]
    assert run(["fit", "y ~ a*exp(-b*x) + c", str(folder / "d.csv"), *words]) == 0
    return folder


def test_the_page_tells_the_enclosure(stored: Path, capsys: Any) -> None:
    assert run(["show", str(stored / "a.json")]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "to the global minimum within the bounds; that is proved by intervals" in page
    assert "global minimum in [" in page
    assert "1 may hold a global minimum, proved to hold exactly one" in page


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda answer: None, 0),
        (lambda answer: answer["global"].update(lower=answer["global"]["lower"] + 1e-9), 9),
        (lambda answer: answer["global"].update(upper=answer["global"]["upper"] - 1e-9), 9),
        (lambda answer: answer["global"].update(cover=None), 9),
        (lambda answer: answer["global"].update(boxes=[]), 9),
        (lambda answer: answer["point"].update(a=answer["point"]["a"] + 1e-6), 9),
        (lambda answer: answer["problem"].update(expression="y ~ a*exp(-b*x) + c + 0.001*x"), 9),
        (lambda answer: answer["problem"]["bounds"].update(a=[0.0, 11.0]), 9),
        (lambda answer: answer["problem"].update(weights="x"), 9),
    ],
)
def test_verify_holds_it_against_the_data(stored: Path, change: Change, code: int) -> None:
    answer = json.loads((stored / "a.json").read_text())
    change(answer)
    (stored / "changed.json").write_text(json.dumps(answer))
    assert run(["verify", str(stored / "changed.json")]) == code


def test_other_data_are_noticed(stored: Path, tmp_path: Path) -> None:
    answer = (stored / "a.json").read_text().replace(str(stored / "d.csv"), str(tmp_path / "d.csv"))
    (tmp_path / "a.json").write_text(answer)
    (tmp_path / "d.csv").write_text((stored / "d.csv").read_text().replace("y\n0.0,4", "y\n0.0,5"))
    assert run(["verify", str(tmp_path / "a.json")]) == 9


def test_options_that_are_not_read_are_refused(stored: Path, capsys: Any) -> None:
    asked = ["fit", "y ~ a*x", str(stored / "d.csv"), "--global", "--bounds", "a=0:1"]
    assert run([*asked, "--method", "lm"]) == 2
    assert "--global does not read --method" in capsys.readouterr().err
    assert run([*asked, "--by", "x"]) == 2


def test_problem_files_have_it(stored: Path, capsys: Any) -> None:
    file = stored / "p.toml"
    asked = f'expression = "y ~ a*x + b"\ndata = "{stored / "d.csv"}"\nbounds = "all=-9:9"\nglobal = true\n'
    file.write_text(f'[p]\ncommand = "fit"\n{asked}')
    assert run(["run", str(file), "--format", "json"]) == 0
    assert '"global": {"lower"' in capsys.readouterr().out
