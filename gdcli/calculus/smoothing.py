"""Kinks rounded off: the same graph with ``abs``, ``max`` and ``min`` replaced by smooth functions near them.

    abs(u)    -> sqrt(u**2 + mu**2)
    max(a, b) -> (a + b + sqrt((a - b)**2 + mu**2)) / 2
    min(a, b) -> (a + b - sqrt((a - b)**2 + mu**2)) / 2

Each differs from the original by at most mu (mu/2 for max and min), and by ever less away from the kink (Chen,
Mathematical Programming 134, 2012, section 3).
"""

from __future__ import annotations

from gdcli.language.graph import LEAVES, Graph

SMOOTHABLE = frozenset({"abs", "max", "min"})


def can_smooth(graph: Graph, root: int) -> bool:
    """Tell whether there is a kink below ``root`` that can be rounded off."""
    return any(graph.keys[i][0] in SMOOTHABLE for i in graph.reach((root,)))


def smooth(graph: Graph, root: int, mu: float) -> int:
    """Return the node of ``root`` with its kinks rounded off to about ``mu``; the new nodes are in the same graph."""
    new: dict[int, int] = {}
    for i in graph.reach((root,)):
        key = graph.keys[i]
        if key[0] in LEAVES:
            new[i] = i
        elif key[0] in SMOOTHABLE:
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
