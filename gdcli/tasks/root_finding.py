"""All roots of a system of equations within bounds, each proved; or the proof that there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gdcli.kernel import budget
from gdcli.kernel.dataclass import NamedTuple, dataclass, replace
from gdcli.kernel.errors import UsageError, shorten
from gdcli.kernel.number_format import amount
from gdcli.kernel.status import Status, StopReason
from gdcli.kernel.vectors import Space, np
from gdcli.solve.settings import Settings
from gdcli.tasks.global_minimum import MOST_EXAMINED, MOST_VARIABLES, bounds_hint, searched, stopped_by
from gdcli.tasks.kept_cover import most_boxes
from gdcli.tasks.pipeline import FoundBox, box_arrays, found_boxes
from gdcli.tasks.problem import listed

if TYPE_CHECKING:
    from gdcli.compile.interval_program import IntervalProgram
    from gdcli.compile.propagation import Propagation
    from gdcli.judge.covers import RootsCover
    from gdcli.language.syntax import Tree
    from gdcli.solve.global_search.root_search import RootSearch, RootState

_NO_EQUATION = "an equation has two sides with == between them", "for example 'x**2 + y == 11'"
# A box that cannot be decided has sides as short, relative to its place (see RootSearch).
DEFAULT_TOL = 1e-8
Teller = Callable[[int, int, int], None]
Array = Any


@dataclass(frozen=True, slots=True)
class System:
    """Equations as typed, each ``f`` for f = 0 or ``f == g``; bounds (lower, upper) of every variable, constants."""

    equations: tuple[str, ...]
    bounds: Mapping[str, tuple[float, float]]
    constants: Mapping[str, Any]

    @property
    def space(self) -> Space:
        return Space(dict.fromkeys(self.bounds))


@dataclass(frozen=True, slots=True)
class Roots:
    """All roots of a ``system``, those not ``proved`` last; no other point within the bounds is one."""

    system: System
    boxes: tuple[FoundBox, ...]
    status: Status
    message: str
    advice: str
    examined: int
    seconds: float
    cover: str | None = None


def read_system(
    equations: Sequence[str], bounds: Sequence[str], constants: Sequence[str] = (), option: str = "--bounds"
) -> System:
    """Return the system that was typed; raises UsageError for what is wrong with it."""
    from gdcli.language import relation
    from gdcli.language.limits import boxes, read_limits
    from gdcli.language.tree_names import variables
    from gdcli.language.values import read_values

    known = {entry.name: entry.value for entry in read_values(constants, "--set", 0)}
    texts = [relation.equations(text, "") for text in equations]
    trees = list(map(_tree, texts))
    names = variables(trees[0], known, (), trees[1:])
    if not names:
        raise UsageError("the equations have no variable", "name what is to be found, for example x**2 == 2")
    ends: Mapping[str, Any] = boxes(read_limits(bounds, option), dict.fromkeys(names))
    missing = [name for name in names if not all(map(math.isfinite, ends.get(name, (-math.inf, math.inf))))]
    if missing:
        raise UsageError(
            f"gd solve needs bounds on every variable: {listed(missing)} without", bounds_hint(missing)
        )
    if len(names) > MOST_VARIABLES:
        hint = "gd minimize the sum of the squares of left sides less right ones finds one solution"
        raise UsageError(
            f"gd solve is for up to {MOST_VARIABLES} variables, and there are {len(names)}", hint
        )
    return System(tuple(texts), {name: ends[name] for name in names}, known)


def _tree(text: str) -> Tree:
    """Return what is to be 0: an expression, or the difference of two sides."""
    from gdcli.language import relation, syntax
    from gdcli.language.tokens import has_comparison

    if not has_comparison(text):
        return syntax.parse(text)
    try:
        found = relation.relation(text, "")
    except UsageError as error:
        if "<" not in text and ">" not in text:
            raise
        raise UsageError(*_NO_EQUATION, error.span) from None
    if found.symbols != ("==",):
        raise UsageError(*_NO_EQUATION, found.span())
    left, right = found.sides
    return found.tree(syntax.Node("sub", None, (left, right), left.start, right.end))


def solve_system(
    system: System, settings: Settings | None = None, tell: Teller | None = None, keep: bool = False
) -> Roots:
    """Find all roots of ``system`` within its bounds; ``tell`` is told of boxes examined, boxes left, roots.

    With ``keep`` the answer has a cover of the bounds that shows that there are no others.

    ``settings`` have the size of boxes that are not cut any more, as ``tol``, and the caps; of ``max_evaluations`` each
    box is one (a million of them). Raises UsageError where there are fewer equations than variables.
    """
    settings = settings or Settings()
    began = perf_counter()
    with budget.limited(replace(settings, max_evaluations=None)):
        search = _search(system, DEFAULT_TOL if settings.tol is None else settings.tol)
        reason = _run(search, settings, tell)
        boxes, cover = _checked(_boxes(search), search, keep and reason in (None, StopReason.MAX_EVALUATIONS))
    status, message, advice = verdict(system, boxes, reason, search.state.is_coarse)
    return Roots(system, boxes, status, message, advice, search.state.examined, perf_counter() - began, cover)


def _checked(
    boxes: tuple[FoundBox, ...], search: RootSearch, keep: bool
) -> tuple[tuple[FoundBox, ...], str | None]:
    """Return the boxes, those that are proved so wide that it can be checked; with ``keep`` the cover that shows it."""
    from gdcli.judge.cover_tree import grown

    cover = cover_of_roots(search.rows, search.holds, boxes)
    cover.see()
    seen = found_boxes(cover.low, cover.high, cover.proved)
    if not keep:
        return seen, None
    most = most_boxes(search.state.examined)
    return seen, grown(search.low, search.high, cover.faces, cover.judge, most)


def cover_of_roots(
    rows: Sequence[IntervalProgram], holds: Propagation, boxes: Sequence[FoundBox]
) -> RootsCover:
    """Return what judges a cover of the bounds by the boxes that are told of the roots of ``rows``."""
    from gdcli.judge.covers import RootsCover

    return RootsCover(rows, holds, *box_arrays(boxes, len(rows[0].keys)))


class Equations(NamedTuple):
    """A system as programs on boxes ``rows`` and what passes demands on them on; the bounds (n,)."""

    rows: list[IntervalProgram]
    holds: Propagation
    low: Array
    high: Array


def equations_of(system: System) -> Equations:
    """Return the programs of a system, without equations that hold whatever the variables are.

    Raises UsageError where there are fewer equations than variables, and none that cannot hold.
    """
    from gdcli.calculus.exact_graph import ExactGraph
    from gdcli.compile.interval_program import interval_program
    from gdcli.compile.propagation import Propagation
    from gdcli.language.form import vector_builder

    graph = ExactGraph()
    build = vector_builder(system.space.lengths, system.constants, True, graph)
    fixed = fixed_equations(system)
    forms = [build(_tree(text)) for text in system.equations if fixed.get(text) is not True]
    roots = [(form, node) for form in forms for node in form.rows]
    count = len(roots) - sum(one is not True for one in fixed.values())
    if count < len(system.bounds) and False not in fixed.values():
        told = f"{amount(count, 'equation')} for {amount(len(system.bounds), 'variable')}"
        raise UsageError(
            f"{told}: roots are no single points",
            "give constants with --set, or as many equations as variables",
        )
    rows = [interval_program(form, 1, node) for form, node in roots]
    low, high = (np.array([pair[k] for pair in system.bounds.values()], dtype=float) for k in (0, 1))
    leaves = [graph.scalar(name) for name in system.bounds]
    return Equations(rows, Propagation(graph, [node for _, node in roots], leaves, (low, high)), low, high)


def fixed_equations(system: System) -> dict[str, bool | None]:
    """Return the equations without a variable, and whether each holds; None where rounding hides that."""
    from gdcli.calculus.exact_graph import ExactGraph
    from gdcli.compile.interval_program import interval_program
    from gdcli.language.form import vector_builder

    found = dict[str, bool | None]()
    for text in system.equations:
        tree = _tree(text)
        if not any(name in system.bounds for name in tree.names):
            form = vector_builder(system.space.lengths, system.constants, True, ExactGraph())(tree)
            point = np.zeros((len(system.bounds), 1))
            ends = [interval_program(form, 1, node).evaluate(point, point, 0) for node in form.rows]
            is_zero = all((one.value[0] == 0.0) & (one.value[1] == 0.0) & one.defined for one in ends)
            is_not = any((one.value[0] > 0.0) | (one.value[1] < 0.0) | one.empty for one in ends)
            found[text] = True if is_zero else False if is_not else None
    return found


def _search(system: System, tol: float) -> RootSearch:
    from gdcli.solve.global_search.root_search import RootSearch

    return RootSearch(*equations_of(system), tol)


def _run(search: RootSearch, settings: Settings, tell: Teller | None) -> StopReason | None:
    most = settings.max_evaluations or MOST_EXAMINED

    def go_on(state: RootState) -> bool:
        budget.check()
        if tell is not None:
            tell(state.examined, len(state.open), len(state.roots))
        return state.examined < most

    reason = searched(lambda: search.run(go_on))
    return StopReason.MAX_EVALUATIONS if reason is None and len(search.state.open) else reason


def _boxes(search: RootSearch) -> tuple[FoundBox, ...]:
    from gdcli.solve.global_search.minimiser_boxes import joined

    left = joined(search.state.undecided.beside(search.state.open), search.gap)
    undecided = found_boxes(left.low, left.high, np.zeros(len(left), bool))
    roots = [
        FoundBox(tuple(root.low.tolist()), tuple(root.high.tolist()), True) for root in search.state.roots
    ]
    return (*sorted(roots), *sorted(undecided))


def verdict(
    system: System, boxes: Sequence[FoundBox], reason: StopReason | None, is_coarse: bool = False
) -> tuple[Status, str, str]:
    status, message, advice = _verdict(boxes, reason, is_coarse)
    return status, " ".join([message, *_told_of_fixed(system)]), advice


def _told_of_fixed(system: System) -> Iterator[str]:
    """Tell what is left of equations without a variable."""
    how = {
        True: "holds, and is left out",
        False: "does not hold",
        None: "holds or not: rounding hides that",
    }
    for text, holds in fixed_equations(system).items():
        yield f"{shorten(' '.join(text.split()), 60)} has no variable and {how[holds]}."


def _verdict(
    boxes: Sequence[FoundBox], reason: StopReason | None, is_coarse: bool
) -> tuple[Status, str, str]:
    found = sum(box.proved for box in boxes)
    left = len(boxes) - found
    roots = f"{found} root{'s' * (found != 1)}"
    others = f"{left} box{'es' * (left != 1)} that may have more"
    if reason is not None and reason.status is not None:
        how, advice = stopped_by(reason)
        return reason.status, f"{how}: so far {roots} proved, and {others}.", advice
    if left and is_coarse:
        from gdcli.solve.global_search.root_search import MOST_UNDECIDED

        return (
            Status.LIMIT,
            f"Stopped where more than {MOST_UNDECIDED} boxes of the finest width cannot be decided: the"
            f" solutions are not isolated but fill a region, or rounding hides which they are. {roots} proved, and"
            f" {others}.",
            "the boxes are wider the more there are: search within narrower --bounds, or add an equation",
        )
    if left:
        advice = "the Jacobian may be singular there: a double root, or a curve of roots"
        return Status.STALLED, f"Stalled: {roots} proved, and {others}.", advice
    if not found:
        return (
            Status.CONVERGED,
            "Converged: there is no root within the bounds; that is proved by intervals.",
            "",
        )
    all_of = "it is the only one" if found == 1 else "there are no others"
    return Status.CONVERGED, f"Converged to {roots}, proved by intervals; {all_of} within the bounds.", ""
