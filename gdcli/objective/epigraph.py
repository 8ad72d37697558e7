"""A constrained problem with its kinks as constraints (:mod:`gdcli.objective.replaced_kinks`).

The loop and whoever reads its answer see the user's variables and value; the solver has the variables of the kinks
behind them, which at a point of the user's are what the kinks are there.
"""

from __future__ import annotations

from math import inf
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import ACTIVE
from gdcli.kernel.space import Space
from gdcli.kernel.vectors import Array, Vector, np, to_list
from gdcli.language.constraints import Constraint
from gdcli.language.form import Form
from gdcli.language.graph import Graph
from gdcli.objective.box import Box
from gdcli.objective.constrained import Constrained
from gdcli.objective.constraint_rows import ConstraintRows
from gdcli.objective.expression import ScalarObjective
from gdcli.objective.linear_predictor import copy_into
from gdcli.objective.replaced_kinks import DOWN, UP, ReplacedKinks, Ways


class Left(NamedTuple):
    """What is 0 at the kinks that are left, as rows, and the row of the problem that has each (-1: its value has)."""

    rows: ConstraintRows
    owners: list[int]


class InEpigraph(Constrained):
    """The problem ``plain`` with kinks ``replaced``: its objective is then ``inner``, its constraints are ``rows``."""

    def __init__(
        self,
        plain: Constrained,
        inner: ScalarObjective,
        rows: ConstraintRows,
        replaced: ReplacedKinks,
        left: Left,
    ) -> None:
        more = [inf] * len(replaced.kinks)
        box = plain.bounds
        wide = Box(inner.vector([*box.lower, *(-a for a in more)]), inner.vector([*box.upper, *more]))
        super().__init__(inner, rows, wide)
        self.bounds = box  # of the points of the loop
        self._plain, self._kinks = plain, rows.function(replaced.kinks)

        self._left = left

    @property
    def typed(self) -> Constrained:
        return self._plain

    def whole(self, x: Vector) -> Any:
        known = [*to_list(x), *[0.0] * (self.size - len(x))]  # the kinks do not depend on their own variables
        known[len(x) :] = self._kinks(known)
        return np.array(known, dtype=float)

    def vector(self, flat: Vector) -> Vector:
        return self._plain.vector(flat[: self._plain.size])

    def is_at_a_kink(self, x: Array, active: Array) -> bool:
        if not self._left.owners:
            return False
        rows = self._left.rows
        away = np.linalg.norm(rows.jacobian(x) * self.units(x), axis=1)
        near = ~(abs(rows.values(x)) > ACTIVE * away)
        return bool((near & np.isin(self._left.owners, [-1, *self.row[active]])).any())

    def value_at(self, x: Vector, value: float) -> float:
        return self._plain.inner.evaluate(x).value


def in_epigraph(plain: Constrained) -> Constrained:
    """Return the problem with its kinks as constraints; as it is where there are none that may be."""
    typed, constraints = plain.inner, plain.expanded
    if not (isinstance(typed, ScalarObjective) and constraints):
        return plain
    graph = Graph()
    replaced = ReplacedKinks(graph)
    root = replaced.replaced(copy_into(graph, typed.form.graph, typed.root, {}), UP)
    rows = [
        [replaced.replaced(copy_into(graph, one.form.graph, node, {}), ways) for node in one.form.rows]
        for one, ways in ((one, _ways(one)) for one in constraints)
    ]
    replaced.finish()
    left = [(-1, node) for node in replaced.left(root)]
    numbered = enumerate([*(node for nodes in rows for node in nodes), *replaced.rows])
    left += [(i, node) for i, each in numbered for node in replaced.left(each)]
    if not (replaced.kinks or left):
        return plain
    lengths = typed.form.lengths | dict.fromkeys(replaced.names)
    space = Space(lengths)

    def form(*nodes: int) -> Form:
        return Form(typed.form.tree, graph, nodes[0], lengths, {}, True, nodes)

    def extra(node: int, upper: float) -> Constraint:
        return Constraint("", form(node), -inf, upper, constraints[0].span)

    made = [
        Constraint(one.text, form(*nodes), one.lower, one.upper, one.span)
        for one, nodes in zip(constraints, rows, strict=True)
    ]
    made += [extra(node, 0.0) for node in replaced.rows]
    inner = ScalarObjective(form(root), space)
    inner.counts = typed.counts
    kinks = Left(ConstraintRows([extra(node, inf) for _, node in left], space), [i for i, _ in left])
    return InEpigraph(plain, inner, ConstraintRows(made, space), replaced, kinks)


def _ways(constraint: Constraint) -> Ways:
    """In which ways the value of a constraint may move and it still holds, turned round: how it may not be met."""
    lower, upper = constraint.sides()
    falls = all(end == -inf for end in lower)
    rises = all(end == inf for end in upper)
    return UP if falls and not rises else DOWN if rises and not falls else UP | DOWN
