"""`gd predict`: what a stored fit says of new rows, and how well it is known there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli import record_file
from gdcli.cli.options import DataOptions
from gdcli.cli.output_file import Destination
from gdcli.kernel.errors import DataError, UsageError
from gdcli.kernel.number_format import label
from gdcli.render.formats import Format, Shape
from gdcli.tasks.fit.annotated_output import annotated
from gdcli.tasks.fit.prediction import CONFIDENCE, FittedGroups, check, wanted_of
from gdcli.tasks.fit.prepare import opened
from gdcli.tasks.fit.request import FitRequest

if TYPE_CHECKING:
    from gdcli.cli.commands import PredictOptions
    from gdcli.cli.environment import Environment
    from gdcli.kernel.vectors import Array
    from gdcli.record.predictions import PredictionsRecord
    from gdcli.table.source import DataTable
    from gdcli.tasks.fit.annotated_output import Wanted
    from gdcli.tasks.fit.prediction import FittedAnswer


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
            from gdcli.record.groups import stored_group
            from gdcli.record.predictions import fitted_groups

            return fitted_groups(list(map(stored_group, records)))
    stored = record_file.one_result(name, records)
    if "standard_errors" not in stored.result:
        raise DataError(f"{stored.name} is no answer of gd fit", "what it was asked for predicts no rows")
    with record_file.whole(stored.name):
        from gdcli.record.fits import FitRecord
        from gdcli.record.predictions import fitted_answer
        from gdcli.record.upgrade import upgraded

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
    from gdcli.record.predictions import PredictionsRecord

    rows = tuple(chain.from_iterable(_rows(table, wanted)))
    columns = (*(wanted.by.columns if wanted.by else ()), *wanted.columns)
    write(PredictionsRecord(**told, columns=columns, rows=rows), format, stream)


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
    from gdcli.render.tables import write_answer

    write_answer(stream, format, found, partial(predictions_page, found))
