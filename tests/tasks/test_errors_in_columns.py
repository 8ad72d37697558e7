"""Fits with errors in columns, ``--sigma-x``: known answers, all corrections as variables, limits, refusals."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.kernel.errors import DataError, UsageError
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.prepare import prepared
from gdcli.tasks.fit.request import request_from

# Pearson's data (Phil. Mag. 2, 1901) with York's weights (Can. J. Phys. 44, 1966).
PEARSON = {
    "x": [0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4],
    "y": [5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5],
    "sx": [w**-0.5 for w in (1000, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1)],
    "sy": [w**-0.5 for w in (1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500)],
}
# The first example of ODRPACK95's guide (Zwolak, Boggs, Watson, TOMS 33, 2007): x is exact in three of the rows.
ODRPACK = {
    "x": [0, 0, 5, 7, 7.5, 10, 16, 26, 30, 34, 34.5, 100],
    "y": [1265, 1263.6, 1258, 1254, 1253, 1249.8, 1237, 1218, 1220.6, 1213.8, 1215.5, 1212],
    "s": [0.0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0],
}
CURVE = "y ~ b1 + b2*(exp(b3*x) - 1)^2"
CURVE_START = {"b1": 1500.0, "b2": -50.0, "b3": -0.1}


def errors(found: Any) -> Any:
    return found.statistics.errors.standard_errors


@pytest.mark.numerical
def test_the_first_example_of_odrpack() -> None:
    found = api.fit(CURVE, ODRPACK, CURVE_START, sigma_x={"x": "s"})
    assert found.status.exit_code == 0
    assert list(found.point.values()) == pytest.approx(
        [1264.65481, -54.0184100, -0.0878497122], rel=2e-6
    )  # it stops there
    assert found.value == pytest.approx(21.44550, abs=5e-6)
    assert errors(found) == pytest.approx([1.03, 1.58, 6.33e-3], rel=5e-3)
    assert found.statistics.aic is None
    points = found.corrected.points["x"]
    assert [points[k] for k in (0, 1, 11)] == [0.0, 0.0, 100.0]


FOLDER = Path(__file__).parent.parent / "data" / "odrpack"


@pytest.mark.numerical
def test_the_second_example_of_odrpack_is_an_ellipse() -> None:
    """Both columns have errors, and the left side is all but exact. ODRPACK95 stops a little before."""
    found = api.fit(
        "0 ~ (b3*(u - b1)^2 + 2*b4*(u - b1)*(v - b2) + b5*(v - b2)^2 - 1)/1e-5",
        str(FOLDER / "example2.csv"),
        {"b1": -1.0, "b2": -3.0, "b3": 0.09, "b4": 0.02, "b5": 0.08},
        sigma_x=("u=1", "v=1"),
    )
    assert found.status.exit_code == 0
    told = {"b1": -0.999381804, "b2": -2.93104759, "b3": 0.0875730238, "b4": 0.0162299929, "b5": 0.0797537723}
    assert found.point == pytest.approx(told, rel=5e-6)
    assert found.value == pytest.approx(0.0882445616 + 2.5e-6, rel=1e-5)  # its penalty is still felt
    named = dict(zip(found.point, errors(found), strict=True))
    wanted = {"b1": 0.111, "b2": 0.110, "b3": 4.11e-3, "b4": 2.75e-3, "b5": 3.50e-3}
    assert named == pytest.approx(wanted, rel=5e-3)


@pytest.mark.numerical
def test_the_third_example_of_odrpack_has_two_responses() -> None:
    """A complex dielectric constant by frequency: both parts in one distance, by the matrix of their weights."""
    let = [
        "w = (2*pi*f*exp(-b3))^b4",
        "p = 1 + w*cos(b4*pi/2)",
        "q = w*sin(b4*pi/2)",
        "size = (b1 - b2)*(p^2 + q^2)^(-b5/2)",
        "off = re - b2 - size*cos(b5*atan(q/p))",
        "away = im - size*sin(b5*atan(q/p))",
    ]
    found = api.fit(
        "0 ~ sqrt(559.6*off^2 - 2*1634*off*away + 8397*away^2)",
        str(FOLDER / "example3.csv"),
        {"b1": 4.0, "b2": 2.0, "b3": 7.0, "b4": 0.4, "b5": 0.5},
        let=let,
        sigma_x="f=where(f > 150, 100*f, 0)",
        weights="where(f == 100, 0, where(f == 150, 0, 1))",
    )
    assert found.status.exit_code == 0
    told = {"b1": 4.37998803, "b2": 2.43330576, "b3": 8.00288459, "b4": 0.510114716, "b5": 0.517390233}
    assert found.point == pytest.approx(told, rel=1e-7)
    assert found.value == pytest.approx(0.420538922, rel=1e-8)


@pytest.mark.numerical
def test_a_line_with_errors_in_both_as_york_has_it() -> None:
    """York, Evensen, Lopez and De Basabe (Am. J. Phys. 72, 2004): also the errors at the adjusted points."""
    found = api.fit("y ~ a + b*x", PEARSON, sigma="sy", sigma_x={"x": "sx"})
    assert found.point == pytest.approx({"a": 5.47991022, "b": -0.480533407}, rel=1e-8)
    assert found.value == pytest.approx(11.8663532, rel=1e-8)
    assert errors(found) == pytest.approx([0.29497, 0.05799], abs=5e-5)


def test_one_ratio_of_errors_is_deming_s_line() -> None:
    """Deming, Statistical Adjustment of Data, 1943: the slope by sums of squares about the means."""
    x, y, ratio = PEARSON["x"], PEARSON["y"], 4.0
    n = len(x)
    mx, my = sum(x) / n, sum(y) / n
    xx, yy = sum((a - mx) ** 2 for a in x), sum((b - my) ** 2 for b in y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    slope = (yy - ratio * xx + math.sqrt((yy - ratio * xx) ** 2 + 4 * ratio * xy * xy)) / (2 * xy)
    found = api.fit("y ~ a + b*x", PEARSON, sigma_x={"x": "0.5"})  # variances of 1 and 1/4
    assert found.point["b"] == pytest.approx(slope, rel=1e-10)


LINES = st.lists(st.floats(-2.0, 2.0), min_size=6, max_size=6)


def _line(noise: list[float], slope: float) -> dict[str, list[float]]:
    x = [float(i) + 0.1 * a for i, a in enumerate(noise)]
    return {"x": x, "y": [1.0 + slope * i + 0.1 * b for i, b in enumerate(reversed(noise))]}


@settings(max_examples=examples(20), deadline=None)
@given(LINES, st.floats(0.3, 3.0), st.sampled_from([-1.0, 1.0]), st.floats(0.01, 10.0))
def test_swapping_x_and_y_of_a_line_gives_the_inverse_line(
    noise: list[float], slope: float, sign: float, size: float
) -> None:
    data = _line(noise, sign * slope)
    data |= {"sx": [size] * 6, "sy": [1.0 + 0.1 * i for i in range(6)]}
    one = api.fit("y ~ a + b*x", data, sigma="sy", sigma_x={"x": "sx"})
    other = api.fit("x ~ a + b*y", data, sigma="sx", sigma_x={"y": "sy"})
    a, b = one.point["a"], one.point["b"]
    assert other.point["b"] == pytest.approx(1.0 / b, rel=1e-7)
    assert other.point["a"] == pytest.approx(-a / b, rel=1e-7, abs=1e-7)
    assert other.value == pytest.approx(one.value, rel=1e-9, abs=1e-12)


@settings(max_examples=examples(12), deadline=None)
@given(LINES, st.floats(0.3, 3.0))
def test_tiny_errors_in_x_change_nothing(noise: list[float], slope: float) -> None:
    data = _line(noise, slope)
    plain, tiny = (api.fit("y ~ a + b*x + c*x^2", data, **more) for more in ({}, {"sigma_x": {"x": "1e-9"}}))
    assert tiny.point == pytest.approx(plain.point, rel=1e-7, abs=1e-9)
    assert tiny.value == pytest.approx(plain.value, rel=1e-7, abs=1e-20)
    assert errors(tiny) == pytest.approx(errors(plain), rel=1e-6, abs=1e-12)


TWO = {
    "x": [0.1, 0.9, 2.2, 2.9, 4.1],
    "z": [1.0, 2.1, 0.9, 1.8, 1.2],
    "y": [1.9, 3.1, 0.9, 1.4, 0.3],
}


def test_the_answer_is_that_of_all_corrections_as_variables() -> None:
    """Two columns with errors, and a curve: `gd minimize` with ten corrections beside the two parameters agrees."""
    found = api.fit("y ~ a*z*exp(-b*x)", TWO, {"a": 2.0, "b": 0.5}, sigma_x={"x": "0.3", "z": "0.1*z"})
    terms, start = [], {"a": 2.0, "b": 0.5}
    for i, (x, z, y) in enumerate(zip(TWO["x"], TWO["z"], TWO["y"], strict=True)):
        terms.append(f"({y} - a*({z} + {0.1 * z}*v{i})*exp(-b*({x} + 0.3*u{i})))^2 + u{i}^2 + v{i}^2")
        start |= {f"u{i}": 0.0, f"v{i}": 0.0}
    whole = api.minimize(" + ".join(terms), start)
    assert found.value == pytest.approx(whole.value, rel=1e-9)
    assert found.point == pytest.approx({"a": whole.point["a"], "b": whole.point["b"]}, rel=1e-6)
    moved = [x + 0.3 * whole.point[f"u{i}"] for i, x in enumerate(TWO["x"])]
    assert found.corrected.points["x"] == pytest.approx(moved, abs=1e-5)


def test_gradient_and_hessian_are_those_of_the_reduced_sum() -> None:
    request, asked = request_from(
        "y ~ a*z*exp(-b*x)", TWO, {"a": 2.0, "b": 0.5}, {"sigma_x": {"x": "0.3", "z": "0.1*z"}}
    )
    with prepared(request, asked) as ready:
        f, x, h = RowObjective(ready.row, ready.data), [2.2, 0.4], 1e-5
        at = f.evaluate(f.vector(x), 2)
        for i in range(2):
            low, high = ([v + s * h * (k == i) for k, v in enumerate(x)] for s in (-1, 1))
            below, above = f.evaluate(f.vector(low), 1), f.evaluate(f.vector(high), 1)
            assert at.gradient[i] == pytest.approx((above.value - below.value) / (2 * h), rel=1e-6)
            for k in range(2):
                slope = (above.gradient[k] - below.gradient[k]) / (2 * h)
                assert at.hessian[i][k] == pytest.approx(slope, rel=1e-6)


def test_points_near_a_circle_go_to_it() -> None:
    """A narrow valley: a constant that is all but exact on the left makes the relation implicit."""
    angles = [0.3, 1.1, 2.0, 2.9, 4.0, 5.2]
    data = {
        "x": [1.0 + (2.0 + 0.3 * (-1) ** k) * math.cos(t) for k, t in enumerate(angles)],
        "y": [(2.0 + 0.3 * (-1) ** k) * math.sin(t) for k, t in enumerate(angles)],
    }
    found = api.fit(
        "0 ~ ((x - p)^2 + (y - q)^2 - r^2)/1e-5", data, {"p": 0.5, "q": 0.2, "r": 1.0}, sigma_x=("x=1", "y=1")
    )
    assert found.status.exit_code == 0
    p, q, r = found.point.values()
    away = [math.hypot(x - p, y - q) - r for x, y in zip(data["x"], data["y"], strict=True)]
    assert found.value == pytest.approx(sum(a * a for a in away), rel=1e-6)
    assert sum(away) == pytest.approx(0.0, abs=1e-5)  # the slope by r


def test_groups_are_fitted_as_alone() -> None:
    twice = {name: column * 2 for name, column in PEARSON.items()} | {"run": [1.0] * 10 + [2.0] * 10}
    alone = api.fit("y ~ a + b*x", PEARSON, sigma="sy", sigma_x={"x": "sx"})
    for fit in api.fit_groups("y ~ a + b*x", twice, "run", sigma="sy", sigma_x={"x": "sx"}):
        assert fit.outcome is not None
        assert fit.outcome.point == pytest.approx(alone.point, rel=1e-12)


def test_bounds_and_searched_starts_hold() -> None:
    free = api.fit("y ~ a*exp(b*x)", PEARSON, "auto", sigma="sy", sigma_x={"x": "sx"})
    held = api.fit(
        "y ~ a*exp(b*x)", PEARSON, "auto", sigma="sy", sigma_x={"x": "sx"}, bounds={"b": (-0.1, 0.0)}
    )
    assert free.status.exit_code == held.status.exit_code == 0
    assert held.point["b"] == -0.1
    assert held.value > free.value


@pytest.mark.parametrize(
    ("sigma_x", "more", "told"),
    [
        ("x", {}, "takes NAME=SIZE"),
        ("q=1", {}, "there is no column q"),
        ("y=1", {}, "its errors are those of --sigma"),
        ("sx=1", {}, "the model does not have the column sx"),
        ("x=what", {}, "there is no column what"),
        ("x=0", {}, "says that x has no error"),
        ("x=1", {"loss": "huber"}, "does not go with --loss huber"),
        ("x=1", {"epochs": 3, "lr": 0.1}, "look at all rows at a time"),
        ("x=1", {"prior": "b ~ normal(0, 1)"}, "--prior does not go with --sigma-x"),
    ],
)
def test_what_cannot_be_asked(sigma_x: str, more: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        api.fit("y ~ a + b*x", PEARSON, sigma_x=(sigma_x,), **more)


def test_a_negative_error_is_told_with_its_row() -> None:
    with pytest.raises(DataError, match=r"row 9: the standard deviation of x is -0\.0353"):
        api.fit("y ~ a + b*x", PEARSON, sigma_x=("x=0.71 - sx",))
