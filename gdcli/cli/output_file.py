"""Where the answer goes: standard output, or a file that is written whole or not at all.

A file is written under a passing name in its own directory, forced to disk and renamed into place, so that no
reader and no crash ever meets half an answer, and an earlier answer survives a run that failed. The passing
file is made before the run: what cannot be written is known before the hours are spent.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, cast

from gdcli.cli.option_types import Options, options_of
from gdcli.kernel.errors import GdError, Span, UsageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from gdcli.api import Problem
    from gdcli.cli.environment import Environment
    from gdcli.cli.options import OutputOptions
    from gdcli.record.serialization import Words
    from gdcli.render.machine_formats import Path


class _NamedFile(io.FileIO):
    """A file that is ``called`` so in the error where it cannot be written: several files may be open."""

    def __init__(self, file: str | int, called: str) -> None:
        super().__init__(file, "w")
        self._called = called

    def write(self, data: ReadableBuffer) -> int:
        """Write as a file does. Raises GdError where the disk is full, say."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise _unwritten(self._called, fault) from None


def _unwritten(called: str, fault: BaseException) -> GdError:
    if isinstance(fault, GdError):
        return fault
    return GdError(f"cannot write {called}: {getattr(fault, 'strerror', fault)}", "nothing was written")


class Destination:
    """``with Destination(path, stdout) as stream:`` write; the file appears at the end, unless an exception ended
    it. Errors name the ``option``.
    """

    _what = "file"

    def __init__(self, path: str | None, stdout: TextIO, option: str = "--output") -> None:
        self._path = "" if path is None or path == "-" else os.path.realpath(path)
        if path and os.path.exists(path) and not os.path.exists(self._path):
            self._path = path  # /dev/stdout in a pipe: it leads to no name
        self._typed, self._option = path or "", option
        self._passing = ""
        self._stream = stdout

    def __enter__(self) -> TextIO:
        if self._path:
            try:
                self._stream = self._open()
            except OSError as fault:
                raise self._unwritable(fault.strerror or str(fault)) from None
        return self._stream

    def _unwritable(self, why: str) -> UsageError:
        span = Span(self._typed, 0, len(self._typed), self._option)
        return UsageError(f"cannot write the {self._what}: {why}", folder_hint(self._path), span)

    def _open(self) -> TextIO:
        try:
            mode = os.stat(self._path).st_mode
        except FileNotFoundError:
            mode = 0
        if stat.S_ISDIR(mode):
            raise self._unwritable("it is a directory")
        if mode and not stat.S_ISREG(mode):  # a device or a named pipe: nothing to rename
            return self._text(self._path)
        if mode and not os.access(self._path, os.W_OK):
            raise self._unwritable("it is write-protected")
        folder, name = os.path.split(self._path)
        self._passing = os.path.join(folder, f".{name[:100]}.{os.urandom(4).hex()}.tmp")
        handle = os.open(self._passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(mode) or 0o666)
        return self._text(handle)

    def _text(self, file: str | int) -> TextIO:
        return io.TextIOWrapper(
            io.BufferedWriter(_NamedFile(file, self._typed)), encoding="utf-8", newline=""
        )

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if not self._path:
            return
        try:
            self._stream.flush()
            if kind is None and self._passing:
                os.fsync(self._stream.fileno())
                self._stream.close()
                os.replace(self._passing, self._path)
                self._passing = ""
        except (OSError, GdError) as fault:
            if kind is None:
                raise _unwritten(self._typed, fault) from None
        finally:
            self._close()

    def _close(self) -> None:
        with suppress(OSError, GdError):  # what is left in the buffer belongs to a file that goes away
            self._stream.close()
        if self._passing:
            with suppress(OSError):
                os.unlink(self._passing)


def folder_hint(path: str) -> str:
    """Return a hint where the folder of a file is not there."""
    folder = os.path.dirname(os.path.abspath(path))
    return "" if os.path.isdir(folder) else f"there is no folder {folder}"


def check(options: Options) -> None:
    """Raise UsageError where a command line would write over a file that it reads, or write one twice."""
    named = _named(options)
    for k, (option, path) in enumerate(named):
        for other, taken in named[:k]:
            if same_file(path, taken):
                raise UsageError(f"{other} and {option} name the same file", "give each a name of its own")
    for option, path in named:
        for what, taken in _inputs(options):
            if same_file(path, taken):
                raise UsageError(
                    f"{option} would overwrite {what}",
                    "give it another name",
                    Span(path, 0, len(path), option),
                )


def _named(options: Options) -> list[tuple[str, str]]:
    """The files that are to be written, each with its option: no option names a file to be read."""
    rows = [row for row in options_of(type(options)) if row.metavar == "FILE"]
    named = ((row.name, getattr(options, row.field)) for row in rows)
    return [(option, path) for option, path in named if path not in (None, "", "-")]


def check_standard_output(path: str, stdout: TextIO) -> None:
    """Raise UsageError where standard output is appended to the file that is read: there would be no end."""
    with suppress(OSError, ValueError):
        out, read = os.fstat(stdout.fileno()), os.stat(path)
        if stat.S_ISREG(out.st_mode) and os.path.samestat(out, read):
            raise UsageError(f"{path} is read and written", "write the answers to another file")


def _inputs(options: Options) -> Iterator[tuple[str, str]]:
    """Yield the files that a command line reads, each with what it is."""
    files: Sequence[str] = getattr(options, "files", ())
    if files:
        from gdcli.table.source import expand

        yield from (("the data", path) for path in expand(files) if path != "-")
    if file := options.typed.get("file"):
        yield "the file that is read", file
    several = (one for one in options.typed.values() if isinstance(one, list | tuple))
    texts = [options.typed.get("expression") or "", *(text for one in several for text in one)]
    # @FILE, or NAME=@FILE of a constant.
    for text in texts:
        yield from (("a file that is read", path) for path in re.findall("(?:^|=)@([^,]+)", text))


def same_file(one: str, other: str) -> bool:
    """Tell whether two paths lead to the same regular file, there already or not yet."""
    try:
        if os.path.samefile(one, other):
            return stat.S_ISREG(os.stat(one).st_mode)
    except (OSError, ValueError):
        pass
    return os.path.realpath(one) == os.path.realpath(other) and not os.path.exists(one)


# -- the path of a run beside its answer -----------------------------------------------------------------------------


class _UntilFault:
    """A text stream that writes until that fails; the fault is kept, and nothing more written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.fault: OSError | GdError | None = None

    def write(self, text: str) -> None:
        self._try(lambda: self._stream.write(text))

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, do: Callable[[], object]) -> None:
        try:
            if self.fault is None:
                do()
        except (OSError, GdError) as fault:
            self.fault = fault


class Tracing:
    """``with Tracing(path, options, env) as tracing:`` run with ``tracing.observers(problem)``, which write it.

    What cannot be written is an error at the end: the run goes on, and its answer is told before.
    """

    def __init__(self, path: str, options: OutputOptions, env: Environment) -> None:
        self._options, self._name = options, path
        if self._name == "-":
            told = "--trace takes a file, and standard output has the answer"
            raise UsageError(told, "--format jsonl has path and answer", Span("-", 0, 1, "--trace"))
        self._file = Destination(self._name, env.stdout, "--trace")
        self._path: Path | None = None
        self._stream = _UntilFault(env.stdout)

    def __enter__(self) -> Tracing:
        self._stream = _UntilFault(self._file.__enter__())
        return self

    def observers(self, problem: Problem, words: Callable[[], Words] | None = None) -> list[Path]:
        """Return what writes the path of a run on ``problem``; ``words`` gives those of its kind of run."""
        from gdcli.kernel.vectors import Space
        from gdcli.record import serialization
        from gdcli.render import machine_formats

        kind = (
            machine_formats.PathLines
            if self._name.lower().endswith((".jsonl", ".ndjson"))
            else machine_formats.PathRows
        )
        sign = problem.sign
        options, space = self._options, Space(problem.lengths)
        named = serialization.words_for(problem, serialization.WORDS if words is None else words())
        stream = cast("TextIO", self._stream)
        self._path = kind(stream, sign, space, options.every or 1, options.timing, named)
        return [self._path]

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        try:
            if kind is None and self._path is not None:
                self._path.end()
            if kind is None and self._stream.fault is not None:
                kind = type(self._stream.fault)
                raise self._stream.fault
        finally:
            self._file.__exit__(kind, value, trace)
