"""Local proof: exactly one minimum in a box around a computed answer, by Krawczyk's operator and interval Hessians.

Around the point c lies the box X = c +- r. With Y about the inverse Hessian, every stationary point in X lies within

    |Y g(c)| + |I - Y H(X)| r      (Krawczyk 1969; Neumaier, Interval Methods for Systems of Equations, 1990)

of c, where g(c) and H(X) are intervals that hold the gradient at c and the Hessian everywhere in X. Where that is less
than r in every component there is exactly one. Then |I - Y H(X)| has a spectral radius below 1, so that no matrix
within H(X) is singular; all symmetric ones have as many negative eigenvalues as their middle, and where that is
positive definite the function is strictly convex on X: the stationary point is a minimum, the only one in X.

A variable at a bound is held there: with a slope that keeps its sign on all of X, which reaches inwards from the bound,
a minimum lies at the bound, and the rest is a matter of the free variables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.dense import inverse
from gdcli.kernel.numerics import EPS, SMALLEST, TINY

Ends = tuple[float, float]
Rows = Sequence[Sequence[float]]

# Boxes that are tried, each larger than what the one before needed.
_ROUNDS = 8
KINK = "the function has a kink here, or its domain ends"
SINGULAR = "the curvature may vanish in some direction"
SLOPE = "the slope at a bound may be 0"
AT_BOUND = "the minimum is too near to a bound"
NO_BOX = "the second derivatives vary too much around this point"
NOT_FINITE = "the derivatives have no bound around this point"


class BoxProgram(Protocol):
    """What tells a value, a gradient and a Hessian on a box, as :mod:`gdcli.compile.interval_program` does."""

    def one_box(self, box: Sequence[Ends], order: int) -> Any: ...

    def sharp_gradient(self, x: Sequence[float]) -> Sequence[Ends] | None: ...


class LocalProof(NamedTuple):
    """Exactly one minimum lies in ``box`` (and within the bounds of the problem), not farther than ``radius`` from the
    answer; its value is within ``value``.

    ``unique`` tells that the box holds all points within ``radius``. With variables that are ``flat``, where the
    curvature may vanish or jump, it is at least one minimum. With ``axes`` (n, n) it lies where u is within ``sides``
    (and so in the box): the variables are those of the answer plus axes u, and some of the u are flat.
    """

    radius: float
    value: Ends
    box: tuple[Ends, ...]
    unique: bool
    flat: tuple[int, ...] = ()
    axes: tuple[tuple[float, ...], ...] = ()
    sides: tuple[Ends, ...] = ()


class LowerBound(NamedTuple):
    """No value is below ``lowest`` in the ``box``."""

    lowest: float
    box: tuple[Ends, ...]


class Unproved(NamedTuple):
    """Why there is no proof, in one line."""

    why: str


class _Place(NamedTuple):
    """Where a proof is looked for: the point, the bounds, which variables are free, which are held at a bound."""

    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    free: list[int]

    @classmethod
    def of(cls, x: Sequence[float], low: Sequence[float], high: Sequence[float]) -> _Place:
        return cls(x, low, high, [i for i, v in enumerate(x) if low[i] < v < high[i]])

    @property
    def held(self) -> list[int]:
        return [i for i in range(len(self.x)) if i not in self.free]

    def box(self, r: Sequence[float]) -> list[Ends]:
        """Return the box of half widths ``r`` of the free variables, and as far inwards from the bounds of others."""
        found = [(v, v) for v in self.x]
        for i, half in zip(self.free, r, strict=True):
            found[i] = self.x[i] - half, self.x[i] + half
        reach = max(r, default=0.0)
        for i in self.held:
            inward = max(reach, 4.0 * _unit(self.x[i]))
            at_low = self.x[i] <= self.low[i]
            found[i] = (self.x[i], self.x[i] + inward) if at_low else (self.x[i] - inward, self.x[i])
        return found


def prove(
    program: BoxProgram, x: Sequence[float], low: Sequence[float], high: Sequence[float]
) -> LocalProof | Unproved:
    """Return the proof that exactly one minimum lies at ``x`` or next to it, within the bounds, or why there is none.

    ``program`` is that of the function to be minimised.
    """
    place = _Place.of(x, low, high)
    at = program.one_box([(v, v) for v in x], 2)
    if not at.defined:
        return Unproved(KINK)
    slopes = [at.gradient[i] for i in place.free]
    Y = _inverted(part_of(at.hessian, place.free), slopes)
    if isinstance(Y, Unproved):
        return Y
    found = _tried(program, place, distances(Y, slopes))
    if isinstance(found, Unproved) and found.why in (SINGULAR, NO_BOX) and _is_rounding(slopes):
        sharp = program.sharp_gradient(x)
        if sharp is not None:
            found = _tried(program, place, distances(Y, [sharp[i] for i in place.free]))
    if isinstance(found, Unproved) or found.unique:
        return found
    r = [max(v - found.box[i][0], 2.0 * found.radius) for i, v in enumerate(x) if i in place.free]
    wider, _ = check(program, x, place.box(r), low, high)
    return wider if isinstance(wider, LocalProof) and wider.unique else found


def _is_rounding(slopes: Sequence[Ends]) -> bool:
    """Tell whether a slope at the answer is no more than its rounding, of which an ill-conditioned Hessian makes a long
    way.
    """
    return any(radius > abs(middle) for middle, radius in map(middle_and_radius, slopes))


def _tried(program: BoxProgram, place: _Place, steps: Sequence[float]) -> LocalProof | Unproved:
    """Return the proof on one of boxes that grow from the ``steps``, about how far the minimum is in each variable."""
    r = [2.0 * step + 4.0 * _unit(place.x[i]) for i, step in zip(place.free, steps, strict=True)]
    found: LocalProof | Unproved = Unproved(NO_BOX)
    for k in range(_ROUNDS):
        found, needed = check(program, place.x, place.box(r), place.low, place.high)
        if isinstance(found, LocalProof):
            break
        if not needed:
            return Unproved(NO_BOX) if k and found.why == KINK else found
        r = [1.5 * k + a for k, a in zip(needed, r, strict=True)]
    return found


def _inverted(H: Any, slopes: Sequence[Ends]) -> list[list[float]] | Unproved:
    """Return about the inverse of the middle of a Hessian, if that is proved to be positive definite."""
    if not all(map(is_finite, (*H, slopes))):
        return Unproved(NOT_FINITE)
    middle = [[middle_and_radius(ends)[0] for ends in row] for row in H]
    Y = inverse(middle)
    return Unproved(SINGULAR) if Y is None or not is_positive_definite(middle) else Y


def check(
    program: BoxProgram, x: Sequence[float], box: Sequence[Ends], low: Sequence[float], high: Sequence[float]
) -> tuple[LocalProof | Unproved, list[float]]:
    """Return the proof that exactly one minimum lies in ``box``, around ``x``, or why there is none.
    In that case half widths of the free variables which may do are returned with it, none where nothing helps.
    """
    place = _Place.of(x, low, high)
    free = place.free
    at, around = program.one_box([(v, v) for v in x], 1), program.one_box(box, 2)
    if not (at.defined and around.defined):
        return Unproved(KINK), []
    H = part_of(around.hessian, free)
    Y = _inverted(H, around.gradient)
    if isinstance(Y, Unproved):
        return Y, []
    inner = [min(x[i] - box[i][0], box[i][1] - x[i]) * (1.0 - EPS) for i in free]
    outer = [max(x[i] - box[i][0], box[i][1] - x[i]) * (1.0 + EPS) for i in free]
    slopes = [at.gradient[i] for i in free]
    steps = distances(Y, slopes)
    if not all(step < r for step, r in zip(steps, inner, strict=True)) and _is_rounding(slopes):
        sharp = program.sharp_gradient(x)
        steps = steps if sharp is None else distances(Y, [sharp[i] for i in free])
    spread = product_bound(preconditioned(Y, H), outer)
    needed = [(a + b) * (1.0 + EPS) for a, b in zip(steps, spread, strict=True)]
    if not all(k < r for k, r in zip(needed, inner, strict=True)):
        return Unproved(NO_BOX), needed if all(map(math.isfinite, needed)) else []
    failing = _at_the_bounds(place, box, around.gradient, needed)
    if failing is not None:
        return failing, []
    lowest = around.value[0]
    return _concluded(place, box, (at.value[0], at.value[1], lowest), around.gradient, needed), []


def _at_the_bounds(
    place: _Place, box: Sequence[Ends], gradient: Sequence[Ends], needed: Sequence[float]
) -> Unproved | None:
    """Return what fails of what must hold at bounds: slopes that keep their sign, a minimum within."""
    for i in place.held:
        at_low = place.x[i] <= place.low[i]
        if place.low[i] == place.high[i]:
            continue
        if not (gradient[i][0] > 0.0 if at_low else gradient[i][1] < 0.0):
            return Unproved(SLOPE)
        if not (box[i][0] <= place.x[i] <= box[i][1] and box[i][0] < box[i][1]):
            return Unproved(NO_BOX)
    for i, k in zip(place.free, needed, strict=True):
        if not (place.low[i] < place.x[i] - k * (1.0 + EPS) and place.x[i] + k * (1.0 + EPS) < place.high[i]):
            return Unproved(AT_BOUND)
    return None


def _concluded(
    place: _Place,
    box: Sequence[Ends],
    value: tuple[float, float, float],
    gradient: Sequence[Ends],
    needed: Sequence[float],
) -> LocalProof:
    """Return the proof. ``value`` has bounds of that at the point, and a lower bound of all in the box.

    That of the minimum is not above that of the point, and by the mean value form not much below.
    """
    slopes = (max(-gradient[i][0], gradient[i][1]) for i in place.free)
    fall = sum(s * k for s, k in zip(slopes, needed, strict=True))
    n = len(place.free)
    fall = fall * (1.0 + 2.0 * (n + 2) * EPS) + n * SMALLEST
    lowest = value[0] - fall
    lowest = max(value[2], lowest - abs(lowest) * EPS - SMALLEST if fall else value[0])
    # Nothing is nearer than the last digit of the point, and the box was made a few of them wide at least.
    digits = [max(k, _unit(place.x[i])) for i, k in zip(place.free, needed, strict=True)]
    radius = math.hypot(*digits) * (1.0 + 4.0 * EPS) if n else 0.0
    room = [min(place.x[i] - box[i][0], box[i][1] - place.x[i]) for i in place.free]
    room += [box[i][1] - box[i][0] for i in place.held if place.low[i] < place.high[i]]
    return LocalProof(radius, (lowest, value[1]), tuple(box), all(radius <= side for side in room))


def _unit(v: float) -> float:
    """Return the last digit of a number; one below `EPS` has no more than that has, to which it could be added."""
    return EPS * max(abs(v), EPS)


def distances(Y: Sequence[Sequence[float]], gradient: Sequence[Ends]) -> list[float]:
    """Return a bound of |Y g| for every g within the intervals."""
    parts = [middle_and_radius(ends) for ends in gradient]
    n = len(parts)
    found = []
    for row in Y:
        centre = abs(sum(y * m for y, (m, _) in zip(row, parts, strict=True)))
        spread = sum(abs(y) * r for y, (_, r) in zip(row, parts, strict=True))
        size = sum(abs(y * m) for y, (m, _) in zip(row, parts, strict=True))
        grown = 2.0 * (n + 3) * EPS
        found.append(centre + spread * (1.0 + grown) + grown * size + SMALLEST * n)
    return found


def part_of(
    triangle: Sequence[Ends], rows: Sequence[int], columns: Sequence[int] | None = None
) -> list[list[Ends]]:
    """Return these rows and columns (by default the same) of a Hessian, of which the lower triangle is given."""
    places = rows if columns is None else columns
    return [[triangle[max(i, j) * (max(i, j) + 1) // 2 + min(i, j)] for j in places] for i in rows]


def is_finite(row: Sequence[Ends]) -> bool:
    return all(math.isfinite(e) for ends in row for e in ends)


# -- small matrices with proof: what is computed of them in doubles, with a bound of all rounding ----------------------


def is_positive_definite(A: Rows) -> bool:
    """Tell whether a symmetric matrix of doubles is proved to be positive definite.

    Rump, Verification of positive definiteness, BIT 46 (2006) 433: where Cholesky's factorisation of A - c I runs to
    its end in doubles, with c above what its rounding can do, A is positive definite.
    """
    n = len(A)
    if not all(A[i][i] > TINY and A[i][i] < math.inf for i in range(n)):
        return False
    units = [math.frexp(math.sqrt(A[i][i]))[1] for i in range(n)]  # powers of two: scaling is exact
    L = [[math.ldexp(A[i][j], -units[i] - units[j]) for j in range(i + 1)] for i in range(n)]
    shift = 4.0 * (n + 3) * EPS * (sum(L[i][i] for i in range(n)) + 1.0)
    for i in range(n):
        for j in range(i + 1):
            left = L[i][j] - sum(L[i][k] * L[j][k] for k in range(j))
            if j < i:
                L[i][j] = left / L[j][j]
            elif not left - shift > shift:
                return False
            else:
                L[i][i] = math.sqrt(left - shift)
    return True


def middle_and_radius(ends: Ends) -> tuple[float, float]:
    """Return a number within an interval, and at least how far its ends are from that."""
    low, high = ends
    middle = 0.5 * low + 0.5 * high
    return middle, max(high - middle, middle - low) * (1.0 + 2.0 * EPS) + SMALLEST


def preconditioned(Y: Rows, H: Sequence[Sequence[Ends]]) -> list[list[float]]:
    """Return a bound of |I - Y H|, entry by entry, for every matrix within the intervals H."""
    n = len(Y)
    parts = [[middle_and_radius(ends) for ends in row] for row in H]
    found = []
    for i in range(n):
        row = []
        for j in range(n):
            products = [Y[i][k] * parts[k][j][0] for k in range(n)]
            size = sum(abs(Y[i][k]) * (abs(parts[k][j][0]) + parts[k][j][1]) for k in range(n))
            spread = sum(abs(Y[i][k]) * parts[k][j][1] for k in range(n))
            row.append(abs((i == j) - sum(products)) + spread + 2.0 * (n + 4) * EPS * (1.0 + size) + TINY)
        found.append(row)
    return found


def product_bound(A: Rows, v: Sequence[float]) -> list[float]:
    """Return a bound of A v for entries that are not negative, its rounding included."""
    grown = 1.0 + 2.0 * (len(v) + 2) * EPS
    return [sum(a * b for a, b in zip(row, v, strict=True)) * grown + SMALLEST * len(v) for row in A]
