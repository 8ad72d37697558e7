"""Programs shared by problems with one expression: the same bits as a program of each problem's own."""

from __future__ import annotations

import math
from typing import Any

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.kernel.errors import GdError
from gdcli.kernel.vectors import Vec
from gdcli.language.template import TemplateGraph
from gdcli.objective.build import build_objective
from gdcli.objective.shared_objectives import (
    MOST_EXPRESSIONS,
    MOST_SHAPES,
    SharedObjective,
    SharedObjectives,
)
from gdcli.record.runs import run_record
from gdcli.record.schema import told
from gdcli.record.serialization import json_text
from gdcli.tasks.problem import parsed

# Each has constants in places where their values matter to the shape of a graph or to a rounding.
EXPRESSIONS = (
    "(x-a)**2 + b*(y-x)**2",
    "a*x**2 + b*y**2 + 2*(3*(a*x*y))",
    "x**a + y**b + x**2 + y**2",
    "a**b*x**2 + (a-b)*x + y**4*(b-1)",
    "where(a < b, x**2, exp(x)) + y**2/a",
    "where(x < a, (x-b)**2, b*abs(x-a)) + (y-2.5)**2",
    "max(a*x, b) + max(a, y) + x**2 + y**2",
    "exp(-a*x) + a*x + cosh(y*b)/(1+b**2) - 2*a*b*y",
    "log(x**2+a) + hypot(x-a, y-b) + sqrt(1+b*b*y*y)",
    "a*x + b*y + x**2*y**2 + x**2 + y**2 + sin(a)*cos(b)",
    "(a-a)*x + x**2*1.5 + a*1.5*y + y**2*(b+1.5)",
)
NUMBERS = st.one_of(
    st.sampled_from((0.0, -0.0, 1.0, -1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 0.5)),
    st.floats(-10, 10).map(lambda v: round(v, 3)),
)


def same(a: Any, b: Any) -> bool:
    return repr(a) == repr(b)


@settings(max_examples=examples(60))
@given(
    st.sampled_from(EXPRESSIONS),
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=6),
    NUMBERS,
    NUMBERS,
)
def test_values_and_derivatives_have_the_same_bits(
    expression: str, constants: list[tuple[float, float]], x: float, y: float
) -> None:
    shared, tree, lengths = SharedObjectives(), parsed(expression, ""), {"x": None, "y": None}
    for a, b in constants:
        for sign in (1, -1):
            try:
                own = build_objective(tree, lengths, {"a": a, "b": b}, sign)
            except GdError as error:
                with pytest.raises(type(error)):
                    shared(tree, lengths, {"a": a, "b": b}, sign)
                continue
            other = shared(tree, lengths, {"a": a, "b": b}, sign)
            one, two = own.evaluate(Vec([x, y]), 2), other.evaluate(Vec([x, y]), 2)
            assert same(one, two)
            assert same(own.evaluate(Vec([x, y]), 1), other.evaluate(Vec([x, y]), 1))
            assert same(own.product(one, Vec([1.0, -0.5])), other.product(two, Vec([1.0, -0.5])))
            assert own.is_constant() == other.is_constant()
            assert own.unused == other.unused
            assert own.has_jumps == other.has_jumps


@settings(max_examples=examples(60))
@given(
    st.sampled_from(EXPRESSIONS),
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=4),
    st.sampled_from(("auto", "bfgs", "newton-cg", "gd")),
)
def test_whole_answers_have_the_same_bits(
    expression: str, numbers: list[tuple[float, float, float, float]], method: str
) -> None:
    shared, settings = SharedObjectives(), api.Settings(method=method, max_iter=60)
    for a, b, x, y in numbers:
        constants = {name: v for name, v in (("a", a), ("b", b)) if name in parsed(expression, "").names}
        found = []
        for build in (None, shared):
            try:
                problem = api.make_problem(expression, "minimize", {"x": x, "y": y}, constants)
                found.append(json_text(told(run_record(api.solve(problem, settings, build=build)), False)))
            except GdError as error:
                found.append(error.message)
        assert found[0] == found[1]


@pytest.mark.parametrize(
    ("expression", "start", "constants"),
    [
        ("sum((v-c)**2) + a*v[0]", {"v": [1.0, 2.0, 3.0]}, {"c": [1.5, 2.5, 3.5], "a": 0.3}),
        ("dot(c, v)**2 + norm(v-c)**2", {"v": [1.0, 2.0]}, {"c": [1.5, 2.25]}),
    ],
)
def test_vectors_of_constants(expression: str, start: Any, constants: Any) -> None:
    shared = SharedObjectives()
    for k in range(4):
        moved = {
            n: [x + 0.01 * k for x in v] if isinstance(v, list) else v - 0.1 * k for n, v in constants.items()
        }
        problem = api.make_problem(expression, "minimize", start, moved)
        one, two = api.solve(problem), api.solve(problem, build=shared)
        assert json_text(told(run_record(one), False)) == json_text(told(run_record(two), False))


def test_one_compilation_serves_a_stream_and_memory_is_bounded() -> None:
    shared = SharedObjectives()
    tree, lengths = parsed("(x-a)**2 + b*x", ""), {"x": None}
    for k in range(100):
        shared(tree, lengths, {"a": 1.37 + k / 7, "b": -0.11 - k / 9}, 1)
    (templates,) = shared._known.values()
    assert len(templates) == 1
    for k in range(20):
        shared(tree, lengths, {"a": float(k % 5), "b": float(k // 5)}, 1)
    assert len(templates) <= MOST_SHAPES
    for k in range(2 * MOST_EXPRESSIONS):
        shared(parsed(f"(x-a)**2 + {k}*x", ""), lengths, {"a": 0.7}, 1)
    assert len(shared._known) <= MOST_EXPRESSIONS


def test_numbers_that_change_the_shape_are_refused() -> None:
    graph = TemplateGraph()
    x, a, b = graph.scalar("x"), graph.constant(5.5, "a"), graph.constant(7.5, "b")
    graph.node("mul", graph.number(2.25), graph.node("add", x, graph.node("mul", a, b)))
    assert graph.numbers({"a": 5.5, "b": 7.5}) == (5.5, 7.5, 41.25)
    assert graph.numbers({"a": 6.5, "b": 8.5}) == (6.5, 8.5, 55.25)
    for refused in (0.0, 1.0, -1.0, 2.0, 2.25, 7.5, math.inf, math.nan):
        assert graph.numbers({"a": refused, "b": 7.5}) is None
    assert graph.numbers({"a": 0.5, "b": 4.5}) is None  # their product is the 2.25 that is written out
    graph.node("where", "<", a, b, x, a)
    assert graph.numbers({"a": 6.5, "b": 8.5}) is not None
    assert graph.numbers({"a": 8.5, "b": 6.5}) is None


def test_long_vectors_are_built_as_ever() -> None:
    tree = parsed("sum((v-a)**2)", "")
    built = SharedObjectives()(tree, {"v": 5000}, {"a": 2.5}, 1)
    assert not isinstance(built, SharedObjective)
