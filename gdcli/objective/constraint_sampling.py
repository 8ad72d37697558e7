"""Constraints at many places: what a picture of where they hold needs."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from gdcli.compile.runners import batch_function, numpy
from gdcli.objective.expression import leaves_of

if TYPE_CHECKING:
    from gdcli.kernel.space import Space
    from gdcli.language.constraints import Constraint


class SlackSampler:
    """How far each of ``constraints``, whose Forms are expanded in one graph, is from its nearest side."""

    def __init__(self, constraints: Sequence[Constraint], space: Space) -> None:
        rows = {key: i for i, key in enumerate(leaves_of(space))}
        roots = [row for constraint in constraints for row in constraint.form.rows]
        self._program = batch_function(constraints[0].form.graph, roots, rows)
        self._constraints = constraints

    def slacks(
        self, which: Sequence[int], places: Sequence[Sequence[float]], base: Sequence[float]
    ) -> list[list[float]]:
        """Return for each constraint its slack at ``base`` (flat) with its components ``which`` set to each place.

        Where the slack is negative the constraint is broken; that of an equation is its left side less its right one.
        A vector has that of its worst component.
        """
        np = numpy()
        points = np.repeat(np.array(base, dtype=float)[:, None], len(places), axis=1)
        points[list(which)] = np.array(places, dtype=float).T
        with np.errstate(all="ignore"):
            values = [np.broadcast_to(v, len(places)) for v in self._program(points)]
        found, at = list[list[float]](), 0
        for constraint in self._constraints:
            lower, upper = constraint.sides()
            worst: Any = np.full(len(places), inf)
            for low, high, value in zip(lower, upper, values[at:], strict=False):
                inside = value - low if low == high else np.minimum(value - low, high - value)
                worst = np.minimum(worst, inside)
            at += len(lower)
            found.append(worst.tolist())
        return found
