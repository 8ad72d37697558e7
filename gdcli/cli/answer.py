"""What the commands that solve something share: their text read, and their answer written."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeVar

from gdcli.cli.environment import Environment, Session
from gdcli.cli.options import (
    SOLVER,
    AskedOptions,
    ConstrainedOptions,
    EpochsOptions,
    FitDataOptions,
    GroupsOptions,
    IntervalsOptions,
    OutputOptions,
    PartitionsOptions,
    PictureOptions,
    ProblemOptions,
)
from gdcli.cli.output_file import Tracing
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import Span, UsageError, did_you_mean_file
from gdcli.render.formats import Format, Shape, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from gdcli.api import Outcome, Problem, Settings
    from gdcli.cli.answer_files import Canvas, ReportFile
    from gdcli.cli.commands import CompareBatchesOptions, FitOptions, MinimizeOptions
    from gdcli.cli.option_types import Options
    from gdcli.record.checkpoint_file import Content
    from gdcli.record.schema import Record
    from gdcli.record.serialization import Words
    from gdcli.render.formats import PageLayout
    from gdcli.render.plot_data import Picture
    from gdcli.solve.iteration import Iterate, Observer
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.request import FitRequest, FitSettings


Told = TypeVar("Told", bound="Record")
TEXT_LIMIT = 1_000_001  # one more than the language takes: enough to be told that it is too long


class AnswerWriter(Protocol):
    """Something that shows a run: it sees each iterate and ends with the outcome."""

    def __call__(self, iterate: Iterate) -> None: ...

    def finish(self, found: Any) -> None:
        """Write what is left to write, of the record of the answer (a program: of the outcome)."""


def caps_of(settings: Settings) -> tuple[float | None, float | None, float | None]:
    """Return what ends a run at the latest: iterations, evaluations, seconds."""
    return settings.most_iterations, settings.max_evaluations, settings.max_time


@contextmanager
def session(
    options: MinimizeOptions | FitOptions, env: Environment, job: Problem | FitRequest
) -> Iterator[Session]:
    """Give what a command that solves ``job`` (a problem or a fit) listens and keeps its run with.

    Raises UsageError for a file that cannot be written, or must not be written over.
    """
    if options.checkpoint:
        from gdcli.cli.resume_command import kept_session

        with kept_session(options.checkpoint, options, env, job) as kept:
            yield kept
        return
    if options.checkpoint_every is not None:
        raise UsageError("--checkpoint-every is for --checkpoint", "add --checkpoint FILE")
    from gdcli.solve.checkpointing import Checkpointer

    with env.heard_by(Checkpointer()) as checkpointer:
        yield Session(checkpointer)


def check_output(options: OutputOptions, is_fit: bool) -> None:
    """Raise UsageError where the answer cannot be written as asked for, before anything is solved."""
    if options.print and options.format:
        raise UsageError(
            "--print and --format exclude each other", "--print alone gives one tab-separated line"
        )
    if not options.emit:
        return
    if options.print or options.format:
        other = "print" if options.print else "format"
        raise UsageError(f"--emit and --{other} exclude each other", "a program is the whole answer")
    from gdcli.tasks import export

    export.check(options.emit, is_fit)


def refuse(options: FitOptions, whys: Mapping[str, str], other: str, hint: str) -> None:
    """Raise UsageError for an option that was given, of those that do not go with ``other``; ``whys`` are by name."""
    for name, why in whys.items():
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} does not go with {other}: {why}", hint)


def emitter(options: OutputOptions, stream: TextIO) -> AnswerWriter | None:
    """Return what writes a program in the place of the answer, None where none is asked for."""
    if not options.emit:
        return None
    from gdcli.render.machine_formats import AtEnd
    from gdcli.tasks import export

    return AtEnd(stream, partial(export.objective, language=options.emit))


def with_receipt(found: Told, options: OutputOptions) -> Told:
    if not (options.written_as.is_record or options.report):
        return found
    from gdcli.cli.record_file import stamped

    return stamped(found, options)


def told_beside(options: OutputOptions, outcome: Outcome | FitOutcome) -> tuple[str, ...]:
    """What must be known beside an answer; where that does not tell it, also that the run has failed."""
    failed = outcome.status.exit_code and not options.tells_status
    return (*((outcome.message,) if failed else ()), *outcome.warnings)


class Beside:
    """What is made beside an answer: the picture of --plot, the page of --report. A context."""

    def __init__(self, options: Options, env: Environment, stream: TextIO) -> None:
        self._options, self._env, self._stream = options, env, stream
        self._stack = ExitStack()
        self._canvas: Canvas | None = None
        self._report: ReportFile | None = None
        self._paper: AnswerWriter | None = None

    def __enter__(self) -> Beside:
        options, env = self._options, self._env
        if isinstance(options, PictureOptions) and options.plot:
            from gdcli.cli.answer_files import Canvas

            self._canvas = self._stack.enter_context(Canvas(options.plot, options, env, self._stream))
        if isinstance(options, OutputOptions) and options.report:
            from gdcli.cli.answer_files import ReportFile

            self._report = self._stack.enter_context(ReportFile(options.report, env))
        return self

    def __exit__(self, *ended: Any) -> None:
        self._stack.__exit__(*ended)

    @property
    def timing(self) -> bool:
        """Whether the page has times: it is the same again without."""
        return bool(getattr(self._options, "timing", False))

    @property
    def draws(self) -> bool:
        return self._canvas is not None or self._report is not None

    def observers(self, problem: Problem, layout: Callable[[], PageLayout] | None = None) -> list[Observer]:
        """Return what sees the path of a run for its page, whose layout is made by ``layout``."""
        if self._report is None:
            return []
        self._paper = self._report.writer(problem, self.timing, None if layout is None else layout())
        return [self._paper]

    def write(self, write: Callable[[TextIO, Format], None]) -> None:
        """Have the page's lines written, of an answer that is no run."""
        if self._report is not None:
            from gdcli.render.html_report import REPORT

            write(self._report.page, REPORT)

    def finish(self, found: Record, picture: Callable[[], Picture] | None, parts: str = "") -> None:
        """Draw the picture, where there is one, and write the page of the record ``found``, which may have ``parts``
        with times of their own.
        """
        if self._paper is not None:
            self._paper.finish(found)
        from gdcli.record.schema import told

        self.tell([told(found, self.timing, parts)] if self._report is not None else [], picture)

    def tell(self, records: Sequence[Mapping[str, Any]], picture: Callable[[], Picture] | None) -> None:
        """The same of records as JSON, of which the last is the answer; the page's lines are written."""
        if self._canvas is not None and picture is not None:
            self._canvas.draw(picture)
        if self._report is not None and records:
            self._report.finish(records, picture)


def traced(
    path: str | None, options: OutputOptions, env: Environment
) -> AbstractContextManager[Tracing | None]:
    """Return what writes the path of the run into the file of ``--trace``; None where none is asked for."""
    if not path:
        return nullcontext()
    return Tracing(path, options, env)


def expression_text(typed: str, env: Environment) -> tuple[str, str]:
    """Return the expression and where it stands: ``-`` is standard input, ``@file`` a file, else the text
    itself.
    """
    if typed == "-":
        stdin = env.stdin
        if stdin is None:
            raise UsageError("standard input is closed")
        return _decode(stdin.read(TEXT_LIMIT), "standard input"), "standard input"
    if not typed.startswith("@"):
        return typed, ""
    path = typed[1:]
    try:
        with open(path, "rb") as file:
            return _decode(file.read(TEXT_LIMIT), path), path
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or str(fault)
        raise UsageError(
            f"cannot read the expression: {why}", did_you_mean_file(path), Span(typed, 1, len(typed))
        ) from None


def begun_job(content: Content | None) -> Any:
    """Return what the run of a checkpoint solves, a problem or a fit; None without one."""
    if content is None:
        return None
    from gdcli.cli.resume_command import job_of

    return job_of(content)


def typed_problem(options: AskedOptions, env: Environment) -> Problem:
    """Return the problem that a command is about; raises as `gdcli.tasks.problem.read_problem`."""
    text, source = expression_text(options.expression, env)
    from gdcli import api

    bounds = options.bounds if isinstance(options, ProblemOptions) else ()
    subject_to = options.subject_to if isinstance(options, ConstrainedOptions) else ()
    typed = api.TypedTexts(bounds, subject_to, options.let)
    seed = options.seed or 0
    return api.read_problem(text, options.sense, options.start, options.set, seed, source, typed)


def fit_asked(options: FitOptions, env: Environment) -> tuple[FitRequest, FitSettings]:
    """Return what is asked of a fit, and how it is to be solved."""
    request = begun_job(options.resumed) or fit_request(options, env)
    if options.resumed and options.cluster != request.cluster:  # it goes on elsewhere
        request = replace(request, cluster=options.cluster)
    from gdcli.tasks.fit.request import FitSettings

    settings = FitSettings(**options.given(*SOLVER, EpochsOptions))
    settings.check()
    return request, settings


def fit_request(options: FitOptions | CompareBatchesOptions, env: Environment) -> FitRequest:
    files, models = list(options.files), _models(options, env)
    if models and "~" not in options.expression and options.expression[:1] not in ("-", "@"):
        files, text, source = [options.expression, *files], "", ""  # what stands first is a file
    else:
        text, source = expression_text(options.expression, env)
    if source == "standard input" and (not files or "-" in files):
        raise UsageError("the model and the data cannot both come from standard input", "give one a file")
    if not files and not env.has_input:
        raise UsageError("there are no data", "name a file after the model, or - for standard input")
    from gdcli.solve.registry import find
    from gdcli.tasks.fit.request import FitRequest

    if options.method not in (None, "sgd"):
        find(options.method)  # an unknown one is told before the data are read
    asked = options.given(FitDataOptions, GroupsOptions, IntervalsOptions, PartitionsOptions)
    asked.pop("model", None)
    asked["constants"] = asked.pop("set")
    if getattr(options, "global_", False) and not asked["start"]:
        asked["start"] = ("auto",)  # a search needs none
    return FitRequest(text, tuple(files) or ("-",), source=source, models=models, **asked)


def _models(options: FitOptions | CompareBatchesOptions, env: Environment) -> tuple[str, ...]:
    return tuple(expression_text(text, env)[0] for text in getattr(options, "model", None) or ())


def _decode(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        # The limit may have cut a character in two; the text is too long then, and the language says so.
        if len(content) == TEXT_LIMIT and fault.start >= TEXT_LIMIT - 4:
            return content[: fault.start].decode("utf-8-sig") + "?"
        raise UsageError(f"{source} is not UTF-8 text (byte {fault.start})", "save it as UTF-8") from None


def writer_for(
    options: OutputOptions,
    problem: Problem,
    stream: TextIO,
    timing: bool,
    layout: PageLayout | None = None,
    words: Callable[[], Words] | None = None,
) -> AnswerWriter:
    """Return what shows the run in the format that was asked for.

    ``layout`` and what gives the ``words`` are those of its kind of run (None: of a minimisation). ``timing`` tells
    whether times are shown.
    """
    from gdcli.kernel.vectors import Space, lengths_of

    space = Space(lengths_of(problem.start))
    sign = problem.sign
    every = options.every
    format = options.written_as
    if format.is_page and not options.print:
        return Table(stream, sign, space.size, every, timing, format, layout)
    from gdcli.record import serialization
    from gdcli.render import machine_formats

    named = serialization.words_for(problem, serialization.WORDS if words is None else words())
    if options.print:
        return machine_formats.Selected(stream, options.print, problem, named)
    if format.shape is Shape.OBJECT:
        return machine_formats.Json(stream, timing)
    path = stream, sign, space, every or 1, timing, named
    if format.shape is Shape.LINES:
        return machine_formats.JsonLines(*path)
    return machine_formats.PathRows(*path, text=format.load())
