"""A cover of the bounds that shows what a search has found out: kept with the answer, so that it can be checked without
searching again.

It is no record of the search: the whole box is cut anew until each part can be judged by itself
(:mod:`gdcli.judge.covers`), from nothing but the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.vectors import np
from gdcli.tasks.proved import box_program

if TYPE_CHECKING:
    from gdcli.compile.interval_program import IntervalProgram
    from gdcli.compile.propagation import Propagation
    from gdcli.judge.covers import GlobalCover, RootsCover, Told
    from gdcli.language.constraints import ConstraintRow
    from gdcli.tasks.problem import Problem

# By so much of max(1, its side) a constraint may be broken, as the local methods have it.
FEASIBLE = 1e-8
ENCLOSED = "Converged to the global {} within the bounds; that is proved by intervals."
# So many boxes a box of the search may take, and a search of a few boxes in all.
_EACH, _LEAST = 8, 4000
Array = Any


class Bounded(NamedTuple):
    """A problem as what bounds it on boxes: the function to be minimised, constraints with their ``sides``.

    ``low`` to ``high`` are the bounds (n,); ``holds`` is the propagation of all functions, where they have a graph.
    """

    function: Any
    low: Array
    high: Array
    rows: Sequence[IntervalProgram] = ()
    sides: Sequence[tuple[float, float]] = ()
    holds: Propagation | None = None

    def box_at(self, point: Array) -> tuple[Array, Array] | None:
        """Return a box around a point next to ``point`` (n,) at which all constraints hold; None where none is seen."""
        from gdcli.objective.interval_constraints import feasible_box

        return feasible_box(point, self.rows, self.sides, self.low, self.high)

    def certain(self, point: Array) -> tuple[Array, float] | None:
        """Return a point at ``point`` or next to it, and an upper bound of the function where all constraints hold next
        to it; None where that is not seen.
        """
        from gdcli.objective.interval_constraints import highest

        box = self.box_at(point)
        if (
            box is not None and box[0] is not box[1]
        ):  # what is told is a point: the bound is that of the box around it
            point = 0.5 * (box[0] + box[1])
            box = self.box_at(point)
        return None if box is None else (point, highest(self.function, *box))

    def sides_at(self, point: Array = None) -> list[tuple[float, float]]:
        """Return what constraints are held to: as they were typed, if all hold for certain at or next to ``point``.

        Else each may be broken by 1e-8 of its side, at least of 1.
        """
        from gdcli.solve.global_search.box_list import relaxed

        certain = point is not None and self.box_at(point) is not None
        return list(self.sides) if certain else relaxed(self.sides, FEASIBLE)


def bounded(
    problem: Problem, rows: Sequence[ConstraintRow], low: Sequence[float], high: Sequence[float]
) -> Bounded:
    """Return the programs of a problem on boxes; ``rows`` are its constraints that are no bounds."""
    from gdcli.compile.interval_program import IntervalProgram
    from gdcli.compile.propagation import Propagation
    from gdcli.language import constraints

    function = box_program(problem)
    graph, roots, sides = function.graph, [function.root], []
    for row in constraints.build(rows, problem.lengths, problem.constants, True, graph) if rows else ():
        lower, upper = row.sides()
        roots += row.form.rows
        sides += list(zip(lower, upper, strict=True))
    programs = [IntervalProgram(graph, node, function.keys, 1) for node in roots[1:]]
    least, most = (np.array(end, dtype=float) for end in (low, high))
    holds = Propagation(graph, roots, list(map(graph.leaf, function.keys)), (least, most))
    return Bounded(function, least, most, programs, sides, holds)


def cover_of(problem: Bounded, told: Told, point: Array = None, every: bool = False) -> GlobalCover:
    """Return what judges a cover of the bounds; with constraints ``point`` is where their multipliers are found."""
    from gdcli.judge.covers import Demand, GlobalCover
    from gdcli.objective.interval_constraints import lagrangian_of

    sides = problem.sides_at(point)
    demands = [Demand(row, *ends) for row, ends in zip(problem.rows, sides, strict=True)]
    weighted = None
    if demands and point is not None:
        weighted = lagrangian_of(problem.function, problem.rows, sides, problem.low, problem.high)(point)
    return GlobalCover(
        problem.function, problem.low, problem.high, told, demands, weighted, every, problem.holds
    )


def most_boxes(examined: int) -> int:
    """Return how many boxes a cover may take that is kept, after a search of so many."""
    from gdcli.judge.cover_tree import MOST_BOXES

    return min(MOST_BOXES, max(_LEAST, _EACH * examined))


def kept(cover: GlobalCover, examined: int) -> str | None:
    """Return the cover as a text; None where it would take too many boxes."""
    from gdcli.judge.cover_tree import grown

    return grown(cover.low, cover.high, cover.faces, cover.judge, most_boxes(examined))


def faults_of_cover(cover: GlobalCover | RootsCover, text: str, low: Array, high: Array) -> list[str]:
    """Return what does not follow from a stored cover of the box ``low`` to ``high``; nothing where it shows all."""
    from gdcli.judge.cover_tree import judged, leaves

    try:
        low, high = leaves(text, low, high, cover.faces)
    except ValueError as fault:
        return [str(fault)]
    left = low.shape[1] - int(judged(cover.judge, low, high).settled.sum())
    return [f"of {low.shape[1]} boxes of the cover {left} are not as they should be"] if left else []
