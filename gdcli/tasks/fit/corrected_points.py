"""Where the rows of a fit with errors in columns were moved to: the nearest points of the curve."""

from __future__ import annotations

from gdcli.kernel.vectors import Vector, np
from gdcli.objective.row_objective import PIECE, RowObjective
from gdcli.tasks.fit.fit_outcome import CorrectedPoints, Move

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
