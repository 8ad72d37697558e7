"""The page of a trace: the steps with their local derivatives, the forward sweep, the reverse sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import columns_of
from gdcli.kernel.number_format import short
from gdcli.render.gradient_page import head
from gdcli.render.page import Column, Glyphs, Line, cut, fact, laid_out, wrap

if TYPE_CHECKING:
    from gdcli.record.gradients import StepRecord, TraceRecord

DIGITS = 10
ALL = "--format json"
_FORMULAS = 30  # columns that formulas and local derivatives have together, at least


def page(trace: TraceRecord, width: int, glyphs: Glyphs) -> list[Line]:
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
    columns = [
        Column("step", names, left=True),
        Column("formula", [cut(text, left) for text in formulas], left=True),
        Column("value", values, spare=1),
        Column(
            "local derivative",
            [cut(text, room - min(left, _widest(formulas))) for text in slopes],
            left=True,
        ),
        Column("its value", numbers, spare=2),
    ]
    return _whole(columns, width, glyphs)


def _whole(columns: list[Column], width: int, glyphs: Glyphs) -> list[Line]:
    """Lay out a table, and name below it what is not shown: columns, and the ends of formulas."""
    lines = laid_out(columns, width, glyphs, all_in=ALL)
    if any(cell.endswith("...") for column in columns if column.left for cell in column.cells):
        lines.append([(f"...: a formula goes on; {ALL} has all", "rule")])
    return lines


def _widest(texts: list[str]) -> int:
    return max(map(columns_of, texts))


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
