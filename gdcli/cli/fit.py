"""`gd fit`: a model and data in, the parameters and what speaks for them out."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from gdcli.cli.minimize import expression_text, on_sigterm, tell_warnings
from gdcli.cli.options import settings as settings_of
from gdcli.errors import UsageError

if TYPE_CHECKING:
    from gdcli.fitting.request import FitRequest, FitSettings


def run(values: dict[str, Any]) -> int:
    """Fit, and write the answer and the files that were asked for."""
    if values["print"] and values["format"]:
        raise UsageError(
            "--print and --format exclude each other", "--print alone gives one tab-separated line"
        )
    request, settings = read(values)
    from gdcli.cli.destination import Destination
    from gdcli.cli.fit_files import Files
    from gdcli.cli.minimize import warned, writer_for
    from gdcli.fitting.prepare import prepared
    from gdcli.fitting.solve import solve

    on_sigterm()
    with prepared(request, None if sys.stdin is None else sys.stdin.buffer) as ready:
        files = Files(values, ready)
        with Destination(values["output"]) as stream:
            writer = writer_for(values, ready.problem, stream)
            outcome = solve(ready, settings, [writer])
            writer.finish(outcome)
        files.write(outcome)
    tell_warnings(outcome.warnings, seen=warned(values, stream))
    return outcome.status.exit_code


def read(values: dict[str, Any]) -> tuple[FitRequest, FitSettings]:
    """Return what is asked for, from the values of the command line."""
    text, source = expression_text(values["expression"])
    if source == "standard input" and "-" in values["files"]:
        raise UsageError("the model and the data cannot both come from standard input", "give one a file")
    if not values["files"] and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("there are no data", "name a file after the model, or - for standard input")
    from gdcli.fitting.request import FitRequest, FitSettings

    names = {field.name for field in fields(FitRequest)}
    asked: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in names and v is not None
    }
    asked |= {"model": text, "source": source, "constants": tuple(values["set"])}
    asked["files"] = tuple(values["files"]) or ("-",)
    of_epochs = ("batch_size", "epochs", "schedule", "shuffle", "validate", "polish")
    chosen = settings_of(values) | {name: values[name] for name in of_epochs if values[name] is not None}
    return FitRequest(**asked), FitSettings(**chosen)
