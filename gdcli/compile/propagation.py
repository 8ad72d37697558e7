"""Bounds passed through the graph, up and down: HC4 (Benhamou et al., Revising hull and box consistency, 1999).

Upward every node gets an interval that holds its value on a box. The value of a root is then cut to what is asked of
it, and downward each operation is turned around: of ``a + b <= 1`` and ``b >= 3`` follows ``a <= -2``. What reaches
the variables is the part of the box where the demands can hold; nothing else is cut off. Points where the expression
has no value are never minimisers, so that the domain of a logarithm or a root is a demand as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gdcli.calculus.exact_graph import ExactGraph, LogProduct, log_products
from gdcli.calculus.interval_rules import whole
from gdcli.compile.interval_arrays import array_rules
from gdcli.compile.interval_program import rule_of
from gdcli.compile.univariate_ranges import grouped, ranges_of
from gdcli.kernel.numerics import EPS
from gdcli.kernel.vectors import np
from gdcli.language.graph import LEAVES, arguments

# An array of numpy; a pair (low, high) has the ends of intervals.
Array = Any
Interval = tuple[Array, Array]
Cuts = Sequence[Interval | None]
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
        self, low: Array, high: Array, demands: Sequence[Interval]
    ) -> tuple[Array, Array, Array, list[Interval]]:
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

    def values(self, low: Array, high: Array) -> list[Interval]:
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

    def _forward(self, low: Array, high: Array) -> dict[int, Interval]:
        values: dict[int, Interval] = dict(self.numbers)
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

    def _applied(self, i: int, values: dict[int, Interval]) -> Interval:
        key, rules = self.graph.keys[i], self.rules
        found: Interval
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
        if key[0] in ("add", "sub", "neg", "mul", "div"):
            found = rules[key[0]](*args)
        elif key[0] == "pow":
            n = whole(self.numbers[key[2]]) if key[2] in self.numbers else None
            found = rules["power"](*args) if n is None else rules["whole_power"](args[0], n)
        elif isinstance(key[0], str):
            found = rules["of_function"](key[0], *args)
        else:
            found = rule_of(key[0], True)(args[0])[0]
        return found

    def _base_and_exponent(
        self, product: LogProduct, values: dict[int, Interval]
    ) -> tuple[Interval, Interval]:
        exponent = values.get(product.exponent) or self.graph.interval(product.exponent)
        return values[product.base], exponent

    def _log_product(self, product: LogProduct, values: dict[int, Interval]) -> Interval:
        rules = self.rules
        found: Interval = rules["power_log"](product.log, *self._base_and_exponent(product, values))
        for node in product.over:
            found = rules["mul"](found, values[node])
        for node in product.under:
            found = rules["div"](found, values[node])
        return rules["neg"](found) if product.negative else found

    def _backward(self, values: dict[int, Interval], alive: Array) -> None:
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

    def _cuts(self, op: str, value: Interval, args: list[Interval]) -> Cuts:
        """Return what the arguments of an operation may be, given what its value may be; None: anything."""
        if op == "pow":
            low, high = args[1]
            return (
                (self._root(value, args[0], float(low)),) if np.ndim(low) == 0 and low == high != 0.0 else ()
            )
        if op in _INVERSES:
            return (self.rules["of_function"](_INVERSES[op], value),)
        rule = _RULES.get(op)
        return () if rule is None else rule(self.rules, value, args)

    def _root(self, v: Interval, old: Interval, exponent: float) -> Interval:
        if exponent < 0:
            v, exponent = self.rules["inverse"](v), -exponent
        if exponent == 2:
            return _even_root(v, old, lambda w: self.rules["root"]("sqrt", w))

        def root(w: Interval) -> Interval:
            low, high = (np.sign(end) * np.abs(end) ** (1.0 / exponent) for end in w)
            return low - _ROOT_ERROR * np.abs(low), high + _ROOT_ERROR * np.abs(high)

        if exponent % 2 == 0:
            return _even_root(v, old, root)
        return root(v) if exponent % 1 == 0 else root((np.maximum(v[0], 0.0), v[1]))


def _part(whole: Interval, cut: Interval) -> Interval:
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


def _quotient(rules: Rules, over: Interval, under: Interval, old: Interval) -> Interval:
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


def _not_negative(v: Interval) -> Interval:
    return np.maximum(v[0], 0.0), np.maximum(v[1], 0.0)


def _even_root(v: Interval, old: Interval, root: Callable[[Interval], Interval]) -> Interval:
    """What x with an even power of x in ``v`` may be: between two roots, or at one side of the gap between them."""
    inner, outer = root(_not_negative(v))
    low = np.where(old[0] > -inner, inner, -outer)
    high = np.where(old[1] < inner, -inner, outer)
    return low, high


def _hypotenuse(rules: Rules, v: Interval, args: list[Interval]) -> Cuts:
    square, sub = rules["square"], rules["sub"]
    whole = square((np.maximum(v[0], 0.0), v[1]))
    others = [sub(whole, square(args[1 - k])) for k in (0, 1)]
    return [_even_root(o, a, lambda w: rules["root"]("sqrt", w)) for o, a in zip(others, args, strict=True)]


def _sine(rules: Rules, v: Interval, args: list[Interval]) -> Cuts:
    quarter = np.pi / 2
    low, high = _angle(v, (args[0][0] - quarter, args[0][1] - quarter))
    return ((low + quarter, high + quarter),)


def _angle(v: Interval, old: Interval) -> Interval:
    """What of the angles ``old`` may have a cosine in ``v``: both ends are moved inward to the next that has."""
    slack = 1e-14 * (8 + np.maximum(np.abs(old[0]), np.abs(old[1])))  # turns are counted in rounded numbers
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


_RULES: dict[str, Callable[[Rules, Interval, list[Interval]], Cuts]] = {
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
    "cosh": lambda rules, v, args: (_even_root(v, args[0], lambda w: rules["of_function"]("acosh", w)),),
    "hypot": _hypotenuse,
    "cos": lambda rules, v, args: (_angle(v, args[0]),),
    "sin": _sine,
    "max": lambda rules, v, args: ((-_INF, v[1]), (-_INF, v[1])),
    "min": lambda rules, v, args: ((v[0], _INF), (v[0], _INF)),
}
