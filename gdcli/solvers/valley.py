"""Walking along the floor of a valley: the end of a straight walk says nothing where the valley bends.

On the floor of ``(x*y-1)**2 + x**2`` the curvature along the valley is next to nothing, and a straight step
along it climbs the wall: a point there looks like a degenerate minimum, yet the floor falls all the way to
infinity. So the step is bent: after each one Newton's method takes the point back down to the floor, in the
directions that have a curvature, and the next step, twice as long, follows the floor from there (a predictor
and a corrector, as in Allgower and Georg, Numerical Continuation Methods, 1990, chapter 2).
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from gdcli.solvers.dense import congruent, diagonal, eigen
from gdcli.solvers.hessian import with_hessian
from gdcli.solvers.types import Evaluation, Objective, Vector
from gdcli.solvers.vectors import as_like, dot, max_abs, norm, quotient, times, zeros_like
from gdcli.solvers.walk import FLIGHT, Outcome, Walk, probe_length

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
# A rise is looked for over so many, a thousand times the size of the point.
_SEEN = 20
# The falls over so many doublings are compared with those over as many before, as in a straight walk.
_LATEST, _SLACK = 6, 0.9
# The floor is reached where the walls promise no more than this part of the height above it.
_REACHED = 0.1
# A fall so many times the size of the value is far down.
DEPTH = 1e8
_SMALLEST = 1e-300


class _Frame(NamedTuple):
    """The Hessian at a point: its diagonal scale, the eigenvalues of the scaled one, and their vectors."""

    at: Evaluation
    scale: Vector
    values: list[float]
    vectors: list[Vector]

    @property
    def cut(self) -> float:
        return _FLOOR_CURVATURE * max(abs(self.values[0]), abs(self.values[-1]))


def follow_floor(objective: Objective, at: Evaluation, enough: float, floor: float, source: str) -> Walk:
    """Walk from ``at`` down along the floor of its valley, if it has one.

    ``enough``: a fall by more than this is LOWER; what promises less is not followed. ``floor``: a value below it is
    UNBOUNDED. So is, far out (``FLIGHT`` times the size of the point) and far down, a fall that does not slacken up
    to where rounding hides the floor; one that does is a LIMIT. Else RISES. With all but RISES comes the lowest point.
    """
    frame = _frame(objective, at, source)
    if frame is None:
        return Walk(Outcome.RISES)
    size = max(1.0, max_abs(at.x))
    length = probe_length(at.x)
    step = _tangent(frame, -quotient(frame.at.gradient, frame.scale), length)
    # At this slope a walk as long as x would bring nothing that counts: it is the slope of rounding.
    if step is None or -dot(frame.at.gradient, step) * size <= _LEAST_PROMISE * enough * length:
        return Walk(Outcome.RISES)
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
            return Walk(Outcome.UNBOUNDED, lowest, length)
        if max_abs(arrival.at.x) > FLIGHT * size and _slackens(falls):
            return Walk(Outcome.LIMIT, lowest, length)
        way, frame, length = times(arrival.at.x - frame.at.x, arrival.scale), arrival, 2.0 * length
        step = _tangent(frame, way, length)
    far_down = lowest.value < -DEPTH * max(1.0, abs(at.value))
    if not rises and far_down and max_abs(lowest.x) > FLIGHT * size and not _slackens(falls):
        return Walk(Outcome.UNBOUNDED, lowest, length)
    return Walk(Outcome.LOWER, lowest, length) if lowest.value < at.value - enough else Walk(Outcome.RISES)


def floor_rises(objective: Objective, at: Evaluation, enough: float, source: str) -> bool:
    """Tell whether the floor of the valley that ``at`` lies in is seen to rise both ways, in each of its directions.

    A rise by less than ``enough`` is none; nor is one that rounding hides. Without any floor there is nothing to see:
    True.
    """
    frame = _frame(objective, at, source)
    if frame is None:
        return False
    floors = [v for value, v in zip(frame.values, frame.vectors, strict=True) if value <= frame.cut]
    return all(
        _rises_along(objective, frame, side * v, enough, source) for v in floors for side in (1.0, -1.0)
    )


def _rises_along(objective: Objective, frame: _Frame, way: Vector, enough: float, source: str) -> bool:
    allowed = frame.at.value + enough
    length = probe_length(frame.at.x)
    for _ in range(_SEEN):
        step = _tangent(frame, way, length)
        if step is None:
            return False
        arrival, rises = _down_to_floor(objective, frame.at.x + step, _REACH * length, allowed, source)
        if arrival is None:
            return rises
        way, frame, length = times(arrival.at.x - frame.at.x, arrival.scale), arrival, 2.0 * length
    return False


def _slackens(falls: list[float]) -> bool:
    """Tell whether the latest falls are less than the ones before them, or have ceased."""
    return sum(falls[-_LATEST:]) <= _SLACK * sum(falls[-2 * _LATEST : -_LATEST])


def _frame(objective: Objective, at: Evaluation, source: str) -> _Frame | None:
    full = with_hessian(objective, at, source)
    if full.gradient is None or full.hessian is None:
        return None
    least = max(_SMALLEST, 1e-32 * max_abs(diagonal(full.hessian)))
    scale = as_like(at.x, [sqrt(max(abs(d), least)) for d in diagonal(full.hessian)])
    values, vectors = eigen(congruent(full.hessian, scale))
    return _Frame(full, scale, values, list(vectors))


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
    objective: Objective, x: Vector, reach: float, allowed: float, source: str
) -> tuple[_Frame | None, bool]:
    """Return a point on the floor, within ``reach`` of ``x``, that is no higher than ``allowed``.

    Without one, tell whether the floor was reached, and is higher there.
    """
    low_enough: _Frame | None = None
    for _ in range(_CORRECTIONS + 1):
        at = objective.evaluate(x, 0)
        frame = None if at.value > allowed and low_enough else _frame(objective, at, source)
        if frame is None:
            return low_enough, False
        scaled = quotient(frame.at.gradient, frame.scale)
        back, left = zeros_like(x), 0.0
        for value, vector in zip(frame.values, frame.vectors, strict=True):
            if value > frame.cut:
                component = dot(scaled, vector)
                back = back - (component / value) * vector
                left += 0.5 * component * component / value
        on_floor = left <= _REACHED * abs(at.value - allowed)
        if at.value <= allowed:
            low_enough = frame
            if on_floor:
                break
        back = quotient(back, frame.scale)
        reach -= norm(back)
        if not reach > 0.0:
            return low_enough, False
        x = x + back
    return low_enough, low_enough is None and on_floor
