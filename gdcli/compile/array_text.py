"""From graph to program text for numpy: vectors in chunks that stay in the cache, and many points at once.

A reduction needs its whole vector before anything can use it, so the work falls into stages: stage 0 computes
the vectors that depend on no reduction, stage 1 those that depend on reductions of stage 0, and so on. Each
stage runs through its vectors chunk by chunk; within a chunk every operation writes into one of a few reused
buffers (``out=``), so that nothing as long as the vectors is ever allocated but the gradient itself. What an
earlier stage computed elementwise is computed again where a later one needs it: that is cheaper than keeping
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gdcli.compile.chunks import RELATIONS, UFUNCS, ChunkWriter, Output, Pass
from gdcli.compile.scalar_text import Known, ScalarWriter, number_text
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import REDUCTIONS, WHOLE, Graph, Key, arguments


class VectorWriter:
    """Writes ``def program(x, out)``: it returns the scalar roots and adds the outputs into ``out``.

    ``offsets`` has the place of each variable in the flat vector x; vectors that are constants are read from
    ``data``.
    """

    def __init__(
        self, graph: Graph, roots: Sequence[int], outputs: Sequence[Output], offsets: dict[str, int]
    ) -> None:
        self.graph = graph
        self.roots = list(roots)
        self.outputs = list(outputs)
        self.offsets = offsets
        self.nodes = graph.reach(tuple(self.roots) + tuple(o.node for o in outputs))
        self.levels = self._levels()
        self.wanted = self._scalars_wanted()
        self.buffers = 0
        self.lines: list[str] = []
        self.scalars: dict[int, tuple[str, int]] = {}
        self.whole_names: dict[int, str] = {}
        self.written: set[str] = set()
        self.assigned: list[Output] = []

    def _levels(self) -> dict[int, int]:
        """The stage in which each node can be computed: reductions come one stage after their vector."""
        levels: dict[int, int] = {}
        for i in self.nodes:
            key = self.graph.keys[i]
            below = max((levels[a] for a in arguments(key)), default=0)
            levels[i] = below + 1 if key[0] in REDUCTIONS or key[0] in WHOLE else below
        return levels

    def write(self) -> str:
        self.atoms()
        last = max(self.levels.values(), default=0)
        for stage in range(last + 1):
            self.scalar_stage(stage)
            for loop in self.loops(stage):
                ChunkWriter(self, loop).write()
        for output in self.outputs:
            if output.length is None:
                self.lines.append(f"out[{output.start}] += {self.scalars[output.node][0]}")
        results = "".join(self.scalars[root][0] + ", " for root in self.roots)
        body = "".join(f"    {line}\n" for line in [*self.zeros(), *self.lines])
        return f"def program(x, out):\n{body}    return ({results})\n"

    def zeros(self) -> list[str]:
        """Set to zero what is added to before it is assigned; ``out`` comes with anything in it."""
        if not self.outputs:  # a value alone, or a product that is zero
            return ["if out is not None:", "    out[:] = 0.0"]
        assigned = sorted((o.start, o.start + (o.length or 0)) for o in self.assigned)
        gaps: list[tuple[int, int | None]] = []
        place = 0
        for start, end in assigned:
            gaps.append((place, start))
            place = end
        gaps.append((place, None))
        return [f"out[{a}:{'' if b is None else b}] = 0.0" for a, b in gaps if b is None or a < b]

    def variable(self, place: int) -> str:
        return max((offset, name) for name, offset in self.offsets.items() if offset <= place)[1]

    # -- scalars -------------------------------------------------------------------------------------------

    def atoms(self) -> None:
        """Name a view of every slice that is used, and read the scalars."""
        for i in self.nodes:
            key = self.graph.keys[i]
            if key[0] == "slice":
                self.lines.append(f"a{i} = {self.view(key)}")
            elif key[0] == "number":
                self.scalars[i] = number_text(self.graph.value_of(i)), 0
            elif key[0] == "matrix":
                self.scalars[i] = f"data[{key[1]!r}]{'.T' if key[4] else ''}", 0
            elif key[0] in ("scalar", "element"):
                place = self.offsets.get(key[1])
                index = 0 if key[0] == "scalar" else key[2]
                source = f"data[{key[1]!r}][{index}]" if place is None else f"x[{place + index}]"
                self.lines.append(f"t{i} = float({source})")
                self.scalars[i] = f"t{i}", 0

    def view(self, key: Key) -> str:
        _, name, start, step, length = key
        base, origin = (f"data[{name!r}]", 0) if name not in self.offsets else ("x", self.offsets[name])
        first = origin + start
        return f"{base}[{first}:{first + step * (length - 1) + 1}:{step}]"

    def scalar_stage(self, stage: int) -> None:
        self.lines += self.scalars_of(stage, self.scalars, lambda key: "", safe=True)

    def scalars_of(
        self, stage: int, scalars: Known, leaf: Callable[[Key], str], safe: bool = False
    ) -> list[str]:
        """Return the statements for the scalars that a stage and its loops may need, whose names go to ``scalars``."""
        graph = self.graph
        wanted = [
            i
            for i in self.nodes
            if graph.lengths[i] is None and self.levels[i] <= stage and i not in scalars and i in self.wanted
        ]
        writer = ScalarWriter(graph, wanted, leaf, safe)
        known = dict(scalars)
        writer.block(wanted, known, 0)
        for i in wanted:
            text, depth = known[i]
            if depth or not text.isidentifier():
                writer.lines.append(f"t{i} = {text}")
                text = f"t{i}"
            scalars[i] = text, 0
        return writer.lines

    def _scalars_wanted(self) -> set[int]:
        """The scalars that are results, or used by a vector or a reduction."""
        wanted = set(self.roots) | {o.node for o in self.outputs}
        for i in self.nodes:
            key = self.graph.keys[i]
            if self.graph.lengths[i] is not None or key[0] in REDUCTIONS:
                wanted.update(arguments(key))
        return {i for i in wanted if self.graph.lengths[i] is None}

    # -- loops ---------------------------------------------------------------------------------------------

    def loops(self, stage: int) -> list[Pass]:
        by_length: dict[int, Pass] = {}

        def loop(length: int | None) -> Pass:
            assert length is not None
            return by_length.setdefault(length, Pass(length, [], [], []))

        for i in self.nodes:
            key = self.graph.keys[i]
            if key[0] in REDUCTIONS and self.levels[i] == stage + 1:
                loop(self.graph.lengths[key[1]]).reductions.append(i)
            elif key[0] == "matmul" and self.levels[i] == stage + 1:
                loop(self.graph.shape(key[1])[1]).whole.append(i)
            elif key[0] in WHOLE and self.levels[i] == stage + 1:
                loop(self.graph.lengths[i]).whole.append(i)
        for output in self.outputs:
            if output.length is not None and self.levels[output.node] == stage:
                loop(output.length).outputs.append(output)
        return list(by_length.values())


def batch_text(graph: Graph, roots: Sequence[int], rows: Mapping[Key, int]) -> str:
    """Return ``def batch(x)`` for a graph of scalars: x has a row per variable and a column per point."""
    lines = []
    names: dict[int, str] = {}
    for i in graph.reach(roots):
        key = graph.keys[i]
        if key[0] == "number":
            names[i] = number_text(graph.value_of(i))
            continue
        names[i] = f"t{i}"
        if key[0] in ("scalar", "element"):
            lines.append(f"t{i} = x[{rows[key]}]")
            continue
        args = [names[a] for a in arguments(key)]
        if key[0] == "where":
            text = f"np.where({RELATIONS[key[1]]}({args[0]}, {args[1]}), {args[2]}, {args[3]})"
        else:
            text = f"{UFUNCS.get(key[0]) or FUNCTIONS[key[0]].numpy}({', '.join(args)})"
        lines.append(f"t{i} = {text}")
    body = "".join(f"    {line}\n" for line in lines)
    return f"def batch(x):\n{body}    return {', '.join(names[root] for root in roots)},\n"
