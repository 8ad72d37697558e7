"""A command line: its words brought into an order without doubts and read, its command run, and what is wrong told.

A mathematical expression may begin with a minus, and so may the value of an option; common option readers take either
for an option. Here the rule is simple: ``--anything`` is an option, ``-h`` asks for help, and every other argument is
positional, so ``-x**2`` is an expression wherever it stands. `arrange` rewrites the arguments as ``--name=value ... --
positionals``, a form which every reader understands alike, and answers what is wrong with them; `read` takes the values
from there. Which options exist is asked of the command, there is no second list.

Errors have one policy, and it is here. A `GdError` is a message, the place at fault and a hint on standard error (and a
record on standard output where JSON was asked for), never a traceback; whatever else is raised is a fault of the
program and says so. Ctrl-C, SIGTERM and a closed pipe end quietly with the code that shells expect.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Sequence
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any

from gdcli.cli.commands import COMMANDS, Command
from gdcli.cli.environment import Environment
from gdcli.cli.option_types import Option, Options, TypedOptions, beginning
from gdcli.cli.options import PictureOptions
from gdcli.kernel.errors import (
    Abandoned,
    GdError,
    Span,
    Terminated,
    UsageError,
    did_you_mean,
    fault_text,
    internal,
)
from gdcli.render.formats import FORMATS

if TYPE_CHECKING:
    from gdcli.record.checkpoint_file import Content


HELP = ("-h", "--help")
# What follows an option and can only be another value of it: y=2, v=[1,2], x=0:5; and a number after a name.
_ASSIGNMENT = re.compile(r"\w+(?:\[-?\d+\])?=(?:[-+.\d:]*(?:e-?\d+)?|\[.*\]|\w+\([\d.,-]*\))$")
_COMPARISON = re.compile("[<>=≤≥]")
# The metavars of options that take several values with commas between them.
_LISTS = re.compile("LIST|NAMES|,")
_NUMBER = re.compile(r"[-+]?[.\d]+(?:e[-+]?\d+)?$")


def arrange(arguments: Sequence[str], command: Command) -> list[str]:
    """Return ``arguments`` as ``--name=value`` and ``--flag`` first, then ``--``, then the positional ones.

    A call for help comes back as ``["--help"]`` alone. Raises UsageError for what no reader could accept.
    """
    known = {option.name: option for option in command.options}
    found: list[str] = []
    positional: list[str] = []
    given: tuple[Option[Any], list[str]] | None = None  # the option just read, and the words after it
    after: list[tuple[Option[Any], list[str]]] = []
    rest = list(reversed(arguments))
    while rest:
        argument = rest.pop()
        if argument in HELP:
            return ["--help"]
        if argument == "--":
            positional += reversed(rest)
            break
        if not argument.startswith("--"):
            positional.append(argument)
            if given is not None:
                given[1].append(argument)
            continue
        given = None
        name, equals, value = argument.partition("=")
        option = known.get(name)
        if option is None:
            raise _unknown(name, command, [value, *rest[-1:]])
        if not option.metavar:
            if equals:
                raise UsageError(f"{name} takes no value", f"write {name} alone")
            found.append(name)
            continue
        value = value if equals else _next(option, rest, known)
        found.append(f"{name}={value}")
        if option.many or _LISTS.search(option.metavar):
            given = option, [value]
            after.append(given)
    _check_words(positional, after, command)
    _check_positional(positional, command)
    return [*found, "--", *positional]


def _next(option: Option[Any], rest: list[str], known: Container[str]) -> str:
    """Take the value of an option from the words that are left, the next of which is last."""
    if not rest or rest[-1].partition("=")[0] in known or rest[-1] == "--":
        raise UsageError(f"{option.name} needs a value: {option.metavar}", option.help)
    return rest.pop()


def nothing_typed(command: Command) -> dict[str, Any]:
    """Return what stands for the text of each option of ``command`` that is not given."""
    return {o.field: [] if o.many else None if o.metavar else False for o in command.options}


def read(arranged: Sequence[str], command: Command) -> dict[str, Any]:
    """Return the text of every option and argument of ``command``: None (or an empty list) where not
    given.
    """
    split = list(arranged).index("--")
    values = nothing_typed(command)
    known = {option.name: option for option in command.options}
    for word in arranged[:split]:
        name, _, value = word.partition("=")
        option = known[name]
        if option.many:
            values[option.field].append(value)
        else:
            values[option.field] = value if option.metavar else True
    positional = list(arranged[split + 1 :])
    for argument in command.arguments:
        if argument.many:
            values[argument.field], positional = positional, []
        else:
            values[argument.field] = positional.pop(0) if positional else None
    return values


def convert(typed: TypedOptions, command: Command, resumed: Content | None = None) -> Options:
    """Return what ``command`` is given, the text of each option turned into what it means; raises UsageError."""
    values = dict(typed)
    for option in command.options:
        value = typed[option.field]
        if isinstance(value, str):
            values[option.field] = option.read(value, option.name)
    return command.takes(values, command.name, typed, resumed)


def _unknown(name: str, command: Command, values: Sequence[str] = ()) -> UsageError:
    from gdcli.tasks import option_names  # only an error needs them

    names = [option.name for option in command.options] + ["--help"]
    hint = option_names.instead_of_option(name, command, COMMANDS)
    value = next(filter(_NUMBER.match, values), "")
    if not hint and value and len(name) <= 4 and "--start" in names:  # --x=1
        hint = f"the start of a variable is given with --start {name[2:]}={value}"
    hint = hint or did_you_mean(name, names, f"'gd {command.name} --help' lists the options")
    return UsageError(f"unknown option {beginning(name)}", hint)


def _goes_on(option: Option[Any], value: str, word: str) -> bool:
    """Whether a word can only be more of the value of an option."""
    if not option.many:
        return bool(_NUMBER.match(word) or word.isidentifier())
    is_first = value.isidentifier() or _NUMBER.match(value)
    return bool(_ASSIGNMENT.match(word) or (is_first and _NUMBER.match(word)))


def _check_words(positional: list[str], after: list[tuple[Option[Any], list[str]]], command: Command) -> None:
    """Raise UsageError where values of one option are parted by spaces, or a model stands behind its data."""
    if not command.arguments:
        return
    if len(positional) > sum(argument.required for argument in command.arguments):
        for option, (value, *words) in after:
            _check_spaces(option, value, words)
        _check_order(positional, command)
    elif any(option.field == "model" for option, _ in after):
        return  # with it what stands first may be a file
    elif _has_model(command) and positional and os.path.isfile(positional[0]):
        raise UsageError(
            f"{command.arguments[0].metavar} is missing, and {positional[0]} is a file",
            f"write gd {command.name} 'y ~ a*x + b' {positional[0]}",
        )


def _has_model(command: Command) -> bool:
    """Whether the first argument is an expression, and the others are files."""
    return command.arguments[-1].field == "files" and command.arguments[0].field == "expression"


def _check_spaces(option: Option[Any], value: str, words: Sequence[str]) -> None:
    """Raise UsageError where ``words`` after the value of an option can only be more of it."""
    values = [
        value,
        *takewhile(lambda word: _goes_on(option, value, word) and not os.path.exists(word), words),
    ]
    if len(values) > 1:
        typed = " ".join(values)
        # --set a 3, --bounds x 0 5; else --start x=1 y=2
        named = option.many and value.isidentifier()
        meant = f"{value}={':'.join(values[1:])}" if named else ",".join(values)
        raise UsageError(
            f"the value of {option.name} has no spaces",
            f"write {option.name} {meant}",
            Span(typed, len(value), len(typed), option.name),
        )


def _check_order(positional: list[str], command: Command) -> None:
    """Raise UsageError where the files of data stand before the model, or alone."""
    if not _has_model(command):
        return
    first, *others = positional
    model = next((word for word in others if "~" in word), None)
    if model is None and os.path.isfile(first):
        model = next((word for word in others if not os.path.exists(word)), None)
    if model is not None and "~" not in first:
        files = " ".join([first, *(word for word in others if word != model)])
        raise UsageError(
            f"the {command.arguments[0].metavar} comes first, then the {command.arguments[-1].metavar}",
            f"write gd {command.name} '{model}' {files}",
        )


def _check_positional(positional: list[str], command: Command) -> None:
    required = [a for a in command.arguments if a.required]
    if len(positional) < len(required):
        missing = required[len(positional)]
        raise UsageError(f"{missing.metavar} is missing", f"usage: {command.usage}")
    if len(positional) > len(command.arguments) and not any(a.many for a in command.arguments):
        raise _one_more(positional, command)


def _one_more(positional: list[str], command: Command) -> UsageError:
    """Return the error for more arguments than there are, with what may be meant."""
    if not command.arguments:
        return UsageError(f"'gd {command.name}' takes no argument", f"usage: {command.usage}")
    names = {option.name for option in command.options}
    for word in positional:
        if word[:1] == "-" and f"-{word.partition('=')[0]}" in names:
            return UsageError(f"unknown option {word}", f"options have two dashes: -{word}")
    extra = positional[len(command.arguments)]
    if len(extra) == 2 and extra[0] == "-" and extra[1].isalpha():
        from gdcli.tasks import option_names  # only an error needs them

        listed = f"'gd {command.name} --help' lists them"
        hint = (
            f"options have long names: {option_names.instead_of_option(extra, command, COMMANDS) or listed}"
        )
        return UsageError(f"unknown option {extra}", hint)
    told = f"one {command.arguments[0].metavar} is expected, and '{beginning(extra)}' is one more"
    return UsageError(told, _meant(positional, extra, command))


def _meant(positional: list[str], extra: str, command: Command) -> str:
    start = next((option.name for option in command.options if option.name in ("--start", "--at")), None)
    if start and _ASSIGNMENT.match(extra):
        rest = positional[len(command.arguments) :]
        return f"write {start} {','.join(word for word in rest if _ASSIGNMENT.match(word))}"
    if extra.startswith("--"):
        return "nothing after -- is an option: put the options before it"
    if _COMPARISON.search(extra) and any(option.name == "--subject-to" for option in command.options):
        return f"write --subject-to '{extra}'"
    if command.arguments[0].field != "expression":
        return f"usage: {command.usage}"
    if "~" in positional[0]:
        return "a model with its data is for gd fit, gd compare-batch, gd compare-models and gd explore"
    hint, whole = "put the expression in quotes, so that the shell leaves it whole", " ".join(positional)
    if len(whole) <= 60 and "'" not in whole:
        hint += f": gd {command.name} '{whole}'"
    return hint


# -- a command run ----------------------------------------------------------------------------------------------------


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
    options = convert(typed, command)
    if options.writes:
        from gdcli.cli import output_file

        output_file.check(options)
    if isinstance(options, PictureOptions) and options.given(PictureOptions):
        from gdcli.cli import answer_files

        answer_files.check_look(options)
    return command.load()(options, env)


def unknown_command(word: str, before: str = "gd") -> UsageError:
    """Return the error for a word that is no command, with what may be meant: another word ``before`` it."""
    from gdcli.tasks import option_names  # only an error needs them

    shown = beginning(word)
    if word.startswith("--"):
        options = ["--help", "--version"]
        hint = did_you_mean(word, options, "options come after the command: gd COMMAND ... OPTIONS")
        if meant := option_names.instead_of_command(word[2:], COMMANDS):
            hint = f"commands have no dashes: gd {meant}"
        return UsageError(f"unknown option {shown}", hint)
    meant = option_names.instead_of_command(word, COMMANDS)
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
