"""Constraints: from typed text to row functions with sides, and to bounds."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

import pytest
from constraint_problems import read_relations

from gdcli.kernel.errors import GdError, InfeasibleError, UsageError
from gdcli.language import constraints, relation
from gdcli.language.graph import evaluate

LENGTHS = {"x": None, "y": None, "v": 3}
CONSTANTS = {"a": 2.0, "b": [1.0, 2.0, 3.0]}


def split(*texts: str) -> tuple[list[constraints.ConstraintRow], list[constraints.BoundRow]]:
    rows = list(constraints.rows_of(read_relations(texts), CONSTANTS))
    return constraints.split_bounds(rows, LENGTHS, CONSTANTS)


def built(*texts: str, expand: bool = False) -> list[constraints.Constraint]:
    return constraints.build(split(*texts)[0], LENGTHS, CONSTANTS, expand)


def values(made: constraints.Constraint, point: Mapping[Any, float]) -> list[float]:
    """The row function at a point, whose leaves are those of an expanded graph."""
    known: dict[int, float] = {}
    graph = made.form.graph
    for i in graph.reach(made.form.rows):
        key = graph.keys[i]
        number = graph.value_of(i)
        if number is not None:
            known[i] = number
        elif key[0] in ("scalar", "element"):
            known[i] = point[key[1:] if key[0] == "element" else key[1]]
        else:
            known[i] = evaluate(key[0], *(known[a] for a in key[1:]))
    return [known[row] for row in made.form.rows]


def fault(*texts: str) -> GdError:
    with pytest.raises(GdError) as caught:
        built(*texts)
    return caught.value


def marked(error: GdError) -> str:
    assert error.span is not None
    return error.span.text[error.span.start : error.span.end]


def test_what_is_constant_becomes_a_side() -> None:
    circle, band, order, equation = built("x**2 + y**2 <= 1", "a >= x - y >= 0", "x <= y**2", "1 == x*y")
    point = {"x": 3.0, "y": 5.0}
    assert (circle.lower, circle.upper, values(circle, point)) == (-inf, 1.0, [34.0])
    assert (band.lower, band.upper, values(band, point)) == (0.0, 2.0, [-2.0])
    assert (order.lower, order.upper, values(order, point)) == (-inf, 0.0, [-22.0])
    assert (equation.lower, equation.upper, equation.is_equation) == (1.0, 1.0, True)
    assert not circle.is_equation


def test_a_chain_without_constant_ends_is_a_row_for_each_comparison() -> None:
    first, second = built("x <= y*y <= x + y  # two of them")
    assert (first.text, second.text) == ("x <= y*y", "y*y <= x + y")


def test_vectors_are_compared_element_by_element() -> None:
    (rising,) = built("v[1:] >= v[:-1]")
    assert (rising.form.length, rising.sides()) == (2, ([0.0, 0.0], [inf, inf]))
    (expanded,) = built("v[1:] >= v[:-1]", expand=True)
    point = {("v", 0): 1.0, ("v", 1): 5.0, ("v", 2): 3.0}
    assert values(expanded, point) == [4.0, -2.0]
    (within,) = built("x*y <= b", expand=True)
    assert (within.upper, values(within, {"x": 2.0, "y": 7.0})) == ([1.0, 2.0, 3.0], [14.0] * 3)


def test_the_rows_of_one_problem_share_a_graph() -> None:
    first, second = built("x*y <= 1", "x*y + x >= 0")
    assert first.form.graph is second.form.graph
    assert first.form.root in second.form.graph.reach((second.form.root,))


@pytest.mark.parametrize(
    ("text", "name", "ends"),
    [
        ("x >= 1", "x", (1.0, inf)),
        ("1 - x <= a", "x", (-1.0, inf)),
        ("-3 <= 2*x + 1 <= 5", "x", (-2.0, 2.0)),
        ("0 >= -y/4", "y", (0.0, inf)),
        ("2*v - 1 >= b", "v", ([1.0, 1.5, 2.0], inf)),
        ("v[::2] <= 4", "v", (-inf, 4.0)),
        ("v[-1] <= 4", "v", (-inf, 4.0)),
    ],
)
def test_a_line_in_one_variable_is_a_bound(text: str, name: str, ends: tuple[object, object]) -> None:
    kept, (bound,) = split(text)
    assert (kept, bound.name, bound.ends) == ([], name, ends)


@pytest.mark.parametrize(
    "text", ["x**2 <= 1", "x == 2", "abs(x) <= 1", "x + y <= 1", "x <= b", "sum(v) >= 0"]
)
def test_other_rows_stay_constraints(text: str) -> None:
    assert (len(built(text)), split(text)[1]) == (1, [])


def test_bounds_are_merged() -> None:
    _, rows = split("x >= 1", "x <= 5", "x <= 7", "v[1:] <= 4", "v >= b")
    assert constraints.merged({"x": (-1.0, 6.0)}, rows, LENGTHS) == {
        "x": (1.0, 5.0),
        "v": ([1.0, 2.0, 3.0], [inf, 4.0, 4.0]),
    }


@pytest.mark.parametrize(
    ("texts", "bounds", "told"),
    [
        (("x >= 2", "x <= 1"), {}, "no point fulfils both x >= 2 and x <= 1"),
        (("x >= 2",), {"x": (0.0, 1.0)}, "no point fulfils both the bound x <= 1 and x >= 2"),
        (("v[1] <= 1", "v >= b"), {}, "no point fulfils both v[1] <= 1 and v >= b"),
    ],
)
def test_contradictory_bounds_are_seen(texts: tuple[str, ...], bounds: dict[str, Any], told: str) -> None:
    rows = [row for text in texts for row in split(text)[1]]
    with pytest.raises(InfeasibleError) as caught:
        constraints.merged(bounds, rows, LENGTHS)
    assert (caught.value.message, caught.value.exit_code) == (told, 10)


def test_contradictory_bounds_stay_constraints() -> None:
    kept, bounds = split("x >= 2", "x <= 1", "v >= b")
    assert ([row.text for row in kept], bounds) == (["x >= 2", "x <= 1", "v >= b"], [])


def test_a_comparison_of_constants_holds_or_does_not() -> None:
    assert built("a <= 3", "1 <= 2 <= 3", "b >= 1") == []
    assert fault("a <= 1").status == "infeasible"
    assert fault("b <= 2").message == "b <= 2 has no variable, and does not hold"


def test_one_sign_of_equality_means_an_equation() -> None:
    one, two = map(relation.relation, ("x + y = 1  # or x = 2", "x + y == 1  # or x = 2"))
    assert (one.text, one.symbols, one.places) == (two.text, two.symbols, two.places)
    assert relation.relation("x = y=1").symbols == ("==", "==")


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("x + y", "x + y", "a constraint needs a comparison: <=, >= or ==", relation.EXAMPLE),
        ("x + y := 1", ":=", ":= is no comparison", "write x + y == 1"),
        ("x =< 1", "=<", "=< is no comparison", "write x <= 1"),
        (
            "x < 1",
            "<",
            "a constraint includes its limit: with < the best point may not exist",
            "write x <= 1",
        ),
        (
            "x > y",
            ">",
            "a constraint includes its limit: with > the best point may not exist",
            "write x >= y",
        ),
        ("x != 1", "!=", "!= cannot be a constraint: nearly every point fulfils it", relation.EXAMPLE),
        (
            "x <= y >= 2",
            ">=",
            "a chain cannot have two comparisons of different direction",
            "write them apart: x <= y and y >= 2",
        ),
        (
            "x == y >= 2",
            ">=",
            "a chain cannot have an equation and an inequality",
            "write them apart: x == y and y >= 2",
        ),
        ("1 <= x <= y <= 2", "<=", "a constraint has at most three sides", "write several constraints"),
        (
            "x >= 1, y >= 2",
            ",",
            "one constraint stands in one text",
            "give each constraint a --subject-to of its own",
        ),
        (
            "x >= 1 and y >= 2",
            "and",
            "one constraint stands in one text",
            "give each constraint a --subject-to of its own",
        ),
        ("x + 2y <= 1", "2y", "an operator is missing", "write x + 2*y <= 1"),
        ("x + z <= 1", "z", "unknown name z", ""),
        (
            "v[1:] <= b",
            "v[1:] <= b",
            "the sides of v[1:] <= b have 2 and 3 elements",
            "slices such as v[1:] make lengths agree",
        ),
        ("x + y <= exp(1000)", "exp(1000)", "this side is not a finite number", ""),
        ("x <=", "<=", "something is missing after <=", ""),
        ("", "", "the constraint is empty", relation.EXAMPLE),
    ],
)
def test_what_is_no_constraint(text: str, place: str, message: str, hint: str) -> None:
    error = fault(text)
    assert isinstance(error, UsageError)
    assert (marked(error), error.message, error.hint) == (place, message, hint)


def test_a_file_has_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "limits.txt"
    file.write_text("# of the budget\nx + y <= 1  # all of it\n\n   x*y >= 0\nx ~ 1\n")
    with pytest.raises(UsageError) as caught:
        read_relations([f"@{file}"])
    assert caught.value.span is not None
    assert caught.value.span.source == f"{file}:5"
    file.write_text(file.read_text().replace("~", ">="))
    assert [r.piece() for r in read_relations([f"@{file}"])] == ["x + y <= 1", "x*y >= 0", "x >= 1"]
    with pytest.raises(UsageError, match=r"cannot read nothing\.txt"):
        read_relations(["@nothing.txt"])
