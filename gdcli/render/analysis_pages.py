"""Pages of what is analysed: a gradient (formulas, each way with its error and what explains it, the verdict; or a
trace), and all roots of a system of equations.

*explained* is the truncation of the quotient plus a bound of the rounding; an error below it is what it has to be.
"""

from __future__ import annotations

from math import isfinite, isnan
from typing import TYPE_CHECKING

from gdcli.kernel.errors import columns_of, harmless, shorten
from gdcli.kernel.number_format import amount, column, seconds, short
from gdcli.record.analyses import QUOTIENTS, BestStepRecord, GradientRecord, StepRecord, TraceRecord
from gdcli.render.answer_tables import ends_of
from gdcli.render.page import (
    Column,
    Glyphs,
    Line,
    and_more,
    beyond,
    coordinates,
    cut,
    fact,
    fits,
    half_widths,
    laid_out,
    wrap,
)
from gdcli.render.summary import point_text, title, typed_texts, verdict

if TYPE_CHECKING:
    from gdcli.record.analyses import RootsRecord


FEW = 6  # components that are shown with all their ways one under the other
WAYS = {
    "symbolic": "symbolic",
    "autodiff": "autodiff",
    "forward": "forward",
    "central": "central",
    "complex_step": "complex step",
}


def gradient_page(found: GradientRecord, width: int, glyphs: Glyphs) -> list[Line]:
    lines = head(found, width, "gradient")
    lines += _formulas(found, width)
    lines.append([])
    lines += _few(found, width, glyphs) if len(found.components) <= FEW else _many(found, width, glyphs)
    lines += _not_applicable(found, width)
    if found.hessian is not None:
        lines += [[], *_hessian(found, width, glyphs)]
    if found.errors:
        lines += [[], *_errors(found, width, glyphs)]
    return [*lines, [], *_verdict(found, width)]


def head(found: GradientRecord | TraceRecord, width: int, label: str) -> list[Line]:
    problem = found.problem
    lines = title(label, problem, width)
    if problem.constants:
        lines += fact("with", point_text(problem.constants), width)
    lines += typed_texts("let", problem.let, width)
    lines += fact("at", point_text(found.point), width)
    if isinstance(found, GradientRecord) and found.h is not None:
        lines += fact("h", short(found.h, 12), width)
    return lines + fact("value", short(found.value, 12), width)


def _formulas(found: GradientRecord, width: int) -> list[Line]:
    shown = found.latex or found.formula
    lines: list[Line] = []
    for name, text in list(shown.items())[:FEW]:
        lines += fact(f"d/d{name}", harmless(shorten(text, 10 * width)), width)
    if len(shown) > FEW:
        lines += fact("", f"... {len(shown)} formulas, all with --format json", width)
    return lines


def _few(found: GradientRecord, width: int, glyphs: Glyphs) -> list[Line]:
    components = found.components
    rows = [(label, name, way) for label, c in components.items() for name, way in c.ways.items()]
    roles = ["" if way.agrees and components[label].agrees else "bad" for label, _, way in rows]
    digits = 14 if width >= 90 else 12
    values: list[str] = []
    for label, c in components.items():  # decimal points under each other
        numbers = [found.value_of(label, name) for name in c.ways]
        values += [cell or "-" for cell in column(numbers, digits)]
    columns = [
        Column("by", [label if name == "symbolic" else "" for label, name, _ in rows], left=True),
        Column("way", [WAYS[name] for _, name, _ in rows], left=True),
        Column("value", values, roles=roles),
        Column("error", [_error(way.error) for _, _, way in rows]),
        Column("explained", [_error(way.explained) for _, _, way in rows], spare=1),
        Column("mostly", [way.mostly for _, _, way in rows], left=True, spare=2),
        Column("evals", [str(w.evaluations) if w.applicable else "" for _, _, w in rows], spare=3),
    ]
    return laid_out(columns, width, glyphs, all_in="--format json")


def _many(found: GradientRecord, width: int, glyphs: Glyphs) -> list[Line]:
    roles = ["" if c.agrees else "bad" for c in found.components.values()]
    for digits in (10, 8, 6, 5, 4):
        columns = [Column("by", list(found.components), left=True, roles=roles)]
        for name, way in WAYS.items():
            values = [_value(found.value_of(label, name), digits) for label in found.components]
            columns.append(Column(way, values, spare=1))
        if fits(columns, width):
            break
    return laid_out(columns, width, glyphs, all_in="--format json")


def _value(value: float | None, digits: int) -> str:
    return "-" if value is None else short(value, digits)


def _error(value: float | None) -> str:
    if value is None or isnan(value):
        return ""
    return "0" if value == 0.0 else f"{abs(value):.1e}"


def _not_applicable(found: GradientRecord, width: int) -> list[Line]:
    """Which way does not exist, and why; the same reason for many components once."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for label, c in found.components.items():
        for name, way in c.ways.items():
            if not way.applicable:
                reasons.setdefault((name, way.note), []).append(label)
    lines: list[Line] = []
    for (name, note), names in reasons.items():
        where = "" if len(names) == len(found.components) else f" by {', '.join(names[:8])}"
        lines += fact("-" if not lines else "", f"{WAYS[name]}{where} is not applicable: {note}", width)
    return lines


def _hessian(found: GradientRecord, width: int, glyphs: Glyphs) -> list[Line]:
    hessian = found.hessian
    assert hessian is not None
    if hessian.rows is None or hessian.eigenvalues is None:
        return fact("Hessian", "the second derivatives are not finite here", width, "warn")
    names = list(found.components)
    columns = [
        Column("Hessian", names, left=True),
        *(Column(name, column([row[j] for row in hessian.rows], 7), spare=1) for j, name in enumerate(names)),
    ]
    lines = laid_out(columns, width, glyphs, all_in="--format json")
    text = ", ".join(short(v, 8) for v in hessian.eigenvalues[:12])
    return lines + fact("eigenvalues", text + (", ..." if len(hessian.eigenvalues) > 12 else ""), width)


def _errors(found: GradientRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """The error of each quotient against h, the best one marked, by what is to be expected and by what is seen."""
    best, rows = found.best or {}, found.errors or ()
    columns = [Column("h", [f"{row.h:.0e}" for row in rows])]
    for spare, name in enumerate(QUOTIENTS):
        marks = [_marks(best.get(name), row.h) for row in rows]
        told = [_error_cell(getattr(row, name), row.mostly.get(name, "")) for row in rows]
        cells = [f"{cell} {mark}" for cell, mark in zip(told, marks, strict=True)]
        roles = ["good" if mark.strip() else "" for mark in marks]
        columns.append(Column(f"{WAYS[name]}   ", cells, roles=roles, spare=spare))
    lines = laid_out(columns, width, glyphs, all_in="--format json")
    largest = " (the largest over the components)" if len(found.components) > 1 else ""
    stars = "*: the best h to expect, +: the least error seen"
    legend = f"errors{largest}; t: mostly truncation, r: mostly rounding, {stars}"
    lines += [[(piece, "rule")] for piece in wrap(legend, width)]
    for name, b in best.items():
        seen = (
            "" if b.least_h == b.h else f"; least error seen {_error(b.least_error)}, at h = {b.least_h:.0e}"
        )
        lines += fact(WAYS[name], f"best h = {b.h:.0e}, error {_error(b.error)}: {b.why}{seen}", width)
    return lines


def _marks(best: BestStepRecord | None, h: float) -> str:
    """Return the marks of a step: ``*`` where the least error is to be expected, ``+`` where it is seen."""
    here = [] if best is None else [m for m, at in (("*", best.h), ("+", best.least_h)) if at == h]
    return "".join(here).ljust(2)


def _error_cell(error: float | None, mostly: str) -> str:
    if error is None or not isfinite(error):
        return "-  "
    if error == 0.0:
        return "0  "
    return f"{error:.1e} {'!' if mostly == 'unexplained' else mostly[:1]}"


def _verdict(found: GradientRecord, width: int) -> list[Line]:
    lines: list[Line] = []
    if found.agrees:
        told = "all ways agree: no error is beyond what rounding and truncation explain"
        lines += fact("agrees", told, width, "good", label_role="good")
    said = [(name, c) for name, c in found.components.items() if c.why]
    for name, c in said[:FEW]:
        role, label = ("warn", "note") if c.agrees else ("bad", "disagrees")
        lines += fact(label, f"by {name}: {harmless(shorten(c.why, 400))}", width, role, label_role=role)
    left = len(said[FEW:])
    return lines + (fact("", f"... and {left} more components", width) if left else [])


# -- the steps of automatic differentiation --------------------------------------------------------------------------

DIGITS = 10
ALL = "--format json"
_FORMULAS = 30  # columns that formulas and local derivatives have together, at least


def trace_page(trace: TraceRecord, width: int, glyphs: Glyphs) -> list[Line]:
    lines = head(trace, width, "trace")
    if trace.steps:
        lines += [[], *_steps(trace, width, glyphs)]
        lines += [[], *_forward(trace, width, glyphs)]
        lines += [[], *_reverse(trace, width, glyphs)]
    lines.append([])
    for label, value in trace.gradient.items():
        lines += fact(f"d/d{label}", short(value, 12), width, "good")
    return lines


def _steps(trace: TraceRecord, width: int, glyphs: Glyphs) -> list[Line]:
    names, formulas, values, slopes, numbers = [], [], [], [], []
    for step in trace.steps:
        told: list[tuple[str, str]] = [
            (f"d/d{text} = {local.formula}", short(local.value, DIGITS)) for text, local in step.local.items()
        ]
        if step.note or not told:
            told.append((step.note, ""))
        for k, (text, number) in enumerate(told):
            names.append(step.step if k == 0 else "")
            formulas.append(step.formula if k == 0 else "")
            values.append(short(step.value, DIGITS) if k == 0 else "")
            slopes.append(text)
            numbers.append(number)
    beside = [max(map(len, cells)) + 2 for cells in ([*names, "step"], values, [*numbers, "its value"])]
    # Where there is no room for formulas, the last numbers go.
    room = next((left for k in (3, 2) if (left := width - sum(beside[:k]) - 2) >= _FORMULAS), _FORMULAS)
    widest = max(map(columns_of, slopes))
    left = max(room - widest, room // 2) if widest < room else room // 2
    rest = room - min(left, max(map(columns_of, formulas)))
    columns = [
        Column("step", names, left=True),
        Column("formula", [cut(text, left) for text in formulas], left=True),
        Column("value", values, spare=1),
        Column("local derivative", [cut(text, rest) for text in slopes], left=True),
        Column("its value", numbers, spare=2),
    ]
    return _whole(columns, width, glyphs)


def _whole(columns: list[Column], width: int, glyphs: Glyphs) -> list[Line]:
    """Lay out a table, and name below it what is not shown: columns, and the ends of formulas."""
    lines = laid_out(columns, width, glyphs, all_in=ALL)
    if any(cell.endswith("...") for column in columns if column.left for cell in column.cells):
        lines.append([(f"...: a formula goes on; {ALL} has all", "rule")])
    return lines


def _forward(trace: TraceRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """The derivative of each step by each variable, as many as there is room for."""
    labels = list(trace.gradient)
    by = labels[0] if len(labels) == 1 else "each variable"
    title = f"forward: z. is the derivative of z by {by}, from those of its arguments"
    lines: list[Line] = [[(line, "label")] for line in wrap(title, width)]
    rules = [_rule(step, labels) for step in trace.steps]
    numbers = [
        Column(f"d/d{label}", [short(s.forward[label], DIGITS) for s in trace.steps], spare=k > 0)
        for k, label in enumerate(labels)
    ]
    names = Column("step", [f"{s.step}." for s in trace.steps], left=True)
    # The rules are cut as far as the numbers need it, down to a third of the room.
    room = width - names.width - 2
    room = max(20, room // 3, room - sum(c.width + 2 for c in numbers))
    columns = [names, Column("from", [cut(rule, room) for rule in rules], left=True), *numbers]
    return lines + _whole(columns, width, glyphs)


def _rule(step: StepRecord, labels: list[str]) -> str:
    parts = []
    for text, local in step.local.items():
        inner = f"d{text}" if text in labels else f"{text}."
        if local.formula == "1":
            parts.append(inner)
        elif local.formula == "-1":
            parts.append(f"-{inner}")
        elif local.formula != "0":
            loose = any(sign in local.formula for sign in " -/")
            parts.append(f"({local.formula})*{inner}" if loose else f"{local.formula}*{inner}")
    return " + ".join(parts).replace("+ -", "- ") or "0"


def _reverse(trace: TraceRecord, width: int, glyphs: Glyphs) -> list[Line]:
    steps = [step for step in reversed(trace.steps) if step.adjoint_formula]
    names = [f"{step.step}'" for step in steps] + [f"{label}'" for label in trace.gradient]
    texts = [step.adjoint_formula for step in steps]
    texts += [" + ".join(reversed(trace.sums[label])) or "0" for label in trace.gradient]
    numbers = [step.adjoint for step in steps] + list(trace.gradient.values())
    values = [short(number, DIGITS) for number in numbers]
    room = max(20, width - max(map(columns_of, names)) - max(map(len, values)) - 4)
    columns = [
        Column("adjoint", names, left=True),
        Column("from", [cut(text.replace("+ -", "- "), room) for text in texts], left=True),
        Column("value", values),
    ]
    title = "reverse: z' is the derivative of the result by z, handed back from the last step"
    return [*([(line, "label")] for line in wrap(title, width)), *_whole(columns, width, glyphs)]


# -- all roots of a system --------------------------------------------------------------------------------------------


# Of more equations, bounds and roots the first are shown.
MOST_EQUATIONS, MOST_BOUNDS, MOST_ROOTS = 12, 8, 50


def roots_page(found: RootsRecord, width: int, glyphs: Glyphs, timing: bool = False) -> list[Line]:
    """Return what was asked, all roots in a table, and what is proved of them."""
    lines: list[Line] = []
    for k, text in enumerate(found.equations[:MOST_EQUATIONS]):
        told = " ".join(text.split())
        lines += fact(
            "solve" if k == 0 else "", harmless(told if "==" in told else f"{told} == 0"), width, "title"
        )
    if len(found.equations) > MOST_EQUATIONS:
        lines += fact("", f"... ({len(found.equations)} equations)", width)
    if found.constants:
        lines += fact("with", point_text(found.constants), width)
    ends = [
        f"{short(a, 6)} <= {name} <= {short(b, 6)}"
        for name, (a, b) in list(found.bounds.items())[:MOST_BOUNDS]
    ]
    more = ", ..." if len(found.bounds) > MOST_BOUNDS else ""
    lines += fact("bounds", ", ".join(ends) + more, width)
    if found.roots:
        lines += [[], *_roots_table(found, width, glyphs)]
    lines += [[], *verdict(found, width)]
    lines += fact("work", f"{amount(found.examined, 'box', 'boxes')} examined", width)
    if timing and found.seconds is not None:
        lines += fact("time", seconds(found.seconds), width)
    return lines + (fact("try next", found.advice, width) if found.advice else [])


def _roots_table(found: RootsRecord, width: int, glyphs: Glyphs) -> list[Line]:
    shown, space = found.roots[:MOST_ROOTS], found.space
    columns = [
        Column("root", [str(k) for k in range(1, len(shown) + 1)]),
        Column("proved", ["yes" if root.proved else "no" for root in shown], left=True),
        half_widths(ends_of(space, shown)),
        *coordinates(space, [space.flatten(root.point) for root in shown]),
    ]
    lines = laid_out(columns, width, glyphs, unseen=beyond(space))
    return lines + and_more(len(found.roots) - len(shown), "--format csv")
