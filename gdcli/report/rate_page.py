"""Learning rates compared: a row for each, and below in plain words the curvature that explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.record.schema import Json, valued
from gdcli.report.comparison import aligned, drawn, head, question, tail, told_course, with_course
from gdcli.report.faults import harmless
from gdcli.report.numbers import amount, column, short
from gdcli.report.page import Column, Glyphs, Line, fact, laid_out
from gdcli.report.sparkline import Bars

if TYPE_CHECKING:
    from gdcli.analysis.learning_rates import Rate
    from gdcli.analysis.path_curvature import Curvature
    from gdcli.comparisons import RateComparison

_ROLES = {
    "diverges": "bad",
    "oscillates": "warn",
    "good pace": "good",
    "converges": "good",
    "too slow": "warn",
}
_HOW = {
    "exact": "exact Hessian",
    "products": "Hessian from products",
    "differences": "Hessian from differences",
    "lanczos": "Lanczos estimates",
}
# A curvature is called the same along the whole way when it changes by less than this.
_STEADY = 0.05
_ROUND, _NARROW = 1.5, 20.0

CELLS = ("lr", "verdict", "steps", "predicted", "value", "gradient_norm", "lr_times_curvature")


def record(comparison: RateComparison) -> Json:
    """Return the whole comparison; the curvature is that of the function that is minimised."""
    found, best = comparison.found, comparison.found.best
    c = found.curvature
    return (
        head("compare-lr", comparison.problem)
        | {
            "max_steps": found.steps,
            "curvature": {
                "largest": None if c is None else c.largest,
                "smallest": None if c is None else c.smallest,
                "at_end": None if c is None else c.at_end,
                "how": None if c is None else c.how,
                "points": None if c is None else c.points,
            },
            "limit": None if c is None else c.limit,
            "best_lr": None if c is None else c.best,
            "best_steps": None if best is None else best.steps,
            "best_predicted": None if best is None else best.predicted,
            "best_verdict": None if best is None else best.verdict,
            "fastest_lr": None if found.fastest is None else found.fastest.lr,
            "fastest_steps": None if found.fastest is None else found.fastest.steps,
            "condition": None if c is None else c.condition,
            "rates": [_rate(comparison, rate) for rate in found.rates],
        }
        | ({} if found.ended is None else {"ended": found.ended.value})
        | tail(comparison.problem, comparison.warnings)
    )


def _rate(comparison: RateComparison, rate: Rate) -> Json:
    return {
        "lr": rate.lr,
        "verdict": rate.verdict,
        "steps": rate.steps,
        "predicted": rate.predicted,
        **valued(comparison.value(rate.value)),
        "gradient_norm": rate.gradient_norm,
        "lr_times_curvature": rate.lr_times_curvature,
        "note": rate.note,
        "course": told_course(comparison.values(rate)),
    }


def page(comparison: RateComparison, width: int, glyphs: Glyphs, bars: Bars) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    found = comparison.found
    lines = question(comparison.problem, width)
    told = f"gradient descent, at most {amount(found.steps, 'step')}; arrived when one moves < 1e-7"
    lines += fact("method", told, width)
    lines += [[], *laid_out(_columns(comparison, width, bars), width, glyphs, all_in="--format json")]
    if any(rate.predicted for rate in found.rates):
        lines.append([("~ predicted from the contraction of the last steps", "rule")])
    lines.append([])
    for rate in found.rates:
        if rate.note:
            lines += fact(
                "note", harmless(f"rate {short(rate.lr, 6)}: {rate.note}"), width, label_role="warn"
            )
    lines += _reason(comparison, width) + _fastest(comparison, width)
    for warning in comparison.warnings:
        lines += fact("warning", harmless(warning), width, "warn", label_role="warn")
    if found.ended is not None:
        lines += fact(found.ended.value, "the verdicts are on what was done so far", width, "bad", "bad")
    return lines


def _columns(comparison: RateComparison, width: int, bars: Bars) -> list[Column]:
    rates = comparison.found.rates
    slopes = [rate.gradient_norm for rate in rates]
    columns = [
        Column("rate", aligned(short(rate.lr, 6) for rate in rates)),
        Column("verdict", [r.verdict for r in rates], left=True, roles=[_ROLES[r.verdict] for r in rates]),
        Column("lr*L", aligned(short(rate.lr_times_curvature, 4) for rate in rates), spare=1),
        Column("steps", [steps_text(rate.steps, rate.predicted) for rate in rates]),
        Column("value", column([comparison.value(rate.value) for rate in rates], 6)),
        Column("|gradient|", ["-" if g is None else f"{g:.2e}" for g in slopes], spare=2),
    ]
    return with_course(
        columns, width, lambda room: [drawn(comparison.values(rate), room, bars) for rate in rates]
    )


def steps_text(steps: int | None, predicted: bool) -> str:
    """Return how many steps there are, ``~`` before a prediction; ``-`` where there is no end."""
    if steps is None:
        return "-"
    return ("~" if predicted else "") + (str(steps) if steps < 10**7 else short(float(steps), 3))


def _reason(comparison: RateComparison, width: int) -> list[Line]:
    """Return the curvature and what follows from it."""
    c, best = comparison.found.curvature, comparison.found.best
    if c is None:
        return []
    lines = fact("curvature", _curvature(c), width)
    if c.limit is None or c.best is None:
        none = "none: nothing is curved upwards along the way, so the curvature says nothing of rates"
        return lines + fact("limit", none, width)
    steady = abs(c.at_end - c.largest) <= _STEADY * c.largest
    told = "a larger rate overshoots farther with each step"
    if not steady:
        told = (
            f"safe all along the way; where it ends {short(2.0 / c.at_end, 4)}" if c.at_end > 0.0 else "safe"
        )
    lines += fact("limit", f"2/L = {short(c.limit, 6)}; {told}", width)
    lines += fact("best rate", _best(c, best), width)
    if c.condition is not None:
        lines += fact(
            "condition", f"L/m = {short(c.condition, 4)}; {_shape(c.condition, comparison.size)}", width
        )
    return lines


def _curvature(c: Curvature) -> str:
    if c.scale == 0.0:
        return "none: the gradient is the same all along the way"
    where = f"({_HOW[c.how]} at {amount(c.points, 'point')})"
    return f"L = {short(c.largest, 6)} at most, m = {short(c.smallest, 6)} at least along the way {where}"


def _fastest(comparison: RateComparison, width: int) -> list[Line]:
    """Return which rate of the table needs the fewest steps: a look at each, where the curvature only foretells.

    Where none arrives it is the one that came lowest.
    """
    found = comparison.found
    fastest, lowest = found.fastest, found.lowest
    if lowest is None or len(found.rates) < 2:
        return []
    if fastest is None:
        side = "highest" if comparison.sign < 0 else "lowest"
        told = f"none arrives; rate {short(lowest.lr, 6)} comes {side} in {amount(found.steps, 'step')}"
        return fact("of these", told, width)
    taken = f"{steps_text(fastest.steps, fastest.predicted)} step{'s' * (fastest.steps != 1)}"
    return fact("of these", f"rate {short(fastest.lr, 6)} arrives first, after {taken}", width)


def _best(c: Curvature, best: Rate | None) -> str:
    name = "1/L" if c.singular else "2/(L+m)"
    text = f"{name} = {short(c.best, 6)} by the curvature along the way"
    if best is None or best.steps is None:
        needs = "it does not arrive within the steps asked for, and when it would is not known"
    else:
        needs = f"needs {steps_text(best.steps, best.predicted)} step{'s' * (best.steps != 1)}"
        if best.verdict == "oscillates":
            needs += ", to and fro across the valley"
    if c.singular:
        needs += "; m is not positive, so 2/(L+m) does not apply"
    return f"{text}; {needs}"


def _shape(condition: float, size: int) -> str:
    """Return what a condition number means for gradient descent."""
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
