"""Levenberg-Marquardt for many small fits of one model at once.

The method is that of :mod:`gdcli.solvers.least_squares`, step for step and with the same constants: the step to the
least sum of squares of the linear model within a trust radius, bent by geodesic acceleration; near the end Newton's
method with the exact Hessian, judged by the misfit. Each problem has its own radius, accepts and refuses its own steps
and ends by itself; only the arithmetic is done for all of them together. So a problem goes the way that it would go
alone, and ends where it would end, up to rounding.

A run ends at a relative offset of 1e-13: the parameters are off by that part of their standard errors. What is not
plain here is not decided here: a problem whose Jacobian is nearly singular, whose step is refused down to rounding,
that flees to infinity or whose Hessian is not positive at the end is *given up*, and whoever asked solves it alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol

from gdcli.solvers.fit_ends import BETTER, CLOSE, MAX_POLISH, ROUNDING
from gdcli.solvers.least_squares import (
    ACCEPTABLE,
    BEND,
    FIRST_RADIUS,
    GOOD,
    GROWTH,
    MAX_REFUSALS,
    MUCH_SHORTER,
    OFFSET_TOL,
    POOR,
    SHORTER,
)
from gdcli.solvers.many_linear import (
    cholesky,
    dots,
    eigen,
    product,
    secular_shifts,
    solve_transposed,
    solve_upper,
    transposed_product,
    triangles,
)
from gdcli.solvers.trust_region import LENGTH_ACCURACY
from gdcli.solvers.walk import FLIGHT

# A problem with a column of the Jacobian that is, but for this part of its length, made up of the others is given up.
# On its way a damped step may pass such a place; the end is held to more.
INDEPENDENT = 1e-9
# The relative offset at which a problem is at its end; the rounding of the residuals is about 1e-16.
END = 1e-13
# So many of the problems must be over before the others are gathered: to gather costs about as much as to take along.
_GATHERED = 1 / 8


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

    def hessians(self, x: Any) -> Any:
        """Return the Hessians of the sums of squares, (p, p, g)."""
        ...

    def take(self, which: Any) -> ManyResiduals:
        """Return some of the problems."""
        ...


@dataclass(slots=True)
class Ends:
    """Where g problems ended; what is of a problem stands at its place on the last axis.

    ``solved`` tells which were not given up. Of these ``x`` is the end, ``R``, ``target`` and ``rest`` the triangles
    there, ``value`` and ``start_value`` sums of squares, ``hessian`` that of the sum of squares. ``iterations``,
    ``values``, ``gradients``, ``hessians`` and ``products`` count.
    """

    solved: Any
    x: Any
    R: Any
    target: Any
    rest: Any
    value: Any
    start_value: Any
    hessian: Any
    iterations: Any
    values: Any
    gradients: Any
    hessians: Any
    products: Any


@dataclass(slots=True)
class _State:
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

    def take(self, which: Any) -> _State:
        return _State(*(getattr(self, field.name)[..., which] for field in fields(self)))

    @property
    def misfit(self) -> Any:
        import numpy as np

        return np.sqrt((self.target**2).sum(axis=0))

    @property
    def columns(self) -> Any:
        import numpy as np

        return np.sqrt((self.R**2).sum(axis=0))


def solve_many(residuals: ManyResiduals, x0: Any, most: int, tol: float) -> Ends:
    """Return the ends of all problems, which start at ``x0`` (p, g) and may take fewer than ``most`` iterations.

    ``tol`` is that of the method alone.
    """
    import numpy as np

    with np.errstate(all="ignore"):
        state = _start(residuals, x0)
        ends = _nowhere(residuals.size, residuals.groups)
        while len(state.index):
            over = _over(state, most, max(END, OFFSET_TOL * tol))
            if over.sum() > _GATHERED * len(over) or over.all():
                _record(ends, residuals, state, over)
                state, residuals = state.take(~over), residuals.take(~over)
                continue
            _pass(residuals, state, over)
    return ends


def _nowhere(p: int, g: int) -> Ends:
    import numpy as np

    def numbers(*shape: int) -> Any:
        return np.full((*shape, g), np.nan)

    def counts() -> Any:
        return np.zeros(g, dtype=np.int64)

    return Ends(
        solved=np.zeros(g, dtype=bool),
        x=numbers(p),
        R=numbers(p, p),
        target=numbers(p),
        rest=numbers(),
        value=numbers(),
        start_value=numbers(),
        hessian=numbers(p, p),
        iterations=counts(),
        values=counts(),
        gradients=counts(),
        hessians=counts(),
        products=counts(),
    )


def _start(residuals: ManyResiduals, x0: Any) -> _State:
    import numpy as np

    g, p = residuals.groups, residuals.size
    x = np.array(x0, dtype=float)
    J, r = residuals.linear(x)
    value = dots(r, r)
    R, target, rest = triangles(J, r)
    scale = np.sqrt((R**2).sum(axis=0))
    size = np.sqrt(((scale * x) ** 2).sum(axis=0))
    newton = np.sqrt(((scale * solve_upper(R, -target)) ** 2).sum(axis=0))
    radius = np.where(size > 0.0, FIRST_RADIUS * size, np.where(newton > 0.0, newton, 1.0))

    def zeros() -> Any:
        return np.zeros(g, dtype=np.int64)

    return _State(
        index=np.arange(g),
        x=x,
        Q=J,
        R=R,
        target=target,
        rest=rest,
        value=value,
        start_value=value.copy(),
        scale=scale,
        radius=radius,
        horizon=FLIGHT * radius,
        hessian=np.zeros((p, p, g)),
        known=np.zeros(g, dtype=bool),
        fresh=np.zeros(g, dtype=bool),
        iterations=zeros(),
        refusals=zeros(),
        tries=zeros(),
        polished=zeros(),
        hessians=zeros(),
        products=zeros(),
        trials=zeros(),
        given_up=_is_doubtful(R, scale) | ~np.isfinite(value),
    )


def _is_doubtful(R: Any, columns: Any) -> Any:
    """Tell which triangles are nearly singular, or no numbers."""
    import numpy as np

    diagonal = R[range(len(R)), range(len(R))]
    return ~(np.isfinite(R).all(axis=(0, 1)) & (diagonal > INDEPENDENT * columns).all(axis=0))


def _is_rounding(state: _State, misfit: Any) -> Any:
    made = (state.columns * abs(state.x)).sum(axis=0)
    return misfit <= ROUNDING * (made + state.rest)


def _is_close(state: _State, misfit: Any) -> Any:
    return misfit**2 <= CLOSE * (misfit**2 + state.rest**2)


def _over(state: _State, most: int, offset: float) -> Any:
    """Tell which problems are at an end, or given up; at a relative ``offset`` there is nothing left to do."""
    misfit = state.misfit
    rounding = _is_rounding(state, misfit)
    done = (state.tries >= 2) | (state.polished >= MAX_POLISH) | (misfit <= offset * state.rest)
    ended = rounding | (_is_close(state, misfit) & done)
    state.given_up |= ~ended & (
        (state.iterations + 1 >= most) | (state.refusals >= MAX_REFUSALS) | (state.radius > state.horizon)
    )
    return ended | state.given_up


def _record(ends: Ends, residuals: ManyResiduals, state: _State, over: Any) -> None:
    """Write down the problems that are at an end."""
    import numpy as np

    there = np.flatnonzero(over & ~state.given_up)
    if not len(there):
        return
    _know_hessians(residuals, state, there[~state.fresh[there]])
    index = state.index[there]
    ends.solved[index] = True
    for name in ("x", "R", "target", "rest", "value", "start_value", "hessian", "iterations"):
        getattr(ends, name)[..., index] = getattr(state, name)[..., there]
    ends.values[index] = state.trials[there] + 1
    ends.gradients[index] = state.trials[there] + 1
    ends.hessians[index] = state.hessians[there]
    ends.products[index] = state.products[there]


def _know_hessians(residuals: ManyResiduals, state: _State, which: Any) -> None:
    """Have the Hessians of some problems at their points."""
    if len(which):
        state.hessian[..., which] = residuals.take(which).hessians(state.x[:, which])
        state.known[which] = state.fresh[which] = True
        state.hessians[which] += 1


def _pass(residuals: ManyResiduals, state: _State, over: Any) -> None:
    """Try one step of every problem that is not over.

    Once a problem is close its Hessian hardly changes, so that of the first close point serves for all last steps.
    """
    import numpy as np

    misfit = state.misfit
    close = _is_close(state, misfit)
    step = solve_upper(state.R, -state.target)  # Gauss and Newton's
    length = np.sqrt(((state.scale * step) ** 2).sum(axis=0))
    predicted = np.zeros(len(state.index))
    far = np.flatnonzero(~close & ~over)
    if len(far):
        _propose(residuals, state, far, step, length, predicted)
    ending = np.flatnonzero(close & ~over & (state.tries == 0))
    if len(ending):
        _know_hessians(residuals, state, ending[~state.known[ending]])
        step[:, ending] = _newton(state, ending)
    x = state.x + step
    J, r = residuals.linear(x)
    value = dots(r, r)
    R, target, rest = triangles(J, r)
    state.trials += ~over
    finite = np.isfinite(R).all(axis=(0, 1)) & np.isfinite(value)
    ratio = np.where(finite & (predicted > 0.0), (state.value - value) / predicted, -np.inf)
    better = (value <= state.value * (1.0 + CLOSE)) & (np.sqrt((target**2).sum(axis=0)) <= BETTER * misfit)
    accepted = finite & ~over & np.where(close, better, ratio > ACCEPTABLE)
    _adapt(state, close | over, ratio, length)
    stuck = (x == state.x).all(axis=0) | (predicted <= 4.0 * ROUNDING * state.value)
    state.given_up |= ~close & ~over & ~accepted & stuck
    state.given_up |= accepted & _is_doubtful(R, np.sqrt((R**2).sum(axis=0)))
    state.refusals = np.where(accepted, 0, state.refusals + (~close & ~over))
    state.tries = np.where(accepted, 0, state.tries + (close & ~over))
    state.polished += accepted & close
    state.iterations += accepted
    state.known &= ~(accepted & ~close)
    state.fresh &= ~accepted
    _arrive(state, accepted, {"x": x, "Q": J, "R": R, "target": target, "rest": rest, "value": value})


def _arrive(state: _State, accepted: Any, there: dict[str, Any]) -> None:
    """Go on from where the accepted steps led."""
    import numpy as np

    whole = accepted.all()
    for name, new in there.items():
        if whole:
            setattr(state, name, new)
        else:
            np.copyto(getattr(state, name), new, where=accepted)
    state.scale = np.where(accepted, np.maximum(state.scale, state.columns), state.scale)


def _propose(
    residuals: ManyResiduals, state: _State, far: Any, step: Any, length: Any, predicted: Any
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
    def of(cls, state: _State, which: Any) -> _Here:
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


def _adapt(state: _State, close: Any, ratio: Any, length: Any) -> None:
    import numpy as np

    new = np.where(ratio > GOOD, np.maximum(state.radius, GROWTH * length), state.radius)
    new = np.where(ratio < POOR, SHORTER * length, new)
    new = np.where(ratio == -np.inf, MUCH_SHORTER * length, new)
    state.radius = np.where(close, state.radius, new)


def _newton(state: _State, which: Any) -> Any:
    """Return Newton's steps; a problem whose Hessian is not positive is given up."""
    import numpy as np

    half = 0.5 * state.hessian[..., which]
    slope = transposed_product(state.R[..., which], state.target[:, which])
    U, least = cholesky(half)
    state.given_up[which[~(least > 0.0)]] = True
    step = -solve_upper(U, solve_transposed(U, slope))
    return np.where(np.isfinite(step), step, 0.0)
