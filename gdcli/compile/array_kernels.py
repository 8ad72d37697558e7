"""Machine code over long arrays, called from Python.

`RowsKernel` makes sums over all rows of columns of data, on several threads, and values of each row; `vector_kernel`
the value and the gradient of a function of long vectors.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.compile import machine_code
from gdcli.compile.chunks import Output
from gdcli.compile.indexed_simd import GatherWriter, Unsupported
from gdcli.compile.row_sums import BLOCK, RowsText
from gdcli.compile.runners import numpy, total
from gdcli.kernel.vectors import Vector
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
    np = numpy()
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
        self.np = numpy()
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
        out = self.np.empty((blocks, self.count))
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
        results = [self.np.empty(rows) for _ in range(self.count)]
        pointers = [a.ctypes.data for a in (*arrays, *results)]
        given = self._parameters(*x)
        for begin in range(0, rows, _SPAN * BLOCK):
            self._values(given, begin, min(begin + _SPAN * BLOCK, rows), *pointers)
        return results

    def _arrays(self, columns: Sequence[Any]) -> list[Any]:
        return [self.np.ascontiguousarray(column, dtype=float) for column in columns]
