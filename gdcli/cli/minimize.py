"""`gd minimize` and `gd maximize`: from the values of the command line to an answer on standard output.

First everything that can be wrong is found out (the numbers, the expression, the names to print, the file to
write), then the run begins.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from gdcli.budget import limited
from gdcli.cli.emit import Emitted
from gdcli.cli.emit import check as check_emit
from gdcli.cli.options import is_page
from gdcli.cli.options import settings as settings_of
from gdcli.errors import Span, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdcli.api import Outcome, Problem, Settings
    from gdcli.cli.tracing import Tracing
    from gdcli.report.machine import Words
    from gdcli.report.tables import Layout, Waiting
    from gdcli.solvers.keeping import Keeper
    from gdcli.solvers.types import Iterate, Observer

TEXT_LIMIT = 1_000_001  # one more than the language takes: enough to be told that it is too long


class Writer(Protocol):
    """Something that shows a run: it sees each iterate and ends with the outcome."""

    def __call__(self, iterate: Iterate) -> None:
        """See one iterate."""
        ...

    def finish(self, found: Any) -> None:
        """Write what is left to write, of the record of the answer (a program: of the outcome)."""
        ...


def minimize(values: dict[str, Any]) -> int:
    """Run ``gd minimize``."""
    return _extremum(values, "minimize")


def maximize(values: dict[str, Any]) -> int:
    """Run ``gd maximize``."""
    return _extremum(values, "maximize")


def _extremum(values: dict[str, Any], sense: str) -> int:
    if values["print"] and values["format"]:
        raise UsageError(
            "--print and --format exclude each other", "--print alone gives one tab-separated line"
        )
    check_emit(values, is_fit=False)
    from gdcli import api
    from gdcli.cli.canvas import Canvas, text_stream
    from gdcli.cli.checkpoint import job_of, session
    from gdcli.cli.destination import Destination
    from gdcli.cli.plotting import RunPlot, watched
    from gdcli.cli.receipts import stamped
    from gdcli.record.runs import run_record

    settings = api.Settings(**settings_of(values))
    with limited(settings):
        problem = job_of(values) or _read(values, sense)
    plot = RunPlot(values, problem) if values["plot"] or values["plane"] else None
    with Canvas(values, text_stream(values)) as canvas:
        with Destination(values["output"]) as stream, _traced(values) as tracing:
            emitted = emitter(values, stream)
            writer = emitted or writer_for(values, problem, stream)
            observers: list[Observer] = [writer]
            if tracing is not None:
                observers += tracing.observers(problem)
            if plot is not None:
                observers.append(plot.recorder)
            with (
                session(values, problem) as kept,
                watched(values, problem) as watch,
                _waiting(values, problem, settings, bool(watch)) as waiting,
            ):
                kept.watch(observers)
                with _kept_in_time(values, settings):
                    outcome = _solve(values, problem, settings, [*observers, *watch], kept.keeper, waiting)
                outcome = kept.finish(outcome)
            found = stamped(run_record(outcome), values)
            writer.finish(outcome if emitted else found)
        if plot is not None:
            canvas.draw(partial(plot.picture, found))
    tell_warnings(outcome.warnings, seen=warned(values, stream))
    return outcome.status.exit_code


def _traced(values: dict[str, Any]) -> AbstractContextManager[Tracing | None]:
    """What writes --trace, where it is asked for."""
    if not values["trace"]:
        return nullcontext()
    from gdcli.cli.tracing import Tracing

    return Tracing(values)


def _read(values: dict[str, Any], sense: str) -> Problem:
    text, source = expression_text(values["expression"])
    from gdcli import api

    seed = values["seed"] or 0
    return api.read_problem(text, sense, values["start"], values["set"], seed, source, values["bounds"])


def _kept_in_time(values: dict[str, Any], settings: Settings) -> AbstractContextManager[object]:
    """What keeps the time where formulas are asked for, which come from algebra that may take long."""
    if not settings.max_time or not (values["show_gradient"] or settings.gradient == "symbolic"):
        return nullcontext()
    from gdcli.cli.caps import interrupted

    return interrupted(settings, late=True)


def _solve(
    values: dict[str, Any],
    problem: Problem,
    settings: Settings,
    observers: Sequence[Observer],
    keeper: Keeper,
    waiting: Waiting | None,
) -> Outcome:
    """One run, or one from each of many starts."""
    formulas, starts = values["show_gradient"], values["multi_start"]
    if starts is None:
        from gdcli.api import solve

        told = [] if waiting is None else [waiting]
        return solve(problem, settings, [*observers, *told], formulas, keeper=keeper)
    from gdcli.multi_start import solve_from_many

    return solve_from_many(problem, settings, starts, observers, formulas, keeper, waiting)


def free_terminal(values: Mapping[str, Any]) -> TextIO | None:
    """Return where it is told how far a run has come: not on a terminal through which rows of the answer run."""
    from gdcli.report.tables import is_terminal

    rows = values["format"] in ("jsonl", "csv") and not values["output"] and is_terminal(sys.stdout)
    return None if rows or not is_terminal(sys.stderr) else sys.stderr


def caps_of(settings: Any) -> tuple[float | None, float | None, float | None]:
    """Return what ends a run at the latest: iterations, evaluations, seconds."""
    return settings.max_iter, settings.max_evaluations, settings.max_time


def _waiting(
    values: Mapping[str, Any], problem: Problem, settings: Settings, watched: bool
) -> AbstractContextManager[Waiting | None]:
    """What tells on a terminal how far a long run has come, where nothing else does."""
    stream = None if watched else free_terminal(values)
    if stream is None:
        return nullcontext()
    from gdcli.report.tables import Waiting

    return Waiting(stream, problem.sign, caps_of(settings))


def emitter(values: dict[str, Any], stream: TextIO) -> Writer | None:
    """Return what writes a program in the place of the answer, None where none is asked for."""
    if not values["emit"]:
        return None
    from gdcli import emission

    return Emitted(stream, partial(emission.objective, language=values["emit"]))


def expression_text(typed: str) -> tuple[str, str]:
    """Return the expression and where it stands: ``-`` is standard input, ``@file`` a file, else the text
    itself.
    """
    if typed == "-" and sys.stdin is None:
        raise UsageError("standard input is closed")
    if typed == "-":
        return _decode(sys.stdin.buffer.read(TEXT_LIMIT), "standard input"), "standard input"
    if not typed.startswith("@"):
        return typed, ""
    path = typed[1:]
    try:
        with open(path, "rb") as file:
            return _decode(file.read(TEXT_LIMIT), path), path
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or str(fault)
        raise UsageError(f"cannot read the expression: {why}", "", Span(typed, 1, len(typed))) from None


def _decode(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        # The limit may have cut a character in two; the text is too long then, and the language says so.
        if len(content) == TEXT_LIMIT and fault.start >= TEXT_LIMIT - 4:
            return content[: fault.start].decode("utf-8-sig") + "?"
        raise UsageError(f"{source} is not UTF-8 text (byte {fault.start})") from None


def writer_for(
    values: dict[str, Any],
    problem: Problem,
    stream: TextIO,
    layout: Layout | None = None,
    words: Callable[[], Words] | None = None,
    timing: bool | None = None,
) -> Writer:
    """Return what shows the run in the format that was asked for.

    ``layout`` and what gives the ``words`` are those of its kind of run (None: of a minimisation). ``timing`` tells
    whether times are shown (None: where they are asked for, and on a terminal).
    """
    from gdcli.objective.space import Space
    from gdcli.report.tables import Table, is_terminal

    lengths = {name: len(v) if hasattr(v, "__len__") else None for name, v in problem.start.items()}
    space = Space(lengths)
    sign = problem.sign
    timing = values["timing"] or is_terminal(stream) if timing is None else timing
    every = values["every"]
    format = values["format"] or "table"
    if format in ("table", "plain") and not values["print"]:
        return Table(stream, sign, space.size, every, timing, format == "plain", layout)
    from gdcli.report import machine

    named = machine.WORDS if words is None else words()
    if values["print"]:
        return machine.Selected(stream, values["print"], problem, named)
    if format == "json":
        return machine.Json(stream, timing)
    lines = machine.JsonLines if format == "jsonl" else machine.Csv
    return lines(stream, sign, space, every or 1, timing, named)


def warned(values: dict[str, Any], stream: TextIO) -> bool:
    """Return whether a person saw the warnings already: in a table, on the terminal that is standard error
    too.
    """
    from gdcli.report.tables import is_terminal

    return is_page(values) and is_terminal(stream) and is_terminal(sys.stderr)


def tell_warnings(warnings: tuple[str, ...], seen: bool) -> None:
    """Write the warnings to standard error, unless they were seen."""
    if warnings and not seen:
        from gdcli.cli.app import warn
        from gdcli.report.faults import harmless

        warn("".join(f"warning: {harmless(warning)}\n" for warning in warnings))


def on_sigterm() -> None:
    """From now on SIGTERM ends the run as Ctrl-C does, with the best point so far; not possible in a
    thread.
    """
    import signal

    def terminate(number: int, frame: object) -> None:
        from gdcli.errors import Terminated

        raise Terminated

    with suppress(ValueError):  # in a thread no handler can be set
        signal.signal(signal.SIGTERM, terminate)
