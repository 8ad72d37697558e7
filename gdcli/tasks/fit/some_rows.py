"""Parts of the rows of a fit: folds that are left out in turn, Jacobians, and how much each row has to say.

The leverage of a row is the part of a change of its measured value by which what is fitted there follows: the diagonal
of ``J (J'J)^-1 J'``, with J the (weighted) Jacobian at the answer (Cook and Weisberg, Residuals and Influence in
Regression, 1982). It is a row of ``J R^-1`` squared, with R the triangle of J.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.row_objective import RowObjective
from gdcli.table.blocks import Columns
from gdcli.tasks.fit.fit_outcome import FitOutcome
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.request import FitSettings

Solve = Callable[[Prepared, FitSettings], FitOutcome]

# A column that holds what another model says; no column of a file that a model can name is called so.
TARGET = "what another model says"


class RowsInPlace:
    """Rows that are put in place piece by piece."""

    lists = parts = None

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.arrays: list[Any] = []
        self.rows = 1

    def put(self, arrays: list[Any]) -> None:
        self.arrays, self.rows = arrays, len(arrays[0])

    def chunks(self, size: int) -> Iterator[tuple[int, list[Any]]]:
        for lo in range(0, self.rows, size):
            yield lo, [array[lo : lo + size] for array in self.arrays]


def taken(data: Columns, rows: Sequence[int]) -> Columns:
    if data.lists is not None:
        return Columns(data.names, [[column[i] for i in rows] for column in data.lists])
    picked = data.pick(np.array(rows, dtype=np.int64))
    return Columns(data.names, [column.copy() for column in picked])


def fold(k: int, rows: int, number: int, seed: int) -> tuple[list[int], list[int]]:
    """Return the rows to fit and those left out of fold k, drawn with the seed; as many folds as rows: one each."""
    order = list(range(rows))
    Random(seed).shuffle(order)
    out = set(order[k::number])
    return [i for i in range(rows) if i not in out], sorted(out)


def aimed_at(prepared: Prepared, target: Array) -> Prepared:
    """Return the least-squares fit of a model to what another one says of the same rows, each counted once."""
    row, data = prepared.row, prepared.data
    assert row.fitted is not None
    measured = row.graph.scalar(TARGET)
    residual = row.graph.node("sub", measured, row.fitted)
    aimed = replace(
        row,
        loss=row.graph.node("mul", residual, residual),
        residual=residual,
        deviation=None,
        response=measured,
        weight=None,
        columns=(*row.columns, TARGET),
    )
    columns = [a.copy() for a in data.take(0, data.rows)]
    problem = replace(prepared.problem, loss="squared", weights=None, sigma=None, searched=None)
    problem = replace(problem, estimated="", diagnostics=False)
    return replace(
        prepared, problem=problem, row=aimed, data=Columns((*data.names, TARGET), [*columns, target])
    )


def slopes(prepared: Prepared, x: Vector) -> Array:
    """Return the derivatives of the residuals by the parameters at x, (rows, p)."""
    return RowObjective(prepared.row, prepared.data).all_rows("jacobian", x)[:-1].T


class Directions(NamedTuple):
    """An orthonormal basis of the columns of a Jacobian, (rows, r), and whether r is the number of columns."""

    basis: Array
    full: bool


# Singular values, of columns with length 1, below this part of the largest one are rounding.
_RANK = 1e-9


def directions(J: Array) -> Directions:
    lengths = np.sqrt((J * J).sum(axis=0))
    U, S, _ = np.linalg.svd(J / np.where(lengths > 0.0, lengths, 1.0), full_matrices=False)
    least = _RANK * S.max(initial=0.0)
    kept = least < S
    return Directions(U[:, kept], bool(kept.all()) and J.shape[1] <= J.shape[0])


# Numbers of a Jacobian that is held as a whole.
MOST_NUMBERS = 10_000_000


class RowsSeen(NamedTuple):
    """The (weighted) Jacobian of the residuals (rows, p), the residuals y - f and the leverages, (rows,) each.

    They are of the rows of positive weight; ``weights`` (rows,) are these, and ``numbers`` (rows,) say which rows.
    """

    jacobian: Array
    residuals: Array
    leverages: Array
    weights: Array
    numbers: Array


def rows_seen(prepared: Prepared, outcome: FitOutcome) -> RowsSeen | None:
    """Return the rows of a least-squares fit at its answer; None where they are not finite, or very many."""
    x = prepared.row.space.flatten(outcome.point)
    if prepared.data.rows * len(x) > MOST_NUMBERS:
        return None
    objective = RowObjective(prepared.row, prepared.data)
    _, weights = objective.all_rows("weighing", x)
    counted = np.flatnonzero(weights)
    whole = objective.all_rows("jacobian", x)[:, counted]
    if not np.isfinite(whole).all():
        return None
    basis, _ = directions(whole[:-1].T)
    leverages = (basis * basis).sum(axis=1)
    return RowsSeen(whole[:-1].T, whole[-1], leverages, weights[counted], counted)


# A row whose leverage is 1 but for rounding is met whatever it says.
ALL = 1e-9


def deleted_residuals(prepared: Prepared, outcome: FitOutcome) -> list[float] | None:
    """Return by how much each row would be missed by the fit of the others: r/(1 - h).

    This is exact for a model that is linear in its parameters, and for others to first order. None where a row alone
    tells a parameter.
    """
    seen = rows_seen(prepared, outcome)
    if seen is None or (seen.leverages > 1.0 - ALL).any():
        return None
    found: list[float] = (seen.residuals / (1.0 - seen.leverages)).tolist()
    return found
