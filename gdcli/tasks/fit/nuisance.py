"""The number of a loss that is found from the data: the scale of a robust one, theta, the variance a prior weighs by.

With the number given the parameters are fitted, from what is left the number is found, and so on until neither changes:

- ``huber``, ``tukey``: the median of the sizes of the residuals over 0.6745, as MASS's `rlm` has it, weighted
- ``cauchy``, ``student-t``: the scale that is most likely given the residuals
- ``negative-binomial``: the theta that is most likely given the means (Newton's method on its logarithm)
- a sum of squares with priors: the sum over the rows less the effective number of parameters
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, fsum, isfinite, log, sqrt
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError
from gdcli.language.ieee import function
from gdcli.language.losses import TUNED
from gdcli.objective.row_model import by_squares, renumbered
from gdcli.objective.row_objective import RowObjective
from gdcli.tasks.fit.likelihoods import Seen
from gdcli.tasks.fit.penalties import penalised, variance_left, with_number
from gdcli.tasks.fit.request import FitSettings

if TYPE_CHECKING:
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared

    Solve = Callable[[Prepared, FitSettings], FitOutcome]

# The median of the sizes of standard normal numbers.
_NORMAL_MEDIAN = 0.6745
_MOST = 200
_SETTLED = 1e-11
# Of a theta above this times the largest mean the variance is the mean.
_NO_SPREAD = 1e7


def settled(prepared: Prepared, settings: FitSettings, solve: Solve) -> Prepared:
    """Return the fit with the number that is estimated, and with the start where it was found.

    Raises DataError where there is none: residuals that are zero for half of the rows.
    """
    problem = prepared.problem
    first = solve(_first(prepared), settings)
    number = _estimate(prepared, first.point)
    point, logs = first.point, [log(number)]
    for _ in range(_MOST):
        budget.check()
        made = with_value(replace(prepared, problem=replace(problem, start=dict(point))), exp(logs[-1]))
        point = solve(made, settings).point
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
