"""Constrained minimisation, as the loop sees it."""

from __future__ import annotations

from math import exp
from typing import Any

import numpy as np
import pytest
from constraint_problems import constrained

from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.status import StopReason
from gdcli.objective.constrained import Constrained
from gdcli.solve.constrained.kkt_point import kkt_point
from gdcli.solve.constrained.scaled_problem import Scaled, units_at
from gdcli.solve.constrained.stabilised_sqp import StabilisedSQP
from gdcli.solve.iteration import RunResult
from gdcli.solve.run import run


def solved(
    expr: str, start: dict[str, float], *subject_to: str, **bounds: Any
) -> tuple[Constrained, RunResult]:
    problem = {"expr": expr, "start": start, "constraints": list(subject_to), "bounds": bounds}
    objective, x0 = constrained(problem)
    return objective, run(objective, StabilisedSQP(), x0)


def test_circle() -> None:
    objective, found = solved("x + y", {"x": 1.0, "y": 1.0}, "x**2 + y**2 <= 2")
    assert found.reason is StopReason.GAP
    assert list(found.best.at.x) == pytest.approx([-1.0, -1.0], abs=1e-12)
    point = kkt_point(objective, np.array(found.best.at.x))
    assert point is not None
    assert point.multipliers == pytest.approx([0.5])
    assert point.kind == "minimum"
    assert point.independent
    assert point.strict
    # On the tangent space the Hessian of the Lagrangian is 2 * 0.5.
    assert point.bent.w == pytest.approx([1.0])


def test_sides_of_a_range_share_a_row() -> None:
    objective, found = solved("(x - 3)**2 + y**2", {"x": 0.0, "y": 0.0}, "-1 <= x - y <= 1")
    assert objective.sides == 2
    assert list(found.best.at.x) == pytest.approx([2.0, 1.0], abs=1e-12)
    point = kkt_point(objective, np.array(found.best.at.x))
    assert point is not None
    assert objective.per_row(point.multipliers) == pytest.approx([2.0])


@pytest.mark.parametrize(
    ("expr", "start", "subject_to", "reason"),
    [
        ("x", {"x": 1.0, "y": 1.0}, ["x**2 + y**2 <= -1"], StopReason.INFEASIBLE),
        ("x + y", {"x": 3.0, "y": 1.0}, ["x - y <= 1"], StopReason.UNBOUNDED),
        ("x**3", {"x": 1.0, "y": 1.0}, ["y == x**2"], StopReason.UNBOUNDED),
        ("y", {"x": 1.0, "y": 1.0}, ["y >= exp(-x)"], StopReason.AT_INFINITY),
        ("exp(-x) + y**2", {"x": 0.0, "y": 1.0}, ["y == 0"], StopReason.AT_INFINITY),
    ],
)
def test_no_minimum(expr: str, start: dict[str, float], subject_to: list[str], reason: StopReason) -> None:
    assert solved(expr, start, *subject_to)[1].reason is reason


def test_a_saddle_at_the_start_is_left() -> None:
    _, found = solved("-x*y", {"x": 0.0, "y": 0.0}, "x + y <= 2", x=[0, None], y=[0, None])
    assert found.best.at.value == pytest.approx(-1.0, abs=1e-12)
    assert found.reason is StopReason.GAP


def test_a_point_that_breaks_constraints_is_not_the_best() -> None:
    """Whatever its value."""
    _, found = solved("x", {"x": -5.0, "y": 0.0}, "x >= exp(y)", "y >= 1")
    assert found.start.at.value < found.best.at.value
    assert found.best.at.violation <= HOLDS
    assert list(found.best.at.x) == pytest.approx([exp(1.0), 1.0], abs=1e-12)


def test_where_there_are_no_multipliers_none_is_claimed() -> None:
    """The only feasible point with y = 0 is a cusp: the gradient of the value is no sum of those of the constraints."""
    _, found = solved("x", {"x": 1.0, "y": 1.0}, "y**2 == x**3")
    assert found.reason is not StopReason.GAP
    # A breach of 1e-9 is worth its third root here.
    assert found.best.at.value == pytest.approx(0.0, abs=2e-3)


def test_dependent_gradients() -> None:
    """Multipliers are not unique, and the minimum is one all the same."""
    objective, found = solved("x**2 + y**2", {"x": 3.0, "y": 0.0}, "x + y == 2", "2*x + 2*y == 4", "x*y <= 1")
    assert found.reason is StopReason.GAP
    assert list(found.best.at.x) == pytest.approx([1.0, 1.0], abs=1e-9)
    point = kkt_point(objective, np.array(found.best.at.x))
    assert point is not None
    assert not point.independent


def test_terms_are_the_measure_of_a_violation() -> None:
    objective, _ = constrained(
        {"expr": "x", "start": {"x": 1e8, "y": 1e8}, "constraints": ["x - y == 0"], "bounds": {}}
    )
    x = np.array([1e8, 1e8 + 1.0])
    assert objective.violation(x, objective.values(x)[1]) == pytest.approx(1e-8)


def test_a_search_for_feasible_points_from_afar_ends_where_they_are() -> None:
    problem = {"expr": "x + y", "start": {"x": 1e3, "y": 2e3}, "bounds": {}, "constraints": [
        "x**2 + y**2 == 2", "x*y == 1 + (x - y)**2", "x**3 <= 7"]}  # fmt: skip
    objective, x = constrained(problem)
    one = np.ones(2)
    slopes = objective.slopes(one)
    assert slopes is not None
    scaled = Scaled(objective, units_at(objective, one, *slopes))
    point, left = scaled.least_violation(np.array(x))
    assert left < 1e-9
    assert point == pytest.approx([1.0, 1.0], abs=1e-2)
