"""Kinks rounded off: near the original, smooth, and auto's way to the bottom of a kink."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdcli import api
from gdcli.objective.build import build_objective
from gdcli.problem import parsed
from gdcli.solvers.types import Status
from gdcli.solvers.vectors import Vec

NUMBERS = st.floats(-100, 100)


@given(NUMBERS, NUMBERS, st.sampled_from([1e-1, 1e-3, 1e-7]))
def test_the_smoothed_function_is_near(x: float, y: float, mu: float) -> None:
    for text, kinks in (
        ("abs(x) + y", 1),
        ("max(x, y)", 0.5),
        ("min(x, y)", 0.5),
        ("abs(x) + 3*max(x, y)", 2.5),
    ):
        exact = build_objective(parsed(text, ""), {"x": None, "y": None}, {}, 1)
        smooth = exact.smoothed(mu)  # type: ignore[union-attr]
        assert smooth is not None
        at = Vec([x, y])
        assert smooth.evaluate(at).value == pytest.approx(
            exact.evaluate(at).value, abs=1.01 * kinks * mu + 1e-12
        )
        assert smooth.evaluate(at, 2).hessian is not None


def test_without_kinks_there_is_nothing_to_smooth() -> None:
    exact = build_objective(parsed("x**2", ""), {"x": None}, {}, 1)
    assert exact.smoothed(0.1) is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("expression", "start", "value"),
    [
        ("abs(x) + y**2", {"x": 1.0, "y": 1.0}, 0.0),
        ("max(x, 1-x)", {"x": 3.0}, 0.5),
        ("abs(x-1) + abs(x-2) + abs(x-4)", {"x": 10.0}, 3.0),
        ("8*abs(x**2-y) + (1-x)**2", {"x": -1.2, "y": 1.0}, 0.0),
        ("(x-1)**2 + (y+2)**2 + 2*abs(x) + 3*abs(y)", {"x": 3.0, "y": 3.0}, 4.75),
        ("abs(x+y-1) + abs(x-y) + 0.1*(x**2+y**2)", {"x": 3.0, "y": -2.0}, 0.05),
    ],
)
def test_auto_reaches_the_bottom_of_kinks(expression: str, start: dict[str, float], value: float) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(value, abs=1e-9)
    assert outcome.certificate.kind == "kink"
    assert outcome.warnings
