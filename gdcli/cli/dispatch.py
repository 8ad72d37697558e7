"""One command run: its options checked together, its function called, and what is wrong told.

Errors have one policy, and it is here. A `GdError` is a message, the place at fault and a hint on standard
error (and a record on standard output where JSON was asked for), never a traceback; whatever else is raised
is a fault of the program and says so. Ctrl-C, SIGTERM and a closed pipe end quietly with the code that
shells expect.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import pairwise

from gdcli.cli import argv
from gdcli.cli.commands import COMMANDS, Command
from gdcli.cli.environment import Environment
from gdcli.cli.option_rows import TypedOptions
from gdcli.cli.option_values import beginning
from gdcli.cli.options import PictureOptions
from gdcli.kernel.errors import Abandoned, GdError, Terminated, UsageError, did_you_mean, fault_text, internal
from gdcli.render.formats import FORMATS

CLOSED = 141  # the code of a program that SIGPIPE ended


Action = Callable[[Environment], int]


def guarded(arguments: Sequence[str], action: Action, env: Environment | None = None) -> int:
    """Return the exit code of ``action``, which does what ``arguments`` ask for; what it raises is told here.

    It is given ``env`` (None: that of the process).
    """
    with env or Environment.of_process() as env:
        return _guarded(arguments, action, env)


def _guarded(arguments: Sequence[str], action: Action, env: Environment) -> int:
    # Numpy's matrix library counts its threads when it is loaded, by whom ever: with several, sums have other bits.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        return _answer(arguments, action, env)
    except BrokenPipeError:
        env.drop_output()
        return CLOSED
    except OSError as fault:  # what was still in the buffer did not fit on the disk
        env.drop_output()
        _complain(env, GdError(f"cannot write the answer: {fault.strerror}"))
        return 1
    except (KeyboardInterrupt, Terminated) as signal:
        from gdcli.kernel.status import Status

        return Status.of(signal).exit_code
    except Abandoned as twice:
        return twice.exit_code


def perform(command: Command, typed: TypedOptions, env: Environment) -> int:
    """Run ``command`` with the texts that its options and arguments have; return its exit code."""
    options = argv.convert(typed, command)
    if options.writes:
        from gdcli.cli import output_file

        output_file.check(options)
    if isinstance(options, PictureOptions) and options.given(PictureOptions):
        from gdcli.cli import canvas

        canvas.check_look(options)
    return command.load()(options, env)


def unknown_command(word: str, before: str = "gd") -> UsageError:
    """Return the error for a word that is no command, with what may be meant: another word ``before`` it."""
    from gdcli.cli import option_synonyms  # only an error needs them

    shown = beginning(word)
    if word.startswith("--"):
        options = ["--help", "--version"]
        hint = did_you_mean(word, options, "options come after the command: gd COMMAND ... OPTIONS")
        if meant := option_synonyms.command(word[2:]):
            hint = f"commands have no dashes: gd {meant}"
        return UsageError(f"unknown option {shown}", hint)
    meant = option_synonyms.command(word)
    hint = (
        f"write {before} {meant}" if meant else did_you_mean(word, COMMANDS, "'gd --help' lists the commands")
    )
    if word.strip("-").lower() in ("version", "v"):
        hint = "write gd --version"
    elif "~" in word:
        hint = f"to fit a model to data: gd fit '{shown}' data.csv"
    elif not meant and any(character in word for character in "+-*/^()= "):
        hint = f"to minimize an expression: gd minimize '{shown}'"
    return UsageError(f"unknown command '{shown}'", hint)


def _answer(arguments: Sequence[str], action: Action, env: Environment) -> int:
    """Run ``action``; only interrupts and failed writes to standard output come out of it."""
    try:
        code = action(env)
    except GdError as error:
        code = _report(env, error, arguments)
    except OSError as fault:
        if fault.filename is None:  # a write that failed: closed pipe or full disk
            raise
        code = _report(env, internal(fault), arguments)
    except Exception as fault:
        code = _report(env, internal(fault), arguments)
    env.stdout.flush()
    return code


def _report(env: Environment, error: GdError, arguments: Sequence[str]) -> int:
    _complain(env, error)
    if _wants_json(arguments):
        from gdcli.record.faults import error_record
        from gdcli.record.serialization import json_text

        env.stdout.write(json_text(error_record(error).to_json()) + "\n")
    return error.exit_code


def _wants_json(arguments: Sequence[str]) -> bool:
    """Return whether JSON was asked for, also on a command line that cannot be read."""
    names = [name for name, format in FORMATS.items() if format.is_record]
    words = [
        part for word in arguments for part in (word.split("=") if word.startswith("--format=") else [word])
    ]
    return any(word == "--format" and after in names for word, after in pairwise(words))


def _complain(env: Environment, error: GdError) -> None:
    env.warn(fault_text(error))
