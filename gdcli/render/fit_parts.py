"""Parts of a page that few fits have: diagnostics, the joint region, groups with shared parameters; their pictures.

And the page of predictions: a row for each row, with its band, and what lies beyond the rows that were fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from gdcli.kernel.errors import harmless
from gdcli.kernel.number_format import amount, column, error_cells, short, usual_decimals
from gdcli.render.page import Column, Glyphs, Line, chosen, fact, label_column, laid_out

if TYPE_CHECKING:
    from gdcli.record.fits import DiagnosticsRecord, FitRecord
    from gdcli.record.groups import PredictionsRecord
    from gdcli.render.plot_data import Chart, Panel, Title
    from gdcli.tasks.fit.fit_outcome import FTest, GroupPart, LabelFigures

# Of more parameters the first are told, of more outliers too.
_MOST = 6
_MOST_ROWS = 8


def diagnostics(found: FitRecord, width: int, glyphs: Glyphs) -> list[Line]:
    seen = found.diagnostics
    if seen is None:
        return []
    space, values = found.problem.space, found.flat(seen.p_values)
    known = [f"{space.label(i)} {_p(p)}" for i, p in enumerate(values) if p is not None]
    lines = fact("p values", ", ".join(known[:12]) or "none: there are no errors", width)
    if seen.model is not None:
        rough = " (p is rough: parameters have no meaning there)" if seen.rough else ""
        against = {"constant": ", against a constant", "zero": ", against zero"}.get(seen.against or "", "")
        lines += fact("model", f"{_test(seen.model, seen.by or 'F')}{against}{rough}", width)
    if seen.lack_of_fit is not None:
        lines += fact("lack of fit", _test(seen.lack_of_fit), width)
    lines += _order(seen, width)
    if seen.outliers is not None:
        lines += fact("outliers", _outliers(seen.outliers), width)
    if seen.labels is not None:
        lines += _labels(seen.labels, width)
    return [*lines, *_influence(found, seen, width, glyphs)]


def _p(p: float) -> str:
    return f"{p:.1e}" if p < 1e-3 else short(p, 3)


def _test(test: FTest, by: str = "F") -> str:
    dof = str(test.dof) if test.left is None else f"{test.dof}, {test.left}"
    return f"{by.replace('-ratio', ' ratio')}({dof}) = {short(test.statistic, 6)}, p = {_p(test.p)}"


def _order(seen: DiagnosticsRecord, width: int) -> list[Line]:
    lines = list[Line]()
    over = f"over {seen.over}" if seen.over else "as the rows stand"
    if seen.runs is not None and seen.expected_runs is not None and seen.runs_p is not None:
        told = (
            f"{seen.runs} of one sign {over}, {short(seen.expected_runs, 4)} expected, p = {_p(seen.runs_p)}"
        )
        lines += fact("runs", told, width)
    if seen.durbin_watson is not None:
        lines += fact("Durbin-Watson", f"{short(seen.durbin_watson, 4)} (2: neighbours are unrelated)", width)
    if seen.anderson_darling is not None and seen.normality_p is not None:
        told = f"Anderson-Darling {short(seen.anderson_darling, 4)}, p = {_p(seen.normality_p)}"
        lines += fact("normality", told, width)
    return lines


def _outliers(rows: list[str]) -> str:
    if not rows:
        return "none (ROUT, 1 %)"
    more = f", and {len(rows) - _MOST_ROWS} more" if len(rows) > _MOST_ROWS else ""
    return f"{', '.join(map(harmless, rows[:_MOST_ROWS]))}{more} (ROUT, 1 %)"


def _labels(labels: LabelFigures, width: int) -> list[Line]:
    auc = "" if labels.auc is None else f", AUC {short(labels.auc, 5)}"
    told = f"accuracy {short(labels.accuracy, 5)}, mean log loss {short(labels.log_loss, 5)}{auc}"
    lines = fact("labels", told, width)
    if labels.calibration is not None:
        a, b = labels.calibration
        line = f"logit = {short(a, 3)} + {short(b, 4)} times the logit said"
        lines += fact("calibration", line, width)
    none, false, missed, right = (short(n, 6) for n in labels.confusion)
    counts = f"of 1: {right} right, {missed} missed; of 0: {none} right, {false} wrong"
    return lines + fact("confusion", counts, width)


def _influence(found: FitRecord, seen: DiagnosticsRecord, width: int, glyphs: Glyphs) -> list[Line]:
    rows, space = seen.influence, found.problem.space
    if not rows:
        return []
    columns = [
        Column("row", [harmless(one.row) for one in rows], left=True),
        Column("leverage", [f"{one.leverage:.3f}" for one in rows]),
        Column("residual/sd", ["" if one.studentised is None else f"{one.studentised:.2f}" for one in rows]),
        Column("Cook", ["" if one.cook is None else short(one.cook, 3) for one in rows]),
        *(
            Column(f"d {space.label(i)}/dy", [short(one.moves[i], 4) for one in rows], spare=1 + i)
            for i in range(min(space.size, _MOST))
        ),
    ]
    return [[], *laid_out(columns, width, glyphs, all_in="--format json")]


def picture(title: Title, found: FitRecord) -> Chart:
    """Return the picture: residuals by what is fitted, by the normal distribution, and by leverage."""
    from gdcli.render.plot_data import BLUE, GRAY, Chart, Panel, Series

    points = [] if found.diagnostics is None else [p for p in found.diagnostics.points if p[1] == p[1]]
    fitted, residuals, leverages = ([p[k] for p in points] for k in range(3))
    ordered, places = sorted(residuals), _normal_places(len(points))
    ends, what = (min(places, default=-1.0), max(places, default=1.0)), "studentised residual"

    def dots(xs: list[float], ys: list[float]) -> Series:
        return Series(xs, ys, "", BLUE, "o", width=0.0, size=3.5)

    line = Series(ends, ends, "", GRAY, width=1.4)
    panels = (
        Panel((dots(fitted, residuals),), "fitted", what, signed=True),
        Panel((dots(places, ordered), line), "normal quantile", what, own=True),
        Panel((dots(leverages, residuals),), "leverage", what, own=True, signed=True),
    )
    return Chart(title, panels, [("residual", residuals)])


def profile_panel(found: FitRecord) -> Panel | None:
    """Return the signed roots over the parameters in standard errors, where Wald's are the diagonal; None without."""
    from gdcli.render.plot_data import BLACK, CYCLE, Panel, Series

    curves = (found.diagnostics and found.diagnostics.profiles) or {}
    if not curves:
        return None
    labels, errors = found.problem.space.labels, found.flat(found.standard_errors)
    size = dict(zip(labels, zip(found.x, errors, strict=True), strict=True))
    series, reach = list[Series](), max(abs(root) for curve in curves.values() for _, root in curve)
    for ink, (name, curve) in zip(CYCLE, curves.items(), strict=False):
        estimate, error = size[name]
        xs = [(value - estimate) / (error or 1.0) for value, _ in curve]
        series.append(Series(xs, [root for _, root in curve], harmless(name), ink))
    wald = Series([-reach, reach], [-reach, reach], "Wald", BLACK, width=1.0, dashed=True)
    what = f"signed root, up to {100.0 * found.level:g} %"
    return Panel(
        [*series, wald], "(parameter - estimate)/std. error", what, own=True, signed=True, height=1.4
    )


def _normal_places(count: int) -> list[float]:
    """Where normal residuals would lie, in order (Blom 1958)."""
    from statistics import NormalDist

    return [NormalDist().inv_cdf((i + 0.625) / (count + 0.25)) for i in range(count)]


# -- the joint region ------------------------------------------------------------------------------------------------

# Of the distance from the estimate to the end that there is: what is shown on an open side, and beyond that end.
_OPEN, _MARGIN = 6.0, 0.25


def region(found: FitRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the extents of the region, and why it does not close; nothing where it was not asked for."""
    seen = found.region
    if seen is None:
        return []
    first, second = map(harmless, seen.parameters)
    told = f"of {first} and {second}, both within it with {100.0 * found.level:g} % confidence, by {seen.quantile}"
    lines = fact("joint region", told, width)
    if seen.reason is not None:
        label = "not closed" if seen.extents else "no region"
        lines += fact(label, harmless(seen.reason), width, "warn", label_role="warn")
    if not seen.extents:
        return lines
    columns = [
        Column("parameter", [first, second], left=True),
        Column("from", [_end(pair[0], -inf) for pair in seen.extents.values()]),
        Column("to", [_end(pair[1], inf) for pair in seen.extents.values()]),
    ]
    return [*lines, [], *laid_out(columns, width, glyphs)]


def _end(end: float | None, far: float) -> str:
    return str(far) if end is None else short(end, 6)


def region_panel(found: FitRecord) -> Panel | None:
    """Return the curve around the region and the estimate within, None where there is no curve."""
    from gdcli.render.plot_data import BLUE, VERMILLION, Panel, Series

    seen = found.region
    if seen is None or not seen.points:
        return None
    xs, ys = zip(*seen.points, strict=True)
    values = dict(zip(found.problem.space.labels, found.x, strict=True))
    first, second = seen.parameters
    label = f"{100.0 * found.level:g} % region" + ("" if seen.closed else " (not closed)")
    curve = Series(xs, ys, label, BLUE, width=1.8)
    best = Series([values[first]], [values[second]], "estimate", VERMILLION, "o", width=0.0)
    xlim, ylim = (_limits(seen.extents[name], values[name]) for name in seen.parameters)
    return Panel((curve, best), harmless(first), harmless(second), xlim=xlim, ylim=ylim, height=2.0, own=True)


def _limits(ends: list[float | None], estimate: float) -> tuple[float, float] | None:
    """What is shown of an extent that is open on one side: there some times as much as on the other."""
    low, high = ends
    if low is not None and high is None:
        return low - _MARGIN * (estimate - low), estimate + _OPEN * (estimate - low)
    if high is not None and low is None:
        return estimate - _OPEN * (high - estimate), high + _MARGIN * (high - estimate)
    return None


# -- groups with shared parameters -----------------------------------------------------------------------------------

MOST_GROUPS = 24
_FIRST, _LAST = 18, 3


def group_parts(found: FitRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table, nothing without groups; a column that does not fit is named below it."""
    parts, count = list(found.groups), len(found.groups)
    if not parts:
        return []
    if count > MOST_GROUPS:
        parts = [*parts[:_FIRST], *parts[-_LAST:]]
    columns = _columns(parts, glyphs.plus_minus)
    kept, left_out = chosen(columns, width)
    lines = laid_out(kept, width, glyphs, [_FIRST] if len(parts) < count else [])
    notes = [f"{len(parts)} of {amount(count, 'group')}"] if len(parts) < count else []
    notes += [f"not shown: {', '.join(c.title.strip() for c in left_out)}"] if left_out else []
    if notes:
        lines.append([(f"{'; '.join(notes)}; --format csv has all", "rule")])
    return lines


def _columns(parts: Sequence[GroupPart], plus: str) -> list[Column]:
    columns = []
    for name in parts[0].group:
        columns.append(label_column(name, [part.group[name] for part in parts]))
    columns.append(Column("rows", [str(part.rows) for part in parts]))
    tables = [part.rows_of_parameters() for part in parts]
    for k, (name, *_) in enumerate(tables[0]):
        values: list[float] = [table[k][1] for table in tables]
        errors: list[float | None] = [table[k][2] for table in tables]
        texts = error_cells(values, errors, [None] * len(parts), usual_decimals(errors), plus)
        columns.append(Column(f"{harmless(name)} {plus} error", texts, spare=1 if k else 0))
    return [*columns, Column("value", column([part.value for part in parts], 5), spare=2)]


# -- predictions -----------------------------------------------------------------------------------------------------

MOST_PREDICTED = 200
_OF = {"confidence": "what is fitted, the mean", "prediction": "one more measured value"}


def predictions_page(found: PredictionsRecord, width: int, glyphs: Glyphs) -> list[Line]:
    shown = found.rows[:MOST_PREDICTED]
    level = f"{100.0 * found.level:g} %"
    models = {each.response: each.model for each in found.responses} or {"": found.expression}
    lines: list[Line] = []
    for text in models.values():
        lines += fact("and" if lines else "predict", harmless(" ".join(text.split())), width, "title")
    for k, note in enumerate(found.notes):
        lines += fact("" if k else "data", harmless(note), width)
    lines += fact("band", f"{level} {found.interval}: of {_OF[found.interval]}", width)

    def cells(name: str) -> Column:
        values = [row[name] for row in shown]
        if any(isinstance(value, str) for value in values):
            return Column(harmless(name), [harmless(str(value)) for value in values], left=True)
        return Column(harmless(name), column(values, 6), spare=4)

    columns = [cells(name) for name in found.columns]
    for side in models:
        columns += _of_response(shown, side, glyphs.plus_minus) if side else _said(shown)
    beyond = ["extrapolated" if row["extrapolated"] else "" for row in shown]
    if any(beyond):
        columns.append(Column("", beyond, left=True, roles=["warn"] * len(beyond)))
    lines += [[], *laid_out(columns, width, glyphs)]
    if len(shown) < len(found.rows):
        left = amount(len(found.rows) - len(shown), "row")
        lines.append([(f"and {left} more; --format csv has all", "rule")])
    outside = sum(bool(row["extrapolated"]) for row in found.rows)
    if outside:
        text = f"{amount(outside, 'row lies', 'rows lie')} beyond the rows that were fitted"
        lines += [[], *fact("extrapolated", text, width, "warn")]
    return lines


def _said(shown: Sequence[Mapping[str, Any]]) -> list[Column]:
    def numbers(name: str, digits: int) -> list[str]:
        return column([row[name] for row in shown], digits)

    found = [Column("fitted", numbers("fitted", 7))]
    if any(row["standard_error"] is not None for row in shown):
        found.append(Column("std. error", numbers("standard_error", 4), spare=2))
        found += [Column(end, numbers(end, 6)) for end in ("low", "high")]
    return found


def _of_response(shown: Sequence[Mapping[str, Any]], side: str, plus: str) -> list[Column]:
    """The columns of one of several responses, with as many decimals as its errors need."""
    values, errors, *ends = (
        [row[f"{side}_{name}"] for row in shown] for name in ("fitted", "standard_error", "low", "high")
    )
    if not any(error is not None for error in errors):
        return [Column(harmless(side), column(values, 7))]
    decimals = usual_decimals(errors)
    texts = error_cells(values, errors, [None] * len(shown), decimals, plus)
    sizes = [abs(end) for end in (*ends[0], *ends[1])]
    is_plain = 0 <= decimals <= 6 and max(sizes, default=0.0) < 1e6
    found = [Column(f"{harmless(side)} {plus} error", texts)]
    for name, numbers in zip(("low", "high"), ends, strict=True):
        found.append(
            Column(name, [f"{n + 0.0:.{decimals}f}" for n in numbers] if is_plain else column(numbers, 6))
        )
    return found
