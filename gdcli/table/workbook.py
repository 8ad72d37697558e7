"""A sheet of a workbook (xlsx, xlsm, xlsb, xls, ods) as lines of text, so that it is read as any file of cells.

Numbers are written with the digits that tell them apart, dates and times as ISO 8601 has them. Rows with one cell above
a table of several columns are a caption, and become comments. A line has the number that its row has in the sheet.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from gdcli.kernel.errors import DataError, UsageError, did_you_mean
from gdcli.table.streams import Stream, Supply

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_QUOTED = r'[",#%]|^\s|\s$'


class Sheet(Supply):
    def __init__(self, text: bytes, name: str) -> None:
        self._text, self.name = text, name
        self.again, self.packed, self.start = True, True, text[:1]
        self._lines = self._cut = None

    def opened(self) -> Stream:
        stream = Stream("-", io.BytesIO(self._text))
        stream.name = self.name
        return stream


def open_sheet(path: str, sheet: str | None, otherwise: DataError) -> Sheet:
    """Return a sheet of a workbook by its name or number (None: the first).

    Raises ``otherwise`` for a file that is no workbook, UsageError for a sheet that there is not, DataError for a
    workbook that cannot be read, and where the reader is not installed.
    """
    if not path.lower().endswith(ENDINGS):
        raise otherwise
    try:
        import python_calamine
    except ImportError:
        from gdcli.kernel import installing

        hint = f"install it: {installing.command('excel')}; or export the sheet as CSV"
        raise DataError(f"{path} is a workbook: python-calamine is needed to read it", hint) from None
    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        name = _name(path, book.sheet_names, sheet)
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except python_calamine.PasswordError:
        raise DataError(f"{path} is protected by a password", "save it without one") from None
    except (python_calamine.CalamineError, OSError) as fault:
        raise DataError(f"cannot read {path}: {str(fault).partition(chr(10))[0]}") from None
    if not any(map(_filled, rows)):
        others = ", ".join(other for other in book.sheet_names if other != name)
        raise DataError(
            f"the sheet {name} of {path} is empty", f"--sheet names another: {others}" if others else ""
        )
    return Sheet(_text(rows).encode(), path)


def _name(path: str, names: Sequence[str], sheet: str | None) -> str:
    if not names:
        raise DataError(f"{path} has no sheet")
    if sheet is None or sheet in names:
        return names[0] if sheet is None else sheet
    if sheet.isdecimal() and 1 <= int(sheet) <= len(names):
        return names[int(sheet) - 1]
    hint = did_you_mean(sheet, names, f"the sheets are {', '.join(names[:8])}")
    raise UsageError(f"{path} has no sheet {sheet}", hint)


def _filled(row: Sequence[Any]) -> int:
    return sum(cell != "" for cell in row)


def _text(rows: Sequence[Sequence[Any]]) -> str:
    """The rows as lines with commas; those above the first that has several cells, where there is one, as comments."""
    begin = next((k for k, row in enumerate(rows) if _filled(row) > 1), 0)
    lines = []
    for k, row in enumerate(rows):
        cells = [_cell(cell) for cell in row]
        if k < begin:
            lines.append(f"# {' '.join(filter(None, cells))}" if any(cells) else "")
        else:
            lines.append(",".join(cells) if any(cells) else "")
    return "\n".join(lines) + "\n"


def _cell(cell: object) -> str:
    if isinstance(cell, str):
        text = " ".join(cell.split("\n"))
        return '"' + text.replace('"', '""') + '"' if re.search(_QUOTED, text) else text
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, int | float):
        return repr(cell)
    if hasattr(cell, "total_seconds"):
        return repr(cell.total_seconds())
    written: Callable[..., str] = getattr(cell, "isoformat")  # noqa: B009 - dates, times, and both
    return written(sep=" ") if hasattr(cell, "date") else written()
