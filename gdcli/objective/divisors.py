"""What a model divides by, and where that is zero: its poles.

A divisor such as ``Km + S`` depends on parameters and on the row. Where it is above zero in some rows and below in
others there is a pole among the rows, and between two sets of parameters for which it has another sign in some row
there is a point at which the model is infinite in that row: no descent leads across it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gdcli.language.form import all_nodes, build_row
from gdcli.language.graph import Graph, arguments
from gdcli.objective.row_model import RowModel

if TYPE_CHECKING:
    from gdcli.objective.rows import RowObjective


def divisors(row: RowModel) -> list[int]:
    """Return the nodes that the loss of a row divides by and that depend on parameters, products as their factors.

    What only one branch of a choice divides by is left out: elsewhere its sign means nothing.
    """
    graph = row.graph
    found: dict[int, None] = {}
    for i in _always(graph, row.loss):
        for factor in _factors(graph, _divisor(graph, i)):
            if row.depends(factor):
                found[factor] = None
    return list(found)


def _divisor(graph: Graph, i: int) -> int | None:
    key = graph.keys[i]
    if key[0] == "div":
        return int(key[2])
    if key[0] == "pow" and (graph.value_of(key[2]) or 0.0) < 0.0:
        return int(key[1])
    return None


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
    seen, stack = set(), [root]
    while stack:
        i = stack.pop()
        if i not in seen:
            seen.add(i)
            key = graph.keys[i]
            stack += key[2:4] if key[0] == "where" else arguments(key)
    return sorted(seen)


def pole_among(objective: RowObjective, x: Any) -> str:
    """Say which divisor changes its sign between the rows at ``x``, and from what to what; "" where none does."""
    row = objective.row
    nodes = objective.nodes("divisors")
    low, high = [float("inf")] * len(nodes), [-float("inf")] * len(nodes)
    for _, values in objective.pieces("divisors", x) if nodes else ():
        low = [min(a, float(v.min())) for a, v in zip(low, values, strict=True)]
        high = [max(a, float(v.max())) for a, v in zip(high, values, strict=True)]
    for node, a, b in zip(nodes, low, high, strict=True):
        if a < 0.0 < b:
            return f"{_text_of(row, node)} goes from {a:.4g} to {b:.4g}"
    return ""


def _text_of(row: RowModel, node: int) -> str:
    """A divisor as typed: that of the division it is a factor of."""
    graph = row.graph
    lengths: dict[str, int | None] = {**row.names.parameters, **dict.fromkeys(row.names.columns)}
    for tree in row.model.trees:
        known = {name: value for name, value in row.constants.items() if name in tree.names}
        for typed in all_nodes(tree.root):
            if typed.op not in ("div", "pow"):
                continue
            below = typed.args[1] if typed.op == "div" else typed.args[0]
            made = build_row(tree._replace(root=below), graph, lengths, known, row.names.matrices)
            if node in _factors(graph, made):
                return tree.piece(below).strip()
    return "what it divides by"
