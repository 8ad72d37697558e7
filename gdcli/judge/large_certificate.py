"""The certificate for many variables, from Hessian-vector products alone.

The extreme eigenvalues are those of Lanczos' method (:mod:`gdcli.solve.methods.newton_cg`). What is left to gain is
bounded by ``|g|**2 / (2 m)`` with the smallest eigenvalue m. Only where that bound is too coarse is the Newton equation
solved, by conjugate gradients.
"""

from __future__ import annotations

from math import inf

from gdcli.judge.evidence import NO_GRADIENT, Certificate, Signs, allowed_gap, concluded, unknown
from gdcli.judge.point_kind import probe_both_ways
from gdcli.kernel.numerics import GAP_TOL
from gdcli.kernel.status import CurvatureSource, PointKind
from gdcli.kernel.vectors import along, dot, norm, zeros_like
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.quadratic_model import NOISE
from gdcli.solve.methods.newton_cg import Ritz, hessian_product, ritz, ritz_vector, steihaug
from gdcli.solve.probe.newton_decrement import CREST_SLOPE, is_known_of_many

CG_STEPS = 100
# Of so many variables all eigenvalues can be looked for where the smallest is in doubt; with more than so many an
# estimate has to do for the gap.
_FEW, _MANY = 500, 20_000
_CG_ACCURACY = 1e-2
# An estimated eigenvalue with a larger error, relative to itself, is worth a warning.
_DOUBTFUL = 0.1


def certify_large(objective: Objective, at: Evaluation, start: Evaluation | None, tol: float) -> Certificate:
    """Return the evidence about ``at`` without forming a matrix; see :func:`gdcli.judge.certificate.certify`."""
    if at.gradient is None:
        at = objective.complete(at, 1)
    if at.gradient is None:
        return unknown(None, at.note or NO_GRADIENT)
    slope = norm(at.gradient)
    if objective.all_held(at):
        return Certificate(PointKind.MINIMUM, slope, estimated_gap=0.0, distance=0.0)
    found = _spectrum_and_error(objective, at)
    if found is None:
        return unknown(slope, "Hessian-vector products are not finite at the end point")
    spectrum, error = found
    sure = spectrum.low_error <= _DOUBTFUL * abs(spectrum.low)
    notes = _notes_on(spectrum, error)
    gap, ahead = _left(objective, at, slope, spectrum.low if spectrum.low > error else 0.0, sure, notes)
    allowed = allowed_gap(at.value, tol)
    kind, stands = _kind_and_doubt(objective, at, start, found, (gap, ahead), allowed)
    if not stands:
        gap = ahead = None
    return concluded(
        objective,
        at,
        kind,
        Signs(spectrum.low, spectrum.high, error, CurvatureSource.LANCZOS, tuple(notes)),
        gap,
        ahead,
        gap is None or (ahead is not None and is_known_of_many(objective, at, gap, ahead)),
    )


def _spectrum_and_error(objective: Objective, at: Evaluation) -> tuple[Ritz, float] | None:
    """Return the extreme eigenvalues and what rounding makes of them; None where products are not finite."""
    spectrum = ritz(objective, at)
    if spectrum is None:
        return None
    noise = NOISE[CurvatureSource.PRODUCTS if objective.has_product else CurvatureSource.DIFFERENCES]
    error = noise * max(abs(spectrum.low), abs(spectrum.high))
    if spectrum.low > error and spectrum.low_error > _DOUBTFUL * spectrum.low and objective.size <= _FEW:
        spectrum = ritz(objective, at, 2 * objective.size) or spectrum
    return spectrum, error


def _notes_on(spectrum: Ritz, error: float) -> list[str]:
    if not spectrum.low_error > max(error, _DOUBTFUL * abs(spectrum.low)):
        return []
    within = f"there is one within {spectrum.low_error:.1g} of it (Lanczos)"
    return [f"the smallest eigenvalue is an estimate: {within}"]


def _kind_and_doubt(
    objective: Objective,
    at: Evaluation,
    start: Evaluation | None,
    curvature: tuple[Ritz, float],
    left: tuple[float | None, Vector | None],
    allowed: float,
) -> tuple[PointKind, bool]:
    """Return the kind of point, and whether what is ``left`` to gain there, and the way, stand."""
    (spectrum, error), (gap, ahead) = curvature, left
    if spectrum.low < -max(error, spectrum.low_error):
        return _kind_of_concave(objective, at, spectrum, error, allowed), False
    if gap is None:
        return PointKind.MINIMUM if spectrum.low > error else PointKind.UNKNOWN, True
    if gap > allowed:
        return PointKind.NOT_STATIONARY, True
    kind = PointKind.MINIMUM
    if not spectrum.low > error:
        kind = probe_both_ways(objective, at, [ritz_vector(objective, at, spectrum)], gap).ending
    if kind not in (PointKind.MINIMUM, PointKind.DEGENERATE):
        return kind, True
    seen = _kind_along_ways(objective, at, start, ahead, gap)
    return (kind, True) if seen == PointKind.DEGENERATE else (seen, False)


def _kind_of_concave(
    objective: Objective, at: Evaluation, spectrum: Ritz, error: float, allowed: float
) -> PointKind:
    # Stationary along the concave directions too? The crest is at most this much higher.
    slope = norm(at.gradient)
    crest = 0.5 * slope * slope / -spectrum.low
    if crest > allowed or not _is_crest(objective, at, spectrum.low):
        return PointKind.NOT_STATIONARY
    return PointKind.SADDLE if spectrum.high > error else PointKind.MAXIMUM


def _kind_along_ways(
    objective: Objective, at: Evaluation, start: Evaluation | None, ahead: Vector | None, gap: float
) -> PointKind:
    """Return the kind by looking on where the run came from, and downhill: curvature that fades along the way is no
    property of a minimum.
    """
    assert at.gradient is not None
    ways = [-at.gradient] if start is None else [at.x - start.x, -at.gradient]
    return probe_both_ways(objective, at, ways if ahead is None else [ahead, *ways], gap).ending


def _is_crest(objective: Objective, at: Evaluation, lowest: float) -> bool:
    """Tell whether a slope along the most concave directions vanishes where the model says, as it does at a crest and
    not beside the edge of ``sqrt(x)``. Where the slope is none along them that is not asked.
    """
    g: Vector = at.gradient
    square = dot(g, g)
    bent = None if square == 0.0 else hessian_product(objective, at, g)
    if bent is None or dot(g, bent) > 0.5 * lowest * square:
        return True
    there = objective.evaluate(along(at.x, -1.0 / lowest, g), 1)
    return there.gradient is not None and dot(there.gradient, g) <= CREST_SLOPE * square


def _left(
    objective: Objective, at: Evaluation, slope: float, curvature: float, sure: bool, notes: list[str]
) -> tuple[float | None, Vector | None]:
    """Return what is left to gain and the way to the minimiser; ``curvature`` is 0 where it is not
    positive. ``sure``: it is known well enough to take a bound by it for the gap.
    """
    g: Vector = at.gradient
    if slope == 0.0:
        return 0.0, zeros_like(g)
    if curvature > 0.0 and (sure or len(g) > _MANY):
        bound = 0.5 * slope * slope / curvature
        if bound <= GAP_TOL * max(1.0, abs(at.value)):
            return bound, -1.0 / curvature * g
    few = 2 * len(g) if len(g) <= _FEW else 0
    inner = steihaug(objective, at, inf, _CG_ACCURACY, max(CG_STEPS, few))
    if inner is None or inner.negative:
        return None, None
    if inner.solved:
        return inner.predicted, inner.step
    if curvature > 0.0:
        notes.append("the remaining gain is a bound by gradient and smallest eigenvalue")
        return 0.5 * slope * slope / curvature, -1.0 / curvature * g
    return None, None
