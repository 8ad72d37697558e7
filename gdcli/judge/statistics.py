"""What a fit tells about its parameters: standard errors, intervals, correlations, and how good the fit is.

All of it comes from the triangle R of the Jacobian at the answer: the covariance of the parameters is
``s**2 (R'R)^-1``, with s the residual standard deviation ``sqrt(RSS/(n - p))`` (Bates and Watts, Nonlinear Regression
Analysis, 1988, section 2.3; so are the certified values of NIST). ``R'R`` is never formed: the singular values of R,
with its columns scaled to length 1, give the errors with twice the digits, and show which parameters cannot be told
apart. For other losses the second derivatives of the negative log-likelihood take that place.

Conventions. With ``weights`` a row's variance is ``s**2 / weight``, s unknown; with ``sigma`` it is sigma**2, known, so
that intervals are those of the normal distribution and chi-square has a p-value; ``scale_sigma`` takes sigma for a
weight 1/sigma**2. The likelihood is the normal one, and the unknown s counts among its parameters (as R counts in
`logLik`): ``AIC = -2 L + 2 k``, ``BIC = -2 L + k log n`` with k = p + 1, or k = p where sigma is known.
``R² = 1 - RSS/TSS`` with TSS about the (weighted) mean, whether the model has an intercept or not: it says how much
better the fit is than a constant, and is negative where it is worse. Of a linear model without a constant NIST and R
take TSS about zero, which compares with no model at all: that is another number, with a name of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import inf, log, pi, sqrt
from typing import TYPE_CHECKING

from gdcli.judge.distributions import chi_square_tail, student_t_quantile, student_t_two_sided
from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.dense import Entry, Matrix, congruent, diagonal, eigen
from gdcli.kernel.factors import column_lengths, combined, congruence, singular, triangle
from gdcli.kernel.numerics import NULL_EIGENVALUE
from gdcli.kernel.vectors import Array, Vec, np
from gdcli.objective.protocol import QRSystem
from gdcli.solve.algebra.residual_model import JacobianSpectrum, effective

if TYPE_CHECKING:
    from gdcli.judge.redundancy import Redundancy, Value

ERROR_KINDS = ("unweighted", "weights", "sigma", "scale_sigma")
LEVEL = 0.95
TIED = 0.95


@dataclass(frozen=True, slots=True)
class Tie:
    """Two parameters by number, and their correlation."""

    first: int
    second: int
    correlation: float


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The errors of p parameters, ``estimates``; an entry is None where there is none, and ``reason`` says why.

    Intervals are (low, high) at ``level``, ``instead`` of Wald's where they are others; ``dof`` is inf where the
    variance of a row is known. ``correlation`` has p rows. ``redundant`` names what cannot be told apart; ``rank`` is
    how many combinations of the parameters the data determine, and ``weakest`` the least singular value of the scaled
    Jacobian as a part of the largest. ``factor`` is the upper triangle U, p x p, of the covariance ``U U'``
    (`covariance_factor`): with it the variance of a combination ``g'x``, the square of the length of ``U'g``, keeps the
    digits that the sum over the covariance cancels. Of many fits the numbers are arrays, whose last axis counts them.
    """

    level: float
    dof: float
    rank: int
    estimates: tuple[float, ...]
    standard_errors: tuple[float | None, ...]
    correlation: tuple[tuple[float | None, ...], ...]
    redundant: tuple[str, ...] = ()
    reason: str = ""
    weakest: float = 1.0
    factor: tuple[tuple[float, ...], ...] | None = None
    instead: tuple[tuple[float, float] | None, ...] | None = None

    @property
    def t_values(self) -> tuple[float | None, ...]:
        """The estimates in units of their errors; None where these are none, or nothing but rounding (0)."""
        pairs = zip(self.estimates, self.standard_errors, strict=True)
        return tuple(None if e is None or _is_zero(e) else a / e for a, e in pairs)

    @property
    def intervals(self) -> tuple[tuple[float, float] | None, ...]:
        """The ends (low, high) of Wald's intervals at the level, or of those in their place."""
        if self.instead is not None:
            return self.instead
        reach = self.reach if any(e is not None for e in self.standard_errors) else 0.0
        pairs = zip(self.estimates, self.standard_errors, strict=True)
        return tuple(None if e is None else (a - reach * e, a + reach * e) for a, e in pairs)

    @property
    def reach(self) -> Entry:
        """How many standard errors off an estimate the ends of its interval are: the quantile of Student's t."""
        return _each(partial(student_t_quantile, self.level), self.dof)

    @property
    def p_values(self) -> tuple[float | None, ...]:
        """How likely a parameter of zero would look as far from it."""
        return tuple(None if t is None else student_t_two_sided(t, self.dof) for t in self.t_values)

    def without(self, reason: str) -> Uncertainty:
        """Return what is left where there are no errors, for a ``reason``."""
        none = (None,) * len(self.standard_errors)
        return replace(
            self,
            standard_errors=none,
            correlation=(none,) * len(none),
            redundant=(),
            reason=reason,
            factor=None,
            instead=None,
        )

    @property
    def tied(self) -> tuple[Tie, ...]:
        """The pairs of parameters whose estimates are correlated above 0.95 in size, the strongest first."""
        found = [
            Tie(j, i, c)
            for i, row in enumerate(self.correlation)
            for j, c in enumerate(row[:i])
            if c is not None and abs(c) > TIED
        ]
        return tuple(sorted(found, key=lambda tie: -abs(tie.correlation)))


@dataclass(frozen=True, slots=True)
class FitStatistics:
    """How good a fit is, and the errors of its parameters; numbers that do not exist are None.

    ``estimated`` counts what was estimated from the ``rows``, the variance of a row among it. ``rss`` and ``tss`` are
    the (weighted) sums of squares of the residuals, and of the response about its (weighted) mean; ``tss_about_zero``
    is that of the response itself, of linear models without a constant alone. ``exact`` tells that the model says all
    that was measured, but for rounding. ``deviance`` is known of losses of a mean or a probability. Of many fits the
    numbers are arrays (g,).
    """

    rows: int
    rss: float | None
    errors: Uncertainty
    estimated: int
    log_likelihood: float | None = None
    residual_sd: float | None = None
    tss: float | None = None
    chi_square: float | None = None
    chi_square_p: float | None = None
    exact: bool = False
    tss_about_zero: float | None = None
    deviance: float | None = None

    @property
    def r_squared_about_zero(self) -> float | None:
        rss, tss = self.rss, self.tss_about_zero
        return None if rss is None or tss is None else 1.0 - rss / tss

    @property
    def r_squared(self) -> float | None:
        return None if self.rss is None or self.tss is None else 1.0 - self.rss / self.tss

    @property
    def aic(self) -> float | None:
        likelihood = self.log_likelihood
        return None if likelihood is None else 2.0 * (self.estimated - likelihood)

    @property
    def bic(self) -> float | None:
        likelihood = self.log_likelihood
        return None if likelihood is None else self.estimated * logarithm(self.rows) - 2.0 * likelihood


class Parameters(NamedTuple):
    """The parameters at the end of a fit: their numbers ``x`` (p), names, and which of them no bound holds (None: all).

    ``constant`` of those held are constants, between equal bounds. ``value`` gives the sum of squares at other numbers.
    So many others were estimated ``aside``, and are eliminated.
    """

    x: Sequence[float]
    names: Sequence[str]
    free: Sequence[bool]
    constant: int = 0
    value: Value | None = None
    aside: int = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """What was measured: rows of positive weight, two (weighted) sums of squares, the logarithms of the weights added
    up (of 1/sigma**2 for sigma). One is about the (weighted) mean, one about zero. Of many fits arrays (g,).
    """

    rows: Entry
    about_mean: Entry = None
    about_zero: Entry = None
    log_weights: Entry = 0.0


def spread_of(rows: Entry, measured: Array, weight: Array, total: Callable[[Array], Entry]) -> Spread:
    """Return what was ``measured``, an array, ``rows`` of it with a positive weight; ``total`` adds up."""
    mean = total(weight * measured) / total(weight)
    about, zero = total(weight * (measured - mean) ** 2), total(weight * measured * measured)
    return Spread(rows, about, zero, total(np.log(np.where(weight > 0.0, weight, 1.0))))


def fit_statistics(
    triangle: QRSystem,
    parameters: Parameters,
    spread: Spread,
    errors: str = "unweighted",
    level: float = LEVEL,
) -> FitStatistics:
    """Return the statistics of a least-squares fit that ended at some ``parameters``.

    ``triangle`` is that of the (weighted) residuals there, unscaled: its sum of squares is RSS. ``errors`` is one of
    ERROR_KINDS. Parameters that a bound holds count as estimated, but for constants, have no error, and the others are
    as if these were fixed.
    """
    if errors not in ERROR_KINDS:
        raise ValueError(f"no such kind of errors: {errors}")
    free, fewer = parameters.free, parameters.aside - parameters.constant
    spectrum = _of_triangle(triangle, parameters.x, free)
    rank = sum(spectrum.kept) + list(free).count(False) + fewer

    def uncertain(scale: float | None, dof: float) -> Uncertainty:
        has_room = scale is not None and spread.rows >= len(free) + fewer
        reason = "" if has_room else _too_few(spread.rows, len(free) + fewer)
        return _uncertainty(spectrum, parameters, scale, _Claim(level, dof, rank, reason))

    return of_squares(triangle.total, rank, spread, errors, uncertain)


def of_squares(
    rss: Entry,
    rank: int,
    spread: Spread,
    kind: str,
    uncertain: Callable[[Entry | None, Entry], Uncertainty],
) -> FitStatistics:
    """Return the statistics of least squares: of one fit, or of many that have degrees of freedom, arrays (g,).

    ``rank`` parameters were estimated. ``uncertain`` gives their errors from the standard deviation of a row of weight
    1, None where there is none, and the degrees of freedom that it has.
    """
    known, dof = kind == "sigma", spread.rows - rank
    has_dof = not _is_zero(dof)
    sd = _root(rss / dof) if has_dof else None
    return FitStatistics(
        rows=spread.rows,
        rss=rss,
        errors=uncertain(1.0 if known else sd, inf if known else 1.0 * dof),
        estimated=rank + (not known),
        log_likelihood=_likelihood(rss, spread.rows, spread.log_weights, known),
        residual_sd=sd,
        tss=None if _is_zero(spread.about_mean) else spread.about_mean,
        tss_about_zero=None if _is_zero(spread.about_zero) else spread.about_zero,
        chi_square=rss if kind in ("sigma", "scale_sigma") else None,
        chi_square_p=_each(chi_square_tail, rss, dof) if known and has_dof else None,
    )


def _is_zero(entry: Entry) -> bool:
    """Tell whether a number is none or not positive; arrays are of fits of which none is."""
    return entry is None or (isinstance(entry, int | float) and not entry > 0.0)


def _each(f: Callable[..., float], *entries: Entry) -> Entry:
    """Return f of numbers, or of those of each of many fits."""
    if all(isinstance(entry, int | float) for entry in entries):
        return f(*entries)
    return np.array([f(*one) for one in zip(*(entry.tolist() for entry in entries), strict=True)])


def _root(of: Entry) -> Entry:
    return np.sqrt(of) if hasattr(of, "tolist") else sqrt(of)


def _likelihood(rss: Entry, rows: Entry, log_weights: Entry, known: bool) -> Entry | None:
    """The log-likelihood, None of a perfect fit, where there is no end to it."""
    return None if _is_zero(rss) and not known else normal_log_likelihood(rss, rows, log_weights, known)


def normal_log_likelihood(rss: Entry, rows: Entry, log_weights: Entry, known: bool) -> Entry:
    """Return the normal log-likelihood at its maximum over s, or with the given sigmas; of numbers or of arrays."""
    if known:
        return -0.5 * (rss + rows * log(2.0 * pi) - log_weights)
    return -0.5 * (rows * (log(2.0 * pi) + 1.0 + logarithm(rss / rows)) - log_weights)


def logarithm(of: Entry) -> Entry:
    """Return the natural logarithm of a positive number, or of an array of such."""
    if not hasattr(of, "tolist"):
        return log(of)
    return np.log(of)


def _too_few(rows: int, parameters: int) -> str:
    few = f"{rows} row{'s' * (rows != 1)} for {parameters} parameter{'s' * (parameters != 1)}"
    return f"no degrees of freedom: {few}"


def information(
    hessian: Matrix,
    x: Sequence[float],
    names: Sequence[str],
    scores: Matrix | None = None,
    level: float = LEVEL,
    scale: float = 1.0,
    dof: float = inf,
) -> Uncertainty:
    """Return the errors from the Hessian H (p x p) of a negative log-likelihood at its minimum: covariance ``H^-1``.

    With ``scores``, the p x p sum over rows of the products g g' of the row gradients, the covariance is the sandwich
    ``H^-1 G H^-1`` (Huber 1967; White, Econometrica 50, 1982): it holds for losses that are no log-likelihood, such as
    huber, and for wrong models. H may have any scale then, if G has its square. The errors are multiplied by
    ``scale``; intervals are those of Student's t with ``dof`` degrees of freedom, without them of the normal
    distribution.
    """
    H = [Vec(row) for row in hessian]
    spectrum, definite = _of_hessian(H)
    reason = "" if definite else "the Hessian is not positive: this is no minimum"
    middle = None if scores is None else [Vec(row) for row in scores]
    claim = _Claim(level, dof, sum(spectrum.kept), reason)
    return _uncertainty(spectrum, Parameters(x, names, [True] * len(x)), scale, claim, middle)


def _of_triangle(triangle: QRSystem, x: Sequence[float], free: Sequence[bool]) -> JacobianSpectrum:
    lengths = column_lengths(triangle.factor)
    columns = Vec([length if moves else 0.0 for length, moves in zip(lengths, free, strict=True)])
    used = [i for i, has in enumerate(effective(columns, x)) if has and columns[i] > 0.0]
    _, S, V = singular([Vec([row[i] / columns[i] for row in triangle.factor]) for i in used])
    return JacobianSpectrum(columns, S, _spread_out(V, used, len(columns)))


def _of_hessian(H: Sequence[Vec]) -> tuple[JacobianSpectrum, bool]:
    """The spectrum of a root of H, and whether there is one: H has no eigenvalue below its rounding."""
    entries = diagonal(H)
    columns = Vec([sqrt(max(a, 0.0)) for a in entries])
    used = [i for i, length in enumerate(columns) if length > 0.0]
    if not used:
        return JacobianSpectrum(columns, [], []), not any(entries)
    inside = [Vec([H[i][j] for j in used]) for i in used]
    values, vectors = eigen(congruent(inside, Vec([columns[i] for i in used])))
    least = NULL_EIGENVALUE * values[-1]
    S = [sqrt(value) if value > least else 0.0 for value in values]
    definite = values[0] > -least and min(entries) >= 0.0
    return JacobianSpectrum(columns, S, _spread_out(vectors, used, len(columns))), definite


def _spread_out(vectors: Sequence[Vec], places: Sequence[int], size: int) -> list[Vec]:
    """Return vectors of ``size`` components that have those of ``vectors`` at some places, and zeros."""
    found = []
    for vector in vectors:
        whole = Vec([0.0] * size)
        for i, a in zip(places, vector, strict=True):
            whole[i] = a
        found.append(whole)
    return found


class _Claim(NamedTuple):
    """What is said of all parameters at once; ``reason``: why none of them has an error."""

    level: float
    dof: float
    rank: int
    reason: str


def _uncertainty(
    spectrum: JacobianSpectrum,
    parameters: Parameters,
    scale: float | None,
    claim: _Claim,
    middle: Sequence[Vec] | None = None,
) -> Uncertainty:
    x, names, free = parameters.x, parameters.names, parameters.free
    found = [] if claim.reason else _redundancies(spectrum, parameters)
    lost = {i for r in found for i in r.parameters}
    reasons = [r for r in (claim.reason, *(r.message for r in found)) if r]
    reasons += [f"{name} is held by its bound" for name, moves in zip(names, free, strict=True) if not moves]
    known = [moves and i not in lost and not claim.reason for i, moves in enumerate(free)]
    errors: list[float | None] = [None] * len(known)
    correlation: list[tuple[float | None, ...]] = [tuple(errors)] * len(known)
    factor = None
    if scale is not None and any(known):
        covariance = _relative_covariance(spectrum, middle)
        factor = _factor(spectrum, middle, scale, bool(lost))
        roots = [sqrt(max(0.0, row[i])) for i, row in enumerate(covariance)]
        parts = zip(known, roots, spectrum.columns, strict=True)
        errors = [scale * root / _safe(length) if has else None for has, root, length in parts]
        correlation = _correlation(covariance, roots, known)
    return Uncertainty(
        level=claim.level,
        dof=claim.dof,
        rank=claim.rank,
        estimates=tuple(map(float, x)),
        standard_errors=tuple(errors),
        correlation=tuple(correlation),
        redundant=tuple(r.message for r in found),
        reason="; ".join(reasons),
        weakest=_weakest(spectrum),
        factor=factor,
    )


def _correlation(
    covariance: Sequence[Sequence[float]], roots: Sequence[float], known: Sequence[bool]
) -> list[tuple[float | None, ...]]:
    def entry(i: int, j: int) -> float | None:
        if not (known[i] and known[j]):
            return None
        return 1.0 if i == j else covariance[i][j] / _safe(roots[i] * roots[j])

    places = range(len(known))
    return [tuple(entry(i, j) for j in places) for i in places]


def _weakest(spectrum: JacobianSpectrum) -> float:
    most = float(max(spectrum.S, default=0.0))
    return float(min(spectrum.S)) / most if most > 0.0 else 1.0


def _redundancies(spectrum: JacobianSpectrum, parameters: Parameters) -> list[Redundancy]:
    """Return what is redundant among the parameters, some of them free."""
    x, names, free = parameters.x, parameters.names, parameters.free
    if all(spectrum.kept) and all(effective(spectrum.columns, x)):
        return []
    from gdcli.judge.redundancy import redundancies

    found = redundancies(spectrum, x, names, parameters.value)
    return [r for r in found if any(free[i] for i in r.parameters)]


def _relative_covariance(spectrum: JacobianSpectrum, middle: Sequence[Vec] | None) -> list[Vec]:
    """Return the covariance of the parameters times their columns' lengths, for rows of variance 1 (p x p)."""
    half, size = _half(spectrum), len(spectrum.columns)
    across = [Vec(part) for part in zip(*half, strict=True)] or [Vec()] * size
    inverse = [combined(part, half, size) for part in across]
    if middle is None:
        return inverse
    return congruence(inverse, congruent(middle, Vec(map(_safe, spectrum.columns))))


def _half(spectrum: JacobianSpectrum) -> list[Vec]:
    """Return rows B (r x p) with ``B'B`` the covariance for rows of variance 1, times the columns' lengths."""
    kept = zip(spectrum.V, spectrum.S, spectrum.kept, strict=True)
    return [v / s for v, s, is_kept in kept if is_kept]


def _factor(
    spectrum: JacobianSpectrum, middle: Sequence[Vec] | None, scale: float, is_lost: bool
) -> tuple[tuple[float, ...], ...] | None:
    if is_lost:
        return None
    half, lengths = _half(spectrum), Vec(map(_safe, spectrum.columns))
    if middle is not None:
        values, vectors = eigen(congruence(half, congruent(middle, lengths)))
        turned = zip(values, vectors, strict=True)
        half = [combined(v, half, len(lengths)) * sqrt(max(0.0, value)) for value, v in turned]
    return covariance_factor([Vec([scale * a / c for a, c in zip(b, lengths, strict=True)]) for b in half])


def covariance_factor(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Return the upper triangular U, shape (p, p), its diagonal not negative, with ``U U' = B'B``, B the rows (r x p).

    It is the triangle of a QR factorisation of B with its columns in reverse order, turned back.
    """
    size = len(rows[0])
    filled = [*rows, *([[0.0] * size] * (size - len(rows)))]
    columns = [Vec(column) for column in zip(*filled, strict=True)]
    turned = triangle(columns[::-1])
    U = [[turned[size - 1 - j][size - 1 - i] for j in range(size)] for i in range(size)]
    signs = [-1.0 if U[j][j] < 0.0 else 1.0 for j in range(size)]
    return tuple(tuple(s * a + 0.0 for s, a in zip(signs, row, strict=True)) for row in U)


def _safe(length: float) -> float:
    return length if length > 0.0 else 1.0
