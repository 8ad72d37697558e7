"""The answer to one of many groups of rows: the record of a fit, or an error, with the labels of its group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple, replace
from gdcli.kernel.errors import GdError
from gdcli.kernel.number_format import label
from gdcli.kernel.status import Status
from gdcli.record.faults import ErrorRecord, error_record
from gdcli.record.fits import FitRecord, RowsRecord, fit_record
from gdcli.record.schema import Json, told
from gdcli.record.upgrade import upgraded

if TYPE_CHECKING:
    from gdcli.record.runs import Receipt
    from gdcli.tasks.fit.batched_outcomes import SolvedFits
    from gdcli.tasks.fit.fit_groups import GroupFit
    from gdcli.tasks.fit.fit_outcome import FitOutcome


class Group(NamedTuple):
    """A group with its ``labels`` by column: what was ``found``, or the ``fault`` in its way.

    A fit that was solved with many others is at place ``at`` of ``solved``; its record is made when it is asked for.
    ``rows`` counts those used and skipped, a `RowCount` or the record of one.
    """

    labels: Mapping[str, Any]
    rows: Any
    found: FitRecord | None = None
    fault: GdError | None = None
    solved: SolvedFits | None = None
    at: int = 0

    @property
    def status(self) -> str:
        if self.fault is not None:
            return self.fault.status
        return Status.CONVERGED.value if self.found is None else self.found.status

    @property
    def is_good(self) -> bool:
        """Whether there is an answer that its status does not object to."""
        return self.fault is None and Status(self.status).exit_code == 0

    @property
    def message(self) -> str:
        """How it ended; of fits that were solved together nothing is to be said."""
        if self.fault is not None:
            return self.fault.message
        return "" if self.found is None else self.found.message


class GroupRecorder(NamedTuple):
    """What makes records of groups: all have one receipt, and times where ``timing`` asks for them."""

    receipt: Receipt | None = None
    timing: bool = False

    def group(self, fit: GroupFit) -> Group:
        found = None if fit.alone is None else self.record(fit.alone)
        labels = {column: label(value) for column, value in fit.group.items()}
        return Group(labels, fit.rows, found, fit.fault, fit.solved, fit.at)

    def record(self, outcome: FitOutcome) -> FitRecord:
        return replace(fit_record(outcome), receipt=self.receipt)

    def to_json(self, group: Group) -> Json:
        found = group.found
        if group.solved is not None:
            found = self.record(group.solved.outcome(group.at, group.rows))
        if found is not None:
            plain = told(found, self.timing)
        else:
            assert group.fault is not None
            plain = error_record(group.fault).to_json()
            plain["rows"] = {"used": group.rows.used, "skipped": group.rows.skipped}
        head = {"schema": plain.pop("schema"), "type": plain.pop("type")}
        return head | {"group": dict(group.labels)} | plain


def stored_group(record: Json) -> Group:
    """Return the group that was written. Raises KeyError, TypeError or ValueError for what is no such record."""
    rows, labels = RowsRecord.from_json(record["rows"]), dict(record["group"])
    if record["type"] == "error":
        return Group(labels, rows, fault=ErrorRecord.from_json(record).fault)
    return Group(labels, rows, FitRecord.from_json(upgraded(record)))
