"""The global minimum over a box, enclosed by branch and bound, and told as the outcome of a run at its best point.

The bounds of the minimum are rigorous: they hold for the expression as typed, in real numbers (see docs/proof.md). The
point is the best that local searches and the search itself came across, certified as that of any other run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from gdcli.kernel import budget
from gdcli.kernel.dataclass import replace
from gdcli.kernel.errors import DomainError, GdError, Terminated, UsageError
from gdcli.kernel.status import Status, StopReason
from gdcli.kernel.vectors import np
from gdcli.solve.settings import Settings
from gdcli.tasks.kept_cover import ENCLOSED, FEASIBLE, Bounded, bounded, cover_of, kept
from gdcli.tasks.minimize import made_ready, solve
from gdcli.tasks.pipeline import FoundBox, GlobalEvidence, Outcome, Ready, bounds_of, found_boxes
from gdcli.tasks.problem import Bounds, Problem, listed

if TYPE_CHECKING:
    from gdcli.language.constraints import ConstraintRow
    from gdcli.objective.build import Exact
    from gdcli.solve.checkpointing import Checkpointer
    from gdcli.solve.global_search.box_list import Boxes
    from gdcli.solve.global_search.branch_and_bound import Search, State
    from gdcli.solve.iteration import Iterate

# More variables are more boxes than anybody can wait for.
MOST_VARIABLES = 30
DEFAULT_TOL = 1e-6
# Boxes that are examined where no cap is set: minutes of work, after which more seldom bring the bounds together.
MOST_EXAMINED = 1_000_000
# Of more boxes none is proved to hold one minimum: they are a curve, or the search was ended early.
MOST_PROVED = 200
# Steps of one local search.
_LOCAL_STEPS = 200
# So far away, as parts of the bounds, a value is looked for where a point has none.
_BESIDE = tuple(10.0**k for k in range(-9, 0))
# A value below has no minimum to be enclosed.
UNBOUNDED = -1e100

Array = Any
# What is told of a search while it goes on: boxes examined, boxes left, the bounds of the minimum.
Teller = Callable[[int, int, float, float], None]


def solve_globally(
    problem: Problem,
    settings: Settings | None = None,
    formulas: bool = False,
    tell: Teller | None = None,
    every: bool = False,
    keep: bool = False,
    checkpointer: Checkpointer | None = None,
) -> Outcome:
    """Enclose the global minimum (maximum) of ``problem`` within its bounds; ``tell`` is told how far it has come.

    With ``every`` all local minima are found as well; with ``keep`` the evidence has a cover that shows the proof.
    A ``checkpointer`` may end the search, and lets it go on later.

    ``settings`` have the tolerance (1e-6 of the value, absolute below 1) and the caps; of ``max_evaluations`` each box
    is one (a million of them). Raises UsageError where a variable has no bounds and where there are too many,
    DomainError where the expression has no finite value anywhere, and as `gdcli.tasks.minimize.solve`.
    """
    settings = settings or Settings()
    check(problem)
    if every and problem.subject_to and problem.rows()[0]:
        raise UsageError("--all is for problems without constraints but bounds", "leave out --all")
    with budget.limited(replace(settings, max_evaluations=None)):
        found, search, within = _solved(problem, settings, formulas, tell, keep, checkpointer)
        return _with_every(found, search, within, tell, keep, checkpointer) if every else found


def check(problem: Problem) -> None:
    if problem.tree is None:
        raise UsageError(
            "--global needs an expression: a function has no interval rules",
            "write it as text, or with sympy",
        )
    size = sum(length or 1 for length in problem.lengths.values())
    if size > MOST_VARIABLES:
        hint = "--multi-start N looks for minima from many starts, without a proof"
        raise UsageError(f"--global is for up to {MOST_VARIABLES} variables, and there are {size}", hint)
    check_bounded(list(problem.lengths), problem.bounds, "variable")


def bounds_hint(names: Sequence[str]) -> str:
    """Return how the bounds of ``names`` would be given, one by one or all at once."""
    some = ",".join(f"{name}=-10:10" for name in names[:4])
    return f"for example --bounds {some}, or --bounds all=-10:10 for every variable"


def examining(cluster: str | None, problem: Problem, settings: Settings) -> AbstractContextManager[None]:
    """Have `solve_globally` examine boxes on the ``cluster`` at this address, None: here. Raises as `examined_by`."""
    check(problem)  # before workers are awaited
    return examined_by(cluster, search_of, problem, settings)


def examined_by(
    cluster: str | None, make: Callable[..., Search], *args: object
) -> AbstractContextManager[None]:
    """Have searches, which ``make(*args)`` makes there, examine boxes on a cluster; as `spread.examined_on`."""
    if cluster is None:
        return nullcontext()
    from gdcli.tasks.cluster.spread import examined_on

    return examined_on(cluster, make, *args)


def check_bounded(names: Sequence[str], bounds: Bounds, what: str) -> None:
    """Raise UsageError for ``names``, each of a ``what``, without two finite bounds."""

    def ends(name: str) -> list[float]:
        pair = bounds.get(name, (-math.inf, math.inf))
        return [e for end in pair for e in (end if isinstance(end, Sequence) else [end])]

    missing = [name for name in names if not all(map(math.isfinite, ends(name)))]
    if missing:
        told = f"{listed(missing)} {'has' if len(missing) == 1 else 'have'} none"
        raise UsageError(f"--global needs bounds on every {what}: {told}", bounds_hint(missing))


def _solved(
    problem: Problem,
    settings: Settings,
    formulas: bool,
    tell: Teller | None,
    keep: bool,
    checkpointer: Checkpointer | None,
) -> tuple[Outcome, Search, Bounded]:
    exact, rows, within = _within(problem)
    search = _search(within, settings, _local(problem, exact, rows))
    start = np.clip(np.array(exact.space.flatten(problem.start), dtype=float), search.low, search.high)
    began = perf_counter()
    reason = run_search(search, start, settings, tell, checkpointer)
    state = search.state
    if state.point is None and not rows and not len(state.left):
        raise DomainError(
            "the expression has no finite value anywhere within the bounds; that is proved",
            "widen the bounds",
        )
    point = state.point if state.point is None else _with_value(exact, state.point, search.low, search.high)
    best = problem.start if point is None else exact.space.unflatten(point.tolist())
    if state.point is None and reason is not None and not rows:
        raise budget.no_answer(reason.value)
    at_best = replace(problem, start=best, drawn=False)
    local = Settings(tol=settings.tol and min(settings.tol, 1e-8), max_iter=0)
    found = solve(at_best, local, formulas=formulas)
    run = replace(found.run, seconds=perf_counter() - began)
    if point is not None:
        run = replace(run, best=_bounded(run.best, search, within.function))
    answer = replace(found, problem=problem, settings=settings, run=run)
    return told(answer, search, reason, within, keep), search, within


def _with_value(exact: Exact, point: Array, low: Array, high: Array) -> Array:
    """Return the point, or the next to it on the way to a corner of the bounds at which the text gives a value: the
    function is bounded with its limits.
    """
    corner = np.where(point <= 0.5 * low + 0.5 * high, high, low)
    places = (point + share * (corner - point) for share in (0.0, *_BESIDE))
    return next((x for x in places if math.isfinite(exact.evaluate(exact.vector(x.tolist())).value)), point)


def _bounded(best: Iterate, search: Search, function: Any) -> Iterate:
    """Return the best point with a value within its bounds; the search is told of the point where it is another."""
    x, state = np.array(best.at.x, dtype=float), search.state
    low, high = function.value_at(x)
    if x.tolist() != state.point.tolist():
        state.point, state.best = x, high
    return best._replace(at=best.at._replace(value=min(max(best.at.value, low), high)))


def _with_every(
    found: Outcome,
    search: Search,
    within: Bounded,
    tell: Teller | None,
    keep: bool,
    checkpointer: Checkpointer | None,
) -> Outcome:
    """Return the outcome with all local minima: a search of its own, which drops no box for its values."""
    from gdcli.solve.global_search.branch_and_bound import Search
    from gdcli.solve.global_search.minimiser_boxes import joined, run_kept

    if found.globally is None or found.status.exit_code:
        return found
    whole = Search(search.function, search.holds, search.low, search.high, search.tol, every=True)
    most = found.settings.max_evaluations or MOST_EXAMINED

    def go_on(state: State) -> bool:
        budget.check()
        if tell is not None:
            tell(
                search.state.examined + state.examined, len(state.open), search.state.lower, search.state.best
            )
        return state.examined < most

    # Where it is stopped, what is left is told as not proved.
    run_kept(whole, lambda going: searched(lambda: whole.run(going)), go_on, checkpointer)
    left = joined(whole.state.left)
    boxes, cover = _checked(whole, left, within, len(left) <= MOST_PROVED, keep and whole.is_over)
    minima = sorted((found.sign * _middle(whole, box), box) for box in boxes)
    evidence = found.globally._replace(
        minima=tuple(minima[:: found.sign]),
        has_all=whole.is_over,
        minima_cover=cover,
        examined=found.globally.examined + whole.state.examined,
    )
    return replace(found, globally=evidence)


def _middle(search: Search, box: FoundBox) -> float:
    center = np.array(box.center)[:, None]
    low, high = search.function.evaluate(center, center, 0).value
    return float(0.5 * low[0] + 0.5 * high[0])


def _within(problem: Problem) -> tuple[Exact, list[ConstraintRow], Bounded]:
    exact = problem.objective(problem.sign)
    rows = problem.rows()[0] if problem.subject_to else []
    box = bounds_of(problem, exact)
    return exact, rows, bounded(problem, rows, box.lower, box.upper)


# -- the search --------------------------------------------------------------------------------------------------------


def search_of(problem: Problem, settings: Settings) -> Search:
    """Return the search for the global minimum before it begins. Raises as `solve_globally`."""
    exact, rows, within = _within(problem)
    return _search(within, settings, _local(problem, exact, rows))


def _search(bounded: Bounded, settings: Settings, local: Callable[[Any], Any]) -> Search:
    from gdcli.objective.interval_constraints import lagrangian_of
    from gdcli.solve.global_search.branch_and_bound import Search

    function, rows = bounded.function, bounded.rows
    assert bounded.holds is not None
    tol = DEFAULT_TOL if settings.tol is None else settings.tol
    low, high = bounded.low, bounded.high

    def lagrangian(point: Any) -> Any:
        return lagrangian_of(function, rows, bounded.sides_at(point), low, high)(point)

    multiplied = lagrangian if rows else None
    certain = bounded.certain
    return Search(
        function, bounded.holds, low, high, tol, local, bounded.sides, FEASIBLE, rows, multiplied, certain
    )


def _local(problem: Problem, exact: Exact, rows: list[ConstraintRow]) -> Callable[[Any], Any]:
    """Return a local search from a point to a better one, itself where there is none."""
    made: list[Ready] = []

    def improved(x: Any) -> Any:
        try:
            if not made:  # from a point with a value: the start may have none
                begun = replace(problem, start=exact.space.unflatten(x))
                made.append(made_ready(begun, Settings(max_iter=_LOCAL_STEPS), exact, rows)[0])
            return replace(made[0], x0=exact.vector([float(v) for v in x])).run([]).best.at.x
        except GdError:
            return x

    return improved


def run_search(
    search: Search,
    start: Any,
    settings: Settings,
    tell: Teller | None,
    checkpointer: Checkpointer | None = None,
) -> StopReason | None:
    """Search as long as may be; None where it came to its end."""
    from gdcli.solve.global_search.minimiser_boxes import run_kept

    most = settings.max_evaluations or MOST_EXAMINED

    def go_on(state: State) -> bool:
        budget.check()
        if tell is not None:
            tell(state.examined, len(state.open), state.lower, state.best)
        return state.examined < most and state.best > UNBOUNDED

    def whole(going: Callable[[State], bool]) -> StopReason | None:
        def to_the_end() -> None:
            search.offer(start[:, None])
            search.run(going)
            if not len(search.state.open):
                search.refine(going)

        return searched(to_the_end)

    reason = run_kept(search, whole, go_on, checkpointer)
    if search.narrow:  # the bounds had met
        return None
    if search.state.best <= UNBOUNDED:
        return reason or StopReason.UNBOUNDED
    return reason or (None if search.is_over else StopReason.MAX_EVALUATIONS)


def searched(search: Callable[[], object]) -> StopReason | None:
    """Search within the budget; return what stopped it, None where it came to its end."""
    try:
        with budget.searching(0):
            search()
    except (KeyboardInterrupt, Terminated, budget.Spent, MemoryError) as stop:
        return StopReason.of(stop)
    return None


def stopped_by(reason: StopReason) -> tuple[str, str]:
    """Return how a search was stopped, in words, and what helps."""
    assert reason.status is not None
    if not reason.status.by_signal:
        return f"Stopped by {reason.cap}", reason.remedy
    return reason.status.value.capitalize(), "let it run longer"


# -- what is told ------------------------------------------------------------------------------------------------------


def was_stopped(reason: StopReason | None) -> bool:
    """Tell whether what was found depends on when a search was stopped."""
    return reason not in (None, StopReason.MAX_EVALUATIONS)


_Found = TypeVar("_Found", bound=Outcome)


def told(
    found: _Found, search: Search, reason: StopReason | None, within: Bounded, keep: bool, least: str = ""
) -> _Found:
    """Return the outcome at the best point with what the search has found out; ``least`` names what is enclosed."""
    evidence = evidence_of(search, reason, found.sign, within, keep and not was_stopped(reason))
    extremum = "minimum" if found.sign > 0 else "maximum"
    status, message, advice = verdict_of(search, reason, extremum, found)
    why = StopReason.GLOBAL if reason is None else reason
    run = replace(found.run, reason=why)
    return replace(
        found,
        run=run,
        status=status,
        message=message,
        advice=advice,
        globally=evidence,
        method="global",
        used="branch and bound with intervals",
        why=f"--global encloses the {least or extremum}",
        warnings=_warnings(found, search),
    )


def _warnings(found: Outcome, search: Search) -> tuple[str, ...]:
    if not search.sides or search.is_held or (search.state.point is None and not len(search.state.left)):
        return found.warnings
    return (
        *found.warnings,
        f"a constraint counts as fulfilled where it is broken by at most {FEASIBLE:g} of max(1, its side): "
        "no point was found at which all hold for certain",
    )


def evidence_of(
    search: Search, reason: StopReason | None, sign: int, within: Bounded, keep: bool
) -> GlobalEvidence:
    from gdcli.solve.global_search.minimiser_boxes import joined

    state = search.state
    ends = sorted((sign * _checkable_lower(search), sign * state.best))
    left = joined(state.left)
    boxes, cover = _checked(search, left, within, reason is None and len(left) <= MOST_PROVED, keep)
    return GlobalEvidence(ends[0], ends[1], boxes, state.examined, search.tol, cover)


def _checkable_lower(search: Search) -> float:
    """Return the lower bound less what rounding may take of a value near the minimum, as far as the tolerance
    allows.
    """
    state = search.state
    if state.point is None or state.lower == -math.inf:
        return state.lower
    at = state.point[:, None]
    low, high = search.function.evaluate(at, at, 0).value
    spare = state.lower - 2.0 * float(high[0] - low[0])
    return min(state.lower, max(spare, state.best - search.tol * max(1.0, abs(state.best))))


def _checked(
    search: Search, left: Boxes, within: Bounded, prove: bool, keep: bool
) -> tuple[tuple[FoundBox, ...], str | None]:
    """Return the boxes that are left, proved where that can be checked, and with ``keep`` the cover that shows it
    all.
    """
    from gdcli.judge.covers import Told
    from gdcli.solve.global_search.minimiser_boxes import proved

    low, high, one = proved(search, left) if prove else (left.low, left.high, np.zeros(len(left), bool))
    cover = cover_of(
        within,
        Told(_checkable_lower(search), search.state.best, low, high, one),
        search.state.point,
        search.every,
    )
    if one.any():
        low[:, one], high[:, one], one[one] = cover.widened(low[:, one], high[:, one])
    cover.give_room()
    return found_boxes(low, high, one), kept(cover, search.state.examined) if keep else None


def verdict_of(
    search: Search, reason: StopReason | None, extremum: str, found: Outcome
) -> tuple[Status, str, str]:
    state = search.state
    if reason is StopReason.UNBOUNDED:
        return (
            Status.DIVERGED,
            "Diverged: the value has no end within the bounds; there is a pole.",
            "exclude the pole with --bounds",
        )
    if reason is not None and reason.status is not None:
        how, advice = stopped_by(reason)
        told = f"the global {extremum} is enclosed, not yet to the tolerance"
        if state.point is None:
            told = "no point was found yet at which all constraints hold"
        return reason.status, f"{how}: {told}.", advice
    if state.point is None and len(state.left):
        told = (
            "Stalled: no point was found at which all constraints hold, and that there is none is not proved."
        )
        return Status.STALLED, told, "narrow --bounds, or give a point where they hold with --start"
    if state.point is None:
        return (
            Status.INFEASIBLE,
            "No point within the bounds fulfils the constraints; that is proved by intervals.",
            "",
        )
    if state.best - state.lower <= search.tol * max(1.0, abs(state.best)):
        return (Status.CONVERGED, ENCLOSED.format(extremum), "")
    told = f"Stalled: no box can be cut any further, and the bounds of the global {extremum} do not meet."
    return Status.STALLED, told, "narrow --bounds to leave out poles and edges of the domain"
