"""Files opened as partitions: read here, or by the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from gdcli.kernel.errors import DataError, UsageError
from gdcli.objective.row_model import each_here
from gdcli.table.blocks import Layout
from gdcli.table.categories import Codes
from gdcli.table.partitions import Asked, Partition, levels_in, partitions_of
from gdcli.table.source import DataTable, expand, open_table
from gdcli.tasks.cluster.partitioned_rows import Here, PartitionedRows

if TYPE_CHECKING:
    from gdcli.tasks.fit.request import FitRequest

# What finds the levels of the categories that are asked for, in all partitions.
Leveling = Callable[[Asked], None]


@contextmanager
def partitioned(
    request: FitRequest,
    layout: Layout,
    ask: Callable[[DataTable, Leveling], Asked],
    watch: Callable[[Any], None] | None = None,
) -> Iterator[PartitionedRows]:
    """Give the rows of a fit in partitions.

    ``ask`` tells of the first file what must be read; ``watch`` is told how far the reading is. Raises UsageError for
    what cannot be read in partitions and for a cluster that cannot be used, DataError for the files.
    """
    if request.data is not None:
        raise UsageError("columns at hand have no partitions", "name files that the workers can see")
    files = expand(request.files)
    partitions = partitions_of(files, request.partitions)
    with open_table(files[:1], missing=request.missing, layout=layout) as table:
        if request.cluster is None:
            how = ask(table, partial(_find_levels, each_here, partitions))
            with PartitionedRows(how, Here(partitions, how), partitions) as rows:
                yield _checked(rows, files)
            return
        from gdcli.tasks.cluster.connection import connected
        from gdcli.tasks.cluster.crew import Crew
        from gdcli.tasks.cluster.worker_chunks import each_by

        with connected(request.cluster) as client:
            how = ask(table, partial(_find_levels, partial(each_by, client), partitions))
            crew = Crew(client, partitions, how, watch)
            with PartitionedRows(how, crew, partitions) as rows:
                yield _checked(rows, files)


def _find_levels(each: Callable[..., Iterator[Any]], partitions: list[Partition], how: Asked) -> None:
    """Let the categories of what is asked know the levels in all partitions."""
    assert how.derived is not None
    for found in each(levels_in, partitions, how):
        for text, levels in found.items():
            codes = how.derived.recipes[text]
            assert isinstance(codes, Codes)
            for level in levels:
                codes.found.setdefault(level, len(codes.found))


def _checked(rows: PartitionedRows, files: list[str]) -> PartitionedRows:
    if not rows.rows:
        name = files[0] if len(files) == 1 else f"each of the {len(files)} files"
        if rows.dropped:
            raise DataError(
                f"no row is left: of {rows.dropped} rows --rows keeps none", "look at what the cells say"
            )
        raise DataError(
            f"{name} has no rows that can be used", "below the header each line is a row of numbers"
        )
    return rows
