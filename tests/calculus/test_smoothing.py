"""Kinks rounded off: near the original, smooth, and auto's way to the bottom of a kink."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Space, Vec
from gdcli.language import form
from gdcli.objective.build import build_objective
from gdcli.objective.vector_expression import VectorObjective
from gdcli.tasks.problem import parsed

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
        ("(x-1)**2 + (y+2)**2 + 2.5*abs(x) + 3*abs(y)", {"x": 3.0, "y": 3.0}, 4.75),
        ("abs(x+y-1) + abs(x-y) + 0.1*(x**2+y**2)", {"x": 3.0, "y": -2.0}, 0.05),
        ("(x**2 + y**2)**0.5", {"x": 0.9, "y": -1.4}, 0.0),
        ("(x**2)**(1/2)", {"x": 0.9}, 0.0),
    ],
)
def test_auto_reaches_the_bottom_of_kinks(expression: str, start: dict[str, float], value: float) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(value, abs=1e-9)
    assert outcome.certificate.kind == "kink"
    assert outcome.warnings


def test_an_even_power_of_an_absolute_value_has_no_kink() -> None:
    outcome = api.minimize("abs(x)**2 + abs(y)**4 + y**2", {"x": 0.9, "y": 0.3})
    assert outcome.certificate.kind == "minimum"
    assert (outcome.certificate.eigenvalue_min, outcome.certificate.eigenvalue_max) == (2.0, 2.0)


@given(NUMBERS, NUMBERS, NUMBERS, st.sampled_from([1e-1, 1e-3, 1e-7]))
def test_smoothed_vectors_and_choices_are_near(x: float, y: float, z: float, mu: float) -> None:
    for text, times in (
        ("norm(v-1)", 1),
        ("sqrt(0.5*(v[0]**2+v[1]**2))", 1),
        ("hypot(v[0],v[1])", 1),
        ("max(v)", 1.1),
        ("min(v)", 1.1),
        ("sum(abs(v))", 3),
        ("where(v[0]>v[1],v[0]-v[1],v[1]-v[0])", 1),
        ("where(v[0]<=v[1],v[1],v[0])", 1),
    ):
        for objective in _both(text):
            smooth = objective.smoothed(mu)
            assert smooth is not None
            at = objective.vector([x, y, z])
            near = pytest.approx(objective.evaluate(at).value, abs=1.01 * times * mu + 1e-10)
            assert smooth.evaluate(at).value == near
            assert smooth.evaluate(at, 1).gradient is not None


def _both(text: str) -> list[Any]:
    """The objective of a vector of three elements, expanded and as one of many."""
    pytest.importorskip("numpy")
    compact = form.build(parsed(text, ""), {"v": 3}, {})
    return [build_objective(parsed(text, ""), {"v": 3}, {}, 1), VectorObjective(compact, Space({"v": 3}), 1)]


@pytest.mark.parametrize("text", ["sqrt(x)", "sqrt(1+x**2)", "sqrt(x**2-1)", "where(x==0,1,x)"])
def test_what_has_no_kink_or_must_not_be_rounded_is_left(text: str) -> None:
    assert build_objective(parsed(text, ""), {"x": None}, {}, 1).smoothed(0.1) is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("expression", "start", "value"),
    [
        ("abs(x)", {"x": 1.0}, 0.0),
        ("where(x>0,x,-2*x)", {"x": 3.0}, 0.0),
        ("where(x>1,x-1,2-2*x)+y**2", {"x": 3.0, "y": 1.0}, 0.0),
        ("where(x>1,x-1,2-2*x)+where(y<0,-y,3*y)", {"x": 3.0, "y": 1.0}, 0.0),
        ("hypot(x-1,y+2)", {"x": 3.0, "y": 3.0}, 0.0),
        ("norm(v-3)", {"v": [0.0, 0.0, 7.0]}, 0.0),
        ("max(x**2+y**4,(2-x)**2+(2-y)**2,2*exp(y-x))", {"x": 1.0, "y": -0.1}, 1.9522244939),
        ("hypot(x,y)+hypot(x-4,y)+hypot(x,y-3)", {"x": 2.0, "y": 2.0}, (25 + 12 * 3**0.5) ** 0.5),
        ("1e3*abs(x-2)+abs(y)*1e-3+abs(x*y-1)", {"x": 0.5, "y": 1.0}, 5e-4),
    ],
)
def test_kinks_are_found_at_a_fair_price(expression: str, start: dict[str, Any], value: float) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.value == pytest.approx(value, abs=1e-8)
    assert outcome.status is Status.CONVERGED
    counts = outcome.run.counts
    assert counts.value + counts.gradient + counts.hessian < 375


@pytest.mark.parametrize("count", [60, 500])
@pytest.mark.parametrize(
    ("expression", "value", "bounds"),
    [
        ("sum(abs(v-1))", 0.0, {}),
        ("sum(max(v,1-v))", 0.5, {}),
        ("norm(v-1)", 0.0, {}),
        ("sum(v**2)+5*sum(abs(v-1))", 1.0, {}),
        ("sum(abs(v-1))", 1.0, {"v": (2.0, 5.0)}),
        ("sum(abs(v-1))", 0.0, {"v": (-2.0, 5.0)}),
    ],
)
def test_kinks_of_many_variables(
    expression: str, value: float, bounds: dict[str, tuple[float, float]], count: int
) -> None:
    start = [2.0 + 0.1 * (i % 17) for i in range(count)]
    outcome = api.minimize(expression, {"v": start}, bounds=bounds)
    assert outcome.value == pytest.approx(value * count, abs=1e-8)
    assert outcome.status is Status.CONVERGED
    assert outcome.certificate.kind == ("minimum" if bounds and value else "kink")
