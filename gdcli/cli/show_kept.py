"""What `gd show` shows of a run kept in a file: of what it is, how far it has come, and how to go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli.record_file import StoredPage

if TYPE_CHECKING:
    from gdcli.cli.commands import ShowOptions
    from gdcli.record.checkpoint_file import Content
    from gdcli.render.formats import Format
    from gdcli.render.page import Line

# They are shown on lines of their own, or say where the file itself is.
_ELSEWHERE = ("start", "set", "bounds", "checkpoint", "checkpoint_every")


def kept_run(options: ShowOptions, path: str) -> StoredPage:
    """Return the page of a checkpoint. Raises as `record.checkpoint_file.read`."""
    from gdcli.record import checkpoint_file

    content = checkpoint_file.read(path)
    return StoredPage(partial(_write, path, content), None, "a kept run has no answer yet")


def _write(path: str, content: Content, stream: TextIO, format: Format) -> None:
    from gdcli.render.tables import write_page

    write_page(stream, format, lambda width, *_: _page(path, content, width))


def _page(path: str, content: Content, width: int) -> list[Line]:
    from gdcli.kernel.errors import harmless
    from gdcli.render.page import fact

    head = content.head
    ended = "; it has ended" if head.get("finished") else ""
    lines = fact("kept run", harmless(f"{path}, of gd {head.get('command')}{ended}"), width, "title")
    lines += _asked(content, width)
    for label, text in _reached(head):
        lines += fact(label, text, width)
    again = f"gd resume {quote(path)}"
    return lines + fact("go on", f"{again} shows its answer again" if ended else again, width)


def _asked(content: Content, width: int) -> list[Line]:
    from gdcli.cli.checkpoint_option import job_of
    from gdcli.cli.commands import COMMANDS
    from gdcli.kernel.errors import harmless, shorten
    from gdcli.render.page import fact
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
    from gdcli.kernel.number_format import seconds, short

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
