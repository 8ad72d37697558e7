"""The programs of a row's graph: what a sum over rows is asked for, as nodes, and the numpy programs of these.

All objectives of one row model share them, on whatever data they are.

To import an array library takes longer than a fit of some hundred rows by plain floats. So where the data come as lists
and there are few of them, the program of one row (a function of floats, as `gd minimize` has it) is called for each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.calculus.autodiff import DIRECTION, Derivatives
from gdcli.compile.runners import batch_function, rows_function
from gdcli.compile.scalar_text import ARITHMETIC, ScalarFunction, total
from gdcli.kernel import budget
from gdcli.kernel.factors import PLAIN_COLUMNS
from gdcli.kernel.vectors import Vec
from gdcli.language.graph import Key
from gdcli.objective.divisors import divisors
from gdcli.objective.linear_predictor import gradient_nodes
from gdcli.objective.row_model import RowModel, Rows, along_rows

if TYPE_CHECKING:
    from gdcli.compile.array_kernels import RowsKernel

# Larger graphs are not compiled: for seconds nobody would hear an interrupt.
MOST_NODES = 2500
# What depends on a direction, too.
DIRECTED = frozenset(("second", "bend", "product", "third"))
# Lengths of data for which summing programs are remembered: thousands of groups may have as many lengths.
MOST_LENGTHS = 64


def programs_of(row: RowModel) -> RowPrograms:
    """Return the programs of a row model, the same for every model with its graph and its nodes."""
    key = row.loss, row.residual, row.deviation, row.predictor, row.fitted, row.response, row.weight
    found: RowPrograms | None = row.programs.get(key)
    if found is None:
        found = row.programs[key] = RowPrograms(row)
    return found


class RowPrograms:
    """The nodes and programs of ``row``, made when they are first asked for."""

    def __init__(self, row: RowModel) -> None:
        self.row = row
        self._derivatives = Derivatives(row.graph, frozenset(row.columns))
        self._nodes: dict[str, list[int]] = {}
        self._sums: OrderedDict[tuple[str, int], Callable[..., tuple[float, ...]]] = OrderedDict()
        self._pieces: dict[str, Callable[..., tuple[Any, ...]]] = {}
        self._rows: dict[tuple[str, ...], ScalarFunction] = {}
        self._kernels: dict[tuple[tuple[str, ...], bool], RowsKernel | None] = {}

    # -- what the row's graph has to say -------------------------------------------------------------------

    def nodes(self, name: str) -> list[int]:
        """The nodes of the row's graph whose sums (or values) are asked for under a name."""
        found = self._nodes.get(name)
        if found is None:
            errors = self.row.errors
            own = None if errors is None else errors.nodes(self.row, name)
            found = self._nodes[name] = getattr(self, f"_{name}_nodes")() if own is None else own
        return found

    def _by_parameter(self, root: int) -> list[int]:
        return gradient_nodes(self._derivatives, root, self.row.parameters)

    def _with_slopes(self, root: int | None) -> list[int]:
        """The derivatives of a node by the parameters, and the node."""
        assert root is not None
        return [*self._by_parameter(root), root]

    def _value_nodes(self) -> list[int]:
        return [self.row.loss]

    def _gradient_nodes(self) -> list[int]:
        return self._by_parameter(self.row.loss)

    def _hessian_nodes(self) -> list[int]:
        """The lower triangle, column by column."""
        columns = self._derivatives.hessian(self.nodes("gradient"), self.row.parameters)
        return [node for column in columns for node in column]

    def _product_nodes(self) -> list[int]:
        return self._derivatives.forward(self.nodes("gradient"), self._seeds())

    def _third_nodes(self) -> list[int]:
        nodes, seeds = self.nodes("value"), self._seeds()
        for _ in range(3):
            nodes = self._derivatives.forward(nodes, seeds)
        return nodes

    def _predicted_nodes(self) -> list[int]:
        """The derivatives of what the formula says by the parameters, what it says, and what the row counts."""
        return [*self._with_slopes(self.row.predictor), self.nodes("weighing")[-1]]

    def _jacobian_nodes(self) -> list[int]:
        return self._with_slopes(self.row.residual)

    def _linear_nodes(self) -> list[int]:
        """The derivatives of the residual, the residual, and what was measured in its unit."""
        graph, (measured,) = self.row.graph, self.nodes("response")
        if self.row.weight is not None:
            measured = graph.mul(graph.call("sqrt", self.row.weight), measured)
        return [*self.nodes("jacobian"), measured]

    def _second_nodes(self) -> list[int]:
        jacobian = self.nodes("jacobian")
        seeds = self._seeds()
        first = self._derivatives.forward(jacobian[-1:], seeds)
        return [*jacobian[:-1], *self._derivatives.forward(first, seeds)]

    def _bend_nodes(self) -> list[int]:
        return self.nodes("second")[-1:]

    def _deviation_nodes(self) -> list[int]:
        return self._with_slopes(self.row.deviation)

    def _response_nodes(self) -> list[int]:
        return [self.row.predictor if self.row.response is None else self.row.response]

    def _weighing_nodes(self) -> list[int]:
        """What was measured, and what the row counts."""
        one = self.row.graph.number(1.0)
        return [*self._response_nodes(), one if self.row.weight is None else self.row.weight]

    def _divisors_nodes(self) -> list[int]:
        return divisors(self.row)

    def _own_step_nodes(self) -> list[int]:
        """The curvature of the loss along its gradient g, times g'g; and g'g."""
        graph, gradient = self.row.graph, self.nodes("gradient")
        seeds = dict(zip(self.row.parameters, gradient, strict=True))
        bent = self._derivatives.forward(gradient, seeds)
        bend = square = graph.number(0.0)
        for slope, change in zip(gradient, bent, strict=True):
            bend = graph.add(bend, graph.mul(slope, change))
            square = graph.add(square, graph.mul(slope, slope))
        return [bend, square]

    def _slopes_nodes(self) -> list[int]:
        return self._with_slopes(self.row.fitted)

    def _fitted_nodes(self) -> list[int]:
        row = self.row
        return [i for i in (row.fitted, row.response, row.loss) if i is not None]

    def direction_keys(self) -> list[Key]:
        return [("scalar", f"{DIRECTION}{i}") for i in range(self.row.space.size)]

    def _seeds(self) -> dict[int, int]:
        graph = self.row.graph
        keys = self.direction_keys()
        return {leaf: graph.leaf(key) for leaf, key in zip(self.row.parameters, keys, strict=True)}

    # -- programs ------------------------------------------------------------------------------------------

    def summing(self, names: tuple[str, ...], length: int) -> Callable[..., tuple[float, ...]]:
        """Return ``program(x, arrays)``: the sums of what is under ``names`` over so many rows."""
        key = "+".join(names), length
        found = self._sums.pop(key, None)
        if found is None:
            roots = [node for name in names for node in self.nodes(name)]
            graph, totals = along_rows(self.row, roots, length)
            offsets = dict(self.row.space.offsets)
            size = self.row.space.size
            offsets.update({str(k[1]): size + i for i, k in enumerate(self.direction_keys())})
            found = rows_function(graph, totals, offsets, self.row.columns)
        self._sums[key] = found
        if len(self._sums) > MOST_LENGTHS:
            self._sums.popitem(last=False)
        return found

    def of_a_row(self, names: tuple[str, ...]) -> ScalarFunction:
        """Return ``program(x)``: the values of what is under ``names`` in one row, a tuple of floats.

        ``x`` has the parameters, for `DIRECTED` names then a direction, then the row's columns.
        """
        found = self._rows.get(names)
        if found is None:
            leaves: dict[Key, str] = {**self.row.parameter_leaves}
            if not DIRECTED.isdisjoint(names):
                leaves.update({key: f"d{i}" for i, key in enumerate(self.direction_keys())})
            leaves.update(self.row.column_leaves)
            nodes = [node for name in names for node in self.nodes(name)]
            found = ScalarFunction(self.row.graph, nodes, leaves, lambda texts: f"({', '.join(texts)},)")
            self._rows[names] = found
        return found

    def by_row(self, name: str) -> Callable[..., tuple[Any, ...]]:
        """Return ``program(x)``: the values of what is under a name for parameters and columns of any shape.

        ``x`` has the parameters, for `DIRECTED` names then a direction, then the columns.
        """
        found = self._pieces.get(name)
        if found is None:
            keys = [*self.row.parameter_leaves]
            if name in DIRECTED:
                keys += self.direction_keys()
            keys += self.row.column_leaves
            rows = {key: i for i, key in enumerate(keys)}
            found = self._pieces[name] = batch_function(self.row.graph, self.nodes(name), rows)
        return found

    def kernel(self, names: tuple[str, ...], use_cache: bool) -> RowsKernel | None:
        """Return the machine code of the sums under ``names``, None for a graph that is too large for it."""
        key = names, use_cache
        if key not in self._kernels:
            from gdcli.compile import machine_code
            from gdcli.compile.array_kernels import RowsKernel

            row = self.row
            roots = tuple(node for name in names for node in self.nodes(name))
            given: dict[Key, str] = {**row.parameter_leaves}
            given.update({leaf: f"d{i}" for i, leaf in enumerate(self.direction_keys())})
            fits = len(row.graph.reach(roots)) <= MOST_NODES and machine_code.is_available()
            made = RowsKernel(row.graph, roots, given, row.column_leaves, use_cache) if fits else None
            self._kernels[key] = made
        return self._kernels[key]


# A pass over rows with p parameters takes about 0.1 us for each of rows * (p + 1)**2 numbers, and a fit some fifty of
# them: up to here that is less than numpy's import.
MOST_NUMBERS = 10_000


class FewRows:
    """Rows at hand, each a tuple of the columns of the row model whose ``programs`` these are."""

    def __init__(self, programs: RowPrograms, rows: Sequence[tuple[float, ...]]) -> None:
        self.programs = programs
        self.rows = rows

    def values(self, names: tuple[str, ...], x: Sequence[float]) -> list[tuple[float, ...]]:
        """Return for each row the values of the nodes under ``names``; ``x`` has the parameters, then a direction."""
        budget.check()
        program, given = self.programs.of_a_row(names), tuple(x)
        bare = program.bare
        try:
            return [bare(given + row) for row in self.rows]
        except ARITHMETIC:
            return [program(given + row) for row in self.rows]

    def vectors(self, name: str, x: Sequence[float]) -> list[Vec]:
        """Return the values of each node under a name in all rows."""
        return [Vec(column) for column in zip(*self.values((name,), x), strict=True)]

    def sums(self, names: tuple[str, ...], x: Sequence[float]) -> list[float]:
        """Return the exactly rounded sums over all rows of the nodes under ``names``."""
        return [total(column) for column in zip(*self.values(names, x), strict=True)]


def few_rows(row: RowModel, data: Rows) -> FewRows | None:
    """Return the rows of data that are lists, where they are few; None of others, and for an engine of its own."""
    if data.lists is None or row.engine != "auto":
        return None
    size = row.space.size
    if size > PLAIN_COLUMNS or data.rows * (size + 1) ** 2 > MOST_NUMBERS:
        return None
    columns = [data.lists[tuple(data.names).index(name)] for name in row.columns]
    return FewRows(programs_of(row), list(zip(*columns, strict=True)))
