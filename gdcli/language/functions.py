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
    name for it; where that is empty, :mod:`gdcli.calculus.symbolic` has a formula. ``meaning`` and ``letters``,
    the names of the arguments, are for people; ``slope`` says what the derivative is where ``rule`` does not.
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
    meaning: str = ""
    letters: str = "x"
    slope: str = ""


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


def _plain(
    name: str, meaning: str, rule: Rule, numpy: str = "", sympy: str = "", domain: str = ""
) -> Function:
    """A function of one argument that `math` and numpy both have."""
    return Function(name, 1, name, f"np.{numpy or name}", sympy or name, rule, domain, meaning=meaning)


def _special(
    name: str, meaning: str, arity: int, sympy: str, rule: Rule, domain: str = "", letters: str = "x"
) -> Function:
    """A function written once in :mod:`gdcli.language.special` for all runners."""
    return Function(
        name,
        arity,
        name,
        f"array_{name}",
        sympy,
        rule,
        domain,
        special=True,
        meaning=meaning,
        letters=letters,
    )


_ROWS = (
    _plain("exp", "e to the power x", _one(lambda a, y, x: y)),
    _plain("log", "natural logarithm", _one(lambda a, y, x: _inverse(a, x)), domain="x > 0"),
    _plain("log2", "logarithm to base 2", _log_base(2.0), domain="x > 0"),
    _plain("log10", "logarithm to base 10", _log_base(10.0), domain="x > 0"),
    _plain(
        "log1p",
        "log(1+x), accurate near 0",
        _one(lambda a, y, x: _inverse(a, a.add(a.number(1.0), x))),
        domain="x > -1",
    ),
    _plain("expm1", "exp(x)-1, accurate near 0", _one(lambda a, y, x: a.call("exp", x))),
    _plain("sqrt", "square root", _one(lambda a, y, x: a.div(a.number(0.5), y)), domain="x >= 0"),
    _plain("sin", "sine, x in radians", _one(lambda a, y, x: a.call("cos", x))),
    _plain("cos", "cosine, x in radians", _one(lambda a, y, x: a.neg(a.call("sin", x)))),
    _plain("tan", "tangent, x in radians", _one(lambda a, y, x: a.add(a.number(1.0), _square(a, y)))),
    _plain(
        "asin",
        "inverse sine",
        _one(lambda a, y, x: _inverse(a, a.call("sqrt", _one_minus_square(a, x)))),
        "arcsin",
        domain="|x| <= 1",
    ),
    _plain(
        "acos",
        "inverse cosine",
        _one(lambda a, y, x: a.neg(_inverse(a, a.call("sqrt", _one_minus_square(a, x))))),
        "arccos",
        domain="|x| <= 1",
    ),
    _plain(
        "atan",
        "inverse tangent",
        _one(lambda a, y, x: _inverse(a, a.add(a.number(1.0), _square(a, x)))),
        "arctan",
    ),
    Function(
        "atan2", 2, "atan2", "np.arctan2", "atan2", _atan2, meaning="angle of the point (x, y)", letters="yx"
    ),
    _plain("sinh", "hyperbolic sine", _one(lambda a, y, x: a.call("cosh", x))),
    _plain("cosh", "hyperbolic cosine", _one(lambda a, y, x: a.call("sinh", x))),
    _plain("tanh", "hyperbolic tangent", _one(lambda a, y, x: _inverse(a, _square(a, a.call("cosh", x))))),
    _plain(
        "asinh",
        "inverse hyperbolic sine",
        _one(lambda a, y, x: _inverse(a, a.call("hypot", a.number(1.0), x))),
        "arcsinh",
    ),
    _plain("acosh", "inverse hyperbolic cosine", _one(_acosh), "arccosh", domain="x >= 1"),
    _plain(
        "atanh",
        "inverse hyperbolic tangent",
        _one(lambda a, y, x: _inverse(a, _one_minus_square(a, x))),
        "arctanh",
        domain="|x| < 1",
    ),
    _special(
        "cbrt",
        "real cube root",
        1,
        "",
        _one(lambda a, y, x: _inverse(a, a.mul(a.number(3.0), _square(a, y)))),
    ),
    _special("erf", "error function", 1, "erf", _one(_erf)),
    _special(
        "gamma",
        "gamma function; the factorial of n is gamma(n+1)",
        1,
        "gamma",
        _one(lambda a, y, x: a.mul(y, a.call("digamma", x))),
        "x is not 0, -1, -2, ...",
    ),
    _special(
        "lgamma",
        "logarithm of |gamma(x)|",
        1,
        "",
        _one(lambda a, y, x: a.call("digamma", x)),
        "x is not 0, -1, -2, ...",
    ),
    _special(
        "digamma",
        "derivative of lgamma",
        1,
        "digamma",
        _one(lambda a, y, x: a.call("trigamma", x)),
        "x is not 0, -1, -2, ...",
    ),
    _special("trigamma", "derivative of digamma", 1, "", _no_rule, "x is not 0, -1, -2, ..."),
    _special("sigmoid", "1/(1+exp(-x))", 1, "", _one(lambda a, y, x: a.mul(y, a.call("sigmoid", a.neg(x))))),
    _special("softplus", "log(1+exp(x))", 1, "", _one(lambda a, y, x: a.call("sigmoid", x))),
    _special(
        "hypot",
        "length of a hypotenuse",
        2,
        "",
        lambda a, y, args: (a.div(args[0], y), a.div(args[1], y)),
        letters="xy",
    ),
    Function(
        "abs",
        1,
        "fabs",
        "np.abs",
        "Abs",
        _one(lambda a, y, x: a.call("sign", x)),
        kink=True,
        meaning="absolute value",
    ),
    Function("sign", 1, "sign", "np.sign", "sign", _zero, kink=True, meaning="-1, 0 or 1"),
    Function(
        "floor", 1, "floor", "np.floor", "floor", _zero, kink=True, meaning="largest integer not above x"
    ),
    Function(
        "ceil", 1, "ceil", "np.ceil", "ceiling", _zero, kink=True, meaning="smallest integer not below x"
    ),
    # max and min of two; their derivatives, which must not touch the side not taken, are in
    # calculus/autodiff.py
    Function(
        "max",
        2,
        "maximum",
        "np.maximum",
        "Max",
        _zero,
        kink=True,
        meaning="the largest of several, element by element, or of one vector",
        letters="ab",
        slope="1 by the larger, else 0",
    ),
    Function(
        "min",
        2,
        "minimum",
        "np.minimum",
        "Min",
        _zero,
        kink=True,
        meaning="the smallest of several, element by element, or of one vector",
        letters="ab",
        slope="1 by the smaller, else 0",
    ),
)

FUNCTIONS = {row.name: row for row in _ROWS}

# Needed by derivatives, but not offered to the user.
INTERNAL = frozenset({"digamma", "trigamma"})
REDUCTIONS = ("sum", "mean", "prod", "dot", "norm")
# What is no function of numbers: the call, what it means, its derivative.
OTHERS = (
    ("relu", "relu(x)", "x where it is above 0, else 0", "1 for x > 0, else 0"),
    ("where", "where(a < b, p, q)", "p where the comparison holds, else q", "that of p, or that of q"),
    ("sum", "sum(v)", "sum of a vector", "1 by each element"),
    ("mean", "mean(v)", "mean of a vector of n elements", "1/n by each element"),
    ("prod", "prod(v)", "product of a vector", "the product of the other elements"),
    ("dot", "dot(v, w)", "sum of v*w", "w by v; v by w"),
    ("norm", "norm(v)", "Euclidean length of a vector", "v/norm(v)"),
)
CONSTANTS = {"pi": math.pi, "e": math.e}
# What else an expression may have.
OPERATORS = (
    ("+ - * /", "arithmetic; a vector and a number go element by element"),
    ("** or ^", "power; -x**2 is -(x**2)"),
    ("X @ w", "in gd fit: a data matrix (--columns 'X=x*') times a vector"),
    ("v[0] v[-1] v[1:] v[::2]", "elements and slices of a vector; counted from 0"),
    ("< <= > >= == !=", "comparisons, in the first place of where"),
    ("# ...", "a comment, to the end of the line"),
)
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
