"""Is the end of a fit the one that was meant? A minimum can be one and yet no description of the data.

Two things tell: a fit that is worse than a constant, the mean of what was measured, and a pole among the rows, which
splits them into rows before and behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import Vector
from gdcli.objective.divisors import pole_among
from gdcli.objective.row_objective import RowObjective

if TYPE_CHECKING:
    from gdcli.judge.statistics import FitStatistics
    from gdcli.tasks.fit.prepare import Prepared


# A sum of squares that is larger than another one by no more than this part of it may be so by rounding.
_MORE = 1e-6
# How a fit that has ended badly comes to another start.
SEARCH = "--start auto, which searches for a better start"


class Doubts(NamedTuple):
    """What speaks against an end, and what to try next; empty where nothing does."""

    warnings: tuple[str, ...] = ()
    advice: str = ""


NO_DOUBTS = Doubts()


def doubts_about(
    prepared: Prepared, objective: RowObjective, x: Vector, statistics: FitStatistics | None
) -> Doubts:
    """Return what speaks against an end at ``x``."""
    problem, found = prepared.problem, []
    squares = None if statistics is None else statistics.r_squared
    if squares is not None and squares < -_MORE and problem.loss == "squared":
        times = 1.0 - squares
        told = f"{times:.3g} times" if times > 1.1 else f"{-100.0 * squares:.2g} % more than"
        found.append(f"the fit is worse than a constant: its sum of squares is {told} that about the mean")
    pole = pole_among(objective, x)
    if pole:
        found.append(f"the model has a pole among the rows: its divisor {pole}")
    if not found:
        return NO_DOUBTS
    if problem.linear:
        return Doubts(tuple(found), "another model: add a constant to it, for example")
    if problem.searched:
        return Doubts(tuple(found), "another model, or a start of your own")
    return Doubts(tuple(found), SEARCH if can_be_searched(prepared) else "a start of your own")


def can_be_searched(prepared: Prepared) -> bool:
    problem = prepared.problem
    return prepared.row.response is not None and not problem.linear and not problem.searched
