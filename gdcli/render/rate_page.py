"""Learning rates compared: a row for each, and below in plain words the curvature that explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import harmless
from gdcli.kernel.number_format import amount, column, short
from gdcli.kernel.status import CurvatureSource
from gdcli.render.comparison import Kind, aligned, question, with_course
from gdcli.render.page import Column, Glyphs, Line, fact, laid_out, warnings
from gdcli.render.sparkline import Bars, sparkline

if TYPE_CHECKING:
    from gdcli.record.compared import CurvatureRecord, RatesRecord

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


def page(found: RatesRecord, width: int, glyphs: Glyphs, bars: Bars, timing: bool = False) -> list[Line]:
    """Return the whole comparison, no line longer than ``width`` columns (a longer word aside)."""
    lines = question(found.problem, found.seed, width)
    told = f"gradient descent, at most {amount(found.max_steps, 'step')}; arrived when one moves < 1e-7"
    lines += fact("method", told, width)
    lines += [[], *laid_out(_columns(found, width, bars), width, glyphs, all_in="--format json")]
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


def _columns(found: RatesRecord, width: int, bars: Bars) -> list[Column]:
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
    courses = [[value for _, value in rate.course] for rate in rates]
    return with_course(columns, width, lambda room: [sparkline(values, room, bars) for values in courses])


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
    lines += fact("best rate", _best(found), width)
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


def _best(found: RatesRecord) -> str:
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
KIND = Kind(page, "rates", "rate", lambda timing: _CELLS)
