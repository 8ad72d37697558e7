"""The records of what is analysed: a gradient (each way to each component with its error; or the steps of a trace), and
all roots of a system of equations.

Vectors are written out as v[0], v[1], ...; what does not exist is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from gdcli import __version__
from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.status import Status
from gdcli.kernel.vectors import Space
from gdcli.record.runs import Receipt
from gdcli.record.schema import SCHEMA, Constants, Record, Values, plain
from gdcli.tasks.pipeline import FoundBox
from gdcli.tasks.root_finding import Roots, System

if TYPE_CHECKING:
    from gdcli.calculus.gradient_audit import Component, ErrorRow, Way
    from gdcli.calculus.trace import TraceStep
    from gdcli.tasks.gradient_check import Examination


QUOTIENTS = ("forward", "central", "complex_step")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRecord(Record):
    expression: str
    constants: Constants
    let: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WayRecord(Record):
    """One way to one component; ``value_is`` tells which value it has that is not finite. See
    `calculus.gradient_audit.Way`."""

    error: float | None
    truncation: float
    rounding: float
    evaluations: int
    applicable: bool
    agrees: bool
    note: str
    value_is: str | None = None

    @property
    def explained(self) -> float | None:
        return None if not self.applicable or self.error is None else abs(self.truncation) + self.rounding

    @property
    def mostly(self) -> str:
        """What the error mostly is: truncation, rounding, or what neither explains."""
        if not self.applicable or not self.error:
            return ""
        if not self.agrees:
            return "unexplained"
        return "truncation" if abs(self.truncation) > 0.5 * abs(self.error) else "rounding"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRecord(Record):
    """One component: the limit, whether its ways agree and why not, and the ways."""

    reference: float | None
    agrees: bool
    why: str
    ways: Mapping[str, WayRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstRecord(Record):
    """The way that is furthest beyond what rounding and truncation explain."""

    component: str
    way: str
    value: float | None
    error: float | None
    explained: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HessianRecord(Record):
    """The exact second derivatives as rows, and their eigenvalues; None where they are not finite."""

    rows: list[list[float]] | None
    eigenvalues: list[float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepErrorsRecord(Record):
    """The size of the error of each quotient for a step ``h``, and what it is ``mostly``."""

    h: float
    forward: float | None
    central: float | None
    complex_step: float | None
    mostly: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestStepRecord(Record):
    """The step with the least error to be expected, and that with the least error seen."""

    h: float
    error: float
    why: str
    least_h: float
    least_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientRecord(Record):
    """The whole answer; ``gradient`` has the values by component and way."""

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "gradient"}

    problem: QuestionRecord
    point: Values
    value: float
    h: float | None = None
    gradient: Mapping[str, Mapping[str, float | None]]
    formula: Mapping[str, str]
    agrees: bool
    worst: WorstRecord | None
    components: Mapping[str, ComponentRecord]
    latex: Mapping[str, str] | None = None
    hessian: HessianRecord | None = None
    errors: tuple[StepErrorsRecord, ...] | None = None
    best: Mapping[str, BestStepRecord] | None = None
    version: str

    def value_of(self, component: str, way: str) -> float | None:
        """Return the value of one way to one component, None where it does not apply."""
        word = self.components[component].ways[way].value_is
        return self.gradient[component][way] if word is None else float(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRecord(Record):
    formula: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord(Record):
    """One elementary operation; see `calculus.trace.TraceStep`."""

    step: str
    formula: str
    expression: str
    value: float
    local: Mapping[str, LocalRecord]
    forward: Mapping[str, float]
    adjoint: float
    adjoint_formula: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRecord(Record):
    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "trace"}

    problem: QuestionRecord
    point: Values
    value: float
    gradient: Mapping[str, float]
    steps: tuple[StepRecord, ...]
    sums: Mapping[str, list[str]]
    version: str


# -- from what was computed --------------------------------------------------------------------------------------------


def gradient_record(found: Examination) -> GradientRecord | TraceRecord:
    constants, point = plain(found.problem.constants), plain(found.problem.start)
    common: dict[str, Any] = {"point": point, "value": found.value + 0.0, "version": __version__}
    common["problem"] = QuestionRecord(
        expression=found.problem.expression, constants=constants, let=found.problem.let
    )
    if found.trace is not None:
        labels = found.trace.labels
        return TraceRecord(
            gradient=dict(zip(labels, found.trace.gradient, strict=True)),
            steps=tuple(_step(step, labels) for step in found.trace.steps),
            sums=dict(zip(labels, found.trace.sums, strict=True)),
            **common,
        )
    formulas, components = found.formulas, found.components
    best = {name: BestStepRecord.of(step) for name, step in (found.best or {}).items()}
    return GradientRecord(
        h=found.h,
        gradient={c.name: {name: _finite(way.value) for name, way in c.ways.items()} for c in components},
        formula={} if formulas is None else formulas.text,
        agrees=found.agrees,
        worst=None if found.worst is None else _worst(*found.worst),
        components={
            c.name: ComponentRecord.of(c, ways={k: _way(way) for k, way in c.ways.items()})
            for c in components
        },
        latex=None if formulas is None else formulas.latex or None,
        hessian=None if found.hessian is None else HessianRecord.of(found.hessian),
        errors=tuple(map(_errors, found.rows)) or None,
        best=best if found.rows else None,
        **common,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _way(way: Way) -> WayRecord:
    word = None if way.value is None or isfinite(way.value) else repr(way.value)
    return WayRecord.of(way, applicable=way.value is not None, value_is=word)


def _worst(component: Component, name: str) -> WorstRecord:
    way = component.ways[name]
    explained = abs(way.truncation) + way.rounding
    return WorstRecord.of(way, component, component=component.name, way=name, explained=explained)


def _errors(row: ErrorRow) -> StepErrorsRecord:
    """The errors of a row; what each mostly is is told where it is not 0."""
    ways = {name: getattr(row, name) for name in QUOTIENTS}
    mostly = {name: told for name, way in ways.items() if way is not None and (told := _way(way).mostly)}
    sizes = {name: None if way is None else _finite(abs(way.error)) for name, way in ways.items()}
    return StepErrorsRecord(h=row.h, **sizes, mostly=mostly)


def _step(step: TraceStep, labels: list[str]) -> StepRecord:
    return StepRecord.of(
        step,
        step=step.name,
        expression=step.source,
        local={one.operand.text: LocalRecord.of(one) for one in step.locals},
        forward={label: step.forward.get(i, 0.0) for i, label in enumerate(labels)},
        adjoint_formula=" + ".join(step.parts),
    )


def gradient_table(found: GradientRecord | TraceRecord) -> tuple[Sequence[Any], list[list[Any]]]:
    """Return, under a head, the steps, the errors against h where asked for, or a row per component and way."""
    if isinstance(found, TraceRecord):
        labels = list(found.gradient)
        head: Sequence[str] = ["step", "formula", "value", *(f"d/d{label}" for label in labels), "adjoint"]
        rows: list[list[Any]] = [
            [s.step, s.formula, s.value, *(s.forward[label] for label in labels), s.adjoint]
            for s in found.steps
        ]
    elif found.errors:
        head = ("h", *QUOTIENTS)
        rows = [[row.h, *(getattr(row, name) for name in QUOTIENTS)] for row in found.errors]
    else:
        numbers = ("error", "truncation", "rounding", "evaluations")
        head = ("component", "way", "value", *numbers, "agrees", "note")
        rows = [
            [
                *(label, name, found.value_of(label, name)),
                *(getattr(way, key) for key in numbers),
                *(str(way.agrees).lower(), way.note),
            ]
            for label, component in found.components.items()
            for name, way in component.ways.items()
        ]
    return head, rows


# -- all roots of a system --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RootRecord(Record):
    """The ``point`` in the middle of a box ``low`` to ``high``: it has exactly one root where that is ``proved``."""

    point: Values
    low: Values
    high: Values
    proved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RootsRecord(Record):
    """The whole answer: outside of the boxes ``roots`` there is no root within the bounds."""

    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "roots"}

    equations: tuple[str, ...]
    constants: Constants
    bounds: Mapping[str, tuple[float, float]]
    status: str
    message: str
    advice: str = ""
    roots: tuple[RootRecord, ...]
    examined: int
    cover: str | None = None
    version: str
    seconds: float | None = None
    receipt: Receipt | None = None

    @property
    def exit_code(self) -> int:
        return Status(self.status).exit_code

    @property
    def space(self) -> Space:
        return Space(dict.fromkeys(self.bounds))


def roots_record(found: Roots) -> RootsRecord:
    named = found.system.space.unflatten
    roots = tuple(
        RootRecord(point=named(b.center), low=named(b.low), high=named(b.high), proved=b.proved)
        for b in found.boxes
    )
    return RootsRecord.of(found, found.system, status=found.status.value, roots=roots, version=__version__)


def roots_of(found: RootsRecord) -> Roots:
    """Return what a record tells. Raises KeyError, TypeError or ValueError where it is none."""
    flat = found.space.flatten
    boxes = [FoundBox(tuple(flat(root.low)), tuple(flat(root.high)), root.proved) for root in found.roots]
    system = System(found.equations, found.bounds, found.constants)
    told = found.message, found.advice, found.examined, found.seconds or 0.0, found.cover
    return Roots(system, tuple(boxes), Status(found.status), *told)


def roots_table(found: RootsRecord) -> tuple[list[str], list[list[object]]]:
    """Return a head and the cells of a row for each root: its point, whether it is proved, its box."""
    names = list(found.bounds)
    head = ["root", "proved", *names, *(f"{name}.{end}" for name in names for end in ("low", "high"))]
    rows = [
        [
            *(k, str(root.proved).lower(), *(root.point[name] for name in names)),
            *(getattr(root, end)[name] for name in names for end in ("low", "high")),
        ]
        for k, root in enumerate(found.roots, 1)
    ]
    return head, rows
