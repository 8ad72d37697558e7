"""A stored proof checked anew: from the expression and the numbers of the record alone, without any search.

What is checked is that the record's statements follow: Krawczyk's condition on the very box that it names, and from
that the radius and the value. Statements that are true and far weaker than what follows are not those of a proof.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gdcli.compile.interval_program import IntervalProgram
from gdcli.judge.degenerate_proof import check_along, check_near
from gdcli.judge.proof import LocalProof, Unproved, check
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Space
from gdcli.tasks.pipeline import flat_bounds
from gdcli.tasks.problem import Problem
from gdcli.tasks.proved import box_program

Ends = tuple[float, float]
# The last digits of functions differ from one C library to another, and what follows from them by such a factor.
_AS_STRONG = 16.0
# More boxes are not looked at on the faces of one.
_MOST_BOXES = 10_000


class ToldProof(NamedTuple):
    """What a record says: the point, the box and the ``flat`` variables in flat order, and the rest as it stands; with
    ``axes``, shape (n, n), it is those that may be flat.
    """

    kind: str
    status: str
    point_value: float
    x: Sequence[float]
    radius: float
    value: Ends
    box: tuple[Ends, ...]
    flat: tuple[int, ...] = ()
    axes: tuple[tuple[float, ...], ...] = ()
    sides: tuple[Ends, ...] = ()


def faults_of(problem: Problem, told: ToldProof) -> list[str]:
    """Return what does not follow of a proof that a record tells, nothing where it holds.

    Raises UsageError for an expression, or constants, that cannot be read.
    """
    extremum = "minimum" if problem.sign > 0 else "maximum"
    if told.kind != extremum or told.status != "converged":
        return [
            f"a proof is that of a {extremum} to which a run converged, not of: {told.status}, {told.kind}"
        ]
    if not (_are_ends(told.box) and len(told.box) == len(told.x) and all(map(math.isfinite, told.x))):
        return ["the box is none"]
    program, (low, high) = box_program(problem), flat_bounds(problem.bounds, Space(problem.lengths))
    found = _found_again(program, told, low, high)
    if not isinstance(found, LocalProof):
        one = f"a {extremum}" if told.flat else f"exactly one {extremum}"
        return [f"it does not follow that {one} lies in the box: {found.why}"]
    here = program.one_box([(v, v) for v in told.x], 0).value
    return _faults_of_numbers(problem.sign, told, found, here)


def _found_again(
    program: IntervalProgram, told: ToldProof, low: Sequence[float], high: Sequence[float]
) -> LocalProof | Unproved:
    if not told.axes:
        if told.flat:
            return check_near(program, told.x, told.box, low, high, told.flat, _MOST_BOXES)
        return check(program, told.x, told.box, low, high)[0]
    n = len(told.x)
    is_square = [len(row) for row in told.axes] == [n] * n
    entries = [(a, a) for row in told.axes for a in row]
    if not (is_square and len(told.sides) == n and _are_ends([*told.sides, *entries])):
        return Unproved("the axes span no box")
    proof = LocalProof(told.radius, told.value, told.box, False, told.flat, told.axes, told.sides)
    found = check_along(program, proof, told.x, low, high, _MOST_BOXES)
    if isinstance(found, LocalProof) and [tuple(ends) for ends in told.box] != list(found.box):
        return Unproved("it is not the one around the axes and their sides")
    return found


def _faults_of_numbers(sign: int, told: ToldProof, found: LocalProof, here: Ends) -> list[str]:
    """Return which numbers do not follow from a proof that was ``found``; ``here`` bounds the value at the point."""
    low, high = found.value if sign > 0 else (-found.value[1], -found.value[0])
    faults = []
    if not _follows(told.radius, found.radius):
        faults.append(f"the radius is not {told.radius:g}: {found.radius:g} follows")
    if not (told.value[0] <= low and high <= told.value[1]) or not _is_as_strong(told.value, (low, high)):
        faults.append(f"it does not follow that the value is in [{told.value[0]!r}, {told.value[1]!r}]")
    slack = _AS_STRONG * (here[1] - here[0])
    if not here[0] - slack <= sign * told.point_value <= here[1] + slack:
        faults.append("the value is not that of the expression at the point")
    return faults


def _are_ends(box: Sequence[Ends]) -> bool:
    return all(math.isfinite(low) and math.isfinite(high) and low <= high for low, high in box)


def _follows(told: float, found: float) -> bool:
    return found <= told <= _AS_STRONG * found


def _is_as_strong(told: Ends, found: Ends) -> bool:
    width, size = found[1] - found[0], max(abs(found[0]), abs(found[1]))
    return told[1] - told[0] <= _AS_STRONG * (width + math.ulp(size))
