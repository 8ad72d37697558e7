"""Where a fit has no minimum: parameters on their way to infinity are no answer, and are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.tasks.fit.fit_outcome import FitOutcome

X = np.linspace(0.0, 1.0, 12)
WAVE = 0.01 * np.sin(7.0 * np.arange(12.0) ** 2)
GROUP = (X > 0.5) * 1.0
COUNTS = {"y": np.array([2, 2, 3, 3, 3, 4, 0, 0, 0, 0, 0, 0.0]), "z": GROUP, "x": X}
DEAD = {"k": np.array([4, 5, 6, 4, 5, 6, 0, 0, 0, 0, 0, 0.0]), "z": GROUP, "x": X}
FLIGHT = (Status.DIVERGED, Status.STALLED, Status.WRONG_KIND)


def has_no_errors(found: FitOutcome, *names: str) -> bool:
    assert found.statistics is not None
    told = dict(zip(found.space.labels, found.statistics.errors.standard_errors, strict=True))
    return all(told[name] is None for name in names)


@pytest.mark.parametrize("b", [-1.0, -10.0, -25.0])
@pytest.mark.parametrize(
    ("model", "data", "options"),
    [
        ("y ~ exp(a + b*z)", COUNTS, {"loss": "poisson"}),
        ("y ~ exp(a + b*z)", COUNTS, {"loss": "negative-binomial"}),
        ("k ~ a + b*z + c*x", DEAD, {"loss": "binomial", "trials": "10"}),
    ],
)
def test_a_group_without_counts_has_no_coefficient(
    model: str, data: Any, options: dict[str, str], b: float
) -> None:
    start = {"a": 0.5, "b": b} | ({"c": 0.0} if "c*" in model else {})
    data = {name: values for name, values in data.items() if f"*{name}" in model or model[0] == name}
    found = api.fit(model, data, start, **options)
    assert found.status in FLIGHT
    assert has_no_errors(found, "b")
    if found.status is Status.DIVERGED:
        assert "The data do not determine b (" in found.message
        assert "--set" in found.advice


@pytest.mark.parametrize("scale", [1.0, 5.0, 100.0])
@pytest.mark.parametrize("b", [0.1, 1.0])
def test_a_curve_that_bends_the_other_way_has_no_rate(scale: float, b: float) -> None:
    y = scale * (2.0 * X + 0.1 * X**2 + WAVE)
    assert api.fit("y ~ a*log(1 + b*x)", {"x": X, "y": y}, {"a": scale, "b": b}).status in FLIGHT
    assert api.fit("y ~ a*(1 - exp(-b*x))", {"x": X, "y": y}, {"a": scale, "b": b}).status in FLIGHT


@pytest.mark.parametrize("scale", [1.0, 5.0, 20.0])
def test_growth_without_a_plateau_ends_at_the_numbers_not_at_a_minimum(scale: float) -> None:
    found = api.fit(
        "y ~ a*exp(-b*exp(-c*x))",
        {"x": X, "y": scale * np.exp(1.5 * X)},
        {"a": 10 * scale, "b": 3.0, "c": 1.0},
    )
    assert found.status is not Status.CONVERGED


def test_a_second_exponential_without_a_factor_has_no_rate() -> None:
    x = 100.0 * np.linspace(0.0, 1.0, 20)
    found = api.fit(
        "y ~ a*exp(-b*x) + c*exp(-d*x)", {"x": x, "y": 300.0 * np.exp(-2.0 * x / 100.0)}, start="auto"
    )
    assert found.status is not Status.CONVERGED


@pytest.mark.parametrize("at", [0.0, 1e9])
def test_zeros_of_good_fits_are_told(at: float) -> None:
    level = api.fit("y ~ a*x + b", {"x": at + X, "y": np.full(12, 7.25)})
    assert level.status is Status.CONVERGED
    line = api.fit("y ~ (a + b*x)/(1 + c*x)", {"x": X, "y": 1.0 + 2.0 * X}, {"a": 1.0, "b": 1.0, "c": 0.1})
    assert line.status is Status.CONVERGED
    small = api.fit(
        "y ~ exp(a + b*z)", {"y": COUNTS["y"] + 1.0, "z": GROUP * 1e-9}, {"a": 0.0, "b": 0.0}, loss="poisson"
    )
    assert small.status is Status.CONVERGED


def test_a_parameter_within_its_error_is_still_told() -> None:
    weak = api.fit("y ~ exp(a + b*x)", {"y": np.array([2.0, 3.0, 1.0, 2.0] * 3), "x": X}, loss="poisson")
    assert weak.status is Status.CONVERGED
    held = api.fit(
        "y ~ exp(a + b*z)",
        {n: COUNTS[n] for n in "yz"},
        {"a": 0.5, "b": -1.0},
        loss="poisson",
        bounds="b=-5:",
    )
    assert held.status is Status.CONVERGED
