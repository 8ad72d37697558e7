"""What may be rounding: the bound of all tests whether a sum is zero.

A sum computed in floating point is the exact sum of terms each of which is off by a part of itself, at most the unit
roundoff for each operation that it goes through (backward error analysis; Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., 2002, section 3.1). So a sum that is no larger than that part of the sizes of its terms added up
tells nothing: with the terms moved by their rounding it may be zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt
from typing import TYPE_CHECKING

from gdcli.kernel.dense import Entry
from gdcli.kernel.numerics import EPS

if TYPE_CHECKING:
    from gdcli.solve.algebra.residual_model import ResidualModel

# Twelve digits of a number are shown.
SHOWN = 1e-12


def blur(operations: int) -> float:
    """Return the part of the sizes of terms that may be rounding in a sum after so many operations on each."""
    return operations * EPS


def residual_floor(measured: Entry, moves: Sequence[Entry]) -> Entry:
    """Return the length of residuals ``y - f(x)`` that may be nothing but rounding.

    ``measured`` is the length of y, ``moves`` (p,) are the lengths of the columns of the Jacobian of f, each times the
    size of its parameter. What is measured is off by its own rounding, and the parameters by theirs, which moves f by
    ``|J| |x|``; so residuals of that length are there however well the model fits, and a step that takes away no more
    takes away nothing. With arrays for numbers, that of many fits at once.
    """
    return blur(len(moves) + 2) * (measured + sum(moves))


def rounding_of_squares(total: Entry, floor: Entry) -> Entry:
    """Return what rounding may make of a sum of squares, ``total``, of residuals that are off by the length ``floor``.

    Where residuals are far smaller than what they are differences of, that is far more than the rounding of the sum.
    """
    return floor * (2.0 * total**0.5 + floor)


def errors_of_rounding(model: ResidualModel, each: float) -> tuple[float, ...] | None:
    """Return the standard errors of the parameters that residuals of standard deviation ``each`` make.

    One that is held has none, 0; None where the linear model does not tell the free ones apart.
    """
    if model.rank < sum(model.free):
        return None
    found = [0.0] * model.size
    for k, i in enumerate(model.index):
        found[i] = each * hypot(*[v[k] / s for v, s in zip(model.V, model.S, strict=True)]) / model.columns[i]
    return tuple(found)


def rounding_shows(model: ResidualModel, x: Sequence[float], rows: int) -> bool:
    """Tell whether the rounding of so many residuals is seen in twelve digits of a free parameter or of their sum."""
    moves = [length * abs(a) for length, a in zip(model.columns, x, strict=True)]
    each = residual_floor(model.triangle.measured, moves) / sqrt(rows)
    if 2.0 * each > SHOWN * hypot(model.misfit, model.residual_norm):
        return True
    errors = errors_of_rounding(model, each)
    return errors is None or any(error > SHOWN * abs(a) for error, a in zip(errors, x, strict=True))
