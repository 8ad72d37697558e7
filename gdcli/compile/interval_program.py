"""From graph to programs on boxes: what holds every value of an expression, its gradient and its Hessian on a box.

The text has one call of a rule (:mod:`gdcli.calculus.interval_rules`) a node; the same text runs on numbers, for one
box without numpy, and on arrays, for many boxes at once. The graph must be one whose numbers are held by intervals
(:func:`gdcli.calculus.exact_graph.exact_form`).

What a program says of a box:

- ``value``, ``gradient`` and ``hessian`` hold the expression and its derivatives wherever these exist in the box.
- ``defined``: the expression certainly has a value on the whole box; for order 1 it is continuous there too, and for
  any two points of the box the difference of the values is a product of their distance with numbers in ``gradient`` (so
  at kinks this holds the generalised gradient); for order 2 the same holds for the gradient and ``hessian``, whose ends
  are infinite where a slope is. Where this is not known, the derivatives tell nothing.
- ``empty``: the expression certainly has a value nowhere in the box; the ends of the value are then (inf, -inf).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gdcli.calculus import interval_rules as rules
from gdcli.calculus.autodiff import Derivatives
from gdcli.calculus.exact_graph import ExactGraph, LogProduct, log_products, value_at
from gdcli.compile.scalar_text import compile_function
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import GdError
from gdcli.kernel.vectors import np
from gdcli.language.form import Form
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Key, arguments, leaf_keys

if TYPE_CHECKING:
    from gdcli.calculus.removable import Continuation

INF = float("inf")


class Enclosed(NamedTuple):
    """What is known on boxes; pairs (low, high) of arrays whose last axis is the box.

    ``gradient`` is None below order 1, ``hessian`` below order 2. For one box in numbers: pairs of numbers, a list of
    those of the gradient, and of those of the lower triangle of the Hessian, row by row.
    """

    value: Any
    gradient: Any
    hessian: Any
    defined: Any
    empty: Any


def known(found: Enclosed) -> Enclosed:
    """Return what was found on many boxes with infinite ends of the derivatives where they tell nothing."""
    gradient, hessian = (
        pair and (np.where(found.defined, pair[0], -np.inf), np.where(found.defined, pair[1], np.inf))
        for pair in (found.gradient, found.hessian)
    )
    return found if found.defined.all() else found._replace(gradient=gradient, hessian=hessian)


class IntervalProgram:
    """A scalar expression, its gradient and its Hessian on boxes; made by :func:`interval_program`.

    The last leaves, ``given`` in number, are no variables: there are no derivatives by them.
    """

    def __init__(
        self, graph: ExactGraph, root: int, leaves: Sequence[Key], order: int, given: int = 0
    ) -> None:
        self.graph = graph
        self.root = root
        self.order = order
        self.keys = list(leaves)
        self.size = len(self.keys) - given
        self._derivatives = Derivatives(graph)
        self._texts: dict[int, str] = {}
        self._made: dict[tuple[int, bool], Callable[..., Any]] = {}

    def roots(self, order: int) -> list[int]:
        """Return the nodes of the value, the gradient and the lower triangle of the Hessian, row by row."""
        found = [self.root]
        if order:
            graph, n = self.graph, self.size
            nodes = list(map(graph.leaf, self.keys[:n]))
            found += self._derivatives.slopes(self.root, nodes)
            if order > 1:
                columns = self._derivatives.hessian(found[1:], nodes)
                found += [columns[j][i - j] for i in range(n) for j in range(i + 1)]
        return found

    def along(self, centre: Sequence[float], axes: Sequence[Sequence[float]]) -> IntervalProgram:
        """Return the program of the expression as one of u, where its variables are centre + axes u."""
        from gdcli.compile.affine_coordinates import changed

        return IntervalProgram(*changed(self.graph, self.root, self.keys, centre, axes), self.order)

    def sharp_gradient(self, x: Sequence[float]) -> Sequence[tuple[float, float]] | None:
        """Return bounds of the gradient at a point, by long arithmetic; None where that has no rule."""
        from gdcli.compile.interval_arithmetic import bounds_at

        return bounds_at(self.graph, self.roots(1)[1:], dict(zip(self.keys, x, strict=False)))

    def limits(self) -> list[tuple[int, float]]:
        """Return at which numbers of which variables a quotient is continued, by the place of each variable."""
        keys, known = self.graph.keys, self.keys[: self.size]
        own = self._continuations((self.root,))
        return [(known.index(keys[u]), 0.5 * sum(op.zero)) for op, u in own if keys[u] in known]

    @property
    def is_continued(self) -> bool:
        """Whether there is a quotient with its limit, where the text has no value."""
        return bool(self._continuations((self.root,)))

    def _continuations(self, roots: Sequence[int]) -> list[tuple[Continuation, int]]:
        keys = (self.graph.keys[i] for i in self.graph.reach(roots))
        return [(op, u) for op, *args in keys if not isinstance(op, str) for u in args]

    def hessian_work(self) -> int:
        """Return about how many operations the Hessian takes: each of the gradient, by each variable it depends on."""
        graph = self.graph
        places = {key: 1 << k for k, key in enumerate(self.keys)}
        depends: dict[int, int] = {}
        found = 0
        for i in graph.reach(tuple(self.roots(1))):
            key = graph.keys[i]
            mine = places.get(key, 0)
            for a in arguments(key):
                mine |= depends[a]
            depends[i] = mine
            found += mine.bit_count()
        return found

    def _program(self, order: int, arrays: bool) -> Callable[..., Any]:
        if order > self.order:
            raise GdError(f"an interval program of order {self.order} has no derivatives of order {order}")
        found = self._made.get((order, arrays))
        if found is None:
            text = self._texts.get(order)
            if text is None:
                writer = _Writer(self.graph, self.root, self.roots(order), self.keys, order)
                text = self._texts[order] = writer.write()
            own = self._continuations(self.roots(order))
            names = _rules(arrays) | {_name_of(op): rule_of(op, arrays) for op, _ in own}
            found = compile_function(text, "program", names)
            self._made[order, arrays] = found
        return found

    def one_box(self, box: Sequence[tuple[float, float]], order: int) -> Enclosed:
        """Return what is known on one box, a pair (low, high) for each variable, in numbers: no numpy is needed."""
        found, defined, empty = self._program(order, False)(box)
        n = self.size
        value = (INF, -INF) if empty else found[0]
        return Enclosed(
            value, found[1 : n + 1] if order else None, found[n + 1 :] if order > 1 else None, defined, empty
        )

    def at(self, leaves: Sequence[tuple[Any, Any]], order: int) -> tuple[Sequence[Any], Any, Any]:
        """Return the ends of the value, the gradient, the lower triangle of the Hessian, and whether it is defined, or
        nowhere; ``leaves`` are the ends of all leaves, arrays that can be combined with one another.
        """
        with np.errstate(all="ignore"):
            found: tuple[Sequence[Any], Any, Any] = self._program(order, True)(leaves)
        return found

    def evaluate(self, low: Any, high: Any, order: int) -> Enclosed:
        """Return what is known on boxes: ``low`` and ``high`` have shape (n, m), n variables in m boxes.

        The ends of the value have shape (m,), of the gradient (n, m), of the Hessian (n, n, m); masks (m,). Derivatives
        that tell nothing are infinite.
        """
        n, m = low.shape
        found, defined, empty = self.at(list(zip(low, high, strict=True)), order)
        shape = (m,)
        empty = np.broadcast_to(np.asarray(empty, bool), shape)
        defined = np.broadcast_to(np.asarray(defined, bool), shape)
        value = np.where(empty, INF, found[0][0]), np.where(empty, -INF, found[0][1])
        value = np.broadcast_to(value[0], shape), np.broadcast_to(value[1], shape)
        if order == 0:
            return Enclosed(value, None, None, defined, empty)
        gradient = _filled(found[1 : n + 1], [(i,) for i in range(n)], (n, m))
        if order == 1:
            return known(Enclosed(value, gradient, None, defined, empty))
        places = [(i, j) for i in range(n) for j in range(i + 1)]
        hessian = _filled(found[n + 1 :], places, (n, n, m))
        for ends in hessian:
            for i, j in places:
                ends[j, i] = ends[i, j]
        return known(Enclosed(value, gradient, hessian, defined, empty))

    def value_at(self, point: Sequence[float]) -> tuple[float, float]:
        """Return the ends of the value at a point; they are next to each other where it is rational there."""
        leaves = {key: float(x) for key, x in zip(self.keys, point, strict=True)}
        low, high = value_at(self.graph, self.root, leaves)
        found = self.one_box([(x, x) for x in leaves.values()], 0)
        return (max(low, found.value[0]), min(high, found.value[1])) if found.defined else (low, high)


def interval_program(form: Form, order: int = 2, root: int | None = None) -> IntervalProgram:
    """Return what evaluates an expression on boxes, with derivatives up to ``order``.

    ``form`` is one of :func:`gdcli.calculus.exact_graph.exact_form`, its variables in flat order; ``root`` another node
    of its graph than its value, for example the negative (``form.graph.node("neg", form.root)``), or a row of a
    constraint.
    """
    if not isinstance(form.graph, ExactGraph):
        raise GdError("an interval program is made of a form whose numbers are exact")
    return IntervalProgram(form.graph, form.root if root is None else root, leaf_keys(form.lengths), order)


def _filled(pairs: Any, places: list[Any], shape: tuple[int, ...]) -> tuple[Any, Any]:
    low, high = np.zeros(shape), np.zeros(shape)
    for (a, b), place in zip(pairs, places, strict=True):
        low[place], high[place] = a, b
    return low, high


def _rules(arrays: bool) -> dict[str, Any]:
    if not arrays:
        return vars(rules)
    from gdcli.compile.interval_arithmetic import array_rules

    return array_rules()


def _name_of(op: Continuation) -> str:
    return f"continued{id(op)}"


@lru_cache(maxsize=256)
def rule_of(op: Continuation, arrays: bool) -> Callable[[Any], tuple[Any, Any]]:
    """Return the rule of a quotient with its limit: its argument -> what holds it, and where it is smooth."""
    from gdcli.calculus.removable import AROUND, LEAF

    nodes = (op.plain, op.limit, op.smooth)
    typed, limit, smooth = (
        IntervalProgram(op.graph, node, [LEAF, AROUND], 0)._program(0, arrays) for node in nodes
    )
    either, hull = (_rules(arrays)[name] for name in ("either", "hull"))

    def rule(u: Any) -> tuple[Any, Any]:
        around = hull(u, op.zero)
        (plain,), known, _ = typed((u, around))
        (other,), reached, _ = limit((u, around))
        holds = reached & smooth((around, around))[1]
        return either(known, plain, holds, other), known | holds

    return rule


# Whether something holds: names of conditions, all of which must; and of those that tell where there is no value.
_Known = tuple[frozenset[str], frozenset[str]]
_NOTHING: _Known = (frozenset(), frozenset())


class _Writer:
    """Writes ``def program(x)``, which returns the ends of the roots, whether they are defined, whether nowhere."""

    def __init__(
        self, graph: ExactGraph, root: int, roots: Sequence[int], leaves: Sequence[Key], order: int
    ) -> None:
        self.graph = graph
        self.root = root
        self.roots = roots
        self.order = order
        self.leaves = {key: f"x[{k}]" for k, key in enumerate(leaves)}
        self.of_value = set(graph.reach((root,)))
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.known: dict[int, _Known] = {}
        self.powers: dict[int, tuple[int, int]] = {}
        self.log_products: dict[int, LogProduct] = {}

    def write(self) -> str:
        order = self.graph.reach(tuple(self.roots))
        self.log_products = log_products(self.graph, order)
        for i in order:
            key = self.graph.keys[i]
            if key[0] == "number":
                self.number(i)
            elif key[0] in ("scalar", "element"):
                self.names[i] = self.leaves[key]
            else:
                self.operation(i, key)
        defined, empty = self.known.get(self.root, _NOTHING)
        body = "".join(f"    {line}\n" for line in self.lines)
        results = ", ".join(self.names[i] for i in self.roots)
        return f"def program(x):\n{body}    return ({results},), {_all(defined)}, {_any(empty)}\n"

    def number(self, i: int) -> None:
        low, high = self.graph.interval(i)
        self.names[i] = (
            "ENTIRE" if (low, high) == rules.ENTIRE else f"({low!r}, {high!r})".replace("inf", "INF")
        )
        if self.graph.keys[i][1] in ("nan", INF, -INF):
            self.known[i] = (
                frozenset(("False",)),
                frozenset(("True",) if self.graph.keys[i][1] == "nan" else ()),
            )

    def operation(self, i: int, key: Key) -> None:
        args = [self.names[a] for a in arguments(key)]
        self.known[i] = _both(self.known.get(a, _NOTHING) for a in arguments(key))
        self.names[i] = f"t{i}"
        if not isinstance(key[0], str):
            self.lines.append(f"t{i}, d{i} = {_name_of(key[0])}({args[0]})")
            defined, empty = self.known[i]
            self.known[i] = defined | {f"d{i}"}, empty
            return
        text = self.choice(i, key, args) if key[0] == "where" else self.text(i, key, args)
        self.lines.append(f"t{i} = {text}")

    def text(self, i: int, key: Key, args: list[str]) -> str:
        op = key[0]
        joined = ", ".join(args)
        if op == "pow":
            return self.power(i, key, args)
        if op == "mul":
            return self.product(i, key, args)
        if op == "div":
            self.require(i, f"nonzero('div', {args[1]})")
        if op in rules.ARITHMETIC:
            return f"{op}({joined})"
        condition = rules.condition_of(op)
        if condition is not None and condition.order <= self.order:
            misses = "" if condition.misses is None else f"{condition.misses.__name__}({op!r}, {joined})"
            self.require(i, f"{condition.holds.__name__}({op!r}, {joined})", misses)
        return f"{FUNCTIONS[op].interval}({op!r}, {joined})"

    def require(self, i: int, holds: str, misses: str = "") -> None:
        """Note what must hold for node i of the value; derivatives tell by themselves where they are infinite."""
        if i not in self.of_value:
            return
        self.lines.append(f"d{i} = {holds}")
        defined, empty = self.known[i]
        defined |= {f"d{i}"}
        if misses:
            self.lines.append(f"e{i} = {misses}")
            empty |= {f"e{i}"}
        self.known[i] = defined, empty

    def product(self, i: int, key: Key, args: list[str]) -> str:
        """A product; one of powers of the same base is a power."""
        if i in self.log_products:
            return self.log_product(i, self.log_products[i])
        (p, j), (q, k) = (self.powers.get(a, (a, 1)) for a in key[1:])
        if p != q:
            return f"mul({', '.join(args)})"
        self.powers[i] = p, j + k
        return f"whole_power({self.names[p]}, {j + k})"

    def log_product(self, i: int, found: LogProduct) -> str:
        base = self.names[found.base]
        if found.exponent not in self.names:
            self.number(found.exponent)
        exponent = self.names[found.exponent]
        if self.graph.keys[i][0] == "mul":
            self.require(i, "True", f"no_power_log({base}, {exponent})")
        text = f"power_log({found.log!r}, {base}, {exponent})"
        for node in found.over:
            text = f"mul({text}, {self.names[node]})"
        for node in found.under:
            text = f"div({text}, {self.names[node]})"
        return f"neg({text})" if found.negative else text

    def power(self, i: int, key: Key, args: list[str]) -> str:
        base, exponent = args
        whole = None
        if self.graph.value_of(key[2]) is not None:
            whole = rules.whole(self.graph.interval(key[2]))
        if whole is None:
            self.require(i, f"has_power({base}, {exponent})", f"no_power({base}, {exponent})")
            if i in self.log_products:
                return f"power_by_log({base}, {exponent}, {self.log_product(i, self.log_products[i])})"
            return f"power({base}, {exponent})"
        if whole < 0:
            self.require(i, f"nonzero('pow', {base})")
        return f"whole_power({base}, {whole})"

    def choice(self, i: int, key: Key, args: list[str]) -> str:
        """A ``where``: what is not defined in a side that is certainly not taken does no harm.

        A comparison with what is nan is false (and "!=" true), so that a test which may have no value is open.
        """
        relation, sides = key[1], key[4:]
        tested = _both(self.known.get(a, _NOTHING) for a in key[2:4])
        self.lines.append(f"y{i}, n{i} = holds({relation!r}, {args[0]}, {args[1]})")
        if tested[0]:
            open_side = "n" if relation == "!=" else "y"
            self.lines.append(f"{open_side}{i} = {open_side}{i} & {_all(tested[0])}")
        if i in self.of_value:
            self.lines += self.sides(i, *(self.known.get(a, _NOTHING) for a in sides))
            self.known[i] = tested[0] | {f"d{i}"}, frozenset((f"e{i}",))
            return f"choose(y{i} | f{i}, n{i} | g{i}, {args[2]}, {args[3]})"
        return f"choose(y{i}, n{i}, {args[2]}, {args[3]})"

    def sides(self, i: int, yes: _Known, no: _Known) -> list[str]:
        """What a choice needs of its sides: d is where it is defined, e where it is not; f, g where a side is not."""
        either = f" | ({_all(yes[0] | no[0])})" if self.order == 0 else ""
        return [
            f"d{i} = (y{i} & {_all(yes[0])}) | (n{i} & {_all(no[0])}){either}",
            f"f{i}, g{i} = {_any(no[1])}, {_any(yes[1])}",
            f"e{i} = (y{i} & g{i}) | (n{i} & f{i}) | (f{i} & g{i})",
        ]


def _both(parts: Iterable[_Known]) -> _Known:
    defined: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()
    for one, other in parts:
        defined, empty = defined | one, empty | other
    return defined, empty


def _all(names: Iterable[str]) -> str:
    return f"({' & '.join(sorted(names)) or 'True'})"


def _any(names: Iterable[str]) -> str:
    return f"({' | '.join(sorted(names)) or 'False'})"
