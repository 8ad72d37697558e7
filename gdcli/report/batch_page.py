"""Batch sizes compared: a row for each, what it cost, how far it came, and which came nearest to the minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdcli.record.fits import named, problem_record
from gdcli.record.schema import Json, plain, signed
from gdcli.report.comparison import head, question, tail, with_course
from gdcli.report.faults import harmless, shorten
from gdcli.report.numbers import amount, column, seconds, short
from gdcli.report.page import Column, Glyphs, Line, fact, laid_out
from gdcli.report.sparkline import Bars, sparkline

if TYPE_CHECKING:
    from gdcli.batch_sizes import BatchRun
    from gdcli.fitting.compare import Compared
    from gdcli.fitting.prepare import Prepared
    from gdcli.report.plot_data import Chart

_ROLES = {"completed": "good", "limit": "warn"}


def cells(timing: bool) -> tuple[str, ...]:
    """Return the cells of a CSV row."""
    ends = ("gap", "noise_excess", "noise_deviation", *(("seconds",) if timing else ()))
    return ("batch_size", "status", "value", "mean_loss", "epochs", "row_visits", "steps", "lr", *ends)


def record(ready: Prepared, compared: Compared, timing: bool) -> Json:
    """Return the whole comparison; losses are in the sense of the user, gap and noise in terms of the mean loss."""
    problem, found = ready.problem, compared.found
    return (
        head("compare-batch", problem)
        | {"problem": problem_record(problem).to_json(), "rows": found.rows}
        | {"held_back": compared.rows - found.rows}
        | {"lowest": signed(_sign(ready), found.lowest)}
        | {"batches": [_run(ready, run, found.rows, timing) for run in found.runs]}
        | tail(problem, compared.warnings)
    )


def _run(ready: Prepared, run: BatchRun, rows: int, timing: bool) -> Json:
    sign, made = _sign(ready), run.made
    size = "all" if run.batch_size is None else run.batch_size
    result: Json = {"batch_size": size, "status": _status(run), "message": _message(run)}
    keys = ("reason", "value", "mean_loss", "epochs", "row_visits", "steps", "lr", "gap", "noise", "point")
    if made is None:
        return result | dict.fromkeys((*keys, *(("seconds", "engine") if timing else ()), "course"))
    best, noise = made.run.best, made.noise
    told = None if noise is None else {"excess": noise.excess, "deviation": noise.deviation}
    numbers = (
        made.run.reason.value,
        signed(sign, best.at.value * rows),
        signed(sign, best.at.value),
        made.run.iterations,
        made.visits,
        made.run.counts.gradient,
        made.lr,
        made.gap,
        told,
        plain(named([float(v) for v in best.at.x], ready.row.space)),
    )
    result |= dict(zip(keys, numbers, strict=True))
    if timing:
        result |= {"seconds": made.run.seconds, "engine": made.engine}
    return result | {"course": [[visits, signed(sign, loss)] for visits, loss in run.course]}


def page(
    ready: Prepared, compared: Compared, width: int, glyphs: Glyphs, bars: Bars, timing: bool
) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    runs = compared.found.runs
    lines = question(ready.problem, width)
    lines += fact("data", _data(ready, compared), width)
    columns = _columns(ready, runs, width, bars, timing)
    lines += [[], *laid_out(columns, width, glyphs, all_in="--format json"), []]
    for run in runs:
        if run.fault is not None or _status(run) != "completed":
            told = harmless(f"{run.name}: {shorten(_message(run), 4 * width)}")
            lines += fact("failed" if run.fault is not None else _status(run), told, width, label_role="bad")
    lines += _best(compared, width)
    for warning in compared.warnings:
        lines += fact("warning", harmless(warning), width, "warn", label_role="warn")
    return lines


def _data(ready: Prepared, compared: Compared) -> str:
    files = ", ".join("standard input" if f == "-" else f for f in ready.problem.files[:4])
    held = compared.rows - compared.found.rows
    back = f", {held} of them held back" if held else ""
    return f"{harmless(files)}: " * bool(files) + amount(compared.rows, "row") + back


def _sign(ready: Prepared) -> int:
    return ready.problem.sign


def _status(run: BatchRun) -> str:
    if run.verdict is not None:
        return run.verdict.status.value
    return "error" if run.fault is None else run.fault.status


def _message(run: BatchRun) -> str:
    return run.verdict.message if run.verdict is not None else "" if run.fault is None else run.fault.message


def _columns(ready: Prepared, runs: Any, width: int, bars: Bars, timing: bool) -> list[Column]:
    made = [run.made for run in runs]
    statuses = [_status(run) for run in runs]
    sign = _sign(ready)
    near = [None if status in ("diverged", "error") else m for m, status in zip(made, statuses, strict=True)]
    noises = [None if m is None or m.noise is None or not m.noise.excess else m.noise.excess for m in near]
    columns = [
        Column("batch", [run.name for run in runs]),
        Column("status", statuses, left=True, roles=[_ROLES.get(s, "bad") for s in statuses]),
        Column("mean loss", column([None if m is None else sign * m.run.best.at.value for m in made], 7)),
        Column("gap", [_small(None if m is None else m.gap) for m in near], spare=1),
        Column("noise", [_small(noise) for noise in noises], spare=3),
        Column("visits", ["" if m is None else str(m.visits) for m in made], spare=2),
        Column("steps", ["" if m is None else str(m.run.counts.gradient) for m in made], spare=4),
        Column("rate", ["" if m is None else short(m.lr, 3) for m in made], spare=2),
    ]
    if timing:
        columns.append(Column("time", ["" if m is None else seconds(m.run.seconds) for m in made], spare=3))
    courses = [[loss for _, loss in run.course] for run in runs]
    return with_course(columns, width, lambda room: [sparkline(losses, room, bars) for losses in courses])


def _small(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _best(compared: Compared, width: int) -> list[Line]:
    """Return which batch size came nearest to the minimum."""
    done = [(r, r.made) for r in compared.found.runs if r.made is not None and _status(r) == "completed"]
    if not done:
        return fact("best", "none of these batch sizes came to its end", width, "warn")
    run, made = min(done, key=lambda pair: pair[1].run.best.at.value)
    visits = amount(made.visits, "row visit")
    where = "" if made.gap is None else f", {short(made.gap, 2)} from the optimum"
    of = "all rows a step" if run.batch_size is None else f"{amount(run.batch_size, 'row')} a step"
    return fact("best", f"{of}: the best mean loss after {visits}{where}", width, "good")


def picture(ready: Prepared, compared: Compared) -> Chart:
    """Return the picture of the mean loss against the rows visited, a curve for each batch size."""
    from gdcli.report import scenes
    from gdcli.report.comparison_scenes import BatchPath, batch_losses

    sign, lowest = _sign(ready), compared.found.lowest
    paths = [
        BatchPath(run.name, run.course, _status(run) == "diverged")
        for run in compared.found.runs
        if run.course
    ]
    return batch_losses(scenes.title(ready.problem.expression), paths, sign, lowest)
