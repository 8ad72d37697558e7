"""Automatic differentiation on paper: the steps of the typed text, forward and back."""

from __future__ import annotations

import math
from typing import Any

import pytest
from effort import examples
from expressions import STABLE, scalars, with_vectors
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gdcli.calculus.trace import MAX_STEPS, Trace, trace
from gdcli.kernel.errors import UsageError
from gdcli.language import interpreter, syntax
from gdcli.objective.build import build_objective


def steps(expression: str, constants: dict[str, Any] | None = None, **at: Any) -> Trace:
    return trace(syntax.parse(expression), at, constants or {})


def test_the_six_steps_of_the_book() -> None:
    found = steps("exp(2*x)/(1+sin(x**2))", x=0.5)
    assert [f"{s.name} = {s.formula}" for s in found.steps] == [
        "z1 = 2*x", "z2 = exp(z1)", "z3 = x**2", "z4 = sin(z3)", "z5 = 1 + z4", "z6 = z2/z5",
    ]  # fmt: skip
    z = [math.nan, 1.0, math.e, 0.25, math.sin(0.25), 1 + math.sin(0.25), math.e / (1 + math.sin(0.25))]
    assert [s.value for s in found.steps] == pytest.approx(z[1:], rel=1e-15)
    d4 = math.cos(0.25)
    d6 = (2 * math.e * z[5] - z[2] * d4) / z[5] ** 2
    assert [s.forward[0] for s in found.steps] == pytest.approx([2, 2 * math.e, 1, d4, d4, d6], rel=1e-14)
    adjoints = [z[6], 1 / z[5], -z[2] * d4 / z[5] ** 2, -z[2] / z[5] ** 2, -z[2] / z[5] ** 2, 1.0]
    assert [s.adjoint for s in found.steps] == pytest.approx(adjoints, rel=1e-14)
    assert found.gradient == pytest.approx([d6], rel=1e-14)
    assert [(local.operand.text, local.formula) for local in found.steps[5].locals] == [
        ("z2", "1/z5"), ("z5", "-z6/z5"),
    ]  # fmt: skip


def test_the_numbers_of_the_book() -> None:
    assert (steps("sigmoid(x)", x=0).value, steps("sigmoid(x)", x=0).gradient) == (0.5, [0.25])
    typed = steps("1/(1+exp(-x))", x=0)
    assert (typed.value, typed.gradient) == (0.5, [0.25])
    assert steps("x**2+y", x=2, y=2).gradient == [4.0, 1.0]
    assert steps("x**2", x=5).gradient == [10.0]


def test_nothing_is_simplified_and_nothing_shared() -> None:
    assert [s.formula for s in steps("x*1 + x*1 - (x*1)", x=3).steps] == [
        "x*1",
        "x*1",
        "z1 + z2",
        "x*1",
        "z3 - z4",
    ]
    assert [s.formula for s in steps("2*pi*x - (-3)", x=1).steps] == ["2*pi", "z1*x", "z2 - (-3)"]
    assert steps("x", x=2).gradient == [1.0]
    assert steps("a*x", {"a": 3.0}, x=2).gradient == [3.0]


def test_a_where_shows_the_branch_taken() -> None:
    found = steps("where(x - 1 > 0, sqrt(x - 1), x**2)", x=-2)
    assert [s.formula for s in found.steps] == ["x - 1", "x**2", "where(z1 > 0, ..., z2)"]
    assert found.steps[2].note == "z1 > 0 is false"
    assert found.gradient == [-4.0]
    each = steps("sum(where(v > 0, sqrt(v), -v))", v=[4.0, -9.0])
    assert [s.formula for s in each.steps] == [
        "sqrt(v[0])", "where(v[0] > 0, z1, ...)", "-v[1]", "where(v[1] > 0, ..., z3)", "sum(z2, z4)",
    ]  # fmt: skip
    assert each.gradient == [0.25, -1.0]


def test_vectors_element_by_element() -> None:
    found = steps("norm(v) + dot(u, v[1:]) + max(v)", v=[3.0, 4.0], u=[2.0])
    assert dict(zip(found.labels, found.gradient, strict=True)) == {"v[0]": 0.6, "v[1]": 3.8, "u[0]": 4.0}
    assert found.steps[0].formula == "sqrt(v[0]**2 + v[1]**2)"


@pytest.mark.parametrize(
    ("expression", "at"),
    [
        ("sum(v**2)", {"v": [1.0] * 300}),
        ("+".join(["sin(x)"] * 120), {"x": 1.0}),
        ("+".join(["x"] * 1500), {"x": 1.0}),
        ("sum(exp(v)*v)", {"v": [1.0] * 120}),
    ],
)
def test_long_ones_are_refused(expression: str, at: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"at most {MAX_STEPS} steps"):
        steps(expression, **at)


def test_a_long_chain_within_the_limit() -> None:
    assert steps("+".join(["x"] * 190), x=1.0).gradient == [190.0]


def agrees(expression: str, at: dict[str, Any], constants: dict[str, Any]) -> None:
    tree = syntax.parse(expression)
    try:
        found = trace(tree, at, constants)
    except UsageError:
        assume(False)
        return
    value = interpreter.value(tree, {**at, **constants}, constants)
    assert found.value == value or (math.isnan(found.value) and math.isnan(value))
    lengths = {name: len(v) if isinstance(v, list) else None for name, v in at.items()}
    exact = build_objective(tree, lengths, constants, 1)
    at_x = exact.evaluate(exact.vector(exact.space.flatten(at)), 1)
    assume(abs(value) < 1e100 and at_x.gradient is not None and not at_x.estimated)
    scale = max(1.0, *map(abs, at_x.gradient))
    assume(scale < 1e100)
    for forward, back, wanted in zip(_forward(found), found.gradient, at_x.gradient, strict=True):
        assert abs(back - wanted) <= 1e-9 * scale
        assert abs(forward - wanted) <= 1e-9 * scale


def _forward(found: Trace) -> list[float]:
    if not found.steps or not found.steps[-1].parts:
        return found.gradient
    return [found.steps[-1].forward.get(i, 0.0) for i in range(len(found.labels))]


@settings(STABLE, max_examples=examples(200))
@given(scalars(leaves=8), st.tuples(*[st.floats(0.4, 1.9)] * 3))
def test_scalars_agree_with_the_graph(expression: str, point: tuple[float, float, float]) -> None:
    agrees(expression, dict(zip("xyz", point, strict=True)), {})


@settings(STABLE, max_examples=examples(100))
@given(with_vectors(5), st.lists(st.floats(0.4, 1.9), min_size=9, max_size=9))
def test_vectors_agree_with_the_graph(expression: str, x: list[float]) -> None:
    agrees(expression, {"u": x[:4], "v": x[4:8], "x": x[8]}, {"c": [0.5, 1.5, 0.7, 1.1]})
