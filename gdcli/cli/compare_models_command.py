"""`gd compare-models`: several models of the same data, one table, one verdict."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gdcli.cli.answer import expression_text
from gdcli.cli.comparing import Comparison, compared
from gdcli.cli.option_values import ALL_ROWS
from gdcli.cli.options import SOLVER, DataOptions, StoppingOptions
from gdcli.kernel.budget import limited
from gdcli.kernel.errors import Span, UsageError

if TYPE_CHECKING:
    from gdcli.cli.commands import CompareModelsOptions
    from gdcli.cli.environment import Environment
    from gdcli.tasks.fit.request import FitRequest

_EXAMPLE = "gd compare-models data.csv --model 'y ~ a + b*x' --model 'y ~ a*exp(b*x)'"


def run(options: CompareModelsOptions, env: Environment) -> int:
    return compared(options, env, partial(_compared, options, env, requests_of(options, env)))


def requests_of(options: CompareModelsOptions, env: Environment) -> list[FitRequest]:
    from gdcli.tasks.fit.request import FitRequest

    if len(options.model) < 2:
        raise UsageError("a comparison takes two models or more, each after --model", _EXAMPLE)
    if not options.files and not env.has_input:
        raise UsageError("there are no data", "name a file, or - for standard input")
    asked = options.given(DataOptions)
    asked["constants"] = asked.pop("set")
    asked.setdefault("loss", None)
    files = tuple(options.files) or ("-",)
    found = []
    for typed in options.model:
        if typed == "-":
            raise UsageError("a model cannot come from standard input here", "@FILE reads it from a file")
        text, source = expression_text(typed, env)
        found.append(FitRequest(text, files, source=source, **asked))
    return found


def nested_pairs(texts: tuple[str, ...] | list[str]) -> list[tuple[int, int]]:
    """Return the pairs of numbers, from 0, of texts like 1:2. Raises UsageError for others."""
    found = []
    for text in texts:
        first, colon, second = text.partition(":")
        if not (colon and first.strip().isdecimal() and second.strip().isdecimal()):
            raise UsageError(
                f"--nested takes two numbers of models, not {text}",
                "--nested 1:2 says that the first model is within the second",
                Span(text, 0, len(text), "--nested"),
            )
        found.append((int(first) - 1, int(second) - 1))
    return found


def _compared(options: CompareModelsOptions, env: Environment, requests: list[FitRequest]) -> Comparison:
    from gdcli.record.model_records import models_record
    from gdcli.render import models_page
    from gdcli.render.progress import Progress
    from gdcli.tasks.fit.compare_models import compare_models, samples_of
    from gdcli.tasks.fit.prepare_models import prepared_models
    from gdcli.tasks.fit.request import FitSettings

    settings = FitSettings(**options.given(*SOLVER, StoppingOptions))
    pairs = nested_pairs(list(options.nested))
    stdin = env.stdin_for(requests[0].files)
    terminal = env.free_terminal(options.written_as, options.output)
    with (
        Progress(terminal, clock=env.clock) as progress,
        limited(settings),
        prepared_models(requests, settings, stdin, progress.reading, progress.searching) as models,
    ):
        number = models[0].data.rows if options.folds == ALL_ROWS else options.folds
        made = compare_models(models, settings, number, pairs)
        found = models_record(made, samples_of(made))
    return Comparison(found, models_page.KIND, partial(models_page.picture, found), made.warnings, 0, False)
