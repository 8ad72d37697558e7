"""What is left of a search: kept by a checkpoint, joined where boxes touch, and proved to hold exactly one minimum."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gdcli.compile.interval_forms import middle, widened
from gdcli.kernel.dataclass import dataclass, stored
from gdcli.kernel.vectors import np
from gdcli.solve.global_search.box_list import Array, Boxes, Model, no_boxes, quadratic_bound
from gdcli.solve.global_search.branch_and_bound import Search
from gdcli.solve.global_search.interval_newton import newton

if TYPE_CHECKING:
    from gdcli.kernel.status import StopReason
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.global_search.branch_and_bound import State

# Of more boxes those that are neighbours in the order of their places are taken together first.
_MOST = 3000
# Newton's steps on a box before it is said that nothing is proved of it.
_STEPS = 20
# A step is worth another one where it makes a side smaller by this.
_SMALLER = 0.5
# Boxes are one that are no farther apart than this, relative to their size: Newton's step cuts off a little.
_NEAR = 1e-9


def joined(boxes: Boxes, gap: Array | float = 0.0) -> Boxes:
    """Return boxes none of which touches another, around all ``boxes``; up to a ``gap`` (n, 1) apart they do."""
    order = np.lexsort(boxes.low[::-1])
    boxes = boxes.where(order)
    while len(boxes) > _MOST:
        boxes = _hulls(boxes, np.arange(len(boxes)) // 2)
    while True:
        groups = _touching(boxes, gap)
        if groups.max(initial=-1) + 1 == len(boxes):
            return boxes
        boxes = _hulls(boxes, groups)


def _hulls(boxes: Boxes, groups: Array) -> Boxes:
    """Return the hull of the boxes of each group, which are numbered from 0."""
    count = int(groups.max()) + 1
    n = len(boxes.low)
    low, high, bounds = np.full((n, count), np.inf), np.full((n, count), -np.inf), np.full(count, np.inf)
    np.minimum.at(bounds, groups, boxes.bounds)
    for i in range(n):
        np.minimum.at(low[i], groups, boxes.low[i])
        np.maximum.at(high[i], groups, boxes.high[i])
    return Boxes(low, high, bounds)


def _touching(boxes: Boxes, gap: Array | float) -> Array:
    """Return the number of the group that each box belongs to: those that touch, directly or by others between them."""
    count = len(boxes)
    near = np.ones((count, count), bool)
    rooms = np.maximum(_NEAR * np.maximum(np.abs(boxes.low), np.abs(boxes.high)), 0.5 * gap)
    for low, high, room in zip(boxes.low, boxes.high, rooms, strict=True):
        near &= low[:, None] - room[:, None] <= high[None, :] + room[None, :]
    near &= near.T
    groups = np.full(count, -1)
    found = 0
    for first in range(count):
        if groups[first] >= 0:
            continue
        members = np.zeros(count, bool)
        members[first] = True
        while True:
            more = near[members].any(axis=0)
            if not (more & ~members).any():
                break
            members |= more
        groups[members] = found
        found += 1
    return groups


def proved(search: Search, boxes: Boxes) -> tuple[Array, Array, Array]:
    """Return boxes (n, m), cut to where minimisers are, and of which it is proved that they hold exactly one, a strict
    one; no two of ``boxes`` touch.
    """
    found = [_proved(search, boxes.where([k])) for k in range(len(boxes))]
    nothing = np.zeros((len(boxes.low), 0))
    low, high = (np.concatenate([nothing, *(one[k] for one in found)], axis=1) for k in (0, 1))
    return low, high, np.array([one[2] for one in found], bool)


def _proved(search: Search, box: Boxes) -> tuple[Array, Array, bool]:
    """Prove that the function is convex on a box, and that a part of it has a stationary point.

    Where the function only rises from a bound on, that variable is at the bound.
    """
    unproved = box.low, box.high, False
    if not search.is_free(box):
        return unproved
    low, high = search.low[:, None], search.high[:, None]
    slope = search.on(box, 1).gradient
    at_low, at_high = (slope[0] > 0) & (box.low <= low), (slope[1] < 0) & (box.high >= high)
    box = Boxes(np.where(at_high, high, box.low), np.where(at_low, low, box.high), box.bounds)
    rows = ~(at_low | at_high) & (low < high)  # also where a search has cut a side to a single number
    if not (rows | at_low | at_high).all():
        return unproved
    if not rows.any():
        return box.low, box.high, True
    if not _is_convex(search, box, rows):
        return unproved
    inner = (~rows | ((box.low > low) & (box.high < high))).all()
    found = _stationary(search, box, rows)
    if found is None or not _is_convex(search, found, rows):
        return unproved
    # A minimiser that is not stationary is at a bound; one that is, is the one that was found.
    if inner or ((found.low >= box.low) & (found.high <= box.high)).all():
        return np.maximum(found.low, low), np.minimum(found.high, high), True
    return unproved


def _stationary(search: Search, box: Boxes, rows: Array) -> Boxes | None:
    """Return a box with exactly one stationary point, to which every one of ``box`` belongs; None where none is found.

    A search that has cut a box may have left the point at its side: boxes are made a little larger before each step,
    until there is proof.
    """
    is_proved = False
    for _ in range(_STEPS):
        ends = (box.low, box.high) if is_proved else widened(box.low, box.high)
        wide = Boxes(np.where(rows, ends[0], box.low), np.where(rows, ends[1], box.high), box.bounds)
        center = middle(wide.low, wide.high)
        slope = search.function.evaluate(center, center, 1).gradient
        hessian = search.function.evaluate(wide.low, wide.high, 2).hessian
        low, high, empty, inside = newton(wide.low, wide.high, center, slope, hessian, rows)
        if empty[0]:
            return None
        smaller = bool(((high - low) < _SMALLER * (box.high - box.low)).any())
        is_proved = is_proved or bool(inside[0])
        box = Boxes(low, high, box.bounds)
        if is_proved and not smaller:
            return box
    return box if is_proved else None


def _is_convex(search: Search, box: Boxes, rows: Array) -> bool:
    half = np.where(rows, 0.5, 0.0)  # of sides that are as short as may be the squares vanish
    flat, nothing = np.zeros_like(half), np.zeros(1)
    model = Model(-half, half, flat, (nothing, nothing), (flat, flat), search.on(box, 2).hessian)
    return bool(quadratic_bound(model)[2][0])


@stored()
@dataclass(frozen=True, slots=True)
class SearchSnapshot:
    """Boxes to be examined and boxes that are done: ends (n, m) and bounds (m,) of each; the rest as in a `State`."""

    open: tuple[Array, Array, Array]
    done: tuple[Array, Array, Array]
    best: float
    point: Array
    counts: tuple[int, int, int]
    seconds: float

    def told(self) -> dict[str, Any]:
        return {
            "state": "running",
            "iteration": self.counts[0],
            "minimised": self.best,
            "best": self.best,
            "seconds": self.seconds,
        }


def snapshot_of(search: Search, began: float) -> SearchSnapshot:
    """Return how a search stands; boxes that were being examined are to be examined again."""
    state = search.state
    left, done = state.open.beside(state.taken), state.done
    if search.narrow and not search.every:  # what is made smaller at the end begins again
        left, done = no_boxes(len(search.low)), done.beside(left)
    ends = [(boxes.low, boxes.high, boxes.bounds) for boxes in (left, done)]
    counts = state.examined, state.rounds, state.local
    return SearchSnapshot(ends[0], ends[1], state.best, state.point, counts, perf_counter() - began)


def restore(search: Search, kept: SearchSnapshot) -> None:
    state = search.state
    state.open, state.done = Boxes(*kept.open), Boxes(*kept.done)
    state.best, state.point = kept.best, kept.point
    state.examined, state.rounds, state.local = kept.counts
    if search.lagrangian is not None and state.point is not None:
        search.dual = search.lagrangian(state.point)
    if search.certain is not None and state.point is not None:
        search.is_held = search.certain(state.point) is not None


def run_kept(
    search: Search,
    go: Callable[[Callable[[State], bool]], StopReason | None],
    go_on: Callable[[State], bool],
    checkpointer: Checkpointer | None,
) -> StopReason | None:
    """Run a search by ``go``, which asks whether it may go on, kept by a checkpointer; return what stopped it."""
    if checkpointer is None:
        return go(go_on)
    kept = checkpointer.next(None)
    began = perf_counter() - (kept.seconds if kept is not None else 0.0)
    if kept is not None:
        restore(search, kept)
    checkpointer.begin(lambda: snapshot_of(search, began))
    reason = go(lambda state: not checkpointer.is_asked() and go_on(state))
    checkpointer.end(None)
    return checkpointer.asked or reason
