"""Sensitivities, against solving again with what was moved."""

from __future__ import annotations

from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.errors import UsageError
from gdcli.tasks.sensitivity import sensitivities, with_sensitivities


def solved(a: float, r: float, sense: str = "minimize", **more: Any) -> api.Outcome:
    ask = api.minimize if sense == "minimize" else api.maximize
    return ask(
        "a*(x-2)**2 + (y-1)**2 + c[1]*x" if sense == "minimize" else "-(a*(x-2)**2 + (y-1)**2 + c[1]*x)",
        {"x": 0.5, "y": -0.5},
        constants={"a": a, "r": r, "c": [0.0, 0.1]},
        subject_to=["x**2 + y**2 <= r", "x <= 5*a"],
        **more,
    )


@pytest.mark.parametrize("sense", ["minimize", "maximize"])
def test_they_are_the_slopes_that_solving_again_shows(sense: str) -> None:
    found = {s.by: s for s in sensitivities(solved(1.0, 1.0, sense))}
    assert list(found) == ["a", "r", "c[0]", "c[1]", "x**2 + y**2 <= r"]
    h = 1e-4
    for by, (up, down) in {
        "a": (solved(1 + h, 1.0, sense), solved(1 - h, 1.0, sense)),
        "r": (solved(1.0, 1 + h, sense), solved(1.0, 1 - h, sense)),
    }.items():
        assert found[by].value == pytest.approx((up.value - down.value) / (2 * h), abs=1e-6)
        for move, name in zip(found[by].point, "xy", strict=True):
            quotient = (up.point[name] - down.point[name]) / (2 * h)  # type: ignore[operator]
            assert move == pytest.approx(quotient, abs=1e-6)
    assert found["c[0]"] == ("c[0]", 0.0, (0.0, 0.0))
    limit = found["x**2 + y**2 <= r"]
    assert (limit.value, *limit.point) == pytest.approx((found["r"].value, *found["r"].point))


def test_a_bound_that_holds_moves_its_variable() -> None:
    outcome = api.minimize(
        "(x-a)**2 + (y-x)**2", {"x": 0, "y": 0}, constants={"a": 3.0}, bounds={"x": (None, 1.0)}
    )
    a, bound = sensitivities(outcome)
    assert (a.value, a.point) == (pytest.approx(4.0), pytest.approx((0.0, 0.0)))
    assert (bound.by, bound.value, bound.point) == ("x <= 1", pytest.approx(-4.0), pytest.approx((1.0, 1.0)))


def test_an_answer_that_is_none_has_none() -> None:
    with pytest.raises(UsageError, match="certified answer"):
        sensitivities(api.minimize("x**4", {"x": 5.0}, constants={}, max_iter=1))


def test_where_there_are_none_the_outcome_says_why() -> None:
    outcome = with_sensitivities(api.minimize("x**4", {"x": 5.0}, max_iter=1))
    assert outcome.sensitivity == ()
    assert outcome.warnings[-1] == "no sensitivities: sensitivities are those of a certified answer"


@pytest.mark.parametrize("bounds", [{}, {"x": (0.0, None)}])
def test_an_infinite_slope_has_none(bounds: dict[str, Any]) -> None:
    outcome = with_sensitivities(api.minimize("a*sqrt(x)", {"x": 0.5}, constants={"a": 2.0}, bounds=bounds))
    assert outcome.warnings[-1] == "no sensitivities: a slope at the answer is infinite"
