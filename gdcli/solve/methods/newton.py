"""Newton's method with a trust region: the default for few variables.

At every point a quadratic model is built from the exact gradient and Hessian, its lowest point within a
*trust radius* is tried, and the radius grows or shrinks with how well the model foretold the value (Conn,
Gould and Toint, Trust-Region Methods, chapter 6; Nocedal and Wright, algorithm 4.1). Near a minimum the
radius no longer matters and the number of right digits doubles at every step. Negative curvature is no
obstacle but a way down: at a saddle or maximum the model falls along the eigenvector of the most negative
eigenvalue, and both its signs are tried.

The first radius is small, so that the run keeps to the basin of its start. The run ends when the model promises no more
than rounding. Where that promise cannot be trusted (zero curvature, slow convergence) the method walks along the
doubtful directions first: so ``x**3`` is not called a minimum at 0, and ``exp(-x)`` none at 40.

Where Newton's method converges only linearly, at a minimum like ``x**4`` or down a slope like that of ``cosh``, each
step is the last one times a constant ratio. The sum of such a series is known after two of its terms (`Aitken`'s
extrapolation), and one value tells whether it is lower.
"""

from __future__ import annotations

from itertools import count
from math import inf, isfinite, sqrt

from gdcli.kernel.dataclass import dataclass, field, stored
from gdcli.kernel.numerics import EPS, FLOOR, GAP_TOL, LEAST_PART, PART_TOL, SMALLEST_RADIUS, TINY
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import along, dot, norm, quotient, same, times
from gdcli.objective.protocol import Evaluation, Objective, Vector, tried
from gdcli.solve.algebra.quadratic_model import (
    NOISE,
    LocalModel,
    ModelStep,
    hessian_source,
    local_model,
    with_hessian,
)
from gdcli.solve.algebra.trust_region import ACCEPTABLE, GOOD, POOR, WIDER
from gdcli.solve.iteration import Step
from gdcli.solve.probe.line_probe import (
    FLIGHT,
    ProbeEnd,
    Walk,
    both_ways,
    follow,
    walk_all,
)
from gdcli.solve.probe.newton_decrement import SLOW_RATIO, polish, rounding_of_variables
from gdcli.solve.run import unbounded_below
from gdcli.solve.scaling import axes_of, congruent_to, value_scale

# The steps are a series when they shorten by a ratio between these, in about one direction.
_RATIOS, _COSINE = (0.4, 1.05), 0.9
# The sum is trusted to eight times the step at first; each success doubles that. Steps that hardly shorten
# have a sum without end: four times the step, then ever more.
_FIRST, _LEAST, _SLOWEST = 8.0, 4.0, 0.95


@stored("Series")
@dataclass(slots=True)
class Aitken:
    """The last step inside the trust region, if it was one, and how far the series was trusted lately.

    ``since`` counts the steps taken since the last successful extrapolation (many before the first).
    """

    last_step: Vector | None = None
    factor: float = _LEAST
    stretched: bool = False
    since: int = 9

    def extrapolate(
        self, objective: Objective, at: Evaluation, trial: Evaluation, step: Vector, length: float
    ) -> Evaluation | None:
        """Return the point at the sum of the series that the last step and ``step`` begin, if it is lower than
        ``trial``.
        """
        last_length = 0.0 if self.last_step is None else norm(self.last_step)
        if last_length == 0.0:
            return None
        ratio = length / last_length
        if not _RATIOS[0] < ratio < _RATIOS[1]:
            return None
        if dot(step, self.last_step) <= _COSINE * length * last_length:
            return None
        again = 2.0 * self.factor
        if ratio < _SLOWEST:
            factor = min(1.0 / (1.0 - ratio), again if self.stretched else _FIRST)
        else:
            factor = again if self.stretched else _LEAST
        further = tried(objective, at, along(at.x, factor, step))
        if not further.value < trial.value:
            return None
        self.factor, self.since = factor, 0
        return further

    def took(self, step: Vector | None, stretched: bool) -> None:
        """Remember an accepted step; None where the radius cut it, which ends any series."""
        self.last_step = step
        self.stretched = stretched
        if not stretched:
            self.factor = _LEAST
            self.since += 1


# The first trust radius, as part of the natural length of every variable. Measured: at 0.3 and above runs leave the
# basin of their start on a few per cent of the problems, below 0.1 they need more evaluations.
FIRST_RADIUS = 0.15
# The radius at least doubles after a step that the model foretold to a quarter.
GROWTH = 2.0
# The value rose a thousand times more than it should have fallen: the model says nothing about such a length.
HOPELESS = -1e3
# After a trial outside the domain the radius is cut to a tenth, and to a half when that keeps happening.
# A path that leaves the domain again and again, never ends inside its radius meanwhile, and has come as close
# to the edge as numbers of the size of the start can be, converges to the edge.
EDGE_PATIENCE, EDGE_STEPS = 3, 12
# The end point of a run that converges slowly is looked at more closely, this often.
MAX_WALKS = 4
WALKED_DIRECTIONS = 4
# A run that takes so many steps has far to go, or is in a long valley: as often as that it looks ahead, and follows
# the floor in doubling steps where that promises more than a trifle.
VALLEY_PERIOD, VALLEY_FALL = 128, 1e-3
# An extrapolation is tried only after a step that the model foretold at least roughly.
STRETCH_QUALITY = 0.1
_STRETCHED = "stretched"


@stored(last_gain="last_gap", plateaus="")
@dataclass(slots=True)
class NewtonState:
    """What the method remembers: the model of the current point, the trust radius, and how it went lately."""

    source: str
    start: Evaluation
    model: LocalModel | None
    axes: Vector
    radius: float
    floor: float
    size: float
    horizon: float
    series: Aitken = field(default_factory=Aitken)
    last_move: Vector | None = None
    last_gap: float = 0.0
    walks: int = 0
    edges: int = 0
    taken: int = 0


@dataclass(frozen=True, slots=True)
class TrustRegionNewton:
    """Trust-region Newton. ``tol`` (default 1e-8) scales its stop rule; 0 means to go on to the floor of
    rounding.

    Without an exact Hessian it takes products or differences of gradients (`solve.algebra.quadratic_model`). Where it
    ``polishes``, a few more steps that the gradient judges end the run.
    """

    tol: float = 1e-8
    polishes: bool = True
    order: int = 2

    def start(self, objective: Objective, at: Evaluation) -> NewtonState:
        """Return the state at the start; its model is None where there is no finite Hessian."""
        source = hessian_source(objective)
        full = with_hessian(objective, at, source)
        axes = axes_of(objective, at.x)
        size = sqrt(len(axes))
        state = NewtonState(
            source, at, None, axes, FIRST_RADIUS * size, unbounded_below(at.value), size, FLIGHT * size
        )
        state.model = None if full.hessian is None else _model(full, state)
        return state

    def step(self, objective: Objective, at: Evaluation, state: NewtonState) -> Step:
        model = state.model
        if model is None:
            return _stay(at, state, StopReason.NO_DESCENT)
        before = self._before_trials(objective, at, state, model)
        if before is not None:
            return before
        x, value = at.x, at.value
        left_domain, widest = False, state.radius
        noise = FLOOR * max(abs(value), TINY)
        for refusals in count():
            proposal = model.step(state.radius)
            step, length, predicted, boundary, _ = proposal
            goal = x + times(step, state.axes)
            if not predicted > 0.0 or same(goal, x) or not isfinite(length):
                return _stay(at, state, StopReason.FLOOR, passed=refusals > 0)
            there, taken, ratio, kind = _try(objective, at, state, model, proposal, goal)
            reached = there.value
            if reached < state.floor:
                return Step(there, state, norm(taken), StopReason.UNBOUNDED)
            if predicted <= noise and abs(value - reached) <= 4.0 * noise:
                # Both the predicted and the actual change are within the rounding of the value.
                if boundary and state.radius >= widest:
                    # Not the slope is lost in rounding, but a step as short as this.
                    state.radius = widest = WIDER * state.radius
                    continue
                return self._end_at_floor(objective, at, state, model, there, taken)
            arrival, ratio = _arrival(objective, there, state, ratio)
            if ratio > GOOD:
                state.radius = max(state.radius, GROWTH * length)
            elif ratio < POOR:
                _shrink_radius(state, length, dot(at.gradient, taken), reached - value, ratio)
                left_domain = left_domain or ratio == -inf
            if arrival is not None:
                step = _accept(arrival, state, model, proposal, taken, kind, left_domain)
                at_pole = step.reason is StopReason.EDGE and _is_beside_pole(objective, step.at)
                return step._replace(reason=StopReason.UNBOUNDED) if at_pole else step
            if state.radius < max(SMALLEST_RADIUS * norm(quotient(x, state.axes)), TINY):
                break
        if _is_beside_pole(objective, at):
            return _stay(at, state, StopReason.UNBOUNDED)
        # A step across a valley may be lost in rounding where one along its floor is not.
        end = self._probe_along(objective, at, state, model)
        return end or self._finish(objective, at, state, _stay(at, state, StopReason.NO_DESCENT))

    def _before_trials(
        self, objective: Objective, at: Evaluation, state: NewtonState, model: LocalModel
    ) -> Step | None:
        """Return the end of a run with no more to gain or on its way to infinity, or a step far down a valley."""
        if not model.negative and self.enough(at, model, state):
            return self._settle(objective, at, state, model)
        end = _probe_ahead(objective, at, state) if state.radius > state.horizon else None
        if end is not None:
            return end
        state.taken += 1
        return None if state.taken % VALLEY_PERIOD else self._probe_along(objective, at, state, model)

    def _probe_along(
        self, objective: Objective, at: Evaluation, state: NewtonState, model: LocalModel
    ) -> Step | None:
        """Return a step far along the way that the run has come, or down its valley; None where neither pays."""
        found = follow(objective, at, at.x - state.start.x, state.floor)
        if found.outcome not in (ProbeEnd.UNBOUNDED, ProbeEnd.LIMIT):
            enough = max(4.0 * model.gap, VALLEY_FALL * abs(at.value))
            found = _down_floor(objective, at, enough, state)
        return self._move_on(objective, at, state, found, "step")

    def _move_on(
        self, objective: Objective, at: Evaluation, state: NewtonState, found: Walk, kind: str
    ) -> Step | None:
        """Return the step to the lower point that a walk ``found``, or the end that it tells of; None without one."""
        lowest = found.lowest
        if found.outcome is ProbeEnd.UNBOUNDED and lowest is not None:
            return Step(lowest, state, found.length, StopReason.UNBOUNDED, kind="escape")
        if found.outcome is ProbeEnd.LIMIT:
            if lowest is None:
                return _stay(at, state, StopReason.AT_INFINITY)
            return Step(lowest, state, found.length, StopReason.AT_INFINITY, kind="escape")
        if found.outcome is not ProbeEnd.LOWER or lowest is None:
            return None
        arrival = with_hessian(objective, lowest, state.source)
        if arrival.hessian is None:
            return None
        state.model = _model(arrival, state)
        state.radius = max(state.radius, 0.25 * norm(quotient(lowest.x - at.x, state.axes)))
        state.series.last_step, state.last_gap = None, 0.0
        return Step(arrival, state, found.length, kind=kind)

    def enough(self, at: Evaluation, model: LocalModel, state: NewtonState) -> bool:
        """Tell whether the gap that is left by the ``model`` is small enough to end the run.

        It must be small beside the value, and small beside the fall so far unless it is lost in the rounding of the
        value. Where the value tends to 0 as well it is compared with the fall alone: far more is asked then, which
        quadratic convergence gives. Where some curvature vanishes there is none, and rounding may end the run before.
        """
        loosened, gap, value = self.tol / 1e-8, model.gap, at.value
        fall = state.start.value - value
        if gap <= loosened * GAP_TOL * abs(value):
            return gap <= PART_TOL * loosened * fall or gap <= EPS * abs(value)
        if gap <= loosened * min(GAP_TOL, LEAST_PART * fall):
            return True
        lost = not model.strict and gap <= loosened * GAP_TOL * fall
        return lost and gap <= rounding_of_variables(at)

    def _settle(self, objective: Objective, at: Evaluation, state: NewtonState, model: LocalModel) -> Step:
        """End the run here, unless convergence was doubtful and a walk finds a lower point."""
        doubtful = [times(v, state.axes) for v in model.null[:WALKED_DIRECTIONS]]
        slow = bool(doubtful) or state.series.since <= 2 or model.gap > SLOW_RATIO * state.last_gap > 0.0
        if slow and state.walks < MAX_WALKS:
            state.walks += 1
            steps = [] if state.series.last_step is None else [state.series.last_step]
            steps += both_ways(doubtful, at.x)
            # Falls of the size of the gap are accounted for; only a clearly larger fall is news.
            enough = 4.0 * (model.gap + GAP_TOL * value_scale(at.value, state.start.value - at.value))
            found = walk_all(objective, at, steps, enough, state.floor)
            if found.outcome in (ProbeEnd.RISES, ProbeEnd.LEVEL):
                found = _down_floor(objective, at, enough, state)
            end = self._move_on(objective, at, state, found, "escape")
            if end is not None:
                return end
        end = _stay(at, state, StopReason.GAP, passed=False)
        return end if doubtful else self._finish(objective, at, state, end)

    def _end_at_floor(
        self,
        objective: Objective,
        at: Evaluation,
        state: NewtonState,
        model: LocalModel,
        there: Evaluation,
        taken: Vector,
    ) -> Step:
        end = _stay(at, state, StopReason.FLOOR)
        if model.strict and self.polishes:
            return self._finish(objective, at, state, end)
        if there.value < at.value:
            arrival = with_hessian(objective, there, state.source)
            if arrival.hessian is not None:
                return Step(arrival, state, norm(taken), StopReason.FLOOR)
        return end

    def _finish(self, objective: Objective, at: Evaluation, state: NewtonState, end: Step) -> Step:
        """Return the ``end`` of a run at ``at``, moved to where a few more Newton steps give x its last digits."""
        if not self.polishes:
            return end
        plain = _plain_model(objective, at, state)
        found = None if plain is None else polish(objective, at, state.start, plain, state.source)
        if found is None:
            return end
        state.model = _model(found.at, state)
        return Step(found.at, state, norm(found.step), end.reason, kind="polish")


def _stay(at: Evaluation, state: NewtonState, reason: StopReason, passed: bool = True) -> Step:
    return Step(at, state, state.radius, reason, moved=False, passed=passed)


def _down_floor(objective: Objective, at: Evaluation, enough: float, state: NewtonState) -> Walk:
    from gdcli.solve.probe.valley import follow_floor  # few runs come to one

    return follow_floor(objective, at, enough, state.floor, state.source)


def _is_beside_pole(objective: Objective, at: Evaluation) -> bool:
    from gdcli.solve.probe.poles import is_beside_pole

    return is_beside_pole(objective, at)


def _probe_ahead(objective: Objective, at: Evaluation, state: NewtonState) -> Step | None:
    """End a run whose value falls all the way to infinity; None where it does not, or not for certain."""
    state.horizon = FLIGHT * state.radius
    if state.last_move is None:
        return None
    found = follow(objective, at, state.last_move, state.floor)
    if found.outcome is ProbeEnd.UNBOUNDED and found.lowest is not None:
        return Step(found.lowest, state, found.length, StopReason.UNBOUNDED, kind="escape")
    return _stay(at, state, StopReason.AT_INFINITY) if found.outcome is ProbeEnd.LIMIT else None


def _try(
    objective: Objective,
    at: Evaluation,
    state: NewtonState,
    model: LocalModel,
    proposal: ModelStep,
    x: Vector,
) -> tuple[Evaluation, Vector, float, str]:
    """Evaluate a proposed step, its mirror in the hard case, and its stretched version in a slow series.

    Return the point, the step taken, the fall as part of the one foretold (-inf outside the domain), and the kind.
    """
    step, _, predicted, boundary, hard = proposal
    step = times(step, state.axes)
    there, kind = tried(objective, at, x), "step"
    if hard:
        kind = "escape"
        other = tried(objective, at, at.x + times(model.mirrored(proposal), state.axes))
        if other.value < there.value:
            there, step = other, other.x - at.x
    elif there.x is not x:
        # Bounds have bent the step: it is judged by what the model says of the way really taken.
        step = there.x - at.x
        predicted = model.fall(quotient(step, state.axes))
    ratio = -inf
    if isfinite(there.value):
        ratio = (at.value - there.value) / predicted if predicted > 0.0 else -1.0
        if not boundary and state.series.last_step is not None and ratio > STRETCH_QUALITY:
            further = state.series.extrapolate(objective, at, there, step, norm(step))
            if further is not None:
                there, kind = further, _STRETCHED
    return there, step, ratio, kind


def _model(at: Evaluation, state: NewtonState) -> LocalModel:
    """Return the model of the variables divided by the half axes of the trust region, where that is a ball."""
    gradient, hessian = times(at.gradient, state.axes), congruent_to(at.hessian, state.axes)
    return local_model(gradient, hessian, NOISE.get(state.source, 1e-6))


def _plain_model(objective: Objective, at: Evaluation, state: NewtonState) -> LocalModel | None:
    full = with_hessian(objective, at, state.source)
    return None if full.hessian is None else local_model(full.gradient, full.hessian, NOISE[state.source])


def _shrink_radius(state: NewtonState, length: float, slope: float, rise: float, ratio: float) -> None:
    if ratio < HOPELESS:
        state.radius = (0.1 if state.edges < EDGE_PATIENCE else 0.5) * length
        return
    # The lowest point of the parabola through both values with the slope here.
    bend = 2.0 * (rise - slope)
    part = -slope / bend if bend > 0.0 and slope < 0.0 else 0.25
    state.radius = min(0.5, max(0.1, part)) * length


def _arrival(
    objective: Objective, there: Evaluation, state: NewtonState, ratio: float
) -> tuple[Evaluation | None, float]:
    """Return a point to go on from with its Hessian, and the ratio of the falls.

    None where the fall does not suffice; where there is no Hessian the ratio is -inf too.
    """
    if not ratio > ACCEPTABLE:
        return None, ratio
    full = with_hessian(objective, there, state.source)
    return (full, ratio) if full.hessian is not None else (None, -inf)


def _accept(
    arrival: Evaluation,
    state: NewtonState,
    model: LocalModel,
    proposal: ModelStep,
    taken: Vector,
    kind: str,
    left_domain: bool,
) -> Step:
    length, boundary = proposal.length, proposal.boundary
    if left_domain:
        state.edges += 1
    elif not boundary:
        state.edges = 0
    if state.edges >= EDGE_STEPS and state.radius <= SMALLEST_RADIUS * state.size:
        return Step(arrival, state, length, StopReason.EDGE)
    state.series.took(None if boundary else taken, kind is _STRETCHED)
    state.last_move = taken
    state.last_gap = model.gap
    state.model = _model(arrival, state)
    return Step(arrival, state, length, kind="escape" if kind == "escape" else "step")
