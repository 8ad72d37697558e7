"""What an expression divides by, and where that is zero: its poles.

A divisor of a model such as ``Km + S`` depends on parameters and on the row. Where it is above zero in some rows and
below in others there is a pole among the rows, and between two sets of parameters for which it has another sign in some
row there is a point at which the model is infinite in that row: no descent leads across it.

So does a line search that tries a long step land beyond a pole, as one from 3 does on ``1/x + x``, at a lower value
that no descent leads to. A change of sign alone is no pole: ``sin(x)/x`` goes on through 0 as if nothing were there. So
the place where the sign changes is found by halving, and the value is looked at on the way to it: towards a pole of the
order p each halving of the distance brings 2**p times as much as the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import isfinite
from operator import or_
from typing import TYPE_CHECKING, Any, Protocol

from gdcli.kernel.vectors import Vector, along, any_negative, extremes, times
from gdcli.language.form import Form, build_row
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph
from gdcli.language.tree_names import all_nodes

if TYPE_CHECKING:
    from gdcli.objective.row_model import Ask, Merge, RowModel


def divisors(row: RowModel) -> list[int]:
    """Return the nodes that the loss of a row divides by and whose sign parameters can change."""
    return changing_divisors(row.graph, row.loss, row.depends)


def changing_divisors(graph: Graph, root: int, depends: Callable[[int], bool]) -> list[int]:
    """Return what is divided by on the way to ``root`` and may change its sign; of products the factors.

    ``depends`` tells whether a node changes at all. What only one branch of a choice divides by is left out: elsewhere
    its sign means nothing.
    """
    found: dict[int, None] = {}
    # What is computed whichever way each choice goes.
    for i in graph.reach((root,), below=graph.needed_first):
        for factor in _factors(graph, _divisor(graph, i)):
            if depends(factor) and not graph.is_never_negative(factor):
                found[factor] = None
    return list(found)


def _divisor(graph: Graph, i: int) -> int | None:
    key = graph.keys[i]
    if key[0] == "div":
        return int(key[2])
    if key[0] == "pow" and (graph.value_of(key[2]) or 0.0) < 0.0:
        return int(key[1])
    below = FUNCTIONS[key[0]].divisor if key[0] in FUNCTIONS else ""
    return graph.call(below, key[1]) if below else None


def _factors(graph: Graph, i: int | None) -> Iterator[int]:
    """The factors of a product; of a quotient those above, for those below are divisors themselves."""
    if i is None:
        return
    key = graph.keys[i]
    if key[0] == "mul":
        yield from _factors(graph, key[1])
        yield from _factors(graph, key[2])
    elif key[0] in ("neg", "div", "pow"):
        yield from _factors(graph, key[1])
    else:
        yield i


class DividingRows(Protocol):
    """An objective over rows, asked for what it divides by in each; see `objective.row_objective.RowObjective`."""

    row: RowModel

    def nodes(self, name: str) -> list[int]: ...
    def vectors(self, name: str, x: Sequence[float], quick: bool = False) -> Iterator[list[Vector]]: ...
    def over(self, ask: Ask, merge: Merge, *args: object) -> Any: ...


class DivisorSigns:
    """On which side of zero each divisor is in each row: the part of the parameters that the poles fence in around x.

    A divisor that has one sign in all rows has its sign here, another has None, and is compared row by row.
    """

    def __init__(self, objective: DividingRows, x: Vector, signs: list[float | None]) -> None:
        self.objective, self.x, self.signs = objective, x, signs

    @classmethod
    def at(cls, objective: DividingRows, x: Vector) -> DivisorSigns | None:
        """Return the sides at x; None where nothing is divided by that can change its sign."""
        if not objective.nodes("divisors"):
            return None
        ends = _ends(objective, x)
        return cls(objective, x, [1.0 if low > 0.0 else -1.0 if high < 0.0 else None for low, high in ends])

    def has(self, x: Vector) -> bool:
        """Tell whether every divisor has the same sign at x, where it is not zero."""
        for sign, (low, high) in zip(self.signs, _ends(self.objective, x), strict=True):
            if (sign == 1.0 and low < 0.0) or (sign == -1.0 and high > 0.0):
                return False
        return None not in self.signs or not self.objective.over(_is_crossed, or_, tuple(self.x), tuple(x))


def _is_crossed(objective: DividingRows, x: Sequence[float], y: Sequence[float]) -> bool:
    """Tell whether a divisor has another sign at y than at x in some row."""
    pieces = [objective.vectors("divisors", at) for at in (x, y)]
    return any(
        any_negative(times(here, there))
        for one, other in zip(*pieces, strict=True)
        for here, there in zip(one, other, strict=True)
    )


_Ends = list[tuple[float, float]]


def _ends(objective: DividingRows, x: Vector) -> _Ends:
    """The least and the largest value of each divisor in any row."""
    found: _Ends = objective.over(_ends_here, _wider, tuple(x))
    return found


def _wider(one: _Ends, other: _Ends) -> _Ends:
    return [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other, strict=True)]


def _ends_here(objective: DividingRows, x: Sequence[float]) -> _Ends:
    nodes = objective.nodes("divisors")
    low, high = [float("inf")] * len(nodes), [-float("inf")] * len(nodes)
    for values in objective.vectors("divisors", x, quick=True):
        ends = list(map(extremes, values))
        low = [min(a, least) for a, (least, _) in zip(low, ends, strict=True)]
        high = [max(a, largest) for a, (_, largest) in zip(high, ends, strict=True)]
    return list(zip(low, high, strict=True))


def pole_among(objective: DividingRows, x: Vector) -> str:
    """Say which divisor changes its sign between the rows at ``x``, and from what to what; "" where none does."""
    nodes = objective.nodes("divisors")
    for node, (low, high) in zip(nodes, _ends(objective, x) if nodes else (), strict=True):
        if low < 0.0 < high:
            return f"{_text_of(objective.row, node)} goes from {low:.4g} to {high:.4g}"
    return ""


def _text_of(row: RowModel, node: int) -> str:
    """A divisor as typed: that of the division it is a factor of."""
    graph = row.graph
    lengths: dict[str, int | None] = {**row.names.parameters, **dict.fromkeys(row.names.columns)}
    for tree in row.model.texts:
        known = {name: value for name, value in row.constants.items() if name in tree.names}
        for typed in all_nodes(tree.root):
            if typed.op not in ("div", "pow"):
                continue
            below = typed.args[1] if typed.op == "div" else typed.args[0]
            made = build_row(tree._replace(root=below), graph, lengths, known, row.names.matrices)
            if node in _factors(graph, made):
                return tree.piece(below).strip()
    return "what it divides by"


# -- on the way between two points -------------------------------------------------------------------------------------

# What is divided by, at a point: numbers, and arrays where there is one of each element of a long vector.
Divisors = Callable[[Vector], Sequence[Any]]

# So many halvings reach a pole right beside the start of a way that goes on to the end of the numbers.
_HALVINGS = 1100
# The value is looked at after so many halvings of the distance from the pole: near enough for the pole to be all that
# changes it, far enough for numerator and divisor of a quotient that has none to have half their digits.
_LOOKS = range(14, 22)
# A rise is at least so many times the one before, for a pole of the order a third.
_GROWTH = 1.2


class PoleCrossings:
    """Finds poles on the way from one point to another."""

    def __init__(self, value: Callable[[Vector], float], divisors: Divisors) -> None:
        self.value, self.divisors = value, divisors
        self._here: tuple[Any, Sequence[Any]] = None, ()

    def between(self, x: Vector, y: Vector) -> Vector | None:
        """Return the point on the way from x to y where the value is infinite; None where there is no such."""
        if self._here[0] is not x:
            self._here = x, self.divisors(x)
        here = self._here[1]
        for i, (a, b) in enumerate(zip(here, self.divisors(y), strict=True)):
            if not _differ(a, b):
                continue
            part = self._first_change(x, y - x, i, a)
            if self._grows(x, y - x, part):
                return along(x, part, y - x)
        return None

    def _first_change(self, x: Vector, way: Vector, index: int, sign: object) -> float:
        """Return the part of the ``way`` from x after which a divisor has not the same sign as at x."""
        same, other = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = 0.5 * (same + other)
            if middle in (same, other):
                break
            if _differ(sign, self.divisors(along(x, middle, way))[index]):
                other = middle
            else:
                same = middle
        return other

    def _grows(self, x: Vector, way: Vector, part: float) -> bool:
        """Tell whether the value goes to infinity towards the end of ``part`` of the ``way`` from x."""
        values = [self.value(along(x, part * (1.0 - 2.0**-k), way)) for k in _LOOKS]
        if not all(map(isfinite, values)):
            return True
        rises = [b - a for a, b in pairwise(values)]
        return all(a * b > 0.0 and abs(b) >= _GROWTH * abs(a) for a, b in pairwise(rises))


def _differ(a: Any, b: Any) -> bool:
    """Tell whether two numbers, or two elements of arrays, are on different sides of 0."""
    apart = (a > 0.0) & (b < 0.0) | (a < 0.0) & (b > 0.0)
    return apart if isinstance(apart, bool) else bool(apart.any())


def crossings_of(
    form: Form, value: Callable[[Vector], float], programs: Callable[[list[int]], Divisors]
) -> PoleCrossings | None:
    """Return what finds the poles of an expression; None where nothing is divided by that may change its sign.

    ``value`` and ``programs`` are those of its objective; the latter make a function of nodes of its graph.
    """
    graph = form.graph

    def changes(node: int) -> bool:
        keys = (graph.keys[i] for i in graph.reach((node,)))
        return any(key[0] in ("scalar", "element", "slice") and key[1] in form.lengths for key in keys)

    found = changing_divisors(graph, form.root, changes)
    return PoleCrossings(value, programs(found)) if found else None
