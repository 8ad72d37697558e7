"""IEEE 754 arithmetic for CPython.

CPython raises where IEEE 754 has a result: ``1/0`` is ZeroDivisionError, ``math.log(0)`` ValueError,
``math.exp(1000)`` OverflowError, and ``(-8.0)**(1/3)`` is complex. The functions here return inf and nan
instead, so that every runner of a program agrees. They are the slow, always right way; generated programs use
bare `math` and come here only when that raises.

Where an interval must hold the real result, what is computed is rounded outward.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import copysign, inf, isnan, nan

from gdcli.kernel.numerics import EPS, LARGEST, SMALLEST, SMALLEST_NORMAL
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


# -- rounded outward ---------------------------------------------------------------------------------------------------

# What the rules of intervals are made of, for numbers; :mod:`gdcli.compile.interval_arithmetic` has it for arrays.
# A lower end is never +inf and an upper end never -inf: a bound that overflows becomes the largest number that is one.
# A product of 0 and an infinite end is 0, since the numbers of an interval are finite.

# v times these is at least one unit in the last place farther out: EPS*|v| is between one and two of them, and rounding
# keeps the order of numbers. 0 stays 0; subnormal numbers stay themselves, as sums there are exact.
LESS, MORE = 1.0 - EPS, 1.0 + EPS
# A product below this may have been rounded by underflow, which costs less than the smallest number.
UNDERFLOW = 4.0 * SMALLEST_NORMAL

least, most, fabs, sqrt = min, max, math.fabs, math.sqrt


def pick(condition: bool, yes: float, no: float) -> float:
    return yes if condition else no


def down(v: float) -> float:
    """Return a number below every real one that is rounded to v by a sum; 0 is exact."""
    return v * LESS if 0.0 <= v <= LARGEST else v * MORE if v < 0.0 else LARGEST if v == inf else -inf


def up(v: float) -> float:
    return v * MORE if v > 0.0 else v * LESS if v >= -LARGEST else -LARGEST if v == -inf else inf


def below(v: float, ulps: float) -> float:
    """Return a bound below what was computed as v with an error of at most ``ulps`` units in the last place."""
    return min(v, LARGEST) - fabs(v) * (EPS * ulps) - SMALLEST * ulps if v > -inf else v


def above(v: float, ulps: float) -> float:
    return max(v, -LARGEST) + fabs(v) * (EPS * ulps) + SMALLEST * ulps if v < inf else v


def product_ends(al: float, ah: float, bl: float, bh: float) -> tuple[float, float]:
    """Return the least and the largest product of two intervals, before rounding outward but for underflow."""
    p, q, r, s = al * bl, al * bh, ah * bl, ah * bh
    if not (p == p and q == q and r == r and s == s):  # 0*inf
        p, q, r, s = (v if v == v else 0.0 for v in (p, q, r, s))
    low, high = min(p, q, r, s), max(p, q, r, s)
    if -UNDERFLOW < low < UNDERFLOW or -UNDERFLOW < high < UNDERFLOW:
        return _beyond_underflow(low, high, (al, ah, bl, bh))
    return low, high


def _beyond_underflow(
    low: float, high: float, ends: tuple[float, float, float, float]
) -> tuple[float, float]:
    """Return bounds of products, of which one may be rounded by underflow; 0 is kept where exact."""
    al, ah, bl, bh = ends
    if abs(low) < UNDERFLOW and (low or al < 0.0 < bh or bl < 0.0 < ah):
        low -= SMALLEST
    if abs(high) < UNDERFLOW and (high or (al < 0.0 and bl < 0.0) or (ah > 0.0 and bh > 0.0)):
        high += SMALLEST
    return low, high


def quotient(a: float, b: float) -> float:
    """Return a/b, +inf for a division by 0."""
    return a / b if b else inf


def computed(name: str, *args: float) -> float:
    """Return a function of the language, or ``power``, as it is computed; it never raises."""
    return function(name)(*args)
