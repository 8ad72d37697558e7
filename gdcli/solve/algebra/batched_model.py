"""The residuals of many fits as linear functions of their steps: a `ResidualModel` of arrays, whose last axis counts.

No Jacobian J = Q R is nearly singular here, so triangles do in the place of singular values, and Cholesky factors of
``A'A + shift I``, A = R D^-1, find the steps within a radius.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from gdcli.kernel.batched_linear import (
    dots,
    einsum,
    lengths,
    positive_solves,
    solve_transposed,
    solve_upper,
    transposed_product,
    triangles,
)
from gdcli.kernel.dataclass import dataclass, fields
from gdcli.kernel.dense import inverse_form
from gdcli.kernel.numerics import INDEPENDENT
from gdcli.kernel.vectors import Array
from gdcli.solve.algebra.residual_model import Proposal
from gdcli.solve.algebra.trust_region import LENGTH_ACCURACY, MAX_FACTORS

Model = TypeVar("Model", bound="BatchedModel")


class ManyResiduals(Protocol):
    """The residuals of g problems of n rows and p parameters. Points have shape (p, g)."""

    size: int
    groups: int

    def linear(self, x: Array) -> tuple[Array, Array]:
        """Return the Jacobians (p, n, g) and the residuals (n, g), new arrays; rows that do not count are zero."""

    def bends(self, x: Array, v: Array) -> Array | None:
        """Return the second derivatives of the residuals along directions, (n, g), None where they are not known."""

    def crosses_pole(self, x: Array, y: Array) -> Array:
        """Tell for which problems some residual is infinite on the way from x to y (g,)."""

    def hessians(self, x: Array) -> Array:
        """Return the Hessians of the sums of squares, (p, p, g)."""

    def take(self, which: Array) -> ManyResiduals:
        """Return some of the problems."""


@dataclass(slots=True)
class BatchedModel:
    """``|r + J d|**2`` of g problems for steps d (p, g) from x (p, g), with J = Q R (p, n, g), (p, p, g).

    ``columns`` (p, g) are the lengths of those of J, ``misfit`` (g,) is that of ``target`` (p, g), ``value`` (g,) the
    sum of squares, ``scale`` (p, g) as a `ResidualModel` has it.
    """

    x: Array
    Q: Array
    R: Array
    columns: Array
    target: Array
    misfit: Array
    residual_norm: Array
    value: Array
    scale: Array

    def take(self, which: Array, kind: type[Model]) -> Model:
        """Return some of the problems, with what a ``kind`` of model, this one or a plainer one, has."""
        return kind(*(getattr(self, field.name).take(which, axis=-1) for field in fields(kind)))

    @property
    def total(self) -> Array:
        return self.value

    @property
    def is_sound(self) -> Array:
        """Which triangles are numbers, and not nearly singular."""
        import numpy as np

        R = self.R
        found: Array = np.logical_and.reduce(R[range(len(R)), range(len(R))] > INDEPENDENT * self.columns)
        return found

    def length(self, step: Array) -> Array:
        return lengths(self.scale * step)

    def fall(self, step: Array) -> Array:
        change = einsum("ijg,jg->ig", self.R, step)
        return -dots(change, 2.0 * self.target + change)

    def gauss_newton(self) -> Proposal:
        step = solve_upper(self.R, -self.target)
        return Proposal(step, self.length(step), None)

    def step(self, radius: Array) -> Proposal:
        """Return the steps to the least sums of squares of the model within ``radius`` (g,).

        Their shift tells which of them end there, their ``A'A``, and the shifts of these.
        """
        import numpy as np

        step, length, _ = free = self.gauss_newton()
        out = np.flatnonzero(~(length <= radius))
        if not len(out):
            return free
        scale = self.scale[:, out]
        A, whole = self.R[..., out] / scale, scale * step[:, out]
        square, bend = einsum("kig,kjg->ijg", A, A), solve_transposed(A, whole)
        slope = transposed_product(A, self.target[:, out])
        moved, shift = boundary_steps(square, slope, radius[out], whole, dots(bend, bend))
        step[:, out], length[out] = moved / scale, lengths(moved)
        return Proposal(step, length, (out, square, shift))

    def solve(self, g: Array, shift: tuple[Array, Array, Array] | None) -> Array:
        """Return z (p, g) with ``(J'J + shift D**2) z = g``, for the shift of a `step`."""
        z = solve_upper(self.R, solve_transposed(self.R, g))
        if shift is not None:
            out, square, own = shift
            scale = self.scale[:, out]
            z[:, out] = positive_solves(square, g[:, out] / scale, own)[0] / scale
        return z

    def across(self, u: Array) -> Array:
        """Return ``J' u`` (p, g) of vectors u (n, g)."""
        return transposed_product(self.R, einsum("png,ng->pg", self.Q, u))


def linear_models(residuals: ManyResiduals, x: Array) -> BatchedModel:
    """Return the models at x (p, g), whose scales are their own."""
    Q, r = residuals.linear(x)
    value = dots(r, r)
    R, target, residual_norm = triangles(Q, r)
    columns = lengths(R)
    return BatchedModel(x, Q, R, columns, target, lengths(target), residual_norm, value, columns)


def boundary_steps(A: Array, b: Array, radius: Array, step: Array, bend: Array) -> tuple[Array, Array]:
    """Return the steps (p, g) to the least of ``b'p + p'Ap/2`` at about the ``radius``, and their shifts (g,).

    A is positive definite, and the Newton ``step`` too long; ``bend`` is its square in the norm of the inverse of A.
    The iteration is that of :func:`gdcli.solve.algebra.trust_region.boundary_step`, to the accuracy of a fit alone.
    """
    import numpy as np

    slope, shift, length = lengths(b), np.zeros(len(radius)), lengths(step)
    least = slope / radius - einsum("ig,ijg,jg->g", b, A, b) / (slope * slope)
    for _ in range(MAX_FACTORS):
        long = length > (1.0 + LENGTH_ACCURACY) * radius
        if not long.any():
            break
        more = shift + length / bend * length * (length - radius) / radius
        shift = np.where(long, np.maximum(more, least), shift)
        z, factors = positive_solves(A, b, shift)
        new = (
            -z,
            lengths(z),
            inverse_form(factors, list(z)),
        )  # of those that are long: the others keep their digits
        step, length, bend = (np.where(long, *each) for each in zip(new, (step, length, bend), strict=True))
    return step, shift
