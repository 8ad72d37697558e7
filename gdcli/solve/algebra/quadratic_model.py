"""The quadratic model of the objective around a point, and what it says about the point.

With gradient g and Hessian H the value near x is about ``f + g'p + p'Hp/2``. Where H is positive definite the
model has one lowest point, the Newton step ``p = -H^-1 g``, and falls by the *estimated gap* ``g'H^-1 g / 2``, half
the squared Newton decrement (Boyd and Vandenberghe, Convex Optimization, section 9.5). The gap does not
change when variables are rescaled and scales with f, which makes it the right thing to stop by; a gradient
norm is neither.

Signs of curvature are read from the Hessian scaled to a unit diagonal: scaling preserves them (Sylvester),
and a matrix that looks singular only because x is in metres and y in microns no longer does. Only the reading
is scaled; a trust region scaled by the diagonal is a trap, for one small diagonal entry gives it an enormous
axis.
"""

from __future__ import annotations

from math import inf, sqrt

from gdcli.kernel.dataclass import NamedTuple
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
from gdcli.kernel.stored import stored
from gdcli.kernel.vectors import Vector, as_like, dot, is_zero, norm, quotient, zeros_like
from gdcli.solve.algebra.hessian import NOISE
from gdcli.solve.algebra.trust_region import boundary_step, norm_of, secular_step

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
        """Fill in what holds of a Hessian that is safely positive definite."""
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
            else:
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
        return ModelStep(step, norm_of(y), predicted, boundary, hard)

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
