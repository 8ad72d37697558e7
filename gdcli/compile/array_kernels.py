"""Machine code over long arrays: its text, and what calls it from Python.

`RowsKernel` makes sums over all rows of columns of data, on several threads, and values of each row; `vector_kernel`
the value and the gradient of a function of long vectors.

`RowsText` writes two functions for the graph of one row, in which parameters and columns are scalar leaves:

- ``sums(x, out, first, last, rows, c0, c1, ...)`` goes through the blocks number first to last - 1 of `BLOCK` rows
  each, and writes for each block the sum of every root: ``out[block * roots + k]``. A block's sums do not depend on
  which thread computes it, and the caller adds the blocks up in their order.
- ``values(x, lo, hi, c0, c1, ..., r0, r1, ...)`` writes the roots of the rows lo to hi - 1 into r0, r1, ...

`GatherWriter` writes value and gradient of a function of long vectors in one pass. Its stages are those of
:mod:`gdcli.compile.array_text`: sums first, then what needs them. A stage runs once over the places of each variable
and writes every component of the gradient once: where pieces of the gradient overlap (those of ``v[1:]`` and
``v[:-1]``), each is computed for the same place, from its own elements, and their sum is stored. That computes some
operations twice, which costs less than reading and writing the gradient again. Near the ends fewer pieces overlap:
there the places are split into segments, each with a loop of its own. Sums are made in lanes
(:mod:`gdcli.compile.simd`) over blocks of places. Graphs with products or extremes of a vector, or slices that skip
elements, are not written here (`Unsupported`).
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from gdcli.compile import machine_code
from gdcli.compile.array_text import VectorWriter
from gdcli.compile.chunks import Output
from gdcli.compile.scalar_text import number_text, total
from gdcli.compile.simd import WIDTH, LaneWriter, flags, helpers, piece, row_writer, scalar_statements
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.language.graph import REDUCTIONS, WHOLE, Graph, Key

# Rows, or places of a vector, that are summed in the lanes before the lanes are added up: few enough for accuracy, many
# to be quick.
BLOCK = 16_384
# A shorter segment is not worth a loop of vectors.
_SHORT = 4 * WIDTH


class Unsupported(Exception):  # noqa: N818  it is no error: another runner does it
    """The graph has something that only the numpy runner does."""


class _Item(NamedTuple):
    """A node computed for places ``begin`` to ``begin + length - 1``: its element 0 belongs to place ``begin``.

    It goes into the sum of reduction ``into``, or is a piece of the gradient of ``variable``.
    """

    node: int
    begin: int
    length: int
    into: int | None = None
    variable: str = ""


class GatherWriter:
    """Writes ``program(x, out, results, d0, d1, ...)``: the roots into results, the gradient into out.

    ``lengths`` has the length of each variable that the gradient is made for, ``data`` names the constant vectors in
    the order of the pointers d0, d1, ... Raises `Unsupported`.
    """

    def __init__(
        self,
        graph: Graph,
        roots: Sequence[int],
        outputs: Sequence[Output],
        offsets: Mapping[str, int],
        lengths: Mapping[str, int | None],
        data: Sequence[str],
    ) -> None:
        self.graph = graph
        self.roots = list(roots)
        self.offsets = dict(offsets)
        self.lengths = lengths
        self.data = list(data)
        self.plan = VectorWriter(graph, roots, outputs, self.offsets)
        self.outputs = list(outputs)
        self._check()
        self.varying = {i for i in self.plan.nodes if graph.lengths[i] is not None}
        self.scalars: dict[int, tuple[str, int]] = {}
        self.lines: list[str] = []

    def _check(self) -> None:
        for i in self.plan.nodes:
            key = self.graph.keys[i]
            if key[0] in WHOLE or (key[0] in REDUCTIONS and key[0] != "sum"):
                raise Unsupported(key[0])
            if key[0] == "slice" and key[3] != 1:
                raise Unsupported("a slice with a step")
        if any(output.length is not None and output.step != 1 for output in self.outputs):
            raise Unsupported("a slice with a step")

    def write(self) -> tuple[str, dict[str, tuple[str, ...]]]:
        stages = range(max(self.plan.levels.values(), default=0) + 1)
        done: set[str] = set()
        for stage in stages:
            self.scalar_stage(stage)
            for places, items in self.passes(stage, done):
                self.loops(places, items)
        self.elements(done)
        self.lines += [f"results[{k}] = {self.scalars[root][0]}" for k, root in enumerate(self.roots)]
        pointers = "".join(f', d{k}: "float*"' for k in range(len(self.data)))
        head = f'def program(x: "float*", out: "float*", results: "float*"{pointers}) -> None:\n'
        body = "".join(f"    {line}\n" for line in self.lines)
        operations = {self.graph.keys[i][0] for i in self.plan.nodes}
        return helpers(operations) + head + body, flags("program")

    # -- scalars -------------------------------------------------------------------------------------------

    def scalar_stage(self, stage: int) -> None:
        """Compute the scalars that can be had by now and are used by a vector, or are results."""
        graph, plan = self.graph, self.plan
        for i in plan.nodes:
            if graph.keys[i][0] == "number":
                self.scalars[i] = number_text(graph.value_of(i)), 0
        self.lines += plan.scalars_of(stage, self.scalars, self.scalar_leaf)

    def scalar_leaf(self, key: Key) -> str:
        place = 0 if key[0] == "scalar" else key[2]
        if key[1] in self.offsets:
            return f"x[{self.offsets[key[1]] + place}]"
        return f"d{self.data.index(key[1])}[{place}]"

    def elements(self, done: set[str]) -> None:
        """The gradient by scalars and single elements, and zeros where there is none."""
        for name, length in self.lengths.items():
            begin = self.offsets[name]
            if self.outputs and name not in done:
                self.lines += [
                    f"for t in range({begin}, {begin + (1 if length is None else length)}):",
                    "    out[t] = 0.0",
                ]
        for output in self.outputs:
            if output.length is None:
                place = output.start
                self.lines.append(f"out[{place}] = out[{place}] + {self.scalars[output.node][0]}")

    # -- passes --------------------------------------------------------------------------------------------

    def passes(self, stage: int, done: set[str]) -> list[tuple[int, list[_Item]]]:
        """What is done in a stage: (number of places, items), variables of one length together.

        A variable's gradient is made in the stage in which its last piece can be.
        """
        by_places: dict[int, list[_Item]] = {}
        last: dict[str, int] = {}
        for output in self.outputs:
            if output.length is not None:
                name = self.plan.variable(output.start)
                last[name] = max(last.get(name, 0), self.plan.levels[output.node])
        for output in self.outputs:
            if output.length is not None:
                name = self.plan.variable(output.start)
                places = self.lengths[name]
                if last[name] == stage and places is not None:
                    done.add(name)
                    item = _Item(output.node, output.start - self.offsets[name], output.length, variable=name)
                    by_places.setdefault(places, []).append(item)
        for i in self.plan.nodes:
            if self.graph.keys[i][0] in REDUCTIONS and self.plan.levels[i] == stage + 1:
                self.place_sum(i, by_places)
        return list(by_places.items())

    def place_sum(self, i: int, by_places: dict[int, list[_Item]]) -> None:
        """Make a sum in a pass that goes over its elements anyway, beside a piece that shares operations with it."""
        node = self.graph.keys[i][1]
        length = self.graph.lengths[node]
        assert length is not None
        self.lines.append(f"r{i} = 0.0")
        self.scalars[i] = f"r{i}", 0
        for items in by_places.values():
            for item in items:
                if item.length == length:
                    items.append(_Item(node, item.begin, length, into=i))
                    return
        by_places.setdefault(length, []).append(_Item(node, 0, length, into=i))

    def loops(self, places: int, items: Sequence[_Item]) -> None:
        """Write the loops of a pass: one for each segment of places with the same items."""
        ends = sorted(
            {0, places, *(i.begin for i in items), *(min(i.begin + i.length, places) for i in items)}
        )
        for first, last in pairwise(ends):
            here = [i for i in items if i.begin <= first and last <= i.begin + i.length]
            written = sorted({i.variable for i in items if i.variable})
            if not here and not written:
                continue
            if last - first < _SHORT:
                self.lines.append(f"for t in range({first}, {last}):")
                self.lines += ["    " + line for line in self.body(here, written, 1)]
                continue
            sums = [i.into for i in here if i.into is not None]
            self.lines += [
                f"for lo in range({first}, {last}, {BLOCK}):",
                f"    hi = min(lo + {BLOCK}, {last})",
                f"    whole = lo + (hi - lo) // {WIDTH} * {WIDTH}",
                *(f"    s{k} = lanes(0.0, {WIDTH})" for k in sums),
                f"    for t in range(lo, whole, {WIDTH}):",
                *("        " + line for line in self.body(here, written, WIDTH)),
                *(f"    r{k} = r{k} + total(s{k})" for k in sums),
                "    for t in range(whole, hi):",
                *("        " + line for line in self.body(here, written, 1)),
            ]

    def body(self, items: Sequence[_Item], variables: Sequence[str], width: int) -> list[str]:
        lines: list[str] = []
        writers: dict[int, LaneWriter] = {}
        texts: dict[_Item, str] = {}
        known = {i: text for i, (text, _) in self.scalars.items()}
        for begin in sorted({item.begin for item in items}):
            tag = f"_{begin}" if width > 1 else f"_{begin}_1"
            writer = writers[begin] = LaneWriter(
                self.graph, self.varying, known, partial(self.leaf, begin=begin, width=width), tag
            )
            mine = [item for item in items if item.begin == begin]
            writer.write([item.node for item in mine])
            texts.update({item: writer.name(item.node) for item in mine})
            lines += writer.lines
        for item in items:
            if item.into is not None:
                name = f"s{item.into}" if width > 1 else f"r{item.into}"
                lines.append(f"{name} = {name} + {texts[item]}")
        for variable in variables:
            parts = [texts[item] for item in items if item.variable == variable]
            value = " + ".join(parts) or "0.0"
            if width > 1 and not any(part.startswith("v") for part in parts):
                value = f"lanes({value}, {width})"
            lines.append(f"{piece('out', f'{self.offsets[variable]} + t', width)} = {value}")
        return lines

    def leaf(self, i: int, *, begin: int, width: int) -> str:
        """The text of a slice's elements for ``width`` places from t, where element 0 belongs to place ``begin``."""
        _, name, start, _, _ = self.graph.keys[i]
        if name in self.offsets:
            return piece("x", f"{self.offsets[name] + start - begin} + t", width)
        return piece(f"d{self.data.index(name)}", f"{start - begin} + t", width)


# Blocks in one call: a fraction of 50 ms, so that an interrupt is heard.
_SPAN = 32
# Fewer blocks for each thread are not worth starting it.
_LEAST = 8


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

    def program(x: Vector, out: Array | None) -> tuple[float, ...]:
        x = np.ascontiguousarray(x, dtype=float)
        call(x.ctypes.data, None if out is None else out.ctypes.data, results, *pointers)
        assert len(arrays) == len(pointers)  # the arrays live as long as their addresses are used
        return tuple(results[:count])

    return program


class RowsKernel:
    """Sums and values of ``roots``, scalar nodes, over rows. Raises NoMachineCodeError without llvmlite.

    ``parameters`` and ``columns`` have the scalar leaves, in the order in which values are passed, each with a name of
    its own for program text.
    """

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

        threads = max(1, min(threads, blocks // _LEAST))
        ends = [blocks * k // threads for k in range(threads + 1)]

        def part(k: int) -> None:
            for begin in range(ends[k], ends[k + 1], _SPAN):
                if stopped.is_set():
                    return
                last = min(begin + _SPAN, ends[k + 1])
                self._sums(given, out.ctypes.data, begin, last, rows, *pointers)

        machine_code.at_once(part, threads, stopped)
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
        writer = row_writer(self.graph, self.varying, self.scalars, self.columns, width)
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
