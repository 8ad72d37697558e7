"""Fits to groups of rows as they were, from their records."""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.fitting.groups import GroupFit
from gdcli.fitting.outcome import RowCount
from gdcli.fitting.request import FitSettings
from gdcli.restored import fits
from gdcli.restored.problems import fault
from gdcli.restored.runs import Record


def groups(records: Sequence[Record]) -> list[GroupFit]:
    """Return the fits of groups in their order. Raises KeyError, TypeError or ValueError for what is no such record."""
    found = []
    for number, record in enumerate(records):
        group, rows = record["group"], record["rows"]
        count = RowCount(int(rows["used"]), int(rows.get("skipped", 0)), (), int(rows.get("held_back", 0)))
        one = GroupFit(number, tuple(group), tuple(group.values()), count)
        if record["type"] == "error":
            found.append(one._replace(fault=fault(record)))
        else:
            alone = fits.outcome(record, fits.problem(record), FitSettings())
            found.append(one._replace(alone=alone))
    return found
