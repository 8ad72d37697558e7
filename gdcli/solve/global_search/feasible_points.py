"""A point beside another one at which inequalities hold for certain, also by their rounding.

A local search ends on the sides of its constraints, as exactly as rounding lets it: many such points break one by the
last digit. A step along which every constraint that is near its side gains the same part of its size leads away from
all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from gdcli.kernel.numerics import EPS
from gdcli.solve.global_search.box_list import Array, Enclosing, known

# A constraint within this of its side, relative to that, gains by a step; the step must give it this part of its gain.
_NEAR, _PART = 1e-6, 0.5


def inward(
    x: Array,
    rows: Sequence[Enclosing],
    sides: Sequence[tuple[float, float]],
    bounds: tuple[Array, Array],
    longest: float,
) -> Array:
    """Return points (n, m) ever farther from ``x`` (n,), none where there is no step away from all sides.

    The constraints gain up to ``longest`` of the size of their sides, at least of 1.
    """
    import numpy as np

    at = x[:, None]
    slopes, sizes = [], []
    for row, pair in zip(rows, sides, strict=True):
        found = known(row.evaluate(at, at, 1))
        value = 0.5 * (found.value[0][0] + found.value[1][0])
        with np.errstate(invalid="ignore"):
            slope = 0.5 * (found.gradient[0] + found.gradient[1])[:, 0]
        for side, sign in zip(pair, (1.0, -1.0), strict=True):
            size = max(1.0, abs(side))
            if np.isfinite(side) and sign * (value - side) <= _NEAR * size:
                slopes.append(sign * slope)
                sizes.append(size)
    low, high = bounds
    none = np.zeros((len(x), 0))
    matrix, gains = np.array(slopes).reshape(-1, len(x)), np.array(sizes)
    if not len(gains) or not np.isfinite(matrix).all():
        return none
    step = np.zeros(len(x))
    free = (x > low) & (x < high)
    step[free] = np.linalg.lstsq(matrix[:, free], gains, rcond=None)[0]
    if not (matrix @ step >= _PART * gains).all():
        return none
    lengths = longest * 2.0 ** -np.arange(0.0, np.log2(longest / EPS))[::-1]
    return np.clip(at + step[:, None] * lengths, low[:, None], high[:, None])
