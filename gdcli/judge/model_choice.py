"""Which of several models describes the same data best, and how sure that is.

AICc is Akaike's criterion with the correction for few rows (Sugiura, Communications in Statistics A 7, 1978; Hurvich
and Tsai, Biometrika 76, 1989); ``exp(-delta/2)`` of the differences to the least one, divided by their sum, are the
weights of the models (Burnham and Anderson, Model Selection and Multimodel Inference, 2nd ed., 2002, section 2.9), and
the differences have the words of their section 2.6. Of two models where one is within the other F, or chi-square where
the variance is known or there is another likelihood, tells how probable chance makes as much gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from math import exp, inf
from typing import TYPE_CHECKING

from gdcli.judge.distributions import chi_square_tail, f_tail
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
