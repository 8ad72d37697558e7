"""How much each row has to say in a fit: leverages, and what the rows would be missed by if they were not there.

The leverage of a row is the part of a change of its measured value by which what is fitted there follows: the diagonal
of ``J (J'J)^-1 J'``, with J the (weighted) Jacobian at the answer (Cook and Weisberg, Residuals and Influence in
Regression, 1982). It is a row of ``J R^-1`` squared, with R the triangle of J.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.compile.runners import numpy
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Array
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.some_rows import directions

if TYPE_CHECKING:
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared


# Numbers of a Jacobian that is held as a whole.
MOST_NUMBERS = 10_000_000


class RowsSeen(NamedTuple):
    """The (weighted) Jacobian of the residuals (rows, p), the residuals y - f and the leverages, (rows,) each."""

    jacobian: Array
    residuals: Array
    leverages: Array


def rows_seen(prepared: Prepared, outcome: FitOutcome) -> RowsSeen | None:
    """Return the rows of a least-squares fit at its answer; None where they are not finite, or very many."""
    np, x = numpy(), prepared.row.space.flatten(outcome.point)
    if prepared.data.rows * len(x) > MOST_NUMBERS:
        return None
    whole = RowObjective(prepared.row, prepared.data).all_rows("jacobian", x)
    if not np.isfinite(whole).all():
        return None
    basis, _ = directions(whole[:-1].T)
    return RowsSeen(whole[:-1].T, whole[-1], (basis * basis).sum(axis=1))


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
