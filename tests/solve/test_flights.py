"""Functions without a minimum (its infimum at infinity, or a pole), and flat minima that look like them."""

from __future__ import annotations

from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.status import PointKind, Status

CHAIN = "sum((v[1:]-v[:-1])**2)+exp(-v[0])"


def ramp(n: int) -> list[float]:
    return [0.01 * (i % 7) for i in range(n)]


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("((x+y)*z-1)**2+exp(-x)", {"x": 1.0, "y": 1.0, "z": 1.0}),
        ("((x+y)*z-1)**2+exp(-x)", {"x": 0.5, "y": -0.3, "z": 2.0}),
        ("((x+y)*z-1)**2+softplus(-y)", {"x": 0.5, "y": -0.3, "z": 2.0}),
        ("(x*y*z-1)**2+x**2", {"x": 1.0, "y": 1.0, "z": 1.0}),
        ("(x*y*z-1)**2+exp(-x)", {"x": 1.0, "y": 1.0, "z": 1.0}),
        ("(x*y-1)**2+exp(-x)", {"x": 1.0, "y": 1.0}),
        ("(x**2*y-1)**2+x**2", {"x": 1.0, "y": 1.0}),
        ("(x-y)**2+sqrt(1+x**2)-x", {"x": 1.0, "y": 1.0}),
        ("exp(-x-y)+(x-y)**4", {"x": 0.5, "y": -0.7}),
        ("log(1+exp(-x-y))+(x-2*y)**2", {"x": 0.5, "y": -0.7}),
        ("(z-x*y)**2+(y-x)**2+1/(1+x**2)", {"x": 0.5, "y": -0.3, "z": 2.0}),
        ("sqrt(1+x**2)-x", {"x": 1.0}),
        ("sqrt(1+x**2)-x+100", {"x": 5.0}),
        ("exp(-x)+5", {"x": 5.0}),
        ("tanh(x-1000)", {"x": 1001.0}),
        ("1-tanh(x/100)", {"x": 1.0}),
        ("erf(-x)", {"x": 5.0}),
        ("atan(x+y)+(x-y)**2", {"x": 1.0, "y": 1.0}),
        ("exp(-x)+sqrt(1+(y-0.1*x**2)**2)", {"x": -0.3, "y": 0.6}),
        ("1/(1+exp(x))+hypot(y-x/2,1)", {"x": 0.2, "y": -0.25}),
        ("exp(-x)+cosh(y-atan(x))", {"x": 0.9, "y": 0.42}),
        (CHAIN, {"v": ramp(5)}),
        (CHAIN, {"v": ramp(33)}),
        (CHAIN, {"v": ramp(60)}),
        (CHAIN, {"v": ramp(120)}),
        ("sum((v[1:]+v[:-1])**2)+exp(-v[0])", {"v": ramp(60)}),
        ("exp(-mean(v))+sum((v-mean(v))**2)", {"v": ramp(60)}),
    ],
)
def test_an_infimum_at_infinity_is_no_minimum(expression: str, start: dict[str, Any]) -> None:
    assert api.minimize(expression, start).status is Status.DIVERGED


@pytest.mark.parametrize("rule", ["exact", "armijo", "wolfe", "bb"])
@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("sqrt(1+x**2)-x", {"x": 1.0}),
        ("(y-sin(x))**2+exp(-x)", {"x": 0.5, "y": -0.7}),
        ("1e-6*(x*y-1)**2+1e-6*x**2", {"x": 1.0, "y": 1.0}),
    ],
)
def test_no_step_rule_claims_a_minimum_at_infinity(
    rule: str, expression: str, start: dict[str, float]
) -> None:
    outcome = api.minimize(expression, start, method="gd", step_rule=rule, max_iter=3000)
    assert outcome.status is not Status.CONVERGED


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("log(x**2)", {"x": 0.7}),
        ("log(x**2)", {"x": 2.0}),
        ("log(x**2)+x**2", {"x": -3.1}),
        ("log((x-1.1)**2)", {"x": 0.5}),
        ("log(x**2+y**2)", {"x": 0.5, "y": -0.7}),
        ("log(abs(x-y))+x**2", {"x": 0.5, "y": -0.7}),
        ("log(hypot(x,y))", {"x": 3.0, "y": 0.1}),
        ("1e5+log(x**4)", {"x": 2.0}),
        ("-1/abs(x)", {"x": 2.0}),
    ],
)
def test_a_pole_with_a_function_on_both_sides_is_unbounded(expression: str, start: dict[str, float]) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.DIVERGED
    assert "without end" in outcome.message


@pytest.mark.parametrize(
    "expression", ["log(x)", "log(x)+x**2", "log(x)**3", "x+sqrt(sin(x))", "log(sin(x))"]
)
def test_an_edge_of_the_domain_is_no_pole(expression: str) -> None:
    assert api.minimize(expression, {"x": 0.5}).status is Status.STALLED


@pytest.mark.parametrize(
    ("expression", "start", "value"),
    [
        ("(x*y-1)**2", {"x": 3.0, "y": 0.1}, 0.0),
        ("(x+y)**2", {"x": 1.0, "y": 1.0}, 0.0),
        ("(x-y)**4", {"x": 3.0, "y": 0.1}, 0.0),
        ("((x*y-1)**2+1)**2", {"x": -1.2, "y": 2.0}, 1.0),
        ("exp((x-y)**2)", {"x": 3.0, "y": 0.1}, 1.0),
        ("log(1+(x-y)**4)", {"x": 0.5, "y": -0.7}, 0.0),
        ("(x+y+z)**4", {"x": 1.0, "y": 1.0, "z": 1.0}, 0.0),
        ("(x+10*y)**2+(y-z)**4", {"x": 2.0, "y": 0.7, "z": -0.4}, 0.0),
        ("((x+y)*z-1)**2", {"x": 2.0, "y": 0.7, "z": -0.4}, 0.0),
        ("(x-y)**2+(y-z)**2", {"x": 0.5, "y": -0.3, "z": 2.0}, 0.0),
        ("x**2*y**2+(x-1)**4", {"x": 1.0, "y": 1.0}, 0.0),
        ("(y-x**2)**2+(1-1e-5*x)**4", {"x": 1.0, "y": 1.0}, 0.0),
        ("(x/y-2)**2+1", {"x": 1.0, "y": 1.0}, 1.0),
        ("(3*x/y-7.1)**2+(x/y-2.1)**2+.819", {"x": 1.0, "y": 1.0}, 0.883),
        ("(x/y-2)**2+1e6", {"x": 3.0, "y": 0.5}, 1e6),
        ("1e-8*(x/y-2)**2+1", {"x": 10.0, "y": 70.0}, 1.0),
        ("((x+1)/(y+1)-2)**2", {"x": 0.01, "y": 2.0}, 0.0),
        ("1e8*(x/(x+y)-0.3)**2+1e6", {"x": 10.0, "y": 70.0}, 1e6),
        ("(x+y*z-2)**2+1e6", {"x": 3.0, "y": 0.5, "z": 2.0}, 1e6),
        ("1e-8*(x/(y*z)-2)**2+1", {"x": 10.0, "y": 70.0, "z": 1.0}, 1.0),
        ("1e-8*(x*exp(y)-2)**2+1", {"x": 3.0, "y": 0.5}, 1.0),
        ("x**20", {"x": 5.0}, 0.0),
        ("1e-8*(x-3)**4", {"x": 1.0}, 0.0),
        ("(x-3)**4+1e8", {"x": 1.0}, 1e8),
        ("(sum(v)-1)**4", {"v": ramp(31)}, 0.0),
        ("sum((v[1:]-v[:-1])**2)+v[0]**4", {"v": ramp(40)}, 0.0),
        ("(sum(v**2)-1)**2", {"v": [a + 0.1 for a in ramp(60)]}, 0.0),
    ],
)
def test_a_flat_minimum_is_still_one(expression: str, start: dict[str, Any], value: float) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("unit", [1.0, 1e8, 1e-8, 3.7])
@pytest.mark.parametrize("start", [(1.0, 1.0), (3.0, -2.0), (0.0, 1.0), (0.5, 0.0)])
def test_newton_cg_flies_down_a_valley_in_any_unit(start: tuple[float, float], unit: float) -> None:
    at = {"x": start[0] * unit, "y": start[1] * unit}
    found = api.minimize("(x*y/u**2-1)**2+(x/u)**2", at, constants={"u": unit}, method="newton-cg")
    assert (found.status, found.certificate.kind) == (Status.DIVERGED, PointKind.AT_INFINITY)
