"""What parses and what does not: message, hint and place; hostile input; round trips."""

from __future__ import annotations

import math
import time
import unicodedata

import pytest
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import HOSTILE, shown

from gdcli.kernel.errors import UsageError
from gdcli.language import form, tree_names
from gdcli.language.syntax import parse
from gdcli.language.tokens import MAX_TOKENS

STABLE = settings(derandomize=True, deadline=None, max_examples=examples(300))


def fails(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("x", "x"),
        ("-x**2", "(-(x ** 2.0))"),
        ("-x^2", "(-(x ** 2.0))"),
        ("2^-x^2", "(2.0 ** (-(x ** 2.0)))"),
        ("x^2**3", "(x ** (2.0 ** 3.0))"),
        ("a-b-c", "((a - b) - c)"),
        ("a/b*c", "((a / b) * c)"),
        ("+x", "x"),
        ("- -x", "(-(-x))"),
        ("1_000.5e-3", "1.0005"),
        (".5+5.", "(0.5 + 5.0)"),
        ("where(x>0,1,2)", "where(x > 0.0, 1.0, 2.0)"),
        ("where(0<x<=1,p,q)", "where(0.0 < x, where(x <= 1.0, p, q), q)"),
        ("v[0]+v[-1]", "(v[0] + v[-1])"),
        ("v[1:]-v[:-1]", "(v[1::] - v[:-1:])"),
        ("v[::2]", "v[::2]"),
        ("v[:]", "v[::]"),
        ("f(x, y)", "f(x, y)"),
        ("x  # the unknown\n + 1 # one", "(x + 1.0)"),
        ("(x\n+\ty)", "(x + y)"),
        ("α*Ω_1", "(α * Ω_1)"),
        ("ﬁ", "fi"),
        ("a@b", "matmul(a, b)"),
    ],
)
def test_meaning(text: str, meaning: str) -> None:
    root = parse(text).root
    if root.op == "matmul":
        assert [a.value for a in root.args] == ["a", "b"]
    else:
        assert shown(root) == meaning


def test_names_stand_in_order_of_first_appearance() -> None:
    assert parse("b + a*b + where(d < c, f, e) + sin(v[2]) + pi").names == (*"badcfev", "pi")


def test_normalized_names_are_one_name() -> None:
    assert parse("ﬁ + fi + ｘ").names == ("fi", "x")


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("a + b^2*c", "b^2*c"),
        ("x +  # comment (\n y^ 2", "y^ 2"),
        ("'漢字' and"[1:3] + " + y*z", "y*z"),
        ("𝛼𝛽 + ﬁ^z", "ﬁ^z"),
    ],
)
def test_places_are_those_of_the_typed_text(text: str, piece: str) -> None:
    tree = parse(text)
    span = tree.span(tree.root.args[1])
    assert text[span.start : span.end] == piece
    assert tree.span(tree.root)[1:3] == (0, len(text))


# Text, the piece the caret points at, words of message and hint.
WRONG = [
    ("2x", "2x", "operator is missing", "write 2*x"),
    ("2(x+1)", "2(", "operator is missing", "write 2*(...)"),
    ("(x)(y)", ")(", "operator is missing", "write (...)*(...)"),
    ("x y", "x y", "operator is missing", "write x*y"),
    ("x + 漢 = 3", "=", "=", "--start"),
    ("漢 + 3 4", "3 4", "operator is missing", "3*4"),
    ("x +\n# a ) comment\n (y", "(", "never closed", ""),
    ("x)", ")", "closes nothing", ""),
    ("(x]", "]", "( is closed by ]", ""),
    ("x +", "+", "missing after +", ""),
    ("x + * y", "*", "missing between + and *", ""),
    ("* y", "*", "missing before *", ""),
    ("f(,x)", ",", "missing before ,", ""),
    ("(x +)", ")", "missing before )", ""),
    ("()", ")", "missing before )", ""),
    ("x, y", ",", "comma", "0.5"),
    ("x: y", ":", "slice", ""),
    ("x // 2", "//", "//", "floor(a/b)"),
    ("_x + 1", "_x", "underscore", "begin with a letter"),
    ("lambda + 1", "lambda", "reserved", "rename"),
    ("1 if x else 2", "if", "", "where"),
    ("𝐢𝐟 + 1", "𝐢𝐟", "reserved", ""),
    ("𝐓𝐫𝐮𝐞 + 1", "𝐓𝐫𝐮𝐞", "reserved", ""),
    ("x > 0", "x > 0", "only inside where", ""),
    ("where(x, 1, 2)", "(x", "", ""),
    ("where(x > 0, 1)", "where(x > 0, 1)", "comparison and two values", "where(x > 0, x, 0)"),
    ("[1, 2]", "[", "list", "--set"),
    ("x[1.5]", "1.5", "index is an integer", "v[0]"),
    ("x[i]", "i", "index is an integer", ""),
    ("x[1,2,3]", "x[1,2,3]", "a matrix has two indices", "A[0,1]"),
    ("x[i,2]", "i", "index is an integer", ""),
    ("x.T" + "[0]" * 9, "x.T[0][0][0][0][0][0][0][0]", "a part of a part", "A[0,1]"),
    ("x.t", ".", "a dot has no place here", ""),
    (".T", ".T", "something is missing before .T", ""),
    ("A.T x", ".T x", "an operator is missing", ""),
    ("x[::-1]", "x[::-1]", "positive", ""),
    ("sum((x, y))", "(x, y)", "list of values", ""),
    ("1e999", "1e999", "too large", ""),
    ("x + 1.5.2", "1.5.2", "1.5.2 is not a number", "one decimal point"),
    ("7__0", "7__0", "not a number", ""),
    ("x + 007", "007", "begins with zero", "7"),
    ("x + 1_.5", "1_.5", "not a number", ""),
    ("x + ٣", "٣", "digit", ""),
    ("x.y", ".", "attributes", ""),
    ("'x'", "'", "quotes", ""),
    ("f(*x)", "*", "missing", ""),
    ("x == y", "x == y", "only inside where", ""),
    ("where(x == y < 1 > 2, 1, 2) + (y < z)", "y < z", "only inside where", ""),
]


@pytest.mark.parametrize(("text", "piece", "message", "hint"), WRONG)
def test_errors_say_what_where_and_what_to_do(text: str, piece: str, message: str, hint: str) -> None:
    error = fails(text)
    assert error.span is not None
    assert error.span.text == text
    place = text[error.span.start : error.span.end]
    if text.startswith("where(x, "):
        assert place == "x"
    else:
        assert place == piece
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "# only a comment", "\t# a\n# b\n"])
def test_an_empty_expression(text: str) -> None:
    assert "empty" in fails(text).message


def read_and_build(text: str) -> None:
    tree = parse(text)
    form.build(tree, dict.fromkeys(tree_names.variables(tree, {})), {})


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_a_quick_usage_error(name: str) -> None:
    text = HOSTILE[name]
    started = time.process_time()
    with pytest.raises(UsageError) as caught:
        read_and_build(text)
    assert time.process_time() - started < 0.5
    assert len(caught.value.message) < 1000
    assert len(caught.value.hint) < 1000


def test_a_number_of_400_digits_is_read_or_refused_but_never_raises_anything_else() -> None:
    assert parse("0." + "1" * 398).root.value == pytest.approx(1 / 9)
    assert "too large" in fails("1" * 400).message


def test_many_tokens_are_refused_and_almost_as_many_read() -> None:
    terms = "(" + "+".join(["x"] * 1000) + ")"
    text = "+".join([terms] * 9)
    assert parse(text).names == ("x",)
    assert "too long" in fails("f(" + "x," * MAX_TOKENS + "x)").message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 99 + "x" + ")" * 99,
        "sin(" * 99 + "x" + ")" * 99,
        "-" * 100 + "x",
        "where(x<1,1," * 99 + "x" + ")" * 99,
        "x**" * 99 + "x",
        "+".join("x" * 2000),
        "max(" + ",".join(f"x-{i}" for i in range(1000)) + ")",
    ],
)
def test_the_limits_leave_room(text: str) -> None:
    assert parse(text).names == ("x",)


def as_said(error: UsageError, text: str) -> None:
    assert error.message
    if error.span is not None:
        assert error.span.text == text
        assert 0 <= error.span.start <= error.span.end <= len(text)


@STABLE
@given(st.text(max_size=60))
@example("\x1c")
@example("ª")
@example("0_0")
@example("1e٣")
@example("x\x0cy")
def test_random_text_raises_nothing_else(text: str) -> None:
    try:
        tree = parse(text)
        form.build(tree, dict.fromkeys(tree_names.variables(tree, {})), {})
    except UsageError as error:
        as_said(error, text)


SOUP = st.sampled_from(
    [
        *"+-*/^@<>()[],:=.xyvef012 \n",
        "**",
        "<=",
        "==",
        "//",
        "where(",
        "sin(",
        "sum(",
        "max(",
        "v[",
        "1.5",
        "1e3",
        "gamma",
        "pi",
        "# a\n",
        "if",
        "not",
        "é",
        "²",
        "漢",
        "x,",
        "(x",
        "x)",
        "where(x>0,",
        ":2]",
        "1]",
    ]
)


@STABLE
@given(st.lists(SOUP, max_size=25).map("".join))
def test_random_tokens_raise_nothing_else(text: str) -> None:
    try:
        tree = parse(text)
        names = tree_names.variables(tree, {})
        lengths = {name: 3 if name in tree_names.subscripted(tree) else None for name in names}
        form.build(tree, lengths, {})
        form.build(tree, lengths, {}, expand=True)
    except UsageError as error:
        as_said(error, text)


NAMES = st.sampled_from(["x", "y1", "α", "漢字"])
LEAVES = st.one_of(
    st.floats(min_value=0, allow_infinity=False).map(repr),
    NAMES,
    st.sampled_from(["v[0]", "v[-2]", "v[1::]", "v[:-1:]", "v[::2]", "v[::]"]),
)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda a: f"(-{a})"),
        st.tuples(st.sampled_from(["f", "sin"]), st.lists(inner, max_size=3)).map(
            lambda t: f"{t[0]}({', '.join(t[1])})"
        ),
        st.tuples(inner, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner, inner, inner).map(
            lambda t: f"where({t[0]} {t[1]} {t[2]}, {t[3]}, {t[4]})"
        ),
    )


@STABLE
@given(st.recursive(LEAVES, grown, max_leaves=12))
def test_random_trees_come_back(text: str) -> None:
    tree = parse(text)
    assert shown(tree.root) == text
    assert shown(parse(text.replace("**", "^")).root) == text
    assert all(name == unicodedata.normalize("NFKC", name) for name in tree.names)


def test_numbers_keep_their_bits() -> None:
    for value in (0.1, 1 / 3, 5e-324, 1.7976931348623157e308, math.pi, 2.0**60 + 256):
        assert parse(repr(value)).root.value == value


def test_a_chain_is_as_long_as_its_terms_not_as_its_operators() -> None:
    parse("+".join(["3*x**2"] * 2000))
    parse("*".join("x" * 2000))
    for text in ("+".join(["3*x"] * 2002), "*".join("x" * 2002), "*".join("x" * 1500) + "+x" * 1500):
        with pytest.raises(UsageError, match="a chain of more than 2000"):
            parse(text)
