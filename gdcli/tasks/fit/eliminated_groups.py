"""Groups of rows with parameters of their own beside shared ones: the sum of squares as a function of the shared alone.

The Jacobian of all parameters is an arrowhead: a block for each group's own parameters, beside it a column of blocks
for the shared ones. So the own parameters are eliminated group by group. For given shared parameters each group is
solved for its own, all groups at once (:mod:`gdcli.solve.methods.batched_fits`); that is variable projection (Golub and
Pereyra, Inverse Problems 19, 2003) with groups in the place of linear parameters. The QR factorisation of each group's
Jacobian, own columns first, leaves rows in the shared parameters alone, whose factor is that of the whole Jacobian
(Golub and Van Loan, Matrix Computations, 4th ed., 2013, section 12.5.3); the Hessian is the Schur complement, exact.
The work is linear in the groups, and what is left has as many unknowns as there are shared parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gdcli.kernel.batched_linear import dots, least_pivots, lengths, positive_solves, solve_upper, triangles
from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.numerics import INDEPENDENT
from gdcli.kernel.vectors import Array, Space, Vec, Vector, is_finite, np
from gdcli.objective.batched_residuals import GroupedResiduals
from gdcli.objective.protocol import Evaluation, Objective, QRSystem, new_counts
from gdcli.solve.methods.batched_fits import solve_many
from gdcli.tasks.fit.solve_fit import LAST_DIGITS

INF = float("inf")
# Iterations of a group at most, for given shared parameters.
MOST_ITERATIONS = 200
# Lower by more than this part is another end.
_LOWER = 1e-9
_UNKNOWN = "a group's own parameters are at no minimum here"


class Block(NamedTuple):
    residuals: GroupedResiduals  # of groups of like sizes
    groups: Array  # their numbers (g,)


class Layout(NamedTuple):
    """Where the ``own`` and the ``shared`` parameters stand in the flat vector of all."""

    own: list[int]
    shared: list[int]

    def whole(self, own: Array, shared: Sequence[float]) -> Array:
        x = np.empty((len(self.own) + len(self.shared), own.shape[1]))
        x[self.own] = own
        x[self.shared] = np.array(shared, dtype=float)[:, None]
        return x


class _OwnResiduals:
    """The residuals as functions of the own parameters alone, the shared ones as they are, for `solve_many`."""

    def __init__(self, whole: GroupedResiduals, layout: Layout, shared: Sequence[float]) -> None:
        self.whole, self.layout, self.shared = whole, layout, shared
        self.size, self.groups = len(layout.own), whole.groups

    def _at(self, own: Array) -> Array:
        return self.layout.whole(own, self.shared)

    def linear(self, x: Array) -> tuple[Array, Array]:
        J, r = self.whole.linear(self._at(x))
        return J[self.layout.own], r

    def bends(self, x: Array, v: Array) -> Array:
        return self.whole.bends(self._at(x), self.layout.whole(v, [0.0] * len(self.layout.shared)))

    def crosses_pole(self, x: Array, y: Array) -> Array:
        return self.whole.crosses_pole(self._at(x), self._at(y))

    def hessians(self, x: Array) -> Array:
        own = self.layout.own
        return self.whole.hessians(self._at(x))[own][:, own]

    def take(self, which: Array) -> _OwnResiduals:
        return _OwnResiduals(self.whole.take(which), self.layout, self.shared)


class Ends(NamedTuple):
    """All groups at the best own parameters for ``x``, the shared ones; the last axis counts the groups.

    ``own`` (q, g), the sums of squares ``value`` (g,), and the triangles ``R`` (p, p, g) of the Jacobians, own columns
    first, with ``target`` (p, g) and ``rest`` (g,): ``|r + J d|**2 = |R d + target|**2 + rest**2``.
    """

    x: tuple[float, ...]
    own: Array
    value: Array
    R: Array
    target: Array
    rest: Array

    @property
    def total(self) -> float:
        return math.fsum(self.value.tolist())

    @property
    def left_to_gain(self) -> Array:
        """What a step of its own parameters can still take away from each group's sum, (g,)."""
        own = self.target[: len(self.own)]
        return dots(own, own)

    @property
    def lost(self) -> Array:
        """Which of its own parameters a group's rows do not tell apart from those before them (q, g)."""
        q = len(self.own)
        columns = lengths(self.R[:, :q])
        diagonal = abs(self.R[range(q), range(q)])
        found: Array = np.logical_not(diagonal > INDEPENDENT * columns)
        return found

    def slopes(self) -> Array:
        """Return the derivatives (q, s, g) of the best own parameters by the shared ones, in the linear model."""
        q = len(self.own)
        with np.errstate(all="ignore"):
            found = [-solve_upper(self.R[:q, :q], self.R[:q, j]) for j in range(q, len(self.R))]
        return np.stack(found, axis=1)


class EliminatedGroups:
    """The groups in ``blocks`` of rows, ``count`` in all, each solved for its own parameters when it is asked.

    ``start`` (q, g) is where the own parameters start.
    """

    def __init__(self, space: Space, layout: Layout, blocks: Sequence[Block], start: Array) -> None:
        self.space, self.layout, self.blocks, self.start = space, layout, list(blocks), start
        self.count = start.shape[1]
        self._best: Ends | None = None
        self._last: Ends | None = None

    def settle(self, x: Sequence[float]) -> Ends:
        """Return the groups at their best own parameters for the shared ones ``x``."""
        asked = tuple(map(float, x))
        if self._last is not None and self._last.x == asked:
            return self._last
        with np.errstate(all="ignore"):
            starts = self._starts(asked)
            parts = [self._solved(block, asked, starts, len(starts)) for block in self.blocks]
        return self._settled(asked, parts)

    def look_around(self, x: Sequence[float]) -> bool:
        """Have each group start at what is usual among the groups, too; tell whether that has led lower.

        Where shared parameters were far from their place groups may have gone astray.
        """
        here, asked = self.settle(x), tuple(map(float, x))
        usual = np.repeat(np.median(here.own, axis=1)[:, None], self.count, axis=1)
        with np.errstate(all="ignore"):
            parts = [self._solved(block, asked, [here.own, usual, self.start], 1) for block in self.blocks]
        return self._settled(asked, parts).total < here.total * (1.0 - _LOWER)

    def _settled(self, asked: tuple[float, ...], parts: Sequence[tuple[Array, ...]]) -> Ends:
        order = np.argsort(np.concatenate([block.groups for block in self.blocks]))
        found = Ends(
            asked, *(np.concatenate(column, axis=-1)[..., order] for column in zip(*parts, strict=True))
        )
        if np.isfinite(found.total) and (self._best is None or found.total < self._best.total):
            self._best = found
        self._last = found
        return found

    def _starts(self, x: tuple[float, ...]) -> list[Array]:
        """Where own parameters may start: as they follow from the best point known, as they are there, the start."""
        best = self._best
        if best is None:
            return [self.start]
        way = np.array(x) - np.array(best.x)
        ahead = best.own + np.einsum("qsg,s->qg", best.slopes(), way)
        return [np.where(np.isfinite(ahead), ahead, best.own), best.own, self.start]

    def _solved(
        self, block: Block, x: tuple[float, ...], starts: Sequence[Array], usual: int
    ) -> tuple[Array, ...]:
        """Solve the groups of a block from the first start, those that it does not settle from the next; all of them
        again from those after the ``usual`` ones.
        """
        residuals = _OwnResiduals(block.residuals, self.layout, x)
        own = starts[0][:, block.groups].copy()
        value, open_ = np.full(own.shape[1], INF), np.arange(own.shape[1])
        for k, start in enumerate(starts):
            some = open_ if k < usual else np.arange(own.shape[1])
            if len(some):
                begun = start[:, block.groups[some]]
                ends = solve_many(residuals.take(some), begun, MOST_ITERATIONS, LAST_DIGITS)
                better = ends.value < value[some]
                own[:, some[better]] = ends.x[:, better]
                value[some[better]] = ends.value[better]
                open_ = some[ends.given_up]
        J, r = block.residuals.linear(self.layout.whole(own, x))
        value = dots(r, r)
        R, target, rest = triangles(J[[*self.layout.own, *self.layout.shared]], r)
        return own, value, R, target, rest

    def hessian(self, ends: Ends) -> Array | None:
        """Return the Hessian by the shared parameters (s, s); None where a group is at no minimum of its own."""
        own, shared = self.layout.own, self.layout.shared
        total = np.zeros((len(shared), len(shared)))
        with np.errstate(all="ignore"):
            for block in self.blocks:
                H = block.residuals.hessians(self.layout.whole(ends.own[:, block.groups], ends.x))
                inner, side = H[own][:, own], H[own][:, shared]
                for j in range(len(shared)):
                    z, factors = positive_solves(inner, side[:, j])
                    if not (least_pivots(inner, factors) > 0.0).all():
                        return None
                    taken = np.einsum("qsg,qg->sg", side, z)
                    total[:, j] += (H[shared][:, shared[j]] - taken).sum(axis=-1)
        return 0.5 * (total + total.T) if np.isfinite(total).all() else None

    def values(self, name: str, ends: Ends) -> list[Array]:
        """Return what is under a name in the row's programs in all rows that count, (rows,) each."""
        parts = []
        for block in self.blocks:
            found = block.residuals.values(name, self.layout.whole(ends.own[:, block.groups], ends.x))
            counts = block.residuals.counts
            parts.append([v.ravel() if counts is None else v[counts > 0.0] for v in found])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


class SharedObjective(Objective):
    """The mean over rows of the squares, times ``scale``, with each group at its own best parameters."""

    has_hessian = True

    def __init__(self, groups: EliminatedGroups, rows: int, scale: float = 1.0) -> None:
        self.groups, self.rows, self.scale = groups, rows, scale
        self.space, self.size = groups.space, groups.space.size
        self.counts = new_counts()
        self.factor = scale / rows

    @property
    def has_residuals(self) -> bool:
        return True

    def evaluate(self, x: Vector, order: int = 0) -> Evaluation:
        self.counts.value += 1
        value = self.groups.settle(x).total * self.factor
        at = Evaluation(x, value if value == value else INF)
        return self.complete(at, order) if order else at

    def complete(self, at: Evaluation, order: int) -> Evaluation:
        if not -INF < at.value < INF or (order < 2 and at.gradient is not None):
            return at
        ends = self.groups.settle(at.x)
        self.counts.gradient += 1
        q = len(ends.own)
        slope = dots(ends.R[q:, q:].swapaxes(0, 1).reshape(self.size, -1).T, ends.target[q:].reshape(-1))
        gradient = Vec((2.0 * self.factor * slope).tolist())
        if not is_finite(gradient):
            return Evaluation(at.x, at.value, None, None, "the derivative is not finite here")
        if order < 2:
            return at._replace(gradient=gradient)
        self.counts.hessian += 1
        found = self.groups.hessian(ends)
        if found is None:
            return Evaluation(at.x, at.value, gradient, None, _UNKNOWN)
        return Evaluation(at.x, at.value, gradient, [Vec(row) for row in (self.factor * found).tolist()])

    def linearise(self, at: Evaluation, wide: bool = False) -> QRSystem | None:
        """Return the linear model of the residuals, the own parameters eliminated from it."""
        self.counts.gradient += 1
        ends, s = self.groups.settle(at.x), self.size
        q = len(ends.own)
        rows = np.moveaxis(ends.R[q:, q:], -1, 0).reshape(-1, s)
        block = np.hstack((rows, np.moveaxis(ends.target[q:], -1, 0).reshape(-1, 1)))
        if not np.isfinite(block).all():
            return None
        factor: Array = np.asarray(np.linalg.qr(block, mode="r"))
        if len(factor) < s + 1:
            factor = np.vstack((factor, np.zeros((s + 1 - len(factor), s + 1))))
        factor = factor * math.sqrt(self.factor)
        rest = math.sqrt(self.factor * math.fsum((ends.rest**2 + ends.left_to_gain).tolist()))
        response, weight = self.groups.values("weighing", ends)
        measured = math.sqrt(self.factor * float((weight * response * response).sum()))
        target = Vec(factor[:s, s].tolist())
        last = math.hypot(rest, float(factor[s, s]))
        return QRSystem([Vec(row) for row in factor[:s, :s].tolist()], target, last, measured)
