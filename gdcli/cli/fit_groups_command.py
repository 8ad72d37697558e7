"""`gd fit --by`: one fit per group of rows, an answer per group."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli.answer import Beside, fit_asked, refuse
from gdcli.cli.output_file import Destination
from gdcli.kernel.errors import LimitError
from gdcli.render.formats import Shape

if TYPE_CHECKING:
    from gdcli.cli.commands import FitOptions
    from gdcli.cli.environment import Environment
    from gdcli.record.groups import GroupRecorder
    from gdcli.record.serialization import Words
    from gdcli.render.formats import Look
    from gdcli.render.verdicts import Tally
    from gdcli.tasks.fit.fit_groups import GroupFit
    from gdcli.tasks.fit.prepare_groups import Grouped

_WALD = "wald"
# Options that speak of one fit, and why.
_REFUSED = {
    "plot": "a picture shows one fit",
    "predict": "a copy of the rows is made for one fit",
    "residuals": "a copy of the rows is made for one fit",
    "trace": "a file has the path of one fit",
    "emit": "a program has the numbers of one fit",
    "checkpoint": "a checkpoint keeps one run",
    "checkpoint_every": "a checkpoint keeps one run",
    "every": "the path of each fit is not shown",
}


def run(options: FitOptions, env: Environment) -> int:
    """Fit every group, write the answers as they come; the code is that of the first group that failed."""
    refuse(options, _REFUSED, "--by", "choose one group's rows, and leave out --by")
    from gdcli.api import fits_of_groups
    from gdcli.cli.record_file import receipt_of
    from gdcli.record.groups import GroupRecorder
    from gdcli.render.group_table import GroupLines
    from gdcli.render.verdicts import Tally
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.tasks.fit.prepare_groups import grouped

    request, settings = fit_asked(options, env)
    tally = Tally("group", env.clock)
    stdin = env.stdin_for(request.files)
    with (
        Beside(options, env, env.stdout) as beside,
        Destination(options.output, env.stdout) as stream,
        env.progress(options) as progress,
        grouped(request, settings, stdin, progress.reading) as found,
    ):
        progress.clear()
        made = receipt_of(options, found.plan.row.space.size, searched=found.plan.searched)
        recorder = GroupRecorder(made, env.timing(options, stream))
        writers, kept = [_writer(options, found, stream, recorder)], StringIO()
        beside.write(lambda page, format: writers.append(_table(found, recorder, format.load()(page))))
        writers += [GroupLines(kept, recorder)] if beside.draws else []
        with env.heard_by(Checkpointer()) as checkpointer:
            checkpointer.listening = True  # a signal is heard between two answers, so that these are whole

            def take(some: list[GroupFit]) -> bool:
                for fit in some:
                    tally.count(fit.number, fit.status, fit.exit_code)
                progress.clear()
                answered = list(map(recorder.group, some))
                for writer in writers:
                    writer(answered)
                _warn(options, env, some)
                if tally.total < len(found.keys):
                    progress.begin("group", tally.total + 1, len(found.keys))
                return checkpointer.asked is None

            lost = _taken(fits_of_groups(found, settings, request.cluster), take)
            progress.clear()
            for writer in writers:
                writer.finish(tally.counts)
            beside.tell([json.loads(line) for line in kept.getvalue().splitlines()], None)
    _tell(options, env, tally, found, lost)
    stop = checkpointer.asked and checkpointer.asked.status
    return tally.exit_code if stop is None else stop.exit_code


def _taken(answers: Iterator[list[GroupFit]], take: Callable[[list[GroupFit]], bool]) -> LimitError | None:
    """Take answers for as long as more are wanted; return the loss of the others, by which these stay."""
    try:
        for some in answers:
            if not take(some):
                break
    except LimitError as fault:
        return fault
    return None


def _writer(options: FitOptions, found: Grouped, stream: TextIO, recorder: GroupRecorder) -> Any:
    from gdcli.record.serialization import check_names
    from gdcli.render import group_table

    format, problem, space = options.written_as, found.plan.problem, found.plan.row.space
    timing, words = recorder.timing, _words(found)
    if options.print:
        check_names(options.print, problem, words)
        return group_table.GroupSelected(stream, recorder, options.print, words)
    if format.shape is Shape.LINES:
        return group_table.GroupLines(stream, recorder)
    if format.shape is Shape.OBJECT:
        return group_table.GroupWhole(stream, recorder, found.columns)
    if format.shape is Shape.ROWS:
        parts = ("", ".se", ".low", ".high") if problem.intervals != _WALD else ("", ".se")
        names = [f"{name}{part}" for name in (*space.labels, *_derived(found)) for part in parts]
        return group_table.GroupRows(stream, recorder, found.columns, names, words, timing, format.load())
    return _table(found, recorder, format.load()(stream))


def _derived(found: Grouped) -> list[str]:
    return [text.partition("=")[0].strip() for text in found.plan.problem.derive]


def _words(found: Grouped) -> Words:
    from gdcli.record.fit_records import FIT, with_derived

    return with_derived(FIT, _derived(found))


def _table(found: Grouped, recorder: GroupRecorder, look: Look) -> Any:
    from gdcli.record.fits import RowsRecord, problem_record
    from gdcli.render.group_table import GroupQuestion, GroupTable

    rows, space = found.all_rows, found.plan.row.space
    counted = RowsRecord.of(rows, visited=None)
    plan, groups = found.plan, len(found.keys)
    asked = GroupQuestion(problem_record(plan.problem), space, found.columns, groups, counted, plan.searched)
    asked = asked._replace(derived=_derived(found), intervals=plan.problem.intervals != _WALD)
    return GroupTable(asked, look, recorder, _words(found), recorder.timing)


def _warn(options: FitOptions, env: Environment, some: list[GroupFit]) -> None:
    """Tell the warnings of fits that were solved alone, where the answer does not have them."""
    if options.written_as.is_record:
        return
    told = []
    for fit in some:
        if fit.alone is not None:
            name = ", ".join(map(str, fit.group.values()))
            told += [f"{name}: {w}" for w in fit.alone.warnings if w != fit.rows.told]
    env.tell_warnings(tuple(told))


def _tell(
    options: FitOptions, env: Environment, tally: Tally, found: Grouped, lost: LimitError | None
) -> None:
    """Say on standard error what was skipped and, where the answer does not say it, how many groups ended how.

    Raises what lost the others.
    """
    rows = found.all_rows
    if rows.skipped:
        env.tell_warnings((rows.told,))
    if options.print or not options.written_as.is_page:
        env.warn(tally.text() + "\n")
    if lost is not None:
        raise lost
