"""A box of points, and what is left of vectors and matrices where its sides hold variables."""

from __future__ import annotations

from typing import Any

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.vectors import Vec, clipped, np, same

# A point or gradient, and a symmetric matrix; see `gdcli.objective.protocol`.
Vector = Any
Matrix = Any


class HeldVariable(NamedTuple):
    """A variable at its bound: its number, the side, and its multiplier, the slope that the bound holds back."""

    variable: int
    side: str
    multiplier: float


@dataclass(frozen=True, slots=True)
class Box:
    """``lower <= x <= upper``, vectors of the kind of x; infinite entries mean no bound, equal ones fix."""

    lower: Vector
    upper: Vector

    def clip(self, x: Vector) -> Vector:
        """Return the point of the box nearest to ``x``; ``x`` itself, not a copy, where it is inside."""
        inside = clipped(x, self.lower, self.upper)
        return x if same(inside, x) else inside

    def held(self, x: Vector, g: Vector) -> Any:
        """Return for each variable whether its bound holds it at ``x`` against the gradient ``g``."""
        if isinstance(x, list):
            rows = zip(x, g, self.lower, self.upper, strict=True)
            return [
                lo == hi or (a <= lo and slope > 0.0) or (a >= hi and slope < 0.0)
                for a, slope, lo, hi in rows
            ]
        low, high = (x <= self.lower) & (g > 0.0), (x >= self.upper) & (g < 0.0)
        return low | high | (self.lower == self.upper)


def free_part(v: Vector, held: Vector) -> Vector:
    if isinstance(v, list):
        return Vec([0.0 if h else a for a, h in zip(v, held, strict=True)])
    return np.where(held, 0.0, v)


def of_the_free(H: Matrix, held: Vector) -> Matrix:
    """Return H with held rows and columns made zero, and on their diagonal a curvature that free ones have.

    The largest diagonal entry of the free block lies between its extreme eigenvalues, so that these stay what they
    are. It is not taken where negative: the way down must not lead along a held variable.
    """
    n = len(held)
    free = [float(H[i][i]) for i in range(n) if not held[i]]
    filler = max(0.0, *free) if free else 1.0
    if isinstance(H, list):
        return [
            Vec([filler if i == j and held[i] else 0.0 if held[i] or held[j] else H[i][j] for j in range(n)])
            for i in range(n)
        ]
    reduced = H.copy()
    reduced[held, :] = 0.0
    reduced[:, held] = 0.0
    reduced[held, held] = filler
    return reduced
