"""The constraints of a problem as one function of vectors: values, Jacobian, Hessians, and the size of their terms.

All constraints of few variables stand in one graph, whatever they have in common in it once, and become three
programs: the values, the entries of the Jacobian that are not plainly 0, and those of the Hessian of ``t'c``, in which
the weights ``t`` are variables like x. A constraint that asks for a range, or for an equation, is still one row here;
:mod:`gdcli.objective.constrained` makes sides of it.

Many linear constraints, each typed by itself, are a matrix: ``A x + b``, without a program to compile (`linear_rows`).

Constraints of long vectors stay vectors (`LongRows`), and so the graph is small: of all rows together one number is
made, ``t'c(x)``. Its derivatives by t are the rows, those by x the Jacobian times t, and products of its Hessian those
of the constraints. A Jacobian that does not depend on x is made once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from math import isfinite
from typing import Any

from gdcli.calculus.autodiff import Derivatives
from gdcli.compile.scalar_text import ScalarFunction, leaves_of
from gdcli.kernel.vectors import Array, Space, Vector, np
from gdcli.language.constraints import Constraint
from gdcli.language.form import Form
from gdcli.language.graph import Graph, Key
from gdcli.objective.expression import row
from gdcli.objective.protocol import Evaluation
from gdcli.objective.vector_expression import VectorObjective

# The weight of a row is named by its number with this in front; no typed name has it.
_WEIGHT = "~t"


class Sides:
    """The sides of the rows of ``constraints`` one after the other, ``lower`` and ``upper`` (lists of m).

    ``firsts`` has the first row of each constraint, and ``vectors`` tells whether that is a vector. ``space`` has the
    variables.
    """

    def __init__(self, constraints: Sequence[Constraint], space: Space) -> None:
        self.firsts, self.lower, self.upper = list[int](), list[float](), list[float]()
        self.vectors = [constraint.form.length is not None for constraint in constraints]
        for constraint in constraints:
            self.firsts.append(len(self.lower))
            lower, upper = constraint.sides()
            self.lower += lower
            self.upper += upper
        self.count, self.size = len(self.lower), space.size


class ConstraintRows(Sides):
    """The rows c(x), shape (m,), of constraints whose Forms are expanded in one graph."""

    def __init__(self, constraints: Sequence[Constraint], space: Space) -> None:
        super().__init__(constraints, space)
        self.graph = graph = constraints[0].form.graph if constraints else Graph()
        self.roots = [root for constraint in constraints for root in constraint.form.rows]
        self.leaves = leaves_of(space)
        self.nodes = list(map(graph.leaf, self.leaves))
        self._derivatives = Derivatives(graph)
        self._zero = graph.number(0.0)

    def values(self, x: Vector) -> Any:
        return self._numbers(self._value_program, x)

    def terms(self, x: Vector) -> Any:
        """Return for each row the size of the largest of the terms that it adds up, shape (m,)."""
        (program, firsts) = self._term_program
        return np.maximum.reduceat(np.abs(self._numbers(program, x)), firsts)

    def jacobian(self, x: Vector) -> Any:
        """Return the derivatives of the rows by the variables, shape (m, n); not finite where they have none."""
        program, rows, columns = self._jacobian_program
        J = np.zeros((self.count, self.size))
        J[rows, columns] = self._numbers(program, x)
        return J

    def curvature(self, x: Vector, weights: Array) -> Any:
        """Return the Hessian of ``weights @ c``, shape (n, n)."""
        program, rows, columns = self._hessian_program
        H = np.zeros((self.size, self.size))
        H[rows, columns] = H[columns, rows] = self._numbers(program, [*x, *weights])
        return H

    @cached_property
    def linear(self) -> list[bool]:
        """Which rows are linear in x: their slopes have no variable in them."""
        nodes = set(self.nodes)
        return [
            nodes.isdisjoint(self.graph.reach(list(self._derivatives.gradient(root).values())))
            for root in self.roots
        ]

    def _numbers(self, program: Callable[[Sequence[float]], Any], x: Vector) -> Any:
        return np.array(program(x.tolist() if hasattr(x, "tolist") else x), dtype=float)

    def function(self, roots: Sequence[int], extra: Sequence[Key] = ()) -> ScalarFunction:
        """Return the program of nodes of the graph at a point, with leaves of ``extra`` keys after its numbers."""
        leaves = self.leaves | {key: f"d{i}" for i, key in enumerate(extra)}
        return ScalarFunction(self.graph, roots, leaves, row if roots else lambda _: "()")

    @cached_property
    def _value_program(self) -> ScalarFunction:
        return self.function(self.roots)

    @cached_property
    def _term_program(self) -> tuple[ScalarFunction, list[int]]:
        nodes, firsts = list[int](), list[int]()
        for root in self.roots:
            firsts.append(len(nodes))
            nodes += _terms(self.graph, root)
        return self.function(nodes), firsts

    @cached_property
    def _jacobian_program(self) -> tuple[ScalarFunction, list[int], list[int]]:
        entries = []
        for i, root in enumerate(self.roots):
            slopes = self._derivatives.gradient(root)
            for j, leaf in enumerate(self.nodes):
                if slopes.get(leaf, self._zero) != self._zero:
                    entries.append((i, j, slopes[leaf]))
        return self._entries(entries)

    @cached_property
    def _hessian_program(self) -> tuple[ScalarFunction, list[int], list[int]]:
        """Made of the rows that curve; the weights of the others are read and not used."""
        graph, total = self.graph, self._zero
        keys: list[Key] = [("scalar", f"{_WEIGHT}{i}") for i in range(self.count)]
        for root, key, linear in zip(self.roots, keys, self.linear, strict=True):
            if not linear:
                total = graph.add(total, graph.mul(graph.scalar(str(key[1])), root))
        slopes = self._derivatives.gradient(total)
        columns = self._derivatives.hessian([slopes.get(i, self._zero) for i in self.nodes], self.nodes)
        entries = [
            (j + k, j, node)
            for j, column in enumerate(columns)
            for k, node in enumerate(column)
            if node != self._zero
        ]
        return self._entries(entries, keys)

    def _entries(
        self, entries: Sequence[tuple[int, int, int]], extra: Sequence[Key] = ()
    ) -> tuple[ScalarFunction, list[int], list[int]]:
        program = self.function([node for _, _, node in entries], extra)
        return program, [i for i, _, _ in entries], [j for _, j, _ in entries]


def _terms(graph: Graph, root: int) -> list[int]:
    """Return the nodes that are added and subtracted to make ``root``."""
    found, pending = list[int](), [root]
    while pending:
        i = pending.pop()
        key = graph.keys[i]
        if key[0] in ("add", "sub", "neg"):
            pending += key[1:]
        else:
            found.append(i)
    return found


# -- linear constraints as a matrix ------------------------------------------------------------------------------------

# What a node is: its coefficients by the place of a variable, and a number; None where it is not linear.
Line = tuple[dict[int, float], float]
# Coefficients that are written down in all, at most: those of long sums are copied from term to term.
_MOST = 1_000_000


class LinearRows(Sides):
    """The rows ``A x + b``, shape (m,), of constraints that are numbers; as `ConstraintRows`."""

    def __init__(self, constraints: Sequence[Constraint], lines: Sequence[Line], space: Space) -> None:
        super().__init__(constraints, space)
        self.linear = [True] * self.count
        self.A = np.zeros((self.count, self.size))
        for i, (coefficients, _) in enumerate(lines):
            self.A[i, list(coefficients)] = list(coefficients.values())
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


# The name of the weights; no typed name has it.
_WEIGHTS = "~weights"


class LongRows(Sides):
    """The rows c(x), shape (m,), of ``constraints`` whose Forms are in one graph; as `ConstraintRows`."""

    def __init__(self, constraints: Sequence[Constraint], space: Space) -> None:
        super().__init__(constraints, space)
        self.names = list(space.lengths)
        first = constraints[0].form
        graph, total = first.graph, first.graph.number(0.0)
        for constraint, place in zip(constraints, self.firsts, strict=True):
            root, length = constraint.form.root, constraint.form.length
            if length is None:
                part = graph.mul(graph.element(_WEIGHTS, place), root)
            else:
                part = graph.total(graph.mul(graph.slice(_WEIGHTS, place, 1, length), root), length)
            total = graph.add(total, part)
        both = Space(space.lengths | {_WEIGHTS: self.count})
        data = {name: value for one in constraints for name, value in one.form.data.items()}
        self.function = VectorObjective(Form(first.tree, graph, total, both.lengths, data, False), both)
        self.linear = [self.function.is_linear_in(space.lengths)] * self.count
        self._jacobian: Array | None = None

    def _at(self, x: Vector, weights: Vector) -> Any:
        """Return the derivatives of ``weights @ c`` by x and by the weights; not finite where there are none."""
        found = self.function.evaluate(np.concatenate((x, weights)), 1).gradient
        return np.full(self.size + self.count, np.nan) if found is None else found

    def values(self, x: Vector) -> Any:
        return self._at(x, np.zeros(self.count))[self.size :]

    def terms(self, x: Vector) -> Any:
        """Return the size of the largest term of each row, shape (m,): of a linear one, else that of its value."""
        values = abs(self.values(x))
        if not self.linear[0]:
            return values
        return np.maximum(values, abs(self.jacobian(x) * x).max(axis=1, initial=0.0))

    def jacobian(self, x: Vector) -> Any:
        """Return the derivatives of the rows by the variables, shape (m, n)."""
        if self._jacobian is not None:
            return self._jacobian
        both = np.concatenate((x, np.zeros(self.count)))
        transposed = self.function.derivatives_by([_WEIGHTS], both)
        if transposed is not None:
            J = np.ascontiguousarray(transposed[: self.size].T)
        else:
            few = self.size < self.count and self.function.has_product
            J = self._by_columns(x) if few else self._by_rows(x)
        if self.linear[0]:
            self._jacobian = J
        return J

    def _by_rows(self, x: Vector) -> Any:
        axes = np.eye(self.count)
        return np.array([self._at(x, axis)[: self.size] for axis in axes]).reshape(self.count, self.size)

    def _by_columns(self, x: Vector) -> Any:
        """The Jacobian column by column: the mixed second derivatives of ``t'c`` by t and by one variable."""
        nothing = np.zeros(self.count)
        at = Evaluation(np.concatenate((x, nothing)), 0.0)
        found = [self.function.product(at, np.concatenate((axis, nothing))) for axis in np.eye(self.size)]
        missing = np.full(self.count, np.nan)
        return np.array([missing if column is None else column[self.size :] for column in found]).T

    def curvature(self, x: Vector, weights: Vector) -> Any:
        """Return the Hessian of ``weights @ c``, shape (n, n)."""
        n = self.size
        if self.linear[0]:
            return np.zeros((n, n))
        both = np.concatenate((x, weights))
        H = self.function.derivatives_by(self.names, both, products=True)
        if H is not None:
            return 0.5 * (H[:n] + H[:n].T)
        at, nothing = Evaluation(both, 0.0), np.zeros(self.count)
        products = [self.function.product(at, np.concatenate((axis, nothing))) for axis in np.eye(n)]
        if any(product is None for product in products):
            return np.full((n, n), np.nan)
        H = np.array(products)[:, :n]
        return 0.5 * (H + H.T)
