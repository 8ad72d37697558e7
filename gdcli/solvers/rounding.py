"""What may be rounding: the bound of all tests whether a sum is zero.

A sum computed in floating point is the exact sum of terms each of which is off by a part of itself, at most the unit
roundoff for each operation that it goes through (backward error analysis; Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., 2002, section 3.1). So a sum that is no larger than that part of the sizes of its terms added up
tells nothing: with the terms moved by their rounding it may be zero.
"""

from __future__ import annotations

from typing import Any

from gdcli.numerics import EPS


def blur(operations: int) -> float:
    """Return the part of the sizes of terms that may be rounding in a sum after so many operations on each."""
    return operations * EPS


def residual_floor(measured: Any, moves: Any) -> Any:
    """Return the length of residuals ``y - f(x)`` that may be nothing but rounding.

    ``measured`` is the length of y, ``moves`` (p,) are the lengths of the columns of the Jacobian of f, each times the
    size of its parameter. What is measured is off by its own rounding, and the parameters by theirs, which moves f by
    ``|J| |x|``; so residuals of that length are there however well the model fits, and a step that takes away no more
    takes away nothing. With arrays for numbers, that of many fits at once.
    """
    return blur(len(moves) + 2) * (measured + sum(moves))


def rounding_of_squares(total: Any, floor: Any) -> Any:
    """Return what rounding may make of a sum of squares, ``total``, of residuals that are off by the length ``floor``.

    Where residuals are far smaller than what they are differences of, that is far more than the rounding of the sum.
    """
    return floor * (2.0 * total**0.5 + floor)
