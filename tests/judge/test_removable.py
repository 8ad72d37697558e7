"""Quotients that are 0/0 at a point: bounded with their limits where they have one, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.calculus import interval_rules as rules
from gdcli.kernel.status import Claim, Status
from gdcli.language.functions import FUNCTIONS
from gdcli.tasks.problem import read_problem
from gdcli.tasks.proved import box_program
from tests.cli.test_subject_to_command import gd
from tests.effort import examples
from tests.judge.test_proof import proof_of

# Functions that are 0 at 0, with the order of the zero, in the language and in mpmath.
ZEROS: list[tuple[str, int, Any]] = [
    ("sin({})", 1, mpmath.sin), ("tan({})", 1, mpmath.tan), ("(exp({})-1)", 1, mpmath.expm1),
    ("expm1({})", 1, mpmath.expm1), ("log(1+{})", 1, mpmath.log1p), ("log1p({})", 1, mpmath.log1p),
    ("tanh({})", 1, mpmath.tanh), ("sinh({})", 1, mpmath.sinh), ("atan({})", 1, mpmath.atan),
    ("asin({})", 1, mpmath.asin), ("erf({})", 1, mpmath.erf), ("(1-cos({}))", 2, lambda u: 1 - mpmath.cos(u)),
    ("(cosh({})-1)", 2, lambda u: mpmath.cosh(u) - 1), ("({0}-sin({0}))", 3, lambda u: u - mpmath.sin(u)),
    ("{}", 1, lambda u: u), ("{}**2", 2, lambda u: u**2), ("{}**3", 3, lambda u: u**3),
    ("({0}*cos({0}))", 1, lambda u: u * mpmath.cos(u)), ("(sqrt(1+{})-1)", 1, lambda u: mpmath.sqrt(1 + u) - 1),
]  # fmt: skip


@given(
    over=st.sampled_from(ZEROS),
    under=st.sampled_from(ZEROS),
    place=st.sampled_from([0, 0, 1, -2, 0.5]),
    size=st.sampled_from([1e-12, 1e-7, 1e-3, 0.1, 0.4]),
    ends=st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1)),
)
@settings(derandomize=True, deadline=None, max_examples=examples(600))
def test_bounds_hold_values_and_derivatives(
    over: Any, under: Any, place: float, size: float, ends: tuple[float, float, float]
) -> None:
    """Of a quotient of two zeros at a place, by values at many digits; finite around it where it has a limit there."""
    u = "x" if place == 0 else f"(x-({place}))"
    text = f"{over[0].format(u)}/{under[0].format(u)}"
    program = box_program(read_problem(text, "minimize", [f"x={place + 0.3}"]))
    low, high = sorted(place + size * end for end in ends[:2])
    x = min(max(low + ends[2] * (high - low), low), high)
    around = low <= place <= high
    found = program.one_box([(low, high)], 2)
    has_limit = over[1] >= under[1]
    if around and not has_limit:
        assert not found.defined
    if around and has_limit and size < 0.2:
        assert found.defined, text
        assert all(abs(end) < 1e3 for end in (*found.value, *found.gradient[0], *found.hessian[0]))
    if abs(x - place) < 1e-30 or not found.defined:
        return
    with mpmath.workdps(400):
        f = lambda v: over[2](v - mpmath.mpf(place)) / under[2](v - mpmath.mpf(place))  # noqa: E731
        h = mpmath.mpf(10) ** -40 * min(1, abs(mpmath.mpf(x) - place) ** 2)
        at, before, after = f(mpmath.mpf(x)), f(mpmath.mpf(x) - h), f(mpmath.mpf(x) + h)
        slope, bend = (after - before) / (2 * h), (after - 2 * at + before) / h**2
        near = mpmath.mpf(10) ** -20 * (1 + abs(bend))
        assert found.value[0] <= at <= found.value[1], text
        assert found.gradient[0][0] - near <= slope <= found.gradient[0][1] + near, text
        assert found.hessian[0][0] - near <= bend <= found.hessian[0][1] + near, text


@pytest.mark.parametrize(
    ("text", "limit", "bend"),
    [
        ("sin(x)/x", 1, -1 / 3), ("(1-cos(x))/x**2", 0.5, -1 / 12), ("x/tanh(x)", 1, 2 / 3),
        ("(sin(x)/x)**2", 1, -2 / 3), ("(x-sin(x))/x**3", 1 / 6, -1 / 60), ("sin(pi*x)/(pi*x)", 1, -np.pi**2 / 3),
        ("x*exp(x)/(exp(2*x)-1)", 0.5, -1 / 6), ("sin(x**2)/x**2", 1, 0),
    ],
)  # fmt: skip
def test_the_limit_and_its_curvature(text: str, limit: float, bend: float) -> None:
    program = box_program(read_problem(text, "minimize", ["x=1"]))
    low, high = program.value_at([0.0])
    assert low <= limit <= high < low + 1e-14
    found = program.one_box([(0.0, 0.0)], 2)
    assert found.defined
    assert found.gradient[0][0] == pytest.approx(0.0, abs=1e-14)
    assert found.hessian[0] == pytest.approx((bend, bend), abs=1e-12)
    array = program.evaluate(np.array([[0.0, -1e-3]]), np.array([[0.0, 2e-3]]), 2)
    assert array.hessian[0][0, 0, 0] == pytest.approx(bend, abs=1e-12)
    assert array.defined.all()


@pytest.mark.parametrize(
    "text",
    ["x/abs(x)", "sin(x)/x**2", "(x-1)/x", "sqrt(x)/x", "x*log(x)/x", "min(x,0)/x", "floor(x)/x", "cos(x)/x"],
)
def test_a_jump_or_a_pole_is_not_continued(text: str) -> None:
    program = box_program(read_problem(text, "minimize", ["x=1"]))
    assert not program.one_box([(-1e-6, 1e-6)], 1).defined
    assert not program.one_box([(0.0, 0.0)], 1).defined


@pytest.mark.parametrize("text", ["x*y/(x**2+y**2)", "x/y", "x*x/(y/x)", "sin(x)/y", "x**2*y/(x**4+y**2)"])
def test_no_limit_is_made_up_where_the_way_decides(text: str) -> None:
    program = box_program(read_problem(text, "minimize", ["x=1,y=1"]))
    assert not program.one_box([(-1e-6, 1e-6)] * 2, 1).defined


def test_numbers_that_are_none_end_the_search_for_a_limit() -> None:
    program = box_program(read_problem("(0.3 - x**-1)/x", "minimize", ["x=1"]))
    assert not program.is_continued


def test_functions_are_known_where_they_are_0_or_1() -> None:
    for name, row in FUNCTIONS.items():
        for x in (0.0, 1.0):
            if len(row.slopes) > 1 or (value := rules.known_value(name, (x,))) is None:
                continue
            exact = {
                "lgamma": mpmath.loggamma,
                "cbrt": mpmath.cbrt,
                "log1p": mpmath.log1p,
                "log2": lambda v: mpmath.log(v, 2),
            }
            exact |= {"abs": abs, "relu": lambda v: max(v, 0), "sigmoid": None, "expm1": mpmath.expm1}  # fmt: skip
            function = exact.get(name) or getattr(mpmath, name)
            assert function(mpmath.mpf(x)) == value, name


@pytest.mark.parametrize(
    ("text", "sense", "start", "at", "value"),
    [
        ("sin(x)/x", "maximize", {"x": 0.5}, {"x": 0.0}, 1.0),
        ("x/tanh(x)", "minimize", {"x": 1.0}, {"x": 0.0}, 1.0),
        ("(sin(x)/x)**2", "maximize", {"x": 1.0}, {"x": 0.0}, 1.0),
        ("(1-cos(x))/x**2", "maximize", {"x": 1.0}, {"x": 0.0}, 0.5),
        ("sin(x-0.1)/(x-0.1) - (y-1)**2", "maximize", {"x": 1.0, "y": 3.0}, {"x": 0.1, "y": 1.0}, 1.0),
    ],
)
def test_a_run_ends_at_the_limit(text: str, sense: str, start: Any, at: Any, value: float) -> None:
    found = proof_of(text, start, sense)
    assert found.status is Status.CONVERGED
    assert found.certificate.claim is Claim.PROVED
    assert found.point == pytest.approx(at, abs=1e-12)
    assert found.value == pytest.approx(value, abs=1e-14)
    told = f"the function is not defined at x = {at['x']:g} (0/0); its limit there is {value:g}"
    assert told in found.warnings


@pytest.mark.parametrize("text", ["x/abs(x)+x**2", "sin(x)/x**2", "-sin(x)/x**2", "1/x-1/sin(x)+x**2"])
def test_no_minimum_is_told_at_a_jump_or_a_pole(text: str) -> None:
    found = proof_of(text, {"x": 0.7})
    assert not any("limit" in warning for warning in found.warnings)


def test_a_bound_at_the_limit_holds_it(tmp_path: Path) -> None:
    code, out, _ = gd("minimize", "(exp(x)-1)/x", "--start", "x=1", "--bounds", "x=0:3")
    assert code == 0
    assert "x at 0 (lower bound, slope 0.5)" in out
    answer = tmp_path / "answer.json"
    assert (
        gd("maximize", "(1-cos(x))/x**2", "--start", "x=1", "--format", "json", "--output", str(answer))[0]
        == 0
    )
    assert gd("verify", str(answer))[0] == 0
    record = json.loads(answer.read_text())
    record["value"] = 0.49
    answer.write_text(json.dumps(record))
    assert gd("verify", str(answer))[0] == 9


@pytest.mark.parametrize(
    ("sense", "text", "bounds", "value"),
    [
        ("maximize", "sin(x)/x", "x=-10:10", 1.0),
        ("maximize", "(1-cos(x))/x**2", "x=-1.1:1", 0.5),
        ("minimize", "(exp(x)-1)/x", "x=0:1", 1.0),
        ("maximize", "log(1+x)/x", "x=0:1", 1.0),
        ("maximize", "sin(sqrt(x**2+y**2))/sqrt(x**2+y**2)", "all=-8:8", 1.0),
        ("maximize", "(1-cos(x*y))/(x*y)**2", "all=-2:2", 0.5),
        ("maximize", "exp(y)*sin(x)/x-y**2", "x=-1:1,y=-1:2", 3.3890560989306495),
        ("minimize", "-sin(x)*sin(y)/(x*y)", "all=-1:1", -1.0),
    ],
)
def test_the_global_extremum_is_a_limit(
    tmp_path: Path, sense: str, text: str, bounds: str, value: float
) -> None:
    answer = tmp_path / "answer.json"
    command = (sense, text, "--global", "--bounds", bounds, "--format", "json", "--output", str(answer))
    assert gd(*command)[0] == 0
    found = json.loads(answer.read_text())
    assert found["global"]["lower"] <= value <= found["global"]["upper"] <= found["global"]["lower"] + 1e-6
    assert found["value"] == pytest.approx(value, abs=1e-9)
    assert len(found["global"]["boxes"]) == 1
    assert gd("verify", str(answer))[0] == 0


def test_the_limit_behind_a_factor_of_another_variable() -> None:
    outcome = api.minimize("y*sin(x)/x + y**2", {"x": 1.0, "y": 1.0})
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(-0.25)
    assert any("its limit there is -0.25" in note for note in outcome.warnings)


def test_numbers_above_and_below_are_no_limit() -> None:
    assert api.minimize("exp(-x/2)+(y-sin(3*x))**2+(y+x)**4", {"x": 1.0, "y": 1.0}).status is Status.CONVERGED
