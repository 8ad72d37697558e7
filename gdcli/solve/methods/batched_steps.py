"""The steps of many small fits of one model, each within its own trust radius; see
:mod:`gdcli.solve.methods.batched_fits`."""

from __future__ import annotations

from typing import Protocol

from gdcli.kernel.batched_linear import (
    dots,
    einsum,
    least_pivots,
    lengths,
    positive_solves,
    solve_transposed,
    solve_upper,
    transposed_product,
)
from gdcli.kernel.dataclass import NamedTuple, dataclass, fields
from gdcli.kernel.dense import inverse_form
from gdcli.kernel.vectors import Array
from gdcli.solve.algebra.trust_region import LENGTH_ACCURACY, MAX_FACTORS
from gdcli.solve.methods.levenberg_marquardt import BEND


class ManyResiduals(Protocol):
    """The residuals of g problems of n rows and p parameters. Points have shape (p, g)."""

    size: int
    groups: int

    def linear(self, x: Array) -> tuple[Array, Array]:
        """Return the Jacobians (p, n, g) and the residuals (n, g), new arrays; rows that do not count are zero."""
        ...

    def bends(self, x: Array, v: Array) -> Array:
        """Return the second derivatives of the residuals along directions, (n, g)."""
        ...

    def crosses_pole(self, x: Array, y: Array) -> Array:
        """Tell for which problems some residual is infinite on the way from x to y (g,)."""
        ...

    def hessians(self, x: Array) -> Array:
        """Return the Hessians of the sums of squares, (p, p, g)."""
        ...

    def take(self, which: Array) -> ManyResiduals:
        """Return some of the problems."""
        ...


@dataclass(slots=True)
class BatchedFits:
    """Fits under way, or at their ends; the last axis of every array counts them.

    ``Q`` are the orthogonal columns of the Jacobian, J = Q R, of fits under way; ``columns`` the lengths of those of J,
    ``misfit`` is that of ``target``. ``tries`` counts last steps that did not help. A Hessian is ``known`` from a point
    that was close, and ``fresh`` where that is the present one. ``iterations``, ``hessians``, ``products`` and
    ``trials``, the points looked at, count.
    """

    index: Array
    Q: Array
    x: Array
    R: Array
    columns: Array
    target: Array
    misfit: Array
    residual_norm: Array
    value: Array
    start_value: Array
    scale: Array
    radius: Array
    horizon: Array
    hessian: Array
    known: Array
    fresh: Array
    iterations: Array
    refusals: Array
    tries: Array
    polished: Array
    hessians: Array
    products: Array
    trials: Array
    given_up: Array

    def take(self, which: Array) -> BatchedFits:
        return BatchedFits(*(getattr(self, field.name).take(which, axis=-1) for field in fields(self)))

    def put(self, which: Array, ends: BatchedFits) -> None:
        """Write down some of the fits among ``ends``, at their places."""
        places = self.index[which]
        for field in fields(self)[2:]:
            getattr(ends, field.name)[..., places] = getattr(self, field.name)[..., which]


def know_hessians(residuals: ManyResiduals, state: BatchedFits, which: Array) -> None:
    """Have the Hessians of some problems at their points."""
    if len(which):
        state.hessian[..., which] = residuals.take(which).hessians(state.x[:, which])
        state.known[which] = state.fresh[which] = True
        state.hessians[which] += 1


def propose(
    residuals: ManyResiduals, state: BatchedFits, far: Array, step: Array, length: Array, predicted: Array
) -> None:
    """Put in place the steps, their lengths and the falls that they promise of problems that are ``far`` from the end.

    Of the others ``step`` and ``length`` stay.
    """
    import numpy as np

    some = np.flatnonzero(far)
    whole = 2 * len(some) > len(far)  # to gather most of them takes longer than to take all along
    here = _Here.of(state, None if whole else some)
    here_far = far if whole else np.ones(len(some), dtype=bool)
    mine, size = (step, length) if whole else (step[:, some], length[some])
    out = np.flatnonzero(here_far & ~(size <= here.radius))
    damping = _to_the_boundary(here, out, mine, size) if len(out) else None
    change = einsum("ijg,jg->ig", here.R, mine)
    fall = -dots(change, 2.0 * here.target + change)
    bends = (residuals if whole else residuals.take(some)).bends(here.x, mine)
    bend = transposed_product(here.R, einsum("png,ng->pg", here.Q, bends))
    aside = -0.5 * _damped(here, bend, out, damping)
    small = lengths(here.scale * aside) <= BEND * size
    np.add(mine, aside, out=mine, where=small & here_far)
    state.products[some] += 1
    if whole:
        predicted[:] = fall
    else:
        step[:, some], length[some], predicted[some] = mine, size, fall


class _Here(NamedTuple):
    """What a step is made of."""

    x: Array
    Q: Array
    R: Array
    target: Array
    scale: Array
    radius: Array

    @classmethod
    def of(cls, state: BatchedFits, which: Array | None) -> _Here:
        parts = (getattr(state, name) for name in cls._fields)
        return cls(*(part if which is None else part.take(which, axis=-1) for part in parts))


def _to_the_boundary(here: _Here, out: Array, step: Array, length: Array) -> tuple[Array, Array]:
    """Replace the steps that are too long; return ``A'A`` (p, p, g), A = J D^-1, and the shifts of their damping."""

    scale = here.scale[:, out]
    A = here.R[..., out] / scale
    square = einsum("kig,kjg->ijg", A, A)
    free = scale * step[:, out]
    bend = solve_transposed(A, free)
    slope = transposed_product(A, here.target[:, out])
    moved, shift = boundary_steps(square, slope, here.radius[out], free, dots(bend, bend))
    step[:, out] = moved / scale
    length[out] = lengths(moved)
    return square, shift


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
        step, length, bend = -z, lengths(z), inverse_form(factors, list(z))
    return step, shift


def _damped(here: _Here, g: Array, out: Array, damping: tuple[Array, Array] | None) -> Array:
    """Return z with ``(J'J + shift D**2) z = g``."""
    z = solve_upper(here.R, solve_transposed(here.R, g))
    if damping is not None:
        square, shift = damping
        scale = here.scale[:, out]
        z[:, out] = positive_solves(square, g[:, out] / scale, shift)[0] / scale
    return z


def newton(state: BatchedFits, which: Array) -> Array:
    """Return Newton's steps; a problem whose Hessian is not positive is given up."""
    import numpy as np

    slope = transposed_product(state.R[..., which], state.target[:, which])
    half = 0.5 * state.hessian[..., which]
    z, factors = positive_solves(half, slope)
    state.given_up[which[~(least_pivots(half, factors) > 0.0)]] = True
    return np.where(np.isfinite(z), -z, 0.0)
