"""The trust-region subproblem: the lowest point of a quadratic model within a ball.

Minimise ``g'p + p'Hp/2`` subject to ``|p| <= radius``. The minimiser is the Newton step if that is short
enough and H is positive definite; otherwise it lies on the boundary and solves ``(H + lambda I) p = -g`` for
the ``lambda`` that makes the length right and ``H + lambda I`` positive semidefinite (More and Sorensen, SIAM
J. Sci. Stat. Comput. 4, 1983). For a positive definite H a few Cholesky factors find ``lambda``; otherwise
the eigenvectors are known anyway, and in their basis the equation has one unknown and no matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, inf, sqrt

from gdcli.kernel.dense import Matrix, diagonal, inverse_form, positive_solve, quadratic_form
from gdcli.kernel.numerics import EQUAL_EIGENVALUES
from gdcli.kernel.vectors import Vector, dot, norm

# A step may be longer than the radius by this factor: the radius itself is a guess, one more digit of it is
# worth no further factorisation.
LENGTH_SLACK = 1.1
MAX_FACTORS = 12
# In the eigenbasis an iteration costs next to nothing, so the length is met to one per cent.
LENGTH_ACCURACY = 0.01
MAX_SECULAR = 80
# The gradient has no part in the lowest eigenspace, relative to what the step could make of it: the hard case.
HARD = 1e-10
_LEVEL = 1e-14
# How well the model must have foretold the fall: for a longer radius, not for a shorter one, and to accept the step at
# all (Conn, Gould and Toint, section 6.1; Nocedal and Wright, algorithm 4.1).
GOOD, POOR, ACCEPTABLE = 0.75, 0.25, 1e-4
# Where next to nothing of the fall came the model is no guide to a step half as long either.
_NO_GUIDE = 0.1
# A step as long as the radius that is lost in rounding calls for a larger radius, as long as no trial failed.
WIDER = 10.0


def next_radius(radius: float, length: float, ratio: float) -> float:
    """Return the radius after a step of this length, whose fall was ``ratio`` times that foretold (nan: none)."""
    if not ratio >= POOR:
        return (0.5 if ratio >= _NO_GUIDE else 0.25) * length
    return max(radius, 2.0 * length) if ratio > GOOD else radius


def boundary_step(
    H: Matrix, g: Vector, radius: float, newton: Vector, length: float, bend: float
) -> tuple[Vector, float, float]:
    """Return ``(step, length, predicted fall)`` for a positive definite H whose Newton step is too long.

    ``newton`` is that step, ``length`` its length and ``bend`` its square in the norm of the inverse of H.
    This is Newton's method on ``1/radius - 1/|p(lambda)|``, which converges monotonically from the left, and
    begins at the larger of two bounds: its first iterate from ``lambda = 0``, and the one of Jensen in :func:`bracket`.
    """
    step, shift = newton, 0.0
    slope = norm(g)
    least = slope / radius - quadratic_form(H, g / slope)
    for _ in range(MAX_FACTORS):
        if length <= LENGTH_SLACK * radius:
            break
        # Of numbers near the ends of the floating-point range the squares are zero or infinite.
        if not 0.0 < bend < inf:
            return _steepest(H, g, radius)
        shift = max(shift + length / bend * length * (length - radius) / radius, least)
        solved = positive_solve(H, g, shift)
        if solved is None:
            # Only rounding can make the matrix fail: lift it by what is certain to count.
            shift = max(2.0 * shift, 1e-8 * max(diagonal(H)))
            solved = positive_solve(H, g, shift)
            if solved is None:
                return _steepest(H, g, radius)
        step = -solved.z
        length = norm(step)
        bend = inverse_form(solved.factors, step) if length > LENGTH_SLACK * radius else inf
    # With p'(H + lambda I)p = -g'p the model needs no further product with H.
    return step, length, 0.5 * (shift * length * length - dot(g, step))


def _steepest(H: Matrix, g: Vector, radius: float) -> tuple[Vector, float, float]:
    """Return the step of length ``radius`` down the gradient: what is left where the equation has no number."""
    step = g * (-radius / norm(g))
    return step, radius, -dot(g, step) - 0.5 * quadratic_form(H, step)


def secular_step(w: Sequence[float], q: Sequence[float], radius: float) -> tuple[list[float], bool, bool]:
    """Return ``(step, on the boundary, hard case)`` in the eigenbasis.

    ``w`` are the eigenvalues in ascending order, ``q`` the components of the gradient along the eigenvectors.
    In the hard case the first component has a free sign: both are equally low in the model.
    """
    if w[0] > 0.0:
        y = [-a / b for a, b in zip(q, w, strict=True)]
        if hypot(*y) <= radius:
            return y, False, False
    low = max(0.0, -w[0])
    top = max(abs(w[0]), abs(w[-1]))
    cut = w[0] + EQUAL_EIGENVALUES * top
    if w[0] <= 0.0:
        in_lowest = hypot(*[a for a, b in zip(q, w, strict=True) if b <= cut])
        # Along a level direction any slope counts that is more than the rounding of the gradient.
        if in_lowest <= (HARD * top * radius if w[0] < 0.0 else _LEVEL * hypot(*q)):
            y = [0.0 if b <= cut else -a / (b + low) for a, b in zip(q, w, strict=True)]
            rest = hypot(*y)
            if rest < radius and w[0] == 0.0:
                return y, False, False
            if rest < radius:
                room = sqrt(radius - rest) * sqrt(radius + rest)  # the square of a short radius is no number
                y[0] = -room if q[0] > 0.0 else room
                return y, True, True
    return _solve_secular(w, q, radius, low), True, False


def _solve_secular(w: Sequence[float], q: Sequence[float], radius: float, low: float) -> list[float]:
    """Return the boundary step: Newton on the reciprocal of the length, kept inside a shrinking bracket.

    From the lower end of the bracket it converges monotonically.
    """
    below, above = bracket(w, q, radius, low)
    shift = below
    y = [0.0] * len(q)  # where curvatures are no numbers there is no step
    for _ in range(MAX_SECULAR):
        shifted = [t + shift for t in w]
        if not shifted[0] > 0.0:
            below, shift = shift, 0.5 * (shift + above)
            continue
        y = [-a / b for a, b in zip(q, shifted, strict=True)]
        length = hypot(*y)
        if abs(length - radius) <= LENGTH_ACCURACY * radius:
            break
        if length > radius:
            below = shift
        else:
            above = shift
        bend = sum([a * a / b for a, b in zip(y, shifted, strict=True)])
        shift = next_shift(shift, length, radius, bend, low, below, above)
    return y


def bracket(w: Sequence[float], q: Sequence[float], radius: float, low: float) -> tuple[float, float]:
    """Return bounds of the shift that makes the step as long as ``radius``; it is at least ``low``.

    No component may be longer than the radius, and neither may the step with the mean of the eigenvalues,
    weighted by the squares of q, in place of them all (Jensen: ``1/(w + shift)**2`` is convex in w).
    """
    slope = hypot(*q)
    mean = sum([(c / slope) ** 2 * t for c, t in zip(q, w, strict=True)])
    below = max([low, slope / radius - mean, *[abs(c) / radius - t for c, t in zip(q, w, strict=True)]])
    return below, low + slope / radius


def next_shift(
    shift: float, length: float, radius: float, bend: float, low: float, below: float, above: float
) -> float:
    """Return the next trial of a shift in the bracket from ``below`` to ``above``; ``low`` is its least value.

    ``bend`` is the square of the step in the norm of the inverse of the shifted matrix.
    """
    if bend > 0.0:
        newton = shift + (length - radius) / radius * length * length / bend
        if below < newton < above:
            return newton
    if below > 0.0 and above > 4.0 * below:
        return sqrt(below * above)
    return below + (0.01 if below == low else 0.5) * (above - below)
