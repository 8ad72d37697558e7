"""Formulas of everyday size: a small algebra of collected sums, and its derivatives.

An expression is a sum of terms, each a number times a product of powers. Like terms and like factors are collected
as they meet, numbers are exact fractions where they were typed as short decimals, and nothing is multiplied out. So a
derivative comes out nearly as one would write it; :mod:`gdcli.calculus.formula_text` takes common factors out, or
multiplies out, where that makes it shorter. The derivatives of functions are those that :mod:`gdcli.language.functions`
has on paper, not the rules that programs are made of: an audit holds one against the other.

It does what is shown to people in a few milliseconds. sympy (:mod:`gdcli.calculus.symbolic`), which knows far more
algebra, takes longer to import than a whole run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from gdcli.language.graph import compare

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


# Powers of numbers are worked out up to so many bits; larger ones stand as they are.
LARGEST_BITS = 64
# A number typed with a denominator up to this, and of this size, is a fraction; others are floats.
LARGEST_DENOMINATOR = 1000
LARGEST_EXACT = 1e15


def typed(value: float) -> Sum:
    """Return a number as it was typed: integers and short decimals exactly."""
    value = float(value)
    if not math.isfinite(value):
        return factor(Atom("number", value))
    exact = Fraction(repr(value))
    short = exact.denominator <= LARGEST_DENOMINATOR and abs(value) < LARGEST_EXACT
    return number(exact if short else value)


def add(*parts: Sum) -> Sum:
    terms: dict[Monomial, Number] = {}
    for part in parts:
        for monomial, coefficient in part.terms.items():
            terms[monomial] = terms.get(monomial, Fraction(0)) + coefficient
    return Sum(terms)


def times(a: Number, b: Number) -> Number:
    """Return the product of two numbers, a float where one is; infinite where a fraction is beyond floats."""
    try:
        return a * b
    except OverflowError:
        return math.copysign(math.inf, a) * math.copysign(1.0, b)


def scale(a: Sum, factor: Number) -> Sum:
    return Sum({monomial: times(coefficient, factor) for monomial, coefficient in a.terms.items()})


def neg(a: Sum) -> Sum:
    return scale(a, Fraction(-1))


def mul(a: Sum, b: Sum) -> Sum:
    """Return the product, like factors collected; only numbers are multiplied into a sum."""
    if not a.terms or not b.terms:
        return ZERO
    for one, other in ((a, b), (b, a)):
        value = one.number
        if value is not None:
            return scale(other, value)
    (c, left), (d, right) = _factors(a), _factors(b)
    for base, exponent in right.items():
        left[base] = add(left.get(base, ZERO), exponent)
    return _product(times(c, d), left)


def _factors(a: Sum) -> tuple[Number, dict[Atom, Sum]]:
    """A number and factors with exponents; a sum of several terms is one factor, its own number taken out."""
    if len(a.terms) == 1:
        [(monomial, coefficient)] = a.terms.items()
        return coefficient, dict(monomial)
    content = _content(a)
    return content, {Atom("sum", None, (scale(a, 1 / content),)): ONE}


def _content(a: Sum) -> Number:
    """The largest number that divides all terms, with the sign of the first."""
    numbers = list(a.terms.values())
    size: Number = Fraction(1)
    if all(isinstance(c, Fraction) for c in numbers):
        exact = [c for c in numbers if isinstance(c, Fraction)]
        top = math.gcd(*(c.numerator for c in exact))
        size = Fraction(top, math.lcm(*(c.denominator for c in exact)))
    return -size if in_order(a)[0][1] < 0 else size


def _product(coefficient: Number, factors: Mapping[Atom, Sum]) -> Sum:
    kept = {}
    for base, exponent in factors.items():
        power_of = exponent.number
        if power_of == 0:
            continue
        if base.kind == "number" and power_of is not None:
            found = _number_power(base.label, power_of)
            if found is not None:
                coefficient = times(coefficient, found)
                continue
        if base.kind == "sum" and len(base.args[0].terms) == 1 and _is_integer(power_of):
            split = power(base.args[0], exponent)  # a root that has become whole
            return mul(split, _product(coefficient, {b: n for b, n in factors.items() if b != base}))
        kept[base] = exponent
    if len(kept) == 1:
        [(base, exponent)] = kept.items()
        if base.kind == "sum" and exponent == ONE:
            return scale(base.args[0], coefficient)
    return Sum({frozenset(kept.items()): coefficient})


def _number_power(base: Number, exponent: Number) -> Number | None:
    """Return the power of two numbers where it is a fraction or float of reasonable size, else None."""
    if not isinstance(base, Fraction) or not isinstance(exponent, Fraction):
        try:
            found = float(base) ** float(exponent)
        except (OverflowError, ZeroDivisionError):
            return None
        return found if isinstance(found, float) and math.isfinite(found) else None
    if base == 0:
        return Fraction(0) if exponent > 0 else None
    if exponent.denominator != 1:
        roots = [_root(part, exponent.denominator) for part in (base.numerator, base.denominator)]
        if None in roots:
            return None
        base, exponent = Fraction(*roots), Fraction(exponent.numerator)  # type: ignore[arg-type]
    if abs(base) == 1:
        return base ** (exponent.numerator % 2)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    return base**exponent.numerator if bits * abs(exponent.numerator) <= LARGEST_BITS else None


def _root(n: int, degree: int) -> int | None:
    """Return the root of an integer where it is one, else None."""
    if n < 0 or degree > LARGEST_BITS or n.bit_length() > LARGEST_BITS:
        return None
    root = round(n ** (1 / degree))
    return root if root**degree == n else None


def power(a: Sum, exponent: Sum) -> Sum:
    """Return a**exponent. Roots are taken apart only where that is right for all real numbers."""
    n = exponent.number
    if n == 0:
        return ONE
    if n == 1:
        return a
    if a.number is not None:
        found = None if n is None else _number_power(a.number, n)
        return factor(Atom("number", a.number), exponent) if found is None else number(found)
    if isinstance(n, Fraction) and _is_integer(n):
        coefficient, factors = _factors(a)
        out = _number_power(coefficient, n)
        raised = {base: mul(e, exponent) for base, e in factors.items()}
        if out is None:
            return mul(power(number(coefficient), exponent), _product(Fraction(1), raised))
        return _product(out, raised)
    inside = _power_inside(a)
    if inside is None:
        return factor(Atom("sum", None, (a,)), exponent)
    base, inner = inside
    return _product(Fraction(1), {base: mul(inner, exponent)})


def _power_inside(a: Sum) -> tuple[Atom, Sum] | None:
    """Return base and exponent of a power that can be raised by multiplying its exponent, else None."""
    if len(a.terms) != 1:
        return None
    [(monomial, coefficient)] = a.terms.items()
    if coefficient != 1 or len(monomial) != 1:
        return None
    [(base, inner)] = monomial
    n = inner.number
    is_plain = inner == ONE and base.kind != "sum"
    is_positive = base == E_ATOM or (base.kind == "number" and base.label > 0)
    is_root = isinstance(n, Fraction) and n.denominator % 2 == 0  # there is one for bases from 0 up alone
    return (base, inner) if is_plain or is_positive or is_root else None


def _is_integer(n: Number | None) -> bool:
    return isinstance(n, Fraction) and n.denominator == 1


def power_of_atom(base: Atom, exponent: Sum) -> Sum:
    return _product(Fraction(1), {base: exponent})


class Formulas:
    def symbol(self, name: str) -> Sum:
        return atom("name", name)

    def number(self, value: float) -> Sum:
        return typed(value)

    def constant(self, name: str) -> Sum:
        return atom("constant", name)

    def operation(self, op: str, args: Sequence[Sum]) -> Sum:
        return _OPERATIONS[op](*args)

    def where(self, relation: str, a: Sum, b: Sum, yes: Sum, no: Sum) -> Sum:
        """Return the choice; one between numbers is made at once."""
        if yes == no:
            return yes
        left, right = a.number, b.number
        if left is not None and right is not None:
            return yes if compare(relation, float(left), float(right)) else no
        return atom("where", relation, a, b, yes, no)

    def call(self, name: str, args: Sequence[Sum]) -> Sum:
        """Return a function; those that are powers or sums on paper are written so."""
        written = _ON_PAPER.get(name)
        if written is not None:
            return written(*args)
        known = _AT_NUMBERS.get((name, args[0].number)) if len(args) == 1 else None
        return atom("call", name, *args) if known is None else number(known)


def _div(a: Sum, b: Sum) -> Sum:
    if not b.terms:
        b = atom("number", Fraction(0))
    return mul(a, power(b, number(Fraction(-1))))


_OPERATIONS: dict[str, Callable[..., Sum]] = {
    "add": add,
    "sub": lambda a, b: add(a, neg(b)),
    "mul": mul,
    "div": _div,
    "pow": power,
    "neg": neg,
}
ALGEBRA = Formulas()


def _exp(x: Sum) -> Sum:
    return ONE if not x.terms else factor(E_ATOM, x)


def log_of(x: Sum) -> Sum:
    if x == ONE:
        return ZERO
    if len(x.terms) == 1:
        [(monomial, coefficient)] = x.terms.items()
        exponent = dict(monomial).get(E_ATOM)
        if exponent is not None and len(monomial) == 1 and coefficient == 1:
            return exponent
    return atom("call", "log", x)


def _log_to(base: int) -> Callable[[Sum], Sum]:
    return lambda x: _div(log_of(x), log_of(number(Fraction(base))))


_ON_PAPER: dict[str, Callable[..., Sum]] = {
    "exp": _exp,
    "log": log_of,
    "sqrt": lambda x: power(x, HALF),
    "log2": _log_to(2),
    "log10": _log_to(10),
    "log1p": lambda x: log_of(add(ONE, x)),
    "expm1": lambda x: add(_exp(x), neg(ONE)),
    "hypot": lambda x, y: power(add(mul(x, x), mul(y, y)), HALF),
}
_ZERO_AT_ZERO = ("sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "cbrt", "erf", "abs", "sign")
_AT_NUMBERS: dict[tuple[str, Number | None], Fraction] = {
    **{(name, Fraction(0)): Fraction(0) for name in _ZERO_AT_ZERO},
    **{(name, Fraction(0)): Fraction(1) for name in ("cos", "cosh")},
}
