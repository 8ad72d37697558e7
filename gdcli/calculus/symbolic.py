"""Expressions as sympy has them: its derivatives, for ``--gradient symbolic``, and what is asked in sympy's own terms.

The tree is rebuilt node by node as sympy expressions (never through sympy's own parser), differentiated
there, and turned back into nodes of the expression graph, so that it runs as every other program. Vectors are
written out element by element. sympy costs a quarter of a second to import, so nothing else imports it: what is shown
to people is written by :mod:`gdcli.calculus.formula_text`.

An expression of sympy's is written in the words of the language, so that it is read, solved and kept as if it had been
typed. Numbers keep all digits that a double has; rational numbers and powers stay quotients and powers. A function that
the language has not is written by others where that costs no digits (`_BY_OTHERS`), what is not worked out yet (a
derivative, a sum) is worked out by sympy, and anything else is an error that names it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import isfinite
from typing import Any, TypeVar

import sympy as sp

from gdcli.calculus.elements import ARITHMETIC, Elements, by_formula, components, numbers, variables
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.language.functions import CALLABLE, CONSTANTS, FUNCTIONS
from gdcli.language.graph import Graph
from gdcli.language.syntax import Tree
from gdcli.language.tokens import normal

C = TypeVar("C")

_RELATIONS = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge, "==": sp.Eq, "!=": sp.Ne}


class _Step(sp.Function):  # type: ignore[misc]
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


class floor(_Step):  # noqa: N801 - the class name is what formulas show
    """The largest integer not above x."""


class ceil(_Step):  # noqa: N801
    """The smallest integer not below x."""


class sign(_Step):  # noqa: N801
    """-1, 0 or 1."""


class cbrt(sp.Function):  # type: ignore[misc]  # noqa: N801
    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (3 * self**2)


class abs_(sp.Function):  # type: ignore[misc]  # noqa: N801
    """The absolute value, with sign(x) for its derivative."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return sign(self.args[0])


# What sympy has under its name would not turn back into nodes, or have other derivatives.
_OWN: dict[str, Callable[..., Any]] = {
    "digamma": lambda x: sp.polygamma(0, x),
    "trigamma": lambda x: sp.polygamma(1, x),
    "cbrt": cbrt,
    "abs": abs_,
    "sign": sign,
    "floor": floor,
    "ceil": ceil,
    "relu": lambda x: sp.Piecewise((0, x <= 0), (x, True)),
    "max": lambda a, b: sp.Piecewise((a, a >= b), (b, True)),
    "min": lambda a, b: sp.Piecewise((a, a <= b), (b, True)),
}


def function(name: str) -> Callable[..., Any]:
    found = _OWN.get(name)
    if found is not None:
        return found
    row = FUNCTIONS[name]
    if row.formula:
        return lambda *args: by_formula(name, args, _Sympy().number, _applied)
    named: Callable[..., Any] = getattr(sp, row.sympy)
    return named


def _applied(op: str) -> Callable[..., Any]:
    return _OPERATIONS.get(op) or function(op)


class _Sympy:
    def symbol(self, name: str) -> Any:
        return sp.Symbol(name, real=True)

    def number(self, value: float) -> Any:
        """Return a number as sympy writes it best: an integer or short decimal exactly, others as floats."""
        value = float(value)
        if value == int(value) and abs(value) < 1e15:
            return sp.Integer(int(value))
        exact = sp.Rational(repr(value))
        return exact if exact.q <= 1000 else sp.Float(value, 17)

    def constant(self, name: str) -> Any:
        return {"pi": sp.pi, "e": sp.E}[name]

    def operation(self, op: str, args: Sequence[Any]) -> Any:
        return _applied(op)(*args)

    call = operation

    def where(self, relation: str, a: object, b: object, yes: object, no: object) -> Any:
        return sp.Piecewise((yes, _RELATIONS[relation](a, b)), (no, True))


_OPERATIONS = {**ARITHMETIC, "pow": operator.pow}


class SympyExpression:
    """An expression as sympy has it: ``expression``, and the symbol of each component of the flat vector.

    Raises UsageError for more components than formulas are written for.
    """

    def __init__(self, tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> None:
        algebra = _Sympy()
        self.symbols = [algebra.symbol(name) for name in components(lengths)]
        values = variables(algebra, lengths) | numbers(algebra, constants)
        self.expression = Elements(algebra, values).value(tree)

    def gradient(self) -> list[Any]:
        return [sp.diff(self.expression, s) for s in self.symbols]


def choose_by_parts(condition: object, yes: C, no: C, compare: Callable[[Any, C, C], C]) -> C:
    """Return the choice by a condition made of choices by its comparisons, each of which ``compare`` makes."""
    if condition in (sp.true, sp.false):
        return yes if condition == sp.true else no
    if isinstance(condition, sp.And):
        for part in condition.args:
            yes = choose_by_parts(part, yes, no, compare)
        return yes
    if isinstance(condition, sp.Or):
        for part in condition.args:
            no = choose_by_parts(part, yes, no, compare)
        return no
    if isinstance(condition, sp.Not):
        return choose_by_parts(condition.args[0], no, yes, compare)
    if isinstance(condition, sp.ITE):
        test, *sides = condition.args
        first, second = (choose_by_parts(side, yes, no, compare) for side in sides)
        return choose_by_parts(test, first, second, compare)
    return compare(condition, yes, no)


def to_graph(expression: object, graph: Graph, leaves: Mapping[str, int]) -> int:
    """Return the graph node of a sympy expression; ``leaves`` has the node of each symbol by name."""
    return _ToGraph(graph, leaves).node(expression)


def _no_program(e: object) -> UsageError:
    return UsageError(
        f"no program can be made of the formula {str(e)[:200]}",
        "--gradient autodiff is exact and needs no formula",
    )


def _float(number: sp.Expr) -> float:
    """Return a number of sympy as a float: nan where it is complex or undefined."""
    try:
        return float(number)
    except (TypeError, ValueError, OverflowError):
        return math.nan


# Functions of the language that sympy, or this module, calls by another name.
CALLS = {
    "loggamma": "lgamma",
    "Abs": "abs",
    "abs_": "abs",
    "ceiling": "ceil",
    "Max": "max",
    "Min": "min",
    "Cbrt": "cbrt",
}


class _ToGraph:
    def __init__(self, graph: Graph, leaves: Mapping[str, int]) -> None:
        self.graph = graph
        self.leaves = leaves
        self.done: dict[Any, int] = {}

    def node(self, e: object) -> int:
        found = self.done.get(e)
        if found is None:
            found = self.done[e] = self.new(e)
        return found

    def new(self, e: sp.Expr) -> int:
        g = self.graph
        if e.is_Symbol:
            return self.leaves[e.name]
        if e.is_number and not e.free_symbols:
            return g.number(_float(e))
        if e.is_Add:
            return self.fold(g.add, e.args)
        if e.is_Mul:
            top, bottom = e.as_numer_denom()
            if bottom != 1 and not (top.is_Mul and top == e):
                return g.div(self.node(top), self.node(bottom))
            return self.fold(g.mul, e.args)
        if e.is_Pow:
            return self.power(*e.as_base_exp())
        if isinstance(e, sp.Piecewise):
            return self.piecewise(e)
        return self.called(e)

    def called(self, e: sp.Expr) -> int:
        name, args = type(e).__name__, [self.node(a) for a in e.args]
        if name == "polygamma":
            return self.graph.call("digamma" if e.args[0] == 0 else "trigamma", args[1])
        name = CALLS.get(name, name)
        if name in FUNCTIONS:
            return self.graph.call(name, *args)
        raise _no_program(e)

    def power(self, base: sp.Expr, exponent: sp.Expr) -> int:
        g = self.graph
        if exponent == sp.Rational(1, 2):
            return g.call("sqrt", self.node(base))
        if exponent.is_number and exponent < 0:
            return g.div(g.number(1.0), self.power(base, -exponent))
        if base == sp.E:
            return g.call("exp", self.node(exponent))
        return g.pow(self.node(base), self.node(exponent))

    def fold(self, operation: Callable[[int, int], int], args: Sequence[Any]) -> int:
        return reduce(operation, map(self.node, args))

    def piecewise(self, e: sp.Expr) -> int:
        result = self.graph.number(math.nan)
        for value, condition in reversed(e.args):
            if condition == True:  # noqa: E712 - sympy's true
                result = self.node(value)
                continue
            result = choose_by_parts(condition, self.node(value), result, self.compare)
        return result

    def compare(self, condition: object, yes: int, no: int) -> int:
        if not isinstance(condition, sp.core.relational.Relational):
            raise _no_program(condition)
        left, right = self.node(condition.lhs), self.node(condition.rhs)
        return self.graph.where(condition.rel_op, left, right, yes, no)


# -- as text -----------------------------------------------------------------------------------------------------------

# How tightly the parts of a text hold together; a part that holds less than what is around it gets parentheses.
_SUM, _PRODUCT, _POWER, _ATOM = range(4)

_BY_OTHERS: dict[str, Callable[..., Any]] = {
    "sec": lambda x: 1 / sp.cos(x),
    "csc": lambda x: 1 / sp.sin(x),
    "cot": lambda x: 1 / sp.tan(x),
    "sech": lambda x: 1 / sp.cosh(x),
    "csch": lambda x: 1 / sp.sinh(x),
    "coth": lambda x: 1 / sp.tanh(x),
    "asec": lambda x: sp.acos(1 / x),
    "acsc": lambda x: sp.asin(1 / x),
    "acot": lambda x: sp.atan(1 / x),
    "asech": lambda x: sp.acosh(1 / x),
    "acsch": lambda x: sp.asinh(1 / x),
    "acoth": lambda x: sp.atanh(1 / x),
    "factorial": lambda x: sp.gamma(x + 1),
    "sinc": lambda x: sp.Piecewise((sp.sin(x) / x, sp.Ne(x, 0)), (1, True)),
    "Heaviside": lambda x, middle: sp.Piecewise((0, sp.Lt(x, 0)), (1, sp.Gt(x, 0)), (middle, True)),
}
_CONSTANTS = {sp.pi: "pi", sp.E: "e"}
# What Piecewise is where none of its conditions holds: outside the domain.
_NOWHERE = "0/0"


class _Part(NamedTuple):
    """A piece of text, and how tightly it holds together: whether it needs parentheses inside of something else."""

    text: str
    level: int

    def within(self, level: int) -> str:
        """Return the text as it stands inside something that holds as tightly as ``level``."""
        return self.text if self.level >= level else f"({self.text})"


def text(expression: object) -> str:
    """Return the text of a sympy expression; an equation is the model of a fit, ``y ~ a*x + b``.

    Raises UsageError for what the language has not.
    """
    write = _Writer()
    try:
        if isinstance(expression, sp.Eq):
            return f"{write.part(expression.lhs).text} ~ {write.part(expression.rhs).text}"
        return write.part(expression).text
    except RecursionError:
        raise UsageError("the expression is nested too deeply", "give its parts names of their own") from None


class _Writer:
    """Writes parts, and sees to it that each name stands for one symbol."""

    def __init__(self) -> None:
        self.symbols: dict[str, Any] = {}

    def part(self, e: object) -> _Part:
        if isinstance(e, sp.Symbol | sp.Indexed | sp.matrices.expressions.matexpr.MatrixElement):
            return self.variable(e)
        if isinstance(e, sp.Number):
            return _number(e)
        if isinstance(e, sp.NumberSymbol):
            return _Part(_CONSTANTS.get(e) or repr(float(e)), _ATOM)
        if isinstance(e, sp.Add):
            return self.sum(e.as_ordered_terms())
        if isinstance(e, sp.Mul):
            return self.product(e.as_ordered_factors())
        if isinstance(e, sp.Pow):
            return self.power(*e.args)
        if isinstance(e, sp.Piecewise):
            return _Part(self.piecewise(e.args), _ATOM)
        return self.other(e)

    def variable(self, e: sp.Expr) -> _Part:
        """Return the name of a symbol, or that of a vector with the number of the element."""
        base, place = e, ""
        if not isinstance(e, sp.Symbol):
            base, *indices = e.args
            first = indices[0]
            if not first.is_Integer or any(i != 0 for i in indices[1:]):
                raise UsageError(f"{e} is no element of a vector", "write v[0] with a number for the index")
            base, place = (base.args[0] if isinstance(base, sp.IndexedBase) else base), f"[{first}]"
        name = str(base.name)
        if not name.isidentifier():
            raise UsageError(
                f"the symbol {name!r} has no name that can be typed", "rename it, for example to x1"
            )
        if normal(name) in CONSTANTS:
            raise UsageError(
                f"the symbol {name} has the name of a constant", f"use sympy's, or rename {name}"
            )
        if self.symbols.setdefault(name, base) != base:
            raise UsageError(
                f"there are two symbols of the name {name}",
                "they differ in what is assumed of them; make one of them",
            )
        return _Part(name + place, _ATOM)

    def sum(self, terms: Sequence[Any]) -> _Part:
        written = self.part(terms[0]).within(_SUM)
        for term in terms[1:]:
            factor, rest = term.as_coeff_Mul()
            minus = factor.is_negative
            part = self.product([-factor, *sp.Mul.make_args(rest)]) if minus else self.part(term)
            written += f" {'-' if minus else '+'} {part.within(_PRODUCT)}"
        return _Part(written, _SUM)

    def product(self, factors: Sequence[Any]) -> _Part:
        minus, above, below = False, [], []
        for factor in factors:
            if isinstance(factor, sp.Number) and factor.is_negative:
                minus, factor = not minus, -factor
            if isinstance(factor, sp.Rational):
                above += [] if factor.p == 1 else [str(factor.p)]
                below += [] if factor.q == 1 else [str(factor.q)]
            elif isinstance(factor, sp.Pow) and factor.exp.is_Rational and factor.exp < 0:
                below.append(self.power(factor.base, -factor.exp).within(_POWER))
            else:
                above.append(self.part(factor).within(_POWER))
        written = "*".join(above) or "1"
        if below:
            written += f"/{below[0]}" if len(below) == 1 else f"/({'*'.join(below)})"
        return _Part("-" + written, _SUM) if minus else _Part(written, _PRODUCT)

    def power(self, base: sp.Expr, exponent: sp.Expr) -> _Part:
        if exponent == 1:
            return self.part(base)
        if exponent == sp.Rational(1, 2):
            return _Part(f"sqrt({self.part(base).text})", _ATOM)
        if exponent.is_Rational and exponent < 0:
            return _Part(f"1/{self.power(base, -exponent).within(_POWER)}", _PRODUCT)
        return _Part(f"{self.part(base).within(_ATOM)}**{self.part(exponent).within(_ATOM)}", _POWER)

    def piecewise(self, pairs: Sequence[Any]) -> str:
        written = _NOWHERE
        for value, condition in reversed(pairs):
            written = choose_by_parts(condition, self.part(value).text, written, self.choice)
        return written

    def choice(self, condition: object, yes: str, no: str) -> str:
        if not isinstance(condition, sp.core.relational.Relational):
            raise _unknown(condition)
        left, right = self.part(condition.lhs).text, self.part(condition.rhs).text
        return f"where({left} {condition.rel_op} {right}, {yes}, {no})"

    def other(self, e: sp.Expr) -> _Part:
        """Return a function of the language, what stands for one, or what sympy makes of something unfinished."""
        name = type(e).__name__
        name = CALLS.get(name, name)
        if isinstance(e, sp.Function | sp.Max | sp.Min) and name in CALLABLE:
            return _Part(f"{name}({', '.join(self.part(a).text for a in e.args)})", _ATOM)
        if name in _BY_OTHERS:
            return self.part(_BY_OTHERS[name](*e.args))
        done = e.doit() if isinstance(e, sp.Expr) else e
        if done == e:
            raise _unknown(e)
        return self.part(done)


def _number(e: sp.Expr) -> _Part:
    if isinstance(e, sp.Rational):
        level = _SUM if e < 0 else _ATOM if e.q == 1 else _PRODUCT
        return _Part(str(e), level)
    value = float(e)
    if not isfinite(value):
        raise UsageError(f"{_short(e)} is no number to compute with")
    return _Part(repr(value), _SUM if value < 0 else _ATOM)


def _unknown(e: object) -> UsageError:
    if e is sp.I:
        return UsageError("the expression has the imaginary unit I, and numbers here are real")
    if isinstance(e, sp.logic.boolalg.Boolean):
        return UsageError(
            f"{_short(e)} is no number",
            "an equation is for api.fit; for its solution minimise (left - right)**2",
        )
    name = e.func.__name__ if hasattr(e, "func") else type(e).__name__
    where = "" if str(e) == name else f" (in {_short(e)})"
    return UsageError(f"the language has no {name}{where}", "'gd functions' lists what it has")


def _short(e: object) -> str:
    shown = str(e)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
