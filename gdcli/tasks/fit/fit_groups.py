"""Fits to groups of rows: all plain ones at once, the others one by one, the answers in the order of the groups.

What is solved at once is a sum of squares without bounds by Levenberg-Marquardt, and of that the groups whose end is
beyond doubt; see :mod:`gdcli.solve.methods.batched_fits` and :mod:`gdcli.judge.batched_statistics`. Every other group
is solved as if its rows were all the data, so each group gets the verdict that it would get alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from gdcli.kernel.budget import limited
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import GdError, internal
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Array, np
from gdcli.objective.row_model import is_smooth
from gdcli.solve.methods.batched_fits import solve_many
from gdcli.solve.registry import METHODS
from gdcli.table.blocks import Label
from gdcli.tasks.fit.batched_outcomes import SolvedFits
from gdcli.tasks.fit.data_checks import ranges_of
from gdcli.tasks.fit.fit_outcome import FitOutcome, RowCount
from gdcli.tasks.fit.prepare_groups import Grouped, alike
from gdcli.tasks.fit.request import WALD, FitSettings
from gdcli.tasks.fit.solve_fit import LAST_DIGITS, solve

# Groups looked at together, and their rows: what is in memory at a time.
WINDOW, WINDOW_ROWS = 8192, 1 << 20
# Numbers of a column in a block that is solved at once, and its groups at most: the block should stay in the cache.
BLOCK, BLOCK_GROUPS = 80_000, 4096
# Larger groups keep numpy busy alone; more parameters make the loops over them long.
LARGEST, MOST_PARAMETERS = 4000, 10
# Seconds after which answers that are there are given.
PATIENCE = 0.5
# A group that takes more iterations is looked at alone.
MOST_ITERATIONS = 200


class GroupFit(NamedTuple):
    """The fit of one group: ``key`` has its labels in ``columns``, ``number`` counts from 0 in the order of the data.

    There is an ``outcome`` or the ``fault`` in its way. An outcome that was solved with many others is at place ``at``
    of ``solved``, and made when it is asked for.
    """

    number: int
    columns: tuple[str, ...]
    key: tuple[Label, ...]
    rows: RowCount
    fault: GdError | None = None
    alone: FitOutcome | None = None
    solved: SolvedFits | None = None
    at: int = 0

    @property
    def group(self) -> dict[str, Label]:
        return dict(zip(self.columns, self.key, strict=True))

    @property
    def outcome(self) -> FitOutcome | None:
        """The answer, None where there is a fault."""
        return self.alone if self.solved is None else self.solved.outcome(self.at, self.rows)

    @property
    def _ended(self) -> Status:
        return Status.CONVERGED if self.alone is None else self.alone.status

    @property
    def status(self) -> str:
        return self._ended.value if self.fault is None else self.fault.status

    @property
    def exit_code(self) -> int:
        return self._ended.exit_code if self.fault is None else self.fault.exit_code


def fit_groups(found: Grouped, settings: FitSettings | None = None) -> Iterator[list[GroupFit]]:
    """Yield the fits of all groups in their order, some at a time: thousands, or as many as half a second takes.

    Raises UsageError for a contradictory or unknown setting.
    """
    settings = settings or FitSettings()
    first, last = 0, len(found.keys)
    at_once = _is_plain(found, settings)
    while first < last:
        stop = min(last, first + WINDOW)
        while stop > first + 1 and found.starts[stop] - found.starts[first] > WINDOW_ROWS:
            stop = first + (stop - first) // 2
        yield from _window(found, settings, first, stop, at_once)
        first = stop


def _is_plain(found: Grouped, settings: FitSettings) -> bool:
    row, problem = found.plan.row, found.plan.problem
    asked = FitSettings(method=settings.method, max_iter=settings.max_iter, no_cache=settings.no_cache)
    return (
        settings == asked
        and settings.method in ("auto", "lm")
        and row.residual is not None
        and row.errors is None
        and row.space.size <= MOST_PARAMETERS
        and not problem.bounds
        and not found.plan.searched
        and not _asks_more(found)
        and is_smooth(row)
    )


def _window(
    found: Grouped, settings: FitSettings, first: int, stop: int, at_once: bool
) -> Iterator[list[GroupFit]]:
    answers: dict[int, GroupFit] = {}
    if at_once:
        for solved, groups in _at_once(found, settings, first, stop):
            for at, group in enumerate(groups):
                answers[group] = of_group(found, group)._replace(solved=solved, at=at)
    if len(answers) == stop - first:
        yield [answers[group] for group in range(first, stop)]
        return
    some: list[GroupFit] = []
    began = time.monotonic()
    for group in range(first, stop):
        some.append(answers[group] if group in answers else fit_alone(found, settings, group))
        if time.monotonic() - began > PATIENCE:
            yield some
            some, began = [], time.monotonic()
    if some:
        yield some


def of_group(found: Grouped, group: int) -> GroupFit:
    """Return what is known of the fit of a group before it is made."""
    return GroupFit(group, found.columns, found.keys[group], found.count(group))


def fit_alone(found: Grouped, settings: FitSettings, group: int) -> GroupFit:
    """Solve one group by itself; what is wrong with it is its answer."""
    known = of_group(found, group)
    try:
        with limited(settings):
            own = found.prepared(group)
            if _asks_more(found):
                return known._replace(alone=solve(own, settings, whole=True))
            return known._replace(alone=replace(solve(own, settings), ranges=ranges_of(own.row, own.data)))
    except GdError as fault:
        if fault.exit_code == 2:  # the same for all
            raise
        return known._replace(fault=fault)
    except Exception as fault:  # of one group: the others have their answers all the same
        return known._replace(fault=internal(fault))


def _asks_more(found: Grouped) -> bool:
    """Tell whether intervals or derived quantities are asked for, beyond what groups have that are solved together."""
    return bool(found.plan.problem.derive) or found.plan.problem.intervals != WALD


def _at_once(
    found: Grouped, settings: FitSettings, first: int, stop: int
) -> Iterator[tuple[SolvedFits, Sequence[int]]]:
    """Solve groups together; yield what is beyond doubt with the numbers of the groups."""
    arrays, _ = found.rows(first, stop)
    starts = found.starts[first : stop + 1] - found.starts[first]
    sizes = np.diff(starts)
    whole = np.array([found.left_out[group].fault is None for group in range(first, stop)])
    able = np.flatnonzero(whole & (sizes > found.plan.row.space.size) & (sizes <= LARGEST))
    for taken in alike(sizes, able, BLOCK, BLOCK_GROUPS):
        many = taken if len(taken) > 1 else np.repeat(taken, 2)  # sums over one alone have another order
        solved = _block(found, settings, arrays, starts[many], sizes[many])
        certain = solved.certain[solved.certain < len(taken)]
        if len(certain):
            yield solved, (first + taken[certain]).tolist()


def _block(
    found: Grouped, settings: FitSettings, arrays: Sequence[Any], starts: Array, sizes: Array
) -> SolvedFits:
    began = time.perf_counter()
    residuals = found.residuals(arrays, starts, sizes)
    x = found.plan.row.space.flatten(found.plan.problem.start)
    start = np.repeat(np.array([x]).T, len(sizes), axis=1)
    tol = LAST_DIGITS if settings.method == "auto" else METHODS["lm"].default_tol
    ends = solve_many(residuals, start, min(settings.most_iterations, MOST_ITERATIONS), tol)
    return SolvedFits.of(found.plan, settings, residuals, start, ends, sizes, time.perf_counter() - began)
