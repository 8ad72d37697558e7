"""The error of a difference quotient against its step h: truncation on one side, rounding on the other.

The forward quotient truncates by about h f''/2, the central one by h**2 f'''/6, and both divide the rounding of the
values by h; the best h balances the two (Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, section 8.1). A
complex step subtracts nothing: below some h nothing changes any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

from gdcli.calculus.gradient_audit import Auditor, Way
from gdcli.kernel.dataclass import NamedTuple

STEPS = tuple(float(f"1e-{k}") for k in range(16))


class ErrorRow(NamedTuple):
    """The largest error over the components for one step, with its truncation and rounding parts (None: no value)."""

    h: float
    forward: Way | None
    central: Way | None
    complex_step: Way | None


def error_rows(auditor: Auditor) -> list[ErrorRow]:
    return [
        ErrorRow(
            h,
            _largest([auditor.forward(i, auditor.limits[i], h) for i in range(len(auditor.x))]),
            _largest([auditor.central(i, auditor.limits[i], h) for i in range(len(auditor.x))]),
            _largest([_complex_with_truncation(auditor, i, h) for i in range(len(auditor.x))]),
        )
        for h in STEPS
    ]


def _complex_with_truncation(auditor: Auditor, i: int, h: float) -> Way:
    """A complex step of a large h truncates as a central quotient does; what is beyond rounding is that."""
    way = auditor.complex_step(i, auditor.limits[i], h)
    if way.error is None or abs(way.error) <= way.rounding:
        return way
    return way._replace(truncation=way.error, agrees=True)


def _largest(ways: Sequence[Way]) -> Way | None:
    """Return the way with the largest error, and the largest rounding; None where a component has none."""
    if any(way.error is None or isnan(way.error) for way in ways):
        return None
    largest = max(ways, key=lambda way: abs(way.error or 0.0))
    return largest._replace(rounding=max(way.rounding for way in ways))


class BestStep(NamedTuple):
    """The step with the smallest error to be expected, the error there, and why it is there.

    ``least_h`` is the step of the smallest error seen, ``least_error``: where rounding happens to cancel it is another.
    """

    h: float
    error: float
    why: str
    least_h: float
    least_error: float


def best_step(rows: Sequence[ErrorRow], name: str) -> BestStep | None:
    """Return the best step of forward, central or complex_step; None where there is no error to compare."""
    known = [(row.h, way) for row in rows if (way := getattr(row, name)) is not None]
    if not known:
        return None
    # By what the error is expected to be: a difference that happens to be right says nothing of the step. Of steps
    # that are equally good, the largest: nothing is gained by going on.
    h, way = min(known, key=lambda pair: (abs(pair[1].truncation) + pair[1].rounding, -pair[0]))
    error, expected = abs(way.error), abs(way.truncation) + way.rounding
    seen, least = min(known, key=lambda pair: (abs(pair[1].error), -pair[0]))
    return BestStep(h, error, _why(known, name, h, error, expected), seen, abs(least.error))


def _why(known: Sequence[tuple[float, Any]], name: str, h: float, error: float, expected: float) -> str:
    larger = [w for k, w in known if k > h]
    smaller = [w for k, w in known if k < h]
    before = max((abs(w.truncation) for w in larger), default=0.0)
    after = max((w.rounding for w in smaller), default=0.0)
    if name == "complex_step":
        return _why_complex(error, smaller)
    if before <= expected and after <= expected:
        return "neither truncation nor rounding changes it"
    order = "h" if name == "forward" else "h**2"
    parts = []
    if before > expected:
        parts.append(f"a larger h truncates more (the error grows as {order})")
    if after > expected:
        parts.append("a smaller h magnifies the rounding of the values (it grows as 1/h)")
    return "; ".join(parts)


def _why_complex(error: float, smaller: Sequence[Way]) -> str:
    if all(abs(w.error or 0.0) <= 10.0 * max(error, w.rounding) for w in smaller):
        return "nothing is subtracted, so a smaller h loses nothing"
    return "a smaller h loses digits"
