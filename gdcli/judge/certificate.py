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

from math import isfinite

from gdcli.judge.evidence import NO_GRADIENT, Certificate, concluded, unknown
from gdcli.judge.point_kind import KINDS, WITHOUT_END, DensePoint, examined, far_out, floor_news
from gdcli.kernel.dataclass import replace
from gdcli.kernel.dense import eigenvalues, matrix_is_finite
from gdcli.kernel.numerics import FLOOR
from gdcli.kernel.status import CurvatureSource, PointKind, Status, StopReason
from gdcli.kernel.vectors import dot, is_zero, max_abs, norm
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.quadratic_model import LocalModel, hessian_source, with_hessian
from gdcli.solve.iteration import rounding
from gdcli.solve.probe.line_probe import (
    ProbeEnd,
    follow,
)
from gdcli.solve.probe.newton_decrement import errors_at_zero, errors_of, is_known, is_rounding, may_be_zero
from gdcli.solve.run import quiet, unbounded_below
from gdcli.solve.scaling import (
    inward,
    outward,
    rescaled,
    units_at,
    value_scale,
)

# Towards a degenerate minimum a Newton step leads only a part of the way, a ninth at that of ``x**10``.
_SLOW_STEPS = 9.0
# Beside a pole the value changes by its scale over a thousandth of the size of the point, at least.
_STEEP = 1e3
# A way along which the value falls by this part of what the slope says, or more, does not bend up.
_STRAIGHT = 0.9


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
    if found.kind.told and start is not None:
        found = replace(found, errors=_errors_at_zero(seen, there, start, at.x, found))
    if _is_level(found.kind, reason, objective):
        return found
    if reason in WITHOUT_END and found.kind not in (PointKind.NOT_STATIONARY, PointKind.KINK):
        found = replace(found, kind=WITHOUT_END[reason])
    if reason is StopReason.NON_FINITE or reason in WITHOUT_END:
        return replace(found, estimated_gap=None, distance=None, errors=None)
    return found


def _is_level(kind: PointKind, reason: StopReason | None, objective: Objective) -> bool:
    """Tell whether a run ended on a level piece that ends at a kink: with kinks rounded off it falls for ever."""
    return kind == PointKind.DEGENERATE and reason is StopReason.AT_INFINITY and not objective.is_smooth


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
    if isfinite(at.value) and _is_steep(there, found, start):
        from gdcli.solve.probe.poles import is_beside_pole

        if is_beside_pole(seen, seen.complete(bare, 1)):
            return ProbeEnd.UNBOUNDED
    if start is None or reason in WITHOUT_END:
        return ProbeEnd.RISES
    capped = reason is not None and reason.status is Status.LIMIT
    begun = start if seen is objective else inward(start, seen.units)
    return _falls_on(seen, there, begun, capped or far_out(objective, at, start))


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
    seen: Objective, there: Evaluation, start: Evaluation, typed: Vector, found: Certificate
) -> tuple[float, ...] | None:
    """Return the errors that are ``found``, with the sizes, as ``typed``, of the variables that may as well be 0; what
    is ``there`` is in other units.

    The value tells, and at a minimum, around which it is flat, the slope: neither grows.
    """
    units, slope = seen.units, None
    if found.kind == PointKind.MINIMUM and there.gradient is not None:
        slope = norm(there.gradient)

    def is_as_good(x: Vector) -> bool:
        if slope is None:
            return seen.evaluate(x, 0).value <= there.value
        at = seen.evaluate(x, 1)
        if at.gradient is None or not norm(at.gradient) <= slope:
            return False
        return at.value - there.value <= FLOOR * abs(there.value)

    with quiet(typed):
        begun = start.x if units is None else inward(start, units).x
        are_zero = may_be_zero(there.x, begun, is_as_good)
    return errors_at_zero(are_zero, typed, found.errors)


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
    return _falls_down_floor(objective, at, start) if is_far else ProbeEnd.RISES


def _falls_down_floor(objective: Objective, at: Evaluation, start: Evaluation) -> ProbeEnd:
    """Tell whether the value falls to infinity along the floor of a valley, by more than is nothing beside the fall so
    far: what is left of a floor that is level is rounding.
    """
    source = hessian_source(objective)
    if source is CurvatureSource.NONE:
        return ProbeEnd.RISES
    from gdcli.solve.probe.valley import follow_floor

    news = floor_news(at, start)
    below = follow_floor(objective, at, news, unbounded_below(at.value), source)
    if below.lowest is None or not at.value - below.lowest.value > news:
        return ProbeEnd.RISES
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

            return _nonsmooth(objective, at, certify_large(objective, at, start, tol), start, tol)
        full = with_hessian(objective, at, source)
        if full.gradient is None:
            return unknown(None, full.note or NO_GRADIENT)
        if full.hessian is None or not matrix_is_finite(full.hessian):
            return unknown(norm(full.gradient), full.note or "the Hessian is not finite at the end point")
        found = _certify_dense(examined(objective, full, start, tol, source))
        return _nonsmooth(objective, full, found, start, tol)


def _certify_dense(point: DensePoint) -> Certificate:
    at, start, model = point.at, point.start, point.model
    signs = point.signs()
    kind, gap = point.kind_and_gap(signs)
    exact = model.strict and is_rounding(at, start or at, model)
    # Where a degenerate minimum has no slope at all, nothing is left.
    known = rounded = exact or (kind == PointKind.DEGENERATE and gap == 0.0)
    if kind in (PointKind.MINIMUM, PointKind.NOT_STATIONARY):
        known = gap is not None and is_known(point.objective, at, start, model, point.source)
    found = concluded(point.objective, at, kind, signs, gap, model.newton if model.strict else None, known)
    return replace(found, rounded=rounded, errors=_errors(at, model, kind, known) if model.strict else None)


def _errors(at: Evaluation, model: LocalModel, kind: PointKind, known: bool) -> tuple[float, ...] | None:
    """Return about how far each variable is from the minimiser; None where that is not known."""
    if known:
        return errors_of(at.x, model)
    if kind != PointKind.DEGENERATE:
        return None
    return tuple(_SLOW_STEPS * e for e in errors_of(at.x, model))


def _nonsmooth(
    objective: Objective, at: Evaluation, plain: Certificate, start: Evaluation | None, tol: float
) -> Certificate:
    """Return what is to be said where ``at`` is at a kink or beside a jump, else ``plain``."""
    smooth = objective.smoothed(rounding(-1, objective.size))
    is_doubtful = at.estimated or plain.kind in (PointKind.FLAT, PointKind.NOT_STATIONARY)
    if smooth is None and not is_doubtful and not objective.has_jumps:
        return plain
    from gdcli.judge.nonsmooth import at_a_kink, beside_a_jump, fades

    found = at_a_kink(objective, at, plain, start, tol, smooth)
    if found.kind.told and start is not None and fades(objective, at, start):
        return replace(found, kind=PointKind.AT_INFINITY, estimated_gap=None)
    return found if at.hessian is None else beside_a_jump(objective, at, found, tol)
