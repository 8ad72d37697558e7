"""Descent over the rows of a data set: epochs of single rows, of batches, or of all rows at once.

Whatever the batch, a step uses the mean gradient of its rows, so that a rate keeps its meaning. Few rows in a batch run
as program text of scalars, many as arrays, long runs of both as machine code (:mod:`gdcli.objective.native_passes`);
all see the rows in the order that the data object gives for the epoch.

Rows come as pieces of columns. Where the loss has a linear predictor that is linear in the parameters (see
:mod:`gdcli.objective.linear_predictor`) a batch in numpy costs two products of a matrix and a vector; what depends on
the data alone is computed once for the whole piece. Any other loss runs through the program that sums over rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.calculus.autodiff import Derivatives
from gdcli.compile.per_sample import ParameterBox, RowDescent, RowGradient
from gdcli.compile.runners import batch_function, rows_function
from gdcli.compile.update_rules import PLAIN, UpdateRule, array_state, array_update
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import UsageError
from gdcli.kernel.vectors import Vector, np
from gdcli.language.graph import LEAVES, Graph, Key, arguments
from gdcli.objective.linear_predictor import (
    WAIST,
    LinearPredictor,
    copy_into,
    factored_gradient,
    find_linear_predictor,
    gradient_nodes,
)
from gdcli.objective.native_passes import NativeRunner, Work, native_kernel, one_run
from gdcli.objective.row_model import RowModel, Rows, along_rows
from gdcli.objective.row_objective import RowObjective

if TYPE_CHECKING:
    from gdcli.compile.native_epochs import Runs

# From so many rows in a batch arrays are quicker than scalars in CPython.
ARRAY_ROWS = 16
# A text of scalars is written for up to so many operations and parameters.
TEXT_NODES = 20_000
# Rows done between two looks at the clock, about.
PIECE = 8192
# The same for machine code, which does four times as many in that time, and more.
NATIVE_PIECE = 4 * PIECE

Told = Callable[[int], None]


class Visits(Rows, Protocol):
    """Data that can be gone through in an order of its own in every epoch.

    ``together`` is how many neighbouring rows stay together when the order is drawn (1: none do); None where the order
    is fixed.
    """

    @property
    def together(self) -> int | None: ...

    def visit(self, epoch: int, size: int) -> Iterator[list[Any]]:
        """Yield all rows once, in the order of ``epoch``, in pieces of ``size`` rows, the last one shorter.

        A piece is a list of the columns' arrays, float64, which may be overwritten by the next piece.
        """

    def runs(self, epoch: int) -> tuple[list[Any], Any, Any] | None:
        """Return (columns, starts, ends): arrays in memory, and the order of ``epoch`` as runs of neighbours.

        Run k has the rows starts[k] to ends[k] - 1, int64. None where rows are not in memory, or neighbours in the
        order are not neighbours there: then `visit` brings them together.
        """


class _Runner(Protocol):
    """Does the steps over pieces of rows; ``x`` is the newest point after each piece, ``state`` that of the rule."""

    kind: str
    x: Vector
    state: Any

    def piece(self, columns: Sequence[Any], count: int, rate: float) -> None: ...


class By(NamedTuple):
    """What goes through the rows: ``engine`` auto chooses among python, numpy and native (machine code, kept on disk if
    ``use_cache``) by how many ``epochs`` there will be.
    """

    epochs: int = 1
    engine: str = "auto"
    use_cache: bool = True


_BY = By()


class RowPasses:
    """Passes over data that improve a point; fulfils `solve.epochs.Passes`.

    ``batch`` is the number of rows in a batch (None: all), ``rule`` what a step does. ``held_out``
    are rows that are only looked at. Raises UsageError for an engine that cannot do it.
    """

    def __init__(
        self,
        row: RowModel,
        data: Visits,
        batch: int | None = 1,
        rule: UpdateRule = PLAIN,
        box: ParameterBox | None = None,
        held_out: Rows | None = None,
        by: By = _BY,
    ) -> None:
        self.row = row
        self.data = data
        self.rows = data.rows
        self.batch = data.rows if batch is None else min(batch, data.rows)
        self.steps = -(-self.rows // self.batch)
        self.rule = rule
        self.box = box
        self.size = row.space.size
        self.objective = RowObjective(row, data)
        self.held_out = None if held_out is None else RowObjective(row, held_out)
        self.by = by
        self.engine = "numpy"
        self._order = in_order(data.names, row)
        self._runner: _Runner | NativeRunner | None = None

    # -- what the epoch loop asks for ----------------------------------------------------------------------

    def start(self, x: Sequence[float]) -> None:
        """Begin at ``x`` (flat) with a fresh state of the rule."""
        self._runner = self._new_runner(x)

    @property
    def x(self) -> list[float]:
        assert self._runner is not None
        return [float(v) for v in self._runner.x]

    def epoch(self, number: int, rate: float, told: Told, done: int = 0) -> None:
        """Go once through all rows with steps of ``rate``, but for the first ``done``.

        ``told`` hears from time to time how many are done.
        """
        runner = self._runner
        assert runner is not None
        if isinstance(runner, NativeRunner):
            runner.epoch(self._runs(number), rate, told, done)
            return
        if self.batch == self.rows:
            if done < self.rows:
                runner.piece((), self.rows, rate)
            told(self.rows)
            return
        passed = 0
        for columns, count in self._pieces(number, PIECE):
            passed += count
            if passed > done:
                runner.piece(columns, count, rate)
                told(passed)

    def keep(self) -> Any:
        """Return the kind of runner, its point and the state of its rule."""
        runner = self._runner
        assert runner is not None
        return {"runner": runner.kind, "x": list(map(float, runner.x)), "state": _numbers(runner.state)}

    def restore(self, kept: Any) -> None:
        """Go on from what was kept, with the same kind of runner, for another could have other bits.

        Raises UsageError where that needs machine code and there is none.
        """
        self._runner = runner = self._new_runner(kept["x"], kept["runner"])
        runner.state = _like(runner.state, kept["state"])

    def mean_loss(self, x: Sequence[float]) -> float:
        """Return the mean loss over the rows that are learned from; inf where it is not a number."""
        return self.objective.evaluate(x).value

    def held_out_loss(self, x: Sequence[float]) -> float | None:
        """Return the mean loss over the rows held out; None without such."""
        return None if self.held_out is None else self.held_out.evaluate(x).value

    # -- how it is done ------------------------------------------------------------------------------------

    def _new_runner(self, x: Sequence[float], kind: str = "") -> _Runner | NativeRunner:
        """Return what goes through the rows, of a ``kind`` where that is settled already."""
        asked = {"scalars": "python", "arrays": "numpy", "native": "native"}.get(kind, self.by.engine)
        if self.batch == self.rows:
            if self.by.engine == "python":
                raise UsageError("the engine python is for steps by some of the rows", "leave out --engine")
            self.engine = self.objective.engine
            return _Whole(self, x)
        if asked == "numpy":
            return _Arrays(self, x)
        gradient = row_gradient(self.row)
        fits = len(gradient.graph.reach(tuple(gradient.roots))) + self.size <= TEXT_NODES
        if asked == "python" and not fits:
            raise UsageError("a row has too many operations for the engine python", "use --engine numpy")
        scalars = fits and (self.batch < ARRAY_ROWS or asked == "python")
        work = Work(gradient, self.rule, self.box, self.batch, self.rows * self.by.epochs, scalars)
        kernel = native_kernel(work, asked, self.by.use_cache)
        if kernel is not None:
            self.engine = "native"
            return NativeRunner(kernel, x, self.rule.state(len(x)))
        return _Scalars(self, x, gradient) if scalars else _Arrays(self, x)

    def _runs(self, epoch: int) -> Iterator[Runs]:
        """Yield the rows for machine code: all where they stand, or pieces brought together."""
        found = self.data.runs(epoch)
        if found is None:
            for columns, count in self._pieces(epoch, NATIVE_PIECE):
                yield one_run(columns, count)
            return
        from gdcli.compile.native_epochs import Runs

        columns, starts, ends = found
        yield Runs([columns[k] for k in self._order], starts, ends)

    def _pieces(self, epoch: int, rows: int) -> Iterator[tuple[list[Any], int]]:
        """Yield pieces of whole batches, about ``rows`` each: the columns of the row model, and their length."""
        wanted = self.batch * max(1, rows // self.batch)
        for columns in self.data.visit(epoch, wanted):
            yield [columns[k] for k in self._order], len(columns[0])


def row_gradient(row: RowModel) -> RowGradient:
    derivatives = Derivatives(row.graph, frozenset(row.columns))
    factor, nodes = factored_gradient(derivatives, row.loss, row.parameters)
    return RowGradient(row.graph, nodes, list(row.parameter_leaves), list(row.column_leaves), factor)


class _Scalars:
    kind = "scalars"

    def __init__(self, passes: RowPasses, x: Sequence[float], gradient: RowGradient) -> None:
        passes.engine = "python"
        self.batch = passes.batch
        self.descend = RowDescent(gradient, passes.rule, passes.box, self.batch > 1)
        self.x = [float(v) for v in x]
        self.state = passes.rule.state(len(self.x))

    def piece(self, columns: Sequence[Any], count: int, rate: float) -> None:
        lists = [column.tolist() for column in columns]
        self.descend(lists, self.x, self.state, count, self.batch, rate)


class _InArrays:
    """The point, the state of the rule and its step in arrays."""

    def __init__(self, passes: RowPasses, x: Sequence[float]) -> None:
        self.x = np.array(x, dtype=float)
        self.state = array_state(passes.rule, len(self.x))
        box = passes.box
        ends = (None, None) if box is None else (np.array(box.lower, float), np.array(box.upper, float))
        self.update = array_update(passes.rule, *ends)


class _Arrays(_InArrays):
    kind = "arrays"

    def __init__(self, passes: RowPasses, x: Sequence[float]) -> None:
        super().__init__(passes, x)
        self.batch = passes.batch
        self.gradients = batch_gradients(passes.row)

    def piece(self, columns: Sequence[Any], count: int, rate: float) -> None:
        x, state, update = self.x, self.state, self.update
        with np.errstate(all="ignore"):
            batch = self.gradients.piece(columns, count)
            for lo in range(0, count, self.batch):
                gradient = batch(lo, min(lo + self.batch, count))
                x, state = update(x, gradient(x), rate, state)
        self.x, self.state = x, state


class _Whole(_InArrays):
    """Steps by the mean gradient over all rows."""

    kind = "whole"

    def __init__(self, passes: RowPasses, x: Sequence[float]) -> None:
        super().__init__(passes, x)
        self.objective = passes.objective

    def piece(self, columns: Sequence[Any], count: int, rate: float) -> None:
        with np.errstate(all="ignore"):
            gradient = np.array(self.objective.sums(("gradient",), self.x.tolist())) / count
            self.x, self.state = self.update(self.x, gradient, rate, self.state)


def _numbers(state: Any) -> Any:
    """The state of a rule in plain numbers: lists of them for what are vectors."""
    return [v.tolist() if hasattr(v, "tolist") else v for v in state]


def _like(state: Any, kept: Any) -> Any:
    """What `_numbers` made, in the form that ``state`` has."""
    if isinstance(state, np.ndarray):
        return np.array(kept, dtype=float)
    parts = [
        np.array(k, dtype=float) if isinstance(old, np.ndarray) else k
        for old, k in zip(state, kept, strict=True)
    ]
    return type(state)(parts)


Arrays = Sequence[Any]
Gradient = Callable[[Any], Any]


class BatchGradients(Protocol):
    """Gives the mean gradients of the batches of a piece of rows."""

    def piece(self, columns: Arrays, count: int) -> Callable[[int, int], Gradient]:
        """Return what gives, for the rows lo to hi of a piece, the function x -> mean gradient (arrays)."""


def batch_gradients(row: RowModel) -> BatchGradients:
    """Return the quickest way to the mean gradients of batches of this loss."""
    derivatives = Derivatives(row.graph, frozenset(row.columns))
    found = find_linear_predictor(derivatives, row.loss, row.parameters)
    if found is not None and found.linear:
        return LinearWaist(row, found)
    return AnyLoss(row, gradient_nodes(derivatives, row.loss, row.parameters))


class AnyLoss:
    """The mean gradient of a batch by the program that sums over its rows."""

    def __init__(self, row: RowModel, nodes: Sequence[int]) -> None:
        self.row = row
        self.nodes = nodes
        self._programs: dict[int, Callable[..., tuple[float, ...]]] = {}

    def _program(self, length: int) -> Callable[..., tuple[float, ...]]:
        found = self._programs.get(length)
        if found is None:
            graph, totals = along_rows(self.row, self.nodes, length)
            found = rows_function(graph, totals, self.row.space.offsets, self.row.columns)
            self._programs[length] = found
        return found

    def piece(self, columns: Arrays, count: int) -> Callable[[int, int], Gradient]:
        def batch(lo: int, hi: int) -> Gradient:
            program = self._program(hi - lo)
            part = [column[lo:hi] for column in columns]
            return lambda x: np.array(program(x, part)) / (hi - lo)

        return batch


class LinearWaist:
    """The mean gradient of a loss whose linear predictor is ``offset + features @ x``.

    Features and offset are computed once for a piece, and so is every part of the slope that no parameter changes.
    """

    def __init__(self, row: RowModel, predictor: LinearPredictor) -> None:
        self.size = row.space.size
        places: dict[Key, int] = {key: i for i, key in enumerate(row.column_leaves)}
        graph = Graph()
        zeros = {node: graph.number(0.0) for node in row.parameters}
        roots = [
            copy_into(graph, row.graph, node, zeros, True) for node in (*predictor.partials, predictor.node)
        ]
        self.features = batch_function(graph, roots, places)
        small = Graph()
        slope = copy_into(small, row.graph, predictor.slope, {predictor.node: small.scalar(WAIST)})
        data = data_nodes(small, slope, set(row.columns))
        self.prepare = batch_function(small, data, places) if data else lambda columns: ()
        bare = Graph()
        names = {node: bare.scalar(f"{WAIST}{k}") for k, node in enumerate(data)}
        keys: dict[Key, int] = {("scalar", WAIST): 0}
        keys.update({("scalar", f"{WAIST}{k}"): k + 1 for k in range(len(data))})
        root = copy_into(bare, small, slope, names)
        self.is_number = bare.keys[root][0] == "number"  # the slope of a loss that is linear itself
        self.slope = batch_function(bare, [root], keys)

    def piece(self, columns: Arrays, count: int) -> Callable[[int, int], Gradient]:
        slope, is_number = self.slope, self.is_number
        *partials, offset = self.features(columns)
        features = np.empty((self.size, count))
        for k, partial in enumerate(partials):
            features[k] = partial
        shift = None if np.ndim(offset) == 0 and offset == 0.0 else np.broadcast_to(offset, count)
        if shift is not None and not shift.any():
            shift = None
        data = [np.broadcast_to(values, count) for values in self.prepare(columns)]

        def batch(lo: int, hi: int) -> Gradient:
            part = features[:, lo:hi]
            here = [values[lo:hi] for values in data]

            def gradient(x: Vector) -> Any:
                predictor = x @ part
                if shift is not None:
                    predictor += shift[lo:hi]
                along = slope((predictor, *here))[0]
                if is_number:
                    return part.sum(axis=1) * (along / (hi - lo))
                return part @ along / (hi - lo)

            return gradient

        return batch


def data_nodes(graph: Graph, root: int, columns: set[str]) -> list[int]:
    """Return the largest parts of ``root`` that depend on columns and on nothing else, columns themselves included."""
    pure: set[int] = set()
    found: dict[int, None] = {}
    order = graph.reach((root,))
    for i in order:
        key = graph.keys[i]
        if key[0] in LEAVES:
            if key[0] == "number" or key[1] in columns:
                pure.add(i)
        elif all(a in pure for a in arguments(key)):
            pure.add(i)
    for i in order:
        if i not in pure:
            found.update(dict.fromkeys(a for a in arguments(graph.keys[i]) if a in pure))
    if root in pure:
        found[root] = None
    return [i for i in found if graph.keys[i][0] != "number"]


def in_order(names: Sequence[str], row: RowModel) -> list[int]:
    """Return where the columns of a row model stand among the columns of data called ``names``."""
    places: Mapping[str, int] = {name: i for i, name in enumerate(names)}
    return [places[name] for name in row.columns]
