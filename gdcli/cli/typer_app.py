"""`gd` as a Typer application, made from the table of commands: ``app``.

It runs every command, by itself, under Typer's test runner, and mounted into another application. Two things are
Typer's alone to do: help, and being a part of something larger. The arguments of a command are first brought into an
order without doubts by `arrange` of :mod:`gdcli.cli.command_line`, so that ``-x**2`` is an expression here too. The
functions that Typer inspects are made from the table, and hand back the values they were called with; these are what
its `perform` runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from gdcli import __version__
from gdcli.cli import command_line
from gdcli.cli.command_line import guarded, perform, unknown_command
from gdcli.cli.commands import COMMANDS, FIRST, Command
from gdcli.cli.environment import Environment

if TYPE_CHECKING:
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

_VERSION = "--version"
_CONTEXT = {"help_option_names": list(command_line.HELP), "max_content_width": 80}
_TYPED = "gdcli.typed"  # in the notes of a context: the arguments as they were typed


class _Plain:
    """Help in plain text, also within an application that has it in markup: brackets are mathematics here."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings | {"rich_markup_mode": None})


class _Grouped(_Plain, TyperCommand):
    """A command, with the policy of errors of `gd`; its help lists the options group by group, in plain text."""

    @property
    def _row(self) -> Command:
        assert self.name is not None
        return COMMANDS[self.name]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:  # a shell asks what can stand here
            return super().parse_args(ctx, args)
        arranged: list[str] = []

        def arrange(env: Environment) -> int:
            arranged.extend(command_line.arrange(args, self._row))
            return 0

        if code := guarded(args, arrange):
            raise typer.Exit(code)
        ctx.meta[_TYPED] = list(args)
        return super().parse_args(ctx, arranged)

    def values(self, ctx: Context) -> dict[str, Any]:
        """Return the text of every option and argument, as `gdcli.cli.command_line.read` does."""
        found: dict[str, Any] = super().invoke(ctx)
        many = [a.field for a in self._row.arguments if a.many] + [
            o.field for o in self._row.options if o.many
        ]
        return found | {field: list(found[field] or ()) for field in many}

    def invoke(self, ctx: Context) -> Any:
        raise typer.Exit(guarded(ctx.meta[_TYPED], lambda env: perform(self._row, self.values(ctx), env)))

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        arguments = [p for p in self.params if p.param_type_name == "argument"]
        names = [p.human_readable_name if p.required else f"[{p.human_readable_name}]" for p in arguments]
        return [name + "..." * (p.nargs < 0) for name, p in zip(names, arguments, strict=True)] + [
            "[OPTIONS]"
        ]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                group = getattr(parameter, "rich_help_panel", None) or "Options"
                sections.setdefault(group, []).append(record)
        for title in sorted(sections, key=lambda title: (title == "Options", title != "Arguments")):
            with formatter.section(title):
                formatter.write_dl(sections[title])

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"  {line}\n")


class _Overview(_Plain, TyperGroup):
    """`gd` without a command: its help ends with examples line by line."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing and (
            not args or args[0] not in (*COMMANDS, *command_line.HELP, _VERSION)
        ):
            raise typer.Exit(guarded(args, lambda env: self._refuse(ctx, args, env)))
        return super().parse_args(ctx, args)

    def _refuse(self, ctx: Context, args: Sequence[str], env: Environment) -> int:
        if args:
            raise unknown_command(args[0])
        env.warn(self.get_help(ctx) + "\n")
        return 2

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        with formatter.section("Most people want"):
            for line in (self.epilog or "").splitlines():
                formatter.write(f"  {line}\n")


def _function(command: Command) -> Callable[..., dict[str, object]]:
    """Return a function with the signature of ``command`` that returns the values it is called with."""

    def values(**values: object) -> dict[str, object]:
        return {name.rstrip("_"): value for name, value in values.items()}

    parameters = []
    for argument in command.arguments:
        default: object = typer.Argument(
            ... if argument.required else None,
            metavar=argument.metavar,
            help=argument.help,
            show_default=False,
            rich_help_panel="Arguments",
        )
        kind: object = list[str] if argument.many else str
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
        name = option.field + "_" * iskeyword(option.field)  # global is no name of a parameter
        parameters.append((name, kind, default))
    values.__name__ = command.name
    values.__annotations__ = {name: kind for name, kind, _ in parameters}
    values.__dict__["__signature__"] = inspect.Signature(
        [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, annotation=k, default=d)
            for n, k, d in parameters
        ]
    )
    return values


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"gd {__version__}")
        raise typer.Exit


def _made() -> typer.Typer:
    made = typer.Typer(
        name="gd",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )

    def gd(
        version: bool = typer.Option(
            False, _VERSION, help="Show the version.", callback=_show_version, is_eager=True
        ),
    ) -> None:
        """Type mathematics, get the optimum and the evidence for it."""

    made.callback(cls=_Overview, epilog="\n".join(FIRST))(gd)
    for command in COMMANDS.values():
        made.command(
            command.name,
            cls=_Grouped,
            help=command.text,
            short_help=command.summary,
            epilog="\n".join(command.examples),
            options_metavar="[OPTIONS]",
            context_settings=_CONTEXT,
        )(_function(command))
    return made


app = _made()


def read(arranged: Sequence[str], command: Command) -> dict[str, Any]:
    found = _gd().commands[command.name]
    assert isinstance(found, _Grouped)
    with found.make_context(command.name, list(arranged)) as context:
        return found.values(context)


def help_of(name: str | None) -> str:
    gd = _gd()
    context = gd.make_context("gd", list(command_line.HELP[:1]), resilient_parsing=True)
    if name is None:
        return gd.get_help(context) + "\n"
    found = gd.commands[name]
    return found.get_help(found.make_context(name, [], parent=context, resilient_parsing=True)) + "\n"


def _gd() -> TyperGroup:
    found = get_command(app)
    assert isinstance(found, TyperGroup)
    return found
