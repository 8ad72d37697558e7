"""Formulas of expressions and of their derivatives, written out: as text, in LaTeX, and as nodes of a graph.

Derivatives come by the product and chain rules and what the table of functions has on paper.

Of a few ways to write one the shortest is taken: as it came, multiplied out, or with common factors taken out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache, reduce
from typing import Any

from gdcli.calculus.elements import Elements, components, numbers, variables
from gdcli.calculus.formulas import (
    ALGEBRA,
    E_ATOM,
    ONE,
    ZERO,
    Atom,
    Monomial,
    Number,
    Sum,
    add,
    factor,
    factors_in_order,
    in_order,
    log_of,
    mul,
    neg,
    number,
    power,
    power_of_atom,
    scale,
)
from gdcli.kernel.dataclass import NamedTuple
from gdcli.language.functions import CONSTANTS, SLOPES
from gdcli.language.graph import Graph
from gdcli.language.latex import terms as latex_terms
from gdcli.language.syntax import Tree, parse


@cache
def _slopes(name: str) -> tuple[Tree, ...]:
    return tuple(map(parse, SLOPES[name]))


class Derivative:
    """Derivatives by one name; what was found for a part is remembered."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._known: dict[Atom, Sum] = {}

    def of(self, a: Sum) -> Sum:
        return add(*(scale(add(*self._parts(m)), c) for m, c in a.terms.items()))

    def _parts(self, monomial: Monomial) -> Iterator[Sum]:
        """By the product rule, d(b**n) = n*b**(n-1) db + b**n*log(b) dn."""
        for base, exponent in monomial:
            slope, growth = self._of_atom(base), self.of(exponent)
            if not slope.terms and not growth.terms:
                continue
            rest = Sum({monomial - {(base, exponent)}: Fraction(1)})
            whole = factor(base, exponent)
            itself = factor(base)
            if slope.terms:
                lower = power_of_atom(base, add(exponent, neg(ONE)))
                yield mul(rest, mul(exponent, mul(lower, slope)))
            if growth.terms:
                inner = base.args[0] if base.kind == "sum" else itself
                log = (
                    ONE if base == E_ATOM else log_of(number(base.label) if base.kind == "number" else inner)
                )
                yield mul(rest, mul(whole, mul(log, growth)))

    def _of_atom(self, base: Atom) -> Sum:
        found = self._known.get(base)
        if found is None:
            found = self._known[base] = self._new(base)
        return found

    def _new(self, base: Atom) -> Sum:
        if base.kind == "name":
            return ONE if base.label == self.name else ZERO
        if base.kind == "sum":
            return self.of(base.args[0])
        if base.kind == "where":
            a, b, yes, no = base.args
            return ALGEBRA.where(base.label, a, b, self.of(yes), self.of(no))
        if base.kind != "call":
            return ZERO
        inner = [self.of(arg) for arg in base.args]
        if not any(slope.terms for slope in inner):
            return ZERO
        if base.label in ("max", "min"):
            return ALGEBRA.where(">=" if base.label == "max" else "<=", *base.args, *inner)
        arguments = Elements(ALGEBRA, dict(zip("xy", base.args, strict=False)))
        outer = [arguments.value(tree) for tree in _slopes(base.label)]
        return add(*(mul(o, i) for o, i in zip(outer, inner, strict=True)))


def formula(tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> Sum:
    """Return an expression with the numbers of its constants. Raises UsageError for too many components."""
    value: Sum = Elements(ALGEBRA, variables(ALGEBRA, lengths) | numbers(ALGEBRA, constants)).value(tree)
    return value


def gradient(tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any]) -> dict[str, Sum]:
    """Return the partial derivatives of an expression by component. Raises UsageError for too many components."""
    value = formula(tree, lengths, constants)
    return {name: Derivative(name).of(value) for name in components(lengths)}


# How tightly the outermost operation of a text binds.
SUM, PRODUCT, POWER, ATOM = range(4)
Text = tuple[str, int]


class Term(NamedTuple):
    """One term: its sign, a number with factors above the line and a number with factors below it."""

    is_negative: bool
    above: Number
    factors: list[tuple[Atom, Sum]]
    below: Number
    divisors: list[tuple[Atom, Sum]]


def parts(monomial: Monomial, coefficient: Number) -> Term:
    above: list[tuple[Atom, Sum]] = []
    below: list[tuple[Atom, Sum]] = []
    for base, exponent in factors_in_order(monomial):
        n = exponent.number
        if n is not None and n < 0 and base != E_ATOM:
            below.append((base, number(-n)))
        else:
            above.append((base, exponent))
    one = Fraction(1)
    size: Number = -coefficient if coefficient < 0 else coefficient
    if isinstance(size, Fraction):
        return Term(coefficient < 0, one * size.numerator, above, one * size.denominator, below)
    return Term(coefficient < 0, size, above, one, below)


def terms(a: Sum) -> list[Term]:
    """Return the terms in the order to write them, a positive one first if there is one."""
    found = [parts(monomial, coefficient) for monomial, coefficient in in_order(a)]
    first = next((k for k, term in enumerate(found) if not term.is_negative), 0)
    return [_positive(found[first]), *found[:first], *found[first + 1 :]] if found else []


def _positive(term: Term) -> Term:
    """The term with its sign in a sum that is a factor of it, where there is one."""
    sums = [base for base, exponent in term.factors if base.kind == "sum" and exponent == ONE]
    if not term.is_negative or not sums:
        return term
    turned = Atom("sum", None, (neg(sums[0].args[0]),))
    return term._replace(
        is_negative=False, factors=[(turned if base is sums[0] else base, n) for base, n in term.factors]
    )


def text(a: Sum) -> str:
    """Return a formula as the user could type it, in its shortest form."""
    return _write(shortest(a))[0]


def latex(a: Sum) -> str:
    return latex_of(text(a))


def latex_of(typed: str) -> str:
    """Return the LaTeX of what could be typed; as text where its names have letters that LaTeX lacks."""
    found = latex_terms(typed)
    return rf"\text{{{typed}}}" if found is None else " ".join(found)


def _write(a: Sum) -> Text:
    found = terms(a)
    if not found:
        return "0", ATOM
    first = found[0]
    result, level = _term(first)
    if first.is_negative:
        result, level = f"-{result}", SUM
    for term in found[1:]:
        result += (" - " if term.is_negative else " + ") + _term(term)[0]
    return result, level if len(found) == 1 else SUM


def _term(term: Term) -> Text:
    above = _product(term.above, term.factors)
    if not term.divisors and term.below == 1:
        return above
    below = _product(term.below, term.divisors)
    return f"{_within(above, PRODUCT)}/{_within(below, POWER)}", PRODUCT


def _product(value: Number, factors: list[tuple[Atom, Sum]]) -> Text:
    written = [_power(base, exponent) for base, exponent in factors]
    if value != 1 or not written:
        written.insert(0, (str(value) if isinstance(value, Fraction) else repr(value), ATOM))
    if len(written) == 1:
        return written[0]
    return "*".join(_within(one, POWER) for one in written), PRODUCT


def _within(written: Text, level: int) -> str:
    return written[0] if written[1] >= level else f"({written[0]})"


def _power(base: Atom, exponent: Sum) -> Text:
    if base == E_ATOM and exponent != ONE:
        return f"exp({_write(exponent)[0]})", ATOM
    if exponent == ONE:
        return _atom(base)
    if exponent.number == Fraction(1, 2):
        return f"sqrt({_atom(base)[0]})", ATOM
    return f"{_within(_atom(base), ATOM)}**{_within(_write(exponent), ATOM)}", POWER


def _atom(base: Atom) -> Text:
    if base.kind == "sum":
        return _write(base.args[0])
    if base.kind == "number":
        return _number(base.label)
    if base.kind in ("name", "constant"):
        return base.label, ATOM
    args = [_write(arg)[0] for arg in base.args]
    if base.kind == "where":
        a, b, yes, no = args
        return f"where({a} {base.label} {b}, {yes}, {no})", ATOM
    return f"{base.label}({', '.join(args)})", ATOM


def _number(value: Number) -> Text:
    """A number that is no coefficient; those that are not finite as the quotients that they are."""
    if isinstance(value, float) and not math.isfinite(value):
        return ("0/0" if value != value else "1/0" if value > 0 else "-1/0"), SUM
    return _write(Sum({frozenset(): value}))


class Nodes:
    """Writes nodes of a graph; ``leaves`` has the node of each name."""

    def __init__(self, graph: Graph, leaves: Mapping[str, int]) -> None:
        self.graph, self.leaves = graph, leaves
        self._known: dict[Atom, int] = {}

    def write(self, a: Sum) -> int:
        g = self.graph
        result = g.number(0.0)
        for term in terms(a):
            node = self._product(term.above, term.factors)
            if term.divisors or term.below != 1:
                node = g.div(node, self._product(term.below, term.divisors))
            result = g.sub(result, node) if term.is_negative else g.add(result, node)
        return result

    def _product(self, value: Number, factors: list[tuple[Atom, Sum]]) -> int:
        result = self.graph.number(float(value))
        for base, exponent in factors:
            result = self.graph.mul(result, self._power(base, exponent))
        return result

    def _power(self, base: Atom, exponent: Sum) -> int:
        g = self.graph
        if base == E_ATOM:
            return g.call("exp", self.write(exponent))
        if exponent.number == Fraction(1, 2):
            return g.call("sqrt", self._atom(base))
        return g.pow(self._atom(base), self.write(exponent))

    def _atom(self, base: Atom) -> int:
        found = self._known.get(base)
        if found is None:
            found = self._known[base] = self._new(base)
        return found

    def _new(self, base: Atom) -> int:
        g = self.graph
        if base.kind == "name":
            return self.leaves[base.label]
        if base.kind == "constant":
            return g.number(CONSTANTS[base.label])
        if base.kind == "number":
            return g.number(float(base.label))
        args = [self.write(arg) for arg in base.args]
        if base.kind == "sum":
            return args[0]
        if base.kind == "where":
            return g.where(base.label, *args)
        if base.label == "relu":
            zero = g.number(0.0)
            return g.where("<=", args[0], zero, zero, args[0])
        return g.call(base.label, *args)


# Products of sums are multiplied out up to this many terms, to see whether that is shorter.
MOST_TERMS = 12
# Longer formulas are shown as they come out of differentiation.
LARGEST_SIZE = 600


def shortest(a: Sum) -> Sum:
    """Return an expression equal to ``a`` that takes the fewest operations and names to write."""
    return a if a.size > LARGEST_SIZE else _Shortest().of(a)


class _Shortest:
    def __init__(self) -> None:
        self._known: dict[Sum, Sum] = {}

    def of(self, a: Sum) -> Sum:
        found = self._known.get(a)
        if found is None:
            found = self._known[a] = self._choose(self._inside(a))
        return found

    def _inside(self, a: Sum) -> Sum:
        return add(*(scale(self._term(monomial), c) for monomial, c in a.terms.items()))

    def _term(self, monomial: Monomial) -> Sum:
        return reduce(mul, (power(self._atom(base), self.of(n)) for base, n in monomial), ONE)

    def _atom(self, base: Atom) -> Sum:
        if base.kind == "sum":
            return self.of(base.args[0])
        args = tuple(self.of(arg) for arg in base.args)
        return factor(Atom(base.kind, base.label, args))

    def _choose(self, a: Sum) -> Sum:
        out = multiplied_out(a)
        ways = [a, out, *factored(a)]
        if out != a:
            ways += factored(out)
        return min(ways, key=lambda way: way.size)


def multiplied_out(a: Sum) -> Sum:
    """Return the sum with the products of sums multiplied out, or ``a`` where that makes many terms."""
    total = ZERO
    for monomial, coefficient in a.terms.items():
        product = number(coefficient)
        for base, exponent in monomial:
            times = _small(exponent) if base.kind == "sum" else None
            parts = [base.args[0]] * times if times else [power(factor(base), exponent)]
            for part in parts:
                product = add(*_each_times_each(product, part))
                if len(product.terms) > MOST_TERMS:
                    return a
        total = add(total, product)
    return total if len(total.terms) <= MOST_TERMS else a


def _small(exponent: Sum) -> int | None:
    n = exponent.number
    return int(n) if n in (1, 2, 3) else None


def _each_times_each(a: Sum, b: Sum) -> Iterator[Sum]:
    for m, c in a.terms.items():
        for n, d in b.terms.items():
            yield scale(mul(Sum({m: Fraction(1)}), Sum({n: Fraction(1)})), c * d)


def factored(a: Sum) -> Iterator[Sum]:
    """Yield ``a`` with the factors out that all terms have, and over its common denominator."""
    if len(a.terms) < 2:
        return
    for is_over_one in (False, True):
        common = _common(a, is_over_one)
        if not common:
            continue
        inverse = reduce(mul, (power(factor(b), scale(n, Fraction(-1))) for b, n in common.items()), ONE)
        inner = add(*_each_times_each(a, inverse))
        outer = reduce(mul, (power(factor(b), n) for b, n in common.items()), ONE)
        for rest in (inner, multiplied_out(inner)):
            yield mul(outer, rest)


def _common(a: Sum, is_over_one: bool) -> dict[Atom, Sum]:
    """The factors of all terms with their least exponent; those of denominators too, if they are to be common."""
    terms = [dict(monomial) for monomial in a.terms]
    found = {}
    for base in {base: None for term in terms for base in term}:
        exponents = [term.get(base, ZERO) for term in terms]
        if all(n == exponents[0] for n in exponents):
            found[base] = exponents[0]
            continue
        values = [n.number for n in exponents]
        least = _least(values)
        if (
            least is not None
            and least != 0
            and (is_over_one or all(v and (v > 0) == (least > 0) for v in values))
        ):
            found[base] = number(least)
    return found


def _least(values: list[Number | None]) -> Number | None:
    known = [v for v in values if v is not None]
    return min(known) if len(known) == len(values) else None
