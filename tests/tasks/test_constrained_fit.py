"""Fits whose parameters have constraints: the answer, its errors on their face, and what cannot be asked."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.errors import UsageError


def data(rows: int = 60) -> dict[str, list[float]]:
    draw = random.Random(5)
    x, z = ([draw.gauss(0.0, 1.0) for _ in range(rows)] for _ in range(2))
    y = [0.8 * a + 0.5 * b + draw.gauss(0.0, 0.1) for a, b in zip(x, z, strict=True)]
    return {"x": x, "z": z, "y": y}


def fitted(model: str, *subject_to: str, **more: Any) -> Any:
    return api.fit(model, data(), subject_to=subject_to, **more)


def test_an_equation_is_as_good_as_a_parameter_less() -> None:
    """With b = 1 - a there is one parameter: the answer and its errors are those of the model written so."""
    held, free = fitted("y ~ a*x + b*z", "a + b == 1"), fitted("y ~ z + a*(x - z)")
    assert held.status.exit_code == 0
    assert held.point["a"] == pytest.approx(free.point["a"], abs=1e-9)
    assert held.value == pytest.approx(free.value, rel=1e-12)
    errors, alone = held.statistics.errors.standard_errors, free.statistics.errors.standard_errors
    assert errors == pytest.approx((alone[0], alone[0]), rel=1e-6)
    assert held.statistics.residual_sd == pytest.approx(free.statistics.residual_sd, rel=1e-9)
    assert any("along what holds: a + b == 1" in warning for warning in held.warnings)


def test_the_multiplier_is_the_slope_of_the_sum_by_the_limit() -> None:
    h = 1e-4
    low, here, high = (fitted("y ~ a*x + b*z", f"a + b <= {1 + d}") for d in (-h, 0.0, h))
    (state,) = here.constraints.states
    assert state.active
    assert state.multiplier == pytest.approx((high.value - low.value) / (2 * h), rel=1e-6)


def test_a_constraint_that_holds_nothing_changes_nothing() -> None:
    held, free = fitted("y ~ a*x + b*z", "a + b <= 10"), fitted("y ~ a*x + b*z")
    assert held.point == pytest.approx(free.point, abs=1e-8)
    assert held.statistics.errors.standard_errors == pytest.approx(
        free.statistics.errors.standard_errors, rel=1e-6
    )


def test_a_line_in_one_parameter_is_a_bound() -> None:
    found = fitted("y ~ a*x + b*z", "2*a <= 1")
    assert found.point["a"] == 0.5
    assert [b.name for b in found.active] == ["a"]


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        ("a + y == 1", {}, "--subject-to has y, which is a column of the data"),
        ("a + c == 1", {}, "--subject-to has c, which is not a parameter of the model"),
        ("a + b <= 1", {"epochs": 3}, "constraints are for fits that look at all rows at a time"),
        ("a + b <= 1", {"method": "lm"}, "the method lm does not know constraints"),
        ("a + b < 1", {}, "a constraint includes its limit"),
    ],
)
def test_what_cannot_be_asked(text: str, more: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        fitted("y ~ a*x + b*z", text, **more)
    assert told in caught.value.message
