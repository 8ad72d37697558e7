"""`gd compare-batch`: the book's comparison of batch, mini-batch and stochastic descent."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from gdcli.cli.fit_request import request_of
from gdcli.cli.option_values import ALL_ROWS
from gdcli.cli.options import SOLVER, EpochsOptions
from gdcli.kernel.budget import limited
from gdcli.kernel.errors import LimitError

if TYPE_CHECKING:
    from gdcli.cli.command_options import CompareBatchesOptions
    from gdcli.cli.environment import Environment


def run(options: CompareBatchesOptions, env: Environment) -> int:
    """Compare the batch sizes; 0 when it was done, whatever came of each."""
    request = request_of(options, env)
    from gdcli.cli.canvas import Canvas
    from gdcli.cli.output_file import Destination
    from gdcli.cli.provenance import stamped
    from gdcli.record.compared import batches_record
    from gdcli.render import batch_page
    from gdcli.render.comparison import write
    from gdcli.render.progress import Progress
    from gdcli.tasks.fit.compare_batches import compare_batches
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import FitSettings

    settings = FitSettings(**options.given(*SOLVER, EpochsOptions) | {"batch_size": None})
    sizes = [None if size == ALL_ROWS else size for size in options.batch_size or (1, 32, ALL_ROWS)]
    format = options.written_as
    stdin = env.stdin if "-" in request.files else None
    env.on_sigterm()
    with (
        Canvas(options, env, env.text_stream(options)) as canvas,
        Progress(env.free_terminal(format, options.output), clock=env.clock) as progress,
        ExitStack() as data,
    ):
        with Destination(options.output, env.stdout) as stream:
            timing = env.timing(options, stream)
            with limited(settings):
                made = prepared(request, stdin, progress.reading, progress.searching, settings.validate)
                ready = data.enter_context(made)
                compared = compare_batches(ready, settings, sizes, progress.epoch)
            progress.clear()
            found = stamped(batches_record(ready.problem, ready.row.space, compared), options)
            write(stream, format, found, batch_page.KIND, timing)
        canvas.draw(partial(batch_page.picture, found))
    env.tell_warnings(compared.warnings, env.warned(options, stream))
    stopped = compared.found.stopped
    if stopped is not None:
        return stopped.exit_code
    return LimitError.exit_code if compared.found.capped else 0
