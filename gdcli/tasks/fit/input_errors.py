"""``--sigma-x x=0.1``: which columns have errors, how large (a number, a column, an expression of columns), and where
the rows were moved to: the nearest points of the curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gdcli.compile.runners import batch_function
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError, Span, UsageError, did_you_mean
from gdcli.kernel.vectors import Vector, np
from gdcli.language.form import build_row
from gdcli.language.model_text import Model, no_column
from gdcli.language.syntax import Tree, parse
from gdcli.objective.errors_in_columns import CorrectedRows, with_errors
from gdcli.objective.row_model import RowModel, Rows
from gdcli.objective.row_objective import PIECE, RowObjective
from gdcli.table.derived_columns import expression
from gdcli.tasks.fit.fit_outcome import CorrectedPoints, Move

OPTION = "--sigma-x"
_EXAMPLE = "for example --sigma-x x=0.1, or --sigma-x x=COLUMN"


def read_sigmas(texts: Sequence[str]) -> dict[str, Tree]:
    """Return the expression of the standard deviation of each column that is named.

    Raises UsageError, with the place in the text, for what is no ``NAME=EXPRESSION``.
    """
    found: dict[str, Tree] = {}
    for text in texts:
        name, equals, typed = text.partition("=")
        name, whole = name.strip(), Span(text, 0, len(text), OPTION)
        if not equals or not name.isidentifier() or not typed.strip():
            raise UsageError(f"{OPTION} takes NAME=SIZE, the standard deviation of a column", _EXAMPLE, whole)
        if name in found:
            raise UsageError(f"{OPTION} gives {name} twice", "once is enough", whole)
        at = len(text) - len(typed)
        try:
            found[name] = parse(" " * at + typed, OPTION)._replace(text=text)
        except UsageError as error:
            if error.span is not None:
                error.span = error.span._replace(text=text)
            raise
    return found


def columns_wanted(
    sigmas: Mapping[str, Tree], model: Model, used: Sequence[str], columns: Sequence[str]
) -> list[str]:
    """Return the columns that the standard deviations are made of; the model has those ``used`` of the ``columns``.

    Raises UsageError for names that are no columns, and for columns that errors make no sense for.
    """
    wanted: list[str] = []
    for name, tree in sigmas.items():
        place = Span(tree.text, 0, len(name), OPTION)
        if name not in columns:
            raise no_column(name, columns, f"{OPTION}: ", place)
        if model.left is not None and name in model.left.names:
            raise UsageError(
                f"{name} is what is measured: its errors are those of --sigma",
                f"{OPTION} is for columns on the right side of the ~",
                place,
            )
        if name not in used:
            raise UsageError(f"the model does not have the column {name}", did_you_mean(name, used), place)
        wanted += expression(tree, columns).numbers
    return wanted


def row_with_errors(row: RowModel, sigmas: Mapping[str, Tree], columns: Sequence[str]) -> RowModel:
    lengths = dict.fromkeys(columns)
    more = [n for tree in sigmas.values() for n in tree.names if n in lengths]
    row = replace(row, columns=tuple(dict.fromkeys((*row.columns, *more))))
    nodes = {name: build_row(tree, row.graph, lengths, {}, {}) for name, tree in sigmas.items()}
    return with_errors(row, nodes)


def corrected(data: Rows, row: RowModel) -> Any:
    if row.errors is None:
        return data
    return CorrectedRows(data, row)


def checked_and_corrected(row: RowModel, data: Rows, place: Callable[[int], str]) -> Any:
    """Return the rows with corrections of columns with errors; raises DataError and UsageError as `check_sigmas`."""
    check_sigmas(row, data, place)
    return corrected(data, row)


def check_sigmas(row: RowModel, data: Rows, place: Callable[[int], str]) -> None:
    """Raise DataError, naming the first row at fault, for a standard deviation that is negative or no number.

    One that is 0 in all rows says nothing: the column is exact.
    """
    assert row.errors is not None
    names = row.errors.plain.columns
    order = [tuple(data.names).index(name) for name in names]
    program = batch_function(
        row.graph, list(row.errors.sigmas), {("scalar", name): k for k, name in enumerate(names)}
    )
    largest = [0.0] * len(row.errors.columns)
    for first, arrays in data.chunks(PIECE):
        with np.errstate(all="ignore"):
            found: Sequence[Any] = program([arrays[k] for k in order])
        for k, (column, sizes) in enumerate(zip(row.errors.columns, found, strict=True)):
            sizes = np.broadcast_to(sizes, len(arrays[0]))
            bad = ~((sizes >= 0.0) & np.isfinite(sizes))
            if bad.any():
                at = int(bad.argmax())
                raise DataError(
                    f"{place(first + at)}: the standard deviation of {column} is {sizes[at]:g}",
                    "a standard deviation is a number above 0; 0 says that the column is exact in that row",
                )
            largest[k] = max(largest[k], float(sizes.max()))
    for column, size in zip(row.errors.columns, largest, strict=True):
        if size == 0.0:
            raise UsageError(
                f"{OPTION} says that {column} has no error",
                f"leave out {OPTION} {column}=0: that is the ordinary fit",
            )


# Of more rows only the largest moves are kept.
MOST_ROWS = 10_000


def corrected_points(judging: RowObjective, x: Vector) -> CorrectedPoints | None:
    """Return where the rows were moved at the answer ``x``; None where no column has errors."""
    errors = judging.row.errors
    if errors is None:
        return None
    parts = []
    names = tuple(judging.data.names)
    of_columns = [names.index(name) for name in (*errors.columns, *errors.names)]
    m = len(errors.columns)
    looks = [judging.pieces(name, x) for name in ("input_sigma", "fitted", "spread", "weighing")]
    for (_, sigmas), (_, fitted), (_, spread), (_, weighing), (_, arrays) in zip(
        *looks, judging.data.chunks(PIECE), strict=True
    ):
        own = [arrays[k] for k in of_columns]
        moved = [sigma * u for sigma, u in zip(sigmas, own[m:], strict=True)]
        points = [seen + move for seen, move in zip(own[:m], moved, strict=True)]
        with np.errstate(divide="ignore"):
            parts.append([*moved, *points, fitted[0], spread[0] / np.sqrt(weighing[1])])
    whole = [np.concatenate(column) for column in zip(*parts, strict=True)]
    moves = {}
    for column, move in zip(errors.columns, whole[:m], strict=True):
        at = int(np.abs(move).argmax())
        moves[column] = Move(float(np.sqrt((move * move).mean())), float(move[at]), at + 1)
    if judging.rows > MOST_ROWS:
        return CorrectedPoints(moves, {}, [], [])
    lists = [column.tolist() for column in whole[m:]]
    return CorrectedPoints(moves, dict(zip(errors.columns, lists[:m], strict=True)), lists[m], lists[m + 1])
