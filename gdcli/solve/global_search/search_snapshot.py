"""A search over boxes as a checkpoint keeps it: the boxes that are left, the best point, how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import dataclass, stored
from gdcli.solve.global_search.box_list import Array, Boxes, no_boxes

if TYPE_CHECKING:
    from gdcli.kernel.status import StopReason
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.global_search.branch_and_bound import Search, State


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
