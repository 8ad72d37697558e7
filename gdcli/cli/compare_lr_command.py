"""`gd compare-lr`: the book's experiment with learning rates, on any function."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gdcli.cli.answer import typed_problem

if TYPE_CHECKING:
    from gdcli.cli.command_options import CompareRatesOptions
    from gdcli.cli.environment import Environment


def run(options: CompareRatesOptions, env: Environment) -> int:
    """Compare the rates; 0 when it was done, whatever the verdicts."""
    problem = typed_problem(options, env)
    from gdcli import api
    from gdcli.cli.canvas import Canvas
    from gdcli.cli.output_file import Destination
    from gdcli.cli.plot_option import rates_picture
    from gdcli.cli.provenance import stamped
    from gdcli.record.compared import rates_record
    from gdcli.render import rate_page
    from gdcli.render.comparison import write
    from gdcli.render.comparison_figures import RatePath

    format = options.written_as
    with Canvas(options, env, env.text_stream(options)) as canvas:
        with Destination(options.output, env.stdout) as stream:
            env.on_sigterm()
            steps = options.steps or 100
            engine, no_cache = options.engine or "auto", options.no_cache
            caps = options.max_time, options.max_memory
            found = api.compare_learning_rates(problem, options.lr or (), steps, engine, no_cache, *caps)
            write(stream, format, stamped(rates_record(found), options), rate_page.KIND, timing=False)
        paths = [RatePath(rate.lr, rate.verdict, found.values(rate)) for rate in found.found.rates]
        canvas.draw(partial(rates_picture, problem, paths, options.log_axes))
    env.tell_warnings(found.warnings, env.warned(options, stream))
    ended = found.found.ended and found.found.ended.status
    return 0 if ended is None else ended.exit_code
