"""An expression graph whose numbers are the real ones that were typed, each held by an interval.

A double is 0.1 only nearly, and so is what is computed of numbers when a graph is built. Here every number leaf is
either exact, a double that is the very number meant, or has the two ends of an interval that holds it. Numbers that
are not known to be equal stay two leaves, so that simplifying takes nothing away that is not 0. `log_products` finds
what has a tighter rule than its operations one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.calculus import interval_rules as rules
from gdcli.calculus.interval_rules import LOGARITHMS, Interval
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import LARGEST
from gdcli.language import form
from gdcli.language.form import Form
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import REDUCTIONS, Graph, Key, arguments
from gdcli.language.ieee import above, below
from gdcli.language.syntax import Tree

if TYPE_CHECKING:
    from fractions import Fraction

NOTHING: Mapping[int, int] = {}
# Quotients of more binary digits are held by intervals.
_MOST_DIGITS = 4000


class ExactGraph(Graph):
    """A graph with two kinds of number leaves: ("number", v, sign), and with (..., low, high, origin) more.

    ``origin`` is what tells two real numbers within one interval apart.
    """

    def number(self, value: float) -> int:
        """Return the leaf of the decimal that is written for ``value``: 0.1 is one tenth, not the double next to it."""
        return self.typed(value, repr(float(value)))

    def typed(self, value: float, text: str) -> int:
        if not math.isfinite(value):
            return super().number(value)
        ratio = _ratio(text, value) or _ratio(repr(value), value) or value.as_integer_ratio()
        return self._rational(value, *ratio)

    def quotient(self, ratio: Fraction) -> int:
        return self._rational(float(ratio), *ratio.as_integer_ratio())

    def _rational(self, value: float, numerator: int, denominator: int) -> int:
        """Return the leaf of a quotient of whole numbers, next to which ``value`` is."""
        n, d = value.as_integer_ratio()
        if numerator * d == n * denominator:
            return super().number(value)
        shared = math.gcd(numerator, denominator)
        origin = (numerator // shared, denominator // shared)
        return self._enclosed((math.nextafter(value, -math.inf), math.nextafter(value, math.inf)), origin)

    def ratio_of(self, i: int) -> tuple[int, int] | None:
        """Return the quotient of whole numbers that a node is, None where it is not known to be one."""
        key, value = self.keys[i], self.value_of(i)
        if value is None or not math.isfinite(value):
            return None
        origin = key[5] if len(key) > 3 else value.as_integer_ratio()
        return origin if isinstance(origin, tuple) and isinstance(origin[0], int) else None

    def keep(self, key: Key) -> int:
        """Return the leaf of a number that another graph has."""
        return self._intern(key, None)

    def named(self, value: float, name: str) -> int:
        return self._enclosed((below(value, 2.0), above(value, 2.0)), name)

    def interval(self, i: int) -> Interval:
        key = self.keys[i]
        if key[1] == "nan":
            return rules.ENTIRE
        low, high = (key[3], key[4]) if len(key) > 3 else (key[1], key[1])
        return min(low, LARGEST), max(high, -LARGEST)

    def node(self, op: str, *args: Any) -> int:
        if op == "where":
            relation, a, b = args[:3]
            if self.value_of(a) is not None and self.value_of(b) is not None:
                surely, never = rules.holds(relation, self.interval(a), self.interval(b))
                if not (surely or never):
                    return self._intern(("where", *args), self.length_of(args[1:]))
        elif op not in REDUCTIONS and all(self.value_of(i) is not None for i in args):
            return self._folded(op, args)
        return super().node(op, *args)

    def add(self, a: int, b: int) -> int:
        return self.node("add", a, b) if self._both_numbers(a, b) else super().add(a, b)

    def sub(self, a: int, b: int) -> int:
        return self.node("sub", a, b) if self._both_numbers(a, b) and a != b else super().sub(a, b)

    def _both_numbers(self, a: int, b: int) -> bool:
        return self.value_of(a) is not None and self.value_of(b) is not None

    def _folded(self, op: str, args: tuple[int, ...]) -> int:
        values = [self.value_of(i) for i in args]
        if any(v is None or not math.isfinite(v) for v in values):
            return super().node(op, *args)
        if not isinstance(op, str):
            return op.at_number(self, args[0])
        found = _exactly(op, [self.ratio_of(i) for i in args])
        if found is not None:
            return self._rational(*found)
        ends = [self.interval(i) for i in args]
        if not _has_value(op, ends):
            return self._intern((op, *args), None)  # who evaluates it tells so
        low, high = rules.of_operation(op, *ends)
        if low == high:
            return super().number(low)
        return self._enclosed((low, high), (op, *args))

    def _enclosed(self, ends: Interval, origin: Any) -> int:
        low, high = ends
        middle = low / 2.0 + high / 2.0
        if middle.is_integer():  # graphs simplify by 0, 1 and other small ones
            middle = high if low.is_integer() else low
        return self._intern(("number", middle, math.copysign(1.0, middle), low, high, origin), None)


def value_at(graph: ExactGraph, root: int, leaves: Mapping[Key, float]) -> Interval:
    """Return what holds the value of a node where all its leaves are numbers: what is rational is so exactly."""
    numbers = ExactGraph()
    found = copied(graph, root, numbers, {key: Graph.number(numbers, x) for key, x in leaves.items()})
    return rules.ENTIRE if numbers.value_of(found) is None else numbers.interval(found)


def copied(
    graph: ExactGraph,
    root: int,
    target: ExactGraph,
    leaves: Mapping[Key, int],
    nodes: Mapping[int, int] = NOTHING,
) -> int:
    """Return the node that ``root`` is in another graph, in which some ``leaves`` and ``nodes`` are others."""
    made = dict(nodes)
    for i in graph.reach((root,), made):
        key = graph.keys[i]
        made[i] = leaves[key] if key in leaves else copied_node(graph, i, target, made)
    return made[root]


def copied_node(graph: ExactGraph, i: int, target: ExactGraph, made: Mapping[int, int]) -> int:
    """Return the node that i is in another graph, where its arguments are ``made``."""
    key = graph.keys[i]
    if key[0] == "number":  # an origin of nodes is one of the other graph
        known = graph is target or len(key) == 3 or isinstance(key[5], str) or isinstance(key[5][0], int)
        return target.keep(key if known else (*key[:5], ("copied", id(graph), i)))
    args = arguments(key)
    return target.node(*key[: len(key) - len(args)], *(made[a] for a in args)) if args else target.leaf(key)


def exact_form(tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> Form:
    """Return the Form of an expression in an `ExactGraph`, with vectors expanded; see `gdcli.language.form.build`."""
    return form.build(tree, lengths, constants, expand=True, graph=ExactGraph())


def _has_value(op: str, ends: Sequence[Interval]) -> bool:
    if op == "div":
        return not ends[1][0] <= 0.0 <= ends[1][1]
    if op == "pow":
        return rules.whole(ends[1]) is not None or rules.has_power(*ends)
    condition = None if op in rules.ARITHMETIC else rules.condition_of(op)
    return condition is None or condition.order > 0 or condition.holds(op, *ends)


def _ratio(text: str, value: float) -> tuple[int, int] | None:
    """Return the decimal of a text as a quotient of whole numbers, None for what is no decimal near ``value``."""
    mantissa, _, exponent = text.replace("_", "").lower().partition("e")
    whole, _, part = mantissa.partition(".")
    try:
        digits, power = int(whole + part), int(exponent or "0") - len(part)
    except ValueError:
        return None
    found = (digits * 10**power, 1) if power >= 0 else (digits, 10**-power)
    return found if found[0] / found[1] == value else None


def _exactly(op: str, ratios: Sequence[tuple[int, int] | None]) -> tuple[float, int, int] | None:
    """Return what an operation on quotients of whole numbers gives, after the double next to it; None where it is no
    such, or of too many digits.
    """
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) < len(ratios):
        return None
    if op in FUNCTIONS and (at := rules.known_value(op, [n / d for n, d in known])) is not None:
        return at, int(at), 1
    found = _power_of_ratios(*known) if op == "pow" else _combined(op, known)
    if found is None or found[0].bit_length() + found[1].bit_length() > _MOST_DIGITS:
        return None
    numerator, denominator = found if found[1] > 0 else (-found[0], -found[1])
    try:
        value = numerator / denominator
    except OverflowError:
        return None
    return None if value == 0.0 and numerator else (value, numerator, denominator)


def _combined(op: str, ratios: list[tuple[int, int]]) -> tuple[int, int] | None:
    (a, b), (c, d) = ratios[0], ratios[-1]
    if op in ("add", "sub"):
        return a * d + (c if op == "add" else -c) * b, b * d
    if op == "mul":
        return a * c, b * d
    if op == "div":
        return (a * d, b * c) if c else None
    if op in ("max", "min"):
        return ratios[0] if (a * d > c * b) == (op == "max") else ratios[1]
    return {"neg": (-a, b), "abs": (abs(a), b)}.get(op)


def _power_of_ratios(base: tuple[int, int], exponent: tuple[int, int]) -> tuple[int, int] | None:
    (a, b), (n, d) = base, exponent
    if d != 1 or abs(n) * (abs(a).bit_length() + b.bit_length()) > _MOST_DIGITS or (not a and n < 0):
        return None
    return (a**n, b**n) if n >= 0 else (b**-n, a**-n)


# -- products of a logarithm with a power of its argument --------------------------------------------------------------


class LogProduct(NamedTuple):
    """``log(base) * base**exponent`` times the nodes ``over``, through the nodes ``under``, perhaps with a minus."""

    log: str
    base: int
    exponent: int
    over: tuple[int, ...]
    under: tuple[int, ...]
    negative: bool


class _Factors(NamedTuple):
    over: tuple[int, ...]
    under: tuple[int, ...]
    negative: bool


def log_products(graph: ExactGraph, order: Sequence[int]) -> dict[int, LogProduct]:
    """Return which of the nodes ``order``, each after its arguments, are t*log(t), t**k*log(t) and multiples of them.

    Near t = 0 the logarithm is unbounded, the product is not: both factors are taken together by one rule,
    :func:`gdcli.calculus.interval_rules.power_log`. Of a power, t**t, it is the logarithm. An exponent is a number
    above 0, or a node of ``order``.
    """
    found: dict[int, LogProduct] = {}
    factors: dict[int, _Factors] = {}
    if not any(graph.keys[i][0] in LOGARITHMS or graph.keys[i][0] == "pow" for i in order):
        return found
    for i in order:
        key = graph.keys[i]
        if key[0] in ("mul", "div", "neg"):
            parts = [_factors_of(factors, a) for a in key[1:]]
            if key[0] == "div":
                parts[1] = _Factors((), (key[2],), False)
            over = tuple(node for part in parts for node in part.over)
            under = tuple(node for part in parts for node in part.under)
            negative = (key[0] == "neg") != (sum(part.negative for part in parts) % 2 == 1)
            factors[i] = _Factors(over, under, negative)
        product = None
        if key[0] == "mul":
            product = _matched(graph, factors, i)
        elif key[0] == "pow" and graph.value_of(key[2]) is None:
            log = graph.call("log", key[1])
            if graph.keys[log][0] == "log":
                product = _with_powers(graph, log, _factors_of(factors, key[2]))
        if product is not None:
            found[i] = product
    return found


def _factors_of(factors: dict[int, _Factors], i: int) -> _Factors:
    return factors.get(i) or _Factors((i,), (), False)


def _matched(graph: ExactGraph, factors: dict[int, _Factors], i: int) -> LogProduct | None:
    product = factors[i]
    for place, node in enumerate(product.over):
        if graph.keys[node][0] in LOGARITHMS:
            rest = product._replace(over=product.over[:place] + product.over[place + 1 :])
            argument = _factors_of(factors, graph.keys[node][1])
            found = _with_powers(graph, node, rest) or _with_multiple(graph, node, rest, argument)
            if found is not None:
                return found
    return None


def _with_powers(graph: ExactGraph, log: int, rest: _Factors) -> LogProduct | None:
    op, base = graph.keys[log]
    exponents = {k: _exponent(graph, other, base) for k, other in enumerate(rest.over)}
    known = {k: e for k, e in exponents.items() if e is not None}
    numbers = {k: e for k, e in known.items() if (graph.value_of(e) or 0.0) > 0.0}
    used = numbers or dict([(k, e) for k, e in known.items() if graph.value_of(e) is None][:1])
    if not used:
        return None
    exponent, *more = used.values()
    for e in more:
        exponent = graph.add(exponent, e)
    over = tuple(other for k, other in enumerate(rest.over) if k not in used)
    return LogProduct(op, base, exponent, over, rest.under, rest.negative)


def _with_multiple(graph: ExactGraph, log: int, rest: _Factors, argument: _Factors) -> LogProduct | None:
    """Return t*log(c*t) with a number c, not 0, as u*log(u)/c with u = c*t."""
    op, base = graph.keys[log]
    variables = [t for t in argument.over if t in rest.over][:1]
    numbers = tuple(c for c in argument.over if c not in variables)
    if not variables or len(argument.over) != 1 + len(numbers):
        return None
    if not all(graph.value_of(c) for c in numbers + argument.under):
        return None
    k = rest.over.index(variables[0])
    over = rest.over[:k] + rest.over[k + 1 :] + argument.under
    negative = rest.negative != argument.negative
    return LogProduct(op, base, graph.number(1.0), over, rest.under + numbers, negative)


def _exponent(graph: ExactGraph, node: int, base: int) -> int | None:
    """Return the node of the exponent with which a node is a power of ``base``, None if it is not seen to be one."""
    key = graph.keys[node]
    if node == base:
        return graph.number(1.0)
    if key[0] == "pow" and key[1] == base:
        exponent: int = key[2]
        return exponent
    return graph.number(0.5) if key[0] == "sqrt" and key[1] == base else None
