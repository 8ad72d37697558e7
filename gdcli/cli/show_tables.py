"""What `gd show` shows of comparisons, gradients, the methods, and the answers of many problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.cli.record_file import Record, StoredPage
from gdcli.record.upgrade import upgraded

if TYPE_CHECKING:
    from gdcli.cli.commands import ShowOptions
    from gdcli.record.compared import RatesRecord
    from gdcli.record.faults import Checked
    from gdcli.render.comparison import Kind, Page
    from gdcli.render.formats import Format
    from gdcli.render.plot_data import Picture


def _paged(page: Page) -> Callable[[TextIO, Format], None]:
    from gdcli.render.comparison import write_page

    return lambda stream, format: write_page(stream, format, page)


def _timed(parts: Sequence[Record]) -> bool:
    return any("seconds" in part for part in parts)


def _timing(options: ShowOptions, parts: Sequence[Record], stream: TextIO) -> bool:
    """Tell whether times are shown: where they are asked for, or on a terminal, and there are any."""
    from gdcli.render.tables import is_terminal

    return _timed(parts) and bool(options.timing or is_terminal(stream))


def _compared(options: ShowOptions, record: Record) -> StoredPage:
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
    from gdcli.cli.show_runs import problem_of
    from gdcli.render.comparison_figures import RatePath

    problem = problem_of(found.problem, found.seed)
    again = api.compare_learning_rates(problem, [rate.lr for rate in found.rates], found.max_steps)
    pairs = zip(found.rates, again.found.rates, strict=True)
    paths = [RatePath(rate.lr, rate.verdict, again.values(walked)) for rate, walked in pairs]
    return rates_picture(problem, paths, options.log_axes)


def _gradient(options: ShowOptions, record: Record) -> StoredPage:
    from gdcli.cli.gradient_command import write
    from gdcli.cli.plot_option import errors_picture
    from gdcli.record.gradients import GradientRecord, TraceRecord
    from gdcli.record.upgrade import upgraded_gradient

    found: Any = (TraceRecord if record["type"] == "trace" else GradientRecord).from_json(
        upgraded_gradient(record)
    )
    picture = partial(errors_picture, found) if getattr(found, "errors", None) else None
    missing = "a gradient has one with --errors, and this is without"
    return StoredPage(lambda stream, format: write(found, format, stream), picture, missing)


def _predictions(options: ShowOptions, record: Record) -> StoredPage:
    from gdcli.cli.predict_command import write
    from gdcli.record.predictions import PredictionsRecord

    found = PredictionsRecord.from_json(record)
    return StoredPage(
        lambda stream, format: write(found, format, stream), None, "predictions have no picture"
    )


def _roots(options: ShowOptions, record: Record) -> StoredPage:
    from gdcli.cli.solve_command import write
    from gdcli.record.roots import RootsRecord

    found = RootsRecord.from_json(record)
    timed = found.seconds is not None

    def shown(stream: TextIO, format: Format) -> None:
        write(found, format, stream, _timing(options, [record], stream))

    return StoredPage(shown, None, "roots have no picture", timed=timed)


def _list(options: ShowOptions, record: Record) -> StoredPage:
    from gdcli.cli.listing_command import page

    return StoredPage(
        _paged(lambda width, *_: page(record, width)), None, "the list of methods has no picture"
    )


def groups(options: ShowOptions, answers: Sequence[Record]) -> StoredPage:
    from collections import Counter

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


def many(options: ShowOptions, answers: Sequence[Record]) -> StoredPage:
    from gdcli.render.verdicts import page

    checked = [_answered(record, number) for number, record in enumerate(answers, 1)]

    def write(stream: TextIO, format: Format) -> None:
        timing = _timing(options, answers, stream)
        _paged(lambda width, glyphs, _: page(checked, width, glyphs, timing))(stream, format)

    missing = "a picture is of one run, and these are many"
    return StoredPage(write, None, missing, timed=_timed(answers))


def _answered(record: Record, number: int) -> Checked:
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


KINDS: dict[str, Callable[[ShowOptions, Record], StoredPage]] = {
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
