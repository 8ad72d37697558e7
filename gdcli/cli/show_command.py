"""`gd show`: a stored answer as the page, and the picture, that its own run would have shown.

What a file holds decides what is shown: a result or the path of one, a comparison, a gradient, the answers of many
problems, an error, a run that is kept. Each kind is a `StoredPage`; its record is read back into the class that it was
written from (:mod:`gdcli.record`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, cast

from gdcli.cli import command_line, record_file
from gdcli.cli.answer import Beside, fit_asked
from gdcli.cli.commands import COMMANDS
from gdcli.cli.output_file import Destination
from gdcli.cli.record_file import Stored, StoredPage, arguments, problem_of
from gdcli.cli.resume_command import kept_run
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DataError, UsageError, fault_text
from gdcli.record.path_rows import stored_rows
from gdcli.record.runs import PathPoint, RunRecord
from gdcli.record.schema import SCHEMA, Json, assignments
from gdcli.record.serialization import upgraded, upgraded_gradient
from gdcli.render.formats import PageLayout, Table, is_terminal

if TYPE_CHECKING:
    from gdcli.cli.commands import FitOptions, ShowOptions
    from gdcli.cli.environment import Environment
    from gdcli.cli.plot_option import RunPlot
    from gdcli.record.compared import RatesRecord
    from gdcli.record.faults import Checked
    from gdcli.record.fits import EpochPoint, FitRecord
    from gdcli.render.comparison_pages import Kind, Page
    from gdcli.render.fit_figures import Epochs
    from gdcli.render.formats import Format
    from gdcli.render.plot_data import Picture
    from gdcli.tasks.fit.request import FitRequest, FitSettings


def run(options: ShowOptions, env: Environment) -> int:
    """Show a stored answer; the exit code is 0, whatever the answer was."""
    name = options.file
    if record_file.is_kept_run(name):
        if options.report:
            raise UsageError("--report is for answers, and this run is kept to go on", f"gd resume {name}")
        records: list[Json] = []
        shown = kept_run(name)
    else:
        name, records = record_file.all_of(name, env)
        shown = page_of(options, env, name, records)
    _check(options, shown)
    with Beside(options, env, env.text_stream(options)) as beside:
        with Destination(options.output, env.stdout) as stream, record_file.whole(name):
            shown.write(stream, options.written_as)
            beside.write(shown.write)
        beside.tell(records, shown.picture)
    return 0


def _check(options: ShowOptions, shown: StoredPage) -> None:
    if options.plot and shown.picture is None:
        raise UsageError(f"--plot has nothing to draw: {shown.missing}", "leave it out")
    if options.plane and not shown.planes:
        raise UsageError("--plane is for runs of minimize and maximize", "leave it out")
    if options.every is not None and not shown.path:
        raise UsageError("--every thins a path, and there is none", "store one: --format jsonl")
    if options.timing and not shown.timed:
        raise UsageError("--timing: no times were stored", "store them: --format json --timing")


def page_of(options: ShowOptions, env: Environment, name: str, records: Sequence[Json]) -> StoredPage:
    """Return what is shown of the records of a file. Raises DataError where they are no answer of `gd`."""

    from gdcli.record.faults import ErrorRecord

    # A comparison has its parts on lines before it, as a result has its path.
    by_type = {str(record.get("type")): record for record in records}
    with record_file.whole(name):
        for kind, make in KINDS.items():
            if kind in by_type:
                return make(options, by_type[kind])
        answers = [record for record in records if record.get("type") in ("result", "error")]
        if len(answers) > 1 and all("group" in answer for answer in answers):
            return groups(options, answers)
        if len(answers) > 1:
            return many(options, answers)
    if answers and answers[0]["type"] == "error" and answers[0].get("schema") == SCHEMA:
        told = fault_text(ErrorRecord.from_json(answers[0]).fault)
        return StoredPage(lambda stream, _: print(told, end="", file=stream), None, "this is an error")
    answer = record_file.one_result(name, records)
    if "standard_errors" in answer.result:
        return fit(options, env, answer)
    return extremum(options, answer)


# -- what each kind of answer shows -----------------------------------------------------------------------------------


def _paged(page: Page) -> Callable[[TextIO, Format], None]:
    from gdcli.render.comparison_pages import write_page

    return lambda stream, format: write_page(stream, format, page)


def _timed(parts: Sequence[Json]) -> bool:
    return any("seconds" in part for part in parts)


def _timing(options: ShowOptions, parts: Sequence[Json], stream: TextIO) -> bool:
    """Tell whether times are shown: where they are asked for, or on a terminal, and there are any."""
    return _timed(parts) and bool(options.timing or is_terminal(stream))


def _compared(options: ShowOptions, record: Json) -> StoredPage:
    from gdcli.record.compared import BatchesRecord, MethodsRecord, RatesRecord
    from gdcli.record.model_records import ModelsRecord
    from gdcli.render import comparison_pages, models_page

    kinds: tuple[tuple[type[Any], Kind], ...] = (
        (RatesRecord, comparison_pages.RATES),
        (MethodsRecord, comparison_pages.METHODS),
        (BatchesRecord, comparison_pages.BATCHES),
        (ModelsRecord, models_page.KIND),
    )
    of, kind = next(pair for pair in kinds if pair[0].HEAD["type"] == record["type"])
    found, parts = of.from_json(upgraded(record)), record[kind.parts]

    def write(stream: TextIO, format: Format) -> None:
        timing = _timing(options, parts, stream)
        _paged(lambda width, glyphs, bars: kind.page(found, width, glyphs, bars, timing))(stream, format)

    picture = kind.picture or partial(_rates_picture, options)
    return StoredPage(write, partial(picture, found), timed=_timed(parts))


def _rates_picture(options: ShowOptions, found: RatesRecord) -> Picture:
    """A comparison keeps some of the values on its way, and no places: its steps are taken again."""
    from gdcli import api
    from gdcli.cli.plot_option import rates_picture
    from gdcli.render.comparison_figures import RatePath

    problem = problem_of(found.problem, found.seed)
    again = api.compare_learning_rates(problem, [rate.lr for rate in found.rates], found.max_steps)
    pairs = zip(found.rates, again.found.rates, strict=True)
    paths = [RatePath(rate.lr, rate.verdict, again.values(walked)) for rate, walked in pairs]
    return rates_picture(problem, paths, options.log_axes)


def _gradient(options: ShowOptions, record: Json) -> StoredPage:
    from gdcli.cli.experiment_commands import write_gradient
    from gdcli.cli.plot_option import errors_picture
    from gdcli.record.analyses import GradientRecord, TraceRecord

    found: Any = (TraceRecord if record["type"] == "trace" else GradientRecord).from_json(
        upgraded_gradient(record)
    )
    picture = partial(errors_picture, found) if getattr(found, "errors", None) else None
    missing = "a gradient has one with --errors, and this is without"
    return StoredPage(lambda stream, format: write_gradient(found, format, stream), picture, missing)


def _predictions(options: ShowOptions, record: Json) -> StoredPage:
    from gdcli.cli.predict_command import write
    from gdcli.record.groups import PredictionsRecord

    found = PredictionsRecord.from_json(record)
    return StoredPage(
        lambda stream, format: write(found, format, stream), None, "predictions have no picture"
    )


def _roots(options: ShowOptions, record: Json) -> StoredPage:
    from gdcli.cli.proof_commands import write_roots
    from gdcli.record.analyses import RootsRecord

    found = RootsRecord.from_json(record)
    timed = found.seconds is not None

    def shown(stream: TextIO, format: Format) -> None:
        write_roots(found, format, stream, _timing(options, [record], stream))

    return StoredPage(shown, None, "roots have no picture", timed=timed)


def _list(options: ShowOptions, record: Json) -> StoredPage:
    from gdcli.cli.reference_commands import page

    return StoredPage(
        _paged(lambda width, *_: page(record, width)), None, "the list of methods has no picture"
    )


def groups(options: ShowOptions, answers: Sequence[Json]) -> StoredPage:
    from gdcli.record.fit_records import FIT, with_derived
    from gdcli.record.fits import RowsRecord
    from gdcli.record.groups import GroupRecorder, stored_group
    from gdcli.render.group_table import GroupQuestion, GroupTable

    found = list(map(stored_group, answers))
    first = next((fit.found for fit in found if fit.found is not None), None)
    if first is None:  # nothing is known of what was asked
        return many(options, answers)
    of_rows = ("used", "skipped", "held_back")
    rows = RowsRecord(**{name: sum(getattr(fit.rows, name) for fit in found) for name in of_rows})
    searched = first.problem.search is not None
    derived = list(first.derived or {})
    asked = GroupQuestion(
        first.problem, first.problem.space, list(found[0].labels), len(found), rows, searched, derived
    )
    asked = asked._replace(intervals=first.intervals is not None and first.intervals.kind != "wald")

    def write(stream: TextIO, format: Format) -> None:
        table = GroupTable(asked, format.load()(stream), GroupRecorder(), with_derived(FIT, derived))
        table(found)
        table.finish(Counter(fit.status for fit in found))

    return StoredPage(write, None, "a picture is of one fit, and these are many")


def many(options: ShowOptions, answers: Sequence[Json]) -> StoredPage:
    from gdcli.render.verdicts import page

    checked = [_answered(record, number) for number, record in enumerate(answers, 1)]

    def write(stream: TextIO, format: Format) -> None:
        timing = _timing(options, answers, stream)
        _paged(lambda width, glyphs, _: page(checked, width, glyphs, timing))(stream, format)

    missing = "a picture is of one run, and these are many"
    return StoredPage(write, None, missing, timed=_timed(answers))


def _answered(record: Json, number: int) -> Checked:
    from gdcli.record.faults import Checked, ErrorRecord
    from gdcli.record.fits import record_from
    from gdcli.tasks.problem_file import Expectation

    place = f"line {record['line']}" if "line" in record else f"answer {number}"
    name = str(record.get("name") or place)
    wanted: Any = record.get("expected")
    expect = None
    if wanted is not None:
        point = dict(wanted.get("point") or {})
        expect = Expectation(wanted["value"], float(wanted["tolerance"]), point, wanted["status"])
    if record["type"] == "error":
        fault = ErrorRecord.from_json(record).fault
        return Checked(name, expect, None, fault, str(record.get("miss", fault.message)))
    found = record_from(record)
    unexpected = f"status {found.status}" if found.exit_code else ""
    return Checked(name, expect, found, None, str(record.get("miss", unexpected)))


KINDS: dict[str, Callable[[ShowOptions, Json], StoredPage]] = {
    "compare-lr": _compared,
    "compare-methods": _compared,
    "compare-batch": _compared,
    "compare-models": _compared,
    "roots": _roots,
    "predictions": _predictions,
    "gradient": _gradient,
    "trace": _gradient,
    "methods": _list,
    "functions": _list,
    "run": lambda options, record: many(options, record["results"]),
    "groups": lambda options, record: groups(options, record["results"]),
}


# -- one run: a minimisation or a fit, with its path where that was stored ---------------------------------------------


def extremum(options: ShowOptions, answer: Stored) -> StoredPage:
    from gdcli.render import summary

    with record_file.whole(answer.name):
        found = RunRecord.from_json(upgraded(answer.result))
        path = [PathPoint.from_json(point) for point in answer.path]
        rows = list(stored_rows(path, found.problem.space))
    shown = _run(options, found, rows, PageLayout(summary.page, _as_it_is))._replace(planes=True)
    if not options.plot and not options.plane and not options.report:
        return shown
    plot, missing = _plot(options, found, path), ""
    if not path and not plot.which:
        missing = (
            "more than two variables are drawn against the iteration, and this is a result without its path "
            "(store one: --format jsonl, or choose two with --plane)"
        )
    return shown._replace(picture=None if missing else partial(plot.picture, found), missing=missing)


def _as_it_is(row: object, *_: int) -> Any:
    return row


def _run(options: ShowOptions, found: RunRecord, rows: Sequence[Any], layout: PageLayout) -> StoredPage:
    timed = found.seconds is not None

    def write(stream: TextIO, format: Format) -> None:
        timing = timed and bool(options.timing or is_terminal(stream))
        size = found.problem.space.size
        writer = Table(stream, 1, size, options.every, timing, format, layout)
        for row in rows:
            writer(row)
        writer.finish(found)

    return StoredPage(write, path=bool(rows), timed=timed)


def _plot(options: ShowOptions, found: RunRecord, path: Sequence[PathPoint]) -> RunPlot:
    from gdcli.cli.plot_option import RunPlot
    from gdcli.render.plot_data import StoredRecorder

    plot = RunPlot(options, problem_of(found.problem, found.seed))
    plot.recorder = StoredRecorder(found.problem.space, plot.which)
    for point in path:
        plot.recorder(point)
    return plot


# -- fits ------------------------------------------------------------------------------------------------------------


def fit(options: ShowOptions, env: Environment, answer: Stored) -> StoredPage:
    from gdcli.record.fits import EpochPoint, FitRecord
    from gdcli.render import fit_page

    with record_file.whole(answer.name):
        found = FitRecord.from_json(upgraded(answer.result))
        space, is_epochs = found.problem.space, found.epochs is not None
        path: list[Any] = [
            (EpochPoint if "epoch" in point else PathPoint).from_json(point) for point in answer.path
        ]
        rows = path if is_epochs else list(stored_rows(path, space))
    layout = PageLayout(fit_page.page, fit_page.epoch_row if is_epochs else _as_it_is)
    shown = _run(options, found, rows, layout)
    if "~" not in found.problem.expression and not path:
        missing = "a loss that was typed has its path drawn, and this is a result without (--format jsonl)"
        return shown._replace(missing=missing)
    return shown._replace(picture=partial(_fit_picture, answer, env, found, path))


def _asked(answer: Stored, env: Environment) -> tuple[FitRequest, FitSettings]:
    command = COMMANDS["fit"]
    _, *words = arguments(answer)
    typed = command_line.read(command_line.arrange(words, command), command)
    request, settings = fit_asked(
        cast("FitOptions", command_line.convert(typed | {"files": typed["files"] or ["-"]}, command)), env
    )
    return replace(request, files=tuple(typed["files"])), settings


def _fit_picture(answer: Stored, env: Environment, found: FitRecord, path: Sequence[Any]) -> Picture:
    """Rows are not stored with a fit: they are read again."""
    from gdcli.cli.diff_command import changed_data
    from gdcli.cli.plot_option import FitPlot
    from gdcli.render.plot_data import StoredRecorder
    from gdcli.tasks.fit.prepare import prepared

    for _, told in changed_data(answer):
        raise DataError(f"--plot: {told}", "the picture would not be that of the stored fit")
    request, settings = _asked(answer, env)
    if not request.files:
        raise DataError("--plot: the data stood in the line of the problem, and are not stored")
    start = [word.partition("=")[2] for word in arguments(answer) if word.startswith("--start=")]
    if found.problem.search is not None:  # it was found, and is in the record
        start = [assignments(found.problem.start)]
    with prepared(replace(request, start=tuple(start)), settings) as ready:
        plot = FitPlot(ready)
        plot.recorder = StoredRecorder(found.problem.space, ())
        for point in path:
            if isinstance(point, PathPoint):
                plot.recorder(point)
        return plot.picture(found, _epochs(found, path))


def _epochs(found: FitRecord, path: Sequence[Any]) -> Epochs | None:
    """The epochs of a path; of a result alone what is known of the last."""
    if found.epochs is None:
        return None
    from gdcli.render.fit_figures import Epochs

    epochs: list[EpochPoint] = [point for point in path if not isinstance(point, PathPoint)]
    if not epochs:
        return Epochs([found.epochs], [found.mean], [None])
    return Epochs(
        [point.epoch for point in epochs],
        [point.mean for point in epochs],
        [point.validation for point in epochs],
    )
