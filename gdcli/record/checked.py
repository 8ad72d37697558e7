"""One of many problems, and how its answer stands to what was expected of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple

if TYPE_CHECKING:
    from gdcli.kernel.errors import GdError
    from gdcli.record.runs import RunRecord
    from gdcli.tasks.problem_file import Expectation


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
