"""``--start auto``: a start found by trying many, on some of the rows where there are very many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gdcli.compile.runners import numpy
from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import DomainError, UsageError
from gdcli.objective.row_model import RowModel, by_squares, linear_parameters
from gdcli.objective.row_objective import PIECE, RowObjective
from gdcli.tasks.fit.request import FitProblem, Searched
from gdcli.tasks.pipeline import bounds_of

if TYPE_CHECKING:
    from gdcli.table.blocks import Columns
    from gdcli.table.visited_rows import Visited

# The search looks at no more rows than this, evenly spread.
ROWS = 2000
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
    from gdcli.objective.parameter_scales import Guesses
    from gdcli.objective.variable_projection import SeparableResiduals
    from gdcli.solve.methods.fit_starts import search

    squares = RowObjective(by_squares(row), some)
    np, order = numpy(), list(some.names)
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
    return FoundStart(row.space.unflatten(found.at.x), how)


def _some(row: RowModel, data: Columns | Visited) -> Columns:
    """Some of the rows; of rows in partitions some of each."""
    from gdcli.table.blocks import Columns

    stride = -(-data.rows // ROWS)
    return Columns(data.names, RowObjective(row, data).over(_thinned, _joined, stride))


def _thinned(objective: RowObjective, stride: int) -> list[Any]:
    parts: list[list[Any]] = []
    for first, arrays in objective.data.chunks(PIECE):
        parts.append([array[(-first) % stride :: stride].copy() for array in arrays])
    return [objective.np.concatenate(column) for column in zip(*parts, strict=True)]


def _joined(one: list[Any], other: list[Any]) -> list[Any]:
    return [numpy().concatenate(pair) for pair in zip(one, other, strict=True)]
