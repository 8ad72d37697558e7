"""The constraints of long vectors as one function, on flat arrays.

Vectors stay vectors here, and so the graph is small: of all rows together one number is made, ``t'c(x)``, in which the
weights t are variables beside x. Its derivatives by t are the rows, those by x the Jacobian times t, and products of
its Hessian those of the constraints. A Jacobian that does not depend on x is made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gdcli.kernel.space import Space
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.language.constraints import Constraint
from gdcli.language.form import Form
from gdcli.objective.constraint_rows import Sides
from gdcli.objective.protocol import Evaluation
from gdcli.objective.vector_expression import VectorObjective

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
