"""Results as plain ordered records: the one schema behind every machine format.

Solvers minimise, so a maximisation comes back with its signs turned; here the user's are restored: values and
eigenvalues change sign, the smallest eigenvalue becomes the largest, a minimum a maximum. Numbers stay floats
(the writers give them the shortest digits that round-trip), numpy never leaks out.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from gdcli import __version__
from gdcli.report.faults import LONGEST, shorten

if TYPE_CHECKING:
    from gdcli.api import Outcome, Problem
    from gdcli.errors import GdError, Span
    from gdcli.objective.space import Space
    from gdcli.solvers.types import Certificate, Counts, Iterate

SCHEMA = "gd.result/1"
_OPPOSITE = {"minimum": "maximum", "maximum": "minimum"}

Record = dict[str, Any]


def signed(sign: int, value: float | None) -> float | None:
    """Return ``value`` with the user's sign; never -0.0."""
    return None if value is None else sign * value + 0.0


def valued(value: float | None) -> Record:
    """Return the entry of a value; JSON has no number for one that is not finite, so a word says what it is."""
    entry: Record = {"value": value}
    return entry if value is None or isfinite(value) else entry | {"value_is": repr(value)}


def plain(value: Any) -> Any:
    """Return a number or vector of any kind as a float or a list of floats."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return [float(v) for v in value] if isinstance(value, (list, tuple)) else float(value)


def point(values: Mapping[str, Any]) -> Record:
    """Return a point as ``{name: float or list}``."""
    return {name: plain(value) for name, value in values.items()}


def evaluations(counts: Counts) -> Record:
    """Return how often what was evaluated; Hessian-vector products only where there were any."""
    record = {"value": counts.value, "gradient": counts.gradient, "hessian": counts.hessian}
    return record | {"product": counts.product} if counts.product else record


def iterate(it: Iterate, sign: int, space: Space, timing: bool = False) -> Record:
    """Return one point of the path."""
    record: Record = {
        "type": "iterate",
        "iteration": it.iteration,
        **valued(signed(sign, it.at.value)),
        "gradient_norm": it.gradient_norm,
        "step": it.step,
        "evaluations": evaluations(it.counts),
        "point": point(space.unflatten(it.at.x)),
    }
    if it.kind not in ("start", "step"):
        record["kind"] = it.kind
    if timing:
        record["seconds"] = it.seconds
    return record


# The columns of a table of iterates, before those of the point.
ITERATE_HEAD = (
    *("iteration", "value", "gradient_norm", "step"),
    *("evaluations_value", "evaluations_gradient", "evaluations_hessian"),
)


def iterate_cells(it: Iterate, sign: int) -> list[Any]:
    """Return what stands under `ITERATE_HEAD`."""
    counts = it.counts
    numbers = [signed(sign, it.at.value), it.gradient_norm, it.step]
    return [it.iteration, *numbers, counts.value, counts.gradient, counts.hessian]


def kind(certificate: Certificate, sign: int) -> str:
    """Return what kind of point the user's function has there."""
    return certificate.kind if sign > 0 else _OPPOSITE.get(certificate.kind, certificate.kind)


def eigenvalues(certificate: Certificate, sign: int) -> tuple[float | None, float | None]:
    """Return the smallest and largest eigenvalue of the user's function."""
    low, high = certificate.eigenvalue_min, certificate.eigenvalue_max
    return (low, high) if sign > 0 else (signed(sign, high), signed(sign, low))


def problem_record(problem: Problem) -> Record:
    record: Record = {
        "expression": problem.expression,
        "sense": problem.sense,
        "start": point(problem.start),
        "constants": point(problem.constants),
    }
    if problem.bounds:
        record["bounds"] = {
            name: list(point({"lower": pair[0], "upper": pair[1]}).values())
            for name, pair in problem.bounds.items()
        }
    if problem.fixed:
        record["fixed"] = list(problem.fixed)
    return record


def result(outcome: Outcome, timing: bool = False) -> Record:
    """Return the whole answer."""
    certificate, run, sign = outcome.certificate, outcome.run, outcome.sign
    low, high = eigenvalues(certificate, sign)
    record: Record = {
        "schema": SCHEMA,
        "type": "result",
        "problem": problem_record(outcome.problem),
        "method": outcome.method,
        "gradient": outcome.settings.gradient,
        "status": outcome.status.value,
        "reason": run.reason.value,
        "message": outcome.message,
        "point": point(outcome.point),
        **valued(signed(1, outcome.value)),
        "gradient_norm": certificate.gradient_norm,
        "certificate": {
            "kind": kind(certificate, sign),
            "eigenvalue_min": low,
            "eigenvalue_max": high,
            "condition": certificate.condition,
            "estimated_gap": certificate.gap,
        },
        "iterations": run.iterations,
        "evaluations": evaluations(run.counts),
        "seed": outcome.problem.seed,
        "warnings": list(outcome.warnings),
        "version": __version__,
    }
    if outcome.problem.bounds:
        record["certificate"]["active_bounds"] = [active._asdict() for active in outcome.active]
    if outcome.minima:
        record["starts"] = outcome.starts
        record["minima"] = [
            {
                "value": signed(1, found.value),
                "point": point(found.point),
                "kind": kind(found.certificate, sign),
                "starts": found.starts,
            }
            for found in outcome.minima
        ]
    if outcome.formulas is not None:
        record["formulas"] = dict(outcome.formulas)
    if timing:
        record |= {"seconds": run.seconds, "engine": outcome.engine}
    return record


def _span(span: Span) -> Record:
    record: Record = {} if len(span.text) > LONGEST else {"text": span.text}
    return record | {"start": span.start, "end": span.end, "source": shorten(span.source)}


def error(fault: GdError) -> Record:
    """Return an error; a text longer than `LONGEST` is left out, its span stays."""
    return {
        "schema": SCHEMA,
        "type": "error",
        "status": fault.status,
        "message": shorten(fault.message),
        "hint": shorten(fault.hint),
        "span": None if fault.span is None else _span(fault.span),
    }
