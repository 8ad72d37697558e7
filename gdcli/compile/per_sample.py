"""Program text that walks over rows and improves the parameters as it goes.

`DescentWriter` writes one function that takes columns of data and does a step after every row, or after every batch of
rows with their mean gradient. Everything it works on are scalars in local variables; parameters and state are read
from flat buffers at the beginning and written back at the end. So a piece of rows that raises can be done again from
its beginning by the safe spelling, and an interrupt leaves whole pieces behind.

The text is in the restricted Python of :mod:`gdcli.compile.scalar_text`; its buffers are lists in CPython, and pointers
to float64 for a compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gdcli.compile.scalar_text import (
    ARITHMETIC,
    Known,
    ScalarWriter,
    bare_namespace,
    compile_function,
    number_text,
    safe_namespace,
)
from gdcli.compile.update_rules import UpdateRule, clip_statements
from gdcli.kernel.dataclass import NamedTuple
from gdcli.language import ieee
from gdcli.language.graph import LEAVES, Graph, Key


class RowGradient(NamedTuple):
    """The gradient of one row: ``nodes`` of ``graph``, one per parameter; the leaves of both kinds, in flat order.

    With a ``factor`` the derivatives are its node times each of ``nodes``.
    """

    graph: Graph
    nodes: Sequence[int]
    parameters: Sequence[Key]
    columns: Sequence[Key]
    factor: int | None = None

    @property
    def roots(self) -> list[int]:
        return [*self.nodes] if self.factor is None else [self.factor, *self.nodes]


class ParameterBox(NamedTuple):
    """Bounds of the parameters in flat order; infinite where there is none."""

    lower: Sequence[float]
    upper: Sequence[float]


def _number_and_rest(graph: Graph, i: int) -> tuple[float, int]:
    """Return (a, j) with node i = a times node j; signs and number factors stand in front of products."""
    number = 1.0
    while True:
        key = graph.keys[i]
        if key[0] == "neg":
            number, i = -number, key[1]
            continue
        factors = [(graph.value_of(a), b) for a, b in (key[1:], key[:0:-1])] if key[0] == "mul" else []
        found = next(((value, rest) for value, rest in factors if value is not None), None)
        if found is None:
            return number, i
        number, i = number * found[0], found[1]


class DescentWriter:
    """Writes the parts of a function that descends over rows."""

    def __init__(
        self, gradient: RowGradient, rule: UpdateRule, box: ParameterBox | None = None, safe: bool = False
    ) -> None:
        self.gradient = gradient
        self.rule = rule
        self.box = box
        self.size = len(gradient.nodes)
        self.factor = (
            (1.0, -1) if gradient.factor is None else _number_and_rest(gradient.graph, gradient.factor)
        )
        names = {key: f"x{i}" for i, key in enumerate(gradient.parameters)}
        names.update({key: f"c{i}[i]" for i, key in enumerate(gradient.columns)})
        self.names: dict[Key, str] = names
        self.writer = ScalarWriter(gradient.graph, gradient.roots, lambda key: self.names[key], safe)

    def write(self, batches: bool) -> str:
        """Return the text of ``descend(c0, c1, ..., x, state, lo, hi, size, rate)``.

        It does the rows lo to hi (not included) in order, with a step of ``rate`` after each row, or with ``batches``
        after each ``size`` rows by their mean gradient (the last batch may be shorter).
        """
        columns = [f'c{i}: "float*"' for i in range(len(self.gradient.columns))]
        buffers = ['x: "float*"', 'state: "float*"', 'lo: "int"', 'hi: "int"', 'size: "int"', "rate"]
        lines = [f"def descend({', '.join(columns + buffers)}) -> None:"]
        kept = self.kept()
        lines += [f"    {name} = {place}" for name, place in kept]
        lines += self._batches() if batches else self._rows()
        lines += [f"    {place} = {name}" for name, place in kept]
        return "\n".join(lines) + "\n"

    def kept(self) -> list[tuple[str, str]]:
        """What is kept from step to step: its name, and its place in the buffers."""
        kept = [(f"x{i}", f"x[{i}]") for i in range(self.size)]
        return kept + [(name, f"state[{i}]") for i, name in enumerate(self.rule.names(self.size))]

    def _rows(self) -> list[str]:
        return [
            *self.before(),
            "    for i in range(lo, hi):",
            *self.row(2),
            *self.step(2, bool(self.rule.scaled)),
        ]

    def row(self, indent: int) -> list[str]:
        """The statements that set g0, g1, ... to the gradient of row i."""
        lines: list[str] = []
        self.writer.lines = lines
        known = self._columns(indent)
        roots = self.gradient.roots
        if self.gradient.factor is not None and self.rule.scaled:
            roots[0] = self.factor[1]
            self.writer.uses[roots[0]] += 1
        self.writer.block(roots, known, indent)
        space = "    " * indent
        factor = self._factor(known, bool(self.rule.scaled), lines, space)
        return lines + [f"{space}g{k} = {factor(node)}" for k, node in enumerate(self.gradient.nodes)]

    def _factor(self, known: Known, scaled: bool, lines: list[str], space: str) -> Callable[[int], str]:
        """Return what gives the text of a derivative from its node, multiplied by the rate where it is ``scaled``."""
        factor = self.gradient.factor
        if factor is None:
            return lambda node: f"rate * {known[node][0]}" if scaled else known[node][0]
        if scaled:
            lines.append(f"{space}slope = step * {known[self.factor[1]][0]}")
        else:
            lines.append(f"{space}slope = {known[factor][0]}")
        one = self.gradient.graph.number(1.0)
        return lambda node: "slope" if node == one else f"slope * {known[node][0]}"

    def before(self) -> list[str]:
        number = self.factor[0]
        return [f"    step = rate * {number_text(number)}" if number != 1.0 else "    step = rate"]

    def _batches(self) -> list[str]:
        numbers = range(self.size)
        self.writer.lines = lines = [
            "    first = lo",
            "    while first < hi:",
            "        last = min(first + size, hi)",
            *(f"        s{k} = 0.0" for k in numbers),
        ]
        known: Known = {}
        roots = self.gradient.roots
        for i in self._of_parameters():  # once in a batch
            self.writer.block([i], known, 2)
            text, depth = known[i]
            if depth:
                lines.append(f"        t{i} = {text}")
                known[i] = f"t{i}", 0
        lines.append("        for i in range(first, last):")
        known.update(self._columns(3))
        self.writer.block(roots, known, 3)
        factor = self._factor(known, False, lines, "            ")
        lines += [f"            s{k} = s{k} + {factor(n)}" for k, n in enumerate(self.gradient.nodes)]
        lines.append("        rows = float(last - first)")
        lines += [f"        g{k} = s{k} / rows" for k in numbers]
        return [*lines, *self.step(2, False), "        first = last"]

    def _columns(self, indent: int) -> Known:
        known: Known = {}
        graph = self.gradient.graph
        columns = {key: k for k, key in enumerate(self.gradient.columns)}
        for i in self.writer.needed(self.gradient.roots, {}, True):
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
        needed = self.writer.needed(self.gradient.roots, {}, True)
        reached = graph.reach(self.gradient.roots)
        varying = graph.depending(self.gradient.roots, [i for i in reached if graph.keys[i] in columns])
        fixed = [i for i in needed if i not in varying and graph.keys[i][0] not in LEAVES]
        return [i for i in fixed if graph.keys[i][0] != "where"]

    def step(self, indent: int, scaled: bool) -> list[str]:
        """The statements that take a step with the gradient g0, g1, ..., ``scaled``: it is multiplied by the rate."""
        space = "    " * indent
        clips = () if self.box is None else clip_statements(*self.box)
        return [space + line for line in (*self.rule.statements(self.size, scaled), *clips)]


Descend = Callable[..., None]


class RowDescent:
    """A compiled descent over rows in CPython, which follows IEEE 754 and never raises.

    A call does the first ``count`` rows of lists of columns; ``x`` and ``state`` are lists, changed
    in place when the whole piece is done.
    """

    def __init__(
        self, gradient: RowGradient, rule: UpdateRule, box: ParameterBox | None, batches: bool
    ) -> None:
        self.gradient, self.rule, self.box, self.batches = gradient, rule, box, batches
        self.operations = gradient.graph.operations(gradient.roots)
        self.bare = self._compile(False)
        self._safe: Descend | None = None

    def _compile(self, safe: bool) -> Descend:
        text = DescentWriter(self.gradient, self.rule, self.box, safe).write(self.batches)
        space = (safe_namespace if safe else bare_namespace)(self.operations | {"sqrt"})
        of_rules = {
            name: ieee.function(op) for name, op in (("fabs", "abs"), ("max", "max"), ("power", "power"))
        }
        return compile_function(text, "descend", of_rules | space)

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
