"""Derivatives by sympy, for ``--gradient symbolic``.

The tree is rebuilt node by node as sympy expressions (never through sympy's own parser), differentiated
there, and turned back into nodes of the expression graph, so that it runs as every other program. Vectors are
written out element by element. sympy costs a quarter of a second to import, so nothing else imports it: what is shown
to people is written by :mod:`gdcli.calculus.formula_text`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeVar

import sympy as sp

from gdcli.calculus.elements import ARITHMETIC, Elements, by_formula, components, numbers, variables
from gdcli.kernel.errors import UsageError
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph
from gdcli.language.syntax import Tree

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
        algebra = _Sympy()
        return lambda *args: by_formula(name, args, algebra.number, algebra.operation, algebra.call)
    named: Callable[..., Any] = getattr(sp, row.sympy)
    return named


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
        return _OPERATIONS[op](*args)

    def call(self, name: str, args: Sequence[Any]) -> Any:
        return function(name)(*args)

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
            result = self.choice(condition, self.node(value), result)
        return result

    def choice(self, condition: object, yes: int, no: int) -> int:
        return choose_by_parts(condition, yes, no, self.compare)

    def compare(self, condition: object, yes: int, no: int) -> int:
        if not isinstance(condition, sp.core.relational.Relational):
            raise _no_program(condition)
        left, right = self.node(condition.lhs), self.node(condition.rhs)
        return self.graph.where(condition.rel_op, left, right, yes, no)
