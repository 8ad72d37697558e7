"""A fit to groups with shared parameters made ready: the rows of each group in arrays, the start known, all checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from gdcli.kernel.dataclass import dataclass, replace
from gdcli.kernel.errors import DataError, DomainError, UsageError, did_you_mean
from gdcli.kernel.number_format import amount, label
from gdcli.kernel.vectors import Array, Space, np
from gdcli.objective.row_model import RowModel
from gdcli.table.blocks import Columns
from gdcli.table.source import DataTable
from gdcli.tasks.fit.data_checks import check_rows, check_start
from gdcli.tasks.fit.eliminated_groups import Block, EliminatedGroups, Layout
from gdcli.tasks.fit.fit_outcome import RowCount
from gdcli.tasks.fit.prepare_groups import Grouped, alike, grouped
from gdcli.tasks.fit.request import FitProblem, FitRequest, FitSettings, Searched
from gdcli.tasks.fit.start_values import search_start
from gdcli.tasks.problem import listed

# A start is searched for in all rows together, and in so many of the largest groups alone.
SEARCHED_GROUPS = 3


@dataclass(frozen=True, slots=True)
class SharedFit:
    """A fit that can be solved: the ``problem`` of the shared parameters, and ``groups`` with parameters of their own.

    ``labels`` are those of each group by column, ``sizes`` its rows, ``own_space`` names its own parameters.
    """

    problem: FitProblem
    row: RowModel
    groups: EliminatedGroups
    own_space: Space
    labels: Sequence[Mapping[str, Any]]
    sizes: Sequence[int]
    count: RowCount


@contextmanager
def prepared_shared(
    request: FitRequest,
    settings: FitSettings | None = None,
    stdin: BinaryIO | None = None,
    watch: Callable[[DataTable], None] | None = None,
    searching: Callable[[float], None] = lambda part: None,
) -> Iterator[SharedFit]:
    """Make a fit with shared parameters ready; it raises what `prepare.prepared` and `prepare_groups.grouped` do."""
    with grouped(request, settings, stdin, watch) as found:
        yield _ready(request, found, searching)


def check_share(request: FitRequest, names: Sequence[str], squares: bool) -> None:
    """Raise UsageError for shared parameters that are none, or all, and for what does not go with them."""
    for k, name in enumerate(request.share):
        if name not in names:
            hint = did_you_mean(name, names, f"the parameters are {', '.join(list(names)[:8])}")
            raise UsageError(f"--share: {name} is no parameter of the model", hint)
        if name in request.share[:k]:
            raise UsageError(f"--share names {name} twice", "once is enough")
    if set(request.share) == set(names):
        raise UsageError(
            f"--share names all parameters ({listed(list(names))}): that is one fit to all rows",
            "leave out --by and --share",
        )
    if not squares:
        raise UsageError("--share is for sums of squares", "leave out --loss, or write y ~ formula")
    if request.sigma_x:
        raise UsageError("--share does not go with --sigma-x", "leave out one of them")


def _ready(request: FitRequest, found: Grouped, searching: Callable[[float], None]) -> SharedFit:
    plan = found.plan
    problem, row, space = plan.problem, plan.row, plan.row.space
    check_share(request, space.names, row.residual is not None)
    _check_bounds(problem, request.share)
    if plan.settings.is_stochastic:
        raise UsageError(
            "--share is for fits that look at all rows at a time",
            "leave out --batch-size, --epochs and what goes with them",
        )
    own = [name for name in space.names if name not in request.share]
    layout = Layout(_places(space, own), _places(space, request.share))
    own_space, shared = (Space({n: space.lengths[n] for n in names}) for names in (own, request.share))
    _check_groups(found, own_space, space.size)
    check_rows(problem, row, found.data, found.place)
    blocks = _blocks(found)
    start, searched = problem.start, None
    if plan.searched:
        start, searched = _searched(found, layout, blocks, searching)
    else:
        check_start(problem, row, _without_groups(found.data), space.flatten(start), found.place)
    groups = _groups(shared, layout, blocks, space.flatten(start), len(found.keys))
    problem = replace(
        problem,
        start={name: start[name] for name in request.share},
        own_start={name: start[name] for name in own},
        by=tuple(found.columns),
        linear=False,
        searched=searched,
    )
    labels = [dict(zip(found.columns, map(label, key), strict=True)) for key in found.keys]
    return SharedFit(problem, row, groups, own_space, labels, found.sizes, found.all_rows)


def _places(space: Space, names: Sequence[str]) -> list[int]:
    return [space.offsets[n] + i for n in names for i in range(space.lengths[n] or 1)]


def _check_bounds(problem: FitProblem, share: Sequence[str]) -> None:
    own = [name for name in problem.bounds if name not in share]
    if own:
        raise UsageError(
            f"--bounds are for shared parameters here, and {own[0]} is one of each group's own",
            f"add {own[0]} to --share, or write the model so that it needs no bounds, as exp({own[0]}) for a size",
        )


def _check_groups(found: Grouped, own: Space, size: int) -> None:
    """Raise DataError for a group with a bad row, or with fewer rows than own parameters."""
    if not found.keys:
        raise DataError("there are no rows")
    for number, rows in enumerate(found.sizes):
        fault = found.left_out[number].fault
        if fault is not None:
            raise fault
        if rows < own.size:
            key = zip(found.columns, map(label, found.keys[number]), strict=True)
            name = ", ".join(f"{c} = {v}" for c, v in key)
            raise DataError(
                f"the group {name} has {amount(rows, 'row')}, too few for its own parameters, "
                f"{listed(list(own.names))}",
                "give it more rows, leave it out, or share more parameters",
            )
    rows, all_of_them = sum(found.sizes), len(found.keys) * own.size + size - own.size
    if rows < all_of_them:
        raise DataError(
            f"{rows} rows cannot tell {all_of_them} parameters, {own.size} of each of {len(found.keys)} groups",
            "give more rows, or share more parameters",
        )


def _without_groups(data: Columns) -> Columns:
    return Columns(data.names[:-1], data.take(0, data.rows)[:-1])


def _blocks(found: Grouped) -> list[Block]:
    """The groups in blocks of like sizes, with their rows side by side."""
    sizes = np.array(found.sizes)
    arrays, _ = found.rows(0, len(sizes))
    parts = alike(sizes, np.arange(len(sizes)))
    return [Block(found.residuals(arrays, found.starts[part], sizes[part]), part) for part in parts]


def _groups(
    shared: Space, layout: Layout, blocks: Sequence[Block], start: Sequence[float], count: int
) -> EliminatedGroups:
    own: Array = np.repeat(np.array([[start[i]] for i in layout.own]).reshape(-1, 1), count, axis=1)
    return EliminatedGroups(shared, layout, blocks, own)


def _searched(
    found: Grouped, layout: Layout, blocks: Sequence[Block], told: Callable[[float], None]
) -> tuple[Mapping[str, Any], Searched]:
    """Return the best of the starts found in all rows and in the largest groups, each tried on all groups."""
    plan = found.plan
    known = {entry.name: entry.value for entry in plan.given}
    largest = sorted(range(len(found.sizes)), key=lambda k: -found.sizes[k])[:SEARCHED_GROUPS]
    tables = [_without_groups(found.data)]
    for group in largest if len(found.sizes) > 1 else ():
        arrays, _ = found.rows(group, group + 1)
        tables.append(Columns(found.data.names[:-1], [array.copy() for array in arrays]))
    best, lowest, counts = None, float("inf"), [0, 0, 0]
    for k, table in enumerate(tables):

        def tell(part: float, k: int = k) -> None:
            told((k + part) / len(tables))

        try:
            one = search_start(plan.problem, plan.row, table, known, tell)
        except DomainError:
            if k + 1 == len(tables) and best is None:
                raise
            continue
        flat = plan.row.space.flatten(one.start)
        groups = _groups(Space({}), layout, blocks, flat, len(found.keys))
        total = groups.settle([flat[i] for i in layout.shared]).total
        counts = [a + b for a, b in zip(counts, one.searched[:3], strict=True)]
        if best is None or total < lowest:
            best, lowest = one.start, total
    assert best is not None
    return best, Searched(*counts)
