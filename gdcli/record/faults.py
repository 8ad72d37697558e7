"""The record of an error, and the error that a record tells of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gdcli.kernel.dataclass import dataclass
from gdcli.kernel.errors import LONGEST, GdError, Span, shorten
from gdcli.record.schema import SCHEMA, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRecord(Record):
    """The place at fault; a text longer than `LONGEST` is left out."""

    text: str | None = None
    start: int
    end: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord(Record):
    HEAD: ClassVar[Mapping[str, str]] = {"schema": SCHEMA, "type": "error"}

    status: str
    message: str
    hint: str
    span: SpanRecord | None

    @property
    def fault(self) -> GdError:
        at = self.span
        span = None if at is None else Span(at.text or "", at.start, at.end, at.source)
        error = GdError(self.message, self.hint, span)
        error.status = self.status
        return error


def error_record(fault: GdError) -> ErrorRecord:
    at = fault.span
    span = at and SpanRecord(
        text=None if len(at.text) > LONGEST else at.text,
        start=at.start,
        end=at.end,
        source=shorten(at.source),
    )
    return ErrorRecord(
        status=fault.status, message=shorten(fault.message), hint=shorten(fault.hint), span=span
    )
