"""Levenberg-Marquardt: the least sum of squares of residuals that are nearly linear in the parameters.

Near a point the residuals r are replaced by linear functions of the step, and the step to the least sum of squares of
those is taken, if it is no longer than a *trust radius* which grows and shrinks with how well the model foretold the
value (Levenberg 1944, Marquardt 1963; in the form of Moré, Lecture Notes in Mathematics 630, 1978). Length is measured
in units of the parameters' own scales, so nothing depends on the units that they are written in. On a long step the
curvature of the model function along the way is worth one more look: *geodesic acceleration* bends the step by it
(Transtrum and Sethna, arXiv:1201.5885, 2012). On the NIST problems it halves the number of iterations.

The run is *close* when a step can take away no more than 1e-10 of the value. From there on the value is too blurred by
its own rounding to judge a step, and :mod:`gdcli.solve.methods.fit_ends` takes over.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import dataclass, stored
from gdcli.kernel.dense import Entry, chosen
from gdcli.kernel.factors import column_lengths, combined
from gdcli.kernel.numerics import EPS
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import Vec, Vector, as_like, clipped, same
from gdcli.objective.protocol import Box, Evaluation, Objective, free_part
from gdcli.solve.algebra.residual_model import Proposal, ResidualModel, rounding_shows
from gdcli.solve.algebra.trust_region import ACCEPTABLE, GOOD, POOR
from gdcli.solve.iteration import Step
from gdcli.solve.methods import fit_ends
from gdcli.solve.methods.fit_ends import Fit, Here, fit_of, is_better, is_within
from gdcli.solve.probe.line_probe import FLIGHT, ProbeEnd

if TYPE_CHECKING:
    from gdcli.solve.algebra.batched_model import BatchedModel

# The first radius relative to the scaled length of the start. Measured on the NIST problems from 324 starts: with 10,
# fewer runs end at the certified minimum, with 0.1 as many, but in more steps.
FIRST_RADIUS = 1.0
SHORTER, MUCH_SHORTER, GROWTH = 0.25, 0.1, 2.0
MAX_REFUSALS = 60
# The step is bent where that moves its end by at most a twentieth of its length. Transtrum and Sethna bend more, and
# refuse what would bend too much; both lost more runs on perturbed NIST problems than they saved steps.
BEND = 0.05
# The relative offset, per unit of ``tol``, at which the run ends: 1e-15 is the rounding of the residuals.
OFFSET_TOL = 1e-7
# After so many steps, and each time that twice as many are taken, it is looked where the valley leads.
_FIRST_LOOK, _NEXT_LOOK = 64, 2
# A parameter without any effect at a point has the scale of its size.
_LEAST_SIZE = 1.0


@stored()
@dataclass(slots=True)
class FitState:
    """What the method remembers: the linear model of the current point, the scales and the radius.

    ``escapes`` and ``polished`` count what may not go on for ever; where the valley leads is seen when as many steps
    are ``taken`` as the next ``look`` says. ``wide``: the run is close, and the residuals have more digits than doubles
    from here on.
    """

    fit: Fit
    model: ResidualModel | None
    scale: Any
    radius: float
    horizon: float
    last_move: Any = None
    polished: int = 0
    escapes: int = 0
    wide: bool = False
    taken: int = 0
    look: int = _FIRST_LOOK


@dataclass(frozen=True, slots=True)
class LevenbergMarquardt:
    """Levenberg-Marquardt for an objective that ``has_residuals``, free or within bounds.

    It ends itself, by default at full precision: when the relative offset is below ``tol`` times 1e-7, or at the floor
    of rounding.
    """

    tol: float = 1e-8
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> FitState:
        """Return the state at the start; its model is None where the Jacobian is not finite."""
        fit = fit_of(objective)
        triangle = fit.inner.linearise(at)
        if triangle is None:
            return FitState(fit, None, None, 0.0, inf)
        columns = column_lengths(triangle.factor)
        sizes = [1.0 / max(abs(float(a)), _LEAST_SIZE) for a in at.x]
        scale = Vec([length if length > 0.0 else size for length, size in zip(columns, sizes, strict=True)])
        model = ResidualModel(triangle, scale, fit.free(at))
        radius = first_radius(model, Vec(at.x))
        return FitState(fit, model, scale, radius, FLIGHT * radius)

    def step(self, objective: Objective, at: Evaluation, state: FitState) -> Step:
        step = self._step(objective, at, state)
        return self._rounded(objective, step, state) if step.moved and step.reason is None else step

    def _step(self, objective: Objective, at: Evaluation, state: FitState) -> Step:
        model = state.model
        if model is None:
            return _stay(at, state, StopReason.NON_FINITE)
        here = Here(objective, state.fit, at, model)
        if here.is_close():
            return self._finish(_widened(here, state), state)
        state.taken += 1
        down = self._down_valley(here, state) if state.taken >= state.look else None
        if down is not None:
            return down
        if state.radius > state.horizon:
            state.horizon = FLIGHT * state.radius
            if here.flees(state.last_move):
                return _stay(at, state, StopReason.AT_INFINITY)
        step, outside = self._tried(here, state)
        if step is not None:
            return step
        if here.flees(state.last_move):
            return _stay(at, state, StopReason.AT_INFINITY)
        escape = None if outside else self._escape(here, state)
        return escape or _stay(at, state, StopReason.EDGE if outside else StopReason.FLOOR)

    def _down_valley(self, here: Here, state: FitState) -> Step | None:
        """Return the end of a run whose valley falls to infinity, or a step far down it, before the next look."""
        found = here.down_valley()
        ends = found.outcome is ProbeEnd.LIMIT
        lower = found.lowest if ends or found.outcome is ProbeEnd.LOWER else None
        arrival = None if lower is None else _arrive(state, lower._replace(gradient=None, hessian=None))
        if arrival is None:
            state.look = _NEXT_LOOK * state.taken
            return _stay(here.at, state, StopReason.AT_INFINITY) if ends else None
        step = _accept(*arrival, here.at, state, found.length, kind="escape")
        return step._replace(reason=StopReason.AT_INFINITY) if ends else step

    def _tried(self, here: Here, state: FitState) -> tuple[Step | None, bool]:
        """Return the first acceptable step within ever shorter radii, and whether some led out of the domain."""
        at, outside = here.at, False
        for _ in range(MAX_REFUSALS):
            proposal = _within(state.fit.box, at, here.model, state.radius)
            there, predicted, ratio = _try(here, proposal)
            arrival = _arrive(state, there) if ratio > ACCEPTABLE else None
            if ratio > ACCEPTABLE and arrival is None:
                ratio = -inf
            outside = outside or ratio == -inf
            state.radius = next_radius(state.radius, proposal.length, ratio)
            if arrival is not None:
                return _accept(*arrival, at, state, proposal.length), outside
            if same(there.x, at.x) or is_lost(predicted, at.value):
                break
        return None, outside

    def _finish(self, here: Here, state: FitState) -> Step:
        """Take one more step to the last digits, or leave a saddle, or end the run here."""
        at, model = here.at, here.model
        polish = self._polish(here, state)
        if polish is not None:
            return polish
        escape = self._escape(here, state)
        if escape is not None:
            return escape
        if model.rank < len(model.index) and here.flees(state.last_move):
            return _stay(at, state, StopReason.AT_INFINITY)
        reason = StopReason.STATIONARY if model.misfit == 0.0 else StopReason.GAP
        return _stay(at, state, reason, passed=False)

    def _polish(self, here: Here, state: FitState) -> Step | None:
        done = here.is_rounding() or is_within(here.model, OFFSET_TOL * self.tol)
        if state.polished < fit_ends.MAX_POLISH and not done:
            for there, length in here.last_steps():
                arrival = _arrive(state, there)
                if arrival is not None and is_better(arrival[1], here.model):
                    state.polished += 1
                    return _accept(*arrival, here.at, state, length, kind="polish")
        return None

    def _rounded(self, objective: Objective, step: Step, state: FitState) -> Step:
        """Return a step that led to where only rounding is left, ended at the nearest numbers to the exact answer.

        Where parameters make up for each other, rounding leaves much room to them. A correction by wide residuals leads
        to the same numbers from wherever in that room.
        """
        assert state.model is not None
        here = Here(objective, state.fit, step.at, state.model)
        if not here.is_close():
            return step
        here = _widened(here, state)
        if not state.wide or not here.is_rounding():
            return step
        for there, _ in here.last_steps():
            arrival = _arrive(state, there)
            if arrival is not None and arrival[1].misfit <= here.rounding:
                state.model = arrival[1]
                return step._replace(at=arrival[0])
        return step

    def _escape(self, here: Here, state: FitState) -> Step | None:
        """Leave a saddle, if this is one and has not been left too often."""
        lower = here.off_saddle() if state.escapes < fit_ends.MAX_ESCAPES else None
        arrival = None if lower is None else _arrive(state, lower)
        if lower is None or arrival is None:
            return None
        model = here.model
        state.escapes += 1
        state.radius = model.length(Vec(lower.x) - Vec(here.at.x))
        return _accept(*arrival, here.at, state, state.radius, kind="escape")


def _stay(at: Evaluation, state: FitState, reason: StopReason, passed: bool = True) -> Step:
    return Step(at, state, state.radius, reason, moved=False, passed=passed)


def _widened(here: Here, state: FitState) -> Here:
    """Return the same point with wide residuals, where they are to be had, and go on with them."""
    inner = state.fit.inner
    if state.wide or not inner.has_wide:
        return here
    if inner.spares_wide and not rounding_shows(here.model, here.at.x, inner.rows):
        return here
    triangle = inner.linearise(here.at, wide=True)
    if triangle is None:
        return here
    state.wide = True
    state.model = here.model.with_triangle(triangle)
    return Here(here.objective, state.fit, here.at, state.model)


def _within(box: Box | None, at: Evaluation, model: ResidualModel, radius: float) -> Proposal:
    """Return the step of the model; parameters that it would take beyond their bounds go there, the others adapt."""
    proposal = model.step(radius)
    if box is None:
        return proposal
    x = Vec(at.x)
    free, fixed = [i in model.index for i in range(len(x))], Vec([0.0] * len(x))
    for _ in range(len(x)):
        ahead = x + proposal.step
        inside = clipped(ahead, box.lower, box.upper)
        out = [moves and a != b for moves, a, b in zip(free, ahead, inside, strict=True)]
        if not any(out):
            break
        free = [moves and not leaves for moves, leaves in zip(free, out, strict=True)]
        fixed = Vec(
            [b - a if leaves else old for leaves, a, b, old in zip(out, x, inside, fixed, strict=True)]
        )
        rest = ResidualModel(model.moved(fixed), model.scale, free).step(radius)
        proposal = Proposal(fixed + rest.step, model.length(fixed + rest.step), rest.shift)
    return proposal


def _try(here: Here, proposal: Proposal) -> tuple[Evaluation, float, float]:
    """Return where a proposed step leads, bent by the curvature along it where that is small, the fall of the value
    that the model foretold, and actual over foretold.
    """
    model = here.model
    step = bent(model, proposal, here.fit.inner.second(here.at, as_like(here.at.x, proposal.step)))
    there = here.objective.evaluate(here.moved(step), 0)
    predicted = here.factor * model.fall(proposal.step)
    return there, predicted, fall_ratio(here.at.value, there.value, predicted, isfinite(there.value))


def bent(model: ResidualModel | BatchedModel, proposal: Proposal, curving: Vector | None) -> Vector:
    """Return a step, bent where that moves its end by little; ``curving`` is ``J' r_vv`` along it, None: unknown."""
    if curving is None:
        return proposal.step
    aside: Vector = model.solve(curving, proposal.shift) * -0.5
    return chosen(model.length(aside) <= BEND * proposal.length, proposal.step + aside, proposal.step)


def first_radius(model: ResidualModel | BatchedModel, x: Vector) -> Entry:
    """Return the radius of the first step from x."""
    size, free = FIRST_RADIUS * model.length(x), model.gauss_newton().length
    return chosen(size > 0.0, size, chosen(free > 0.0, free, 1.0))


def fall_ratio(value: Entry, there: Entry, predicted: Entry, finite: Entry) -> Entry:
    """Return the fall of a value over the one ``predicted``, -inf where none was or there is no ``finite`` point."""
    has = finite & (predicted > 0.0)
    return chosen(has, (value - there) / chosen(has, predicted, 1.0), -inf)


def next_radius(radius: Entry, length: Entry, ratio: Entry) -> Entry:
    """Return the radius after a step of this length, whose fall was ``ratio`` times the one foretold, -inf out of the
    domain.
    """
    longer = GROWTH * length
    grown = chosen((ratio > GOOD) & (longer > radius), longer, radius)
    return chosen(ratio == -inf, MUCH_SHORTER * length, chosen(ratio < POOR, SHORTER * length, grown))


def is_lost(predicted: Entry, value: Entry) -> Entry:
    """Tell whether a fall that a step promises is lost in the rounding of the value."""
    return predicted <= 4.0 * EPS * abs(value)


def _arrive(state: FitState, there: Evaluation) -> tuple[Evaluation, ResidualModel] | None:
    """Return the point with its gradient, and its linear model; None where that is not finite."""
    triangle = state.fit.inner.linearise(there, state.wide)
    if triangle is None:
        return None
    total = triangle.total
    factor = there.value / total if total > 0.0 else 1.0
    gradient = combined(triangle.target, triangle.factor, len(triangle.target)) * (2.0 * factor)
    arrived = there._replace(gradient=as_like(there.x, gradient))
    free = state.fit.free(arrived)
    arrived = there._replace(gradient=free_part(arrived.gradient, [not moves for moves in free]))
    scale = Vec(map(max, state.scale, column_lengths(triangle.factor)))
    return arrived, ResidualModel(triangle, scale, free)


def _accept(
    arrival: Evaluation,
    model: ResidualModel,
    at: Evaluation,
    state: FitState,
    size: float,
    kind: str = "step",
) -> Step:
    state.last_move = arrival.x - at.x
    state.model, state.scale = model, model.scale
    return Step(arrival, state, size, kind=kind)
