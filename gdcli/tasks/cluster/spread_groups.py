"""Fits to groups of rows on a cluster: the rows are read here, and go with their groups to the workers."""

from __future__ import annotations

import pickle
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import GdError, LimitError
from gdcli.table.blocks import Columns
from gdcli.tasks.cluster.worker_chunks import LOST, chunks_on, loaded
from gdcli.tasks.fit.fit_groups import GroupFit, fit_alone, fit_groups, of_group
from gdcli.tasks.fit.prepare import Plan
from gdcli.tasks.fit.prepare_groups import Grouped
from gdcli.tasks.fit.request import FitSettings

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
