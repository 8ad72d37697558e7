"""Batch sizes compared on the data of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import UsageError
from gdcli.tasks.batch_sizes import BatchComparison, compare_batch_sizes
from gdcli.tasks.fit.fit_epochs import descent_on
from gdcli.tasks.fit.solve_fit import with_engine

if TYPE_CHECKING:
    from gdcli.solve.epochs import ProgressHook
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitSettings


class Compared(NamedTuple):
    """What was compared and what is to be known of it; ``rows`` of the data, those held back included."""

    found: BatchComparison
    rows: int
    warnings: tuple[str, ...]


def compare_batches(
    prepared: Prepared,
    settings: FitSettings,
    sizes: Sequence[int | None],
    progress: ProgressHook | None = None,
) -> Compared:
    """Descend on the data of a fit with each of ``sizes`` (None: all rows). Raises UsageError for bad settings."""
    if settings.engine == "python" and None in sizes:
        raise UsageError(
            "the engine python is for steps by some of the rows, and 'all' is among the batch sizes",
            "leave it out: --batch-size 1,32",
        )
    # Each run is one by epochs, also where no option of the settings says so.
    prepared = with_engine(prepared, replace(settings, batch_size=1))
    descent, notes = descent_on(prepared, settings)
    found = compare_batch_sizes(descent, sizes, settings, progress=progress)
    if prepared.count.skipped:
        notes.append(prepared.count.told)
    return Compared(found, prepared.data.rows, tuple(notes))
