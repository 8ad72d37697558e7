"""`gd help`: the help of `gd`, or of one command."""

from __future__ import annotations

from gdcli.cli.commands import COMMANDS, HelpOptions
from gdcli.cli.environment import Environment
from gdcli.kernel.errors import UsageError, did_you_mean


def run(options: HelpOptions, env: Environment) -> int:
    name = options.command_name
    if name is not None and name not in COMMANDS:
        from gdcli.cli import option_synonyms

        meant = option_synonyms.command(name)
        hint = f"write gd help {meant}" if meant else did_you_mean(name, COMMANDS, "'gd help' lists them")
        raise UsageError(f"unknown command '{name[:40]}'", hint)
    from gdcli.cli.typer_app import help_of

    env.stdout.write(help_of(name))
    return 0
