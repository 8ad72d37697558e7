"""Where the rows of a fit with errors in columns were moved to: the nearest points of the curve."""

from __future__ import annotations

from collections.abc import Mapping

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Vector, np
from gdcli.objective.row_objective import PIECE, RowObjective

# Of more rows only the largest moves are kept.
MOST_ROWS = 10_000


class Move(NamedTuple):
    """How far the rows were moved along a column: root mean square, and the largest move with its row, from 1."""

    typical: float
    largest: float
    row: int


class CorrectedPoints(NamedTuple):
    """The nearest points by column, what the model says there, and the effective standard deviation of each row.

    That is the one of ``y - f(x)`` with the errors of all columns in it, ``sqrt(sigma**2 + |f_x sigma_x|**2)``; it is
    in the unit of y, with sigma 1 where that is unknown. The lists are empty where there are more than `MOST_ROWS`.
    """

    points: Mapping[str, list[float]]
    fitted: list[float]
    effective_sigma: list[float]
    moves: Mapping[str, Move]


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
        return CorrectedPoints({}, [], [], moves)
    lists = [column.tolist() for column in whole[m:]]
    return CorrectedPoints(dict(zip(errors.columns, lists[:m], strict=True)), lists[m], lists[m + 1], moves)
