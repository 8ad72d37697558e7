"""Tests of fits: which of several models describes the same data best, and are the residuals what noise would be?

AICc is Akaike's criterion with the correction for few rows (Sugiura, Communications in Statistics A 7, 1978; Hurvich
and Tsai, Biometrika 76, 1989); ``exp(-delta/2)`` of the differences to the least one, divided by their sum, are the
weights of the models (Burnham and Anderson, Model Selection and Multimodel Inference, 2nd ed., 2002, section 2.9), and
the differences have the words of their section 2.6. Of two models where one is within the other F, or chi-square where
the variance is known or there is another likelihood, tells how probable chance makes as much gain.

Runs of residuals (Wald and Wolfowitz, Annals of Mathematical Statistics 11, 1940): where a model misses a curve,
neighbours lie on one side of it, and there are fewer runs of one sign than chance makes. Durbin and Watson (Biometrika
37, 1950): 2 where neighbours have nothing to do with each other, near 0 where they are alike, near 4 where they
alternate. Anderson and Darling (J. Amer. Statist. Assoc. 49, 1954) for the normal distribution of unknown mean and
variance, with the p of D'Agostino and Stephens (Goodness-of-Fit Techniques, 1986, table 4.9).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import pairwise
from math import comb, exp, fsum, inf, log, sqrt
from typing import TYPE_CHECKING

from gdcli.judge.distributions import chi_square_tail, f_tail, normal_tail
from gdcli.kernel.dataclass import NamedTuple

if TYPE_CHECKING:
    from gdcli.judge.statistics import FitStatistics


class Strength(Enum):
    """How strong the evidence for the best model is: the difference of AICc to the next one up to which it is that."""

    NONE = "none", 2.0
    WEAK = "weak", 4.0
    MODERATE = "moderate", 7.0
    STRONG = "strong", 10.0
    VERY_STRONG = "very strong", inf

    def __new__(cls, word: str, most: float) -> Strength:
        self = object.__new__(cls)
        self._value_, self.most = word, most
        return self

    most: float

    @classmethod
    def of(cls, delta: float) -> Strength:
        return next(one for one in cls if delta <= one.most)


def aicc(found: FitStatistics) -> float | None:
    """Return AICc; None without a likelihood, and where there are too few rows for it."""
    k, n, aic = found.estimated, found.rows, found.aic
    return None if aic is None or n - k - 1 <= 0 else aic + 2.0 * k * (k + 1) / (n - k - 1)


def akaike_weights(criteria: Sequence[float | None]) -> list[float | None]:
    """Return the weight of each model; None of those without a criterion."""
    known = [c for c in criteria if c is not None]
    if not known:
        return [None] * len(criteria)
    least = min(known)
    total = sum(exp(0.5 * (least - c)) for c in known)
    return [None if c is None else exp(0.5 * (least - c)) / total for c in criteria]


class GainTest(NamedTuple):
    """The test of a model within another one: ``kind`` is F, chi-square or likelihood-ratio.

    ``dof`` are the parameters that the larger one has more, ``left`` its residual degrees of freedom (None where the
    distribution is that of chi-square).
    """

    kind: str
    statistic: float
    dof: int
    left: int | None
    p: float


def gain_test(smaller: FitStatistics, larger: FitStatistics) -> GainTest | None:
    """Return the test of two fits to the same rows, the smaller within the larger; None where there is none for it."""
    dof = larger.errors.rank - smaller.errors.rank
    if dof <= 0:
        return None
    if smaller.rss is None or larger.rss is None:
        if smaller.log_likelihood is None or larger.log_likelihood is None:
            return None
        ratio = max(0.0, 2.0 * (larger.log_likelihood - smaller.log_likelihood))
        return GainTest("likelihood-ratio", ratio, dof, None, chi_square_tail(ratio, dof))
    gain, left = max(0.0, smaller.rss - larger.rss), larger.rows - larger.errors.rank
    if larger.errors.dof == inf:
        return GainTest("chi-square", gain, dof, None, chi_square_tail(gain, dof))
    if left <= 0 or not larger.rss > 0.0:
        return None
    statistic = (gain / dof) / (larger.rss / left)
    return GainTest("F", statistic, dof, left, f_tail(statistic, dof, left))


# For more residuals the number of runs is normal to all digits that matter.
_EXACT = 300
# A test of the distribution needs so many.
_FEWEST = 8


class Runs(NamedTuple):
    """How many runs of one sign there are, how many chance makes, and how probable it makes no more than these."""

    found: int
    expected: float
    p: float


def runs(residuals: Sequence[float]) -> Runs | None:
    """Return the runs of residuals in their order; None where all have one sign or are zero."""
    signs = [r > 0.0 for r in residuals if r != 0.0]
    above, below = sum(signs), len(signs) - sum(signs)
    if not above or not below:
        return None
    found = 1 + sum(a != b for a, b in pairwise(signs))
    n = above + below
    expected = 1.0 + 2.0 * above * below / n
    if n <= _EXACT:
        ways = sum(_ways(k, above, below) for k in range(2, found + 1))
        return Runs(found, expected, min(1.0, ways / comb(n, above)))
    variance = (expected - 1.0) * (expected - 2.0) / (n - 1.0)
    return Runs(found, expected, normal_tail((expected - found - 0.5) / sqrt(variance)))


def _ways(count: int, above: int, below: int) -> int:
    """In how many orders there are so many runs."""
    half = count // 2
    if count % 2 == 0:
        return 2 * comb(above - 1, half - 1) * comb(below - 1, half - 1)
    more = comb(above - 1, half) * comb(below - 1, half - 1)
    return more + comb(above - 1, half - 1) * comb(below - 1, half)


def durbin_watson(residuals: Sequence[float]) -> float | None:
    """Return the sum of the squared differences of neighbours over that of the squares; None where all are 0."""
    square = fsum(r * r for r in residuals)
    if not square > 0.0:
        return None
    return fsum((b - a) ** 2 for a, b in pairwise(residuals)) / square


class Normality(NamedTuple):
    """The statistic of Anderson and Darling, and how probable normal residuals make a larger one."""

    statistic: float
    p: float


def anderson_darling(residuals: Sequence[float]) -> Normality | None:
    """Return the test for a normal distribution; None of fewer than 8 residuals, and where all are equal."""
    n = len(residuals)
    if n < _FEWEST:
        return None
    mean = fsum(residuals) / n
    spread = sqrt(fsum((r - mean) ** 2 for r in residuals) / (n - 1))
    if not spread > 0.0:
        return None
    z = sorted((r - mean) / spread for r in residuals)
    tiny = 1e-300  # the tail of 37 standard deviations
    below = [log(max(tiny, normal_tail(-a))) for a in z]
    above = [log(max(tiny, normal_tail(a))) for a in z]
    total = fsum((2 * i + 1) * (below[i] + above[n - 1 - i]) for i in range(n))
    statistic = -n - total / n
    return Normality(statistic, _p_of(statistic * (1.0 + 0.75 / n + 2.25 / (n * n))))


def _p_of(a: float) -> float:
    """The p of the statistic that is corrected for the number of residuals."""
    if a < 0.2:
        return 1.0 - exp(-13.436 + 101.14 * a - 223.73 * a * a)
    if a < 0.34:
        return 1.0 - exp(-8.318 + 42.796 * a - 59.938 * a * a)
    if a < 0.6:
        return exp(0.9177 - 4.279 * a - 1.38 * a * a)
    return exp(1.2937 - 5.709 * a + 0.0186 * a * a) if a < 13.0 else 0.0
