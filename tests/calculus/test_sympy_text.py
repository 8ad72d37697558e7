"""sympy expressions are written in the words of the language: exactly, or with an error that names what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sympy as sp

from gdcli import api
from gdcli.calculus.symbolic import text
from gdcli.kernel.errors import UsageError

PROBLEMS = json.loads((Path(__file__).parent.parent / "data" / "problems.json").read_text())["problems"]
x, y, z = sp.symbols("x y z")
v = sp.IndexedBase("v")
i = sp.Symbol("i")

TEXTS: list[tuple[Any, str]] = [
    (x**2 + sp.sin(y), "x**2 + sin(y)"),
    ((1 - x) ** 2 + 100 * (y - x**2) ** 2, "(1 - x)**2 + 100*(-x**2 + y)**2"),
    (-3 * x / (4 * y), "-3*x/(4*y)"),
    (1 / (x**2 * y**3), "1/(x**2*y**3)"),
    (x / 3 + sp.Rational(2, 3), "x/3 + 2/3"),
    (sp.Float("0.1") * x - sp.Float("1e-20"), "0.1*x - 1e-20"),
    (1 / sp.sqrt(x), "1/sqrt(x)"),
    (x ** sp.Rational(-2, 3), "1/x**(2/3)"),
    (2**-x, "2**(-x)"),
    ((-2) ** x, "(-2)**x"),
    ((x**y) ** z, "(x**y)**z"),
    (x ** (y**z), "x**(y**z)"),
    (sp.Mul(-1, -1, x, evaluate=False), "x"),
    (sp.Mul(sp.Float(-2), sp.Float(-2), x, evaluate=False), "2.0*2.0*x"),
    (sp.Mul(-1, x + y, evaluate=False), "-(x + y)"),
    (z * (-x - y), "z*(-x - y)"),
    (x - sp.Mul(2, y - z, evaluate=False), "x - 2*(y - z)"),
    (sp.pi * x + sp.E, "pi*x + e"),
    (sp.exp(-x / 2) / y, "exp(-x/2)/y"),
    (sp.Abs(x), "abs(x)"),
    (sp.Max(x, y, 1), "max(1, x, y)"),
    (sp.loggamma(x) + sp.ceiling(y), "ceil(y) + lgamma(x)"),
    (sp.Piecewise((x, x < 0), (x**2, True)), "where(x < 0, x, x**2)"),
    (sp.Piecewise((x, sp.Or(x > 1, y >= 2)), (y, True)), "where(x > 1, x, where(y >= 2, x, y))"),
    (sp.Piecewise((x, sp.Ne(x, 0))), "where(x != 0, x, 0/0)"),
    (sp.Heaviside(x), "where(x < 0, 0, where(x > 0, 1, 1/2))"),
    (sp.sec(x), "1/cos(x)"),
    (v[0] ** 2 + v[2], "v[0]**2 + v[2]"),
    (sp.MatrixSymbol("w", 3, 1)[1, 0], "w[1]"),
    (sp.Sum(v[i] ** 2, (i, 0, 2)), "v[0]**2 + v[1]**2 + v[2]**2"),
    (sp.Derivative(x**3, x), "3*x**2"),
    (sp.Function("sigmoid")(x), "sigmoid(x)"),
    (sp.Eq(y, x * z + 1), "y ~ x*z + 1"),
]


@pytest.mark.parametrize(("expression", "written"), TEXTS, ids=[written for _, written in TEXTS])
def test_an_expression_is_written(expression: Any, written: str) -> None:
    assert text(expression) == written


@pytest.mark.parametrize("expression", [e for e, _ in TEXTS if not e.has(sp.Eq, v, sp.MatrixSymbol)], ids=str)
def test_the_text_has_the_value_of_the_expression(expression: Any) -> None:
    random = Random(0)
    names = {str(s) for s in expression.free_symbols}
    compared = 0
    for _ in range(5):
        point = {name: random.uniform(0.2, 2.0) for name in ("x", "y", "z") if name in names}
        if expression.has(sp.Function("sigmoid")):
            exact = expression.subs(sp.Function("sigmoid")(x), 1 / (1 + sp.exp(-x)))
        else:
            exact = expression.doit()
        wanted = exact.subs({sp.Symbol(name): sp.Float(value, 40) for name, value in point.items()})
        wanted = sp.N(wanted, 40)
        if not wanted.is_real:
            continue
        compared += 1
        problem = api.make_problem(expression, start=point)
        objective = problem.objective(1)
        found = objective.evaluate(objective.vector(objective.space.flatten(problem.start))).value
        assert found == pytest.approx(float(wanted), rel=1e-14)
    assert compared or text(expression) == "(-2)**x"


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        (sp.I * x, "imaginary unit"),
        (sp.besselj(0, x), "the language has no besselj"),
        (sp.Function("f")(x), "the language has no f"),
        (x + sp.Function("g")(sp.besselj(0, x)), "the language has no g"),
        (sp.Integral(sp.exp(-(x**3)), (x, 0, y)), "the language has no lowergamma"),
        (sp.Matrix([x, y]), "the language has no MutableDenseMatrix"),
        (x < 1, "x < 1 is no number"),
        (sp.oo * x, "oo is no number"),
        (sp.nan, "nan is no number"),
        (sp.Float("1e400") * x, "is no number"),
        (sp.Symbol("e") + x, "the name of a constant"),
        (sp.Symbol("a b"), "no name that can be typed"),
        (sp.Symbol("x", positive=True) + x, "two symbols of the name x"),
        (v[i], "no element of a vector"),
    ],
    ids=str,
)
def test_what_the_language_has_not_is_named(expression: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        api.minimize(expression, start={"x": 1})


def test_what_is_wrong_with_a_written_text_is_told_as_for_a_typed_one() -> None:
    with pytest.raises(UsageError, match="lambda"):
        api.minimize(sp.Symbol("lambda") ** 2, start={"lambda": 1})


@pytest.mark.parametrize("problem", PROBLEMS[:15], ids=lambda p: p["name"])
def test_a_problem_of_sympy_is_that_of_its_text(problem: dict[str, Any]) -> None:
    names = [name for name, value in problem["start"].items() if not isinstance(value, list)]
    if len(names) < len(problem["start"]):
        start = {sp.Symbol(k): value for k, value in problem["start"].items()}
        locals_ = {k: sp.IndexedBase(k) for k in problem["start"]}
    else:
        start, locals_ = {sp.Symbol(k): value for k, value in problem["start"].items()}, {}
    try:
        expression = sp.sympify(problem["expr"], locals=locals_, rational=False)
    except (TypeError, SyntaxError, AttributeError, sp.SympifyError):
        pytest.skip("not an expression of sympy's parser")
    found = api.minimize(expression, start=start)
    typed = api.minimize(text(expression), start=problem["start"])
    assert found.problem == typed.problem
    assert (found.status, found.value, found.point) == (typed.status, typed.value, typed.point)
    assert found.certificate == typed.certificate
    assert found.value == pytest.approx(problem["fmin"], rel=1e-8, abs=1e-10)


def test_all_that_takes_text_takes_sympy() -> None:
    f = (x - 3) ** 2 + sp.exp(y) - y
    assert api.minimize(f).point == api.minimize(text(f)).point  # a start is drawn
    assert api.maximize(-(x**2), start={x: 1}, bounds={x: (None, -2)}).value == -4.0
    assert api.minimize(z * x**2, start={x: 1}, constants={z: 2}).status.value == "converged"
    assert api.gradient(f, {x: 1, y: 2}).agrees
    problem = api.make_problem(f, start={x: 1, "y": 2})
    assert problem.start == {"x": 1.0, "y": 2.0}
    assert len(api.compare_methods(problem, ("auto", "bfgs"))) == 2
    assert api.compare_learning_rates(problem).found.curvature is not None


def test_an_equation_is_the_model_of_a_fit() -> None:
    a, b = sp.symbols("a b")
    data = {x: [1.0, 2.0, 3.0, 4.0], y: [2.0, 4.1, 6.0, 8.0]}
    found = api.fit(sp.Eq(y, a * x + b), data, start={a: 1, b: 0})
    typed = api.fit("y ~ a*x + b", {str(k): column for k, column in data.items()}, start={"a": 1, "b": 0})
    assert found.point == typed.point
    (group,) = api.fit_groups(sp.Eq(y, a * x + b), {**data, "day": [1, 1, 1, 1]}, by="day")
    assert group.outcome is not None
