"""The special functions against mpmath, against IEEE 754, and the scalar text against the array text."""

import ast
import math
from collections.abc import Callable
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.language import special

INF, NAN = math.inf, math.nan
TINY = 5e-324
SCALAR: dict[str, Any] = {name: getattr(math, name) for name in special.MATH_NAMES}
for made in {n: None for name in special.NAMES for n in (*special.dependencies(name), name)}:
    exec(special.scalar_source(made), SCALAR)
POINTS = 150


def array_function(name: str) -> Callable[..., Any]:
    """The array text with no more than its dependencies, as a program writer emits it."""
    namespace: dict[str, Any] = {"np": np}
    exec("".join(map(special.array_source, (*special.dependencies(name), name))), namespace)

    def silent(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return namespace[name](*arguments)

    return silent


ARRAY = {name: array_function(name) for name in special.NAMES}

REFERENCE: dict[str, Callable[..., Any]] = {
    "erf": mpmath.erf,
    "gamma": mpmath.gamma,
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
    "digamma": mpmath.digamma,
    "trigamma": lambda x: mpmath.psi(1, x),
    "hypot": lambda x, y: mpmath.sqrt(x * x + y * y),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}


def ulps(value: float, exact: Any, scale: float = 0.0) -> float:
    """|value - exact| in units in the last place of exact (or of `scale` where that is larger)."""
    rounded = float(exact)
    if math.isinf(rounded):
        return 0.0 if value == rounded else INF
    return float(abs(mpmath.mpf(value) - exact) / mpmath.mpf(math.ulp(max(abs(rounded), scale))))


def spread(low: float, high: float, *, decades: bool = False) -> list[float]:
    """Random points of an interval with its ends; with `decades` evenly spread over the exponents."""
    random = np.random.default_rng(1)
    if decades:
        inner = 10.0 ** random.uniform(math.log10(low), math.log10(high), POINTS)
    else:
        inner = random.uniform(low, high, POINTS)
    return [low, high, *inner.tolist()]


def beside(*points: float) -> list[float]:
    """The points and their neighbours: where pieces meet, and the nearest doubles to zeros and poles."""
    return [y for x in points for y in (math.nextafter(x, -INF), x, math.nextafter(x, INF))]


def noninteger(points: list[float]) -> list[float]:
    return [x for x in points if x != math.floor(x)]


POSITIVE = spread(1e-307, 1e300, decades=True)
RANGES: dict[str, list[float]] = {
    "erf": [*spread(-7, 7), *spread(1e-300, 1, decades=True), *beside(1, 2, 6, -1, -6), TINY, 3e-310],
    "gamma": [
        *spread(-0.5, 3.5),
        *spread(3.5, 171.6243769563027),
        *spread(1e-307, 0.5, decades=True),
        *noninteger(spread(-10, -0.5) + spread(-177, -10) + beside(-1, -2, -3, -7, -100, -171)),
        *beside(0.5, 1.5, 2.5, 3.5, 18.5, 170, 1, 2, 171.62437695630271),
        *beside(-0.5, -1.5, -2.5, -3.5, -159.5, -184.5),
        -TINY,
        TINY,
        6e-309,
    ],
    "lgamma": [
        *spread(-1.99, 5),
        *spread(5, 1000),
        *POSITIVE,
        *beside(0.5, 1, 1.25, 1.5, 2, 3, 5, 2.5e305),
        TINY,
        -TINY,
    ],
    "digamma": [
        *spread(1e-3, 10),
        *POSITIVE,
        *beside(1, 1.4616321449683622, 2.5),
        *beside(1.46, 1.462),
        TINY,
    ],
    "trigamma": [
        *spread(1e-3, 10),
        *POSITIVE,
        *noninteger(spread(-10, 0) + spread(-1000, -10) + beside(-1, -2, -3.5)),
        *beside(1, 2.5),
        TINY,
        -TINY,
    ],
    "cbrt": [*POSITIVE, *spread(-8, 8), *beside(1, 8, -1), TINY, 3e-310, 1.7976931348623157e308],
    "sigmoid": [*spread(-745, 40), *spread(-2, 2), TINY, -745.0],
    "softplus": [*spread(-745, 800), *spread(-2, 2), TINY, -700.0, -745.0],
}
LIMIT = {"erf": 2.0, "cbrt": 1.0, "sigmoid": 2.0, "softplus": 2.0}


@pytest.mark.parametrize("name", RANGES)
def test_at_most_four_ulp_from_mpmath(name: str) -> None:
    points = RANGES[name]
    values = ARRAY[name](np.array(points))
    with mpmath.workdps(40):
        for x, from_array in zip(points, values.tolist(), strict=True):
            exact = REFERENCE[name](mpmath.mpf(x))
            assert ulps(SCALAR[name](x), exact) <= LIMIT.get(name, 4.0), x
            assert ulps(from_array, exact) <= LIMIT.get(name, 4.0), x


def test_hypot_without_overflow_or_underflow_inside() -> None:
    pairs = [
        *zip(spread(-1, 1), reversed(spread(-1, 1)), strict=True),
        *zip(POSITIVE, reversed(POSITIVE), strict=True),
        *((x, x * 0.7) for x in POSITIVE),
        (1e200, 1e200),
        (1e-200, 1e-200),
        (TINY, TINY),
        (3e-310, 4e-310),
        (1e150, 1.0),
        (1e-140, 1e-141),
        (1.7e308, 1.7e308),
    ]
    values = ARRAY["hypot"](*np.array(pairs).T)
    with mpmath.workdps(40):
        for (x, y), from_array in zip(pairs, values.tolist(), strict=True):
            exact = REFERENCE["hypot"](mpmath.mpf(x), mpmath.mpf(y))
            assert ulps(SCALAR["hypot"](x, y), exact) <= 1.1, (x, y)
            assert ulps(from_array, exact) <= 1.1, (x, y)


def test_errors_between_the_negative_zeros() -> None:
    """lgamma and digamma cancel there: the error is small against 1 and against the terms, not the result."""
    points = noninteger(
        spread(-20, -2) + spread(-300, -20) + beside(-2.4570247382208006, -2.7476826467274127)
    )
    with mpmath.workdps(40):
        for x in points:
            exact = REFERENCE["lgamma"](mpmath.mpf(x))
            assert ulps(SCALAR["lgamma"](x), exact, scale=1.0) <= 4.0, x
            one, other = mpmath.digamma(1 - mpmath.mpf(x)), mpmath.pi * mpmath.cot(mpmath.pi * mpmath.mpf(x))
            scale = float(max(1, abs(one), abs(other)))
            assert ulps(SCALAR["digamma"](x), one - other, scale) <= 4.0, x


SPECIAL_VALUES = [
    ("erf", 0.0, 0.0),
    ("erf", -0.0, -0.0),
    ("erf", INF, 1.0),
    ("erf", -INF, -1.0),
    ("erf", -1e308, -1.0),
    ("gamma", 0.0, INF),
    ("gamma", -0.0, -INF),
    ("gamma", TINY, INF),
    ("gamma", -TINY, -INF),
    ("gamma", 200.0, INF),
    ("gamma", 171.7, INF),
    ("gamma", INF, INF),
    ("gamma", -INF, NAN),
    ("gamma", -1.0, NAN),
    ("gamma", -1e300, NAN),
    ("gamma", -200.5, -0.0),
    ("gamma", -201.5, 0.0),
    ("lgamma", 0.0, INF),
    ("lgamma", -0.0, INF),
    ("lgamma", 1.0, 0.0),
    ("lgamma", 2.0, 0.0),
    ("lgamma", -3.0, INF),
    ("lgamma", -1e300, INF),
    ("lgamma", INF, INF),
    ("lgamma", -INF, INF),
    ("lgamma", 1e306, INF),
    ("digamma", 0.0, -INF),
    ("digamma", -0.0, INF),
    ("digamma", -2.0, NAN),
    ("digamma", -1e300, NAN),
    ("digamma", INF, INF),
    ("digamma", -INF, NAN),
    ("trigamma", 0.0, INF),
    ("trigamma", -0.0, INF),
    ("trigamma", -2.0, INF),
    ("trigamma", -1e300, INF),
    ("trigamma", INF, 0.0),
    ("trigamma", -INF, NAN),
    ("cbrt", -0.0, -0.0),
    ("cbrt", INF, INF),
    ("cbrt", -INF, -INF),
    ("sigmoid", 0.0, 0.5),
    ("sigmoid", INF, 1.0),
    ("sigmoid", -INF, 0.0),
    ("sigmoid", -1e308, 0.0),
    ("softplus", INF, INF),
    ("softplus", -INF, 0.0),
    ("softplus", 1e308, 1e308),
    *((name, NAN, NAN) for name in special.NAMES if name != "hypot"),
]


def same(value: float, expected: float) -> bool:
    """Equal with the sign of zero, nan equal to nan."""
    if math.isnan(expected):
        return math.isnan(value)
    return value == expected and math.copysign(1.0, value) == math.copysign(1.0, expected)


@pytest.mark.parametrize(("name", "x", "expected"), SPECIAL_VALUES)
def test_special_values(name: str, x: float, expected: float) -> None:
    assert same(SCALAR[name](x), expected)
    assert same(ARRAY[name](x), expected)
    assert same(ARRAY[name](np.array([x, 0.3]))[0], expected)  # no piece for all elements


@pytest.mark.parametrize("other", [0.0, 1.0, INF, NAN])
def test_hypot_of_infinities_and_nan(other: float) -> None:
    for x, y in [(INF, other), (other, -INF)]:
        assert SCALAR["hypot"](x, y) == ARRAY["hypot"](x, y) == INF
    assert math.isnan(SCALAR["hypot"](NAN, 1.0))
    assert math.isnan(SCALAR["hypot"](1e300, NAN))
    assert SCALAR["hypot"](0.0, -0.0) == 0.0
    assert SCALAR["hypot"](3.0, -4.0) == 5.0


def test_factorials_and_cubes_are_exact() -> None:
    for n in range(1, 19):
        assert SCALAR["gamma"](float(n)) == math.factorial(n - 1) == ARRAY["gamma"](float(n))
    for n in range(1, 1000):
        assert SCALAR["cbrt"](float(n) ** 3) == n


FINITE_OR_NOT = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)
ARGUMENTS = st.one_of(FINITE_OR_NOT, st.floats(-200, 200), st.integers(-200, 200).map(float))


@settings(max_examples=examples(400), deadline=None)
@given(ARGUMENTS, ARGUMENTS)
def test_never_raises_and_array_agrees(x: float, y: float) -> None:
    for name in special.NAMES:
        arguments = (x, y) if name == "hypot" else (x,)
        one, other = SCALAR[name](*arguments), float(ARRAY[name](*arguments))
        assert isinstance(one, float)
        cancelling = name in ("lgamma", "digamma") and x < 0
        scale = 10.0 if cancelling else 0.0
        assert same(one, other) or abs(one - other) <= 2 * math.ulp(max(abs(one), scale)), name


@pytest.mark.parametrize("name", RANGES)
def test_scalar_and_array_agree(name: str) -> None:
    points = RANGES[name]
    for x, other in zip(points, ARRAY[name](np.array(points)).tolist(), strict=True):
        one = SCALAR[name](x)
        assert one == other or abs(one - other) <= 2 * math.ulp(one), x


@pytest.mark.parametrize("name", special.NAMES)
def test_shapes(name: str) -> None:
    function, scalar = ARRAY[name], SCALAR[name]
    grid = np.linspace(-4.3, 9.1, 12).reshape(3, 4)
    if name == "hypot":
        assert function(grid, 2.0).shape == (3, 4)
        assert function(grid[:, :1], grid[:1]).shape == (3, 4)
        assert function(grid[:, :1], grid[:1])[2, 1] == scalar(grid[2, 0], grid[0, 1])
        assert function(np.float64(3), 4).shape == ()
        return
    values = function(grid)
    assert values.shape == (3, 4)
    assert values.dtype == np.float64
    assert values[1, 2] == function(grid[1, 2]) == function(np.array(grid[1, 2]))
    assert function(np.empty((0, 2))).shape == (0, 2)
    assert function(np.array([1, 2, 3])).tolist() == function(np.array([1.0, 2.0, 3.0])).tolist()
    assert np.array_equal(function(grid.T[::2]), values.T[::2])  # not contiguous


ALLOWED = (
    *(
        ast.Module,
        ast.FunctionDef,
        ast.arguments,
        ast.arg,
        ast.If,
        ast.Return,
        ast.Assign,
        ast.Name,
        ast.Load,
    ),
    *(
        ast.Store,
        ast.Constant,
        ast.BinOp,
        ast.UnaryOp,
        ast.USub,
        ast.Add,
        ast.Sub,
        ast.Mult,
        ast.Div,
        ast.Call,
    ),
    *(ast.Compare, ast.Lt, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)


@pytest.mark.parametrize("name", special.NAMES)
def test_scalar_text_is_restricted_python(name: str) -> None:
    order = (*special.dependencies(name), name)
    for position, part in enumerate(order):
        tree = ast.parse(special.scalar_source(part))
        assert all(isinstance(node, ALLOWED) for node in ast.walk(tree)), part
        assert all(type(n.value) is float for n in ast.walk(tree) if isinstance(n, ast.Constant)), part
        called = {
            n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        }
        assert called <= {*special.MATH_NAMES, *order[:position]}  # known before, so no recursion either


def test_dependencies_are_complete_and_minimal() -> None:
    assert special.dependencies("erf") == special.dependencies("hypot") == ()
    assert special.dependencies("cbrt") == ("_head",)
    assert "_gamma_positive" in special.dependencies("lgamma")
    assert "digamma" not in special.dependencies("gamma")
    for name in special.NAMES:
        namespace: dict[str, Any] = {each: getattr(math, each) for each in special.MATH_NAMES}
        exec("".join(map(special.scalar_source, (*special.dependencies(name), name))), namespace)
        arguments = (-2.5, 1.5) if name == "hypot" else (-2.5,)
        assert namespace[name](*arguments) == SCALAR[name](*arguments)


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_blends_of_pieces_have_the_bits_of_the_pieces(name: str) -> None:
    x = np.concatenate(
        [np.random.default_rng(3).normal(size=20_000) * 100, [0.0, -0.0, np.inf, -np.inf, np.nan]]
    )
    with np.errstate(all="ignore"):
        pieces = {
            "sigmoid": np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))),
            "softplus": np.where(x > 0, x + np.log1p(np.exp(-x)), np.log1p(np.exp(x))),
        }
        found = ARRAY[name](x)
    small = np.abs(x) < 700
    assert np.array_equal(found[small], pieces[name][small])
    assert np.isnan(found[-1])
    assert found[-3:-1].tolist() == ([1.0, 0.0] if name == "sigmoid" else [np.inf, 0.0])
