"""Sums over the rows of columns of data, and values of single rows, as machine code.

`RowsText` writes two functions for the graph of one row, in which parameters and columns are scalar leaves:

- ``sums(x, out, first, last, rows, c0, c1, ...)`` goes through the blocks number first to last - 1 of `BLOCK` rows
  each, and writes for each block the sum of every root: ``out[block * roots + k]``. A block's sums do not depend on
  which thread computes it, and the caller adds the blocks up in their order.
- ``values(x, lo, hi, c0, c1, ..., r0, r1, ...)`` writes the roots of the rows lo to hi - 1 into r0, r1, ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gdcli.compile.simd import WIDTH, LaneWriter, flags, helpers, piece, scalar_statements
from gdcli.compile.strict_scalar import operations_of
from gdcli.language.graph import Graph, Key

# Rows that are summed in the lanes before the lanes are added up: few enough for accuracy, many to be quick.
BLOCK = 16_384


class RowsText:
    def __init__(
        self, graph: Graph, roots: Sequence[int], parameters: Mapping[Key, str], columns: Mapping[Key, str]
    ) -> None:
        self.graph = graph
        self.roots = list(roots)
        self.columns = columns
        self.parameters = parameters
        reached = graph.reach(tuple(self.roots))
        leaves = {i for i in reached if graph.keys[i] in columns}
        self.varying = graph.depending(self.roots, leaves)
        self.scalar_lines, self.scalars = scalar_statements(graph, self.roots, self.varying, parameters)
        self.text = helpers(operations_of(graph, self.roots)) + self._sums() + self._values()
        self.flags = flags("sums", "values")

    def _begin(self) -> list[str]:
        lines = [f"    {name} = x[{i}]" for i, name in enumerate(self.parameters.values())]
        return lines + self.scalar_lines

    def _row(self, width: int, indent: int) -> tuple[list[str], list[str]]:
        """The statements for ``width`` rows from row i, and the texts of the roots."""
        writer = LaneWriter(
            self.graph,
            self.varying,
            self.scalars,
            lambda i: piece(self.columns[self.graph.keys[i]], "i", width),
            "" if width > 1 else "_1",  # a name has one type
        )
        writer.write(self.roots)
        return ["    " * indent + line for line in writer.lines], [writer.name(root) for root in self.roots]

    def _pointers(self, names: Sequence[str]) -> str:
        return "".join(f', {name}: "float*"' for name in names)

    def _sums(self) -> str:
        count = len(self.roots)
        many, texts = self._row(WIDTH, 3)
        one, single = self._row(1, 3)
        columns = self._pointers(list(self.columns.values()))
        lines = [
            'def sums(x: "float*", out: "float*", first: "int", last: "int", rows: "int"'
            + columns
            + ") -> None:",
            *self._begin(),
            "    for block in range(first, last):",
            f"        lo = block * {BLOCK}",
            f"        hi = min(lo + {BLOCK}, rows)",
            f"        whole = lo + (hi - lo) // {WIDTH} * {WIDTH}",
            *(f"        s{k} = lanes(0.0, {WIDTH})" for k in range(count)),
            *(f"        r{k} = 0.0" for k in range(count)),
            f"        for i in range(lo, whole, {WIDTH}):",
            *many,
            *(f"            s{k} = s{k} + {text}" for k, text in enumerate(texts)),
            "        for i in range(whole, hi):",
            *one,
            *(f"            r{k} = r{k} + {text}" for k, text in enumerate(single)),
            *(f"        out[block * {count} + {k}] = total(s{k}) + r{k}" for k in range(count)),
        ]
        return "\n".join(lines) + "\n"

    def _values(self) -> str:
        results = [f"result{k}" for k in range(len(self.roots))]
        many, texts = self._row(WIDTH, 2)
        one, single = self._row(1, 2)
        lines = [
            'def values(x: "float*", lo: "int", hi: "int"'
            + self._pointers([*self.columns.values(), *results])
            + ") -> None:",
            *self._begin(),
            f"    whole = lo + (hi - lo) // {WIDTH} * {WIDTH}",
            f"    for i in range(lo, whole, {WIDTH}):",
            *many,
            *(f"        {piece(r, 'i', WIDTH)} = {t}" for r, t in zip(results, texts, strict=True)),
            "    for i in range(whole, hi):",
            *one,
            *(f"        {r}[i] = {t}" for r, t in zip(results, single, strict=True)),
        ]
        return "\n".join(lines) + "\n"
