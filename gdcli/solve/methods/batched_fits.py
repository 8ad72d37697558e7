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

from gdcli.kernel.batched_linear import dots, lengths, solve_upper, triangles
from gdcli.kernel.numerics import EPS, INDEPENDENT
from gdcli.kernel.vectors import Array
from gdcli.solve.algebra.trust_region import ACCEPTABLE
from gdcli.solve.methods.batched_steps import BatchedFits, ManyResiduals, know_hessians, newton, propose
from gdcli.solve.methods.fit_ends import BETTER, CLOSE, MAX_POLISH
from gdcli.solve.methods.levenberg_marquardt import FIRST_RADIUS, MAX_REFUSALS, OFFSET_TOL, next_radius
from gdcli.solve.probe.line_probe import FLIGHT

# The relative offset at which a problem is at its end; the rounding of the residuals is about 1e-16.
END = 1e-13
# So many of the problems must be over before the others are gathered: to gather costs about as much as to take along.
_GATHERED = 1 / 8


def solve_many(residuals: ManyResiduals, x0: Array, most: int, tol: float) -> BatchedFits:
    """Return the ends of all problems, which start at ``x0`` (p, g) and may take fewer than ``most`` iterations.

    ``tol`` is that of the method alone.
    """
    import numpy as np

    with np.errstate(all="ignore"):
        state = _start(residuals, x0)
        ends = state.take(state.index)
        while len(state.index):
            over = _over(state, most, max(END, OFFSET_TOL * tol))
            if over.sum() > _GATHERED * len(over) or over.all():
                done, left = np.flatnonzero(over), np.flatnonzero(~over)
                know_hessians(residuals, state, done[~(state.fresh | state.given_up)[done]])
                state.put(done, ends)
                state, residuals = state.take(left), residuals.take(left)
                continue
            _pass(residuals, state, over)
    return ends


def _start(residuals: ManyResiduals, x0: Array) -> BatchedFits:
    import numpy as np

    g, p = residuals.groups, residuals.size
    x = np.array(x0, dtype=float)
    there = _linear(residuals, x)
    R, scale, value = there["R"], there["columns"], there["value"]
    size = lengths(scale * x)
    free = lengths(scale * solve_upper(R, -there["target"]))
    radius = np.where(size > 0.0, FIRST_RADIUS * size, np.where(free > 0.0, free, 1.0))
    counts = ("iterations", "refusals", "tries", "polished", "hessians", "products")
    return BatchedFits(
        index=np.arange(g),
        start_value=value.copy(),
        scale=scale,
        radius=radius,
        horizon=FLIGHT * radius,
        hessian=np.zeros((p, p, g)),
        known=np.zeros(g, dtype=bool),
        fresh=np.zeros(g, dtype=bool),
        given_up=_is_doubtful(R, scale) | ~np.isfinite(value),
        trials=np.ones(g, dtype=np.int64),
        **{name: np.zeros(g, dtype=np.int64) for name in counts},
        **there,
    )


def _linear(residuals: ManyResiduals, x: Array) -> dict[str, Array]:
    """Return the parts of the state that belong to the points x (p, g)."""
    Q, r = residuals.linear(x)
    value = dots(r, r)
    R, target, residual_norm = triangles(Q, r)
    columns, misfit = lengths(R), lengths(target)
    return {
        "x": x, "Q": Q, "R": R, "columns": columns, "target": target, "misfit": misfit,
        "residual_norm": residual_norm, "value": value,
    }  # fmt: skip


def _is_doubtful(R: Array, columns: Array) -> Array:
    """Tell which triangles are nearly singular, or no numbers."""
    import numpy as np

    sure: Array = np.logical_and.reduce(R[range(len(R)), range(len(R))] > INDEPENDENT * columns)
    return ~sure


def _is_close(state: BatchedFits) -> Array:
    square = state.misfit * state.misfit
    found: Array = square <= CLOSE * (square + state.residual_norm * state.residual_norm)
    return found


def _over(state: BatchedFits, most: int, offset: float) -> Array:
    """Tell which problems are at an end, or given up; at a relative ``offset`` there is nothing left to do."""
    misfit = state.misfit
    rounding = misfit <= EPS * (dots(state.columns, abs(state.x)) + state.residual_norm)
    done = (state.tries >= 2) | (state.polished >= MAX_POLISH) | (misfit <= offset * state.residual_norm)
    ended = rounding | (_is_close(state) & done)
    state.given_up |= ~ended & (
        (state.iterations + 1 >= most) | (state.refusals >= MAX_REFUSALS) | (state.radius > state.horizon)
    )
    return ended | state.given_up


def _pass(residuals: ManyResiduals, state: BatchedFits, over: Array) -> None:
    """Try one step of every problem that is not over.

    Once a problem is close its Hessian hardly changes, so that of the first close point serves for all last steps.
    """
    import numpy as np

    close = _is_close(state)
    far, ending = ~(close | over), close & ~over
    step = solve_upper(state.R, -state.target)  # Gauss and Newton's
    length = lengths(state.scale * step)
    predicted = np.zeros(len(state.index))
    if far.any():
        propose(residuals, state, far, step, length, predicted)
    first = np.flatnonzero(ending & (state.tries == 0))
    if len(first):
        know_hessians(residuals, state, first[~state.known[first]])
        step[:, first] = newton(state, first)
    x = state.x + step
    there = _linear(residuals, x)
    value = there["value"]
    finite = np.isfinite(there["columns"].sum(axis=0)) & np.isfinite(value)
    ratio = np.where(finite & (predicted > 0.0), (state.value - value) / predicted, -np.inf)
    better = (value <= state.value * (1.0 + CLOSE)) & (there["misfit"] <= BETTER * state.misfit)
    accepted = finite & ((far & (ratio > ACCEPTABLE)) | (ending & better))
    radius = next_radius(state.radius, length, ratio, np.where, np.maximum)
    state.radius = np.where(far, radius, state.radius)
    stuck = (x == state.x).all(axis=0) | (predicted <= 4.0 * EPS * state.value)
    state.given_up |= far & ~accepted & stuck
    state.given_up |= accepted & residuals.crosses_pole(state.x, x)
    state.given_up |= accepted & _is_doubtful(there["R"], there["columns"])
    state.refusals = np.where(accepted, 0, state.refusals + far)
    state.tries = np.where(accepted, 0, state.tries + ending)
    state.trials += ~over
    state.polished += accepted & close
    state.iterations += accepted
    state.known &= ~(accepted & far)
    state.fresh &= ~accepted
    _arrive(state, np.flatnonzero(~accepted), there)


def _arrive(state: BatchedFits, refused: Array, there: dict[str, Array]) -> None:
    """Go on from where the accepted steps led; those refused, mostly few, stay where they are."""
    import numpy as np

    for name, new in there.items():
        new[..., refused] = getattr(state, name)[..., refused]
        setattr(state, name, new)
    state.scale = np.maximum(state.scale, state.columns)
