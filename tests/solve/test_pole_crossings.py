"""Poles of an expression: no line search crosses one, and steps that do not look at the value tell when they did."""

from __future__ import annotations

import pytest

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.objective.bounded import Bounded, Box
from gdcli.objective.build import build_objective
from gdcli.solve.scaling import rescaled
from gdcli.tasks.problem import parsed

ARRIVING = ("auto", "newton", "newton-cg", "lbfgs", "bfgs", "cg", "bb")
# Their first steps are numbers of the user's, whatever the unit: they may not arrive.
PLODDING = ("gd", "batch")


@pytest.mark.parametrize("method", [*ARRIVING, *PLODDING])
@pytest.mark.parametrize(
    ("text", "start", "answer"),
    [
        ("1/x+x", {"x": 3}, {"x": 1}),
        ("1/x+x", {"x": 0.01}, {"x": 1}),
        ("1/(1e-6*x)+1e-6*x", {"x": 5e6}, {"x": 1e6}),
        ("1/(x-2)**2+x", {"x": 5}, {"x": 2 + 2 ** (1 / 3)}),
        ("1/(x-y)+x-y+(x+y)**2", {"x": 3, "y": 0}, {"x": 0.5, "y": -0.5}),
        ("x/(x-1)+x", {"x": 6}, {"x": 2}),
        ("tan(x)-2*x", {"x": 1.4}, {"x": 0.7853981633974483}),
    ],
)
def test_no_search_crosses_a_pole(
    text: str, start: dict[str, float], answer: dict[str, float], method: str
) -> None:
    found = api.minimize(text, start, method=method)
    assert found.warnings == ()
    if method in ARRIVING:
        assert found.status is Status.CONVERGED
        assert found.point == pytest.approx(answer, rel=1e-6)


@pytest.mark.parametrize("method", sorted({*ARRIVING, *PLODDING} - {"newton"}))
def test_no_search_crosses_poles_of_long_vectors(method: str) -> None:
    found = api.minimize("sum(1/v+v)", {"v": [3.0 + 0.001 * i for i in range(300)]}, method=method)
    assert found.status is Status.CONVERGED
    assert list(found.point["v"]) == pytest.approx([1.0] * 300, rel=0.02 if method == "batch" else 1e-3)


def test_a_change_of_sign_alone_is_no_pole() -> None:
    for text in (
        "sin(x)/x",
        "(exp(x)-1-x)/x**2",
        "(x**2-1)/x",
        "x/(1+1/x)",
        "atan(1/x)",
        "1/(1+x**2)",
        "x**3/x",
    ):
        made = build_objective(parsed(text, ""), {"x": None}, {}, 1)
        seen = made.pole_between(made.vector([1.7]), made.vector([-0.6]))
        assert (seen is None) == (text != "(x**2-1)/x"), text
    assert api.minimize("-sin(x)/x", {"x": 3}, method="lbfgs").point["x"] == pytest.approx(0.0, abs=1e-6)


def test_where_the_pole_is_in_any_units_and_bounds() -> None:
    made = build_objective(parsed("1/(x-2)+y", ""), {"x": None, "y": None}, {}, 1)
    x, y = made.vector([0.0, 0.0]), made.vector([8.0, 4.0])
    assert made.pole_between(x, y) == pytest.approx([2.0, 1.0])
    scaled = rescaled(made, 4.0)
    assert scaled.pole_between(made.vector([0.0, 0.0]), made.vector([2.0, 1.0])) == pytest.approx([0.5, 0.25])
    box = Box(made.vector([-1.0, -1.0]), made.vector([1.0, 9.0]))
    assert Bounded(made, box).pole_between(x, y) is None


@pytest.mark.parametrize(("method", "lr"), [("gd", 0.5), ("momentum", 0.4)])
def test_fixed_steps_that_cross_a_pole_say_so(method: str, lr: float) -> None:
    found = api.minimize("1/x**2+(x+1)**2", {"x": 3}, method=method, lr=lr)
    assert found.point["x"] < 0.0
    assert found.warnings == (
        "steps went across a pole: the value is infinite between the start and the answer, at x = 0",
    )
