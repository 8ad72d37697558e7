"""Program text for numpy made to run; only what is compiled here imports numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.compile.scalar_text import compile_function, safe_namespace
from gdcli.kernel.vectors import Array, array_dot, np
from gdcli.language import ieee
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, Key

if TYPE_CHECKING:
    from gdcli.compile.chunks import Output

# Elements worked on at a time: 128 KiB a buffer, so that the few buffers stay in the cache.
CHUNK = 16_384


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


def _others(vector: Array) -> Array:
    """Return for each element the product of all others, by prefix and suffix products (no division)."""
    result: Array = np.ones_like(vector)
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
    from gdcli.compile.array_text import batch_text

    return compile_function(
        batch_text(graph, roots, rows),
        "batch",
        array_namespace(graph.operations(roots)),
    )
