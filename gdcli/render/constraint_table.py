"""The constraints of an answer as a table: what holds it, by how much, and at what price.

A vector has one row: its least slack, its largest multiplier, and how many of its elements are active.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.number_format import column, short
from gdcli.render.page import Column, Glyphs, Line, cut, fact, laid_out

if TYPE_CHECKING:
    from gdcli.record.runs import ConstraintRecord, RunRecord
    from gdcli.record.schema import Number

MOST_SHOWN = 25
# The text of a constraint takes no more than this part of the width.
_PART = 0.4


def constraints(found: RunRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table of the constraints; nothing where there are none but bounds."""
    shown = sorted(found.constraints, key=lambda one: not _is_active(one))[:MOST_SHOWN]
    if not shown:
        return []
    prices = [one.multiplier for one in shown]
    most = max(20, int(_PART * width))
    columns = [
        Column("constraint", [cut(" ".join(one.text.split()), most) for one in shown], left=True),
        Column("value", column([_single(one.value) for one in shown], 10), spare=2),
        Column("slack", [short(min(_each(one.slack)), 4) for one in shown], spare=1),
        Column("multiplier", ["" if m is None else short(max(_each(m), key=abs), 8) for m in prices]),
        Column("active", [_active(one) for one in shown]),
    ]
    lines = laid_out(columns, width, glyphs, all_in="--format json")
    note = "multiplier: d value / d right-hand side"
    if found.certificate.licq is False:
        note += "; not unique, the gradients of what is active depend on each other"
    if any(price is not None for price in prices):
        lines += [[(note, "rule")]]
    if len(found.constraints) > len(shown):
        lines.append(
            [(f"and {len(found.constraints) - len(shown)} more; --format json has them all", "rule")]
        )
    return lines


def conditions(found: RunRecord, width: int) -> list[Line]:
    """Return the facts about the constraints together: by how much they are broken, and which cannot hold together."""
    if found.violation is None:
        return []
    certificate = found.certificate
    broken = "none" if found.violation == 0.0 else short(found.violation, 2)
    lines = fact(
        "violation", f"{broken} (of what the constraints compare)" if found.violation else broken, width
    )
    if certificate.conflict:
        sure = "proved: " if certificate.proved else "as far as was looked: "
        lines += fact("conflict", sure + ", ".join(certificate.conflict), width, "bad")
    return lines


def _each(number: Number) -> list[float]:
    return number if isinstance(number, list) else [number]


def _single(number: Number) -> float | None:
    return None if isinstance(number, list) else number


def _is_active(one: ConstraintRecord) -> bool:
    return any(one.active) if isinstance(one.active, list) else one.active


def _active(one: ConstraintRecord) -> str:
    if isinstance(one.active, list):
        return f"{sum(one.active)} of {len(one.active)}"
    return "yes" if one.active else "no"
