"""The value program is the typed tree: against a direct walk of the tree, bit for bit."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from effort import examples
from expressions import STABLE, scalars, with_vectors
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from objectives import objective

from gdcli.compile.scalar_text import ARITHMETIC
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Space
from gdcli.language import form, ieee, interpreter, syntax
from gdcli.language.functions import FUNCTIONS
from gdcli.objective.expression import ScalarObjective

INF, NAN = math.inf, math.nan
WILD = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    3.0,
    170.7,
    -170.5,
    710.0,
    -750.0,
    1e-5,
    1e16,
    -1e16,
    1e154,
    -1e200,
]
WILD += [1e308, -1e308, 5e-324, -5e-324, 1e-310, 2.0**53, 1 / 3, math.pi, -math.pi / 2]
NUMBERS = st.one_of(st.sampled_from(WILD), st.floats(allow_nan=False, allow_infinity=False), st.floats(-5, 5))


def bits(value: float) -> bytes:
    return struct.pack("<d", NAN if value != value else value)


def run(text: str, point: Mapping[str, float | Sequence[float]], **more: Any) -> float:
    made = objective(text, {k: len(v) if isinstance(v, list) else None for k, v in point.items()}, **more)
    return made.value_program(made.space.flatten(point))  # type: ignore[no-any-return]


@settings(STABLE, max_examples=examples(600))
@given(scalars(), st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_programs_are_the_tree_bit_for_bit(text: str, numbers: tuple[float, float, float]) -> None:
    point = dict(zip("xyz", numbers, strict=True))
    tree = syntax.parse(text)
    try:
        made = ScalarObjective(form.build(tree, dict.fromkeys("xyz"), {}), Space(dict.fromkeys("xyz")))
    except UsageError as error:
        assume("too large" not in error.message)
        raise
    expected = interpreter.value(tree, point)
    assert bits(made.value_program(numbers)) == bits(expected)
    assert bits(made.value_program.safe(numbers)) == bits(expected)
    for order in (0, 1, 2):
        at = made.evaluate(made.vector(numbers), order)
        assert bits(at.value) == bits(INF if expected != expected else expected)
    made.product(at, made.vector([1.0, -1.0, 0.5]))


@settings(STABLE, max_examples=examples(250))
@given(with_vectors(), st.lists(st.one_of(st.floats(-3, 3), NUMBERS), min_size=10, max_size=10))
def test_expanded_vectors_are_the_tree_bit_for_bit(text: str, numbers: list[float]) -> None:
    tree = syntax.parse(text)
    lengths = {"u": 4, "v": 4, "x": None}
    constants = {"c": [0.5, -1.0, 2.0, 3.0]}
    made = ScalarObjective(form.build(tree, lengths, constants, expand=True), Space(lengths))
    x = numbers[:9]
    point = {**made.space.unflatten(x), **constants}
    expected = interpreter.value(tree, point, constants)
    assert bits(made.value_program(x)) == bits(expected)
    assert bits(made.value_program.safe(x)) == bits(expected)
    made.evaluate(made.vector(x), 1)


@settings(STABLE, max_examples=examples(150))
@given(with_vectors(), st.lists(st.floats(-3, 3), min_size=10, max_size=10))
def test_the_numpy_program_computes_the_same(text: str, numbers: list[float]) -> None:
    lengths = {"u": 4, "v": 4, "x": None}
    constants = {"c": [0.5, -1.0, 2.0, 3.0]}
    expanded = objective(text, lengths, constants, "expanded")
    vector = objective(text, lengths, constants, "vector")
    x = numbers[:9]
    one, two = expanded.evaluate(expanded.vector(x)).value, vector.evaluate(vector.vector(x)).value
    # A jump (floor, sign) may fall to either side by rounding; otherwise they agree.
    if (
        not any(name in text for name in ("floor", "ceil", "sign", "where", "gamma", "tan"))
        and abs(one) < 1e6
    ):
        assert two == pytest.approx(one, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", [n for n, row in FUNCTIONS.items() if row.arity == 1])
def test_functions_of_one_argument_never_raise(name: str) -> None:
    for a in (*WILD, INF, -INF, NAN):
        assert isinstance(ieee.function(name)(a), float)


@pytest.mark.parametrize("name", ["div", "power", *(n for n, row in FUNCTIONS.items() if row.arity == 2)])
def test_functions_of_two_arguments_never_raise(name: str) -> None:
    for a in (*WILD, INF, -INF, NAN):
        for b in (*WILD, INF, -INF, NAN):
            assert isinstance(ieee.function(name)(a, b), float)


def test_cpython_and_numpy_agree_where_ieee_754_decides() -> None:
    import numpy as np

    pairs = {
        "div": np.divide,
        "floor": np.floor,
        "ceil": np.ceil,
        "sqrt": np.sqrt,
        "max": np.maximum,
        "min": np.minimum,
        "abs": np.abs,
        "power": np.power,
        "log": np.log,
        "exp": np.exp,
        "atan2": np.arctan2,
        "atanh": np.arctanh,
        "sinh": np.sinh,
        "sign": np.sign,
        "log1p": np.log1p,
        "acosh": np.arccosh,
        "expm1": np.expm1,
        "cosh": np.cosh,
    }
    special = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 3.0, -3.0, 1e300, -1e300, INF, -INF, NAN]
    with np.errstate(all="ignore"):
        for name, ufunc in pairs.items():
            two = ufunc.nin == 2
            for a in special:
                for b in special if two else [0.0]:
                    if name in ("max", "min") and a == b == 0.0:
                        continue  # IEEE 754 leaves open which zero it is
                    if name == "power" and abs(b) == 0.5:
                        continue  # numpy takes the square root, which has -0.0 of -0.0 and nan of -inf
                    args = (a, b) if two else (a,)
                    mine, other = ieee.function(name)(*args), float(ufunc(*args))
                    close = mine == other or abs(mine - other) < 1e-12 * abs(other)
                    assert (mine != mine and other != other) or (
                        close and (mine != 0 or name == "sign" or bits(mine) == bits(other))
                    ), (name, args, mine, other)


OUTSIDE = [
    ("sqrt(x)**2", {"x": -1.0}),
    ("x/x", {"x": 0.0}),
    ("(x-1)/(x-1)", {"x": 1.0}),
    ("log(x)-log(x)", {"x": 0.0}),
    ("x**0.5", {"x": -2.0}),
    ("0*log(x)", {"x": -1.0}),
    ("exp(x)-exp(x)", {"x": 1000.0}),
    ("asin(x)**0*asin(x)", {"x": 2.0}),
    ("sin(1/x)", {"x": 0.0}),
]


@pytest.mark.parametrize(("text", "point"), OUTSIDE)
def test_outside_the_domain_is_nan_and_counts_as_infinite(text: str, point: dict[str, float]) -> None:
    assert math.isnan(run(text, point))
    assert objective(text).evaluate(list(point.values())).value == INF
    assert objective(text, sign=-1).evaluate(list(point.values())).value == INF


@pytest.mark.parametrize(
    ("text", "x", "value"),
    [
        ("1/x", 0.0, INF),
        ("1/x", -0.0, -INF),
        ("log(x)", 0.0, -INF),
        ("exp(x)", 10000.0, INF),
        ("x*x*x", -1e200, -INF),
        ("(x)**(-1)", -0.0, -INF),
        ("x**5", -1e100, -INF),
        ("1/ceil(x)", -0.5, -INF),
        ("1/floor(x)", 0.5, INF),
    ],
)
def test_infinities_are_those_of_ieee_754(text: str, x: float, value: float) -> None:
    assert run(text, {"x": x}) == value


LAZY = [
    ("where(x > 0, log(x), x)", -1.0, -1.0, 1.0),
    ("where(x > 0, x**0.5, -x)", -4.0, 4.0, -1.0),
    ("where(x == 0, 1, sin(x)/x)", 0.0, 1.0, 0.0),
    ("where(x <= 0, 0, exp(-1/x))", 0.0, 0.0, 0.0),
    ("where(x > 0, where(x > 1, log(x-1), sqrt(x)), x**2)", -3.0, 9.0, -6.0),
    ("max(x, sqrt(x-1)**2*0 - 5 + x - x + min(sqrt(1-x), 9))", 1.0, 1.0, 1.0),
    ("where(x != x, sqrt(x), x) + 0", 2.0, 2.0, 1.0),
]


@pytest.mark.parametrize(("text", "x", "value", "slope"), LAZY)
def test_where_is_lazy_in_scalars(text: str, x: float, value: float, slope: float) -> None:
    at = objective(text).evaluate([x], 1)
    assert at.value == value
    assert at.gradient == [slope]
    assert not at.note


LAZY_VECTORS = [
    ("sum(where(v > 0, sqrt(v), v**2))", {"v": [4.0, -3.0, 9.0, 0.0]}, [0.25, -6.0, 1 / 6, 0.0]),
    ("sum(where(v == 0, 1, sin(v)/v))", {"v": [0.0, math.pi, 0.0]}, [0.0, -1 / math.pi, 0.0]),
    ("sum(where(v > 0, log(v), where(v < -1, sqrt(-1-v), v)))", {"v": [1.0, -2.0, -0.5]}, [1.0, -0.5, 1.0]),
    ("sum(where(v > 0, sqrt(a)*v, v))", {"v": [-1.0, -2.0], "a": 0.0}, [1.0, 1.0, 0.0]),
    ("sum(where(v > 0, norm(u)*v, v))", {"v": [-1.0, -2.0], "u": [0.0, 0.0]}, [1.0, 1.0, 0.0, 0.0]),
    (
        "sum(where(v > 0, where(v > 2, log(a), a**0.5)*v, a*v))",
        {"v": [-1.0, -2.0], "a": 0.0},
        [0.0, 0.0, -3.0],
    ),
    ("sum(max(v, sqrt(v-1)*0 + 1))", {"v": [3.0, 2.0]}, [1.0, 1.0]),
    ("sum(where(a > 0, log(a)*v, v))", {"v": [1.0, 2.0], "a": 0.0}, [1.0, 1.0, 0.0]),
]


@pytest.mark.parametrize("kind", ["expanded", "vector"])
@pytest.mark.parametrize(("text", "point", "gradient"), LAZY_VECTORS)
def test_where_is_lazy_in_vectors(kind: str, text: str, point: dict[str, Any], gradient: list[float]) -> None:
    lengths = {k: len(v) if isinstance(v, list) else None for k, v in point.items()}
    made = objective(text, lengths, kind=kind)
    at = made.evaluate(made.vector(made.space.flatten(point)), 1)
    assert math.isfinite(at.value)
    assert at.gradient is not None
    assert list(at.gradient) == pytest.approx(gradient)
    assert not at.note


@pytest.mark.parametrize("kind", ["expanded", "vector"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sum(where(a < 2, 0, v))", 0.0),
        ("sum(where(a > 2, 0, v))", 6.0),
        ("sum(where(a < 2, 1, v))", 3.0),
        ("sum(where(1 < 2, 1, v) + v)", 9.0),
        ("sum(where(c > 1, c, v))", 6.0),
        ("mean(where(a < 2, x, v))", 7.0),
    ],
)
def test_a_constant_condition_keeps_the_length(kind: str, text: str, value: float) -> None:
    tree = syntax.parse(text)
    constants = {
        name: known for name, known in {"a": 1.0, "c": [1.0, 2.0, 3.0]}.items() if name in tree.names
    }
    point = {"v": [1.0, 2.0, 3.0], "x": 7.0}
    made = objective(text, {"v": 3, "x": None}, constants, kind)
    at = made.evaluate(made.vector(made.space.flatten(point)), 1)
    assert at.value == value
    assert interpreter.value(tree, {**point, **constants}, constants) == value


@pytest.mark.parametrize("depth", [50, 98])
def test_deeply_nested_choices_compile(depth: int) -> None:
    text = "".join(f"where(x < {i}, x**2 + {i}/(x-{i}), " for i in range(depth)) + "x" + ")" * depth
    made = objective(text)
    for x in (-1.0, 30.5, 1e3):
        assert bits(made.evaluate([x], 2).value) == bits(interpreter.value(syntax.parse(text), {"x": x}))


def test_many_choices_compile_quickly() -> None:
    text = " + ".join(f"where(x < {i}, x*{i}, y**2)" for i in range(400))
    at = objective(text).evaluate([3.5, 1.0], 2)
    assert at.value == pytest.approx(3.5 * sum(range(4, 400)) + 4)
    assert at.gradient == [sum(range(4, 400)), 8.0]
    assert at.hessian == [[0, 0], [0, 8]]


def test_the_largest_of_many_values_has_a_gradient() -> None:
    text = "max(" + ", ".join(f"(x-{i})**2 + y" for i in range(600)) + ")"
    at = objective(text).evaluate([1.0, 0.0], 2)
    assert at.value == 598.0**2
    assert at.gradient == [-2 * 598.0, 1.0]
    assert at.hessian == [[2, 0], [0, 0]]


def test_programs_see_nothing_but_their_functions() -> None:
    program = objective("sin(x) + lgamma(x)**y").value_program.bare
    assert set(program.__globals__["__builtins__"]) == {"float", "range", "min", "int"}
    assert "__import__" not in program.__globals__


def test_a_program_runs_bare_and_falls_back_to_the_safe_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = objective("log(x)")
    assert made.value_program._safe is None
    assert made.value_program([1.0]) == 0.0
    assert made.value_program._safe is None
    assert made.value_program([0.0]) == -INF
    assert made.value_program._safe is not None
    assert (OverflowError, ValueError, ZeroDivisionError) == ARITHMETIC
