"""The record of an error, and the error that a record tells of; of many problems each with its answer or its error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import LONGEST, GdError, Span, shorten
from gdcli.record.schema import SCHEMA, Record

if TYPE_CHECKING:
    from gdcli.record.runs import RunRecord
    from gdcli.tasks.problem_file import Expectation


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


# -- one of many problems --------------------------------------------------------------------------------------------

DISAGREEMENT = 9  # the exit code where a run went well and its answer is not the one expected


class Checked(NamedTuple):
    """One problem and how it went: its answer or the error in its way; ``miss`` says what is wrong."""

    name: str
    expect: Expectation | None
    found: RunRecord | None
    fault: GdError | None
    miss: str

    @property
    def exit_code(self) -> int:
        """0 where nothing is missed, else the code that tells what happened."""
        if self.fault is not None:
            return self.fault.exit_code
        if not self.miss or self.found is None:
            return 0
        return self.found.exit_code or DISAGREEMENT

    @property
    def status(self) -> str:
        return self.fault.status if self.fault is not None else self.found.status if self.found else "-"

    @property
    def verdict(self) -> str:
        return "missed" if self.miss else "ok"

    @property
    def error(self) -> float | None:
        if self.found is None or self.expect is None or self.expect.value is None:
            return None
        return self.expect.error(self.found.value)

    @property
    def evaluations(self) -> int | None:
        return None if self.found is None else self.found.evaluations.total
