"""Expressions set as mathematics: what stands where is checked as text, what it means by reading it back."""

from __future__ import annotations

import math
import re

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.language import latex
from gdcli.language.functions import CALLABLE, FUNCTIONS
from gdcli.language.interpreter import value
from gdcli.language.syntax import parse


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("(1-x)**2 + 100*(y-x**2)**2", r"(1 - x)^{2} + 100 \left(y - x^{2}\right)^{2}"),
        ("y ~ a*exp(-b*t) + c", r"y \sim a\,\exp(-b\,t) + c"),
        ("alpha/(1 + beta_1**2)", r"\frac{\alpha}{1 + \beta_{1}^{2}}"),
        ("exp(-(x-mu)**2/(2*sigma**2))", r"\exp\left(-\frac{(x - \mu)^{2}}{2 \sigma^{2}}\right)"),
        ("x1*x2 - x_10", r"x_{1}\,x_{2} - x_{10}"),
        ("k_max*T_hot1 + rate", r"k_{\mathrm{max}}\,T_{\mathrm{hot1}} + \mathrm{rate}"),
        ("v[0]*v[-1] + w1[2]", r"v_{0}\,v_{-1} + w_{1,2}"),
        ("sum((v[1:]-1)**2)", r"\sum\left((v_{1{:}} - 1)^{2}\right)"),
        ("x**(1/2)", "x^{1/2}"),
        ("a/(b/c)", r"\frac{a}{b/c}"),
        ("2*3*x*4", r"2 \cdot 3x \cdot 4"),
        ("1.7e9*x + 1e-5", r"1.7 \times 10^{9}\,x + 10^{-5}"),
        ("sin(x)**2", r"\sin^{2}(x)"),
        ("sin(x)**n", r"\sin(x)^{n}"),
        ("abs(x) + sqrt(y/2) + cbrt(z)", r"\left|x\right| + \sqrt{\frac{y}{2}} + \sqrt[3]{z}"),
        ("a - (b - c)", "a - (b - c)"),
        ("where(x < 0, -x, x)", r"-x\;\mathrm{if}\;x < 0\;\mathrm{else}\;x"),
        ("t ~ X @ w + b", r"t \sim X\,w + b"),
        ("log1p(x)", r"\log(1 + x)"),
        ("x^y^z", "x^{y^{z}}"),
        ("β + γ", "β + γ"),
    ],
)
def test_formulas_are_set_as_they_were_typed(typed: str, written: str) -> None:
    parts = latex.terms(typed)
    assert parts is not None
    assert " ".join(parts) == written


@pytest.mark.parametrize("typed", ["gradient norm", "", "temperature (K)", "x +", "温度*2", "a ~ b ~ c"])
def test_what_is_no_formula_has_no_latex(typed: str) -> None:
    assert latex.terms(typed) is None


def read_back(text: str) -> str:
    """The Python of the LaTeX of sums, products, fractions and powers."""
    text = text.replace(r"\left(", "(").replace(r"\right)", ")").replace(r"\,", "*").replace(r" \cdot ", "*")
    while re.search(r"\{", text):
        text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", text)
        text = re.sub(r"\^\{([^{}]*)\}", r"**(\1)", text)
    return re.sub(r"(?<=\d) ?(?=[a-z(])", "*", text)


NAMES = {"a": 1.3, "b": -0.7, "c": 2.9}
EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "c", "2", "0.5", "3"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda p: f"({p[0]}){p[1]}({p[2]})"),
        st.tuples(inner, st.sampled_from("+-*/"), inner).map("".join),
        inner.map(lambda e: f"-{e}"),
        inner.map(lambda e: f"-({e})"),
        st.tuples(inner, st.sampled_from(["2", "3", "-1", "(1-1/2-1/2)"])).map(lambda p: f"({p[0]})**{p[1]}"),
    ),
    max_leaves=8,
)


@settings(max_examples=examples(300), deadline=None)
@given(EXPRESSIONS)
def test_parentheses_are_where_they_must_be(typed: str) -> None:
    expected = value(parse(typed), NAMES)
    parts = latex.terms(typed)
    assert parts is not None
    try:
        got = float(eval(read_back(" ".join(parts)), {}, NAMES))
    except (ZeroDivisionError, OverflowError):
        return
    if math.isfinite(expected) and math.isfinite(got):
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9), (typed, parts)


def test_every_function_and_letter_can_be_drawn() -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext").MathTextParser("path")
    arguments = {"where": "x < y, x/2, y", "dot": "u, v"} | dict.fromkeys(("max", "min"), "x, y/2")
    typed = []
    for name in CALLABLE:
        arity = FUNCTIONS[name].arity if name in FUNCTIONS else 1
        inside = arguments.get(name, ", ".join(["x/2", "y"][:arity]))
        typed += [f"{name}({inside})", f"2*{name}({inside})**2/({name}({inside}) - 1)"]
    typed += [letter for letter in latex.GREEK if letter != "lambda"] + ["long_name2[1:]", "é", "v[::2]"]
    for text in typed:
        parts = latex.terms(text)
        assert parts is not None, text
        mathtext.parse(f"${' '.join(parts)}$")
