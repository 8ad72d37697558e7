"""`gd compare-methods`: one problem, several methods, one table."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from gdcli.cli.answer import typed_problem
from gdcli.cli.options import settings as settings_of
from gdcli.render.formats import format_of

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment


def run(values: dict[str, Any], env: Environment) -> int:
    """Solve by each method; 0 when all had their turn, whatever came of it."""
    problem = typed_problem(values, env, "maximize" if values["maximize"] else "minimize")
    from gdcli import api
    from gdcli.cli.canvas import Canvas
    from gdcli.cli.output_file import Destination
    from gdcli.cli.provenance import stamped
    from gdcli.record.compared import methods_record
    from gdcli.render import method_page
    from gdcli.render.comparison import write

    methods = values["method"] or ()
    settings = api.Settings(**settings_of(values | {"method": None}))
    format = format_of(values)
    with Canvas(values, env) as canvas:
        with Destination(values["output"], env.stdout) as stream:
            timing = env.timing(values, stream)
            env.on_sigterm()
            runs = api.compare_methods(problem, methods, settings)
            found = stamped(methods_record(problem, runs), values)
            write(stream, format, found, method_page.KIND, timing)
        canvas.draw(partial(method_page.picture, found))
    env.tell_warnings(found.warnings, env.warned(values, stream))
    last = runs[-1].outcome
    return last.status.exit_code if last is not None and last.status.by_signal else 0
