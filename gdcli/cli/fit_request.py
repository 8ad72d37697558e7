"""What is asked of a fit, from the options of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.cli.answer import expression_text
from gdcli.cli.checkpoint_option import job_of
from gdcli.cli.options import SOLVER, EpochsOptions, FitDataOptions, GroupsOptions, IntervalsOptions
from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from gdcli.cli.commands import CompareBatchesOptions, FitOptions
    from gdcli.cli.environment import Environment
    from gdcli.tasks.fit.request import FitRequest, FitSettings


def read(options: FitOptions, env: Environment) -> tuple[FitRequest, FitSettings]:
    request = job_of(options.resumed) or request_of(options, env)
    from gdcli.tasks.fit.request import FitSettings

    settings = FitSettings(**options.given(*SOLVER, EpochsOptions))
    settings.check()
    return request, settings


def request_of(options: FitOptions | CompareBatchesOptions, env: Environment) -> FitRequest:
    text, source = expression_text(options.expression, env)
    if source == "standard input" and (not options.files or "-" in options.files):
        raise UsageError("the model and the data cannot both come from standard input", "give one a file")
    if not options.files and not env.has_input:
        raise UsageError("there are no data", "name a file after the model, or - for standard input")
    from gdcli.solve.registry import find
    from gdcli.tasks.fit.request import FitRequest

    if options.method not in (None, "sgd"):
        find(options.method)  # an unknown one is told before the data are read
    asked = options.given(FitDataOptions, GroupsOptions, IntervalsOptions)
    asked["constants"] = asked.pop("set")
    files = tuple(options.files) or ("-",)
    return FitRequest(text, files, source=source, **asked)
