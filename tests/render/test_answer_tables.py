"""The constraints of an answer on its page."""

from __future__ import annotations

from typing import Any

from gdcli import api
from gdcli.record.path_rows import Trail
from gdcli.record.runs import run_record
from gdcli.render.page import ASCII
from gdcli.render.summary import page


def lines(expression: str, start: dict[str, Any], *subject_to: str) -> list[str]:
    problem = api.make_problem(expression, start=start, subject_to=subject_to)
    trail = Trail(1, sum(problem.lengths[name] or 1 for name in problem.lengths))
    found = run_record(api.solve(problem, observers=[trail]))
    return ["".join(text for text, _ in line).rstrip() for line in page(found, trail, 80, ASCII)]


def test_table_has_active_constraints_first_and_says_what_a_multiplier_is() -> None:
    shown = lines("x + y", {"x": 1, "y": 2}, "x*y <= 9", "x**2 + y**2 <= 2")
    head = next(i for i, line in enumerate(shown) if line.startswith("constraint"))
    assert shown[head].split() == ["constraint", "value", "slack", "multiplier", "active"]
    assert shown[head + 2].startswith("x**2 + y**2 <= 2")
    assert shown[head + 2].split()[-2:] == ["-0.5", "yes"]
    assert shown[head + 3].split()[-2:] == ["0", "no"]
    assert shown[head + 4] == "multiplier: d value / d right-hand side"


def test_path_tells_of_violations_where_there_are_any() -> None:
    assert any("violation" in line for line in lines("x + y", {"x": 2, "y": 2}, "x**2 + y**2 <= 2")[:8])
    assert not any("violation" in line for line in lines("x**2 + y**2", {"x": 2, "y": 2}, "x + y <= 100")[:8])


def test_infeasible_points_have_no_multipliers() -> None:
    shown = lines("x", {"x": 1, "y": 1}, "x**2 + y**2 <= -1")
    assert any(line.startswith("infeasible") for line in shown)
    assert not any("multiplier" in line for line in shown[-2:])


def test_a_vector_has_one_row() -> None:
    shown = lines("sum((v - 1)**2)", {"v": [3.0, 2.0, 1.0]}, "v[1:] >= v[:-1] + 1")
    (row,) = (line for line in shown if line.startswith("v[1:]"))
    assert row.endswith("2 of 2")
