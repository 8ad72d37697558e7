"""Methods compared: a row for each, and which of them got there with the least work."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from gdcli.kernel.errors import harmless
from gdcli.kernel.number_format import amount, column, seconds
from gdcli.kernel.status import role_of
from gdcli.render.comparison import Kind, question, with_course
from gdcli.render.page import Column, Glyphs, Line, fact, laid_out, warnings
from gdcli.render.sparkline import Bars, sparkline

if TYPE_CHECKING:
    from gdcli.record.compared import MethodRecord, MethodsRecord
    from gdcli.render.plot_data import Chart

# Values that differ by no more than this, relative to max(1, |value|), are the same answer.
_SAME = 1e-8
# A run that is this many times as long as another is not drawn beside it on a linear axis.
_LONGER = 100


def page(found: MethodsRecord, width: int, glyphs: Glyphs, bars: Bars, timing: bool) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    columns = _columns(found.methods, width, bars, timing)
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


def _columns(runs: Sequence[MethodRecord], width: int, bars: Bars, timing: bool) -> list[Column]:
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
    courses = [[value for _, value in run.course] for run in runs]
    return with_course(columns, width, lambda room: [sparkline(values, room, bars) for values in courses])


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


def picture(found: MethodsRecord) -> Chart:
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


def cells(timing: bool) -> tuple[str, ...]:
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


KIND = Kind(page, "methods", "method", cells)
