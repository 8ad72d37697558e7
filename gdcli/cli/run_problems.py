"""The problems of `gd run`: tables of a file, or lines as they arrive, and each of them from there to an answer.

What is wrong with a problem is its answer, so that the others go on. One `Solver`, in this process or in a worker,
solves many problems and compiles an expression that they share once.

Lines are read with `os.read` and cut here, because whoever reads must also be able to wait for something else
meanwhile: `ProblemLines.fileno` is ready when `ProblemLines.fill` will not block.
"""

from __future__ import annotations

import json
import os
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gdcli.cli.commands import COMMANDS, FitOptions, MinimizeOptions
from gdcli.cli.environment import Environment
from gdcli.cli.option_types import Option, Options
from gdcli.cli.options import (
    OWN_GROUPS,
    SOLVER,
    EpochsOptions,
    FitDataOptions,
    GroupsOptions,
    IntervalsOptions,
    PartitionsOptions,
)
from gdcli.cli.output_file import check_standard_output
from gdcli.kernel.budget import limited
from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import GdError, UsageError, did_you_mean_file, internal
from gdcli.record.faults import Checked
from gdcli.record.fits import record_of
from gdcli.render.formats import Shape
from gdcli.render.verdicts import Shown
from gdcli.tasks import problem_file
from gdcli.tasks.fit.request import FitRequest, FitSettings
from gdcli.tasks.problem_file import FileProblem

if TYPE_CHECKING:
    from gdcli.record.runs import RunRecord
    from gdcli.solve.iteration import Observer


MAX_LINE = 16 * 1024 * 1024  # bytes of one problem

# With forms of their own in a problem file.
_OWN_KEYS = ("--start", "--set", "--let", "--bounds", "--subject-to")
# What a problem may set besides its own keys, by command; where the answer goes is not a problem's to say.
OPTIONS: dict[str, dict[str, Option[Any]]] = {
    command: {
        o.name: o for o in COMMANDS[command].options if o.group not in OWN_GROUPS and o.name not in _OWN_KEYS
    }
    for command in problem_file.COMMANDS
}


class Task(NamedTuple):
    """A problem to solve: a table that was read, or the bytes of a line (None: it was too long)."""

    number: int
    problem: FileProblem | bytes | None


class Answer(NamedTuple):
    """What came of a problem: how it counts, and the text (or, where all are needed together, the whole of it)."""

    number: int
    status: str
    exit_code: int
    text: str
    checked: Checked | None
    warnings: tuple[str, ...]
    stop: int = 0  # the code of an interrupt


def taken(early: dict[int, Answer], waiting: deque[int], ordered: bool) -> Iterator[Answer]:
    """Take away and yield the answers that are there by their numbers: all, or ``ordered`` those whose turn it is.

    ``waiting`` are the numbers of the problems that are out, in order.
    """
    if not ordered:
        for number in early:
            waiting.remove(number)
        yield from early.values()
        early.clear()
    while waiting and waiting[0] in early:
        yield early.pop(waiting.popleft())


class Solver:
    """Solves problems one after the other; ``file`` names where lines come from, ``observers`` see all iterates."""

    def __init__(self, file: str, shown: Shown, observers: Sequence[Observer] = ()) -> None:
        self._file, self._shown, self._observers = file, shown, observers
        self._build: Any = None

    def __call__(self, task: Task) -> Answer:
        """Return the answer to one problem; an error of the user's is an answer."""
        checked = self._checked(task)
        keep = not self._shown.format.streams
        text = "" if keep else self._shown(checked, task.number)
        found = checked.found
        warnings: tuple[str, ...] = ()
        stop = 0
        if found is not None:
            if self._shown.format.shape is not Shape.LINES or not isinstance(task.problem, bytes):
                name = checked.name or f"line {task.number}"
                warnings = tuple(f"{name}: {warning}" for warning in found.warnings)
            if found.status in ("interrupted", "terminated"):
                stop = found.exit_code
        return Answer(
            task.number, checked.status, checked.exit_code, text, checked if keep else None, warnings, stop
        )

    def _checked(self, task: Task) -> Checked:
        try:
            entry = self._entry(task)
        except UsageError as error:
            name = problem_file.name_of_line(task.problem) if isinstance(task.problem, bytes) else ""
            return Checked(name, None, None, error, error.message)
        return self.check(entry)

    def _entry(self, task: Task) -> FileProblem:
        if task.problem is None:
            raise UsageError(f"{self._file}:{task.number}: the line is longer than {MAX_LINE // 2**20} MB")
        if isinstance(task.problem, bytes):
            return problem_file.read_line(task.problem, self._file, task.number, OPTIONS)
        return task.problem

    def check(self, entry: FileProblem) -> Checked:
        try:
            outcome = self._solved(entry)
        except GdError as error:
            located = entry.located(error)
            return Checked(entry.name, entry.expect, None, located, located.message)
        except Exception as fault:  # ours, and no reason to leave the other problems unsolved
            told = entry.located(internal(fault))
            return Checked(entry.name, entry.expect, None, told, told.message)
        if entry.expect is None:
            miss = f"status {outcome.status.value}" if outcome.status.exit_code else ""
        else:
            miss = entry.expect.misses(
                outcome.status.value, outcome.status.exit_code, outcome.value, outcome.point
            )
        return Checked(entry.name, entry.expect, self._stamped(entry, record_of(outcome)), None, miss)

    def _stamped(self, entry: FileProblem, found: RunRecord) -> RunRecord:
        """The record with what json and jsonl say of how to repeat it."""
        if not self._shown.format.is_record:
            return found
        from gdcli.cli.record_file import named_files, receipt

        command = entry.sense if entry.command != "fit" else "fit"
        texts = entry.options.items()
        options: dict[str, Any] = {name[2:]: v if isinstance(v, str) else list(v) for name, v in texts}
        own = {"let": entry.let, "bounds": entry.bounds, "subject-to": entry.subject_to}
        options = {name: list(texts) for name, texts in own.items() if texts} | options
        if getattr(found.problem, "search", None) is not None:
            options["start"] = [*(text for text in entry.start if text != "auto"), "auto"]
        files = entry.data if entry.command == "fit" and isinstance(entry.data, tuple) else None
        made = receipt(command, options, found.problem.space.size, named_files(files))
        return replace(found, receipt=made)

    def _solved(self, entry: FileProblem) -> Any:
        from gdcli import api

        options = options_for(entry)
        if isinstance(options, FitOptions):
            return _fitted(entry, options, self._observers, self._shown.format.is_record)
        assert isinstance(options, MinimizeOptions)
        if self._build is None:
            self._build = api.shared_objectives()
        settings = api.Settings(**options.given(*SOLVER))
        with limited(settings):
            problem = entry.problem(options.seed or 0)
        from gdcli.cli import proof_commands

        if options.global_:
            proof_commands.check(options)
            return proof_commands.solve_by_boxes(
                problem, settings, None, options, self._shown.format.is_record
            )
        if options.cluster:
            proof_commands.check_cluster(options)
        if options.multi_start is None:
            shared = settings.gradient == "autodiff"
            return api.solve(problem, settings, self._observers, build=self._build if shared else None)
        return proof_commands.solve_many(options, problem, settings, self._observers)


def options_for(entry: FileProblem) -> Options:
    """Return the options that the problem sets, read as on the command line."""
    known = OPTIONS[entry.command]
    found: dict[str, Any] = {}
    for name, text in entry.options.items():
        option = known[name]
        if not isinstance(text, str):
            found[option.field] = tuple(option.read(one, name) for one in text)
        elif not option.metavar:
            found[option.field] = text == "true"
        else:
            found[option.field] = option.read(text, name)
    return COMMANDS[entry.command].takes(found, entry.command)


def fit_of(entry: FileProblem, options: FitOptions) -> tuple[FitRequest, FitSettings]:
    """Return what is asked of a fit, and how it is to be solved, as the command line does. Raises UsageError."""
    asked = options.given(FitDataOptions, GroupsOptions, IntervalsOptions, PartitionsOptions)
    asked |= {"start": entry.start, "let": entry.let, "bounds": entry.bounds, "subject_to": entry.subject_to}
    asked["constants"] = entry.constants
    asked["models"] = asked.pop("model")
    del asked["set"]
    asked["data" if isinstance(entry.data, dict) else "files"] = entry.data
    if options.global_ and not entry.start:
        asked["start"] = ("auto",)
    return FitRequest(entry.expression, **asked), FitSettings(**options.given(*SOLVER, EpochsOptions))


def _fitted(entry: FileProblem, options: FitOptions, observers: Sequence[Observer], keep: bool) -> Any:
    from gdcli import api
    from gdcli.tasks.fit.prepare import prepared

    request, settings = fit_of(entry, options)
    if not options.global_:
        return api.solve_fit(request, settings, observers)
    from gdcli.cli import proof_commands

    proof_commands.check_fit(options)
    with limited(settings), prepared(request, settings) as ready:
        return proof_commands.solve_fit_by_boxes(ready, settings, None, keep)


def lost(task: Task, file: str, shown: Shown, why: str) -> Answer:
    place = f"{file}:{task.number}"
    name = ""
    if isinstance(task.problem, FileProblem):
        place, name = task.problem.place, task.problem.name
    error = GdError(f"{place}: {why}", "it may have taken too much memory", None)
    checked = Checked(name, None, None, error, error.message)
    keep = not shown.format.streams
    text = shown(checked, task.number)
    return Answer(task.number, checked.status, checked.exit_code, text, checked if keep else None, ())


# -- where problems come from -----------------------------------------------------------------------------------------


_BLOCK = 1 << 16
LINES = (".jsonl", ".ndjson", ".json")


class Tables:
    ended = True

    def __init__(self, entries: Sequence[FileProblem]) -> None:
        self.pending = deque(Task(number, entry) for number, entry in enumerate(entries, 1))

    def fileno(self) -> int:
        """Never asked for: it has ended."""
        raise ValueError

    def fill(self) -> None:
        """There is nothing more."""

    def close(self) -> None:
        """There is nothing to close."""


class ProblemLines:
    """Problems line by line: ``pending`` has those read, and ``ended`` tells that no more will come."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._begun = bytearray()  # of a line whose end was not read yet
        self._too_long = False
        self._number = 0
        self.pending: deque[Task] = deque()
        self.ended = False

    def fileno(self) -> int:
        return self._handle

    def fill(self) -> None:
        block = os.read(self._handle, _BLOCK)
        self.ended = not block
        first, *rest = block.split(b"\n")
        self._begun += first
        if rest or (self.ended and self._begun):
            self._line(bytes(self._begun))
            for line in rest[:-1]:
                self._line(line)
            self._begun = bytearray(rest[-1] if rest else b"")
            self._too_long = False
        if len(self._begun) > MAX_LINE:
            self._too_long = True
            self._begun.clear()

    def _line(self, line: bytes) -> None:
        self._number += 1
        if self._number == 1:
            line = line.removeprefix(BOM_UTF8)
        if self._too_long:
            self.pending.append(Task(self._number, None))
            self._too_long = False
        elif not line.isspace() and line:
            self.pending.append(Task(self._number, line))

    def begun(self) -> bytes:
        """Return the beginning of the text, as far as it was read, without spaces before it."""
        text = bytes(self._begun)
        if self.pending:
            text = self.pending[0].problem if isinstance(self.pending[0].problem, bytes) else b"?"
        return text.removeprefix(BOM_UTF8).lstrip()

    def whole(self) -> bytes:
        while not self.ended:
            self.fill()
        text = [b"\n"] * self._number
        for task in self.pending:
            text[task.number - 1] = (task.problem if isinstance(task.problem, bytes) else b"?") + b"\n"
        return b"".join(text)

    def unfold(self) -> None:
        """Take one document, an object over several lines or an array of objects, as a line for each object."""
        self.fill()
        begun = self.begun()
        if begun.startswith(b"[") or begun.rstrip() == b"{":
            with suppress(ValueError):
                found = json.loads(self.whole())
                each = found if isinstance(found, list) else [found]
                self.pending = deque(Task(k, json.dumps(one).encode()) for k, one in enumerate(each, 1))

    def close(self) -> None:
        """Close the handle; of standard input it is a copy."""
        os.close(self._handle)


def open_problems(path: str, names: Sequence[str], env: Environment) -> tuple[str, Tables | ProblemLines]:
    """Return what the input is called, and its problems.

    A name that ends in .toml, or text that begins with anything but ``{``, is TOML; else each line is a problem. Raises
    UsageError for what cannot be read, and for names of tables that there are not.
    """
    file = "standard input" if path == "-" else path
    if path.endswith(".toml"):
        return file, Tables(problem_file.select(problem_file.read(path, OPTIONS), names, file))
    if path != "-":
        check_standard_output(path, env.stdout)
    lines = ProblemLines(_opened(path, env))
    try:
        if not path.endswith(LINES) and not _is_lines(lines):
            content = lines.whole()
            lines.close()
            found = problem_file.read_tables(content, file, OPTIONS)
            return file, Tables(problem_file.select(found, names, file))
        if path.endswith(".json"):
            lines.unfold()
        if names:
            hint = "grep and jq choose lines; a TOML file has problems with names"
            raise UsageError(f"{file} has problems by the line, and a name chooses none", hint)
    except OSError as fault:
        raise UsageError(f"cannot read {path}: {fault.strerror}") from None
    return file, lines


def _opened(path: str, env: Environment) -> int:
    if path == "-":
        return env.input_handle()
    try:
        return os.open(path, os.O_RDONLY)
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or str(fault)
        raise UsageError(f"cannot read {path}: {why}", did_you_mean_file(path)) from None


def _is_lines(lines: ProblemLines) -> bool:
    """Tell whether the text begins with ``{``, or is empty, after reading as much of it as that takes."""
    while True:
        begun = lines.begun()
        if begun or lines.ended:
            return not begun or begun.startswith(b"{")
        lines.fill()
