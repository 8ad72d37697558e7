"""Objectives of expressions with long vectors, on flat numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gdcli.calculus.autodiff import DIRECTION, Derivatives, NotDifferentiableError
from gdcli.compile.runners import vector_function
from gdcli.kernel.vectors import Array, Space, is_finite, np
from gdcli.language.form import Form
from gdcli.objective.expression import INF, NOTE_NONE, FormObjective
from gdcli.objective.protocol import Evaluation, Vector

if TYPE_CHECKING:
    from gdcli.compile.chunks import Output
    from gdcli.objective.linear_map import LinearMaps


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
        """Whether products of the Hessian are plainly the same everywhere, and no slope jumps."""
        if not self.has_product or self.form.kinks():
            return False
        return not self._depend_on(list(self._tangents().values()), self.space.offsets)

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
        with np.errstate(all="ignore"):
            (value,) = self._program("value")(x, None)
        return Evaluation(x, value if value == value else INF)

    def _values_of(self, nodes: Sequence[int]) -> Callable[[Any], list[Any]]:
        from gdcli.compile.chunks import Output

        outputs, end = [], 0
        for node in nodes:
            length = self.form.graph.lengths[node]
            outputs.append(Output(end, 1, length, node))
            end += length or 1
        program = vector_function(self.form.graph, [], outputs, dict(self.space.offsets), self.form.data)

        def values(x: Vector) -> list[Any]:
            found = np.empty(end)
            with np.errstate(all="ignore"):
                program(x, found)
            return [found[o.start : o.start + (o.length or 1)] for o in outputs]

        return values

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        if not -INF < at.value < INF or at.gradient is not None:
            return at
        return self._with_gradient(at.x, at.value)

    def _with_gradient(self, x: Vector, known: float | None) -> Evaluation:
        self.counts.gradient += 1
        gradient = np.empty(self.size)
        with np.errstate(all="ignore"):
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
        result = np.empty(self.size)
        with np.errstate(all="ignore"):
            self._program("product")(np.concatenate((at.x, direction)), result)
            return result if is_finite(result) else None

    def whole_hessian(self, at: Evaluation) -> Any:
        """Return the Hessian at ``at.x`` as an array, as its products with unit vectors would; None where it is not
        finite. One that is the same everywhere is made once.
        """
        if self._hessian is not None:
            return self._hessian
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
        with np.errstate(all="ignore"):
            found = self._maps[key].matrix(self.size, lambda nodes: self._values_of(nodes)(x))
        return found if found is not None and np.isfinite(found).all() else None

    def vector(self, flat: Sequence[float]) -> Any:
        return np.array(flat, dtype=float)
