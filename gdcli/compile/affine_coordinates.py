"""Affine coordinates of an expression: a linear change of variables after which its affine parts are variables.

In ``abs(2*x - y) + (x + y)**4`` intervals along the axes of x and y know nothing of how the two parts vary together.
With x = c + S u, where S inverts as many independent affine parts as there are variables, each of those is a number
times one of the u, and the numbers are computed exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from gdcli.calculus.exact_graph import ExactGraph, copied_node
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import inverse
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import LEAVES, Key, arguments

Matrix = Sequence[Sequence[float]]
# Affine parts are independent where this part of one is none of the others.
_INDEPENDENT = 1e-3


class Affine(NamedTuple):
    """A number, and the multiple of each variable that is added to it."""

    constant: Fraction
    terms: Mapping[Key, Fraction]

    def plus(self, k: Fraction, other: Affine) -> Affine:
        terms = dict(self.terms)
        for key, a in other.terms.items():
            terms[key] = terms.get(key, Fraction()) + k * a
        return Affine(self.constant + k * other.constant, terms)


_NOTHING = Affine(Fraction(), {})


def affine_parts(graph: ExactGraph, order: Sequence[int]) -> dict[int, Affine]:
    """Return which of the nodes ``order``, each after its arguments, are affine; with numbers that are quotients."""
    found: dict[int, Affine] = {}
    for i in order:
        key = graph.keys[i]
        if key[0] == "number":
            ratio = graph.ratio_of(i)
            if ratio is not None:
                found[i] = Affine(Fraction(*ratio), {})
        elif key[0] in ("scalar", "element"):
            found[i] = Affine(Fraction(), {key: Fraction(1)})
        elif all(a in found for a in arguments(key)):
            part = _combined(key[0], [found[a] for a in arguments(key)])
            if part is not None:
                found[i] = part
    return found


def _combined(op: str, args: Sequence[Affine]) -> Affine | None:
    if op in ("add", "sub"):
        return args[0].plus(Fraction(1 if op == "add" else -1), args[1])
    if op == "neg":
        return _NOTHING.plus(Fraction(-1), args[0])
    if op == "mul" and not args[0].terms:
        return _NOTHING.plus(args[0].constant, args[1])
    if op == "mul" and not args[1].terms:
        return _NOTHING.plus(args[1].constant, args[0])
    if op == "div" and not args[1].terms and args[1].constant:
        return _NOTHING.plus(1 / args[1].constant, args[0])
    return None


def _largest(graph: ExactGraph, order: Sequence[int], parts: Mapping[int, Affine]) -> Iterator[int]:
    """Yield the affine arguments of what is not affine, first those of functions with kinks."""
    users = [graph.keys[i] for i in order if i not in parts and graph.keys[i][0] not in LEAVES]
    for key in sorted(users, key=lambda key: not (key[0] in FUNCTIONS and FUNCTIONS[key[0]].kink)):
        yield from (a for a in arguments(key) if a in parts)


def affine_rows(graph: ExactGraph, root: int, keys: Sequence[Key], sizes: Sequence[float]) -> Matrix | None:
    """Return the coefficients, shape (n, n), of independent affine parts of an expression in its variables ``keys``;
    None where they are those of the variables themselves.

    ``sizes`` are lengths by which the variables are measured. Where there are too few parts variables are added.
    """
    order = graph.reach((root,))
    parts = affine_parts(graph, order)
    units = [[float(i == j) for j in range(len(keys))] for i in range(len(keys))]
    written = [[float(parts[i].terms.get(k, 0)) for k in keys] for i in _largest(graph, order, parts)]
    rows: list[list[float]] = []
    basis: list[list[float]] = []
    for row in (*written, *units):
        scaled = [a * s for a, s in zip(row, sizes, strict=True)]
        size = _dot(scaled, scaled)
        for b in basis:
            along = _dot(scaled, b)
            scaled = [p - along * q for p, q in zip(scaled, b, strict=True)]
        left = _dot(scaled, scaled)
        if left > _INDEPENDENT**2 * size:
            basis.append([a / left**0.5 for a in scaled])
            rows.append(row)
    return None if all(sum(map(bool, row)) == 1 for row in rows) else rows


def inverted(rows: Matrix) -> Matrix | None:
    """Return about the inverse of a matrix, shape (n, n); None where it is singular but for rounding."""
    square = inverse([[_dot(a, b) for b in rows] for a in rows])
    if square is None:
        return None
    columns = list(zip(*rows, strict=True))
    found = [[_dot(c, r) for r in zip(*square, strict=True)] for c in columns]
    # A step of Newton's method, as the condition of the product is the square.
    excess = [[2.0 * (i == j) - _dot(r, c) for j, c in enumerate(zip(*found, strict=True))]
              for i, r in enumerate(rows)]  # fmt: skip
    return [[_dot(r, c) for c in zip(*excess, strict=True)] for r in found]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(p * q for p, q in zip(a, b, strict=True))


def changed(
    graph: ExactGraph, root: int, keys: Sequence[Key], centre: Sequence[float], axes: Matrix
) -> tuple[ExactGraph, int, list[Key]]:
    """Return the graph, root and leaves of an expression as one of u, where its variables ``keys`` are centre + axes u.

    ``axes`` has shape (n, n). Affine parts are computed exactly.
    """
    order = graph.reach((root,))
    parts = affine_parts(graph, order)
    new = ExactGraph()
    leaves: list[Key] = [("element", "u", j) for j in range(len(keys))]
    values = {key: Affine(Fraction(c), {u: Fraction(a) for u, a in zip(leaves, row, strict=True)})
              for key, c, row in zip(keys, centre, axes, strict=True)}  # fmt: skip
    made: dict[int, int] = {}
    for i in order:
        part = parts.get(i)
        if part is not None:
            total = Affine(part.constant, {})
            for k, a in part.terms.items():
                total = total.plus(a, values[k])
            made[i] = _sum_of(new, total)
        else:
            made[i] = copied_node(graph, i, new, made)
    return new, made[root], leaves


def _sum_of(graph: ExactGraph, part: Affine) -> int:
    found = graph.quotient(part.constant)
    for key, a in part.terms.items():
        if a:
            term = graph.element(key[1], key[2])
            term = term if a == 1 else graph.node("mul", graph.quotient(a), term)
            found = term if graph.value_of(found) == 0 else graph.node("add", found, term)
    return found
