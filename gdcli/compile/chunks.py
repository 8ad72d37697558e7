"""One pass over vectors of one length, as program text: chunk by chunk, each operation into a reused buffer.

The buffers are few and small enough to stay in the cache; a buffer is free again after the last use of what it holds.
Sums of products become dot products, which read their vectors once, and a piece of the gradient is computed in its
place where nothing was added there before.
"""

from __future__ import annotations

import math
from typing import Protocol

from gdcli.kernel.dataclass import NamedTuple
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key, arguments

UFUNCS = {
    "add": "np.add",
    "sub": "np.subtract",
    "mul": "np.multiply",
    "div": "np.divide",
    "neg": "np.negative",
    "pow": "np.power",
}
RELATIONS = {
    "<": "np.less",
    "<=": "np.less_equal",
    ">": "np.greater",
    ">=": "np.greater_equal",
    "==": "np.equal",
    "!=": "np.not_equal",
}
_START = {"sum": "0.0", "prod": "1.0", "largest": "-inf", "smallest": "inf"}


class Output(NamedTuple):
    """A piece of a gradient: ``node`` is added to ``length`` places of the flat vector: start, start+step, ...

    A scalar variable or a single element has a length of None.
    """

    start: int
    step: int
    length: int | None
    node: int


class Pass(NamedTuple):
    """One pass over vectors of one length: the reductions, whole vectors, gradient pieces it makes."""

    length: int
    reductions: list[int]
    whole: list[int]
    outputs: list[Output]


class _Term(NamedTuple):
    """A part of a sum: a number times the sum of a vector, or of the product of two."""

    factor: float
    factors: tuple[int, ...]


def nonnegative_terms(graph: Graph, i: int) -> list[tuple[float, int]]:
    """Return the terms (factor, node) of a vector that can be summed one by one.

    The sum of a + b is the sum of a plus the sum of b; where neither is ever negative nothing can cancel, so this is as
    accurate, and it leaves dot products, which read their vectors once.
    """
    key = graph.keys[i]
    if key[0] == "add" and all(graph.lengths[a] is not None and graph.is_never_negative(a) for a in key[1:]):
        return [term for a in key[1:] for term in nonnegative_terms(graph, a)]
    if key[0] == "mul":
        factor = graph.value_of(key[1])
        if factor is not None and 0.0 < factor < math.inf:
            return [(factor * f, node) for f, node in nonnegative_terms(graph, key[2])]
    return [(1.0, i)]


class PassProgram(Protocol):
    """The text of a function of vectors, as a pass needs it that is written into it."""

    graph: Graph
    lines: list[str]
    buffers: int
    scalars: dict[int, tuple[str, int]]
    whole_names: dict[int, str]
    written: set[str]
    assigned: list[Output]

    def variable(self, place: int) -> str:
        """Return the name of the variable that has this place in the flat vector."""


class ChunkWriter:
    """Writes one pass: the chunk loop, its operations with their buffers, its reductions and its outputs."""

    def __init__(self, program: PassProgram, loop: Pass) -> None:
        self.program = program
        self.graph = program.graph
        self.loop = loop
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.free: list[str] = []
        self.buffers = 0
        self.uses: dict[int, int] = {}
        self.assigned: dict[int, Output] = {}
        self.terms = {i: self._terms(i) for i in loop.reductions}
        self.roots = self._roots()
        self._count()

    def _terms(self, i: int) -> list[_Term]:
        """How a reduction is summed up: dot products where it can be; one term unless it is a sum."""
        op, body = self.graph.keys[i]
        if op != "sum":
            return [_Term(1.0, (body,))]
        return [_Term(factor, self._factors(node)) for factor, node in nonnegative_terms(self.graph, body)]

    def _factors(self, i: int) -> tuple[int, ...]:
        """The two vectors whose product a node is; else the node itself."""
        key = self.graph.keys[i]
        if key[0] == "mul" and all(self.graph.lengths[a] is not None for a in key[1:]):
            return (int(key[1]), int(key[2]))
        return (i,)

    def _roots(self) -> list[int]:
        roots = [node for terms in self.terms.values() for term in terms for node in term.factors]
        arguments_of_whole = (whole_argument(self.graph.keys[i]) for i in self.loop.whole)
        roots += [a for a in arguments_of_whole if self.graph.lengths[a] is not None]
        return roots + [o.node for o in self.loop.outputs if self.graph.lengths[o.node] is not None]

    def _count(self) -> None:
        """Find the vectors this pass must compute and how often each is used."""
        seen: set[int] = set()
        stack = list(self.roots)
        for root in self.roots:
            self.uses[root] = self.uses.get(root, 0) + 1
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            if i in self.program.whole_names:
                continue
            for a in arguments(self.graph.keys[i]):
                if self.graph.lengths[a] is not None:
                    self.uses[a] = self.uses.get(a, 0) + 1
                    stack.append(a)
        self.order = sorted(i for i in seen if self.graph.lengths[i] is not None)

    def write(self) -> None:
        program, loop = self.program, self.loop
        before = [f"s{i} = {_START[self.graph.keys[i][0]]}" for i in loop.reductions]
        for i in loop.whole:
            before.append(f"w{i} = np.zeros({loop.length})")
            if self.graph.keys[i][0] == "first":
                before.append(f"k{i} = -1")
        self.assigned = self.plan_outputs()
        for i in self.order:
            self.operation(i)
        self.finish()
        after = self.after()
        header = f"for lo in range(0, {loop.length}, CHUNK):" if loop.length > 0 else "for lo in ():"
        setup = [f"hi = min(lo + CHUNK, {loop.length})", "m = hi - lo"]
        setup += [f"b{k} = buffers[{k}][:m]" for k in range(self.buffers)]
        program.buffers = max(program.buffers, self.buffers)
        program.lines += before + [header] + ["    " + line for line in setup + self.lines] + after
        for i in loop.reductions:
            program.scalars[i] = f"s{i}", 0
        for i in loop.whole:
            program.whole_names[i] = f"w{i}"

    # -- gradient pieces -----------------------------------------------------------------------------------

    def plan_outputs(self) -> dict[int, Output]:
        """Choose for each untouched variable the piece that is assigned and not added: {node: piece}.

        Chunks run upward, so among contiguous pieces the one that begins last is assigned first to every
        place that the others then add to.
        """
        chosen: dict[int, Output] = {}
        groups: dict[str, list[Output]] = {}
        for output in self.loop.outputs:
            groups.setdefault(self.program.variable(output.start), []).append(output)
        for name, group in groups.items():
            if name not in self.program.written and all(o.step == 1 for o in group):
                last = max(group, key=lambda o: o.start)
                chosen[last.node] = last
                self.program.assigned.append(last)
            self.program.written.add(name)
        return chosen

    def place(self, output: Output) -> str:
        if output.step == 1:
            return f"out[{output.start} + lo:{output.start} + hi]"
        start, step = output.start, output.step
        return f"out[{start} + lo * {step}:{start} + (hi - 1) * {step} + 1:{step}]"

    # -- operations ----------------------------------------------------------------------------------------

    def operand(self, a: int) -> str:
        return self.names[a] if self.graph.lengths[a] is not None else self.program.scalars[a][0]

    def release(self, a: int) -> None:
        """One use of a vector is over; its buffer is free after the last."""
        if self.graph.lengths[a] is None:
            return
        self.uses[a] -= 1
        name = self.names[a]
        if self.uses[a] == 0 and name.startswith("b") and name not in self.free:
            self.free.append(name)

    def buffer(self) -> str:
        if self.free:
            return self.free.pop()
        self.buffers += 1
        return f"b{self.buffers - 1}"

    def operation(self, i: int) -> None:
        key = self.graph.keys[i]
        if i in self.program.whole_names:
            self.names[i] = f"v{i}"
            self.lines.append(f"v{i} = {self.program.whole_names[i]}[lo:hi]")
            return
        if key[0] == "slice":
            self.names[i] = f"v{i}"
            self.lines.append(f"v{i} = a{i}[lo:hi]")
            return
        args = [self.operand(a) for a in arguments(key)]
        for a in arguments(key):
            self.release(a)
        if key[0] == "where":
            condition = f"{RELATIONS[key[1]]}({args[0]}, {args[1]})"
            self.names[i] = f"v{i}"
            self.lines.append(f"v{i} = np.where({condition}, {args[2]}, {args[3]})")
            self.widen(i, key)
            return
        function = UFUNCS.get(key[0]) or FUNCTIONS[key[0]].numpy
        if key[0] in FUNCTIONS and FUNCTIONS[key[0]].special:
            self.names[i] = f"v{i}"
            self.lines.append(f"v{i} = {function}({', '.join(args)})")
            return
        if key[0] == "mul" and args[0] == args[1]:
            function, args = "np.square", args[:1]
        if i in self.assigned:  # nothing is added to it before the chunk's last operation has read it
            self.lines.append(f"g{i} = {self.place(self.assigned[i])}")
            self.names[i] = f"g{i}"
        else:
            self.names[i] = self.buffer()
        self.lines.append(f"{function}({', '.join(args)}, out={self.names[i]})")

    def widen(self, i: int, key: Key) -> None:
        """A choice between scalars by scalars would be 0-dimensional."""
        if all(self.graph.lengths[a] is None for a in arguments(key)):
            self.lines.append(f"v{i} = np.broadcast_to(v{i}, m)")

    # -- what the chunk gives ------------------------------------------------------------------------------

    def finish(self) -> None:
        for i in self.loop.reductions:
            self.lines.append(self.reduce(i))
        for i in self.loop.whole:
            self.collect(i)
        for output in sorted(self.loop.outputs, key=lambda o: o not in self.program.assigned):
            source = self.operand(output.node)
            if output not in self.program.assigned:
                self.lines.append(f"g = {self.place(output)}")
                self.lines.append(f"np.add(g, {source}, out=g)")
            elif self.assigned[output.node] is not output or not source.startswith("g"):
                self.lines.append(f"{self.place(output)} = {source}")

    def reduce(self, i: int) -> str:
        op = self.graph.keys[i][0]
        if op == "sum":
            return f"s{i} += {' + '.join(self.term(term) for term in self.terms[i])}"
        vector = self.operand(self.graph.keys[i][1])
        return {
            "prod": f"s{i} *= float(np.multiply.reduce({vector}))",
            "largest": f"s{i} = maximum(s{i}, float(np.maximum.reduce({vector})))",
            "smallest": f"s{i} = minimum(s{i}, float(np.minimum.reduce({vector})))",
        }[op]

    def term(self, term: _Term) -> str:
        operands = [self.operand(node) for node in term.factors]
        total = f"np.add.reduce({operands[0]})" if len(operands) == 1 else f"dot({', '.join(operands)})"
        return f"float({total})" if term.factor == 1.0 else f"{term.factor!r} * float({total})"

    def collect(self, i: int) -> None:
        key = self.graph.keys[i]
        vector = self.operand(whole_argument(key))
        if key[0] in ("others", "matmul"):
            self.lines.append(f"w{i}[lo:hi] = {vector}")
            return
        self.lines.append(f"if k{i} < 0:")
        self.lines.append(f"    hits = np.flatnonzero({vector} == {self.program.scalars[key[2]][0]})")
        self.lines.append("    if hits.size:")
        self.lines.append(f"        k{i} = lo + int(hits[0])")
        self.lines.append(f"        w{i}[k{i}] = 1.0")

    def after(self) -> list[str]:
        lines = []
        for i in self.loop.whole:
            key = self.graph.keys[i]
            if key[0] == "others":
                lines.append(f"w{i} = others(w{i})")
            elif key[0] == "matmul":
                lines.append(f"w{i} = {self.program.scalars[key[1]][0]} @ w{i}")
        return lines


def whole_argument(key: Key) -> int:
    return int(key[2] if key[0] == "matmul" else key[1])
