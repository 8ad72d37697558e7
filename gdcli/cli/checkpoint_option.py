"""``--checkpoint``: a run in a file, from which `gd resume` goes on in another process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any

from gdcli import __version__
from gdcli.cli.environment import Answered, Environment, Session
from gdcli.cli.output_file import folder_hint
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError, DomainError, GdError, Span, UsageError
from gdcli.kernel.status import Status
from gdcli.record import checkpoint_file
from gdcli.record.checkpoint_file import Checkpoint, part_of
from gdcli.record.codec import Decoder
from gdcli.solve.checkpointing import Checkpointer

if TYPE_CHECKING:
    from gdcli.cli.commands import FitOptions, MinimizeOptions
    from gdcli.cli.option_rows import Options
    from gdcli.record.checkpoint_file import Content
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.fit.request import FitRequest
    from gdcli.tasks.outcome import Outcome
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

    machine = os.uname().machine if hasattr(os, "uname") else sys.platform
    python = ".".join(map(str, sys.version_info[:3]))
    return {"gd": __version__, "python": python, "numpy": version("numpy"), "machine": machine}
