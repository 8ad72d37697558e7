"""Where the problems of `gd run` come from: tables of a file, or lines as they arrive.

Lines are read with `os.read` and cut here, because whoever reads must also be able to wait for something else
meanwhile: `ProblemLines.fileno` is ready when `ProblemLines.fill` will not block.
"""

from __future__ import annotations

import json
import os
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from gdcli.cli.environment import Environment
from gdcli.cli.output_file import check_standard_output
from gdcli.cli.run_solver import MAX_LINE, OPTIONS, Task
from gdcli.kernel.errors import UsageError, did_you_mean_file
from gdcli.tasks import problem_file
from gdcli.tasks.problem_file import FileProblem

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
            return file, Tables(problem_file.select(_tables(lines, file), names, file))
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


def _tables(lines: ProblemLines, file: str) -> list[FileProblem]:
    content = lines.whole()
    lines.close()
    return problem_file.read_tables(content, file, OPTIONS)
