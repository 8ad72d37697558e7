"""Newton's method for many variables, and eigenvalues of a Hessian: all by products of it with vectors.

The Newton equation ``H p = -g`` is solved approximately by the conjugate gradient method, which needs only products of
H with vectors: no matrix is ever formed, and the memory is a handful of vectors. The inner iteration stops when it
leaves the trust region, and where it meets a direction of negative curvature it follows that to the boundary (Steihaug,
SIAM J. Numer. Anal. 20, 1983; Nocedal and Wright, algorithm 7.2). It is asked for ever more digits as the gradient
falls, so that the outer iteration converges faster than linearly.

Eigenvalues come from Lanczos' method: on the space that the powers of H span from a start vector, H is a small
tridiagonal matrix whose extreme eigenvalues (`ritz`) are soon good to many digits (Golub and Van Loan, Matrix
Computations, chapter 10). The vectors lose their orthogonality in time; that repeats eigenvalues already found but
spoils none, so that three vectors are all that is ever kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, isfinite, sqrt

from gdcli.kernel.dataclass import NamedTuple, dataclass, stored
from gdcli.kernel.dense import eigen
from gdcli.kernel.numerics import EPS, FLOOR, PRODUCT_STEP, TINY
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import Vec, along, as_like, dot, max_abs, norm, same, zeros_like
from gdcli.objective.protocol import Evaluation, Objective, Vector, tried
from gdcli.solve.algebra.trust_region import ACCEPTABLE, GOOD, POOR, WIDER
from gdcli.solve.iteration import Step
from gdcli.solve.scaling import power_of_two

MAX_INNER = 200
MAX_REFUSALS = 25
FIRST_RADIUS = 0.1
_CUBED = 1e90
# A run is ended by a model that is solved to this accuracy at least.
_SURE = 1e-6


class Inner(NamedTuple):
    """What conjugate gradients found: the step, the fall it promises, and how the iteration ended."""

    step: Vector
    predicted: float
    boundary: bool
    negative: bool
    solved: bool


def hessian_product(objective: Objective, at: Evaluation, v: Vector) -> Vector | None:
    """Return the Hessian at ``at`` times v: exact if the objective can, else a difference of
    two gradients.
    """
    if objective.has_product:
        return objective.product(at, v)
    found = _by_differences(objective.unbounded, at, objective.restricted(at, v))
    return None if found is None else objective.restricted(at, found)


def _by_differences(objective: Objective, at: Evaluation, v: Vector) -> Vector | None:
    length = norm(v)
    if length == 0.0:
        return zeros_like(v)
    by_values = objective.product(at, v)
    if by_values is not None:
        return by_values
    # Whoever asks does so in a unit of the function's own, which is the 1 here.
    h = PRODUCT_STEP * max(1.0, max_abs(at.x)) * sqrt(len(v)) / length
    ahead, behind = objective.evaluate(along(at.x, h, v), 1), objective.evaluate(along(at.x, -h, v), 1)
    if ahead.gradient is None or behind.gradient is None:
        return None
    return (ahead.gradient - behind.gradient) / (2.0 * h)


def steihaug(
    objective: Objective, at: Evaluation, radius: float, accuracy: float, most: int = MAX_INNER
) -> Inner | None:
    """Return an approximate minimiser of the quadratic model at ``at`` within ``radius``.

    ``accuracy``: the residual to reach, as part of the gradient norm. None where a product is not finite.
    """
    slope = norm(at.gradient)
    # In a unit of the value in which the cube of a slope is a number; a power of two leaves all digits as they are.
    unit = 1.0 if not 0.0 < slope < inf or 1.0 / _CUBED < slope < _CUBED else power_of_two(slope)
    r = at.gradient * (1.0 / unit)  # type: ignore[operator]
    p, d = zeros_like(r), -r
    rr = dot(r, r)
    wanted = accuracy * accuracy * rr
    fall, pp, pd, dd = 0.0, 0.0, 0.0, rr
    for _ in range(most):
        if rr <= wanted or rr == 0.0:
            return Inner(p, unit * fall, False, False, True)
        Hd = hessian_product(objective, at, d)
        if Hd is None:
            return None
        Hd = Hd if unit == 1.0 else Hd * (1.0 / unit)
        curvature = dot(d, Hd)
        alpha = rr / curvature if curvature > 0.0 else inf
        if not pp + 2.0 * alpha * pd + alpha * alpha * dd < radius * radius:
            # Out of the trust region, or downhill without end: go to the boundary.
            tau = (-pd + sqrt(max(0.0, pd * pd + dd * (radius * radius - pp)))) / dd
            fall += tau * rr - 0.5 * tau * tau * curvature
            return Inner(along(p, tau, d), unit * fall, True, curvature <= 0.0, False)
        p = along(p, alpha, d)
        fall += 0.5 * alpha * rr
        r = along(r, alpha, Hd)
        old, rr = rr, dot(r, r)
        beta = rr / old
        pp, pd, dd = (
            pp + 2.0 * alpha * pd + alpha * alpha * dd,
            beta * (pd + alpha * dd),
            rr + beta * beta * dd,
        )
        d = along(-r, beta, d)
    return Inner(p, unit * fall, False, False, False)


@stored(gain="gap")
@dataclass(slots=True)
class CgState:
    """The trust radius, the value at the start, and the best guess of what is left to gain."""

    radius: float
    start_value: float
    gap: float = inf


@dataclass(frozen=True, slots=True)
class NewtonCG:
    """Trust-region Newton by conjugate gradients; ``tol`` (default 1e-8) scales its stop
    rule as in `auto`.
    """

    tol: float = 1e-8
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> CgState:
        return CgState(FIRST_RADIUS * max(1.0, norm(at.x)), at.value)

    def step(self, objective: Objective, at: Evaluation, state: CgState) -> Step:
        slope = norm(at.gradient)
        if slope == 0.0:
            return Step(at, state, 0.0, StopReason.STATIONARY, moved=False, passed=False)
        # Quadratic convergence in the end needs an accuracy proportional to the gradient itself.
        accuracy = min(0.1, sqrt(slope / max(1.0, abs(at.value))))
        widest = state.radius
        for _ in range(MAX_REFUSALS):
            inner = steihaug(objective, at, state.radius, accuracy)
            if inner is None:
                return Step(at, state, state.radius, StopReason.NO_DESCENT, moved=False)
            state.gap = inner.predicted if inner.solved else inf
            if inner.solved and self._enough(inner.predicted, at.value, state):
                if accuracy > _SURE:  # what is left along a floor is not seen before the walls are solved for
                    accuracy = _SURE
                    continue
                return Step(at, state, state.radius, StopReason.GAP, moved=False)
            x = at.x + inner.step
            if not inner.predicted > 0.0 or same(x, at.x):
                return Step(at, state, state.radius, StopReason.FLOOR, moved=False)
            trial = tried(objective, at, x)
            noise = FLOOR * abs(at.value)
            if inner.predicted <= noise and abs(trial.value - at.value) <= 4.0 * noise:
                if inner.boundary and state.radius >= widest:
                    state.radius = widest = WIDER * state.radius
                    continue
                return self._end_at_floor(objective, at, trial, state)
            ratio = (at.value - trial.value) / inner.predicted if isfinite(trial.value) else -inf
            if trial.value == -inf:
                return Step(trial, state, state.radius, StopReason.UNBOUNDED)
            if ratio > ACCEPTABLE:
                trial = objective.complete(trial, 1)
            length = norm(inner.step)
            if ratio < POOR or trial.gradient is None:
                state.radius = 0.25 * length
            elif ratio > GOOD and inner.boundary:
                state.radius = 2.0 * state.radius
            if ratio > ACCEPTABLE and trial.gradient is not None:
                return Step(trial, state, length, kind="escape" if inner.negative else "step")
        return Step(at, state, state.radius, StopReason.NO_DESCENT, moved=False)

    def _enough(self, gap: float, value: float, state: CgState) -> bool:
        part = 1e-2 * self.tol
        if gap <= EPS * abs(value):
            return True
        return gap <= part * max(1.0, abs(value)) and gap <= part * (state.start_value - value)

    def _end_at_floor(self, objective: Objective, at: Evaluation, trial: Evaluation, state: CgState) -> Step:
        if trial.value < at.value:
            complete = objective.complete(trial, 1)
            if complete.gradient is not None:
                return Step(complete, state, state.radius, StopReason.FLOOR)
        return Step(at, state, state.radius, StopReason.FLOOR, moved=False)


LANCZOS_STEPS = 40
# What is left of a vector beside the largest entry when the space is spanned.
_SPANNED = 1e-13


class Ritz(NamedTuple):
    """The eigenvalues of the tridiagonal matrix, ascending, its unit eigenvectors, one per row, and what was left of
    the last vector.
    """

    values: Sequence[float]
    vectors: Sequence[Vector]
    left: float

    @property
    def low(self) -> float:
        return self.values[0]

    @property
    def high(self) -> float:
        return self.values[-1]

    @property
    def low_error(self) -> float:
        """A bound on how far an eigenvalue of the Hessian is from the lowest value."""
        return float(self.left * abs(self.vectors[0][-1]))


def ritz(objective: Objective, at: Evaluation, steps: int = 0, start: Vector | None = None) -> Ritz | None:
    """Return eigenvalues of the Hessian at ``at``, the extreme ones nearly; None where a product is not finite.

    ``steps``: 40, or the number of variables if that is less; more than that make up for lost orthogonality. The first
    vector is along ``start``, or a random one.
    """
    alphas: list[float] = []
    betas: list[float] = []
    scale = 0.0
    for alpha, beta, _ in _recurrence(objective, at, steps or min(LANCZOS_STEPS, len(at.x)), start):
        if alpha is None:
            return None
        alphas.append(alpha)
        betas.append(beta)
        scale = max(scale, abs(alpha), beta)
        if beta <= _SPANNED * scale:
            break
    k = len(alphas)
    entry = {0: alphas, 1: betas}
    T = [Vec([entry[abs(i - j)][min(i, j)] if abs(i - j) < 2 else 0.0 for j in range(k)]) for i in range(k)]
    return Ritz(*eigen(T), betas[-1])


def ritz_vector(objective: Objective, at: Evaluation, found: Ritz) -> Vector:
    """Return the vector that goes with the lowest eigenvalue ``found`` from a random start; the recurrence is run once
    more for it.
    """
    vector = zeros_like(at.x)
    recurrence = _recurrence(objective, at, len(found.values))
    for weight, (_, _, basis) in zip(found.vectors[0], recurrence, strict=False):
        vector = along(vector, float(weight), basis)
    return vector


def _recurrence(
    objective: Objective, at: Evaluation, steps: int, start: Vector | None = None
) -> Iterator[tuple[float | None, float, Vector]]:
    """Yield diagonal, off-diagonal and vector of the three-term recurrence, step by step."""
    v = objective.restricted(at, _random(at.x)) if start is None else start
    v = v / max(norm(v), TINY)
    before, beta = zeros_like(v), 0.0
    for _ in range(steps):
        w = hessian_product(objective, at, v)
        if w is None:
            yield None, 0.0, v
            return
        alpha = dot(v, w)
        w = along(along(w, -alpha, v), -beta, before)
        beta = norm(w)
        yield alpha, beta, v
        if beta == 0.0:
            return
        before, v = v, w / beta


def _random(x: Vector) -> Vector:
    """Return a random direction, always the same: it has a part along every eigenvector, almost surely."""
    if isinstance(x, list):
        from random import Random

        random = Random(0)
        v: Vector = as_like(x, [random.gauss(0.0, 1.0) for _ in x])
    else:
        import numpy

        v = numpy.random.default_rng(0).standard_normal(len(x))
    return v
