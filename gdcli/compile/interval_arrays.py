"""What the rules of intervals are made of, for arrays: many boxes at once.

As :mod:`gdcli.calculus.interval_scalars`, to whose functions these are the same on arrays of equal shape or numbers.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

from gdcli.calculus import interval_rules
from gdcli.calculus.interval_scalars import INF, LESS, MORE, UNDERFLOW
from gdcli.compile.runners import array_function
from gdcli.kernel.numerics import EPS, LARGEST, SMALLEST
from gdcli.kernel.vectors import np
from gdcli.language.functions import FUNCTIONS

# An array of numpy, or a number.
Array: TypeAlias = Any


@cache
def array_rules() -> dict[str, Any]:
    """Return the functions of :mod:`gdcli.calculus.interval_rules` by name, made to work on arrays of ends."""

    def down(v: Array) -> Array:
        return np.minimum(np.minimum(v * LESS, v * MORE), LARGEST)

    def up(v: Array) -> Array:
        return np.maximum(np.maximum(v * LESS, v * MORE), -LARGEST)

    def below(v: Array, ulps: float) -> Array:
        v = np.minimum(v, LARGEST)
        return v - (np.abs(v) * (EPS * ulps) + SMALLEST * ulps)

    def above(v: Array, ulps: float) -> Array:
        v = np.maximum(v, -LARGEST)
        return v + (np.abs(v) * (EPS * ulps) + SMALLEST * ulps)

    def quotient(a: Array, b: Array) -> Array:
        return np.where(b == 0.0, INF, np.divide(a, b))  # of two numbers, too

    return interval_rules.rules_with(
        {
            "down": down,
            "up": up,
            "below": below,
            "above": above,
            "quotient": quotient,
            "least": np.minimum,
            "most": np.maximum,
            "fabs": np.abs,
            "pick": np.where,
            "floor": np.floor,
            "ceil": np.ceil,
            "sqrt": np.sqrt,
            "computed": lambda name, *args: _function(name)(*args),
            "product_ends": _product_ends,
        }
    )


@cache
def _function(name: str) -> Array:
    if name == "power":
        return np.power
    row = FUNCTIONS[name]
    return array_function(name) if row.special else getattr(np, row.numpy.removeprefix("np."))


def _product_ends(al: Array, ah: Array, bl: Array, bh: Array) -> tuple[Array, Array]:
    products: tuple[Array, ...]
    if al is ah or bl is bh:  # numbers, of data for example
        products = (al * bl, al * bh) if al is ah else (al * bl, ah * bl)
    else:
        products = al * bl, al * bh, ah * bl, ah * bh
    low, high = _extremes(products)
    if np.isnan(low).any():  # 0*inf
        low, high = _extremes(tuple(np.where(np.isnan(v), 0.0, v) for v in products))
    if (np.abs(low) < UNDERFLOW).any():
        lost = (low != 0.0) | ((al < 0.0) & (bh > 0.0)) | ((bl < 0.0) & (ah > 0.0))
        low = np.where((np.abs(low) < UNDERFLOW) & lost, low - SMALLEST, low)
    if (np.abs(high) < UNDERFLOW).any():
        lost = (high != 0.0) | ((al < 0.0) & (bl < 0.0)) | ((ah > 0.0) & (bh > 0.0))
        high = np.where((np.abs(high) < UNDERFLOW) & lost, high + SMALLEST, high)
    return low, high


def _extremes(products: tuple[Array, ...]) -> tuple[Array, Array]:
    if len(products) == 2:
        return np.minimum(*products), np.maximum(*products)
    p, q, r, s = products
    return np.minimum(np.minimum(p, q), np.minimum(r, s)), np.maximum(np.maximum(p, q), np.maximum(r, s))
