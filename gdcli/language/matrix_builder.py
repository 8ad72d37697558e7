"""Matrices while a graph is built: what may be done with them, and what is told where it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gdcli.language.functions import FUNCTIONS, INTERNAL
from gdcli.language.graph import Graph
from gdcli.language.matrices import (
    MatrixValue,
    constant_elementwise,
    constant_product,
    elementwise,
    is_matrix,
    is_rows,
    matrix_value,
    part,
    product,
    times_vector,
    transposed,
)
from gdcli.language.syntax import Node, Tree

# A node of the graph; in an expanded Form the list of the nodes of a vector's elements, or of the rows of a matrix,
# which in another Form is a `MatrixValue`.
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
        one, other = _of_shape(shapes[0]), _of_shape(shapes[different])
        what = f"{pieces[0]} is {one}, and {pieces[different]} {other}"
        raise builder.tree.error(node, what, "element by element one shape is needed; @ multiplies")
    if name not in (*ARITHMETIC, *FUNCTIONS) or name in INTERNAL:
        matrix = next(k for k, value in enumerate(args) if is_matrix_here(value))
        what = f"{name} needs a vector or a number, and {pieces[matrix]} is {_of_shape(shapes[matrix])}"
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
        return _transposed(value)
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


def _transposed(value: Value) -> Value:
    if isinstance(value, MatrixValue):
        return value._replace(rows=value.columns, columns=value.rows, transposed=not value.transposed)
    return transposed(value) if is_rows(value) else value


def _check_picks(
    builder: Builder, node: Node, piece: str, shape: tuple[int, ...], picks: Sequence[Any]
) -> None:
    if len(picks) > len(shape):
        raise builder.tree.error(node, f"{piece} is {_of_shape(shape)}, and has one index", f"{piece}[0]")
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
    return isinstance(value, MatrixValue) or (is_rows(value))


def told_shape(value: Value) -> str:
    return str(value) if isinstance(value, MatrixValue) else _of_shape((len(value), len(value[0])))


def _of_shape(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return f"a matrix of {shape[0]} x {shape[1]}"
    return f"a vector of {shape[0]}" if shape else "a number"


def _counted(piece: str, shape: tuple[int, ...], side: int) -> str:
    """What of a factor of ``@`` has to fit: the columns of a left one, the rows of a right one."""
    if len(shape) == 1:
        return f"{piece} has {shape[0]} elements"
    return f"{piece} has {shape[0]} rows" if side else f"{piece} has {shape[1]} columns"
