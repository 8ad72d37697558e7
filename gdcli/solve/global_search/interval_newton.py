"""What of boxes can fulfil equations and inequalities, by their derivatives on the boxes.

``F(x) = 0`` with the interval Jacobian J on the box and Y an approximate inverse of its middle: every root x of the
box fulfils ``Y F(c) + (Y J)(x - c) = 0``, which is solved row by row (interval Gauss-Seidel). If what comes out lies
inside the box, there is exactly one root in it (Krawczyk 1969; Neumaier, Interval Methods for Systems of Equations,
1990, chapter 5).

An inequality is cut by its slopes: ``c(x) >= c(m) + g.(x - m)`` for some g of an interval (`cut_by_rows`).
"""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.compile.interval_forms import BoundedFunction, inverses, middle
from gdcli.kernel.numerics import EPS
from gdcli.kernel.vectors import np
from gdcli.solve.global_search.box_list import Array, margin


def newton(
    low: Array,
    high: Array,
    center: Array,
    values: tuple[Array, Array],
    jacobian: tuple[Array, Array],
    rows: Array,
) -> tuple[Array, Array, Array, Array]:
    """Return the boxes (n, m), cut; which of them have no root (m,), and in which there is exactly one (m,).

    ``values`` are F at the centre (n, m), ``jacobian`` J on the box (n, n, m). Equations hold only where ``rows``
    (n, m) tells; their variables are those of the same places, the others are anywhere in the box. That there is one
    root is told only of boxes where every variable that is not a single number has its equation.
    """
    n = len(low)
    with np.errstate(all="ignore"):
        width = high - low
        mid, rad = 0.5 * (jacobian[0] + jacobian[1]), 0.5 * (jacobian[1] - jacobian[0])
        rad = rad + 2 * margin(n) * (np.abs(mid) + rad)
        usable = np.isfinite(mid).all(axis=(0, 1)) & np.isfinite(rad).all(axis=(0, 1))
        usable &= np.isfinite(values[0]).all(axis=0) & np.isfinite(values[1]).all(axis=0) & rows.any(axis=0)
        f_mid, f_rad = 0.5 * (values[0] + values[1]), 0.5 * (values[1] - values[0])
        mid, rad = (np.where(usable, a, 0.0).transpose(2, 0, 1) for a in (mid, rad))
        both = (rows[:, None] & rows[None, :]).transpose(2, 0, 1)
        inverse, usable = inverses(np.where(both, mid, 0.0), rows.T, usable)
        f_mid, f_rad = (np.where(usable & rows, a, 0.0).T for a in (f_mid, f_rad))
        strong = np.abs(inverse)
        r_mid = np.einsum("mij,mj->mi", inverse, f_mid)
        r_rad = np.einsum("mij,mj->mi", strong, f_rad + 4 * margin(n) * np.abs(f_mid))
        a_mid = inverse @ mid
        a_rad = strong @ (rad + 4 * margin(n) * np.abs(mid))
        down, up = _from(center, low, high)
        empty, inside = np.zeros(low.shape[1], bool), np.ones(low.shape[1], bool)
        tests = rows.T & usable[:, None]
        for i in range(n):
            _solve_row(
                i,
                (r_mid[:, i], r_rad[:, i]),
                (a_mid[:, i], a_rad[:, i]),
                (down, up),
                tests[:, i],
                empty,
                inside,
            )
        new_low = np.where(tests.T, np.maximum(low, _moved(center, down.T, -np.inf)), low)
        new_high = np.where(tests.T, np.minimum(high, _moved(center, up.T, np.inf)), high)
        empty |= np.greater(new_low, new_high).any(axis=0)
        inside &= usable & ~empty & (rows | (width == 0)).all(axis=0)
    return new_low, new_high, empty, inside


def _from(center: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Return the ends seen from the centre, (m, n), rounded outward: what rounding takes of a box would be cut off."""
    return np.nextafter(low - center, -np.inf).T, np.nextafter(high - center, np.inf).T


def _inward(end: Array, towards: float) -> Array:
    """Return an end that was rounded outward where it is inside of the box for certain."""
    return np.nextafter(np.nextafter(end, towards), towards)


def _moved(center: Array, d: Array, towards: float) -> Array:
    return np.nextafter(center + d, towards)


def _solve_row(
    i: int,
    right: tuple[Array, Array],
    row: tuple[Array, Array],
    box: tuple[Array, Array],
    tests: Array,
    empty: Array,
    inside: Array,
) -> None:
    """Cut variable i of ``box`` (distances from the centre, in place) by its row of the preconditioned system."""
    (r_mid, r_rad), (a_mid, a_rad) = right, row
    down, up = box
    others = np.where(np.arange(a_mid.shape[1]) == i, 0.0, 1.0)
    reach, middle = 0.5 * (up - down), 0.5 * (up + down)
    size = np.maximum(np.abs(up), np.abs(down))
    total = r_mid + (a_mid * middle * others).sum(axis=1)
    radius = r_rad + ((np.abs(a_mid) * reach + a_rad * size) * others).sum(axis=1)
    radius += 4 * margin(len(others)) * (np.abs(r_mid) + radius + (np.abs(a_mid) * size * others).sum(axis=1))
    pivot_low, pivot_high = a_mid[:, i] - a_rad[:, i], a_mid[:, i] + a_rad[:, i]
    good = tests & (pivot_low > 0) & np.isfinite(radius)
    pivots = np.where(good, pivot_low, 1.0), np.where(good, pivot_high, 1.0)
    least, most = -(total + radius), -(total - radius)
    new_down = np.where(least < 0, least / pivots[0], least / pivots[1])
    new_up = np.where(most > 0, most / pivots[0], most / pivots[1])
    new_down, new_up = new_down - 1e-15 * np.abs(new_down), new_up + 1e-15 * np.abs(new_up)
    within = _inward(down[:, i], np.inf), _inward(up[:, i], -np.inf)
    inside &= ~tests | (good & (new_down > within[0]) & (new_up < within[1]))
    empty |= good & ((new_down > up[:, i]) | (new_up < down[:, i]))
    down[:, i] = np.where(good, np.maximum(down[:, i], new_down), down[:, i])
    up[:, i] = np.where(good, np.minimum(up[:, i], new_up), up[:, i])


def cut_by_rows(
    rows: Sequence[BoundedFunction],
    sides: Sequence[tuple[float, float]],
    low: Array,
    high: Array,
    alive: Array,
) -> tuple[Array, Array, Array]:
    """Return the part of boxes (n, m) where all of ``rows`` can lie within ``sides``, and which have one.

    Those that are not ``alive`` (m,) to begin with have none.
    """
    for row, (least, most) in zip(rows, sides, strict=True):
        low, high = np.where(alive, low, 0.0), np.where(alive, high, 0.0)
        center = middle(low, high)
        slope, value = row.evaluate(low, high, 1).gradient, row.evaluate(center, center, 0).value
        if most < np.inf:
            low, high, some = _cut(low, high, center, value[0], slope, most)
            alive = alive & some
        if least > -np.inf:
            low, high, some = _cut(low, high, center, -value[1], (-slope[1], -slope[0]), -least)
            alive = alive & some
    return low, high, alive


def _cut(
    low: Array, high: Array, center: Array, value: Array, slope: tuple[Array, Array], most: float
) -> tuple[Array, Array, Array]:
    """Return the part of boxes (n, m) where c(x) <= ``most`` can hold, and which boxes (m,) have such a part.

    ``value`` (m,) is a lower bound at the ``center`` (n, m), ``slope`` encloses the gradient on the box.
    """
    with np.errstate(all="ignore"):
        down, up = low - center, high - center
        least = np.minimum(
            np.minimum(slope[0] * up, slope[1] * down), np.minimum(slope[0] * down, slope[1] * up)
        )
        least = np.where(np.isnan(least), -np.inf, np.minimum(least, 0.0) * (1.0 + 4.0 * margin(1)))
        total = least.sum(axis=0)
        spare = most - value + margin(len(low)) * (abs(most) + np.abs(value) - total)
        alive = ~(total > spare)
        room = spare - (total - least)  # what is left for each term
        room = np.where(np.isnan(room), np.inf, room + margin(len(low)) * (np.abs(spare) + np.abs(total)))
        rises, falls = slope[0] > 0, slope[1] < 0
        top = room / np.where(room > 0, slope[0], slope[1])
        bottom = room / np.where(room > 0, slope[1], slope[0])
        new_high = np.where(rises & np.isfinite(top), np.minimum(high, _shifted(center, top, np.inf)), high)
        new_low = np.where(
            falls & np.isfinite(bottom), np.maximum(low, _shifted(center, bottom, -np.inf)), low
        )
    return new_low, new_high, alive & ~np.greater(new_low, new_high).any(axis=0)


def _shifted(center: Array, step: Array, towards: float) -> Array:
    return np.nextafter(center + step * (1.0 + np.sign(step) * np.sign(towards) * 4.0 * EPS), towards)
