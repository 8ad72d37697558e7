"""What of a box fulfils an inequality, by its slopes on the box: c(x) >= c(m) + g.(x - m) for some g of an interval."""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.compile.interval_forms import BoundedFunction, middle
from gdcli.kernel.numerics import EPS
from gdcli.kernel.vectors import np
from gdcli.solve.global_search.box_list import Array
from gdcli.solve.global_search.quadratic_bounds import margin


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
        new_high = np.where(rises & np.isfinite(top), np.minimum(high, _moved(center, top, np.inf)), high)
        new_low = np.where(falls & np.isfinite(bottom), np.maximum(low, _moved(center, bottom, -np.inf)), low)
    return new_low, new_high, alive & ~np.greater(new_low, new_high).any(axis=0)


def _moved(center: Array, step: Array, towards: float) -> Array:
    return np.nextafter(center + step * (1.0 + np.sign(step) * np.sign(towards) * 4.0 * EPS), towards)
