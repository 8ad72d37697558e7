"""Walking the typed tree with numbers: the meaning of an expression, written down once more and directly.

Slow and plain. It finds the sub-expression that left the domain, and the tests hold every program against it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial, reduce
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language import ieee
from gdcli.language.functions import CONSTANTS
from gdcli.language.graph import compare, evaluate
from gdcli.language.syntax import Node, Tree, fold, postorder
from gdcli.language.tree_names import name_of

Number = Any  # a number, a list of them, or a list of rows


class Culprit(NamedTuple):
    """The first sub-expression that is not finite although its parts are.

    ``node`` is its place in ``tree``, ``value`` what it gave, ``parts`` the text and value of each argument that
    varies, ``at`` the element of a vector (None for a scalar).
    """

    tree: Tree
    node: Node
    value: float
    parts: list[tuple[str, float]]
    at: int | None

    @property
    def piece(self) -> str:
        return self.tree.piece(self.node)

    @property
    def told(self) -> str:
        return ", ".join(f"{text} = {number:.6g}" for text, number in self.parts)


class _Found(Exception):  # noqa: N818 - not an error: it carries the answer up
    def __init__(self, culprit: Culprit) -> None:
        self.culprit = culprit


def value(tree: Tree, point: Mapping[str, float | Sequence[float]], constants: Container[str] = ()) -> float:
    """Return the value of the expression at a point (variables and ``constants`` by name)."""
    result = _Walk(tree, point, False, constants).run(tree.root)
    assert isinstance(result, float)
    return result


def any_value(tree: Tree, constants: Mapping[str, Any]) -> Number:
    """Return the value of an expression of constants, a number or a list of them."""
    return _Walk(tree, constants, False, constants).run(tree.root)


def find_culprit(
    tree: Tree, point: Mapping[str, float | Sequence[float]], constants: Container[str] = ()
) -> Culprit | None:
    """Return the sub-expression where the first inf or nan arises, None when there is none."""
    try:
        _Walk(tree, point, True, constants).run(tree.root)
    except _Found as found:
        return found.culprit
    return None


class _Walk:
    def __init__(
        self,
        tree: Tree,
        point: Mapping[str, float | Sequence[float]],
        search: bool,
        constants: Container[str],
    ) -> None:
        self.tree = tree
        self.fixed = constants
        self.point: dict[str, Any] = {**CONSTANTS, **point}
        self.search = search
        self.parts: dict[str, Number] = {}

    def run(self, root: Node) -> Number:
        return fold(root, self.one)

    def one(self, node: Node, args: list[Number]) -> Number:
        if node.op == "number":
            return float(node.value)
        if node.op == "name":
            return self.name(node.value)
        if node.op == "index":
            return _plain(self.point[node.value[0]][node.value[1]])
        if node.op == "slice":
            name, start, stop, step = node.value
            return _plain(self.point[name][start:stop:step])
        if node.op == "where":
            return self.where(node)
        if node.op == "matmul":
            return self.matmul(node, args)
        if node.op in ("part", "transpose"):
            from gdcli.language.matrices import part, transposed

            return part(args[0], node.value) if node.op == "part" else transposed(args[0])
        if any(isinstance(a, list) and isinstance(a[0], list) for a in args):
            from gdcli.language.matrices import elementwise

            return elementwise(lambda *each: self.apply(node, each), args)
        return self.reduced(node, args) if is_reduction(node) else self.elementwise(node, args)

    def reduced(self, node: Node, args: list[Any]) -> float:
        result: float = REDUCE[node.value](*args)
        self.look(node, [], result, None)
        return result

    def name(self, name: str) -> Number:
        """The value of a name; that of a part is found when it is needed."""
        if name not in self.tree.parts:
            got = self.point[name]
            return _plain(got)
        if name not in self.parts:
            outer, self.tree = self.tree, self.tree.parts[name]
            self.parts[name] = self.run(self.tree.root)
            self.tree = outer
        return self.parts[name]

    def matmul(self, node: Node, args: list[Any]) -> Number:
        from gdcli.language.matrices import product

        found = product(args[0], args[1], lambda a, b: a * b, _sum)
        for i, value in enumerate(found if isinstance(found, list) else [found]):
            if not isinstance(value, list):
                self.look(node, [], value, i if isinstance(found, list) else None)
        return found

    def where(self, node: Node) -> Number:
        left, right = self.run(node.args[0]), self.run(node.args[1])
        length = next((len(p) for p in (left, right) if isinstance(p, list)), None)
        if length is None:
            holds = compare(node.value, left, right)
            taken = self.run(node.args[2] if holds else node.args[3])
            return taken if isinstance(taken, list) else self.broadcast(taken, node.args[3 if holds else 2])
        holds_at = [compare(node.value, _at(left, i), _at(right, i)) for i in range(length)]
        searching, self.search = self.search, False  # elements not taken must not be blamed
        yes, no = self.run(node.args[2]), self.run(node.args[3])
        self.search = searching
        picked = [_at(yes if holds else no, i) for i, holds in enumerate(holds_at)]
        for i, v in enumerate(picked):
            self.look(node, [], v, i)
        return picked

    def broadcast(self, value: float, other: Node) -> Number:
        """Return a number as often as the branch not taken has elements."""
        searching, self.search = self.search, False
        shape = self.run(other)
        self.search = searching
        return [value] * len(shape) if isinstance(shape, list) else value

    def elementwise(self, node: Node, args: list[Number]) -> Number:
        length = next((len(a) for a in args if isinstance(a, list)), None)
        if length is None:
            result = self.apply(node, args)
            self.look(node, args, result, None)
            return result
        values = []
        for i in range(length):
            parts = [_at(a, i) for a in args]
            values.append(self.apply(node, parts))
            self.look(node, parts, values[-1], i)
        return values

    def apply(self, node: Node, args: Sequence[Any]) -> float:
        """One operation on numbers; the powers 2, 3 and 4 of something that varies are products."""
        is_whole = node.op == "pow" and args[1] in (2.0, 3.0, 4.0)
        if is_whole and self.varies(node.args[0]) and not self.varies(node.args[1]):
            return small_power(*args)
        return applied(node.value if node.op == "call" else node.op, args)

    def varies(self, root: Node) -> bool:
        """Whether a variable stands below a node."""
        for node in postorder(root):
            name = name_of(node)
            part = self.tree.parts.get(name or "")
            names = part.names if part is not None else () if name is None else (name,)
            if any(each not in CONSTANTS and each not in self.fixed for each in names):
                return True
            if node.op == "where" and any(self.varies(part) for part in node.args):
                return True
        return False

    def look(self, node: Node, args: Sequence[Any], result: float, index: int | None) -> None:
        if self.search and not math.isfinite(result):
            parts = list(zip(node.args, args, strict=False))
            varying = [(part, arg) for part, arg in parts if self.varies(part)] or parts
            told = [(self.tree.piece(part), arg) for part, arg in varying]
            raise _Found(Culprit(self.tree, node, result, told, index))


def is_reduction(node: Node) -> bool:
    """Whether a node is a call that makes a number of vectors."""
    is_call = node.op == "call" and node.value in REDUCE
    return is_call and (node.value not in ("max", "min") or len(node.args) == 1)


def _plain(value: Number) -> Number:
    return [_plain(v) for v in value] if hasattr(value, "__len__") else float(value)


def _at(value: Number, i: int) -> float:
    found: float = value[i] if isinstance(value, list) else value
    return found


def small_power(base: float, exponent: float) -> float:
    """Return the power 2, 3 or 4 as the product that programs make of it."""
    square = base * base
    return float(square if exponent == 2 else square * (base if exponent == 3 else square))


def applied(op: str, args: Sequence[float]) -> float:
    if op == "relu":
        return ieee.maximum(0.0, args[0])
    return float(REDUCE[op](args)) if op in ("max", "min") else evaluate(op, *args)


_sum: Callable[[Sequence[float]], float] = partial(reduce, operator.add)
REDUCE: dict[str, Any] = {
    "sum": _sum,
    "mean": lambda v: _sum(v) / len(v),
    "prod": partial(reduce, operator.mul),
    "dot": lambda a, b: _sum([x * y for x, y in zip(a, b, strict=True)]),
    "norm": lambda v: ieee.function("sqrt")(_sum([x * x for x in v])),
    "max": partial(reduce, ieee.maximum),
    "min": partial(reduce, ieee.minimum),
}
