"""The diagnostics of a fit as a part of its page, and as a picture of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import harmless
from gdcli.kernel.number_format import short
from gdcli.render.page import Column, Glyphs, Line, fact, laid_out

if TYPE_CHECKING:
    from gdcli.record.fits import DiagnosticsRecord, FitRecord, FTestRecord, LabelsRecord
    from gdcli.render.plot_data import Chart, Title

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
    for label, test in (("model", seen.model), ("lack of fit", seen.lack_of_fit)):
        if test is not None:
            lines += fact(label, _test(test), width)
    lines += _order(seen, width)
    if seen.outliers is not None:
        lines += fact("outliers", _outliers(seen.outliers), width)
    if seen.labels is not None:
        lines += _labels(seen.labels, width)
    return [*lines, *_influence(found, seen, width, glyphs)]


def _p(p: float) -> str:
    return f"{p:.1e}" if p < 1e-3 else short(p, 3)


def _test(test: FTestRecord) -> str:
    return f"F({test.dof}, {test.left}) = {short(test.statistic, 6)}, p = {_p(test.p)}"


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


def _labels(labels: LabelsRecord, width: int) -> list[Line]:
    auc = "" if labels.auc is None else f", AUC {short(labels.auc, 5)}"
    told = f"accuracy {short(labels.accuracy, 5)}, mean log loss {short(labels.log_loss, 5)}{auc}"
    lines = fact("labels", told, width)
    if labels.calibration is not None:
        a, b = labels.calibration
        line = f"logit = {short(a, 3)} + {short(b, 4)} times the logit said"
        lines += fact("calibration", line, width)
    none, false, missed, right = labels.confusion
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
    from gdcli.render.plot_data import BLUE, VERMILLION, Chart, Panel, Series

    points = [] if found.diagnostics is None else [p for p in found.diagnostics.points if p[1] == p[1]]
    fitted, residuals, leverages = ([p[k] for p in points] for k in range(3))
    ordered, places = sorted(residuals), _normal_places(len(points))
    ends, what = (min(places, default=-1.0), max(places, default=1.0)), "studentised residual"

    def dots(xs: list[float], ys: list[float]) -> Series:
        return Series(xs, ys, "", BLUE, "o", width=0.0, size=3.5)

    line = Series(ends, ends, "normal", VERMILLION, width=1.4)
    panels = (
        Panel((dots(fitted, residuals),), "fitted", what, signed=True),
        Panel((dots(places, ordered), line), "normal quantile", what, own=True),
        Panel((dots(leverages, residuals),), "leverage", what, own=True, signed=True),
    )
    return Chart(title, panels, [("residual", residuals)])


def _normal_places(count: int) -> list[float]:
    """Where normal residuals would lie, in order (Blom 1958)."""
    from statistics import NormalDist

    return [NormalDist().inv_cdf((i + 0.625) / (count + 0.25)) for i in range(count)]
