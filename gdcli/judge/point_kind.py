"""What kind of stationary point is it, for few variables: a minimum, a saddle, none at all?

The signs of the curvature tell, each as far as it exceeds its own error. Where one is in doubt the value decides: it is
followed along the doubtful directions, down the floor of a valley, and on the way that the run has come.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, log

from gdcli.judge.evidence import Signs, allowed_gap
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import eigen, eigenvalues, matrix_is_finite
from gdcli.kernel.numerics import CLEARLY, EPS, HIGHEST_ORDER, NEWS
from gdcli.kernel.status import CurvatureSource, PointKind, StopReason
from gdcli.kernel.vectors import distance, dot, is_zero, norm, same, zeros_like
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.quadratic_model import NOISE, LocalModel, hessian_source, local_model, with_hessian
from gdcli.solve.iteration import Iterate
from gdcli.solve.probe.line_probe import (
    FLIGHT,
    ProbeEnd,
    Walk,
    both_ways,
    fades,
    follow,
    main_way,
    rises_all_around,
    rises_on,
    rounding_of,
    walk,
)
from gdcli.solve.probe.newton_decrement import CREST_SLOPE, SHORT, passing_direction
from gdcli.solve.run import run, unbounded_below
from gdcli.solve.scaling import units_away, value_scale
from gdcli.solve.settings import MaxIterations

WITHOUT_END = {StopReason.UNBOUNDED: PointKind.UNBOUNDED, StopReason.AT_INFINITY: PointKind.AT_INFINITY}
KINDS = {
    ProbeEnd.RISES: PointKind.DEGENERATE,
    ProbeEnd.LEVEL: PointKind.DEGENERATE,
    ProbeEnd.LOWER: PointKind.SADDLE,
    ProbeEnd.LIMIT: PointKind.AT_INFINITY,
    ProbeEnd.UNBOUNDED: PointKind.UNBOUNDED,
}
_MINIMA = (PointKind.MINIMUM, PointKind.DEGENERATE)
_WALKED_DIRECTIONS = 4
# Newton steps on from a degenerate point; a minimum is no farther off than so many times the longest of the first.
_FURTHER_LOOK, _RECEDING, _FIRST_STEPS = 30, 25.0, 3
# A step shorter than this part of the first ones leads to a minimum.
_AS_LONG = 0.3
# Steps that shrink by less than this part of what they did before lead to no minimum of a fixed order.
_SAME_ORDER = 0.9
# On the floor of a curved valley a small slope across it bends into a small negative curvature along it: down
# to this part of the largest one the value decides.
_DOUBTFUL_SIGN = 1e-6
# A point so many times the size of the start away from it is far out.
_AFAR = 1e3


def far_out(objective: Objective, at: Evaluation, start: Evaluation) -> bool:
    """Tell whether a point is very far from the start."""
    return units_away(objective, at, start) > _AFAR


def floor_news(at: Evaluation, start: Evaluation | None) -> float:
    """Return the fall down the floor of a valley that is news, as in the run itself."""
    return NEWS * value_scale(at.value, 0.0 if start is None else start.value - at.value)


class DensePoint(NamedTuple):
    """A point ``at`` with its gradient and its Hessian, which comes from a ``source``, and the ``model`` of both; where
    the run began, and its tolerance.
    """

    objective: Objective
    at: Evaluation
    start: Evaluation | None
    tol: float
    source: CurvatureSource
    model: LocalModel

    def signs(self) -> Signs:
        """Return the extreme eigenvalues of the Hessian."""
        at, source = self.at, self.source
        values = eigenvalues(at.hessian)
        low, high = values[0], values[-1]
        notes: list[str] = []
        if source is CurvatureSource.DIFFERENCES:
            notes.append("the Hessian was computed by differences")
        if at.estimated:
            notes.append("the derivatives are difference quotients: the exact ones do not exist here")
        error = NOISE[source] * max(abs(low), abs(high))
        return Signs(low, high, error, source, tuple(notes), self.model.strict)

    def kind_and_gap(self, signs: Signs) -> tuple[PointKind, float | None]:
        """Return the kind of point, and how much lower the end may be, None where that is not known."""
        model = self.model
        gap: float | None = model.gap if isfinite(model.gap) else None
        off = model.gap + model.rise
        if not off <= allowed_gap(self.at.value, self.tol):
            return PointKind.NOT_STATIONARY, gap
        level_all = False
        if model.negative:
            kind, gap = self._of_concave(signs.low < -signs.error)
        else:
            kind, level_all = self._of_convex()
            gap = gap if model.flat or kind in _MINIMA else None
        if kind in _MINIMA:
            kind = self._from_afar(kind)
        if kind == PointKind.DEGENERATE and not level_all:
            kind = self._further_on()
        if kind == PointKind.DEGENERATE and self._recedes():
            return PointKind.AT_INFINITY, None
        return kind, gap

    @property
    def news(self) -> float:
        return floor_news(self.at, self.start)

    def _of_concave(self, is_concave: bool) -> tuple[PointKind, float | None]:
        """Return the kind of a stationary point with negative curvature, and how much lower the end may be.

        ``is_concave``: the least curvature is below zero by more than its error.
        """
        at, model = self.at, self.model
        way = eigen(at.hessian)[1][0]
        if model.lowest > -_DOUBTFUL_SIGN or not is_concave or _meets_bound(self.objective, at, way):
            kind = probe_both_ways(self.objective, at, [way], model.gap).ending
            return kind, model.gap if isfinite(model.gap) else None
        kind = self._of_crest()
        return kind, model.gap + model.rise if kind.told else None

    def _of_crest(self) -> PointKind:
        """Return the kind of a point with negative curvature: is the stationary point that the model sees really there,
        and is the curvature negative there?

        Close to its edge ``sqrt(x)`` is concave and hardly any higher nearby, but its slope is no smaller there. Beside
        the floor of a bent valley the curvature along it is negative, on the floor it is none.
        """
        objective, at, start, tol, source, model = self
        values, slope = eigenvalues(at.hessian), norm(at.gradient)
        rises = values[-1] > NOISE[source] * max(abs(values[0]), abs(values[-1]))
        kind = PointKind.SADDLE if rises else PointKind.MAXIMUM
        there = objective.evaluate(at.x + model.stationary_step(), 1)
        if slope == 0.0 or same(there.x, at.x):
            return kind
        if there.gradient is None or not norm(there.gradient) <= CREST_SLOPE * slope:
            return PointKind.NOT_STATIONARY
        there = with_hessian(objective, there, source)
        if there.hessian is None or not matrix_is_finite(there.hessian):
            return kind
        ahead = examined(objective, there, start, tol, source)
        if ahead.model.negative and ahead.model.lowest <= CREST_SLOPE * model.lowest:
            return kind
        found, _ = ahead.kind_and_gap(ahead.signs())
        return found if found.told else PointKind.NOT_STATIONARY

    def _of_convex(self) -> tuple[PointKind, bool]:
        """Return the kind of a stationary point without negative curvature, and whether the value is level in all
        doubtful directions.
        """
        objective, at, start, _, source, model = self
        doubtful = model.null
        if model.strict:
            passing = passing_direction(objective, at, start, model, source)
            if passing is None:
                return PointKind.MINIMUM, False
            doubtful = [passing]
        elif model.flat:
            return self._of_flat(), False
        return self._of_level(doubtful)

    def _of_flat(self) -> PointKind:
        """Return the kind of a point where gradient and Hessian vanish altogether.

        What is level all around may be a plateau far from everything, unless a bound holds the point against a slope.
        """
        objective, at, start = self[:3]
        if rises_all_around(objective, at):
            return PointKind.DEGENERATE
        found = probe_both_ways(objective, at, eigen(at.hessian)[1], 0.0)
        if found.kind != PointKind.DEGENERATE:
            return found.kind
        # A rise that does not go on is noise; a start that was never left may be where the slope underflows.
        falls = found.fades and start is not None and at.value < start.value
        if falls:
            return PointKind.AT_INFINITY
        held = any(one.side != "fixed" and one.multiplier for one in objective.multipliers(at))
        return PointKind.DEGENERATE if held else PointKind.FLAT

    def _of_level(self, doubtful: Sequence[Vector]) -> tuple[PointKind, bool]:
        """Return the kind of a stationary point without negative curvature, where ``doubtful`` directions have none,
        and whether the value is level along all of them.
        """
        objective, at, model = self.objective, self.at, self.model
        if not model.strict and not is_zero(ahead := model.stationary_step()):
            # Beside a null direction, the curvature along the rest of the way may be a passing one too.
            kind = probe_both_ways(objective, at, [ahead], model.gap).ending
            if kind != PointKind.DEGENERATE:
                return kind, False
        found = probe_both_ways(objective, at, doubtful or [eigen(at.hessian)[1][0]], model.gap)
        if found.ending != PointKind.DEGENERATE or found.level:
            return found.ending, found.level
        return self._of_floor(), False

    def _of_floor(self) -> PointKind:
        """Return the kind of a point on the level floor of a valley: does the floor fall on, around a bend?"""
        from gdcli.solve.probe.valley import follow_floor, sides_of_floor

        objective, at, start = self[:3]
        enough = 4.0 * self.model.gap + self.news
        found = follow_floor(objective, at, enough, unbounded_below(at.value), self.source)
        if found.outcome is ProbeEnd.LOWER:
            return PointKind.AT_INFINITY if found.endless else PointKind.NOT_STATIONARY
        if found.outcome not in (ProbeEnd.RISES, ProbeEnd.LEVEL) or start is None or not objective.is_smooth:
            return KINDS[found.outcome]
        fading = sides_of_floor(objective, at, start, self.news, self.source).fades
        return PointKind.AT_INFINITY if fading else PointKind.DEGENERATE

    def _from_afar(self, kind: PointKind) -> PointKind:
        """Return ``kind``, unless the point is very far from the start and the value falls on without end.

        Out there the rounding of the variables alone makes curvature, and a small gradient beside a large value. So the
        floor of a valley must be seen to rise: without that the kind is unknown.
        """
        objective, at, start = self[:3]
        if start is None or not at.value < start.value or not far_out(objective, at, start):
            return kind
        way = at.x - start.x
        found = follow(objective, at, way, unbounded_below(at.value))
        if found.outcome in (ProbeEnd.UNBOUNDED, ProbeEnd.LIMIT):
            return KINDS[found.outcome]
        if objective.is_smooth and found.outcome is ProbeEnd.LEVEL and fades(objective, at, main_way(way)):
            return PointKind.AT_INFINITY
        return self._by_sides(kind, start)

    def _by_sides(self, kind: PointKind, start: Evaluation) -> PointKind:
        """Return ``kind`` where the sides of the floor of a valley do not tell otherwise."""
        from gdcli.solve.probe.valley import sides_of_floor

        objective, at = self.objective, self.at
        has_fled = units_away(objective, at, start) > FLIGHT
        sides = sides_of_floor(objective, at, start, self.news, self.source)
        if objective.is_smooth and sides.fades:
            return PointKind.AT_INFINITY
        doubtful = not sides.rises if has_fled else kind == PointKind.DEGENERATE and sides.lost
        return PointKind.UNKNOWN if doubtful else kind

    def _recedes(self) -> bool:
        """Tell whether Newton's steps from here shrink as little as down ``log(1+exp(-x))``, by derivatives alone: they
        are numbers with all their digits where the value, beside a constant, is lost in rounding.

        Towards a minimum of order p the curvature is like the power p - 2 of the length of the step.
        """
        seen = newton_steps(self.objective, self.at, self.source, _AS_LONG)
        if len(seen) <= _FIRST_STEPS:
            return False
        (first, bend), (last, faded) = seen[1], seen[-1]
        return faded < bend and (last >= first or log(faded / bend) < HIGHEST_ORDER * log(last / first))

    def _further_on(self) -> PointKind:
        """Return the kind of a point without much curvature, by going on to where Newton's method gets from there.

        Towards a minimum its steps along the floor of a valley shrink, to a sum of 19 first ones at ``x**20``; towards
        infinity they do not. The very first may be down to the floor.
        """
        from gdcli.solve.methods.newton import TrustRegionNewton

        objective, at, start, tol, _, model = self
        path: list[Vector] = []

        def seen(iterate: Iterate) -> None:
            path.append(iterate.at.x)

        further = run(objective, TrustRegionNewton(0.0), at.x, [MaxIterations(_FURTHER_LOOK)], [seen])
        if further.reason in WITHOUT_END:
            return WITHOUT_END[further.reason]
        end = further.best.at
        first = max([distance(x, y) for x, y in pairwise(path[: _FIRST_STEPS + 1])], default=0.0)
        far = distance(end.x, at.x) > max(_RECEDING * first, SHORT * max(1.0, norm(at.x)))
        if far and at.value - end.value > CLEARLY * rounding_of(objective, at):
            # Of one variable, which cannot bend, a rise ahead shows a minimum.
            ahead = follow(objective, end, end.x - at.x, unbounded_below(end.value)).outcome
            return (
                PointKind.DEGENERATE if objective.size == 1 and ahead is ProbeEnd.RISES else PointKind.UNKNOWN
            )
        source = hessian_source(objective)
        full = with_hessian(objective, end, source)
        if not model.gap > self.news or full.hessian is None:
            return PointKind.DEGENERATE
        there = examined(objective, full, start, tol, source)
        if local_model(full.gradient, full.hessian).gap > there.news:
            return PointKind.DEGENERATE
        kind, _ = there.kind_and_gap(there.signs())
        return kind if kind in (PointKind.AT_INFINITY, PointKind.UNBOUNDED) else PointKind.DEGENERATE


def newton_steps(
    objective: Objective, at: Evaluation, source: CurvatureSource, least: float
) -> list[tuple[float, float]]:
    """Return the lengths of Newton's steps from a point with its Hessian, by derivatives alone, each with the least
    curvature before it, up to where that is lost; none where the value rises, or one is shorter than ``least`` times
    the first.
    """
    highest = at.value + CLEARLY * rounding_of(objective, at)
    seen: list[tuple[float, float]] = []
    for _ in range(_FURTHER_LOOK):
        values, ways = eigen(at.hessian)
        if not values[0] > EPS * values[-1]:
            break
        step = sum(
            [-dot(v, at.gradient) / w * v for w, v in zip(values, ways, strict=True)], zeros_like(at.x)
        )
        seen.append((norm(step), values[0]))
        if not seen[-1][0] > least * seen[0][0]:
            return []
        at = with_hessian(objective, objective.evaluate(at.x + step, 0), source)
        if at.hessian is None or not matrix_is_finite(at.hessian) or not at.value <= highest:
            return []
    return seen


def order_grows(objective: Objective, at: Evaluation) -> bool:
    """Tell whether Newton's steps from ``at`` shrink ever more slowly: down ``exp(-1/x)`` they do, beside any constant.

    Towards a minimum of order p each is 1 - 1/(p - 1) of the one before (Ostrowski, Solution of Equations, 1960).
    """
    source = hessian_source(objective)
    full = with_hessian(objective, at, source)
    if full.hessian is None or not matrix_is_finite(full.hessian):
        return False
    lengths = [length for length, _ in newton_steps(objective, full, source, 0.0)]
    if len(lengths) < _FURTHER_LOOK:
        return False
    halfway, last = (1.0 - lengths[i] / lengths[i - 1] for i in (_FURTHER_LOOK // 2, -1))
    return last < _SAME_ORDER * halfway


def examined(
    objective: Objective, at: Evaluation, start: Evaluation | None, tol: float, source: CurvatureSource
) -> DensePoint:
    """Return a point that has its gradient and its Hessian, with the model of both."""
    return DensePoint(objective, at, start, tol, source, local_model(at.gradient, at.hessian, NOISE[source]))


def _meets_bound(objective: Objective, at: Evaluation, way: Vector) -> bool:
    """Tell whether a bound bends a step along ``way`` or back: there may be nothing lower where it leads."""
    if objective.box is None:
        return False
    goals = [at.x + step for step in both_ways([way], at.x)]
    return any(objective.evaluate(goal, 0).x is not goal for goal in goals)


class _Probed(NamedTuple):
    """The kind that walks tell; ``fades``: the value rises along one side of a direction, and never along the other.

    ``level``: it is level along both sides of each.
    """

    kind: PointKind
    fades: bool = False
    level: bool = False

    @property
    def ending(self) -> PointKind:
        """The kind, with a fading value taken as one that falls towards infinity."""
        return PointKind.AT_INFINITY if self.fades else self.kind


def probe_both_ways(
    objective: Objective, at: Evaluation, directions: Sequence[Vector], gap: float
) -> _Probed:
    enough = 4.0 * gap + NEWS * abs(at.value)
    floor = unbounded_below(at.value)
    steps = both_ways(directions[:_WALKED_DIRECTIONS], at.x)
    walks: list[Walk] = []
    for step in steps:
        found = walk(objective, at, step, enough, floor)
        if found.outcome in (ProbeEnd.LOWER, ProbeEnd.UNBOUNDED):
            return _Probed(PointKind.AT_INFINITY if found.endless else KINDS[found.outcome])
        walks.append(found)
    if any(w.outcome is ProbeEnd.LIMIT for w in walks):
        return _Probed(PointKind.AT_INFINITY)
    one_sided = (
        step if here.outcome is ProbeEnd.LEVEL else -step
        for step, here, there in zip(steps[::2], walks[::2], walks[1::2], strict=True)
        if {here.outcome, there.outcome} == {ProbeEnd.RISES, ProbeEnd.LEVEL}
    )
    fading = objective.is_smooth and any(
        fades(objective, at, side) and rises_on(objective, at, -side) and _is_one_sided(objective, at, side)
        for side in one_sided
    )
    return _Probed(PointKind.DEGENERATE, fading, all(w.outcome is ProbeEnd.LEVEL for w in walks))


def _is_one_sided(objective: Objective, at: Evaluation, side: Vector) -> bool:
    from gdcli.solve.probe.valley import is_one_sided

    return is_one_sided(objective, at, side, NEWS * abs(at.value), hessian_source(objective))
