"""Kinks rounded off: the same graph with ``abs``, ``max`` and ``min`` replaced by smooth functions near them.

    abs(u)    -> sqrt(u**2 + mu**2)
    max(a, b) -> (a + b + sqrt((a - b)**2 + mu**2)) / 2
    min(a, b) -> (a + b - sqrt((a - b)**2 + mu**2)) / 2

Each differs from the original by at most mu (mu/2 for max and min), and by ever less away from the kink (Chen,
Mathematical Programming 134, 2012, section 3).
"""

from __future__ import annotations

from collections.abc import Container

from gdcli.language.graph import LEAVES, Graph, arguments

SMOOTHABLE = frozenset({"abs", "max", "min"})


def can_smooth(graph: Graph, root: int, fixed: Container[int] = ()) -> bool:
    """Tell whether there is a kink below ``root`` that can be rounded off; ``fixed`` leaves never change."""
    return bool(_kinks(graph, root, fixed))


def _kinks(graph: Graph, root: int, fixed: Container[int]) -> set[int]:
    """The nodes with a kink that is met when what is not fixed changes."""
    varies: set[int] = set()
    for i in graph.reach((root,)):
        key = graph.keys[i]
        if key[0] in LEAVES:
            if key[0] != "number" and i not in fixed:
                varies.add(i)
        elif any(a in varies for a in arguments(key)):
            varies.add(i)
    return {i for i in varies if graph.keys[i][0] in SMOOTHABLE}


def smooth(graph: Graph, root: int, mu: float, fixed: Container[int] = ()) -> int:
    """Return the node of ``root`` with its kinks rounded off to about ``mu``; the new nodes are in the same graph.

    ``fixed`` leaves never change, so that kinks in them alone are none.
    """
    kinks = _kinks(graph, root, fixed)
    new: dict[int, int] = {}
    for i in graph.reach((root,)):
        key = graph.keys[i]
        if key[0] in LEAVES:
            new[i] = i
        elif i in kinks:
            new[i] = _rounded(graph, key[0], [new[a] for a in key[1:]], mu)
        elif key[0] == "where":
            new[i] = graph.node("where", key[1], *(new[a] for a in key[2:]))
        else:
            new[i] = graph.node(key[0], *(new[a] for a in key[1:]))
    return new[root]


def _rounded(graph: Graph, name: str, args: list[int], mu: float) -> int:
    square = graph.number(mu * mu)
    if name == "abs":
        return _root(graph, args[0], square)
    a, b = args
    gap = _root(graph, graph.node("sub", a, b), square)
    total = graph.node("add", a, b)
    both = graph.node("add" if name == "max" else "sub", total, gap)
    return graph.node("mul", graph.number(0.5), both)


def _root(graph: Graph, u: int, square: int) -> int:
    return graph.node("sqrt", graph.node("add", graph.node("mul", u, u), square))
