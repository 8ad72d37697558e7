"""What the data tell of a fit whose loss is no plain square: likelihood, deviance, errors of the parameters.

The likelihoods are those with all constants, deviances are twice what a perfect model would gain. Both are made of sums
over rows, so that rows may be anywhere. The covariance of the parameters is of

- a likelihood: the inverse of the Hessian of its negative logarithm;
- ``gamma`` and ``negative-binomial``: the inverse of the expected information ``sum(f' f'/V)`` (McCullagh and Nelder,
  Generalized Linear Models, 1989, section 2.5), for gamma times the dispersion of Pearson's residuals, as in R's `glm`
  and MASS's `glm.nb`;
- ``huber`` and ``tukey`` with a scale: Huber's first proposal (Robust Statistics, 1981, section 7.6), as in `rlm` of
  MASS;
- a sum of squares with penalties: ``s**2`` times the inverse of half the Hessian, the spread of the posterior density;
  ``s**2`` is the sum of the squares of the residuals over the rows less the effective number of parameters;
- any other: the sandwich ``H^-1 G H^-1``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import fsum, lgamma, log, pi

from gdcli.judge.statistics import FitStatistics, Uncertainty, information, spread_of
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.dense import Matrix
from gdcli.kernel.vectors import Array, Vec, Vector, dot, np, to_list
from gdcli.language.losses import LOSSES, TUNED, Numbers
from gdcli.objective.row_model import RowModel, Rows, is_smooth
from gdcli.objective.row_objective import RowObjective, added
from gdcli.tasks.fit.data_checks import cells_of
from gdcli.tasks.fit.penalties import curvatures
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.request import FitProblem


class Seen(NamedTuple):
    """What the model says of each row, what was measured, what the row counts, how many trials, and the loss."""

    fitted: Sequence[float]
    measured: Sequence[float]
    weights: Sequence[float]
    trials: Sequence[float]
    losses: Sequence[float]

    @classmethod
    def of(cls, objective: RowObjective, x: Sequence[float], trials: str | None = None) -> Seen:
        fitted, measured, losses, weights = list[float](), list[float](), list[float](), list[float]()
        for says, response, loss in objective.vectors("fitted", x):
            fitted += map(float, says)
            measured += map(float, response)
            losses += map(float, loss)
        for _, weight in objective.vectors("weighing", x):
            weights += map(float, weight)
        return cls(fitted, measured, weights, column(objective.data, trials) if trials else [], losses)

    def sum(self, term: Callable[[float, float], float]) -> float:
        """The weighted sum of a term of what is said and what was measured."""
        return fsum(w * term(f, y) for w, f, y in zip(self.weights, self.fitted, self.measured, strict=True))


def column(data: Rows, name: str) -> list[float]:
    return [cell for _, cells in cells_of(data, name) for cell in to_list(cells)]


class Measures(NamedTuple):
    """The log-likelihood at the answer, and the deviance; each None of a loss that has none."""

    log_likelihood: float | None = None
    deviance: float | None = None


def measures(problem: FitProblem, plain: RowObjective, x: Vector) -> Measures:
    """Return how good a fit with a named loss is; ``plain`` is its objective without penalties.

    For the deviance see McCullagh and Nelder, Generalized Linear Models, 1989, section 2.3.
    """
    loss = problem.loss
    if loss not in _CONSTANTS:
        return Measures()
    found = plain.over(_sums, added, tuple(x), loss, problem.numbers, problem.trials)
    total, constant, deviance, weights = map(float, found)
    if loss == "gamma":  # the constant is the sum of the logarithms of what was measured
        deviance = 2.0 * (total - constant - weights)
        return Measures(_gamma(total, constant, deviance, weights), deviance)
    return Measures(constant - total, deviance if loss in _DEVIANCES else None)


def _sums(
    objective: RowObjective, x: Sequence[float], loss: str, numbers: Numbers, trials: str | None
) -> list[float]:
    """The sums of the losses, of the constants of the likelihood, of the deviances and of the weights."""
    seen = Seen.of(objective, x, trials)
    deviance = _DEVIANCES[loss](seen, numbers) if loss in _DEVIANCES else 0.0
    return [fsum(seen.losses), _CONSTANTS[loss](seen, numbers), deviance, fsum(seen.weights)]


def _gamma(total: float, logs: float, deviance: float, weights: float) -> float | None:
    """With the shape that is the inverse of the mean deviance, as R's `logLik` has it."""
    if not deviance > 0.0:
        return None
    shape = weights / deviance
    return weights * (shape * log(shape) - lgamma(shape)) + (shape - 1.0) * logs - shape * total


def _binomial_constant(seen: Seen, numbers: Numbers) -> float:
    rows = zip(seen.weights, seen.measured, seen.trials, strict=True)
    return fsum(w * (lgamma(n + 1.0) - lgamma(y + 1.0) - lgamma(n - y + 1.0)) for w, y, n in rows)


def _negative_binomial_constant(seen: Seen, numbers: Numbers) -> float:
    theta = numbers.theta
    least = theta * log(theta) - lgamma(theta)
    return seen.sum(lambda f, y: least + lgamma(y + theta) - lgamma(y + 1.0))


def _student_constant(seen: Seen, numbers: Numbers) -> float:
    dof = numbers.dof
    one = lgamma(0.5 * (dof + 1.0)) - lgamma(0.5 * dof) - 0.5 * log(dof * pi) - log(numbers.scale)
    return one * fsum(seen.weights)


_CONSTANTS: dict[str, Callable[[Seen, Numbers], float]] = {
    "logistic": lambda seen, numbers: 0.0,
    "binomial": _binomial_constant,
    "poisson": lambda seen, numbers: -seen.sum(lambda f, y: lgamma(y + 1.0)),
    "negative-binomial": _negative_binomial_constant,
    "gamma": lambda seen, numbers: seen.sum(lambda f, y: log(y)),
    "cauchy": lambda seen, numbers: -log(pi * numbers.scale) * fsum(seen.weights),
    "student-t": _student_constant,
}


def _part(y: float, f: float) -> float:
    """y log(y/f), and its limit at 0; without end where f is 0 and y is not."""
    if y == 0.0:
        return 0.0
    return y * log(y / f) if f > 0.0 else float("inf")


def _binomial_deviance(seen: Seen, numbers: Numbers) -> float:
    rows = zip(seen.weights, seen.fitted, seen.measured, seen.trials, strict=True)
    return 2.0 * fsum(w * (_part(y, f) + _part(n - y, n - f)) for w, f, y, n in rows)


def _negative_binomial_deviance(seen: Seen, numbers: Numbers) -> float:
    theta = numbers.theta
    return 2.0 * seen.sum(lambda f, y: _part(y, f) - (y + theta) * log((y + theta) / (f + theta)))


_DEVIANCES: dict[str, Callable[[Seen, Numbers], float]] = {
    "logistic": lambda seen, numbers: 2.0 * fsum(seen.losses),
    "binomial": _binomial_deviance,
    "poisson": lambda seen, numbers: 2.0 * seen.sum(lambda f, y: _part(y, f) - (y - f)),
    "negative-binomial": _negative_binomial_deviance,
}


LOST = "the curvature of the loss is lost in its kinks, or in rounding"
_NO_CURVATURE = "the {} loss has no curvature from which errors would follow"


def errors_of_loss(
    prepared: Prepared, sums: RowObjective, x: Vector, names: Sequence[str]
) -> FitStatistics | None:
    """Return the statistics at the answer x; ``sums`` are the losses. None where derivatives are not finite."""
    problem = prepared.problem
    at = sums.evaluate(sums.vector(x), 2)
    if at.hessian is None:
        return None
    if prepared.plain is not None and problem.loss == "squared":
        return _penalised_squares(prepared, prepared.plain, at.hessian, x, names)
    plain = sums if prepared.plain is None else RowObjective(prepared.plain, prepared.data)
    told = measures(problem, plain, x)
    likelihood = told.log_likelihood
    if not problem.loss and problem.sense == "maximize":
        likelihood = -at.value
    errors = _errors(prepared, sums, at.hessian, x, names, likelihood)
    if prepared.plain is not None:
        likelihood = None  # there is no count of parameters that criteria of it could take
    estimated = len(names) + max(bool(problem.estimated), problem.loss == "gamma")
    return FitStatistics(prepared.data.rows, None, errors, estimated, likelihood, deviance=told.deviance)


def _errors(
    prepared: Prepared,
    sums: RowObjective,
    hessian: Matrix,
    x: Vector,
    names: Sequence[str],
    likelihood: float | None,
) -> Uncertainty:
    problem, point = prepared.problem, list(x)
    loss, level = LOSSES.get(problem.loss), problem.told_level
    if problem.loss in ("absolute", "quantile"):
        return information(hessian, point, names, level=level).without(_NO_CURVATURE.format(problem.loss))
    if loss is not None and prepared.plain is None:
        if loss.by_variance:
            return _expected(prepared, x, names)
        if loss.name in TUNED and problem.scaled:
            return _by_scale(prepared, x, names)
    middle = None if likelihood is not None else scores(sums, x)
    errors = information(hessian, point, names, middle, level)
    lost = loss is None and errors.rank < len(names) and not is_smooth(prepared.row)
    return replace(errors.without(LOST), rank=len(names)) if lost else errors


def slopes_of(row: RowModel, prepared: Prepared, x: Vector) -> Array:
    """The derivatives of what the model says by the parameters, (rows, p)."""
    return RowObjective(row, prepared.data).all_rows("slopes", x)[:-1].T


def dispersion(prepared: Prepared, x: Vector) -> float | None:
    """Return the dispersion of gamma: the sum of ``w ((y - f)/f)**2`` over the degrees of freedom; None without any."""
    seen = Seen.of(RowObjective(prepared.row, prepared.data), x)
    left = sum(w > 0.0 for w in seen.weights) - len(x)
    return seen.sum(lambda f, y: ((y - f) / f) ** 2) / left if left > 0 else None


def _expected(prepared: Prepared, x: Vector, names: Sequence[str]) -> Uncertainty:
    problem, left = prepared.problem, math.inf
    seen = Seen.of(RowObjective(prepared.row, prepared.data), x)
    J, f, w = slopes_of(prepared.row, prepared, x), np.array(seen.fitted), np.array(seen.weights)
    if problem.loss == "gamma":
        variance, left = f * f, int(np.count_nonzero(w)) - len(names)
        spread = math.sqrt(dispersion(prepared, x) or math.nan)
    else:
        variance, spread = f + f * f / problem.numbers.theta, 1.0
    weighed = J * np.sqrt(w / variance)[:, None]
    made = information(
        (weighed.T @ weighed).tolist(), list(x), names, level=problem.told_level, scale=spread, dof=left
    )
    return made if left > 0 else made.without("no degrees of freedom")


def _by_scale(prepared: Prepared, x: Vector, names: Sequence[str]) -> Uncertainty:
    problem, p = prepared.problem, len(names)
    seen = Seen.of(RowObjective(prepared.row, prepared.data), x)
    J, r = slopes_of(prepared.row, prepared, x), np.array(seen.measured) - np.array(seen.fitted)
    part, weights = r / problem.numbers.delta, np.array(seen.weights)
    n = int(np.count_nonzero(weights))
    counts = weights * (n / weights.sum())  # only their ratios tell
    inside = abs(part) <= 1.0
    if problem.loss == "huber":
        bend, pull = inside * 1.0, np.clip(part, -1.0, 1.0)
    else:
        left = np.where(inside, 1.0 - part * part, 0.0)
        bend, pull = left * (left - 4.0 * part * part), part * left * left
    mean, scale = float(counts @ bend) / n, math.nan
    if n > p and mean > 0.0:
        spread = math.sqrt(float(counts @ (pull * pull)) / (n - p)) * problem.numbers.delta
        varies = float(counts @ (bend - mean) ** 2) / (n - 1)
        scale = spread * (1.0 + p * varies / (n * mean * mean)) / mean
    half = ((J.T * counts) @ J).tolist()
    if scale != scale:
        return information(half, list(x), names).without("no degrees of freedom" if n <= p else LOST)
    return information(half, list(x), names, level=problem.told_level, scale=scale)


def _penalised_squares(
    prepared: Prepared, plain: RowModel, hessian: Matrix, x: Vector, names: Sequence[str]
) -> FitStatistics:
    problem = prepared.problem
    sums = RowObjective(plain, prepared.data)
    rss = float((sums.all_rows("jacobian", x)[-1] ** 2).sum())
    half = 0.5 * np.array([list(row) for row in hessian])
    pull = np.diag(curvatures(problem, prepared.row))
    measured, weights = sums.all_rows("weighing", x)
    known, rows = bool(problem.sigma) and not problem.scale_sigma, int(np.count_nonzero(weights))
    try:
        effective = len(x) - float(np.trace(np.linalg.solve(half, pull)))
    except np.linalg.LinAlgError:
        effective = float(len(x))
    left = rows - effective
    sd = math.sqrt(rss / left) if left > 0.0 else None
    scale, dof = (1.0, math.inf) if known else (sd or math.nan, left)
    made = information(half.tolist(), list(x), names, level=problem.told_level, scale=scale, dof=dof)
    if not known and sd is None:
        made = made.without("no degrees of freedom")
    tss = float(spread_of(rows, measured, weights, np.sum).about_mean) or None
    return FitStatistics(rows, rss, made, len(names) + (not known), residual_sd=sd, tss=tss)


def scores(sums: RowObjective, x: Vector) -> list[Vec]:
    """The sum over rows of the products of the rows' gradients, shape (p, p)."""
    found: list[Vec] = sums.over(_scores_here, added, tuple(x))
    return found


def _scores_here(sums: RowObjective, x: Sequence[float]) -> list[Vec]:
    found = [Vec([0.0] * sums.size)] * sums.size
    for slopes in sums.vectors("gradient", x):
        found = [row + Vec([dot(u, v) for v in slopes]) for row, u in zip(found, slopes, strict=True)]
    return found
