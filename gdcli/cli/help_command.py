"""The commands as typer sees them: for help, and as the second reader that tests hold the first one against.

typer costs 45 ms to import, three times what else a small problem takes, so it is imported when it is needed:
a plain command line is read by :mod:`gdcli.cli.argv` from the same table of options. The functions that typer
inspects are made from that table; they hand back the values they were called with, and run nothing.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from gdcli.cli.commands import COMMANDS, Command
from gdcli.kernel.errors import UsageError, did_you_mean

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


class _Grouped(TyperCommand):
    """A command whose help lists its options group by group, in plain text."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [p for p in self.params if p.param_type_name == "argument"]
        names = [p.human_readable_name if p.required else f"[{p.human_readable_name}]" for p in arguments]
        return [name + "..." * (p.nargs < 0) for name, p in zip(names, arguments, strict=True)] + [
            "[OPTIONS]"
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                group = getattr(parameter, "rich_help_panel", None) or "Options"
                sections.setdefault(group, []).append(record)
        for title in sorted(sections, key=lambda title: (title == "Options", title != "Arguments")):
            with formatter.section(title):
                formatter.write_dl(sections[title])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"  {line}\n")


# What most people want, by example.
FIRST = (
    "gd minimize '(x-3)**2 + (y-2)**2' --start x=0,y=0",
    "gd fit 'y ~ a*exp(-b*t) + c' decay.csv --start a=1,b=1,c=0",
    "gd gradient 'exp(2*x)/(1+sin(x**2))' --at x=0.5",
    "gd compare-lr 'x**2 + 10*y**2' --start x=-9,y=1.5",
    "gd run examples.toml",
)


class _Overview(TyperGroup):
    """`gd` itself, whose help ends with examples line by line."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Most people want"):
            for line in (self.epilog or "").splitlines():
                formatter.write(f"  {line}\n")


def _function(command: Command) -> Callable[..., dict[str, Any]]:
    """Return a function with the signature of ``command`` that returns the values it is called with."""

    def values(**values: Any) -> dict[str, Any]:
        return values

    parameters = []
    for argument in command.arguments:
        default: Any = typer.Argument(
            ... if argument.required else None,
            metavar=argument.metavar,
            help=argument.help,
            show_default=False,
            rich_help_panel="Arguments",
        )
        kind: Any = list[str] if argument.many else str
        parameters.append((argument.field, kind, default))
    for option in command.options:
        flag = not option.metavar
        default = typer.Option(
            [] if option.many else False if flag else None,
            option.name,
            metavar=option.metavar or None,
            help=f"{option.help} [default: {option.default}]",
            show_default=False,
            rich_help_panel=option.group,
        )
        kind = bool if flag else list[str] if option.many else str | None
        parameters.append((option.field, kind, default))
    values.__name__ = command.name
    values.__annotations__ = {name: kind for name, kind, _ in parameters}
    values.__dict__["__signature__"] = inspect.Signature(
        [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, annotation=k, default=d)
            for n, k, d in parameters
        ]
    )
    return values


def _app() -> typer.Typer:
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=_CONTEXT
    )


def _typer_command(command: Command) -> typer.Typer:
    app = _app()
    app.command(
        command.name,
        cls=_Grouped,
        help=command.text,
        epilog="\n".join(command.examples),
        options_metavar="[OPTIONS]",
    )(_function(command))
    return app


def read(arranged: Sequence[str], command: Command) -> dict[str, Any]:
    """Read arranged arguments with typer: the same values as `gdcli.cli.argv.read`."""
    values = _typer_command(command)(list(arranged), prog_name=f"gd {command.name}", standalone_mode=False)
    assert isinstance(values, dict)
    return values


def run(values: dict[str, Any]) -> int:
    """Print the help of `gd`, or of the command that is named."""
    name = values["command_name"]
    if name is not None and name not in COMMANDS:
        from gdcli.cli import option_synonyms

        meant = option_synonyms.command(name)
        hint = f"write gd help {meant}" if meant else did_you_mean(name, COMMANDS, "'gd help' lists them")
        raise UsageError(f"unknown command '{name[:40]}'", hint)
    sys.stdout.write(text(None if name is None else COMMANDS[name]))
    return 0


def text(command: Command | None) -> str:
    """Return the help of one command, or of `gd` itself."""
    # Printed by the caller, so that a closed pipe has the same answer here as everywhere.
    with redirect_stdout(StringIO()) as out:
        if command is None:
            _overview()(["--help"], prog_name="gd", standalone_mode=False)
        else:
            _typer_command(command)(["--help"], prog_name=f"gd {command.name}", standalone_mode=False)
    return out.getvalue()


def _overview() -> typer.Typer:
    app = _app()

    def gd(version: bool = typer.Option(False, "--version", help="Show the version.")) -> None:
        """Type mathematics, get the optimum and the evidence for it."""

    app.callback(cls=_Overview, epilog="\n".join(FIRST))(gd)
    for command in COMMANDS.values():
        app.command(command.name, help=command.summary)(_function(command._replace(options=())))
    return app
