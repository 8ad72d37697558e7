"""From graph to program text for machine code: functions of long vectors, value and gradient in one pass.

The stages are those of :mod:`gdcli.compile.array_text`: sums first, then what needs them. A stage runs once over the
places of each variable and writes every component of the gradient once: where pieces of the gradient overlap (those of
``v[1:]`` and ``v[:-1]``), each is computed for the same place, from its own elements, and their sum is stored. That
computes some operations twice, which costs less than reading and writing the gradient again. Near the ends fewer pieces
overlap: there the places are split into segments, each with a loop of its own.

Sums are made in lanes (:mod:`gdcli.compile.simd`) over blocks of places. Graphs with products or extremes of a vector,
or slices that skip elements, are not written here (`Unsupported`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

from gdcli.compile.array_text import VectorWriter
from gdcli.compile.chunks import Output
from gdcli.compile.scalar_text import number_text
from gdcli.compile.simd import WIDTH, LaneWriter, flags, helpers, piece
from gdcli.kernel.dataclass import NamedTuple
from gdcli.language.graph import REDUCTIONS, WHOLE, Graph, Key

# Places whose sums are made in the lanes before the lanes are added up.
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
