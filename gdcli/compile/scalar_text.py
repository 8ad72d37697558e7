"""From graph to program text: plain functions in a restricted Python.

The text uses floats, arithmetic, calls of named functions, assignments and ``if``; nothing else. It runs as it is in
CPython, and the same text can be compiled to machine code with the same bits. Operations stand in the order of the
graph; a node used more than once gets a name, one used once is written where it is used. The two sides of a ``where``
become the two blocks of an ``if``: what only one side needs is computed in that block alone.

Two spellings: *bare* (``a / b``, ``log(a)``), which is fast and raises where IEEE 754 has inf or nan, and
*safe*, which calls :mod:`gdcli.language.ieee` for everything that could raise.

For machine code there is one spelling: the processor follows IEEE 754 by itself.

`ScalarFunction` is such a text made to run in CPython; its safe twin is made only when the bare one first raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from gdcli.kernel.vectors import Space
from gdcli.language import ieee
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key, arguments, leaf_keys

# Deeper expressions are cut into statements: Python's parser has a limit, and nobody reads further.
MAX_DEPTH = 20
# Python reads at most 100 levels of indentation. Deeper choices compute both sides and pick one.
MAX_INDENT = 80

INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}

# A leaf of the graph -> the text that reads it.
Reader = Callable[[Key], str]
# Computed nodes: the text that gives the value, and how deep it is nested (0: a name or a number).
Known = dict[int, tuple[str, int]]


class ScalarWriter:
    """Writes the body of one function of scalars: statements that compute some root nodes."""

    def __init__(
        self,
        graph: Graph,
        roots: Sequence[int],
        read: Reader,
        safe: bool = False,
        numbers: Mapping[int, str] | None = None,
    ) -> None:
        """``numbers`` are those number leaves that are read by a name instead of written out."""
        self.graph = graph
        self.roots = roots
        self.read = read
        self.safe = safe
        self.numbers = numbers or {}
        self.lines: list[str] = []
        self.uses = self._count_uses()

    def _count_uses(self) -> dict[int, int]:
        uses: dict[int, int] = {}
        for i in self.graph.reach(tuple(self.roots)):
            for a in arguments(self.graph.keys[i]):
                uses[a] = uses.get(a, 0) + 1
        for root in self.roots:
            uses[root] = uses.get(root, 0) + 1
        return uses

    def write(self) -> tuple[list[str], list[str]]:
        """Return the statements (indented once) and the text of each root."""
        known: Known = {}
        self.block(self.roots, known, 1)
        return self.lines, [known[root][0] for root in self.roots]

    def block(self, roots: Sequence[int], known: Known, indent: int) -> list[int]:
        """Compute ``roots`` in one block, adding to what is ``known``; the nodes added are returned."""
        lazy = indent < MAX_INDENT
        added = []
        for i in self.needed(roots, known, lazy):
            key = self.graph.keys[i]
            if key[0] == "where" and lazy:
                text, depth = self.choice(i, key, known, indent)
            else:
                text, depth = self.text(i, key, known)
            if depth and (self.uses[i] > 1 or depth > MAX_DEPTH):
                self.lines.append(f"{'    ' * indent}t{i} = {text}")
                text, depth = f"t{i}", 0
            known[i] = text, depth
            added.append(i)
        return added

    def needed(self, roots: Sequence[int], known: Mapping[int, Any], lazy: bool) -> list[int]:
        """The nodes needed for ``roots``, in order; when ``lazy``, whatever the conditions turn out to be."""
        return self.graph.reach(roots, known, self.graph.needed_first if lazy else None)

    def choice(self, i: int, key: Key, known: Known, indent: int) -> tuple[str, int]:
        """Write an ``if`` with the two sides of a ``where`` as its blocks."""
        _, relation, a, b, yes, no = key
        space = "    " * indent
        test = self.condition(known[a][0], relation, known[b][0])
        for condition, branch in ((f"if {test}:", yes), ("else:", no)):
            self.lines.append(space + condition)
            added = self.block((branch,), known, indent + 1)
            self.lines.append(f"{space}    t{i} = {known[branch][0]}")
            for inner in added:  # names given in one block are unknown after it
                del known[inner]
        return f"t{i}", 0

    def text(self, i: int, key: Key, known: Known) -> tuple[str, int]:
        """The text of an operation on known texts, and how deep it is nested."""
        op = key[0]
        if op == "number":
            return self.numbers.get(i) or number_text(self.graph.value_of(i)), 0
        if op in ("scalar", "element"):
            return self.read(key), 0
        args = [known[a][0] for a in arguments(key)]
        depth = 1 + max(known[a][1] for a in arguments(key))
        if op == "where":
            return f"({args[2]} if {self.condition(args[0], key[1], args[1])} else {args[3]})", depth
        return operation_text(op, args, self.safe), depth

    def condition(self, a: str, relation: str, b: str) -> str:
        return f"{a} {relation} {b}"


def operation_text(op: str, args: Sequence[str], safe: bool) -> str:
    if op == "neg":
        return f"(-{args[0]})"
    if op in INFIX and not (safe and op == "div"):
        return f"({args[0]} {INFIX[op]} {args[1]})"
    if op == "pow":
        return f"power({args[0]}, {args[1]})"
    name = op if safe or op == "div" else FUNCTIONS[op].python
    return f"{name}({', '.join(args)})"


def number_text(value: float | None) -> str:
    """Return a number as Python reads it back, to the last bit."""
    assert value is not None
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "(-inf)"
    return repr(value) if math.copysign(1.0, value) > 0 else f"({value!r})"


def function_text(
    name: str, names: Sequence[str], lines: Sequence[str], result: str, defaults: Sequence[str] = ()
) -> str:
    """Return a function of one flat sequence x whose elements are called ``names``.

    ``defaults`` are names of numbers that the function carries along as the defaults of further arguments.
    """
    unpack = f"    {', '.join(names)}{',' if len(names) == 1 else ''} = x\n" if names else ""
    body = "".join(line + "\n" for line in lines)
    head = ", ".join(["x", *(f"{number}=0.0" for number in defaults)])
    return f"def {name}({head}):\n{unpack}{body}    return {result}\n"


def bare_namespace(operations: Iterable[str]) -> dict[str, Any]:
    """Return what a bare program may call: `math`, and the functions written once for all runners."""
    space: dict[str, Any] = {"inf": math.inf, "nan": math.nan}
    for op in operations:
        if op == "pow":
            space["power"] = math.pow
        elif op in FUNCTIONS:
            row = FUNCTIONS[op]
            own = row.special or row.name in ("sign", "floor", "ceil", "max", "min")
            space[row.python] = ieee.function(op) if own else getattr(math, row.python)
    return space


def safe_namespace(operations: Iterable[str]) -> dict[str, Any]:
    """Return what a safe program of these operations may call; nothing of it raises."""
    space: dict[str, Any] = {"inf": math.inf, "nan": math.nan}
    for op in operations:
        if op in FUNCTIONS or op == "div":
            space[op] = ieee.function(op)
        elif op == "pow":
            space["power"] = ieee.function("power")
    return space


def leaves_of(space: Space) -> dict[Key, str]:
    """Return the leaves of all variables in flat order, each with its name in program text."""
    return {key: f"x{i}" for i, key in enumerate(leaf_keys(space.lengths))}


# -- made to run in CPython -------------------------------------------------------------------------------------------

# What bare arithmetic raises where IEEE 754 has an infinity or nan.
ARITHMETIC = (OverflowError, ValueError, ZeroDivisionError)

Layout = Callable[[list[str]], str]


def compile_function(text: str, name: str, namespace: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the function ``name`` that ``text`` defines, seeing the names of ``namespace`` only."""
    space: dict[str, Any] = {**namespace, "__builtins__": _BUILTINS}
    exec(compile(text, f"<{name}>", "exec"), space)
    function: Callable[..., Any] = space[name]
    return function


_BUILTINS = {"float": float, "range": range, "min": min, "int": int}


class Program(Protocol):
    """A function of a flat sequence of floats: ``bare`` may raise `ARITHMETIC`, ``safe`` and a call never do."""

    @property
    def bare(self) -> Callable[[Sequence[float]], Any]: ...
    def safe(self, x: Sequence[float]) -> Any: ...
    def __call__(self, x: Sequence[float]) -> Any: ...


class GuardedFunction:
    """A function of a flat sequence of floats whose ``bare`` program runs; when that raises, the safe one answers for
    that point, which is made only then.
    """

    __slots__ = ("_make_safe", "_safe", "bare")

    def __init__(self, bare: Callable[..., Any], make_safe: Callable[[], Callable[..., Any]]) -> None:
        self.bare, self._make_safe = bare, make_safe
        self._safe: Callable[..., Any] | None = None

    def __call__(self, x: Sequence[float]) -> Any:
        try:
            return self.bare(x)
        except ARITHMETIC:
            return self.safe(x)

    def safe(self, x: Sequence[float]) -> Any:
        return self.safe_program()(x)

    def safe_program(self) -> Callable[..., Any]:
        if self._safe is None:
            self._safe = self._make_safe()
        return self._safe


class ScalarFunction(GuardedFunction):
    """A compiled function of a flat sequence of floats that follows IEEE 754 and never raises.

    ``text`` is the program. ``numbers`` are those number leaves that are its further arguments, with their names.
    """

    def __init__(
        self,
        graph: Graph,
        roots: Sequence[int],
        leaves: Mapping[Key, str],
        layout: Layout,
        numbers: Mapping[int, str] | None = None,
    ) -> None:
        self.roots, self.leaves = roots, leaves
        operations = graph.operations(roots)

        def text(safe: bool) -> str:
            lines, results = ScalarWriter(graph, roots, leaves.__getitem__, safe, numbers).write()
            more = tuple(numbers.values()) if numbers else ()
            return function_text("program", list(leaves.values()), lines, layout(results), more)

        self.text = text(False)
        super().__init__(
            compile_function(self.text, "program", bare_namespace(operations)),
            lambda: compile_function(text(True), "program", safe_namespace(operations)),
        )


def total(parts: Sequence[float]) -> float:
    """Return the exactly rounded sum; an infinity or nan among the parts is passed on."""
    try:
        return math.fsum(parts)
    except (OverflowError, ValueError):
        return sum(parts)


# -- for machine code --------------------------------------------------------------------------------------------------

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
