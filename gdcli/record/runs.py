"""The record of a run: what was asked, the answer with its evidence, and the points of its path.

Solvers minimise, so a maximisation comes back with its signs turned; here the user's are restored: values and
eigenvalues change sign, the smallest eigenvalue becomes the largest, a minimum a maximum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from gdcli import __version__
from gdcli.judge.evidence import Certificate, ConstraintState
from gdcli.kernel.dataclass import dataclass, stored
from gdcli.kernel.status import PointKind, Status
from gdcli.kernel.vectors import Space, lengths_of, np
from gdcli.record.schema import SCHEMA, Constants, Number, Record, Values, signed
from gdcli.tasks.pipeline import ActiveBound, FoundBox, GlobalEvidence, found_boxes

if TYPE_CHECKING:
    from gdcli.solve.iteration import Iterate
    from gdcli.tasks.pipeline import Outcome
    from gdcli.tasks.problem import Bounds, Problem

End = float | list[float | None] | None
# Errors of variables matter where they leave one of so many digits unknown: no page shows more.
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRecord(Record):
    """What was asked.

    ``bounds`` are [lower, upper] by name, lists for a vector, None where there is none; ``fixed`` names what equal
    bounds make a constant. ``subject_to`` and ``let`` are constraints and named parts as typed. A start that is
    ``drawn`` was not given.
    """

    expression: str
    sense: str
    start: Values
    constants: Constants
    bounds: Mapping[str, tuple[End, End]] | None = None
    fixed: tuple[str, ...] = ()
    drawn: bool = False
    subject_to: tuple[str, ...] = ()
    let: tuple[str, ...] = ()

    @property
    def sign(self) -> int:
        """1 for a minimisation, -1 for a maximisation. Raises ValueError for what is neither."""
        return 1 - 2 * ("minimize", "maximize").index(self.sense)

    @property
    def space(self) -> Space:
        """The names of the variables, and where each stands in a flat vector."""
        return Space(lengths_of(self.start))


@stored()
@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationsRecord(Record):
    """How often what was evaluated; a ``product`` is one of the Hessian with a vector."""

    value: int
    gradient: int
    hessian: int
    product: int = 0

    @property
    def total(self) -> int:
        return self.value + self.gradient + self.hessian + self.product


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityRecord(Record):
    """How the answer moves ``by`` a constant or a limit; see `gdcli.tasks.pipeline.Sensitivity`."""

    by: str
    value: float
    point: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRecord(Record):
    """Exactly one minimum (maximum) lies in ``box``, or at least one where variables are ``flat``; see
    `gdcli.judge.proof.LocalProof`. ``value`` holds its value. Of ``axes``, which span the ``sides``, the flat ones are
    named u1, u2 ...
    """

    kind: str
    radius: float
    value: tuple[float, float]
    box: Mapping[str, tuple[Number, Number]]
    flat: tuple[str, ...] = ()
    axes: tuple[tuple[float, ...], ...] = ()
    sides: tuple[tuple[float, float], ...] = ()

    def places(self, space: Space) -> list[int]:
        """Return which variables, or axes, are flat. Raises ValueError for an unknown name."""
        names = flat_names(space, bool(self.axes))
        return [names.index(name) for name in self.flat]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundRecord(Record):
    """The value is nowhere in ``box`` lower (higher) than ``value``."""

    value: float
    box: Mapping[str, tuple[End, End]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRecord(Record):
    """The evidence about the answer, in terms of the user's function; see `gdcli.judge.evidence.Certificate`.

    ``evidence`` tells where the eigenvalues came from. ``errors`` are those of the variables in flat order, where they
    leave unknown some of the digits that a page could show. With constraints, eigenvalues are those on the tangent
    space of what is active, and the last fields are those of `gdcli.judge.kkt.ConstraintEvidence`.
    """

    kind: str
    eigenvalue_min: float | None
    eigenvalue_max: float | None
    condition: float | None
    estimated_gap: float | None
    active_bounds: tuple[ActiveBound, ...] | None = None
    evidence: str = "none"
    distance: float | None = None
    rounded: bool = False
    errors: tuple[float, ...] | None = None
    licq: bool | None = None
    strict_complementarity: bool | None = None
    rank: int | None = None
    tangent_dimension: int | None = None
    complementarity: float | None = None
    conflict: tuple[str, ...] = ()
    proved: bool | None = None
    proof: ProofRecord | None = None
    not_proved: str = ""
    claim: str = ""
    bound: BoundRecord | None = None

    def always(self) -> Sequence[str]:
        """Return the name of the proof where one was looked for, so that its lack is told too."""
        return ("proof",) if self.not_proved else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalBoxRecord(Record):
    """A box that may hold global minimisers; with ``proved`` it holds exactly one minimum, a strict one."""

    low: Values
    high: Values
    proved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMinimumRecord(GlobalBoxRecord):
    """A box that may hold local minima (maxima), with the value in its middle."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalRecord(Record):
    """Rigorous bounds of the global extremum; see `gdcli.tasks.pipeline.GlobalEvidence`. An infinite one is null."""

    lower: float | None
    upper: float | None
    boxes: tuple[GlobalBoxRecord, ...]
    examined: int
    tol: float = 0.0
    cover: str | None = None
    minima: tuple[LocalMinimumRecord, ...] = ()
    has_all: bool = False
    minima_cover: str | None = None

    def table(self, space: Space) -> tuple[list[str], list[list[object]]]:
        """Return a head, and the cells of a row for each box that may hold a global extremum, or for each local one."""
        head = ["box", "proved", *(f"{name}.{end}" for name in space.labels for end in ("low", "high"))]
        rows: list[list[object]] = []
        for k, one in enumerate(self.minima or self.boxes, 1):
            ends = zip(space.flatten(one.low), space.flatten(one.high), strict=True)
            rows.append([k, str(one.proved).lower(), *(end for pair in ends for end in pair)])
        if self.minima:
            head.insert(2, "value")
            for row, minimum in zip(rows, self.minima, strict=True):
                row.insert(2, minimum.value)
        return head, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumRecord(Record):
    """One of the minima (maxima) found from many starts, and how many ``starts`` led to it."""

    value: float
    point: Values
    kind: str
    starts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Record):
    """What it takes to repeat an answer: the options as typed, the data, and what else decides over bits.

    ``files`` has all files of the ``data`` in order where one of them was given more than once.
    """

    command: str
    options: Mapping[str, Any]
    python: str
    numpy: str | None = None
    machine: str
    kernels: Mapping[str, str]
    data: Mapping[str, str | None] | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(Record):
    """The whole answer.

    ``used`` is the method in words where that says more than its name, ``why`` why it was chosen, ``advice`` what to
    try next. ``best_iteration`` is given where the answer is not the last iterate. ``domain`` has the ends of the
    domain of the expression that the answer was found within, as the problem has its ``bounds``.
    """

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "result"}

    problem: ProblemRecord
    method: str
    used: str = ""
    why: str = ""
    gradient: str
    status: str
    reason: str
    message: str
    advice: str = ""
    point: Values
    value: float
    gradient_norm: float | None
    certificate: CertificateRecord
    iterations: int
    best_iteration: int | None = None
    evaluations: EvaluationsRecord
    seed: int
    warnings: tuple[str, ...]
    version: str
    starts: int | None = None
    minima: tuple[MinimumRecord, ...] = ()
    minimizers: Mapping[str, Any] | None = None
    constraints: tuple[ConstraintState, ...] = ()
    violation: float | None = None
    sensitivity: tuple[SensitivityRecord, ...] = ()
    global_: GlobalRecord | None = None
    domain: Mapping[str, tuple[End, End]] | None = None
    formulas: Mapping[str, str] | None = None
    seconds: float | None = None
    engine: str | None = None
    receipt: Receipt | None = None

    @property
    def exit_code(self) -> int:
        """The process exit code that tells the status. Raises ValueError where that is none."""
        return Status(self.status).exit_code

    @property
    def extremum(self) -> str:
        return "minimum" if self.problem.sign > 0 else "maximum"

    @property
    def is_end(self) -> bool:
        """Whether nothing left to gain is something to say of such a point."""
        return bool(PointKind(self.certificate.kind).times(self.problem.sign).told)

    @property
    def has_no_point(self) -> bool:
        """Whether a search by boxes found no point that fulfils the constraints: then there is none to be shown."""
        return self.global_ is not None and (self.status == "infeasible" or math.isnan(self.value))

    @property
    def x(self) -> list[float]:
        return list(self.problem.space.flatten(self.point))


@stored()
@dataclass(frozen=True, slots=True, kw_only=True)
class PathPoint(Record):
    """A point of the path; ``kind`` tells where it is no ordinary step, ``violation`` where constraints are broken."""

    HEAD: ClassVar[Mapping[str, str]] = {"type": "iterate"}

    iteration: int
    value: float
    gradient_norm: float | None
    step: float | None
    evaluations: EvaluationsRecord
    point: Values
    kind: str = ""
    violation: float = 0.0
    seconds: float | None = None


# -- from what was computed --------------------------------------------------------------------------------------------


def run_record(outcome: Outcome) -> RunRecord:
    fields = answer(outcome)
    if outcome.globally is not None and not math.isfinite(outcome.globally.best(outcome.sign)):
        fields |= _WITHOUT_POINT | {"point": outcome.space.unflatten([math.nan] * outcome.space.size)}
        fields["certificate"] = CertificateRecord.blank(kind=fields["certificate"].kind)
    return RunRecord.of(*sources(outcome), problem=problem_record(outcome.problem), **fields)


_WITHOUT_POINT = {"value": math.nan, "gradient_norm": None, "constraints": (), "violation": None}


def sources(outcome: Outcome) -> tuple[object, ...]:
    """Return what has fields of a record under the same names."""
    return outcome, outcome.run, outcome.settings, outcome.certificate, outcome.problem


def answer(outcome: Outcome) -> dict[str, Any]:
    """Return the fields of every answer that its `sources` do not have as they are written."""
    run, sign, ranges, kkt = outcome.run, outcome.sign, outcome.minimizers, outcome.constraints
    minima = tuple(
        MinimumRecord.of(m, value=m.value + 0.0, kind=kind(m.certificate, sign)) for m in outcome.minima
    )
    return {
        "used": "" if outcome.used == outcome.method else outcome.used,
        "status": outcome.status.value,
        "reason": run.reason.value,
        "value": outcome.value + 0.0,
        "certificate": CertificateRecord.of(
            outcome.certificate,
            **curvature(outcome.certificate, sign),
            active_bounds=outcome.active if outcome.problem.bounds or outcome.domain else None,
            evidence=str(outcome.certificate.how),
            errors=_errors(outcome),
            proof=_proof(outcome),
            claim=str(outcome.certificate.claim or ""),
            bound=_bound(outcome),
            **_kkt(outcome),
        ),
        "constraints": () if kkt is None else kkt.states,
        "violation": None if kkt is None else kkt.violation,
        "sensitivity": tuple(
            SensitivityRecord(by=s.by, value=s.value, point=outcome.space.unflatten(s.point))
            for s in outcome.sensitivity
        ),
        "global_": _global(outcome),
        "domain": _ends_told(outcome.domain),
        "best_iteration": None if run.best.iteration == run.last.iteration else run.best.iteration,
        "evaluations": EvaluationsRecord.of(run.counts),
        "version": __version__,
        "starts": outcome.starts if minima else None,
        "minima": minima,
        "minimizers": None if ranges is None else outcome.space.by_name([_end(ends) for ends in ranges]),
    }


def _global(outcome: Outcome) -> GlobalRecord | None:
    found = outcome.globally
    if found is None:
        return None
    named = outcome.space.unflatten
    boxes = tuple(GlobalBoxRecord(low=named(b.low), high=named(b.high), proved=b.proved) for b in found.boxes)
    minima = tuple(
        LocalMinimumRecord(low=named(b.low), high=named(b.high), proved=b.proved, value=value)
        for value, b in found.minima
    )
    ends = {"lower": _end(found.lower), "upper": _end(found.upper)}
    return GlobalRecord.of(found, **ends, boxes=boxes, minima=minima)


def evidence_of(found: RunRecord) -> GlobalEvidence:
    """Return what a record tells of the global extremum. Raises KeyError, TypeError or ValueError where it is none."""
    told, flat = found.global_, found.problem.space.flatten
    assert told is not None

    def box(one: GlobalBoxRecord) -> FoundBox:
        return FoundBox(tuple(flat(one.low)), tuple(flat(one.high)), one.proved)

    infinite = (-math.inf, math.inf)
    if found.status == "infeasible":
        infinite = (found.problem.sign * math.inf,) * 2
    lower, upper = (
        default if end is None else end
        for end, default in zip((told.lower, told.upper), infinite, strict=True)
    )
    boxes, minima = tuple(map(box, told.boxes)), tuple((one.value, box(one)) for one in told.minima)
    return GlobalEvidence(
        lower, upper, boxes, told.examined, told.tol, told.cover, minima, told.has_all, told.minima_cover
    )


def cover_boxes(found: RunRecord) -> list[FoundBox]:
    """Return the boxes of the cover of the bounds, none where none is kept. Raises ValueError for one that is none."""
    from gdcli.judge.cover_tree import leaves

    told = evidence_of(found)
    if told.cover is None:
        return []
    flat, bounds = found.problem.space.flatten, found.problem.bounds or {}
    ends: list[Any] = [{name: pair[k] for name, pair in bounds.items()} for k in (0, 1)]
    whole = [np.array(flat(side), dtype=float) for side in ends]
    faces = [(np.array(box.low), np.array(box.high)) for box in told.boxes]
    low, high = leaves(told.cover, whole[0], whole[1], faces)
    return list(found_boxes(low, high, np.zeros(low.shape[1], bool)))


def _proof(outcome: Outcome) -> ProofRecord | None:
    found, sign = outcome.certificate.proof, outcome.sign
    if found is None:
        return None
    low, high = found.value if sign > 0 else (-found.value[1], -found.value[0])
    return ProofRecord(
        kind=str(PointKind.MINIMUM.times(sign)),
        radius=found.radius,
        value=(low + 0.0, high + 0.0),
        box=_named(outcome, found.box),
        flat=tuple(flat_names(outcome.space, bool(found.axes))[i] for i in found.flat),
        axes=found.axes,
        sides=found.sides,
    )


def flat_names(space: Space, has_axes: bool) -> list[str]:
    return [f"u{i + 1}" if has_axes else space.label(i) for i in range(space.size)]


def _bound(outcome: Outcome) -> BoundRecord | None:
    found = outcome.certificate.bound
    if found is None:
        return None
    return BoundRecord(value=outcome.sign * found.lowest + 0.0, box=_named(outcome, found.box, _end))


def _named(
    outcome: Outcome, box: Sequence[tuple[float, float]], told: Callable[[Any], Any] = lambda end: end
) -> dict[str, tuple[Any, Any]]:
    sides = [outcome.space.unflatten([ends[k] for ends in box]) for k in (0, 1)]
    return {name: (told(low), told(sides[1][name])) for name, low in sides[0].items()}


def _kkt(outcome: Outcome) -> dict[str, Any]:
    found = outcome.constraints
    if found is None:
        return {}
    names = ("licq", "strict_complementarity", "rank", "tangent_dimension", "complementarity", "conflict")
    told = {name: getattr(found, name) for name in names}
    return told | {"proved": found.proved if found.conflict else None}


def problem_record(problem: Problem) -> ProblemRecord:
    return ProblemRecord.of(problem, bounds=bounds_of(problem), subject_to=texts_of(problem))


def texts_of(problem: Problem) -> tuple[str, ...]:
    return tuple(text for text, _ in problem.subject_to)


def bounds_of(problem: Problem) -> dict[str, tuple[End, End]] | None:
    return _ends_told(problem.bounds)


def _ends_told(bounds: Bounds) -> dict[str, tuple[End, End]] | None:
    return {name: (_end(low), _end(high)) for name, (low, high) in bounds.items()} or None


def _end(value: Any) -> Any:
    """An end of a range as it is written: None where there is none."""
    if hasattr(value, "__len__"):
        return [_end(v) for v in value]
    return float(value) if math.isfinite(value) else None


def curvature(certificate: Certificate, sign: int) -> dict[str, Any]:
    low, high = certificate.eigenvalue_min, certificate.eigenvalue_max
    if sign < 0:
        low, high = signed(sign, high), signed(sign, low)
    of_user = {"kind": kind(certificate, sign), "eigenvalue_min": low, "eigenvalue_max": high}
    return of_user | {"estimated_gap": certificate.gap}


def kind(certificate: Certificate, sign: int) -> str:
    return str(certificate.kind.times(sign))


def _errors(outcome: Outcome) -> tuple[float, ...] | None:
    errors, x = outcome.certificate.errors, outcome.run.best.at.x
    if errors is None or not any(
        error and math.isfinite(error) and 2.0 * error > 10.0**-_SHOWN * abs(float(value))
        for value, error in zip(x, errors, strict=True)
    ):
        return None
    return tuple(map(float, errors))


def path_point(it: Iterate, sign: int, space: Space) -> PathPoint:
    return PathPoint(
        iteration=it.iteration,
        value=sign * it.at.value + 0.0,
        gradient_norm=it.gradient_norm,
        step=it.step,
        evaluations=EvaluationsRecord.of(it.counts),
        point=space.unflatten(it.at.x),
        kind="" if it.kind in ("start", "step") else it.kind,
        violation=it.at.violation,
        seconds=it.seconds,
    )


# The columns of a table of iterates, before those of the point.
PATH_HEAD = (
    *("iteration", "value", "gradient_norm", "step"),
    *("evaluations_value", "evaluations_gradient", "evaluations_hessian"),
)


def path_cells(point: PathPoint) -> list[Any]:
    counts = point.evaluations
    numbers = [point.iteration, point.value, point.gradient_norm, point.step]
    return [*numbers, counts.value, counts.gradient, counts.hessian]
