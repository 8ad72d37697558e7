"""Scalar programs as texts of the restricted language: the same operations as in CPython, so the same bits.

`functions_of` writes every function of the table that machine code needs beyond the C library's: the special functions
from their one definition, and the choices (sign, max, min) as :mod:`gdcli.language.ieee` has them. There is one
spelling, not a bare and a safe one: the processor follows IEEE 754 by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from gdcli.compile.scalar_text import ScalarWriter
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key

_CHOICES = {
    "sign": "def sign(a):\n    return 1.0 if a > 0.0 else (-1.0 if a < 0.0 else a * 0.0)\n",
    "max": "def maximum(a, b):\n    return a if a >= b or a != a else b\n",
    "min": "def minimum(a, b):\n    return a if a <= b or a != a else b\n",
}


def functions_of(operations: Iterable[str]) -> str:
    wanted = set(operations)
    texts = [text for op, text in _CHOICES.items() if op in wanted]
    special_ones = [op for op in FUNCTIONS if op in wanted and FUNCTIONS[op].special]
    if special_ones:
        from gdcli.language import special

        names = dict.fromkeys(n for op in special_ones for n in (*special.dependencies(op), op))
        # math.floor gives an integer there, which has no negative zero.
        texts += [re.sub(r"\bfloor\(", "whole(", special.scalar_source(name)) for name in names]
    return "".join(texts)


def statements(
    graph: Graph, roots: Sequence[int], leaves: Mapping[Key, str], indent: int = 1
) -> tuple[list[str], list[str]]:
    """Return the statements that compute ``roots``, indented, and the text of each root."""
    lines, results = ScalarWriter(graph, roots, leaves.__getitem__).write()
    space = "    " * (indent - 1)
    return [space + line for line in lines], results


def program_text(name: str, graph: Graph, roots: Sequence[int], leaves: Mapping[Key, str]) -> str:
    """Return ``name(x, out)``: it reads the leaves from x, in their order, and writes the roots into out."""
    lines = [f"    {leaf} = x[{i}]" for i, leaf in enumerate(leaves.values())]
    body, results = statements(graph, roots, leaves)
    lines += body
    lines += [f"    out[{i}] = {result}" for i, result in enumerate(results)]
    return f'def {name}(x: "float*", out: "float*") -> None:\n' + "".join(line + "\n" for line in lines)
