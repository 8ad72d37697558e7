"""The range of a function of one variable over any part of its bounds, from enclosures on small cells, made once.

Where a variable stands several times the rules of intervals lose much: of ``x**4 - 16*x**2 + 5*x`` on [-5, 5] they know
[-425, 650], and the range is [-78.4, 250]. On each of many cells the mean value theorem loses the square of their
width. Terms of a sum that have one variable are taken together first (`grouped`), so that of a separable function all
is known.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from gdcli.calculus.exact_graph import ExactGraph
from gdcli.compile.interval_forms import first_order, middle
from gdcli.compile.interval_program import IntervalProgram
from gdcli.kernel.vectors import np
from gdcli.language.graph import arguments

Array = Any
Interval = tuple[Array, Array]
# Cells of the bounds of a variable; the most functions that have such a table, and nodes of a graph that is searched.
_CELLS, _MOST, _MOST_NODES = 512, 60, 5000
_SUMS = ("add", "sub", "neg")


class UnivariateRange:
    """What a node of a graph, which depends on one leaf, is on parts of the bounds ``low`` to ``high`` of that."""

    def __init__(self, graph: ExactGraph, node: int, leaf: int, low: float, high: float) -> None:
        program = IntervalProgram(graph, node, [graph.keys[leaf]], 1)
        self.leaf = leaf
        self.edges = np.linspace(low, high, _CELLS + 1)
        self.edges[[0, -1]] = low, high
        a, b = self.edges[None, :-1], self.edges[None, 1:]
        found, center = program.evaluate(a, b, 1), middle(a, b)
        with np.errstate(all="ignore"):
            ends = first_order(a, b, center, program.evaluate(center, center, 0).value, found.gradient)
        self.low, self.high = np.maximum(found.value[0], ends[0]), np.minimum(found.value[1], ends[1])
        self.least, self.most = _table(self.low, np.minimum), _table(self.high, np.maximum)

    def over(self, low: Array, high: Array) -> Interval | None:
        """Return the ends (m,) of the range on parts ``low`` to ``high`` (m,); None where all are within one cell."""
        first, last, known = self._cells(low, high)
        if not (last > first).any():
            return None
        level = np.log2(last - first + 1).astype(int)
        second = last - (1 << level) + 1
        least = np.minimum(self.least[level, first], self.least[level, second])
        most = np.maximum(self.most[level, first], self.most[level, second])
        return np.where(known, least, -np.inf), np.where(known, most, np.inf)

    def cut(self, value: Interval, low: Array, high: Array) -> Interval:
        """Return what of parts ``low`` to ``high`` (m,) can have a ``value`` (m,), but for cells that are cut; the ends
        are in wrong order where there is none.
        """
        low, high = low.copy(), high.copy()
        first, last, known = self._cells(low, high)
        wide = np.flatnonzero(known & (last > first))
        cell = np.arange(_CELLS)[:, None]
        fits = (self.low[:, None] <= value[1][wide]) & (self.high[:, None] >= value[0][wide])
        fits &= (cell >= first[wide]) & (cell <= last[wide])
        some = fits.any(axis=0)
        begin, end = np.argmax(fits, axis=0), _CELLS - np.argmax(fits[::-1], axis=0)
        low[wide] = np.where(some, np.maximum(low[wide], self.edges[begin]), np.inf)
        high[wide] = np.where(some, np.minimum(high[wide], self.edges[end]), -np.inf)
        return low, high

    def _cells(self, low: Array, high: Array) -> tuple[Array, Array, Array]:
        """Return the first and the last cell that parts meet, and which of them lie within the bounds."""
        first = np.clip(np.searchsorted(self.edges, low, "right") - 1, 0, _CELLS - 1)
        last = np.clip(np.searchsorted(self.edges, high, "left") - 1, first, _CELLS - 1)
        return first, last, (low >= self.edges[0]) & (high <= self.edges[-1])


def _table(values: Array, join: Callable[[Array, Array], Array]) -> Array:
    """Return what ``join`` gives of 1, 2, 4, ... neighbours from each place on, (levels, cells)."""
    rows, step = [values], 1
    while 2 * step <= _CELLS:
        longer = rows[-1].copy()
        longer[:-step] = join(rows[-1][:-step], rows[-1][step:])
        rows.append(longer)
        step *= 2
    return np.array(rows)


def ranges_of(
    graph: ExactGraph, roots: Sequence[int], places: Mapping[int, int], low: Array, high: Array
) -> dict[int, UnivariateRange]:
    """Return the ranges of the largest nodes below ``roots`` with one leaf, which stands in them more than once.

    ``places`` are the places of the leaves in the bounds ``low`` to ``high`` (n,).
    """
    order = graph.reach(roots)
    below = _leaves_below(graph, order, places)
    single = {i: next(iter(below[i])) for i in order if len(below[i]) == 1}
    once = set(places)  # nodes in which the leaf stands once: their rules lose nothing
    for i in order:
        args = [a for a in arguments(graph.keys[i]) if below[a]]
        if len(set(args)) == 1 and args[0] in once and (len(args) == 1 or graph.keys[i][0] == "mul"):
            once.add(i)
    largest = {i for i in roots if i in single}
    largest |= {a for i in order if i not in single for a in arguments(graph.keys[i]) if a in single}
    found = sorted(i for i in largest - once if low[places[single[i]]] < high[places[single[i]]])
    ends = {leaf: (float(low[k]), float(high[k])) for leaf, k in places.items()}
    return {i: UnivariateRange(graph, i, single[i], *ends[single[i]]) for i in found[:_MOST]}


def _leaves_below(
    graph: ExactGraph, order: Iterable[int], leaves: Iterable[int]
) -> dict[int, frozenset[int]]:
    found = {leaf: frozenset((leaf,)) for leaf in leaves}
    for i in order:
        if i not in found:
            found[i] = frozenset().union(*(found[a] for a in arguments(graph.keys[i])))
    return found


def grouped(graph: ExactGraph, roots: Sequence[int], leaves: Iterable[int]) -> list[int]:
    """Return the same values as ``roots``, in whose sums the terms that depend on one leaf alone stand together."""
    order = graph.reach(roots)
    if len(order) > _MOST_NODES:
        return list(roots)
    below = _leaves_below(graph, order, leaves)
    sums = [i for i in order if graph.keys[i][0] in _SUMS and len(below[i]) > 1]
    inner = {a for i in sums for a in arguments(graph.keys[i])} & set(sums)
    tops, new = set(sums) - inner, dict[int, int]()
    for i in order:
        new[i] = _grouped_sum(graph, i, below, new) if i in tops else graph.remade(i, new)
    return [new[root] for root in roots]


def _grouped_sum(
    graph: ExactGraph, top: int, below: Mapping[int, frozenset[int]], new: Mapping[int, int]
) -> int:
    groups: dict[Hashable, list[tuple[int, bool]]] = {}
    pending = [(top, False)]
    while pending:
        i, negative = pending.pop()
        op, *args = graph.keys[i]
        if op in _SUMS and len(below[i]) > 1:
            flips = [False, op == "sub"] if op != "neg" else [True]
            pending += [(a, negative != flip) for a, flip in zip(args, flips, strict=True)][::-1]
        else:
            alone = len(below[i]) == 1
            groups.setdefault(below[i] if alone else len(groups), []).append((new[i], negative))
    parts = [_sum(graph, terms) for terms in groups.values()]
    return _sum(graph, [(part, False) for part in parts])


def _sum(graph: ExactGraph, terms: Sequence[tuple[int, bool]]) -> int:
    (total, negative), *others = terms
    total = graph.neg(total) if negative else total
    for node, negative in others:
        total = graph.node("sub" if negative else "add", total, node)
    return total
