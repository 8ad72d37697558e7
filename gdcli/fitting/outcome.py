"""What came of a fit: the answer of every run, and what it says of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gdcli.outcome import Outcome

if TYPE_CHECKING:
    from gdcli.analysis.statistics import FitStatistics
    from gdcli.fitting.request import FitProblem, FitSettings


class RowCount(NamedTuple):
    """How many rows were used and how many skipped; ``lines`` tells where the first skipped ones stand."""

    used: int
    skipped: int = 0
    lines: tuple[str, ...] = ()


_NO_ROWS = RowCount(0)


@dataclass(frozen=True, slots=True)
class FitOutcome(Outcome):
    """The answer of a fit.

    ``value`` is the (weighted) sum of the losses of all rows, ``mean_loss`` that divided by the rows. ``statistics``
    has the errors of the parameters, None where there are none, for the reason ``unknown_errors``. ``noise``,
    ``epochs`` and ``history`` (a record per epoch) are those of a stochastic run.
    """

    problem: FitProblem
    settings: FitSettings
    rows: RowCount = _NO_ROWS
    statistics: FitStatistics | None = None
    unknown_errors: str = ""
    epochs: int | None = None
    noise: Any = None
    history: tuple[Any, ...] = ()

    @property
    def mean_loss(self) -> float:
        """The mean loss of a row."""
        return self.value / self.rows.used
