"""Constant matrices in expressions: ``A @ x``, ``w @ C @ w``.

A product with a vector is one node of the graph, however large the matrix is, and so is its derivative: a product with
the transposed matrix. What is done between matrices alone is done at once, before there is a graph. A matrix is a list
of rows, or a numpy array of two axes where it is large.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any, TypeVar

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language.graph import Graph, evaluate

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

    def __str__(self) -> str:
        return f"a matrix of {self.rows} x {self.columns}"


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
        import numpy

        return numpy.asarray(a, dtype=float) @ numpy.asarray(b, dtype=float)
    return product(a, b, operator.mul, partial(reduce, operator.add))


def constant_elementwise(op: str, args: Sequence[Any]) -> Any:
    """Return an operation done element by element on constants, of which some are matrices."""
    rows = [a.tolist() if hasattr(a, "tolist") else a for a in args]
    made = elementwise(lambda *each: evaluate(op, *each), rows)
    if any(hasattr(a, "tolist") for a in args):
        import numpy

        return numpy.asarray(made)
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
