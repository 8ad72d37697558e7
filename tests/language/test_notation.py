"""What people bring from paper and from other languages: each is told how it is written here, with the caret at it."""

from __future__ import annotations

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import HOSTILE, shown

from gdcli.kernel.errors import Span, UsageError
from gdcli.language import form, tree_names
from gdcli.language.constructs import MAX_MADE
from gdcli.language.model_text import parse_model
from gdcli.language.notation import MAX_TEXT, as_product, told
from gdcli.language.syntax import parse
from gdcli.language.values import read_values
from gdcli.tasks.problem import parsed


def fails(text: str) -> UsageError:
    """The error of an expression, found where it is read or where its names and calls are looked at."""

    def build() -> None:
        tree = parsed(text, "")
        form.build(tree, dict.fromkeys(tree_names.variables(tree, {})), {})

    with pytest.raises(UsageError) as caught:
        build()
    return caught.value


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("x²", "x**2"),
        ("-x²", "-x**2"),
        ("(x+1)³", "(x+1)**3"),
        ("x⁻¹ + x¹²", "x**-1 + x**12"),
        ("x − 1", "x - 1"),
        ("2×x·y÷z", "2*x*y/z"),
        ("where(x≤1, x, π)", "where(x<=1, x, pi)"),
        ("10⁻³·x² – 2", "10**-3*x**2 - 2"),
        ("（x＋1）＊2／y", "(x+1)*2/y"),
        ("π_0 + π1", "π_0 + π1"),
    ],
)
def test_what_can_mean_nothing_else_is_read(text: str, same: str) -> None:
    assert shown(parse(text).root) == shown(parse(same).root)


# What is typed, where the caret points, what is written instead.
PROPOSED = [
    ("2x", "2x", "2*x"),
    ("2(x+1)", "2(", "2*(x+1)"),
    ("cos(2πx)", "2π", "cos(2*pi*x)"),
    ("2πr²", "2π", "2*pi*r²"),
    ("cos(πx)", "πx", "cos(pi*x)"),
    ("πr²h", "πr", "pi*r²*h"),
    ("x²y²", "²y", "x²*y²"),
    ("10⁻³x²", "³x", "10⁻³*x²"),
    ("2ˣ + e⁻ˣ + eˣ", "ˣ", "2**x + e**-x + e**x"),
    ("(x)(y)", ")(", "(x)*(y)"),
    ("x y", "x y", "x*y"),
    ("x(x+1)", "x(", "x*(x+1)"),
    ("e(x+1)", "e(", "e*(x+1)"),
    ("3x²+2x+1", "3x", "3*x²+2*x+1"),
    ("100(y-x^2)^2 + (1-x)^2", "100(", "100*(y-x^2)^2 + (1-x)^2"),
    ("(b + sqrt(b^2-4a c))/2a", "4a", "(b + sqrt(b^2-4*a*c))/(2*a)"),
    ("1 000*x", "1 000", "1000*x"),
    ("sin x", "sin x", "sin(x)"),
    ("sqrt x + 1", "sqrt x", "sqrt(x) + 1"),
    ("sin 2x + cos x", "sin 2x", "sin(2*x) + cos(x)"),
    ("sin x cos x", "sin x", "sin(x)*cos(x)"),
    ("exp -x**2", "exp -x**2", "exp(-x**2)"),
    ("exp x", "exp x", "exp(x)"),
    ("√x", "√", "sqrt(x)"),
    ("2√(x+1)", "2√", "2*sqrt(x+1)"),
    ("sin^2(x)", "sin^2", "sin(x)**2"),
    ("sin²(x)", "sin²", "sin(x)**2"),
    ("sin² x + cos² x", "sin²", "sin(x)**2 + cos(x)**2"),
    ("tan^-1(x)", "tan^-1", "atan(x)"),
    ("sin⁻¹(x)", "sin⁻¹", "asin(x)"),
    ("|x|", "|x|", "abs(x)"),
    ("|x-1| + 2|y|", "|x-1|", "abs(x-1) + 2*abs(y)"),
    ("||v||", "||v||", "norm(v)"),
    ("np.sin(x)", "np.sin", "sin(x)"),
    ("np.exp(-x**2) + np.cos(2x)", "np.exp", "exp(-x**2) + cos(2*x)"),
    ("math.sqrt(x)", "math.sqrt", "sqrt(x)"),
    ("math.pi*x", "math.pi", "pi*x"),
    ("np.linalg.norm(v)", "np.linalg.norm", "norm(v)"),
    ("(v**2).sum()", "(v**2).sum", "sum(v**2)"),
    ("ln(x)", "ln", "log(x)"),
    ("arctan(x)", "arctan", "atan(x)"),
    ("log_2(x)", "log_2", "log2(x)"),
    ("log(x, 2)", "log", "log(x)/log(2)"),
    ("Sum(v)", "Sum", "sum(v)"),
    ("EXP(x)", "EXP", "exp(x)"),
    ("factorial(n)", "factorial", "gamma(n+1)"),
    ("round(x)", "round", "floor(x+0.5)"),
    ("mod(x,2)", "mod", "x - 2*floor(x/2)"),
    ("3*mod(x+1,2)", "mod", "3*((x+1) - 2*floor((x+1)/2))"),
    ("pow(x,2)**3", "pow", "(x**2)**3"),
    ("y/cot(x)", "cot", "y/(1/tan(x))"),
    ("x % 2", "x % 2", "x - 2*floor(x/2)"),
    ("1 + x % 2", "x % 2", "1 + (x - 2*floor(x/2))"),
    ("x // 2", "x // 2", "floor(x/2)"),
    ("x mod 2", "x mod 2", "x - 2*floor(x/2)"),
    ("(x mod 2)^2", "x mod 2", "(x - 2*floor(x/2))^2"),
    ("(x+1) mod (2y)", "(x+1) mod (2y)", "((x+1) - (2*y)*floor((x+1)/(2*y)))"),
    ("x div 2", "x div 2", "floor(x/2)"),
    ("x times y", "times", "x * y"),
    ("x!", "x!", "gamma(x+1)"),
    ("3*(n+1)!", "(n+1)!", "3*gamma(n+1+1)"),
    ("y = x**2", "y =", "x**2"),
    ("f(x) = x**2", "f(x) =", "x**2"),
    ("f(x,y) := x*y", "f(x,y) :=", "x*y"),
    ("return x**2", "return", "x**2"),
    ("min x**2", "min", "x**2"),
    ("Sin[x] + sqrt[2x]", "Sin", "sin(x) + sqrt(2*x)"),
    ("x.^2 + y.*x", ".^", "x^2 + y*x"),
    ("x_{1}^2 + x_{2}", "{", "x_1^2 + x_2"),
    ("=x^2", "=", "x^2"),
    ("def f(x): return x**2", "def f(x): return", "x**2"),
    ("x => x**2", "x =>", "x**2"),
    ("(x, y) -> x*y", "(x, y) ->", "x*y"),
    ("x**2 - 4 = 0", "x**2 - 4 = 0", "(x**2 - 4)**2"),
    ("sum(x[i]^2, i, 0, 3)", "sum(x[i]^2, i, 0, 3)", "sum(x^2)"),
    ("std(v)", "std", "sqrt(mean((v - mean(v))**2))"),
    ("lambda x: x**2", "lambda x:", "x**2"),
    ("lambda x, y: x**2 + 2y", "lambda x, y:", "x**2 + 2*y"),
    ("'x**2'", "'", "x**2"),
    ("x**2;", ";", "x**2"),
    ("sum(i for i in v)", "(i for i in v)", "sum(v)"),
    ("sum(i**2 for i in v)", "(i**2 for i in v)", "sum(v**2)"),
    ("sum(v[i]**2 for i in range(3))", "(v[i]**2 for i in range(3))", "sum(v**2)"),
    ("sum([x, y])", "[x, y]", "x + y"),
    ("max([x, y])", "[x, y]", "max(x, y)"),
    ("x == 4", "x == 4", "(x - 4)**2"),
    ("x**2 = y + 1", "x**2 = y + 1", "(x**2 - (y + 1))**2"),
    ("x**2 if x > 0 else 0", "x**2 if x > 0 else 0", "where(x > 0, x**2, 0)"),
    ("x > 0 ? x : 0", "x > 0 ? x : 0", "where(x > 0, x, 0)"),
    ("where(x>0 and x<1, x, 0)", "x>0 and x<1", "where(x > 0, where(x < 1, x, 0), 0)"),
    ("where(x<0 or y<0, x, 0)", "x<0 or y<0", "where(x < 0, x, where(y < 0, x, 0))"),
    ("where(not x>0, x, 0)", "not x>0", "where(x > 0, 0, x)"),
    ("(x>0)*x", "x>0", "(where(x > 0, 1, 0))*x"),
    ("1,5*x", "1,5", "1.5*x"),
    ("sin(1,5*x)", "1,5", "sin(1.5*x)"),
    ("x^{2}", "{", "x^(2)"),
    (r"\sin(x)", r"\sin", "sin(x)"),
    (r"\frac{x}{2} \cdot y", r"\frac", "((x)/(2))*y"),
    ("x₁ + x₂", "x₁", "x1 + x2"),
    ("xⁿ", "xⁿ", "x**n"),
]


@pytest.mark.parametrize(("text", "thousands"), [("1,000*x", True), ("1,5*x", False), ("1,0000*x", False)])
def test_a_comma_may_part_thousands(text: str, thousands: bool) -> None:
    assert ("no comma between thousands: 1000" in fails(text).message) == thousands


@pytest.mark.parametrize(("text", "place", "instead"), PROPOSED)
def test_what_to_write_is_told(text: str, place: str, instead: str) -> None:
    error = fails(text)
    assert error.hint.replace(" ", "") == f"write{instead}".replace(" ", "")
    assert error.span is not None
    assert error.span.text == text
    assert text[error.span.start : error.span.end].strip() == place
    parse(error.hint.removeprefix("write "))


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("y = a*x + b", "y ~ a*x + b"),
        ("y == a*x + b", "y ~ a*x + b"),
        ("f(x) = a*x + b", "y ~ a*x + b"),
        ("y ~ 2a x", "y ~ 2*a*x"),
        ("y ~ a*np.exp(-b*x)", "y ~ a*exp(-b*x)"),
        ("ln(y) ~ a + b ln(x)", "log(y) ~ a + b*log(x)"),
        ("y = a*x + b # line", "y ~ a*x + b"),
    ],
)
def test_models(text: str, instead: str) -> None:
    def read() -> None:
        for tree in parse_model(text).trees:
            tree_names.check_calls(tree, tree.names)

    with pytest.raises(UsageError) as caught:
        read()
    error = caught.value
    assert error.hint.replace(" ", "") == f"write {instead}".replace(" ", "")
    assert error.span is not None
    assert error.span.text == text


def test_numbers_in_options() -> None:
    with pytest.raises(UsageError) as caught:
        read_values(["x=2pi"], "--start")
    assert "write 2*pi" in caught.value.hint
    assert caught.value.span == Span("x=2pi", 2, 5, "--start")


@pytest.mark.parametrize(
    "text", ["f(x)", "x.y", "x +", "foo(2x)", "exp(2x", "x = 3 4 5", "(1).real", "f(x=1)", "v[2x]"]
)
def test_what_cannot_be_mended_keeps_its_error(text: str) -> None:
    error = fails(text)
    assert f"write {text}" not in error.hint
    assert error.message


# What would grow without end, or take an age, if a part that stands twice were written twice at each level.
GROWING = {
    **HOSTILE,
    **{
        part: part * 190
        for part in (
            "|x",
            "x!",
            "x?",
            "x % ",
            "x?1:",
            "sin ",
            "2x ",
            "(x)",
            "np.",
            "1,",
            "-",
            "x<",
            "x=1 ",
            "{x:1},",
        )
    },
    "conditions": "a if b < 1 and c < 1 else " * 30 + "d",
    "fractions": r"\frac{x}{y}" * 60,
    "powers": "sin^2 " * 150 + "x",
    "remainders of remainders": "mod(" * 60 + "x" + ", 2)" * 60,
}


@pytest.mark.parametrize("name", GROWING)
def test_proposals_stay_short(name: str) -> None:
    for what in ("expression", "model", "number"):
        error = told(UsageError("wrong", "", Span(GROWING[name], 0, 1)), what)
        assert len(error.hint) < MAX_TEXT + MAX_MADE


WORDS = (
    *"x()2|!^,=?:v[]%²-{}.'~⁻ ",
    "where",
    "sin",
    "if",
    "else",
    "for",
    "in",
    "frac",
    "\\",
    "np",
    "lambda",
    "ln",
    "not",
    "==",
)


@settings(derandomize=True, deadline=None, max_examples=examples(300))
@given(st.lists(st.sampled_from(WORDS), max_size=14), st.booleans())
def test_whatever_is_proposed_can_be_read(words: list[str], is_model: bool) -> None:
    text = "".join(words)
    error = told(UsageError("wrong", "", Span(text, 0, 0)), "model" if is_model else "expression")
    if error.message != "wrong":
        for side in error.hint.removeprefix("write ").split("~"):
            parse(side)
        assert error.span is not None
        assert 0 <= error.span.start < error.span.end <= max(1, len(text))


@pytest.mark.parametrize(
    ("name", "known", "product"),
    [
        ("xy", ["x", "y"], "x*y"),
        ("sinx", ["x"], "sin(x)"),
        ("expax", ["x"], "exp(a*x)"),
        ("ax", ["x"], "a*x"),
        ("atime", ["time"], "a*time"),
        ("rate", ["x"], ""),
        ("rate", ["t"], ""),
        ("sinx", ["y"], ""),
        ("x1", ["x"], ""),
        ("tax", ["x"], ""),
    ],
)
def test_what_one_name_may_be_meant_for(name: str, known: list[str], product: str) -> None:
    assert as_product(name, known) == product


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("x^2 where x>0", "--bounds"),
        ("x^2 s.t. x>0", "--bounds"),
        ("x^2 subject to x>0", "--bounds"),
        ("(x-1)^2 such that x > 0", "--bounds"),
        ("x^2 given x", "--bounds"),
        ("(x-1)^2 for x in range(3)", "sum(v**2)"),
        ("integral(x^2, 0, 1)", "not part of the language"),
        ("diff(x^2, x)", "gd gradient"),
        ("sum(zeros(3))", "--start 'v=zeros(3)'"),
        ("polyfit(x, 2)", "a + b*x"),
        ("frobnicate(x)", "'gd functions'"),
        ("x + ∞", "x=0: for at least 0"),
        ("x ∈ [0, 1]", "--bounds"),
        ("x^2, x ≥ 0", "--bounds"),
        ("∂f/∂x", "gd gradient"),
        ("‖v‖", "norm(v)"),
        ("⌊x⌋", "floor(x)"),
        ("where(x, 1, 2)", "for example where(x > 0, x, 0)"),
    ],
)
def test_what_there_is_to_say_of_words(text: str, hint: str) -> None:
    assert hint in fails(text).hint
