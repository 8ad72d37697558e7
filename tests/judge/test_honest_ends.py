"""Ends that must not be mistaken for minima, and minima that must be found, for few and for many variables."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import exp
from typing import Any

import mpmath
import pytest

from gdcli import api
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Claim, Status
from gdcli.solve.registry import METHODS

MANY = 60


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("sum(v**3)", 1.0),
        ("sum(exp(-v))", 0.0),
        ("sum(softplus(v))", 1.0),
        ("sum(1/(1+v**2))", 1.0),
    ],
)
def test_no_minimum_of_many_variables_is_claimed(expression: str, first: float) -> None:
    outcome = api.minimize(expression, {"v": [first] * MANY})
    assert outcome.status is Status.DIVERGED
    assert outcome.certificate.kind in ("unbounded", "at-infinity")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("sum(v**4)-sum(v**2)", -0.25 * MANY),
        ("v[0]**2-v[1]**2+sum(v**4)", -0.25),
        ("sum((v**2-1)**2)", 0.0),
    ],
)
def test_auto_leaves_saddles_and_maxima_of_many_variables(expression: str, value: float) -> None:
    outcome = api.minimize(expression, {"v": [0.0] * MANY})
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize("gradient", ["forward", "central"])
def test_the_certificate_is_exact_where_the_run_had_estimates(gradient: str) -> None:
    outcome = api.minimize("(1-x)**2+100*(y-x**2)**2", {"x": -1.2, "y": 1.0}, gradient=gradient)
    left = outcome.value  # the minimum is 0
    assert outcome.certificate.estimated_gap is not None
    assert outcome.certificate.estimated_gap >= 0.1 * left
    assert (outcome.status is Status.CONVERGED) == (left <= 1e-9)


def test_a_constant_within_limits_is_flat() -> None:
    found = api.minimize("5", {"x": 0.7}, subject_to=("0 <= x <= 1",))
    assert (found.status, found.certificate.kind) == (Status.CONVERGED, "flat")
    assert found.warnings == ("the expression does not depend on x",)


def test_a_hessian_beyond_the_numbers_proves_nothing() -> None:
    outcome = api.minimize("log(x)**2", {"x": 1e-300})
    assert outcome.status is not Status.CONVERGED or outcome.value < 1e-8


def test_rounding_in_an_eigenvalue_is_no_saddle() -> None:
    outcome = api.minimize("x**2*y**4+y**2*x**4-3*x**2*y**2+1", {"x": 0.0, "y": 2.0})
    assert outcome.certificate.kind == "degenerate"


def test_value_tol_stops_auto() -> None:
    expression, start = "(1-x)**2+100*(y-x**2)**2", {"x": -1.2, "y": 1.0}
    assert api.minimize(expression, start, value_tol=0.1).run.reason.value == "value-tolerance"


def test_newton_needs_a_hessian_matrix() -> None:
    with pytest.raises(UsageError, match="newton needs a Hessian"):
        api.minimize("sum(v**2)", {"v": [1.0] * 300}, method="newton")


def test_an_interrupt_between_two_starts_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    from gdcli.tasks.multi_start import solve_from_many

    real, calls = api.solve, []

    def solve(*args: Any, **more: Any) -> api.Outcome:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **more)

    monkeypatch.setattr("gdcli.tasks.multi_start.solve", solve)
    problem = api.make_problem("(x**2-1)**2", start={"x": 0.3})
    outcome = solve_from_many(problem, None, 50)
    assert outcome.status is Status.INTERRUPTED
    assert outcome.value == pytest.approx(0.0, abs=1e-10)
    assert "2 of 50 starts" in outcome.message


@pytest.mark.parametrize("expression", ["log(x**2)", "log(x**2)+x**2", "x**2+floor(x)"])
def test_poles_and_jumps_are_no_minima(expression: str) -> None:
    assert api.minimize(expression, {"x": 0.5}).status is not Status.CONVERGED


@pytest.mark.parametrize(
    ("expression", "start", "value"),
    [
        ("where(x>0,x,-2*x)", 3.0, 0.0),
        ("where(x>0,x**2,-x)", 1.0, 0.0),
        ("abs(x)", 0.0, 0.0),
        ("max(x,1-x)", 0.5, 0.5),
        ("relu(x)", 2.0, 0.0),
        ("abs(x-1)+abs(x+1)", 5.0, 2.0),
        ("abs(x)+(x-1)**2", 0.0, 0.75),
        ("hypot(x,0)", 0.0, 0.0),
    ],
)
def test_corners_and_level_floors_are_minima(expression: str, start: float, value: float) -> None:
    outcome = api.minimize(expression, {"x": start})
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("expression", "start", "edge"),
    [
        ("log(x)", 2.0, "log(x)"),
        ("sqrt(x**2-1)", 2.0, "sqrt(x**2-1)"),
        ("log(x-3)+x", 5.0, "log(x-3)"),
        ("sqrt(cos(x))", 0.5, "sqrt(cos(x))"),
    ],
)
def test_the_edge_of_the_domain_is_named(expression: str, start: float, edge: str) -> None:
    outcome = api.minimize(expression, {"x": start})
    assert outcome.status is Status.STALLED
    assert any(f"that of {edge}: beyond it" in warning for warning in outcome.warnings)


@pytest.mark.parametrize(
    "expression",
    [
        "(x*y-1)**2+x**2",
        "(x*y-1)**2+1e-6*x**2",
        "(y-x**2)**2+exp(-x)",
        "(y-exp(x))**2+1/(1+x**2)",
        "5+(x*y-1)**2+x**2",
    ],
)
def test_a_bent_valley_that_falls_to_infinity_has_no_minimum(expression: str) -> None:
    outcome = api.minimize(expression, {"x": 1.0, "y": 1.0})
    assert outcome.status is Status.DIVERGED
    assert outcome.run.reason.value == "minimum-at-infinity"


def test_a_bent_valley_that_falls_without_end_is_unbounded() -> None:
    assert api.minimize("(y-x**2)**2-x", {"x": 1.0, "y": 1.0}).run.reason.value == "unbounded"


@pytest.mark.parametrize("expression", ["(y-x**3)**2-log(1+x**2)", "(x*y*z-1)**2+x**2+(z-1)**2"])
def test_no_minimum_is_claimed_where_rounding_hides_the_floor_of_a_valley(expression: str) -> None:
    start = {name: 1.0 for name in "xyz" if name in expression.replace("exp", "")}
    assert api.minimize(expression, start).status is not Status.CONVERGED


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("(y-x**2)**2+(1e5-x)**2", 0.0),
        ("(y-x**2)**2+x**4-1e12*x**2", -2.5e23),
        ("(x*y-1)**2", 0.0),
        ("(x**2+y**2-1)**2", 0.0),
    ],
)
def test_the_minimum_of_a_long_bent_valley_is_found(expression: str, value: float) -> None:
    outcome = api.minimize(expression, {"x": 1.5, "y": 1.0})
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "method", ["newton-cg", "lbfgs", "bfgs", "cg", "bb", "rmsprop", "adam", "gd", "batch"]
)
@pytest.mark.parametrize(("expression", "start"), [("x**3", 1.0), ("x-sin(x)", 3.0)])
def test_no_method_calls_an_inflection_a_minimum(method: str, expression: str, start: float) -> None:
    outcome = api.minimize(expression, {"x": start}, method=method, max_iter=3000)
    assert outcome.status is not Status.CONVERGED


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("(x+y)**2+exp(-x)", {"x": 1.0, "y": 0.0}),
        ("sqrt(1+x**2)-x", {"x": 1.0}),
        ("erf(x)", {"x": 0.0}),
    ],
)
@pytest.mark.parametrize("method", ["auto", "bb", "cg"])
def test_a_slope_lost_in_rounding_is_no_minimum(
    expression: str, start: dict[str, float], method: str
) -> None:
    assert api.minimize(expression, start, method=method).status is not Status.CONVERGED


@pytest.mark.parametrize("count", [3, MANY])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0)])
def test_a_maximum_at_or_between_the_bounds_is_left(count: int, bounds: tuple[float, float]) -> None:
    outcome = api.minimize("-sum(v**2)", {"v": [0.0] * count}, bounds={"v": bounds})
    assert outcome.status is Status.CONVERGED
    assert outcome.value == -count
    assert outcome.certificate.kind == "minimum"


@pytest.mark.parametrize("bounds", [{}, {"v": (-float("inf"), 3.0)}])
def test_a_slope_of_many_variables_is_unbounded(bounds: dict[str, tuple[float, float]]) -> None:
    outcome = api.minimize("sum(v)", {"v": [1.0] * MANY}, bounds=bounds)
    assert outcome.run.reason.value == "unbounded"
    assert outcome.run.counts.value < 400


@pytest.mark.parametrize("expression", ["sum(v)+1e-12*sum(v**2)", "sum(v**4)-1e6*sum(v**2)"])
def test_deep_but_bounded_in_many_variables(expression: str) -> None:
    assert api.minimize(expression, {"v": [1.0] * MANY}).status is Status.CONVERGED


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("1/(y-1)+(x-3)**2", {"x": 0.0, "y": 0.0}),
        ("1/(y-1)+abs(x)", {"x": 1.0, "y": 0.0}),
        ("1/(y-1)+(x-y)**2", {"x": 0.0, "y": 0.0}),
        ("1/(x*y)+x+y+exp(-x)", {"x": -1.0, "y": 1.0}),
        ("1e-6/(x-1e6)", {"x": -1.0}),
        ("tan(x)", {"x": 1.0}),
        ("-1/abs(x-y)**0.25", {"x": 1.0, "y": 3.0}),
        ("sum(1/(v-3))", {"v": [2.0 + 0.01 * (i % 7) for i in range(MANY)]}),
        ("sum(tan(v))", {"v": [2.0 + 0.01 * (i % 7) for i in range(MANY)]}),
    ],
)
@pytest.mark.parametrize("sense", ["minimize", "maximize"])
def test_a_pole_is_unbounded(expression: str, start: dict[str, Any], sense: str) -> None:
    text = expression if sense == "minimize" else f"-({expression})"
    assert getattr(api, sense)(text, start).run.reason.value == "unbounded"


@pytest.mark.parametrize("count", [MANY, 20_000])
@pytest.mark.parametrize(
    ("expression", "edge"),
    [("sum(log(v))", "log(v)"), ("sum(sqrt(v))", "sqrt(v)"), ("sum(v**0.5)", "v**0.5")],
)
def test_the_edge_is_named_for_many_variables(expression: str, edge: str, count: int) -> None:
    outcome = api.minimize(expression, {"v": [2.0 + 0.01 * (i % 7) for i in range(count)]})
    assert outcome.status is Status.STALLED
    assert any(f"that of {edge}: beyond it" in warning for warning in outcome.warnings)


def test_beside_an_edge_is_not_beside_a_pole() -> None:
    for expression in ("log(x)", "sqrt(x)-5", "x*log(x)-1", "asin(x)"):
        assert api.minimize(expression, {"x": 0.5}).run.reason.value != "unbounded"


def test_a_flat_minimum_far_along_a_valley_is_reached_and_not_called_a_flight() -> None:
    outcome = api.minimize("(y-x**2)**2+(1-1e-5*x)**4", {"x": 1.5, "y": 1.0})
    assert outcome.status in (Status.CONVERGED, Status.STALLED)
    assert outcome.value < 1e-4  # the variables have no finer numbers out there


@pytest.mark.parametrize("method", [name for name, entry in METHODS.items() if entry.is_general])
def test_a_linear_function_has_no_minimum(method: str) -> None:
    for text, start in (
        ("x", {"x": 1.0}),
        ("1e-8*x", {"x": 1.0}),
        ("1e8*x+7", {"x": 0.0}),
        ("3*x-2*y+z+1e10", {"x": 1.0, "y": 1.0, "z": 0.0}),
        ("1e-5*x-1e5*y", {"x": 3e5, "y": 2e-5}),
    ):
        outcome = api.minimize(text, start, method=method, max_iter=300)
        assert outcome.status is Status.DIVERGED, text
        assert outcome.message.startswith("There is no minimum: the value falls without end"), text


def test_a_slope_that_ends_is_not_one_without_end() -> None:
    inside = api.minimize("x", {"x": 1.0}, bounds={"x": (-1e3, None)}, method="gd", lr=0.01, max_iter=10)
    assert inside.status is Status.LIMIT
    assert api.minimize("max(0,1-x)+0.001*x", {"x": 100.0}, method="adam", max_iter=10).status is Status.LIMIT


QUADRANT = {"x": (0.0, None), "y": (0.0, None)}


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("start", [(1.0, 1.0), (2.0, 0.3), (0.1, 5.0)])
@pytest.mark.parametrize(
    "expression",
    [
        "X*y",
        "X*y**2",
        "(X-1)**2*y",
        "y*exp(-X)",
        "y*(1+X**2)",
        "y + 0*X",
        "X**2 + 3*X*y + y**2",
        "sin(X)**2*y",
    ],
)
def test_what_is_nowhere_lower_than_0_within_its_bounds_has_its_minimum_at_0(
    expression: str, start: tuple[float, float], scale: float
) -> None:
    typed = expression.replace("X", f"(x/{scale!r})")
    found = api.minimize(typed, {"x": start[0] * scale, "y": start[1]}, bounds=QUADRANT)
    assert found.value == pytest.approx(0.0, abs=1e-9)
    assert found.status.value == "converged", found.message


@pytest.mark.parametrize("method", ["lbfgs", "bb", "gd", "adam", "newton"])
@pytest.mark.parametrize("expression", ["x*y", "x**2 + 3*x*y + y**2", "(x-1)**2*y"])
def test_no_method_is_told_of_lower_values_behind_a_bound(expression: str, method: str) -> None:
    rate = {"lr": 0.05} if method in ("gd", "adam") else {}
    found = api.minimize(
        expression, {"x": 1.0, "y": 1.0}, bounds=QUADRANT, method=method, max_iter=300, **rate
    )
    assert found.status.value in ("converged", "limit", "stalled"), found.message


@pytest.mark.parametrize(
    ("expression", "bounds"),
    [
        ("y + exp(-x)", {"y": (0.0, None)}),
        ("y + 1/x", {"y": (0.0, None), "x": (0.1, None)}),
        ("y*(1+1/x) + 1/x", {"y": (0.0, None), "x": (0.1, None)}),
    ],
)
def test_a_fall_to_infinity_along_a_bound_is_one(expression: str, bounds: Any) -> None:
    assert api.minimize(expression, {"x": 1.0, "y": 1.0}, bounds=bounds).status.value == "diverged"


@pytest.mark.parametrize("start", [{"a": 10.0, "b": 0.5, "c": 1.0}, {"a": 10.0, "b": 0.3, "c": 0.5}])
@pytest.mark.parametrize("first", [0.0, 1.0, -2.0])
def test_a_sine_along_a_straight_line_has_no_best_fit(first: float, start: dict[str, float]) -> None:
    x = [first + i for i in range(6)]
    found = api.fit("y ~ a*sin(b*x+c)", {"x": x, "y": [2.0 * a + 1.0 for a in x]}, start=start)
    # It has its infimum at infinity; far out, where only rounding is left, the parameters make up for each other, or
    # the last digits of their columns tell them apart and the rows are met exactly.
    assert found.status in (Status.DIVERGED, Status.WRONG_KIND) or (
        found.statistics and found.statistics.exact
    )
    assert found.run.iterations < 300


@pytest.mark.parametrize("true", [(0.0056, 6181.0, 345.0), (0.02, 5000.0, 300.0)])
def test_a_long_valley_of_a_fit_that_ends_is_followed_to_its_end(true: tuple[float, float, float]) -> None:
    a, b, c = true
    x = [50.0 + 5.0 * i for i in range(16)]
    y = [a * exp(b / (t + c)) for t in x]
    found = api.fit("y ~ a*exp(b/(x+c))", {"x": x, "y": y}, {"a": 2.0, "b": 4e5, "c": 25e3})
    assert found.run.iterations > 64  # beyond the first look at where the valley leads
    assert found.status is Status.CONVERGED, found.message
    assert found.point == pytest.approx({"a": a, "b": b, "c": c}, rel=1e-6)


@pytest.mark.parametrize(
    ("expression", "start", "value"),
    [
        ("(1-cos(x))/x**2", 3e-8, lambda x: (1 - mpmath.cos(x)) / x**2),
        ("(exp(x)-1-x)/x**2", 4e-8, lambda x: (mpmath.exp(x) - 1 - x) / x**2),
        ("-(x-sin(x))/x**3", 2e-6, lambda x: -(x - mpmath.sin(x)) / x**3),
    ],
)
def test_digits_lost_in_rounding_are_told(
    expression: str, start: float, value: Callable[[mpmath.mpf], mpmath.mpf]
) -> None:
    outcome = api.minimize(expression, start={"x": start}, max_iter=0)
    (told,) = (text for text in outcome.warnings if text.startswith("rounding leaves open"))
    low, high = map(float, re.findall(r"-?\d[\d.e+-]*", told))
    with mpmath.workdps(60):
        assert low <= value(mpmath.mpf(outcome.point["x"])) <= high
    assert not api.minimize(expression, start={"x": 1.0}, max_iter=0).warnings


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("log(1+log(1+exp(0.81*x+0.14*y+0.1))+(-1.53*y-0.1)**4)", {"x": 2.694, "y": -0.869}),
        (
            "exp((log(1+exp(0.5*x-1.5*y))+(1.3*z-1.2*y)**4+(1.6*x+0.7*y+0.5*z)**4)/2)",
            {"x": 2.1, "y": -2.0, "z": -3.5},
        ),
        ("abs(x)+exp(-y)+z**4", {"x": 2.4, "y": 0.25, "z": 1.0}),
        ("3.7*(abs(0.94*x-1.2)+exp(-(0.79*y-0.95*x+1.4)))+0.2", {"x": 3.265, "y": 1.445}),
        ("2*hypot(1.7,y)+min(y,hypot(y,y))+y", {"y": 0.0}),
    ],
)
def test_a_fall_without_end_that_rounding_hides_is_no_minimum(
    expression: str, start: dict[str, float]
) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.DIVERGED
    assert outcome.certificate.kind == "at-infinity"


def test_a_start_that_is_zero_but_for_rounding_hides_no_fall() -> None:
    start = {"x": -0.341, "y": -2.6e-17, "z": -0.165}
    outcome = api.minimize("(1.3*x+0.4*y-0.6)**2-(0.45*y)**4+(1.4*z-1.4*x-1.6*y+0.4)**2+1.9", start)
    assert outcome.status is not Status.CONVERGED


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("where(2*y<z**2,x/x,y+x)+x**2+y**2+z**2", {"x": 1.0, "y": -2.99, "z": 1.0}),
        ("cos(2*x-ceil(y))+sign(x**0.5+sin(y))", {"x": 0.0, "y": 0.0}),
    ],
)
def test_a_trust_radius_that_vanishes_at_zero_ends_the_run(expression: str, start: dict[str, float]) -> None:
    assert api.minimize(expression, start).status is not Status.CONVERGED


@pytest.mark.parametrize(
    ("expression", "start", "place", "end"),
    [
        ("sqrt(x)", 0.5, 0.0, "the domain of sqrt(x) ends at x = 0"),
        ("x*sqrt(x)", 0.5, 0.0, "the domain of sqrt(x) ends at x = 0"),
        ("asin(x)", 0.5, -1.0, "the domain of asin(x) ends at x = -1"),
        ("-acos(x)", 0.5, -1.0, "the domain of acos(x) ends at x = -1"),
        ("sqrt(1-x^2)", 0.5, 1.0, "the domain of sqrt(1-x^2) ends at x = 1"),
        ("sqrt(x-1)*x", 2.0, 1.0, "the domain of sqrt(x-1) ends at x = 1"),
        ("(1-x)^0.3", 0.0, 1.0, "the domain of (1-x)^0.3 ends at x = 1"),
    ],
)
def test_the_closed_end_of_the_domain_holds_a_minimum(
    expression: str, start: float, place: float, end: str
) -> None:
    seen: list[Any] = []
    outcome = api.minimize(expression, {"x": start}, observers=[seen.append])
    assert outcome.status is Status.CONVERGED
    assert (outcome.point, end in outcome.warnings) == ({"x": place}, True)
    assert [held.bound for held in outcome.active] == [place]
    assert not outcome.problem.bounds
    numbers = [iterate.iteration for iterate in seen]
    assert numbers == sorted({*numbers})
    assert numbers[-1] == outcome.run.last.iteration == outcome.run.iterations
    assert seen[-1].at.x[0] == place


def test_ends_of_the_domain_that_are_met_one_after_the_other() -> None:
    outcome = api.minimize("sqrt(x) + sqrt(y) + (z-1)**2", {"x": 0.5, "y": 2.0, "z": 0.0}, max_iter=500)
    assert outcome.certificate.proof is not None
    assert outcome.point == {"x": 0.0, "y": 0.0, "z": pytest.approx(1.0)}
    assert api.minimize("sqrt(x)", {"x": 0.5}, max_iter=33).status is Status.STALLED


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("log(x)", {"x": 2.0}),
        ("-x*log(x)", {"x": 0.1}),
        ("-sqrt(x)*log(x)", {"x": 0.01}),
        ("x/sqrt(x)", {"x": 1.0}),
        ("sqrt(x) + where(x == 0, 1, 0)", {"x": 1.0}),
        ("sqrt(x^2-0.01)", {"x": 2.0}),
        ("sqrt(sin(x))", {"x": 1.0}),
        ("sqrt(x+y)", {"x": 2.0, "y": 1.0}),
        ("sqrt(x) + log(y)", {"x": 1.0, "y": 1.0}),
    ],
)
def test_an_open_end_or_one_that_is_not_proved_holds_nothing(
    expression: str, start: dict[str, float]
) -> None:
    outcome = api.minimize(expression, start)
    assert outcome.status is Status.STALLED
    assert (outcome.domain, outcome.active) == ({}, ())


@pytest.mark.parametrize("expression", ["ceil(exp(-x))", "sign(exp(-x))", "ceil(exp(-x)) + 3"])
def test_a_value_too_small_for_a_number_is_no_level_piece(expression: str) -> None:
    assert api.minimize(expression, {"x": 800.0}).status is not Status.CONVERGED


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        # along a bent floor that goes on falling
        ("(x*y-1)**2+exp(-y)+3", {"x": 1.0, "y": 1.0}),
        (
            "sqrt(1+((1.25*x-1.1*y-1.28*z+0.8)*(0.88*y+0.43*z+1)-1)**2+exp(-(0.88*y+0.43*z+1))+(0.98*z-0.3)**2)",
            {"x": 1.617, "y": 0.467, "z": 0.447},
        ),
        # towards a point where there is no value, only a limit
        ("atan(x**2-1/x**2)", {"x": 0.7}),
        ("exp(log(x**2)/2)", {"x": 1.0}),
        ("exp(log(x**2+y**2)/2)", {"x": 1.0, "y": 2.0}),
        ("exp(-1/x)", {"x": 0.7}),
        ("exp(-1/x)+2", {"x": 0.7}),
        ("exp(-1/x**2)+y**2+1.5", {"x": 1.0, "y": 1.0}),
        ("exp((x**2-1/(1.2-0.79*x)**2)/2)", {"x": -0.04}),
        # what is too small for a number is no 0
        ("ceil(exp(-x))", {"x": 800.0}),
        ("sign(exp(-x))", {"x": 800.0}),
        # beside a constant
        (
            "atan(exp(-exp(x))+(y-x)**2+(z-sin(y))**2+cosh(w))",
            {"x": -0.231, "y": -0.179, "z": -0.769, "w": 1.98},
        ),
        (
            "1.7*(exp(-exp(-1.55*x+0.43*y+1.25*z-0.2))+(1.29*x-0.42*y-0.22*z-0.6*w+0.5)**2"
            "+(0.04*x+1.55*z+0.27*w+1.4)**4+cosh(0.56*x+0.15*z+0.33*w))+2.1",
            {"x": -2.985, "y": -11.032, "z": -0.039, "w": 1.534},
        ),
    ],
)
def test_where_rounding_hides_the_fall_no_flat_place_is_claimed(
    expression: str, start: dict[str, float]
) -> None:
    assert api.minimize(expression, start).status is not Status.CONVERGED


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("max(x,0)+0.3", {"x": 3.0}),
        ("max(x,0)**2+3.1", {"x": 3.0}),
        ("max(x-3.3,0)+abs(y-0.1)", {"x": 1.0, "y": 0.1}),
        ("floor(x)**2", {"x": 2.4}),
        ("3+0*x", {"x": 1.0}),
        ("3.3+0*x", {"x": 1.0}),
        ("(x*y-1)**2+3.7", {"x": 2.0, "y": 3.0}),
        ("(x**2+y**2-1)**2+5.3", {"x": 2.0, "y": 1.0}),
        ("(sin(x)-y)**2+2", {"x": 2.0, "y": 1.0}),
        ("(x**2-y)**4+0.3", {"x": 3.0, "y": 2.0}),
        ("abs(x-1.1)+abs(x-2.3)+abs(x-7.7)+abs(x-3.9)", {"x": 7.0}),
    ],
)
def test_what_is_flat_is_claimed_to_be(expression: str, start: dict[str, float]) -> None:
    found = api.minimize(expression, start)
    assert (found.status, found.certificate.claim) == (Status.CONVERGED, Claim.FLAT)
