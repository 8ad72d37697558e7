"""What one learns with: `gd compare-lr`, `compare-methods`, `compare-batch` (the book's experiments, on any
function and any data) and `compare-models`; `gd gradient`, a gradient in every way; `gd explore`, a page to play with.

Each comparison is shown and written in one way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any, TextIO, cast

from gdcli import __version__
from gdcli.cli.answer import Beside, expression_text, fit_request, typed_problem, with_receipt
from gdcli.cli.commands import (
    CompareBatchesOptions,
    CompareMethodsOptions,
    CompareModelsOptions,
    CompareRatesOptions,
)
from gdcli.cli.environment import Environment, interrupted
from gdcli.cli.option_types import ALL_ROWS
from gdcli.cli.options import SOLVER, ComparisonOutputOptions, DataOptions, EpochsOptions, StoppingOptions
from gdcli.cli.output_file import Destination
from gdcli.kernel.budget import limited
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import LimitError, Span, UsageError
from gdcli.render.formats import is_terminal, write_answer

if TYPE_CHECKING:
    from gdcli.cli.commands import ExploreOptions, GradientOptions
    from gdcli.record.analyses import GradientRecord, TraceRecord
    from gdcli.record.compared import BatchesRecord, MethodsRecord, RatesRecord
    from gdcli.record.model_records import ModelsRecord
    from gdcli.render.comparison_pages import Kind
    from gdcli.render.formats import Format
    from gdcli.render.plot_data import Picture
    from gdcli.tasks.compare import RateComparison
    from gdcli.tasks.exploration import Exploration
    from gdcli.tasks.fit.request import FitRequest
    from gdcli.tasks.problem import Problem


_EXAMPLE = "gd compare-models data.csv --model 'y ~ a + b*x' --model 'y ~ a*exp(b*x)'"


class Comparison(NamedTuple):
    """What came of a comparison; ``timed``: its runs have times; a ``picture`` stands for that of its kind."""

    record: RatesRecord | MethodsRecord | BatchesRecord | ModelsRecord
    kind: Kind
    warnings: tuple[str, ...]
    exit_code: int
    timed: bool = True
    picture: Callable[[], Picture] | None = None


def compare(options: ComparisonOutputOptions, env: Environment) -> int:
    """Compare, write and draw; 0 when all had their turn, whatever came of it. SIGTERM ends it with what there is."""
    from gdcli.render.comparison_pages import write

    read, make = _COMPARISONS[options.command]
    asked = read(options, env)
    env.on_sigterm()
    with Beside(options, env, env.text_stream(options)) as beside:
        with Destination(options.output, env.stdout) as stream:
            made = make(options, env, asked)
            timing = made.timed and env.timing(options, stream)
            found = with_receipt(made.record, options)
            write(stream, options.written_as, found, made.kind, timing)
        beside.write(lambda page, format: write(page, format, found, made.kind, made.timed and beside.timing))
        picture = made.picture or (made.kind.picture and partial(made.kind.picture, found))
        beside.finish(found, picture, made.kind.parts)
    env.tell_warnings(made.warnings, env.warned(options, stream))
    return made.exit_code


# -- learning rates --------------------------------------------------------------------------------------------------


def _rates(options: CompareRatesOptions, env: Environment, problem: Problem) -> Comparison:
    from gdcli import api
    from gdcli.record.compared import rates_record
    from gdcli.render import comparison_pages

    engine, caps = options.engine or "auto", (options.max_time, options.max_memory)
    found = api.compare_learning_rates(
        problem, options.lr or (), options.steps or 100, engine, options.no_cache, *caps
    )
    ended = found.found.ended and found.found.ended.status
    picture = partial(_rates_picture, problem, found, options.log_axes)
    code = 0 if ended is None else ended.exit_code
    return Comparison(rates_record(found), comparison_pages.RATES, found.warnings, code, False, picture)


def _rates_picture(problem: Problem, found: RateComparison, log: str | None) -> Picture:
    from gdcli.cli.plot_option import rates_picture
    from gdcli.render.comparison_figures import RatePath

    paths = [RatePath(rate.lr, rate.verdict, found.values(rate)) for rate in found.found.rates]
    return rates_picture(problem, paths, log)


# -- methods ---------------------------------------------------------------------------------------------------------


def _methods(options: CompareMethodsOptions, env: Environment, problem: Problem) -> Comparison:
    from gdcli import api
    from gdcli.record.compared import methods_record
    from gdcli.render import comparison_pages

    settings = api.Settings(**options.given(*SOLVER) | {"method": "auto"})
    runs = api.compare_methods(problem, options.method or (), settings)
    found, last = methods_record(problem, runs), runs[-1].outcome
    code = last.status.exit_code if last is not None and last.status.by_signal else 0
    return Comparison(found, comparison_pages.METHODS, found.warnings, code)


# -- batch sizes -----------------------------------------------------------------------------------------------------


def _batches(options: CompareBatchesOptions, env: Environment, request: FitRequest) -> Comparison:
    from gdcli.record.compared import batches_record
    from gdcli.render import comparison_pages
    from gdcli.tasks.batch_sizes import compare_batches
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import FitSettings

    asked = options.given(*SOLVER, EpochsOptions) | {"batch_size": 1}  # each run has its own
    settings = FitSettings(**asked)
    sizes = [None if size == ALL_ROWS else size for size in options.batch_size or (1, 32, ALL_ROWS)]
    stdin = env.stdin_for(request.files)
    with (
        env.progress(options) as progress,
        limited(settings),
        prepared(request, settings, stdin, progress.reading, progress.searching) as ready,
    ):
        made = compare_batches(ready, settings, sizes, progress.epoch)
    found, stopped = batches_record(ready.problem, ready.row.space, made), made.found.stopped
    code = LimitError.exit_code if made.found.capped else 0
    code = code if stopped is None else stopped.exit_code
    return Comparison(found, comparison_pages.BATCHES, made.warnings, code)


# -- models ----------------------------------------------------------------------------------------------------------


def _requests_of(options: CompareModelsOptions, env: Environment) -> list[FitRequest]:
    from gdcli.tasks.fit.request import FitRequest

    if len(options.model) < 2:
        raise UsageError("a comparison takes two models or more, each after --model", _EXAMPLE)
    if not options.files and not env.has_input:
        raise UsageError("there are no data", "name a file, or - for standard input")
    asked: dict[str, Any] = {"loss": None} | options.given(DataOptions)
    asked["constants"] = asked.pop("set")
    files = tuple(options.files) or ("-",)
    found = []
    for typed in options.model:
        if typed == "-":
            raise UsageError("a model cannot come from standard input here", "@FILE reads it from a file")
        text, source = expression_text(typed, env)
        found.append(FitRequest(text, files, source=source, **asked))
    return found


def _nested_pairs(texts: tuple[str, ...] | list[str]) -> list[tuple[int, int]]:
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


def _models(options: CompareModelsOptions, env: Environment, requests: list[FitRequest]) -> Comparison:
    from gdcli.record.model_records import models_record
    from gdcli.render import models_page
    from gdcli.tasks.cluster.worker_chunks import each_on
    from gdcli.tasks.fit.compare_models import compare_models, prepared_models, samples_of
    from gdcli.tasks.fit.request import FitSettings

    settings = FitSettings(**options.given(*SOLVER, StoppingOptions))
    pairs = _nested_pairs(list(options.nested))
    if options.cluster and options.folds is None:
        raise UsageError("--cluster spreads the fits of --folds, and there are none", "add --folds 10")
    stdin = env.stdin_for(requests[0].files)
    with (
        env.progress(options) as progress,
        limited(settings),
        prepared_models(requests, settings, stdin, progress.reading, progress.searching) as models,
        each_on(options.cluster) as each,
    ):
        number = models[0].data.rows if options.folds == ALL_ROWS else options.folds
        made = compare_models(models, settings, number, pairs, each=each)
        found = models_record(made, samples_of(made))
    return Comparison(found, models_page.KIND, made.warnings, 0, False)


# What each command asks for, read before any file is opened, and what makes its comparison of that.
_COMPARISONS: dict[str, tuple[Callable[..., Any], Callable[..., Comparison]]] = {
    "compare-lr": (typed_problem, _rates),
    "compare-methods": (typed_problem, _methods),
    "compare-batch": (fit_request, _batches),
    "compare-models": (_requests_of, _models),
}

# -- gradients --------------------------------------------------------------------------------------------------------


_PARTS = ("hessian", "errors", "latex", "trace")


def gradient(options: GradientOptions, env: Environment) -> int:
    """Run ``gd gradient``; 9 where the ways disagree."""
    _check_gradient(options)
    text, source = expression_text(options.expression, env)
    from gdcli import api
    from gdcli.cli.plot_option import errors_picture, estimate
    from gdcli.record.analyses import GradientRecord, gradient_record
    from gdcli.tasks.gradient_check import Wanted

    caps = api.Settings(max_time=options.max_time, max_memory=options.max_memory)
    if options.plot_estimate:
        with interrupted(caps):
            estimate(options.plot_estimate, options, env, text, source)
        return 0
    with limited(caps):
        problem = _point_problem(options, text, source)
    with Beside(options, env, env.text_stream(options)) as beside:
        with Destination(options.output, env.stdout) as stream:
            env.on_sigterm()
            wanted = Wanted(options.h, options.hessian, options.errors, options.latex, options.trace)
            with interrupted(caps):
                found = api.examine(problem, wanted)
            record = gradient_record(found)
            write_gradient(record, options.written_as, stream)
        beside.write(lambda page, format: write_gradient(record, format, page))
        drawn = isinstance(record, GradientRecord) and record.errors
        beside.finish(record, partial(errors_picture, cast("GradientRecord", record)) if drawn else None)
    return int(found.exit_code)


def _check_gradient(options: GradientOptions) -> None:
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


def _point_problem(options: GradientOptions, text: str, source: str) -> Problem:
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


def write_gradient(found: GradientRecord | TraceRecord, format: Format, stream: TextIO) -> None:
    from gdcli.record.analyses import TraceRecord, gradient_table
    from gdcli.render.analysis_pages import gradient_page, trace_page

    laid_out: Any = trace_page if isinstance(found, TraceRecord) else gradient_page
    write_answer(stream, format, found, partial(laid_out, found), gradient_table)


# -- the page of gd explore -------------------------------------------------------------------------------------------


USUAL = "explore.html"


def explore(options: ExploreOptions, env: Environment) -> int:
    """Write the page, and open it where a person sits before the terminal."""
    from gdcli.cli.answer_files import mathml
    from gdcli.render.html_page import ExplorePage, explore_page

    path = options.output or USUAL
    with Destination(path, env.stdout) as stream:
        made = _of_data(options, env) if options.files else _of_expression(options, env)
        given = made.given | {"command": " ".join(_command(options, made.given["expression"]))}
        asked = ExplorePage(given["expression"], made.program, given, __version__, mathml(env))
        stream.write(explore_page(asked))
    env.stdout.write(f"{path}: a page for any browser; it needs no network\n")
    if is_terminal(env.stdout) and not options.no_open:
        import webbrowser

        webbrowser.open(f"file://{os.path.realpath(path)}")
    return 0


def _of_expression(options: ExploreOptions, env: Environment) -> Exploration:
    for name in ("loss", "columns"):
        if getattr(options, name):
            raise UsageError(f"--{name} is for a model with data", "gd explore 'y ~ a*x + b' data.csv")
    if "~" in options.expression:
        raise UsageError("a model needs data", "name a file after it: gd explore 'y ~ a*x + b' data.csv")
    from gdcli.tasks.exploration import of_problem

    return of_problem(typed_problem(options, env), options.lr)


def _of_data(options: ExploreOptions, env: Environment) -> Exploration:
    if options.subject_to:
        raise UsageError(
            "--subject-to is for an expression without data", "gd fit takes it; --bounds is shown here"
        )
    text, source = expression_text(options.expression, env)
    from gdcli.tasks.exploration import of_rows
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import FitRequest, FitSettings

    asked: dict[str, Any] = {
        name: given
        for name in ("start", "let", "bounds", "loss", "columns", "seed", "maximize")
        if (given := getattr(options, name))
    }
    request = FitRequest(text, tuple(options.files), source=source, constants=tuple(options.set), **asked)
    descent = FitSettings(method="sgd")  # where a start leads is what is looked at: none is searched for
    with prepared(request, descent, env.stdin_for(request.files)) as ready:
        return of_rows(ready, options.lr)


def _command(options: ExploreOptions, expression: str) -> list[str]:
    """The words of the command that repeats a run in the terminal, as far as the page does not change them."""
    fitted = bool(options.files)
    name = "fit" if fitted else "maximize" if options.maximize else "minimize"
    words = ["gd", name, quote(expression), *map(quote, options.files)]
    for option, texts in (("set", options.set), ("let", options.let), ("bounds", options.bounds)):
        words += [f"--{option} {quote(text)}" for text in texts]
    if fitted:
        words += ["--maximize"] if options.maximize else []
        words += [f"--loss {options.loss}"] if options.loss else []
        words += [f"--columns {quote(text)}" for text in options.columns or ()]
    return words
