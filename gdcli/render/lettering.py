r"""The words of a picture in a file: formulas as mathematics, numbers with a true minus and powers of ten.

What is returned is text as matplotlib draws it: between two ``$`` mathematics, elsewhere what it says; a ``$`` that is
only a character is written ``\$``. A formula that is too long for one line is broken between its terms, then set
smaller, then cut with an ellipsis; one that mathtext cannot draw is shown as typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from gdcli.kernel.errors import shorten
from gdcli.render.plot_data import Title, Wording

if TYPE_CHECKING:
    from matplotlib.mathtext import MathTextParser

SIZES = (12.0, 10.0)  # of a title in points, and of one that is too long for that
_LINES = 2
_LONG = 7  # characters of a number beside a scale; a longer one is written as a power of ten
_MOST = 2000  # characters of a formula; a longer one is not read again for its title
_NUMBER = re.compile(r"(?<![\w.)\]-])(-?)(\d+(?:\.\d+)?)(?:e([+-]?\d+))?(?![\w.])")
_NAME = re.compile(r"[^\W\d]\w*(?:\[\d+\])?(?= = )")
_WORD = re.compile(r"(?:\\\$|\$[^$]*\$|[^\s$])+")


def title(asked: Title, room: float) -> tuple[str, float]:
    """Return a title for ``room`` points of width, of at most two lines, and the size of its letters."""
    if isinstance(asked.text, Wording):
        words = _WORD.findall(_drawable(asked.text) or _plain(asked.text))
        if not words:
            return "", SIZES[0]
        return _broken(words, " ".join, "…", room) or (_shortened(asked.text, room), SIZES[-1])
    parts, remark = _parts(asked.formula), legend(asked.remark)
    found = parts and _broken(parts, _mathematics, r"+ \ldots", room - (_width(remark, SIZES[0]) or 0.0))
    return (found[0] + remark, found[1]) if found else (_shortened(asked.text, room), SIZES[-1])


def label(text: str) -> str:
    """Return the label of an axis: names and formulas as mathematics, words as they are."""
    if isinstance(text, Wording):
        return _drawable(text) or _plain(text)
    parts = _parts(text)
    if not parts or re.fullmatch(r"\\mathrm\{[^{}]*\}", " ".join(parts)):  # a word
        return _plain(text)
    return _mathematics(parts)


def legend(text: str) -> str:
    """Return an entry of a legend: ``alpha = -1e-07`` as one writes it."""
    return numbers(_NAME.sub(_name, _plain(text)))


def _name(found: re.Match[str]) -> str:
    parts = _parts(found[0])
    return _mathematics(parts) if parts else found[0]


def numbers(text: str) -> str:
    return _NUMBER.sub(_number, text)


def scale(values: Sequence[float]) -> list[str]:
    """Return the numbers of a scale: where one is too long to be written out, those like it are powers of ten too."""
    texts = [format(value, ".10g") for value in values]
    if any("e" in text or len(text) > _LONG for text in texts):
        texts = [
            text if not value or 1e-3 <= abs(value) < 1e4 else _as_power(value)
            for text, value in zip(texts, values, strict=True)
        ]
    return [numbers(text) for text in texts]


def _as_power(value: float) -> str:
    digits, _, exponent = f"{value:.9e}".partition("e")
    return f"{float(digits):g}e{exponent}"


def _number(found: re.Match[str]) -> str:
    sign, digits, exponent = found.groups()
    if exponent is None:
        return ("\N{MINUS SIGN}" if sign else "") + digits
    power = f"10^{{{int(exponent)}}}"
    return f"${sign}{power}$" if digits == "1" else rf"${sign}{digits} \times {power}$"


def _parts(formula: str) -> list[str]:
    """The terms of a formula in LaTeX; nothing where it is none, or too long, or cannot be drawn."""
    from gdcli.language.latex import terms

    parts = (terms(formula) if 0 < len(formula) <= _MOST else None) or []
    return parts if parts and _width(_mathematics(parts), SIZES[0]) is not None else []


def _mathematics(parts: Sequence[str]) -> str:
    """One line of terms. An operator with nothing before it would be a sign."""
    return "$" + ("{} " if parts[0][:2] in ("+ ", "- ") else "") + " ".join(parts) + "$"


def _plain(text: str) -> str:
    return text.replace("$", r"\$")


def _drawable(text: str) -> str | None:
    """The text, if matplotlib can draw what stands between its ``$``."""
    return None if (text.count("$") - text.count(r"\$")) % 2 or _width(text, SIZES[0]) is None else text


def _broken(
    parts: Sequence[str], joined: Callable[[Sequence[str]], str], ellipsis: str, room: float
) -> tuple[str, float] | None:
    """Break parts into lines; those that find no place are replaced by an ellipsis. None: one is too wide alone."""
    for size in SIZES:
        lines = _lines(parts, joined, room, size)
        if len(lines) <= _LINES:
            break
    if max(_width(joined(line), size) or 0.0 for line in lines[:_LINES]) > room:
        return None
    if len(lines) > _LINES:
        lines = lines[:_LINES]
        while len(lines[-1]) > 1 and (_width(joined([*lines[-1], ellipsis]), size) or 0.0) > room:
            lines[-1] = lines[-1][:-1]
        lines[-1] = [*lines[-1], ellipsis]
    return "\n".join(joined(line) for line in lines), size


def _lines(
    parts: Sequence[str], joined: Callable[[Sequence[str]], str], room: float, size: float
) -> list[list[str]]:
    """Return the first lines, one more than there may be at most: to measure is slow."""
    lines: list[list[str]] = [[]]
    for part in parts:
        if lines[-1] and (_width(joined([*lines[-1], part]), size) or 0.0) > room:
            lines.append([])
        lines[-1].append(part)
        if len(lines) > _LINES:
            break
    return lines


def _shortened(text: str, room: float) -> str:
    length = len(text)
    while length > 1 and (_width(_plain(shorten(text, length)), SIZES[-1]) or 0.0) > room:
        length -= 1
    return _plain(shorten(text, length))


def _width(text: str, size: float) -> float | None:
    """The width of a text in points; None where there is no drawing it."""
    from matplotlib.font_manager import FontProperties

    try:
        return float(_parser().parse(text, 72.0, FontProperties(size=size)).width)
    except (ValueError, RuntimeError):
        return None


@cache
def _parser() -> MathTextParser[Any]:
    from matplotlib.mathtext import MathTextParser

    return MathTextParser("path")
