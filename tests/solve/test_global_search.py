"""Branch and bound: nothing that holds a minimiser is cut off, what is called a bound is one, known minima are found.

Known values are from Adorio and Diliman, MVF - Multivariate Test Functions Library (2005), and Levy and Montalvo, SIAM
J. Sci. Stat. Comput. 6 (1985).
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gdcli.calculus.exact_graph import exact_form
from gdcli.compile.interval_forms import middle
from gdcli.compile.interval_program import interval_program
from gdcli.compile.propagation import Propagation
from gdcli.language import syntax
from gdcli.objective.interval_constraints import feasible_box
from gdcli.solve.global_search.box_list import (
    Boxes,
    Model,
    halves,
    mean_value_bound,
    quadratic_bound,
    smear_of,
)
from gdcli.solve.global_search.branch_and_bound import Search
from gdcli.solve.global_search.interval_newton import cut_by_rows, newton
from gdcli.solve.global_search.minimiser_boxes import joined, proved
from tests.effort import examples

# Every operation that is turned around, and some that are not.
TEXTS = (
    "x*y + x**2 - 3*y",
    "x/y - y/(x*x + 1)",
    "(x - 0.3)**3 + y**4",
    "exp(x - y) + log(abs(x) + 1)",
    "sqrt(x + 2) * cbrt(y)",
    "abs(x - y) + hypot(x, y)",
    "sin(3*x) + cos(2*y + 1)",
    "max(x, y*y) - min(x, 2*y)",
    "x**0.5 + y**(-2)",
    "where(x < y, log(y - x), x - y)",
    "tanh(x) + atan(y) + asinh(x*y)",
    "cosh(x) - expm1(y) + log2(x + 4)",
    "asin(x/4) + acos(y/4) + log10(y + 5)",
    "sinh(x)/ (2 + y**2) + log1p(x**2) + atanh(y/4) + x**-1",
)


def prepared(text: str, names: str = "xy") -> tuple[Any, Propagation, int]:
    form = exact_form(syntax.parse(text), dict.fromkeys(names), {})
    graph: Any = form.graph
    return (
        interval_program(form, 2),
        Propagation(graph, [form.root], [graph.scalar(n) for n in names]),
        form.root,
    )


def searched(text: str, ends: dict[str, tuple[float, float]], tol: float = 1e-6) -> Search:
    program, holds, _ = prepared(text, "".join(ends))
    low, high = (np.array([pair[k] for pair in ends.values()], float) for k in (0, 1))
    search = Search(program, holds, low, high, tol)
    search.run(lambda state: state.rounds < 300 and state.best > -1e100)
    return search


number = st.floats(-3.0, 3.0, allow_nan=False)
sides = st.floats(0.0, 2.0)
parts = st.floats(0.0, 1.0)


@st.composite
def boxes_and_points(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    low = np.array([[draw(number)], [draw(number)]])
    high = low + np.array([[draw(sides)], [draw(sides)]])
    share = np.array([[draw(parts)], [draw(parts)]])
    return low, high, np.clip(low + share * (high - low), low, high)


@given(
    x=st.integers(-3000, 3000).map(lambda k: k / 1024),
    y=st.integers(-(10**9), 10**9).map(lambda k: k / 2**29),
)
@settings(max_examples=examples(40))
def test_the_value_at_a_point_is_that_of_exact_fractions(x: float, y: float) -> None:
    value = prepared("0.1*x**3 - (x + 0.7)*y/3 + abs(y - 0.3)")[0].value_at([x, y])
    a, b = Fraction(x), Fraction(y)
    exact = a**3 / 10 - (a + Fraction(7, 10)) * b / 3 + abs(b - Fraction(3, 10))
    assert value[0] <= exact <= value[1]
    assert value[1] - value[0] <= 2.0 * math.ulp(value[1])
    if y:
        quotient = prepared("abs(x/y) + max(x/y, y**-3)")[0].value_at([x, y])
        exact = abs(a / b) + max(a / b, b**-3)
        assert quotient[0] <= exact <= quotient[1]


@given(x=number, y=number, z=number)
@settings(max_examples=examples(40))
def test_a_feasible_box_has_a_feasible_point(x: float, y: float, z: float) -> None:
    """Of a sphere and an inequality next to its side: on the box the first variable that is not flat is a root."""
    rows = [prepared(text, "xyz")[0] for text in ("x*x + y*y + z*z", "x*x - y*z")]
    total, side = x * x + y * y + z * z, x * x - y * z
    low, high = np.full(3, -4.0), np.full(3, 4.0)
    box = feasible_box(np.array([x, y, z]), rows, [(total, total), (-np.inf, side)], low, high)
    if box is None:
        return
    assert ((low <= box[0]) & (box[0] <= box[1]) & (box[1] <= high)).all()
    free = np.flatnonzero(box[0] < box[1])
    with mpmath.workdps(40):
        found = [mpmath.mpf(float(v)) for v in 0.5 * (box[0] + box[1])]
        if len(free):
            for _ in range(12):  # Newton's steps: the box has one root, and no singular matrix of slopes
                a, b, c = found
                off = [a * a + b * b + c * c - total, a * a - b * c - side][: len(free)]
                slopes = [[2 * a, 2 * b, 2 * c], [2 * a, -c, -b]][: len(free)]
                if any(off):
                    step = mpmath.lu_solve(
                        mpmath.matrix([[row[k] for k in free] for row in slopes]), mpmath.matrix(off)
                    )
                    for k, move in zip(free, step, strict=True):
                        found[k] -= move
        assert all(a <= v <= b for a, v, b in zip(box[0].tolist(), found, box[1].tolist(), strict=True))
        a, b, c = found
        assert abs(a * a + b * b + c * c - total) <= 1e-30
        assert a * a - b * c <= side + mpmath.mpf(10) ** -30


@pytest.mark.parametrize("text", TEXTS)
@given(box=boxes_and_points(), below=st.floats(0.0, 1.0))
@example(box=(np.array([[1e-15], [0.0]]),) * 3, below=0.0)
@settings(max_examples=examples(120), deadline=None)
def test_no_point_that_meets_a_demand_is_cut_off(text: str, box: tuple[Any, Any, Any], below: float) -> None:
    low, high, point = box
    program, holds, _ = prepared(text)
    at = program.evaluate(point, point, 0)
    if not at.defined[0]:
        return
    value = at.value[0][0], at.value[1][0]
    new_low, new_high, alive, _ = holds.contract(low.copy(), high.copy(), [(value[0] - below, value[1])])
    assert alive[0]
    assert (new_low <= point).all()
    assert (point <= new_high).all()


# Sums whose terms of one variable stand apart; with poles, kinks, jumps and ends of a domain.
TABLED = (
    "x**4 - y*sin(y) - 3*x**2 + x*y - sqrt(abs(y)) + x",
    "-(x*exp(-x) - y**3 + 2*y + (x - x**3))/3 + max(x, 1 - x)*y",
    "1/(x*x - x) + log(y + 2)*y - (y - floor(y)) + where(x < 1, x*x - x, x)",
)


@pytest.mark.parametrize("text", TABLED)
@given(box=boxes_and_points(), below=st.floats(0.0, 1.0))
@settings(max_examples=examples(60), deadline=None)
def test_ranges_of_one_variable_keep_what_can_be(text: str, box: tuple[Any, Any, Any], below: float) -> None:
    low, high, point = box
    program = prepared(text)[0]
    holds = tabled(text)
    assert len(holds.ranges) >= 2
    at = program.evaluate(point, point, 0)
    if not at.defined[0]:
        return
    value = at.value[0][0], at.value[1][0]
    least, most = holds.values(low, high)[0]
    assert least[0] <= value[1]
    assert most[0] >= value[0]
    new_low, new_high, alive, _ = holds.contract(low.copy(), high.copy(), [(value[0] - below, value[1])])
    assert alive[0]
    assert ((new_low <= point) & (point <= new_high)).all()


@cache
def tabled(text: str) -> Propagation:
    form = exact_form(syntax.parse(text), dict.fromkeys("xy"), {})
    graph: Any = form.graph
    leaves = [graph.scalar(name) for name in "xy"]
    return Propagation(graph, [form.root], leaves, (np.full(2, -3.0), np.full(2, 5.0)))


def test_a_separable_function_of_ten_variables_is_enclosed_with_few_boxes() -> None:
    """That of Styblinski and Tang has 2**10 minima; the rules of intervals alone see none of its terms."""
    names = [f"x{i}" for i in range(10)]
    text = " + ".join(f"{x}**4 - 16*{x}**2 + 5*{x}" for x in names)
    form = exact_form(syntax.parse(text), dict.fromkeys(names), {})
    graph: Any = form.graph
    ends = np.full(10, -5.0), np.full(10, 5.0)
    holds = Propagation(graph, [form.root], [graph.scalar(x) for x in names], ends)
    search = Search(interval_program(form, 2), holds, *ends, 1e-6)
    search.offer(np.full((10, 1), -2.9))
    state = search.run(lambda state: state.examined < 2000)
    assert search.is_over
    assert state.lower <= -783.3233140754284 <= state.best


@pytest.mark.parametrize("text", TEXTS)
@given(box=boxes_and_points())
@settings(max_examples=examples(120), deadline=None)
def test_bounds_are_below_every_value(text: str, box: tuple[Any, Any, Any]) -> None:
    low, high, point = box
    program, _, _ = prepared(text)
    center = middle(low, high)
    there, on = program.evaluate(center, center, 1), program.evaluate(low, high, 2)
    value = program.evaluate(point, point, 0)
    if not value.defined[0] or not there.defined[0]:
        return
    first = program.evaluate(low, high, 1)
    assert mean_value_bound(low, high, center, there.value[0], *first.gradient)[0] <= value.value[1][0]
    model = Model(low, high, center, there.value, there.gradient, on.hessian)
    bound, favoured, _ = quadratic_bound(model)
    assert bound[0] <= value.value[1][0]
    assert ((low <= favoured) & (favoured <= high)).all()


@given(box=boxes_and_points(), scale=st.floats(0.1, 3.0))
@settings(max_examples=examples(200), deadline=None)
def test_newton_keeps_stationary_points(box: tuple[Any, Any, Any], scale: float) -> None:
    """Of s*(x-a)**2*(1+y**2) + (y-b)**2 the point (a, b) is stationary, and it is the minimum."""
    low, high, (a, b) = box
    text = f"{scale!r}*(x - {float(a[0])!r})**2*(1 + y**2) + (y - {float(b[0])!r})**2"
    program, _, _ = prepared(text)
    center = middle(low, high)
    slope, hessian = program.evaluate(center, center, 1).gradient, program.evaluate(low, high, 2).hessian
    cut = newton(low, high, center, slope, hessian, np.ones_like(low, dtype=bool))
    assert not cut[2][0]
    assert cut[0][0, 0] <= a[0] <= cut[1][0, 0]
    assert cut[0][1, 0] <= b[0] <= cut[1][1, 0]


@given(box=boxes_and_points(), spare=st.floats(0.0, 1.0))
@settings(max_examples=examples(200), deadline=None)
def test_linear_cuts_keep_what_fulfils_the_constraint(box: tuple[Any, Any, Any], spare: float) -> None:
    low, high, point = box
    program, _, _ = prepared("x**3 - 2*x*y + sin(y)")
    value = program.evaluate(point, point, 0).value
    ends = [(float(value[0][0]) - spare, float(value[1][0]))]
    new_low, new_high, alive = cut_by_rows([program], ends, low, high, np.array([True]))
    assert alive[0]
    assert ((new_low <= point) & (point <= new_high)).all()


def test_halves_are_the_whole() -> None:
    box = Boxes(np.array([[0.0], [0.0]]), np.array([[1.0], [4.0]]), np.array([-1.0]))
    slope = np.array([[-1.0], [-1.0]]), np.array([[1.0], [1.0]])
    two, _ = halves(box, smear_of(box, slope))
    assert two.low.T.tolist() == [[0.0, 0.0], [0.0, 2.0]]
    assert two.high.T.tolist() == [[1.0, 2.0], [1.0, 4.0]]


def test_joined_boxes_hold_all_and_touch_nowhere() -> None:
    generator = np.random.default_rng(0)
    low = generator.uniform(0.0, 10.0, (2, 60))
    boxes = Boxes(low, low + generator.uniform(0.0, 0.8, (2, 60)), np.zeros(60))
    found = joined(boxes)
    assert 1 < len(found) < 60
    inside = (found.low[:, :, None] <= boxes.low[:, None]) & (found.high[:, :, None] >= boxes.high[:, None])
    assert inside.all(axis=0).any(axis=0).all()
    apart = (found.low[:, :, None] > found.high[:, None]) | (found.low[:, None] > found.high[:, :, None])
    assert (apart.any(axis=0) | np.eye(len(found), dtype=bool)).all()


KNOWN = {
    "six-hump camel": (
        "(4-2.1*x**2+x**4/3)*x**2+x*y+(-4+4*y**2)*y**2",
        {"x": (-3, 3), "y": (-2, 2)},
        -1.0316284534898774,
        2,
    ),
    "Branin": (
        "(y-5.1/(4*pi**2)*x**2+5/pi*x-6)**2+10*(1-1/(8*pi))*cos(x)+10",
        {"x": (-5, 10), "y": (0, 15)},
        0.39788735772973816,
        3,
    ),
    "Himmelblau": ("(x**2+y-11)**2+(x+y**2-7)**2", {"x": (-5, 5), "y": (-5, 5)}, 0.0, 4),
    "Goldstein-Price": (
        "(1+(x+y+1)**2*(19-14*x+3*x**2-14*y+6*x*y+3*y**2))*(30+(2*x-3*y)**2*(18-32*x+12*x**2+48*y-36*x*y+27*y**2))",
        {"x": (-2, 2), "y": (-2, 2)},
        3.0,
        1,
    ),
    "Shubert": (
        "*".join("(" + "+".join(f"{i}*cos({i + 1}*{v}+{i})" for i in range(1, 6)) + ")" for v in "xy"),
        {"x": (-10, 10), "y": (-10, 10)},
        -186.7309088310239,
        18,
    ),
    "Booth": ("(x+2*y-7)**2+(2*x+y-5)**2", {"x": (-10, 10), "y": (-10, 10)}, 0.0, 1),
    "McCormick": ("sin(x+y)+(x-y)**2-1.5*x+2.5*y+1", {"x": (-1.5, 4), "y": (-3, 4)}, -1.9132229549810367, 1),
}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("tol", [1e-6, 1e-9])
def test_known_minima_are_enclosed_and_proved(name: str, tol: float) -> None:
    text, ends, value, count = KNOWN[name]
    search = searched(text, ends, tol)
    assert search.is_over
    assert search.state.lower <= value + 1e-13 * abs(value)
    assert value - 1e-13 * abs(value) <= search.state.best <= search.state.lower + tol * max(1.0, abs(value))
    search.refine(lambda state: True)
    low, high, one = proved(search, joined(search.state.left))
    assert one.tolist() == [True] * count
    assert (high - low < 1e-10).all()


@pytest.mark.parametrize(
    ("text", "ends", "value"),
    [
        ("abs(x-1) + max(y, -y)", {"x": (-9, 10), "y": (-9, 10)}, 0.0),
        ("where(x < 1, 3 - x, x)", {"x": (-2, 2)}, 1.0),  # a jump down at 1
        ("x + sqrt(x - 1)", {"x": (0, 2)}, 1.0),  # at the edge of the domain
        ("1/(x**2)", {"x": (-2, 3)}, 1 / 9),  # a pole within
        ("x**2 + 1/x**2", {"x": (-3, 3)}, 2.0),
        ("x", {"x": (3, 3)}, 3.0),
    ],
)
def test_kinks_jumps_edges_and_poles_are_no_obstacle(
    text: str, ends: dict[str, tuple[float, float]], value: float
) -> None:
    search = searched(text, ends)
    assert search.is_over
    assert search.state.lower <= value + 1e-12
    assert value - 1e-6 <= search.state.best <= search.state.lower + 1e-6 * max(1.0, abs(value))


@pytest.mark.parametrize(
    "text",
    ["-1/x**2 + y**2", "log(x + y)", "-1/sqrt(abs(x + y - 0.1))", "-where(x > 0.5, 1/cbrt(relu(y)), 1)"],
)
def test_where_the_value_falls_without_end_along_a_curve_the_search_ends(text: str) -> None:
    """Every box at the curve has no lower bound, however often it is cut: they are not all examined."""
    search = searched(text, {"x": (-3, 3), "y": (-3, 3)})
    assert search.is_over or search.state.best <= -1e100
    assert search.state.lower == -np.inf
    assert search.state.examined < 50_000


def test_the_same_search_gives_the_same_answer() -> None:
    text, ends, _, _ = KNOWN["Shubert"]
    one, other = searched(text, ends).state, searched(text, ends).state
    assert (one.lower, one.best, one.examined) == (other.lower, other.best, other.examined)
    assert one.done.low.tolist() == other.done.low.tolist()


def test_an_interrupt_loses_no_box() -> None:
    """Whatever is being examined when it comes still counts for the lower bound."""
    text, ends, value, _ = KNOWN["Shubert"]
    program, holds, _ = prepared(text)
    low, high = (np.array([pair[k] for pair in ends.values()], float) for k in (0, 1))

    class Interrupted:
        left = 12

        def evaluate(self, low: Any, high: Any, order: int) -> Any:
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return program.evaluate(low, high, order)

    search = Search(Interrupted(), holds, low, high, 1e-6)
    with pytest.raises(KeyboardInterrupt):
        search.run(lambda state: True)
    assert search.state.lower <= value
    left = search.state.left
    point = np.array([-1.4251284283197609, -0.8003211008])  # one of the minimisers
    assert ((left.low - 1e-6 <= point[:, None]) & (left.high + 1e-6 >= point[:, None])).all(axis=0).any()
