"""Answers to many problems as they were, from their records: each an outcome or an error, and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdcli.errors import GdError, Span
from gdcli.problems import Expectation
from gdcli.record.fits import FitRecord
from gdcli.record.runs import RunRecord
from gdcli.record.schema import Json
from gdcli.record.upgrade import upgraded
from gdcli.report.verdicts import Checked


class StoredError(GdError):
    """An error as it was told."""

    def __init__(self, status: str, message: str, hint: str = "", span: Span | None = None) -> None:
        super().__init__(message, hint, span)
        self.status = status


def fault(record: Mapping[str, Any]) -> StoredError:
    """Return the error of a record. Raises KeyError, TypeError or ValueError for what is no such record."""
    told: Any = record.get("span")
    span = None
    if told is not None:
        span = Span(str(told.get("text", "")), int(told["start"]), int(told["end"]), str(told["source"]))
    return StoredError(str(record["status"]), str(record["message"]), str(record.get("hint", "")), span)


def answered(record: Json, number: int) -> Checked:
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
        return Checked(name, expect, None, told, str(record.get("miss", told.message)))
    kind = FitRecord if "standard_errors" in record else RunRecord
    found = kind.from_json(upgraded(record))
    unexpected = f"status {found.status}" if found.exit_code else ""
    return Checked(name, expect, found, None, str(record.get("miss", unexpected)))
