"""`gd solve`: all roots of a system of equations within bounds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TextIO

from gdcli.cli.answer import Beside, expression_text
from gdcli.cli.options import StoppingOptions
from gdcli.cli.output_file import Destination
from gdcli.kernel.dataclass import replace
from gdcli.kernel.number_format import amount, thousands
from gdcli.record.roots import roots_record, table
from gdcli.render.tables import write_answer
from gdcli.tasks.root_finding import read_system, solve_system

if TYPE_CHECKING:
    from gdcli.cli.commands import SolveOptions
    from gdcli.cli.environment import Environment
    from gdcli.record.roots import RootsRecord
    from gdcli.render.formats import Format
    from gdcli.render.progress import Progress
    from gdcli.tasks.root_finding import Teller


def run(options: SolveOptions, env: Environment) -> int:
    from gdcli import api
    from gdcli.cli.provenance import receipt_of
    from gdcli.render.progress import Progress

    texts = [expression_text(text, env)[0] for text in (options.expression, *options.others)]
    equations = [line for text in texts for line in text.splitlines() if line.strip()]
    settings = api.Settings(**options.given(StoppingOptions))
    system = read_system(equations, options.bounds, options.set)
    with Beside(options, env, env.stdout) as beside, Destination(options.output, env.stdout) as stream:
        env.on_sigterm()
        timing = env.timing(options, stream)
        with Progress(env.free_terminal(options.written_as, options.output), env.clock) as waiting:
            keep = options.written_as.is_record or bool(options.report)
            found = roots_record(solve_system(system, settings, _teller(waiting), keep))
        if keep:
            found = replace(found, receipt=receipt_of(options, found.space.size))
        write(found, options.written_as, stream, timing)
        beside.write(lambda page, format: write(found, format, page, beside.timing))
        beside.finish(found, None)
    return found.exit_code


def _teller(waiting: Progress) -> Teller:
    def tell(examined: int, left: int, roots: int) -> None:
        waiting.begin("box", examined, None, f"{thousands(left)} left, {amount(roots, 'root')}")

    return tell


def write(found: RootsRecord, format: Format, stream: TextIO, timing: bool) -> None:
    from gdcli.render.roots_page import page

    write_answer(stream, format, found, partial(page, found, timing=timing), table, timing)
