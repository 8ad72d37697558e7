"""`gd run`: many problems, tables of a file or lines of a stream, solved and held against what they expect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli.answer import Beside
from gdcli.cli.output_file import Destination
from gdcli.cli.run_problems import Answer, ProblemLines, Solver, open_problems
from gdcli.kernel.errors import Terminated, UsageError
from gdcli.kernel.status import Status
from gdcli.render.formats import FORMATS, Format
from gdcli.render.verdicts import Shown, Tally, Whole

if TYPE_CHECKING:
    from gdcli.cli.commands import RunOptions
    from gdcli.cli.environment import Environment
    from gdcli.cli.run_problems import Tables
    from gdcli.render.progress import Progress


def run(options: RunOptions, env: Environment) -> int:
    """Solve the problems asked for; return the code of the first that is not as expected."""
    file, source = open_problems(options.file, options.names, env)
    lines = isinstance(source, ProblemLines)
    format = options.written_else("jsonl" if lines else "table")
    _check(options, format)
    env.on_sigterm()
    with ExitStack() as stack:
        stack.callback(source.close)
        stream = stack.enter_context(Destination(options.output, env.stdout))
        timing = env.timing(options, stream)
        shown = Shown(format, timing, lines)
        wholes = [Whole(stream, shown, timing)]
        beside, kept = stack.enter_context(Beside(options, env, stream)), StringIO()
        beside.write(lambda page, format: wholes.append(Whole(page, Shown(format, timing, lines), timing)))
        if beside.draws:
            wholes.append(Whole(kept, Shown(FORMATS["json"], timing, lines), timing))
        tally = Tally(clock=env.clock)
        stream.write(shown.head())
        waiting = _waiting(env.free_terminal(format, options.output), env, stack)
        answers = stack.enter_context(_answers(options, file, source, shown, waiting))
        told = _Told(waiting, tally, "line" if lines else "problem", None if lines else len(source.pending))
        code = _write_all(answers, stream, env, wholes, tally, told)
        told.clear()
        if not format.streams:
            for whole in wholes:
                whole.finish(file)
        beside.tell([json.loads(text) for text in filter(None, [kept.getvalue()])], None)
    if lines or not format.is_page:
        env.warn(tally.text() + "\n")
    return code or tally.exit_code


def _check(options: RunOptions, format: Format) -> None:
    if options.cluster and options.jobs:
        raise UsageError("--jobs and --cluster exclude each other", "a cluster has workers of its own")
    if options.report and format.streams:
        raise UsageError(
            f"--report does not go with {format.name}: answers are written as they come",
            "store them, and gd show answers.jsonl --report page.html",
        )


@contextmanager
def _answers(
    options: RunOptions, file: str, source: Tables | ProblemLines, shown: Shown, waiting: Progress | None
) -> Iterator[Iterator[Answer]]:
    """Give the answers of this process, or of several at work, which must not outlive it."""
    ordered = not options.unordered
    if options.cluster is not None:
        from gdcli.cli.run_workers import workers_on

        with workers_on(options.cluster, file, shown) as on_cluster:
            yield on_cluster.answers(source, ordered)
    elif (options.jobs or 1) > 1:
        from gdcli.cli.run_workers import Workers

        with Workers(options.jobs or 1, file, shown) as workers:
            yield workers.answers(source, ordered)
    else:
        yield _one_by_one(source, Solver(file, shown, [] if waiting is None else [waiting]))


def _one_by_one(source: Tables | ProblemLines, solve: Callable[[Any], Answer]) -> Iterator[Answer]:
    while True:
        while source.pending:
            yield solve(source.pending.popleft())
        if source.ended:
            return
        source.fill()


def _waiting(stream: TextIO | None, env: Environment, stack: ExitStack) -> Progress | None:
    """What tells on a terminal how far the problems have come; values of different problems are not told."""
    if stream is None:
        return None
    from gdcli.render.progress import Progress

    return stack.enter_context(Progress(stream, env.clock))


class _Told:
    """Tells ``waiting`` which problem comes next: the number of those done, and one."""

    def __init__(self, waiting: Progress | None, tally: Tally, noun: str, total: int | None) -> None:
        self._waiting, self._tally, self._noun, self._total = waiting, tally, noun, total
        self.next()

    def next(self) -> None:
        done = self._tally.total
        if self._waiting is not None and (self._total is None or done < self._total):
            failed = f"{self._tally.failed} failed" if self._tally.failed else ""
            self._waiting.begin(self._noun, done + 1, self._total, failed)

    def clear(self) -> None:
        if self._waiting is not None:
            self._waiting.clear()


def _write_all(
    answers: Iterator[Answer],
    stream: TextIO,
    env: Environment,
    wholes: list[Whole],
    tally: Tally,
    told: _Told,
) -> int:
    """Write each answer as it comes; return the code of an interrupt, else 0."""
    try:
        for answer in answers:
            tally.count(answer.number, answer.status, answer.exit_code)
            if answer.checked is not None:
                for whole in wholes:
                    whole(answer.checked, answer.number)
            else:
                stream.write(answer.text)
                stream.flush()
            if answer.warnings:
                told.clear()
                env.tell_warnings(answer.warnings)
            if answer.stop:
                return answer.stop
            told.next()
    except (KeyboardInterrupt, Terminated) as signal:
        return Status.of(signal).exit_code
    return 0
