"""A search of boxes on a page: the bounds of the global minimum, and the boxes that may hold it."""

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
    fact,
    half_widths,
    laid_out,
)

if TYPE_CHECKING:
    from gdcli.kernel.vectors import Space
    from gdcli.record.roots import RootRecord
    from gdcli.record.runs import GlobalBoxRecord, RunRecord

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
    return [] if proof is None or proof.minima else _table(found, proof.boxes, [], width, glyphs)


def all_minima(found: RunRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table of all local minima; nothing where they were not asked for."""
    proof = found.global_
    if proof is None or not proof.minima:
        return []
    lines = fact("found", _all_of_them(found), width, "title")
    values = Column("value", column([one.value for one in proof.minima[:MOST_BOXES]], 10))
    return [*lines, [], *_table(found, proof.minima, [values], width, glyphs)]


def _table(
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
