"""How well the data tell each parameter: standard errors and what follows from them, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdcli.analysis.statistics import FitStatistics
    from gdcli.fitting.prepare import Prepared
    from gdcli.outcome import ActiveBound


@dataclass(frozen=True, slots=True)
class Errors:
    """The statistics ``found``, or the ``reason`` why there are no errors.

    ``full_rank`` tells that the parameters can be told apart; ``redundant`` says which cannot, ``to_fix`` which to
    fix then.
    """

    found: FitStatistics | None = None
    reason: str = ""
    full_rank: bool = False
    redundant: str = ""
    to_fix: str = ""
    notes: tuple[str, ...] = ()


def estimate_errors(prepared: Prepared, x: Any, active: Sequence[ActiveBound]) -> Errors:
    """Return the errors of the parameters at the answer ``x``."""
    return Errors()
