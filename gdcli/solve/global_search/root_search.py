"""All roots of a system of equations in a box: each is enclosed and proved to be one, and no other point is.

A box is dropped where an equation cannot hold on it, or where Newton's step for all of its points leaves nothing; where
that step leads into the inside of a box, there is exactly one root in it (see
:mod:`gdcli.solve.global_search.interval_newton`). Else it is cut in two. Boxes that cannot be decided, around roots at
which the Jacobian is singular, end as points; of roots that fill a region, with wider boxes the more there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gdcli.compile.interval_forms import jacobian_of, middle, values_of
from gdcli.kernel.dataclass import NamedTuple, dataclass, field
from gdcli.kernel.numerics import EPS, TINY
from gdcli.kernel.vectors import np
from gdcli.solve.global_search.box_list import Array, Boxes, halves, no_boxes
from gdcli.solve.global_search.branch_and_bound import MOST_AT_ONCE
from gdcli.solve.global_search.interval_newton import cut_by_rows, newton
from gdcli.solve.global_search.minimiser_boxes import joined

if TYPE_CHECKING:
    from gdcli.compile.interval_program import IntervalProgram
    from gdcli.compile.propagation import Propagation

# By this part of its sides a box is made larger before Newton's step: a root at a face is inside then.
_LARGER = 0.1
# So many times the least width a box is made wider to each side at its end, and boxes around one root may be apart.
_WIDER = 16.0
# So many boxes that cannot be decided are more than rounding leaves around single roots, nor can anyone use them: they
# are joined, and others are cut down to so many times the width only.
MOST_UNDECIDED, _COARSER = 4_000, 16.0
# Newton's steps for the digits of a root, each of which doubles them.
_POLISHING = 12


class Root(NamedTuple):
    """A box ``low`` to ``high`` (n,) with exactly one root, the only one of a larger box ``around`` (2, n)."""

    low: Array
    high: Array
    around: Array


@dataclass(slots=True)
class RootState:
    """Boxes to be examined, boxes that cannot be decided, the roots, how many boxes were examined; ``is_coarse``: there
    were more than MOST_UNDECIDED that cannot be decided.
    """

    open: Boxes
    undecided: Boxes
    roots: list[Root] = field(default_factory=list)
    examined: int = 0
    is_coarse: bool = False


class RootSearch:
    """A search for the roots of ``rows``, functions of n variables, in the box ``low`` to ``high`` (n,).

    Boxes are not cut any more where their sides are shorter than ``tol`` of the variables, at least of the largest that
    a variable can be where the rows are zero (of 1 where that is more).
    """

    def __init__(
        self, rows: Sequence[IntervalProgram], holds: Propagation, low: Array, high: Array, tol: float
    ) -> None:
        self.rows, self.holds, self.tol = list(rows), holds, tol
        self.low, self.high = np.array(low, dtype=float), np.array(high, dtype=float)
        n = len(self.low)
        whole = Boxes(self.low[:, None].copy(), self.high[:, None].copy(), np.zeros(1))
        self.state = RootState(whole, no_boxes(n))
        self.sides = [(0.0, 0.0)] * len(self.rows)
        self.least = tol * np.minimum(self._largest(whole), 1.0)

    def _largest(self, whole: Boxes) -> Array:
        """Return how large each variable can be where the rows are zero, (n, 1)."""
        low, high, alive, _ = self.holds.contract(whole.low.copy(), whole.high.copy(), self.sides)
        return np.where(alive, np.maximum(np.abs(low), np.abs(high)), 1.0)

    @property
    def gap(self) -> Array:
        """The gaps (n, 1) between boxes around one root that cannot be decided, such as a double one."""
        return _WIDER * self.least

    @property
    def is_square(self) -> bool:
        return len(self.rows) == len(self.low)

    def run(self, go_on: Callable[[RootState], bool]) -> RootState:
        """Examine boxes until all are decided, or as long as ``go_on`` says."""
        while len(self.state.open) and go_on(self.state):
            self.step()
        return self.state

    def step(self) -> None:
        state = self.state
        chosen = state.open.where(np.arange(len(state.open)) >= len(state.open) - MOST_AT_ONCE)
        rest = state.open.where(np.arange(len(state.open)) < len(state.open) - MOST_AT_ONCE)
        left, roots, smear = self._examined(chosen)
        small = np.maximum(self.tol * np.maximum(np.abs(left.low), np.abs(left.high)), self.least)
        ready = (left.high - left.low <= np.maximum(small, TINY)).all(axis=0)
        last, more = self._inflated(left.where(ready), small[:, ready])
        undecided, roots = state.undecided.beside(last), roots + more
        left, _ = halves(left.where(~ready), smear[:, ~ready])
        state.examined += len(chosen)
        state.roots, state.undecided, state.open = state.roots + roots, undecided, rest.beside(left)
        self._without_known(roots)
        if len(state.undecided) > MOST_UNDECIDED:
            state.undecided, state.is_coarse = joined(state.undecided), True
            self.tol, self.least = _COARSER * self.tol, _COARSER * self.least

    def _without_known(self, roots: Sequence[Root]) -> None:
        """Drop boxes that lie where a root that is known is the only one."""
        state = self.state
        for root in roots:
            low, high = root.around[0][:, None], root.around[1][:, None]
            for boxes in (state.open, state.undecided):
                boxes.bounds[((boxes.low >= low) & (boxes.high <= high)).all(axis=0)] = np.inf
        state.open, state.undecided = (b.where(b.bounds < np.inf) for b in (state.open, state.undecided))

    def _examined(self, boxes: Boxes) -> tuple[Boxes, list[Root], Array]:
        low, high, alive, _ = self.holds.contract(boxes.low.copy(), boxes.high.copy(), self.sides)
        low, high, alive = cut_by_rows(self.rows, self.sides, low, high, alive)
        boxes = Boxes(low, high, boxes.bounds).where(alive)
        if not len(boxes):
            return boxes, [], boxes.low
        wide_low, wide_high = _larger(boxes.low, boxes.high)
        jacobian = jacobian_of(self.rows, wide_low, wide_high)
        with np.errstate(all="ignore"):
            slope = np.maximum(np.abs(jacobian[0]), np.abs(jacobian[1])) * (boxes.high - boxes.low)[None]
            slope = slope / slope.max(axis=1, keepdims=True)
        smear = np.where(np.isfinite(slope), slope, 1.0).max(axis=0) + 1e-6 * (boxes.high - boxes.low)
        if not self.is_square:
            return boxes, [], smear
        low, high, empty, inside = self._newton(wide_low, wide_high, jacobian)
        roots = self._roots(low, high, (wide_low, wide_high), inside & ~empty)
        low, high = np.maximum(low, boxes.low), np.minimum(high, boxes.high)
        kept = ~empty & ~inside & (low <= high).all(axis=0)
        return Boxes(low, high, boxes.bounds).where(kept), roots, smear[:, kept]

    def _inflated(self, boxes: Boxes, small: Array) -> tuple[Boxes, list[Root]]:
        """Return what cannot be decided of the smallest boxes, and the roots that wider boxes show.

        Beside the rounding of the values a box may be too narrow for Newton's step to lead inside (epsilon inflation:
        Rump, Verification methods, Acta Numerica 19, 2010).
        """
        if not (self.is_square and len(boxes)):
            return boxes, []
        wide = boxes.low - _WIDER * small, boxes.high + _WIDER * small
        low, high, empty, inside = self._newton(*wide, jacobian_of(self.rows, *wide))
        return boxes.where(~empty & ~inside), self._roots(low, high, wide, inside & ~empty)

    def _roots(self, low: Array, high: Array, wide: tuple[Array, Array], which: Array) -> list[Root]:
        """Return the roots, not known yet, to which Newton's step leads from the ``wide`` boxes."""
        found = [
            self._root(low[:, k], high[:, k], np.array([end[:, k] for end in wide]))
            for k in np.flatnonzero(which)
        ]
        every = [*self.state.roots, *(root for root in found if root is not None)]
        ends = np.array([(root.low, root.high) for root in every])
        around = np.array([root.around for root in every])
        first = len(self.state.roots)
        return [every[i] for i in range(first, len(every)) if not _is_known(ends, around, i)]

    def _newton(
        self, low: Array, high: Array, jacobian: tuple[Array, Array]
    ) -> tuple[Array, Array, Array, Array]:
        center = middle(low, high)
        every = np.ones_like(low, dtype=bool)
        return newton(low, high, center, values_of(self.rows, center), jacobian, every)

    def _root(self, low: Array, high: Array, around: Array) -> Root | None:
        """Return a root with all digits that it has; None where it lies outside of the bounds."""
        low, high = low[:, None], high[:, None]
        for _ in range(_POLISHING):
            new_low, new_high, empty, _ = self._newton(low, high, jacobian_of(self.rows, low, high))
            if empty[0] or not (new_high - new_low < 0.9 * (high - low)).any():
                break
            low, high = new_low, new_high
        low, high = low[:, 0], high[:, 0]
        if ((high < self.low) | (low > self.high)).any():
            return None
        return Root(np.maximum(low, self.low), np.minimum(high, self.high), around)


def _is_known(ends: Array, around: Array, i: int) -> bool:
    """Tell whether root i is one before it: one lies where the other is the only root; shapes (roots, 2, n)."""
    ours = (ends[i, 0] >= around[:i, 0]) & (ends[i, 1] <= around[:i, 1])
    theirs = (ends[:i, 0] >= around[i, 0]) & (ends[:i, 1] <= around[i, 1])
    return bool((ours.all(axis=1) | theirs.all(axis=1)).any())


def _larger(low: Array, high: Array) -> tuple[Array, Array]:
    room = _LARGER * (high - low) + 4.0 * EPS * np.maximum(np.abs(low), np.abs(high)) + TINY
    return low - room, high + room
