"""IEEE 754 arithmetic for CPython.

CPython raises where IEEE 754 has a result: ``1/0`` is ZeroDivisionError, ``math.log(0)`` ValueError,
``math.exp(1000)`` OverflowError, and ``(-8.0)**(1/3)`` is complex. The functions here return inf and nan
instead, so that every runner of a program agrees. They are the slow, always right way; generated programs use
bare `math` and come here only when that raises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import copysign, inf, isnan, nan

from gdcli.language.functions import FUNCTIONS

Real = Callable[..., float]


def div(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        return nan if a == 0 or isnan(a) else copysign(inf, a) * copysign(1.0, b)


def power(a: float, b: float) -> float:
    """Return a ** b; nan for a negative base with an exponent that is not an integer."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -inf if a < 0 and b % 2 == 1 else inf
    except ValueError:  # 0 to a negative power, or a negative base with a fractional exponent
        if a == 0:
            return copysign(inf, a) if b % 2 == 1 else inf
        return nan


def sign(a: float) -> float:
    """Return -1, 0 or 1; nan for nan."""
    return 1.0 if a > 0 else -1.0 if a < 0 else a * 0.0


def maximum(a: float, b: float) -> float:
    """Return the larger of two numbers, the first of equals; nan if either is nan."""
    return a if a >= b or a != a else b


def minimum(a: float, b: float) -> float:
    """Return the smaller of two numbers, the first of equals; nan if either is nan."""
    return a if a <= b or a != a else b


def floor(a: float) -> float:
    return copysign(math.floor(a), a) if math.isfinite(a) else a


def ceil(a: float) -> float:
    return copysign(math.ceil(a), a) if math.isfinite(a) else a


def _log_like(function: Real, pole: float) -> Real:
    """A logarithm: -inf at its pole, nan below."""

    def safe(a: float) -> float:
        try:
            return function(a)
        except ValueError:
            return -inf if a == pole else nan

    return safe


def _nan_outside(function: Real) -> Real:
    """A function that is nan outside its domain (sqrt, asin; sin of an infinity)."""

    def safe(a: float) -> float:
        try:
            return function(a)
        except ValueError:
            return nan

    return safe


def _overflowing(function: Real, odd: bool) -> Real:
    """A function that overflows to inf, or to the infinity of its argument's sign when odd."""

    def safe(a: float) -> float:
        try:
            return function(a)
        except OverflowError:
            return copysign(inf, a) if odd else inf

    return safe


def _atanh(a: float) -> float:
    try:
        return math.atanh(a)
    except ValueError:
        return copysign(inf, a) if abs(a) == 1 else nan


def function(name: str) -> Real:
    """Return one scalar function of the language (or ``div``, ``power``); it never raises for floats."""
    found = _functions.get(name)
    if found is None:
        row = FUNCTIONS[name]
        found = _functions[name] = _special_function(name) if row.special else _made(row.safe)
    return found


def _made(text: str) -> Real:
    space: dict[str, object] = {}
    exec(f"made = {text}", globals(), space)
    return space["made"]  # type: ignore[return-value]


def _special_function(name: str) -> Real:
    """Return a function of :mod:`gdcli.language.special`, which is imported only when one is used."""
    from gdcli.language import special

    space: dict[str, object] = {wanted: getattr(math, wanted) for wanted in special.MATH_NAMES}
    for wanted in (*special.dependencies(name), name):
        exec(special.scalar_source(wanted), space)
    return space[name]  # type: ignore[return-value]


_functions: dict[str, Real] = {"div": div, "power": power}
