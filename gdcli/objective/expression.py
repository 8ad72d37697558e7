"""An objective from a Form: names and graphs below, the solvers' `Objective` above.

`ScalarObjective` is for few variables: programs of plain floats on `Vec`, with exact Hessians.
`VectorObjective` is for long vectors: chunked numpy programs, with Hessian-vector products instead of
Hessians. Both minimise: for a maximisation the graph's root is negated, which is exact. Programs are written
and compiled when first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from gdcli.calculus.autodiff import DIRECTION, Derivatives, NotDifferentiableError
from gdcli.calculus.smoothing import can_smooth, smooth
from gdcli.compile.runners import ARITHMETIC, Program, ScalarFunction, numpy, vector_function
from gdcli.kernel.space import Space
from gdcli.kernel.vectors import Array, Vec, is_finite
from gdcli.language.form import Form, size_when_expanded
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Key
from gdcli.objective.protocol import Evaluation, Objective, Vector, new_counts

if TYPE_CHECKING:
    from gdcli.compile.chunks import Output
    from gdcli.objective.linear_map import LinearMaps
    from gdcli.objective.pole_crossings import PoleCrossings

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
        from gdcli.objective.pole_crossings import crossings_of

        return crossings_of(self.form, lambda x: self.evaluate(x).value, self._values_of)

    @cached_property
    def divides(self) -> bool:
        """Whether anything is divided in the expression."""
        keys = (self.form.graph.keys[i][0] for i in self.form.graph.reach((self.form.root,)))
        return any(op in ("div", "pow") or (op in FUNCTIONS and FUNCTIONS[op].divisor) for op in keys)

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
        self.nodes = [
            graph.scalar(k[1]) if k[0] == "scalar" else graph.element(k[1], k[2]) for k in self.leaves
        ]
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
        """Use other programs in their place, which return the same."""
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
        """The graph nodes of the gradient, one a variable."""
        if self._gradient_nodes is None:
            if self._given is not None:
                sign = self.form.graph.neg if self.sign < 0 else lambda i: i
                self._gradient_nodes = [sign(i) for i in self._given]
            else:
                adjoints = self._derivatives.gradient(self.root)
                zero = self.form.graph.number(0.0)
                self._gradient_nodes = [adjoints.get(i, zero) for i in self.nodes]
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
        from gdcli.calculus.finite_differences import central_gradient, central_hessian

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


def leaves_of(space: Space) -> dict[Key, str]:
    """Return the leaves of all variables in flat order, each with its name in program text."""
    leaves: dict[Key, str] = {}
    for name, length in space.lengths.items():
        keys: list[Key] = (
            [("scalar", name)] if length is None else [("element", name, i) for i in range(length)]
        )
        for key in keys:
            leaves[key] = f"x{len(leaves)}"
    return leaves


class VectorObjective(FormObjective):
    """The objective of a Form with long vectors, on flat numpy arrays.

    With ``native`` its programs are machine code as far as there is some, kept on disk if ``use_cache``; ``engine``
    names what runs.
    """

    def __init__(
        self, form: Form, space: Space, sign: int = 1, native: bool = False, use_cache: bool = True
    ) -> None:
        super().__init__(form, space, sign)
        graph = form.graph
        self.np = numpy()
        self._derivatives = Derivatives(graph, frozenset(form.data))
        self._programs: dict[str, Callable[..., tuple[float, ...]]] = {}
        self.engine = "numpy"
        self._use_cache = use_cache
        if native and self._kernel([self.root], *self._request("gradient")) is not None:
            self.engine = "native"
        self.has_product = True
        self._hessian: Any = None
        self._maps: dict[tuple[bool, tuple[str, ...]], LinearMaps] = {}
        self._along: dict[int, int] | None = None
        try:
            self._tangents()
        except NotDifferentiableError:
            self.has_product = False

    def is_constant(self) -> bool:
        """Whether the value is plainly the same everywhere: every derivative is 0 and nothing jumps."""
        zero = self.form.graph.number(0.0)
        adjoints = self._derivatives.gradient(self.root)
        return all(node == zero for node in adjoints.values()) and not self.form.kinks()

    # -- programs ------------------------------------------------------------------------------------------

    def _outputs(self, adjoints: Mapping[int, int]) -> list[Output]:
        """Where in the flat gradient the adjoint of each leaf belongs."""
        from gdcli.compile.chunks import Output

        outputs = []
        for leaf, node in adjoints.items():
            key = self.form.graph.keys[leaf]
            at = self.space.offsets[key[1]]
            if key[0] == "slice":
                outputs.append(Output(at + key[2], key[3], key[4], node))
            else:
                outputs.append(Output(at + (key[2] if key[0] == "element" else 0), 1, None, node))
        return outputs

    def _tangents(self) -> dict[int, int]:
        """The directional derivative of each piece of the gradient, made once; the direction has its own leaves."""
        if self._along is not None:
            return self._along
        graph = self.form.graph
        adjoints = self._derivatives.gradient(self.root)
        seeds = {}
        for i in graph.reach((self.root,)):
            key = graph.keys[i]
            if key[0] in ("scalar", "element", "slice") and key[1] in self.space.offsets:
                name = DIRECTION + key[1]
                seeds[i] = (
                    graph.scalar(name)
                    if key[0] == "scalar"
                    else graph.element(name, key[2])
                    if key[0] == "element"
                    else graph.slice(name, *key[2:])
                )
        tangents = self._derivatives.forward(list(adjoints.values()), seeds)
        self._along = dict(zip(adjoints, tangents, strict=True))
        return self._along

    def is_linear_in(self, names: Container[str]) -> bool:
        """Tell whether no derivative by the variables of these names depends on one of them."""
        graph = self.form.graph
        adjoints = self._derivatives.gradient(self.root)
        nodes = [node for leaf, node in adjoints.items() if graph.keys[leaf][1] in names]
        return not self._depend_on(nodes, names)

    @cached_property
    def is_quadratic(self) -> bool:
        """Whether products of the Hessian are plainly the same everywhere."""
        return self.has_product and not self._depend_on(list(self._tangents().values()), self.space.offsets)

    def _depend_on(self, nodes: list[int], names: Container[str]) -> bool:
        keys = (self.form.graph.keys[i] for i in self.form.graph.reach(nodes))
        return any(key[0] in ("scalar", "element", "slice") and key[1] in names for key in keys)

    def _request(self, name: str) -> tuple[list[Output], dict[str, int]]:
        """The outputs of a program, and where the variables stand that it reads."""
        offsets = dict(self.space.offsets)
        if name == "gradient":
            return self._outputs(self._derivatives.gradient(self.root)), offsets
        if name == "product":  # x and the direction stand one after the other in one flat array
            offsets |= {DIRECTION + k: v + self.size for k, v in self.space.offsets.items()}
            return self._outputs(self._tangents()), offsets
        return [], offsets

    def _program(self, name: str) -> Callable[..., tuple[float, ...]]:
        found = self._programs.get(name)
        if found is None:
            outputs, offsets = self._request(name)
            roots = [] if name == "product" else [self.root]
            made = self._kernel(roots, outputs, offsets) if self.engine == "native" else None
            found = made or vector_function(self.form.graph, roots, outputs, offsets, self.form.data)
            self._programs[name] = found
        return found

    def _kernel(
        self, roots: list[int], outputs: list[Output], offsets: dict[str, int]
    ) -> Callable[..., tuple[float, ...]] | None:
        """The program as machine code, None where there is none."""
        if not roots and not outputs:
            return None
        from gdcli.compile.array_kernels import vector_kernel

        graph, lengths, data = self.form.graph, self.space.lengths, self.form.data
        return vector_kernel(graph, roots, outputs, offsets, lengths, data, self._use_cache)

    # -- the solvers' protocol -----------------------------------------------------------------------------

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        """Return the value at x, with the gradient for order 1 in the same passes."""
        self.counts.value += 1
        if order:
            return self._with_gradient(x, None)
        with self.np.errstate(all="ignore"):
            (value,) = self._program("value")(x, None)
        return Evaluation(x, value if value == value else INF)

    def _values_of(self, nodes: Sequence[int]) -> Callable[[Any], list[Any]]:
        """Return what gives the values of nodes at a point, as arrays."""
        from gdcli.compile.chunks import Output

        outputs, end = [], 0
        for node in nodes:
            length = self.form.graph.lengths[node]
            outputs.append(Output(end, 1, length, node))
            end += length or 1
        program = vector_function(self.form.graph, [], outputs, dict(self.space.offsets), self.form.data)

        def values(x: Vector) -> list[Any]:
            found = self.np.empty(end)
            with self.np.errstate(all="ignore"):
                program(x, found)
            return [found[o.start : o.start + (o.length or 1)] for o in outputs]

        return values

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        if not -INF < at.value < INF or at.gradient is not None:
            return at
        return self._with_gradient(at.x, at.value)

    def _with_gradient(self, x: Vector, known: float | None) -> Evaluation:
        self.counts.gradient += 1
        gradient = self.np.empty(self.size)
        with self.np.errstate(all="ignore"):
            (value,) = self._program("gradient")(x, gradient)
            value = known if known is not None else value if value == value else INF
            if not is_finite(gradient):
                return Evaluation(x, value, None, None, NOTE_NONE)
        return Evaluation(x, value, gradient)

    def product(self, at: Evaluation, direction: Vector) -> Any:
        """Return the Hessian at ``at.x`` times ``direction``, None where it is not finite or there is none."""
        if not self.has_product:
            return None
        self.counts.product += 1
        result = self.np.empty(self.size)
        with self.np.errstate(all="ignore"):
            self._program("product")(self.np.concatenate((at.x, direction)), result)
            return result if is_finite(result) else None

    def whole_hessian(self, at: Evaluation) -> Any:
        """Return the Hessian at ``at.x`` as an array, as its products with unit vectors would; None where it is not
        finite. One that is the same everywhere is made once.
        """
        if self._hessian is not None:
            return self._hessian
        np = self.np
        columns = self.derivatives_by(list(self.space.lengths), at.x, products=True)
        if columns is not None:
            self.counts.product += self.size
        else:
            columns = np.empty((self.size, self.size))
            for column, direction in zip(columns, np.eye(self.size), strict=True):
                found = self.product(at, direction)
                if found is None:
                    return None
                column[:] = found
        made = (columns + columns.T) / 2.0
        if self.is_quadratic:
            self._hessian = made
        return made

    def derivatives_by(self, names: Sequence[str], x: Vector, products: bool = False) -> Array | None:
        """Return the derivatives of the gradient, (size, k), by the variables of ``names``, in which it is linear;
        or of the products of the Hessian by those of the direction, which is the Hessian itself.

        None where they are not finite, or are not made of sums, factors and matrices.
        """
        if not self.has_product:
            return None
        key, prefix = (products, tuple(names)), DIRECTION if products else ""
        if key not in self._maps:
            from gdcli.objective.linear_map import LinearMaps

            offsets, count = dict[str, int](), 0
            for name in names:
                offsets[prefix + name] = count
                count += self.space.lengths[name] or 1
            adjoints = self._tangents() if products else self._derivatives.gradient(self.root)
            self._maps[key] = LinearMaps(
                self.form.graph, self._outputs(adjoints), offsets, count, self.form.data
            )
        with self.np.errstate(all="ignore"):
            found = self._maps[key].matrix(self.size, lambda nodes: self._values_of(nodes)(x))
        return found if found is not None and self.np.isfinite(found).all() else None

    def vector(self, flat: Sequence[float]) -> Any:
        return self.np.array(flat, dtype=float)
