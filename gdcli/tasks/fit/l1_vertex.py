"""The least sum of absolute deviations lies where the model goes through as many points as it has parameters.

There the gradient jumps in every direction, and no curvature tells what kind of point it is. The proof is another: with
multipliers between -1 and 1 on the points that are met, in place of the signs of their deviations, the gradients of all
rows must cancel. For a model that is linear in its parameters the sum is lower nowhere at all then, and it is found
exactly (:mod:`gdcli.solve.methods.least_absolute`), with all parameters that make it as low. For other models the sum
is lower nowhere near, and what is left to gain is no more than what the deviations of the points that are met add
(Bloomfield and Steiger, Least Absolute Deviations, 1983, chapter 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.judge.evidence import Certificate, allowed_gap
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.factors import combined, independent, singular
from gdcli.kernel.status import CurvatureSource, PointKind
from gdcli.kernel.vectors import Vec, Vector, dot, max_abs, norm, np, split_near, total
from gdcli.objective.row_objective import RowObjective
from gdcli.solve.methods.least_absolute import Polyhedron, least

if TYPE_CHECKING:
    from gdcli.judge.level_set import Ranges
    from gdcli.tasks.fit.prepare import Prepared

# A deviation below this part of the mean one is that of a point that is met, up to the rounding of the kink.
_MET = 1e-8
# Most points that may be met at once; more are no vertex.
_MOST = 2000
# Multipliers may exceed 1 by their own rounding.
_SLACK = 1e-6
# Slopes cancel where no more than this part of what was added up is left.
_CANCELLED = 1e-9
# Numbers of the rows that are looked at together, as in memory a few times over.
_NUMBERS = 5_000_000


class Proof(NamedTuple):
    """The certificate, and the range of each parameter over all minimizers where they are known."""

    certificate: Certificate
    ranges: Ranges | None = None


def polyhedron_of(prepared: Prepared) -> Polyhedron | None:
    """Return the sum of a linear model as a polyhedron; None of other fits, and where rows leave parameters open."""
    if prepared.row.deviation is None or not prepared.problem.linear:
        return None
    if (prepared.row.space.size + 1) * prepared.data.rows > _NUMBERS:
        return None
    slopes, offset = RowObjective(prepared.row, prepared.data).deviations()
    found = Polyhedron(slopes, offset, prepared.row.tilt)
    return found if found.determined else None


def prove(
    prepared: Prepared, judging: RowObjective, x: Vector, slope: float | None, tol: float
) -> Proof | None:
    """Return the proof of how far the sum at ``x`` is above the least one; None where nothing is proved.

    ``slope`` is the norm of the gradient there, ``tol`` the tolerance of the run.
    """
    polyhedron = polyhedron_of(prepared)
    if polyhedron is None:
        found = None if prepared.row.deviation is None else _at_a_vertex(prepared, judging, x)
        return None if found is None else Proof(found)
    lowest = least(polyhedron, np.array(x, dtype=float))
    if lowest is None:
        return None
    value, doubt = polyhedron.value(np.array(x, dtype=float))
    gap = max(0.0, value - lowest.value - doubt) * judging.factor
    ranges = list(zip(lowest.low.tolist(), lowest.high.tolist(), strict=True))
    kind = PointKind.KINK if lowest.unique else PointKind.DEGENERATE
    if gap > allowed_gap(value * judging.factor, tol):
        kind = PointKind.NOT_STATIONARY
    return Proof(
        Certificate(kind, slope if gap > 0.0 else 0.0, estimated_gap=gap, how=CurvatureSource.MULTIPLIERS),
        ranges,
    )


def _at_a_vertex(prepared: Prepared, judging: RowObjective, x: Vector) -> Certificate | None:
    """Return the certificate that ``x`` is a minimum, None where this is no proof of it."""
    plain = RowObjective(prepared.row, prepared.data)
    size = plain.size
    near = _MET * plain.evaluate(plain.vector(x)).value
    tilt = plain.row.tilt
    pull, met = Vec([0.0] * size), [Vec() for _ in range(size + 1)]
    for values in plain.vectors("deviation", x):
        close, signs = split_near(values[-1], near)
        pull = pull + Vec([dot(slope, signs) + tilt * total(slope) for slope in values[:-1]])
        for column, found in zip(met, values, strict=True):
            column.extend(float(found[i]) for i in close)
    *slopes, deviation = met
    lengths = [sum(map(abs, column)) for column in slopes]
    if not size <= len(deviation) <= _MOST or not all(lengths):
        return None
    # Each parameter has a unit of its own.
    U, S, V = singular([column / length for column, length in zip(slopes, lengths, strict=True)])
    if independent(S) < size:
        return None
    wanted = Vec([-a / length for a, length in zip(pull, lengths, strict=True)])
    multipliers = combined([dot(v, wanted) / s for v, s in zip(V, S, strict=True)], U, len(deviation))
    left = pull + Vec([dot(column, multipliers) for column in slopes])
    cancelled = all(abs(a) <= _CANCELLED * length for a, length in zip(left, lengths, strict=True))
    if max_abs(multipliers) > 1.0 + _SLACK or not cancelled:
        return None
    gap = (
        sum([(1.0 + abs(tilt)) * abs(d) + abs(m * d) for m, d in zip(multipliers, deviation, strict=True)])
        * judging.factor
    )
    note = "the minimum is at a kink, where the gradient jumps"
    slope = norm(left) * judging.factor
    return Certificate(
        PointKind.KINK, slope, estimated_gap=gap, how=CurvatureSource.MULTIPLIERS, notes=(note,)
    )
