"""Corners and cusps certified by the values around them, and points that only look like one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdcli import api
from gdcli.judge.nonsmooth import corner_at, shortest_in_hull
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Vec, dot, norm
from gdcli.objective.build import build_objective
from gdcli.tasks.problem import parsed


def gain(text: str, **at: float) -> float | None:
    objective: Any = build_objective(parsed(text, ""), dict.fromkeys(at), {}, 1)
    found = corner_at(objective, objective.evaluate(Vec(at.values()), 1))
    return None if found is None else found.gap


@pytest.mark.parametrize(
    ("expression", "start", "value"),
    [
        ("sqrt(abs(x))", {"x": 1.0}, 0.0),
        ("sqrt(abs(x))", {"x": 0.0}, 0.0),
        ("cbrt(x)**2", {"x": 1.0}, 0.0),
        ("cbrt(x)**2", {"x": 0.0}, 0.0),
        ("sqrt(abs(x-1))+(y-2)**2", {"x": 3.0, "y": 5.0}, 0.0),
        ("sqrt(hypot(x,y))", {"x": -2.0, "y": 0.5}, 0.0),
        ("sqrt(abs(x))+sqrt(abs(y))", {"x": 1.0, "y": 2.0}, 0.0),
        ("where(x>0,sqrt(x),-x)", {"x": 1.0}, 0.0),
        ("3-exp(-sqrt(abs(x)))", {"x": 1.0}, 2.0),
        ("1e6*abs(x-1)", {"x": 3.0}, 0.0),
    ],
)
def test_a_cusp_is_a_minimum(expression: str, start: dict[str, float], value: float) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.CONVERGED
    assert outcome.certificate.kind == "kink"
    assert any("kink" in warning for warning in outcome.warnings)
    assert outcome.value == pytest.approx(value, abs=1e-10)


@pytest.mark.parametrize("start", [0.5, -0.5, 3.0])
def test_a_cusp_is_claimed_only_when_it_is_reached(start: float) -> None:
    outcome = api.maximize("1-sqrt(abs(x))", {"x": start})
    assert outcome.value == pytest.approx(1.0, abs=1e-7)
    assert (outcome.status is Status.CONVERGED) == (outcome.value >= 1.0 - 2e-10)


def test_what_is_left_at_a_cusp_that_is_not_quite_reached() -> None:
    left = gain("sqrt(abs(x))", x=1e-10)
    assert left is not None
    assert 1e-6 < left < 1e-4  # the value there is 1e-5
    assert gain("sqrt(abs(x-1))", x=1.0) == 0.0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("-sqrt(abs(x))", {"x": 0.0}),
        ("sqrt(abs(x))-0.5*x", {"x": 4.0}),
        ("abs(x)-abs(y)", {"x": 0.0, "y": 0.0}),
        ("log(x**2)", {"x": 0.0}),
        ("sqrt(x)", {"x": 0.0}),
        ("x**2", {"x": 0.0}),  # a minimum, but no corner
        ("where(x>y,x-y,y-x)+0.001*(x+y)", {"x": 1.0, "y": 1.0}),  # down along the fold
        ("where(x>y,x-y,y-x)+1e-6*(x+y)", {"x": 1.0, "y": 1.0}),
        ("cbrt((x-y)**2)+0.01*(x+y)**2", {"x": 1.0, "y": 1.0}),
        ("abs(x-2*y)+abs(z-y)+0.01*(x+y+z)**2", {"x": 2.0, "y": 1.0, "z": 1.0}),
        ("min(abs(x)+abs(y),abs(x-0.01)+abs(y)-0.1)", {"x": 0.0, "y": 0.0}),
    ],
)
def test_no_corner_is_claimed_at_what_is_none(text: str, at: dict[str, float]) -> None:
    assert gain(text, **at) is None


POINTS = st.lists(st.tuples(*[st.floats(-5, 5)] * 3), min_size=1, max_size=9)


@given(POINTS)
def test_the_shortest_vector_of_a_hull_makes_no_obtuse_angle_with_it(points: list[tuple[float, ...]]) -> None:
    vectors = [Vec(p) for p in points]
    shortest = shortest_in_hull(vectors)
    scale = max(norm(v) for v in vectors)
    assert all(dot(shortest, v) >= dot(shortest, shortest) - 1e-6 * scale * scale for v in vectors)


@pytest.mark.parametrize("count", [31, 60, 150])
@pytest.mark.parametrize(
    "expression", ["sum(sqrt(abs(v)))", "sum(sqrt(abs(v-0.3)))", "sum(hypot(v[1:],v[:-1]))"]
)
def test_cusps_of_many_variables_are_minima(expression: str, count: int) -> None:
    outcome = api.minimize(expression, {"v": [0.3 * ((i * 7) % 5) - 0.55 for i in range(count)]})
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    "start", [{"x": 7.0, "y": 7.0}, {"x": 1.0, "y": 1.0}, {"x": -5.0, "y": 0.5}, {"x": 80.0, "y": -0.3}]
)
def test_a_cusp_beside_a_degenerate_minimum(start: dict[str, float]) -> None:
    for text in ("abs(x)**1.5+y**6", "abs(x)**1.3+abs(y)**1.7", "abs(x)**2.5+y**4"):
        assert api.minimize(text, start).status is Status.CONVERGED, text


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("abs(x)**1.5", "curvature is infinite"),
        ("abs(x)**1.5 + 9*x**2 + y**2", "curvature is infinite"),
        ("abs(x)", "gradient jumps"),
        ("sqrt(x**2 + y**2) + 7", "gradient jumps"),
        ("abs(x)**0.5", "gradient jumps"),
        ("1e3*abs(x - 2) + (y + 1)**2", "gradient jumps"),
    ],
)
def test_what_is_not_smooth_at_a_kink_is_told(expression: str, why: str) -> None:
    start = {name: 0.9417 for name in "xy" if name in expression.replace("sqrt", "")}
    found = api.minimize(expression, start)
    assert [note for note in found.certificate.notes if "kink" in note] == [
        f"the answer is at a kink, where the {why}"
    ]


@pytest.mark.parametrize(
    ("expression", "start", "kind"),
    [
        ("norm(v)**2", {"v": [1.0, 1.0]}, "minimum"),
        ("norm(v)**4+sum(v)**2", {"v": [1.0, 2.0]}, "degenerate"),
        ("sqrt(x**2+y**2)**2", {"x": 1.0, "y": 2.0}, "minimum"),
        ("(x**2)**0.75", {"x": 0.5}, "kink"),
        ("(x**2)**0.75", {"x": 0.0}, "kink"),
        ("(x**2)**1.5", {"x": 1.0}, "degenerate"),
    ],
)
def test_powers_of_lengths_and_of_squares_have_derivatives_at_zero(
    expression: str, start: dict[str, Any], kind: str
) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(0.0, abs=1e-16)
    assert outcome.certificate.kind == kind
