"""Answers to many problems as they were, from their records: each an outcome or an error, and what was expected."""

from __future__ import annotations

from typing import Any, NamedTuple

from gdcli.errors import GdError, Span
from gdcli.outcome import Outcome
from gdcli.problems import Expectation
from gdcli.restored import runs
from gdcli.restored.runs import Record


class StoredError(GdError):
    """An error as it was told."""

    def __init__(self, status: str, message: str, hint: str = "", span: Span | None = None) -> None:
        super().__init__(message, hint, span)
        self.status = status


def fault(record: Record) -> StoredError:
    """Return the error of a record. Raises KeyError, TypeError or ValueError for what is no such record."""
    told: Any = record.get("span")
    span = None
    if told is not None:
        span = Span(str(told.get("text", "")), int(told["start"]), int(told["end"]), str(told["source"]))
    return StoredError(str(record["status"]), str(record["message"]), str(record.get("hint", "")), span)


class Answered(NamedTuple):
    """One of many problems: its name (or that of its line), and how it went; ``miss`` says what is wrong."""

    name: str
    expect: Expectation | None
    outcome: Outcome | None
    fault: GdError | None
    miss: str


def answered(record: Record, number: int) -> Answered:
    """Return the answer to a problem, the ``number``-th of its file. Raises as `fault`."""
    place = f"line {record['line']}" if "line" in record else f"answer {number}"
    name = str(record.get("name") or place)
    wanted: Any = record.get("expected")
    expect = None
    if wanted is not None:
        point = dict(wanted.get("point") or {})
        expect = Expectation(wanted["value"], float(wanted["tolerance"]), point, wanted["status"])
    if record["type"] == "error":
        told = fault(record)
        return Answered(name, expect, None, told, str(record.get("miss", told.message)))
    outcome = runs.outcome(record, runs.problem(record))
    unexpected = f"status {outcome.status.value}" if outcome.status.exit_code else ""
    return Answered(name, expect, outcome, None, str(record.get("miss", unexpected)))
