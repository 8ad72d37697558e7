"""The singular values of a Jacobian whose columns have length 1: which combinations of the parameters the data tell."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import REDUNDANT
from gdcli.kernel.vectors import Vec


class JacobianSpectrum(NamedTuple):
    """The parameters' columns of a Jacobian J: their lengths (p), the singular values (r) of J with columns of length
    1, and its right singular vectors V (r x p) in rows. A column without effect has no part in V.
    """

    columns: Vec
    S: Sequence[float]
    V: Sequence[Vec]

    @property
    def kept(self) -> list[bool]:
        """Which singular values are not zero."""
        least = REDUNDANT * max(self.S, default=0.0)
        return [least < s for s in self.S]


def effective(columns: Vec, x: Sequence[float]) -> list[bool]:
    """Tell of each parameter whether the fit depends on it by more than its rounding."""
    sizes = [abs(float(a)) for a in x]
    most = max(map(mul, columns, sizes), default=0.0) or 1.0
    # A parameter that is zero itself counts as one of size 1: nothing tells its unit.
    return [length * max(size, 1.0) > REDUNDANT * most for length, size in zip(columns, sizes, strict=True)]
