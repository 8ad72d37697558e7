"""Many linear constraints, each typed by itself, as a matrix: ``c(x) = A x + b``, without a program to compile.

The coefficients are read off the graphs, in one pass over their nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from gdcli.kernel.space import Space
from gdcli.kernel.vectors import Vector, np
from gdcli.language.constraints import Constraint
from gdcli.language.graph import Graph

# What a node is: its coefficients by the place of a variable, and a number; None where it is not linear.
Line = tuple[dict[int, float], float]
# Coefficients that are written down in all, at most: those of long sums are copied from term to term.
_MOST = 1_000_000


class LinearRows:
    """The rows ``A x + b``, shape (m,), of constraints that are numbers; as `ConstraintRows`."""

    def __init__(self, constraints: Sequence[Constraint], lines: Sequence[Line], space: Space) -> None:
        self.count, self.size = len(constraints), space.size
        self.lower, self.upper = [one.lower for one in constraints], [one.upper for one in constraints]
        self.firsts, self.vectors = list(range(self.count)), [False] * self.count
        self.linear = [True] * self.count
        self.A = np.zeros((self.count, self.size))
        for row, (coefficients, _) in zip(self.A, lines, strict=True):
            row[list(coefficients)] = list(coefficients.values())
        self.b = np.array([number for _, number in lines])

    def values(self, x: Vector) -> Any:
        return (self.A * x).sum(axis=1) + self.b

    def terms(self, x: Vector) -> Any:
        """Return the size of the largest term of each row, shape (m,)."""
        return np.maximum(abs(self.A * x).max(axis=1, initial=0.0), abs(self.b))

    def jacobian(self, x: Vector) -> Any:
        """Return the derivatives of the rows by the variables, shape (m, n)."""
        return self.A

    def curvature(self, x: Vector, weights: Vector) -> Any:
        """Return the Hessian of ``weights @ c``, shape (n, n), which is 0."""
        return np.zeros((self.size, self.size))


def linear_rows(constraints: Sequence[Constraint], space: Space) -> LinearRows | None:
    """Return constraints, whose Forms are in one graph, as a matrix; None where one is a vector or not linear."""
    if any(one.form.length is not None for one in constraints):
        return None
    graph = constraints[0].form.graph
    roots = [one.form.root for one in constraints]
    lines: dict[int, Line] = {}
    written = 0
    for node in sorted(graph.reach(roots)):
        line = _line(graph, node, lines, space)
        if line is None or written > _MOST:
            return None
        lines[node] = line
        written += len(line[0])
    return LinearRows(constraints, [lines[root] for root in roots], space)


def _line(graph: Graph, node: int, lines: dict[int, Line], space: Space) -> Line | None:
    key = graph.keys[node]
    number = graph.value_of(node)
    if number is not None:
        return ({}, number) if isfinite(number) else None
    if key[0] == "scalar":
        return {space.offsets[key[1]]: 1.0}, 0.0
    if key[0] == "element":
        return {space.offsets[key[1]] + key[2]: 1.0}, 0.0
    operation = _OPERATIONS.get(key[0])
    return None if operation is None else operation(*(lines[argument] for argument in key[1:]))


def _product(left: Line, right: Line) -> Line | None:
    if left[0] and right[0]:
        return None
    return _scaled(left, right[1]) if left[0] else _scaled(right, left[1])


def _quotient(left: Line, right: Line) -> Line | None:
    if right[0] or not right[1]:
        return None
    return {place: coefficient / right[1] for place, coefficient in left[0].items()}, left[1] / right[1]


def _scaled(line: Line, factor: float) -> Line:
    return {place: factor * coefficient for place, coefficient in line[0].items()}, factor * line[1]


def _sum(left: Line, right: Line) -> Line:
    found = dict(left[0])
    for place, coefficient in right[0].items():
        found[place] = found.get(place, 0.0) + coefficient
    return found, left[1] + right[1]


_OPERATIONS: dict[str, Callable[..., Line | None]] = {
    "add": _sum,
    "sub": lambda left, right: _sum(left, _scaled(right, -1.0)),
    "neg": lambda line: _scaled(line, -1.0),
    "mul": _product,
    "div": _quotient,
}
