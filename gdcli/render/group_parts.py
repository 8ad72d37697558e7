"""The table of what each group has for its own beside shared parameters; of many groups the first and last ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdcli.kernel.errors import harmless
from gdcli.kernel.number_format import amount, column, short
from gdcli.record.fits import FitRecord
from gdcli.render.error_cells import error_cells, usual_decimals
from gdcli.render.page import Column, Glyphs, Line, chosen, cut, laid_out

if TYPE_CHECKING:
    from gdcli.record.fits import GroupPartRecord

MOST_GROUPS = 24
_FIRST, _LAST = 18, 3
_LONGEST_LABEL = 20


def group_parts(found: FitRecord, width: int, glyphs: Glyphs) -> list[Line]:
    """Return the table; a column that does not fit is named below it."""
    parts, count = list(found.groups), len(found.groups)
    if count > MOST_GROUPS:
        parts = [*parts[:_FIRST], *parts[-_LAST:]]
    columns = _columns(parts, "±" if glyphs.rule == "─" else "+-")
    kept, left_out = chosen(columns, width)
    lines = laid_out(kept, width, glyphs, [_FIRST] if len(parts) < count else [])
    notes = [f"{len(parts)} of {amount(count, 'group')}"] if len(parts) < count else []
    notes += [f"not shown: {', '.join(c.title.strip() for c in left_out)}"] if left_out else []
    if notes:
        lines.append([(f"{'; '.join(notes)}; --format csv has all", "rule")])
    return lines


def _columns(parts: Sequence[GroupPartRecord], plus: str) -> list[Column]:
    columns = []
    for name in parts[0].group:
        labels = [part.group[name] for part in parts]
        is_text = any(isinstance(v, str) for v in labels)
        texts = [cut(v, _LONGEST_LABEL) if isinstance(v, str) else short(v, 12) for v in labels]
        columns.append(Column(cut(name, _LONGEST_LABEL), texts, left=is_text))
    columns.append(Column("rows", [str(part.rows) for part in parts]))
    tables = [part.rows_of_parameters() for part in parts]
    for k, (name, *_) in enumerate(tables[0]):
        values: list[float] = [table[k][1] for table in tables]
        errors: list[float | None] = [table[k][2] for table in tables]
        texts = error_cells(values, errors, [None] * len(parts), usual_decimals(errors), plus)
        columns.append(Column(f"{harmless(name)} {plus} error", texts, spare=1 if k else 0))
    return [*columns, Column("value", column([part.value for part in parts], 5), spare=2)]
