"""Kinks as constraints: where a value only ever rises with ``max(a, b)``, this is the least t with ``t >= a, t >= b``.

So to minimise it is to minimise with t in its place, a variable more, within those rows (the epigraph form: Boyd and
Vandenberghe, Convex Optimization, 2004, section 4.1.3), and what was a kink is smooth. ``abs(a)`` is ``max(a, -a)``;
of what only ever falls with ``min(a, b)`` that is the largest t with ``t <= a, t <= b``. A local minimum of the new
problem is one of the old: next to it the old value is that of the new one at the least t, which is allowed. A kink on
which something depends in both ways, or in none that is known, stays as it is.

The loop and whoever reads its answer see the user's variables and value; the solver has the variables of the kinks
behind them, which at a point of the user's are what the kinks are there.
"""

from __future__ import annotations

from math import inf
from typing import Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import ACTIVE
from gdcli.kernel.vectors import Array, Space, Vector, np, to_list
from gdcli.language.constraints import Constraint
from gdcli.language.form import Form
from gdcli.language.graph import Graph, arguments
from gdcli.objective.constrained import Constrained
from gdcli.objective.constraint_rows import ConstraintRows
from gdcli.objective.expression import ScalarObjective
from gdcli.objective.linear_predictor import copy_into
from gdcli.objective.protocol import Box

# Which way a value moves with another: 1 it never falls as that rises, -1 it never rises.
Ways = frozenset[int]
UP, DOWN = frozenset({1}), frozenset({-1})
_BOTH = UP | DOWN
# Which way they move with each of their arguments, whatever these are. The functions among them are convex: of
# sqrt(abs(a)), a cusp, the new variable would be no smoother than the old ones.
_STEPS = {
    "add": (1, 1), "max": (1, 1), "min": (1, 1), "sub": (1, -1), "neg": (-1,), "exp": (1,), "expm1": (1,)
}  # fmt: skip


class ReplacedKinks:
    """Values and rows of one ``graph`` with kinks replaced by new variables, named as no typed name is.

    ``kinks`` are the nodes that were replaced, ``names`` their variables, and ``rows`` the nodes that are at most 0
    where each variable is on its side.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.kinks: list[int] = []
        self.names: list[str] = []
        self.rows: list[int] = []
        self._variables: dict[int, int] = {}

    def replaced(self, root: int, ways: Ways) -> int:
        """Return the node of ``root`` with its kinks replaced where what is asked moves with it in these ``ways``."""
        ways_of = self._ways_of(root, ways)
        known = {i: self._variable(i) for i, found in ways_of.items() if self._is_replaced(i, found)}
        return copy_into(self.graph, self.graph, root, known)

    def finish(self) -> None:
        """Write the rows of the kinks that were replaced, and of those that are met within these."""
        done = 0
        while done < len(self.kinks):
            kink = self.kinks[done]
            done += 1
            op, *args = self.graph.keys[kink]
            t, sign = self._variables[kink], -1 if op == "min" else 1
            sides = [args[0], self.graph.neg(args[0])] if op == "abs" else args
            for side in sides:
                a = self.replaced(side, UP if sign > 0 else DOWN)
                self.rows.append(self.graph.sub(a, t) if sign > 0 else self.graph.sub(t, a))

    def left(self, root: int) -> list[int]:
        """Return for each kink that is left below ``root`` the node of what is 0 at it."""
        found = []
        for i in self.graph.reach((root,)):
            op, *args = self.graph.keys[i]
            if op in ("abs", "sign"):
                found.append(args[0])
            elif op in ("max", "min"):
                found.append(self.graph.sub(*args))
            elif op == "where":
                found.append(self.graph.sub(args[1], args[2]))
        return found

    def _is_replaced(self, i: int, ways: Ways) -> bool:
        op = self.graph.keys[i][0]
        return (op in ("abs", "max") and ways == UP) or (op == "min" and ways == DOWN)

    def _variable(self, kink: int) -> int:
        if kink not in self._variables:
            name = f"~kink{len(self.kinks)}"
            self._variables[kink] = self.graph.scalar(name)
            self.kinks.append(kink)
            self.names.append(name)
        return self._variables[kink]

    def _ways_of(self, root: int, ways: Ways) -> dict[int, Ways]:
        """In which ways ``root`` moves with each node that is not below a kink that will be replaced."""
        found = {root: ways}
        for i in reversed(self.graph.reach((root,))):
            if i in found and not self._is_replaced(i, found[i]):
                for a, sign in self._steps(i):
                    more = _BOTH if sign is None else frozenset(sign * way for way in found[i])
                    found[a] = found.get(a, frozenset()) | more
        return found

    def _steps(self, i: int) -> list[tuple[int, int | None]]:
        """The arguments of a node, and which way it moves with each of them; None where that is not known."""
        op, args = self.graph.keys[i][0], arguments(self.graph.keys[i])
        if op in _STEPS:
            return list(zip(args, _STEPS[op], strict=True))
        if op == "mul" and args[0] != args[1]:
            return [(args[0], self._sign(args[1])), (args[1], self._sign(args[0]))]
        if op == "div":
            return [(args[0], self._sign(args[1])), (args[1], None)]
        if (
            args
            and self.graph.is_never_negative(args[0])
            and (op in ("mul", "abs") or self._is_positive_power(i))
        ):
            return [(args[0], 1)]
        return [(a, None) for a in args]

    def _is_positive_power(self, i: int) -> bool:
        op, *args = self.graph.keys[i]
        exponent = self.graph.value_of(args[1]) if op == "pow" else None
        return exponent is not None and exponent > 0.0

    def _sign(self, i: int) -> int | None:
        """1 for what is never negative, -1 for a negative number, None for all else."""
        value = self.graph.value_of(i)
        if value is not None and value < 0.0:
            return -1
        return 1 if self.graph.is_never_negative(i) else None


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
