"""The evidence about an end point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple, dataclass, field, replace
from gdcli.kernel.status import Claim, CurvatureSource, PointKind
from gdcli.kernel.vectors import norm
from gdcli.objective.protocol import Evaluation, Objective, Vector
from gdcli.solve.scaling import length_typed

if TYPE_CHECKING:
    from gdcli.judge.proof import LocalProof, LowerBound


@dataclass(slots=True)
class Certificate:
    """The evidence about an end point, in terms of the minimised function.

    ``estimated_gap`` is how much lower the model says
    that the value can still get (None: nothing), ``distance`` how far it says that the minimiser is; ``known`` tells
    that the model was seen to hold, ``rounded`` that the minimiser is within the rounding of x. ``errors`` is
    about how far each variable is from the minimiser, where that is known. Eigenvalues are those of the Hessian,
    None where it could not be had; ``how`` says where it came from. ``proof`` is that a minimum
    lies there, ``not_proved`` says why there is none; ``claim`` is what a claim of a minimum rests on, where a proof
    was looked for, and ``bound`` the bound from below of a flat one.
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
    proof: LocalProof | None = None
    not_proved: str = ""
    claim: Claim | None = None
    bound: LowerBound | None = None

    @property
    def gap(self) -> float | None:
        """How much lower the value can still get nearby, where that is known."""
        return self.estimated_gap if self.known else None

    def times(self, k: float) -> Certificate:
        names = ("gradient_norm", "eigenvalue_min", "eigenvalue_max", "estimated_gap")
        known = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(self, **{name: k * value for name, value in known.items()})


def unknown(slope: float | None, note: str) -> Certificate:
    """Return the certificate of a point of which nothing is known but the ``slope``, for the reason in the ``note``."""
    return Certificate(PointKind.UNKNOWN, slope, notes=(note,))


NO_GRADIENT = "the gradient is not finite at the end point"


class ConstraintState(NamedTuple):
    """A constraint at the answer, lists where it is a vector: the value of its row function, how far it is from its
    nearest side (negative: broken by so much), the multiplier in the user's sense (None where the point is not
    stationary), and whether it is active.
    """

    text: str
    value: float | list[float]
    slack: float | list[float]
    multiplier: float | list[float] | None
    active: bool | list[bool]


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


def allowed_gap(value: float, tol: float) -> float:
    """Return the remaining gap up to which a point with this value may be called stationary."""
    return CLAIM_FACTOR * tol * max(1.0, abs(value))
