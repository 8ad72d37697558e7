"""What speaks for a point of a constrained problem: the conditions of Karush, Kuhn and Tucker, in numbers.

At a minimum the gradient of the value is a combination of those of the active sides and bounds, with multipliers that
are not negative where a side is an inequality; and along every direction that the strongly active ones (multiplier
not 0) leave free, the Hessian of the Lagrangian does not fall (Nocedal and Wright, Numerical Optimization, 2nd ed.,
sections 12.3 to 12.5). All is measured in units of max(1, |x|) a variable, less than 1 for one small in all that
was typed, and the gradient of each active side is made as long as 1. Multipliers are found by least squares with
signs, which needs no independent gradients.
"""

from __future__ import annotations

from itertools import combinations

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.numerics import ACTIVE, HOLDS
from gdcli.kernel.vectors import Array, np
from gdcli.objective.constrained import Constrained

# What a claim needs beside constraints that hold: of the gradient of the Lagrangian, and of what is still to gain.
KKT_TOL, GAP_TOL = 1e-6, 1e-10
# Singular values of the active gradients, which have length 1, and multipliers beside the slope, count as 0 below.
_RANK, STRONG = 1e-7, 1e-7
# Curvatures along the tangent space are called weak below this part of the largest second derivative: they may come
# from what is left of a slope. Below the next one they have no digits, and what lies between those is negative.
_WEAK, _NO_DIGITS, _NEGATIVE, _NEGATIVE_STRONG = 1e-4, 1e-9, -1e-8, -1e-6
# A curvature is soft where a step as long as the point changes the value by less than this part of it.
_SOFT = 1e-6
# So many directions between those of weak curvature are tried beside them.
_BETWEEN = 3
# The faces of weakly active sides are looked through one by one up to so many sides.
_MOST_WEAK = 6
# A gradient is no shorter than this part of the longest, nor is the scale of the curvatures than that of the slope.
_LEAST, _LEAST_TOP = 1e-12, 1e-6
# Multipliers below this part of the slope are its rounding.
_ROUNDING = 1e-14
# From so many active gradients on a factorisation without singular values is tried, and trusted where it is clear.
_MANY, _CLEAR = 40, 1e-5
# Singular values of a least squares problem count as 0 below.
_SQUARE_TOL = 1e-10


class Face(NamedTuple):
    """What is active: masks of the sides (s,) and of the variables (n,), the gradients as ``rows`` of length 1 and what
    their ``lengths`` were, and which of the rows have multipliers ``free`` of sign.
    """

    active: Array
    at_lower: Array
    at_upper: Array
    rows: Array
    lengths: Array
    free: Array

    def apart(self, mu: Array) -> tuple[Array, Array, Array]:
        """Return the multipliers of the rows as those of all sides (s,), of lower and of upper bounds (n,)."""
        found, first = [], 0
        for mask in (self.active, self.at_lower, self.at_upper):
            of_all = np.zeros(len(mask))
            of_all[mask] = mu[first : first + mask.sum()]
            first += int(mask.sum())
            found.append(of_all)
        return found[0], found[1], found[2]


class Curvature(NamedTuple):
    """The Hessian of the Lagrangian, scaled, and its eigenvalues ``w`` with eigenvectors in the columns of ``vectors``
    (n, k) on what the ``strong`` rows leave free.

    ``top`` is its size, ``below`` the least of its curvatures on what all active rows leave free, and these have a
    ``rank``.
    """

    hessian: Array
    strong: Array
    w: Array
    vectors: Array
    top: float
    below: float
    rank: int

    @property
    def weak(self) -> Array:
        """Which of the curvatures may come from what is left of a slope."""
        return self.w <= _WEAK * self.top

    def gap(self, slope: Array) -> float:
        """Return by how much a step on the tangents may lower the value."""
        parts = self.vectors.T @ slope
        return 0.5 * float((parts * parts / self.w.clip(_NO_DIGITS * self.top)).sum())

    def least(self, level: float) -> Array:
        """Return the directions (k, n) of weak curvatures and of those up to ``level``, or of the least of all."""
        found = self.weak | (self.w <= level)  # where all are small none of them is small beside the others
        axes = self.vectors[:, found if found.any() else slice(0, 1)].T
        if len(axes) < 2:
            return axes
        # The third derivatives along the axes may all be 0 and those between them not: x*y*z at 0.
        turns = np.outer(np.arange(1.0, 1.0 + _BETWEEN), np.arange(1.0, 1.0 + len(axes)) ** 2)
        return np.vstack([axes[:_BETWEEN], np.cos(turns) @ axes / len(axes) ** 0.5, axes[_BETWEEN:]])

    def inward(self, rows: Array) -> Array:
        """Return the direction on the tangents, (1, n), away from all weakly active ``rows``; (0, n) without one."""
        away: Array = self.vectors @ (self.vectors.T @ -rows[~self.strong].sum(axis=0))
        found: Array = away[None, :][: int(away.any())]
        return found


@dataclass(slots=True)
class KKTPoint:
    """The evidence about a point, in arrays.

    ``multipliers`` (shape (s,), 0 where a side is not active) belong to the sides of `Constrained`, so that the
    gradient of ``value + multipliers @ h`` is that of the bounds: ``below`` and ``above`` (shape (n,)) are those of the
    lower and upper ones. ``gradient_norm`` is the length of what is left of it, and ``eigenvalues`` are those of the
    Hessian of the Lagrangian on the tangent space of what is strongly active, in the user's units. ``gap`` is what
    slope and violation may still be worth, ``soft`` whether the least curvature hardly changes the value. ``kind`` is a
    word, ``ways`` (k, n) are directions for a probe.
    """

    face: Face
    bent: Curvature
    violation: float
    multipliers: Array
    below: Array
    above: Array
    gradient_norm: float
    complementarity: float
    gap: float
    eigenvalues: Array
    soft: bool
    kind: str
    ways: Array

    @property
    def independent(self) -> bool:
        """Whether the active gradients are independent (LICQ)."""
        return self.bent.rank == len(self.face.rows)

    @property
    def strict(self) -> bool:
        return bool(self.bent.strong.all())

    @property
    def certain(self) -> bool:
        """Whether the curvatures need no probe around."""
        return not self.bent.weak.any()

    @property
    def is_minimum(self) -> bool:
        return self.kind in ("minimum", "degenerate")

    @property
    def is_doubtful(self) -> bool:
        """Whether a falling curvature is all that speaks against a minimum, and one as weak as what is left of a slope
        makes: then the value decides.
        """
        return self.kind == "saddle" and bool(self.bent.w[0] > -_WEAK * self.bent.top)


def kkt_point(problem: Constrained, x: Array) -> KKTPoint | None:
    """Return the evidence about ``x``, None where the derivatives are not finite; the last is remembered."""
    key = x.tobytes()
    if problem.evidence[0] != key:
        import numpy as np

        try:
            problem.evidence = key, _kkt_point(problem, x)
        except np.linalg.LinAlgError:  # numbers so large that their products are infinite
            problem.evidence = key, None
    found: KKTPoint | None = problem.evidence[1]
    return found


def _kkt_point(problem: Constrained, x: Array) -> KKTPoint | None:
    value, h = problem.values(x)
    found = problem.slopes(x)
    if found is None or not np.isfinite(value):
        return None
    g, J = found
    unit = problem.units(x)
    face = _face(problem, x, unit, h, J)
    slope = g * unit
    scaled = signed_least_squares(face.rows.T, -slope / problem.value_size, face.free) * problem.value_size
    scale = max(problem.value_size, float(np.linalg.norm(slope)))
    scaled[abs(scaled) <= _ROUNDING * scale] = 0.0
    left = slope + face.rows.T @ scaled
    multipliers, below, above = face.apart(scaled / face.lengths)
    H = problem.curvature(x, multipliers)
    if H is None:
        return None
    bent = _curvature(face, H, unit, face.free | (scaled > STRONG * scale), float(np.linalg.norm(slope)))
    held = float(abs(multipliers) @ abs(h)) + _held_by_bounds(problem, x, below, above)
    gap = bent.gap(left) + held
    violation = problem.violation(x, h)
    size = max(problem.value_size, abs(value))
    level = _SOFT * size
    ways = bent.least(level)
    if violation > HOLDS:
        kind = "infeasible"
    elif np.linalg.norm(left) > KKT_TOL * scale or gap > GAP_TOL * size:
        kind = "not-stationary"
    elif problem.is_at_a_kink(x, face.active):
        kind = "at-a-kink"
    else:
        kind, falling = _kind(face, bent)
        ways = np.vstack([falling, bent.inward(face.rows), ways])
    return KKTPoint(
        face,
        bent,
        violation=violation,
        multipliers=multipliers,
        below=below,
        above=above,
        gradient_norm=float(np.linalg.norm(left / unit)),
        complementarity=held,
        gap=gap,
        eigenvalues=_typed_curvatures(problem, bent, H, face.rows[bent.strong], unit),
        soft=bool(len(bent.w) and bent.w[0] <= level),
        kind=kind,
        ways=ways * unit,
    )


def _held_by_bounds(problem: Constrained, x: Array, below: Array, above: Array) -> float:
    """Return what it may be worth to go to the bounds that are almost reached."""
    rooms = ((below, x - problem.lower), (above, problem.upper - x))
    return float(sum(mu[mu != 0.0] @ np.abs(room[mu != 0.0]) for mu, room in rooms))


def _face(problem: Constrained, x: Array, unit: Array, h: Array, J: Array) -> Face:
    sizes = np.maximum(np.maximum(problem.side_sizes, problem.terms(x)), np.linalg.norm(J * unit, axis=1))
    active = problem.equal | (h >= -ACTIVE * sizes)
    at_lower, at_upper = x - problem.lower <= ACTIVE * unit, problem.upper - x <= ACTIVE * unit
    fixed = at_lower & at_upper
    at_upper = at_upper & ~fixed
    free = np.concatenate([problem.equal[active], fixed[at_lower], np.zeros(int(at_upper.sum()), bool)])
    axes = np.eye(len(x))
    rows = np.vstack([J[active], -axes[at_lower], axes[at_upper]]) * unit
    lengths = np.maximum(np.linalg.norm(rows, axis=1), _LEAST * max(1.0, float(abs(rows).max(initial=0.0))))
    return Face(active, at_lower, at_upper, rows / lengths[:, None], lengths, free)


def _curvature(face: Face, H: Array, unit: Array, strong: Array, slope: float) -> Curvature:
    H = H * np.outer(unit, unit)
    top = max(float(abs(H).max()), _LEAST_TOP * slope, 1e-300)
    Za, rank = _null_space(face.rows, len(H))
    Z = Za if strong.all() else _null_space(face.rows[strong], len(H))[0]
    w, V = np.linalg.eigh(Z.T @ H @ Z) if Z.shape[1] else (np.zeros(0), np.zeros((0, 0)))
    of_all = w if Z is Za else np.linalg.eigvalsh(Za.T @ H @ Za)
    return Curvature(H, strong, w, Z @ V, top, float(of_all[0]) if len(of_all) else 0.0, rank)


def _kind(face: Face, bent: Curvature) -> tuple[str, Array]:
    """Return what a stationary point is by its curvatures, and directions (k, n) in which the value falls."""
    w, top = bent.w, bent.top
    none = np.zeros((0, len(bent.hessian)))
    if bent.below < _NEGATIVE_STRONG * top:
        return "saddle", none
    if not len(w) or w[0] > _WEAK * top:
        return "minimum", none
    falling = _falling_on_a_face(face.rows, bent) if w[0] < _NEGATIVE * top else none
    return "saddle" if len(falling) else "degenerate", falling


def signed_least_squares(A: Array, b: Array, free: Array) -> Array:
    """Return the x that minimises ``|A x - b|`` with ``x >= 0``, but where ``free`` (Lawson and Hanson 1974)."""
    n = A.shape[1]
    x, used, banned = np.zeros(n), free.copy(), np.zeros(n, bool)
    if not n:
        return x
    if n > _MANY:  # most of many active sides have a multiplier: begin with all
        x, used = _without_negatives(A, b, x, np.ones(n, bool), free)
    else:
        x[used] = _least_squares(A[:, used], b)
    least = _LEAST * 10.0 * max(1.0, float(np.linalg.norm(b))) * max(1.0, float(abs(A).max()))
    for _ in range(3 * n + 10):
        slope = A.T @ (b - A @ x)
        slope[used | banned] = -np.inf
        if slope.max() <= least:
            break
        j = int(np.argmax(slope))
        used[j] = True
        x, used = _without_negatives(A, b, x, used, free)
        banned[:] = False
        banned[j] = not used[j]
    return x


def _without_negatives(A: Array, b: Array, x: Array, used: Array, free: Array) -> tuple[Array, Array]:
    """Return the least squares over the columns ``used``, without those that would come out negative."""
    while True:
        z = np.zeros(len(x))
        z[used] = _least_squares(A[:, used], b)
        negative = used & ~free & (z <= 0.0)
        if not negative.any():
            return z, used
        parts = x[negative] / np.maximum(x[negative] - z[negative], 1e-300)
        x = x + float(parts.min()) * (z - x)
        gone = negative & (x <= _LEAST)
        if not gone.any():
            gone = negative
        x[gone] = 0.0
        used = used & ~gone


def _least_squares(A: Array, b: Array) -> Array:
    if not A.shape[1]:
        return np.zeros(0)
    if min(A.shape) > _MANY and A.shape[1] <= A.shape[0]:
        Q, R = np.linalg.qr(A)
        if _is_independent(R):
            return np.linalg.solve(R, Q.T @ b)
    return np.linalg.lstsq(A, b, rcond=_SQUARE_TOL)[0]


def _is_independent(R: Array) -> bool:
    """Tell whether the triangular factor of columns of length 1 shows them clearly independent."""
    return bool(abs(R.diagonal()).min() > _CLEAR)


def _null_space(A: Array, n: int) -> tuple[Array, int]:
    """Return an orthonormal basis, as columns, of what the rows leave free, and their rank."""
    if not len(A):
        return np.eye(n), 0
    if _MANY < len(A) <= n:
        Q, R = np.linalg.qr(A.T, mode="complete")
        if _is_independent(R):
            return Q[:, len(A) :], len(A)
    _, s, vt = np.linalg.svd(A)
    rank = int(np.sum(s > _RANK * max(1.0, s[0])))
    return vt[rank:].T, rank


def _typed_curvatures(problem: Constrained, bent: Curvature, H: Array, rows: Array, unit: Array) -> Array:
    """Return the eigenvalues of H on what the rows leave free, per unit of length of the variables that were typed."""
    count = problem.typed.size
    if count == len(H) and (unit == 1.0).all():
        return bent.w
    rows = rows / unit
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1), 1e-300)[:, None]
    Z, _ = _null_space(rows, len(H))
    if not Z.shape[1]:
        return np.zeros(0)
    if count < len(H):
        _, R = np.linalg.qr(Z[:count])
        if not _is_independent(R):
            return np.zeros(0)
        Z = np.linalg.solve(R.T, Z.T).T
    return np.linalg.eigvalsh(Z.T @ H @ Z)


def _falling_on_a_face(A: Array, bent: Curvature) -> Array:
    """Return directions (k, n) in which weakly active sides do not rise and the curvature is clearly negative.

    A quadratic form that falls somewhere in the cone of what weakly active sides allow has, on the span of some face of
    it, an eigenvector with a negative eigenvalue inside (Kaplan, Linear Algebra Appl. 313, 2000).
    """
    weak, found = np.flatnonzero(~bent.strong), []
    if len(weak) > _MOST_WEAK:
        return np.zeros((0, A.shape[1]))
    for count in range(len(weak) + 1):
        for face in combinations(weak, count):
            Z, _ = _null_space(A[bent.strong | np.isin(np.arange(len(A)), face)], A.shape[1])
            if not Z.shape[1]:
                continue
            w, V = np.linalg.eigh(Z.T @ bent.hessian @ Z)
            for k in np.flatnonzero(w < _NEGATIVE * bent.top):
                d = Z @ V[:, k]
                rising = A[weak] @ d
                found += [s * d for s in (1.0, -1.0) if (s * rising <= ACTIVE).all()]
    return np.array(found).reshape(len(found), A.shape[1])
