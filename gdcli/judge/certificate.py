"""What kind of point is this? The evidence behind a claim of success.

A loop that stopped has proved nothing: a small gradient is found at saddles, at maxima, far out on a plateau.
The certificate looks at the end point itself. The signs of the Hessian's eigenvalues tell its kind, half the
squared Newton decrement estimates how much lower the value can still get, and the Newton step how far away
the minimiser is. A sign counts only where the eigenvalue exceeds its own error. Where it does not, the value
decides: it is followed along the doubtful directions, as in :mod:`gdcli.solve.probe.line_probe`.

For many variables the same questions are answered from Hessian-vector products alone, see
:mod:`gdcli.judge.large_certificate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

from gdcli.judge.evidence import (
    KINDS,
    LEVEL_NOTE,
    Certificate,
    Signs,
    allowed_gap,
    concluded,
    kind_by_walking,
    probe_both_ways,
)
from gdcli.kernel.dataclass import replace
from gdcli.kernel.dense import eigen, eigenvalues, largest_entry, matrix_is_finite
from gdcli.kernel.numerics import CLEARLY, NEWS
from gdcli.kernel.status import CurvatureSource, PointKind, StopReason
from gdcli.kernel.vectors import distance, dot, is_zero, max_abs, norm, same, unit_like
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.hessian import NOISE, hessian_source, with_hessian
from gdcli.solve.algebra.quadratic_model import LocalModel
from gdcli.solve.algebra.small_model import local_model
from gdcli.solve.iteration import Iterate, Method
from gdcli.solve.methods.smoothing_homotopy import level
from gdcli.solve.probe.line_probe import (
    FLIGHT,
    ProbeEnd,
    fades,
    follow,
    main_way,
    rises_all_around,
    rounding_of,
)
from gdcli.solve.probe.newton_decrement import errors_of, is_known, is_rounding, may_be_zero
from gdcli.solve.probe.null_curvature import CREST_SLOPE, REACHED_BY_ANY, SHORT, passing_direction, recedes
from gdcli.solve.probe.poles import is_beside_pole
from gdcli.solve.run import quiet, run, unbounded_below
from gdcli.solve.scaling import (
    inward,
    outward,
    rescaled,
    units_at,
    units_away,
    value_scale,
)
from gdcli.solve.stopping import Caps

# Newton steps on the smoothed function to see whether a kink is the bottom: it starts there, or very near.
_KINK_LOOK = 50
# Towards a degenerate minimum a Newton step leads only a part of the way, a ninth at that of ``x**10``.
_SLOW_STEPS = 9.0
# Newton steps on from a degenerate point; a minimum is no farther off than so many times the longest of the first.
_FURTHER_LOOK, _RECEDING, _FIRST_STEPS = 30, 25.0, 3
_WITHOUT_END = {StopReason.UNBOUNDED: PointKind.UNBOUNDED, StopReason.AT_INFINITY: PointKind.AT_INFINITY}
_MINIMA = (PointKind.MINIMUM, PointKind.DEGENERATE)
# On the floor of a curved valley a small slope across it bends into a small negative curvature along it: down
# to this part of the largest one the value decides.
_DOUBTFUL_SIGN = 1e-6
# Beside a pole the value changes by its scale over a thousandth of the size of the point, at least.
_STEEP = 1e3
# A point so many times the size of the start away from it is far out.
_AFAR = 1e3
# A way along which the value falls by this part of what the slope says, or more, does not bend up.
_STRAIGHT = 0.9
# At a kink, curvature grows tenfold when the rounding shrinks tenfold; something smooth may add to both.
_SHARPER = 3.0


def certify(
    objective: Objective,
    at: Evaluation,
    start: Evaluation | None = None,
    tol: float = 1e-8,
    reason: StopReason | None = None,
) -> Certificate:
    """Return the evidence about the point ``at``.

    ``start`` is where the run began: it tells cheaply whether a small curvature is suspicious. ``tol`` is the
    tolerance of the run: with more than ``100 * tol * max(1, |value|)`` left to gain the point is not
    stationary. ``reason`` is why the run ended: when it was on its way to infinity, no gap is estimated.
    """
    found, seen, there = _examine_in_own_units(objective, at, start, tol)
    if found.kind in (PointKind.NOT_STATIONARY, PointKind.UNKNOWN):
        with quiet(at.x):
            end = _falls_without_end(objective, at, start, reason, found, seen, there)
            if end in (ProbeEnd.UNBOUNDED, ProbeEnd.LIMIT):
                found = replace(found, kind=KINDS[end], estimated_gap=None)
    found = _as_typed(found, seen, there)
    if found.kind in (PointKind.DEGENERATE, PointKind.KINK) and found.errors is None and start is not None:
        found = replace(found, errors=_errors_at_zero(seen, there, start, at.x))
    if reason in _WITHOUT_END and found.kind not in (PointKind.NOT_STATIONARY, PointKind.KINK):
        found = replace(found, kind=_WITHOUT_END[reason])
    if reason is StopReason.NON_FINITE or reason in _WITHOUT_END:
        return replace(found, estimated_gap=None, distance=None, errors=None)
    return found


def _falls_without_end(
    objective: Objective,
    at: Evaluation,
    start: Evaluation | None,
    reason: StopReason | None,
    found: Certificate,
    seen: Objective,
    there: Evaluation,
) -> ProbeEnd:
    """Tell whether the value falls to infinity from a point of no known kind, or into a pole."""
    bare = Evaluation(there.x, at.value)
    if isfinite(at.value) and _is_steep(there, found, start) and is_beside_pole(seen, seen.complete(bare, 1)):
        return ProbeEnd.UNBOUNDED
    if start is None or reason in _WITHOUT_END:
        return ProbeEnd.RISES
    is_far = units_away(objective, at, start) > _AFAR
    return _falls_on(seen, there, start if seen is objective else inward(start, seen.units), is_far)


def _examine_in_own_units(
    objective: Objective, at: Evaluation, start: Evaluation | None, tol: float
) -> tuple[Certificate, Objective, Evaluation]:
    """Return the certificate, and the objective and the point in the units in which they were looked at."""
    if not isfinite(at.value):
        return _examine(objective, at, start, tol), objective, at
    with quiet(at.x):
        source = hessian_source(objective)
        if source is not CurvatureSource.NONE:
            at = with_hessian(objective, at, source)
        units = units_at(objective, at, start)
        seen, there = rescaled(objective, units), inward(at, units)
        found = _examine(seen, there, None if start is None else inward(start, units), tol)
    return found, seen, there


def _as_typed(found: Certificate, seen: Objective, at: Evaluation) -> Certificate:
    """Return a certificate of what was ``seen`` in other units with the slope and the curvatures as typed."""
    units = seen.units
    if found.gradient_norm is None or units is None:
        return found
    if isinstance(units, float):
        low, high = found.eigenvalue_min, found.eigenvalue_max
        square = units * units
        return replace(
            found,
            gradient_norm=found.gradient_norm / units,
            eigenvalue_min=None if low is None else low / square,
            eigenvalue_max=None if high is None else high / square,
        )
    typed = outward(at, units)
    errors = None if found.errors is None else tuple(e * u for e, u in zip(found.errors, units, strict=True))
    found = replace(found, gradient_norm=norm(typed.gradient), errors=errors)
    if found.eigenvalue_min is None or typed.hessian is None:
        return found
    values = eigenvalues(typed.hessian)
    low, high = values[0], values[-1]
    is_known = found.condition is not None and low > 0.0
    return replace(found, eigenvalue_min=low, eigenvalue_max=high, condition=high / low if is_known else None)


def _errors_at_zero(
    seen: Objective, there: Evaluation, start: Evaluation, typed: Vector
) -> tuple[float, ...] | None:
    """Return the sizes, as ``typed``, of the variables that may as well be 0; what is ``there`` is in other units."""
    units = seen.units
    with quiet(typed):
        are_zero = may_be_zero(seen, there, start if units is None else inward(start, units))
    if not any(are_zero):
        return None
    return tuple(abs(float(a)) if zero else 0.0 for zero, a in zip(are_zero, typed, strict=True))


def _falls_on(objective: Objective, at: Evaluation, start: Evaluation, is_far: bool) -> ProbeEnd:
    """Tell whether the value falls to infinity along the way that the run came, or downhill from where it never left.

    That is asked where the run ``is_far`` out, there down the floor of a bent valley too, and of a way that does not
    bend up, as that of a linear function.
    """
    at = objective.complete(at, 1)
    if not isfinite(at.value) or at.gradient is None or is_zero(at.gradient):
        return ProbeEnd.RISES
    way, floor = at.x - start.x, unbounded_below(at.value)
    if is_zero(way):
        way = -at.gradient / norm(at.gradient)
    slope = dot(at.gradient, way)
    if slope < 0.0 and (is_far or objective.evaluate(at.x + way, 0).value - at.value <= _STRAIGHT * slope):
        found = follow(objective, at, way, floor).outcome
        if found in (ProbeEnd.UNBOUNDED, ProbeEnd.LIMIT):
            return found
    source = hessian_source(objective)
    if not is_far or source is CurvatureSource.NONE:
        return ProbeEnd.RISES
    from gdcli.solve.probe.valley import follow_floor

    below = follow_floor(objective, at, NEWS * abs(at.value), floor, source)
    return ProbeEnd.LIMIT if below.endless else below.outcome


def _is_steep(at: Evaluation, found: Certificate, start: Evaluation | None) -> bool:
    """Tell whether the slope, as far as it is known, may be that beside a pole."""
    slope, fall = found.gradient_norm, 0.0 if start is None else start.value - at.value
    return (
        at.estimated
        or slope is None
        or slope * max(1.0, max_abs(at.x)) > _STEEP * value_scale(at.value, fall)
    )


def _examine(objective: Objective, at: Evaluation, start: Evaluation | None, tol: float) -> Certificate:
    if not isfinite(at.value):
        kind = PointKind.UNBOUNDED if at.value < 0 else PointKind.UNKNOWN
        return Certificate(kind, None, notes=("the value is not finite at the end point",))
    with quiet(at.x):
        source = hessian_source(objective)
        if source is CurvatureSource.NONE:
            from gdcli.judge.large_certificate import certify_large

            return _at_a_kink(objective, at, certify_large(objective, at, start, tol), start, tol)
        full = with_hessian(objective, at, source)
        if full.gradient is None:
            return Certificate(
                PointKind.UNKNOWN, None, notes=(full.note or "the gradient is not finite at the end point",)
            )
        if full.hessian is None or not matrix_is_finite(full.hessian):
            note = full.note or "the Hessian is not finite at the end point"
            return Certificate(PointKind.UNKNOWN, norm(full.gradient), notes=(note,))
        found = _certify_dense(objective, full, start, tol, source)
        return _beside_a_jump(objective, full, _at_a_kink(objective, full, found, start, tol), tol)


def _certify_dense(
    objective: Objective, at: Evaluation, start: Evaluation | None, tol: float, source: CurvatureSource
) -> Certificate:
    model = local_model(at.gradient, at.hessian, NOISE[source])
    signs = _signs(at, model, source)
    kind, gap = _kind_and_gap(objective, at, start, model, tol, source, signs.low < -signs.error)
    exact = model.strict and is_rounding(at, start or at, model)
    # Where a degenerate minimum has no slope at all, nothing is left.
    known = rounded = exact or (kind == PointKind.DEGENERATE and gap == 0.0)
    if kind in (PointKind.MINIMUM, PointKind.NOT_STATIONARY):
        known = gap is not None and is_known(objective, at, start, model, source)
    found = concluded(objective, at, kind, signs, gap, model.newton if model.strict else None, known)
    return replace(found, rounded=rounded, errors=_errors(at, model, kind, known) if model.strict else None)


def _signs(at: Evaluation, model: LocalModel, source: CurvatureSource) -> Signs:
    values = eigenvalues(at.hessian)
    low, high = values[0], values[-1]
    notes: list[str] = []
    if source is CurvatureSource.DIFFERENCES:
        notes.append("the Hessian was computed by differences")
    if at.estimated:
        notes.append("the derivatives are difference quotients: the exact ones do not exist here")
    return Signs(low, high, NOISE[source] * max(abs(low), abs(high)), source, tuple(notes), model.strict)


def _kind_and_gap(
    objective: Objective,
    at: Evaluation,
    start: Evaluation | None,
    model: LocalModel,
    tol: float,
    source: CurvatureSource,
    is_concave: bool,
) -> tuple[PointKind, float | None]:
    """Return the kind of point, and how much lower the end may be, None where that is not known.

    ``is_concave``: the least curvature is below zero by more than its error.
    """
    gap: float | None = model.gap if isfinite(model.gap) else None
    off = model.gap + model.rise
    if not (off <= allowed_gap(at.value, tol) or _is_lost(objective, at, start, off)):
        return PointKind.NOT_STATIONARY, gap
    level_all = False
    if model.negative:
        kind, gap = _kind_of_concave(objective, at, start, model, tol, source, is_concave)
    else:
        kind, level_all = _kind_of_convex(objective, at, start, model, source)
        gap = gap if model.flat or kind in _MINIMA else None
    if kind in _MINIMA:
        kind = _kind_from_afar(objective, at, start, kind, source)
    further = kind == PointKind.DEGENERATE and not level_all
    return _kind_further_on(objective, at, start, model.gap, tol) if further else kind, gap


def _kind_of_concave(
    objective: Objective,
    at: Evaluation,
    start: Evaluation | None,
    model: LocalModel,
    tol: float,
    source: CurvatureSource,
    is_concave: bool,
) -> tuple[PointKind, float | None]:
    """Return the kind of a stationary point with negative curvature, and how much lower the end may be."""
    if model.lowest > -_DOUBTFUL_SIGN or not is_concave:
        kind = kind_by_walking(objective, at, [eigen(at.hessian)[1][0]], model.gap)
        return kind, model.gap if isfinite(model.gap) else None
    kind = _kind_of_crest(objective, at, start, model, tol, source)
    return kind, model.gap + model.rise if kind.told else None


def _kind_of_convex(
    objective: Objective, at: Evaluation, start: Evaluation | None, model: LocalModel, source: CurvatureSource
) -> tuple[PointKind, bool]:
    """Return the kind of a stationary point without negative curvature, and whether the value is level in all doubtful
    directions.
    """
    doubtful = model.null
    if model.strict:
        passing = passing_direction(objective, at, start, model, source, REACHED_BY_ANY)
        if passing is None:
            return PointKind.MINIMUM, False
        doubtful = [passing]
    elif model.flat:
        return _kind_of_flat(objective, at, start), False
    return _kind_of_level(objective, at, start, model, doubtful, source)


def _is_lost(objective: Objective, at: Evaluation, start: Evaluation | None, gap: float) -> bool:
    """Tell whether a ``gap`` is less than what the rounding of the variables changes the value by, and that is nothing
    beside the fall so far: no numbers are nearer, and rounding hides nothing that counts.
    """
    news = _floor_news(at, start)
    return gap <= news and gap <= CLEARLY * rounding_of(objective, at) <= news


def _errors(at: Evaluation, model: LocalModel, kind: PointKind, known: bool) -> tuple[float, ...] | None:
    """Return about how far each variable is from the minimiser; None where that is not known."""
    if known:
        return errors_of(at.x, model)
    if kind != PointKind.DEGENERATE:
        return None
    return tuple(_SLOW_STEPS * e for e in errors_of(at.x, model))


def _kind_of_level(
    objective: Objective,
    at: Evaluation,
    start: Evaluation | None,
    model: LocalModel,
    doubtful: Sequence[Vector],
    source: CurvatureSource,
) -> tuple[PointKind, bool]:
    """Return the kind of a stationary point without negative curvature, where ``doubtful`` directions have none, and
    whether the value is level along all of them.
    """
    if not model.strict and not is_zero(ahead := model.stationary_step()):
        # Beside a null direction, the curvature along the rest of the way may be a passing one too.
        kind = kind_by_walking(objective, at, [ahead], model.gap)
        if kind != PointKind.DEGENERATE:
            return kind, False
    found = probe_both_ways(objective, at, doubtful or [eigen(at.hessian)[1][0]], model.gap)
    if found.ending != PointKind.DEGENERATE or found.level:
        return found.ending, found.level
    if model.strict and recedes(objective, at, model.newton):
        return PointKind.DEGENERATE if _rises_onward(
            objective, at, model.newton
        ) else PointKind.UNKNOWN, False
    return _kind_of_floor(objective, at, start, model.gap, source), False


def _rises_onward(objective: Objective, at: Evaluation, way: Vector) -> bool:
    """Tell whether the value rises on the ``way``, which of one variable cannot bend: there is a minimum ahead."""
    return (
        objective.size == 1
        and follow(objective, at, way, unbounded_below(at.value)).outcome is ProbeEnd.RISES
    )


def _kind_of_floor(
    objective: Objective, at: Evaluation, start: Evaluation | None, gap: float, source: CurvatureSource
) -> PointKind:
    """Return the kind of a point on the level floor of a valley: does the floor fall on, around a bend?"""
    from gdcli.solve.probe.valley import follow_floor, sides_of_floor

    enough = 4.0 * gap + _floor_news(at, start)
    found = follow_floor(objective, at, enough, unbounded_below(at.value), source)
    if found.outcome is ProbeEnd.LOWER:
        return PointKind.AT_INFINITY if found.endless else PointKind.NOT_STATIONARY
    if found.outcome not in (ProbeEnd.RISES, ProbeEnd.LEVEL) or start is None or not objective.is_smooth:
        return KINDS[found.outcome]
    fading = sides_of_floor(objective, at, start, _floor_news(at, start), source).fades
    return PointKind.AT_INFINITY if fading else PointKind.DEGENERATE


def _floor_news(at: Evaluation, start: Evaluation | None) -> float:
    """Return the fall down the floor of a valley that is news, as in the run itself."""
    return NEWS * value_scale(at.value, 0.0 if start is None else start.value - at.value)


def _kind_from_afar(
    objective: Objective, at: Evaluation, start: Evaluation | None, kind: PointKind, source: CurvatureSource
) -> PointKind:
    """Return ``kind``, unless the point is very far from the start and the value falls on without end.

    Out there the rounding of the variables alone makes curvature, and a small gradient beside a large value. So the
    floor of a valley must be seen to rise: without that the kind is unknown.
    """
    if start is None or not at.value < start.value or not (away := units_away(objective, at, start)) > _AFAR:
        return kind
    way = at.x - start.x
    found = follow(objective, at, way, unbounded_below(at.value))
    if found.outcome in (ProbeEnd.UNBOUNDED, ProbeEnd.LIMIT):
        return KINDS[found.outcome]
    if objective.is_smooth and found.outcome is ProbeEnd.LEVEL and fades(objective, at, main_way(way)):
        return PointKind.AT_INFINITY
    return _kind_by_sides(objective, at, start, kind, source, away > FLIGHT)


def _kind_by_sides(
    objective: Objective,
    at: Evaluation,
    start: Evaluation,
    kind: PointKind,
    source: CurvatureSource,
    has_fled: bool,
) -> PointKind:
    """Return ``kind`` where the sides of the floor of a valley do not tell otherwise."""
    from gdcli.solve.probe.valley import sides_of_floor

    sides = sides_of_floor(objective, at, start, _floor_news(at, start), source)
    if objective.is_smooth and sides.fades:
        return PointKind.AT_INFINITY
    doubtful = not sides.rises if has_fled else kind == PointKind.DEGENERATE and sides.lost
    if doubtful and not has_fled and objective.is_smooth and _is_lost(objective, at, start, abs(at.value)):
        return kind  # what is 0 but for rounding does not go on falling to 0
    return PointKind.UNKNOWN if doubtful else kind


def _kind_further_on(
    objective: Objective, at: Evaluation, start: Evaluation | None, gap: float, tol: float
) -> PointKind:
    """Return the kind of a point without much curvature, by going on to where Newton's method gets from there.

    Towards a minimum its steps along the floor of a valley shrink, to a sum of 19 first ones at ``x**20``; towards
    infinity they do not. The very first may be down to the floor.
    """
    from gdcli.solve.methods.newton import TrustRegionNewton

    path: list[Vector] = []

    def seen(iterate: Iterate) -> None:
        path.append(iterate.at.x)

    further = run(objective, TrustRegionNewton(0.0), at.x, [Caps(_FURTHER_LOOK)], [seen])
    if further.reason in _WITHOUT_END:
        return _WITHOUT_END[further.reason]
    end = further.best.at
    first = max([distance(x, y) for x, y in pairwise(path[: _FIRST_STEPS + 1])], default=0.0)
    far = distance(end.x, at.x) > max(_RECEDING * first, SHORT * max(1.0, norm(at.x)))
    if far and at.value - end.value > CLEARLY * rounding_of(objective, at):
        return PointKind.DEGENERATE if _rises_onward(objective, end, end.x - at.x) else PointKind.UNKNOWN
    source = hessian_source(objective)
    full = with_hessian(objective, end, source)
    if not gap > _floor_news(at, start) or full.hessian is None:
        return PointKind.DEGENERATE
    if local_model(full.gradient, full.hessian).gap > _floor_news(full, start):
        return PointKind.DEGENERATE
    kind = _certify_dense(objective, full, start, tol, source).kind
    return kind if kind in (PointKind.AT_INFINITY, PointKind.UNBOUNDED) else PointKind.DEGENERATE


def _kind_of_crest(
    objective: Objective,
    at: Evaluation,
    start: Evaluation | None,
    model: LocalModel,
    tol: float,
    source: CurvatureSource,
) -> PointKind:
    """Return the kind of a point with negative curvature: is the stationary point that the model sees really there, and
    is the curvature negative there?

    Close to its edge ``sqrt(x)`` is concave and hardly any higher nearby, but its slope is no smaller there. Beside the
    floor of a bent valley the curvature along it is negative, on the floor it is none.
    """
    values, slope = eigenvalues(at.hessian), norm(at.gradient)
    kind = (
        PointKind.SADDLE
        if values[-1] > NOISE[source] * max(abs(values[0]), abs(values[-1]))
        else PointKind.MAXIMUM
    )
    there = objective.evaluate(at.x + model.stationary_step(), 1)
    if slope == 0.0 or same(there.x, at.x):
        return kind
    if there.gradient is None or not norm(there.gradient) <= CREST_SLOPE * slope:
        return PointKind.NOT_STATIONARY
    there = with_hessian(objective, there, source)
    if there.hessian is None or not matrix_is_finite(there.hessian):
        return kind
    ahead = local_model(there.gradient, there.hessian, NOISE[source])
    if ahead.negative and ahead.lowest <= CREST_SLOPE * model.lowest:
        return kind
    found = _certify_dense(objective, there, start, tol, source).kind
    return found if found.told else PointKind.NOT_STATIONARY


def _at_a_kink(
    objective: Objective, at: Evaluation, plain: Certificate, start: Evaluation | None, tol: float
) -> Certificate:
    """Return what is to be said where ``at`` is at a kink, else ``plain``.

    At a kink gradient and Hessian of the function itself mean nothing. The curvature of the smoothed one is
    inversely proportional to the radius mu of the rounding there, and anywhere else does not depend on it. Newton's
    method on the smoothed function tells what is left: rounding raises the value by at most mu a kink.
    """
    if plain.kind == PointKind.FLAT and _is_bottom(objective, at, start):
        return replace(plain, kind=PointKind.DEGENERATE, estimated_gap=0.0, notes=(*plain.notes, LEVEL_NOTE))
    radius = level(objective, -1)
    smooth = objective.smoothed(radius)
    coarser = None if smooth is None else objective.smoothed(10.0 * radius)
    if smooth is None or coarser is None:
        return _at_a_corner(objective, at, plain)
    here, sharp = _sharpness(smooth, at.x)
    if not sharp > max(0.0, _SHARPER * _sharpness(coarser, at.x)[1]):
        return _at_a_corner(objective, at, plain)
    from gdcli.solve.methods.newton import TrustRegionNewton

    method: Method = TrustRegionNewton(tol)
    if hessian_source(smooth) is CurvatureSource.NONE:
        from gdcli.solve.methods.hybrid_large import large_method

        method = large_method(tol, smooth.box is not None)
    found = run(smooth, method, at.x, [Caps(_KINK_LOOK)])
    found.reason.pass_on()
    lowest = found.best.at
    gap = max(here.value - lowest.value, at.value - objective.evaluate(lowest.x, 0).value)
    # What is less than the error of the rounding cannot be seen that way: at a cusp that is much.
    if gap <= allowed_gap(at.value, tol) < gap + abs(here.value - at.value):
        return _at_a_corner(objective, at, replace(plain, kind=PointKind.NOT_STATIONARY))
    is_lowest = gap <= allowed_gap(at.value, tol)
    return _kink(plain, PointKind.KINK if is_lowest else PointKind.NOT_STATIONARY, gap)


def _is_bottom(objective: Objective, at: Evaluation, start: Evaluation | None) -> bool:
    """Tell whether the level piece that ``at`` lies on is a bottom: one between kinks that the run came down to, or one
    whose ends, as far as they are seen, are where the value rises.
    """
    if objective.is_smooth:
        return False
    if start is not None and at.value < start.value and objective.smoothed(level(objective, -1)) is not None:
        return True
    from gdcli.judge.level_set import ends_rise

    return ends_rise(objective, at)


def _at_a_corner(objective: Objective, at: Evaluation, plain: Certificate) -> Certificate:
    """Return what the values around a point tell where its derivatives tell nothing, else ``plain``."""
    # Difference quotients across a jump of the gradient: their mean, and a huge curvature.
    doubtful = at.estimated and plain.kind in (PointKind.MINIMUM, PointKind.DEGENERATE)
    if not doubtful and plain.kind != PointKind.NOT_STATIONARY:
        return plain
    from gdcli.judge.nonsmooth import corner_at

    found = corner_at(objective, at)
    if found is None:
        return replace(plain, kind=PointKind.UNKNOWN, estimated_gap=None) if doubtful else plain
    return replace(
        _kink(plain, PointKind.KINK, found.gap), errors=found.errors if any(found.errors) else None
    )


def _kink(plain: Certificate, kind: PointKind, gap: float) -> Certificate:
    # The words hold for a maximisation as well.
    what = "answer" if kind == PointKind.KINK else "point"
    return replace(
        plain,
        kind=kind,
        eigenvalue_min=None,
        eigenvalue_max=None,
        condition=None,
        estimated_gap=gap if isfinite(gap) else None,
        distance=None,
        known=True,
        rounded=False,
        errors=None,
        notes=(*plain.notes, f"the {what} is at a kink, where the gradient jumps"),
    )


def _sharpness(smooth: Objective, x: Vector) -> tuple[Evaluation, float]:
    """Return the evaluation at ``x`` and about the largest curvature there, 0 where there is none to be had."""
    source = hessian_source(smooth)
    if source is CurvatureSource.NONE:
        at = smooth.evaluate(x, 1)
        from gdcli.judge.ritz import ritz

        spectrum = None if at.gradient is None else ritz(smooth, at)
        return at, 0.0 if spectrum is None else spectrum.high
    at = with_hessian(smooth, smooth.evaluate(x, 0), source)
    return at, 0.0 if at.hessian is None else largest_entry(at.hessian)


def _beside_a_jump(objective: Objective, at: Evaluation, found: Certificate, tol: float) -> Certificate:
    """Return ``found``, unless the value jumps down right beside the point: no derivative tells of that."""
    if not found.kind.told or not objective.has_jumps:
        return found
    for i, a in enumerate(at.x):
        for h in (1e-9, 1e-6, 1e-3):
            for side in (h, -h):
                there = objective.evaluate(at.x + unit_like(at.x, i, side * max(1.0, abs(a))), 0).value
                if at.value - there > allowed_gap(at.value, tol):
                    note = "the value jumps down right beside the answer"
                    notes = (*found.notes, note)
                    return replace(
                        found,
                        kind=PointKind.NOT_STATIONARY,
                        estimated_gap=None,
                        distance=None,
                        errors=None,
                        notes=notes,
                    )
    return found


def _kind_of_flat(objective: Objective, at: Evaluation, start: Evaluation | None) -> PointKind:
    """Return the kind of a point where gradient and Hessian vanish altogether."""
    if rises_all_around(objective, at):
        return PointKind.DEGENERATE
    found = probe_both_ways(objective, at, eigen(at.hessian)[1], 0.0)
    if found.kind == PointKind.DEGENERATE:
        # A rise that does not go on is noise; a start that was never left may be where the slope underflows.
        return (
            PointKind.AT_INFINITY
            if found.fades and start is not None and at.value < start.value
            else PointKind.FLAT
        )
    return found.kind
