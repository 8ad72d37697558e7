"""Nodes of a graph that are linear in some variables, as matrices: the whole Jacobian in one pass over the graph.

A product with each unit vector in turn reads the matrices of an expression once for every column. Here each node
carries its matrix of derivatives instead: entries with their places where it comes from single variables (what is
done element by element keeps those), a dense part once vectors meet whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gdcli.compile.chunks import Output
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array, np
from gdcli.language.graph import Graph, Key, arguments

# Values of nodes that do not depend on the variables of the maps, as arrays.
Values = Callable[[Sequence[int]], Sequence[Array]]
_SUMS = frozenset({"add", "sub"})


class _Map(NamedTuple):
    """The derivatives of a node: entries at (rows, columns), and a dense part (length or 1, n) or None."""

    rows: Array
    columns: Array
    entries: Array
    dense: Array | None = None

    def times(self, factor: Array) -> _Map:
        """Return the map of the node times a vector (one number: a scalar), element by element."""
        part = factor if len(factor) == 1 else factor[self.rows]
        dense = None if self.dense is None else self.dense * factor[:, None]
        return _Map(self.rows, self.columns, self.entries * part, dense)

    def whole(self, length: int, n: int) -> Array:
        """Return the map as one matrix."""
        found = np.zeros((length, n)) if self.dense is None else self.dense.copy()
        np.add.at(found, (self.rows, self.columns), self.entries)
        return found


class LinearMaps:
    """The Jacobian of ``outputs`` (nodes with their places) by the variables that ``offsets`` names, in ``n`` columns.

    Matrices are read from ``data``.
    """

    def __init__(
        self,
        graph: Graph,
        outputs: Sequence[Output],
        offsets: Mapping[str, int],
        n: int,
        data: Mapping[str, Array],
    ) -> None:
        self.graph, self.outputs, self.offsets, self.n, self.data = graph, outputs, offsets, n, data
        self.moving: set[int] = set()
        self.order = graph.reach([o.node for o in outputs])
        for i in self.order:
            key = graph.keys[i]
            leaf = key[0] in ("scalar", "element", "slice") and key[1] in offsets
            if leaf or any(a in self.moving for a in arguments(key)):
                self.moving.add(i)
        self.factors = sorted({f for i in self.moving for f in self._factor(graph.keys[i])})

    def _factor(self, key: Key) -> tuple[int, ...]:
        """Return the nodes whose values the map of a node is made with."""
        if key[0] == "mul":
            return tuple(a for a in key[1:] if a not in self.moving)
        return (key[2],) if key[0] == "div" else ()

    def matrix(self, size: int, values: Values) -> Array | None:
        """Return the matrix (size, n) of the outputs, None where a node is not made of sums, factors and matrices."""
        known = dict(zip(self.factors, values(self.factors), strict=True)) if self.factors else {}
        maps: dict[int, _Map] = {}
        for i in self.order:
            if i in self.moving:
                found = self._map(i, maps, known)
                if found is None:
                    return None
                maps[i] = found
        total = np.zeros((size, self.n))
        for output in self.outputs:
            if output.node not in maps:
                continue
            map_, length = maps[output.node], output.length or 1
            places = output.start + output.step * np.arange(length)
            if self.graph.lengths[output.node] is None and length > 1:
                map_ = self._spread(map_, length)
            np.add.at(total, (places[map_.rows], map_.columns), map_.entries)
            if map_.dense is not None:
                total[places] += map_.dense
        return total

    def _leaf(self, key: Key) -> _Map:
        first, step, length = (
            (0, 1, 1) if key[0] == "scalar" else (key[2], 1, 1) if key[0] == "element" else key[2:]
        )
        rows = np.arange(length)
        return _Map(rows, self.offsets[key[1]] + first + step * rows, np.ones(length))

    def _map(self, i: int, maps: Mapping[int, _Map], known: Mapping[int, Array]) -> _Map | None:
        key, length = self.graph.keys[i], self.graph.lengths[i]
        op = key[0]
        if op in ("scalar", "element", "slice"):
            return self._leaf(key)
        parts = [maps.get(a) for a in arguments(key)]
        if op in _SUMS:
            return self._sum(key, length, parts)
        if op == "neg" and parts[0] is not None:
            return _times(parts[0], -1.0)
        if op in ("mul", "div"):
            return self._product(key, length, parts, known)
        if op == "sum" and parts[0] is not None:
            return self._total(parts[0], self.graph.lengths[key[1]] or 1)
        if op == "matmul" and parts[1] is not None:
            return self._times_matrix(key, parts[1])
        return None

    def _spread(self, map_: _Map, length: int) -> _Map:
        """Return the map of a scalar that stands for all elements of a vector."""
        return _Map(*_no_entries(), np.repeat(map_.whole(1, self.n), length, axis=0))

    def _as_long(self, map_: _Map, node: int, length: int | None) -> _Map:
        scalar = length is not None and self.graph.lengths[node] is None
        return self._spread(map_, length or 1) if scalar else map_

    def _sum(self, key: Key, length: int | None, parts: Sequence[_Map | None]) -> _Map | None:
        signs = (1.0, 1.0 if key[0] == "add" else -1.0)
        made = [
            _times(self._as_long(part, node, length), sign)
            for part, node, sign in zip(parts, key[1:], signs, strict=True)
            if part is not None
        ]
        if len(made) == 1:
            return made[0]
        a, b = made
        dense = a.dense if b.dense is None else b.dense if a.dense is None else a.dense + b.dense
        return _Map(
            np.concatenate((a.rows, b.rows)),
            np.concatenate((a.columns, b.columns)),
            np.concatenate((a.entries, b.entries)),
            dense,
        )

    def _product(
        self, key: Key, length: int | None, parts: Sequence[_Map | None], known: Mapping[int, Array]
    ) -> _Map | None:
        a, b = parts
        if (a is not None and b is not None) or (key[0] == "div" and a is None):
            return None
        k = 0 if a is not None else 1
        part, factor = parts[k], known[key[2 - k]]
        assert part is not None
        return self._as_long(part, key[1 + k], length).times(factor if key[0] == "mul" else 1.0 / factor)

    def _total(self, map_: _Map, length: int) -> _Map:
        dense = None if map_.dense is None else map_.dense.sum(axis=0)[None, :]
        return _Map(np.zeros_like(map_.rows), map_.columns, map_.entries, dense)

    def _times_matrix(self, key: Key, map_: _Map) -> _Map:
        _, name, _, _, turned = self.graph.keys[key[1]]
        A = np.asarray(self.data[name])
        A = A.T if turned else A
        if map_.dense is None and len(np.unique(map_.columns)) == len(map_.columns):
            found = np.zeros((len(A), self.n))
            found[:, map_.columns] = A[:, map_.rows] * map_.entries
        else:
            found = A @ map_.whole(A.shape[1], self.n)
        return _Map(*_no_entries(), found)


def _times(map_: _Map, sign: float) -> _Map:
    if sign == 1.0:
        return map_
    return _Map(
        map_.rows, map_.columns, sign * map_.entries, None if map_.dense is None else sign * map_.dense
    )


def _no_entries() -> tuple[Array, Array, Array]:
    return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
