"""Fits that go through all points: all digits of the answer, and errors that are said to be zero but for rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.record.fits import fit_record
from gdcli.record.path_rows import Trail
from gdcli.render import fit_page
from gdcli.render.page import PLAIN, plain_text


def rows(kind: str, n: int) -> tuple[str, dict[str, Any], dict[str, float]]:
    """A model, its rows, and its exact parameters."""
    i = np.arange(float(n))
    kelvin = 273.15 + 0.37 * i
    made: dict[str, tuple[str, dict[str, Any], dict[str, float]]] = {
        "years": ("y ~ a*x + b", {"x": 2000 + i, "y": 2 * i + 1}, {"a": 2, "b": -3999}),
        "kelvin": ("y ~ a*k + b", {"k": kelvin, "y": 1.8 * kelvin - 459.67}, {"a": 1.8, "b": -459.67}),
        "seconds": ("y ~ a*t + b", {"t": 1.7e9 + i, "y": 3 * i + 5}, {"a": 3, "b": 5 - 3 * 1.7e9}),
        "quadratic": (
            "y ~ a*x**2 + b*x + c",
            {"x": 2000 + i, "y": i**2 + 3 * i + 1},
            {"a": 1, "b": -3997, "c": 3994001},
        ),
        "constant": ("y ~ a", {"y": np.full(n, 0.1)}, {"a": 0.1}),
        "level": ("y ~ a*x + b", {"x": 2000 + i, "y": np.full(n, 7.3)}, {"a": 0, "b": 7.3}),
        "nothing": ("y ~ a*x + b", {"x": 2000 + i, "y": np.zeros(n)}, {"a": 0, "b": 0}),
        "tiny": ("y ~ a*x + b", {"x": 1e-9 * i, "y": 3e-12 * i + 5e-13}, {"a": 3e-3, "b": 5e-13}),
    }
    return made[kind]


@pytest.mark.parametrize(
    "options", [{}, {"method": "lm"}, {"engine": "numpy"}, {"loss": "absolute"}], ids=str
)
@pytest.mark.parametrize("n", [2, 3, 10, 1000])
@pytest.mark.parametrize(
    "kind", ["years", "kelvin", "seconds", "quadratic", "constant", "level", "nothing", "tiny"]
)
def test_exact_rows_are_fitted_to_all_digits(kind: str, n: int, options: dict[str, Any]) -> None:
    model, data, exact = rows(kind, n)
    if n < len(exact):
        return
    fit = api.fit(model, data, **options)
    assert fit.status is Status.CONVERGED, fit.message
    columns = [v for k, v in data.items() if k != "y"]
    basis = (
        np.stack([*(columns[0] ** k for k in range(1, len(exact))), np.ones(n)])
        if columns
        else np.ones((1, n))
    )
    lengths = np.linalg.norm(basis, axis=1)
    condition = np.linalg.cond((basis / lengths[:, None]).T)
    size = max(abs(v) * length for v, length in zip(exact.values(), lengths, strict=True))
    for length, (name, value) in zip(lengths, exact.items(), strict=True):
        assert fit.point[name] == pytest.approx(value, abs=10 * condition * 2.0**-52 * size / length)
    if n > len(exact) and "loss" not in options:
        assert fit.statistics is not None
        assert fit.statistics.errors.standard_errors == (0.0,) * len(exact)
        assert fit.statistics.errors.reason.startswith("zero but for rounding")
        assert fit.statistics.aic is None
        assert fit.statistics.exact
        told = plain_text(fit_page.page(fit_record(fit), Trail(1, len(exact), None), 100, PLAIN))
        assert "value         zero but for rounding (sum of squares)" in told
        assert "residuals     zero but for rounding (" in told


@pytest.mark.parametrize("kind", ["years", "kelvin", "seconds", "quadratic", "level", "tiny"])
def test_digits_that_rounding_leaves_open_are_not_shown(kind: str) -> None:
    model, data, exact = rows(kind, 10)
    fit = api.fit(model, data)
    errors = fit.certificate.errors
    assert errors is not None
    table = plain_text(fit_page.parameters(fit_record(fit), 80, PLAIN))
    for error, (name, value) in zip(errors, exact.items(), strict=True):
        assert abs(fit.point[name] - value) <= 4 * error
        shown = next(line.split()[1] for line in table.splitlines() if line.split()[:1] == [name])
        assert float(shown) == pytest.approx(value, rel=1e-9, abs=10 * error)
        assert len(shown) <= 12


@pytest.mark.parametrize("kind", ["years", "kelvin", "quadratic", "level", "tiny"])
@pytest.mark.parametrize("options", [{"loss": "absolute"}, {"sigma": "s"}], ids=str)
def test_neither_loss_nor_sigma_shows_digits_of_rounding(kind: str, options: dict[str, Any]) -> None:
    model, data, exact = rows(kind, 10)
    fit = api.fit(model, data | {"s": np.linspace(1.0, 3.0, 10)}, **options)
    told = " ".join(
        plain_text(fit_page.page(fit_record(fit), Trail(1, len(exact), None), 100, PLAIN)).split()
    )
    assert "value zero but for rounding (sum of" in told
    assert ("chi-square zero but for rounding, p = 1" in told) == ("sigma" in options)
    assert fit.value < 1e-7


def test_a_parameter_held_by_its_bound_has_no_blur() -> None:
    model, data, _ = rows("level", 10)
    fit = api.fit(model, data, bounds={"a": (0.0, 1.0)})
    assert fit.certificate.errors is not None
    assert " 0\n" in plain_text(fit_page.parameters(fit_record(fit), 80, PLAIN))


def test_groups_are_judged_as_alone() -> None:
    model, data, exact = rows("years", 10)
    noise = np.random.default_rng(1).standard_normal(10)
    both = {
        "g": np.repeat([1.0, 2.0], 10),
        "x": np.tile(data["x"], 2),
        "y": np.concatenate((data["y"], data["y"] + noise)),
    }
    found = list(api.fit_groups(model, both, "g"))
    assert [fit.status for fit in found] == ["converged", "converged"]
    first, second = (fit.outcome for fit in found)
    assert first is not None
    assert second is not None
    assert first.point == pytest.approx(exact)
    assert first.unknown_errors.startswith("zero but for rounding")
    assert not second.unknown_errors


def test_known_sigmas_have_errors_however_well_the_model_fits() -> None:
    model, data, _ = rows("years", 10)
    fit = api.fit(model, data | {"s": np.full(10, 0.1)}, sigma="s")
    assert fit.status is Status.CONVERGED
    assert fit.statistics is not None
    slope = 0.1 / np.sqrt(((data["x"] - data["x"].mean()) ** 2).sum())
    assert fit.statistics.errors.standard_errors[0] == pytest.approx(slope)


def test_residuals_above_rounding_are_no_rounding() -> None:
    """A thousandth of a millionth of the measured values is noise as any other."""
    model, data, _ = rows("years", 10)
    noise = 1e-9 * np.random.default_rng(2).standard_normal(10)
    fit = api.fit(model, data | {"y": data["y"] + noise})
    assert fit.status is Status.CONVERGED
    assert not fit.unknown_errors
    assert fit.statistics is not None
    assert fit.statistics.residual_sd == pytest.approx(1e-9, rel=0.5)


@pytest.mark.parametrize("kind", ["years", "kelvin", "quadratic", "level", "tiny"])
def test_rows_that_a_model_goes_through_are_no_kink_of_huber(kind: str) -> None:
    model, data, exact = rows(kind, 10)
    fit = api.fit(model, data, loss="huber")
    assert fit.status is Status.CONVERGED, fit.message
    assert list(fit.point.values()) == pytest.approx(list(exact.values()), rel=1e-4, abs=1e-9)


def test_machine_code(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite")
    monkeypatch.setenv("GDCLI_CACHE_DIR", str(tmp_path))
    model, data, exact = rows("kelvin", 1000)
    fit = api.fit(model, data, engine="native")
    assert fit.status is Status.CONVERGED
    assert fit.point == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("c", [0.0, 1.0])
@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_a_sine_along_a_line_is_no_minimum(c: float, unit: float) -> None:
    """a*sin(b*x + c) comes as near to the line as one likes while a grows and b falls: there is no best fit."""
    x = [i / 7 for i in range(10)]
    data = {"x": [unit * v for v in x], "y": [2.0 * v + 1.0 for v in x]}
    found = api.fit("y ~ a*sin(b*x + c)", data, {"a": 1.0, "b": 1.0 / unit, "c": c})
    assert found.value < 1e-12
    assert found.status.value in ("diverged", "wrong-kind")  # far out the parameters make up for each other
    assert found.certificate.kind != "minimum"
    assert found.certificate.gap is None
