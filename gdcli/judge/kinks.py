"""Points at kinks and beside jumps, of which derivatives tell nothing: what values and smoothed functions tell."""

from __future__ import annotations

from math import isfinite

from gdcli.judge.evidence import LEVEL_NOTE, Certificate, allowed_gap
from gdcli.kernel.dataclass import replace
from gdcli.kernel.dense import largest_entry
from gdcli.kernel.status import CurvatureSource, PointKind
from gdcli.kernel.vectors import alternating, max_abs, ones_like, unit_like
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.quadratic_model import hessian_source, with_hessian
from gdcli.solve.iteration import Method
from gdcli.solve.methods.smoothing_homotopy import level
from gdcli.solve.run import run
from gdcli.solve.settings import MaxIterations

# Newton steps on the smoothed function to see whether a kink is the bottom: it starts there, or very near.
_KINK_LOOK = 50
# At a kink, curvature grows tenfold when the rounding shrinks tenfold; something smooth may add to both.
_SHARPER = 3.0

# Over the shorter of two lengths a kink rises as steeply as over the longer, by this part of it at least.
_LENGTHS, _AS_STEEP = (1e-6, 1e-3), 0.3

AT_A_KINK = "is at a kink, where the"


def at_a_kink(
    objective: Objective,
    at: Evaluation,
    plain: Certificate,
    start: Evaluation | None,
    tol: float,
    smooth: Objective | None,
) -> Certificate:
    """Return what is to be said where ``at`` is at a kink, else ``plain``; ``smooth`` is the function smoothed most.

    At a kink gradient and Hessian of the function itself mean nothing. The curvature of the smoothed one is
    inversely proportional to the radius mu of the rounding there, and anywhere else does not depend on it. Newton's
    method on the smoothed function tells what is left: rounding raises the value by at most mu a kink.
    """
    if plain.kind == PointKind.FLAT and _is_bottom(objective, at, start):
        return replace(plain, kind=PointKind.DEGENERATE, estimated_gap=0.0, notes=(*plain.notes, LEVEL_NOTE))
    coarser = None if smooth is None else objective.smoothed(10.0 * level(objective, -1))
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
    found = run(smooth, method, at.x, [MaxIterations(_KINK_LOOK)])
    found.reason.pass_on()
    lowest = found.best.at
    gap = max(here.value - lowest.value, at.value - objective.evaluate(lowest.x, 0).value)
    # What is less than the error of the rounding cannot be seen that way: at a cusp that is much.
    if gap <= allowed_gap(at.value, tol) < gap + abs(here.value - at.value):
        return _at_a_corner(objective, at, replace(plain, kind=PointKind.NOT_STATIONARY))
    is_lowest = gap <= allowed_gap(at.value, tol)
    return _kink(objective, at, plain, PointKind.KINK if is_lowest else PointKind.NOT_STATIONARY, gap)


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
    kink = _kink(objective, at, plain, PointKind.KINK, found.gap)
    return replace(kink, errors=found.errors if any(found.errors) else None)


def _has_jump(objective: Objective, at: Evaluation) -> bool:
    """Tell whether the value rises as from a jump of the gradient, and not as ``abs(x)**1.5`` does."""
    way = alternating(max(1.0, max_abs(at.x)) * ones_like(at.x))
    near, far = (
        sum([objective.evaluate(at.x + side * way, 0).value - at.value for side in (length, -length)])
        / length
        for length in _LENGTHS
    )
    return near > _AS_STEEP * far


def _kink(
    objective: Objective, at: Evaluation, plain: Certificate, kind: PointKind, gap: float
) -> Certificate:
    # The words hold for a maximisation as well.
    what = "answer" if kind == PointKind.KINK else "point"
    why = "gradient jumps" if _has_jump(objective, at) else "curvature is infinite"
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
        notes=(*plain.notes, f"the {what} {AT_A_KINK} {why}"),
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


def beside_a_jump(objective: Objective, at: Evaluation, found: Certificate, tol: float) -> Certificate:
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
