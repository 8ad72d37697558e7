"""Many starts, every minimum: a local method started from random points finds the minima of their basins.

Which of them is the lowest nobody can promise; but each is certified, how many starts led to it is told, and the same
seed gives the same answer. The starts lie evenly within finite bounds, else normally around the start with the size
that each variable has there as standard deviation (Rinnooy Kan & Timmer, Mathematical Programming 39, 1987, on
multi-start).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

from gdcli.kernel import budget
from gdcli.kernel.dataclass import dataclass, field, replace
from gdcli.kernel.errors import Terminated, UsageError
from gdcli.kernel.status import KEEP_RUNS, Status, StopReason
from gdcli.objective.build import Exact
from gdcli.objective.difference_objective import PointBatch
from gdcli.solve.checkpointing import Checkpointer
from gdcli.solve.iteration import Iterate, Observer
from gdcli.solve.scaling import start_sizes
from gdcli.solve.settings import Settings
from gdcli.tasks.minimize import solve
from gdcli.tasks.pipeline import Minimum, Outcome, bounds_of
from gdcli.tasks.problem import Problem

Values = Callable[[list[list[float]]], Sequence[float]]
Places = Iterator[Mapping[str, Any]]

# Two ends are one minimum when they are this near, relative to their size, and their values agree likewise. Ends that
# are near only beside 1 are one where the value does not rise between them.
SAME_POINT = 1e-4
SAME_VALUE = 1e-6
# Places between two ends, in golden sections, so that they do not keep step with a period.
BETWEEN = tuple(math.fmod(k * 0.6180339887498949, 1.0) for k in range(1, 8))
# A rise is one where it is more than rounding, and more than what is left to gain at the ends, by far.
RISE, FAR_MORE = 1e-9, 1e3
# A start is redrawn until the value there is finite: so many draws for each start asked for, at most.
DRAWS = 20
MAX_STARTS = 100_000


class Teller(Protocol):
    """An observer of all runs that is told of each that begins: a word for it, its number, how many there are."""

    def __call__(self, iterate: Iterate) -> None: ...

    def begin(self, noun: str, number: int, total: int | None) -> None: ...


def solve_from_many(
    problem: Problem,
    settings: Settings | None = None,
    starts: int = 10,
    observers: Sequence[Observer] = (),
    formulas: bool = False,
    checkpointer: Checkpointer | None = None,
    teller: Teller | None = None,
) -> Outcome:
    """Solve from the given start and ``starts - 1`` random ones; the outcome is the best, with all ``minima``.

    ``observers`` see the run that led to the best minimum. An interrupt ends with the best found so far. A
    ``checkpointer`` keeps one run after the other, a ``teller`` is told of each. Raises as `api.solve`.
    """
    _check(starts)
    settings = settings or Settings()
    told = [] if teller is None else [teller]

    def ends(places: Places) -> Generator[Outcome]:
        for number, start in enumerate(places, 1):
            for one in told:
                one.begin("start", number, starts)
            yield solve(replace(problem, start=start), settings, told, checkpointer=checkpointer)

    with budget.limited(settings):
        return _from_many(problem, settings, starts, observers, formulas, checkpointer, ends)


def solve_from_many_on(
    cluster: str,
    problem: Problem,
    settings: Settings | None = None,
    starts: int = 10,
    observers: Sequence[Observer] = (),
    formulas: bool = False,
    teller: Teller | None = None,
) -> Outcome:
    """Solve as `solve_from_many`, the runs in the workers of the cluster at this address; the answer is the same.

    A ``teller`` is told of each run when its end is there. Raises as that, and as
    `gdcli.tasks.cluster.spread.solved_on`.
    """
    from gdcli.tasks.cluster.spread import solved_on

    _check(starts)
    settings = settings or Settings()

    def ends(places: Places) -> Generator[Outcome]:
        for number, outcome in enumerate(solved_on(cluster, problem, settings, places), 1):
            if teller is not None:
                teller.begin("start", number, starts)
                teller(outcome.run.best)
            yield outcome

    with budget.limited(settings):
        return _from_many(problem, settings, starts, observers, formulas, None, ends)


def _check(starts: int) -> None:
    if not 1 <= starts <= MAX_STARTS:
        raise UsageError(f"--multi-start takes a number from 1 to {MAX_STARTS}, not {starts}")


@dataclass(slots=True)
class _Found:
    """What the starts so far have led to: the best run, all minima, how many runs ended how, and what ended the search.

    ``values`` computes the minimised function at many points.
    """

    values: Values
    winner: Outcome | None = None
    minima: list[Minimum] = field(default_factory=list)
    endings: dict[Status, int] = field(default_factory=dict)
    ended: StopReason | None = None

    def take(self, outcome: Outcome) -> None:
        status, best = outcome.status, outcome if self.winner is None else _best((self.winner, outcome))
        self.winner = best
        self.endings[status] = self.endings.get(status, 0) + 1
        if status is Status.CONVERGED:
            _add(self.minima, outcome, self.values)
        if status.by_signal:
            self.ended = StopReason(status.value)
        elif _time_is_over(best):
            self.ended = StopReason.MAX_TIME

    def told(self, answer: Outcome, starts: int) -> Outcome:
        """Return the best run, gone once more for those who watch, as the answer of all of them."""
        done = sum(self.endings.values())
        minima = sorted(self.minima, key=lambda m: m.value * answer.sign)
        warnings = (*answer.warnings, *_told(self.endings))
        answer = replace(answer, minima=tuple(minima), starts=done, warnings=warnings)
        if self.ended is None:
            return answer
        status = self.ended.status
        assert status is not None  # it was a cap, or a signal
        how = status.value.capitalize() if status.by_signal else f"Stopped by {self.ended.cap}"
        message = f"{how} after {done} of {starts} starts: this is the best so far."
        advice = KEEP_RUNS if status.by_signal else self.ended.remedy
        return replace(answer, status=status, message=message, advice=advice)


def _from_many(
    problem: Problem,
    settings: Settings,
    starts: int,
    observers: Sequence[Observer],
    formulas: bool,
    checkpointer: Checkpointer | None,
    ends: Callable[[Places], Generator[Outcome]],
) -> Outcome:
    """``ends`` has the run from each start, one after the other."""
    batch = _batch(problem)
    found = _Found(batch.values)
    try:
        with closing(ends(starts_of(problem, starts, batch))) as outcomes:
            for outcome in outcomes:
                found.take(outcome)
                if found.ended is not None:
                    break
    except (KeyboardInterrupt, Terminated, budget.Spent) as signal:
        if found.winner is None:  # nothing was found yet that could be told
            raise
        found.ended = StopReason.of(signal)
    winner = found.winner
    assert winner is not None
    if winner.status.by_signal or winner.run.reason in (StopReason.MAX_TIME, StopReason.MAX_MEMORY):
        return winner  # ended before anything else was found
    if checkpointer is not None and checkpointer.unfinished:  # with higher caps another start may be the best
        checkpointer.keep_no_more()
    last = checkpointer if found.ended is None else None  # one that was asked to end would end this run too
    uncapped = replace(settings, max_time=None, max_memory=None)
    with budget.opened(None):  # it has been done within the limits, and time is kept for it
        answer = solve(winner.problem, uncapped, observers, formulas, checkpointer=last)
    return found.told(answer, starts)


def _time_is_over(winner: Outcome) -> bool:
    """Tell whether no more time is left than it takes to go the best way once more, for those who watch."""
    open_budget = budget.current()
    return open_budget is not None and open_budget.left <= 1.2 * winner.run.seconds


def _best(outcomes: Sequence[Outcome]) -> Outcome:
    """A certified end before any other, and the better value before the worse."""
    return min(outcomes, key=lambda o: (o.status is not Status.CONVERGED, o.sign * o.value))


def _told(endings: Mapping[Status, int]) -> list[str]:
    others = [
        f"{count} {status.value}" for status, count in endings.items() if status is not Status.CONVERGED
    ]
    return [f"of {sum(endings.values())} starts {', '.join(others)}"] if others else []


def _add(found: list[Minimum], outcome: Outcome, values: Values) -> None:
    """Count the end of a run with the minimum it is, or as a new one."""
    x = list(outcome.run.best.at.x)
    for i, minimum in enumerate(found):
        if _is_same(x, outcome, minimum, values):
            better = outcome.sign * outcome.value < outcome.sign * minimum.value
            found[i] = (
                _minimum(outcome, x, minimum.starts + 1)
                if better
                else minimum._replace(starts=minimum.starts + 1)
            )
            return
    found.append(_minimum(outcome, x, 1))


def _minimum(outcome: Outcome, x: Sequence[float], starts: int) -> Minimum:
    return Minimum(outcome.value, outcome.point, outcome.certificate, starts, tuple(x))


def _is_same(x: Sequence[float], end: Outcome, minimum: Minimum, values: Values) -> bool:
    if abs(end.value - minimum.value) > SAME_VALUE * max(1.0, abs(end.value)):
        return False
    blur = minimum.certificate.distance or 0.0
    apart = max(abs(a - b) for a, b in zip(x, minimum.x, strict=True)) - 2.0 * blur
    size = max(map(abs, [*x, *minimum.x]))
    if apart <= SAME_POINT * size:
        return True
    return apart <= SAME_POINT * max(1.0, size) and not _rises_between(x, end, minimum, values)


def _rises_between(x: Sequence[float], end: Outcome, minimum: Minimum, values: Values) -> bool:
    """Tell whether the value is seen to rise on the straight line from one end to another."""
    line = [[a + t * (b - a) for a, b in zip(x, minimum.x, strict=True)] for t in BETWEEN]
    ends = [end.sign * end.value, end.sign * minimum.value]
    left = sum(c.estimated_gap or 0.0 for c in (end.certificate, minimum.certificate))
    return max(values(line)) > max(ends) + RISE * max(map(abs, ends)) + FAR_MORE * left


def _batch(problem: Problem) -> PointBatch:
    return PointBatch(problem.objective(problem.sign))


def starts_of(problem: Problem, count: int, batch: PointBatch | None = None) -> Iterator[dict[str, Any]]:
    """Yield the start of the problem, then random ones with a finite value, the same ones each time.

    All values are found together, by ``batch`` where there is one.
    """
    yield dict(problem.start)
    if count == 1:
        return
    batch = batch or _batch(problem)
    exact = batch.base
    points = _draws(problem, exact)
    left = count - 1
    for _ in range(DRAWS):
        drawn = [next(points) for _ in range(left)]
        for x, value in zip(drawn, batch.values(drawn), strict=True):
            if abs(value) < math.inf:
                left -= 1
                yield dict(exact.space.unflatten(x))
        if not left:
            return


def _draws(problem: Problem, exact: Exact) -> Iterator[list[float]]:
    """Random points: evenly between finite bounds, else normal around the start and moved into the bounds."""
    generator = random.Random(problem.seed)
    center = exact.space.flatten(problem.start)
    box = bounds_of(problem, exact)
    lower, upper = ([float(v) for v in end] for end in (box.lower, box.upper))
    sizes = start_sizes(center, box)
    while True:
        yield [_draw(generator, *of) for of in zip(center, sizes, lower, upper, strict=True)]


def _draw(generator: Any, center: float, size: float, lower: float, upper: float) -> float:
    if math.isfinite(lower) and math.isfinite(upper):
        return lower + float(generator.random()) * (upper - lower)
    drawn = center + size * float(generator.gauss(0.0, 1.0))
    return min(max(drawn, lower), upper)
