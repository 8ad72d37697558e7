"""Formulas: sympy reads the checked tree for whatever is shown to people or derived by algebra.

The tree is rebuilt node by node as sympy expressions (never through sympy's own parser), differentiated
there, and for ``--gradient symbolic`` turned back into nodes of the expression graph, so that it runs as
every other program. Vectors are written out element by element. sympy costs a quarter of a second to import,
so nothing else imports it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from gdcli.errors import UsageError
from gdcli.language.functions import CONSTANTS, FUNCTIONS
from gdcli.language.graph import Graph
from gdcli.language.syntax import Node, Tree, fold

C = TypeVar("C")

# More than this many variables are not written out as formulas: sympy's time grows with their square.
MAX_VARIABLES = 30
# Formulas beyond this size are shown as they come out of differentiation; simplifying them can take minutes.
SIMPLIFY_SIZE = 80
# sympy reads cos(n*x) as a polynomial of degree n.
LARGEST_MULTIPLE = 20

_RELATIONS = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge, "==": sp.Eq, "!=": sp.Ne}


class _Step(sp.Function):  # type: ignore[misc]
    """A function whose derivative is 0 wherever it exists."""

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
    """The real cube root."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (3 * self**2)


class abs_(sp.Function):  # type: ignore[misc]  # noqa: N801
    """The absolute value, with sign(x) for its derivative."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return sign(self.args[0])


_FORMULAS: dict[str, Callable[..., Any]] = {
    "log2": lambda x: sp.log(x) / sp.log(2),
    "log10": lambda x: sp.log(x) / sp.log(10),
    "log1p": lambda x: sp.log(1 + x),
    "expm1": lambda x: sp.exp(x) - 1,
    "sigmoid": lambda x: 1 / (1 + sp.exp(-x)),
    "softplus": lambda x: sp.log(1 + sp.exp(x)),
    "hypot": lambda x, y: sp.sqrt(x**2 + y**2),
    "lgamma": sp.loggamma,
    "digamma": lambda x: sp.polygamma(0, x),
    "trigamma": lambda x: sp.polygamma(1, x),
    "cbrt": cbrt,
    "abs": abs_,
    "sign": sign,
    "floor": floor,
    "ceil": ceil,
    "max": lambda a, b: sp.Piecewise((a, a >= b), (b, True)),
    "min": lambda a, b: sp.Piecewise((a, a <= b), (b, True)),
}


def function(name: str) -> Callable[..., Any]:
    """Return sympy's counterpart of a function of the table."""
    found = _FORMULAS.get(name)
    if found is None:
        found = getattr(sp, FUNCTIONS[name].sympy)
    assert found is not None
    return found


class Formula:
    """An expression as sympy has it: ``expression``, and the symbol of each component of the flat vector."""

    def __init__(self, tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> None:
        self.symbols: list[Any] = []
        self.values: dict[str, Any] = {}
        for name, length in lengths.items():
            if length is None:
                self.values[name] = self._symbol(name)
            else:
                self.values[name] = [self._symbol(f"{name}[{i}]") for i in range(length)]
        for name, value in constants.items():
            self.values[name] = [_number(v) for v in value] if hasattr(value, "__len__") else _number(value)
        if len(self.symbols) > MAX_VARIABLES:
            raise UsageError(
                f"formulas are written for up to {MAX_VARIABLES} variables, and this has {len(self.symbols)}",
                "--gradient autodiff is exact for any number of variables",
            )
        self.expression = self._build(tree.root)

    def _symbol(self, name: str) -> Any:
        self.symbols.append(sp.Symbol(name, real=True))
        return self.symbols[-1]

    def gradient(self) -> list[Any]:
        """Return the partial derivatives, one a component."""
        return [sp.diff(self.expression, s) for s in self.symbols]

    def texts(self) -> dict[str, str]:
        """Return the partial derivatives as text, simplified where they are small, by component name."""
        return {str(s): text(d) for s, d in zip(self.symbols, self.gradient(), strict=True)}

    def _build(self, root: Node) -> Any:
        return fold(root, self._one)

    def _one(self, node: Node, args: list[Any]) -> Any:
        op = node.op
        if op == "number":
            return _number(node.value)
        if op == "name":
            return (
                {"pi": sp.pi, "e": sp.E}[node.value] if node.value in CONSTANTS else self.values[node.value]
            )
        if op == "index":
            return self.values[node.value[0]][node.value[1]]
        if op == "slice":
            return self.values[node.value[0]][slice(*node.value[1:])]
        if op == "where":
            left, right, yes, no = (self._build(part) for part in node.args)
            relation = _RELATIONS[node.value]
            return _elementwise(
                lambda a, b, p, q: sp.Piecewise((p, relation(a, b)), (q, True)), [left, right, yes, no]
            )
        if op == "call":
            return _call(node.value, args)
        return _elementwise(_OPERATIONS[op], args)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "neg": lambda a: -a,
}


def _call(name: str, args: list[Any]) -> Any:
    if name == "dot":
        return sum(a * b for a, b in zip(*args, strict=True))
    if name == "sum":
        return sum(args[0])
    if name == "mean":
        return sum(args[0]) / len(args[0])
    if name == "prod":
        return math.prod(args[0])
    if name == "norm":
        return sp.sqrt(sum(a**2 for a in args[0]))
    if name == "relu":
        return _elementwise(lambda x: sp.Piecewise((0, x <= 0), (x, True)), args)
    if name in ("max", "min"):
        values = args[0] if len(args) == 1 else args
        result = values[0]
        for other in values[1:]:
            result = _elementwise(function(name), [result, other])
        return result
    return _elementwise(function(name), args)


def _elementwise(operation: Callable[..., Any], args: Sequence[Any]) -> Any:
    length = next((len(a) for a in args if isinstance(a, list)), None)
    if length is None:
        return operation(*args)
    return [operation(*(a[i] if isinstance(a, list) else a for a in args)) for i in range(length)]


def _number(value: float) -> Any:
    """A number as sympy writes it best: an integer or short decimal exactly, others as floats."""
    value = float(value)
    if value == int(value) and abs(value) < 1e15:
        return sp.Integer(int(value))
    exact = sp.Rational(repr(value))
    return exact if exact.q <= 1000 else sp.Float(value, 17)


def text(expression: Any) -> str:
    """Return a formula as the user could type it, simplified unless it is long."""
    return str(_Printer().doprint(_simplified(expression)))


def latex(expression: Any) -> str:
    """Return a formula in LaTeX, simplified unless it is long."""
    return str(_LatexPrinter({"fold_short_frac": False}).doprint(_simplified(expression)))


def _simplified(expression: Any) -> Any:
    if expression.count_ops() > SIMPLIFY_SIZE or _has_large_multiples(expression):
        return expression
    return sp.simplify(expression)


def _has_large_multiples(expression: Any) -> bool:
    """Whether simplifying would write out something like cos(10000*x), or x**10000 - 1, term by term."""
    inner = [part for f in expression.atoms(sp.Function) for part in f.args]
    inner += [power.exp for power in expression.atoms(sp.Pow)]
    return any(abs(n) > LARGEST_MULTIPLE for part in inner for n in part.atoms(sp.Integer))


class _LatexPrinter(LatexPrinter):  # type: ignore[misc]
    """Writes the functions that sympy does not know as mathematicians do."""

    def _print_abs_(self, e: Any, exp: Any = None) -> str:
        return self._raised(rf"\left|{{{self._print(e.args[0])}}}\right|", exp)

    def _print_sign(self, e: Any, exp: Any = None) -> str:
        return self._raised(rf"\operatorname{{sign}}\left({self._print(e.args[0])}\right)", exp)

    def _print_cbrt(self, e: Any, exp: Any = None) -> str:
        return self._raised(rf"\sqrt[3]{{{self._print(e.args[0])}}}", exp)

    def _print_floor(self, e: Any, exp: Any = None) -> str:
        return self._raised(rf"\left\lfloor{{{self._print(e.args[0])}}}\right\rfloor", exp)

    def _print_ceil(self, e: Any, exp: Any = None) -> str:
        return self._raised(rf"\left\lceil{{{self._print(e.args[0])}}}\right\rceil", exp)

    def _print_Float(self, e: Any) -> str:  # noqa: N802 - sympy's name
        digits, _, exponent = repr(float(e)).partition("e")
        return rf"{digits} \cdot 10^{{{int(exponent)}}}" if exponent else digits

    def _raised(self, text: str, exp: Any) -> str:
        return text if exp is None else f"{text}^{{{exp}}}"


def choose_by_parts(condition: Any, yes: C, no: C, compare: Callable[[Any, C, C], C]) -> C:
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


class _Printer(StrPrinter):  # type: ignore[misc]
    """Writes formulas in the language of gd."""

    def _print_Piecewise(self, e: Any) -> str:  # noqa: N802 - sympy's name
        result = "nan"
        for value, condition in reversed(e.args):
            result = self._choice(condition, self._print(value), result)
        return result

    def _choice(self, condition: Any, yes: str, no: str) -> str:
        """The text of a choice by a condition, whose parts become choices of their own."""
        return choose_by_parts(condition, yes, no, self._compare)

    def _compare(self, condition: Any, yes: str, no: str) -> str:
        left, right = self._print(condition.lhs), self._print(condition.rhs)
        return f"where({left} {condition.rel_op} {right}, {yes}, {no})"

    def _print_Abs(self, e: Any) -> str:  # noqa: N802
        return f"abs({self._print(e.args[0])})"

    def _print_Float(self, e: Any) -> str:  # noqa: N802
        return repr(float(e))

    def _print_Exp1(self, e: Any) -> str:  # noqa: N802
        return "e"

    def _print_polygamma(self, e: Any) -> str:
        return f"{'digamma' if e.args[0] == 0 else 'trigamma'}({self._print(e.args[1])})"

    def _print_loggamma(self, e: Any) -> str:
        return f"lgamma({self._print(e.args[0])})"

    def _print_abs_(self, e: Any) -> str:
        return f"abs({self._print(e.args[0])})"


def to_graph(expression: Any, graph: Graph, leaves: Mapping[str, int]) -> int:
    """Return the graph node of a sympy expression; ``leaves`` has the node of each symbol by name."""
    return _ToGraph(graph, leaves).node(expression)


def _no_program(e: Any) -> UsageError:
    return UsageError(
        f"no program can be made of the formula {str(e)[:200]}",
        "--gradient autodiff is exact and needs no formula",
    )


def _float(number: Any) -> float:
    """Return a number of sympy as a float: nan where it is complex or undefined."""
    try:
        return float(number)
    except (TypeError, ValueError, OverflowError):
        return math.nan


_CALLS = {"loggamma": "lgamma", "Abs": "abs", "abs_": "abs", "ceiling": "ceil"}


class _ToGraph:
    def __init__(self, graph: Graph, leaves: Mapping[str, int]) -> None:
        self.graph = graph
        self.leaves = leaves
        self.done: dict[Any, int] = {}

    def node(self, e: Any) -> int:
        found = self.done.get(e)
        if found is None:
            found = self.done[e] = self.new(e)
        return found

    def new(self, e: Any) -> int:
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
        name = type(e).__name__
        args = [self.node(a) for a in e.args]
        if name == "polygamma":
            return g.call("digamma" if e.args[0] == 0 else "trigamma", args[1])
        name = _CALLS.get(name, name)
        if name in FUNCTIONS:
            return g.call(name, *args)
        raise _no_program(e)

    def power(self, base: Any, exponent: Any) -> int:
        g = self.graph
        if exponent == sp.Rational(1, 2):
            return g.call("sqrt", self.node(base))
        if exponent.is_number and exponent < 0:
            return g.div(g.number(1.0), self.power(base, -exponent))
        if base == sp.E:
            return g.call("exp", self.node(exponent))
        return g.pow(self.node(base), self.node(exponent))

    def fold(self, operation: Callable[[int, int], int], args: Sequence[Any]) -> int:
        result = self.node(args[0])
        for other in args[1:]:
            result = operation(result, self.node(other))
        return result

    def piecewise(self, e: Any) -> int:
        """Pairs (value, condition): the first whose condition holds."""
        result = self.graph.number(math.nan)
        for value, condition in reversed(e.args):
            if condition == True:  # noqa: E712 - sympy's true
                result = self.node(value)
                continue
            result = self.choice(condition, self.node(value), result)
        return result

    def choice(self, condition: Any, yes: int, no: int) -> int:
        return choose_by_parts(condition, yes, no, self.compare)

    def compare(self, condition: Any, yes: int, no: int) -> int:
        if not isinstance(condition, sp.core.relational.Relational):
            raise _no_program(condition)
        left, right = self.node(condition.lhs), self.node(condition.rhs)
        return self.graph.where(condition.rel_op, left, right, yes, no)
