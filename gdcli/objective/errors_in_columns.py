"""Columns that were measured with errors, too: orthogonal distance regression as an ordinary sum over rows.

Where a column x has a standard deviation s, its true value in a row is ``x + s u`` with an unknown u, the *correction*
in units of s, and what is least is the sum over rows of ``e**2 + |u|**2``, e the residual at the corrected columns
(weighted total least squares; Fuller, Measurement Error Models, 1987, section 3.2.2). Each row has corrections of its
own, so the Jacobian by these is one block a row, and they are eliminated row by row: for given parameters each row is
moved to its nearest point of the curve (`gdcli.objective.corrected_rows`), and what is left is a sum of squares of as
many numbers as there are rows, in the parameters alone. At the nearest point ``u = -e e_u``, so that

- the residual of the row is ``sign(e) sqrt(e**2 + |u|**2)``, the distance to the curve,
- its derivative by a parameter is ``e_a / q`` with ``q = sqrt(1 + |e_u|**2)``: what remains of the row's block of the
  Jacobian, orthogonal to its derivatives by u (the factorisation of Boggs, Byrd and Schnabel, SIAM J. Sci. Stat.
  Comput. 8, 1987); q is the *effective standard deviation*, in units of that of the residual,
- the Hessian is the Schur complement ``L_aa - L_au L_uu^-1 L_ua``, exact.

All three are nodes of the row's graph, in which corrections are columns like those of the data. A standard deviation of
0 says that the column is exact in that row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gdcli.calculus.autodiff import Derivatives
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.language.graph import Graph
from gdcli.objective.linear_predictor import copy_into, gradient_nodes
from gdcli.objective.row_model import RowModel


class ErrorsInColumns(NamedTuple):
    """Which columns have errors, and what that makes of a row's graph.

    ``plain`` is the row without them, ``columns`` are those with errors, ``names`` what their corrections are called
    (no typed name has a space), ``sigmas`` the nodes of their standard deviations.
    """

    plain: RowModel
    columns: tuple[str, ...]
    names: tuple[str, ...]
    sigmas: tuple[int, ...]

    def nodes(self, row: RowModel, name: str) -> list[int] | None:
        """Return the nodes under a name, None for those that every row has; see `row_programs.RowPrograms`."""
        make: Callable[[_Blocks], list[int]] | None = _NODES.get(name)
        return None if make is None else make(_Blocks(row, self))


def with_errors(row: RowModel, sigmas: Mapping[str, int]) -> RowModel:
    """Return a row of squares some of whose columns have errors; ``sigmas`` are nodes of their standard deviations."""
    graph, names = row.graph, tuple(f"{column} correction" for column in sigmas)
    moved = {
        graph.scalar(column): graph.add(graph.scalar(column), graph.mul(sigma, graph.scalar(name)))
        for (column, sigma), name in zip(sigmas.items(), names, strict=True)
    }

    def at_corrected(node: int) -> int:
        return copy_into(graph, graph, node, moved)

    assert row.residual is not None
    assert row.fitted is not None
    residual = at_corrected(row.residual)
    loss = graph.mul(residual, residual)
    for name in names:
        loss = graph.add(loss, graph.mul(graph.scalar(name), graph.scalar(name)))
    return replace(
        row,
        loss=loss,
        residual=residual,
        predictor=at_corrected(row.predictor),
        fitted=at_corrected(row.fitted),
        columns=(*row.columns, *names),
        errors=ErrorsInColumns(row, tuple(sigmas), names, tuple(sigmas.values())),
    )


class _Blocks:
    """The derivatives of a row by its parameters (a) and its corrections (u), as nodes."""

    def __init__(self, row: RowModel, errors: ErrorsInColumns) -> None:
        assert row.residual is not None
        self.row, self.errors, self.graph = row, errors, row.graph
        self.u = [row.graph.scalar(name) for name in errors.names]
        fixed = frozenset(row.columns)
        self.by_parameters = Derivatives(self.graph, fixed)
        self.by_corrections = Derivatives(self.graph, fixed - set(errors.names))
        self.e = row.residual

    def of_corrections(self, root: int) -> list[int]:
        found, zero = self.by_corrections.gradient(root), self.graph.number(0.0)
        return [found.get(u, zero) for u in self.u]

    def of_parameters(self, root: int) -> list[int]:
        return gradient_nodes(self.by_parameters, root, self.row.parameters)

    def spread(self) -> int:
        graph = self.graph
        return graph.call("sqrt", _sum_of_squares(graph, self.of_corrections(self.e), graph.number(1.0)))

    def distance(self) -> int:
        return self.graph.mul(self.graph.call("sign", self.e), self.graph.call("sqrt", self.row.loss))

    def by_u(self, nodes: Sequence[int]) -> list[list[int]]:
        one = self.graph.number(1.0)
        return [self.by_corrections.forward(list(nodes), {u: one}) for u in self.u]

    def eliminated(self, whole: list[list[int]], sides: list[list[int]]) -> None:
        """Take from the lower triangle ``whole``, column by column, what the corrections take up, by elimination.

        ``sides`` are L_ua, a row for each correction; those of one column alone stand for a product.
        """
        graph, M = self.graph, self.by_u(self.of_corrections(self.row.loss))
        for k in range(len(M)):
            for i in range(k + 1, len(M)):
                part = graph.div(M[i][k], M[k][k])
                M[i] = [graph.sub(a, graph.mul(part, b)) for a, b in zip(M[i], M[k], strict=True)]
                sides[i] = [graph.sub(a, graph.mul(part, b)) for a, b in zip(sides[i], sides[k], strict=True)]
            for j, column in enumerate(whole):
                part = graph.div(sides[k][j], M[k][k])
                column[:] = [
                    graph.sub(h, graph.mul(part, c)) for h, c in zip(column, sides[k][j:], strict=True)
                ]


def _sum_of_squares(graph: Graph, nodes: Sequence[int], total: int) -> int:
    for node in nodes:
        total = graph.add(total, graph.mul(node, node))
    return total


def _correction(b: _Blocks) -> list[int]:
    """What the nearest point is found by: e, its first and second derivatives by corrections (lower triangle)."""
    first = b.of_corrections(b.e)
    second = b.by_corrections.hessian(first, b.u)
    return [b.e, *first, *(node for column in second for node in column)]


def _jacobian(b: _Blocks) -> list[int]:
    q = b.spread()
    return [*(b.graph.div(slope, q) for slope in b.of_parameters(b.e)), b.distance()]


def _gradient(b: _Blocks) -> list[int]:
    *slopes, distance = _jacobian(b)
    twice = b.graph.mul(b.graph.number(2.0), distance)
    return [b.graph.mul(twice, slope) for slope in slopes]


def _hessian(b: _Blocks) -> list[int]:
    gradient = b.of_parameters(b.row.loss)
    whole = [list(column) for column in b.by_parameters.hessian(gradient, b.row.parameters)]
    b.eliminated(whole, b.by_u(gradient))
    return [node for column in whole for node in column]


def _linear(b: _Blocks) -> list[int]:
    """The Jacobian, the residual, and what was measured in its unit: of the response and of the columns."""
    graph, row = b.graph, b.row
    assert row.response is not None
    weight = graph.number(1.0) if row.weight is None else graph.call("sqrt", row.weight)
    parts, zero = [graph.mul(weight, row.response)], graph.number(0.0)
    for column, sigma, slope in zip(b.errors.columns, b.errors.sigmas, b.of_corrections(b.e), strict=True):
        size = graph.where(">", sigma, zero, graph.div(graph.scalar(column), sigma), zero)
        parts.append(graph.mul(slope, size))
    measured = graph.call("sqrt", _sum_of_squares(graph, parts, zero))
    return [*_jacobian(b), graph.div(measured, b.spread())]


_NODES: dict[str, Callable[[_Blocks], list[int]]] = {
    "correction": _correction,
    "jacobian": _jacobian,
    "gradient": _gradient,
    "hessian": _hessian,
    "linear": _linear,
    "spread": lambda b: [b.spread()],
    "input_sigma": lambda b: list(b.errors.sigmas),
}
