"""`gd` itself: which command, what to do when something is wrong, and the exit code.

Errors have one policy, and it is here. A `GdError` is a message, the place at fault and a hint on standard
error (and a record on standard output where JSON was asked for), never a traceback; whatever else is raised
is a fault of the program and says so. Ctrl-C, SIGTERM and a closed pipe end quietly with the code that
shells expect.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from gdcli import __version__
from gdcli.cli import argv, standard_streams
from gdcli.cli.commands import COMMANDS, Command
from gdcli.cli.standard_streams import warn
from gdcli.kernel.errors import Abandoned, GdError, Terminated, UsageError, did_you_mean, internal

CLOSED = 141  # the code of a program that SIGPIPE ended


# What a command makes in its first tenth of a second is modules and programs, which stay. Looking through them for
# cycles of garbage after every 700 objects, as Python does, takes a twentieth of that time.
_OBJECTS = 100_000


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(_OBJECTS)
    standard_streams.prepare()
    standard_streams.hold_lines()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run ``arguments`` and return the exit code."""
    standard_streams.prepare()
    # Numpy's matrix library counts its threads when it is loaded, by whom ever: with several, sums have other bits.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        return _answer(arguments)
    except BrokenPipeError:
        standard_streams.drop_output()
        return CLOSED
    except OSError as fault:  # what was still in the buffer did not fit on the disk
        standard_streams.drop_output()
        _complain(GdError(f"cannot write the answer: {fault.strerror}"))
        return 1
    except (KeyboardInterrupt, Terminated) as signal:
        from gdcli.kernel.status import Status

        return Status.of(signal).exit_code
    except Abandoned as twice:
        return twice.exit_code


def _answer(arguments: Sequence[str]) -> int:
    """Run ``arguments``; only interrupts and failed writes to standard output come out of it."""
    try:
        code = _dispatch(arguments)
    except GdError as error:
        code = _report(error, arguments)
    except OSError as fault:
        if fault.filename is None:  # a write that failed: closed pipe or full disk
            raise
        code = _report(internal(fault), arguments)
    except Exception as fault:
        code = _report(internal(fault), arguments)
    sys.stdout.flush()
    return code


def _report(error: GdError, arguments: Sequence[str]) -> int:
    _complain(error)
    if _wants_json(arguments):
        from gdcli.record.faults import error_record
        from gdcli.record.serialization import json_text

        print(json_text(error_record(error).to_json()))
    return error.exit_code


def _dispatch(arguments: Sequence[str]) -> int:
    if not arguments:
        warn(_help(None))
        return 2
    first, *rest = arguments
    if first == "--version":
        print(f"gd {__version__}")
        return 0
    if first in argv.HELP:
        sys.stdout.write(_help(None))
        return 0
    command = COMMANDS.get(first)
    if command is None:
        raise _unknown_command(first)
    arranged = argv.arrange(rest, command)
    if arranged == ["--help"]:
        sys.stdout.write(_help(command))
        return 0
    typed = argv.read(arranged, command)
    values = argv.convert(dict(typed), command) | {"command": command.name, "typed": typed}
    if "output" in values:
        from gdcli.cli import output_file

        output_file.check(values)
    if "plot" in values:
        from gdcli.cli import canvas

        canvas.check_look(values)
    code: int = command.load()(values)
    return code


def _help(command: Command | None) -> str:
    from gdcli.cli import help_command as by_typer

    return by_typer.text(command)


def _unknown_command(word: str) -> UsageError:
    from gdcli.cli import option_synonyms  # only an error needs them

    shown = word if len(word) <= 40 else word[:37] + "..."
    if word.startswith("--"):
        options = ["--help", "--version"]
        hint = did_you_mean(word, options, "options come after the command: gd COMMAND ... OPTIONS")
        if meant := option_synonyms.command(word[2:]):
            hint = f"commands have no dashes: gd {meant}"
        return UsageError(f"unknown option {shown}", hint)
    meant = option_synonyms.command(word)
    hint = f"write gd {meant}" if meant else did_you_mean(word, COMMANDS, "'gd --help' lists the commands")
    if word.strip("-").lower() in ("version", "v"):
        hint = "write gd --version"
    elif "~" in word:
        hint = f"to fit a model to data: gd fit '{shown}' data.csv"
    elif not meant and any(character in word for character in "+-*/^()= "):
        hint = f"to minimize an expression: gd minimize '{shown}'"
    return UsageError(f"unknown command '{shown}'", hint)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Return whether JSON was asked for, also on a command line that cannot be read."""
    words = list(arguments)
    for index, word in enumerate(words):
        if word in ("--format=json", "--format=jsonl"):
            return True
        if word == "--format" and words[index + 1 : index + 2] in (["json"], ["jsonl"]):
            return True
    return False


def _complain(error: GdError) -> None:
    from gdcli.kernel.error_text import fault_text

    warn(fault_text(error))
