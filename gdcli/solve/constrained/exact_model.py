"""Quadratic programs, whose model of second order is the problem itself: solved at once, where they are convex.

What satisfies the conditions of Karush, Kuhn and Tucker is then the minimum of all. A program without one has no
feasible point, which its least breach tells, itself a convex program; or it has a ray on which the value falls for
ever, along which the constraints keep holding and nothing curves: the lowest slope of such rays is a program too.
"""

from __future__ import annotations

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import Array, np
from gdcli.solve.constrained.convex_model import is_convex
from gdcli.solve.constrained.convex_program import QuadraticProgram, optimum
from gdcli.solve.constrained.feasibility import NO_BREACH
from gdcli.solve.constrained.kkt_point import kkt_point
from gdcli.solve.constrained.scaled_problem import Scaled, ScaledPoint

# On a ray the value falls by more than this part of its slope, and nothing rises by more than this part of its terms.
_FALLS, _KEEPS = 1e-7, 1e-9
# A ray is followed so far, in sizes of the point.
_FAR = 1e8


class Solved(NamedTuple):
    """How a program ends: the point, why, and the multipliers of the sides there."""

    at: ScaledPoint
    reason: StopReason
    multipliers: Array | None = None


def solved_at_once(problem: Scaled, at: ScaledPoint) -> Solved | None:
    """Return the end of a quadratic program from a point that has its slopes; None where that is not clear."""
    H = problem.curvature(at.y, np.zeros(problem.problem.sides))
    if H is None or not is_convex(H):
        return None
    program = QuadraticProgram(at.g, H, at.h, at.J, problem.equal, problem.lower - at.y, problem.upper - at.y)
    found = optimum(program)
    if found is not None:
        there = problem.with_slopes(problem.at(problem.clip(at.y + found.p)))
        return None if there is None else _certified(problem, there, found.t)
    nothing = np.zeros_like(at.g)
    nearest = optimum(program._replace(g=nothing, H=np.zeros_like(H), give=1.0))
    if nearest is None:
        return None
    there = problem.with_slopes(problem.at(problem.clip(at.y + nearest.p)))
    if there is None:
        return None
    if 0.5 * problem.broken(there.h) ** 2 > NO_BREACH:
        return Solved(there, StopReason.INFEASIBLE)
    return _along_a_ray(problem, there, program)


def _certified(problem: Scaled, at: ScaledPoint, multipliers: Array) -> Solved | None:
    point = kkt_point(problem.problem, problem.typed(at.y))
    if point is None or not (point.is_minimum or point.is_doubtful):
        return None
    return Solved(at, StopReason.GAP, multipliers)


def _along_a_ray(problem: Scaled, at: ScaledPoint, program: QuadraticProgram) -> Solved | None:
    """Return a far point of a ray from a feasible point on which the value falls for ever, None where none is found."""
    H, J, equal = program.H, program.J, program.equal
    size = max(1e-300, float(abs(program.g).max()))
    bends = np.flatnonzero(abs(H).max(axis=1) > 0.0)
    rows = np.vstack((J, H[bends] / np.maximum(abs(H[bends]).max(axis=1, initial=0.0), 1e-300)[:, None]))
    rays = QuadraticProgram(
        program.g / size,
        np.zeros_like(H),
        np.zeros(len(rows)),
        rows,
        np.concatenate((equal, np.ones(len(bends), bool))),
        np.where(np.isfinite(problem.lower), 0.0, -1.0),
        np.where(np.isfinite(problem.upper), 0.0, 1.0),
    )
    found = optimum(rays)
    if found is None or not rays.g @ found.p < -_FALLS:
        return None
    rise = rows @ found.p
    if (np.where(rays.equal, abs(rise), rise) > _KEEPS * (abs(rows) @ abs(found.p))).any():
        return None
    far = problem.at(problem.clip(at.y + _FAR * max(1.0, float(abs(at.y).max())) * found.p))
    falls = far.f < at.f and problem.violation(far) <= HOLDS
    return Solved(far, StopReason.UNBOUNDED) if falls else None
