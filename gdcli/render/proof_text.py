"""A proof in words: what was proved of an answer, and bounds with as many digits as they are apart, rounded outward."""

from __future__ import annotations

from math import floor, inf, isfinite, log10, nextafter
from typing import TYPE_CHECKING, Any

from gdcli.kernel.number_format import short

if TYPE_CHECKING:
    from gdcli.record.runs import ProofRecord, RunRecord

# More digits no double has.
_DIGITS = 17


def proof_of(found: RunRecord) -> tuple[str, str]:
    """Return what is proved of an answer, or why nothing is where a proof was looked for, each with its label."""
    certificate = found.certificate
    if certificate.proof is None:
        is_told = found.status == "converged" and certificate.kind == found.extremum
        return ("not proved", certificate.not_proved if is_told else "")
    proof = certificate.proof
    where = f"within {short(proof.radius, 2)} of this point"
    if proof.radius == 0.0:
        where = "here, at the bounds"
    elif not _is_around(found, proof):
        where = f"in a box around this point, at most {short(proof.radius, 2)} away"
    low, high = outward(*proof.value)
    one = f"exactly one {found.extremum}"
    if proof.flat:
        one, where = f"a {found.extremum} lies", f"within {short(proof.radius, 2)} of this point"
    return "proved", f"{one} {where}; its value lies in [{low}, {high}]"


def bound_of(found: RunRecord) -> tuple[str, str]:
    """Return what bounds the value around a flat answer, with its label; nothing where nothing does."""
    bound = found.certificate.bound
    if bound is None:
        return "", ""
    beyond = "lower" if found.extremum == "minimum" else "higher"
    low, high = outward(bound.value, bound.value)
    sides = [[end for ends in bound.box.values() for end in _listed(ends[k])] for k in (0, 1)]
    widths = [b - a for a, b in zip(*sides, strict=True) if a is not None and b is not None]
    place = (
        "anywhere"
        if len(widths) < len(sides[0])
        else f"in a box around this point, {short(max(widths), 2)} wide,"
    )
    return "bounded", f"no value {place} is {beyond} than {low if beyond == 'lower' else high}"


def _listed(ends: object) -> list[Any]:
    return ends if isinstance(ends, list) else [ends]


def _is_around(found: RunRecord, proof: ProofRecord) -> bool:
    """Tell whether all points within the radius, and the bounds, are in the box."""
    flat = found.problem.space.flatten
    sides = [list(flat({name: ends[k] for name, ends in proof.box.items()})) for k in (0, 1)]
    active = {one.name for one in found.certificate.active_bounds or ()}
    space = found.problem.space
    for i, x in enumerate(found.x):
        room = max if space.label(i) in active else min
        if room(x - sides[0][i], sides[1][i] - x) < proof.radius:
            return False
    return True


def outward(low: float, high: float) -> tuple[str, str]:
    """Return two bounds as texts, the first not above ``low`` and the second not below ``high``."""
    width = high - low
    size = max(abs(low), abs(high))
    digits = (
        3 if not width or not isfinite(width) else max(3, min(_DIGITS, 2 + floor(log10(size / width) + 1.0)))
    )
    return _bound(low, -inf, digits), _bound(high, inf, digits)


def _bound(value: float, towards: float, digits: int) -> str:
    """Return a text of a number on the side of ``value`` that is ``towards`` an infinity, or of that number itself."""
    plain = format(value + 0.0, f".{digits}g")
    if value.is_integer() and float(plain) == value:
        return plain
    sign = 1.0 if towards > 0 else -1.0
    beyond = nextafter(value, towards)
    for more in range(3):
        moved = value + sign * more * 10.0 ** (floor(log10(abs(value))) - digits + 1)
        text = format(moved, f".{digits}g")
        if sign * float(text) >= sign * beyond:
            return text
    return repr(beyond)
