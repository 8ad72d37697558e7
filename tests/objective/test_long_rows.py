"""Constraints of long vectors: the rows that expanded vectors have, and quadratic programs of many variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Space
from gdcli.language import constraints
from gdcli.objective.constraint_rows import ConstraintRows, LinearRows, LongRows, linear_rows
from gdcli.solve.constrained.convex_program import Model, convex_minimum


def both(start: dict[str, Any], *texts: str, **constants: Any) -> tuple[ConstraintRows, LongRows]:
    problem = api.make_problem("sum(v**2)", start=start, constants=constants, subject_to=texts)
    rows, space = problem.rows()[0], Space(problem.lengths)
    made = [constraints.build(rows, problem.lengths, problem.constants, expand) for expand in (True, False)]
    return ConstraintRows(made[0], space), LongRows(made[1], space)


@pytest.mark.parametrize(
    "texts", [["v[1:] >= v[:-1] + 1", "sum(v) == 3"], ["sum(v**2) <= 4", "exp(v[:2]) <= 3*v[1:3]"]]
)
def test_rows_are_those_of_expanded_vectors(texts: list[str]) -> None:
    few, many = both({"v": [0.3, 1.2, -0.4, 2.0]}, *texts)
    x, t = np.array([0.5, -0.2, 1.1, 0.7]), np.arange(1.0, few.count + 1.0)
    assert (few.count, few.lower, few.upper, few.firsts) == (many.count, many.lower, many.upper, many.firsts)
    assert many.values(x) == pytest.approx(few.values(x))
    assert many.jacobian(x) == pytest.approx(few.jacobian(x))
    assert many.curvature(x, t) == pytest.approx(few.curvature(x, t))
    assert all(many.linear) == all(few.linear)


LINES = ["2*x - y/4 + 3 <= 1 - x", "-(x + 2*v[1]) >= a*(y - 3)", "v[0] + v[1] + x + y == 2", "0*x + y <= 1e9"]


def linear(*texts: str) -> tuple[ConstraintRows, LinearRows | None]:
    start, constants = {"x": 1.0, "y": 2.0, "v": [1.0, 2.0]}, {"a": 1.5}
    problem = api.make_problem("x**2 + y + sum(v)", start=start, constants=constants, subject_to=texts)
    rows, space = problem.rows()[0], Space(problem.lengths)
    made = [constraints.build(rows, problem.lengths, problem.constants, expand) for expand in (True, False)]
    return ConstraintRows(made[0], space), linear_rows(made[1], space)


def test_lines_are_a_matrix() -> None:
    few, matrix = linear(*LINES)
    assert matrix is not None
    for x in np.random.default_rng(3).standard_normal((5, 4)):
        assert matrix.values(x) == pytest.approx(few.values(x), rel=1e-14, abs=1e-14)
        assert matrix.jacobian(x) == pytest.approx(few.jacobian(x))
    assert (matrix.lower, matrix.upper, matrix.firsts) == (few.lower, few.upper, few.firsts)
    assert not matrix.curvature(x, np.ones(len(LINES))).any()


@pytest.mark.parametrize(
    "bent", ["x*y <= 1", "x/y <= 1", "exp(x) + y <= 1", "x**2 + y <= 1", "sum(v) <= 1", "x/0 + y <= 1"]
)
def test_what_is_no_line_is_no_matrix(bent: str) -> None:
    assert linear("x + y + a <= 1", bent)[1] is None


def test_many_lines_are_solved_as_those_of_a_matrix() -> None:
    angles = np.linspace(0.0, 2.0 * np.pi, 3000, endpoint=False)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).round(6)
    texts = [f"{a!r}*x + {b!r}*y <= 1" for a, b in rows.tolist()]
    lines = api.minimize("(x-2)**2 + (y-1)**2", {"x": 0.0, "y": 0.0}, subject_to=texts)
    whole = api.minimize(
        "(v[0]-2)**2 + (v[1]-1)**2",
        {"v": [0.0, 0.0]},
        constants={"A": rows.tolist(), "b": [1.0] * len(rows)},
        subject_to=["A @ v <= b"],
    )
    assert lines.status is whole.status is Status.CONVERGED
    assert [lines.point["x"], lines.point["y"]] == pytest.approx(whole.point["v"], abs=1e-9)


def test_portfolio() -> None:
    n, draws = 80, np.random.default_rng(1)
    F = draws.standard_normal((n, 2 * n)) / np.sqrt(2 * n)
    C, mu = F @ F.T, 0.3 * draws.standard_normal(n)
    outcome = api.minimize(
        "w @ C @ w - 0.5*dot(mu, w)",
        {"w": np.full(n, 1 / n)},
        constants={"C": C.tolist(), "mu": mu.tolist()},
        subject_to=["sum(w) == 1"],
        bounds={"w": (0, None)},
    )
    assert outcome.status is Status.CONVERGED
    w = np.array(outcome.point["w"])
    (budget,) = outcome.constraints.states if outcome.constraints else ()
    slope = 2.0 * C @ w - 0.5 * mu - budget.multiplier
    assert slope[w > 1e-9] == pytest.approx(0.0, abs=1e-9)
    assert slope.min() >= -1e-9
    assert w.sum() == pytest.approx(1.0, abs=1e-12)


def test_many_rows_of_a_matrix() -> None:
    n, m, draws = 90, 60, np.random.default_rng(2)
    A, b, c = draws.standard_normal((m, n)), draws.random(m), draws.standard_normal(n)
    outcome = api.minimize(
        "0.5*sum(x**2) + dot(c, x)",
        {"x": np.zeros(n)},
        constants={"A": A.tolist(), "b": b.tolist(), "c": c.tolist()},
        subject_to=["A @ x <= b"],
    )
    assert outcome.status is Status.CONVERGED
    (rows,) = outcome.constraints.states if outcome.constraints else ()
    x, prices = np.array(outcome.point["x"]), np.array(rows.multiplier)
    assert x + c - A.T @ prices == pytest.approx(0.0, abs=1e-9)
    assert prices.max() <= 0.0
    assert (A @ x - b).max() <= 1e-10
    assert abs(prices @ (A @ x - b)) <= 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_convex_minimum_meets_its_conditions(seed: int) -> None:
    draws = np.random.default_rng(seed)
    n, s = 12, 9
    F = draws.standard_normal((n, n - 3))  # singular
    model = Model(
        draws.standard_normal(n), F @ F.T, draws.standard_normal(s), draws.standard_normal((s, n)),
        np.arange(s) < 2, np.abs(draws.standard_normal(s)), 10.0, np.full(n, -0.7), np.full(n, 0.4),
    )  # fmt: skip
    p = convex_minimum(model, np.zeros(n))
    assert p is not None
    assert model.is_met(p) or np.abs(p - np.clip(p - model.slope(p), model.lower, model.upper)).max() < 1e-6
    for _ in range(200):
        other = np.clip(p + 0.1 * draws.standard_normal(n), model.lower, model.upper)
        assert model.value(other) >= model.value(p) - 1e-9


def test_a_model_that_is_not_convex_is_refused() -> None:
    W = np.diag([1.0, -1.0])
    nothing = np.zeros((0, 2))
    model = Model(
        np.ones(2), W, np.zeros(0), nothing, np.zeros(0, bool), np.zeros(0), 1.0, -np.ones(2), np.ones(2)
    )
    assert convex_minimum(model, np.zeros(2)) is None
