"""The page of a trace: the steps with their local derivatives, the forward sweep, the reverse sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.report.faults import columns as columns_of
from gdcli.report.gradient import head
from gdcli.report.numbers import short
from gdcli.report.page import Column, Glyphs, Line, cut, fact, fits, table

if TYPE_CHECKING:
    from gdcli.calculus.trace import Step, Trace
    from gdcli.examination import Examination

DIGITS = 10


def page(found: Examination, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the whole page."""
    trace = found.trace
    assert trace is not None
    lines = head(found, width, "trace")
    if trace.steps:
        lines += [[], *_steps(trace, width, glyphs)]
        lines += [[], *_forward(trace, width, glyphs)]
        lines += [[], *_reverse(trace, width, glyphs)]
    lines.append([])
    for label, value in zip(trace.labels, trace.gradient, strict=True):
        lines += fact(f"d/d{label}", short(value, 12), width, "good")
    return lines


def _steps(trace: Trace, width: int, glyphs: Glyphs) -> list[Line]:
    """Each step with a row for each local derivative."""
    names, formulas, values, slopes, numbers = [], [], [], [], []
    for step in trace.steps:
        told: list[tuple[str, str]] = [
            (f"d/d{local.operand.text} = {local.formula}", short(local.value, DIGITS))
            for local in step.locals
        ]
        if step.note or not told:
            told.append((step.note, ""))
        for k, (text, number) in enumerate(told):
            names.append(step.name if k == 0 else "")
            formulas.append(step.formula if k == 0 else "")
            values.append(short(step.value, DIGITS) if k == 0 else "")
            slopes.append(text)
            numbers.append(number)
    fixed = max(map(len, [*names, "step"])) + max(map(len, values)) + max(map(len, [*numbers, ""])) + 8
    room = max(20, width - fixed)
    widest = max(map(columns_of, slopes))
    left = max(room - widest, room // 2) if widest < room else room // 2
    columns = [
        Column("step", names, left=True),
        Column("formula", [cut(text, left) for text in formulas], left=True),
        Column("value", values),
        Column(
            "local derivative",
            [cut(text, room - min(left, _widest(formulas))) for text in slopes],
            left=True,
        ),
        Column("", numbers),
    ]
    return table(columns, glyphs)


def _widest(texts: list[str]) -> int:
    return max(map(columns_of, texts))


def _forward(trace: Trace, width: int, glyphs: Glyphs) -> list[Line]:
    """The derivative of each step by each variable, the variables that do not fit in further tables."""
    by = trace.labels[0] if len(trace.labels) == 1 else "each variable"
    lines: list[Line] = [
        [(f"forward: z. is the derivative of z by {by}, from those of its arguments", "label")]
    ]
    rules = [_rule(step) for step in trace.steps]
    numbers = [
        Column(f"d/d{label}", [short(s.forward.get(i, 0.0), DIGITS) for s in trace.steps])
        for i, label in enumerate(trace.labels)
    ]
    names = Column("step", [f"{s.name}." for s in trace.steps], left=True)
    room = max(20, width - names.width - 4 - max((c.width for c in numbers), default=0))
    first = [names, Column("from", [cut(rule, room) for rule in rules], left=True)]
    columns = list(first)
    for number in numbers:
        if not fits([*columns, number], width):
            lines += [*table(columns, glyphs), []]
            columns = [names]
        columns.append(number)
    return lines + table(columns, glyphs)


def _rule(step: Step) -> str:
    """The chain rule for one step: z2. = z2*z1."""
    parts = []
    for local in step.locals:
        inner = f"{local.operand.text}." if local.operand.step is not None else f"d{local.operand.text}"
        if local.formula == "1":
            parts.append(inner)
        elif local.formula == "-1":
            parts.append(f"-{inner}")
        elif local.formula != "0":
            loose = any(sign in local.formula for sign in " -/")
            parts.append(f"({local.formula})*{inner}" if loose else f"{local.formula}*{inner}")
    return " + ".join(parts).replace("+ -", "- ") or "0"


def _reverse(trace: Trace, width: int, glyphs: Glyphs) -> list[Line]:
    """The adjoints from the last step back, then the variables."""
    steps = [step for step in reversed(trace.steps) if step.parts]
    names = [f"{step.name}'" for step in steps] + [f"{label}'" for label in trace.labels]
    texts = [" + ".join(step.parts) for step in steps]
    texts += [" + ".join(reversed(parts)) or "0" for parts in trace.sums]
    values = [short(step.adjoint, DIGITS) for step in steps] + [short(v, DIGITS) for v in trace.gradient]
    room = max(20, width - max(map(columns_of, names)) - max(map(len, values)) - 4)
    columns = [
        Column("adjoint", names, left=True),
        Column("from", [cut(text.replace("+ -", "- "), room) for text in texts], left=True),
        Column("value", values),
    ]
    title = "reverse: z' is the derivative of the result by z, handed back from the last step"
    return [[(title, "label")], *table(columns, glyphs)]
