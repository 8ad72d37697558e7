"""Files opened as partitions: read here, or by the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gdcli.kernel.budget import CLUSTER, Spent, no_answer
from gdcli.kernel.errors import DataError, UsageError
from gdcli.table.partitions import Asked, partitions_of
from gdcli.table.source import expand, open_table
from gdcli.tasks.cluster.partitioned_rows import Here, PartitionedRows

if TYPE_CHECKING:
    from gdcli.tasks.fit.request import FitRequest


@contextmanager
def partitioned(
    request: FitRequest,
    wanted_of: Callable[[Sequence[str]], tuple[str, ...]],
    use_cache: bool = True,
    watch: Callable[[Any], None] | None = None,
) -> Iterator[tuple[PartitionedRows, tuple[str, ...]]]:
    """Give the rows of a fit in partitions, and the names of the columns that there are.

    ``wanted_of`` says which of these must be read; ``watch`` is told how far the reading is. Raises UsageError for
    what cannot be read in partitions and for a cluster that cannot be used, DataError for the files.
    """
    if request.data is not None:
        raise UsageError("columns at hand have no partitions", "name files that the workers can see")
    files = expand(request.files)
    partitions = partitions_of(files, request.partitions)
    with open_table(files[:1]) as table:
        names = table.names
    wanted = wanted_of(names)
    how = Asked(wanted, request.missing, request.spool, use_cache)
    if request.cluster is None:
        with PartitionedRows(wanted, Here(partitions, how)) as rows:
            yield _checked(rows, files), names
        return
    from gdcli.tasks.cluster.address import connected
    from gdcli.tasks.cluster.crew import Crew

    try:
        with (
            connected(request.cluster) as client,
            PartitionedRows(wanted, Crew(client, partitions, how, watch)) as rows,
        ):
            yield _checked(rows, files), names
    except Spent as spent:
        if spent.reason != CLUSTER:
            raise
        raise no_answer(spent.reason) from None


def _checked(rows: PartitionedRows, files: list[str]) -> PartitionedRows:
    if not rows.rows:
        name = files[0] if len(files) == 1 else f"each of the {len(files)} files"
        raise DataError(
            f"{name} has no rows that can be used", "below the header each line is a row of numbers"
        )
    return rows
