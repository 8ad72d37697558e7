"""A sympy expression in the words of the language, so that it is read, solved and kept as if it had been typed.

The tree is written node by node. Numbers keep all digits that a double has; rational numbers and powers stay quotients
and powers. A function that the language has not is written by others where that costs no digits (`_BY_OTHERS`), what is
not worked out yet (a derivative, a sum) is worked out by sympy, and anything else is an error that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import sympy as sp

from gdcli.calculus.symbolic import CALLS, choose_by_parts
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.language.functions import CALLABLE, CONSTANTS
from gdcli.language.tokens import normal

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
