"""From tree to Form: vectors, slices, lengths, names, and what is said when they do not fit."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gdcli.kernel.errors import UsageError
from gdcli.language import form, interpreter, syntax, tree_names
from gdcli.language.functions import CALLABLE, CONSTANTS

V = {"v": 4}
POINT = {"v": [1.0, 2.0, 3.0, 4.0], "x": 2.0, "c": [5.0, 6.0, 7.0, 8.0], "gamma": 3.0}


def built(text: str, lengths: dict[str, int | None], constants: dict[str, Any] | None = None) -> form.Form:
    tree = syntax.parse(text)
    compact = form.build(tree, lengths, constants or {})
    expanded = form.build(tree, lengths, constants or {}, expand=True)
    assert compact.lengths == expanded.lengths == lengths
    assert expanded.is_scalar
    return compact


def said(text: str, lengths: dict[str, int | None], constants: dict[str, Any] | None = None) -> UsageError:
    """The error of a text, the same for both forms."""
    tree = syntax.parse(text)
    errors = []
    for expand in (False, True):
        with pytest.raises(UsageError) as caught:
            form.build(tree, lengths, constants or {}, expand)
        errors.append(caught.value)
    assert errors[0].message == errors[1].message
    assert errors[0].span == errors[1].span
    return errors[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sum(v)", 10),
        ("mean(v)", 2.5),
        ("prod(v)", 24),
        ("norm(v[:2])", math.sqrt(5)),
        ("dot(v, c)", 5 + 12 + 21 + 32),
        ("max(v)+min(v)", 5),
        ("max(x, v[0], 3)", 3),
        ("sum(max(v, x))", 11),
        ("sum(min(v, c, x))", 7),
        ("v[0]+v[-1]", 5),
        ("sum(v[1:]-v[:-1])", 3),
        ("sum(v[::2]*v[1::2])", 14),
        ("sum(v[1:3])", 5),
        ("sum(v[-2:])", 7),
        ("sum(v[:100])", 10),
        ("sum(v[:1])", 1),
        ("sum(v[3::2])", 4),
        ("sum(x*v+1)", 24),
        ("sum(c[1:]*v[1:])", 12 + 21 + 32),
        ("c[-1]", 8),
        ("sum(relu(v-x))", 3),
        ("sum(where(v > x, v, -v))", 4),
        ("sum(v)/pi*pi - e + e", 10),
    ],
)
def test_values_of_vectors(text: str, value: float) -> None:
    tree = syntax.parse(text)
    constants = {"c": POINT["c"]} if "c" in tree.names else {}
    built(text, {"v": 4, "x": None}, constants)
    assert interpreter.value(tree, POINT) == pytest.approx(value)


WRONG = [
    ("v + 1", V, "v + 1", "the expression is a vector", "sum(...)"),
    ("sum(v) + v", V, "sum(v) + v", "is a vector", ""),
    ("sum(v + v[1:])", V, "v + v[1:]", "has 4 elements and v[1:] has 3", "slices"),
    ("sum(max(v, v[1:]))", V, "max(v, v[1:])", "has 4 elements and v[1:] has 3", ""),
    ("sum(where(v > 0, v[1:], 0))", V, "where(v > 0, v[1:], 0)", "has 4 elements and v[1:] has 3", ""),
    ("dot(v, v[::2])", V, "dot(v, v[::2])", "has 4 elements and v[::2] has 2", ""),
    ("v[4]", V, "v[4]", "v has 4 elements: v[0] to v[3]", "from 0"),
    ("v[-5]", V, "v[-5]", "v has 4 elements", ""),
    ("sum(v[2:2])", V, "v[2:2]", "slice of v is empty", ""),
    ("sum(v[9:])", V, "v[9:]", "slice of v is empty", ""),
    ("sum(x)", {"x": None}, "sum(x)", "sum needs a vector", "v=[1,2,3]"),
    ("dot(v, 2)", V, "dot(v, 2)", "dot needs a vector", ""),
    ("norm(3)", {}, "norm(3)", "norm needs a vector", ""),
    ("max(x)", {"x": None}, "max(x)", "single number", "max(a, b)"),
    ("max()", {}, "max()", "needs a vector", ""),
    ("x[0]", {"x": None}, "x[0]", "x is a number, not a vector", "x=[1,2,3]"),
    ("pi[0]", {}, "pi[0]", "pi is a number", ""),
    ("sum(w)", V, "w", "unknown name w", ""),
    ("alpha + alpa", {"alpha": None}, "alpa", "unknown name alpa", "did you mean alpha?"),
    ("alpa[0]", {"alpha": 3}, "alpa[0]", "unknown name alpa", "did you mean alpha?"),
    ("sinn(x)", {"x": None}, "sinn", "unknown function sinn", "did you mean sin?"),
    ("ln(x)", {"x": None}, "ln", "ln is written log here", "write log(x)"),
    ("arctan(x)", {"x": None}, "arctan", "arctan is written atan here", "write atan(x)"),
    ("digamma(x)", {"x": None}, "digamma", "unknown function digamma", ""),
    ("Sin(x)", {"x": None}, "Sin", "Sin is written sin here", "write sin(x)"),
    ("ﬁﬁcos(x)", {"x": None}, "ﬁﬁcos", "unknown function fificos", ""),
    ("x(2)", {"x": None}, "x(", "an operator is missing", "write x*(2)"),
    ("sin(x, 2)", {"x": None}, "sin(x, 2)", "sin takes 1 argument, not 2", ""),
    ("log(x, 2)", {"x": None}, "log", "log is written log(x)/log(y) here", "write log(x)/log(2)"),
    ("atan2(x)", {"x": None}, "atan2(x)", "atan2 takes 2 arguments, not 1", ""),
    ("sin()", {}, "sin()", "sin takes 1 argument, not 0", ""),
    ("relu(x, x)", {"x": None}, "relu(x, x)", "relu takes 1 argument", ""),
    ("sin + 1", {}, "sin", "sin is a function", "sin(...)"),
    ("x + 9**9**9**9", {"x": None}, "9**9**9", "too large", ""),
    ("x + 10**400", {"x": None}, "10**400", "too large", ""),
    ("v @ x", {**V, "x": None}, "v @ x", "x is a number", "v*x"),
]


@pytest.mark.parametrize(("text", "lengths", "piece", "message", "hint"), WRONG)
def test_errors(text: str, lengths: dict[str, int | None], piece: str, message: str, hint: str) -> None:
    error = said(text, lengths)
    assert error.span is not None
    assert text[error.span.start : error.span.end] == piece
    assert message in error.message
    assert hint in error.hint


def test_no_hint_asks_for_a_list_of_pi() -> None:
    assert "start it" not in said("pi[0]", {}).hint


@pytest.mark.parametrize("name", CALLABLE)
def test_a_functions_name_is_a_variable_where_it_is_started_and_not_called(name: str) -> None:
    tree, call = syntax.parse(f"x + {name}**2"), "x > 0, x, 0" if name == "where" else "x"
    assert tree_names.variables(tree, {}, (name,)) == ["x", name]
    assert interpreter.value(tree, {name: 3.0, "x": 1.0}) == 10
    built(f"{name}**2 + {'sin' if name != 'sin' else 'cos'}({name})", {name: None})
    for text, started, hint in (
        (tree.text, (), f"--start {name}=1"),
        (f"x + {name}*{name}({call})", (name,), "another"),
    ):
        with pytest.raises(UsageError, match=f"{name} is a function") as caught:
            tree_names.variables(syntax.parse(text), {}, started)
        assert hint in caught.value.hint
        assert caught.value.span is not None
        assert caught.value.span[1:3] == (4, 4 + len(name))


def test_gamma_is_a_function_where_it_is_called() -> None:
    assert tree_names.variables(syntax.parse("gamma(x)"), {}, ("x",)) == ["x"]
    assert interpreter.value(syntax.parse("gamma(x)"), {"x": 5.0}) == 24


@pytest.mark.parametrize(
    "name", ["E", "I", "S", "N", "Q", "O", "beta", "zeta", "digamma", "lambda_", "t1", "x0", "np"]
)
def test_other_names_are_plain(name: str) -> None:
    assert tree_names.variables(syntax.parse(f"{name}**2 + sum(v)"), {}) == [name, "v"]
    built(f"{name}**2 + exp({name})", {name: None})


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_pi_and_e_are_constants(name: str) -> None:
    tree = syntax.parse(f"x*{name}")
    assert tree_names.variables(tree, {}) == ["x"]
    for constants, started in (({name: 1.0}, ()), ({}, (name,))):
        with pytest.raises(UsageError, match=f"{name} is the constant") as caught:
            tree_names.variables(tree, constants, started)
        assert "another name" in caught.value.hint


def test_variables_stand_in_order_of_first_appearance_without_constants() -> None:
    tree = syntax.parse("where(b < a, c, d) + k*v[0]")
    assert tree_names.variables(tree, {"k": 1.0}) == ["b", "a", "c", "d", "v"]
    assert tree_names.subscripted(tree) == {"v"}


def test_a_constant_that_the_expression_lacks() -> None:
    with pytest.raises(UsageError, match="--set gives alph") as caught:
        tree_names.variables(syntax.parse("alpha*x"), {"alph": 1.0})
    assert caught.value.hint == "did you mean alpha?"


def test_a_slice_is_one_leaf_and_a_reduction_one_node() -> None:
    small, large = (built_large(n) for n in (5, 1_000_000))
    assert len(small.graph.keys) == len(large.graph.keys)
    assert form.size_when_expanded(small) < 60
    assert form.size_when_expanded(large) > 4_000_000


def built_large(n: int) -> form.Form:
    return form.build(syntax.parse("sum(100*(v[1:]-v[:-1]**2)**2+(1-v[:-1])**2)"), {"v": n}, {})


def test_what_a_form_tells() -> None:
    made = built(
        "sum(abs(v)) + max(x, 1) + where(x > 0, x, 0) + max(v) + 0*y",
        {"v": 3, "x": None, "y": None, "z": None},
    )
    assert made.kinks() == ("abs", "max", "where")
    assert made.variables_in_use() == {"v", "x", "y"}
    assert not made.is_scalar
    assert built("v[0]*v[1]", {"v": 2}).is_scalar


def test_data_are_numbers_when_expanded_and_leaves_otherwise() -> None:
    tree = syntax.parse("sum((v-c)**2)")
    compact = form.build(tree, {"v": 3}, {"c": [1.0, 2.0, 3.0]})
    assert list(compact.data) == ["c"]
    assert compact.variables_in_use() == {"v"}
    assert not form.build(tree, {"v": 3}, {"c": [1.0, 2.0, 3.0]}, expand=True).data


def test_the_smallest_negative_zero_survives() -> None:
    made = form.build(syntax.parse("0*-1 + x"), {"x": None}, {})
    assert math.copysign(1.0, interpreter.value(made.tree, {"x": -0.0})) == -1.0
