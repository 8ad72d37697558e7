"""The least sum of absolute values of linear functions: along the edges from vertex to vertex, exactly.

``f(x) = sum |r|`` with ``r = offset + slopes' x`` is a convex polyhedron. At a *vertex* as many independent r as there
are parameters are zero (the *basis*); along an *edge* all of these but one stay zero, and f is piecewise linear there
with a break where another r changes its sign. From a vertex the method takes the edge that falls most steeply and
follows it to its lowest point, which is a vertex again: the simplex method for this problem (Barrodale and Roberts,
SIAM J. Numer. Anal. 10, 1973). It ends where no edge falls. The proof is then in the *multipliers*: with numbers from
-1 to 1 on the basis, in place of signs, the slopes of all rows cancel, so f is lower nowhere at all.

Where a multiplier is 1 in size f is level along an edge, and the minimizer is not unique. Along level edges the same
steps lead to the ends of each parameter's range, and the mean of these ends is a minimizer too, f being convex: of an
even number of values the median in the middle.

More r than a vertex needs may be zero there, and steps may then go round in circles. So the offsets are thought of as
moved by ``epsilon`` times random numbers, epsilon smaller than any number: r is a pair, compared like words in a
dictionary (Charnes, Econometrica 20, 1952). The basis in which the steps end is best for the offsets as they are too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gdcli.kernel.dataclass import NamedTuple, dataclass
from gdcli.kernel.status import StopReason
from gdcli.kernel.vectors import Array, Vector, as_like, distance, np
from gdcli.objective.protocol import Evaluation, Objective
from gdcli.solve.algebra.residual_model import blur
from gdcli.solve.iteration import Step

# Of the nearest rows the first one is taken into a basis of which the others leave this part.
_CLEARLY = 1e-3
# Steps after which no vertex is looked for any more, for each row and parameter.
_PATIENCE = 20
# The row of a tilt is so many times as high as all others at the origin together: no point as low as that turns its
# sign.
_HIGH = 16.0


class Minimizers(NamedTuple):
    """The lowest value, one of the minimizers, and the ranges (low, high) of the parameters over all, shape (p,)."""

    value: float
    x: Vector
    low: Array
    high: Array

    @property
    def unique(self) -> bool:
        return bool((self.low == self.high).all())


class Vertex(NamedTuple):
    """A basis, the point where its r are zero, all r and their signs, and the edges (p x p, columns).

    ``tilt`` are the parts of r in epsilon. Along ``edges[:, k]`` the k-th r of the basis grows by 1, and the others of
    the basis stay zero. ``multipliers`` are those of the basis, ``doubt`` what of them may be rounding.
    """

    basis: list[int]
    x: Vector
    r: Vector
    tilt: Vector
    signs: Vector
    edges: Array
    multipliers: Vector
    doubt: Array


class Polyhedron:
    """The sum of ``|r| + tilt*r``, ``r = offset + slopes' x`` (shapes (n,), (p, n)), over rows that depend on x.

    Edges are written in coordinates in which the slopes are orthogonal, so that nothing depends on the units of the
    parameters nor on their origins. ``determined`` tells whether the rows tell all parameters.
    """

    def __init__(self, slopes: Array, offset: Array, tilt: float = 0.0) -> None:
        used = slopes.any(axis=0)
        self.constant = float((np.abs(offset[~used]) + tilt * offset[~used]).sum())
        if tilt:
            slopes, offset = self._tilted(slopes[:, used], offset[used], tilt)
            used = np.ones(len(offset), dtype=bool)
        self.slopes, self.offset = slopes[:, used], offset[used]
        self.tilt = np.random.default_rng(0).standard_normal(len(self.offset))
        scale = np.sqrt((self.slopes**2).sum(axis=1))
        self.determined = bool((scale > 0.0).all()) and len(self.offset) >= len(scale)
        if self.determined:
            directions, triangle = np.linalg.qr((self.slopes / scale[:, None]).T)
            self.rows, self.triangle = directions.T, triangle * scale
            self.determined = bool((np.abs(np.diag(triangle)) > blur(4 * len(scale))).all())

    def _tilted(self, slopes: Array, offset: Array, tilt: float) -> tuple[Array, Array]:
        """Add a row whose r is positive at every point of interest: its r is the tilted part of the sum and a constant.

        (A quantile of regression as a least sum of absolute values: Koenker and d'Orey, Applied Statistics 36, 1987.)
        """
        level = tilt * float(offset.sum())
        high = _HIGH * max(float(np.abs(offset).sum()), 1.0e-300) / (1.0 - abs(tilt))
        self.constant += level - high
        row = tilt * slopes.sum(axis=1)
        return np.concatenate([slopes, row[:, None]], axis=1), np.append(offset, high)

    def value(self, x: Vector) -> tuple[float, float]:
        r, doubt = self._residuals(x)
        return self.constant + float(np.abs(r).sum()), float(doubt.sum())

    def _residuals(self, x: Vector) -> tuple[Any, Any]:
        made = np.abs(self.offset) + np.abs(self.slopes).T @ np.abs(x)
        return self.offset + self.slopes.T @ x, blur(len(x) + 2) * made

    def near(self, x: Vector) -> list[int]:
        """Return a basis of rows that are met at x, or nearly."""
        lengths = np.sqrt((self.rows**2).sum(axis=0))
        rows = self.rows / lengths
        away = np.abs(self._residuals(x)[0]) / lengths
        basis: list[int] = []
        for _ in x:
            left = np.sqrt((rows**2).sum(axis=0))
            row = int(np.argmin(np.where(left >= min(_CLEARLY, float(left.max())), away, np.inf)))
            basis.append(row)
            along = rows[:, row] / left[row]
            rows = rows - along[:, None] * (along @ rows)
        return basis

    def by_squares(self) -> Array:
        return -np.linalg.solve(self.triangle, self.rows @ self.offset)

    def vertex(self, basis: list[int]) -> Vertex:
        edges = np.linalg.inv(self.rows[:, basis].T)
        x = 0.0 - np.linalg.solve(self.slopes[:, basis].T, self.offset[basis])
        r, doubt = self._residuals(x)
        doubt = doubt + np.abs(self.rows).T @ (
            np.abs(edges) @ doubt[basis]
        )  # x is off by what the basis is off
        r = np.where(np.abs(r) > doubt, r, 0.0)
        tilt = self.tilt - self.rows.T @ (edges @ self.tilt[basis])
        r[basis] = tilt[basis] = 0.0
        signs = np.where(r != 0.0, np.sign(r), np.sign(tilt))
        multipliers = -((self.rows @ signs) @ edges)
        blurred = blur(2 * len(x) + 4) * (np.abs(self.rows).sum(axis=1) @ np.abs(edges) + 1.0)
        return Vertex(basis, x, r, tilt, signs, edges, multipliers, blurred)

    def falling(self, at: Vertex) -> tuple[int, float] | None:
        """Return the edge that falls most steeply and its side, 1 or -1; None where none falls."""
        fall = np.abs(at.multipliers) - 1.0
        steepness = np.where(fall > at.doubt, fall, 0.0) / np.linalg.norm(at.edges, axis=0)
        k = int(np.argmax(steepness))
        return (k, float(np.sign(at.multipliers[k]))) if steepness[k] > 0.0 else None

    def level(self, at: Vertex, along: Array) -> tuple[int, float] | None:
        """Return an edge along which f is level at a minimizer and ``along @ x`` grows, and its side; None for none."""
        sides = np.sign(at.multipliers)
        decrease = (
            sides * (along @ np.linalg.solve(self.triangle, at.edges)) / np.linalg.norm(at.edges, axis=0)
        )
        decrease = np.where(np.abs(np.abs(at.multipliers) - 1.0) <= at.doubt, decrease, 0.0)
        k = int(np.argmax(decrease))
        least = blur(len(along)) * np.abs(decrease).max()
        return (k, float(sides[k])) if decrease[k] > least else None

    def follow(self, at: Vertex, k: int, side: float) -> list[int] | None:
        """Return the basis at the lowest point of an edge, the first one where it is level; None where it has none."""
        way = side * at.edges[:, k]
        growth = self.rows.T @ way
        growth[np.abs(growth) <= blur(len(way) + 2) * (np.abs(self.rows).T @ np.abs(way))] = 0.0
        growth[at.basis] = 0.0
        ahead = np.flatnonzero(at.signs * growth < 0.0)
        if not len(ahead):
            return None
        sizes = np.abs(growth[ahead])
        order = np.lexsort((np.abs(at.tilt[ahead]) / sizes, np.abs(at.r[ahead]) / sizes))
        slope = 1.0 - abs(float(at.multipliers[k])) + 2.0 * np.cumsum(sizes[order])
        stop = int(np.searchsorted(slope, -float(at.doubt[k])))
        if stop == len(ahead):
            return None
        basis = list(at.basis)
        basis[k] = int(ahead[order[stop]])
        return basis

    def descend(self, at: Vertex, along: Array | None = None) -> Iterator[Vertex]:
        """Yield the vertices on the way down; at a minimizer those towards larger ``along @ x``, which is level."""
        most = _PATIENCE * (len(self.offset) + len(self.rows))
        for _ in range(most):
            edge = self.falling(at) if along is None else self.level(at, along)
            basis = None if edge is None else self.follow(at, *edge)
            if basis is None:
                return
            at = self.vertex(basis)
            yield at

    def last(self, at: Vertex, along: Array | None = None) -> Vertex:
        for below in self.descend(at, along):
            at = below
        return at

    def minimizers(self, at: Vertex) -> Minimizers:
        p = len(self.rows)
        low, high, ends = at.x.copy(), at.x.copy(), [at.x]
        if (np.abs(np.abs(at.multipliers) - 1.0) <= at.doubt).any():
            for j in range(p):
                for side in (1.0, -1.0):
                    ends.append(self.last(at, side * np.eye(p)[j]).x)
            low, high = np.min(ends, axis=0), np.max(ends, axis=0)
        same = high - low <= blur(p * p) * (np.abs(low) + np.abs(high))
        low, high = np.where(same, at.x, low), np.where(same, at.x, high)
        x = at.x if same.all() else np.where(same, at.x, np.mean(ends[1:], axis=0))
        return Minimizers(self.value(x)[0], x, low, high)


def least(polyhedron: Polyhedron, x: Vector) -> Minimizers | None:
    """Return the minimizers, looked for from x (p,); None where the rows do not tell all parameters."""
    if not polyhedron.determined:
        return None
    at = polyhedron.last(polyhedron.vertex(polyhedron.near(x)))
    return polyhedron.minimizers(at) if polyhedron.falling(at) is None else None


@dataclass(frozen=True, slots=True)
class EdgeDescent:
    """The method, on an objective that is proportional to the sum of a ``polyhedron`` that is determined.

    The first step goes to a vertex beside the least sum of squares, the last to the middle of the minimizers. The state
    is the basis, empty at the start.
    """

    polyhedron: Polyhedron
    order: int = 1

    def start(self, objective: Objective, at: Evaluation) -> list[int]:
        return []

    def step(self, objective: Objective, at: Evaluation, state: list[int]) -> Step:
        polyhedron = self.polyhedron
        if not state:
            basis = polyhedron.near(polyhedron.by_squares())
            return _to(objective, at, polyhedron.vertex(basis).x, basis)
        here = polyhedron.vertex(state)
        below = next(polyhedron.descend(here), None)
        if below is not None:
            return _to(objective, at, below.x, below.basis)
        found = polyhedron.minimizers(here)
        if found.unique:
            return Step(at, state, 0.0, StopReason.GAP, moved=False, passed=False)
        return _to(objective, at, found.x, state)._replace(kind="polish", reason=StopReason.GAP)


def _to(objective: Objective, at: Evaluation, x: Vector, basis: list[int]) -> Step:
    there = objective.evaluate(as_like(at.x, x), 1)
    return Step(there, basis, distance(there.x, at.x))
