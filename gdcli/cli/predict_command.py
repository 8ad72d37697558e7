"""`gd predict`: what a stored fit says of new rows, and how well it is known there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli import record_file
from gdcli.kernel.errors import DataError, UsageError
from gdcli.render.formats import Format, Shape

if TYPE_CHECKING:
    from gdcli.cli.commands import PredictOptions
    from gdcli.cli.environment import Environment
    from gdcli.kernel.vectors import Array
    from gdcli.record.predictions import PredictionsRecord
    from gdcli.table.source import DataTable
    from gdcli.tasks.fit.annotated_output import Wanted
    from gdcli.tasks.fit.prediction import FittedAnswer


def run(options: PredictOptions, env: Environment) -> int:
    from gdcli.cli.output_file import Destination
    from gdcli.table.source import open_table
    from gdcli.tasks.fit.prediction import CONFIDENCE, bands, check

    files = list(options.files) or ["-"]
    if options.file == "-" and "-" in files:
        raise UsageError("the answer and the rows cannot both come from standard input", "give one a file")
    if files == ["-"] and not env.has_input:
        raise UsageError("there are no rows", "name a file after the answer, or - for standard input")
    interval, level = options.interval or CONFIDENCE, 0.95 if options.level is None else options.level
    answer = _answer(options.file, env, options.interval)
    check(answer, interval, level)
    stdin = env.stdin_for(files)
    use_cache = not options.no_cache
    with (
        open_table(files, missing=options.missing or "error", stdin=stdin, use_cache=use_cache) as table,
        Destination(options.output, env.stdout) as stream,
    ):
        wanted = bands(answer, answer.row(interval, answer.columns(table)), interval, level)
        _write(options.written_as, table, wanted, (answer.model, interval, level), stream)
    return 0


def _answer(path: str, env: Environment, asked: str | None) -> FittedAnswer:
    """The fit that a file holds. Raises DataError for what is none, or has no band where one was asked for."""
    stored = record_file.read(path, env)
    if "standard_errors" not in stored.result:
        raise DataError(f"{stored.name} is no answer of gd fit", "what it was asked for predicts no rows")
    with record_file.whole(stored.name):
        from gdcli.record.fits import FitRecord
        from gdcli.record.predictions import fitted_answer
        from gdcli.record.upgrade import upgraded
        from gdcli.tasks.fit.prediction import refuse_groups

        found = FitRecord.from_json(upgraded(stored.result))
        answer = fitted_answer(found)
    refuse_groups(found.groups, found.responses)
    if answer.factor is None and asked:
        why = found.unknown_errors or "it is of too many parameters, or of an earlier version"
        raise DataError(f"{stored.name} has no covariance of the parameters: {why}", "leave out --interval")
    return answer


def _write(
    format: Format, table: DataTable, wanted: Wanted, told: tuple[str, str, float], stream: TextIO
) -> None:
    """Write rows as they are read, or all of them at the end; ``told`` are formula, interval and level."""
    from gdcli.tasks.fit.annotated_output import annotated

    if format.streams:
        for text in annotated(table, wanted, as_objects=format.shape is Shape.LINES):
            stream.write(text)
        return
    from gdcli.record.predictions import PredictionsRecord

    rows = tuple(chain.from_iterable(_rows(table, wanted)))
    expression, interval, level = told
    columns = tuple(wanted.columns)
    write(
        PredictionsRecord(expression=expression, interval=interval, level=level, columns=columns, rows=rows),
        format,
        stream,
    )


def _rows(table: DataTable, wanted: Wanted) -> Iterator[list[dict[str, Any]]]:
    for block in table.blocks(wanted.columns):
        found = wanted.values(list(block.columns))
        names = [*wanted.columns, *wanted.names]
        parts = [*(_listed(c) for c in block.columns), *(_listed(found[name]) for name in wanted.names)]
        yield [dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)]


def _listed(values: Array | list[float]) -> list[Any]:
    return [None if v != v else v for v in (values if isinstance(values, list) else values.tolist())]


def write(found: PredictionsRecord, format: Format, stream: TextIO) -> None:
    from gdcli.render.prediction_page import page
    from gdcli.render.tables import write_answer

    write_answer(stream, format, found, partial(page, found))
