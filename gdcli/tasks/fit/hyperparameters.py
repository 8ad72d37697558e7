"""Numbers that are found from the data beside the parameters: the strength of a penalty, one of the loss.

The strength of the penalty on squares of parameters, ``--l2 auto``, is that with which rows left out are said best. The
rows are parted into folds, each is left out in turn and predicted by a fit to the others (Stone, J. Royal Statist.
Soc. B 36, 1974), for each strength on a path: half decades around the mean curvature of the sum of the losses in the
parameters that shrink, and none. The penalty of a fit to some of the rows is as much smaller as they are fewer.

A number of the loss is given while the parameters are fitted, from what is left it is found, and so on until neither
changes:

- ``huber``, ``tukey``: the median of the sizes of the residuals over 0.6745, as MASS's `rlm` has it, weighted
- ``cauchy``, ``student-t``: the scale that is most likely given the residuals
- ``negative-binomial``: the theta that is most likely given the means (Newton's method on its logarithm)
- a sum of squares with priors: the sum over the rows less the effective number of parameters
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import exp, fsum, inf, isfinite, log, sqrt
from typing import Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError, GdError, UsageError
from gdcli.kernel.status import Status
from gdcli.language.ieee import function
from gdcli.language.losses import TUNED
from gdcli.objective.row_model import by_squares, each_here, renumbered
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.loss_statistics import Seen
from gdcli.tasks.fit.penalties import penalised, shrunk, variance_left, with_number
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.fit.some_rows import Solve, fold, taken

# The median of the sizes of standard normal numbers.
_NORMAL_MEDIAN = 0.6745
_MOST = 200
_SETTLED = 1e-11
# Of a theta above this times the largest mean the variance is the mean.
_NO_SPREAD = 1e7
# A scale that is this part of what was measured is rounding; where most rows are met exactly a likelihood has no bound.
_ROUNDING = 1e-15


def settled(
    prepared: Prepared, settings: FitSettings, end_of: Callable[[Prepared, FitSettings], Mapping[str, Any]]
) -> Prepared:
    """Return the fit with the number that is estimated, and with the start where it was found.

    ``end_of`` gives the point at which a fit ends: whether it is a minimum is asked of the last one alone.
    Raises DataError where there is none: residuals that are zero for half of the rows.
    """
    problem = prepared.problem
    point = end_of(_first(prepared), settings)
    number = _estimate(prepared, point)
    logs = [log(number)]
    for _ in range(_MOST):
        budget.check()
        made = with_value(replace(prepared, problem=replace(problem, start=dict(point))), exp(logs[-1]))
        point = end_of(made, settings)
        logs.append(log(_estimate(made, point)))
        if abs(logs[-1] - logs[-2]) <= _SETTLED * max(1.0, abs(logs[-1])):
            break
        if len(logs) % 4 == 0:
            logs[-1] = _limit(logs)
    return with_value(replace(prepared, problem=replace(problem, start=dict(point))), exp(logs[-1]))


def _limit(logs: Sequence[float]) -> float:
    """Where three numbers of a sequence that approaches its end evenly lead (Aitken 1926); the last one if unclear."""
    a, b, c = logs[-3:]
    first, second = b - a, c - b
    if first == second or not abs(second) < 0.99 * abs(first):
        return c
    return c - second * second / (second - first)


def with_value(prepared: Prepared, value: float) -> Prepared:
    problem = prepared.problem
    numbers = problem.numbers
    plain = prepared.row if prepared.plain is None else prepared.plain
    if problem.estimated == "variance":
        numbers = numbers._replace(scale=sqrt(value))
    else:
        numbers = with_number(problem.loss, numbers, problem.estimated, value)
        plain = renumbered(plain, problem.loss, numbers, problem.trials)
    problem = replace(problem, numbers=numbers, found=value)
    if prepared.plain is None:
        return replace(prepared, problem=problem, row=plain)
    told, row = penalised(problem, plain, prepared.data.rows, numbers.scale**2)
    return replace(prepared, problem=told, row=row, plain=plain)


def _first(prepared: Prepared) -> Prepared:
    """A fit to begin with: by least squares, of counts as Poisson's."""
    problem = replace(prepared.problem, estimated="", found=None)
    plain = prepared.row if prepared.plain is None else prepared.plain
    if problem.loss == "squared":
        return replace(prepared, problem=replace(problem, l2=None, priors=()), row=plain, plain=None)
    loss = "poisson" if problem.loss == "negative-binomial" else "squared"
    row = renumbered(plain, loss, problem.numbers) if loss == "poisson" else by_squares(plain)
    problem = replace(problem, loss=loss, l2=None, priors=(), weights=None)
    return replace(prepared, problem=problem, row=row, plain=None)


def _estimate(prepared: Prepared, point: Mapping[str, Any]) -> float:
    problem = prepared.problem
    x = prepared.row.space.flatten(point)
    plain = prepared.row if prepared.plain is None else prepared.plain
    if problem.estimated == "variance":
        found = variance_left(problem, plain, prepared.data, x)
    else:
        seen = Seen.of(RowObjective(plain, prepared.data), x)
        if problem.loss == "negative-binomial":
            return _theta(seen)
        r = [y - f for y, f in zip(seen.measured, seen.fitted, strict=True)]
        found = _median([abs(a) for a in r], seen.weights) / _NORMAL_MEDIAN
        if problem.loss not in TUNED:
            dof = 1.0 if problem.loss == "cauchy" else problem.numbers.dof
            found = _likely_scale(r, seen.weights, dof, found or sqrt(fsum(a * a for a in r) / len(r)))
        if found <= _ROUNDING * max(map(abs, seen.measured)):
            found = 0.0
    if not (found > 0.0 and isfinite(found)):
        raise DataError(
            "the scale of the residuals is zero: the model meets half of the rows exactly",
            "give one with --scale, or leave out --loss",
        )
    return found


def _median(sizes: Sequence[float], weights: Sequence[float]) -> float:
    """The middle of numbers, each of which counts as its weight says; of two that are it the middle between them."""
    half, below, lower = 0.5 * fsum(weights), 0.0, None
    for size, weight in sorted(zip(sizes, weights, strict=True)):
        below += weight
        if lower is None and below >= half * (1.0 - 1e-15 * len(sizes)):
            lower = size
        if below > half * (1.0 + 1e-15 * len(sizes)):
            return 0.5 * (lower + size) if lower is not None else size
    return lower or 0.0


def _likely_scale(r: Sequence[float], weights: Sequence[float], dof: float, scale: float) -> float:
    total = fsum(weights)
    for _ in range(_MOST):
        square = scale * scale
        if not square > 0.0:
            return 0.0
        parts = (w * (dof + 1.0) * a * a / (dof + a * a / square) for w, a in zip(weights, r, strict=True))
        new = sqrt(fsum(parts) / total)
        if abs(new - scale) <= 1e-15 * scale or not new > 0.0:
            return new
        scale = new
    return scale


def _theta(seen: Seen) -> float:
    digamma, trigamma = function("digamma"), function("trigamma")
    largest = max(seen.fitted)

    def slope(theta: float) -> tuple[float, float]:
        def first(f: float, y: float) -> float:
            all_ = f + theta
            return digamma(y + theta) - digamma(theta) + log(theta / all_) + 1.0 - (y + theta) / all_

        def second(f: float, y: float) -> float:
            all_ = f + theta
            return trigamma(y + theta) - trigamma(theta) + 1.0 / theta - 2.0 / all_ + (y + theta) / all_**2

        return seen.sum(first), seen.sum(second)

    variance = seen.sum(lambda f, y: (y - f) ** 2 - f)
    theta = seen.sum(lambda f, y: f * f) / variance if variance > 0.0 else _NO_SPREAD * largest
    low, high = 0.0, float("inf")
    for _ in range(_MOST):
        first, second = slope(theta)
        low, high = (theta, high) if first > 0.0 else (low, theta)
        if low >= _NO_SPREAD * largest:
            break
        bend = theta * (first + theta * second)  # the second derivative by log(theta)
        new = theta * exp(max(-2.0, min(2.0, -theta * first / bend))) if bend < 0.0 else 2.0 * theta
        if not low < new < high:
            new = 0.5 * (low + high) if isfinite(high) else 2.0 * theta
        if abs(new - theta) <= 1e-14 * theta:
            return new
        theta = new
    return min(theta, _NO_SPREAD * largest)


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
