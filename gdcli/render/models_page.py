"""Models compared: a row for each, the tests of those within another, and which describes the data best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import harmless, shorten
from gdcli.kernel.number_format import amount, column, short
from gdcli.kernel.status import role_of
from gdcli.render.comparison_pages import Kind, aligned
from gdcli.render.fit_page import data_text, loss_text
from gdcli.render.page import Column, Glyphs, Line, fact, laid_out, warnings
from gdcli.render.plot_data import BLUE, CYCLE, SHAPES, Chart, Panel, Series
from gdcli.render.plot_geometry import finite
from gdcli.render.summary import point_text
from gdcli.render.text_plots import Bars

if TYPE_CHECKING:
    from gdcli.record.model_records import ModelRecord, ModelsRecord, NestedRecord

# Less probable than this by chance: worth a word.
RARE = 0.01
# What is said of residuals that a sentence below tells of.
_WARNED = "see warning"
# The level of the test of parameters that a model has more.
_WORTH = 0.05


def page(found: ModelsRecord, width: int, glyphs: Glyphs, bars: Bars, timing: bool) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    problem = found.problem
    lines = fact("compare", amount(len(found.models), "model"), width, "title")
    lines += fact("data", data_text(problem, found.rows, width), width)
    lines += [*fact("loss", loss_text(problem), width), []]
    for number, one in enumerate(found.models, 1):
        lines += fact(f"model {number}", harmless(shorten(one.model, 4 * width)), width)
        if one.point is not None:
            lines += fact("", point_text(one.point, 6), width)
    lines += [[], *laid_out(_columns(found), width, glyphs, all_in="--format json"), []]
    for number, one in enumerate(found.models, 1):
        if one.status != "converged":
            told = harmless(f"model {number}: {shorten(one.message, 4 * width)}")
            lines += fact("failed" if one.reason is None else one.status, told, width, label_role="bad")
    for test in found.nested:
        lines += fact("nested", _test(test), width)
    lines += fact("best", verdict(found), width, "good" if found.strength != "none" else "warn")
    doubted = [(number, one) for number, one in enumerate(found.models, 1) if _look(one) == _WARNED]
    doubts = [f"model {number}: {text}" for number, one in doubted for text in one.warnings]
    return lines + warnings((*found.warnings, *doubts), width)


def _columns(found: ModelsRecord) -> list[Column]:
    models = found.models
    squares = found.problem.loss == "squared"
    statuses = ["" if one.status == "converged" else one.status for one in models]
    columns = [
        Column("model", [str(number) for number in range(1, len(models) + 1)]),
        Column("parameters", ["" if one.parameters is None else str(one.parameters) for one in models]),
        Column("sum of squares" if squares else "value", column([one.value for one in models], 6), spare=3),
        Column("std. dev.", aligned([_four(one.residual_sd) for one in models]), spare=2),
        Column("AICc", _fixed([one.aicc for one in models], 2)),
        Column("weight", ["" if one.weight is None else _part(one.weight) for one in models]),
        Column("BIC", _fixed([one.bic for one in models], 2), spare=1),
        Column("left out", aligned([_four(one.left_out) for one in models])),
        Column("residuals", [_look(one) for one in models], left=True, spare=1),
        Column("", statuses, left=True, roles=[role_of(s or "converged") for s in statuses]),
    ]
    return [c for c in columns if any(c.cells)]


def _fixed(values: list[float | None], decimals: int) -> list[str]:
    return ["" if v is None else f"{v:.{decimals}f}" for v in values]


def _four(value: float | None) -> str:
    return "" if value is None else short(value, 4)


def _part(weight: float) -> str:
    return f"{weight:.3f}" if weight >= 0.0005 else f"{weight:.0e}"


def _look(one: ModelRecord) -> str:
    seen = [
        word
        for word, p in (("in patterns", one.runs_p), ("not normal", one.normality_p))
        if p is not None and p < RARE
    ]
    return ", ".join(seen) or ("" if one.runs_p is None else _WARNED if one.warnings else "fine")


def _test(test: NestedRecord) -> str:
    left = "" if test.left is None else f", {test.left}"
    name = test.test.replace("-ratio", " ratio")
    worth = "worth it" if test.p < _WORTH else "not needed"
    more = "the parameter" if test.dof == 1 else f"the {test.dof} parameters"
    worth = f"{more} that {test.larger} has more {'is' if test.dof == 1 else 'are'} {worth}"
    told = f"{test.smaller} is within {test.larger}: {name}({test.dof}{left}) = {short(test.statistic, 7)}, "
    told += f"p = {short(test.p, 3)}: {worth}"
    if not test.regular:
        told += f" (p is rough: at model {test.smaller} parameters of {test.larger} have no meaning)"
    return told


def verdict(found: ModelsRecord) -> str:
    """Return in words which model describes the data best, and how strong the evidence is."""
    if found.best is None:
        return "nothing tells: no model has a likelihood here; --folds 10 compares by rows left out"
    best = found.models[found.best - 1]
    if found.by == "exact":
        return f"model {found.best} says all that was measured, but for rounding"
    if found.by == "left_out":
        told = f"model {found.best} misses rows that were left out by least ({short(best.left_out, 4)})"
        return f"{told}; there is no likelihood that would tell how sure that is"
    if found.by == "alone" or best.weight is None:
        return f"model {found.best} is the only one that can be judged"
    if found.rivals:
        others = " and ".join(map(str, sorted((found.best, *found.rivals))))
        told = f"undecided between models {others}: AICc differs by less than 2"
        told += f"; model {found.best} is the simplest of them"
    else:
        ratio = "" if found.ratio is None else f", {_times(found.ratio)} times as likely as the next by AICc"
        told = f"model {found.best}: {found.strength} evidence{ratio} (weight {_part(best.weight)})"
    if best.runs_p is not None and best.runs_p < RARE:
        told += f". Yet its residuals run in patterns (p = {short(best.runs_p, 2)}): it misses a curve"
    return told


def _times(ratio: float) -> str:
    return short(ratio, 3) if ratio < 1e4 else f"{ratio:.0e}"


def picture(found: ModelsRecord) -> Chart:
    """Return the picture of all curves over the rows; of several columns what was measured by what each model says."""
    from gdcli.render import figures

    what = harmless(" ".join(found.problem.expression.partition("~")[0].split()))
    series, inks = [], [ink for ink in CYCLE if ink != BLUE]
    for number, one in enumerate(found.models):
        if not one.curve:
            continue
        label = f"{number + 1}: {harmless(shorten(one.model.partition('~')[2].strip(), 40))}"
        xs, ys = zip(*one.curve, strict=True)
        ink = inks[number % len(inks)]
        if found.over is not None:
            dashed = number >= len(inks)
            series.append(Series(xs, finite(ys), label, ink, width=1.8, dashed=dashed))
        else:
            shape = SHAPES[number % len(SHAPES)]
            series.append(Series(finite(xs), finite(ys), label, ink, shape, width=0.0, size=3.5))
    if found.over is None:
        known = [y for line in series for y in line.ys if y == y]
        ends = (min(known, default=0.0), max(known, default=1.0))
        series.append(Series(ends, ends, "measured = fitted", BLUE, width=1.2))
    elif found.shown:
        xs, ys = zip(*found.shown, strict=True)
        dots = Series(xs, finite(ys), amount(found.rows.used, "row"), BLUE, "o", width=0.0, size=4.0)
        series = [dots, *series]
    title = figures.title(f"{amount(len(found.models), 'model')} of {what}")
    panel = Panel(series, found.over or "fitted", what)
    return Chart(title, (panel,), [(line.label, line.ys) for line in series if line.width])


def cells(timing: bool) -> tuple[str, ...]:
    numbers = ("parameters", "value", "residual_sd", "r_squared", "aic", "aicc", "delta", "weight", "bic")
    return ("model", "status", *numbers, "left_out", "runs_p", "durbin_watson", "normality_p")


KIND = Kind(page, "models", "model", cells, picture)
