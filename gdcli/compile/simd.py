"""From graph to program text for machine code: operations on vectors of a fixed width, the lanes.

A long vector is worked through `WIDTH` elements at a time, which the processor does side by side in as many of its
registers as they take. So a sum has exactly `WIDTH` partial sums whatever the processor: they are added up in a fixed
order at the end, and the result does not depend on how wide its registers are. What does not fill the lanes at the end
is done one by one by the same text with a width of 1.

Multiplication and addition may be fused here, and the functions of :mod:`gdcli.compile.vector_functions` stand for
those of the C library: values differ from CPython's in the last digits. Functions that are not among them are called
for one element after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gdcli.compile import vector_functions
from gdcli.compile.native_calls import INTRINSICS, LIBM
from gdcli.compile.scalar_text import ScalarWriter, functions_of, number_text
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key, arguments

WIDTH = 16
FLAGS = ("contract",)

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def helpers(operations: Iterable[str]) -> str:
    """Return the text of all helpers that programs of these operations may call, on scalars and on vectors."""
    found = set(operations)
    return functions_of(found) + vector_functions.text_of(found)


def flags(*kernels: str) -> dict[str, tuple[str, ...]]:
    """Return the fast-math flags of kernels and of the functions of vectors."""
    return {**vector_functions.flags(), **dict.fromkeys(kernels, FLAGS)}


def operation(key: Key, args: Sequence[str]) -> str:
    """Return the text of one operation on vectors (or on numbers where the width is 1)."""
    op = key[0]
    if op == "neg":
        return f"-{args[0]}"
    if op in _INFIX:
        return f"{args[0]} {_INFIX[op]} {args[1]}"
    if op == "pow":
        return f"power({args[0]}, {args[1]})"
    if op == "where":
        return f"where({args[0]} {key[1]} {args[1]}, {args[2]}, {args[3]})"
    if op in vector_functions.NAMES:
        return f"{vector_functions.name_of(op)}({', '.join(args)})"
    name = FUNCTIONS[op].python
    inside = ", ".join(args)
    return f"{name}({inside})" if name in LIBM or name in INTRINSICS else f"each({name}, {inside})"


def piece(pointer: str, index: str, width: int) -> str:
    return f"{pointer}[{index}]" if width == 1 else f"{pointer}[{index} : {index} + {width}]"


class LaneWriter:
    """Writes the statements that compute nodes of a graph for some elements of their axis.

    ``varying`` are the nodes that differ from element to element; ``read`` gives the text of a varying leaf;
    ``scalars`` has the text of every other node that is needed. ``tag`` ends the names, so that the same nodes can be
    computed for other elements beside them.
    """

    def __init__(
        self,
        graph: Graph,
        varying: set[int],
        scalars: Mapping[int, str],
        read: Callable[[int], str],
        tag: str = "",
    ) -> None:
        self.graph = graph
        self.varying = varying
        self.scalars = scalars
        self.read = read
        self.tag = tag
        self.lines: list[str] = []
        self.names: dict[int, str] = {}

    def name(self, i: int) -> str:
        return self.names[i] if i in self.varying else self.scalars[i]

    def write(self, roots: Iterable[int]) -> None:
        for i in self.graph.reach(self._varying(roots), self.names, self._below):
            args = arguments(self.graph.keys[i])
            text = operation(self.graph.keys[i], [self.name(a) for a in args]) if args else self.read(i)
            self.names[i] = f"v{i}{self.tag}"
            self.lines.append(f"{self.names[i]} = {text}")

    def _varying(self, nodes: Iterable[int]) -> list[int]:
        return [i for i in nodes if i in self.varying]

    def _below(self, i: int) -> list[int]:
        return self._varying(arguments(self.graph.keys[i]))


def scalar_statements(
    graph: Graph, roots: Iterable[int], varying: set[int], read: Mapping[Key, str]
) -> tuple[list[str], dict[int, str]]:
    """Return the statements for the scalars that varying nodes (or ``roots``) use, and the text of each."""
    wanted: set[int] = set()
    for i in graph.reach(tuple(roots)):
        if i in varying:
            wanted.update(a for a in arguments(graph.keys[i]) if a not in varying)
    wanted.update(i for i in roots if i not in varying)
    ordered = sorted(wanted)
    writer = ScalarWriter(graph, ordered, lambda key: read[key])
    lines, texts = writer.write()
    names: dict[int, str] = {}
    for i, text in zip(ordered, texts, strict=True):
        if graph.keys[i][0] == "number":
            names[i] = number_text(graph.value_of(i))
        elif text.isidentifier():
            names[i] = text
        else:
            lines.append(f"    q{i} = {text}")
            names[i] = f"q{i}"
    return lines, names
