"""Kinks within constraints: least maxima, sums of absolute values, and what is not claimed at a kink."""

from __future__ import annotations

from typing import Any

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.kernel.status import PointKind, Status
from gdcli.language.graph import Graph
from gdcli.objective.epigraph import DOWN, UP, ReplacedKinks

# Expression, constraints, start, and the least value, found by hand.
KNOWN: list[tuple[str, list[str], dict[str, Any], float]] = [
    ("max(x, y)", ["x + y >= 1"], {"x": 0, "y": 0}, 0.5),
    ("abs(x) + abs(y)", ["x + 2*y == 4"], {"x": 1, "y": 1}, 2.0),
    ("max(abs(x - 1), abs(y - 2))", ["x == y"], {"x": 0, "y": 0}, 0.5),
    ("abs(x - 3) + (y - 1)**2", ["x + y <= 2"], {"x": 0, "y": 0}, 1.75),
    ("x + y", ["abs(x) + abs(y) <= 1"], {"x": 0.1, "y": 0.2}, -1.0),
    ("(x - 2)**2", ["abs(x) <= 1"], {"x": 0}, 1.0),
    ("sum(abs(v))", ["v[0] + v[1] + 2*v[2] == 4"], {"v": [1, 1, 1]}, 2.0),
    ("-min(x, y, 2 - x - y)", ["x <= y/2"], {"x": 0, "y": 0}, -0.5),
    ("exp(abs(x)) + abs(abs(y) - 1)", ["x + y == 3"], {"x": 1, "y": 1}, 3.0),
    ("max(0, 1 - x)**2 + y", ["y >= x**2"], {"x": 2, "y": 5}, 0.5),
]


@pytest.mark.parametrize(("text", "constraints", "start", "value"), KNOWN)
def test_known_answers(text: str, constraints: list[str], start: dict[str, Any], value: float) -> None:
    outcome = api.minimize(text, start, subject_to=constraints)
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(value, abs=1e-9)
    assert set(outcome.point) == set(start)
    assert outcome.constraints is not None
    assert [state.text for state in outcome.constraints.states] == constraints


def test_the_largest_of_minima() -> None:
    outcome = api.maximize("min(x, y, 2 - x - y)", {"x": 0, "y": 0}, subject_to=["x <= y/2"])
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "constraints"),
    [
        ("abs(x) - 10*y", ["abs(x) >= y"]),  # falls along y = |x|
        ("x*y", ["abs(x) >= y", "abs(x) >= -y", "x**2 + y**2 <= 1"]),
    ],
)
def test_nothing_is_claimed_at_a_kink_that_stays(text: str, constraints: list[str]) -> None:
    outcome = api.minimize(text, {"x": 0, "y": 0}, subject_to=constraints)
    assert outcome.status is not Status.CONVERGED or outcome.value < -0.1


def test_what_cannot_hold_is_told_in_the_constraints_as_typed() -> None:
    texts = ["x + y >= 1", "abs(x) + abs(y) <= 0.5"]
    outcome = api.minimize("abs(x) + y**2", {"x": 0, "y": 0}, subject_to=texts)
    assert outcome.status is Status.INFEASIBLE
    assert outcome.constraints is not None
    assert set(outcome.constraints.conflict) == set(texts)


@settings(max_examples=examples(10))
@given(st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=2, max_size=4), st.integers(-3, 3))
def test_a_kink_is_the_variable_that_one_would_write_for_it(
    rows: list[tuple[int, int, int]], level: int
) -> None:
    pieces = [f"{a}*x + {b}*y + {c}" for a, b, c in rows]
    constraints = [f"x + y >= {level}", "x**2 + y**2 <= 25"]
    found = api.minimize(f"max({', '.join(pieces)})", {"x": 1, "y": 2}, subject_to=constraints)
    sides = [f"t >= {piece}" for piece in pieces]
    written = api.minimize("t", {"x": 1, "y": 2, "t": 9}, subject_to=[*constraints, *sides])
    assert found.status is written.status is Status.CONVERGED
    assert found.value == pytest.approx(written.value, abs=1e-8)


def test_curvatures_are_those_of_the_variables_typed() -> None:
    outcome = api.minimize("abs(x - 3) + (y - 1)**2", {"x": 0, "y": 0}, subject_to=["x + y <= 2"])
    assert outcome.certificate.kind is PointKind.MINIMUM
    assert outcome.certificate.eigenvalue_min == pytest.approx(1.0)  # of (y - 1)**2 along (1, -1)/sqrt(2)


def test_only_what_moves_one_way_is_replaced() -> None:
    graph = Graph()
    x, y = graph.scalar("x"), graph.scalar("y")
    bend = graph.node("abs", x)
    for root, ways, count in (
        (graph.node("add", bend, y), UP, 1),
        (graph.node("sub", y, bend), UP, 0),
        (graph.node("sub", y, bend), DOWN, 1),
        (graph.node("mul", bend, y), UP, 0),
        (graph.node("mul", bend, bend), UP, 1),
        (graph.node("add", bend, graph.node("sin", bend)), UP, 0),
        (graph.node("min", x, y), DOWN, 1),
        (graph.node("sqrt", bend), UP, 0),
    ):
        replaced = ReplacedKinks(graph)
        replaced.replaced(root, ways)
        assert len(replaced.kinks) == count
