"""Constant matrices in expressions: ``A @ x``, ``w @ C @ w``.

A product with a vector is one node of the graph, however large the matrix is, and so is its derivative: a product with
the transposed matrix. What is done between matrices alone is done at once, before there is a graph. A matrix is a list
of rows, or a numpy array of two axes where it is large.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any, Protocol, TypeVar

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import np
from gdcli.language.functions import FUNCTIONS, INTERNAL
from gdcli.language.graph import Graph, evaluate
from gdcli.language.syntax import Node, Tree

T = TypeVar("T")
Rows = Any  # a matrix of numbers: a list of lists, or an array of two axes


class MatrixValue(NamedTuple):
    """A matrix of ``rows`` x ``columns`` where it stands: that of the data called ``name``, perhaps transposed, times
    a node of the graph (None: not).
    """

    name: str
    rows: int
    columns: int
    transposed: bool = False
    factor: int | None = None


def is_matrix(value: Rows) -> bool:
    return hasattr(value, "__len__") and len(value) > 0 and hasattr(value[0], "__len__")


def is_rows(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and isinstance(value[0], list)


def has_matrix(constants: Mapping[str, Any]) -> bool:
    return any(map(is_matrix, constants.values()))


def matrix_value(name: str, value: Rows) -> MatrixValue:
    return MatrixValue(name, len(value), len(value[0]))


def product(
    a: Sequence[Any], b: Sequence[Any], multiply: Callable[[T, T], T], total: Callable[[list[T]], T]
) -> Any:
    """Return ``a @ b`` of lists, and of lists of rows, by the arithmetic of their elements; the shapes must fit."""

    def dot(left: Sequence[T], right: Sequence[T]) -> T:
        return total([multiply(x, y) for x, y in zip(left, right, strict=True)])

    if is_rows(b):
        columns = list(zip(*b, strict=True))
        if not is_rows(a):
            return [dot(a, column) for column in columns]
        return [[dot(row, column) for column in columns] for row in a]
    return [dot(row, b) for row in a] if is_rows(a) else dot(a, b)


def elementwise(operation: Callable[..., T], args: Sequence[Any]) -> Any:
    """Return an operation done on each element of lists, and of lists of rows; what has fewer axes is broadcast."""
    length = next((len(a) for a in args if is_rows(a)), None)
    if length is None:
        length = next((len(a) for a in args if isinstance(a, list)), None)
    if length is None:
        return operation(*args)
    picks = ([a[i] if isinstance(a, list) else a for a in args] for i in range(length))
    return [elementwise(operation, pick) for pick in picks]


def constant_product(a: object, b: object) -> Any:
    if not (isinstance(a, list) and isinstance(b, list)):
        return np.asarray(a, dtype=float) @ np.asarray(b, dtype=float)
    return product(a, b, operator.mul, partial(reduce, operator.add))


def constant_elementwise(op: str, args: Sequence[Any]) -> Any:
    """Return an operation done element by element on constants, of which some are matrices."""
    rows = [a.tolist() if hasattr(a, "tolist") else a for a in args]
    made = elementwise(lambda *each: evaluate(op, *each), rows)
    if any(hasattr(a, "tolist") for a in args):
        return np.asarray(made)
    return made


def is_symmetric(value: Rows) -> bool:
    if hasattr(value, "tolist"):
        return bool(value.shape[0] == value.shape[1] and (value == value.T).all())
    n = len(value)
    return len(value[0]) == n and all(value[i][j] == value[j][i] for i in range(n) for j in range(i))


def transposed(value: Rows) -> Rows:
    """Return a matrix transposed; what has one axis, or none, stays as it is."""
    if not is_matrix(value):
        return value
    return value.T if hasattr(value, "tolist") else [list(row) for row in zip(*value, strict=True)]


def part(value: Any, picks: Sequence[Any]) -> Any:
    """Return what is picked of a matrix or a vector: along each axis an index, or (start, stop, step) of a slice."""
    first, *others = (slice(*pick) if isinstance(pick, tuple) else pick for pick in picks)
    found = value[first]
    if not others:
        return found
    if not isinstance(first, slice):
        return found[others[0]]
    return found[:, others[0]] if hasattr(found, "tolist") else [row[others[0]] for row in found]


def times_vector(graph: Graph, data: Mapping[str, Any], matrix: MatrixValue, vector: int) -> int:
    """Return the node of a matrix times a vector, in a graph whose vectors are not expanded."""
    stored = data[matrix.name]
    if is_symmetric(stored):
        graph.symmetric.add(matrix.name)
    leaf = graph.matrix(matrix.name, len(stored), len(stored[0]), matrix.transposed)
    node = graph.node("matmul", leaf, vector)
    return node if matrix.factor is None else graph.node("mul", matrix.factor, node)


# -- while a graph is built: what may be done with matrices, and what is told where it does not fit -------------------

# As in :mod:`gdcli.language.form`.
Value = Any

ARITHMETIC = frozenset({"add", "sub", "mul", "div", "pow", "neg"})
PRODUCTS = "matrices are multiplied with vectors: A @ x, w @ C @ w"


class Builder(Protocol):
    """What builds a graph from a tree; ``data`` has the constants that are no numbers."""

    tree: Tree
    graph: Graph
    data: dict[str, Any]
    expand: bool

    def atom(self, name: str, start: int, step: int, length: int) -> Value: ...
    def element(self, name: str, index: int) -> int: ...
    def length(self, value: Value) -> int | None: ...
    def elementwise(self, node: Node, op: str, args: Sequence[Value]) -> Value: ...
    def reduce(self, op: str, vector: Value) -> int: ...


def matrix(builder: Builder, name: str) -> Value:
    value = builder.data[name]
    if not builder.expand:
        return matrix_value(name, value)
    return [[builder.graph.number(float(number)) for number in row] for row in value]


def multiplied(builder: Builder, node: Node, left: Value, right: Value) -> Value:
    """A product of matrices and vectors: what is inside has one length."""
    shapes = [shape_of(builder, value) for value in (left, right)]
    pieces = [builder.tree.piece(part) for part in node.args]
    for piece, shape in zip(pieces, shapes, strict=True):
        if not shape:
            hint = f"write {pieces[0]}*{pieces[1]}"
            raise builder.tree.error(
                node, f"@ multiplies matrices and vectors, and {piece} is a number", hint
            )
    if shapes[0][-1] != shapes[1][0]:
        what = [
            _counted(piece, shape, k) for k, (piece, shape) in enumerate(zip(pieces, shapes, strict=True))
        ]
        raise builder.tree.error(
            node, f"{what[0]}, and {what[1]}", "what stands on both sides of @ has one length"
        )
    if builder.expand:
        return product(
            left,
            right,
            lambda x, y: builder.graph.node("mul", x, y),
            lambda terms: builder.reduce("sum", terms),
        )
    if isinstance(left, MatrixValue):
        if isinstance(right, MatrixValue):
            return made(builder, constant_product(plain(builder, left), plain(builder, right)))
        return times_vector(builder.graph, builder.data, left, right)
    if isinstance(right, MatrixValue):
        return times_vector(
            builder.graph, builder.data, right._replace(transposed=not right.transposed), left
        )
    return builder.reduce("sum", builder.graph.node("mul", left, right))


def shape_of(builder: Builder, value: Value) -> tuple[int, ...]:
    """Rows and columns of a matrix, the length of a vector, nothing of a number."""
    if isinstance(value, MatrixValue):
        return value.rows, value.columns
    if is_rows(value):
        return len(value), len(value[0])
    length = builder.length(value)
    return () if length is None else (length,)


def plain(builder: Builder, matrix: MatrixValue) -> Any:
    value = builder.data[matrix.name]
    return transposed(value) if matrix.transposed else value


def made(builder: Builder, value: object) -> MatrixValue:
    name = f"~{len(builder.data)}"  # no typed name begins so
    builder.data[name] = value
    return matrix_value(name, value)


def of_matrices(builder: Builder, node: Node, args: list[Value]) -> Value:
    """An operation element by element on matrices: with constants done at once, with a number a factor."""
    name = node.op if node.op in ARITHMETIC else str(node.value)
    _check_shapes(builder, node, name, args)
    if builder.expand:
        return elementwise(lambda *each: builder.elementwise(node, name, each), args)
    numbers = [v if isinstance(v, MatrixValue) else builder.graph.value_of(v) for v in args]
    if None not in numbers and not any(isinstance(v, MatrixValue) and v.factor is not None for v in args):
        rows = [plain(builder, v) if isinstance(v, MatrixValue) else v for v in numbers]
        return made(builder, constant_elementwise(name, rows))
    matrices = [isinstance(v, MatrixValue) for v in args]
    if name == "neg":
        return scaled(builder, args[0], builder.graph.number(-1.0))
    if name == "mul" and not all(matrices):
        matrix, factor = args if matrices[0] else (args[1], args[0])
        return scaled(builder, matrix, factor)
    if name == "div" and matrices == [True, False]:
        return scaled(builder, args[0], builder.graph.node("div", builder.graph.number(1.0), args[1]))
    raise builder.tree.error(
        node, "a matrix that varies is not part of the language", "multiply it first: A @ x + t*(B @ x)"
    )


def _check_shapes(builder: Builder, node: Node, name: str, args: list[Value]) -> None:
    """Raise UsageError for values of different shapes, and for a function that takes no matrix."""
    pieces = [builder.tree.piece(part) for part in node.args]
    shapes = [shape_of(builder, value) for value in args]
    different = next((k for k, shape in enumerate(shapes) if shape and shape != shapes[0] and shapes[0]), 0)
    if different:
        one, other = of_shape(shapes[0]), of_shape(shapes[different])
        what = f"{pieces[0]} is {one}, and {pieces[different]} {other}"
        raise builder.tree.error(node, what, "element by element one shape is needed; @ multiplies")
    if name not in (*ARITHMETIC, *FUNCTIONS) or name in INTERNAL:
        matrix = next(k for k, value in enumerate(args) if is_matrix_here(value))
        what = f"{name} needs a vector or a number, and {pieces[matrix]} is {of_shape(shapes[matrix])}"
        raise builder.tree.error(node, what, PRODUCTS)


def scaled(builder: Builder, matrix: MatrixValue, factor: int) -> MatrixValue:
    known = matrix.factor
    return matrix._replace(factor=factor if known is None else builder.graph.node("mul", known, factor))


def rearranged(builder: Builder, node: Node, value: Value, picks: Sequence[Any] | None) -> Value:
    """A matrix transposed (no ``picks``), or what is picked of it: a part of a constant, made at once."""
    shape = shape_of(builder, value)
    piece = builder.tree.piece(node.args[0]) if node.args else str(node.value[0])
    if not shape:
        what = "has no elements" if picks else "cannot be transposed"
        raise builder.tree.error(node, f"{piece} is a number, and {what}", "")
    if picks is None:
        if isinstance(value, MatrixValue):
            return value._replace(rows=value.columns, columns=value.rows, transposed=not value.transposed)
        return transposed(value) if is_rows(value) else value
    _check_picks(builder, node, piece, shape, picks)
    if isinstance(value, list):
        return part(value, picks)
    if isinstance(value, MatrixValue):
        return _made_part(builder, value, part(plain(builder, value), picks))
    key = builder.graph.keys[value]
    if key[0] != "slice":
        hint = "pick before: A[0] @ x is (A @ x)[0], and exp(v[0]) is exp(v)[0]"
        raise builder.tree.error(node, f"the elements of {piece} have no names", hint)
    _, name, start, step, length = key
    chosen = part(range(start, start + step * length, step), picks)
    if isinstance(chosen, int):
        return builder.element(name, chosen)
    return builder.atom(name, chosen.start, chosen.step, len(chosen))


def _check_picks(
    builder: Builder, node: Node, piece: str, shape: tuple[int, ...], picks: Sequence[Any]
) -> None:
    if len(picks) > len(shape):
        raise builder.tree.error(node, f"{piece} is {of_shape(shape)}, and has one index", f"{piece}[0]")
    for axis, (pick, count) in enumerate(zip(picks, shape, strict=False)):
        what = ("rows", "columns")[axis] if len(shape) == 2 else "elements"
        if isinstance(pick, tuple):
            if not range(count)[slice(*pick)]:
                raise builder.tree.error(node, f"this slice is empty: {piece} has {count} {what}")
        elif not -count <= pick < count:
            hint = f"indices count from 0, to {count - 1} here"
            raise builder.tree.error(node, f"{piece} has {count} {what}", hint)


def _made_part(builder: Builder, matrix: MatrixValue, found: Any) -> Value:
    """A part of a matrix as a node, with the factor of the matrix."""
    if is_matrix(found):
        value: Value = made(builder, found)
        return value if matrix.factor is None else scaled(builder, value, matrix.factor)
    if hasattr(found, "__len__"):
        name = f"~{len(builder.data)}"
        builder.data[name] = found
        value = builder.atom(name, 0, 1, len(found))
    else:
        value = builder.graph.number(float(found))
    return value if matrix.factor is None else builder.graph.node("mul", matrix.factor, value)


def is_matrix_here(value: Value) -> bool:
    """Tell whether the value of a part of an expression is a matrix."""
    return isinstance(value, MatrixValue) or is_rows(value)


def of_shape(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return f"a matrix of {shape[0]} x {shape[1]}"
    return f"a vector of {shape[0]}" if shape else "a number"


def _counted(piece: str, shape: tuple[int, ...], side: int) -> str:
    """What of a factor of ``@`` has to fit: the columns of a left one, the rows of a right one."""
    if len(shape) == 1:
        return f"{piece} has {shape[0]} elements"
    return f"{piece} has {shape[0]} rows" if side else f"{piece} has {shape[1]} columns"
