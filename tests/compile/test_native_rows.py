"""Kernels over rows: sums and values agree with numpy, and do not depend on threads or on the width of registers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.calculus.autodiff import Derivatives
from gdcli.compile.scalar_text import ScalarFunction
from gdcli.language.functions import FUNCTIONS, INTERNAL
from gdcli.language.graph import Graph, Key

pytest.importorskip("llvmlite")

from gdcli.compile import array_kernels as rows
from gdcli.compile import machine_code, simd
from gdcli.compile.array_kernels import RowsKernel
from gdcli.compile.scalar_text import total


def exponential(graph: Graph) -> int:
    a, b, c = (graph.scalar(n) for n in "abc")
    e = graph.node("exp", graph.node("mul", graph.node("neg", b), graph.scalar("x")))
    r = graph.node("sub", graph.scalar("y"), graph.node("add", graph.node("mul", a, e), c))
    return graph.node("mul", r, r)


def logistic(graph: Graph) -> int:
    z = graph.node("add", graph.node("mul", graph.scalar("a"), graph.scalar("x")), graph.scalar("b"))
    positive, negative = graph.node("softplus", graph.node("neg", z)), graph.node("softplus", z)
    return graph.node("where", ">", graph.scalar("y"), graph.number(0.0), positive, negative)


def every_function(graph: Graph) -> int:
    """All functions of the table at once, each within its domain."""
    x, y, a = graph.scalar("x"), graph.scalar("y"), graph.scalar("a")
    inside = graph.node("tanh", x)
    above = graph.node("add", graph.node("mul", y, y), graph.number(1.5))
    terms = []
    for name, row in FUNCTIONS.items():
        if name in INTERNAL:
            continue
        if row.arity == 2:
            terms.append(graph.node(name, above, graph.node("add", inside, a)))
        else:
            terms.append(
                graph.node(
                    name, above if name in ("acosh", "sqrt") or "log" in name or "gam" in name else inside
                )
            )
    terms.append(graph.node("pow", above, inside))
    result = terms[0]
    for k, term in enumerate(terms[1:]):
        result = graph.node("add", result, graph.node("mul", graph.number(0.1 * k), term))
    return result


MODELS = {"exponential": exponential, "logistic": logistic, "every function": every_function}
PARAMETERS: dict[Key, str] = {("scalar", n): f"p{i}" for i, n in enumerate("abc")}
COLUMNS: dict[Key, str] = {("scalar", n): f"c{i}" for i, n in enumerate("xy")}
POINT = [1.3, 0.7, -0.2]


def with_gradient(name: str) -> tuple[Graph, list[int]]:
    graph = Graph()
    loss = MODELS[name](graph)
    adjoints = Derivatives(graph, frozenset("xy")).gradient(loss)
    zero = graph.number(0.0)
    return graph, [loss, *(adjoints.get(graph.scalar(n), zero) for n in "abc")]


def data(rows: int, seed: int = 0) -> list[Any]:
    random = np.random.default_rng(seed)
    return [random.normal(size=rows), random.normal(size=rows)]


def one_by_one(graph: Graph, roots: list[int], columns: list[Any]) -> list[list[float]]:
    """The values of the roots for each row, by the CPython program."""
    program = ScalarFunction(graph, roots, {**PARAMETERS, **COLUMNS}, lambda texts: f"({', '.join(texts)},)")
    return [list(program([*POINT, float(x), float(y)])) for x, y in zip(*columns, strict=True)]


@pytest.mark.every(3)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [1, 15, 16, 17, 1000])
def test_values_are_those_of_cpython_to_a_few_units(name: str, count: int) -> None:
    graph, roots = with_gradient(name)
    kernel = RowsKernel(graph, roots, PARAMETERS, COLUMNS, use_cache=False)
    columns = data(count)
    expected = np.array(one_by_one(graph, roots, columns))
    for got, column in zip(kernel.values(POINT, columns), expected.T, strict=True):
        np.testing.assert_allclose(got, column, rtol=2e-14, atol=2e-14 * np.abs(column).max())


@pytest.mark.parametrize("name", MODELS)
def test_sums_are_exact_to_1e_12(name: str) -> None:
    graph, roots = with_gradient(name)
    kernel = RowsKernel(graph, roots, PARAMETERS, COLUMNS, use_cache=False)
    columns = data(3 * rows.BLOCK + 777)
    sums = kernel.sums(POINT, columns)
    for got, values in zip(sums, kernel.values(POINT, columns), strict=True):
        assert abs(got - math.fsum(values)) <= 1e-12 * math.fsum(abs(values))
    few = [c[:500] for c in columns]
    for got, values in zip(kernel.sums(POINT, few), np.array(one_by_one(graph, roots, few)).T, strict=True):
        assert abs(got - math.fsum(values)) <= 1e-12 * math.fsum(abs(values))


@pytest.mark.parametrize("name", MODELS)
def test_the_number_of_threads_does_not_change_a_bit(name: str) -> None:
    graph, roots = with_gradient(name)
    kernel = RowsKernel(graph, roots, PARAMETERS, COLUMNS, use_cache=False)
    columns = data(40 * rows.BLOCK + 5)
    alone = kernel.sums(POINT, columns)
    for threads in (2, 3, 5, 64):
        assert kernel.sums(POINT, columns, threads) == alone


@pytest.mark.parametrize("name", ["exponential", "logistic"])
def test_a_processor_with_narrow_registers_gives_the_same_bits(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = machine_code._target()
    if "+fma" not in target.features:
        pytest.skip("no fused multiply-add here")
    graph, roots = with_gradient(name)
    columns = data(rows.BLOCK + 100)
    wide = RowsKernel(graph, roots, PARAMETERS, COLUMNS, use_cache=False).sums(POINT, columns)
    narrow = ",".join(f for f in target.features.split(",") if "avx512" not in f) + ",-avx512f"
    for features in (narrow, narrow + ",+prefer-128-bit"):
        monkeypatch.setattr(target, "features", features)
        monkeypatch.setattr(target, "cpu", "x86-64")
        kernel = RowsKernel(graph, roots, PARAMETERS, COLUMNS, use_cache=False)
        assert kernel.sums(POINT, columns) == wide


def test_what_is_not_finite_is_passed_on() -> None:
    graph, roots = with_gradient("exponential")
    kernel = RowsKernel(graph, roots, PARAMETERS, COLUMNS, use_cache=False)
    columns = data(100)
    columns[0][50] = -1e5
    assert kernel.sums(POINT, columns)[0] == math.inf
    columns[1][3] = math.nan
    assert all(math.isnan(s) for s in kernel.sums(POINT, columns))
    assert kernel.sums(POINT, [np.empty(0), np.empty(0)]) == [0.0] * 4


@settings(max_examples=30, deadline=None)
@given(count=st.integers(0, 100), seed=st.integers(0, 100))
def test_any_number_of_rows(count: int, seed: int) -> None:
    kernel = small_kernel()
    columns = data(count, seed)
    expected = [math.fsum(c) for c in columns]
    got = kernel.sums([], columns)
    assert got == pytest.approx(expected, rel=1e-14, abs=1e-13)
    assert [v.tolist() for v in kernel.values([], columns)] == [c.tolist() for c in columns]


_SMALL: list[RowsKernel] = []


def small_kernel() -> RowsKernel:
    if not _SMALL:
        graph = Graph()
        _SMALL.append(RowsKernel(graph, [graph.scalar("x"), graph.scalar("y")], {}, COLUMNS, use_cache=False))
    return _SMALL[0]


def test_a_total_survives_infinities() -> None:
    assert total([1e16, 1.0, -1e16]) == 1.0
    assert total([math.inf, 1.0]) == math.inf
    assert math.isnan(total([math.inf, -math.inf]))
    assert simd.WIDTH == 16
