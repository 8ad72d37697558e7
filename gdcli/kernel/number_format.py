"""Numbers for reading: enough digits to judge by, one form per column, decimal points under each other.

Machine output never comes through here; it has the shortest digits that give the same number back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, floor, isfinite, log10


def short(value: float | None, digits: int = 10) -> str:
    """Return ``value`` with at most ``digits`` significant digits and no padding; ``-`` for None."""
    if value is None:
        return "-"
    # Adding 0.0 turns -0.0 into 0.0, which no reader would want to see told apart.
    return format(value + 0.0, f".{digits}g")


def known(value: float, error: float | None, digits: int = 10) -> str:
    """Return ``value`` as `short` does, without the digits that an ``error`` of about this size leaves unknown.

    The last one shown may be off by one: the error is at most half its unit, and so is the rounding. Zeros stand where
    they are known, ``1.00``. What is not rounded to 0 keeps its first digit.
    """
    if not error or not isfinite(value) or not isfinite(error):
        return short(value, digits)
    place = ceil(log10(2.0 * error))
    rounded = round(value, -place) + 0.0
    if rounded and place > floor(log10(abs(value))):
        place -= 1
        rounded = round(value, -place)
    size = place if rounded == 0.0 else floor(log10(abs(rounded)))
    if size - place + 1 >= digits:
        return short(value, digits)
    if -5 <= size < digits:
        return format(rounded, f".{max(0, -place)}f") if -place < digits else short(rounded, digits)
    return format(rounded, f".{max(0, size - place)}e") if rounded else "0"


def column(values: Iterable[float | None], digits: int) -> list[str]:
    """Return the cells of a column: all fixed or all scientific, with equally many decimals.

    Fixed point is chosen where ``digits`` significant digits of the largest number leave at least four (or
    ``digits``) to the smallest one that is not zero. None becomes an empty cell.
    """
    values = list(values)
    sizes = [abs(v) for v in values if v is not None and isfinite(v) and v != 0.0]
    largest, smallest = max(sizes, default=1.0), min(sizes, default=1.0)
    decimals = digits - 1 - floor(log10(largest))
    if all(v == int(v) for v in sizes) and largest < 10.0**digits:
        form = ".0f"
    elif decimals >= 1 and largest >= 1e-4 and smallest >= 10.0 ** (min(4, digits) - 1 - decimals):
        form = f".{decimals}f"
    else:
        form = f".{digits - 1}e"
    return ["" if v is None else format(v + 0.0, form) for v in values]


def listing(
    values: Sequence[float],
    digits: int = 10,
    most: int = 8,
    errors: Sequence[float] | None = None,
    error: float | None = None,
) -> str:
    """Return ``[1, 2, 3]``; of more than ``most`` the first ones, the last, and how many there are.

    ``errors`` are those of the values, or ``error`` that of each, for `known`.
    """

    def text(index: int) -> str:
        return known(float(values[index]), error if errors is None else errors[index], digits)

    if len(values) <= most:
        return "[" + ", ".join(map(text, range(len(values)))) + "]"
    head = ", ".join(map(text, range(most - 3)))
    return f"[{head}, ..., {text(-1)}] ({len(values)} numbers)"


def amount(count: int, singular: str, plural: str = "") -> str:
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def thousands(value: float) -> str:
    """Return a large number in three digits: ``950``, ``22.1k``, ``1.23M``."""
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            return f"{value / size:.{max(0, 2 - floor(log10(value / size * 1.0005)))}f}{mark}"
    return f"{value:.0f}"


def seconds(time: float) -> str:
    """Return a time as one would say it: ``1.3 ms``, ``12 s``."""
    if time < 1.0:
        return f"{short(time * 1000, 3)} ms"
    return f"{short(time, 3)} s" if time < 120 else f"{short(time / 60, 3)} min"


def pointed(cells: Sequence[str]) -> list[str]:
    """Return the cells of a column with their decimal points under each other, each padded at its right end."""
    parts = [_at_point(cell) for cell in cells]
    after = max((len(right) for _, right in parts), default=0)
    return [
        left + right.ljust(after) if cell else "" for cell, (left, right) in zip(cells, parts, strict=True)
    ]


def _at_point(cell: str) -> tuple[str, str]:
    """What stands before and after the place of the decimal point."""
    head, point, tail = cell.partition(".")
    if not point:
        head, mark, tail = cell.partition("e")
        return head, mark + tail
    return head, point + tail


def label(value: str | float) -> str | float | int:
    """Return a label as it is written: a whole number without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# -- a value with its error, as many of them stand below each other ---------------------------------------------------

_MOST_DIGITS = 9
_ERROR_DIGITS = 2


def usual_decimals(errors: Sequence[float | None]) -> int:
    """Return as many decimals as the smaller errors need."""
    sizes = sorted(e for e in errors if e is not None and isfinite(e) and e > 0.0)
    return _decimals(sizes[len(sizes) // 20]) if sizes else 0


def error_cells(
    values: Sequence[float | None],
    errors: Sequence[float | None],
    blurs: Sequence[float | None],
    decimals: int,
    plus: str,
) -> list[str]:
    """Return the cells of a parameter, with so many decimals where these show enough."""
    form = f"{{:.{decimals}f}} {plus} {{:.{decimals}f}}"
    least, most = 10.0 ** (_ERROR_DIGITS - 1 - decimals), 10.0 ** (_MOST_DIGITS - decimals)
    found = []
    for value, error, blur in zip(values, errors, blurs, strict=True):
        if value is None:
            found.append("")
        elif error == 0.0:
            found.append(f"{known(value, blur, 6)} {plus} 0")
        elif error is None or not isfinite(error):
            found.append(short(value, 6))
        elif 0 <= decimals <= 6 and least <= error < most and abs(value) < most:
            found.append(form.format(value + 0.0, error))
        else:
            found.append(_alone(value, error, plus))
    return found


def _alone(value: float, error: float, plus: str) -> str:
    decimals = _decimals(error) if error > 0.0 else 6
    size = max(abs(value), error)
    if 0 <= decimals <= 6 and size < 1e6:
        return f"{value + 0.0:.{decimals}f} {plus} {error:.{decimals}f}"
    digits = min(_MOST_DIGITS, max(1, decimals + (floor(log10(abs(value))) if value else 0)))
    return f"{value + 0.0:.{digits}e} {plus} {error:.{_ERROR_DIGITS - 1}e}"


def _decimals(error: float) -> int:
    return _ERROR_DIGITS - 1 - floor(log10(error))
