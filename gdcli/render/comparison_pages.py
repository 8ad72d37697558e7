"""Pages of comparisons: a row for each learning rate, method or batch size, and below in words what explains them: the
curvature, who got there with the least work, which came nearest to the minimum.

A comparison is known when all of it is done, so that nothing is written before; each format is then one function of the
whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, TextIO

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import harmless, shorten
from gdcli.kernel.number_format import amount, column, pointed, seconds, short
from gdcli.kernel.status import CurvatureSource, role_of
from gdcli.record.schema import Json, Record, told
from gdcli.render import formats
from gdcli.render.formats import Format, Shape
from gdcli.render.page import PLAIN, Column, Glyphs, Line, fact, laid_out, warnings
from gdcli.render.summary import beginning, point_text, title, typed_texts
from gdcli.render.text_plots import LETTERS, Bars, bars_of, sparkline

if TYPE_CHECKING:
    from gdcli.record.compared import (
        BatchesRecord,
        BatchRecord,
        Course,
        CurvatureRecord,
        MethodRecord,
        MethodsRecord,
        RatesRecord,
    )
    from gdcli.record.runs import ProblemRecord
    from gdcli.render.plot_data import Chart

Page = Callable[[int, Glyphs, Bars], list[Line]]
# A sparkline is at least this wide, and at most that.
NARROW, WIDE = 8, 32


def question(problem: ProblemRecord, seed: int, width: int) -> list[Line]:
    lines = title(problem.sense, problem, width)
    if problem.constants:
        lines += fact("with", point_text(problem.constants), width)
    return lines + typed_texts("let", problem.let, width) + beginning(problem, seed, width)


def aligned(texts: Iterable[str]) -> list[str]:
    """Return numbers with their decimal points under each other; as they are where one is in scientific form."""
    texts = list(texts)
    return texts if any("e" in text for text in texts) else pointed(texts)


def with_course(
    columns: list[Column], width: int, bars: Bars, courses: Iterable[Course | None], sign: int = 1
) -> list[Column]:
    """Return the columns, and in the room that is left the courses of the runs; with ``sign`` -1 of the negatives."""
    room = max(NARROW, min(WIDE, width - sum(c.width + 2 for c in columns)))
    cells = [sparkline([sign * value for _, value in course or ()], room, bars) for course in courses]
    return [*columns, Column("course", cells, left=True, spare=9)]


class Kind(NamedTuple):
    """A kind of comparison: what lays it out, the key of its runs and what one is called, the cells of a row of csv,
    its picture (None: one that takes more than the record).
    """

    page: Callable[[Any, int, Glyphs, Bars, bool], list[Line]]
    parts: str
    one: str
    cells: Callable[[bool], Sequence[str]]
    picture: Callable[[Any], Chart] | None


def write(stream: TextIO, format: Format, found: Record, kind: Kind, timing: bool) -> None:
    """Write a comparison in one of the formats.

    As lines each run has one, then the whole; as rows each has one, in which ``evaluations_value`` is the entry
    ``value`` of ``evaluations``.
    """
    from gdcli.record import serialization

    if format.is_page:
        write_page(stream, format, lambda width, glyphs, bars: kind.page(found, width, glyphs, bars, timing))
        return
    record = told(found, timing, kind.parts)
    if format.shape is Shape.OBJECT:
        stream.write(serialization.json_block(record))
    elif format.shape is Shape.LINES:
        for part in record[kind.parts]:
            stream.write(serialization.json_text({"type": kind.one} | part) + "\n")
        stream.write(serialization.json_text(record) + "\n")
    else:
        cells = kind.cells(timing)
        rows = ([_cell(part, name) for name in cells] for part in record[kind.parts])
        stream.write(format.load().table(cells, rows))


def _cell(part: Json, name: str) -> Any:
    """Return the entry of a record, or an entry of one of its entries; booleans as JSON writes them."""
    outer, _, inner = name.partition("_")
    value = (part.get(outer) or {}).get(inner, 0) if inner and name not in part else part.get(name)
    return str(value).lower() if isinstance(value, bool) else value


def write_page(stream: TextIO, format: Format, page: Page) -> None:
    """Write a comparison as a page, with bars as rich as its glyphs."""

    def lines(width: int, glyphs: Glyphs) -> list[Line]:
        return page(width, glyphs, LETTERS if glyphs is PLAIN else bars_of(stream))

    formats.write_page(stream, format, lines)


# -- learning rates --------------------------------------------------------------------------------------------------

_ROLES = {
    "diverges": "bad",
    "oscillates": "warn",
    "good pace": "good",
    "converges": "good",
    "too slow": "warn",
}
# A curvature is called the same along the whole way when it changes by less than this.
_STEADY = 0.05
_ROUND, _NARROW = 1.5, 20.0


def rates_page(
    found: RatesRecord, width: int, glyphs: Glyphs, bars: Bars, timing: bool = False
) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    lines = question(found.problem, found.seed, width)
    told = f"gradient descent, at most {amount(found.max_steps, 'step')}; arrived when one moves < 1e-7"
    lines += fact("method", told, width)
    lines += [[], *laid_out(_rate_columns(found, width, bars), width, glyphs, all_in="--format json")]
    if any(rate.predicted for rate in found.rates):
        lines.append([("~ predicted from the contraction of the last steps", "rule")])
    lines.append([])
    for rate in found.rates:
        if rate.note:
            lines += fact(
                "note", harmless(f"rate {short(rate.lr, 6)}: {rate.note}"), width, label_role="warn"
            )
    lines += _reason(found, width) + _fastest(found, width)
    lines += warnings(found.warnings, width)
    if found.ended is not None:
        lines += fact(found.ended, "the verdicts are on what was done so far", width, "bad", "bad")
    return lines


def _rate_columns(found: RatesRecord, width: int, bars: Bars) -> list[Column]:
    rates = found.rates
    slopes = [rate.gradient_norm for rate in rates]
    columns = [
        Column("rate", aligned(short(rate.lr, 6) for rate in rates)),
        Column("verdict", [r.verdict for r in rates], left=True, roles=[_ROLES[r.verdict] for r in rates]),
        Column("lr*L", aligned(short(rate.lr_times_curvature, 4) for rate in rates), spare=1),
        Column("steps", [steps_text(rate.steps, rate.predicted) for rate in rates]),
        Column("value", column([rate.value for rate in rates], 6)),
        Column("|gradient|", ["-" if g is None else f"{g:.2e}" for g in slopes], spare=2),
    ]
    return with_course(columns, width, bars, [rate.course for rate in rates])


def steps_text(steps: int | None, predicted: bool) -> str:
    """Return how many steps there are, ``~`` before a prediction; ``-`` where there is no end."""
    if steps is None:
        return "-"
    return ("~" if predicted else "") + (str(steps) if steps < 10**7 else short(float(steps), 3))


def _taken(steps: int | None, predicted: bool) -> str:
    return f"{steps_text(steps, predicted)} step{'s' * (steps != 1)}"


def _reason(found: RatesRecord, width: int) -> list[Line]:
    largest, at_end = found.curvature.largest, found.curvature.at_end
    if largest is None or at_end is None:
        return []
    lines = fact("curvature", _curvature(found.curvature), width)
    if found.limit is None or found.best_lr is None:
        none = "none: nothing is curved upwards along the way, so the curvature says nothing of rates"
        return lines + fact("limit", none, width)
    steady = abs(at_end - largest) <= _STEADY * largest
    told = "a larger rate overshoots farther with each step"
    if not steady:
        told = f"safe all along the way; where it ends {short(2.0 / at_end, 4)}" if at_end > 0.0 else "safe"
    lines += fact("limit", f"2/L = {short(found.limit, 6)}; {told}", width)
    lines += fact("best rate", _best_rate(found), width)
    if found.reference_lr is not None:
        needs = _taken(found.reference_steps, bool(found.reference_predicted))
        lines += fact("faster", f"{short(found.reference_lr, 6)}, tried beside it, needs {needs}", width)
    if found.condition is not None:
        shape = _shape(found.condition, found.problem.space.size)
        lines += fact("condition", f"L/m = {short(found.condition, 4)}; {shape}", width)
    return lines


def _curvature(c: CurvatureRecord) -> str:
    if c.largest == c.smallest == 0.0:
        return "none: the gradient is the same all along the way"
    where = f"({CurvatureSource(c.how or 'none').told} at {amount(c.points or 0, 'point')})"
    return f"L = {short(c.largest, 6)} at most, m = {short(c.smallest, 6)} at least along the way {where}"


def _fastest(found: RatesRecord, width: int) -> list[Line]:
    """Return which rate of the table needs the fewest steps: a look at each, where the curvature only foretells.

    Where none arrives it is the one that came lowest.
    """
    fastest, lowest = found.fastest, found.lowest
    if lowest is None or len(found.rates) < 2:
        return []
    if fastest is None:
        side = "highest" if found.problem.sign < 0 else "lowest"
        told = f"none arrives; rate {short(lowest.lr, 6)} comes {side} in {amount(found.max_steps, 'step')}"
        return fact("of these", told, width)
    taken = _taken(fastest.steps, fastest.predicted)
    open_ended = any(r.steps is None and r.verdict not in ("diverges", "oscillates") for r in found.rates)
    known = " of those whose end is known" * open_ended
    return fact("of these", f"rate {short(fastest.lr, 6)} arrives first{known}, after {taken}", width)


def _best_rate(found: RatesRecord) -> str:
    singular = found.condition is None
    name = "1/L" if singular else "2/(L+m)"
    text = f"{name} = {short(found.best_lr, 6)} by the curvature along the way"
    if found.best_steps is None:
        needs = "it does not arrive within the steps asked for, and when it would is not known"
    else:
        needs = f"needs {_taken(found.best_steps, bool(found.best_predicted))}"
        if found.best_verdict == "oscillates":
            needs += ", to and fro across the valley"
    if singular:
        needs += "; m is not positive, so 2/(L+m) does not apply"
    return f"{text}; {needs}"


def _shape(condition: float, size: int) -> str:
    if size == 1:
        return "by so much the curvature changes along the way" if condition > 1.0 + _STEADY else "a parabola"
    if condition < _ROUND:
        return "round: the gradient points at the minimum from everywhere"
    shrink = short(100.0 * 2.0 / (condition + 1.0), 3)
    if condition < _NARROW:
        return f"a step at the best rate is {shrink} % shorter than the last"
    return (
        f"a narrow valley: what is safe across it is slow along it, at best a step is {shrink} % shorter "
        "than the last"
    )


_CELLS = ("lr", "verdict", "steps", "predicted", "value", "gradient_norm", "lr_times_curvature")
RATES = Kind(rates_page, "rates", "rate", lambda timing: _CELLS, None)

# -- methods ---------------------------------------------------------------------------------------------------------

# Values that differ by no more than this, relative to max(1, |value|), are the same answer.
_SAME = 1e-8
# A run that is this many times as long as another is not drawn beside it on a linear axis.
_LONGER = 100


def methods_page(found: MethodsRecord, width: int, glyphs: Glyphs, bars: Bars, timing: bool) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    columns = _method_columns(found.methods, width, bars, timing)
    lines = [
        *question(found.problem, found.seed, width),
        [],
        *laid_out(columns, width, glyphs, all_in="--format json"),
        [],
    ]
    for run in found.methods:
        if run.reason is None:
            told = harmless(f"{run.method}: {run.message}")
            lines += fact("failed", told, width, label_role="bad")
    lines += _summary(found, width)
    lines += warnings(found.warnings, width)
    return lines


def _method_columns(runs: Sequence[MethodRecord], width: int, bars: Bars, timing: bool) -> list[Column]:
    statuses = [run.status for run in runs]
    columns = [
        Column("method", [run.method for run in runs], left=True),
        Column("status", statuses, left=True, roles=[role_of(s) for s in statuses]),
        Column("value", [c or "-" for c in column([run.value for run in runs], 6)]),
        Column("iter", ["-" if run.reason is None else str(run.iterations) for run in runs], spare=1),
        Column("evals", ["-" if run.reason is None else str(run.work) for run in runs]),
    ]
    if timing:
        times = ["-" if run.seconds is None else seconds(run.seconds) for run in runs]
        columns.append(Column("time", times, spare=2))
    return with_course(columns, width, bars, [run.course for run in runs])


def _summary(found: MethodsRecord, width: int) -> list[Line]:
    """Return who converged to the best value, and who of them with the fewest evaluations."""
    sign = found.problem.sign
    there = [
        (sign * run.value, run)
        for run in found.methods
        if run.status in ("converged", "completed") and run.value is not None
    ]
    if not there:
        return fact("best", "none of these methods converged", width, "warn")
    lowest = min(value for value, _ in there)
    same = _SAME * max(1.0, abs(lowest))
    best = [run for value, run in there if value <= lowest + same]
    least = min(best, key=lambda run: run.work)
    word = "highest" if sign < 0 else "lowest"
    told = f"{len(best)} of {len(found.methods)} converged to the {word} value"
    if len(best) > 1:
        told += f"; {least.method} with the fewest evaluations, {least.work}"
    else:
        told += f": {least.method}, with {amount(least.work, 'evaluation')}"
    return fact("best", told, width, "good")


def methods_picture(found: MethodsRecord) -> Chart:
    """Return the picture of the value above the best against the iteration, a curve for each method."""
    from gdcli.render import comparison_figures, figures

    runs = [
        comparison_figures.Course(f"{run.method}: {run.status}", run.status == "diverged", run.course)
        for run in found.methods
        if run.course
    ]
    title = figures.title(found.problem.expression)
    chart = comparison_figures.courses(title, runs, found.problem.sign, inf, "iteration")
    ends = [max(1, run.points[-1][0]) for run in runs if not run.wild]
    if not ends or max(ends) < _LONGER * min(ends):
        return chart
    (panel,) = chart.panels  # a logarithmic axis has no place for iteration 0, the start
    lines = [line._replace(xs=[step + 1 for step in line.xs]) for line in panel.series]
    return chart._replace(panels=(panel._replace(series=lines, xlabel="iteration + 1", xlog=True),))


def _method_cells(timing: bool) -> tuple[str, ...]:
    counts = (f"evaluations_{kind}" for kind in ("value", "gradient", "hessian", "product"))
    return (
        "method",
        "status",
        "value",
        "gradient_norm",
        "iterations",
        *counts,
        *(["seconds"] if timing else []),
    )


METHODS = Kind(methods_page, "methods", "method", _method_cells, methods_picture)

# -- batch sizes -----------------------------------------------------------------------------------------------------


def batches_page(found: BatchesRecord, width: int, glyphs: Glyphs, bars: Bars, timing: bool) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    lines = question(found.problem, found.seed, width)
    lines += fact("data", _data(found), width)
    columns = _batch_columns(found, width, bars, timing)
    lines += [[], *laid_out(columns, width, glyphs, all_in="--format json"), []]
    for run in found.batches:
        if run.status != "completed":
            told = harmless(f"{run.batch_size}: {shorten(run.message, 4 * width)}")
            lines += fact("failed" if run.reason is None else run.status, told, width, label_role="bad")
    lines += _best_batch(found, width)
    lines += warnings(found.warnings, width)
    return lines


def _data(found: BatchesRecord) -> str:
    files = ", ".join("standard input" if f == "-" else f for f in found.problem.files[:4])
    back = f", {found.held_back} of them held back" if found.held_back else ""
    return f"{harmless(files)}: " * bool(files) + amount(found.rows + found.held_back, "row") + back


def _batch_columns(found: BatchesRecord, width: int, bars: Bars, timing: bool) -> list[Column]:
    runs, sign = found.batches, found.problem.sign
    statuses = [run.status for run in runs]
    near = [run.reason is not None and run.status != "diverged" for run in runs]
    noises = [None if run.noise is None else run.noise.excess or None for run in runs]
    columns = [
        Column("batch", [str(run.batch_size) for run in runs]),
        Column("status", statuses, left=True, roles=[role_of(s) for s in statuses]),
        Column("mean loss", column([run.mean for run in runs], 7)),
        Column("gap", _small([run.gap for run in runs], near), spare=1),
        Column("noise", _small(noises, near), spare=3),
        Column("visits", ["" if run.row_visits is None else str(run.row_visits) for run in runs], spare=2),
        Column("steps", ["" if run.steps is None else str(run.steps) for run in runs], spare=4),
        Column("rate", ["" if run.lr is None else short(run.lr, 3) for run in runs], spare=2),
    ]
    if timing:
        times = ["" if run.seconds is None else seconds(run.seconds) for run in runs]
        columns.append(Column("time", times, spare=3))
    return with_course(columns, width, bars, [run.course for run in runs], sign)


def _small(values: list[float | None], near: list[bool]) -> list[str]:
    """The _batch_cells of what is near the minimum, empty where the run is not."""
    return ["" if v is None or not here else f"{v:.1e}" for v, here in zip(values, near, strict=True)]


def _best_batch(found: BatchesRecord, width: int) -> list[Line]:
    done: list[tuple[float, BatchRecord]] = [
        (found.problem.sign * run.mean, run)
        for run in found.batches
        if run.status == "completed" and run.mean is not None
    ]
    if not done:
        return fact("best", "none of these batch sizes came to its end", width, "warn")
    _, best = min(done, key=lambda pair: pair[0])
    visits = amount(best.row_visits or 0, "row visit")
    where = "" if best.gap is None else f", {short(best.gap, 2)} from the optimum"
    size = best.batch_size
    of = "all rows a step" if isinstance(size, str) else f"{amount(size, 'row')} a step"
    return fact("best", f"{of}: the best mean loss after {visits}{where}", width, "good")


def batches_picture(found: BatchesRecord) -> Chart:
    """Return the picture of the mean loss against the rows visited, a curve for each batch size."""
    from gdcli.render import comparison_figures, figures

    runs = [
        comparison_figures.Course(f"batch size {run.batch_size}", run.status == "diverged", run.course)
        for run in found.batches
        if run.course
    ]
    title = figures.title(found.problem.expression)
    return comparison_figures.batch_losses(title, runs, found.problem.sign, found.lowest)


def _batch_cells(timing: bool) -> tuple[str, ...]:
    ends = ("gap", "noise_excess", "noise_deviation", *(("seconds",) if timing else ()))
    return ("batch_size", "status", "value", "mean_loss", "epochs", "row_visits", "steps", "lr", *ends)


BATCHES = Kind(batches_page, "batches", "batch", _batch_cells, batches_picture)
