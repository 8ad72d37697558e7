"""What is to hold the values of an expression on a box does: against long arithmetic, and Arb."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gdcli.calculus import interval_rules as rules
from gdcli.calculus.exact_graph import ExactGraph, exact_form
from gdcli.calculus.reference_derivative import Precise
from gdcli.compile.interval_program import IntervalProgram, interval_program
from gdcli.kernel.errors import GdError
from gdcli.language import form
from gdcli.language.functions import FUNCTIONS
from gdcli.language.syntax import parse
from tests import expressions
from tests.effort import examples

INF = math.inf
Box = tuple[float, float]

# Ends of domains, poles, kinks, turns, the smallest and the largest numbers, and their neighbours.
_SPECIAL = [
    0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    -2.0,
    -3.0,
    1.4616321449683623,
    math.pi,
    math.pi / 2,
    3 * math.pi / 2,
    1e16,
]
_SPECIAL += [5e-324, 2.3e-308, 1e-160, 1e-9, 710.0, 1e155, 1.7e308]
_NEAR = st.sampled_from(_SPECIAL).flatmap(
    lambda v: st.sampled_from([v, -v, math.nextafter(v, INF), math.nextafter(v, -INF)])
)
NUMBERS = st.one_of(
    _NEAR, st.floats(-10.0, 10.0), st.floats(-100.0, 100.0), st.floats(allow_nan=False, allow_infinity=False)
)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[Box, float]:
    """An interval, unbounded or a point at times, and a number within."""
    inside = draw(NUMBERS)
    kind = draw(st.sampled_from(["point", "narrow", "any", "any", "low", "high", "all"]))
    if kind == "point":
        return (inside, inside), inside
    if kind == "narrow":
        width = abs(inside) * draw(st.floats(0.0, 1e-3)) + 5e-324
        return (inside - width, min(inside + width, 1.7976931348623157e308)), inside
    other, third = draw(NUMBERS), draw(NUMBERS)
    low, inside, high = sorted((inside, other, third))
    return (-INF if kind in ("low", "all") else low, INF if kind in ("high", "all") else high), inside


def program_of(text: str, names: str = "xyz", order: int = 2) -> IntervalProgram:
    return interval_program(exact_form(parse(text), dict.fromkeys(names), {}), order)


def precise(program: IntervalProgram, point: Mapping[str, float]) -> Precise:
    graph = program.graph
    found = Precise(graph, {})
    found.mp.dps = 60
    found.known.update({graph.scalar(name): found.mp.mpf(value) for name, value in point.items()})
    return found


def holds(ends: Any, value: Any) -> bool:
    return bool(ends[0] <= value <= ends[1])


def both(program: IntervalProgram, box: list[Box], order: int) -> list[Any]:
    """What the program says of one box in numbers, and in arrays, both as a flat list: value, gradient, Hessian.

    That a function has no value anywhere may be told by one of them alone: they are rounded differently.
    """
    n = program.size
    one = program.one_box(box, order)
    low, high = (np.array([[ends[k]] * 3 for ends in box]) for k in (0, 1))
    many = program.evaluate(low, high, order)
    told = [((float(many.value[0][1]), float(many.value[1][1])), bool(many.defined[1]), bool(many.empty[1]))]
    flat = [one.value, *(one.gradient or ()), *(one.hessian or ())]
    arrays = [told[0][0]]
    if order:
        arrays += [(many.gradient[0][i, 1], many.gradient[1][i, 1]) for i in range(n)]
    if order > 1:
        arrays += [
            (many.hessian[0][i, j, 1], many.hessian[1][i, j, 1]) for i in range(n) for j in range(i + 1)
        ]
    assert bool(one.defined) == told[0][1]
    return [(flat, bool(one.defined), bool(one.empty)), (arrays, *told[0][1:])]


def test_every_function_has_a_rule() -> None:
    for name, row in FUNCTIONS.items():
        assert row.interval in rules.OF_FUNCTIONS, name
        assert row.ulps >= 8.0


def check_value(
    program: IntervalProgram, box: list[Box], point: Mapping[str, float], mp_limit: float = 1e300
) -> None:
    exact = precise(program, point)
    try:
        value = exact.value(program.root)
    except (OverflowError, MemoryError):
        assume(False)
    exists = not exact.mp.isnan(value)
    for flat, defined, empty in both(program, box, 0):
        if exists and exact.mp.isfinite(value):
            assert not empty
            assert holds(flat[0], value), (flat[0], exact.mp.nstr(value, 25))
        if defined:
            assert exists
            assert exact.mp.isfinite(value)


_ONE = [n for n, row in FUNCTIONS.items() if row.arity == 1]
# Long arithmetic takes for ever with these far out, where they overflow.
_MODEST = {"gamma": 200.0, "lgamma": 1e3, "digamma": 1e3, "trigamma": 1e3, "erf": 30.0}


@pytest.mark.parametrize("name", _ONE)
def test_functions_of_one_number(name: str) -> None:
    graph = ExactGraph()
    node = graph.call(name, graph.scalar("x"))
    program = IntervalProgram(graph, node, [("scalar", "x")], 0)

    @settings(derandomize=True, deadline=None, max_examples=examples(800))
    @given(boxes())
    def check(drawn: tuple[Box, float]) -> None:
        box, inside = drawn
        assume(abs(inside) <= _MODEST.get(name, 1e300))
        check_value(program, [box], {"x": inside})

    check()


@pytest.mark.parametrize(
    "text",
    ["atan2(x, y)", "hypot(x, y)", "max(x, y)", "min(x, y)", "x ** y", "x + y", "x - y", "x * y", "x / y"],
)
def test_operations_on_two_numbers(text: str) -> None:
    program = program_of(text, "xy", 0)

    @settings(derandomize=True, deadline=None, max_examples=examples(1200))
    @given(boxes(), boxes())
    def check(first: tuple[Box, float], second: tuple[Box, float]) -> None:
        assume(text != "x ** y" or (abs(first[1]) < 1e6 and abs(second[1]) < 1e6))
        check_value(program, [first[0], second[0]], {"x": first[1], "y": second[1]})

    check()


@pytest.mark.parametrize("power", ["2", "3", "4", "5", "-1", "-2", "-3", "0.5", "1.5", "-0.5", "(1/3)", "7"])
def test_powers(power: str) -> None:
    program = program_of(f"x ** {power}", "x", 0)

    @settings(derandomize=True, deadline=None, max_examples=examples(400))
    @given(boxes())
    def check(drawn: tuple[Box, float]) -> None:
        check_value(program, [drawn[0]], {"x": drawn[1]})

    check()


@pytest.mark.parametrize(
    "text",
    ["x*log(x)", "x**y*log(x)", "-x*log2(x)*y", "x**2/y*log10(x)", "log(x)*sqrt(x)", "y*log(x**2)*x**2"],
)
def test_products_of_a_logarithm(text: str) -> None:
    program = program_of(text, "xy", 0)

    @settings(derandomize=True, deadline=None, max_examples=examples(600))
    @given(boxes(), boxes())
    def check(first: tuple[Box, float], second: tuple[Box, float]) -> None:
        assume(abs(first[1]) < 1e6 and abs(second[1]) < 1e6)
        check_value(program, [first[0], second[0]], {"x": first[1], "y": second[1]})

    check()


@st.composite
def small_boxes(draw: st.DrawFn) -> tuple[Box, float, float]:
    """An interval with two numbers in it."""
    middle = draw(st.one_of(st.floats(-3.0, 3.0), st.sampled_from([0.0, 1.0, -1.0, 0.5])))
    width = draw(st.sampled_from([0.0, 1e-12, 1e-3, 0.3, 2.0]))
    low, high = middle - width, middle + width
    parts = [draw(st.floats(0.0, 1.0)) for _ in range(2)]
    a, b = (min(max(low + part * (high - low), low), high) for part in parts)
    return (low, high), a, b


@settings(derandomize=True, deadline=None, max_examples=examples(1200))
@given(expressions.scalars(leaves=8), small_boxes(), small_boxes(), small_boxes())
@example("where(x < y, sqrt(x), z)", ((-1.0, 1.0), -0.5, 0.5), ((0.0, 2.0), 0.0, 0.0), ((1.0, 1.0), 1.0, 1.0))
@example("(0**0) / 0", ((0.0, 1.0), 0.0, 0.5), ((0.0, 2.0), 0.0, 0.0), ((1.0, 1.0), 1.0, 1.0))
@example("0 / 0", ((0.0, 1.0), 0.0, 0.5), ((0.0, 2.0), 0.0, 0.0), ((1.0, 1.0), 1.0, 1.0))
@example("x / 0", ((0.0, 1.0), 0.0, 0.5), ((0.0, 2.0), 0.0, 0.0), ((1.0, 1.0), 1.0, 1.0))
@example("abs(x)*abs(x)", ((-1.0, 1.0), -0.5, 0.5), ((0.0, 2.0), 0.0, 0.0), ((1.0, 1.0), 1.0, 1.0))
def test_derivatives_of_random_expressions(text: str, x: Any, y: Any, z: Any) -> None:
    program = program_of(text)
    box = [x[0], y[0], z[0]]
    exact = precise(program, {"x": x[1], "y": y[1], "z": z[1]})
    moved = precise(program, {"x": x[2], "y": y[2], "z": z[2]})
    nodes = program.roots(2)
    values = [exact.value(node) for node in nodes]
    others = [moved.value(node) for node in nodes[:4]]
    mp = exact.mp
    for found in both(program, box, 2):
        flat, defined, empty = found
        if not mp.isnan(values[0]) and mp.isfinite(values[0]):
            assert not empty
            assert holds(flat[0], values[0])
        if defined:
            assert mp.isfinite(values[0])
            for ends, value in zip(flat[1:], values[1:], strict=True):
                assert mp.isnan(value) or holds(ends, value), text
    for order in (1, 2):
        for flat, defined, _ in both(program, box, order):
            steps = [mp.mpf(b) - mp.mpf(a) for _, a, b in (x, y, z)]
            if defined:
                check_mean_value(flat[1:4], steps, others[0] - values[0])
            if defined and order == 2:
                matrix = [
                    [flat[4 + max(i, j) * (max(i, j) + 1) // 2 + min(i, j)] for j in range(3)]
                    for i in range(3)
                ]
                for row, after, before in zip(matrix, others[1:], values[1:4], strict=True):
                    check_mean_value(row, steps, after - before)


def check_mean_value(slopes: Any, steps: Any, difference: Any) -> None:
    """The difference of two values is a product of the steps with numbers in the slopes."""
    if not any(steps) or any(not (math.isfinite(a) and math.isfinite(b)) for a, b in slopes):
        return
    if not mpmath.isfinite(difference):  # 0 times the infinite slope of a root at 0
        return
    low = sum(min(a * step, b * step) for (a, b), step in zip(slopes, steps, strict=True))
    high = sum(max(a * step, b * step) for (a, b), step in zip(slopes, steps, strict=True))
    slack = abs(difference) * 1e-40 + 1e-40
    assert low - slack <= difference <= high + slack


@pytest.mark.parametrize(
    ("text", "box", "order", "defined"),
    [
        ("abs(x)", (-1, 1), 0, True),
        ("abs(x)", (-1, 1), 1, True),
        ("abs(x)", (-1, 1), 2, False),
        ("abs(x)", (0, 1), 2, True),
        ("sign(x)", (-1, 1), 0, True),
        ("sign(x)", (-1, 1), 1, False),
        ("floor(x)", (0.5, 0.75), 1, True),
        ("floor(x)", (0.5, 1.75), 1, False),
        ("sqrt(x)", (0, 1), 1, True),
        ("sqrt(x)", (-1e-300, 1), 0, False),
        ("sqrt(x**2)", (-1, 1), 0, True),
        ("log(x)", (0, 1), 0, False),
        ("1/x", (-1, 1), 0, False),
        ("1/x", (1, INF), 2, True),
        ("tan(x)", (1, 2), 0, False),
        ("tan(x)", (2, 3), 2, True),
        ("gamma(x)", (-0.75, -0.25), 0, True),
        ("gamma(x)", (-1, -0.25), 0, False),
        ("asin(x)", (-1, 1), 0, True),
        ("atanh(x)", (-1, 1), 0, False),
        ("x**0.5", (0, 1), 0, True),
        ("x**(-0.5)", (0, 1), 0, False),
        ("where(x < 0, log(-x), log(x))", (1, 2), 2, True),
        ("where(x < 0, x, 1)", (-1, 1), 0, True),
        ("where(x < 0, x, 1)", (-1, 1), 1, False),
        ("max(x, 0)", (-1, 1), 1, True),
        ("max(x, 0)", (-1, 1), 2, False),
        ("atan2(x, 0-1)", (-1, 1), 1, False),
        ("atan2(x, 1)", (-1, 1), 2, True),
        ("hypot(x, 0)", (-1, 1), 2, False),
    ],
)
def test_where_functions_are_defined(text: str, box: Box, order: int, defined: bool) -> None:
    for _, found, empty in both(program_of(text, "x"), [box], order):
        assert found == defined
        assert not empty


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("sqrt(x)", (-2, -1)),
        ("log(x)", (-2, -1e-9)),
        ("acosh(x)", (0, 0.5)),
        ("x**0.5", (-2, -1)),
        ("where(x < 0, sqrt(x), 1)", (-2, -1)),
        ("1 + log(-1)", (0, 1)),
        ("atanh(x)", (2, 3)),
        ("x*log(x)", (0, 0)),
        ("exp(-2*sqrt(x)*log10(x))", (-1, 0)),
    ],
)
def test_where_there_is_no_value(text: str, box: Box) -> None:
    for flat, defined, empty in both(program_of(text, "x"), [box], 0):
        assert empty
        assert not defined
        assert flat[0] == (INF, -INF)


@pytest.mark.parametrize(
    ("text", "box", "wanted"),
    [
        ("x**2", (-1, 2), (0, 4)),
        ("x**3", (-1, 2), (-1, 8)),
        ("x*x*x*x", (-1, 2), (0, 16)),
        ("cos(x)", (-1, 1), (math.cos(1), 1)),
        ("sin(x)", (1, 2), (math.sin(1), 1)),
        ("sin(x)", (0, 100), (-1, 1)),
        ("exp(x)", (-INF, 0), (0, 1)),
        ("1/x", (1, INF), (0, 1)),
        ("1/x", (0, 1), (1, INF)),
        ("x*y", (0, INF), (0, INF)),
        ("gamma(x)", (1, 2), (0.8856031944108887, 1)),
        ("tanh(x)", (-INF, INF), (-1, 1)),
        ("abs(x)", (-2, 1), (0, 2)),
        ("cosh(x)", (-1, 2), (1, math.cosh(2))),
        ("x**1.5", (0, 4), (0, 8)),
        ("x*log(x)", (0, 2), (-1 / math.e, 2 * math.log(2))),
        ("-x*log2(x)", (0, 1), (0, math.log2(math.e) / math.e)),
        ("x/3*log(x)", (0, 0.25), (math.log(0.25) / 12, 0)),
        ("x*log(x/2)*3", (0, 2), (-6 / math.e, 0)),
        ("x**x", (0, 1), (math.exp(-1 / math.e), 1)),
        ("-x*log(-4*x)", (-1, 0), (-0.25 / math.e, math.log(4))),
        ("x**y*log(x)", (1, 2), (0, 4 * math.log(2))),
        ("x**3*log10(x)*y", (0, 1), (-math.log10(math.e) / (3 * math.e), 0)),
    ],
)
def test_intervals_are_no_wider_than_rounding(text: str, box: Box, wanted: Box) -> None:
    for flat, _, _ in both(program_of(text, "xy", 0), [box, box], 0):
        low, high = flat[0]
        assert low <= wanted[0]
        assert high >= wanted[1]
        assert (low, high) == pytest.approx(wanted, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0.5", True),
        ("0.1", False),
        ("1/3", False),
        ("3/4", True),
        ("2**10", True),
        ("0.1+0.9", False),
        ("1e22", True),
        ("1e23", False),
        ("0.50000000000000000000001", False),
        ("pi", False),
        ("sqrt(4)", False),
    ],
)
def test_numbers_are_the_decimals_that_were_typed(text: str, exact: bool) -> None:
    import mpmath

    found = program_of(f"{text} + 0*x", "x", 0)
    low, high = found.graph.interval(exact_form(parse(text), {"x": None}, {}).root) if exact else (0.0, 1.0)
    assert not exact or low == high
    ends = found.one_box([(1.0, 1.0)], 0).value
    with mpmath.workdps(60):
        numbers = {
            "pi": mpmath.pi,
            "sqrt(4)": mpmath.mpf(2),
            "1/3": mpmath.mpf(1) / 3,
            "3/4": mpmath.mpf("0.75"),
            "2**10": mpmath.mpf(1024),
            "0.1+0.9": mpmath.mpf(1),
        }
        value = numbers[text] if text in numbers else mpmath.mpf(text)
        assert ends[0] <= value <= ends[1]
        assert ends[1] - ends[0] <= 4e-15 * abs(value)


def test_numbers_that_may_differ_do_not_cancel() -> None:
    """pi and its double, two decimals of one double: their difference is small, and known exactly if it is rational."""
    for text, slope, width in (
        ("pi*x - 3.141592653589793*x", 1.2246467991473532e-16, 4e-15),
        ("0.1*x - 0.10000000000000000001*x", -1e-20, 1e-34),
        ("(0.1+0.2)*x - 0.3*x", 0.0, 0.0),
    ):
        low, high = program_of(text, "x", 1).one_box([(1.0, 1.0)], 1).gradient[0]
        assert low <= slope <= high
        assert high - low <= width


def test_the_numbers_in_derivatives_are_what_their_names_say() -> None:
    import mpmath

    with mpmath.workdps(50):
        names = {
            "pi": +mpmath.pi,
            "e": +mpmath.e,
            "2/sqrt(pi)": 2 / mpmath.sqrt(mpmath.pi),
            "1/log(2)": 1 / mpmath.log(2),
            "1/log(10)": 1 / mpmath.log(10),
        }
        found = {}
        for text in ("erf(x)", "log2(x)", "log10(x)", "pi*x", "e*x"):
            program = program_of(text, "x")
            program.roots(2)
            found.update(
                {key[5]: key[3:5] for key in program.graph.keys if key[0] == "number" and len(key) > 3}
            )
        named = {origin: ends for origin, ends in found.items() if isinstance(origin, str)}
        assert set(named) == set(names)
        assert all(holds(ends, names[origin]) for origin, ends in named.items())


def test_vectors_are_expanded() -> None:
    parsed = parse("sum((v - c)**2) + dot(v, v) + norm(v[1:])")
    program = interval_program(exact_form(parsed, {"v": 3}, {"c": [1.0, 2.0, 0.1]}))
    low, high = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [3.0]])
    found = program.evaluate(low, high, 2)
    ends = found.value
    value = 0.0 + 0.0 + 2.9**2 + 14.0 + math.sqrt(13.0)
    assert ends[0][0] <= value <= ends[1][0]
    assert ends[1][0] - ends[0][0] < 1e-13
    assert found.gradient[0].shape == (3, 1)
    assert found.hessian[1].shape == (3, 3, 1)
    assert found.defined.tolist() == [True]


def test_a_form_of_rounded_numbers_is_refused() -> None:
    with pytest.raises(GdError, match="exact"):
        interval_program(form.build(parse("x**2"), {"x": None}, {}))
    with pytest.raises(GdError, match="order"):
        program_of("x**2", "x", 1).one_box([(0.0, 1.0)], 2)


def _arb(name: str) -> Callable[[Any], Any] | None:
    names = {"acosh": "acosh", "digamma": "digamma", "log2": "", "log10": "", "trigamma": ""}
    arb = pytest.importorskip("flint").arb
    return getattr(arb, names.get(name, name), None)


@pytest.mark.parametrize("name", _ONE)
def test_arb_agrees(name: str) -> None:
    """Another arithmetic of intervals, of any precision, whose values lie within ours at points."""
    flint = pytest.importorskip("flint")
    function = _arb(name)
    if function is None or name in ("sign", "floor", "ceil"):
        pytest.skip("Arb does not have it")
    graph = ExactGraph()
    program = IntervalProgram(graph, graph.call(name, graph.scalar("x")), [("scalar", "x")], 0)
    for k in range(1, 200):
        x = (k * 0.37 - 30.0) if k % 2 else k * 0.0101
        ends = program.one_box([(x, x)], 0)
        with flint.ctx.workprec(200):
            value = function(flint.arb(x))
        if ends.defined and value.is_finite():
            assert not flint.arb(ends.value[0]) > value
            assert not value > flint.arb(ends.value[1])
