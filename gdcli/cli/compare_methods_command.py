"""`gd compare-methods`: one problem, several methods, one table."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gdcli.cli.answer import typed_problem
from gdcli.cli.options import SOLVER

if TYPE_CHECKING:
    from gdcli.cli.command_options import CompareMethodsOptions
    from gdcli.cli.environment import Environment


def run(options: CompareMethodsOptions, env: Environment) -> int:
    """Solve by each method; 0 when all had their turn, whatever came of it."""
    problem = typed_problem(options, env)
    from gdcli import api
    from gdcli.cli.canvas import Canvas
    from gdcli.cli.output_file import Destination
    from gdcli.cli.provenance import stamped
    from gdcli.record.compared import methods_record
    from gdcli.render import method_page
    from gdcli.render.comparison import write

    methods = options.method or ()
    settings = api.Settings(**options.given(*SOLVER) | {"method": "auto"})
    format = options.written_as
    with Canvas(options, env, env.text_stream(options)) as canvas:
        with Destination(options.output, env.stdout) as stream:
            timing = env.timing(options, stream)
            env.on_sigterm()
            runs = api.compare_methods(problem, methods, settings)
            found = stamped(methods_record(problem, runs), options)
            write(stream, format, found, method_page.KIND, timing)
        canvas.draw(partial(method_page.picture, found))
    env.tell_warnings(found.warnings, env.warned(options, stream))
    last = runs[-1].outcome
    return last.status.exit_code if last is not None and last.status.by_signal else 0
