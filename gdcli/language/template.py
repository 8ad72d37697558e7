"""An expression graph that serves many problems which differ in their constants alone.

A graph folds operations on numbers, and leaves out what 0, 1 and -1 make superfluous; so its shape depends on the
constants, yet rarely on their very values. A `TemplateGraph` is built with the constants of one problem and writes
down where each number came from and which questions were asked about it. `numbers` answers for other constants:
the numbers that would stand in the graph, if the graph would have the very same shape, else None. A program that
reads those numbers by name therefore computes, bit for bit, what the other problem's own program would compute.

The shape depends on numbers in four ways, and no other: equal numbers are one leaf; 0, 1 and -1 simplify; the
exponents 2, 3 and 4 are products; a ``where`` between numbers is decided at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gdcli.kernel.numerics import SMALLEST
from gdcli.language.graph import REDUCTIONS, Graph, compare, evaluate

# Numbers that the construction of graphs asks for; see Graph.add, mul, div, pow, power.
_SPECIAL = frozenset({0.0, 1.0, -1.0, 2.0, 3.0, 4.0})

# How a number is made: ("constant", name, index) or (operation, node, ...).
_Recipe = tuple[Any, ...]


class TemplateGraph(Graph):
    """A graph that remembers how its numbers depend on named constants.

    ``slots`` are the number leaves that do, in order of evaluation; `numbers` returns values in that order.
    """

    def __init__(self) -> None:
        super().__init__()
        self._recipes: dict[_Recipe, int] = {}
        self._choices: list[tuple[str, int, int, bool]] = []
        self.slots: list[int] = []
        self._place: dict[int, int] = {}
        self._fixed: set[int] = set()  # slots that are also numbers written out: they cannot change
        self._literals: tuple[int, frozenset[float]] = (0, frozenset())

    def number(self, value: float) -> int:
        """Return the leaf of a number that is the same whatever the constants are."""
        found = super().number(value)
        if found in self._place:
            self._fixed.add(found)
        return found

    def constant(self, value: float, name: str, index: int | None = None) -> int:
        """Return the leaf of a named constant, or of one element of it."""
        return self._made(("constant", name, index), value)

    def node(self, op: str, *args: Any) -> int:
        place = self._place
        if op == "where":
            relation, a, b = args[:3]
            if a in place or b in place:
                left, right = self.value_of(a), self.value_of(b)
                if left is not None and right is not None:
                    self._choices.append((relation, a, b, compare(relation, left, right)))
        elif op not in REDUCTIONS and any(a in place for a in args):
            values = [self.value_of(a) for a in args]
            if None not in values:
                return self._made((op, *args), evaluate(op, *values))
        return super().node(op, *args)

    def _made(self, recipe: _Recipe, value: float) -> int:
        """Return the leaf of a number that depends on constants."""
        found = self._recipes.get(recipe)
        if found is None:
            before = len(self.keys)
            found = self._recipes[recipe] = super().number(value)
            if found == before:
                self._place[found] = len(self.slots)
                self.slots.append(found)
        return found

    def numbers(self, constants: Mapping[str, Any]) -> tuple[float, ...] | None:
        """Return the numbers of the ``slots`` for other constants; None where the graph would have another shape.

        ``constants`` must have the names, and its vectors the lengths, of those that the graph was built with.
        """
        known: dict[int, float] = {}
        place = self._place
        for recipe, node in self._recipes.items():
            value = self._value(recipe, known, constants)
            if not math.isfinite(value):
                return None
            if node in place and node not in known:
                known[node] = value
            elif not _same(value, known[node] if node in known else self.value_of(node)):
                return None
        return tuple(known.values()) if self._has_this_shape(known) else None

    def _value(self, recipe: _Recipe, known: Mapping[int, float], constants: Mapping[str, Any]) -> float:
        if recipe[0] == "constant":
            value = constants[recipe[1]]
            return float(value if recipe[2] is None else value[recipe[2]])
        return evaluate(recipe[0], *(known[a] if a in known else self.value_of(a) for a in recipe[1:]))

    def _has_this_shape(self, known: Mapping[int, float]) -> bool:
        """Tell whether the questions that were asked about numbers have the same answers again."""
        for node, value in known.items():
            built = self.value_of(node)
            if (value in _SPECIAL or built in _SPECIAL or node in self._fixed) and not _same(value, built):
                return False
        literals = self._written_out()
        # The smallest number stands for 0.0, so that -0.0 is another: no program has it by chance.
        leaves = {value or math.copysign(SMALLEST, value) for value in known.values()}
        if len(leaves) < len(known) or not leaves.isdisjoint(literals):
            return False
        return all(
            compare(relation, *(known[i] if i in known else self.value_of(i) for i in (a, b))) == outcome  # type: ignore[arg-type]
            for relation, a, b, outcome in self._choices
        )

    def _written_out(self) -> frozenset[float]:
        """The numbers that stand in the graph whatever the constants are."""
        size, found = self._literals
        if size != len(self.keys):
            found = frozenset(
                key[1] or key[2] * SMALLEST
                for i, key in enumerate(self.keys)
                if key[0] == "number" and i not in self._place and key[1] != "nan"
            )
            self._literals = len(self.keys), found
        return found


def _same(a: float, b: float | None) -> bool:
    """Tell whether two numbers are the same leaf: 0.0 and -0.0 are not."""
    return a == b and math.copysign(1.0, a) == math.copysign(1.0, b)
