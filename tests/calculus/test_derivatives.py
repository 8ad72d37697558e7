"""Derivatives: the graph's against sympy's and central differences, and vectors against their expansion."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import sympy as sp
from effort import examples
from expressions import SMOOTH_ONE, STABLE, scalars, with_vectors
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from objectives import objective
from symbolic_inputs import SYMBOLIC

from gdcli.calculus import autodiff
from gdcli.calculus.numerical_derivatives import central_gradient
from gdcli.calculus.symbolic import SympyExpression, function, to_graph
from gdcli.compile import runners
from gdcli.compile.scalar_text import ScalarFunction
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Space, Vec
from gdcli.language import form, functions, ieee, syntax
from gdcli.language.functions import FUNCTIONS
from gdcli.objective.build import build_objective, with_gradient
from gdcli.objective.expression import ScalarObjective
from gdcli.objective.vector_expression import VectorObjective

XYZ = dict.fromkeys("xyz")


def near(found: Sequence[float], wanted: Sequence[float], tolerance: float) -> bool:
    """Equal but for rounding, relative to the largest entry."""
    size = max(1.0, *(abs(a) for a in wanted))
    return all(abs(a - b) <= tolerance * size for a, b in zip(found, wanted, strict=True))


# -- the table of functions ------------------------------------------------------------

# Arguments inside the domain, away from poles; and the function itself where sympy does not evaluate it.
INSIDE: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("log", "log2", "log10", "sqrt", "gamma", "lgamma", "digamma", "trigamma"), (0.05, 20.0)),
    **dict.fromkeys(("asin", "acos", "atanh"), (-0.98, 0.98)),
    "acosh": (1.05, 30.0),
    "log1p": (-0.95, 20.0),
    "tan": (-1.5, 1.5),
    "erf": (-3.0, 3.0),
}
EXACT: dict[str, Callable[..., Any]] = {
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "abs": abs,
    "sign": mpmath.sign,
    "floor": mpmath.floor,
    "ceil": mpmath.ceil,
    "max": max,
    "min": min,
}


def exact(name: str, *args: float) -> Any:
    """The function at numbers, to 40 digits: by sympy where it has the function, by mpmath where not."""
    with mpmath.workdps(40):
        if name in EXACT:
            return EXACT[name](*map(mpmath.mpf, args))
        return sp.N(function(name)(*(sp.Rational(a) for a in args)), 40)


def points(name: str, count: int = 40) -> list[tuple[float, ...]]:
    random = np.random.default_rng(len(name))
    low, high = INSIDE.get(name, (-5.0, 5.0))
    return [tuple(map(float, random.uniform(low, high, FUNCTIONS[name].arity))) for _ in range(count)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_of_functions(name: str) -> None:
    for args in points(name):
        assert ieee.function(name)(*args) == pytest.approx(float(exact(name, *args)), rel=1e-13, abs=1e-14)


def rules(name: str) -> list[str]:
    """The points where the derivative rule of a function is wrong, as messages."""
    form_of = form.build(syntax.parse("x + y"), {"x": None, "y": None}, {})
    graph = form_of.graph
    leaves = [graph.scalar("x"), graph.scalar("y")][: FUNCTIONS[name].arity]
    gradient = autodiff.Derivatives(graph).gradient(graph.node(name, *leaves))
    zero = graph.number(0.0)
    keys = {graph.keys[leaf]: f"x{i}" for i, leaf in enumerate(leaves)}
    program = ScalarFunction(
        graph, [gradient.get(i, zero) for i in leaves], keys, lambda t: f"({', '.join(t)},)"
    )
    wrong = []
    for args in points(name):
        for i, found in enumerate(program(args)):
            with mpmath.workdps(40):
                h = mpmath.mpf("1e-10")
                moved = [
                    [mpmath.mpf(a) + (s * h if j == i else 0) for j, a in enumerate(args)] for s in (1, -1)
                ]
                up, down = (mpmath.mpf(str(exact_at(name, m))) for m in moved)
                slope = float((up - down) / (2 * h))
            if not math.isclose(found, slope, rel_tol=1e-12, abs_tol=1e-14):
                wrong.append(f"{name}{args} by argument {i}: {found}, not {slope}")
    return wrong


def exact_at(name: str, args: list[Any]) -> Any:
    if name in EXACT:
        return EXACT[name](*args)
    return sp.N(function(name)(*(sp.Float(str(a), 40) for a in args)), 40)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "trigamma"])
def test_derivative_rules(name: str) -> None:
    assert not rules(name)


@pytest.mark.parametrize("name", ["sin", "atan2", "gamma", "softplus"])
def test_a_wrong_rule_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    right = FUNCTIONS[name]

    def wrong(a: functions.Algebra, y: int, args: tuple[int, ...]) -> tuple[int, ...]:
        first, *others = right.rule(a, y, args)
        return (a.mul(a.number(1.0 + 1e-9), first), *others)

    monkeypatch.setitem(functions.FUNCTIONS, name, right._replace(rule=wrong))
    assert rules(name)


@pytest.mark.parametrize(
    ("text", "x", "slope"),
    [
        ("tanh(x)", 15.0, float(1 / mpmath.cosh(15) ** 2)),
        ("tanh(x)", 800.0, 0.0),
        ("sigmoid(x)", 40.0, math.exp(-40.0)),
        ("sigmoid(x)", -40.0, math.exp(-40.0)),
        ("softplus(x)", -50.0, math.exp(-50.0)),
        ("atan2(x, 3e200)", 4e200, 3 / 25 * 1e-200),
        ("atan2(x, 3e-200)", 4e-200, 3 / 25 * 1e200),
        ("log1p(x)", -1 + 2.0**-40, 2.0**40),
        ("asin(x)", 1 - 2.0**-40, 1 / math.sqrt((2.0**-40) * (2 - 2.0**-40))),
        ("hypot(x, 3e200)", 4e200, 0.8),
        ("x**y", 0.0, 0.0),
    ],
)
def test_derivatives_keep_their_digits_far_out(text: str, x: float, slope: float) -> None:
    made = objective(text)
    at = made.evaluate(Vec([x, 2.0][: made.size]), 1)
    assert at.gradient[0] == pytest.approx(slope, rel=1e-12, abs=0.0)
    assert not at.note


# -- random expressions ------------------------------------------------------------

POINTS = st.tuples(*[st.floats(-2.5, 2.5).map(lambda a: round(a, 6)) for _ in range(3)])


def made_of(text: str) -> ScalarObjective:
    try:
        return ScalarObjective(form.build(syntax.parse(text), XYZ, {}), Space(XYZ))
    except UsageError:
        assume(False)
        raise


def is_tame(made: ScalarObjective, x: tuple[float, ...]) -> bool:
    """Whether the function is finite, of moderate size and without kinks or jumps near a point."""
    random = np.random.default_rng(0)
    around = [
        made.value_program([a + float(d) for a, d in zip(x, random.uniform(-1e-3, 1e-3, 3), strict=True)])
        for _ in range(6)
    ]
    here = made.value_program(x)
    return all(abs(v) < 1e4 and abs(v - here) < 0.05 * (1 + abs(here)) for v in (*around, here))


def slope(made: ScalarObjective, x: Vec, j: int) -> float:
    """One component of the gradient, nan where there is none."""
    gradient = made.evaluate(x, 1).gradient
    return math.nan if gradient is None else float(gradient[j])


@settings(STABLE, max_examples=examples(120))
@given(scalars(SMOOTH_ONE, ["atan2", "hypot"], choices=False, leaves=8), POINTS)
def test_gradient_and_hessian_against_differences(text: str, x: tuple[float, ...]) -> None:
    made = made_of(text)
    at = made.evaluate(Vec(x), 2)
    assume(is_tame(made, x) and at.gradient is not None and at.hessian is not None and not at.estimated)
    sizes = [abs(a) for row in (at.gradient, *at.hessian) for a in row]
    assume(max(sizes) < 1e4)
    coarse, fine = (central_gradient(made.value_program, Vec(x), h) for h in (2e-4, 1e-4))
    assume(coarse is not None and near(coarse, fine, 1e-6))  # the quotients themselves have settled
    assert near(at.gradient, fine, 1e-5)
    for j in range(3):
        column, rough = (central_gradient(lambda p, j=j: slope(made, p, j), Vec(x), h) for h in (1e-4, 2e-4))
        assume(column is not None and rough is not None and near(column, rough, 1e-5))
        assert near(at.hessian[j], column, 1e-4)
    direction = Vec([0.3, -1.0, 0.7])
    product = made.product(at, direction)
    assume(product is not None)
    assert near(product, [row @ direction for row in at.hessian], 1e-9)


@settings(STABLE, max_examples=60)
@given(scalars(SMOOTH_ONE, ["atan2", "hypot"], leaves=6), POINTS)
def test_gradient_and_hessian_against_sympy(text: str, x: tuple[float, ...]) -> None:
    made = made_of(text)
    assume(is_tame(made, x))
    tree = syntax.parse(text)
    formula = SympyExpression(tree, XYZ, {})
    symbolic = with_gradient(made, "symbolic", None, {}, 1)
    at, other = made.evaluate(Vec(x), 2), symbolic.evaluate(Vec(x), 2)
    assume(
        at.gradient is not None and other.gradient is not None and not at.estimated and not other.estimated
    )
    assume(max(map(abs, at.gradient)) < 1e5)
    assert near(other.gradient, at.gradient, 1e-7)
    if (
        at.hessian is not None
        and other.hessian is not None
        and max(abs(a) for r in at.hessian for a in r) < 1e5
    ):
        for row, wanted in zip(other.hessian, at.hessian, strict=True):
            assert near(row, wanted, 1e-6)
    assert len(formula.gradient()) == 3


@pytest.mark.parametrize("text", SYMBOLIC)
def test_the_gradient_by_sympy_runs(text: str) -> None:
    tree, lengths = syntax.parse(text), dict.fromkeys("xy")
    made = build_objective(tree, lengths, {}, 1)
    symbolic = with_gradient(made, "symbolic", None, {}, 1)
    for x in ([0.7, 1.3], [-1.2, 0.4], [2.0, -0.5], [1.0, 1.0 + 1e-9]):
        at, other = made.evaluate(Vec(x), 1), symbolic.evaluate(Vec(x), 1)
        if at.gradient is None or at.estimated:
            continue
        assert other.gradient == pytest.approx(at.gradient, rel=1e-9, abs=1e-12)


def test_formulas_of_vectors() -> None:
    tree = syntax.parse("sum((v-c)**2) + norm(v) + prod(v) + mean(v) + dot(v, c) + max(v)*min(v)")
    lengths, constants = {"v": 3}, {"c": [1.0, 2.0, 0.1]}
    made = build_objective(tree, lengths, constants, -1)
    symbolic = with_gradient(made, "symbolic", None, constants, -1)
    x = Vec([0.3, -0.4, 2.0])
    assert symbolic.evaluate(x, 1).gradient == pytest.approx(made.evaluate(x, 1).gradient, rel=1e-12)
    with pytest.raises(UsageError, match="up to 30 variables"):
        SympyExpression(tree, {"v": 31}, {"c": [1.0] * 31})


def test_what_has_no_program_is_said() -> None:
    graph = form.build(syntax.parse("x"), {"x": None}, {}).graph
    with pytest.raises(UsageError, match="no program"):
        to_graph(sp.zeta(sp.Symbol("x")), graph, {"x": 0})


# -- vectors ------------------------------------------------------------

A, B, K, V, U = ("a", None), ("b", None), ("k", 1), ("v", 7), ("u", 7)
VECTORS = [
    "sum(v**2)",
    "sum((v-c)**2)",
    "sum(c*v**3 + v)",
    "norm(v)",
    "norm(v-c)*norm(u)",
    "sum((v-mean(v))**2)",
    "log(sum(exp(v-max(v))))+max(v)",
    "dot(v[1:],v[:-1])**2",
    "sum(v[::2]*u[::2])",
    "sum(v[1::2]*v[:-1:2])",
    "a*sum(v**2)+b*v[0]+v[-1]**2",
    "mean(u*v)/norm(u)",
    "prod(v)",
    "prod(v)*prod(u[1:3])",
    "sum(v*prod(v))",
    "prod(v*a + b)",
    "max(v)*min(u)",
    "max(v*u) - min(v+a)",
    "sum(max(v, u))",
    "sum(max(v, a, 0.5))",
    "sum(min(v, c))",
    "sum(relu(v-b))**2",
    "sum(where(v > u, v*u, a*v))",
    "sum(where(v > a, v**2, where(v < b, u*v, b*u)))",
    "sum(where(v > 0, where(u > 0, v*u, a), where(a > b, u**3, v*mean(u))))",
    "sum(where(a > b, v, u)*v)",
    "where(a > b, sum(v**2), norm(u))*sum(v)",
    "sum(where(c > 1, v*c, a))",
    "sum(abs(v)*sign(u) + floor(a*v))",
    "sum(sin(v)*exp(u/3) + tanh(v*u) + atan2(v, u+9))",
    "sum(sigmoid(v) + softplus(u) + erf(v*a) + lgamma(v**2+1))",
    "sum(cbrt(v+9) + hypot(v, u) + gamma(u**2+2))",
    "sum(100*(v[1:]-v[:-1]**2)**2+(1-v[:-1])**2)",
    "sum((a+b*c-v)**2)/sum(c**2)",
    "mean((v-mean(v))**2)/mean((u-mean(u))**2)",
    "sum(a/(v**2+b**2+1))**2",
    "sum(v)*sum(u)*sum(v*u)",
    "sum(exp(-(v-a)**2/(2*b**2+1)))",
    "v[0]*v[-1]+u[3]**2*sum(v)",
    "sum(v[2:5])+sum(v[1:4]*v[3:6])",
    "sum(k*2)+k[0]**2*sum(v)",
    "prod(k)+max(k)+norm(k)+mean(k)",
    "sum((v**2+1)**(u/9+2) + (v**2+1)**a)",
    "sum(v)/(1+sum(v**2))",
    "max(sum(v), norm(u), a)",
    "sum(v[:2]*v[-2:])*sum(v[::3])",
    "sum(-v)-sum(-(v*u))",
    "sum(v-u) + sum(a-v)",
    "sum(2-0*v)",
    "norm(where(v > 0, v, u))*max(where(v > 0, v, a))",
    "dot(v, v)",
    "dot(v-u, c)",
    "sum(v*(v*v))",
    "sum(u/(v+9))",
]


def both(
    text: str, lengths: dict[str, int | None], constants: dict[str, Any]
) -> tuple[ScalarObjective, VectorObjective]:
    tree = syntax.parse(text)
    expanded, compact = (form.build(tree, lengths, constants, expand) for expand in (True, False))
    return ScalarObjective(expanded, Space(lengths)), VectorObjective(compact, Space(lengths))


def check_forms(text: str, lengths: dict[str, int | None], constants: dict[str, Any], x: list[float]) -> None:
    """Value, gradient and Hessian-vector product of the expanded and of the vector form agree."""
    scalar, vector = both(text, lengths, constants)
    one, two = scalar.evaluate(scalar.vector(x), 1), vector.evaluate(vector.vector(x), 1)
    assert two.value == pytest.approx(one.value, rel=1e-12, abs=1e-12)
    assert vector.evaluate(vector.vector(x), 0).value == two.value
    assert one.gradient is not None
    if one.estimated:
        return
    assert two.gradient is not None
    assert near(list(two.gradient), one.gradient, 1e-11)
    assert vector.has_product == ("prod" not in text)
    if vector.has_product:
        direction = [math.cos(3.0 * i) for i in range(len(x))]
        wanted = scalar.product(one, scalar.vector(direction))
        found = vector.product(two, vector.vector(direction))
        if wanted is not None:
            assert found is not None
            assert near(list(found), wanted, 1e-10)


def setting(text: str, length: int = 7) -> tuple[dict[str, int | None], dict[str, Any]]:
    names = set(syntax.parse(text).names)
    shapes = {"a": None, "b": None, "k": 1, "v": length, "u": length}
    constants = {"c": [math.sin(i) + 1 for i in range(length)]} if "c" in names else {}
    return {name: shape for name, shape in shapes.items() if name in names}, constants


@pytest.mark.parametrize("chunk", [3, 16_384])
@pytest.mark.parametrize("text", VECTORS)
def test_vectors_are_as_their_expansion(monkeypatch: pytest.MonkeyPatch, text: str, chunk: int) -> None:
    monkeypatch.setattr(runners, "CHUNK", chunk)
    lengths, constants = setting(text)
    size = Space(lengths).size
    random = np.random.default_rng(7)
    for scale in (1.0, 1.7):
        check_forms(text, lengths, constants, list(map(float, random.uniform(-1.0, 1.5, size) * scale)))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 6])
@pytest.mark.parametrize(
    "text",
    [
        "sum(v**2*u)",
        "prod(v)",
        "max(v)+min(u)",
        "norm(v)",
        "sum((v-mean(v))**2)",
        "sum(where(v > a, v, u))",
        "sum(v[::2]*a)",
    ],
)
def test_short_vectors_and_chunk_borders(monkeypatch: pytest.MonkeyPatch, text: str, length: int) -> None:
    monkeypatch.setattr(runners, "CHUNK", 3)
    lengths, constants = setting(text, length)
    check_forms(text, lengths, constants, [0.3 + math.sin(5.0 * i) for i in range(Space(lengths).size)])


@pytest.mark.parametrize("chunk", [3, 16_384])
@pytest.mark.parametrize("zeros", [(), (2,), (0,), (6,), (1, 5)])
def test_products_with_zero_factors(
    monkeypatch: pytest.MonkeyPatch, zeros: tuple[int, ...], chunk: int
) -> None:
    monkeypatch.setattr(runners, "CHUNK", chunk)
    x = [1.5, -2.0, 0.5, 3.0, 1.0, -1.0, 2.0]
    for i in zeros:
        x[i] = 0.0
    scalar, vector = both("prod(v)", {"v": 7}, {})
    wanted = [math.prod(x[:i] + x[i + 1 :]) for i in range(7)]
    assert scalar.evaluate(Vec(x), 1).gradient == wanted
    assert list(vector.evaluate(np.array(x), 1).gradient) == wanted


@pytest.mark.parametrize("chunk", [2, 16_384])
def test_ties_go_to_the_first(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(runners, "CHUNK", chunk)
    x = [1.0, 3.0, 2.0, 3.0, -1.0, -1.0, 3.0]
    for made in both("max(v) + 10*min(v)", {"v": 7}, {}):
        assert list(made.evaluate(made.vector(x), 1).gradient) == [0, 1, 0, 0, 10, 0, 0]
    for made in both("sum(max(v, 3))", {"v": 7}, {}):
        assert list(made.evaluate(made.vector(x), 1).gradient) == [0, 1, 0, 1, 0, 0, 1]
    for made in both("sum(relu(v))", {"v": 2}, {}):
        assert list(made.evaluate(made.vector([0.0, 1.0]), 1).gradient) == [0, 1]


@settings(STABLE, max_examples=examples(120))
@given(with_vectors(), st.lists(st.floats(-1.7, 1.7).map(lambda a: round(a, 5)), min_size=9, max_size=9))
def test_random_vector_expressions(text: str, x: list[float]) -> None:
    lengths: dict[str, int | None] = {"u": 4, "v": 4, "x": None}
    scalar, vector = both(text, lengths, {"c": [0.5, -1.0, 2.0, 3.0]})
    one, two = scalar.evaluate(Vec(x), 1), vector.evaluate(np.array(x), 1)
    assume(
        abs(one.value) < 1e4
        and one.gradient is not None
        and not one.estimated
        and max(map(abs, one.gradient)) < 1e4
    )
    moved = scalar.evaluate(Vec([a * (1 + 1e-13) + 1e-14 for a in x]), 1)  # not at a jump, nor a cancellation
    assume(
        moved.gradient is not None
        and near(moved.gradient, one.gradient, 1e-9)
        and abs(moved.value - one.value) < 1e-8
    )
    assert two.value == pytest.approx(one.value, rel=1e-7, abs=1e-7)
    assert two.gradient is not None
    assert near(list(two.gradient), one.gradient, 1e-7)


def test_products_of_long_vectors_have_no_second_derivative_and_say_so() -> None:
    assert not both("prod(v)", {"v": 3}, {})[1].has_product
    assert both("prod(v)", {"v": 3}, {})[0].has_product
    graph = form.build(syntax.parse("x"), {"x": None}, {}).graph
    node = graph.node("trigamma", graph.scalar("x"))
    with pytest.raises(NotImplementedError, match="third derivative"):
        autodiff.Derivatives(graph).partials(node)


# -- a million variables ------------------------------------------------------------

N = 1_000_000
W = np.sin(np.arange(N)) + 1.5
T = np.cos(np.arange(N) * 0.7) + 0.1
MEAN = W - W.mean()
SOFT = np.exp(W - W.max())
EVEN, ODD = W[::2], W[1::2]


def rosen(x: Any) -> tuple[float, Any]:
    gradient = np.zeros_like(x)
    bend = x[1:] - x[:-1] ** 2
    gradient[:-1] = -400 * x[:-1] * bend - 2 * (1 - x[:-1])
    gradient[1:] += 200 * bend
    return float(np.sum(100 * bend**2 + (1 - x[:-1]) ** 2)), gradient


def neighbours(x: Any) -> Any:
    gradient = np.zeros_like(x)
    gradient[1:] += x[:-1]
    gradient[:-1] += x[1:]
    return gradient * 2 * np.dot(x[1:], x[:-1])


def alternating(x: Any) -> Any:
    gradient = np.zeros_like(x)
    gradient[::2], gradient[1::2] = x[1::2], x[::2]
    return gradient


def ends(x: Any) -> Any:
    gradient = 2 * 1.5 * x
    gradient[0] += 0.5
    gradient[-1] += 2 * x[-1]
    return np.concatenate(([np.dot(x, x)], gradient, [x[0]]))


LARGE: list[tuple[str, dict[str, Any], float, Any]] = [
    ("sum(v**2)", {"v": W}, np.dot(W, W), 2 * W),
    ("sum(100*(v[1:]-v[:-1]**2)**2+(1-v[:-1])**2)", {"v": W}, *rosen(W)),
    ("norm(v)", {"v": W}, np.linalg.norm(W), W / np.linalg.norm(W)),
    ("sum((v-mean(v))**2)", {"v": W}, np.dot(MEAN, MEAN), 2 * MEAN),
    ("log(sum(exp(v-max(v))))+max(v)", {"v": W}, math.log(SOFT.sum()) + W.max(), SOFT / SOFT.sum()),
    ("dot(v[1:],v[:-1])**2", {"v": W}, np.dot(W[1:], W[:-1]) ** 2, neighbours(W)),
    ("sum(v[::2]*v[1::2])", {"v": W}, np.dot(EVEN, ODD), alternating(W)),
    (
        "a*sum(v**2)+b*v[0]+v[-1]**2",
        {"a": 1.5, "v": W, "b": 0.5},
        1.5 * np.dot(W, W) + 0.5 * W[0] + W[-1] ** 2,
        ends(W),
    ),
    (
        "mean(u*v)/norm(u)",
        {"u": T, "v": W},
        np.mean(T * W) / np.linalg.norm(T),
        np.concatenate(
            (
                W / N / np.linalg.norm(T) - np.mean(T * W) * T / np.linalg.norm(T) ** 3,
                T / N / np.linalg.norm(T),
            )
        ),
    ),
]


# Extremes and slices with a step are left to numpy.
NUMPY_ALONE = ("log(sum(exp(v-max(v))))+max(v)", "sum(v[::2]*v[1::2])")


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize(("text", "point", "value", "gradient"), LARGE, ids=[case[0] for case in LARGE])
def test_a_million_variables(
    text: str, point: dict[str, Any], value: float, gradient: Any, engine: str
) -> None:
    lengths = {name: len(v) if hasattr(v, "__len__") else None for name, v in point.items()}
    if engine == "native":
        pytest.importorskip("llvmlite")
        if text in NUMPY_ALONE:
            with pytest.raises(UsageError, match="no machine code"):
                build_objective(syntax.parse(text), lengths, {}, 1, engine, use_cache=False)
            return
    made = build_objective(syntax.parse(text), lengths, {}, 1, engine, use_cache=False)
    assert made.engine == engine
    flat = np.concatenate([np.atleast_1d(v) for v in point.values()])
    at = made.evaluate(flat, 1)
    assert at.value == pytest.approx(value, rel=1e-11)
    assert np.all(np.isfinite(at.gradient))
    np.testing.assert_allclose(at.gradient, gradient, rtol=1e-8, atol=1e-11 * float(np.abs(gradient).max()))


def test_a_product_of_a_million_factors_with_one_zero() -> None:
    x = np.where(np.arange(N) % 2, 1.25, 0.8)
    x[N // 3] = 0.0
    made = build_objective(syntax.parse("prod(v)"), {"v": N}, {}, 1)
    at = made.evaluate(x, 1)
    assert at.value == 0.0
    assert at.gradient[N // 3] == pytest.approx(np.prod(np.delete(x, N // 3)), rel=1e-9)
    assert np.count_nonzero(at.gradient) == 1
