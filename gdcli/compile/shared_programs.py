"""One compiled program for many problems: the numbers in which they differ are read by name.

A number written out in program text and one that a function carries along as the default of an argument are the same
double, and a default is read as fast as any local name. So a program is compiled once, and each problem gets a
function of the same code with its own defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, cast

from gdcli.compile.runners import ARITHMETIC, Layout, ScalarFunction, compile_function
from gdcli.compile.scalar_text import ScalarWriter, function_text, safe_namespace
from gdcli.language.graph import Graph, Key


class SharedFunction(ScalarFunction):
    """A compiled function whose numbers at the leaves ``slots`` are chosen by `bound`."""

    def __init__(
        self,
        graph: Graph,
        roots: Sequence[int],
        leaves: Mapping[Key, str],
        layout: Layout,
        slots: Sequence[int],
    ) -> None:
        self.names = {node: f"c{k}" for k, node in enumerate(slots)}
        self._safe_code: FunctionType | None = None
        super().__init__(graph, roots, leaves, layout)

    def _write(self, safe: bool) -> str:
        writer = ScalarWriter(self.graph, self.roots, self.leaves.__getitem__, safe, self.names)
        lines, results = writer.write()
        names = list(self.leaves.values())
        return function_text("program", names, lines, self.layout(results), tuple(self.names.values()))

    def bound(self, numbers: tuple[float, ...]) -> BoundFunction:
        return BoundFunction(self, numbers)

    def safe_code(self) -> FunctionType:
        if self._safe_code is None:
            space = safe_namespace(self.operations)
            made = compile_function(self._write(safe=True), "program", space)
            self._safe_code = cast(FunctionType, made)
        return self._safe_code


class BoundFunction:
    """A function of one problem; as `gdcli.compile.runners.ScalarFunction`."""

    __slots__ = ("_numbers", "_safe", "_shared", "bare")

    def __init__(self, shared: SharedFunction, numbers: tuple[float, ...]) -> None:
        self._shared = shared
        self._numbers = numbers
        self._safe: Callable[..., Any] | None = None
        self.bare = _with_defaults(cast(FunctionType, shared.bare), numbers)

    def __call__(self, x: Sequence[float]) -> Any:
        try:
            return self.bare(x)
        except ARITHMETIC:
            return self.safe(x)

    def safe(self, x: Sequence[float]) -> Any:
        if self._safe is None:
            self._safe = _with_defaults(self._shared.safe_code(), self._numbers)
        return self._safe(x)


def _with_defaults(function: FunctionType, numbers: tuple[float, ...]) -> Callable[..., Any]:
    made: Callable[..., Any] = FunctionType(function.__code__, function.__globals__, "program", numbers)
    return made
