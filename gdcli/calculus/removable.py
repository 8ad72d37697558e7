"""Quotients that are 0/0 at a point, and have a limit there: sin(x)/x, (1 - cos(x))/x**2, log(x)/(x - 1).

Let n and d be functions of u whose derivatives at c below the k-th vanish, that of d of order k does not. Then n =
(u - c)**k M with M smooth, whose j-th derivative is j!/(k + j)! n^(k+j) at c, and lies within j!/(k + j)! n^(k+j)(W) at
u, where W holds u and c (Taylor's theorem with the remainder as an integral); so it is for d and E. Wherever d is not 0
n/d = M/E, which is smooth at c. That derivatives vanish is known by exact arithmetic: c is a quotient of whole numbers.

In a graph of exact numbers such a quotient becomes an operation of its own, a `Continuation` of one argument, whose
derivative is one too. What is bounded is the function with its limits: continuous where the typed one has no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import reduce
from math import factorial
from typing import Any

from gdcli.calculus import interval_rules as rules
from gdcli.calculus.autodiff import Derivatives
from gdcli.calculus.exact_graph import ExactGraph, copied
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import LEAVES, Key, arguments

LEAF: Key = ("scalar", "u")
AROUND: Key = ("scalar", "w")
# Up to this order derivatives may vanish. The quotient has two more; Taylor's theorem for M takes so many terms.
_MOST_ORDER, _SLOPES, _TERMS = 4, 2, 4
# Larger graphs of derivatives are not worth their time.
_MOST_NODES = 1500


class Continuation:
    """A quotient of functions of one variable, the leaf of ``graph``, with its limit at a number within ``zero``.

    ``plain`` is the node as typed; ``limit`` that of M/E, in which a second leaf holds all numbers from there to the
    variable; ``smooth`` has a value where numerator and denominator have. ``slope`` is the derivative.
    """

    def __init__(
        self, graph: ExactGraph, zero: int, nodes: tuple[int, int, int], slope: Continuation | None
    ) -> None:
        self.graph, self.zero, self.slope = graph, graph.interval(zero), slope
        self.plain, self.limit, self.smooth = nodes

    def at_number(self, graph: ExactGraph, number: int) -> int:
        """Return the node of the value at a number of ``graph``, there."""
        found = copied(self.graph, self.plain, graph, {LEAF: number})
        known = graph.value_of(found) is not None
        return found if known else copied(self.graph, self.limit, graph, {LEAF: number, AROUND: number})


def continued(graph: ExactGraph, root: int) -> int:
    """Return the node of the same expression in which quotients that can be continued are."""
    made: dict[int, int] = {}
    for i in graph.reach((root,)):
        made[i] = graph.remade(i, made)
        if graph.keys[made[i]][0] == "div":
            made[i] = _quotient_of_products(graph, made[i])
    return made[root]


def _quotient_of_products(graph: ExactGraph, i: int) -> int:
    """Return a quotient with its limits, behind factors of other variables too: y*sin(x)/x is y times sin(x)/x."""
    whole = _quotient(graph, i)
    over, under = (_by_variables(graph, a) for a in graph.keys[i][1:])
    if whole != i or len(over) + len(under) < 3:
        return whole
    parts = {}
    for names in over.keys() & under.keys():
        plain = graph.node("div", over[names], under[names])
        part = _quotient(graph, plain) if graph.keys[plain][0] == "div" else plain  # numbers are divided
        if part != plain:
            parts[names] = part
    if not parts:
        return i
    above = [*parts.values(), *(over[names] for names in over if names not in parts)]
    below = [under[names] for names in under if names not in parts]
    return (
        graph.node("div", _product(graph, above), _product(graph, below)) if below else _product(graph, above)
    )


def _by_variables(graph: ExactGraph, i: int) -> dict[frozenset[int], int]:
    """Return the products of the factors of ``i`` that have the same leaves, by these."""
    found: dict[frozenset[int], int] = {}
    open_nodes = [i]
    while open_nodes:
        node = open_nodes.pop()
        kind, *args = graph.keys[node]
        if kind == "mul":
            open_nodes += args
            continue
        if kind == "neg":
            open_nodes += [args[0], graph.number(-1.0)]
            continue
        below = graph.reach((node,))
        names = frozenset(k for k in below if graph.keys[k][0] in LEAVES and graph.keys[k][0] != "number")
        found[names] = graph.node("mul", found[names], node) if names in found else node
    return found


def _product(graph: ExactGraph, nodes: Sequence[int]) -> int:
    return reduce(lambda a, b: graph.node("mul", a, b), nodes)


def _quotient(graph: ExactGraph, i: int) -> int:
    """Return a quotient with its limits, itself where it has none."""
    for node, value in reversed([*_zeros(graph, graph.keys[i][2], graph.number(0.0))]):
        found: Any = _continuation(graph, i, value, node) if _is_function_of(graph, i, node) else None
        if found is not None:
            return graph.node(found, node)
    return i


def _zeros(graph: ExactGraph, i: int, value: int) -> Iterator[tuple[int, int]]:
    """Yield nodes below ``i`` with numbers, leaves of ``graph``, that they have where ``i`` has a ``value``."""
    if graph.keys[i][0] != "number" and graph.ratio_of(value) is not None:
        yield i, value
        for node, number in _one_down(graph, i, value):
            yield from _zeros(graph, node, number)


def _one_down(graph: ExactGraph, i: int, value: int) -> list[tuple[int, int]]:
    op, args, at = graph.keys[i][0], arguments(graph.keys[i]), graph.value_of(value)
    if op in ("add", "sub"):
        a, b = args
        if graph.value_of(b) is not None:
            return [(a, graph.node("sub" if op == "add" else "add", value, b))]
        known = graph.value_of(a) is not None
        return [(b, graph.node("sub", *((value, a) if op == "add" else (a, value))))] if known else []
    if op in FUNCTIONS and len(args) == 1:
        return [(args[0], graph.number(x)) for x in (0.0, 1.0) if rules.known_value(op, (x,)) == at]
    if at == 0.0 and op in ("mul", "neg", "div", "pow"):
        return [(a, value) for a in set(args[:1] if op in ("div", "pow") else args)]
    return []


def _is_function_of(graph: ExactGraph, i: int, node: int) -> bool:
    """Tell whether one node is a smooth function of another alone, or a number."""
    inner = graph.reach((i,), below=lambda a: () if a == node else arguments(graph.keys[a]))
    ops = {graph.keys[a][0] for a in inner if a != node}
    return all(op == "number" or (op not in LEAVES and _is_smooth(op)) for op in ops)


def _is_smooth(op: str) -> bool:
    if op not in FUNCTIONS:
        return op in ("add", "sub", "mul", "div", "neg", "pow")
    condition = rules.condition_of(op)
    return not FUNCTIONS[op].kink and (condition is None or condition.order == 0)


def _continuation(graph: ExactGraph, i: int, value: int, node: int) -> Continuation | None:
    """Return a quotient, which is a function of ``node``, with its limit where that is ``value``."""
    own = ExactGraph()
    zero, plain = copied(graph, value, own, {}), copied(graph, i, own, {}, {node: own.leaf(LEAF)})
    _, n, d = own.keys[plain]
    smooth, plains = own.node("mul", n, d), [plain]
    try:
        limits = _limits(own, [n], [d], zero)
        _extend(own, plains, _SLOPES + 1)
    except NotImplementedError:  # a function whose derivatives end
        return None
    if limits is None or len(own.keys) > _MOST_NODES:
        return None
    made: Continuation | None = None
    for plain, limit in zip(reversed(plains), reversed(limits), strict=True):
        made = Continuation(own, zero, (plain, limit, smooth), made)
    return made


def _extend(graph: ExactGraph, derivatives: list[int], size: int) -> None:
    while len(derivatives) < size:
        derivatives += Derivatives(graph).slopes(derivatives[-1], [graph.leaf(LEAF)])


def _limits(graph: ExactGraph, over: list[int], under: list[int], zero: int) -> list[int] | None:
    """Return M/E and its first two derivatives; None where the functions are not 0/0 with a limit at ``zero``."""
    for k in range(_MOST_ORDER + 1):
        _extend(graph, over, k + 1)
        _extend(graph, under, k + 1)
        n, d = (copied(graph, found[k], graph, {LEAF: zero}) for found in (over, under))
        if graph.value_of(d) is None or graph.value_of(n) is None:
            return None
        if rules.nonzero("div", graph.interval(d)):
            break
        if not graph.ratio_of(n) == graph.ratio_of(d) == (0, 1):
            return None
    else:
        return None
    if not k:
        return None
    (m, m1, m2), (e, e1, e2) = (_reduced(graph, found, zero, k) for found in (over, under))
    value = graph.div(m, e)
    slope = graph.div(graph.sub(m1, graph.mul(value, e1)), e)
    bend = graph.add(graph.mul(graph.number(2.0), graph.mul(slope, e1)), graph.mul(value, e2))
    return [value, slope, graph.div(graph.sub(m2, bend), e)]


def _reduced(graph: ExactGraph, derivatives: list[int], zero: int, k: int) -> list[int]:
    """Return what holds M, M' and M'' of a function, of which the ``derivatives`` below the k-th vanish at ``zero``."""
    _extend(graph, derivatives, k + _TERMS + 1)
    step = graph.sub(graph.leaf(LEAF), zero)
    places = [zero] * _TERMS + [graph.leaf(AROUND)]
    at = [copied(graph, derivatives[k + i], graph, {LEAF: place}) for i, place in enumerate(places)]
    found = [graph.number(0.0)] * (_SLOPES + 1)
    for j in range(_SLOPES + 1):
        for i in range(j, _TERMS + 1):
            weight = graph.quotient(Fraction(factorial(i), factorial(k + i) * factorial(i - j)))
            power = graph.pow(step, graph.number(float(i - j)))
            found[j] = graph.add(found[j], graph.mul(graph.mul(weight, at[i]), power))
    return found
