"""The residuals of a fit in their order: over the one column of the model, else as the rows stand."""

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
    residuals = list[float]()
    for values in RowObjective(prepared.row, prepared.data).vectors("jacobian", x):
        residuals += map(float, values[-1])
    over, ordered = drawn_over(prepared), residuals
    if over is not None:
        places = column(prepared.data, over)
        ordered = [residuals[i] for i in sorted(range(len(residuals)), key=places.__getitem__)]
    return ResidualChecks(over, runs(ordered), durbin_watson(ordered), anderson_darling(residuals))
