"""Rows that lie in partitions, here or on other machines: each is asked where it lies, and the answers are merged.

Answers are merged in a tree that follows from the number of partitions alone: 0 with 1, 2 with 3, then these, and so
on. So the bits are the same whoever holds which partition and whoever answers first, and one who holds several
neighbours may merge their answers before sending them. A partition without rows has no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gdcli.objective.row_model import Merge

# A place in the tree: how often was merged, and which of the nodes there.
Node = tuple[int, int]


def merged(found: Mapping[Node, Any], count: int, merge: Merge) -> dict[Node, Any]:
    """Return the nodes that are left when all neighbours among the ``found`` are merged, of ``count`` partitions.

    Of all partitions that is one node, the root. None is the answer of no rows.
    """
    left, level, width = dict(found), 0, count
    while width > 1:
        for node in sorted(node for node in left if node[0] == level):
            _, k = node
            alone = k % 2 == 0 and k + 1 == width
            if alone:
                left[level + 1, k // 2] = left.pop(node)
            elif k % 2 == 0 and (level, k + 1) in left:
                one, other = left.pop(node), left.pop((level, k + 1))
                both = other if one is None else one if other is None else merge(one, other)
                left[level + 1, k // 2] = both
        level, width = level + 1, -(-width // 2)
    return left


def each_here(function: Callable[..., Any], items: Iterable[Any], *args: object) -> Iterator[Any]:
    return (function(item, *args) for item in items)
