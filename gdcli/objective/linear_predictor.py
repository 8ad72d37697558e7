"""The linear predictor of a row's loss: the one number through which all parameters act on it.

In ``-log p(y | w*x + b)`` that number is ``w*x + b``. The chain rule then reads: the slope of the loss along the linear
predictor, times the derivatives of the linear predictor. Where the loss chooses (`where`), only the slope chooses, so
the derivatives of the model are computed once and not in each branch for each parameter; and where the linear predictor
is linear in the parameters, its derivatives are plain data, and the sums over rows are products of a matrix and a
vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gdcli.calculus.autodiff import Derivatives
from gdcli.kernel.dataclass import NamedTuple
from gdcli.language.graph import LEAVES, Graph, arguments

# The name of the linear predictor where it stands as a leaf; names in models do not begin with an underscore.
WAIST = "_waist"


class LinearPredictor(NamedTuple):
    """``node`` is the linear predictor, ``slope`` the derivative of the loss along it, ``partials`` its own by each
    parameter.

    ``linear`` tells that the partials do not depend on parameters.
    """

    node: int
    slope: int
    partials: list[int]
    linear: bool


def find_linear_predictor(
    derivatives: Derivatives, loss: int, parameters: Sequence[int]
) -> LinearPredictor | None:
    """Return the linear predictor that is nearest to the parameters, None where there is none.

    It is an operation that is computed whichever way each choice goes: then nothing is computed that the typed loss
    would not compute.
    """
    graph = derivatives.graph
    dependent = graph.depending((loss,), parameters)
    node = _narrowest(graph, loss, [i for i in graph.reach((loss,)) if i in dependent])
    if node is None:
        return None
    small = Graph()
    copy = copy_into(small, graph, loss, {node: small.scalar(WAIST)})
    there = Derivatives(small, derivatives.parameters).gradient(copy).get(small.scalar(WAIST))
    if there is None:
        return None
    slope = copy_into(graph, small, there, {small.scalar(WAIST): node})
    partials = derivatives.slopes(node, parameters)
    leaves = set(parameters)
    linear = not any(i in leaves for i in graph.reach(tuple(partials)))
    return LinearPredictor(node, slope, partials, linear)


def balanced(graph: Graph, root: int) -> int:
    """Return a sum of many terms with its terms added in pairs: a processor can do those side by side."""
    terms: list[int] = []
    stack = [root]
    while stack:
        i = stack.pop()
        if graph.keys[i][0] == "add":
            stack.extend(graph.keys[i][1:])
        else:
            terms.append(i)
    terms.sort()
    while len(terms) > 1:
        pairs = [graph.node("add", a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(pairs) * 2 :]
    return terms[0]


def factored_gradient(
    derivatives: Derivatives, loss: int, parameters: Sequence[int]
) -> tuple[int | None, list[int]]:
    """Return (factor, nodes): the derivative by each parameter is the factor times its node (None: the node alone).

    It is the gradient as a single row's step wants it, with sums in pairs; its last digits may be others.
    """
    found = find_linear_predictor(derivatives, loss, parameters)
    if found is None:
        return None, gradient_nodes(derivatives, loss, parameters)
    if not found.linear:
        return found.slope, found.partials
    graph = derivatives.graph
    return copy_into(graph, graph, found.slope, {found.node: balanced(graph, found.node)}), found.partials


def gradient_nodes(derivatives: Derivatives, loss: int, parameters: Sequence[int]) -> list[int]:
    """Return the derivative of the loss by each parameter, through the linear predictor where there is one."""
    graph = derivatives.graph
    found = find_linear_predictor(derivatives, loss, parameters)
    if found is not None:
        return [graph.mul(found.slope, partial) for partial in found.partials]
    return derivatives.slopes(loss, parameters)


def copy_into(
    target: Graph, graph: Graph, root: int, known: Mapping[int, int], simplify: bool = False
) -> int:
    """Write what ``root`` depends on into another graph, ``known`` nodes standing for what they stand for.

    ``simplify`` takes out zeros and ones.
    """
    new = dict(known)
    for i in graph.reach((root,), known):
        op = graph.keys[i][0]
        if simplify and op in ("add", "sub", "mul", "div", "neg"):
            new[i] = getattr(target, op)(*(new[a] for a in graph.keys[i][1:]))
        else:
            new[i] = copied_node(target, graph, i, new)
    return new[root]


def copied_node(target: Graph, graph: Graph, i: int, made: Mapping[int, int]) -> int:
    """Return the node that i of a graph is in another one, where its arguments are ``made``."""
    key, value = graph.keys[i], graph.value_of(i)
    if value is not None:
        return target.number(value)
    args = arguments(key)
    return target.node(*key[: len(key) - len(args)], *(made[a] for a in args)) if args else target.leaf(key)


def _narrowest(graph: Graph, loss: int, dependent: Sequence[int]) -> int | None:
    """The first node that no dependence on parameters passes by, and that is always computed."""
    last: dict[int, int] = {}
    inside = set(dependent)
    for i in dependent:
        for a in arguments(graph.keys[i]):
            if a in inside:
                last[a] = i
    farthest = max((i for i in dependent if graph.keys[i][0] in LEAVES), default=loss)
    for i in dependent:
        if farthest <= i < loss and graph.keys[i][0] not in LEAVES and _is_always_computed(graph, loss, i):
            return i
        farthest = max(farthest, last.get(i, -1))
    return None


def _is_always_computed(graph: Graph, root: int, node: int) -> bool:
    """Tell whether ``node`` is computed whichever way each choice below ``root`` goes."""
    sure = {node}
    for i in graph.reach((root,)):
        key = graph.keys[i]
        if key[0] == "where":
            _, _, a, b, yes, no = key
            if a in sure or b in sure or (yes in sure and no in sure):
                sure.add(i)
        elif any(a in sure for a in arguments(key)):
            sure.add(i)
    return root in sure
