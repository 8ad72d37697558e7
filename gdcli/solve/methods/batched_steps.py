"""The steps of many small fits of one model, each within its own trust radius; see
:mod:`gdcli.solve.methods.batched_fits`."""

from __future__ import annotations

from typing import Any, Protocol

from gdcli.kernel.dataclass import NamedTuple, dataclass, fields
from gdcli.solve.algebra.batched_linear import (
    boundary_steps,
    dots,
    lengths,
    positive_solves,
    solve_transposed,
    solve_upper,
)
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
        return lengths(self.target)

    @property
    def columns(self) -> Any:
        return lengths(self.R)


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
    damping = _to_the_boundary(here, out, mine, size) if len(out) else None
    change = np.einsum("ijg,jg->ig", here.R, mine)
    predicted[far] = -dots(change, 2.0 * here.target + change)
    bend = np.einsum("png,ng->pg", here.Q, some.bends(here.x, mine))
    bend = np.einsum("kig,kg->ig", here.R, bend)
    state.products[far] += 1
    aside = -0.5 * _damped(here, bend, out, damping)
    small = lengths(here.scale * aside) <= BEND * size
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


def _to_the_boundary(here: _Here, out: Any, step: Any, length: Any) -> tuple[Any, Any]:
    """Replace the steps that are too long; return ``A'A`` (p, p, g), A = J D^-1, and the shifts of their damping."""
    import numpy as np

    scale = here.scale[:, out]
    A = here.R[..., out] / scale
    square = np.einsum("kig,kjg->ijg", A, A)
    b = np.einsum("kig,kg->ig", A, here.target[:, out])
    free = scale * step[:, out]
    bend = solve_transposed(A, free)
    moved, shift = boundary_steps(square, b, here.radius[out], free, dots(bend, bend))
    step[:, out] = moved / scale
    length[out] = lengths(moved)
    return square, shift


def _damped(here: _Here, g: Any, out: Any, damping: tuple[Any, Any] | None) -> Any:
    """Return z with ``(J'J + shift D**2) z = g``."""
    z = solve_upper(here.R, solve_transposed(here.R, g))
    if damping is not None:
        square, shift = damping
        scale = here.scale[:, out]
        z[:, out] = positive_solves(square, g[:, out] / scale, shift)[0] / scale
    return z


def newton(state: BatchedState, which: Any) -> Any:
    """Return Newton's steps; a problem whose Hessian is not positive is given up."""
    import numpy as np

    slope = np.einsum("kig,kg->ig", state.R[..., which], state.target[:, which])
    z, _, least = positive_solves(0.5 * state.hessian[..., which], slope)
    state.given_up[which[~(least > 0.0)]] = True
    return np.where(np.isfinite(z), -z, 0.0)
