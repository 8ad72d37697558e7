"""Walking along the floor of a valley: the end of a straight walk says nothing where the valley bends.

On the floor of ``(x*y-1)**2 + x**2`` the curvature along the valley is next to nothing, and a straight step
along it climbs the wall: a point there looks like a degenerate minimum, yet the floor falls all the way to
infinity. So the step is bent: after each one Newton's method takes the point back down to the floor, in the
directions that have a curvature, and the next step, twice as long, follows the floor from there (a predictor
and a corrector, as in Allgower and Georg, Numerical Continuation Methods, 1990, chapter 2).
"""

from __future__ import annotations

from math import inf, sqrt

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import congruent, diagonal, eigen
from gdcli.kernel.numerics import CLEARLY, FLOOR, TINY
from gdcli.kernel.vectors import as_like, distance, dot, max_abs, norm, quotient, times, zeros_like
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.quadratic_model import with_hessian
from gdcli.solve.probe.line_probe import FLIGHT, ProbeEnd, Walk, is_rounding, probe_length, rounding_of

# Curvature of the Hessian, scaled to a unit diagonal, below this part of the largest is that of the floor.
_FLOOR_CURVATURE = 1e-4
# So many Newton steps take a point down to the floor; from farther off the step was too long for the bend.
_CORRECTIONS = 4
# They take it at most so many lengths of the step away: what is farther off is another valley.
_REACH = 4.0
# Rises below this part of the value where the walk began, or of the fall since, are the rounding of terms that
# cancel on the floor: beyond a minimum the value rises by a good part of what it fell.
_NOISE, _SMALL_RISE = 1e-14, 1e-4
# A walk that promises less than this part of what counts is not begun.
_LEAST_PROMISE = 1e-3
# So many doublings are sixty orders of magnitude.
_DOUBLINGS = 200
# A rise is looked for over so many, or so many times the size of the point.
_SEEN, _FAR = 22, 10.0
# A floor is seen to be level nearby over so many doublings of the length of a first probe, an eighth of the size of x.
_SEEN_NEARBY = 7
# A floor that is followed so many times farther to one side than to where it rises on the other is one-sided.
_ONE_SIDED = 4.0
# Neither way of the one that the run came rises over so much of it.
_SEEN_LEVEL = 1.0
# So many directions of the floor are looked along.
_LOOKED = 4
# A step too long for the bend is shortened so many times on end, by this; what was too long grows again by this.
_RETRIES, _SHORTER, _RECOVERY = 3, 0.5, 1.2
# The falls over so many doublings are compared with those over as many before, as in a straight walk.
_LATEST, _SLACK = 6, 0.9
# The falls from the third on are those of the floor: the first is that down to it, where the point was not on it.
_TO_FLOOR = 2
# The floor is reached where the walls promise no more than this part of the height above it; it is known to be higher
# there where they promise no more than this part.
_REACHED, _SURELY = 0.1, 1e-3
# A fall so many times the size of the value is far down.
DEPTH = 1e8


class _Frame(NamedTuple):
    """The Hessian at a point: its diagonal scale, the eigenvalues of the scaled one, and their vectors. Those below the
    ``part`` of the largest are of the floor.
    """

    at: Evaluation
    scale: Vector
    values: list[float]
    vectors: list[Vector]
    part: float

    @property
    def cut(self) -> float:
        return self.part * max(abs(self.values[0]), abs(self.values[-1]))


def follow_floor(objective: Objective, at: Evaluation, enough: float, floor: float, source: str) -> Walk:
    """Walk from ``at`` down along the floor of its valley, if it has one.

    ``enough``: a fall by more than this is LOWER; what promises less is not followed. ``floor``: a value below it is
    UNBOUNDED. So is, far out (``FLIGHT`` times the size of the point) and far down, a fall that does not slacken up
    to where rounding hides the floor; one that does is a LIMIT, where the floor itself is seen to fall: the first step
    may be down to it, and what is left of a level one is rounding. Else RISES. With LOWER, UNBOUNDED and LIMIT comes
    the lowest point; a floor that is level far out is LEVEL.
    """
    frame = _frame(objective, at, source)
    if frame is None:
        return Walk(ProbeEnd.RISES)
    size = max(1.0, max_abs(at.x))
    length = probe_length(at.x)
    step = _tangent(frame, -quotient(frame.at.gradient, frame.scale), length)
    # At this slope a walk as long as x would bring nothing that counts: it is the slope of rounding.
    if step is None or -dot(frame.at.gradient, step) * size <= _LEAST_PROMISE * enough * length:
        return Walk(ProbeEnd.RISES)
    lowest, falls, rises = at, [0.0], False
    while step is not None and len(falls) <= _DOUBLINGS:
        noise = max(_NOISE * abs(at.value), _SMALL_RISE * (at.value - lowest.value))
        arrival, rises = _down_to_floor(
            objective, frame.at.x + step, _REACH * length, lowest.value + noise, source
        )
        if arrival is None:
            break
        falls.append(max(0.0, lowest.value - arrival.at.value))
        lowest = arrival.at if falls[-1] > 0.0 else lowest
        if lowest.value < floor:
            return Walk(ProbeEnd.UNBOUNDED, lowest, length)
        if max_abs(arrival.at.x) > FLIGHT * size and _slackens(falls):
            fall = sum(falls[_TO_FLOOR:])
            is_level = fall <= FLOOR * abs(at.value) or is_rounding(objective, at, fall)
            return Walk(ProbeEnd.LEVEL) if is_level else Walk(ProbeEnd.LIMIT, lowest, length)
        way, frame, length = times(arrival.at.x - frame.at.x, arrival.scale), arrival, 2.0 * length
        step = _tangent(frame, way, length)
    far_down = lowest.value < -DEPTH * max(1.0, abs(at.value))
    if not rises and far_down and max_abs(lowest.x) > FLIGHT * size and not _slackens(falls):
        return Walk(ProbeEnd.UNBOUNDED, lowest, length)
    if not lowest.value < at.value - enough:
        return Walk(ProbeEnd.RISES)
    faded = not rises and max_abs(lowest.x) > _FAR * size and _slackens(falls)
    return Walk(ProbeEnd.LOWER, lowest, length, faded)


class FloorSides(NamedTuple):
    """How the floor of a valley goes on in its directions: it ``rises`` both ways in each.

    ``fades``: in one of them it rises on one side only, and is level on the other, far out. ``lost``: it bends too much
    to be followed.
    """

    rises: bool = True
    fades: bool = False
    lost: bool = False


def sides_of_floor(
    objective: Objective,
    at: Evaluation,
    start: Evaluation,
    enough: float,
    source: str,
    part: float = _FLOOR_CURVATURE,
) -> FloorSides:
    """Return how the floor of the valley that ``at`` lies in goes on: along the way from ``start``, downhill, and in
    each of its directions; where the way that the run came is level, that is all.

    A rise by less than ``enough`` is none; nor is one that rounding hides. Without any floor there is nothing to see:
    it counts as rising. Curvature below the ``part`` of the largest is that of the floor.
    """
    frame = _frame(objective, at, source, part)
    if frame is None:
        return FloorSides(False, lost=True)
    floors = [v for value, v in zip(frame.values, frame.vectors, strict=True) if value <= frame.cut]
    came, downhill = times(at.x - start.x, frame.scale), -quotient(frame.at.gradient, frame.scale)
    rises, lost = True, False
    for way in (came, downhill, *floors[:_LOOKED]) if floors else ():
        ahead, far, end = _side(objective, frame, way, enough, source)
        behind, near, other = _side(objective, frame, -way, enough, source)
        if behind is not ProbeEnd.RISES:
            ahead, behind, far, near, end = behind, ahead, near, far, other
        if (
            behind is ProbeEnd.RISES
            and _is_ahead(ahead, far, near)
            and _fades_closely(objective, frame, way if end is not other else -way, end, source)
        ):
            return FloorSides(False, fades=True)
        rises = rises and ahead is behind is ProbeEnd.RISES
        lost = lost or None in (ahead, behind)
        if (
            way is came
            and behind is not ProbeEnd.RISES
            and min(near, far) > _SEEN_LEVEL * norm(start.x - at.x)
        ):
            break
    return FloorSides(rises, lost=lost)


def is_one_sided(objective: Objective, at: Evaluation, way: Vector, enough: float, source: str) -> bool:
    """Tell whether the floor that ``at`` lies on, followed around its bends, is level along ``way`` and rises on the
    other side; so it is taken to be where there are no walls, and no floor between them.
    """
    frame = _frame(objective, at, source)
    if frame is None or not frame.values[0] <= frame.cut < frame.values[-1]:
        return True
    ahead, behind = (
        _side(objective, frame, times(side, frame.scale), enough, source)[0] for side in (way, -way)
    )
    return ahead is ProbeEnd.LEVEL and behind is ProbeEnd.RISES


def _is_ahead(ahead: ProbeEnd | None, far: float, near: float) -> bool:
    """Tell whether a floor goes on ahead: LEVEL, or lost much farther away than where it rises on the other side."""
    return ahead is ProbeEnd.LEVEL or (ahead is None and far > _ONE_SIDED * near)


def _fades_closely(objective: Objective, frame: _Frame, way: Vector, end: Evaluation, source: str) -> bool:
    """Tell whether the floor rises behind ``way`` and not ahead of it when any rise by more than rounding counts.

    What a run that fell from far above takes for level may be far off the floor, or above it: ahead, the floor is to be
    no higher at the ``end`` either.
    """
    at = frame.at
    enough = max(FLOOR * abs(at.value), CLEARLY * rounding_of(objective, at))
    if not _is_no_higher(objective, end, at, enough, source):
        return False
    ahead, far, _ = _side(objective, frame, way, enough, source)
    behind, near, _ = _side(objective, frame, -way, enough, source)
    return behind is ProbeEnd.RISES and _is_ahead(ahead, far, near)


def _is_no_higher(
    objective: Objective, there: Evaluation, at: Evaluation, enough: float, source: str
) -> bool:
    return (
        _down_to_floor(objective, there.x, distance(there.x, at.x), at.value + enough, source)[0] is not None
    )


def level_directions(objective: Objective, at: Evaluation, source: str) -> list[Vector]:
    """Return the directions (largest component 1) along which the floor that ``at`` lies on, followed around its bends,
    is level to both sides over a part of the size of the point: it is one of a valley of minimisers.
    """
    frame = _frame(objective, at, source)
    if frame is None or not frame.values[-1] > 0.0:
        return []
    found: list[Vector] = []
    for value, vector in zip(frame.values, frame.vectors, strict=True):
        if value > frame.cut or len(found) == _LOOKED:
            break
        if all(_stays_level(objective, frame, side * vector, source) for side in (1.0, -1.0)):
            along = quotient(vector, frame.scale)
            found.append(along / max(along, key=abs))
    return found


def _stays_level(objective: Objective, frame: _Frame, way: Vector, source: str) -> bool:
    first, allowed = frame.at, frame.at.value + FLOOR * abs(frame.at.value)
    length = probe_length(first.x)
    for _ in range(_SEEN_NEARBY):
        step = _tangent(frame, way, length)
        arrival = (
            None
            if step is None
            else _down_to_floor(objective, frame.at.x + step, _REACH * length, allowed, source)[0]
        )
        if arrival is None:
            return False
        way, frame, length = times(arrival.at.x - frame.at.x, arrival.scale), arrival, 2.0 * length
    enough = max(FLOOR * abs(first.value), CLEARLY * rounding_of(objective, first))
    return _is_no_higher(objective, frame.at, first, enough, source)


def _side(
    objective: Objective, frame: _Frame, way: Vector, enough: float, source: str
) -> tuple[ProbeEnd | None, float, Evaluation]:
    """Tell whether the floor RISES along ``way`` or is LEVEL far out (None: it is lost before), how far away, and the
    last point on it.
    """
    allowed, first = frame.at.value + enough, frame.at.x
    length = probe_length(first)
    horizon = _FAR * max(1.0, max_abs(first))
    refused, most = 0, inf
    for _ in range(_SEEN):
        step = _tangent(frame, way, length)
        if step is None:
            break
        goal = frame.at.x + step
        arrival, rises = _down_to_floor(objective, goal, _REACH * length, allowed, source, frame.part)
        if arrival is None:
            refused += 1
            if rises:
                return ProbeEnd.RISES, distance(goal, first), frame.at
            if refused > _RETRIES:
                break
            most = length = _SHORTER * length
            continue
        refused, way, frame = 0, times(arrival.at.x - frame.at.x, arrival.scale), arrival
        length, most = min(2.0 * length, most), _RECOVERY * most
        if max_abs(frame.at.x - first) > horizon:
            return ProbeEnd.LEVEL, distance(frame.at.x, first), frame.at
    return None, distance(frame.at.x, first), frame.at


def _slackens(falls: list[float]) -> bool:
    """Tell whether the latest falls are less than the ones before them, or have ceased."""
    return sum(falls[-_LATEST:]) <= _SLACK * sum(falls[-2 * _LATEST : -_LATEST])


def _frame(
    objective: Objective, at: Evaluation, source: str, part: float = _FLOOR_CURVATURE
) -> _Frame | None:
    full = with_hessian(objective, at, source)
    if full.gradient is None or full.hessian is None:
        return None
    least = max(TINY, 1e-32 * max_abs(diagonal(full.hessian)))
    scale = as_like(at.x, [sqrt(max(abs(d), least)) for d in diagonal(full.hessian)])
    values, vectors = eigen(congruent(full.hessian, scale))
    return _Frame(full, scale, values, list(vectors), part)


def _tangent(frame: _Frame, way: Vector, length: float) -> Vector | None:
    """Return the part along the floor of ``way`` (in scaled variables), made ``length`` long (in the variables
    themselves); None where there is none.
    """
    part = zeros_like(way)
    for value, vector in zip(frame.values, frame.vectors, strict=True):
        if value <= frame.cut:
            part = part + dot(way, vector) * vector
    along = quotient(part, frame.scale)
    return None if not norm(along) > 0.0 else along * (length / norm(along))


def _down_to_floor(
    objective: Objective,
    x: Vector,
    reach: float,
    allowed: float,
    source: str,
    part: float = _FLOOR_CURVATURE,
) -> tuple[_Frame | None, bool]:
    """Return a point on the floor, within ``reach`` of ``x``, that is no higher than ``allowed`` but for rounding.

    Without one, tell whether the floor was reached, and is higher there.
    """
    low_enough: _Frame | None = None
    frame, height, left = None, 0.0, 0.0
    for _ in range(_CORRECTIONS + 1):
        at = objective.evaluate(x, 0)
        frame = None if at.value > allowed and low_enough else _frame(objective, at, source, part)
        if frame is None:
            return low_enough, False
        scaled = quotient(frame.at.gradient, frame.scale)
        back, left = zeros_like(x), 0.0
        for value, vector in zip(frame.values, frame.vectors, strict=True):
            if value > frame.cut:
                component = dot(scaled, vector)
                back = back - (component / value) * vector
                left += 0.5 * component * component / value
        height = at.value - allowed
        if height <= 0.0:
            low_enough = frame
            if left <= _REACHED * -height:
                break
        back = quotient(back, frame.scale)
        reach -= norm(back)
        if not reach > 0.0:
            return low_enough, False
        x = x + back
    # Where the curvature is negative it is a crest that Newton's method has come to.
    if low_enough is not None or frame is None or frame.values[0] < -frame.cut:
        return low_enough, False
    on_floor = left <= _SURELY * height
    return (frame, False) if on_floor and is_rounding(objective, at, height) else (None, on_floor)
