"""``--predict`` and ``--residuals``: copies of the data with what the fit says of each row.

What can be wrong with the files is found out before the data are read: a file that cannot be written, one that is an
input too, two answers in one file.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from gdcli.cli.output_file import Destination
from gdcli.kernel.errors import UsageError
from gdcli.table.source import open_table
from gdcli.tasks.fit.annotated_output import annotated, check_model, kept, residuals
from gdcli.tasks.fit.prediction import predicted

if TYPE_CHECKING:
    from gdcli.cli.commands import FitOptions
    from gdcli.cli.environment import Environment
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prepare import Prepared

STANDARD = "-"


class Files:
    """``with Files(options, env, model) as files:`` prepare with ``files.stdin``, fit, ``files.write(ready, outcome)``.

    The files appear at the end, whole, unless an exception came.
    """

    def __init__(self, options: FitOptions, env: Environment, model: str) -> None:
        self._options, self._env = options, env
        named = {"predict": options.predict, "residuals": options.residuals}
        self._asked = {name: path for name, path in named.items() if path}
        _check_outputs(options, [name for name, path in self._asked.items() if path == STANDARD])
        check_model(model)
        self._paths = list(options.files) or [STANDARD]
        self.stdin: BinaryIO | None = env.stdin_for(self._paths)
        self._streams: dict[str, TextIO] = {}
        self._stack = ExitStack()

    @property
    def hide_answer(self) -> bool:
        """Whether standard output has the rows, and no answer."""
        return STANDARD in self._asked.values() and not self._options.output

    def __enter__(self) -> Files:
        with ExitStack() as stack:
            for name, path in self._asked.items():
                destination = Destination(path, self._env.stdout, f"--{name}")
                self._streams[name] = stack.enter_context(destination)
            if STANDARD in self._paths and self.stdin is not None:
                self.stdin, path = stack.enter_context(kept(self.stdin, self._options.spool))
                self._paths[self._paths.index(STANDARD)] = path
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *ended: Any) -> None:
        self._stack.__exit__(*ended)

    def write(self, ready: Prepared, outcome: FitOutcome) -> None:
        missing, use_cache = self._options.missing or "error", not self._options.no_cache
        for name, stream in self._streams.items():
            if name == "predict":
                wanted = predicted(outcome, ready.row.plain)
            else:
                wanted = residuals(ready, outcome.run.best.at.x)
            with open_table(self._paths, missing=missing, use_cache=use_cache, layout=ready.layout) as table:
                table.derived = ready.derived
                for text in annotated(table, wanted):
                    stream.write(text)


def _check_outputs(options: FitOptions, standard: list[str]) -> None:
    """Raise UsageError where two outputs meet on standard output: of ``standard`` copies, and the answer."""
    if len(standard) > 1:
        raise UsageError(
            "--predict and --residuals both go to standard output", "--residuals has both columns"
        )
    if standard and not options.output and (options.format or options.print):
        raise UsageError(
            f"--{standard[0]} - takes standard output, and so does the answer",
            "give one of them a file: --output FILE",
        )
