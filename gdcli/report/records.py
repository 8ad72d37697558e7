"""An error as a record, for the formats that machines read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.record.schema import SCHEMA, Json
from gdcli.report.faults import LONGEST, shorten

if TYPE_CHECKING:
    from gdcli.errors import GdError, Span


def error(fault: GdError) -> Json:
    """Return an error; a text longer than `LONGEST` is left out, its span stays."""
    return {
        "schema": SCHEMA,
        "type": "error",
        "status": fault.status,
        "message": shorten(fault.message),
        "hint": shorten(fault.hint),
        "span": None if fault.span is None else _span(fault.span),
    }


def _span(span: Span) -> Json:
    record: Json = {} if len(span.text) > LONGEST else {"text": span.text}
    return record | {"start": span.start, "end": span.end, "source": shorten(span.source)}
