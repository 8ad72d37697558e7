"""What formulas are made of: sums of terms, each a number times a product of powers, and the order to write them in."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

Number = Fraction | float


class Atom:
    """What powers are taken of: a name, a constant, a function called, a choice, a number, or a sum.

    ``kind`` is name, constant, call, where, number or sum; ``label`` its name, relation or number; ``args`` the
    expressions in it.
    """

    __slots__ = ("_hash", "args", "kind", "label")

    def __init__(self, kind: str, label: Any, args: tuple[Sum, ...] = ()) -> None:
        self.kind, self.label, self.args = kind, label, args
        self._hash = hash((kind, label, args))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        assert isinstance(other, Atom)
        return (self._hash, self.kind, self.label, self.args) == (
            other._hash,
            other.kind,
            other.label,
            other.args,
        )


# The factors of a term, with their exponents.
Monomial = frozenset[tuple[Atom, "Sum"]]


class Sum:
    """A sum of terms, each with its number; an expression without terms is 0."""

    __slots__ = ("_hash", "_size", "terms")

    def __init__(self, terms: Mapping[Monomial, Number]) -> None:
        self.terms = {m: c for m, c in terms.items() if c != 0}
        self._hash = hash(frozenset(self.terms.items()))
        self._size = -1

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Sum) and self._hash == other._hash and self.terms == other.terms
        )

    @property
    def number(self) -> Number | None:
        """The number that this is, None where names are in it."""
        if not self.terms:
            return Fraction(0)
        return self.terms.get(UNIT) if len(self.terms) == 1 else None

    @property
    def size(self) -> int:
        """How many operations and names writing it takes, roughly."""
        if self._size < 0:
            self._size = sum(_size_of_term(m, c) for m, c in self.terms.items()) + max(len(self.terms) - 1, 0)
        return self._size


UNIT: Monomial = frozenset()


def _size_of_term(monomial: Monomial, coefficient: Number) -> int:
    size = 2 * len(monomial) if abs(coefficient) != 1 else 2 * len(monomial) - 1
    size += isinstance(coefficient, Fraction) and coefficient.denominator != 1
    for atom, exponent in monomial:
        size += sum(arg.size for arg in atom.args) + (0 if exponent == ONE else exponent.size)
    return max(size, 1)


def number(value: Number) -> Sum:
    return Sum({UNIT: value})


ZERO, ONE = Sum({}), number(Fraction(1))
HALF = number(Fraction(1, 2))


def factor(base: Atom, exponent: Sum = ONE) -> Sum:
    return Sum({frozenset([(base, exponent)]): Fraction(1)})


def atom(kind: str, label: object, *args: Sum) -> Sum:
    return factor(Atom(kind, label, args))


E_ATOM = Atom("constant", "e")


_RANKS = {"number": 0, "constant": 1, "name": 2, "call": 3, "where": 4, "sum": 5}


def in_order(a: Sum) -> list[tuple[Monomial, Number]]:
    """Return the terms, those of the highest degree first, the number last."""
    return sorted(a.terms.items(), key=lambda term: (not term[0], -_degree(term[0]), _key(term[0])))


def factors_in_order(monomial: Monomial) -> list[tuple[Atom, Sum]]:
    """Return the factors of a term: numbers, names, functions, sums, of each kind those with plain exponents first."""

    def key(factor: tuple[Atom, Sum]) -> tuple[Any, ...]:
        base, exponent = factor
        rank, *rest = _atom_key(base)
        return rank + 0.5 * (base != E_ATOM and exponent.number is None), rest, _sum_key(exponent)

    return sorted(monomial, key=key)


def _degree(monomial: Monomial) -> float:
    total = 0.0
    for base, exponent in monomial:
        if base.kind in ("name", "sum"):
            value = exponent.number
            total += 1.0 if value is None else float(value)
    return total


def _key(monomial: Monomial) -> tuple[Any, ...]:
    return tuple((_atom_key(base), _sum_key(exponent)) for base, exponent in factors_in_order(monomial))


def _atom_key(base: Atom) -> tuple[Any, ...]:
    e_last = base == E_ATOM
    return (_RANKS[base.kind] + 2 * e_last, str(base.label), tuple(map(_sum_key, base.args)))


def _sum_key(a: Sum) -> tuple[Any, ...]:
    return tuple((_key(monomial), float(c)) for monomial, c in in_order(a))
