"""Levenberg-Marquardt for many small fits of one model at once.

The method is that of :mod:`gdcli.solve.methods.levenberg_marquardt`, step for step and with the same constants: the
step to the least sum of squares of the linear model within a trust radius, bent by geodesic acceleration; near the end
Newton's method with the exact Hessian, judged by the misfit. Each problem has its own radius, accepts and refuses its
own steps and ends by itself; only the arithmetic is done for all of them together. So a problem goes the way that it
would go alone, and ends where it would end, up to rounding.

A run ends at a relative offset of 1e-13: the parameters are off by that part of their standard errors. What is not
plain here is not decided here: a problem whose Jacobian is nearly singular, whose step is refused down to rounding,
that flees to infinity or across a pole, or whose Hessian is not positive at the end is *given up*, and whoever asked
solves it alone.
"""

from __future__ import annotations

from typing import Any

from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.numerics import EPS, INDEPENDENT
from gdcli.solve.algebra.batched_linear import dots, lengths, solve_upper, triangles
from gdcli.solve.algebra.trust_region import ACCEPTABLE, GOOD, POOR
from gdcli.solve.methods.batched_steps import BatchedState, ManyResiduals, know_hessians, newton, propose
from gdcli.solve.methods.fit_ends import BETTER, CLOSE, MAX_POLISH
from gdcli.solve.methods.levenberg_marquardt import (
    FIRST_RADIUS,
    GROWTH,
    MAX_REFUSALS,
    MUCH_SHORTER,
    OFFSET_TOL,
    SHORTER,
)
from gdcli.solve.probe.line_probe import FLIGHT

# The relative offset at which a problem is at its end; the rounding of the residuals is about 1e-16.
END = 1e-13
# So many of the problems must be over before the others are gathered: to gather costs about as much as to take along.
_GATHERED = 1 / 8


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


def _start(residuals: ManyResiduals, x0: Any) -> BatchedState:
    import numpy as np

    g, p = residuals.groups, residuals.size
    x = np.array(x0, dtype=float)
    J, r = residuals.linear(x)
    value = dots(r, r)
    R, target, rest = triangles(J, r)
    scale = lengths(R)
    size = lengths(scale * x)
    free = lengths(scale * solve_upper(R, -target))
    radius = np.where(size > 0.0, FIRST_RADIUS * size, np.where(free > 0.0, free, 1.0))

    def zeros() -> Any:
        return np.zeros(g, dtype=np.int64)

    return BatchedState(
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


def _is_rounding(state: BatchedState, misfit: Any) -> Any:
    made = (state.columns * abs(state.x)).sum(axis=0)
    return misfit <= EPS * (made + state.rest)


def _is_close(state: BatchedState, misfit: Any) -> Any:
    return misfit**2 <= CLOSE * (misfit**2 + state.rest**2)


def _over(state: BatchedState, most: int, offset: float) -> Any:
    """Tell which problems are at an end, or given up; at a relative ``offset`` there is nothing left to do."""
    misfit = state.misfit
    rounding = _is_rounding(state, misfit)
    done = (state.tries >= 2) | (state.polished >= MAX_POLISH) | (misfit <= offset * state.rest)
    ended = rounding | (_is_close(state, misfit) & done)
    state.given_up |= ~ended & (
        (state.iterations + 1 >= most) | (state.refusals >= MAX_REFUSALS) | (state.radius > state.horizon)
    )
    return ended | state.given_up


def _record(ends: Ends, residuals: ManyResiduals, state: BatchedState, over: Any) -> None:
    """Write down the problems that are at an end."""
    import numpy as np

    there = np.flatnonzero(over & ~state.given_up)
    if not len(there):
        return
    know_hessians(residuals, state, there[~state.fresh[there]])
    index = state.index[there]
    ends.solved[index] = True
    for name in ("x", "R", "target", "rest", "value", "start_value", "hessian", "iterations"):
        getattr(ends, name)[..., index] = getattr(state, name)[..., there]
    ends.values[index] = state.trials[there] + 1
    ends.gradients[index] = state.trials[there] + 1
    ends.hessians[index] = state.hessians[there]
    ends.products[index] = state.products[there]


def _pass(residuals: ManyResiduals, state: BatchedState, over: Any) -> None:
    """Try one step of every problem that is not over.

    Once a problem is close its Hessian hardly changes, so that of the first close point serves for all last steps.
    """
    import numpy as np

    misfit = state.misfit
    close = _is_close(state, misfit)
    step = solve_upper(state.R, -state.target)  # Gauss and Newton's
    length = lengths(state.scale * step)
    predicted = np.zeros(len(state.index))
    far = np.flatnonzero(~close & ~over)
    if len(far):
        propose(residuals, state, far, step, length, predicted)
    ending = np.flatnonzero(close & ~over & (state.tries == 0))
    if len(ending):
        know_hessians(residuals, state, ending[~state.known[ending]])
        step[:, ending] = newton(state, ending)
    x = state.x + step
    J, r = residuals.linear(x)
    value = dots(r, r)
    R, target, rest = triangles(J, r)
    state.trials += ~over
    finite = np.isfinite(R).all(axis=(0, 1)) & np.isfinite(value)
    ratio = np.where(finite & (predicted > 0.0), (state.value - value) / predicted, -np.inf)
    better = (value <= state.value * (1.0 + CLOSE)) & (lengths(target) <= BETTER * misfit)
    accepted = finite & ~over & np.where(close, better, ratio > ACCEPTABLE)
    _adapt(state, close | over, ratio, length)
    stuck = (x == state.x).all(axis=0) | (predicted <= 4.0 * EPS * state.value)
    state.given_up |= ~close & ~over & ~accepted & stuck
    state.given_up |= accepted & residuals.crosses_pole(state.x, x)
    state.given_up |= accepted & _is_doubtful(R, lengths(R))
    state.refusals = np.where(accepted, 0, state.refusals + (~close & ~over))
    state.tries = np.where(accepted, 0, state.tries + (close & ~over))
    state.polished += accepted & close
    state.iterations += accepted
    state.known &= ~(accepted & ~close)
    state.fresh &= ~accepted
    _arrive(state, accepted, {"x": x, "Q": J, "R": R, "target": target, "rest": rest, "value": value})


def _arrive(state: BatchedState, accepted: Any, there: dict[str, Any]) -> None:
    """Go on from where the accepted steps led."""
    import numpy as np

    whole = accepted.all()
    for name, new in there.items():
        if whole:
            setattr(state, name, new)
        else:
            np.copyto(getattr(state, name), new, where=accepted)
    state.scale = np.where(accepted, np.maximum(state.scale, state.columns), state.scale)


def _adapt(state: BatchedState, close: Any, ratio: Any, length: Any) -> None:
    import numpy as np

    new = np.where(ratio > GOOD, np.maximum(state.radius, GROWTH * length), state.radius)
    new = np.where(ratio < POOR, SHORTER * length, new)
    new = np.where(ratio == -np.inf, MUCH_SHORTER * length, new)
    state.radius = np.where(close, state.radius, new)
