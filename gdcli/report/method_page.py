"""Methods compared: a row for each, and which of them got there with the least work."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from gdcli.record.runs import run_record
from gdcli.record.schema import Json
from gdcli.report.comparison import drawn, head, question, tail, told_course, with_course
from gdcli.report.faults import harmless, shorten
from gdcli.report.numbers import amount, column, seconds
from gdcli.report.page import Column, Glyphs, Line, fact, laid_out
from gdcli.report.sparkline import Bars

if TYPE_CHECKING:
    from gdcli.api import MethodRun, Outcome, Problem
    from gdcli.report.plot_data import Chart

_ROLES = {"converged": "good", "completed": "good", "limit": "warn", "stalled": "warn"}
# Values that differ by no more than this, relative to max(1, |value|), are the same answer.
_SAME = 1e-8
# A run that is this many times as long as another is not drawn beside it on a linear axis.
_LONGER = 100


def cells(timing: bool) -> tuple[str, ...]:
    """Return the cells of a CSV row."""
    counts = (f"evaluations_{kind}" for kind in ("value", "gradient", "hessian", "product"))
    seconds = ("seconds",) if timing else ()
    return ("method", "status", "value", "gradient_norm", "iterations", *counts, *seconds)


def record(problem: Problem, runs: Sequence[MethodRun], timing: bool) -> Json:
    """Return the whole comparison."""
    return (
        head("compare-methods", problem)
        | {"methods": [_run(run, timing) for run in runs]}
        | tail(problem, shared_warnings(runs))
    )


def _run(run: MethodRun, timing: bool) -> Json:
    keys = ["status", "message", "reason", "value", "value_is", "gradient_norm", "iterations"]
    keys += ["evaluations", "point"]
    if timing:
        keys.append("seconds")
    if run.outcome is not None:
        whole = run_record(run.outcome).to_json()
    else:
        message = "" if run.fault is None else shorten(run.fault.message)
        whole = dict.fromkeys(keys) | {"status": _status(run), "message": message}
    chosen = {key: whole[key] for key in keys if key in whole and (key != "value_is" or whole[key])}
    return {"method": run.method} | chosen | {"course": told_course(run.values)}


def shared_warnings(runs: Sequence[MethodRun]) -> tuple[str, ...]:
    """Return the warnings that every run gave: they are about the problem, not about a method."""
    lists = [run.outcome.warnings for run in runs if run.outcome is not None]
    return tuple(w for w in lists[0] if all(w in other for other in lists)) if lists else ()


def page(
    problem: Problem, runs: Sequence[MethodRun], width: int, glyphs: Glyphs, bars: Bars, timing: bool
) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    columns = _columns(runs, width, bars, timing)
    lines = [*question(problem, width), [], *laid_out(columns, width, glyphs, all_in="--format json"), []]
    for run in runs:
        if run.fault is not None:
            told = harmless(f"{run.method}: {shorten(run.fault.message)}")
            lines += fact("failed", told, width, label_role="bad")
    lines += _summary(problem, runs, width)
    for warning in shared_warnings(runs):
        lines += fact("warning", harmless(warning), width, "warn", label_role="warn")
    return lines


def _status(run: MethodRun) -> str:
    return run.outcome.status.value if run.outcome is not None else run.fault.status if run.fault else "error"


def _work(outcome: Outcome) -> int:
    return outcome.run.counts.total


def _columns(runs: Sequence[MethodRun], width: int, bars: Bars, timing: bool) -> list[Column]:
    outcomes = [run.outcome for run in runs]
    statuses = [_status(run) for run in runs]
    columns = [
        Column("method", [run.method for run in runs], left=True),
        Column("status", statuses, left=True, roles=[_ROLES.get(s, "bad") for s in statuses]),
        Column("value", [c or "-" for c in column([None if o is None else o.value for o in outcomes], 6)]),
        Column("iter", ["-" if o is None else str(o.run.iterations) for o in outcomes], spare=1),
        Column("evals", ["-" if o is None else str(_work(o)) for o in outcomes]),
    ]
    if timing:
        times = ["-" if o is None else seconds(o.run.seconds) for o in outcomes]
        columns.append(Column("time", times, spare=2))
    return with_course(columns, width, lambda room: [drawn(run.values, room, bars) for run in runs])


def _summary(problem: Problem, runs: Sequence[MethodRun], width: int) -> list[Line]:
    """Return who converged to the best value, and who of them with the fewest evaluations."""
    done = [(run.method, run.outcome) for run in runs if run.outcome is not None]
    there = [(name, o) for name, o in done if o.status.value in ("converged", "completed")]
    if not there:
        return fact("best", "none of these methods converged", width, "warn")
    sign = float(problem.sign)
    lowest = min(sign * o.value for _, o in there)
    same = _SAME * max(1.0, abs(lowest))
    best = [(name, o) for name, o in there if sign * o.value <= lowest + same]
    name, outcome = min(best, key=lambda pair: _work(pair[1]))
    word = "highest" if sign < 0 else "lowest"
    told = f"{len(best)} of {len(runs)} converged to the {word} value"
    if len(best) > 1:
        told += f"; {name} with the fewest evaluations, {_work(outcome)}"
    else:
        told += f": {name}, with {amount(_work(outcome), 'evaluation')}"
    return fact("best", told, width, "good")


def picture(
    problem: Problem, runs: Sequence[MethodRun], courses: Sequence[Sequence[tuple[int, float]]]
) -> Chart:
    """Return the picture of the value above the best against the iteration, a curve for each method.

    ``courses`` has the iterations and values of each run.
    """
    from gdcli.report import comparison_scenes, scenes

    sign = problem.sign
    found = [
        comparison_scenes.Course(f"{run.method}: {_status(run)}", _status(run) == "diverged", course)
        for run, course in zip(runs, courses, strict=True)
        if course
    ]
    title = scenes.title(problem.expression)
    chart = comparison_scenes.courses(title, found, sign, inf, "iteration")
    ends = [max(1, run.points[-1][0]) for run in found if not run.wild]
    if not ends or max(ends) < _LONGER * min(ends):
        return chart
    (panel,) = chart.panels  # a logarithmic axis has no place for iteration 0, the start
    lines = [line._replace(xs=[step + 1 for step in line.xs]) for line in panel.series]
    return chart._replace(panels=(panel._replace(series=lines, xlabel="iteration + 1", xlog=True),))
