"""`gd gradient`: a gradient in every way, with its errors; or step by step."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, cast

from gdcli.cli.answer import Beside, expression_text
from gdcli.cli.environment import interrupted
from gdcli.cli.output_file import Destination
from gdcli.kernel.budget import limited
from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from gdcli.cli.commands import GradientOptions
    from gdcli.cli.environment import Environment
    from gdcli.record.gradients import GradientRecord, TraceRecord
    from gdcli.render.formats import Format
    from gdcli.tasks.problem import Problem


_PARTS = ("hessian", "errors", "latex", "trace")


def run(options: GradientOptions, env: Environment) -> int:
    """Run ``gd gradient``; 9 where the ways disagree."""
    _check(options)
    text, source = expression_text(options.expression, env)
    from gdcli import api
    from gdcli.cli.plot_option import errors_picture, estimate
    from gdcli.record.gradients import GradientRecord, gradient_record
    from gdcli.tasks.gradient_check import Wanted

    caps = api.Settings(max_time=options.max_time, max_memory=options.max_memory)
    if options.plot_estimate:
        with interrupted(caps):
            estimate(options.plot_estimate, options, env, text, source)
        return 0
    with limited(caps):
        problem = _problem(options, text, source)
    with Beside(options, env, env.text_stream(options)) as beside:
        with Destination(options.output, env.stdout) as stream:
            env.on_sigterm()
            wanted = Wanted(options.h, options.hessian, options.errors, options.latex, options.trace)
            with interrupted(caps):
                found = api.examine(problem, wanted)
            record = gradient_record(found)
            write(record, options.written_as, stream)
        beside.write(lambda page, format: write(record, format, page))
        drawn = isinstance(record, GradientRecord) and record.errors
        beside.finish(record, partial(errors_picture, cast("GradientRecord", record)) if drawn else None)
    return int(found.exit_code)


def _check(options: GradientOptions) -> None:
    if options.plot_estimate:
        others = [
            f"--{name}"
            for name in ("at", *_PARTS, "plot", "format", "output", "report")
            if getattr(options, name)
        ]
        if others:
            raise UsageError(
                f"--plot-estimate draws a range of points, nothing else, and does not read {others[0]}",
                f"leave out --plot-estimate or {others[0]}",
            )
        return
    if options.range:
        raise UsageError("--range belongs to --plot-estimate", "for example --plot-estimate estimate.png")
    if options.plot and not options.errors:
        raise UsageError("--plot draws what --errors finds", "add --errors")
    if not options.at:
        raise UsageError("--at is missing: a gradient is computed at a point", "for example --at x=1,y=2")
    if options.trace:
        others = [f"--{name}" for name in ("h", "hessian", "errors", "latex") if getattr(options, name)]
        if others:
            raise UsageError(
                f"--trace shows the steps alone and does not read {others[0]}",
                f"leave out --trace or {others[0]}",
            )


def _problem(options: GradientOptions, text: str, source: str) -> Problem:
    """The point as a problem; what is wrong with it is said of --at."""
    from gdcli import api

    try:
        typed = api.TypedTexts(let=options.let)
        return api.read_problem(text, "minimize", options.at, options.set, options.seed or 0, source, typed)
    except UsageError as error:
        message, hint = (part.replace("--start", "--at") for part in (error.message, error.hint))
        span = error.span
        if span is not None and span.source == "--start":
            span = span._replace(source="--at")
        raise UsageError(message, hint, span) from None


def write(found: GradientRecord | TraceRecord, format: Format, stream: TextIO) -> None:
    from gdcli.record.gradients import TraceRecord, table
    from gdcli.render.gradient_page import page, trace_page
    from gdcli.render.tables import write_answer

    laid_out: Any = trace_page if isinstance(found, TraceRecord) else page
    write_answer(stream, format, found, partial(laid_out, found), table)
