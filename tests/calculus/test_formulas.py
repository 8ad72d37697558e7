"""Formulas that are shown: what they are worth against the graph's derivatives and sympy's, and how they read."""

from __future__ import annotations

import math

import pytest
import sympy as sp
from expressions import SMOOTH_ONE, scalars
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from symbolic_inputs import SYMBOLIC

from gdcli.calculus.formula_text import Nodes, gradient, latex, text
from gdcli.calculus.symbolic import SympyExpression
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Space, Vec
from gdcli.language import form, syntax
from gdcli.language.functions import FUNCTIONS, INTERNAL, SLOPES
from gdcli.objective.build import build_objective
from gdcli.objective.expression import ScalarObjective

XYZ = dict.fromkeys("xyz")


def slopes(typed: str) -> dict[str, str]:
    """The partial derivatives as text."""
    tree = syntax.parse(typed)
    return {name: text(slope) for name, slope in gradient(tree, dict.fromkeys(tree.names), {}).items()}


def value(typed: str, x: list[float]) -> float:
    built = form.build(syntax.parse(typed), dict.fromkeys("xyz"[: len(x)]), {})
    return float(ScalarObjective(built, Space(dict.fromkeys("xyz"[: len(x)]))).value_program(x))


@pytest.mark.parametrize("typed", SYMBOLIC)
def test_formulas_are_the_gradient_and_are_typed_as_the_language_has_them(typed: str) -> None:
    tree, lengths = syntax.parse(typed), dict.fromkeys("xy")
    made = build_objective(tree, lengths, {}, 1)
    shown = {name: text(slope) for name, slope in gradient(tree, lengths, {}).items()}
    assert list(shown) == ["x", "y"]
    for x in ([0.7, 1.3], [-1.2, 0.4], [2.0, -0.5], [1.0, 1.0 + 1e-9]):
        at = made.evaluate(Vec(x), 1)
        if at.gradient is None or at.estimated:
            continue
        for name, wanted in zip("xy", at.gradient, strict=True):
            if "digamma" not in shown[name]:  # of the derivatives only, not offered to the user
                assert value(shown[name], x) == pytest.approx(wanted, rel=1e-8, abs=1e-10), shown[name]


@settings(max_examples=150)
@given(
    scalars(SMOOTH_ONE, ["atan2", "hypot"], leaves=7),
    st.tuples(*[st.floats(-2.0, 2.0).filter(lambda v: abs(v) > 0.05)] * 3),
)
def test_text_and_nodes_against_the_derivatives_of_the_graph(typed: str, x: tuple[float, ...]) -> None:
    tree = syntax.parse(typed)
    made = build_objective(tree, XYZ, {}, 1)
    at = made.evaluate(Vec(x), 1)
    assume(at.gradient is not None and not at.estimated)
    assume(all(1e-6 < abs(g) < 1e5 or g == 0 for g in at.gradient))
    derivatives = gradient(tree, XYZ, {})
    writer = Nodes(made.form.graph, dict(zip("xyz", made.nodes, strict=True)))
    by_node = ScalarObjective(made.form, made.space, 1, [writer.write(d) for d in derivatives.values()])
    found = by_node.evaluate(Vec(x), 1).gradient
    assume(found is not None)  # a formula that is not arranged for its rounding may leave the range
    for slope, other, wanted in zip(derivatives.values(), found, at.gradient, strict=True):
        assume(math.isfinite(other))
        assert other == pytest.approx(wanted, rel=1e-5, abs=1e-7), typed
        if "digamma" in text(slope):
            continue  # of the derivatives only, not offered to the user
        assert value(text(slope), list(x)) == pytest.approx(other, rel=1e-5, abs=1e-7), (typed, text(slope))


@pytest.mark.parametrize(
    "typed",
    [
        "(1-x)**2 + 100*(y-x**2)**2",
        "exp(2*x)/(1+sin(x**2))",
        "x**y*log(x)",
        "(x+y)/(x-y)",
        "x*exp(-x*y)/sqrt(y)",
    ],
)
def test_sympy_finds_the_same_derivatives(typed: str) -> None:
    tree = syntax.parse(typed)
    names = dict.fromkeys(tree.names)
    theirs = SympyExpression(tree, names, {}).gradient()
    for mine, other in zip(slopes(typed).values(), theirs, strict=True):
        again = SympyExpression(syntax.parse(mine), names, {}).expression
        assert sp.simplify(again - other) == 0


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("100*(y-x**2)**2 + (1-x)**2", {"x": "400*x*(x**2 - y) + 2*x - 2", "y": "200*y - 200*x**2"}),
        ("x**2*sin(y)", {"x": "2*x*sin(y)", "y": "x**2*cos(y)"}),
        ("exp(-x**2)/sqrt(y)", {"x": "-2*x*exp(-x**2)/sqrt(y)", "y": "-exp(-x**2)/(2*y**(3/2))"}),
        ("a*exp(-b*t) + c", {"a": "exp(-b*t)", "b": "-a*t*exp(-b*t)", "t": "-a*b*exp(-b*t)", "c": "1"}),
        ("x/(x**2 + 1)", {"x": "(1 - x**2)/(x**2 + 1)**2"}),
        ("hypot(x, y)", {"x": "x/sqrt(x**2 + y**2)", "y": "y/sqrt(x**2 + y**2)"}),
        ("log(exp(x) + 1)", {"x": "exp(x)/(exp(x) + 1)"}),
        ("x**n", {"x": "n*x**(n - 1)", "n": "x**n*log(x)"}),
        ("(x+y)/(x-y)", {"x": "-2*y/(x - y)**2", "y": "2*x/(x - y)**2"}),
        ("0.1*x + x/3", {"x": "13/30"}),
        ("where(x < 1, x**2, 2*x - 1)", {"x": "where(x < 1, 2*x, 2)"}),
        ("erf(x)", {"x": "2*exp(-x**2)/sqrt(pi)"}),
        ("asin(x)", {"x": "1/sqrt(1 - x**2)"}),
        ("atan2(y, x)", {"y": "x/(x**2 + y**2)", "x": "-y/(x**2 + y**2)"}),
        ("sin(x)**2 + sin(x)*sin(x)", {"x": "4*cos(x)*sin(x)"}),
        ("sqrt(x)*sqrt(x)", {"x": "1"}),
        ("x/(1-1)", {"x": "1/0"}),
        ("9**99*x", {"x": "9**99"}),
    ],
)
def test_formulas_as_one_would_write_them(typed: str, wanted: dict[str, str]) -> None:
    assert slopes(typed) == wanted


def test_roots_of_squares_keep_their_sign() -> None:
    assert slopes("sqrt(x**2)") == {"x": "x/sqrt(x**2)"}
    assert value(slopes("(x**2)**0.5 + (x**2)**1.5")["x"], [-2.0]) == pytest.approx(-1.0 - 3.0 * 4.0)


def test_vectors_are_written_element_by_element() -> None:
    tree = syntax.parse(
        "sum((v-c)**2) + norm(v) + prod(v) + mean(v) + dot(v, c) + max(v)*min(v) + relu(v[0])"
    )
    lengths, constants = {"v": 3}, {"c": [1.0, 2.0, 0.1]}
    made = build_objective(tree, lengths, constants, -1)
    expanded = ScalarObjective(form.build(tree, lengths, constants, expand=True), made.space, -1)
    derivatives = gradient(tree, lengths, constants)
    assert list(derivatives) == ["v[0]", "v[1]", "v[2]"]
    writer = Nodes(expanded.form.graph, dict(zip(derivatives, expanded.nodes, strict=True)))
    formulas = ScalarObjective(expanded.form, made.space, -1, [writer.write(d) for d in derivatives.values()])
    x = Vec([0.3, -0.4, 2.0])
    assert formulas.evaluate(x, 1).gradient == pytest.approx(made.evaluate(x, 1).gradient, rel=1e-12)
    with pytest.raises(UsageError, match="up to 30 variables"):
        gradient(tree, {"v": 31}, {"c": [1.0] * 31})


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("exp(-x)/2", r"-\frac{\exp(-x)}{2}"),
        ("gamma(alpha)", r"\psi(\alpha)\,\Gamma(\alpha)"),
        ("温度**2", r"\text{2*温度}"),
    ],
)
def test_latex(typed: str, wanted: str) -> None:
    tree = syntax.parse(typed)
    [slope] = gradient(tree, dict.fromkeys(tree.names), {}).values()
    assert latex(slope) == wanted


def test_every_function_has_its_derivatives_on_paper() -> None:
    """They are those of the rules, which programs are made of."""
    for name, row in FUNCTIONS.items():
        if name == "trigamma":  # a third derivative is never asked for
            continue
        assert len(SLOPES[name]) == row.arity
        if name in INTERNAL:
            continue
        names = "xy"[: row.arity]
        tree = syntax.parse(f"{name}({', '.join(names)})")
        made = build_objective(tree, dict.fromkeys(names), {}, 1)
        for x in ([0.7, 0.3], [1.6, 2.9], [-0.4, 1.1], [-2.5, -0.2]):
            at = made.evaluate(Vec(x[: row.arity]), 1)
            if at.gradient is None or at.estimated:
                continue
            for slope, wanted in zip(SLOPES[name], at.gradient, strict=True):
                if "digamma" not in slope:
                    assert value(slope, x) == pytest.approx(wanted, rel=1e-13), (name, slope)
