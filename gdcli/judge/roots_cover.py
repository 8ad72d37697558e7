"""What is proved of the roots of a system of equations, checked on the boxes of a cover, one by one.

Told is: no point of a box D outside of some boxes is a root, and the proved ones have exactly one each. It follows
where on every box of a cover of D an equation cannot hold, or Krawczyk's operator leaves no root, or where it lies in
a box that is told, or together with a proved one in a box on which no two points have the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.compile.interval_forms import (
    BoundedFunction,
    Krawczyk,
    Pair,
    first_order,
    jacobian_of,
    krawczyk,
    middle,
    values_of,
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
from gdcli.kernel.vectors import np

if TYPE_CHECKING:
    from gdcli.compile.propagation import Propagation


# So many times a box is cut to where its roots can be.
_ROUNDS = 3


@dataclass(slots=True)
class RootsCover:
    """Judges boxes of a box D by what is told of the roots of ``rows``: boxes ``low`` to ``high`` (n, k) may have
    some, of which those that are ``proved`` (k,) have exactly one. ``holds`` passes on that all rows are 0.
    """

    rows: Sequence[BoundedFunction]
    holds: Propagation
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
        low, high, settled = low.copy(), high.copy(), np.zeros(low.shape[1], bool)
        varies = high - low
        with np.errstate(all="ignore"):
            for _ in range(_ROUNDS):
                left = np.flatnonzero(~settled)
                low[:, left], high[:, left], settled[left], varies[:, left] = self._cut(
                    low[:, left], high[:, left]
                )
            inside, at_face = lie_in_told(low, high, self.faces, self.proved)
            settled |= inside
            if self.is_square:
                settled |= self._beside_proved(low, high, ~settled)
        cut = np.stack([bisection(np.argmax(varies, axis=0)), bisection(second_axis(varies))])
        cut[0] = np.where(at_face > 0, at_face, cut[0])
        return Settled(settled, *cut)

    def _cut(self, low: Array, high: Array) -> tuple[Array, Array, Array, Array]:
        """Return the part of boxes (n, m) that has all their roots, which boxes have none, and how much rows vary along
        each axis, as a part of the most.
        """
        roots = [(0.0, 0.0)] * len(self.rows)
        new_low, new_high, alive, _ = self.holds.contract(low.copy(), high.copy(), roots)
        low, high = np.where(alive, new_low, low), np.where(alive, new_high, high)
        none, slopes, varies = ~alive, [], 1e-6 * (high - low)
        for row in self.rows:
            found = row.evaluate(low, high, 1)
            slopes.append(slope := found.gradient)
            share = np.maximum(np.abs(slope[0]), np.abs(slope[1])) * (high - low)
            share = share / share.max(axis=0)
            varies = np.maximum(varies, np.where(np.isfinite(share).all(axis=0), share, 0.0))
            center = middle(low, high)
            ends = first_order(low, high, center, row.evaluate(center, center, 0).value, slope)
            least, most = np.maximum(found.value[0], ends[0]), np.minimum(found.value[1], ends[1])
            none |= (least > 0.0) | (most < 0.0) | found.empty
        if self.is_square:
            jacobian = np.array([slope[0] for slope in slopes]), np.array([slope[1] for slope in slopes])
            at = self._krawczyk(low, high, jacobian)
            none |= ((at.low > high) | (at.high < low)).any(axis=0)
            low = np.where(none, low, np.maximum(low, at.low))
            high = np.where(none, high, np.minimum(high, at.high))
        return low, high, none, varies

    def _krawczyk(self, low: Array, high: Array, jacobian: Pair) -> Krawczyk:
        center = middle(low, high)
        return krawczyk(low, high, center, values_of(self.rows, center), jacobian)

    def _beside_proved(self, low: Array, high: Array, asked: Array) -> Array:
        """Return which boxes have together with a proved one no other root than that."""
        found = np.zeros(low.shape[1], bool)
        places, left = np.flatnonzero(self.proved), np.flatnonzero(asked)
        if not len(places) or not len(left):
            return found
        a, b = self.low[:, places], self.high[:, places]
        near, low, high = hulls_with_nearest(low[:, left], high[:, left], a, b)
        found[left[near]] = self._krawczyk(low, high, jacobian_of(self.rows, low, high)).regular
        return found

    def has_one_root(self, low: Array, high: Array) -> Array:
        """Return of which boxes (n, k) it is proved that exactly one root lies in each."""
        if not self.is_square or not low.shape[1]:
            return np.zeros(low.shape[1], bool)
        with np.errstate(all="ignore"):
            return self._krawczyk(low, high, jacobian_of(self.rows, low, high)).inside & (low < high).all(
                axis=0
            )

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
