"""What is proved of the roots of a system of equations, checked on the boxes of a cover, one by one.

Told is: no point of a box D outside of some boxes is a root, and the proved ones have exactly one each. It follows
where on every box of a cover of D an equation cannot hold, or Krawczyk's operator leaves no root, or where it lies in
a box that is told, or together with a proved one in a box on which no two points have the same values.
"""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.compile.interval_forms import (
    BoundedFunction,
    Krawczyk,
    Pair,
    derivatives,
    first_order,
    krawczyk,
    middle,
    widened,
)
from gdcli.judge.cover_tree import (
    WIDENINGS,
    Array,
    Settled,
    bisection,
    hulls_with_nearest,
    lie_in_told,
    second_axis,
)
from gdcli.kernel.dataclass import dataclass


@dataclass(slots=True)
class RootsCover:
    """Judges boxes of a box D by what is told of the roots of ``rows``: boxes ``low`` to ``high`` (n, k) may have
    some, of which those that are ``proved`` (k,) have exactly one.
    """

    rows: Sequence[BoundedFunction]
    low: Array
    high: Array
    proved: Array

    @property
    def faces(self) -> list[Pair]:
        return list(zip(self.low.T, self.high.T, strict=True))

    @property
    def is_square(self) -> bool:
        return len(self.rows) == len(self.low)

    def judge(self, low: Array, high: Array) -> Settled:
        """Return which boxes (n, m) are as they should be, and how to cut others."""
        import numpy as np

        with np.errstate(all="ignore"):
            width = high - low
            cut = np.stack([bisection(np.argmax(width, axis=0)), bisection(second_axis(width))])
            settled, at_face = lie_in_told(low, high, self.faces, self.proved)
            cut[0] = np.where(at_face > 0, at_face, cut[0])
            slopes = []
            for row in self.rows:
                found = row.evaluate(low, high, 1)
                slope = derivatives(found)[0]
                slopes.append(slope)
                center = middle(low, high)
                ends = first_order(low, high, center, row.evaluate(center, center, 0).value, slope)
                least, most = np.maximum(found.value[0], ends[0]), np.minimum(found.value[1], ends[1])
                settled |= (least > 0.0) | (most < 0.0) | found.empty
            if self.is_square:
                left = np.flatnonzero(~settled)
                jacobian = tuple(np.array([slope[k][:, left] for slope in slopes]) for k in (0, 1))
                found = self._krawczyk(low[:, left], high[:, left], (jacobian[0], jacobian[1]))
                nowhere = ((found.low > high[:, left]) | (found.high < low[:, left])).any(axis=0)
                settled[left[nowhere]] = True
                settled |= self._beside_proved(low, high, ~settled)
        return Settled(settled, *cut)

    def _krawczyk(self, low: Array, high: Array, jacobian: Pair) -> Krawczyk:
        import numpy as np

        center = middle(low, high)
        found = [row.evaluate(center, center, 0) for row in self.rows]
        values = tuple(np.array([np.where(f.defined, f.value[k], np.nan) for f in found]) for k in (0, 1))
        return krawczyk(low, high, center, (values[0], values[1]), jacobian)

    def _jacobian(self, low: Array, high: Array) -> Pair:
        import numpy as np

        slopes = [derivatives(row.evaluate(low, high, 1))[0] for row in self.rows]
        return np.array([slope[0] for slope in slopes]), np.array([slope[1] for slope in slopes])

    def _beside_proved(self, low: Array, high: Array, asked: Array) -> Array:
        """Return which boxes have together with a proved one no other root than that."""
        import numpy as np

        found = np.zeros(low.shape[1], bool)
        places, left = np.flatnonzero(self.proved), np.flatnonzero(asked)
        if not len(places) or not len(left):
            return found
        a, b = self.low[:, places], self.high[:, places]
        near, low, high = hulls_with_nearest(low[:, left], high[:, left], a, b)
        found[left[near]] = self._krawczyk(low, high, self._jacobian(low, high)).regular
        return found

    def has_one_root(self, low: Array, high: Array) -> Array:
        """Return of which boxes (n, k) it is proved that exactly one root lies in each."""
        import numpy as np

        if not self.is_square or not low.shape[1]:
            return np.zeros(low.shape[1], bool)
        with np.errstate(all="ignore"):
            return self._krawczyk(low, high, self._jacobian(low, high)).inside & (low < high).all(axis=0)

    def see(self) -> None:
        """Make boxes that are told as proved wide enough for that to be seen, and say so of the others."""
        for _ in range(WIDENINGS):
            seen = self.has_one_root(self.low, self.high)
            if seen[self.proved].all():
                break
            low, high = widened(self.low, self.high)
            more = self.proved & ~seen
            self.low[:, more], self.high[:, more] = low[:, more], high[:, more]
        self.proved &= self.has_one_root(self.low, self.high)
