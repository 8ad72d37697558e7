"""What is left to gain is told only where it is known: wherever a number is given, it is near the true gap."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from effort import examples, short

from gdcli import api
from gdcli.kernel.errors import DomainError

PROBLEMS = json.loads((Path(__file__).parent.parent / "data" / "problems.json").read_text())["problems"]
# Of the true gap the estimate may differ by this factor, and by the rounding of the values.
FACTOR, ROUNDING = 2.0, 1e-13


def test_no_number_where_the_model_does_not_hold() -> None:
    valley = api.minimize("100*(y-x**2)**2 + (1-x)**2", {"x": -1.2, "y": 1.0}, lr=0.001, max_iter=100)
    assert valley.status.value == "limit"
    assert valley.value > 3.0
    assert valley.certificate.gap is None
    assert "can still get" not in valley.message
    crest = api.minimize("cos(x)", {"x": 0.1}, max_iter=0)
    assert crest.certificate.gap is None


def test_a_number_where_it_does() -> None:
    bowl = api.minimize("(x-3)**2 + 2*(y+1)**2", {"x": 0.0, "y": 0.0}, max_iter=0)
    assert bowl.certificate.gap == pytest.approx(11.0)
    slow = api.minimize("cosh(x-1)", {"x": 1.2}, lr=0.01, max_iter=30)
    assert slow.certificate.gap == pytest.approx(slow.value - 1.0, rel=0.2)
    top = api.maximize("3 - (x-1)**2", {"x": 0.0}, max_iter=0)
    assert top.certificate.gap == pytest.approx(1.0)


def test_nothing_is_left_where_there_is_no_slope_at_all() -> None:
    level = api.minimize("(x-1)**2 + (y-2)**4", {"x": 1.0, "y": 2.0})
    assert level.certificate.kind == "degenerate"
    assert level.certificate.gap == 0.0


def test_bounds_bend_the_step_and_then_nothing_is_known() -> None:
    def at(x: float, bounds: str) -> api.Outcome:
        settings = api.Settings(max_iter=0)
        return api.solve(
            api.read_problem("(x-3)**2", "minimize", [f"x={x}"], typed=api.TypedTexts([bounds])), settings
        )

    assert at(0.0, "x=0:5").certificate.gap == pytest.approx(9.0)
    assert at(0.0, "x=0:2").certificate.gap is None


def visited(
    problem: dict[str, Any], start: dict[str, float], method: str, steps: int
) -> list[dict[str, float]]:
    """Return the points of a run."""
    names, points = list(start), list[dict[str, float]]()
    api.solve(
        api.Problem(problem["expr"], "minimize", start),
        api.Settings(method=method, max_iter=steps),
        [lambda iterate: points.append(dict(zip(names, map(float, iterate.at.x), strict=True)))],
    )
    return points


@pytest.mark.parametrize("problem", short(PROBLEMS), ids=lambda p: p["name"])
def test_wherever_a_number_is_given_it_is_near_the_true_gap(problem: dict[str, Any]) -> None:
    random = Random(problem["name"])
    start = {k: float(v) for k, v in problem["start"].items()}
    points = visited(problem, start, "auto", 40) + visited(problem, start, "gd", 40)
    for point in random.sample(points, min(examples(12), len(points))):
        for spread in (0.0, 0.03):
            there = {k: v + spread * max(1.0, abs(v)) * random.gauss(0, 1) for k, v in point.items()}
            try:
                looked = api.solve(api.Problem(problem["expr"], "minimize", there), api.Settings(max_iter=0))
            except DomainError:
                continue
            gap = looked.certificate.gap
            if gap is None:
                continue
            reached = api.solve(api.Problem(problem["expr"], "minimize", there))
            true = looked.value - reached.value
            rounding = ROUNDING * max(abs(looked.value), abs(reached.value), 1e-3)
            assert true / FACTOR - rounding <= gap <= FACTOR * true + rounding, (there, gap, true)


def test_of_many_variables_too() -> None:
    bowl = "sum((v - 1)**2) + sum((v[1:] - v[:-1])**2)"
    near = api.minimize(bowl, {"v": [0.0] * 300}, max_iter=0)
    assert near.certificate.gap == pytest.approx(near.value, rel=1e-6)
    valley = "sum(100*(v[1:] - v[:-1]**2)**2 + (1 - v[:-1])**2)"
    start = [0.3 + 0.4 * (i % 3) for i in range(300)]
    for steps in (0, 20, 60):
        outcome = api.minimize(valley, {"v": start}, method="lbfgs", max_iter=steps)
        gap = outcome.certificate.gap
        assert gap is None or outcome.value / 2 <= gap <= 2 * outcome.value
