"""Cells of a value with its error, ``-2.001 ± 0.027``, as many groups have them below each other."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10

from gdcli.kernel.number_format import known, short

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
