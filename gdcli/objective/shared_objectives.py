"""Objectives of many problems with one expression: its programs are written and compiled once.

`SharedObjectives` builds as `gdcli.objective.build.build_objective` does, and remembers. A problem whose constants
give the graph of an earlier problem the same shape (see :mod:`gdcli.language.template`) gets that one's programs with
its own numbers in them: the same operations in the same order, so the same bits. Only the programs of value, gradient
and Hessian are shared; what else is asked for is made from the problem's own graph.

A number written out in program text and one that a function carries along as the default of an argument are the same
double, and a default is read as fast as any local name. So a program is compiled once, and each problem gets a
function of the same code with its own defaults.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sized
from functools import cached_property
from types import FunctionType
from typing import Any

from gdcli.calculus.autodiff import can_smooth
from gdcli.compile.scalar_text import (
    GuardedFunction,
    ScalarFunction,
)
from gdcli.kernel.vectors import Space
from gdcli.language import form
from gdcli.language.form import Form
from gdcli.language.graph import Key
from gdcli.language.matrices import has_matrix
from gdcli.language.syntax import Tree
from gdcli.language.template import TemplateGraph
from gdcli.objective.build import Exact, build_objective, is_expanded, is_scalar
from gdcli.objective.expression import FormObjective, ScalarObjective, matrix_reader, row
from gdcli.objective.protocol import new_counts

# Expressions remembered, and shapes of each: an endless stream must not fill the memory.
MOST_EXPRESSIONS = 64
MOST_SHAPES = 8


class SharedObjectives:
    def __init__(self) -> None:
        self._known: OrderedDict[Any, list[_Template]] = OrderedDict()

    def __call__(
        self, tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any], sign: int
    ) -> Exact:
        """Return the objective. Raises UsageError as ``build_objective``."""
        if has_matrix(constants):  # one with others of the same shape is rare, and its numbers are no slots
            return build_objective(tree, lengths, constants, sign)
        sizes = tuple((name, len(v) if isinstance(v, Sized) else None) for name, v in constants.items())
        key = (tree.text, tuple(lengths.items()), sizes, sign)
        templates = self._known.pop(key, None)
        if templates is None:
            templates = []
        self._known[key] = templates
        if len(self._known) > MOST_EXPRESSIONS:
            self._known.popitem(last=False)
        for k, template in enumerate(templates):
            found = template.objective(constants)
            if found is not None:
                if k:
                    templates.insert(0, templates.pop(k))
                return found
        made = _Template.of(tree, lengths, constants, sign)
        found = None if made is None else made.objective(constants)
        if made is None or found is None:
            return build_objective(tree, lengths, constants, sign)
        templates.insert(0, made)
        del templates[MOST_SHAPES:]
        return found


class _Template:
    def __init__(self, graphs: tuple[TemplateGraph, ...], built: Form, space: Space, sign: int) -> None:
        self.graphs = graphs
        self.plain = ScalarObjective(built, space, sign)
        plain, graph = self.plain, built.graph
        gradient = plain.gradient_nodes
        # All nodes are made before any text is written.
        second = plain.second_order() if plain.has_hessian else None
        slots = {node: f"c{k}" for k, node in enumerate(graphs[-1].slots)}
        self.value = SharedFunction(graph, [plain.root], plain.leaves, lambda texts: texts[0], slots)
        self.gradient = SharedFunction(graph, gradient, plain.leaves, row, slots)
        self.second = (
            None if second is None else SharedFunction(graph, second[0], plain.leaves, second[1], slots)
        )
        self.matrix = matrix_reader(space.size)
        self.is_constant = plain.is_constant()
        self.has_jumps = plain.has_jumps
        self.divides = plain.divides
        self.can_smooth = can_smooth(built.graph, built.root)
        self.unused = plain.unused

    @classmethod
    def of(
        cls, tree: Tree, lengths: Mapping[str, int | None], constants: Mapping[str, Any], sign: int
    ) -> _Template | None:
        """Return the template made from one problem; None where its objective is not one of scalars."""
        space = Space(lengths)
        graph = TemplateGraph()
        compact = form.build(tree, lengths, constants, graph=graph)
        if is_scalar(compact, space):
            return cls((graph,), compact, space, sign)
        if not is_expanded(compact, space):
            return None
        large = TemplateGraph()
        return cls((graph, large), form.build(tree, lengths, constants, True, large), space, sign)

    def objective(self, constants: Mapping[str, Any]) -> SharedObjective | None:
        """Return the objective for other constants, None where they make another shape."""
        numbers: tuple[float, ...] | None = ()
        for graph in self.graphs:
            numbers = graph.numbers(constants)
            if numbers is None:
                return None
        return SharedObjective(self, constants, numbers or ())


class SharedObjective(ScalarObjective):
    """One problem's objective on the programs of a template."""

    def __init__(self, template: _Template, constants: Mapping[str, Any], numbers: tuple[float, ...]) -> None:
        plain = template.plain
        self.space, self.size, self.sign = plain.space, plain.size, plain.sign
        self.has_hessian, self.has_product = plain.has_hessian, True
        self.counts = new_counts()
        self.value_program = template.value.bound(numbers)
        self._programs = {"gradient": template.gradient.bound(numbers)}
        self._second = None
        self._matrix = template.matrix
        self._numbers = numbers
        self._template = template
        self._constants = constants

    @cached_property
    def own(self) -> ScalarObjective:
        built = self._template.plain.form
        made = form.build(built.tree, built.lengths, self._constants, built.expanded)
        own = ScalarObjective(made, self.space, self.sign)
        # In which order two nodes are added up is told by their numbers, so the graph has to grow as it would have.
        if self._second is None:
            own._program("gradient", own._write_gradient)
        else:
            own._second = own._write_second()
        return own

    @property
    def form(self) -> Form:  # type: ignore[override]
        return self.own.form

    @property
    def unused(self) -> list[str]:
        return self._template.unused

    def is_constant(self) -> bool:
        return self._template.is_constant

    @property
    def has_jumps(self) -> bool:
        return self._template.has_jumps

    def smoothed(self, mu: float) -> FormObjective | None:
        return self.own.smoothed(mu) if self._template.can_smooth else None

    @property
    def divides(self) -> bool:
        return self._template.divides

    @property
    def root(self) -> int:  # type: ignore[override]
        return self.own.root

    @property
    def leaves(self) -> dict[Key, str]:  # type: ignore[override]
        return self.own.leaves

    @property
    def gradient_nodes(self) -> list[int]:
        return self.own.gradient_nodes

    def programs_in_use(self) -> dict[str, ScalarFunction]:
        """Return the CPython programs made so far, as programs of this problem alone."""
        return self.own.programs_in_use() | super().programs_in_use()

    def _write_second(self) -> ScalarFunction:
        second = self._template.second
        if second is None or "own" in self.__dict__:
            return self.own._write_second()
        return second.bound(self._numbers)  # type: ignore[return-value]

    def _write_product(self) -> ScalarFunction:
        return self.own._write_product()


class SharedFunction(ScalarFunction):
    """A compiled function whose numbers, further arguments, are chosen by `bound`."""

    def bound(self, numbers: tuple[float, ...]) -> GuardedFunction:
        return GuardedFunction(
            _with_defaults(self.bare, numbers), lambda: _with_defaults(self.safe_program(), numbers)
        )


def _with_defaults(function: Callable[..., Any], numbers: tuple[float, ...]) -> Callable[..., Any]:
    assert isinstance(function, FunctionType)
    made: Callable[..., Any] = FunctionType(function.__code__, function.__globals__, "program", numbers)
    return made
