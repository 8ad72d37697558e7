"""`gd compare-batch`: the book's comparison of batch, mini-batch and stochastic descent."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from gdcli.cli.fit_request import request_of
from gdcli.cli.option_values import ALL_ROWS
from gdcli.kernel.budget import limited
from gdcli.kernel.dataclass import fields
from gdcli.kernel.errors import LimitError
from gdcli.render.formats import format_of

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment


def run(values: dict[str, Any], env: Environment) -> int:
    """Compare the batch sizes; 0 when it was done, whatever came of each."""
    request = request_of(values, env)
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

    names = {field.name for field in fields(FitSettings)} - {"batch_size"}
    settings = FitSettings(**{k: v for k, v in values.items() if k in names and v is not None})
    sizes = [None if size == ALL_ROWS else size for size in values["batch_size"] or (1, 32, ALL_ROWS)]
    format = format_of(values)
    stdin = env.stdin if "-" in request.files else None
    env.on_sigterm()
    with (
        Canvas(values, env) as canvas,
        Progress(env.free_terminal(values), clock=env.clock) as progress,
        ExitStack() as data,
    ):
        with Destination(values["output"], env.stdout) as stream:
            timing = env.timing(values, stream)
            with limited(settings):
                made = prepared(request, stdin, progress.reading, progress.searching, settings.validate)
                ready = data.enter_context(made)
                compared = compare_batches(ready, settings, sizes, progress.epoch)
            progress.clear()
            found = stamped(batches_record(ready.problem, ready.row.space, compared), values)
            write(stream, format, found, batch_page.KIND, timing)
        canvas.draw(partial(batch_page.picture, found))
    env.tell_warnings(compared.warnings, env.warned(values, stream))
    stopped = compared.found.stopped
    if stopped is not None:
        return stopped.exit_code
    return LimitError.exit_code if compared.found.capped else 0
