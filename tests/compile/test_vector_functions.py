"""The functions of vectors against mpmath, over the whole range and at its ends."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

pytest.importorskip("llvmlite")

from gdcli.compile import machine_code, simd

WIDTH = 8
INF, NAN = math.inf, math.nan
TINY, NORMAL, LARGEST = 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


# the function, the most ulp it may be off, ranges to draw from
CASES: dict[str, tuple[Callable[[Any], Any], float, list[tuple[float, float]]]] = {
    "exp": (mpmath.exp, 2.0, [(-745.2, 709.8), (-1.0, 1.0), (-1e-3, 1e-3), (-745.2, -708.0), (709.0, 709.79)]),
    "log": (mpmath.log, 2.0, [(0.5, 2.0), (0.99, 1.01), (0.0, 1e3), (1e300, 1e308), (TINY, 1e-307), (1e-320, 1e-310)]),
    "log1p": (mpmath.log1p, 2.0, [(-0.999, 1.0), (-1e-8, 1e-8), (-0.1, 0.1), (0.0, 1e6), (1e15, 1e17)]),
    "expm1": (mpmath.expm1, 3.0, [(-1.0, 1.0), (-1e-8, 1e-8), (-40.0, 60.0), (-0.4, -0.3), (0.3, 0.4), (600.0, 709.0)]),
    "tanh": (mpmath.tanh, 4.0, [(-1.0, 1.0), (-1e-8, 1e-8), (-25.0, 25.0)]),
    "sigmoid": (sigmoid, 3.0, [(-1.0, 1.0), (-40.0, 40.0), (-708.0, 708.0)]),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), 3.0, [(-1.0, 1.0), (-40.0, 40.0), (-700.0, 700.0)]),
}  # fmt: skip
ENDS = [
    0.0, -0.0, INF, -INF, NAN, TINY, -TINY, NORMAL, -NORMAL, LARGEST, -LARGEST, 1.0, -1.0, 709.782712893384,
    709.7827128933841, 710.0, -708.4, -744.44, -745.1332191019412, -745.1332191019413, -746.0, -800.0, 1e-300, 0.5,
]  # fmt: skip


@pytest.fixture(scope="module")
def library() -> machine_code.Library:
    entries = "".join(
        f'def run_{name}(x: "float*", y: "float*", n: "int") -> None:\n'
        f"    for i in range(0, n, {WIDTH}):\n        y[i : i + {WIDTH}] = v_{name}(x[i : i + {WIDTH}])\n"
        for name in CASES
    )
    text = simd.text_of(CASES) + entries
    return machine_code.load(text, simd.flags(), use_cache=False)


def values(library: machine_code.Library, name: str, x: np.ndarray) -> np.ndarray:
    padded = np.concatenate((x, np.ones(-len(x) % WIDTH)))
    y = np.empty_like(padded)
    library[f"run_{name}"](padded.ctypes.data, y.ctypes.data, len(padded))
    return y[: len(x)]


def ulps(got: float, exact: Any) -> float:
    """The error in units in the last place of the exact result."""
    return float(abs(mpmath.mpf(got) - exact) / mpmath.mpf(math.ulp(float(exact))))


@pytest.mark.parametrize("name", CASES)
def test_close_to_the_exact_result_everywhere(library: machine_code.Library, name: str) -> None:
    exact, allowed, ranges = CASES[name]
    draw = random.Random(name)
    x = np.array([draw.uniform(low, high) for low, high in ranges for _ in range(2000)])
    worst = 0.0
    with mpmath.workprec(160):
        for argument, got in zip(x.tolist(), values(library, name, x).tolist(), strict=True):
            worst = max(worst, ulps(got, exact(mpmath.mpf(argument))))
    assert worst <= allowed, worst


@pytest.mark.parametrize("name", CASES)
def test_the_ends_are_those_of_ieee(library: machine_code.Library, name: str) -> None:
    exact, allowed, _ = CASES[name]
    for x, got in zip(ENDS, values(library, name, np.array(ENDS)).tolist(), strict=True):
        if math.isnan(x) or (name == "log" and x < 0) or (name == "log1p" and x < -1):
            assert math.isnan(got), (x, got)
            continue
        if (name, x) in {("log", 0.0), ("log1p", -1.0)}:
            assert got == -INF
            continue
        with mpmath.workprec(2000):
            limit = exact(mpmath.mpf(x)) if math.isfinite(x) else None
        if limit is None:
            assert got == at_infinity(name, x), (x, got)
        elif not abs(limit) < mpmath.mpf(2) ** 1024:
            assert got == (INF if limit > 0 else -INF), (x, got)
        else:
            assert math.isfinite(got), (x, got)
            assert ulps(got, limit) <= allowed, (x, got)


def at_infinity(name: str, x: float) -> float:
    right = {"tanh": 1.0, "sigmoid": 1.0}.get(name, INF)
    left = {"tanh": -1.0, "expm1": -1.0}.get(name, 0.0)
    return right if x > 0 else left


def test_the_width_of_the_vectors_does_not_matter(library: machine_code.Library) -> None:
    text = simd.text_of(CASES) + "".join(
        f'def run_{name}(x: "float*", y: "float*", n: "int") -> None:\n'
        f"    for i in range(n):\n        y[i] = v_{name}(x[i])\n"
        for name in CASES
    )
    single = machine_code.load(text, simd.flags(), use_cache=False)
    x = np.random.default_rng(1).normal(size=4000) * 20
    for name in CASES:
        assert np.array_equal(values(library, name, x), values(single, name, x), equal_nan=True)
