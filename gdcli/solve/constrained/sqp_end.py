"""The end of a constrained run: Newton's method on the KKT conditions, the certificate, and walks in doubtful cases.

The subproblem of stabilised SQP with the residual of the KKT conditions as ``1 / rho`` is Newton's method on them, and
fast even where the gradients of the active constraints depend on each other (Wright 1998; Hager, Comput. Optim. Appl.
12, 1999). Full steps are taken while each halves the residual.

Then it may be asked whether the value is lower further on, or falls for ever. A walk over the feasible set takes steps
that double along a direction, and from each goes back onto the constraints by the least change. What it meets is
compared with what the breach of the constraints may be worth by their multipliers added, so that a point is not lower
for being outside. The model of second order knows nothing of ``x**3`` on ``y == x**2``, nor of ``exp(-x)``: these are
the points for which walks are taken.
"""

from __future__ import annotations

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.constrained import Constrained
from gdcli.solve.constrained.kkt_point import KKTPoint, kkt_point
from gdcli.solve.constrained.scaled_problem import Scaled, ScaledPoint, units_at
from gdcli.solve.probe.line_probe import ProbeEnd

# Doublings of a walk, Gauss-Newton steps back to the constraints in each, its first step, and directions of weakest
# curvature that are tried.
MOST_DOUBLINGS, _BACK, _FIRST, _DIRECTIONS = 60, 20, 1e-3, 8
# The first doublings may all be level; a fall over so many in a row is one, however small.
_LEVEL, _LONG = 4, 8
# A doubled step that leads no farther than this was taken back by the constraints or the bounds.
_FARTHER = 1.2
# So many times the size of the point away is far out, and so far may the point met be from holding.
_FAR, _HELD = 1e6, 1e-10
# So far aside is a point from which a step leads down to the floor of a bent valley.
_ASIDE = 1e-2
# A fall is news beyond what the certificate knows of already, and beyond the rounding of the value.
_KNOWN, _ROUNDING = 4.0, 1e-13
# Where a doubling of the distance lowers the value by less than this part of what the one before did, it has a limit.
_TO_A_LIMIT = 0.95


class Probe(NamedTuple):
    found: ProbeEnd
    at: ScaledPoint


class Walk(NamedTuple):
    """The lowest point of a walk, how many doublings it fell, how far that is, and its last two falls."""

    low: ScaledPoint
    doublings: int
    distance: float
    falls: tuple[float, float]

    @property
    def endless(self) -> ProbeEnd:
        before, last = self.falls
        return ProbeEnd.UNBOUNDED if last >= _TO_A_LIMIT * before else ProbeEnd.LIMIT


def walk(
    problem: Scaled, start: ScaledPoint, direction: Array, multipliers: Array, bends: bool = False
) -> Walk:
    """Walk from ``start`` along ``direction``, whose length is the first step, while the value does not rise.

    Where it ``bends``, each step is twice the one before as it was when back on the constraints, so that the walk
    follows a curve such as that of a logarithm.
    """
    prices = abs(multipliers)

    def worth(at: ScaledPoint) -> float:
        return float(at.f + prices @ problem.problem.broken(at.h))

    low, value, distance, falls = start, worth(start), 0.0, (0.0, 0.0)
    doublings, ahead, before = 0, start.y + direction, start.y
    while doublings < MOST_DOUBLINGS:
        with np.errstate(all="ignore"):
            there = problem.restored(problem.clip(ahead), _BACK)
            met = worth(there) if np.isfinite(there.f) and np.isfinite(there.h).all() else np.inf
        away = float(np.linalg.norm(there.y - start.y))
        if not met <= value or problem.violation(there) > _HELD or away <= _FARTHER * distance:
            break
        if doublings >= _LEVEL and low is start:
            break
        if met < value:
            falls = falls[1], value - met
            low, value = there, met
        doublings, distance = doublings + 1, away
        ahead = there.y + 2.0 * (there.y - before) if bends else start.y + 2.0**doublings * direction
        before = there.y
    return Walk(low, doublings, distance, falls)


def probe_around(
    problem: Scaled, at: ScaledPoint, point: KKTPoint, last: Array | None, multipliers: Array
) -> Probe:
    """Walk along the directions of least curvature both ways, and on along the ``last`` step (None: there is none)."""
    size = max(problem.problem.value_size, abs(at.f * problem.units.value))
    enough = max(_KNOWN * point.gap, _ROUNDING * size) / problem.units.value
    steps = [] if last is None or not last.any() else [last]
    for way in point.ways[:_DIRECTIONS] / problem.units.x:
        steps += [_FIRST * way, -_FIRST * way]
    for step in steps:
        found = walk(problem, at, step, multipliers)
        if found.low is at:
            continue
        if found.distance > _FAR * (1.0 + float(np.linalg.norm(at.y))):
            return Probe(found.endless, found.low)
        if found.low.f < at.f - enough or found.doublings >= _LONG:
            return Probe(ProbeEnd.LOWER, found.low)
    beside = _lowest_beside(problem, at, point, multipliers)
    if beside is not None and beside.f < at.f - enough:
        return Probe(ProbeEnd.LOWER, beside)
    return Probe(ProbeEnd.RISES, at)


def _lowest_beside(
    problem: Scaled, at: ScaledPoint, point: KKTPoint, multipliers: Array
) -> ScaledPoint | None:
    """Return the lower of the points where steps on the constraints lead from two points aside of a degenerate one.

    A valley that is level along its tangent may bend down, as that of ``x**2*y + y**2`` does.
    """
    found = []
    for way in point.ways[:1] / problem.units.x if point.kind == "degenerate" else ():
        for step in (_ASIDE * way, -_ASIDE * way):
            aside = problem.with_slopes(problem.restored(problem.clip(at.y + step), _BACK))
            W = None if aside is None else problem.curvature(aside.y, multipliers)
            if aside is None or W is None:
                continue
            p, _, _ = problem.subproblem(aside, W, multipliers, MOST_RHO, float(np.linalg.norm(step)))
            there = problem.restored(problem.clip(aside.y + p), _BACK)
            if np.isfinite(there.f) and problem.violation(there) <= _HELD:
                found.append(there)
    return min(found, key=lambda there: there.f, default=None)


_MOST_STEPS, _HALVED, _FAST, _SHORT = 15, 0.5, 1e-2, 1e3
_ARRIVED, _NEAR, MOST_RHO = 1e-14, 1e-9, 1e8


class End(NamedTuple):
    """Where the Newton steps led, with the multipliers there; the evidence, None where there is no end yet.

    ``probe`` is what a probe around has found, where one was needed.
    """

    at: ScaledPoint
    multipliers: Vector
    point: KKTPoint | None = None
    probe: Probe | None = None

    @property
    def is_minimum(self) -> bool:
        """Whether this is a minimum, by its evidence and by what is around it."""
        if self.point is None or (self.probe is not None and self.probe.found is not ProbeEnd.RISES):
            return False
        return self.point.is_minimum or (self.probe is not None and self.point.is_doubtful)


def newton_end(
    problem: Scaled, at: ScaledPoint, multipliers: Vector, rho: float, radius: float, last: Array | None
) -> End:
    """Return where Newton steps lead from ``at``, which has its slopes, and what speaks for it."""
    error, fast = problem.residual(at, multipliers), False
    for _ in range(_MOST_STEPS):
        W = problem.curvature(at.y, multipliers) if error > _ARRIVED else None
        if W is None:
            break
        own = min(max(1.0 / error, 10.0 * rho), MOST_RHO)
        for reach in (radius, min(radius, _SHORT * error)):
            p, _, new = problem.subproblem(at, W, multipliers, own, reach)
            there = problem.with_slopes(problem.at(problem.clip(at.y + p)))
            left = float("inf") if there is None else problem.residual(there, new)
            # A step that is long beside the error may have gone along a curvature that is none but for rounding.
            if left <= _HALVED * error or abs(p).max(initial=0.0) <= _SHORT * error:
                break
        if there is None or not left <= _HALVED * error:
            break
        fast, last = left <= _FAST * error, there.y - at.y
        at, multipliers, error = there, new, left
    if error > _NEAR and problem.violation(at) > HOLDS:
        return End(at, multipliers)
    return certified(problem, at, multipliers, last, fast)


def certified(problem: Scaled, at: ScaledPoint, multipliers: Vector, last: Array | None, fast: bool) -> End:
    """Return the evidence about ``at``, and what is around it where that is needed.

    A minimum whose curvature is clear, to which the steps were ``fast``, needs none.
    """
    point = kkt_point(problem.problem, problem.typed(at.y))
    if point is None or not (point.is_minimum or point.kind == "saddle"):
        return End(at, multipliers, point)
    if point.certain and fast and not point.soft and point.is_minimum:
        return End(at, multipliers, point)
    slow = None if fast and not point.soft else last
    own = point.multipliers * problem.units.sides / problem.units.value
    return End(at, multipliers, point, probe_around(problem, at, point, slow, own))


def examined(problem: Constrained, x: Vector) -> End | None:
    """Return the evidence about the point ``x`` of a run of which no more is known; None without finite slopes."""
    found = problem.slopes(x)
    if found is None:
        return None
    units = units_at(problem, x, *found)
    scaled = Scaled(problem, units)
    at = scaled.with_slopes(scaled.at(x / units.x))
    return None if at is None else certified(scaled, at, np.zeros(problem.sides), None, False)
