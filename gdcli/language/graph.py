"""The expression graph: every operation once.

Nodes are numbers; equal operations on equal nodes are the same node (hash-consing), so shared subexpressions
cost nothing. A node's arguments always have smaller numbers than the node, so counting up is an order of
evaluation and counting down one for reverse sweeps.

A node is a scalar, or a vector along an axis of known length; a scalar in a vector operation is broadcast.
Leaves are numbers, scalar variables, elements of vectors, and slices of vectors: a slice is one leaf however
long it is, so that the graph of a function of a million variables is as small as that of three.

`Graph.node` keeps what was typed, operation by operation (only operations on numbers are done at once, as
IEEE 754 has them). The methods of `functions.Algebra` (add, mul, ...), used for derivatives, simplify.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from gdcli.language import ieee
from gdcli.language.functions import FUNCTIONS

Key = tuple[Any, ...]

LEAVES = frozenset({"number", "scalar", "element", "slice", "matrix"})
COMMUTATIVE = frozenset({"add", "mul"})
REDUCTIONS = frozenset({"sum", "prod", "largest", "smallest"})
# Vectors that need their whole argument at once: the product of all others, 1 at the first extreme, a matrix times it.
WHOLE = frozenset({"others", "first", "matmul"})
RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


class Graph:
    """A growing set of nodes: ``keys[i]`` is node i's operation and arguments, ``lengths[i]`` its length.

    Keys: ("number", v, sign) · ("scalar", name) · ("element", name, index) · ("slice", name, start, step,
    length) · ("neg", a) · ("add"|"sub"|"mul"|"div"|"pow", a, b) · (function name, a, ...) · ("where",
    relation, a, b, yes, no) · ("sum"|"prod"|"largest"|"smallest", vector) · ("others", vector) · ("first",
    vector, scalar) · ("matrix", name, rows, columns, is transposed) · ("matmul", matrix, vector). A length of None is a
    scalar; that of a matrix, which is an argument of "matmul" alone, is None too.
    """

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.lengths: list[int | None] = []
        self._numbers: dict[Key, int] = {}
        self.symmetric: set[str] = set()  # matrices that are what they are transposed
        self._never_negative: dict[int, bool] = {}

    # -- plain construction --------------------------------------------------------------------------------

    def _intern(self, key: Key, length: int | None) -> int:
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.keys)
            self.keys.append(key)
            self.lengths.append(length)
        return found

    def number(self, value: float) -> int:
        """Return the leaf of a number; 0.0 and -0.0 differ, all nans are one."""
        if value != value:
            return self._intern(("number", "nan"), None)
        return self._intern(("number", value, math.copysign(1.0, value)), None)

    def constant(self, value: float, name: str, index: int | None = None) -> int:
        """Return the leaf of a named constant, or of one element of it: here the number that it is."""
        return self.number(value)

    def typed(self, value: float, text: str) -> int:
        """Return the leaf of a number that was typed as ``text``: here the nearest double."""
        return self.number(value)

    def named(self, value: float, name: str) -> int:
        """Return the leaf of a number with a name, at most two units in the last place from ``value``: here that."""
        return self.number(value)

    def scalar(self, name: str) -> int:
        return self._intern(("scalar", name), None)

    def element(self, name: str, index: int) -> int:
        """Return the leaf of one element of a vector; ``index`` counts from 0."""
        return self._intern(("element", name, index), None)

    def slice(self, name: str, start: int, step: int, length: int) -> int:
        """Return the leaf of ``length`` elements of a vector: start, start+step, ..."""
        return self._intern(("slice", name, start, step, length), length)

    def leaf(self, key: Key) -> int:
        """Return the leaf of a scalar or an element by its key."""
        return self.scalar(key[1]) if key[0] == "scalar" else self.element(key[1], key[2])

    def matrix(self, name: str, rows: int, columns: int, transposed: bool = False) -> int:
        """Return the leaf of a constant matrix of ``rows`` x ``columns``, or of what it is ``transposed``."""
        transposed = transposed and name not in self.symmetric
        return self._intern(("matrix", name, rows, columns, transposed), None)

    def transposed(self, matrix: int) -> int:
        _, name, rows, columns, turned = self.keys[matrix]
        return self.matrix(name, rows, columns, not turned)

    def shape(self, matrix: int) -> tuple[int, int]:
        """Return the rows and columns of a matrix leaf, as it is multiplied."""
        _, _, rows, columns, turned = self.keys[matrix]
        return (columns, rows) if turned else (rows, columns)

    def times(self, matrix: int, vector: int) -> int:
        """Return matrix @ vector, for derivatives: 0 where the vector is (a scalar is a vector of equal elements)."""
        return vector if self.value_of(vector) == 0 else self.node("matmul", matrix, vector)

    def node(self, op: str, *args: Any) -> int:
        """Return the node of an operation as typed; an operation on numbers alone is done at once.

        Vector arguments must have one length (the caller checks it, with the user's text at hand).
        """
        if op in REDUCTIONS:
            return self._intern((op, *args), None)
        if op == "matmul":
            return self._intern((op, *args), self.shape(args[0])[0])
        operands = args
        if op == "where":
            relation, a, b, yes, no = args
            operands = args[1:]
            left, right = self.value_of(a), self.value_of(b)
            if left is not None and right is not None:
                chosen = int(yes if compare(relation, left, right) else no)
                if self.lengths[chosen] == self.length_of(operands):  # else a number is to become a vector
                    return chosen
        elif all(self.keys[i][0] == "number" for i in args):
            return self.number(evaluate(op, *map(self.value_of, args)))
        if op in COMMUTATIVE and args[0] > args[1]:
            args = (args[1], args[0])
        return self._intern((op, *args), self.length_of(operands))

    def remade(self, i: int, made: Mapping[int, int]) -> int:
        """Return the node that i is where its arguments are ``made``; itself where these are its own."""
        key = self.keys[i]
        args = arguments(key)
        if all(made[a] == a for a in args):
            return i
        return self.node(*key[: len(key) - len(args)], *(made[a] for a in args))

    def length_of(self, nodes: tuple[int, ...]) -> int | None:
        """Return the common length of some nodes: that of the first vector, None when all are scalars."""
        for i in nodes:
            length = self.lengths[i]
            if length is not None:
                return length
        return None

    def value_of(self, i: int) -> float | None:
        """Return the number of a number leaf, None for every other node."""
        key = self.keys[i]
        if key[0] != "number":
            return None
        return math.nan if key[1] == "nan" else float(key[1])

    # -- construction with simplification, for derivatives -------------------------------------------------

    def add(self, a: int, b: int) -> int:
        """Return a + b, with 0 and opposite signs taken away."""
        x, y = self.value_of(a), self.value_of(b)
        if x == 0:
            return b
        if y == 0:
            return a
        if a == b:
            return self.mul(self.number(2.0), a)
        if self.keys[b][0] == "neg":
            return self.sub(a, self.keys[b][1])
        if self.keys[a][0] == "neg":
            return self.sub(b, self.keys[a][1])
        return self.node("add", a, b)

    def sub(self, a: int, b: int) -> int:
        x, y = self.value_of(a), self.value_of(b)
        if y == 0:
            return a
        if x == 0:
            return self.neg(b)
        if a == b:
            return self.number(0.0)
        if self.keys[b][0] == "neg":
            return self.add(a, self.keys[b][1])
        return self.node("sub", a, b)

    def neg(self, a: int) -> int:
        """Return -a; a number factor takes the sign."""
        key = self.keys[a]
        if key[0] == "neg":
            return int(key[1])
        if key[0] == "sub":
            return self.node("sub", key[2], key[1])
        if key[0] == "mul" and self.value_of(key[1]) is not None:
            return self.mul(self.node("neg", key[1]), key[2])
        return self.node("neg", a)

    def mul(self, a: int, b: int) -> int:
        """Return a * b with 0, 1, -1 and signs taken out, and number factors in front gathered."""
        x, y = self.value_of(a), self.value_of(b)
        if y is not None and x is None:
            a, b, x, y = b, a, y, x
        if x == 0:
            return self.number(0.0)
        if x == 1:
            return b
        if x == -1:
            return self.neg(b)
        key_a, key_b = self.keys[a], self.keys[b]
        if key_a[0] == "neg":
            return self.neg(self.mul(key_a[1], b))
        if key_b[0] == "neg":
            return self.neg(self.mul(a, key_b[1]))
        if key_b[0] == "mul":
            factor = self.value_of(key_b[1])
            if factor is not None:  # 2*(3*x) and y*(3*x)
                return (
                    self.mul(self.node("mul", a, key_b[1]), key_b[2])
                    if x is not None
                    else self.mul(key_b[1], self.mul(a, key_b[2]))
                )
        if x is None and key_a[0] == "mul":
            factor = self.value_of(key_a[1])
            if factor is not None:
                return self.mul(key_a[1], self.mul(key_a[2], b))
        return self.node("mul", a, b)

    def div(self, a: int, b: int) -> int:
        """Return a / b, with 0/b and b = 1 or -1 simplified."""
        x, y = self.value_of(a), self.value_of(b)
        if x == 0:
            return a
        if y == 1:
            return a
        if y == -1:
            return self.neg(a)
        if self.keys[a][0] == "neg":
            return self.neg(self.div(self.keys[a][1], b))
        if self.keys[b][0] == "neg":
            return self.neg(self.div(a, self.keys[b][1]))
        return self.node("div", a, b)

    def pow(self, a: int, b: int) -> int:
        """Return a ** b, with the exponents 0 and 1 simplified."""
        y = self.value_of(b)
        if y == 0:
            return self.number(1.0)
        if y == 1:
            return a
        return self.power(a, b)

    def power(self, a: int, b: int) -> int:
        """Return a ** b as typed: the small integer powers 2, 3 and 4 are products, and even ones have no kink.

        The square of a length is the sum of squares below its root, and a broken power of a square, ``(x**2)**0.75``,
        one of abs(x): their derivatives at 0 are no quotients 0/0.
        """
        y = self.value_of(b)
        if y is None:
            return self.node("pow", a, b)
        base, z = self._simplest_power(a, y)
        if z != y and z == 1.0:
            return base
        if z in (2.0, 3.0, 4.0) and self.value_of(base) is None:
            square = self.node("mul", base, base)
            return square if z == 2 else self.node("mul", square, base if z == 3 else square)
        return self.node("pow", base, b if z == y else self.number(z))

    def _simplest_power(self, a: int, y: float) -> tuple[int, float]:
        key = self.keys[a]
        if y in (2.0, 4.0) and key[0] == "abs":
            return key[1], y
        if y in (2.0, 4.0) and key[0] == "sqrt" and self.is_sum_of_squares(key[1]):
            return key[1], 0.5 * y
        is_square = key[0] == "mul" and key[1] == key[2]
        return (self.node("abs", key[1]), 2.0 * y) if is_square and y > 0.5 and y % 1.0 else (a, y)

    def is_sum_of_squares(self, i: int) -> bool:
        """Tell whether a node is plainly a sum of squares, perhaps times positive numbers, that may vanish."""
        key = self.keys[i]
        if key[0] == "mul":
            number = self.value_of(key[1])
            return key[1] == key[2] or (number is not None and number > 0 and self.is_sum_of_squares(key[2]))
        if key[0] == "div":
            number = self.value_of(key[2])
            return number is not None and number > 0 and self.is_sum_of_squares(key[1])
        return key[0] in ("add", "sum") and all(map(self.is_sum_of_squares, key[1:]))

    def call(self, name: str, *args: int) -> int:
        return self.node(name, *args)

    def where(self, relation: str, a: int, b: int, yes: int, no: int) -> int:
        return yes if yes == no else self.node("where", relation, a, b, yes, no)

    def total(self, vector: int, length: int) -> int:
        """Return the sum of a vector (or a broadcast scalar) of ``length``, scalar factors pulled out."""
        factor, inner = self._apart(vector)
        total = self.number(float(length)) if inner is None else self.node("sum", inner)
        return total if factor is None else self.mul(factor, total)

    def _apart(self, i: int) -> tuple[int | None, int | None]:
        """Return a scalar factor of a product and what is left of it, a vector; None where there is no such part."""
        if self.lengths[i] is None:
            return i, None
        key = self.keys[i]
        if key[0] == "neg":
            factor, inner = self._apart(key[1])
            return (self.number(-1.0) if factor is None else self.neg(factor)), inner
        if key[0] not in ("mul", "div"):
            return None, i
        (f, a), (g, b) = self._apart(key[1]), self._apart(key[2])
        if f is None and g is None:
            return None, i
        combine = self.mul if key[0] == "mul" else self.div
        one = self.number(1.0)
        factor = combine(one if f is None else f, one if g is None else g)
        if b is None:
            return factor, a
        if a is None and key[0] == "mul":
            return factor, b
        return factor, combine(one if a is None else a, b)

    # -- looking at the graph ------------------------------------------------------------------------------

    def reach(
        self,
        roots: Iterable[int],
        known: Container[int] = (),
        below: Callable[[int], Iterable[int]] | None = None,
    ) -> list[int]:
        """Return all nodes that the roots depend on, roots included, in order of evaluation.

        What is ``known`` is left out, and not looked through. ``below`` gives what a node needs (None: its arguments).
        """
        seen = set()
        stack = list(roots)
        while stack:
            i = stack.pop()
            if i not in seen and i not in known:
                seen.add(i)
                stack.extend(arguments(self.keys[i]) if below is None else below(i))
        return sorted(seen)

    def operations(self, roots: Iterable[int]) -> set[str]:
        """Return what nodes the roots depend on are: operations, functions and leaves."""
        return {self.keys[i][0] for i in self.reach(roots)}

    def is_never_negative(self, i: int) -> bool:
        """Tell whether a node is plainly 0 or more wherever it has a value: a square, a sum of squares, ..."""
        known = self._never_negative
        for node in self.reach((i,), known):
            op, *args = self.keys[node]
            value = self.value_of(node)
            if value is not None:
                known[node] = value >= 0.0
            elif op == "mul" and args[0] == args[1]:
                known[node] = True
            elif op == "pow":
                known[node] = (self.value_of(args[1]) or 1.0) % 2.0 == 0.0 or known[args[0]]
            elif op in ("add", "mul", "div", "min", "sum"):
                known[node] = all(known[a] for a in args)
            elif op == "max":
                known[node] = any(known[a] for a in args)
            else:
                known[node] = op in FUNCTIONS and FUNCTIONS[op].nonnegative
        return known[i]

    def needed_first(self, i: int) -> tuple[int, ...]:
        """Return the arguments of a node that it needs in any case: of a ``where`` those of its condition."""
        key = self.keys[i]
        return key[2:4] if key[0] == "where" else arguments(key)

    def depending(self, roots: Iterable[int], leaves: Iterable[int]) -> set[int]:
        """Return the nodes below ``roots`` that depend on one of the ``leaves``, these included."""
        found = set(leaves)
        for i in self.reach(roots):
            if any(a in found for a in arguments(self.keys[i])):
                found.add(i)
        return found


def leaf_keys(lengths: Mapping[str, int | None]) -> list[Key]:
    """Return the leaves of variables of these ``lengths`` (None: a number) in flat order."""
    keys: list[Key] = []
    for name, length in lengths.items():
        keys += [("scalar", name)] if length is None else [("element", name, i) for i in range(length)]
    return keys


def arguments(key: Key) -> tuple[int, ...]:
    op = key[0]
    if op in LEAVES:
        return ()
    return key[2:] if op == "where" else key[1:]


def evaluate(op: str, *args: Any) -> float:
    """Return an operation done on numbers, as IEEE 754 has it."""
    if op == "add":
        return float(args[0] + args[1])
    if op == "sub":
        return float(args[0] - args[1])
    if op == "mul":
        return float(args[0] * args[1])
    if op == "neg":
        return float(-args[0])
    return ieee.function("power" if op == "pow" else op)(*args)


def compare(relation: str, a: float, b: float) -> bool:
    """Return whether ``a relation b``; false for nan, except that nan != b."""
    return bool(RELATIONS[relation](a, b))
