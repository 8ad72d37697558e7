"""The page of all roots of a system of equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import harmless
from gdcli.kernel.number_format import amount, seconds, short
from gdcli.render.boxes_page import ends_of
from gdcli.render.page import Column, Glyphs, Line, and_more, beyond, coordinates, fact, half_widths, laid_out
from gdcli.render.summary import point_text, verdict

if TYPE_CHECKING:
    from gdcli.record.roots import RootsRecord

# Of more equations, bounds and roots the first are shown.
MOST_EQUATIONS, MOST_BOUNDS, MOST_ROOTS = 12, 8, 50


def page(found: RootsRecord, width: int, glyphs: Glyphs, timing: bool = False) -> list[Line]:
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
        lines += [[], *_table(found, width, glyphs)]
    lines += [[], *verdict(found, width)]
    lines += fact("work", f"{amount(found.examined, 'box', 'boxes')} examined", width)
    if timing and found.seconds is not None:
        lines += fact("time", seconds(found.seconds), width)
    return lines + (fact("try next", found.advice, width) if found.advice else [])


def _table(found: RootsRecord, width: int, glyphs: Glyphs) -> list[Line]:
    shown, space = found.roots[:MOST_ROOTS], found.space
    columns = [
        Column("root", [str(k) for k in range(1, len(shown) + 1)]),
        Column("proved", ["yes" if root.proved else "no" for root in shown], left=True),
        half_widths(ends_of(space, shown)),
        *coordinates(space, [space.flatten(root.point) for root in shown]),
    ]
    lines = laid_out(columns, width, glyphs, unseen=beyond(space))
    return lines + and_more(len(found.roots) - len(shown), "--format csv")
