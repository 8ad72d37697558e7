"""The page of predictions: a row for each row, with its band, and what lies beyond the rows that were fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.errors import harmless
from gdcli.kernel.number_format import amount, column
from gdcli.render.page import Column, Glyphs, Line, fact, laid_out

if TYPE_CHECKING:
    from gdcli.record.predictions import PredictionsRecord

MOST_ROWS = 200
_OF = {"confidence": "what is fitted, the mean", "prediction": "one more measured value"}


def page(found: PredictionsRecord, width: int, glyphs: Glyphs) -> list[Line]:
    shown = found.rows[:MOST_ROWS]
    level = f"{100.0 * found.level:g} %"
    lines = fact("predict", harmless(" ".join(found.expression.split())), width, "title")
    lines += fact("band", f"{level} {found.interval}: of {_OF[found.interval]}", width)

    def numbers(name: str, digits: int) -> list[str]:
        return column([row[name] for row in shown], digits)

    def cells(name: str) -> Column:
        values = [row[name] for row in shown]
        if any(isinstance(value, str) for value in values):
            return Column(harmless(name), [harmless(str(value)) for value in values], left=True)
        return Column(harmless(name), column(values, 6), spare=4)

    columns = [cells(name) for name in found.columns]
    columns.append(Column("fitted", numbers("fitted", 7)))
    if any(row["standard_error"] is not None for row in shown):
        columns.append(Column("std. error", numbers("standard_error", 4), spare=2))
        columns += [Column("low", numbers("low", 6)), Column("high", numbers("high", 6))]
    beyond = ["extrapolated" if row["extrapolated"] else "" for row in shown]
    if any(beyond):
        columns.append(Column("", beyond, left=True, roles=["warn"] * len(beyond)))
    lines += [[], *laid_out(columns, width, glyphs)]
    if len(shown) < len(found.rows):
        left = amount(len(found.rows) - len(shown), "row")
        lines.append([(f"and {left} more; --format csv has all", "rule")])
    outside = sum(bool(row["extrapolated"]) for row in found.rows)
    if outside:
        text = f"{amount(outside, 'row lies', 'rows lie')} beyond the rows that were fitted"
        lines += [[], *fact("extrapolated", text, width, "warn")]
    return lines
