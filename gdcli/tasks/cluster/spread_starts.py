"""Many starts on a cluster: the runs go in the workers, and their ends come back in the order of the starts."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from math import inf
from typing import Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import LimitError, UsageError
from gdcli.solve.settings import Settings
from gdcli.tasks.cluster.worker_chunks import LOST, chunks_on
from gdcli.tasks.minimize import solve
from gdcli.tasks.outcome import Outcome
from gdcli.tasks.problem import Problem

# What outcomes have in the place of their problem on their way, for it may be large.
_LEFT_OUT = Problem("")


def solved_on(
    address: str, problem: Problem, settings: Settings, starts: Iterator[Mapping[str, Any]]
) -> Generator[Outcome]:
    """Yield the outcome of the run from each of the starts, in their order.

    Raises UsageError for a cluster that cannot be used and for a function of Python, LimitError where the cluster is
    lost at once, Spent where it is later and where the time is over; else as `gdcli.tasks.minimize.solve`.
    """
    if problem.tree is None:
        raise UsageError("a function of Python is here alone, and workers cannot call it", "write it as text")
    done = 0
    try:
        with chunks_on(address, _ends, lambda items: (problem, settings, _time_left())) as chunks:
            for start, found in chunks.in_order(starts):
                yield _outcome(found, replace(problem, start=start), done + 1)
                done += 1
    except LimitError:
        if not done:
            raise
        raise budget.Spent(budget.CLUSTER) from None


def _time_left() -> float | None:
    """Return the seconds that are left, None without a cap."""
    limit = budget.current()
    return None if limit is None or limit.seconds == inf else max(1e-9, limit.left)


def _ends(
    numbered: Sequence[tuple[int, Mapping[str, Any]]],
    problem: Problem,
    settings: Settings,
    seconds: float | None,
) -> list[Outcome | str]:
    """Return the end of the run from each start, or the word of what was spent; what runs in a worker."""
    found: list[Outcome | str] = []
    with budget.limited(replace(settings, max_time=seconds)):
        for _, start in numbered:
            try:
                outcome = solve(replace(problem, start=start), settings)
            except budget.Spent as spent:
                found += [spent.reason] * (len(numbered) - len(found))
                break
            found.append(replace(outcome, problem=_LEFT_OUT))
    return found


def _outcome(found: Any, problem: Problem, number: int) -> Outcome:
    if found is LOST:
        raise LimitError(
            f"several workers ended while they solved start {number}", "it may have taken too much memory"
        )
    if isinstance(found, str):
        raise budget.Spent(found)
    outcome: Outcome = replace(found, problem=problem)
    return outcome
