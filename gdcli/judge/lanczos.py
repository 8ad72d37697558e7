"""The certificate for many variables, from Hessian-vector products alone.

Lanczos' method finds the extreme eigenvalues of a matrix from products with vectors: on the space that the
powers of H span from a start vector, H is a small tridiagonal matrix whose extreme eigenvalues are soon good
to many digits (Golub and Van Loan, Matrix Computations, chapter 10). The vectors lose their orthogonality in
time; that repeats eigenvalues already found but spoils none, so that three vectors are all that is ever kept.

What is left to gain is bounded by ``|g|**2 / (2 m)`` with the smallest eigenvalue m. Only where that bound is
too coarse is the Newton equation solved, by conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from gdcli.judge.evidence import Certificate
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import eigen
from gdcli.kernel.numerics import GAIN_TOL, TINY
from gdcli.kernel.status import CurvatureSource, PointKind
from gdcli.kernel.vectors import Vec, along, as_like, dot, norm, zeros_like
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.hessian import NOISE
from gdcli.solve.methods.newton_cg import hessian_product, steihaug
from gdcli.solve.probe.newton_decrement import is_known_of_many
from gdcli.solve.probe.null_curvature import CREST_SLOPE, recedes
from gdcli.solve.scaling import length_typed

LANCZOS_STEPS = 40
CG_STEPS = 100
# Of so many variables all eigenvalues can be looked for where the smallest is in doubt; with more than so many an
# estimate has to do for the gain.
_FEW, _MANY = 500, 20_000
_CG_ACCURACY = 1e-2
# An estimated eigenvalue with a larger error, relative to itself, is worth a warning.
_DOUBTFUL = 0.1


class LanczosSpectrum(NamedTuple):
    """The extreme eigenvalues found, a bound on the error of the lowest, and the recurrence
    they came from.
    """

    low: float
    high: float
    low_error: float
    alphas: list[float]
    betas: list[float]
    lowest: Vec


def certify_large(objective: Objective, at: Evaluation, start: Evaluation | None, tol: float) -> Certificate:
    """Return the evidence about ``at`` without forming a matrix; see :func:`gdcli.judge.certificate.certify`."""
    from gdcli.judge.evidence import allowed_gain, kind_by_walking

    if at.gradient is None:
        at = objective.complete(at, 1)
    if at.gradient is None:
        return Certificate(
            PointKind.UNKNOWN, None, notes=(at.note or "the gradient is not finite at the end point",)
        )
    slope = norm(at.gradient)
    if objective.all_held(at):
        return Certificate(PointKind.MINIMUM, slope, gain=0.0, distance=0.0)
    found = _spectrum_and_error(objective, at)
    if found is None:
        return Certificate(
            PointKind.UNKNOWN, slope, notes=("Hessian-vector products are not finite at the end point",)
        )
    spectrum, error = found
    sure = spectrum.low_error <= _DOUBTFUL * abs(spectrum.low)
    notes = _notes_on(spectrum, error)
    gain, ahead = _left(objective, at, slope, spectrum.low if spectrum.low > error else 0.0, sure, notes)
    way = None if ahead is None else length_typed(objective, ahead)
    allowed = allowed_gain(at.value, tol)
    kind = PointKind.UNKNOWN
    if spectrum.low < -max(error, spectrum.low_error):
        kind, gain, way = _kind_of_concave(objective, at, spectrum, error, allowed), None, None
    elif gain is not None and gain > allowed:
        kind = PointKind.NOT_STATIONARY
    elif spectrum.low > error:
        kind = PointKind.MINIMUM
    elif gain is not None:
        kind = kind_by_walking(objective, at, [ritz_vector(objective, at, spectrum)], gain)
    if kind in (PointKind.MINIMUM, PointKind.DEGENERATE) and gain is not None:
        seen = _kind_along_ways(objective, at, start, ahead, gain)
        if seen != PointKind.DEGENERATE:
            kind, gain, way = seen, None, None
    known = gain is None or (ahead is not None and is_known_of_many(objective, at, gain, ahead))
    return Certificate(
        kind=kind,
        gradient_norm=slope,
        eigenvalue_min=spectrum.low,
        eigenvalue_max=spectrum.high,
        condition=spectrum.high / spectrum.low if spectrum.low > error else None,
        gain=gain,
        distance=way if known else None,
        known=known,
        how=CurvatureSource.LANCZOS,
        notes=tuple(notes),
    )


def _spectrum_and_error(objective: Objective, at: Evaluation) -> tuple[LanczosSpectrum, float] | None:
    """Return the extreme eigenvalues and what rounding makes of them; None where products are not finite."""
    spectrum = lanczos(objective, at)
    if spectrum is None:
        return None
    noise = NOISE[CurvatureSource.PRODUCTS if objective.has_product else CurvatureSource.DIFFERENCES]
    error = noise * max(abs(spectrum.low), abs(spectrum.high))
    if spectrum.low > error and spectrum.low_error > _DOUBTFUL * spectrum.low and objective.size <= _FEW:
        spectrum = lanczos(objective, at, 2 * objective.size) or spectrum
    return spectrum, error


def _notes_on(spectrum: LanczosSpectrum, error: float) -> list[str]:
    if not spectrum.low_error > max(error, _DOUBTFUL * abs(spectrum.low)):
        return []
    within = f"there is one within {spectrum.low_error:.1g} of it (Lanczos)"
    return [f"the smallest eigenvalue is an estimate: {within}"]


def _kind_of_concave(
    objective: Objective, at: Evaluation, spectrum: LanczosSpectrum, error: float, allowed: float
) -> PointKind:
    # Stationary along the concave directions too? The crest is at most this much higher.
    slope = norm(at.gradient)
    crest = 0.5 * slope * slope / -spectrum.low
    if crest > allowed or not _is_crest(objective, at, spectrum.low):
        return PointKind.NOT_STATIONARY
    return PointKind.SADDLE if spectrum.high > error else PointKind.MAXIMUM


def _kind_along_ways(
    objective: Objective, at: Evaluation, start: Evaluation | None, ahead: Vector | None, gain: float
) -> PointKind:
    """Return the kind by looking on where the run came from, and downhill: curvature that fades along the way is no
    property of a minimum.
    """
    from gdcli.judge.evidence import kind_by_walking

    assert at.gradient is not None
    ways = [-at.gradient] if start is None else [at.x - start.x, -at.gradient]
    seen = kind_by_walking(objective, at, ways if ahead is None else [ahead, *ways], gain)
    if seen == PointKind.DEGENERATE and ahead is not None and recedes(objective, at, ahead):
        return PointKind.UNKNOWN
    return seen


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
    positive. ``sure``: it is known well enough to take a bound by it for the gain.
    """
    g: Vector = at.gradient
    if slope == 0.0:
        return 0.0, zeros_like(g)
    if curvature > 0.0 and (sure or len(g) > _MANY):
        bound = 0.5 * slope * slope / curvature
        if bound <= GAIN_TOL * max(1.0, abs(at.value)):
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


def lanczos(objective: Objective, at: Evaluation, steps: int = 0) -> LanczosSpectrum | None:
    """Return the extreme eigenvalues of the Hessian at ``at``; None where a product is not finite.

    ``steps``: 40, or the number of variables if that is less; more than that make up for lost orthogonality.
    """
    alphas: list[float] = []
    betas: list[float] = []
    scale = 0.0
    for alpha, beta, _ in _recurrence(objective, at, steps or min(LANCZOS_STEPS, len(at.x))):
        if alpha is None:
            return None
        alphas.append(alpha)
        betas.append(beta)
        scale = max(scale, abs(alpha), beta)
        if beta <= 1e-13 * scale:
            break
    k = len(alphas)
    entry = {0: alphas, 1: betas}
    T = [Vec([entry[abs(i - j)][min(i, j)] if abs(i - j) < 2 else 0.0 for j in range(k)]) for i in range(k)]
    values, vectors = eigen(T)
    return LanczosSpectrum(
        values[0], values[-1], betas[-1] * abs(vectors[0][-1]), alphas, betas, Vec(vectors[0])
    )


def ritz_vector(objective: Objective, at: Evaluation, spectrum: LanczosSpectrum) -> Vector:
    """Return the vector that goes with the lowest eigenvalue found; the recurrence is run
    once more for it.
    """
    vector = zeros_like(at.x)
    recurrence = _recurrence(objective, at, len(spectrum.alphas))
    for weight, (_, _, basis) in zip(spectrum.lowest, recurrence, strict=False):
        vector = along(vector, weight, basis)
    return vector


def _recurrence(
    objective: Objective, at: Evaluation, steps: int
) -> Iterator[tuple[float | None, float, Vector]]:
    """Yield diagonal, off-diagonal and vector of the three-term recurrence, step by step."""
    v = objective.restricted(at, _random(at.x))
    v = v / max(norm(v), TINY)
    before, beta = zeros_like(v), 0.0
    for _ in range(steps):
        w = hessian_product(objective, at, v)
        if w is None:
            yield None, 0.0, v
            return
        alpha = dot(v, w)
        w = along(along(w, -alpha, v), -beta, before)
        beta = norm(w)
        yield alpha, beta, v
        if beta == 0.0:
            return
        before, v = v, w / beta


def _random(x: Vector) -> Vector:
    """Return a random direction, always the same: it has a part along every eigenvector, almost surely."""
    if isinstance(x, list):
        from random import Random

        random = Random(0)
        v: Vector = as_like(x, [random.gauss(0.0, 1.0) for _ in x])
    else:
        import numpy

        v = numpy.random.default_rng(0).standard_normal(len(x))
    return v
