"""Searches over boxes on a cluster: rounds, in which shares of the boxes are searched on with the best value so far.

What the shares are and how far each is searched follows from the search alone: so does the answer, whoever is there.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import np
from gdcli.solve.global_search.box_list import Array, Boxes, no_boxes
from gdcli.solve.global_search.branch_and_bound import EXAMINER, Search, State
from gdcli.solve.settings import Settings
from gdcli.tasks.cluster.worker_chunks import LOST, Call, Chunks, chunks_on, loaded
from gdcli.tasks.global_minimum import check, search_of
from gdcli.tasks.problem import Problem

# Shares of a round, the boxes that each is given at least, and those that are examined of it before the next round.
_SHARES, _LEAST, _BOXES = 32, 32, 4096


class _Round(NamedTuple):
    """What a round begins with: the best value and its point, how far the search has come, its kind, the boxes to be
    examined of each share.
    """

    best: float
    point: Array
    examined: int
    local: int
    every: bool
    narrow: float
    most: int


class _Left(NamedTuple):
    open: Boxes
    done: Boxes
    best: float
    point: Array
    examined: int
    local: int


def examining(address: str | None, problem: Problem, settings: Settings) -> AbstractContextManager[None]:
    """Have `solve_globally` examine boxes at this ``address``, None: here. Raises as it, and as `examined_on`."""
    if address is None:
        return nullcontext()
    check(problem)  # before workers are awaited
    return examined_on(address, search_of, problem, settings)


@contextmanager
def examined_on(address: str, make: Callable[..., Search], *args: object) -> Iterator[None]:
    """Have searches examine their boxes, where there are many, in the workers of the cluster at ``address``.

    ``make(*args)`` makes the search there. Raises as `chunks_on`; the search raises Spent where the cluster is lost.
    """
    made = pickle.dumps(Call(make, args))
    begun: list[_Round] = []
    with chunks_on(address, _searched, lambda shares: (made, begun[-1])) as chunks:

        def examine(search: Search, go_on: Callable[[State], bool]) -> bool:
            state = search.state
            if len(state.open) < _SHARES * _LEAST:
                return False
            counts = state.examined, state.local
            begun[:] = [_Round(state.best, state.point, *counts, search.every, search.narrow, _BOXES)]
            try:
                _round(search, chunks, go_on)
            finally:
                chunks.cancel()
            return True

        mark = EXAMINER.set(examine)
        try:
            yield
        finally:
            EXAMINER.reset(mark)


def _round(search: Search, chunks: Chunks, go_on: Callable[[State], bool]) -> None:
    """Have the shares searched on, and take what they have become; nothing of them where the search is to end."""
    state, none = search.state, no_boxes(len(search.low))
    order = np.argsort(state.open.bounds, kind="stable")
    shares = [state.open.where(order[k::_SHARES]) for k in range(_SHARES)]
    state.taken, state.open = state.open, none
    found: list[_Left] = []
    for _, left in chunks.in_order(shares):
        if left is LOST:
            raise budget.Spent(budget.CLUSTER)
        found.append(left)
        if not go_on(state):
            state.open, state.taken = state.taken, none
            return
    for left in found:
        if left.best < state.best:
            state.best, state.point = left.best, left.point
    before = state.examined, state.local
    state.examined += sum(left.examined - before[0] for left in found)
    state.local += sum(left.local - before[1] for left in found)
    state.taken, state.open = none, none.beside(*(left.open for left in found))
    state.done = state.done.beside(*(left.done for left in found))
    state.rounds += 1
    if search.lagrangian is not None and state.point is not None:
        search.dual = search.lagrangian(state.point)
    search.settle()


def _searched(shares: Sequence[tuple[int, Boxes]], made: bytes, begun: _Round) -> list[_Left]:
    """Search shares on; what runs in a worker."""
    search: Search = loaded(made)
    search.every, search.narrow = begun.every, begun.narrow
    found = []
    for _, share in shares:
        none = no_boxes(len(search.low))
        search.state = state = State(
            share, none, none, begun.best, begun.point, begun.examined, 2, begun.local
        )
        search.dual = None
        if search.lagrangian is not None and begun.point is not None:
            search.dual = search.lagrangian(begun.point)
        search.run(lambda state: state.examined - begun.examined < begun.most)
        found.append(_Left(state.open, state.done, state.best, state.point, state.examined, state.local))
    return found
