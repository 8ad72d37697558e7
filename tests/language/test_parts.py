"""Named parts of an expression, --let."""

from __future__ import annotations

from math import exp, isclose

import pytest

from gdcli import api
from gdcli.kernel.errors import GdError, UsageError
from gdcli.language import form, interpreter, tree_names
from gdcli.language.relation import read_parts, with_parts
from gdcli.language.syntax import Tree, parse


def tree(text: str, *let: str) -> Tree:
    return with_parts(parse(text), read_parts(let))


def fault(text: str, *let: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        api.minimize(text, start={"x": 1.0}, let=let)
    return caught.value


def marked(error: GdError) -> str:
    assert error.span is not None
    return error.span.text[error.span.start : error.span.end]


def test_a_part_stands_for_its_value() -> None:
    made = tree("s**2 + t", "s=exp(a*x)", "t = s + y")
    assert made.names == ("a", "x", "y")
    assert tree_names.variables(made, {"a": 2.0}) == ["x", "y"]
    s = exp(2.0 * 0.5)
    assert isclose(interpreter.value(made, {"a": 2.0, "x": 0.5, "y": 3.0}), s**2 + s + 3.0, rel_tol=1e-15)


def test_a_part_is_built_once() -> None:
    """Each of thirty parts uses the one before it twice: as text that would be a thousand million terms."""
    parts = ["s0=x+1", *(f"s{i}=s{i - 1}*s{i - 1} - s{i - 1}" for i in range(1, 30))]
    built = form.build(tree("s29 + s3", *parts), {"x": None}, {})
    assert len(built.graph.keys) < 70


def test_parts_are_solved_with_their_formulas() -> None:
    outcome = api.minimize("(s-2)**2 + t", start={"x": 1.0}, constants={"a": 2.0}, let=["s=exp(x)", "t=a*s"])
    assert isclose(exp(outcome.point["x"]), 1.0, rel_tol=1e-8)
    problem = api.make_problem("(s-2)**2", start={"x": 1.0}, let=["s=x**2"])
    formulas = api.solve(problem, formulas=True).formulas
    assert formulas is not None
    assert interpreter.value(parse(formulas["x"]), {"x": 3.0}) == 2 * (9 - 2) * 6


def test_a_part_may_be_a_vector() -> None:
    outcome = api.minimize("sum(d**2) + (v[0]-1)**2", start={"v": [3.0, 1.0, 2.0]}, let=["d=v[1:]-v[:-1]"])
    assert all(isclose(value, 1.0, rel_tol=1e-8) for value in outcome.point["v"])  # type: ignore[union-attr]


def test_the_place_of_a_fault_is_in_the_part() -> None:
    problem = api.make_problem("s + x", start={"x": -1.0}, let=["s=log(x)"])
    with pytest.raises(GdError) as caught:
        api.solve(problem)
    assert marked(caught.value) == "log(x)"
    assert caught.value.span is not None
    assert (caught.value.span.text, caught.value.span.source) == ("s=log(x)", "--let")


def test_a_branch_that_is_not_taken_evaluates_no_part() -> None:
    made = tree("where(x > 0, s, 1)", "s=log(x)")
    assert interpreter.find_culprit(made, {"x": -1.0}) is None


@pytest.mark.parametrize(
    ("let", "place", "message"),
    [
        (("s",), "s", "--let takes NAME=EXPR"),
        (("s==x",), "s", "--let takes NAME=EXPR"),
        (("s=",), "s", "--let takes NAME=EXPR"),
        (("s= ",), "s", "--let takes NAME=EXPR"),
        (("2s=x",), "2s", "--let takes NAME=EXPR"),
        (("s=x", "s=2*x"), "s", "--let gives s twice"),
        (("exp=x",), "exp", "exp is a function"),
        (("pi=x",), "pi", "pi is a constant"),
        (("s=2x",), "2x", "an operator is missing"),
        (("s=t*x", "t=x"), "t", "s uses t, which is no part yet"),
        (("s=s+x",), "s", "s uses s, which is no part yet"),
    ],
)
def test_what_is_no_part(let: tuple[str, ...], place: str, message: str) -> None:
    error = fault("s + x", *let)
    assert error.message == message
    assert (marked(error) if error.span else "") == place


def test_a_part_that_nothing_uses_is_a_slip() -> None:
    error = fault("s + x", "s=x+1", "t=s+1", "u=t+1")
    assert (error.message, marked(error)) == ("--let gives u, which nothing uses", "u")


def test_a_part_has_no_elements() -> None:
    error = fault("s[0] + x", "s=x+1")
    assert (error.message, marked(error)) == ("s is a part of --let", "s[0]")


@pytest.mark.parametrize(
    ("text", "told"),
    [("x**(1/3)", "x = -8"), ("x**(x/3)", "x = -8, x/3 = -2.66667"), ("log(-1) + x", "-1 = -1")],
)
def test_what_does_not_vary_is_not_told(text: str, told: str) -> None:
    found = interpreter.find_culprit(parse(text), {"x": -8.0})
    assert found is not None
    assert found.told == told
