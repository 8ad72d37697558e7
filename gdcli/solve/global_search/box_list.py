"""Many boxes as arrays, and lower bounds of a function on them from its derivatives, of first and of second order.

Ends have the shape (n, m), n variables in m boxes. With g an interval gradient on the box, ``f(x) >= f(c) + min
g.(x-c)`` (the mean value form). With H an interval Hessian, ``f(x) >= f(c) + g(c).d + d'Hd/2``, d = x - c. Let M be the
middle of H and R its radius: with w the widths, ``d'(H-M)d >= -sum rho_i d_i**2`` where ``rho_i = sum_j R_ij w_j/w_i``,
so that the least of a quadratic function is to be bounded. Where that is not convex, it is made so at the price of at
most n/8 times its most negative curvature in the units w (alphaBB: Androulakis, Maranas, Floudas, Journal of Global
Optimization 7, 1995).

Sums are done in plain floating point; the error that they may make is taken off the bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gdcli.compile.interval_forms import lowest_of_quadratics, middle
from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.numerics import EPS, SMALLEST
from gdcli.kernel.vectors import np

# An array of numpy; in a pair (low, high), the ends of intervals.
Array = Any
Interval = tuple[Array, Array]


class Contracting(Protocol):
    """What cuts boxes to where demands can hold, as `gdcli.compile.propagation.Propagation` does."""

    def contract(
        self, low: Array, high: Array, demands: Sequence[Interval]
    ) -> tuple[Array, Array, Array, list[Interval]]: ...
    def values(self, low: Array, high: Array) -> list[Interval]: ...


@dataclass(slots=True)
class Boxes:
    """Boxes ``low`` to ``high``, (n, m), with lower ``bounds`` (m,) of the function on each."""

    low: Array
    high: Array
    bounds: Array

    def __len__(self) -> int:
        return len(self.bounds)

    def where(self, kept: Array) -> Boxes:
        return Boxes(self.low[:, kept], self.high[:, kept], self.bounds[kept])

    def beside(self, *others: Boxes) -> Boxes:
        all_of = [self, *others]
        low, high = (np.concatenate([getattr(b, end) for b in all_of], axis=1) for end in ("low", "high"))
        return Boxes(low, high, np.concatenate([b.bounds for b in all_of]))


def relaxed(sides: Sequence[tuple[float, float]], slack: float) -> list[tuple[float, float]]:
    """Return the sides of constraints farther apart by ``slack`` of the size of each, at least of 1."""
    return [(low - _room(low, slack), high + _room(high, slack)) for low, high in sides]


def _room(side: float, slack: float) -> float:
    return slack * max(1.0, abs(side)) if np.isfinite(side) else 0.0


def no_boxes(n: int) -> Boxes:
    return Boxes(np.zeros((n, 0)), np.zeros((n, 0)), np.zeros(0))


def smear_of(boxes: Boxes, slope: Interval) -> Array:
    """By how much the value may vary along each axis, (n, m); where that is not known, the width."""
    width = boxes.high - boxes.low
    with np.errstate(all="ignore"):
        found = width * np.maximum(np.abs(slope[0]), np.abs(slope[1]))
    known = np.isfinite(found).all(axis=0)
    return np.where(known, found + 1e-9 * width, width)


def halves(boxes: Boxes, smear: Array) -> tuple[Boxes, Array]:
    """Cut each box in two along the axis on which the value may vary most."""
    low, high = boxes.low, boxes.high
    each = np.arange(len(boxes))
    cuttable = np.nextafter(low, high) < high
    axis = np.argmax(np.where(cuttable, smear, -1.0), axis=0)
    place = middle(low[axis, each], high[axis, each])
    upper_low, lower_high = low.copy(), high.copy()
    upper_low[axis, each] = lower_high[axis, each] = place
    half = smear.copy()
    half[axis, each] *= 0.5
    found = Boxes(low, lower_high, boxes.bounds).beside(Boxes(upper_low, high, boxes.bounds))
    return found, np.concatenate([half, half], axis=1)


class Model(NamedTuple):
    """Enclosures at the centre of boxes and on them: all arrays have the boxes as their last axis.

    ``center``, ``low`` and ``high`` are (n, m); ``value``, ``slope`` (at the centre) and ``hessian`` (on the box) are
    pairs of arrays.
    """

    low: Array
    high: Array
    center: Array
    value: tuple[Array, Array]
    slope: tuple[Array, Array]
    hessian: tuple[Array, Array]


def margin(n: int) -> float:
    """A bound of the relative error of a sum of n**2 products of three numbers in floating point."""
    return (n * n + 3 * n + 16) * EPS


def balanced_center(low: Array, high: Array, slope_low: Array, slope_high: Array) -> Array:
    """Return the centre with the best lower bound by the mean value form (Baumann, BIT 28, 1988)."""
    with np.errstate(all="ignore"):
        c = (slope_high * low - slope_low * high) / (slope_high - slope_low)
    c = np.where(slope_low >= 0, low, np.where(slope_high <= 0, high, c))
    return np.where(np.isfinite(c), np.clip(c, low, high), middle(low, high))


def mean_value_bound(
    low: Array, high: Array, center: Array, value: Array, slope_low: Array, slope_high: Array
) -> Array:
    """Return the lower bounds (m,) by the mean value form; ``value`` is a lower bound at the centre."""
    with np.errstate(all="ignore"):
        down, up = low - center, high - center
        loss = np.minimum(slope_high * down, 0.0) + np.minimum(slope_low * up, 0.0)
        loss = np.where(up == 0, np.minimum(slope_high * down, 0.0), loss)
        loss = np.where(down == 0, np.minimum(np.where(up == 0, 0.0, slope_low * up), 0.0), loss)
        total = loss.sum(axis=0)
        bound = value + total - margin(len(low)) * (np.abs(value) - total) - 4 * len(low) * SMALLEST
    return np.where(np.isnan(bound), -np.inf, bound)


def quadratic_bound(model: Model) -> tuple[Array, Array, Array]:
    """Return lower bounds (m,), the points (n, m) that they favour, and on which boxes the function is convex (m,)."""
    n = len(model.low)
    width = np.maximum(model.high - model.low, 1e-300)
    down, up = (model.low - model.center) / width, (model.high - model.center) / width
    with np.errstate(all="ignore"):
        scale = width[:, None, :] * width[None, :, :]
        scaled_low, scaled_high = model.hessian[0] * scale, model.hessian[1] * scale
        radius = 0.5 * (scaled_high - scaled_low)
        middle = 0.5 * (scaled_high + scaled_low)
        magnitude = np.maximum(np.abs(scaled_low), np.abs(scaled_high))
        usable = np.isfinite(magnitude).all(axis=(0, 1))
        spread = radius.sum(axis=1) + 4 * margin(n) * magnitude.sum(axis=1)
        matrix = np.where(usable, middle, 0.0)
        matrix[range(n), range(n)] -= np.where(usable, spread, 0.0)
        single = model.high == model.low  # such a variable curves nothing
        matrix = np.where(single[:, None, :] | single[None, :, :], 0.0, matrix)
        matrix[range(n), range(n)] += single
        slope = [s * width for s in model.slope]
        usable &= np.isfinite(slope[0]).all(axis=0) & np.isfinite(slope[1]).all(axis=0)
        slope = [np.where(usable, s, 0.0) for s in slope]
    stacked = np.ascontiguousarray(matrix.transpose(2, 0, 1))
    convex = _are_positive(stacked)
    shift = np.where(convex, 0.0, np.maximum(0.0, -_least_eigenvalues(stacked)))
    stacked[:, range(n), range(n)] += shift[:, None]
    middle_slope = 0.5 * (slope[0] + slope[1])
    d = lowest_of_quadratics(down, up, middle_slope, stacked.transpose(1, 2, 0))
    bound = _supported(stacked, slope, d, down, up)
    worst = 0.5 * shift * np.maximum(down * down, up * up).sum(axis=0)
    value = model.value[0]
    size = np.abs(value) + np.abs(bound) + worst + (np.abs(slope[0]) + np.abs(slope[1])).sum(axis=0)
    size += np.abs(stacked).sum(axis=(1, 2))
    bound = value + bound - worst - margin(n) * size
    bound = np.where(usable & ~np.isnan(bound), bound, -np.inf)
    point = np.clip(model.center + d * width, model.low, model.high)
    return bound, point, usable & convex


def _least_eigenvalues(matrices: Array) -> Array:
    """Return lower bounds (m,) of the eigenvalues of symmetric matrices (m, n, n), the errors of LAPACK taken off."""
    n = matrices.shape[1]
    return np.linalg.eigvalsh(matrices)[:, 0] - 8 * margin(n) * np.abs(matrices).sum(axis=(1, 2))


def _are_positive(matrices: Array) -> Array:
    """Return which symmetric matrices (m, n, n) are positive definite; best seen where diagonals are 1."""
    n = matrices.shape[1]
    diagonal = matrices[:, range(n), range(n)]
    size = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    return (diagonal > 0).all(axis=1) & (
        _least_eigenvalues(matrices * size[:, :, None] * size[:, None, :]) > 0
    )


def _supported(matrix: Array, slope: Array, d: Array, low: Array, high: Array) -> Array:
    """Return the least (m,) that tangent planes at the points d (n, m) leave to convex quadratic functions on boxes.

    The slope at the centre is anywhere in an interval: of its middle, and of what that may miss.
    """
    middle = 0.5 * (slope[0] + slope[1])
    missed = 0.5 * (slope[1] - slope[0])
    product = np.einsum("mij,jm->im", matrix, d)
    g = middle + product
    value = ((middle + 0.5 * product) * d).sum(axis=0)
    drop = np.minimum(g * (low - d), g * (high - d)).sum(axis=0)
    return value + drop - (missed * np.maximum(np.abs(low), np.abs(high))).sum(axis=0)
