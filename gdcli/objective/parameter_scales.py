"""How large may a parameter be? Read from the model and the data, so that starts can be drawn.

Every operation of the model says something of the sizes of its parts: what is added has about one size, the argument of
an exponential is of the size of 1, a product has the product of the sizes. In logarithms these are linear equations for
the sizes of the parameters, whose other sides come from the columns; they are solved by least squares. So ``E`` in
``exp(-E/(8.314*T))`` is of the size of 8.314 times a temperature, and ``k`` in ``1-exp(-k*t)`` of one over a time.

Two kinds of parameters are no sizes. One that is added to something known, as m in ``x - m`` or K in ``K + x``, is a
*place* and drawn from there. One that is added in the argument of a sine is an *angle*. And such an argument may turn
as often as there are pairs of rows, so frequencies are drawn evenly up to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log, pi
from typing import TYPE_CHECKING, Any

from gdcli.compile.runners import batch_function
from gdcli.kernel.dataclass import NamedTuple, dataclass, field
from gdcli.kernel.vectors import Vector, np
from gdcli.language.functions import FUNCTIONS
from gdcli.language.graph import LEAVES, arguments
from gdcli.objective.row_model import RowModel

if TYPE_CHECKING:
    from numpy.random import Generator

# Sizes are drawn evenly on a logarithmic scale up to this factor either way, some of them up to the second one.
SPREAD, WIDE, SOMETIMES = 30.0, 1000.0, 0.2
# How often what has no known sign is drawn as negative, and a place off the values it is compared with.
NEGATIVE, OFF = 0.3, 0.3

_TURNING = frozenset({"sin", "cos", "tan"})
_SAME = frozenset({"neg", "abs", "floor", "ceil"})
_LIKE = frozenset({"add", "sub", "min", "max", "hypot", "atan2"})
# All others of one argument but a root bend where that is of the size of 1.
_OF_ONE = (
    frozenset(f.name for f in FUNCTIONS.values() if f.arity == 1)
    - _TURNING
    - _SAME
    - {"sqrt", "cbrt", "sign"}
)


class Size(NamedTuple):
    """The logarithm of a size: a constant, multiples of those of bent parameters, and of known values.

    These have the node and whether it is their spread.
    """

    constant: float
    parameters: dict[int, float]
    known: dict[tuple[int, bool], float]

    def plus(self, other: Size, factor: float = 1.0) -> Size:
        parameters, known = dict(self.parameters), dict(self.known)
        for j, value in other.parameters.items():
            parameters[j] = parameters.get(j, 0.0) + factor * value
        for key, value in other.known.items():
            known[key] = known.get(key, 0.0) + factor * value
        return Size(self.constant + factor * other.constant, parameters, known)

    def times(self, factor: float) -> Size:
        return ONE.plus(self, factor)


ONE = Size(0.0, {}, {})


@dataclass(slots=True)
class _Read:
    """What the graph says: equations (a size that is that of 1; whether it turns), places, angles."""

    equations: list[tuple[Size, bool]] = field(default_factory=list)
    places: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)
    angles: set[int] = field(default_factory=set)


class Guesses:
    """Draws of the bent parameters of a row model; ``arrays`` are its columns, in its order.

    ``lower`` and ``upper`` (shape p, None: no bounds) hold them.
    """

    def __init__(
        self,
        row: RowModel,
        arrays: Sequence[Any],
        bent: Sequence[int],
        lower: Vector = None,
        upper: Vector = None,
    ) -> None:
        assert row.response is not None
        assert row.fitted is not None
        self.row, self.bent, self.lower, self.upper = row, list(bent), lower, upper
        self._nodes = {row.parameters[i]: k for k, i in enumerate(self.bent)}
        self._read = _Read()
        self._sizes: dict[int, Size | None] = {}
        reached = row.graph.reach((row.response, row.fitted))
        self._turning = {row.graph.keys[i][1] for i in reached if row.graph.keys[i][0] in _TURNING}
        leaves = set(row.parameters)
        self._varying: set[int] = set()
        for i in reached:
            if i in leaves or any(a in self._varying for a in arguments(row.graph.keys[i])):
                self._varying.add(i)
        for i in reached:
            self._sizes[i] = self._size(i) if i in self._varying else self._known(i)
        self._values = self._numbers(arrays)
        self._solve()
        self.rows = len(arrays[0])

    # -- reading the graph ---------------------------------------------------------------------------------

    def _known(self, i: int) -> Size | None:
        value = self.row.graph.value_of(i)
        if value is None:
            return Size(0.0, {}, {(i, False): 1.0})
        return Size(log(abs(value)), {}, {}) if value and isfinite(value) else None

    def _size(self, i: int) -> Size | None:
        key = self.row.graph.keys[i]
        if i in self._nodes:
            return Size(0.0, {self._nodes[i]: 1.0}, {})
        if key[0] in LEAVES:
            return None  # a linear parameter
        op, args = key[0], arguments(key)
        sizes = [self._sizes[a] for a in args]
        if i in self._turning and op in ("add", "sub"):
            return self._turned(*args)
        if op in _LIKE:
            return self._alike(op, *args)
        if op == "where":
            self._alike("sub", *args[:2])
            return self._alike("min", *args[2:])
        if op in ("mul", "div"):
            a, b = sizes
            return None if a is None or b is None else a.plus(b, 1.0 if op == "mul" else -1.0)
        if op == "pow":
            return self._power(*args)
        if op in _TURNING:
            self._equation(sizes[0], turning=True)
            return ONE
        if op in _OF_ONE:
            self._equation(sizes[0])
            return ONE
        if op in _SAME:
            return sizes[0]
        return sizes[0].times(0.5) if op == "sqrt" and sizes[0] is not None else None

    def _power(self, base: int, exponent: int) -> Size | None:
        """An exponent is of the size of 1, but for one that is known."""
        a, b = self._sizes[base], self._sizes[exponent]
        number = self.row.graph.value_of(exponent)
        if number is not None:
            return None if a is None else a.times(number)
        self._equation(b)
        return ONE if self.row.graph.value_of(base) is not None else a

    def _equation(self, size: Size | None, turning: bool = False) -> None:
        if size is not None and size.parameters:
            self._read.equations.append((size, turning))

    def _alike(self, op: str, a: int, b: int) -> Size | None:
        """What is added or compared has one size; a lone parameter beside something known is a place."""
        for one, other, cancels in ((a, b, op == "sub"), (b, a, op == "sub")):
            if one in self._nodes and other not in self._varying and self.row.graph.value_of(other) is None:
                self._read.places.setdefault(self._nodes[one], []).append((other, cancels))
                return Size(0.0, {}, {(other, True): 1.0})
        left, right = self._sizes[a], self._sizes[b]
        if left is not None and right is not None:
            self._equation(left.plus(right, -1.0))
        return left if right is None or (left is not None and left.parameters) else right

    def _turned(self, a: int, b: int) -> Size | None:
        """The size of the argument of a sine, without an angle that is added to it."""
        for one, other in ((a, b), (b, a)):
            if one in self._nodes and other in self._varying:
                self._read.angles.add(self._nodes[one])
                return self._sizes[other]
        return self._alike("add", a, b)

    # -- numbers -------------------------------------------------------------------------------------------

    def _numbers(self, arrays: Sequence[Any]) -> dict[int, tuple[float, float, Any]]:
        """Typical size, spread and values of all that is known."""
        wanted = {node for size, _ in self._read.equations for node, _ in size.known}
        wanted |= {node for places in self._read.places.values() for node, _ in places}
        nodes = sorted(wanted)
        if not nodes:
            return {}
        found = {}
        columns = {key: k for k, key in enumerate(self.row.column_leaves)}
        with np.errstate(all="ignore"):
            values = batch_function(self.row.graph, nodes, columns)(list(arrays))
        for node, value in zip(nodes, values, strict=True):
            value = np.broadcast_to(value, len(arrays[0]))
            value = value[np.isfinite(value)]
            sizes = abs(value[value != 0.0])
            size = float(np.median(sizes)) if len(sizes) else 1.0
            spread = float(value.max() - value.min()) if len(value) else 0.0
            found[node] = size, spread or size, value if len(value) else np.zeros(1)
        return found

    def _solve(self) -> None:
        equations = self._read.equations
        M = np.zeros((len(equations), len(self.bent)))
        for k, (size, _) in enumerate(equations):
            for j, factor in size.parameters.items():
                M[k, j] = factor
        # Of a processor only the last digits would show.
        self._inverse = np.round(np.linalg.pinv(M, rcond=1e-9), 9) if M.size else M.T

    # -- drawing -------------------------------------------------------------------------------------------

    def draw(self, rng: Generator, count: int, signs: Vector) -> Any:
        """Return draws of the bent parameters (q, count); ``signs`` (q,) are 1 or -1 where they are known, else 0."""
        sizes = np.exp(np.clip(self._logarithms(rng, count), -600.0, 600.0))
        side = np.where(rng.random((len(self.bent), count)) < NEGATIVE, -1.0, 1.0)
        x = sizes * np.where(signs[:, None] != 0.0, signs[:, None], side)
        for j in self._read.angles:
            x[j] = rng.uniform(-pi, pi, count)
        for j, places in self._read.places.items():
            x[j] = np.where(rng.random(count) < OFF, x[j], self._placed(rng, count, places))
            x[j] = np.where(signs[j] * x[j] < 0.0, -x[j], x[j])
        return self._within(rng, x)

    def _logarithms(self, rng: Generator, count: int) -> Any:
        right = np.zeros((len(self._read.equations), count))
        known = self._values
        whole = rng.random(count) < 0.5
        for k, (size, turning) in enumerate(self._read.equations):
            right[k] = -size.constant
            if turning:  # in half of the draws up to one turn for two rows, evenly
                turns = rng.uniform(0.0, pi * self.rows, count)
                right[k] += np.where(whole, np.log(np.maximum(turns, 1e-300)), 0.0)
            for (node, is_spread), factor in size.known.items():
                typical, spread, _ = known[node]
                either = rng.random(count) < (0.0 if is_spread or turning else 0.5)
                sized = np.where(either, typical, spread)
                right[k] -= factor * np.log(sized)
        noise = rng.uniform(-1.0, 1.0, (len(self.bent), count))
        far = np.where(rng.random((len(self.bent), count)) < SOMETIMES, log(WIDE), log(SPREAD))
        turned = np.zeros(len(self.bent), dtype=bool)
        for size, turning in self._read.equations:
            for j in size.parameters if turning else ():
                turned[j] = True
        noise = np.where(turned[:, None] & whole, 0.0, noise * far)
        return self._inverse @ right + noise if len(right) else noise

    def _placed(self, rng: Generator, count: int, places: Sequence[tuple[int, bool]]) -> Any:
        """Values of what a parameter is added to, or between them, so that it cancels them or is as large."""
        node, cancels = places[int(rng.integers(len(places)))]
        values = self._values[node][2]
        of_rows = values[rng.integers(len(values), size=count)]
        between = rng.uniform(values.min(), values.max(), count)
        x = np.where(rng.random(count) < 0.5, of_rows, between)
        if cancels:
            return x
        return np.where(rng.random(count) < 0.5, -x, x)

    def _within(self, rng: Generator, x: Vector) -> Any:
        """Draws within the bounds; between two of them half of the draws lie evenly."""
        if self.lower is None:
            return x
        low, high = self.lower[self.bent][:, None], self.upper[self.bent][:, None]
        both = np.isfinite(low) & np.isfinite(high)
        even = np.where(both, low, 0.0) + rng.random(x.shape) * np.where(both, high - low, 0.0)
        outside = (x < low) | (x > high)
        return np.clip(np.where(both & (outside | (rng.random(x.shape) < 0.5)), even, x), low, high)
