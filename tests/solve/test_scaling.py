"""No answer depends on the units in which variables and values are measured, nor on the names of the variables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from effort import short

from gdcli import api
from gdcli.kernel.status import PointKind, Status
from gdcli.objective.build import build_objective, with_gradient
from gdcli.objective.protocol import Box
from gdcli.solve.registry import METHODS
from gdcli.solve.scaling import start_sizes
from gdcli.tasks.multi_start import solve_from_many
from gdcli.tasks.problem import parsed
from gdcli.tasks.python_problem import make_problem

PROBLEMS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "problems.json").read_text()
)["problems"]
SMALL = [
    ("1/x+x", {"x": 3.0}),
    ("-exp(-x**2)", {"x": 1.0}),
    ("x**3", {"x": 1.0}),
    ("exp(-x)", {"x": 1.0}),
    ("x**2-y**2+y**4", {"x": 1.0, "y": 0.0}),
    ("x**2-y**4", {"x": 1.0, "y": 0.0}),
    ("abs(x-3)+abs(y)", {"x": 1.0, "y": 2.0}),
    ("(x*y-1)**2+x**2", {"x": 1.0, "y": 1.0}),
    ("exp(x)-5*x", {"x": 0.0}),
    ("(x-1)**2+(y-2)**2", {"x": 0.0, "y": 0.0}),
    ("-x**2", {"x": 1.0}),
    ("log(x**2)+y**2", {"x": 1.0, "y": 1.0}),
]
CASES = [(p["expr"], p["start"]) for p in short(PROBLEMS)] + SMALL


def in_units(
    expression: str, start: Mapping[str, float], units: Mapping[str, float], **options: Any
) -> api.Outcome:
    """Solve the problem with every variable measured in its unit."""
    return api.minimize(
        written_in(expression, units), {name: value / units[name] for name, value in start.items()}, **options
    )


def written_in(expression: str, units: Mapping[str, float]) -> str:
    """Write the expression for variables that are measured in these units."""
    pattern = r"(?<![\w.])(" + "|".join(sorted(units, key=len, reverse=True)) + r")(?!\w)(?!\s*\()"
    return re.sub(pattern, lambda m: f"({units[m[1]]!r}*{m[1]})", expression)


def told(outcome: api.Outcome) -> tuple[Status, str]:
    """The verdict without its numbers, and of a degenerate minimum without words: whether it is proved depends on how
    the numbers next to it are rounded.
    """
    if outcome.certificate.kind == PointKind.DEGENERATE:
        return outcome.status, ""
    return outcome.status, re.sub(r"-?\d[\d.e+-]*( iterations?)?", "#", outcome.message)


@pytest.mark.every(2)
@pytest.mark.parametrize("way", ["1e8", "1e-8", "each"])
@pytest.mark.parametrize(("expression", "start"), CASES, ids=[e[:30] for e, _ in CASES])
def test_the_units_of_the_variables_do_not_matter(expression: str, start: dict[str, float], way: str) -> None:
    random = Random(expression)
    units = {name: 10.0 ** random.randint(-8, 8) if way == "each" else float(way) for name in start}
    as_it_was, now = api.minimize(expression, start), in_units(expression, start, units)
    assert told(now) == told(as_it_was)
    if as_it_was.status is Status.CONVERGED:
        assert now.value == pytest.approx(as_it_was.value, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(("expression", "start"), CASES, ids=[e[:30] for e, _ in CASES])
def test_the_order_of_the_names_does_not_matter(expression: str, start: dict[str, float]) -> None:
    as_it_was, now = api.minimize(expression, start), api.minimize(expression, dict(reversed(start.items())))
    assert told(now) == told(as_it_was)


@pytest.mark.every(2)
@pytest.mark.parametrize("way", ["1048576*({})", "({})/1048576", "1e6*({})", "1e-6*({})", "({})+1"])
@pytest.mark.parametrize(("expression", "start"), CASES, ids=[e[:30] for e, _ in CASES])
def test_the_unit_of_the_value_does_not_matter(expression: str, start: dict[str, float], way: str) -> None:
    as_it_was, now = api.minimize(expression, start), api.minimize(way.format(expression), start)
    assert told(now) == told(as_it_was)


@pytest.mark.parametrize("number", [2.0**20, 2.0**-20])
@pytest.mark.parametrize(
    "expression",
    ["100*(y-x**2)**2+(1-x)**2", "(x*y-1)**2+x**2", "(x-2)**4+(y+1)**2", "exp(x)+exp(-x-y)+y**2"],
)
def test_a_value_in_a_unit_that_rounds_nothing_changes_no_step(expression: str, number: float) -> None:
    start = {"x": -1.2, "y": 1.0}
    as_it_was, now = api.minimize(expression, start), api.minimize(f"{number!r}*({expression})", start)
    assert (now.run.iterations, now.point) == (as_it_was.run.iterations, as_it_was.point)
    assert now.value == number * as_it_was.value


@pytest.mark.parametrize("number", [1e-6, 1e6])
def test_a_pole_of_a_logarithm_is_seen_in_any_unit_of_the_value(number: float) -> None:
    found = api.minimize(f"{number!r}*(log(x**2)+y**2)", {"x": 1.0, "y": 1.0})
    assert found.certificate.kind == "unbounded"


@pytest.mark.parametrize("unit", [1e-6, 1e-10, 1e10])
def test_bounds_are_measured_like_their_variable(unit: float) -> None:
    outcome = api.minimize(
        f"(x/{unit!r}-2)**2+(y-3)**2", {"x": 0.5 * unit, "y": 0.0}, bounds={"x": (0.0, unit)}
    )
    assert outcome.status is Status.CONVERGED
    assert outcome.point == {"x": unit, "y": pytest.approx(3.0)}
    assert [a.side for a in outcome.active] == ["upper"]


def test_what_is_told_is_measured_as_typed() -> None:
    outcome = api.minimize("(x/1e-6-2)**2 + 1e-6*(y-3)**2", {"x": 5e-6, "y": 1e3})
    assert outcome.certificate.eigenvalue_max == pytest.approx(2e12)
    assert outcome.certificate.eigenvalue_min == pytest.approx(2e-6)
    far = api.minimize("(x/1e-6-2)**4", {"x": 5e-6}, max_iter=2)
    slope = 4.0 * (far.point["x"] / 1e-6 - 2.0) ** 3 / 1e-6
    assert far.certificate.gradient_norm == pytest.approx(abs(slope))


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units_of_many_variables(unit: float) -> None:
    start = {"v": [2.0 / unit + 0.1 * i / unit for i in range(300)]}
    assert api.minimize(f"sum(exp({unit!r}*v)-5*({unit!r}*v))", start).status is Status.CONVERGED


# A method that is given a rate, or takes its steps from a list of them, is by nature not free of units: a rate has one.
# The method lm is for rows of data.
RATE_FREE = [name for name, entry in METHODS.items() if not entry.reads and entry.is_general]
SHORT = [
    ("100*(y-x**2)**2+(1-x)**2", {"x": -1.2, "y": 1.0}),
    ("(1.5-x+x*y)**2+(2.25-x+x*y**2)**2+(2.625-x+x*y**3)**2", {"x": 1.0, "y": 1.0}),
    ("(x-3)**4+(y+2)**2", {"x": 1.0, "y": 1.0}),
    ("cosh(x-1)+y**2+0.5*sin(x*y)", {"x": 4.0, "y": 1.0}),
    ("1e3*x**2+y**2+x*y-3*x", {"x": 20.0, "y": 50.0}),
    ("(x-1)**2+(y-2)**2", {"x": 0.0, "y": 0.0}),
    ("exp(x)-5*x", {"x": 0.0}),
    ("1/x+x", {"x": 3.0}),
    ("-exp(-x**2)", {"x": 1.0}),
    ("exp(-x)", {"x": 1.0}),
    ("x**3", {"x": 1.0}),
    ("-x**2", {"x": 1.0}),
    ("x**2-y**4", {"x": 1.0, "y": 0.0}),
    ("x-log(x)+y**2+x*y", {"x": 0.01, "y": 0.3}),
]


@pytest.mark.parametrize("method", RATE_FREE)
@pytest.mark.parametrize(("expression", "start"), SHORT, ids=[e[:30] for e, _ in SHORT])
def test_no_method_without_a_rate_depends_on_the_unit_of_the_variables(
    expression: str, start: dict[str, float], method: str
) -> None:
    as_it_was = api.minimize(expression, start, method=method)
    for unit in (1e8, 1e-8):
        now = in_units(expression, start, dict.fromkeys(start, unit), method=method)
        assert told(now) == told(as_it_was)
        if as_it_was.status is Status.CONVERGED and as_it_was.certificate.kind == "minimum":
            for name, value in as_it_was.point.items():
                assert unit * now.point[name] == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("method", RATE_FREE)
def test_a_start_that_is_nearly_0_is_no_unit_to_stop_by(method: str) -> None:
    found = api.minimize("(x-1)**2+(y-2)**4", {"x": 1e-30, "y": 1e-20}, method=method)
    assert found.status is Status.CONVERGED
    assert found.point == {"x": pytest.approx(1.0, abs=1e-4), "y": pytest.approx(2.0, abs=1e-2)}


def test_sizes_of_a_start() -> None:
    assert start_sizes([]) == []
    assert start_sizes([0.0, 0.0]) == [1.0, 1.0]
    assert start_sizes([-3e8, 0.0, 2e-8]) == [3e8, 2e-8, 2e-8]
    inf = float("inf")
    assert start_sizes([0.0, 5.0, 0.0], Box([0.0, 4.0, 1.0], [1e-6, inf, 1.0])) == [1e-6, 5.0, 1e-6]


@pytest.mark.parametrize("unit", [1e8, 1e-8])
@pytest.mark.parametrize("kind", ["forward", "central"])
@pytest.mark.parametrize(("expression", "start"), SHORT, ids=[e[:30] for e, _ in SHORT])
def test_difference_quotients_are_as_good_in_any_unit(
    expression: str, start: dict[str, float], kind: str, unit: float
) -> None:
    if not any(start.values()):  # nothing but the bounds can tell
        pytest.skip("a start at 0 has no unit")
    errors = []
    for u in (1.0, unit):
        text = written_in(expression, dict.fromkeys(start, u))
        exact = build_objective(parsed(text, ""), dict.fromkeys(start), {}, 1)
        x = [a / u for a in start.values()]
        made = with_gradient(exact, kind, None, {}, 1, lambda x=x: start_sizes(x))
        true, found = (o.evaluate(o.vector(x), 1).gradient for o in (exact, made))
        errors.append(max(abs(a - b) for a, b in zip(true, found, strict=True)) / max(map(abs, true)))
    assert errors[1] <= 4.0 * errors[0] + 1e-10
    assert errors[1] <= {"forward": 1e-2, "central": 1e-7}[kind]


@pytest.mark.parametrize("gradient", ["forward", "central"])
@pytest.mark.parametrize("unit", [1e8, 1e-8])
@pytest.mark.parametrize(
    ("expression", "start", "bounds"),
    [
        ("100*(y-x**2)**2+(1-x)**2", {"x": -1.2, "y": 1.0}, {}),
        ("exp(x)-5*x+(y-1)**2", {"x": 0.0, "y": 0.5}, {}),
        ("exp(x)-5*x", {"x": 0.0}, {"x": (0.0, 2.0)}),
    ],
)
def test_runs_with_difference_quotients_do_not_depend_on_the_unit(
    expression: str, start: dict[str, float], bounds: dict[str, Any], unit: float, gradient: str
) -> None:
    as_it_was = api.minimize(expression, start, gradient=gradient, bounds=bounds)
    within = {name: (lo / unit, hi / unit) for name, (lo, hi) in bounds.items()}
    now = in_units(expression, start, dict.fromkeys(start, unit), gradient=gradient, bounds=within)
    assert now.status is as_it_was.status
    for name, value in as_it_was.point.items():
        assert unit * now.point[name] == pytest.approx(value, rel=5e-3 if gradient == "forward" else 1e-6)


@pytest.mark.parametrize(
    ("expression", "start", "count"),
    [
        ("sin(x)+0.01*x**2", {"x": 10.0}, 5),
        ("(x**2-4)**2+(y**2-1)**2", {"x": 2.5, "y": 0.8}, 4),
    ],
)
def test_many_starts_find_the_same_minima_in_any_unit(
    expression: str, start: dict[str, float], count: int
) -> None:
    found = []
    for unit in (1.0, 1e8, 1e-8):
        problem = make_problem(
            written_in(expression, dict.fromkeys(start, unit)),
            "minimize",
            {name: value / unit for name, value in start.items()},
        )
        minima = solve_from_many(problem, starts=60).minima
        found.append([(m.starts, *(round(unit * v, 6) for v in m.point.values())) for m in minima])
    assert len(found[0]) >= count
    assert found[1] == found[0]
    assert found[2] == found[0]
