"""Bounds of the nodes of a graph at one point by intervals of long numbers (mpmath's `iv`).

Where terms cancel, bounds by doubles are those of the rounding of the terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite, nextafter
from typing import Any

from gdcli.calculus import interval_rules as rules
from gdcli.calculus.elements import ARITHMETIC
from gdcli.calculus.exact_graph import ExactGraph
from gdcli.language.graph import Key

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
    low, high = rules.power_of(*ends) if op == "pow" else rules.of_function(op, *ends)
    return iv.mpf((low, high)) if isfinite(low) and isfinite(high) else None


def _ends(value: Any) -> Ends:
    """Return doubles around an interval; the conversion rounds to the nearest."""
    return nextafter(float(value.a), -inf), nextafter(float(value.b), inf)
