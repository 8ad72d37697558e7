"""How well the data tell each parameter: standard errors and what follows from them, or why there are none.

For a sum of squares they come from the Jacobian of the residuals, for a likelihood from the Hessian of its negative
logarithm, for other losses from both the Hessian and the spread of the rows' gradients. See
:mod:`gdcli.judge.statistics` for the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from gdcli.judge.statistics import Parameters, Spread, fit_statistics
from gdcli.kernel.budget import if_in_time
from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.factors import column_lengths
from gdcli.kernel.numerics import EPS
from gdcli.kernel.vectors import Vector, dot, ones_like, positive_logs, raised, times, total
from gdcli.objective.row_model import by_squares, has_constant
from gdcli.objective.row_objective import RowObjective, added
from gdcli.solve.algebra.residual_model import (
    ResidualModel,
    errors_of_rounding,
    moves_of,
    residual_floor,
    rounding_shows,
)
from gdcli.tasks.pipeline import ActiveBound

if TYPE_CHECKING:
    from gdcli.judge.statistics import FitStatistics, Uncertainty
    from gdcli.tasks.fit.jacobian_errors import Face
    from gdcli.tasks.fit.prepare import Plan, Prepared
    from gdcli.tasks.fit.request import FitProblem


class Left(NamedTuple):
    """What is left of the measured values: sums of squares.

    Of all residuals, of the part of them that a step can take away, and of what may be rounding. ``blur`` are the
    standard errors of the parameters that such rounding alone makes, None where the data do not tell all of them.
    """

    total: float
    misfit: float
    floor: float
    blur: tuple[float, ...] | None = None

    @property
    def is_rounding(self) -> bool:
        return self.total <= self.floor


@dataclass(frozen=True, slots=True)
class Errors:
    """The statistics ``found``, None where there are none for the ``reason``.

    ``full_rank`` tells that the data tell all parameters that no bound holds; ``redundant`` says which they do not.
    ``left`` is known where the loss is a square, or is one near the measured values.
    """

    found: FitStatistics | None = None
    reason: str = ""
    full_rank: bool = False
    redundant: str = ""
    left: Left | None = None


# Losses of y - f(x) alone that are no square: what the data tell is seen by the Jacobian of f all the same.
_NEAR_SQUARES = ("absolute", "quantile", "huber", "tukey", "cauchy", "student-t")
# Below this part of the largest singular value of the scaled Jacobian its errors have less than ten digits.
_WEAK = 1e-5
# Of a direction with a singular value below this part the effect on the sum, its square, is rounding.
_LOST = math.sqrt(EPS)
_EXACT = "zero but for rounding: the model says all that was measured"


def estimate_errors(
    prepared: Prepared, x: Vector, active: Sequence[ActiveBound], face: Face | None = None
) -> Errors:
    """Return the errors of the parameters at the answer ``x``.

    ``active`` are the bounds that hold it, ``face`` is that of the active constraints.
    """
    names = prepared.row.space.labels
    held = [name in {bound.name for bound in active} for name in names]
    constant = sum(bound.side == "fixed" for bound in active) + (face.equations if face else 0)
    sums = RowObjective(prepared.row, prepared.data, float(prepared.data.rows))
    left = None
    if prepared.row.residual is not None:
        found, left = _of_squares(prepared, sums, x, names, (held, constant, face))
    elif face is not None:
        return Errors(reason="with active constraints errors are those of sums of squares alone")
    else:
        from gdcli.tasks.fit.loss_statistics import errors_of_loss

        found = errors_of_loss(prepared, sums, x, names)
        squares = _as_squares(prepared, x, names, held) if prepared.problem.loss in _NEAR_SQUARES else None
        if found is not None and squares is not None:
            found = _identified(found, squares[0])
            left = (
                squares[1] if prepared.problem.loss in ("huber", "tukey") or squares[1].is_rounding else None
            )
    if found is None:
        return Errors(reason="the derivatives are not finite at the answer")
    if left is not None and left.is_rounding:
        found = replace(found, exact=True)
        if prepared.problem.sigma is None or prepared.problem.scale_sigma:  # else errors are those of sigma
            found = replace(
                found,
                errors=_of_exact(found.errors, names, left, prepared.problem.linear),
                log_likelihood=None,
            )
    errors = found.errors
    rank = errors.rank + constant >= len(names)
    return Errors(found, errors.reason, rank, "; ".join(errors.redundant), left)


def errors_in_time(
    prepared: Prepared, x: Vector, active: Sequence[ActiveBound], face: Face | None = None
) -> Errors:
    """Return the same, or say that the limits of the run leave no room for it."""
    late = Errors(reason="the time or the memory allowed did not suffice for the errors")
    return if_in_time(lambda: estimate_errors(prepared, x, active, face), late)


def without_errors(found: FitStatistics | None, reason: str) -> FitStatistics | None:
    """Return the statistics without what has a meaning only at a minimum."""
    if found is None:
        return None
    return replace(found, errors=found.errors.without(reason), log_likelihood=None)


def _of_squares(
    prepared: Prepared,
    sums: RowObjective,
    x: Vector,
    names: Sequence[str],
    holding: tuple[Sequence[bool], int, Face | None],
) -> tuple[FitStatistics | None, Left | None]:
    """``holding`` are the parameters that bounds hold, how many are no longer estimated, and the face."""
    held, constant, face = holding
    model = _linear_model(sums, x, held)
    if model is None:
        return None, None
    if face is not None:
        from gdcli.tasks.fit.jacobian_errors import on_face

        model = model.with_triangle(on_face(model.triangle, face))
    spread = _spread(sums, x)
    value = partial(_sum_of_squares, sums)
    parameters = Parameters(list(x), names, model.free, constant, value)
    found = fit_statistics(
        model.triangle,
        parameters,
        told_of(prepared, spread),
        error_kind(prepared.problem),
        prepared.problem.told_level,
    )
    if found.errors.weakest < _WEAK and face is None and all(model.free) and prepared.row.errors is None:
        from gdcli.tasks.fit.jacobian_errors import refined

        found = refined(found, sums, x, model.triangle.factor)
    if (
        prepared.row.errors is not None
    ):  # corrections are part of the likelihood, as many as rows: no criterion counts
        found = replace(found, log_likelihood=None)
    return found, _left(model, spread, x)


def told_of(fit: Prepared | Plan, spread: Spread) -> Spread:
    """Return what is told of what was measured: about zero of models that are linear and have no constant alone."""
    compares = fit.problem.linear and not has_constant(fit.row)
    return spread if compares else replace(spread, about_zero=None)


def error_kind(problem: FitProblem) -> str:
    """Return the kind of errors that are asked for, one of `gdcli.judge.statistics.ERROR_KINDS`."""
    if problem.sigma:
        return "scale_sigma" if problem.scale_sigma else "sigma"
    return "weights" if problem.weights else "unweighted"


def _left(model: ResidualModel, spread: Spread, x: Vector) -> Left:
    triangle = model.triangle
    misfit = dot(triangle.target, triangle.target)
    floor = residual_floor(math.sqrt(spread.about_zero), moves_of(model, x))
    blur = errors_of_rounding(model, floor / math.sqrt(max(1, spread.rows)))
    return Left(triangle.total, misfit, floor * floor, blur)


def _linear_model(
    sums: RowObjective, x: Vector, held: Sequence[bool], wide: bool = True
) -> ResidualModel | None:
    """The linear model of the residuals at ``x``, ``wide`` where they have more digits that would be seen."""
    at, wide = sums.evaluate(sums.vector(x)), wide and sums.has_wide
    triangle = sums.linearise(at, wide and not sums.spares_wide)
    if triangle is None:
        return None
    model = ResidualModel(triangle, column_lengths(triangle.factor), [not h for h in held])
    if wide and sums.spares_wide and rounding_shows(model, x, sums.rows):
        triangle = sums.linearise(at, wide=True)
        return None if triangle is None else model.with_triangle(triangle)
    return model


def _as_squares(
    prepared: Prepared, x: Vector, names: Sequence[str], held: Sequence[bool]
) -> tuple[Uncertainty, Left] | None:
    """What the Jacobian tells of the parameters, and what is left, as if the loss were a square."""
    sums = RowObjective(by_squares(prepared.row), prepared.data, float(prepared.data.rows))
    model = _linear_model(sums, x, held, wide=False)
    if model is None:
        return None

    parameters = Parameters(list(x), names, model.free, value=partial(_sum_of_squares, sums))
    found = fit_statistics(model.triangle, parameters, Spread(prepared.data.rows))
    return found.errors, _left(model, _spread(sums, x, weighted=False), x)


def _sum_of_squares(sums: RowObjective, x: Sequence[float]) -> float:
    return sums.evaluate(sums.vector(x)).value


def _identified(found: FitStatistics, squares: Uncertainty) -> FitStatistics:
    """Have the Jacobian tell which parameters the data tell: second derivatives of kinks tell nothing of it."""
    errors = found.errors
    if squares.rank > errors.rank and (errors.redundant or not errors.reason):
        from gdcli.tasks.fit.loss_statistics import LOST

        errors = errors.without(LOST)
    reason = "; ".join(squares.redundant) or errors.reason
    return replace(
        found, errors=replace(errors, rank=squares.rank, redundant=squares.redundant, reason=reason)
    )


def _spread(sums: RowObjective, x: Vector, weighted: bool = True) -> Spread:
    """Two passes: the weighted mean, then what lies about it."""
    rows, logs, all_weights, mean, zero = sums.over(_weighed, added, tuple(x), weighted)
    mean = mean / all_weights if all_weights > 0.0 else 0.0
    (about,) = sums.over(_about, added, tuple(x), mean)
    return Spread(rows, about, zero, logs)


def _weighed(sums: RowObjective, x: Sequence[float], weighted: bool) -> list[float]:
    rows, all_weights, mean, zero, logs = 0, 0.0, 0.0, 0.0, 0.0
    for measured, weight in sums.vectors("weighing", x):
        weight = weight if weighted else ones_like(weight)
        counted, log_weights = positive_logs(weight)
        rows += counted
        logs += log_weights
        all_weights += total(weight)
        mean += dot(weight, measured)
        zero += dot(weight, times(measured, measured))
    return [rows, logs, all_weights, mean, zero]


def _about(sums: RowObjective, x: Sequence[float], mean: float) -> list[float]:
    about = 0.0
    for measured, weight in sums.vectors("weighing", x):
        off = raised(measured, -mean)
        about += dot(weight, times(off, off))
    return [about]


def _of_exact(errors: Uncertainty, names: Sequence[str], left: Left, linear: bool) -> Uncertainty:
    """The errors of a model that says all that was measured: those that are known are zero, but for rounding.

    Not told are the parameters of a model that is not linear which rounding alone moves by more than their size, where
    the direction that is told worst is lost in the rounding of the sum: a factor that is 0 and the rate beside it.
    """
    lost: list[str] = []
    if not (linear or errors.redundant) and errors.weakest < _LOST and left.blur is not None:
        sizes = zip(names, errors.estimates, left.blur, strict=True)
        lost = [name for name, x, blur in sizes if blur > abs(x)]
    lost = lost if len(lost) > 1 else []
    if lost:
        both = f"rounding alone moves {' and '.join(lost)} by more than their size: fix one of them"
        errors = replace(errors, redundant=(both,), reason=both)
    told = zip(names, errors.standard_errors, strict=True)
    known = [error is not None and name not in lost for name, error in told]
    return replace(
        errors,
        standard_errors=tuple(0.0 if k else None for k in known),
        reason=errors.reason or _EXACT,
        factor=None if errors.factor is None else ((0.0,) * len(known),) * len(known),
    )
