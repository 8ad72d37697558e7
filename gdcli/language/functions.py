"""The one table of functions: every scalar function of the language, one row each.

No other table names them, except where one function is computed with less rounding in a way of its own. Derivatives
are written against `Algebra`: they build new graph nodes from the arguments and the function's own value, so that
shared parts are computed once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from gdcli.kernel.dataclass import NamedTuple


class Algebra(Protocol):
    """What a derivative rule may build with: nodes of the expression graph, simplified where that is safe."""

    def number(self, value: float) -> int: ...
    def named(self, value: float, name: str) -> int: ...
    def add(self, a: int, b: int) -> int: ...
    def sub(self, a: int, b: int) -> int: ...
    def mul(self, a: int, b: int) -> int: ...
    def div(self, a: int, b: int) -> int: ...
    def neg(self, a: int) -> int: ...
    def call(self, name: str, *args: int) -> int: ...


Rule = Callable[[Algebra, int, tuple[int, ...]], tuple[int, ...]]


class Function(NamedTuple):
    """One function of the language: everything that any room knows of it. Most columns may be left empty.

    - ``rule(algebra, value, args)`` returns the partial derivatives by each argument, ``value`` being the node of the
      function itself. ``slopes`` are the same as one writes them on paper, of f(x) or f(x, y), for formulas that are
      shown; the rules are arranged for their rounding.
    - ``python`` and ``numpy`` are the texts of the callable for each runner; ``safe`` is that of a version which never
      raises, in the terms of :mod:`gdcli.language.ieee`; ``native`` says that machine code has it from the C library
      ("libm") or the processor ("intrinsic"). With ``special`` all runners have its text in
      :mod:`gdcli.language.special`.
    - ``formula`` writes it by other functions, without powers. Rooms that lack the function take that: sympy
      (``sympy`` is its name there), complex numbers, long arithmetic, ``sql`` and ``awk``, which are texts for what
      these languages have of their own, or can do with less rounding.
    - ``edges`` are the arguments at which its domain ends or its slope is infinite; ``kink`` says that its derivative
      jumps (or is zero by convention), ``nonnegative`` that it is nowhere below 0. ``divisor`` is the function of the
      same argument that it divides by: it has a pole where that is 0.
    - ``interval`` names the rule of :mod:`gdcli.calculus.interval_rules` for intervals; ``limits`` has all values, and
      ``ulps`` bounds the error of what is computed, in units in the last place.
    - For people: ``meaning``, ``letters`` (the names of the arguments), ``domain`` ("" for everywhere), ``slope`` (what
      the derivative is, where ``rule`` does not say it), ``latex`` (its name, or with ``#`` what is around it all).
    """

    name: str
    arity: int
    python: str
    numpy: str
    rule: Rule
    slopes: tuple[str, ...]
    meaning: str
    letters: str = "x"
    domain: str = ""
    kink: bool = False
    special: bool = False
    slope: str = ""
    safe: str = ""
    native: str = ""
    formula: str = ""
    sympy: str = ""
    edges: tuple[float, ...] = ()
    nonnegative: bool = False
    divisor: str = ""
    latex: str = ""
    sql: str = ""
    awk: str = ""
    interval: str = ""
    limits: tuple[float, float] = (-math.inf, math.inf)
    ulps: float = 8.0


def _one(rule: Callable[[Algebra, int, int], int]) -> Rule:
    """A rule for one argument: (algebra, value, x) -> derivative."""
    return lambda a, y, args: (rule(a, y, args[0]),)


def _square(a: Algebra, x: int) -> int:
    return a.mul(x, x)


def _inverse(a: Algebra, x: int) -> int:
    return a.div(a.number(1.0), x)


def _log_base(base: float) -> Rule:
    return _one(lambda a, y, x: a.div(a.named(1.0 / math.log(base), f"1/log({base:g})"), x))


def _one_minus_square(a: Algebra, x: int) -> int:
    """1 - x**2 as (1-x)*(1+x), which keeps its digits near the ends."""
    one = a.number(1.0)
    return a.mul(a.sub(one, x), a.add(one, x))


def _acosh(a: Algebra, y: int, x: int) -> int:
    one = a.number(1.0)
    return a.div(one, a.mul(a.call("sqrt", a.sub(x, one)), a.call("sqrt", a.add(x, one))))


def _erf(a: Algebra, y: int, x: int) -> int:
    return a.mul(a.named(2.0 / math.sqrt(math.pi), "2/sqrt(pi)"), a.call("exp", a.neg(_square(a, x))))


def _atan2(a: Algebra, y: int, args: tuple[int, ...]) -> tuple[int, ...]:
    up, right = args
    far = a.call("hypot", right, up)  # dividing twice, since its square may overflow or vanish
    return a.div(a.div(right, far), far), a.neg(a.div(a.div(up, far), far))


def _zero(a: Algebra, y: int, args: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a.number(0.0) for _ in args)


def _no_rule(a: Algebra, y: int, args: tuple[int, ...]) -> tuple[int, ...]:
    raise NotImplementedError("a third derivative of gamma or lgamma is never asked for")


def _plain(name: str, meaning: str, rule: Rule, slope: str, numpy: str = "", **more: Any) -> Function:
    """A function of one argument that `math`, numpy and the C library have, and sympy where there is no formula."""
    more = {"native": "libm", "sympy": "" if "formula" in more else name} | more
    return Function(name, 1, name, f"np.{numpy or name}", rule, (slope,), meaning, **more)


def _special(name: str, meaning: str, rule: Rule, *slopes: str, arity: int = 1, **more: Any) -> Function:
    """A function written once in :mod:`gdcli.language.special` for all runners."""
    return Function(name, arity, name, f"array_{name}", rule, slopes, meaning, special=True, **more)


def _own(name: str, meaning: str, python: str, numpy: str, rule: Rule, *slopes: str, **more: Any) -> Function:
    """A function that runners call by other names, or make themselves; it has as many arguments as letters."""
    arity = len(more.get("letters", "x"))
    return Function(name, arity, python, f"np.{numpy}", rule, slopes, meaning, **more)


_POLES = "x is not 0, -1, -2, ..."
# fmt: off
_ROWS = (
    _plain("exp", "e to the power x", _one(lambda a, y, x: y), "exp(x)",
           safe="_overflowing(math.exp, odd=False)", nonnegative=True, latex=r"\exp", sql="exp({0})",
           interval="rising"),
    _plain("log", "natural logarithm", _one(lambda a, y, x: _inverse(a, x)), "1/x", domain="x > 0",
           safe="_log_like(math.log, 0.0)", edges=(0.0,), latex=r"\log", sql="ln({0})", interval="rising"),
    _plain("log2", "logarithm to base 2", _log_base(2.0), "1/(x*log(2))", domain="x > 0",
           safe="_log_like(math.log2, 0.0)", edges=(0.0,), formula="log(x)/log(2)", latex=r"\log_{2}",
           sql="(ln({0}) / 0.6931471805599453)", interval="rising"),
    _plain("log10", "logarithm to base 10", _log_base(10.0), "1/(x*log(10))", domain="x > 0",
           safe="_log_like(math.log10, 0.0)", edges=(0.0,), formula="log(x)/log(10)", latex=r"\log_{10}",
           sql="(ln({0}) / 2.302585092994046)", interval="rising"),
    _plain("log1p", "log(1+x), accurate near 0", _one(lambda a, y, x: _inverse(a, a.add(a.number(1.0), x))),
           "1/(1 + x)", domain="x > -1", safe="_log_like(math.log1p, -1.0)", edges=(-1.0,), formula="log(1 + x)",
           awk="u = 1 + x; return u == 1 ? x : log(u) * x / (u - 1)", interval="signed"),
    _plain("expm1", "exp(x)-1, accurate near 0", _one(lambda a, y, x: a.call("exp", x)), "exp(x)",
           safe="_overflowing(math.expm1, odd=False)", formula="exp(x) - 1",
           awk="u = exp(x); if (u == 1) return x\n    return u - 1 == -1 ? -1 : (u - 1) * x / log(u)",
           interval="signed", limits=(-1.0, math.inf)),
    _plain("sqrt", "square root", _one(lambda a, y, x: a.div(a.number(0.5), y)), "1/(2*sqrt(x))", domain="x >= 0",
           safe="_nan_outside(math.sqrt)", native="intrinsic", edges=(0.0,), nonnegative=True, latex=r"\sqrt{#}",
           sql="sqrt({0})", interval="root"),
    _plain("sin", "sine, x in radians", _one(lambda a, y, x: a.call("cos", x)), "cos(x)",
           safe="_nan_outside(math.sin)", latex=r"\sin", sql="sin({0})", interval="wave", limits=(-1.0, 1.0)),
    _plain("cos", "cosine, x in radians", _one(lambda a, y, x: a.neg(a.call("sin", x))), "-sin(x)",
           safe="_nan_outside(math.cos)", latex=r"\cos", sql="cos({0})", interval="wave", limits=(-1.0, 1.0)),
    _plain("tan", "tangent, x in radians", _one(lambda a, y, x: a.add(a.number(1.0), _square(a, y))),
           "1 + tan(x)**2", safe="_nan_outside(math.tan)", divisor="cos", latex=r"\tan", sql="tan({0})",
           awk="return sin(x) / cos(x)", interval="tangent"),
    _plain("asin", "inverse sine", _one(lambda a, y, x: _inverse(a, a.call("sqrt", _one_minus_square(a, x)))),
           "1/sqrt(1 - x**2)", "arcsin", domain="|x| <= 1", safe="_nan_outside(math.asin)", edges=(1.0, -1.0),
           latex=r"\arcsin", sql="asin({0})", awk="return atan2(x, sqrt((1 - x) * (1 + x)))",
           interval="signed"),
    _plain("acos", "inverse cosine",
           _one(lambda a, y, x: a.neg(_inverse(a, a.call("sqrt", _one_minus_square(a, x))))),
           "-1/sqrt(1 - x**2)", "arccos", domain="|x| <= 1", safe="_nan_outside(math.acos)", edges=(1.0, -1.0),
           latex=r"\arccos", sql="acos({0})", awk="return atan2(sqrt((1 - x) * (1 + x)), x)",
           interval="falling", limits=(0.0, 4.0)),
    _plain("atan", "inverse tangent", _one(lambda a, y, x: _inverse(a, a.add(a.number(1.0), _square(a, x)))),
           "1/(1 + x**2)", "arctan", safe="math.atan", latex=r"\arctan", sql="atan({0})",
           awk="return atan2(x, 1)", interval="signed"),
    _own("atan2", "angle of the point (x, y)", "atan2", "arctan2", _atan2, "y/(x**2 + y**2)", "-x/(x**2 + y**2)",
         letters="yx", safe="math.atan2", native="libm", sympy="atan2", sql="atan2({0}, {1})",
         interval="angle"),
    _plain("sinh", "hyperbolic sine", _one(lambda a, y, x: a.call("cosh", x)), "cosh(x)",
           safe="_overflowing(math.sinh, odd=True)", latex=r"\sinh", sql="sinh({0})",
           awk="u = expm1(x); return (u + u / (u + 1)) / 2", interval="signed"),
    _plain("cosh", "hyperbolic cosine", _one(lambda a, y, x: a.call("sinh", x)), "sinh(x)",
           safe="_overflowing(math.cosh, odd=False)", nonnegative=True, latex=r"\cosh", sql="cosh({0})",
           awk="return (exp(x) + exp(-x)) / 2", interval="even", limits=(1.0, math.inf)),
    _plain("tanh", "hyperbolic tangent", _one(lambda a, y, x: _inverse(a, _square(a, a.call("cosh", x)))),
           "1 - tanh(x)**2", safe="math.tanh", latex=r"\tanh", sql="tanh({0})",
           awk="if (x > 22) return 1\n    if (x < -22) return -1\n    u = expm1(2 * x); return u / (u + 2)",
           interval="signed", limits=(-1.0, 1.0)),
    _plain("asinh", "inverse hyperbolic sine", _one(lambda a, y, x: _inverse(a, a.call("hypot", a.number(1.0), x))),
           "1/sqrt(1 + x**2)", "arcsinh", safe="math.asinh", latex=r"\mathrm{arsinh}", sql="asinh({0})",
           awk="u = fabs(x); u = log1p(u + u * u / (1 + sqrt(u * u + 1))); return x < 0 ? -u : u",
           interval="signed"),
    _plain("acosh", "inverse hyperbolic cosine", _one(_acosh), "1/(sqrt(x - 1)*sqrt(x + 1))", "arccosh",
           domain="x >= 1", safe="_nan_outside(math.acosh)", edges=(1.0,), latex=r"\mathrm{arcosh}",
           sql="acosh({0})", awk="return log(x + sqrt((x - 1) * (x + 1)))",
           interval="rising", limits=(0.0, math.inf)),
    _plain("atanh", "inverse hyperbolic tangent", _one(lambda a, y, x: _inverse(a, _one_minus_square(a, x))),
           "1/(1 - x**2)", "arctanh", domain="|x| < 1", safe="_atanh", edges=(1.0, -1.0),
           latex=r"\mathrm{artanh}", sql="atanh({0})", awk="return log1p(2 * x / (1 - x)) / 2",
           interval="signed"),
    _special("cbrt", "real cube root", _one(lambda a, y, x: _inverse(a, a.mul(a.number(3.0), _square(a, y)))),
             "1/(3*cbrt(x)**2)", edges=(0.0,), latex=r"\sqrt[3]{#}",
             sql="(sign({0}) * power(abs({0}), 0.3333333333333333))", interval="signed"),
    _special("erf", "error function", _one(_erf), "2*exp(-x**2)/sqrt(pi)", sympy="erf",
             interval="signed", limits=(-1.0, 1.0)),
    _special("gamma", "gamma function; the factorial of n is gamma(n+1)",
             _one(lambda a, y, x: a.mul(y, a.call("digamma", x))), "gamma(x)*digamma(x)", sympy="gamma",
             domain=_POLES, latex=r"\Gamma", interval="factorial"),
    _special("lgamma", "logarithm of |gamma(x)|", _one(lambda a, y, x: a.call("digamma", x)), "digamma(x)",
             sympy="loggamma", domain=_POLES, latex=r"\log\Gamma", interval="factorial"),
    _special("digamma", "derivative of lgamma", _one(lambda a, y, x: a.call("trigamma", x)), "trigamma(x)",
             domain=_POLES, latex=r"\psi", interval="psi"),
    _special("trigamma", "derivative of digamma", _no_rule, domain=_POLES, latex=r"\psi_{1}",
             interval="psi_one"),
    _special("sigmoid", "1/(1+exp(-x))", _one(lambda a, y, x: a.mul(y, a.call("sigmoid", a.neg(x)))),
             "sigmoid(x)*sigmoid(-x)", formula="1/(1 + exp(-x))", nonnegative=True,
             interval="rising", limits=(0.0, 1.0)),
    _special("softplus", "log(1+exp(x))", _one(lambda a, y, x: a.call("sigmoid", x)), "sigmoid(x)",
             formula="log(1 + exp(x))", nonnegative=True,
             sql="(CASE WHEN {0} > 0.0 THEN {0} ELSE 0.0 END + ln(1.0 + exp(-abs({0}))))", interval="rising"),
    _special("hypot", "length of a hypotenuse", lambda a, y, args: (a.div(args[0], y), a.div(args[1], y)),
             "x/hypot(x, y)", "y/hypot(x, y)", arity=2, letters="xy", edges=(0.0,), nonnegative=True,
             formula="sqrt(x*x + y*y)", interval="hypotenuse"),
    _own("abs", "absolute value", "fabs", "abs", _one(lambda a, y, x: a.call("sign", x)), "sign(x)", kink=True,
         safe="math.fabs", native="intrinsic", nonnegative=True, latex=r"\left|#\right|", sql="abs({0})",
         awk="return x < 0 ? -x : x", interval="absolute"),
    _own("sign", "-1, 0 or 1", "sign", "sign", _zero, "0", kink=True, safe="sign", latex=r"\mathrm{sgn}",
         sql="sign({0})", interval="exact"),
    _own("floor", "largest integer not above x", "floor", "floor", _zero, "0", kink=True, safe="floor",
         native="intrinsic", latex=r"\left\lfloor #\right\rfloor ", sql="floor({0})",
         awk="u = int(x); return u > x ? u - 1 : u", interval="exact"),
    _own("ceil", "smallest integer not below x", "ceil", "ceil", _zero, "0", kink=True, safe="ceil",
         native="intrinsic", latex=r"\left\lceil #\right\rceil ", sql="ceil({0})",
         awk="u = int(x); return u < x ? u + 1 : u", interval="exact"),
    # The derivatives of these two, which must not touch the side not taken, are in calculus/autodiff.py.
    _own("max", "the largest of several, element by element, or of one vector", "maximum", "maximum", _zero,
         "where(x >= y, 1, 0)", "where(x >= y, 0, 1)", letters="ab", kink=True, safe="maximum",
         slope="1 by the larger, else 0", latex=r"\max", sql="(CASE WHEN {0} >= {1} THEN {0} ELSE {1} END)",
         interval="pair"),
    _own("min", "the smallest of several, element by element, or of one vector", "minimum", "minimum", _zero,
         "where(x <= y, 1, 0)", "where(x <= y, 0, 1)", letters="ab", kink=True, safe="minimum",
         slope="1 by the smaller, else 0", latex=r"\min", sql="(CASE WHEN {0} <= {1} THEN {0} ELSE {1} END)",
         interval="pair"),
)
# fmt: on

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
    ("A @ x, x @ A @ x", "products of a matrix of constants (--set A=@A.csv) and vectors"),
    ("A.T A[0] A[0,1] A[:,0]", "a matrix transposed; its rows, elements and columns, counted from 0"),
    ("X @ w", "in gd fit: a data matrix (--columns 'X=x*') times a vector"),
    ("v[0] v[-1] v[1:] v[::2]", "elements and slices of a vector; counted from 0"),
    ("< <= > >= == !=", "comparisons, in the first place of where"),
    ("# ...", "a comment, to the end of the line"),
)
# Letters that are names of constants wherever they stand alone.
LETTERS = {"π": "pi"}

# The partial derivatives as one writes them on paper; max, min and relu are chosen from, like where.
SLOPES: dict[str, tuple[str, ...]] = {
    **{row.name: row.slopes for row in _ROWS if row.slopes},
    "relu": ("where(x > 0, 1, 0)",),
}

# Every name that can be called, as typed.
CALLABLE = (*(name for name in FUNCTIONS if name not in INTERNAL), "relu", "where", *REDUCTIONS)
