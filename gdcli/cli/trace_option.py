"""``--trace FILE``: the path of a run in a file, beside the answer.

The file is made before the run, and appears under its name when the run is over. It has the rows of ``--format csv`` of
a minimisation, or the lines of ``--format jsonl`` without the result where its name ends in ``.jsonl``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from gdcli.cli.output_file import Destination
from gdcli.kernel.errors import Span, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdcli.api import Problem
    from gdcli.cli.environment import Environment
    from gdcli.cli.options import OutputOptions
    from gdcli.record.selection import Words
    from gdcli.render.machine_formats import Path


class Tracing:
    """``with Tracing(path, options, env) as tracing:`` run with ``tracing.observers(problem)``, which write it."""

    def __init__(self, path: str, options: OutputOptions, env: Environment) -> None:
        self._options, self._name = options, path
        if self._name == "-":
            told = "--trace takes a file, and standard output has the answer"
            raise UsageError(told, "--format jsonl has path and answer", Span("-", 0, 1, "--trace"))
        self._file = Destination(self._name, env.stdout)
        self._file.option = "--trace"
        self._path: Path | None = None
        self._stream: TextIO = env.stdout

    def __enter__(self) -> Tracing:
        self._stream = self._file.__enter__()
        return self

    def observers(self, problem: Problem, words: Callable[[], Words] | None = None) -> list[Path]:
        """Return what writes the path of a run on ``problem``; ``words`` gives those of its kind of run."""
        from gdcli.kernel.space import Space
        from gdcli.record import selection
        from gdcli.render import machine_formats

        kind = (
            machine_formats.PathLines
            if self._name.lower().endswith((".jsonl", ".ndjson"))
            else machine_formats.PathRows
        )
        sign = problem.sign
        options, space = self._options, Space(problem.lengths)
        named = selection.words_for(problem, selection.WORDS if words is None else words())
        self._path = kind(self._stream, sign, space, options.every or 1, options.timing, named)
        return [self._path]

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        try:
            if kind is None and self._path is not None:
                self._path.end()
        finally:
            self._file.__exit__(kind, value, trace)
