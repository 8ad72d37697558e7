"""How an answer moves with what was given, as a table: a row for each constant and each active limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.number_format import short
from gdcli.render.page import Column, Glyphs, Line, cut, laid_out

if TYPE_CHECKING:
    from gdcli.record.runs import RunRecord

# Of more variables, or rows, the first are shown.
MOST_VARIABLES = 6
MOST_ROWS = 30
_WIDEST = 30


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
