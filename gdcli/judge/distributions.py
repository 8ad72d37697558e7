"""Student's t, chi-square, F and the normal: the distributions that errors and tests of fits need.

Their tails are the regularised incomplete beta and gamma functions (DLMF, sections 8.17 and 8.2), from continued
fractions by the modified Lentz algorithm (Thompson and Barnett, J. Comput. Phys. 64, 1986) and, below its middle, the
gamma function's series. What stands before them is computed without differences of large numbers, so that millions of
degrees of freedom cost no digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import erfc, exp, expm1, inf, isinf, lgamma, log, log1p, pi, sqrt

from gdcli.kernel.numerics import UNIT_ROUNDOFF

_TINY = 1e-300
_MAX_TERMS = 1_000_000
# From here on the asymptotic series of the gamma function's logarithm have all digits.
_LARGE = 25.0
_MAX_NEWTON = 60
# For more degrees of freedom Hill's normal deviate (Algorithm 395, Comm. ACM 13, 1970) is exact to rounding.
_MANY = 1e6


def student_t_two_sided(t: float, dof: float) -> float:
    """Return the probability that ``|T|`` exceeds ``|t|``, T of Student's t distribution; dof inf is the normal one."""
    if isinf(t):
        return 0.0
    if isinf(dof):
        return erfc(abs(t) / sqrt(2.0))
    square = t * t
    if dof > _MANY:
        y = (dof - 0.5) * log1p(square / dof)
        b = 48.0 * (dof - 0.5) ** 2
        bend = (((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b)
        return erfc(sqrt(0.5 * y) * ((bend + y + 3.0) / b + 1.0))
    return _incomplete_beta(0.5 * dof, 0.5, dof / (dof + square), square / (dof + square))


def f_tail(f: float, dof: int, left: float) -> float:
    """Return the probability that a variable of the F distribution exceeds ``f``.

    ``dof`` is that of its numerator, ``left`` that of its denominator; inf makes it a chi-square one over its ``dof``.
    """
    if isinf(left) or isinf(f):
        return 0.0 if isinf(f) else chi_square_tail(dof * f, dof)
    if f <= 0.0:
        return 1.0
    all_ = left + dof * f
    return _incomplete_beta(0.5 * left, 0.5 * dof, left / all_, dof * f / all_)


def normal_tail(z: float) -> float:
    """Return the probability that a standard normal variable exceeds ``z``."""
    return 0.5 * erfc(z / sqrt(2.0))


@lru_cache(4096)
def student_t_quantile(level: float, dof: float) -> float:
    """Return the t that ``|T|`` does not exceed with probability ``level`` (0.95 gives 1.96 for dof inf).

    Newton's method on the logarithm of the tail, kept in a bracket. The relative error is below 1e-12.
    """
    tail = 1.0 - level
    low, t, high = 0.0, 1.0, inf
    for _ in range(_MAX_NEWTON):
        found = student_t_two_sided(t, dof)
        if found > tail:
            low = t
        else:
            high = t
        slope = -2.0 * _t_density(t, dof) / found
        step = t - log(found / tail) / slope
        new = step if low < step < high else 0.5 * (low + high) if high < inf else 2.0 * t
        if abs(new - t) <= 1e-15 * t:
            return new
        t = new
    return t


def joint_quantile(level: float, dof: float) -> float:
    """Return the root of 2 F, F the quantile of the F distribution with 2 and ``dof`` degrees of freedom.

    Without end (``dof`` inf) it is the root of the quantile of chi-square with 2. Both have a closed form, as the
    tail of F(2, n) is (1 + 2 f/n)**(-n/2).
    """
    logarithm = -log1p(-level)
    return sqrt(2.0 * logarithm if dof == inf else dof * expm1(2.0 * logarithm / dof))


def chi_square_tail(x: float, dof: float) -> float:
    """Return the probability that a chi-square variable with ``dof`` degrees of freedom exceeds ``x``."""
    a, x = 0.5 * dof, 0.5 * x
    if x <= 0.0:
        return 1.0
    before = exp(_log_gamma_term(a, x))
    if x < a + 1.0:  # the series of the lower part
        total = term = 1.0 / a
        k = a
        while term > UNIT_ROUNDOFF * total:
            k += 1.0
            term *= x / k
            total += term
        return 1.0 - before * total
    fraction = _lentz(x + 1.0 - a, ((-k * (k - a), x + 2.0 * k + 1.0 - a) for k in range(1, _MAX_TERMS)))
    return before / fraction


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Return I_x(a, b) for a whole ``2 b``, with ``y = 1 - x`` given for its digits."""
    # x**a y**b Gamma(a+b) / (Gamma(a) Gamma(b)); the quotient of two near gammas from its own series.
    powers = a * (log1p(-y) if y < 0.5 else log(x)) if x > 0.0 else -inf
    if b == 0.5:
        before = exp(powers + _log_gamma_half(a)) * sqrt(y / pi)
    else:
        half = b % 1.0
        raised = sum(log(a + half + k) for k in range(int(b))) + (_log_gamma_half(a) if half else 0.0)
        before = exp(powers + raised + b * log(y) - lgamma(b))
    if x < (a + 1.0) / (a + b + 2.0):
        return before / (a * _lentz(1.0, _beta_terms(a, b, x)))
    return 1.0 - before / (b * _lentz(1.0, _beta_terms(b, a, y)))


def _beta_terms(a: float, b: float, x: float) -> Iterator[tuple[float, float]]:
    """The terms of the continued fraction DLMF 8.17.22."""
    yield -(a + b) / (a + 1.0) * x, 1.0
    for m in range(1, _MAX_TERMS):
        even = a + 2.0 * m
        yield m * (b - m) * x / ((even - 1.0) * even), 1.0
        yield -(a + m) * (a + b + m) * x / (even * (even + 1.0)), 1.0


def _lentz(first: float, terms: Iterator[tuple[float, float]]) -> float:
    """Return the continued fraction ``first + a1/(b1 + a2/(b2 + ...))`` of the terms (a, b)."""
    f = c = first or _TINY
    d = 0.0
    for a, b in terms:
        d = b + a * d or _TINY
        c = b + a / c or _TINY
        d = 1.0 / d
        f *= c * d
        if abs(c * d - 1.0) <= UNIT_ROUNDOFF:
            break
    return f


def _log_gamma_half(a: float) -> float:
    """Return log(Gamma(a + 1/2) / Gamma(a))."""
    if a < _LARGE:
        return lgamma(a + 0.5) - lgamma(a)
    r = 1.0 / (a * a)
    # Tricomi and Erdelyi, Pacific J. Math. 1, 1951.
    return 0.5 * log(a) - (1 / 8 - r * (1 / 192 - r * (1 / 640 - r * (17 / 14336 - r * 31 / 18432)))) / a


def _log_gamma_term(a: float, x: float) -> float:
    """Return log(x**a exp(-x) / Gamma(a))."""
    if a < _LARGE:
        return a * log(x) - x - lgamma(a)
    u = (x - a) / a
    r = 1.0 / (a * a)
    stirling = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / a
    return -a * _excess(u) + 0.5 * log(a / (2.0 * pi)) - stirling


def _excess(u: float) -> float:
    """Return u - log(1 + u), also for small u."""
    if abs(u) > 0.1:
        return u - log1p(u)
    total, power = 0.0, u
    for k in range(2, 30):
        power *= -u
        total -= power / k
    return total


def _t_density(t: float, dof: float) -> float:
    if isinf(dof):
        return exp(-0.5 * t * t) / sqrt(2.0 * pi)
    log_density = _log_gamma_half(0.5 * dof) - 0.5 * log(dof * pi) - 0.5 * (dof + 1.0) * log1p(t * t / dof)
    return exp(log_density)
