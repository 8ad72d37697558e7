"""Stored proofs checked anew: from the expression and the numbers of the record alone, without any search.

What is checked is that the record's statements follow: Krawczyk's condition on the very box that it names, and from
that the radius and the value; of searches over boxes the cover of the bounds is judged box by box. Statements that are
true and far weaker than what follows are not those of a proof.

Each function returns what does not follow of a record, nothing where all of it does. They raise UsageError for a
problem that cannot be read, and ValueError, KeyError or TypeError for a record that is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gdcli.compile.interval_program import IntervalProgram
from gdcli.judge.degenerate_proof import check_along, check_near
from gdcli.judge.proof import LocalProof, Unproved, check
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Space, np
from gdcli.objective.interval_constraints import highest
from gdcli.tasks.domain_ends import DomainEnds, with_domain
from gdcli.tasks.kept_cover import ENCLOSED, Bounded, bounded, cover_of, faults_of_cover
from gdcli.tasks.pipeline import FoundBox, GlobalEvidence, box_arrays, flat_bounds
from gdcli.tasks.problem import Bounds, Problem
from gdcli.tasks.proved import box_program

if TYPE_CHECKING:
    from gdcli.judge.covers import GlobalCover, Told
    from gdcli.tasks.root_finding import Roots


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


def faults_of(problem: Problem, told: ToldProof, domain: Bounds | None = None) -> list[str]:
    """Return what does not follow of a proof that a record tells, nothing where it holds; ``domain`` has the
    ends of the domain of the expression that it tells, as bounds.

    Raises UsageError for an expression, or constants, that cannot be read.
    """
    extremum = "minimum" if problem.sign > 0 else "maximum"
    if told.kind != extremum or told.status != "converged":
        return [
            f"a proof is that of a {extremum} to which a run converged, not of: {told.status}, {told.kind}"
        ]
    if not (_are_ends(told.box) and len(told.box) == len(told.x) and all(map(math.isfinite, told.x))):
        return ["the box is none"]
    program, space = box_program(problem), Space(problem.lengths)
    faults = DomainEnds(problem, lambda: program).faults_of(domain, told.x) if domain else []
    if faults:
        return faults
    low, high = flat_bounds(with_domain(problem.bounds, domain or {}, space), space)
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
    if not found.radius <= told.radius <= _AS_STRONG * found.radius:
        faults.append(f"the radius is not {told.radius:g}: {found.radius:g} follows")
    width = _AS_STRONG * (high - low + math.ulp(max(abs(low), abs(high))))
    if not (told.value[0] <= low and high <= told.value[1] and told.value[1] - told.value[0] <= width):
        faults.append(f"it does not follow that the value is in [{told.value[0]!r}, {told.value[1]!r}]")
    slack = _AS_STRONG * (here[1] - here[0])
    if not here[0] - slack <= sign * told.point_value <= here[1] + slack:
        faults.append("the value is not that of the expression at the point")
    return faults


def _are_ends(box: Sequence[Ends]) -> bool:
    return all(math.isfinite(low) and math.isfinite(high) and low <= high for low, high in box)


# -- covers of boxes --------------------------------------------------------------------------------------------------


NO_COVER = (
    "the record keeps no cover of the bounds (it would have been too large, or the search was stopped): this cannot be"
    " checked without searching again"
)
Array = Any


class ToldMinimum(NamedTuple):
    """What a record tells of a global minimum: how the run ended, the point in flat order and its value, the bounds."""

    status: str
    message: str
    x: list[float]
    value: float
    evidence: GlobalEvidence
    low: list[float]
    high: list[float]


def faults_of_minimum(problem: Problem, told: ToldMinimum) -> list[str]:
    rows = problem.rows()[0] if problem.subject_to else []
    return faults_within(bounded(problem, rows, told.low, told.high), told, problem.sign)


def faults_within(within: Bounded, told: ToldMinimum, sign: int) -> list[str]:
    """Return what does not follow of the least value of a function to be minimised; ``sign`` is -1 where its negative
    is told.
    """
    found = told.evidence
    if not (np.isfinite(within.low) & np.isfinite(within.high) & (within.low <= within.high)).all():
        return ["a variable has no bounds, or the one is above the other"]
    ends = sorted((sign * found.lower, sign * found.upper))
    faults = _faults_of_end(told, ends, bool(within.rows), "minimum" if sign > 0 else "maximum")
    boxes = [*found.boxes, *(box for _, box in found.minima)]
    if not all(_is_within(box, within) for box in boxes):
        return [*faults, "a box is none, or reaches beyond the bounds"]
    point = np.array(told.x, dtype=float) if math.isfinite(ends[1]) else None
    if point is not None:
        faults += _faults_of_point(within, point, sign * told.value, ends[1])
    cover = cover_of(within, _told(found.boxes, ends[0], ends[1], within), point)
    faults += _faults_of_boxes(cover, found.cover, within)
    return faults + (_faults_of_minima(told, within, sign) if found.minima or found.has_all else [])


def _faults_of_end(told: ToldMinimum, ends: Sequence[float], constrained: bool, extremum: str) -> list[str]:
    """Return how the bounds do not fit to how the run ended."""
    lower, upper = ends
    if told.status == "infeasible":
        fits = constrained and not told.evidence.boxes and lower == upper == math.inf
    else:
        met = math.isfinite(upper) and lower <= upper <= lower + told.evidence.tol * max(1.0, abs(upper))
        met = met and told.message == ENCLOSED.format(extremum)
        fits = met if told.status == "converged" else lower <= upper and told.status in ("limit", "stalled")
    return (
        []
        if fits
        else [f"bounds {lower!r} and {upper!r} are not those of a search that ended as {told.status}"]
    )


def _is_within(box: FoundBox, within: Bounded) -> bool:
    ends = zip(within.low, box.low, box.high, within.high, strict=True)
    return all(a <= b <= c <= d for a, b, c, d in ends)


def _told(boxes: Sequence[FoundBox], lower: float, upper: float, within: Bounded) -> Told:
    from gdcli.judge.covers import Told

    return Told(lower, upper, *box_arrays(boxes, len(within.low)))


def _faults_of_point(within: Bounded, point: Array, value: float, upper: float) -> list[str]:
    """Return what fails of a point that shows that the least value is not above ``upper``."""
    if not ((within.low <= point) & (point <= within.high)).all():
        return ["the point is not within the bounds"]
    at = point[:, None]
    found = within.function.evaluate(at, at, 0)
    low, high = float(found.value[0][0]), float(found.value[1][0])
    faults = []
    box = within.box_at(point)
    if box is None:
        for row, (least, most) in zip(within.rows, within.sides_at(), strict=True):
            ends = row.evaluate(at, at, 0).value
            if not least <= float(ends[0][0]) <= float(ends[1][0]) <= most:
                faults.append("a constraint does not hold at the point")
    bound = highest(within.function, *(box or (point, point)))
    width = high - low
    if not bound <= upper <= max(high, bound) + 16.0 * width + math.ulp(high):
        faults.append(f"it does not follow that a value is {upper!r} at most")
    if not low - 16.0 * width <= value <= high + 16.0 * width:
        faults.append("the value is not that of the expression at the point")
    return faults


def _faults_of_boxes(cover: GlobalCover, text: str | None, within: Bounded) -> list[str]:
    told = cover.told
    one = cover.has_one_minimum(told.low[:, told.proved], told.high[:, told.proved])
    faults = [] if one.all() else ["it does not follow that each box that is proved has exactly one minimum"]
    return faults + ([NO_COVER] if text is None else faults_of_cover(cover, text, within.low, within.high))


def _faults_of_minima(told: ToldMinimum, within: Bounded, sign: int) -> list[str]:
    found = told.evidence
    boxes = [box for _, box in found.minima]
    cover = cover_of(within, _told(boxes, -math.inf, math.inf, within), None, True)
    faults = []
    for value, box in found.minima:
        middle = np.array(box.center)[:, None]
        ends = within.function.evaluate(middle, middle, 0).value
        if not ends[0][0] <= sign * value <= ends[1][0]:
            faults.append(f"the value {value!r} is not that in the middle of its box")
    values = [value for value, _ in found.minima]
    if values != sorted(values)[::sign] or not found.has_all:
        faults.append("the local minima are not all, or out of order")
    return faults + _faults_of_boxes(cover, found.minima_cover, within)


def faults_of_roots(told: Roots) -> list[str]:
    from gdcli.tasks.root_finding import cover_of_roots, equations_of, verdict

    low, high = (np.array([pair[k] for pair in told.system.bounds.values()], dtype=float) for k in (0, 1))
    if not (np.isfinite(low) & np.isfinite(high) & (low <= high)).all():
        return ["a variable has no bounds, or the one is above the other"]
    if told.status is Status.CONVERGED and told.message != verdict(told.system, told.boxes, None)[1]:
        return ["the message is not that of these roots"]
    for box in told.boxes:
        ends = zip(box.low, box.high, low, high, strict=True)
        if not all(a <= b and a <= most and b >= least for a, b, least, most in ends):
            return ["a box is none, or is not within the bounds"]
    if (told.status is Status.CONVERGED) != all(box.proved for box in told.boxes):
        return [f"a search that left boxes undecided does not end as {told.status.value}"]
    equations = equations_of(told.system)
    cover = cover_of_roots(equations.rows, equations.holds, told.boxes)
    one = cover.has_one_root(cover.low[:, cover.proved], cover.high[:, cover.proved])
    faults = [] if one.all() else ["it does not follow that each box that is proved has exactly one root"]
    return faults + ([NO_COVER] if told.cover is None else faults_of_cover(cover, told.cover, low, high))
