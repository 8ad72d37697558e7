"""The strength of the penalty on squares of parameters, ``--l2 auto``: that with which rows left out are said best.

The rows are parted into folds, each is left out in turn and predicted by a fit to the others (Stone, J. Royal Statist.
Soc. B 36, 1974), for each strength on a path: half decades around the mean curvature of the sum of the losses in the
parameters that shrink, and none. The penalty of a fit to some of the rows is as much smaller as they are fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf, isfinite, sqrt
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError, GdError, UsageError
from gdcli.kernel.status import Status
from gdcli.objective.row_model import each_here
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.penalties import penalised, shrunk
from gdcli.tasks.fit.some_rows import fold, taken

if TYPE_CHECKING:
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitSettings

    Solve = Callable[[Prepared, FitSettings], FitOutcome]

Each = Callable[..., Iterator[Any]]  # as `gdcli.objective.row_model.Parts.each`

# Powers of the root of 10 by which the curvature is multiplied.
_POWERS = range(-10, 5)


def with_strength(prepared: Prepared, settings: FitSettings, solve: Solve) -> Prepared:
    """Return the fit with the strength of its penalty, and what rows left out cost with each that was tried.

    Raises UsageError where a number of the loss is to be found as well, DataError where there are fewer rows than
    folds, where no parameter shrinks, and where no fit is found.
    """
    problem, row, rows = prepared.problem, prepared.row, prepared.data.rows
    folds = problem.folds
    assert folds is not None
    if problem.estimated:
        raise UsageError(
            f"--l2 auto does not go with a {problem.estimated} that is to be found", "give one of them"
        )
    if rows < folds:
        raise DataError(
            f"{rows} rows cannot be parted into {folds} folds", f"--folds {max(2, rows)}, or fewer"
        )
    if not shrunk(row):
        raise DataError("no parameter shrinks: each is added alone", "leave out --l2")
    plain = replace(prepared, problem=replace(problem, folds=None), place=str)
    first = solve(plain, settings)
    if first.status is Status.CONVERGED:  # the fits to parts of the rows begin there
        plain = replace(plain, problem=replace(plain.problem, start=dict(first.point), searched=None))
    size = _curvature(plain)
    costs: dict[float, float] = {}
    for strength in (0.0, *(size * sqrt(10.0) ** k for k in _POWERS)):
        made = _penalised(plain, strength) if strength else plain
        cost = left_out_error(made, settings, folds, solve)
        costs[strength] = inf if cost is None else cost
    best = min(costs, key=lambda strength: (costs[strength], -strength))
    if costs[best] == inf:
        raise DataError(
            "no strength of --l2 has a fit to each part of the rows", "give it a number, or fewer --folds"
        )
    told = replace(problem, strengths=tuple(costs.items()))
    return _penalised(replace(prepared, problem=told), best)


def _penalised(plain: Prepared, strength: float) -> Prepared:
    problem, row = penalised(replace(plain.problem, l2=strength), plain.row, plain.data.rows)
    return replace(plain, problem=problem, row=row, plain=plain.row)


def _curvature(plain: Prepared) -> float:
    """The mean of half the second derivatives of the sum of the losses, in the parameters that shrink, at the start:
    there a penalty of that strength is as curved as the data.
    """
    objective = RowObjective(plain.row, plain.data)
    x = plain.row.space.flatten(plain.problem.start)
    hessian = objective.evaluate(objective.vector(x), 2).hessian
    curvatures = [0.0 if hessian is None else abs(hessian[i][i]) for i in shrunk(plain.row)]
    size = 0.5 * plain.data.rows * sum(curvatures) / len(curvatures)
    if not (size > 0.0 and isfinite(size)):
        raise DataError("the loss has no curvature in the parameters that shrink", "give --l2 a number")
    return float(size)


def left_out_error(
    prepared: Prepared, settings: FitSettings, folds: int, solve: Solve, each: Each = each_here
) -> float | None:
    """Return the error of rows left out: the root of the mean square, of other losses the mean; None without a fit.

    ``each`` computes what the folds cost.
    """
    total = 0.0
    for loss in each(_left_out_loss, range(folds), prepared, settings, folds, solve):
        budget.check()
        if loss is None:
            return None
        total += loss
    mean = total / prepared.data.rows
    squares = prepared.row.residual is not None or prepared.problem.loss == "squared"
    return sqrt(mean) if squares else mean


def _left_out_loss(
    k: int, prepared: Prepared, settings: FitSettings, number: int, solve: Solve
) -> float | None:
    """The loss, without penalties, of the rows that fold k leaves out; None where the others have no fit."""
    inside, outside = fold(k, prepared.data.rows, number, prepared.problem.seed)
    if len(inside) < prepared.row.space.size and prepared.plain is None:
        return None
    try:
        found = solve(replace(prepared, data=taken(prepared.data, inside)), settings)
    except GdError:
        return None
    held = RowObjective(prepared.plain or prepared.row, taken(prepared.data, outside))
    x = held.vector(prepared.row.space.flatten(found.point))
    return held.evaluate(x).value * len(outside)
