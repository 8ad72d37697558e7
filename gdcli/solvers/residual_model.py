"""The residuals of a fit as linear functions of a step: where their sum of squares is least within a radius.

Near a point the residuals are ``r + J d``. Length is measured as ``|D d|``, D the diagonal of the scales of the
parameters, so that it makes no difference in which unit a parameter is written (Moré, The Levenberg-Marquardt
algorithm, Lecture Notes in Mathematics 630, 1978). All is done by singular values of the triangle of J, with each
column divided by its scale: never by ``J'J``, whose rounding would cost half of the digits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gdcli.numerics import RANK_TOL
from gdcli.solvers.trust_region import secular_step
from gdcli.solvers.types import Triangle
from gdcli.stored import Reader, Writer, stored


class Proposal(NamedTuple):
    """A step (shape p), its length in the metric of the radius, its shift lambda."""

    step: Any
    length: float
    shift: float


@stored()
class ResidualModel:
    """``|r + J d|**2`` for steps d of the parameters that are ``free`` (shape p, bool), the others stay.

    ``scale`` (shape p) is the diagonal of D. ``columns`` are the lengths of the columns of J. ``misfit`` is the length
    of the part of r that a step can take away, ``rest`` that of the other part. ``rank`` counts the independent free
    columns; a step has no part in directions beyond it.
    """

    def __init__(self, triangle: Triangle, scale: Any, free: Any) -> None:
        import numpy

        self.np = numpy
        self.triangle = triangle
        self.free = free
        self.scale = scale
        self.size = len(scale)
        self.columns = column_lengths(triangle.factor)
        self.index = numpy.flatnonzero(free & (self.columns > 0.0))
        unit = triangle.factor[:, self.index] / self.columns[self.index]
        self.U, self.S, self.V = singular(unit)
        self.rank = independent(self.S)
        self.w = (self.U.T @ triangle.target)[: self.rank]
        if (
            triangle.slope is not None
        ):  # the rounding of the factorisation, relative to all of r, is not in it
            slope = triangle.slope[self.index] / self.columns[self.index]
            self.w = (self.V[: self.rank] @ slope) / self.S[: self.rank]
        self.misfit = float(numpy.linalg.norm(self.w))
        gone = triangle.target - self.U[:, : self.rank] @ self.w
        self.rest = float(numpy.hypot(triangle.rest, numpy.linalg.norm(gone)))
        self._scaled: Any = None

    def to_store(self, write: Writer) -> Any:
        """Return what the model is made of; the factors that it computed are computed again."""
        return {
            "triangle": write(self.triangle),
            "scale": write(self.scale),
            "free": [int(i) for i in self.index],
        }

    @classmethod
    def from_store(cls, content: Any, read: Reader) -> ResidualModel:
        """Return the model, its factors computed again."""
        import numpy

        scale = read(content["scale"])
        free = numpy.zeros(len(scale), dtype=bool)
        free[content["free"]] = True
        return cls(read(content["triangle"]), scale, free)

    @property
    def offset(self) -> float:
        """The relative offset of Bates and Watts (Technometrics 23, 1981): misfit over rest, whatever the parameters.

        It is the distance to the end in units of (about) the standard errors of the parameters, over sqrt(n - p).
        """
        return self.misfit / self.rest if self.rest > 0.0 else float("inf") if self.misfit > 0.0 else 0.0

    def with_triangle(self, triangle: Triangle) -> ResidualModel:
        """Return the model with another triangle of the same residuals."""
        return ResidualModel(triangle, self.scale, self.free)

    def whole(self, part: Any) -> Any:
        """Return a step of all p parameters from the components of those that can move."""
        full = self.np.zeros(self.size)
        full[self.index] = part
        return full

    def length(self, step: Any) -> float:
        """Return the length of a step in the metric of the radius."""
        return float(self.np.linalg.norm(self.scale * step))

    def fall(self, step: Any) -> float:
        """Return by how much the sum of squares falls with ``step``, in the model."""
        change = self.triangle.factor @ step
        return -float(change @ (2.0 * self.triangle.target + change))

    def from_range(self, u: Any) -> Any:
        """Return the step (shape p) that changes the residuals by ``u`` (shape rank), in the basis of their range."""
        k = self.rank
        return self.whole((self.V[:k].T @ (u / self.S[:k])) / self.columns[self.index])

    def moved(self, step: Any) -> Triangle:
        """Return the triangle as it is seen after ``step``, in the model."""
        triangle = self.triangle
        return triangle._replace(target=triangle.target + triangle.factor @ step, slope=None)

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
        y, boundary, _ = secular_step((S * S)[::-1].tolist(), (S * w)[::-1].tolist(), radius)
        along = self.np.array(y[::-1])
        step = self.whole((V.T @ along) / self.scale[self.index])
        shift = 0.0
        if boundary:  # (S**2 + shift) y = -S w, best where y is largest
            k = int(abs(along).argmax())
            shift = max(0.0, float(-S[k] * w[k] / along[k] - S[k] * S[k])) if along[k] else 0.0
        return Proposal(step, self.length(step), shift)

    def solve(self, g: Any, shift: float) -> Any:
        """Return z (shape p) with ``(J'J + shift D**2) z = g``, in the free directions that J can tell apart."""
        if shift == 0.0:
            k, c = self.rank, self.columns[self.index]
            inner = self.V[:k] @ (g[self.index] / c) / self.S[:k] ** 2
            return self.whole(self.V[:k].T @ inner / c)
        S, V, _ = self._scaled_parts()
        d = self.scale[self.index]
        return self.whole(V.T @ (V @ (g[self.index] / d) / (S * S + shift)) / d)

    def _scaled_parts(self) -> Any:
        if self._scaled is None:
            U, S, V = singular(self.triangle.factor[:, self.index] / self.scale[self.index])
            self._scaled = S, V, U.T @ self.triangle.target
        return self._scaled


def column_lengths(R: Any) -> Any:
    """Return the Euclidean lengths of the columns, without overflow."""
    import numpy

    largest = abs(R).max(axis=0)
    safe = numpy.where(largest > 0.0, largest, 1.0)
    return largest * numpy.sqrt(((R / safe) ** 2).sum(axis=0))


def singular(A: Any) -> tuple[Any, Any, Any]:
    """Return ``U, S, V'`` of a matrix that may have no columns."""
    import numpy

    if A.shape[1] == 0:
        return numpy.zeros((len(A), 0)), numpy.zeros(0), numpy.zeros((0, 0))
    found = numpy.linalg.svd(A, full_matrices=False)
    return found[0], found[1], found[2]


def independent(S: Any) -> int:
    """Return how many of the singular values, in falling order, of a matrix with unit columns are not zero."""
    least = RANK_TOL * len(S) * S[0] if len(S) else 0.0
    return int((least < S).sum())
