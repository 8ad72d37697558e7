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
better the fit is than a constant, and is negative where it is worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, pi, sqrt
from typing import Any

from gdcli.analysis.distributions import chi_square_tail, student_t_quantile, student_t_two_sided
from gdcli.analysis.redundancy import Spectrum, Value, effective, redundancies
from gdcli.dataclass import dataclass
from gdcli.numerics import NULL_EIGENVALUE
from gdcli.solvers.types import Triangle

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
    """The errors of p parameters; an entry is None where there is none, and ``reason`` says why.

    ``intervals`` are (low, high) at ``level``; ``dof`` is inf where the variance of a row is known. ``correlation`` has
    p rows. ``tied`` are the pairs with a correlation above 0.95 in size, the strongest first. ``redundant`` names what
    cannot be told apart; ``rank`` is how many combinations of the parameters the data determine.
    """

    level: float
    dof: float
    rank: int
    standard_errors: tuple[float | None, ...]
    t_values: tuple[float | None, ...]
    p_values: tuple[float | None, ...]
    intervals: tuple[tuple[float, float] | None, ...]
    correlation: tuple[tuple[float | None, ...], ...]
    tied: tuple[Tie, ...]
    redundant: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FitStatistics:
    """How good a least-squares fit is, and the errors of its parameters; numbers that do not exist are None.

    ``exact`` tells that the model says all that was measured, but for rounding.
    """

    rows: int
    rss: float | None
    errors: Uncertainty
    residual_sd: float | None
    r_squared: float | None
    adjusted_r_squared: float | None
    log_likelihood: float | None
    aic: float | None
    bic: float | None
    chi_square: float | None = None
    chi_square_p: float | None = None
    exact: bool = False


def fit_statistics(
    triangle: Triangle,
    x: Sequence[float],
    names: Sequence[str],
    rows: int,
    errors: str = "unweighted",
    tss: float | None = None,
    log_weights: float = 0.0,
    held: Sequence[bool] | None = None,
    value: Value | None = None,
    level: float = LEVEL,
    constant: int = 0,
) -> FitStatistics:
    """Return the statistics of a least-squares fit that ended at ``x`` (p numbers, called ``names``).

    ``triangle`` is that of the (weighted) residuals at x, unscaled: its sum of squares is RSS. ``rows`` counts those
    of positive weight. ``errors`` is one of ERROR_KINDS. ``tss`` is the (weighted) sum of squares of the response about
    its (weighted) mean, ``log_weights`` the sum of the logarithms of the weights (1/sigma**2 for sigma). ``held`` tells
    which parameters a bound holds: they count as estimated, have no error, and the others are as if these were fixed;
    ``constant`` of them are constants (between equal bounds) and do not count.
    ``value`` gives RSS at other parameters, to make sure of what is redundant.
    """
    import numpy as np

    if errors not in ERROR_KINDS:
        raise ValueError(f"no such kind of errors: {errors}")
    rss = float(triangle.target @ triangle.target) + triangle.rest**2
    free = ~np.array(held, dtype=bool) if held is not None else np.ones(len(x), dtype=bool)
    spectrum = _of_triangle(triangle, x, free)
    rank = int(spectrum.kept.sum()) + int((~free).sum()) - constant
    dof, known = rows - rank, errors == "sigma"
    sd = sqrt(rss / dof) if dof > 0 else None
    scale = 1.0 if known else sd
    short = scale is None or rows < len(x) - constant
    reason = f"no degrees of freedom: {_as_many(rows, len(x) - constant)}" if short else ""
    uncertainty = _uncertainty(
        spectrum, x, names, free, scale, inf if known else float(dof), rank, level, reason, value
    )
    likelihood = _log_likelihood(rss, rows, log_weights, known)
    k = rank + (not known)
    r_squared = 1.0 - rss / tss if tss else None
    return FitStatistics(
        rows=rows,
        rss=rss,
        errors=uncertainty,
        residual_sd=sd,
        r_squared=r_squared,
        adjusted_r_squared=None
        if r_squared is None or dof <= 0
        else 1.0 - (1.0 - r_squared) * (rows - 1) / dof,
        log_likelihood=likelihood,
        aic=None if likelihood is None else 2.0 * (k - likelihood),
        bic=None if likelihood is None else k * log(rows) - 2.0 * likelihood,
        chi_square=rss if errors in ("sigma", "scale_sigma") else None,
        chi_square_p=chi_square_tail(rss, dof) if known and dof > 0 else None,
    )


def _as_many(rows: int, parameters: int) -> str:
    return f"{rows} row{'s' * (rows != 1)} for {parameters} parameter{'s' * (parameters != 1)}"


def information(
    hessian: Any, x: Sequence[float], names: Sequence[str], scores: Any = None, level: float = LEVEL
) -> Uncertainty:
    """Return the errors from the Hessian H (p x p) of a negative log-likelihood at its minimum: covariance ``H^-1``.

    With ``scores``, the p x p sum over rows of the products g g' of the row gradients, the covariance is the sandwich
    ``H^-1 G H^-1`` (Huber 1967; White, Econometrica 50, 1982): it holds for losses that are no log-likelihood, such as
    huber, and for wrong models. H may have any scale then, if G has its square. Intervals are those of the normal
    distribution.
    """
    import numpy as np

    H = np.array(hessian, dtype=float)
    spectrum, definite = _of_hessian(H)
    reason = "" if definite else "the Hessian is not positive: this is no minimum"
    free = np.ones(len(x), dtype=bool)
    rank = int(spectrum.kept.sum())
    middle = None if scores is None else np.array(scores, dtype=float)
    return _uncertainty(spectrum, x, names, free, 1.0, inf, rank, level, reason, None, middle)


def sandwich(
    hessian: Any, scores: Any, x: Sequence[float], names: Sequence[str], level: float = LEVEL
) -> Uncertainty:
    """Return the errors by the sandwich ``H^-1 G H^-1``; see :func:`information`."""
    return information(hessian, x, names, scores, level)


def _of_triangle(triangle: Triangle, x: Sequence[float], free: Any) -> Spectrum:
    import numpy as np

    R = np.where(free, triangle.factor, 0.0)
    largest = abs(R).max(axis=0, initial=0.0)
    columns = largest * np.sqrt(((R / np.where(largest > 0.0, largest, 1.0)) ** 2).sum(axis=0))
    used = np.flatnonzero(effective(columns, x) & (columns > 0.0))
    V = np.zeros((len(used), len(columns)))
    if not len(used):
        return Spectrum(columns, np.zeros(0), V)
    _, S, V[:, used] = np.linalg.svd(R[:, used] / columns[used], full_matrices=False)
    return Spectrum(columns, S, V)


def _of_hessian(H: Any) -> tuple[Spectrum, bool]:
    """The spectrum of a root of H, and whether there is one: H has no eigenvalue below its rounding."""
    import numpy as np

    diagonal = np.diag(H)
    columns = np.sqrt(np.maximum(diagonal, 0.0))
    used = np.flatnonzero(columns > 0.0)
    V = np.zeros((len(used), len(columns)))
    if not len(used):
        return Spectrum(columns, np.zeros(0), V), not diagonal.any()
    eigenvalues, vectors = np.linalg.eigh(H[np.ix_(used, used)] / np.outer(columns[used], columns[used]))
    V[:, used] = vectors.T
    least = NULL_EIGENVALUE * eigenvalues[-1]
    S = np.sqrt(np.where(eigenvalues > least, eigenvalues, 0.0))
    return Spectrum(columns, S, V), bool(eigenvalues[0] > -least and (diagonal >= 0.0).all())


def _uncertainty(
    spectrum: Spectrum,
    x: Sequence[float],
    names: Sequence[str],
    free: Any,
    scale: float | None,
    dof: float,
    rank: int,
    level: float,
    reason: str,
    value: Value | None,
    middle: Any = None,
) -> Uncertainty:
    import numpy as np

    p = len(x)
    found = [] if reason else redundancies(spectrum, x, names, value)
    found = [r for r in found if free[list(r.parameters)].any()]
    lost = {i for r in found for i in r.parameters} | {int(i) for i in np.flatnonzero(~free)}
    reasons = [r for r in (reason, *(r.message for r in found)) if r]
    reasons += [f"{name} is held by its bound" for name, moves in zip(names, free, strict=True) if not moves]
    known = [i not in lost and not reason for i in range(p)]
    errors: list[float | None] = [None] * p
    correlation: list[tuple[float | None, ...]] = [(None,) * p] * p
    if scale is not None and any(known):
        covariance = _relative_covariance(spectrum, middle)
        roots = np.sqrt(np.diag(covariance))
        safe = np.where(spectrum.columns > 0.0, spectrum.columns, 1.0)
        errors = [scale * float(roots[i] / safe[i]) if known[i] else None for i in range(p)]
        ratios = covariance / np.outer(np.where(roots > 0.0, roots, 1.0), np.where(roots > 0.0, roots, 1.0))
        correlation = [
            tuple(
                (1.0 if i == j else float(ratios[i, j])) if known[i] and known[j] else None for j in range(p)
            )
            for i in range(p)
        ]
    ts = [None if not e else float(a) / e for a, e in zip(x, errors, strict=True)]
    reach = student_t_quantile(level, dof) if any(e is not None for e in errors) else 0.0
    return Uncertainty(
        level=level,
        dof=dof,
        rank=rank,
        standard_errors=tuple(errors),
        t_values=tuple(ts),
        p_values=tuple(None if t is None else student_t_two_sided(t, dof) for t in ts),
        intervals=tuple(
            None if e is None else (float(a) - reach * e, float(a) + reach * e)
            for a, e in zip(x, errors, strict=True)
        ),
        correlation=tuple(correlation),
        tied=ties(correlation),
        redundant=tuple(r.message for r in found),
        reason="; ".join(reasons),
    )


def _relative_covariance(spectrum: Spectrum, middle: Any) -> Any:
    """Return the covariance of the parameters times their columns' lengths, for rows of variance 1 (p x p)."""
    import numpy as np

    kept = spectrum.kept
    half = spectrum.V[kept] / spectrum.S[kept, None]
    inverse = half.T @ half
    if middle is None:
        return inverse
    safe = np.where(spectrum.columns > 0.0, spectrum.columns, 1.0)
    return inverse @ (middle / np.outer(safe, safe)) @ inverse


def ties(correlation: Sequence[Sequence[float | None]]) -> tuple[Tie, ...]:
    """Return the pairs of parameters whose estimates are correlated above 0.95 in size, the strongest first."""
    found = [
        Tie(j, i, c)
        for i, row in enumerate(correlation)
        for j, c in enumerate(row[:i])
        if c is not None and abs(c) > TIED
    ]
    return tuple(sorted(found, key=lambda tie: -abs(tie.correlation)))


def _log_likelihood(rss: float, rows: int, log_weights: float, known: bool) -> float | None:
    """The normal log-likelihood at its maximum over s, or with the given sigmas; None of a perfect fit."""
    if known:
        return -0.5 * (rss + rows * log(2.0 * pi) - log_weights)
    if not rss > 0.0:
        return None
    return -0.5 * (rows * (log(2.0 * pi) + 1.0 + log(rss / rows)) - log_weights)
