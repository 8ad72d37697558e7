"""``--multi-start`` of minimisations: runs from many starts, here, or in the workers of a cluster (``--cluster``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gdcli.api import Outcome, Problem, Settings
    from gdcli.cli.commands import MinimizeOptions
    from gdcli.render.waiting import Waiting
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.iteration import Observer


def check_cluster(options: MinimizeOptions) -> None:
    """Raise UsageError where there is nothing that could be spread, or what is kept of runs here."""
    if options.multi_start is None:
        raise UsageError(
            "--cluster spreads many starts, and there is one", "add --multi-start 20, or --global"
        )
    if options.checkpoint:
        raise UsageError(
            "--checkpoint is for runs here, and those of --cluster are not", "leave out one of them"
        )


def solve(
    options: MinimizeOptions,
    problem: Problem,
    settings: Settings,
    observers: Sequence[Observer],
    checkpointer: Checkpointer | None = None,
    waiting: Waiting | None = None,
) -> Outcome:
    from gdcli.tasks.multi_start import solve_from_many, solve_from_many_on

    starts, formulas = options.multi_start or 1, options.show_gradient
    if options.cluster is None:
        return solve_from_many(problem, settings, starts, observers, formulas, checkpointer, waiting)
    return solve_from_many_on(options.cluster, problem, settings, starts, observers, formulas, waiting)
