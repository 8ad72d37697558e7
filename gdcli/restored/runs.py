"""An answer as it was, from its record: the outcome and the points of the path that a report shows.

What a record does not have (gradients component by component, Hessians) no report of an answer shows either; of a
gradient only the length is known, which stands in for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gdcli.objective.space import Space
from gdcli.outcome import ActiveBound, Minimum, Outcome, Settings
from gdcli.problem import Problem, sign_of
from gdcli.solvers.types import Certificate, Counts, Evaluation, Iterate, RunResult, Status, StopReason
from gdcli.solvers.vectors import Vec

Record = Mapping[str, Any]

NOTHING: Record = {}
_OPPOSITE = {"minimum": "maximum", "maximum": "minimum"}


def problem(record: Record) -> Problem:
    """Return the problem of a result. Raises KeyError, TypeError or ValueError for what is no such record."""
    asked = record["problem"]
    page = record.get("receipt", {}).get("page", {})
    ends = asked.get("bounds", {}).items()
    bounds = {name: (_end(low, -math.inf), _end(high, math.inf)) for name, (low, high) in ends}
    sense = str(asked["sense"])
    sign_of(sense)
    return Problem(
        str(asked["expression"]),
        sense,
        {name: numbers(v) for name, v in asked["start"].items()},
        {name: numbers(v) for name, v in asked.get("constants", {}).items()},
        int(record.get("seed", 0)),
        bool(page.get("drawn") or asked.get("drawn")),
        "",
        bounds,
        tuple(map(str, asked.get("fixed", []))),
    )


def value_of(record: Record) -> float:
    """Return the value of a point or result; one that is not finite is told by a word."""
    value = record.get("value")
    return float(record.get("value_is", "nan") if value is None else value)


def numbers(value: Any) -> Any:
    """Return a number or a list of numbers; what was not finite is nan."""
    if isinstance(value, list):
        return [numbers(v) for v in value]
    return math.nan if value is None else float(value)


def flat(point: Record, space: Space) -> Vec:
    """Return a point as a flat vector."""
    return Vec(space.flatten({name: numbers(v) for name, v in point.items()}))


def _end(value: Any, none: float) -> Any:
    if isinstance(value, list):
        return [_end(v, none) for v in value]
    return none if value is None else float(value)


def path(records: Iterable[Record], asked: Problem) -> Iterator[Iterate]:
    """Yield the points of a trace as its run showed them."""
    space, sign = Space(asked.lengths), sign_of(asked.sense)
    before: Vec | None = None
    number = -1
    for record in records:
        x = flat(record["point"], space)
        iteration = int(record["iteration"])
        follows = before is not None and iteration == number + 1
        moved = math.dist(x, before) if follows and before is not None else None
        yield Iterate(
            iteration,
            _evaluation(x, sign, record),
            record.get("step"),
            moved,
            _counts(record["evaluations"]),
            float(record.get("seconds", 0.0)),
            str(record.get("kind", "step" if iteration else "start")),
        )
        before, number = x, iteration


def _evaluation(x: Vec, sign: int, record: Record) -> Evaluation:
    gradient_norm = record.get("gradient_norm")
    return Evaluation(
        x, sign * value_of(record), None if gradient_norm is None else Vec([float(gradient_norm)])
    )


def _counts(record: Record) -> Counts:
    return Counts(*(int(record.get(name, 0)) for name in ("value", "gradient", "hessian", "product")))


def outcome(record: Record, asked: Problem) -> Outcome:
    """Return the outcome of a result. Raises KeyError, TypeError or ValueError for what is no such record."""
    return Outcome(**fields(record, asked))


def fields(record: Record, asked: Problem) -> dict[str, Any]:
    """Return what every outcome has, by name."""
    receipt = record.get("receipt", {})
    page, options = receipt.get("page", {}), receipt.get("options", {})
    space, sign = Space(asked.lengths), sign_of(asked.sense)
    bounds = record["certificate"].get("active_bounds", [])
    return {
        "problem": asked,
        "settings": Settings(gradient=str(record.get("gradient", "autodiff"))),
        "space": space,
        "run": run(record, asked, page),
        "certificate": _certificate(record["certificate"], sign, record.get("gradient_norm"), page),
        "status": Status(record["status"]),
        "message": str(record["message"]),
        "advice": str(page.get("advice", "")),
        "method": str(record.get("method", "")),
        "used": str(page.get("method", record.get("method", ""))),
        "why": str(page.get("why", "")),
        "sign": sign,
        "engine": str(record.get("engine", options.get("engine", "python"))),
        "warnings": tuple(map(str, record["warnings"])),
        "formulas": record.get("formulas"),
        "active": tuple(
            ActiveBound(b["name"], b["side"], float(b["bound"]), float(b["multiplier"])) for b in bounds
        ),
        "minima": tuple(_minimum(m, space, sign) for m in record.get("minima", [])),
        "starts": int(record.get("starts", 1)),
    }


def run(record: Record, asked: Problem, page: Record = NOTHING) -> RunResult:
    """Return how a run went, as far as its result tells: of its first point only where that was."""
    space, sign = Space(asked.lengths), sign_of(asked.sense)
    x = flat(record["point"], space)
    counts = _counts(record["evaluations"])
    seconds = float(record.get("seconds", 0.0))

    def iterate(number: int) -> Iterate:
        at = _evaluation(x, sign, record)
        return Iterate(number, at, None, None, counts, seconds)

    iterations = int(record["iterations"])
    best = iterate(int(page.get("best", iterations)))
    last = iterate(int(page["last"])) if "last" in page else best
    start = Evaluation(Vec(space.flatten(asked.start)), math.nan)
    first = Iterate(0, start, None, None, Counts(), 0.0, "start")
    return RunResult(first, best, last, StopReason(record["reason"]), iterations, counts, seconds)


def _certificate(record: Record, sign: int, gradient_norm: Any, page: Record) -> Certificate:
    kind = str(record["kind"])
    low, high = record.get("eigenvalue_min"), record.get("eigenvalue_max")
    if sign < 0:
        kind = _OPPOSITE.get(kind, kind)
        low, high = (None if v is None else -v for v in (high, low))
    return Certificate(
        kind,
        gradient_norm,
        low,
        high,
        record.get("condition"),
        record.get("estimated_gap"),
        page.get("distance"),
        str(page.get("evidence", "none")),
        rounded=bool(page.get("rounded")),
        errors=None if page.get("errors") is None else tuple(map(float, page["errors"])),
    )


def _minimum(record: Record, space: Space, sign: int) -> Minimum:
    point = {name: numbers(v) for name, v in record["point"].items()}
    kind = str(record["kind"])
    certificate = Certificate(_OPPOSITE.get(kind, kind) if sign < 0 else kind, None)
    return Minimum(
        float(record["value"]), point, certificate, int(record["starts"]), tuple(space.flatten(point))
    )
