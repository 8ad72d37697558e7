"""`gd compare-lr`: the book's experiment with learning rates, on any function."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gdcli.cli.answer import typed_problem
from gdcli.render.formats import format_of

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment


def run(values: dict[str, Any], env: Environment) -> int:
    """Compare the rates; 0 when it was done, whatever the verdicts."""
    problem = typed_problem(values, env, "maximize" if values["maximize"] else "minimize")
    from gdcli import api
    from gdcli.cli.canvas import Canvas, log_axes
    from gdcli.cli.output_file import Destination
    from gdcli.cli.plot_option import rates_picture
    from gdcli.cli.provenance import stamped
    from gdcli.record.compared import rates_record
    from gdcli.render import rate_page
    from gdcli.render.comparison import write
    from gdcli.render.comparison_figures import RatePath

    format = format_of(values)
    with Canvas(values, env) as canvas:
        with Destination(values["output"], env.stdout) as stream:
            env.on_sigterm()
            steps = 100 if values["steps"] is None else values["steps"]
            engine, no_cache = values["engine"] or "auto", values["no_cache"]
            caps = values["max_time"], values["max_memory"]
            found = api.compare_learning_rates(problem, values["lr"] or (), steps, engine, no_cache, *caps)
            write(stream, format, stamped(rates_record(found), values), rate_page.KIND, timing=False)
        paths = [RatePath(rate.lr, rate.verdict, found.values(rate)) for rate in found.found.rates]
        canvas.draw(partial(rates_picture, problem, paths, log_axes(values)))
    env.tell_warnings(found.warnings, env.warned(values, stream))
    ended = found.found.ended and found.found.ended.status
    return 0 if ended is None else ended.exit_code
