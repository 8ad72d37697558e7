"""What the commands that solve something share: their text read, and their answer written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from gdcli.cli.export_option import Emitted
from gdcli.cli.options import is_page
from gdcli.kernel.errors import Span, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdcli.api import Problem
    from gdcli.record.selection import Words
    from gdcli.render.tables import PageLayout
    from gdcli.solve.iteration import Iterate


TEXT_LIMIT = 1_000_001  # one more than the language takes: enough to be told that it is too long


class AnswerWriter(Protocol):
    """Something that shows a run: it sees each iterate and ends with the outcome."""

    def __call__(self, iterate: Iterate) -> None:
        """See one iterate."""
        ...

    def finish(self, found: Any) -> None:
        """Write what is left to write, of the record of the answer (a program: of the outcome)."""
        ...


def free_terminal(values: Mapping[str, Any]) -> TextIO | None:
    """Return where it is told how far a run has come: not on a terminal through which rows of the answer run."""
    from gdcli.render.tables import is_terminal

    rows = values["format"] in ("jsonl", "csv") and not values["output"] and is_terminal(sys.stdout)
    return None if rows or not is_terminal(sys.stderr) else sys.stderr


def caps_of(settings: Any) -> tuple[float | None, float | None, float | None]:
    """Return what ends a run at the latest: iterations, evaluations, seconds."""
    return settings.max_iter, settings.max_evaluations, settings.max_time


def emitter(values: dict[str, Any], stream: TextIO) -> AnswerWriter | None:
    """Return what writes a program in the place of the answer, None where none is asked for."""
    if not values["emit"]:
        return None
    from gdcli.tasks import export

    return Emitted(stream, partial(export.objective, language=values["emit"]))


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
    layout: PageLayout | None = None,
    words: Callable[[], Words] | None = None,
    timing: bool | None = None,
) -> AnswerWriter:
    """Return what shows the run in the format that was asked for.

    ``layout`` and what gives the ``words`` are those of its kind of run (None: of a minimisation). ``timing`` tells
    whether times are shown (None: where they are asked for, and on a terminal).
    """
    from gdcli.kernel.space import Space
    from gdcli.render.tables import Table, is_terminal

    lengths = {name: len(v) if hasattr(v, "__len__") else None for name, v in problem.start.items()}
    space = Space(lengths)
    sign = problem.sign
    timing = values["timing"] or is_terminal(stream) if timing is None else timing
    every = values["every"]
    format = values["format"] or "table"
    if format in ("table", "plain") and not values["print"]:
        return Table(stream, sign, space.size, every, timing, format == "plain", layout)
    from gdcli.record import selection
    from gdcli.render import machine_formats

    named = selection.WORDS if words is None else words()
    if values["print"]:
        return machine_formats.Selected(stream, values["print"], problem, named)
    if format == "json":
        return machine_formats.Json(stream, timing)
    lines = machine_formats.JsonLines if format == "jsonl" else machine_formats.Csv
    return lines(stream, sign, space, every or 1, timing, named)


def warned(values: dict[str, Any], stream: TextIO) -> bool:
    """Return whether a person saw the warnings already: in a table, on the terminal that is standard error
    too.
    """
    from gdcli.render.tables import is_terminal

    return is_page(values) and is_terminal(stream) and is_terminal(sys.stderr)


def on_sigterm() -> None:
    """From now on SIGTERM ends the run as Ctrl-C does, with the best point so far; not possible in a
    thread.
    """
    import signal

    def terminate(number: int, frame: object) -> None:
        from gdcli.kernel.errors import Terminated

        raise Terminated

    with suppress(ValueError):  # in a thread no handler can be set
        signal.signal(signal.SIGTERM, terminate)
