"""The end of a fit: the last digits, saddles, and parameters on their way to infinity.

Where the residuals at the end are large or strongly curved, Gauss and Newton's linear model converges slowly, and the
value is too blurred by rounding to judge a step: its own rounding hides half of the digits of the parameters. So the
last steps are Newton's, with the exact Hessian written in the basis of the linear model, and they are judged by the
*misfit*: the part of the residuals that a step can still take away. Beside the part that no step can take away it is
the relative offset of Bates and Watts (Technometrics 23, 1981), which has no unit and does not depend on how the
parameters are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import Reader, Writer, dataclass, field, stored
from gdcli.kernel.dense import Entry, congruent, eigen, largest_entry, matrix_is_finite
from gdcli.kernel.factors import combined, congruence
from gdcli.kernel.numerics import EPS
from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.vectors import Vec, Vector, as_like, dot, max_abs, quotient
from gdcli.objective.protocol import Box, Evaluation, Objective
from gdcli.solve.algebra.quadratic_model import EXACT_LIMIT, hessian_source, with_hessian
from gdcli.solve.algebra.residual_model import ResidualModel, moves_of, residual_floor, rounding_of_squares
from gdcli.solve.probe.line_probe import ProbeEnd, Walk, follow
from gdcli.solve.scaling import inward, outward, rescaled, units_at

if TYPE_CHECKING:
    from gdcli.solve.algebra.batched_model import BatchedModel

# A predicted fall below this part of the value is the end game: the relative offset is 1e-5, and the value, good to
# 1e-14 or so, can foretell the ratio of falls no longer.
CLOSE = 1e-10
# A polishing step must shorten the misfit by this factor; at its rounding it does not.
BETTER = 0.5
MAX_POLISH = 30
MAX_ESCAPES = 4
# Curvature below this part of the largest, in the scales of the parameters, has no sure sign.
SURE = 1e-9
# Entries of the Hessian in the basis of the linear model that are blurred more than this are left out.
_BLUR = 0.01
_ESCAPE_TRIALS = 24
# A parameter in flight moves by this part of itself at least in a step.
LONG = 1e-3


# -- of one model, or of many at once ----------------------------------------------------------------------------------


def rounding_of(model: ResidualModel | BatchedModel, x: Vector) -> Entry:
    """Return the misfit at x that the rounding of the parameters makes."""
    return EPS * (sum(moves_of(model, x)) + model.residual_norm)


def is_close(model: ResidualModel | BatchedModel) -> Entry:
    return model.misfit * model.misfit <= CLOSE * model.total


def is_within(model: ResidualModel | BatchedModel, offset: float) -> Entry:
    """Tell whether the relative offset of Bates and Watts (Technometrics 23, 1981), misfit over rest, is no larger.

    It is the distance to the end in units of (about) the standard errors of the parameters, over sqrt(n - p).
    """
    return model.misfit <= offset * model.residual_norm


def is_better(there: ResidualModel | BatchedModel, here: ResidualModel | BatchedModel) -> Entry:
    """Tell whether a last step has shortened the misfit by as much as one must that is no rounding."""
    return there.misfit <= BETTER * here.misfit


def is_level(there: Entry, value: Entry, blur: float = 0.0) -> Entry:
    """Tell whether a value rises on a last step by no more than rounding makes of it, and what else is its ``blur``."""
    return there <= value * (1.0 + CLOSE) + blur


# -- of one ------------------------------------------------------------------------------------------------------------


@stored()
@dataclass(frozen=True, slots=True)
class Fit:
    """A sum of squares, and the bounds of its parameters if there are any."""

    inner: Objective
    box: Box | None

    def to_store(self, write: Writer) -> None:
        """Store nothing: the sum of squares and its bounds are what the run is on."""

    @classmethod
    def from_store(cls, content: None, read: Reader) -> Fit:
        return fit_of(read.objective)

    def free(self, at: Evaluation) -> list[bool]:
        """Return which parameters no bound holds at a point with its gradient."""
        if self.box is None:
            return [True] * len(at.x)
        return [not held for held in self.box.held(at.x, at.gradient)]


def fit_of(objective: Objective) -> Fit:
    """Return the sum of squares that a run is on, and its bounds."""
    return Fit(objective.unbounded, objective.box)


@dataclass(slots=True)
class Here:
    objective: Objective
    fit: Fit
    at: Evaluation
    model: ResidualModel
    _curvature: Any = field(default=None)

    @property
    def factor(self) -> float:
        """Value over sum of squares: 1, or less for a mean."""
        total = self.model.total
        return self.at.value / total if total > 0.0 else 1.0

    def moved(self, step: Vec) -> Any:
        x = as_like(self.at.x, Vec(self.at.x) + step)
        return x if self.fit.box is None else self.fit.box.clip(x)

    @property
    def rounding(self) -> float:
        return float(rounding_of(self.model, self.at.x))

    def is_rounding(self) -> bool:
        """Tell whether what a step can take away is no more than what the rounding of the parameters makes."""
        return self.model.misfit <= self.rounding

    @property
    def blur(self) -> float:
        floor = residual_floor(self.model.triangle.measured, moves_of(self.model, self.at.x))
        return float(self.factor * rounding_of_squares(self.model.total, floor))

    def is_close(self) -> bool:
        fall = self.factor * self.model.misfit * self.model.misfit
        return bool(is_close(self.model) or fall <= self.blur or self.is_rounding())

    def last_steps(self) -> Iterator[tuple[Evaluation, float]]:
        """Go to the end of Newton's step, then of Gauss and Newton's, if the value does not clearly rise there."""
        for step in (self.newton(), self.model.gauss_newton().step):
            if step is not None:
                there = self.objective.evaluate(self.moved(step), 0)
                if is_level(there.value, self.at.value, self.blur):
                    yield there, self.model.length(step)

    def newton(self) -> Vec | None:
        """Return Newton's step with the exact Hessian (shape p); None where there is none, or it is not positive.

        In the basis of the linear model half the Hessian is ``I + B``, where B is the curvature of the residuals
        relative to their size (Bates and Watts, Nonlinear Regression Analysis, 1988, chapter 7).
        """
        model, K = self.model, self._half_hessian()
        if K is None or model.rank == 0:
            return None
        rank, index = model.rank, model.index
        scaled = [model.columns[i] / model.scale[i] for i in index]
        if not min(scaled) ** 2 > 0.0:
            return None  # the squares are below the smallest number
        K = congruent([Vec([K[i][j] for j in index]) for i in index], scaled)
        half = [v / s for v, s in zip(model.V[:rank], model.S, strict=False)]
        W = congruence(half, K)
        if not matrix_is_finite(W):
            return None
        blur = 4.0 * EPS * largest_entry(K)
        B = [
            [0.0 if blur > _BLUR * model.S[a] * model.S[b] else W[a][b] - (a == b) for b in range(rank)]
            for a in range(rank)
        ]
        values, vectors = eigen(
            [Vec([(a == b) + 0.5 * (B[a][b] + B[b][a]) for b in range(rank)]) for a in range(rank)]
        )
        if not values[0] > 0.0:
            return None
        weights = [-dot(vector, model.w) / value for value, vector in zip(values, vectors, strict=True)]
        return model.from_range(combined(weights, vectors, rank))

    def off_saddle(self) -> Evaluation | None:
        """Return a lower point along the most negative curvature; None where there is none beyond doubt."""
        K = self._half_hessian()
        if K is None:
            return None
        free = [i for i, moves in enumerate(self.fit.free(self.at)) if moves]
        values, vectors = eigen([Vec([K[i][j] for j in free]) for i in free]) if free else ([], [])
        if not (values and values[0] < -SURE * max(-values[0], values[-1])):
            return None
        along = Vec([0.0] * len(self.at.x))
        for i, a in zip(free, vectors[0], strict=True):
            along[i] = a / self.model.scale[i]
        # A parameter has no unit here but its size now, or the length over which the model changes by the residuals.
        length = max(self.model.length(self.at.x), sqrt(self.at.value))
        noise = 10.0 * EPS * abs(self.at.value)
        for _ in range(_ESCAPE_TRIALS):
            length *= 0.25
            for sign in (length, -length):
                there = self.objective.evaluate(self.moved(along * sign), 0)
                if there.value < self.at.value - noise:
                    return there
        return None

    def flees(self, move: Vector) -> bool:
        """Tell whether the value falls all the way to infinity along the last move, or no longer changes there.

        A level way tells of flight only where the move was a long one: any way is level for the first 1e-16 of it.
        """
        if move is None or not any(move):
            return False
        found = follow(self.objective, self.at, move, -1.0).outcome
        long = max_abs(move) > LONG * max_abs(self.at.x)
        return found is ProbeEnd.LIMIT or (found is ProbeEnd.LEVEL and long)

    def down_valley(self) -> Walk:
        """Walk down the floor of the valley that the point lies in; the lowest point is in the user's units."""
        source = hessian_source(self.objective)
        if source is CurvatureSource.NONE or len(self.at.x) > EXACT_LIMIT:
            return Walk(ProbeEnd.RISES)
        from gdcli.solve.probe.valley import follow_floor

        full = with_hessian(self.objective, self.at, source)
        if full.hessian is None or not matrix_is_finite(full.hessian):
            return Walk(ProbeEnd.RISES)
        units = units_at(self.objective, full, None)
        seen, there = rescaled(self.objective, units), inward(full, units)
        found = follow_floor(seen, there, CLOSE * abs(full.value), -1.0, source)
        return found if found.lowest is None else found._replace(lowest=outward(found.lowest, units))

    def _half_hessian(self) -> Any:
        """Half the Hessian of the sum of squares in the scales of the parameters (p x p); None where it is not had."""
        if self._curvature is None and self.fit.inner.has_hessian and len(self.at.x) <= EXACT_LIMIT:
            H = self.fit.inner.complete(Evaluation(self.at.x, self.at.value), 2).hessian
            if H is not None and self.factor > 0.0:
                d, twice = self.model.scale, 2.0 * self.factor
                K = [quotient(row / twice / a, d) for row, a in zip(H, d, strict=True)]
                self._curvature = K if matrix_is_finite(K) else None
        return self._curvature
