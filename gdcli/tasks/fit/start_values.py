"""Where a fit starts: what was typed, or nothing for a model that is linear in its parameters.

What is missing for another is found by trying many starts, on some of the rows where there are very many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import fsum, isfinite
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DomainError, UsageError, is_one_edit
from gdcli.kernel.vectors import Vector, np
from gdcli.language.model_text import Model, Names, columns_told, meant_for_column, place_of
from gdcli.language.tree_names import all_nodes, subscripted
from gdcli.language.values import TypedValue
from gdcli.objective.row_model import RowModel, by_squares, linear_parameters
from gdcli.objective.row_objective import PIECE, RowObjective
from gdcli.table.blocks import Columns
from gdcli.tasks.fit.request import FitProblem, Searched
from gdcli.tasks.pipeline import bounds_of
from gdcli.tasks.problem import example, listed, named_values

if TYPE_CHECKING:
    from gdcli.objective.batched_residuals import SeparableResiduals
    from gdcli.table.shuffle import Visited


# Two names of so many letters together are told apart by more than one: rate is no slip for date.
_SLIP = 9


def is_linear(row: RowModel) -> bool:
    """Tell whether the model is linear in its parameters, so that any start will do.

    What is measured must depend on no parameter then; of a typed loss nothing is known.
    """
    if row.response is None or row.depends(row.response):
        return False
    return len(linear_parameters(row, row.predictor)) == row.space.size


def start_values(
    model: Model, names: Names, given: Sequence[TypedValue], needed: bool, columns: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the start of every parameter; where none is ``needed`` those that are missing are 0.

    ``columns`` are those of the data. Raises UsageError that names a parameter without a start, or the column that it
    may be meant for, and for lengths that do not fit.
    """
    parameters = list(names.parameters)
    vectors = {n for n, length in names.parameters.items() if length is not None}
    for tree in model.trees:
        vectors |= subscripted(tree)
    values = named_values(parameters, given, vectors, "parameter", "the model")
    missing = [name for name in parameters if name not in values]
    if missing and needed:
        for name in missing:
            column = _column_meant(name, names, columns)
            if column is not None:
                raise meant_for_column(model, name, column)
        known, meant = f"; {columns_told(columns)}" if columns else "", example(missing, vectors)
        told, hint = f"--start leaves out {listed(missing)}", f"{_advice(model, columns)}, --start {meant}"
        if model.left is not None and not _has_columns(model, names):
            told = "no name right of the ~ is a column of the data"
            hint = f"where these are parameters give a start, --start {meant}"
        raise UsageError(told, f"{hint}, or fix it with --set{known}", place_of(model, missing[0]))
    for name in missing:
        length = names.parameters[name]
        if length is None and any(_is_indexed(tree, name) for tree in model.texts):
            raise UsageError(
                f"{name} is a vector, and its length is not known", f"give it a start: {name}=zeros(3)"
            )
        values[name] = 0.0 if length is None else [0.0] * length
    return {name: values[name] for name in parameters}


def has_search(model: Model, names: Names, given: Sequence[TypedValue], columns: Sequence[str]) -> bool:
    """Tell whether parameters without a start have one searched for, though nobody asks for it.

    What stands right of the ~ must have columns, and none of these parameters may be meant for another column.
    """
    known = {entry.name for entry in given}
    missing = [name for name in names.parameters if name not in known]
    meant = any(_column_meant(name, names, columns) for name in missing)
    return bool(missing) and not meant and _has_columns(model, names)


def _has_columns(model: Model, names: Names) -> bool:
    columns = {*names.columns, *names.matrices}
    return model.left is not None and not columns.isdisjoint(model.right.names)


def _column_meant(name: str, names: Names, columns: Sequence[str]) -> str | None:
    """The column, of those that the model does not use, which a name begins, or is but for one letter of many."""
    unused = [column for column in columns if column and column not in names.columns]
    begun = [column for column in unused if column.lower().startswith(name.lower())] if len(name) > 1 else []
    slips = [c for c in unused if len(name) + len(c) >= _SLIP and is_one_edit(name.lower(), c.lower())]
    return next(iter(begun + slips), None)


def _advice(model: Model, columns: Sequence[str]) -> str:
    if model.left is not None:
        return "--start auto searches for one; or give your own"
    column = next((c for c in columns if c and c not in model.names), None)
    if column is None:
        return "give your own"
    # A loss of a row has all that was measured in it.
    return f"to fit a column write {column} ~ {model.text.strip()}; a loss of your own needs a start"


def _is_indexed(tree: Any, name: str) -> bool:
    return any(node.op in ("index", "slice") and node.value[0] == name for node in all_nodes(tree.root))


# The search looks at no more rows than this, evenly spread.
ROWS = 2000
# By so much measured values are taken nearer to their mean where what fits them best has no loss.
_NEARER = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
# The share of the time allowed that the search may take.
_SHARE = 0.5


class FoundStart(NamedTuple):
    start: Mapping[str, Any]
    searched: Searched


def search_start(
    problem: FitProblem,
    row: RowModel,
    data: Columns | Visited,
    known: Mapping[str, Any],
    told: Callable[[float], None] = lambda part: None,
) -> FoundStart:
    """Return a start for every parameter; those that are ``known`` keep theirs, unless the model is linear in them.

    ``told`` is called with the part of the work that is done.

    What is searched for is the least sum of squares of what the model says, whatever the loss is. Raises UsageError for
    a typed loss, DomainError where no start tried has a finite loss.
    """
    if row.response is None or row.fitted is None:
        raise UsageError(
            "--start auto is for a model with ~", "give the parameters of a typed loss their starts"
        )
    with budget.part(_SHARE):
        return _search(problem, row, _some(row, data), known, told)


def _search(
    problem: FitProblem, row: RowModel, some: Columns, known: Mapping[str, Any], told: Callable[[float], None]
) -> FoundStart:
    from gdcli.objective.batched_residuals import SeparableResiduals
    from gdcli.objective.parameter_scales import Guesses
    from gdcli.solve.methods.fit_starts import search

    squares = RowObjective(by_squares(row), some)
    order = list(some.names)
    _, arrays = next(iter(some.chunks(max(1, some.rows))))
    columns = [arrays[order.index(name)] for name in row.columns]
    box = bounds_of(problem, squares) if problem.bounds else None
    ends = [] if box is None else [np.array(end, dtype=float) for end in (box.lower, box.upper)]
    many = SeparableResiduals(squares.row, columns, linear_parameters(squares.row), *ends)
    guesses = Guesses(squares.row, columns, many.bent, *ends)
    values: list[float | None] = []
    for name, length in row.space.lengths.items():
        given = known.get(name)
        values += [None] * (length or 1) if given is None else [given] if length is None else list(given)
    found = search(squares, many, guesses, box, problem.seed, values, told)
    if found.at is None:
        raise DomainError(
            f"none of {found.tried} starts has a finite loss", "give a start inside the domain with --start"
        )
    how = Searched(found.tried, found.starts, found.agreeing, found.next_best)
    return FoundStart(row.space.unflatten(_with_loss(row, some, many, found.at.x)), how)


def _with_loss(row: RowModel, some: Columns, many: SeparableResiduals, x: Vector) -> Vector:
    """Return x, the least squares, or where a mean is negative there, so that it has no loss, a point near to it.

    It has the linear parameters of the least squares of measured values that all are so much nearer to their mean.
    """
    assert row.response is not None
    loss, (kind, *rest) = RowObjective(row, some), row.graph.keys[row.response]
    at = row.columns.index(rest[0]) if kind == "scalar" and rest[0] in row.columns else None
    if at is None or not many.linear or isfinite(loss.evaluate(x, 0).value):
        return x
    y = many.arrays[at]
    mean = fsum(y) / len(y)
    for part in _NEARER:
        arrays = [*many.arrays[:at], y + part * (mean - y), *many.arrays[at + 1 :]]
        near = type(many)(many.row, arrays, many.linear, many.lower, many.upper)
        trial = loss.vector(near.solved(np.array(x)[:, None])[0][:, 0].tolist())
        if isfinite(loss.evaluate(trial, 0).value):
            return trial
    return x


def _some(row: RowModel, data: Columns | Visited) -> Columns:
    """Some of the rows; of rows in partitions some of each."""
    stride = -(-data.rows // ROWS)
    return Columns(data.names, RowObjective(row, data).over(_thinned, _joined, stride))


def _thinned(objective: RowObjective, stride: int) -> list[Any]:
    parts: list[list[Any]] = []
    for first, arrays in objective.data.chunks(PIECE):
        parts.append([array[(-first) % stride :: stride].copy() for array in arrays])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _joined(one: list[Any], other: list[Any]) -> list[Any]:
    return [np.concatenate(pair) for pair in zip(one, other, strict=True)]
