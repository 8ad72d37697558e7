"""What is proved of a global minimum, or of all roots, checked on the boxes of a cover, one by one.

Of a minimum it is told that the least value in a box D lies between ``lower`` and ``upper``, and no point outside of
some boxes attains it, of which the proved ones have exactly one minimum each. It follows where every box of a cover
of D

- has only values above ``upper``, or none (or constraints cannot hold on it); or
- has no minimum: along one axis the slope has one sign or the curvature is negative, or there is no stationary point;
  or
- has no value below ``lower``, and lies in a box that is told, or together with a proved one in a box on which the
  function is strictly convex, so that there is no other minimum.

Of a box at a bound of D towards which the value falls, only the face there counts. The least value is attained, or
approached at points that have none: then in a box of the first or the last kind. Without a search, and with nothing of
one: what is used are the rules of intervals.

Of a system of equations it is told that no point of D outside of some boxes is a root, and the proved ones have exactly
one each. It follows where on every box of a cover of D an equation cannot hold, or Krawczyk's operator leaves no root,
or where it lies in a box that is told, or together with a proved one in a box on which no two points have the same
values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

from gdcli.compile.interval_forms import (
    BoundedFunction,
    Krawczyk,
    Pair,
    first_order,
    is_negative_somewhere,
    is_positive_definite,
    jacobian_of,
    krawczyk,
    lowest_of_quadratics,
    middle,
    outward,
    second_order,
    values_of,
    widened,
)
from gdcli.judge.cover_tree import (
    WIDENINGS,
    Array,
    Settled,
    bisections,
    hulls_with_nearest,
    lie_in_told,
)
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.numerics import EPS
from gdcli.kernel.vectors import np

if TYPE_CHECKING:
    from gdcli.compile.propagation import Propagation

# Boxes that are not proved are made larger by this part of their sides, and at least by this part of the whole box.
_ROOM, _LEAST_ROOM = 0.1, 1e-12


class Told(NamedTuple):
    """What is told of a function to be minimised: the ends of its least value; boxes ``low`` to ``high``, (n, k), that
    may hold its minimisers, of which those that are ``proved`` (k,) have exactly one minimum.
    """

    lower: float
    upper: float
    low: Array
    high: Array
    proved: Array


class Demand(NamedTuple):
    """A function that is to lie between ``least`` and ``most``."""

    function: BoundedFunction
    least: float
    most: float


@dataclass(slots=True)
class _Boxes:
    """Boxes to be judged, by their places ``at`` among all; ``low`` to ``high`` is what of them counts."""

    at: Array
    low: Array
    high: Array
    bound: Array
    free: Array

    def where(self, kept: Array) -> _Boxes:
        return _Boxes(self.at[kept], self.low[:, kept], self.high[:, kept], self.bound[kept], self.free[kept])


_Test = Callable[[_Boxes, Array], tuple[_Boxes, Array]]


@dataclass(slots=True)
class GlobalCover:
    """Judges boxes of the box ``low`` to ``high`` (n,) by what is ``told`` of ``function``.

    ``holds``, if it is there, bounds functions as well (`gdcli.compile.propagation.Propagation`).
    ``lagrangian`` is nowhere above the function where the constraints hold. With ``every`` no value excludes a box:
    then it is all local minima that the boxes that are told hold.
    """

    function: BoundedFunction
    low: Array
    high: Array
    told: Told
    demands: Sequence[Demand] = ()
    lagrangian: BoundedFunction | None = None
    every: bool = False
    holds: Propagation | None = None

    def __post_init__(self) -> None:
        if self.every:
            self.told = self.told._replace(lower=-inf, upper=inf)

    @property
    def bounding(self) -> list[BoundedFunction]:
        return [self.function] if self.lagrangian is None else [self.function, self.lagrangian]

    @property
    def faces(self) -> list[tuple[Array, Array]]:
        return list(zip(self.told.low.T, self.told.high.T, strict=True))

    def judge(self, low: Array, high: Array) -> Settled:
        """Return which boxes (n, m) are as they should be, and how to cut others."""
        m = low.shape[1]
        settled = np.zeros(m, bool)
        width = high - low
        cut = bisections(width)
        with np.errstate(all="ignore"):
            boxes = _Boxes(np.arange(m), low, high, np.full(m, -inf), np.ones(m, bool))
            for test in (self._valued, self._sloped, self._curved):
                boxes = self._tested(test, boxes, settled, cut)
        return Settled(settled, *cut)

    def _tested(self, test: _Test, boxes: _Boxes, settled: Array, cut: Array) -> _Boxes:
        if not len(boxes.at):
            return boxes
        boxes, done = test(boxes, cut)
        done = done | (boxes.bound > self.told.upper) | self._is_told(boxes, cut)
        settled[boxes.at[done]] = True
        return boxes.where(~done)

    def _is_told(self, boxes: _Boxes, cut: Array) -> Array:
        """Return which boxes lie in one that is told and have no value below the least; others are cut at its faces."""
        found = np.zeros(len(boxes.at), bool)
        near = np.flatnonzero(boxes.bound >= self.told.lower)
        found[near], at_face = lie_in_told(
            boxes.low[:, near], boxes.high[:, near], self.faces, self.told.proved
        )
        cut[0, boxes.at[near]] = np.where(at_face > 0, at_face, cut[0, boxes.at[near]])
        return found

    # -- values and slopes ---------------------------------------------------------------------------------------------

    def _valued(self, boxes: _Boxes, cut: Array) -> tuple[_Boxes, Array]:
        found = self.function.evaluate(boxes.low, boxes.high, 0)
        boxes.bound, done = found.value[0], np.array(found.empty)
        if self.holds is not None:  # what is cut off has values above, or a constraint does not hold there
            demands = [(-inf, self.told.upper), *((one.least, one.most) for one in self.demands)]
            low, high, alive, values = self.holds.contract(boxes.low.copy(), boxes.high.copy(), demands)
            boxes.low, boxes.high = np.where(alive, low, boxes.low), np.where(alive, high, boxes.high)
            boxes.bound, done = np.maximum(boxes.bound, values[0][0]), done | ~alive
        low, high = self._around(boxes)
        for one in self.demands:
            value = one.function.evaluate(low, high, 1)
            center = middle(boxes.low, boxes.high)
            at = one.function.evaluate(center, center, 0).value
            ends = first_order(boxes.low, boxes.high, center, at, value.gradient)
            least, most = np.maximum(value.value[0], ends[0]), np.minimum(value.value[1], ends[1])
            done |= (least > one.most) | (most < one.least) | value.empty
            boxes.free &= (least > one.least) & (most < one.most) & value.defined
        return boxes, done

    def _around(self, boxes: _Boxes) -> Pair:
        return outward(boxes.low, boxes.high, self.low, self.high)

    def _sloped(self, boxes: _Boxes, cut: Array) -> tuple[_Boxes, Array]:
        found = [one.evaluate(*self._around(boxes), 1) for one in self.bounding]
        slopes = [one.gradient for one in found]
        slope = slopes[0]
        rises, falls = (slope[0] > 0.0) & boxes.free, (slope[1] < 0.0) & boxes.free
        done = (rises & (boxes.low > self.low[:, None])).any(axis=0)
        done |= (falls & (boxes.high < self.high[:, None])).any(axis=0)
        boxes.low, boxes.high = np.where(falls, boxes.high, boxes.low), np.where(rises, boxes.low, boxes.high)
        center = middle(boxes.low, boxes.high)
        for one, its_slope in zip(self.bounding, slopes, strict=True):
            at = one.evaluate(center, center, 0).value
            boxes.bound = np.maximum(
                boxes.bound, first_order(boxes.low, boxes.high, center, at, its_slope)[0]
            )
        self._prefer(boxes, slope, cut)
        return boxes, done

    def _prefer(self, boxes: _Boxes, slope: Pair, cut: Array) -> None:
        """Cut boxes along the axis along which the value may vary most, where that is known."""
        width = boxes.high - boxes.low
        varies = width * np.maximum(np.abs(slope[0]), np.abs(slope[1])) + 1e-9 * width
        known = np.isfinite(varies).all(axis=0) & (varies > 0.0).any(axis=0)
        varies = varies[:, known]
        cut[:, boxes.at[known]] = bisections(varies)

    # -- curvature -----------------------------------------------------------------------------------------------------

    def _curved(self, boxes: _Boxes, cut: Array) -> tuple[_Boxes, Array]:
        n, center = len(boxes.low), middle(boxes.low, boxes.high)
        inner = (boxes.low > self.low[:, None]) & (boxes.high < self.high[:, None]) & boxes.free
        done = np.zeros(len(boxes.at), bool)
        for one in self.bounding:
            hessian = one.evaluate(*self._around(boxes), 2).hessian
            at = one.evaluate(center, center, 1)
            bound = second_order(boxes.low, boxes.high, center, at.value, at.gradient, hessian)[0]
            boxes.bound = np.maximum(boxes.bound, bound)
            self._convex_bound(boxes, one, hessian, at.gradient)
            if one is not self.function:
                continue
            done |= ((hessian[1][range(n), range(n)] < 0.0) & (boxes.low < boxes.high) & inner).any(axis=0)
            if self.every:
                done |= is_negative_somewhere(hessian, inner & (boxes.low < boxes.high))
            stationary = krawczyk(boxes.low, boxes.high, center, at.gradient, hessian)
            nowhere = ((stationary.low > boxes.high) | (stationary.high < boxes.low)).any(axis=0)
            done |= nowhere & (inner | (boxes.low == boxes.high)).all(axis=0)
        return boxes, done | self._beside_proved(boxes)

    def _convex_bound(self, boxes: _Boxes, one: BoundedFunction, hessian: Pair, slope: Pair) -> None:
        convex = is_positive_definite(boxes.low, boxes.high, hessian)
        convex &= np.isfinite(slope[0]).all(axis=0) & np.isfinite(slope[1]).all(axis=0)
        if not convex.any():
            return
        low, high = boxes.low[:, convex], boxes.high[:, convex]
        matrix = (0.5 * hessian[0] + 0.5 * hessian[1])[:, :, convex]
        point = lowest_of_quadratics(low, high, 0.5 * (slope[0] + slope[1])[:, convex], matrix)
        for _ in range(2):
            at = one.evaluate(point, point, 1)
            bound = first_order(low, high, point, at.value, at.gradient)[0]
            boxes.bound[convex] = np.maximum(boxes.bound[convex], bound)
            point = lowest_of_quadratics(low, high, 0.5 * sum(at.gradient), matrix, point)

    def _beside_proved(self, boxes: _Boxes) -> Array:
        """Return which boxes, high enough, have together with a proved one no other minimum than that."""
        found = np.zeros(len(boxes.at), bool)
        places = np.flatnonzero(self.told.proved)
        near = np.flatnonzero((boxes.bound >= self.told.lower) & boxes.free)
        if not len(places) or not len(near):
            return found
        a, b = self.told.low[:, places], self.told.high[:, places]
        kept, low, high = hulls_with_nearest(boxes.low[:, near], boxes.high[:, near], a, b)
        near = near[kept]
        if not len(near):
            return found
        hessian = self.function.evaluate(*outward(low, high, self.low, self.high), 2).hessian
        found[near] = is_positive_definite(low, high, hessian)
        if self.demands:
            found[near] &= self._surely_free(low, high)
        return found

    def _surely_free(self, low: Array, high: Array) -> Array:
        free = np.ones(low.shape[1], bool)
        for one in self.demands:
            found = one.function.evaluate(low, high, 0)
            free &= found.defined & (found.value[0] > one.least) & (found.value[1] < one.most)
        return free

    # -- one minimum in a box ------------------------------------------------------------------------------------------

    def has_one_minimum(self, low: Array, high: Array) -> Array:
        """Return of which boxes (n, k) it is proved that exactly one minimum lies in each, a strict one.

        At a bound of the whole box the slope has one sign; in the other axes there is a stationary point, and the
        function is strictly convex.
        """
        if not low.shape[1]:
            return np.zeros(0, bool)
        with np.errstate(all="ignore"):
            wide = outward(low, high, self.low, self.high)
            around = self.function.evaluate(*wide, 2)
            slope, hessian = around.gradient, around.hessian
            at_low = (low == high) & (low == self.low[:, None]) & (slope[0] > 0.0)
            at_high = (low == high) & (high == self.high[:, None]) & (slope[1] < 0.0)
            held = at_low | at_high | (self.low == self.high)[:, None]
            free = (low > self.low[:, None]) & (high < self.high[:, None]) & (low < high)
            center = middle(low, high)
            at = self.function.evaluate(center, center, 1).gradient
            found = krawczyk(low, high, center, at, hessian)
            one = (held | free).all(axis=0) & found.inside & is_positive_definite(low, high, hessian)
            return one & (self._surely_free(*wide) if self.demands else True)

    def widened(self, low: Array, high: Array) -> tuple[Array, Array, Array]:
        """Return boxes around those (n, k) that have one minimum, and of which of them that is seen."""
        low, high = low.copy(), high.copy()
        seen = self.has_one_minimum(low, high)
        for _ in range(WIDENINGS):
            if seen.all():
                break
            wide, held = widened(low, high), seen | (low == high)
            low = np.where(held, low, np.maximum(wide[0], self.low[:, None]))
            high = np.where(held, high, np.minimum(wide[1], self.high[:, None]))
            seen = self.has_one_minimum(low, high)
        return low, high, seen

    def give_room(self) -> None:
        """Make the boxes that are told and not proved a little larger: what lies at their faces is decided then."""
        low, high, proved = self.told.low, self.told.high, self.told.proved
        size = np.maximum(np.abs(low), np.abs(high))
        room = _ROOM * (high - low) + 4.0 * EPS * size + _LEAST_ROOM * (self.high - self.low)[:, None]
        room = np.where(proved, 0.0, room)
        low[:], high[:] = (
            np.maximum(low - room, self.low[:, None]),
            np.minimum(high + room, self.high[:, None]),
        )


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
        cut = bisections(varies)
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
