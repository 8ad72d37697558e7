"""A fixed step size at or beyond its stable limit: what a run that a cap ended is called."""

from __future__ import annotations

from typing import Any

import pytest

from gdcli import api

BOWL = "x**2 + y**2"
START = {"x": 4.0, "y": -7.0}


def run(expression: str = BOWL, start: dict[str, float] = START, **settings: Any) -> api.Outcome:
    return api.minimize(expression, start, **{"max_iter": 100} | settings)


@pytest.mark.parametrize("lr", [1.01, 1.1, 10.0])
def test_beyond_the_limit_it_diverges(lr: float) -> None:
    for outcome in (run(lr=lr), api.maximize(f"-({BOWL})", START, lr=lr, max_iter=100)):
        assert outcome.status.value == "diverged"
        assert outcome.status.exit_code == 4
        assert "along the way steps are stable below 2/L = 1." in outcome.message
        assert "--lr 0.5 " in outcome.advice
    assert "from 65 to" in run(lr=lr).message
    assert "from -65 to -" in outcome.message
    few = run(lr=lr, max_iter=2)
    assert few.status.value == "diverged"
    other = run(lr=lr, max_iter=10_000, max_evaluations=30)
    assert other.status.value == "diverged"


def test_at_the_limit_it_cycles() -> None:
    outcome = run(lr=1.0)
    assert outcome.status.value == "limit"
    assert "the steps go to and fro, and none is shorter than the one before" in outcome.message
    assert "2/L = 1." in outcome.message
    assert "--lr 0.5 " in outcome.advice


def test_just_below_the_limit_it_overshoots() -> None:
    outcome = run(lr=0.99)
    assert outcome.status.value == "limit"
    assert "stable below 2/L = 1, and at 0.99 they go to and fro." in outcome.message
    assert "--lr 0.5 " in outcome.advice


@pytest.mark.parametrize("lr", [0.001, 0.1, 0.8])
def test_below_it_nothing_is_said_of_to_and_fro(lr: float) -> None:
    outcome = run(lr=lr, max_iter=5)
    assert outcome.status.value == "limit"
    assert "to and fro" not in outcome.message


def test_bounded_steps_cycle() -> None:
    outcome = run("log(cosh(x))", {"x": 3.0}, lr=2.5)
    assert outcome.status.value == "limit"
    assert "to and fro" in outcome.message


@pytest.mark.parametrize("method", ["momentum", "nesterov"])
def test_with_momentum(method: str) -> None:
    beyond = run(method=method, lr=2.5)
    assert beyond.status.value == "diverged"
    calm = run(method=method, lr=0.01, max_iter=10)
    assert calm.status.value == "limit"


def test_a_valley_rises_in_one_direction_only() -> None:
    outcome = run("x**2 + 1e-3*y**2", lr=1.02, max_iter=60)
    assert outcome.status.value == "diverged"
    vectors = api.minimize("sum(v**2)", {"v": [1.0, 2.0, 3.0]}, lr=1.05, max_iter=50)
    assert vectors.status.value == "diverged"


def test_a_value_that_falls_does_not_diverge_by_its_steps() -> None:
    outcome = run("100*(y-x**2)**2 + (1-x)**2", {"x": -1.2, "y": 1.0}, lr=0.001)
    assert outcome.status.value == "limit"
