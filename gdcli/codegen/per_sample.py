"""Program text that walks over rows and improves the parameters as it goes.

`descent_text` writes one function that takes columns of data and does a step after every row, or after every batch of
rows with their mean gradient. Everything it works on are scalars in local variables; parameters and state are read
from flat buffers at the beginning and written back at the end. So a piece of rows that raises can be done again from
its beginning by the safe spelling, and an interrupt leaves whole pieces behind.

The text is in the restricted Python of :mod:`gdcli.codegen.source`; its buffers are lists in CPython, and pointers to
float64 for a compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gdcli.codegen.runners import ARITHMETIC, compile_function
from gdcli.codegen.source import Known, ScalarWriter, bare_namespace, safe_namespace
from gdcli.codegen.updates import UpdateRule, clip_statements
from gdcli.language.graph import LEAVES, Graph, Key, arguments


class RowGradient(NamedTuple):
    """The gradient of one row: ``nodes`` of ``graph``, one per parameter; the leaves of both kinds, in flat order."""

    graph: Graph
    nodes: Sequence[int]
    parameters: Sequence[Key]
    columns: Sequence[Key]


class Box(NamedTuple):
    """Bounds of the parameters in flat order; infinite where there is none."""

    lower: Sequence[float]
    upper: Sequence[float]


def descent_text(
    gradient: RowGradient, rule: UpdateRule, box: Box | None = None, batches: bool = False, safe: bool = False
) -> str:
    """Return the text of ``descend(c0, c1, ..., x, state, lo, hi, size, rate)``.

    It does the rows lo to hi (not included) in order, with a step of ``rate`` after each row, or with ``batches``
    after each ``size`` rows by their mean gradient (the last batch may be shorter).
    """
    return _Descent(gradient, rule, box, safe).write(batches)


class _Descent:
    """Writes the parts of the function."""

    def __init__(self, gradient: RowGradient, rule: UpdateRule, box: Box | None, safe: bool) -> None:
        self.gradient = gradient
        self.rule = rule
        self.box = box
        self.size = len(gradient.nodes)
        names = {key: f"x{i}" for i, key in enumerate(gradient.parameters)}
        names.update({key: f"c{i}[i]" for i, key in enumerate(gradient.columns)})
        self.names: dict[Key, str] = names
        self.writer = ScalarWriter(gradient.graph, gradient.nodes, lambda key: self.names[key], safe)

    def write(self, batches: bool) -> str:
        columns = [f'c{i}: "float*"' for i in range(len(self.gradient.columns))]
        buffers = ['x: "float*"', 'state: "float*"', 'lo: "int"', 'hi: "int"', 'size: "int"', "rate"]
        lines = [f"def descend({', '.join(columns + buffers)}) -> None:"]
        kept = [(f"x{i}", f"x[{i}]") for i in range(self.size)]
        kept += [(name, f"state[{i}]") for i, name in enumerate(self.rule.names(self.size))]
        lines += [f"    {name} = {place}" for name, place in kept]
        lines += self._batches() if batches else self._rows()
        lines += [f"    {place} = {name}" for name, place in kept]
        return "\n".join(lines) + "\n"

    def _rows(self) -> list[str]:
        self.writer.lines = lines = ["    for i in range(lo, hi):"]
        known = self._columns(2)
        self.writer.block(self.gradient.nodes, known, 2)
        lines += [f"        g{k} = {known[node][0]}" for k, node in enumerate(self.gradient.nodes)]
        return lines + self._step(2)

    def _batches(self) -> list[str]:
        numbers = range(self.size)
        self.writer.lines = lines = [
            "    first = lo",
            "    while first < hi:",
            "        last = min(first + size, hi)",
            *(f"        s{k} = 0.0" for k in numbers),
        ]
        known: Known = {}
        for i in self._of_parameters():  # once in a batch
            self.writer.block([i], known, 2)
            text, depth = known[i]
            if depth:
                lines.append(f"        t{i} = {text}")
                known[i] = f"t{i}", 0
        lines.append("        for i in range(first, last):")
        known.update(self._columns(3))
        self.writer.block(self.gradient.nodes, known, 3)
        lines += [f"            s{k} = s{k} + {known[n][0]}" for k, n in enumerate(self.gradient.nodes)]
        lines.append("        rows = float(last - first)")
        lines += [f"        g{k} = s{k} / rows" for k in numbers]
        return [*lines, *self._step(2), "        first = last"]

    def _columns(self, indent: int) -> Known:
        """Give a name to each column that is read more than once."""
        known: Known = {}
        graph = self.gradient.graph
        columns = {key: k for k, key in enumerate(self.gradient.columns)}
        for i in self.writer.needed(self.gradient.nodes, {}, True):
            key = graph.keys[i]
            if key in columns and self.writer.uses[i] > 1:
                name = f"r{columns[key]}"
                self.writer.lines.append(f"{'    ' * indent}{name} = {self.names[key]}")
                known[i] = name, 0
        return known

    def _of_parameters(self) -> list[int]:
        """The operations that every row does alike, whatever its columns are."""
        graph = self.gradient.graph
        columns = set(self.gradient.columns)
        needed = self.writer.needed(self.gradient.nodes, {}, True)
        varying: set[int] = set()
        for i in graph.reach(tuple(self.gradient.nodes)):
            key = graph.keys[i]
            if key in columns or any(a in varying for a in arguments(key)):
                varying.add(i)
        fixed = [i for i in needed if i not in varying and graph.keys[i][0] not in LEAVES]
        return [i for i in fixed if graph.keys[i][0] != "where"]

    def _step(self, indent: int) -> list[str]:
        space = "    " * indent
        clips = () if self.box is None else clip_statements(*self.box)
        return [space + line for line in (*self.rule.statements(self.size), *clips)]


Descend = Callable[..., None]


class RowDescent:
    """A compiled descent over rows in CPython, which follows IEEE 754 and never raises.

    A call does the first ``count`` rows of lists of columns; ``x`` and ``state`` are lists, changed
    in place when the whole piece is done.
    """

    def __init__(self, gradient: RowGradient, rule: UpdateRule, box: Box | None, batches: bool) -> None:
        self.gradient, self.rule, self.box, self.batches = gradient, rule, box, batches
        keys = gradient.graph.keys
        self.operations = {keys[i][0] for i in gradient.graph.reach(tuple(gradient.nodes))}
        self.bare = self._compile(False)
        self._safe: Descend | None = None

    def _compile(self, safe: bool) -> Descend:
        text = descent_text(self.gradient, self.rule, self.box, self.batches, safe)
        space: Mapping[str, Any] = (safe_namespace if safe else bare_namespace)(self.operations | {"sqrt"})
        return compile_function(text, "descend", space)

    def __call__(
        self,
        columns: Sequence[list[float]],
        x: list[float],
        state: list[float],
        count: int,
        size: int,
        rate: float,
    ) -> None:
        try:
            self.bare(*columns, x, state, 0, count, size, rate)
        except ARITHMETIC:
            if self._safe is None:
                self._safe = self._compile(True)
            self._safe(*columns, x, state, 0, count, size, rate)
