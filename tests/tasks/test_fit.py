"""Fits in Python: known answers, every loss, what is no minimum, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.kernel.errors import DataError, DomainError, UsageError
from gdcli.kernel.status import Status


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """Linear data with heavy tails, labels of both spellings, and counts."""
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, 500))
    y = 1.5 * x - 0.7 * z + 0.3 + rng.standard_t(2, size=500)
    label = (rng.uniform(size=500) < 1 / (1 + np.exp(-(1.5 * x - 0.7 * z + 0.3)))).astype(float)
    return {
        "x": x,
        "z": z,
        "y": y,
        "t": label,
        "u": 2 * label - 1,
        "k": rng.poisson(np.exp(0.5 * x + 0.2)).astype(float),
        "w": rng.uniform(0.2, 3.0, size=500),
    }


def least_squares(data: dict[str, Any], weights: Any = 1.0) -> Any:
    matrix = np.stack([data["x"], data["z"], np.ones(500)], axis=1)
    root = np.sqrt(weights * np.ones(500))
    return np.linalg.lstsq(matrix * root[:, None], data["y"] * root, rcond=None)[0]


def test_a_linear_model_needs_no_start(data: dict[str, Any]) -> None:
    fit = api.fit("y ~ a*x + b*z + c", data)
    assert fit.status is Status.CONVERGED
    assert list(fit.point.values()) == pytest.approx(least_squares(data), rel=1e-12)
    assert fit.value == pytest.approx(
        np.sum((data["y"] - np.stack([data["x"], data["z"], np.ones(500)], 1) @ least_squares(data)) ** 2),
        rel=1e-13,
    )
    assert fit.mean_loss == fit.value / 500


@pytest.mark.parametrize("method", ["newton", "lbfgs", "bfgs", "cg", "bb", "gd", "adam", "batch", "lm"])
def test_every_method_ends_at_the_least_squares(data: dict[str, Any], method: str) -> None:
    rate = {"adam": 0.1, "gd": 0.3}.get(method)
    fit = api.fit("y ~ a*x + b*z + c", data, method=method, lr=rate)
    assert fit.status is Status.CONVERGED, fit.message
    accuracy = 1e-2 if method == "batch" else 1e-6
    assert list(fit.point.values()) == pytest.approx(least_squares(data), rel=accuracy)


def test_weights_and_sigma_are_two_spellings(data: dict[str, Any]) -> None:
    weighted = api.fit("y ~ a*x + b*z + c", data, weights="w")
    assert list(weighted.point.values()) == pytest.approx(least_squares(data, data["w"]), rel=1e-11)
    by_sigma = api.fit("y ~ a*x + b*z + c", {**data, "s": data["w"] ** -0.5}, sigma="s")
    assert list(by_sigma.point.values()) == pytest.approx(list(weighted.point.values()), rel=1e-11)
    assert by_sigma.value == pytest.approx(weighted.value, rel=1e-12)


@pytest.mark.parametrize("loss", ["absolute", "huber"])
def test_robust_losses_end_lower_than_a_simplex(data: dict[str, Any], loss: str) -> None:
    optimize = pytest.importorskip("scipy.optimize")

    def total(p: Any) -> float:
        r = np.abs(data["y"] - p[0] * data["x"] - p[1] * data["z"] - p[2])
        return float(np.sum(r if loss == "absolute" else np.where(r <= 1, r * r, 2 * r - 1)))

    fit = api.fit("y ~ a*x + b*z + c", data, loss=loss)
    found = optimize.minimize(
        total, [1, 1, 1], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12}
    )
    assert fit.status is Status.CONVERGED
    assert fit.value <= found.fun + 1e-6
    assert fit.value == pytest.approx(total(list(fit.point.values())), rel=1e-12)


def test_labels_of_both_spellings_and_the_typed_loss_agree(data: dict[str, Any]) -> None:
    fits = [
        api.fit("t ~ a*x + b*z + c", data, loss="logistic"),
        api.fit("u ~ a*x + b*z + c", data, loss="logistic"),
        api.fit("log(1+exp(-u*(a*x+b*z+c)))", data, {"a": 0, "b": 0, "c": 0}),
        api.fit("-log(1+exp(-u*(a*x+b*z+c)))", data, {"a": 0, "b": 0, "c": 0}, maximize=True),
    ]
    for fit in fits:
        assert fit.status is Status.CONVERGED
        assert list(fit.point.values()) == pytest.approx(list(fits[0].point.values()), rel=1e-7)
    assert fits[3].value == pytest.approx(-fits[0].value, rel=1e-12)


def test_poisson_regression_and_its_likelihood_agree(data: dict[str, Any]) -> None:
    one = api.fit("k ~ exp(a*x+b)", data, {"a": 0, "b": 0}, loss="poisson")
    other = api.fit("k*(a*x+b) - exp(a*x+b)", data, {"a": 0, "b": 0}, maximize=True)
    assert one.status is other.status is Status.CONVERGED
    assert list(one.point.values()) == pytest.approx(list(other.point.values()), rel=1e-8)
    rate = np.exp(one.point["a"] * data["x"] + one.point["b"])
    assert np.sum((data["k"] - rate) * data["x"]) == pytest.approx(0.0, abs=1e-8)


def test_separable_labels_have_no_answer(data: dict[str, Any]) -> None:
    fit = api.fit("t ~ a*x + c", {"x": data["x"], "t": (data["x"] > 0).astype(float)}, loss="logistic")
    assert fit.status is Status.DIVERGED
    assert "at infinity" in fit.message


def test_the_units_of_the_data_change_nothing(data: dict[str, Any]) -> None:
    start = {"a": 1.0, "b": 0.1, "c": 1.0}
    curve = 2 * np.exp(-0.8 * data["w"]) + 0.5 + 0.05 * data["z"]
    for factor in (1e-12, 1.0, 1e12):
        fit = api.fit(
            "y ~ a*exp(-b*w)+c",
            {"w": data["w"], "y": factor * curve},
            {**start, "a": factor, "c": factor},
        )
        scaled = [fit.point["a"] / factor, fit.point["b"], fit.point["c"] / factor]
        assert fit.status is Status.CONVERGED
        if factor == 1e-12:
            first = scaled
        assert scaled == pytest.approx(first, rel=1e-8)


def test_a_perfect_fit_converges(data: dict[str, Any]) -> None:
    fit = api.fit("y ~ a*exp(b*x)", {"x": data["x"], "y": 2 * np.exp(0.3 * data["x"])}, {"a": 1, "b": 0})
    assert fit.status is Status.CONVERGED
    assert list(fit.point.values()) == pytest.approx([2.0, 0.3], rel=1e-14)


def test_bounds_hold_the_answer_and_say_so(data: dict[str, Any]) -> None:
    fit = api.fit("y ~ a*x + b*z + c", data, bounds={"a": (None, 1.0)})
    assert fit.status is Status.CONVERGED
    assert fit.point["a"] == 1.0
    assert [held.name for held in fit.active] == ["a"]
    slope = 2 * np.sum((data["y"] - data["x"] - fit.point["b"] * data["z"] - fit.point["c"]) * data["x"])
    assert fit.active[0].multiplier == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(
    ("model", "options", "error", "says"),
    [
        ("y ~ a*exp(b*x)", {"epochs": 3}, UsageError, "leaves out a, b"),
        ("y ~ a*exp(b*x)", {"start": {"a": 1}, "epochs": 3}, UsageError, "leaves out b"),
        ("y ~ a*x", {"start": {"q": 1}}, UsageError, "not a parameter"),
        ("y ~ a*x", {"loss": "hinge"}, UsageError, "unknown loss"),
        ("y ~ a*x", {"huber_delta": 2.0}, UsageError, "--huber-delta"),
        ("y ~ a*x", {"weights": "q"}, UsageError, "no column q"),
        ("y ~ a*x", {"weights": "w", "sigma": "w"}, UsageError, "does not go with"),
        ("y ~ a*x", {"maximize": True}, UsageError, "--maximize"),
        ("y*a*x", {"loss": "squared", "start": {"a": 1}}, UsageError, "with ~"),
        ("y ~ a*x", {"columns": {"X": "q*"}}, UsageError, "no column is called"),
        ("y ~ X @ v", {}, UsageError, "X is not a matrix of columns of the data"),
        ("y ~ a*x", {"banana": 1}, UsageError, "unknown option"),
        ("y ~ a*x", {"gradient": "forward"}, UsageError, "exact gradients"),
        ("y ~ a", {"bounds": {"b": (0, 1)}}, UsageError, "not a parameter"),
        ("x ~ a*y", {"loss": "logistic"}, DataError, "labels"),
        ("x ~ a*y", {"loss": "poisson", "start": {"a": 1}}, DataError, "counts"),
        ("y ~ a*x", {"sigma": "x"}, DataError, "x = -"),
        ("y ~ log(a*x)", {"start": {"a": 1}}, DomainError, "row"),
    ],
)
def test_what_is_refused(data: dict[str, Any], model: str, options: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        api.fit(model, data, **options)


def test_columns_that_the_model_does_not_name_may_be_anything() -> None:
    data = {"x": [1, 2, 3], "y": [2, 4, 6], "note": ["a", "b", "c"], "gap": [1.0, float("nan"), 2.0]}
    assert api.fit("y ~ a*x", data).point["a"] == pytest.approx(2.0)


def test_a_level_may_have_the_name_of_a_column() -> None:
    data = {"g": ["u", "w", "u", "w"], "w": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 2.0, 1.0, 2.0]}
    assert api.fit("y ~ a + C(g)", data).point == pytest.approx({"a": 1.0, "g_w": 1.0})


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        ({}, "there are no columns", "data are columns by name"),
        ({"x": ["a", "b"], "y": [1, 2]}, "the column x is no list of numbers: ", ""),
        ({"x": [[1], [2, 3]], "y": [1, 2]}, "the column x is no list of numbers: ", ""),
        ({"x": [1, 2], "y": [1]}, "not arrays of one length", r"x has shape \(2,\), y has shape \(1,\)"),
        ({"x": [], "y": []}, "not arrays of one length", r"x has shape \(0,\)"),
    ],
)
def test_data_at_hand_that_are_none(data: Any, message: str, hint: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        api.fit("y ~ a*x", data)
    assert re.match(hint, caught.value.hint)


def test_a_start_outside_the_domain_names_row_and_place(data: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as caught:
        api.fit("y ~ b + sqrt(x - a)", {"x": [1.0, 2.0, -3.0], "y": [1.0, 2.0, 3.0]}, {"a": 0, "b": 0})
    assert "row 3" in caught.value.message
    assert "x - a = -3" in caught.value.message
    span = caught.value.span
    assert span is not None
    assert span.text[span.start : span.end] == "sqrt(x - a)"


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("y ~ a*exp(-b*w)+c", {}),
        ("y ~ a*exp(-b*w)+c", {"start": ("b=1", "auto")}),
        ("y ~ a*exp(-b*w)+c", {"loss": "absolute"}),
        ("y ~ a*exp(-b*w)+c", {"bounds": {"b": (0.1, 5.0)}}),
        ("k ~ exp(a*x+b)", {"loss": "poisson"}),
    ],
)
def test_a_start_is_searched_for(data: dict[str, Any], model: str, options: Any) -> None:
    rng = np.random.default_rng(4)
    curve = 2 * np.exp(-0.8 * data["w"]) + 0.5 + 0.01 * rng.normal(size=500)
    columns = {**data, "y": curve}
    if "start" in options:
        fit = _fit_of_texts(model, columns, options["start"])
    else:
        fit = api.fit(model, columns, "auto", **options)
    assert fit.status is Status.CONVERGED
    assert fit.problem.searched.agreeing > 0
    if "y" in model:
        assert list(fit.point.values()) == pytest.approx([2.0, 0.8, 0.5], rel=0.05)


def _fit_of_texts(model: str, columns: dict[str, Any], start: tuple[str, ...]) -> Any:
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import FitRequest
    from gdcli.tasks.fit.solve_fit import solve

    with prepared(FitRequest(model, data=columns, start=start)) as ready:
        return solve(ready)


def test_a_typed_loss_is_not_searched(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--start auto"):
        api.fit("(y-a*x)**2", data, "auto")


def test_a_saddle_of_redundant_parameters_is_left() -> None:
    x = np.linspace(0, 5, 30)
    y = 5 - 2 * x + 0.1 * np.random.default_rng(0).normal(size=30)
    fit = api.fit("y ~ a*c*x + b", {"x": x, "y": y}, {"a": 1, "b": 1, "c": 1})
    assert fit.status is Status.WRONG_KIND
    assert "only a*c matters" in fit.message
    assert fit.point["a"] * fit.point["c"] == pytest.approx(-2, abs=0.05)


@pytest.mark.parametrize(
    "y", [[1.0, 3, 4, 8], [1.0, 3, 4], [2.0] * 4, [2.0], [1.0, 1, 2, 2], [0.0, 0, 5, 5, 5, 9]]
)
def test_a_median_is_any_least_sum_of_absolute_deviations(y: list[float]) -> None:
    fit = api.fit("y ~ a", {"y": np.array(y)}, loss="absolute")
    assert fit.status is Status.CONVERGED, fit.message
    assert fit.value == pytest.approx(np.abs(np.array(y) - np.median(y)).sum(), rel=1e-14)
