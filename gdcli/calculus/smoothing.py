"""Kinks rounded off: the same graph with ``abs``, ``max``, ``norm`` and the like replaced by smooth functions there.

    abs(u)        -> sqrt(u**2 + mu**2)
    sign(u)       -> u / sqrt(u**2 + mu**2)
    max(a, b)     -> (a + b + sqrt((a - b)**2 + mu**2)) / 2
    min(a, b)     -> (a + b - sqrt((a - b)**2 + mu**2)) / 2
    hypot(a, b)   -> sqrt(a**2 + b**2 + mu**2), and the root of any other sum of squares likewise
    max(v)        -> m + mu * log(sum(exp((v - m) / mu))) with m = max(v); min(v) is -max(-v)
    where(a > b, p, q) -> q + (p - q) * (1 + u / sqrt(u**2 + mu**2)) / 2 with u = a - b

All but sign and the last two differ from the original by at most mu (mu/2 for max and min), and by ever less away
from the kink (Chen, Mathematical Programming 134, 2012, section 3); max(v) of n elements by at most mu * log(n)
(Boyd and Vandenberghe, Convex Optimization, 2004, section 3.1.5); where by the difference of its branches within
about mu of the border, which is of the order of mu if they meet there. Where they do not, and at a sign that nothing
makes vanish, the value jumps, and no rounding is right.
"""

from __future__ import annotations

from collections.abc import Container

from gdcli.language.graph import LEAVES, Graph

_PAIRS = frozenset({"abs", "sign", "max", "min", "hypot", "largest", "smallest"})
_ABOVE, _BELOW = (">", ">="), ("<", "<=")


def can_smooth(graph: Graph, root: int, fixed: Container[int] = ()) -> bool:
    """Tell whether there is a kink below ``root`` that can be rounded off; ``fixed`` leaves never change."""
    return bool(_kinks(graph, root, fixed))


def _kinks(graph: Graph, root: int, fixed: Container[int]) -> set[int]:
    """The nodes with a kink that is met when what is not fixed changes."""
    kinds = ((i, graph.keys[i][0]) for i in graph.reach((root,)))
    leaves = [i for i, kind in kinds if kind in LEAVES and kind != "number" and i not in fixed]
    return {i for i in graph.depending((root,), leaves) if _has_kink(graph, i)}


def _has_kink(graph: Graph, i: int) -> bool:
    key = graph.keys[i]
    if key[0] == "sqrt" or (key[0] == "pow" and graph.value_of(key[2]) == 0.5):
        return _is_sum_of_squares(graph, key[1])
    return key[0] in _PAIRS or (key[0] == "where" and key[1] in (*_ABOVE, *_BELOW))


def _is_sum_of_squares(graph: Graph, i: int) -> bool:
    """Tell whether a node is plainly a sum of squares, perhaps times positive numbers, that may vanish."""
    key = graph.keys[i]
    if key[0] == "mul":
        number = graph.value_of(key[1])
        return key[1] == key[2] or (number is not None and number > 0 and _is_sum_of_squares(graph, key[2]))
    if key[0] == "div":
        number = graph.value_of(key[2])
        return number is not None and number > 0 and _is_sum_of_squares(graph, key[1])
    return key[0] in ("add", "sum") and all(_is_sum_of_squares(graph, a) for a in key[1:])


def smooth(graph: Graph, root: int, mu: float, fixed: Container[int] = ()) -> int:
    """Return the node of ``root`` with its kinks rounded off to about ``mu``; the new nodes are in the same graph.

    ``fixed`` leaves never change, so that kinks in them alone are none.
    """
    kinks = _kinks(graph, root, fixed)
    new: dict[int, int] = {}
    for i in graph.reach((root,)):
        key = graph.keys[i]
        if i in kinks:
            start = 2 if key[0] == "where" else 1
            new[i] = _rounded(graph, key[:start], [new[a] for a in key[start:]], mu)
        else:
            new[i] = graph.remade(i, new)
    return new[root]


def _rounded(graph: Graph, kind: tuple[str, ...], args: list[int], mu: float) -> int:
    name, square = kind[0], graph.number(mu * mu)
    if name == "abs":
        return _root(graph, _square(graph, args[0]), square)
    if name == "sign":
        return graph.node("div", args[0], _root(graph, _square(graph, args[0]), square))
    if name in ("sqrt", "pow"):
        return _root(graph, args[0], square)
    if name == "hypot":
        return _root(graph, graph.node("add", *(_square(graph, a) for a in args)), square)
    if name in ("largest", "smallest"):
        return _rounded_extreme(graph, name, args[0], mu)
    if name == "where":
        return _rounded_choice(graph, kind[1], args, square)
    a, b = args
    gap = _root(graph, _square(graph, graph.node("sub", a, b)), square)
    total = graph.node("add", a, b)
    both = graph.node("add" if name == "max" else "sub", total, gap)
    return graph.node("mul", graph.number(0.5), both)


def _square(graph: Graph, u: int) -> int:
    return graph.node("mul", u, u)


def _root(graph: Graph, u: int, square: int) -> int:
    return graph.node("sqrt", graph.node("add", u, square))


def _rounded_extreme(graph: Graph, name: str, vector: int, mu: float) -> int:
    most, scale = graph.node(name, vector), graph.number(mu if name == "largest" else -mu)
    terms = graph.node("exp", graph.node("div", graph.node("sub", vector, most), scale))
    return graph.node("add", most, graph.node("mul", scale, graph.node("log", graph.node("sum", terms))))


def _rounded_choice(graph: Graph, relation: str, args: list[int], square: int) -> int:
    a, b, yes, no = args if relation in _ABOVE else (args[1], args[0], *args[2:])
    u = graph.node("sub", a, b)
    side = graph.node("div", u, _root(graph, _square(graph, u), square))
    weight = graph.node("mul", graph.number(0.5), graph.node("add", graph.number(1.0), side))
    return graph.node("add", no, graph.node("mul", graph.node("sub", yes, no), weight))
