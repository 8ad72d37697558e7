"""Program text made to run: in CPython as it stands, and in numpy.

`scalar_function` compiles a function of few variables; its safe twin is made only when the bare one first
raises. `vector_function` and `batch_function` compile numpy programs; only they import numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.compile.scalar_text import ScalarWriter, bare_namespace, function_text, safe_namespace
from gdcli.kernel.vectors import array_dot, np
from gdcli.language import ieee
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key

if TYPE_CHECKING:
    from numpy import ndarray

    from gdcli.compile.chunks import Output

# Elements worked on at a time: 128 KiB a buffer, so that the few buffers stay in the cache.
CHUNK = 16_384

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
    that point.
    """

    __slots__ = ("_safe", "bare")

    def __init__(self, bare: Callable[..., Any]) -> None:
        self.bare = bare
        self._safe: Callable[..., Any] | None = None

    def __call__(self, x: Sequence[float]) -> Any:
        try:
            return self.bare(x)
        except ARITHMETIC:
            return self.safe(x)

    def safe(self, x: Sequence[float]) -> Any:
        if self._safe is None:
            self._safe = self._made_safe()
        return self._safe(x)

    def _made_safe(self) -> Callable[..., Any]:
        raise NotImplementedError


class ScalarFunction(GuardedFunction):
    """A compiled function of a flat sequence of floats that follows IEEE 754 and never raises.

    ``text`` is the program.
    """

    def __init__(self, graph: Graph, roots: Sequence[int], leaves: Mapping[Key, str], layout: Layout) -> None:
        self.graph = graph
        self.roots = roots
        self.leaves = leaves
        self.layout = layout
        self.text = self._write(safe=False)
        self.operations = graph.operations(roots)
        super().__init__(compile_function(self.text, "program", bare_namespace(self.operations)))

    def _write(self, safe: bool) -> str:
        lines, results = ScalarWriter(self.graph, self.roots, self.leaves.__getitem__, safe).write()
        return function_text("program", list(self.leaves.values()), lines, self.layout(results))

    def _made_safe(self) -> Callable[..., Any]:
        return compile_function(self._write(safe=True), "program", safe_namespace(self.operations))


def array_namespace(operations: Iterable[str]) -> dict[str, Any]:
    space: dict[str, Any] = {"np": np, "inf": np.inf, "nan": np.nan}
    for op in operations:
        if op in FUNCTIONS and FUNCTIONS[op].special:
            space[FUNCTIONS[op].numpy] = array_function(op)
    return space


def array_function(name: str) -> Callable[..., Any]:
    from gdcli.language import special

    space: dict[str, Any] = {"np": np, "inf": math.inf, "nan": math.nan}
    for wanted in (*special.dependencies(name), name):
        exec(special.array_source(wanted), space)
    function: Callable[..., Any] = space[name]
    return function


def _others(vector: ndarray) -> ndarray:
    """Return for each element the product of all others, by prefix and suffix products (no division)."""
    result: ndarray = np.ones_like(vector)
    np.cumprod(vector[:-1], out=result[1:])
    result[:-1] *= np.cumprod(vector[:0:-1])[::-1]
    return result


def vector_function(
    graph: Graph,
    roots: Sequence[int],
    outputs: Sequence[Output],
    offsets: dict[str, int],
    data: Mapping[str, Any],
) -> Callable[..., tuple[float, ...]]:
    """Return ``program(x, out)``: the roots' values; outputs are added into out, which comes zeroed."""
    return _vector_program(graph, roots, outputs, offsets, data)[0]


def rows_function(
    graph: Graph, roots: Sequence[int], offsets: dict[str, int], columns: Sequence[str]
) -> Callable[..., tuple[float, ...]]:
    """Return ``program(x, arrays)``: the roots' values for data that change with each call.

    ``arrays`` has an array for each of ``columns``, as long as their slices in the graph.
    """
    program, space = _vector_program(graph, roots, (), offsets, {})
    data = space["data"]

    def over_rows(x: Sequence[float], arrays: Sequence[Any]) -> tuple[float, ...]:
        data.update(zip(columns, arrays, strict=True))
        found: tuple[float, ...] = program(x, None)
        return found

    return over_rows


def _vector_program(
    graph: Graph,
    roots: Sequence[int],
    outputs: Sequence[Output],
    offsets: dict[str, int],
    data: Mapping[str, Any],
) -> tuple[Callable[..., tuple[float, ...]], dict[str, Any]]:
    from gdcli.compile.array_text import VectorWriter

    writer = VectorWriter(graph, roots, outputs, offsets)
    text = writer.write()
    operations = {graph.keys[i][0] for i in writer.nodes}
    space = {
        **safe_namespace(operations),
        **array_namespace(operations),
        "maximum": ieee.maximum,
        "minimum": ieee.minimum,
        "dot": array_dot,
        "others": _others,
        "CHUNK": CHUNK,
        "buffers": [np.empty(CHUNK) for _ in range(writer.buffers)],
        "data": {name: np.asarray(value, dtype=float) for name, value in data.items()},
    }
    return compile_function(text, "program", space), space


def batch_function(
    graph: Graph, roots: Sequence[int], rows: dict[Key, int]
) -> Callable[..., tuple[Any, ...]]:
    """Return ``batch(x)``: for x of shape (variables, points) each root's values, shape (points,)."""
    from gdcli.compile.array_text import BatchWriter

    return compile_function(
        BatchWriter(graph, roots, rows).write(),
        "batch",
        array_namespace(graph.operations(roots)),
    )


def total(parts: Sequence[float]) -> float:
    """Return the exactly rounded sum; an infinity or nan among the parts is passed on."""
    try:
        return math.fsum(parts)
    except (OverflowError, ValueError):
        return sum(parts)
