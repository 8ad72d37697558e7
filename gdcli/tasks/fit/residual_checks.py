"""The residuals of a fit: their runs over the one column of the model, else as the rows stand, and what else is tested.

Durbin and Watson's statistic is of the rows as they stand: it asks for what the one before leaves to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.judge.residual_tests import anderson_darling, durbin_watson, runs
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.diagnosis import ResidualChecks
from gdcli.tasks.fit.likelihoods import column
from gdcli.tasks.fit.row_sample import drawn_over

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Vector
    from gdcli.tasks.fit.prepare import Prepared


def residual_checks(prepared: Prepared, x: Vector) -> ResidualChecks | None:
    """Return what the (weighted) residuals of a least-squares fit at x look like; None for other losses."""
    if prepared.row.residual is None or prepared.row.fitted is None:
        return None
    objective, over = RowObjective(prepared.row, prepared.data), drawn_over(prepared)
    found = [float(r) for values in objective.vectors("jacobian", x) for r in values[-1]]
    weights = [float(w) for _, some in objective.vectors("weighing", x) for w in some]
    rows = [i for i, w in enumerate(weights) if w]  # the others were not fitted
    residuals = [found[i] for i in rows]
    if over is not None:
        rows.sort(key=column(prepared.data, over).__getitem__)
    ordered = [found[i] for i in rows]
    return ResidualChecks(over, runs(ordered), durbin_watson(residuals), anderson_darling(residuals))
