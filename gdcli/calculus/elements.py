"""An expression element by element in some algebra: the tree is folded, vectors are lists of scalars.

The algebra may be sympy's (:mod:`gdcli.calculus.symbolic`) or the small one of :mod:`gdcli.calculus.formulas`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache, reduce
from typing import Any, Protocol

from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Space
from gdcli.language.functions import CONSTANTS, FUNCTIONS
from gdcli.language.matrices import elementwise, part, product, transposed
from gdcli.language.syntax import Node, Tree, fold, parse

# More than this many variables are not written out as formulas: nobody reads them.
MAX_VARIABLES = 30

# What an algebra has under the name of a function or of an operation.
Functions = Callable[[str], Callable[..., Any]]
# Arithmetic of numbers of any kind that have Python's operators.
ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
}


class Elementary(Protocol):
    """What an algebra can do with scalars of its own kind."""

    def symbol(self, name: str) -> Any: ...
    def number(self, value: float) -> Any: ...
    def constant(self, name: str) -> Any: ...
    def operation(self, op: str, args: Sequence[Any]) -> Any: ...
    def call(self, name: str, args: Sequence[Any]) -> Any: ...
    def where(self, relation: str, a: Any, b: Any, yes: Any, no: Any) -> Any: ...


def components(lengths: Mapping[str, int | None]) -> list[str]:
    """Return the names of all components of some variables: x, v[0], v[1], ...

    Raises UsageError for more than `MAX_VARIABLES`.
    """
    space = Space(lengths)
    if space.size > MAX_VARIABLES:
        raise UsageError(
            f"formulas are written for up to {MAX_VARIABLES} variables, and this has {space.size}",
            "--gradient autodiff is exact for any number of variables",
        )
    return space.labels


def variables(algebra: Elementary, lengths: Mapping[str, int | None]) -> dict[str, Any]:
    """Return the value of each variable, its symbol or a list of those. Raises UsageError as `components` does."""
    components(lengths)
    return {
        name: algebra.symbol(name) if n is None else [algebra.symbol(f"{name}[{i}]") for i in range(n)]
        for name, n in lengths.items()
    }


def numbers(algebra: Elementary, constants: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each constant, a number or a list of those."""
    return {
        name: elementwise(algebra.number, [value.tolist() if hasattr(value, "tolist") else value])
        for name, value in constants.items()
    }


class Elements:
    """Expressions of names that have ``values``: scalars of the algebra, or lists of them for vectors."""

    def __init__(self, algebra: Elementary, values: Mapping[str, Any]) -> None:
        self.algebra, self.values = algebra, values

    def value(self, tree: Tree) -> Any:
        for name, named in tree.parts.items():
            self.values = {**self.values, name: self._build(named.root)}
        return self._build(tree.root)

    def _build(self, root: Node) -> Any:
        return fold(root, self._one)

    def _one(self, node: Node, args: list[Any]) -> Any:
        op, value = node.op, node.value
        if op == "number":
            return self.algebra.number(value)
        if op == "name":
            return self.algebra.constant(value) if value in CONSTANTS else self.values[value]
        if op == "index":
            return self.values[value[0]][value[1]]
        if op == "slice":
            return self.values[value[0]][slice(*value[1:])]
        if op in ("part", "transpose"):
            return part(args[0], value) if op == "part" else transposed(args[0])
        if op == "where":
            parts = [self._build(part) for part in node.args]
            return elementwise(lambda *each: self.algebra.where(value, *each), parts)
        if op == "call":
            return self._call(value, args)
        if op == "matmul":
            return product(args[0], args[1], lambda *pair: self.algebra.operation("mul", pair), self._sum)
        return elementwise(lambda *each: self.algebra.operation(op, each), args)

    def _call(self, name: str, args: list[Any]) -> Any:
        operation, call = self.algebra.operation, self.algebra.call
        if name == "dot":
            return self._sum([operation("mul", pair) for pair in zip(*args, strict=True)])
        if name == "norm":
            return call("sqrt", [self._sum([operation("mul", (a, a)) for a in args[0]])])
        if name in ("sum", "mean"):
            total = self._sum(args[0])
            return total if name == "sum" else operation("div", (total, self.algebra.number(len(args[0]))))
        if name == "prod":
            return self._folded("mul", args[0])
        if name in ("max", "min"):
            values = args[0] if len(args) == 1 else args
            return reduce(lambda *pair: elementwise(lambda *each: call(name, each), pair), values)
        return elementwise(lambda *each: call(name, each), args)

    def _sum(self, values: Sequence[Any]) -> Any:
        return self._folded("add", values)

    def _folded(self, op: str, values: Sequence[Any]) -> Any:
        return reduce(lambda *pair: self.algebra.operation(op, pair), values)


class _Formulas:
    """The algebra of the formulas in the table of functions: numbers, arithmetic and calls."""

    def __init__(self, number: Callable[[float], Any], function: Functions) -> None:
        self.number, self.function = number, function

    def operation(self, op: str, args: Sequence[Any]) -> Any:
        return self.function(op)(*args)

    call = operation

    def symbol(self, name: str) -> Any:
        raise KeyError(name)

    def constant(self, name: str) -> Any:
        return self.number(CONSTANTS[name])

    def where(self, relation: str, a: object, b: object, yes: object, no: object) -> Any:
        raise NotImplementedError(relation)


def by_formula(name: str, args: Sequence[Any], number: Callable[[float], Any], function: Functions) -> Any:
    """Return the value of a function that an algebra does not have, by others that it has.

    ``number(value)`` and ``function(name or operation)`` are those of the algebra.
    """
    values = dict(zip(FUNCTIONS[name].letters, args, strict=True))
    return Elements(_Formulas(number, function), values).value(_formula(name))


@cache
def _formula(name: str) -> Tree:
    return parse(FUNCTIONS[name].formula)
