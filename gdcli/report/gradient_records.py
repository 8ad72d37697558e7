"""An examined gradient for machines: one JSON object, or rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gdcli import __version__
from gdcli.record.schema import SCHEMA, plain, signed, valued
from gdcli.record.schema import Json as Record
from gdcli.report.machine import csv_line, json_block

if TYPE_CHECKING:
    from gdcli.examination import Examination

QUOTIENTS = ("forward", "central", "complex_step")


def record(found: Examination) -> Record:
    """Return the whole result; vectors are written out as v[0], v[1], ..., what does not exist is None."""
    problem = found.problem
    head: Record = {
        "schema": SCHEMA,
        "type": "gradient" if found.trace is None else "trace",
        "problem": {"expression": problem.expression, "constants": plain(problem.constants)},
        "point": plain(problem.start),
        **valued(signed(1, found.value)),
    }
    head |= _steps(found) if found.trace is not None else _audit(found)
    return head | {"version": __version__}


def _audit(found: Examination) -> Record:
    ways = {c.name: {name: way.value for name, way in c.ways.items()} for c in found.components}
    details = {
        c.name: {
            "reference": c.reference,
            "agrees": c.agrees,
            "why": c.why,
            "ways": {
                name: {
                    "error": way.error,
                    "truncation": way.truncation,
                    "rounding": way.rounding,
                    "evaluations": way.evaluations,
                    "applicable": way.value is not None,
                    "agrees": way.agrees,
                    "note": way.note,
                }
                | _not_finite(way.value)
                for name, way in c.ways.items()
            },
        }
        for c in found.components
    }
    formulas = found.formulas
    body: Record = {
        "gradient": ways,
        "formula": {} if formulas is None else formulas.text,
        "agrees": found.agrees,
        "worst": _worst(found),
        "components": details,
    }
    if formulas is not None and formulas.latex:
        body["latex"] = formulas.latex
    if found.hessian is not None:
        body["hessian"] = {"rows": found.hessian.rows, "eigenvalues": found.hessian.eigenvalues}
    if found.rows:
        body["errors"] = [
            {"h": row.h} | {name: error_of(row, name) for name in QUOTIENTS} | {"mostly": _mostly(row)}
            for row in found.rows
        ]
        best = found.best or {}
        body["best"] = {name: b._asdict() for name, b in best.items()}
    return body


def _not_finite(value: float | None) -> Record:
    """What a value is that JSON has no number for; nothing where it has one."""
    return {key: word for key, word in valued(value).items() if key == "value_is"}


def _worst(found: Examination) -> Record | None:
    if found.worst is None:
        return None
    component, name = found.worst
    way = component.ways[name]
    return {
        "component": component.name,
        "way": name,
        "value": way.value,
        "error": way.error,
        "explained": abs(way.truncation) + way.rounding,
        "why": component.why,
    }


def mostly(way: Any) -> str:
    """Return what an error mostly consists of: truncation, rounding, or what neither explains."""
    if way.value is None or way.error is None or not way.error:
        return ""
    if not way.agrees:
        return "unexplained"
    return "truncation" if abs(way.truncation) > 0.5 * abs(way.error) else "rounding"


def error_of(row: Any, name: str) -> float | None:
    """Return the size of the error of one quotient in a row of errors."""
    way = getattr(row, name)
    return None if way is None else abs(way.error)


def _mostly(row: Any) -> Record:
    """What each error in a row of errors mostly is, where it is not 0."""
    ways = {name: way for name in QUOTIENTS if (way := getattr(row, name)) is not None}
    return {name: told for name, way in ways.items() if (told := mostly(way))}


def _steps(found: Examination) -> Record:
    trace = found.trace
    assert trace is not None
    labels = trace.labels
    steps = [
        {
            "step": step.name,
            "formula": step.formula,
            "expression": step.source,
            **valued(step.value),
            "local": {
                local.operand.text: {"formula": local.formula, "value": local.value} for local in step.locals
            },
            "forward": {label: step.forward.get(i, 0.0) for i, label in enumerate(labels)},
            "adjoint": step.adjoint,
            "adjoint_formula": " + ".join(step.parts),
            "note": step.note,
        }
        for step in trace.steps
    ]
    sums = dict(zip(labels, trace.sums, strict=True))
    return {"gradient": dict(zip(labels, trace.gradient, strict=True)), "steps": steps, "sums": sums}


def json(found: Examination) -> str:
    """Return the result as a JSON object."""
    return json_block(record(found))


def csv(found: Examination) -> str:
    """Return the steps, the errors against h where they were asked for, or a row per component and way."""
    if found.trace is not None:
        return _csv_steps(found)
    if found.rows:
        head: Sequence[str] = ("h", *QUOTIENTS)
        rows: list[list[Any]] = [[row.h, *(error_of(row, name) for name in QUOTIENTS)] for row in found.rows]
    else:
        head = (
            "component",
            "way",
            "value",
            "error",
            "truncation",
            "rounding",
            "evaluations",
            "agrees",
            "note",
        )
        rows = [
            [c.name, name, way.value, way.error, way.truncation, way.rounding, way.evaluations,
             str(way.agrees).lower(), way.note]
            for c in found.components
            for name, way in c.ways.items()
        ]  # fmt: skip
    return "".join(map(csv_line, [head, *rows]))


def _csv_steps(found: Examination) -> str:
    trace = found.trace
    assert trace is not None
    head = ["step", "formula", "value", *(f"d/d{label}" for label in trace.labels), "adjoint"]
    rows: list[list[Any]] = [
        [s.name, s.formula, s.value, *(s.forward.get(i, 0.0) for i in range(len(trace.labels))), s.adjoint]
        for s in trace.steps
    ]
    return "".join(map(csv_line, [head, *rows]))
