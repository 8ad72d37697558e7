"""Batch sizes compared: a row for each, what it cost, how far it came, and which came nearest to the minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import harmless, shorten
from gdcli.kernel.number_format import amount, column, seconds, short
from gdcli.kernel.status import role_of
from gdcli.render.comparison import Kind, question, with_course
from gdcli.render.page import Column, Glyphs, Line, fact, laid_out, warnings
from gdcli.render.sparkline import Bars, sparkline

if TYPE_CHECKING:
    from gdcli.record.compared import BatchesRecord, BatchRecord
    from gdcli.render.plot_data import Chart


def page(found: BatchesRecord, width: int, glyphs: Glyphs, bars: Bars, timing: bool) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    lines = question(found.problem, found.seed, width)
    lines += fact("data", _data(found), width)
    columns = _columns(found, width, bars, timing)
    lines += [[], *laid_out(columns, width, glyphs, all_in="--format json"), []]
    for run in found.batches:
        if run.status != "completed":
            told = harmless(f"{run.batch_size}: {shorten(run.message, 4 * width)}")
            lines += fact("failed" if run.reason is None else run.status, told, width, label_role="bad")
    lines += _best(found, width)
    lines += warnings(found.warnings, width)
    return lines


def _data(found: BatchesRecord) -> str:
    files = ", ".join("standard input" if f == "-" else f for f in found.problem.files[:4])
    back = f", {found.held_back} of them held back" if found.held_back else ""
    return f"{harmless(files)}: " * bool(files) + amount(found.rows + found.held_back, "row") + back


def _columns(found: BatchesRecord, width: int, bars: Bars, timing: bool) -> list[Column]:
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
    courses = [[sign * loss for _, loss in run.course or ()] for run in runs]
    return with_course(columns, width, lambda room: [sparkline(losses, room, bars) for losses in courses])


def _small(values: list[float | None], near: list[bool]) -> list[str]:
    """The cells of what is near the minimum, empty where the run is not."""
    return ["" if v is None or not here else f"{v:.1e}" for v, here in zip(values, near, strict=True)]


def _best(found: BatchesRecord, width: int) -> list[Line]:
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


def picture(found: BatchesRecord) -> Chart:
    """Return the picture of the mean loss against the rows visited, a curve for each batch size."""
    from gdcli.render import figures
    from gdcli.render.comparison_figures import BatchPath, batch_losses

    sign = found.problem.sign
    lowest = None if found.lowest is None else sign * found.lowest
    paths = [
        BatchPath(
            str(run.batch_size),
            [(visits, sign * loss) for visits, loss in run.course],
            run.status == "diverged",
        )
        for run in found.batches
        if run.course
    ]
    return batch_losses(figures.title(found.problem.expression), paths, sign, lowest)


def cells(timing: bool) -> tuple[str, ...]:
    ends = ("gap", "noise_excess", "noise_deviation", *(("seconds",) if timing else ()))
    return ("batch_size", "status", "value", "mean_loss", "epochs", "row_visits", "steps", "lr", *ends)


KIND = Kind(page, "batches", "batch", cells)
