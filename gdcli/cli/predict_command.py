"""What a fit says of rows: `gd predict` of new ones, ``--predict`` and ``--residuals`` of copies of its own.

What can be wrong with the files of copies is found out before the data are read: a file that cannot be written, one
that is an input too, two answers in one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from gdcli.cli import record_file
from gdcli.cli.options import DataOptions
from gdcli.cli.output_file import Destination
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.number_format import label
from gdcli.render.formats import Format, Shape, write_answer
from gdcli.table.source import open_table
from gdcli.tasks.fit.annotated_output import annotated, check_model, kept, residuals
from gdcli.tasks.fit.prediction import CONFIDENCE, FittedGroups, check, predicted, wanted_of
from gdcli.tasks.fit.prepare import counted, opened
from gdcli.tasks.fit.request import FitRequest

if TYPE_CHECKING:
    from gdcli.cli.commands import FitOptions, PredictOptions
    from gdcli.cli.environment import Environment
    from gdcli.kernel.vectors import Array
    from gdcli.record.groups import PredictionsRecord
    from gdcli.table.source import DataTable
    from gdcli.tasks.fit.annotated_output import Wanted
    from gdcli.tasks.fit.fit_outcome import FitOutcome
    from gdcli.tasks.fit.prediction import FittedAnswer
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


# -- gd predict -------------------------------------------------------------------------------------------------------


def run(options: PredictOptions, env: Environment) -> int:
    files = list(options.files) or ["-"]
    if options.file == "-" and "-" in files:
        raise UsageError("the answer and the rows cannot both come from standard input", "give one a file")
    if files == ["-"] and not env.has_input:
        raise UsageError("there are no rows", "name a file after the answer, or - for standard input")
    interval, level = options.interval or CONFIDENCE, 0.95 if options.level is None else options.level
    found = _answer(options.file, env, options.interval)
    answer = found.first if isinstance(found, FittedGroups) else found
    check(answer, interval, level)
    if any("=" in text for text in options.columns):
        raise UsageError("--columns names columns here: the fit knows which it needs", "--columns x,y,sigma")
    rows = FitRequest(answer.model, **options.given(DataOptions) | {"files": files})
    with (
        opened(rows, not options.no_cache, env.stdin_for(files)) as table,
        Destination(options.output, env.stdout) as stream,
    ):
        wanted = wanted_of(found, table, interval, level, options.rows)
        told = {"expression": answer.model, "interval": interval, "level": level}
        _write(options.written_as, table, wanted, told | {"responses": answer.responses}, stream)
    return 0


def _answer(path: str, env: Environment, asked: str | None) -> FittedAnswer | FittedGroups:
    """The fit that a file holds. Raises DataError for what is none, or has no band where one was asked for."""
    name, records = record_file.all_of(path, env)
    if len(records) == 1 and records[0].get("type") == "groups":
        records = records[0].get("results") or []
    if records and all("group" in record for record in records):
        with record_file.whole(name):
            from gdcli.record.groups import fitted_groups, stored_group

            return fitted_groups(list(map(stored_group, records)))
    stored = record_file.one_result(name, records)
    if "standard_errors" not in stored.result:
        raise DataError(f"{stored.name} is no answer of gd fit", "gd fit MODEL DATA --format json writes one")
    with record_file.whole(stored.name):
        from gdcli.record.fits import FitRecord
        from gdcli.record.groups import fitted_answer
        from gdcli.record.serialization import upgraded

        found = FitRecord.from_json(upgraded(stored.result))
        answer = fitted_answer(found)
    if answer.factor is None and asked:
        why = found.unknown_errors or "it is of too many parameters, or of an earlier version"
        raise DataError(f"{stored.name} has no covariance of the parameters: {why}", "leave out --interval")
    return FittedGroups.of(answer, found.groups) if found.groups else answer


def _write(format: Format, table: DataTable, wanted: Wanted, told: dict[str, Any], stream: TextIO) -> None:
    """Write rows as they are read, or all of them at the end; ``told`` is the rest of the record."""
    if format.streams:
        for text in annotated(table, wanted, as_objects=format.shape is Shape.LINES):
            stream.write(text)
        return
    from gdcli.record.groups import PredictionsRecord

    rows = tuple(chain.from_iterable(_rows(table, wanted)))
    columns = (*(wanted.by.columns if wanted.by else ()), *wanted.columns)
    notes = counted(table).notes
    write(PredictionsRecord(**told, columns=columns, rows=rows, notes=notes), format, stream)


def _rows(table: DataTable, wanted: Wanted) -> Iterator[list[dict[str, Any]]]:
    by = wanted.by
    names = [*(by.columns if by else ()), *wanted.columns, *wanted.names]
    for block, found in wanted.of(table):
        keys = [] if by is None or block.groups is None else [by.keys[k] for k in block.groups.tolist()]
        labels = ([label(value) for value in column] for column in zip(*keys, strict=True))
        parts = [
            *labels,
            *(_listed(c) for c in block.columns),
            *(_listed(found[name]) for name in wanted.names),
        ]
        yield [dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)]


def _listed(values: Array | list[float]) -> list[Any]:
    return [None if v != v else v for v in (values if isinstance(values, list) else values.tolist())]


def write(found: PredictionsRecord, format: Format, stream: TextIO) -> None:
    from gdcli.render.fit_parts import predictions_page

    write_answer(stream, format, found, partial(predictions_page, found))
