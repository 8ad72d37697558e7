"""The steps of many small fits of one model, each within its own trust radius; see
:mod:`gdcli.solve.methods.batched_fits`."""

from __future__ import annotations

from typing import Any, Protocol

from gdcli.kernel.dataclass import NamedTuple, dataclass, fields
from gdcli.solve.algebra.batched_linear import (
    cholesky,
    eigen,
    product,
    secular_shifts,
    solve_transposed,
    solve_upper,
    transposed_product,
)
from gdcli.solve.algebra.trust_region import LENGTH_ACCURACY
from gdcli.solve.methods.levenberg_marquardt import BEND


class ManyResiduals(Protocol):
    """The residuals of g problems of n rows and p parameters. Points have shape (p, g)."""

    size: int
    groups: int

    def linear(self, x: Any) -> tuple[Any, Any]:
        """Return the Jacobians (p, n, g) and the residuals (n, g), new arrays; rows that do not count are zero."""
        ...

    def bends(self, x: Any, v: Any) -> Any:
        """Return the second derivatives of the residuals along directions, (n, g)."""
        ...

    def crosses_pole(self, x: Any, y: Any) -> Any:
        """Tell for which problems some residual is infinite on the way from x to y (g,)."""
        ...

    def hessians(self, x: Any) -> Any:
        """Return the Hessians of the sums of squares, (p, p, g)."""
        ...

    def take(self, which: Any) -> ManyResiduals: ...


@dataclass(slots=True)
class BatchedState:
    """Problems under way; the last axis of every array counts them.

    ``Q`` are the orthogonal columns of the Jacobian, J = Q R. ``tries`` counts last steps that did not help. A Hessian
    is ``known`` from a point that was close, and ``fresh`` where that is the present one.
    """

    index: Any
    x: Any
    Q: Any
    R: Any
    target: Any
    rest: Any
    value: Any
    start_value: Any
    scale: Any
    radius: Any
    horizon: Any
    hessian: Any
    known: Any
    fresh: Any
    iterations: Any
    refusals: Any
    tries: Any
    polished: Any
    hessians: Any
    products: Any
    trials: Any
    given_up: Any

    def take(self, which: Any) -> BatchedState:
        return BatchedState(*(getattr(self, field.name)[..., which] for field in fields(self)))

    @property
    def misfit(self) -> Any:
        import numpy as np

        return np.sqrt((self.target**2).sum(axis=0))

    @property
    def columns(self) -> Any:
        import numpy as np

        return np.sqrt((self.R**2).sum(axis=0))


def know_hessians(residuals: ManyResiduals, state: BatchedState, which: Any) -> None:
    """Have the Hessians of some problems at their points."""
    if len(which):
        state.hessian[..., which] = residuals.take(which).hessians(state.x[:, which])
        state.known[which] = state.fresh[which] = True
        state.hessians[which] += 1


def propose(
    residuals: ManyResiduals, state: BatchedState, far: Any, step: Any, length: Any, predicted: Any
) -> None:
    """Put in place the steps, their lengths and the falls that they promise of problems that are not close."""
    import numpy as np

    whole = len(far) == len(state.index)
    here = _Here.of(state, slice(None) if whole else far)
    some = residuals if whole else residuals.take(far)
    mine, size = step[:, far], length[far]
    out = np.flatnonzero(~(size <= here.radius))
    basis = None
    if len(out):
        basis = _to_the_boundary(here, out, mine, size)
    change = product(here.R, mine)
    predicted[far] = -(change * (2.0 * here.target + change)).sum(axis=0)
    bend = transposed_product(here.R, np.einsum("png,ng->pg", here.Q, some.bends(here.x, mine)))
    state.products[far] += 1
    aside = -0.5 * _damped(here, bend, out, basis)
    small = np.sqrt(((here.scale * aside) ** 2).sum(axis=0)) <= BEND * size
    step[:, far] = np.where(small, mine + aside, mine)
    length[far] = size


class _Here(NamedTuple):
    """What a step is made of."""

    x: Any
    Q: Any
    R: Any
    target: Any
    scale: Any
    radius: Any

    @classmethod
    def of(cls, state: BatchedState, which: Any) -> _Here:
        return cls(*(getattr(state, name)[..., which] for name in cls._fields))


def _to_the_boundary(here: _Here, out: Any, step: Any, length: Any) -> Any:
    """Replace the steps that are too long; return the eigenvalues, eigenvectors and shifts of their damping."""
    import numpy as np

    R, scale = here.R[..., out], here.scale[:, out]
    A = R / scale
    w, V = eigen(np.einsum("kig,kjg->ijg", A, A))
    q = np.einsum("ijg,ig->jg", V, transposed_product(A, here.target[:, out]))
    y, shift = secular_shifts(np.maximum(w, 0.0), q, here.radius[out], LENGTH_ACCURACY)
    moved = np.einsum("ijg,jg->ig", V, y)
    step[:, out] = moved / scale
    length[out] = np.sqrt((moved**2).sum(axis=0))
    return w, V, shift


def _damped(here: _Here, g: Any, out: Any, basis: Any) -> Any:
    """Return z with ``(J'J + shift D**2) z = g``."""
    import numpy as np

    z = solve_upper(here.R, solve_transposed(here.R, g))
    if basis is not None:
        w, V, shift = basis
        scale = here.scale[:, out]
        inner = np.einsum("ijg,ig->jg", V, g[:, out] / scale) / (w + shift)
        z[:, out] = np.einsum("ijg,jg->ig", V, inner) / scale
    return z


def newton(state: BatchedState, which: Any) -> Any:
    """Return Newton's steps; a problem whose Hessian is not positive is given up."""
    import numpy as np

    half = 0.5 * state.hessian[..., which]
    slope = transposed_product(state.R[..., which], state.target[:, which])
    U, least = cholesky(half)
    state.given_up[which[~(least > 0.0)]] = True
    step = -solve_upper(U, solve_transposed(U, slope))
    return np.where(np.isfinite(step), step, 0.0)
