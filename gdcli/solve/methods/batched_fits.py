"""Levenberg-Marquardt for many small fits of one model at once, or for many starts of one fit.

The method is that of :mod:`gdcli.solve.methods.levenberg_marquardt`, step for step, and what decides of a step, of the
radius and of the end are the same functions: the step to the least sum of squares of the linear model within a trust
radius, bent by geodesic acceleration; near the end Newton's method with the exact Hessian, judged by the misfit. Each
problem has its own radius, accepts and refuses its own steps and ends by itself; only the arithmetic is done for all of
them together. So a problem goes the way that it would go alone, and ends where it would end, up to rounding.

A run ends at a relative offset of 1e-13: the parameters are off by that part of their standard errors. What is not
plain here is not decided here: a problem whose Jacobian is nearly singular, whose step is refused down to rounding,
that flees to infinity, or whose Hessian is not positive at the end is *given up*, and whoever asked solves it alone.
"""

from __future__ import annotations

from math import inf

from gdcli.kernel.batched_linear import (
    least_pivots,
    positive_solves,
    solve_upper,
    transposed_product,
)
from gdcli.kernel.budget import Spent
from gdcli.kernel.dataclass import dataclass, fields
from gdcli.kernel.status import Status, StopReason
from gdcli.kernel.vectors import Array, np
from gdcli.objective.protocol import Counts, Evaluation, Objective
from gdcli.solve.algebra.batched_model import BatchedModel, ManyResiduals, linear_models
from gdcli.solve.algebra.trust_region import ACCEPTABLE
from gdcli.solve.iteration import Step
from gdcli.solve.methods.fit_ends import MAX_POLISH, is_better, is_close, is_level, is_within, rounding_of
from gdcli.solve.methods.levenberg_marquardt import (
    MAX_REFUSALS,
    OFFSET_TOL,
    bent,
    fall_ratio,
    first_radius,
    is_lost,
    next_radius,
)
from gdcli.solve.probe.line_probe import FLIGHT
from gdcli.solve.run import run

# The relative offset at which a problem is at its end; the rounding of the residuals is about 1e-16.
END = 1e-13
# So many of the problems must be over before the others are gathered: to gather costs about as much as to take along.
_GATHERED = 1 / 8


@dataclass(slots=True)
class BatchedFits(BatchedModel):
    """Fits under way, or at their ends; the last axis of every array counts them.

    ``tries`` counts last steps that did not help. A Hessian is ``known`` from a point that was close, and ``fresh``
    where that is the present one. ``iterations``, ``hessians``, ``products`` and ``trials``, the points looked at,
    count.
    """

    index: Array
    start_value: Array
    radius: Array
    horizon: Array
    hessian: Array
    known: Array
    fresh: Array
    given_up: Array
    iterations: Array
    refusals: Array
    tries: Array
    polished: Array
    hessians: Array
    products: Array
    trials: Array

    def put(self, which: Array, ends: BatchedFits) -> None:
        """Write down some of the fits among ``ends``, at their places."""
        places = self.index[which]
        for field in fields(self):
            if field.name not in ("Q", "index"):
                getattr(ends, field.name)[..., places] = getattr(self, field.name)[..., which]

    def know_hessians(self, residuals: ManyResiduals, which: Array) -> None:
        if len(which):
            self.hessian[..., which] = residuals.take(which).hessians(self.x[:, which])
            self.known[which] = self.fresh[which] = True
            self.hessians[which] += 1


def solve_many(residuals: ManyResiduals, x0: Array, most: int, tol: float) -> BatchedFits:
    """Return the ends of all problems, which start at ``x0`` (p, g) and may take fewer than ``most`` iterations.

    ``tol`` is that of the method alone; with inf neither last digits nor the Hessians at the ends are looked
    for. Raises what a signal or a cap raises.
    """
    together = _Together(residuals, most, max(END, OFFSET_TOL * tol))
    reason = run(together, together, x0).reason
    reason.pass_on()
    if reason.status is Status.LIMIT:
        raise Spent(reason.value)
    return together.ends


class _Together(Objective):
    """All problems as the one loop sees them: their sums of squares added up, where there are such, and the method
    whose step is one trial of each of them.
    """

    order = 0

    def __init__(self, residuals: ManyResiduals, most: int, offset: float) -> None:
        self.residuals, self.most, self.offset, self.counts = residuals, most, offset, Counts()

    def evaluate(self, x: Array, order: int = 0) -> Evaluation:
        self.begun = _start(self.residuals, x)
        finite = np.isfinite(self.begun.value) & np.isfinite(x).all(axis=0)
        return Evaluation(x[:, finite], float(self.begun.value[finite].sum()))

    def start(self, objective: Objective, at: Evaluation) -> BatchedFits:
        self.ends = self.begun.take(self.begun.index, BatchedFits)
        return self.begun

    def step(self, objective: Objective, at: Evaluation, state: BatchedFits) -> Step:
        """Try a step of every problem, or leave those that are over."""
        over = _over(state, self.most, self.offset)
        if over.sum() <= _GATHERED * len(over) and not over.all():
            _pass(self.residuals, state, over)
            return Step(at, state, None, moved=False)
        done, left = np.flatnonzero(over), np.flatnonzero(~over)
        if self.offset < inf:
            state.know_hessians(self.residuals, done[~(state.fresh | state.given_up)[done]])
        state.put(done, self.ends)
        self.residuals = self.residuals.take(left)
        return Step(
            at, state.take(left, BatchedFits), None, None if len(left) else StopReason.GAP, moved=False
        )


def _start(residuals: ManyResiduals, x0: Array) -> BatchedFits:
    g, p = residuals.groups, residuals.size
    here = linear_models(residuals, np.array(x0, dtype=float))
    radius = first_radius(here, here.x)
    no, none = np.zeros((2, g), dtype=bool), np.zeros((6, g), dtype=np.int64)
    given_up = ~(here.is_sound & np.isfinite(here.value))
    parts = [getattr(here, field.name) for field in fields(here)]
    parts += [np.arange(g), here.value.copy(), radius, FLIGHT * radius, np.zeros((p, p, g)), *no, given_up]
    parts += [*none, np.ones(g, dtype=np.int64)]
    return BatchedFits(*parts)


def _over(state: BatchedFits, most: int, offset: float) -> Array:
    """Tell which problems are at an end, or given up; at a relative ``offset`` there is nothing left to do."""
    done = (state.tries >= 2) | (state.polished >= MAX_POLISH) | is_within(state, offset)
    ended: Array = (state.misfit <= rounding_of(state, state.x)) | (is_close(state) & done)
    state.given_up |= ~ended & (
        (state.iterations + 1 >= most) | (state.refusals >= MAX_REFUSALS) | (state.radius > state.horizon)
    )
    return ended | state.given_up


def _pass(residuals: ManyResiduals, state: BatchedFits, over: Array) -> None:
    """Try one step of every problem that is not over.

    Once a problem is close its Hessian hardly changes, so that of the first close point serves for all last steps.
    """
    close = is_close(state)
    far, ending = ~(close | over), close & ~over
    some, last = np.flatnonzero(far), np.flatnonzero(ending)
    if 2 * len(some) > len(far):  # to gather most of them takes longer than to take all along
        step, length, predicted = _proposed(residuals, state, state.radius)
    else:
        step, (length, predicted) = np.zeros_like(state.x), np.zeros((2, len(far)))
        if len(some):
            few = state.take(some, BatchedModel)
            found = _proposed(residuals.take(some), few, state.radius[some])
            step[:, some], length[some], predicted[some] = found
    state.products[some] += 1
    if len(last):
        step[:, last] = solve_upper(state.R[..., last], -state.target[:, last])  # Gauss and Newton's
        first = last[state.tries[last] == 0]
        state.know_hessians(residuals, first[~state.known[first]])
        step[:, first] = _newton(state, first)
    x = state.x + step
    there = linear_models(residuals, x)
    finite = np.isfinite(there.columns.sum(axis=0)) & np.isfinite(there.value)
    finite &= ~residuals.crosses_pole(state.x, x)
    ratio = fall_ratio(state.value, there.value, predicted, finite)
    better = is_level(there.value, state.value) & is_better(there, state)
    accepted = finite & ((far & (ratio > ACCEPTABLE)) | (ending & better))
    radius = next_radius(state.radius, length, ratio)
    state.radius = np.where(far, radius, state.radius)
    stuck = (x == state.x).all(axis=0) | is_lost(predicted, state.value)
    state.given_up |= far & ~accepted & stuck
    state.given_up |= accepted & ~there.is_sound
    state.refusals = np.where(accepted, 0, state.refusals + far)
    state.tries = np.where(accepted, 0, state.tries + ending)
    state.trials += ~over
    state.polished += accepted & close
    state.iterations += accepted
    state.known &= ~(accepted & far)
    state.fresh &= ~accepted
    refused = np.flatnonzero(~accepted)  # mostly few: they stay where they are
    there.scale = np.maximum(state.scale, there.columns)
    for field in fields(there):
        new = getattr(there, field.name)
        new[..., refused] = getattr(state, field.name)[..., refused]
        setattr(state, field.name, new)


def _proposed(residuals: ManyResiduals, model: BatchedModel, radius: Array) -> tuple[Array, Array, Array]:
    """Return steps of problems that are far from their ends, their lengths, and the falls that they promise."""
    proposal = model.step(radius)
    curving = residuals.bends(model.x, proposal.step)
    step = bent(model, proposal, None if curving is None else model.across(curving))
    return step, proposal.length, model.fall(proposal.step)


def _newton(state: BatchedFits, which: Array) -> Array:
    """Return Newton's steps; a problem whose Hessian is not positive is given up."""
    slope = transposed_product(state.R[..., which], state.target[:, which])
    half = 0.5 * state.hessian[..., which]
    z, factors = positive_solves(half, slope)
    state.given_up[which[~(least_pivots(half, factors) > 0.0)]] = True
    return np.where(np.isfinite(z), -z, 0.0)
