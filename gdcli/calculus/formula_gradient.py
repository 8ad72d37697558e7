"""The derivatives of formulas, by the product and chain rules and what the table of functions has on paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from gdcli.calculus.elements import Elements, components, numbers, variables
from gdcli.calculus.formula_terms import E_ATOM, ONE, ZERO, Atom, Monomial, Sum, factor, number
from gdcli.calculus.formulas import ALGEBRA, add, log_of, mul, neg, power_of_atom, scale
from gdcli.language.functions import SLOPES
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
