"""Bounds: what may be typed, where bounded runs end (as scipy's L-BFGS-B does), and what is told about it."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from gdcli import api
from gdcli.cli.app import run
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Status
from gdcli.language.limits import boxes, read_limits

ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"


def test_what_may_be_typed() -> None:
    limits = read_limits(["x=0:5, y=:2", "v=0:pi/2,v[-1]=1:1", "z=-1:"])
    lengths = {"x": None, "y": None, "z": None, "v": 3}
    assert boxes(limits, lengths) == {
        "x": (0.0, 5.0),
        "y": (-math.inf, 2.0),
        "z": (-1.0, math.inf),
        "v": ([0.0, 0.0, 1.0], [math.pi / 2, math.pi / 2, 1.0]),
    }


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("x=3:1", "reversed", "x=3:1"),
        ("y=0:1", "not a variable", "y=0:1"),
        ("x", "a name and =", "x"),
        ("x=1", "two ends", "x=1"),
        ("x=0:1:2", "two ends", "x=0:1:2"),
        ("x=:", "no ends", "x=:"),
        ("x=a:2", "not a number", "a"),
        ("x=nan:2", "not a finite number", "nan"),
        ("x[0]=0:1", "no elements", "x[0]=0:1"),
        ("v[3]=0:1", "3 elements", "v[3]=0:1"),
        ("=0:1", "a name and =", "=0:1"),
        ("", "a name and =", ""),
    ],
)
def test_what_may_not(text: str, message: str, place: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        boxes(read_limits([text]), {"x": None, "v": 3})
    span = caught.value.span
    assert span is not None
    assert span.text[span.start : span.end] == place
    assert span.source == "--bounds"


def scipy_end(expression: str, start: dict[str, float], bounds: dict[str, tuple[float, float]]) -> float:
    optimize = pytest.importorskip("scipy.optimize")
    from gdcli.objective.build import build_objective
    from gdcli.tasks.problem import parsed

    exact = build_objective(parsed(expression, ""), dict.fromkeys(start), {}, 1)
    result = optimize.minimize(
        lambda x: exact.evaluate(exact.vector(x)).value,
        list(start.values()),
        jac=lambda x: list(exact.evaluate(exact.vector(x), 1).gradient),
        method="L-BFGS-B",
        bounds=[bounds.get(name, (None, None)) for name in start],
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    return float(result.fun)


@pytest.mark.parametrize("seed", range(12))
def test_ends_as_low_as_lbfgsb(seed: int) -> None:
    generator = random.Random(seed)
    expression = generator.choice(
        [
            ROSENBROCK,
            "(x-7)**2 + (y+3)**2 + x*y",
            "(1.5-x+x*y)**2 + (2.25-x+x*y**2)**2 + (2.625-x+x*y**3)**2",
            "exp(x) - 2*x + (y-1)**4 + (x-y)**2",
        ]
    )
    names = api.make_problem(expression, start={"x": 0, "y": 0}).start
    bounds = {}
    for name in names:
        ends = sorted(generator.uniform(-2, 3) for _ in range(2))
        bounds[name] = (ends[0], ends[1])
    start = {name: generator.uniform(*bounds[name]) for name in names}
    theirs = scipy_end(expression, start, bounds)
    outcome = api.minimize(expression, start, bounds=bounds)
    assert outcome.status is Status.CONVERGED
    assert outcome.value <= theirs + 1e-8 * max(1.0, abs(theirs))
    for name, value in outcome.point.items():
        assert bounds[name][0] <= value <= bounds[name][1]


def test_multipliers_are_the_slopes_held_back() -> None:
    outcome = api.minimize("(x-7)**2 + (y+3)**2", {"x": 1, "y": 0}, bounds={"x": (0, 5), "y": (None, 2)})
    (held,) = outcome.active
    assert held.name == "x"
    assert held.side == "upper"
    assert held.bound == 5
    assert held.multiplier == pytest.approx(4)
    assert outcome.certificate.kind == "minimum"
    assert outcome.certificate.gradient_norm == 0


def test_a_maximum_at_a_bound() -> None:
    outcome = api.maximize("x", {"x": 0}, bounds={"x": (None, 3)})
    assert outcome.status is Status.CONVERGED
    assert outcome.point == {"x": 3.0}
    assert outcome.certificate.eigenvalue_min is None  # no variable is free


def test_a_start_outside_is_moved_inside_and_told() -> None:
    outcome = api.minimize("x**2 + y**2", {"x": 5, "y": 1}, bounds={"x": (1, 2)})
    assert any("moved inside: x" in warning for warning in outcome.warnings)
    assert outcome.run.start.at.x[0] == 2


def test_equal_ends_fix() -> None:
    outcome = api.minimize(ROSENBROCK, {"x": 0, "y": 0}, bounds={"x": (0.5, 0.5)})
    assert outcome.problem.constants == {"x": 0.5}
    assert outcome.problem.fixed == ("x",)
    assert outcome.point == pytest.approx({"y": 0.25})
    same = api.minimize(ROSENBROCK, {"y": 0}, constants={"x": 0.5})
    assert (outcome.value, outcome.point, outcome.active) == (same.value, same.point, ())


def test_equal_ends_need_no_start_and_leave_a_vector_and_elements_as_they_are() -> None:
    given = {"v": [0.0, 0.0], "w": [1.0, 2.0]}
    outcome = api.minimize("sum((v-w)**2)", given, bounds={"w": (3, 3), "v[0]": (1, 1)})
    assert outcome.problem.constants == {"w": [3.0, 3.0]}
    assert outcome.point["v"] == pytest.approx([1.0, 3.0])
    assert outcome.active[0].side == "fixed"
    drawn = api.minimize("(x-a)**2", bounds={"a": (2, 2)})
    assert drawn.point == pytest.approx({"x": 2.0})


def test_with_nothing_but_equal_ends_the_only_point_is_the_answer() -> None:
    outcome = api.minimize("x**2", {"x": 0}, bounds={"x": (2, 2)})
    assert (outcome.point, outcome.value, outcome.status) == ({"x": 2.0}, 4.0, Status.CONVERGED)


def test_equal_ends_cost_no_degree_of_freedom() -> None:
    """A fit with a parameter between equal bounds is the fit with it set, errors and all."""
    x = np.arange(4.0)
    data = {"x": x, "y": 2 * x + np.array([0.1, -0.2, 0.2, -0.1])}
    held = api.fit("y ~ a*x + b", data, bounds={"b": (0.0, 0.0)})
    given = api.fit("y ~ a*x + b", data, constants={"b": 0.0})
    assert held.statistics == given.statistics
    assert held.point == given.point
    elements = api.fit("y ~ w[0]*x + w[1]", data, {"w": [1.0, 1.0]}, bounds=["w[1]=0:0"])
    assert elements.statistics is not None
    assert given.statistics is not None
    assert elements.statistics.residual_sd == pytest.approx(given.statistics.residual_sd)
    assert elements.statistics.aic == pytest.approx(given.statistics.aic)
    errors, other = elements.statistics.errors, given.statistics.errors
    assert errors.standard_errors[0] == pytest.approx(other.standard_errors[0])
    assert (errors.dof, errors.standard_errors[1]) == (other.dof, None)


def test_equal_ends_in_groups_and_from_an_unnamed_start() -> None:
    x = np.arange(4.0)
    data = {
        "g": np.repeat([1.0, 2.0], 4),
        "x": np.tile(x, 2),
        "y": np.concatenate((2 * x, 3 * x)) + np.tile(x % 2, 2),
    }
    held = list(api.fit_groups("y ~ a*x + b", data, "g", "1,5", bounds=["b=0:0"]))
    given = list(api.fit_groups("y ~ a*x + b", data, "g", "a=1", constants={"b": 0.0}))
    assert [fit.outcome and fit.outcome.statistics for fit in held] == [
        fit.outcome and fit.outcome.statistics for fit in given
    ]
    assert all(fit.solved is not None for fit in held)


def test_plain_descent_stays_inside() -> None:
    outcome = api.minimize("(x-7)**2 + y**2", {"x": 1, "y": 4}, bounds={"x": (0, 5)}, lr=0.1)
    assert outcome.status is Status.CONVERGED
    assert outcome.point["x"] == 5


def test_bounds_on_a_long_vector() -> None:
    outcome = api.minimize("sum((v-2)**2)", {"v": [0.0] * 300}, bounds={"v": (None, 1)})
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(300)
    assert len(outcome.active) == 300


def test_bounds_keep_what_falls_without_end() -> None:
    outcome = api.minimize("-x**2", {"x": 0.5}, bounds={"x": (-1, 2)})
    assert outcome.status is Status.CONVERGED
    assert outcome.point == {"x": 2.0}


def test_a_random_start_lies_within() -> None:
    problem = api.make_problem(
        "(x-3)**2 + y**2 + z**2", bounds={"x": (10, 11), "y": (5, None), "z": (None, -5)}, seed=4
    )
    assert 10 <= problem.start["x"] <= 11
    assert problem.start["y"] >= 5
    assert problem.start["z"] <= -5


@pytest.mark.parametrize(
    ("expression", "bounds", "value"),
    [
        ("sqrt(x)", (0.0, 5.0), 0.0),
        ("x**0.3+x", (0.0, 5.0), 0.0),
        ("sqrt(x-1)+7", (1.0, 5.0), 7.0),
        ("sqrt(5-x)", (0.0, 5.0), 0.0),
        ("acos(x)", (-1.0, 1.0), 0.0),
        ("cbrt(x)", (0.0, 3.0), 0.0),
    ],
)
@pytest.mark.parametrize("part", [0.4, 0.95])
def test_an_infinite_slope_holds_its_variable(
    expression: str, bounds: tuple[float, float], value: float, part: float
) -> None:
    low, high = bounds
    outcome = api.minimize(expression, {"x": low + part * (high - low)}, bounds={"x": bounds})
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(value, abs=1e-10)
    assert outcome.active[0].multiplier == float("inf")
    assert any("slope is infinite" in warning for warning in outcome.warnings)


def test_beside_an_infinite_slope_the_free_variables_go_on() -> None:
    start, bounds = {"x": 1.0, "y": 3.0}, {"x": (0.0, 5.0)}
    outcome = api.minimize("sqrt(x)+(x-y)**2+(y-1)**4", start, bounds=bounds)
    assert outcome.status is Status.CONVERGED
    assert outcome.point["x"] == 0.0
    assert outcome.point["y"] == pytest.approx(0.41024, abs=1e-4)  # 2 y + 4 (y-1)**3 = 0


def test_a_variable_that_equal_bounds_fix_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["minimize", "(x-1)**2 + (y-2)**2 + x*y", "--start", "x=3,y=1", "--print", "x,y,value"]
    assert run([*words, "--bounds", "y=3:3"]) == 0
    assert capsys.readouterr().out == "-0.5\t3.0\t1.75\n"
