"""What comes of a run: the answer and its evidence, as the public functions give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.vectors import np

if TYPE_CHECKING:
    from gdcli.judge.evidence import Certificate
    from gdcli.judge.kkt import ConstraintEvidence
    from gdcli.judge.level_set import Ranges
    from gdcli.judge.verdict import Verdict
    from gdcli.kernel.status import Status
    from gdcli.kernel.vectors import Space
    from gdcli.solve.iteration import RunResult
    from gdcli.solve.settings import Settings
    from gdcli.tasks.problem import Problem


class ActiveBound(NamedTuple):
    """A bound that holds the answer: the variable or element, the side (lower, upper or fixed), where, its multiplier.

    The multiplier is the slope that the bound holds back: by so much a unit the value would still improve.
    """

    name: str
    side: str
    bound: float
    multiplier: float


class Judged(NamedTuple):
    """The end of a run and what was found out about it; ``ranges`` see `Outcome.minimizers`."""

    run: RunResult
    certificate: Certificate
    verdict: Verdict
    active: tuple[ActiveBound, ...] = ()
    ranges: Ranges | None = None
    constraints: ConstraintEvidence | None = None


class Minimum(NamedTuple):
    """One of the minima (maxima) found from many starts: how many starts led to it, its flat vector ``x``."""

    value: float
    point: Mapping[str, float | list[float]]
    certificate: Certificate
    starts: int
    x: tuple[float, ...]


class FoundBox(NamedTuple):
    """A box (flat vectors) that may hold global minimisers, or roots; a ``proved`` one has exactly one."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    proved: bool

    @property
    def center(self) -> list[float]:
        return [0.5 * a + 0.5 * b for a, b in zip(self.low, self.high, strict=True)]


def found_boxes(low: Any, high: Any, proved: Any) -> tuple[FoundBox, ...]:
    """Return boxes with ends (n, m), arrays, and whether they are ``proved`` (m,)."""
    rows = zip(low.T.tolist(), high.T.tolist(), proved.tolist(), strict=True)
    return tuple(FoundBox(tuple(a), tuple(b), one) for a, b, one in rows)


def box_arrays(boxes: Sequence[FoundBox], n: int) -> tuple[Any, Any, Any]:
    """Return the ends of boxes, each (n, m), and whether they are proved, (m,)."""
    low, high = (np.array([box[end] for box in boxes], dtype=float).reshape(-1, n).T.copy() for end in (0, 1))
    return low, high, np.array([box.proved for box in boxes], bool)


class GlobalEvidence(NamedTuple):
    """Rigorous bounds of the global extremum within the bounds, in the user's sense of up and down.

    No point outside of ``boxes`` attains it; so many boxes were ``examined``. ``minima`` are all local minima (maxima),
    each a value and a box, where they were asked for; ``has_all`` tells that there are no others. The search ended
    within ``tol``; ``cover`` and ``minima_cover`` show both (see `gdcli.judge.cover_tree`), None where they are not
    kept.
    """

    lower: float
    upper: float
    boxes: tuple[FoundBox, ...]
    examined: int
    tol: float = 0.0
    cover: str | None = None
    minima: tuple[tuple[float, FoundBox], ...] = ()
    has_all: bool = False
    minima_cover: str | None = None


class Sensitivity(NamedTuple):
    """The derivatives by one constant, or by the limit of one constraint, ``by`` its name or text.

    ``point`` has those of the variables in flat order.
    """

    by: str
    value: float
    point: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer and its evidence.

    ``run`` and ``certificate`` speak of the minimised function; ``value`` and ``sign`` (+1, or -1 for a
    maximisation) turn it back into the user's. ``method`` is the name of the method as ``--method`` takes it,
    ``used`` what it was in words, and ``why`` why it was chosen. ``message`` is one sentence on how it ended,
    ``advice`` what to try next (empty when converged). ``formulas`` has the gradient as text per variable when
    it was asked for. ``active`` lists the bounds that hold the answer. From many ``starts``, ``minima``
    has every distinct minimum found, the best first. ``minimizers`` are the ranges (low, high) of the variables, in
    flat order, over which the value is as low as at the answer, where it is level around it. ``constraints`` is what
    is known of constraints that are no bounds, None where there are none. ``sensitivity`` tells how the answer moves,
    where that was asked for, ``globally`` what was proved of the global extremum.
    """

    problem: Problem
    settings: Settings
    space: Space
    run: RunResult
    certificate: Certificate
    status: Status
    message: str
    advice: str
    method: str
    used: str
    why: str
    engine: str
    warnings: tuple[str, ...] = ()
    formulas: Mapping[str, str] | None = None
    active: tuple[ActiveBound, ...] = ()
    minima: tuple[Minimum, ...] = ()
    starts: int = 1
    minimizers: tuple[tuple[float, float], ...] | None = None
    constraints: ConstraintEvidence | None = None
    sensitivity: tuple[Sensitivity, ...] = ()
    globally: GlobalEvidence | None = None

    @classmethod
    def of(cls, problem: Problem, settings: Settings, space: Space, found: Judged, **told: Any) -> Self:
        """Return the outcome of what was found; ``told`` are the fields that it does not tell."""
        return cls(
            problem=problem,
            settings=settings,
            space=space,
            run=found.run,
            certificate=found.certificate,
            status=found.verdict.status,
            message=found.verdict.message,
            advice=found.verdict.advice,
            active=found.active,
            constraints=found.constraints,
            minimizers=None if found.ranges is None else tuple(found.ranges),
            **told,
        )

    @property
    def sign(self) -> int:
        return self.problem.sign

    @property
    def point(self) -> dict[str, float | list[float]]:
        return self.space.unflatten(self.run.best.at.x)

    @property
    def value(self) -> float:
        """The value of the typed expression at the answer."""
        return self.sign * self.run.best.at.value
