"""A fit does not depend on the units of its columns: its numbers change as they must, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import exp
from random import Random
from typing import Any, NamedTuple

import nist
import pytest

from gdcli import api
from gdcli.kernel.status import Status

X = [0.5 + 0.5 * i for i in range(24)]
UNITS = [(1e8, 1.0), (1e-8, 1.0), (1.0, 1e8), (1.0, 1e-8)]


class Case(NamedTuple):
    """A model with data, a start, and the powers of the units of x and y in each parameter."""

    model: str
    x: list[float]
    y: list[float]
    start: dict[str, float]
    powers: dict[str, tuple[float, float]]


def case(name: str) -> Case:
    """Return a case by its name, with noise."""
    model, f, sd, start, powers = MODELS[name]
    random = Random(name)
    return Case(model, X, [f(x) + random.gauss(0.0, sd) for x in X], start, powers)


def of_nist(name: str, powers: dict[str, tuple[float, float]]) -> Case:
    """Return a case of NIST's."""
    (problem,) = [p for p in nist.PROBLEMS if p["name"] == name]
    data = nist.columns(problem)
    return Case(problem["model"], data["x"], data["y"], problem["start2"], powers)


MODELS: dict[str, Any] = {
    "line": ("y ~ a*x+b", lambda x: 2 * x + 1, 0.3, {"a": 1.0, "b": 1.0}, {"a": (-1, 1), "b": (0, 1)}),
    "decay": (
        "y ~ a*exp(-b*x)+c",
        lambda x: 5 * exp(-0.7 * x) + 1,
        0.05,
        {"a": 1.0, "b": 1.0, "c": 0.0},
        {"a": (0, 1), "b": (-1, 0), "c": (0, 1)},
    ),
    "Michaelis and Menten": (
        "y ~ V*x/(K+x)",
        lambda x: 4 * x / (2 + x),
        0.05,
        {"V": 3.0, "K": 1.0},
        {"V": (0, 1), "K": (1, 0)},
    ),
    "logistic": (
        "y ~ L/(1+exp(-k*(x-m)))",
        lambda x: 3 / (1 + exp(-1.2 * (x - 6))),
        0.03,
        {"L": 2.0, "k": 1.0, "m": 5.0},
        {"L": (0, 1), "k": (-1, 0), "m": (1, 0)},
    ),
    "Gaussian": (
        "y ~ h*exp(-((x-m)/s)**2)+c",
        lambda x: 3 * exp(-(((x - 6) / 1.5) ** 2)) + 0.5,
        0.03,
        {"h": 2.0, "m": 5.0, "s": 2.0, "c": 0.0},
        {"h": (0, 1), "m": (1, 0), "s": (1, 0), "c": (0, 1)},
    ),
}
CASES = {name: case(name) for name in MODELS} | {
    "Misra1a": of_nist("Misra1a", {"b1": (0, 1), "b2": (-1, 0)}),
    "Misra1b": of_nist("Misra1b", {"b1": (0, 1), "b2": (-1, 0)}),
    "Chwirut2": of_nist("Chwirut2", {"b1": (-1, 0), "b2": (0, -1), "b3": (-1, -1)}),
}


def factors(powers: Mapping[str, tuple[float, float]], of_x: float, of_y: float) -> dict[str, float]:
    """Return by what each parameter is multiplied when the columns are."""
    return {name: of_x**a * of_y**b for name, (a, b) in powers.items()}


def scaled(data: Mapping[str, list[float]], of_x: float, of_y: float) -> dict[str, list[float]]:
    """Return the columns in other units."""
    return {name: [{"x": of_x, "y": of_y}[name] * a for a in column] for name, column in data.items()}


def told(fit: api.Outcome) -> Any:
    """What is said, without the numbers."""
    number = r"-?\d[\d.e+-]*( iterations?)?"
    return fit.status, *(re.sub(number, "#", text) for text in (fit.message, *fit.warnings))


@pytest.mark.every(3)
@pytest.mark.parametrize(("of_x", "of_y"), UNITS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("loss", "start"), [("squared", "given"), ("squared", "auto"), ("huber", "given"), ("absolute", "given")]
)
def test_columns_in_other_units(name: str, of_x: float, of_y: float, loss: str, start: str) -> None:
    model, x, y, begin, powers = CASES[name]

    def fit(u: float, v: float) -> Any:
        by = factors(powers, u, v)
        first: Any = "auto" if start == "auto" else {n: a * by[n] for n, a in begin.items()}
        options = {"huber_delta": 0.1 * v} if loss == "huber" else {}
        return api.fit(model, scaled({"x": x, "y": y}, u, v), first, loss=loss, **options)

    as_it_was, now, by = fit(1.0, 1.0), fit(of_x, of_y), factors(powers, of_x, of_y)
    assert told(now) == told(as_it_was)
    for n, a in as_it_was.point.items():
        assert now.point[n] / by[n] == pytest.approx(a, rel=1e-7)
    if loss == "squared":
        before, after = as_it_was.statistics, now.statistics
        assert after.r_squared == pytest.approx(before.r_squared, abs=1e-12)
        for k, n in enumerate(as_it_was.point):
            errors = [s.errors.standard_errors[k] for s in (before, after)]
            assert errors[1] / by[n] == pytest.approx(errors[0], rel=1e-7)


@pytest.mark.parametrize(("of_x", "of_y"), UNITS)
@pytest.mark.parametrize("name", MODELS)
def test_groups_in_other_units(name: str, of_x: float, of_y: float) -> None:
    model, x, y, begin, powers = CASES[name]

    def fits(u: float, v: float) -> list[Any]:
        by = factors(powers, u, v)
        both = scaled({"x": x + x, "y": y + y[::-1]}, u, v)
        columns = {**both, "g": ["a"] * len(x) + ["b"] * len(x)}
        return list(api.fit_groups(model, columns, "g", {n: a * by[n] for n, a in begin.items()}))

    by = factors(powers, of_x, of_y)
    first = fits(1.0, 1.0)[0]
    now = fits(of_x, of_y)[0]
    assert now.outcome.status is first.outcome.status
    for n, a in first.outcome.point.items():
        assert now.outcome.point[n] / by[n] == pytest.approx(a, rel=1e-7)


@pytest.mark.parametrize("of_x", [1.0, 1e8, 1e-8])
def test_what_cannot_be_told_apart_is_named_in_any_unit(of_x: float) -> None:
    x, y = CASES["decay"].x, [5 * exp(-0.7 * a) + 0.01 * (-1) ** k for k, a in enumerate(X)]
    start = {"a": 4.0, "b": 0.2 / of_x, "c": 0.3 / of_x}
    found = api.fit("y ~ a*exp(-(b+c)*x)", {"x": [of_x * a for a in x], "y": y}, start)
    assert found.status.value == "wrong-kind"
    assert found.statistics is not None
    assert any("b + c" in text for text in found.statistics.errors.redundant)


@pytest.mark.parametrize("of_y", [1.0, 1e8, 1e-8])
@pytest.mark.parametrize("of_x", [1.0, 1e8, 1e-8])
def test_a_saddle_between_equal_terms_is_left_in_any_unit(of_x: float, of_y: float) -> None:
    y = [2 * exp(-1.3 * x) + exp(-0.2 * x) + 0.01 * (-1) ** k for k, x in enumerate(X)]
    start = {"a": of_y, "b": 1 / of_x, "c": of_y, "d": 1 / of_x}
    data = scaled({"x": X, "y": y}, of_x, of_y)
    found = api.fit("y ~ a*exp(-b*x) + c*exp(-d*x)", data, start)
    assert found.status.value == "converged"
    assert sorted(found.point[n] * of_x for n in "bd") == pytest.approx([0.2, 1.3], rel=0.1)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "moved"),
    [("line", {"b": ("a", -1.0)}), ("logistic", {"m": (None, 1.0)}), ("Gaussian", {"m": (None, 1.0)})],
)
def test_a_column_with_another_zero(name: str, moved: dict[str, tuple[str | None, float]]) -> None:
    model, x, y, begin, _ = CASES[name]
    far = 1e6

    def with_zero(point: Mapping[str, Any]) -> dict[str, float]:
        shift = {n: factor * far * (point[of] if of else 1.0) for n, (of, factor) in moved.items()}
        return {n: a + shift.get(n, 0.0) for n, a in point.items()}

    as_it_was = api.fit(model, {"x": x, "y": y}, begin)
    now = api.fit(model, {"x": [a + far for a in x], "y": y}, with_zero(begin))
    assert told(now) == told(as_it_was)
    for n, a in with_zero(as_it_was.point).items():
        assert now.point[n] == pytest.approx(a, rel=1e-7)


@pytest.mark.parametrize("loss", ["absolute", "huber"])
@pytest.mark.parametrize("unit", [1.0, 1e-8, 1e8, 1e-3])
def test_a_power_in_other_units_from_ones(unit: float, loss: str) -> None:
    drawn = Random(1)
    x = [0.5 + 0.25 * i for i in range(30)]
    y = [2.5 * a**1.7 * (1.0 + 0.05 * drawn.gauss(0.0, 1.0)) for a in x]
    start = {"a": 1.0, "b": 1.0}
    typed = api.fit("y ~ a*x**b", {"x": x, "y": y}, start, loss=loss)
    found = api.fit("y ~ a*x**b", {"x": [unit * a for a in x], "y": y}, start, loss=loss)
    assert found.status is typed.status is Status.CONVERGED
    assert found.point["b"] == pytest.approx(typed.point["b"], rel=1e-7)
    assert found.value == pytest.approx(typed.value, rel=1e-9)
