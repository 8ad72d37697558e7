"""Objectives that are sums over rows: their derivatives against numpy's own formulas, in one block or in many."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_in_memory import Arrays

from gdcli.kernel.errors import UsageError
from gdcli.language.losses import LOSSES, Numbers
from gdcli.language.model_text import parse_model, sort_names
from gdcli.objective import row_objective as rows
from gdcli.objective.row_model import AskedLoss, Weighting, build_row_model
from gdcli.objective.row_objective import RowObjective


def objective(text: str, data: Arrays, matrices: Any = None, **options: Any) -> RowObjective:
    model = parse_model(text)
    names = sort_names(model, data.names, matrices or {}, options.get("constants", {}), {})
    return RowObjective(build_row_model(model, names, options.pop("constants", {}), **options), data)


def decay(rows: int = 300) -> Arrays:
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 3, rows)
    return Arrays(
        x=x, y=2 * np.exp(-1.3 * x) + 0.5 + 0.1 * rng.normal(size=rows), w=rng.uniform(0.5, 2, rows)
    )


def differences(f: Any, x: Any, h: float = 1e-6) -> Any:
    return np.array([(f(x + d) - f(x - d)) / (2 * h) for d in h * np.eye(len(x))])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighting", [None, Weighting("w", "weights")])
def test_derivatives_of_every_loss(loss: str, weighting: Weighting | None) -> None:
    data = decay()
    if loss == "logistic":
        data.columns[1] = (data.columns[1] > 1).astype(float)
    if loss == "poisson":
        data.columns[1] = np.floor(2 * data.columns[1])
    made = objective(
        "y ~ a*exp(-b*x)+c", data, loss=loss, weighting=weighting, asked=AskedLoss(Numbers(delta=0.15))
    )
    at = made.vector([1.7, 1.1, 0.4])

    def value(p: Any) -> float:
        return made.evaluate(made.vector(p)).value

    def slope(p: Any) -> Any:
        return np.array(made.evaluate(made.vector(p), 1).gradient)

    found = made.evaluate(at, 2)
    assert np.allclose(found.gradient, differences(value, np.array(at)), rtol=1e-6, atol=1e-7)
    if loss not in ("absolute", "huber"):  # their slopes jump from row to row
        assert np.allclose(found.hessian, differences(slope, np.array(at)), rtol=1e-6, atol=1e-6)
        direction = made.vector([0.3, -1.0, 2.0])
        assert np.allclose(made.product(found, direction), np.array(found.hessian) @ np.array(direction))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 2**32))
def test_blocks_change_nothing(rows_: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = Arrays(x=rng.normal(size=rows_), y=rng.normal(size=rows_))
    at = rng.normal(size=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", 10**9)
        whole = objective("y ~ a*sin(x) + b", data).evaluate(at, 2)
        patch.setattr(rows, "BLOCK", size)
        patch.setattr(rows, "PIECE", size)
        made = objective("y ~ a*sin(x) + b", data)
        parts = made.evaluate(at, 2)
        assert np.allclose(whole.value, parts.value, rtol=1e-13)
        assert np.allclose(whole.gradient, parts.gradient, rtol=1e-10, atol=1e-13)
        assert np.allclose(whole.hessian, parts.hessian, rtol=1e-10, atol=1e-13)
        triangle = made.linearise(parts)
    assert triangle is not None
    J = np.stack([-np.sin(data.columns[0]), -np.ones(rows_)], axis=1) / np.sqrt(rows_)
    r = (data.columns[1] - at[0] * np.sin(data.columns[0]) - at[1]) / np.sqrt(rows_)
    step = rng.normal(size=2)
    left = np.sum((J @ step + r) ** 2)
    right = np.sum((np.array(triangle.factor) @ step + triangle.target) ** 2) + triangle.residual_norm**2
    assert left == pytest.approx(right, rel=1e-10, abs=1e-13)


def test_the_second_derivative_of_residuals_along_a_direction() -> None:
    data = decay()
    made = objective("y ~ a*exp(-b*x)+c", data)
    a, b, c, v = 1.7, 1.1, 0.4, np.array([0.3, -1.0, 2.0])
    x = data.columns[0]
    J = -np.stack([np.exp(-b * x), -a * x * np.exp(-b * x), np.ones_like(x)], axis=1)
    bend = -(2 * v[0] * v[1] * -x * np.exp(-b * x) + v[1] ** 2 * a * x**2 * np.exp(-b * x))
    assert np.allclose(made.second(made.evaluate(made.vector([a, b, c])), v), J.T @ bend / len(x))


def test_a_matrix_is_the_sum_of_its_columns() -> None:
    rng = np.random.default_rng(1)
    x1, x2, y = rng.normal(size=(3, 40))
    data = Arrays(y=y, x1=x1, x2=x2)
    short = objective("y ~ X @ w + b", data, {"X": ("x1", "x2")})
    long = objective("y ~ x1*p + x2*q + b", data)
    at = [0.5, -0.2, 1.0]
    assert short.evaluate(short.vector(at), 2)[1:] == long.evaluate(long.vector(at), 2)[1:]


def test_sigma_divides_the_residual() -> None:
    data = decay(50)
    made = objective("y ~ a*x", data, weighting=Weighting("w", "sigma"))
    x, y, s = data.columns
    assert made.evaluate(made.vector([0.3])).value == pytest.approx(
        np.mean(((y - 0.3 * x) / s) ** 2), rel=1e-13
    )


@pytest.mark.parametrize("text", ["y ~ X + a", "y ~ X*a", "y ~ a @ X", "y ~ X[0]*a", "y ~ X @ (a+1)"])
def test_a_matrix_stands_only_before_the_at(text: str) -> None:
    with pytest.raises(UsageError):
        objective(text, Arrays(y=[1.0], x1=[1.0], x2=[2.0]), {"X": ("x1", "x2")})


def test_what_is_not_finite_is_outside() -> None:
    made = objective("y ~ log(a*x)", decay())
    assert made.evaluate(made.vector([-1.0])).value == float("inf")
    assert made.evaluate(made.vector([-1.0]), 1).gradient is None


@pytest.mark.parametrize(
    ("text", "loss"),
    [("y ~ a*exp(-b*x)+c", "squared"), ("y ~ a*exp(-b*x)+c", "huber"), ("z ~ a*x+b*w+c", "logistic")],
)
def test_machine_code_sums_what_numpy_sums(text: str, loss: str) -> None:
    pytest.importorskip("llvmlite")
    data = decay(50_000)
    data.columns.append((data.columns[1] > 1).astype(float))
    data.names = (*data.names, "z")
    plain = objective(text, data, loss=loss)
    native = RowObjective(replace(plain.row, engine="native"), data)
    assert (plain.engine, native.engine) == ("numpy", "native")
    at = plain.vector([1.7, 1.1, 0.4])
    one, other = plain.evaluate(at, 2), native.evaluate(at, 2)
    assert other.value == pytest.approx(one.value, rel=1e-12)
    assert np.allclose(other.gradient, one.gradient, rtol=1e-10, atol=1e-14)
    assert np.allclose(other.hessian, one.hessian, rtol=1e-10, atol=1e-14)
    direction = plain.vector([0.3, -1.0, 2.0])
    assert np.allclose(native.product(other, direction), plain.product(one, direction), rtol=1e-10)
    assert native.evaluate(at, 1)[1:3] == native.evaluate(at, 1)[1:3]


def test_the_engine_follows_from_the_rows_and_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(rows, "NATIVE_ROWS", 300)
    row = replace(objective("y ~ a*x", decay(300)).row, engine="auto")
    assert RowObjective(row, decay(300)).engine == "native"
    assert RowObjective(row, decay(299)).engine == "numpy"
    from gdcli.compile import machine_code

    monkeypatch.setattr(machine_code, "is_installed", lambda: False)
    assert RowObjective(row, decay(300)).engine == "numpy"
