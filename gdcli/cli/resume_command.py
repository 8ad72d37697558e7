"""Runs kept in a file: ``--checkpoint`` writes them, and `gd resume` goes on from there in another process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any, TextIO

from gdcli import __version__
from gdcli.cli import command_line, output_file
from gdcli.cli.commands import COMMANDS, ResumeOptions
from gdcli.cli.environment import Answered, Environment, Session
from gdcli.cli.output_file import folder_hint
from gdcli.cli.record_file import StoredPage
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError, DomainError, GdError, Span, UsageError, harmless, shorten
from gdcli.kernel.number_format import seconds, short
from gdcli.kernel.status import Status
from gdcli.record import checkpoint_file
from gdcli.record.checkpoint_file import Checkpoint, Decoder, part_of
from gdcli.record.processor import MACHINE, PYTHON
from gdcli.render.formats import write_page
from gdcli.render.page import fact
from gdcli.solve.checkpointing import Checkpointer

if TYPE_CHECKING:
    from gdcli.cli.commands import FitOptions, MinimizeOptions
    from gdcli.cli.option_types import Options
    from gdcli.record.checkpoint_file import Content
    from gdcli.render.formats import Format
    from gdcli.render.page import Line
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitRequest
    from gdcli.tasks.pipeline import Outcome
    from gdcli.tasks.problem import Problem


EVERY = 30.0  # seconds


def job_of(content: Content) -> Any:
    """Return what the run of a checkpoint solves, a problem or a fit."""
    from gdcli.tasks.fit import request  # noqa: F401  (what is to be solved is a problem or a fit)

    job = content.parts["job"]
    return Decoder(job.arrays)(job.value)


class KeptSession(Session):
    """A command whose run is kept in ``checkpoint``.

    ``read`` tells that somebody reads the advice of the answer: it is a page, and on standard output.
    """

    def __init__(
        self, checkpointer: Checkpointer, env: Environment, checkpoint: Checkpoint, read: bool
    ) -> None:
        super().__init__(checkpointer)
        self.checkpoint, self._env, self._read = checkpoint, env, read

    def watch(self, observers: Sequence[Any]) -> None:
        self.checkpoint.watch(observers)

    def check_data(self, ready: Prepared) -> None:
        from gdcli.tasks.fit.data_checks import digest

        now = digest(ready.problem, ready.row, ready.data)
        if self.checkpoint.mark("data", now) != now:
            raise DataError(
                "the data, or the start, are not those that the run began with",
                "it cannot go on with others; give it what it had, or begin anew",
            )

    def finish(self, outcome: Answered) -> Answered:
        if not _can_go_on(outcome):
            self.checkpoint.finish()
            return outcome
        command = f"gd resume {quote(self.checkpoint.path)}"
        told = (f'"{command}"' if "'" in command else f"'{command}'") + " goes on with this run"
        if not self._read:
            self._env.warn(f"{told}\n")
        stopped = outcome.status.by_signal or not outcome.advice
        return replace(outcome, advice=told if stopped else f"{outcome.advice}; {told}")


def _can_go_on(outcome: Outcome) -> bool:
    """Tell whether there is more to do than was done; of many starts the last run was not the one that was stopped."""
    return any(
        status is Status.LIMIT or (status is not None and status.by_signal)
        for status in (outcome.status, outcome.run.reason.status)
    )


@contextmanager
def kept_session(
    path: str, options: MinimizeOptions | FitOptions, env: Environment, job: Problem | FitRequest
) -> Iterator[KeptSession]:
    """Give the session of ``job`` whose run is kept in the file ``path``. Raises as `gdcli.cli.answer.session`.

    What is wrong with the command, or its data, leaves no file: the command is typed again.
    """
    checkpoint = _opened(path, options, env, job)
    try:
        with env.heard_by(Checkpointer(checkpoint, options.checkpoint_every or EVERY)) as checkpointer:
            yield KeptSession(checkpointer, env, checkpoint, options.is_page and not options.output)
    except (UsageError, DomainError, DataError):
        if options.resumed is None:
            checkpoint.give_up()
        raise


def _opened(path: str, options: Options, env: Environment, job: Problem | FitRequest) -> Checkpoint:
    checkpoint_file.clean(path)
    content = options.resumed
    if content is not None:
        # Options given to go on with are those of the run from now on.
        content = content._replace(head={**content.head, "options": dict(options.typed), "finished": False})
        return Checkpoint(path, content, partial(warned, env))
    _check_free(path)
    content = checkpoint_file.Content(_head(options), {"job": part_of(job)})
    try:
        # Written before the data are read: what cannot be written is known before the hours are spent.
        checkpoint_file.write(path, content)
    except OSError as fault:
        why = f"cannot write the checkpoint: {fault.strerror}"
        raise UsageError(why, folder_hint(path), Span(path, 0, len(path), "--checkpoint")) from None
    return Checkpoint(path, content, partial(warned, env))


def warned(env: Environment, text: str) -> None:
    env.warn(f"warning: {text}\n")


def _check_free(path: str) -> None:
    """Raise UsageError for a file that holds something of value."""
    span = Span(path, 0, len(path), "--checkpoint")
    if not os.path.lexists(path):
        if path == "-":
            raise UsageError("--checkpoint takes a file, standard output is none", "give it a name", span)
        return
    if not os.path.isfile(path):  # nothing that could be renamed, or read without waiting
        what = "a directory" if os.path.isdir(path) else "no regular file"
        raise UsageError(f"cannot write the checkpoint: it is {what}", "", span)
    try:
        head = checkpoint_file.read(path).head
    except GdError:
        raise UsageError(
            "the file is there already, and is no checkpoint", "give another name", span
        ) from None
    if not head.get("finished"):
        done = head.get("progress", {}).get("iteration", 0)
        raise UsageError(
            f"the file has a run that is not finished (iteration {done})",
            f"'gd resume {path}' goes on with it; remove the file to begin anew",
            span,
        )


def _head(options: Options) -> dict[str, Any]:
    """What a checkpoint tells of the command, and of all that decides over bits."""
    return {
        **ground(),
        "command": options.command,
        "options": dict(options.typed),
        "folder": os.getcwd(),
        "finished": False,
    }


def ground() -> dict[str, str]:
    from importlib.metadata import version

    return {"gd": __version__, "python": PYTHON, "numpy": version("numpy"), "machine": MACHINE}


# -- on from there ----------------------------------------------------------------------------------------------------


def run(options: ResumeOptions, env: Environment) -> int:
    path = options.file
    content = checkpoint_file.read(path)
    head = content.head
    _check_ground(path, head, env)
    try:
        command = COMMANDS[head["command"]]
        # An option that came later than the checkpoint was not given.
        typed = command_line.nothing_typed(command) | dict(head["options"])
        known = {o.field for o in command.options} | {a.field for a in command.arguments}
        if set(typed) != known or "job" not in content.parts:
            raise KeyError("options")
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path} is no whole checkpoint of gd") from None
    _check_folder(head, typed)
    typed |= {field: text for field, text in options.typed.items() if field != "file" and text}
    typed["checkpoint"] = path
    for option in command.options:
        text = typed[option.field]
        if not isinstance(text, list if option.many else str | None if option.metavar else bool):
            raise DataError(f"the checkpoint has no {option.name} of that kind")
    again = command_line.convert(typed, command, content)
    output_file.check(again)
    return command.load()(again, env)


def _check_ground(path: str, head: Mapping[str, Any], env: Environment) -> None:
    """Refuse a run of another version; tell what else may change the last bits."""
    now = ground()
    if head.get("gd") != now["gd"]:
        raise DataError(
            f"{path} was written by gd {head.get('gd')}, and this is gd {now['gd']}",
            "a run goes on with the version that it began with",
        )
    others = [f"{k} {head.get(k)} then, {v} now" for k, v in now.items() if head.get(k) != v]
    if others:
        warned(env, f"{', '.join(others)}: the last bits may differ")


def _check_folder(head: Mapping[str, Any], typed: Mapping[str, Any]) -> None:
    """Tell where the data are looked for, where they are not here."""
    from glob import glob

    missing = [name for name in typed.get("files") or () if name != "-" and not glob(name)]
    missing = [name for name in missing if not os.path.exists(name)]
    if missing and head.get("folder") != os.getcwd():
        raise UsageError(f"there is no {missing[0]} here", f"the run was started in {head.get('folder')}")


# -- as a page -------------------------------------------------------------------------------------------------------

# They are shown on lines of their own, or say where the file itself is.
_ELSEWHERE = ("start", "set", "bounds", "checkpoint", "checkpoint_every")


def kept_run(path: str) -> StoredPage:
    """Return the page of a checkpoint. Raises as `record.checkpoint_file.read`."""
    content = checkpoint_file.read(path)
    return StoredPage(partial(_write, path, content), None, "a kept run has no answer yet")


def _write(path: str, content: Content, stream: TextIO, format: Format) -> None:
    write_page(stream, format, lambda width, *_: _page(path, content, width))


def _page(path: str, content: Content, width: int) -> list[Line]:
    head = content.head
    ended = "; it has ended" if head.get("finished") else ""
    lines = fact("kept run", harmless(f"{path}, of gd {head.get('command')}{ended}"), width, "title")
    lines += _asked(content, width)
    for label, text in _reached(head):
        lines += fact(label, text, width)
    again = f"gd resume {quote(path)}"
    return lines + fact("go on", f"{again} shows its answer again" if ended else again, width)


def _asked(content: Content, width: int) -> list[Line]:
    from gdcli.render.summary import point_text

    head, job = content.head, job_of(content)
    command, typed = COMMANDS[head["command"]], head["options"]
    expression = job.expression if hasattr(job, "expression") else job.model
    lines = fact(command.name, harmless(shorten(" ".join(expression.split()), 5 * width)), width)
    if hasattr(job, "model"):
        lines += fact("data", harmless(shorten(", ".join(job.files), 2 * width)), width)
        if job.start:
            lines += fact("start", harmless(shorten(", ".join(job.start), 2 * width)), width)
    else:
        lines += fact("with", point_text(job.constants), width) if job.constants else []
        lines += fact("start", point_text(job.start), width)
    words: list[str] = []
    for option in command.options:
        text = typed.get(option.field)
        if text and option.field not in _ELSEWHERE:
            texts = text if isinstance(text, list) else [text]
            words += [option.name if one is True else f"{option.name} {quote(one)}" for one in texts]
    return lines + (fact("options", harmless(shorten(" ".join(words), 5 * width)), width) if words else [])


def _reached(head: Mapping[str, Any]) -> list[tuple[str, str]]:
    progress = head.get("progress")
    if not progress:
        return [("so far", "nothing")]
    what = "epoch" if progress.get("epochs") else "iteration"
    far = f"{what} {progress['iteration']}, after {seconds(progress['seconds'])}"
    starts = head["options"].get("multi_start")
    if starts and progress["run"] < int(starts):
        far = f"start {progress['run'] + 1} of {starts}, {far}"
    sign = -1.0 if head["command"] == "maximize" or head["options"].get("maximize") else 1.0
    value = short(sign * float(progress.get("best", progress["minimised"])), 12)
    return [("so far", far), ("best value", value + (" (mean loss)" if progress.get("epochs") else ""))]
