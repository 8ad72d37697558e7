"""A fit to groups of rows made ready: the data read once, the rows of each group found, each with its own faults.

All groups share the model, the options and the start; what they do not share is told group by group: a bad cell, too
few rows, a start without a finite loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from sys import maxsize
from typing import Any, BinaryIO

from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.errors import DataError
from gdcli.kernel.vectors import Array, np
from gdcli.objective.batched_residuals import GroupedResiduals
from gdcli.objective.row_programs import programs_of
from gdcli.table.blocks import Columns, Label, listed
from gdcli.table.row_groups import Groups, LeftOut
from gdcli.table.source import DataTable
from gdcli.tasks.fit.fit_outcome import RowCount
from gdcli.tasks.fit.prepare import Gathered, Plan, Prepared, gathered, read_request, ready
from gdcli.tasks.fit.request import FitRequest, FitSettings

# Groups of a block have sizes that differ by no more than this factor, so that little is filled up.
_LIKE = 1.25


@dataclass(frozen=True, slots=True)
class Grouped:
    """Rows in groups, numbered from 0 in the order in which the groups appear in the data.

    ``columns`` name what groups rows, ``keys`` has the labels of each group, ``sizes`` how many rows. ``starts`` tells
    which places in ``order`` have the numbers of its rows; without ``order`` these are the rows themselves. ``read``
    tells of rows that are in no group, as they are not asked for, and of the files.
    """

    plan: Plan
    columns: tuple[str, ...]
    keys: Sequence[tuple[Label, ...]]
    left_out: Sequence[LeftOut]
    data: Columns
    starts: Array
    sizes: Sequence[int]
    order: Array | None
    place: Callable[[int], str]
    read: RowCount = RowCount(0)

    def rows(self, first: int, last: int) -> tuple[list[Any], Any]:
        """Return the columns' arrays of the groups from ``first`` to before ``last``, group by group, and row numbers.

        They are valid until the next call.
        """
        low, high = int(self.starts[first]), int(self.starts[last])
        if self.order is None:
            return self.data.take(low, high)[:-1], np.arange(low, high)
        numbers = self.order[low:high].astype(np.int64)
        return self.data.pick(numbers)[:-1], numbers

    def residuals(self, arrays: Sequence[Array], starts: Array, sizes: Array) -> GroupedResiduals:
        """Return the residuals of groups with their rows side by side, shorter ones filled up with what does not count.

        In the ``arrays`` (see `rows`) the groups begin at ``starts`` (g,), and have ``sizes`` (g,).
        """
        steps = np.arange(sizes.max())[:, None]
        places = starts + np.minimum(steps, sizes - 1)
        counts = None if sizes.min() == sizes.max() else (steps < sizes) * 1.0
        row, names = self.plan.row, self.data.names
        columns = [arrays[names.index(name)][places] for name in row.columns]
        return GroupedResiduals(programs_of(row), columns, counts)

    @property
    def held_back(self) -> int:
        """How many rows of all groups are for validation alone; a group of one row has none to give."""
        from gdcli.table.shuffle import split

        part, seed = self.plan.settings.validate, self.plan.problem.seed
        return 0 if part is None else sum(split(n, part, seed)[1].size for n in self.sizes if n > 1)

    @property
    def all_rows(self) -> RowCount:
        """All rows that are used, those skipped with the places of the first, and what is told of the files."""
        skipped = sum(left.skipped for left in self.left_out)
        lines = tuple(place for left in self.left_out for place in left.places)[:10]
        used = int(self.starts[-1])
        return self.read._replace(used=used, skipped=skipped, lines=lines, held_back=self.held_back)

    def count(self, group: int) -> RowCount:
        left, used = self.left_out[group], self.sizes[group]
        return RowCount(used, left.skipped, left.places)

    def prepared(self, group: int) -> Prepared:
        """Return the fit of one group, as if its rows were all. Raises what is wrong with them."""
        count, left = self.count(group), self.left_out[group]
        if left.fault is not None:
            raise left.fault
        if not count.used:
            raise DataError(
                f"no row is left: all {count.skipped} have a missing or bad cell ({', '.join(count.lines[:3])}, ...)",
                "without --missing skip the first of them is shown",
            )
        arrays, numbers = self.rows(group, group + 1)
        own = Columns(self.data.names[:-1], listed([array.copy() for array in arrays]))
        return ready(self.plan, own, count, lambda row: self.place(int(numbers[row])))


def alike(
    sizes: Array, which: Array, most_numbers: int = maxsize, most_groups: int = maxsize
) -> Iterator[Array]:
    """Yield the groups ``which`` in blocks of like sizes, with so many numbers of a column, and groups, at most."""
    left = which[np.argsort(sizes[which], kind="stable")]
    while len(left):
        size = int(sizes[left[0]])
        like = int(np.searchsorted(sizes[left], _LIKE * size, side="right"))
        taken, left = np.split(left, [max(1, min(like, most_groups, most_numbers // size))])
        yield taken


@contextmanager
def grouped(
    request: FitRequest,
    settings: FitSettings | None = None,
    stdin: BinaryIO | None = None,
    watch: Callable[[DataTable], None] | None = None,
) -> Iterator[Grouped]:
    """Make a fit to groups ready, and remove what it left in temporary files at the end; as `prepare.prepared`.

    Raises DataError for what belongs to no group: no table, a row with too many cells, a missing label.
    """
    groups = Groups(request.by)
    with gathered([read_request(request, settings)], stdin, watch, groups) as rows:
        (asked,) = rows.fits
        yield _sorted(asked.plan(rows.names), groups, rows)


def _sorted(plan: Plan, groups: Groups, rows: Gathered) -> Grouped:
    ranked = groups.ranked()
    ranks = np.empty(len(ranked), dtype=np.int32)
    ranks[ranked] = np.arange(len(ranked), dtype=np.int32)
    members = [ranks[arrays[-1].astype(np.int64)] for _, arrays in rows.data.chunks()]
    number = np.concatenate(members) if members else np.zeros(0, dtype=np.int32)
    starts = np.concatenate(([0], np.cumsum(np.bincount(number, minlength=len(ranked)))))
    nothing = LeftOut()
    order = None if (np.diff(number) >= 0).all() else np.argsort(number, kind="stable")
    return Grouped(
        plan,
        groups.columns,
        [groups.keys[k] for k in ranked],
        [groups.left_out.get(k, nothing) for k in ranked],
        rows.data,
        starts,
        np.diff(starts).tolist(),
        order,
        rows.place,
        rows.counted,
    )
