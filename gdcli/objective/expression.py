"""An objective from a Form: names and graphs below, the solvers' `Objective` above.

`ScalarObjective` is for few variables: programs of plain floats on `Vec`, with exact Hessians.
`vector_expression.VectorObjective` is for long vectors: chunked numpy programs, with Hessian-vector products
instead of Hessians. Both minimise: for a maximisation the graph's root is negated, which is exact. Programs are written
and compiled when first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from gdcli.calculus.autodiff import DIRECTION, Derivatives, can_smooth, smooth
from gdcli.compile.scalar_text import ARITHMETIC, Program, ScalarFunction, leaves_of
from gdcli.kernel.vectors import Space, Vec, is_finite
from gdcli.language.form import Form, size_when_expanded
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Key
from gdcli.objective.protocol import Evaluation, Objective, Vector, new_counts

if TYPE_CHECKING:
    from gdcli.objective.divisors import PoleCrossings

INF = float("inf")

# Up to this many variables vectors are expanded into scalars: exact Hessians, and no numpy to import. Above
# it numpy's import (75 ms) and calls are repaid.
EXPAND_SIZE = 32
# Up to this many variables the Hessian is a matrix; factoring it costs their cube.
HESSIAN_SIZE = 200

NOTE_GRADIENT = "the derivative is not finite here; central differences stand in"
NOTE_NONE = "the derivative is not finite here"


class FormObjective(Objective):
    """The objective of a Form; ``sign`` is -1 to minimise its negative."""

    engine: str
    is_estimated = False  # its gradients are exact

    def __init__(self, form: Form, space: Space, sign: int = 1) -> None:
        self.form = form
        self.space = space
        self.size = space.size
        self.counts = new_counts()
        self.sign = sign
        self.root = form.root if sign > 0 else form.graph.node("neg", form.root)
        self._smoothed: dict[float, FormObjective | None] = {}

    @property
    def work(self) -> int:
        form = self.form
        return len(form.graph.reach((self.root,))) if form.expanded else size_when_expanded(form)

    @property
    def unused(self) -> list[str]:
        """The names of the variables that the value does not depend on."""
        used = self.form.variables_in_use()
        return [name for name in self.form.lengths if name not in used]

    def pole_between(self, x: Vector, y: Vector) -> Vector | None:
        return None if self.crossings is None else self.crossings.between(x, y)

    @cached_property
    def crossings(self) -> PoleCrossings | None:
        """What finds poles; None where there can be none."""
        if not self.divides:
            return None
        from gdcli.objective.divisors import crossings_of

        return crossings_of(self.form, lambda x: self.evaluate(x).value, self._values_of)

    @cached_property
    def divides(self) -> bool:
        operations = self.form.graph.operations((self.form.root,))
        return any(op in ("div", "pow") or (op in FUNCTIONS and FUNCTIONS[op].divisor) for op in operations)

    def _values_of(self, nodes: Sequence[int]) -> Callable[[Any], Sequence[Any]]:
        """Return what gives the values of nodes of the graph at a point."""
        raise NotImplementedError

    @property
    def has_jumps(self) -> bool:
        return not {"floor", "ceil", "sign", "where"}.isdisjoint(self.form.kinks())

    @property
    def is_smooth(self) -> bool:
        return {"hypot", "norm"}.issuperset(self.form.kinks())

    def smoothed(self, mu: float) -> FormObjective | None:
        if mu not in self._smoothed:
            form, found = self.form, None
            if can_smooth(form.graph, form.root):
                root = smooth(form.graph, form.root, mu)
                rounded = Form(form.tree, form.graph, root, form.lengths, form.data, form.expanded)
                found = type(self)(rounded, self.space, self.sign)
            self._smoothed[mu] = found
        return self._smoothed[mu]


class ScalarObjective(FormObjective):
    """The objective of a Form whose graph is all scalars.

    ``gradient`` may replace the exact gradient: nodes of the same graph, one a variable (formulas from
    elsewhere).
    """

    engine = "python"

    def __init__(
        self, form: Form, space: Space, sign: int = 1, gradient: Sequence[int] | None = None
    ) -> None:
        super().__init__(form, space, sign)
        graph = form.graph
        self.leaves = leaves_of(space)
        self.nodes = list(map(graph.leaf, self.leaves))
        self.has_hessian = self.size <= HESSIAN_SIZE
        self.has_product = True
        self._given = gradient
        self._derivatives = Derivatives(graph)
        self._programs: dict[str, Program] = {}
        self._gradient_nodes: list[int] | None = None
        self._second: Program | None = None
        self._matrix = matrix_reader(self.size)
        self.value_program: Program = self._function([self.root], lambda texts: texts[0])

    def is_constant(self) -> bool:
        """Whether the value is plainly the same everywhere: every derivative is 0 and nothing jumps."""
        zero = self.form.graph.number(0.0)
        return all(node == zero for node in self.gradient_nodes) and not self.form.kinks()

    # -- programs ------------------------------------------------------------------------------------------

    def _function(
        self, roots: Sequence[int], layout: Callable[[list[str]], str], extra: Sequence[Key] = ()
    ) -> ScalarFunction:
        leaves = dict(self.leaves)
        leaves.update({key: f"d{i}" for i, key in enumerate(extra)})
        return ScalarFunction(self.form.graph, roots, leaves, layout)

    def programs_in_use(self) -> dict[str, ScalarFunction]:
        """Return the CPython programs made so far: value, gradient, second (gradient and Hessian), product."""
        programs = {"value": self.value_program, "second": self._second, **self._programs}
        return {name: program for name, program in programs.items() if isinstance(program, ScalarFunction)}

    def replace_programs(self, programs: Mapping[str, Program]) -> None:
        self._programs.update(programs)
        self.value_program = self._programs.pop("value", self.value_program)
        self._second = self._programs.pop("second", self._second)

    def _program(self, name: str, make: Callable[[], ScalarFunction]) -> Program:
        found = self._programs.get(name)
        if found is None:
            found = self._programs[name] = make()
        return found

    @property
    def gradient_nodes(self) -> list[int]:
        if self._gradient_nodes is None:
            if self._given is not None:
                sign = self.form.graph.neg if self.sign < 0 else lambda i: i
                self._gradient_nodes = [sign(i) for i in self._given]
            else:
                self._gradient_nodes = self._derivatives.slopes(self.root, self.nodes)
        return self._gradient_nodes

    def _hessian_nodes(self) -> list[int]:
        """The lower triangle of the Hessian, row by row."""
        columns = self._derivatives.hessian(self.gradient_nodes, self.nodes)
        return [columns[j][i - j] for i in range(self.size) for j in range(i + 1)]

    def _write_gradient(self) -> ScalarFunction:
        return self._function(self.gradient_nodes, row)

    def _write_second(self) -> ScalarFunction:
        return self._function(*self.second_order())

    def second_order(self) -> tuple[list[int], Callable[[list[str]], str]]:
        """The nodes of the gradient and of the lower triangle of the Hessian, and how a program returns them."""
        n = self.size
        return [*self.gradient_nodes, *self._hessian_nodes()], lambda t: f"{row(t[:n])}, {row(t[n:])}"

    def _write_product(self) -> ScalarFunction:
        graph = self.form.graph
        keys: list[Key] = [("scalar", f"{DIRECTION}{i}") for i in range(self.size)]
        seeds = {node: graph.scalar(str(key[1])) for node, key in zip(self.nodes, keys, strict=True)}
        return self._function(self._derivatives.forward(self.gradient_nodes, seeds), row, keys)

    # -- the solvers' protocol -----------------------------------------------------------------------------

    def evaluate(self, x: Vec, order: int = 0) -> Evaluation:
        at = Evaluation(x, self.value(x))
        return self.complete(at, order) if order else at

    def value(self, x: Sequence[float]) -> float:
        """Return the value at x, +inf where it is not a number."""
        self.counts.value += 1
        program = self.value_program
        # The two lines of ScalarFunction's call, spelled out: this is called more often than anything else.
        try:
            value: float = program.bare(x)
        except ARITHMETIC:
            value = program.safe(x)
        return value if value == value else INF

    def _values_of(self, nodes: Sequence[int]) -> Callable[[Any], Sequence[Any]]:
        return self._function(nodes, row)

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        """Return ``at`` with the gradient (order 1) and the Hessian (order 2) added."""
        x, value, gradient = at[:3]
        if not -INF < value < INF or (order < 2 and gradient is not None):
            return at
        if gradient is None:
            self.counts.gradient += 1
        if order < 2:
            gradient = Vec(self._program("gradient", self._write_gradient)(x))
            return Evaluation(x, value, gradient) if is_finite(gradient) else self._stand_in(at, order)
        self.counts.hessian += 1
        program = self._second
        if program is None:
            program = self._second = self._write_second()
        try:
            first, second = program.bare(x)
        except ARITHMETIC:
            first, second = program.safe(x)
        # One sum is cheaper than many questions, and in doubt only when finite numbers overflow together.
        if not (isfinite(sum(first)) or all(map(isfinite, first))):
            return self._stand_in(at, order)
        if not (isfinite(sum(second)) or all(map(isfinite, second))):
            return Evaluation(x, value, Vec(first), None, NOTE_NONE)
        return Evaluation(x, value, Vec(first), self._matrix(second))

    def _stand_in(self, at: Evaluation, order: int) -> Evaluation:
        """Central differences where the value is finite and the derivative is not, such as at a kink."""
        from gdcli.calculus.numerical_derivatives import central_gradient, central_hessian

        gradient = central_gradient(self.value, at.x)
        if gradient is None:
            return Evaluation(at.x, at.value, None, None, NOTE_NONE)
        hessian = central_hessian(self.value, at.x, at.value) if order > 1 else None
        return Evaluation(at.x, at.value, gradient, hessian, NOTE_GRADIENT, True)

    def product(self, at: Evaluation, direction: Vec) -> Vec | None:
        """Return the Hessian at ``at.x`` times ``direction``, None where it is not finite."""
        self.counts.product += 1
        result = Vec(self._program("product", self._write_product)([*at.x, *direction]))
        return result if is_finite(result) else None


def row(texts: Sequence[str]) -> str:
    return f"({', '.join(texts)},)"


def matrix_reader(n: int) -> Callable[[Sequence[float]], list[Vec]]:
    """Return what makes a symmetric matrix from its lower triangle, which is stored row by row."""
    if n == 1:
        return lambda triangle: [Vec(triangle)]
    if n == 2:
        return _matrix_of_two
    places = [[max(i, j) * (max(i, j) + 1) // 2 + min(i, j) for j in range(n)] for i in range(n)]
    rows = [itemgetter(*row) for row in places]
    return lambda triangle: [Vec(read(triangle)) for read in rows]


def _matrix_of_two(triangle: Sequence[float]) -> list[Vec]:
    a, b, c = triangle
    return [Vec((a, b)), Vec((b, c))]
