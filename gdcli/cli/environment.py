"""What a command finds around it: its streams, who looks at them, the clock and the signals.

The command line makes one `Environment` for each command that it runs, and hands it to the command. A command that is
run within another, or by a test, is given another.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from time import perf_counter
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, TypeVar

from gdcli.kernel.budget import LATE, LEAST_LATE, TIME, Capped, Spent, limited
from gdcli.kernel.errors import Abandoned, Terminated, UsageError, harmless
from gdcli.kernel.standard_input import SOURCE

if TYPE_CHECKING:
    from gdcli.cli.options import OutputOptions
    from gdcli.render.formats import Format
    from gdcli.render.progress import Caps, Progress
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.tasks.fit.prepare import Prepared
    from gdcli.tasks.pipeline import Outcome


Answered = TypeVar("Answered", bound="Outcome")
# Lines up to this many bytes are never torn; memory that is not written to costs nothing.
_WHOLE = 1 << 22


class ClosedOutput(io.RawIOBase):
    """Stands for a standard output that the caller closed (``gd ... >&-``): writing to it fails, once."""

    failed = False

    def writable(self) -> bool:
        """Tell that something can be written, so that a buffer tries it."""
        return True

    def write(self, data: object) -> int:
        """Raise OSError; after that, in the clearing up at the end, do nothing."""
        if not self.failed:
            self.failed = True
            import errno

            raise OSError(errno.EBADF, "standard output is closed")
        return len(data)  # type: ignore[arg-type]


class Environment:
    """``with Environment.of_process() as env:`` run a command with it.

    ``given`` is what stands for standard input, None where there is none.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        given: TextIO | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.stdout, self.stderr, self.clock = stdout, stderr, clock
        self._given = given
        self._sigterm: Any = None  # what was done with it before

    @classmethod
    def of_process(cls) -> Environment:
        """Return the environment of this process, whatever state its caller left the standard streams in."""
        prepare()
        return cls(sys.stdout, sys.stderr, sys.stdin)

    def captured(self, stdout: TextIO) -> Environment:
        return Environment(stdout, StringIO(), self._given, self.clock)

    def __enter__(self) -> Environment:
        self._input_before = SOURCE.set(lambda: self.stdin)
        return self

    def __exit__(self, *ended: object) -> None:
        SOURCE.reset(self._input_before)
        if self._sigterm is not None:
            import signal

            signal.signal(signal.SIGTERM, self._sigterm)

    @property
    def has_input(self) -> bool:
        """Whether something may come from standard input: it is open, and no person sits at it."""
        return self._given is not None and not self._given.isatty()

    @property
    def stdin(self) -> BinaryIO | None:
        """Standard input as bytes; None where the caller closed it."""
        if self._given is None:
            return None
        found: BinaryIO | None = getattr(self._given, "buffer", None)
        return io.BytesIO(self._given.read().encode()) if found is None else found

    def stdin_for(self, files: Sequence[str]) -> BinaryIO | None:
        """Return standard input where it is one of the files, which is called ``-``."""
        return self.stdin if "-" in files else None

    def input_handle(self) -> int:
        """Return a handle of standard input, by which one can wait for it; the caller closes it.

        What stands for standard input without one (in a test, in a notebook) is copied into a file that goes away.
        Raises UsageError where standard input is closed.
        """
        stdin = self.stdin
        if stdin is None:
            raise UsageError("standard input is closed")
        with suppress(OSError):
            return os.dup(stdin.fileno())
        from tempfile import TemporaryFile

        with TemporaryFile() as copy:
            copy.write(stdin.read())
            copy.seek(0)
            return os.dup(copy.fileno())

    def warn(self, text: str) -> None:
        """Write to standard error; one that is closed is no reason to fail."""
        with suppress(OSError, ValueError, AttributeError):
            self.stdout.flush()
            self.stderr.write(text)
            self.stderr.flush()

    def tell_warnings(self, warnings: tuple[str, ...], seen: bool = False) -> None:
        if warnings and not seen:
            self.warn("".join(f"warning: {harmless(warning)}\n" for warning in warnings))

    def drop_output(self) -> None:
        """Send what standard output still holds nowhere, so that the interpreter ends quietly."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stdout.fileno())
            os.close(nowhere)

    # -- who looks ---------------------------------------------------------------------------------------------------

    def timing(self, options: OutputOptions, stream: TextIO) -> bool:
        """Return whether times are shown: where they are asked for, and on a terminal."""
        from gdcli.render.formats import is_terminal

        return options.timing or is_terminal(stream)

    def warned(self, options: OutputOptions, stream: TextIO) -> bool:
        """Return whether a person saw the warnings already: in a page, on the terminal that is standard error too."""
        from gdcli.render.formats import is_terminal

        return options.is_page and is_terminal(stream) and is_terminal(self.stderr)

    def free_terminal(self, format: Format, output: str | None) -> TextIO | None:
        """Return where it is told how far a run has come: not on a terminal through which rows of the answer run."""
        from gdcli.render.formats import is_terminal

        rows = format.streams and not output and is_terminal(self.stdout)
        return None if rows or not is_terminal(self.stderr) else self.stderr

    def progress(self, options: OutputOptions, sign: int | None = None, caps: Caps | None = None) -> Progress:
        """Return what tells on a terminal how far a command has come; ``sign`` and ``caps`` are those of a run."""
        from gdcli.render.progress import Progress

        stream = self.free_terminal(options.written_as, options.output)
        return Progress(stream, self.clock, sign, caps)

    def text_stream(self, options: OutputOptions) -> TextIO:
        """Return where a picture in text goes: below a table, and beside an answer that a program reads."""
        return self.stdout if options.is_page else self.stderr

    # -- signals -----------------------------------------------------------------------------------------------------

    def on_sigterm(self) -> None:
        """From now on SIGTERM ends the run as Ctrl-C does, with the best so far; not possible in a thread."""
        import signal

        def terminate(number: int, frame: object) -> None:
            raise Terminated

        with suppress(ValueError):  # in a thread no handler can be set
            before = signal.signal(signal.SIGTERM, terminate)
            if self._sigterm is None:
                self._sigterm = before

    @contextmanager
    def heard_by(self, checkpointer: Checkpointer) -> Iterator[Checkpointer]:
        """Within this, signals ask ``checkpointer`` to end the run; in a thread, where none arrive, nothing changes.

        The first ends a run after its present step, the second ends the program at once. Where no run listens (data are
        read, an answer is certified) the first one ends what is going on by an exception, which leaves what there is.
        """

        import signal

        from gdcli.kernel.status import StopReason

        reasons = {signal.SIGINT: StopReason.INTERRUPTED, signal.SIGTERM: StopReason.TERMINATED}

        def hear(number: int, frame: object) -> None:
            if checkpointer.asked is not None:
                raise Abandoned(128 + number)
            checkpointer.asked = reasons[signal.Signals(number)]
            if not checkpointer.listening:
                raise KeyboardInterrupt if number == signal.SIGINT else Terminated

        before = {}
        try:
            for number in reasons:
                # Who started the program in the background may want SIGINT ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, hear)
        except ValueError:
            pass
        try:
            yield checkpointer
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Session:
    """One command that may be stopped, by what its ``checkpointer`` is asked; nothing of it is kept in a file."""

    def __init__(self, checkpointer: Checkpointer) -> None:
        self.checkpointer = checkpointer

    def watch(self, observers: Sequence[Any]) -> None:
        """Keep with the run what these have seen of it."""

    def check_data(self, ready: Prepared) -> None:
        """Raise DataError where the data of a fit are not those that it began with."""

    def finish(self, outcome: Answered) -> Answered:
        """The answer is there: tell so, or how to go on; return it with that as its advice."""
        return outcome


# -- the streams of this process ---------------------------------------------------------------------------------------


def prepare() -> None:
    """Make standard streams that never raise for a character, and exist."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:
            _occupy_handles()
            setattr(sys, name, _closed() if name == "stdout" else open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def hold_lines() -> None:
    """Give standard output, where it is no terminal, a buffer that goes on where an interrupt cut it off.

    A signal ends a write to a full pipe in the midst of a line. Python's buffer keeps the rest of what it holds, but
    has 8 KB, and with PYTHONUNBUFFERED there is none; it asks for each line at once, and so it is here too.
    """
    stream: Any = sys.stdout
    buffer = getattr(stream, "buffer", None)
    if not isinstance(getattr(buffer, "raw", buffer), io.FileIO) or stream.isatty():
        return
    stream.flush()
    held = io.BufferedWriter(io.FileIO(stream.fileno(), "wb", closefd=False), _WHOLE)
    at_once = isinstance(buffer, io.FileIO)
    sys.stdout = io.TextIOWrapper(held, stream.encoding, stream.errors, line_buffering=at_once)


def _occupy_handles() -> None:
    """Open nothing in the places of closed streams, so that no file of ours comes to stand there."""
    handle = os.open(os.devnull, os.O_RDWR)
    while handle < 3:
        handle = os.open(os.devnull, os.O_RDWR)
    os.close(handle)


def _closed() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(ClosedOutput()), encoding="utf-8", errors="backslashreplace")


# -- a cap on time ---------------------------------------------------------------------------------------------------


@contextmanager
def interrupted(asked: Capped, late: bool = False) -> Iterator[None]:
    """Open a budget whose time is kept by an alarm of the system too, which raises Spent wherever the program is: also
    where nobody asks the budget, in the algebra of sympy.

    With ``late`` the alarm comes when also the certificate has had its time: what asks by itself has ended by then.
    Raises LimitError as `gdcli.kernel.budget.limited`.
    """
    import signal
    import threading

    with limited(asked):
        seconds = asked.max_time
        if seconds and late:
            seconds += max(LEAST_LATE, LATE * seconds)
        is_main = threading.current_thread() is threading.main_thread()
        if not (seconds and hasattr(signal, "setitimer") and is_main):
            yield
            return

        def ring(number: int, frame: object) -> None:
            raise Spent(TIME)

        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)
