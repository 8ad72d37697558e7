"""The arithmetic of intervals on other numbers: on arrays, for many boxes at once, and on long numbers, for one point.

For arrays there are the functions of :mod:`gdcli.language.ieee` that rules of intervals are made of; they are the same
on arrays of equal shape or numbers. With long numbers (mpmath's `iv`) nodes of a graph are bounded at one point: where
terms cancel, bounds by doubles are those of the rounding of the terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import inf, isfinite, nextafter
from typing import Any

from gdcli.calculus import interval_rules
from gdcli.calculus import interval_rules as rules
from gdcli.calculus.elements import ARITHMETIC
from gdcli.calculus.exact_graph import ExactGraph
from gdcli.compile.runners import array_function
from gdcli.kernel.numerics import EPS, LARGEST, SMALLEST
from gdcli.kernel.vectors import np
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Key
from gdcli.language.ieee import LESS, MORE, UNDERFLOW

# An array of numpy, or a number.
Array = Any


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
        return np.where(b == 0.0, inf, np.divide(a, b))  # of two numbers, too

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


# -- long numbers ------------------------------------------------------------------------------------------------------

# Binary digits: some hundred more than a double has, for terms that cancel.
_DIGITS = 160
# Functions that mpmath has with intervals; of others, the rule for doubles is taken.
_LONG = frozenset({"exp", "log", "sqrt", "sin", "cos"})
# Larger graphs are not tried: a node takes about 10 microseconds.
_MOST_NODES = 2000

Ends = tuple[float, float]


def bounds_at(graph: ExactGraph, roots: Sequence[int], leaves: Mapping[Key, float]) -> Sequence[Ends] | None:
    """Return the ends of the ``roots``, in doubles, where the ``leaves`` have these values; None where an operation has
    no rule here, or no finite value.
    """
    order = graph.reach(tuple(roots))
    if len(order) > _MOST_NODES:
        return None
    from mpmath import iv

    digits, iv.prec = iv.prec, _DIGITS
    try:
        found: dict[int, Any] = {}
        for i in order:
            key = graph.keys[i]
            value = iv.mpf(leaves[key]) if key in leaves else _value(graph, i, key, found)
            if value is None:
                return None
            found[i] = value
        return [_ends(found[i]) for i in roots]
    except (ValueError, ZeroDivisionError, OverflowError, NotImplementedError):
        return None
    finally:
        iv.prec = digits


def _value(graph: ExactGraph, i: int, key: Key, found: Mapping[int, Any]) -> Any:
    from mpmath import iv

    op = key[0]
    if op == "number":
        ratio = graph.ratio_of(i)
        return iv.mpf(graph.interval(i)) if ratio is None else iv.mpf(ratio[0]) / iv.mpf(ratio[1])
    if op == "where" or not isinstance(op, str):
        return None
    args = [found[a] for a in key[1:]]
    if op == "pow":
        whole = rules.whole(graph.interval(key[2])) if graph.value_of(key[2]) is not None else None
        return _by_doubles(op, args) if whole is None else args[0] ** whole
    if op in ARITHMETIC:
        return ARITHMETIC[op](*args)
    return getattr(iv, op)(args[0]) if op in _LONG else _by_doubles(op, args)


def _by_doubles(op: str, args: Sequence[Any]) -> Any:
    from mpmath import iv

    ends = [_ends(a) for a in args]
    low, high = rules.of_operation(op, *ends)
    return iv.mpf((low, high)) if isfinite(low) and isfinite(high) else None


def _ends(value: Any) -> Ends:
    """Return doubles around an interval; the conversion rounds to the nearest."""
    return nextafter(float(value.a), -inf), nextafter(float(value.b), inf)
