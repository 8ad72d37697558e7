"""An examined gradient as rows of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gdcli.record.gradients import QUOTIENTS, GradientRecord, TraceRecord


def table(found: GradientRecord | TraceRecord) -> tuple[Sequence[Any], list[list[Any]]]:
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
