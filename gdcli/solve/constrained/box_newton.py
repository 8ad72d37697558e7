"""Newton's method with a trust region for a function of few variables within a box, on arrays.

It solves the subproblems of constrained minimisation, in which a value and its derivatives are a few products of
matrices: what counts is how few factorisations it takes. The step is found face by face: towards the lowest point of
the quadratic model on the face where it stands, as far as the first bound, which is held from there on (Conn, Gould and
Toint, Trust-Region Methods, 2000, section 12.3).
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, sqrt

from gdcli.kernel.numerics import EPS, SMALLEST_RADIUS
from gdcli.kernel.vectors import Array, np
from gdcli.solve.algebra.trust_region import ACCEPTABLE, next_radius, secular_step

# A squared pivot below this part of the largest leaves a Newton step without digits.
_PIVOT = 1e-13
# A step that has used all of the radius but this part of its square does not go on to the next face.
_ROOM = 1e-4
# A fall that is less than this part of the value is the rounding of the value.
_NO_FALL = 5.0 * EPS


def _length(v: Array) -> float:
    """Return the norm of a vector, of few numbers in a fifth of the time of `numpy.linalg.norm`."""
    return sqrt(v @ v)


def ball_step(H: Array, g: Array, radius: float) -> Array:
    """Return the lowest point of ``g'p + p'Hp/2`` in ``|p| <= radius`` (More and Sorensen 1983)."""
    newton = _newton(H, g)
    if newton is not None and _length(newton) <= radius:
        return newton
    w, Q = np.linalg.eigh(H)
    y = np.array(secular_step(w.tolist(), (Q.T @ g).tolist(), radius)[0])
    return Q @ (y * min(1.0, radius / max(_length(y), 1e-300)))


def _newton(H: Array, g: Array) -> Array | None:
    """Return the Newton step where H is clearly positive definite, else None."""
    try:
        L = np.linalg.cholesky(H)
    except np.linalg.LinAlgError:
        return None
    pivots = L.diagonal()
    if not pivots.min() ** 2 > _PIVOT * pivots.max() ** 2:
        return None
    return -np.linalg.solve(L.T, np.linalg.solve(L, g))


def box_step(H: Array, g: Array, lower: Array, upper: Array, radius: float) -> Array:
    """Return a step down in ``lower <= p <= upper``, ``|p| <= radius``: face by face, or the first one clipped."""
    p, first = np.zeros(len(g)), None
    free = ~(((lower >= 0.0) & (g > 0.0)) | ((upper <= 0.0) & (g < 0.0)) | (lower == upper))
    for _ in range(len(g) + 1):
        room = radius * radius - p @ p
        i = np.flatnonzero(free)
        if not len(i) or room <= _ROOM * radius * radius:
            break
        whole = len(i) == len(g)
        d = ball_step(H if whole else H[np.ix_(i, i)], (g + H @ p)[i], sqrt(room))
        reach = np.where(d > 0.0, upper[i], lower[i]) - p[i]
        beyond = abs(d) > abs(reach)
        hit = i[beyond]
        if not len(hit):
            p[i] += d
            break
        if first is None:
            first = np.zeros(len(g))
            first[i] = d
            first = np.clip(first, lower, upper)
        ways = reach[beyond] / d[beyond]
        part = float(ways.min())
        p[i] += part * d
        nearest = ways <= part
        p[hit[nearest]] = np.where(d[beyond] > 0.0, upper[hit], lower[hit])[nearest]
        free[hit[nearest]] = False
    if first is None or not _model(H, g, first) < _model(H, g, p):
        return p
    return first


def _model(H: Array, g: Array, p: Array) -> float:
    return float((g + 0.5 * (H @ p)) @ p)


def box_newton(
    value: Callable[[Array], float],
    derivatives: Callable[[Array], tuple[Array, Array] | None],
    x: Array,
    box: tuple[Array, Array],
    radius: float,
    most: int,
    part: float,
) -> tuple[Array, float]:
    """Minimise ``value`` within the ``box`` (its lower and upper corner) by at most ``most`` steps; return the
    point and its value.

    ``derivatives`` gives gradient and Hessian, None where they are not finite. It ends when a step promises less than
    ``part`` of the fall so far.
    """
    lower, upper = box
    x = np.clip(x, lower, upper)
    f = began = value(x)
    found = derivatives(x)
    for _ in range(most):
        if found is None or not isfinite(f):
            break
        g, H = found
        if not (np.isfinite(g).all() and np.isfinite(H).all()):
            break
        p = box_step(H, g, lower - x, upper - x, radius)
        foretold = -_model(H, g, p)
        if not foretold > part * abs(began - f) + _NO_FALL * abs(f):
            break
        y = np.clip(x + p, lower, upper)
        there, length = value(y), _length(p)
        ratio = (f - there) / foretold if isfinite(there) else -np.inf
        radius = next_radius(radius, length, ratio)
        if ratio > ACCEPTABLE:
            x, f = y, there
            found = derivatives(x)
        elif length <= SMALLEST_RADIUS * (1.0 + _length(x)):
            break
    return x, f
