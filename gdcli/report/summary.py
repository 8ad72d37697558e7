"""The answer as a page: what was asked, the path, where it ended and what speaks for it.

Everything a numerical analyst would look for has its place and its unit; everything unknown is left out
rather than filled with dashes. Points are shortened here, never in the machine formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from gdcli.report import records
from gdcli.report.faults import harmless, shorten
from gdcli.report.numbers import amount, column, known, listing, seconds, short
from gdcli.report.page import MOST_NAMED, Column, Glyphs, Line, fact, laid_out
from gdcli.report.trail import COORDINATES, ENDS, Row, Trail

if TYPE_CHECKING:
    from gdcli.api import Outcome, Problem
    from gdcli.fitting.request import Searched

MOST_MINIMA = 25
_ENDS = ("minimum", "degenerate", "kink")  # where nothing left to gain is something to say
_ROLES = {"converged": "good", "completed": "good", "limit": "warn", "stalled": "warn"}


def page(outcome: Outcome, trail: Trail, width: int, glyphs: Glyphs, timing: bool = False) -> list[Line]:
    """Return the whole answer, no line longer than ``width`` columns (a longer word aside)."""
    return apart(
        _question(outcome, width),
        path(outcome, trail, width, glyphs),
        _answer(outcome, width, timing),
        minima(outcome, width, glyphs) if outcome.minima else [],
    )


def apart(*parts: list[Line]) -> list[Line]:
    """Return the parts of a page with a blank line between them; a part may be empty."""
    lines: list[Line] = []
    for part in filter(None, parts):
        lines += [[], *part] if lines else part
    return lines


def point_text(
    values: Mapping[str, Any],
    digits: int = 10,
    most: int = 12,
    errors: Sequence[float] | None = None,
    error: float | None = None,
) -> str:
    """Return a point as ``x = 1, v = [1, 2, ..., 9] (99 numbers)``, the first ``most`` names of it.

    ``errors`` are those of all its numbers in order, or else ``error`` that of each; digits that they leave unknown are
    not shown.
    """
    parts, first = [], 0
    for name, value in islice(values.items(), most):
        # Not made plain first: of a million numbers eight are shown.
        count = len(value) if hasattr(value, "__len__") else 1
        own = None if errors is None else errors[first : first + count]
        first += count
        if hasattr(value, "__len__"):
            shown = listing(value, digits, errors=own, error=error)
        else:
            shown = known(float(value), error if own is None else own[0], digits)
        parts.append(f"{name} = {shown}")
    if len(values) > most:
        parts.append(f"... ({len(values)} variables)")
    return ", ".join(parts)


def start_option(problem: Problem) -> str:
    """Return the start as one would type it, with all its digits."""
    parts = []
    for name, value in problem.start.items():
        plain = records.plain(value)
        parts.append(
            f"{name}=[{','.join(map(repr, plain))}]" if isinstance(plain, list) else f"{name}={plain!r}"
        )
    return f"--start {','.join(parts)}"


def _question(outcome: Outcome, width: int) -> list[Line]:
    lines = title(outcome.problem.sense, outcome.problem, width) + setting(outcome, width)
    for name, formula in (outcome.formulas or {}).items():
        lines += fact(f"d/d{name}", harmless(shorten(formula, 10 * width)), width)
    return lines


def title(what: str, problem: Problem, width: int) -> list[Line]:
    """Return the line that says what is done to which expression."""
    return fact(what, harmless(shorten(" ".join(problem.expression.split()), 5 * width)), width, "title")


def setting(outcome: Outcome, width: int) -> list[Line]:
    """Return the lines on what was given beside the expression, and on the method."""
    problem, lines = outcome.problem, list[Line]()
    if problem.constants:
        fixed = f" ({', '.join(problem.fixed)} by equal bounds)" if problem.fixed else ""
        lines += fact("with", point_text(problem.constants) + harmless(fixed), width)
    if problem.drawn:
        lines += fact(
            "start",
            f"drawn at random with seed {problem.seed}; the same again: {start_option(problem)}",
            width,
        )
    else:
        lines += fact("start", point_text(problem.start), width)
        searched = getattr(problem, "searched", None)
        if searched is not None:
            lines += fact("search", search_text(searched), width)
    if problem.bounds:
        lines += fact("bounds", ", ".join(_bound(*item) for item in list(problem.bounds.items())[:8]), width)
    return lines + fact("method", outcome.used + (f" ({outcome.why})" if outcome.why else ""), width)


def search_text(searched: Searched) -> str:
    """Return in words what a search for a start did, and how sure its answer is."""
    tried, starts, agreeing, ratio = searched
    points = amount(tried, "point")
    if not starts:
        return f"the best of {points} that were tried until the time was over"
    if tried == 1:
        return "the linear parameters were solved for"
    text = f"{agreeing} of {amount(starts, 'start')} ended here ({points} tried)"
    if ratio is None:
        return text
    more = (
        f"{short(100.0 * (ratio - 1.0), 2)} % larger" if ratio < 2.0 else f"{short(ratio, 3)} times as large"
    )
    return f"{text}; the next best end has a sum of squares {more}"


def path(
    outcome: Outcome, trail: Trail, width: int, glyphs: Glyphs, all_in: str = "--format csv"
) -> list[Line]:
    """Return the table of the iterates; nothing where there are none."""
    unseen = _beyond(outcome, COORDINATES)
    return thinned(trail, lambda rows: _columns(rows, outcome, width), width, glyphs, all_in, unseen)


def _beyond(outcome: Outcome, most: int) -> tuple[list[str], int]:
    """The first names of the variables after so many, and how many there are."""
    size, label = outcome.space.size, outcome.space.label
    return [label(i) for i in range(most, min(size, most + MOST_NAMED))], max(0, size - most)


def thinned(
    trail: Trail,
    columns: Callable[[list[Any]], list[Column]],
    width: int,
    glyphs: Glyphs,
    all_in: str = "--format jsonl",
    unseen: tuple[Sequence[str], int] = ((), 0),
) -> list[Line]:
    """Return the table of the rows that a trail has kept, and how they were thinned; the rest is as for `laid_out`."""
    marked = trail.rows()
    rows = [row for row in marked if row is not None]
    if not rows:
        return []
    gaps = [index - order for order, index in enumerate(i for i, row in enumerate(marked) if row is None)]
    lines = laid_out(columns(rows), width, glyphs, gaps, all_in, unseen)
    if gaps:
        stride = f"{trail.stride}nd" if trail.stride == 2 else f"{trail.stride}th"
        note = f"first {ENDS}, last {ENDS}, every {stride} of {rows[-1].iteration}; --every N shows each Nth"
        lines.append([(note, "rule")])
    return lines


def _columns(rows: list[Row], outcome: Outcome, width: int) -> list[Column]:
    """Return all columns: what every run has can be spared least, then coordinates, then the distance moved."""
    columns = [
        Column("iter", [str(row.iteration) for row in rows]),
        Column("value", column([row.value for row in rows], 10)),
        Column("|gradient|", [_scientific(row.gradient_norm) for row in rows], spare=1),
        Column("step", column([row.step for row in rows], 3), spare=3),
        *_moved(rows, width),
        Column("evals", [str(row.evaluations) for row in rows], spare=2),
    ]
    notes = [row.kind if row.kind not in ("start", "step") else "" for row in rows]
    # That the last steps are those for the last digits is told where there is room.
    spare = 6 if {"", "polish"}.issuperset(notes) else 0
    tail = [Column("", notes, left=True, roles=["warn"] * len(rows), spare=spare)] if any(notes) else []
    points = zip(*(row.coordinates for row in rows), strict=True)
    return [*columns, *_coordinates(outcome, points), *tail]


def _moved(rows: list[Row], width: int) -> list[Column]:
    """The distance moved, which the points tell too: on wide pages."""
    return [Column("moved", column([row.moved for row in rows], 3), spare=5)] if width >= 100 else []


def _coordinates(outcome: Outcome, points: Iterable[Sequence[float]]) -> list[Column]:
    """A column for each variable, the last of them the first to go."""
    label = outcome.space.label
    return [Column(label(i), column(values, 8), spare=4) for i, values in enumerate(points)]


def minima(outcome: Outcome, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table of the minima found from many starts, the best first; the first ``MOST_MINIMA`` of them."""
    shown = outcome.minima[:MOST_MINIMA]
    kinds = [records.kind(m.certificate, outcome.sign) for m in shown]
    columns = [
        Column("starts", [str(m.starts) for m in shown]),
        Column("value", column([m.value for m in shown], 10)),
        Column("kind", kinds, left=True),
    ]
    most = min(outcome.space.size, COORDINATES)
    columns += _coordinates(outcome, ([m.x[i] for m in shown] for i in range(most)))
    what = "minimum" if outcome.sign > 0 else "maximum"
    total = amount(len(outcome.minima), f"distinct {what}").replace("mums", "ma")
    text = f"{total} from {amount(outcome.starts, 'start')}"
    more = len(outcome.minima) - len(shown)
    lines = fact("found", text, width, "title")
    unseen = _beyond(outcome, most)
    lines += [[], *laid_out(columns, width, glyphs, all_in="--format json", unseen=unseen)]
    return [*lines, [(f"and {more} more; --format json has them all", "rule")]] if more else lines


def _scientific(value: float | None) -> str:
    return "" if value is None else f"{value:.2e}"


def _answer(outcome: Outcome, width: int, timing: bool) -> list[Line]:
    lines = verdict(outcome, width)
    found = outcome.certificate
    errors, error = (found.errors, found.distance) if found.kind in _ENDS else (None, None)
    point = point_text(outcome.point, errors=errors, error=error)
    lines += fact("point", point + best_seen(outcome), width)
    lines += fact("value", short(outcome.value, 12), width)
    return lines + evidence(outcome, width, timing)


def verdict(outcome: Outcome, width: int) -> list[Line]:
    """Return how it ended, as a sentence that the status begins: "converged | to a local minimum"."""
    status = outcome.status.value
    role = _ROLES.get(status, "bad")
    told = harmless(outcome.message).removeprefix(status.capitalize()).lstrip(": ")
    return fact(status, told, width, role, label_role=role)


def best_seen(outcome: Outcome, what: str = "iteration", why: str = "the best seen") -> str:
    """Return which iterate is the answer and ``why``, where it is not the last one."""
    run = outcome.run
    last = run.best.iteration == run.last.iteration
    return "" if last else f" ({what} {run.best.iteration}, {why})"


def evidence(outcome: Outcome, width: int, timing: bool, work: str = "") -> list[Line]:
    """Return what speaks for the answer, what it cost, and what to try next.

    With ``work``, the cost in words, a kind that is unknown is none of its matters.
    """
    certificate, run, lines = outcome.certificate, outcome.run, list[Line]()
    if certificate.gradient_norm is not None:
        lines += fact("|gradient|", short(certificate.gradient_norm, 3), width)
    if certificate.kind != "unknown" or not work:
        lines += fact("kind", _kind(outcome), width)
    if outcome.problem.bounds:
        lines += fact("held by", _held(outcome), width)
    if left := _left(outcome):
        lines += fact("left to gain", left, width)
    lines += fact("work", work or _work(outcome), width)
    if outcome.status.value != "diverged" and run.reason.sentence not in outcome.message.lower():
        lines += fact("stopped", f"because {run.reason.sentence}", width)
    if timing:
        lines += fact("time", f"{seconds(run.seconds)}, engine {outcome.engine}", width)
    for warning in outcome.warnings:
        lines += fact("warning", harmless(warning), width, "warn", label_role="warn")
    if outcome.advice:
        lines += fact("try next", harmless(outcome.advice), width)
    return lines


def _kind(outcome: Outcome) -> str:
    certificate = outcome.certificate
    name = records.kind(certificate, outcome.sign).replace("-", " ")
    low, high = records.eigenvalues(certificate, outcome.sign)
    if low is None or high is None:
        return name
    if outcome.space.size == 1:
        evidence = f"second derivative {short(low, 4)}"
    else:
        evidence = f"Hessian eigenvalues {short(low, 4)} to {short(high, 4)}"
        if certificate.condition is not None:
            evidence += f", condition {short(certificate.condition, 3)}"
    how = (
        ""
        if certificate.how in ("exact", "none")
        else f" (by {certificate.how.replace('lanczos', 'Lanczos')})"
    )
    return f"{name}; {evidence}{how}"


def _bound(name: str, ends: tuple[Any, Any]) -> str:
    """The bounds of one variable: 0 <= x <= 5; those of a vector in general."""
    if hasattr(ends[0], "__len__"):
        low, high = min(ends[0]), max(ends[1])
        name = f"each {name}" if min(ends[1]) == high and max(ends[0]) == low else f"{name} within"
    else:
        low, high = ends
    if low == high:
        return f"{name} = {short(low, 6)}"
    left = "" if low == float("-inf") else f"{short(low, 6)} <= "
    right = "" if high == float("inf") else f" <= {short(high, 6)}"
    return f"{left}{name}{right}"


def _held(outcome: Outcome) -> str:
    """The active bounds with their multipliers, not too many of them."""
    if not outcome.active:
        return "no bound"
    parts = []
    for held in outcome.active[:8]:
        slope = f"slope {short(held.multiplier, 3)}"
        at = "fixed" if held.side == "fixed" else f"{held.side} bound"
        parts.append(f"{held.name} at {short(held.bound, 6)} ({at}, {slope})")
    more = len(outcome.active) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "")


def _left(outcome: Outcome) -> str:
    """What is left to gain, and how far away; nothing where there is no minimum to go to."""
    certificate = outcome.certificate
    gap, distance, is_end = certificate.gap, certificate.distance, certificate.kind in _ENDS
    if gap is None:
        nothing_near = outcome.status.value in ("diverged", "wrong-kind")
        if nothing_near or not (is_end or certificate.kind == "not-stationary"):
            return ""
        if outcome.status.value == "converged" and certificate.kind != "degenerate":
            return "less than the tolerance"
        level = certificate.kind == "degenerate"
        why = "the curvature vanishes" if level else "no quadratic model holds around this point"
        return f"not known: {why}"
    if gap == 0.0 and not is_end:
        return ""
    if certificate.rounded:
        return "no more than rounding"
    text = "nothing" if gap == 0.0 else f"about {short(gap, 2)}"
    return text if not distance else f"{text}, at a distance of about {short(distance, 2)}"


def _work(outcome: Outcome) -> str:
    counts = outcome.run.counts
    parts = [
        amount(outcome.run.iterations, "iteration"),
        amount(counts.value, "value"),
        amount(counts.gradient, "gradient"),
    ]
    if counts.hessian:
        parts.append(amount(counts.hessian, "Hessian"))
    if counts.product:
        parts.append(amount(counts.product, "Hessian-vector product"))
    return ", ".join(parts)
