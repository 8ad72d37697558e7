"""Bounds: end points against scipy's L-BFGS-B, and what the certificate says of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from toy import Toy, rosenbrock, scalar, sum_of_squares

from gdcli import api
from gdcli.judge.certificate import certify
from gdcli.judge.verdict import Terms, judge
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Vec
from gdcli.objective.bounded import Bounded
from gdcli.objective.protocol import Box
from gdcli.solve.registry import choose
from gdcli.solve.run import run
from gdcli.solve.settings import Settings, rules_from

INF = float("inf")


def boxed(toy: Toy, lower: list[float], upper: list[float], kind: type = Vec) -> Bounded:
    make: Callable[[Any], Any] = Vec if kind is Vec else np.array
    return Bounded(toy, Box(make(lower), make(upper)))


def solve(
    objective: Bounded, start: list[float], name: str = "auto", kind: type = Vec, **settings: Any
) -> Any:
    chosen = choose(name, objective, **settings)
    x0 = Vec(start) if kind is Vec else np.array(start)
    result = run(objective, chosen.method, x0, rules_from(Settings(), own_rule=chosen.entry.own_rule))
    certificate = certify(objective, result.best.at, result.start.at)
    return result, certificate, judge(result, certificate, Terms(chosen.entry.strict))


@pytest.mark.parametrize("kind", [Vec, np.ndarray])
@pytest.mark.parametrize("name", ["auto", "lbfgs", "gd", "bb"])
@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ([-INF, -INF], [0.5, INF]),
        ([-2, 1.5], [2, 3]),
        ([-1.5, -INF], [-1.1, 0.8]),
        ([2, 2], [3, 3]),
        ([-5, -5], [5, 5]),
    ],
)
def test_rosenbrock_in_a_box(lower: list[float], upper: list[float], name: str, kind: type) -> None:
    toy = rosenbrock()
    start = np.clip([-1.2, 1.0], lower, upper).tolist()
    result, certificate, verdict = solve(boxed(toy, lower, upper, kind), start, name, kind)
    peer = peer_of(toy, start, list(zip(lower, upper, strict=True)))
    assert result.best.at.value <= peer.fun + (1e-6 if name == "gd" else 1e-9)
    assert all(lo <= a <= hi for a, lo, hi in zip(result.best.at.x, lower, upper, strict=True))
    if name in ("auto", "lbfgs"):
        np.testing.assert_allclose(list(result.best.at.x), peer.x, atol=1e-5)
        assert certificate.kind == "minimum"
        assert verdict.status is Status.CONVERGED


def peer_of(toy: Toy, start: list[float], bounds: list[tuple[float, float]]) -> Any:
    return minimize(
        toy._value,
        np.array(start),
        jac=lambda x: np.array(toy._gradient(x)),
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-16, "gtol": 1e-12},
    )


def quadratic(A: np.ndarray, b: np.ndarray) -> Toy:
    return Toy(
        len(b),
        lambda v: float(0.5 * np.array(v) @ A @ v - b @ v),
        lambda v: (A @ np.array(v) - b).tolist(),
        lambda v: A.tolist(),
    )


@pytest.mark.parametrize("n", [2, 3, 6])
def test_random_quadratics_against_scipy(n: int) -> None:
    rng = np.random.default_rng(n)
    for _ in range(8):
        M = rng.normal(size=(n, n))
        toy = quadratic(M @ M.T + 0.1 * np.eye(n), 3 * rng.normal(size=n))
        lower, upper = (-rng.random(n)).tolist(), rng.random(n).tolist()
        result, certificate, verdict = solve(boxed(toy, lower, upper), [0.0] * n)
        peer = peer_of(toy, [0.0] * n, list(zip(lower, upper, strict=True)))
        np.testing.assert_allclose(list(result.best.at.x), peer.x, atol=1e-6)
        assert certificate.kind == "minimum"
        assert verdict.status is Status.CONVERGED


def test_differences_at_a_bound_see_the_curvature() -> None:
    # The minimum is exactly at the upper bound of x, with no slope held back.
    toy = Toy(2, lambda v: (v[0] - 1) ** 2 + 3 * (v[1] - 2) ** 2, lambda v: [2 * (v[0] - 1), 6 * (v[1] - 2)])
    objective = boxed(toy, [0, 0], [1, 1])
    certificate = certify(objective, objective.evaluate(Vec([1.0, 1.0]), 1))
    assert certificate.how == "differences"
    assert certificate.kind == "minimum"
    assert certificate.eigenvalue_min == pytest.approx(2.0, rel=1e-5)


def test_multipliers_are_the_slopes_held_back() -> None:
    objective = boxed(sum_of_squares(3, [5.0, -5.0, 0.5]), [0, -1, 0], [2, 4, 1])
    result, certificate, _ = solve(objective, [1.0, 1.0, 1.0])
    assert list(result.best.at.x) == pytest.approx([2.0, -1.0, 0.5])
    held = objective.multipliers(result.best.at)
    assert [(h.variable, h.side) for h in held] == [(0, "upper"), (1, "lower")]
    assert [h.multiplier for h in held] == pytest.approx([6.0, 8.0])
    assert certificate.gradient_norm == pytest.approx(0.0, abs=1e-10)
    assert certificate.eigenvalue_min == certificate.eigenvalue_max == 2.0


def test_all_held_and_fixed_variables() -> None:
    result, certificate, verdict = solve(boxed(sum_of_squares(2, [5.0, 5.0]), [0, 1], [2, 1]), [0.0, 1.0])
    assert list(result.best.at.x) == [2.0, 1.0]
    assert verdict.status is Status.CONVERGED
    assert certificate.kind == "minimum"
    objective = boxed(sum_of_squares(2, [5.0, 5.0]), [0, 1], [2, 1])
    assert [h.side for h in objective.multipliers(objective.evaluate(Vec([2.0, 1.0]), 1))] == [
        "upper",
        "fixed",
    ]


def test_what_is_held_at_a_point_costs_the_same_whatever_was_evaluated_before() -> None:
    objective = boxed(sum_of_squares(2, [5.0, 5.0]), [0, 1], [2, 9])
    at = objective.evaluate(Vec([2.0, 3.0]), 1)
    assert objective.restricted(at, Vec([1.0, 1.0])) == [0.0, 1.0]
    objective.evaluate(Vec([1.0, 1.0]), 1)
    before = objective.counts.copy()
    assert objective.restricted(at, Vec([1.0, 1.0])) == [0.0, 1.0]
    assert objective.counts == before


def test_unbounded_functions_become_bounded() -> None:
    line = scalar(lambda x: -x, lambda x: -1.0, lambda x: 0.0)
    hill = scalar(lambda x: -x * x, lambda x: -2 * x, lambda x: -2.0)
    for toy in (line, hill):
        result, _, verdict = solve(boxed(toy, [-1.0], [3.0]), [0.0] if toy is line else [0.5])
        assert result.best.at.x == [3.0]
        assert verdict.status is Status.CONVERGED


def test_a_start_outside_is_moved_inside() -> None:
    result, _, _ = solve(boxed(sum_of_squares(2), [1, 1], [2, 2]), [9.0, -9.0])
    assert list(result.start.at.x) == [2.0, 1.0]
    assert list(result.best.at.x) == [1.0, 1.0]


def test_many_variables_within_bounds() -> None:
    n = 5000
    center = np.linspace(-2, 2, n)

    def gradient(v: np.ndarray) -> np.ndarray:
        rises = np.diff(v)
        return 2 * (v - center) + np.concatenate(([0.0], rises)) - np.concatenate((rises, [0.0]))

    toy = Toy(n, lambda v: float(((v - center) ** 2).sum() + 0.5 * (np.diff(v) ** 2).sum()), gradient)
    objective = Bounded(toy, Box(np.full(n, -1.0), np.full(n, 1.5)))
    result, certificate, verdict = solve(objective, [0.0] * n, "auto", np.ndarray)
    peer = peer_of(toy, [0.0] * n, [(-1.0, 1.5)] * n)
    assert result.best.at.value <= peer.fun * (1 + 1e-9)
    assert verdict.status is Status.CONVERGED
    assert certificate.kind == "minimum"


def test_methods_without_bounds_say_so() -> None:
    for name in ("bfgs", "cg", "newton-cg"):
        with pytest.raises(UsageError, match="bounds"):
            choose(name, boxed(rosenbrock(), [0, 0], [1, 1]))


@pytest.mark.parametrize(
    ("expression", "bounds", "value"),
    [
        ("-x", {"x": (-math.inf, 1e300)}, -1e300),
        ("x", {"x": (-1e100, 1.0)}, -1e100),
        ("x+y", {"x": (-1e100, 1.0), "y": (-1e90, 1.0)}, -1e100),
        ("-x**2", {"x": (-1e100, 2e100)}, -4e200),
        ("-x+(y-3)**2", {"x": (-1.0, 1e200)}, -1e200),
    ],
)
def test_a_far_bound_is_an_end(expression: str, bounds: dict[str, tuple[float, float]], value: float) -> None:
    start = {name: 0.5 for name in "xy" if name in expression}
    outcome = api.minimize(expression, start, bounds=bounds)
    assert outcome.status is Status.CONVERGED
    assert outcome.value == pytest.approx(value, rel=1e-9)


def test_a_far_bound_does_not_hide_a_way_without_end() -> None:
    outcome = api.minimize("x+y", {"x": 0.5, "y": 0.5}, bounds={"x": (-1e100, 1.0)})
    assert outcome.status is Status.DIVERGED


def test_a_direction_beyond_the_numbers_ends_the_search_along_it() -> None:
    found = api.minimize("1e308*x**2", {"x": 0.7}, bounds={"x": (None, 2.0)}, method="lbfgs")
    assert found.status is Status.STALLED
