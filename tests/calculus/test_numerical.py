"""Difference quotients: the book's numbers, one by one and all together, and what is counted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from objectives import objective

from gdcli.calculus import numerical_derivatives
from gdcli.calculus.numerical_derivatives import (
    central_gradient,
    central_hessian,
    central_quotients,
    forward_gradient,
)
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Vec
from gdcli.language import form, syntax
from gdcli.objective import difference_objective
from gdcli.objective.build import build_objective, with_gradient
from gdcli.objective.difference_objective import MAX_SIZE, DifferenceObjective
from gdcli.objective.expression import NOTE_NONE


def test_the_forward_quotients_of_the_book() -> None:
    made = DifferenceObjective(objective("sum(v**2)", {"v": 3}, kind="expanded"), "forward", 1e-5)
    at = made.evaluate(made.vector([1.0, 1.0, 1.0]), 1)
    assert at.value == 3.0
    assert at.gradient == pytest.approx([2.00001] * 3, abs=1e-9)
    assert (made.counts.value, made.counts.gradient) == (4, 1)
    default = DifferenceObjective(objective("sum(v**2)", {"v": 3}, kind="vector"), "forward")
    assert list(default.evaluate(default.vector([1.0, 1.0, 1.0]), 1).gradient) == pytest.approx(
        [2.00001] * 3, abs=1e-9
    )


TEXT = "sum(exp(v/3)*sin(v)) + prod(v[:3]) + sum(where(v > 1, v**2.5, v)) + max(v) + sum(sigmoid(v)*u**2)"


@pytest.mark.parametrize("kind", ["forward", "central"])
@pytest.mark.parametrize("n", [2, 25, 60])
def test_all_together_is_one_by_one(monkeypatch: pytest.MonkeyPatch, kind: str, n: int) -> None:
    x = [math.sin(7.0 * i) + 0.9 for i in range(2 * n)]
    found: list[Any] = []
    counts = []
    for least in (1, 10**9):
        monkeypatch.setattr(difference_objective, "BATCH_POINTS", least)
        made = DifferenceObjective(objective(TEXT, {"v": n + 1, "u": n + 1}, kind="expanded"), kind)
        at = made.evaluate(made.vector([*x, 0.3, 0.4]), 1)
        found.append(at.gradient)
        counts.append((made.counts.value, made.counts.gradient))
    size = 2 * n + 2
    assert counts == [(1 + size * (1 if kind == "forward" else 2), 1)] * 2
    assert found[0] == pytest.approx(found[1], rel=1e-9, abs=1e-7)
    exact = (
        objective(TEXT, {"v": n + 1, "u": n + 1}, kind="expanded").evaluate(Vec([*x, 0.3, 0.4]), 1).gradient
    )
    assert found[1] == pytest.approx(
        exact, rel=1e-3 if kind == "forward" else 1e-7, abs=1e-4 if kind == "forward" else 1e-6
    )


def test_the_points_of_a_batch_that_leave_the_domain_count_as_infinite(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(difference_objective, "BATCH_POINTS", 1)
    made = DifferenceObjective(objective("sqrt(x) + 1/y"), "central")
    assert made.values([[-1.0, 1.0], [4.0, 0.0], [4.0, 1.0]]) == [math.inf, math.inf, 3.0]
    at = made.evaluate(made.vector([0.0, 1.0]), 1)
    assert at.gradient is None
    assert at.note == NOTE_NONE


def test_a_constant_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference_objective, "BATCH_POINTS", 1)
    made = DifferenceObjective(objective("0*x + 2"), "forward")
    assert made.evaluate(made.vector([1.0]), 1).gradient == [0.0]
    assert DifferenceObjective(objective("3", {"x": None}), "forward").values([[1.0], [2.0]]) == [3.0, 3.0]


def test_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-1.0, 2.0, 10)

    def values(points: Any) -> list[float]:
        assert len(points) <= 6
        return [float(np.sum(p**3)) for p in points]

    monkeypatch.setattr(numerical_derivatives, "BLOCK", 3)
    central, forward = central_quotients(values, x), forward_gradient(values, x, float(np.sum(x**3)))
    assert central == pytest.approx(3 * x**2, rel=1e-8, abs=1e-8)
    assert forward == pytest.approx(3 * x**2, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("x", [0.0, 1.0, -3e5, 1e-8, 2e10])
def test_central_differences_scale_with_x(x: float) -> None:
    found = central_gradient(lambda p: p[0] ** 2 + math.sin(p[1]), Vec([x, 1.0]))
    assert found is not None
    assert found[0] == pytest.approx(2 * x, rel=1e-8, abs=1e-9)
    hessian = central_hessian(lambda p: p[0] ** 2 * p[1], Vec([x, 2.0]), x**2 * 2.0)
    assert hessian is not None
    assert hessian[0] == pytest.approx([4.0, 2 * x], rel=1e-5, abs=1e-6)


def test_a_step_that_is_lost_in_rounding_gives_nothing() -> None:
    assert central_gradient(lambda p: p[0], Vec([1e300]), 1e-5) is None
    assert forward_gradient(lambda points: [0.0], Vec([1e300]), 0.0) is None
    assert central_hessian(lambda p: p[0], Vec([1e300]), 1.0) is not None


def test_where_only_the_derivative_is_not_finite_central_differences_stand_in() -> None:
    at = objective("sqrt(x**2 + y**2)").evaluate(Vec([0.0, 0.0]), 2)
    assert at.value == 0.0
    assert at.estimated
    assert at.gradient == [0.0, 0.0]
    assert objective("sqrt(x)").evaluate(Vec([0.0]), 1).gradient is None


def test_large_problems_are_refused() -> None:
    big = objective("sum(v**2)", {"v": MAX_SIZE + 1}, kind="vector")
    with pytest.raises(UsageError, match="5001 evaluations"):
        DifferenceObjective(big, "central")


def test_differences_of_a_long_vector() -> None:
    made = DifferenceObjective(objective("sum(v**2)", {"v": 1500}, kind="vector"), "central")
    at = made.evaluate(made.vector([0.5] * 1500), 1)
    assert np.allclose(at.gradient, 1.0)
    assert made.counts.value == 3001


def test_which_gradient() -> None:
    tree = syntax.parse("(x-3)**2")
    exact = build_objective(tree, {"x": None}, {}, 1)
    assert with_gradient(exact, "autodiff", None, {}, 1) is exact
    for name in ("forward", "central", "symbolic"):
        made = with_gradient(exact, name, None, {}, 1)
        assert made.evaluate(made.vector([1.0]), 1).gradient == pytest.approx([-4.0], abs=1e-4)
    with pytest.raises(UsageError) as caught:
        with_gradient(exact, "foward", None, {}, 1)
    assert caught.value.hint == "did you mean forward?"
    for gradient, h in (
        ("autodiff", 0.1),
        ("forward", 0.0),
        ("central", math.nan),
        ("forward", -1.0),
        ("forward", math.inf),
    ):
        with pytest.raises(UsageError):
            with_gradient(exact, gradient, h, {}, 1)


def test_elements_of_a_long_vector_do_not_make_a_program_of_a_million_names() -> None:
    tree = syntax.parse("(v[0]-1)**2 + (v[-1]+2)**4")
    made = build_objective(tree, {"v": 1_000_000}, {}, 1)
    at = made.evaluate(made.vector([0.0] * 1_000_000), 1)
    assert at.value == 17.0
    assert at.gradient[0] == -2.0
    assert at.gradient[-1] == 32.0
    assert not any(at.gradient[1:-1])
    assert form.build(tree, {"v": 5}, {}).is_scalar
