"""The one table of functions: every scalar function of the language, one row each.

A row tells how CPython and numpy spell the function, what its partial derivatives are, where it is defined
and where it has a kink, and what sympy calls it. Derivatives are written against `Algebra`: they build new
graph nodes from the arguments and the function's own value, so that shared parts are computed once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol


class Algebra(Protocol):
    """What a derivative rule may build with: nodes of the expression graph, simplified where that is safe."""

    def number(self, value: float) -> int: ...
    def add(self, a: int, b: int) -> int: ...
    def sub(self, a: int, b: int) -> int: ...
    def mul(self, a: int, b: int) -> int: ...
    def div(self, a: int, b: int) -> int: ...
    def neg(self, a: int) -> int: ...
    def call(self, name: str, *args: int) -> int: ...


Rule = Callable[[Algebra, int, tuple[int, ...]], tuple[int, ...]]


class Function(NamedTuple):
    """One function of the language.

    ``rule(algebra, value, args)`` returns the partial derivatives by each argument, ``value`` being the node
    of the function itself. ``python`` and ``numpy`` are the texts of the callable for each runner. ``domain``
    says in words where the function is defined ("" for everywhere), ``kink`` that its derivative jumps (or is
    zero by convention), ``special`` that its text is in :mod:`gdcli.language.special`. ``sympy`` is sympy's
    name for it; where that is empty, :mod:`gdcli.calculus.symbolic` has a formula.
    """

    name: str
    arity: int
    python: str
    numpy: str
    sympy: str
    rule: Rule
    domain: str = ""
    kink: bool = False
    special: bool = False


def _one(rule: Callable[[Algebra, int, int], int]) -> Rule:
    """A rule for one argument: (algebra, value, x) -> derivative."""
    return lambda a, y, args: (rule(a, y, args[0]),)


def _square(a: Algebra, x: int) -> int:
    return a.mul(x, x)


def _inverse(a: Algebra, x: int) -> int:
    return a.div(a.number(1.0), x)


def _log_base(base: float) -> Rule:
    return _one(lambda a, y, x: a.div(a.number(1.0 / math.log(base)), x))


def _one_minus_square(a: Algebra, x: int) -> int:
    """1 - x**2 as (1-x)*(1+x), which keeps its digits near the ends."""
    one = a.number(1.0)
    return a.mul(a.sub(one, x), a.add(one, x))


def _acosh(a: Algebra, y: int, x: int) -> int:
    one = a.number(1.0)
    return a.div(one, a.mul(a.call("sqrt", a.sub(x, one)), a.call("sqrt", a.add(x, one))))


def _erf(a: Algebra, y: int, x: int) -> int:
    return a.mul(a.number(2.0 / math.sqrt(math.pi)), a.call("exp", a.neg(_square(a, x))))


def _atan2(a: Algebra, y: int, args: tuple[int, ...]) -> tuple[int, ...]:
    up, right = args
    far = a.call("hypot", right, up)  # dividing twice, since its square may overflow or vanish
    return a.div(a.div(right, far), far), a.neg(a.div(a.div(up, far), far))


def _zero(a: Algebra, y: int, args: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a.number(0.0) for _ in args)


def _no_rule(a: Algebra, y: int, args: tuple[int, ...]) -> tuple[int, ...]:
    raise NotImplementedError("a third derivative of gamma or lgamma is never asked for")


def _plain(name: str, rule: Rule, numpy: str = "", sympy: str = "", domain: str = "") -> Function:
    """A function of one argument that `math` and numpy both have."""
    return Function(name, 1, name, f"np.{numpy or name}", sympy or name, rule, domain)


def _special(name: str, arity: int, sympy: str, rule: Rule, domain: str = "") -> Function:
    """A function written once in :mod:`gdcli.language.special` for all runners."""
    return Function(name, arity, name, f"array_{name}", sympy, rule, domain, special=True)


_ROWS = (
    _plain("exp", _one(lambda a, y, x: y)),
    _plain("log", _one(lambda a, y, x: _inverse(a, x)), domain="x > 0"),
    _plain("log2", _log_base(2.0), domain="x > 0"),
    _plain("log10", _log_base(10.0), domain="x > 0"),
    _plain("log1p", _one(lambda a, y, x: _inverse(a, a.add(a.number(1.0), x))), domain="x > -1"),
    _plain("expm1", _one(lambda a, y, x: a.call("exp", x))),
    _plain("sqrt", _one(lambda a, y, x: a.div(a.number(0.5), y)), domain="x >= 0"),
    _plain("sin", _one(lambda a, y, x: a.call("cos", x))),
    _plain("cos", _one(lambda a, y, x: a.neg(a.call("sin", x)))),
    _plain("tan", _one(lambda a, y, x: a.add(a.number(1.0), _square(a, y)))),
    _plain(
        "asin",
        _one(lambda a, y, x: _inverse(a, a.call("sqrt", _one_minus_square(a, x)))),
        "arcsin",
        domain="|x| <= 1",
    ),
    _plain(
        "acos",
        _one(lambda a, y, x: a.neg(_inverse(a, a.call("sqrt", _one_minus_square(a, x))))),
        "arccos",
        domain="|x| <= 1",
    ),
    _plain("atan", _one(lambda a, y, x: _inverse(a, a.add(a.number(1.0), _square(a, x)))), "arctan"),
    Function("atan2", 2, "atan2", "np.arctan2", "atan2", _atan2),
    _plain("sinh", _one(lambda a, y, x: a.call("cosh", x))),
    _plain("cosh", _one(lambda a, y, x: a.call("sinh", x))),
    _plain("tanh", _one(lambda a, y, x: _inverse(a, _square(a, a.call("cosh", x))))),
    _plain("asinh", _one(lambda a, y, x: _inverse(a, a.call("hypot", a.number(1.0), x))), "arcsinh"),
    _plain("acosh", _one(_acosh), "arccosh", domain="x >= 1"),
    _plain("atanh", _one(lambda a, y, x: _inverse(a, _one_minus_square(a, x))), "arctanh", domain="|x| < 1"),
    _special("cbrt", 1, "", _one(lambda a, y, x: _inverse(a, a.mul(a.number(3.0), _square(a, y))))),
    _special("erf", 1, "erf", _one(_erf)),
    _special(
        "gamma", 1, "gamma", _one(lambda a, y, x: a.mul(y, a.call("digamma", x))), "x is not 0, -1, -2, ..."
    ),
    _special("lgamma", 1, "", _one(lambda a, y, x: a.call("digamma", x)), "x is not 0, -1, -2, ..."),
    _special("digamma", 1, "digamma", _one(lambda a, y, x: a.call("trigamma", x)), "x is not 0, -1, -2, ..."),
    _special("trigamma", 1, "", _no_rule, "x is not 0, -1, -2, ..."),
    _special("sigmoid", 1, "", _one(lambda a, y, x: a.mul(y, a.call("sigmoid", a.neg(x))))),
    _special("softplus", 1, "", _one(lambda a, y, x: a.call("sigmoid", x))),
    _special("hypot", 2, "", lambda a, y, args: (a.div(args[0], y), a.div(args[1], y))),
    Function("abs", 1, "fabs", "np.abs", "Abs", _one(lambda a, y, x: a.call("sign", x)), kink=True),
    Function("sign", 1, "sign", "np.sign", "sign", _zero, kink=True),
    Function("floor", 1, "floor", "np.floor", "floor", _zero, kink=True),
    Function("ceil", 1, "ceil", "np.ceil", "ceiling", _zero, kink=True),
    # max and min of two; their derivatives, which must not touch the side not taken, are in
    # calculus/autodiff.py
    Function("max", 2, "maximum", "np.maximum", "Max", _zero, kink=True),
    Function("min", 2, "minimum", "np.minimum", "Min", _zero, kink=True),
)

FUNCTIONS = {row.name: row for row in _ROWS}

# Needed by derivatives, but not offered to the user.
INTERNAL = frozenset({"digamma", "trigamma"})
REDUCTIONS = ("sum", "mean", "prod", "dot", "norm")
CONSTANTS = {"pi": math.pi, "e": math.e}
# Letters that are names of constants wherever they stand alone.
LETTERS = {"π": "pi"}

# The partial derivatives as one writes them on paper, of f(x) or f(x, y): for formulas that are shown. The rules above
# are arranged for their rounding. max and min are chosen from, like where.
SLOPES: dict[str, tuple[str, ...]] = {
    "exp": ("exp(x)",),
    "log": ("1/x",),
    "log2": ("1/(x*log(2))",),
    "log10": ("1/(x*log(10))",),
    "log1p": ("1/(1 + x)",),
    "expm1": ("exp(x)",),
    "sqrt": ("1/(2*sqrt(x))",),
    "sin": ("cos(x)",),
    "cos": ("-sin(x)",),
    "tan": ("1 + tan(x)**2",),
    "asin": ("1/sqrt(1 - x**2)",),
    "acos": ("-1/sqrt(1 - x**2)",),
    "atan": ("1/(1 + x**2)",),
    "atan2": ("y/(x**2 + y**2)", "-x/(x**2 + y**2)"),
    "sinh": ("cosh(x)",),
    "cosh": ("sinh(x)",),
    "tanh": ("1 - tanh(x)**2",),
    "asinh": ("1/sqrt(1 + x**2)",),
    "acosh": ("1/(sqrt(x - 1)*sqrt(x + 1))",),
    "atanh": ("1/(1 - x**2)",),
    "cbrt": ("1/(3*cbrt(x)**2)",),
    "erf": ("2*exp(-x**2)/sqrt(pi)",),
    "gamma": ("gamma(x)*digamma(x)",),
    "lgamma": ("digamma(x)",),
    "digamma": ("trigamma(x)",),
    "sigmoid": ("sigmoid(x)*sigmoid(-x)",),
    "softplus": ("sigmoid(x)",),
    "hypot": ("x/hypot(x, y)", "y/hypot(x, y)"),
    "abs": ("sign(x)",),
    "sign": ("0",),
    "floor": ("0",),
    "ceil": ("0",),
    "relu": ("where(x > 0, 1, 0)",),
    "max": ("where(x >= y, 1, 0)", "where(x >= y, 0, 1)"),
    "min": ("where(x <= y, 1, 0)", "where(x <= y, 0, 1)"),
}

# Every name that can be called, as typed.
CALLABLE = (*(name for name in FUNCTIONS if name not in INTERNAL), "relu", "where", *REDUCTIONS)
