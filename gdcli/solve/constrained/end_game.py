"""The end of a constrained run: Newton's method on the KKT conditions, down to rounding, and the certificate.

The subproblem of stabilised SQP with the residual of the KKT conditions as ``1 / rho`` is Newton's method on them, and
fast even where the gradients of the active constraints depend on each other (Wright 1998; Hager, Comput. Optim. Appl.
12, 1999). Full steps are taken while each halves the residual.
"""

from __future__ import annotations

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import HOLDS
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.constrained import Constrained
from gdcli.solve.constrained.kkt_point import KKTPoint, kkt_point
from gdcli.solve.constrained.scaled_problem import Scaled, ScaledPoint, units_at
from gdcli.solve.constrained.walks import Found, Probe, probe_around

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
        if self.point is None or (self.probe is not None and self.probe.found is not Found.NOTHING):
            return False
        return self.point.is_minimum or (self.probe is not None and self.point.is_doubtful)


def end_game(
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
