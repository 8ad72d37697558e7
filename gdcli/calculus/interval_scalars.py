"""What the rules of intervals are made of, for numbers; :mod:`gdcli.compile.interval_arrays` has the same for arrays.

A lower end is never +inf and an upper end never -inf: a bound that overflows becomes the largest number that is one.
A product of 0 and an infinite end is 0, since the numbers of an interval are finite.
"""

from __future__ import annotations

import math

from gdcli.kernel.numerics import EPS, LARGEST, SMALLEST, SMALLEST_NORMAL
from gdcli.language import ieee

INF = math.inf
# v times these is at least one unit in the last place farther out: EPS*|v| is between one and two of them, and rounding
# keeps the order of numbers. 0 stays 0; subnormal numbers stay themselves, as sums there are exact.
LESS, MORE = 1.0 - EPS, 1.0 + EPS
# A product below this may have been rounded by underflow, which costs less than the smallest number.
UNDERFLOW = 4.0 * SMALLEST_NORMAL

least, most, fabs, sqrt, floor, ceil = min, max, math.fabs, math.sqrt, ieee.floor, ieee.ceil


def pick(condition: bool, yes: float, no: float) -> float:
    return yes if condition else no


def down(v: float) -> float:
    """Return a number below every real one that is rounded to v by a sum; 0 is exact."""
    return v * LESS if 0.0 <= v <= LARGEST else v * MORE if v < 0.0 else LARGEST if v == INF else -INF


def up(v: float) -> float:
    return v * MORE if v > 0.0 else v * LESS if v >= -LARGEST else -LARGEST if v == -INF else INF


def below(v: float, ulps: float) -> float:
    """Return a bound below what was computed as v with an error of at most ``ulps`` units in the last place."""
    return min(v, LARGEST) - fabs(v) * (EPS * ulps) - SMALLEST * ulps if v > -INF else v


def above(v: float, ulps: float) -> float:
    return max(v, -LARGEST) + fabs(v) * (EPS * ulps) + SMALLEST * ulps if v < INF else v


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
    return a / b if b else INF


def computed(name: str, *args: float) -> float:
    """Return a function of the language, or ``power``, as it is computed; it never raises."""
    return ieee.function(name)(*args)
