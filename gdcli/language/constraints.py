"""Constraints as graphs: ``lower <= c(x) <= upper``, with a row function c that is a number or a vector.

What of the typed sides is constant becomes a side here, so that c is what was typed: of ``x**2 + y**2 <= 1`` the left
side, of ``x <= y`` the difference. A constraint that is a straight line in one variable alone is a bound of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.errors import InfeasibleError, Span, UsageError
from gdcli.language import form, interpreter, tree_names
from gdcli.language.form import Form
from gdcli.language.functions import CONSTANTS
from gdcli.language.graph import Graph, Key
from gdcli.language.relation import Relation
from gdcli.language.syntax import Node, Tree, postorder

# A side: a number, or one for each component of the row function.
Side = Any


@dataclass(frozen=True, slots=True)
class Constraint:
    """``lower <= c(x) <= upper`` as typed in ``text``, which stands at ``span``.

    ``form`` has c, a number or a vector, over all variables of the problem. The sides are numbers, or lists of one for
    each component; a missing side is infinite, and those of an equation are equal.
    """

    text: str
    form: Form
    lower: Side
    upper: Side
    span: Span

    @property
    def is_equation(self) -> bool:
        return bool(self.lower == self.upper)

    def sides(self) -> tuple[list[float], list[float]]:
        """Return the lower and the upper side of each component."""
        count = self.form.length or 1
        lower, upper = (
            list(side) if isinstance(side, list) else [side] * count for side in (self.lower, self.upper)
        )
        return lower, upper


class ConstraintRow(NamedTuple):
    """A row function with the constant trees that are its sides, None where there is none, before it is a graph."""

    text: str
    tree: Tree
    lower: Tree | None
    upper: Tree | None
    span: Span


class BoundRow(NamedTuple):
    """A constraint ``lower <= factor*x + shift <= upper`` on the elements ``places`` of one variable (None: a number).

    ``ends`` are the bounds of the variable that it is: numbers, or lists of one for each place.
    """

    text: str
    name: str
    places: range | None
    factor: float
    shift: float
    lower: Side
    upper: Side
    span: Span

    @property
    def ends(self) -> tuple[Side, Side]:
        low, high = (_each(lambda s: (s - self.shift) / self.factor, s) for s in (self.lower, self.upper))
        return (low, high) if self.factor > 0 else (high, low)


def rows_of(relations: Sequence[Relation], constants: Container[str]) -> Iterator[ConstraintRow]:
    """Yield the row functions of typed constraints; ``constants`` are the names that have a value.

    A chain between two constants is one row, any other a row for each of its comparisons. Raises UsageError for an
    equation, and InfeasibleError for an inequality, between constants that does not hold.
    """
    for relation in relations:
        yield from _rows(relation, constants)


def _rows(relation: Relation, constants: Container[str]) -> Iterator[ConstraintRow]:
    fixed = [_is_constant(side, constants) for side in relation.sides]
    if fixed == [True, False, True]:
        low, high = (relation.tree(relation.sides[i]) for i in (0, 2))
        if relation.symbols[0] == ">=":
            low, high = high, low
        yield ConstraintRow(relation.piece(), relation.tree(relation.sides[1]), low, high, relation.span())
        return
    for i, symbol in enumerate(relation.symbols):
        yield _pair(relation, i, symbol, fixed[i], fixed[i + 1])


def _pair(relation: Relation, i: int, symbol: str, left_fixed: bool, right_fixed: bool) -> ConstraintRow:
    left, right = relation.sides[i : i + 2]
    span, text = relation.span(i, i + 1), relation.piece(i, i + 1)
    if left_fixed and not right_fixed:  # 1 <= x is x >= 1
        symbol = {"<=": ">=", ">=": "<=", "==": "=="}[symbol]
        node, side = right, relation.tree(left)
    elif right_fixed:
        node, side = left, relation.tree(right)
    else:
        node = Node("sub", None, (left, right), span.start, span.end)
        side = relation.tree(Node("number", 0.0, (), span.start, span.end))
    lower = side if symbol in (">=", "==") else None
    upper = side if symbol in ("<=", "==") else None
    return ConstraintRow(text, relation.tree(node), lower, upper, span)


def _is_constant(root: Node, constants: Container[str]) -> bool:
    for node in tree_names.all_nodes(root):
        name = tree_names.name_of(node)
        if name is not None and name not in CONSTANTS and name not in constants:
            return False
    return True


def build(
    rows: Sequence[ConstraintRow],
    lengths: Mapping[str, int | None],
    constants: Mapping[str, Any],
    expand: bool = False,
    graph: Graph | None = None,
) -> list[Constraint]:
    """Return the constraints of ``rows`` with their row functions in one graph, a new one unless one is given.

    ``lengths`` has the variables of the whole problem (None: a number). With ``expand`` each element of a vector is a
    leaf of its own, as in :func:`gdcli.language.form.build`. Raises UsageError, with the place in the text, for unknown
    names and shapes that do not fit.
    """
    graph = Graph() if graph is None else graph
    make = form.vector_builder(lengths, constants, expand, graph)
    return [_constraint(row, make, constants) for row in rows]


def _constraint(row: ConstraintRow, make: Callable[[Tree], Form], constants: Mapping[str, Any]) -> Constraint:
    made = make(row.tree)
    lower, upper = (_side(side, constants) for side in (row.lower, row.upper))
    longest = max((len(side) for side in (lower, upper) if isinstance(side, list)), default=None)
    if longest is not None and made.length is None:  # a number within vectors of limits: a row for each
        made = make(_spread(row))
    for side in (lower, upper):
        if isinstance(side, list) and len(side) != made.length:
            what = f"the sides of {row.text} have {made.length} and {len(side)} elements"
            raise UsageError(what, "slices such as v[1:] make lengths agree", row.span)
    lower = -math.inf if lower is None else lower
    upper = math.inf if upper is None else upper
    return Constraint(row.text, made, lower, upper, row.span)


def _spread(row: ConstraintRow) -> Tree:
    """A number added to zero times a vector of limits: as many times the number."""
    side = row.upper or row.lower
    assert side is not None
    start, end = row.span.start, row.span.end
    zero = Node("mul", None, (Node("number", 0.0, (), start, end), side.root), start, end)
    return row.tree._replace(root=Node("add", None, (row.tree.root, zero), start, end))


def _side(tree: Tree | None, constants: Mapping[str, Any]) -> Side:
    """The value of a constant side, a number or a list of them; None where there is none."""
    if tree is None:
        return None
    if tree.root.op == "number":  # as most are, and of many constraints all
        return tree.root.value
    form.vector_builder({}, constants, False, Graph())(
        tree
    )  # what is wrong with it is told as for any expression
    value = interpreter.any_value(tree, constants)
    if not all(map(math.isfinite, value if isinstance(value, list) else [value])):
        raise tree.error(tree.root, "this side is not a finite number")
    return value


def split_bounds(
    rows: Sequence[ConstraintRow],
    lengths: Mapping[str, int | None],
    constants: Mapping[str, Any],
    ends: Mapping[str, tuple[Any, Any]] | None = None,
) -> tuple[list[ConstraintRow], list[BoundRow]]:
    """Return the rows that stay constraints, and those that are bounds of one variable.

    Equations stay: a variable that has to be a number is not left out of the answer. So do all rows where bounds
    contradict each other, or the bounds ``ends`` that there are: the run tells what cannot hold together. Raises as
    :func:`build`, and for rows without a variable: InfeasibleError where they do not hold; those that do are left out.
    """
    kept: list[ConstraintRow] = []
    all_rows: list[ConstraintRow] = []
    bounds: list[BoundRow] = []
    make = form.vector_builder(lengths, constants, False, Graph())
    for row in rows:
        names = _variables(row.tree, lengths)
        if not names:
            _check_constant(row, constants)
            continue
        all_rows.append(row)
        if row.lower is not row.upper and len(names) == 1 and (bound := _bound(row, make, constants)):
            bounds.append(bound)
        else:
            kept.append(row)
    try:
        merged(ends or {}, bounds, lengths)
    except InfeasibleError:
        return all_rows, []
    return kept, bounds


def _variables(tree: Tree, lengths: Container[str]) -> set[str]:
    """The variables in a row, those of named parts included."""
    typed = filter(None, map(tree_names.name_of, tree_names.all_nodes(tree.root)))
    free = (name for each in typed for name in (tree.parts[each].names if each in tree.parts else (each,)))
    return {name for name in free if name in lengths}


def _bound(row: ConstraintRow, make: Callable[[Tree], Form], constants: Mapping[str, Any]) -> BoundRow | None:
    if any(node.op in ("call", "where") for node in postorder(row.tree.root)):
        return None
    made = make(row.tree)
    found = _affine(made.graph, made.root)
    if found is None:
        return None
    leaf, factor, shift = found
    name, places = _places(made.graph.keys[leaf])
    lower, upper = (_side(side, constants) for side in (row.lower, row.upper))
    if any(isinstance(side, list) and len(side) != made.length for side in (lower, upper)):
        return None  # told where the row is built
    lower = -math.inf if lower is None else lower
    upper = math.inf if upper is None else upper
    return BoundRow(row.text, name, places, factor, shift, lower, upper, row.span)


def _places(leaf: Key) -> tuple[str, range | None]:
    """The variable of a leaf, and which of its elements (None for a number)."""
    if leaf[0] == "scalar":
        return leaf[1], None
    if leaf[0] == "element":
        return leaf[1], range(leaf[2], leaf[2] + 1)
    _, name, start, step, length = leaf
    return name, range(start, start + step * (length - 1) + 1, step)


def _affine(graph: Graph, root: int) -> tuple[int, float, float] | None:
    """Return (leaf, factor, shift) of a node that is factor*leaf + shift by a few operations; None for any other."""
    factor, shift, node = 1.0, 0.0, root  # the value is factor*node + shift
    while graph.keys[node][0] not in ("scalar", "element", "slice"):
        peeled = _peeled(graph, graph.keys[node])
        if peeled is None:
            return None
        node, times, plus = peeled
        factor, shift = factor * times, shift + factor * plus
    return (node, factor, shift) if math.isfinite(shift) and 0 < abs(factor) < math.inf else None


def _peeled(graph: Graph, key: Key) -> tuple[int, float, float] | None:
    """Return (node, factor, shift) of an operation that is factor*node + shift; None for any other."""
    if key[0] == "neg":
        return key[1], -1.0, 0.0
    if key[0] not in ("add", "sub", "mul", "div"):
        return None
    a, b = graph.value_of(key[1]), graph.value_of(key[2])
    if (a is None) == (b is None):
        return None
    if b is not None:
        by_right = {"add": (1.0, b), "sub": (1.0, -b), "mul": (b, 0.0), "div": (1.0 / b if b else 0.0, 0.0)}
        return (key[1], *by_right[key[0]])
    by_left = {"add": (1.0, a), "sub": (-1.0, a), "mul": (a, 0.0)}
    return (key[2], *by_left[key[0]]) if key[0] in by_left else None  # type: ignore[return-value]


def _check_constant(row: ConstraintRow, constants: Mapping[str, Any]) -> None:
    """Raise InfeasibleError for a comparison between constants that does not hold."""
    value = _side(row.tree, constants)
    for side, sign in ((row.lower, 1.0), (row.upper, -1.0)):
        limit = _side(side, constants)
        if limit is None:
            continue
        pairs = _paired(row, value, limit)
        if any(sign * (a - b) < 0.0 for a, b in pairs):
            raise InfeasibleError(
                f"{row.text} has no variable, and does not hold",
                "leave it out, or change the constants in it",
                row.span,
            )


def _paired(row: ConstraintRow, value: Side, limit: Side) -> list[tuple[float, float]]:
    count = next((len(v) for v in (value, limit) if isinstance(v, list)), 1)
    both = [v if isinstance(v, list) else [v] * count for v in (value, limit)]
    if len(both[0]) != len(both[1]):
        raise UsageError(
            f"the sides of {row.text} have {len(both[0])} and {len(both[1])} elements",
            "both need as many",
            row.span,
        )
    return list(zip(*both, strict=True))


def _each(change: Callable[[float], float], side: Side) -> Side:
    return [change(s) for s in side] if isinstance(side, list) else change(side)


def merged(
    bounds: Mapping[str, tuple[Any, Any]], rows: Sequence[BoundRow], lengths: Mapping[str, int | None]
) -> dict[str, tuple[Any, Any]]:
    """Return the bounds of variables, (lower, upper) by name, with those that ``rows`` add.

    Raises InfeasibleError where two of them contradict each other.
    """
    found = {name: (_each(float, low), _each(float, high)) for name, (low, high) in bounds.items()}
    by: dict[tuple[str, int | None, int], str] = {}
    for row in rows:
        length = lengths[row.name]
        if row.name not in found:
            low, high = ((none if length is None else [none] * length) for none in (-math.inf, math.inf))
            found[row.name] = (low, high)
        ends = row.ends
        for k, place in enumerate(row.places or (None,)):
            for side, end in enumerate(ends):
                limit = end[k] if isinstance(end, list) else end
                _tighten(found, by, row, place, side, limit)
    return found


def _tighten(
    found: dict[str, Any],
    by: dict[tuple[str, int | None, int], str],
    row: BoundRow,
    place: int | None,
    side: int,
    limit: float,
) -> None:
    """Move one end of the bounds of a variable, where ``limit`` is tighter."""
    ends = found[row.name]
    old = ends[side] if place is None else ends[side][place]
    other = ends[1 - side] if place is None else ends[1 - side][place]
    if (limit <= old) if side == 0 else (limit >= old):
        return
    if (limit > other) if side == 0 else (limit < other):
        label = row.name if place is None else f"{row.name}[{place}]"
        first = by.get((row.name, place, 1 - side)) or f"the bound {label} {('<=', '>=')[side]} {other:g}"
        raise InfeasibleError(
            f"no point fulfils both {first} and {row.text}", "change one of them, or leave it out", row.span
        )
    by[row.name, place, side] = row.text
    if place is None:
        found[row.name] = (limit, ends[1]) if side == 0 else (ends[0], limit)
    else:
        ends[side][place] = limit
