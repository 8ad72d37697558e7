"""What is asked of a fit, from the values of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdcli.cli.answer import expression_text
from gdcli.cli.checkpoint_option import job_of
from gdcli.cli.options import settings as settings_of
from gdcli.kernel.dataclass import fields
from gdcli.kernel.errors import UsageError

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment
    from gdcli.tasks.fit.request import FitRequest, FitSettings


def read(values: dict[str, Any], env: Environment) -> tuple[FitRequest, FitSettings]:
    request = job_of(values) or request_of(values, env)
    of_epochs = ("batch_size", "epochs", "schedule", "shuffle", "validate", "polish")
    chosen = settings_of(values) | {name: values[name] for name in of_epochs if values[name] is not None}
    from gdcli.tasks.fit.request import FitSettings

    settings = FitSettings(**chosen)
    settings.check()
    return request, settings


def request_of(values: dict[str, Any], env: Environment) -> FitRequest:
    text, source = expression_text(values["expression"], env)
    if source == "standard input" and (not values["files"] or "-" in values["files"]):
        raise UsageError("the model and the data cannot both come from standard input", "give one a file")
    if not values["files"] and not env.has_input:
        raise UsageError("there are no data", "name a file after the model, or - for standard input")
    from gdcli.solve.registry import find
    from gdcli.tasks.fit.request import FitRequest

    if values["method"] not in (None, "sgd"):
        find(values["method"])  # an unknown one is told before the data are read
    names = {field.name for field in fields(FitRequest)}
    asked: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in names and v is not None
    }
    asked |= {"model": text, "source": source, "constants": tuple(values["set"])}
    asked["files"] = tuple(values["files"]) or ("-",)
    return FitRequest(**asked)
