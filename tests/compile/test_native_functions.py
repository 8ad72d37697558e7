"""Machine code and CPython give the same bits: every operation and every function of the table."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.compile.scalar_text import ScalarFunction
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph

pytest.importorskip("llvmlite")

from gdcli.compile import machine_code, scalar_text

ARITHMETIC = {"add": 2, "sub": 2, "mul": 2, "div": 2, "neg": 1, "pow": 2}
OPERATIONS = {**ARITHMETIC, **{name: row.arity for name, row in FUNCTIONS.items()}}
RELATIONS = ("<", "<=", ">", ">=", "==", "!=")
SPECIAL = [
    sign * value
    for sign in (1.0, -1.0)
    for value in (
        0.0, math.inf, math.nan, 5e-324, 2.2250738585072014e-308, 1e-300, 1e-16, 0.5, 1.0, math.nextafter(1.0, 2.0),
        1.5, 2.0, 2.5, 3.0, 7.0, 100.0, 709.782712893384, 745.2, 1e6, 2.0**52, 2.0**53, 1e154, 1e300,
        1.7976931348623157e308,
    )
]  # fmt: skip
NUMBERS = st.one_of(
    st.sampled_from(SPECIAL),
    st.floats(allow_nan=False),
    st.floats(-30.0, 30.0),
    st.integers(-40, 40).map(lambda k: k / 2),
)


def bits(value: float) -> int:
    """The bits of a float; every nan is the same."""
    return 0 if math.isnan(value) else struct.unpack("<q", struct.pack("<d", value))[0] or 1


Pair = tuple[Callable[[list[float]], float], Callable[[list[float]], float]]


def both(make: Callable[[Graph, int, int], int], name: str) -> tuple[str, ScalarFunction]:
    graph = Graph()
    root = make(graph, graph.scalar("a"), graph.scalar("b"))
    leaves = {("scalar", "a"): "a", ("scalar", "b"): "b"}
    python = ScalarFunction(graph, [root], leaves, lambda texts: texts[0])
    return scalar_text.program_text(name, graph, [root], leaves), python


@pytest.fixture(scope="module")
def table() -> dict[str, Pair]:
    """Every operation as machine code and in CPython."""
    texts, pythons = [], {}
    for op, arity in OPERATIONS.items():
        text, pythons[op] = both(lambda g, a, b, op=op, n=arity: g.node(op, *(a, b)[:n]), f"run_{op}")
        texts.append(text)
    for k, relation in enumerate(RELATIONS):
        name = f"where{relation}"
        text, pythons[name] = both(
            lambda g, a, b, r=relation: g.node("where", r, a, b, a, b), f"run_where{k}"
        )
        texts.append(text)
    library = machine_code.load(scalar_text.functions_of(OPERATIONS) + "".join(texts), use_cache=False)
    pairs = {}
    for name, python in pythons.items():
        entry = f"run_where{RELATIONS.index(name[5:])}" if name.startswith("where") else f"run_{name}"
        pairs[name] = native_call(library[entry]), python
    return pairs


def native_call(function: Callable[..., None]) -> Callable[[list[float]], float]:
    arguments, out = (ctypes.c_double * 2)(), (ctypes.c_double * 1)()

    def call(x: list[float]) -> float:
        arguments[:] = x
        function(arguments, out)
        return out[0]

    return call


def disagreement(pair: Pair, x: list[float]) -> str:
    native, python = (run(x) for run in pair)
    return "" if bits(native) == bits(python) else f"{x}: machine code {native!r}, CPython {python!r}"


def test_special_arguments_give_the_same_bits(table: dict[str, Pair]) -> None:
    found = [
        f"{op} at {told}"
        for op, pair in table.items()
        for a in SPECIAL
        for b in SPECIAL
        if (told := disagreement(pair, [a, b]))
    ]
    assert not found


@settings(max_examples=examples(400), deadline=None)
@given(a=NUMBERS, b=NUMBERS)
def test_any_arguments_give_the_same_bits(table: dict[str, Pair], a: float, b: float) -> None:
    found = [f"{op} at {told}" for op, pair in table.items() if (told := disagreement(pair, [a, b]))]
    assert not found
