"""In which parameters is a model linear? Read from the graph: in those that no slope depends on."""

from __future__ import annotations

from gdcli.calculus.autodiff import Derivatives
from gdcli.calculus.smoothing import can_smooth
from gdcli.language.graph import Graph
from gdcli.objective.row_model import RowModel, node_of


def linear_parameters(row: RowModel, root: int | None = None) -> list[int]:
    """Return the numbers of parameters, in flat order, that the residual is jointly linear in; the more the better.

    The residual is linear in a set of parameters when its derivatives by them depend on none of them: for
    ``a*exp(-b*x) + c`` the set is a and c, for ``a*b*x`` it is one of the two. A parameter that a jump depends on is
    not linear, whatever the derivative says. Parameters that go with the most others
    are taken first. ``root`` is another node of the row to ask about; without it the answer is empty where the loss is
    not a square.
    """
    root = row.residual if root is None else root
    if root is None:
        return []
    graph, parameters = row.graph, row.parameters
    adjoints = Derivatives(graph, frozenset(row.columns)).gradient(root)
    behind_jumps = graph.reach(tuple(_jumping(graph, root)))
    needs = [set(graph.reach((adjoints[i],))) if i in adjoints else set() for i in parameters]
    able = [k for k, i in enumerate(parameters) if i in adjoints and i not in set(behind_jumps)]
    bent = {k: {j for j in able if parameters[j] in needs[k] or parameters[k] in needs[j]} for k in able}
    chosen: list[int] = []
    for k in sorted(able, key=lambda k: len(bent[k])):
        if not bent[k] & {k, *chosen}:
            chosen.append(k)
    return sorted(chosen)


def is_smooth(row: RowModel) -> bool:
    """Tell whether the loss has no kink and no jump, as far as can be seen, that is met when the parameters change."""
    graph, columns = row.graph, {node_of(row.graph, key) for key in row.column_leaves}
    if can_smooth(graph, row.loss, columns):
        return False
    return not any(row.depends(i) for i in _jumping(graph, row.loss))


def _jumping(graph: Graph, root: int) -> list[int]:
    """The nodes on whose value a jump depends: there a slope tells nothing of how the value changes."""
    found: list[int] = []
    for i in graph.reach((root,)):
        key = graph.keys[i]
        if key[0] == "where":
            found += key[2:4]
        elif key[0] in ("floor", "ceil", "sign"):
            found.append(key[1])
    return found
