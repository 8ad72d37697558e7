"""``--report FILE.html``: the answer also as a page for a browser, with its record in it.

The page is written by the command's own writer of pages into a `Collected`, which keeps its lines; here they get what
else the page has: the formula, the picture, the record, and the command that gives all of it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any

from gdcli import __version__
from gdcli.cli.output_file import Destination
from gdcli.cli.record_file import Record, Stored
from gdcli.kernel.errors import GdError
from gdcli.kernel.vectors import Space, lengths_of
from gdcli.render.tables import Table

if TYPE_CHECKING:
    from gdcli.cli.environment import Environment
    from gdcli.render.html_report import Collected
    from gdcli.render.plot_data import Picture
    from gdcli.render.tables import PageLayout
    from gdcli.tasks.problem import Problem

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
        import os

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


def _title(answer: Record, count: int) -> str:
    for key, separator in (("equations", ", "), ("models", " or ")):
        if key in answer:
            parts = (part if isinstance(part, str) else str(part.get("model", "")) for part in answer[key])
            return separator.join(" ".join(part.split()) for part in parts)
    if "results" in answer:
        return f"{len(answer['results'])} problems of {answer.get('file', 'a stream')}"
    return f"{count} answers of gd"


def command_of(answer: Record) -> str:
    """Return the command that gives this answer again; "" where the record does not tell it."""
    from gdcli.cli.rerun_command import arguments, assignments, options_of

    if answer.get("type") == "run":
        return f"gd run {quote(str(answer['file']))}"
    words: list[str] = []
    if isinstance(receipt := answer.get("receipt"), dict):
        if "problem" in answer:
            words = [w for w in arguments(Stored("", (), answer)) if not w.startswith("--format=")]
        else:
            given = (*answer.get("equations", ()), *(receipt.get("data") or ()))
            words = [str(receipt["command"]), *options_of(receipt["options"]), "--", *given]
    elif answer.get("type") in ("gradient", "trace"):
        problem = answer["problem"]
        words = ["gradient", f"--at={assignments(answer['point'])}"]
        words += [f"--set={assignments(problem['constants'])}"] if problem.get("constants") else []
        words += [*(["--trace"] if answer["type"] == "trace" else []), "--", problem["expression"]]
    return "gd " + " ".join(map(quote, words)) if words else ""
