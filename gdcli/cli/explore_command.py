"""`gd explore`: a page on which one plays with descent, as a file that is opened in the browser."""

from __future__ import annotations

import os
from shlex import quote
from typing import TYPE_CHECKING, Any

from gdcli import __version__
from gdcli.cli.answer import expression_text, typed_problem
from gdcli.cli.output_file import Destination
from gdcli.cli.report_option import mathml
from gdcli.kernel.errors import UsageError
from gdcli.render.html_page import ExplorePage, explore_page
from gdcli.render.tables import is_terminal
from gdcli.tasks.exploration import of_problem, of_rows

if TYPE_CHECKING:
    from gdcli.cli.commands import ExploreOptions
    from gdcli.cli.environment import Environment
    from gdcli.tasks.exploration import Exploration

USUAL = "explore.html"


def run(options: ExploreOptions, env: Environment) -> int:
    """Write the page, and open it where a person sits before the terminal."""
    path = options.output or USUAL
    with Destination(path, env.stdout) as stream:
        made = _of_data(options, env) if options.files else _of_expression(options, env)
        given = made.given | {"command": " ".join(_command(options, made.given["expression"]))}
        asked = ExplorePage(given["expression"], made.program, given, __version__, mathml(env))
        stream.write(explore_page(asked))
    env.stdout.write(f"{path}: a page for any browser; it needs no network\n")
    if is_terminal(env.stdout) and not options.no_open:
        import webbrowser

        webbrowser.open(f"file://{os.path.realpath(path)}")
    return 0


def _of_expression(options: ExploreOptions, env: Environment) -> Exploration:
    for name in ("loss", "columns"):
        if getattr(options, name):
            raise UsageError(f"--{name} is for a model with data", "gd explore 'y ~ a*x + b' data.csv")
    if "~" in options.expression:
        raise UsageError("a model needs data", "name a file after it: gd explore 'y ~ a*x + b' data.csv")
    return of_problem(typed_problem(options, env), options.lr)


def _of_data(options: ExploreOptions, env: Environment) -> Exploration:
    if options.subject_to:
        raise UsageError(
            "--subject-to is for an expression without data", "gd fit takes it; --bounds is shown here"
        )
    text, source = expression_text(options.expression, env)
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.fit.request import FitRequest, FitSettings

    asked: dict[str, Any] = {
        name: given
        for name in ("start", "let", "bounds", "loss", "columns", "seed", "maximize")
        if (given := getattr(options, name))
    }
    request = FitRequest(text, tuple(options.files), source=source, constants=tuple(options.set), **asked)
    descent = FitSettings(method="sgd")  # where a start leads is what is looked at: none is searched for
    with prepared(request, descent, env.stdin_for(request.files)) as ready:
        return of_rows(ready, options.lr)


def _command(options: ExploreOptions, expression: str) -> list[str]:
    """The words of the command that repeats a run in the terminal, as far as the page does not change them."""
    fitted = bool(options.files)
    name = "fit" if fitted else "maximize" if options.maximize else "minimize"
    words = ["gd", name, quote(expression), *map(quote, options.files)]
    for option, texts in (("set", options.set), ("let", options.let), ("bounds", options.bounds)):
        words += [f"--{option} {quote(text)}" for text in texts]
    if fitted:
        words += ["--maximize"] if options.maximize else []
        words += [f"--loss {options.loss}"] if options.loss else []
        words += [f"--columns {quote(text)}" for text in options.columns or ()]
    return words
