"""The residuals of a fit as linear functions of a step: where their sum of squares is least within a radius.

Near a point the residuals are ``r + J d``. Length is measured as ``|D d|``, D the diagonal of the scales of the
parameters, so that it makes no difference in which unit a parameter is written (Moré, The Levenberg-Marquardt
algorithm, Lecture Notes in Mathematics 630, 1978). All is done by singular values of the triangle of J, with each
column divided by its scale: never by ``J'J``, whose rounding would cost half of the digits. The singular values of J
with columns of length 1 tell which combinations of the parameters the data tell (`JacobianSpectrum`).

What may be rounding is told here too, by one bound. A sum computed in floating point is the exact sum of terms each of
which is off by a part of itself, at most the unit roundoff for each operation that it goes through (backward error
analysis; Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002, section 3.1). So a sum that is no
larger than that part of the sizes of its terms added up tells nothing: with the terms moved by their rounding it may be
zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt
from operator import mul
from typing import Any

from gdcli.kernel.dataclass import NamedTuple, Reader, Writer, stored
from gdcli.kernel.dense import Entry, matvec
from gdcli.kernel.factors import column_lengths, combined, independent, singular
from gdcli.kernel.numerics import EPS, REDUNDANT
from gdcli.kernel.vectors import Vec, Vector, along, dot, norm, times
from gdcli.objective.protocol import QRSystem
from gdcli.solve.algebra.trust_region import secular_step


class Proposal(NamedTuple):
    """A step (shape p), its length in the metric of the radius, its shift lambda; of many problems arrays."""

    step: Vector
    length: Entry
    shift: Entry


@stored()
class ResidualModel:
    """``|r + J d|**2`` for steps d of the parameters that are ``free`` (p truth values), the others stay.

    ``scale`` (shape p) is the diagonal of D. ``columns`` are the lengths of the columns of J. ``misfit`` is the length
    of the part of r that a step can take away, ``residual_norm`` that of the other part. ``rank`` counts the
    independent free columns; a step has no part in directions beyond it.
    """

    def __init__(self, triangle: QRSystem, scale: Vec, free: Sequence[bool]) -> None:
        self.triangle = triangle
        self.free = free
        self.scale = scale
        self.size = len(scale)
        self.columns = column_lengths(triangle.factor)
        self.index = [i for i in range(self.size) if free[i] and self.columns[i] > 0.0]
        self.U, self.S, self.V = singular(self._divided_by(self.columns))
        self.rank = independent(self.S)
        w = [dot(u, triangle.target) for u in self.U[: self.rank]]
        if triangle.slope is not None:
            # The rounding of the factorisation, relative to all of r, is not in it.
            slope = self._part(triangle.slope, self.columns)
            w = [dot(v, slope) / s for v, s in zip(self.V[: self.rank], self.S, strict=False)]
        self.w = Vec(w)
        self.misfit = norm(self.w)
        gone = triangle.target
        for a, u in zip(self.w, self.U, strict=False):
            gone = along(gone, -a, u)
        self.residual_norm = hypot(triangle.residual_norm, norm(gone))
        self._scaled: tuple[list[float], list[Vec], list[float]] | None = None

    def _divided_by(self, lengths: Vec) -> list[Vec]:
        """The columns of the parameters that can move, divided by lengths."""
        return [Vec([row[i] / lengths[i] for row in self.triangle.factor]) for i in self.index]

    def _part(self, v: Sequence[float], lengths: Vec) -> Vec:
        """The components of those that can move, divided by lengths."""
        return Vec([v[i] / lengths[i] for i in self.index])

    @property
    def total(self) -> float:
        return self.misfit * self.misfit + self.residual_norm * self.residual_norm

    def to_store(self, write: Writer) -> Any:
        """Return what the model is made of; the factors that it computed are computed again."""
        return {
            "triangle": write(self.triangle),
            "scale": write(self.scale),
            "free": self.index,
        }

    @classmethod
    def from_store(cls, content: Any, read: Reader) -> ResidualModel:
        scale = read(content["scale"])
        free = [i in content["free"] for i in range(len(scale))]
        return cls(read(content["triangle"]), scale, free)

    def with_triangle(self, triangle: QRSystem) -> ResidualModel:
        return ResidualModel(triangle, self.scale, self.free)

    def whole(self, part: Sequence[float], lengths: Vec) -> Vec:
        """Return a step of all p parameters from the components, divided by lengths, of those that can move."""
        full = Vec([0.0] * self.size)
        for i, a in zip(self.index, part, strict=True):
            full[i] = a / lengths[i]
        return full

    def length(self, step: Vec) -> float:
        return norm(times(self.scale, step))

    def fall(self, step: Vec) -> float:
        """Return by how much the sum of squares falls with ``step``, in the model."""
        change = matvec(self.triangle.factor, step)
        return -dot(change, self.triangle.target * 2.0 + change)

    def from_range(self, u: Vec) -> Vec:
        """Return the step (shape p) that changes the residuals by ``u`` (shape rank), in the basis of their range."""
        weights = [a / s for a, s in zip(u, self.S, strict=False)]
        return self.whole(combined(weights, self.V[: self.rank], len(self.index)), self.columns)

    def moved(self, step: Vec) -> QRSystem:
        triangle = self.triangle
        return triangle._replace(target=triangle.target + matvec(triangle.factor, step), slope=None)

    def gauss_newton(self) -> Proposal:
        """Return the step to the least sum of squares of the model; of many the shortest."""
        step = self.from_range(-self.w)
        return Proposal(step, self.length(step), 0.0)

    def step(self, radius: float) -> Proposal:
        """Return the step to the least sum of squares of the model within ``radius``."""
        free = self.gauss_newton()
        if free.length <= radius:
            return free
        S, V, w = self._scaled_parts()
        y, boundary, _ = secular_step(
            [s * s for s in S[::-1]], [s * a for s, a in zip(S[::-1], w[::-1], strict=True)], radius
        )
        y = y[::-1]
        step = self.whole(combined(y, V, len(self.index)), self.scale)
        shift = 0.0
        if boundary:  # (S**2 + shift) y = -S w, best where y is largest
            k = max(range(len(y)), key=lambda i: abs(y[i]))
            shift = max(0.0, -S[k] * w[k] / y[k] - S[k] * S[k]) if y[k] else 0.0
        return Proposal(step, self.length(step), shift)

    def solve(self, g: Sequence[float], shift: float) -> Vec:
        """Return z (shape p) with ``(J'J + shift D**2) z = g``, in the free directions that J can tell apart."""
        if shift == 0.0:
            lengths, S, V = self.columns, self.S[: self.rank], self.V[: self.rank]
        else:
            lengths = self.scale
            S, V, _ = self._scaled_parts()
        part = self._part(g, lengths)
        inner = [dot(v, part) / (s * s + shift) for v, s in zip(V, S, strict=True)]
        return self.whole(combined(inner, V, len(self.index)), lengths)

    def _scaled_parts(self) -> tuple[list[float], list[Vec], list[float]]:
        if self._scaled is None:
            U, S, V = singular(self._divided_by(self.scale))
            self._scaled = S, V, [dot(u, self.triangle.target) for u in U]
        return self._scaled


def moves_of(model: Any, x: Vector) -> list[Entry]:
    """Return by how much each parameter, as large as it is, moves the residuals: of a `ResidualModel`, or of many."""
    return [length * abs(a) for length, a in zip(model.columns, x, strict=True)]


# Twelve digits of a number are shown.
SHOWN = 1e-12


def blur(operations: int) -> float:
    """Return the part of the sizes of terms that may be rounding in a sum after so many operations on each."""
    return operations * EPS


def residual_floor(measured: Entry, moves: Sequence[Entry]) -> Entry:
    """Return the length of residuals ``y - f(x)`` that may be nothing but rounding.

    ``measured`` is the length of y, ``moves`` (p,) are the lengths of the columns of the Jacobian of f, each times the
    size of its parameter. What is measured is off by its own rounding, and the parameters by theirs, which moves f by
    ``|J| |x|``; so residuals of that length are there however well the model fits, and a step that takes away no more
    takes away nothing. With arrays for numbers, that of many fits at once.
    """
    return blur(len(moves) + 2) * (measured + sum(moves))


def rounding_of_squares(total: Entry, floor: Entry) -> Entry:
    """Return what rounding may make of a sum of squares, ``total``, of residuals that are off by the length ``floor``.

    Where residuals are far smaller than what they are differences of, that is far more than the rounding of the sum.
    """
    return floor * (2.0 * total**0.5 + floor)


def errors_of_rounding(model: ResidualModel, each: float) -> tuple[float, ...] | None:
    """Return the standard errors of the parameters that residuals of standard deviation ``each`` make.

    One that is held has none, 0; None where the linear model does not tell the free ones apart.
    """
    if model.rank < sum(model.free):
        return None
    found = [0.0] * model.size
    for k, i in enumerate(model.index):
        found[i] = each * hypot(*[v[k] / s for v, s in zip(model.V, model.S, strict=True)]) / model.columns[i]
    return tuple(found)


def rounding_shows(model: ResidualModel, x: Sequence[float], rows: int) -> bool:
    """Tell whether the rounding of so many residuals is seen in twelve digits of a free parameter or of their sum."""
    each = residual_floor(model.triangle.measured, moves_of(model, x)) / sqrt(rows)
    if 2.0 * each > SHOWN * hypot(model.misfit, model.residual_norm):
        return True
    errors = errors_of_rounding(model, each)
    return errors is None or any(error > SHOWN * abs(a) for error, a in zip(errors, x, strict=True))


class JacobianSpectrum(NamedTuple):
    """The parameters' columns of a Jacobian J: their lengths (p), the singular values (r) of J with columns of length
    1, and its right singular vectors V (r x p) in rows. A column without effect has no part in V.
    """

    columns: Vec
    S: Sequence[float]
    V: Sequence[Vec]

    @property
    def kept(self) -> list[bool]:
        """Which singular values are not zero."""
        least = REDUNDANT * max(self.S, default=0.0)
        return [least < s for s in self.S]


def effective(columns: Vec, x: Sequence[float]) -> list[bool]:
    """Tell of each parameter whether the fit depends on it by more than its rounding."""
    sizes = [abs(float(a)) for a in x]
    most = max(map(mul, columns, sizes), default=0.0) or 1.0
    # A parameter that is zero itself counts as one of size 1: nothing tells its unit.
    return [length * max(size, 1.0) > REDUNDANT * most for length, size in zip(columns, sizes, strict=True)]
