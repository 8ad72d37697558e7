"""Branch and bound: the global minimum over a box, enclosed.

A list of boxes holds every global minimiser. A box is dropped where a lower bound of the function on it lies above the
least value known, or where it can hold no minimiser: the slope has one sign, the curvature along an axis is negative,
Newton's step finds no stationary point. What is left of it is cut in two where the value may vary most. See Hansen and
Walster, Global Optimization using Interval Analysis, 2nd ed., 2004; the bounds are in
:mod:`gdcli.solve.global_search.box_list`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from math import inf
from typing import TYPE_CHECKING

from gdcli.compile.interval_forms import BoundedFunction, is_negative_somewhere, middle, outward
from gdcli.kernel.dataclass import dataclass, field
from gdcli.kernel.vectors import np
from gdcli.solve.global_search.box_list import (
    Array,
    Boxes,
    Contracting,
    Interval,
    Model,
    balanced_center,
    halves,
    mean_value_bound,
    no_boxes,
    quadratic_bound,
    relaxed,
    smear_of,
)
from gdcli.solve.global_search.interval_newton import cut_by_rows, newton

if TYPE_CHECKING:
    from gdcli.compile.interval_program import Enclosed

# Boxes in one call of numpy, by numbers in a Hessian: what stays within a few megabytes.
_NUMBERS = 1 << 16
MOST_AT_ONCE = 4096
# Boxes are cut along two axes while there are so few that calls of numpy cost more than their work.
FEW = 128
# Boxes are points where their sides are so short, relative to their places; so many times they are cut to become such.
_NARROW, _REFINING = 1e-7, 30
# Places nearer to 0 than this part of the bounds are as far from it for that.
_ZERO = 1e-3
# Points a variable that are looked at when the first box did not end the search, and local searches from the best.
_SCATTERED, _BEST_OF_THEM = 64, 4
# So many boxes are examined for each local search, which costs about as much.
EACH = 100


@dataclass(slots=True)
class State:
    """How far a search has come: boxes to be examined, boxes that are done, the least value known and its point.

    ``taken`` are those that are being examined: an interrupt leaves them as they were.
    """

    open: Boxes
    done: Boxes
    taken: Boxes
    best: float = inf
    point: Array = None
    examined: int = 0
    rounds: int = 0
    local: int = 0

    @property
    def lower(self) -> float:
        ends = [float(b.bounds.min()) for b in (self.open, self.done, self.taken) if len(b)]
        return min([*ends, self.best])

    @property
    def left(self) -> Boxes:
        found = self.open.beside(self.done, self.taken)
        return found.where(found.bounds <= self.best)


@dataclass(slots=True)
class Search:
    """A search for the least value of ``function`` on a box ``low`` to ``high`` (n,).

    ``holds`` passes what is demanded of values on to the variables: its first root is the function, the others are
    constraints, the functions ``rows``, which are to lie within ``sides``, and count as such within ``slack`` of their
    size beyond while no point is known at which they hold for certain; ``lagrangian`` gives a function that is nowhere
    above it where they do, and near it at a point.
    ``certain`` gives a point next to one, and a bound of the least value, where it is sure that they hold next to it;
    ``is_held`` tells that this is so of the best point.
    ``local`` improves a point. ``tol`` is relative to the value, but absolute below 1.
    With ``every`` no box is dropped for its values: what is left holds every local minimum.
    """

    function: BoundedFunction
    holds: Contracting
    low: Array
    high: Array
    tol: float
    local: Callable[[Array], Array] | None = None
    sides: Sequence[tuple[float, float]] = ()
    slack: float = 0.0
    rows: Sequence[BoundedFunction] = ()
    lagrangian: Callable[[Array], BoundedFunction | None] | None = None
    certain: Callable[[Array], tuple[Array, float] | None] | None = None
    state: State = field(default_factory=lambda: State(no_boxes(1), no_boxes(1), no_boxes(1)))
    batch: int = 0
    narrow: float = 0.0
    every: bool = False
    dual: BoundedFunction | None = None
    is_held: bool = False

    def __post_init__(self) -> None:
        self.low, self.high = (np.array(end, dtype=float) for end in (self.low, self.high))
        n = len(self.low)
        whole = Boxes(self.low[:, None].copy(), self.high[:, None].copy(), np.array([-np.inf]))
        self.state = State(whole, no_boxes(n), no_boxes(n))
        self.narrow = _NARROW if self.every else 0.0
        self.batch = max(64, min(MOST_AT_ONCE, _NUMBERS // (n * n)))

    @property
    def gap(self) -> float:
        """What the bounds of the global minimum may differ by at the end."""
        if self.narrow or not np.isfinite(self.state.best):
            return 0.0
        return self.tol * max(1.0, abs(self.state.best))

    @property
    def is_over(self) -> bool:
        """Whether no box is left to examine; or many are, and the bounds can never meet, since a box that cannot be cut
        has none.
        """
        many = len(self.state.open) > self.batch and self.state.best < np.inf and not self.narrow
        return not len(self.state.open) or (many and bool((self.state.done.bounds == -np.inf).any()))

    def refine(self, go_on: Callable[[State], bool]) -> State:
        """Make what is left smaller, with bounds that met: for few boxes, which end as points or are dropped."""
        state = self.state
        self.narrow = _NARROW
        state.open, state.done = state.done, no_boxes(len(self.low))
        for _ in range(_REFINING):
            if self.is_over or len(state.open) + len(state.done) > FEW or not go_on(state):
                break
            self.step()
        return state

    def run(self, go_on: Callable[[State], bool]) -> State:
        """Examine boxes until none is left to examine, or as long as ``go_on`` says."""
        state, examine = self.state, EXAMINER.get()
        while not self.is_over and go_on(state):
            if examine is None or not examine(self, go_on):
                self.step()
        if self.is_over and state.point is None and self.local is not None and len(state.done):
            state.rounds = max(state.rounds, 2)  # no box is left to scatter points in
            self.improve(middle(state.done.low, state.done.high)[:, int(np.argmin(state.done.bounds))])
        return state

    def step(self) -> None:
        """Examine the boxes with the least bounds, and cut in two what is left of them."""
        state = self.state
        chosen = self._chosen()
        if state.rounds == 1 and self.local is not None:
            self._scatter()
        self._try_elsewhere(chosen)
        left, smear = self._examined(chosen)
        ready = (left.bounds >= state.best - self.gap) & (not self.narrow)
        ready |= (np.nextafter(left.low, left.high) >= left.high).all(axis=0)
        size = np.maximum(
            np.maximum(np.abs(left.low), np.abs(left.high)), _ZERO * (self.high - self.low)[:, None]
        )
        ready |= (left.high - left.low <= self.narrow * size).all(axis=0)
        done = state.done.beside(left.where(ready))
        left, smear = left.where(~ready), smear[:, ~ready]
        for _ in range(2 if 0 < len(left) < FEW and len(self.low) > 1 else 1):
            left, smear = halves(left, smear)
        state.examined += len(chosen)
        state.rounds += 1
        state.done, state.open, state.taken = done, state.open.beside(left), no_boxes(len(self.low))
        self.settle()

    def _chosen(self) -> Boxes:
        state = self.state
        boxes = state.open
        if len(boxes) <= self.batch:
            state.taken, state.open = boxes, no_boxes(len(self.low))
        else:
            endless = np.flatnonzero(boxes.bounds == -np.inf)
            is_deep = len(endless) > self.batch and state.best < np.inf and not self.every
            if is_deep:  # the latest first: a pole is soon reached
                taken = endless[-FEW // 2 :]
            else:
                taken = np.argpartition(boxes.bounds, self.batch)[: self.batch]
            chosen = np.zeros(len(boxes), bool)
            chosen[taken] = True
            state.taken, state.open = boxes.where(chosen), boxes.where(~chosen)
        return state.taken

    def settle(self) -> None:
        """Drop what lies above the best value; boxes that are near enough to it are done."""
        state = self.state
        rest = state.open.where(state.open.bounds <= state.best)
        ready = (rest.bounds >= state.best - self.gap) & (not self.narrow)
        done = state.done.where(state.done.bounds <= state.best).beside(rest.where(ready))
        state.done, state.open = done, rest.where(~ready)

    # -- a point -------------------------------------------------------------------------------------------------------

    def offer(self, points: Array) -> Interval:
        """Return the values at ``points`` (n, m), and keep the best of them; one that is better is improved on."""
        found = self.function.evaluate(points, points, 0)
        value: Interval
        value, known = found.value, self._feasible_values(points, found)
        k = int(np.argmin(known))
        if known[k] < self.state.best and not self.every:
            before = self.state.best
            self._accept(points[:, k])
            if self.local is not None and not before - self.state.best <= self.gap and value[0][k] > -np.inf:
                self.improve(points[:, k])
        return value

    def _feasible_values(self, points: Array, found: Enclosed, slack: float = 0.0) -> Array:
        """Return upper bounds of the values at points, infinite where there may be none or a constraint may not hold.

        A constraint may be broken by ``slack`` of the size of its sides.
        """
        known = np.where(found.defined & ~np.isnan(found.value[1]), found.value[1], np.inf)
        if self.sides:
            sides = relaxed(self.sides, slack)
            for (low, high), (least, most) in zip(self.holds.values(points, points)[1:], sides, strict=True):
                known = np.where((low >= least) & (high <= most), known, np.inf)
        return known

    def improve(self, x: Array) -> None:
        assert self.local is not None
        self.state.local += 1
        found = np.clip(np.asarray(self.local(x), float), self.low, self.high)
        better = self._accept(found) if np.isfinite(found).all() else 0.0
        if better > 0.0 and self.lagrangian is not None and (self.dual is None or better > self.gap):
            self.dual = self.lagrangian(self.state.point)

    def _accept(self, x: Array) -> float:
        """Keep a point, or one next to it, if it is the best; return by how much it is better."""
        x, high, held = self._held(x)
        better = self.state.best - high
        if better > 0.0:
            self.state.best, self.state.point, self.is_held = float(high), x.copy(), held
        return better

    def _held(self, x: Array) -> tuple[Array, float, bool]:
        """Return a point at ``x`` or next to it, what the least value is at most, infinite where constraints fail, and
        whether they hold for certain at some point next to it.

        Within the slack they count where no such point was found by the searches from scattered points.
        """

        at = x[:, None]
        found = self.certain(x) if self.certain is not None else None
        if found is not None:
            return *found, True
        slack = 0.0 if self.state.rounds <= 1 or self.is_held else self.slack
        values = self._feasible_values(at, self.function.evaluate(at, at, 0), slack)
        return x, float(values[0]), not slack

    def _scatter(self) -> None:
        """Search for a lower value from the best of many points, which lie evenly.

        They are multiples of the powers of one irrational number (Roberts 2018, a generalisation of the golden ratio).
        """
        n = len(self.low)
        ratio = 2.0
        for _ in range(60):
            ratio = (1.0 + ratio) ** (1.0 / (n + 1.0))
        steps = ratio ** -np.arange(1.0, n + 1.0)
        share = (0.5 + np.arange(_SCATTERED * n) * steps[:, None]) % 1.0
        points = self.low[:, None] + share * (self.high - self.low)[:, None]
        values = self._feasible_values(points, self.function.evaluate(points, points, 0))
        for k in np.argsort(values, kind="stable")[:_BEST_OF_THEM]:
            if np.isfinite(values[k]) or self.sides:
                self.improve(points[:, k])

    def _try_elsewhere(self, boxes: Boxes) -> None:
        """Search for a lower value from the best of the centres of some boxes, ever more rarely."""
        state = self.state
        if self.local is None or state.examined < EACH * state.local:
            return
        centers = middle(boxes.low, boxes.high)
        values = self._feasible_values(centers, self.function.evaluate(centers, centers, 0))
        k = int(np.argmin(values))
        if np.isfinite(values[k]):
            self.improve(centers[:, k])
        elif self.sides:  # a point where constraints do not hold may lead to one where they do
            self.improve(centers[:, int(np.argmin(boxes.bounds))])

    # -- a batch of boxes ----------------------------------------------------------------------------------------------

    def _examined(self, boxes: Boxes) -> tuple[Boxes, Array]:
        """Return what is left of boxes, with better bounds, and by how much the value may vary along each axis."""
        boxes, free = self._propagated(boxes)
        if not len(boxes):
            return boxes, boxes.low
        slope = self.on(boxes, 1).gradient
        boxes, slope, free = self._monotone(boxes, slope, free)
        smear = smear_of(boxes, slope)
        if not len(boxes):
            return boxes, smear
        center = balanced_center(boxes.low, boxes.high, *slope)
        value = self.offer(center)
        bound = mean_value_bound(boxes.low, boxes.high, center, value[0], *slope)
        boxes.bounds = np.maximum(boxes.bounds, bound)
        if self.dual is not None:
            boxes.bounds = np.maximum(boxes.bounds, self._dual_bounds(self.dual, boxes))
        kept = boxes.bounds <= self.state.best
        boxes, smear, free = boxes.where(kept), smear[:, kept], free[kept]
        ready = (boxes.bounds >= self.state.best - self.gap) & (not self.narrow)
        curved = (
            ~ready & np.isfinite(slope[0][:, kept]).all(axis=0) & np.isfinite(slope[1][:, kept]).all(axis=0)
        )
        if not curved.any():
            return boxes, smear
        return self._second_order(boxes, smear, curved, free)

    def on(self, boxes: Boxes, order: int) -> Enclosed:
        """Return what is known on boxes that are a little larger, within the bounds: on both sides of every face."""
        return self.function.evaluate(*outward(boxes.low, boxes.high, self.low, self.high), order)

    def _propagated(self, boxes: Boxes) -> tuple[Boxes, Array]:
        """Return what of boxes may hold better values, and on which of them all constraints surely hold."""
        sides = relaxed(self.sides, 0.0 if self.is_held else self.slack)
        demands = [(-np.inf, self.state.best), *sides]
        low, high, alive, found = self.holds.contract(boxes.low.copy(), boxes.high.copy(), demands)
        free = np.ones(len(boxes), bool)
        for ends, (least, most) in zip(found[1:], self.sides, strict=True):
            free &= (ends[0] > least) & (ends[1] < most)
        low, high, alive = cut_by_rows(self.rows, sides, low, high, alive)
        boxes = Boxes(low, high, np.fmax(boxes.bounds, found[0][0]))
        kept = alive & (boxes.bounds <= self.state.best)
        return boxes.where(kept), free[kept]

    def is_free(self, box: Boxes) -> bool:
        """Tell whether all constraints surely hold on a box, with their sides as they were given, without slack."""
        if not self.sides:
            return True
        found = self.holds.values(box.low, box.high)[1:]
        sides = zip(found, self.sides, strict=True)
        return all(bool((low > least).all() and (high < most).all()) for (low, high), (least, most) in sides)

    def _monotone(self, boxes: Boxes, slope: Interval, free: Array) -> tuple[Boxes, Interval, Array]:
        """Leave of a box on which the function rises along an axis the face where it is least."""
        low, high = boxes.low, boxes.high
        rises, falls = (slope[0] > 0) & free, (slope[1] < 0) & free
        inner = (rises & (low > self.low[:, None])) | (falls & (high < self.high[:, None]))
        inner &= low < high
        kept = ~inner.any(axis=0)
        new_high, new_low = np.where(rises, low, high), np.where(falls, high, low)
        left = Boxes(new_low, new_high, boxes.bounds).where(kept)
        return left, (slope[0][:, kept], slope[1][:, kept]), free[kept]

    def _dual_bounds(self, dual: BoundedFunction, boxes: Boxes) -> Array:
        center = middle(boxes.low, boxes.high)
        at_center = dual.evaluate(center, center, 1)
        hessian = dual.evaluate(boxes.low, boxes.high, 2).hessian
        model = Model(boxes.low, boxes.high, center, at_center.value, at_center.gradient, hessian)
        bound, _, convex = quadratic_bound(model)
        if convex.any():  # the tangent plane at the best point, or at the next one to it in the box
            low, high = boxes.low[:, convex], boxes.high[:, convex]
            at = np.clip(self.state.point[:, None], low, high)
            found = dual.evaluate(at, at, 1)
            better = mean_value_bound(low, high, at, found.value[0], *found.gradient)
            bound[convex] = np.maximum(bound[convex], better)
        return bound

    def _second_order(self, boxes: Boxes, smear: Array, curved: Array, free: Array) -> tuple[Boxes, Array]:
        rest, rest_smear = boxes.where(~curved), smear[:, ~curved]
        boxes, smear, free = boxes.where(curved), smear[:, curved], free[curved]
        hessian = self.on(boxes, 2).hessian
        boxes, kept = self._concave(boxes, hessian, free)
        kept = np.flatnonzero(kept)
        if self.every and len(boxes):
            inner = (boxes.low > self.low[:, None]) & (boxes.high < self.high[:, None]) & free[kept]
            held = ~is_negative_somewhere((hessian[0][:, :, kept], hessian[1][:, :, kept]), inner)
            boxes, kept = boxes.where(held), kept[held]
        if len(boxes):
            hessian = hessian[0][:, :, kept], hessian[1][:, :, kept]
            boxes, smear = self._modelled(boxes, smear[:, kept], hessian, free[kept])
        else:
            smear = smear[:, kept]
        return boxes.beside(rest), np.concatenate([smear, rest_smear], axis=1)

    def _concave(self, boxes: Boxes, hessian: Interval, free: Array) -> tuple[Boxes, Array]:
        """Leave of a box on which the function is concave along an axis its faces on the bounds of the search."""
        n = len(self.low)
        concave = (hessian[1][range(n), range(n)] < 0) & (boxes.low < boxes.high) & free
        at_low, at_high = boxes.low <= self.low[:, None], boxes.high >= self.high[:, None]
        kept = ~(concave & ~at_low & ~at_high).any(axis=0)
        new_high = np.where(concave & at_low & ~at_high, boxes.low, boxes.high)
        new_low = np.where(concave & at_high & ~at_low, boxes.high, boxes.low)
        return Boxes(new_low, new_high, boxes.bounds).where(kept), kept

    def _modelled(self, boxes: Boxes, smear: Array, hessian: Interval, free: Array) -> tuple[Boxes, Array]:
        center = middle(boxes.low, boxes.high)
        value, at_center = self.offer(center), self.function.evaluate(center, center, 1).gradient
        model = Model(boxes.low, boxes.high, center, value, at_center, hessian)
        bound, point, convex = quadratic_bound(model)
        boxes.bounds = np.maximum(boxes.bounds, bound)
        convex &= boxes.bounds < self.state.best - self.gap
        if convex.any():
            at = point[:, convex]
            found, slope = self.offer(at), self.function.evaluate(at, at, 1).gradient
            ends = boxes.low[:, convex], boxes.high[:, convex]
            better = mean_value_bound(*ends, at, found[0], *slope)
            boxes.bounds[convex] = np.maximum(boxes.bounds[convex], better)
        inner = (
            (boxes.low > self.low[:, None])
            & (boxes.high < self.high[:, None])
            & (boxes.low < boxes.high)
            & free
        )
        low, high, empty, _ = newton(boxes.low, boxes.high, center, at_center, hessian, inner)
        boxes = Boxes(low, high, boxes.bounds)
        kept = ~empty & (boxes.bounds <= self.state.best)
        return boxes.where(kept), smear[:, kept]


# Who examines boxes in the place of `Search.step`, and tells whether it did: the workers of a cluster.
EXAMINER: ContextVar[Callable[[Search, Callable[[State], bool]], bool] | None] = ContextVar(
    "examiner", default=None
)
