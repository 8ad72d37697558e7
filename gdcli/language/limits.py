"""Bounds as typed after ``--bounds``: ``x=0:5``, ``y=:2`` (only above), ``v=0:1`` (each element), ``v[0]=0:1``.

``all=-10:10`` bounds every variable. Equal ends make a variable a constant, as --set does. Ends may be constant
expressions such as ``pi/2``; a missing or infinite end is no bound.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.language.tokens import normal
from gdcli.language.values import ConstantReader, split

_NAME = re.compile(r"\s*(\w+)\s*(?:\[\s*(-?\d+)\s*\])?\s*")
_INFINITE = ("inf", "infinity", "oo", "∞")
# What stands for every variable, unless one is called so.
ALL = "all"
HINT = "for example --bounds x=0:5,y=:2"
# The bounds (lower, upper) of names: numbers, or lists for a vector.
Ends = dict[str, tuple[float | list[float], float | list[float]]]


class Limit(NamedTuple):
    """One bound as typed: the name, an element of a vector (None: all), the two ends, the place."""

    name: str
    element: int | None
    lower: float
    upper: float
    span: Span


def read_limits(texts: Sequence[str], option: str = "--bounds") -> list[Limit]:
    """Return the bounds of one or several option values, in order.

    Raises UsageError, with the place in the text, for what is no bound and for reversed ends.
    """
    return [limit for text in texts for limit in _read(text, option)]


def _read(text: str, option: str) -> list[Limit]:
    try:
        return [_limit(text, start, end, option) for start, end in split(text, option)]
    except UsageError as error:
        from gdcli.language.notation import BOUNDS, proposed  # only an error needs it

        raise proposed(error, text, option, BOUNDS, lambda meant: _read(meant, option)) from None


def _limit(text: str, start: int, end: int, option: str) -> Limit:
    span = Span(text, start, max(end, start + 1), option)
    name, equals, ends = text[start:end].partition("=")
    match = _NAME.fullmatch(name)
    low, colon, high = ends.partition(":")
    if not match or not equals or not match.group(1).isidentifier():
        raise UsageError("a bound needs a name and =", HINT, span)
    if not colon or ":" in high:
        raise _without_two_ends(name.strip(), ends, span)
    reader = ConstantReader(text, option)
    first = end - len(ends)
    lower = -math.inf if _is_open(low, "-") else reader.number(first, first + len(low))
    upper = math.inf if _is_open(high, "+") else reader.number(first + len(low) + 1, end)
    index = None if match.group(2) is None else int(match.group(2))
    limit = Limit(normal(match.group(1)), index, lower, upper, span)
    turned = f"write {option} {name.strip()}={high.strip()}:{low.strip()}" if _is_short(high + low) else HINT
    _check_ends(name.strip(), limit, turned)
    return limit


def _without_two_ends(name: str, ends: str, span: Span) -> UsageError:
    from gdcli.language.notation import NUMBER  # only an error needs it

    one = f"write {name}={ends}: for at least {ends}, :{ends} for at most"
    hint = one if re.fullmatch(NUMBER, ends.strip()) else HINT
    return UsageError("a bound has two ends with a colon between them", hint, span)


def _check_ends(name: str, limit: Limit, turned: str) -> None:
    lower, upper = limit.lower, limit.upper
    if lower > upper:
        told = f"the bounds of {name} are reversed: {lower:g} is above {upper:g}"
        raise UsageError(told, turned, limit.span)
    if math.isinf(lower) and math.isinf(upper):
        raise UsageError(f"the bounds of {name} have no ends", HINT, limit.span)


def _is_short(ends: str) -> bool:
    return 0 < len(ends) < 20 and not set(ends) & set(":[](){}")


def _is_open(end: str, sign: str) -> bool:
    """Whether an end is none: left out, or infinite with this sign."""
    plain = end.strip().lower()
    return plain in ("", *(sign + word for word in _INFINITE)) or (sign == "+" and plain in _INFINITE)


def boxes(
    limits: Sequence[Limit], lengths: Mapping[str, int | None], what: str = "variable of the expression"
) -> Ends:
    """Return (lower, upper) by name for the bounded variables: numbers, or lists for a vector.

    ``what`` is what the names are. A later bound of the same variable or element takes the place of an earlier one.
    Raises UsageError for unknown names, an index of a number, and an index beyond the vector.
    """
    found: Ends = {}
    for limit in _each(limits, lengths):
        if limit.name not in lengths:
            hint = did_you_mean(limit.name, lengths, f"there are {', '.join(list(lengths)[:8])}")
            raise UsageError(f"--bounds gives {limit.name}, which is not a {what}", hint, limit.span)
        length = lengths[limit.name]
        if length is None:
            if limit.element is not None:
                raise UsageError(
                    f"{limit.name} is a number and has no elements", f"write {limit.name}=0:1", limit.span
                )
            found[limit.name] = (limit.lower, limit.upper)
            continue
        if limit.element is not None and not -length <= limit.element < length:
            raise UsageError(f"{limit.name} has {length} elements, counted from 0", "", limit.span)
        lower, upper = found.get(limit.name, ([-math.inf] * length, [math.inf] * length))
        assert isinstance(lower, list)
        assert isinstance(upper, list)
        for i in range(length) if limit.element is None else (limit.element % length,):
            lower[i], upper[i] = limit.lower, limit.upper
        found[limit.name] = (lower, upper)
    return found


def _each(limits: Sequence[Limit], names: Collection[str]) -> Iterator[Limit]:
    """Yield the bounds, those of ``all`` for each of the names."""
    for limit in limits:
        if limit.name == ALL and ALL not in names and limit.element is None:
            yield from (limit._replace(name=name) for name in names)
        else:
            yield limit


def split_fixed(ends: Ends, names: Collection[str]) -> tuple[dict[str, float | list[float]], Ends]:
    """Return those of ``names`` whose bounds have equal ends, which are constants, with their values; and other bounds.

    A vector is a constant where all of its elements have equal ends. Where every name is, none is taken for a constant,
    so that there is something left to ask for.
    """
    fixed = {name: low for name, (low, high) in ends.items() if low == high}
    if len(fixed) == len(names):
        return {}, ends
    return fixed, {name: pair for name, pair in ends.items() if name not in fixed}
