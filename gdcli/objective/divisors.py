"""What a model divides by, and where that is zero: its poles.

A divisor such as ``Km + S`` depends on parameters and on the row. Where it is above zero in some rows and below in
others there is a pole among the rows, and between two sets of parameters for which it has another sign in some row
there is a point at which the model is infinite in that row: no descent leads across it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import or_
from typing import Any, Protocol

from gdcli.kernel.vectors import Vector, any_negative, extremes, times
from gdcli.language.form import build_row
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph
from gdcli.language.tree_names import all_nodes
from gdcli.objective.row_model import Ask, Merge, RowModel


def divisors(row: RowModel) -> list[int]:
    """Return the nodes that the loss of a row divides by and whose sign parameters can change."""
    return changing_divisors(row.graph, row.loss, row.depends)


def changing_divisors(graph: Graph, root: int, depends: Callable[[int], bool]) -> list[int]:
    """Return what is divided by on the way to ``root`` and may change its sign; of products the factors.

    ``depends`` tells whether a node changes at all. What only one branch of a choice divides by is left out: elsewhere
    its sign means nothing.
    """
    found: dict[int, None] = {}
    for i in _always(graph, root):
        for factor in _factors(graph, _divisor(graph, i)):
            if depends(factor) and not graph.is_never_negative(factor):
                found[factor] = None
    return list(found)


def _divisor(graph: Graph, i: int) -> int | None:
    key = graph.keys[i]
    if key[0] == "div":
        return int(key[2])
    if key[0] == "pow" and (graph.value_of(key[2]) or 0.0) < 0.0:
        return int(key[1])
    below = FUNCTIONS[key[0]].divisor if key[0] in FUNCTIONS else ""
    return graph.call(below, key[1]) if below else None


def _factors(graph: Graph, i: int | None) -> Iterator[int]:
    """The factors of a product; of a quotient those above, for those below are divisors themselves."""
    if i is None:
        return
    key = graph.keys[i]
    if key[0] == "mul":
        yield from _factors(graph, key[1])
        yield from _factors(graph, key[2])
    elif key[0] in ("neg", "div", "pow"):
        yield from _factors(graph, key[1])
    else:
        yield i


def _always(graph: Graph, root: int) -> list[int]:
    """The nodes that are computed whichever way each choice goes."""
    return graph.reach((root,), below=graph.needed_first)


class DividingRows(Protocol):
    """An objective over rows, asked for what it divides by in each; see `objective.row_objective.RowObjective`."""

    row: RowModel

    def nodes(self, name: str) -> list[int]: ...
    def vectors(self, name: str, x: Sequence[float], quick: bool = False) -> Iterator[list[Vector]]: ...
    def over(self, ask: Ask, merge: Merge, *args: object) -> Any: ...


class DivisorSigns:
    """On which side of zero each divisor is in each row: the part of the parameters that the poles fence in around x.

    A divisor that has one sign in all rows has its sign here, another has None, and is compared row by row.
    """

    def __init__(self, objective: DividingRows, x: Vector, signs: list[float | None]) -> None:
        self.objective, self.x, self.signs = objective, x, signs

    @classmethod
    def at(cls, objective: DividingRows, x: Vector) -> DivisorSigns | None:
        """Return the sides at x; None where nothing is divided by that can change its sign."""
        if not objective.nodes("divisors"):
            return None
        ends = _ends(objective, x)
        return cls(objective, x, [1.0 if low > 0.0 else -1.0 if high < 0.0 else None for low, high in ends])

    def has(self, x: Vector) -> bool:
        """Tell whether every divisor has the same sign at x, where it is not zero."""
        for sign, (low, high) in zip(self.signs, _ends(self.objective, x), strict=True):
            if (sign == 1.0 and low < 0.0) or (sign == -1.0 and high > 0.0):
                return False
        return None not in self.signs or not self.objective.over(_is_crossed, or_, tuple(self.x), tuple(x))


def _is_crossed(objective: DividingRows, x: Sequence[float], y: Sequence[float]) -> bool:
    """Tell whether a divisor has another sign at y than at x in some row."""
    pieces = [objective.vectors("divisors", at) for at in (x, y)]
    return any(
        any_negative(times(here, there))
        for one, other in zip(*pieces, strict=True)
        for here, there in zip(one, other, strict=True)
    )


_Ends = list[tuple[float, float]]


def _ends(objective: DividingRows, x: Vector) -> _Ends:
    """The least and the largest value of each divisor in any row."""
    found: _Ends = objective.over(_ends_here, _wider, tuple(x))
    return found


def _wider(one: _Ends, other: _Ends) -> _Ends:
    return [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other, strict=True)]


def _ends_here(objective: DividingRows, x: Sequence[float]) -> _Ends:
    nodes = objective.nodes("divisors")
    low, high = [float("inf")] * len(nodes), [-float("inf")] * len(nodes)
    for values in objective.vectors("divisors", x, quick=True):
        ends = list(map(extremes, values))
        low = [min(a, least) for a, (least, _) in zip(low, ends, strict=True)]
        high = [max(a, largest) for a, (_, largest) in zip(high, ends, strict=True)]
    return list(zip(low, high, strict=True))


def pole_among(objective: DividingRows, x: Vector) -> str:
    """Say which divisor changes its sign between the rows at ``x``, and from what to what; "" where none does."""
    nodes = objective.nodes("divisors")
    for node, (low, high) in zip(nodes, _ends(objective, x) if nodes else (), strict=True):
        if low < 0.0 < high:
            return f"{_text_of(objective.row, node)} goes from {low:.4g} to {high:.4g}"
    return ""


def _text_of(row: RowModel, node: int) -> str:
    """A divisor as typed: that of the division it is a factor of."""
    graph = row.graph
    lengths: dict[str, int | None] = {**row.names.parameters, **dict.fromkeys(row.names.columns)}
    for tree in row.model.texts:
        known = {name: value for name, value in row.constants.items() if name in tree.names}
        for typed in all_nodes(tree.root):
            if typed.op not in ("div", "pow"):
                continue
            below = typed.args[1] if typed.op == "div" else typed.args[0]
            made = build_row(tree._replace(root=below), graph, lengths, known, row.names.matrices)
            if node in _factors(graph, made):
                return tree.piece(below).strip()
    return "what it divides by"
