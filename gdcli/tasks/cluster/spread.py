"""What is spread over the workers of a cluster: runs from many starts, fits to groups of rows, searches over boxes.

- Many starts: the runs go in the workers, and their ends come back in the order of the starts.
- Groups: the rows are read here, and go with their groups to the workers.
- Boxes: rounds, in which shares of the boxes are searched on with the best value so far. What the shares are and how
  far each is searched follows from the search alone: so does the answer, whoever is there.
"""

from __future__ import annotations

import pickle
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import GdError, LimitError, UsageError
from gdcli.kernel.vectors import np
from gdcli.solve.global_search.box_list import Array, Boxes, no_boxes
from gdcli.solve.global_search.branch_and_bound import EXAMINER, Search, State
from gdcli.solve.settings import Settings
from gdcli.table.blocks import Columns
from gdcli.tasks.cluster.worker_chunks import LOST, Call, Chunks, chunks_on, loaded
from gdcli.tasks.fit.fit_groups import GroupFit, fit_alone, fit_groups, of_group
from gdcli.tasks.fit.prepare import Plan
from gdcli.tasks.fit.prepare_groups import Grouped
from gdcli.tasks.fit.request import FitSettings
from gdcli.tasks.minimize import solve
from gdcli.tasks.pipeline import Outcome
from gdcli.tasks.problem import Problem

# What outcomes have in the place of their problem on their way, for it may be large.
_LEFT_OUT = Problem("")


def solved_on(
    address: str, problem: Problem, settings: Settings, starts: Iterator[Mapping[str, Any]]
) -> Generator[Outcome]:
    """Yield the outcome of the run from each of the starts, in their order.

    Raises UsageError for a cluster that cannot be used and for a function of Python, LimitError where the cluster is
    lost at once, Spent where it is later and where the time is over; else as `gdcli.tasks.minimize.solve`.
    """
    if problem.tree is None:
        raise UsageError("a function of Python is here alone, and workers cannot call it", "write it as text")
    done = 0
    try:
        with chunks_on(address, _ends, lambda items: (problem, settings, _time_left())) as chunks:
            for start, found in chunks.in_order(starts):
                yield _outcome(found, replace(problem, start=start), done + 1)
                done += 1
    except LimitError:
        if not done:
            raise
        raise budget.Spent(budget.CLUSTER) from None


def _time_left() -> float | None:
    """Return the seconds that are left, None without a cap."""
    limit = budget.current()
    return None if limit is None or limit.seconds == inf else max(1e-9, limit.left)


def _ends(
    numbered: Sequence[tuple[int, Mapping[str, Any]]],
    problem: Problem,
    settings: Settings,
    seconds: float | None,
) -> list[Outcome | str]:
    """Return the end of the run from each start, or the word of what was spent; what runs in a worker."""
    found: list[Outcome | str] = []
    with budget.limited(replace(settings, max_time=seconds)):
        for _, start in numbered:
            try:
                outcome = solve(replace(problem, start=start), settings)
            except budget.Spent as spent:
                found += [spent.reason] * (len(numbered) - len(found))
                break
            found.append(replace(outcome, problem=_LEFT_OUT))
    return found


def _outcome(found: Any, problem: Problem, number: int) -> Outcome:
    if found is LOST:
        raise LimitError(
            f"several workers ended while they solved start {number}", "it may have taken too much memory"
        )
    if isinstance(found, str):
        raise budget.Spent(found)
    outcome: Outcome = replace(found, problem=problem)
    return outcome


# Groups of a part, and rows of it at most. They follow from the data alone, not from the workers.
_FEWEST, _MOST, _ROWS = 16, 2048, 1 << 17
# So many parts there are at least, where there are enough groups: several for each thread of most clusters.
_PARTS = 256


# In the place of a plan, which is sent once for all groups of a part.
_BESIDE: Plan = None  # type: ignore[assignment]
_LOST = GdError(
    "several workers ended while they fitted it and its neighbours", "they may have taken too much memory"
)


class _PlaceAskedError(GdError):
    """Where a row stands is known here alone: what is wrong with its group is found out once more."""


def fits_on(address: str, found: Grouped, settings: FitSettings) -> Iterator[list[GroupFit]]:
    """Yield the fits of all groups in their order, as `fit_groups`, from the workers of the cluster at ``address``.

    Raises as that; UsageError for a cluster that cannot be used, LimitError where it is lost.
    """
    plan = found.plan
    asked = pickle.dumps((plan, settings))

    def shares(numbered: Sequence[tuple[int, tuple[int, int]]]) -> tuple[bytes, list[Grouped]]:
        return asked, [_part(found, *ends) for _, ends in numbered]

    def whole(fit: GroupFit, group: int) -> GroupFit:
        if isinstance(fit.fault, _PlaceAskedError):
            return fit_alone(found, settings, group)
        solved = fit.solved and replace(fit.solved, plan=plan)
        return of_group(found, group)._replace(fault=fit.fault, alone=fit.alone, solved=solved, at=fit.at)

    done = 0
    try:
        with chunks_on(address, _fitted, shares) as chunks:
            for (first, stop), fits in chunks.in_order(_parts(found)):
                if fits is LOST:
                    yield [of_group(found, group)._replace(fault=_LOST) for group in range(first, stop)]
                else:
                    yield [whole(fit, first + k) for k, fit in enumerate(fits)]
                done = stop
    except LimitError as fault:
        if not done:
            raise
        told = f"{fault.message.partition(' before ')[0]} after {done} of {len(found.keys)} groups"
        raise LimitError(told, fault.hint) from None


def _parts(found: Grouped) -> Iterator[tuple[int, int]]:
    """Yield the first group of each part, and the one after its last."""
    count, first = len(found.keys), 0
    most = max(_FEWEST, min(_MOST, count // _PARTS))
    while first < count:
        fit = bisect_right(found.starts, found.starts[first] + _ROWS) - 1
        stop = max(first + 1, min(first + most, fit, count))
        yield first, stop
        first = stop


def _part(found: Grouped, first: int, stop: int) -> Grouped:
    """Return some groups with copies of their rows, as all that there are, for one that knows their plan."""
    arrays, numbers = found.rows(first, stop)
    return Grouped(
        _BESIDE,
        (),
        [()] * (stop - first),
        found.left_out[first:stop],
        Columns(found.data.names, [*(array.copy() for array in arrays), numbers]),
        found.starts[first : stop + 1] - found.starts[first],
        found.sizes[first:stop],
        None,
        _asked_for,
    )


def _asked_for(row: int) -> str:
    raise _PlaceAskedError(f"where row {row} stands")


def _fitted(numbered: object, asked: bytes, shares: Sequence[Grouped]) -> list[list[GroupFit]]:
    """Return the fits to the groups of each share; what runs in a worker."""
    plan, settings = loaded(asked)
    found = []
    for share in shares:
        fits = [fit for some in fit_groups(replace(share, plan=plan), settings) for fit in some]
        found.append([fit._replace(solved=fit.solved and replace(fit.solved, plan=_BESIDE)) for fit in fits])
    return found


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
