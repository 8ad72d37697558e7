"""Constants that stand in a file of their own: ``--set C=@cov.csv``, ``--set mu=@mu.json``.

A file that ends in .json has a number, a list, or a list of rows. Any other has the rows of a matrix, a line each, with
commas, semicolons, tabs or spaces between the numbers; a first line of titles and comments after # are left out. One
row or one column is a vector.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from gdcli.kernel.errors import Span, UsageError
from gdcli.kernel.vectors import np

# Larger constants are numpy arrays.
LIST_SIZE = 1000
_SEPARATORS = (",", ";", "\t")
_TITLE = re.compile(r"[^\W\d]")


def read_value(path: str, option: str, span: Span) -> Any:
    """Return the number, the vector or the matrix in a file. Raises UsageError that says where it is wrong."""
    text = file_text(path, option, span)
    return compact(_json(text, path, span) if path.lower().endswith(".json") else _rows(text, path, span))


def read_point(path: str, option: str) -> Iterator[tuple[str, float | list[float], Span]]:
    """Yield what a JSON file has, ``{name: value}`` or a result of gd, each with its place; ``-`` is standard input.

    Of several lines the last result counts.
    """
    import json

    text = file_text(path, option)
    path = _shown(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            found = json.loads(text.strip().splitlines()[-1])
        except (ValueError, IndexError, RecursionError):
            raise UsageError(f"{option}: {path} is not JSON: {error}") from None
    point = found.get("point", found) if isinstance(found, dict) else None
    if not isinstance(point, dict):
        hint = 'it must be {"x": 1, ...} or a result of gd --format json'
        raise UsageError(f"{option}: {path} holds no point", hint)
    span = Span(f"@{path}", 0, len(path) + 1, option)
    for name, value in point.items():
        numbers = _checked(value)
        if numbers is None or (isinstance(numbers, list) and isinstance(numbers[0], list)):
            raise UsageError(f"{option}: {path}: {name} is not a finite number or a list of them", "", span)
        yield name, numbers, span


def _shown(path: str) -> str:
    return "standard input" if path == "-" else path or "a file without a name"


def file_text(path: str, option: str, span: Span | None = None) -> str:
    """Return the text of a file, ``-`` for standard input. Raises UsageError where it cannot be read."""
    from gdcli.kernel.standard_input import read_text

    try:
        if path == "-":
            return read_text()
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path that none can be
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not text"
        raise UsageError(f"{option}: cannot read {_shown(path)}: {reason}", "", span) from None


def compact(value: object) -> Any:
    """Return a large matrix or vector as an array, and what is small as it is."""
    count = (
        len(value) * (len(value[0]) if isinstance(value[0], list) else 1) if isinstance(value, list) else 1
    )
    if count <= LIST_SIZE:
        return value
    return np.asarray(value, dtype=float)


def _json(text: str, path: str, span: Span) -> Any:
    import json

    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}", "", span) from None
    numbers = _checked(found)
    if numbers is None:
        hint = "it must be a number, a list of numbers, or a list of rows of one length"
        raise UsageError(f"{path} is no number, vector or matrix", hint, span)
    return numbers


def _checked(found: object) -> Any:
    """The floats of a number, a list, or a list of rows of one length; None for all else."""
    if not isinstance(found, list):
        return _finite(found)
    parts = [_checked(part) for part in found]
    if not parts or any(part is None for part in parts):
        return None
    lengths = {_length_of_row(part) for part in parts}
    return parts if len(lengths) == 1 and lengths != {-1} else None


def _length_of_row(part: Any) -> int:
    """The length of a list of numbers, 0 for a number, -1 for all else."""
    if isinstance(part, float):
        return 0
    return len(part) if isinstance(part[0], float) else -1


def _finite(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        return float(found) if math.isfinite(found) else None
    except OverflowError:  # an integer beyond the largest float
        return None


def _rows(text: str, path: str, span: Span) -> Any:
    rows: list[list[float]] = []
    for number, line in _lines(text):
        if not rows and _has_titles(line):
            continue
        rows.append(_numbers(line, f"{path}:{number}", span))
        if len(rows[-1]) != len(rows[0]):
            from gdcli.kernel.number_format import amount

            what = f"{path}:{number} has {amount(len(rows[-1]), 'number')}, and the rows before it {len(rows[0])}"
            raise UsageError(what, "the rows of a matrix have one length", span)
    if not rows:
        raise UsageError(f"{path} has no numbers", "a matrix has a row in each line", span)
    if len(rows) == 1:
        return rows[0]
    return [row[0] for row in rows] if len(rows[0]) == 1 else rows


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.partition("#")[0].rstrip()
        if plain:
            yield number, plain


def _has_titles(line: str) -> bool:
    """Whether no cell of a line is a number, and one begins with a letter."""
    cells = _cells(line)
    return any(_TITLE.match(cell) for cell in cells) and not any(map(_is_number, cells))


def _cells(line: str) -> list[str]:
    for separator in _SEPARATORS:
        if separator in line:
            return [cell.strip().strip('"') for cell in line.rstrip(separator).split(separator)]
    return line.split()


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(line: str, place: str, span: Span) -> list[float]:
    try:
        found = list(map(float, line.split(",")))  # the usual case, and fast for large matrices
    except ValueError:
        found = _plain_numbers(line, place, span)
    if not all(map(math.isfinite, found)):
        raise UsageError(f"{place}: a number is not finite", "", span)
    return found


def _plain_numbers(line: str, place: str, span: Span) -> list[float]:
    cells = _cells(line)
    try:
        return list(map(float, cells))
    except ValueError:
        at = next(i for i, cell in enumerate(cells) if not _is_number(cell))
        what = f"{cells[at][:40]} is no number" if cells[at] else "a number is missing"
        place = f"{place}:{_column(line, at)}"
        raise UsageError(f"{place}: {what}", "a matrix has a row of numbers in each line", span) from None


def _column(line: str, cell: int) -> int:
    """Return where a cell begins in its line, counted from 1."""
    separator = next((each for each in _SEPARATORS if each in line), None)
    if separator is None:
        return [match.start() for match in re.finditer(r"\S+", line)][cell] + 1
    begin = sum(len(each) + 1 for each in line.split(separator)[:cell])
    inside = line[begin:].partition(separator)[0]
    return begin + len(inside) - len(inside.lstrip()) + 1
