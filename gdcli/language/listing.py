"""What functions are called: here, as a list for people, and in other languages, on paper and in other libraries.

The list has every function with its meaning, domain and derivative, from the one table. Derivatives are what the rules
of the table say, written as text by an `Algebra` that builds texts. What functions are called elsewhere is looked at
only where a text could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gdcli.kernel.errors import did_you_mean
from gdcli.language.functions import CALLABLE, CONSTANTS, FUNCTIONS, OPERATORS, OTHERS, Function


def _by_word(*rows: tuple[str, str]) -> dict[str, str]:
    """Return the first text of a row under each of the words of its second."""
    return {word: text for text, words in rows for word in words.split()}


# A value without braces is another name; with them it is what a call becomes, ``{0}`` being its first argument. A
# number after the name is that of arguments which a function does not take here.
SYNONYMS: dict[str, str] = _by_word(
    ("log({0})/log({1})", "log:2"),
    ("atan2({0}, {1})", "atan:2"),
    ("norm({0})", "norm:2"),
    ("{0} + {1}", "sum:2"),
    ("{0} + {1} + {2}", "sum:3"),
    ("log", "ln log_e"),
    ("log10", "lg log_10"),
    ("log2", "ld lb log_2"),
    ("asin", "arcsin"),
    ("acos", "arccos"),
    ("atan", "arctan arctg"),
    ("atan2", "arctan2"),
    ("asinh", "arcsinh arsinh"),
    ("acosh", "arccosh arcosh"),
    ("atanh", "arctanh artanh"),
    ("tan", "tg"),
    ("sinh", "sh"),
    ("cosh", "ch"),
    ("tanh", "th"),
    ("abs", "fabs absolute"),
    ("sign", "sgn"),
    ("sqrt", "root"),
    ("ceil", "ceiling"),
    ("max", "maximum fmax amax"),
    ("min", "minimum fmin amin"),
    ("sum", "summation Σ"),
    ("prod", "product"),
    ("mean", "average avg"),
    ("dot", "inner vdot"),
    ("norm", "magnitude"),
    ("sigmoid", "logistic expit"),
    ("softplus", "logaddexp0"),
    ("lgamma", "gammaln loggamma"),
    ("{0}**{1}", "pow power"),
    ("{0}**2", "square"),
    ("2**{0}", "exp2"),
    ("10**{0}", "exp10"),
    ("gamma({0}+1)", "factorial"),
    ("floor({0}+0.5)", "round rint"),
    ("sign({0})*floor(abs({0}))", "trunc fix"),
    ("({0} - {1}*floor({0}/{1}))", "mod fmod remainder"),
    ("{0}/{1}", "divide"),
    ("{0}*{1}", "multiply"),
    ("({0} + {1})", "add"),
    ("({0} - {1})", "subtract"),
    ("(-{0})", "negative"),
    ("1/{0}", "reciprocal"),
    ("min(max({0}, {1}), {2})", "clip"),
    ("(sign({0})+1)/2", "heaviside"),
    ("where({0}, {1}, {2})", "if iif ifelse"),
    ("1/cos({0})", "sec"),
    ("1/sin({0})", "csc cosec"),
    ("1/tan({0})", "cot"),
    ("1/cosh({0})", "sech"),
    ("1/sinh({0})", "csch"),
    ("1/tanh({0})", "coth"),
    ("sin(pi*{0})/(pi*{0})", "sinc"),
    ("(1 - erf({0}))", "erfc"),
    ("{0}*pi/180", "deg2rad radians"),
    ("{0}*180/pi", "rad2deg degrees"),
    ("{0}", "float"),
    ("mean(({0} - mean({0}))**2)", "var"),
    ("sqrt(mean(({0} - mean({0}))**2))", "std"),
    ("sum({0}**2)", "sumsq"),
)
# What stands before the dot of a function of a library.
LIBRARIES = frozenset("np numpy jnp anp cp math cmath Math scipy sp sympy torch tf ca casadi".split())  # noqa: SIM905
# What sin^-1 is, and those like it.
INVERSES = {name: f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}
INVERSES |= {"exp": "log", "log": "exp", "ln": "exp"}
# Characters, with what they are in the language.
CHARACTERS = _by_word(
    *(("sqrt", "√"), ("cbrt", "∛"), ("sum", "∑"), ("prod", "∏"), ("(", "{"), (")", "}")),
    *(("0.5", "½"), ("0.25", "¼"), ("0.75", "¾"), ("*pi/180", "°")),
    *((str(digit), chr(0x2080 + digit)) for digit in range(10)),
)
# Words of LaTeX; of the others the backslash goes.
LATEX = _by_word(
    *(("*", r"\cdot \times"), ("", r"\left \right $"), ("log", r"\ln"), ("<=", r"\le"), (">=", r"\ge"))
)
# Operators of other languages, as Python has them.
FOREIGN_OPERATORS = _by_word(
    *(("^", ".^"), ("*", ".*"), ("/", "./"), ("!=", "<>"), (">=", "=>"), ("<=", "=<")),
    *(("and", "&& ∧"), ("or", "|| ∨")),
)
# And words between two operands.
OPERATOR_WORDS = {"mod": "%", "rem": "%", "div": "//", "times": "*", "\\bmod": "%"}
# What there is to say where no text can be proposed: of words between operands, and of what is called.
_RANGE = "where(x > 0, a, b) chooses between two values; --bounds x=0: keeps a variable in a range"
_OPTIONS = "constraints and bounds are options: --subject-to 'x + y <= 1', --bounds x=0:5"
_ALONE = "write what the function returns, alone: x**2"
_SLOPE = "gd gradient shows derivatives: gd gradient 'x**2' --at x=1"
_WHOLE = "integrals, limits and the like are not part of the language"
WORDS: dict[str, str] = _by_word(
    ("functions of a vector are written without for: sum(v**2)", "for in"),
    (_ALONE, "def return function"),
    (f"for a parameter write lam or lambda_; for a function {_ALONE}", "lambda"),
    ("one where stands inside another: where(a < b, where(c < d, p, q), q)", "and or not"),
    (_RANGE, "if else where given with"),
    (_OPTIONS, "st s.t such subject"),
)
# And of characters.
SYMBOLS: dict[str, str] = _by_word(
    ("a bound that is not there is left out: --bounds x=0: for at least 0, x=:5 for at most 5", "∞"),
    (_OPTIONS, "∈ ≤ ≥"),
    (_SLOPE, "∂ ∇ ′"),
    (_WHOLE, "∫ →"),
    ("the length of a vector is norm(v)", "‖"),
    ("the whole number below is floor(x)", "⌊ ⌋"),
    ("the whole number above is ceil(x)", "⌈ ⌉"),
    ("write out both: one expression with +, one with -", "± ∓"),
    ("the square of a difference is least where both sides are equal: (a - b)**2", "≈ ≃ ≡"),
    ("write 0.001*x for x per mille", "‰"),
    ("write 0.01*x for x per cent", "%"),
    ("give the name letters alone: x_mean", "\N{COMBINING MACRON} \N{COMBINING CIRCUMFLEX ACCENT}"),
)
CALLS: dict[str, str] = _by_word(
    (
        "vectors are made in --start and --set: --start 'v=zeros(3)'",
        "zeros ones full linspace random rand randn arange range",
    ),
    (_SLOPE, "diff derivative deriv grad gradient"),
    ("a median is the m for which sum(abs(v - m)) is least", "median"),
    ("the answer tells the point itself", "argmin argmax"),
    (_WHOLE, "integral integrate int quad limit lim solve"),
    ("matrices are multiplied by @: A @ x, w @ C @ w", "matmul mmult"),
    (
        "of a matrix there are A @ x, A.T, A[0] and A[0,1]; what else is made of it is a constant, --set B=@B.csv",
        "det inv pinv matrix trace eig outer diag rank",
    ),
    ("write it out: a + b*x + c*x**2", "polyfit poly polynomial polyval"),
    ("the length of a vector is that of its start; its mean is mean(v)", "len size length"),
    (_RANGE, "piecewise cases Piecewise"),
    ("gd maximize looks for a maximum: gd maximize '-x**2' --start x=1", "argmax"),
)


# -- the list ----------------------------------------------------------------------------------------------------------

_SUM, _PRODUCT, _ATOM = 1, 2, 3


class _Texts:
    """Nodes that are texts, each with how tightly its last operation binds."""

    def __init__(self) -> None:
        self.nodes: list[tuple[str, int]] = []

    def atom(self, text: str) -> int:
        return self.node(text, _ATOM)

    def node(self, text: str, binding: int) -> int:
        self.nodes.append((text, binding))
        return len(self.nodes) - 1

    def text(self, i: int, least: int = 0) -> str:
        text, binding = self.nodes[i]
        return text if binding >= least else f"({text})"

    def number(self, value: float) -> int:
        return self.atom(f"{value:.10g}")

    def named(self, value: float, name: str) -> int:
        return self.node(name, _PRODUCT)

    def add(self, a: int, b: int) -> int:
        return self.node(f"{self.text(a)} + {self.text(b, _SUM)}", _SUM)

    def sub(self, a: int, b: int) -> int:
        return self.node(f"{self.text(a)} - {self.text(b, _PRODUCT)}", _SUM)

    def mul(self, a: int, b: int) -> int:
        if a == b:
            return self.node(f"{self.text(a, _ATOM)}**2", _ATOM)
        return self.node(f"{self.text(a, _PRODUCT)}*{self.text(b, _PRODUCT)}", _PRODUCT)

    def div(self, a: int, b: int) -> int:
        return self.node(f"{self.text(a, _PRODUCT)}/{self.text(b, _ATOM)}", _PRODUCT)

    def neg(self, a: int) -> int:
        return self.node(f"-{self.text(a, _PRODUCT)}", _SUM)

    def call(self, name: str, *args: int) -> int:
        return self.atom(f"{name}({', '.join(self.text(i) for i in args)})")


def derivatives(function: Function) -> list[str]:
    texts = _Texts()
    args = tuple(map(texts.atom, function.letters))
    value = texts.call(function.name, *args)
    return [texts.text(i) for i in function.rule(texts, value, args)]


def functions() -> Iterator[dict[str, Any]]:
    """Yield what there is to call, in the order of the table: name, call, meaning, domain, derivative, kink."""
    others = {name: (call, meaning, slope) for name, call, meaning, slope in OTHERS}
    for name in CALLABLE:
        if name in others:
            call, meaning, slope = others[name]
            domain, kink = "", name in ("relu", "where")
        else:
            row = FUNCTIONS[name]
            parts = derivatives(row)
            by = [f"{part} by {letter}" for part, letter in zip(parts, row.letters, strict=True)]
            slope = row.slope or (parts[0] if len(parts) == 1 else "; ".join(by))
            call, meaning, domain, kink = (
                f"{name}({', '.join(row.letters)})",
                row.meaning,
                row.domain,
                row.kink,
            )
        yield {
            "name": name, "call": call, "meaning": meaning, "domain": domain, "derivative": slope, "kink": kink
        }  # fmt: skip


def language() -> dict[str, Any]:
    constants = [{"name": name, "value": value} for name, value in CONSTANTS.items()]
    operators = [{"text": text, "meaning": meaning} for text, meaning in OPERATORS]
    return {"functions": list(functions()), "constants": constants, "operators": operators}


def meant(name: str) -> str:
    """Return the hint for what is no function: how it is written here, or the nearest name."""
    known = SYNONYMS.get(name) or SYNONYMS.get(name.lower())
    if known:
        return f"{name} is written {known.format('x', 'y', 'z')} here"
    return CALLS.get(name) or did_you_mean(name, CALLABLE, "'gd functions' lists them")
