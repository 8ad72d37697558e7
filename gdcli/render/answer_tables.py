"""The tables that few answers have: their constraints, how they move with what was given, all minima found, and of
a search of boxes the bounds of the global minimum and the boxes that may hold it.

A constraint that is a vector has one row: its least slack, its largest multiplier, and how many of its elements are
active.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import inf
from typing import TYPE_CHECKING

from gdcli.kernel.number_format import amount, column, short
from gdcli.kernel.numerics import SMALLEST_NORMAL
from gdcli.render.page import (
    Column,
    Glyphs,
    Line,
    and_more,
    beyond,
    coordinates,
    cut,
    fact,
    half_widths,
    laid_out,
)

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.record.analyses import RootRecord
    from gdcli.record.runs import GlobalBoxRecord, RunRecord
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
    shown = sorted(found.constraints, key=lambda one: not any(_each(one.active)))[:MOST_SHOWN]
    if not shown:
        return []
    prices = [one.multiplier for one in shown]
    most = max(20, int(_PART * width))
    columns = [
        Column("constraint", [cut(" ".join(one.text.split()), most) for one in shown], left=True),
        Column(
            "value",
            column([None if isinstance(one.value, list) else one.value for one in shown], 10),
            spare=2,
        ),
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


def _each(number: Number | list[bool]) -> Sequence[float]:
    return number if isinstance(number, list) else [number]


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


# -- a search of boxes ------------------------------------------------------------------------------------------------


# Of more boxes the first are shown.
MOST_BOXES = 25
# Digits of the ends of an interval that its width does not tell.
_DIGITS = 12


def enclosure(found: RunRecord, width: int) -> list[Line]:
    """Return the lines on the bounds of the global extremum and on the boxes."""
    texts = statements(found)
    return fact("global", texts[0], width) + fact("boxes", texts[1], width)


def statements(found: RunRecord) -> list[str]:
    """Return what is told of the bounds of the global extremum, of the boxes, and of all local ones, if it is."""
    proof = found.global_
    assert proof is not None
    if found.status == "infeasible":
        return [found.message]
    left, proved = len(proof.boxes), sum(box.proved for box in proof.boxes)
    lower, upper = proof.lower, proof.upper
    told = interval_text(-inf if lower is None else lower, inf if upper is None else upper)
    text = f"{left or 'none'} may hold a global {found.extremum}"
    if proved:
        which = "" if left == 1 else "each " if proved == left else f"{proved} of them "
        text += f", {which}proved to hold exactly one {found.extremum}"
    told = f"{found.extremum} {'exactly' if lower == upper else 'in'} {told}"
    return [told, text, *([_all_of_them(found)] if proof.minima else [])]


def _all_of_them(found: RunRecord) -> str:
    proof = found.global_
    assert proof is not None
    proved = sum(one.proved for one in proof.minima)
    plural = f"{found.extremum[:-2]}a"
    count = amount(len(proof.minima), f"local {found.extremum}", f"local {plural}")
    told = count if proved == len(proof.minima) else f"{count} at most, {proved} of them"
    others = f"there are no other {plural}" if proof.has_all else f"other {plural} are not excluded"
    return f"{told} proved; {others} within the bounds"


def boxes(found: RunRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table of the boxes that may hold global minimisers: their centres, and half their longest sides."""
    proof = found.global_
    return [] if proof is None or proof.minima else _box_table(found, proof.boxes, [], width, glyphs)


def all_minima(found: RunRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table of all local minima; nothing where they were not asked for."""
    proof = found.global_
    if proof is None or not proof.minima:
        return []
    lines = fact("found", _all_of_them(found), width, "title")
    values = Column("value", column([one.value for one in proof.minima[:MOST_BOXES]], 10))
    return [*lines, [], *_box_table(found, proof.minima, [values], width, glyphs)]


def _box_table(
    found: RunRecord, left: Sequence[GlobalBoxRecord], more: list[Column], width: int, glyphs: Glyphs
) -> list[Line]:
    shown = left[:MOST_BOXES]
    if not shown:
        return []
    space = found.problem.space
    ends = ends_of(space, shown)
    centers = [[_center(a, b) for a, b in zip(*pair, strict=True)] for pair in ends]
    columns = [
        Column("box", [str(k) for k in range(1, len(shown) + 1)]),
        *more,
        Column("proved", ["one" if box.proved else "no" for box in shown], left=True),
        half_widths(ends),
        *coordinates(space, centers),
    ]
    lines = laid_out(columns, width, glyphs, all_in="--format json", unseen=beyond(space))
    return lines + and_more(len(left) - len(shown))


def ends_of(
    space: Space, shown: Sequence[GlobalBoxRecord] | Sequence[RootRecord]
) -> list[tuple[Sequence[float], Sequence[float]]]:
    return [(space.flatten(box.low), space.flatten(box.high)) for box in shown]


def _center(low: float, high: float) -> float:
    middle = 0.5 * low + 0.5 * high
    return 0.0 if abs(middle) < SMALLEST_NORMAL else middle


def interval_text(low: float, high: float, digits: int = _DIGITS) -> str:
    ends = rounded_outward(low, high, digits)
    return f"[{ends[0]}, {ends[1]}]" if low < high else short(low, digits)


def rounded_outward(low: float, high: float, digits: int) -> Sequence[str]:
    """Return decimals of at most so many digits, two of them telling the width, between which an interval lies."""
    if not -inf < low <= high < inf:
        return [short(low, digits), short(high, digits)]
    a, b = Decimal(low), Decimal(high)
    place = (b - a).adjusted() - 1 if b > a else -400
    texts = []
    for end, direction in ((a, ROUND_FLOOR), (b, ROUND_CEILING)):
        needed = end.adjusted() - place + 1 if end else 1
        count = max(1, min(needed, digits + 5))
        rounded = Context(prec=count, rounding=direction, Emin=-10000, Emax=10000).create_decimal(end)
        texts.append(_plain(rounded))
    return texts


def _plain(value: Decimal) -> str:
    text = f"{value:f}" if -6 < value.adjusted() < 17 or not value else f"{value:e}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
