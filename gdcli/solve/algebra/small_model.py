"""The quadratic models of one and two variables, spelled out in plain floats.

They are the commonest cases, and there the lists and loops of the general model cost several times what
the arithmetic does. The formulas and their order are those of :mod:`gdcli.solve.algebra.quadratic_model` and
:mod:`gdcli.solve.algebra.trust_region`; a matrix of two rows is solved by Cramer's rule, which is safe because the
squared pivot of a strict model is at least 1e-8.
"""

from __future__ import annotations

from math import hypot, inf

from gdcli.kernel.dense import Matrix
from gdcli.kernel.numerics import LEAST_PIVOT
from gdcli.kernel.status import CurvatureSource
from gdcli.kernel.stored import stored
from gdcli.kernel.vectors import Vec, Vector
from gdcli.solve.algebra.hessian import NOISE
from gdcli.solve.algebra.quadratic_model import LocalModel, ModelStep
from gdcli.solve.algebra.trust_region import (
    HARD,
    LENGTH_ACCURACY,
    LENGTH_SLACK,
    MAX_FACTORS,
    MAX_SECULAR,
    boundary_step,
    next_shift,
)


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
            return self._secular_step(radius) or super().step(radius)
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

    def _secular_step(self, radius: float) -> ModelStep | None:
        """Return the step to the boundary by the eigenvalues; None for the rarer cases, which the general model
        treats.
        """
        (w0, w1), (q0, q1) = self._values, self._along
        if not abs(q0) > HARD * max(abs(w0), w1) * radius or (w0 > 0.0 and hypot(q0 / w0, q1 / w1) <= radius):
            return None
        low = max(0.0, -w0)
        slope = hypot(q0, q1)
        mean = w0 + (q1 / slope) ** 2 * (w1 - w0)
        below, above = (
            max(low, slope / radius - mean, abs(q0) / radius - w0, abs(q1) / radius - w1),
            low + slope / radius,
        )
        shift = below
        y0 = y1 = length = 0.0
        for _ in range(MAX_SECULAR):
            d0, d1 = w0 + shift, w1 + shift
            if not (d0 > 0.0 and d1 > 0.0):
                return None
            y0, y1 = -q0 / d0, -q1 / d1
            length = hypot(y0, y1)
            if abs(length - radius) <= LENGTH_ACCURACY * radius:
                break
            if length > radius:
                below = shift
            else:
                above = shift
            shift = next_shift(shift, length, radius, y0 * y0 / d0 + y1 * y1 / d1, low, below, above)
        (u0, u1), (v0, v1) = self._basis
        predicted = -(q0 * y0 + q1 * y1 + 0.5 * (w0 * y0 * y0 + w1 * y1 * y1))
        return ModelStep(Vec((y0 * u0 + y1 * v0, y0 * u1 + y1 * v1)), length, predicted, True, False)


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
