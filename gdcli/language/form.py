"""From the checked tree to a Form: the objective as a graph over named variables.

An objective is a scalar function of reductions (sums, products, extremes) of elementwise functions of atoms;
an atom is a scalar, an element or a slice of a vector. In the graph a reduction is one node and an atom one
leaf, so a Form is as small for a million variables as for three.

For few variables the same builder *expands* vectors: each element becomes a leaf of its own and a sum a chain
of additions. The Form is then scalar throughout, which gives exact Hessians and programs without loops.
"""

from __future__ import annotations

import math
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
from gdcli.language.tree_names import all_nodes, name_of, with_parts

# A node of the graph; in an expanded Form the list of the nodes of a vector's elements, or of the rows of a matrix,
# which in another Form is a `gdcli.language.matrices.MatrixValue`.
Value = Any
Constant = float | Sequence[float] | Sequence[Sequence[float]]
T = TypeVar("T")

_ELEMENTWISE = frozenset({"add", "sub", "mul", "div", "neg"})

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
        if op == "pow":
            return self.power(node, args)
        if op in _ELEMENTWISE:
            return self.elementwise(node, op, args)
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
            raise self.tree.error(
                self.tree.root, message.format(rules.of_shape(rules.shape_of(self, value))), rules.PRODUCTS
            )

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

    def power(self, node: Node, args: list[Value]) -> Value:
        """A power; 9**9**9**9 is a slip worth a message, not an infinity found later."""
        value = self.elementwise(node, "pow", args)
        number = self.graph.value_of(value) if isinstance(value, int) else None
        if number is not None and math.isinf(number) and self.graph.value_of(args[0]) != 0:
            raise self.tree.error(node, "this constant power is too large: numbers end near 1.8e308")
        return value

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
    from gdcli.language import matrices

    return matrices


def _fold(values: Sequence[T], pick: Callable[[T, T], T]) -> T:
    """Fold an extreme by halves: the result is the same, and derivatives are nested only log2(n) deep."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return pick(_fold(values[:half], pick), _fold(values[half:], pick))


class Form:
    """An objective, or the rows of a constraint, as a graph.

    ``lengths`` has every variable in order of first appearance with its length (None for a scalar), ``data``
    the vector constants by name (empty when expanded), ``root`` the node of the value. ``expanded`` tells
    that each element of a vector is a leaf of its own. ``rows`` are the nodes of the value: the root alone, but for a
    vector that is expanded, which has one for each element (and the first of them as root).
    """

    def __init__(
        self,
        tree: Tree,
        graph: Graph,
        root: int,
        lengths: dict[str, int | None],
        data: dict[str, Any],
        expanded: bool,
        rows: tuple[int, ...] = (),
    ) -> None:
        self.tree = tree
        self.graph = graph
        self.root = root
        self.rows = rows or (root,)
        self.lengths = lengths
        self.data = data
        self.expanded = expanded

    @property
    def length(self) -> int | None:
        """How many elements the value has, None for a number."""
        return len(self.rows) if len(self.rows) > 1 else self.graph.lengths[self.root]

    @property
    def is_scalar(self) -> bool:
        """Whether the graph has no vectors, so that a Hessian is a plain matter of scalars."""
        return self.expanded or not any(
            self.graph.lengths[i] is not None for i in self.graph.reach((self.root,))
        )

    def variables_in_use(self) -> frozenset[str]:
        keys = (self.graph.keys[i] for i in self.graph.reach((self.root,)))
        return frozenset(
            key[1] for key in keys if key[0] in ("scalar", "element", "slice") and key[1] in self.lengths
        )

    def kinks(self) -> tuple[str, ...]:
        """Return the names of functions in use whose derivative jumps somewhere."""
        kinked = [
            name
            for name in self.graph.operations((self.root,))
            if (name in FUNCTIONS and FUNCTIONS[name].kink) or name in ("where", "largest", "smallest")
        ]
        return tuple(sorted({{"largest": "max", "smallest": "min"}.get(name, name) for name in kinked}))


def build(
    tree: Tree,
    lengths: Mapping[str, int | None],
    constants: Mapping[str, Constant],
    expand: bool = False,
    graph: Graph | None = None,
) -> Form:
    """Build the Form of a checked tree, in a new ``graph`` unless an empty one is given.

    ``lengths`` has the variables (None: scalar), ``constants`` numbers or sequences of numbers. Raises
    UsageError with the place in the text for unknown names, wrong numbers of arguments and vectors that do
    not fit.
    """
    builder = FormBuilder(tree, dict(lengths), constants, expand, graph)
    root = builder.build(tree.root)
    builder.refuse_matrix(root, "the expression is {}; an objective is one number")
    if builder.length(root) is not None:
        raise tree.error(
            tree.root,
            "the expression is a vector; an objective is one number",
            "wrap it in sum(...), mean(...) or norm(...)",
        )
    assert isinstance(root, int)
    return Form(tree, builder.graph, root, dict(lengths), {} if expand else builder.data, expand)


def vector_builder(
    lengths: Mapping[str, int | None], constants: Mapping[str, Constant], expand: bool, graph: Graph
) -> Callable[[Tree], Form]:
    """Return what builds the Forms of many expressions, numbers or vectors, in one graph, which may be in use."""
    builder: FormBuilder | None = None

    def build_one(tree: Tree) -> Form:
        nonlocal builder
        if builder is None:
            builder = FormBuilder(tree, dict(lengths), constants, expand, graph)
        builder.tree = tree
        root = builder.build(tree.root)
        builder.refuse_matrix(root, "this is {}, and no number or vector")
        rows = tuple(root) if isinstance(root, list) else (root,)
        return Form(tree, graph, rows[0], builder.lengths, {} if expand else builder.data, expand, rows)

    return build_one


def build_row(
    tree: Tree,
    graph: Graph,
    lengths: Mapping[str, int | None],
    constants: Mapping[str, Constant],
    matrices: Mapping[str, Sequence[str]],
) -> int:
    """Return the node in ``graph`` of an expression that is a number for every row of a data set.

    ``lengths`` has the parameters and, as scalars, the data columns; ``matrices`` the columns of each data matrix,
    which stands only before an ``@`` unless it is a single column by another name. Vectors are expanded into their
    elements. Raises UsageError as :func:`build`.
    """
    nodes = [(each, node) for each in with_parts([tree]) for node in all_nodes(each.root)]
    multiplied = {id(node.args[0]) for _, node in nodes if node.op == "matmul"}
    for each, node in nodes:
        if len(matrices.get(name_of(node) or "", ".")) != 1 and not (
            node.op == "name" and id(node) in multiplied
        ):
            raise each.error(node, f"{name_of(node)} is a data matrix", f"write {name_of(node)} @ w")
    builder = FormBuilder(tree, dict(lengths), constants, True, graph, matrices)
    root = builder.build(tree.root)
    if isinstance(root, list):
        builder.refuse_matrix(root, "this is {}; a model is one number a row")
        raise tree.error(tree.root, "this is a vector; a model is one number a row", "wrap it in sum(...)")
    return int(root)


def size_when_expanded(form: Form) -> int:
    """Return about how many nodes the expanded Form would have: each vector node counts for its length."""
    if form.expanded:
        raise GdError("the form is expanded already")
    graph = form.graph
    found = 0
    for i in graph.reach((form.root,)):
        key = graph.keys[i]
        found += math.prod(graph.shape(key[1])) if key[0] == "matmul" else graph.lengths[i] or 1
    return found
