"""The quadratic penalty: where its minima lie is known in closed form, and it claims no more than it has found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli import api
from gdcli.kernel.errors import UsageError
from gdcli.solve.iteration import Iterate

DISK = "x**2 + y**2 <= 1"
PLACES = st.floats(-3.0, 3.0).map(lambda x: round(x, 2))


def penalised(expression: str, *subject_to: str, **more: Any) -> api.Outcome:
    more = {"start": {"x": 0.3, "y": -0.2}, **more}
    return api.minimize(expression, subject_to=subject_to, method="penalty", **more)


@settings(max_examples=15, deadline=None)
@given(PLACES, PLACES, PLACES)
def test_each_pass_ends_where_value_and_penalty_are_least(a: float, b: float, c: float) -> None:
    """Of the distance to a line the penalty r/2 leaves the part 1/(1+r)."""
    seen: list[Iterate] = []
    known = {"a": a, "b": b, "c": c}
    outcome = penalised("(x-a)**2 + (y-b)**2", "x + y == c", constants=known, observers=[seen.append])
    off = a + b - c
    assert [one.step for one in seen[1:]] == [10.0**k for k in range(len(seen) - 1)]
    for one in seen[1:]:
        x, y = one.at.x
        assert x + y - c == pytest.approx(off / (1.0 + float(one.step or 0.0)), abs=3e-3 * max(1.0, abs(off)))
    (state,) = outcome.constraints.states  # type: ignore[union-attr]
    assert state.multiplier == pytest.approx(-off, abs=1e-4 * max(1.0, abs(off)))


def test_what_is_broken_at_the_end_is_no_minimum() -> None:
    outcome = penalised("(x-2)**2 + (y-1)**2", DISK)
    assert outcome.status.value == "completed"
    assert outcome.constraints is not None
    assert 1e-9 < outcome.constraints.violation <= 1e-6
    assert "broken by no more than" in outcome.message
    assert outcome.value < api.minimize("(x-2)**2 + (y-1)**2", {"x": 0.3, "y": 0.1}, subject_to=[DISK]).value


def test_where_nothing_is_broken_it_is_gradient_descent() -> None:
    outcome = penalised("(x-0.2)**2 + y**2", DISK)
    assert (outcome.status.value, outcome.run.iterations) == ("converged", 1)
    assert outcome.point == pytest.approx({"x": 0.2, "y": 0.0}, abs=1e-6)


@pytest.mark.parametrize(
    ("expression", "subject_to", "status", "reason"),
    [
        ("x**2 + y**2", ("x + y >= 2", "x + y <= 1"), "infeasible", "infeasible"),
        # A value that falls as the fourth power outruns the square of any penalty of a line.
        ("-(x**4)", ("x + y <= 1",), "stalled", "penalty-unbounded"),
        # The constraint is level where it holds: what is broken falls as the factor to the power of 2/3 only.
        ("x + y", ("(x + y)**2 <= 0",), "completed", "penalty-tolerance"),
    ],
)
def test_ends_that_are_none(expression: str, subject_to: tuple[str, ...], status: str, reason: str) -> None:
    outcome = penalised(expression, *subject_to, start={"x": 0.9, "y": 0.4})
    assert (outcome.status.value, outcome.run.reason.value) == (status, reason)


@pytest.mark.parametrize("rule", [{"lr": 0.1}, {"step_rule": "best"}])
def test_steps_that_do_not_fit_the_valley_are_told(rule: dict[str, Any]) -> None:
    outcome = penalised("(x-2)**2 + (y-1)**2", DISK, **rule)
    assert (outcome.status.value, outcome.run.reason.value) == ("stalled", "penalty-too-slow")


def test_bounds_need_no_penalty() -> None:
    outcome = penalised("(x-2)**2 + (y-1)**2", "x <= 0.5", "x + y == 1")
    assert outcome.point == pytest.approx({"x": 0.5, "y": 0.5}, abs=1e-5)
    assert outcome.point["x"] <= 0.5


def test_it_is_for_constraints() -> None:
    with pytest.raises(UsageError, match="penalty is for constraints, and there are none"):
        penalised("(x-2)**2 + (y-1)**2", "x <= 0.5")


def test_methods_that_know_constraints_are_listed() -> None:
    with pytest.raises(UsageError) as caught:
        api.minimize("x*y", {"x": 1, "y": 1}, subject_to=[DISK], method="bfgs")
    assert "auto, penalty" in caught.value.hint
