"""The reference of an audit: the derivative as the limit it is, in arithmetic of 220 digits.

With so many digits nothing is lost in f(x+h) - f(x) for h = 1e-100 |x|, so the quotients from the right and from
the left are the one-sided derivatives themselves, to some hundred digits, and no rule of differentiation has been
used: a wrong rule, a kink, a jump, a slope without bound all show. A second, far smaller h tells whether there is
a limit at all.

Beside each value stands a bound of what rounding to doubles (unit u = 2**-53) can do to it, by running error
analysis: each operation adds u times its result, and passes on the errors of its arguments times its partial
derivatives (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002, section 3.3). mpmath comes
with sympy and is imported only where an audit is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gdcli.calculus.autodiff import Derivatives
from gdcli.calculus.elements import ARITHMETIC, by_formula
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import LARGEST, SMALLEST, SMALLEST_NORMAL, UNIT_ROUNDOFF
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import Graph, arguments, compare

if TYPE_CHECKING:
    from mpmath import mpf

DIGITS = 220
# Units that the last operation may be wrong by: arithmetic is rounded right, functions nearly.
FUNCTION_UNITS, SPECIAL_UNITS = 3, 10

Leaves = Mapping[int, Any]  # leaf of the graph -> its number


class Slope(NamedTuple):
    """A one-sided derivative.

    ``kind`` is finite, infinite (it grows without bound), jump (the value jumps) or outside (there is no value).
    """

    kind: str
    value: mpf = None


class DerivativeLimit(NamedTuple):
    """The derivative by one component: ``value`` (None where there is none), and the two sides."""

    value: mpf
    right: Slope
    left: Slope

    @property
    def why(self) -> str:
        """Why there is no derivative: kink, jump, infinite or outside; "edge" for one side only, else nothing."""
        kinds = {self.right.kind, self.left.kind}
        if kinds == {"outside"}:
            return "outside"
        for kind in ("jump", "infinite"):
            if kind in kinds:
                return kind
        if "outside" in kinds:
            return "edge"
        return "" if self.value is not None else "kink"


@lru_cache(maxsize=1)
def arithmetic() -> Any:
    import mpmath

    context = mpmath.MPContext()
    context.dps = DIGITS
    return context


class Precise:
    """Evaluates nodes of a graph at one point in long arithmetic, each once; ``where`` is lazy."""

    def __init__(self, graph: Graph, leaves: Leaves, derivatives: Derivatives | None = None) -> None:
        self.graph = graph
        self.mp = arithmetic()
        self.derivatives = derivatives or Derivatives(graph)
        self.known: dict[int, Any] = dict(leaves)
        self.bounds: dict[int, Any] = dict.fromkeys(leaves, self.mp.zero)

    def value(self, root: int) -> Any:
        """Return the value of a node: nan outside the domain."""
        for i in self.graph.reach((root,), self.known, self.graph.needed_first):
            if i not in self.known:
                self.known[i] = self._one(i)
        return self.known[root]

    def taken(self, i: int) -> int:
        _, relation, a, b, yes, no = self.graph.keys[i]
        return int(yes if compare(relation, self.value(a), self.value(b)) else no)

    def _one(self, i: int) -> Any:
        key = self.graph.keys[i]
        if key[0] == "number":
            return self.mp.mpf(self.graph.value_of(i))
        if key[0] == "where":
            return self.value(self.taken(i))
        args = [self.known[a] for a in arguments(key)]
        if any(self.mp.isnan(a) for a in args):
            return self.mp.nan
        try:
            found = _operations()[key[0]](*args)
        except (ZeroDivisionError, ValueError, OverflowError):
            return self.mp.nan
        return found if isinstance(found, self.mp.mpf) else self.mp.nan

    def bound(self, root: int) -> Any:
        """Return what rounding to doubles can change of a node's value, to first order; inf where unknown."""
        self.value(root)
        for i in self.graph.reach((root,), self.bounds, self._below):
            self.bounds[i] = self._bound(i)
        return self.bounds[root]

    def _below(self, i: int) -> tuple[int, ...]:
        """The arguments of a node that have been evaluated for it: of a ``where`` the side that is taken."""
        key = self.graph.keys[i]
        return (self.taken(i),) if key[0] == "where" else arguments(key)

    def _exact_bound(self, i: int, size: mpf) -> Any:
        """The bound of a node that adds no rounding of its own; None for all others."""
        key = self.graph.keys[i]
        if key[0] == "number":
            whole = not self.mp.isfinite(size) or size == int(size)
            return self.mp.zero if whole else UNIT_ROUNDOFF * size  # a formula may have it exactly
        if key[0] == "where":
            return self.bounds[self.taken(i)]
        if key[0] in ("max", "min"):
            return max(self.bounds[a] for a in key[1:])
        if key[0] == "neg":
            return self.bounds[key[1]]
        return self.mp.zero if key[0] in ("sign", "floor", "ceil") else None

    def _bound(self, i: int) -> Any:
        key, size = self.graph.keys[i], abs(self.known[i])
        exact = self._exact_bound(i, size)
        if exact is not None:
            return exact
        row = FUNCTIONS.get(key[0])
        units = 1 if row is None else SPECIAL_UNITS if row.special else FUNCTION_UNITS
        if key[0] in ("lgamma", "digamma"):
            size = max(size, self.mp.one)
        own = units * UNIT_ROUNDOFF * size + SMALLEST
        errors = [self.bounds[a] for a in arguments(key)]
        if not any(errors):
            return own
        slopes = dict(self.derivatives.partials(i)) if key[0] != "trigamma" else {}
        for a, error in zip(arguments(key), errors, strict=True):
            if error:
                own += error * abs(self.value(slopes[a])) if a in slopes else self._number_slope(i, a) * error
        return own if not self.mp.isnan(own) else self.mp.inf

    def _number_slope(self, i: int, a: int) -> Any:
        """Return the partial derivative by an argument that is a number (rules leave these out), by quotient."""
        key = self.graph.keys[i]
        h = self.mp.mpf(10) ** -100 * max(abs(self.known[a]), self.mp.mpf(10) ** -100)
        moved = [self.known[b] + (h if b == a else 0) for b in arguments(key)]
        try:
            return abs((_operations()[key[0]](*moved) - self.known[i]) / h)
        except (ZeroDivisionError, ValueError, OverflowError, TypeError):
            return self.mp.inf

    def tangent_bound(self, root: int, leaf: int) -> Any:
        """Return what rounding can do to a derivative that is carried along with the value, step by step.

        Nothing cancels in it: with A the sum of the absolute products along all paths from the leaf, each step
        passes on its arguments' errors and adds A times the error of its own partial derivative.
        """
        self.bound(root)
        mp = self.mp
        reach: dict[int, tuple[Any, Any]] = {leaf: (mp.one, mp.zero)}  # node: (A, error)
        for i in self.graph.reach((root,)):
            if i == leaf or i not in self.bounds:
                continue
            key = self.graph.keys[i]
            if key[0] in ("where", "max", "min"):
                inner = [reach[a] for a in ((self.taken(i),) if key[0] == "where" else key[1:]) if a in reach]
                if inner:
                    reach[i] = max(a for a, _ in inner), max(e for _, e in inner)
                continue
            if key[0] in ("sign", "floor", "ceil") or not any(a in reach for a in arguments(key)):
                continue
            size = error = mp.zero
            for a, partial in self.derivatives.partials(i):
                if a in reach:
                    above, before = reach[a]
                    slope, own = abs(self.value(partial)), self.bound(partial)
                    size += slope * above
                    error += slope * before + above * (own + SPECIAL_UNITS * UNIT_ROUNDOFF * slope)
            reach[i] = size, error
        return reach.get(root, (mp.zero, mp.zero))[1]

    def leaves_doubles(self) -> str:
        """Return "overflow" or "underflow" where a value met so far is no normal double, else nothing."""
        sizes = [abs(v) for v in self.known.values() if not self.mp.isnan(v) and v != 0]
        if any(size > LARGEST for size in sizes):
            return "overflow"
        return "underflow" if any(size < SMALLEST_NORMAL for size in sizes) else ""


@lru_cache(maxsize=1)
def _operations() -> dict[str, Callable[..., Any]]:
    """The operations of the graph in long arithmetic; complex results count as outside the domain."""
    mp = arithmetic()

    def power(a: mpf, b: mpf) -> Any:
        if a == 0 and b < 0:
            return mp.inf
        return a**b

    operations: dict[str, Callable[..., Any]] = {
        **ARITHMETIC,
        "pow": power,
        "abs": abs,
        "max": max,
        "min": min,
        "lgamma": lambda a: mp.loggamma(a) if a > 0 else mp.ln(abs(mp.gamma(a))),
        "trigamma": lambda a: mp.psi(1, a),
        "cbrt": lambda a: mp.sign(a) * mp.cbrt(abs(a)),
    }

    def written(name: str) -> Callable[..., Any]:
        return lambda *args: by_formula(name, args, mp.mpf, operations.__getitem__)

    for name in FUNCTIONS:
        operations[name] = operations.get(name) or getattr(mp, name, None) or written(name)
    return operations


def limits(graph: Graph, root: int, leaves: Mapping[int, float]) -> list[DerivativeLimit]:
    """Return the derivative of ``root`` by each leaf, as a limit of quotients in long arithmetic."""
    mp = arithmetic()
    mp.dps = DIGITS
    at = {leaf: mp.mpf(x) for leaf, x in leaves.items()}
    here = Precise(graph, at).value(root)
    # What a change of the smallest number does to the largest must not be lost either.
    sizes = [abs(v) for v in (*at.values(), here, mp.one) if mp.isfinite(v) and v != 0]
    mp.dps = DIGITS + min(2000, max(0, int(mp.log10(max(sizes) / min(sizes)))))
    here = Precise(graph, at).value(root)
    return [_limit(graph, root, at, leaf, here) for leaf in at]


def _limit(graph: Graph, root: int, at: dict[int, Any], leaf: int, here: object) -> DerivativeLimit:
    mp = arithmetic()
    size = abs(at[leaf])
    wide = size * mp.mpf(10) ** -90 if size else mp.mpf(10) ** -130
    narrow = wide * mp.mpf(10) ** -20

    def quotient(h: object) -> Any:
        return (Precise(graph, {**at, leaf: at[leaf] + h}).value(root) - here) / h

    right, left = (_slope(quotient(sign * wide), quotient(sign * narrow)) for sign in (1, -1))
    if right.kind == left.kind == "finite":
        difference = abs(right.value - left.value)
        same = difference <= mp.mpf(10) ** -30 * max(abs(right.value), abs(left.value))
        return DerivativeLimit(0.5 * (right.value + left.value) if same else None, right, left)
    one = [side.value for side in (right, left) if side.kind == "finite"]
    alone = len(one) == 1 and "outside" in (right.kind, left.kind)
    return DerivativeLimit(one[0] if alone else None, right, left)


def _slope(wide: mpf, narrow: mpf) -> Slope:
    """Return the limit of quotients of which two are known."""
    mp = arithmetic()
    if not mp.isfinite(wide) or not mp.isfinite(narrow):
        return Slope("outside")
    change = abs(wide - narrow)
    if change <= mp.mpf(10) ** -30 * abs(narrow):
        return Slope("finite", narrow)
    if 4 * abs(narrow) < abs(wide):  # what shrinks with h, as any power of it, has the limit 0
        return Slope("finite", mp.zero)
    return Slope("jump" if abs(narrow) > mp.mpf(10) ** 19 * abs(wide) else "infinite")


def as_float(value: mpf | None) -> float:
    """Return the nearest double; infinite beyond the largest."""
    if value is None:
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
