"""Many starts: every minimum once, the best as the answer, the same seed the same answer."""

from __future__ import annotations

from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.errors import UsageError
from gdcli.kernel.status import Status
from gdcli.solve.iteration import Iterate
from gdcli.tasks import multi_start
from gdcli.tasks.multi_start import solve_from_many

HIMMELBLAU = "(x**2+y-11)**2 + (x+y**2-7)**2"


def many(expression: str, starts: int, seed: int = 0, sense: str = "minimize", **more: Any) -> api.Outcome:
    return solve_from_many(api.make_problem(expression, sense, seed=seed, **more), None, starts)


def test_all_four_minima_of_himmelblau() -> None:
    outcome = many(HIMMELBLAU, 60, bounds={"x": (-5, 5), "y": (-5, 5)})
    found = sorted((round(m.point["x"], 4), round(m.point["y"], 4)) for m in outcome.minima)  # type: ignore[arg-type]
    assert found == [(-3.7793, -3.2832), (-2.8051, 3.1313), (3.0, 2.0), (3.5844, -1.8481)]
    assert sum(m.starts for m in outcome.minima) == outcome.starts == 60


def test_the_best_is_the_answer() -> None:
    outcome = many("sin(x) + x**2/20", 40, bounds={"x": (-20, 20)})
    assert outcome.status is Status.CONVERGED
    values = [m.value for m in outcome.minima]
    assert values == sorted(values)
    assert outcome.value == values[0] == pytest.approx(-0.887862826574)


def test_maxima_come_with_the_highest_first() -> None:
    outcome = many("sin(x) - x**2/20", 40, sense="maximize", bounds={"x": (-20, 20)})
    values = [m.value for m in outcome.minima]
    assert values == sorted(values, reverse=True)
    assert outcome.value == values[0] == pytest.approx(0.887862826574)


def test_the_same_seed_gives_the_same_answer() -> None:
    first, second, other = (many(HIMMELBLAU, 12, seed) for seed in (3, 3, 4))
    assert first.minima == second.minima
    assert [m.x for m in first.minima] != [m.x for m in other.minima]


def test_the_values_of_starts_and_between_ends_have_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    made, batch = [], multi_start._batch
    monkeypatch.setattr(multi_start, "_batch", lambda problem: made.append(problem) or batch(problem))
    assert len(many(HIMMELBLAU, 12).minima) > 1
    assert len(made) == 1


def test_starts_that_fail_are_told() -> None:
    outcome = many("x**3 - 3*x", 20, start={"x": 0.0})
    assert outcome.status is Status.CONVERGED
    assert len(outcome.minima) == 1
    assert any("diverged" in warning for warning in outcome.warnings)


def test_starts_outside_the_domain_are_drawn_again() -> None:
    outcome = many("x*log(x)", 30, start={"x": 0.1})
    assert outcome.starts == 30
    assert outcome.value == pytest.approx(-0.36787944117)


def test_no_minimum_anywhere() -> None:
    outcome = many("-x**2", 5, start={"x": 1.0})
    assert outcome.status is Status.DIVERGED
    assert not outcome.minima


def test_observers_see_the_winning_run_alone() -> None:
    seen: list[Iterate] = []
    problem = api.make_problem(HIMMELBLAU, start={"x": 0.0, "y": 0.0})
    outcome = solve_from_many(problem, None, 8, [seen.append])
    assert seen[0].iteration == 0
    assert [it.iteration for it in seen] == list(range(len(seen)))
    assert list(seen[-1].at.x) == list(outcome.run.last.at.x)


def test_an_interrupt_keeps_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = api.solve, []

    def solve(problem: api.Problem, *rest: Any, **more: Any) -> api.Outcome:
        from dataclasses import replace

        calls.append(problem)
        outcome = real(problem, *rest, **more)
        return replace(outcome, status=Status.INTERRUPTED) if len(calls) == 4 else outcome

    monkeypatch.setattr("gdcli.tasks.multi_start.solve", solve)
    outcome = many(HIMMELBLAU, 50, start={"x": 0.0, "y": 0.0})
    assert outcome.status is Status.INTERRUPTED
    assert outcome.starts == 4
    assert outcome.minima
    assert "4 of 50 starts" in outcome.message


@pytest.mark.parametrize("starts", [0, -1, 10**9])
def test_a_senseless_number_of_starts(starts: int) -> None:
    with pytest.raises(UsageError, match="multi-start"):
        many(HIMMELBLAU, starts)


@pytest.mark.parametrize("unit", [1.0, 1e-10, 1e10])
def test_minima_are_told_apart_in_every_unit(unit: float) -> None:
    problem = api.read_problem(f"((x/{unit!r})**2 - 1)**2", "minimize", [f"x={0.5 * unit!r}"], [])
    found = solve_from_many(problem, starts=8)
    assert sorted(round(m.x[0] / unit, 9) for m in found.minima) == [-1.0, 1.0]
    assert sum(m.starts for m in found.minima) == 8
    level = api.read_problem(f"(x/{unit!r})**4", "minimize", [f"x={0.5 * unit!r}"], [])
    assert len(solve_from_many(level, starts=8).minima) == 1
