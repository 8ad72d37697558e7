"""`gd compare-batch`: the book's comparison of batch, mini-batch and stochastic descent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gdcli.cli.answer import fit_request
from gdcli.cli.comparing import Comparison, compared
from gdcli.cli.option_values import ALL_ROWS
from gdcli.cli.options import SOLVER, EpochsOptions
from gdcli.kernel.budget import limited
from gdcli.kernel.errors import LimitError

if TYPE_CHECKING:
    from gdcli.cli.commands import CompareBatchesOptions
    from gdcli.cli.environment import Environment
    from gdcli.tasks.fit.request import FitRequest


def run(options: CompareBatchesOptions, env: Environment) -> int:
    """Compare the batch sizes; 0 when it was done, whatever came of each."""
    return compared(options, env, partial(_compared, options, env, fit_request(options, env)))


def _compared(options: CompareBatchesOptions, env: Environment, request: FitRequest) -> Comparison:
    from gdcli.record.compared import batches_record
    from gdcli.render import batch_page
    from gdcli.render.progress import Progress
    from gdcli.tasks.batch_sizes import compare_batches
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import FitSettings

    settings = FitSettings(**options.given(*SOLVER, EpochsOptions) | {"batch_size": None})
    sizes = [None if size == ALL_ROWS else size for size in options.batch_size or (1, 32, ALL_ROWS)]
    stdin = env.stdin_for(request.files)
    terminal = env.free_terminal(options.written_as, options.output)
    with (
        Progress(terminal, clock=env.clock) as progress,
        limited(settings),
        prepared(request, settings, stdin, progress.reading, progress.searching) as ready,
    ):
        made = compare_batches(ready, settings, sizes, progress.epoch)
    found, stopped = batches_record(ready.problem, ready.row.space, made), made.found.stopped
    code = LimitError.exit_code if made.found.capped else 0
    code = code if stopped is None else stopped.exit_code
    return Comparison(found, batch_page.KIND, partial(batch_page.picture, found), made.warnings, code)
