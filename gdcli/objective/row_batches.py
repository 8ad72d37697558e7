"""Mean gradients of batches of rows in numpy, and the steps taken by them.

Rows come as pieces of columns. Where the loss has a linear predictor that is linear in the parameters (see
:mod:`gdcli.objective.linear_predictor`) a batch costs two products of a matrix and a vector; what depends on the data
alone is computed once for the whole piece. Any other loss runs through the program that sums over rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from gdcli.calculus.autodiff import Derivatives
from gdcli.compile.runners import batch_function, rows_function
from gdcli.kernel.vectors import Vector, np
from gdcli.language.graph import LEAVES, Graph, Key, arguments
from gdcli.objective.linear_predictor import (
    WAIST,
    LinearPredictor,
    copy_into,
    find_linear_predictor,
    gradient_nodes,
)
from gdcli.objective.row_model import RowModel, along_rows

Arrays = Sequence[Any]
Gradient = Callable[[Any], Any]


class BatchGradients(Protocol):
    """Gives the mean gradients of the batches of a piece of rows."""

    def piece(self, columns: Arrays, count: int) -> Callable[[int, int], Gradient]:
        """Return what gives, for the rows lo to hi of a piece, the function x -> mean gradient (arrays)."""


def batch_gradients(row: RowModel) -> BatchGradients:
    """Return the quickest way to the mean gradients of batches of this loss."""
    derivatives = Derivatives(row.graph, frozenset(row.columns))
    found = find_linear_predictor(derivatives, row.loss, row.parameters)
    if found is not None and found.linear:
        return LinearWaist(row, found)
    return AnyLoss(row, gradient_nodes(derivatives, row.loss, row.parameters))


class AnyLoss:
    """The mean gradient of a batch by the program that sums over its rows."""

    def __init__(self, row: RowModel, nodes: Sequence[int]) -> None:
        self.row = row
        self.nodes = nodes
        self._programs: dict[int, Callable[..., tuple[float, ...]]] = {}

    def _program(self, length: int) -> Callable[..., tuple[float, ...]]:
        found = self._programs.get(length)
        if found is None:
            graph, totals = along_rows(self.row, self.nodes, length)
            found = rows_function(graph, totals, self.row.space.offsets, self.row.columns)
            self._programs[length] = found
        return found

    def piece(self, columns: Arrays, count: int) -> Callable[[int, int], Gradient]:
        def batch(lo: int, hi: int) -> Gradient:
            program = self._program(hi - lo)
            part = [column[lo:hi] for column in columns]
            return lambda x: np.array(program(x, part)) / (hi - lo)

        return batch


class LinearWaist:
    """The mean gradient of a loss whose linear predictor is ``offset + features @ x``.

    Features and offset are computed once for a piece, and so is every part of the slope that no parameter changes.
    """

    def __init__(self, row: RowModel, predictor: LinearPredictor) -> None:
        self.size = row.space.size
        places: dict[Key, int] = {key: i for i, key in enumerate(row.column_leaves)}
        graph = Graph()
        zeros = {node: graph.number(0.0) for node in row.parameters}
        roots = [
            copy_into(graph, row.graph, node, zeros, True) for node in (*predictor.partials, predictor.node)
        ]
        self.features = batch_function(graph, roots, places)
        small = Graph()
        slope = copy_into(small, row.graph, predictor.slope, {predictor.node: small.scalar(WAIST)})
        data = data_nodes(small, slope, set(row.columns))
        self.prepare = batch_function(small, data, places) if data else lambda columns: ()
        bare = Graph()
        names = {node: bare.scalar(f"{WAIST}{k}") for k, node in enumerate(data)}
        keys: dict[Key, int] = {("scalar", WAIST): 0}
        keys.update({("scalar", f"{WAIST}{k}"): k + 1 for k in range(len(data))})
        root = copy_into(bare, small, slope, names)
        self.is_number = bare.keys[root][0] == "number"  # the slope of a loss that is linear itself
        self.slope = batch_function(bare, [root], keys)

    def piece(self, columns: Arrays, count: int) -> Callable[[int, int], Gradient]:
        slope, is_number = self.slope, self.is_number
        *partials, offset = self.features(columns)
        features = np.empty((self.size, count))
        for k, partial in enumerate(partials):
            features[k] = partial
        shift = None if np.ndim(offset) == 0 and offset == 0.0 else np.broadcast_to(offset, count)
        if shift is not None and not shift.any():
            shift = None
        data = [np.broadcast_to(values, count) for values in self.prepare(columns)]

        def batch(lo: int, hi: int) -> Gradient:
            part = features[:, lo:hi]
            here = [values[lo:hi] for values in data]

            def gradient(x: Vector) -> Any:
                predictor = x @ part
                if shift is not None:
                    predictor += shift[lo:hi]
                along = slope((predictor, *here))[0]
                if is_number:
                    return part.sum(axis=1) * (along / (hi - lo))
                return part @ along / (hi - lo)

            return gradient

        return batch


def data_nodes(graph: Graph, root: int, columns: set[str]) -> list[int]:
    """Return the largest parts of ``root`` that depend on columns and on nothing else, columns themselves included."""
    pure: set[int] = set()
    found: dict[int, None] = {}
    order = graph.reach((root,))
    for i in order:
        key = graph.keys[i]
        if key[0] in LEAVES:
            if key[0] == "number" or key[1] in columns:
                pure.add(i)
        elif all(a in pure for a in arguments(key)):
            pure.add(i)
    for i in order:
        if i not in pure:
            found.update(dict.fromkeys(a for a in arguments(graph.keys[i]) if a in pure))
    if root in pure:
        found[root] = None
    return [i for i in found if graph.keys[i][0] != "number"]


def in_order(names: Sequence[str], row: RowModel) -> list[int]:
    """Return where the columns of a row model stand among the columns of data called ``names``."""
    places: Mapping[str, int] = {name: i for i, name in enumerate(names)}
    return [places[name] for name in row.columns]
