"""A fit as a page: what was fitted to which data, the path, the parameters with their errors, and the verdict.

A parameter is shown to two digits more than its standard error, and the numbers of a column have their decimal points
under each other. The rest of the page is that of every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10, nan
from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import harmless, shorten
from gdcli.kernel.number_format import amount, column, known, pointed, short, thousands
from gdcli.kernel.vectors import Space
from gdcli.record.fits import (
    BootstrapRecord,
    EpochPoint,
    FitProblemRecord,
    FitRecord,
    RowsRecord,
    epoch_cells,
    epoch_point,
)
from gdcli.record.path_rows import Trail
from gdcli.record.runs import PathPoint
from gdcli.render import summary
from gdcli.render.page import Column, Glyphs, Line, fact, laid_out, path, thinned

if TYPE_CHECKING:
    from gdcli.tasks.fit.request import Searched

MOST_PARAMETERS = 24
_FIRST, _LAST = 18, 3  # of more parameters so many are shown
MOST_TIED = 4
_SUMS = {
    "squared": "sum of squares",
    "absolute": "sum of absolute values",
    "huber": "sum of Huber's losses",
    "logistic": "sum of logistic losses",
    "poisson": "sum of Poisson losses",
}


def page(found: FitRecord, trail: Trail, width: int, glyphs: Glyphs, timing: bool = False) -> list[Line]:
    """Return the whole answer, no line longer than ``width`` columns (a longer word aside)."""
    groups, region, diagnostics = _parts(found, width, glyphs)
    return summary.apart(
        _question(found, width),
        _path(found, trail, width, glyphs, timing),
        parameters(found, width, glyphs),
        groups,
        _responses(found, width, glyphs),
        _sums(found, width),
        summary.verdict(found, width)
        + summary.global_lines(found, width)
        + summary.evidence(found, width, timing, _work(found)),
        region,
        diagnostics,
        *summary.further_tables(found, width, glyphs),
    )


def _parts(found: FitRecord, width: int, glyphs: Glyphs) -> tuple[list[Line], list[Line], list[Line]]:
    """Return what few fits have: groups that share parameters, the joint region of two, the diagnostics."""
    if not (found.groups or found.region or found.diagnostics):
        return [], [], []
    from gdcli.render.fit_parts import diagnostics, group_parts, region

    look = found, width, glyphs
    return group_parts(*look), region(*look), diagnostics(*look)


def _work(found: FitRecord) -> str:
    """What a run by epochs cost; empty for a batch solve, and for one that ends with it."""
    if found.global_:
        return summary.global_work(found)
    if found.epochs is None or found.polish:
        return ""
    visits = amount(found.rows.visited or 0, "visit of a row", "visits of rows")
    return f"{amount(found.iterations, 'epoch')}, {amount(found.evaluations.gradient, 'step')}, {visits}"


def _question(found: FitRecord, width: int) -> list[Line]:
    problem, rows = found.problem, found.rows
    lines = summary.title("fit", problem, width)
    for text in problem.models[1:]:
        lines += fact("and", harmless(shorten(" ".join(text.split()), 5 * width)), width)
    lines += fact("data", data_text(problem, rows, width), width)
    lines += [line for note in rows.notes for line in fact("", harmless(note), width)]
    for name, columns in (problem.columns or {}).items():
        shown = ", ".join(columns if len(columns) <= 6 else [*columns[:4], "...", columns[-1]])
        lines += fact("columns", f"{name} = {harmless(shown)} ({amount(len(columns), 'column')})", width)
    if found.groups:
        own = harmless(", ".join(problem.own_start or {}))
        by = harmless(", ".join(problem.by))
        told = f"{len(found.groups)}, by {by}; each has its own {own}, {harmless(', '.join(problem.start))} shared"
        lines += fact("groups", told, width)
    lines += _categories(problem, width)
    lines += fact("loss", loss_text(problem), width)
    for name, size in (problem.sigma_x or {}).items():
        lines += fact(f"errors in {harmless(name)}", harmless(_input_error(problem, size)), width)
    return lines + summary.setting(
        found, width, "" if problem.search is None else search_text(problem.search, _searched_for(problem))
    )


def _searched_for(problem: FitProblemRecord) -> str:
    """Where a search ended that looked for something else than the answer: the run starts there."""
    if problem.by:
        return "at fits of all rows or of one group, the best of which is the start"
    return "at one ordinary fit, the start" if problem.sigma_x else "here"


def _categories(problem: FitProblemRecord, width: int) -> list[Line]:
    lines = list[Line]()
    for name, levels in (problem.categories or {}).items():
        others = [f"{parameter} is {level}" for parameter, level in list(levels.parameters.items())[:8]]
        more = ", ..." if len(levels.parameters) > 8 else ""
        told = f"{name}: the base is {levels.base}; less the base, {', '.join(others)}{more}"
        lines += fact("categories", harmless(told), width)
    return lines


def search_text(search: Searched, end: str = "here") -> str:
    """Return in words what a search for a start did, and how sure its answer is; ``end`` is where it ended."""
    tried, starts, agreeing, ratio = search.tried, search.starts, search.agreeing, search.next_best
    points = amount(tried, "point")
    if not starts:
        return f"the best of {points} that were tried until the time was over"
    if tried == 1:
        return "the linear parameters were solved for"
    text = f"{agreeing} of {amount(starts, 'start')} ended {end} ({points} tried)"
    if ratio is None:
        return text
    more = (
        f"{short(100.0 * (ratio - 1.0), 2)} % larger" if ratio < 2.0 else f"{short(ratio, 3)} times as large"
    )
    return f"{text}; the next best end has a sum of squares {more}"


def data_text(problem: FitProblemRecord, rows: RowsRecord, width: int) -> str:
    files = ", ".join("standard input" if f == "-" else f for f in problem.files[:4])
    more = f", ... ({len(problem.files)} in all)" if len(problem.files) > 4 else ""
    skipped = f", {rows.skipped} skipped" if rows.skipped else ""
    source = f"{shorten(harmless(files + more), 2 * width)}: " if files else ""
    held = f", {rows.held_back} held back" if rows.held_back else ""
    if problem.models:
        many = len(problem.models)
        return f"{source}{amount(rows.used // many, 'row')}{skipped}, each with {many} responses"
    kept = ""
    if problem.rows:
        total = f" of {rows.used + rows.skipped + rows.dropped}" if rows.dropped else ""
        kept = f"{total} ({harmless(' and '.join(problem.rows))})"
    return f"{source}{amount(rows.used, 'row')}{' used' if skipped and not kept else ''}{kept}{skipped}{held}"


def loss_text(problem: FitProblemRecord, estimated: str = "") -> str:
    """Return the loss in words; ``estimated`` tells, in place of a number, where one is found from the data."""
    if not problem.loss:
        is_maximum = problem.sense == "maximize"
        return (
            "maximized: the expression of a row" if is_maximum else "the expression of a row: there is no ~"
        )
    text = problem.loss
    if problem.models:
        text += ", each response weighted by its own residual variance"
    if problem.sigma_x:
        text += " distances to the curve"
    text += _loss_numbers(problem, estimated)
    if problem.weights:
        text += f", weighted by {problem.weights}"
    if problem.sigma:
        known = "relative" if problem.scale_sigma else "known"
        text += f", in units of {problem.sigma}, the {known} standard deviation of a row"
    return text


def _loss_numbers(problem: FitProblemRecord, estimated: str) -> str:
    text = ""
    if problem.loss == "huber" and problem.scale is None:
        text += f", absolute beyond {short(problem.huber_delta or 1.0, 6)}"
    for name in ("quantile", "dof", "scale", "theta"):
        value = getattr(problem, name)
        if value is not None:
            number, is_found = short(value, 6), problem.estimated == name
            found = f"found {estimated}" if estimated else f"{number} (found from the data)"
            text += f", {name} {found if is_found else number}"
    if problem.trials:
        text += f", successes out of {problem.trials}"
    if problem.l2 is not None:
        found = f" (found by {amount(problem.folds, 'fold')})" if problem.folds else ""
        text += f", and {short(problem.l2, 6)}{found} times the squares of the parameters"
    return text + (f", with {' and '.join(problem.prior[:4])}" if problem.prior else "")


def _input_error(problem: FitProblemRecord, size: str) -> str:
    """In words: the standard deviation of a column, and of what it is."""
    known = problem.sigma and not problem.scale_sigma
    if known:
        return f"standard deviation {size}, known"
    if problem.sigma:
        return f"standard deviation {size}, beside {problem.sigma}: their ratio counts"
    of_y = f"1 at {problem.weights} = 1" if problem.weights else "1"
    return f"standard deviation {size} where that of the left side is {of_y}: their ratio counts"


def _responses(found: FitRecord, width: int, glyphs: Glyphs) -> list[Line]:
    if not found.responses:
        return []
    parts = found.responses
    squares = [part.r_squared for part in parts]
    return laid_out(
        [
            Column("response", [harmless(part.response) for part in parts], left=True),
            Column("rows", [str(part.rows) for part in parts]),
            Column("sum of squares", column([part.value for part in parts], 7)),
            Column("resid. sd", [short(part.residual_sd, 5) for part in parts]),
            Column(
                "R²" if glyphs.rule == "─" else "R2", ["" if r is None else _near_one(r) for r in squares]
            ),
        ],
        width,
        glyphs,
    )


# -- the path ------------------------------------------------------------------------------------------------------


_NOWHERE = Space({})


def epoch_row(it: object, sign: int, shown: int) -> EpochPoint | PathPoint:
    """Return what is kept of an epoch, or of an iterate after the epochs: its record without the point."""
    return it if isinstance(it, EpochPoint | PathPoint) else epoch_point(it, sign, _NOWHERE)


def _path(found: FitRecord, trail: Trail, width: int, glyphs: Glyphs, timing: bool) -> list[Line]:
    if found.epochs is None:
        return path(found, trail, width, glyphs, "--format jsonl")
    return thinned(trail, lambda rows: _epochs(rows, timing), width, glyphs)


def _epochs(rows: Sequence[EpochPoint | PathPoint], timing: bool) -> list[Column]:
    numbers, values, means, validations, rates, visits = zip(*map(epoch_cells, rows), strict=True)
    columns = [
        Column("epoch", list(map(str, numbers))),
        Column("value", column(values, 10)),
        Column("mean loss", column(means, 7), spare=1),
    ]
    if any(loss is not None for loss in validations):
        columns.append(Column("validation", column(validations, 7)))
    columns.append(Column("rate", column(rates, 3), spare=2))
    if timing:
        paces = [_pace(count, row.seconds) for count, row in zip(visits, rows, strict=True)]
        columns.append(Column("rows/s", paces, spare=3))
    notes = [row.kind for row in rows]
    return [*columns, Column("", notes, left=True, roles=["warn"] * len(rows))] if any(notes) else columns


def _pace(visits: int | None, seconds: float | None) -> str:
    """How many rows a second, on the average from the start."""
    return thousands(visits / seconds) if visits and seconds and seconds > 0.0 else ""


# -- the parameters ------------------------------------------------------------------------------------------------


def parameters(found: FitRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table of the parameters; of a long vector the first and last ones."""
    size = found.problem.space.size
    shown = list(range(size))
    if size > MOST_PARAMETERS:
        shown = [*range(_FIRST), *range(size - _LAST, size)]
    columns = _parameter_columns(found, shown)
    lines = laid_out(columns, width, glyphs, [_FIRST] if len(shown) < size else [])
    if len(shown) < size:
        note = f"{len(shown)} of {size} parameters; --format csv has all"
        lines.append([(note, "rule")])
    return lines


class _Row(NamedTuple):
    """What a row of the table has: of a parameter, or of a quantity that follows from them."""

    name: str
    value: float
    error: float | None
    t: float | None
    interval: Sequence[float | None] | None


def _rows(found: FitRecord, shown: Sequence[int]) -> list[_Row]:
    label, x = found.problem.space.label, found.x
    errors, t, intervals = map(found.flat, (found.standard_errors, found.t, found.confidence))
    rows = [_Row(label(i), x[i], errors[i], t[i], intervals[i]) for i in shown]
    for name, one in (found.derived or {}).items():
        value = nan if one.value is None else one.value
        rows.append(_Row(name, value, one.standard_error, one.t, one.confidence))
    return rows


def _parameter_columns(found: FitRecord, shown: Sequence[int]) -> list[Column]:
    """All columns: of what follows from value and error, t can be spared most, and the interval least."""
    rows = _rows(found, shown)
    names = Column("parameter", [harmless(row.name) for row in rows], left=True)
    if not any(found.flat(found.standard_errors)):  # none, or all zero
        blur = found.certificate.errors or [None] * found.problem.space.size
        unknown = [*(blur[i] for i in shown), *([None] * (len(rows) - len(shown)))]
        digits = [known(row.value, b) for row, b in zip(rows, unknown, strict=True)]
        return [names, Column("value", pointed(digits)), *_held(found, shown)]
    decimals = [_decimals(row.value, row.error) for row in rows]
    pairs = list(zip(rows, decimals, strict=True))
    relative = [
        100.0 * row.error / abs(row.value) if row.error is not None and row.value else None for row in rows
    ]
    low, high = (pointed([_end(row.interval, k, d, row.value) for row, d in pairs]) for k in (0, 1))
    ends = [f"{a}  {b}" if a.strip() else "" for a, b in zip(low, high, strict=True)]
    interval = Column(f"{100.0 * found.level:g} % interval", ends, spare=1)
    error = Column("std. error", pointed([_to(row.error, d, row.value) for row, d in pairs]))
    values = pointed(
        [short(row.value, 10) if row.error is None else _to(row.value, d, row.value) for row, d in pairs]
    )
    percent = Column("error %", pointed(["" if r is None else _three(r) for r in relative]), spare=2)
    ratio = Column("t", pointed(["" if row.t is None else _three(row.t) for row in rows]), spare=3)
    return [names, Column("value", values), error, percent, ratio, interval, *_held(found, shown)]


def _held(found: FitRecord, shown: Sequence[int]) -> list[Column]:
    """The column that tells which parameters are at a bound, where some are."""
    active, label = found.certificate.active_bounds or (), found.problem.space.label
    sides = {one.name: "fixed" if one.side == "fixed" else f"at its {one.side} bound" for one in active}
    notes = [*(sides.get(label(i), "") for i in shown), *([""] * len(found.derived or {}))]
    return [Column("", notes, left=True, roles=["warn"] * len(notes))] if any(notes) else []


_MOST_DIGITS = 12


def _decimals(value: float, error: float | None) -> int:
    """How many decimals show a value to two digits more than its error."""
    if error is None or not error > 0.0 or not isfinite(error):
        return _MOST_DIGITS - 3 - _power(value)
    return min(2 - _power(error), _MOST_DIGITS - 1 - _power(value))


def _power(value: float) -> int:
    return floor(log10(abs(value))) if value and isfinite(value) else 0


def _end(pair: Sequence[float | None] | None, k: int, decimals: int, like: float) -> str:
    """An end of an interval; None is an infinite one."""
    if pair is None:
        return ""
    return ("-inf", "inf")[k] if pair[k] is None else _to(pair[k], decimals, like)


def _to(value: float | None, decimals: int, like: float) -> str:
    """A number to so many decimals; with an exponent where ``like``, the parameter, is far from 1."""
    if value is None or not isfinite(value):
        return ""
    if -4 <= _power(like) < 7 and decimals <= 10:
        return f"{value + 0.0:.{max(0, decimals)}f}"
    return f"{value + 0.0:.{max(0, min(16, decimals + _power(value)))}e}"


def _three(value: float) -> str:
    """Three significant digits or so, without an exponent where that is short."""
    size = abs(value)
    if size and not 1e-3 <= size < 1e6:
        return f"{value:.1e}"
    return f"{value:.{max(0, 2 - _power(value))}f}"


# -- how good the fit is ----------------------------------------------------------------------------------------------


def _sums(found: FitRecord, width: int) -> list[Line]:
    what = _sum_of(found.problem)
    mean, rows = short(found.mean, 6), found.rows
    if rows.held_back:
        mean += f" of the {amount(rows.learned, 'row')} learned from"
    why = "the best seen" if found.validation is None else "the least loss of the rows held back"
    best = summary.best_seen(found, "epoch" if _work(found) else "iteration", why)
    lines = fact("point", summary.point_text(found.point, 12, errors=found.certificate.errors), width)
    # Digits that are those of rounding are nobody's.
    told = f"{short(found.value, 12)} ({what}; mean {mean})"
    lines += _moves(found, width)
    lines += fact("value", f"zero but for rounding ({what}){best}" if found.exact else told + best, width)
    if found.validation is not None:
        held = amount(rows.held_back, "row")
        lines += fact("validation", f"mean loss {short(found.validation, 6)} of the {held} held back", width)
    lines += _left_out(found.problem, width)
    lines += _noise(found, width) + _quality(found, width) + _tied(found, width) + _intervals(found, width)
    if found.unknown_errors and found.unknown_errors not in found.message:
        some = any(error is not None for error in found.flat(found.standard_errors))
        label = "errors" if some else "no errors"
        lines += fact(label, harmless(found.unknown_errors), width, "warn", label_role="warn")
    return lines


def _left_out(problem: FitProblemRecord, width: int) -> list[Line]:
    """Return what rows left out cost with the strength of the penalty that was found, and without any."""
    cost = {strength: loss for strength, loss in problem.strengths or [] if strength is not None}
    if problem.l2 is None or cost.get(problem.l2) is None:
        return []
    what = "residuals of {} (root mean square)" if problem.loss == "squared" else "a mean loss of {}"
    bare = cost.get(0.0)
    without = "no fit without" if bare is None else f"{short(bare, 4)} without"
    told = f"{what.format(short(cost[problem.l2] or 0.0, 4))} with this penalty, {without}"
    return fact("left out", told, width)


def _moves(found: FitRecord, width: int) -> list[Line]:
    if found.corrected is None:
        return []
    told = [
        f"{harmless(name)} by {short(move.typical, 3)} (root mean square), at most {short(abs(move.largest), 3)}"
        f" in row {move.row}"
        for name, move in found.corrected.moves.items()
    ]
    return fact("corrected", "; ".join(told), width)


def _sum_of(problem: FitProblemRecord) -> str:
    loss = problem.loss
    what = _SUMS.get(loss or "", f"sum of {loss} losses" if loss else "sum over the rows")
    if problem.l2 is not None or problem.prior:
        what += " with penalties"
    return f"weighted {what}" if problem.weights else what


def _deviation(found: FitRecord, size: float) -> str:
    if found.exact:
        return "zero but for rounding"
    told, problem = f"standard deviation {short(size, 6)}", found.problem
    if problem.sigma_x:
        each = " and ".join([problem.sigma or "1", *problem.sigma_x.values()])
        return f"{short(size, 6)} times the standard deviations {each}"
    if problem.sigma:
        return f"{told} times {problem.sigma}"
    return f"{told} of a row with {problem.weights} = 1" if problem.weights else told


def _quality(found: FitRecord, width: int) -> list[Line]:
    lines = list[Line]()
    if found.residual_sd is not None:
        left = found.rows.learned - (found.rank or 0)
        free = amount(left, "degree of freedom", "degrees of freedom")
        lines += fact("residuals", f"{_deviation(found, found.residual_sd)} ({free})", width)
    if found.r_squared is not None:
        told, about_zero = _near_one(found.r_squared), found.r_squared_about_zero
        told += "" if about_zero is None else f" about the mean, {_near_one(about_zero)} about zero"
        lines += fact("R-squared", told, width)
    if found.aic is not None and found.bic is not None:
        lines += fact("AIC, BIC", f"{short(found.aic, 7)}, {short(found.bic, 7)}", width)
    if found.deviance is not None:
        lines += fact("deviance", short(found.deviance, 8), width)
    if found.chi_square is not None:
        p = "" if found.p_value is None else f", p = {short(found.p_value, 3)}"
        size = "zero but for rounding" if found.exact else short(found.chi_square, 7)
        lines += fact("chi-square", f"{size}{p}", width)
    return lines


def _noise(found: FitRecord, width: int) -> list[Line]:
    """How far a run by epochs ended above the minimum, and how far runs with other seeds end above it."""
    noise = found.noise
    if noise is None or noise.gap is None:
        return []
    side = "above" if found.problem.sign > 0 else "below"
    gap = f"the mean loss is {short(noise.gap, 3)} {side} its {found.extremum}, by a Newton step"
    lines = fact("gap", gap, width)
    if noise.excess is None or noise.deviation is None or found.batch_size == 0:
        return lines
    told = (
        f"the noise of the steps keeps runs {short(noise.excess, 3)} {side} it,"
        f" with other seeds give or take {short(noise.deviation, 3)}"
    )
    if noise.settled:
        return lines + fact("noise", told, width)
    return lines + fact("noise", f"{told}; this run has not come so far yet", width, "warn")


def _tied(found: FitRecord, width: int) -> list[Line]:
    tied = found.tied
    if not tied:
        return []
    parts = [f"{t.first} and {t.second} ({_near_one(t.correlation)})" for t in tied[:MOST_TIED]]
    more = f", and {amount(len(tied) - MOST_TIED, 'pair')} more" if len(tied) > MOST_TIED else ""
    return fact("tied", f"{', '.join(parts)}{more}: one makes up for the other", width)


_DRAWN = {"residual": "the residuals", "case": "the rows", "parametric": "normal residuals"}


def _bootstrap(found: BootstrapRecord, width: int) -> list[Line]:
    """What was drawn, and the percentile intervals beside those of the table, which are BCa."""
    text = f"{found.samples} samples of {_DRAWN[found.resample]}; the intervals are BCa"
    lines = fact("bootstrap", text, width)
    if found.failed:
        lines += fact("", f"without {amount(found.failed, 'sample')} that could not be fitted", width, "warn")
    parts = [
        f"{harmless(name)} {short(low, 5)} to {short(high, 5)}"
        for name, (low, high) in list(found.percentile.items())[:MOST_PARAMETERS]
    ]
    return lines + fact("percentile", ", ".join(parts), width)


def _intervals(found: FitRecord, width: int) -> list[Line]:
    """Which intervals are lopsided, and why ends are infinite, or at a bound."""
    told = found.intervals
    if told is None:
        return []
    rows = {row.name: row for row in _rows(found, range(found.problem.space.size))}
    lines = list[Line]()
    for name, ends in (told.lopsided or {}).items():
        value, decimals = rows[name].value, 1 - _power(rows[name].error or 0.0)
        text = "--intervals profile gives it"
        if ends is not None:
            text = f"{_end(ends, 0, decimals, value)} to {_end(ends, 1, decimals, value)} by profile"
        lines += fact("lopsided", f"the interval of {harmless(name)} is lopsided: {text}", width, "warn")
    for where, why in (told.ends or {}).items():
        name, _, side = where.rpartition(".")
        word = "below" if side == "low" else "above"
        lines += fact("interval", f"{harmless(name)} {word}: {harmless(why)}", width)
    if told.bootstrap is not None:
        lines += _bootstrap(told.bootstrap, width)
    if told.better is not None:
        start = ",".join(f"{name}={value}" for name, value in told.better.point.items())
        text = f"the profile came to one with the value {short(told.better.value, 10)}: --start {start}"
        lines += fact("better fit", harmless(text), width, "warn")
    return lines


def _near_one(r: float) -> str:
    """A number that is 1 at best, to four decimals, or the first ones that tell it from 1."""
    left = abs(1.0 - abs(r))
    if left > 1e4:
        return short(r, 6)
    decimals = max(4, 1 - _power(left)) if left > 1e-15 else 4
    return f"{round(r, decimals) + 0.0:.{decimals}f}"
