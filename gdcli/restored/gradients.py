"""Examined gradients as they were, from their records: each way with its error, or the steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdcli.calculus.audit import Component, Way
from gdcli.calculus.step_errors import Best, ErrorRow
from gdcli.calculus.trace import Local, Operand, Step, Trace
from gdcli.examination import QUOTIENTS, Examination, Hessian
from gdcli.language.syntax import Node
from gdcli.objective.audited import Formulas
from gdcli.problem import Problem
from gdcli.restored.runs import Record, numbers, value_of

_NO_NODE = Node("number", 0.0, (), 0, 0)


def examination(record: Record) -> Examination:
    """Return what was found. Raises KeyError, TypeError or ValueError for what is no such record."""
    asked = record["problem"]
    problem = Problem(
        str(asked["expression"]),
        "minimize",
        {name: numbers(v) for name, v in record["point"].items()},
        {name: numbers(v) for name, v in asked.get("constants", {}).items()},
        0,
    )
    value = value_of(record)
    if record["type"] == "trace":
        return Examination(problem, value, trace=_trace(record, value))
    hessian = record.get("hessian")
    return Examination(
        problem,
        value,
        tuple(
            _component(name, told, record["gradient"][name]) for name, told in record["components"].items()
        ),
        Formulas(dict(record["formula"]), dict(record.get("latex", {}))),
        None if hessian is None else Hessian(hessian["rows"], hessian["eigenvalues"]),
        tuple(_error_row(row) for row in record.get("errors", [])),
        {
            name: Best(
                b["h"],
                numbers(b["error"]),
                str(b["why"]),
                b.get("least_h", b["h"]),
                numbers(b.get("least_error", b["error"])),
            )
            for name, b in record.get("best", {}).items()
        },
    )


def _component(name: str, record: Record, values: Record) -> Component:
    ways = {way: _way(told, values[way]) for way, told in record["ways"].items()}
    return Component(name, record["reference"], ways, bool(record["agrees"]), str(record["why"]))


def _way(record: Record, value: Any) -> Way:
    applies = bool(record["applicable"])
    return Way(
        value_of({"value": value} | dict(record)) if applies else None,
        record["error"],
        numbers(record["truncation"]),
        numbers(record["rounding"]),
        int(record["evaluations"]),
        str(record["note"]),
        bool(record["agrees"]),
    )


def _error_row(record: Record) -> ErrorRow:
    return ErrorRow(float(record["h"]), *(_error(record, name) for name in QUOTIENTS))


def _error(record: Record, name: str) -> Way | None:
    """One error with what it mostly is; both parts of it are not kept."""
    error = record[name]
    if error is None:
        return None
    mostly = record["mostly"].get(name, "")
    return Way(0.0, float(error), error if mostly == "truncation" else 0.0, agrees=mostly != "unexplained")


def _trace(record: Record, value: float) -> Trace:
    labels = list(record["gradient"])
    place = {str(step["step"]): i for i, step in enumerate(record["steps"])}
    steps = [_step(step, place, labels) for step in record["steps"]]
    sums = [list(map(str, record["sums"][label])) for label in labels]
    return Trace(steps, labels, value, [numbers(record["gradient"][label]) for label in labels], sums)


def _step(record: Record, place: Mapping[str, int], labels: list[str]) -> Step:
    locals = tuple(
        Local(
            Operand(text, 0.0, None if text in labels else place[text]),
            str(told["formula"]),
            numbers(told["value"]),
        )
        for text, told in record["local"].items()
    )
    formula = str(record["adjoint_formula"])
    return Step(
        name=str(record["step"]),
        formula=str(record["formula"]),
        value=value_of(record),
        op="",
        args=(),
        node=_NO_NODE,
        locals=locals,
        note=str(record["note"]),
        source=str(record["expression"]),
        forward={i: numbers(record["forward"].get(label, 0.0)) for i, label in enumerate(labels)},
        adjoint=numbers(record["adjoint"]),
        parts=[formula] if formula else [],
    )
