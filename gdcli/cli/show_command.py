"""`gd show`: a stored answer as the page, and the picture, that its own run would have shown.

What a file holds decides what is shown: a result or the path of one, a comparison, a gradient, the answers of many
problems, an error, a run that is kept. Each kind is an `StoredPage`; its record
is read back into the class that it was written from (:mod:`gdcli.record`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli import record_file
from gdcli.cli.answer import Beside
from gdcli.cli.commands import COMMANDS
from gdcli.cli.output_file import Destination
from gdcli.cli.record_file import Record, StoredPage
from gdcli.kernel.errors import UsageError, fault_text, harmless, shorten

if TYPE_CHECKING:
    from gdcli.cli.commands import ShowOptions
    from gdcli.cli.environment import Environment
    from gdcli.record.checkpoint_file import Content
    from gdcli.render.formats import Format
    from gdcli.render.page import Line


def run(options: ShowOptions, env: Environment) -> int:
    """Show a stored answer; the exit code is 0, whatever the answer was."""
    name = options.file
    if record_file.is_kept_run(name):
        if options.report:
            raise UsageError("--report is for answers, and this run is kept to go on", f"gd resume {name}")
        records: list[Record] = []
        shown = kept_run(options, name)
    else:
        name, records = record_file.all_of(name, env)
        shown = page_of(options, env, name, records)
    _check(options, shown)
    with Beside(options, env, env.text_stream(options)) as beside:
        with Destination(options.output, env.stdout) as stream, record_file.whole(name):
            shown.write(stream, options.written_as)
            beside.write(shown.write)
        beside.tell(records, shown.picture)
    return 0


def _check(options: ShowOptions, shown: StoredPage) -> None:
    if options.plot and shown.picture is None:
        raise UsageError(f"--plot has nothing to draw: {shown.missing}", "leave it out")
    if options.plane and not shown.planes:
        raise UsageError("--plane is for runs of minimize and maximize", "leave it out")
    if options.every is not None and not shown.path:
        raise UsageError("--every thins a path, and there is none", "store one: --format jsonl")
    if options.timing and not shown.timed:
        raise UsageError("--timing: no times were stored", "store them: --format json --timing")


def page_of(options: ShowOptions, env: Environment, name: str, records: Sequence[Record]) -> StoredPage:
    """Return what is shown of the records of a file. Raises DataError where they are no answer of `gd`."""
    from gdcli.cli import stored_pages

    # A comparison has its parts on lines before it, as a result has its path.
    by_type = {str(record.get("type")): record for record in records}
    with record_file.whole(name):
        for kind, make in stored_pages.KINDS.items():
            if kind in by_type:
                return make(options, by_type[kind])
        answers = [record for record in records if record.get("type") in ("result", "error")]
        if len(answers) > 1 and all("group" in answer for answer in answers):
            return stored_pages.groups(options, answers)
        if len(answers) > 1:
            return stored_pages.many(options, answers)
    if answers and answers[0]["type"] == "error" and answers[0].get("schema") == record_file.SCHEMA:
        return StoredPage(partial(_complaint, answers[0]), None, "this is an error")
    answer = record_file.one_result(name, records)
    if "standard_errors" in answer.result:
        return stored_pages.fit(options, env, answer)
    return stored_pages.extremum(options, answer)


def _complaint(record: Record, stream: TextIO, format: Format) -> None:
    from gdcli.record.faults import ErrorRecord

    stream.write(fault_text(ErrorRecord.from_json(record).fault))


# -- a run that is kept ----------------------------------------------------------------------------------------------

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
