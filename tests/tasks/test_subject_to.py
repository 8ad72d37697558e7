"""Problems with constraints: which names they have, and what becomes of constraints that are bounds."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from gdcli import api
from gdcli.kernel.errors import GdError, UsageError
from gdcli.language import constraints
from gdcli.objective.build import build_objective


def problem(expression: str, *subject_to: str, **more: Any) -> api.Problem:
    return api.make_problem(expression, subject_to=subject_to, **more)


def fault(expression: str, *subject_to: str, **more: Any) -> GdError:
    with pytest.raises(GdError) as caught:
        problem(expression, *subject_to, **more)
    return caught.value


def test_names_of_constraints_join_the_variables() -> None:
    made = problem("y", "y >= exp(-x)", "x + y <= a", start={"x": 1, "y": 2}, constants={"a": 3})
    assert list(made.start) == ["y", "x"]
    assert [c.text for c in made.constraints()] == ["y >= exp(-x)", "x + y <= a"]
    assert made.constraints()[1].upper == 3.0


def test_without_a_start_they_are_drawn_too() -> None:
    assert list(problem("x**2", "x + z == 1").start) == ["x", "z"]


def test_rows_join_the_graph_of_the_objective() -> None:
    made = problem("sum(v**2)", "v[1:] >= v[:-1]", "sum(v**2) <= 4", start={"v": [1.0, 2.0, 3.0]})
    tree = made.tree
    assert tree is not None
    exact: Any = build_objective(tree, made.lengths, made.constants, 1)
    assert exact.form.expanded
    rising, ball = constraints.build(made.rows()[0], made.lengths, made.constants, True, exact.form.graph)
    assert (len(rising.form.rows), ball.form.root) == (2, exact.form.root)


def test_constraints_use_parts() -> None:
    made = problem("s + y", "s <= y", start={"x": 1, "y": 2}, let=["s=exp(x)"])
    (row,) = made.constraints()
    assert row.form.graph.keys[row.form.root][0] == "sub"
    assert made.lengths == {"x": None, "y": None}


def test_a_line_in_one_variable_is_a_bound() -> None:
    made = problem("(x-3)**2 + y**2", "x <= 2*a", "y >= 1", start={"x": 0, "y": 2}, constants={"a": 1.0})
    assert (made.bounds, made.constraints()) == ({"x": (-inf, 2.0), "y": (1.0, inf)}, [])
    outcome = api.solve(made)
    assert (outcome.point, outcome.status.exit_code) == ({"x": 2.0, "y": 1.0}, 0)
    assert {b.name: b.multiplier for b in outcome.active} == {"x": 2.0, "y": 2.0}


def test_they_are_merged_with_typed_bounds() -> None:
    made = problem("x**2", "x >= 1", "x <= 8", start={"x": 3}, bounds={"x": (0, 5)})
    assert made.bounds == {"x": (1.0, 5.0)}


@pytest.mark.parametrize(
    ("subject_to", "bounds", "conflict"),
    [
        (["x >= 6"], {"x": (0, 5)}, ("x >= 6", "x <= 5")),
        (["x >= 2", "x <= 1", "y >= 0"], {}, ("x >= 2", "x <= 1")),
        (["x + y >= 2", "x + y <= 1"], {}, ("x + y >= 2", "x + y <= 1")),
        (["x == 2", "3*x == 3"], {}, ("x == 2", "3*x == 3")),
    ],
)
def test_contradictions_are_answers(subject_to: list[str], bounds: Any, conflict: tuple[str, ...]) -> None:
    outcome = api.minimize("x**2 + y", {"x": 3, "y": 1}, subject_to=subject_to, bounds=bounds)
    assert outcome.status.exit_code == 10
    assert (outcome.constraints.conflict, outcome.constraints.proved) == (conflict, True)


def test_a_constraint_between_constants() -> None:
    assert problem("x**2", "a <= 2", start={"x": 1}, constants={"a": 2}).constraints() == []
    error = fault("x**2", "a <= 1", start={"x": 1}, constants={"a": 2})
    assert (error.status, error.exit_code) == ("infeasible", 10)


@pytest.mark.parametrize(
    ("subject_to", "place", "message", "hint"),
    [
        ("X + y <= 1", "X", "--start leaves out X", "did you mean x?"),
        ("x + z <= 1", "z", "--start leaves out z", "add z=1 to --start, or give constants with --set"),
        ("x + sn(y) <= 1", "sn", "unknown function sn", "did you mean sin?"),
        (
            "x*sin <= 1",
            "sin",
            "sin is a function",
            "write sin(...), or give the variable another name, or a start: --start sin=1",
        ),
        ("y + sin x <= 1", "sin x", "sin needs brackets", "write y + sin(x) <= 1"),
        ("y*|x| <= 1", "|x|", "bars are written abs(...)", "write y*abs(x) <= 1"),
        ("x[0] + y <= 1", "x[0]", "x is a number, not a vector", "start it with a list: x=[1,2,3]"),
        ("x := 1", ":=", ":= is no comparison", "write x == 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(subject_to: str, place: str, message: str, hint: str) -> None:
    error = fault("x**2 + y**2", subject_to, start={"x": 1, "y": 1})
    assert isinstance(error, UsageError)
    assert error.span is not None
    assert error.span.source == "--subject-to"
    assert (error.span.text[error.span.start : error.span.end], error.message, error.hint) == (
        place,
        message,
        hint,
    )


def test_a_function_may_have_constraints() -> None:
    made = api.make_problem(
        lambda x: float(x @ x), start=[1.0, 2.0], subject_to=["x[0] + x[1] >= 1", "x >= 0"]
    )
    assert [c.text for c in made.constraints()] == ["x[0] + x[1] >= 1"]
    assert made.bounds == {"x": ([0.0, 0.0], [inf, inf])}
