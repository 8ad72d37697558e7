"""From the nodes of a checked tree to those of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from types import ModuleType
from typing import Any, TypeVar

from gdcli.kernel.errors import GdError, did_you_mean
from gdcli.language import tree_names
from gdcli.language.functions import CALLABLE, CONSTANTS, FUNCTIONS, INTERNAL, REDUCTIONS
from gdcli.language.graph import REDUCTIONS as REDUCING
from gdcli.language.graph import Graph
from gdcli.language.syntax import Node, Tree, fold
from gdcli.language.tree_names import name_of

# A node of the graph; in an expanded Form the list of the nodes of a vector's elements, or of the rows of a matrix,
# which in another Form is a `gdcli.language.matrices.MatrixValue`.
Value = Any
Constant = float | Sequence[float] | Sequence[Sequence[float]]
T = TypeVar("T")

_BINARY = frozenset({"add", "sub", "mul", "div", "pow"})

# Longer parts of an expression are not repeated in messages.
MAX_PIECES = 60


class FormBuilder:
    """The values of the parts of a tree as nodes of a graph; ``tree`` is the one that is being built."""

    def __init__(
        self,
        tree: Tree,
        lengths: dict[str, int | None],
        constants: Mapping[str, Constant],
        expand: bool,
        graph: Graph | None = None,
        matrices: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.tree = tree
        self.lengths = lengths
        self.constants = constants
        self.data: dict[str, Any] = {n: value for n, value in constants.items() if hasattr(value, "__len__")}
        self.expand = expand
        self.matrix_names = {name for name, value in self.data.items() if hasattr(value[0], "__len__")}
        self.graph = Graph() if graph is None else graph
        self.matrices = matrices or {}
        self.parts: dict[str, Value] = {}
        for name, length in lengths.items():  # variables first: the order of the program's arguments
            if length is None:
                self.graph.scalar(name)

    def build(self, root: Node) -> Value:
        """Return the value of a subtree; only the parts of a ``where`` are built by recursion."""
        return fold(root, self.one)

    def one(self, node: Node, args: list[Value]) -> Value:
        op = node.op
        if op == "matmul":
            return self.matmul(node, *args)
        if op in ("part", "transpose"):
            return matrix_rules().rearranged(self, node, args[0], node.value)
        if self.matrix_names and any(map(self.is_matrix, args)):
            return matrix_rules().of_matrices(self, node, args)
        if op == "number":
            return self.graph.typed(node.value, self.tree.text[node.start : node.end])
        if op == "name":
            return self.name(node, node.value)
        if op in _BINARY:
            return self.binary(node, args)
        if op == "neg":
            return self.elementwise(node, "neg", args)
        if op == "call":
            return self.call(node, args)
        if op in ("where", "index", "slice"):
            return getattr(self, op)(node)
        raise GdError(f"unknown node {op}")

    # -- names and atoms -----------------------------------------------------------------------------------

    def matmul(self, node: Node, left: Value, right: Value) -> Value:
        if name_of(node.args[0]) in self.matrices:
            return self.data_row(node, right)
        return matrix_rules().multiplied(self, node, left, right)

    def is_matrix(self, value: Value) -> bool:
        return bool(self.matrix_names) and bool(matrix_rules().is_matrix_here(value))

    def refuse_matrix(self, value: Value, message: str) -> None:
        if self.is_matrix(value):
            rules = matrix_rules()
            raise self.tree.error(self.tree.root, message.format(rules.told_shape(value)), rules.PRODUCTS)

    def data_row(self, node: Node, vector: Value) -> Value:
        """A row of a data matrix times a vector: the sum of its columns, each times one element."""
        columns = self.matrices[name_of(node.args[0]) or ""]
        if not isinstance(vector, list) or len(vector) != len(columns):
            has = f"{len(vector)} elements" if isinstance(vector, list) else "none"
            message = f"the matrix has {len(columns)} columns, and what follows @ has {has}"
            raise self.tree.error(node, message, "a vector has an element for each column")
        terms = [
            self.graph.node("mul", self.graph.scalar(c), w) for c, w in zip(columns, vector, strict=True)
        ]
        return reduce(partial(self.graph.node, "add"), terms)

    def part(self, name: str) -> Value:
        """The value of a named part; what is wrong with it is told in its own text."""
        if name not in self.parts:
            outer, self.tree = self.tree, self.tree.parts[name]
            self.parts[name] = self.build(self.tree.root)
            self.tree = outer
        return self.parts[name]

    def name(self, node: Node, name: str) -> Value:
        if name in self.tree.parts:
            return self.part(name)
        if name in self.matrices:
            columns = self.matrices[name]  # more than one have no value by themselves; see matmul
            return self.graph.scalar(columns[0]) if len(columns) == 1 else []
        if name in self.lengths:
            length = self.lengths[name]
            return self.graph.scalar(name) if length is None else self.atom(name, 0, 1, length)
        if name in self.matrix_names:
            return matrix_rules().matrix(self, name)
        if name in self.data:
            return self.atom(name, 0, 1, len(self.data[name]))
        if name in self.constants:
            value = self.constants[name]
            assert isinstance(value, float | int)
            return self.graph.constant(float(value), name)
        if name in CONSTANTS:
            return self.graph.named(CONSTANTS[name], name)
        if name in CALLABLE:
            raise self.tree.error(node, f"{name} is a function", f"write {name}(...)")
        known = (*self.lengths, *self.constants, *CONSTANTS)
        raise self.tree.error(node, f"unknown name {name}", did_you_mean(name, known))

    def atom(self, name: str, start: int, step: int, length: int) -> Value:
        if not self.expand:
            return self.graph.slice(name, start, step, length)
        return [self.element(name, start + step * i) for i in range(length)]

    def element(self, name: str, index: int) -> int:
        if name in self.data:
            return self.graph.constant(float(self.data[name][index]), name, index)
        return self.graph.element(name, index)

    def vector_length(self, node: Node, name: str) -> int:
        if name in self.data:
            return len(self.data[name])
        if name in self.tree.parts:
            hint = "only variables and constants have elements that can be named"
            raise self.tree.error(node, f"{name} is a part of --let", hint)
        length = self.lengths.get(name)
        if length is None:
            self.name(node, name)  # an unknown name or a function is reported as such
            hint = "" if name in CONSTANTS else f"start it with a list: {name}=[1,2,3]"
            raise self.tree.error(node, f"{name} is a number, not a vector", hint)
        return length

    def index(self, node: Node) -> Value:
        name, index = node.value
        if name in self.matrix_names:
            return matrix_rules().rearranged(self, node, self.name(node, name), (index,))
        length = self.vector_length(node, name)
        if not -length <= index < length:
            raise self.tree.error(
                node,
                f"{name} has {length} elements: {name}[0] to {name}[{length - 1}]",
                "indices count from 0",
            )
        return self.element(name, index % length)

    def slice(self, node: Node) -> Value:
        name, start, stop, step = node.value
        if name in self.matrix_names:
            return matrix_rules().rearranged(self, node, self.name(node, name), ((start, stop, step),))
        chosen = range(self.vector_length(node, name))[start:stop:step]
        if not chosen:
            raise self.tree.error(
                node, f"this slice of {name} is empty: {name} has {self.vector_length(node, name)} elements"
            )
        return self.atom(name, chosen.start, chosen.step, len(chosen))

    # -- operations ----------------------------------------------------------------------------------------

    def length(self, value: Value) -> int | None:
        return len(value) if isinstance(value, list) else self.graph.lengths[value]

    def common_length(self, node: Node, args: Sequence[Value]) -> int | None:
        found = [(n, k) for k, n in enumerate(map(self.length, args)) if n is not None]
        for other, k in found[1:]:
            length, first = found[0]
            if other != length:
                message = f"vectors of {length} and {other} elements cannot be combined"
                if len(node.args) == len(args):
                    one, two = (self.tree.piece(node.args[i]) for i in (first, k))
                    if len(one) + len(two) <= MAX_PIECES:
                        message = (
                            f"{one} has {length} elements and {two} has {other}: they cannot be combined"
                        )
                raise self.tree.error(node, message, "slices such as v[1:] make lengths agree")
        return found[0][0] if found else None

    def elementwise(self, node: Node, op: str, args: Sequence[Value]) -> Value:
        """Apply an operation element by element; scalars are broadcast."""
        length = self.common_length(node, args)
        make: Callable[..., int] = self.graph.power if op == "pow" else lambda *a: self.graph.node(op, *a)
        if length is None or not self.expand:
            return make(*args)
        return [make(*(a[i] if isinstance(a, list) else a for a in args)) for i in range(length)]

    def binary(self, node: Node, args: list[Value]) -> Value:
        value = self.elementwise(node, node.op, args)
        if node.op == "pow" and isinstance(value, int):
            self.check_power(node, value, args)
        return value

    def check_power(self, node: Node, value: int, args: list[Value]) -> None:
        """9**9**9**9 is a slip worth a message, not an infinity found later."""
        number = self.graph.value_of(value)
        if number is not None and number in (float("inf"), float("-inf")):
            base = args[0]
            if isinstance(base, int) and self.graph.value_of(base) != 0:
                raise self.tree.error(node, "this constant power is too large: numbers end near 1.8e308")

    def where(self, node: Node) -> Value:
        left, right, yes, no = (self.build(part) for part in node.args)
        parts = (left, right, yes, no)
        if any(map(self.is_matrix, parts)):
            told = "where chooses between numbers and vectors, not between matrices"
            raise self.tree.error(node, told, matrix_rules().PRODUCTS)
        length = self.common_length(node, parts)
        if length is None or not self.expand:
            return self.graph.node("where", node.value, *parts)
        picks = ([p[i] if isinstance(p, list) else p for p in parts] for i in range(length))
        return [self.graph.node("where", node.value, *pick) for pick in picks]

    def call(self, node: Node, args: list[Value]) -> Value:
        name = node.value
        if name in REDUCTIONS:
            return self.reduction(node, name, args)
        if name in ("max", "min"):
            return self.extreme(node, name, args)
        if name == "relu":
            self.check_arity(node, name, 1, len(args))
            return self.elementwise(node, "max", [self.graph.number(0.0), args[0]])
        if name not in FUNCTIONS or name in INTERNAL:
            raise tree_names.unknown_function(self.tree, node, (*self.lengths, *self.constants))
        self.check_arity(node, name, FUNCTIONS[name].arity, len(args))
        return self.elementwise(node, name, args)

    def check_arity(self, node: Node, name: str, wanted: int, given: int) -> None:
        if wanted != given:
            plural = "" if wanted == 1 else "s"
            hint = "the logarithm to base b of x is log(x)/log(b)" if name == "log" and given == 2 else ""
            raise tree_names.told(
                self.tree.error(node, f"{name} takes {wanted} argument{plural}, not {given}", hint)
            )

    # -- reductions ----------------------------------------------------------------------------------------

    def extreme(self, node: Node, name: str, args: list[Value]) -> Value:
        """max and min: of one vector, or element by element of two and more."""
        if not args:
            raise self.tree.error(node, f"{name} needs a vector, or two values")
        if len(args) == 1:
            if self.length(args[0]) is None:
                raise self.tree.error(
                    node, f"{name} of a single number", f"give a vector, or two values: {name}(a, b)"
                )
            return self.reduce("largest" if name == "max" else "smallest", args[0])
        self.common_length(node, args)
        return _fold(args, lambda a, b: self.elementwise(node, name, [a, b]))

    def reduction(self, node: Node, name: str, args: list[Value]) -> Value:
        self.check_arity(node, name, 2 if name == "dot" else 1, len(args))
        length = self.common_length(node, args)
        if length is None or (name == "dot" and None in map(self.length, args)):
            hint = "start its variable with a list, for example --start v=[1,2,3]"
            raise self.tree.error(node, f"{name} needs a vector, and this is a number", hint)
        if name == "dot":
            return self.reduce("sum", self.elementwise(node, "mul", args))
        if name == "norm":
            squares = self.elementwise(node, "mul", [args[0], args[0]])
            return self.graph.node("sqrt", self.reduce("sum", squares))
        if name == "mean":
            return self.graph.node("div", self.reduce("sum", args[0]), self.graph.number(float(length)))
        return self.reduce(name, args[0])

    def reduce(self, op: str, vector: Value) -> int:
        """Return the node of a reduction; expanded, a chain from the first element to the last."""
        if not isinstance(vector, list):
            assert op in REDUCING
            return int(self.graph.node(op, vector))
        step = {"sum": "add", "prod": "mul", "largest": "max", "smallest": "min"}[op]
        if op in ("largest", "smallest"):
            return int(_fold(vector, lambda a, b: self.graph.node(step, a, b)))
        return int(reduce(partial(self.graph.node, step), vector))


def matrix_rules() -> ModuleType:
    """What may be done with matrices; few expressions have any."""
    from gdcli.language import matrix_builder

    return matrix_builder


def _fold(values: Sequence[T], pick: Callable[[T, T], T]) -> T:
    """Fold an extreme by halves: the result is the same, and derivatives are nested only log2(n) deep."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return pick(_fold(values[:half], pick), _fold(values[half:], pick))
