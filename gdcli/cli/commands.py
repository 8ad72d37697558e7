"""The commands of `gd`, in one table: what each takes, and where its code is.

A command is one `Command` row and one function ``run(values) -> exit code`` in the module that the row names.
The module is imported when its command is asked for, so a new command costs the others nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gdcli.cli import options
from gdcli.cli.options import Option


class Argument(NamedTuple):
    """A positional argument; ``many`` takes all that are left."""

    metavar: str
    field: str
    help: str
    required: bool = True
    many: bool = False


class Command(NamedTuple):
    """One command: ``entry`` is ``module:function``, ``arguments`` and ``options`` are what it reads."""

    name: str
    entry: str
    summary: str
    text: str
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    examples: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """The command as one would type it."""
        words = [
            (a.metavar if a.required else f"[{a.metavar}]") + ("..." if a.many else "")
            for a in self.arguments
        ]
        return " ".join(["gd", self.name, *words, "[OPTIONS]"])

    def load(self) -> Any:
        """Import and return the function that runs the command."""
        from importlib import import_module

        module, _, function = self.entry.partition(":")
        return getattr(import_module(module), function)


_EXPRESSION = Argument(
    "EXPR",
    "expression",
    "What to {0}: Python syntax, in quotes. '-' reads it from standard input, @FILE from a file.",
)


def _extremum(name: str, example: str) -> Command:
    adjective = name.removesuffix("imize")
    return Command(
        name,
        f"gdcli.cli.minimize:{name}",
        f"Find a {adjective}imum of an expression.",
        f"Find a {adjective}imum of an expression and show the evidence for it.",
        (_EXPRESSION._replace(help=_EXPRESSION.help.format(name)),),
        options.PROBLEM + options.SOLVER + options.OUTPUT,
        (
            example,
            f"gd {name} 'sum(a*v**2)' --set a={'' if name == 'minimize' else '-'}2 --start 'v=[10,20,4,5]'",
        ),
    )


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        _extremum("minimize", "gd minimize '100*(y-x**2)**2 + (1-x)**2' --start x=-1.2,y=1"),
        _extremum("maximize", "gd maximize '-x**2 + 3*x' --start x=0 --print x,value"),
        Command(
            "run",
            "gdcli.cli.run:run",
            "Solve the problems of a file and check the answers.",
            "Solve the problems of a TOML file, all or those named, and check each against what it expects. "
            "A problem is a table with its name: [p] expression='x**2' start={x=1} expect={value=0}; "
            "its other keys are sense, set, and the long names of the options of minimize.",
            (
                Argument("FILE", "file", "A problem file; '-' reads it from standard input."),
                Argument(
                    "NAME", "names", "The problems to solve; without a name, all.", required=False, many=True
                ),
            ),
            options.only(options.OUTPUT, "--format", "--timing", "--output"),
            ("gd run examples.toml", "gd run examples.toml rosenbrock --format json"),
        ),
        Command(
            "methods",
            "gdcli.cli.methods:run",
            "List the methods: what they need and when to use them.",
            "List the methods: what they need and when to use them.",
            (),
            (
                options.only(options.OUTPUT, "--format")[0]._replace(
                    help="table or json.", read=options.one_of("table", "json")
                ),
            ),
            ("gd methods",),
        ),
    )
}
