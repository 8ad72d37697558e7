"""The evidence about an end point, and its kind where the signs of the curvature are in doubt: told by the value
itself, followed along the doubtful directions.
"""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.kernel.dataclass import NamedTuple, dataclass, field, replace
from gdcli.kernel.numerics import NEWS
from gdcli.kernel.status import CurvatureSource, PointKind
from gdcli.kernel.vectors import norm
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.algebra.hessian import hessian_source
from gdcli.solve.probe.line_probe import ProbeEnd, Walk, both_ways, fades, rises_on, walk
from gdcli.solve.run import unbounded_below
from gdcli.solve.scaling import length_typed


@dataclass(slots=True)
class Certificate:
    """The evidence about an end point, in terms of the minimised function.

    ``estimated_gap`` is how much lower the model says
    that the value can still get (None: nothing), ``distance`` how far it says that the minimiser is; ``known`` tells
    that the model was seen to hold, ``rounded`` that the minimiser is within the rounding of x. ``errors`` is
    about how far each variable is from the minimiser, where that is known. Eigenvalues are those of the Hessian,
    None where it could not be had; ``how`` says where it came from.
    """

    kind: PointKind
    gradient_norm: float | None
    eigenvalue_min: float | None = None
    eigenvalue_max: float | None = None
    condition: float | None = None
    estimated_gap: float | None = None
    distance: float | None = None
    how: CurvatureSource = CurvatureSource.NONE
    notes: tuple[str, ...] = field(default=())
    known: bool = True
    rounded: bool = False
    errors: tuple[float, ...] | None = None

    @property
    def gap(self) -> float | None:
        """How much lower the value can still get nearby, where that is known."""
        return self.estimated_gap if self.known else None

    def times(self, k: float) -> Certificate:
        """Return the evidence about ``k`` times the function."""
        names = ("gradient_norm", "eigenvalue_min", "eigenvalue_max", "estimated_gap")
        known = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(self, **{name: k * value for name, value in known.items()})


class Signs(NamedTuple):
    """The extreme eigenvalues of a Hessian, their error, where it came from, and what is to be said of it.

    ``strict``: the Hessian is safely positive whatever its least eigenvalue.
    """

    low: float
    high: float
    error: float
    how: CurvatureSource
    notes: tuple[str, ...] = ()
    strict: bool = False

    @property
    def condition(self) -> float | None:
        """The condition number of a positive Hessian."""
        is_positive = self.low > self.error or (self.strict and self.low > 0.0)
        return self.high / self.low if is_positive else None


def concluded(
    objective: Objective,
    at: Evaluation,
    kind: PointKind,
    signs: Signs,
    gap: float | None,
    ahead: Vector | None,
    known: bool,
) -> Certificate:
    """Return the certificate of a point of this kind, with a ``gap`` left at the end of the step ``ahead``."""
    return Certificate(
        kind=kind,
        gradient_norm=norm(at.gradient),
        eigenvalue_min=signs.low,
        eigenvalue_max=signs.high,
        condition=signs.condition,
        estimated_gap=gap,
        distance=length_typed(objective, ahead) if known and ahead is not None else None,
        how=signs.how,
        notes=signs.notes,
        known=known,
    )


# A point is called stationary, and a claim of success is allowed, when no more than this many times the
# tolerance of the run is left to gain, relative to max(1, |value|).
CLAIM_FACTOR = 100.0

LEVEL_NOTE = "the value is level around the answer"


_WALKED_DIRECTIONS = 4


def allowed_gap(value: float, tol: float) -> float:
    """Return the remaining gap up to which a point with this value may be called stationary."""
    return CLAIM_FACTOR * tol * max(1.0, abs(value))


def kind_by_walking(
    objective: Objective, at: Evaluation, directions: Sequence[Vector], gap: float
) -> PointKind:
    """Return the kind of a stationary point with no negative curvature, by walking along
    doubtful directions.
    """
    return probe_both_ways(objective, at, directions, gap).ending


class _Probed(NamedTuple):
    """The kind that walks tell; ``fades``: the value rises along one side of a direction, and never along the other.

    ``level``: it is level along both sides of each.
    """

    kind: PointKind
    fades: bool = False
    level: bool = False

    @property
    def ending(self) -> PointKind:
        """The kind, with a fading value taken as one that falls towards infinity."""
        return PointKind.AT_INFINITY if self.fades else self.kind


def probe_both_ways(
    objective: Objective, at: Evaluation, directions: Sequence[Vector], gap: float
) -> _Probed:
    enough = 4.0 * gap + NEWS * abs(at.value)
    floor = unbounded_below(at.value)
    steps = both_ways(directions[:_WALKED_DIRECTIONS], at.x)
    walks: list[Walk] = []
    for step in steps:
        found = walk(objective, at, step, enough, floor)
        if found.outcome in (ProbeEnd.LOWER, ProbeEnd.UNBOUNDED):
            return _Probed(PointKind.AT_INFINITY if found.endless else KINDS[found.outcome])
        walks.append(found)
    if any(w.outcome is ProbeEnd.LIMIT for w in walks):
        return _Probed(PointKind.AT_INFINITY)
    one_sided = (
        step if here.outcome is ProbeEnd.LEVEL else -step
        for step, here, there in zip(steps[::2], walks[::2], walks[1::2], strict=True)
        if {here.outcome, there.outcome} == {ProbeEnd.RISES, ProbeEnd.LEVEL}
    )
    fading = objective.is_smooth and any(
        fades(objective, at, side) and rises_on(objective, at, -side) and _is_one_sided(objective, at, side)
        for side in one_sided
    )
    return _Probed(PointKind.DEGENERATE, fading, all(w.outcome is ProbeEnd.LEVEL for w in walks))


def _is_one_sided(objective: Objective, at: Evaluation, side: Vector) -> bool:
    from gdcli.solve.probe.valley import is_one_sided

    return is_one_sided(objective, at, side, NEWS * abs(at.value), hessian_source(objective))


KINDS = {
    ProbeEnd.RISES: PointKind.DEGENERATE,
    ProbeEnd.LEVEL: PointKind.DEGENERATE,
    ProbeEnd.LOWER: PointKind.SADDLE,
    ProbeEnd.LIMIT: PointKind.AT_INFINITY,
    ProbeEnd.UNBOUNDED: PointKind.UNBOUNDED,
}
