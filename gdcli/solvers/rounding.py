"""What may be rounding: the bound of all tests whether a sum is zero.

A sum computed in floating point is the exact sum of terms each of which is off by a part of itself, at most the unit
roundoff for each operation that it goes through (backward error analysis; Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., 2002, section 3.1). So a sum that is no larger than that part of the sizes of its terms added up
tells nothing: with the terms moved by their rounding it may be zero.
"""

from __future__ import annotations

EPSILON = 2.0**-52


def blur(operations: int) -> float:
    """Return the part of the sizes of terms that may be rounding in a sum after so many operations on each."""
    return operations * EPSILON
