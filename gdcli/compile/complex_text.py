"""The complex flavour of a program: the same statements, with functions and comparisons for complex numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.calculus.complex_step import COMPARISONS, functions
from gdcli.compile.runners import compile_function
from gdcli.compile.scalar_text import ScalarWriter, function_text
from gdcli.language.functions import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gdcli.language.graph import Graph, Key


class _ComplexWriter(ScalarWriter):
    def condition(self, a: str, relation: str, b: str) -> str:
        return f"{COMPARISONS[relation]}({a}, {b})"


class ComplexFunction:
    """A compiled scalar function of a flat sequence of complex numbers; ``text`` is the program.

    It raises what :mod:`gdcli.calculus.complex_step` raises where it is not analytic, and Python's arithmetic
    errors where complex numbers overflow.
    """

    def __init__(self, graph: Graph, root: int, leaves: Mapping[Key, str]) -> None:
        lines, (result,) = _ComplexWriter(graph, [root], leaves.__getitem__, safe=True).write()
        self.text = function_text("program", list(leaves.values()), lines, result)
        used = {graph.keys[i][0] for i in graph.reach((root,))}
        names = ["div", "power", *COMPARISONS.values(), *(name for name in used if name in FUNCTIONS)]
        space = {"inf": float("inf"), "nan": float("nan"), **functions(tuple(names))}
        self.program = compile_function(self.text, "program", space)

    def __call__(self, x: Sequence[complex]) -> complex:
        found: complex = self.program(x)
        return found
