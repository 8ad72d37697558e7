"""`gd` itself: a Typer application, and in front of it a shortcut for plain command lines.

``app`` is the application of :mod:`gdcli.cli.typer_app`, made when it is asked for. Typer costs 45 ms to import,
three times what else a small problem takes; :mod:`gdcli.cli.command_line` reads a command with its options from the
same table without it. Both end in its `perform`, and a test holds them to the same values.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import Any

from gdcli import __version__
from gdcli.cli import command_line, environment
from gdcli.cli.command_line import guarded, perform, unknown_command
from gdcli.cli.commands import COMMANDS
from gdcli.cli.environment import Environment

# What a command makes in its first tenth of a second is modules and programs, which stay. Looking through them for
# cycles of garbage after every 700 objects, as Python does, takes a twentieth of that time.
_OBJECTS = 100_000


def main() -> None:
    gc.set_threshold(_OBJECTS)
    environment.hold_lines()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str], env: Environment | None = None) -> int:
    """Run ``arguments`` in an environment (None: that of the process) and return the exit code."""
    return guarded(arguments, lambda env: _dispatch(arguments, env), env)


def _dispatch(arguments: Sequence[str], env: Environment) -> int:
    if not arguments:
        env.warn(_help(None))
        return 2
    first, *rest = arguments
    if first == "--version":
        env.stdout.write(f"gd {__version__}\n")
        return 0
    command = COMMANDS.get(first)
    if command is None and first not in command_line.HELP:
        raise unknown_command(first)
    arranged = ["--help"] if command is None else command_line.arrange(rest, command)
    if command is None or arranged == ["--help"]:
        env.stdout.write(_help(None if command is None else command.name))
        return 0
    return perform(command, command_line.read(arranged, command), env)


def _help(command: str | None) -> str:
    from gdcli.cli import typer_app

    return typer_app.help_of(command)


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gdcli.cli import typer_app

    return typer_app.app
