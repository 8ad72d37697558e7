"""Files beside an answer: the picture of ``--plot``, which may be drawn in the terminal, and the page of ``--report``.

A page is written by the command's own writer of pages into a `Collected`, which keeps its lines; here they get what
else the page has: the formula, the picture, the record, and the command that gives all of it again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any, TextIO

from gdcli import __version__
from gdcli.cli.option_types import options_of
from gdcli.cli.options import PictureOptions
from gdcli.cli.output_file import Destination
from gdcli.cli.record_file import Stored, arguments, option_words
from gdcli.kernel.errors import GdError, UsageError
from gdcli.kernel.vectors import Space, lengths_of
from gdcli.record.schema import Json, assignments
from gdcli.render.formats import Table, is_terminal, lines_of, width_of

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment
    from gdcli.render.formats import PageLayout
    from gdcli.render.html_report import Collected
    from gdcli.render.plot_data import Picture
    from gdcli.tasks.problem import Problem


TERMINAL = "-"
MOST_DOTS = 200_000_000  # of a picture: each takes four bytes while it is drawn


class _File(Destination):
    """A picture's file: whole or not at all; what is wrong with it is said of its own option."""

    _what = "picture"

    def write(self, picture: bytes) -> None:
        self._stream.buffer.write(picture)


class Canvas:
    """``with Canvas(path, options, env, stream) as canvas:`` run, then ``canvas.draw(picture)``.

    The path was given by ``option``; ``-`` draws in text on ``stream``.
    """

    def __init__(
        self, path: str, options: PictureOptions, env: Environment, stream: TextIO, option: str = "--plot"
    ) -> None:
        self._path, self._options, self._env, self._stream = path, options, env, stream
        self._file: _File | None = None
        if path != TERMINAL:
            from gdcli.render import plots

            plots.check()
            self._file = _File(path, env.stdout, option)

    def __enter__(self) -> Canvas:
        if self._file is not None:
            self._file.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        if self._file is not None:
            self._file.__exit__(*ended)

    def draw(self, make: Callable[[], Picture]) -> None:
        from gdcli.render.plot_data import Appearance

        asked = self._options
        words = asked.title, asked.xlabel, asked.ylabel
        look = Appearance(asked.plot_size, asked.dpi, *words, asked.log_axes)
        picture, warnings = look.of(make())
        if self._file is None:
            _in_text(picture, self._stream)
        else:
            from gdcli.render import plots

            suffix = self._path.rpartition(".")[2].lower()
            self._file.write(plots.draw(picture, suffix, look.size, look.dpi))
        self._env.tell_warnings(tuple(warnings))


def check_look(options: PictureOptions) -> None:
    """Raise UsageError for options of a picture where there is none, or none of that kind."""
    look = [row for row in options_of(PictureOptions) if row.field != "plot"]
    given = [row.name for row in look if getattr(options, row.field) is not None]
    path = options.drawn
    if not given:
        return
    if not path:
        raise UsageError(
            f"{given[0]} is about the picture of --plot, and there is none", "add --plot picture.png"
        )
    of_files = [name for name in given if name in ("--plot-size", "--dpi")]
    if path == TERMINAL and of_files:
        raise UsageError(
            f"{of_files[0]} is for pictures in files, and --plot - draws in the terminal", "name a file"
        )
    if options.dpi is None:
        return
    if not path.lower().endswith(".png"):
        raise UsageError("--dpi is for .png: lines and letters of .svg and .pdf have no dots", "leave it out")
    wide, high = options.plot_size or (10.0, 10.0)
    if wide * high * options.dpi**2 > MOST_DOTS:
        raise UsageError(
            f"--dpi {options.dpi} makes more than {MOST_DOTS // 10**6} million dots of this picture",
            "choose fewer dots, or a smaller --plot-size",
        )


def _in_text(picture: Picture, stream: TextIO) -> None:
    from gdcli.render import text_plots
    from gdcli.render.text_plots import bars_of

    colour = is_terminal(stream) and not os.environ.get("NO_COLOR")
    high = lines_of(stream)
    lines = high - 2 if high else text_plots.LINES  # one is empty, and the next has the prompt
    stream.write("\n" + text_plots.draw(picture, width_of(stream), colour, bars_of(stream), lines))


# -- the page of --report ---------------------------------------------------------------------------------------------


MISSING = "the formula of the page is as typed: typesetting it needs latex2mathml; {}"


class ReportFile:
    """``with ReportFile(path, env) as report:`` write the page to ``report.page``, then ``report.finish(...)``."""

    def __init__(self, path: str, env: Environment) -> None:
        from gdcli.render.html_report import Collected

        self.page: Collected = Collected()
        self._path, self._env = path, env
        self._file = Destination(path, env.stdout, "--report")

    def __enter__(self) -> ReportFile:
        self._stream = self._file.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self._file.__exit__(*ended)

    def writer(self, problem: Problem, timing: bool, layout: PageLayout | None = None) -> Table:
        """Return the writer of a run's page, an observer as that of the terminal."""
        from gdcli.render.html_report import REPORT

        size = Space(lengths_of(problem.start)).size
        return Table(self.page, problem.sign, size, None, timing, REPORT, layout)

    def finish(self, records: Sequence[Mapping[str, Any]], picture: Callable[[], Picture] | None) -> None:
        """Write the file: the last of the ``records`` is the answer, others its parts; ``picture`` makes the picture,
        where there is one.
        """
        from gdcli.record.serialization import json_text
        from gdcli.render import html_report

        answer = dict(records[-1])
        drawn = None
        if picture is not None:
            try:
                drawn = picture()
            except GdError as why:
                self._env.tell_warnings((f"the page has no picture: {why.message}",))
        expression = str((answer.get("problem") or {}).get("expression", ""))
        self._stream.write(
            html_report.page(
                html_report.Report(
                    title=" ".join(expression.split()) or _title(answer, len(records)),
                    lines=self.page.lines,
                    records="\n".join(map(json_text, records)),
                    command=command_of(answer),
                    name=os.path.basename(self._path),
                    version=__version__,
                    expression=expression,
                    mathml=mathml(self._env) if expression else None,
                    picture=drawn,
                )
            )
        )


def mathml(env: Environment) -> Callable[[str], str] | None:
    """Return what makes MathML of LaTeX; where the library is missing it is told, and None is returned."""
    try:
        from latex2mathml.converter import convert
    except ImportError:
        from gdcli.kernel import installing

        env.tell_warnings((MISSING.format(installing.command("page")),))
        return None
    return lambda latex: str(convert(latex, display="block"))


def _title(answer: Json, count: int) -> str:
    for key, separator in (("equations", ", "), ("models", " or ")):
        if key in answer:
            parts = (part if isinstance(part, str) else str(part.get("model", "")) for part in answer[key])
            return separator.join(" ".join(part.split()) for part in parts)
    if "results" in answer:
        return f"{len(answer['results'])} problems of {answer.get('file', 'a stream')}"
    return f"{count} answers of gd"


def _gradient_words(answer: Json) -> list[str]:
    problem = answer["problem"]
    asked = {"at": answer["point"], "set": problem.get("constants")}
    words = ["gradient", *(f"--{name}={assignments(values)}" for name, values in asked.items() if values)]
    words += option_words({"let": list(problem.get("let", ())), "h": [h] if (h := answer.get("h")) else []})
    words += [f"--{name}" for name in ("hessian", "errors", "latex") if answer.get(name) is not None]
    return [*words, *(["--trace"] if answer["type"] == "trace" else []), "--", problem["expression"]]


def command_of(answer: Json) -> str:
    """Return the command that gives this answer again; "" where the record does not tell it."""
    if answer.get("type") == "run":
        named = [one["name"] for one in answer["results"] if one.get("name")]
        return " ".join(map(quote, ("gd", "run", str(answer["file"]), *named)))
    words: list[str] = []
    if isinstance(receipt := answer.get("receipt"), dict):
        if "problem" in answer:
            words = [w for w in arguments(Stored("", (), answer)) if not w.startswith("--format=")]
            words[1:1] = ["--sensitivity"] if answer.get("sensitivity") is not None else []
        else:
            given = (*answer.get("equations", ()), *(receipt.get("data") or ()))
            words = [str(receipt["command"]), *option_words(receipt["options"]), "--", *given]
    elif answer.get("type") in ("gradient", "trace"):
        words = _gradient_words(answer)
    return "gd " + " ".join(map(quote, words)) if words else ""
