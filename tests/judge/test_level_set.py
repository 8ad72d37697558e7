"""An answer that is not the only one: all that are as good are named."""

from __future__ import annotations

from math import inf, log
from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.record.runs import run_record


@pytest.mark.parametrize("unit", [1.0, 1e8, 1e-8])
@pytest.mark.parametrize(
    ("expression", "start", "ranges"),
    [
        ("abs(x/u-1)+abs(x/u-2)", {"x": 5.0}, [(1, 2)]),
        ("max(0,abs(x/u)-1)", {"x": 5.0}, [(-1, 1)]),
        ("max(0,abs(x/u)-1)+abs(y/u-3)", {"x": 5.0, "y": 4.0}, [(-1, 1), (3, 3)]),
        ("relu(x/u)", {"x": 5.0}, [(-inf, 0)]),
        ("7+relu(1-x/u)", {"x": -5.0}, [(1, inf)]),
    ],
)
def test_the_ends_of_a_level_piece(
    expression: str, start: dict[str, float], ranges: list[tuple[float, float]], unit: float
) -> None:
    start = {name: unit * value for name, value in start.items()}
    outcome = api.minimize(expression, start, constants={"u": unit})
    assert outcome.status is Status.CONVERGED
    assert outcome.minimizers is not None
    assert np.array(outcome.minimizers) / unit == pytest.approx(np.array(ranges), rel=1e-9, abs=1e-9)
    assert "x may lie anywhere" in outcome.message


@pytest.mark.parametrize(
    ("expression", "start", "told"),
    [
        ("abs(x)-abs(x-1)", {"x": 5.0}, "x may lie anywhere up to 0,"),
        ("ceil(x)**2", {"x": 3.0}, "x may lie anywhere from -1 to 0,"),
        ("floor(x)**2+floor(y)**2", {"x": 3.0, "y": 2.0}, "x from 0 to 1, y from 0 to 1"),
        ("abs(x)+relu(-y)**2", {"x": 2.0, "y": -4.0}, "y may lie anywhere from 0 on,"),
    ],
)
def test_a_level_piece_is_told_where_the_value_jumps_and_where_kinks_are_rounded_off(
    expression: str, start: dict[str, float], told: str
) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.CONVERGED
    assert told in outcome.message


def test_a_range_without_an_end_is_told_and_written() -> None:
    outcome = api.maximize("-relu(x)", {"x": 5.0})
    assert outcome.message == (
        "Converged to a maximum that is not unique: x may lie anywhere up to 0, with the same value."
    )
    assert run_record(outcome).minimizers == {"x": [None, pytest.approx(0.0, abs=1e-300)]}


@pytest.mark.parametrize("start", [0.9417, 0.3, 7.7])
def test_the_end_of_a_range_is_0_where_only_rounding_is_left_of_it(start: float) -> None:
    assert "anywhere up to 0, with" in api.minimize("sign(x)", {"x": start}).message


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("abs(x-1)+abs(x-2)+abs(x-3)", {"x": 5.0}),
        ("abs(x)+abs(y)", {"x": 3.0, "y": 4.0}),
        ("max(abs(x),abs(y-1))", {"x": 3.0, "y": 4.0}),
        ("(x-1)**20", {"x": 3.0}),
        ("(x-3)**4+1e8", {"x": 1.0}),
        ("x**2+y**2", {"x": 3.0, "y": 4.0}),
        ("(x/y-2)**2+1", {"x": 1.0, "y": 1.0}),
    ],
)
def test_one_minimizer_or_a_smooth_valley_has_no_ends(expression: str, start: dict[str, float]) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.CONVERGED
    assert outcome.minimizers is None


@pytest.mark.parametrize(
    ("model", "bounds", "low", "high"),
    [
        ("y ~ a", (0, 3.2), 3, 3.2),
        ("y ~ a", (3.5, 9), 3.5, 4),
        ("y ~ exp(a)", None, log(3), log(4)),
        ("y ~ exp(a)", (0, 1.2), log(3), 1.2),
    ],
)
def test_fits_within_bounds_and_of_models_that_are_not_linear(
    model: str, bounds: tuple[float, float] | None, low: float, high: float
) -> None:
    options: dict[str, Any] = {} if bounds is None else {"bounds": {"a": bounds}}
    data = {"y": np.array([1.0, 3, 4, 8])}
    fit = api.fit(model, data, {"a": 0.5}, loss="absolute", **options)
    assert fit.status is Status.CONVERGED
    assert fit.minimizers is not None
    assert fit.minimizers[0] == pytest.approx((low, high))
    assert "a may lie anywhere from" in fit.message


@pytest.mark.parametrize("unit", [1.0, 1e8, 1e-8])
@pytest.mark.parametrize(
    ("expression", "start", "ranges"),
    [
        ("abs(x/u-1)+abs(x/u-2)", {"x": 1.7}, [(1, 2)]),
        ("max(0,x/u-1)", {"x": -5.0}, [(-inf, 1)]),
        ("abs(x/u-1)+abs(x/u-2)+abs(y/u+1)+abs(y/u+2)", {"x": 1.2, "y": -1.7}, [(1, 2), (-2, -1)]),
        ("3+abs(floor(x/u))", {"x": 0.5}, [(0, 1)]),
    ],
)
@pytest.mark.parametrize("method", ["auto", "lbfgs", "bb", "gd"])
def test_a_start_on_a_level_piece_whose_ends_rise(
    expression: str, start: dict[str, float], ranges: list[tuple[float, float]], unit: float, method: str
) -> None:
    start = {name: unit * value for name, value in start.items()}
    outcome = api.minimize(expression, start, constants={"u": unit}, method=method)
    assert outcome.status is Status.CONVERGED
    assert outcome.point == start
    assert outcome.minimizers is not None
    assert np.array(outcome.minimizers) / unit == pytest.approx(np.array(ranges), rel=1e-9, abs=1e-9)
    assert outcome.warnings == ()


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("min(x**2,4)", {"x": 10.0}),
        ("(relu(w)-1)**2", {"w": -3.0}),
        ("(relu(v-5)*relu(w-5)-1)**2", {"v": 1.0, "w": 1.0}),
        ("exp(-x**2)", {"x": 100.0}),
    ],
)
def test_a_start_on_a_level_piece_with_something_lower_beside_it(
    expression: str, start: dict[str, float]
) -> None:
    assert api.minimize(expression, start, method="gd").status in (Status.STALLED, Status.WRONG_KIND)


@pytest.mark.parametrize("offset", [1e8, 1e10, 1e12])
def test_a_corner_below_which_rounding_hides_the_value(offset: float) -> None:
    for text, start in (("abs(x-3)+c", {"x": 5.0}), ("abs(x-3)+2*abs(y+1)+c", {"x": 5.0, "y": 4.0})):
        outcome = api.minimize(text, start, constants={"c": offset})
        assert outcome.status is Status.CONVERGED
        assert outcome.certificate.kind == "kink"
        assert outcome.minimizers is None
        assert outcome.point["x"] == pytest.approx(3.0, abs=1e-14 * offset)
    smooth = api.minimize("(x-3)**2+c", {"x": 5.0}, constants={"c": offset})
    assert smooth.certificate.kind == "minimum"


def test_an_end_of_a_range_that_is_rounding_is_0() -> None:
    found = api.minimize("abs(x) + abs(y-2) + abs(x+y)", {"x": 3.0, "y": 2.0})
    assert "x from -" in found.message
    assert " to 0," in found.message
