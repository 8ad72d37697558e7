"""A sum of squares over rows on boxes of its parameters: the value, the gradient and the Hessian, all enclosed.

Beside what follows from the residuals one by one, a lower bound that knows of all rows together. The data are a point
in a space of as many dimensions as there are rows, and the model passes a surface through it. For every vector q, by
Cauchy and Schwarz,

    |r|**2  >=  (q.r)**2 / |q|**2 .

Taken for q is what is left of the residual at the centre after the step of Gauss and Newton within the box: the
distance from the tangent plane there. q.r is one function of the parameters, flat at the centre in the directions in
which the step is free; it is enclosed by Taylor's theorem. Where the model is linear there is no more than the
distance from a plane to be known, and boxes may be as long as the bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gdcli.compile.interval_arithmetic import array_rules
from gdcli.compile.interval_forms import lowest_of_quadratics, middle, second_order
from gdcli.compile.interval_program import Enclosed, IntervalProgram, known
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import EPS, SMALLEST
from gdcli.kernel.vectors import np

Array = Any
Pair = tuple[Array, Array]
# Rows times boxes in one call of numpy.
_AT_ONCE = 1 << 14
# What keeps equations of parameters apart that have one effect, relative to all.
_RIDGE = 1e-13


class SquaresOnBoxes:
    """The sum of the squares of ``residual`` over rows: a program of the parameters, and of the ``columns`` as its last
    leaves.
    """

    def __init__(self, residual: IntervalProgram, columns: Sequence[Array]) -> None:
        self.residual = residual
        self.columns = [(column[:, None], column[:, None]) for column in columns]
        self.rows = len(columns[0])
        self.keys = residual.keys[: residual.size]

    def evaluate(self, low: Array, high: Array, order: int) -> Enclosed:
        parts = [self._enclosed(low[:, part], high[:, part], order) for part in self._parts(low)]
        joined = [np.concatenate(ends, axis=-1) for ends in zip(*parts, strict=True)]
        value, defined, empty = (joined[0], joined[1]), joined[2], joined[3]
        gradient = (joined[4], joined[5]) if order else None
        return known(Enclosed(value, gradient, (joined[6], joined[7]) if order > 1 else None, defined, empty))

    def value_at(self, point: Array) -> tuple[float, float]:
        low, high = self.evaluate(point[:, None], point[:, None], 0).value
        return float(low[0]), float(high[0])

    def _parts(self, low: Array) -> Iterator[slice]:
        size = max(1, _AT_ONCE // self.rows)
        return (slice(k, k + size) for k in range(0, max(low.shape[1], 1), size))

    def _enclosed(self, low: Array, high: Array, order: int) -> list[Array]:
        n, m = low.shape
        rules = array_rules()
        found, defined, empty = self._residuals(low, high, order)
        shape = (self.rows, m)
        defined, empty = (np.broadcast_to(np.asarray(a, bool), shape) for a in (defined, empty))
        defined, empty = defined.all(axis=0), empty.any(axis=0)
        with np.errstate(all="ignore"):
            r = found[0]
            value = _sum(rules["square"](r))
            gradient, hessian = np.zeros((2, n, m)), np.zeros((2, n, n, m))
            for i in range(n if order else 0):
                gradient[:, i] = _twice(_sum(rules["mul"](r, found[1 + i])))
            place = n
            for i in range(n if order > 1 else 0):
                for j in range(i + 1):
                    place += 1
                    a, b = found[1 + i], found[1 + j]
                    product = rules["square"](a) if i == j else rules["mul"](a, b)
                    entry = _twice(_sum(rules["add"](product, rules["mul"](r, found[place]))))
                    hessian[:, i, j] = hessian[:, j, i] = entry
        wide = (low < high).any(axis=0) & ~empty
        lower = np.maximum(value[0], 0.0)
        if order == 0 and wide.any():
            lower[wide] = np.maximum(lower[wide], self._tangent_bound(low[:, wide], high[:, wide]))
        ends = np.where(empty, np.inf, lower), np.where(empty, -np.inf, value[1])
        return [*ends, defined, empty, *gradient, *hessian]

    def _residuals(self, low: Array, high: Array, order: int) -> tuple[list[Pair], Array, Array]:
        """Return the residual, its gradient, the triangle of its Hessian, each (rows, boxes)."""
        leaves = [(a[None, :], b[None, :]) for a, b in zip(low, high, strict=True)]
        found, defined, empty = self.residual.at([*leaves, *self.columns], order)
        shape = (self.rows, low.shape[1])
        whole = [(np.broadcast_to(pair[0], shape), np.broadcast_to(pair[1], shape)) for pair in found]
        return whole, defined, empty

    def _tangent_bound(self, low: Array, high: Array) -> Array:
        """Return the lower bounds (m,) by the tangent planes; see the text of the module."""
        rules = array_rules()
        with np.errstate(all="ignore"):
            known, center, q, value, slope, hessian = self._tangents(low, high)
            least = second_order(low, high, center, value, slope, hessian)[0]
            size = _sum(rules["square"]((q, q)))[1]
            bound = rules["div"](rules["square"]((np.maximum(least, 0.0),) * 2), (size, size))[0]
        return np.where(known & (least > 0.0) & (size > 0.0) & ~np.isnan(bound), bound, 0.0)

    def _tangents(self, low: Array, high: Array) -> _Tangents:
        n, m = low.shape
        rules = array_rules()
        center = middle(low, high)
        at, at_defined, _ = self._residuals(center, center, 1)
        on, on_defined, _ = self._residuals(low, high, 2)
        shape = (self.rows, m)
        known = (np.broadcast_to(at_defined, shape) & np.broadcast_to(on_defined, shape)).all(axis=0)
        r, *slopes = (0.5 * pair[0] + 0.5 * pair[1] for pair in at)
        jacobian = np.array(slopes)
        known &= np.isfinite(r).all(axis=0) & np.isfinite(jacobian).all(axis=(0, 1))
        r, jacobian = np.where(known, r, 0.0), np.where(known, jacobian, 0.0)
        matrix = np.einsum("irm,jrm->ijm", jacobian, jacobian)
        matrix[range(n), range(n)] += _RIDGE * np.einsum("iim->m", matrix) + 1e-290
        point = lowest_of_quadratics(low, high, np.einsum("irm,rm->im", jacobian, r), matrix)
        q = r + np.einsum("irm,im->rm", jacobian, point - center)
        q = np.where(np.isfinite(q), q, 0.0)
        value, *sums = (_sum(rules["mul"]((q, q), pair)) for pair in (*at, *on[1 + n :]))
        slope = np.array([pair[0] for pair in sums[:n]]), np.array([pair[1] for pair in sums[:n]])
        hessian = np.zeros((2, n, n, m))
        places = [(i, j) for i in range(n) for j in range(i + 1)]
        for (i, j), pair in zip(places, sums[n:], strict=True):
            hessian[:, i, j] = hessian[:, j, i] = pair
        return _Tangents(known, center, q, value, slope, (hessian[0], hessian[1]))


class _Tangents(NamedTuple):
    """Where these are known (m,), the centres (n, m), the vectors q (rows, m); what holds q.r at the centre, its slope
    there, and its Hessian on the boxes.
    """

    known: Array
    center: Array
    q: Array
    value: Pair
    slope: Pair
    hessian: Pair


def _twice(pair: Pair) -> Pair:
    return 2.0 * pair[0], 2.0 * pair[1]


def _sum(pair: Pair) -> Pair:
    """Return what holds the sums over the rows of what intervals hold."""
    count = len(pair[0])
    low, high = pair[0].sum(axis=0), pair[1].sum(axis=0)
    slack = [count * (EPS * np.abs(end).sum(axis=0) + SMALLEST) for end in pair]
    low, high = low - slack[0], high + slack[1]
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


class Contracted:
    """What stands for the propagation of demands through a graph: the value of a sum of squares tells which boxes are
    left.
    """

    def __init__(self, squares: SquaresOnBoxes) -> None:
        self.squares = squares

    def contract(
        self, low: Array, high: Array, demands: Sequence[Pair]
    ) -> tuple[Array, Array, Array, list[Pair]]:
        found = self.squares.evaluate(low, high, 0)
        return low, high, found.value[0] <= demands[0][1], [found.value]

    def values(self, low: Array, high: Array) -> list[Pair]:
        return [self.squares.evaluate(low, high, 0).value]
