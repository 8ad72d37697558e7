"""NIST's eleven linear reference sets: coefficients, standard errors, residual deviation and R squared to 9 digits."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from typing import Any

import nist
import pytest

from gdcli import api

FOLDER = Path(__file__).parent.parent / "data" / "nist_linear"
PROBLEMS: list[dict[str, Any]] = json.loads((FOLDER / "nist_linear.json").read_text())["problems"]
# Filip's columns of powers have a condition number of 1e15.
DIGITS = 9

pytestmark = pytest.mark.numerical


@pytest.mark.parametrize("problem", PROBLEMS, ids=[p["name"] for p in PROBLEMS])
def test_a_linear_set_has_nine_digits(problem: dict[str, Any]) -> None:
    fit = api.fit(problem["model"], str(FOLDER / f"{problem['name']}.csv"))
    found = fit.statistics
    assert fit.status.value == "converged"
    assert found is not None
    assert nist.digits(list(fit.point.values()), problem["certified"]) > DIGITS
    errors = [inf if e is None else e for e in found.errors.standard_errors]
    if problem["residual_sd"] == 0.0:
        assert found.exact
        assert set(errors) == {0.0}
        return
    assert nist.digits(errors, problem["standard_errors"]) > DIGITS
    assert nist.digits([found.residual_sd or inf], [problem["residual_sd"]]) > DIGITS
    assert nist.digits([found.r_squared or inf], [problem["r_squared"]]) > DIGITS
    about_zero = problem["r_squared_about_zero"]
    assert found.r_squared_about_zero == (about_zero and pytest.approx(about_zero, rel=1e-12))


@pytest.mark.parametrize(
    ("model", "without"),
    [("y ~ a*x", True), ("y ~ a + b*x", False), ("y ~ a*x + 2*b", False), ("y ~ a*exp(-b*x)", False)],
)
def test_r_squared_about_zero_is_that_of_linear_models_without_a_constant(model: str, without: bool) -> None:
    data = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.1, 1.9, 3.2, 3.9]}
    found = api.fit(model, data, start={"a": 1.0} | ({"b": 0.1} if "b" in model else {})).statistics
    assert found is not None
    assert (found.r_squared_about_zero is not None) is without


def test_both_kinds_of_r_squared_are_named_and_groups_have_them(tmp_path: Path) -> None:
    data = {"x": [1.0, 2.0, 3.0] * 2, "y": [1.1, 1.9, 3.2, 3.9, 4.0, 5.1], "g": [0.0] * 3 + [1.0] * 3}
    together = list(api.fit_groups("y ~ a*x", data, "g"))
    for k, group in enumerate(together):
        rows = slice(3 * k, 3 * k + 3)
        alone = api.fit("y ~ a*x", {"x": data["x"][rows], "y": data["y"][rows]}).statistics
        statistics = None if group.outcome is None else group.outcome.statistics
        assert alone is not None
        assert statistics is not None
        assert statistics.r_squared_about_zero == pytest.approx(alone.r_squared_about_zero, rel=1e-12)
