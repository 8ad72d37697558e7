"""What is promised of every expression and every option's text, as one function of bytes.

Nothing but a `GdError` is raised, in less than a second. The value program is the walk of the tree bit for bit, machine
code gives its bits too, and so does the Python that ``--emit`` writes; the chunked numpy program agrees within what
rounding can do. A tree written out and read again is the same tree.
"""

from __future__ import annotations

import math
import os
import struct
import tempfile
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any
from zlib import crc32

from fuzz.inputs import Bytes, as_typed, check_error, in_time, words
from texts import shown

from gdcli.cli import command_line
from gdcli.cli.commands import COMMANDS
from gdcli.compile import export_text, machine_code
from gdcli.compile.scalar_text import functions_of, program_text
from gdcli.kernel.errors import GdError
from gdcli.kernel.vectors import Space
from gdcli.language import form, interpreter, limits, syntax, tree_names, values
from gdcli.language.functions import CALLABLE
from gdcli.language.syntax import Node, Tree
from gdcli.objective.build import build_objective
from gdcli.objective.expression import ScalarObjective
from gdcli.objective.vector_expression import VectorObjective

MOST_VARIABLES = 8
VECTOR = 4  # elements of each vector
# Compiling takes a tenth of a second: machine code is made of every so many-th input.
EVERY_NATIVE = 97

_NAMES = ("x", "y", "v", "v", "w", "pi", "e", "gamma", "α", "E", "x1", "ﬁ")
_NUMBERS = ("0", "1", "2", "3", "0.5", "1e3", "1e-3", "1e308", "5e-324", "1_0", "10", "4", "17", "1.5")
_OPERATORS = ("+", "-", "*", "/", "**", "^", "(", ")", "(", ")", ",", "@", " ", "+", "*", "-")
_CHOICES = ("where(", "<", "<=", ">", "==", "!=", "where(x<y,", "where(v>0,", "where(0<x<=1,")
_PIECES = (
    "[0]",
    "[-1]",
    "[1:]",
    "[:-1]",
    "[::2]",
    "[",
    "]",
    ":",
    "[1:3]",
    "[9]",
    "[0,1]",
    "[:,0]",
    ".T",
    "sum(v",
    "dot(v,w)",
)
_ODD = ("#", "\n", "=", "~", ".", "!", "%", "if ", "lambda", "_x", "²", "−", "'", "\0", "\u202e", "{", "1_")
EXPRESSION = (
    *(_NAMES * 3),
    *(_NUMBERS * 2),
    *(_OPERATORS * 3),
    *(f"{name}(" for name in CALLABLE),
    *_CHOICES,
    *_PIECES,
    *_ODD,
)
VALUES = (
    *("x=", "y=", "v=", "v[0]=", "=", ",", ",", ":", ":", "[", "]", "(", ")", "zeros(", "ones(", "full("),
    *("linspace(", "random(", "1", "2", "0.5", "-", "+", "1e3", "1e999", "nan", "inf", "pi", "/", "**", "^"),
    *(
        "1_0",
        "@",
        "{",
        "}",
        '"',
        '"x"',
        '"point"',
        "null",
        "true",
        " ",
        "\n",
        "\t",
        "é",
        "\0",
        "ms",
        "s",
        "MB",
    ),
    *(
        "10",
        "3",
        "5",
        "1001",
        "9",
        "0",
        "e",
        "E",
        ".",
        "x",
        "y",
        "a",
        "all",
        "png",
        "auto",
        "gd",
        "--lr",
        "--",
    ),
)
_READERS: tuple[Callable[[str, str], Any], ...] = tuple(
    dict.fromkeys(option.read for command in COMMANDS.values() for option in command.options)
)


def language(data: bytes) -> None:
    """Run one input through all that reads text; raises AssertionError where a promise is broken."""
    source = Bytes(data)
    mode = source.byte() % 8
    if mode < 5:
        point = [source.number() for _ in range(6)]
        text = as_typed(source.rest()) if mode == 0 else words(source.rest(), EXPRESSION)
        with in_time(text):
            expression(text, point)
    elif mode < 7:
        rest = source.rest()
        text = as_typed(rest) if mode == 5 else words(rest, VALUES)
        with in_time(text):
            option_texts(text)
    else:
        from fuzz.problems_target import problem_files

        rest = source.rest()
        with in_time(rest):
            problem_files(rest)


# -- expressions ---------------------------------------------------------------------------------------------------


def expression(text: str, numbers: Sequence[float]) -> None:
    """Read an expression and compute it in every way; ``numbers`` go to its variables in turn."""
    try:
        tree = syntax.parse(text)
    except GdError as error:
        check_error(error)
        return
    _round_trip(tree)
    try:
        started = ["gamma"] if "gamma" in tree.names else []
        names = tree_names.variables(tree, {}, started)
        vectors = tree_names.subscripted(tree) | ({"v", "w"} & set(names))
        lengths = {name: VECTOR if name in vectors else None for name in names}
        if not 0 < len(names) <= MOST_VARIABLES:
            return
        made = build_objective(tree, lengths, {}, 1)
    except GdError as error:
        check_error(error)
        return
    assert isinstance(made, ScalarObjective)
    x = [numbers[i % len(numbers)] + 0.25 * (i // len(numbers)) for i in range(made.space.size)]
    _programs(tree, made, x, crc32(text.encode("utf-8", "surrogatepass")))


def _programs(tree: Tree, made: ScalarObjective, x: list[float], lot: int) -> None:
    expected = interpreter.value(tree, made.space.unflatten(x))
    assert _bits(made.value_program(x)) == _bits(expected), (tree.text, x, "value")
    assert _bits(made.value_program.safe(x)) == _bits(expected), (tree.text, x, "safe value")
    best = made.evaluate(made.vector(x), 2)
    if made.space.size <= 4:
        made.product(best, made.vector([1.0] * made.space.size))
    if not math.isfinite(expected):
        interpreter.find_culprit(tree, made.space.unflatten(x))
    _emitted(tree, made, x)
    if lot % EVERY_NATIVE == 0 and machine_code.is_available():
        _native(made, x)
    if made.form.expanded and any(made.space.lengths.values()):
        _numpy(tree, made, x, expected)


def _bits(value: float) -> bytes:
    return struct.pack("<d", math.nan if value != value else value)


def _emitted(tree: Tree, made: ScalarObjective, x: list[float]) -> None:
    """The emitted Python has the bits; C, awk and SQL can be written."""
    graph, leaves = made.form.graph, made.leaves
    roots = [made.root]
    text = export_text.python_functions(graph, roots) + export_text.function(
        "f", graph, roots, leaves, "p", safe=True
    )
    space: dict[str, Any] = {}
    head = "import math\nfrom math import copysign, inf, isnan, nan\n"
    exec(compile(head + text, "<emitted>", "exec"), space)
    assert _bits(space["f"](x)) == _bits(made.value_program(x)), (tree.text, x, "emitted")
    bare = export_text.function("f", graph, roots, leaves, "p", safe=False)
    export_text.c_functions(graph, roots), export_text.in_c(bare)
    export_text.awk_functions(export_text.in_awk(bare), graph, roots)
    try:
        export_text.sql(graph, made.root, leaves)
    except GdError as error:
        check_error(error)


def _native(made: ScalarObjective, x: list[float]) -> None:
    """Machine code has the bits, of the value and of the gradient."""
    from gdcli.objective.native_objective import NativeProgram

    graph = made.form.graph
    roots = {"value": [made.root], "gradient": list(made.gradient_nodes)}
    nodes = [i for part in roots.values() for i in part]
    text = functions_of(graph.operations(nodes))
    text += "".join(program_text(name, graph, part, made.leaves) for name, part in roots.items())
    library = machine_code.load(text, use_cache=False)
    for name, part in roots.items():
        program = NativeProgram(library, name, len(part), made.space.size)
        found = program(x)
        found = [found] if name == "value" else list(found)
        ours = emit_safe(made, part)(x)
        assert [_bits(a) for a in found] == [_bits(a) for a in ours], (made.form.tree.text, x, name)


def emit_safe(made: ScalarObjective, roots: Sequence[int]) -> Callable[[Sequence[float]], list[float]]:
    """Return the CPython program of nodes, as a function that gives a list."""
    from gdcli.compile.scalar_text import ScalarFunction

    program = ScalarFunction(made.form.graph, roots, dict(made.leaves), lambda t: f"({', '.join(t)},)")
    return lambda x: list(program.safe(x))


def _numpy(tree: Tree, made: ScalarObjective, x: list[float], expected: float) -> None:
    """The chunked numpy program agrees within what rounding can do to the tree."""
    lengths = made.space.lengths
    compact = form.build(tree, lengths, {})
    if compact.is_scalar:
        return
    long = VectorObjective(compact, Space(lengths))
    at = long.evaluate(long.vector(x), 1)
    point = made.space.unflatten(x)
    spread = [_Shaken(tree, point, seed).run(tree.root) for seed in range(6)]
    if not all(math.isfinite(v) for v in (expected, at.value, *spread)):
        return
    room = 64 * max(abs(v - expected) for v in spread) + 1e-300
    if room < 1e-3 * abs(expected):  # else the rounding is as large as the value
        assert abs(at.value - expected) <= room, (tree.text, x, at.value, expected, room)


class _Shaken(interpreter._Walk):
    """The walk with every result off by a few units in the last place: how far rounding can get."""

    def __init__(self, tree: Tree, point: Mapping[str, Any], seed: int) -> None:
        super().__init__(tree, point, False, ())
        self.random = Random(seed)

    def one(self, node: Node, args: list[Any]) -> Any:
        # A sum of products may be rounded term by term, or not at all before the end.
        args = [[self.shaken(v) for v in a] if isinstance(a, list) and node.op == "call" else a for a in args]
        result = super().one(node, args)
        if node.op in ("number", "name", "index", "slice", "where"):
            return result
        return [self.shaken(v) for v in result] if isinstance(result, list) else self.shaken(result)

    def shaken(self, value: float) -> float:
        return value * (1.0 + self.random.uniform(-1.0, 1.0) * 2.0**-50)


# -- printing ------------------------------------------------------------------------------------------------------


def _round_trip(tree: Tree) -> None:
    for node in tree_names.all_nodes(tree.root):
        assert 0 <= node.start < node.end <= len(tree.text)
    text = shown(tree.root)
    try:
        again = syntax.parse(text)
    except GdError as error:
        if "nested" in error.message:  # brackets around everything are deeper than what was typed
            return
        raise AssertionError(tree.text, text, error.message) from error
    assert shown(again.root) == text, (tree.text, text)
    assert again.names == tree.names, (tree.text, text)


# -- options -------------------------------------------------------------------------------------------------------


def option_texts(text: str) -> None:
    """Read a text as the value of every option, as the content of an @file, and as a command line."""
    for read in _READERS:
        _only_errors(read, text, "--name")
    _only_errors(values.read_values, [part if part[:1] != "@" else part[1:] for part in [text]], "--start")
    _only_errors(limits.read_limits, [text])
    with tempfile.NamedTemporaryFile(suffix=".json", dir=_memory()) as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        _only_errors(values.read_values, [f"@{file.name}"], "--start")
    typed = text.split("\n")
    for command in COMMANDS.values():
        _only_errors(
            lambda c=command: command_line.convert(command_line.read(command_line.arrange(typed, c), c), c)
        )


def _memory() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def _only_errors(read: Callable[..., Any], *arguments: Any) -> None:
    try:
        read(*arguments)
    except GdError as error:
        check_error(error)


def quiet_limits() -> None:
    """Make long vectors short, so that thousands of inputs a second need no gigabytes."""
    values.MAX_LENGTH = 20_000
