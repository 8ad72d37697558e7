"""The shortest of a few ways to write a formula: as it came, multiplied out, or with common factors taken out."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import reduce

from gdcli.calculus.formula_terms import ONE, ZERO, Atom, Monomial, Number, Sum, factor, number
from gdcli.calculus.formulas import add, mul, power, scale

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
