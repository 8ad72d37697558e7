"""From graph to program text for numpy: vectors in chunks that stay in the cache, and many points at once.

A reduction needs its whole vector before anything can use it, so the work falls into stages: stage 0 computes
the vectors that depend on no reduction, stage 1 those that depend on reductions of stage 0, and so on. Each
stage runs through its vectors chunk by chunk; within a chunk every operation writes into one of a few reused
buffers (``out=``), so that nothing as long as the vectors is ever allocated but the gradient itself. What an
earlier stage computed elementwise is computed again where a later one needs it: that is cheaper than keeping
it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from gdcli.codegen.source import ScalarWriter, number_text
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import REDUCTIONS, WHOLE, Graph, Key, arguments

_UFUNCS = {
    "add": "np.add",
    "sub": "np.subtract",
    "mul": "np.multiply",
    "div": "np.divide",
    "neg": "np.negative",
    "pow": "np.power",
}
_RELATIONS = {
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


class _Loop(NamedTuple):
    """One pass over vectors of one length: the reductions, whole vectors, gradient pieces it makes."""

    length: int
    reductions: list[int]
    whole: list[int]
    outputs: list[Output]


class _Term(NamedTuple):
    """A part of a sum: a number times the sum of a vector, or of the product of two."""

    factor: float
    factors: tuple[int, ...]


# Functions that are nowhere negative.
_NONNEGATIVE = frozenset({"abs", "exp", "sqrt", "cosh", "hypot", "sigmoid", "softplus"})


def is_nonnegative(graph: Graph, i: int, depth: int = 30) -> bool:
    """Tell whether a node is plainly nowhere negative: a square, a sum of squares, an absolute value, ...

    Expressions nested deeper than ``depth`` are not looked through.
    """
    key = graph.keys[i]
    if depth == 0:
        return False
    if key[0] == "number":
        return bool(key[1] != "nan" and key[1] >= 0)
    if key[0] in ("add", "mul"):
        square = key[0] == "mul" and key[1] == key[2]
        return square or all(is_nonnegative(graph, a, depth - 1) for a in key[1:])
    return key[0] in _NONNEGATIVE


def nonnegative_terms(graph: Graph, i: int) -> list[tuple[float, int]]:
    """Return the terms (factor, node) of a vector that can be summed one by one.

    The sum of a + b is the sum of a plus the sum of b; where neither is ever negative nothing can cancel, so this is as
    accurate, and it leaves dot products, which read their vectors once.
    """
    key = graph.keys[i]
    if key[0] == "add" and all(graph.lengths[a] is not None and is_nonnegative(graph, a) for a in key[1:]):
        return [term for a in key[1:] for term in nonnegative_terms(graph, a)]
    if key[0] == "mul":
        factor = graph.value_of(key[1])
        if factor is not None and 0.0 < factor < math.inf:
            return [(factor * f, node) for f, node in nonnegative_terms(graph, key[2])]
    return [(1.0, i)]


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
        """Return the text of the function."""
        self.atoms()
        last = max(self.levels.values(), default=0)
        for stage in range(last + 1):
            self.scalar_stage(stage)
            for loop in self.loops(stage):
                _LoopWriter(self, loop).write()
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
        """Return the variable that has a place of the flat vector."""
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
        """Compute the scalars that this stage and its loops may need."""
        graph = self.graph
        wanted = [
            i
            for i in self.nodes
            if graph.lengths[i] is None
            and self.levels[i] <= stage
            and i not in self.scalars
            and i in self.wanted
        ]
        writer = ScalarWriter(graph, wanted, lambda key: "", safe=True)
        known = dict(self.scalars)
        writer.block(wanted, known, 0)
        self.lines += writer.lines
        for i in wanted:
            text, depth = known[i]
            if depth:
                self.lines.append(f"t{i} = {text}")
            self.scalars[i] = f"t{i}" if depth else text, 0

    def _scalars_wanted(self) -> set[int]:
        """The scalars that are results, or used by a vector or a reduction."""
        wanted = set(self.roots) | {o.node for o in self.outputs}
        for i in self.nodes:
            key = self.graph.keys[i]
            if self.graph.lengths[i] is not None or key[0] in REDUCTIONS:
                wanted.update(arguments(key))
        return {i for i in wanted if self.graph.lengths[i] is None}

    # -- loops ---------------------------------------------------------------------------------------------

    def loops(self, stage: int) -> list[_Loop]:
        """The passes of a stage, one for each length of vectors."""
        by_length: dict[int, _Loop] = {}

        def loop(length: int | None) -> _Loop:
            assert length is not None
            return by_length.setdefault(length, _Loop(length, [], [], []))

        for i in self.nodes:
            key = self.graph.keys[i]
            if key[0] in REDUCTIONS and self.levels[i] == stage + 1:
                loop(self.graph.lengths[key[1]]).reductions.append(i)
            elif key[0] in WHOLE and self.levels[i] == stage + 1:
                loop(self.graph.lengths[i]).whole.append(i)
        for output in self.outputs:
            if output.length is not None and self.levels[output.node] == stage:
                loop(output.length).outputs.append(output)
        return list(by_length.values())


class _LoopWriter:
    """Writes one pass: the chunk loop, its operations with their buffers, its reductions and its outputs."""

    def __init__(self, program: VectorWriter, loop: _Loop) -> None:
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
        roots += [self.graph.keys[i][1] for i in self.loop.whole]
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
            condition = f"{_RELATIONS[key[1]]}({args[0]}, {args[1]})"
            self.names[i] = f"v{i}"
            self.lines.append(f"v{i} = np.where({condition}, {args[2]}, {args[3]})")
            self.widen(i, key)
            return
        function = _UFUNCS.get(key[0]) or FUNCTIONS[key[0]].numpy
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
        total = f"np.add.reduce({operands[0]})" if len(operands) == 1 else f"np.dot({', '.join(operands)})"
        return f"float({total})" if term.factor == 1.0 else f"{term.factor!r} * float({total})"

    def collect(self, i: int) -> None:
        key = self.graph.keys[i]
        vector = self.operand(key[1])
        if key[0] == "others":
            self.lines.append(f"w{i}[lo:hi] = {vector}")
            return
        self.lines.append(f"if k{i} < 0:")
        self.lines.append(f"    hits = np.flatnonzero({vector} == {self.program.scalars[key[2]][0]})")
        self.lines.append("    if hits.size:")
        self.lines.append(f"        k{i} = lo + int(hits[0])")
        self.lines.append(f"        w{i}[k{i}] = 1.0")

    def after(self) -> list[str]:
        return [f"w{i} = others(w{i})" for i in self.loop.whole if self.graph.keys[i][0] == "others"]


class BatchWriter:
    """Writes ``def batch(x)`` for a graph of scalars: x has a row per variable and a column per point."""

    def __init__(self, graph: Graph, roots: Sequence[int], rows: dict[Key, int]) -> None:
        self.graph = graph
        self.roots = roots
        self.rows = rows

    def write(self) -> str:
        """Return the text of the function."""
        lines = []
        names: dict[int, str] = {}
        for i in self.graph.reach(tuple(self.roots)):
            key = self.graph.keys[i]
            if key[0] == "number":
                names[i] = number_text(self.graph.value_of(i))
                continue
            names[i] = f"t{i}"
            if key[0] in ("scalar", "element"):
                lines.append(f"t{i} = x[{self.rows[key]}]")
                continue
            args = [names[a] for a in arguments(key)]
            if key[0] == "where":
                text = f"np.where({_RELATIONS[key[1]]}({args[0]}, {args[1]}), {args[2]}, {args[3]})"
            else:
                text = f"{_UFUNCS.get(key[0]) or FUNCTIONS[key[0]].numpy}({', '.join(args)})"
            lines.append(f"t{i} = {text}")
        body = "".join(f"    {line}\n" for line in lines)
        return f"def batch(x):\n{body}    return {', '.join(names[root] for root in self.roots)},\n"
