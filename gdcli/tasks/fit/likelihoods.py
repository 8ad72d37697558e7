"""The likelihoods of losses with all their constants, and their deviances: twice what a perfect model would gain.

Both are made of sums over rows, so that rows may be anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum, lgamma, log, pi
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Vector
from gdcli.language.losses import Numbers
from gdcli.objective.row_model import Rows
from gdcli.objective.row_objective import RowObjective, added

if TYPE_CHECKING:
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
    k = tuple(data.names).index(name)
    if data.lists is not None:
        return data.lists[k]
    found = list[float]()
    for _, arrays in data.chunks(1 << 14):
        found += arrays[k].tolist()
    return found


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
