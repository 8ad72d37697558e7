"""Exact derivatives of a Form as graphs: reverse mode for gradients, forward over reverse for Hessians.

One reverse sweep from the value to the leaves gives the whole gradient at a small multiple of the cost of the
value, however many variables there are (Griewank & Walther, Evaluating Derivatives, 2nd ed., 2008, chapter
3). A forward sweep over that gradient gives one column of the Hessian, or its product with a direction
(ibid., chapter 5).

Three things are special here. A slice of a vector is one leaf, so its adjoint is a vector, to be added into
that slice of the gradient. A scalar that is broadcast into a vector collects the sum of the vector's adjoint.
And the branches of ``where``, ``max`` and ``min`` are swept each on its own and chosen from at the end, so
that an infinite derivative on the side not taken never meets the other side (0 * inf is nan).

What has a kink has no derivative there. `smooth` rounds kinks off: it is the same graph with ``abs``, ``max``, ``norm``
and the like replaced by smooth functions there.

    abs(u)        -> sqrt(u**2 + mu**2)
    sign(u)       -> u / sqrt(u**2 + mu**2)
    max(a, b)     -> (a + b + sqrt((a - b)**2 + mu**2)) / 2
    min(a, b)     -> (a + b - sqrt((a - b)**2 + mu**2)) / 2
    hypot(a, b)   -> sqrt(a**2 + b**2 + mu**2), and the root of any other sum of squares likewise
    max(v)        -> m + mu * log(sum(exp((v - m) / mu))) with m = max(v); min(v) is -max(-v)
    where(a > b, p, q) -> q + (p - q) * (1 + u / sqrt(u**2 + mu**2)) / 2 with u = a - b

All but sign and the last two differ from the original by at most mu (mu/2 for max and min), and by ever less away
from the kink (Chen, Mathematical Programming 134, 2012, section 3); max(v) of n elements by at most mu * log(n)
(Boyd and Vandenberghe, Convex Optimization, 2004, section 3.1.5); where by the difference of its branches within
about mu of the border, which is of the order of mu if they meet there. Where they do not, and at a sign that nothing
makes vanish, the value jumps, and no rounding is right.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import LEAVES, Graph, Key, arguments

# The pieces of a gradient: a leaf of the graph, and the node of the adjoint of that leaf.
Adjoints = dict[int, int]

# A condition under which a vector's branch is taken: (relation, a, b, side).
Mask = tuple[str, int, int, bool]

# The direction of a Hessian-vector product is named as its variable with this in front; no typed name has it.
DIRECTION = "~"


class NotDifferentiableError(Exception):
    """The forward derivative of this operation is not written as a graph (products of a long vector)."""


class Derivatives:
    """Derivatives within one graph; sweeps and partial derivatives are remembered."""

    def __init__(self, graph: Graph, parameters: frozenset[str] = frozenset()) -> None:
        """``parameters`` are names of vectors that are constant: their leaves get no adjoints."""
        self.graph = graph
        self.parameters = parameters
        self._sweeps: dict[int, Adjoints] = {}
        self._partials: dict[int, tuple[tuple[int, int], ...]] = {}

    # -- reverse mode --------------------------------------------------------------------------------------

    def gradient(self, root: int) -> Adjoints:
        """Return the adjoint of every variable leaf that ``root``, a scalar, depends on."""
        found = self._sweeps.get(root)
        if found is None:
            found = self._sweeps[root] = _Sweep(self, root, self.graph.number(1.0)).run()
        return found

    def slopes(self, root: int, leaves: Iterable[int]) -> list[int]:
        """Return the derivative of ``root`` by each of ``leaves``, the number 0 where it does not depend on one."""
        adjoints, zero = self.gradient(root), self.graph.number(0.0)
        return [adjoints.get(leaf, zero) for leaf in leaves]

    def branch_pair(self, key: Key) -> tuple[str, int, int, int, int] | None:
        """Return (relation, a, b, yes, no) of an operation that chooses: where, max, min; None for others."""
        if key[0] == "where":
            return key[1], key[2], key[3], key[4], key[5]
        if key[0] in ("max", "min"):
            return (">=" if key[0] == "max" else "<="), key[1], key[2], key[1], key[2]
        return None

    def partials(self, i: int) -> tuple[tuple[int, int], ...]:
        """Return ((argument, partial derivative), ...) of an elementwise operation, without constants."""
        found = self._partials.get(i)
        if found is None:
            found = self._partials[i] = self._new_partials(i)
        return found

    def _new_partials(self, i: int) -> tuple[tuple[int, int], ...]:
        g = self.graph
        key = g.keys[i]
        op, args = key[0], key[1:]
        if op == "add":
            pair = (g.number(1.0), g.number(1.0))
        elif op == "sub":
            pair = (g.number(1.0), g.number(-1.0))
        elif op == "neg":
            return ((args[0], g.number(-1.0)),)
        elif op == "mul":
            pair = (args[1], args[0])
        elif op == "div":
            pair = (g.div(g.number(1.0), args[1]), g.neg(g.div(i, args[1])))
        elif op == "pow":
            return self._power_partials(i, *args)
        elif not isinstance(op, str):  # a function of its own, see `gdcli.calculus.removable`
            return ((args[0], g.node(op.slope, args[0])),)
        else:
            return tuple(zip(args, FUNCTIONS[op].rule(g, i, args), strict=True))
        return tuple((a, p) for a, p in zip(args, pair, strict=True) if g.value_of(a) is None)

    def _power_partials(self, i: int, base: int, exponent: int) -> tuple[tuple[int, int], ...]:
        """d(a**b) = b*a**(b-1) da + a**b*log(a) db; the second is 0 where a**b is 0, its limit there."""
        g = self.graph
        result = []
        if g.value_of(base) is None:
            result.append((base, g.mul(exponent, g.pow(base, g.sub(exponent, g.number(1.0))))))
        if g.value_of(exponent) is None:
            zero = g.number(0.0)
            result.append((exponent, g.where("==", i, zero, zero, g.mul(i, g.call("log", base)))))
        return tuple(result)

    # -- forward mode --------------------------------------------------------------------------------------

    def forward(self, roots: list[int], seeds: dict[int, int]) -> list[int]:
        """Return the derivatives of ``roots`` along ``seeds``, {leaf: its derivative}; others have 0.

        Raises NotDifferentiableError for derivatives of products of unexpanded vectors.
        """
        tangent = self._along(self.graph.reach(roots), seeds)
        zero = self.graph.number(0.0)
        return [tangent.get(root, zero) for root in roots]

    def hessian(self, gradient: list[int], leaves: list[int]) -> list[list[int]]:
        """Return the lower triangle of the Hessian, column by column, from its diagonal down.

        ``gradient`` has the derivative by each of the ``leaves``. What only entries above the diagonal need
        is left out.
        """
        g = self.graph
        one, zero = g.number(1.0), g.number(0.0)
        order = g.reach(gradient)
        last = {root: k for k, root in enumerate(gradient)}  # the last row that needs a node
        for i in reversed(order):
            for a in arguments(g.keys[i]):
                if last.get(a, -1) < last[i]:
                    last[a] = last[i]
        columns = []
        for j, leaf in enumerate(leaves):
            order = [i for i in order if last[i] >= j]
            tangent = self._along(order, {leaf: one})
            columns.append([tangent.get(root, zero) for root in gradient[j:]])
        return columns

    def _along(self, order: list[int], seeds: dict[int, int]) -> dict[int, int]:
        """Return the derivatives along ``seeds`` of all nodes of ``order`` where it is not 0."""
        keys, zero = self.graph.keys, self.graph.number(0.0)
        tangent = dict(seeds)
        for i in order:
            key = keys[i]
            if key[0] in LEAVES:
                continue
            for a in arguments(key):
                if a in tangent:
                    found = self._tangent(i, key, tangent, zero)
                    if found != zero:
                        tangent[i] = found
                    break
        return tangent

    def _tangent(self, i: int, key: Key, tangent: dict[int, int], zero: int) -> int:
        g = self.graph
        branch = self.branch_pair(key)
        if branch is not None:
            relation, a, b, yes, no = branch
            return g.where(relation, a, b, tangent.get(yes, zero), tangent.get(no, zero))
        if key[0] == "matmul":
            return g.times(key[1], tangent.get(key[2], zero))
        if key[0] == "sum":
            length = g.lengths[key[1]]
            assert length is not None
            return g.total(tangent[key[1]], length)
        if key[0] in ("prod", "others", "first"):
            if key[0] == "first":  # piecewise constant
                return zero
            raise NotDifferentiableError(key[0])
        if key[0] in ("largest", "smallest"):
            inner = tangent[key[1]]
            if g.lengths[inner] is None:
                return inner
            return g.node("sum", g.where("!=", g.node("first", key[1], i), zero, inner, zero))
        total = zero
        for child, partial in self.partials(i):
            if child in tangent:
                total = g.add(total, g.mul(partial, tangent[child]))
        return total


class _Sweep:
    """One reverse sweep from a root (the value, or a branch) with the adjoint ``seed``.

    A branch taken only by some elements of a vector is swept by a sweep of its own, whose ``masks`` keep each
    product at 0 on the other elements; scalars there count only when some element takes the branch.
    """

    def __init__(
        self,
        derivatives: Derivatives,
        root: int,
        seed: int,
        length: int | None = None,
        masks: tuple[Mask, ...] = (),
    ) -> None:
        self.d = derivatives
        self.g = derivatives.graph
        self.root = root
        self.length = length  # of the vector that the branch is taken in
        self.masks = masks
        self.adjoint: dict[int, int] = {}
        # Adjoints that vectors send to a scalar, by the vectors' length: added up, then summed once.
        self.pending: dict[int, dict[int, int]] = {}
        self.leaves: Adjoints = {}
        self.send(root, seed, length)

    def run(self) -> Adjoints:
        for i in reversed(self.g.reach((self.root,))):
            self.settle(i)
            weight = self.adjoint.get(i)
            if weight is None:
                continue
            key = self.g.keys[i]
            if key[0] in LEAVES:
                self.arrive(i, weight)
            elif self.masks and self.g.lengths[i] is None:
                self.scalar_of_branch(i, weight)
            elif self.masks and key[0] == "matmul":
                self.product_of_branch(key, weight)
            else:
                self.spread(i, key, weight)
        return self.leaves

    def scalar_of_branch(self, i: int, weight: int) -> None:
        """A scalar broadcast in a branch: its derivatives must not be met if no element takes that."""
        g = self.g
        zero = g.number(0.0)
        assert self.length is not None
        takers = g.total(self.masked(g.number(1.0)), self.length)
        for leaf, partial in self.d.gradient(i).items():
            self.arrive(leaf, g.where("==", takers, zero, zero, g.mul(weight, partial)))

    def product_of_branch(self, key: Key, weight: int) -> None:
        """A matrix times a vector in a branch: the elements of that vector know nothing of the branch."""
        seed = self.g.times(self.g.transposed(key[1]), weight)
        sweep = _Sweep(self.d, key[2], seed, self.g.shape(key[1])[1])
        for leaf, adjoint in sweep.run().items():
            self.arrive(leaf, adjoint)

    def settle(self, i: int) -> None:
        """Sum the adjoints that vectors have sent to a scalar."""
        for length, vector in self.pending.pop(i, {}).items():
            total = self.g.total(vector, length)
            self.adjoint[i] = self.g.add(self.adjoint[i], total) if i in self.adjoint else total

    def arrive(self, leaf: int, weight: int) -> None:
        """Add to the adjoint of a leaf, unless it is a number or a constant."""
        key = self.g.keys[leaf]
        if key[0] != "number" and key[1] not in self.d.parameters:
            self.leaves[leaf] = self.g.add(self.leaves[leaf], weight) if leaf in self.leaves else weight

    def spread(self, i: int, key: Key, weight: int) -> None:
        g = self.g
        branch = self.d.branch_pair(key)
        if branch is not None:
            if g.lengths[i] is None:
                self.split(branch, weight)
            else:
                self.split_vector(branch, weight, g.lengths[i])
        elif key[0] == "sum":
            self.send(key[1], weight, g.lengths[key[1]])
        elif key[0] == "matmul":
            columns = g.shape(key[1])[1]
            self.send(key[2], g.times(g.transposed(key[1]), weight), columns)
        elif key[0] == "prod":
            self.send(key[1], g.mul(weight, g.node("others", key[1])), g.lengths[key[1]])
        elif key[0] in ("largest", "smallest"):
            here = g.node("first", key[1], i)
            zero = g.number(0.0)
            self.send(key[1], g.where("!=", here, zero, weight, zero), g.lengths[key[1]])
        elif key[0] not in ("sign", "floor", "ceil"):
            for child, partial in self.d.partials(i):
                self.send(child, g.mul(weight, partial), g.lengths[i])

    def send(self, child: int, part: int, length: int | None) -> None:
        """Add to the adjoint of ``child`` a part that came from a node of ``length``."""
        g = self.g
        if g.value_of(child) is not None:
            return
        part = self.masked(part)
        if length is not None and g.lengths[child] is None:
            pending = self.pending.setdefault(child, {})
            pending[length] = g.add(pending[length], part) if length in pending else part
        else:
            self.adjoint[child] = g.add(self.adjoint[child], part) if child in self.adjoint else part

    def masked(self, part: int) -> int:
        """Return a part with 0 for the elements that do not take this branch."""
        zero = self.g.number(0.0)
        for relation, a, b, side in self.masks:
            if part != zero:
                part = self.g.where(relation, a, b, *((part, zero) if side else (zero, part)))
        return part

    def split(self, branch: tuple[str, int, int, int, int], weight: int) -> None:
        """A scalar choice: sweep each branch down to the leaves, then choose leaf by leaf."""
        g = self.g
        relation, a, b, yes, no = branch
        zero = g.number(0.0)
        side_yes, side_no = self.d.gradient(yes), self.d.gradient(no)
        for leaf in {**side_yes, **side_no}:
            chosen = g.where(relation, a, b, side_yes.get(leaf, zero), side_no.get(leaf, zero))
            self.arrive(leaf, g.mul(weight, chosen))

    def split_vector(self, branch: tuple[str, int, int, int, int], weight: int, length: int | None) -> None:
        """A choice element by element: sweep each branch with the adjoint of the elements that take it."""
        relation, a, b, yes, no = branch
        for root, side in ((yes, True), (no, False)):
            sweep = _Sweep(self.d, root, weight, length, (*self.masks, (relation, a, b, side)))
            for leaf, adjoint in sweep.run().items():
                self.arrive(leaf, adjoint)


# -- kinks rounded off -------------------------------------------------------------------------------------------------

_PAIRS = frozenset({"abs", "sign", "max", "min", "hypot", "largest", "smallest"})
_ABOVE, _BELOW = (">", ">="), ("<", "<=")


def can_smooth(graph: Graph, root: int, fixed: Container[int] = ()) -> bool:
    """Tell whether there is a kink below ``root`` that can be rounded off; ``fixed`` leaves never change."""
    return bool(_kinks(graph, root, fixed))


def _kinks(graph: Graph, root: int, fixed: Container[int]) -> set[int]:
    """The nodes with a kink that is met when what is not fixed changes."""
    kinds = ((i, graph.keys[i][0]) for i in graph.reach((root,)))
    leaves = [i for i, kind in kinds if kind in LEAVES and kind != "number" and i not in fixed]
    return {i for i in graph.depending((root,), leaves) if _has_kink(graph, i)}


def _has_kink(graph: Graph, i: int) -> bool:
    key = graph.keys[i]
    if key[0] == "sqrt" or (key[0] == "pow" and graph.value_of(key[2]) == 0.5):
        return graph.is_sum_of_squares(key[1])
    return key[0] in _PAIRS or (key[0] == "where" and key[1] in (*_ABOVE, *_BELOW))


def smooth(graph: Graph, root: int, mu: float, fixed: Container[int] = ()) -> int:
    """Return the node of ``root`` with its kinks rounded off to about ``mu``; the new nodes are in the same graph.

    ``fixed`` leaves never change, so that kinks in them alone are none.
    """
    kinks = _kinks(graph, root, fixed)
    new: dict[int, int] = {}
    for i in graph.reach((root,)):
        key = graph.keys[i]
        if i in kinks:
            start = 2 if key[0] == "where" else 1
            new[i] = _rounded(graph, key[:start], [new[a] for a in key[start:]], mu)
        else:
            new[i] = graph.remade(i, new)
    return new[root]


def _rounded(graph: Graph, kind: tuple[str, ...], args: list[int], mu: float) -> int:
    name, square = kind[0], graph.number(mu * mu)
    if name == "abs":
        return _root(graph, _square(graph, args[0]), square)
    if name == "sign":
        return graph.node("div", args[0], _root(graph, _square(graph, args[0]), square))
    if name in ("sqrt", "pow"):
        return _root(graph, args[0], square)
    if name == "hypot":
        return _root(graph, graph.node("add", *(_square(graph, a) for a in args)), square)
    if name in ("largest", "smallest"):
        return _rounded_extreme(graph, name, args[0], mu)
    if name == "where":
        return _rounded_choice(graph, kind[1], args, square)
    a, b = args
    gap = _root(graph, _square(graph, graph.node("sub", a, b)), square)
    total = graph.node("add", a, b)
    both = graph.node("add" if name == "max" else "sub", total, gap)
    return graph.node("mul", graph.number(0.5), both)


def _square(graph: Graph, u: int) -> int:
    return graph.node("mul", u, u)


def _root(graph: Graph, u: int, square: int) -> int:
    return graph.node("sqrt", graph.node("add", u, square))


def _rounded_extreme(graph: Graph, name: str, vector: int, mu: float) -> int:
    most, scale = graph.node(name, vector), graph.number(mu if name == "largest" else -mu)
    terms = graph.node("exp", graph.node("div", graph.node("sub", vector, most), scale))
    return graph.node("add", most, graph.node("mul", scale, graph.node("log", graph.node("sum", terms))))


def _rounded_choice(graph: Graph, relation: str, args: list[int], square: int) -> int:
    a, b, yes, no = args if relation in _ABOVE else (args[1], args[0], *args[2:])
    u = graph.node("sub", a, b)
    side = graph.node("div", u, _root(graph, _square(graph, u), square))
    weight = graph.node("mul", graph.number(0.5), graph.node("add", graph.number(1.0), side))
    return graph.node("add", no, graph.node("mul", graph.node("sub", yes, no), weight))
