"""The tables that few answers have: their constraints, how they move with what was given, and all minima found.

A constraint that is a vector has one row: its least slack, its largest multiplier, and how many of its elements are
active.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.number_format import amount, column, short
from gdcli.render.page import Column, Glyphs, Line, and_more, beyond, coordinates, cut, fact, laid_out

if TYPE_CHECKING:
    from gdcli.record.runs import RunRecord
    from gdcli.record.schema import Number

MOST_SHOWN = 25
# The text of a constraint takes no more than this part of the width.
_PART = 0.4
# Of more variables, or rows, the first are shown.
MOST_VARIABLES = 6
MOST_ROWS = 30
_WIDEST = 30


def constraints(found: RunRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table of the constraints; nothing where there are none but bounds."""
    shown = sorted(found.constraints, key=lambda one: not _is_active(one.active))[:MOST_SHOWN]
    if not shown:
        return []
    prices = [one.multiplier for one in shown]
    most = max(20, int(_PART * width))
    columns = [
        Column("constraint", [cut(" ".join(one.text.split()), most) for one in shown], left=True),
        Column("value", column([_single(one.value) for one in shown], 10), spare=2),
        Column("slack", [short(min(_each(one.slack)), 4) for one in shown], spare=1),
        Column("multiplier", ["" if m is None else short(max(_each(m), key=abs), 8) for m in prices]),
        Column("active", [_active(one.active) for one in shown]),
    ]
    lines = laid_out(columns, width, glyphs, all_in="--format json")
    note = "multiplier: d value / d right-hand side"
    if found.certificate.licq is False:
        note += "; not unique, the gradients of what is active depend on each other"
    if any(price is not None for price in prices):
        lines += [[(note, "rule")]]
    return lines + and_more(len(found.constraints) - len(shown))


def _each(number: Number) -> list[float]:
    return number if isinstance(number, list) else [number]


def _single(number: Number) -> float | None:
    return None if isinstance(number, list) else number


def _is_active(active: bool | list[bool]) -> bool:
    return any(active) if isinstance(active, list) else active


def _active(active: bool | list[bool]) -> str:
    if isinstance(active, list):
        return f"{sum(active)} of {len(active)}"
    return "yes" if active else "no"


def sensitivity(found: RunRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table of the derivatives of the value and the point; nothing where none are known."""
    rows = found.sensitivity[:MOST_ROWS]
    if not rows:
        return []
    space = found.problem.space
    moves = [space.flatten(row.point) for row in rows]
    names = [space.label(i) for i in range(min(space.size, MOST_VARIABLES))]
    columns = [
        Column("by", [cut(" ".join(row.by.split()), _WIDEST) for row in rows], left=True),
        Column("d value", [short(row.value, 8) for row in rows]),
        *(
            Column(f"d {name}", [short(move[i], 6) for move in moves], spare=i)
            for i, name in enumerate(names)
        ),
    ]
    lines = laid_out(columns, width, glyphs, all_in="--format json")
    left = len(found.sensitivity) - len(rows)
    note = "derivatives of the answer by each constant and each limit that holds it"
    return [*lines, [(note + (f"; {left} more rows in --format json" if left else ""), "rule")]]


def minima(found: RunRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table of the minima found from many starts, the best first; the first ``MOST_SHOWN`` of them."""
    shown = found.minima[:MOST_SHOWN]
    if not shown:
        return []
    columns = [
        Column("starts", [str(m.starts) for m in shown]),
        Column("value", column([m.value for m in shown], 10)),
        Column("kind", [m.kind for m in shown], left=True),
    ]
    space = found.problem.space
    columns += coordinates(space, [space.flatten(m.point) for m in shown])
    total = amount(len(found.minima), f"distinct {found.extremum}").replace("mums", "ma")
    text = f"{total} from {amount(found.starts or 1, 'start')}"
    text += (
        f"; other {found.extremum[:-2]}a are not excluded: that takes --global, and bounds on every variable"
    )
    lines = fact("found", text, width, "title")
    lines += [[], *laid_out(columns, width, glyphs, all_in="--format json", unseen=beyond(space))]
    return lines + and_more(len(found.minima) - len(shown))
