"""Bounds passed through the graph, up and down: HC4 (Benhamou et al., Revising hull and box consistency, 1999).

Upward every node gets an interval that holds its value on a box. The value of a root is then cut to what is asked of
it, and downward each operation is turned around: of ``a + b <= 1`` and ``b >= 3`` follows ``a <= -2``. What reaches
the variables is the part of the box where the demands can hold; nothing else is cut off. Points where the expression
has no value are never minimisers, so that the domain of a logarithm or a root is a demand as well.

Where a variable stands several times the rules of intervals lose much: of ``x**4 - 16*x**2 + 5*x`` on [-5, 5] they know
[-425, 650], and the range is [-78.4, 250]. So the range of a function of one variable over any part of its bounds is
taken from enclosures on small cells, made once, on each of which the mean value theorem loses the square of their
width. Terms of a sum that have one variable are taken together first (`grouped`), so that of a separable function all
is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from gdcli.calculus.exact_graph import ExactGraph, LogProduct, log_products
from gdcli.calculus.interval_rules import whole
from gdcli.compile.interval_arithmetic import Array, array_rules
from gdcli.compile.interval_forms import Pair, first_order, middle
from gdcli.compile.interval_program import IntervalProgram, rule_of
from gdcli.kernel.numerics import EPS
from gdcli.kernel.vectors import np
from gdcli.language.graph import LEAVES, arguments

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

    def over(self, low: Array, high: Array) -> Pair | None:
        """Return the ends (m,) of the range on parts ``low`` to ``high`` (m,); None where all are within one cell."""
        first, last, known = self._cells(low, high)
        if not (last > first).any():
            return None
        level = np.log2(last - first + 1).astype(int)
        second = last - (1 << level) + 1
        least = np.minimum(self.least[level, first], self.least[level, second])
        most = np.maximum(self.most[level, first], self.most[level, second])
        return np.where(known, least, -np.inf), np.where(known, most, np.inf)

    def cut(self, value: Pair, low: Array, high: Array) -> Pair:
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


# -- bounds passed through a graph -------------------------------------------------------------------------------------

Cuts = Sequence[Pair | None]
Rules = dict[str, Any]


class Propagation:
    """What passes demands on ``roots`` of a graph of scalars on to its variables, the nodes ``leaves``.

    ``bounds``, ends (n,) of what the variables may be, allow for tables of functions of one of them.
    """

    def __init__(
        self,
        graph: ExactGraph,
        roots: Sequence[int],
        leaves: Sequence[int],
        bounds: tuple[Array, Array] | None = None,
    ) -> None:
        self.graph = graph
        self.roots = list(roots) if bounds is None else grouped(graph, roots, leaves)
        self.rules = array_rules()
        self.order = graph.reach(self.roots)
        self.place = {node: k for k, node in enumerate(leaves)}
        self.ranges = {} if bounds is None else ranges_of(graph, self.roots, self.place, *bounds)
        self.powers = self._powers()
        self.log_products = log_products(graph, self.order)
        self.numbers = {i: graph.interval(i) for i in self.order if graph.keys[i][0] == "number"}
        # Without whose values a root has none: not the sides of a choice, nor what it tests.
        always = graph.reach(self.roots, below=self._needed)
        self.backward = always[::-1]

    def contract(
        self, low: Array, high: Array, demands: Sequence[Pair]
    ) -> tuple[Array, Array, Array, list[Pair]]:
        """Return the part of each box where all roots can lie in ``demands``, and what they are on the box.

        ``low`` and ``high`` have shape (n, m) and are changed; the third array, of shape (m,), tells which boxes have
        such a part.
        """
        with np.errstate(all="ignore"):
            values = self._forward(low, high)
            found = [values[root] for root in self.roots]
            for root, (least, most) in zip(self.roots, demands, strict=True):
                values[root] = np.maximum(values[root][0], least), np.minimum(values[root][1], most)
            alive = np.ones(low.shape[1], bool)
            self._backward(values, alive)
            for node, k in self.place.items():
                if node in values:
                    low[k], high[k] = np.fmax(low[k], values[node][0]), np.fmin(high[k], values[node][1])
            alive &= ~np.any(low > high, axis=0)
        return low, high, alive, found

    def values(self, low: Array, high: Array) -> list[Pair]:
        with np.errstate(all="ignore"):
            values = self._forward(low, high)
        return [values[root] for root in self.roots]

    def _powers(self) -> dict[int, tuple[int, int]]:
        """Return the base and the exponent of each product of powers of one node: x*x, x*x*x, ..."""
        found: dict[int, tuple[int, int]] = {}
        for i in self.order:
            key = self.graph.keys[i]
            if key[0] == "mul":
                (p, j), (q, k) = (found.get(a, (a, 1)) for a in key[1:])
                if p == q:
                    found[i] = p, j + k
            elif key[0] == "pow" and self.graph.value_of(key[2]) is not None:
                exponent = whole(self.graph.interval(key[2]))
                if exponent is not None and exponent > 0:
                    found[i] = key[1], exponent
        return found

    def _needed(self, i: int) -> tuple[int, ...]:
        key = self.graph.keys[i]
        return () if key[0] == "where" else arguments(key)

    def _forward(self, low: Array, high: Array) -> dict[int, Pair]:
        values: dict[int, Pair] = dict(self.numbers)
        for i in self.order:
            if i in self.place:
                values[i] = low[self.place[i]], high[self.place[i]]
            elif i not in values:
                values[i] = self._applied(i, values)
                if i in self.ranges:
                    k = self.place[self.ranges[i].leaf]
                    found = self.ranges[i].over(low[k], high[k])
                    values[i] = values[i] if found is None else _part(values[i], found)
        return values

    def _applied(self, i: int, values: dict[int, Pair]) -> Pair:
        key, rules = self.graph.keys[i], self.rules
        found: Pair
        if i in self.powers:
            base, exponent = self.powers[i]
            found = rules["whole_power"](values[base], exponent)
            return found
        if i in self.log_products:
            found = self._log_product(self.log_products[i], values)
            return rules["power_by_log"](values[key[1]], values[key[2]], found) if key[0] == "pow" else found
        if key[0] == "where":
            yes, no = values[key[4]], values[key[5]]
            return np.minimum(yes[0], no[0]), np.maximum(yes[1], no[1])
        args = [values[a] for a in key[1:]]
        if key[0] == "pow":
            n = whole(self.numbers[key[2]]) if key[2] in self.numbers else None
            found = rules["power"](*args) if n is None else rules["whole_power"](args[0], n)
        elif isinstance(key[0], str):
            found = rules["of_operation"](key[0], *args)
        else:
            found = rule_of(key[0], True)(args[0])[0]
        return found

    def _base_and_exponent(self, product: LogProduct, values: dict[int, Pair]) -> tuple[Pair, Pair]:
        exponent = values.get(product.exponent) or self.graph.interval(product.exponent)
        return values[product.base], exponent

    def _log_product(self, product: LogProduct, values: dict[int, Pair]) -> Pair:
        rules = self.rules
        found: Pair = rules["power_log"](product.log, *self._base_and_exponent(product, values))
        for node in product.over:
            found = rules["mul"](found, values[node])
        for node in product.under:
            found = rules["div"](found, values[node])
        return rules["neg"](found) if product.negative else found

    def _backward(self, values: dict[int, Pair], alive: Array) -> None:
        keys = self.graph.keys
        for i in self.backward:
            key, value = keys[i], values[i]
            alive &= np.logical_not(value[0] > value[1])
            if i in self.log_products and key[0] == "mul":
                ends = self._base_and_exponent(self.log_products[i], values)
                alive &= np.logical_not(self.rules["no_power_log"](*ends))
            if i in self.ranges:
                leaf = self.ranges[i].leaf
                values[leaf] = _part(values[leaf], self.ranges[i].cut(value, *values[leaf]))
            if key[0] in LEAVES or key[0] == "where":
                continue
            if i in self.powers:
                base, exponent = self.powers[i]
                cuts: Cuts = (self._root(value, values[base], float(exponent)),)
                nodes: Sequence[int] = (base,)
            else:
                nodes = key[1:]
                cuts = self._cuts(key[0], value, [values[a] for a in nodes])
            for child, cut in zip(nodes, cuts, strict=False):
                if cut is not None and child not in self.numbers:
                    values[child] = _part(values[child], cut)

    def _cuts(self, op: str, value: Pair, args: list[Pair]) -> Cuts:
        """Return what the arguments of an operation may be, given what its value may be; None: anything."""
        if op == "pow":
            low, high = args[1]
            return (
                (self._root(value, args[0], float(low)),) if np.ndim(low) == 0 and low == high != 0.0 else ()
            )
        if op in _INVERSES:
            return (self.rules["of_operation"](_INVERSES[op], value),)
        rule = _RULES.get(op)
        return () if rule is None else rule(self.rules, value, args)

    def _root(self, v: Pair, old: Pair, exponent: float) -> Pair:
        if exponent < 0:
            v, exponent = self.rules["inverse"](v), -exponent
        if exponent == 2:
            return _even_root(v, old, lambda w: self.rules["root"]("sqrt", w))

        def root(w: Pair) -> Pair:
            low, high = (np.sign(end) * np.abs(end) ** (1.0 / exponent) for end in w)
            return low - _ROOT_ERROR * np.abs(low), high + _ROOT_ERROR * np.abs(high)

        if exponent % 2 == 0:
            return _even_root(v, old, root)
        return root(v) if exponent % 1 == 0 else root((np.maximum(v[0], 0.0), v[1]))


def _part(whole: Pair, cut: Pair) -> Pair:
    return np.fmax(whole[0], cut[0]), np.fmin(whole[1], cut[1])


# -- operations turned around ------------------------------------------------------------------------------------------

_INF = math.inf
# The exponent 1/n is rounded, which moves a root by at most log(1e308) units in the last place; so is the power.
_ROOT_ERROR = 1000 * EPS
# Functions that rise, with those that turn them around.
_INVERSES = {
    "exp": "log",
    "log": "exp",
    "expm1": "log1p",
    "log1p": "expm1",
    "sinh": "asinh",
    "asinh": "sinh",
    "tanh": "atanh",
    "atanh": "tanh",
    "asin": "sin",
    "acos": "cos",
    "atan": "tan",
}


def _quotient(rules: Rules, over: Pair, under: Pair, old: Pair) -> Pair:
    """What x with x*u = o may be, for some u of ``under`` and o of ``over``; of two half-lines what meets ``old``."""
    whole = rules["div"](over, under)
    spans = (under[0] <= 0) & (under[1] >= 0)
    free = spans & (over[0] <= 0) & (over[1] >= 0)
    split = spans & np.logical_not(free)
    # Both half-lines begin where |x| is least: the least of |over| through the largest of |under|.
    positive = over[0] > 0
    reach = np.where(positive, over[0], -over[1])
    ahead, behind = np.abs(under[1]), np.abs(under[0])
    right = np.maximum(np.nextafter(reach / np.where(positive, ahead, behind), -_INF), 0.0)
    left = np.minimum(np.nextafter(-reach / np.where(positive, behind, ahead), _INF), 0.0)
    low, high = np.where(old[0] > left, right, -_INF), np.where(old[1] < right, left, _INF)
    low = np.where(free, -_INF, np.where(split, low, whole[0]))
    high = np.where(free, _INF, np.where(split, high, whole[1]))
    return low, high


def _not_negative(v: Pair) -> Pair:
    return np.maximum(v[0], 0.0), np.maximum(v[1], 0.0)


def _even_root(v: Pair, old: Pair, root: Callable[[Pair], Pair]) -> Pair:
    """What x with an even power of x in ``v`` may be: between two roots, or at one side of the gap between them."""
    inner, outer = root(_not_negative(v))
    low = np.where(old[0] > -inner, inner, -outer)
    high = np.where(old[1] < inner, -inner, outer)
    return low, high


def _hypotenuse(rules: Rules, v: Pair, args: list[Pair]) -> Cuts:
    square, sub = rules["square"], rules["sub"]
    whole = square((np.maximum(v[0], 0.0), v[1]))
    others = [sub(whole, square(args[1 - k])) for k in (0, 1)]
    return [_even_root(o, a, lambda w: rules["root"]("sqrt", w)) for o, a in zip(others, args, strict=True)]


def _sine(rules: Rules, v: Pair, args: list[Pair]) -> Cuts:
    quarter = np.pi / 2
    low, high = _angle(v, (args[0][0] - quarter, args[0][1] - quarter))
    return ((low + quarter, high + quarter),)


def _slack(angles: Pair) -> Array:
    """Return what is left room for beside the ends of angles: turns are counted in rounded numbers."""
    slack: Array = 1e-14 * (8 + np.maximum(np.abs(angles[0]), np.abs(angles[1])))
    return slack


def _tangent(rules: Rules, v: Pair, args: list[Pair]) -> Cuts:
    """What of the angles ``args`` may have a tangent in ``v``: both ends are moved inward to the next that has."""
    (low, high), (a, b) = args[0], np.arctan(v)
    slack = _slack(args[0])
    a, b = a - slack, b + slack
    first, last = np.ceil((low - b) / np.pi), np.floor((high - a) / np.pi)
    return ((a + first * np.pi - slack, b + last * np.pi + slack),)


def _angle(v: Pair, old: Pair) -> Pair:
    """What of the angles ``old`` may have a cosine in ``v``: both ends are moved inward to the next that has."""
    slack = _slack(old)
    # Before angles are compared, too: one that has such a cosine but for rounding is not sent to the next that has.
    near = np.maximum(np.arccos(np.clip(v[1], -1, 1)) - slack, 0.0)
    far = np.minimum(np.arccos(np.clip(v[0], -1, 1)) + slack, np.pi)
    low, high = _next_angle(old[0], near, far), -_next_angle(-old[1], near, far)
    return low - slack, high + slack


def _next_angle(start: Array, near: Array, far: Array) -> Array:
    """The first angle not below ``start`` that is turns away from between ``near`` and ``far``, or from minus that."""
    turned = start - 2 * np.pi * np.floor((start + np.pi) / (2 * np.pi))
    inside = np.where((turned > -near) & (turned < near), near, turned)
    ahead = np.where(turned < -far, -far, np.where(turned > far, 2 * np.pi - far, inside))
    return start + (ahead - turned)


_RULES: dict[str, Callable[[Rules, Pair, list[Pair]], Cuts]] = {
    "add": lambda rules, v, args: (rules["sub"](v, args[1]), rules["sub"](v, args[0])),
    "sub": lambda rules, v, args: (rules["add"](v, args[1]), rules["sub"](args[0], v)),
    "neg": lambda rules, v, args: (rules["neg"](v),),
    "mul": lambda rules, v, args: (
        _quotient(rules, v, args[1], args[0]),
        _quotient(rules, v, args[0], args[1]),
    ),
    "div": lambda rules, v, args: (rules["mul"](v, args[1]), _quotient(rules, args[0], v, args[1])),
    "sqrt": lambda rules, v, args: (rules["square"](_not_negative(v)),),
    "cbrt": lambda rules, v, args: (rules["whole_power"](v, 3),),
    "log2": lambda rules, v, args: (rules["power"]((2.0, 2.0), v),),
    "log10": lambda rules, v, args: (rules["power"]((10.0, 10.0), v),),
    "abs": lambda rules, v, args: (_even_root(v, args[0], lambda w: w),),
    "cosh": lambda rules, v, args: (_even_root(v, args[0], lambda w: rules["of_operation"]("acosh", w)),),
    "hypot": _hypotenuse,
    "cos": lambda rules, v, args: (_angle(v, args[0]),),
    "sin": _sine,
    "tan": _tangent,
    "max": lambda rules, v, args: ((-_INF, v[1]), (-_INF, v[1])),
    "min": lambda rules, v, args: ((v[0], _INF), (v[0], _INF)),
}
