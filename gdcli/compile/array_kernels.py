"""Machine code over long arrays, called from Python.

`RowsKernel` makes sums over all rows of columns of data, on several threads, and values of each row; `vector_kernel`
the value and the gradient of a function of long vectors.

`RowsText` writes two functions for the graph of one row, in which parameters and columns are scalar leaves:

- ``sums(x, out, first, last, rows, c0, c1, ...)`` goes through the blocks number first to last - 1 of `BLOCK` rows
  each, and writes for each block the sum of every root: ``out[block * roots + k]``. A block's sums do not depend on
  which thread computes it, and the caller adds the blocks up in their order.
- ``values(x, lo, hi, c0, c1, ..., r0, r1, ...)`` writes the roots of the rows lo to hi - 1 into r0, r1, ...
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.compile import machine_code
from gdcli.compile.chunks import Output
from gdcli.compile.indexed_simd import GatherWriter, Unsupported
from gdcli.compile.runners import total
from gdcli.compile.simd import WIDTH, LaneWriter, flags, helpers, piece, scalar_statements
from gdcli.kernel.vectors import Vector, np
from gdcli.language.graph import Graph, Key

if TYPE_CHECKING:
    from numpy import ndarray

# Blocks in one call: a fraction of 50 ms, so that an interrupt is heard.
_SPAN = 32
# Fewer blocks for each thread are not worth starting it.
_LEAST = 8


def rows_kernel(
    graph: Graph,
    roots: Sequence[int],
    parameters: Mapping[Key, str],
    columns: Mapping[Key, str],
    use_cache: bool = True,
) -> RowsKernel | None:
    """Return the kernel of the graph of one row, None where machine code cannot be had.

    ``roots`` are scalar nodes; ``parameters`` and ``columns`` have the scalar leaves, in the order in which values are
    passed, each with a name of its own for program text.
    """
    if not machine_code.is_available():
        return None
    return RowsKernel(graph, roots, parameters, columns, use_cache)


def vector_kernel(
    graph: Graph,
    roots: Sequence[int],
    outputs: Sequence[Output],
    offsets: Mapping[str, int],
    lengths: Mapping[str, int | None],
    data: Mapping[str, Any],
    use_cache: bool = True,
) -> Callable[..., tuple[float, ...]] | None:
    """Return ``program(x, out)`` as `gdcli.compile.runners.vector_function` does, as machine code.

    ``lengths`` are those of the variables for which there is a gradient. None where machine code cannot be had, or
    where only numpy does what the graph asks for.
    """
    if not machine_code.is_available():
        return None
    try:
        text, flags = GatherWriter(graph, roots, outputs, offsets, lengths, list(data)).write()
    except Unsupported:
        return None
    call = machine_code.load(text, flags, use_cache)["program"]
    arrays = [np.ascontiguousarray(value, dtype=float) for value in data.values()]
    pointers = [a.ctypes.data for a in arrays]
    results = (ctypes.c_double * max(1, len(roots)))()
    count = len(roots)

    def program(x: Vector, out: ndarray | None) -> tuple[float, ...]:
        x = np.ascontiguousarray(x, dtype=float)
        call(x.ctypes.data, None if out is None else out.ctypes.data, results, *pointers)
        assert len(arrays) == len(pointers)  # the arrays live as long as their addresses are used
        return tuple(results[:count])

    return program


class RowsKernel:
    """Sums and values of nodes over rows; see `rows_kernel`. Raises NoMachineCodeError without llvmlite."""

    def __init__(
        self,
        graph: Graph,
        roots: Sequence[int],
        parameters: Mapping[Key, str],
        columns: Mapping[Key, str],
        use_cache: bool = True,
    ) -> None:
        written = RowsText(graph, roots, parameters, columns)
        library = machine_code.load(written.text, written.flags, use_cache)
        self.count = len(written.roots)
        self._parameters = ctypes.c_double * len(parameters)
        self._sums, self._values = library["sums"], library["values"]

    def sums(self, x: Sequence[float], columns: Sequence[Any], threads: int = 1) -> list[float]:
        """Return the sum of each root over all rows.

        ``x`` are the parameters, ``columns`` float64 arrays of one length. Blocks of rows are summed in lanes and added
        up exactly rounded, so that the result has the same bits for any number of ``threads``.
        """
        arrays = self._arrays(columns)
        rows = len(arrays[0]) if arrays else 0
        blocks = -(-rows // BLOCK)
        out = np.empty((blocks, self.count))
        given = self._parameters(*x)
        pointers = [a.ctypes.data for a in arrays]
        stopped = threading.Event()

        def part(first: int, last: int) -> None:
            for begin in range(first, last, _SPAN):
                if stopped.is_set():
                    return
                self._sums(given, out.ctypes.data, begin, min(begin + _SPAN, last), rows, *pointers)

        threads = max(1, min(threads, blocks // _LEAST))
        ends = [blocks * k // threads for k in range(threads + 1)]
        others = [threading.Thread(target=part, args=ends[k : k + 2]) for k in range(1, threads)]
        for thread in others:
            thread.start()
        try:
            part(*ends[:2])
        except BaseException:
            stopped.set()
            raise
        finally:
            for thread in others:
                thread.join()
        if blocks == 1:
            return list((out[0] + 0.0).tolist())
        return [total(column) for column in out.T.tolist()]

    def values(self, x: Sequence[float], columns: Sequence[Any]) -> list[Any]:
        """Return each root's value for every row, float64 arrays of shape (rows,)."""
        arrays = self._arrays(columns)
        rows = len(arrays[0]) if arrays else 0
        results = [np.empty(rows) for _ in range(self.count)]
        pointers = [a.ctypes.data for a in (*arrays, *results)]
        given = self._parameters(*x)
        for begin in range(0, rows, _SPAN * BLOCK):
            self._values(given, begin, min(begin + _SPAN * BLOCK, rows), *pointers)
        return results

    def _arrays(self, columns: Sequence[Any]) -> list[Any]:
        return [np.ascontiguousarray(column, dtype=float) for column in columns]


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
        self.text = helpers(graph.operations(self.roots)) + self._sums() + self._values()
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
