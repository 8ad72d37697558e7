"""The quadratic model of the objective around a point: where its Hessian comes from, and what it says about the point.

The exact Hessian is best; n Hessian-vector products are as exact; differences of exact gradients have about half the
digits, which is enough to go downhill and to tell the kind of a point that is not close to singular.

With gradient g and Hessian H the value near x is about ``f + g'p + p'Hp/2``. Where H is positive definite the model has
one lowest point, the Newton step ``p = -H^-1 g``, and falls by the *estimated gap* ``g'H^-1 g / 2``, half the squared
Newton decrement (Boyd and Vandenberghe, Convex Optimization, section 9.5). The gap does not change when variables are
rescaled and scales with f, which makes it the right thing to stop by; a gradient norm is neither.

Signs of curvature are read from the Hessian scaled to a unit diagonal: scaling preserves them (Sylvester), and a matrix
that looks singular only because x is in metres and y in microns no longer does. Only the reading is scaled; a trust
region scaled by the diagonal is a trap, for one small diagonal entry gives it an enormous axis.

The models of one and two variables are spelled out in plain floats: they are the commonest cases, and there the lists
and loops of the general model cost several times what the arithmetic does. The formulas and their order are the same; a
matrix of two rows is solved by Cramer's rule, which is safe because the squared pivot of a strict model is at least
1e-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot, inf, sqrt
from typing import Any

from gdcli.kernel.dataclass import NamedTuple, stored
from gdcli.kernel.dense import (
    Matrix,
    congruent,
    diagonal,
    eigen,
    inverse_form,
    largest_entry,
    positive_solve,
    quadratic_form,
)
from gdcli.kernel.numerics import EIGENVALUE_ROUNDING, LEAST_DIAGONAL, LEAST_PIVOT, SMALLEST_NORMAL
from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.vectors import (
    Vec,
    Vector,
    along,
    as_like,
    dot,
    is_zero,
    max_abs,
    norm,
    np,
    quotient,
    unit_like,
    zeros_like,
)
from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.algebra.trust_region import (
    HARD,
    LENGTH_SLACK,
    MAX_FACTORS,
    boundary_step,
    secular_step,
)

# Up to this many variables a dense matrix and its factors cost little beside n evaluations.
EXACT_LIMIT = 200
PRODUCT_LIMIT = 50
DIFFERENCE_LIMIT = 30

# Relative error to be expected of the entries, in the scale of the matrix. Exact derivatives lose digits by
# cancellation only; below 1e-9 of the largest eigenvalue a sign is not trusted. Differences with the step
# 1e-8 have an error of the order 1e-8 times third derivatives.
NOISE: Mapping[str, float] = {
    CurvatureSource.EXACT: 1e-9,
    CurvatureSource.PRODUCTS: 1e-9,
    CurvatureSource.DIFFERENCES: 1e-6,
}

_DIFFERENCE_STEP = 1.5e-8  # the square root of the rounding unit: balances rounding and truncation


def hessian_source(objective: Objective) -> CurvatureSource:
    """Return where the Hessian of ``objective`` is to come from: exact, products, differences or none."""
    n = objective.size
    if objective.has_hessian and n <= EXACT_LIMIT:
        return CurvatureSource.EXACT
    if objective.has_product and n <= PRODUCT_LIMIT:
        return CurvatureSource.PRODUCTS
    return CurvatureSource.DIFFERENCES if n <= DIFFERENCE_LIMIT else CurvatureSource.NONE


def with_hessian(objective: Objective, at: Evaluation, source: str) -> Evaluation:
    """Return ``at`` with gradient and Hessian, as far as they are finite.

    Where the exact Hessian is not finite (a power below 2, say) differences of gradients stand in.
    """
    if at.hessian is not None:
        return at
    # Differences may look a little beyond bounds; clipped there, they would see no curvature.
    return objective.derived(at, lambda function, e: _with_hessian(function, e, source))


def _with_hessian(objective: Objective, at: Evaluation, source: str) -> Evaluation:
    # The differences may be those of values, where there are no gradients.
    if source in (CurvatureSource.EXACT, CurvatureSource.DIFFERENCES):
        full = objective.complete(at, 2)
    else:
        full = at if at.gradient is not None else objective.complete(at, 1)
    if full.hessian is not None or full.gradient is None or source == CurvatureSource.NONE:
        return full
    hessian = _from_products(objective, full) if source == CurvatureSource.PRODUCTS else None
    if hessian is None and objective.size <= DIFFERENCE_LIMIT:
        hessian = _from_differences(objective, full)
    return full._replace(hessian=hessian)


def _from_products(objective: Objective, at: Evaluation) -> Any:
    columns = []
    for i in range(objective.size):
        column = objective.product(at, unit_like(at.x, i))
        if column is None:
            return None
        columns.append(column)
    return _symmetric(at, columns)


def _from_differences(objective: Objective, at: Evaluation) -> Any:
    columns = []
    # Who asks for a Hessian looks at the function in units of its own: 1 is the natural length of all variables.
    scale = _DIFFERENCE_STEP * max(1.0, max_abs(at.x))
    for i in range(objective.size):
        # Rounded so that x + h - x is h exactly: else the quotient has the error of the rounded x.
        h = (at.x[i] + scale) - at.x[i]
        beside = objective.evaluate(along(at.x, h, unit_like(at.x, i)), 1)
        if beside.gradient is None:
            return None
        columns.append((beside.gradient - at.gradient) / h)
    return _symmetric(at, columns)


def _symmetric(at: Evaluation, columns: list[Any]) -> Any:
    if isinstance(at.x, list):
        n = len(columns)
        return [Vec([0.5 * (columns[i][j] + columns[j][i]) for j in range(n)]) for i in range(n)]
    matrix = np.array(columns)
    return 0.5 * (matrix + matrix.T)


# The sign of a curvature is trusted down to the error assumed for it, its size six digits further.
_LEAST_CURVATURE = 1e-6


class ModelStep(NamedTuple):
    """A step proposed by the model: ``boundary``: cut short by the radius; ``hard``: its
    mirror is as good.
    """

    step: Vector
    length: float
    predicted: float
    boundary: bool
    hard: bool


@stored(gain="gap")
class LocalModel:
    """The quadratic model with gradient ``g`` and Hessian ``H``.

    ``gap`` is the fall that the model promises within the convex part of the space; ``negative`` tells of
    negative curvature beyond doubt, and ``rise`` how far up its crest is; ``null`` are the directions in
    which the curvature is zero within its error (as far as looked for: none where ``negative``); ``flat``
    that the Hessian is zero altogether. ``newton``, the Newton step, is there where the model is ``strict``:
    safely positive definite.
    """

    __slots__ = (
        "_along", "_basis", "_factors", "_values", "flat", "g", "gap", "hessian", "lowest", "negative",
        "newton", "newton_length", "null", "rise", "strict",
    )  # fmt: skip

    def __init__(self, g: Vector, H: Matrix, noise: float = NOISE[CurvatureSource.EXACT]) -> None:
        self._begin(g, H)
        solved = positive_solve(H, g, 0.0, max(LEAST_PIVOT, noise))
        self.strict = solved is not None
        if solved is not None:
            z, form, self._factors = solved
            self.gap = 0.5 * form
            self.newton = -z
            self.newton_length = norm(z)
        else:
            self._from_eigenvalues(noise)

    def _begin(self, g: Vector, H: Matrix) -> None:
        self.g = g
        self.hessian = H
        self.null: list[Vector] = []
        self.negative = self.flat = False
        self.rise = 0.0
        self.lowest = 1.0  # the smallest eigenvalue of the scaled Hessian as part of the largest

    def _from_eigenvalues(self, noise: float) -> None:
        """Fill in gap and signs of a Hessian that is not safely positive definite, from its eigenvalues."""
        g, H = self.g, self.hessian
        w, Q = eigen(H)
        q = [dot(v, g) for v in Q]
        top = max(abs(w[0]), abs(w[-1]))
        # Of a singular matrix the computed eigenvalues are rounding, of either sign.
        w = [0.0 if abs(b) <= EIGENVALUE_ROUNDING * top else b for b in w]
        self._values, self._basis, self._along = w, Q, q
        if top == 0.0:
            self.flat = True
            self.null = list(Q)
            self.gap = 0.0 if is_zero(g) else inf
            return
        cut = noise * top
        if w[0] < -cut:
            self.negative = True
            self.lowest = w[0] / top
            pairs = list(zip(q, w, strict=True))
            self.gap = sum([0.5 * a * a / max(b, cut, SMALLEST_NORMAL) for a, b in pairs if b >= -cut])
            self.rise = sum([-0.5 * a * a / b for a, b in pairs if b < -cut])
            return
        self._read_scaled(noise)

    def _read_scaled(self, noise: float) -> None:
        H = self.hessian
        least = max(LEAST_DIAGONAL * largest_entry(H), SMALLEST_NORMAL)
        s = as_like(self.g, [sqrt(max(abs(d), least)) for d in diagonal(H)])
        w, Q = eigen(congruent(H, s))
        top = max(abs(w[0]), abs(w[-1]), SMALLEST_NORMAL)
        cut = noise * top
        scaled = quotient(self.g, s)
        # A gradient that is only rounding promises no more than rounding even over the smallest curvature; a
        # real one along a valley floor promises much, and dividing by the cut instead would hide that.
        gap, least_divisor = 0.0, max(_LEAST_CURVATURE * cut, SMALLEST_NORMAL)
        for value, vector in zip(w, Q, strict=True):
            component = dot(vector, scaled)
            if abs(value) <= cut:
                self.null.append(quotient(vector, s))
                gap += 0.5 * component * component / max(abs(value), least_divisor)
            elif value > 0.0:
                gap += 0.5 * component * component / value
            elif value < 0.0:
                self.rise -= 0.5 * component * component / value
        self.gap = gap
        self.negative = w[0] < -cut
        self.lowest = w[0] / top

    def step(self, radius: float) -> ModelStep:
        if self.strict:
            if self.newton_length <= radius:
                return ModelStep(self.newton, self.newton_length, self.gap, False, False)
            bend = inverse_form(self._factors, self.newton)
            found = boundary_step(self.hessian, self.g, radius, self.newton, self.newton_length, bend)
            return ModelStep(*found, True, False)
        w, q = self._values, self._along
        y, boundary, hard = secular_step(w, q, radius)
        predicted = -sum([c * t + 0.5 * a * t * t for a, t, c in zip(w, y, q, strict=True)])
        step = zeros_like(self.g)
        for t, v in zip(y, self._basis, strict=True):
            step = step + t * v
        return ModelStep(step, hypot(*y), predicted, boundary, hard)

    def stationary_step(self) -> Vector:
        """Return the step to where the model is level, in the directions whose curvature is not about zero."""
        top = max(abs(self._values[0]), abs(self._values[-1]))
        step = zeros_like(self.g)
        for w, v, q in zip(self._values, self._basis, self._along, strict=True):
            if abs(w) > 1e-9 * top:
                step = step - q / w * v
        return step

    def fall(self, step: Vector) -> float:
        return -dot(self.g, step) - 0.5 * quadratic_form(self.hessian, step)

    def mirrored(self, proposal: ModelStep) -> Vector:
        """Return the step of a hard case with the sign of its part along the lowest eigenvector turned."""
        v = self._basis[0]
        return proposal.step - 2.0 * dot(proposal.step, v) * v


@stored(gain="gap")
class PlaneModel(LocalModel):
    """The model of two variables; only what is done at every step is its own."""

    __slots__ = ()

    def __init__(self, g: Vector, H: Matrix, noise: float = NOISE[CurvatureSource.EXACT]) -> None:
        (a, b), (_, c) = H
        part = b / a if a > 0.0 else 0.0
        pivot = c - part * b
        self.strict = a > 0.0 and pivot > (LEAST_PIVOT if noise < LEAST_PIVOT else noise) * c
        self._begin(g, H)
        if not self.strict:
            self._from_eigenvalues(noise)
            return
        g0, g1 = g
        half = g1 - part * g0
        p1 = -half / pivot
        p0 = -g0 / a - part * p1
        self.gap = 0.5 * (g0 / a * g0 - half * p1)
        self.newton = Vec((p0, p1))
        self.newton_length = hypot(p0, p1)

    def step(self, radius: float) -> ModelStep:
        if not self.strict:
            return super().step(radius)
        if self.newton_length <= radius:
            return ModelStep(self.newton, self.newton_length, self.gap, False, False)
        return self._boundary_step(radius)

    def _boundary_step(self, radius: float) -> ModelStep:
        """Return the step to the boundary; as :func:`gdcli.solve.algebra.trust_region.boundary_step`."""
        (a, b), (_, c) = self.hessian
        g0, g1 = self.g
        (p0, p1), length = self.newton, self.newton_length
        shift, det = 0.0, a * c - b * b
        slope = hypot(g0, g1)
        u0, u1 = g0 / slope, g1 / slope
        least = slope / radius - (a * u0 * u0 + 2.0 * b * u0 * u1 + c * u1 * u1)
        for _ in range(MAX_FACTORS):
            if length <= LENGTH_SLACK * radius:
                break
            bend = (c * p0 * p0 - 2.0 * b * p0 * p1 + a * p1 * p1) / det if det > 0.0 else inf
            if not 0.0 < bend < inf:
                found = boundary_step(self.hessian, self.g, radius, self.newton, self.newton_length, bend)
                return ModelStep(*found, True, False)
            more = max(length / bend * length * (length - radius) / radius, least - shift)
            shift += more
            a += more
            c += more
            det = a * c - b * b
            p0, p1 = (b * g1 - c * g0) / det, (b * g0 - a * g1) / det
            length = hypot(p0, p1)
        predicted = 0.5 * (shift * length * length - g0 * p0 - g1 * p1)
        return ModelStep(Vec((p0, p1)), length, predicted, True, False)


@stored(gain="gap")
class LineModel(LocalModel):
    """The model of one variable; only what is done at every step is its own."""

    __slots__ = ()

    def __init__(self, g: Vector, H: Matrix, noise: float = NOISE[CurvatureSource.EXACT]) -> None:
        slope, bend = g[0], H[0][0]
        self.strict = 0.0 < bend < inf
        self._begin(g, H)
        if not self.strict:
            self._from_eigenvalues(noise)
            return
        step = -slope / bend
        self.gap = -0.5 * slope * step
        self.newton = Vec((step,))
        self.newton_length = abs(step)

    def step(self, radius: float) -> ModelStep:
        if self.strict and self.newton_length <= radius:
            return ModelStep(self.newton, self.newton_length, self.gap, False, False)
        slope, bend = self.g[0], self.hessian[0][0]
        if not self.strict and not abs(slope) > HARD * abs(bend) * radius:
            return super().step(radius)
        step = -radius if slope > 0.0 else radius
        return ModelStep(Vec((step,)), radius, -step * (slope + 0.5 * bend * step), True, False)


_last: tuple[Vector, Matrix, float, LocalModel | None] = None, None, 0.0, None


def local_model(g: Vector, H: Matrix, noise: float = NOISE[CurvatureSource.EXACT]) -> LocalModel:
    """Return the quadratic model with gradient ``g`` and Hessian ``H``.

    The last answer is kept: a certificate asks about the point at which the run ended.
    """
    global _last
    last_g, last_H, last_noise, last = _last
    if last is not None and last_g is g and last_H is H and last_noise == noise:
        return last
    few = len(g) if isinstance(g, list) else 0
    made = (
        PlaneModel(g, H, noise)
        if few == 2
        else LineModel(g, H, noise)
        if few == 1
        else LocalModel(g, H, noise)
    )
    _last = g, H, noise, made
    return made
